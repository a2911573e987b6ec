/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "utilities/daemon-check.h"

#include <glob.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"
#include "dirs.h"
#include "socket-util.h"
#include "util.h"

/* Does someone listen on the Unix socket 'path'? */
static bool
answers(const char *path)
{
    int fd = make_unix_socket(SOCK_STREAM, true, NULL, path);

    if (fd >= 0) {
        close(fd);
    }
    /* EPROTO: someone listens, with a full queue. */
    return fd >= 0 || fd == -EPROTO;
}

static char *
check_pidfile(const char *path)
{
    pid_t pid = access(path, F_OK) ? -1 : read_pidfile(path);

    return (pid <= 0 ? NULL
            : xasprintf("%s: a switch daemon runs there as process %ld; "
                        "expected a folder without one (stop it, or set "
                        "OVS_RUNDIR)", path, (long int) pid));
}

static char *
check_socket(const char *path)
{
    return (!answers(path) ? NULL
            : xasprintf("%s: a switch daemon answers there already; expected "
                        "a folder without one (stop it, or set OVS_RUNDIR)",
                        path));
}

char *
daemon_check_alone(const char *unixctl)
{
    char *path = xasprintf("%s/%s.pid", ovs_rundir(), program_name);
    char *error = check_pidfile(path);
    glob_t found;

    free(path);
    if (!error && unixctl && strcmp(unixctl, "none")) {
        path = abs_file_name(ovs_rundir(), unixctl);
        error = check_socket(path);
        free(path);
    }

    path = xasprintf("%s/%s.*.ctl", ovs_rundir(), program_name);
    if (!glob(path, 0, NULL, &found)) {
        for (size_t i = 0; !error && i < found.gl_pathc; i++) {
            error = check_socket(found.gl_pathv[i]);
        }
        globfree(&found);
    }
    free(path);
    return error;
}
