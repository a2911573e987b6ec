/* SPDX-License-Identifier: Apache-2.0 */

/* Longest prefix match: lookups beside rte_fib and rte_fib6, changes, memory,
 * the time to build. */

#include "tests/bench/maps.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_fib.h>
#include <rte_fib6.h>

#include "tests/bench/bench.h"
#include "vm/map.h"

#define BURST 32
#define MAX_BURST 256
#define ROUNDS 15
#define N_LOOKUPS 1048576u
#define N_CHANGES 20000u

struct key4 {
    uint32_t len;
    uint32_t addr;              /* Network byte order. */
};

struct key6 {
    uint32_t len;
    uint8_t addr[16];
};

struct side {
    uint32_t n;                 /* Prefixes. */
    uint32_t n_lookups;
    uint32_t burst;             /* Keys in a call. */
    struct key4 *prefixes;
    struct key4 *keys;          /* Addresses in random prefixes. */
    uint32_t *ips;              /* The same for rte_fib. */
    struct key6 *keys6;
    uint8_t (*ips6)[16];
    struct rte_fib *fib;
    struct rte_fib6 *fib6;
    struct vm_map *map;
    uint64_t sum;               /* So that nothing is optimized away. */
};

static void
fail(const char *what)
{
    fprintf(stderr, "maps-lpm: %s\n", what);
    exit(1);
}

/* Lengths as in the Internet's table. */
static unsigned
random_len(uint64_t *seed)
{
    static const struct {
        unsigned percent, len;
    } shares[] = {
        { 58, 24 }, { 11, 22 }, { 8, 23 }, { 8, 16 }, { 5, 21 }, { 5, 20 },
        { 3, 19 }, { 2, 18 },
    };
    unsigned x = bench_random(seed) % 100, i = 0;

    while (x >= shares[i].percent) {
        x -= shares[i++].percent;
    }
    return shares[i].len;
}

static uint32_t
mask_of(unsigned len)
{
    return len ? ~UINT32_C(0) << (32 - len) : 0;
}

static double
per_lookup(const struct side *s, uint64_t start)
{
    return (double) (bench_cpu_ns() - start) / s->n_lookups;
}

static double
rte_bulk(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n_lookups; i += s->burst) {
        uint64_t hops[MAX_BURST];

        rte_fib_lookup_bulk(s->fib, &s->ips[i], hops, s->burst);
        for (uint32_t j = 0; j < s->burst; j++) {
            s->sum += hops[j];
        }
    }
    return per_lookup(s, start);
}

static double
rte_bulk6(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n_lookups; i += BURST) {
        uint64_t hops[BURST];

        rte_fib6_lookup_bulk(s->fib6, &s->ips6[i], hops, BURST);
        for (int j = 0; j < BURST; j++) {
            s->sum += hops[j];
        }
    }
    return per_lookup(s, start);
}

static const void *
key_at(const struct side *s, uint32_t i)
{
    return s->keys6 ? (const void *) &s->keys6[i] : &s->keys[i];
}

static double
ours_burst(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n_lookups; i += s->burst) {
        const void *keys[MAX_BURST];
        void *values[MAX_BURST];

        for (uint32_t j = 0; j < s->burst; j++) {
            keys[j] = key_at(s, i + j);
        }
        vm_map_lookup_burst(s->map, keys, s->burst, values);
        for (uint32_t j = 0; j < s->burst; j++) {
            s->sum += *(uint64_t *) values[j];
        }
    }
    return per_lookup(s, start);
}

/* What programs have: both halves of the split lookup. */
static double
ours_split(void *s_)
{
    struct side *s = s_;
    struct vm_map *map = s->map;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n_lookups; i += s->burst) {
        uint64_t cookies[MAX_BURST];

        for (uint32_t j = 0; j < s->burst; j++) {
            cookies[j] = map->ops->hash(map, key_at(s, i + j));
        }
        for (uint32_t j = 0; j < s->burst; j++) {
            s->sum += *(uint64_t *) map->ops->lookup_hash(
                map, key_at(s, i + j), cookies[j]);
        }
    }
    return per_lookup(s, start);
}

static double
ours_single(void *s_)
{
    struct side *s = s_;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->n_lookups; i++) {
        s->sum += *(uint64_t *) s->map->ops->lookup(s->map, key_at(s, i));
    }
    return per_lookup(s, start);
}

static void
same_results(struct side *s, bench_fn *peer)
{
    s->sum = 0;
    ours_burst(s);
    uint64_t sum = s->sum;
    s->sum = 0;
    ours_single(s);
    if (s->sum != sum) {
        fail("lookups in bursts and one by one differ");
    }
    s->sum = 0;
    ours_split(s);
    if (s->sum != sum) {
        fail("lookups in bursts and by halves differ");
    }
    s->sum = 0;
    peer(s);
    if (s->sum != sum) {
        fail("the sides found different values");
    }
}

static struct vm_map *
map_new(uint32_t key_size, uint32_t n)
{
    const struct vm_map_attr attr = {
        .kind = VM_MAP_lpm_trie, .key_size = key_size, .value_size = 8,
        .max_entries = n, .flags = VM_MF_NO_PREALLOC,
    };
    struct vm_err err;
    struct vm_map *map;

    if (vm_map_create(&attr, &map, &err)) {
        fail(err.text);
    }
    return map;
}

/* Fills both sides with 'n' prefixes; returns our seconds. */
static double
fill(struct side *s, uint64_t *seed)
{
    uint64_t ours_ns = 0;

    for (uint32_t i = 0; i < s->n;) {
        unsigned len = random_len(seed);
        uint32_t addr = (uint32_t) (bench_random(seed) % 0xdf000000u
                                    + 0x01000000u) & mask_of(len);
        struct key4 key = { len, htonl(addr) };
        uint64_t value = i + 1, start = bench_cpu_ns();
        int error = vm_map_update(s->map, &key, &value, VM_NOEXIST);

        ours_ns += bench_cpu_ns() - start;
        if (!error) {
            if (rte_fib_add(s->fib, addr, len, value)) {
                fail("rte_fib_add");
            }
            s->prefixes[i++] = key;
        }
        if (i % 1024 == 0) {
            vm_defer_run();
        }
    }
    vm_defer_run();
    return ours_ns / 1e9;
}

static void
choose_keys(struct side *s, uint64_t *seed)
{
    for (uint32_t i = 0; i < s->n_lookups; i++) {
        const struct key4 *p = &s->prefixes[bench_random(seed) % s->n];

        s->ips[i] = ntohl(p->addr)
                    | ((uint32_t) bench_random(seed) & ~mask_of(p->len));
        s->keys[i] = (struct key4) { 32, htonl(s->ips[i]) };
    }
}

static int
compare_u64(const void *a_, const void *b_)
{
    const uint64_t *a = a_, *b = b_;

    return (*a > *b) - (*a < *b);
}

/* Inserts and removes prefixes with lengths from 'min' to 'max'. */
static void
measure_changes(struct side *s, unsigned min, unsigned max, uint64_t *seed)
{
    uint32_t n = bench_size(min < 16 ? N_CHANGES / 10 : N_CHANGES, 50), k = 0;
    uint64_t *ns = malloc(2 * n * sizeof *ns);

    for (uint32_t i = 0; i < n; i++) {
        unsigned len = min + bench_random(seed) % (max - min + 1);
        struct key4 key = {
            len, htonl((uint32_t) bench_random(seed) & mask_of(len)),
        };
        uint64_t value = i, start = bench_cpu_ns();

        if (!vm_map_update(s->map, &key, &value, VM_NOEXIST)) {
            ns[k++] = bench_cpu_ns() - start;
            start = bench_cpu_ns();
            if (vm_map_delete(s->map, &key)) {
                fail("an entry that was inserted is gone");
            }
            ns[k++] = bench_cpu_ns() - start;
        }
        if (i % 64 == 0) {
            vm_defer_run();
        }
    }
    if (k) {
        char name[96];

        qsort(ns, k, sizeof *ns, compare_u64);
        snprintf(name, sizeof name, "lpm, insert or remove /%u to /%u, p99: "
                 "limit", min, max);
        bench_number(name, ns[k * 99 / 100] / 1e3, min < 16 ? 5000 : 20,
                     "us", "<=1");
        snprintf(name, sizeof name, "lpm, the same, median");
        bench_number(name, ns[k / 2] / 1e3, 0, "us", NULL);
    }
    free(ns);
}

static void
measure4(uint32_t n)
{
    struct rte_fib_conf conf = {
        .type = RTE_FIB_DIR24_8, .default_nh = 0, .max_routes = 2 * n,
        .dir24_8 = { .nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = 1024 },
    };
    uint32_t n_lookups = bench_size(N_LOOKUPS, 1024);
    struct side s = {
        .n = n, .n_lookups = n_lookups, .burst = BURST,
        .prefixes = malloc(n * sizeof *s.prefixes),
        .keys = malloc(n_lookups * sizeof *s.keys),
        .ips = malloc(n_lookups * sizeof *s.ips),
        .fib = rte_fib_create("bench", -1, &conf),
        .map = map_new(8, 2 * n),
    };
    uint64_t seed = bench_seed();
    struct bench_result r;

    if (!s.prefixes || !s.keys || !s.ips || !s.fib) {
        fail("no memory");
    }
    double seconds = fill(&s, &seed);
    choose_keys(&s, &seed);
    rte_fib_select_lookup(s.fib, RTE_FIB_LOOKUP_DIR24_8_SCALAR_MACRO);
    same_results(&s, rte_bulk);
    s.burst = MAX_BURST;
    r = bench_compare(ROUNDS, ours_burst, rte_bulk, &s);
    bench_row("lpm, 500k IPv4 prefixes, bursts of 256: rte_fib scalar", &r,
              "ns", "<=1.3");
    s.burst = BURST;
    r = bench_compare(ROUNDS, ours_burst, rte_bulk, &s);
    bench_row("lpm, 500k IPv4 prefixes, bursts of 32: rte_fib scalar", &r,
              "ns", NULL);
    r = bench_compare(ROUNDS, ours_split, rte_bulk, &s);
    bench_row("lpm, 500k IPv4 prefixes, 32 by halves: rte_fib scalar", &r,
              "ns", NULL);
    r = bench_compare(ROUNDS, ours_single, rte_bulk, &s);
    bench_row("lpm, 500k IPv4 prefixes, one by one: rte_fib scalar", &r,
              "ns", NULL);
    if (!rte_fib_select_lookup(s.fib,
                               RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512)) {
        r = bench_compare(ROUNDS, ours_burst, rte_bulk, &s);
        bench_row("lpm, 500k IPv4 prefixes, bursts of 32: rte_fib AVX512", &r,
                  "ns", NULL);
    }
    bench_number("lpm, 500k IPv4 prefixes, memory: limit",
                 vm_map_memory(s.map) / 1e6, 32, "MB", "<=1");
    bench_number("lpm, 500k IPv4 prefixes, time to build: limit", seconds,
                 2, "s", "<=1");
    measure_changes(&s, 16, 32, &seed);
    measure_changes(&s, 0, 15, &seed);
    same_results(&s, rte_bulk);

    vm_map_unref(s.map);
    vm_defer_run();
    rte_fib_free(s.fib);
    free(s.prefixes);
    free(s.keys);
    free(s.ips);
}

/* IPv6: prefixes of /32 to /48 below 2000::/4. */
static void
measure6(uint32_t n)
{
    struct rte_fib6_conf conf = {
        .type = RTE_FIB6_TRIE, .max_routes = 2 * n,
        .trie = { .nh_sz = RTE_FIB6_TRIE_4B,
                  .num_tbl8 = bench_size(150000, 4000) },
    };
    uint32_t n_lookups = bench_size(N_LOOKUPS, 1024);
    struct side s = {
        .n_lookups = n_lookups, .burst = BURST,
        .keys6 = malloc(n_lookups * sizeof *s.keys6),
        .ips6 = malloc(n_lookups * sizeof *s.ips6),
        .fib6 = rte_fib6_create("bench6", -1, &conf),
        .map = map_new(20, n),
    };
    struct key6 *prefixes = malloc(n * sizeof *prefixes);
    uint64_t seed = bench_seed();

    if (!s.keys6 || !s.ips6 || !s.fib6 || !prefixes) {
        fail("no memory");
    }
    for (uint32_t i = 0; i < n;) {
        /* 4096 /32s, with 64 /40s in each, with 16 /48s in each. */
        uint64_t x = bench_random(&seed);
        uint64_t high = htobe64(UINT64_C(2) << 60 | (x & 0xfff) << 32
                                | (x >> 12 & 0x3f) << 24
                                | (x >> 18 & 0xf) << 16);
        struct key6 key = { .len = 32 + 8 * (bench_random(&seed) % 3) };
        uint64_t value = i + 1;

        memcpy(key.addr, &high, key.len / 8);
        if (!vm_map_update(s.map, &key, &value, VM_NOEXIST)) {
            if (rte_fib6_add(s.fib6, key.addr, key.len, value)) {
                fail("rte_fib6_add");
            }
            prefixes[i++] = key;
        }
    }
    for (uint32_t i = 0; i < n_lookups; i++) {
        s.keys6[i] = prefixes[bench_random(&seed) % n];
        for (unsigned j = s.keys6[i].len / 8; j < 16; j++) {
            s.keys6[i].addr[j] = bench_random(&seed);
        }
        s.keys6[i].len = 128;
        memcpy(s.ips6[i], s.keys6[i].addr, 16);
    }
    rte_fib6_select_lookup(s.fib6, RTE_FIB6_LOOKUP_TRIE_SCALAR);
    same_results(&s, rte_bulk6);

    struct bench_result r = bench_compare(5, ours_single, rte_bulk6, &s);
    bench_row("lpm, 100k IPv6 prefixes, one by one: rte_fib6 scalar", &r,
              "ns", NULL);
    vm_map_unref(s.map);
    vm_defer_run();
    rte_fib6_free(s.fib6);
    free(prefixes);
    free(s.keys6);
    free(s.ips6);
}

void
bench_maps_lpm(void)
{
    bench_fact("lpm", "addresses in random prefixes, %u of them, bursts of "
               "%d", (unsigned) bench_size(N_LOOKUPS, 1024), BURST);
    measure4(bench_size(500000, 2000));
    measure6(bench_size(100000, 500));
}
