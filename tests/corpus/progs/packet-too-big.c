/* SPDX-License-Identifier: Apache-2.0
 *
 * Path MTU discovery in front of a tunnel: IPv4 packets that must not be
 * fragmented and are too large come back as ICMP "fragmentation needed" with
 * the start of the original, made in place by moving both ends of the packet.
 *
 * set: mtu 100
 * packet: eth / ip 10.0.0.1 10.0.0.2 frag=0x4000 id=7 / udp 1000 2000 / x 66 120
 * verdict: tx
 * output: eth 1 2 / ip 10.0.0.2 10.0.0.1 / icmp 3 4 0 100 / ip 10.0.0.1 10.0.0.2 frag=0x4000 id=7 len=148 proto=17 / hex 03e807d0 0080 57ac
 * packet: eth / ip 10.0.0.1 10.0.0.2 frag=0x4000 / udp 1000 2000 / x 66 60
 * verdict: pass
 * output: same
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 2000 / x 66 120
 * verdict: pass
 * output: same
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define QUOTE 28        /* the IP header and eight bytes */

struct icmp_error {
    __u8 type;
    __u8 code;
    __u16 checksum;
    __u16 unused;
    __u16 next_mtu;
};

const volatile __u32 mtu = 1400;

static __always_inline __u16 ones_complement(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)~sum;
}

static __always_inline __u32 sum_words(const __u16 *p, int n, __u32 sum)
{
#pragma unroll
    for (int i = 0; i < n; i++)
        sum += p[i];
    return sum;
}

static __always_inline int send_error(struct xdp_md *ctx)
{
    const int grow = sizeof(struct iphdr) + sizeof(struct icmp_error);
    long length = (long)ctx->data_end - (long)ctx->data;
    long target = sizeof(struct ethhdr) + QUOTE;

    /* First shorten, then make room at the front. */
    if (bpf_xdp_adjust_tail(ctx, (int)(target - length)))
        return XDP_DROP;
    if (bpf_xdp_adjust_head(ctx, -grow))
        return XDP_DROP;

    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data, *was = data + grow;
    struct iphdr *ip = data + sizeof *eth;
    struct icmp_error *icmp = (void *)(ip + 1);
    struct iphdr *quoted = (void *)(icmp + 1);

    if ((void *)quoted + QUOTE > end)
        return XDP_DROP;
    __u8 to[6], from[6];
    __builtin_memcpy(to, was->h_source, 6);
    __builtin_memcpy(from, was->h_dest, 6);
    __builtin_memcpy(eth->h_dest, to, 6);
    __builtin_memcpy(eth->h_source, from, 6);
    eth->h_proto = bpf_htons(ETH_P_IP);

    __builtin_memset(ip, 0, sizeof *ip);
    ip->version = 4;
    ip->ihl = 5;
    ip->ttl = 64;
    ip->protocol = IPPROTO_ICMP;
    ip->tot_len = bpf_htons(sizeof *ip + sizeof *icmp + QUOTE);
    ip->saddr = quoted->daddr;
    ip->daddr = quoted->saddr;
    ip->check = ones_complement(sum_words((__u16 *)ip, 10, 0));

    icmp->type = 3;
    icmp->code = 4;
    icmp->checksum = 0;
    icmp->unused = 0;
    icmp->next_mtu = bpf_htons(mtu);
    icmp->checksum = ones_complement(
        sum_words((__u16 *)icmp, (sizeof *icmp + QUOTE) / 2, 0));
    return XDP_TX;
}

SEC("xdp")
int too_big(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = data + sizeof *eth;

    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    if (ip->ihl != 5 || !(ip->frag_off & bpf_htons(0x4000)))
        return XDP_PASS;
    if (bpf_ntohs(ip->tot_len) <= mtu)
        return XDP_PASS;
    if ((void *)ip + QUOTE > end)
        return XDP_DROP;
    return send_error(ctx);
}

char _license[] SEC("license") = "GPL";
