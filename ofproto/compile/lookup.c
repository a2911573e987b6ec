/* SPDX-License-Identifier: Apache-2.0 */

/* Programs that look a table up. */

#include "ofproto/compile/plan.h"

#include <stddef.h>
#include <stdio.h>
#include "openvswitch/vlog.h"
#include "datapath/abi.h"
#include "datapath/dp.h"
#include "ofproto/compile/actions.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/load.h"
#include "ofproto/compile/lookup.h"
#include "ofproto/compile/pipeline.h"
#include "ofproto/native.h"
#include "vm/map.h"

VLOG_DEFINE_THIS_MODULE(of_lookup);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

#define CTX(MEMBER) offsetof(struct dp_ctx, MEMBER)

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

/* What profiles show: bridge, table, how it looks up. */
static void
name_of(const struct of_table *t, const char *how, char *name, size_t size)
{
    snprintf(name, size, "%.32s:table%u:%s", dp_bridge_name(t->pipeline->dpb),
             t->id, how);
}

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

int
of_empty_table_make(uint8_t table_id, struct vm_prog **progp)
{
    struct vm_emit e;
    char name[32];

    vm_emit_init(&e);
    vm_emit_note(&e, "table %u, no rules", table_id);
    vm_emit_mov(&e, VM_R6, VM_R1);
    emit_miss(&e, table_id);
    snprintf(name, sizeof name, "table%u:empty", table_id);
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

int
of_conj_make(const struct of_table *t, struct vm_prog **progp)
{
    uint8_t table_id = t->id;
    struct vm_emit e;
    vm_label_t miss;
    char name[64];

    vm_emit_init(&e);
    miss = vm_label(&e);
    vm_emit_note(&e, "table %u: classifier, for conjunctions", table_id);
    vm_emit_mov(&e, VM_R6, VM_R1);
    emit_classify(&e, table_id, miss);
    vm_bind(&e, miss);
    emit_miss(&e, table_id);
    name_of(t, "conj", name, sizeof name);
    return load(&e, name, progp);
}

void
of_lookup_emit_hit(struct vm_emit *e, uint64_t hit)
{
    vm_emit_const(e, VM_R1, hit);
    vm_emit_st(e, 8, VM_R6, CTX(hit), VM_R1);
    of_emit_goto(e, DP_HIT_SLOT(hit));
}

/* r1 = map, r2 = key. */
static void
emit_map_and_key(struct vm_emit *e, struct vm_map *map)
{
    vm_emit_ld_map(e, VM_R1, map);
    vm_emit_mov(e, VM_R2, VM_R6);
    vm_emit_alui(e, VM_ADD, VM_R2, CTX(key));
}

static void
emit_yield(struct vm_emit *e)
{
    vm_emit_mov(e, VM_R1, VM_R6);
    vm_emit_call(e, VM_HELPER_YIELD);
    vm_emit_mov(e, VM_R6, VM_R1);
}

/* r0 = value or null. */
static void
emit_lookup(struct vm_emit *e, struct vm_map *map)
{
    emit_map_and_key(e, map);
    vm_emit_ld(e, 8, VM_R3, VM_R6, CTX(version));
    vm_emit_call(e, VM_HELPER_VLOOKUP);
}

/* The same in steps: what each reads has been prefetched while the other
 * packets of the burst had their turns. */
static void
emit_lookup_in_steps(struct vm_emit *e, struct vm_map *map)
{
    emit_map_and_key(e, map);
    vm_emit_call(e, VM_HELPER_VLOOKUP_START);
    vm_emit_st(e, 8, VM_R6, CTX(scratch), VM_R0);
    emit_yield(e);
    for (unsigned i = 0; i < map->ops->n_vsteps; i++) {
        emit_map_and_key(e, map);
        vm_emit_ld(e, 8, VM_R3, VM_R6, CTX(scratch));
        vm_emit_call(e, VM_HELPER_VLOOKUP_NEXT);
        vm_emit_st(e, 8, VM_R6, CTX(scratch), VM_R0);
        emit_yield(e);
    }
    emit_map_and_key(e, map);
    vm_emit_ld(e, 8, VM_R3, VM_R6, CTX(version));
    vm_emit_ld(e, 8, VM_R4, VM_R6, CTX(scratch));
    vm_emit_call(e, VM_HELPER_VLOOKUP_END);
}

/* Of a table with many rules: their blocks are far away, too. */
static void
emit_warm(struct vm_emit *e)
{
    vm_emit_mov(e, VM_R1, VM_R6);
    vm_emit_call(e, DP_HELPER_WARM);
    emit_yield(e);
}

/* The value of the entry at r0 is the rule's: goes to its actions. */
static void
emit_found(struct vm_emit *e, bool warm)
{
    vm_emit_note(e, "hit: the rule's actions");
    vm_emit_ld(e, 8, VM_R2, VM_R0, 0);
    vm_emit_st(e, 8, VM_R6, CTX(hit), VM_R2);
    if (warm) {
        emit_warm(e);
        vm_emit_ld(e, 8, VM_R2, VM_R6, CTX(hit));
    }
    vm_emit_alui(e, VM_RSH, VM_R2, 32);
    of_emit_goto_r2(e);
}

int
of_lookup_make(const struct of_table *t, const struct of_tplan *plan,
               struct vm_prog **progp)
{
    struct vm_map *map = plan ? plan->map : t->map;
    uint8_t table_id = t->id;
    bool split = plan && plan->split;
    vm_label_t fragment, other, found, miss;
    struct vm_emit e;
    char name[64];

    vm_emit_init(&e);
    fragment = vm_label(&e);
    other = vm_label(&e);
    found = vm_label(&e);
    miss = vm_label(&e);

    vm_emit_note(&e, "table %u: %s", table_id,
                 plan ? plan->ops->name : "masked tuples");
    vm_emit_mov(&e, VM_R6, VM_R1);
    vm_emit_ld(&e, 4, VM_R0, VM_R6, OF_KEY_OFF(packet_type));
    vm_emit_jcci(&e, VM_JNE, VM_R0, 0, other);
    vm_emit_ld(&e, 1, VM_R0, VM_R6, OF_KEY_OFF(nw_frag));
    vm_emit_jcci(&e, VM_JNE, VM_R0, 0, fragment);
    if (plan && plan->ops->emit) {
        plan->ops->emit(plan, &e);
    }
    if (split) {
        emit_lookup_in_steps(&e, map);
        vm_emit_jcci(&e, VM_JEQ, VM_R0, 0, miss);
        emit_found(&e, true);
    } else {
        emit_lookup(&e, map);
        vm_emit_jcci(&e, VM_JEQ, VM_R0, 0, miss);
        vm_bind(&e, found);
        emit_found(&e, false);
    }

    vm_bind(&e, fragment);
    vm_emit_note(&e, "fragment: as the switch's fragment handling says");
    vm_emit_ld_map(&e, VM_R1, t->map);
    vm_emit_mov(&e, VM_R2, VM_R6);
    vm_emit_call(&e, DP_HELPER_FRAG_LOOKUP);
    vm_emit_jcci(&e, VM_JEQ, VM_R0, 0, miss);
    if (split) {
        vm_bind(&e, found);
        emit_found(&e, false);
    } else {
        vm_emit_goto(&e, found);
    }

    vm_bind(&e, other);
    vm_emit_note(&e, "no Ethernet: masks take it for granted");
    emit_classify(&e, table_id, miss);

    vm_bind(&e, miss);
    emit_miss(&e, table_id);
    name_of(t, plan ? plan->ops->name : "general", name, sizeof name);
    return load(&e, name, progp);
}
