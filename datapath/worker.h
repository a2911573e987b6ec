/* SPDX-License-Identifier: Apache-2.0 */

/* Workers: who polls receive queues and runs packets.
 *
 * A worker thread loops over its queues; when nothing came for a while it
 * sleeps in poll_block(), where it is quiescent, or naps if one of its queues
 * cannot wake it up.  Worker 0 is the main thread and is polled by dp_run().
 *
 * The struct outlives its thread: a worker that is stopped keeps its number,
 * its counters and what is in its rings, and can be started again.
 *
 * The main thread changes a worker's queues with dp_worker_add_rxq() and
 * dp_worker_del_rxq(), which wait for it.  Which threads there are, and who
 * gets which queue, is decided in datapath/workers.c. */

#ifndef DATAPATH_WORKER_H
#define DATAPATH_WORKER_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "datapath/abi.h"
#include "datapath/bridge.h"
#include "datapath/counters.h"
#include "datapath/dp.h"
#include "datapath/port.h"
#include "datapath/run.h"
#include "datapath/upcall.h"

struct dp_tap_run;
struct seq;

/* The queues of a worker: immutable. */
struct dp_rxq_list {
    size_t n;
    struct dp_rxq *rxqs[];
};

/* What a worker's time goes into, in cycles of the time stamp counter; the
 * rest it sleeps.  Rows of worker/show. */
#define DP_STAGES                                       \
    DP_STAGE(POLL, "polling in vain")                   \
    DP_STAGE(RX,   "receive")                           \
    DP_STAGE(RUN,  "programs")                          \
    DP_STAGE(TX,   "transmit")
enum dp_stage {
#define DP_STAGE(NAME, TEXT) DP_STAGE_##NAME,
    DP_STAGES
#undef DP_STAGE
    DP_N_STAGES
};

/* The worker writes. */
struct dp_worker_stats {
    _Atomic uint64_t cycles[DP_N_STAGES];
    _Atomic uint64_t bursts[NETDEV_MAX_BURST + 1];      /* By packets. */
    _Atomic uint64_t sleeps;            /* Waits and naps. */
    _Atomic uint64_t sent, batches;     /* Given to ports. */
};

/* The same at one moment. */
struct dp_worker_base {
    uint64_t tsc;
    uint64_t cycles[DP_N_STAGES];
    uint64_t bursts[NETDEV_MAX_BURST + 1];
    uint64_t sleeps, sent, batches;
    uint64_t received, to_rings;
};

struct dp_worker {
    struct dp *dp;
    const struct dp_tables *tables;     /* Of 'dp'. */
    dp_cells *cells;            /* Its own there. */
    unsigned id;
    bool running;               /* Has a thread; the main thread's. */
    bool leaving;               /* Gets no more queues; the main thread's. */
    int core;                   /* Where it runs, or -1: anywhere. */
    pthread_t thread;           /* If running. */
    struct seq *wake;           /* Changed to wake it up. */
    _Atomic bool exit;
    _Atomic uint64_t epoch_seen;        /* Written under epoch_mutex. */
    struct dp_rxq_list *_Atomic rxqs;

    long long int now_ms;       /* Of this burst. */
    bool in_dpdk;               /* DPDK knows its thread; the thread's. */
    bool far;                   /* Flows' counters are likely to be. */
    bool rx_bare;               /* Its packets are DPDK's, as received. */
    bool dry;                   /* Its packets have no effect (tap.h). */
    bool relatch;               /* Latch again before the next packet. */
    bool busy;                  /* There were packets in the last round. */
    uint64_t now_us;
    uint64_t now_tsc;           /* When 'now_us' was read. */
    struct dp_txq *dirty;       /* Queues with packets to send. */

    /* Packets on their way to another bridge (port-patch.c): empty outside
     * of dp_worker_flush(). */
    struct dp_patched *patched;
    size_t n_patched, allocated_patched;
    bool in_patch;              /* dp_patch_run() is under way. */

    /* Totals (dp_get_totals()); this worker writes. */
    _Atomic uint64_t received, forwarded, dropped;
    _Atomic uint64_t to_rings;  /* Packets that ended only in an upcall. */
    _Atomic uint64_t from_rings;        /* Worker 0: those it handled. */
    _Atomic uint64_t bufs_in, bufs_out; /* Buffers made and gone. */

    struct dp_worker_stats stats;
    struct dp_worker_base base; /* The main thread's: at the last reset. */

    struct dp_ring rings[DP_N_UPCALLS];
    uint32_t upcalls_pending[DP_N_UPCALLS];     /* Built, not yet pushed. */

    /* Latched for the burst, and how many contexts know it. */
    uint64_t version;
    struct vm_slots *slots;
    uint64_t bridge_serial;
    struct dp_bridge_stats *stats_of_bridge;    /* This worker's. */
    struct dp_port *const *direct;      /* Its ports by number ... */
    uint32_t n_direct;          /* ... if nobody watches its outputs. */
    unsigned n_stamped;

    /* For each packet of a burst: dp_worker_ctx(), dp_worker_cold(). */
    uint8_t *ctxs, *colds;
    uint8_t *bulks;             /* What 'colds' point to. */
    struct dp_tap_run *tap_runs; /* Of each; null: none was ever tapped. */
    void *all[NETDEV_MAX_BURST];        /* The contexts. */
};

/* Bytes from one to the next: whole cache lines, and an odd number of them, so
 * that first lines fall into all sets of the L1 cache.  Most of a bulk is
 * never touched. */
#define DP_STRIDE(TYPE) ((ROUND_UP(sizeof(TYPE), 64)) | 64)
enum {
    DP_CTX_STRIDE = DP_STRIDE(struct dp_ctx),
    DP_COLD_STRIDE = DP_STRIDE(struct dp_cold),
    DP_BULK_STRIDE = ROUND_UP(sizeof(struct dp_bulk), 4096) + 5 * 64
};

static inline struct dp_ctx *
dp_worker_ctx(const struct dp_worker *worker, unsigned i)
{
    return (struct dp_ctx *) (void *) (worker->ctxs + i * DP_CTX_STRIDE);
}

static inline struct dp_cold *
dp_worker_cold(const struct dp_worker *worker, unsigned i)
{
    return (struct dp_cold *) (void *) (worker->colds + i * DP_COLD_STRIDE);
}

static inline struct dp_ctx *
dp_ctx_next(struct dp_ctx *ctx)
{
    return (struct dp_ctx *) (void *) ((uint8_t *) ctx + DP_CTX_STRIDE);
}

static inline struct dp_cold *
dp_cold_next(struct dp_cold *cold)
{
    return (struct dp_cold *) (void *) ((uint8_t *) cold + DP_COLD_STRIDE);
}

#define DP_WORKER_ADD(WORKER, MEMBER, N)                                \
    atomic_store_explicit(&(WORKER)->MEMBER,                            \
        atomic_load_explicit(&(WORKER)->MEMBER, memory_order_relaxed)   \
        + (N), memory_order_relaxed)

struct dp_worker *dp_worker_create(struct dp *, unsigned id);
/* Starts its thread, on 'core' if that is not -1. */
void dp_worker_start(struct dp_worker *, int core);
/* Ends its thread.  Its queues must be gone. */
void dp_worker_stop(struct dp_worker *);
/* Stops and frees it. */
void dp_worker_destroy(struct dp_worker *);
/* Its statistics now. */
void dp_worker_read(const struct dp_worker *, struct dp_worker_base *);

/* Takes 'rxq' in or out; when it returns the worker has seen it. */
void dp_worker_add_rxq(struct dp_worker *, struct dp_rxq *);
void dp_worker_del_rxq(struct dp_worker *, struct dp_rxq *);

/* Receives and runs a burst from each queue; returns the number of packets.
 * 'after_burst' (may be null) is called after each queue that had some. */
unsigned dp_worker_poll(struct dp_worker *, void (*after_burst)(struct dp *));
/* poll_block() wakes up for its queues.  False, and nothing is arranged, if
 * one of them cannot do that. */
bool dp_worker_wait(struct dp_worker *);
/* Runs 'packet' (owned) as if received on 'ofp_port', sends what it output. */
void dp_worker_inject(struct dp_worker *, struct dp_bridge *,
                      struct dp_packet *, uint32_t ofp_port);

/* Sends what is on a queue of this worker; what is on all of them. */
void dp_worker_flush_txq(struct dp_worker *, struct dp_txq *);
void dp_worker_flush(struct dp_worker *);

/* 'txq' of this worker will have packets to send. */
static inline void
dp_worker_list_txq(struct dp_worker *worker, struct dp_txq *txq)
{
    if (!txq->listed) {
        txq->listed = true;
        txq->next = worker->dirty;
        worker->dirty = txq;
    }
}

/* Puts 'packet' (owned) on 'txq', which is listed.  'mixed': it may not be
 * DPDK's. */
static inline void
dp_worker_enqueue(struct dp_worker *worker, struct dp_txq *txq,
                  struct dp_packet *packet, bool mixed)
{
    uint32_t size = dp_packet_size(packet);

    if (OVS_UNLIKELY(dp_packet_batch_is_full(&txq->batch))) {
        dp_worker_flush_txq(worker, txq);
    }
    txq->mixed |= mixed;
    txq->bytes += size;
    txq->biggest = MAX(txq->biggest, size);
    txq->batch.packets[txq->batch.count++] = packet;
}

/* The same, on 'port's queue of this worker. */
static inline void
dp_worker_send(struct dp_worker *worker, struct dp_port *port,
               struct dp_packet *packet)
{
    struct dp_txq *txq = &port->txqs[worker->id];

    dp_worker_list_txq(worker, txq);
    dp_worker_enqueue(worker, txq, packet, packet->source != DPBUF_DPDK);
}

/* The port that 'ofp_port' names, if the packet can just be given to it; or
 * null. */
static inline struct dp_port *
dp_worker_direct_port(const struct dp_ctx *ctx, uint32_t ofp_port)
{
    const struct dp_worker *worker = ctx->cold->worker;
    struct dp_port *port;

    if (OVS_UNLIKELY(ofp_port >= worker->n_direct
                     || ofp_port == dp_ctx_key_in_port(ctx))) {
        return NULL;
    }
    port = worker->direct[ofp_port];
    return (OVS_LIKELY(port && !(dp_port_flags(port) & DP_PORT_NO_OUTPUT))
            ? port : NULL);
}

/* Counts 'n' matches of a table of the bridge that the worker has latched. */
static inline void
dp_worker_matched(const struct dp_worker *worker, uint8_t table_id, unsigned n)
{
    _Atomic uint64_t *matches = &worker->stats_of_bridge->matches[table_id];

    atomic_store_explicit(matches, atomic_load_explicit(
                              matches, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Counts 'n' packets of 'flow'. */
static inline void
dp_worker_met(const struct dp_worker *worker, const struct dp_flow *flow,
              unsigned n, uint64_t bytes)
{
    if (OVS_LIKELY(flow->counters != DP_COUNTERS_NONE)) {
        dp_cell_add(dp_cell_at(worker->cells, flow->counters), n, bytes,
                    worker->now_ms);
    }
}

/* Runs the packets of 'batch' (owned, not empty), which 'port' has received;
 * what they output is still to be flushed. */
void dp_worker_receive(struct dp_worker *, struct dp_port *,
                       struct dp_packet_batch *batch);

/* port-patch.c: runs the packets that patch ports have taken through the
 * bridges of their peers, until there is none; 'flush' sends what they
 * output. */
void dp_patch_run(struct dp_worker *, void (*flush)(struct dp_worker *));

#endif /* datapath/worker.h */
