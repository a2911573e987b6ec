/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: frames, and which file knows which instruction.
 *
 * Registers: r0 rax, r1 rdi, r2 rsi, r3 rdx, r4 rcx, r5 r8, r6 rbx, r7 r13,
 * r8 r14, r9 r15, r10 rbp; r9, r10, r11 (the machine's) are scratch.
 * Arguments of helpers so lie where the System V ABI wants them.
 *
 * A function's frame has only what it needs:
 *
 *     return address
 *     callee-saved registers that it uses
 *     caller's rbp                    if it uses its stack; rbp points here,
 *     BPF stack, below rbp            and the stack may lie in the red zone
 *
 * Programs of a type with a slot page share one frame, which x86_64-stub.c
 * makes, and end with a return.  Others leave their frame before a tail call
 * (x86_64-tail.c). */

#include "jit/x86_64-parts.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>

#define RED_ZONE 128

const uint8_t x86_map[VM_N_REGS] = {
    RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP
};

unsigned int x86_features;

/* -- Frames -- */

/* How far below rbp, or the saved registers, rsp is in the function. */
static uint32_t
frame_bytes(const struct jit *j)
{
    const struct jit_func *f = &j->funcs[j->subprog];
    uint32_t stack = f->frame ? jit_stack_bytes(j->prog, j->subprog) : 0;
    int n_pushed = __builtin_popcount(f->saved) + f->frame;

    if (!f->calls) {
        return stack <= RED_ZONE ? 0 : stack;
    }
    /* A multiple of 16 at calls, with the return address. */
    return stack + ((stack + 8 * (n_pushed + 1)) & 15 ? 8 : 0);
}

static bool
shared_frame(const struct jit *j)
{
    return jit_shares_frame(j->prog) && !j->subprog;
}

static void
enter(struct jit *j)
{
    const struct jit_func *f = &j->funcs[j->subprog];
    uint32_t bytes = frame_bytes(j);

    for (int i = 0; i < 4; i++) {
        if (f->saved & 1u << i) {
            x_push(j, x86_map[VM_R6 + i]);
        }
    }
    if (f->frame) {
        x_push(j, RBP);
        x_mov(j, true, RBP, RSP);
    }
    if (bytes == 8) {
        x_push(j, RAX);
    } else if (bytes) {
        x_alu_imm(j, true, X_SUB, RSP, bytes);
    }
}

void
x86_leave(struct jit *j)
{
    const struct jit_func *f = &j->funcs[j->subprog];
    uint32_t bytes = frame_bytes(j);

    if (f->frame && bytes) {
        jit_put1(j, 0xc9);      /* leave */
    } else if (f->frame) {
        x_pop(j, RBP);
    } else if (bytes) {
        x_pop(j, RCX);
    }
    for (int i = 3; i >= 0; i--) {
        if (f->saved & 1u << i) {
            x_pop(j, x86_map[VM_R6 + i]);
        }
    }
}

static void
prologue(struct jit *j, size_t *tail)
{
    j->exit_used = false;
    if (!shared_frame(j)) {
        if (jit_has_tail_call(j->prog)) {
            x86_tail_reset(j);
        }
        *tail = j->len;
        enter(j);
    } else {
        *tail = j->len;
    }
}

/* The first instruction of another function than the main one. */
static void
function_entry(struct jit *j, uint32_t pc)
{
    if (j->subprog && j->prog->subprogs[j->subprog].start == pc) {
        enter(j);
    }
}

uint32_t
x86_exit(struct jit *j)
{
    j->exit_used = true;
    return j->exit_offset - j->shift;
}

static void
do_exit(struct jit *j)
{
    const struct jit_func *f = &j->funcs[j->subprog];

    if (shared_frame(j)) {
        jit_put1(j, 0xc3);      /* ret */
    } else if (j->subprog || (!f->saved && !f->frame)) {
        x86_leave(j);
        jit_put1(j, 0xc3);
    } else {
        x86_jmp_to(j, x86_exit(j));
    }
}

static void
epilogue(struct jit *j)
{
    j->exit_offset = j->len;
    j->subprog = 0;
    if (!j->exit_used) {
        return;
    }
    if (shared_frame(j)) {
        x_mov_imm(j, RAX, (uint64_t) -ENOENT);
    } else {
        x86_leave(j);
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

size_t
x86_skip_far(struct jit *j, enum x86_cc cc)
{
    jit_put1(j, 0x0f);
    jit_put1(j, 0x80 | cc);
    jit_put4(j, 0);
    return j->len;
}

void
x86_skip_far_to_here(struct jit *j, size_t from)
{
    uint32_t distance = j->len - from;

    if (!j->error) {
        memcpy(&j->buf[from - 4], &distance, 4);
    }
}

void
x86_indirect(struct jit *j, int n, struct x86_at m)
{
    x_rex(j, false, 0, m.base, false);
    jit_put1(j, 0xff);
    x_mem(j, n, m);
}

void
x86_jmp_to(struct jit *j, uint32_t target)
{
    int64_t distance = (int64_t) target - (int64_t) (j->len + 2);

    if (!j->first_pass && distance == -2) {
        return;                 /* To what follows. */
    } else if (!j->first_pass && fits8(distance)) {
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

/* -- Instructions -- */

static void
emit_insn(struct jit *j, uint32_t pc)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    const struct vm_isa *isa = &vm_isa[j->plan[pc].id];

    function_entry(j, pc);
    if (x86_fuse(j, pc)) {
        return;
    }
    switch ((enum vm_form) isa->form) {
    case VM_F_LDX:
    case VM_F_LDXS:
        x86_load(j, pc, isa->form == VM_F_LDXS);
        break;
    case VM_F_ST:
    case VM_F_STX:
        x86_store(j, pc);
        break;
    case VM_F_ATOMIC:
    case VM_F_FETCH:
    case VM_F_XCHG:
    case VM_F_CMPXCHG:
        x86_atomic(j, pc, isa);
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
        x86_branch(j, pc, isa);
        break;
    case VM_F_CALL:
        x86_call(j, pc);
        break;
    case VM_F_CALL_LOCAL:
        x86_call_local(j, jit_target_offset(j, pc));
        break;
    case VM_F_EXIT:
        do_exit(j);
        break;
    default:
        x86_arith(j, pc, isa);
        break;
    }
}

/* -- What the processor has -- */

static bool
disable(const char *name)
{
    if (!strcmp(name, "bmi2")) {
        x86_features &= ~X86_BMI2;
    } else if (!strcmp(name, "movbe")) {
        x86_features &= ~X86_MOVBE;
    } else {
        return false;
    }
    return true;
}

static void
detect(void)
{
    unsigned int a, b, c, d;

    x86_features = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) && c & 1u << 22) {
        x86_features |= X86_MOVBE;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1u << 8) {
        x86_features |= X86_BMI2;
    }
}

const struct jit_target jit_x86_64 = {
    .name = "x86-64",
    .prologue = prologue,
    .insn = emit_insn,
    .epilogue = epilogue,
    .folds_frame = true,
    .detect = detect,
    .disable = disable,
    .call_uses = jit_call_uses,
    .stub = x86_stub,
};
