/* SPDX-License-Identifier: Apache-2.0
 *
 * Segment routing over IPv6, RFC 8986: End (the next segment becomes the
 * destination) and End.DX4-like (the last segment's IPv4 packet comes out),
 * by the low bits of our locator.
 *
 * packet: eth / ip6 2001:db8::9 2001:db8:5::1 next=43 / hex 3b 04 04 01 01 00 0000 / hex fc000000000000000000000000000001 / hex fc000000000000000000000000000002
 * verdict: tx
 * output: eth / ip6 2001:db8::9 fc00::1 next=43 hlim=63 / hex 3b 04 04 00 01 00 0000 / hex fc000000000000000000000000000001 / hex fc000000000000000000000000000002
 * packet: eth / ip6 2001:db8::9 2001:db8:5::4 next=43 / hex 04 02 04 00 00 00 0000 / hex 20010db8000500000000000000000004 / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * output: eth / ip 10.0.0.1 10.0.0.2 / udp 1 2
 * packet: eth / ip6 2001:db8::9 2001:db8:5::1 next=43 / hex 3b 04 04 09 01 00 0000 / zero 32
 * verdict: drop
 * packet: eth / ip6 2001:db8::9 2001:db8:6::1 / udp 1 2
 * verdict: pass
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct srh {
  __u8 nexthdr;
  __u8 hdrlen;
  __u8 type;
  __u8 segments_left;
  __u8 last_entry;
  __u8 flags;
  __be16 tag;
  struct in6_addr segments[];
};

enum behaviour { END = 1, END_DX4 = 4 };

/* 2001:db8:5::/48 */
const volatile __be32 locator[2] = {0xb80d0120, 0x00000500};
__u64 done[8];

static __always_inline _Bool is_local(const struct in6_addr *a) {
  return a->in6_u.u6_addr32[0] == locator[0] &&
         a->in6_u.u6_addr16[2] == (__u16)locator[1] &&
         a->in6_u.u6_addr16[3] == 0;
}

static __always_inline int end(struct ipv6hdr *ip, struct srh *srh,
                               void *data_end) {
  if (srh->segments_left == 0 || srh->segments_left > srh->last_entry)
    return XDP_DROP;
  if (srh->last_entry > 15 || srh->hdrlen < 2 * (srh->last_entry + 1))
    return XDP_DROP;
  if (ip->hop_limit <= 1) return XDP_DROP;
  __u32 next = (srh->segments_left - 1) & 15;
  struct in6_addr *segment = &srh->segments[next];
  if ((void *)(segment + 1) > data_end) return XDP_DROP;
  srh->segments_left--;
  ip->hop_limit--;
  ip->daddr = *segment;
  done[END]++;
  return XDP_TX;
}

static __always_inline int end_dx4(struct xdp_md *ctx, struct srh *srh) {
  if (srh->segments_left || srh->nexthdr != 4) return XDP_DROP;
  int cut = sizeof(struct ipv6hdr) + (srh->hdrlen + 1) * 8;
  struct ethhdr saved, *eth = (void *)(long)ctx->data;
  if ((void *)(eth + 1) > (void *)(long)ctx->data_end) return XDP_DROP;
  saved = *eth;
  if (bpf_xdp_adjust_head(ctx, cut)) return XDP_DROP;
  eth = (void *)(long)ctx->data;
  if ((void *)(eth + 1) > (void *)(long)ctx->data_end) return XDP_DROP;
  *eth = saved;
  eth->h_proto = bpf_htons(ETH_P_IP);
  done[END_DX4]++;
  return XDP_PASS;
}

SEC("xdp")
int segment_endpoint(struct xdp_md *ctx) {
  void *data_end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = (void *)(long)ctx->data;
  struct ipv6hdr *ip = (void *)(eth + 1);
  struct srh *srh = (void *)(ip + 1);

  if ((void *)(srh + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IPV6))
    return XDP_PASS;
  if (ip->nexthdr != 43 || srh->type != 4 || !is_local(&ip->daddr))
    return XDP_PASS;
  switch (ip->daddr.in6_u.u6_addr8[15]) {
    case END:
      return end(ip, srh, data_end);
    case END_DX4:
      return end_dx4(ctx, srh);
    default:
      return XDP_DROP;
  }
}

char _license[] SEC("license") = "GPL";
