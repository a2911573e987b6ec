/* SPDX-License-Identifier: Apache-2.0 */

/* The forwarding database: which port a MAC address is behind.
 *
 * What: libopenvswitch's MAC learning table ("mac-learning.h") is the truth:
 * limits, fair eviction, locks by gratuitous ARP, statistics.  Workers read a
 * mirror of it, a vm hash map, in which they also note when an address was
 * last seen; of_fdb_run() takes that into account before it ages anything.
 * Every change of the table goes through this file, so that the mirror
 * follows.
 *
 * 'owner' is the client's pointer for where an address was learned (a
 * bundle); 'port' is the OpenFlow port that workers get for it.
 *
 * Threads: the main thread, except of_fdb_peek() and of_fdb_touch(): any.
 * Errors: 0 or a positive errno.  Times: seconds of time_now(). */

#ifndef OFPROTO_FDB_H
#define OFPROTO_FDB_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "flow.h"
#include "mac-learning.h"
#include "openvswitch/types.h"

struct ds;
struct vm_map;

struct of_fdb {
    struct mac_learning *ml;        /* Owned. */
    _Atomic(struct vm_map *) map;   /* Owned: the mirror. */
};

/* An entry of the mirror.  Workers write 'used' only. */
struct of_fdb_entry {
    uint32_t port;                  /* ofp_port_t. */
    uint32_t is_static;
    int64_t locked_until;           /* Gratuitous ARP does not move it. */
    _Atomic(uint64_t) used;         /* Last seen as a source. */
};

int of_fdb_create(struct of_fdb **);
void of_fdb_destroy(struct of_fdb *);

/* Worker: the entry of 'mac' in 'vlan', or null.  Valid until quiescence. */
struct of_fdb_entry *of_fdb_peek(const struct of_fdb *, struct eth_addr mac,
                                 uint16_t vlan);
/* Worker: the address was seen again. */
void of_fdb_touch(struct of_fdb_entry *, time_t now);

/* A packet with source 'mac' came in by 'owner'. */
struct of_fdb_source {
    struct eth_addr mac;
    uint16_t vlan;
    bool gratuitous_arp;
    bool is_bond;
    void *owner;
    ofp_port_t port;
};
void of_fdb_learn(struct of_fdb *, const struct of_fdb_source *);

/* What was learned behind 'old' is behind 'new' now, at 'port'. */
void of_fdb_move(struct of_fdb *, const void *old, void *new,
                 ofp_port_t port);

/* The owner of 'mac' in 'vlan', or null. */
void *of_fdb_lookup(const struct of_fdb *, struct eth_addr mac,
                    uint16_t vlan);

/* Static entries, which neither age nor move. */
void of_fdb_add_static(struct of_fdb *, const struct of_fdb_source *);
bool of_fdb_del_static(struct of_fdb *, struct eth_addr mac, uint16_t vlan);

/* Forgets what was learned: everything (static entries stay), or everything
 * that is behind 'owner', or one address. */
void of_fdb_flush(struct of_fdb *);
void of_fdb_flush_owner(struct of_fdb *, const void *owner);
void of_fdb_forget(struct of_fdb *, struct eth_addr mac, uint16_t vlan);

void of_fdb_set_idle_time(struct of_fdb *, unsigned int idle_time);
void of_fdb_set_max_entries(struct of_fdb *, size_t max_entries);
/* No learning in the VLANs of 'bitmap' (null: none; copied). */
void of_fdb_set_flood_vlans(struct of_fdb *, const unsigned long *bitmap);

/* Ages. */
void of_fdb_run(struct of_fdb *);
void of_fdb_wait(struct of_fdb *);
/* Brings ages and order of the table up to date with what workers saw, for
 * who looks at 'ml' directly. */
void of_fdb_harvest(struct of_fdb *);

#endif /* ofproto/fdb.h */
