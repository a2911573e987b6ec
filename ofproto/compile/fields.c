/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/compile/fields.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "flow.h"
#include "openvswitch/ofp-port.h"
#include "packets.h"
#include "util.h"
#include "datapath/abi.h"

#define FLOW_WORDS (sizeof(struct flow) / 8)

/* The pieces of each layout: {size, network order}, the most significant
 * first.  Offsets follow from the sizes. */
struct layout {
    uint8_t n;
    struct { uint8_t size; bool net; } piece[OF_MAX_PIECES];
};

static const struct layout layout_N1 = { 1, { { 1, true } } };
static const struct layout layout_N2 = { 1, { { 2, true } } };
static const struct layout layout_N4 = { 1, { { 4, true } } };
static const struct layout layout_N8 = { 1, { { 8, true } } };
static const struct layout layout_H2 = { 1, { { 2, false } } };
static const struct layout layout_H4 = { 1, { { 4, false } } };
/* Ethernet addresses: at the start of a word, and 6 bytes into one. */
static const struct layout layout_N42 = { 2, { { 4, true }, { 2, true } } };
static const struct layout layout_N24 = { 2, { { 2, true }, { 4, true } } };
static const struct layout layout_N88 = { 2, { { 8, true }, { 8, true } } };
static const struct layout layout_H44
    = { 2, { { 4, false }, { 4, false } } };
static const struct layout layout_H4444
    = { 4, { { 4, false }, { 4, false }, { 4, false }, { 4, false } } };

enum { READ = OF_FF_READ, WHOLE = OF_FF_WHOLE, VLAN = OF_FF_VLAN,
       OFP11 = OF_FF_OFP11 };

struct field_row {
    enum mf_field_id id;
    const struct layout *layout;
    size_t flow_off;
    uint8_t shift;
    uint8_t flags;
    uint32_t dirty;
};

static const struct field_row rows[] = {
#define OF_FIELD(ID, MEMBER, LAYOUT, SHIFT, GROUPS, FLAGS)              \
    { MFF_##ID, &layout_##LAYOUT, offsetof(struct flow, MEMBER),        \
      SHIFT, FLAGS, GROUPS },
#include "ofproto/compile/fields.def"
#undef OF_FIELD
};

static struct of_field fields[MFF_N_IDS];

/* Where the words of struct flow are in the key. */
static const struct {
    size_t flow_off;
    int key_word, n_words;
} groups[] = {
#define DP_KEY(NAME, MEMBER, N_WORDS) \
    { offsetof(struct flow, MEMBER), DP_KEY_##NAME, N_WORDS },
    DP_KEYS
#undef DP_KEY
};

static int8_t key_from_flow[FLOW_WORDS];
static uint8_t flow_from_key[DP_KEY_WORDS];

void
of_fields_init(void)
{
    memset(key_from_flow, -1, sizeof key_from_flow);
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        for (int j = 0; j < groups[i].n_words; j++) {
            size_t w = groups[i].flow_off / 8 + j;

            key_from_flow[w] = groups[i].key_word + j;
            flow_from_key[groups[i].key_word + j] = w;
        }
    }

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct field_row *row = &rows[i];
        struct of_field *f = &fields[row->id];
        size_t off = row->flow_off;

        f->mf = mf_from_id(row->id);
        f->shift = row->shift;
        f->flags = row->flags;
        f->dirty = row->dirty;
        f->n_pieces = row->layout->n;
        for (int j = 0; j < row->layout->n; j++) {
            f->pieces[j].flow_off = off;
            f->pieces[j].size = row->layout->piece[j].size;
            f->pieces[j].net = row->layout->piece[j].net;
            off += row->layout->piece[j].size;
        }
    }
}

const struct of_field *
of_field_get(const struct mf_field *mf)
{
    return fields[mf->id].mf == mf ? &fields[mf->id] : NULL;
}

int
of_key_from_flow_word(size_t flow_word)
{
    return key_from_flow[flow_word];
}

size_t
of_flow_word_from_key(int key_word)
{
    return flow_from_key[key_word];
}

int
of_ctx_off(size_t flow_off)
{
    return (offsetof(struct dp_ctx, key)
            + 8 * key_from_flow[flow_off / 8] + flow_off % 8);
}

enum of_parse_level
of_key_parse_level(int w)
{
    if (w <= DP_KEY_ETH_LAST || w == DP_KEY_VLAN) {
        return OF_PARSE_L2;
    } else if (w == DP_KEY_IPV4 || w == DP_KEY_NW
               || (w >= DP_KEY_IPV6 && w <= DP_KEY_IPV6_LAST)
               || (w >= DP_KEY_MPLS && w <= DP_KEY_MPLS_LAST)
               || (w >= DP_KEY_NSH && w <= DP_KEY_NSH_LAST)) {
        return OF_PARSE_L3;
    } else if (w == DP_KEY_TP || w == DP_KEY_IGMP
               || (w >= DP_KEY_ARP && w <= DP_KEY_ND_LAST)) {
        /* The words of ARP hold ND's addresses and TCP's flags too. */
        return OF_PARSE_L4;
    } else {
        return OF_PARSE_NONE;
    }
}

enum of_parse_level
of_prereqs_parse_level(enum mf_prereqs prereqs)
{
    switch (prereqs) {
    case MFP_NONE:
        return OF_PARSE_NONE;
    case MFP_ETHERNET:
    case MFP_VLAN_VID:
        return OF_PARSE_L2;
    case MFP_ARP:
    case MFP_IPV4:
    case MFP_IPV6:
    case MFP_IP_ANY:
    case MFP_MPLS:
    case MFP_NSH:
        return OF_PARSE_L3;
    case MFP_TCP:
    case MFP_UDP:
    case MFP_SCTP:
    case MFP_ICMPV4:
    case MFP_ICMPV6:
    case MFP_ND:
    case MFP_ND_SOLICIT:
    case MFP_ND_ADVERT:
    case MFP_CT_VALID:
    default:
        return OF_PARSE_L4;
    }
}

enum of_parse_level
of_field_parse_level(const struct of_field *f)
{
    enum of_parse_level level = of_prereqs_parse_level(f->mf->prereqs);

    /* What COMMIT rewrites from the network layer on covers transport
     * checksums. */
    return (f->dirty & ~(DP_DIRTY_ETH | DP_DIRTY_VLAN | DP_DIRTY_ARP)
            ? OF_PARSE_L4 : level);
}

/* Code. */

static void
emit_ethertype(struct vm_emit *e)
{
    vm_emit_ld(e, 2, VM_R0, VM_R6, OF_KEY_OFF(dl_type));
}

static void
emit_want_byte(struct vm_emit *e, size_t flow_off, int value, vm_label_t no)
{
    vm_emit_ld(e, 1, VM_R0, VM_R6, of_ctx_off(flow_off));
    vm_emit_jcci(e, VM_JNE, VM_R0, value, no);
}

static void
emit_want_ip_any(struct vm_emit *e, vm_label_t no)
{
    vm_label_t yes = vm_label(e);

    emit_ethertype(e);
    vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_IP), yes);
    vm_emit_jcci(e, VM_JNE, VM_R0, htons(ETH_TYPE_IPV6), no);
    vm_bind(e, yes);
}

static void
emit_want_l4(struct vm_emit *e, uint8_t proto, bool no_later_frag,
             vm_label_t no)
{
    emit_want_ip_any(e, no);
    emit_want_byte(e, offsetof(struct flow, nw_proto), proto, no);
    if (no_later_frag) {
        vm_emit_ld(e, 1, VM_R0, VM_R6, OF_KEY_OFF(nw_frag));
        vm_emit_jcci(e, VM_JSET, VM_R0, FLOW_NW_FRAG_LATER, no);
    }
}

static void
emit_want_icmp(struct vm_emit *e, uint16_t dl_type, uint8_t proto,
               vm_label_t no)
{
    emit_ethertype(e);
    vm_emit_jcci(e, VM_JNE, VM_R0, htons(dl_type), no);
    emit_want_byte(e, offsetof(struct flow, nw_proto), proto, no);
}

static void
emit_want_nd(struct vm_emit *e, enum mf_prereqs prereqs, vm_label_t no)
{
    vm_label_t yes = vm_label(e);

    emit_want_icmp(e, ETH_TYPE_IPV6, IPPROTO_ICMPV6, no);
    vm_emit_ld(e, 2, VM_R0, VM_R6, OF_KEY_OFF(tp_dst));
    vm_emit_jcci(e, VM_JNE, VM_R0, 0, no);
    vm_emit_ld(e, 2, VM_R0, VM_R6, OF_KEY_OFF(tp_src));
    if (prereqs != MFP_ND_ADVERT) {
        vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ND_NEIGHBOR_SOLICIT), yes);
    }
    if (prereqs != MFP_ND_SOLICIT) {
        vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ND_NEIGHBOR_ADVERT), yes);
    }
    vm_emit_goto(e, no);
    vm_bind(e, yes);
}

static void
emit_want_ethernet(struct vm_emit *e, vm_label_t no)
{
    vm_emit_ld(e, 4, VM_R0, VM_R6, OF_KEY_OFF(packet_type));
    vm_emit_jcci(e, VM_JNE, VM_R0, 0, no);
}

/* The same questions as mf_are_prereqs_ok() asks.  (The Ethernet type of a
 * packet without an Ethernet header is in dl_type, too.) */
void
of_emit_prereqs(struct vm_emit *e, enum mf_prereqs prereqs, vm_label_t no)
{
    vm_label_t yes;

    switch (prereqs) {
    case MFP_NONE:
        break;
    case MFP_ETHERNET:
        emit_want_ethernet(e, no);
        break;
    case MFP_VLAN_VID:
        emit_want_ethernet(e, no);
        vm_emit_ld(e, 2, VM_R0, VM_R6, OF_KEY_OFF(vlans[0].tci));
        vm_emit_alui(e, VM_AND, VM_R0, htons(VLAN_CFI));
        vm_emit_jcci(e, VM_JEQ, VM_R0, 0, no);
        break;
    case MFP_ARP:
        yes = vm_label(e);
        emit_ethertype(e);
        vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_ARP), yes);
        vm_emit_jcci(e, VM_JNE, VM_R0, htons(ETH_TYPE_RARP), no);
        vm_bind(e, yes);
        break;
    case MFP_IPV4:
        emit_ethertype(e);
        vm_emit_jcci(e, VM_JNE, VM_R0, htons(ETH_TYPE_IP), no);
        break;
    case MFP_IPV6:
        emit_ethertype(e);
        vm_emit_jcci(e, VM_JNE, VM_R0, htons(ETH_TYPE_IPV6), no);
        break;
    case MFP_IP_ANY:
        emit_want_ip_any(e, no);
        break;
    case MFP_TCP:
        emit_want_l4(e, IPPROTO_TCP, true, no);
        break;
    case MFP_UDP:
        emit_want_l4(e, IPPROTO_UDP, true, no);
        break;
    case MFP_SCTP:
        emit_want_l4(e, IPPROTO_SCTP, true, no);
        break;
    case MFP_ICMPV4:
        emit_want_icmp(e, ETH_TYPE_IP, IPPROTO_ICMP, no);
        break;
    case MFP_ICMPV6:
        emit_want_icmp(e, ETH_TYPE_IPV6, IPPROTO_ICMPV6, no);
        break;
    case MFP_ND:
    case MFP_ND_SOLICIT:
    case MFP_ND_ADVERT:
        emit_want_nd(e, prereqs, no);
        break;
    case MFP_MPLS:
        yes = vm_label(e);
        emit_ethertype(e);
        vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_MPLS), yes);
        vm_emit_jcci(e, VM_JNE, VM_R0, htons(ETH_TYPE_MPLS_MCAST), no);
        vm_bind(e, yes);
        break;
    case MFP_NSH:
        emit_ethertype(e);
        vm_emit_jcci(e, VM_JNE, VM_R0, htons(ETH_TYPE_NSH), no);
        break;
    case MFP_CT_VALID:
    default:
        vm_emit_fail(e, -EOPNOTSUPP, "prerequisite %d", prereqs);
        break;
    }
}

/* dst = low 'n' bits of dst. */
static void
emit_low_bits(struct vm_emit *e, uint8_t dst, unsigned n)
{
    if (n < 31) {
        vm_emit_alui(e, VM_AND, dst, (1u << n) - 1);
    } else if (n == 32) {
        vm_emit_mov32(e, dst, dst);
    } else if (n < 64) {
        vm_emit_alui(e, VM_LSH, dst, 64 - n);
        vm_emit_alui(e, VM_RSH, dst, 64 - n);
    }
}

static void
emit_load_piece(struct vm_emit *e, const struct of_piece *p, uint8_t dst)
{
    vm_emit_ld(e, p->size, dst, VM_R6, of_ctx_off(p->flow_off));
    if (p->net && p->size > 1) {
        vm_emit_be(e, dst, p->size * 8);
    }
}

void
of_emit_wide(struct vm_emit *e, int ctx_off)
{
    if (ctx_off >= (int) offsetof(struct dp_ctx, key[DP_KEY_REG])) {
        vm_emit_sti(e, 1, VM_R6, offsetof(struct dp_ctx, wide),
                    DP_WIDE_ANY);
    }
}

static void
emit_store_piece(struct vm_emit *e, const struct of_piece *p, uint8_t src)
{
    if (p->net && p->size > 1) {
        vm_emit_be(e, src, p->size * 8);
    }
    vm_emit_st(e, p->size, VM_R6, of_ctx_off(p->flow_off), src);
    of_emit_wide(e, of_ctx_off(p->flow_off));
}

/* Of bits [ofs, ofs + n) of a field's value, those that piece 'i' has: bits
 * [*piece_ofs, *piece_ofs + *n_piece) of the piece are bits
 * [*value_ofs, ...) of the range.  False if there are none. */
static bool
piece_overlap(const struct of_field *f, int i, const unsigned range[2],
              unsigned overlap[3])
{
    unsigned lo = 0;

    for (int j = f->n_pieces - 1; j > i; j--) {
        lo += f->pieces[j].size * 8;
    }

    unsigned hi = lo + f->pieces[i].size * 8;
    unsigned start = MAX(range[0] + f->shift, lo);
    unsigned end = MIN(range[0] + f->shift + range[1], hi);

    if (start >= end) {
        return false;
    }
    overlap[0] = start - lo;                            /* In the piece. */
    overlap[1] = start - (range[0] + f->shift);         /* In the range. */
    overlap[2] = end - start;                           /* Bits. */
    return true;
}

/* Port numbers of OpenFlow 1.1: reserved ones have 16 more bits, all 1. */
static void
emit_port_to_ofp11(struct vm_emit *e, uint8_t reg)
{
    vm_label_t done = vm_label(e);

    vm_emit_jcci(e, VM_JLT, reg, ofp_to_u16(OFPP_MAX), done);
    vm_emit_const(e, VM_R0, 0xffff0000);
    vm_emit_alu(e, VM_OR, reg, VM_R0);
    vm_bind(e, done);
}

/* What ofputil_port_from_ofp11() makes of 'reg': what is neither below
 * OFPP_MAX nor a reserved port becomes OFPP_NONE. */
static void
emit_port_from_ofp11(struct vm_emit *e, uint8_t reg)
{
    vm_label_t done = vm_label(e);
    vm_label_t reserved = vm_label(e);

    vm_emit_jcci(e, VM_JLT, reg, ofp_to_u16(OFPP_MAX), done);
    vm_emit_const(e, VM_R0, 0xffffff00);
    vm_emit_jcc(e, VM_JGE, reg, VM_R0, reserved);
    vm_emit_movi(e, reg, 0xffff);
    vm_bind(e, reserved);
    emit_low_bits(e, reg, 16);
    vm_bind(e, done);
}

void
of_emit_read(struct vm_emit *e, const struct of_field *f, unsigned ofs,
             unsigned n_bits, uint8_t dst)
{
    if (f->mf->id == MFF_ND_OPTIONS_TYPE) {
        /* As libopenvswitch's mf_get_value(), which all other actions and the
         * slow path read it with. */
        vm_emit_movi(e, dst, 0);
        return;
    }
    if (f->flags & OF_FF_OFP11) {
        emit_load_piece(e, &f->pieces[0], dst);
        emit_port_to_ofp11(e, dst);
        if (ofs) {
            vm_emit_alui(e, VM_RSH, dst, ofs);
        }
        emit_low_bits(e, dst, n_bits);
        return;
    }

    const unsigned range[2] = { ofs, n_bits };
    bool first = true;
    for (int i = 0; i < f->n_pieces; i++) {
        uint8_t reg = first ? dst : VM_R0;
        unsigned overlap[3];

        if (!piece_overlap(f, i, range, overlap)) {
            continue;
        }
        emit_load_piece(e, &f->pieces[i], reg);
        if (overlap[0]) {
            vm_emit_alui(e, VM_RSH, reg, overlap[0]);
        }
        if (overlap[0] + overlap[2] < f->pieces[i].size * 8u) {
            emit_low_bits(e, reg, overlap[2]);
        }
        if (overlap[1]) {
            vm_emit_alui(e, VM_LSH, reg, overlap[1]);
        }
        if (!first) {
            vm_emit_alu(e, VM_OR, dst, reg);
        }
        first = false;
    }
    if (first) {
        /* Bits that the value has but the storage has not. */
        vm_emit_movi(e, dst, 0);
    }

    /* IP_DSCP's value has two low bits that are always 0. */
    if (f->mf->id == MFF_IP_DSCP && ofs < 2) {
        vm_emit_alui(e, VM_AND, dst, -(1 << (2 - ofs)));
    }
}

/* r2 = 'src' as bits of piece 'p', merged with what is there. */
static void
emit_merge_piece(struct vm_emit *e, const struct of_field *f,
                 const struct of_piece *p, const unsigned overlap[3],
                 uint8_t src)
{
    uint64_t mask = (overlap[2] == 64 ? UINT64_MAX
                     : (UINT64_C(1) << overlap[2]) - 1) << overlap[0];
    uint64_t whole = p->size == 8 ? UINT64_MAX
                     : (UINT64_C(1) << p->size * 8) - 1;

    if (f->mf->id == MFF_IP_DSCP) {
        mask &= IP_DSCP_MASK;
    }
    vm_emit_mov(e, VM_R2, src);
    if (overlap[1]) {
        vm_emit_alui(e, VM_RSH, VM_R2, overlap[1]);
    }
    if (overlap[0]) {
        vm_emit_alui(e, VM_LSH, VM_R2, overlap[0]);
    }
    if (mask == whole) {
        return;
    }
    vm_emit_const(e, VM_R3, mask);
    vm_emit_alu(e, VM_AND, VM_R2, VM_R3);
    uint64_t keep = ~mask & whole;
    if (f->flags & OF_FF_WHOLE) {
        keep &= (UINT64_C(1) << f->mf->n_bits) - 1;
    }
    if (keep) {
        emit_load_piece(e, p, VM_R0);
        vm_emit_const(e, VM_R3, keep);
        vm_emit_alu(e, VM_AND, VM_R0, VM_R3);
        vm_emit_alu(e, VM_OR, VM_R2, VM_R0);
    }
}

/* Field with OF_FF_OFP11: the whole value has to be known before it is
 * converted. */
static void
emit_write_ofp11(struct vm_emit *e, const struct of_field *f, unsigned ofs,
                 unsigned n_bits, uint8_t src)
{
    uint64_t mask = (n_bits == 32 ? UINT32_MAX
                     : (UINT64_C(1) << n_bits) - 1) << ofs;

    vm_emit_ld(e, 2, VM_R2, VM_R6, of_ctx_off(f->pieces[0].flow_off));
    emit_port_to_ofp11(e, VM_R2);
    vm_emit_const(e, VM_R3, ~mask);
    vm_emit_alu(e, VM_AND, VM_R2, VM_R3);
    vm_emit_mov(e, VM_R1, src);
    vm_emit_alui(e, VM_LSH, VM_R1, ofs);
    vm_emit_alu(e, VM_OR, VM_R2, VM_R1);
    emit_port_from_ofp11(e, VM_R2);
    vm_emit_st(e, 2, VM_R6, of_ctx_off(f->pieces[0].flow_off), VM_R2);
    of_emit_wide(e, of_ctx_off(f->pieces[0].flow_off));
}

void
of_emit_write(struct vm_emit *e, const struct of_field *f, unsigned ofs,
              unsigned n_bits, uint8_t src)
{
    const unsigned range[2] = { ofs, n_bits };

    if (f->flags & OF_FF_OFP11) {
        emit_write_ofp11(e, f, ofs, n_bits, src);
    } else {
        for (int i = 0; i < f->n_pieces; i++) {
            unsigned overlap[3];

            if (piece_overlap(f, i, range, overlap)) {
                emit_merge_piece(e, f, &f->pieces[i], overlap, src);
                emit_store_piece(e, &f->pieces[i], VM_R2);
            }
        }
    }
}

void
of_emit_dirty(struct vm_emit *e, uint32_t dirty)
{
    if (dirty) {
        vm_emit_ld(e, 4, VM_R0, VM_R6, offsetof(struct dp_ctx, dirty));
        vm_emit_alui(e, VM_OR, VM_R0, dirty);
        vm_emit_st(e, 4, VM_R6, offsetof(struct dp_ctx, dirty), VM_R0);
    }
}
