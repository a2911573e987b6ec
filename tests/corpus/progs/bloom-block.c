/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks sources that a Bloom filter in an array has, after a second look in
 * an exact table that only the filter's hits pay for.
 *
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip6 fe80::1 fe80::2 / udp 1 2
 * verdict: pass
 * packet: eth / hex 00
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define N_WORDS 16384
#define N_HASHES 5

struct address {
    __u64 high, low;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, N_WORDS);
    __type(key, __u32);
    __type(value, __u64);
} filter SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 100000);
    __type(key, struct address);
    __type(value, __u64);
} exact SEC(".maps");

__u64 n_maybe, n_false;

static __always_inline __u64 mix(__u64 x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static __always_inline int maybe_blocked(const struct address *a)
{
    __u64 h1 = mix(a->low ^ 0x9e3779b97f4a7c15ull), h2 = mix(a->high + h1);

    h2 |= 1;
#pragma unroll
    for (int i = 0; i < N_HASHES; i++) {
        __u64 bit = h1 + i * h2, *word;
        __u32 index = bit >> 6 & (N_WORDS - 1);

        word = bpf_map_lookup_elem(&filter, &index);
        if (!word || !(*word >> (bit & 63) & 1)) {
            return 0;
        }
    }
    return 1;
}

SEC("xdp")
int block(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    struct address a = { 0, 0 };
    __u64 *hits;

    if ((void *)(eth + 1) > end) {
        return XDP_DROP;
    }
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = (void *)(eth + 1);

        if ((void *)(ip + 1) > end) {
            return XDP_DROP;
        }
        a.low = ip->saddr;
    } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr *ip = (void *)(eth + 1);

        if ((void *)(ip + 1) > end) {
            return XDP_DROP;
        }
        __builtin_memcpy(&a, &ip->saddr, sizeof a);
    } else {
        return end - (void *)eth < 20 ? XDP_DROP : XDP_PASS;
    }
    if (!maybe_blocked(&a)) {
        return XDP_PASS;
    }
    n_maybe++;
    hits = bpf_map_lookup_elem(&exact, &a);
    if (!hits) {
        n_false++;
        return XDP_PASS;
    }
    __sync_fetch_and_add(hits, 1);
    return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
