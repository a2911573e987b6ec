/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: lookups in maps that are known, without a call. */

#include "jit/x86_64-parts.h"

#include "vm/map.h"

/* rax = data + rcx * elem_size. */
static void
element(struct jit *j, const struct jit_array *array)
{
    uint32_t size = array->elem_size;

    x_mov_imm(j, RAX, (uintptr_t) array->data);
    if (array->n == 1) {
        return;
    } else if (size == 8) {
        /* lea rax, [rax + 8 * rcx] */
        static const uint8_t lea[] = { 0x48, 0x8d, 0x04, 0xc8 };

        jit_put(j, lea, sizeof lea);
        return;
    }
    if (size & (size - 1)) {
        x_imul_imm(j, true, RCX, RCX, size);
    } else {
        x_shift_imm(j, true, X_SHL, RCX, __builtin_ctz(size));
    }
    x_alu(j, true, X_ADD, RAX, RCX);
}

/* rax += vm_cpu() * stride */
static void
this_cpu(struct jit *j, uint32_t stride)
{
    /* imul ecx, fs:[vm_cpu_], stride would not do for 64 bits. */
    x_fs(j);
    jit_put1(j, 0x8b);
    x_mem_fs(j, RCX, jit_thread_off(&vm_cpu_));
    if (stride & (stride - 1)) {
        x_imul_imm(j, true, RCX, RCX, stride);
    } else {
        x_shift_imm(j, true, X_SHL, RCX, __builtin_ctz(stride));
    }
    x_alu(j, true, X_ADD, RAX, RCX);
}

/* rax = 0 and ZF set, unless the element in rax is there. */
static void
check_presence(struct jit *j, const struct jit_array *array)
{
    x_alu(j, false, X_XOR, RCX, RCX);
    x_alu_store_imm(j, 1, X_CMP, at(RAX, array->present), 0);
    x_cmov(j, true, CC_E, RAX, RCX);
}

bool
x86_lookup(struct jit *j, uint32_t pc)
{
    struct jit_array array;
    struct x86_at key = at(RSI, 0);
    uint32_t check;
    size_t beyond = 0;

    if (!jit_known_array(j->prog, pc, &array)) {
        return false;
    }
    if (j->plan[pc].flags & JIT_FRAME) {
        key = at(RBP, j->plan[pc].frame);
    }
    check = jit_null_check(j, pc);
    if (array.n > 1) {
        x_load(j, 4, RCX, key);
        x_alu(j, false, X_XOR, RAX, RAX);
        x_alu_imm(j, false, X_CMP, RCX, array.n);
    } else {
        x_alu(j, false, X_XOR, RAX, RAX);
        x_alu_store_imm(j, 4, X_CMP, key, 1);
    }
    if (check != UINT32_MAX) {
        x86_jcc_to(j, CC_AE, jit_target_offset(j, check));
        j->plan[check].flags |= JIT_FUSED;
    } else {
        beyond = x86_skip(j, 0x70 | CC_AE);
    }
    element(j, &array);
    if (array.cpu_stride) {
        this_cpu(j, array.cpu_stride);
    }
    if (array.present) {
        check_presence(j, &array);
        if (check != UINT32_MAX) {
            x86_jcc_to(j, CC_E, jit_target_offset(j, check));
        }
    }
    if (check == UINT32_MAX) {
        x86_skip_to_here(j, beyond);
    }
    return true;
}
