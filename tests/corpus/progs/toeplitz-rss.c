/* SPDX-License-Identifier: Apache-2.0
 *
 * Spreads flows over CPUs as network cards do: the Toeplitz hash of addresses
 * and ports with a secret key, unrolled bit by bit, through an indirection
 * table to a CPU map.  The hash goes into the metadata as well.
 *
 * map: cpus 00000000 => 00080000
 * packet: eth / ip 66.9.149.187 161.142.100.80 / tcp 2794 1766
 * verdict: redirect
 * packet: eth / ip6 3ffe:2501:200:1fff::7 3ffe:2501:200:3::1 / tcp 2794 1766
 * verdict: redirect
 * packet: eth / ip 10.0.0.1 10.0.0.2 / icmp
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define KEY_WORDS 10

/* The key in words of 32 bits, most significant bit first. */
const volatile __u32 rss_key[KEY_WORDS] = {
	0x6d5a56da, 0x255b0ec2, 0x4167253d, 0x43a38fb0, 0xd0ca2bcb,
	0xae7b30b4, 0x77cb2da3, 0x8030f20c, 0x6a42b73b, 0xbeac01fa,
};

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 64);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, __u32);
} indirection SEC(".maps");

__u32 last_hash;

/* One word of input: bit i selects key bits i to i + 31.  The barrier keeps
 * the compiler from making branches of it, and from doing all shifts first,
 * which the stack cannot hold. */
#define TOEPLITZ_BIT(i)							\
	bit = (word >> (31 - (i))) & 1;					\
	asm volatile("" : "+r"(bit), "+r"(hash));			\
	hash ^= bit * (__u32)(key >> (32 - (i)))

static __always_inline __u32 toeplitz_word(__u32 hash, __u32 word, int n)
{
	__u64 key = (__u64)rss_key[n] << 32 | rss_key[n + 1];
	__u32 bit;

	TOEPLITZ_BIT(0); TOEPLITZ_BIT(1); TOEPLITZ_BIT(2); TOEPLITZ_BIT(3);
	TOEPLITZ_BIT(4); TOEPLITZ_BIT(5); TOEPLITZ_BIT(6); TOEPLITZ_BIT(7);
	TOEPLITZ_BIT(8); TOEPLITZ_BIT(9); TOEPLITZ_BIT(10); TOEPLITZ_BIT(11);
	TOEPLITZ_BIT(12); TOEPLITZ_BIT(13); TOEPLITZ_BIT(14); TOEPLITZ_BIT(15);
	TOEPLITZ_BIT(16); TOEPLITZ_BIT(17); TOEPLITZ_BIT(18); TOEPLITZ_BIT(19);
	TOEPLITZ_BIT(20); TOEPLITZ_BIT(21); TOEPLITZ_BIT(22); TOEPLITZ_BIT(23);
	TOEPLITZ_BIT(24); TOEPLITZ_BIT(25); TOEPLITZ_BIT(26); TOEPLITZ_BIT(27);
	TOEPLITZ_BIT(28); TOEPLITZ_BIT(29); TOEPLITZ_BIT(30); TOEPLITZ_BIT(31);
	return hash;
}

static __always_inline int ports_of(void *l4, void *end, __u8 proto,
				    __u32 *ports)
{
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return -1;
	if (l4 + 4 > end)
		return -1;
	*ports = bpf_ntohl(*(__be32 *)l4);
	return 0;
}

SEC("xdp")
int spread(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 hash = 0, ports, slot, cpu = 0, *chosen;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + sizeof(*eth);

		if ((void *)(ip + 1) > end || ip->ihl != 5)
			return XDP_PASS;
		if (ports_of(ip + 1, end, ip->protocol, &ports))
			return XDP_PASS;
		hash = toeplitz_word(hash, bpf_ntohl(ip->saddr), 0);
		hash = toeplitz_word(hash, bpf_ntohl(ip->daddr), 1);
		hash = toeplitz_word(hash, ports, 2);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = data + sizeof(*eth);
		__be32 *word = (__be32 *)&ip->saddr;
		int i;

		if ((void *)(ip + 1) > end)
			return XDP_PASS;
		if (ports_of(ip + 1, end, ip->nexthdr, &ports))
			return XDP_PASS;
#pragma unroll
		for (i = 0; i < 8; i++)
			hash = toeplitz_word(hash, bpf_ntohl(word[i]), i);
		hash = toeplitz_word(hash, ports, 8);
	} else {
		return XDP_PASS;
	}
	last_hash = hash;
	slot = hash & 127;
	chosen = bpf_map_lookup_elem(&indirection, &slot);
	if (chosen)
		cpu = *chosen & 63;
	return bpf_redirect_map(&cpus, cpu, XDP_PASS);
}

char _license[] SEC("license") = "GPL";
