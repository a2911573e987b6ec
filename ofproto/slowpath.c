/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/slowpath.h"

#include <inttypes.h>
#include "ofproto/connmgr.h"
#include "dp-packet.h"
#include "ofproto/in-band.h"
#include "odp-execute.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "uuid.h"
#include "ofproto/of.h"
#include "ofproto/slowpath-private.h"

VLOG_DEFINE_THIS_MODULE(of_slowpath);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

/* Translation. */

static void
ctx_init(struct slow_ctx *ctx, const struct of_slow_in *in,
         struct of_slow_out *out)
{
    struct flow parsed;

    memset(ctx, 0, sizeof *ctx);
    ctx->in = in;
    ctx->trace = in->trace;
    ctx->bridge = in->bridge;
    ctx->out = out;
    ctx->flow = *in->flow;
    ctx->flow.actset_output = OFPP_UNSET;
    ctx->base = ctx->flow;
    ctx->orig_skb_priority = ctx->flow.skb_priority;
    ctx->cookie = OVS_BE64_MAX;
    ctx->size = dp_packet_size(in->packet);

    /* Header offsets must be those of the bytes. */
    ctx->packet = dp_packet_clone(in->packet);
    pkt_metadata_from_flow(&ctx->packet->md, &ctx->flow);
    flow_extract(ctx->packet, &parsed);

    ofpbuf_init(&ctx->stack, 0);
    ofpbuf_put(&ctx->stack, in->stack, in->stack_size);
    ofpbuf_init(&ctx->action_set, 0);
    of_freeze_init(&ctx->freeze);
    slow_write_actions(ctx, in->action_set, in->action_set_len);
}

static void
ctx_uninit(struct slow_ctx *ctx)
{
    ofpbuf_uninit(&ctx->stack);
    ofpbuf_uninit(&ctx->action_set);
    ofpbuf_delete(ctx->encap_data);
    of_freeze_uninit(&ctx->freeze);
    dp_packet_delete(ctx->packet);
}

static bool
may_receive(const struct slow_ctx *ctx)
{
    const struct of_port *port = of_port_get(ctx->bridge,
                                             ctx->flow.in_port.ofp_port);

    return !(port && port->up.pp.config & (is_stp(&ctx->flow)
                                           ? OFPUTIL_PC_NO_RECV_STP
                                           : OFPUTIL_PC_NO_RECV));
}

static bool
outputs_to(const struct of_slow_out *out, ofp_port_t port)
{
    const struct of_slow_effect *e;

    LIST_FOR_EACH (e, node, &out->effects) {
        if (e->kind == OF_SLOW_OUTPUT && e->output.port == port) {
            return true;
        }
    }
    return false;
}

/* The host that speaks to its controller through this bridge must get its
 * address, whatever the flows say. */
static void
output_in_band(struct slow_ctx *ctx)
{
    if (connmgr_has_in_band(ctx->bridge->dpif.up.connmgr)
        && in_band_must_output_to_local_port(&ctx->flow)
        && !outputs_to(ctx->out, OFPP_LOCAL)) {
        slow_output_port(ctx, OFPP_LOCAL, 0);
    }
}

static void
run(struct slow_ctx *ctx)
{
    if (!may_receive(ctx)) {
        ctx->drop = DP_DROP_NO_RECV;
        return;
    }
    if (ctx->in->ofpacts) {
        slow_actions(ctx, ctx->in->ofpacts, ctx->in->ofpacts_len);
    } else {
        slow_first_table(ctx);
    }
    if (ctx->error == DP_DROP_NONE) {
        if (!ctx->pause) {
            slow_action_set(ctx);
        }
        slow_finish_pause(ctx);
        output_in_band(ctx);
    }
}

/* Decides on the drop reason. */
static void
finish(struct slow_ctx *ctx)
{
    struct of_slow_out *out = ctx->out;

    if (ctx->error != DP_DROP_NONE) {
        slow_effects_cancel(out);
        if (!out->n_outputs && !out->n_packet_ins) {
            out->drop = ctx->error;
        }
    } else if (!out->n_outputs && !out->n_packet_ins) {
        out->drop = ctx->drop != DP_DROP_NONE ? ctx->drop : DP_DROP_ACTION;
    }
    out->drop_table = ctx->table_id;
    out->drop_cookie = ctx->cookie;
    if (ctx->error == DP_DROP_NONE && !ctx->in->ofpacts
        && (out->drop == DP_DROP_ACTION || out->drop == DP_DROP_TABLE_MISS)) {
        out->drop_table = ctx->last_table;
        out->drop_cookie = ctx->last_cookie;
    }
    out->flow = ctx->flow;
}

enum ofperr
of_slow_translate(const struct of_slow_in *in, struct of_slow_out **outp)
{
    struct of_slow_out *out;
    struct slow_ctx ctx;
    enum ofperr error;

    *outp = NULL;
    error = of_slow_check(in->ofpacts, in->ofpacts_len);
    if (error) {
        return error;
    }
    odp_execute_init();

    out = xzalloc(sizeof *out);
    out->bridge = in->bridge;
    ovs_list_init(&out->effects);
    ctx_init(&ctx, in, out);
    run(&ctx);
    finish(&ctx);
    ctx_uninit(&ctx);
    *outp = out;
    return 0;
}

void
of_slow_execute(struct of_slow_out *out)
{
    ovs_mutex_lock(&ofproto_mutex);
    if (of_slow_start_learning(out, of_bridge_version(out->bridge))) {
        VLOG_WARN_RL(&rl, "learned flow of a resumed packet is not added");
    }
    slow_effects_account(out);
    ovs_mutex_unlock(&ofproto_mutex);
    slow_effects_send(out);
    of_slow_revert(out);
}

void
of_slow_revert(struct of_slow_out *out)
{
    if (out) {
        slow_effects_free(out);
        free(out);
    }
}

/* struct ofproto_class. */

enum ofperr
of_packet_xlate(struct ofproto *ofproto, struct ofproto_packet_out *opo)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    const struct of_slow_in in = {
        .bridge = of_bridge_cast(ofproto),
        .version = opo->version,
        .packet = opo->packet,
        .flow = opo->flow,
        /* Never null: a packet-out without actions drops. */
        .ofpacts = opo->ofpacts ? opo->ofpacts : &(struct ofpact) { 0 },
        .ofpacts_len = opo->ofpacts_len,
        .in_packet_out = true,
    };
    struct of_slow_out *out;
    enum ofperr error;

    opo->aux = NULL;
    error = of_slow_translate(&in, &out);
    if (error) {
        return error;
    }
    if (out->drop == DP_DROP_RESUBMIT_DEPTH || out->drop == DP_DROP_RESUBMITS
        || out->drop == DP_DROP_FRAMES) {
        of_slow_revert(out);
        return OFPERR_OFPFMFC_UNKNOWN;
    }
    error = of_slow_start_learning(out, opo->version);
    if (error) {
        of_slow_revert_learning(out);
        of_slow_revert(out);
        return error;
    }
    opo->aux = out;
    return 0;
}

void
of_packet_xlate_revert(struct ofproto *ofproto OVS_UNUSED,
                       struct ofproto_packet_out *opo)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    if (opo->aux) {
        of_slow_revert_learning(opo->aux);
        of_slow_revert(opo->aux);
        opo->aux = NULL;
    }
}

void
of_packet_execute_prepare(struct ofproto *ofproto OVS_UNUSED,
                          struct ofproto_packet_out *opo)
{
    slow_effects_account(opo->aux);
}

void
of_packet_execute(struct ofproto *ofproto OVS_UNUSED,
                  struct ofproto_packet_out *opo)
{
    struct of_slow_out *out = opo->aux;

    if (out) {
        slow_effects_send(out);
        of_slow_revert(out);
        opo->aux = NULL;
    }
}

enum ofperr
of_nxt_resume(struct ofproto *ofproto,
              const struct ofputil_packet_in_private *pin)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);
    struct of_slow_out *out;
    struct dp_packet packet;
    struct flow flow;
    enum ofperr error;

    if (!uuid_equals(&pin->bridge, &bridge->dpif.uuid)) {
        return OFPERR_NXR_STALE;
    }
    dp_packet_use_const(&packet, pin->base.packet, pin->base.packet_len);
    pkt_metadata_from_flow(&packet.md, &pin->base.flow_metadata.flow);
    flow_extract(&packet, &flow);
    flow.metadata = pin->base.flow_metadata.flow.metadata;
    memcpy(flow.regs, pin->base.flow_metadata.flow.regs, sizeof flow.regs);
    flow.in_port = pin->base.flow_metadata.flow.in_port;

    const struct of_slow_in in = {
        .bridge = bridge,
        .version = of_bridge_version(bridge),
        .packet = &packet,
        .flow = &flow,
        .ofpacts = pin->actions ? pin->actions : &(struct ofpact) { 0 },
        .ofpacts_len = pin->actions_len,
        .action_set = pin->action_set,
        .action_set_len = pin->action_set_len,
        .stack = pin->stack,
        .stack_size = pin->stack_size,
    };

    error = of_slow_translate(&in, &out);
    if (!error) {
        of_slow_execute(out);
    }
    return error;
}
