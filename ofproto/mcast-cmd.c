/* SPDX-License-Identifier: Apache-2.0 */

/* mdb/show, mdb/flush: replies have the text form of ovs-vswitchd's. */

#include <config.h>
#include "ofproto/mcast.h"

#include "mcast-snooping.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-port.h"
#include "packets.h"
#include "unixctl.h"
#include "ofproto/l2-private.h"
#include "ofproto/of.h"

/* The bridge called 'name', if it snoops; else replies an error. */
static struct of_l2 *
get_snooping(struct unixctl_conn *conn, const char *name)
{
    struct of_bridge *bridge = of_bridge_lookup(name);

    if (!bridge) {
        unixctl_command_reply_error(conn, "no such bridge");
    } else if (!bridge->l2->ms) {
        unixctl_command_reply_error(conn, "multicast snooping is disabled");
    } else {
        return bridge->l2;
    }
    return NULL;
}

static void
mdb_flush(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    struct of_bridge *bridge;
    struct of_l2 *l2;

    if (argc > 1) {
        l2 = get_snooping(conn, argv[1]);
        if (!l2) {
            return;
        }
        of_mcast_flush(l2);
    } else {
        OF_BRIDGE_FOR_EACH (bridge) {
            of_mcast_flush(bridge->l2);
        }
    }
    unixctl_command_reply(conn, "table successfully flushed");
}

static void
put_port(struct ds *ds, const struct of_bundle *bundle, uint16_t vlan)
{
    char name[OFP_MAX_PORT_NAME_LEN];

    ofputil_port_to_string(of_bundle_port(bundle), NULL, name, sizeof name);
    ds_put_format(ds, "%5s  %4d  ", name, vlan);
}

static void
mdb_show(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
         void *aux OVS_UNUSED)
{
    const struct of_l2 *l2 = get_snooping(conn, argv[1]);
    struct ds ds = DS_EMPTY_INITIALIZER;
    const struct mcast_mrouter_bundle *m;
    const struct mcast_group_bundle *b;
    const struct mcast_group *g;

    if (!l2) {
        return;
    }
    ds_put_cstr(&ds, " port  VLAN  GROUP                Age\n");
    ovs_rwlock_rdlock(&l2->ms->rwlock);
    LIST_FOR_EACH (g, group_node, &l2->ms->group_lru) {
        LIST_FOR_EACH (b, bundle_node, &g->bundle_lru) {
            put_port(&ds, b->port, g->vlan);
            ipv6_format_mapped(&g->addr, &ds);
            ds_put_format(&ds, "         %3d\n",
                          mcast_bundle_age(l2->ms, b));
        }
    }
    LIST_FOR_EACH (m, mrouter_node, &l2->ms->mrouter_lru) {
        put_port(&ds, m->port, m->vlan);
        ds_put_format(&ds, "querier             %3d\n",
                      mcast_mrouter_age(l2->ms, m));
    }
    ovs_rwlock_unlock(&l2->ms->rwlock);
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

void
of_mcast_cmd_init(void)
{
    unixctl_command_register("mdb/flush", "[bridge]", 0, 1, mdb_flush, NULL);
    unixctl_command_register("mdb/show", "bridge", 1, 1, mdb_show, NULL);
}
