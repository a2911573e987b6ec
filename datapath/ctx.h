/* SPDX-License-Identifier: Apache-2.0 */

/* Key words of a context and `struct flow`: the same content, another order.
 *
 * dp_key_from_flow() copies every word that DP_KEYS has, dp_flow_from_key()
 * does the reverse and zeroes what a context has no words for (tunnel
 * metadata).  Byte order stays that of `struct flow`.
 *
 * Threads: pure functions. */

#ifndef DATAPATH_CTX_H
#define DATAPATH_CTX_H 1

#include <stddef.h>
#include <stdint.h>
#include "datapath/abi.h"

struct dp_packet;
struct flow;

/* For each group of key words: its name, first key word, first word of
 * `struct flow` and number of words. */
struct dp_key_group {
    const char *name;
    uint16_t key_word;
    uint16_t flow_word;
    uint16_t n_words;
};
extern const struct dp_key_group dp_key_groups[];
extern const size_t dp_n_key_groups;

/* For each key word, the word of `struct flow` that it holds. */
extern const uint16_t dp_key_flow_word[DP_KEY_WORDS];

void dp_key_from_flow(uint64_t key[DP_KEY_WORDS], const struct flow *);
void dp_flow_from_key(struct flow *, const uint64_t key[DP_KEY_WORDS]);

/* Members of the key that this folder's C code looks at.  They are read and
 * written through memcpy()-free unions of one word each. */
union dp_key_eth {
    uint64_t words[2];
    struct {
        uint8_t dl_dst[6];
        uint8_t dl_src[6];
        uint16_t dl_type;       /* Network order. */
        uint16_t pad;
    };
};

union dp_key_port {
    uint64_t word;
    struct {
        uint32_t dp_hash;
        uint32_t in_port;       /* ofp_port_t; upper half zero. */
    };
};

union dp_key_vlan {
    uint64_t word;
    struct {
        uint16_t tpid;          /* Network order. */
        uint16_t tci;           /* Network order. */
    } vlans[2];
};

union dp_key_ipv4 {
    uint64_t word;
    struct {
        uint32_t nw_src;        /* Network order. */
        uint32_t nw_dst;        /* Network order. */
    };
};

union dp_key_nw {
    uint64_t word;
    struct {
        uint32_t ipv6_label;    /* Network order. */
        uint8_t nw_frag;
        uint8_t nw_tos;
        uint8_t nw_ttl;
        uint8_t nw_proto;
    };
};

union dp_key_actset {
    uint64_t word;
    struct {
        uint32_t conj_id;
        uint16_t output;        /* ofp_port_t. */
    };
};

union dp_key_tp {
    uint64_t word;
    struct {
        uint16_t tp_src;        /* Network order. */
        uint16_t tp_dst;        /* Network order. */
        uint16_t ct_tp_src;
        uint16_t ct_tp_dst;
    };
};

union dp_key_type {
    uint64_t word;
    struct {
        uint32_t ct_mark;
        uint32_t packet_type;   /* Network order. */
    };
};

/* 0: starts with an Ethernet header. */
static inline uint32_t
dp_ctx_packet_type(const struct dp_ctx *ctx)
{
    const union dp_key_type type = { .word = ctx->key[DP_KEY_TYPE] };

    return type.packet_type;
}

static inline uint32_t
dp_ctx_key_in_port(const struct dp_ctx *ctx)
{
    const union dp_key_port port = { .word = ctx->key[DP_KEY_PORT] };

    return port.in_port;
}

static inline void
dp_ctx_set_key_in_port(struct dp_ctx *ctx, uint32_t in_port)
{
    union dp_key_port port = { .word = ctx->key[DP_KEY_PORT] };

    port.in_port = in_port;
    ctx->key[DP_KEY_PORT] = port.word;
}

#endif /* datapath/ctx.h */
