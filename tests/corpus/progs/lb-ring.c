/* SPDX-License-Identifier: Apache-2.0
 *
 * A layer 4 load balancer.  A service (address, port, protocol) leads to its
 * own ring of backends, an inner map; a flow keeps the backend that it got
 * first (LRU); packets go out in an IPIP tunnel to the backend.
 *
 * inner: services 0a0000640050 0600 => ring_a
 * inner: services 0a0000650035 1100 => ring_b
 * map: ring_a 00000000 => c0a80101 02000000aa01
 * map: ring_a 01000000 => c0a80101 02000000aa01
 * map: ring_a 02000000 => c0a80101 02000000aa01
 * map: ring_a 03000000 => c0a80101 02000000aa01
 * packet: eth / ip 10.0.0.1 10.0.0.100 / tcp 1000 80 flags=S
 * verdict: tx
 * output: eth 02:00:00:00:aa:01 2 / ip 10.0.0.100 192.168.1.1 / ip 10.0.0.1 10.0.0.100 / tcp 1000 80 flags=S
 * packet: eth / ip 10.0.0.1 10.0.0.100 / tcp 1000 80 flags=A / text more
 * verdict: tx
 * packet: eth / ip 10.0.0.1 10.0.0.101 / udp 1000 53
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.100 / tcp 1000 81 flags=S
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.100 frag=0x2000 / tcp 1000 80
 * verdict: pass
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define RING_SIZE 4

typedef struct {
    __be32 addr;
    __be16 port;
    __u8 proto;
    __u8 pad;
} service_key;

typedef struct {
    __be32 addr;
    __u8 mac[6];
} __attribute__((packed)) backend;

typedef struct {
    __be32 src, dst;
    __be16 sport, dport;
    __u32 proto;
} flow_key;

struct ring {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, RING_SIZE);
    __type(key, __u32);
    __type(value, backend);
} ring_a SEC(".maps"), ring_b SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
    __uint(max_entries, 64);
    __type(key, service_key);
    __array(values, struct ring);
} services SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, flow_key);
    __type(value, backend);
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

enum { COUNT_OLD, COUNT_NEW, COUNT_NO_BACKEND, COUNT_NO_ROOM };

static __always_inline void bump(__u32 what)
{
    __u64 *n = bpf_map_lookup_elem(&counts, &what);

    if (n)
        __sync_fetch_and_add(n, 1);
}

/* Bob Jenkins' final mix, written from the description in his article. */
static __always_inline __u32 mix(__u32 a, __u32 b, __u32 c)
{
#define ROT(x, k) (((x) << (k)) | ((x) >> (32 - (k))))
    c ^= b; c -= ROT(b, 14);
    a ^= c; a -= ROT(c, 11);
    b ^= a; b -= ROT(a, 25);
    c ^= b; c -= ROT(b, 16);
    a ^= c; a -= ROT(c, 4);
    b ^= a; b -= ROT(a, 14);
    c ^= b; c -= ROT(b, 24);
#undef ROT
    return c;
}

static __always_inline bool choose(const flow_key *flow, void *ring,
                                   backend *to)
{
    backend *known = bpf_map_lookup_elem(&flows, flow);
    __u32 slot;

    if (known) {
        *to = *known;
        bump(COUNT_OLD);
        return true;
    }
    slot = mix(flow->src, flow->sport | (__u32)flow->dport << 16,
               flow->dst) % RING_SIZE;
    known = bpf_map_lookup_elem(ring, &slot);
    if (!known || !known->addr) {
        bump(COUNT_NO_BACKEND);
        return false;
    }
    *to = *known;
    bpf_map_update_elem(&flows, flow, to, BPF_ANY);
    bump(COUNT_NEW);
    return true;
}

static __always_inline void sum_header(struct iphdr *ip)
{
    __u16 *words = (__u16 *)ip;
    __u32 sum = 0;

    ip->check = 0;
#pragma unroll
    for (int i = 0; i < 10; i++)
        sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    ip->check = ~sum;
}

static __always_inline int encapsulate(struct xdp_md *ctx, const backend *to)
{
    void *data, *end;
    struct ethhdr *eth, *old;
    struct iphdr *outer, *inner;
    __u16 len;

    if (bpf_xdp_adjust_head(ctx, -(int)sizeof *outer)) {
        bump(COUNT_NO_ROOM);
        return XDP_DROP;
    }
    data = (void *)(long)ctx->data;
    end = (void *)(long)ctx->data_end;
    eth = data;
    outer = (void *)(eth + 1);
    old = data + sizeof *outer;
    inner = (void *)(outer + 1);
    if ((void *)(inner + 1) > end)
        return XDP_DROP;
    __builtin_memcpy(eth->h_source, old->h_dest, ETH_ALEN);
    __builtin_memcpy(eth->h_dest, to->mac, ETH_ALEN);
    eth->h_proto = bpf_htons(ETH_P_IP);

    len = bpf_ntohs(inner->tot_len) + sizeof *outer;
    outer->version = 4;
    outer->ihl = 5;
    outer->tos = inner->tos;
    outer->tot_len = bpf_htons(len);
    outer->id = 0;
    outer->frag_off = 0;
    outer->ttl = 64;
    outer->protocol = IPPROTO_IPIP;
    outer->saddr = inner->daddr;
    outer->daddr = to->addr;
    sum_header(outer);
    return XDP_TX;
}

SEC("xdp")
int balance(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *ports = (void *)(ip + 1);    /* TCP begins alike. */
    service_key service = {};
    flow_key flow = {};
    backend to;
    void *ring;

    if ((void *)(ports + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    if (ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
        return XDP_PASS;
    if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
        return XDP_PASS;
    service.addr = ip->daddr;
    service.port = ports->dest;
    service.proto = ip->protocol;
    ring = bpf_map_lookup_elem(&services, &service);
    if (!ring)
        return XDP_PASS;
    flow.src = ip->saddr;
    flow.dst = ip->daddr;
    flow.sport = ports->source;
    flow.dport = ports->dest;
    flow.proto = ip->protocol;
    if (!choose(&flow, ring, &to))
        return XDP_DROP;
    return encapsulate(ctx, &to);
}

char _license[] SEC("license") = "GPL";
