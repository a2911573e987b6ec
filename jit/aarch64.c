/* SPDX-License-Identifier: Apache-2.0 */

/* AArch64: frames, jumps, and which file emits what.
 *
 * Registers, as in Linux: r0 x7, r1 to r5 x0 to x4, r6 to r9 x19 to x22; x9
 * to x13 are scratch.  Arguments of helpers so lie where the ABI (AAPCS64)
 * wants them.  r10 needs no register: the BPF stack ends at a fixed distance
 * from the stack pointer.
 *
 * Frame, of a function that needs one:
 *
 *     callee-saved registers
 *     x30, x29        if it calls; x29 points here
 *     BPF stack       <- sp
 *
 * Programs of a type with a slot page share one frame, which aarch64-stub.c
 * makes.  Others leave their frame before a tail call (aarch64-call.c). */

#include "jit/aarch64-parts.h"

const uint8_t a64_map[VM_R10] = { 7, 0, 1, 2, 3, 4, 19, 20, 21, 22 };

/* -- Frames -- */

static bool
shared_frame(const struct jit *j)
{
    return jit_shares_frame(j->prog) && !j->subprog;
}

/* Sets j->frame for the function that starts. */
static void
plan_frame(struct jit *j)
{
    const struct jit_func *f = &j->funcs[j->subprog];
    uint32_t bytes = f->frame || shared_frame(j)
                     ? jit_stack_bytes(j->prog, j->subprog) : 0;

    j->frame.bytes = (bytes + 15) & ~15u;
    j->frame.saved = f->saved;
    j->frame.calls = f->calls;
}

/* The pairs of registers that the frame saves, x29 and x30 first. */
static int
saved_pairs(const struct jit *j, uint8_t first[3])
{
    int n = 0;

    if (j->frame.calls) {
        first[n++] = A64_FP;
    }
    if (j->frame.saved & 3) {
        first[n++] = a64_map[VM_R6];
    }
    if (j->frame.saved & 12) {
        first[n++] = a64_map[VM_R8];
    }
    return n;
}

static void
enter_frame(struct jit *j)
{
    uint8_t first[3];
    int n = saved_pairs(j, first);

    for (int i = 0; i < n; i++) {
        a64_pair(j, i ? A64_STP : A64_STP_PRE, first[i], first[i] + 1,
                 i ? 16 * i : -16 * n);
        if (first[i] == A64_FP) {
            a64_add_imm(j, A64_FP, A64_SP, 0);
        }
    }
    if (j->frame.bytes) {
        a64_sub_imm(j, A64_SP, A64_SP, j->frame.bytes);
    }
}

void
a64_leave(struct jit *j)
{
    uint8_t first[3];
    int n = saved_pairs(j, first);

    if (j->frame.bytes) {
        a64_add_imm(j, A64_SP, A64_SP, j->frame.bytes);
    }
    for (int i = n - 1; i >= 0; i--) {
        a64_pair(j, i ? A64_LDP : A64_LDP_POST, first[i], first[i] + 1,
                 i ? 16 * i : 16 * n);
    }
}

static void
prologue(struct jit *j, size_t *tail)
{
    plan_frame(j);
    if (!shared_frame(j) && jit_has_tail_call(j->prog)) {
        a64_tail_reset(j);
    }
    *tail = j->len;
    if (!shared_frame(j)) {
        enter_frame(j);
    }
}

/* The result goes where the ABI has it; a local function's stays in r0. */
static void
leave_and_return(struct jit *j)
{
    if (!j->subprog) {
        a64_mov(j, true, 0, a64_map[VM_R0]);
    }
    a64_leave(j);
    a64_put(j, A64_RET);
}

static void
do_exit(struct jit *j, uint32_t pc)
{
    uint8_t first[3];

    if (shared_frame(j)) {
        a64_mov(j, true, 0, a64_map[VM_R0]);
        a64_shared_return(j);
    } else if (j->subprog || (!j->frame.bytes && !saved_pairs(j, first))) {
        leave_and_return(j);
    } else if (pc + 1 < j->prog->n_insns) {
        a64_b_to(j, j->exit_offset);
    }
}

static void
epilogue(struct jit *j)
{
    j->subprog = 0;
    plan_frame(j);
    j->exit_offset = j->len;
    if (jit_shares_frame(j->prog)) {
        a64_shared_end(j);
    } else {
        leave_and_return(j);
    }
}

int
a64_reg(struct jit *j, int reg, int scratch)
{
    if (reg == VM_R10) {
        a64_add_imm(j, scratch, A64_SP, j->frame.bytes);
        return scratch;
    }
    return a64_map[reg];
}

/* -- Jumps -- */

size_t
a64_skip(struct jit *j, uint32_t insn)
{
    a64_put(j, insn);
    return j->len - 4;
}

void
a64_skip_to_here(struct jit *j, size_t from)
{
    uint32_t insn;

    if (!j->error) {
        __builtin_memcpy(&insn, j->buf + from, 4);
        insn |= a64_field(j->len - from, 19);
        __builtin_memcpy(j->buf + from, &insn, 4);
    }
}

/* No program is so long that this does not reach. */
void
a64_b_to(struct jit *j, uint32_t offset)
{
    int64_t distance = (int64_t) offset - (int64_t) j->len;

    a64_put(j, 0x14000000 | (distance / 4 & 0x3ffffff));
}

/* A branch that does not reach becomes the inverted one, over a far one, and
 * stays so. */
void
a64_branch_if(struct jit *j, uint32_t pc, uint32_t insn, uint32_t invert)
{
    int bits = (insn & 0x7e000000) == 0x36000000 ? 14 : 19;
    uint32_t target = jit_target_offset(j, pc);
    int64_t distance = (int64_t) target - (int64_t) j->len;

    if (!j->first_pass && !a64_reaches(distance, bits)) {
        j->far[pc] = true;
    }
    if (j->far[pc]) {
        a64_put(j, (insn ^ invert) | a64_field(8, bits));
        a64_b_to(j, target);
    } else {
        a64_put(j, insn | a64_field(distance, bits));
    }
}

static enum a64_cc
condition(const struct vm_insn *insn)
{
    switch (insn->code & VM_OP_MASK) {
    case VM_JEQ:
        return A64_EQ;
    case VM_JGT:
        return A64_HI;
    case VM_JGE:
        return A64_HS;
    case VM_JLT:
        return A64_LO;
    case VM_JLE:
        return A64_LS;
    case VM_JSGT:
        return A64_GT;
    case VM_JSGE:
        return A64_GE;
    case VM_JSLT:
        return A64_LT;
    case VM_JSLE:
        return A64_LE;
    default:
        return A64_NE;          /* JNE and JSET. */
    }
}

/* tbz, or tbnz if 'set', of bit 'n' of 'reg'. */
static uint32_t
test_bit(bool set, int n, int reg)
{
    return 0x36000000 | set << 24 | (uint32_t) (n >> 5) << 31
           | (n & 31) << 19 | reg;
}

/* The branch that needs no comparison: with zero, or of one bit; or 0. */
static uint32_t
branch_alone(const struct vm_insn *insn, int reg, bool w)
{
    uint64_t imm = w ? (uint64_t) (int64_t) insn->imm : (uint32_t) insn->imm;
    uint8_t op = insn->code & VM_OP_MASK;

    if (insn->code & VM_X) {
        return 0;
    } else if (op == VM_JSET && __builtin_popcountll(imm) == 1) {
        return test_bit(true, __builtin_ctzll(imm), reg);
    } else if (imm) {
        return 0;
    }
    switch (op) {
    case VM_JEQ:
    case VM_JLE:
        return A64_CBZ(w, reg);
    case VM_JNE:
    case VM_JGT:
        return A64_CBNZ(w, reg);
    case VM_JSLT:
    case VM_JSGE:
        return test_bit(op == VM_JSLT, w ? 63 : 31, reg);
    default:
        return 0;
    }
}

static void
compare(struct jit *j, const struct vm_insn *insn, int dst, bool w)
{
    bool set = (insn->code & VM_OP_MASK) == VM_JSET;

    if (!(insn->code & VM_X)) {
        if (set) {
            a64_logic_const(j, w, A64_ANDS, A64_DN(A64_ZR, dst), insn->imm);
        } else {
            a64_cmp_const(j, w, dst, insn->imm, A64_T0);
        }
    } else {
        int src = a64_reg(j, insn->src, A64_T0);

        if (set) {
            a64_logic(j, w, A64_ANDS, A64_DNM(A64_ZR, dst, src));
        } else {
            a64_cmp(j, w, dst, src);
        }
    }
}

static void
branch(struct jit *j, uint32_t pc, const struct vm_isa *isa)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    uint16_t flags = j->prog->aux[pc].flags;
    bool w = isa->bits == 64;
    uint32_t alone;
    int dst;

    if (flags & VM_AUX_ALWAYS) {
        a64_b_to(j, jit_target_offset(j, pc));
    } else if (!(flags & VM_AUX_NEVER)) {
        dst = a64_reg(j, insn->dst, A64_T1);
        alone = branch_alone(insn, dst, w);
        if (alone) {
            a64_branch_if(j, pc, alone, A64_INVERT_ZERO);
        } else {
            compare(j, insn, dst, w);
            a64_branch_if(j, pc, A64_B_COND(condition(insn)), A64_INVERT_CC);
        }
    }
}

/* -- Instructions -- */

static void
emit_insn(struct jit *j, uint32_t pc)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    const struct vm_isa *isa = &vm_isa[j->plan[pc].id];

    if (j->subprog && j->prog->subprogs[j->subprog].start == pc) {
        plan_frame(j);
        enter_frame(j);
    }
    switch ((enum vm_form) isa->form) {
    case VM_F_LDX:
    case VM_F_LDXS:
        a64_load(j, pc, isa->form == VM_F_LDXS);
        break;
    case VM_F_ST:
    case VM_F_STX:
        a64_store(j, pc);
        break;
    case VM_F_ATOMIC:
    case VM_F_FETCH:
    case VM_F_XCHG:
    case VM_F_CMPXCHG:
        a64_atomic(j, pc, isa);
        break;
    case VM_F_LDDW:
    case VM_F_LDMAP:
    case VM_F_LDMAPVAL:
        a64_mov_imm(j, a64_map[insn->dst], jit_load_imm(j->prog, pc));
        break;
    case VM_F_JA:
    case VM_F_JA32:
        a64_b_to(j, jit_target_offset(j, pc));
        break;
    case VM_F_JCC_RR:
    case VM_F_JCC_RI:
        branch(j, pc, isa);
        break;
    case VM_F_CALL:
        a64_call(j, pc);
        break;
    case VM_F_CALL_LOCAL:
        a64_put(j, 0x94000000
                   | (((int64_t) jit_target_offset(j, pc) - (int64_t) j->len)
                      / 4 & 0x3ffffff));
        break;
    case VM_F_EXIT:
        do_exit(j, pc);
        break;
    default:
        a64_arith(j, pc, isa);
        break;
    }
}

const struct jit_target jit_aarch64 = {
    .name = "aarch64",
    .prologue = prologue,
    .insn = emit_insn,
    .epilogue = epilogue,
    .folds_frame = true,
    .call_uses = jit_call_uses,
    .stub = a64_stub,
};
