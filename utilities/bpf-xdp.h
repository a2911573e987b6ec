/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UTILITIES_BPF_XDP_H
#define UTILITIES_BPF_XDP_H 1

/* XDP programs without a device: the program type of `bvs-bpf`.
 *
 * What: programs see struct xdp_md as Linux shows it; a run's packet lies in
 * a `struct bpf_xdp`, with room before and after it, as in a driver's
 * buffer.  Helpers have Linux's numbers, flags and errors; what asks the
 * kernel's routing tables answers that it does not know.
 *
 * Threads: a struct bpf_xdp belongs to one thread. */

#include <stddef.h>
#include <stdint.h>

#include "vm/type.h"

extern const struct vm_prog_type bpf_xdp_type;

/* Linux's verdicts. */
enum bpf_xdp_verdict {
    BPF_XDP_ABORTED, BPF_XDP_DROP, BPF_XDP_PASS, BPF_XDP_TX,
    BPF_XDP_REDIRECT, BPF_XDP_N_VERDICTS
};
const char *bpf_xdp_verdict_name(uint64_t r0);

#define BPF_XDP_HEADROOM 256
#define BPF_XDP_MAX_PACKET 65536
#define BPF_XDP_TAILROOM 512

/* The context, as programs' loads are translated to. */
struct bpf_xdp {
    uint8_t *data;
    uint8_t *data_end;
    uint8_t *data_meta;
    uint32_t ingress_ifindex;
    uint32_t rx_queue_index;
    uint32_t egress_ifindex;
    uint32_t redirect_to;       /* Index or key of the last redirect. */
    uint8_t buffer[BPF_XDP_HEADROOM + BPF_XDP_MAX_PACKET + BPF_XDP_TAILROOM];
};

/* Puts a packet of 'size' bytes (BPF_XDP_MAX_PACKET at most) in place. */
void bpf_xdp_set_packet(struct bpf_xdp *, const void *packet, size_t size);

#endif /* utilities/bpf-xdp.h */
