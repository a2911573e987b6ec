/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/bpf-xdp.h"

#include <errno.h>
#include <string.h>

#include "vm/map.h"
#include "vm/maps/ringbuf.h"

/* struct xdp_md: six 32-bit members, three of which are pointers. */
#define POINTER(INDEX, NAME, KIND)                                            \
    { .name = #NAME, .off = INDEX * 4, .size = 4, .kind = KIND,               \
      .real_off = offsetof(struct bpf_xdp, NAME),                             \
      .real_size = sizeof(uint8_t *) }
#define NUMBER(INDEX, NAME)                                                   \
    { .name = #NAME, .off = INDEX * 4, .size = 4, .kind = VM_CTX_SCALAR,      \
      .real_off = offsetof(struct bpf_xdp, NAME),                             \
      .real_size = sizeof(uint32_t) }

static const struct vm_ctx_member members[] = {
    POINTER(0, data, VM_CTX_PKT_DATA),
    POINTER(1, data_end, VM_CTX_PKT_END),
    POINTER(2, data_meta, VM_CTX_PKT_META),
    NUMBER(3, ingress_ifindex),
    NUMBER(4, rx_queue_index),
    NUMBER(5, egress_ifindex),
};

static struct bpf_xdp *
xdp_of(uint64_t r)
{
    return (struct bpf_xdp *) (uintptr_t) r;
}

static uint64_t
xdp_adjust_head(uint64_t ctx, uint64_t delta, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    struct bpf_xdp *x = xdp_of(ctx);
    int64_t to = x->data - x->buffer + (int32_t) delta;
    int64_t meta_size = x->data - x->data_meta;

    /* An Ethernet header must remain. */
    if (to < meta_size || to > x->data_end - x->buffer - 14) {
        return (int64_t) -EINVAL;
    }
    memmove(x->buffer + to - meta_size, x->data_meta, meta_size);
    x->data = x->buffer + to;
    x->data_meta = x->data - meta_size;
    return 0;
}

static uint64_t
xdp_adjust_meta(uint64_t ctx, uint64_t delta, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    struct bpf_xdp *x = xdp_of(ctx);
    int64_t to = x->data_meta - x->buffer + (int32_t) delta;
    int64_t size = x->data - x->buffer - to;

    if (to < 0 || size < 0 || size > 32 || size % 4) {
        return (int64_t) -EINVAL;
    }
    x->data_meta = x->buffer + to;
    return 0;
}

static uint64_t
xdp_adjust_tail(uint64_t ctx, uint64_t delta, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    struct bpf_xdp *x = xdp_of(ctx);
    int64_t to = x->data_end - x->buffer + (int32_t) delta;

    if (to > (int64_t) sizeof x->buffer || to < x->data - x->buffer + 14) {
        return (int64_t) -EINVAL;
    }
    if ((int32_t) delta > 0) {
        memset(x->data_end, 0, (int32_t) delta);
    }
    x->data_end = x->buffer + to;
    return 0;
}

static uint64_t
xdp_get_buff_len(uint64_t ctx, uint64_t r2, uint64_t r3, uint64_t r4,
                 uint64_t r5)
{
    return xdp_of(ctx)->data_end - xdp_of(ctx)->data;
}

/* Whether [off, off + len) lies in the packet. */
static bool
in_packet(const struct bpf_xdp *x, uint32_t off, uint32_t len)
{
    size_t size = x->data_end - x->data;

    return off <= size && len <= size - off;
}

static uint64_t
xdp_load_bytes(uint64_t ctx, uint64_t off, uint64_t to, uint64_t len,
               uint64_t r5)
{
    struct bpf_xdp *x = xdp_of(ctx);

    if (!in_packet(x, off, len)) {
        return (int64_t) -EINVAL;
    }
    memcpy((void *) (uintptr_t) to, x->data + (uint32_t) off, (uint32_t) len);
    return 0;
}

static uint64_t
xdp_store_bytes(uint64_t ctx, uint64_t off, uint64_t from, uint64_t len,
                uint64_t r5)
{
    struct bpf_xdp *x = xdp_of(ctx);

    if (!in_packet(x, off, len)) {
        return (int64_t) -EINVAL;
    }
    memcpy(x->data + (uint32_t) off, (const void *) (uintptr_t) from,
           (uint32_t) len);
    return 0;
}

/* Sum of the 32-bit words of 'p', as Linux's csum_partial() folds it. */
static uint64_t
sum_words(uint64_t sum, uint64_t p, uint64_t size, uint32_t flip)
{
    for (uint64_t i = 0; i < size; i += 4) {
        uint32_t word;

        memcpy(&word, (const uint8_t *) (uintptr_t) p + i, sizeof word);
        sum += word ^ flip;
    }
    return sum;
}

static uint64_t
csum_diff(uint64_t from, uint64_t from_size, uint64_t to, uint64_t to_size,
          uint64_t seed)
{
    if ((from_size | to_size) % 4 || from_size > 512 || to_size > 512) {
        return (int64_t) -EINVAL;
    }

    uint64_t sum = sum_words((uint32_t) seed, from, from_size, UINT32_MAX);
    sum = sum_words(sum, to, to_size, 0);
    while (sum >> 32) {
        sum = (uint32_t) sum + (sum >> 32);
    }
    /* Folded to 16 bits, as since Linux 6.13 on every machine. */
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

static uint64_t
redirect(uint64_t ifindex, uint64_t flags, uint64_t r3, uint64_t r4,
         uint64_t r5)
{
    return flags ? BPF_XDP_ABORTED : BPF_XDP_REDIRECT;
}

static uint64_t
redirect_map(uint64_t map_, uint64_t key_, uint64_t flags, uint64_t r4,
             uint64_t r5)
{
    struct vm_map *map = (struct vm_map *) (uintptr_t) map_;
    uint32_t key = key_;

    /* The low bits say what to do when there is no such entry. */
    if (flags & ~UINT64_C(0x1b)) {
        return BPF_XDP_ABORTED;
    }
    return vm_map_lookup(map, &key) || flags & 8 ? BPF_XDP_REDIRECT
                                                 : flags & 3;
}

/* BPF_FIB_LKUP_RET_NOT_FWDED: the answer of a host that does not route. */
static uint64_t
fib_lookup(uint64_t ctx, uint64_t params, uint64_t size, uint64_t flags,
           uint64_t r5)
{
    return size < 64 ? (uint64_t) (int64_t) -EINVAL : 4;
}

static uint64_t
perf_event_output(uint64_t ctx, uint64_t map, uint64_t flags, uint64_t data,
                  uint64_t size)
{
    const struct bpf_xdp *x = xdp_of(ctx);
    const struct vm_perf_record record = {
        .data = (const void *) (uintptr_t) data,
        .size = size,
        .extra = x->data,
        .extra_size = flags >> 32 & 0xfffff,
    };

    if (flags >> 52 || record.extra_size > (size_t) (x->data_end - x->data)) {
        return (int64_t) (flags >> 52 ? -EINVAL : -EFAULT);
    }
    return (int64_t) vm_perf_output((struct vm_map *) (uintptr_t) map,
                                    (uint32_t) flags, &record);
}

/* What programs print is not shown: 0 characters were written. */
static uint64_t
trace_printk(uint64_t format, uint64_t size, uint64_t r3, uint64_t r4,
             uint64_t r5)
{
    return 0;
}

static const struct vm_helper helpers[] = {
    {
        .id = 6, .name = "trace_printk", .fn = trace_printk,
        .args = { VM_ARG_MEM, VM_ARG_SIZE },
    }, {
        .id = 23, .name = "redirect", .fn = redirect,
        .args = { VM_ARG_ANY, VM_ARG_ANY },
    }, {
        .id = 25, .name = "perf_event_output", .fn = perf_event_output,
        .args = { VM_ARG_CTX, VM_ARG_MAP, VM_ARG_ANY, VM_ARG_MEM,
                  VM_ARG_SIZE_OR_ZERO },
        .map_caps = VM_MAP_CAP_PERF,
    }, {
        .id = 28, .name = "csum_diff", .fn = csum_diff,
        .args = { VM_ARG_MEM_OR_NULL, VM_ARG_SIZE_OR_ZERO,
                  VM_ARG_MEM_OR_NULL, VM_ARG_SIZE_OR_ZERO, VM_ARG_ANY },
    }, {
        .id = 44, .name = "xdp_adjust_head", .fn = xdp_adjust_head,
        .args = { VM_ARG_CTX, VM_ARG_ANY }, .flags = VM_HF_MOVES_PACKET,
    }, {
        .id = 51, .name = "redirect_map", .fn = redirect_map,
        .args = { VM_ARG_MAP, VM_ARG_ANY, VM_ARG_ANY },
        .map_caps = VM_MAP_CAP_REDIRECT,
    }, {
        .id = 54, .name = "xdp_adjust_meta", .fn = xdp_adjust_meta,
        .args = { VM_ARG_CTX, VM_ARG_ANY }, .flags = VM_HF_MOVES_PACKET,
    }, {
        .id = 65, .name = "xdp_adjust_tail", .fn = xdp_adjust_tail,
        .args = { VM_ARG_CTX, VM_ARG_ANY }, .flags = VM_HF_MOVES_PACKET,
    }, {
        .id = 69, .name = "fib_lookup", .fn = fib_lookup,
        .args = { VM_ARG_CTX, VM_ARG_MEM, VM_ARG_SIZE, VM_ARG_ANY },
    }, {
        .id = 188, .name = "xdp_get_buff_len", .fn = xdp_get_buff_len,
        .args = { VM_ARG_CTX }, .ret_max = UINT32_MAX,
    }, {
        .id = 189, .name = "xdp_load_bytes", .fn = xdp_load_bytes,
        .args = { VM_ARG_CTX, VM_ARG_ANY, VM_ARG_MEM_OUT, VM_ARG_SIZE },
    }, {
        .id = 190, .name = "xdp_store_bytes", .fn = xdp_store_bytes,
        .args = { VM_ARG_CTX, VM_ARG_ANY, VM_ARG_MEM, VM_ARG_SIZE },
        .flags = VM_HF_WRITES_PACKET,
    },
};

static const struct vm_helper_set xdp_helpers = {
    helpers, sizeof helpers / sizeof helpers[0],
};

/* Ours first: perf_event_output is more than the VM's own. */
static const struct vm_helper_set *const sets[] = {
    &xdp_helpers, &vm_helpers_base,
};

const struct vm_prog_type bpf_xdp_type = {
    .name = "xdp",
    .ctx_size = 24,
    .members = members,
    .n_members = sizeof members / sizeof members[0],
    .helper_sets = sets,
    .n_helper_sets = sizeof sets / sizeof sets[0],
    .gen_off = VM_NO_GEN,
};

const char *
bpf_xdp_verdict_name(uint64_t r0)
{
    static const char *const names[BPF_XDP_N_VERDICTS] = {
        "aborted", "drop", "pass", "tx", "redirect",
    };

    return r0 < BPF_XDP_N_VERDICTS ? names[r0] : "unknown";
}

void
bpf_xdp_set_packet(struct bpf_xdp *x, const void *packet, size_t size)
{
    x->data = x->data_meta = x->buffer + BPF_XDP_HEADROOM;
    x->data_end = x->data + size;
    memcpy(x->data, packet, size);
}
