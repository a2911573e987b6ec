/* SPDX-License-Identifier: Apache-2.0
 *
 * What a compiler of firewall rules emits: no tables, each rule is code.  The
 * list of rules is a macro that expands to comparisons, first match wins; 56
 * rules.
 *
 * packet: eth / ip 10.1.2.3 172.16.5.9 / tcp 1000 22 flags=S
 * verdict: drop
 * packet: eth / ip 10.1.2.3 172.16.5.9 / tcp 1000 443 flags=S
 * verdict: pass
 * packet: eth / ip 192.0.2.77 172.16.5.9 / udp 1000 53
 * verdict: drop
 * packet: eth / ip 198.18.7.7 172.31.255.1 / udp 1000 5353
 * verdict: drop
 * packet: eth / ip 8.8.8.8 172.16.9.9 / tcp 1000 8443 flags=S
 * verdict: pass
 * packet: eth / ip 8.8.8.8 9.9.9.9 / icmp
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP(a, b, c, d) ((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define MASK(n) ((n) ? ~0u << (32 - (n)) : 0)

/* source, length, destination, length, protocol, first port, last, verdict */
#define RULES(R) \
 R(1, IP(10,1,0,0),16, IP(172,16,5,0),24, 6, 22, 22, XDP_DROP) \
 R(2, IP(10,1,0,0),16, IP(172,16,5,0),24, 6, 443, 443, XDP_PASS) \
 R(3, IP(192,0,2,0),24, IP(0,0,0,0),0, 0, 0, 65535, XDP_DROP) \
 R(4, IP(198,18,0,0),15, IP(172,16,0,0),12, 17, 1024, 65535, XDP_DROP) \
 R(5, IP(203,0,113,0),24, IP(172,16,5,9),32, 6, 80, 80, XDP_PASS) \
 R(6, IP(203,0,113,0),24, IP(172,16,5,10),32, 6, 80, 81, XDP_PASS) \
 R(7, IP(203,0,113,0),24, IP(172,16,5,11),32, 6, 80, 82, XDP_PASS) \
 R(8, IP(203,0,113,0),24, IP(172,16,5,12),32, 6, 80, 83, XDP_PASS) \
 R(9, IP(203,0,113,64),26, IP(172,16,6,0),24, 17, 500, 500, XDP_PASS) \
 R(10, IP(203,0,113,64),26, IP(172,16,6,0),24, 17, 4500, 4500, XDP_PASS) \
 R(11, IP(203,0,113,128),25, IP(172,16,6,0),24, 50, 0, 65535, XDP_PASS) \
 R(12, IP(10,2,0,0),16, IP(172,17,0,0),16, 6, 3306, 3306, XDP_PASS) \
 R(13, IP(10,3,0,0),16, IP(172,17,0,0),16, 6, 5432, 5432, XDP_PASS) \
 R(14, IP(10,4,0,0),16, IP(172,17,0,0),16, 6, 6379, 6379, XDP_PASS) \
 R(15, IP(10,5,0,0),16, IP(172,17,0,0),16, 6, 9042, 9042, XDP_PASS) \
 R(16, IP(10,0,0,0),8, IP(172,17,0,0),16, 0, 0, 65535, XDP_DROP) \
 R(17, IP(172,18,1,0),24, IP(172,18,2,0),24, 6, 2379, 2380, XDP_PASS) \
 R(18, IP(172,18,2,0),24, IP(172,18,3,0),24, 6, 10250, 10259, XDP_PASS) \
 R(19, IP(172,18,3,0),24, IP(172,18,4,0),24, 6, 30000, 32767, XDP_PASS) \
 R(20, IP(172,18,4,0),24, IP(172,18,5,0),24, 17, 8472, 8472, XDP_PASS) \
 R(21, IP(172,18,0,0),16, IP(172,18,0,0),16, 0, 0, 65535, XDP_DROP) \
 R(22, IP(100,64,0,0),10, IP(0,0,0,0),0, 0, 0, 65535, XDP_DROP) \
 R(23, IP(169,254,0,0),16, IP(0,0,0,0),0, 0, 0, 65535, XDP_DROP) \
 R(24, IP(127,0,0,0),8, IP(0,0,0,0),0, 0, 0, 65535, XDP_DROP) \
 R(25, IP(224,0,0,0),4, IP(0,0,0,0),0, 0, 0, 65535, XDP_DROP) \
 R(26, IP(240,0,0,0),4, IP(0,0,0,0),0, 0, 0, 65535, XDP_DROP) \
 R(27, IP(0,0,0,0),8, IP(0,0,0,0),0, 0, 0, 65535, XDP_DROP) \
 R(28, IP(0,0,0,0),0, IP(172,16,7,1),32, 6, 25, 25, XDP_PASS) \
 R(29, IP(0,0,0,0),0, IP(172,16,7,1),32, 6, 465, 465, XDP_PASS) \
 R(30, IP(0,0,0,0),0, IP(172,16,7,1),32, 6, 587, 587, XDP_PASS) \
 R(31, IP(0,0,0,0),0, IP(172,16,7,2),32, 6, 993, 993, XDP_PASS) \
 R(32, IP(0,0,0,0),0, IP(172,16,7,2),32, 6, 143, 143, XDP_DROP) \
 R(33, IP(0,0,0,0),0, IP(172,16,8,0),24, 6, 135, 139, XDP_DROP) \
 R(34, IP(0,0,0,0),0, IP(172,16,8,0),24, 17, 135, 139, XDP_DROP) \
 R(35, IP(0,0,0,0),0, IP(172,16,8,0),24, 6, 445, 445, XDP_DROP) \
 R(36, IP(0,0,0,0),0, IP(172,16,8,0),24, 6, 3389, 3389, XDP_DROP) \
 R(37, IP(0,0,0,0),0, IP(172,16,9,0),24, 6, 8080, 8090, XDP_PASS) \
 R(38, IP(0,0,0,0),0, IP(172,16,9,0),24, 6, 8443, 8443, XDP_PASS) \
 R(39, IP(0,0,0,0),0, IP(172,16,9,0),24, 17, 443, 443, XDP_PASS) \
 R(40, IP(0,0,0,0),0, IP(172,16,10,0),24, 132, 36412, 36412, XDP_PASS) \
 R(41, IP(0,0,0,0),0, IP(172,16,10,0),24, 17, 2152, 2152, XDP_PASS) \
 R(42, IP(0,0,0,0),0, IP(172,16,11,0),24, 17, 67, 68, XDP_DROP) \
 R(43, IP(0,0,0,0),0, IP(172,16,11,0),24, 17, 69, 69, XDP_DROP) \
 R(44, IP(0,0,0,0),0, IP(172,16,11,0),24, 17, 161, 162, XDP_DROP) \
 R(45, IP(0,0,0,0),0, IP(172,16,11,0),24, 17, 514, 514, XDP_PASS) \
 R(46, IP(0,0,0,0),0, IP(172,16,12,0),24, 6, 179, 179, XDP_PASS) \
 R(47, IP(0,0,0,0),0, IP(172,16,12,0),24, 17, 3784, 3785, XDP_PASS) \
 R(48, IP(0,0,0,0),0, IP(172,16,12,0),24, 17, 4784, 4784, XDP_PASS) \
 R(49, IP(0,0,0,0),0, IP(172,16,12,0),24, 89, 0, 65535, XDP_PASS) \
 R(50, IP(0,0,0,0),0, IP(172,16,13,0),24, 6, 1883, 1883, XDP_PASS) \
 R(51, IP(0,0,0,0),0, IP(172,16,13,0),24, 6, 8883, 8883, XDP_PASS) \
 R(52, IP(0,0,0,0),0, IP(172,16,13,0),24, 17, 5683, 5684, XDP_PASS) \
 R(53, IP(0,0,0,0),0, IP(172,16,14,0),24, 6, 50051, 50060, XDP_PASS) \
 R(54, IP(0,0,0,0),0, IP(172,16,15,0),24, 17, 10000, 20000, XDP_PASS) \
 R(55, IP(0,0,0,0),0, IP(172,16,15,0),24, 6, 5060, 5061, XDP_PASS) \
 R(56, IP(172,16,0,0),12, IP(0,0,0,0),0, 1, 0, 65535, XDP_PASS)

__u64 rule_hits[64];

SEC("xdp")
int acl(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *l4 = (void *)(ip + 1);
	__u32 src, dst, proto, port = 0;

	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	src = bpf_ntohl(ip->saddr);
	dst = bpf_ntohl(ip->daddr);
	proto = ip->protocol;
	if (proto == 6 || proto == 17 || proto == 132) {
		if ((void *)(l4 + 1) > end)
			return XDP_DROP;
		port = bpf_ntohs(l4->dest);
	}

#define RULE(N, SA, SL, DA, DL, PROTO, FIRST, LAST, VERDICT)		\
	if ((src & MASK(SL)) == (SA) && (dst & MASK(DL)) == (DA) &&	\
	    (!(PROTO) || proto == (PROTO)) &&				\
	    ((LAST) == 65535 || (port >= (FIRST) && port <= (LAST)))) {	\
		rule_hits[N]++;						\
		return VERDICT;						\
	}
	RULES(RULE)
#undef RULE
	rule_hits[0]++;
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
