/* SPDX-License-Identifier: Apache-2.0
 *
 * Connection tracking for a stateful firewall: inside may open connections to
 * outside, not the other way round.  TCP goes through a table of states; UDP
 * has new and established; entries age by their state.
 *
 * set: inside_net 0x0000000a
 * set: inside_mask 0x000000ff
 * unstable: table
 * packet: eth / ip 10.0.0.5 8.8.8.8 / tcp 4000 443 flags=S seq=1
 * verdict: pass
 * packet: eth / ip 8.8.8.8 10.0.0.5 / tcp 443 4000 flags=SA seq=9 ack=2
 * verdict: pass
 * packet: eth / ip 10.0.0.5 8.8.8.8 / tcp 4000 443 flags=A seq=2 ack=10
 * verdict: pass
 * packet: eth / ip 8.8.8.8 10.0.0.5 / tcp 443 4001 flags=S
 * verdict: drop
 * packet: eth / ip 8.8.8.8 10.0.0.5 / tcp 443 4000 flags=R
 * verdict: pass
 * packet: eth / ip 8.8.8.8 10.0.0.5 / tcp 443 4000 flags=A
 * verdict: drop
 * packet: eth / ip 8.8.8.8 10.0.0.5 / udp 53 4000
 * verdict: drop
 * packet: eth / ip 10.0.0.5 8.8.8.8 / udp 4000 53
 * verdict: pass
 * packet: eth / ip 8.8.8.8 10.0.0.5 / udp 53 4000
 * verdict: pass
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum ct_state {
    CT_NONE, CT_SYN_SENT, CT_SYN_RECV, CT_ESTABLISHED, CT_FIN_WAIT,
    CT_CLOSED, CT_UDP_NEW, CT_UDP_BOTH, CT_N_STATES
};
enum ct_event { EV_SYN, EV_SYNACK, EV_ACK, EV_FIN, EV_RST, EV_N };

/* [direction][state][event]; direction 0 is that of who began. */
static const __u8 transitions[2][6][EV_N] = {
    {
        { CT_SYN_SENT, CT_CLOSED, CT_CLOSED, CT_CLOSED, CT_CLOSED },
        { CT_SYN_SENT, CT_CLOSED, CT_SYN_SENT, CT_CLOSED, CT_CLOSED },
        { CT_SYN_RECV, CT_CLOSED, CT_ESTABLISHED, CT_FIN_WAIT, CT_CLOSED },
        { CT_ESTABLISHED, CT_ESTABLISHED, CT_ESTABLISHED, CT_FIN_WAIT,
          CT_CLOSED },
        { CT_SYN_SENT, CT_FIN_WAIT, CT_FIN_WAIT, CT_FIN_WAIT, CT_CLOSED },
        { CT_SYN_SENT, CT_CLOSED, CT_CLOSED, CT_CLOSED, CT_CLOSED },
    }, {
        { CT_CLOSED, CT_CLOSED, CT_CLOSED, CT_CLOSED, CT_CLOSED },
        { CT_CLOSED, CT_SYN_RECV, CT_SYN_SENT, CT_CLOSED, CT_CLOSED },
        { CT_CLOSED, CT_SYN_RECV, CT_SYN_RECV, CT_FIN_WAIT, CT_CLOSED },
        { CT_ESTABLISHED, CT_ESTABLISHED, CT_ESTABLISHED, CT_FIN_WAIT,
          CT_CLOSED },
        { CT_FIN_WAIT, CT_FIN_WAIT, CT_FIN_WAIT, CT_FIN_WAIT, CT_CLOSED },
        { CT_CLOSED, CT_CLOSED, CT_CLOSED, CT_CLOSED, CT_CLOSED },
    },
};

static const __u32 lifetime_s[CT_N_STATES] = {
    [CT_NONE] = 1, [CT_SYN_SENT] = 30, [CT_SYN_RECV] = 30,
    [CT_ESTABLISHED] = 7200, [CT_FIN_WAIT] = 120, [CT_CLOSED] = 10,
    [CT_UDP_NEW] = 30, [CT_UDP_BOTH] = 180,
};

const volatile __u32 inside_net, inside_mask = 0xffffffff;

struct ct_key {
    __be32 inside, outside;
    __be16 inside_port, outside_port;
    __u32 proto;
};

struct ct_entry {
    __u64 expires;
    __u64 packets[2];
    __u8 state;
    __u8 pad[7];
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 100000);
    __type(key, struct ct_key);
    __type(value, struct ct_entry);
} table SEC(".maps");

static __always_inline enum ct_event
event_of(const struct tcphdr *tcp)
{
    if (tcp->rst) {
        return EV_RST;
    } else if (tcp->syn) {
        return tcp->ack ? EV_SYNACK : EV_SYN;
    } else if (tcp->fin) {
        return EV_FIN;
    }
    return EV_ACK;
}

static __always_inline __u8
next_state(__u8 state, const struct tcphdr *tcp, __u32 direction)
{
    __u32 event;

    if (!tcp) {
        return state == CT_NONE ? CT_UDP_NEW
               : direction || state == CT_UDP_BOTH ? CT_UDP_BOTH
               : CT_UDP_NEW;
    }
    event = event_of(tcp);
    if (state >= 6 || event >= EV_N || direction > 1) {
        return CT_CLOSED;
    }
    return transitions[direction][state][event];
}

static __always_inline int
track(struct ct_key *key, const struct tcphdr *tcp, __u32 direction)
{
    struct ct_entry *e = bpf_map_lookup_elem(&table, key);
    struct ct_entry fresh = { 0 };
    __u64 now = bpf_ktime_get_ns();
    __u8 was;

    if (e && e->expires < now) {
        bpf_map_delete_elem(&table, key);
        e = NULL;
    }
    if (!e) {
        if (direction) {
            return XDP_DROP;
        }
        fresh.state = next_state(CT_NONE, tcp, 0);
        if (fresh.state == CT_CLOSED) {
            return XDP_DROP;
        }
        fresh.packets[0] = 1;
        fresh.expires = now + lifetime_s[fresh.state & 7] * 1000000000ull;
        return bpf_map_update_elem(&table, key, &fresh, BPF_NOEXIST)
               ? XDP_DROP : XDP_PASS;
    }
    was = e->state;
    if (was == CT_CLOSED && direction) {
        return XDP_DROP;
    }
    e->state = next_state(was, tcp, direction);
    e->expires = now + lifetime_s[e->state & 7] * 1000000000ull;
    e->packets[direction & 1]++;
    return XDP_PASS;
}

SEC("xdp")
int stateful(struct xdp_md *ctx)
{
    void *end = (void *) (long) ctx->data_end;
    struct ethhdr *eth = (void *) (long) ctx->data;
    struct iphdr *ip = (void *) (eth + 1);
    struct ct_key key = { 0 };
    struct tcphdr *tcp = NULL;
    __be16 *ports;
    bool from_inside;

    if ((void *) (ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) {
        return XDP_PASS;
    }
    if (ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff)) {
        return XDP_DROP;
    }
    ports = (void *) (ip + 1);
    if (ip->protocol == IPPROTO_TCP) {
        tcp = (void *) ports;
        if ((void *) (tcp + 1) > end) {
            return XDP_DROP;
        }
    } else if (ip->protocol == IPPROTO_UDP) {
        if ((void *) ports + sizeof(struct udphdr) > end) {
            return XDP_DROP;
        }
    } else {
        return XDP_PASS;
    }
    from_inside = (ip->saddr & inside_mask) == inside_net;
    key.proto = ip->protocol;
    key.inside = from_inside ? ip->saddr : ip->daddr;
    key.outside = from_inside ? ip->daddr : ip->saddr;
    key.inside_port = from_inside ? ports[0] : ports[1];
    key.outside_port = from_inside ? ports[1] : ports[0];
    return track(&key, tcp, !from_inside);
}

char _license[] SEC("license") = "GPL";
