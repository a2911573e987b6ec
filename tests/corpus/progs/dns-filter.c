/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the question of a DNS query, hashes its name in lower case, and
 * refuses (RCODE 5, sent back) names that are on a list of hashes, or whose
 * parent domain is.  Counts query types.
 *
 * map: blocked e59ddfc3 => 01
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 5000 53 / hex 123401000001000000000000 03777777 03626164 00 0001 0001
 * verdict: tx
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 5000 53 / hex 123401000001000000000000 03777777 04676f6f64 00 0001 0001
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 5000 53 / hex 123481000001000000000000 03626164 00 0001 0001
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 5000 53 / hex 123401000001000000000000 c00c 0001 0001
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 5000 53 / hex 1234010000010000
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define DNS_PORT 53
#define MAX_NAME 48

struct dnshdr {
	__be16 id;
	__be16 flags;
	__be16 n_questions;
	__be16 n_answers;
	__be16 n_authorities;
	__be16 n_more;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100000);
	__type(key, __u32);
	__type(value, __u8);
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 300);
	__type(key, __u16);
	__type(value, __u64);
} types SEC(".maps");

struct name {
	__u32 whole;
	__u32 parent;		/* without its first label */
};

static __always_inline void count_type(__u16 type)
{
	__u64 one = 1, *n;

	n = bpf_map_lookup_elem(&types, &type);
	if (n)
		*n += 1;
	else
		bpf_map_update_elem(&types, &type, &one, BPF_NOEXIST);
}

/* FNV-1a over the bytes as they are sent, in lower case. */
static __always_inline void *read_name(__u8 *p, void *end, struct name *name)
{
	__u32 whole = 2166136261u, parent = 2166136261u;
	__u32 first, i;

	if ((void *)(p + 1) > end || *p > 63)
		return 0;
	first = *p;
	for (i = 0; i < MAX_NAME; i++) {
		__u32 c, upper;

		if ((void *)(p + 1) > end)
			return 0;
		c = *p++;
		if (!c)
			break;
		upper = ((c - 'A') & 0xff) < 26;
		c += upper << 5;
		whole = (whole ^ c) * 16777619u;
		if (i > first)
			parent = (parent ^ c) * 16777619u;
	}
	if (i == MAX_NAME)
		return 0;
	name->whole = whole;
	name->parent = parent;
	return p;
}

static __always_inline int refuse(struct ethhdr *eth, struct iphdr *ip,
				  struct udphdr *udp, struct dnshdr *dns)
{
	__u8 mac[ETH_ALEN];
	__be32 addr = ip->saddr;
	__be16 port = udp->source;

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	ip->saddr = ip->daddr;
	ip->daddr = addr;
	udp->source = udp->dest;
	udp->dest = port;
	udp->check = 0;
	dns->flags = bpf_htons((bpf_ntohs(dns->flags) & 0x0100) | 0x8005);
	return XDP_TX;
}

SEC("xdp")
int filter_names(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct dnshdr *dns = (void *)(udp + 1);
	struct name name = {};
	__be16 *type;

	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 ||
	    ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(DNS_PORT))
		return XDP_PASS;
	if ((void *)(dns + 1) > end)
		return XDP_DROP;
	if (dns->flags & bpf_htons(0x8000))
		return XDP_PASS;
	if (dns->n_questions != bpf_htons(1))
		return XDP_DROP;

	type = read_name((__u8 *)(dns + 1), end, &name);
	if (!type || (void *)(type + 2) > end)
		return XDP_DROP;
	count_type(bpf_ntohs(*type));
	if (bpf_map_lookup_elem(&blocked, &name.whole) ||
	    bpf_map_lookup_elem(&blocked, &name.parent))
		return refuse(eth, ip, udp, dns);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
