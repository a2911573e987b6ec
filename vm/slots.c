/* SPDX-License-Identifier: Apache-2.0 */

/* Slot pages: programs, and where native code goes on for each of them. */

#include "vm/type.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "vm/map.h"
#include "vm/prog.h"

static const struct vm_backend *_Atomic backend;

void
vm_slots_set_backend(const struct vm_backend *b)
{
    atomic_store(&backend, b);
}

static const void *
code_of(const struct vm_slots *slots, const struct vm_prog *prog)
{
    const struct vm_backend *b = slots->backend;

    return (!b ? NULL
            : !prog ? b->slot_empty
            : prog->backend == b && prog->native_tail ? prog->native_tail
            : b->slot_foreign);
}

struct vm_slots *
vm_slots_create(uint32_t n)
{
    struct vm_slots *slots = calloc(1, sizeof *slots
                                    + n * sizeof slots->code[0]);
    if (!slots) {
        return NULL;
    }
    slots->prog = calloc(n, sizeof *slots->prog);
    if (!slots->prog) {
        free(slots);
        return NULL;
    }

    slots->n = n;
    slots->backend = atomic_load(&backend);
    atomic_init(&slots->refs, 1);
    for (uint32_t i = 0; i < n; i++) {
        atomic_init(&slots->code[i], code_of(slots, NULL));
    }
    return slots;
}

static void
slots_free(void *slots_)
{
    struct vm_slots *slots = slots_;

    for (uint32_t i = 0; i < slots->n; i++) {
        vm_prog_unref(atomic_load_explicit(&slots->prog[i],
                                           memory_order_relaxed));
    }
    free((void *) slots->prog);
    free(slots);
}

void
vm_slots_unref(struct vm_slots *slots)
{
    if (slots && atomic_fetch_sub(&slots->refs, 1) == 1) {
        vm_defer(slots_free, slots);
    }
}

void
vm_slots_set(struct vm_slots *slots, uint32_t slot, struct vm_prog *prog)
{
    struct vm_prog *old;

    if (slot >= slots->n) {
        return;
    }
    if (prog) {
        vm_prog_ref(prog);
    }
    /* First the program: the stub of one without native code reads it. */
    old = atomic_exchange_explicit(&slots->prog[slot], prog,
                                   memory_order_acq_rel);
    atomic_store_explicit(&slots->code[slot], code_of(slots, prog),
                          memory_order_release);
    /* Freed when no worker runs it any more. */
    vm_prog_unref(old);
}
