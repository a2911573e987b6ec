/* SPDX-License-Identifier: Apache-2.0 */

/* STP (IEEE 802.1D) and RSTP (802.1D-2004), of libopenvswitch.
 *
 * A port's state reaches workers as flags of the port: of a port that does
 * not forward, nothing that is received leaves the switch; of one that does
 * not learn either, it is dropped at once. */

#include <config.h>
#include "ofproto/link.h"

#include <limits.h>
#include "dp-packet.h"
#include "netdev.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/l2-private.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"

VLOG_DEFINE_THIS_MODULE(of_stp);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

enum { TICK_MS = 1000 };        /* Of RSTP's timers. */

/* Frames. */

/* A BPDU's own bytes; false if there are none. */
static bool
payload_of(const struct dp_packet *packet, struct dp_packet *payload)
{
    const struct eth_header *eth = dp_packet_data(packet);
    uint16_t type = ntohs(eth->eth_type);
    size_t ofs = ETH_HEADER_LEN + LLC_HEADER_LEN;

    *payload = *packet;
    if (type == ETH_TYPE_VLAN) {
        ofs += VLAN_HEADER_LEN;
    } else if (dp_packet_size(payload) > type + ETH_HEADER_LEN) {
        /* An 802.3 length: what follows is padding. */
        dp_packet_set_size(payload, type + ETH_HEADER_LEN);
    }
    return dp_packet_try_pull(payload, ofs) != NULL;
}

void
of_stp_receive(struct of_port *port, const struct dp_packet *packet)
{
    const struct of_stp *stp = &of_bridge_cast(port->up.ofproto)->stp;
    struct of_link *link = &port->link;
    struct dp_packet payload;

    if (!payload_of(packet, &payload)) {
        return;
    }
    if (stp->stp) {
        if (link->stp_port
            && stp_port_get_state(link->stp_port) != STP_DISABLED) {
            stp_received_bpdu(link->stp_port, dp_packet_data(&payload),
                              dp_packet_size(&payload));
        }
    } else if (stp->rstp && link->rstp_port) {
        rstp_port_received_bpdu(link->rstp_port, dp_packet_data(&payload),
                                dp_packet_size(&payload));
    }
}

static void
transmit(struct of_port *port, struct dp_packet *packet)
{
    struct eth_header *eth = dp_packet_eth(packet);

    netdev_get_etheraddr(port->up.netdev, &eth->eth_src);
    if (eth_addr_is_zero(eth->eth_src)) {
        VLOG_WARN_RL(&rl, "%s: no Ethernet address to send BPDUs from",
                     netdev_get_name(port->up.netdev));
        dp_packet_delete(packet);
    } else {
        of_port_send(port, packet);
    }
}

static void
send_bpdu(struct dp_packet *packet, int port_num, void *bridge_)
{
    struct of_bridge *bridge = bridge_;
    struct of_port *port = stp_port_get_aux(stp_get_port(bridge->stp.stp,
                                                         port_num));

    if (port) {
        transmit(port, packet);
    } else {
        dp_packet_delete(packet);
    }
}

/* rstp.c's mutex is held. */
static void
send_rstp_bpdu(struct dp_packet *packet, void *port, void *bridge OVS_UNUSED)
{
    transmit(port, packet);
}

/* States. */

uint32_t
of_stp_port_flags(const struct of_port *port)
{
    const struct of_link *link = &port->link;
    bool forward = ((!link->stp_port
                     || stp_forward_in_state(link->stp_state))
                    && (!link->rstp_port
                        || rstp_forward_in_state(link->rstp_state)));
    bool learn = ((!link->stp_port || stp_learn_in_state(link->stp_state))
                  && (!link->rstp_port
                      || rstp_learn_in_state(link->rstp_state)));

    return ((forward ? 0 : DP_PORT_BLOCKED)
            | (forward || learn ? 0 : DP_PORT_NO_LEARN));
}

/* To workers and to the port's OpenFlow description. */
static void
publish(struct of_port *port, enum ofputil_port_state bits)
{
    struct of_l2 *l2 = of_bridge_cast(port->up.ofproto)->l2;

    l2->conf_stale = true;
    of_l2_refresh(l2);
    of_port_update_flags(port);
    ofproto_port_set_state(&port->up,
                           (port->up.pp.state & ~OFPUTIL_PS_STP_MASK) | bits);
}

static void
update_stp_state(struct of_port *port)
{
    struct of_link *link = &port->link;
    enum stp_state state = (link->stp_port
                            ? stp_port_get_state(link->stp_port)
                            : STP_DISABLED);

    if (link->stp_state == state) {
        return;
    }
    of_log_dbg("port %s: STP state changed from %s to %s",
               netdev_get_name(port->up.netdev),
               stp_state_name(link->stp_state), stp_state_name(state));
    if (stp_learn_in_state(link->stp_state) != stp_learn_in_state(state)) {
        of_l2_flush(of_bridge_cast(port->up.ofproto)->l2);
    }
    link->stp_state = state;
    link->stp_entered = time_msec();
    publish(port, state == STP_LISTENING ? OFPUTIL_PS_STP_LISTEN
            : state == STP_LEARNING ? OFPUTIL_PS_STP_LEARN
            : state == STP_FORWARDING ? OFPUTIL_PS_STP_FORWARD
            : state == STP_BLOCKING ? OFPUTIL_PS_STP_BLOCK : 0);
}

/* What was learned at 'port' is void, unless it moved to the new root port
 * as a whole. */
static void
rstp_flush_port(struct of_bridge *bridge, struct of_port *port)
{
    struct rstp *rstp = bridge->stp.rstp;

    if (port->bundle
        && (!rstp_shift_root_learned_address(rstp)
            || rstp_get_old_root_aux(rstp) != port)) {
        of_fdb_flush_owner(bridge->l2->fdb, port->bundle);
    }
}

static void
update_rstp_state(struct of_port *port)
{
    struct of_bridge *bridge = of_bridge_cast(port->up.ofproto);
    struct of_link *link = &port->link;
    enum rstp_state state = (link->rstp_port
                             ? rstp_port_get_state(link->rstp_port)
                             : RSTP_DISABLED);

    if (link->rstp_state == state) {
        return;
    }
    of_log_dbg("port %s: RSTP state changed from %s to %s",
               netdev_get_name(port->up.netdev),
               rstp_state_name(link->rstp_state), rstp_state_name(state));
    if (rstp_learn_in_state(link->rstp_state) != rstp_learn_in_state(state)) {
        rstp_flush_port(bridge, port);
    }
    link->rstp_state = state;
    publish(port, state == RSTP_LEARNING ? OFPUTIL_PS_STP_LEARN
            : state == RSTP_FORWARDING ? OFPUTIL_PS_STP_FORWARD
            : state == RSTP_DISCARDING ? OFPUTIL_PS_STP_LISTEN : 0);
}

/* Running. */

static void
follow_carriers(struct of_bridge *bridge)
{
    struct of_port *port;

    HMAP_FOR_EACH (port, up.hmap_node, &bridge->dpif.up.ports) {
        struct stp_port *sp = port->link.stp_port;
        bool up = netdev_get_carrier(port->up.netdev);

        if (sp && up != (stp_port_get_state(sp) != STP_DISABLED)) {
            if (up) {
                stp_port_enable(sp);
                stp_port_set_aux(sp, port);
            } else {
                stp_port_disable(sp);
            }
            update_stp_state(port);
        }
    }
}

static void
stp_run(struct of_bridge *bridge)
{
    struct of_stp *s = &bridge->stp;
    long long int elapsed = time_msec() - s->stp_tick;
    struct stp_port *sp;

    if (elapsed > 0) {
        stp_tick(s->stp, MIN(INT_MAX, elapsed));
        s->stp_tick += elapsed;
    }
    follow_carriers(bridge);
    while (stp_get_changed_port(s->stp, &sp)) {
        struct of_port *port = stp_port_get_aux(sp);

        if (port) {
            update_stp_state(port);
        }
    }
    if (stp_check_and_reset_fdb_flush(s->stp)) {
        of_l2_flush(bridge->l2);
    }
}

static void
move_root_addresses(struct of_bridge *bridge)
{
    struct rstp *rstp = bridge->stp.rstp;
    const struct of_port *old, *new;

    if (!rstp_shift_root_learned_address(rstp)) {
        return;
    }
    old = rstp_get_old_root_aux(rstp);
    new = rstp_get_new_root_aux(rstp);
    if (old && new && old->bundle && new->bundle) {
        of_fdb_move(bridge->l2->fdb, old->bundle, new->bundle,
                    of_bundle_port(new->bundle));
        rstp_reset_root_changed(rstp);
    }
}

static void
rstp_run(struct of_bridge *bridge)
{
    struct of_stp *s = &bridge->stp;
    long long int now = time_msec();
    struct rstp_port *rp = NULL;
    struct of_port *port;

    if (now - s->rstp_tick >= TICK_MS) {
        rstp_tick_timers(s->rstp);
        s->rstp_tick = now;
    }
    while ((port = rstp_get_next_changed_port_aux(s->rstp, &rp))) {
        update_rstp_state(port);
    }
    rp = NULL;
    while ((port = rstp_check_and_reset_fdb_flush(s->rstp, &rp))) {
        rstp_flush_port(bridge, port);
    }
    move_root_addresses(bridge);
}

void
of_stp_run(struct of_bridge *bridge)
{
    if (bridge->stp.stp) {
        stp_run(bridge);
    }
    if (bridge->stp.rstp) {
        rstp_run(bridge);
    }
}

void
of_stp_wait(struct of_bridge *bridge)
{
    if (bridge->stp.stp || bridge->stp.rstp) {
        poll_timer_wait(TICK_MS);
    }
}

/* Life. */

void
of_stp_destroy(struct of_bridge *bridge)
{
    of_set_stp(&bridge->dpif.up, NULL);
    of_set_rstp(&bridge->dpif.up, NULL);
}

void
of_stp_port_destroy(struct of_port *port)
{
    of_set_stp_port(&port->up, NULL);
    of_set_rstp_port(&port->up, NULL);
}

static void
refresh(struct of_bridge *bridge)
{
    bridge->l2->conf_stale = true;
    of_l2_refresh(bridge->l2);
}

int
of_set_stp(struct ofproto *ofproto, const struct ofproto_stp_settings *s)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);
    struct of_stp *stp = &bridge->stp;
    struct ofport *port;

    if (s) {
        if (!stp->stp) {
            stp->stp = stp_create(ofproto->name, s->system_id, send_bpdu,
                                  bridge);
            stp->stp_tick = time_msec();
            refresh(bridge);
        }
        stp_set_bridge_id(stp->stp, s->system_id);
        stp_set_bridge_priority(stp->stp, s->priority);
        stp_set_hello_time(stp->stp, s->hello_time);
        stp_set_max_age(stp->stp, s->max_age);
        stp_set_forward_delay(stp->stp, s->fwd_delay);
    } else if (stp->stp) {
        HMAP_FOR_EACH (port, hmap_node, &ofproto->ports) {
            of_set_stp_port(port, NULL);
        }
        stp_unref(stp->stp);
        stp->stp = NULL;
        refresh(bridge);
    }
    return 0;
}

int
of_get_stp_status(struct ofproto *ofproto, struct ofproto_stp_status *s)
{
    const struct stp *stp = of_bridge_cast(ofproto)->stp.stp;

    s->enabled = stp != NULL;
    if (stp) {
        s->bridge_id = stp_get_bridge_id(stp);
        s->designated_root = stp_get_designated_root(stp);
        s->root_path_cost = stp_get_root_path_cost(stp);
    }
    return 0;
}

int
of_set_stp_port(struct ofport *ofport,
                const struct ofproto_port_stp_settings *s)
{
    struct stp *stp = of_bridge_cast(ofport->ofproto)->stp.stp;
    struct of_port *port = of_port_cast(ofport);
    struct stp_port *sp = port->link.stp_port;

    if (!s || !s->enable) {
        if (sp) {
            port->link.stp_port = NULL;
            stp_port_disable(sp);
            update_stp_state(port);
        }
        return 0;
    }
    if (sp && stp_port_no(sp) != s->port_num
        && stp_port_get_aux(sp) == port) {
        /* It has another number now, and the old one is nobody's. */
        stp_port_disable(sp);
    }
    sp = port->link.stp_port = stp_get_port(stp, s->port_num);
    stp_port_set_name(sp, netdev_get_name(ofport->netdev));
    if (netdev_get_carrier(ofport->netdev)) {
        stp_port_enable(sp);
    } else {
        stp_port_disable(sp);
    }
    stp_port_set_aux(sp, port);
    stp_port_set_priority(sp, s->priority);
    stp_port_set_path_cost(sp, s->path_cost);
    update_stp_state(port);
    of_port_update_flags(port);
    return 0;
}

int
of_get_stp_port_status(struct ofport *ofport,
                       struct ofproto_port_stp_status *s)
{
    const struct of_port *port = of_port_cast(ofport);
    struct stp_port *sp = port->link.stp_port;

    s->enabled = sp && of_bridge_cast(ofport->ofproto)->stp.stp;
    if (s->enabled) {
        stp_port_get_status(sp, &s->port_id, &s->state, &s->role);
        s->sec_in_state = (time_msec() - port->link.stp_entered) / 1000;
    }
    return 0;
}

int
of_get_stp_port_stats(struct ofport *ofport,
                      struct ofproto_port_stp_stats *s)
{
    struct stp_port *sp = of_port_cast(ofport)->link.stp_port;

    s->enabled = sp && of_bridge_cast(ofport->ofproto)->stp.stp;
    if (s->enabled) {
        stp_port_get_counts(sp, &s->tx_count, &s->rx_count, &s->error_count);
    }
    return 0;
}

void
of_set_rstp(struct ofproto *ofproto, const struct ofproto_rstp_settings *s)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);
    struct of_stp *stp = &bridge->stp;
    struct ofport *port;

    if (s) {
        if (!stp->rstp) {
            stp->rstp = rstp_create(ofproto->name, s->address,
                                    send_rstp_bpdu, bridge);
            stp->rstp_tick = time_msec();
            refresh(bridge);
        }
        rstp_set_bridge_address(stp->rstp, s->address);
        rstp_set_bridge_priority(stp->rstp, s->priority);
        rstp_set_bridge_ageing_time(stp->rstp, s->ageing_time);
        rstp_set_bridge_force_protocol_version(stp->rstp,
                                               s->force_protocol_version);
        rstp_set_bridge_max_age(stp->rstp, s->bridge_max_age);
        rstp_set_bridge_forward_delay(stp->rstp, s->bridge_forward_delay);
        rstp_set_bridge_transmit_hold_count(stp->rstp,
                                            s->transmit_hold_count);
    } else if (stp->rstp) {
        HMAP_FOR_EACH (port, hmap_node, &ofproto->ports) {
            of_set_rstp_port(port, NULL);
        }
        rstp_unref(stp->rstp);
        stp->rstp = NULL;
        refresh(bridge);
    }
}

void
of_get_rstp_status(struct ofproto *ofproto, struct ofproto_rstp_status *s)
{
    struct rstp *rstp = of_bridge_cast(ofproto)->stp.rstp;

    s->enabled = rstp != NULL;
    if (rstp) {
        s->root_id = rstp_get_root_id(rstp);
        s->bridge_id = rstp_get_bridge_id(rstp);
        s->designated_id = rstp_get_designated_id(rstp);
        s->root_path_cost = rstp_get_root_path_cost(rstp);
        s->designated_port_id = rstp_get_designated_port_id(rstp);
        s->bridge_port_id = rstp_get_bridge_port_id(rstp);
    }
}

void
of_set_rstp_port(struct ofport *ofport,
                 const struct ofproto_port_rstp_settings *s)
{
    struct rstp *rstp = of_bridge_cast(ofport->ofproto)->stp.rstp;
    struct of_port *port = of_port_cast(ofport);
    struct rstp_port *rp = port->link.rstp_port;

    if (!s || !s->enable) {
        if (rp) {
            rstp_port_set_aux(rp, NULL);
            rstp_port_set_state(rp, RSTP_DISABLED);
            rstp_port_set_mac_operational(rp, false);
            port->link.rstp_port = NULL;
            rstp_port_unref(rp);
            update_rstp_state(port);
        }
        return;
    }
    if (!rp) {
        rp = port->link.rstp_port = rstp_add_port(rstp);
    }
    rstp_port_set(rp, s->port_num, s->priority, s->path_cost,
                  s->admin_edge_port, s->auto_edge, s->admin_p2p_mac_state,
                  s->admin_port_state, s->mcheck, port,
                  netdev_get_name(ofport->netdev));
    update_rstp_state(port);
    of_port_update_flags(port);
    rstp_port_set_mac_operational(rp, ofport->may_enable);
}

void
of_get_rstp_port_status(struct ofport *ofport,
                        struct ofproto_port_rstp_status *s)
{
    struct rstp_port *rp = of_port_cast(ofport)->link.rstp_port;

    s->enabled = rp && of_bridge_cast(ofport->ofproto)->stp.rstp;
    if (s->enabled) {
        rstp_port_get_status(rp, &s->port_id, &s->state, &s->role,
                             &s->designated_bridge_id,
                             &s->designated_port_id,
                             &s->designated_path_cost, &s->tx_count,
                             &s->rx_count, &s->error_count, &s->uptime);
    }
}
