/* SPDX-License-Identifier: Apache-2.0 */

/* The XDP program that leads packets of a device to our AF_XDP sockets.
 *
 * It is the one that libxdp brings along, one a device, attached through
 * libxdp's dispatcher beside others' programs, or alone where the kernel has
 * no dispatcher.  (libxdp would do that by itself with the first socket of a
 * device, but leaves a program and a map behind each time.)  What a process
 * that was killed left behind is found by a journal, the file bvs-xdp in the
 * run directory: a line "IFINDEX ID" for each program attached.
 *
 * Threads: the main thread. */

#ifndef DATAPATH_XDP_ATTACH_H
#define DATAPATH_XDP_ATTACH_H 1

#include <stdbool.h>

struct dp_xdp;

/* Detaches what the journal names; the first call does it, others nothing. */
void dp_xdp_recover(void);

/* Attaches the program to device 'ifindex', in the driver or, if 'generic',
 * in the kernel's own way.  0 or negative errno: -EOPNOTSUPP if the driver
 * has no XDP, -EBUSY if another program is there and cannot be shared with.
 * The result belongs to the caller. */
int dp_xdp_attach(int ifindex, bool generic, struct dp_xdp **);
/* The map from queue to socket; borrowed. */
int dp_xdp_map_fd(const struct dp_xdp *);
/* Detaches and frees it (null: nothing).  The device may be gone. */
void dp_xdp_detach(struct dp_xdp *);

#endif /* datapath/xdp-attach.h */
