/* SPDX-License-Identifier: Apache-2.0 */

/* The interpreters: the meaning of every instruction, for all engines.
 *
 * vm/interp.inc is the loop; it is compiled twice here, once with every
 * access checked and fuel counted (VM_CHECKED), once as fast as an
 * interpreter goes, for verified programs. */

#include "vm/prog-internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/access.h"
#include "vm/map.h"
#include "vm/maps/array.h"

#define DEFAULT_FUEL (UINT64_C(1) << 24)
#define DEFAULT_TAIL_CALLS 33

/* What a local call leaves to be restored, and where to go on. */
struct frame {
    const struct vm_prog *prog;
    const struct vm_op *op;
    uint64_t saved[4];          /* r6 to r9. */
};

/* Runs in another engine that the fast interpreter waits for. */
static _Thread_local unsigned int nested_runs;

/* Division as RFC 9669 defines it. */
static inline uint64_t
div64(uint64_t a, uint64_t b)
{
    return b ? a / b : 0;
}

static inline uint64_t
mod64(uint64_t a, uint64_t b)
{
    return b ? a % b : a;
}

static inline uint32_t
div32(uint32_t a, uint32_t b)
{
    return b ? a / b : 0;
}

static inline uint32_t
mod32(uint32_t a, uint32_t b)
{
    return b ? a % b : a;
}

static inline uint64_t
sdiv64(int64_t a, int64_t b)
{
    return b == -1 ? -(uint64_t) a : b ? (uint64_t) (a / b) : 0;
}

static inline uint64_t
smod64(int64_t a, int64_t b)
{
    return b == -1 ? 0 : b ? (uint64_t) (a % b) : (uint64_t) a;
}

static inline uint32_t
sdiv32(int32_t a, int32_t b)
{
    return b == -1 ? -(uint32_t) a : b ? (uint32_t) (a / b) : 0;
}

static inline uint32_t
smod32(int32_t a, int32_t b)
{
    return b == -1 ? 0 : b ? (uint32_t) (a % b) : (uint32_t) a;
}

static struct vm_prog *
tail_call_target(uint64_t map, uint64_t index)
{
    struct vm_prog_array *array = (void *) (uintptr_t) map;

    return ((uint32_t) index < array->map.max_entries
            ? atomic_load_explicit(&array->progs[(uint32_t) index],
                                   memory_order_acquire)
            : NULL);
}

static struct vm_prog *
goto_target(const struct vm_prog *prog, const uint8_t *ctx, uint64_t slot)
{
    struct vm_slots *slots;

    memcpy(&slots, ctx + prog->type->gen_off, sizeof slots);
    return (slots && (uint32_t) slot < slots->n
            ? atomic_load_explicit(&slots->prog[(uint32_t) slot],
                                   memory_order_acquire)
            : NULL);
}

/* Runs a program that another engine runs; a burst's links outlive it. */
static uint64_t
run_foreign(const struct vm_prog *prog, void *ctx)
{
    struct vm_turn saved, *turn;
    uint64_t result;

    nested_runs++;
    if (prog->type->gen_off == VM_NO_GEN) {
        result = prog->run(ctx, prog);
        nested_runs--;
        return result;
    }
    turn = vm_turn(prog->type, ctx);
    saved = *turn;
    turn->prog = NULL;
    result = prog->run(ctx, prog);
    *turn = saved;
    nested_runs--;
    return result;
}

static void
set_fault(int error, const struct vm_prog *prog, const struct vm_op *ops,
          const struct vm_op *op, const char *why)
{
    vm_fault.error = error;
    vm_fault.prog = prog;
    vm_fault.pc = op - ops;
    snprintf(vm_fault.text, sizeof vm_fault.text, "insn %u (%s): %s",
             vm_fault.pc, vm_isa[vm_insn_id(&prog->insns[vm_fault.pc])].name,
             why);
}

#define VM_INTERP vm_interp_checked
#define VM_CHECKED 1
#define VM_OPS ops_checked
#include "vm/interp.inc"
#undef VM_INTERP
#undef VM_CHECKED
#undef VM_OPS

#define VM_INTERP vm_interp_fast
#define VM_CHECKED 0
#define VM_OPS ops
#include "vm/interp.inc"
