/* SPDX-License-Identifier: Apache-2.0 */

/* Arithmetic and moves: on numbers by scalar.c, on pointers by a few rules. */

#include "vm/verifier/verifier.h"

#include "vm/map.h"

/* -- Pointers -- */

static bool
is_bounded(const struct scalar *s)
{
    return s->r64.smin > -VF_MAX_OFF && s->r64.smax < VF_MAX_OFF;
}

/* '*r += by': the constant part goes to 'off', the rest to 'num'. */
static int
move_pointer(struct verifier *v, int regno, const struct scalar *by)
{
    struct vreg *r = vf_reg(v, regno);

    r->beyond = 0;
    if (!is_bounded(by)) {
        return vf_reject(v, VF_POINTER_RANGE, regno);
    }
    if (scalar_is_const(by)) {
        int64_t off = r->off + (int64_t) by->bits.value;

        if (off <= -VF_MAX_OFF || off >= VF_MAX_OFF) {
            return vf_reject(v, VF_POINTER_RANGE, regno);
        }
        r->off = off;
        return 0;
    }
    scalar_alu(&r->num, SCALAR_ADD, by, 64);
    if (!is_bounded(&r->num)) {
        return vf_reject(v, VF_POINTER_RANGE, regno);
    }
    if (vreg_is_packet(r)) {
        r->id = ++v->last_id;
        r->size = 0;
    }
    return 0;
}

static bool
is_movable(const struct vreg *r)
{
    return r->type != V_MAP && r->type != V_PKT_END;
}

/* Two pointers into the same thing differ by a number. */
static bool
are_subtractable(const struct vreg *a, const struct vreg *b)
{
    bool a_packet = vreg_is_packet(a) || a->type == V_PKT_END;
    bool b_packet = vreg_is_packet(b) || b->type == V_PKT_END;

    return (a_packet && b_packet)
           || (a->type == b->type && !a->maybe_null && !b->maybe_null);
}

/* Numbers, and what C shows as a 32-bit member of the context (the packet's
 * pointers): programs compute lengths with their low halves. */
static bool
has_low_half(const struct vreg *r)
{
    return r->type == V_SCALAR || vreg_is_packet(r) || r->type == V_PKT_END;
}

static int
pointer_alu(struct verifier *v, const struct vm_insn *insn, int width,
            const struct vreg *src)
{
    struct vreg *dst = vf_reg(v, insn->dst);
    int op = insn->code & VM_OP_MASK;
    struct scalar by = src->num;

    if (op == VM_SUB
        && ((vreg_is_pointer(dst) && vreg_is_pointer(src)
             && are_subtractable(dst, src))
            || (width == 32 && has_low_half(dst) && has_low_half(src)))) {
        *dst = vreg_scalar(scalar_bits(width));
        return 0;
    } else if (width == 32) {
        return vf_reject(v, VF_POINTER_32, insn->dst);
    } else if ((op != VM_ADD && op != VM_SUB)
               || (op == VM_SUB && vreg_is_pointer(src))) {
        return vf_reject(v, VF_POINTER_ALU, insn->dst);
    } else if (vreg_is_pointer(dst) && vreg_is_pointer(src)) {
        return vf_reject(v, VF_POINTER_ALU, insn->dst);
    }
    if (vreg_is_pointer(src)) {
        /* number + pointer */
        by = dst->num;
        *dst = *src;
    } else if (op == VM_SUB) {
        scalar_neg(&by, 64);
    }
    if (dst->maybe_null) {
        return vf_reject(v, VF_POINTER_NULL_MATH, insn->dst);
    } else if (!is_movable(dst)) {
        return vf_reject(v, VF_POINTER_FIXED, insn->dst);
    }
    return move_pointer(v, insn->dst, &by);
}

/* -- Numbers -- */

static enum scalar_op
scalar_op_of(const struct vm_insn *insn)
{
    bool is_signed = insn->off == 1;

    switch (insn->code & VM_OP_MASK) {
    case VM_ADD:
        return SCALAR_ADD;
    case VM_SUB:
        return SCALAR_SUB;
    case VM_MUL:
        return SCALAR_MUL;
    case VM_DIV:
        return is_signed ? SCALAR_SDIV : SCALAR_DIV;
    case VM_MOD:
        return is_signed ? SCALAR_SMOD : SCALAR_MOD;
    case VM_OR:
        return SCALAR_OR;
    case VM_AND:
        return SCALAR_AND;
    case VM_XOR:
        return SCALAR_XOR;
    case VM_LSH:
        return SCALAR_LSH;
    case VM_RSH:
        return SCALAR_RSH;
    default:
        return SCALAR_ARSH;
    }
}

/* A division whose divisor may be special on some path is not marked; the
 * mark is taken back where an earlier path had set it. */
static void
note_division(struct verifier *v, enum scalar_op op,
              const struct scalar *divisor, int width)
{
    struct vm_aux *aux = &v->prog->aux[v->pc];
    const struct range *r = width == 64 ? &divisor->r64 : &divisor->r32;
    bool safe = r->umin > 0;

    if (op == SCALAR_SDIV || op == SCALAR_SMOD) {
        safe = safe && (r->smin > -1 || r->smax < -1);
    } else if (op != SCALAR_DIV && op != SCALAR_MOD) {
        return;
    }
    if (!(aux->flags & VM_AUX_SEEN)) {
        aux->flags |= safe ? VM_AUX_DIV_SAFE : 0;
    } else if (!safe) {
        aux->flags &= ~VM_AUX_DIV_SAFE;
    }
}

static int
arithmetic(struct verifier *v, const struct vm_insn *insn, int width,
           const struct vreg *src)
{
    struct vreg *dst;
    enum scalar_op op;
    int error;

    dst = vf_read(v, insn->dst, &error);
    if (!dst) {
        return error;
    }
    if (vreg_is_pointer(dst) || vreg_is_pointer(src)) {
        return pointer_alu(v, insn, width, src);
    }
    op = scalar_op_of(insn);
    note_division(v, op, &src->num, width);
    scalar_alu(&dst->num, op, &src->num, width);
    dst->id = 0;
    return 0;
}

/* A copied number keeps an id, so that a comparison of one copy teaches
 * something about the other. */
static int
move(struct verifier *v, const struct vm_insn *insn, int width,
     struct vreg *src)
{
    struct vreg *dst = vf_reg(v, insn->dst);

    if (width == 32 && vreg_is_pointer(src) && has_low_half(src)) {
        *dst = vreg_scalar(scalar_bits(32));
        return 0;
    } else if (width == 32 && vreg_is_pointer(src)) {
        return vf_reject(v, VF_POINTER_32, insn->src);
    }
    if (width == 64 && src->type == V_SCALAR && !src->id
        && !scalar_is_const(&src->num) && insn->code & VM_X) {
        src->id = ++v->last_id;
    }
    *dst = *src;
    if (width == 32) {
        scalar_zext(&dst->num, 32);
        dst->id = 0;
    }
    return 0;
}

static int
move_sign_extended(struct verifier *v, const struct vm_insn *insn, int width)
{
    struct vreg *src;
    int error;

    src = vf_read(v, insn->src, &error);
    if (!src) {
        return error;
    } else if (vreg_is_pointer(src)) {
        return vf_reject(v, VF_POINTER_OPERAND, insn->src);
    }
    *vf_reg(v, insn->dst) = vreg_scalar(src->num);
    scalar_sext(&vf_reg(v, insn->dst)->num, insn->off, width);
    return 0;
}

static int
change_in_place(struct verifier *v, const struct vm_insn *insn,
                const struct vm_isa *isa)
{
    struct vreg *dst;
    int error;

    dst = vf_read(v, insn->dst, &error);
    if (!dst) {
        return error;
    } else if (vreg_is_pointer(dst)) {
        return vf_reject(v, VF_POINTER_ALU, insn->dst);
    }
    dst->id = 0;
    if (isa->form == VM_F_NEG) {
        scalar_neg(&dst->num, isa->bits);
    } else if (VM_CLASS(insn->code) == VM_ALU && !(insn->code & VM_X)) {
        scalar_zext(&dst->num, isa->bits);      /* To little endian. */
    } else {
        scalar_bswap(&dst->num, isa->bits);
    }
    return 0;
}

int
vf_alu(struct verifier *v, const struct vm_insn *insn,
       const struct vm_isa *isa)
{
    struct vreg imm, *src = &imm;
    int error;

    if (isa->form == VM_F_NEG || isa->form == VM_F_END) {
        return change_in_place(v, insn, isa);
    } else if (isa->form == VM_F_MOVSX) {
        return move_sign_extended(v, insn, isa->bits);
    }
    if (isa->form == VM_F_ALU_RR) {
        src = vf_read(v, insn->src, &error);
        if (!src) {
            return error;
        }
    } else {
        imm = vreg_scalar(scalar_const((uint64_t) (int64_t) insn->imm));
    }
    if ((insn->code & VM_OP_MASK) == VM_MOV) {
        return move(v, insn, isa->bits, src);
    }
    imm = *src;                 /* dst may be the same register. */
    return arithmetic(v, insn, isa->bits, &imm);
}

/* -- Constants of 64 bits, maps -- */

int
vf_load_imm(struct verifier *v, const struct vm_insn *insn,
            const struct vm_isa *isa)
{
    struct vreg *dst = vf_reg(v, insn->dst);
    const struct vm_map *map;

    if (isa->form == VM_F_LDDW) {
        *dst = vreg_scalar(scalar_const(vm_lddw_imm(insn)));
        return 0;
    }
    map = v->prog->maps[insn->imm];
    if (isa->form == VM_F_LDMAP) {
        *dst = vreg_pointer(V_MAP);
        dst->map_index = insn->imm + 1;
    } else {
        /* The loader has checked that the map has such an address. */
        *dst = vreg_pointer(V_MAP_VALUE);
        dst->off = insn[1].imm;
        dst->size = map->value_size;
    }
    dst->map = map;
    return 0;
}
