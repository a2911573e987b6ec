/* SPDX-License-Identifier: Apache-2.0 */

/* AArch64: arithmetic, moves, byte order. */

#include "jit/aarch64-parts.h"

static bool
is_power_of_2(uint64_t x)
{
    return x && !(x & (x - 1));
}

/* The second operand as a number of the operation's width. */
static uint64_t
operand(const struct vm_insn *insn, bool w)
{
    return w ? (uint64_t) (int64_t) insn->imm : (uint32_t) insn->imm;
}

/* The second operand in a register. */
static int
operand_reg(struct jit *j, const struct vm_insn *insn, bool w)
{
    if (insn->code & VM_X) {
        return a64_reg(j, insn->src, A64_T0);
    } else if (!insn->imm) {
        return A64_ZR;
    }
    a64_mov_imm(j, A64_T0, operand(insn, w));
    return A64_T0;
}

/* -- Multiplication, division -- */

static void
multiply(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = a64_map[insn->dst];
    uint64_t by = operand(insn, w);

    if (!(insn->code & VM_X) && is_power_of_2(by)) {
        a64_shift_imm(j, w, A64_LSL, dst, __builtin_ctzll(by));
    } else {
        a64_madd(j, w, false, A64_DNM(dst, dst, operand_reg(j, insn, w)),
                 A64_ZR);
    }
}

/* The machine divides as RFC 9669 wants it: by zero gives 0, and what is
 * left then is the dividend. */
static void
divide(struct jit *j, const struct vm_insn *insn, bool w)
{
    bool mod = (insn->code & VM_OP_MASK) == VM_MOD;
    bool is_signed = insn->off == 1;
    int dst = a64_map[insn->dst], by;
    uint64_t imm = operand(insn, w);

    if (!(insn->code & VM_X) && !is_signed && is_power_of_2(imm)) {
        if (mod) {
            a64_logic_const(j, w, A64_AND, A64_DN(dst, dst), imm - 1);
        } else {
            a64_shift_imm(j, w, A64_LSR, dst, __builtin_ctzll(imm));
        }
        return;
    }
    by = operand_reg(j, insn, w);
    if (mod) {
        a64_div(j, w, is_signed, A64_DNM(A64_T1, dst, by));
        a64_madd(j, w, true, A64_DNM(dst, A64_T1, by), dst);
    } else {
        a64_div(j, w, is_signed, A64_DNM(dst, dst, by));
    }
}

/* -- Shifts -- */

static void
shift(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = a64_map[insn->dst];
    uint8_t code = insn->code & VM_OP_MASK;
    enum a64_shift op = code == VM_LSH ? A64_LSL
                        : code == VM_RSH ? A64_LSR : A64_ASR;

    if (insn->code & VM_X) {
        a64_shift_reg(j, w, op,
                      A64_DNM(dst, dst, a64_reg(j, insn->src, A64_T0)));
    } else {
        a64_shift_imm(j, w, op, dst, insn->imm & (w ? 63 : 31));
    }
}

/* -- Byte order, sign extension -- */

static void
byte_order(struct jit *j, const struct vm_insn *insn)
{
    bool swap = VM_CLASS(insn->code) == VM_ALU64 || insn->code & VM_X;
    int dst = a64_map[insn->dst];

    switch (insn->imm) {
    case 16:
        if (swap) {
            a64_put(j, 0x5ac00400 | dst << 5 | dst);    /* rev16 */
        }
        a64_bitfield(j, false, false, A64_DN(dst, dst), 15);
        break;
    case 32:
        if (swap) {
            a64_put(j, 0x5ac00800 | dst << 5 | dst);    /* rev w */
        } else {
            a64_mov(j, false, dst, dst);
        }
        break;
    default:
        if (swap) {
            a64_put(j, 0xdac00c00 | dst << 5 | dst);    /* rev x */
        }
        break;
    }
}

/* -- The rest -- */

static void
move(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = a64_map[insn->dst], src;

    if (!(insn->code & VM_X)) {
        a64_mov_imm(j, dst, operand(insn, w));
    } else if (insn->src == VM_R10) {
        a64_reg(j, VM_R10, dst);
        if (!w) {
            a64_mov(j, false, dst, dst);
        }
    } else {
        src = a64_map[insn->src];
        if (dst != src || !w) {
            a64_mov(j, w, dst, src);
        }
    }
}

static void
add(struct jit *j, const struct vm_insn *insn, bool w)
{
    bool sub = (insn->code & VM_OP_MASK) == VM_SUB;
    int dst = a64_map[insn->dst];

    if (insn->code & VM_X) {
        a64_addsub(j, w, sub, false,
                   A64_DNM(dst, dst, a64_reg(j, insn->src, A64_T0)));
    } else {
        a64_add_const(j, w, A64_DN(dst, dst),
                      sub ? -(int64_t) insn->imm : insn->imm, A64_T0);
    }
}

static void
logic(struct jit *j, const struct vm_insn *insn, bool w)
{
    uint8_t code = insn->code & VM_OP_MASK;
    enum a64_logic op = code == VM_AND ? A64_AND
                        : code == VM_OR ? A64_ORR : A64_EOR;
    int dst = a64_map[insn->dst];

    if (insn->code & VM_X) {
        a64_logic(j, w, op, A64_DNM(dst, dst, a64_reg(j, insn->src, A64_T0)));
    } else {
        a64_logic_const(j, w, op, A64_DN(dst, dst), insn->imm);
    }
}

static void
binary(struct jit *j, const struct vm_insn *insn, bool w)
{
    switch (insn->code & VM_OP_MASK) {
    case VM_MOV:
        move(j, insn, w);
        break;
    case VM_MUL:
        multiply(j, insn, w);
        break;
    case VM_DIV:
    case VM_MOD:
        divide(j, insn, w);
        break;
    case VM_LSH:
    case VM_RSH:
    case VM_ARSH:
        shift(j, insn, w);
        break;
    case VM_ADD:
    case VM_SUB:
        add(j, insn, w);
        break;
    default:
        logic(j, insn, w);
        break;
    }
}

void
a64_arith(struct jit *j, uint32_t pc, const struct vm_isa *isa)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int dst = a64_map[insn->dst];
    bool w = isa->bits == 64;

    switch ((enum vm_form) isa->form) {
    case VM_F_NEG:
        a64_sub(j, w, dst, A64_ZR, dst);
        break;
    case VM_F_END:
        byte_order(j, insn);
        break;
    case VM_F_MOVSX:
        a64_bitfield(j, w, true,
                     A64_DN(dst, a64_reg(j, insn->src, A64_T0)),
                     insn->off - 1);
        break;
    default:
        binary(j, insn, w);
        break;
    }
}
