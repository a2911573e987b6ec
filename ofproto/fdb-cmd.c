/* SPDX-License-Identifier: Apache-2.0 */

/* fdb/show, fdb/flush, fdb/add, fdb/del, fdb/stats-show, fdb/stats-clear:
 * replies have the text form of ovs-vswitchd's, which programs parse. */

#include <config.h>
#include "ofproto/l2-private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-port.h"
#include "unixctl.h"
#include "util.h"
#include "ofproto/of.h"

typedef void fdb_fn(struct of_fdb *);

/* Calls 'fn' for the FDB of the bridge called argv[1], or for all. */
static void
for_each_fdb(struct unixctl_conn *conn, int argc, const char *argv[],
             fdb_fn *fn, const char *reply)
{
    struct of_bridge *bridge;

    if (argc > 1) {
        bridge = of_bridge_lookup(argv[1]);
        if (!bridge) {
            unixctl_command_reply_error(conn, "no such bridge");
            return;
        }
        fn(bridge->l2->fdb);
    } else {
        OF_BRIDGE_FOR_EACH (bridge) {
            fn(bridge->l2->fdb);
        }
    }
    unixctl_command_reply(conn, reply);
}

static void
fdb_flush(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    for_each_fdb(conn, argc, argv, of_fdb_flush,
                 "table successfully flushed");
}

static void
clear_stats(struct of_fdb *fdb)
{
    mac_learning_clear_statistics(fdb->ml);
}

static void
fdb_stats_clear(struct unixctl_conn *conn, int argc, const char *argv[],
                void *aux OVS_UNUSED)
{
    for_each_fdb(conn, argc, argv, clear_stats,
                 "statistics successfully cleared");
}

/* The bridge called argv[1]; replies an error if there is none. */
static struct of_bridge *
get_bridge(struct unixctl_conn *conn, const char *argv[])
{
    struct of_bridge *bridge = of_bridge_lookup(argv[1]);

    if (!bridge) {
        unixctl_command_reply_error(conn, "no such bridge");
    }
    return bridge;
}

static void
fdb_show(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
         void *aux OVS_UNUSED)
{
    const struct of_bridge *bridge = get_bridge(conn, argv);
    struct ds ds = DS_EMPTY_INITIALIZER;
    const struct mac_entry *e;
    struct of_fdb *fdb;

    if (!bridge) {
        return;
    }
    fdb = bridge->l2->fdb;
    of_fdb_harvest(fdb);
    ds_put_cstr(&ds, " port  VLAN  MAC                Age\n");
    LIST_FOR_EACH (e, lru_node, &fdb->ml->lrus) {
        const struct of_bundle *bundle = mac_entry_get_port(fdb->ml, e);
        char name[OFP_MAX_PORT_NAME_LEN];

        ofputil_port_to_string(of_bundle_port(bundle), NULL, name,
                               sizeof name);
        ds_put_format(&ds, "%5s  %4d  "ETH_ADDR_FMT"  ", name, e->vlan,
                      ETH_ADDR_ARGS(e->mac));
        if (mac_entry_age(fdb->ml, e) == MAC_ENTRY_AGE_STATIC_ENTRY) {
            ds_put_cstr(&ds, "static\n");
        } else {
            ds_put_format(&ds, "%3d\n", mac_entry_age(fdb->ml, e));
        }
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

static void
fdb_stats_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
               const char *argv[], void *aux OVS_UNUSED)
{
    const struct of_bridge *bridge = get_bridge(conn, argv);
    struct ds ds = DS_EMPTY_INITIALIZER;
    const struct mac_learning *ml;

    if (!bridge) {
        return;
    }
    ml = bridge->l2->fdb->ml;
    ds_put_format(&ds, "Statistics for bridge \"%s\":\n", argv[1]);
    ds_put_format(&ds, "  Current/maximum MAC entries in the table: %"
                  PRIuSIZE"/%"PRIuSIZE"\n",
                  hmap_count(&ml->table), ml->max_entries);
    ds_put_format(&ds, "  Current static MAC entries in the table : %"
                  PRIuSIZE"\n", ml->static_entries);
    ds_put_format(&ds, "  Total number of learned MAC entries     : %"
                  PRIu64"\n", ml->total_learned);
    ds_put_format(&ds, "  Total number of expired MAC entries     : %"
                  PRIu64"\n", ml->total_expired);
    ds_put_format(&ds, "  Total number of evicted MAC entries     : %"
                  PRIu64"\n", ml->total_evicted);
    ds_put_format(&ds, "  Total number of port moved MAC entries  : %"
                  PRIu64"\n", ml->total_moved);
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

/* fdb/add BRIDGE PORT VLAN MAC */
static void
fdb_add(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
        void *aux OVS_UNUSED)
{
    const struct of_bridge *bridge = get_bridge(conn, argv);
    struct of_fdb_source src = { .vlan = atoi(argv[3]) };
    struct ds ds = DS_EMPTY_INITIALIZER;
    const struct of_port *port;
    struct mac_entry *e;

    if (!bridge) {
        return;
    }
    if (!eth_addr_from_string(argv[4], &src.mac)) {
        unixctl_command_reply_error(conn, "bad MAC address");
        return;
    }
    port = of_port_cast(shash_find_data(&bridge->dpif.up.port_by_name,
                                        argv[2]));
    if (!port) {
        unixctl_command_reply_error(conn, "no such port");
        return;
    }
    if (!port->bundle) {
        unixctl_command_reply_error(conn, "could not add static mac entry\n");
        return;
    }

    e = mac_learning_lookup(bridge->l2->fdb->ml, src.mac, src.vlan);
    if (e) {
        const struct of_bundle *old = mac_entry_get_port(bridge->l2->fdb->ml,
                                                         e);
        bool is_static = e->expires == MAC_ENTRY_AGE_STATIC_ENTRY;
        char name[OFP_MAX_PORT_NAME_LEN];

        if (!is_static || old != port->bundle) {
            ofputil_port_to_string(of_bundle_port(old), NULL, name,
                                   sizeof name);
            ds_put_format(&ds, "Overriding already existing %s entry on %s\n",
                          is_static ? "static" : "dynamic", name);
        }
    }
    src.owner = port->bundle;
    src.port = of_bundle_port(port->bundle);
    of_fdb_add_static(bridge->l2->fdb, &src);
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

/* fdb/del BRIDGE VLAN MAC */
static void
fdb_del(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
        void *aux OVS_UNUSED)
{
    const struct of_bridge *bridge = get_bridge(conn, argv);
    struct eth_addr mac;

    if (!bridge) {
        return;
    }
    if (!eth_addr_from_string(argv[3], &mac)) {
        unixctl_command_reply_error(conn, "bad MAC address");
    } else if (!of_fdb_del_static(bridge->l2->fdb, mac, atoi(argv[2]))) {
        unixctl_command_reply_error(conn,
                                    "could not find static mac entry\n");
    } else {
        unixctl_command_reply(conn, NULL);
    }
}

void
of_fdb_cmd_init(void)
{
    unixctl_command_register("fdb/add", "bridge port vlan mac", 4, 4,
                             fdb_add, NULL);
    unixctl_command_register("fdb/del", "bridge vlan mac", 3, 3,
                             fdb_del, NULL);
    unixctl_command_register("fdb/flush", "[bridge]", 0, 1, fdb_flush, NULL);
    unixctl_command_register("fdb/show", "bridge", 1, 1, fdb_show, NULL);
    unixctl_command_register("fdb/stats-clear", "[bridge]", 0, 1,
                             fdb_stats_clear, NULL);
    unixctl_command_register("fdb/stats-show", "bridge", 1, 1,
                             fdb_stats_show, NULL);
}
