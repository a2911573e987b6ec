/* SPDX-License-Identifier: Apache-2.0 */

/* Actions that change fields: set_field (and load), the mod_* actions of
 * OpenFlow 1.0, write_metadata, move.
 *
 * A write is compiled piece by piece of the field's storage.  The piece's new
 * bits, already where and in the byte order in which the key has them, are a
 * parameter; so are the bits to keep, if the mask does not cover all of the
 * piece.  So rules that set a field to different values, or under different
 * masks, share code. */

#include "ofproto/compile/actions.h"

#include <string.h>
#include "flow.h"
#include "openvswitch/ofp-actions.h"
#include "packets.h"
#include "util.h"
#include "ofproto/compile/fields.h"

/* When a write happens. */
enum guard {
    GUARD_FIELD,                /* The field's prerequisites are met. */
    GUARD_ALWAYS,
    GUARD_IP_ANY,               /* IPv4 or IPv6. */
    GUARD_TRANSPORT             /* The same, and not a later fragment. */
};

/* One write. */
struct set {
    const struct of_field *f;
    union mf_value value;       /* 0 where the mask is. */
    union mf_value mask;
    enum guard guard;
    uint32_t dirty;
};

/* What a write does to a piece, and the bits of it, as stored. */
enum piece_write {
    PIECE_NONE,
    PIECE_WHOLE,
    PIECE_PARTIAL
};

struct piece {
    enum piece_write write;
    uint8_t add[8];
    uint8_t keep[8];            /* If partial. */
};

static void
set_init(struct set *s, enum mf_field_id id, enum guard guard)
{
    memset(s, 0, sizeof *s);
    s->f = of_field_get(mf_from_id(id));
    s->guard = guard;
    s->dirty = s->f->dirty;
    memset(&s->mask, 0xff, s->f->mf->n_bytes);
}

/* What 'a' writes. */
static void
set_from_ofpact(struct set *s, const struct ofpact *a)
{
    switch ((int) a->type) {
    case OFPACT_SET_FIELD: {
        const struct ofpact_set_field *sf = ofpact_get_SET_FIELD(a);
        const union mf_value *mask = ofpact_set_field_mask(sf);

        set_init(s, sf->field->id, GUARD_FIELD);
        memcpy(&s->mask, mask, sf->field->n_bytes);
        for (int i = 0; i < sf->field->n_bytes; i++) {
            s->value.b[i] = sf->value->b[i] & mask->b[i];
        }
        break;
    }
    case OFPACT_WRITE_METADATA:
        set_init(s, MFF_METADATA, GUARD_ALWAYS);
        s->mask.be64 = ofpact_get_WRITE_METADATA(a)->mask;
        s->value.be64 = ofpact_get_WRITE_METADATA(a)->metadata & s->mask.be64;
        break;
    case OFPACT_SET_ETH_SRC:
        set_init(s, MFF_ETH_SRC, GUARD_ALWAYS);
        s->value.mac = ofpact_get_SET_ETH_SRC(a)->mac;
        break;
    case OFPACT_SET_ETH_DST:
        set_init(s, MFF_ETH_DST, GUARD_ALWAYS);
        s->value.mac = ofpact_get_SET_ETH_DST(a)->mac;
        break;
    case OFPACT_SET_IPV4_SRC:
        set_init(s, MFF_IPV4_SRC, GUARD_FIELD);
        s->value.be32 = ofpact_get_SET_IPV4_SRC(a)->ipv4;
        break;
    case OFPACT_SET_IPV4_DST:
        set_init(s, MFF_IPV4_DST, GUARD_FIELD);
        s->value.be32 = ofpact_get_SET_IPV4_DST(a)->ipv4;
        break;
    case OFPACT_SET_IP_DSCP:
        set_init(s, MFF_IP_DSCP, GUARD_IP_ANY);
        s->value.u8 = ofpact_get_SET_IP_DSCP(a)->dscp;
        break;
    case OFPACT_SET_IP_ECN:
        set_init(s, MFF_IP_ECN, GUARD_IP_ANY);
        s->value.u8 = ofpact_get_SET_IP_ECN(a)->ecn;
        break;
    case OFPACT_SET_IP_TTL:
        set_init(s, MFF_IP_TTL, GUARD_IP_ANY);
        s->value.u8 = ofpact_get_SET_IP_TTL(a)->ttl;
        break;
    case OFPACT_SET_L4_SRC_PORT:
        set_init(s, MFF_TCP_SRC, GUARD_TRANSPORT);
        s->value.be16 = htons(ofpact_get_SET_L4_SRC_PORT(a)->port);
        s->dirty = DP_DIRTY_TP | DP_DIRTY_ICMP;
        break;
    case OFPACT_SET_L4_DST_PORT:
        set_init(s, MFF_TCP_DST, GUARD_TRANSPORT);
        s->value.be16 = htons(ofpact_get_SET_L4_DST_PORT(a)->port);
        s->dirty = DP_DIRTY_TP | DP_DIRTY_ICMP;
        break;
    default:
        OVS_NOT_REACHED();
    }
}

/* 'value' where struct flow has it. */
static void
value_to_flow(const struct set *s, const union mf_value *value,
              struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    mf_set_flow_value(s->f->mf, value, flow);
}

static const uint8_t *
piece_bits(const struct of_piece *p, const struct flow *flow)
{
    return (const uint8_t *) flow + p->flow_off;
}

static bool
covers_value(const struct set *s)
{
    unsigned n_bits = s->f->mf->n_bits;

    return bitwise_scan(&s->mask, s->f->mf->n_bytes, false, 0,
                        n_bits) == n_bits;
}

/* What the write does to each piece of the field. */
static void
set_pieces(const struct set *s, struct piece pieces[OF_MAX_PIECES])
{
    bool extends = s->f->flags & OF_FF_WHOLE;
    bool covered = extends && covers_value(s);
    struct flow value, mask, ones;

    value_to_flow(s, &s->value, &value);
    value_to_flow(s, &s->mask, &mask);
    if (extends) {
        union mf_value all;

        /* Of storage that is larger than the value only the value's bits are
         * kept. */
        memset(&all, 0xff, sizeof all);
        value_to_flow(s, &all, &ones);
    }
    for (int i = 0; i < s->f->n_pieces; i++) {
        const struct of_piece *p = &s->f->pieces[i];
        struct piece *piece = &pieces[i];

        memcpy(piece->add, piece_bits(p, &value), p->size);
        memcpy(piece->keep, piece_bits(p, &mask), p->size);
        if (covered || is_all_ones(piece->keep, p->size)) {
            piece->write = PIECE_WHOLE;
        } else if (is_all_zeros(piece->keep, p->size)) {
            piece->write = PIECE_NONE;
        } else {
            piece->write = PIECE_PARTIAL;
            for (int j = 0; j < p->size; j++) {
                piece->keep[j] = ~piece->keep[j];
                if (extends) {
                    piece->keep[j] &= piece_bits(p, &ones)[j];
                }
            }
        }
    }
}

/* VLAN fields: what their write does to the tag's TCI. */
static void
vlan_bits(const struct set *s, ovs_be16 *add, ovs_be16 *keep)
{
    uint16_t value, mask, extra = 0;

    switch ((int) s->f->mf->id) {
    case MFF_VLAN_TCI:
        value = ntohs(s->value.be16);
        mask = ntohs(s->mask.be16);
        break;
    case MFF_VLAN_VID:
        mask = ntohs(s->mask.be16) & (VLAN_VID_MASK | VLAN_CFI);
        value = ntohs(s->value.be16) & mask;
        break;
    case MFF_DL_VLAN:
        mask = ntohs(s->mask.be16) & VLAN_VID_MASK;
        value = ntohs(s->value.be16) & mask;
        extra = VLAN_CFI;
        break;
    default:                    /* MFF_DL_VLAN_PCP, MFF_VLAN_PCP. */
        mask = (s->mask.u8 & 7) << VLAN_PCP_SHIFT;
        value = (s->value.u8 & 7) << VLAN_PCP_SHIFT;
        extra = VLAN_CFI;
        break;
    }
    *add = htons(value | extra);
    *keep = htons(~mask);
}

static void
set_plan(struct of_plan *plan, const struct ofpact *a)
{
    struct piece pieces[OF_MAX_PIECES];
    struct set s;

    set_from_ofpact(&s, a);
    of_plan_need(plan, s.guard == GUARD_ALWAYS && !s.dirty
                 ? OF_PARSE_NONE : of_field_parse_level(s.f));
    if (s.dirty & (DP_DIRTY_TP | DP_DIRTY_ICMP)) {
        of_plan_need(plan, OF_PARSE_L4);
    }
    of_plan_u8(plan, s.f->mf->id);
    if (s.f->flags & OF_FF_VLAN) {
        ovs_be16 add, keep;

        vlan_bits(&s, &add, &keep);
        of_plan_param(plan, &keep, sizeof keep);
        of_plan_param(plan, &add, sizeof add);
        return;
    }
    set_pieces(&s, pieces);
    for (int i = 0; i < s.f->n_pieces; i++) {
        const struct piece *piece = &pieces[i];

        of_plan_u8(plan, piece->write);
        if (piece->write == PIECE_PARTIAL) {
            of_plan_param(plan, piece->keep, s.f->pieces[i].size);
        }
        if (piece->write != PIECE_NONE) {
            of_plan_param(plan, piece->add, s.f->pieces[i].size);
        }
    }
}

static void
emit_guard(struct vm_emit *e, const struct set *s, vm_label_t no)
{
    switch (s->guard) {
    case GUARD_FIELD:
        of_emit_prereqs(e, s->f->mf->prereqs, no);
        break;
    case GUARD_ALWAYS:
        break;
    case GUARD_IP_ANY:
        of_emit_prereqs(e, MFP_IP_ANY, no);
        break;
    case GUARD_TRANSPORT:
        of_emit_prereqs(e, MFP_IP_ANY, no);
        vm_emit_ld(e, 1, VM_R0, VM_R6, OF_KEY_OFF(nw_frag));
        vm_emit_jcci(e, VM_JSET, VM_R0, FLOW_NW_FRAG_LATER, no);
        break;
    }
}

static void
set_emit(struct of_gen *g, const struct ofpact *a)
{
    struct vm_emit *e = &g->e;
    struct piece pieces[OF_MAX_PIECES];
    vm_label_t no = vm_label(e);
    struct set s;

    set_from_ofpact(&s, a);
    emit_guard(e, &s, no);
    if (s.f->flags & OF_FF_VLAN) {
        of_emit_vlan_merge(g);
    } else {
        set_pieces(&s, pieces);
        for (int i = 0; i < s.f->n_pieces; i++) {
            const struct of_piece *p = &s.f->pieces[i];
            int off = of_ctx_off(p->flow_off);
            enum piece_write w = pieces[i].write;

            if (w == PIECE_NONE) {
                continue;
            }
            if (w == PIECE_PARTIAL) {
                vm_emit_ld(e, p->size, VM_R1, VM_R6, off);
                vm_emit_ld(e, p->size, VM_R2, VM_R7,
                           of_gen_param(g, p->size));
                vm_emit_alu(e, VM_AND, VM_R1, VM_R2);
            }
            vm_emit_ld(e, p->size, VM_R0, VM_R7, of_gen_param(g, p->size));
            if (w == PIECE_PARTIAL) {
                vm_emit_alu(e, VM_OR, VM_R0, VM_R1);
            }
            vm_emit_st(e, p->size, VM_R6, off, VM_R0);
            of_emit_wide(e, off);
        }
        of_emit_dirty(e, s.dirty);
    }
    vm_bind(e, no);
}

static enum ofperr
unsupported(const struct mf_field *mf)
{
    return (mf->id >= MFF_CT_STATE && mf->id <= MFF_CT_TP_DST
            ? OFPERR_NXBAC_CT_DATAPATH_SUPPORT : OFPERR_OFPBAC_BAD_SET_TYPE);
}

enum ofperr
of_check_writable(const struct mf_field *mf)
{
    const struct of_field *f = of_field_get(mf);

    return f && !(f->flags & OF_FF_READ) ? 0 : unsupported(mf);
}

enum ofperr
of_check_readable(const struct mf_field *mf)
{
    return of_field_get(mf) ? 0 : unsupported(mf);
}

static enum ofperr
set_field_check(const struct ofpact *a)
{
    const struct ofpact_set_field *sf = ofpact_get_SET_FIELD(a);
    enum ofperr error = of_check_writable(sf->field);

    if (!error && of_field_get(sf->field)->flags & OF_FF_OFP11
        && !is_all_ones(ofpact_set_field_mask(sf), sf->field->n_bytes)) {
        error = OFPERR_OFPBAC_BAD_SET_MASK;
    }
    return error;
}

const struct of_action_ops of_act_set_field = {
    .check = set_field_check, .plan = set_plan, .emit = set_emit
};

const struct of_action_ops of_act_mod = {
    .plan = set_plan, .emit = set_emit
};

const struct of_action_ops of_act_write_metadata = {
    .plan = set_plan, .emit = set_emit
};

/* Moves: everything about them is shape.  Both subfields are read before
 * anything is written, in parts of at most 64 bits. */

static enum ofperr
move_check(const struct ofpact *a)
{
    const struct ofpact_reg_move *move = ofpact_get_REG_MOVE(a);
    enum ofperr error = of_check_writable(move->dst.field);

    return error ? error : of_check_readable(move->src.field);
}

static void
move_plan(struct of_plan *plan, const struct ofpact *a)
{
    const struct ofpact_reg_move *move = ofpact_get_REG_MOVE(a);

    of_plan_need(plan, of_field_parse_level(of_field_get(move->src.field)));
    of_plan_need(plan, of_field_parse_level(of_field_get(move->dst.field)));
    of_plan_u8(plan, move->src.field->id);
    of_plan_u8(plan, move->src.ofs);
    of_plan_u8(plan, move->dst.field->id);
    of_plan_u8(plan, move->dst.ofs);
    of_plan_u8(plan, move->src.n_bits);
}

static void
move_emit(struct of_gen *g, const struct ofpact *a)
{
    const struct ofpact_reg_move *move = ofpact_get_REG_MOVE(a);
    const struct of_field *src = of_field_get(move->src.field);
    const struct of_field *dst = of_field_get(move->dst.field);
    unsigned low = MIN(move->src.n_bits, 64);
    unsigned high = move->src.n_bits - low;
    struct vm_emit *e = &g->e;
    vm_label_t no = vm_label(e);

    of_emit_prereqs(e, dst->mf->prereqs, no);
    of_emit_prereqs(e, src->mf->prereqs, no);
    of_emit_read(e, src, move->src.ofs, low, VM_R8);
    if (high) {
        of_emit_read(e, src, move->src.ofs + 64, high, VM_R9);
    }
    if (dst->flags & OF_FF_VLAN) {
        of_emit_vlan_write(e, dst, move->dst.ofs, low, VM_R8);
    } else {
        of_emit_write(e, dst, move->dst.ofs, low, VM_R8);
        if (high) {
            of_emit_write(e, dst, move->dst.ofs + 64, high, VM_R9);
        }
    }
    of_emit_dirty(e, dst->dirty);
    vm_bind(e, no);
}

const struct of_action_ops of_act_move = {
    .check = move_check, .plan = move_plan, .emit = move_emit
};
