/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/compile/actions.h"

#include <errno.h>
#include <string.h>
#include "openvswitch/ofp-actions.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/compile/shape.h"

VLOG_DEFINE_THIS_MODULE(of_actions);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* Loads and stores have 16-bit offsets. */
#define MAX_PARAMS 32000

struct action_row {
    const struct of_action_ops *ops;    /* Null: refused. */
    enum ofperr error;
    int aset_kind;
};

enum { DP_ASET_NONE = -1 };

/* OFPACT_* numbers are small and dense; a switch keeps them so. */
static const struct action_row *
action_row(enum ofpact_type type)
{
    switch (type) {
#define OF_ACTION(ID, OPS, KIND)                                        \
    case OFPACT_##ID: {                                                 \
        static const struct action_row row_##ID                         \
            = { &of_act_##OPS, 0, DP_ASET_##KIND };                     \
        return &row_##ID;                                               \
    }
#define OF_REFUSED(ID, ERROR)                                           \
    case OFPACT_##ID: {                                                 \
        static const struct action_row row_##ID                         \
            = { NULL, OFPERR_##ERROR, DP_ASET_NONE };                   \
        return &row_##ID;                                               \
    }
#include "ofproto/compile/actions.def"
#undef OF_ACTION
#undef OF_REFUSED
    }
    OVS_NOT_REACHED();
}

int
of_action_aset_kind(const struct ofpact *a)
{
    return action_row(a->type)->aset_kind;
}

bool
of_action_is_noop(const struct ofpact *a)
{
    return (a->type == OFPACT_NOTE || a->type == OFPACT_CONJUNCTION
            || a->type == OFPACT_DEBUG_SLOW);
}

/* Plans. */

void
of_plan_init(struct of_plan *p)
{
    p->parse = OF_PARSE_NONE;
    p->in_set = p->late = false;
    p->number = 0;
    ofpbuf_use_stub(&p->shape, p->shape_stub, sizeof p->shape_stub);
    ofpbuf_use_stub(&p->params, p->params_stub, sizeof p->params_stub);
}

void
of_plan_uninit(struct of_plan *p)
{
    ofpbuf_uninit(&p->shape);
    ofpbuf_uninit(&p->params);
}

void
of_plan_u8(struct of_plan *p, uint8_t x)
{
    ofpbuf_put(&p->shape, &x, sizeof x);
}

void
of_plan_u16(struct of_plan *p, uint16_t x)
{
    ofpbuf_put(&p->shape, &x, sizeof x);
}

static size_t
param_align(size_t used, size_t size)
{
    return ROUND_UP(used, MIN(size, 8));
}

size_t
of_plan_param(struct of_plan *p, const void *data, size_t size)
{
    size_t offset = param_align(p->params.size, size);

    ofpbuf_put_zeros(&p->params, offset - p->params.size);
    ofpbuf_put(&p->params, data, size);
    return offset;
}

void
of_plan_need(struct of_plan *p, enum of_parse_level level)
{
    p->parse = MAX(p->parse, level);
}

/* A shape is the sequence of actions, each its number and constants; a
 * nested list ends with SHAPE_END. */
#define SHAPE_END 0xff

/* Which actions of a list are planned.  Those of a write_actions are taken in
 * two rounds, as of_gen_write_actions() compiles them. */
enum plan_which { PLAN_ALL, PLAN_SETS, PLAN_OTHERS };

static enum ofperr plan_actions(struct of_plan *, const struct ofpact *,
                                size_t len, enum plan_which);

static enum ofperr
check_action(const struct of_plan *p, const struct ofpact *a)
{
    const struct action_row *row = action_row(a->type);
    enum ofperr error = row->error;

    if (row->ops && row->ops->check) {
        error = row->ops->check(a);
    }
    if (!error && p->in_set && row->aset_kind == DP_ASET_NONE) {
        error = OFPERR_OFPBAC_BAD_TYPE;
    }
    if (error) {
        VLOG_WARN_RL(&rl, "%s action is not supported (%s)",
                     ofpact_name(a->type), ofperr_to_string(error));
    }
    return error;
}

/* The actions inside of 'a', if it has any. */
static enum ofperr
plan_nested(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_nest *nest;
    enum ofperr error;

    if (a->type == OFPACT_CLONE) {
        nest = ofpact_get_CLONE(a);
        error = plan_actions(p, nest->actions,
                             ofpact_nest_get_action_len(nest), PLAN_ALL);
    } else if (a->type == OFPACT_WRITE_ACTIONS) {
        size_t len;

        nest = ofpact_get_WRITE_ACTIONS(a);
        len = ofpact_nest_get_action_len(nest);
        p->in_set = true;
        error = plan_actions(p, nest->actions, len, PLAN_SETS);
        if (!error) {
            error = plan_actions(p, nest->actions, len, PLAN_OTHERS);
        }
        p->in_set = false;
    } else {
        return 0;
    }
    of_plan_u8(p, SHAPE_END);
    return error;
}

static enum ofperr
plan_actions(struct of_plan *p, const struct ofpact *ofpacts, size_t len,
             enum plan_which which)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        bool is_set = of_action_aset_kind(a) == DP_ASET_SET;
        enum ofperr error;

        if (of_action_is_noop(a)
            || (which == PLAN_SETS && !is_set)
            || (which == PLAN_OTHERS && is_set)) {
            continue;
        }
        error = check_action(p, a);
        if (error) {
            return error;
        }
        p->number += !p->in_set;
        of_plan_u8(p, a->type);
        action_row(a->type)->ops->plan(p, a);
        error = plan_nested(p, a);
        if (error) {
            return error;
        }
        if (p->params.size > MAX_PARAMS) {
            VLOG_WARN_RL(&rl, "list of actions is too long");
            return OFPERR_OFPBAC_TOO_MANY;
        }
        if (a->type == OFPACT_EXIT) {
            break;
        }
    }
    return 0;
}

enum ofperr
of_plan_list(struct of_plan *p, const struct ofpact *ofpacts, size_t len,
             enum of_code_kind kind)
{
    enum ofperr error;

    of_plan_u8(p, kind);
    error = plan_actions(p, ofpacts, len, PLAN_ALL);
    if (!error) {
        ofpbuf_put_zeros(&p->params,
                         ROUND_UP(MAX(p->params.size, 8), 8)
                         - p->params.size);
    }
    return error;
}

/* Generator. */

void
of_emit_goto_r2(struct vm_emit *e)
{
    vm_emit_mov(e, VM_R1, VM_R6);
    vm_emit_call(e, VM_HELPER_GOTO);
    vm_emit_movi(e, VM_R0, 0);
    vm_emit_exit(e);
}

void
of_emit_goto(struct vm_emit *e, uint32_t slot)
{
    vm_emit_movi(e, VM_R2, slot);
    of_emit_goto_r2(e);
}

void
of_gen_call(struct of_gen *g, uint32_t helper)
{
    vm_emit_mov(&g->e, VM_R1, VM_R6);
    vm_emit_call(&g->e, helper);
}

void
of_gen_end(struct of_gen *g)
{
    of_emit_goto(&g->e, DP_SLOT_END);
}

void
of_gen_next(struct of_gen *g)
{
    vm_label_t finished = vm_label(&g->e);

    vm_emit_jcci(&g->e, VM_JEQ, VM_R0, 0, finished);
    vm_emit_mov(&g->e, VM_R2, VM_R0);
    of_emit_goto_r2(&g->e);
    vm_bind(&g->e, finished);
    vm_emit_exit(&g->e);
    g->ended = true;
}

int
of_gen_param(struct of_gen *g, size_t size)
{
    size_t offset = param_align(g->params_used, size);

    g->params_used = offset + size;
    return offset;
}

uint32_t
of_gen_new_slot(struct of_gen *g)
{
    uint32_t slot = of_segments_new_slot(g->segments);

    if (!slot && !g->error) {
        g->error = -ENOSPC;
    }
    return slot;
}

/* Begins a program: r6 and r7.  HIT has the packet counted for the flow. */
static void
begin_segment(struct of_gen *g, uint32_t slot, uint32_t helper)
{
    vm_label_t found;

    g->slot = slot;
    g->ended = false;
    vm_emit_init(&g->e);
    found = vm_label(&g->e);
    vm_emit_mov(&g->e, VM_R6, VM_R1);
    vm_emit_movi(&g->e, VM_R2, g->params_size);
    vm_emit_call(&g->e, helper);
    vm_emit_mov(&g->e, VM_R7, VM_R0);
    vm_emit_jcci(&g->e, VM_JNE, VM_R0, 0, found);
    of_gen_end(g);
    vm_bind(&g->e, found);
}

static void
finish_segment(struct of_gen *g)
{
    if (!g->ended) {
        of_gen_end(g);
    }
    if (!g->error) {
        g->error = of_segments_add(g->segments, g->slot, &g->e);
    }
    vm_emit_uninit(&g->e);
}

void
of_gen_next_segment(struct of_gen *g, uint32_t slot)
{
    finish_segment(g);
    begin_segment(g, slot, DP_HELPER_PARAMS);
}

void
of_gen_nested(struct of_gen *g, const struct ofpact *ofpacts, size_t len,
              bool tail)
{
    const struct ofpact *a, *last = NULL;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        last = of_action_is_noop(a) ? last : a;
    }
    OFPACT_FOR_EACH (a, ofpacts, len) {
        if (g->error || of_action_is_noop(a)) {
            continue;
        }
        g->last = tail && a == last;
        g->number++;
        vm_emit_note(&g->e, "%s", ofpact_name(a->type));
        action_row(a->type)->ops->emit(g, a);
        if (a->type == OFPACT_EXIT) {
            break;
        }
    }
}

uint32_t
of_gen_set_program(struct of_gen *g, const struct ofpact *const *actions,
                   size_t n)
{
    uint32_t slot = of_gen_new_slot(g);
    struct vm_emit outer = g->e;
    uint32_t outer_slot = g->slot;

    begin_segment(g, slot, DP_HELPER_PARAMS);
    g->in_set = true;
    for (size_t i = 0; i < n && !g->error; i++) {
        g->last = i == n - 1;
        vm_emit_note(&g->e, "action set: %s", ofpact_name(actions[i]->type));
        action_row(actions[i]->type)->ops->emit(g, actions[i]);
    }
    finish_segment(g);
    g->in_set = false;
    g->e = outer;
    g->slot = outer_slot;
    g->ended = false;
    return slot;
}

/* The only action that does something, or null if there are more, or none. */
static const struct ofpact *
only_action(const struct ofpact *ofpacts, size_t len)
{
    const struct ofpact *a, *only = NULL;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        if (!of_action_is_noop(a)) {
            if (only) {
                return NULL;
            }
            only = a;
        }
    }
    return only;
}

/* All that most rules do: one helper does it. */
static void
gen_hit_output(struct of_gen *g, uint32_t slot)
{
    g->slot = slot;
    vm_emit_init(&g->e);
    vm_emit_note(&g->e, "output");
    vm_emit_mov(&g->e, VM_R6, VM_R1);
    of_gen_call(g, DP_HELPER_HIT_OUTPUT);
    of_gen_next(g);
    finish_segment(g);
}

int
of_gen_list(struct of_segments *segments, const struct ofpact *ofpacts,
            size_t len, size_t params_size, enum of_code_kind kind)
{
    struct of_gen g = { .segments = segments, .params_size = params_size };
    const struct ofpact *only = only_action(ofpacts, len);
    uint32_t slot = of_gen_new_slot(&g);

    if (!slot) {
        return g.error;
    }
    if (kind == OF_CODE_RULE && only && of_action_is_plain_output(only)) {
        gen_hit_output(&g, slot);
        return g.error;
    }
    begin_segment(&g, slot, (kind == OF_CODE_RULE
                             ? DP_HELPER_HIT : DP_HELPER_PARAMS));
    of_gen_nested(&g, ofpacts, len, true);
    finish_segment(&g);
    return g.error;
}
