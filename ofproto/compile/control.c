/* SPDX-License-Identifier: Apache-2.0 */

/* Actions that direct the packet's way: tables, clones, the action set, and
 * those that may end it. */

#include "ofproto/compile/actions.h"

#include <stddef.h>
#include <string.h>
#include "flow.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-actions.h"
#include "packets.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/compile/fields.h"
#include "ofproto/packet-in.h"

/* Resumes at the end of the list if r0, a helper's result, says that the
 * packet was given up. */
static void
emit_check_r0(struct of_gen *g)
{
    vm_label_t ok = vm_label(&g->e);

    vm_emit_jcci(&g->e, VM_JEQ, VM_R0, 0, ok);
    of_gen_end(g);
    vm_bind(&g->e, ok);
}

static void
no_plan(struct of_plan *p, const struct ofpact *a)
{
}

/* goto_table. */

static void
goto_table_plan(struct of_plan *p, const struct ofpact *a)
{
    of_plan_u8(p, ofpact_get_GOTO_TABLE(a)->table_id);
}

static void
goto_table_emit(struct of_gen *g, const struct ofpact *a)
{
    of_emit_goto(&g->e, DP_SLOT_TABLE + ofpact_get_GOTO_TABLE(a)->table_id);
    g->ended = true;
}

const struct of_action_ops of_act_goto_table = {
    .plan = goto_table_plan, .emit = goto_table_emit
};

/* resubmit.  At the end of a list it is a jump; otherwise the rest of the
 * list is pushed as a frame first. */

enum { TABLE_CURRENT = 255 };

static enum ofperr
resubmit_check(const struct ofpact *a)
{
    return (ofpact_get_RESUBMIT(a)->with_ct_orig
            ? OFPERR_NXBAC_CT_DATAPATH_SUPPORT : 0);
}

static void
resubmit_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_resubmit *resubmit = ofpact_get_RESUBMIT(a);
    bool override = resubmit->in_port != OFPP_IN_PORT;

    of_plan_u8(p, resubmit->table_id);
    of_plan_u8(p, override);
    if (override) {
        uint16_t port = ofp_to_u16(resubmit->in_port);

        of_plan_param(p, &port, sizeof port);
    }
}

/* 'resubmit' null: to table 0 with the packet's own input port. */
void
of_emit_resubmit(struct of_gen *g, const struct ofpact_resubmit *resubmit)
{
    uint8_t table_id = resubmit ? resubmit->table_id : 0;
    bool override = resubmit && resubmit->in_port != OFPP_IN_PORT;
    int param = override ? of_gen_param(g, 2) : 0;
    struct vm_emit *e = &g->e;
    uint32_t rest = 0;

    if (!g->last) {
        rest = of_gen_new_slot(g);
        vm_emit_movi(e, VM_R2, rest | (uint32_t) g->number << 16);
        of_gen_call(g, DP_HELPER_FRAME);
        emit_check_r0(g);
    }
    if (override) {
        vm_emit_ld(e, 2, VM_R2, VM_R7, param);
    } else {
        vm_emit_ld(e, 4, VM_R2, VM_R6, OF_KEY_OFF(in_port));
    }
    if (table_id == TABLE_CURRENT) {
        vm_emit_ld(e, 1, VM_R8, VM_R6, offsetof(struct dp_ctx, table_id));
        vm_emit_mov(e, VM_R3, VM_R8);
    } else {
        vm_emit_movi(e, VM_R3, table_id);
    }
    of_gen_call(g, DP_HELPER_RESUBMIT);
    emit_check_r0(g);
    if (table_id == TABLE_CURRENT) {
        vm_emit_mov(e, VM_R2, VM_R8);
        vm_emit_alui(e, VM_ADD, VM_R2, DP_SLOT_TABLE);
        of_emit_goto_r2(e);
    } else {
        of_emit_goto(e, DP_SLOT_TABLE + table_id);
    }
    g->ended = true;
    if (!g->last) {
        of_gen_next_segment(g, rest);
    }
}

static void
resubmit_emit(struct of_gen *g, const struct ofpact *a)
{
    of_emit_resubmit(g, ofpact_get_RESUBMIT(a));
}

const struct of_action_ops of_act_resubmit = {
    .check = resubmit_check, .plan = resubmit_plan, .emit = resubmit_emit
};

/* group.  Which buckets run is decided at run time, and the group may change
 * while the rule stays; its number is a parameter.  Neither is it known
 * here how deep buckets and the choice between them look. */

static void
group_plan(struct of_plan *p, const struct ofpact *a)
{
    uint32_t group_id = ofpact_get_GROUP(a)->group_id;

    of_plan_need(p, OF_N_PARSE_LEVELS - 1);
    of_plan_param(p, &group_id, sizeof group_id);
}

static void
group_emit(struct of_gen *g, const struct ofpact *a)
{
    int param = of_gen_param(g, 4);
    bool last = g->last;
    uint32_t rest = last ? DP_SLOT_END : of_gen_new_slot(g);

    vm_emit_ld(&g->e, 4, VM_R2, VM_R7, param);
    vm_emit_movi(&g->e, VM_R3, rest);
    of_gen_call(g, DP_HELPER_GROUP);
    vm_emit_mov(&g->e, VM_R2, VM_R0);
    of_emit_goto_r2(&g->e);
    g->ended = true;
    if (!last) {
        of_gen_next_segment(g, rest);
    }
}

const struct of_action_ops of_act_group = {
    .plan = group_plan, .emit = group_emit
};

/* meter.  libofproto writes the provider's number into a rule's actions after
 * it was constructed. */

static void
meter_plan(struct of_plan *p, const struct ofpact *a)
{
    uint32_t meter = ofpact_get_METER(a)->provider_meter_id;

    p->late = true;
    of_plan_need(p, OF_PARSE_L3);
    of_plan_param(p, &meter, sizeof meter);
}

static void
meter_emit(struct of_gen *g, const struct ofpact *a)
{
    vm_emit_ld(&g->e, 4, VM_R2, VM_R7, of_gen_param(g, 4));
    of_gen_call(g, DP_HELPER_METER);
    emit_check_r0(g);
}

const struct of_action_ops of_act_meter = {
    .plan = meter_plan, .emit = meter_emit
};

/* clone: the nested list runs with all that it may change saved; END
 * restores it and goes on with the rest. */

static void
clone_emit(struct of_gen *g, const struct ofpact *a)
{
    const struct ofpact_nest *nest = ofpact_get_CLONE(a);
    bool last = g->last;
    uint32_t rest = last ? DP_SLOT_END : of_gen_new_slot(g);

    vm_emit_movi(&g->e, VM_R2, rest);
    of_gen_call(g, DP_HELPER_CLONE);
    emit_check_r0(g);
    of_gen_nested(g, nest->actions, ofpact_nest_get_action_len(nest), true);
    g->last = last;
    if (!last) {
        of_gen_next_segment(g, rest);
    }
}

const struct of_action_ops of_act_clone = {
    .plan = no_plan, .emit = clone_emit
};

/* exit. */

static void
exit_emit(struct of_gen *g, const struct ofpact *a)
{
    of_gen_call(g, DP_HELPER_EXIT);
    of_gen_end(g);
    g->ended = true;
}

const struct of_action_ops of_act_exit = {
    .plan = no_plan, .emit = exit_emit
};

static void
note_emit(struct of_gen *g, const struct ofpact *a)
{
}

const struct of_action_ops of_act_note = {
    .plan = no_plan, .emit = note_emit
};

/* dec_ttl.  Where there is nothing left to decrement the list ends, and in
 * the action set all of the set; controllers hear of it. */

/* The helper tells controller 0, the usual one. */
static bool
only_controller_0(const struct ofpact_cnt_ids *ids)
{
    return ids->n_controllers == 1 && ids->cnt_ids[0] == 0;
}

static void
dec_ttl_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_cnt_ids *ids = ofpact_get_DEC_TTL(a);

    of_plan_need(p, OF_PARSE_L4);
    of_plan_u16(p, only_controller_0(ids) ? UINT16_MAX : ids->n_controllers);
    if (!only_controller_0(ids)) {
        for (unsigned int i = 0; i < ids->n_controllers; i++) {
            const struct of_controller_block block = {
                .max_len = UINT16_MAX,
                .controller_id = ids->cnt_ids[i],
                .reason = OFPR_INVALID_TTL,
                .meter = DP_METER_NONE,
            };

            of_plan_controller(p, &block, NULL);
        }
    }
}

static void
dec_ttl_emit(struct of_gen *g, const struct ofpact *a)
{
    const struct ofpact_cnt_ids *ids = ofpact_get_DEC_TTL(a);
    struct vm_emit *e = &g->e;
    vm_label_t done = vm_label(e);
    vm_label_t used_up = vm_label(e);

    of_emit_prereqs(e, MFP_IP_ANY, done);
    vm_emit_ld(e, 1, VM_R1, VM_R6, OF_KEY_OFF(nw_ttl));
    vm_emit_jcci(e, VM_JLE, VM_R1, 1, used_up);
    vm_emit_alui(e, VM_SUB, VM_R1, 1);
    vm_emit_st(e, 1, VM_R6, OF_KEY_OFF(nw_ttl), VM_R1);
    of_emit_dirty(e, DP_DIRTY_IPV4 | DP_DIRTY_IPV6);
    vm_emit_goto(e, done);

    vm_bind(e, used_up);
    if (only_controller_0(ids)) {
        of_gen_call(g, DP_HELPER_DEC_TTL);
    } else {
        vm_emit_movi(e, VM_R2, DP_DROP_TTL);
        of_gen_call(g, DP_HELPER_DROP);
        for (unsigned int i = 0; i < ids->n_controllers; i++) {
            of_emit_controller(g, 0);
        }
    }
    if (g->in_set) {
        of_gen_call(g, DP_HELPER_ASET_STOP);
    }
    of_gen_end(g);
    vm_bind(e, done);
}

const struct of_action_ops of_act_dec_ttl = {
    .plan = dec_ttl_plan, .emit = dec_ttl_emit
};

/* The action set: each written action is a program of its own, which the
 * set remembers together with the flow that wrote it.  The set_field and
 * move actions of one write_actions share one, in their order. */

static void
emit_aset_write(struct of_gen *g, enum dp_aset_kind kind, uint32_t slot)
{
    vm_emit_movi(&g->e, VM_R2, kind);
    vm_emit_movi(&g->e, VM_R3, slot);
    of_gen_call(g, DP_HELPER_ASET_WRITE);
    emit_check_r0(g);
}

static void
write_actions_emit(struct of_gen *g, const struct ofpact *a)
{
    const struct ofpact_nest *nest = ofpact_get_WRITE_ACTIONS(a);
    size_t len = ofpact_nest_get_action_len(nest);
    const struct ofpact **sets, *b;
    size_t n_sets = 0;

    /* The sets come first: of_plan_list() took the parameters so. */
    sets = xmalloc(MAX(len / sizeof *b, 1) * sizeof *sets);
    OFPACT_FOR_EACH (b, nest->actions, len) {
        if (of_action_aset_kind(b) == DP_ASET_SET) {
            sets[n_sets++] = b;
        }
    }
    if (n_sets) {
        uint32_t slot = of_gen_set_program(g, sets, n_sets);

        emit_aset_write(g, DP_ASET_SET, slot);
    }
    free(sets);

    OFPACT_FOR_EACH (b, nest->actions, len) {
        int kind = of_action_aset_kind(b);

        if (kind < 0 || kind == DP_ASET_SET) {
            continue;
        }
        if (b->type == OFPACT_OUTPUT) {
            /* Its first parameter: see output_plan(). */
            vm_emit_ld(&g->e, 2, VM_R0, VM_R7,
                       ROUND_UP(g->params_used, 2));
            vm_emit_st(&g->e, 2, VM_R6, OF_KEY_OFF(actset_output), VM_R0);
            of_emit_wide(&g->e, OF_KEY_OFF(actset_output));
        }
        emit_aset_write(g, kind, of_gen_set_program(g, &b, 1));
    }
}

const struct of_action_ops of_act_write_actions = {
    .plan = no_plan, .emit = write_actions_emit
};

static void
clear_actions_emit(struct of_gen *g, const struct ofpact *a)
{
    of_gen_call(g, DP_HELPER_ASET_CLEAR);
    of_emit_wide(&g->e, OF_KEY_OFF(actset_output));
    vm_emit_sti(&g->e, 2, VM_R6, OF_KEY_OFF(actset_output),
                ofp_to_u16(OFPP_UNSET));
}

const struct of_action_ops of_act_clear_actions = {
    .plan = no_plan, .emit = clear_actions_emit
};
