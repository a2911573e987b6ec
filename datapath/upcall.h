/* SPDX-License-Identifier: Apache-2.0 */

/* Upcalls on their way from a worker to the main thread.
 *
 * A ring a kind and worker, bounded, single producer, single consumer.  An
 * upcall is built when its action runs (it copies packet and key as they are
 * then) and pushed when the packet has ended, because only then is it known
 * whether the upcall is all that became of the packet ('fate').
 *
 * Ownership: a node owns its packet; the ring owns its nodes. */

#ifndef DATAPATH_UPCALL_H
#define DATAPATH_UPCALL_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "datapath/dp.h"
#include "openvswitch/flow.h"

struct dp_cold;
struct dp_worker;

enum { DP_RING_SIZE = 1024 };           /* Power of 2. */

struct dp_upcall_node {
    struct dp_upcall up;
    bool fate;                  /* The packet ended only in this. */
    long long int when_us;      /* When its worker saw the packet. */
    struct flow flow;
    uint64_t data[];            /* up.data. */
};

struct dp_ring {
    _Atomic uint32_t head;      /* Next to fill: the producer's. */
    _Atomic uint32_t tail;      /* Next to take: the consumer's. */
    _Atomic uint64_t lost;      /* The producer's. */
    struct dp_upcall_node *slots[DP_RING_SIZE];
};

/* The worker's side. */

/* Builds an upcall from 'ctx'; null, and counted, if no room in the ring is
 * left for it. */
struct dp_upcall_node *dp_upcall_build(struct dp_ctx *, enum dp_upcall_kind,
                                       bool with_packet, const void *data,
                                       size_t data_size);
/* Pushes the pending upcalls of the packet that has just ended; 'output' says
 * whether it was output.  Returns true if one of them holds the packet. */
bool dp_upcalls_push(struct dp_cold *, bool output);
/* Frees them instead. */
void dp_upcalls_cancel(struct dp_cold *);
/* Wakes the main thread if there is something for it. */
void dp_upcalls_flush(struct dp_worker *);

/* The main thread's. */

/* Handles a round; returns true if something is left. */
bool dp_upcalls_run(struct dp *);
void dp_upcalls_wait(struct dp *);

/* Registers worker/upcalls; once a process. */
void dp_upcalls_commands_init(void);

#endif /* datapath/upcall.h */
