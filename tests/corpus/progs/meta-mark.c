/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts a mark with flow hash, class and ingress port into the metadata before
 * the packet, for whoever comes next, and hands over to a second program that
 * trusts and checks it.
 *
 * entry: mark
 * packet: eth / ip 10.0.0.1 10.0.0.2 / udp 1000 2000 / text hello
 * verdict: pass
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S
 * verdict: tx
 * packet: eth / arp 1
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAGIC 0x42565331

typedef struct {
  __u32 magic;
  __u32 hash;
  __u16 ifindex;
  __u8 klass;
  __u8 hops;
} mark_t;

int use_mark(struct xdp_md *ctx);

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __array(values, int(struct xdp_md *));
} next SEC(".maps") = {.values = {(void *)&use_mark}};

static __always_inline __u32 hash_tuple(__u32 a, __u32 b, __u32 ports,
                                        __u8 proto) {
  __u32 words[4] = {a, b, ports, proto};
  __u32 h = 0x9747b28c;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    __u32 k = words[i] * 0xcc9e2d51;
    k = k << 15 | k >> 17;
    h ^= k * 0x1b873593;
    h = h << 13 | h >> 19;
    h = h * 5 + 0xe6546b64;
  }
  h ^= 16;
  h ^= h >> 16;
  h *= 0x85ebca6b;
  h ^= h >> 13;
  h *= 0xc2b2ae35;
  return h ^ h >> 16;
}

SEC("xdp")
int mark(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  struct iphdr *ip = data + sizeof *eth;
  mark_t m = {.magic = MAGIC};

  if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
    return XDP_DROP;
  __u32 ports = 0;
  if (ip->ihl == 5 &&
      (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP)) {
    __u32 *p = (void *)(ip + 1);
    if ((void *)(p + 1) > end) return XDP_DROP;
    ports = *p;
  }
  m.hash = hash_tuple(ip->saddr, ip->daddr, ports, ip->protocol);
  m.klass = ip->protocol == IPPROTO_TCP ? 1 : 0;
  m.ifindex = ctx->ingress_ifindex;

  if (bpf_xdp_adjust_meta(ctx, -(int)sizeof m)) return XDP_ABORTED;
  data = (void *)(long)ctx->data;
  mark_t *place = (void *)(long)ctx->data_meta;
  if ((void *)(place + 1) > data) return XDP_ABORTED;
  *place = m;
  bpf_tail_call(ctx, &next, 0);
  return XDP_ABORTED;
}

SEC("xdp")
int use_mark(struct xdp_md *ctx) {
  void *data = (void *)(long)ctx->data;
  mark_t *m = (void *)(long)ctx->data_meta;

  if ((void *)(m + 1) > data || m->magic != MAGIC) return XDP_ABORTED;
  if (m->ifindex != ctx->ingress_ifindex) return XDP_ABORTED;
  int verdict = m->klass ? XDP_TX : XDP_PASS;
  if (bpf_xdp_adjust_meta(ctx, sizeof *m)) return XDP_ABORTED;
  return verdict;
}

char _license[] SEC("license") = "GPL";
