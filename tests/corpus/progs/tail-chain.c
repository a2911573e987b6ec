/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline of programs that call each other through a program array:
 * Ethernet, then IPv4 or IPv6, then ports, then a verdict.  What one stage
 * learns the next finds in a per-CPU scratch value.
 *
 * entry: stage_ethernet
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 7
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 7 flags=S
 * verdict: pass
 * packet: eth / ip6 fe80::1 fe80::2 / udp 1000 9
 * verdict: drop
 * packet: eth / ip6 fe80::1 fe80::2 / udp 1000 10
 * verdict: tx
 * packet: eth / arp 1
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

enum stage { STAGE_IPV4, STAGE_IPV6, STAGE_PORTS, STAGE_VERDICT, N_STAGES };

struct scratch {
	__u16 l4_offset;
	__u16 dport;
	__u8 protocol;
	__u8 family;
	__u8 visited;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch_map SEC(".maps");

int stage_ipv4(struct xdp_md *ctx);
int stage_ipv6(struct xdp_md *ctx);
int stage_ports(struct xdp_md *ctx);
int stage_verdict(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, N_STAGES);
	__uint(key_size, sizeof(__u32));
	__array(values, int (struct xdp_md *));
} stages SEC(".maps") = {
	.values = {
		[STAGE_IPV4] = (void *)&stage_ipv4,
		[STAGE_IPV6] = (void *)&stage_ipv6,
		[STAGE_PORTS] = (void *)&stage_ports,
		[STAGE_VERDICT] = (void *)&stage_verdict,
	},
};

#define SCRATCH(s)							\
	({								\
		__u32 zero = 0;						\
		s = bpf_map_lookup_elem(&scratch_map, &zero);		\
		if (!s)							\
			return XDP_ABORTED;				\
	})

SEC("xdp")
int stage_ethernet(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct scratch *s;

	if (data + sizeof(*eth) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	SCRATCH(s);
	__builtin_memset(s, 0, sizeof(*s));
	s->visited = 1;
	switch (bpf_ntohs(eth->h_proto)) {
	case ETH_P_IP:
		s->family = 4;
		bpf_tail_call(ctx, &stages, STAGE_IPV4);
		break;
	case ETH_P_IPV6:
		s->family = 6;
		bpf_tail_call(ctx, &stages, STAGE_IPV6);
		break;
	default:
		return XDP_PASS;
	}
	return XDP_ABORTED;
}

SEC("xdp")
int stage_ipv4(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct scratch *s;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	SCRATCH(s);
	s->visited |= 2;
	s->protocol = ip->protocol;
	s->l4_offset = sizeof(struct ethhdr) + ip->ihl * 4;
	bpf_tail_call(ctx, &stages, STAGE_PORTS);
	return XDP_ABORTED;
}

SEC("xdp")
int stage_ipv6(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct ipv6hdr *ip = data + sizeof(struct ethhdr);
	struct scratch *s;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	SCRATCH(s);
	s->visited |= 4;
	s->protocol = ip->nexthdr;
	s->l4_offset = sizeof(struct ethhdr) + sizeof(*ip);
	bpf_tail_call(ctx, &stages, STAGE_PORTS);
	return XDP_ABORTED;
}

SEC("xdp")
int stage_ports(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct udphdr *udp;
	struct scratch *s;
	__u32 next = STAGE_VERDICT;

	SCRATCH(s);
	s->visited |= 8;
	if (s->protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (s->l4_offset > 200)
		return XDP_DROP;
	udp = data + s->l4_offset;
	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	s->dport = bpf_ntohs(udp->dest);
	if (s->visited & 16)
		next = N_STAGES;
	bpf_tail_call(ctx, &stages, next);
	return XDP_ABORTED;
}

SEC("xdp")
int stage_verdict(struct xdp_md *ctx)
{
	struct scratch *s;

	SCRATCH(s);
	s->visited |= 16;
	if (s->dport == 7 || s->dport == 9 || s->dport == 19)
		return XDP_DROP;
	return s->family == 6 ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
