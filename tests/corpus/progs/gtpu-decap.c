/* SPDX-License-Identifier: Apache-2.0
 *
 * The user plane of a mobile network: takes IPv4 out of GTP-U, with sequence
 * numbers and extension headers, counts by tunnel, and answers echo requests.
 *
 * map: tunnels 00001234 => 0100000000000000
 * packet: eth / ip 10.0.0.9 10.0.0.1 / udp 2152 2152 / gtpu 0x1234 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: pass
 * output: eth / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * packet: eth / ip 10.0.0.9 10.0.0.1 / udp 2152 2152 / hex 34ff0028 00001234 00000085 0110 0900 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: pass
 * output: eth / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * packet: eth / ip 10.0.0.9 10.0.0.1 / udp 2152 2152 / gtpu 0x9999 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: drop
 * packet: eth / ip 10.0.0.9 10.0.0.1 / udp 2152 2152 / hex 32010004 00000000 00070000
 * verdict: tx
 * packet: eth / ip 10.0.0.9 10.0.0.1 / udp 2152 53
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

typedef struct __attribute__((packed)) {
    __u8 flags;
    __u8 type;
    __be16 length;
    __be32 teid;
} gtp_t;

typedef struct __attribute__((packed)) {
    __be16 sequence;
    __u8 npdu;
    __u8 next;
} gtp_options_t;

#define GTP_HAS_OPTIONS 7
#define GTP_HAS_EXTENSION 4
#define MAX_EXTENSIONS 4

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __type(key, __be32);
    __type(value, __u64);
} tunnels SEC(".maps");

/* Bytes from the start of GTP-U to the inner packet, or 0. */
static __always_inline __u32
header_length(const gtp_t *gtp, const void *end)
{
    __u32 length = sizeof *gtp;

    if (!(gtp->flags & GTP_HAS_OPTIONS))
        return length;
    const gtp_options_t *options = (const void *)(gtp + 1);
    if ((const void *)(options + 1) > end)
        return 0;
    length += sizeof *options;
    if (!(gtp->flags & GTP_HAS_EXTENSION))
        return length;
    __u8 next = options->next;
    const __u8 *p = (const void *)(options + 1);
    for (int i = 0; i < MAX_EXTENSIONS; i++) {
        if (!next)
            return length;
        if ((const void *)(p + 4) > end)
            return 0;
        __u32 size = (p[0] & 7) * 4;
        if (!size)
            return 0;
        length += size;
        p += size;
        if ((const void *)p > end)
            return 0;
        next = p[-1];
    }
    return next ? 0 : length;
}

static __always_inline int
answer_echo(struct ethhdr *eth, struct iphdr *ip, struct udphdr *udp,
            gtp_t *gtp)
{
    __u8 mac[6];
    __be32 address = ip->saddr;

    gtp->type = 2;
    udp->check = 0;
    ip->saddr = ip->daddr;
    ip->daddr = address;
    __builtin_memcpy(mac, eth->h_source, 6);
    __builtin_memcpy(eth->h_source, eth->h_dest, 6);
    __builtin_memcpy(eth->h_dest, mac, 6);
    return XDP_TX;
}

SEC("xdp")
int gtpu(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data, saved;
    struct iphdr *ip = (void *)(eth + 1);
    struct udphdr *udp = (void *)(ip + 1);
    gtp_t *gtp = (void *)(udp + 1);

    if ((void *)(gtp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    if (ip->ihl != 5 || ip->protocol != 17 || udp->dest != bpf_htons(2152))
        return XDP_PASS;
    if (gtp->flags >> 4 != 3)
        return XDP_DROP;
    if (gtp->type == 1)
        return answer_echo(eth, ip, udp, gtp);
    if (gtp->type != 255)
        return XDP_PASS;
    __be32 teid = gtp->teid;
    __u64 *packets = bpf_map_lookup_elem(&tunnels, &teid);
    if (!packets)
        return XDP_DROP;
    __sync_fetch_and_add(packets, 1);
    __u32 length = header_length(gtp, end);
    if (!length || length > 64)
        return XDP_DROP;
    saved = *eth;
    if (bpf_xdp_adjust_head(ctx, sizeof *ip + sizeof *udp + length))
        return XDP_DROP;
    eth = (void *)(long)ctx->data;
    ip = (void *)(eth + 1);
    if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
    *eth = saved;
    return ip->version == 4 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
