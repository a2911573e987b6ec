/* SPDX-License-Identifier: Apache-2.0 */

/* Which worker threads there are, and which of them polls which queue.
 *
 * Queues move between workers by being taken out of one, after its burst, and
 * then put into the other: what arrives in between waits in the queue, so
 * nothing is lost, doubled or reordered.
 *
 * Threads: the main thread. */

#ifndef DATAPATH_WORKERS_H
#define DATAPATH_WORKERS_H 1

#include <stdint.h>
#include "datapath/dp.h"

struct dp_rxq;
struct dp_worker;

/* Makes worker 0 and, if threaded, the first worker with a thread. */
void dp_workers_init(struct dp *);
void dp_workers_destroy(struct dp *);
/* Measures loads, now and then. */
void dp_workers_run(struct dp *);
void dp_workers_wait(struct dp *);

/* Gives 'rxq' to a worker, or takes it away. */
void dp_rxq_place(struct dp_rxq *);
void dp_rxq_withdraw(struct dp_rxq *);
/* Distributes all queues anew. */
void dp_workers_rebalance(struct dp *);

/* Cycles that 'rxq' took in the measured intervals, and how many cycles those
 * lasted (0: nothing is measured yet). */
uint64_t dp_rxq_load(const struct dp_rxq *);
uint64_t dp_load_cycles(const struct dp *);
/* Whether only queues that are pinned to 'worker' may be given to it. */
bool dp_worker_isolated(const struct dp_worker *);
/* Cycles of the time stamp counter in a second, as measured so far. */
uint64_t dp_tsc_hz(const struct dp *);

/* Commands worker/show and dpif-netdev/pmd-*; once a process. */
void dp_workers_commands_init(void);

#endif /* datapath/workers.h */
