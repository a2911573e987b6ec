/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/worker.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include "datapath/bridge.h"
#include "datapath/private.h"
#include "datapath/tap-private.h"
#include "dpdk.h"
#include "openvswitch/poll-loop.h"
#include "ovs-numa.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "vm/map.h"

enum {
    SPIN_NS = 25 * 1000,        /* Of empty rounds before a worker sleeps. */
    NOW_CYCLES = 8192,          /* Of the time stamp counter, some us. */
    MAX_PAUSE = 15,             /* Rounds without an empty queue. */
    QUIESCE_ROUNDS = 64,        /* Rounds between quiescent states. */
    TIMER_SLACK_NS = 1000       /* How late a nap may end. */
};

/* Sending. */

void
dp_worker_flush_txq(struct dp_worker *worker, struct dp_txq *txq)
{
    struct dp_port *port = txq->port;
    size_t n = dp_packet_batch_size(&txq->batch);
    uint64_t bytes = txq->bytes;
    unsigned lost;

    if (OVS_LIKELY(atomic_load_explicit(&port->started,
                                        memory_order_acquire))) {
        lost = (OVS_LIKELY(port->ops->tx_bare && !txq->mixed
                           && txq->biggest <= port->max_bare)
                ? port->ops->tx_bare : port->ops->tx)(port, worker->id,
                                                      &txq->batch);
    } else {
        dp_packet_delete_batch(&txq->batch, true);
        lost = n;
    }
    dp_packet_batch_init(&txq->batch);
    txq->bytes = 0;
    txq->biggest = 0;
    txq->mixed = false;

    DP_WORKER_ADD(worker, bufs_out, n);
    DP_WORKER_ADD(worker, stats.sent, n - lost);
    DP_WORKER_ADD(worker, stats.batches, 1);
    if (OVS_UNLIKELY(lost)) {
        static const struct dp_drop_cause cause = { DP_DROP_TX_FULL, 0, 0 };

        bytes = bytes / n * (n - lost);
        DP_PORT_ADD(port, worker->id, tx_dropped, lost);
        dp_drops_add(&port->bridge->stats[worker->id]->drops, &cause, lost,
                     NULL);
    }
    DP_PORT_ADD(port, worker->id, tx_packets, n - lost);
    DP_PORT_ADD(port, worker->id, tx_bytes, bytes);
}

static void
flush_dirty(struct dp_worker *worker)
{
    while (worker->dirty) {
        struct dp_txq *txq = worker->dirty;

        worker->dirty = txq->next;
        txq->listed = false;
        dp_worker_flush_txq(worker, txq);
    }
}

void
dp_worker_flush(struct dp_worker *worker)
{
    flush_dirty(worker);
    if (OVS_UNLIKELY(worker->n_patched)) {
        dp_patch_run(worker, flush_dirty);
    }
}

/* Receiving. */

/* Threads ask for the time every NOW_CYCLES, the main thread always: tests
 * and bvs-replay set it there. */
static void
update_time(struct dp_worker *worker, uint64_t tsc)
{
    if (OVS_UNLIKELY(tsc - worker->now_tsc >= NOW_CYCLES
                     || worker->id == DP_WORKER_MAIN)) {
        worker->now_tsc = tsc;
        worker->now_us = time_usec();
        worker->now_ms = worker->now_us / 1000;
    }
}

/* The packets of a burst meet one version and its slots: read after the
 * burst was received, in the reverse of the order they are published in. */
static void
latch(struct dp_worker *worker, struct dp_bridge *bridge)
{
    uint64_t version = atomic_load_explicit(&bridge->version,
                                            memory_order_acquire);
    struct vm_slots *slots = atomic_load_explicit(&bridge->slots,
                                                  memory_order_acquire);
    const struct dp_port_table *ports;

    if (OVS_UNLIKELY(version != worker->version || slots != worker->slots
                     || bridge->serial != worker->bridge_serial)) {
        worker->version = version;
        worker->slots = slots;
        worker->bridge_serial = bridge->serial;
        worker->stats_of_bridge = bridge->stats[worker->id];
        worker->n_stamped = 0;
    }
    ports = atomic_load_explicit(&bridge->ports, memory_order_acquire);
    worker->direct = ports->by_number;
    worker->n_direct = (DP_CONF_GET(bridge->conf.watch_outputs) ? 0
                        : ports->n_numbers);
    worker->relatch = false;
}

/* Whether the port's configuration keeps 'packet' out. */
static bool
no_recv(const struct dp_packet *packet, uint32_t flags)
{
    const struct eth_header *eth = dp_packet_data(packet);

    return flags & (dp_packet_size(packet) >= ETH_HEADER_LEN
                    && eth_addr_equals(eth->eth_dst, eth_addr_stp)
                    ? DP_PORT_NO_RECV_STP : DP_PORT_NO_RECV);
}

/* Drops what the port's configuration keeps out; returns its bytes. */
static uint64_t
refuse(struct dp_worker *worker, struct dp_bridge *bridge,
       struct dp_packet_batch *batch, const struct dp_port *port)
{
    static const struct dp_drop_cause cause = { DP_DROP_NO_RECV, 0, 0 };
    uint32_t flags = dp_port_flags(port);
    size_t n = dp_packet_batch_size(batch), i;
    struct dp_drop_head head;
    struct dp_packet *packet;
    uint64_t bytes = 0;

    DP_PACKET_BATCH_REFILL_FOR_EACH (i, n, packet, batch) {
        if (no_recv(packet, flags)) {
            DP_WORKER_ADD(worker, received, 1);
            DP_WORKER_ADD(worker, dropped, 1);
            DP_WORKER_ADD(worker, bufs_out, 1);
            dp_drop_take(&head, packet, port->ofp_port, worker->now_ms);
            dp_drops_add(&bridge->stats[worker->id]->drops, &cause, 1, &head);
            bytes += dp_packet_size(packet);
            dp_packet_delete(packet);
        } else {
            batch->packets[batch->count++] = packet;
        }
    }
    return bytes;
}

/* Returns the bytes of 'batch'. */
static uint64_t
run(struct dp_worker *worker, struct dp_bridge *bridge,
    struct dp_packet_batch *batch, uint32_t in_port)
{
    struct dp_packet *packet;
    uint64_t bytes = 0;

    if (OVS_LIKELY(!atomic_load_explicit(&bridge->in_turn,
                                         memory_order_relaxed))) {
        return dp_run_burst(worker, bridge, batch->packets,
                            dp_packet_batch_size(batch), in_port);
    }
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        if (worker->relatch) {
            latch(worker, bridge);
        }
        bytes += dp_run_burst(worker, bridge, &packet, 1, in_port);
    }
    return bytes;
}

static void
receive(struct dp_worker *worker, struct dp_port *port,
        struct dp_packet_batch *batch, uint64_t tsc)
{
    struct dp_bridge *bridge = port->bridge;
    unsigned n = dp_packet_batch_size(batch);
    uint64_t bytes = 0;
    uint32_t flags;

    latch(worker, bridge);
    update_time(worker, tsc);
    worker->rx_bare = port->ops->rx_bare;
    flags = dp_port_flags(port);
    DP_WORKER_ADD(worker, bufs_in, n);
    if (OVS_UNLIKELY(flags & (DP_PORT_NO_RECV | DP_PORT_NO_RECV_STP))) {
        bytes = refuse(worker, bridge, batch, port);
    }
    if (OVS_LIKELY(!dp_packet_batch_is_empty(batch))) {
        bytes += run(worker, bridge, batch, port->ofp_port);
    }
    DP_PORT_ADD(port, worker->id, rx_packets, n);
    DP_PORT_ADD(port, worker->id, rx_bytes, bytes);
}

void
dp_worker_receive(struct dp_worker *worker, struct dp_port *port,
                  struct dp_packet_batch *batch)
{
    receive(worker, port, batch, rte_rdtsc());
}

/* '*tsc' is the time stamp counter, now and when it returns. */
static unsigned
poll_rxq(struct dp_worker *worker, struct dp_rxq *rxq, uint64_t *tsc)
{
    struct dp_port *port = rxq->port;
    uint64_t start = *tsc, received, ran;
    struct dp_packet_batch batch;
    unsigned n, lost;

    dp_packet_batch_init(&batch);
    lost = port->ops->rx(rxq, &batch);
    if (OVS_UNLIKELY(lost)) {
        DP_PORT_ADD(port, worker->id, rx_dropped, lost);
    }
    n = dp_packet_batch_size(&batch);
    received = rte_rdtsc();
    DP_WORKER_ADD(worker, stats.bursts[n], 1);
    if (!n) {
        DP_WORKER_ADD(worker, stats.cycles[DP_STAGE_POLL], received - start);
        *tsc = received;
        return 0;
    }

    receive(worker, port, &batch, received);
    ran = rte_rdtsc();
    dp_worker_flush(worker);
    dp_upcalls_flush(worker);
    *tsc = rte_rdtsc();
    DP_WORKER_ADD(worker, stats.cycles[DP_STAGE_RX], received - start);
    DP_WORKER_ADD(worker, stats.cycles[DP_STAGE_RUN], ran - received);
    DP_WORKER_ADD(worker, stats.cycles[DP_STAGE_TX], *tsc - ran);
    DP_WORKER_ADD(rxq, cycles, *tsc - start);
    return n;
}

unsigned
dp_worker_poll(struct dp_worker *worker, void (*after_burst)(struct dp *))
{
    struct dp_rxq_list *list;
    uint64_t tsc = rte_rdtsc();
    unsigned total = 0;

    list = atomic_load_explicit(&worker->rxqs, memory_order_acquire);
    for (size_t i = 0; i < list->n; i++) {
        struct dp_rxq *rxq = list->rxqs[i];
        unsigned n;

        if (rxq->pausing && worker->busy) {
            rxq->pausing--;
            continue;
        }
        n = poll_rxq(worker, rxq, &tsc);
        total += n;
        if (rxq->port->ops->rx_wait) {
            rxq->pause = n ? 0 : MIN(2 * rxq->pause + 1, MAX_PAUSE);
            rxq->pausing = rxq->pause;
        }
        if (n && after_burst) {
            after_burst(worker->dp);
            tsc = rte_rdtsc();

            /* What was handled may have changed the queues. */
            list = atomic_load_explicit(&worker->rxqs, memory_order_acquire);
        }
    }
    worker->busy = total > 0;
    return total;
}

void
dp_worker_inject(struct dp_worker *worker, struct dp_bridge *bridge,
                 struct dp_packet *packet, uint32_t ofp_port)
{
    latch(worker, bridge);
    update_time(worker, rte_rdtsc());
    worker->rx_bare = false;
    DP_WORKER_ADD(worker, bufs_in, 1);
    dp_run_burst(worker, bridge, &packet, 1, ofp_port);
    dp_worker_flush(worker);
}

bool
dp_worker_wait(struct dp_worker *worker)
{
    struct dp_rxq_list *list;

    list = atomic_load_explicit(&worker->rxqs, memory_order_acquire);
    for (size_t i = 0; i < list->n; i++) {
        if (!list->rxqs[i]->port->ops->rx_wait) {
            return false;
        }
    }
    for (size_t i = 0; i < list->n; i++) {
        list->rxqs[i]->port->ops->rx_wait(list->rxqs[i]);
    }
    return true;
}

/* The thread. */

/* Tells the main thread that this worker is past what it unpublished.  DPDK
 * keeps buffers near a thread that it knows; it may have been started since
 * the last time, for the queue that the epoch announces. */
static void
see_epoch(struct dp_worker *worker, uint64_t epoch)
{
    struct dp *dp = worker->dp;

    if (OVS_UNLIKELY(epoch != atomic_load_explicit(&worker->epoch_seen,
                                                   memory_order_relaxed))) {
        pthread_mutex_lock(&dp->epoch_mutex);
        atomic_store(&worker->epoch_seen, epoch);
        pthread_cond_broadcast(&dp->epoch_cond);
        pthread_mutex_unlock(&dp->epoch_mutex);
        if (!worker->in_dpdk && dpdk_available()) {
            worker->in_dpdk = dpdk_attach_thread(0);
        }
    }
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Nothing came for a while.  'wake_seq' was read before the queues were
 * looked at; '*nap_ns' grows from nap to nap. */
static void
rest(struct dp_worker *worker, uint64_t wake_seq, uint64_t *nap_ns)
{
    struct dp *dp = worker->dp;

    DP_WORKER_ADD(worker, stats.sleeps, 1);
    if (dp_worker_wait(worker)) {
        seq_wait(worker->wake, wake_seq);
        poll_block();
    } else {
        uint64_t most = atomic_load_explicit(&dp->max_nap_ns,
                                             memory_order_relaxed);
        struct timespec nap;

        *nap_ns = MIN(*nap_ns + 1000, most);
        nap = (struct timespec) { .tv_nsec = *nap_ns };
        nanosleep(&nap, NULL);
    }
}

static void *
worker_main(void *worker_)
{
    struct dp_worker *worker = worker_;
    uint64_t idle_since = 0, nap_ns = 0, wake_seq = 0;
    unsigned rounds = 0;

    vm_set_cpu(worker->id);
    if (worker->core >= 0) {
        ovs_numa_thread_setaffinity_core(worker->core);
    }
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    for (;;) {
        /* The sequence number is read before what it announces, so that
         * nothing is slept through. */
        if (idle_since) {
            wake_seq = seq_read(worker->wake);
        }
        see_epoch(worker, atomic_load(&worker->dp->epoch));
        if (atomic_load(&worker->exit)) {
            break;
        }

        if (++rounds >= QUIESCE_ROUNDS) {
            rounds = 0;
            ovsrcu_try_quiesce();
        }
        if (dp_worker_poll(worker, NULL)) {
            idle_since = nap_ns = 0;
        } else if (atomic_load_explicit(&worker->dp->poll_mode,
                                        memory_order_relaxed)) {
            continue;
        } else if (!idle_since) {
            idle_since = now_ns();
        } else if (now_ns() - idle_since >= SPIN_NS) {
            rest(worker, wake_seq, &nap_ns);
        }
    }
    if (worker->in_dpdk) {
        dpdk_detach_thread();
        worker->in_dpdk = false;
    }
    return NULL;
}

/* Life. */

/* Zeroes that cost nothing until they are touched. */
static void *
map_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        out_of_memory();
    }
    return memory;
}

static void
cold_init(struct dp_cold *cold, void *bulk)
{
    cold->bulk = bulk;
    cold->bufs = &cold->first_buf;
    cold->outs = &cold->first_out;
    cold->allocated_bufs = cold->allocated_outs = 1;
    cold->n_bufs = 1;
    cold->drop = DP_DROP_ACTION;
    ofpbuf_init(&cold->stack, 0);
}

static void
cold_uninit(struct dp_cold *cold)
{
    if (cold->bufs != &cold->first_buf) {
        free(cold->bufs);
    }
    if (cold->outs != &cold->first_out) {
        free(cold->outs);
    }
    free(cold->upcalls);
    for (int i = 0; i < DP_MAX_FRAMES && cold->saves && cold->saves[i]; i++) {
        free(cold->saves[i]);
    }
    free(cold->saves);
    ofpbuf_uninit(&cold->stack);
}

struct dp_worker *
dp_worker_create(struct dp *dp, unsigned id)
{
    struct dp_worker *worker = xzalloc_cacheline(sizeof *worker);

    worker->dp = dp;
    worker->tables = dp->tables;
    worker->cells = &dp->tables->cells[id];
    worker->id = id;
    worker->core = -1;
    worker->wake = seq_create();
    worker->ctxs = map_memory(NETDEV_MAX_BURST * DP_CTX_STRIDE);
    worker->colds = map_memory(NETDEV_MAX_BURST * DP_COLD_STRIDE);
    worker->bulks = map_memory(NETDEV_MAX_BURST * DP_BULK_STRIDE);
    for (int i = 0; i < NETDEV_MAX_BURST; i++) {
        cold_init(dp_worker_cold(worker, i),
                  worker->bulks + i * DP_BULK_STRIDE);
        worker->all[i] = dp_worker_ctx(worker, i);
        dp_worker_ctx(worker, i)->wide = DP_WIDE_ANY;
    }
    atomic_init(&worker->rxqs, xzalloc(sizeof(struct dp_rxq_list)));
    return worker;
}

void
dp_worker_start(struct dp_worker *worker, int core)
{
    worker->core = core;
    worker->running = true;
    atomic_store(&worker->exit, false);
    worker->thread = ovs_thread_create("pmd-bvs", worker_main, worker);
}

void
dp_worker_stop(struct dp_worker *worker)
{
    if (worker->running) {
        atomic_store(&worker->exit, true);
        seq_change(worker->wake);
        xpthread_join(worker->thread, NULL);
        worker->running = false;
    }
}

void
dp_worker_destroy(struct dp_worker *worker)
{
    dp_worker_stop(worker);
    for (int kind = 0; kind < DP_N_UPCALLS; kind++) {
        struct dp_ring *ring = &worker->rings[kind];

        for (uint32_t i = ring->tail; i != ring->head; i++) {
            struct dp_upcall_node *node = ring->slots[i & (DP_RING_SIZE - 1)];

            dp_packet_delete(node->up.packet);
            free(node);
        }
    }
    free(atomic_load_explicit(&worker->rxqs, memory_order_relaxed));
    free(worker->patched);
    for (int i = 0; i < NETDEV_MAX_BURST; i++) {
        cold_uninit(dp_worker_cold(worker, i));
    }
    dp_tap_free_runs(worker);
    munmap(worker->ctxs, NETDEV_MAX_BURST * DP_CTX_STRIDE);
    munmap(worker->colds, NETDEV_MAX_BURST * DP_COLD_STRIDE);
    munmap(worker->bulks, NETDEV_MAX_BURST * DP_BULK_STRIDE);
    seq_destroy(worker->wake);
    free_cacheline(worker);
}

void
dp_worker_read(const struct dp_worker *worker, struct dp_worker_base *base)
{
#define GET(MEMBER) atomic_load_explicit(&worker->MEMBER, memory_order_relaxed)
    base->tsc = rte_rdtsc();
    for (int i = 0; i < DP_N_STAGES; i++) {
        base->cycles[i] = GET(stats.cycles[i]);
    }
    for (int i = 0; i <= NETDEV_MAX_BURST; i++) {
        base->bursts[i] = GET(stats.bursts[i]);
    }
    base->sleeps = GET(stats.sleeps);
    base->sent = GET(stats.sent);
    base->batches = GET(stats.batches);
    base->received = GET(received);
    base->to_rings = GET(to_rings);
#undef GET
}

/* Queues. */

/* Publishes 'list' and frees the old one when the worker is past it. */
static void
set_rxqs(struct dp_worker *worker, struct dp_rxq_list *list)
{
    struct dp_rxq_list *old;

    old = atomic_exchange_explicit(&worker->rxqs, list,
                                   memory_order_acq_rel);
    if (worker->id == DP_WORKER_MAIN) {
        /* dp_worker_poll() may be in it further up the stack. */
        ovsrcu_postpone(free, old);
    } else {
        dp_synchronize(worker->dp);
        free(old);
    }
}

void
dp_worker_add_rxq(struct dp_worker *worker, struct dp_rxq *rxq)
{
    const struct dp_rxq_list *old;
    struct dp_rxq_list *list;

    old = atomic_load_explicit(&worker->rxqs, memory_order_relaxed);
    list = xmalloc(sizeof *list + (old->n + 1) * sizeof *list->rxqs);
    memcpy(list->rxqs, old->rxqs, old->n * sizeof *list->rxqs);
    list->rxqs[old->n] = rxq;
    list->n = old->n + 1;
    set_rxqs(worker, list);
}

void
dp_worker_del_rxq(struct dp_worker *worker, struct dp_rxq *rxq)
{
    const struct dp_rxq_list *old;
    struct dp_rxq_list *list;

    old = atomic_load_explicit(&worker->rxqs, memory_order_relaxed);
    list = xmalloc(sizeof *list + old->n * sizeof *list->rxqs);
    list->n = 0;
    for (size_t i = 0; i < old->n; i++) {
        if (old->rxqs[i] != rxq) {
            list->rxqs[list->n++] = old->rxqs[i];
        }
    }
    set_rxqs(worker, list);
}
