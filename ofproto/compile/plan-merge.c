/* SPDX-License-Identifier: Apache-2.0 */

/* Plan "merge": many masks, merged into few (vm/maps/vmerge.h).  Rules of
 * different masks with the same priority must not overlap: of two that do,
 * another plan gives the one that it always gives. */

#include "ofproto/compile/plan.h"

#include <stdlib.h>
#include <string.h>
#include "flow.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "util.h"
#include "datapath/abi.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/pipeline.h"
#include "vm/map.h"
#include "vm/maps/vmerge.h"
#include "vm/maps/vtable.h"

enum {
    MIN_TUPLES = 8,             /* With fewer it would not be faster. */
    MAX_COMPARED = 128          /* Rules of a priority that are compared. */
};

/* Rules of one priority.  If there are ever more than MAX_COMPARED of them
 * they have one mask. */
struct level {
    struct hmap_node node;      /* In merge_plan.levels. */
    int priority;
    unsigned int n_rules;
    bool many;                  /* 'rules' is not kept any more. */
    bool mixed;                 /* There were different masks. */
    uint64_t mask[DP_KEY_WORDS]; /* Of the first. */
    const struct vm_ventry **rules; /* 'n_rules' of them. */
    size_t allocated;
};

struct merge_plan {
    struct of_tplan up;
    struct hmap levels;
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
    hmap_init(&plan->levels);
    return &plan->up;
}

static void
free_level(struct level *level)
{
    free(level->rules);
    free(level);
}

static void
merge_destroy(struct of_tplan *plan_)
{
    struct merge_plan *plan = merge_plan_cast(plan_);
    struct level *level;

    HMAP_FOR_EACH_POP (level, node, &plan->levels) {
        free_level(level);
    }
    hmap_destroy(&plan->levels);
    free(plan);
}

static struct level *
find_level(const struct merge_plan *plan, int priority)
{
    struct level *level;

    HMAP_FOR_EACH_WITH_HASH (level, node, hash_int(priority, 0),
                             &plan->levels) {
        if (level->priority == priority) {
            return level;
        }
    }
    return NULL;
}

static bool
overlap(const struct vm_map *map, const struct vm_ventry *a,
        const struct vm_ventry *b)
{
    uint64_t a_key[DP_KEY_WORDS], a_mask[DP_KEY_WORDS];
    uint64_t b_key[DP_KEY_WORDS], b_mask[DP_KEY_WORDS];

    vm_ventry_key(map, a, a_key, a_mask);
    vm_ventry_key(map, b, b_key, b_mask);
    if (!memcmp(a_mask, b_mask, sizeof a_mask)) {
        return false;           /* Or equal, and then the order is known. */
    }
    for (int i = 0; i < DP_KEY_WORDS; i++) {
        if ((a_key[i] ^ b_key[i]) & a_mask[i] & b_mask[i]) {
            return false;
        }
    }
    return true;
}

/* Whether 'e' may have the priority of 'level', which has other rules. */
static bool
fits_level(struct level *level, const struct vm_map *map,
           const struct vm_ventry *e, const uint64_t *mask)
{
    level->mixed |= memcmp(level->mask, mask, sizeof level->mask) != 0;
    if (!level->mixed) {
        return true;
    } else if (level->many || level->n_rules >= MAX_COMPARED) {
        return false;
    }
    for (unsigned int i = 0; i < level->n_rules; i++) {
        if (overlap(map, level->rules[i], e)) {
            return false;
        }
    }
    return true;
}

static bool
join_level(struct merge_plan *plan, const struct vm_ventry *e,
           const uint64_t *mask)
{
    int priority = vm_ventry_priority(e);
    struct level *level = find_level(plan, priority);

    if (!level) {
        level = xzalloc(sizeof *level);
        level->priority = priority;
        memcpy(level->mask, mask, sizeof level->mask);
        hmap_insert(&plan->levels, &level->node, hash_int(priority, 0));
    } else if (!fits_level(level, plan->up.map, e, mask)) {
        return false;
    }
    level->many |= level->n_rules >= MAX_COMPARED;
    if (!level->many) {
        if (level->n_rules >= level->allocated) {
            level->rules = x2nrealloc(level->rules, &level->allocated,
                                      sizeof *level->rules);
        }
        level->rules[level->n_rules] = e;
    }
    level->n_rules++;
    return true;
}

static void
leave_level(struct merge_plan *plan, const struct vm_ventry *e)
{
    struct level *level = find_level(plan, vm_ventry_priority(e));

    for (unsigned int i = 0; !level->many && i < level->n_rules; i++) {
        if (level->rules[i] == e) {
            level->rules[i] = level->rules[level->n_rules - 1];
            break;
        }
    }
    if (!--level->n_rules) {
        hmap_remove(&plan->levels, &level->node);
        free_level(level);
    }
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
    if (!join_level(plan, e->vt, mask)) {
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
    leave_level(plan, e->vt);
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
