/* SPDX-License-Identifier: Apache-2.0 */

/* `struct dp`, for this folder only.
 *
 * Worker 0 (DP_WORKER_MAIN) has no thread: dp_run() and dp_bridge_inject()
 * run it in the main thread.  Workers from 1 on have one each. */

#ifndef DATAPATH_PRIVATE_H
#define DATAPATH_PRIVATE_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "datapath/dp.h"
#include "latch.h"
#include "openvswitch/list.h"

struct dp_tables;
struct dp_worker;

enum { DP_WORKER_MAIN = 0 };

struct dp {
    struct ovs_list node;       /* In 'dp_all'. */
    enum dp_mode mode;
    bool poll_non_pmd_in_main;

    struct ovs_list bridges;    /* Contains "struct dp_bridge"s. */
    struct dp_tables *tables;   /* Flows and counters. */

    unsigned n_workers;         /* The main thread's included. */
    struct dp_worker **workers;

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
    } upcalls[DP_N_UPCALLS];
    struct latch latch;
    _Atomic bool main_asleep;
};

/* Every datapath of the process, oldest first; the main thread's. */
extern struct ovs_list dp_all;

/* The registered NORMAL, or null. */
extern dp_helper_fn *dp_normal_fn;
extern dp_group_fn *dp_group_fn_;

/* Frees what rings hold for 'bridge'; its worker threads must be past it. */
void dp_upcalls_forget(struct dp *, const struct dp_bridge *);

#endif /* datapath/private.h */
