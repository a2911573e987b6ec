/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples packets into a perf buffer, with the packet's first bytes appended
 * by the kernel: every so many of a protocol, errors always; samples that
 * nobody takes are counted.
 *
 * unstable: lost
 * unstable: bvs.bss
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 53 / zero 100
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 ihl=3 / udp 1000 53
 * verdict: drop
 * packet: eth / ip6 fe80::1 fe80::2 / tcp 1 2
 * verdict: pass
 * packet: eth / arp 1
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum reason { REASON_SAMPLE, REASON_BAD_IP, REASON_SHORT };

struct sample {
	__u64 time;
	__u32 ifindex;
	__u32 queue;
	__u16 length;
	__u16 caught;
	__u8 protocol;
	__u8 reason;
	__u16 ethertype;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} countdown SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

const volatile __u32 every = 2;
const volatile __u32 snap_length = 96;

static __always_inline void
send_sample(struct xdp_md *ctx, __u8 protocol, __u16 type, __u32 reason)
{
	__u64 length = ctx->data_end - ctx->data;
	__u64 caught = length < snap_length ? length : snap_length;
	struct sample s = {
		.time = bpf_ktime_get_ns(),
		.ifindex = ctx->ingress_ifindex,
		.queue = ctx->rx_queue_index,
		.length = length,
		.caught = caught,
		.protocol = protocol,
		.reason = reason,
		.ethertype = type,
	};
	__u64 *n;

	if (bpf_perf_event_output(ctx, &samples,
				  BPF_F_CURRENT_CPU | caught << 32, &s,
				  sizeof(s))) {
		n = bpf_map_lookup_elem(&lost, &reason);
		if (n)
			__sync_fetch_and_add(n, 1);
	}
}

static __always_inline int is_due(__u32 protocol)
{
	__u32 *left = bpf_map_lookup_elem(&countdown, &protocol);

	if (!left)
		return 0;
	if (*left) {
		*left -= 1;
		return 0;
	}
	*left = every - 1;
	return 1;
}

SEC("xdp")
int sampler(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	__u32 protocol = 255;
	__u16 type;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	type = bpf_ntohs(eth->h_proto);
	if (type == ETH_P_IP) {
		if ((void *)(ip + 1) > end) {
			send_sample(ctx, 0, type, REASON_SHORT);
			return XDP_DROP;
		}
		if (ip->version != 4 || ip->ihl < 5) {
			send_sample(ctx, 0, type, REASON_BAD_IP);
			return XDP_DROP;
		}
		protocol = ip->protocol;
	} else if (type == ETH_P_IPV6) {
		if ((void *)(ip6 + 1) > end) {
			send_sample(ctx, 0, type, REASON_SHORT);
			return XDP_DROP;
		}
		protocol = ip6->nexthdr;
	}
	if (is_due(protocol))
		send_sample(ctx, protocol, type, REASON_SAMPLE);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
