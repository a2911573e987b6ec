/* SPDX-License-Identifier: Apache-2.0
 *
 * A token bucket for every source address: so many packets at once, then so
 * many a second.  The limits are variables that who loads it may set.
 *
 * set: burst 3
 * set: per_second 1
 * unstable: buckets
 * packet: eth / ip 10.1.1.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.1.1.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.1.1.1 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip 10.1.1.1 10.0.0.2 / udp 1 2
 * verdict: drop
 * packet: eth / ip 10.1.1.2 10.0.0.2 / udp 1 2
 * verdict: pass
 * packet: eth / ip6 2001:db8::1 2001:db8::2 / udp 1 2
 * verdict: pass
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

const volatile __u64 burst = 100;
const volatile __u64 per_second = 1000;
const volatile __u8 drop_malformed = 1;

struct addr {
  __u32 word[4];
};

struct bucket {
  __u64 tokens;   // in 1/1024
  __u64 stamp;
  __u64 refused;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 10000);
  __type(key, struct addr);
  __type(value, struct bucket);
} buckets SEC(".maps");

static __always_inline int source_of(struct xdp_md *ctx, struct addr *a) {
  void *data = (void *)(unsigned long)ctx->data;
  void *data_end = (void *)(unsigned long)ctx->data_end;
  struct ethhdr *eth = data;

  if (data + sizeof(*eth) > data_end) return -1;
  if (eth->h_proto == bpf_htons(ETH_P_IP)) {
    struct iphdr *ip = data + sizeof(*eth);
    if (data + sizeof(*eth) + sizeof(*ip) > data_end) return -1;
    a->word[2] = bpf_htonl(0xffff);
    a->word[3] = ip->saddr;
    return 1;
  }
  if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
    struct ipv6hdr *ip = data + sizeof(*eth);
    if (data + sizeof(*eth) + sizeof(*ip) > data_end) return -1;
    // A subscriber has a /64.
    a->word[0] = ip->saddr.in6_u.u6_addr32[0];
    a->word[1] = ip->saddr.in6_u.u6_addr32[1];
    return 1;
  }
  return 0;
}

SEC("xdp")
int limit_sources(struct xdp_md *ctx) {
  struct addr a = {{0, 0, 0, 0}};
  int known = source_of(ctx, &a);
  if (known < 0) return drop_malformed ? XDP_DROP : XDP_PASS;
  if (!known) return XDP_PASS;

  const __u64 full = burst << 10;
  const __u64 now = bpf_ktime_get_ns();
  struct bucket *b = bpf_map_lookup_elem(&buckets, &a);
  if (!b) {
    struct bucket fresh = {.tokens = full - 1024, .stamp = now};
    if (full < 1024) return XDP_DROP;
    bpf_map_update_elem(&buckets, &a, &fresh, BPF_ANY);
    return XDP_PASS;
  }

  __u64 elapsed = now - b->stamp;
  if (elapsed > 1000000000ull) elapsed = 1000000000ull;
  __u64 earned = (elapsed >> 10) * per_second / (1000000000ull >> 20);
  __u64 tokens = b->tokens + (earned >> 10);
  if (tokens > full) tokens = full;
  b->stamp = now;
  if (tokens < 1024) {
    b->tokens = tokens;
    b->refused++;
    return XDP_DROP;
  }
  b->tokens = tokens - 1024;
  return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
