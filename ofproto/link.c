/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/link.h"

#include <errno.h>
#include "bfd.h"
#include "cfm.h"
#include "dp-packet.h"
#include "flow.h"
#include "lacp.h"
#include "netdev.h"
#include "ofproto/bond.h"
#include "ovs-lldp.h"
#include "packets.h"
#include "seq.h"
#include "smap.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/bonding.h"
#include "ofproto/l2-private.h"
#include "ofproto/monitor.h"
#include "ofproto/of.h"

/* Receiving, on a worker. */

enum { BFD_PORT = 3784 };       /* RFC 5881, section 4. */

/* Whether the packet, by its first bytes, may be of interest: most are not,
 * and cost no more than this. */
static bool
is_candidate(const struct dp_ctx *ctx, const struct of_l2_port *port)
{
    const uint8_t *p = ctx->data;
    uint16_t type = p[12] << 8 | p[13];

    if (port->bfd && type != ETH_TYPE_LACP) {
        /* UDP in IPv4, maybe below a tag. */
        return true;
    }
    return ((port->lacp && type == ETH_TYPE_LACP)
            || port->cfm || port->lldp
            || (port->stp && p[0] == 0x01 && p[1] == 0x80
                && p[2] == 0xc2));
}

/* Which ring the packet belongs to, or DP_N_UPCALLS. */
static enum dp_upcall_kind
classify(const struct of_l2_port *port, const struct flow *flow)
{
    struct flow_wildcards wc;   /* Written to, never read. */

    if (port->cfm && cfm_should_process_flow(port->cfm, flow, &wc)) {
        return DP_UPCALL_CFM;
    } else if (port->bfd && bfd_should_process_flow(port->bfd, flow, &wc)) {
        return DP_UPCALL_BFD;
    } else if (port->lacp && flow->dl_type == htons(ETH_TYPE_LACP)) {
        return DP_UPCALL_LACP;
    } else if (port->stp && is_stp(flow)) {
        return DP_UPCALL_STP;
    } else if (port->lldp && lldp_should_process_flow(port->lldp, flow)) {
        return DP_UPCALL_LLDP;
    }
    return DP_N_UPCALLS;
}

bool
of_link_ingress(struct dp_ctx *ctx, const struct of_l2_port *port)
{
    enum dp_upcall_kind kind;
    struct flow flow;

    if (!is_candidate(ctx, port)) {
        return false;
    }
    dp_ctx_parse(ctx);
    dp_ctx_flow(ctx, &flow);
    kind = classify(port, &flow);
    if (kind == DP_N_UPCALLS) {
        return false;
    }
    if (!dp_ctx_upcall(ctx, kind, NULL, true)) {
        dp_ctx_drop(ctx, DP_DROP_UPCALL_FULL);
    }
    return true;
}

/* Receiving, in the main thread. */

static void
receive_bfd(struct of_port *port, const struct dp_upcall *upcall)
{
    struct bfd *bfd = port->link.bfd;

    if (bfd) {
        bfd_process_packet(bfd, upcall->flow, upcall->packet);
        if (bfd_should_send_packet(bfd)) {
            /* A poll wants its answer at once. */
            of_monitor_send_soon(port);
        }
    }
}

static void
receive_cfm(struct of_port *port, const struct dp_upcall *upcall)
{
    if (port->link.cfm) {
        cfm_process_heartbeat(port->link.cfm, upcall->packet);
    }
}

static void
receive_lldp(struct of_port *port, const struct dp_upcall *upcall)
{
    if (port->link.lldp) {
        lldp_process_packet(port->link.lldp, upcall->packet);
    }
}

static void
receive_lacp(struct of_port *port, const struct dp_upcall *upcall)
{
    struct of_bundle *bundle = port->bundle;

    if (bundle && bundle->lacp
        && lacp_process_packet(bundle->lacp, port, upcall->packet)
        && bundle->bond) {
        of_bundle_member_may_enable(bundle, port);
    }
}

static void
receive_stp(struct of_port *port, const struct dp_upcall *upcall)
{
    of_stp_receive(port, upcall->packet);
}

typedef void receive_fn(struct of_port *, const struct dp_upcall *);

static void
link_upcall(struct dp_upcall *upcall, void *receive_)
{
    struct of_bridge *bridge = of_bridge_of_dp(upcall->bridge);
    struct of_port *port = of_port_get(bridge,
                                       upcall->flow->in_port.ofp_port);
    receive_fn *receive = receive_;

    if (port) {
        receive(port, upcall);
    }
}

void
of_link_init(struct dp *dp)
{
    dp_set_upcall_cb(dp, DP_UPCALL_BFD, link_upcall, receive_bfd);
    dp_set_upcall_cb(dp, DP_UPCALL_CFM, link_upcall, receive_cfm);
    dp_set_upcall_cb(dp, DP_UPCALL_LLDP, link_upcall, receive_lldp);
    dp_set_upcall_cb(dp, DP_UPCALL_LACP, link_upcall, receive_lacp);
    dp_set_upcall_cb(dp, DP_UPCALL_STP, link_upcall, receive_stp);
}

void
of_port_send(struct of_port *port, struct dp_packet *packet)
{
    if (port->dpp) {
        dp_port_send(port->dpp, packet);
    } else {
        dp_packet_delete(packet);
    }
}

/* Life. */

static void
changed(struct of_port *port)
{
    struct of_l2 *l2 = of_bridge_cast(port->up.ofproto)->l2;

    of_monitor_port(port);
    l2->conf_stale = true;
    of_l2_refresh(l2);
}

void
of_link_port_init(struct of_port *port)
{
    port->link.stp_state = STP_DISABLED;
    port->link.rstp_state = RSTP_DISABLED;
}

void
of_link_port_destroy(struct of_port *port)
{
    struct of_link *link = &port->link;

    of_monitor_remove(port);
    of_stp_port_destroy(port);
    bfd_unref(link->bfd);
    cfm_unref(link->cfm);
    lldp_unref(link->lldp);
    link->bfd = NULL;
    link->cfm = NULL;
    link->lldp = NULL;
}

void
of_link_port_modified(struct of_port *port)
{
    struct netdev *netdev = port->up.netdev;

    if (port->bundle && port->bundle->bond) {
        of_bundle_member_set_netdev(port->bundle, port);
    }
    if (port->link.cfm) {
        cfm_set_netdev(port->link.cfm, netdev);
    }
    if (port->link.bfd) {
        bfd_set_netdev(port->link.bfd, netdev);
    }
    of_monitor_port(port);
}

bool
of_link_may_enable(struct of_port *port, bool carrier)
{
    struct lacp *lacp = port->bundle ? port->bundle->lacp : NULL;
    long long int carrier_seq = netdev_get_carrier_resets(port->up.netdev);
    struct of_link *link = &port->link;

    if (link->carrier_seq != carrier_seq) {
        link->carrier_seq = carrier_seq;
        lacp_member_carrier_changed(lacp, port, carrier);
    }

    /* Of BFD and CFM, one must say that the link works. */
    return (carrier
            && (!(link->bfd || link->cfm)
                || (link->cfm && !cfm_get_fault(link->cfm)
                    && cfm_get_opup(link->cfm) != 0)
                || (link->bfd && bfd_forwarding(link->bfd)))
            && lacp_member_may_enable(lacp, port));
}

void
of_link_enabled(struct of_port *port, bool enable)
{
    if (port->link.rstp_port) {
        rstp_port_set_mac_operational(port->link.rstp_port, enable);
    }
}

void
of_link_fill(const struct of_port *port, struct of_l2_port *p)
{
    const struct of_bridge *bridge = of_bridge_cast(port->up.ofproto);

    p->lacp = port->bundle && port->bundle->lacp;
    p->stp = bridge->stp.stp || bridge->stp.rstp;
    p->bfd = bfd_ref(port->link.bfd);
    p->cfm = cfm_ref(port->link.cfm);
    p->lldp = lldp_ref(port->link.lldp);
}

/* struct ofproto_class. */

int
of_set_cfm(struct ofport *ofport, const struct cfm_settings *s)
{
    struct of_port *port = of_port_cast(ofport);
    struct of_link *link = &port->link;
    int error = 0;

    if (s && !link->cfm) {
        link->cfm = cfm_create(ofport->netdev);
    }
    if (!s || !cfm_configure(link->cfm, s)) {
        error = s ? EINVAL : 0;
        if (!link->cfm) {
            return error;
        }
        cfm_unref(link->cfm);
        link->cfm = NULL;
    }
    changed(port);
    return error;
}

bool
of_cfm_status_changed(struct ofport *ofport)
{
    struct cfm *cfm = of_port_cast(ofport)->link.cfm;

    return cfm ? cfm_check_status_change(cfm) : true;
}

int
of_get_cfm_status(const struct ofport *ofport, struct cfm_status *status)
{
    const struct cfm *cfm = of_port_cast(ofport)->link.cfm;

    if (!cfm) {
        return ENOENT;
    }
    cfm_get_status(cfm, status);
    return 0;
}

int
of_set_bfd(struct ofport *ofport, const struct smap *cfg)
{
    struct of_port *port = of_port_cast(ofport);
    struct bfd *old = port->link.bfd;

    port->link.bfd = bfd_configure(old, netdev_get_name(ofport->netdev), cfg,
                                   ofport->netdev);
    if (port->link.bfd || old) {
        changed(port);
    }
    return 0;
}

bool
of_bfd_status_changed(struct ofport *ofport)
{
    struct bfd *bfd = of_port_cast(ofport)->link.bfd;

    return bfd ? bfd_check_status_change(bfd) : true;
}

int
of_get_bfd_status(struct ofport *ofport, struct smap *status)
{
    const struct bfd *bfd = of_port_cast(ofport)->link.bfd;

    if (!bfd) {
        return ENOENT;
    }
    bfd_get_status(bfd, status);
    return 0;
}

int
of_set_lldp(struct ofport *ofport, const struct smap *cfg)
{
    struct of_port *port = of_port_cast(ofport);
    struct of_link *link = &port->link;
    int error = 0;

    if (cfg && !smap_is_empty(cfg)) {
        if (!link->lldp) {
            link->lldp = lldp_create(ofport->netdev, ofport->mtu, cfg);
        }
        if (!lldp_configure(link->lldp, cfg)) {
            lldp_unref(link->lldp);
            link->lldp = NULL;
            error = EINVAL;
        }
    } else if (link->lldp) {
        lldp_unref(link->lldp);
        link->lldp = NULL;
    } else {
        return 0;
    }
    changed(port);
    return error;
}

bool
of_get_lldp_status(const struct ofport *ofport,
                   struct lldp_status *status OVS_UNUSED)
{
    return of_port_cast(ofport)->link.lldp != NULL;
}

int
of_port_is_lacp_current(const struct ofport *ofport)
{
    const struct of_port *port = of_port_cast(ofport);

    return (port->bundle && port->bundle->lacp
            ? lacp_member_is_current(port->bundle->lacp, port) : -1);
}

int
of_port_get_lacp_stats(const struct ofport *ofport,
                       struct lacp_member_stats *stats)
{
    const struct of_port *port = of_port_cast(ofport);

    return (port->bundle && port->bundle->lacp
            && lacp_get_member_stats(port->bundle->lacp, port, stats)
            ? 0 : -1);
}
