/* SPDX-License-Identifier: Apache-2.0
 *
 * Cut into functions that the compiler must not inline: global ones, which
 * Linux verifies on their own, and static ones that get pointers into their
 * caller's stack.  Classifies packets into priorities with a small decision
 * table.
 *
 * packet: eth / ip 10.0.0.1 10.0.0.2 tos=0xb8 / udp 1000 5060 / zero 30
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 25 / zero 30
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 ttl=1 / udp 1000 33434
 * verdict: drop
 * packet: eth / ip6 fe80::1 fe80::2 / udp 1000 53
 * verdict: pass
 * packet: eth / hex 0000
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct facts {
	__u32 length;
	__u16 sport;
	__u16 dport;
	__u8 proto;
	__u8 dscp;
	__u8 ttl;
	__u8 family;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} queues SEC(".maps");

/* Priority 0 to 7 by class of service; a global function of numbers. */
__attribute__((noinline))
int priority_of_dscp(__u32 dscp)
{
	if (dscp >= 48)
		return 7;
	if (dscp == 46)
		return 6;
	if (dscp >= 32)
		return 4;
	if (dscp >= 8 && dscp < 16)
		return 1;
	return 2;
}

__attribute__((noinline))
int priority_of_port(__u32 proto, __u32 port)
{
	if (proto == IPPROTO_UDP) {
		switch (port) {
		case 53:
		case 123:
			return 5;
		case 5060:
		case 5061:
			return 6;
		case 4789:
			return 3;
		}
		return 2;
	}
	switch (port) {
	case 22:
		return 5;
	case 25:
	case 20:
	case 21:
		return 1;
	}
	return 2;
}

static __attribute__((noinline))
int read_ports(struct xdp_md *ctx, __u32 off, struct facts *f)
{
	void *data = (void *)(long)ctx->data;
	struct udphdr *udp;

	if (f->proto != IPPROTO_UDP && f->proto != IPPROTO_TCP)
		return 0;
	if (off > 100)
		return -1;
	udp = data + off;
	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return -1;
	f->sport = bpf_ntohs(udp->source);
	f->dport = bpf_ntohs(udp->dest);
	return 0;
}

static __attribute__((noinline))
int read_facts(struct xdp_md *ctx, struct facts *f)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = data + sizeof(*eth);
	struct iphdr *ip = data + sizeof(*eth);
	__u32 off;

	if ((void *)(eth + 1) > end)
		return -1;
	f->length = end - data;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if ((void *)(ip + 1) > end)
			return -1;
		f->family = 4;
		f->proto = ip->protocol;
		f->dscp = ip->tos >> 2;
		f->ttl = ip->ttl;
		off = sizeof(*eth) + ip->ihl * 4;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		if ((void *)(ip6 + 1) > end)
			return -1;
		f->family = 6;
		f->proto = ip6->nexthdr;
		f->dscp = ip6->priority << 2 | ip6->flow_lbl[0] >> 6;
		f->ttl = ip6->hop_limit;
		off = sizeof(*eth) + sizeof(*ip6);
	} else {
		return -1;
	}
	return read_ports(ctx, off, f);
}

static __attribute__((noinline))
int decide(const struct facts *f)
{
	int by_dscp = priority_of_dscp(f->dscp);
	int by_port = priority_of_port(f->proto, f->dport);
	int best = by_dscp > by_port ? by_dscp : by_port;

	if (f->length > 1400 && best > 0)
		best--;
	return best;
}

SEC("xdp")
int classify(struct xdp_md *ctx)
{
	struct facts f = {};
	__u32 queue;
	__u64 *n;

	if (read_facts(ctx, &f))
		return XDP_DROP;
	if (f.ttl <= 1)
		return XDP_DROP;
	queue = decide(&f);
	n = bpf_map_lookup_elem(&queues, &queue);
	if (!n)
		return XDP_ABORTED;
	__sync_fetch_and_add(n, f.length);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
