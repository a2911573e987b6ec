/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers ping for IPv4 and IPv6 at the driver: swaps addresses, changes the
 * type, and mends the checksum by the difference.
 *
 * packet: eth / ip 10.0.0.1 10.0.0.2 / icmp 8 0 17 3 / text abcdefgh
 * verdict: tx
 * output: eth 1 2 / ip 10.0.0.2 10.0.0.1 / icmp 0 0 17 3 / text abcdefgh
 * packet: eth / ip6 fe80::1 fe80::2 / icmp6 128 0 17 3 / text abcdefgh
 * verdict: tx
 * output: eth 1 2 / ip6 fe80::2 fe80::1 / icmp6 129 0 17 3 / text abcdefgh
 * packet: eth / vlan 9 / ip 10.0.0.1 10.0.0.2 / icmp 8 0 17 3 / text abcdefgh
 * verdict: tx
 * output: eth 1 2 / vlan 9 / ip 10.0.0.2 10.0.0.1 / icmp 0 0 17 3 / text abcdefgh
 * packet: eth / ip 10.0.0.1 10.0.0.2 / icmp 0 0 17 3
 * verdict: pass
 * packet: eth / ip6 fe80::1 ff02::1 / icmp6 128 0 17 3
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct icmphdr {        /* <linux/icmp.h> drags in the C library's. */
    __u8 type, code;
    __sum16 checksum;
    __be16 id, sequence;
};
enum { ICMP_ECHOREPLY = 0, ICMP_ECHO = 8 };

#define SWAP(a, b) do { __typeof__(a) t = (a); (a) = (b); (b) = t; } while (0)

static void swap_mac(struct ethhdr *eth)
{
    for (int i = 0; i < ETH_ALEN; i++)
        SWAP(eth->h_dest[i], eth->h_source[i]);
}

// Replaces a 16-bit word under a ones' complement sum.
static __u16 update(__u16 sum, __u16 from, __u16 to)
{
    __u32 s = (__u16)~sum + (__u32)(__u16)~from + to;
    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    return ~s;
}

static int answer4(struct ethhdr *eth, struct iphdr *ip, void *end)
{
    if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_ICMP)
        return XDP_PASS;
    if (ip->ihl < 5 || (ip->frag_off & bpf_htons(0x3fff)))
        return XDP_PASS;
    struct icmphdr *icmp = (void *)ip + (__u32)ip->ihl * 4;
    if ((void *)(icmp + 1) > end)
        return XDP_PASS;
    if (icmp->type != ICMP_ECHO || icmp->code != 0)
        return XDP_PASS;
    if (((bpf_ntohl(ip->daddr) >> 28) == 14) || ip->daddr == 0xffffffff)
        return XDP_PASS;
    icmp->checksum = update(icmp->checksum, bpf_htons(ICMP_ECHO << 8),
                            bpf_htons(ICMP_ECHOREPLY << 8));
    icmp->type = ICMP_ECHOREPLY;
    SWAP(ip->saddr, ip->daddr);
    swap_mac(eth);
    return XDP_TX;
}

static int answer6(struct ethhdr *eth, struct ipv6hdr *ip, void *end)
{
    struct icmp6hdr *icmp = (void *)(ip + 1);
    if ((void *)(icmp + 1) > end || ip->nexthdr != IPPROTO_ICMPV6)
        return XDP_PASS;
    if (icmp->icmp6_type != ICMPV6_ECHO_REQUEST || icmp->icmp6_code)
        return XDP_PASS;
    if (ip->daddr.in6_u.u6_addr8[0] == 0xff)
        return XDP_PASS;
    icmp->icmp6_cksum = update(icmp->icmp6_cksum,
                               bpf_htons(ICMPV6_ECHO_REQUEST << 8),
                               bpf_htons(ICMPV6_ECHO_REPLY << 8));
    icmp->icmp6_type = ICMPV6_ECHO_REPLY;
    SWAP(ip->saddr, ip->daddr);
    swap_mac(eth);
    return XDP_TX;
}

SEC("xdp")
int echo(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    void *next = eth + 1;
    if (next > end)
        return XDP_PASS;
    __u16 proto = eth->h_proto;
    if (proto == bpf_htons(ETH_P_8021Q)) {
        __u16 *tag = next;
        if ((void *)(tag + 2) > end)
            return XDP_PASS;
        proto = tag[1];
        next = tag + 2;
    }
    if (proto == bpf_htons(ETH_P_IP))
        return answer4(eth, next, end);
    if (proto == bpf_htons(ETH_P_IPV6))
        return answer6(eth, next, end);
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
