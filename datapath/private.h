/* SPDX-License-Identifier: Apache-2.0 */

/* `struct dp`, for this folder only.
 *
 * Worker 0 (DP_WORKER_MAIN) has no thread: dp_run() and dp_bridge_inject()
 * run it in the main thread.  Workers from 1 on have one each, while they
 * run. */

#ifndef DATAPATH_PRIVATE_H
#define DATAPATH_PRIVATE_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "datapath/dp.h"
#include "latch.h"
#include "openvswitch/list.h"

struct dp_meters;
struct dp_tables;
struct dp_worker;

enum { DP_WORKER_MAIN = 0, DP_N_DELAYS = 32 };

/* pmd-rxq-assign. */
enum dp_assign {
    DP_ASSIGN_CYCLES,           /* By load, back and forth over workers. */
    DP_ASSIGN_ROUNDROBIN,       /* In order. */
    DP_ASSIGN_GROUP             /* By load, each to the least loaded. */
};

struct dp {
    struct ovs_list node;       /* In 'dp_all'. */
    enum dp_mode mode;
    bool poll_non_pmd_in_main;

    struct ovs_list bridges;    /* Contains "struct dp_bridge"s. */
    struct dp_tables *tables;   /* Flows and counters. */
    struct dp_meters *meters;

    unsigned max_threads;       /* At a time. */
    unsigned max_workers;       /* Numbers, the main thread's included. */
    unsigned n_workers;         /* That ever were, the main thread's too. */
    struct dp_worker **workers;
    struct dp_worker *dry;      /* Null: not needed yet (tap.h). */

    /* How queues are given to workers (datapath/workers.c). */
    enum dp_assign assign;
    bool isolate;               /* Pinned queues have a worker for them. */
    char *signature;            /* Of the configuration; null: none yet. */
    _Atomic bool poll_mode;     /* Workers never sleep. */
    _Atomic uint64_t max_nap_ns;
    long long int next_load;    /* When to measure again, in ms. */
    unsigned load_index;        /* Of the current element of 'load's. */
    unsigned n_loads;           /* Elements that are measured. */
    uint64_t start_tsc, start_ns;       /* For the rate of the TSC. */

    /* Handshake with worker threads: the main thread raises 'epoch' and waits
     * until each of them has seen it at a point where it holds nothing. */
    pthread_mutex_t epoch_mutex;        /* Not ovs_mutex, whose waits are
                                         * quiescent states. */
    pthread_cond_t epoch_cond;
    _Atomic uint64_t epoch;

    /* Upcalls.  Workers set 'latch' when 'main_asleep'. */
    struct {
        dp_upcall_cb *cb;
        void *aux;
        uint64_t handled;
        uint64_t delays[DP_N_DELAYS];   /* By bits of microseconds. */
        long long int slowest_us;
    } upcalls[DP_N_UPCALLS];
    struct latch latch;
    _Atomic bool main_asleep;
};

/* Every datapath of the process, oldest first; the main thread's. */
extern struct ovs_list dp_all;

/* The registered NORMAL, or null. */
extern dp_helper_fn *dp_normal_fn;
extern dp_group_fn *dp_group_fn_;

/* dp_keep_device() comes true: no netdev is open any more. */
void dp_keep_finish(void);

/* Frees what rings hold for 'bridge'; its worker threads must be past it. */
void dp_upcalls_forget(struct dp *, const struct dp_bridge *);

#endif /* datapath/private.h */
