/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/compile/match.h"

#include <string.h>
#include "flow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-match.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "ofproto/compile/fields.h"

VLOG_DEFINE_THIS_MODULE(of_match);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* Connection tracking's members of struct flow. */
static const struct {
    size_t off, size;
} ct_members[] = {
#define CT(MEMBER) { offsetof(struct flow, MEMBER), \
                     sizeof ((struct flow *) 0)->MEMBER }
    CT(ct_state), CT(ct_nw_proto), CT(ct_zone), CT(ct_mark), CT(ct_label),
    CT(ct_nw_src), CT(ct_nw_dst), CT(ct_ipv6_src), CT(ct_ipv6_dst),
    CT(ct_tp_src), CT(ct_tp_dst)
#undef CT
};

/* Members that have the same value in every packet that masked tuples are
 * asked about: matching that value is no question (libofproto puts
 * recirc_id=0 and packet_type=0 into rules).  Packets without an Ethernet
 * header, and tables with conjunctions, go to the classifier (table.c). */
static const struct {
    size_t off, size;
} const_members[] = {
    { offsetof(struct flow, recirc_id), 4 },    /* 0 */
    { offsetof(struct flow, packet_type), 4 },  /* 0: Ethernet */
    { offsetof(struct flow, conj_id), 4 },      /* 0 */
};

/* The bits of those members in the words of the key. */
static uint64_t ct_bits[DP_KEY_WORDS];
static uint64_t const_bits[DP_KEY_WORDS];

static void
add_bits(uint64_t bits[DP_KEY_WORDS], size_t off, size_t size)
{
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    memset((uint8_t *) &flow + off, 0xff, size);
    for (int k = 0; k < DP_KEY_WORDS; k++) {
        bits[k] |= flow_u64_value(&flow, of_flow_word_from_key(k));
    }
}

void
of_match_init(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(ct_members); i++) {
        add_bits(ct_bits, ct_members[i].off, ct_members[i].size);
    }
    for (size_t i = 0; i < ARRAY_SIZE(const_members); i++) {
        add_bits(const_bits, const_members[i].off, const_members[i].size);
    }
}

/* The mask of value 'i' of 'match', in key word 'k', without bits that are
 * no question.  No word has two members of const_members[]. */
static uint64_t
fold_mask(const struct minimatch *match, int i, int k)
{
    uint64_t mask = miniflow_get_values(&match->mask->masks)[i];
    uint64_t value = miniflow_get_values(match->flow)[i];
    uint64_t fold = mask & const_bits[k];

    return value & fold ? mask : mask & ~fold;
}

enum ofperr
of_match_check(const struct minimatch *match, enum of_parse_level *parse)
{
    const uint64_t *masks = miniflow_get_values(&match->mask->masks);
    size_t w;
    int i = 0;

    *parse = OF_PARSE_NONE;
    FLOWMAP_FOR_EACH_INDEX (w, match->mask->masks.map) {
        int k = of_key_from_flow_word(w);

        if (k < 0 && masks[i]) {
            VLOG_WARN_RL(&rl, "match on tunnel fields is not supported");
            return OFPERR_OFPBMC_BAD_FIELD;
        } else if (k >= 0 && masks[i] & ct_bits[k]) {
            VLOG_WARN_RL(&rl, "match on connection tracking fields is not "
                         "supported");
            return OFPERR_NXBMC_CT_DATAPATH_SUPPORT;
        } else if (k >= 0 && fold_mask(match, i, k)) {
            *parse = MAX(*parse, of_key_parse_level(k));
        }
        i++;
    }
    return 0;
}

void
of_match_make(const struct minimatch *match, struct of_match *m)
{
    const uint64_t *values = miniflow_get_values(match->flow);
    size_t w;
    int i = 0;

    /* Both parts of a minimatch have the same map. */
    memset(m, 0, sizeof *m);
    FLOWMAP_FOR_EACH_INDEX (w, match->mask->masks.map) {
        int k = of_key_from_flow_word(w);

        if (k >= 0) {
            m->mask[k] = fold_mask(match, i, k);
            m->key[k] = values[i] & m->mask[k];
            if (m->mask[k]) {
                m->parse = MAX(m->parse, of_key_parse_level(k));
            }
        }
        i++;
    }
}

/* 'words' of the key as a struct flow. */
static void
flow_from_key(const uint64_t *words, struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    for (int k = 0; k < DP_KEY_WORDS; k++) {
        ((uint64_t *) flow)[of_flow_word_from_key(k)] = words[k];
    }
}

void
of_match_format(const uint64_t *key, const uint64_t *mask, struct ds *s)
{
    struct match match;

    memset(&match, 0, sizeof match);
    flow_from_key(key, &match.flow);
    flow_from_key(mask, &match.wc.masks);
    match_format(&match, NULL, s, OFP_DEFAULT_PRIORITY);
}

/* Fields by which a mask is described: those that name every bit of a word
 * once. */
static const enum mf_field_id mask_fields[] = {
    MFF_DP_HASH, MFF_IN_PORT, MFF_METADATA,
    MFF_REG0, MFF_REG1, MFF_REG2, MFF_REG3, MFF_REG4, MFF_REG5, MFF_REG6,
    MFF_REG7, MFF_REG8, MFF_REG9, MFF_REG10, MFF_REG11, MFF_REG12,
    MFF_REG13, MFF_REG14, MFF_REG15,
    MFF_SKB_PRIORITY, MFF_PKT_MARK, MFF_RECIRC_ID, MFF_PACKET_TYPE,
    MFF_CONJ_ID, MFF_ACTSET_OUTPUT,
    MFF_ETH_SRC, MFF_ETH_DST, MFF_ETH_TYPE, MFF_VLAN_TCI,
    MFF_MPLS_LABEL, MFF_MPLS_TC, MFF_MPLS_BOS, MFF_MPLS_TTL,
    MFF_IPV4_SRC, MFF_IPV4_DST, MFF_IPV6_SRC, MFF_IPV6_DST,
    MFF_IPV6_LABEL, MFF_IP_FRAG, MFF_IP_DSCP, MFF_IP_ECN, MFF_IP_TTL,
    MFF_IP_PROTO, MFF_ARP_SHA, MFF_ARP_THA, MFF_TCP_FLAGS, MFF_ND_TARGET,
    MFF_TCP_SRC, MFF_TCP_DST, MFF_ND_RESERVED,
    MFF_NSH_FLAGS, MFF_NSH_TTL, MFF_NSH_MDTYPE, MFF_NSH_NP, MFF_NSH_SPI,
    MFF_NSH_SI, MFF_NSH_C1, MFF_NSH_C2, MFF_NSH_C3, MFF_NSH_C4
};

/* The storage of these serves several protocols. */
static const char *
mask_field_name(enum mf_field_id id)
{
    switch ((int) id) {
    case MFF_TCP_SRC: return "tp_src";
    case MFF_TCP_DST: return "tp_dst";
    case MFF_IPV4_SRC: return "nw_src";
    case MFF_IPV4_DST: return "nw_dst";
    case MFF_ND_RESERVED: return "nd_reserved/igmp_group";
    default: return mf_from_id(id)->name;
    }
}

void
of_mask_format(const uint64_t *mask, struct ds *s)
{
    size_t start = s->length;
    struct flow flow, mask_flow;

    flow_from_key(mask, &mask_flow);
    for (size_t i = 0; i < ARRAY_SIZE(mask_fields); i++) {
        const struct mf_field *mf = mf_from_id(mask_fields[i]);
        union mf_value value, exact;

        mf_get_value(mf, &mask_flow, &value);
        if (is_all_zeros(&value, mf->n_bytes)) {
            continue;
        }
        if (s->length > start) {
            ds_put_char(s, ',');
        }
        ds_put_cstr(s, mask_field_name(mf->id));
        memset(&flow, 0xff, sizeof flow);
        mf_get_value(mf, &flow, &exact);
        if (memcmp(&value, &exact, mf->n_bytes)) {
            ds_put_char(s, '/');
            mf_format(mf, &value, NULL, NULL, s);
        }
    }

    /* The second tag has no field that names it. */
    if (mask_flow.vlans[0].tpid) {
        ds_put_format(s, "%svlan_tpid", s->length > start ? "," : "");
    }
    if (mask_flow.vlans[1].qtag) {
        ds_put_format(s, "%svlan_inner", s->length > start ? "," : "");
    }
    if (s->length == start) {
        ds_put_cstr(s, "*");
    }
}
