/* SPDX-License-Identifier: Apache-2.0 */

/* AArch64: lookups in maps that are known, without a call. */

#include "jit/aarch64-parts.h"

#include "vm/map.h"

#define R0 (a64_map[VM_R0])

/* r0 += index * size; changes T2. */
static void
add_scaled(struct jit *j, int index, uint32_t size)
{
    if (size & (size - 1)) {
        a64_mov_imm(j, A64_T2, size);
        a64_madd(j, true, false, A64_DNM(R0, index, A64_T2), R0);
    } else {
        /* add r0, r0, index, lsl #n */
        a64_dnm(j, 0x8b000000 | __builtin_ctz(size) << 10, R0, R0, index);
    }
}

/* The number of this thread to T1. */
static void
this_cpu(struct jit *j)
{
    a64_put(j, 0xd53bd040 | A64_T2);    /* mrs t2, tpidr_el0 */
    a64_access(j, A64_LDR, 4, A64_DN(A64_T1, A64_T2),
               jit_thread_off(&vm_cpu_));
}

/* T1, and with it r0, is 0 unless the element in r0 is there. */
static void
check_presence(struct jit *j, const struct jit_array *array)
{
    a64_add_imm(j, A64_T1, R0, array->present);
    a64_put(j, 0x08dffc00 | A64_T1 << 5 | A64_T1);      /* ldarb t1, [t1] */
    a64_cmp(j, false, A64_T1, A64_ZR);
    /* csel r0, r0, xzr, ne */
    a64_dnm(j, 0x9a800000 | A64_NE << 12, R0, R0, A64_ZR);
}

bool
a64_lookup(struct jit *j, uint32_t pc)
{
    uint32_t check = jit_null_check(j, pc);
    struct jit_array array;
    size_t beyond = 0;

    if (!jit_known_array(j->prog, pc, &array)) {
        return false;
    }
    if (j->plan[pc].flags & JIT_FRAME) {
        a64_access(j, A64_LDR, 4, A64_DN(A64_T1, A64_SP),
                   j->plan[pc].frame + (int32_t) j->frame.bytes);
    } else {
        a64_access(j, A64_LDR, 4, A64_DN(A64_T1, a64_map[VM_R2]), 0);
    }
    a64_mov_imm(j, R0, 0);
    a64_cmp_const(j, false, A64_T1, array.n, A64_T2);
    if (check != UINT32_MAX) {
        a64_branch_if(j, check, A64_B_COND(A64_HS), A64_INVERT_CC);
        j->plan[check].flags |= JIT_FUSED;
    } else {
        beyond = a64_skip(j, A64_B_COND(A64_HS));
    }
    a64_mov_imm(j, R0, (uintptr_t) array.data);
    if (array.n > 1) {
        add_scaled(j, A64_T1, array.elem_size);
    }
    if (array.cpu_stride) {
        this_cpu(j);
        add_scaled(j, A64_T1, array.cpu_stride);
    }
    if (array.present) {
        check_presence(j, &array);
        if (check != UINT32_MAX) {
            a64_branch_if(j, check, A64_B_COND(A64_EQ), A64_INVERT_CC);
        }
    }
    if (check == UINT32_MAX) {
        a64_skip_to_here(j, beyond);
    }
    return true;
}
