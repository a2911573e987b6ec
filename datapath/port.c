/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/port.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/bridge.h"
#include "datapath/port-kinds.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "datapath/workers.h"
#include "netdev.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(dp_port);

enum { RETRY_MS = 1000 };       /* A device that could not be opened. */

/* Queues. */

static void
close_rxqs(struct dp_port *port)
{
    for (unsigned i = 0; i < port->n_rxqs; i++) {
        dp_rxq_withdraw(port->rxqs[i]);
    }
    for (unsigned i = 0; i < port->n_rxqs; i++) {
        port->ops->rxq_close(port->rxqs[i]);
    }
    free(port->rxqs);
    port->rxqs = NULL;
    port->n_rxqs = 0;
}

static int
open_rxqs(struct dp_port *port)
{
    unsigned n = MAX(netdev_n_rxq(port->netdev), 0);
    int error;

    port->rxqs = xcalloc(MAX(n, 1), sizeof *port->rxqs);
    for (unsigned i = 0; i < n; i++) {
        error = port->ops->rxq_open(port, i, &port->rxqs[i]);
        if (error == -EOPNOTSUPP) {
            break;              /* A device that only sends. */
        } else if (error) {
            close_rxqs(port);
            return error;
        }
        port->rxqs[i]->queue = i;
        port->rxqs[i]->core = dp_affinity_core(port->affinity, i);
        port->n_rxqs++;
    }
    for (unsigned i = 0; i < port->n_rxqs; i++) {
        dp_rxq_place(port->rxqs[i]);
    }
    return 0;
}

/* Opens the device as its kind wants it. */
static int
start(struct dp_port *port)
{
    int error = port->ops->open ? port->ops->open(port) : 0;

    if (!error) {
        error = open_rxqs(port);
        if (error && port->ops->close) {
            port->ops->close(port);
        }
    }
    if (error) {
        VLOG_ERR("%s: cannot receive packets on %s (%s)",
                 port->bridge->name, netdev_get_name(port->netdev),
                 ovs_strerror(-error));
    }
    /* Workers may know the port already. */
    atomic_store_explicit(&port->started, !error, memory_order_release);
    return error;
}

/* The reverse; nobody may send any more. */
static void
stop(struct dp_port *port)
{
    pthread_mutex_lock(&port->direct_mutex);
    if (port->started) {
        close_rxqs(port);
        if (port->ops->close) {
            port->ops->close(port);
        }
        port->started = false;
    }
    pthread_mutex_unlock(&port->direct_mutex);
}

/* Takes the port out of its bridge's table: when this returns, nobody sends
 * on it.  Who found the port in the old table has sent what it had for it:
 * workers flush at the end of each burst, the main thread here. */
static void
retreat(struct dp_port *port)
{
    struct dp *dp = port->bridge->dp;

    dp_bridge_unlink_port(port->bridge, port);
    dp_worker_flush(dp->workers[DP_WORKER_MAIN]);
    dp_synchronize(dp);
}

static int
reconfigure_netdev(struct dp_port *port)
{
    int error;

    if (!netdev_is_reconf_required(port->netdev)) {
        return 0;
    }
    error = netdev_reconfigure(port->netdev);
    if (!error || error == EOPNOTSUPP) {
        return 0;
    }
    VLOG_ERR("%s: interface %s cannot be configured (%s)",
             port->bridge->name, netdev_get_name(port->netdev),
             ovs_strerror(error));
    return -error;
}

/* Takes the device into service: everything but the bridge's table. */
static int
attach(struct dp_port *port, struct netdev *netdev)
{
    const struct dp *dp = port->bridge->dp;
    int error;

    port->ops = dp_port_kind(netdev);
    port->netdev = netdev_ref(netdev);
    port->in_main = (dp->mode == DP_INLINE
                     || (dp->poll_non_pmd_in_main && !netdev_is_pmd(netdev)));

    netdev_set_tx_multiq(netdev, dp->n_workers);
    error = reconfigure_netdev(port);
    if (error) {
        goto error;
    }
    error = -netdev_turn_flags_on(netdev, NETDEV_PROMISC,
                                  &port->saved_flags);
    if (error) {
        VLOG_ERR("%s: cannot set promiscuous mode on %s (%s)",
                 port->bridge->name, netdev_get_name(netdev),
                 ovs_strerror(-error));
        goto error;
    }
    error = start(port);
    if (error) {
        netdev_restore_flags(port->saved_flags);
        goto error;
    }
    return 0;

error:
    netdev_close(netdev);
    port->netdev = NULL;
    return error;
}

static void
detach(struct dp_port *port)
{
    if (port->netdev) {
        stop(port);
        netdev_restore_flags(port->saved_flags);
        netdev_close(port->netdev);
        port->netdev = NULL;
    }
}

/* Life. */

static void
port_free(struct dp_port *port)
{
    pthread_mutex_destroy(&port->direct_mutex);
    free_cacheline(port->cells);
    free(port->affinity);
    free(port->txqs);
    free(port);
}

int
dp_port_add(struct dp_bridge *bridge, struct netdev *netdev,
            uint32_t ofp_port, struct dp_port **portp)
{
    struct dp_port *port = xzalloc(sizeof *port);
    int error;

    port->bridge = bridge;
    port->ofp_port = ofp_port;
    pthread_mutex_init(&port->direct_mutex, NULL);
    port->n_workers = bridge->dp->max_workers;
    port->txqs = xcalloc(port->n_workers, sizeof *port->txqs);
    port->cells = xzalloc_cacheline(port->n_workers * sizeof *port->cells);
    for (unsigned w = 0; w < port->n_workers; w++) {
        port->txqs[w].port = port;
        dp_packet_batch_init(&port->txqs[w].batch);
    }

    error = dp_bridge_link_port(bridge, port);
    if (error) {
        port_free(port);
        return error;
    }
    error = attach(port, netdev);
    if (error) {
        dp_bridge_unlink_port(bridge, port);
        dp_synchronize(bridge->dp);
        port_free(port);
        return error;
    }
    *portp = port;
    return 0;
}

void
dp_port_del(struct dp_port *port)
{
    if (port) {
        retreat(port);
        detach(port);
        port_free(port);
    }
}

/* Changes. */

void
dp_port_set_flags(struct dp_port *port, uint32_t flags)
{
    atomic_store_explicit(&port->flags, flags, memory_order_relaxed);
}

void
dp_port_qos_changed(struct dp_port *port)
{
    if (port->kind && port->ops->qos) {
        port->ops->qos(port);
    }
}

void
dp_port_set_ofp_port(struct dp_port *port, uint32_t ofp_port)
{
    if (port->ofp_port != ofp_port) {
        /* No worker may see the port under a number that is neither. */
        for (unsigned i = 0; i < port->n_rxqs; i++) {
            dp_rxq_withdraw(port->rxqs[i]);
        }
        port->ofp_port = ofp_port;
        dp_bridge_relink_ports(port->bridge);
        dp_synchronize(port->bridge->dp);
        for (unsigned i = 0; i < port->n_rxqs; i++) {
            dp_rxq_place(port->rxqs[i]);
        }
    }
}

int
dp_port_set_netdev(struct dp_port *port, struct netdev *netdev)
{
    int error;

    if (port->netdev == netdev) {
        return 0;
    }
    retreat(port);
    detach(port);
    error = attach(port, netdev);
    return error ? error : dp_bridge_link_port(port->bridge, port);
}

int
dp_affinity_core(const char *affinity, unsigned queue)
{
    while (affinity && *affinity) {
        char *end;
        unsigned long q = strtoul(affinity, &end, 10), core;

        if (end == affinity || *end != ':') {
            return -EINVAL;
        }
        affinity = end + 1;
        core = strtoul(affinity, &end, 10);
        if (end == affinity || (*end && *end != ',') || core > INT_MAX) {
            return -EINVAL;
        }
        if (q == queue) {
            return core;
        }
        affinity = *end ? end + 1 : end;
    }
    return -1;
}

int
dp_port_set_config(struct dp_port *port, const struct smap *other_config)
{
    const char *affinity = smap_get(other_config, "pmd-rxq-affinity");
    bool change = !nullable_string_is_equal(affinity, port->affinity);

    if (!change) {
        return 0;
    }
    free(port->affinity);
    port->affinity = nullable_xstrdup(affinity);
    for (unsigned i = 0; i < port->n_rxqs; i++) {
        port->rxqs[i]->core = dp_affinity_core(affinity, i);
    }
    dp_workers_rebalance(port->bridge->dp);
    if (dp_affinity_core(affinity, UINT_MAX) == -EINVAL) {
        VLOG_WARN("%s: pmd-rxq-affinity=%s is not of the form "
                  "QUEUE:CORE[,QUEUE:CORE]...", netdev_get_name(port->netdev),
                  affinity);
        return -EINVAL;
    }
    return 0;
}

struct netdev *
dp_port_netdev(const struct dp_port *port)
{
    return port->netdev;
}

uint32_t
dp_port_ofp_port(const struct dp_port *port)
{
    return port->ofp_port;
}

void
dp_port_get_stats(const struct dp_port *port, struct dp_port_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    for (unsigned w = 0; w <= port->n_workers; w++) {
        const struct dp_port_cell *cell = (w < port->n_workers
                                           ? &port->cells[w]
                                           : &port->direct_cell);

#define SUM(MEMBER)                                                     \
        stats->MEMBER += atomic_load_explicit(&cell->MEMBER,            \
                                              memory_order_relaxed)
        SUM(rx_packets);
        SUM(rx_bytes);
        SUM(rx_dropped);
        SUM(tx_packets);
        SUM(tx_bytes);
        SUM(tx_dropped);
#undef SUM
    }
}

void
dp_port_send(struct dp_port *port, struct dp_packet *packet)
{
    struct dp_worker *main = port->bridge->dp->workers[DP_WORKER_MAIN];

    DP_WORKER_ADD(main, bufs_in, 1);
    dp_worker_send(main, port, packet);
    dp_worker_flush(main);
}

bool
dp_port_send_directly(struct dp_port *port, struct dp_packet *packet)
{
    struct dp_packet_batch batch;
    uint64_t size = dp_packet_size(packet);
    unsigned lost = 1;

    if (!port->ops->tx_is_thread_safe) {
        return false;
    }
    dp_packet_batch_init_packet(&batch, packet);
    pthread_mutex_lock(&port->direct_mutex);
    if (port->started) {
        lost = port->ops->tx(port, 0, &batch);
    } else {
        dp_packet_delete_batch(&batch, true);
    }

#define ADD(MEMBER, N)                                                  \
    atomic_fetch_add_explicit(&port->direct_cell.MEMBER, N,             \
                              memory_order_relaxed)
    if (lost) {
        ADD(tx_dropped, 1);
    } else {
        ADD(tx_packets, 1);
        ADD(tx_bytes, size);
    }
#undef ADD
    pthread_mutex_unlock(&port->direct_mutex);
    return true;
}

/* A device that wants another number of queues, say, is taken out of service
 * for the time that the change takes. */
static void
reconfigure(struct dp_port *port)
{
    retreat(port);
    stop(port);
    if (!reconfigure_netdev(port)) {
        start(port);
    }
    port->next_try = time_msec() + RETRY_MS;
    dp_bridge_link_port(port->bridge, port);
}

/* Whether 'port' wants that: when its device does, or when it could not be
 * opened some time ago. */
static bool
wants_reconfiguration(const struct dp_port *port)
{
    return (netdev_is_reconf_required(port->netdev)
            || (!port->started && time_msec() >= port->next_try));
}

void
dp_ports_run(struct dp *dp)
{
    struct dp_bridge *bridge;

    LIST_FOR_EACH (bridge, node, &dp->bridges) {
        const struct dp_port_table *ports;

        ports = atomic_load_explicit(&bridge->ports, memory_order_relaxed);
        for (uint32_t i = 0; i < ports->n_ports; i++) {
            if (ports->list[i]->ops == &dp_port_patch_ops) {
                dp_patch_count(ports->list[i]);
            } else if (wants_reconfiguration(ports->list[i])) {
                reconfigure(ports->list[i]);
                break;          /* The table is another one now. */
            }
        }
    }
}
