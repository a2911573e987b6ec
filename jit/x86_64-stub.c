/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: the frame that generated programs share, and bursts.
 *
 *     [rbp + 24]  callee-saved registers, return address
 *     [rbp + 8]   contexts of the burst that have not ended
 *     [rbp]       the context before the current one, in the burst's ring
 *     [rbp - n]   BPF stack, VM_STACK_SIZE bytes
 *     [rsp]       return address of the programs' "call", below
 *
 * r12 is the slot page of the current context.  Programs are "called" once a
 * context and end with a return; a goto is a jump, and a yield jumps to where
 * the next context goes on, so that no program has a prologue. */

#include "jit/x86_64-parts.h"

#include <errno.h>
#include <stddef.h>

static const uint8_t saved[] = { RBP, RBX, R12, R13, R14, R15 };

#define N_SAVED ((int) sizeof saved)

static void
empty(struct jit *j)
{
    x_mov_imm(j, RAX, (uint64_t) -ENOENT);
    jit_put1(j, 0xc3);
}

/* Slot esi of page r12 is a program without native code, or was a moment
 * ago. */
static void
foreign(struct jit *j)
{
    size_t gone;

    x_load(j, 8, R11, at(R12, offsetof(struct vm_slots, prog)));
    x_mov(j, false, RSI, RSI);
    /* mov rsi, [r11 + 8 * rsi] */
    static const uint8_t load[] = { 0x49, 0x8b, 0x34, 0xf3 };
    jit_put(j, load, sizeof load);
    x_test(j, true, RSI, RSI);
    gone = x86_skip(j, 0x70 | CC_E);
    x86_indirect(j, 2, at(RSI, offsetof(struct vm_prog, run)));
    jit_put1(j, 0xc3);
    x86_skip_to_here(j, gone);
    empty(j);
}

static void
enter(struct jit *j)
{
    for (int i = 0; i < N_SAVED; i++) {
        x_push(j, saved[i]);
    }
    x_alu_imm(j, true, X_SUB, RSP, 16);
    x_mov(j, true, RBP, RSP);
    x_alu_imm(j, true, X_SUB, RSP, VM_STACK_SIZE);
}

static void
leave(struct jit *j)
{
    /* lea rsp, [rbp + 16] */
    x_rex(j, true, RSP, RBP, false);
    jit_put1(j, 0x8d);
    x_mem(j, RSP, at(RBP, 16));
    for (int i = N_SAVED - 1; i >= 0; i--) {
        x_pop(j, saved[i]);
    }
    jit_put1(j, 0xc3);
}

/* The context in rdi has its turn; when it ends, the next one has, until
 * none is left.  rax is then the last one's result. */
static void
rounds(struct jit *j, const struct vm_prog_type *type)
{
    int32_t turn = type->turn_off;
    size_t again, done;

    again = j->len;
    x_load(j, 8, R12, at(RDI, type->gen_off));
    x86_indirect(j, 2, at(RDI, turn + offsetof(struct vm_turn, entry)));
    x_load(j, 8, RDX, at(RBP, 0));
    x_load(j, 8, RDI, at(RDX, turn + offsetof(struct vm_turn, next)));
    x_store(j, 8, at(RDI, turn + offsetof(struct vm_turn, result)), RAX);
    /* dec dword [rbp + 8] */
    jit_put1(j, 0xff);
    x_mem(j, 1, at(RBP, 8));
    done = x86_skip(j, 0x70 | CC_E);
    x_load(j, 8, RDI, at(RDI, turn + offsetof(struct vm_turn, next)));
    x_store(j, 8, at(RDX, turn + offsetof(struct vm_turn, next)), RDI);
    jit_put1(j, 0xeb);
    jit_put1(j, again - (j->len + 1));
    x86_skip_to_here(j, done);
}

/* rdi is the only context, rsi the program. */
static void
run(struct jit *j, const struct vm_prog_type *type)
{
    enter(j);
    x_load(j, 8, RAX, at(RSI, offsetof(struct vm_prog, native_tail)));
    x_store(j, 8, at(RBP, 0), RDI);
    x_store_imm(j, 4, at(RBP, 8), 1);
    x_store(j, 8, at(RDI, type->turn_off + offsetof(struct vm_turn, entry)),
            RAX);
    x_store(j, 8, at(RDI, type->turn_off + offsetof(struct vm_turn, next)),
            RDI);
    rounds(j, type);
    leave(j);
}

/* rdi is the last of a ring of esi contexts. */
static void
burst(struct jit *j, const struct vm_prog_type *type)
{
    enter(j);
    x_store(j, 8, at(RBP, 0), RDI);
    x_store(j, 4, at(RBP, 8), RSI);
    x_load(j, 8, RDI, at(RDI, type->turn_off
                              + offsetof(struct vm_turn, next)));
    rounds(j, type);
    leave(j);
}

void
x86_stub(struct jit *j, enum jit_stub which, const struct vm_prog_type *type)
{
    switch (which) {
    case JIT_STUB_EMPTY:
        empty(j);
        break;
    case JIT_STUB_FOREIGN:
        foreign(j);
        break;
    case JIT_STUB_RUN:
        run(j, type);
        break;
    default:
        burst(j, type);
        break;
    }
}

/* The context in rdi goes on behind this when all others of its burst have
 * had their turn. */
void
x86_yield(struct jit *j)
{
    const struct vm_prog_type *type = j->prog->type;
    int32_t turn = type->turn_off;
    size_t from;

    /* lea rax, [rip + n] */
    x_rex(j, true, RAX, 0, false);
    jit_put1(j, 0x8d);
    jit_put1(j, 0x05);
    jit_put4(j, 0);
    from = j->len;
    x_store(j, 8, at(RDI, turn + offsetof(struct vm_turn, entry)), RAX);
    x_store(j, 8, at(RBP, 0), RDI);
    x_load(j, 8, RDI, at(RDI, turn + offsetof(struct vm_turn, next)));
    x_load(j, 8, R12, at(RDI, type->gen_off));
    x86_indirect(j, 4, at(RDI, turn + offsetof(struct vm_turn, entry)));
    if (!j->error) {
        j->buf[from - 4] = j->len - from;
    }
}
