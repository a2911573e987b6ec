/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/type.h"

#include <string.h>

const struct vm_helper *
vm_type_helper(const struct vm_prog_type *type, uint32_t id)
{
    for (size_t i = 0; i < type->n_helper_sets; i++) {
        const struct vm_helper_set *set = type->helper_sets[i];

        for (size_t j = 0; j < set->n; j++) {
            if (set->helpers[j].id == id) {
                return &set->helpers[j];
            }
        }
    }
    return NULL;
}

const struct vm_helper *
vm_type_helper_by_name(const struct vm_prog_type *type, const char *name)
{
    for (size_t i = 0; i < type->n_helper_sets; i++) {
        const struct vm_helper_set *set = type->helper_sets[i];

        for (size_t j = 0; j < set->n; j++) {
            if (!strcmp(set->helpers[j].name, name)) {
                return &set->helpers[j];
            }
        }
    }
    return NULL;
}

const struct vm_ctx_member *
vm_type_member(const struct vm_prog_type *type, uint32_t off, uint32_t size)
{
    size_t lo = 0, hi = type->n_members;

    /* The last member that starts at or before 'off'. */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (type->members[mid].off <= off) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (!lo) {
        return NULL;
    }

    const struct vm_ctx_member *m = &type->members[lo - 1];
    return (off - m->off < m->size && size <= m->size - (off - m->off)
            ? m : NULL);
}

void
vm_type_init_mem(struct vm_prog_type *type, struct vm_ctx_member *member,
                 uint32_t ctx_size)
{
    static const struct vm_helper_set *const sets[] = { &vm_helpers_base };

    *member = (struct vm_ctx_member) {
        .name = "mem",
        .size = ctx_size,
        .kind = VM_CTX_MEM,
        .flags = VM_CTX_RW,
    };
    *type = (struct vm_prog_type) {
        .name = "mem",
        .ctx_size = ctx_size,
        .members = member,
        .n_members = ctx_size ? 1 : 0,
        .helper_sets = sets,
        .n_helper_sets = 1,
        .gen_off = VM_NO_GEN,
    };
}
