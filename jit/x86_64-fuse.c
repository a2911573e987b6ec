/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: one machine instruction for several of BPF's. */

#include "jit/x86_64-parts.h"

/* Two or three instructions in a row, of which only the first may be the
 * target of a jump. */
struct group {
    struct jit *j;
    uint32_t pc[3];             /* UINT32_MAX: there is none. */
    const struct vm_insn *insn[3];
    const struct vm_isa *isa[3];
};

static void
look_at(struct group *g, int i, uint32_t pc)
{
    g->pc[i] = pc;
    if (pc != UINT32_MAX) {
        g->insn[i] = &g->j->prog->insns[pc];
        g->isa[i] = &vm_isa[g->j->plan[pc].id];
    }
}

/* The third one is looked for only if something needs it. */
static bool
third(struct group *g)
{
    look_at(g, 2, jit_next(g->j, g->pc[1]));
    return g->pc[2] != UINT32_MAX;
}

/* The first 'n' are emitted. */
static bool
done(struct group *g, int n)
{
    for (int i = 1; i < n; i++) {
        g->j->plan[g->pc[i]].flags |= JIT_FUSED;
    }
    return true;
}

static bool
is(const struct group *g, int i, enum vm_form form)
{
    return g->isa[i]->form == form;
}

static bool
live(const struct group *g, int i, int reg)
{
    return jit_live_after(g->j, g->pc[i], reg);
}

static bool
is_wide(const struct group *g, int i)
{
    return g->isa[i]->bits == 64
           && !(g->j->plan[g->pc[i]].flags & JIT_NARROW);
}

static uint8_t
op_of(const struct group *g, int i)
{
    return g->insn[i]->code & VM_OP_MASK;
}

static bool
is_simple_op(uint8_t op)
{
    return op == VM_ADD || op == VM_SUB || op == VM_AND || op == VM_OR
           || op == VM_XOR;
}

static bool
is_alu(const struct group *g, int i)
{
    return is(g, i, VM_F_ALU_RR) || is(g, i, VM_F_ALU_RI);
}

static bool
is_jump(const struct group *g, int i)
{
    return (is(g, i, VM_F_JCC_RR) || is(g, i, VM_F_JCC_RI))
           && !(g->j->prog->aux[g->pc[i]].flags & (VM_AUX_ALWAYS
                                                   | VM_AUX_NEVER));
}

static bool
is_swap(const struct group *g, int i)
{
    return is(g, i, VM_F_END)
           && (VM_CLASS(g->insn[i]->code) == VM_ALU64
               || g->insn[i]->code & VM_X);
}

static void
jump(struct group *g, int i, enum x86_cc cc)
{
    x86_jcc_to(g->j, cc, jit_target_offset(g->j, g->pc[i]));
}

/* -- Loads -- */

/* A load whose bytes are swapped. */
static bool
load_swapped(struct group *g)
{
    struct jit *j = g->j;
    int size, dst = x86_map[g->insn[0]->dst];
    struct x86_at m = x86_operand(j, g->pc[0], &size);

    if (!is_swap(g, 1) || g->insn[1]->dst != g->insn[0]->dst
        || g->insn[1]->imm != 8 * size) {
        return false;
    }
    if (size == 2) {
        x_load(j, 2, dst, m);
        jit_put1(j, 0x66);
        x_shift_imm(j, false, X_ROR, dst, 8);
    } else if (x86_features & X86_MOVBE) {
        x_movbe(j, size, 0xf0, dst, m);
    } else {
        return false;
    }
    return done(g, 2);
}

/* Whether comparing 'size' bytes of memory with 'imm' says the same as
 * jump 1 about the register. */
static bool
compares_alike(const struct group *g, int size, int32_t imm)
{
    uint8_t op = op_of(g, 1);
    bool is_signed = op == VM_JSGT || op == VM_JSGE || op == VM_JSLT
                     || op == VM_JSLE;
    int bits = g->isa[1]->bits;

    if (size == 8) {
        return bits == 64;
    } else if (size == 4 && bits == 32) {
        return true;
    }
    return !is_signed && imm >= 0
           && (size == 4 || imm < 1 << (8 * size));
}

/* A loaded number that is only compared. */
static bool
load_compare(struct group *g)
{
    struct jit *j = g->j;
    const struct vm_insn *insn = g->insn[1];
    int reg = g->insn[0]->dst, size;
    struct x86_at m = x86_operand(j, g->pc[0], &size);

    if (!is_jump(g, 1) || insn->dst != reg || live(g, 1, reg)) {
        return false;
    }
    if (is(g, 1, VM_F_JCC_RR)) {
        if (insn->src == reg || op_of(g, 1) == VM_JSET
            || size != g->isa[1]->bits / 8) {
            return false;
        }
        x_alu_store(j, size, X_CMP, m, x86_map[insn->src]);
    } else if (!compares_alike(g, size, insn->imm)) {
        return false;
    } else if (op_of(g, 1) == VM_JSET) {
        x_test_mem_imm(j, size, m, insn->imm);
    } else {
        x_alu_store_imm(j, size, X_CMP, m, insn->imm);
    }
    jump(g, 1, x86_condition(insn));
    return done(g, 2);
}

/* A number in memory that is changed in place. */
static bool
load_change_store(struct group *g, int size, struct x86_at m)
{
    struct jit *j = g->j;
    const struct vm_insn *alu = g->insn[1];
    int reg = g->insn[0]->dst, to_size;
    struct x86_at to;

    if (alu->dst != reg || !is_simple_op(op_of(g, 1)) || !third(g)
        || !is(g, 2, VM_F_STX) || g->insn[2]->src != reg
        || g->insn[2]->dst == reg || live(g, 2, reg)) {
        return false;
    }
    to = x86_operand(j, g->pc[2], &to_size);
    if (to.base != m.base || to.off != m.off || to_size != size
        || (is(g, 1, VM_F_ALU_RR) && alu->src == reg)
        || (size == 8 && g->isa[1]->bits == 32)) {
        return false;
    }
    if (is(g, 1, VM_F_ALU_RR)) {
        x_alu_store(j, size, x86_alu_of(op_of(g, 1)), m, x86_map[alu->src]);
    } else {
        x_alu_store_imm(j, size, x86_alu_of(op_of(g, 1)), m, alu->imm);
    }
    return done(g, 3);
}

/* A loaded number that is an operand once. */
static bool
load_operate(struct group *g)
{
    struct jit *j = g->j;
    const struct vm_insn *alu = g->insn[1];
    int reg = g->insn[0]->dst, size;
    struct x86_at m = x86_operand(j, g->pc[0], &size);

    if (!is_alu(g, 1) || load_change_store(g, size, m)) {
        return is_alu(g, 1);
    }
    if (!is(g, 1, VM_F_ALU_RR) || alu->src != reg || alu->dst == reg
        || live(g, 1, reg) || !is_simple_op(op_of(g, 1))
        || size != (is_wide(g, 1) ? 8 : 4)) {
        return false;
    }
    x_alu_load(j, size, x86_alu_of(op_of(g, 1)), x86_map[alu->dst], m);
    return done(g, 2);
}

static bool
from_load(struct group *g)
{
    return load_swapped(g) || load_compare(g) || load_operate(g);
}

/* -- Stores -- */

/* A constant, or a number whose bytes were swapped, that is only stored. */
static bool
to_store(struct group *g)
{
    struct jit *j = g->j;
    const struct vm_insn *first = g->insn[0];
    int reg = first->dst, size;
    struct x86_at m = x86_operand(j, g->pc[1], &size);

    if (g->insn[1]->src != reg || g->insn[1]->dst == reg
        || live(g, 1, reg)) {
        return false;
    }
    if (is_swap(g, 0) && first->imm >= 32 && first->imm == 8 * size
        && x86_features & X86_MOVBE) {
        x_movbe(j, size, 0xf1, x86_map[reg], m);
    } else if (is(g, 0, VM_F_ALU_RI) && op_of(g, 0) == VM_MOV
               && (size < 8 || first->imm >= 0 || is_wide(g, 0))) {
        x_store_imm(j, size, m, first->imm);
    } else {
        return false;
    }
    return done(g, 2);
}

/* -- Moves -- */

/* A register that is copied, and the copy changed. */
static bool
from_move(struct group *g)
{
    struct jit *j = g->j;
    const struct vm_insn *alu = g->insn[1];
    int dst = x86_map[g->insn[0]->dst], src = x86_map[g->insn[0]->src];
    bool w = is_wide(g, 1);

    if (alu->dst != g->insn[0]->dst || dst == src || !is_alu(g, 1)
        || (w && g->isa[0]->bits != 64)) {
        return false;
    }
    if (is(g, 1, VM_F_ALU_RR)) {
        if (op_of(g, 1) != VM_ADD || alu->src == alu->dst) {
            return false;
        }
        x_lea_sum(j, w, dst, src, x86_map[alu->src]);
        return done(g, 2);
    }
    switch (op_of(g, 1)) {
    case VM_ADD:
        x_lea(j, w, dst, at(src, alu->imm));
        return done(g, 2);
    case VM_MUL:
        x_imul_imm(j, w, dst, src, alu->imm);
        return done(g, 2);
    case VM_AND:
        if (alu->imm == 0xff || alu->imm == 0xffff) {
            x_rr0f(j, false, alu->imm == 0xff ? 0xb6 : 0xb7, dst, src);
            return done(g, 2);
        }
        return false;
    default:
        return false;
    }
}

/* -- Arithmetic -- */

/* Up by 32 bits and down again. */
static bool
extend(struct group *g)
{
    int dst = x86_map[g->insn[0]->dst];

    if (g->j->plan[g->pc[0]].id != VM_I_LSH64_RI
        || (g->insn[0]->imm & 63) != 32 || !is(g, 1, VM_F_ALU_RI)
        || g->insn[1]->dst != g->insn[0]->dst || g->isa[1]->bits != 64
        || (g->insn[1]->imm & 63) != 32) {
        return false;
    }
    if (op_of(g, 1) == VM_RSH) {
        x_mov(g->j, false, dst, dst);
    } else if (op_of(g, 1) == VM_ARSH) {
        x_rr(g->j, true, 0x63, dst, dst);
    } else {
        return false;
    }
    return done(g, 2);
}

/* A result that is compared with 0: the flags say it already. */
static bool
operate_compare(struct group *g)
{
    struct jit *j = g->j;
    const struct vm_insn *alu = g->insn[0];
    uint8_t op = op_of(g, 0), jump_op = op_of(g, 1);
    int dst = x86_map[alu->dst];
    bool w = g->isa[0]->bits == 64;
    bool zero_high = !w || (op == VM_AND && is(g, 0, VM_F_ALU_RI)
                            && alu->imm >= 0);

    if (!is_simple_op(op) || !is_jump(g, 1) || !is(g, 1, VM_F_JCC_RI)
        || g->insn[1]->imm || (jump_op != VM_JEQ && jump_op != VM_JNE)
        || g->insn[1]->dst != alu->dst
        || (!zero_high && g->isa[1]->bits != 64)) {
        return false;
    }
    w &= !zero_high;
    if (op == VM_AND && !live(g, 1, alu->dst)) {
        if (is(g, 0, VM_F_ALU_RI)) {
            x_test_imm(j, w, dst, alu->imm);
        } else {
            x_test(j, w, dst, x86_map[alu->src]);
        }
    } else if (is(g, 0, VM_F_ALU_RI)) {
        x_alu_imm(j, w, x86_alu_of(op), dst, alu->imm);
    } else {
        x_alu(j, w, x86_alu_of(op), dst, x86_map[alu->src]);
    }
    jump(g, 1, x86_condition(g->insn[1]));
    return done(g, 2);
}

bool
x86_fuse(struct jit *j, uint32_t pc)
{
    struct group g = { .j = j };
    enum vm_form form = vm_isa[j->plan[pc].id].form;

    if (form > VM_F_LDX) {
        return false;
    }
    look_at(&g, 0, pc);
    look_at(&g, 1, jit_next(j, pc));
    if (g.pc[1] == UINT32_MAX) {
        return false;
    } else if (form == VM_F_LDX) {
        return from_load(&g);
    } else if (is(&g, 1, VM_F_STX) && to_store(&g)) {
        return true;
    } else if (form == VM_F_ALU_RR && op_of(&g, 0) == VM_MOV) {
        return from_move(&g);
    }
    return is_alu(&g, 0) && (extend(&g) || operate_compare(&g));
}
