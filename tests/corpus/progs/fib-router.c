/* SPDX-License-Identifier: Apache-2.0
 *
 * A router on the kernel's own tables: asks bpf_fib_lookup() where a packet
 * goes, rewrites addresses, decrements the hop count, and redirects.  What
 * the tables do not know goes to the stack.
 *
 * packet: eth / ip 10.0.0.1 10.99.0.2 ttl=20 / udp 1 2
 * verdict: pass
 * output: same
 * packet: eth / ip 10.0.0.1 10.99.0.2 ttl=1 / udp 1 2
 * verdict: pass
 * packet: eth / ip6 2001:db8:1::1 2001:db8:99::2 / udp 1 2
 * verdict: pass
 * packet: eth / vlan 4 / ip6 2001:db8:1::1 2001:db8:99::2 / udp 1 2
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
	__uint(max_entries, 64);
} tx_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 16);
} answers SEC(".maps");

static __always_inline int ip_decrease_ttl(struct iphdr *iph)
{
	__u32 check = iph->check;

	check += bpf_htons(0x0100);
	iph->check = (__u16)(check + (check >= 0xffff));
	return --iph->ttl;
}

static __always_inline void count_answer(__u32 code)
{
	__u64 *n = bpf_map_lookup_elem(&answers, &code);

	if (n)
		*n += 1;
}

static __always_inline int forward(struct xdp_md *ctx, __u32 flags)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct bpf_fib_lookup fib;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6h = NULL;
	struct iphdr *iph = NULL;
	__u64 nh_off = sizeof(*eth);
	__u16 h_proto;
	long rc;

	if (data + nh_off > data_end)
		return XDP_DROP;
	__builtin_memset(&fib, 0, sizeof(fib));
	h_proto = eth->h_proto;
	if (h_proto == bpf_htons(ETH_P_IP)) {
		iph = data + nh_off;
		if ((void *)(iph + 1) > data_end)
			return XDP_DROP;
		if (iph->ttl <= 1)
			return XDP_PASS;
		fib.family = AF_INET;
		fib.tos = iph->tos;
		fib.l4_protocol = iph->protocol;
		fib.tot_len = bpf_ntohs(iph->tot_len);
		fib.ipv4_src = iph->saddr;
		fib.ipv4_dst = iph->daddr;
	} else if (h_proto == bpf_htons(ETH_P_IPV6)) {
		struct in6_addr *src = (struct in6_addr *)fib.ipv6_src;
		struct in6_addr *dst = (struct in6_addr *)fib.ipv6_dst;

		ip6h = data + nh_off;
		if ((void *)(ip6h + 1) > data_end)
			return XDP_DROP;
		if (ip6h->hop_limit <= 1)
			return XDP_PASS;
		fib.family = AF_INET6;
		fib.flowinfo = *(__be32 *)ip6h & bpf_htonl(0x0fffffff);
		fib.l4_protocol = ip6h->nexthdr;
		fib.tot_len = bpf_ntohs(ip6h->payload_len);
		*src = ip6h->saddr;
		*dst = ip6h->daddr;
	} else {
		return XDP_PASS;
	}
	fib.ifindex = ctx->ingress_ifindex;

	rc = bpf_fib_lookup(ctx, &fib, sizeof(fib), flags);
	if (rc < 0)
		return XDP_ABORTED;
	count_answer(rc == BPF_FIB_LKUP_RET_SUCCESS ? 0 : 1);
	switch (rc) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		if (iph)
			ip_decrease_ttl(iph);
		else if (ip6h)
			ip6h->hop_limit--;
		__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
		__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
		return bpf_redirect_map(&tx_ports, fib.ifindex, 0);
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

SEC("xdp")
int router(struct xdp_md *ctx)
{
	return forward(ctx, 0);
}

SEC("xdp")
int router_direct(struct xdp_md *ctx)
{
	return forward(ctx, BPF_FIB_LOOKUP_DIRECT);
}

char _license[] SEC("license") = "GPL";
