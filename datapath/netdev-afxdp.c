/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/netdev-afxdp.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "datapath/xdp-attach.h"
#include "netdev-linux-private.h"
#include "netdev-linux.h"
#include "netdev-provider.h"
#include "ovs-thread.h"
#include "smap.h"
#include "socket-util.h"
#include "util.h"

enum {
    MAX_QUEUES = 64,
    MAX_MTU = 3498              /* What fits a page with what XDP wants. */
};

struct netdev_afxdp {
    struct netdev_linux up;     /* First: netdev-linux casts to it. */
    struct ovs_mutex mutex;     /* Guards the rest. */
    int n_rxq;
    enum dp_xdp_mode mode;
    enum dp_xdp_mode mode_in_use;
    bool need_wakeup;
};

static struct netdev_class afxdp_class;

static const char *const mode_names[] = {
#define DP_XDP_MODE(NAME, TEXT) TEXT,
    DP_XDP_MODES
#undef DP_XDP_MODE
    "best-effort"
};

static struct netdev_afxdp *
netdev_afxdp_cast(const struct netdev *netdev)
{
    return CONTAINER_OF(netdev, struct netdev_afxdp, up.up);
}

const char *
dp_xdp_mode_name(enum dp_xdp_mode mode)
{
    return mode_names[mode];
}

bool
dp_netdev_is_afxdp(const struct netdev *netdev)
{
    return netdev_get_class(netdev) == &afxdp_class;
}

enum dp_xdp_mode
dp_netdev_afxdp_mode(const struct netdev *netdev)
{
    return netdev_afxdp_cast(netdev)->mode;
}

bool
dp_netdev_afxdp_need_wakeup(const struct netdev *netdev)
{
    return netdev_afxdp_cast(netdev)->need_wakeup;
}

void
dp_netdev_afxdp_set_mode_in_use(struct netdev *netdev, enum dp_xdp_mode mode)
{
    struct netdev_afxdp *dev = netdev_afxdp_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    dev->mode_in_use = mode;
    ovs_mutex_unlock(&dev->mutex);
    netdev_change_seq_changed(netdev);
}

/* Asking the driver. */

static int
ask(const struct netdev *netdev, void *request)
{
    struct ifreq ifr = { .ifr_data = request };

    ovs_strzcpy(ifr.ifr_name, netdev_get_name(netdev), sizeof ifr.ifr_name);
    return af_inet_ioctl(SIOCETHTOOL, &ifr);
}

bool
dp_netdev_afxdp_is_virtual(const struct netdev *netdev)
{
    struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

    return !ask(netdev, &info) && (!strcmp(info.driver, "veth")
                                   || !strcmp(info.driver, "tun"));
}

/* Receive queues that the device has; 1 if it does not tell. */
static unsigned
device_queues(const struct netdev *netdev)
{
    struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

    if (ask(netdev, &channels)) {
        return 1;
    }
    return MAX(channels.rx_count + channels.combined_count, 1);
}

/* Configuration. */

static char *
check_device(const struct netdev *netdev, int n_rxq)
{
    unsigned n_queues = device_queues(netdev);
    int mtu;

    if (n_rxq > n_queues) {
        return xasprintf("n_rxq=%d, but the device has %u receive queue%s "
                         "(ethtool -L changes that, for some drivers)",
                         n_rxq, n_queues, n_queues == 1 ? "" : "s");
    } else if (!netdev_get_mtu(netdev, &mtu) && mtu > MAX_MTU) {
        return xasprintf("an MTU of %d is too large for AF_XDP, which takes "
                         "%d at most", mtu, MAX_MTU);
    }
    return NULL;
}

static int
afxdp_set_config(struct netdev *netdev, const struct smap *args,
                 char **errorp)
{
    struct netdev_afxdp *dev = netdev_afxdp_cast(netdev);
    const char *text = smap_get_def(args, "xdp-mode", "best-effort");
    bool need_wakeup = smap_get_bool(args, "use-need-wakeup", true);
    int n_rxq = smap_get_int(args, "n_rxq", 1);
    char *sentence = NULL;
    int mode;

    for (mode = 0; mode <= DP_N_XDP_MODES; mode++) {
        if (!strcmp(text, mode_names[mode])) {
            break;
        }
    }
    if (mode > DP_N_XDP_MODES) {
        sentence = xasprintf("xdp-mode: '%s' is neither best-effort, "
                             "native-with-zerocopy, native nor generic", text);
    } else if (n_rxq < 1 || n_rxq > MAX_QUEUES) {
        sentence = xasprintf("n_rxq: %s is not a number from 1 to %d",
                             smap_get(args, "n_rxq"), MAX_QUEUES);
    } else {
        sentence = check_device(netdev, n_rxq);
    }
    if (sentence) {
        *errorp = xasprintf("%s: %s", netdev_get_name(netdev), sentence);
        free(sentence);
        return EINVAL;
    }

    ovs_mutex_lock(&dev->mutex);
    if (dev->n_rxq != n_rxq || dev->mode != mode
        || dev->need_wakeup != need_wakeup) {
        dev->n_rxq = n_rxq;
        dev->mode = mode;
        dev->need_wakeup = need_wakeup;
        netdev_request_reconfigure(netdev);
    }
    ovs_mutex_unlock(&dev->mutex);
    return 0;
}

static int
afxdp_get_config(const struct netdev *netdev, struct smap *args)
{
    struct netdev_afxdp *dev = netdev_afxdp_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    smap_add_format(args, "n_rxq", "%d", dev->n_rxq);
    smap_add(args, "xdp-mode", mode_names[dev->mode]);
    smap_add(args, "use-need-wakeup", dev->need_wakeup ? "true" : "false");
    ovs_mutex_unlock(&dev->mutex);
    return 0;
}

static int
afxdp_get_status(const struct netdev *netdev, struct smap *status)
{
    struct netdev_afxdp *dev = netdev_afxdp_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    smap_add(status, "xdp-mode", mode_names[dev->mode]);
    smap_add(status, "xdp-mode-in-use",
             dev->mode_in_use == DP_N_XDP_MODES ? "none"
             : mode_names[dev->mode_in_use]);
    ovs_mutex_unlock(&dev->mutex);
    return netdev_linux_class.get_status(netdev, status);
}

static int
afxdp_reconfigure(struct netdev *netdev)
{
    struct netdev_afxdp *dev = netdev_afxdp_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    netdev->n_rxq = dev->n_rxq;
    ovs_mutex_unlock(&dev->mutex);
    return 0;
}

static int
afxdp_set_mtu(struct netdev *netdev, int mtu)
{
    return mtu > MAX_MTU ? EINVAL : netdev_linux_class.set_mtu(netdev, mtu);
}

/* Life. */

static struct netdev *
afxdp_alloc(void)
{
    struct netdev_afxdp *dev = xzalloc(sizeof *dev);

    return &dev->up.up;
}

static int
afxdp_construct(struct netdev *netdev)
{
    struct netdev_afxdp *dev = netdev_afxdp_cast(netdev);
    int error = netdev_linux_class.construct(netdev);

    if (!error) {
        ovs_mutex_init(&dev->mutex);
        dev->n_rxq = 1;
        dev->mode = dev->mode_in_use = DP_N_XDP_MODES;
        dev->need_wakeup = true;
    }
    return error;
}

static void
afxdp_destruct(struct netdev *netdev)
{
    struct netdev_afxdp *dev = netdev_afxdp_cast(netdev);

    ovs_mutex_destroy(&dev->mutex);
    netdev_linux_class.destruct(netdev);
}

static void
afxdp_dealloc(struct netdev *netdev)
{
    free(netdev_afxdp_cast(netdev));
}

void
dp_netdev_afxdp_register(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;

    if (ovsthread_once_start(&once)) {
        afxdp_class = netdev_linux_class;
        afxdp_class.type = "afxdp";
        afxdp_class.is_pmd = true;
        afxdp_class.alloc = afxdp_alloc;
        afxdp_class.construct = afxdp_construct;
        afxdp_class.destruct = afxdp_destruct;
        afxdp_class.dealloc = afxdp_dealloc;
        afxdp_class.set_config = afxdp_set_config;
        afxdp_class.get_config = afxdp_get_config;
        afxdp_class.get_status = afxdp_get_status;
        afxdp_class.reconfigure = afxdp_reconfigure;
        afxdp_class.set_mtu = afxdp_set_mtu;
        netdev_unregister_provider("afxdp");
        netdev_register_provider(&afxdp_class);
        ovsthread_once_done(&once);
    }
}
