/* SPDX-License-Identifier: Apache-2.0
 *
 * A learning bridge: who sends where is remembered by VLAN and address; known
 * destinations are redirected through a device map, the others go to the
 * stack, which floods.  Storms of broadcasts from one port are cut off.
 *
 * map: ports 01000000 => 01000000
 * unstable: fdb
 * packet: eth 9 3 / ip 10.0.0.3 10.0.0.9 / udp 1 2
 * verdict: pass
 * packet: eth 3 9 / ip 10.0.0.9 10.0.0.3 / udp 2 1
 * verdict: drop
 * packet: eth 3 9 / vlan 5 / ip 10.0.0.9 10.0.0.3 / udp 2 1
 * verdict: pass
 * packet: eth ff:ff:ff:ff:ff:ff 9 / arp 1
 * verdict: pass
 * packet: eth 01:80:c2:00:00:00 9 / hex 4242
 * verdict: pass
 * packet: eth 9 03:00:00:00:00:01 / hex 4242
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct fdb_key {
	__u8 mac[ETH_ALEN];
	__u16 vlan;
};

struct fdb_entry {
	__u64 last_seen;
	__u32 port;
	__u32 moves;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fdb_key);
	__type(value, struct fdb_entry);
	__uint(max_entries, 8192);
} fdb SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 64);
} ports SEC(".maps");

struct storm {
	__u64 second;
	__u32 count;
	__u32 cut;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, __u32);
	__type(value, struct storm);
	__uint(max_entries, 64);
} storms SEC(".maps");

#define STORM_LIMIT 1000

static __always_inline int storm_ok(__u32 port, __u64 now)
{
	struct storm *s = bpf_map_lookup_elem(&storms, &port);
	__u64 second = now >> 30;

	if (!s) {
		struct storm fresh = { .second = 0, .count = 1 };

		bpf_map_update_elem(&storms, &port, &fresh, BPF_ANY);
		return 1;
	}
	if (s->second != second && s->count > STORM_LIMIT) {
		s->second = second;
		s->count = 0;
	}
	if (s->count > STORM_LIMIT) {
		s->cut++;
		return 0;
	}
	s->count++;
	return 1;
}

static __always_inline void learn(struct fdb_key *key, __u32 port, __u64 now)
{
	struct fdb_entry *e = bpf_map_lookup_elem(&fdb, key);
	struct fdb_entry fresh = { .last_seen = now, .port = port };

	if (e) {
		if (e->port != port) {
			e->port = port;
			__sync_fetch_and_add(&e->moves, 1);
		}
		e->last_seen = now;
		return;
	}
	bpf_map_update_elem(&fdb, key, &fresh, BPF_ANY);
}

SEC("xdp")
int bridge(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 in_port = ctx->ingress_ifindex;
	struct ethhdr *eth = data;
	struct fdb_key key = {};
	struct fdb_entry *e;
	__u64 now;

	if (data + sizeof(*eth) > end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_8021Q)) {
		__be16 *tci = data + sizeof(*eth);

		if ((void *)(tci + 2) > end)
			return XDP_DROP;
		key.vlan = bpf_ntohs(*tci) & 0xfff;
	}
	if (eth->h_source[0] & 1)
		return XDP_DROP;
	/* Addresses of protocols that bridges keep to themselves. */
	if (eth->h_dest[0] == 0x01 && eth->h_dest[1] == 0x80 &&
	    eth->h_dest[2] == 0xc2 && eth->h_dest[3] == 0 &&
	    eth->h_dest[4] == 0 && eth->h_dest[5] < 0x10)
		return XDP_PASS;

	now = bpf_ktime_get_ns();
	__builtin_memcpy(key.mac, eth->h_source, ETH_ALEN);
	learn(&key, in_port, now);
	if (eth->h_dest[0] & 1)
		return storm_ok(in_port, now) ? XDP_PASS : XDP_DROP;

	__builtin_memcpy(key.mac, eth->h_dest, ETH_ALEN);
	e = bpf_map_lookup_elem(&fdb, &key);
	if (!e)
		return XDP_PASS;
	if (e->port == in_port)
		return XDP_DROP;
	return bpf_redirect_map(&ports, e->port, XDP_PASS);
}

char _license[] SEC("license") = "GPL";
