/* SPDX-License-Identifier: Apache-2.0
 *
 * Both ends of an IP-in-IP tunnel on one interface: what arrives in a tunnel
 * is taken out, what is for a remote network is put in.  The ECN marks of
 * the outer header survive.
 *
 * map: remote_networks 18000000c0a807 => 0a000009020000000009
 * packet: eth / ip 1.1.1.1 10.0.0.5 tos=3 / ip 192.168.1.1 192.168.2.2 tos=1 / udp 5 6 / text inner
 * verdict: pass
 * output: eth / ip 192.168.1.1 192.168.2.2 tos=3 / udp 5 6 / text inner
 * packet: eth / ip 10.0.0.5 192.168.7.77 ttl=9 id=5 / udp 5 6 / text out
 * verdict: tx
 * packet: eth / ip 10.0.0.5 192.168.8.77 / udp 5 6
 * verdict: pass
 * packet: eth / ip 10.0.0.5 10.0.0.6 / ip 1.1.1.1 2.2.2.2 ihl=4
 * verdict: drop
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

/* Own definitions: no header of a particular system is needed. */
struct eth {
        __u8 to[6], from[6];
        __u16 type;
} __attribute__((packed));

struct ip4 {
        __u8 version_ihl, tos;
        __u16 len, id, frag;
        __u8 ttl, proto;
        __u16 sum;
        __u32 src, dst;
};

struct prefix {
        __u32 len;
        __u8 addr[4];
};

struct remote {
        __u32 endpoint;
        __u8 mac[6];
} __attribute__((packed));

struct {
        __uint(type, BPF_MAP_TYPE_LPM_TRIE);
        __uint(max_entries, 1000);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __uint(key_size, 7);
        __uint(value_size, sizeof(struct remote));
} remote_networks SEC(".maps");

#define DATA(x) ((void *)(long)(x)->data)
#define DATA_END(x) ((void *)(long)(x)->data_end)
#define FITS(x, p) ((void *)((p) + 1) <= DATA_END(x))

static __always_inline __u16 fold(__u64 sum)
{
        sum = (sum & 0xffffffff) + (sum >> 32);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        return ~sum;
}

static __always_inline void set_sum(struct ip4 *ip)
{
        ip->sum = 0;
        ip->sum = fold(bpf_csum_diff(0, 0, (__be32 *)ip, sizeof *ip, 0));
}

static __always_inline int take_out(struct xdp_md *x)
{
        struct eth *e = DATA(x), saved;
        struct ip4 *outer = (void *)(e + 1), *inner = outer + 1;
        __u8 outer_ecn;

        if (!FITS(x, inner))
                return XDP_DROP;
        if (inner->version_ihl >> 4 != 4 || (inner->version_ihl & 15) < 5)
                return XDP_DROP;
        saved = *e;
        outer_ecn = outer->tos & 3;
        if (bpf_xdp_adjust_head(x, sizeof *outer))
                return XDP_ABORTED;
        e = DATA(x);
        inner = (void *)(e + 1);
        if (!FITS(x, inner))
                return XDP_ABORTED;
        *e = saved;
        if (outer_ecn == 3 && inner->tos & 3 && (inner->tos & 3) != 3
            && inner->version_ihl == 0x45) {
                inner->tos |= 3;
                set_sum(inner);
        }
        return XDP_PASS;
}

static __always_inline int put_in(struct xdp_md *x, const struct remote *r)
{
        struct eth *e = DATA(x), saved;
        struct ip4 *ip = (void *)(e + 1), copy;

        if (!FITS(x, ip))
                return XDP_DROP;
        saved = *e;
        copy = *ip;
        if (bpf_xdp_adjust_head(x, 0 - (int)sizeof *ip))
                return XDP_ABORTED;
        e = DATA(x);
        ip = (void *)(e + 1);
        if (!FITS(x, ip))
                return XDP_ABORTED;
        __builtin_memcpy(e->to, r->mac, 6);
        __builtin_memcpy(e->from, saved.to, 6);
        e->type = saved.type;
        *ip = copy;
        ip->version_ihl = 0x45;
        ip->len = bpf_htons(bpf_ntohs(copy.len) + sizeof *ip);
        ip->proto = 4;
        ip->frag = bpf_htons(0x4000);
        ip->ttl = 64;
        ip->src = copy.dst;
        ip->dst = r->endpoint;
        set_sum(ip);
        return XDP_TX;
}

SEC("xdp") int tunnel(struct xdp_md *x)
{
        struct eth *e = DATA(x);
        struct ip4 *ip = (void *)(e + 1);
        struct prefix p = { .len = 32 };
        const struct remote *r;
        struct { __u32 len; __u8 net[3]; } __attribute__((packed)) key;

        if (!FITS(x, ip) || e->type != bpf_htons(0x0800))
                return XDP_PASS;
        if (ip->proto == 4)
                return take_out(x);
        __builtin_memcpy(p.addr, &ip->dst, 4);
        key.len = 24;
        __builtin_memcpy(key.net, p.addr, 3);
        r = bpf_map_lookup_elem(&remote_networks, &key);
        return r ? put_in(x, r) : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
