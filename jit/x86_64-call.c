/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: helpers and local functions. */

#include "jit/x86_64-parts.h"

#include <errno.h>

void
x86_call_c(struct jit *j, const void *fn)
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

static void
prefetch(struct jit *j)
{
    /* prefetcht0 [rdi] */
    static const uint8_t code[] = { 0x0f, 0x18, 0x0f };

    jit_put(j, code, sizeof code);
}

void
x86_call(struct jit *j, uint32_t pc)
{
    const struct vm_prog *prog = j->prog;
    int32_t id = prog->insns[pc].imm;

    switch (id) {
    case VM_HELPER_GOTO:
        x86_goto(j, pc);
        return;
    case VM_HELPER_YIELD:
        x86_yield(j);
        return;
    case VM_HELPER_PREFETCH:
        prefetch(j);
        return;
    case VM_HELPER_TAIL_CALL:
        x86_tail_call(j, pc);
        return;
    default:
        if (!x86_lookup(j, pc)) {
            x86_call_c(j, jit_call_target(prog, pc));
        }
        return;
    }
}

void
x86_call_local(struct jit *j, uint32_t offset)
{
    jit_put1(j, 0xe8);
    jit_put4(j, offset - (j->len + 4));
}
