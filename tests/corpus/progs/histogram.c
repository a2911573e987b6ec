/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics for a dashboard: packet sizes in powers of two by direction of
 * traffic class (DSCP), TTL histogram, fragment and TCP flag counts.  All per
 * CPU, in one value, without atomics.
 *
 * packet: eth / ip 10.0.0.1 10.0.0.2 tos=0xb8 ttl=3 / tcp 1 2 flags=SF / zero 100
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 frag=0x2000 / udp 1 2 / zero 1000
 * verdict: pass
 * packet: eth / ip6 fe80::1 fe80::2 class=0x28 hlim=255 / tcp 1 2 flags=RPA
 * verdict: pass
 * packet: eth / hex 00
 * verdict: pass
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define N_SIZES 17
#define N_CLASSES 8
#define N_TTLS 9

struct stats {
	u64 sizes[N_CLASSES][N_SIZES];
	u64 ttls[N_TTLS];
	u64 flags[8];
	u64 fragments;
	u64 not_ip;
	u64 truncated;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stats);
} stats SEC(".maps");

static __always_inline u32 log2_of(u32 v)
{
	u32 r, shift;

	r = (v > 0xffff) << 4; v >>= r;
	shift = (v > 0xff) << 3; v >>= shift; r |= shift;
	shift = (v > 0xf) << 2; v >>= shift; r |= shift;
	shift = (v > 0x3) << 1; v >>= shift; r |= shift;
	return r | (v >> 1);
}

static __always_inline void
count_flags(struct stats *s, u8 flags)
{
	u32 bit;

#pragma clang loop unroll(full)
	for (bit = 0; bit < 8; bit++)
		if (flags & (1u << bit))
			s->flags[bit] += 1;
}

SEC("xdp")
int measure(struct xdp_md *ctx)
{
	u8 *p = (u8 *)(u64)ctx->data, *end = (u8 *)(u64)ctx->data_end;
	u32 zero = 0, size = end - p, class, ttl, l4, proto, bucket;
	struct stats *s = bpf_map_lookup_elem(&stats, &zero);

	if (!s)
		return XDP_PASS;
	if (p + 14 > end) {
		s->truncated++;
		return XDP_PASS;
	}
	if (p[12] == 0x08 && p[13] == 0x00) {
		if (p + 34 > end)
			goto truncated;
		class = p[15] >> 5;
		ttl = p[22];
		proto = p[23];
		l4 = 14 + (p[14] & 0xf) * 4;
		if ((p[20] & 0x3f) | p[21]) {
			s->fragments++;
			proto = 255;
		}
	} else if (p[12] == 0x86 && p[13] == 0xdd) {
		if (p + 54 > end)
			goto truncated;
		class = (p[14] & 0xf) >> 1;
		ttl = p[21];
		proto = p[20];
		l4 = 54;
	} else {
		s->not_ip++;
		return XDP_PASS;
	}

	bucket = log2_of(size);
	if (bucket >= N_SIZES)
		bucket = N_SIZES - 1;
	s->sizes[class & (N_CLASSES - 1)][bucket]++;
	bucket = ttl ? log2_of(ttl) + 1 : 0;
	if (bucket < N_TTLS)
		s->ttls[bucket]++;
	if (proto == 6) {
		u8 *tcp = p + l4;

		if (tcp + 20 > end)
			goto truncated;
		count_flags(s, tcp[13]);
	}
	return XDP_PASS;

truncated:
	s->truncated++;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
