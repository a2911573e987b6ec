/* SPDX-License-Identifier: Apache-2.0 */

/* Plans: how a table is looked up.
 *
 * The general plan is always there and always right: a map of masked tuples
 * (vm/maps/vtable.h) in which every rule is kept up to date, and a program
 * that looks it up.  A better plan is derived from it: an index of its own,
 * or none, and a program.  The entries' versions are those of the map, so an
 * index never needs to know more than which rule a packet may match.
 *
 * A change of a table goes to the general map, then to the plan.  A plan that
 * cannot take it in place says so, and in the same publish the table's slot
 * gets the general program again: a worker that meets the version meets the
 * slot.  Once the table has been quiet for some time, the main thread builds
 * the best plan, some milliseconds at a time, and puts its program into the
 * slot when it is complete.
 *
 * What a plan must keep: at any version that a worker can hold while it meets
 * the plan's program, the program gives what the general one gives.  Older
 * versions than the one published when it was put there are among them.
 *
 * Threads: ofproto_mutex is held. */

#ifndef OFPROTO_COMPILE_PLAN_H
#define OFPROTO_COMPILE_PLAN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct of_entry;
struct of_pipeline;
struct of_table;
struct of_tplan;
struct vm_emit;
struct vm_map;
struct vm_prog;

struct of_tplan_ops {
    const char *name;

    /* Whether it is worth trying; looks at a few figures only. */
    bool (*can_take)(const struct of_table *);
    /* A plan without rules.  Null: not now. */
    struct of_tplan *(*create)(struct of_table *);
    void (*destroy)(struct of_tplan *);

    /* A rule has come into the general map, for building and later.  And
     * other changes; 'remove' comes before the rule leaves the general map.
     * False: the plan does not fit any more, and is destroyed.  Null:
     * whatever it is, it fits. */
    bool (*insert)(struct of_tplan *, struct of_entry *);
    bool (*hide)(struct of_tplan *, struct of_entry *, uint64_t version);
    bool (*restore)(struct of_tplan *, struct of_entry *);
    bool (*remove)(struct of_tplan *, struct of_entry *);

    /* All rules are in: takes a step, of a millisecond at most, of what is to
     * be done before the plan can be used.  True: it was the last.  Changes
     * may come between steps.  Null: nothing is to be done. */
    bool (*finish)(struct of_tplan *);

    /* Code before the lookup in 'map', with the context in r6; what it does
     * not jump from goes on there.  Null: none. */
    void (*emit)(const struct of_tplan *, struct vm_emit *);

    /* The most places that a packet's lookup looks at. */
    size_t (*n_probes)(const struct of_tplan *);
};

struct of_tplan {
    const struct of_tplan_ops *ops;
    struct of_table *table;
    struct vm_map *map;         /* To look up: the plan's own (reference) or
                                 * the table's general one. */
    struct vm_prog *prog;       /* Reference; null while it is being built. */
    bool split;                 /* The program yields within a lookup. */
    uint32_t id;                /* Unique. */
};

#define OF_TABLE_PLAN(ID, WHAT) extern const struct of_tplan_ops \
    of_tplan_##ID;
#include "ofproto/compile/plans.def"
#undef OF_TABLE_PLAN

/* Fills what all plans have.  'map' null: the table's. */
void of_tplan_init(struct of_tplan *, const struct of_tplan_ops *,
                   struct of_table *, struct vm_map *map);

/* For table.c: changes that the general map has had (of 'removed': will
 * have). */
void of_plan_inserted(struct of_entry *);
void of_plan_hidden(struct of_entry *, uint64_t version);
void of_plan_restored(struct of_entry *);
void of_plan_removed(struct of_entry *);
/* Frees what 't' has of plans. */
void of_plan_forget(struct of_table *t);

/* plan.c: of_plan_run() makes plans for tables that have been quiet for long
 * enough; of_plan_wait() wakes the main loop for it; of_plan_published() is
 * called when a version has been published.  See compile.h for the knobs. */
void of_plan_run(void);
void of_plan_wait(void);
void of_plan_published(struct of_pipeline *);

#endif /* ofproto/compile/plan.h */
