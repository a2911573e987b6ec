/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/bonding.h"

#include <stdlib.h>
#include <string.h>
#include "dp-packet.h"
#include "flow.h"
#include "hash.h"
#include "lacp.h"
#include "netdev.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ofproto/bond.h"
#include "ovs-atomic.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/l2-private.h"
#include "ofproto/link.h"
#include "ofproto/of.h"

VLOG_DEFINE_THIS_MODULE(of_bonding);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 10);

enum {
    N_BUCKETS = 256,            /* As bond.c has them. */
    ACCOUNT_MS = 500            /* How often bytes are handed to bond.c. */
};

struct bucket {
    _Atomic(uint16_t) port;     /* Where its packets leave, or OFPP_NONE. */
    uint32_t sample;            /* make_sample()'s argument. */
    uint64_t accounted;         /* Bytes that bond.c knows. */
};

struct of_bond {
    struct ovs_refcount ref_cnt;
    struct bond *bond;          /* Owned. */
    enum bond_mode mode;
    uint32_t basis;
    long long int next_account; /* In ms. */
    struct bucket buckets[N_BUCKETS];
    /* A worker's own. */
    _Atomic(uint64_t) bytes[DP_MAX_WORKER_IDS][N_BUCKETS];
};

struct of_bond *
of_bond_ref(const struct of_bond *b_)
{
    struct of_bond *b = CONST_CAST(struct of_bond *, b_);

    if (b) {
        ovs_refcount_ref(&b->ref_cnt);
    }
    return b;
}

void
of_bond_unref(struct of_bond *b)
{
    if (b && ovs_refcount_unref(&b->ref_cnt) == 1) {
        free(b);
    }
}

bool
of_bond_hashes_l4(const struct of_bond *b)
{
    return b->mode == BM_TCP;
}

/* Buckets. */

/* As bond.c does it. */
static unsigned
bucket_of(const struct of_bond *b, const struct flow *flow, uint16_t vlan)
{
    return (b->mode == BM_AB ? 0
            : b->mode == BM_TCP ? flow_hash_5tuple(flow, b->basis)
            : hash_mac(flow->dl_src, vlan, b->basis)) % N_BUCKETS;
}

ofp_port_t
of_bond_choose(struct of_bond *b, const struct flow *flow, uint16_t vlan,
               uint32_t size, unsigned worker)
{
    unsigned i = bucket_of(b, flow, vlan);
    uint16_t port;
    uint64_t bytes;

    atomic_read_relaxed(&b->buckets[i].port, &port);
    atomic_read_relaxed(&b->bytes[worker][i], &bytes);
    atomic_store_relaxed(&b->bytes[worker][i], bytes + size);
    return u16_to_ofp(port);
}

/* A packet whose hash differs from one 'n' to the next. */
static void
make_sample(uint32_t n, struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    eth_addr_from_uint64(n, &flow->dl_src);
    flow->dl_type = htons(ETH_TYPE_IP);
    flow->nw_proto = IPPROTO_UDP;
    flow->nw_src = htonl(n);
}

static void
find_samples(struct of_bond *b)
{
    bool found[N_BUCKETS] = { false };
    size_t n_found = 0;
    struct flow flow;

    for (uint32_t n = 1; b->mode != BM_AB && n_found < N_BUCKETS; n++) {
        unsigned i;

        make_sample(n, &flow);
        i = bucket_of(b, &flow, 0);
        if (!found[i]) {
            found[i] = true;
            n_found++;
            b->buckets[i].sample = n;
        }
    }
}

/* Asks bond.c for each bucket's member, which gives one to those without. */
static void
publish(struct of_bond *b)
{
    for (int i = 0; i < N_BUCKETS; i++) {
        const struct of_port *port;
        struct flow flow;

        make_sample(b->buckets[i].sample, &flow);
        port = bond_choose_output_member(b->bond, &flow, NULL, 0);
        atomic_store_relaxed(&b->buckets[i].port,
                             port ? ofp_to_u16(port->up.ofp_port)
                             : ofp_to_u16(OFPP_NONE));
    }
}

static void
account(struct of_bond *b)
{
    for (int i = 0; i < N_BUCKETS && b->mode != BM_AB; i++) {
        struct bucket *bucket = &b->buckets[i];
        uint64_t sum = 0;

        for (int w = 0; w < DP_MAX_WORKER_IDS; w++) {
            uint64_t bytes;

            atomic_read_relaxed(&b->bytes[w][i], &bytes);
            sum += bytes;
        }
        if (sum != bucket->accounted) {
            struct flow flow;

            make_sample(bucket->sample, &flow);
            bond_account(b->bond, &flow, 0, sum - bucket->accounted);
            bucket->accounted = sum;
        }
    }
}

/* LACP. */

static void
send_pdu(void *port_, const void *pdu, size_t size)
{
    struct of_port *port = port_;
    struct eth_addr ea;
    int error = netdev_get_etheraddr(port->up.netdev, &ea);

    if (error) {
        VLOG_ERR_RL(&rl, "%s: no Ethernet address to send LACP from (%s)",
                    netdev_get_name(port->up.netdev), ovs_strerror(error));
    } else {
        struct dp_packet *packet = dp_packet_new(0);

        memcpy(eth_compose(packet, eth_addr_lacp, ea, ETH_TYPE_LACP, size),
               pdu, size);
        of_port_send(port, packet);
    }
}

void
of_bundle_set_lacp(struct of_bundle *bundle,
                   const struct ofproto_bundle_settings *s)
{
    if (!s->lacp) {
        lacp_unref(bundle->lacp);
        bundle->lacp = NULL;
    } else {
        if (!bundle->lacp) {
            bundle->lacp = lacp_create();
        }
        lacp_configure(bundle->lacp, s->lacp);
    }
}

/* Bonds. */

static struct of_bond *
bond_new(const struct bond_settings *s, struct of_bridge *bridge)
{
    struct of_bond *b = xzalloc(sizeof *b);

    ovs_refcount_init(&b->ref_cnt);
    b->bond = bond_create(s, &bridge->dpif);
    return b;
}

void
of_bundle_bond_gone(struct of_bundle *bundle)
{
    if (bundle->bond) {
        bond_unref(bundle->bond->bond);
        bundle->bond->bond = NULL;
        of_bond_unref(bundle->bond);
        bundle->bond = NULL;
        bundle->l2->conf_stale = true;
    }
}

void
of_bundle_set_bond(struct of_bundle *bundle,
                   const struct ofproto_bundle_settings *s)
{
    struct of_bridge *bridge = bundle->l2->bridge;
    struct of_bond *b = bundle->bond;
    struct of_port *port;

    if (ovs_list_is_short(&bundle->ports)) {
        of_bundle_bond_gone(bundle);
        return;
    }
    if (b && (b->mode != s->bond->balance || b->basis != s->bond->basis)) {
        /* Workers still hash the old way: the new way is another table. */
        struct of_bond *new = xzalloc(sizeof *new);

        ovs_refcount_init(&new->ref_cnt);
        new->bond = b->bond;
        b->bond = NULL;
        of_bond_unref(b);
        bundle->bond = b = new;
        bond_reconfigure(b->bond, s->bond);
    } else if (b) {
        if (!bond_reconfigure(b->bond, s->bond)) {
            goto members;
        }
    } else {
        bundle->bond = b = bond_new(s->bond, bridge);
    }
    b->mode = s->bond->balance;
    b->basis = s->bond->basis;
    find_samples(b);
    bundle->l2->conf_stale = true;

members:
    LIST_FOR_EACH (port, bundle_node, &bundle->ports) {
        bond_member_register(b->bond, port, port->up.ofp_port,
                             port->up.netdev);
    }
    publish(b);
}

void
of_bundle_bond_del_port(struct of_bundle *bundle, struct of_port *port)
{
    if (bundle->lacp) {
        lacp_member_unregister(bundle->lacp, port);
    }
    if (bundle->bond) {
        bond_member_unregister(bundle->bond->bond, port);
        publish(bundle->bond);
    }
}

void
of_bundle_member_may_enable(struct of_bundle *bundle, struct of_port *port)
{
    bond_member_set_may_enable(bundle->bond->bond, port, true);
    bundle->l2->conf_stale = true;
    of_l2_refresh(bundle->l2);
}

void
of_bundle_member_set_netdev(struct of_bundle *bundle, struct of_port *port)
{
    bond_member_set_netdev(bundle->bond->bond, port, port->up.netdev);
}

void
of_bundle_member_verdicts(const struct of_bundle *bundle,
                          const struct of_port *port, struct of_l2_port *p)
{
    static const struct eth_addr unicast = ETH_ADDR_C(02,00,00,00,00,01);

    /* bond.c looks only at whether it is multicast. */
    p->unicast = bond_check_admissibility(bundle->bond->bond, port, unicast);
    p->multicast = bond_check_admissibility(bundle->bond->bond, port,
                                            eth_addr_broadcast);
}

/* Tells the switches beyond the bond where the addresses are that are behind
 * other ports, now that the active member is another. */
static void
send_learning_packets(struct of_bundle *bundle)
{
    struct mac_learning *ml = bundle->l2->fdb->ml;
    const struct mac_entry *e;

    LIST_FOR_EACH (e, lru_node, &ml->lrus) {
        if (mac_entry_get_port(ml, e) != bundle) {
            struct dp_packet *packet;
            void *port;

            packet = bond_compose_learning_packet(bundle->bond->bond, e->mac,
                                                  e->vlan, &port);
            of_port_send(port, packet);
        }
    }
}

void
of_bundle_run(struct of_bundle *bundle)
{
    struct of_bond *b = bundle->bond;
    struct of_port *port;

    if (bundle->lacp) {
        lacp_run(bundle->lacp, send_pdu);
    }
    if (!b) {
        return;
    }

    LIST_FOR_EACH (port, bundle_node, &bundle->ports) {
        bond_member_set_may_enable(b->bond, port, port->up.may_enable);
    }
    if (time_msec() >= b->next_account) {
        b->next_account = time_msec() + ACCOUNT_MS;
        account(b);
        bond_rebalance(b->bond);
    }
    if (bond_run(b->bond, lacp_status(bundle->lacp))) {
        publish(b);
        bundle->l2->conf_stale = true;
    }
    if (bond_should_send_learning_packets(b->bond)) {
        send_learning_packets(bundle);
    }
}

void
of_bundle_wait(struct of_bundle *bundle)
{
    if (bundle->lacp) {
        lacp_wait(bundle->lacp);
    }
    if (bundle->bond) {
        bond_wait(bundle->bond->bond);
        if (bundle->bond->mode != BM_AB) {
            poll_timer_wait_until(bundle->bond->next_account);
        }
    }
}
