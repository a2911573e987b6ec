/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the server name in a TLS ClientHello: record, handshake, session,
 * cipher suites, compression, then the extensions one after the other, and
 * drops connections to names on a list (by a hash of the first 24 bytes).
 *
 * map: forbidden 86ab6aeb => 0100
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 443 flags=PA / hex 160301003b 01000037 0303 / x 17 32 / hex 00 0002 1301 0100 000c 0000 0008 0006 00 0003 6f7267
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 443 flags=PA / hex 160301003b 01000037 0303 / x 17 32 / hex 00 0002 1301 0100 0012 002b 0002 0304 0000 0008 0006 00 0003 6f7267
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 443 flags=PA / hex 17030100100000
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 443 flags=PA / hex 160301003b 0100
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_EXTENSIONS 12
#define NAME_BYTES 24

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u16);
} forbidden SEC(".maps");

__u64 hellos, names, last_hash;

struct reader {
	__u8 *p;
	__u8 *end;
};

static __always_inline int get8(struct reader *r, __u32 *v)
{
	if (r->p + 1 > r->end)
		return -1;
	*v = r->p[0];
	r->p += 1;
	return 0;
}

static __always_inline int get16(struct reader *r, __u32 *v)
{
	if (r->p + 2 > r->end)
		return -1;
	*v = r->p[0] << 8 | r->p[1];
	r->p += 2;
	return 0;
}

static __always_inline __u32 hash_name(struct reader *r, __u32 len)
{
	__u32 h = 5381;

	for (int i = 0; i < NAME_BYTES; i++) {
		if (i >= len || r->p + i + 1 > r->end)
			break;
		h = h * 33 ^ r->p[i];
	}
	return h;
}

static __always_inline int read_sni(struct reader *r, __u32 *hash)
{
	__u32 v, len;

	if (get16(r, &v) || get8(r, &v) || v != 0 || get16(r, &len))
		return -1;
	*hash = hash_name(r, len);
	return 0;
}

static __always_inline int find_sni(struct reader *r, __u32 *hash)
{
	__u32 type, len;

	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		if (get16(r, &type) || get16(r, &len))
			return -1;
		if (type == 0)
			return read_sni(r, hash);
		r->p += len & 0x1ff;
	}
	return -1;
}

SEC("xdp")
int filter_server_names(struct xdp_md *ctx)
{
	struct reader r = {
		.p = (__u8 *)(long)ctx->data,
		.end = (__u8 *)(long)ctx->data_end,
	};
	struct ethhdr *eth = (struct ethhdr *)r.p;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
	__u32 v, hash;

	if ((__u8 *)(tcp + 1) > r.end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP ||
	    tcp->dest != bpf_htons(443))
		return XDP_PASS;
	r.p = (__u8 *)tcp + tcp->doff * 4;

	/* record: handshake(22), version, length; hello(1), length, version */
	if (get8(&r, &v) || v != 22 || get16(&r, &v) || get16(&r, &v))
		return XDP_PASS;
	if (get8(&r, &v) || v != 1 || get8(&r, &v) || get16(&r, &v) ||
	    get16(&r, &v))
		return XDP_PASS;
	hellos++;
	r.p += 32;
	if (get8(&r, &v))
		return XDP_PASS;
	r.p += v & 31;
	if (get16(&r, &v))
		return XDP_PASS;
	r.p += v & 0xff;
	if (get8(&r, &v))
		return XDP_PASS;
	r.p += v & 7;
	if (get16(&r, &v) || find_sni(&r, &hash))
		return XDP_PASS;
	names++;
	last_hash = hash;
	return bpf_map_lookup_elem(&forbidden, &hash) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
