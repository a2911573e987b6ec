/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers TCP connection requests with SYN cookies and lets only those in
 * who bring one back.  The cookie is a SipHash-2-4 of the connection and of a
 * slowly running counter; the key is a variable.
 *
 * set: key0 0x0706050403020100
 * set: key1 0x0f0e0d0c0b0a0908
 * set: fixed_time 7
 * unstable: verified
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S seq=100 opts=020405b4
 * verdict: tx
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=A seq=101 ack=5
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 81 flags=S
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 80
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=SA
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

const volatile __u64 key0, key1;
const volatile __u16 protected_port = 80;
const volatile __u32 fixed_time;

struct connection {
    __u32 client, server;
    __u16 client_port, server_port;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, struct connection);
    __type(value, __u64);
} verified SEC(".maps");

static inline __attribute__((always_inline)) __u64
rotl(__u64 x, int n)
{
    return x << n | x >> (64 - n);
}

#define SIP_ROUND(v)                                                    \
    do {                                                                \
        v[0] += v[1]; v[1] = rotl(v[1], 13); v[1] ^= v[0];              \
        v[0] = rotl(v[0], 32);                                          \
        v[2] += v[3]; v[3] = rotl(v[3], 16); v[3] ^= v[2];              \
        v[0] += v[3]; v[3] = rotl(v[3], 21); v[3] ^= v[0];              \
        v[2] += v[1]; v[1] = rotl(v[1], 17); v[1] ^= v[2];              \
        v[2] = rotl(v[2], 32);                                          \
    } while (0)

static inline __attribute__((always_inline)) void
sip_block(__u64 v[4], __u64 m)
{
    v[3] ^= m;
    SIP_ROUND(v);
    SIP_ROUND(v);
    v[0] ^= m;
}

static inline __attribute__((always_inline)) __u32
cookie_of(const struct connection *c, __u32 peer_seq, __u32 when)
{
    __u64 v[4] = {
        0x736f6d6570736575ull ^ key0, 0x646f72616e646f6dull ^ key1,
        0x6c7967656e657261ull ^ key0, 0x7465646279746573ull ^ key1,
    };
    __u64 hash;

    sip_block(v, (__u64) c->client << 32 | c->server);
    sip_block(v, (__u64) c->client_port << 48
                 | (__u64) c->server_port << 32 | peer_seq);
    sip_block(v, (__u64) 20 << 56 | when);
    v[2] ^= 0xff;
    SIP_ROUND(v);
    SIP_ROUND(v);
    SIP_ROUND(v);
    SIP_ROUND(v);
    hash = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (__u32) hash ^ (__u32) (hash >> 32);
}

static inline __attribute__((always_inline)) __u32
slow_counter(void)
{
    return fixed_time ? fixed_time : bpf_ktime_get_ns() >> 36;
}

static inline __attribute__((always_inline)) __u16
fold(__u32 sum)
{
    sum = (sum >> 16) + (sum & 0xffff);
    sum += sum >> 16;
    return sum;
}

/* Makes the SYN into its own answer. */
static inline __attribute__((always_inline)) int
answer(struct xdp_md *ctx, const struct connection *c)
{
    void *end = (void *) (long) ctx->data_end;
    struct ethhdr *eth = (void *) (long) ctx->data;
    struct iphdr *ip = (void *) (eth + 1);
    struct tcphdr *tcp = (void *) (ip + 1);
    unsigned char mac[6];
    __u32 sum = 0;

    if ((void *) (tcp + 1) > end) {
        return XDP_DROP;
    }
    __builtin_memcpy(mac, eth->h_dest, 6);
    __builtin_memcpy(eth->h_dest, eth->h_source, 6);
    __builtin_memcpy(eth->h_source, mac, 6);

    ip->saddr = c->server;
    ip->daddr = c->client;
    ip->tot_len = bpf_htons(40);
    ip->ttl = 64;
    ip->check = 0;
    ip->check = ~fold(bpf_csum_diff(0, 0, (void *) ip, sizeof *ip, 0));

    tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
    tcp->seq = bpf_htonl(cookie_of(c, bpf_ntohl(tcp->seq), slow_counter()));
    tcp->source = c->server_port;
    tcp->dest = c->client_port;
    tcp->doff = 5;
    tcp->ack = 1;
    tcp->window = bpf_htons(65535);
    tcp->check = 0;
    sum = (ip->saddr >> 16) + (ip->saddr & 0xffff) + (ip->daddr >> 16)
          + (ip->daddr & 0xffff) + bpf_htons(IPPROTO_TCP) + bpf_htons(20);
    tcp->check = ~fold(bpf_csum_diff(0, 0, (void *) tcp, sizeof *tcp, sum));
    if (bpf_xdp_adjust_tail(ctx, (long) ctx->data + 54
                                 - (long) ctx->data_end)) {
        return XDP_DROP;
    }
    return XDP_TX;
}

SEC("xdp")
int guard(struct xdp_md *ctx)
{
    void *end = (void *) (long) ctx->data_end;
    struct ethhdr *eth = (void *) (long) ctx->data;
    struct iphdr *ip = (void *) (eth + 1);
    struct tcphdr *tcp = (void *) (ip + 1);
    struct connection c;
    __u64 now;
    __u32 cookie, when;

    if ((void *) (tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)
        || ip->ihl != 5 || ip->protocol != IPPROTO_TCP
        || tcp->dest != bpf_htons(protected_port)) {
        return XDP_PASS;
    }
    c.client = ip->saddr;
    c.server = ip->daddr;
    c.client_port = tcp->source;
    c.server_port = tcp->dest;
    if (bpf_map_lookup_elem(&verified, &c)) {
        if (tcp->rst) {
            bpf_map_delete_elem(&verified, &c);
        }
        return XDP_PASS;
    }
    if (tcp->syn) {
        return tcp->ack ? XDP_DROP : answer(ctx, &c);
    }
    if (!tcp->ack || tcp->rst) {
        return XDP_DROP;
    }
    when = slow_counter();
    cookie = bpf_ntohl(tcp->ack_seq) - 1;
    if (cookie != cookie_of(&c, bpf_ntohl(tcp->seq) - 1, when)
        && cookie != cookie_of(&c, bpf_ntohl(tcp->seq) - 1, when - 1)) {
        return XDP_DROP;
    }
    now = bpf_ktime_get_ns();
    bpf_map_update_elem(&verified, &c, &now, BPF_ANY);
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
