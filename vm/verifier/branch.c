/* SPDX-License-Identifier: Apache-2.0 */

/* Conditional jumps: what each way teaches. */

#include "vm/verifier/verifier.h"

#include <stddef.h>

static enum scalar_cond
cond_of(const struct vm_insn *insn)
{
    switch (insn->code & VM_OP_MASK) {
    case VM_JEQ:
        return SCALAR_EQ;
    case VM_JNE:
        return SCALAR_NE;
    case VM_JGT:
        return SCALAR_GT;
    case VM_JGE:
        return SCALAR_GE;
    case VM_JLT:
        return SCALAR_LT;
    case VM_JLE:
        return SCALAR_LE;
    case VM_JSGT:
        return SCALAR_SGT;
    case VM_JSGE:
        return SCALAR_SGE;
    case VM_JSLT:
        return SCALAR_SLT;
    case VM_JSLE:
        return SCALAR_SLE;
    default:
        return SCALAR_SET;
    }
}

/* -- Numbers -- */

struct copy_number {
    uint32_t id;
    struct scalar num;
};

static void
copy_number(struct vreg *r, void *aux)
{
    const struct copy_number *c = aux;

    if (r->type == V_SCALAR && r->id == c->id) {
        r->num = c->num;
    }
}

/* Copies of the same unknown number learn the same. */
static void
learn_number(struct vstate *s, struct vreg *r, const struct scalar *num)
{
    struct copy_number c = { r->id, *num };

    r->num = *num;
    if (r->id) {
        vstate_for_each_reg(s, copy_number, &c);
    }
}

/* Narrows the operands for the condition; false if it cannot hold. */
static bool
narrow(struct vstate *s, const struct vm_insn *insn, enum scalar_cond cond,
       int width)
{
    struct vreg *dst = vstate_reg(s, insn->dst);
    struct vreg *src = insn->code & VM_X ? vstate_reg(s, insn->src) : NULL;
    struct scalar a = dst->num;
    struct scalar b = src ? src->num
                      : scalar_const((uint64_t) (int64_t) insn->imm);

    if (!scalar_refine(&a, cond, &b, width)) {
        return false;
    }
    learn_number(s, dst, &a);
    if (src) {
        learn_number(s, src, &b);
    }
    return true;
}

/* -- Null checks -- */

struct null_check {
    uint32_t id;
    bool is_null;
};

static void
settle_null(struct vreg *r, void *aux)
{
    const struct null_check *c = aux;

    if (!r->maybe_null || r->id != c->id) {
        return;
    }
    if (c->is_null) {
        *r = vreg_scalar(scalar_const(0));
    } else {
        r->maybe_null = false;
        r->id = 0;
    }
}

static void
learn_null(struct vstate *s, uint32_t id, uint32_t ref, bool is_null)
{
    struct null_check c = { id, is_null };

    vstate_for_each_reg(s, settle_null, &c);
    for (uint32_t i = 0; is_null && i < s->n_refs; i++) {
        if (s->refs[i] == ref) {
            s->refs[i] = s->refs[--s->n_refs];
            break;
        }
    }
}

/* -- Packet bounds -- */

struct packet_range {
    uint8_t type;
    uint32_t id;
    uint32_t size;
};

static void
widen_packet(struct vreg *r, void *aux)
{
    const struct packet_range *p = aux;

    if (r->type == p->type && r->id == p->id && r->size < p->size) {
        r->size = p->size;
    }
}

/* 'pkt' <= end (or < end, 'strict'): the bytes before it exist. */
static void
learn_packet(struct vstate *s, const struct vreg *pkt, bool strict)
{
    struct packet_range p = { pkt->type, pkt->id, 0 };
    int64_t proved = (int64_t) pkt->off + strict;

    if (pkt->off < 0 || pkt->num.r64.smin < 0
        || pkt->num.r64.umax > VF_MAX_PACKET_OFF
        || proved + pkt->num.r64.umax > VF_MAX_PACKET_OFF || proved <= 0) {
        return;
    }
    p.size = proved;
    vstate_for_each_reg(s, widen_packet, &p);
}

static void
mark_beyond(struct vreg *r, void *aux)
{
    const struct vreg *p = aux;

    if (r->type == V_PKT && r->id == p->id && r->off >= p->off
        && r->beyond < p->beyond) {
        r->beyond = p->beyond;
    }
}

/* 'pkt' >= end (or > end, 'strict'). */
static void
learn_beyond(struct vstate *s, const struct vreg *pkt, bool strict)
{
    struct vreg p = *pkt;

    if (pkt->type == V_PKT) {
        p.beyond = 1 + strict;
        vstate_for_each_reg(s, mark_beyond, &p);
    }
}

/* The end of a packet pointer's bytes: the packet's end, or, for metadata,
 * the packet's first byte. */
static bool
is_end_of(const struct vreg *end, const struct vreg *pkt)
{
    return (pkt->type == V_PKT && end->type == V_PKT_END)
           || (pkt->type == V_PKT_META && end->type == V_PKT && !end->off
               && vreg_is_fixed(end));
}

/* What 'pkt cond end' says about bounds. */
static void
learn_end(struct vstate *s, const struct vreg *pkt, enum scalar_cond cond)
{
    switch (cond) {
    case SCALAR_LE:
    case SCALAR_LT:
        learn_packet(s, pkt, cond == SCALAR_LT);
        break;
    case SCALAR_GE:
    case SCALAR_GT:
        learn_beyond(s, pkt, cond == SCALAR_GT);
        break;
    default:
        break;
    }
}

/* 'b cond a' for 'a cond b', of those that order. */
static enum scalar_cond
mirrored(enum scalar_cond cond)
{
    switch (cond) {
    case SCALAR_GT:
        return SCALAR_LT;
    case SCALAR_GE:
        return SCALAR_LE;
    case SCALAR_LT:
        return SCALAR_GT;
    case SCALAR_LE:
        return SCALAR_GE;
    default:
        return cond;
    }
}

/* What 'a cond b' says about bounds, if one is a packet pointer and the
 * other its end. */
static void
learn_bounds(struct vstate *s, const struct vreg *a, enum scalar_cond cond,
             const struct vreg *b)
{
    if (is_end_of(b, a)) {
        learn_end(s, a, cond);
    } else if (is_end_of(a, b)) {
        learn_end(s, b, mirrored(cond));
    }
}

/* Compilers compare a pointer with the end again where they know the answer;
 * so do we: 1, 0, or -1. */
static int
decide_end(const struct vreg *pkt, enum scalar_cond cond)
{
    switch (cond) {
    case SCALAR_GT:
        return pkt->beyond == 2 ? 1 : -1;
    case SCALAR_LE:
        return pkt->beyond == 2 ? 0 : -1;
    case SCALAR_GE:
        return pkt->beyond ? 1 : -1;
    case SCALAR_LT:
        return pkt->beyond ? 0 : -1;
    default:
        return -1;
    }
}

/* -- Jumps -- */

static bool
is_null_check(const struct vm_insn *insn, const struct vreg *dst, int width)
{
    int op = insn->code & VM_OP_MASK;

    return width == 64 && dst->maybe_null && !(insn->code & VM_X)
           && !insn->imm && (op == VM_JEQ || op == VM_JNE);
}

/* A pointer that is not null differs from a constant 0. */
static int
decide(const struct vm_insn *insn, const struct vreg *a,
       const struct vreg *b, int width)
{
    int op = insn->code & VM_OP_MASK;

    if (a->type == V_SCALAR && b->type == V_SCALAR) {
        return scalar_decide(&a->num, cond_of(insn), &b->num, width);
    }
    if (width == 64 && a->type == V_PKT && b->type == V_PKT_END) {
        return decide_end(a, cond_of(insn));
    } else if (width == 64 && a->type == V_PKT_END && b->type == V_PKT) {
        return decide_end(b, mirrored(cond_of(insn)));
    }
    if (width == 64 && vreg_is_pointer(a) && !a->maybe_null
        && b->type == V_SCALAR && scalar_is_const(&b->num)
        && !b->num.bits.value) {
        return op == VM_JEQ ? 0 : op == VM_JNE ? 1 : -1;
    }
    return -1;
}

/* Gives 's' what the condition (or its opposite) teaches; false if that way
 * is impossible. */
static bool
learn(struct vstate *s, const struct vm_insn *insn, int width, bool holds)
{
    struct vreg a = *vstate_reg(s, insn->dst);
    struct vreg b = insn->code & VM_X ? *vstate_reg(s, insn->src)
                    : vreg_scalar(scalar_const((uint64_t) (int64_t)
                                               insn->imm));
    enum scalar_cond cond = cond_of(insn);

    if (!holds) {
        cond = scalar_cond_not(cond);
    }
    if (is_null_check(insn, &a, width)) {
        learn_null(s, a.id, a.ref, cond == SCALAR_EQ);
    } else if (a.type == V_SCALAR && b.type == V_SCALAR) {
        return narrow(s, insn, cond, width);
    } else if (width == 64) {
        learn_bounds(s, &a, cond, &b);
    }
    return true;
}

static void
note_decision(struct verifier *v, int taken)
{
    struct vm_aux *aux = &v->prog->aux[v->pc];
    uint16_t mine = taken == 1 ? VM_AUX_ALWAYS
                    : taken == 0 ? VM_AUX_NEVER : 0;

    if (!(aux->flags & VM_AUX_SEEN)) {
        aux->flags |= mine;
    } else {
        aux->flags &= ~(VM_AUX_ALWAYS | VM_AUX_NEVER) | mine;
    }
}

/* Both ways: the jump's state waits, the current one goes on. */
static int
both_ways(struct verifier *v, const struct vm_insn *insn,
          const struct vm_isa *isa, int *taken)
{
    uint32_t target = v->pc + 1 + vm_jump_off(insn, isa->form);
    struct vstate other;
    bool may_jump, may_go_on;
    int error;

    if (!vstate_copy(&other, &v->cur)) {
        return vf_reject(v, VF_MEMORY, -1);
    }
    may_jump = learn(&other, insn, isa->bits, true);
    may_go_on = learn(&v->cur, insn, isa->bits, false);
    if (may_jump && may_go_on) {
        struct vstate mine = v->cur;

        v->cur = other;
        error = vf_push(v, target);
        v->cur = mine;
        vstate_uninit(&other);
        return error;
    }
    if (may_jump) {
        struct vstate mine = v->cur;

        v->cur = other;
        other = mine;
    }
    vstate_uninit(&other);
    *taken = may_jump;
    return 0;
}

int
vf_branch(struct verifier *v, const struct vm_insn *insn,
          const struct vm_isa *isa, int *taken)
{
    struct vreg imm, *a, *b = &imm;
    int error = 0;

    a = vf_read(v, insn->dst, &error);
    if (!a) {
        return error;
    }
    if (isa->form == VM_F_JCC_RR) {
        b = vf_read(v, insn->src, &error);
        if (!b) {
            return error;
        }
    } else {
        imm = vreg_scalar(scalar_const((uint64_t) (int64_t) insn->imm));
    }
    *taken = decide(insn, a, b, isa->bits);
    if (*taken < 0) {
        error = both_ways(v, insn, isa, taken);
    }
    if (!error) {
        note_decision(v, *taken);
    }
    return error;
}
