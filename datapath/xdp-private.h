/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATAPATH_XDP_PRIVATE_H
#define DATAPATH_XDP_PRIVATE_H 1

/* Between the files xdp_*.c: the helpers, of which xdp_type.c has the
 * table. */

#include "datapath/xdp.h"

/* Linux gives a program all but these bytes of the room before the packet:
 * its struct xdp_frame lies there. */
#define XDP_FRAME_SIZE 40
#define XDP_MIN_PACKET 14       /* An Ethernet header. */

static inline struct dp_xdp *
xdp_cast(uint64_t r)
{
    return (struct dp_xdp *) (uintptr_t) r;
}

vm_helper_fn xdp_adjust_head, xdp_adjust_meta, xdp_adjust_tail;
vm_helper_fn xdp_get_buff_len, xdp_load_bytes, xdp_store_bytes;
vm_helper_fn xdp_csum_diff;
vm_helper_fn xdp_redirect, xdp_redirect_map, xdp_fib_lookup;
vm_helper_fn xdp_perf_event_output, xdp_trace_printk, xdp_trace_vprintk;

#endif /* datapath/xdp-private.h */
