/* SPDX-License-Identifier: Apache-2.0 */

/* Where packets leave the slow path: ports, reserved ports, controllers. */

#include <config.h>
#include "ofproto/slowpath-private.h"

#include <inttypes.h>
#include "ofproto/connmgr.h"
#include "dp-packet.h"
#include "netdev.h"
#include "odp-execute.h"
#include "odp-util.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"
#include "ofproto/bonding.h"
#include "ofproto/l2-private.h"
#include "ofproto/mcast.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"

void
slow_commit(struct slow_ctx *ctx)
{
    uint64_t stub[512 / 8];
    struct ofpbuf actions = OFPBUF_STUB_INITIALIZER(stub);
    struct flow_wildcards wc;
    struct flow flow = ctx->flow;

    dp_flow_leave_cut(&flow, &ctx->base, ctx->packet);
    /* Whole headers are written: which bits have changed is not known. */
    memset(&wc, 0xff, sizeof wc);
    commit_odp_actions(&flow, &ctx->base, &actions, &wc, true,
                       ctx->encap, ctx->decap, ctx->encap_data);
    ctx->encap = ctx->decap = false;
    ofpbuf_delete(ctx->encap_data);
    ctx->encap_data = NULL;
    if (actions.size) {
        struct dp_packet_batch batch;

        dp_packet_batch_init_packet(&batch, ctx->packet);
        odp_execute_actions(NULL, &batch, false, actions.data, actions.size,
                            NULL);
        if (dp_packet_batch_is_empty(&batch)) {
            ctx->packet = dp_packet_new(ETH_HEADER_LEN);
            ctx->gone = true;
        }
    }
    ofpbuf_uninit(&actions);
}

/* Ports. */

static void
no_output(struct slow_ctx *ctx, enum dp_drop_reason reason)
{
    ctx->drop = reason;
}

void
slow_output_port(struct slow_ctx *ctx, ofp_port_t ofp_port, uint32_t max_len)
{
    const struct of_port *port = of_port_get(ctx->bridge, ofp_port);
    /* What is cut off is decided before the commit. */
    uint32_t size = dp_packet_size(ctx->packet);
    uint32_t cut = max_len ? size - MIN(size, MAX(max_len, ETH_HEADER_LEN))
                           : 0;
    struct of_slow_effect *e;

    if (!port || !port->dpp) {
        slow_trace_warning(ctx, "Nonexistent output port");
        no_output(ctx, DP_DROP_NO_PORT);
        return;
    }
    if (port->up.pp.config & OFPUTIL_PC_NO_FWD) {
        slow_trace(ctx, "OFPPC_NO_FWD set, skipping output");
        no_output(ctx, DP_DROP_NO_FWD);
        return;
    }
    if (ctx->flow.packet_type != htonl(PT_ETH) && !port->is_layer3) {
        slow_trace_warning(ctx, "Trying to send non-Ethernet packet through "
                           "legacy L2 port. Dropping packet.");
        no_output(ctx, DP_DROP_PACKET_TYPE);
        return;
    }

    slow_commit(ctx);
    if (ctx->gone) {
        no_output(ctx, DP_DROP_PACKET_TYPE);
        return;
    }
    e = slow_effect_add(ctx->out, OF_SLOW_OUTPUT);
    e->output.port = ofp_port;
    e->output.packet = dp_packet_clone(ctx->packet);
    size = dp_packet_size(e->output.packet);
    dp_packet_set_size(e->output.packet, size - MIN(cut, size));
    ctx->out->n_outputs++;
}

/* To all ports but the input port; 'flood': those that take part in it. */
static void
output_all(struct slow_ctx *ctx, bool flood)
{
    const struct ofport *port;

    no_output(ctx, DP_DROP_ACTION);
    HMAP_FOR_EACH (port, hmap_node, &ctx->bridge->dpif.up.ports) {
        if (port->ofp_port != ctx->flow.in_port.ofp_port
            && !(flood && port->pp.config & OFPUTIL_PC_NO_FLOOD)) {
            slow_output_port(ctx, port->ofp_port, 0);
        }
    }
}

/* NORMAL. */

static bool
is_gratuitous_arp(const struct flow *flow)
{
    return (flow->dl_type == htons(ETH_TYPE_ARP)
            && eth_addr_is_broadcast(flow->dl_dst)
            && (flow->nw_proto == ARP_OP_REPLY
                || (flow->nw_proto == ARP_OP_REQUEST
                    && flow->nw_src == flow->nw_dst)));
}

static void
normal_learn(struct slow_ctx *ctx, const struct of_l2_packet *packet,
             const struct of_l2_input *input)
{
    struct of_slow_effect *e = slow_effect_add(ctx->out, OF_SLOW_LEARN);

    e->learn.mac = packet->dl_src;
    e->learn.vlan = input->vlan;
    e->learn.port = ctx->flow.in_port.ofp_port;
    e->learn.gratuitous_arp = packet->gratuitous_arp;
}

/* The port that 'mac' is behind, also as the packet itself has taught; or
 * OFPP_NONE. */
static ofp_port_t
normal_lookup(const struct slow_ctx *ctx, struct eth_addr mac, uint16_t vlan)
{
    const struct of_slow_effect *e;

    if (!ctx->in->in_packet_out) {
        LIST_FOR_EACH_REVERSE (e, node, &ctx->out->effects) {
            if (e->kind == OF_SLOW_LEARN && e->learn.vlan == vlan
                && eth_addr_equals(e->learn.mac, mac)) {
                return e->learn.port;
            }
        }
    }
    return of_l2_lookup(ctx->bridge->l2, mac, vlan);
}

static void
normal_output(struct slow_ctx *ctx, const struct of_l2_input *input,
              const struct of_l2_bundle *out)
{
    union flow_vlan_hdr old[FLOW_MAX_VLAN_HEADERS];
    ofp_port_t port = out->port;

    memcpy(old, ctx->flow.vlans, sizeof old);
    of_l2_output_vlans(input, out, ctx->flow.vlans);
    if (out->bond) {
        port = of_bond_choose(out->bond, &ctx->flow,
                              vlan_tci_to_vid(ctx->flow.vlans[0].tci),
                              0, 0);
    }
    if (port == OFPP_NONE) {
        no_output(ctx, DP_DROP_NORMAL_NO_MEMBER);
    } else {
        slow_output_port(ctx, port, 0);
    }
    memcpy(ctx->flow.vlans, old, sizeof old);
}

static enum dp_drop_reason
normal_flood(struct slow_ctx *ctx, const struct of_l2_conf *conf,
             const struct of_l2_input *input)
{
    enum dp_drop_reason reason = DP_DROP_NORMAL_NO_PORT;

    for (size_t i = 0; i < conf->n_bundles; i++) {
        if (of_l2_floods_to(input, &conf->bundles[i])) {
            normal_output(ctx, input, &conf->bundles[i]);
            reason = DP_DROP_NONE;
        }
    }
    return reason;
}

static enum dp_drop_reason
normal_multicast(struct slow_ctx *ctx, const struct of_l2_conf *conf,
                 const struct of_l2_input *input, const struct of_mdb *mdb)
{
    enum dp_drop_reason reason = DP_DROP_NORMAL_NO_PORT;
    const struct of_mcast_set *set;
    bool is_news;

    set = of_mcast_find(mdb, &ctx->flow, input->vlan, &is_news);
    if (is_news && input->bundle) {
        struct of_slow_effect *e;

        slow_commit(ctx);
        e = slow_effect_add(ctx->out, OF_SLOW_SNOOP);
        e->snoop.packet = dp_packet_clone(ctx->packet);
        e->snoop.vlan = input->vlan;
        e->snoop.port = ctx->flow.in_port.ofp_port;
    }
    if (!set) {
        return normal_flood(ctx, conf, input);
    }
    for (size_t i = 0; i < set->n; i++) {
        const struct of_l2_bundle *out = of_l2_conf_find(conf, set->ports[i]);

        if (out && of_l2_multicasts_to(input, out)) {
            normal_output(ctx, input, out);
            reason = DP_DROP_NONE;
        }
    }
    return reason;
}

static enum dp_drop_reason
normal(struct slow_ctx *ctx, const struct of_l2_conf *conf)
{
    const struct flow *flow = &ctx->flow;
    struct of_l2_packet packet = {
        .dl_dst = flow->dl_dst,
        .dl_src = flow->dl_src,
        .dl_type = flow->dl_type,
        .is_ethernet = flow->packet_type == htonl(PT_ETH),
        .gratuitous_arp = is_gratuitous_arp(flow),
    };
    const struct of_mdb *mdb = ovsrcu_get(struct of_mdb *,
                                          &ctx->bridge->l2->mdb);
    enum dp_drop_reason reason;
    struct of_l2_input input;
    ofp_port_t port;

    memcpy(packet.vlans, flow->vlans, sizeof packet.vlans);
    reason = of_l2_admit(conf, flow->in_port.ofp_port, &packet, &input);
    if (reason != DP_DROP_NONE) {
        return reason;
    }
    if (input.check_moved) {
        const struct of_fdb_entry *e = of_fdb_peek(ctx->bridge->l2->fdb,
                                                   packet.dl_src, input.vlan);

        if (e && of_l2_has_moved(&input, &packet, u16_to_ofp(e->port),
                                 e->locked_until > time_now())) {
            return DP_DROP_NORMAL_BOND;
        }
    }
    if (input.learn) {
        normal_learn(ctx, &packet, &input);
    }

    if (mdb && of_mcast_applies(packet.dl_dst, packet.dl_type)) {
        return normal_multicast(ctx, conf, &input, mdb);
    }
    port = normal_lookup(ctx, packet.dl_dst, input.vlan);
    if (port != OFPP_NONE) {
        const struct of_l2_bundle *out = of_l2_conf_find(conf, port);

        if (!out) {
            return DP_DROP_NORMAL_NO_PORT;
        }
        if (!of_l2_may_output(&input, out)) {
            slow_trace(ctx, "learned port is input port, dropping");
            return DP_DROP_NORMAL_SAME_PORT;
        }
        slow_trace(ctx, "forwarding to learned port");
        normal_output(ctx, &input, out);
        return DP_DROP_NONE;
    }
    slow_trace(ctx, "no learned MAC for destination, flooding");
    return normal_flood(ctx, conf, &input);
}

static void
output_normal(struct slow_ctx *ctx)
{
    struct of_l2 *l2 = ctx->bridge->l2;
    enum dp_drop_reason reason;

    of_l2_refresh(l2);
    of_mcast_refresh(l2);
    reason = normal(ctx, ovsrcu_get(struct of_l2_conf *, &l2->conf));
    if (reason != DP_DROP_NONE) {
        slow_trace_warning(ctx, "dropping: %s", dp_drop_text(reason));
        no_output(ctx, reason);
    }
}

/* Controllers. */

void
slow_controller(struct slow_ctx *ctx, enum ofp_packet_in_reason reason,
                const struct ofpact_controller *oc)
{
    struct ofproto_async_msg *am = xzalloc(sizeof *am);
    struct ofputil_packet_in *pin = &am->pin.up.base;
    struct of_slow_effect *e;

    /* What a table-miss rule sends is an explicit miss (OpenFlow 1.3, 5.4);
     * for older versions the codec turns that back. */
    if (reason == OFPR_ACTION && ctx->rule
        && rule_is_table_miss(&ctx->rule->up)) {
        reason = OFPR_EXPLICIT_MISS;
    }

    slow_commit(ctx);
    am->controller_id = oc->controller_id;
    am->oam = OAM_PACKET_IN;
    am->pin.max_len = oc->max_len;
    pin->packet_len = dp_packet_size(ctx->packet);
    pin->packet = xmemdup(dp_packet_data(ctx->packet), pin->packet_len);
    pin->reason = reason;
    pin->table_id = ctx->table_id;
    pin->cookie = ctx->cookie;
    if (oc->userdata_len) {
        pin->userdata = xmemdup(oc->userdata, oc->userdata_len);
        pin->userdata_len = oc->userdata_len;
    }
    flow_get_metadata(&ctx->flow, &pin->flow_metadata);

    e = slow_effect_add(ctx->out, OF_SLOW_PACKET_IN);
    e->packet_in = am;
    e->meter = oc->provider_meter_id;
    ctx->out->n_packet_ins++;
}

static struct ofproto_async_msg *
last_packet_in(struct slow_ctx *ctx)
{
    return CONTAINER_OF(ovs_list_back(&ctx->out->effects),
                        struct of_slow_effect, node)->packet_in;
}

void
slow_finish_pause(struct slow_ctx *ctx)
{
    const struct ofpact_controller *oc = ctx->pause;
    struct ofputil_packet_in_private *pin;
    const struct of_port *port;

    if (!oc || ctx->error != DP_DROP_NONE) {
        return;
    }
    slow_controller(ctx, oc->reason, oc);
    pin = &last_packet_in(ctx)->pin.up;
    port = of_port_get(ctx->bridge, ctx->flow.in_port.ofp_port);
    pin->bridge = ctx->bridge->dpif.uuid;
    pin->odp_port = (port ? u32_to_odp(of_vport_number(
                         ctx->bridge, netdev_get_name(port->up.netdev)))
                     : ODPP_NONE);
    pin->actions_len = ctx->freeze.actions.size;
    pin->actions = xmemdup(ctx->freeze.actions.data,
                           ctx->freeze.actions.size);
    pin->action_set_len = ctx->action_set.size;
    pin->action_set = xmemdup(ctx->action_set.data, ctx->action_set.size);
    pin->stack_size = ctx->stack.size;
    pin->stack = xmemdup(ctx->stack.data, ctx->stack.size);

    of_freeze_uninit(&ctx->freeze);
    of_freeze_init(&ctx->freeze);
    ctx->pause = NULL;
    ctx->exit = false;
}

void
slow_controller_id(struct slow_ctx *ctx, enum ofp_packet_in_reason reason,
                   uint16_t controller_id)
{
    const struct ofpact_controller oc = {
        .max_len = UINT16_MAX,
        .controller_id = controller_id,
        .provider_meter_id = DP_METER_NONE,
    };

    slow_controller(ctx, reason, &oc);
}

/* The action. */

void
slow_output(struct slow_ctx *ctx, ofp_port_t port, bool may_packet_in)
{
    const ofp_port_t in_port = ctx->flow.in_port.ofp_port;

    switch (port) {
    case OFPP_IN_PORT:
        slow_output_port(ctx, in_port, 0);
        break;

    case OFPP_TABLE: {
        const struct slow_lookup lookup = {
            .in_port = in_port,
            .may_packet_in = may_packet_in,
            .honor_table_miss = true,
        };

        slow_table(ctx, &lookup);
        break;
    }

    case OFPP_NORMAL:
        output_normal(ctx);
        break;

    case OFPP_FLOOD:
        output_all(ctx, true);
        break;

    case OFPP_ALL:
        output_all(ctx, false);
        break;

    case OFPP_CONTROLLER:
        slow_controller_id(ctx,
                           ctx->in->in_packet_out ? OFPR_PACKET_OUT
                           : ctx->in_action_set ? OFPR_ACTION_SET
                           : OFPR_ACTION, 0);
        break;

    case OFPP_NONE:
        break;

    default:
        if (port != in_port) {
            slow_output_port(ctx, port, 0);
        } else {
            slow_trace(ctx, "skipping output to input port");
            no_output(ctx, DP_DROP_IN_PORT);
        }
        break;
    }
}
