/* SPDX-License-Identifier: Apache-2.0 */

/* The other kinds: LRU and per-CPU hashes, the versioned hash, the ring
 * buffer; and what waits for readers while a million entries go.  DPDK has no
 * peer for most of them, so they stand beside our own hash. */

#include "tests/bench/maps.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ring.h>

#include "tests/bench/bench.h"
#include "vm/map.h"
#include "vm/maps/ringbuf.h"
#include "vm/maps/vtable.h"

#define BURST 32
#define ROUNDS 9

struct key {
    uint64_t word[2];
};

struct side {
    uint32_t n;                 /* Entries; lookups a round. */
    struct key *keys;           /* In the order they are looked up. */
    struct vm_map *hash, *other;
    struct rte_ring *ring;
    uint64_t next;              /* LRU: the key that comes next. */
    uint64_t sum;               /* So that nothing is optimized away. */
};

static void
fail(const char *what)
{
    fprintf(stderr, "maps-more: %s\n", what);
    exit(1);
}

static struct vm_map *
map_new(enum vm_map_kind kind, uint32_t n, uint32_t flags)
{
    const struct vm_map_attr attr = {
        .kind = kind, .key_size = sizeof(struct key), .value_size = 8,
        .max_entries = n, .flags = flags,
    };
    struct vm_err err;
    struct vm_map *map;

    if (vm_map_create(&attr, &map, &err)) {
        fail(err.text);
    }
    return map;
}

static double
per_op(const struct side *s, uint64_t start)
{
    return (double) (bench_cpu_ns() - start) / s->n;
}

/* ## Lookups in bursts. */

static double
bursts(struct side *s, struct vm_map *map)
{
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i += BURST) {
        const void *keys[BURST];
        void *values[BURST];

        for (int j = 0; j < BURST; j++) {
            keys[j] = &s->keys[i + j];
        }
        vm_map_lookup_burst(map, keys, BURST, values);
        for (int j = 0; j < BURST; j++) {
            s->sum += *(uint64_t *) values[j];
        }
    }
    return per_op(s, start);
}

static double
hash_bursts(void *s_)
{
    struct side *s = s_;

    return bursts(s, s->hash);
}

static double
other_bursts(void *s_)
{
    struct side *s = s_;

    return bursts(s, s->other);
}

/* In steps, as programs do it. */
static double
versioned_bursts(void *s_)
{
    struct side *s = s_;
    struct vm_map *map = s->other;
    const struct vm_map_ops *ops = map->ops;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i += BURST) {
        uint64_t cookies[BURST];

        for (int j = 0; j < BURST; j++) {
            cookies[j] = ops->vstart(map, &s->keys[i + j]);
        }
        for (int j = 0; j < BURST; j++) {
            cookies[j] = ops->vnext(map, &s->keys[i + j], cookies[j]);
        }
        for (int j = 0; j < BURST; j++) {
            s->sum += *(uint64_t *) ops->vend(map, &s->keys[i + j], 1,
                                              cookies[j]);
        }
    }
    return per_op(s, start);
}

static void
fill(struct side *s, struct vm_map *map)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const uint64_t value = s->keys[i].word[1];
        int error = (map->ops->caps & VM_MAP_CAP_VLOOKUP
                     ? vm_vhash_insert(map, s->keys[i].word, 1, value, NULL)
                     : vm_map_update(map, &s->keys[i], &value, VM_NOEXIST));

        if (error) {
            fail("an entry did not fit");
        }
    }
}

static void
beside_hash(struct side *s, const char *name, enum vm_map_kind kind,
            bench_fn *fn)
{
    char row[96];

    s->other = map_new(kind, s->n, 0);
    fill(s, s->other);
    s->sum = 0;
    fn(s);
    uint64_t sum = s->sum;
    s->sum = 0;
    hash_bursts(s);
    if (s->sum != sum) {
        fail("two kinds found different values");
    }

    struct bench_result r = bench_compare(ROUNDS, fn, hash_bursts, s);
    snprintf(row, sizeof row, "%s, %s entries, burst: our hash", name,
             bench_quick() ? "1k" : "1M");
    bench_row(row, &r, "ns", NULL);
    vm_map_unref(s->other);
    vm_defer_run();
}

/* ## Updates of new keys in a full LRU: each evicts another one. */

static double
evictions(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i++) {
        const struct key key = { { ++s->next, 7 } };

        if (vm_map_update(s->other, &key, &s->next, VM_ANY)) {
            fail("an LRU refused a key");
        }
        if (i % 256 == 255) {
            vm_defer_run();
        }
    }
    return per_op(s, start);
}

/* The same with our hash, where the caller deletes another one. */
static double
replacements(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i++) {
        const uint64_t value = 1;

        if (vm_map_delete(s->hash, &s->keys[i])
            || vm_map_update(s->hash, &s->keys[i], &value, VM_ANY)) {
            fail("an entry could not be replaced");
        }
        if (i % 256 == 255) {
            vm_defer_run();
        }
    }
    return per_op(s, start);
}

static void
measure_evictions(struct side *s)
{
    s->other = map_new(VM_MAP_lru_hash, s->n, 0);
    fill(s, s->other);
    struct bench_result r = bench_compare(3, evictions, replacements, s);
    bench_row("lru_hash, update that evicts: our hash, delete and insert",
              &r, "ns", NULL);
    if (vm_map_count(s->other) > s->n) {
        fail("an LRU has more entries than room");
    }
    vm_map_unref(s->other);
    vm_defer_run();
}

/* ## Records through a ring, in batches as large as a burst. */

static void
see(void *sum_, const void *data, uint32_t size)
{
    uint64_t *sum = sum_;

    *sum += *(const uint64_t *) data + size;
}

static double
ringbuf(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i += BURST) {
        for (int j = 0; j < BURST; j++) {
            uint64_t *record = vm_ringbuf_reserve(s->other, 64, 0);

            if (!record) {
                fail("the ring is full");
            }
            record[0] = i + j;
            record[7] = j;
            vm_ringbuf_commit(record, false);
        }
        if (vm_ringbuf_consume(s->other, BURST, see, &s->sum) != BURST) {
            fail("a record is missing");
        }
    }
    return per_op(s, start);
}

/* A ring of pointers to the same records, of one producer. */
static double
rte_ring(void *s_)
{
    struct side *s = s_;
    uint64_t (*records)[8] = (void *) s->keys;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i += BURST) {
        for (int j = 0; j < BURST; j++) {
            uint64_t *record = records[(i + j) % 1024];

            record[0] = i + j;
            record[7] = j;
            if (rte_ring_enqueue(s->ring, record)) {
                fail("rte_ring is full");
            }
        }
        for (int j = 0; j < BURST; j++) {
            void *record;

            if (rte_ring_dequeue(s->ring, &record)) {
                fail("rte_ring is empty");
            }
            see(&s->sum, record, 64);
        }
    }
    return per_op(s, start);
}

static void
measure_ring(uint32_t n)
{
    const struct vm_map_attr attr = {
        .kind = VM_MAP_ringbuf, .max_entries = 65536,
    };
    struct side s = { .n = n, .keys = calloc(1024, 64) };
    struct vm_err err;

    s.ring = rte_ring_create("bench", 1024, -1, 0);
    if (!s.ring || !s.keys || vm_map_create(&attr, &s.other, &err)) {
        fail("no memory for rings");
    }

    struct bench_result r = bench_compare(ROUNDS, ringbuf, rte_ring, &s);
    bench_row("ringbuf, reserve, commit, consume 64 bytes: rte_ring of "
              "pointers", &r, "ns", NULL);
    vm_map_unref(s.other);
    vm_defer_run();
    rte_ring_free(s.ring);
    free(s.keys);
}

/* ## A million entries deleted, and others put in, while a reader looks: the
 * reader is quiescent once a burst, deferred calls run when it was. */

#define NO_READER UINT64_MAX

struct deletion {
    struct side *s;
    _Atomic uint64_t epoch;     /* Bursts that the reader has ended. */
    atomic_bool stop;
};

static struct deletion deletion;
static struct {
    void (*fn)(void *);
    void *aux;
    uint64_t epoch;
} waiting[65536];
static uint32_t n_waiting, n_peak;

static void
wait_hook(void (*fn)(void *), void *aux)
{
    if (n_waiting == sizeof waiting / sizeof waiting[0]) {
        fail("deferred calls are not bounded");
    }
    waiting[n_waiting].fn = fn;
    waiting[n_waiting].aux = aux;
    waiting[n_waiting++].epoch = atomic_load(&deletion.epoch);
    n_peak = n_waiting > n_peak ? n_waiting : n_peak;
}

/* Runs what was deferred before the burst that the reader has ended last
 * began. */
static void
run_waiting(void)
{
    uint32_t n = n_waiting, kept = 0;
    uint64_t epoch = atomic_load(&deletion.epoch);

    for (uint32_t i = 0; i < n; i++) {
        if (epoch == NO_READER || waiting[i].epoch + 2 <= epoch) {
            waiting[i].fn(waiting[i].aux);
        } else {
            waiting[kept++] = waiting[i];
        }
    }
    memmove(&waiting[kept], &waiting[n], (n_waiting - n)
                                         * sizeof waiting[0]);
    n_waiting = kept + n_waiting - n;
}

static void *
look(void *unused)
{
    struct side *s = deletion.s;
    uint64_t seed = 5, sum = 0;
    cpu_set_t all;

    memset(&all, 0xff, sizeof all);     /* Not the CPU of the writer only. */
    sched_setaffinity(0, sizeof all, &all);
    while (!atomic_load_explicit(&deletion.stop, memory_order_relaxed)) {
        for (int j = 0; j < BURST; j++) {
            uint64_t *value = vm_map_lookup(
                s->hash, &s->keys[bench_random(&seed) % s->n]);

            sum += value ? *value : 0;
        }
        atomic_fetch_add(&deletion.epoch, 1);
    }
    return (void *) (uintptr_t) sum;
}

static void
measure_deletion(struct side *s)
{
    size_t before = vm_map_memory(s->hash), peak = before;
    pthread_t thread;

    deletion.s = s;
    vm_set_defer(wait_hook);
    if (pthread_create(&thread, NULL, look, NULL)) {
        fail("no thread");
    }
    for (uint32_t i = 0; i < s->n; i++) {
        const struct key key = { { i, UINT64_MAX } };
        const uint64_t value = i;

        if (vm_map_delete(s->hash, &s->keys[i])
            || vm_map_update(s->hash, &key, &value, VM_NOEXIST)) {
            fail("an entry could not be replaced");
        }
        if (i % 64 == 63) {
            size_t memory = vm_map_memory(s->hash);

            peak = memory > peak ? memory : peak;
            run_waiting();
        }
    }
    atomic_store(&deletion.stop, true);
    pthread_join(thread, NULL);
    atomic_store(&deletion.epoch, NO_READER);
    while (n_waiting) {
        run_waiting();
    }
    vm_set_defer(NULL);
    if (vm_map_count(s->hash) != s->n) {
        fail("the number of entries changed");
    }
    bench_number("hash, 1M deleted and inserted under a reader, peak of "
                 "memory: before", peak / 1e6, before / 1e6, "MB", "<=1.2");
    bench_number("hash, the same, deferred calls at a time: limit", n_peak,
                 8, "calls", "<=1");
}

void
bench_maps_more(void)
{
    uint32_t n = bench_size(1000000, 1024) / BURST * BURST;
    struct side s = {
        .n = n, .keys = malloc(n * sizeof *s.keys),
        .hash = map_new(VM_MAP_hash, n, 0),
    };
    uint64_t seed = bench_seed();

    for (uint32_t i = 0; s.keys && i < n; i++) {
        s.keys[i] = (struct key) { { bench_random(&seed), i } };
    }
    fill(&s, s.hash);
    /* Another order than that of the inserts. */
    for (uint32_t i = n; i-- > 1;) {
        uint32_t j = bench_random(&seed) % (i + 1);
        struct key key = s.keys[i];

        s.keys[i] = s.keys[j];
        s.keys[j] = key;
    }
    beside_hash(&s, "lru_hash", VM_MAP_lru_hash, other_bursts);
    beside_hash(&s, "percpu_hash", VM_MAP_percpu_hash, other_bursts);
    beside_hash(&s, "vhash", VM_MAP_vhash, versioned_bursts);
    measure_evictions(&s);
    vm_map_unref(s.hash);
    vm_defer_run();
    s.hash = map_new(VM_MAP_hash, n, VM_MF_NO_PREALLOC);
    fill(&s, s.hash);
    measure_deletion(&s);
    vm_map_unref(s.hash);
    vm_defer_run();
    free(s.keys);
    measure_ring(n);
}
