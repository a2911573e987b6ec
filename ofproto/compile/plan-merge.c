/* SPDX-License-Identifier: Apache-2.0 */

/* Plan "merge": many masks, merged into few (vm/maps/vmerge.h).  Rules of
 * different masks with the same priority must not overlap: of two that do,
 * another plan gives the one that it always gives. */

#include "ofproto/compile/plan.h"

#include <stdlib.h>
#include <string.h>
#include "flow.h"
#include "util.h"
#include "datapath/abi.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/pipeline.h"
#include "ofproto/compile/plan-levels.h"
#include "vm/map.h"
#include "vm/maps/vmerge.h"
#include "vm/maps/vtable.h"

enum {
    MIN_TUPLES = 8              /* With fewer it would not be faster. */
};

struct merge_plan {
    struct of_tplan up;
    struct of_levels levels;
};

static struct merge_plan *
merge_plan_cast(const struct of_tplan *plan)
{
    return CONTAINER_OF(plan, struct merge_plan, up);
}

static bool
merge_can_take(const struct of_table *t)
{
    return vm_vtuples_n_tuples(t->map) >= MIN_TUPLES;
}

static struct of_tplan *
merge_create(struct of_table *t)
{
    const struct vm_map_attr attr = {
        .kind = VM_MAP_vmerge,
        .key_size = t->map->key_size,
        .value_size = t->map->value_size,
        .name = "merge",
        .inner = t->map,
    };
    struct merge_plan *plan;
    struct vm_map *map;
    struct vm_err err;

    if (vm_map_create(&attr, &map, &err)) {
        return NULL;
    }
    plan = xzalloc(sizeof *plan);
    of_tplan_init(&plan->up, &of_tplan_merge, t, map);
    of_levels_init(&plan->levels);
    return &plan->up;
}

static void
merge_destroy(struct of_tplan *plan_)
{
    struct merge_plan *plan = merge_plan_cast(plan_);

    of_levels_destroy(&plan->levels);
    free(plan);
}

/* Keeps of the 'size' bytes of the key at 'flow_off' the first 8, 16 or 24
 * bits, if they are all there (of 2 bytes: keeps all or nothing). */
static void
round_down(uint64_t *mask, size_t flow_off, size_t size)
{
    uint8_t *p = ((uint8_t *) mask + of_ctx_off(flow_off)
                  - offsetof(struct dp_ctx, key));
    size_t n = 0;

    while (n < size && p[n] == 0xff) {
        n++;
    }
    n = size == 2 && n < 2 ? 0 : size == 4 && n > 3 ? 3 : n;
    memset(p + n, 0, size - n);
}

static bool
merge_insert(struct of_tplan *plan_, struct of_entry *e)
{
    struct merge_plan *plan = merge_plan_cast(plan_);
    uint64_t key[DP_KEY_WORDS], mask[DP_KEY_WORDS];

    vm_ventry_key(plan->up.map, e->vt, key, mask);
    if (!of_levels_join(&plan->levels, plan->up.map, e->vt)) {
        return false;
    }
    round_down(mask, offsetof(struct flow, nw_src), 4);
    round_down(mask, offsetof(struct flow, nw_dst), 4);
    round_down(mask, offsetof(struct flow, tp_src), 2);
    round_down(mask, offsetof(struct flow, tp_dst), 2);
    return !vm_vmerge_insert(plan->up.map, e->vt, mask);
}

static bool
merge_remove(struct of_tplan *plan_, struct of_entry *e)
{
    struct merge_plan *plan = merge_plan_cast(plan_);

    vm_vmerge_delete(plan->up.map, e->vt);
    of_levels_leave(&plan->levels, e->vt);
    return true;
}

static size_t
merge_n_probes(const struct of_tplan *plan)
{
    return (vm_vmerge_n_tables(plan->map)
            * MAX(vm_vmerge_longest(plan->map), 1));
}

const struct of_tplan_ops of_tplan_merge = {
    .name = "merge",
    .can_take = merge_can_take,
    .create = merge_create,
    .destroy = merge_destroy,
    .insert = merge_insert,
    .remove = merge_remove,
    .n_probes = merge_n_probes,
};
