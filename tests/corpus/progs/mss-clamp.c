/* SPDX-License-Identifier: Apache-2.0
 *
 * Lowers the maximum segment size in TCP SYNs to what a tunnel can carry:
 * walks the options in a bounded loop and mends the checksum.
 *
 * set: max_mss 1360
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S opts=020405b40103030704020000
 * verdict: pass
 * output: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S opts=020405500103030704020000
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S opts=01010402020405b4
 * verdict: pass
 * output: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S opts=0101040202040550
 * packet: eth / ip6 fe80::1 fe80::2 / tcp 1000 80 flags=SA opts=020405b4
 * verdict: pass
 * output: eth / ip6 fe80::1 fe80::2 / tcp 1000 80 flags=SA opts=0204053c
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S opts=02040218
 * verdict: pass
 * output: same
 * packet: eth / ip 10.0.0.1 10.0.0.2 / tcp 1000 80 flags=S opts=02050000
 * verdict: drop
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile __u16 max_mss = 1400;

enum { OPT_END = 0, OPT_NOP = 1, OPT_MSS = 2 };

struct mss_option {
  __u8 kind, len;
  __be16 value;
} __attribute__((packed));

static __u64 clamped, seen;

/* The first option of a kind, or null. */
static __always_inline struct mss_option *
find_option(struct tcphdr *tcp, void *end, __u8 wanted)
{
  struct mss_option *found = NULL;
  void *option = tcp + 1;
  void *options_end = (void *)tcp + tcp->doff * 4;
  int i;

  for (i = 0; i < 12; i++) {
    struct mss_option *here = option;

    if (option >= options_end || (void *)(here + 1) > end)
      break;
    if (here->kind == wanted) {
      found = here;
      break;
    }
    if (here->kind == OPT_END)
      break;
    option += here->kind == OPT_NOP ? 1 : here->len & 63;
  }
  return found;
}

/* Lowers it; -1 if it is broken. */
static __always_inline int clamp(struct tcphdr *tcp, struct mss_option *mss,
                                 __u16 limit)
{
  __u32 sum;
  __u16 was;

  if (mss->len != 4)
    return -1;
  seen++;
  was = bpf_ntohs(mss->value);
  if (was <= limit)
    return 0;
  mss->value = bpf_htons(limit);
  sum = (__u16)~bpf_ntohs(tcp->check);
  sum += (__u16)~was;
  sum += limit;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  tcp->check = bpf_htons((__u16)~sum);
  clamped++;
  return 0;
}

SEC("xdp")
int clamp_mss(struct xdp_md *ctx)
{
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  struct mss_option *mss;
  struct tcphdr *tcp;
  __u16 limit = max_mss;

  if ((void *)(eth + 1) > end)
    return XDP_PASS;
  if (eth->h_proto == bpf_htons(ETH_P_IP)) {
    struct iphdr *ip = (struct iphdr *)(eth + 1);

    if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP || ip->ihl < 5)
      return XDP_PASS;
    if (ip->frag_off & bpf_htons(0x1fff))
      return XDP_PASS;
    tcp = (void *)ip + ip->ihl * 4;
  } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);

    if ((void *)(ip + 1) > end || ip->nexthdr != IPPROTO_TCP)
      return XDP_PASS;
    tcp = (void *)(ip + 1);
    limit -= 20;
  } else {
    return XDP_PASS;
  }
  if ((void *)(tcp + 1) > end)
    return XDP_DROP;
  if (!tcp->syn || tcp->doff < 5)
    return XDP_PASS;
  mss = find_option(tcp, end, OPT_MSS);
  if (!mss || (void *)(mss + 1) > end)
    return XDP_PASS;
  return clamp(tcp, mss, limit) < 0 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
