/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/bridge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/tap-private.h"
#include "openflow/openflow.h"
#include "ovs-rcu.h"
#include "util.h"

/* Port tables. */

static void
port_table_free(struct dp_port_table *table)
{
    free(table->by_number);
    free(table);
}

static int
compare_ports(const void *a_, const void *b_)
{
    const struct dp_port *const *a = a_, *const *b = b_;

    return (*a)->ofp_port < (*b)->ofp_port ? -1
           : (*a)->ofp_port > (*b)->ofp_port;
}

/* Publishes a table of 'list's 'n' ports. */
static void
publish_ports(struct dp_bridge *bridge, struct dp_port *const *list, size_t n)
{
    struct dp_port_table *table, *old;

    table = xzalloc(sizeof *table + n * sizeof *table->list);
    table->n_ports = n;
    if (n) {
        memcpy(table->list, list, n * sizeof *list);
        qsort(table->list, n, sizeof *table->list, compare_ports);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t number = table->list[i]->ofp_port;

        if (number == OFPP_LOCAL) {
            table->local = table->list[i];
        } else {
            table->n_numbers = number + 1;
        }
    }
    table->by_number = xcalloc(table->n_numbers ? table->n_numbers : 1,
                               sizeof *table->by_number);
    for (size_t i = 0; i < n; i++) {
        if (table->list[i] != table->local) {
            table->by_number[table->list[i]->ofp_port] = table->list[i];
        }
    }

    old = atomic_exchange_explicit(&bridge->ports, table,
                                   memory_order_acq_rel);
    if (old) {
        ovsrcu_postpone(port_table_free, old);
    }
}

struct dp_port *
dp_port_lookup(const struct dp_bridge *bridge, uint32_t ofp_port)
{
    return dp_bridge_port(bridge, ofp_port);
}

int
dp_bridge_link_port(struct dp_bridge *bridge, struct dp_port *port)
{
    const struct dp_port_table *table;
    struct dp_port **list;

    if (port->ofp_port != OFPP_LOCAL
        && (port->ofp_port >= OFPP_MAX || !port->ofp_port)) {
        return -EINVAL;
    } else if (dp_bridge_port(bridge, port->ofp_port)) {
        return -EEXIST;
    }
    table = atomic_load_explicit(&bridge->ports, memory_order_relaxed);
    list = xmalloc((table->n_ports + 1) * sizeof *list);
    memcpy(list, table->list, table->n_ports * sizeof *list);
    list[table->n_ports] = port;
    publish_ports(bridge, list, table->n_ports + 1);
    free(list);
    return 0;
}

void
dp_bridge_unlink_port(struct dp_bridge *bridge, struct dp_port *port)
{
    const struct dp_port_table *table;
    struct dp_port **list;
    size_t n = 0;

    table = atomic_load_explicit(&bridge->ports, memory_order_relaxed);
    list = xmalloc((table->n_ports + 1) * sizeof *list);
    for (size_t i = 0; i < table->n_ports; i++) {
        if (table->list[i] != port) {
            list[n++] = table->list[i];
        }
    }
    publish_ports(bridge, list, n);
    free(list);
}

void
dp_bridge_relink_ports(struct dp_bridge *bridge)
{
    const struct dp_port_table *table;
    struct dp_port **list;

    table = atomic_load_explicit(&bridge->ports, memory_order_relaxed);
    list = xmemdup(table->list, MAX(table->n_ports, 1) * sizeof *list);
    publish_ports(bridge, list, table->n_ports);
    free(list);
}

/* Life. */

void
dp_bridge_add_worker(struct dp_bridge *bridge, unsigned id)
{
    bridge->stats[id] = xzalloc(sizeof *bridge->stats[id]);
    bridge->stats[id]->drops.worker = id;
}

int
dp_bridge_create(struct dp *dp, const char *name, void *aux,
                 struct dp_bridge **bridgep)
{
    struct dp_bridge *bridge = xzalloc(sizeof *bridge);
    static uint64_t serial;

    bridge->dp = dp;
    bridge->serial = ++serial;
    bridge->name = xstrdup(name);
    bridge->aux = aux;
    bridge->conf.forwarding = 1;
    for (unsigned w = 0; w < dp->n_workers; w++) {
        dp_bridge_add_worker(bridge, w);
    }
    publish_ports(bridge, NULL, 0);
    ovs_list_push_back(&dp->bridges, &bridge->node);
    *bridgep = bridge;
    return 0;
}

void
dp_bridge_destroy(struct dp_bridge *bridge)
{
    struct dp_port_table *ports;

    if (!bridge) {
        return;
    }
    dp_taps_destroy(bridge);
    for (;;) {
        ports = atomic_load_explicit(&bridge->ports, memory_order_relaxed);
        if (!ports->n_ports) {
            break;
        }
        dp_port_del(ports->list[0]);
    }
    ovs_list_remove(&bridge->node);

    /* Upcalls name the bridge: none may outlive it. */
    dp_upcalls_forget(bridge->dp, bridge);
    dp_synchronize(bridge->dp);

    dp_bridge_set_slots(bridge, NULL);
    port_table_free(ports);
    for (unsigned w = 0; w < bridge->dp->n_workers; w++) {
        free(bridge->stats[w]);
    }
    free(bridge->name);
    free(bridge);
}

void *
dp_bridge_aux(const struct dp_bridge *bridge)
{
    return bridge->aux;
}

const char *
dp_bridge_name(const struct dp_bridge *bridge)
{
    return bridge->name;
}

void
dp_bridge_set_in_turn(struct dp_bridge *bridge)
{
    atomic_store_explicit(&bridge->in_turn, true, memory_order_relaxed);
}

struct dp_bridge_conf *
dp_bridge_conf(struct dp_bridge *bridge)
{
    return &bridge->conf;
}

/* Publishing. */

void
dp_bridge_set_slots(struct dp_bridge *bridge, struct vm_slots *slots)
{
    struct vm_slots *old;

    old = atomic_exchange_explicit(&bridge->slots, slots,
                                   memory_order_acq_rel);
    if (old && old != slots) {
        dp_slots_unref(old);
    }
}

void
dp_bridge_set_blind(struct dp_bridge *bridge, const struct vm_prog *parse)
{
    atomic_store_explicit(&bridge->blind, parse, memory_order_relaxed);
}

struct vm_slots *
dp_bridge_slots(const struct dp_bridge *bridge)
{
    return atomic_load_explicit(&bridge->slots, memory_order_acquire);
}

void
dp_bridge_set_version(struct dp_bridge *bridge, uint64_t version)
{
    atomic_store_explicit(&bridge->version, version, memory_order_release);
}

/* Table statistics. */

void
dp_table_counts(const struct dp_bridge *bridge, uint8_t table_id,
                uint64_t *lookups, uint64_t *matches)
{
    uint64_t n_matches = 0, n_misses = 0;

    for (unsigned w = 0; w < bridge->dp->n_workers; w++) {
        const struct dp_bridge_stats *stats = bridge->stats[w];

        n_matches += atomic_load_explicit(&stats->matches[table_id],
                                          memory_order_relaxed);
        n_misses += atomic_load_explicit(&stats->misses[table_id],
                                         memory_order_relaxed);
    }
    *matches = n_matches;
    *lookups = n_matches + n_misses;
}

void
dp_table_count(struct dp_bridge *bridge, uint8_t table_id, bool match)
{
    dp_bridge_count(bridge->stats[DP_WORKER_MAIN], table_id, match);
}
