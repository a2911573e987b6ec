/* SPDX-License-Identifier: Apache-2.0 */

/* AArch64: helpers, tail calls, lookups. */

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

/* Tail call through a prog array (r2), index r3.  A target without native
 * code counts as missing: it could not carry the counter on. */
static void
tail_call(struct jit *j)
{
    uint32_t limit = j->prog->type->max_tail_calls;
    size_t failures[4];

    load(j, 4, A64_T1, R2, offsetof(struct vm_map, max_entries));
    a64_cmp(j, false, R3, A64_T1);
    failures[0] = a64_skip(j, A64_B_COND(A64_HS));
    load(j, 4, A64_COUNTER, A64_SP, A64_COUNTER_OFF);
    a64_cmp_const(j, false, A64_COUNTER, limit ? limit : 33, A64_T1);
    failures[1] = a64_skip(j, A64_B_COND(A64_HS));
    load_slot(j, R2, R3, offsetof(struct vm_prog_array, progs));
    failures[2] = a64_skip(j, A64_CBZ(true, A64_T2));
    load(j, 8, A64_T1, A64_T2, offsetof(struct vm_prog, native_tail));
    failures[3] = a64_skip(j, A64_CBZ(true, A64_T1));
    a64_addsub_imm(j, 0x11, A64_COUNTER, A64_COUNTER, 1);
    a64_leave(j);
    a64_br(j, A64_T1);
    for (int i = 0; i < 4; i++) {
        a64_skip_to_here(j, failures[i]);
    }
    a64_mov_imm(j, R0, (uint64_t) -ENOENT);
}

/* -- Lookups -- */

/* An array's element: r0 = data + index * size, or 0. */
static void
look_up_array(struct jit *j, const struct vm_array *array)
{
    size_t beyond;

    load(j, 4, A64_T1, R2, 0);
    a64_mov_imm(j, R0, 0);
    a64_cmp_const(j, false, A64_T1, array->map.max_entries, A64_T2);
    beyond = a64_skip(j, A64_B_COND(A64_HS));
    a64_mov_imm(j, A64_T2, array->elem_size);
    a64_mov_imm(j, A64_T3, (uintptr_t) array->data);
    a64_madd(j, true, false, A64_DNM(R0, A64_T1, A64_T2), A64_T3);
    a64_skip_to_here(j, beyond);
}

void
a64_call(struct jit *j, uint32_t pc)
{
    const struct vm_prog *prog = j->prog;
    const struct vm_helper *h = vm_type_helper(prog->type,
                                               prog->insns[pc].imm);
    const struct vm_array *array = jit_known_array(prog, pc);

    if (h->flags & VM_HF_TAIL_CALL && j->subprog) {
        jit_fail(j, -ENOTSUP, "a tail call from a local function");
    } else if (h->id == VM_HELPER_GOTO) {
        go_to(j, pc);
    } else if (h->id == VM_HELPER_YIELD) {
        a64_yield(j);
    } else if (h->id == VM_HELPER_PREFETCH) {
        a64_put(j, 0xf9800000 | R1 << 5);       /* prfm pldl1keep, [r1] */
    } else if (h->flags & VM_HF_TAIL_CALL && jit_shares_frame(prog)) {
        jit_fail(j, -ENOTSUP, "a tail call through a prog array");
    } else if (h->flags & VM_HF_TAIL_CALL) {
        tail_call(j);
    } else if (array) {
        look_up_array(j, array);
    } else {
        call_c(j, jit_call_target(prog, pc));
    }
}
