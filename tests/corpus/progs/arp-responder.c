/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers ARP requests and IPv6 neighbour solicitations for the addresses in
 * two tables, so that they need not be flooded.
 *
 * map: hosts4 0a000002 => 02000000000b0000
 * packet: eth ff:ff:ff:ff:ff:ff 1 / arp 1 1 10.0.0.1 0 10.0.0.2
 * verdict: tx
 * output: eth 1 02:00:00:00:00:0b / arp 2 02:00:00:00:00:0b 10.0.0.2 1 10.0.0.1
 * packet: eth ff:ff:ff:ff:ff:ff 1 / arp 1 1 10.0.0.1 0 10.0.0.3
 * verdict: pass
 * packet: eth / ip6 fe80::1 ff02::1:ff00:2 hlim=255 / icmp6 135 0 0 0 / hex fe800000000000000000000000000002
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct arp4 {
	__be16 htype, ptype;
	__u8 hlen, plen;
	__be16 op;
	__u8 sha[6];
	__be32 spa;
	__u8 tha[6];
	__be32 tpa;
} __attribute__((packed));

struct host {
	__u8 mac[6];
	__u8 pad[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __be32);
	__type(value, struct host);
} hosts4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct in6_addr);
	__type(value, struct host);
} hosts6 SEC(".maps");

static __always_inline int answer_arp(struct ethhdr *eth, struct arp4 *arp)
{
	__be32 wanted = arp->tpa;
	struct host *h;

	if (arp->htype != bpf_htons(1) || arp->ptype != bpf_htons(ETH_P_IP) ||
	    arp->hlen != 6 || arp->plen != 4 || arp->op != bpf_htons(1))
		return XDP_PASS;
	h = bpf_map_lookup_elem(&hosts4, &wanted);
	if (!h)
		return XDP_PASS;
	arp->op = bpf_htons(2);
	__builtin_memcpy(arp->tha, arp->sha, 6);
	arp->tpa = arp->spa;
	__builtin_memcpy(arp->sha, h->mac, 6);
	arp->spa = wanted;
	__builtin_memcpy(eth->h_dest, arp->tha, 6);
	__builtin_memcpy(eth->h_source, h->mac, 6);
	return XDP_TX;
}

struct solicitation {
	__u8 type, code;
	__be16 sum;
	__be32 flags;
	struct in6_addr target;
};

static __always_inline int answer_nd(struct ethhdr *eth, struct ipv6hdr *ip,
				     struct solicitation *ns)
{
	struct in6_addr target = ns->target;
	struct host *h = bpf_map_lookup_elem(&hosts6, &target);
	__u32 sum;

	if (!h)
		return XDP_PASS;
	/* The sum changes with type, flags and both addresses. */
	sum = (__u16)~ns->sum;
	sum += (__u16)~bpf_htons(135 << 8) + bpf_htons(136 << 8);
	sum += bpf_htons(0x6000);
#pragma unroll
	for (int i = 0; i < 8; i++)
		sum += (__u16)~ip->daddr.in6_u.u6_addr16[i] +
		       target.in6_u.u6_addr16[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ns->type = 136;
	ns->flags = bpf_htonl(0x60000000);
	ns->sum = ~sum;
	ip->daddr = ip->saddr;
	ip->saddr = target;
	__builtin_memcpy(eth->h_dest, eth->h_source, 6);
	__builtin_memcpy(eth->h_source, h->mac, 6);
	return XDP_TX;
}

SEC("xdp")
int neighbours(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct arp4 *arp = (void *)(eth + 1);
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct solicitation *ns = (void *)(ip + 1);

	if ((void *)(arp + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_ARP))
		return answer_arp(eth, arp);
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || (void *)(ns + 1) > end)
		return XDP_PASS;
	if (ip->nexthdr != IPPROTO_ICMPV6 || ip->hop_limit != 255 ||
	    ns->type != 135)
		return XDP_PASS;
	return answer_nd(eth, ip, ns);
}

char _license[] SEC("license") = "GPL";
