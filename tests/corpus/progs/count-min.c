/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds heavy hitters with a count-min sketch: fourteen rows of 4096 counters,
 * each with a hash of its own; a flow whose least counter passes a threshold
 * is reported once and then dropped.  Its rows are code, not a loop.
 *
 * set: threshold 3
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.3 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define WIDTH 4096
#define ROWS 14

struct row {
    __u32 counter[WIDTH];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, ROWS);
    __type(key, __u32);
    __type(value, struct row);
} sketch SEC(".maps");

struct flow {
    __u32 src, dst, ports, proto;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct flow);
    __type(value, __u32);
} heavy SEC(".maps");

const volatile __u32 threshold = 100000;

#define XXROT(x, r) (((x) << (r)) | ((x) >> (32 - (r))))
#define P1 2654435761U
#define P2 2246822519U
#define P3 3266489917U
#define P4 668265263U
#define P5 374761393U

/* In the manner of xxHash32, on four words. */
static __always_inline __u32 hash_flow(const struct flow *f, __u32 seed)
{
    __u32 a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1, h;

    a = XXROT(a + f->src * P2, 13) * P1;
    b = XXROT(b + f->dst * P2, 13) * P1;
    c = XXROT(c + f->ports * P2, 13) * P1;
    d = XXROT(d + f->proto * P2, 13) * P1;
    h = XXROT(a, 1) + XXROT(b, 7) + XXROT(c, 12) + XXROT(d, 18);
    h += 16;
    h ^= h >> 15;
    h *= P2;
    h ^= h >> 13;
    h *= P3;
    return h ^ (h >> 16);
}

#define ROW(n)                                                          \
    do {                                                                \
        __u32 index = (n), slot;                                        \
        struct row *row = bpf_map_lookup_elem(&sketch, &index);         \
        if (!row)                                                       \
            return XDP_ABORTED;                                         \
        slot = hash_flow(&flow, (n) * P5 + P4) & (WIDTH - 1);           \
        __sync_fetch_and_add(&row->counter[slot], 1);                   \
        if (row->counter[slot] < least)                                 \
            least = row->counter[slot];                                 \
    } while (0)

SEC("xdp")
int heavy_hitters(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    struct iphdr *ip = (void *)(eth + 1);
    struct flow flow = {};
    __u32 least = ~0u, *known;

    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    flow.src = ip->saddr;
    flow.dst = ip->daddr;
    flow.proto = ip->protocol;
    if ((ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP)
        && ip->ihl == 5 && (void *)(ip + 1) + 4 <= end)
        flow.ports = *(__u32 *)(ip + 1);

    ROW(0); ROW(1); ROW(2); ROW(3); ROW(4); ROW(5); ROW(6);
    ROW(7); ROW(8); ROW(9); ROW(10); ROW(11); ROW(12); ROW(13);
    if (least < threshold)
        return XDP_PASS;
    known = bpf_map_lookup_elem(&heavy, &flow);
    if (known)
        *known += 1;
    else
        bpf_map_update_elem(&heavy, &flow, &least, BPF_NOEXIST);
    return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
