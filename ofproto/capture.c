/* SPDX-License-Identifier: Apache-2.0 */

/* The commands
 *
 *     capture BRIDGE [OPTION]... -w FILE
 *     capture/show
 *     capture/stop [BRIDGE]
 *
 * FILE is a file or a pipe, by its absolute name, that the daemon opens, or
 * unix:SOCKET, to which it connects: that is how bvs-appctl writes files and
 * standard output with its own rights.  With --count, --seconds or a socket
 * the command is answered when the capture has ended, else at once.
 *
 * datapath/capture.h does the work. */

#include <config.h>
#include "ofproto/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include "datapath/capture.h"
#include "ofproto/of.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/poll-loop.h"
#include "seq.h"
#include "socket-util.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

enum { MAX_CAPTURES = 32 };

struct capture {
    struct ovs_list node;       /* In 'all'. */
    char *bridge;               /* Its name. */
    char *target;               /* -w. */
    struct of_bridge *of_bridge; /* Null: it went, or is finished. */
    struct dp_capture *dp;
    long long int deadline;     /* In ms; LLONG_MAX: none. */
    struct unixctl_conn *conn;  /* To be answered at the end, or null. */
};

static struct ovs_list all = OVS_LIST_INITIALIZER(&all);
static struct seq *ended;       /* Changes when one has ended. */

static void
has_ended(void *aux OVS_UNUSED)
{
    seq_change(ended);
}

/* What it is asked for. */

struct request {
    struct of_bridge *bridge;
    struct dp_capture_attr attr;
    const char *target;
    unsigned long long int seconds; /* 0: no limit. */
};

static bool
parse_u64(const char *text, uint64_t *np)
{
    unsigned long long int n;

    if (!str_to_ullong(text, 0, &n)) {
        return false;
    }
    *np = n;
    return true;
}

/* "C" or "C/M". */
static bool
parse_cookie(const char *text, struct dp_capture_attr *attr)
{
    char *copy = xstrdup(text), *slash = strchr(copy, '/');
    bool ok;

    attr->cookie_mask = UINT64_MAX;
    if (slash) {
        *slash = '\0';
    }
    ok = (parse_u64(copy, &attr->cookie)
          && (!slash || parse_u64(slash + 1, &attr->cookie_mask)));
    free(copy);
    return ok;
}

static bool
parse_port(const char *text, struct request *r)
{
    const struct ofport *port
        = shash_find_data(&r->bridge->dpif.up.port_by_name, text);
    ofp_port_t number;

    if (port) {
        number = port->ofp_port;
    } else if (!ofputil_port_from_string(text, NULL, &number)) {
        return false;
    }
    r->attr.by_port = true;
    r->attr.port = ofp_to_u16(number);
    return true;
}

static bool
parse_table(const char *text, struct dp_capture_attr *attr)
{
    return (str_to_int(text, 10, &attr->table) && attr->table >= 0
            && attr->table < 255);
}

/* An option with a value.  False if the value is wrong. */
static bool
parse_value(const char *name, const char *value, struct request *r,
            bool *knownp)
{
    uint64_t n = 0;
    bool ok;

    *knownp = true;
    if (!strcmp(name, "-w")) {
        r->target = value;
        return value[0] == '/' || !strncmp(value, "unix:", 5);
    } else if (!strcmp(name, "--filter")) {
        r->attr.filter = value;
        return true;
    } else if (!strcmp(name, "--port")) {
        return parse_port(value, r);
    } else if (!strcmp(name, "--table")) {
        return parse_table(value, &r->attr);
    } else if (!strcmp(name, "--cookie")) {
        return parse_cookie(value, &r->attr);
    }
    ok = parse_u64(value, &n) && n;
    if (!strcmp(name, "--count")) {
        r->attr.count = n;
    } else if (!strcmp(name, "--seconds")) {
        r->seconds = n;
        ok &= n <= 1000000;
    } else if (!strcmp(name, "--snaplen")) {
        r->attr.snaplen = n;
        ok &= n <= UINT32_MAX;
    } else {
        *knownp = false;
    }
    return ok;
}

static char *
parse_request(int argc, const char *argv[], struct request *r)
{
    *r = (struct request) { .attr.table = -1 };
    r->bridge = of_bridge_lookup(argv[1]);
    if (!r->bridge) {
        return xasprintf("%s: unknown bridge", argv[1]);
    }
    r->attr.bridge = r->bridge->dpb;
    for (int i = 2; i < argc; i++) {
        const char *name = argv[i];
        bool known = false, ok = false;

        if (!strcmp(name, "--dropped")) {
            r->attr.dropped = true;
            continue;
        } else if (!strcmp(name, "--sent")) {
            r->attr.sent = true;
            continue;
        }
        if (i + 1 < argc) {
            ok = parse_value(name, argv[++i], r, &known);
        }
        if (!known) {
            return xasprintf("%s: unknown option, or without its value",
                             name);
        } else if (!ok) {
            return xasprintf("%s %s: not a value of this option%s", name,
                             argv[i], (strcmp(name, "-w") ? ""
                                       : "; the daemon wants an absolute "
                                       "name, others need bvs-appctl"));
        }
    }
    return r->target ? NULL : xstrdup("-w FILE is missing");
}

static int
open_target(const char *target, char **errorp)
{
    int fd;

    if (target[0] == '/') {
        fd = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK
                  | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0) {
            fd = -errno;
        }
    } else {
        fd = make_unix_socket(SOCK_STREAM, false, NULL, target + 5);
    }
    if (fd < 0) {
        *errorp = xasprintf("%s: cannot be opened (%s)", target,
                            fd == -ENXIO ? "nobody reads from the pipe"
                            : ovs_strerror(-fd));
    }
    return fd;
}

/* Life. */

static void
finish(struct capture *c)
{
    if (c->of_bridge) {
        c->of_bridge = NULL;
        dp_capture_finish(c->dp);
        c->deadline = LLONG_MAX;
    }
}

static void
format_stats(const struct capture *c, struct ds *s)
{
    struct dp_capture_stats stats;

    dp_capture_get_stats(c->dp, &stats);
    ds_put_format(s, "%"PRIu64" packets captured, %"PRIu64" lost",
                  stats.packets, stats.lost);
    if (stats.error && stats.error != -EPIPE) {
        ds_put_format(s, " (%s)", ovs_strerror(-stats.error));
    }
    ds_put_char(s, '\n');
}

static void
destroy(struct capture *c)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (c->conn) {
        format_stats(c, &s);
        unixctl_command_reply(c->conn, ds_cstr(&s));
        ds_destroy(&s);
    }
    ovs_list_remove(&c->node);
    dp_capture_destroy(c->dp);
    free(c->bridge);
    free(c->target);
    free(c);
}

void
of_capture_run(void)
{
    struct capture *c;

    LIST_FOR_EACH_SAFE (c, node, &all) {
        if (time_msec() >= c->deadline) {
            finish(c);
        }
        if (dp_capture_has_ended(c->dp)) {
            destroy(c);
        }
    }
}

void
of_capture_wait(void)
{
    struct capture *c;

    if (!ovs_list_is_empty(&all)) {
        seq_wait(ended, seq_read(ended));
    }
    LIST_FOR_EACH (c, node, &all) {
        if (dp_capture_has_ended(c->dp)) {
            poll_immediate_wake();
        }
        if (c->deadline != LLONG_MAX) {
            poll_timer_wait_until(c->deadline);
        }
    }
}

void
of_capture_forget(struct of_bridge *bridge)
{
    struct capture *c;

    LIST_FOR_EACH (c, node, &all) {
        if (c->of_bridge == bridge) {
            finish(c);
        }
    }
}

void
of_capture_exit(void)
{
    struct capture *c;

    LIST_FOR_EACH_SAFE (c, node, &all) {
        destroy(c);
    }
}

/* The commands. */

static char *
start(int argc, const char *argv[], struct capture **cp)
{
    struct dp_capture *dp;
    struct capture *c;
    struct request r;
    char *error = parse_request(argc, argv, &r);

    if (!error && ovs_list_size(&all) >= MAX_CAPTURES) {
        error = xstrdup("too many captures");
    }
    if (error) {
        return error;
    }
    r.attr.fd = open_target(r.target, &error);
    if (r.attr.fd < 0) {
        return error;
    }
    r.attr.ended = has_ended;
    if (dp_capture_start(&r.attr, &dp, &error)) {
        return error;
    }
    c = xzalloc(sizeof *c);
    c->bridge = xstrdup(argv[1]);
    c->target = xstrdup(r.target);
    c->of_bridge = r.bridge;
    c->dp = dp;
    c->deadline = (r.seconds ? time_msec() + r.seconds * 1000LL : LLONG_MAX);
    ovs_list_push_back(&all, &c->node);
    *cp = r.seconds || r.attr.count || r.target[0] != '/' ? c : NULL;
    return NULL;
}

static void
capture_start(struct unixctl_conn *conn, int argc, const char *argv[],
              void *aux OVS_UNUSED)
{
    struct capture *waiting = NULL;
    char *error = start(argc, argv, &waiting);

    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else if (waiting) {
        waiting->conn = conn;
    } else {
        unixctl_command_reply(conn, "capturing until capture/stop\n");
    }
}

static void
capture_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct capture *c;

    LIST_FOR_EACH (c, node, &all) {
        ds_put_format(&s, "%s to %s: ", c->bridge, c->target);
        format_stats(c, &s);
    }
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
capture_stop(struct unixctl_conn *conn, int argc, const char *argv[],
             void *aux OVS_UNUSED)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct capture *c;

    LIST_FOR_EACH (c, node, &all) {
        if (c->of_bridge && (argc < 2 || !strcmp(c->bridge, argv[1]))) {
            finish(c);
            ds_put_format(&s, "%s to %s: ", c->bridge, c->target);
            format_stats(c, &s);
        }
    }
    if (s.length) {
        unixctl_command_reply(conn, ds_cstr(&s));
    } else {
        unixctl_command_reply_error(conn, "no such capture");
    }
    ds_destroy(&s);
}

void
of_capture_init(void)
{
    ended = seq_create();
    unixctl_command_register(
        "capture", "bridge [--port P] [--table N] [--cookie C[/M]] "
        "[--dropped] [--filter EXPR] [--sent] [--snaplen N] [--count N] "
        "[--seconds N] -w file", 1, 32, capture_start, NULL);
    unixctl_command_register("capture/show", "", 0, 0, capture_show, NULL);
    unixctl_command_register("capture/stop", "[bridge]", 0, 1, capture_stop,
                             NULL);
}
