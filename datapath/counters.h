/* SPDX-License-Identifier: Apache-2.0 */

/* Flows' parameter blocks and counters, as workers see them.
 *
 * Both are tables indexed by small numbers that programs carry around.  They
 * grow by chunks that are never moved or freed before the datapath is, so a
 * reader needs no lock.  A flow is one cache line, with its parameters if
 * they are few; of a counter a worker's cell is half of one, written by that
 * worker alone with plain stores.
 *
 * Ownership: a flow refs its counters and is freed after quiescence; counters
 * are freed with the last reference.
 *
 * Threads: alloc, ref, unref and free lock a mutex and may be called from
 * any thread (a worker that learns a flow, too); the inline functions here
 * are a worker's. */

#ifndef DATAPATH_COUNTERS_H
#define DATAPATH_COUNTERS_H 1

#include <stdatomic.h>
#include <stdint.h>
#include "datapath/dp.h"

enum {
    DP_CHUNK_BITS = 16,                 /* Chunks are huge pages. */
    DP_CHUNK = 1 << DP_CHUNK_BITS,      /* Entries a chunk. */
    DP_N_CHUNKS = 256,                  /* So 16 Mi entries at most, less that
                                         * which DP_FLOW_NONE stands for. */
    DP_MAX_WORKERS = 64,
    DP_WORKER_DRY = DP_MAX_WORKERS,     /* Whose counts are nobody's. */
    DP_FLOW_OWN_PARAMS = 3
};

/* A flow: immutable while a worker can see it. */
struct dp_flow {
    const uint64_t *_Atomic params;     /* Null: no flow has this number. */
    uint32_t params_size;       /* 0 if no flow has this number. */
    uint32_t counters;
    uint8_t table_id;
    bool is_bucket;
    void *owner;
    uint64_t cookie;
    uint64_t own[DP_FLOW_OWN_PARAMS];   /* Where 'params' are if they fit. */
};
_Static_assert(sizeof(struct dp_flow) == 64, "a cache line");

/* One worker's share of a flow's counters. */
struct dp_cell {
    _Atomic uint64_t packets;
    _Atomic uint64_t bytes;
    _Atomic uint64_t used;      /* time_msec() of the last packet, or 0. */
    uint64_t pad;
};

struct dp_flow_chunk {
    struct dp_flow flows[DP_CHUNK];
};

struct dp_cell_chunk {
    struct dp_cell cells[DP_CHUNK];
};

/* All chunks of one worker. */
typedef struct dp_cell_chunk *_Atomic dp_cells[DP_N_CHUNKS];

/* What dp_create() makes and struct dp holds. */
struct dp_flow_table;
struct dp_counter_table;

struct dp_tables {
    struct dp_flow_chunk *_Atomic flows[DP_N_CHUNKS];
    dp_cells cells[DP_MAX_WORKERS + 1];
};

struct dp_tables *dp_tables_create(void);
/* Makes cells for the next worker: the first call for worker 0, and so on. */
void dp_tables_add_worker(struct dp_tables *);
/* Makes cells for DP_WORKER_DRY, as far as it has none. */
void dp_tables_add_dry(struct dp_tables *);
/* No flow may be left, nor a free be pending. */
void dp_tables_destroy(struct dp_tables *);

/* The place for the flow with this number (of which the lower 24 bits count),
 * whether there is one or not. */
static inline const struct dp_flow *
dp_flow_at(const struct dp_tables *tables, uint32_t flow)
{
    struct dp_flow_chunk *chunk;

    chunk = atomic_load_explicit(
        &tables->flows[flow >> DP_CHUNK_BITS & (DP_N_CHUNKS - 1)],
        memory_order_acquire);
    return &chunk->flows[flow & (DP_CHUNK - 1)];
}

static inline const uint64_t *
dp_flow_params(const struct dp_flow *flow)
{
    return atomic_load_explicit(&flow->params, memory_order_acquire);
}

/* Null for a number that names no flow. */
static inline const struct dp_flow *
dp_flow_get(const struct dp_tables *tables, uint32_t number)
{
    const struct dp_flow *flow = dp_flow_at(tables, number);

    return dp_flow_params(flow) ? flow : NULL;
}

/* A worker's cell of 'counters', which must be allocated. */
static inline struct dp_cell *
dp_cell_at(const dp_cells *cells, uint32_t counters)
{
    struct dp_cell_chunk *chunk;

    chunk = atomic_load_explicit(&(*cells)[counters >> DP_CHUNK_BITS],
                                 memory_order_acquire);
    return &chunk->cells[counters & (DP_CHUNK - 1)];
}

static inline struct dp_cell *
dp_cell_get(const struct dp_tables *tables, unsigned worker,
            uint32_t counters)
{
    return dp_cell_at(&tables->cells[worker], counters);
}

/* Only the cell's worker calls it: no read-modify-write is needed. */
static inline void
dp_cell_add(struct dp_cell *cell, uint64_t packets, uint64_t bytes,
            uint64_t now_ms)
{
#define ADD(MEMBER, N)                                                  \
    atomic_store_explicit(&cell->MEMBER,                                \
        atomic_load_explicit(&cell->MEMBER, memory_order_relaxed) + (N), \
        memory_order_relaxed)
    ADD(packets, packets);
    ADD(bytes, bytes);
#undef ADD
    atomic_store_explicit(&cell->used, now_ms, memory_order_relaxed);
}

#endif /* datapath/counters.h */
