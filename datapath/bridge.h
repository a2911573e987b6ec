/* SPDX-License-Identifier: Apache-2.0 */

/* A bridge as workers see it: what they latch, ports by number, statistics.
 *
 * Latch: after receiving a burst a worker reads 'version', then 'slots',
 * both with acquire loads, and keeps them for the burst.  The main thread
 * stores 'slots' before the version that needs them.
 *
 * Ownership: the bridge owns everything here; port tables and slot pages are
 * replaced whole and freed after quiescence. */

#ifndef DATAPATH_BRIDGE_H
#define DATAPATH_BRIDGE_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "datapath/counters.h"
#include "datapath/dp.h"
#include "datapath/drops.h"
#include "openflow/openflow.h"
#include "openvswitch/list.h"

/* Ports of a bridge: immutable. */
struct dp_port_table {
    uint32_t n_ports;           /* Elements of 'list'. */
    uint32_t n_numbers;         /* Elements of 'by_number'. */
    struct dp_port *local;      /* OFPP_LOCAL, or null. */
    struct dp_port **by_number; /* Index: OpenFlow number. */
    struct dp_port *list[];     /* By ascending OpenFlow number. */
};

/* One worker's share of a bridge's statistics; that worker writes. */
struct dp_bridge_stats {
    _Atomic uint64_t matches[256];
    _Atomic uint64_t misses[256];
    struct dp_drops drops;
};

struct dp_taps;

struct dp_bridge {
    struct ovs_list node;       /* In dp->bridges. */
    struct dp *dp;
    uint64_t serial;            /* Unique in the process, not 0. */
    char *name;
    void *aux;

    _Atomic uint64_t version;
    _Atomic bool in_turn;       /* Packets run one after the other. */
    struct vm_slots *_Atomic slots;
    struct dp_taps *_Atomic taps;       /* Null: there never was one. */
    _Atomic bool tapped;        /* There is one now. */
    const struct vm_prog *_Atomic blind;        /* dp_bridge_set_blind(). */
    struct dp_port_table *_Atomic ports;
    struct dp_bridge_conf conf;

    struct dp_bridge_stats *stats[DP_MAX_WORKERS];
};

/* Any thread that is an ovs-rcu reader; null if there is none. */
static inline struct dp_port *
dp_bridge_port(const struct dp_bridge *bridge, uint32_t ofp_port)
{
    const struct dp_port_table *table;

    table = atomic_load_explicit(&bridge->ports, memory_order_acquire);
    return (ofp_port < table->n_numbers ? table->by_number[ofp_port]
            : ofp_port == OFPP_LOCAL ? table->local : NULL);
}

/* The main thread: publish the table with 'port' added, or without it.
 * 0 or -EEXIST, -EINVAL. */
int dp_bridge_link_port(struct dp_bridge *, struct dp_port *);
void dp_bridge_unlink_port(struct dp_bridge *, struct dp_port *);
/* Makes statistics for worker 'id', before it polls a port. */
void dp_bridge_add_worker(struct dp_bridge *, unsigned id);
/* Publishes it again after a port's number changed. */
void dp_bridge_relink_ports(struct dp_bridge *);

static inline void
dp_bridge_count(struct dp_bridge_stats *stats, uint8_t table_id, bool match)
{
    _Atomic uint64_t *n = (match ? &stats->matches[table_id]
                           : &stats->misses[table_id]);

    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed)
                          + 1, memory_order_relaxed);
}

#endif /* datapath/bridge.h */
