/* SPDX-License-Identifier: Apache-2.0 */

/* The bridge's slot pages. */

#include "datapath/dp.h"

#include "util.h"
#include "vm/type.h"

struct vm_slots *
dp_slots_create(void)
{
    struct vm_slots *slots = vm_slots_create(DP_N_SLOTS);

    if (!slots) {
        out_of_memory();
    }
    return slots;
}

void
dp_slots_unref(struct vm_slots *slots)
{
    vm_slots_unref(slots);
}

void
dp_slots_set(struct vm_slots *slots, uint32_t slot, struct vm_prog *prog)
{
    vm_slots_set(slots, slot, prog);
}
