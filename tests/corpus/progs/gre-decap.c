/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes IPv4, IPv6 or whole frames out of GRE tunnels (RFC 2784, 2890), with
 * optional checksum, key and sequence fields; the key chooses a tenant.
 *
 * map: tenants 00000007 => 0100000000000000
 * packet: eth / ip 10.0.0.9 10.0.0.1 / gre key=7 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: pass
 * output: eth / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * packet: eth / ip 10.0.0.9 10.0.0.1 / gre key=7 / eth 7 8 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: pass
 * output: eth 7 8 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * packet: eth / ip 10.0.0.9 10.0.0.1 / gre key=8 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: drop
 * packet: eth / ip 10.0.0.9 10.0.0.1 / gre proto=0x9999 / zero 10
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct gre {
    __be16 flags;
    __be16 proto;
};

#define GRE_SUM bpf_htons(0x8000)
#define GRE_ROUTING bpf_htons(0x4000)
#define GRE_KEY bpf_htons(0x2000)
#define GRE_SEQ bpf_htons(0x1000)
#define GRE_VERSION bpf_htons(0x0007)

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1000);
    __type(key, __be32);
    __type(value, __u64);
} tenants SEC(".maps");

static __always_inline int
unwrap(struct xdp_md *ctx, int cut, __be16 proto)
{
    struct ethhdr saved, *eth = (void *)(long)ctx->data;

    if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
    if (proto == bpf_htons(0x6558))
        return bpf_xdp_adjust_head(ctx, sizeof *eth + cut) ? XDP_DROP
                                                           : XDP_PASS;
    saved = *eth;
    saved.h_proto = proto;
    if (bpf_xdp_adjust_head(ctx, cut))
        return XDP_DROP;
    eth = (void *)(long)ctx->data;
    if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
    *eth = saved;
    return XDP_PASS;
}

SEC("xdp")
int gre(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    struct iphdr *ip = (void *)(eth + 1);
    struct gre *g = (void *)(ip + 1);
    int cut = sizeof *ip + sizeof *g;
    __be32 *option, key = 0;
    __u64 *packets;

    if ((void *)(g + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    if (ip->ihl != 5 || ip->protocol != IPPROTO_GRE)
        return XDP_PASS;
    if (g->flags & (GRE_ROUTING | GRE_VERSION))
        return XDP_DROP;
    if (g->proto != bpf_htons(ETH_P_IP) && g->proto != bpf_htons(ETH_P_IPV6)
        && g->proto != bpf_htons(0x6558))
        return XDP_DROP;
    option = (void *)(g + 1);
    if (g->flags & GRE_SUM) {
        option++;
        cut += 4;
    }
    if (g->flags & GRE_KEY) {
        if ((void *)(option + 1) > end)
            return XDP_DROP;
        key = *option;
        option++;
        cut += 4;
    }
    if (g->flags & GRE_SEQ)
        cut += 4;
    packets = bpf_map_lookup_elem(&tenants, &key);
    if (!packets)
        return XDP_DROP;
    __sync_fetch_and_add(packets, 1);
    return unwrap(ctx, cut, g->proto);
}

char _license[] SEC("license") = "GPL";
