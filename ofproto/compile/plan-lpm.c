/* SPDX-License-Identifier: Apache-2.0 */

/* Plan "lpm": prefixes of one IPv4 address, priority grows with length, all
 * else is the same in all rules, but for rules that match everything and have
 * the lowest priorities.  A trie (vm/maps/vlpm.h). */

#include "ofproto/compile/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "util.h"
#include "flow.h"
#include "datapath/abi.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/pipeline.h"
#include "vm/map.h"
#include "vm/maps/vlpm.h"
#include "vm/maps/vtable.h"

enum {
    MIN_TUPLES = 3,             /* With fewer it would not be faster. */
    MIN_ROOM = 1024             /* Prefixes. */
};

/* Fields that may carry the prefixes. */
static const size_t fields[] = {
    offsetof(struct flow, nw_dst), offsetof(struct flow, nw_src)
};

/* A match without its address. */
struct rest {
    uint64_t mask[DP_KEY_WORDS], key[DP_KEY_WORDS];
};

struct lpm_plan {
    struct of_tplan up;
    uint32_t addr_off;          /* In the key. */
    bool bound;                 /* 'rest' is that of the first rule. */
    struct rest rest;

    /* Priorities by length, widened only; 'all' of rules that match all. */
    struct range {
        int min, max;
    } lens[33], all;
};

static struct lpm_plan *
lpm_plan_cast(const struct of_tplan *plan)
{
    return CONTAINER_OF(plan, struct lpm_plan, up);
}

/* Takes the address at 'addr_off' out of 'r'.  Its length, or -1 if it is no
 * prefix. */
static int
take_prefix(struct rest *r, uint32_t addr_off)
{
    uint8_t *mask = (uint8_t *) r->mask + addr_off;
    uint8_t *key = (uint8_t *) r->key + addr_off;
    uint32_t bits;

    memcpy(&bits, mask, sizeof bits);
    bits = ~ntohl((OVS_FORCE ovs_be32) bits);
    memset(mask, 0, sizeof bits);
    memset(key, 0, sizeof bits);
    return bits & (bits + 1) ? -1 : 32 - (bits ? 32 - clz32(bits) : 0);
}

static bool
is_empty(const struct rest *r)
{
    for (int i = 0; i < DP_KEY_WORDS; i++) {
        if (r->mask[i]) {
            return false;
        }
    }
    return true;
}

static uint32_t
field_off(size_t flow_off)
{
    return of_ctx_off(flow_off) - offsetof(struct dp_ctx, key);
}

/* The offset of the field that the tuples of 't' differ in, as masks go, or
 * UINT32_MAX. */
static uint32_t
find_field(const struct of_table *t)
{
    size_t n = vm_vtuples_n_tuples(t->map);

    for (size_t f = 0; f < ARRAY_SIZE(fields); f++) {
        uint32_t off = field_off(fields[f]);
        struct rest first, r;
        size_t i;

        memset(&first, 0, sizeof first);
        memset(&r, 0, sizeof r);
        for (i = 0; i < n; i++) {
            vm_vtuples_tuple(t->map, i, r.mask, NULL);
            if (take_prefix(&r, off) < 0) {
                break;
            }
            if (!i) {
                first = r;
            } else if (memcmp(r.mask, first.mask, sizeof r.mask)
                       && (i + 1 < n || !is_empty(&r))) {
                break;
            }
        }
        if (i == n && !is_empty(&first)) {
            return off;
        }
    }
    return UINT32_MAX;
}

static bool
lpm_can_take(const struct of_table *t)
{
    size_t n = vm_vtuples_n_tuples(t->map);

    return n >= MIN_TUPLES && n <= 34 && find_field(t) != UINT32_MAX;
}

static struct of_tplan *
lpm_create(struct of_table *t)
{
    const struct vm_map_attr attr = {
        .kind = VM_MAP_vlpm,
        .key_size = t->map->key_size,
        .value_size = t->map->value_size,
        .max_entries = MAX(2 * t->n_entries, MIN_ROOM),
        .name = "lpm",
        .inner = t->map,
    };
    struct lpm_plan *plan;
    struct vm_map *map;
    struct vm_err err;

    if (vm_map_create(&attr, &map, &err)) {
        return NULL;
    }
    plan = xzalloc(sizeof *plan);
    of_tplan_init(&plan->up, &of_tplan_lpm, t, map);
    plan->addr_off = find_field(t);
    for (int i = 0; i <= 32; i++) {
        plan->lens[i] = (struct range) { INT_MAX, INT_MIN };
    }
    plan->all = (struct range) { INT_MAX, INT_MIN };
    return &plan->up;
}

static void
lpm_destroy(struct of_tplan *plan)
{
    free(lpm_plan_cast(plan));
}

static void
widen(struct range *range, int priority)
{
    range->min = MIN(range->min, priority);
    range->max = MAX(range->max, priority);
}

/* Whether a rule of 'len' (-1: matches everything) may have 'priority'. */
static bool
in_order(const struct lpm_plan *plan, int len, int priority)
{
    if (len >= 0 && plan->all.max >= priority) {
        return false;
    }
    for (int i = 0; i <= 32; i++) {
        const struct range *range = &plan->lens[i];

        if (i < len ? range->max >= priority
            : i > len && range->min <= priority) {
            return false;
        }
    }
    return true;
}

static bool
lpm_insert(struct of_tplan *plan_, struct of_entry *e)
{
    struct lpm_plan *plan = lpm_plan_cast(plan_);
    int priority = vm_ventry_priority(e->vt);
    struct rest r;
    int len;

    vm_ventry_key(plan->up.map, e->vt, r.key, r.mask);
    len = take_prefix(&r, plan->addr_off);
    if (!len && is_empty(&r)) {
        widen(&plan->all, priority);
        return in_order(plan, -1, priority);
    }
    if (!plan->bound) {
        plan->bound = true;
        plan->rest = r;
        vm_vlpm_bind(plan->up.map, r.mask, r.key, plan->addr_off);
    }
    if (len < 0 || memcmp(&r, &plan->rest, sizeof r)
        || !in_order(plan, len, priority)
        || vm_vlpm_insert(plan->up.map, e->vt, len)) {
        return false;
    }
    widen(&plan->lens[len], priority);
    return true;
}

static bool
lpm_remove(struct of_tplan *plan_, struct of_entry *e)
{
    struct lpm_plan *plan = lpm_plan_cast(plan_);
    struct rest r;
    int len;

    vm_ventry_key(plan->up.map, e->vt, r.key, r.mask);
    len = take_prefix(&r, plan->addr_off);
    return ((!len && is_empty(&r))
            || !vm_vlpm_delete(plan->up.map, e->vt, len));
}

/* The trie's levels; with a rule that is not visible, the general map's
 * tuples, too. */
static size_t
lpm_n_probes(const struct of_tplan *plan)
{
    return 4 + vm_vtuples_n_tuples(plan->table->map);
}

const struct of_tplan_ops of_tplan_lpm = {
    .name = "lpm",
    .can_take = lpm_can_take,
    .create = lpm_create,
    .destroy = lpm_destroy,
    .insert = lpm_insert,
    .remove = lpm_remove,
    .n_probes = lpm_n_probes,
};
