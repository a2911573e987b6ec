/* SPDX-License-Identifier: Apache-2.0 */

/* The commands ofproto/trace and ofproto/trace-packet-out, with Open vSwitch's
 * arguments:
 *
 *     [OPTIONS] {BRIDGE FLOW | [DP] ODP_FLOW} [-generate | PACKET] [ACTIONS]
 *
 * FLOW is in ovs-fields(7)'s syntax, ODP_FLOW in that of the datapath of Open
 * vSwitch, PACKET in hex. */

#include <config.h>
#include "ofproto/trace.h"

#include <stdlib.h>
#include "dp-packet.h"
#include "flow.h"
#include "odp-util.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-port.h"
#include "ofproto/of-private.h"
#include "ofproto/of.h"
#include "packets.h"
#include "simap.h"
#include "unixctl.h"
#include "util.h"

struct request {
    const char *args[3];        /* Without options. */
    int n_args;
    bool generate, consistent, names;
    uint8_t *l7;                /* Owned; null: zeros. */
    size_t l7_len;

    struct of_bridge *bridge;
    struct flow flow;
    struct dp_packet *packet;   /* Owned; null: none was given. */
};

static void
request_uninit(struct request *r)
{
    free(r->l7);
    dp_packet_delete(r->packet);
}

/* Options. */

static char *
parse_l7(struct request *r, const char *hex)
{
    struct dp_packet payload;

    dp_packet_init(&payload, 0);
    if (dp_packet_put_hex(&payload, hex, NULL)[0] != '\0') {
        dp_packet_uninit(&payload);
        return xstrdup("Trailing garbage in packet data");
    }
    free(r->l7);
    r->l7_len = dp_packet_size(&payload);
    r->l7 = dp_packet_steal_data(&payload);
    return NULL;
}

static char *
parse_l7_len(struct request *r, const char *arg)
{
    free(r->l7);
    r->l7 = NULL;
    r->l7_len = atoi(arg);
    return (r->l7_len > 64000
            ? xasprintf("%s: too much L7 data", arg) : NULL);
}

static char *
parse_options(struct request *r, int argc, const char *argv[],
              bool packet_out)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        const char *option = arg + (arg[0] == '-' && arg[1] == '-');
        bool has_value = !strcmp(arg, "--l7") || !strcmp(arg, "--l7-len")
                         || !strcmp(arg, "--ct-next");
        char *error = NULL;

        if (has_value && i + 1 >= argc) {
            return xasprintf("Missing argument for option %s", arg);
        } else if (!strcmp(arg, "--l7")) {
            error = parse_l7(r, argv[++i]);
        } else if (!strcmp(arg, "--l7-len")) {
            error = parse_l7_len(r, argv[++i]);
        } else if (!strcmp(arg, "--ct-next")) {
            i++;                /* For actions that are refused here. */
        } else if (!strcmp(option, "-generate")) {
            r->generate = true;
        } else if (!strcmp(option, "-names")) {
            r->names = true;
        } else if (packet_out && !strcmp(option, "-consistent")) {
            r->consistent = true;
        } else if (arg[0] == '-') {
            error = xasprintf("%s: unknown option", arg);
        } else if (r->n_args >= ARRAY_SIZE(r->args)) {
            error = xstrdup("too many arguments");
        } else {
            r->args[r->n_args++] = arg;
        }
        if (error) {
            return error;
        }
    }
    return NULL;
}

/* Flows. */

/* The bridge whose port the datapath's number 'odp_port' is; changes
 * '*ofp_port' from one to the other. */
static struct of_bridge *
find_input(odp_port_t odp_port, ofp_port_t *ofp_port)
{
    struct of_bridge *bridge;

    OF_BRIDGE_FOR_EACH (bridge) {
        const char *name = of_vport_name(bridge, odp_to_u32(odp_port));
        struct ofport *port;

        if (!name) {
            continue;
        }
        HMAP_FOR_EACH (port, hmap_node, &bridge->dpif.up.ports) {
            if (!strcmp(netdev_get_name(port->netdev), name)) {
                *ofp_port = port->ofp_port;
                return bridge;
            }
        }
    }
    return NULL;
}

static void
odp_names(struct simap *names)
{
    struct of_bridge *bridge;
    struct ofport *port;

    OF_BRIDGE_FOR_EACH (bridge) {
        HMAP_FOR_EACH (port, hmap_node, &bridge->dpif.up.ports) {
            const char *name = netdev_get_name(port->netdev);
            uint32_t number = of_vport_number(bridge, name);

            if (number != UINT32_MAX) {
                simap_put(names, name, number);
            }
        }
    }
}

/* Null if 'text' is a flow of Open vSwitch's datapath; '*usedp' then says
 * that r->bridge and r->flow are set. */
static char *
parse_odp_flow(struct request *r, const char *text, bool *usedp)
{
    struct simap names = SIMAP_INITIALIZER(&names);
    struct ofpbuf key, mask;
    char *error = NULL;

    ofpbuf_init(&key, 0);
    ofpbuf_init(&mask, 0);
    odp_names(&names);
    *usedp = !odp_flow_from_string(text, &names, &key, &mask, &error);
    if (*usedp) {
        free(error);
        error = NULL;
        if (odp_flow_key_to_flow(key.data, key.size, &r->flow, &error)
            != ODP_FIT_ERROR) {
            r->bridge = find_input(r->flow.in_port.odp_port,
                                   &r->flow.in_port.ofp_port);
            if (!r->bridge) {
                error = xasprintf("no OpenFlow port for datapath port %"
                                  PRIu32,
                                  odp_to_u32(r->flow.in_port.odp_port));
            }
        }
    }
    ofpbuf_uninit(&key);
    ofpbuf_uninit(&mask);
    simap_destroy(&names);
    return error;
}

static char *
parse_br_flow(struct request *r)
{
    struct ofputil_port_map map = OFPUTIL_PORT_MAP_INITIALIZER(&map);
    struct ofport *port;
    char *error, *text;

    r->bridge = of_bridge_lookup(r->args[0]);
    if (!r->bridge) {
        return xasprintf("%s: unknown bridge", r->args[0]);
    }
    HMAP_FOR_EACH (port, hmap_node, &r->bridge->dpif.up.ports) {
        ofputil_port_map_put(&map, port->ofp_port,
                             netdev_get_name(port->netdev));
    }
    error = parse_ofp_exact_flow(&r->flow, NULL,
                                 ofproto_get_tun_tab(&r->bridge->dpif.up),
                                 r->args[1], &map);
    ofputil_port_map_destroy(&map);
    if (!error) {
        return NULL;
    }
    text = xasprintf("Bad openflow flow syntax: %s", error);
    free(error);
    return text;
}

static char *
parse_flow(struct request *r)
{
    char *error, *text;
    bool used;

    if (r->n_args != 1 && r->n_args != 2) {
        return xstrdup("Syntax error");
    }
    error = parse_odp_flow(r, r->args[r->n_args - 1], &used);
    if (used) {
        return error;
    }
    if (r->n_args == 1) {
        text = xasprintf("%s (or the bridge name was omitted)", error);
        free(error);
        return text;
    }
    free(error);
    return parse_br_flow(r);
}

static char *
parse_request(struct request *r, int argc, const char *argv[],
              bool packet_out)
{
    const char *not_hex;
    char *error;

    memset(r, 0, sizeof *r);
    r->l7_len = 64;
    error = parse_options(r, argc, argv, packet_out);
    if (!error && !r->generate && r->n_args > 1) {
        not_hex = eth_from_hex(r->args[r->n_args - 1], &r->packet);
        if (!not_hex) {
            r->n_args--;
        } else if (r->n_args > 2) {
            error = xstrdup(not_hex);
        }
    }
    if (!error) {
        error = parse_flow(r);
    }
    if (error) {
        return error;
    }
    if (r->generate) {
        dp_packet_delete(r->packet);
        r->packet = dp_packet_new(0);
        flow_compose(r->packet, &r->flow, r->l7, r->l7_len);
    } else if (r->packet) {
        ofp_port_t in_port = r->flow.in_port.ofp_port;

        pkt_metadata_from_flow(&r->packet->md, &r->flow);
        flow_extract(r->packet, &r->flow);
        r->flow.in_port.ofp_port = in_port;
    }
    return NULL;
}

/* Runs the request, of a packet-out if there are 'ofpacts'. */
static void
run_request(struct unixctl_conn *conn, struct request *r,
            const struct ofpbuf *ofpacts)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct of_trace_in in = {
        .bridge = r->bridge,
        .flow = &r->flow,
        .ofpacts = ofpacts ? ofpacts->data : NULL,
        .ofpacts_len = ofpacts ? ofpacts->size : 0,
        .names = r->names,
        .effects = r->packet != NULL,
    };
    char *error;

    if (!r->packet) {
        r->packet = dp_packet_new(0);
        flow_compose(r->packet, &r->flow, r->l7, r->l7_len);
    }
    in.packet = r->packet;
    error = of_trace(&in, &ds);
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        unixctl_command_reply(conn, ds_cstr(&ds));
    }
    ds_destroy(&ds);
}

static void
trace_cmd(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    struct request r;
    char *error = parse_request(&r, argc, argv, false);

    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        run_request(conn, &r, NULL);
    }
    request_uninit(&r);
}

/* The checks of a packet-out, as handle_packet_out() in ofproto.c has them. */
static char *
check_actions(const struct request *r, struct ofpbuf *ofpacts,
              enum ofputil_protocol usable)
{
    struct ofproto *ofproto = &r->bridge->dpif.up;
    uint16_t in_port = ofp_to_u16(r->flow.in_port.ofp_port);
    struct match match;
    enum ofperr error;

    if (in_port >= ofproto->max_ports && in_port < ofp_to_u16(OFPP_MAX)) {
        return xstrdup("invalid in_port");
    }
    memset(&match, 0, sizeof match);
    match.flow = r->flow;
    match_wc_init(&match, &r->flow);
    struct ofpact_check_params cp = {
        .match = &match,
        .max_ports = u16_to_ofp(ofproto->max_ports),
        .n_tables = ofproto->n_tables,
    };
    error = ofpacts_check_consistency(ofpacts->data, ofpacts->size,
                                      r->consistent ? usable : 0, &cp);
    if (!error) {
        ovs_mutex_lock(&ofproto_mutex);
        error = ofproto_check_ofpacts(ofproto, ofpacts->data, ofpacts->size);
        ovs_mutex_unlock(&ofproto_mutex);
    }
    return (error ? xasprintf("Bad actions: %s", ofperr_to_string(error))
            : NULL);
}

static void
trace_packet_out(struct unixctl_conn *conn, int argc, const char *argv[],
                 void *aux OVS_UNUSED)
{
    enum ofputil_protocol usable;
    struct ofpbuf ofpacts;
    struct request r = { .n_args = 0 };
    const struct ofpact_parse_params pp = {
        .ofpacts = &ofpacts,
        .usable_protocols = &usable,
    };
    char *error;

    ofpbuf_init(&ofpacts, 0);
    error = ofpacts_parse_actions(argv[argc - 1], &pp);
    if (!error) {
        error = parse_request(&r, argc - 1, argv, true);
    }
    if (!error) {
        error = check_actions(&r, &ofpacts, usable);
    }
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        if (!ofpacts.data) {
            ofpbuf_prealloc_tailroom(&ofpacts, 8); /* Not null: drops. */
        }
        run_request(conn, &r, &ofpacts);
    }
    request_uninit(&r);
    ofpbuf_uninit(&ofpacts);
}

void
of_trace_init(void)
{
    unixctl_command_register(
        "ofproto/trace",
        "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] "
        "[-generate|packet]", 1, INT_MAX, trace_cmd, NULL);
    unixctl_command_register(
        "ofproto/trace-packet-out",
        "[-consistent] {[dp_name] odp_flow | bridge br_flow} [OPTIONS...] "
        "[-generate|packet] actions", 2, INT_MAX, trace_packet_out, NULL);
    of_trace_live_init();
}
