/* SPDX-License-Identifier: Apache-2.0 */

/* Hash: bursts of lookups that hit, beside rte_hash. */

#include "tests/bench/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_hash.h>
#include <rte_hash_crc.h>

#include "tests/bench/bench.h"
#include "vm/map.h"

#define BURST 32
#define ROUNDS 15

struct key {
    uint64_t word[2];
};

struct side {
    uint32_t n;                 /* Entries; lookups a round. */
    struct key *keys;           /* In the order they are looked up. */
    struct rte_hash *rte;
    struct vm_map *map;
    uint64_t sum;               /* So that nothing is optimized away. */
};

static void
fail(const char *what)
{
    fprintf(stderr, "maps-hash: %s\n", what);
    exit(1);
}

static double
per_lookup(const struct side *s, uint64_t start)
{
    return (double) (bench_cpu_ns() - start) / s->n;
}

static double
rte_bulk(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i += BURST) {
        const void *keys[BURST];
        void *data[BURST];
        uint64_t hits;

        for (int j = 0; j < BURST; j++) {
            keys[j] = &s->keys[i + j];
        }
        rte_hash_lookup_bulk_data(s->rte, keys, BURST, &hits, data);
        for (int j = 0; j < BURST; j++) {
            s->sum += (uintptr_t) data[j];
        }
    }
    return per_lookup(s, start);
}

static double
ours_burst(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i += BURST) {
        const void *keys[BURST];
        void *values[BURST];

        for (int j = 0; j < BURST; j++) {
            keys[j] = &s->keys[i + j];
        }
        vm_map_lookup_burst(s->map, keys, BURST, values);
        for (int j = 0; j < BURST; j++) {
            s->sum += *(uint64_t *) values[j];
        }
    }
    return per_lookup(s, start);
}

/* What programs have: both halves of the split lookup, each for the whole
 * burst. */
static double
ours_split(void *s_)
{
    struct side *s = s_;
    struct vm_map *map = s->map;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i += BURST) {
        uint64_t cookies[BURST];

        for (int j = 0; j < BURST; j++) {
            cookies[j] = map->ops->hash(map, &s->keys[i + j]);
        }
        for (int j = 0; j < BURST; j++) {
            s->sum += *(uint64_t *) map->ops->lookup_hash(map,
                                                          &s->keys[i + j],
                                                          cookies[j]);
        }
    }
    return per_lookup(s, start);
}

static double
ours_single(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i++) {
        s->sum += *(uint64_t *) s->map->ops->lookup(s->map, &s->keys[i]);
    }
    return per_lookup(s, start);
}

static double
rte_single(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n; i++) {
        void *data;

        rte_hash_lookup_data(s->rte, &s->keys[i], &data);
        s->sum += (uintptr_t) data;
    }
    return per_lookup(s, start);
}

static void
setup(struct side *s, uint32_t n)
{
    uint64_t seed = bench_seed();
    struct rte_hash_parameters parameters = {
        .name = "bench",
        .entries = n + n / 4,  /* It may refuse the last ones. */
        .key_len = sizeof(struct key),
        .hash_func = rte_hash_crc,
        .extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
    };
    const struct vm_map_attr attr = {
        .kind = VM_MAP_hash, .key_size = sizeof(struct key),
        .value_size = 8, .max_entries = n,
    };
    struct vm_err err;

    *s = (struct side) { .n = n, .keys = malloc(n * sizeof *s->keys) };
    s->rte = rte_hash_create(&parameters);
    if (!s->keys || !s->rte || vm_map_create(&attr, &s->map, &err)) {
        fail("no memory");
    }
    for (uint32_t i = 0; i < n; i++) {
        s->keys[i].word[0] = bench_random(&seed);
        s->keys[i].word[1] = bench_random(&seed);

        uint64_t value = i + 1;
        if (rte_hash_add_key_data(s->rte, &s->keys[i],
                                  (void *) (uintptr_t) value)
            || vm_map_update(s->map, &s->keys[i], &value, VM_ANY)) {
            fail("an entry did not fit");
        }
    }
    /* Another order than that of the inserts. */
    for (uint32_t i = n; i-- > 1;) {
        uint32_t j = bench_random(&seed) % (i + 1);
        struct key key = s->keys[i];

        s->keys[i] = s->keys[j];
        s->keys[j] = key;
    }
}

static void
measure(uint32_t n, const char *entries, const char *gate)
{
    struct side s;
    struct bench_result r;
    char name[96];

    uint64_t huge = bench_huge_kb();
    setup(&s, n);
    snprintf(name, sizeof name, "hash, %s entries", entries);
    bench_fact(name, "%.1f MB, %lu MB of huge pages more than before",
               vm_map_memory(s.map) / 1e6,
               (unsigned long) (bench_huge_kb() - huge) / 1024);
    s.sum = 0;
    ours_burst(&s);
    uint64_t sum = s.sum;
    s.sum = 0;
    ours_split(&s);
    if (s.sum != sum) {
        fail("bursts and halves found different values");
    }
    s.sum = 0;
    rte_bulk(&s);
    if (s.sum != sum || sum != (uint64_t) n * (n + 1) / 2) {
        fail("the sides found different values");
    }

    snprintf(name, sizeof name, "hash, %s entries, burst: rte_hash bulk",
             entries);
    r = bench_compare(ROUNDS, ours_burst, rte_bulk, &s);
    bench_row(name, &r, "ns", gate);
    snprintf(name, sizeof name, "hash, %s entries, burst by halves: "
             "rte_hash bulk", entries);
    r = bench_compare(ROUNDS, ours_split, rte_bulk, &s);
    bench_row(name, &r, "ns", NULL);
    snprintf(name, sizeof name, "hash, %s entries, one by one: rte_hash",
             entries);
    r = bench_compare(ROUNDS, ours_single, rte_single, &s);
    bench_row(name, &r, "ns", NULL);

    vm_map_unref(s.map);
    vm_defer_run();
    rte_hash_free(s.rte);
    free(s.keys);
}

void
bench_maps_hash(void)
{
    bench_fact("hash", "keys of 16 bytes, values of 8, all found, in random "
               "order, bursts of %d, rte_hash lock-free with crc", BURST);
    measure(bench_size(1000000, 1024) / BURST * BURST,
            bench_quick() ? "1k" : "1M", "<=1.5");
    measure(bench_size(10000, 512) / BURST * BURST,
            bench_quick() ? "512" : "10k", NULL);
}
