/* SPDX-License-Identifier: Apache-2.0 */

/* Workers: who polls receive queues and runs packets.
 *
 * A worker thread loops over its queues; when nothing came for a while it
 * sleeps in poll_block(), where it is quiescent.  Worker 0 is the main
 * thread and is polled by dp_run().
 *
 * The main thread changes a worker's queues with dp_worker_set_rxqs() and
 * waits for it with dp_synchronize(). */

#ifndef DATAPATH_WORKER_H
#define DATAPATH_WORKER_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "datapath/abi.h"
#include "datapath/dp.h"
#include "datapath/port.h"
#include "datapath/run.h"
#include "datapath/upcall.h"

struct seq;

/* The queues of a worker: immutable. */
struct dp_rxq_list {
    size_t n;
    struct dp_rxq *rxqs[];
};

struct dp_worker {
    struct dp *dp;
    unsigned id;
    pthread_t thread;           /* Not of worker 0. */
    struct seq *wake;           /* Changed to wake it up. */
    _Atomic bool exit;
    _Atomic uint64_t epoch_seen;        /* Written under epoch_mutex. */
    struct dp_rxq_list *_Atomic rxqs;

    long long int now_ms;       /* Of this burst. */
    struct dp_txq *dirty;       /* Queues with packets to send. */

    /* Totals (dp_get_totals()); this worker writes. */
    _Atomic uint64_t received, forwarded, dropped;
    _Atomic uint64_t to_rings;  /* Packets that ended only in an upcall. */
    _Atomic uint64_t from_rings;        /* Worker 0: those it handled. */
    _Atomic uint64_t bufs_in, bufs_out; /* Buffers made and gone. */

    struct dp_ring rings[DP_N_UPCALLS];
    struct dp_ctx ctx __attribute__((aligned(64)));
    struct dp_cold cold;
};

#define DP_WORKER_ADD(WORKER, MEMBER, N)                                \
    atomic_store_explicit(&(WORKER)->MEMBER,                            \
        atomic_load_explicit(&(WORKER)->MEMBER, memory_order_relaxed)   \
        + (N), memory_order_relaxed)

struct dp_worker *dp_worker_create(struct dp *, unsigned id);
void dp_worker_start(struct dp_worker *);
/* Stops and frees it.  Its queues must be gone. */
void dp_worker_destroy(struct dp_worker *);

/* Takes 'rxq' in or out; when it returns the worker has seen it. */
void dp_worker_add_rxq(struct dp_worker *, struct dp_rxq *);
void dp_worker_del_rxq(struct dp_worker *, struct dp_rxq *);

/* Receives and runs a burst from each queue; returns the number of packets.
 * 'after_burst' (may be null) is called after each queue that had some. */
unsigned dp_worker_poll(struct dp_worker *, void (*after_burst)(struct dp *));
void dp_worker_wait(struct dp_worker *);
/* Runs 'packet' (owned) as if received on 'ofp_port', sends what it output. */
void dp_worker_inject(struct dp_worker *, struct dp_bridge *,
                      struct dp_packet *, uint32_t ofp_port);

/* Puts 'packet' (owned) on 'port's queue of this worker, and sends all that
 * is on its queues. */
void dp_worker_enqueue(struct dp_worker *, struct dp_port *,
                       struct dp_packet *);
void dp_worker_flush(struct dp_worker *);

#endif /* datapath/worker.h */
