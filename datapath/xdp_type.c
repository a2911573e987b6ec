/* SPDX-License-Identifier: Apache-2.0 */

/* The program type "xdp": its context, its helpers, its verdicts. */

#include "datapath/xdp-private.h"

#include <linux/bpf.h>
#include <string.h>

#include "vm/map.h"

/* struct xdp_md: six 32-bit members, three of which are pointers. */
#define POINTER(INDEX, NAME, KIND)                                            \
    { .name = #NAME, .off = INDEX * 4, .size = 4, .kind = KIND,               \
      .real_off = offsetof(struct dp_xdp, NAME),                              \
      .real_size = sizeof(uint8_t *) }
#define NUMBER(INDEX, NAME)                                                   \
    { .name = #NAME, .off = INDEX * 4, .size = 4, .kind = VM_CTX_SCALAR,      \
      .real_off = offsetof(struct dp_xdp, NAME),                              \
      .real_size = sizeof(uint32_t) }

static const struct vm_ctx_member members[] = {
    POINTER(0, data, VM_CTX_PKT_DATA),
    POINTER(1, data_end, VM_CTX_PKT_END),
    POINTER(2, data_meta, VM_CTX_PKT_META),
    NUMBER(3, ingress_ifindex),
    NUMBER(4, rx_queue_index),
    NUMBER(5, egress_ifindex),
};

#define HELPER(ID, NAME, FN, ...)                                             \
    { .id = BPF_FUNC_##ID, .name = NAME, .fn = FN, __VA_ARGS__ }
#define ARGS(...) .args = { __VA_ARGS__ }

static const struct vm_helper helpers[] = {
    HELPER(trace_printk, "trace_printk", xdp_trace_printk,
           ARGS(VM_ARG_MEM, VM_ARG_SIZE, VM_ARG_OPTIONAL, VM_ARG_OPTIONAL,
                VM_ARG_OPTIONAL)),
    HELPER(redirect, "redirect", xdp_redirect,
           ARGS(VM_ARG_ANY, VM_ARG_ANY)),
    HELPER(perf_event_output, "perf_event_output", xdp_perf_event_output,
           ARGS(VM_ARG_CTX, VM_ARG_MAP, VM_ARG_ANY, VM_ARG_MEM,
                VM_ARG_SIZE_OR_ZERO),
           .map_caps = VM_MAP_CAP_PERF),
    HELPER(csum_diff, "csum_diff", xdp_csum_diff,
           ARGS(VM_ARG_MEM_OR_NULL, VM_ARG_SIZE_OR_ZERO, VM_ARG_MEM_OR_NULL,
                VM_ARG_SIZE_OR_ZERO, VM_ARG_ANY)),
    HELPER(xdp_adjust_head, "xdp_adjust_head", xdp_adjust_head,
           ARGS(VM_ARG_CTX, VM_ARG_ANY), .flags = VM_HF_MOVES_PACKET),
    HELPER(redirect_map, "redirect_map", xdp_redirect_map,
           ARGS(VM_ARG_MAP, VM_ARG_ANY, VM_ARG_ANY),
           .map_caps = VM_MAP_CAP_REDIRECT),
    HELPER(xdp_adjust_meta, "xdp_adjust_meta", xdp_adjust_meta,
           ARGS(VM_ARG_CTX, VM_ARG_ANY), .flags = VM_HF_MOVES_PACKET),
    HELPER(xdp_adjust_tail, "xdp_adjust_tail", xdp_adjust_tail,
           ARGS(VM_ARG_CTX, VM_ARG_ANY), .flags = VM_HF_MOVES_PACKET),
    HELPER(fib_lookup, "fib_lookup", xdp_fib_lookup,
           ARGS(VM_ARG_CTX, VM_ARG_MEM, VM_ARG_SIZE, VM_ARG_ANY)),
    HELPER(trace_vprintk, "trace_vprintk", xdp_trace_vprintk,
           ARGS(VM_ARG_MEM, VM_ARG_SIZE, VM_ARG_MEM_OR_NULL,
                VM_ARG_SIZE_OR_ZERO)),
    HELPER(xdp_get_buff_len, "xdp_get_buff_len", xdp_get_buff_len,
           ARGS(VM_ARG_CTX), .ret_max = UINT32_MAX),
    HELPER(xdp_load_bytes, "xdp_load_bytes", xdp_load_bytes,
           ARGS(VM_ARG_CTX, VM_ARG_ANY, VM_ARG_MEM_OUT, VM_ARG_SIZE)),
    HELPER(xdp_store_bytes, "xdp_store_bytes", xdp_store_bytes,
           ARGS(VM_ARG_CTX, VM_ARG_ANY, VM_ARG_MEM, VM_ARG_SIZE),
           .flags = VM_HF_WRITES_PACKET),
};

const struct vm_helper_set dp_xdp_helpers = {
    helpers, sizeof helpers / sizeof helpers[0],
};

/* Ours first: perf_event_output is more than the VM's own. */
static const struct vm_helper_set *const sets[] = {
    &dp_xdp_helpers, &vm_helpers_base,
};

const struct vm_prog_type dp_xdp_type = {
    .name = "xdp",
    .ctx_size = 24,
    .members = members,
    .n_members = sizeof members / sizeof members[0],
    .helper_sets = sets,
    .n_helper_sets = sizeof sets / sizeof sets[0],
    .gen_off = VM_NO_GEN,
};

const char *
dp_xdp_verdict_name(uint64_t r0)
{
    static const char *const names[DP_XDP_N_VERDICTS] = {
        "aborted", "drop", "pass", "tx", "redirect",
    };

    return r0 < DP_XDP_N_VERDICTS ? names[r0] : "unknown";
}

void
dp_xdp_set_packet(struct dp_xdp *x, const void *packet, size_t size)
{
    x->data = x->data_meta = x->buffer + DP_XDP_HEADROOM;
    x->data_end = x->data + size;
    memcpy(x->data, packet, size);
}
