/* SPDX-License-Identifier: Apache-2.0 */

/* AArch64: helpers, tail calls.
 *
 * A run's tail calls through prog arrays are counted in x23.  Only the entry
 * of a run's first program saves and restores it, around a call of what is
 * the program's entry for tail calls, too; so local functions and the
 * programs that they end in count together. */

#include "jit/aarch64-parts.h"

#include <errno.h>
#include <stddef.h>

#include "vm/maps/array.h"

#define R1 (a64_map[VM_R1])
#define R2 (a64_map[VM_R2])
#define R3 (a64_map[VM_R3])
#define R0 (a64_map[VM_R0])

/* r0 is not where the ABI has results, so that r1 may stay where it has the
 * first argument. */
static void
call_c(struct jit *j, const void *fn)
{
    int64_t distance = (const uint8_t *) fn - (j->base + j->len);

    if (j->far_calls) {
        a64_mov_imm(j, A64_T0, (uintptr_t) fn);
        a64_blr(j, A64_T0);
    } else {
        if (j->base && !a64_reaches(distance, 26)) {
            jit_fail(j, -ERANGE, "a helper is out of reach");
        }
        a64_put(j, 0x94000000 | (distance / 4 & 0x3ffffff));
    }
    a64_mov(j, true, R0, 0);
}

static void
load(struct jit *j, int size, int t, int base, size_t off)
{
    a64_access(j, A64_LDR, size, A64_DN(t, base), off);
}

/* T2 = [base + 8 * index + off] */
static void
load_slot(struct jit *j, int base, int index, size_t off)
{
    /* add t1, base, index, uxtw #3 */
    a64_dnm(j, 0x8b204c00, A64_T1, base, index);
    load(j, 8, A64_T2, A64_T1, off);
}

/* -- Tail calls -- */

/* Enters the program of the slot page whose number is in r2. */
static void
go_to(struct jit *j, uint32_t pc)
{
    const struct vm_prog_type *type = j->prog->type;
    const struct vm_aux *aux = &j->prog->aux[pc];
    size_t inside;

    if (!(aux->flags & VM_AUX_CONST_KEY)) {
        load(j, 8, A64_SHARED_PAGE, R1, type->gen_off);
        load(j, 4, A64_T1, A64_SHARED_PAGE, offsetof(struct vm_slots, n));
        a64_cmp(j, false, R2, A64_T1);
        inside = a64_skip(j, A64_B_COND(A64_LO));
        a64_b_to(j, j->exit_offset);
        a64_skip_to_here(j, inside);
        load_slot(j, A64_SHARED_PAGE, R2, offsetof(struct vm_slots, code));
        a64_br(j, A64_T2);
    } else if (aux->cval < type->n_slots) {
        load(j, 8, A64_T2, A64_SHARED_PAGE,
             offsetof(struct vm_slots, code) + 8 * aux->cval);
        a64_br(j, A64_T2);
    } else {
        a64_b_to(j, j->exit_offset);
    }
}

#define COUNT A64_SHARED_BACK   /* Free in programs with a frame. */

void
a64_tail_reset(struct jit *j)
{
    a64_pair(j, A64_STP_PRE, COUNT, A64_LR, -16);
    a64_mov_imm(j, COUNT, 0);
    a64_put(j, 0x94000000 | 3);         /* bl to the tail entry */
    a64_pair(j, A64_LDP_POST, COUNT, A64_LR, 16);
    a64_put(j, A64_RET);
}

/* The program in the slot to T2; '*beyond' is a jump to failure, or 0. */
static void
load_prog(struct jit *j, uint32_t pc, size_t *beyond)
{
    const struct vm_prog_array *array
        = (const struct vm_prog_array *) jit_known_map(j->prog, pc);

    *beyond = 0;
    if (jit_known_slot(j->prog, pc)) {
        a64_mov_imm(j, A64_T1,
                    (uintptr_t) &array->progs[j->prog->aux[pc].cval]);
        load(j, 8, A64_T2, A64_T1, 0);
        return;
    }
    load(j, 4, A64_T1, R2, offsetof(struct vm_map, max_entries));
    a64_cmp(j, false, R3, A64_T1);
    *beyond = a64_skip(j, A64_B_COND(A64_HS));
    load_slot(j, R2, R3, offsetof(struct vm_prog_array, progs));
}

/* Tail call through a prog array (r2), index r3.  A target without native
 * code counts as missing: it could not carry the count on. */
static void
tail_call(struct jit *j, uint32_t pc)
{
    uint32_t limit = j->prog->type->max_tail_calls;
    size_t over, beyond, empty, foreign;

    a64_cmp_const(j, false, COUNT, limit ? limit : 33, A64_T1);
    over = a64_skip(j, A64_B_COND(A64_HS));
    load_prog(j, pc, &beyond);
    empty = a64_skip(j, A64_CBZ(true, A64_T2));
    load(j, 8, A64_T1, A64_T2, offsetof(struct vm_prog, native_tail));
    foreign = a64_skip(j, A64_CBZ(true, A64_T1));
    a64_addsub_imm(j, 0x11, COUNT, COUNT, 1);
    if (j->subprog) {
        /* The result is this function's. */
        a64_blr(j, A64_T1);
        a64_mov(j, true, R0, 0);
        a64_leave(j);
        a64_put(j, A64_RET);
    } else {
        a64_leave(j);
        a64_br(j, A64_T1);
    }
    a64_skip_to_here(j, over);
    a64_skip_to_here(j, empty);
    a64_skip_to_here(j, foreign);
    if (beyond) {
        a64_skip_to_here(j, beyond);
    }
    if (jit_live_after(j, pc, VM_R0)) {
        a64_mov_imm(j, R0, (uint64_t) -ENOENT);
    }
}

void
a64_call(struct jit *j, uint32_t pc)
{
    switch (j->prog->insns[pc].imm) {
    case VM_HELPER_GOTO:
        go_to(j, pc);
        break;
    case VM_HELPER_YIELD:
        a64_yield(j);
        break;
    case VM_HELPER_PREFETCH:
        a64_put(j, 0xf9800000 | R1 << 5);       /* prfm pldl1keep, [r1] */
        break;
    case VM_HELPER_TAIL_CALL:
        tail_call(j, pc);
        break;
    default:
        if (!a64_lookup(j, pc)) {
            call_c(j, jit_call_target(j->prog, pc));
        }
        break;
    }
}
