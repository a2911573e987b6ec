/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/packet-in.h"

#include <string.h>
#include "dp-packet.h"
#include "ofproto/connmgr.h"
#include "netdev.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "openvswitch/match.h"
#include "util.h"

static void *
copy(const void **p, size_t size)
{
    void *data = size ? xmemdup(*p, size) : NULL;

    *p = (const char *) *p + size;
    return data;
}

/* Only with a bridge in it a packet-in can resume. */
static void
compose_pause(struct of_bridge *bridge, const struct of_packet_in *in,
              struct ofputil_packet_in_private *pin)
{
    const struct of_port *port = of_port_get(
        bridge, in->flow->in_port.ofp_port);
    const void *data = in->pause_data;

    pin->bridge = bridge->dpif.uuid;
    pin->actions_len = in->pause->actions_len;
    pin->actions = copy(&data, pin->actions_len);
    pin->action_set_len = in->pause->action_set_len;
    pin->action_set = copy(&data, pin->action_set_len);
    pin->stack_size = in->pause->stack_size;
    pin->stack = copy(&data, pin->stack_size);
    pin->odp_port = (port ? u32_to_odp(of_vport_number(
                         bridge, netdev_get_name(port->up.netdev)))
                     : ODPP_NONE);
}

/* Copies all of it. */
static struct ofproto_async_msg *
compose(struct of_bridge *bridge, const struct of_packet_in *in)
{
    struct ofproto_async_msg *am = xmalloc(sizeof *am);
    size_t packet_len = dp_packet_size(in->packet);

    *am = (struct ofproto_async_msg) {
        .controller_id = in->controller_id,
        .oam = OAM_PACKET_IN,
        .pin = {
            .up = {
                .base = {
                    .packet = xmemdup(dp_packet_data(in->packet),
                                      packet_len),
                    .packet_len = packet_len,
                    .reason = in->reason,
                    .table_id = in->table_id,
                    .cookie = in->cookie,
                    .userdata = (in->userdata_len
                                 ? xmemdup(in->userdata, in->userdata_len)
                                 : NULL),
                    .userdata_len = in->userdata_len,
                },
            },
            .max_len = in->max_len,
        },
    };
    flow_get_metadata(in->flow, &am->pin.up.base.flow_metadata);
    if (in->pause) {
        compose_pause(bridge, in, &am->pin.up);
    }
    return am;
}

bool
of_packet_in_admit(const struct of_bridge *bridge, uint32_t meter,
                   size_t size)
{
    if (meter == DP_METER_NONE) {
        meter = bridge->dpif.up.controller_meter_id;
    }
    return meter == DP_METER_NONE || dp_meter_admit(of_dp, meter, size);
}

void
of_packet_in_send(struct of_bridge *bridge, const struct of_packet_in *in)
{
    struct ofproto_async_msg *am;

    if (!of_packet_in_admit(bridge, in->meter, dp_packet_size(in->packet))) {
        return;
    }
    am = compose(bridge, in);
    connmgr_send_async_msg(bridge->dpif.up.connmgr, am);
    ofproto_async_msg_free(am);
}

/* True if the rule that 'upcall' comes from is its table's table-miss rule,
 * priority 0 without a match. */
static bool
from_table_miss_rule(const struct of_bridge *bridge,
                     const struct dp_upcall *upcall)
{
    const struct cls_rule *cr;
    struct match match;

    match_init_catchall(&match);
    cr = classifier_find_match_exactly(
        &bridge->dpif.up.tables[upcall->table_id].cls, &match, 0,
        of_bridge_version(bridge));
    return cr && of_rule_from_cls(cr)->entry.flow == upcall->flow_id;
}

static void
controller_upcall(struct dp_upcall *upcall, void *aux OVS_UNUSED)
{
    struct of_bridge *bridge = of_bridge_of_dp(upcall->bridge);
    const struct of_controller_block *block = upcall->data;
    struct of_packet_in in = {
        .packet = upcall->packet,
        .flow = upcall->flow,
        .table_id = upcall->table_id,
        .cookie = htonll(upcall->cookie),
        .meter = DP_METER_NONE,
    };

    if (block) {
        ovs_assert(upcall->data_size >= sizeof *block + block->userdata_len);
        in.reason = block->reason;
        in.controller_id = block->controller_id;
        in.max_len = block->max_len;
        in.meter = block->meter;
        in.userdata = block->userdata;
        in.userdata_len = block->userdata_len;
        if (block->output == OF_CONTROLLER_PAUSE) {
            in.pause = (const struct of_pause *) ((const char *) block
                + ROUND_UP(sizeof *block + block->userdata_len, 8));
            in.pause_data = in.pause + 1;
        }
    } else {
        in.reason = OFPR_ACTION;
        in.max_len = upcall->arg[0] ? upcall->arg[0] : UINT16_MAX;
    }

    /* OpenFlow before 1.3 does not know explicit misses, before 1.4 no action
     * sets; connmgr writes OFPR_ACTION for those. */
    if (in.reason == OFPR_ACTION) {
        if (upcall->arg[1]
            && (!block || block->output == OF_CONTROLLER_OUTPUT)) {
            in.reason = OFPR_ACTION_SET;
        } else if (from_table_miss_rule(bridge, upcall)) {
            in.reason = OFPR_EXPLICIT_MISS;
        }
    }
    of_packet_in_send(bridge, &in);
}

static void
miss_upcall(struct dp_upcall *upcall, void *aux OVS_UNUSED)
{
    struct of_packet_in in = {
        .packet = upcall->packet,
        .flow = upcall->flow,
        .reason = OFPR_IMPLICIT_MISS,
        .table_id = upcall->table_id,
        .max_len = UINT16_MAX,
        .meter = DP_METER_NONE,
    };

    of_packet_in_send(of_bridge_of_dp(upcall->bridge), &in);
}

/* To controller 0; for others, dec_ttl gives a block (CONTROLLER). */
static void
invalid_ttl_upcall(struct dp_upcall *upcall, void *aux OVS_UNUSED)
{
    struct of_packet_in in = {
        .packet = upcall->packet,
        .flow = upcall->flow,
        .reason = OFPR_INVALID_TTL,
        .table_id = upcall->table_id,
        .cookie = htonll(upcall->cookie),
        .max_len = UINT16_MAX,
        .meter = DP_METER_NONE,
    };

    of_packet_in_send(of_bridge_of_dp(upcall->bridge), &in);
}

void
of_packet_in_init(void)
{
    dp_set_upcall_cb(of_dp, DP_UPCALL_CONTROLLER, controller_upcall, NULL);
    dp_set_upcall_cb(of_dp, DP_UPCALL_MISS, miss_upcall, NULL);
    dp_set_upcall_cb(of_dp, DP_UPCALL_INVALID_TTL, invalid_ttl_upcall, NULL);
}
