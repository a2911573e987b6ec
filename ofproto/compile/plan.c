/* SPDX-License-Identifier: Apache-2.0 */

/* Plans of tables: when they are made, chosen, replaced and given up. */

#include "ofproto/compile/plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "ofproto/ofproto-provider.h"
#include "datapath/dp.h"
#include "ofproto/compile/lookup.h"
#include "ofproto/compile/pipeline.h"
#include "ofproto/compile/shape.h"
#include "vm/map.h"
#include "vm/prog.h"

VLOG_DEFINE_THIS_MODULE(of_plan);

static const struct of_tplan_ops *const kinds[] = {
#define OF_TABLE_PLAN(ID, WHAT) &of_tplan_##ID,
#include "ofproto/compile/plans.def"
#undef OF_TABLE_PLAN
};

/* Knobs. */
static int quiet_ms = 100;
static const struct of_tplan_ops *forced;       /* Null: the best. */
static enum of_split { SPLIT_AUTO, SPLIT_NEVER, SPLIT_ALWAYS } split_mode;

/* Bytes beyond which a lookup waits for memory. */
static size_t near_cache;

/* Tables that have changed since they got their plan.  Guarded by
 * of_compile_mutex; what is in it changes with ofproto_mutex only. */
static struct ovs_list unsettled = OVS_LIST_INITIALIZER(&unsettled);

enum {
    SLICE_MS = 2,               /* Longest time that a build takes at once. */
    SLICE = 256,                /* Rules between looks at the clock. */
    FLOW_BYTES = 128            /* About what a lookup reads of a rule beside
                                 * the map: block and counters. */
};

void
of_tplan_init(struct of_tplan *plan, const struct of_tplan_ops *ops,
              struct of_table *t, struct vm_map *map)
{
    static uint32_t next_id = 1;

    memset(plan, 0, sizeof *plan);
    plan->ops = ops;
    plan->table = t;
    plan->map = map ? map : t->map;
    plan->id = next_id++;
}

static void
tplan_destroy(struct of_tplan *plan)
{
    if (plan) {
        vm_prog_unref(plan->prog);
        if (plan->map != plan->table->map) {
            vm_map_unref(plan->map);
        }
        plan->ops->destroy(plan);
    }
}

/* What stands in the table's slot. */

void
of_table_publish_prog(struct of_table *t)
{
    struct vm_prog *prog = (t->n_conj ? t->conj_prog
                            : t->plan ? t->plan->prog : t->prog);

    if (t->in_slot != prog) {
        t->in_slot = prog;
        dp_bridge_set_slot(t->pipeline->dpb, DP_SLOT_TABLE + t->id, prog);
    }
}

static void
set_plan(struct of_table *t, struct of_tplan *plan)
{
    struct of_tplan *old = t->plan;

    t->plan = plan;
    of_table_publish_prog(t);
    tplan_destroy(old);
}

static void
stop_building(struct of_table *t)
{
    tplan_destroy(t->building);
    t->building = NULL;
}

/* Changes. */

static void
unsettle(struct of_table *t)
{
    t->changed_ms = time_msec();
    t->tried = 0;
    if (!t->unsettled) {
        t->unsettled = true;
        ovs_mutex_lock(&of_compile_mutex);
        ovs_list_push_back(&unsettled, &t->node);
        ovs_mutex_unlock(&of_compile_mutex);
    }
}

static void
settled(struct of_table *t)
{
    ovs_mutex_lock(&of_compile_mutex);
    ovs_list_remove(&t->node);
    ovs_mutex_unlock(&of_compile_mutex);
    t->unsettled = false;
}

static void
give_up(struct of_table *t)
{
    VLOG_DBG("table %d: a change breaks plan %s", t->id, t->plan->ops->name);
    t->n_broken++;
    set_plan(t, NULL);
}

static bool
is_built_in(const struct of_entry *e)
{
    const struct of_tplan *building = e->table->building;

    return building && e->plan_id == building->id;
}

void
of_plan_inserted(struct of_entry *e)
{
    struct of_table *t = e->table;

    e->plan_id = 0;
    ovs_list_push_back(&t->entries, &e->node);
    if (t->plan && t->plan->ops->insert
        && !t->plan->ops->insert(t->plan, e)) {
        give_up(t);
    }
    /* One that is being built will come to it, if it is not past the end. */
    if (t->building && t->cursor == &t->entries) {
        e->plan_id = t->building->id;
        if (t->building->ops->insert
            && !t->building->ops->insert(t->building, e)) {
            stop_building(t);
        }
    }
    unsettle(t);
}

/* For a change of 'e' that the operation OP handles. */
#define CHANGE(OP, ...)                                                 \
    if (t->plan && t->plan->ops->OP                                     \
        && !t->plan->ops->OP(t->plan, __VA_ARGS__)) {                   \
        give_up(t);                                                     \
    }                                                                   \
    if (is_built_in(e) && t->building->ops->OP                          \
        && !t->building->ops->OP(t->building, __VA_ARGS__)) {           \
        stop_building(t);                                               \
    }                                                                   \
    unsettle(t);

void
of_plan_hidden(struct of_entry *e, uint64_t version)
{
    struct of_table *t = e->table;

    CHANGE(hide, e, version);
}

void
of_plan_restored(struct of_entry *e)
{
    struct of_table *t = e->table;

    CHANGE(restore, e);
}

void
of_plan_removed(struct of_entry *e)
{
    struct of_table *t = e->table;

    CHANGE(remove, e);
    if (t->cursor == &e->node) {
        t->cursor = e->node.next;
    }
    ovs_list_remove(&e->node);
}

void
of_plan_forget(struct of_table *t)
{
    if (t->unsettled) {
        settled(t);
    }
    stop_building(t);
    tplan_destroy(t->plan);
    t->plan = NULL;
}

/* Making plans. */

static bool
wants_split(const struct of_tplan *plan)
{
    const struct of_table *t = plan->table;

    if (!(plan->map->ops->caps & VM_MAP_CAP_VSTEPS)
        || split_mode == SPLIT_NEVER) {
        return false;
    }
    return (split_mode == SPLIT_ALWAYS
            || vm_map_memory(plan->map) + t->n_entries * FLOW_BYTES
               > near_cache);
}

/* Makes the program of a plan that has all rules.  False: no. */
static bool
make_prog(struct of_tplan *plan, bool split)
{
    struct vm_prog *prog;

    plan->split = split;
    if (of_lookup_make(plan->table, plan, &prog)) {
        return false;
    }
    /* One that is in the slot is referenced there. */
    vm_prog_unref(plan->prog);
    plan->prog = prog;
    return true;
}

static const struct of_tplan_ops *
choose(struct of_table *t)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!(t->tried & 1u << i) && (!forced || kinds[i] == forced)
            && kinds[i]->can_take(t)) {
            t->tried |= 1u << i;
            return kinds[i];
        }
    }
    return NULL;
}

/* Goes on with the plan that is being built.  False: time is up. */
static bool
build(struct of_table *t, long long int deadline)
{
    struct of_tplan *plan = t->building;
    unsigned int n = 0;

    while (t->cursor != &t->entries) {
        struct of_entry *e = CONTAINER_OF(t->cursor, struct of_entry, node);

        if (++n % SLICE == 0 && time_msec() >= deadline) {
            return false;
        }
        t->cursor = t->cursor->next;
        e->plan_id = plan->id;
        if (plan->ops->insert && !plan->ops->insert(plan, e)) {
            stop_building(t);
            return true;
        }
    }
    while (plan->ops->finish && !plan->ops->finish(plan)) {
        if (time_msec() >= deadline) {
            return false;
        }
    }
    if (make_prog(plan, wants_split(plan))) {
        t->building = NULL;
        set_plan(t, plan);
    } else {
        stop_building(t);
    }
    return true;
}

/* The table has the plan that 't->plan' is, which is still the best one. */
static void
keep(struct of_table *t)
{
    bool split = wants_split(t->plan);

    if (split != t->plan->split && make_prog(t->plan, split)) {
        of_table_publish_prog(t);
    }
}

/* Takes steps towards the best plan.  False: time is up. */
static bool
settle(struct of_table *t, long long int deadline)
{
    for (;;) {
        const struct of_tplan_ops *ops;

        if (t->building) {
            if (!build(t, deadline)) {
                return false;
            }
            if (t->plan && t->plan->ops == kinds[t->choice]) {
                break;
            }
        }
        ops = choose(t);
        if (!ops) {
            if (t->plan && forced) {
                set_plan(t, NULL);
            }
            break;
        }
        for (t->choice = 0; kinds[t->choice] != ops; t->choice++) {
            continue;
        }
        if (t->plan && t->plan->ops == ops) {
            keep(t);
            break;
        }
        t->building = ops->create(t);
        t->cursor = t->entries.next;
    }
    settled(t);
    return true;
}

static void
init_once(void)
{
    long int size;

    if (!near_cache) {
        size = sysconf(_SC_LEVEL2_CACHE_SIZE);
        near_cache = size > 0 ? size / 2 : 512 * 1024;
    }
}

void
of_plan_run(void)
{
    long long int now = time_msec();
    struct of_table *t;

    init_once();
    ovs_mutex_lock(&ofproto_mutex);
    LIST_FOR_EACH_SAFE (t, node, &unsettled) {
        if (now - t->changed_ms >= quiet_ms
            && !settle(t, now + SLICE_MS)) {
            break;
        }
    }
    ovs_mutex_unlock(&ofproto_mutex);
}

void
of_plan_wait(void)
{
    struct of_table *t;

    ovs_mutex_lock(&ofproto_mutex);
    LIST_FOR_EACH (t, node, &unsettled) {
        poll_timer_wait_until(t->changed_ms + quiet_ms);
    }
    ovs_mutex_unlock(&ofproto_mutex);
}

void
of_plan_published(struct of_pipeline *p)
{
    struct of_table *t;

    if (quiet_ms) {
        return;
    }
    init_once();
    LIST_FOR_EACH_SAFE (t, node, &unsettled) {
        if (t->pipeline == p) {
            settle(t, LLONG_MAX);
        }
    }
}

/* Knobs. */

void
of_plan_set_quiet_ms(int ms)
{
    quiet_ms = ms;
}

void
of_plan_set_near_cache(size_t size)
{
    near_cache = size;
}

/* All tables are looked at again. */
static void
reconsider(void)
{
    struct of_pipeline *p;

    LIST_FOR_EACH (p, node, &of_pipelines) {
        for (int i = 0; i < OF_MAX_TABLES; i++) {
            if (p->tables[i]) {
                unsettle(p->tables[i]);
            }
        }
    }
}

static bool
set_forced(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (!strcmp(name, kinds[i]->name)) {
            forced = kinds[i];
            return true;
        }
    }
    if (!strcmp(name, "auto")) {
        forced = NULL;
        return true;
    }
    return false;
}

static bool
set_split(const char *name)
{
    static const char *const names[] = {
        [SPLIT_AUTO] = "auto", [SPLIT_NEVER] = "never",
        [SPLIT_ALWAYS] = "always",
    };

    for (int i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(name, names[i])) {
            split_mode = i;
            return true;
        }
    }
    return false;
}

bool
of_plan_set(const char *name, const char *split)
{
    if (!set_forced(name) || !set_split(split)) {
        return false;
    }
    ovs_mutex_lock(&ofproto_mutex);
    reconsider();
    ovs_mutex_unlock(&ofproto_mutex);
    return true;
}

static void
pipeline_plan_cmd(struct unixctl_conn *conn, int argc, const char *argv[],
                  void *aux)
{
    int ms = quiet_ms;

    if (argc > 3 && (!str_to_int(argv[3], 10, &ms) || ms < 0)) {
        unixctl_command_reply_error(conn, "expected a time in ms");
    } else if (!of_plan_set(argv[1], argc > 2 ? argv[2] : "auto")) {
        unixctl_command_reply_error(conn, "expected a plan's name or auto, "
                                    "and auto, never or always");
    } else {
        quiet_ms = ms;
        unixctl_command_reply(conn, NULL);
    }
}

void
of_plans_init(void)
{
    unixctl_command_register("pipeline/plan",
                             "{auto|PLAN} [auto|never|always [quiet-ms]]",
                             1, 3, pipeline_plan_cmd, NULL);
}
