/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: arithmetic, moves, byte order. */

#include "jit/x86_64-parts.h"

/* -- Division -- */

static bool
is_power_of_2(uint64_t x)
{
    return x && !(x & (x - 1));
}

/* A division by a known power of two is a shift or a mask. */
static bool
divide_by_shift(struct jit *j, const struct vm_insn *insn, bool w)
{
    bool mod = (insn->code & VM_OP_MASK) == VM_MOD;
    int dst = x86_map[insn->dst];
    uint64_t by = w ? (uint64_t) (int64_t) insn->imm : (uint32_t) insn->imm;

    if (insn->code & VM_X || insn->off || !is_power_of_2(by)
        || by > INT32_MAX) {
        return false;
    }
    if (mod) {
        x_alu_imm(j, w && by == 1, X_AND, dst, by - 1);
    } else if (by > 1) {
        x_shift_imm(j, w, X_SHR, dst, __builtin_ctzll(by));
    } else if (!w) {
        x_mov(j, false, dst, dst);
    }
    return true;
}

/* rdx:rax / r11; rax and rdx wait in r10 and r9 unless dst is one of them. */
static void
divide_machine(struct jit *j, int dst, bool w, bool is_signed, bool mod)
{
    if (dst != RAX) {
        x_mov(j, true, R10, RAX);
        x_mov(j, w, RAX, dst);
    }
    if (dst != RDX) {
        x_mov(j, true, R9, RDX);
    }
    if (is_signed) {
        x_rex(j, w, 0, 0, false);
        jit_put1(j, 0x99);      /* cdq, cqo */
    } else {
        x_alu(j, false, X_XOR, RDX, RDX);
    }
    x_group3(j, w, is_signed ? 7 : 6, R11);
    x_mov(j, w, R11, mod ? RDX : RAX);
    if (dst != RAX) {
        x_mov(j, true, RAX, R10);
    }
    if (dst != RDX) {
        x_mov(j, true, RDX, R9);
    }
    x_mov(j, w, dst, R11);
}

/* RFC 9669: x / 0 is 0, x % 0 is x, INT_MIN / -1 is INT_MIN. */
static void
divide(struct jit *j, const struct vm_insn *insn, uint16_t flags, bool w)
{
    bool mod = (insn->code & VM_OP_MASK) == VM_MOD;
    bool is_signed = insn->off == 1, safe = flags & VM_AUX_DIV_SAFE;
    int dst = x86_map[insn->dst];
    size_t not_zero = 0, not_minus = 0, done[2] = { 0, 0 };

    if (divide_by_shift(j, insn, w)) {
        return;
    }
    if (insn->code & VM_X) {
        x_mov(j, w, R11, x86_map[insn->src]);
    } else {
        x_mov_imm(j, R11, (uint64_t) (int64_t) insn->imm);
    }
    if (!safe) {
        x_test(j, w, R11, R11);
        not_zero = x86_skip(j, 0x70 | CC_NE);
        if (!mod) {
            x_alu(j, false, X_XOR, dst, dst);
        } else if (!w) {
            x_mov(j, false, dst, dst);
        }
        done[0] = x86_skip(j, 0xeb);
        x86_skip_to_here(j, not_zero);
    }
    if (!safe && is_signed) {
        x_alu_imm(j, w, X_CMP, R11, -1);
        not_minus = x86_skip(j, 0x70 | CC_NE);
        if (mod) {
            x_alu(j, false, X_XOR, dst, dst);
        } else {
            x_group3(j, w, 3, dst);
        }
        done[1] = x86_skip(j, 0xeb);
        x86_skip_to_here(j, not_minus);
    }
    divide_machine(j, dst, w, is_signed, mod);
    for (int i = 0; i < 2; i++) {
        if (done[i]) {
            x86_skip_to_here(j, done[i]);
        }
    }
}

/* -- Shifts -- */

static enum x86_shift
shift_of(const struct vm_insn *insn)
{
    switch (insn->code & VM_OP_MASK) {
    case VM_LSH:
        return X_SHL;
    case VM_RSH:
        return X_SHR;
    default:
        return X_SAR;
    }
}

/* Without BMI2 the count must be in cl. */
static void
shift_by_cl(struct jit *j, bool w, enum x86_shift op, int dst, int by)
{
    int target = dst;

    x_mov(j, true, R11, RCX);
    if (dst == RCX) {
        x_mov(j, true, R10, RCX);
        target = R10;
    }
    if (by != RCX) {
        x_mov(j, true, RCX, by);
    }
    x_shift_cl(j, w, op, target);
    if (dst == RCX) {
        x_mov(j, w, RCX, R10);
    } else {
        x_mov(j, true, RCX, R11);
    }
}

static void
shift(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = x86_map[insn->dst], src = x86_map[insn->src];
    int n = insn->imm & (w ? 63 : 31);

    if (insn->code & VM_X) {
        if (x86_features & X86_BMI2) {
            x_shift_bmi2(j, w, shift_of(insn), dst, src);
        } else {
            shift_by_cl(j, w, shift_of(insn), dst, src);
        }
    } else if (n) {
        x_shift_imm(j, w, shift_of(insn), dst, n);
    } else if (!w) {
        x_mov(j, false, dst, dst);
    }
}

/* -- Byte order, sign extension -- */

static void
byte_order(struct jit *j, const struct vm_insn *insn)
{
    bool swap = VM_CLASS(insn->code) == VM_ALU64 || insn->code & VM_X;
    int dst = x86_map[insn->dst];

    switch (insn->imm) {
    case 16:
        if (swap) {
            jit_put1(j, 0x66);
            x_shift_imm(j, false, X_ROR, dst, 8);
        }
        x_rr0f(j, false, 0xb7, dst, dst);
        break;
    case 32:
        if (swap) {
            x_bswap(j, false, dst);
        } else {
            x_mov(j, false, dst, dst);
        }
        break;
    default:
        if (swap) {
            x_bswap(j, true, dst);
        }
        break;
    }
}

static void
move_signed(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = x86_map[insn->dst], src = x86_map[insn->src];

    if (insn->off == 32) {
        x_rr(j, true, 0x63, dst, src);
    } else {
        x_rr0f(j, w, insn->off == 8 ? 0xbe : 0xbf, dst, src);
    }
}

/* -- The rest -- */

static void
move(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = x86_map[insn->dst], src = x86_map[insn->src];

    if (!(insn->code & VM_X)) {
        x_mov_imm(j, dst, w ? (uint64_t) (int64_t) insn->imm
                            : (uint32_t) insn->imm);
    } else if (dst != src || !w) {
        x_mov(j, w, dst, src);
    }
}

enum x86_alu
x86_alu_of(uint8_t op)
{
    switch (op) {
    case VM_ADD:
        return X_ADD;
    case VM_SUB:
        return X_SUB;
    case VM_OR:
        return X_OR;
    case VM_AND:
        return X_AND;
    default:
        return X_XOR;
    }
}

static void
simple(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = x86_map[insn->dst], src = x86_map[insn->src];
    enum x86_alu op = x86_alu_of(insn->code & VM_OP_MASK);

    if (insn->code & VM_X) {
        x_alu(j, w, op, dst, src);
    } else if (op == X_AND && (insn->imm == 0xff || insn->imm == 0xffff)) {
        x_rr0f(j, false, insn->imm == 0xff ? 0xb6 : 0xb7, dst, dst);
    } else {
        x_alu_imm(j, w && !(op == X_AND && insn->imm >= 0), op, dst,
                  insn->imm);
    }
}

void
x86_arith(struct jit *j, uint32_t pc, const struct vm_isa *isa)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int dst = x86_map[insn->dst], src = x86_map[insn->src];
    bool w = isa->bits == 64 && !(j->plan[pc].flags & JIT_NARROW);

    if (isa->form == VM_F_NEG) {
        x_group3(j, w, 3, dst);
        return;
    } else if (isa->form == VM_F_END) {
        byte_order(j, insn);
        return;
    } else if (isa->form == VM_F_MOVSX) {
        move_signed(j, insn, w);
        return;
    }
    switch (insn->code & VM_OP_MASK) {
    case VM_MOV:
        move(j, insn, w);
        break;
    case VM_MUL:
        if (insn->code & VM_X) {
            x_rr0f(j, w, 0xaf, dst, src);
        } else {
            x_imul_imm(j, w, dst, dst, insn->imm);
        }
        break;
    case VM_DIV:
    case VM_MOD:
        divide(j, insn, j->prog->aux[pc].flags, w);
        break;
    case VM_LSH:
    case VM_RSH:
    case VM_ARSH:
        shift(j, insn, w);
        break;
    default:
        simple(j, insn, w);
        break;
    }
}
