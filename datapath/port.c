/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/bridge.h"
#include "datapath/port-kinds.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "netdev.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(dp_port);

/* Queues. */

static void
close_rxqs(struct dp_port *port)
{
    struct dp_worker *worker = port->bridge->dp->workers[port->worker];

    for (unsigned i = 0; i < port->n_rxqs; i++) {
        dp_worker_del_rxq(worker, port->rxqs[i]);
        port->ops->rxq_close(port->rxqs[i]);
    }
    free(port->rxqs);
    port->rxqs = NULL;
    port->n_rxqs = 0;
}

static int
open_rxqs(struct dp_port *port)
{
    struct dp_worker *worker = port->bridge->dp->workers[port->worker];
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
        port->n_rxqs++;
        dp_worker_add_rxq(worker, port->rxqs[i]);
    }
    return 0;
}

/* Takes the device into service: everything but the bridge's table. */
static int
attach(struct dp_port *port, struct netdev *netdev)
{
    const struct dp *dp = port->bridge->dp;
    int error;

    port->ops = dp_port_kind(netdev);
    port->netdev = netdev_ref(netdev);
    port->worker = (dp->mode == DP_INLINE
                    || (dp->poll_non_pmd_in_main && !netdev_is_pmd(netdev))
                    ? DP_WORKER_MAIN : DP_WORKER_MAIN + 1);

    netdev_set_tx_multiq(netdev, dp->n_workers);
    if (netdev_is_reconf_required(netdev)) {
        error = netdev_reconfigure(netdev);
        if (error && error != EOPNOTSUPP) {
            VLOG_ERR("%s: interface %s cannot be configured (%s)",
                     port->bridge->name, netdev_get_name(netdev),
                     ovs_strerror(error));
            error = -error;
            goto error;
        }
    }
    error = -netdev_turn_flags_on(netdev, NETDEV_PROMISC,
                                  &port->saved_flags);
    if (error) {
        VLOG_ERR("%s: cannot set promiscuous mode on %s (%s)",
                 port->bridge->name, netdev_get_name(netdev),
                 ovs_strerror(-error));
        goto error;
    }
    error = open_rxqs(port);
    if (error) {
        VLOG_ERR("%s: cannot receive packets on %s (%s)",
                 port->bridge->name, netdev_get_name(netdev),
                 ovs_strerror(-error));
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
        close_rxqs(port);
        netdev_restore_flags(port->saved_flags);
        netdev_close(port->netdev);
        port->netdev = NULL;
    }
}

/* Life. */

static void
port_free(struct dp_port *port)
{
    free_cacheline(port->cells);
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
    port->n_workers = bridge->dp->n_workers;
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
    struct dp_bridge *bridge;

    if (!port) {
        return;
    }
    bridge = port->bridge;
    dp_bridge_unlink_port(bridge, port);
    close_rxqs(port);

    /* Whoever found the port in the old table has sent what it had for it:
     * workers flush at the end of each burst, the main thread here. */
    dp_worker_flush(bridge->dp->workers[DP_WORKER_MAIN]);
    dp_synchronize(bridge->dp);
    detach(port);
    port_free(port);
}

/* Changes. */

void
dp_port_set_flags(struct dp_port *port, uint32_t flags)
{
    atomic_store_explicit(&port->flags, flags, memory_order_relaxed);
}

void
dp_port_set_ofp_port(struct dp_port *port, uint32_t ofp_port)
{
    if (port->ofp_port != ofp_port) {
        /* No worker may see the port under a number that is neither. */
        close_rxqs(port);
        port->ofp_port = ofp_port;
        dp_bridge_relink_ports(port->bridge);
        dp_synchronize(port->bridge->dp);
        open_rxqs(port);
    }
}

int
dp_port_set_netdev(struct dp_port *port, struct netdev *netdev)
{
    int error;

    if (port->netdev == netdev) {
        return 0;
    }
    dp_bridge_unlink_port(port->bridge, port);
    close_rxqs(port);
    dp_worker_flush(port->bridge->dp->workers[DP_WORKER_MAIN]);
    dp_synchronize(port->bridge->dp);

    detach(port);
    error = attach(port, netdev);
    return error ? error : dp_bridge_link_port(port->bridge, port);
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
    for (unsigned w = 0; w < port->n_workers; w++) {
        const struct dp_port_cell *cell = &port->cells[w];

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
    dp_worker_enqueue(main, port, packet);
    dp_worker_flush(main);
}

/* A device that wants another number of queues, say, is taken out of service
 * for the time that the change takes. */
static void
reconfigure(struct dp_port *port)
{
    int error;

    close_rxqs(port);
    dp_synchronize(port->bridge->dp);
    error = netdev_reconfigure(port->netdev);
    if (error && error != EOPNOTSUPP) {
        VLOG_ERR("%s: interface %s cannot be reconfigured (%s)",
                 port->bridge->name, netdev_get_name(port->netdev),
                 ovs_strerror(error));
    }
    error = open_rxqs(port);
    if (error) {
        VLOG_ERR("%s: cannot receive packets on %s (%s)",
                 port->bridge->name, netdev_get_name(port->netdev),
                 ovs_strerror(-error));
    }
}

void
dp_ports_run(struct dp *dp)
{
    struct dp_bridge *bridge;

    LIST_FOR_EACH (bridge, node, &dp->bridges) {
        const struct dp_port_table *ports;

        ports = atomic_load_explicit(&bridge->ports, memory_order_relaxed);
        for (uint32_t i = 0; i < ports->n_ports; i++) {
            if (netdev_is_reconf_required(ports->list[i]->netdev)) {
                reconfigure(ports->list[i]);
            }
        }
    }
}
