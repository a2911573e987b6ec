/* SPDX-License-Identifier: Apache-2.0 */

/* Devices that outlive the process.
 *
 * A tap (an internal port) stays when a switch is killed, because Open
 * vSwitch makes it persistent; when its netdev is closed it goes, with its
 * addresses and routes.  An 'exit' without --cleanup is to leave it behind for
 * the next switch, too: another descriptor of it, held until all netdevs are
 * closed, makes it persistent again.
 *
 * Threads: the main thread. */

#include <config.h>
#include "datapath/dp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "netdev-linux-private.h"
#include "netdev-provider.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "datapath/private.h"

VLOG_DEFINE_THIS_MODULE(dp_keep);

static int *fds;
static size_t n_fds, allocated_fds;

void
dp_keep_device(const struct netdev *netdev)
{
    int fd;

    if (netdev_get_class(netdev) != &netdev_tap_class) {
        return;
    }
    fd = fcntl(netdev_linux_cast(netdev)->tap_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        VLOG_WARN("%s: device does not stay (%s)", netdev_get_name(netdev),
                  ovs_strerror(errno));
        return;
    }
    if (n_fds >= allocated_fds) {
        fds = x2nrealloc(fds, &allocated_fds, sizeof *fds);
    }
    fds[n_fds++] = fd;
}

void
dp_keep_finish(void)
{
    while (n_fds > 0) {
        int fd = fds[--n_fds];

        if (ioctl(fd, TUNSETPERSIST, 1)) {
            VLOG_WARN("a tap does not stay (%s)", ovs_strerror(errno));
        }
        close(fd);
    }
    free(fds);
    fds = NULL;
    allocated_fds = 0;
}
