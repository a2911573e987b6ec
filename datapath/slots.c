/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/dp.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "ovs-rcu.h"
#include "util.h"
#include "vm/prog.h"
#include "vm/type.h"

/* A slot page with its number of references in front. */
struct page {
    atomic_uint refs;
    struct vm_slots slots;
};

static struct page *
page_cast(struct vm_slots *slots)
{
    return CONTAINER_OF(slots, struct page, slots);
}

struct vm_slots *
dp_slots_create(void)
{
    struct page *page;

    page = xzalloc(sizeof *page + DP_N_SLOTS * sizeof page->slots.prog[0]);
    atomic_init(&page->refs, 1);
    page->slots.n = DP_N_SLOTS;
    return &page->slots;
}

/* The programs are still referenced while workers may be in the page. */
static void
page_free(struct page *page)
{
    for (uint32_t i = 0; i < page->slots.n; i++) {
        vm_prog_unref(atomic_load_explicit(&page->slots.prog[i],
                                           memory_order_relaxed));
    }
    free(page);
}

void
dp_slots_unref(struct vm_slots *slots)
{
    if (slots) {
        struct page *page = page_cast(slots);

        if (atomic_fetch_sub(&page->refs, 1) == 1) {
            ovsrcu_postpone(page_free, page);
        }
    }
}

void
dp_slots_set(struct vm_slots *slots, uint32_t slot, struct vm_prog *prog)
{
    if (slot < slots->n) {
        if (prog) {
            vm_prog_ref(prog);
        }
        /* vm_prog_unref() defers the free until workers are quiescent. */
        vm_prog_unref(atomic_exchange_explicit(&slots->prog[slot], prog,
                                               memory_order_acq_rel));
    }
}
