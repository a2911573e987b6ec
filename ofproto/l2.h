/* SPDX-License-Identifier: Apache-2.0 */

/* L2 switching: bundles (OVSDB Ports) with their VLANs, the FDB, NORMAL.
 *
 * What: a bridge's `struct of_l2` holds its bundles, libopenvswitch's MAC
 * learning table (the truth), and what workers need of both: an immutable
 * *configuration* (struct of_l2_conf, l2-conf.h), replaced as a whole, and a
 * hash map {VLAN, MAC} -> {port, time of last use}, a mirror of the table.
 * Workers never take a lock: of_normal() looks the addresses up in the map,
 * stores the time of last use there, and queues DP_UPCALL_MAC_LEARN for
 * addresses that are unknown or have moved.
 *
 * Threads: the main thread, except of_normal(): any worker.
 * Ownership: struct of_bridge owns its of_l2.
 * Errors: a positive errno, as ofproto_class has it. */

#ifndef OFPROTO_L2_H
#define OFPROTO_L2_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/types.h"

struct dp;
struct dp_ctx;
struct of_bridge;
struct of_l2;
struct of_port;
struct ofport;
struct ofproto;
struct ofproto_bundle_settings;

/* Process: call once, after dp_create() and before the first bridge.  Makes
 * of_normal() the datapath's NORMAL, takes the upcalls for learning and
 * registers fdb/show, fdb/flush, fdb/add, fdb/del, fdb/stats-show and
 * fdb/stats-clear. */
void of_l2_init(struct dp *);

/* A bridge's life: from its construct() and destruct(). */
int of_l2_create(struct of_bridge *, struct of_l2 **);
void of_l2_destroy(struct of_l2 *);

/* Ages the FDB; call from the bridge's run() and wait(). */
void of_l2_run(struct of_l2 *);
void of_l2_wait(struct of_l2 *);

/* To be called when 'port''s configuration bits have changed
 * (port_reconfigured, port_modified), and before it goes (port_destruct). */
void of_l2_port_changed(struct of_port *);
void of_l2_port_gone(struct of_port *);

/* struct ofproto_class. */
int of_bundle_set(struct ofproto *, void *aux,
                  const struct ofproto_bundle_settings *);
void of_bundle_remove(struct ofport *);
int of_set_flood_vlans(struct ofproto *, unsigned long *flood_vlans);
void of_set_mac_table_config(struct ofproto *, unsigned int idle_time,
                             size_t max_entries);
void of_forward_bpdu_changed(struct ofproto *);

/* Learns that 'mac' in 'vlan' is behind 'port', as a packet that was received
 * there tells. */
void of_l2_learn(struct of_l2 *, struct eth_addr mac, uint16_t vlan,
                 ofp_port_t port, bool gratuitous_arp);

/* The port that 'mac' in 'vlan' is behind, or OFPP_NONE. */
ofp_port_t of_l2_lookup(const struct of_l2 *, struct eth_addr mac,
                        uint16_t vlan);

/* Forgets all that was learned, of multicast groups, too. */
void of_l2_flush(struct of_l2 *);

/* Worker: the NORMAL action on the packet of 'ctx' (DP_HELPER_NORMAL). */
uint64_t of_normal(struct dp_ctx *);

#endif /* ofproto/l2.h */
