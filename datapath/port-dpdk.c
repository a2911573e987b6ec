/* SPDX-License-Identifier: Apache-2.0 */

/* Ports on devices of DPDK ("dpdk").
 *
 * Open vSwitch's netdev-dpdk finds, configures and watches the device; bursts
 * are ours: a worker calls rte_eth_rx_burst() and rte_eth_tx_burst() itself,
 * on its own transmit queue.  What was not received from DPDK is copied by
 * Open vSwitch's netdev_send(), and so is everything if the device has fewer
 * transmit queues than there are workers, because that shares them with a
 * lock, or has quality of service (egress-policer, trtcm-policer), which is
 * in there.  (Ports of the vhost types are in port-netdev.c.) */

#include "datapath/port.h"

#include <errno.h>
#include <rte_config.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/bridge.h"
#include "datapath/port-kinds.h"
#include "datapath/private.h"
#include "dp-packet.h"
#include "dpdk.h"
#include "netdev-dpdk.h"
#include "netdev-provider.h"
#include "netdev.h"
#include "packets.h"
#include "smap.h"
#include "util.h"

struct dpdk_port {
    uint16_t id;
    unsigned n_txq;
    _Atomic bool polices;           /* The device has quality of service. */
};

struct dpdk_rxq {
    struct dp_rxq up;
    uint16_t id;
};

static bool
dpdk_match(const struct netdev *netdev)
{
    int id;

    if (strcmp(netdev_get_type(netdev), "dpdk") || !dpdk_available()) {
        return false;
    }
    id = netdev_dpdk_get_port_id(CONST_CAST(struct netdev *, netdev));
    return id >= 0 && id < RTE_MAX_ETHPORTS;
}

static void
dpdk_qos(struct dp_port *port)
{
    struct dpdk_port *dpdk = port->kind;
    struct smap details = SMAP_INITIALIZER(&details);
    const char *type = "";

    if (netdev_get_qos(port->netdev, &type, &details)) {
        type = "";
    }
    atomic_store_explicit(&dpdk->polices, *type != '\0',
                          memory_order_relaxed);
    smap_destroy(&details);
}

static int
dpdk_open(struct dp_port *port)
{
    struct dpdk_port *dpdk;
    int id = netdev_dpdk_get_port_id(port->netdev), mtu;

    if (id < 0 || id >= RTE_MAX_ETHPORTS) {
        return -ENODEV;
    }
    if (netdev_get_mtu(port->netdev, &mtu)) {
        mtu = ETH_PAYLOAD_MAX;
    }
    dpdk = xzalloc(sizeof *dpdk);
    dpdk->id = id;
    dpdk->n_txq = netdev_n_txq(port->netdev);
    port->kind = dpdk;
    dpdk_qos(port);
    port->max_bare = mtu + ETH_HEADER_LEN + 2 * VLAN_HEADER_LEN;
    return 0;
}

static void
dpdk_close(struct dp_port *port)
{
    free(port->kind);
    port->kind = NULL;
}

static int
dpdk_rxq_open(struct dp_port *port, unsigned queue OVS_UNUSED,
              struct dp_rxq **rxqp)
{
    const struct dpdk_port *dpdk = port->kind;
    struct dpdk_rxq *rxq = xzalloc(sizeof *rxq);

    rxq->up.port = port;
    rxq->id = dpdk->id;
    *rxqp = &rxq->up;
    return 0;
}

static void
dpdk_rxq_close(struct dp_rxq *rxq)
{
    free(CONTAINER_OF(rxq, struct dpdk_rxq, up));
}

static unsigned
dpdk_rx(struct dp_rxq *rxq_, struct dp_packet_batch *batch)
{
    const struct dpdk_rxq *rxq = CONTAINER_OF(rxq_, struct dpdk_rxq, up);

    batch->count = rte_eth_rx_burst(rxq->id, rxq->up.queue,
                                    (struct rte_mbuf **) batch->packets,
                                    NETDEV_MAX_BURST);
    return 0;
}

/* Whether each worker has a transmit queue.  Workers may have come since the
 * port was opened (add_worker()). */
static bool
is_direct(const struct dp_port *port, const struct dpdk_port *dpdk)
{
    return dpdk->n_txq >= __atomic_load_n(&port->bridge->dp->n_workers,
                                          __ATOMIC_RELAXED);
}

/* Open vSwitch's way, for what comes from elsewhere or is too long. */
static unsigned
dpdk_tx(struct dp_port *port, unsigned worker, struct dp_packet_batch *batch)
{
    const struct dpdk_port *dpdk = port->kind;

    /* packet-path exception: copies; counts its losses in the device's
     * statistics itself. */
    netdev_send(port->netdev, worker, batch, !is_direct(port, dpdk));
    return 0;
}

static unsigned
dpdk_tx_bare(struct dp_port *port, unsigned worker,
             struct dp_packet_batch *batch)
{
    struct rte_mbuf **mbufs = (struct rte_mbuf **) batch->packets;
    const struct dpdk_port *dpdk = port->kind;
    unsigned n = dp_packet_batch_size(batch), n_sent;

    if (OVS_UNLIKELY(!is_direct(port, dpdk)
                     || atomic_load_explicit(&dpdk->polices,
                                             memory_order_relaxed))) {
        return dpdk_tx(port, worker, batch);
    }
    n_sent = rte_eth_tx_burst(dpdk->id, worker, mbufs, n);
    if (OVS_UNLIKELY(n_sent < n)) {
        n_sent += rte_eth_tx_burst(dpdk->id, worker, mbufs + n_sent,
                                   n - n_sent);
        if (n_sent < n) {
            rte_pktmbuf_free_bulk(mbufs + n_sent, n - n_sent);
        }
    }
    return n - n_sent;
}

const struct dp_port_ops dp_port_dpdk_ops = {
    .name = "dpdk",
    .rx_bare = true,
    .match = dpdk_match,
    .open = dpdk_open,
    .close = dpdk_close,
    .rxq_open = dpdk_rxq_open,
    .rxq_close = dpdk_rxq_close,
    .rx = dpdk_rx,
    .tx = dpdk_tx,
    .tx_bare = dpdk_tx_bare,
    .qos = dpdk_qos,
};
