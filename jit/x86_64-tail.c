/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: tail calls.
 *
 * Code is never patched: a slot page or a prog array is data, and an update
 * of it one store.  Native code of another program is entered only if this
 * back end made it: there is one back end in a process.
 *
 * A run's tail calls through prog arrays are counted in r12.  Only the entry
 * of a run's first program saves and restores it, around a call of what is
 * the program's entry for tail calls, too; so local functions and the
 * programs that they end in count together. */

#include "jit/x86_64-parts.h"

#include <errno.h>
#include <stddef.h>

#include "vm/maps/array.h"

#define DEFAULT_TAIL_CALLS 33

/* Of one byte in the jumps and loads below. */
_Static_assert(offsetof(struct vm_slots, code) < 128
               && offsetof(struct vm_prog_array, progs) < 128, "one byte");

void
x86_tail_reset(struct jit *j)
{
    x_push(j, R12);
    x_alu(j, false, X_XOR, R12, R12);
    /* call the tail entry */
    jit_put1(j, 0xe8);
    jit_put4(j, 3);
    x_pop(j, R12);
    jit_put1(j, 0xc3);
}

void
x86_goto(struct jit *j, uint32_t pc)
{
    const struct vm_prog_type *type = j->prog->type;
    const struct vm_aux *aux = &j->prog->aux[pc];

    if (!(aux->flags & VM_AUX_CONST_KEY)) {
        x_load(j, 8, R12, at(RDI, type->gen_off));
        /* cmp esi, [r12 + n] */
        x_mem_op(j, 4, 0x3b, RSI, at(R12, offsetof(struct vm_slots, n)));
        x86_jcc_to(j, CC_AE, x86_exit(j));
        x_mov(j, false, RSI, RSI);
        /* jmp [r12 + 8 * rsi + n] */
        static const uint8_t jump[] = { 0x41, 0xff, 0x64, 0xf4 };
        jit_put(j, jump, sizeof jump);
        jit_put1(j, offsetof(struct vm_slots, code));
    } else if (aux->cval < type->n_slots) {
        x86_indirect(j, 4, at(R12, offsetof(struct vm_slots, code)
                                   + 8 * aux->cval));
    } else {
        x86_jmp_to(j, x86_exit(j));
    }
}

/* The slot to r11; '*beyond' is a jump to failure, or 0. */
static void
load_slot(struct jit *j, uint32_t pc, size_t *beyond)
{
    const struct vm_prog_array *array
        = (const struct vm_prog_array *) jit_known_map(j->prog, pc);
    const struct vm_aux *aux = &j->prog->aux[pc];

    *beyond = 0;
    if (jit_known_slot(j->prog, pc)) {
        x_mov_imm(j, R11, (uintptr_t) &array->progs[aux->cval]);
        x_load(j, 8, R11, at(R11, 0));
        return;
    }
    x_mov(j, false, RDX, RDX);
    x_mem_op(j, 4, 0x3b, RDX, at(RSI, offsetof(struct vm_map, max_entries)));
    *beyond = x86_skip_far(j, CC_AE);
    /* mov r11, [rsi + 8 * rdx + n] */
    static const uint8_t load[] = { 0x4c, 0x8b, 0x5c, 0xd6 };
    jit_put(j, load, sizeof load);
    jit_put1(j, offsetof(struct vm_prog_array, progs));
}

/* Tail call through a prog array (rsi), index edx.  A target without native
 * code counts as missing: it could not carry the count on. */
void
x86_tail_call(struct jit *j, uint32_t pc)
{
    uint32_t max = j->prog->type->max_tail_calls;
    size_t beyond, over, empty, foreign;

    x_alu_imm(j, false, X_CMP, R12, max ? max : DEFAULT_TAIL_CALLS);
    over = x86_skip_far(j, CC_AE);
    load_slot(j, pc, &beyond);
    x_test(j, true, R11, R11);
    empty = x86_skip(j, 0x70 | CC_E);
    x_load(j, 8, R10, at(R11, offsetof(struct vm_prog, native_tail)));
    x_test(j, true, R10, R10);
    foreign = x86_skip(j, 0x70 | CC_E);
    x_alu_imm(j, false, X_ADD, R12, 1);
    if (j->subprog) {
        /* The result is this function's. */
        jit_put1(j, 0x41);
        jit_put1(j, 0xff);
        x_modrm(j, 3, 2, R10);
        x86_leave(j);
        jit_put1(j, 0xc3);
    } else {
        x86_leave(j);
        jit_put1(j, 0x41);
        jit_put1(j, 0xff);
        x_modrm(j, 3, 4, R10);
    }
    x86_skip_to_here(j, foreign);
    x86_skip_to_here(j, empty);
    x86_skip_far_to_here(j, over);
    if (beyond) {
        x86_skip_far_to_here(j, beyond);
    }
    if (jit_live_after(j, pc, VM_R0)) {
        x_mov_imm(j, RAX, (uint64_t) -ENOENT);
    }
}
