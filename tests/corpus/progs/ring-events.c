/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports the beginning and the end of TCP connections through a ring
 * buffer: reserve, fill in, submit; with a snapshot of the first bytes of
 * data in those that carry some.  What is not interesting is discarded late.
 *
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S opts=020405b4
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=PA / text GET nothing
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=FA / x 65 70
 * verdict: pass
 * packet: eth / ip6 fe80::1 fe80::2 / tcp 1000 80 flags=R
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp off=3
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SNAP 32

enum event_type { EV_OPEN = 1, EV_CLOSE, EV_RESET };

struct event {
    __u64 when;
    __u8 saddr[16];
    __u8 daddr[16];
    __u16 sport;
    __u16 dport;
    __u8 type;
    __u8 family;
    __u16 snap_len;
    __u8 snap[SNAP];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 16);
} events SEC(".maps");

static __u64 lost;
static __u64 discarded;

SEC("xdp")
int report_connections(struct xdp_md *ctx)
{
    __u8 *data = (__u8 *)(long)ctx->data;
    __u8 *data_end = (__u8 *)(long)ctx->data_end;
    struct ethhdr *eth = (struct ethhdr *)data;
    struct tcphdr *tcp;
    struct event *e;
    __u8 family;

    if (data + sizeof(*eth) > data_end)
        return XDP_PASS;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr *ip = (struct iphdr *)(eth + 1);

        if ((__u8 *)(ip + 1) > data_end || ip->protocol != IPPROTO_TCP)
            return XDP_PASS;
        if (ip->ihl < 5)
            return XDP_PASS;
        tcp = (struct tcphdr *)((__u8 *)ip + (ip->ihl << 2));
        family = 4;
    } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);

        if ((__u8 *)(ip + 1) > data_end || ip->nexthdr != IPPROTO_TCP)
            return XDP_PASS;
        tcp = (struct tcphdr *)(ip + 1);
        family = 6;
    } else {
        return XDP_PASS;
    }
    if ((__u8 *)(tcp + 1) > data_end)
        return XDP_PASS;

    e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
    if (!e) {
        __sync_fetch_and_add(&lost, 1);
        return XDP_PASS;
    }
    if (tcp->rst)
        e->type = EV_RESET;
    else if (tcp->fin)
        e->type = EV_CLOSE;
    else if (tcp->syn && !tcp->ack)
        e->type = EV_OPEN;
    else
        goto discard;

    e->when = bpf_ktime_get_ns();
    e->family = family;
    __builtin_memset(e->saddr, 0, sizeof(e->saddr));
    __builtin_memset(e->daddr, 0, sizeof(e->daddr));
    if (family == 4) {
        struct iphdr *ip = (struct iphdr *)(eth + 1);

        __builtin_memcpy(e->saddr, &ip->saddr, 4);
        __builtin_memcpy(e->daddr, &ip->daddr, 4);
    } else {
        struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);

        if ((__u8 *)(ip + 1) > data_end)
            goto discard;
        __builtin_memcpy(e->saddr, &ip->saddr, 16);
        __builtin_memcpy(e->daddr, &ip->daddr, 16);
    }
    e->sport = bpf_ntohs(tcp->source);
    e->dport = bpf_ntohs(tcp->dest);
    e->snap_len = 0;
    if (tcp->doff >= 5) {
        __u8 *payload = (__u8 *)tcp + tcp->doff * 4;

        for (int i = 0; i < SNAP; i++) {
            if (payload + i + 1 > data_end)
                break;
            e->snap[i] = payload[i];
            e->snap_len = i + 1;
        }
    }
    bpf_ringbuf_submit(e, 0);
    return XDP_PASS;

discard:
    discarded++;
    bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
