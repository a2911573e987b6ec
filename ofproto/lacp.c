/* SPDX-License-Identifier: Apache-2.0 */

/* LACP on ports: libopenvswitch's, fed by workers through the ring for link
 * protocols.  (Of bundles with one port, until there are bonds.) */

#include <config.h>
#include "ofproto/l2-private.h"

#include <string.h>
#include "dp-packet.h"
#include "lacp.h"
#include "netdev.h"
#include "packets.h"
#include "datapath/dp.h"
#include "ofproto/of-private.h"
#include "ofproto/of.h"

static void
control_upcall(struct dp_upcall *upcall, void *aux OVS_UNUSED)
{
    struct of_bridge *bridge = of_bridge_of_dp(upcall->bridge);
    const struct of_port *port = of_port_get(bridge,
                                             upcall->flow->in_port.ofp_port);

    if (port && port->bundle && port->bundle->lacp
        && lacp_process_packet(port->bundle->lacp, port, upcall->packet)) {
        of_port_run(of_port_get(bridge, upcall->flow->in_port.ofp_port));
    }
}

void
of_lacp_init(struct dp *dp)
{
    dp_set_upcall_cb(dp, DP_UPCALL_CONTROL, control_upcall, NULL);
}

void
of_lacp_set(struct of_bundle *bundle,
            const struct ofproto_bundle_settings *s)
{
    struct of_port *port;

    if (s->lacp) {
        if (!bundle->lacp) {
            bundle->lacp = lacp_create();
        }
        lacp_configure(bundle->lacp, s->lacp);
    } else {
        lacp_unref(bundle->lacp);
        bundle->lacp = NULL;
    }
    LIST_FOR_EACH (port, bundle_node, &bundle->ports) {
        if (bundle->lacp) {
            lacp_member_register(bundle->lacp, port, &s->lacp_members[0]);
            lacp_member_carrier_changed(bundle->lacp, port,
                                        netdev_get_carrier(port->up.netdev));
        }
        of_port_update_flags(port);
    }
}

void
of_lacp_del_port(struct of_bundle *bundle, struct of_port *port)
{
    if (bundle->lacp) {
        lacp_member_unregister(bundle->lacp, port);
    }
}

static void
send_pdu(void *port_, const void *pdu, size_t size)
{
    struct of_port *port = port_;
    struct dp_packet *packet;
    struct eth_addr mac;

    if (port->dpp && !netdev_get_etheraddr(port->up.netdev, &mac)) {
        packet = dp_packet_new(0);
        memcpy(eth_compose(packet, eth_addr_lacp, mac, ETH_TYPE_LACP, size),
               pdu, size);
        dp_port_send(port->dpp, packet);
    }
}

void
of_lacp_run(const struct of_l2 *l2)
{
    const struct of_bundle *bundle;

    HMAP_FOR_EACH (bundle, node, &l2->bundles) {
        if (bundle->lacp) {
            lacp_run(bundle->lacp, send_pdu);
        }
    }
}

void
of_lacp_wait(const struct of_l2 *l2)
{
    const struct of_bundle *bundle;

    HMAP_FOR_EACH (bundle, node, &l2->bundles) {
        if (bundle->lacp) {
            lacp_wait(bundle->lacp);
        }
    }
}

bool
of_port_has_lacp(const struct of_port *port)
{
    return port->bundle && port->bundle->lacp;
}

bool
of_lacp_may_enable(const struct of_port *port, bool carrier)
{
    if (!of_port_has_lacp(port)) {
        return carrier;
    }
    lacp_member_carrier_changed(port->bundle->lacp, port, carrier);
    return carrier && lacp_member_may_enable(port->bundle->lacp, port);
}

int
of_port_is_lacp_current(const struct ofport *port_)
{
    const struct of_port *port = of_port_cast(port_);

    return (port->bundle && port->bundle->lacp
            ? lacp_member_is_current(port->bundle->lacp, port) : -1);
}

int
of_port_get_lacp_stats(const struct ofport *port_,
                       struct lacp_member_stats *stats)
{
    const struct of_port *port = of_port_cast(port_);

    return (port->bundle && port->bundle->lacp
            && lacp_get_member_stats(port->bundle->lacp, port, stats)
            ? 0 : -1);
}
