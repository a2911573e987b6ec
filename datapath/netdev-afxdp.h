/* SPDX-License-Identifier: Apache-2.0 */

/* The netdev class "afxdp": a Linux device whose packets come and go through
 * AF_XDP sockets (datapath/port-afxdp.c).  It takes the place of Open
 * vSwitch's class of that name, and its options:
 *
 *   options:n_rxq=N             receive queues, from 0 on (default 1)
 *   options:xdp-mode=MODE       best-effort (default): the first of these that
 *                               the driver has; native-with-zerocopy; native;
 *                               generic
 *   options:use-need-wakeup=B   ask the kernel only when it wants to be asked
 *                               (default true)
 *
 * All else is netdev-linux's, whose struct this one starts with.
 *
 * Threads: as any netdev; what port-afxdp.c reads and sets, the main one. */

#ifndef DATAPATH_NETDEV_AFXDP_H
#define DATAPATH_NETDEV_AFXDP_H 1

#include <stdbool.h>

struct netdev;

/* DP_XDP_MODE(NAME, TEXT), in the order in which they are tried. */
#define DP_XDP_MODES                                    \
    DP_XDP_MODE(ZEROCOPY, "native-with-zerocopy")       \
    DP_XDP_MODE(NATIVE,   "native")                     \
    DP_XDP_MODE(GENERIC,  "generic")
enum dp_xdp_mode {
#define DP_XDP_MODE(NAME, TEXT) DP_XDP_##NAME,
    DP_XDP_MODES
#undef DP_XDP_MODE
    DP_N_XDP_MODES              /* Any of them; not in use. */
};

/* Registers the class; further calls do nothing. */
void dp_netdev_afxdp_register(void);
bool dp_netdev_is_afxdp(const struct netdev *);

/* What the configuration asks for. */
enum dp_xdp_mode dp_netdev_afxdp_mode(const struct netdev *);
bool dp_netdev_afxdp_need_wakeup(const struct netdev *);
/* What became of it, for Interface's status: DP_N_XDP_MODES when closed. */
void dp_netdev_afxdp_set_mode_in_use(struct netdev *, enum dp_xdp_mode);
const char *dp_xdp_mode_name(enum dp_xdp_mode);

/* Whether the driver of the device leaves checksums to whoever reads the
 * packet, because it has no wire (veth, tun). */
bool dp_netdev_afxdp_is_virtual(const struct netdev *);

#endif /* datapath/netdev-afxdp.h */
