/* SPDX-License-Identifier: Apache-2.0 */

/* Tables: their general maps, and the entries of rules. */

#include "ofproto/compile/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "openvswitch/vlog.h"
#include "util.h"
#include "ofproto/ofproto-provider.h"
#include "datapath/dp.h"
#include "ofproto/compile/lookup.h"
#include "ofproto/compile/match.h"
#include "ofproto/compile/plan.h"
#include "ofproto/compile/shape.h"
#include "vm/map.h"
#include "vm/maps/vtable.h"

VLOG_DEFINE_THIS_MODULE(of_table);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

static int
table_get_locked(struct of_pipeline *p, uint8_t table_id,
                 struct of_table **tp)
{
    char name[32];
    const struct vm_map_attr attr = {
        .kind = VM_MAP_vtuples,
        .key_size = 8 * DP_KEY_WORDS,
        .value_size = 8,
        .name = name,
    };
    struct of_table *t;
    struct vm_err err;
    int error;

    *tp = p->tables[table_id];
    if (*tp) {
        return 0;
    }
    t = xzalloc(sizeof *t);
    t->pipeline = p;
    t->id = table_id;
    snprintf(name, sizeof name, "table-%u", table_id);
    error = vm_map_create(&attr, &t->map, &err);
    if (!error) {
        error = of_lookup_make(t, NULL, &t->prog);
        if (error) {
            vm_map_unref(t->map);
        }
    } else {
        VLOG_ERR_RL(&rl, "cannot create the map of table %u: %s", table_id,
                    err.text);
    }
    if (error) {
        free(t);
        return error;
    }
    ovs_list_init(&t->entries);
    p->tables[table_id] = *tp = t;
    of_table_publish_prog(t);
    return 0;
}

int
of_table_get(struct of_pipeline *p, uint8_t table_id, struct of_table **tp)
{
    int error;

    ovs_mutex_lock(&of_compile_mutex);
    error = table_get_locked(p, table_id, tp);
    ovs_mutex_unlock(&of_compile_mutex);
    return error;
}

/* Makes what 't' needs for conjunctions. */
static int
prepare_conj(struct of_table *t)
{
    int error = 0;

    ovs_mutex_lock(&of_compile_mutex);
    if (!t->conj_prog) {
        error = of_conj_make(t, &t->conj_prog);
    }
    ovs_mutex_unlock(&of_compile_mutex);
    return error;
}

/* A conjunction has come or gone. */
static void
count_conj(struct of_table *t, int n)
{
    t->n_conj += n;
    of_table_publish_prog(t);
}

void
of_table_destroy(struct of_table *t)
{
    if (t) {
        ovs_assert(!t->n_entries);
        of_plan_forget(t);
        vm_prog_unref(t->conj_prog);
        vm_prog_unref(t->prog);
        vm_map_unref(t->map);
        free(t);
    }
}

/* Entries. */

/* What 'e->flow' is made with, but for the parameters. */
static struct dp_flow_attr
flow_attr(const struct of_entry *e)
{
    return (struct dp_flow_attr) {
        .counters = e->counters,
        .owner = e->rule,
        .cookie = ntohll(e->rule->flow_cookie),
        .table_id = e->rule->table_id,
    };
}

static uint32_t
alloc_flow(const struct of_entry *e, const struct of_code *code)
{
    struct dp_flow_attr attr = flow_attr(e);

    attr.params = code->params;
    attr.params_size = code->params_size;
    return dp_flow_alloc(of_compile_dp, &attr);
}

static bool
has_conjunction(const struct rule_actions *actions)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, actions->ofpacts, actions->ofpacts_len) {
        if (a->type == OFPACT_CONJUNCTION) {
            return true;
        }
    }
    return false;
}

uint64_t
of_entry_hit(const struct of_entry *e)
{
    return DP_HIT(of_shape_slot(e->shape), e->flow);
}

enum ofperr
of_entry_construct(struct of_entry *e, struct of_pipeline *p,
                   struct rule *rule)
{
    const struct rule_actions *actions = rule_get_actions(rule);
    uint32_t counters = e->counters;
    enum of_parse_level parse;
    struct of_table *table;
    struct of_code *code;
    enum ofperr error;

    memset(e, 0, sizeof *e);
    e->pipeline = p;
    e->rule = rule;
    e->counters = counters;

    error = of_match_check(&rule->cr.match, &parse);
    if (!error) {
        error = of_code_get(actions->ofpacts, actions->ofpacts_len,
                            OF_CODE_RULE, &code);
    }
    if (error) {
        return error;
    }
    /* The template of a flow_mod MODIFY may have table 255, any: it gets that
     * of a rule whose table exists. */
    e->conj = has_conjunction(actions);
    if (rule->table_id < OF_MAX_TABLES
        && (of_table_get(p, rule->table_id, &table)
            || (e->conj && prepare_conj(table)))) {
        of_code_unref(code);
        return OFPERR_OFPFMFC_UNKNOWN;
    }
    e->flow = alloc_flow(e, code);
    if (e->flow == DP_FLOW_NONE) {
        VLOG_WARN_RL(&rl, "no room for more flows");
        of_code_unref(code);
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    e->late = code->late;
    e->parse = MAX(parse, code->parse);
    e->shape = of_code_to_shape(code);
    of_pipeline_need(p, e->parse);
    return 0;
}

void
of_entry_destruct(struct of_entry *e)
{
    ovs_assert(!e->inserted);
    of_pipeline_unneed(e->pipeline, e->parse);
    dp_flow_free(of_compile_dp, e->flow);
    of_shape_unref(e->shape);
}

/* What libofproto has written into the rule's actions since construct.  And
 * if the rule's table, cookie or counters have been replaced since construct,
 * the flow's block is made anew.  Should there be no room (for the moment
 * between this allocation and the free) it stays as it is, which shows only
 * in drop/show and in counters of a rule that is being replaced. */
static void
refresh_flow(struct of_entry *e)
{
    const struct rule_actions *actions = rule_get_actions(e->rule);
    const struct dp_flow_attr attr = flow_attr(e);

    if (e->late) {
        of_code_renew(e->flow, actions->ofpacts, actions->ofpacts_len,
                      OF_CODE_RULE);
    }
    if (!dp_flow_is(of_compile_dp, e->flow, &attr)) {
        uint32_t flow = dp_flow_copy(of_compile_dp, e->flow, &attr);

        if (flow != DP_FLOW_NONE) {
            dp_flow_free(of_compile_dp, e->flow);
            e->flow = flow;
        }
    }
}

void
of_table_insert(struct of_entry *e, uint64_t version)
{
    struct of_match m;

    refresh_flow(e);
    of_match_make(&e->rule->cr.match, &m);
    if (m.parse > e->parse) {
        of_pipeline_need(e->pipeline, m.parse);
        of_pipeline_unneed(e->pipeline, e->parse);
        e->parse = m.parse;
    }
    /* Exists: see of_entry_construct(). */
    e->table = e->pipeline->tables[e->rule->table_id];
    if (vm_vtuples_insert(e->table->map, m.mask, m.key, e->rule->cr.priority,
                          version, of_entry_hit(e),
                          &e->vt)) {
        out_of_memory();        /* As everywhere in libopenvswitch. */
    }
    vm_ventry_set_aux(e->vt, e);
    if (e->conj) {
        count_conj(e->table, 1);
    }
    e->table->n_entries++;
    e->inserted = true;
    of_plan_inserted(e);
}

void
of_table_hide(struct of_entry *e, uint64_t version)
{
    if (e->inserted) {
        vm_ventry_remove_at(e->vt, version);
        of_plan_hidden(e, version);
    }
}

void
of_table_restore(struct of_entry *e)
{
    if (e->inserted) {
        vm_ventry_restore(e->vt);
        of_plan_restored(e);
    }
}

void
of_table_delete(struct of_entry *e)
{
    if (e->inserted) {
        of_plan_removed(e);
        vm_vtuples_delete(e->table->map, e->vt);
        if (e->conj) {
            count_conj(e->table, -1);
        }
        e->table->n_entries--;
        e->inserted = false;
        e->vt = NULL;
    }
}
