/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/mcast.h"

#include <stdlib.h>
#include <string.h>
#include "csum.h"
#include "dp-packet.h"
#include "flow.h"
#include "hash.h"
#include "mcast-snooping.h"
#include "packets.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/l2-private.h"
#include "ofproto/of.h"

/* The copy that NORMAL reads. */

static uint32_t
set_hash(const struct in6_addr *group, uint16_t vlan)
{
    return hash_bytes(group, sizeof *group, vlan);
}

static const struct of_mcast_set *
set_find(const struct hmap *sets, const struct in6_addr *group, uint16_t vlan)
{
    const struct of_mcast_set *set;

    HMAP_FOR_EACH_WITH_HASH (set, node, set_hash(group, vlan), sets) {
        if (set->vlan == vlan && ipv6_addr_equals(&set->group, group)) {
            return set;
        }
    }
    return NULL;
}

/* Ports being collected for a set. */
struct collection {
    ofp_port_t *ports;
    size_t n, allocated;
};

static void
collect(struct collection *c, const void *bundle)
{
    if (c->n >= c->allocated) {
        c->ports = x2nrealloc(c->ports, &c->allocated, sizeof *c->ports);
    }
    c->ports[c->n++] = of_bundle_port(bundle);
}

static void
collect_ports(struct collection *c, const struct ovs_list *ports)
{
    const struct mcast_port_bundle *b;

    LIST_FOR_EACH (b, node, ports) {
        collect(c, b->port);
    }
}

static void
collect_routers(struct collection *c, const struct mcast_snooping *ms,
                uint16_t vlan)
    OVS_REQ_RDLOCK(ms->rwlock)
{
    const struct mcast_mrouter_bundle *m;

    LIST_FOR_EACH (m, mrouter_node, &ms->mrouter_lru) {
        if (m->vlan == vlan) {
            collect(c, m->port);
        }
    }
}

static int
compare_ports(const void *a_, const void *b_)
{
    const ofp_port_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

/* Makes a set of what was collected, each port once, and starts anew. */
static struct of_mcast_set *
collected(struct collection *c, const struct in6_addr *group, uint16_t vlan)
{
    struct of_mcast_set *set = xzalloc(sizeof *set
                                       + c->n * sizeof *set->ports);

    set->group = *group;
    set->vlan = vlan;
    qsort(c->ports, c->n, sizeof *c->ports, compare_ports);
    for (size_t i = 0; i < c->n; i++) {
        if (!i || c->ports[i] != c->ports[i - 1]) {
            set->ports[set->n++] = c->ports[i];
        }
    }
    c->n = 0;
    return set;
}

static void
add_set(struct hmap *sets, struct of_mcast_set *set)
{
    hmap_insert(sets, &set->node, set_hash(&set->group, set->vlan));
}

static void
add_group(struct of_mdb *mdb, const struct mcast_snooping *ms,
          const struct mcast_group *g, struct collection *c)
    OVS_REQ_RDLOCK(ms->rwlock)
{
    const struct mcast_group_bundle *b;

    LIST_FOR_EACH (b, bundle_node, &g->bundle_lru) {
        collect(c, b->port);
    }
    collect_ports(c, &ms->fport_list);
    collect_routers(c, ms, g->vlan);
    add_set(&mdb->groups, collected(c, &g->addr, g->vlan));
}

static struct of_mdb *
mdb_make(const struct mcast_snooping *ms)
{
    struct of_mdb *mdb = xzalloc(sizeof *mdb);
    const struct mcast_mrouter_bundle *m;
    struct collection c = { NULL, 0, 0 };
    const struct mcast_group *g;

    hmap_init(&mdb->groups);
    hmap_init(&mdb->reports);
    hmap_init(&mdb->unregistered);

    ovs_rwlock_rdlock(&ms->rwlock);
    mdb->flood_unregistered = ms->flood_unreg;
    LIST_FOR_EACH (g, group_node, &ms->group_lru) {
        add_group(mdb, ms, g, &c);
    }
    LIST_FOR_EACH (m, mrouter_node, &ms->mrouter_lru) {
        if (!set_find(&mdb->reports, &in6addr_any, m->vlan)) {
            collect_routers(&c, ms, m->vlan);
            collect_ports(&c, &ms->rport_list);
            add_set(&mdb->reports, collected(&c, &in6addr_any, m->vlan));
            collect_routers(&c, ms, m->vlan);
            collect_ports(&c, &ms->fport_list);
            add_set(&mdb->unregistered, collected(&c, &in6addr_any, m->vlan));
        }
    }
    collect_ports(&c, &ms->rport_list);
    mdb->other_reports = collected(&c, &in6addr_any, 0);
    collect_ports(&c, &ms->fport_list);
    mdb->other_unregistered = collected(&c, &in6addr_any, 0);
    ovs_rwlock_unlock(&ms->rwlock);

    free(c.ports);
    return mdb;
}

static void
sets_destroy(struct hmap *sets)
{
    struct of_mcast_set *set;

    HMAP_FOR_EACH_POP (set, node, sets) {
        free(set);
    }
    hmap_destroy(sets);
}

void
of_mdb_destroy(struct of_mdb *mdb)
{
    if (mdb) {
        sets_destroy(&mdb->groups);
        sets_destroy(&mdb->reports);
        sets_destroy(&mdb->unregistered);
        free(mdb->other_reports);
        free(mdb->other_unregistered);
        free(mdb);
    }
}

void
of_mcast_refresh(struct of_l2 *l2)
{
    if (l2->mdb_stale || (l2->ms && l2->ms->need_revalidate)) {
        struct of_mdb *old = ovsrcu_get_protected(struct of_mdb *, &l2->mdb);

        l2->mdb_stale = false;
        if (l2->ms) {
            l2->ms->need_revalidate = false;
        }
        ovsrcu_set(&l2->mdb, l2->ms ? mdb_make(l2->ms) : NULL);
        if (old) {
            ovsrcu_postpone(of_mdb_destroy, old);
        }
    }
}

/* Forwarding. */

bool
of_mcast_applies(struct eth_addr dl_dst, ovs_be16 dl_type)
{
    return (eth_addr_is_multicast(dl_dst) && !eth_addr_is_broadcast(dl_dst)
            && dl_type_is_ip_any(dl_type));
}

/* RFC 4541, section 2.1.2: all ports get what is for all hosts of a link. */
static bool
is_link_local(const struct flow *flow)
{
    return (flow->dl_type == htons(ETH_TYPE_IP)
            ? ip_is_local_multicast(flow->nw_dst)
            : ipv6_is_all_hosts(&flow->ipv6_dst));
}

static const struct of_mcast_set *
of_vlan(const struct hmap *sets, uint16_t vlan,
        const struct of_mcast_set *other)
{
    const struct of_mcast_set *set = set_find(sets, &in6addr_any, vlan);

    return set ? set : other;
}

const struct of_mcast_set *
of_mcast_find(const struct of_mdb *mdb, const struct flow *flow,
              uint16_t vlan, bool *learn)
{
    const struct of_mcast_set *set;
    struct in6_addr group;
    bool is_report;

    *learn = false;
    if (is_igmp(flow, NULL)) {
        is_report = mcast_snooping_is_membership(flow->tp_src);
        *learn = is_report || mcast_snooping_is_query(flow->tp_src);
    } else if (is_mld(flow, NULL)) {
        is_report = is_mld_report(flow, NULL);
        *learn = true;
    } else if (is_link_local(flow)) {
        return NULL;
    } else {
        group = (flow->dl_type == htons(ETH_TYPE_IPV6) ? flow->ipv6_dst
                 : in6_addr_mapped_ipv4(flow->nw_dst));
        set = set_find(&mdb->groups, &group, vlan);
        return (set ? set
                : mdb->flood_unregistered ? NULL
                : of_vlan(&mdb->unregistered, vlan,
                          mdb->other_unregistered));
    }
    /* Section 2.1.1: only routers are to see reports. */
    return (is_report ? of_vlan(&mdb->reports, vlan, mdb->other_reports)
            : NULL);
}

/* Learning. */

static void
learn_igmp(struct mcast_snooping *ms, const struct flow *flow,
           const struct dp_packet *packet, uint16_t vlan,
           struct of_bundle *bundle)
    OVS_REQ_WRLOCK(ms->rwlock)
{
    const void *igmp = dp_packet_l4(packet);
    size_t size = dp_packet_l4_size(packet);

    if (!igmp || size < IGMP_HEADER_LEN || csum(igmp, size)) {
        return;
    }
    switch (ntohs(flow->tp_src)) {
    case IGMP_HOST_MEMBERSHIP_REPORT:
    case IGMPV2_HOST_MEMBERSHIP_REPORT:
        mcast_snooping_add_group4(ms, flow->igmp_group_ip4, vlan, bundle);
        break;

    case IGMP_HOST_LEAVE_MESSAGE:
        mcast_snooping_leave_group4(ms, flow->igmp_group_ip4, vlan, bundle);
        break;

    case IGMP_HOST_MEMBERSHIP_QUERY:
        /* One from nobody comes from a switch that has no address. */
        if (flow->nw_src) {
            mcast_snooping_add_mrouter(ms, vlan, bundle);
        }
        break;

    case IGMPV3_HOST_MEMBERSHIP_REPORT:
        mcast_snooping_add_report(ms, packet, vlan, bundle);
        break;
    }
}

static void
learn_mld(struct mcast_snooping *ms, const struct flow *flow,
          const struct dp_packet *packet, uint16_t vlan,
          struct of_bundle *bundle)
    OVS_REQ_WRLOCK(ms->rwlock)
{
    const void *mld = dp_packet_l4(packet);
    size_t size = dp_packet_l4_size(packet);

    if (!mld || size < MLD_HEADER_LEN + sizeof(struct in6_addr)
        || packet_csum_upperlayer6(dp_packet_l3(packet), mld, IPPROTO_ICMPV6,
                                   size)) {
        return;
    }
    if (!is_mld_query(flow, NULL)) {
        mcast_snooping_add_mld(ms, packet, vlan, bundle);
    } else if (!ipv6_addr_equals(&flow->ipv6_src, &in6addr_any)) {
        mcast_snooping_add_mrouter(ms, vlan, bundle);
    }
}

/* Whether all multicast is flooded to 'bundle' anyway. */
static bool
is_flooded(const struct mcast_snooping *ms, const struct of_bundle *bundle)
    OVS_REQ_RDLOCK(ms->rwlock)
{
    const struct mcast_port_bundle *b;

    LIST_FOR_EACH (b, node, &ms->fport_list) {
        if (b->port == bundle) {
            return true;
        }
    }
    return false;
}

void
of_mcast_learn(struct of_l2 *l2, struct dp_packet *packet, uint16_t vlan,
               ofp_port_t port_no)
{
    const struct of_port *port = of_port_get(l2->bridge, port_no);
    struct of_bundle *bundle = port ? port->bundle : NULL;
    struct flow flow;

    if (!l2->ms || !bundle) {
        return;
    }
    flow_extract(packet, &flow);
    ovs_rwlock_wrlock(&l2->ms->rwlock);
    if (is_flooded(l2->ms, bundle)) {
        /* Nothing to learn. */
    } else if (is_igmp(&flow, NULL)) {
        learn_igmp(l2->ms, &flow, packet, vlan, bundle);
    } else if (is_mld(&flow, NULL)) {
        learn_mld(l2->ms, &flow, packet, vlan, bundle);
    }
    ovs_rwlock_unlock(&l2->ms->rwlock);
}

/* arg[]: the VLAN; the port (of_normal()). */
static void
mcast_upcall(struct dp_upcall *upcall, void *aux OVS_UNUSED)
{
    struct of_bridge *bridge = of_bridge_of_dp(upcall->bridge);

    if (bridge && bridge->l2) {
        of_mcast_learn(bridge->l2, upcall->packet, upcall->arg[0],
                       u16_to_ofp(upcall->arg[1]));
    }
}

void
of_mcast_init(struct dp *dp)
{
    dp_set_upcall_cb(dp, DP_UPCALL_MCAST, mcast_upcall, NULL);
    of_mcast_cmd_init();
}

/* A bridge's. */

void
of_mcast_run(struct of_l2 *l2)
{
    if (mcast_snooping_run(l2->ms)) {
        l2->mdb_stale = true;
    }
    of_mcast_refresh(l2);
}

void
of_mcast_wait(struct of_l2 *l2)
{
    mcast_snooping_wait(l2->ms);
}

void
of_mcast_destroy(struct of_l2 *l2)
{
    mcast_snooping_unref(l2->ms);
    l2->ms = NULL;
}

void
of_mcast_flush(struct of_l2 *l2)
{
    mcast_snooping_mdb_flush(l2->ms);
}

void
of_mcast_flush_bundle(struct of_l2 *l2, struct of_bundle *bundle)
{
    mcast_snooping_flush_bundle(l2->ms, bundle);
}

static void
set_port(struct mcast_snooping *ms, struct of_bundle *bundle, bool flood,
         bool flood_reports)
{
    ovs_rwlock_wrlock(&ms->rwlock);
    mcast_snooping_set_port_flood(ms, bundle, flood);
    mcast_snooping_set_port_flood_reports(ms, bundle, flood_reports);
    ovs_rwlock_unlock(&ms->rwlock);
}

void
of_mcast_forget_bundle(struct of_l2 *l2, struct of_bundle *bundle)
{
    if (l2->ms) {
        mcast_snooping_flush_bundle(l2->ms, bundle);
        set_port(l2->ms, bundle, false, false);
        /* libopenvswitch does not count the routers among what changes. */
        l2->mdb_stale = true;
    }
}

int
of_set_mcast_snooping(struct ofproto *ofproto,
                      const struct ofproto_mcast_snooping_settings *s)
{
    struct of_l2 *l2 = of_bridge_cast(ofproto)->l2;

    if (!s) {
        l2->mdb_stale |= l2->ms != NULL;
        of_mcast_destroy(l2);
        return 0;
    }
    if (!l2->ms) {
        l2->ms = mcast_snooping_create();
        /* Reports are to be told from others. */
        of_pipeline_set_min_parse(l2->bridge->pipeline, OF_PARSE_L4);
        l2->mdb_stale = true;
    }
    ovs_rwlock_wrlock(&l2->ms->rwlock);
    mcast_snooping_set_idle_time(l2->ms, s->idle_time);
    mcast_snooping_set_max_entries(l2->ms, s->max_entries);
    if (mcast_snooping_set_flood_unreg(l2->ms, s->flood_unreg)) {
        l2->mdb_stale = true;
    }
    ovs_rwlock_unlock(&l2->ms->rwlock);
    return 0;
}

int
of_set_mcast_snooping_port(struct ofproto *ofproto, void *aux,
                           const struct ofproto_mcast_snooping_port_settings
                               *s)
{
    struct of_l2 *l2 = of_bridge_cast(ofproto)->l2;
    struct of_bundle *bundle = of_bundle_lookup(l2, aux);

    if (l2->ms && s && bundle) {
        set_port(l2->ms, bundle, s->flood, s->flood_reports);
    }
    return 0;
}
