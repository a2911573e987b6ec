/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/l2.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "bitmap.h"
#include "hash.h"
#include "lacp.h"
#include "netdev.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "vlan-bitmap.h"
#include "datapath/dp.h"
#include "ofproto/bonding.h"
#include "ofproto/l2-private.h"
#include "ofproto/link.h"
#include "ofproto/mcast.h"
#include "ofproto/mirror.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"

VLOG_DEFINE_THIS_MODULE(of_l2);

/* Life. */

/* arg[]: the address's first four bytes; its last two and the VLAN; the
 * port; whether it was a gratuitous ARP (of_normal()). */
static void
learn_upcall(struct dp_upcall *upcall, void *aux OVS_UNUSED)
{
    struct of_bridge *bridge = of_bridge_of_dp(upcall->bridge);
    struct eth_addr mac;

    if (bridge && bridge->l2) {
        uint64_t bits = ((uint64_t) upcall->arg[0] << 16
                         | upcall->arg[1] >> 16);

        eth_addr_from_uint64(bits, &mac);
        of_l2_learn(bridge->l2, mac, upcall->arg[1] & 0xffff,
                    u16_to_ofp(upcall->arg[2]), upcall->arg[3]);
    }
}

static pthread_t main_thread;

bool
of_l2_in_main_thread(void)
{
    return pthread_equal(pthread_self(), main_thread);
}

/* Worker: what is looked at before the tables. */
static bool
ingress(struct dp_ctx *ctx)
{
    const struct of_bridge *bridge = of_bridge_of_dp(dp_ctx_bridge(ctx));
    const struct of_l2_conf *conf = ovsrcu_get(struct of_l2_conf *,
                                               &bridge->l2->conf);
    const struct of_l2_port *port;

    port = of_l2_conf_port(conf, u16_to_ofp(ctx->in_port));
    if (!port) {
        return false;
    }
    if (of_link_ingress(ctx, port)) {
        return true;
    }
    if (port->bundle != OF_L2_NO_BUNDLE) {
        of_mirror_ingress(ctx, conf, &conf->bundles[port->bundle]);
    }
    return false;
}

void
of_l2_init(struct dp *dp)
{
    dp_set_ingress(ingress);
    dp_set_egress(of_mirror_egress);
    of_link_init(dp);
    main_thread = pthread_self();
    dp_set_normal(of_normal);
    dp_set_upcall_cb(dp, DP_UPCALL_MAC_LEARN, learn_upcall, NULL);
    of_mcast_init(dp);
    of_fdb_cmd_init();
}

int
of_l2_create(struct of_bridge *bridge, struct of_l2 **l2p)
{
    struct of_l2 *l2 = xzalloc(sizeof *l2);
    int error = of_fdb_create(&l2->fdb);

    *l2p = NULL;
    if (error) {
        free(l2);
        return error;
    }
    l2->bridge = bridge;
    hmap_init(&l2->bundles);
    ovsrcu_init(&l2->conf, of_l2_conf_create(0, 0));
    ovsrcu_init(&l2->mdb, NULL);
    *l2p = l2;
    return 0;
}

static void
l2_free(struct of_l2 *l2)
{
    of_l2_conf_destroy(ovsrcu_get_protected(struct of_l2_conf *, &l2->conf));
    of_mdb_destroy(ovsrcu_get_protected(struct of_mdb *, &l2->mdb));
    of_fdb_destroy(l2->fdb);
    bitmap_free(l2->flood_vlans);
    hmap_destroy(&l2->bundles);
    free(l2);
}

static void bundle_destroy(struct of_bundle *);

void
of_l2_destroy(struct of_l2 *l2)
{
    struct of_bundle *bundle;

    if (l2) {
        of_mirrors_destroy(l2);
        HMAP_FOR_EACH_SAFE (bundle, node, &l2->bundles) {
            bundle_destroy(bundle);
        }
        of_mcast_destroy(l2);
        /* A worker may be in of_normal(). */
        ovsrcu_postpone(l2_free, l2);
    }
}

void
of_l2_run(struct of_l2 *l2)
{
    struct of_bundle *bundle;

    HMAP_FOR_EACH (bundle, node, &l2->bundles) {
        of_bundle_run(bundle);
    }
    of_l2_refresh(l2);
    of_fdb_run(l2->fdb);
    of_mcast_run(l2);
}

void
of_l2_wait(struct of_l2 *l2)
{
    struct of_bundle *bundle;

    HMAP_FOR_EACH (bundle, node, &l2->bundles) {
        of_bundle_wait(bundle);
    }
    of_fdb_wait(l2->fdb);
    of_mcast_wait(l2);
}

/* What workers see. */

ofp_port_t
of_bundle_port(const struct of_bundle *bundle)
{
    return CONTAINER_OF(ovs_list_front(&bundle->ports), struct of_port,
                        bundle_node)->up.ofp_port;
}

static bool
is_floodable(const struct of_bundle *bundle)
{
    const struct of_port *port;

    LIST_FOR_EACH (port, bundle_node, &bundle->ports) {
        /* A bond's other members go on. */
        uint32_t out = (OFPUTIL_PC_NO_FLOOD
                        | (bundle->bond ? 0 : OFPUTIL_PC_PORT_DOWN));

        if (port->is_layer3 || port->up.pp.config & out
            || netdev_get_pt_mode(port->up.netdev) == NETDEV_PT_LEGACY_L3
            || of_stp_port_flags(port)) {
            return false;
        }
    }
    return true;
}

static void
fill_bundle(const struct of_bundle *bundle, struct of_l2_bundle *b)
{
    *b = bundle->conf;
    b->port = of_bundle_port(bundle);
    b->bond = of_bond_ref(bundle->bond);
    b->floodable = is_floodable(bundle);
    b->trunks = vlan_bitmap_clone(bundle->conf.trunks);
    b->cvlans = vlan_bitmap_clone(bundle->conf.cvlans);
}

static struct of_l2_conf *
conf_make(const struct of_l2 *l2)
{
    const struct hmap *ports = &l2->bridge->dpif.up.ports;
    const struct of_bundle **bundles;
    const struct of_bundle *bundle;
    const struct of_port *port;
    struct of_l2_conf *conf;
    size_t i = 0;

    conf = of_l2_conf_create(hmap_count(&l2->bundles), hmap_count(ports));
    bundles = xcalloc(MAX(1, conf->n_bundles), sizeof *bundles);
    conf->forward_bpdu = l2->forward_bpdu;
    conf->flood_vlans = vlan_bitmap_clone(l2->flood_vlans);
    HMAP_FOR_EACH (bundle, node, &l2->bundles) {
        bundles[i] = bundle;
        fill_bundle(bundle, &conf->bundles[i++]);
    }
    HMAP_FOR_EACH (port, up.hmap_node, ports) {
        struct of_l2_port *p;

        for (i = 0; i < conf->n_bundles; i++) {
            if (bundles[i] == port->bundle) {
                break;
            }
        }
        p = of_l2_conf_add_port(conf, port->up.ofp_port,
                                i < conf->n_bundles ? i : OF_L2_NO_BUNDLE);
        of_link_fill(port, p);
        if (port->bundle && port->bundle->bond) {
            of_bundle_member_verdicts(port->bundle, port, p);
        }
    }
    of_mirrors_fill(l2, conf, bundles);
    free(bundles);
    return conf;
}

/* What the datapath must know of each port, and of them all. */
static void
update_datapath(const struct of_l2 *l2, const struct of_l2_conf *conf)
{
    struct of_port *port;

    DP_CONF_SET(dp_bridge_conf(l2->bridge->dpb)->watch_outputs,
                conf->mirrors_used != 0);
    HMAP_FOR_EACH (port, up.hmap_node, &l2->bridge->dpif.up.ports) {
        const struct of_l2_port *p = of_l2_conf_port(conf, port->up.ofp_port);

        port->watched = (p->lacp || p->stp || p->bfd || p->cfm || p->lldp
                         || (p->bundle != OF_L2_NO_BUNDLE
                             && conf->bundles[p->bundle].src_mirrors));
        of_port_update_flags(port);
    }
    for (size_t i = 0; i < conf->n_bundles; i++) {
        if (conf->bundles[i].bond
            && of_bond_hashes_l4(conf->bundles[i].bond)) {
            of_pipeline_set_min_parse(l2->bridge->pipeline, OF_PARSE_L4);
        }
    }
}

void
of_l2_refresh(struct of_l2 *l2)
{
    bool forward_bpdu = l2->bridge->dpif.up.forward_bpdu;

    if (l2->conf_stale || l2->forward_bpdu != forward_bpdu) {
        struct of_l2_conf *old;

        l2->forward_bpdu = forward_bpdu;
        old = ovsrcu_get_protected(struct of_l2_conf *, &l2->conf);
        ovsrcu_set(&l2->conf, conf_make(l2));
        update_datapath(l2, ovsrcu_get_protected(struct of_l2_conf *,
                                                 &l2->conf));
        ovsrcu_postpone(of_l2_conf_destroy, old);
        l2->conf_stale = false;
        /* Bundles may have another first port. */
        l2->mdb_stale = true;
    }
}

/* Bundles. */

struct of_bundle *
of_bundle_lookup(const struct of_l2 *l2, const void *aux)
{
    struct of_bundle *bundle;

    HMAP_FOR_EACH_IN_BUCKET (bundle, node, hash_pointer(aux, 0),
                             &l2->bundles) {
        if (bundle->aux == aux) {
            return bundle;
        }
    }
    return NULL;
}

static struct of_bundle *
bundle_create(struct of_l2 *l2, void *aux)
{
    struct of_bundle *bundle = xzalloc(sizeof *bundle);

    hmap_insert(&l2->bundles, &bundle->node, hash_pointer(aux, 0));
    bundle->l2 = l2;
    bundle->aux = aux;
    bundle->conf.vlan_mode = PORT_VLAN_TRUNK;
    bundle->conf.qinq_ethtype = ETH_TYPE_VLAN_8021AD;
    ovs_list_init(&bundle->ports);
    l2->conf_stale = true;
    return bundle;
}

static void
bundle_del_port(struct of_port *port)
{
    struct of_bundle *bundle = port->bundle;

    of_bundle_bond_del_port(bundle, port);
    ovs_list_remove(&port->bundle_node);
    bundle->l2->conf_stale = true;
    port->bundle = NULL;
}

static void
bundle_destroy(struct of_bundle *bundle)
{
    const struct of_bridge *other;
    struct of_l2 *l2 = bundle->l2;
    struct of_port *port;
    struct mac_entry *e;

    LIST_FOR_EACH_SAFE (port, bundle_node, &bundle->ports) {
        bundle_del_port(port);
    }

    /* When a VM moves to this host, its address may be known as being behind
     * a patch port of another bridge: forget it there too. */
    LIST_FOR_EACH (e, lru_node, &l2->fdb->ml->lrus) {
        if (mac_entry_get_port(l2->fdb->ml, e) != bundle) {
            continue;
        }
        OF_BRIDGE_FOR_EACH (other) {
            if (other->l2 && other->l2 != l2) {
                of_fdb_forget(other->l2->fdb, e->mac, e->vlan);
            }
        }
    }
    of_fdb_flush_owner(l2->fdb, bundle);
    of_mcast_forget_bundle(l2, bundle);

    of_mirrors_forget_bundle(l2, bundle);
    hmap_remove(&l2->bundles, &bundle->node);
    l2->conf_stale = true;
    lacp_unref(bundle->lacp);
    of_bundle_bond_gone(bundle);
    bitmap_free(bundle->conf.trunks);
    bitmap_free(bundle->conf.cvlans);
    free(bundle->name);
    free(bundle);
}

static bool
is_member(const struct ofproto_bundle_settings *s, const struct of_port *port)
{
    for (size_t i = 0; i < s->n_members; i++) {
        if (s->members[i] == port->up.ofp_port) {
            return true;
        }
    }
    return false;
}

static void
bundle_add_port(struct of_bundle *bundle, struct of_port *port,
                const struct lacp_member_settings *lacp)
{
    if (port->bundle != bundle) {
        if (port->bundle) {
            of_bundle_remove(&port->up);
        }
        port->bundle = bundle;
        ovs_list_push_back(&bundle->ports, &port->bundle_node);
        bundle->l2->conf_stale = true;
    }
    if (lacp) {
        lacp_member_register(bundle->lacp, port, lacp);
        bundle->l2->conf_stale = true;
    }
}

/* Makes 'bundle' consist of the ports of 's', those that exist.  What was
 * learned behind it is void if the port changes that stands for it. */
static void
bundle_set_ports(struct of_bundle *bundle,
                 const struct ofproto_bundle_settings *s)
{
    const struct of_bridge *bridge = bundle->l2->bridge;
    ofp_port_t first = (ovs_list_is_empty(&bundle->ports) ? OFPP_NONE
                        : of_bundle_port(bundle));
    struct of_port *port;

    for (size_t i = 0; i < s->n_members; i++) {
        port = of_port_get(bridge, s->members[i]);
        if (port) {
            bundle_add_port(bundle, port,
                            s->lacp ? &s->lacp_members[i] : NULL);
        }
    }
    LIST_FOR_EACH_SAFE (port, bundle_node, &bundle->ports) {
        if (!is_member(s, port)) {
            bundle_del_port(port);
        }
    }
    if (first != OFPP_NONE && (ovs_list_is_empty(&bundle->ports)
                               || of_bundle_port(bundle) != first)) {
        of_fdb_flush_owner(bundle->l2->fdb, bundle);
    }
}

/* The VLANs that a port with these settings trunks, to be freed. */
static unsigned long *
make_trunks(const struct ofproto_bundle_settings *s, int vlan)
{
    bool is_native = (s->vlan_mode == PORT_VLAN_NATIVE_TAGGED
                      || s->vlan_mode == PORT_VLAN_NATIVE_UNTAGGED);
    unsigned long *trunks;

    if (s->vlan_mode == PORT_VLAN_TRUNK || (is_native && !vlan)) {
        return vlan_bitmap_clone(s->trunks);
    }
    if (!is_native) {
        return NULL;
    }
    /* The native VLAN is one of them; VLAN 0 is not, it means the native
     * one. */
    trunks = (s->trunks ? bitmap_clone(s->trunks, 4096)
              : bitmap_allocate1(4096));
    bitmap_set1(trunks, vlan);
    bitmap_set0(trunks, 0);
    return trunks;
}

static bool
set_bitmap(unsigned long **bitmap, unsigned long *new)
{
    if (vlan_bitmap_equal(*bitmap, new)) {
        bitmap_free(new);
        return false;
    }
    bitmap_free(*bitmap);
    *bitmap = new;
    return true;
}

/* Returns true if something changed that makes what was learned void. */
static bool
bundle_configure(struct of_bundle *bundle,
                 const struct ofproto_bundle_settings *s)
{
    int vlan = s->vlan >= 0 && s->vlan <= 4095 ? s->vlan : 0;
    struct of_l2_bundle *conf = &bundle->conf;
    bool changed;

    if (s->vlan_mode == PORT_VLAN_TRUNK) {
        vlan = 0;
    }
    changed = (conf->vlan_mode != s->vlan_mode
               || conf->priority_tags != s->use_priority_tags
               || conf->qinq_ethtype != s->qinq_ethtype
               || conf->vlan != vlan
               || conf->protected != s->protected);
    conf->vlan_mode = s->vlan_mode;
    conf->priority_tags = s->use_priority_tags;
    conf->qinq_ethtype = s->qinq_ethtype;
    conf->vlan = vlan;
    conf->protected = s->protected;
    changed |= set_bitmap(&conf->trunks, make_trunks(s, vlan));
    changed |= set_bitmap(&conf->cvlans,
                          s->vlan_mode == PORT_VLAN_DOT1Q_TUNNEL
                          ? vlan_bitmap_clone(s->cvlans) : NULL);
    return changed;
}

int
of_bundle_set(struct ofproto *ofproto, void *aux,
              const struct ofproto_bundle_settings *s)
{
    struct of_l2 *l2 = of_bridge_cast(ofproto)->l2;
    struct of_bundle *bundle = of_bundle_lookup(l2, aux);

    if (!s) {
        if (bundle) {
            bundle_destroy(bundle);
        }
        return 0;
    }
    if (!bundle) {
        bundle = bundle_create(l2, aux);
    }
    if (!bundle->name || strcmp(s->name, bundle->name)) {
        free(bundle->name);
        bundle->name = xstrdup(s->name);
    }
    of_bundle_set_lacp(bundle, s);
    bundle_set_ports(bundle, s);
    if (ovs_list_is_empty(&bundle->ports)) {
        bundle_destroy(bundle);
        return EINVAL;
    }
    of_bundle_set_bond(bundle, s);
    if (bundle_configure(bundle, s)) {
        of_fdb_flush_owner(l2->fdb, bundle);
        of_mcast_flush_bundle(l2, bundle);
        l2->conf_stale = true;
    }
    return 0;
}

void
of_bundle_remove(struct ofport *port_)
{
    struct of_port *port = of_port_cast(port_);
    struct of_bundle *bundle = port->bundle;

    if (bundle) {
        bool was_first = of_bundle_port(bundle) == port->up.ofp_port;

        bundle_del_port(port);
        if (ovs_list_is_empty(&bundle->ports)) {
            bundle_destroy(bundle);
            return;
        }
        if (ovs_list_is_short(&bundle->ports)) {
            of_bundle_bond_gone(bundle);
        }
        if (was_first) {
            of_fdb_flush_owner(bundle->l2->fdb, bundle);
        }
    }
}

void
of_l2_port_changed(struct of_port *port)
{
    if (port->bundle) {
        /* At once: the barrier after a port_mod promises it. */
        port->bundle->l2->conf_stale = true;
        of_l2_refresh(port->bundle->l2);
    }
}

void
of_l2_port_gone(struct of_port *port)
{
    of_bundle_remove(&port->up);
}

/* Other settings. */

int
of_set_flood_vlans(struct ofproto *ofproto, unsigned long *flood_vlans)
{
    struct of_l2 *l2 = of_bridge_cast(ofproto)->l2;

    of_fdb_set_flood_vlans(l2->fdb, flood_vlans);
    if (set_bitmap(&l2->flood_vlans, vlan_bitmap_clone(flood_vlans))) {
        l2->conf_stale = true;
    }
    return 0;
}

void
of_set_mac_table_config(struct ofproto *ofproto, unsigned int idle_time,
                        size_t max_entries)
{
    struct of_l2 *l2 = of_bridge_cast(ofproto)->l2;

    of_fdb_set_idle_time(l2->fdb, idle_time);
    of_fdb_set_max_entries(l2->fdb, max_entries);
}

void
of_forward_bpdu_changed(struct ofproto *ofproto)
{
    of_l2_refresh(of_bridge_cast(ofproto)->l2);
}

/* The FDB. */

void
of_l2_learn(struct of_l2 *l2, struct eth_addr mac, uint16_t vlan,
            ofp_port_t port_no, bool gratuitous_arp)
{
    const struct of_port *port = of_port_get(l2->bridge, port_no);

    if (port && port->bundle) {
        struct of_fdb_source src = {
            .mac = mac,
            .vlan = vlan,
            .gratuitous_arp = gratuitous_arp,
            .is_bond = port->bundle->bond != NULL,
            .owner = port->bundle,
            .port = of_bundle_port(port->bundle),
        };

        of_fdb_learn(l2->fdb, &src);
    }
}

ofp_port_t
of_l2_lookup(const struct of_l2 *l2, struct eth_addr mac, uint16_t vlan)
{
    const struct of_bundle *bundle = of_fdb_lookup(l2->fdb, mac, vlan);

    return bundle ? of_bundle_port(bundle) : OFPP_NONE;
}

void
of_l2_flush(struct of_l2 *l2)
{
    of_fdb_flush(l2->fdb);
    of_mcast_flush(l2);
}
