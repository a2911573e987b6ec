/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/trace.h"

#include <inttypes.h>
#include "dp-packet.h"
#include "flow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-port.h"
#include "packets.h"
#include "util.h"
#include "ofproto/of.h"
#include "ofproto/slowpath.h"
#include "ofproto/trace-tree.h"

static void
get_names(const struct of_bridge *bridge, bool names,
          struct ofputil_port_map *map)
{
    struct ofport *port;

    ofputil_port_map_init(map);
    if (names) {
        HMAP_FOR_EACH (port, hmap_node, &bridge->dpif.up.ports) {
            ofputil_port_map_put(map, port->ofp_port,
                                 netdev_get_name(port->netdev));
        }
    }
}

/* Where the packet goes, or why it does not. */
static void
format_verdict(const struct of_slow_out *out, struct ds *s)
{
    const struct of_slow_effect *e;
    bool first = true;

    ds_put_cstr(s, "Verdict: ");
    LIST_FOR_EACH (e, node, &out->effects) {
        if (e->kind == OF_SLOW_OUTPUT) {
            const struct of_port *port = of_port_get(out->bridge,
                                                     e->output.port);

            ds_put_format(s, "%soutput to port %"PRIu32, first ? "" : ", ",
                          e->output.port);
            if (port) {
                ds_put_format(s, " (%s)", netdev_get_name(port->up.netdev));
            }
            first = false;
        } else if (e->kind == OF_SLOW_PACKET_IN) {
            ds_put_format(s, "%spacket-in", first ? "" : ", ");
            first = false;
        }
    }
    if (first) {
        ds_put_format(s, "dropped in table %"PRIu8", %s: %s",
                      out->drop_table, dp_drop_name(out->drop),
                      dp_drop_text(out->drop));
        if (out->drop_cookie && out->drop_cookie != OVS_BE64_MAX) {
            ds_put_format(s, ", by the rule with cookie %#"PRIx64,
                          ntohll(out->drop_cookie));
        }
    }
    ds_put_char(s, '\n');
}

/* Of what a packet does, a trace with effects keeps that to the switch's own
 * state and to controllers. */
static void
execute(struct of_slow_out *out)
{
    struct of_slow_effect *e;

    LIST_FOR_EACH_SAFE (e, node, &out->effects) {
        if (e->kind != OF_SLOW_LEARN && e->kind != OF_SLOW_SNOOP
            && e->kind != OF_SLOW_LEARN_FLOW
            && e->kind != OF_SLOW_PACKET_IN
            && e->kind != OF_SLOW_FIN_TIMEOUT) {
            of_slow_effect_destroy(e);
        }
    }
    out->drop = DP_DROP_NONE;   /* Is not counted. */
    of_slow_execute(out);
}

/* Mirrors are no part of the pipeline that the slow path explains. */
static bool
is_comparable(const struct of_trace_in *in)
{
    return !in->ofpacts && !DP_CONF_GET(dp_bridge_conf(in->bridge->dpb)
                                        ->watch_outputs);
}

static char *
trace(const struct of_trace_in *t, const struct of_trace_run *run,
      struct ds *s)
{
    struct ovs_list tree = OVS_LIST_INITIALIZER(&tree);
    struct ofputil_port_map map;
    struct flow flow = *t->flow;
    struct of_slow_out *out;
    enum ofperr error;
    const struct of_slow_in in = {
        .bridge = t->bridge,
        .version = of_bridge_version(t->bridge),
        .packet = t->packet,
        .flow = &flow,
        .ofpacts = t->ofpacts,
        .ofpacts_len = t->ofpacts_len,
        .in_packet_out = t->ofpacts != NULL,
        .received = !t->ofpacts,
        .trace = of_trace_add(&tree, OF_TRACE_BRIDGE, "bridge(\"%s\")",
                              t->bridge->dpif.up.name),
    };

    flow.actset_output = OFPP_UNSET;
    error = of_slow_translate(&in, &out);
    if (error) {
        of_trace_free(&tree);
        return xasprintf("cannot be translated (%s)",
                         ofperr_get_name(error));
    }
    get_names(t->bridge, t->names, &map);
    ds_put_cstr(s, "Flow: ");
    flow_format(s, &flow, &map);
    ds_put_char(s, '\n');
    of_trace_format(&tree, s);
    of_trace_free(&tree);
    ds_put_cstr(s, "\nFinal flow: ");
    if (flow_equal(&flow, &out->flow)) {
        ds_put_cstr(s, "unchanged");
    } else {
        flow_format(s, &out->flow, &map);
    }
    ds_put_char(s, '\n');
    ofputil_port_map_destroy(&map);
    format_verdict(out, s);
    if (run) {
        struct ds differences = DS_EMPTY_INITIALIZER;

        if (!of_trace_agree(out, run, &differences)) {
            ds_put_format(s, "The programs that packets run disagree: %s",
                          ds_cstr(&differences));
        }
        ds_destroy(&differences);
    }
    if (t->effects) {
        execute(out);
    } else {
        of_slow_revert(out);
    }
    return NULL;
}

/* What a packet of that flow can be: its headers say the rest.  With it, the
 * programs can be asked. */
static bool
is_received_form(const struct flow *flow)
{
    return (!flow->metadata && !flow->pkt_mark && !flow->skb_priority
            && !flow->recirc_id && !flow->ct_state && !flow->conj_id
            && !flow->dp_hash && flow->packet_type == htonl(PT_ETH)
            && !flow_tnl_dst_is_set(&flow->tunnel)
            && is_all_zeros(flow->regs, sizeof flow->regs));
}

char *
of_trace(const struct of_trace_in *t, struct ds *s)
{
    struct of_trace_run *run = NULL;
    struct flow parsed;
    char *error;

    if (is_comparable(t) && is_received_form(t->flow)) {
        struct dp_packet *packet = dp_packet_clone(t->packet);

        /* A flow that no packet has (-consistent is not asked for) can be
         * explained only. */
        pkt_metadata_init(&packet->md, t->flow->in_port.odp_port);
        flow_extract(packet, &parsed);
        parsed.in_port = t->flow->in_port;
        parsed.actset_output = t->flow->actset_output;
        if (flow_equal(&parsed, t->flow)) {
            run = of_trace_dry_run(t->bridge, t->packet,
                                   ofp_to_u16(t->flow->in_port.ofp_port));
        }
        dp_packet_delete(packet);
    }
    error = trace(t, run, s);
    of_trace_run_free(run);
    return error;
}

char *
of_trace_explain(struct of_bridge *bridge, const struct of_trace_run *run,
                 struct ds *s)
{
    struct dp_packet *packet = dp_packet_clone(of_trace_run_packet(run));
    struct of_trace_in t = { .bridge = bridge, .packet = packet };
    struct flow flow;
    char *error;

    pkt_metadata_init(&packet->md, u32_to_odp(of_trace_run_in_port(run)));
    flow_extract(packet, &flow);
    flow.in_port.ofp_port = u16_to_ofp(of_trace_run_in_port(run));
    t.flow = &flow;
    error = trace(&t, is_comparable(&t) ? run : NULL, s);
    if (!error) {
        of_trace_run_format_cycles(run, s);
    }
    dp_packet_delete(packet);
    return error;
}
