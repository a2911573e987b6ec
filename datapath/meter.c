/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/meter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/counters.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "id-pool.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"

/* Time and credit are counted in units of 2^-TICK_BITS us, which lasts for
 * eight years.  The cost of a byte or packet has COST_BITS more. */
enum {
    TICK_BITS = 16,
    COST_BITS = 12,
    CREDIT_US = 100             /* Most that a worker holds. */
};

struct band {
    uint64_t cost;              /* Of a byte or a packet. */
    uint64_t burst;             /* Ticks until an empty bucket is full. */
    uint64_t piece;             /* Ticks that a worker takes at a time. */
    uint32_t rate;
    uint8_t prec_level;         /* 0: drop. */
    _Atomic uint64_t full_at;   /* Tick when the bucket is full. */
};

/* A worker's share: written by it alone. */
struct cell {
    uint64_t credit[DP_MAX_METER_BANDS];
    _Atomic uint64_t packets, bytes;
    struct {
        _Atomic uint64_t packets, bytes;
    } bands[DP_MAX_METER_BANDS];
} __attribute__((aligned(64)));

struct meter {
    bool per_packet;
    uint32_t n_bands;
    struct band bands[DP_MAX_METER_BANDS];
    struct cell cells[] __attribute__((aligned(64)));
};

struct dp_meters {
    struct ovs_mutex mutex;
    struct id_pool *ids OVS_GUARDED;
    struct meter *_Atomic meters[DP_MAX_METERS];
};

struct dp_meters *
dp_meters_create(void)
{
    struct dp_meters *meters = xzalloc(sizeof *meters);

    ovs_mutex_init(&meters->mutex);
    meters->ids = id_pool_create(0, DP_MAX_METERS);
    return meters;
}

void
dp_meters_destroy(struct dp_meters *meters)
{
    for (size_t i = 0; i < DP_MAX_METERS; i++) {
        free_cacheline(atomic_load(&meters->meters[i]));
    }
    id_pool_destroy(meters->ids);
    ovs_mutex_destroy(&meters->mutex);
    free(meters);
}

/* Bucket. */

static void
band_init(struct band *band, const struct dp_meter_band *attr,
          bool per_packet)
{
    /* Ticks of a packet, or of a byte (rates are kilobits). */
    uint64_t unit = (per_packet ? UINT64_C(1000000) : 8000) << TICK_BITS;
    uint64_t burst = attr->burst ? attr->burst : attr->rate;
    unsigned __int128 ticks;

    band->rate = attr->rate;
    band->prec_level = attr->prec_level;
    band->cost = (unit << COST_BITS) / attr->rate;
    /* 'burst' packets or kilobits, at 'rate' a second. */
    ticks = ((unsigned __int128) burst * 1000000 << TICK_BITS) / attr->rate;
    band->burst = MIN(ticks, UINT64_C(1) << 62);
    band->piece = MIN(band->burst / 8, (uint64_t) CREDIT_US << TICK_BITS);
    atomic_init(&band->full_at, 0);
}

/* Takes 'ticks' out of the shared bucket, if it has that many. */
static bool
band_take(struct band *band, uint64_t ticks, uint64_t now)
{
    uint64_t old = atomic_load_explicit(&band->full_at, memory_order_relaxed);
    uint64_t new;

    do {
        new = MAX(old, now) + ticks;
        if (new - now > band->burst) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&band->full_at, &old, new,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

static bool
band_admit(struct band *band, uint64_t *credit, uint64_t cost, uint64_t now)
{
    if (*credit < cost) {
        if (cost < band->piece && band_take(band, band->piece, now)) {
            *credit += band->piece;
        } else if (band_take(band, cost - *credit, now)) {
            *credit = cost;
        } else {
            return false;
        }
    }
    *credit -= cost;
    return true;
}

static void
count(_Atomic uint64_t *packets, _Atomic uint64_t *bytes, uint32_t size)
{
    atomic_store_explicit(packets, 1 + atomic_load_explicit(
                              packets, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(bytes, size + atomic_load_explicit(
                              bytes, memory_order_relaxed),
                          memory_order_relaxed);
}

int
dp_meter_run(struct dp_worker *worker, uint32_t id, uint32_t size,
             uint64_t now_us)
{
    uint64_t now = now_us << TICK_BITS;
    struct meter *meter = NULL;
    uint32_t exceeded = DP_MAX_METER_BANDS;
    struct cell *cell;

    if (id < DP_MAX_METERS) {
        meter = atomic_load_explicit(&worker->dp->meters->meters[id],
                                     memory_order_acquire);
    }
    if (!meter) {
        return DP_METER_PASS;
    }
    cell = &meter->cells[worker->id];
    count(&cell->packets, &cell->bytes, size);
    for (uint32_t i = 0; i < meter->n_bands; i++) {
        struct band *band = &meter->bands[i];
        uint64_t units = meter->per_packet ? 1 : size;

        if (!band_admit(band, &cell->credit[i],
                        units * band->cost >> COST_BITS, now)
            && (exceeded == DP_MAX_METER_BANDS
                || band->rate > meter->bands[exceeded].rate)) {
            exceeded = i;
        }
    }
    if (exceeded == DP_MAX_METER_BANDS) {
        return DP_METER_PASS;
    }
    count(&cell->bands[exceeded].packets, &cell->bands[exceeded].bytes, size);
    return (meter->bands[exceeded].prec_level
            ? meter->bands[exceeded].prec_level : DP_METER_DROP);
}

bool
dp_meter_admit(struct dp *dp, uint32_t meter, uint32_t size)
{
    return dp_meter_run(dp->workers[DP_WORKER_MAIN], meter, size,
                        time_usec()) != DP_METER_DROP;
}

/* Life. */

int
dp_meter_set(struct dp *dp, uint32_t *idp, const struct dp_meter_attr *attr)
{
    struct dp_meters *meters = dp->meters;
    struct meter *meter, *old;
    bool ok = true;

    for (uint32_t i = 0; i < attr->n_bands; i++) {
        if (!attr->bands[i].rate) {
            return -EDOM;
        }
    }
    if (*idp == DP_METER_NONE) {
        ovs_mutex_lock(&meters->mutex);
        ok = id_pool_alloc_id(meters->ids, idp);
        ovs_mutex_unlock(&meters->mutex);
    }
    if (!ok) {
        return -ENOSPC;
    }
    meter = xzalloc_cacheline(sizeof *meter
                              + DP_MAX_WORKERS * sizeof *meter->cells);
    meter->per_packet = attr->per_packet;
    meter->n_bands = attr->n_bands;
    for (uint32_t i = 0; i < attr->n_bands; i++) {
        band_init(&meter->bands[i], &attr->bands[i], attr->per_packet);
    }
    old = atomic_exchange_explicit(&meters->meters[*idp], meter,
                                   memory_order_acq_rel);
    if (old) {
        ovsrcu_postpone(free_cacheline, old);
    }
    return 0;
}

struct free_id {
    struct dp_meters *meters;
    uint32_t id;
};

static void
free_id(struct free_id *f)
{
    ovs_mutex_lock(&f->meters->mutex);
    id_pool_free_id(f->meters->ids, f->id);
    ovs_mutex_unlock(&f->meters->mutex);
    free(f);
}

void
dp_meter_del(struct dp *dp, uint32_t id)
{
    struct free_id *f = xmalloc(sizeof *f);
    struct meter *old;

    old = atomic_exchange_explicit(&dp->meters->meters[id], NULL,
                                   memory_order_acq_rel);
    if (old) {
        ovsrcu_postpone(free_cacheline, old);
    }

    /* No other meter gets the number while flows that name it may still be
     * seen. */
    f->meters = dp->meters;
    f->id = id;
    ovsrcu_postpone(free_id, f);
}

int
dp_meter_get(const struct dp *dp, uint32_t id, struct dp_meter_counts *counts)
{
    struct meter *meter = NULL;

    memset(counts, 0, sizeof *counts);
    if (id < DP_MAX_METERS) {
        meter = atomic_load(&dp->meters->meters[id]);
    }
    if (!meter) {
        return -ENOENT;
    }
    counts->n_bands = meter->n_bands;
    for (unsigned w = 0; w < DP_MAX_WORKERS; w++) {
        struct cell *cell = &meter->cells[w];

        counts->packets += atomic_load(&cell->packets);
        counts->bytes += atomic_load(&cell->bytes);
        for (uint32_t i = 0; i < meter->n_bands; i++) {
            counts->bands[i].packets += atomic_load(&cell->bands[i].packets);
            counts->bands[i].bytes += atomic_load(&cell->bands[i].bytes);
        }
    }
    return 0;
}
