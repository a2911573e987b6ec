/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: helpers, local functions, tail calls. */

#include "jit/x86_64-parts.h"

#include <errno.h>
#include <stddef.h>

#include "vm/maps/array.h"

/* Native code of another program is entered only if this back end made it:
 * there is one back end in a process. */

static void
call_c(struct jit *j, const void *fn)
{
    int64_t distance = (const uint8_t *) fn - (j->base + j->len + 5);

    if (j->far_calls) {
        x_mov_imm(j, RAX, (uintptr_t) fn);
        jit_put1(j, 0xff);
        x_modrm(j, 3, 2, RAX);
        return;
    }
    if (j->base && !fits32(distance)) {
        jit_fail(j, -ERANGE, "a helper is out of reach");
    }
    jit_put1(j, 0xe8);
    jit_put4(j, distance);
}

/* -- Tail calls -- */

static size_t
jump_to_failure(struct jit *j, enum x86_cc cc)
{
    jit_put1(j, 0x0f);
    jit_put1(j, 0x80 | cc);
    jit_put4(j, 0);
    return j->len;
}

static void
failure_is_here(struct jit *j, size_t from)
{
    uint32_t distance = j->len - from;

    if (!j->error) {
        __builtin_memcpy(&j->buf[from - 4], &distance, 4);
    }
}

static void
jmp_r10(struct jit *j)
{
    jit_put1(j, 0x41);
    jit_put1(j, 0xff);
    x_modrm(j, 3, 4, R10);
}

/* [base + 8 * index + off] to r11. */
static void
load_slot(struct jit *j, int base, int index, uint8_t off)
{
    jit_put1(j, 0x4c | (base >= 8));
    jit_put1(j, 0x8b);
    jit_put1(j, 0x44 | (R11 & 7) << 3);
    jit_put1(j, 3 << 6 | index << 3 | (base & 7));
    jit_put1(j, off);
}

/* Enters program 'esi' of the slot page. */
static void
go_to(struct jit *j, uint32_t pc)
{
    const struct vm_prog_type *type = j->prog->type;
    const struct vm_aux *aux = &j->prog->aux[pc];

    if (!(aux->flags & VM_AUX_CONST_KEY)) {
        x_load(j, 8, R12, at(RDI, type->gen_off));
        /* cmp esi, [r12 + n] */
        x_mem_op(j, 4, 0x3b, RSI, at(R12, offsetof(struct vm_slots, n)));
        x86_jcc_to(j, CC_AE, j->exit_offset);
        x_mov(j, false, RSI, RSI);
        /* jmp [r12 + 8 * rsi + n] */
        static const uint8_t jump[] = { 0x41, 0xff, 0x64, 0xf4 };
        jit_put(j, jump, sizeof jump);
        jit_put1(j, offsetof(struct vm_slots, code));
    } else if (aux->cval < type->n_slots) {
        x86_jmp_mem(j, at(R12, offsetof(struct vm_slots, code)
                               + 8 * aux->cval));
    } else {
        x86_jmp_to(j, j->exit_offset);
    }
}

/* Tail call through a prog array (rsi), index edx.  A target without native
 * code counts as missing: it could not carry the counter on. */
static void
tail_call(struct jit *j)
{
    const struct vm_prog_type *type = j->prog->type;
    struct x86_at counter = at(RBP, x86_counter_off(j->prog));
    size_t beyond, over, empty, foreign;

    x_mov(j, false, RDX, RDX);
    x_mem_op(j, 4, 0x3b, RDX, at(RSI, offsetof(struct vm_map, max_entries)));
    beyond = jump_to_failure(j, CC_AE);
    x_load(j, 4, RAX, counter);
    x_alu_imm(j, false, X_CMP, RAX,
              type->max_tail_calls ? type->max_tail_calls : 33);
    over = jump_to_failure(j, CC_AE);
    load_slot(j, RSI, RDX, offsetof(struct vm_prog_array, progs));
    x_test(j, true, R11, R11);
    empty = jump_to_failure(j, CC_E);
    x_load(j, 8, R10, at(R11, offsetof(struct vm_prog, native_tail)));
    x_test(j, true, R10, R10);
    foreign = jump_to_failure(j, CC_E);
    x_alu_imm(j, false, X_ADD, RAX, 1);
    x86_leave(j, 0);
    jmp_r10(j);
    failure_is_here(j, beyond);
    failure_is_here(j, over);
    failure_is_here(j, empty);
    failure_is_here(j, foreign);
    x_mov_imm(j, RAX, (uint64_t) -ENOENT);
}

/* -- Lookups -- */

/* An array's element: r0 = data + index * size, or 0. */
static bool
look_up_array(struct jit *j, uint32_t pc)
{
    const struct vm_array *array = jit_known_array(j->prog, pc);
    size_t beyond;

    if (!array) {
        return false;
    }
    x_load(j, 4, R10, at(RSI, 0));
    x_mov_imm(j, RAX, 0);
    x_alu_imm(j, false, X_CMP, R10, array->map.max_entries);
    beyond = jump_to_failure(j, CC_AE);
    x_imul_imm(j, true, R10, array->elem_size);
    x_mov_imm(j, RAX, (uintptr_t) array->data);
    x_alu(j, true, X_ADD, RAX, R10);
    failure_is_here(j, beyond);
    return true;
}

void
x86_call(struct jit *j, uint32_t pc)
{
    const struct vm_prog *prog = j->prog;
    const struct vm_helper *h = vm_type_helper(prog->type,
                                               prog->insns[pc].imm);

    if (h->flags & VM_HF_TAIL_CALL && jit_subprog_at(prog, pc)) {
        jit_fail(j, -ENOTSUP, "a tail call from a local function");
    } else if (h->id == VM_HELPER_GOTO) {
        go_to(j, pc);
    } else if (h->id == VM_HELPER_YIELD) {
        x86_yield(j);
    } else if (h->flags & VM_HF_TAIL_CALL && jit_shares_frame(prog)) {
        jit_fail(j, -ENOTSUP, "a tail call through a prog array");
    } else if (h->flags & VM_HF_TAIL_CALL) {
        tail_call(j);
    } else if (!look_up_array(j, pc)) {
        call_c(j, jit_call_target(prog, pc));
    }
}

void
x86_call_local(struct jit *j, uint32_t offset)
{
    jit_put1(j, 0xe8);
    jit_put4(j, offset - (j->len + 4));
}
