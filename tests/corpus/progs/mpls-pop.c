/* SPDX-License-Identifier: Apache-2.0
 *
 * A label edge router: pops all MPLS labels in front of an IP packet, moves
 * the Ethernet header forward, carries the smallest TTL over, or swaps the
 * top label when the label table says so.
 *
 * map: label_table 64000000 => c800000000000000
 * packet: eth / mpls 16 / mpls 17 ttl=9 / ip 10.0.0.1 10.0.0.2 ttl=60 / udp 1 2 / text x
 * verdict: pass
 * output: eth / ip 10.0.0.1 10.0.0.2 ttl=9 / udp 1 2 / text x
 * packet: eth / mpls 100 / mpls 17 / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: tx
 * output: eth / mpls 200 ttl=63 / mpls 17 / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * packet: eth / mpls 1 / mpls 2 / mpls 3 / mpls 4 / mpls 5 / mpls 6 / ip 1.1.1.1 2.2.2.2
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_DEPTH 5
#define LABEL(e) ((e) >> 12)
#define BOTTOM(e) ((e) >> 8 & 1)
#define TTL(e) ((e) & 0xff)

struct next_hop {
	__u32 label;
	__u32 flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10000);
	__type(key, __u32);
	__type(value, struct next_hop);
} label_table SEC(".maps");

static __always_inline int swap(__be32 *top, __u32 entry, __u32 label)
{
	if (TTL(entry) <= 1)
		return XDP_DROP;
	*top = bpf_htonl(label << 12 | (entry & 0xf00) | (TTL(entry) - 1));
	return XDP_TX;
}

static __always_inline int deliver(struct xdp_md *ctx, int depth, __u32 ttl)
{
	struct ethhdr *eth = (void *)(long)ctx->data, saved = {};
	struct iphdr *ip;
	__u32 sum;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	__builtin_memcpy(&saved, eth, 12);
	saved.h_proto = bpf_htons(ETH_P_IP);
	if (bpf_xdp_adjust_head(ctx, depth * 4))
		return XDP_ABORTED;
	eth = (void *)(long)ctx->data;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	__builtin_memcpy(eth, &saved, sizeof(saved));
	if (ip->version != 4)
		return XDP_DROP;
	if (ttl < ip->ttl) {
		sum = (__u16)~bpf_ntohs(ip->check);
		sum += (__u16)~(ip->ttl << 8 | ip->protocol);
		sum += ttl << 8 | ip->protocol;
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		ip->check = bpf_htons((__u16)~sum);
		ip->ttl = ttl;
	}
	return XDP_PASS;
}

SEC("xdp")
int label_edge(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	__be32 *stack = (void *)(eth + 1);
	struct next_hop *hop;
	__u32 entry, label, ttl = 255;
	int i;

	if ((void *)(eth + 1) > end || eth->h_proto != bpf_htons(0x8847))
		return XDP_PASS;
	for (i = 0; i < MAX_DEPTH; i++) {
		if ((void *)(stack + i + 1) > end)
			return XDP_DROP;
		entry = bpf_ntohl(stack[i]);
		if (i == 0) {
			label = LABEL(entry);
			hop = bpf_map_lookup_elem(&label_table, &label);
			if (hop)
				return swap(stack, entry, hop->label);
		}
		if (TTL(entry) < ttl)
			ttl = TTL(entry);
		if (BOTTOM(entry))
			return deliver(ctx, i + 1, ttl);
	}
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
