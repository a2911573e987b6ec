/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens SSH to a source that has knocked on three UDP ports in order; a wrong
 * knock starts over, and too many wrong ones shut the source out.
 *
 * unstable: knockers
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 22 flags=S
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 7000
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 8000
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 9000
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 22 flags=S
 * verdict: pass
 * packet: eth / ip 10.0.0.3 10.0.0.2 / tcp 1000 80 flags=S
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define N_KNOCKS 3
#define MAX_WRONG 5
#define SECOND 1000000000ull

const volatile __u16 sequence[4] = { 7000, 8000, 9000 };
const volatile __u64 open_for = 300 * SECOND;

struct knocker {
    __u64 last;
    __u32 step;
    __u32 wrong;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __be32);
    __type(value, struct knocker);
} knockers SEC(".maps");

static __always_inline _Bool is_knock(__u16 port)
{
    for (int i = 0; i < N_KNOCKS; i++)
        if (sequence[i] == port)
            return 1;
    return 0;
}

static __always_inline void knock(__be32 source, __u16 port, __u64 now)
{
    struct knocker *k = bpf_map_lookup_elem(&knockers, &source);
    struct knocker first = { .last = now };
    __u32 step;

    if (!k) {
        first.step = port == sequence[0];
        first.wrong = !first.step;
        bpf_map_update_elem(&knockers, &source, &first, BPF_ANY);
        return;
    }
    step = k->step;
    if (now - k->last > 10 * SECOND)
        step = 0;
    k->last = now;
    if (step < N_KNOCKS && port == sequence[step & 3]) {
        k->step = step + 1;
    } else {
        k->step = port == sequence[0];
        k->wrong++;
    }
}

SEC("xdp")
int knock_knock(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    struct knocker *k;
    __be32 source;
    __u16 port;
    __u64 now;

    if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)
        || ip->ihl != 5)
        return XDP_PASS;
    source = ip->saddr;
    port = bpf_ntohs(udp->dest);
    now = bpf_ktime_get_ns();
    if (ip->protocol == IPPROTO_UDP) {
        if (!is_knock(port))
            return XDP_PASS;
        knock(source, port, now);
        return XDP_DROP;
    }
    if (ip->protocol != IPPROTO_TCP || port != 22)
        return XDP_PASS;
    k = bpf_map_lookup_elem(&knockers, &source);
    if (!k || k->step != N_KNOCKS || k->wrong > MAX_WRONG)
        return XDP_DROP;
    if (now - k->last > open_for) {
        k->step = 0;
        return XDP_DROP;
    }
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
