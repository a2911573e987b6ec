/* SPDX-License-Identifier: Apache-2.0
 *
 * A firewall by prefixes: source and destination of IPv4 and IPv6 packets are
 * looked up in tries; the more specific one of the two decides, a tie drops.
 * Prefixes can be limited to a port range.
 *
 * map: v4 080000000a000000 => 0100 0000 ffff 0800
 * map: v4 200000000a000063 => 0000 0000 ffff 2000
 * map: v4 10000000c0a80000 => 0000 5000 5a00 1000
 * map: v6 2000000020010db8000000000000000000000000 => 0000 0000 ffff 2000
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.0.0.99 10.0.0.2 / udp 1 2
 * verdict: drop
 * packet: eth / ip 172.16.0.1 192.168.0.1 / tcp 1000 80
 * verdict: drop
 * packet: eth / ip 172.16.0.1 192.168.0.1 / tcp 1000 443
 * verdict: pass
 * packet: eth / ip6 2001:db8::7 fe80::1 / tcp 1000 443
 * verdict: drop
 * packet: eth / ip6 2001:db9::7 fe80::1 / tcp 1000 443
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct key4 {
    __u32 prefixlen;
    __be32 addr;
};

struct key6 {
    __u32 prefixlen;
    struct in6_addr addr;
};

struct policy {
    __u16 allow;
    __u16 port_min;
    __u16 port_max;
    __u16 length;       /* of the prefix: which one is more specific */
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 200000);
    __type(key, struct key4);
    __type(value, struct policy);
} v4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 200000);
    __type(key, struct key6);
    __type(value, struct policy);
} v6 SEC(".maps");

enum { DEFAULTED, ALLOWED, DENIED, N_OUTCOMES };
__u64 outcomes[N_OUTCOMES];

/* How much a policy has to say about a port: its prefix's length, and whether
 * it allows, or -1. */
static __always_inline int weight(const struct policy *p, int port)
{
    if (!p)
        return -1;
    if (port < p->port_min || port > p->port_max)
        return -1;
    return p->length * 2 + (p->allow ? 1 : 0);
}

static __always_inline int
judge(const struct policy *from, const struct policy *to, int port)
{
    int a = weight(from, port), b = weight(to, port);

    if (a < 0 && b < 0) {
        outcomes[DEFAULTED]++;
        return XDP_PASS;
    }
    /* Of equal lengths, denial is the smaller number. */
    _Bool allow = (a >> 1 == b >> 1 ? a & b : a > b ? a : b) & 1;
    if (allow)
        outcomes[ALLOWED]++;
    else
        outcomes[DENIED]++;
    return allow ? XDP_PASS : XDP_DROP;
}

static __always_inline int port_of(void *l4, void *end, __u8 proto)
{
    if (proto != IPPROTO_TCP && proto != IPPROTO_UDP
        && proto != IPPROTO_SCTP)
        return 0;
    if (l4 + 4 > end)
        return -1;
    return bpf_ntohs(*(__be16 *)(l4 + 2));
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    void *p = (void *)(long)ctx->data;
    struct ethhdr *eth = p;
    const struct policy *from, *to;
    int port;

    p += sizeof *eth;
    if (p > end)
        return XDP_DROP;
    switch (eth->h_proto) {
    case bpf_htons(ETH_P_IP): {
        struct iphdr *ip = p;
        struct key4 key = { .prefixlen = 32 };

        p += sizeof *ip;
        if (p > end)
            return XDP_DROP;
        port = port_of((void *)ip + (ip->ihl & 0xf) * 4, end, ip->protocol);
        if (port < 0)
            return XDP_DROP;
        key.addr = ip->saddr;
        from = bpf_map_lookup_elem(&v4, &key);
        key.addr = ip->daddr;
        to = bpf_map_lookup_elem(&v4, &key);
        return judge(from, to, port);
    }
    case bpf_htons(ETH_P_IPV6): {
        struct ipv6hdr *ip = p;
        struct key6 key = { .prefixlen = 128 };

        p += sizeof *ip;
        if (p > end)
            return XDP_DROP;
        port = port_of(p, end, ip->nexthdr);
        if (port < 0)
            return XDP_DROP;
        key.addr = ip->saddr;
        from = bpf_map_lookup_elem(&v6, &key);
        key.addr = ip->daddr;
        to = bpf_map_lookup_elem(&v6, &key);
        return judge(from, to, port);
    }
    default:
        return XDP_PASS;
    }
}

char _license[] SEC("license") = "GPL";
