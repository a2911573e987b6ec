/* SPDX-License-Identifier: Apache-2.0 */

/* Plans that look up the general map itself: all changes are in it already.
 *
 * "hash": the rules have one mask, but for rules that match everything and
 * have lower priorities.  One probe, and one more for what matches no other
 * rule.  "tuples": any rules. */

#include "ofproto/compile/plan.h"

#include <limits.h>
#include <stdlib.h>
#include "util.h"
#include "ofproto/compile/pipeline.h"
#include "vm/maps/vtable.h"

static struct of_tplan *
create(const struct of_tplan_ops *ops, struct of_table *t)
{
    struct of_tplan *plan = xmalloc(sizeof *plan);

    of_tplan_init(plan, ops, t, NULL);
    return plan;
}

static void
destroy(struct of_tplan *plan)
{
    free(plan);
}

static size_t
n_probes(const struct of_tplan *plan)
{
    return vm_vtuples_n_tuples(plan->map);
}

/* Whether the map has one tuple, or one and behind it the one that matches
 * everything. */
static bool
is_one_hash(const struct vm_map *map)
{
    size_t n = vm_vtuples_n_tuples(map);
    struct vm_vtuple_info info;

    if (n == 2) {
        vm_vtuples_tuple(map, 1, NULL, &info);
        return !info.n_words;
    }
    return n == 1;
}

static bool
hash_can_take(const struct of_table *t)
{
    return is_one_hash(t->map);
}

static struct of_tplan *
hash_create(struct of_table *t)
{
    return create(&of_tplan_hash, t);
}

/* It would give the right results all the same. */
static bool
hash_insert(struct of_tplan *plan, struct of_entry *e)
{
    return is_one_hash(plan->map);
}

const struct of_tplan_ops of_tplan_hash = {
    .name = "hash",
    .can_take = hash_can_take,
    .create = hash_create,
    .destroy = destroy,
    .insert = hash_insert,
    .n_probes = n_probes,
};

static bool
tuples_can_take(const struct of_table *t)
{
    return true;
}

static struct of_tplan *
tuples_create(struct of_table *t)
{
    return create(&of_tplan_tuples, t);
}

const struct of_tplan_ops of_tplan_tuples = {
    .name = "tuples",
    .can_take = tuples_can_take,
    .create = tuples_create,
    .destroy = destroy,
    .n_probes = n_probes,
};
