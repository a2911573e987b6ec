/* SPDX-License-Identifier: Apache-2.0
 *
 * Snoops IGMP (versions 1 to 3) so that multicast goes only where somebody
 * wants it: group records of reports update a table of groups and ports; data
 * for groups without members is dropped.
 *
 * unstable: members
 * packet: eth 01:00:5e:00:00:16 5 / ip 10.0.0.5 224.0.0.22 ttl=1 proto=2 / hex 2200e9f600000002 04000000ef010101 04000000ef010102
 * verdict: pass
 * packet: eth 01:00:5e:01:01:02 6 / ip 10.0.0.6 239.1.1.2 / udp 1 5000
 * verdict: pass
 * packet: eth 01:00:5e:01:01:03 6 / ip 10.0.0.6 239.1.1.3 / udp 1 5000
 * verdict: drop
 * packet: eth 01:00:5e:01:01:02 5 / ip 10.0.0.5 239.1.1.2 ttl=1 proto=2 / hex 1700f8fcef010102
 * verdict: pass
 * packet: eth 01:00:5e:01:01:02 6 / ip 10.0.0.6 239.1.1.2 / udp 1 5000
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_RECORDS 8

struct igmp3_record {
	__u8 type;
	__u8 aux_words;
	__be16 n_sources;
	__be32 group;
};

struct membership {
	__be32 group;
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct membership);
	__type(value, __u64);
} members SEC(".maps");

static void join(__be32 group, __u32 port)
{
	struct membership m = { group, port };
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&members, &m, &now, BPF_ANY);
}

static void leave(__be32 group, __u32 port)
{
	struct membership m = { group, port };

	bpf_map_delete_elem(&members, &m);
}

static __always_inline int report3(void *p, void *end, __u32 port)
{
	__u16 n_records;
	int i;

	if (p + 8 > end)
		return XDP_DROP;
	n_records = bpf_ntohs(*(__be16 *)(p + 6));
	p += 8;
	for (i = 0; i < MAX_RECORDS; i++) {
		struct igmp3_record *r = p;
		__u32 n_sources;

		if (i >= n_records)
			break;
		if ((void *)(r + 1) > end)
			return XDP_DROP;
		n_sources = bpf_ntohs(r->n_sources);
		if (n_sources > 64)
			return XDP_DROP;
		/* To include no source is to leave. */
		if ((r->type == 1 || r->type == 3) && !n_sources)
			leave(r->group, port);
		else if (r->type >= 1 && r->type <= 5)
			join(r->group, port);
		p += sizeof(*r) + n_sources * 4 + r->aux_words * 4;
	}
	return XDP_PASS;
}

static __always_inline int igmp(void *p, void *end, __u32 port)
{
	__u8 *type = p;
	__be32 *group = p + 4;

	if ((void *)(group + 1) > end)
		return XDP_DROP;
	switch (*type) {
	case 0x22:
		return report3(p, end, port);
	case 0x12:
	case 0x16:
		join(*group, port);
		return XDP_PASS;
	case 0x17:
		leave(*group, port);
		return XDP_PASS;
	case 0x11:
		return XDP_PASS;
	default:
		return XDP_DROP;
	}
}

SEC("xdp")
int snoop(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct membership m;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->protocol == 2) {
		if (ip->ihl < 5 || ip->ttl != 1)
			return XDP_DROP;
		return igmp((void *)ip + ip->ihl * 4, end,
			    ctx->ingress_ifindex);
	}
	if ((bpf_ntohl(ip->daddr) >> 28) != 14)
		return XDP_PASS;
	/* 224.0.0.0/24 is for everybody. */
	if ((ip->daddr & bpf_htonl(0xffffff00)) == bpf_htonl(0xe0000000))
		return XDP_PASS;
	m.group = ip->daddr;
	m.port = ctx->ingress_ifindex;
	return bpf_map_lookup_elem(&members, &m) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
