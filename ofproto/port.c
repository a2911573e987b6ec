/* SPDX-License-Identifier: Apache-2.0 */

/* Ports.
 *
 * libofproto adds a port in two steps: port_add() with a device, then, once
 * it has chosen an OpenFlow number, port_construct().  In between, and as
 * long as the port exists, its name is in the bridge's 'vports'; the datapath
 * gets it in the second step, when its number is known. */

#include <errno.h>
#include <stdlib.h>
#include "netdev-provider.h"
#include "netdev-vport.h"
#include "ofproto/group.h"
#include "ofproto/l2-private.h"
#include "ofproto/monitor.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(of_port);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

struct of_vport {
    char *type;                 /* Of the netdev. */
    uint32_t number;            /* Shown by dpif/show. */
};

static struct of_vport *
vport_find(const struct of_bridge *bridge, const char *name)
{
    return shash_find_data(&bridge->vports, name);
}

static bool
vport_number_used(uint32_t number)
{
    struct of_bridge *bridge;

    OF_BRIDGE_FOR_EACH (bridge) {
        struct shash_node *node;

        SHASH_FOR_EACH (node, &bridge->vports) {
            const struct of_vport *vport = node->data;

            if (vport->number == number) {
                return true;
            }
        }
    }
    return false;
}

/* A number that is unique in the process.  As in OVS, with dummies it follows
 * the digits in the name, counted from 100 for bridges ("br0" is 100). */
static uint32_t
choose_vport_number(const struct of_bridge *bridge, const char *name)
{
    uint32_t number;

    if (of_type_is_dummy(bridge->dpif.up.type)) {
        size_t n = strcspn(name, "0123456789");

        number = (!strncmp(name, "br", 2) ? 100 : 0) + strtoul(name + n,
                                                               NULL, 10);
        if (name[n] && number && number < UINT16_MAX
            && !vport_number_used(number)) {
            return number;
        }
    }
    for (number = 1; vport_number_used(number); number++) {
        continue;
    }
    return number;
}

static void
vport_delete(struct of_bridge *bridge, const char *name)
{
    struct of_vport *vport = shash_find_and_delete(&bridge->vports, name);

    if (vport) {
        free(vport->type);
        free(vport);
    }
}

void
of_vports_init(struct of_bridge *bridge)
{
    shash_init(&bridge->vports);
}

void
of_vports_destroy(struct of_bridge *bridge)
{
    struct shash_node *node;

    SHASH_FOR_EACH_SAFE (node, &bridge->vports) {
        vport_delete(bridge, node->name);
    }
    shash_destroy(&bridge->vports);
}

uint32_t
of_vport_number(const struct of_bridge *bridge, const char *name)
{
    const struct of_vport *vport = vport_find(bridge, name);

    return vport ? vport->number : UINT32_MAX;
}

const char *
of_vport_name(const struct of_bridge *bridge, uint32_t number)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &bridge->vports) {
        const struct of_vport *vport = node->data;

        if (vport->number == number) {
            return node->name;
        }
    }
    return NULL;
}

/* Patch ports. */

/* The patch port that 'port', one itself, names as its peer and that names it
 * in turn; or null. */
static struct of_port *
find_peer(const struct of_port *port)
{
    char *name = netdev_vport_patch_peer(port->up.netdev);
    struct of_port *peer = NULL;
    struct of_bridge *bridge;

    OF_BRIDGE_FOR_EACH (bridge) {
        struct ofport *other = (name ? shash_find_data(
                                    &bridge->dpif.up.port_by_name, name)
                                : NULL);

        if (other) {
            char *back = netdev_vport_patch_peer(other->netdev);

            if (back && !strcmp(back, netdev_get_name(port->up.netdev))) {
                peer = of_port_cast(other);
            }
            free(back);
        }
    }
    free(name);
    return peer;
}

static void
set_peer(struct of_port *port, struct of_port *peer)
{
    if (port->peer != peer) {
        struct of_port *old = port->peer;

        port->peer = peer;
        if (port->dpp) {
            dp_port_set_peer(port->dpp, peer ? peer->dpp : NULL);
        }
        if (old && old->peer == port) {
            set_peer(old, NULL);
        }
    }
}

static void
update_peer(struct of_port *port)
{
    if (port->dpp && netdev_vport_is_patch(port->up.netdev)) {
        struct of_port *peer = find_peer(port);

        set_peer(port, peer && peer->dpp ? peer : NULL);
        if (port->peer) {
            set_peer(port->peer, port);
        }
    }
}

/* The set of ports. */

int
of_port_add(struct ofproto *ofproto, struct netdev *netdev)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);
    const char *name = netdev_get_name(netdev);
    struct of_vport *vport;
    struct of_bridge *other;

    if (netdev_vport_is_vport_class(netdev_get_class(netdev))
        && !netdev_vport_is_patch(netdev)) {
        VLOG_WARN_RL(&rl, "%s: cannot add port %s: interface type %s is not "
                     "supported", ofproto->name, name,
                     netdev_get_type(netdev));
        return EOPNOTSUPP;
    }
    OF_BRIDGE_FOR_EACH (other) {
        if (vport_find(other, name)) {
            VLOG_WARN_RL(&rl, "%s: cannot add port %s: it is a port of %s",
                         ofproto->name, name, other->dpif.up.name);
            return EBUSY;
        }
    }

    vport = xmalloc(sizeof *vport);
    vport->type = xstrdup(netdev_get_type(netdev));
    vport->number = choose_vport_number(bridge, name);
    shash_add(&bridge->vports, name, vport);
    return 0;
}

static void
leave_datapath(struct of_port *port)
{
    if (port->dpp) {
        of_link_port_destroy(port);
        of_l2_port_gone(port);
        of_bundle_remove(&port->up);
        set_peer(port, NULL);
        dp_port_del(port->dpp);
        port->dpp = NULL;
    }
}

int
of_port_del(struct ofproto *ofproto, ofp_port_t ofp_port)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);
    struct of_port *port = of_port_get(bridge, ofp_port);

    if (port) {
        /* The caller closes the device, so nothing may use it. */
        leave_datapath(port);
        vport_delete(bridge, netdev_get_name(port->up.netdev));
    }
    return 0;
}

int
of_port_query_by_name(const struct ofproto *ofproto, const char *name,
                      struct ofproto_port *result)
{
    const struct of_bridge *bridge = of_bridge_cast(ofproto);
    const struct of_vport *vport = vport_find(bridge, name);
    const struct ofport *ofport;

    if (!vport) {
        return ENODEV;
    }
    ofport = shash_find_data(&ofproto->port_by_name, name);
    result->name = xstrdup(name);
    result->type = xstrdup(vport->type);
    result->ofp_port = ofport ? ofport->ofp_port : OFPP_NONE;
    return 0;
}

struct port_dump {
    size_t n;
    size_t next;
    const struct shash_node **nodes;
    struct ofproto_port port;
    bool has_port;
};

int
of_port_dump_start(const struct ofproto *ofproto, void **statep)
{
    const struct of_bridge *bridge = of_bridge_cast(ofproto);
    struct port_dump *dump = xzalloc(sizeof *dump);

    dump->n = shash_count(&bridge->vports);
    dump->nodes = shash_sort(&bridge->vports);
    *statep = dump;
    return 0;
}

int
of_port_dump_next(const struct ofproto *ofproto, void *dump_,
                  struct ofproto_port *port)
{
    struct port_dump *dump = dump_;

    if (dump->has_port) {
        ofproto_port_destroy(&dump->port);
        dump->has_port = false;
    }
    if (dump->next >= dump->n) {
        return EOF;
    }
    if (of_port_query_by_name(ofproto, dump->nodes[dump->next++]->name,
                              &dump->port)) {
        return EOF;
    }
    dump->has_port = true;
    *port = dump->port;
    return 0;
}

int
of_port_dump_done(const struct ofproto *ofproto OVS_UNUSED, void *dump_)
{
    struct port_dump *dump = dump_;

    if (dump->has_port) {
        ofproto_port_destroy(&dump->port);
    }
    free(dump->nodes);
    free(dump);
    return 0;
}

/* Life cycle. */

void
of_port_update_flags(struct of_port *port)
{
    static const struct {
        enum ofputil_port_config config;
        enum dp_port_flags flag;
    } bits[] = {
        { OFPUTIL_PC_NO_RECV, DP_PORT_NO_RECV },
        { OFPUTIL_PC_NO_RECV_STP, DP_PORT_NO_RECV_STP },
        { OFPUTIL_PC_NO_FWD, DP_PORT_NO_FWD },
        { OFPUTIL_PC_NO_FLOOD, DP_PORT_NO_FLOOD },
        { OFPUTIL_PC_NO_PACKET_IN, DP_PORT_NO_PACKET_IN },
        { OFPUTIL_PC_PORT_DOWN, DP_PORT_DOWN },
    };
    uint32_t flags = (of_stp_port_flags(port)
                      | (port->watched ? DP_PORT_INGRESS : 0));

    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        if (port->up.pp.config & bits[i].config) {
            flags |= bits[i].flag;
        }
    }
    if (!port->up.may_enable) {
        flags |= DP_PORT_DEAD;
    }
    if (port->dpp) {
        dp_port_set_flags(port->dpp, flags);
    }
}

struct ofport *
of_port_alloc(void)
{
    struct of_port *port = xzalloc(sizeof *port);

    smap_init(&port->config);
    of_link_port_init(port);
    return &port->up;
}

int
of_port_construct(struct ofport *ofport)
{
    struct of_bridge *bridge = of_bridge_cast(ofport->ofproto);
    struct of_port *port = of_port_cast(ofport);
    int error;

    error = -dp_port_add(bridge->dpb, ofport->netdev,
                         ofp_to_u16(ofport->ofp_port), &port->dpp);
    if (error) {
        vport_delete(bridge, netdev_get_name(ofport->netdev));
        return error;
    }
    port->netdev = ofport->netdev;
    port->ifindex = netdev_get_ifindex(ofport->netdev);
    of_port_update_flags(port);
    of_live_port_set(bridge, ofport->ofp_port,
                     netdev_get_carrier(ofport->netdev));
    update_peer(port);
    bridge->l2->conf_stale = true;
    return 0;
}

void
of_port_destruct(struct ofport *ofport, bool del)
{
    struct of_bridge *bridge = of_bridge_cast(ofport->ofproto);
    struct of_port *port = of_port_cast(ofport);

    if (!del) {
        dp_keep_device(ofport->netdev);
    }
    leave_datapath(port);
    bridge->l2->conf_stale = true;
    of_live_port_set(bridge, ofport->ofp_port, false);
    vport_delete(bridge, netdev_get_name(ofport->netdev));
}

void
of_port_dealloc(struct ofport *ofport)
{
    struct of_port *port = of_port_cast(ofport);

    smap_destroy(&port->config);
    free(port);
}

void
of_port_modified(struct ofport *ofport)
{
    struct of_port *port = of_port_cast(ofport);

    if (port->dpp && port->netdev != ofport->netdev) {
        int error = -dp_port_set_netdev(port->dpp, ofport->netdev);

        if (error) {
            VLOG_WARN_RL(&rl, "%s: device of port %s cannot be replaced (%s)",
                         ofport->ofproto->name,
                         netdev_get_name(ofport->netdev),
                         ovs_strerror(error));
        } else {
            port->netdev = ofport->netdev;
        }
    }
    of_port_update_flags(port);
    of_l2_port_changed(port);
    of_link_port_modified(port);
    update_peer(port);
}

void
of_port_reconfigured(struct ofport *ofport,
                     enum ofputil_port_config old OVS_UNUSED)
{
    struct of_port *port = of_port_cast(ofport);

    of_port_update_flags(port);
    of_l2_port_changed(port);
    of_port_run(port);
}

/* Comes after each netdev_set_qos(). */
int
of_port_set_queues(struct ofport *ofport,
                   const struct ofproto_port_queue *queues OVS_UNUSED,
                   size_t n_queues OVS_UNUSED)
{
    struct of_port *port = of_port_cast(ofport);

    if (port->dpp) {
        dp_port_qos_changed(port->dpp);
    }
    return 0;
}

int
of_port_set_config(const struct ofport *ofport, const struct smap *config)
{
    struct of_port *port = of_port_cast(ofport);

    if (!smap_equal(&port->config, config)) {
        smap_destroy(&port->config);
        smap_clone(&port->config, config);
    }
    return port->dpp ? -dp_port_set_config(port->dpp, config) : 0;
}

/* A device that was unplugged and has come back is another one, by its index,
 * under the same name: what the datapath has open belongs to the first.
 *
 * Only when it is up: netdev-linux switches promiscuous mode on by writing
 * the flags that it last heard of, and would take a device down that comes up
 * at this moment. */
static void
follow_device(struct of_port *port)
{
    int ifindex = netdev_get_ifindex(port->up.netdev);
    const char *name = netdev_get_name(port->up.netdev);
    enum netdev_flags flags;

    if (ifindex <= 0 || ifindex == port->ifindex
        || netdev_get_flags(port->up.netdev, &flags)
        || !(flags & NETDEV_UP)) {
        return;
    }

    if (port->ifindex > 0) {
        struct of_bridge *bridge = of_bridge_cast(port->up.ofproto);
        int error;

        VLOG_INFO("%s: device of port %s has come back",
                  bridge->dpif.up.name, name);
        if (port->dpp) {
            of_monitor_remove(port);
            dp_port_del(port->dpp);
            port->dpp = NULL;
        }
        error = -dp_port_add(bridge->dpb, port->up.netdev,
                             ofp_to_u16(port->up.ofp_port), &port->dpp);
        if (error) {
            VLOG_WARN_RL(&rl, "%s: device of port %s cannot be used (%s)",
                         bridge->dpif.up.name, name, ovs_strerror(error));
        } else {
            dp_port_set_config(port->dpp, &port->config);
        }
        port->netdev = port->up.netdev;
        of_port_update_flags(port);
        of_l2_port_changed(port);
        of_link_port_modified(port);
    }
    port->ifindex = ifindex;
}

void
of_port_run(struct of_port *port)
{
    bool enable = of_link_may_enable(port,
                                     netdev_get_carrier(port->up.netdev));

    follow_device(port);
    if (port->up.may_enable != enable) {
        ofproto_port_set_enable(&port->up, enable);
        of_link_enabled(port, enable);
        of_port_update_flags(port);
        of_l2_port_changed(port);
    }
    of_live_port_set(of_bridge_cast(port->up.ofproto), port->up.ofp_port,
                     enable);
}

/* The device's counters, or the datapath's for a device that has none (a
 * pcap file); drops for want of room in a transmit queue happen before the
 * device sees the packet. */
int
of_port_get_stats(const struct ofport *ofport, struct netdev_stats *stats)
{
    const struct of_port *port = of_port_cast(ofport);
    struct dp_port_stats ours = { .rx_packets = 0 };
    int error;

    if (port->dpp) {
        dp_port_get_stats(port->dpp, &ours);
    }
    error = netdev_get_stats(ofport->netdev, stats);
    if (error == EOPNOTSUPP) {
        memset(stats, 0xff, sizeof *stats);
        stats->rx_packets = ours.rx_packets;
        stats->rx_bytes = ours.rx_bytes;
        stats->rx_dropped = ours.rx_dropped;
        stats->tx_packets = ours.tx_packets;
        stats->tx_bytes = ours.tx_bytes;
        stats->tx_dropped = ours.tx_dropped;
        return 0;
    }
    if (!error && ours.tx_dropped) {
        if (stats->tx_dropped == UINT64_MAX) {
            stats->tx_dropped = 0;
        }
        stats->tx_dropped += ours.tx_dropped;
    }
    return error;
}
