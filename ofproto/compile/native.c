/* SPDX-License-Identifier: Apache-2.0 */

/* Actions that call a function (ofproto/native.h), and those of queues. */

#include "ofproto/compile/actions.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "flow.h"
#include "openflow/openflow.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/compile/fields.h"
#include "ofproto/native.h"

/* The field that 'a' writes, or null. */
static const struct mf_field *
written_field(const struct ofpact *a)
{
    switch ((int) a->type) {
    case OFPACT_STACK_POP:
        return ofpact_get_STACK_POP(a)->subfield.field;
    case OFPACT_MULTIPATH:
        return ofpact_get_MULTIPATH(a)->dst.field;
    case OFPACT_BUNDLE:
        return ofpact_get_BUNDLE(a)->dst.field;
    case OFPACT_CHECK_PKT_LARGER:
        return ofpact_get_CHECK_PKT_LARGER(a)->dst.field;
    case OFPACT_LEARN:
        return (ofpact_get_LEARN(a)->flags & NX_LEARN_F_WRITE_RESULT
                ? ofpact_get_LEARN(a)->result_dst.field : NULL);
    default:
        return NULL;
    }
}

static enum ofperr
check_learn(const struct ofpact_learn *learn)
{
    const struct ofpact_learn_spec *spec;
    enum ofperr error = 0;

    OFPACT_LEARN_SPEC_FOR_EACH (spec, learn) {
        if (!error && spec->src_type == NX_LEARN_SRC_FIELD) {
            error = of_check_readable(spec->src.field);
        }
        if (!error && spec->dst_type == NX_LEARN_DST_LOAD) {
            error = of_check_writable(spec->dst.field);
        } else if (!error && spec->dst_type == NX_LEARN_DST_MATCH) {
            error = of_check_readable(spec->dst.field);
        }
    }
    return error;
}

static enum ofperr
native_check(const struct ofpact *a)
{
    const struct mf_field *mf = written_field(a);
    enum ofperr error = mf ? of_check_writable(mf) : 0;

    if (!error && a->type == OFPACT_STACK_PUSH) {
        error = of_check_readable(ofpact_get_STACK_PUSH(a)->subfield.field);
    } else if (!error && a->type == OFPACT_LEARN) {
        error = check_learn(ofpact_get_LEARN(a));
    }
    return error;
}

static void
native_plan(struct of_plan *p, const struct ofpact *a)
{
    size_t size = OF_NATIVE_BLOCK_SIZE(a);
    const struct mf_field *mf = written_field(a);
    struct of_native_block *block = xzalloc(size);

    block->dirty = mf ? of_field_get(mf)->dirty : 0;
    block->number = p->number;
    memcpy(&block->ofpact, a, a->len);
    of_plan_need(p, OF_PARSE_L4);
    of_plan_u16(p, size / 8);
    of_plan_param(p, block, size);
    free(block);
}

static void
native_emit(struct of_gen *g, const struct ofpact *a)
{
    size_t size = OF_NATIVE_BLOCK_SIZE(a);
    vm_label_t ok = vm_label(&g->e);

    vm_emit_movi(&g->e, VM_R2, a->type);
    vm_emit_mov(&g->e, VM_R3, VM_R7);
    vm_emit_alui(&g->e, VM_ADD, VM_R3, of_gen_param(g, size));
    vm_emit_movi(&g->e, VM_R4, size);
    of_gen_call(g, DP_HELPER_NATIVE);
    vm_emit_jcci(&g->e, VM_JEQ, VM_R0, 0, ok);
    if (g->in_set) {
        of_gen_call(g, DP_HELPER_ASET_STOP);
    }
    of_gen_end(g);
    vm_bind(&g->e, ok);
}

const struct of_action_ops of_act_native = {
    .check = native_check, .plan = native_plan, .emit = native_emit
};

/* check_pkt_larger: as in OVS the rest of the list, and the action set, run
 * on a copy that has the bit; what follows the list does not see it. */

static void
check_pkt_larger_plan(struct of_plan *p, const struct ofpact *a)
{
    /* Packets are not alike. */
    of_plan_need(p, OF_PARSE_L2);
    native_plan(p, a);
}

static void
check_pkt_larger_emit(struct of_gen *g, const struct ofpact *a)
{
    vm_label_t ok = vm_label(&g->e);

    vm_emit_movi(&g->e, VM_R2, DP_SLOT_END);
    of_gen_call(g, DP_HELPER_CLONE);
    vm_emit_jcci(&g->e, VM_JEQ, VM_R0, 0, ok);
    of_gen_end(g);
    vm_bind(&g->e, ok);
    native_emit(g, a);
}

const struct of_action_ops of_act_check_pkt_larger = {
    .check = native_check, .plan = check_pkt_larger_plan,
    .emit = check_pkt_larger_emit
};

/* Queues: the number is the packet's priority. */

static void
set_queue_plan(struct of_plan *p, const struct ofpact *a)
{
    uint32_t queue = ofpact_get_SET_QUEUE(a)->queue_id;

    of_plan_param(p, &queue, sizeof queue);
}

static void
set_queue_emit(struct of_gen *g, const struct ofpact *a)
{
    vm_emit_ld(&g->e, 4, VM_R0, VM_R7, of_gen_param(g, 4));
    vm_emit_st(&g->e, 4, VM_R6, OF_KEY_OFF(skb_priority), VM_R0);
    of_emit_wide(&g->e, OF_KEY_OFF(skb_priority));
}

const struct of_action_ops of_act_set_queue = {
    .plan = set_queue_plan, .emit = set_queue_emit
};

static void
pop_queue_plan(struct of_plan *p, const struct ofpact *a)
{
}

static void
pop_queue_emit(struct of_gen *g, const struct ofpact *a)
{
    /* No port receives with a priority. */
    vm_emit_sti(&g->e, 4, VM_R6, OF_KEY_OFF(skb_priority), 0);
    of_emit_wide(&g->e, OF_KEY_OFF(skb_priority));
}

const struct of_action_ops of_act_pop_queue = {
    .plan = pop_queue_plan, .emit = pop_queue_emit
};

static void
enqueue_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_enqueue *enqueue = ofpact_get_ENQUEUE(a);
    uint32_t port = ofp_to_u16(enqueue->port);

    of_plan_param(p, &port, sizeof port);
    of_plan_param(p, &enqueue->queue, sizeof enqueue->queue);
}

static void
enqueue_emit(struct of_gen *g, const struct ofpact *a)
{
    int port = of_gen_param(g, 4);
    int queue = of_gen_param(g, 4);
    struct vm_emit *e = &g->e;

    vm_emit_ld(e, 4, VM_R8, VM_R6, OF_KEY_OFF(skb_priority));
    vm_emit_ld(e, 4, VM_R0, VM_R7, queue);
    vm_emit_st(e, 4, VM_R6, OF_KEY_OFF(skb_priority), VM_R0);
    of_emit_wide(e, OF_KEY_OFF(skb_priority));
    vm_emit_ld(e, 4, VM_R2, VM_R7, port);
    vm_emit_movi(e, VM_R3, 0);
    of_gen_call(g, DP_HELPER_OUTPUT);
    vm_emit_st(e, 4, VM_R6, OF_KEY_OFF(skb_priority), VM_R8);
    of_emit_wide(e, OF_KEY_OFF(skb_priority));
}

const struct of_action_ops of_act_enqueue = {
    .plan = enqueue_plan, .emit = enqueue_emit
};
