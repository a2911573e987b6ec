/* SPDX-License-Identifier: Apache-2.0 */

/* Tables: programs of the general plan, and the entries of rules. */

#include "ofproto/compile/pipeline.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "openvswitch/vlog.h"
#include "util.h"
#include "ofproto/ofproto-provider.h"
#include "datapath/dp.h"
#include "ofproto/compile/actions.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/load.h"
#include "ofproto/compile/match.h"
#include "ofproto/compile/shape.h"
#include "ofproto/native.h"
#include "vm/emit.h"
#include "vm/map.h"
#include "vm/maps/vtable.h"

VLOG_DEFINE_THIS_MODULE(of_table);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

#define CTX(MEMBER) offsetof(struct dp_ctx, MEMBER)

/* Programs. */

/* The packet missed: the helper counts, knows the table-miss configuration
 * and says where to go. */
static void
emit_miss(struct vm_emit *e, uint8_t table_id)
{
    vm_emit_note(e, "miss");
    vm_emit_mov(e, VM_R1, VM_R6);
    vm_emit_movi(e, VM_R2, table_id);
    vm_emit_call(e, DP_HELPER_MISS);
    vm_emit_mov(e, VM_R2, VM_R0);
    of_emit_goto_r2(e);
}

static int
load(struct vm_emit *e, const char *name, struct vm_prog **progp)
{
    struct vm_err err;
    int error = of_load(e, name, progp, &err);

    if (error) {
        VLOG_ERR_RL(&rl, "cannot load %s: %s", name, err.text);
    }
    vm_emit_uninit(e);
    return error;
}

int
of_empty_table_make(uint8_t table_id, struct vm_prog **progp)
{
    struct vm_emit e;
    char name[32];

    vm_emit_init(&e);
    vm_emit_note(&e, "table %u, no rules", table_id);
    vm_emit_mov(&e, VM_R6, VM_R1);
    emit_miss(&e, table_id);
    snprintf(name, sizeof name, "table-%u-empty", table_id);
    return load(&e, name, progp);
}

int
of_end_make(struct vm_prog **progp)
{
    struct vm_emit e;
    vm_label_t finished;

    vm_emit_init(&e);
    finished = vm_label(&e);
    vm_emit_note(&e, "what is pending: action set, frames");
    vm_emit_mov(&e, VM_R6, VM_R1);
    vm_emit_call(&e, DP_HELPER_END);
    vm_emit_jcci(&e, VM_JEQ, VM_R0, 0, finished);
    vm_emit_mov(&e, VM_R2, VM_R0);
    of_emit_goto_r2(&e);
    vm_bind(&e, finished);
    vm_emit_exit(&e);
    return load(&e, "end", progp);
}

/* Looks the packet up in libofproto's classifier. */
static void
emit_classify(struct vm_emit *e, uint8_t table_id, vm_label_t miss)
{
    vm_emit_mov(e, VM_R1, VM_R6);
    vm_emit_movi(e, VM_R2, OF_NATIVE_CLASSIFY);
    vm_emit_movi(e, VM_R3, table_id);
    vm_emit_call(e, DP_HELPER_LOOKUP);
    vm_emit_jcci(e, VM_JEQ, VM_R0, 0, miss);
    vm_emit_st(e, 8, VM_R6, CTX(hit), VM_R0);
    vm_emit_mov(e, VM_R2, VM_R0);
    vm_emit_alui(e, VM_RSH, VM_R2, 32);
    of_emit_goto_r2(e);
}

/* The general plan.  A match continues with the program that the entry's
 * value names; it restores the input port if a resubmit replaced it. */
static int
make_table_prog(uint8_t table_id, struct vm_map *map, struct vm_prog **progp)
{
    struct vm_emit e;
    vm_label_t fragment, other, found, miss;
    char name[32];

    vm_emit_init(&e);
    fragment = vm_label(&e);
    other = vm_label(&e);
    found = vm_label(&e);
    miss = vm_label(&e);

    vm_emit_note(&e, "table %u: masked tuples", table_id);
    vm_emit_mov(&e, VM_R6, VM_R1);
    vm_emit_ld(&e, 4, VM_R0, VM_R6, OF_KEY_OFF(packet_type));
    vm_emit_jcci(&e, VM_JNE, VM_R0, 0, other);
    vm_emit_ld(&e, 1, VM_R0, VM_R6, OF_KEY_OFF(nw_frag));
    vm_emit_jcci(&e, VM_JNE, VM_R0, 0, fragment);
    vm_emit_ld_map(&e, VM_R1, map);
    vm_emit_mov(&e, VM_R2, VM_R6);
    vm_emit_alui(&e, VM_ADD, VM_R2, CTX(key));
    vm_emit_ld(&e, 8, VM_R3, VM_R6, CTX(version));
    vm_emit_call(&e, VM_HELPER_VLOOKUP);

    vm_bind(&e, found);
    vm_emit_jcci(&e, VM_JEQ, VM_R0, 0, miss);
    vm_emit_note(&e, "hit: the rule's actions");
    vm_emit_ld(&e, 8, VM_R2, VM_R0, 0);
    vm_emit_st(&e, 8, VM_R6, CTX(hit), VM_R2);
    vm_emit_alui(&e, VM_RSH, VM_R2, 32);
    of_emit_goto_r2(&e);

    vm_bind(&e, fragment);
    vm_emit_note(&e, "fragment: as the switch's fragment handling says");
    vm_emit_ld_map(&e, VM_R1, map);
    vm_emit_mov(&e, VM_R2, VM_R6);
    vm_emit_call(&e, DP_HELPER_FRAG_LOOKUP);
    vm_emit_goto(&e, found);

    vm_bind(&e, other);
    vm_emit_note(&e, "no Ethernet: masks take it for granted");
    emit_classify(&e, table_id, miss);

    vm_bind(&e, miss);
    emit_miss(&e, table_id);
    snprintf(name, sizeof name, "table-%u", table_id);
    return load(&e, name, progp);
}

/* A table with conjunctive matches. */
static int
make_conj_prog(uint8_t table_id, struct vm_prog **progp)
{
    struct vm_emit e;
    vm_label_t miss;
    char name[32];

    vm_emit_init(&e);
    miss = vm_label(&e);
    vm_emit_note(&e, "table %u: classifier, for conjunctions", table_id);
    vm_emit_mov(&e, VM_R6, VM_R1);
    emit_classify(&e, table_id, miss);
    vm_bind(&e, miss);
    emit_miss(&e, table_id);
    snprintf(name, sizeof name, "table-%u-conj", table_id);
    return load(&e, name, progp);
}

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
        error = make_table_prog(table_id, t->map, &t->prog);
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
    p->tables[table_id] = *tp = t;
    dp_slots_set(dp_bridge_slots(p->dpb), DP_SLOT_TABLE + table_id, t->prog);
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
        error = make_conj_prog(t->id, &t->conj_prog);
    }
    ovs_mutex_unlock(&of_compile_mutex);
    return error;
}

/* A conjunction has come or gone. */
static void
count_conj(struct of_table *t, int n)
{
    bool had = t->n_conj > 0;

    t->n_conj += n;
    if (had != (t->n_conj > 0)) {
        dp_slots_set(dp_bridge_slots(t->pipeline->dpb),
                     DP_SLOT_TABLE + t->id,
                     t->n_conj ? t->conj_prog : t->prog);
    }
}

void
of_table_destroy(struct of_table *t)
{
    if (t) {
        ovs_assert(!t->n_entries);
        vm_prog_unref(t->conj_prog);
        vm_prog_unref(t->prog);
        vm_map_unref(t->map);
        free(t);
    }
}

/* Entries. */

static uint32_t
alloc_flow(const struct of_entry *e)
{
    const struct dp_flow_attr attr = {
        .params = e->code->params,
        .params_size = e->code->params_size,
        .counters = e->counters,
        .owner = e->rule,
        .cookie = ntohll(e->rule->flow_cookie),
        .table_id = e->rule->table_id,
    };

    return dp_flow_alloc(of_compile_dp, &attr);
}

/* What 'e->flow' was made with. */
static void
remember_flow(struct of_entry *e)
{
    e->flow_cookie = ntohll(e->rule->flow_cookie);
    e->flow_counters = e->counters;
    e->flow_table = e->rule->table_id;
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
    return DP_HIT(of_code_slot(e->code), e->flow);
}

enum ofperr
of_entry_construct(struct of_entry *e, struct of_pipeline *p,
                   struct rule *rule)
{
    const struct rule_actions *actions = rule_get_actions(rule);
    uint32_t counters = e->counters;
    enum of_parse_level parse;
    struct of_table *table;
    enum ofperr error;

    memset(e, 0, sizeof *e);
    e->pipeline = p;
    e->rule = rule;
    e->counters = counters;

    error = of_match_check(&rule->cr.match, &parse);
    if (!error) {
        error = of_code_get(actions->ofpacts, actions->ofpacts_len,
                            OF_CODE_RULE, &e->code);
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
        of_code_unref(e->code);
        return OFPERR_OFPFMFC_UNKNOWN;
    }
    e->flow = alloc_flow(e);
    if (e->flow == DP_FLOW_NONE) {
        VLOG_WARN_RL(&rl, "no room for more flows");
        of_code_unref(e->code);
        return OFPERR_OFPFMFC_TABLE_FULL;
    }
    remember_flow(e);

    e->parse = MAX(parse, e->code->parse);
    of_pipeline_need(p, e->parse);
    return 0;
}

void
of_entry_destruct(struct of_entry *e)
{
    ovs_assert(!e->inserted);
    of_pipeline_unneed(e->pipeline, e->parse);
    dp_flow_free(of_compile_dp, e->flow);
    of_code_unref(e->code);
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

    if (e->code->late) {
        of_code_renew(e->code, actions->ofpacts, actions->ofpacts_len,
                      OF_CODE_RULE);
        dp_flow_write(of_compile_dp, e->flow, e->code->params,
                      e->code->params_size);
    }

    if (e->flow_cookie != ntohll(e->rule->flow_cookie)
        || e->flow_counters != e->counters
        || e->flow_table != e->rule->table_id) {
        uint32_t flow = alloc_flow(e);

        if (flow != DP_FLOW_NONE) {
            dp_flow_free(of_compile_dp, e->flow);
            e->flow = flow;
            remember_flow(e);
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
}

void
of_table_hide(struct of_entry *e, uint64_t version)
{
    if (e->inserted) {
        vm_ventry_remove_at(e->vt, version);
    }
}

void
of_table_restore(struct of_entry *e)
{
    if (e->inserted) {
        vm_ventry_restore(e->vt);
    }
}

void
of_table_delete(struct of_entry *e)
{
    if (e->inserted) {
        vm_vtuples_delete(e->table->map, e->vt);
        if (e->conj) {
            count_conj(e->table, -1);
        }
        e->table->n_entries--;
        e->inserted = false;
        e->vt = NULL;
    }
}
