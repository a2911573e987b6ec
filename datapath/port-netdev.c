/* SPDX-License-Identifier: Apache-2.0 */

/* The adapter for every netdev of Open vSwitch. */

#include "datapath/port.h"

#include <errno.h>
#include <stdlib.h>
#include "datapath/port-kinds.h"
#include "netdev.h"
#include "util.h"

static bool
netdev_port_match(const struct netdev *netdev OVS_UNUSED)
{
    return true;
}

static int
netdev_port_rxq_open(struct dp_port *port, unsigned queue,
                     struct dp_rxq **rxqp)
{
    struct dp_rxq *rxq = xzalloc(sizeof *rxq);
    int error;

    error = netdev_rxq_open(port->netdev, &rxq->netdev_rxq, queue);
    if (error) {
        free(rxq);
        return -error;
    }
    rxq->port = port;
    *rxqp = rxq;
    return 0;
}

static void
netdev_port_rxq_close(struct dp_rxq *rxq)
{
    netdev_rxq_close(rxq->netdev_rxq);
    free(rxq);
}

static unsigned
netdev_port_rx(struct dp_rxq *rxq, struct dp_packet_batch *batch)
{
    /* packet-path exception: the netdevs of Open vSwitch allocate their
     * packets and lock their queues. */
    netdev_rxq_recv(rxq->netdev_rxq, batch, NULL);
    return 0;
}

static void
netdev_port_rx_wait(struct dp_rxq *rxq)
{
    netdev_rxq_wait(rxq->netdev_rxq);
}

static unsigned
netdev_port_tx(struct dp_port *port, unsigned worker,
               struct dp_packet_batch *batch)
{
    unsigned n = dp_packet_batch_size(batch);
    int qid = worker < netdev_n_txq(port->netdev) ? worker : 0;

    /* packet-path exception: likewise.  The netdev frees all packets, and
     * does not say how many of a batch it lost if it lost some. */
    return netdev_send(port->netdev, qid, batch, true) ? n : 0;
}

const struct dp_port_ops dp_port_netdev_ops = {
    .name = "netdev",
    .tx_is_thread_safe = true,
    .match = netdev_port_match,
    .rxq_open = netdev_port_rxq_open,
    .rxq_close = netdev_port_rxq_close,
    .rx = netdev_port_rx,
    .rx_wait = netdev_port_rx_wait,
    .tx = netdev_port_tx,
};
