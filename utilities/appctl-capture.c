/* SPDX-License-Identifier: Apache-2.0 */

/* The capture ends when the daemon says so (--count, --seconds), when this
 * program is ended, or when nobody reads its output any more. */

#include <config.h>
#include "utilities/appctl-capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "dirs.h"
#include "fatal-signal.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "socket-util.h"
#include "unixctl.h"
#include "util.h"

/* The exit status of ovs-appctl when the daemon refuses a command. */
#define EXIT_REFUSED 2

struct stream {
    char *path;                 /* Of the socket that listens. */
    int listener, in, out;      /* -1: not yet, or not any more. */
    bool over;                  /* Nobody reads. */
};

/* Makes the socket, for the daemon too if that is somebody else's. */
static void
listen_for_daemon(struct stream *s, const char *control)
{
    struct stat daemon;

    s->path = xasprintf("%s/capture.%ld.sock", ovs_rundir(),
                        (long int) getpid());
    s->listener = make_unix_socket(SOCK_STREAM, true, s->path, NULL);
    if (s->listener < 0 || listen(s->listener, 1)) {
        ovs_fatal(s->listener < 0 ? -s->listener : errno,
                  "cannot listen on \"%s\"", s->path);
    }
    if (!stat(control, &daemon) && daemon.st_uid != geteuid()
        && chown(s->path, daemon.st_uid, -1)) {
        ovs_error(errno, "cannot give \"%s\" to the daemon", s->path);
    }
}

static void
stop_listening(struct stream *s)
{
    if (s->listener >= 0) {
        close(s->listener);
        fatal_signal_unlink_file_now(s->path);
        s->listener = -1;
    }
}

/* Opens what -w names and has argv[] name the socket instead. */
static void
redirect(struct stream *s, int argc, char *argv[])
{
    for (int i = 1; i < argc - 1; i++) {
        if (strcmp(argv[i], "-w")) {
            continue;
        }
        s->out = (!strcmp(argv[i + 1], "-") ? STDOUT_FILENO
                  : open(argv[i + 1], O_WRONLY | O_CREAT | O_TRUNC, 0600));
        if (s->out < 0) {
            ovs_fatal(errno, "cannot write \"%s\"", argv[i + 1]);
        }
        argv[i + 1] = xasprintf("unix:%s", s->path);
        return;
    }
    ovs_fatal(0, "capture: -w FILE is missing (- for standard output)");
}

static void
write_all(struct stream *s, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(s->out, data, size);

        if (n >= 0) {
            data += n;
            size -= n;
        } else if (errno == EPIPE) {
            s->over = true;
            return;
        } else if (errno != EINTR) {
            ovs_fatal(errno, "cannot write the capture");
        }
    }
}

/* Passes on what has come. */
static void
copy(struct stream *s)
{
    char buffer[65536];
    ssize_t n;

    if (s->in < 0 && s->listener >= 0) {
        s->in = accept(s->listener, NULL, NULL);
        if (s->in >= 0) {
            set_nonblocking(s->in);
            stop_listening(s);
        }
    }
    while (s->in >= 0 && !s->over) {
        n = read(s->in, buffer, sizeof buffer);
        if (n > 0) {
            write_all(s, buffer, n);
        } else if (!n || errno != EAGAIN) {
            close(s->in);
            s->in = -1;
        } else {
            return;
        }
    }
}

static bool
has_reader(const struct stream *s)
{
    struct pollfd pollfd = { .fd = s->out };

    return poll(&pollfd, 1, 0) <= 0 || !(pollfd.revents & (POLLERR | POLLHUP));
}

static void
wait_for(const struct stream *s, struct jsonrpc *rpc)
{
    jsonrpc_wait(rpc);
    jsonrpc_recv_wait(rpc);
    if (s->in >= 0) {
        poll_fd_wait(s->in, POLLIN);
    } else if (s->listener >= 0) {
        poll_fd_wait(s->listener, POLLIN);
    }
    poll_fd_wait(s->out, POLLERR);
    poll_block();
}

/* True if 'msg' was printed and is no error. */
static bool
report(struct jsonrpc_msg *msg)
{
    const struct json *text = (msg->type == JSONRPC_ERROR ? msg->error
                               : msg->result);
    bool ok = msg->type == JSONRPC_REPLY;

    if (text && text->type == JSON_STRING) {
        fprintf(stderr, "%s%s", json_string(text), ok ? "" : "\n");
    }
    jsonrpc_msg_destroy(msg);
    return ok;
}

static struct jsonrpc_msg *
make_request(int argc, char *argv[])
{
    struct json *params = json_array_create_empty();

    for (int i = 1; i < argc; i++) {
        json_array_add(params, json_string_create(argv[i]));
    }
    return jsonrpc_create_request(argv[0], params, NULL);
}

int
appctl_capture(const char *socket, int argc, char *argv[])
{
    struct stream s = { .listener = -1, .in = -1 };
    struct jsonrpc_msg *reply = NULL;
    struct jsonrpc *rpc;
    int error;

    listen_for_daemon(&s, socket);
    redirect(&s, argc, argv);
    error = unixctl_client_create(socket, &rpc);
    if (error) {
        ovs_fatal(error, "cannot connect to \"%s\"", socket);
    }
    error = jsonrpc_send(rpc, make_request(argc, argv));
    while (!error && !reply && !s.over && has_reader(&s)) {
        jsonrpc_run(rpc);
        copy(&s);
        error = jsonrpc_recv(rpc, &reply);
        if (error == EAGAIN) {
            error = 0;
            wait_for(&s, rpc);
        }
    }
    copy(&s);
    stop_listening(&s);
    jsonrpc_close(rpc);
    if (error) {
        ovs_fatal(error == EOF ? 0 : error, "the daemon has ended");
    }
    free(s.path);
    return !reply || report(reply) ? EXIT_SUCCESS : EXIT_REFUSED;
}
