/* SPDX-License-Identifier: Apache-2.0 */

/* XDP programs that bench-jit runs here and in Linux, from the same object. */

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct headers {
    struct ethhdr *eth;
    struct iphdr *ip;
    struct udphdr *udp;
};

struct tuple {
    __u32 src, dst;
    __u16 sport, dport;
    __u32 proto;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct tuple);
    __type(value, __u64);
} flows SEC(".maps");

struct prefix {
    __u32 length, addr;
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, 1024);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct prefix);
    __type(value, __u64);
} routes SEC(".maps");

struct backend {
    __u32 addr;
    __u8 mac[6];
    __u16 pad;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, struct backend);
} backends SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

static __always_inline bool
parse(struct xdp_md *ctx, struct headers *h)
{
    void *data = (void *) (long) ctx->data;
    void *end = (void *) (long) ctx->data_end;

    h->eth = data;
    h->ip = data + sizeof *h->eth;
    h->udp = data + sizeof *h->eth + sizeof *h->ip;
    return (void *) (h->udp + 1) <= end
           && h->eth->h_proto == bpf_htons(ETH_P_IP) && h->ip->ihl == 5
           && h->ip->protocol == IPPROTO_UDP;
}

static __always_inline void
count(__u32 which)
{
    __u64 *n = bpf_map_lookup_elem(&counters, &which);

    if (n) {
        ++*n;
    }
}

SEC("xdp")
int
empty(struct xdp_md *ctx)
{
    return XDP_DROP;
}

SEC("xdp")
int
parse_drop(struct xdp_md *ctx)
{
    struct headers h;

    return parse(ctx, &h) && h.udp->dest == bpf_htons(4789) && h.ip->ttl > 1
           ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int
hash_5tuple(struct xdp_md *ctx)
{
    struct headers h;
    struct tuple t;
    __u64 *n;

    if (!parse(ctx, &h)) {
        return XDP_PASS;
    }
    t.src = h.ip->saddr;
    t.dst = h.ip->daddr;
    t.sport = h.udp->source;
    t.dport = h.udp->dest;
    t.proto = h.ip->protocol;
    n = bpf_map_lookup_elem(&flows, &t);
    if (n) {
        ++*n;
        return XDP_DROP;
    }
    return XDP_PASS;
}

SEC("xdp")
int
lpm(struct xdp_md *ctx)
{
    struct headers h;
    struct prefix p;
    __u64 *n;

    if (!parse(ctx, &h)) {
        return XDP_PASS;
    }
    p.length = 32;
    p.addr = h.ip->daddr;
    n = bpf_map_lookup_elem(&routes, &p);
    return n && *n ? XDP_DROP : XDP_PASS;
}

static __always_inline __u16
fold(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

SEC("xdp")
int
load_balancer(struct xdp_md *ctx)
{
    struct headers h;
    struct backend *b;
    struct tuple t;
    __u64 *n;
    __u32 i;

    count(0);
    if (!parse(ctx, &h)) {
        return XDP_PASS;
    }
    t.src = h.ip->saddr;
    t.dst = h.ip->daddr;
    t.sport = h.udp->source;
    t.dport = h.udp->dest;
    t.proto = h.ip->protocol;
    n = bpf_map_lookup_elem(&flows, &t);
    i = n ? *n & 255 : (t.src ^ t.sport) & 255;
    b = bpf_map_lookup_elem(&backends, &i);
    if (!b) {
        count(1);
        return XDP_ABORTED;
    }
    __builtin_memcpy(h.eth->h_dest, b->mac, 6);
    h.eth->h_source[5] ^= 1;
    count(2);
    return XDP_TX;
}

SEC("xdp")
int
checksum_rewrite(struct xdp_md *ctx)
{
    struct headers h;
    __u16 *word;
    __u32 sum = 0;

    if (!parse(ctx, &h)) {
        return XDP_PASS;
    }
    /* Whole words, so that what is measured is not how a processor gets at
     * bytes that it has just stored. */
    word = (__u16 *) &h.ip->ttl;
    *word = (*word & 0xff) == 1 ? *word + 63 : *word - 1;
    h.ip->saddr ^= bpf_htonl(1);
    h.ip->check = 0;
    word = (__u16 *) h.ip;
#pragma unroll
    for (int i = 0; i < 10; i++) {
        sum += word[i];
    }
    h.ip->check = fold(sum);
    return XDP_TX;
}

#define STAGE(N) int stage##N(struct xdp_md *ctx)
STAGE(1);
STAGE(2);
STAGE(3);
STAGE(4);
STAGE(5);
STAGE(6);
STAGE(7);
STAGE(8);
STAGE(9);
STAGE(10);
STAGE(11);
STAGE(12);
STAGE(13);
STAGE(14);
STAGE(15);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 16);
    __uint(key_size, 4);
    __array(values, int (struct xdp_md *));
} stages SEC(".maps") = {
    .values = {
        [1] = (void *) &stage1, [2] = (void *) &stage2,
        [3] = (void *) &stage3, [4] = (void *) &stage4,
        [5] = (void *) &stage5, [6] = (void *) &stage6,
        [7] = (void *) &stage7, [8] = (void *) &stage8,
        [9] = (void *) &stage9, [10] = (void *) &stage10,
        [11] = (void *) &stage11, [12] = (void *) &stage12,
        [13] = (void *) &stage13, [14] = (void *) &stage14,
        [15] = (void *) &stage15,
    },
};

#define CHAIN(NAME, NEXT)                       \
    SEC("xdp")                                  \
    int NAME(struct xdp_md *ctx)                \
    {                                           \
        bpf_tail_call_static(ctx, &stages, NEXT); \
        return XDP_ABORTED;                     \
    }
CHAIN(stage1, 2)
CHAIN(stage2, 3)
CHAIN(stage3, 4)
CHAIN(stage4, 5)
CHAIN(stage5, 6)
CHAIN(stage6, 7)
CHAIN(stage7, 8)
CHAIN(stage8, 9)
CHAIN(stage9, 10)
CHAIN(stage10, 11)
CHAIN(stage11, 12)
CHAIN(stage12, 13)
CHAIN(stage13, 14)
CHAIN(stage14, 15)
CHAIN(tail_chain, 1)

SEC("xdp")
int
stage15(struct xdp_md *ctx)
{
    return XDP_DROP;
}

/* The same chain with work in each stage: headers are parsed, the header's
 * checksum is taken and kept, as the stage's own: stages do not wait for each
 * other, so that what is measured is not how a processor forwards stores. */
static __u32 sums[17];

#define WORK(N) int work##N(struct xdp_md *ctx)
WORK(1);
WORK(2);
WORK(3);
WORK(4);
WORK(5);
WORK(6);
WORK(7);
WORK(8);
WORK(9);
WORK(10);
WORK(11);
WORK(12);
WORK(13);
WORK(14);
WORK(15);

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 16);
    __uint(key_size, 4);
    __array(values, int (struct xdp_md *));
} works SEC(".maps") = {
    .values = {
        [1] = (void *) &work1, [2] = (void *) &work2,
        [3] = (void *) &work3, [4] = (void *) &work4,
        [5] = (void *) &work5, [6] = (void *) &work6,
        [7] = (void *) &work7, [8] = (void *) &work8,
        [9] = (void *) &work9, [10] = (void *) &work10,
        [11] = (void *) &work11, [12] = (void *) &work12,
        [13] = (void *) &work13, [14] = (void *) &work14,
        [15] = (void *) &work15,
    },
};

static __always_inline bool
work(struct xdp_md *ctx, int stage)
{
    struct headers h;
    __u32 sum = 0;
    __u16 *word;

    if (!parse(ctx, &h)) {
        return false;
    }
    word = (__u16 *) h.ip;
#pragma unroll
    for (int i = 0; i < 10; i++) {
        sum += word[i];
    }
    sums[stage] = fold(sum);
    return true;
}

#define WORK_CHAIN(NAME, NEXT)                  \
    SEC("xdp")                                  \
    int NAME(struct xdp_md *ctx)                \
    {                                           \
        if (!work(ctx, NEXT)) {                 \
            return XDP_PASS;                    \
        }                                       \
        bpf_tail_call_static(ctx, &works, NEXT); \
        return XDP_ABORTED;                     \
    }
WORK_CHAIN(work1, 2)
WORK_CHAIN(work2, 3)
WORK_CHAIN(work3, 4)
WORK_CHAIN(work4, 5)
WORK_CHAIN(work5, 6)
WORK_CHAIN(work6, 7)
WORK_CHAIN(work7, 8)
WORK_CHAIN(work8, 9)
WORK_CHAIN(work9, 10)
WORK_CHAIN(work10, 11)
WORK_CHAIN(work11, 12)
WORK_CHAIN(work12, 13)
WORK_CHAIN(work13, 14)
WORK_CHAIN(work14, 15)
WORK_CHAIN(work_chain, 1)

SEC("xdp")
int
work15(struct xdp_md *ctx)
{
    return work(ctx, 16) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
