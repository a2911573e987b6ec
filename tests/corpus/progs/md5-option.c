/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks a keyed digest at the end of routing updates: MD5 (RFC 1321) over a
 * 16-byte key, the first 32 bytes of the payload and the padding, one block,
 * 64 steps without a loop; the payload's next 16 bytes must be that.
 *
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 520 520 / zero 48
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 520 520 / zero 32 / hex 0a1eccc4f86a3ff8d12e52a4f906f919
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 520 520 / zero 12
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 521 521 / zero 12
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct signed_update {
	__u32 text[8];
	__u32 digest[4];
};

const volatile __u32 md5_key[4] = { 1, 2, 3, 4 };

#define F(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define G(x, y, z) F(z, x, y)
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))
#define STEP(f, a, b, c, d, m, t, s)					\
	a += f(b, c, d) + (m) + (t);					\
	a = ((a << (s)) | (a >> (32 - (s)))) + b;			\
	asm volatile("" : "+r"(a))

static __always_inline int digest_fits(const struct signed_update *u)
{
	__u32 a = 0x67452301, b = 0xefcdab89, c = 0x98badcfe, d = 0x10325476;
	__u32 k0 = md5_key[0], k1 = md5_key[1], k2 = md5_key[2];
	__u32 k3 = md5_key[3], pad = 0x80, size = 48 * 8;
	const __u32 *t = u->text;

	STEP(F, a, b, c, d, k0, 0xd76aa478, 7);
	STEP(F, d, a, b, c, k1, 0xe8c7b756, 12);
	STEP(F, c, d, a, b, k2, 0x242070db, 17);
	STEP(F, b, c, d, a, k3, 0xc1bdceee, 22);
	STEP(F, a, b, c, d, t[0], 0xf57c0faf, 7);
	STEP(F, d, a, b, c, t[1], 0x4787c62a, 12);
	STEP(F, c, d, a, b, t[2], 0xa8304613, 17);
	STEP(F, b, c, d, a, t[3], 0xfd469501, 22);
	STEP(F, a, b, c, d, t[4], 0x698098d8, 7);
	STEP(F, d, a, b, c, t[5], 0x8b44f7af, 12);
	STEP(F, c, d, a, b, t[6], 0xffff5bb1, 17);
	STEP(F, b, c, d, a, t[7], 0x895cd7be, 22);
	STEP(F, a, b, c, d, pad, 0x6b901122, 7);
	STEP(F, d, a, b, c, 0, 0xfd987193, 12);
	STEP(F, c, d, a, b, size, 0xa679438e, 17);
	STEP(F, b, c, d, a, 0, 0x49b40821, 22);

	STEP(G, a, b, c, d, k1, 0xf61e2562, 5);
	STEP(G, d, a, b, c, t[2], 0xc040b340, 9);
	STEP(G, c, d, a, b, t[7], 0x265e5a51, 14);
	STEP(G, b, c, d, a, k0, 0xe9b6c7aa, 20);
	STEP(G, a, b, c, d, t[1], 0xd62f105d, 5);
	STEP(G, d, a, b, c, t[6], 0x02441453, 9);
	STEP(G, c, d, a, b, 0, 0xd8a1e681, 14);
	STEP(G, b, c, d, a, t[0], 0xe7d3fbc8, 20);
	STEP(G, a, b, c, d, t[5], 0x21e1cde6, 5);
	STEP(G, d, a, b, c, size, 0xc33707d6, 9);
	STEP(G, c, d, a, b, k3, 0xf4d50d87, 14);
	STEP(G, b, c, d, a, t[4], 0x455a14ed, 20);
	STEP(G, a, b, c, d, 0, 0xa9e3e905, 5);
	STEP(G, d, a, b, c, k2, 0xfcefa3f8, 9);
	STEP(G, c, d, a, b, t[3], 0x676f02d9, 14);
	STEP(G, b, c, d, a, pad, 0x8d2a4c8a, 20);

	STEP(H, a, b, c, d, t[1], 0xfffa3942, 4);
	STEP(H, d, a, b, c, t[4], 0x8771f681, 11);
	STEP(H, c, d, a, b, t[7], 0x6d9d6122, 16);
	STEP(H, b, c, d, a, size, 0xfde5380c, 23);
	STEP(H, a, b, c, d, k1, 0xa4beea44, 4);
	STEP(H, d, a, b, c, t[0], 0x4bdecfa9, 11);
	STEP(H, c, d, a, b, t[3], 0xf6bb4b60, 16);
	STEP(H, b, c, d, a, t[6], 0xbebfbc70, 23);
	STEP(H, a, b, c, d, 0, 0x289b7ec6, 4);
	STEP(H, d, a, b, c, k0, 0xeaa127fa, 11);
	STEP(H, c, d, a, b, k3, 0xd4ef3085, 16);
	STEP(H, b, c, d, a, t[2], 0x04881d05, 23);
	STEP(H, a, b, c, d, t[5], 0xd9d4d039, 4);
	STEP(H, d, a, b, c, pad, 0xe6db99e5, 11);
	STEP(H, c, d, a, b, 0, 0x1fa27cf8, 16);
	STEP(H, b, c, d, a, k2, 0xc4ac5665, 23);

	STEP(I, a, b, c, d, k0, 0xf4292244, 6);
	STEP(I, d, a, b, c, t[3], 0x432aff97, 10);
	STEP(I, c, d, a, b, size, 0xab9423a7, 15);
	STEP(I, b, c, d, a, t[1], 0xfc93a039, 21);
	STEP(I, a, b, c, d, pad, 0x655b59c3, 6);
	STEP(I, d, a, b, c, k3, 0x8f0ccc92, 10);
	STEP(I, c, d, a, b, t[6], 0xffeff47d, 15);
	STEP(I, b, c, d, a, k1, 0x85845dd1, 21);
	STEP(I, a, b, c, d, t[4], 0x6fa87e4f, 6);
	STEP(I, d, a, b, c, 0, 0xfe2ce6e0, 10);
	STEP(I, c, d, a, b, t[2], 0xa3014314, 15);
	STEP(I, b, c, d, a, 0, 0x4e0811a1, 21);
	STEP(I, a, b, c, d, t[0], 0xf7537e82, 6);
	STEP(I, d, a, b, c, t[7], 0xbd3af235, 10);
	STEP(I, c, d, a, b, k2, 0x2ad7d2bb, 15);
	STEP(I, b, c, d, a, t[5], 0xeb86d391, 21);

	a = (a + 0x67452301) ^ u->digest[0];
	b = (b + 0xefcdab89) ^ u->digest[1];
	c = (c + 0x98badcfe) ^ u->digest[2];
	d = (d + 0x10325476) ^ u->digest[3];
	return !(a | b | c | d);
}

SEC("xdp")
int check_updates(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct signed_update *u = (void *)(udp + 1);

	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->ihl != 5 || ip->protocol != IPPROTO_UDP ||
	    udp->dest != bpf_htons(520))
		return XDP_PASS;
	if ((void *)(u + 1) > end)
		return XDP_DROP;
	return digest_fits(u) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
