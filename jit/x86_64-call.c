/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: helpers, local functions, tail calls. */

#include "jit/x86_64-parts.h"

#include <errno.h>
#include <stddef.h>

#include "vm/map.h"

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

/* A lookup in a map that is known calls the kind's function at once. */
static const void *
direct_target(const struct vm_prog *prog, uint32_t pc,
              const struct vm_helper *h)
{
    int32_t index = prog->aux[pc].map;
    const struct vm_map_ops *ops = index ? prog->maps[index - 1]->ops : NULL;

    if (ops && h->id == VM_HELPER_MAP_LOOKUP) {
        return (const void *) (uintptr_t) ops->lookup;
    } else if (ops && h->id == VM_HELPER_VLOOKUP) {
        return (const void *) (uintptr_t) ops->vlookup;
    }
    return (const void *) (uintptr_t) h->fn;
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

/* The target, in r11, has no native code: an interpreter runs it. */
static void
run_interpreted(struct jit *j)
{
    x_mov(j, true, RSI, R11);
    x_rex(j, false, 0, R11, false);
    jit_put1(j, 0xff);
    x_mem(j, 2, at(R11, offsetof(struct vm_prog, run)));
    x86_jmp_to(j, j->exit_offset);
}

/* Enters program 'esi' of the slot page; goes on here, with r0 < 0, if there
 * is none. */
static void
go_to(struct jit *j)
{
    size_t beyond, empty, native;

    x_mov(j, false, RSI, RSI);
    x_load(j, 8, R10, at(RDI, j->prog->type->gen_off));
    /* cmp esi, [r10 + n] */
    x_mem_op(j, 4, 0x3b, RSI, at(R10, offsetof(struct vm_slots, n)));
    beyond = jump_to_failure(j, CC_AE);
    /* mov r11, [r10 + 8 * rsi + prog] */
    jit_put1(j, 0x4d);
    jit_put1(j, 0x8b);
    jit_put1(j, 0x5c);
    jit_put1(j, 0xf2);
    jit_put1(j, offsetof(struct vm_slots, prog));
    x_test(j, true, R11, R11);
    empty = jump_to_failure(j, CC_E);
    x_load(j, 8, R10, at(R11, offsetof(struct vm_prog, native_tail)));
    x_test(j, true, R10, R10);
    native = jump_to_failure(j, CC_NE);
    run_interpreted(j);
    failure_is_here(j, native);
    jit_put1(j, 0x41);          /* jmp r10 */
    jit_put1(j, 0xff);
    x_modrm(j, 3, 4, R10);
    failure_is_here(j, beyond);
    failure_is_here(j, empty);
    x_mov_imm(j, RAX, (uint64_t) -ENOENT);
}

void
x86_call(struct jit *j, uint32_t pc)
{
    const struct vm_prog *prog = j->prog;
    const struct vm_helper *h = vm_type_helper(prog->type,
                                               prog->insns[pc].imm);

    if (h->id == VM_HELPER_GOTO) {
        if (jit_subprog_at(prog, pc)) {
            jit_fail(j, -ENOTSUP, "a goto from a local function");
        }
        go_to(j);
    } else if (h->flags & VM_HF_TAIL_CALL) {
        jit_fail(j, -ENOTSUP, "a tail call through a prog array");
    } else {
        call_c(j, direct_target(prog, pc, h));
    }
}

void
x86_call_local(struct jit *j, uint32_t offset)
{
    jit_put1(j, 0xe8);
    jit_put4(j, offset - (j->len + 4));
}
