/* SPDX-License-Identifier: Apache-2.0
 *
 * One end of VXLAN: takes packets out of the tunnel if their network is one
 * of ours, checks and strips the outer headers, and puts local frames of
 * known networks in.
 *
 * map: networks 2a000000 => 0a000009
 * map: vlan_to_vni 0700 => 2a000000
 * packet: eth / ip 10.0.0.9 10.0.0.1 / udp 5000 4789 / vxlan 42 / eth 7 8 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: pass
 * output: eth 7 8 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * packet: eth / ip 10.0.0.9 10.0.0.1 / udp 5000 4789 / vxlan 43 / eth 7 8 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: drop
 * packet: eth / ip 10.0.0.9 10.0.0.1 / udp 5000 4789 / vxlan 42 flags=0 / eth 7 8 / ip 1.1.1.1 2.2.2.2
 * verdict: drop
 * packet: eth 7 8 / vlan 7 / ip 1.1.1.1 2.2.2.2 / udp 1 2 / text payload
 * verdict: tx
 * packet: eth 7 8 / vlan 8 / ip 1.1.1.1 2.2.2.2 / udp 1 2
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct vxlan_header {
	__be32 flags;
	__be32 vni;
};

struct outer {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	struct vxlan_header vxlan;
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __be32);
} networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u16);
	__type(value, __u32);
} vlan_to_vni SEC(".maps");

const volatile __be32 local_address = 0x0100000a;

static __always_inline __u32 flow_entropy(const struct ethhdr *eth)
{
	const __u8 *b = (const __u8 *)eth;
	__u32 h = 0;
	int i;

#pragma unroll
	for (i = 0; i < 12; i++)
		h = (h << 5) - h + b[i];
	return h;
}

static __always_inline int take_out(struct xdp_md *ctx, struct outer *o)
{
	__u32 vni;

	if (!(o->vxlan.flags & bpf_htonl(0x08000000)))
		return XDP_DROP;
	vni = bpf_ntohl(o->vxlan.vni) >> 8;
	if (!bpf_map_lookup_elem(&networks, &vni))
		return XDP_DROP;
	return bpf_xdp_adjust_head(ctx, sizeof(*o)) ? XDP_DROP : XDP_PASS;
}

static __always_inline int put_in(struct xdp_md *ctx, __u32 vni, __be32 peer)
{
	void *end = (void *)(long)ctx->data_end;
	struct outer *o = (void *)(long)ctx->data;
	struct ethhdr *inner = (void *)(o + 1);
	__u32 length = (long)end - (long)o - sizeof(struct ethhdr), sum = 0;
	__u16 *word;
	int i;

	if ((void *)(inner + 1) > end)
		return XDP_DROP;
	__builtin_memset(o, 0, sizeof(*o));
	o->eth.h_dest[0] = 2;
	o->eth.h_dest[5] = 99;
	__builtin_memcpy(o->eth.h_source, inner->h_dest, ETH_ALEN);
	o->eth.h_proto = bpf_htons(ETH_P_IP);
	o->ip.version = 4;
	o->ip.ihl = 5;
	o->ip.tot_len = bpf_htons(length);
	o->ip.frag_off = bpf_htons(0x4000);
	o->ip.ttl = 64;
	o->ip.protocol = IPPROTO_UDP;
	o->ip.saddr = local_address;
	o->ip.daddr = peer;
	word = (void *)o + sizeof(o->eth);
#pragma unroll
	for (i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	o->ip.check = ~((sum & 0xffff) + (sum >> 16));
	o->udp.source = bpf_htons(0xc000 | (flow_entropy(inner) & 0x3fff));
	o->udp.dest = bpf_htons(4789);
	o->udp.len = bpf_htons(length - sizeof(struct iphdr));
	o->vxlan.flags = bpf_htonl(0x08000000);
	o->vxlan.vni = bpf_htonl(vni << 8);
	return XDP_TX;
}

SEC("xdp")
int vxlan_gateway(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct outer *o = (void *)(long)ctx->data;
	struct ethhdr *eth = (void *)o;
	__be32 *peer;
	__u32 *vni, network;
	__u16 *tag, vlan;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if ((void *)(o + 1) > end)
			return XDP_PASS;
		if (o->ip.ihl != 5 || o->ip.protocol != IPPROTO_UDP ||
		    o->udp.dest != bpf_htons(4789) ||
		    o->ip.daddr != local_address)
			return XDP_PASS;
		return take_out(ctx, o);
	}
	tag = (void *)(eth + 1);
	if (eth->h_proto != bpf_htons(ETH_P_8021Q) || (void *)(tag + 2) > end)
		return XDP_PASS;
	vlan = bpf_ntohs(*tag) & 0xfff;
	vni = bpf_map_lookup_elem(&vlan_to_vni, &vlan);
	if (!vni)
		return XDP_PASS;
	network = *vni;
	peer = bpf_map_lookup_elem(&networks, &network);
	if (!peer || bpf_xdp_adjust_head(ctx, -(int)sizeof(*o)))
		return XDP_DROP;
	return put_in(ctx, network, *peer);
}

char _license[] SEC("license") = "GPL";
