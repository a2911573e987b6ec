/* SPDX-License-Identifier: Apache-2.0 */

/* The ovs-appctl commands of OVS's dpif layer, which people and scripts call:
 * those that make sense here are here, the others are in commands.def. */

#include <stdlib.h>
#include <string.h>
#include "netdev.h"
#include "ofproto/hooks.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "seq.h"
#include "smap.h"
#include "unixctl.h"
#include "util.h"

static const char no_cache[] =
    "no flow cache: OpenFlow tables run as compiled programs "
    "(see pipeline/show)";
static const char no_offload[] = "no flows are offloaded";
static const char no_conntrack[] = "no connection tracking yet";
static const char no_pmd[] =
    "no such log and no bonds in the datapath (see worker/show)";
static const char no_impl[] =
    "no choice of implementations: lookups are compiled programs";
static const char no_tunnels[] = "no tunnels yet";
static const char no_kernel[] = "no kernel datapath";

static void
absent(struct unixctl_conn *conn, int argc OVS_UNUSED,
       const char *argv[] OVS_UNUSED, void *text)
{
    unixctl_command_reply(conn, text);
}

static const struct shash_node **
sorted_bridges(struct shash *bridges)
{
    struct of_bridge *bridge;

    shash_init(bridges);
    OF_BRIDGE_FOR_EACH (bridge) {
        shash_add(bridges, bridge->dpif.up.name, bridge);
    }
    return shash_sort(bridges);
}

static void
put_config(struct ds *ds, const struct netdev *netdev)
{
    struct smap config = SMAP_INITIALIZER(&config);

    ds_put_format(ds, "(%s", netdev_get_type(netdev));
    if (!netdev_get_config(netdev, &config)) {
        const struct smap_node **nodes = smap_sort(&config);

        for (size_t i = 0; i < smap_count(&config); i++) {
            ds_put_format(ds, "%s%s=%s", i ? ", " : ": ", nodes[i]->key,
                          nodes[i]->value);
        }
        free(nodes);
    }
    smap_destroy(&config);
    ds_put_char(ds, ')');
}

static void
put_bridge(struct ds *ds, const struct of_bridge *bridge)
{
    const struct ofproto *ofproto = &bridge->dpif.up;
    const struct shash_node **ports = shash_sort(&ofproto->port_by_name);

    ds_put_format(ds, "  %s:\n", ofproto->name);
    for (size_t i = 0; i < shash_count(&ofproto->port_by_name); i++) {
        const struct ofport *port = ports[i]->data;

        ds_put_format(ds, "    %s %"PRIu32"/%"PRIu32": ",
                      netdev_get_name(port->netdev), port->ofp_port,
                      of_vport_number(bridge, ports[i]->name));
        put_config(ds, port->netdev);
        ds_put_char(ds, '\n');
    }
    free(ports);
}

/* Bridges by type, as OVS shows them: there is one datapath of each type. */
static void
dpif_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
          const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct sset types = SSET_INITIALIZER(&types);
    const struct shash_node **bridges;
    struct shash by_name;
    struct dp_totals totals;
    const char **names;

    dp_get_totals(of_dp, &totals);
    of_types_enumerate(&types);
    bridges = sorted_bridges(&by_name);
    names = sset_sort(&types);
    for (size_t i = 0; i < sset_count(&types); i++) {
        bool header = false;

        for (size_t j = 0; j < shash_count(&by_name); j++) {
            const struct of_bridge *bridge = bridges[j]->data;

            if (strcmp(bridge->dpif.up.type, names[i])) {
                continue;
            }
            if (!header) {
                ds_put_format(&ds, "%s@ovs-%s: hit:%"PRIu64
                              " missed:%"PRIu64"\n", names[i], names[i],
                              totals.received - totals.to_main,
                              totals.to_main);
                header = true;
            }
            put_bridge(&ds, bridge);
        }
    }
    unixctl_command_reply(conn, ds_cstr(&ds));

    free(names);
    free(bridges);
    shash_destroy(&by_name);
    sset_destroy(&types);
    ds_destroy(&ds);
}

static void
dpif_dump_dps(struct unixctl_conn *conn, int argc OVS_UNUSED,
              const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    const struct shash_node **bridges;
    struct shash by_name;

    bridges = sorted_bridges(&by_name);
    for (size_t i = 0; i < shash_count(&by_name); i++) {
        const struct of_bridge *bridge = bridges[i]->data;

        ds_put_format(&ds, "%s@%s\n", bridge->dpif.up.type,
                      bridge->dpif.up.name);
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    free(bridges);
    shash_destroy(&by_name);
    ds_destroy(&ds);
}

static void
dpctl_dump_dps(struct unixctl_conn *conn, int argc OVS_UNUSED,
               const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct sset types = SSET_INITIALIZER(&types);
    struct of_bridge *bridge;
    const char *type;

    OF_BRIDGE_FOR_EACH (bridge) {
        sset_add(&types, bridge->dpif.up.type);
    }
    SSET_FOR_EACH (type, &types) {
        ds_put_format(&ds, "%s@ovs-%s\n", type, type);
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    sset_destroy(&types);
    ds_destroy(&ds);
}

static void
put_dp_port(struct ds *ds, uint32_t number, const struct ofport *port)
{
    ds_put_format(ds, "  port %"PRIu32": %s", number,
                  netdev_get_name(port->netdev));
    if (strcmp(netdev_get_type(port->netdev), "system")) {
        ds_put_char(ds, ' ');
        put_config(ds, port->netdev);
    }
    ds_put_char(ds, '\n');
}

/* One datapath: lookups, and the ports of all bridges by number. */
static void
dpctl_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
           const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct dp_totals totals;
    struct of_bridge *bridge;
    const char *type = NULL;
    size_t n_flows = 0;

    dp_get_totals(of_dp, &totals);
    OF_BRIDGE_FOR_EACH (bridge) {
        type = bridge->dpif.up.type;
        n_flows += atomic_count_get(&bridge->n_rules);
    }
    if (type) {
        ds_put_format(&ds, "%s@ovs-%s:\n  lookups: hit:%"PRIu64
                      " missed:%"PRIu64" lost:0\n  flows: %"PRIuSIZE"\n",
                      type, type, totals.received - totals.to_main,
                      totals.to_main, n_flows);
    }
    for (uint32_t number = 0; number <= UINT16_MAX && type; number++) {
        OF_BRIDGE_FOR_EACH (bridge) {
            const char *name = of_vport_name(bridge, number);
            const struct ofport *port
                = (name ? shash_find_data(&bridge->dpif.up.port_by_name, name)
                   : NULL);

            if (port) {
                put_dp_port(&ds, number, port);
            }
        }
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

static void
show_dp_features(struct unixctl_conn *conn, int argc OVS_UNUSED,
                 const char *argv[], void *aux OVS_UNUSED)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct smap caps = SMAP_INITIALIZER(&caps);
    const struct smap_node **nodes;

    if (!of_bridge_lookup(argv[1])) {
        unixctl_command_reply_error(conn, "no such bridge");
        return;
    }
    of_get_datapath_cap("", &caps);
    nodes = smap_sort(&caps);
    for (size_t i = 0; i < smap_count(&caps); i++) {
        ds_put_format(&ds, "%s: %s\n", nodes[i]->key,
                      (!strcmp(nodes[i]->value, "true") ? "Yes"
                       : !strcmp(nodes[i]->value, "false") ? "No"
                       : nodes[i]->value));
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    free(nodes);
    smap_destroy(&caps);
    ds_destroy(&ds);
}

static void
set_dp_features(struct unixctl_conn *conn, int argc, const char *argv[],
                void *aux)
{
    if (argc <= 2) {
        show_dp_features(conn, argc, argv, aux);
    } else if (!of_bridge_lookup(argv[1])) {
        unixctl_command_reply_error(conn, "no such bridge");
    } else {
        unixctl_command_reply(conn, "features follow from the compiled "
                              "tables and cannot be switched off");
    }
}

static void
upcall_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct dp_totals totals;
    char *reply;

    dp_get_totals(of_dp, &totals);
    reply = xasprintf("packets to the main thread: %"PRIu64", "
                      "in flight: %"PRIu64"; %s", totals.to_main,
                      totals.in_flight, no_cache);
    unixctl_command_reply(conn, reply);
    free(reply);
}

/* What OVS's revalidators do for counters and timeouts: when this returns,
 * the counters hold all packets that were received before, and the next run
 * of each bridge judges the timeouts. */
static void
revalidate(struct unixctl_conn *conn, int argc OVS_UNUSED,
           const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct of_bridge *bridge;

    dp_run(of_dp);
    dp_synchronize(of_dp);
    OF_BRIDGE_FOR_EACH (bridge) {
        bridge->next_expire = 0;
    }
    poll_immediate_wake();
    unixctl_command_reply(conn, NULL);
}

static void
no_op(struct unixctl_conn *conn, int argc OVS_UNUSED,
      const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    unixctl_command_reply(conn, NULL);
}

void
of_commands_init(void)
{
    unixctl_command_register("dpif/show", "", 0, 0, dpif_show, NULL);
    unixctl_command_register("dpif/dump-dps", "", 0, 0, dpif_dump_dps, NULL);
    unixctl_command_register("dpif/show-dp-features", "bridge", 1, 1,
                             show_dp_features, NULL);
    unixctl_command_register("dpif/set-dp-features", "bridge", 1, 3,
                             set_dp_features, NULL);
    unixctl_command_register("dpctl/show", "[-s] [dp...]", 0, 8, dpctl_show,
                             NULL);
    unixctl_command_register("dpctl/dump-dps", "", 0, 0, dpctl_dump_dps,
                             NULL);
    unixctl_command_register("upcall/show", "", 0, 0, upcall_show, NULL);
    unixctl_command_register("revalidator/wait", "", 0, 0, revalidate, NULL);
    unixctl_command_register("revalidator/purge", "", 0, 0, revalidate,
                             NULL);
    unixctl_command_register("revalidator/pause", "", 0, 0, no_op, NULL);
    unixctl_command_register("revalidator/resume", "", 0, 0, no_op, NULL);

#define OF_ABSENT(NAME, USAGE, MIN_ARGS, MAX_ARGS, ABSENCE)             \
    unixctl_command_register(NAME, USAGE, MIN_ARGS, MAX_ARGS, absent,   \
                             CONST_CAST(char *, ABSENCE));
#include "ofproto/commands.def"
#undef OF_ABSENT
}
