/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/counters.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "datapath/private.h"
#include "openvswitch/util.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"
#include "vm/map.h"

/* Numbers: handed out from a stack of returned ones, else the next new. */
struct ids {
    uint32_t *free;
    size_t n_free, allocated_free;
    uint32_t next;
};

/* The writers' side of `struct dp_tables`, which comes first. */
struct tables {
    struct dp_tables pub;
    _Atomic unsigned n_workers; /* Written with the mutex. */
    struct ovs_mutex mutex;
    struct ids flow_ids OVS_GUARDED;
    struct ids counter_ids OVS_GUARDED;
    uint32_t *refs[DP_N_CHUNKS] OVS_GUARDED;    /* Of counters. */
};

/* Where there are no flows yet: all of it is zeros that nothing touches. */
static struct dp_flow_chunk no_flows;

static struct tables *
tables_cast(const struct dp_tables *pub)
{
    return CONTAINER_OF(pub, struct tables, pub);
}

struct dp_tables *
dp_tables_create(void)
{
    struct tables *t = xzalloc(sizeof *t);

    ovs_mutex_init(&t->mutex);
    for (size_t i = 0; i < DP_N_CHUNKS; i++) {
        atomic_init(&t->pub.flows[i], &no_flows);
    }
    return &t->pub;
}

static unsigned
n_workers(const struct tables *t)
{
    return atomic_load_explicit(&t->n_workers, memory_order_acquire);
}

static void *
chunk_alloc(size_t size)
{
    void *chunk = vm_big_alloc(size);

    if (!chunk) {
        out_of_memory();
    }
    return chunk;
}

static void
chunk_free(void *chunk, size_t size)
{
    if (chunk) {
        vm_big_free(chunk, size);
    }
}

static void
add_cells(struct tables *t, unsigned worker, uint32_t hi)
{
    struct dp_cell_chunk *chunk = chunk_alloc(sizeof *chunk);

    atomic_store_explicit(&t->pub.cells[worker][hi], chunk,
                          memory_order_release);
}

void
dp_tables_add_worker(struct dp_tables *tables)
{
    struct tables *t = tables_cast(tables);

    ovs_mutex_lock(&t->mutex);
    ovs_assert(n_workers(t) < DP_MAX_WORKERS);
    for (uint32_t hi = 0; hi < DP_N_CHUNKS; hi++) {
        if (t->refs[hi]) {
            add_cells(t, n_workers(t), hi);
        }
    }
    atomic_store_explicit(&t->n_workers, n_workers(t) + 1,
                          memory_order_release);
    ovs_mutex_unlock(&t->mutex);
}

void
dp_tables_add_dry(struct dp_tables *tables)
{
    struct tables *t = tables_cast(tables);

    ovs_mutex_lock(&t->mutex);
    for (uint32_t hi = 0; hi < DP_N_CHUNKS; hi++) {
        if (t->refs[hi]
            && !atomic_load_explicit(&t->pub.cells[DP_WORKER_DRY][hi],
                                     memory_order_relaxed)) {
            add_cells(t, DP_WORKER_DRY, hi);
        }
    }
    ovs_mutex_unlock(&t->mutex);
}

void
dp_tables_destroy(struct dp_tables *tables)
{
    struct tables *t;

    if (!tables) {
        return;
    }
    t = tables_cast(tables);
    for (size_t i = 0; i < DP_N_CHUNKS; i++) {
        struct dp_flow_chunk *flows;

        flows = atomic_load_explicit(&t->pub.flows[i], memory_order_relaxed);
        if (flows != &no_flows) {
            chunk_free(flows, sizeof *flows);
        }
        free(t->refs[i]);
        for (unsigned w = 0; w <= DP_WORKER_DRY; w++) {
            chunk_free(atomic_load_explicit(&t->pub.cells[w][i],
                                            memory_order_relaxed),
                       sizeof(struct dp_cell_chunk));
        }
    }
    free(t->flow_ids.free);
    free(t->counter_ids.free);
    ovs_mutex_destroy(&t->mutex);
    free(t);
}

static uint32_t
id_get(struct ids *ids)
{
    if (ids->n_free) {
        return ids->free[--ids->n_free];
    }
    return ids->next < (uint32_t) DP_N_CHUNKS * DP_CHUNK
           ? ids->next++ : UINT32_MAX;
}

static void
id_put(struct ids *ids, uint32_t id)
{
    if (ids->n_free >= ids->allocated_free) {
        ids->free = x2nrealloc(ids->free, &ids->allocated_free,
                               sizeof *ids->free);
    }
    ids->free[ids->n_free++] = id;
}

/* Flows. */

uint32_t
dp_flow_alloc(struct dp *dp, const struct dp_flow_attr *attr)
{
    struct tables *t = tables_cast(dp->tables);
    struct dp_flow_chunk *chunk;
    struct dp_flow *flow;
    uint64_t *params;
    uint32_t id;

    ovs_mutex_lock(&t->mutex);
    id = id_get(&t->flow_ids);
    if (id == UINT32_MAX) {
        ovs_mutex_unlock(&t->mutex);
        return DP_FLOW_NONE;
    }
    chunk = atomic_load_explicit(&t->pub.flows[id >> DP_CHUNK_BITS],
                                 memory_order_relaxed);
    if (chunk == &no_flows) {
        chunk = chunk_alloc(sizeof *chunk);
        atomic_store_explicit(&t->pub.flows[id >> DP_CHUNK_BITS], chunk,
                              memory_order_release);
    }
    ovs_mutex_unlock(&t->mutex);

    flow = &chunk->flows[id & (DP_CHUNK - 1)];
    params = (attr->params_size <= sizeof flow->own ? flow->own
              : xmalloc(attr->params_size));
    if (attr->params_size) {
        memcpy(params, attr->params, attr->params_size);
    }
    flow->owner = attr->owner;
    flow->cookie = attr->cookie;
    flow->counters = attr->counters;
    flow->params_size = attr->params_size;
    flow->table_id = attr->table_id;
    flow->is_bucket = attr->is_bucket;
    if (attr->counters != DP_COUNTERS_NONE) {
        dp_counters_ref(dp, attr->counters);
    }
    atomic_store_explicit(&flow->params, params, memory_order_release);
    return id;
}

void
dp_flow_write(struct dp *dp, uint32_t id, const void *params,
              size_t params_size)
{
    const struct dp_flow *flow = dp_flow_get(dp->tables, id);

    ovs_assert(flow->params_size == params_size);
    memcpy(CONST_CAST(uint64_t *, dp_flow_params(flow)), params,
           params_size);
}

bool
dp_flow_is(const struct dp *dp, uint32_t id, const struct dp_flow_attr *attr)
{
    const struct dp_flow *flow = dp_flow_get(dp->tables, id);

    return (flow->owner == attr->owner && flow->cookie == attr->cookie
            && flow->counters == attr->counters
            && flow->table_id == attr->table_id
            && flow->is_bucket == attr->is_bucket);
}

uint32_t
dp_flow_copy(struct dp *dp, uint32_t id, const struct dp_flow_attr *attr)
{
    const struct dp_flow *flow = dp_flow_get(dp->tables, id);
    struct dp_flow_attr with_params = *attr;

    with_params.params = dp_flow_params(flow);
    with_params.params_size = flow->params_size;
    return dp_flow_alloc(dp, &with_params);
}

struct flow_free {
    struct dp *dp;
    uint32_t id;
};

/* Runs when no worker can hold the number any more. */
static void
flow_free_cb(struct flow_free *ff)
{
    struct tables *t = tables_cast(ff->dp->tables);
    struct dp_flow *flow = CONST_CAST(struct dp_flow *,
                                      dp_flow_at(&t->pub, ff->id));
    const uint64_t *params = dp_flow_params(flow);

    atomic_store_explicit(&flow->params, NULL, memory_order_relaxed);
    flow->params_size = 0;
    if (params != flow->own) {
        free(CONST_CAST(uint64_t *, params));
    }
    if (flow->counters != DP_COUNTERS_NONE) {
        dp_counters_unref(ff->dp, flow->counters);
    }
    ovs_mutex_lock(&t->mutex);
    id_put(&t->flow_ids, ff->id);
    ovs_mutex_unlock(&t->mutex);
    free(ff);
}

void
dp_flow_free(struct dp *dp, uint32_t id)
{
    struct flow_free *ff;

    if (id == DP_FLOW_NONE) {
        return;
    }
    ff = xmalloc(sizeof *ff);
    ff->dp = dp;
    ff->id = id;
    ovsrcu_postpone(flow_free_cb, ff);
}

/* Counters. */

uint32_t
dp_counters_alloc(struct dp *dp)
{
    struct tables *t = tables_cast(dp->tables);
    uint32_t id, hi, lo;
    bool used;

    ovs_mutex_lock(&t->mutex);
    used = t->counter_ids.n_free > 0;
    id = id_get(&t->counter_ids);
    if (id == UINT32_MAX) {
        ovs_mutex_unlock(&t->mutex);
        return DP_COUNTERS_NONE;
    }
    hi = id >> DP_CHUNK_BITS;
    lo = id & (DP_CHUNK - 1);
    if (!t->refs[hi]) {
        t->refs[hi] = xcalloc(DP_CHUNK, sizeof *t->refs[hi]);
        for (unsigned w = 0; w < n_workers(t); w++) {
            add_cells(t, w, hi);
        }
    }
    t->refs[hi][lo] = 1;
    for (unsigned w = 0; used && w < n_workers(t); w++) {
        struct dp_cell_chunk *chunk;
        struct dp_cell *cell;

        chunk = atomic_load_explicit(&t->pub.cells[w][hi],
                                     memory_order_relaxed);
        cell = &chunk->cells[lo];
        atomic_store_explicit(&cell->packets, 0, memory_order_relaxed);
        atomic_store_explicit(&cell->bytes, 0, memory_order_relaxed);
        atomic_store_explicit(&cell->used, 0, memory_order_relaxed);
    }
    ovs_mutex_unlock(&t->mutex);
    return id;
}

void
dp_counters_ref(struct dp *dp, uint32_t id)
{
    struct tables *t = tables_cast(dp->tables);

    ovs_mutex_lock(&t->mutex);
    ovs_assert(t->refs[id >> DP_CHUNK_BITS][id & (DP_CHUNK - 1)] > 0);
    t->refs[id >> DP_CHUNK_BITS][id & (DP_CHUNK - 1)]++;
    ovs_mutex_unlock(&t->mutex);
}

void
dp_counters_unref(struct dp *dp, uint32_t id)
{
    struct tables *t = tables_cast(dp->tables);
    uint32_t *refs;

    if (id == DP_COUNTERS_NONE) {
        return;
    }
    ovs_mutex_lock(&t->mutex);
    refs = &t->refs[id >> DP_CHUNK_BITS][id & (DP_CHUNK - 1)];
    ovs_assert(*refs > 0);
    if (!--*refs) {
        id_put(&t->counter_ids, id);
    }
    ovs_mutex_unlock(&t->mutex);
}

void
dp_counters_read(const struct dp *dp, uint32_t id, struct dp_counts *counts)
{
    struct tables *t = tables_cast(dp->tables);

    memset(counts, 0, sizeof *counts);
    if (id == DP_COUNTERS_NONE) {
        return;
    }
    for (unsigned w = 0; w < n_workers(t); w++) {
        struct dp_cell_chunk *chunk;
        struct dp_cell *cell;
        long long int used;

        chunk = atomic_load_explicit(&t->pub.cells[w][id >> DP_CHUNK_BITS],
                                     memory_order_acquire);
        cell = &chunk->cells[id & (DP_CHUNK - 1)];
        counts->packets += atomic_load_explicit(&cell->packets,
                                                memory_order_relaxed);
        counts->bytes += atomic_load_explicit(&cell->bytes,
                                              memory_order_relaxed);
        used = atomic_load_explicit(&cell->used, memory_order_relaxed);
        counts->used = MAX(counts->used, used);
    }
}

void
dp_counters_add(struct dp *dp, uint32_t id, uint64_t packets, uint64_t bytes)
{
    if (id != DP_COUNTERS_NONE) {
        dp_cell_add(dp_cell_get(dp->tables, DP_WORKER_MAIN, id), packets,
                    bytes, time_msec());
    }
}
