/* SPDX-License-Identifier: Apache-2.0
 *
 * Single packet authorisation: a UDP packet opens a port for its source if it
 * carries the first 16 bytes of a ChaCha20 key stream (RFC 8439) whose nonce
 * is its source address and a counter that may only grow.  All 20 rounds are
 * straight code.
 *
 * unstable: opened
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 62201 / hex 0000000000000001 00112233445566778899aabbccddeeff
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 62201 / hex 00000000
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 22 flags=S
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct knock {
    __be64 counter;
    __u32 proof[4];
} __attribute__((packed));

const volatile __u32 secret[8] = {
    0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
    0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
};
const volatile __u16 knock_port = 62201, hidden_port = 22;

struct grant {
    __u64 counter;
    __u64 until;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, __be32);
    __type(value, struct grant);
} opened SEC(".maps");

#define ROTL(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define QR(a, b, c, d)                                                  \
    a += b; d ^= a; d = ROTL(d, 16);                                    \
    c += d; b ^= c; b = ROTL(b, 12);                                    \
    a += b; d ^= a; d = ROTL(d, 8);                                     \
    c += d; b ^= c; b = ROTL(b, 7)
#define DOUBLE_ROUND                                                    \
    QR(x0, x4, x8, x12); QR(x1, x5, x9, x13);                           \
    QR(x2, x6, x10, x14); QR(x3, x7, x11, x15);                         \
    QR(x0, x5, x10, x15); QR(x1, x6, x11, x12);                         \
    QR(x2, x7, x8, x13); QR(x3, x4, x9, x14)

static __always_inline void
key_stream(__u32 out[4], __u32 n0, __u32 n1, __u32 n2)
{
    __u32 x0 = 0x61707865, x1 = 0x3320646e, x2 = 0x79622d32, x3 = 0x6b206574;
    __u32 x4 = secret[0], x5 = secret[1], x6 = secret[2], x7 = secret[3];
    __u32 x8 = secret[4], x9 = secret[5], x10 = secret[6], x11 = secret[7];
    __u32 x12 = 1, x13 = n0, x14 = n1, x15 = n2;

    DOUBLE_ROUND; DOUBLE_ROUND; DOUBLE_ROUND; DOUBLE_ROUND; DOUBLE_ROUND;
    DOUBLE_ROUND; DOUBLE_ROUND; DOUBLE_ROUND; DOUBLE_ROUND; DOUBLE_ROUND;
    out[0] = x0 + 0x61707865;
    out[1] = x1 + 0x3320646e;
    out[2] = x2 + 0x79622d32;
    out[3] = x3 + 0x6b206574;
}

static __always_inline int
check_knock(struct knock *k, __be32 source)
{
    struct grant *known = bpf_map_lookup_elem(&opened, &source);
    __u64 counter = bpf_be64_to_cpu(k->counter);
    __u64 now = bpf_ktime_get_ns();
    struct grant grant = { counter, now + 60000000000ull };
    __u32 proof[4];

    if (known && counter <= known->counter) {
        return XDP_DROP;
    }
    key_stream(proof, source, counter, counter >> 32);
    if ((proof[0] ^ k->proof[0]) | (proof[1] ^ k->proof[1])
        | (proof[2] ^ k->proof[2]) | (proof[3] ^ k->proof[3])) {
        return XDP_DROP;
    }
    bpf_map_update_elem(&opened, &source, &grant, BPF_ANY);
    return XDP_DROP;
}

SEC("xdp")
int authorise(struct xdp_md *ctx)
{
    void *end = (void *) (long) ctx->data_end;
    struct ethhdr *eth = (void *) (long) ctx->data;
    struct iphdr *ip = (void *) (eth + 1);
    struct udphdr *udp = (void *) (ip + 1);
    struct knock *k = (void *) (udp + 1);
    struct grant *g;
    __be32 source;

    if ((void *) (udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)
        || ip->ihl != 5) {
        return XDP_PASS;
    }
    source = ip->saddr;
    if (ip->protocol == IPPROTO_UDP && udp->dest == bpf_htons(knock_port)) {
        return (void *) (k + 1) > end ? XDP_DROP : check_knock(k, source);
    }
    if (ip->protocol != IPPROTO_TCP || udp->dest != bpf_htons(hidden_port)) {
        return XDP_PASS;
    }
    g = bpf_map_lookup_elem(&opened, &source);
    return g && g->until > bpf_ktime_get_ns() ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
