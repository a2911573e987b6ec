/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps rogue DHCP servers out: walks the options of what servers send, and
 * lets offers pass only from servers on a list; remembers the leases that
 * were acknowledged so that others cannot use the addresses.
 *
 * map: servers 0a000001 => 01
 * unstable: leases
 * packet: eth / ip 10.0.0.1 255.255.255.255 / udp 67 68 / hex 02010600 / zero 12 / hex 0a000055 / zero 8 / hex 020000000007 / zero 202 / hex 63825363 350105 36040a000001 ff
 * verdict: pass
 * packet: eth / ip 10.0.0.66 255.255.255.255 / udp 67 68 / hex 02010600 / zero 12 / hex 0a000056 / zero 8 / hex 020000000007 / zero 202 / hex 63825363 350102 36040a000042 ff
 * verdict: drop
 * packet: eth / ip 0.0.0.0 255.255.255.255 / udp 68 67 / zero 240
 * verdict: pass
 * packet: eth 2 7 / ip 10.0.0.85 8.8.8.8 / udp 1 2
 * verdict: pass
 * packet: eth 2 9 / ip 10.0.0.85 8.8.8.8 / udp 1 2
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct bootp {
    __u8 op, htype, hlen, hops;
    __be32 xid;
    __be16 secs, flags;
    __be32 ciaddr, yiaddr, siaddr, giaddr;
    __u8 chaddr[16];
    __u8 names[192];
    __be32 magic;
};

struct lease {
    __u8 mac[6];
    __u16 pad;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __be32);
    __type(value, __u8);
} servers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, __be32);
    __type(value, struct lease);
} leases SEC(".maps");

#define MAX_OPTIONS 12
enum { MESSAGE_TYPE = 53, SERVER_ID = 54, END = 255 };

struct found {
    __u32 type;
    __be32 server;
};

static __always_inline void
read_options(__u8 *p, void *end, struct found *f)
{
    for (int i = 0; i < MAX_OPTIONS; i++) {
        if ((void *) (p + 2) > end) {
            break;
        }
        if (p[0] == END) {
            break;
        } else if (p[0] == MESSAGE_TYPE && (void *) (p + 3) <= end) {
            f->type = p[2];
        } else if (p[0] == SERVER_ID && (void *) (p + 6) <= end) {
            f->server = p[2] | p[3] << 8 | p[4] << 16 | (__u32) p[5] << 24;
        }
        p += 2 + p[1];
    }
}

static __always_inline int
server_says(struct bootp *b, void *end)
{
    struct found f = { 0, 0 };
    struct lease lease = { .pad = 0 };
    __be32 address;

    if ((void *) (b + 1) > end || b->op != 2
        || b->magic != bpf_htonl(0x63825363)) {
        return XDP_DROP;
    }
    read_options((__u8 *) (b + 1), end, &f);
    if (!bpf_map_lookup_elem(&servers, &f.server)) {
        return XDP_DROP;
    }
    if (f.type == 5) {
        address = b->yiaddr;
        __builtin_memcpy(lease.mac, b->chaddr, 6);
        bpf_map_update_elem(&leases, &address, &lease, BPF_ANY);
    }
    return XDP_PASS;
}

SEC("xdp")
int guard(struct xdp_md *ctx)
{
    void *end = (void *) (long) ctx->data_end;
    struct ethhdr *eth = (void *) (long) ctx->data;
    struct iphdr *ip = (void *) (eth + 1);
    struct udphdr *udp = (void *) (ip + 1);
    struct lease *lease;
    __be32 source;

    if ((void *) (udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)
        || ip->ihl != 5) {
        return XDP_PASS;
    }
    if (ip->protocol == IPPROTO_UDP && udp->dest == bpf_htons(67)) {
        return XDP_PASS;
    }
    if (ip->protocol == IPPROTO_UDP && udp->source == bpf_htons(67)) {
        return server_says((void *) (udp + 1), end);
    }
    source = ip->saddr;
    lease = bpf_map_lookup_elem(&leases, &source);
    if (!lease) {
        return XDP_PASS;
    }
    for (int i = 0; i < 6; i++) {
        if (lease->mac[i] != eth->h_source[i]) {
            return XDP_DROP;
        }
    }
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
