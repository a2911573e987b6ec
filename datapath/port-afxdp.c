/* SPDX-License-Identifier: Apache-2.0 */

/* Ports on AF_XDP sockets ("afxdp").
 *
 * Each receive queue has a socket and a UMEM.  A frame that was received is
 * the packet (a dp_packet of source DPBUF_AFXDP, whose struct waits in an
 * array beside the UMEM); freeing it puts the frame back into the UMEM's
 * pool, from any thread.  What is sent is copied into a frame of the socket's
 * own UMEM.  Workers share sockets for sending when there are more workers
 * than queues; that, and the pool, cost a lock a burst.
 *
 * Modes: the driver's own with frames in place (zero-copy), the driver's own,
 * or the kernel's generic one; the first that works, or what is configured.
 *
 * Checksums: where there is no wire (veth, tun, generic mode) packets arrive
 * with a sum that is not finished, and nothing says so: csum-partial.h. */

#include "datapath/port.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <xdp/xsk.h>
#include "datapath/csum-partial.h"
#include "datapath/netdev-afxdp.h"
#include "datapath/port-kinds.h"
#include "datapath/xdp-attach.h"
#include "dp-packet.h"
#include "netdev-afxdp-pool.h"
#include "netdev-provider.h"
#include "netdev.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/thread.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(dp_afxdp);

enum {
    FRAME_SIZE = 4096,          /* As free_afxdp_buf() assumes. */
    N_DESCS = 2048,             /* Of each ring. */
    N_FRAMES = 2 * N_DESCS,
    TX_OFS = 256,               /* Where a sent packet starts in a frame. */
    N_KICKS = 4,                /* Calls to send what is in the ring. */
    N_BUSY = 20,                /* Tries to open a queue that is busy... */
    BUSY_NS = 5 * 1000 * 1000   /* ...and between them. */
};

/* A socket and its UMEM. */
struct xsk {
    struct xsk_socket *socket;
    struct xsk_umem *umem;
    uint8_t *area;              /* N_FRAMES frames. */
    struct dp_packet_afxdp *packets;    /* One a frame. */
    struct umem_pool pool;      /* Frames that nobody uses. */
    bool pool_made;

    /* The worker that polls the queue. */
    struct xsk_ring_cons rx OVS_ALIGNED_VAR(64);
    struct xsk_ring_prod fill;
    unsigned n_missing;         /* Entries that 'fill' could take. */
    bool finish_csums;

    /* Who holds 'tx_lock'. */
    struct ovs_spin tx_lock OVS_ALIGNED_VAR(64);
    struct xsk_ring_prod tx;
    struct xsk_ring_cons comp;
    _Atomic bool tx_waits;      /* The kernel has not taken all of 'tx'. */
};

struct afxdp_port {
    unsigned n_xsks;
    struct xsk **xsks;
    struct dp_xdp *xdp;
    enum dp_xdp_mode mode;
};

struct afxdp_rxq {
    struct dp_rxq up;
    struct xsk *xsk;
};

static bool
afxdp_match(const struct netdev *netdev)
{
    return dp_netdev_is_afxdp(netdev);
}

/* Sockets. */

static void
xsk_close(struct xsk *xsk)
{
    if (!xsk) {
        return;
    }
    if (xsk->socket) {
        xsk_socket__delete(xsk->socket);
    }
    if (xsk->umem) {
        xsk_umem__delete(xsk->umem);
    }
    if (xsk->pool_made) {
        umem_pool_cleanup(&xsk->pool);
        ovs_spin_destroy(&xsk->tx_lock);
    }
    free_pagealign(xsk->area);
    free_pagealign(xsk->packets);
    free_cacheline(xsk);
}

/* All frames into the pool, all packets as they are between uses. */
static void
make_frames(struct xsk *xsk)
{
    xsk->packets = xmalloc_pagealign(N_FRAMES * sizeof *xsk->packets);
    umem_pool_init(&xsk->pool, N_FRAMES);
    ovs_spin_init(&xsk->tx_lock);
    xsk->pool_made = true;
    for (unsigned i = 0; i < N_FRAMES; i++) {
        struct dp_packet_afxdp *packet = &xsk->packets[i];

        memset(packet, 0, sizeof *packet);
        packet->mpool = &xsk->pool;
        dp_packet_use_afxdp(&packet->packet, xsk->area + i * FRAME_SIZE,
                            FRAME_SIZE, 0);
        umem_elem_push(&xsk->pool, xsk->area + i * FRAME_SIZE);
    }
}

/* Gives the kernel frames to receive into. */
static void
refill(struct xsk *xsk)
{
    void *frames[NETDEV_MAX_BURST];

    while (xsk->n_missing >= NETDEV_MAX_BURST) {
        uint32_t idx;

        if (umem_elem_pop_n(&xsk->pool, NETDEV_MAX_BURST, frames)) {
            return;             /* When some are back. */
        }
        if (!xsk_ring_prod__reserve(&xsk->fill, NETDEV_MAX_BURST, &idx)) {
            umem_elem_push_n(&xsk->pool, NETDEV_MAX_BURST, frames);
            return;
        }
        for (int i = 0; i < NETDEV_MAX_BURST; i++) {
            *xsk_ring_prod__fill_addr(&xsk->fill, idx + i)
                = (uint8_t *) frames[i] - xsk->area;
        }
        xsk_ring_prod__submit(&xsk->fill, NETDEV_MAX_BURST);
        xsk->n_missing -= NETDEV_MAX_BURST;
    }
}

static int
xsk_open(const struct netdev *netdev, unsigned queue, enum dp_xdp_mode mode,
         const struct dp_xdp *xdp, struct xsk **xskp)
{
    const struct xsk_umem_config umem_config = {
        .fill_size = N_DESCS,
        .comp_size = N_DESCS,
        .frame_size = FRAME_SIZE,
    };
    const struct xsk_socket_config config = {
        .rx_size = N_DESCS,
        .tx_size = N_DESCS,
        .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = ((mode == DP_XDP_ZEROCOPY ? XDP_ZEROCOPY : XDP_COPY)
                       | (dp_netdev_afxdp_need_wakeup(netdev)
                          ? XDP_USE_NEED_WAKEUP : 0)),
    };
    struct xsk *xsk = xzalloc_cacheline(sizeof *xsk);
    int error;

    xsk->area = xmalloc_pagealign(N_FRAMES * FRAME_SIZE);
    make_frames(xsk);
    error = xsk_umem__create(&xsk->umem, xsk->area, N_FRAMES * FRAME_SIZE,
                             &xsk->fill, &xsk->comp, &umem_config);
    if (!error) {
        xsk->n_missing = N_DESCS;
        refill(xsk);
        error = xsk_socket__create(&xsk->socket, netdev_get_name(netdev),
                                   queue, xsk->umem, &xsk->rx, &xsk->tx,
                                   &config);
        if (error) {
            xsk->socket = NULL;
        } else {
            error = xsk_socket__update_xskmap(xsk->socket, dp_xdp_map_fd(xdp));
        }
    }
    if (error) {
        xsk_close(xsk);
        return error < 0 ? error : -error;
    }
    xsk->finish_csums = (mode == DP_XDP_GENERIC
                         || dp_netdev_afxdp_is_virtual(netdev));
    *xskp = xsk;
    return 0;
}

static void
close_xsks(struct afxdp_port *afxdp)
{
    /* First nothing is led there any more. */
    dp_xdp_detach(afxdp->xdp);
    afxdp->xdp = NULL;
    for (unsigned i = 0; i < afxdp->n_xsks; i++) {
        xsk_close(afxdp->xsks[i]);
    }
    afxdp->n_xsks = 0;
}

/* Opens all queues in 'mode'. */
static int
open_xsks(struct afxdp_port *afxdp, const struct netdev *netdev,
          enum dp_xdp_mode mode)
{
    unsigned n = netdev_n_rxq(netdev);
    int error;

    error = dp_xdp_attach(netdev_get_ifindex(netdev), mode == DP_XDP_GENERIC,
                          &afxdp->xdp);
    for (unsigned i = 0; i < n && !error; i++) {
        error = -EBUSY;

        /* The kernel takes a moment to be done with a socket before. */
        for (int j = 0; j < N_BUSY && error == -EBUSY; j++) {
            if (j) {
                nanosleep(&(struct timespec) { .tv_nsec = BUSY_NS }, NULL);
            }
            error = xsk_open(netdev, i, mode, afxdp->xdp, &afxdp->xsks[i]);
        }
        afxdp->n_xsks += !error;
    }
    if (error) {
        VLOG_DBG("%s: no AF_XDP in mode %s (%s)", netdev_get_name(netdev),
                 dp_xdp_mode_name(mode), ovs_strerror(-error));
        close_xsks(afxdp);
        return error;
    }
    afxdp->mode = mode;
    return 0;
}

static int
afxdp_open(struct dp_port *port)
{
    enum dp_xdp_mode wanted = dp_netdev_afxdp_mode(port->netdev);
    bool any = wanted == DP_N_XDP_MODES;
    struct afxdp_port *afxdp = xzalloc(sizeof *afxdp);
    int error = -EOPNOTSUPP;

    dp_xdp_recover();
    afxdp->xsks = xcalloc(netdev_n_rxq(port->netdev), sizeof *afxdp->xsks);
    for (int mode = any ? 0 : wanted;
         error && mode < (any ? DP_N_XDP_MODES : wanted + 1); mode++) {
        error = open_xsks(afxdp, port->netdev, mode);
    }
    if (error) {
        VLOG_WARN("%s: the driver has no XDP in mode %s (%s)",
                  netdev_get_name(port->netdev), dp_xdp_mode_name(wanted),
                  ovs_strerror(-error));
        free(afxdp->xsks);
        free(afxdp);
        return error;
    }
    dp_netdev_afxdp_set_mode_in_use(port->netdev, afxdp->mode);
    port->kind = afxdp;
    return 0;
}

static void
afxdp_close(struct dp_port *port)
{
    struct afxdp_port *afxdp = port->kind;

    close_xsks(afxdp);
    dp_netdev_afxdp_set_mode_in_use(port->netdev, DP_N_XDP_MODES);
    free(afxdp->xsks);
    free(afxdp);
    port->kind = NULL;
}

static int
afxdp_rxq_open(struct dp_port *port, unsigned queue, struct dp_rxq **rxqp)
{
    const struct afxdp_port *afxdp = port->kind;
    struct afxdp_rxq *rxq = xzalloc(sizeof *rxq);

    rxq->up.port = port;
    rxq->xsk = afxdp->xsks[queue];
    *rxqp = &rxq->up;
    return 0;
}

static void
afxdp_rxq_close(struct dp_rxq *rxq)
{
    free(CONTAINER_OF(rxq, struct afxdp_rxq, up));
}

/* Sending. */

/* Takes frames back that the kernel has sent. */
static void
reclaim(struct xsk *xsk)
{
    void *frames[NETDEV_MAX_BURST];
    uint32_t idx;
    unsigned n;

    while ((n = xsk_ring_cons__peek(&xsk->comp, NETDEV_MAX_BURST, &idx))) {
        for (unsigned i = 0; i < n; i++) {
            frames[i] = xsk->area + *xsk_ring_cons__comp_addr(&xsk->comp,
                                                              idx + i);
            frames[i] = (void *) ((uintptr_t) frames[i]
                                  & ~(uintptr_t) (FRAME_SIZE - 1));
        }
        umem_elem_push_n(&xsk->pool, n, frames);
        xsk_ring_cons__release(&xsk->comp, n);
    }
}

/* Has the kernel send what is in the ring, or look at it again later. */
static void
kick(struct xsk *xsk)
{
    int fd = xsk_socket__fd(xsk->socket);
    bool waits = xsk_ring_prod__needs_wakeup(&xsk->tx);

    for (int i = 0; i < N_KICKS && waits; i++) {
        waits = (sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0
                 && (errno == EAGAIN || errno == EBUSY || errno == ENOBUFS));
        if (waits) {
            reclaim(xsk);
        }
    }
    atomic_store_explicit(&xsk->tx_waits, waits, memory_order_relaxed);
}

/* Copies the first 'n' packets of 'batch' into 'frames' and the ring. */
static void
fill_tx(struct xsk *xsk, struct dp_packet_batch *batch, void **frames,
        unsigned n, uint32_t idx)
{
    for (unsigned i = 0; i < n; i++) {
        struct dp_packet *packet = batch->packets[i];
        struct xdp_desc *desc = xsk_ring_prod__tx_desc(&xsk->tx, idx + i);
        uint8_t *data = (uint8_t *) frames[i] + TX_OFS;

        desc->addr = data - xsk->area;
        desc->len = MIN(dp_packet_size(packet), FRAME_SIZE - TX_OFS);
        desc->options = 0;
        memcpy(data, dp_packet_data(packet), desc->len);
    }
    xsk_ring_prod__submit(&xsk->tx, n);
}

/* Frees what was sent: a burst out of one UMEM at once. */
static void
free_batch(struct dp_packet_batch *batch)
{
    unsigned n = dp_packet_batch_size(batch);
    void *frames[NETDEV_MAX_BURST];
    struct umem_pool *pool = NULL;
    struct dp_packet *packet;

    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        struct umem_pool *its;

        its = (packet->source != DPBUF_AFXDP ? NULL
               : CONTAINER_OF(packet, struct dp_packet_afxdp, packet)->mpool);
        if (!its || (pool && pool != its)) {
            dp_packet_delete_batch(batch, true);
            return;
        }
        pool = its;
        frames[i] = (void *) ((uintptr_t) dp_packet_base(packet)
                              & ~(uintptr_t) (FRAME_SIZE - 1));
    }
    umem_elem_push_n(pool, n, frames);
}

static unsigned
afxdp_tx(struct dp_port *port, unsigned worker, struct dp_packet_batch *batch)
{
    const struct afxdp_port *afxdp = port->kind;
    struct xsk *xsk = afxdp->xsks[worker % afxdp->n_xsks];
    unsigned n = dp_packet_batch_size(batch), n_sent = 0;
    void *frames[NETDEV_MAX_BURST];
    uint32_t idx;

    /* packet-path exception: a lock a burst, taken by one worker only where
     * there are as many queues as workers. */
    ovs_spin_lock(&xsk->tx_lock);
    reclaim(xsk);
    for (int attempt = 0; attempt < 2 && !n_sent; attempt++) {
        if (attempt) {
            kick(xsk);
            reclaim(xsk);
        }
        if (umem_elem_pop_n(&xsk->pool, n, frames)) {
            continue;
        }
        if (xsk_ring_prod__reserve(&xsk->tx, n, &idx)) {
            fill_tx(xsk, batch, frames, n, idx);
            n_sent = n;
        } else {
            umem_elem_push_n(&xsk->pool, n, frames);
        }
    }
    kick(xsk);
    ovs_spin_unlock(&xsk->tx_lock);
    free_batch(batch);
    return n - n_sent;
}

/* Receiving. */

static void
take(struct xsk *xsk, const struct xdp_desc *desc,
     struct dp_packet_batch *batch)
{
    uint32_t frame = desc->addr / FRAME_SIZE;
    uint32_t offset = desc->addr % FRAME_SIZE;
    struct dp_packet *packet = &xsk->packets[frame].packet;

    dp_packet_set_base(packet, xsk->area + frame * FRAME_SIZE);
    dp_packet_set_allocated(packet, FRAME_SIZE);
    dp_packet_set_data(packet, xsk->area + frame * FRAME_SIZE + offset);
    dp_packet_set_size(packet, desc->len);
    dp_packet_reset_offload(packet);
    dp_packet_reset_cutlen(packet);
    packet->packet_type = htonl(PT_ETH);
    pkt_metadata_init(&packet->md, 0);
    if (xsk->finish_csums) {
        dp_finish_checksum(packet);
    }
    batch->packets[batch->count++] = packet;    /* There is room. */
}

static unsigned
afxdp_rx(struct dp_rxq *rxq, struct dp_packet_batch *batch)
{
    struct xsk *xsk = CONTAINER_OF(rxq, struct afxdp_rxq, up)->xsk;
    uint32_t idx;
    unsigned n;

    if (OVS_UNLIKELY(atomic_load_explicit(&xsk->tx_waits,
                                          memory_order_relaxed))) {
        /* packet-path exception: the kernel was busy. */
        ovs_spin_lock(&xsk->tx_lock);
        kick(xsk);
        ovs_spin_unlock(&xsk->tx_lock);
    }
    n = xsk_ring_cons__peek(&xsk->rx, NETDEV_MAX_BURST, &idx);
    for (unsigned i = 0; i < n; i++) {
        take(xsk, xsk_ring_cons__rx_desc(&xsk->rx, idx + i), batch);
    }
    if (n) {
        xsk_ring_cons__release(&xsk->rx, n);
        xsk->n_missing += n;
    }
    refill(xsk);
    if (xsk_ring_prod__needs_wakeup(&xsk->fill)) {
        recvfrom(xsk_socket__fd(xsk->socket), NULL, 0, MSG_DONTWAIT, NULL,
                 NULL);
    }
    return 0;
}

static void
afxdp_rx_wait(struct dp_rxq *rxq)
{
    struct xsk *xsk = CONTAINER_OF(rxq, struct afxdp_rxq, up)->xsk;

    if (atomic_load_explicit(&xsk->tx_waits, memory_order_relaxed)) {
        poll_immediate_wake();
    } else {
        poll_fd_wait(xsk_socket__fd(xsk->socket), POLLIN);
    }
}

const struct dp_port_ops dp_port_afxdp_ops = {
    .name = "afxdp",
    .tx_is_thread_safe = true,
    .match = afxdp_match,
    .open = afxdp_open,
    .close = afxdp_close,
    .rxq_open = afxdp_rxq_open,
    .rxq_close = afxdp_rxq_close,
    .rx = afxdp_rx,
    .rx_wait = afxdp_rx_wait,
    .tx = afxdp_tx,
};
