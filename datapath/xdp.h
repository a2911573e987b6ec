/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATAPATH_XDP_H
#define DATAPATH_XDP_H 1

/* XDP programs: the program type of users' programs.
 *
 * What: programs see struct xdp_md as Linux shows it; a run's packet lies in
 * a `struct dp_xdp`, with room before and after it, as in a driver's buffer.
 * Helpers have Linux's numbers, flags, results and errors (Linux 6.18);
 * tests/unit/test-dp-xdp.c runs each on the kernel, too.  What asks the
 * kernel's routing tables (fib_lookup) answers that the packet is not
 * forwarded.
 *
 * Files: xdp_type.c the type and its table of helpers, xdp_packet.c helpers
 * on the packet's bytes, xdp_redirect.c those that send it elsewhere,
 * xdp_trace.c those that tell something.
 *
 * Threads: a struct dp_xdp belongs to one thread; the type is constant. */

#include <stddef.h>
#include <stdint.h>

#include "vm/type.h"

extern const struct vm_prog_type dp_xdp_type;

/* The type's own helpers, in addition to vm_helpers_base: for tests. */
extern const struct vm_helper_set dp_xdp_helpers;

/* Linux's verdicts. */
enum dp_xdp_verdict {
    DP_XDP_ABORTED, DP_XDP_DROP, DP_XDP_PASS, DP_XDP_TX,
    DP_XDP_REDIRECT, DP_XDP_N_VERDICTS
};
const char *dp_xdp_verdict_name(uint64_t r0);

#define DP_XDP_HEADROOM 256
#define DP_XDP_MAX_PACKET 65536
#define DP_XDP_TAILROOM 512

/* The context, as programs' loads are translated to. */
struct dp_xdp {
    uint8_t *data;
    uint8_t *data_end;
    uint8_t *data_meta;
    uint32_t ingress_ifindex;
    uint32_t rx_queue_index;
    uint32_t egress_ifindex;
    uint8_t buffer[DP_XDP_HEADROOM + DP_XDP_MAX_PACKET + DP_XDP_TAILROOM];
};

/* Puts a packet of 'size' bytes (DP_XDP_MAX_PACKET at most) in place. */
void dp_xdp_set_packet(struct dp_xdp *, const void *packet, size_t size);

/* Where the thread's last redirect() or redirect_map() led, valid after a
 * DP_XDP_REDIRECT: the map's value for the key (for redirect(): the
 * interface), or UINT64_MAX, all ports of the map. */
struct dp_xdp_target {
    const struct vm_map *map;   /* NULL: redirect(). */
    uint64_t value;
};
extern _Thread_local struct dp_xdp_target dp_xdp_target;

/* Gets each line that trace_printk() and trace_vprintk() make; NULL: nobody
 * does.  Set before programs run. */
extern void (*dp_xdp_trace)(const char *line);

#endif /* datapath/xdp.h */
