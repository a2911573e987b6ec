/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that atomics can do, in a sampler shared by all CPUs: tickets by
 * fetch-and-add, a leader by compare-and-swap, a mailbox by exchange, flags
 * by or, and, xor, with and without the old value, in 32 and 64 bits.
 *
 * needs: v3
 * set: sample_every 3
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: tx
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.0.0.3 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.0.0.3 10.0.0.2 / udp 1 2
 * verdict: tx
 * packet: eth / arp 1
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 sample_every = 100;

struct shared {
    __u64 ticket;
    __u64 leader;
    __u64 mailbox;
    __u64 seen_bits;
    __u32 ticket32;
    __u32 flags32;
    __u32 parity32;
    __u32 last32;
};

struct shared shared;
__u64 lost_elections, overwritten, newly_seen;

static __always_inline __u32 hash32(__u32 x)
{
    x ^= x >> 16;
    x *= 0x7feb352d;
    x ^= x >> 15;
    x *= 0x846ca68b;
    return x ^ x >> 16;
}

SEC("xdp")
int sample(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    struct iphdr *ip = (void *)(eth + 1);

    if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_DROP;

    __u64 mine = __sync_fetch_and_add(&shared.ticket, 1);
    __u32 mine32 = __sync_fetch_and_add(&shared.ticket32, 3);
    __u32 hash = hash32(ip->saddr);
    __u64 bit = 1ull << (hash & 63);
    __u64 before = __sync_fetch_and_or(&shared.seen_bits, bit);

    if (!(before & bit))
        __sync_fetch_and_add(&newly_seen, 1);
    if (mine32 % 6 == 3)
        __sync_fetch_and_xor(&shared.parity32, hash);
    __sync_fetch_and_and(&shared.flags32, 0xffff);
    __sync_fetch_and_or(&shared.flags32, 1u << (mine & 7));

    /* The first source becomes the leader until it has sent 2 packets. */
    __u64 old = __sync_val_compare_and_swap(&shared.leader, 0, ip->saddr);
    if (old && old != ip->saddr)
        __sync_fetch_and_add(&lost_elections, 1);
    if (mine == 1)
        __sync_val_compare_and_swap(&shared.leader, ip->saddr, 0);

    if (mine % sample_every)
        return XDP_PASS;
    if (__sync_lock_test_and_set(&shared.mailbox, mine | 1ull << 63))
        overwritten++;
    __sync_lock_test_and_set(&shared.last32, hash);
    return XDP_TX;
}

char _license[] SEC("license") = "GPL";
