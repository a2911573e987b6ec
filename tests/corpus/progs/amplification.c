/* SPDX-License-Identifier: Apache-2.0
 *
 * Stops amplification attacks: answers from well-known UDP services that are
 * larger than their kind should be, NTP's private mode, memcached, and more
 * than a few fragments of UDP from a source in a time slot.
 *
 * unstable: fragments
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 123 4000 / hex d7002a / zero 400
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 123 4000 / hex 1c0104 / zero 45
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 11211 4000 / zero 200
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 53 4000 / zero 1300
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 5000 4000 / zero 1300
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 frag=0x0010 / udp
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

typedef struct { __u16 port, max; } service;

const volatile service services[] = {
	{ 17, 128 }, { 19, 0 }, { 53, 1232 }, { 69, 600 }, { 111, 256 },
	{ 123, 200 }, { 137, 300 }, { 161, 800 }, { 389, 400 }, { 520, 512 },
	{ 1900, 320 }, { 3283, 100 }, { 3702, 500 }, { 5353, 512 },
	{ 11211, 64 }, { 27015, 1100 },
};
#define N_SERVICES (sizeof(services) / sizeof(services[0]))

__u64 stopped[N_SERVICES + 2];

struct slot {
	__u64 number;
	__u32 count;
	__u32 dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 10000);
	__type(key, __be32);
	__type(value, struct slot);
} fragments SEC(".maps");

const volatile __u32 max_fragments = 20;

static __always_inline int count_fragment(__be32 source)
{
	struct slot *s = bpf_map_lookup_elem(&fragments, &source);
	__u64 now = bpf_ktime_get_ns() >> 27;
	struct slot fresh = { .number = now, .count = 1 };

	if (!s) {
		bpf_map_update_elem(&fragments, &source, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	if (s->number != now) {
		s->number = now;
		s->count = 0;
	}
	if (++s->count > max_fragments) {
		s->dropped++;
		return XDP_DROP;
	}
	return XDP_PASS;
}

static __always_inline int is_private_ntp(struct udphdr *udp, void *end)
{
	__u8 *mode = (__u8 *)(udp + 1);

	return mode + 1 > (__u8 *)end || (*mode & 7) >= 6;
}

SEC("xdp")
int no_amplification(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 port, length, i;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->protocol != IPPROTO_UDP)
		return XDP_PASS;
	if (ip->frag_off & bpf_htons(0x1fff))
		return count_fragment(ip->saddr);
	if (ip->ihl != 5 || (void *)(udp + 1) > end)
		return XDP_DROP;
	port = bpf_ntohs(udp->source);
	length = bpf_ntohs(udp->len);
	if (port == 123 && is_private_ntp(udp, end)) {
		stopped[N_SERVICES]++;
		return XDP_DROP;
	}
	for (i = 0; i < N_SERVICES; i++) {
		if (services[i].port != port)
			continue;
		if (length <= services[i].max)
			return XDP_PASS;
		stopped[i]++;
		return XDP_DROP;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
