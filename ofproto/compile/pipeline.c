/* SPDX-License-Identifier: Apache-2.0 */

/* Pipelines: the slot pages of bridges, and how deep PARSE goes.
 *
 * Programs that are the same for all bridges (PARSE of each level, END, a
 * table without rules) are made once, by of_compile_init(): nothing that is
 * done for a rule can fail for want of them. */

#include "ofproto/compile/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include "flow.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/lookup.h"
#include "ofproto/compile/match.h"
#include "ofproto/compile/parse.h"
#include "ofproto/compile/plan.h"
#include "ofproto/compile/shape.h"
#include "vm/map.h"
#include "vm/prog.h"

VLOG_DEFINE_THIS_MODULE(of_pipeline);

struct ovs_list of_pipelines = OVS_LIST_INITIALIZER(&of_pipelines);
struct dp *of_compile_dp;

static struct vm_prog *parsers[OF_N_PARSE_LEVELS][FLOW_MAX_VLAN_HEADERS + 1];
static struct vm_prog *empty_tables[OF_MAX_TABLES];
static struct vm_prog *end;
static int vlan_limit;          /* That the pipelines' parsers have. */

/* The process. */

static void
make_parsers(void)
{
    for (int level = 0; level < OF_N_PARSE_LEVELS; level++) {
        for (int limit = 0; limit <= FLOW_MAX_VLAN_HEADERS; limit++) {
            struct vm_err err;

            if (of_parse_make(level, limit, &parsers[level][limit], &err)) {
                VLOG_FATAL("cannot load PARSE: %s", err.text);
            }
        }
    }
}

static void
follow_vlan_limit(void)
{
    vlan_limit = MIN(MAX(flow_vlan_limit, 0), FLOW_MAX_VLAN_HEADERS);
}

void
of_compile_init(struct dp *dp)
{
    of_compile_dp = dp;
    of_fields_init();
    of_match_init();
    follow_vlan_limit();
    make_parsers();
    for (int i = 0; i < OF_MAX_TABLES; i++) {
        if (of_empty_table_make(i, &empty_tables[i])) {
            VLOG_FATAL("cannot load the program of an empty table");
        }
    }
    if (of_end_make(&end)) {
        VLOG_FATAL("cannot load END");
    }
    of_plans_init();
    of_show_init();
}

void
of_compile_destroy(void)
{
    for (int level = 0; level < OF_N_PARSE_LEVELS; level++) {
        for (int limit = 0; limit <= FLOW_MAX_VLAN_HEADERS; limit++) {
            vm_prog_unref(parsers[level][limit]);
            parsers[level][limit] = NULL;
        }
    }
    for (int i = 0; i < OF_MAX_TABLES; i++) {
        vm_prog_unref(empty_tables[i]);
        empty_tables[i] = NULL;
    }
    vm_prog_unref(end);
    end = NULL;
}

struct vm_prog *
of_empty_table_prog(uint8_t table_id)
{
    return empty_tables[table_id];
}

/* PARSE. */

/* Puts the right PARSE into the slot.  A worker that meets a version meets
 * the slots as they were when it was published, or newer ones, so that rules
 * never see a key that was parsed less deep than they need. */
static void
update_parse_locked(struct of_pipeline *p)
{
    enum of_parse_level level = OF_N_PARSE_LEVELS - 1;

    while (level > p->min_parse && !p->n_need[level]) {
        level--;
    }
    if (p->parse != parsers[level][vlan_limit]) {
        p->parse = parsers[level][vlan_limit];
        p->parse_level = level;
        dp_bridge_set_blind(p->dpb, parsers[OF_PARSE_NONE][vlan_limit]);
        dp_bridge_set_slot(p->dpb, DP_SLOT_PARSE, p->parse);
    }
}

void
of_compile_run(void)
{
    int old = vlan_limit;

    follow_vlan_limit();
    if (vlan_limit != old) {
        struct of_pipeline *p;

        ovs_mutex_lock(&of_compile_mutex);
        LIST_FOR_EACH (p, node, &of_pipelines) {
            update_parse_locked(p);
        }
        ovs_mutex_unlock(&of_compile_mutex);
    }
    of_plan_run();
}

void
of_compile_wait(void)
{
    of_plan_wait();
}

void
of_pipeline_published(struct of_pipeline *p, uint64_t version)
{
    p->version = version;
    of_plan_published(p);
}

void
of_pipeline_need(struct of_pipeline *p, enum of_parse_level level)
{
    ovs_mutex_lock(&of_compile_mutex);
    if (!p->n_need[level]++) {
        update_parse_locked(p);
    }
    ovs_mutex_unlock(&of_compile_mutex);
}

void
of_pipeline_unneed(struct of_pipeline *p, enum of_parse_level level)
{
    ovs_mutex_lock(&of_compile_mutex);
    if (!--p->n_need[level]) {
        update_parse_locked(p);
    }
    ovs_mutex_unlock(&of_compile_mutex);
}

void
of_pipeline_set_min_parse(struct of_pipeline *p, enum of_parse_level level)
{
    ovs_mutex_lock(&of_compile_mutex);
    p->min_parse = level;
    update_parse_locked(p);
    ovs_mutex_unlock(&of_compile_mutex);
}

/* Slots. */

void
of_pipelines_set_slot_locked(uint32_t slot, struct vm_prog *prog)
{
    struct of_pipeline *p;

    LIST_FOR_EACH (p, node, &of_pipelines) {
        dp_bridge_set_slot(p->dpb, slot, prog);
    }
}

static void
set_slot(uint32_t slot, struct vm_prog *prog, void *slots)
{
    dp_slots_set(slots, slot, prog);
}

/* Bridges. */

int
of_pipeline_create(struct dp_bridge *dpb, struct of_pipeline **pp)
{
    struct of_pipeline *p = xzalloc(sizeof *p);
    struct vm_slots *slots = dp_slots_create();

    if (!slots) {
        free(p);
        return -ENOMEM;
    }
    p->dpb = dpb;
    dp_slots_set(slots, DP_SLOT_END, end);
    for (int i = 0; i < OF_MAX_TABLES; i++) {
        dp_slots_set(slots, DP_SLOT_TABLE + i, empty_tables[i]);
    }

    ovs_mutex_lock(&of_compile_mutex);
    of_shapes_for_each_locked(set_slot, slots);
    p->parse = parsers[OF_PARSE_NONE][vlan_limit];
    p->parse_level = OF_PARSE_NONE;
    dp_slots_set(slots, DP_SLOT_PARSE, p->parse);
    dp_bridge_set_blind(dpb, p->parse);
    dp_bridge_set_slots(dpb, slots);
    ovs_list_push_back(&of_pipelines, &p->node);
    ovs_mutex_unlock(&of_compile_mutex);
    *pp = p;
    return 0;
}

void
of_pipeline_destroy(struct of_pipeline *p)
{
    if (p) {
        ovs_mutex_lock(&of_compile_mutex);
        ovs_list_remove(&p->node);
        ovs_mutex_unlock(&of_compile_mutex);
        for (int i = 0; i < OF_MAX_TABLES; i++) {
            of_table_destroy(p->tables[i]);
        }
        free(p);
    }
}

bool
of_pipeline_table_info(const struct of_pipeline *p, uint8_t table_id,
                       struct of_table_info *info)
{
    const struct of_table *t = (table_id < OF_MAX_TABLES ? p->tables[table_id]
                                : NULL);
    const struct of_tplan *plan = t ? t->plan : NULL;

    if (!t) {
        return false;
    }
    *info = (struct of_table_info) {
        .plan = plan ? plan->ops->name : "tuples",
        .n_entries = t->n_entries,
        .map_entries = vm_map_count(t->map),
        .map_bytes = vm_map_memory(t->map),
    };
    if (plan && plan->map != t->map) {
        info->map_entries += vm_map_count(plan->map);
        info->map_bytes += vm_map_memory(plan->map);
    }
    return true;
}
