/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/ctx.h"

#include <string.h>
#include "flow.h"
#include "util.h"

#define FLOW_WORD(MEMBER) (offsetof(struct flow, MEMBER) / sizeof(uint64_t))

/* The key's groups start on whole words of `struct flow`... */
#define DP_KEY(NAME, MEMBER, N_WORDS)                                   \
    _Static_assert(offsetof(struct flow, MEMBER) % 8 == 0,              \
                   #MEMBER " starts a word of struct flow");
DP_KEYS
#undef DP_KEY

/* ...and together hold all of it but the tunnel and the ct words that have a
 * group of their own. */
#define DP_KEY(NAME, MEMBER, N_WORDS) + (N_WORDS)
_Static_assert((0 DP_KEYS) + offsetof(struct flow, metadata) / 8 == FLOW_U64S,
               "every word of struct flow but the tunnel's has a key word");
_Static_assert((0 DP_KEYS) == DP_KEY_WORDS, "groups are contiguous");
#undef DP_KEY

/* Offsets that generated code, the member table and the JIT rely on. */
#define DP_CTX_AT(MEMBER, OFFSET)                                       \
    _Static_assert(offsetof(struct dp_ctx, MEMBER) == (OFFSET),         \
                   "offset of " #MEMBER)
DP_CTX_AT(slots, 0);
DP_CTX_AT(version, 8);
DP_CTX_AT(conf, 16);
DP_CTX_AT(cold, 24);
DP_CTX_AT(turn, 32);
DP_CTX_AT(packet, 64);
DP_CTX_AT(data, 72);
DP_CTX_AT(data_end, 80);
DP_CTX_AT(hit, 88);
DP_CTX_AT(in_port, 96);
DP_CTX_AT(dirty, 100);
DP_CTX_AT(packet_size, 104);
DP_CTX_AT(resubmits, 108);
DP_CTX_AT(depth, 110);
DP_CTX_AT(table_id, 111);
DP_CTX_AT(l2_5_ofs, 112);
DP_CTX_AT(l3_ofs, 114);
DP_CTX_AT(l4_ofs, 116);
DP_CTX_AT(n_vlans, 118);
DP_CTX_AT(wide, 119);
DP_CTX_AT(scratch, 120);
DP_CTX_AT(key, 128);

/* The unions of ctx.h lie as `struct flow` does. */
#define SAME(UNION, MEMBER, FIRST, FLOW_MEMBER)                         \
    _Static_assert(offsetof(union UNION, MEMBER)                        \
                   == offsetof(struct flow, FLOW_MEMBER)                \
                   - offsetof(struct flow, FIRST), #MEMBER)
_Static_assert(offsetof(struct flow, tcp_flags) / 8
               == offsetof(struct flow, arp_sha) / 8 + 1,
               "DP_WIDE_TCP_FLAGS: last word of ARP");
SAME(dp_key_eth, dl_src, dl_dst, dl_src);
SAME(dp_key_eth, dl_type, dl_dst, dl_type);
SAME(dp_key_port, in_port, dp_hash, in_port);
SAME(dp_key_vlan, vlans[1].tci, vlans, vlans[1].tci);
SAME(dp_key_ipv4, nw_dst, nw_src, nw_dst);
SAME(dp_key_nw, nw_frag, ipv6_label, nw_frag);
SAME(dp_key_nw, nw_tos, ipv6_label, nw_tos);
SAME(dp_key_nw, nw_ttl, ipv6_label, nw_ttl);
SAME(dp_key_nw, nw_proto, ipv6_label, nw_proto);
SAME(dp_key_type, packet_type, ct_mark, packet_type);
SAME(dp_key_tp, tp_dst, tp_src, tp_dst);
SAME(dp_key_tp, ct_tp_dst, tp_src, ct_tp_dst);

const struct dp_key_group dp_key_groups[] = {
#define DP_KEY(NAME, MEMBER, N_WORDS)                                   \
    { #NAME, DP_KEY_##NAME, FLOW_WORD(MEMBER), N_WORDS },
    DP_KEYS
#undef DP_KEY
};
const size_t dp_n_key_groups = ARRAY_SIZE(dp_key_groups);

/* A group's words are consecutive in both; eight covers the longest. */
#define WORD(NAME, MEMBER, N_WORDS, I)                                  \
    [DP_KEY_##NAME + ((I) < (N_WORDS) ? (I) : 0)]                       \
        = FLOW_WORD(MEMBER) + ((I) < (N_WORDS) ? (I) : 0),
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const uint16_t dp_key_flow_word[DP_KEY_WORDS] = {
#define DP_KEY(NAME, MEMBER, N_WORDS)                                   \
    WORD(NAME, MEMBER, N_WORDS, 0) WORD(NAME, MEMBER, N_WORDS, 1)       \
    WORD(NAME, MEMBER, N_WORDS, 2) WORD(NAME, MEMBER, N_WORDS, 3)       \
    WORD(NAME, MEMBER, N_WORDS, 4) WORD(NAME, MEMBER, N_WORDS, 5)       \
    WORD(NAME, MEMBER, N_WORDS, 6) WORD(NAME, MEMBER, N_WORDS, 7)
    DP_KEYS
#undef DP_KEY
};
#pragma GCC diagnostic pop

/* memcpy(), because `struct flow` is not an array of words to the compiler;
 * the sizes are constants, so each is a few moves. */
void
dp_key_from_flow(uint64_t key[DP_KEY_WORDS], const struct flow *flow)
{
#define DP_KEY(NAME, MEMBER, N_WORDS)                                   \
    memcpy(&key[DP_KEY_##NAME],                                         \
           (const char *) flow + offsetof(struct flow, MEMBER),         \
           (N_WORDS) * sizeof *key);
    DP_KEYS
#undef DP_KEY
}

void
dp_flow_from_key(struct flow *flow, const uint64_t key[DP_KEY_WORDS])
{
    memset(flow, 0, sizeof *flow);
#define DP_KEY(NAME, MEMBER, N_WORDS)                                   \
    memcpy((char *) flow + offsetof(struct flow, MEMBER),               \
           &key[DP_KEY_##NAME], (N_WORDS) * sizeof *key);
    DP_KEYS
#undef DP_KEY
}
