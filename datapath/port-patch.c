/* SPDX-License-Identifier: Apache-2.0 */

/* Patch ports: what one outputs, its peer receives, in another bridge or the
 * same.
 *
 * The worker that outputs takes the packet through the peer's bridge itself,
 * when the burst that output it has ended.  So a packet never waits, and
 * packets of a flow keep their order.  A packet that circles among bridges is
 * stopped, with all that its burst has made of it, after DP_MAX_PATCHED
 * packets. */

#include "datapath/port.h"

#include <errno.h>
#include <stdlib.h>
#include "datapath/bridge.h"
#include "datapath/drops.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "dpif.h"
#include "netdev.h"
#include "netdev-vport.h"
#include "packets.h"
#include "util.h"

enum { DP_MAX_PATCHED = 4096 };

struct dp_patched {
    struct dp_port *port;       /* That receives it. */
    struct dp_packet *packet;   /* Owned. */
};

static bool
patch_match(const struct netdev *netdev)
{
    return netdev_vport_is_patch(netdev);
}

static int
patch_rxq_open(struct dp_port *port OVS_UNUSED, unsigned queue OVS_UNUSED,
               struct dp_rxq **rxqp)
{
    *rxqp = NULL;
    return -EOPNOTSUPP;         /* Nothing to poll. */
}

static void
patch_rxq_close(struct dp_rxq *rxq OVS_UNUSED)
{
    OVS_NOT_REACHED();
}

static unsigned
patch_rx(struct dp_rxq *rxq OVS_UNUSED,
         struct dp_packet_batch *batch OVS_UNUSED)
{
    OVS_NOT_REACHED();
}

static unsigned
patch_tx(struct dp_port *port, unsigned id, struct dp_packet_batch *batch)
{
    struct dp_port *peer = atomic_load_explicit(&port->peer,
                                                memory_order_acquire);
    struct dp_worker *worker = port->bridge->dp->workers[id];
    unsigned n = dp_packet_batch_size(batch);
    struct dp_packet *packet;

    if (!peer) {
        dp_packet_delete_batch(batch, true);
        return n;
    }
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        struct dp_patched *p;

        if (worker->n_patched >= worker->allocated_patched) {
            /* packet-path exception: grows to the most that a burst ever
             * needed, once. */
            worker->patched = x2nrealloc(worker->patched,
                                         &worker->allocated_patched,
                                         sizeof *worker->patched);
        }
        p = &worker->patched[worker->n_patched++];
        p->port = peer;
        p->packet = packet;
    }
    dp_packet_batch_init(batch);
    return 0;
}

/* Up to a burst of packets for one port from 'from' on; returns the next. */
static size_t
gather(const struct dp_worker *worker, size_t from,
       struct dp_packet_batch *batch)
{
    const struct dp_port *port = worker->patched[from].port;

    dp_packet_batch_init(batch);
    while (from < worker->n_patched && worker->patched[from].port == port
           && !dp_packet_batch_is_full(batch)) {
        struct dp_packet *packet = worker->patched[from++].packet;

        pkt_metadata_init(&packet->md, u32_to_odp(UINT32_MAX));
        dp_packet_batch_add(batch, packet);
    }
    return from;
}

static void
drop(struct dp_worker *worker, const struct dp_patched *p)
{
    static const struct dp_drop_cause cause = { DP_DROP_PATCH_LOOP, 0, 0 };
    struct dp_drop_head head;

    DP_WORKER_ADD(worker, received, 1);
    DP_WORKER_ADD(worker, dropped, 1);
    dp_drop_take(&head, p->packet, p->port->ofp_port, worker->now_ms);
    dp_drops_add(&p->port->bridge->stats[worker->id]->drops, &cause, 1, &head);
    dp_packet_delete(p->packet);
}

void
dp_patch_run(struct dp_worker *worker, void (*flush)(struct dp_worker *))
{
    size_t i = 0;

    if (worker->in_patch) {
        return;
    }
    worker->in_patch = true;
    while (i < worker->n_patched) {
        struct dp_port *port = worker->patched[i].port;
        struct dp_packet_batch batch;

        if (i >= DP_MAX_PATCHED) {
            drop(worker, &worker->patched[i++]);
            continue;
        }
        i = gather(worker, i, &batch);
        dp_worker_receive(worker, port, &batch);
        flush(worker);
    }
    worker->n_patched = 0;
    worker->in_patch = false;
}

/* Adds what has been counted to the device's statistics, which BFD and CFM
 * read. */
void
dp_patch_count(struct dp_port *port)
{
    struct dp_port_stats now, *old = &port->patch_stats;
    struct dpif_flow_stats stats = { .used = 0 };

    dp_port_get_stats(port, &now);
    if (now.rx_packets != old->rx_packets) {
        stats.n_packets = now.rx_packets - old->rx_packets;
        stats.n_bytes = now.rx_bytes - old->rx_bytes;
        netdev_vport_inc_rx(port->netdev, &stats);
    }
    if (now.tx_packets != old->tx_packets) {
        stats.n_packets = now.tx_packets - old->tx_packets;
        stats.n_bytes = now.tx_bytes - old->tx_bytes;
        netdev_vport_inc_tx(port->netdev, &stats);
    }
    *old = now;
}

void
dp_port_set_peer(struct dp_port *port, struct dp_port *peer)
{
    if (atomic_load_explicit(&port->peer, memory_order_relaxed) != peer) {
        atomic_store_explicit(&port->peer, peer, memory_order_release);
        /* What the old one was still to receive has gone by after this. */
        dp_worker_flush(port->bridge->dp->workers[DP_WORKER_MAIN]);
        dp_synchronize(port->bridge->dp);
    }
}

const struct dp_port_ops dp_port_patch_ops = {
    .name = "patch",
    .match = patch_match,
    .rxq_open = patch_rxq_open,
    .rxq_close = patch_rxq_close,
    .rx = patch_rx,
    .tx = patch_tx,
};
