/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks Ethernet, stacked VLAN tags, IPv4 or IPv6 with its extension headers
 * down to the transport protocol, and counts packets and bytes by protocol,
 * per CPU.  Malformed packets are dropped.
 *
 * packet: eth / vlan 100 tpid=0x88a8 / vlan 7 / ip 10.0.0.1 10.0.0.2 / udp 1 2 / zero 20
 * verdict: pass
 * packet: eth / ip6 fe80::1 fe80::2 / hop / dstopt / tcp 1000 80 flags=S
 * verdict: pass
 * packet: eth / ip6 fe80::1 fe80::2 / frag6 100 / hex 0102030405060708
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 ihl=15 / udp
 * verdict: drop
 * packet: eth type=0x86dd / hex 60000000
 * verdict: drop
 * packet: eth / arp 1
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_TAGS 4
#define MAX_EXTENSIONS 6

struct vlan_header {
	__be16 tci;
	__be16 proto;
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(max_entries, 257);
} by_protocol SEC(".maps");

struct cursor {
	void *pos;
	void *end;
};

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) ||
	       proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline int parse_ethernet(struct cursor *c)
{
	struct ethhdr *eth = c->pos;
	__be16 proto;
	int i;

	if ((void *)(eth + 1) > c->end)
		return -1;
	c->pos = eth + 1;
	proto = eth->h_proto;
#pragma unroll
	for (i = 0; i < MAX_TAGS; i++) {
		struct vlan_header *tag = c->pos;

		if (!is_vlan(proto))
			break;
		if ((void *)(tag + 1) > c->end)
			return -1;
		proto = tag->proto;
		c->pos = tag + 1;
	}
	return bpf_ntohs(proto);
}

static __always_inline int parse_ip4(struct cursor *c)
{
	struct iphdr *ip = c->pos;
	__u32 len;

	if ((void *)(ip + 1) > c->end)
		return -1;
	len = ip->ihl * 4;
	if (len < sizeof(*ip) || c->pos + len > c->end)
		return -1;
	c->pos += len;
	return ip->protocol;
}

static __always_inline int parse_ip6(struct cursor *c)
{
	struct ipv6hdr *ip = c->pos;
	__u8 next;
	int i;

	if ((void *)(ip + 1) > c->end)
		return -1;
	c->pos = ip + 1;
	next = ip->nexthdr;
	for (i = 0; i < MAX_EXTENSIONS; i++) {
		struct ipv6_opt_hdr *opt = c->pos;

		switch (next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_DSTOPTS:
		case IPPROTO_ROUTING:
			if ((void *)(opt + 1) > c->end)
				return -1;
			next = opt->nexthdr;
			c->pos += (opt->hdrlen + 1) * 8;
			break;
		case IPPROTO_FRAGMENT:
			if ((void *)(opt + 1) > c->end)
				return -1;
			next = opt->nexthdr;
			c->pos += 8;
			break;
		case IPPROTO_AH:
			if ((void *)(opt + 1) > c->end)
				return -1;
			next = opt->nexthdr;
			c->pos += (opt->hdrlen + 2) * 4;
			break;
		default:
			return next;
		}
	}
	return -1;
}

SEC("xdp")
int count_protocols(struct xdp_md *ctx)
{
	struct cursor c = {
		.pos = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	struct counter *counter;
	__u32 key;
	int proto;

	proto = parse_ethernet(&c);
	if (proto == ETH_P_IP)
		proto = parse_ip4(&c);
	else if (proto == ETH_P_IPV6)
		proto = parse_ip6(&c);
	else if (proto >= 0)
		proto = 256;
	if (proto < 0)
		return XDP_DROP;

	key = proto;
	counter = bpf_map_lookup_elem(&by_protocol, &key);
	if (counter) {
		counter->packets++;
		counter->bytes += ctx->data_end - ctx->data;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
