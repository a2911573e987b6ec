/* SPDX-License-Identifier: Apache-2.0 */

/* Plan "tree": many masks, a decision tree (vm/maps/vtree.h).  Rules of
 * different masks with the same priority must not overlap (plan-levels.h). */

#include "ofproto/compile/plan.h"

#include <stdlib.h>
#include "util.h"
#include "ofproto/compile/pipeline.h"
#include "ofproto/compile/plan-levels.h"
#include "vm/map.h"
#include "vm/maps/vtable.h"
#include "vm/maps/vtree.h"

enum {
    MIN_TUPLES = 4              /* With fewer it would not be faster. */
};

struct tree_plan {
    struct of_tplan up;
    struct of_levels levels;
};

static struct tree_plan *
tree_plan_cast(const struct of_tplan *plan)
{
    return CONTAINER_OF(plan, struct tree_plan, up);
}

static bool
tree_can_take(const struct of_table *t)
{
    return vm_vtuples_n_tuples(t->map) >= MIN_TUPLES;
}

static struct of_tplan *
tree_create(struct of_table *t)
{
    const struct vm_map_attr attr = {
        .kind = VM_MAP_vtree,
        .key_size = t->map->key_size,
        .value_size = t->map->value_size,
        .name = "tree",
        .inner = t->map,
    };
    struct tree_plan *plan;
    struct vm_map *map;
    struct vm_err err;

    if (vm_map_create(&attr, &map, &err)) {
        return NULL;
    }
    plan = xzalloc(sizeof *plan);
    of_tplan_init(&plan->up, &of_tplan_tree, t, map);
    of_levels_init(&plan->levels);
    return &plan->up;
}

static void
tree_destroy(struct of_tplan *plan_)
{
    struct tree_plan *plan = tree_plan_cast(plan_);

    of_levels_destroy(&plan->levels);
    free(plan);
}

static bool
tree_insert(struct of_tplan *plan_, struct of_entry *e)
{
    struct tree_plan *plan = tree_plan_cast(plan_);

    return (of_levels_join(&plan->levels, plan->up.map, e->vt)
            && !vm_vtree_insert(plan->up.map, e->vt));
}

static bool
tree_remove(struct of_tplan *plan_, struct of_entry *e)
{
    struct tree_plan *plan = tree_plan_cast(plan_);

    of_levels_leave(&plan->levels, e->vt);
    return !vm_vtree_delete(plan->up.map, e->vt);
}

static bool
tree_finish(struct of_tplan *plan)
{
    return vm_vtree_build(plan->map);
}

static size_t
tree_n_probes(const struct of_tplan *plan)
{
    return vm_vtree_worst(plan->map);
}

const struct of_tplan_ops of_tplan_tree = {
    .name = "tree",
    .can_take = tree_can_take,
    .create = tree_create,
    .destroy = tree_destroy,
    .insert = tree_insert,
    .remove = tree_remove,
    .finish = tree_finish,
    .n_probes = tree_n_probes,
};
