/* SPDX-License-Identifier: Apache-2.0 */

/* The command ofproto/trace BRIDGE FLOW [PACKET]: what the tables of BRIDGE
 * do with a packet that would arrive as FLOW says (ovs-fields(7)'s syntax;
 * in_port is an OpenFlow port), explained by the slow path.  Nothing happens:
 * no counter moves, nothing is learned or sent. */

#include <stdlib.h>
#include "dp-packet.h"
#include "flow.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "ofproto/slowpath.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-port.h"
#include "packets.h"
#include "unixctl.h"
#include "util.h"

/* The packet of 'hex', or one made to fit 'flow', whose packet fields it then
 * determines. */
static char *
make_packet(const char *hex, struct flow *flow, struct dp_packet **packetp)
{
    if (hex) {
        struct flow metadata = *flow;
        const char *error = eth_from_hex(hex, packetp);

        if (error) {
            return xstrdup(error);
        }
        flow_extract(*packetp, flow);
        flow->in_port = metadata.in_port;
        flow->metadata = metadata.metadata;
        memcpy(flow->regs, metadata.regs, sizeof flow->regs);
    } else {
        *packetp = dp_packet_new(0);
        flow_compose(*packetp, flow, NULL, 64);
    }
    return NULL;
}

static char *
trace(struct of_bridge *bridge, const char *flow_s, const char *hex,
      struct ds *ds)
{
    struct ofputil_port_map map = OFPUTIL_PORT_MAP_INITIALIZER(&map);
    struct dp_packet *packet = NULL;
    struct of_slow_out *out;
    struct ofport *port;
    struct flow flow;
    enum ofperr ofperr;
    char *error;

    HMAP_FOR_EACH (port, hmap_node, &bridge->dpif.up.ports) {
        ofputil_port_map_put(&map, port->ofp_port,
                             netdev_get_name(port->netdev));
    }
    error = parse_ofp_exact_flow(&flow, NULL,
                                 ofproto_get_tun_tab(&bridge->dpif.up),
                                 flow_s, &map);
    if (!error) {
        error = make_packet(hex, &flow, &packet);
    }
    if (error) {
        goto exit;
    }

    ds_put_cstr(ds, "Flow: ");
    flow_format(ds, &flow, &map);
    ds_put_format(ds, "\n\nbridge(\"%s\")\n", bridge->dpif.up.name);

    struct of_slow_in in = {
        .bridge = bridge,
        .version = of_bridge_version(bridge),
        .packet = packet,
        .flow = &flow,
        .received = true,
        .trace = ds,
    };
    ofperr = of_slow_translate(&in, &out);
    if (ofperr) {
        error = xasprintf("cannot be translated (%s)",
                          ofperr_get_name(ofperr));
        goto exit;
    }
    ds_put_cstr(ds, "\nEffects:\n");
    of_slow_format(out, ds);
    of_slow_revert(out);

exit:
    dp_packet_delete(packet);
    ofputil_port_map_destroy(&map);
    return error;
}

static void
trace_cmd(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    struct of_bridge *bridge = of_bridge_lookup(argv[1]);
    struct ds ds = DS_EMPTY_INITIALIZER;
    char *error;

    if (!bridge) {
        unixctl_command_reply_error(conn, "no such bridge");
        return;
    }
    error = trace(bridge, argv[2], argc > 3 ? argv[3] : NULL, &ds);
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        unixctl_command_reply(conn, ds_cstr(&ds));
    }
    ds_destroy(&ds);
}

void
of_trace_init(void)
{
    unixctl_command_register("ofproto/trace", "bridge flow [packet]", 2, 3,
                             trace_cmd, NULL);
}
