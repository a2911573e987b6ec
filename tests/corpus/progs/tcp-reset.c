/* SPDX-License-Identifier: Apache-2.0
 *
 * Refuses connections to closed ports politely: a bitmap says which ports are
 * open; for the others a SYN becomes a RST in place, other segments go.
 *
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 9999 flags=S seq=100
 * verdict: tx
 * output: eth 1 2 / ip 10.0.0.2 10.0.0.1 / tcp 9999 1000 flags=RA seq=0 ack=101 win=0
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 9999 flags=A seq=100
 * verdict: drop
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 9999
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 65536 / 64);
  __type(key, __u32);
  __type(value, __u64);
} open_ports SEC(".maps");

__u64 refused, dropped;

static __always_inline _Bool is_open(__u16 port) {
  __u32 word = port / 64;
  __u64 *bits = bpf_map_lookup_elem(&open_ports, &word);
  return bits && (*bits >> (port & 63) & 1);
}

static __always_inline __u16 finish(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static __always_inline void turn_round(struct ethhdr *eth, struct iphdr *ip,
                                       struct tcphdr *tcp) {
  __u8 mac[6];
  __be32 address = ip->saddr;
  __be16 port = tcp->source;
  __u32 sum = 0;
  __u16 *w;

  __builtin_memcpy(mac, eth->h_dest, 6);
  __builtin_memcpy(eth->h_dest, eth->h_source, 6);
  __builtin_memcpy(eth->h_source, mac, 6);
  ip->saddr = ip->daddr;
  ip->daddr = address;
  tcp->source = tcp->dest;
  tcp->dest = port;
  tcp->ack_seq = bpf_htonl(bpf_ntohl(tcp->seq) + 1);
  tcp->seq = 0;
  tcp->syn = 0;
  tcp->rst = 1;
  tcp->ack = 1;
  tcp->window = 0;
  tcp->urg_ptr = 0;
  tcp->check = 0;
  w = (__u16 *)&ip->saddr;
#pragma unroll
  for (int i = 0; i < 4; i++) sum += w[i];
  sum += bpf_htons(IPPROTO_TCP) + bpf_htons(20);
  w = (__u16 *)tcp;
#pragma unroll
  for (int i = 0; i < 10; i++) sum += w[i];
  tcp->check = finish(sum);
}

SEC("xdp")
int refuse(struct xdp_md *ctx) {
  void *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = (void *)(long)ctx->data;
  struct iphdr *ip = (void *)(eth + 1);
  struct tcphdr *tcp = (void *)(ip + 1);

  if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
    return XDP_PASS;
  if (ip->ihl != 5 || ip->protocol != IPPROTO_TCP) return XDP_PASS;
  if (is_open(bpf_ntohs(tcp->dest))) return XDP_PASS;
  if (!tcp->syn || tcp->ack || tcp->rst || tcp->doff != 5 ||
      ip->tot_len != bpf_htons(40)) {
    __sync_fetch_and_add(&dropped, 1);
    return XDP_DROP;
  }
  __sync_fetch_and_add(&refused, 1);
  turn_round(eth, ip, tcp);
  return XDP_TX;
}

char _license[] SEC("license") = "GPL";
