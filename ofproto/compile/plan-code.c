/* SPDX-License-Identifier: Apache-2.0 */

/* Plan "code": a few rules, compared one after the other in the program, by
 * descending priority, with masks, values and results as immediates.
 *
 * The program is that of one version.  A worker that holds an older one, and
 * a packet that matches no rule, go on to the general lookup.  Any change
 * breaks the plan but the removal of a rule that is invisible. */

#include "ofproto/compile/plan.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "util.h"
#include "ofproto/ofproto-provider.h"
#include "datapath/abi.h"
#include "datapath/dp.h"
#include "ofproto/compile/lookup.h"
#include "ofproto/compile/pipeline.h"
#include "vm/emit.h"
#include "vm/maps/vtable.h"

enum {
    MAX_RULES = 8,
    MAX_COMPARES = 24           /* In all. */
};

/* Part of a key word: 1, 2 or 4 bytes. */
struct piece {
    uint16_t off;               /* In the key. */
    uint8_t size;
    uint32_t mask, value;
};

struct code_rule {
    uint64_t hit;
    int priority;
    size_t tuple;               /* Place in the general search. */
    unsigned int n_pieces;
    struct piece pieces[MAX_COMPARES];
};

struct code_plan {
    struct of_tplan up;
    uint64_t version;           /* That the program is for, and later. */
    unsigned int n_rules, n_compares;
    struct code_rule rules[MAX_RULES];
};

static struct code_plan *
code_plan_cast(const struct of_tplan *plan)
{
    return CONTAINER_OF(plan, struct code_plan, up);
}

static bool
code_can_take(const struct of_table *t)
{
    /* Those that are on their way out count, too, but not for long. */
    return t->n_entries <= 2 * MAX_RULES;
}

static struct of_tplan *
code_create(struct of_table *t)
{
    struct code_plan *plan = xzalloc(sizeof *plan);

    of_tplan_init(&plan->up, &of_tplan_code, t, NULL);
    plan->version = t->pipeline->version;
    return &plan->up;
}

static void
code_destroy(struct of_tplan *plan)
{
    free(code_plan_cast(plan));
}

/* Adds the comparison of half a word. */
static bool
add_piece(struct code_rule *rule, unsigned int off, uint32_t mask,
          uint32_t value)
{
    static const struct { uint8_t off, size; uint32_t mask; } parts[] = {
        { 0, 1, 0xff }, { 1, 1, 0xff00 }, { 2, 1, 0xff0000 },
        { 3, 1, 0xff000000 }, { 0, 2, 0xffff }, { 2, 2, 0xffff0000 },
        { 0, 4, 0xffffffff },
    };
    size_t i = 0;

    if (rule->n_pieces >= MAX_COMPARES) {
        return false;
    }
    while (mask & ~parts[i].mask) {
        i++;
    }
    rule->pieces[rule->n_pieces++] = (struct piece) {
        .off = off + parts[i].off,
        .size = parts[i].size,
        .mask = mask >> 8 * parts[i].off,
        .value = value >> 8 * parts[i].off,
    };
    return true;
}

static bool
fill_rule(struct code_rule *rule, const struct vm_map *map,
          const struct vm_ventry *vt)
{
    uint64_t key[DP_KEY_WORDS], mask[DP_KEY_WORDS];

    vm_ventry_key(map, vt, key, mask);
    rule->n_pieces = 0;
    for (int i = 0; i < 2 * DP_KEY_WORDS; i++) {
        int shift = 32 * (i % 2);
        uint32_t half = mask[i / 2] >> shift;

        if (half && !add_piece(rule, 4 * i, half, key[i / 2] >> shift)) {
            return false;
        }
    }
    return true;
}

/* Whether the general lookup prefers 'a', whose priority may be the same. */
static bool
goes_before(const struct code_rule *a, const struct code_rule *b)
{
    return (a->priority != b->priority ? a->priority > b->priority
            : a->tuple < b->tuple);
}

static bool
code_insert(struct of_tplan *plan_, struct of_entry *e)
{
    struct code_plan *plan = code_plan_cast(plan_);
    struct code_rule rule;
    unsigned int i;

    if (plan->up.prog || vm_ventry_add_version(e->vt) > plan->version) {
        return false;
    }
    if (vm_ventry_remove_version(e->vt) <= plan->version) {
        return true;
    }
    if (vm_ventry_remove_version(e->vt) != VM_VERSION_NOT_REMOVED
        || plan->n_rules >= MAX_RULES
        || !fill_rule(&rule, plan->up.table->map, e->vt)
        || plan->n_compares + rule.n_pieces > MAX_COMPARES) {
        return false;
    }
    rule.hit = vm_ventry_value(e->vt);
    rule.priority = vm_ventry_priority(e->vt);
    rule.tuple = vm_vtuples_tuple_of(plan->up.table->map, e->vt);
    plan->n_compares += rule.n_pieces;
    for (i = plan->n_rules++; i > 0; i--) {
        if (goes_before(&plan->rules[i - 1], &rule)) {
            break;
        }
        plan->rules[i] = plan->rules[i - 1];
    }
    plan->rules[i] = rule;
    return true;
}

static bool
code_hide(struct of_tplan *plan, struct of_entry *e, uint64_t version)
{
    return false;
}

static bool
code_restore(struct of_tplan *plan, struct of_entry *e)
{
    return false;
}

static bool
code_remove(struct of_tplan *plan, struct of_entry *e)
{
    return (vm_ventry_remove_version(e->vt)
            <= code_plan_cast(plan)->version);
}

static void
emit_rule(struct vm_emit *e, const struct code_rule *rule)
{
    vm_label_t next = vm_label(e);

    vm_emit_note(e, "priority %d", rule->priority);
    for (unsigned int i = 0; i < rule->n_pieces; i++) {
        const struct piece *p = &rule->pieces[i];

        vm_emit_ld(e, p->size, VM_R0, VM_R6,
                   offsetof(struct dp_ctx, key) + p->off);
        if (p->mask != UINT32_MAX >> (32 - 8 * p->size)) {
            vm_emit_alui32(e, VM_AND, VM_R0, p->mask);
        }
        vm_emit_jcci32(e, VM_JNE, VM_R0, p->value, next);
    }
    of_lookup_emit_hit(e, rule->hit);
    vm_bind(e, next);
}

static void
code_emit(const struct of_tplan *plan_, struct vm_emit *e)
{
    const struct code_plan *plan = code_plan_cast(plan_);
    vm_label_t older = vm_label(e);

    vm_emit_ld(e, 8, VM_R0, VM_R6, offsetof(struct dp_ctx, version));
    vm_emit_const(e, VM_R1, plan->version);
    vm_emit_jcc(e, VM_JLT, VM_R0, VM_R1, older);
    for (unsigned int i = 0; i < plan->n_rules; i++) {
        emit_rule(e, &plan->rules[i]);
        if (!plan->rules[i].n_pieces) {
            break;              /* Matches everything. */
        }
    }
    vm_bind(e, older);
    vm_emit_note(e, "no rule, or a packet of an older version");
}

static size_t
code_n_probes(const struct of_tplan *plan)
{
    return code_plan_cast(plan)->n_rules;
}

const struct of_tplan_ops of_tplan_code = {
    .name = "code",
    .can_take = code_can_take,
    .create = code_create,
    .destroy = code_destroy,
    .insert = code_insert,
    .hide = code_hide,
    .restore = code_restore,
    .remove = code_remove,
    .emit = code_emit,
    .n_probes = code_n_probes,
};
