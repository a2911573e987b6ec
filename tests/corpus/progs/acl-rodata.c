/* SPDX-License-Identifier: Apache-2.0
 *
 * An access list that lives in read-only data: the loader fills a table of
 * rules before load; the first rule that fits decides.  Unused features
 * disappear from the program.
 *
 * set: n_rules 2
 * set: want_ipv6 0
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 22 flags=S
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 11211
 * verdict: drop
 * packet: eth / ip6 fe80::1 fe80::2 / tcp 1000 22
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_RULES 16

struct rule {
    __u32 src, src_mask;        /* network order */
    __u32 dst, dst_mask;
    __u16 port_min, port_max;   /* destination, host order */
    __u8 proto;                 /* 0: any */
    __u8 action;
    __u8 log;
    __u8 reserved;
};

const volatile struct rule rules[MAX_RULES] = {
    { .proto = IPPROTO_TCP, .port_min = 22, .port_max = 23,
      .action = XDP_DROP, .log = 1 },
    { .proto = IPPROTO_UDP, .port_min = 11211, .port_max = 11211,
      .action = XDP_DROP },
    { .port_max = 0xffff, .action = XDP_ABORTED },
};
const volatile __u32 n_rules = 3;
const volatile __u32 want_ipv6 = 1;
const volatile __u32 default_action = XDP_PASS;

__u64 hits[MAX_RULES];
__u64 misses;
__u32 last_logged_source;

struct facts {
    __u32 src, dst;
    __u16 port;
    __u8 proto;
};

static __always_inline _Bool
fits(const volatile struct rule *r, const struct facts *f)
{
    if (r->proto && r->proto != f->proto) {
        return 0;
    }
    if ((f->src ^ r->src) & r->src_mask) {
        return 0;
    }
    if ((f->dst ^ r->dst) & r->dst_mask) {
        return 0;
    }
    return f->port >= r->port_min && f->port <= r->port_max;
}

static __always_inline int
gather(struct xdp_md *ctx, struct facts *f)
{
    void *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = p;
    struct udphdr *l4;

    if (p + sizeof *eth > end) {
        return -1;
    }
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = p + sizeof *eth;

        if ((void *)(ip + 1) > end) {
            return -1;
        }
        f->src = ip->saddr;
        f->dst = ip->daddr;
        f->proto = ip->protocol;
        l4 = (void *)ip + ip->ihl * 4;
    } else if (want_ipv6 && eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr *ip = p + sizeof *eth;

        if ((void *)(ip + 1) > end) {
            return -1;
        }
        f->src = ip->saddr.in6_u.u6_addr32[3];
        f->dst = ip->daddr.in6_u.u6_addr32[3];
        f->proto = ip->nexthdr;
        l4 = (void *)(ip + 1);
    } else {
        return -1;
    }
    if (f->proto != IPPROTO_TCP && f->proto != IPPROTO_UDP) {
        return 0;
    }
    if ((void *)(l4 + 1) > end) {
        return -1;
    }
    f->port = bpf_ntohs(l4->dest);
    return 0;
}

SEC("xdp")
int access_list(struct xdp_md *ctx)
{
    struct facts f = { 0 };

    if (gather(ctx, &f)) {
        return default_action;
    }
    for (__u32 i = 0; i < MAX_RULES; i++) {
        const volatile struct rule *r = &rules[i];

        if (i >= n_rules) {
            break;
        }
        if (fits(r, &f)) {
            hits[i]++;
            if (r->log) {
                last_logged_source = f.src;
            }
            return r->action;
        }
    }
    misses++;
    return default_action;
}

char _license[] SEC("license") = "GPL";
