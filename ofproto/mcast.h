/* SPDX-License-Identifier: Apache-2.0 */

/* IGMP and MLD snooping: which ports want which multicast group.
 *
 * What: libopenvswitch's table ("mcast-snooping.h") is the truth: who joined
 * and left, where queries came from, when entries expire, which ports are
 * always flooded.  NORMAL reads a `struct of_mdb`, an immutable copy of it
 * that is replaced as a whole when the table has changed: for each group, and
 * for reports and unknown groups of each VLAN, the ports that get a packet,
 * each once.  Reports and queries go to the main thread in a ring of their
 * own (DP_UPCALL_MCAST) beside being forwarded.
 *
 * Ownership: struct of_l2 owns both; null while snooping is off.
 * Threads: the main thread, except of_mcast_find(): any.
 * Source: RFC 4541; what is forwarded where is as in OVS's ofproto-dpif, but
 * that no port gets two copies, or packets of a VLAN that it does not carry.
 * Errors: a positive errno, as ofproto_class has it. */

#ifndef OFPROTO_MCAST_H
#define OFPROTO_MCAST_H 1

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/hmap.h"
#include "openvswitch/types.h"

struct dp;
struct dp_packet;
struct flow;
struct of_bundle;
struct of_l2;
struct ofproto;
struct ofproto_mcast_snooping_port_settings;
struct ofproto_mcast_snooping_settings;

/* Who gets packets of a kind. */
struct of_mcast_set {
    struct hmap_node node;      /* In one of struct of_mdb's. */
    struct in6_addr group;      /* Zeros if not in 'groups'. */
    uint16_t vlan;
    size_t n;
    ofp_port_t ports[];         /* struct of_l2_bundle's 'port', sorted. */
};

struct of_mdb {
    bool flood_unregistered;    /* Packets to groups that nobody joined. */
    struct hmap groups;         /* Of a group and VLAN: who joined. */
    struct hmap reports;        /* Of a VLAN that has routers: who gets
                                 * reports. */
    struct hmap unregistered;   /* Of such a VLAN: who gets packets to groups
                                 * that nobody joined. */
    struct of_mcast_set *other_reports; /* Of VLANs without a router. */
    struct of_mcast_set *other_unregistered;
};

/* Process: takes the upcalls and registers mdb/show and mdb/flush. */
void of_mcast_init(struct dp *);
void of_mcast_cmd_init(void);   /* mcast-cmd.c */

/* A bridge's. */
void of_mcast_run(struct of_l2 *);
void of_mcast_wait(struct of_l2 *);
void of_mcast_destroy(struct of_l2 *);

/* Makes the copy anew if the table has changed. */
void of_mcast_refresh(struct of_l2 *);
void of_mdb_destroy(struct of_mdb *);

/* Forgets all that was learned, or what was learned behind 'bundle', or the
 * bundle itself. */
void of_mcast_flush(struct of_l2 *);
void of_mcast_flush_bundle(struct of_l2 *, struct of_bundle *);
void of_mcast_forget_bundle(struct of_l2 *, struct of_bundle *);

/* What a report or a query in 'vlan' that came in by 'port' tells. */
void of_mcast_learn(struct of_l2 *, struct dp_packet *, uint16_t vlan,
                    ofp_port_t port);

/* Any thread: who gets the packet of 'flow', in 'vlan' inside the bridge; null
 * if it is flooded.  Only for packets that of_mcast_applies() to.  Sets
 * '*learn' if of_mcast_learn() wants to see it. */
const struct of_mcast_set *of_mcast_find(const struct of_mdb *,
                                         const struct flow *, uint16_t vlan,
                                         bool *learn);
bool of_mcast_applies(struct eth_addr dl_dst, ovs_be16 dl_type);

/* struct ofproto_class. */
int of_set_mcast_snooping(struct ofproto *,
                          const struct ofproto_mcast_snooping_settings *);
int of_set_mcast_snooping_port(
    struct ofproto *, void *aux,
    const struct ofproto_mcast_snooping_port_settings *);

#endif /* ofproto/mcast.h */
