/* SPDX-License-Identifier: Apache-2.0
 *
 * One-to-one network address translation for TCP, UDP and ICMP: outside
 * addresses are inside ones and the other way round.  Checksums are corrected
 * by what changed.
 *
 * map: outside_to_inside cb007105 => 0a000005
 * map: inside_to_outside 0a000005 => cb007105
 * packet: eth / ip 8.8.8.8 203.0.113.5 / udp 53 4000 / text answer
 * verdict: pass
 * output: eth / ip 8.8.8.8 10.0.0.5 / udp 53 4000 / text answer
 * packet: eth / ip 10.0.0.5 8.8.8.8 / tcp 4000 443 flags=PA / text hello there
 * verdict: pass
 * output: eth / ip 203.0.113.5 8.8.8.8 / tcp 4000 443 flags=PA / text hello there
 * packet: eth / ip 10.0.0.5 8.8.8.8 / icmp 8 0 7 7 / text ping
 * verdict: pass
 * output: eth / ip 203.0.113.5 8.8.8.8 / icmp 8 0 7 7 / text ping
 * packet: eth / ip 10.0.0.5 8.8.8.8 / udp 53 4000 sum=0 / text unsummed
 * verdict: pass
 * output: eth / ip 203.0.113.5 8.8.8.8 / udp 53 4000 sum=0 / text unsummed
 * packet: eth / ip 10.0.0.6 8.8.8.8 / udp 53 4000
 * verdict: pass
 * output: same
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct addresses {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __be32);
	__type(value, __be32);
};

struct addresses outside_to_inside SEC(".maps");
struct addresses inside_to_outside SEC(".maps");

static inline __attribute__((always_inline))
__sum16 csum_fold(__wsum csum)
{
	csum = (csum >> 16) + (csum & 0xffff);
	csum += csum >> 16;
	return (__sum16)~csum;
}

/* RFC 1624, equation 3. */
static inline __attribute__((always_inline))
void csum_replace(__sum16 *sum, __be32 from, __be32 to)
{
	__wsum diff = bpf_csum_diff(&from, sizeof(from), &to, sizeof(to),
				    ~*sum & 0xffff);

	*sum = csum_fold(diff);
}

static inline __attribute__((always_inline))
int transport_sum(void *l4, void *end, __u8 protocol, __sum16 **sum)
{
	struct tcphdr *tcp = l4;
	struct udphdr *udp = l4;

	*sum = 0;
	switch (protocol) {
	case IPPROTO_TCP:
		if ((void *)(tcp + 1) > end)
			return -1;
		*sum = &tcp->check;
		return 0;
	case IPPROTO_UDP:
		if ((void *)(udp + 1) > end)
			return -1;
		if (udp->check)
			*sum = &udp->check;
		return 0;
	default:
		return 0;
	}
}

SEC("xdp")
int translate(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	__be32 *inside, *outside;
	__sum16 *sum;
	__be32 from;

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4)
		return XDP_PASS;
	if (ip->ihl != 5)
		return XDP_DROP;
	if (ip->frag_off & bpf_htons(0x1fff))
		return XDP_PASS;
	if (transport_sum(ip + 1, end, ip->protocol, &sum))
		return XDP_DROP;

	from = ip->daddr;
	inside = bpf_map_lookup_elem(&outside_to_inside, &from);
	if (inside) {
		ip->daddr = *inside;
		csum_replace(&ip->check, from, *inside);
		if (sum)
			csum_replace(sum, from, *inside);
	}
	from = ip->saddr;
	outside = bpf_map_lookup_elem(&inside_to_outside, &from);
	if (outside) {
		ip->saddr = *outside;
		csum_replace(&ip->check, from, *outside);
		if (sum)
			csum_replace(sum, from, *outside);
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
