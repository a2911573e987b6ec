/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: frames, jumps, memory.  Arithmetic is in x86_64-alu.c, calls are
 * in x86_64-call.c.
 *
 * Registers: r0 rax, r1 rdi, r2 rsi, r3 rdx, r4 rcx, r5 r8, r6 rbx, r7 r13,
 * r8 r14, r9 r15, r10 rbp; r9, r10, r11 (the machine's) are scratch.
 * Arguments of helpers so lie where the System V ABI wants them.
 *
 * Frame: rbp points to the top of the function's BPF stack; callee-saved
 * registers that are used are pushed below it.
 *
 *     [rbp + 8]   return address
 *     [rbp]       caller's rbp
 *     [rbp - n]   BPF stack
 *                 tail call counter, if the program makes tail calls
 *                 callee-saved registers
 *
 * Programs of a type with a slot page share one frame, which x86_64-stub.c
 * makes.  Others leave their frame
 * before a tail call and enter the target at its second instruction; the
 * counter travels in eax. */

#include "jit/x86_64-parts.h"

#include <errno.h>

const uint8_t x86_map[VM_N_REGS] = {
    RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP
};

/* -- Frames -- */

/* Bytes between rbp and the saved registers: the BPF stack, the counter, and
 * what keeps rsp a multiple of 16 at calls. */
static uint32_t
frame_bytes(const struct vm_prog *prog, uint32_t subprog)
{
    uint32_t stack = jit_stack_bytes(prog, subprog);
    int n_saved = __builtin_popcount(jit_saved_regs(prog, subprog));

    if (!subprog && jit_has_tail_call(prog)) {
        stack += 8;
    }
    return stack + ((stack + 8 * n_saved) & 15 ? 8 : 0);
}

int32_t
x86_counter_off(const struct vm_prog *prog)
{
    return -(int32_t) jit_stack_bytes(prog, 0) - 8;
}

static void
push_saved(struct jit *j, uint32_t subprog)
{
    unsigned int saved = jit_saved_regs(j->prog, subprog);

    for (int r = VM_R6; r <= VM_R9; r++) {
        if (saved & 1u << r) {
            x_push(j, x86_map[r]);
        }
    }
}

void
x86_leave(struct jit *j, uint32_t subprog)
{
    unsigned int saved = jit_saved_regs(j->prog, subprog);

    for (int r = VM_R9; r >= VM_R6; r--) {
        if (saved & 1u << r) {
            x_pop(j, x86_map[r]);
        }
    }
    jit_put1(j, 0xc9);          /* leave */
}

static void
enter_frame(struct jit *j, uint32_t subprog)
{
    uint32_t bytes = frame_bytes(j->prog, subprog);

    x_push(j, RBP);
    x_mov(j, true, RBP, RSP);
    if (bytes) {
        x_alu_imm(j, true, X_SUB, RSP, bytes);
    }
}

static void
prologue(struct jit *j, size_t *tail)
{
    const struct vm_prog *prog = j->prog;

    if (jit_shares_frame(prog)) {
        *tail = j->len;
        return;
    }
    x_mov_imm(j, RAX, 0);
    *tail = j->len;
    enter_frame(j, 0);
    if (jit_has_tail_call(prog)) {
        x_store(j, 4, at(RBP, x86_counter_off(prog)), RAX);
    }
    push_saved(j, 0);
}

/* The first instruction of another function than the main one. */
static void
subprog_entry(struct jit *j, uint32_t pc)
{
    uint32_t subprog = jit_subprog_at(j->prog, pc);

    if (subprog && j->prog->subprogs[subprog].start == pc) {
        enter_frame(j, subprog);
        push_saved(j, subprog);
    }
}

static void
do_exit(struct jit *j, uint32_t pc)
{
    uint32_t subprog = jit_subprog_at(j->prog, pc);

    if (subprog) {
        x86_leave(j, subprog);
        jit_put1(j, 0xc3);      /* ret */
    } else if (jit_shares_frame(j->prog)) {
        jit_put1(j, 0xc3);
    } else if (pc + 1 < j->prog->n_insns) {
        x86_jmp_to(j, j->exit_offset);
    }
}

static void
epilogue(struct jit *j)
{
    j->exit_offset = j->len;
    if (jit_shares_frame(j->prog)) {
        x_mov_imm(j, RAX, (uint64_t) -ENOENT);
    } else {
        x86_leave(j, 0);
    }
    jit_put1(j, 0xc3);
}

/* -- Jumps -- */

size_t
x86_skip(struct jit *j, uint8_t opcode)
{
    jit_put1(j, opcode);
    jit_put1(j, 0);
    return j->len;
}

void
x86_skip_to_here(struct jit *j, size_t from)
{
    if (!j->error) {
        j->buf[from - 1] = j->len - from;
    }
}

void
x86_jmp_to(struct jit *j, uint32_t target)
{
    int64_t distance = (int64_t) target - (int64_t) (j->len + 2);

    if (!j->first_pass && fits8(distance)) {
        jit_put1(j, 0xeb);
        jit_put1(j, distance);
    } else {
        jit_put1(j, 0xe9);
        jit_put4(j, distance - 3);
    }
}

void
x86_jcc_to(struct jit *j, enum x86_cc cc, uint32_t target)
{
    int64_t distance = (int64_t) target - (int64_t) (j->len + 2);

    if (!j->first_pass && fits8(distance)) {
        jit_put1(j, 0x70 | cc);
        jit_put1(j, distance);
    } else {
        jit_put1(j, 0x0f);
        jit_put1(j, 0x80 | cc);
        jit_put4(j, distance - 4);
    }
}

static enum x86_cc
condition(const struct vm_insn *insn)
{
    switch (insn->code & VM_OP_MASK) {
    case VM_JEQ:
        return CC_E;
    case VM_JGT:
        return CC_A;
    case VM_JGE:
        return CC_AE;
    case VM_JLT:
        return CC_B;
    case VM_JLE:
        return CC_BE;
    case VM_JSGT:
        return CC_G;
    case VM_JSGE:
        return CC_GE;
    case VM_JSLT:
        return CC_L;
    case VM_JSLE:
        return CC_LE;
    default:
        return CC_NE;           /* JNE and JSET. */
    }
}

static void
compare(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = x86_map[insn->dst], src = x86_map[insn->src];
    bool set = (insn->code & VM_OP_MASK) == VM_JSET;

    if (insn->code & VM_X) {
        if (set) {
            x_test(j, w, dst, src);
        } else {
            x_alu(j, w, X_CMP, dst, src);
        }
    } else if (set) {
        x_test_imm(j, w, dst, insn->imm);
    } else if (!insn->imm) {
        x_test(j, w, dst, dst);
    } else {
        x_alu_imm(j, w, X_CMP, dst, insn->imm);
    }
}

static void
branch(struct jit *j, uint32_t pc, const struct vm_isa *isa)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    uint16_t flags = j->prog->aux[pc].flags;

    if (flags & VM_AUX_ALWAYS) {
        x86_jmp_to(j, jit_target_offset(j, pc));
    } else if (!(flags & VM_AUX_NEVER)) {
        compare(j, insn, isa->bits == 64);
        x86_jcc_to(j, condition(insn), jit_target_offset(j, pc));
    }
}

/* -- Memory -- */

static void
load(struct jit *j, uint32_t pc, bool sign)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int dst = x86_map[insn->dst], src = x86_map[insn->src], size;
    int32_t off;

    jit_access(j->prog, pc, &off, &size);
    if (sign) {
        x_load_signed(j, size, dst, at(src, off));
    } else {
        x_load(j, size, dst, at(src, off));
    }
}

static void
store(struct jit *j, uint32_t pc)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int dst = x86_map[insn->dst], size;
    int32_t off;

    jit_access(j->prog, pc, &off, &size);
    if (VM_CLASS(insn->code) == VM_STX) {
        x_store(j, size, at(dst, off), x86_map[insn->src]);
    } else {
        x_store_imm(j, size, at(dst, off), insn->imm);
    }
}

/* lock op [base + off], reg */
static void
locked(struct jit *j, int size, uint8_t op, int reg, struct x86_at m)
{
    jit_put1(j, 0xf0);
    x_mem_op(j, size, op, reg, m);
}

/* lock 0f op [base + off], reg: xadd (0xc1), cmpxchg (0xb1). */
static void
locked_0f(struct jit *j, int size, uint8_t op, int reg, struct x86_at m)
{
    jit_put1(j, 0xf0);
    x_rex(j, size == 8, reg, m.base, false);
    jit_put1(j, 0x0f);
    jit_put1(j, op);
    x_mem(j, reg, m);
}

/* A fetching and, or, xor: no instruction has the old value, so a compare
 * and exchange is tried until nobody came between.  r0 waits in r11. */
static void
fetch_loop(struct jit *j, const struct vm_insn *insn, int size,
           enum x86_alu op)
{
    int dst = x86_map[insn->dst], src = x86_map[insn->src];
    int base = dst == RAX ? R11 : dst, value = src == RAX ? R11 : src;
    size_t again;

    x_mov(j, true, R11, RAX);
    x_load(j, size, RAX, at(base, insn->off));
    again = j->len;
    x_mov(j, true, R10, RAX);
    x_alu(j, size == 8, op, R10, value);
    locked_0f(j, size, 0xb1, R10, at(base, insn->off));
    jit_put1(j, 0x70 | CC_NE);
    jit_put1(j, again - (j->len + 1));
    x_mov(j, true, R10, RAX);
    x_mov(j, true, RAX, R11);
    x_mov(j, true, src, R10);
}

static void
atomic(struct jit *j, uint32_t pc, const struct vm_isa *isa)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int dst = x86_map[insn->dst], src = x86_map[insn->src];
    int size = isa->bits / 8;
    struct x86_at m = at(dst, insn->off);
    bool fetch = insn->imm & VM_FETCH;
    enum x86_alu op;

    switch (insn->imm) {
    case VM_XCHG:
        x_mem_op(j, size, 0x87, src, m);
        return;
    case VM_CMPXCHG:
        locked_0f(j, size, 0xb1, src, m);
        if (size == 4) {
            x_mov(j, false, RAX, RAX);
        }
        return;
    case VM_ADD | VM_FETCH:
        locked_0f(j, size, 0xc1, src, m);
        return;
    case VM_AND:
    case VM_AND | VM_FETCH:
        op = X_AND;
        break;
    case VM_OR:
    case VM_OR | VM_FETCH:
        op = X_OR;
        break;
    case VM_XOR:
    case VM_XOR | VM_FETCH:
        op = X_XOR;
        break;
    default:
        op = X_ADD;
        break;
    }
    if (fetch) {
        fetch_loop(j, insn, size, op);
    } else {
        locked(j, size, op << 3 | 1, src, m);
    }
}

static void
emit_insn(struct jit *j, uint32_t pc)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    const struct vm_isa *isa = &vm_isa[vm_insn_id(insn)];

    subprog_entry(j, pc);
    switch ((enum vm_form) isa->form) {
    case VM_F_LDX:
    case VM_F_LDXS:
        load(j, pc, isa->form == VM_F_LDXS);
        break;
    case VM_F_ST:
    case VM_F_STX:
        store(j, pc);
        break;
    case VM_F_ATOMIC:
    case VM_F_FETCH:
    case VM_F_XCHG:
    case VM_F_CMPXCHG:
        atomic(j, pc, isa);
        break;
    case VM_F_LDDW:
    case VM_F_LDMAP:
    case VM_F_LDMAPVAL:
        x_mov_imm(j, x86_map[insn->dst], jit_load_imm(j->prog, pc));
        break;
    case VM_F_JA:
    case VM_F_JA32:
        x86_jmp_to(j, jit_target_offset(j, pc));
        break;
    case VM_F_JCC_RR:
    case VM_F_JCC_RI:
        branch(j, pc, isa);
        break;
    case VM_F_CALL:
        x86_call(j, pc);
        break;
    case VM_F_CALL_LOCAL:
        x86_call_local(j, jit_target_offset(j, pc));
        break;
    case VM_F_EXIT:
        do_exit(j, pc);
        break;
    default:
        x86_arith(j, pc, isa);
        break;
    }
}

const struct jit_target jit_x86_64 = {
    .name = "x86-64",
    .prologue = prologue,
    .insn = emit_insn,
    .epilogue = epilogue,
    .stub = x86_stub,
};
