/* SPDX-License-Identifier: Apache-2.0 */

/* Actions that output: to ports, reserved ports, controllers. */

#include "ofproto/compile/actions.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "flow.h"
#include "openflow/openflow.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-port.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/compile/fields.h"
#include "ofproto/packet-in.h"

/* Packet-ins. */

static size_t
block_size(uint16_t userdata_len)
{
    return ROUND_UP(sizeof(struct of_controller_block) + userdata_len, 8);
}

void
of_plan_controller(struct of_plan *p, const struct of_controller_block *block,
                   const void *userdata)
{
    size_t size = block_size(block->userdata_len);
    uint64_t *copy = xzalloc(size);

    memcpy(copy, block, sizeof *block);
    if (block->userdata_len) {
        memcpy((uint8_t *) copy + sizeof *block, userdata,
               block->userdata_len);
    }
    of_plan_u16(p, size / 8);
    of_plan_param(p, copy, size);
    free(copy);
}

void
of_emit_controller(struct of_gen *g, uint16_t userdata_len)
{
    size_t size = block_size(userdata_len);

    vm_emit_mov(&g->e, VM_R2, VM_R7);
    vm_emit_alui(&g->e, VM_ADD, VM_R2, of_gen_param(g, size));
    vm_emit_movi(&g->e, VM_R3, size);
    of_gen_call(g, DP_HELPER_CONTROLLER);
}

static void
controller_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_controller *c = ofpact_get_CONTROLLER(a);
    const struct of_controller_block block = {
        .max_len = c->max_len,
        .controller_id = c->controller_id,
        .reason = c->reason,
        .userdata_len = c->userdata_len,
        .meter = c->provider_meter_id,
    };

    p->late |= c->meter_id != NX_CTLR_NO_METER; /* As for meter. */
    of_plan_u8(p, c->pause);
    if (c->pause) {
        of_act_native.plan(p, a);
    } else {
        of_plan_controller(p, &block, c->userdata);
    }
}

static void
controller_emit(struct of_gen *g, const struct ofpact *a)
{
    if (ofpact_get_CONTROLLER(a)->pause) {
        of_act_native.emit(g, a);
    } else {
        of_emit_controller(g, ofpact_get_CONTROLLER(a)->userdata_len);
    }
}

const struct of_action_ops of_act_controller = {
    .plan = controller_plan, .emit = controller_emit
};

/* output.  The kinds of port whose code differs; the first takes the port
 * from the parameters. */
enum port_kind {
    PORT_PHYSICAL,              /* OFPP_LOCAL and OFPP_IN_PORT too. */
    PORT_TABLE,
    PORT_NORMAL,
    PORT_FLOOD,
    PORT_ALL,
    PORT_CONTROLLER,
    PORT_NONE
};

static enum port_kind
port_kind(ofp_port_t port)
{
    switch (ofp_to_u16(port)) {
    case OFPP_TABLE: return PORT_TABLE;
    case OFPP_NORMAL: return PORT_NORMAL;
    case OFPP_FLOOD: return PORT_FLOOD;
    case OFPP_ALL: return PORT_ALL;
    case OFPP_CONTROLLER: return PORT_CONTROLLER;
    case OFPP_NONE: return PORT_NONE;
    default: return PORT_PHYSICAL;
    }
}

bool
of_action_is_plain_output(const struct ofpact *a)
{
    return (a->type == OFPACT_OUTPUT
            && port_kind(ofpact_get_OUTPUT(a)->port) == PORT_PHYSICAL);
}

static void
output_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_output *output = ofpact_get_OUTPUT(a);
    enum port_kind kind = port_kind(output->port);
    uint16_t port = ofp_to_u16(output->port);

    of_plan_u8(p, kind);
    if (p->in_set) {
        /* control.c: for actset_output. */
        of_plan_param(p, &port, sizeof port);
    }
    if (kind == PORT_PHYSICAL && !p->in_set) {
        of_plan_param(p, &port, sizeof port);
    } else if (kind == PORT_NORMAL) {
        of_plan_need(p, OF_PARSE_L2);
    } else if (kind == PORT_CONTROLLER) {
        const struct of_controller_block block = {
            .max_len = output->max_len,
            .reason = OFPR_ACTION,
            .output = OF_CONTROLLER_OUTPUT,
            .meter = DP_METER_NONE,
        };

        of_plan_controller(p, &block, NULL);
    }
}

static void
output_emit(struct of_gen *g, const struct ofpact *a)
{
    const struct ofpact_output *output = ofpact_get_OUTPUT(a);
    enum port_kind kind = port_kind(output->port);
    struct vm_emit *e = &g->e;
    int param = 0;

    if (g->in_set || kind == PORT_PHYSICAL) {
        param = of_gen_param(g, 2);
    }
    switch (kind) {
    case PORT_PHYSICAL:
        vm_emit_ld(e, 2, VM_R2, VM_R7, param);
        if (g->last && !g->in_set) {
            of_gen_call(g, DP_HELPER_OUTPUT_LAST);
            of_gen_next(g);
        } else {
            vm_emit_movi(e, VM_R3, 0);
            of_gen_call(g, DP_HELPER_OUTPUT);
        }
        break;
    case PORT_TABLE:
        of_emit_resubmit(g, NULL);
        break;
    case PORT_NORMAL:
        of_gen_call(g, DP_HELPER_NORMAL);
        break;
    case PORT_FLOOD:
    case PORT_ALL:
        vm_emit_movi(e, VM_R2, kind == PORT_FLOOD);
        of_gen_call(g, DP_HELPER_OUTPUT_ALL);
        break;
    case PORT_CONTROLLER:
        of_emit_controller(g, 0);
        break;
    case PORT_NONE:
        break;
    }
}

const struct of_action_ops of_act_output = {
    .plan = output_plan, .emit = output_emit
};

/* output(port=...,max_len=...).  As in OVS, ports that are several, or none,
 * are ignored. */

static void
output_trunc_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_output_trunc *trunc = ofpact_get_OUTPUT_TRUNC(a);
    enum port_kind kind = port_kind(trunc->port);
    uint16_t port = ofp_to_u16(trunc->port);

    of_plan_u8(p, kind);
    if (kind == PORT_PHYSICAL) {
        of_plan_param(p, &port, sizeof port);
        of_plan_param(p, &trunc->max_len, sizeof trunc->max_len);
    }
}

static void
output_trunc_emit(struct of_gen *g, const struct ofpact *a)
{
    const struct ofpact_output_trunc *trunc = ofpact_get_OUTPUT_TRUNC(a);

    if (port_kind(trunc->port) == PORT_PHYSICAL) {
        vm_emit_ld(&g->e, 2, VM_R2, VM_R7, of_gen_param(g, 2));
        vm_emit_ld(&g->e, 4, VM_R3, VM_R7, of_gen_param(g, 4));
        of_gen_call(g, DP_HELPER_OUTPUT);
    }
}

const struct of_action_ops of_act_output_trunc = {
    .plan = output_trunc_plan, .emit = output_trunc_emit
};

/* output:REG[...].  The helper knows the reserved ports; of them only
 * OFPP_CONTROLLER looks at max_len. */

static enum ofperr
output_reg_check(const struct ofpact *a)
{
    const struct ofpact_output_reg *reg = ofpact_get_OUTPUT_REG(a);

    return (!of_field_get(reg->src.field) ? OFPERR_OFPBAC_BAD_SET_TYPE
            : reg->src.n_bits > 64 ? OFPERR_OFPBAC_BAD_SET_LEN
            : 0);
}

static void
output_reg_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_output_reg *reg = ofpact_get_OUTPUT_REG(a);

    of_plan_need(p, of_field_parse_level(of_field_get(reg->src.field)));
    of_plan_need(p, OF_PARSE_L2);       /* It may say OFPP_NORMAL. */
    of_plan_u8(p, reg->src.field->id);
    of_plan_u8(p, reg->src.ofs);
    of_plan_u8(p, reg->src.n_bits);
    of_plan_param(p, &reg->max_len, sizeof reg->max_len);
}

static void
output_reg_emit(struct of_gen *g, const struct ofpact *a)
{
    const struct ofpact_output_reg *reg = ofpact_get_OUTPUT_REG(a);
    struct vm_emit *e = &g->e;
    vm_label_t done = vm_label(e);
    vm_label_t output = vm_label(e);
    int max_len = of_gen_param(g, 2);

    of_emit_read(e, of_field_get(reg->src.field), reg->src.ofs,
                 reg->src.n_bits, VM_R8);
    vm_emit_jcci(e, VM_JGT, VM_R8, UINT16_MAX, done);
    vm_emit_movi(e, VM_R3, 0);
    vm_emit_jcci(e, VM_JNE, VM_R8, ofp_to_u16(OFPP_CONTROLLER), output);
    vm_emit_ld(e, 2, VM_R3, VM_R7, max_len);
    vm_bind(e, output);
    vm_emit_mov(e, VM_R2, VM_R8);
    of_gen_call(g, DP_HELPER_OUTPUT);
    vm_bind(e, done);
}

const struct of_action_ops of_act_output_reg = {
    .check = output_reg_check, .plan = output_reg_plan,
    .emit = output_reg_emit
};
