/* SPDX-License-Identifier: Apache-2.0 */

/* Versioned maps: against a list that is searched from end to end, and with
 * readers on other threads. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "tests/unit/vm-qsbr.h"
#include "vm/maps/vtable.h"

#define WORDS 4

static uint64_t rng_state = 88172645463325252u;

static uint64_t
rng(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint32_t
below(uint32_t n)
{
    return (rng(&rng_state) >> 33) % n;
}

static struct vm_map *
new_map(enum vm_map_kind kind, uint32_t words, uint32_t max_entries)
{
    const struct vm_map_attr attr = {
        .kind = kind,
        .key_size = 8 * words,
        .value_size = 8,
        .max_entries = max_entries,
        .name = "test",
    };
    struct vm_map *map;
    struct vm_err err;

    if (vm_map_create(&attr, &map, &err)) {
        fail_msg("%s", err.text);
    }
    return map;
}

/* The model. */

#define MAX_RECORDS 3000

struct record {
    uint64_t mask[WORDS], key[WORDS];
    int32_t priority;
    uint64_t add, remove, value;
    struct vm_ventry *entry;    /* NULL: free. */
};

static struct record records[MAX_RECORDS];

static bool
matches(const struct record *r, const uint64_t *key, uint64_t version)
{
    if (!r->entry || r->add > version || version >= r->remove) {
        return false;
    }
    for (int i = 0; i < WORDS; i++) {
        if ((key[i] & r->mask[i]) != (r->key[i] & r->mask[i])) {
            return false;
        }
    }
    return true;
}

static const struct record *
model_lookup(const uint64_t *key, uint64_t version)
{
    const struct record *best = NULL;

    for (int i = 0; i < MAX_RECORDS; i++) {
        if (matches(&records[i], key, version)
            && (!best || records[i].priority > best->priority)) {
            best = &records[i];
        }
    }
    return best;
}

/* Few distinct words, so that keys meet. */
static void
random_key(uint64_t *key)
{
    for (int i = 0; i < WORDS; i++) {
        key[i] = below(4) * UINT64_C(0x0100000001000001) + below(3);
    }
}

static void
random_mask(uint64_t *mask)
{
    static const uint64_t words[] = {
        0, 0, UINT64_MAX, 0xff, UINT64_C(0xffffffff00000000), 3,
    };

    for (int i = 0; i < WORDS; i++) {
        mask[i] = words[below(6)];
    }
}

static void
check_lookup(struct vm_map *map, uint64_t version)
{
    uint64_t key[WORDS];

    random_key(key);
    const struct record *want = model_lookup(key, version);
    uint64_t *value = vm_vmap_lookup(map, key, version);
    struct vm_ventry *got = vm_vmap_lookup_entry(map, key, version);

    /* In steps, with the right cookie and with a wrong one. */
    uint64_t cookie = map->ops->vstart(map, key);

    cookie = map->ops->vnext(map, key, cookie);
    assert_ptr_equal(map->ops->vend(map, key, version, cookie), value);
    map->ops->vnext(map, key, rng(&rng_state));
    cookie ^= UINT64_C(1) << (32 + below(16));
    assert_ptr_equal(map->ops->vend(map, key, version, cookie), value);

    assert_int_equal(value != NULL, want != NULL);
    if (want) {
        const struct record *r = vm_ventry_aux(got);

        assert_int_equal(vm_ventry_priority(got), want->priority);
        assert_true(matches(r, key, version));
        assert_int_equal(*value, r->value);
        assert_ptr_equal(vm_ventry_from_value(value), got);
    }
}

static void
insert_record(struct vm_map *map, struct record *r, uint64_t version)
{
    random_key(r->key);
    random_mask(r->mask);
    r->priority = (int32_t) below(20) - 10;
    r->add = version + below(3);
    r->remove = VM_VERSION_NOT_REMOVED;
    r->value = rng(&rng_state);
    assert_int_equal(vm_vtuples_insert(map, r->mask, r->key, r->priority,
                                       r->add, r->value, &r->entry), 0);
    vm_ventry_set_aux(r->entry, r);
}

static void
change_record(struct vm_map *map, struct record *r, uint64_t version)
{
    switch (below(4)) {
    case 0:
        r->remove = version + below(3);
        vm_ventry_remove_at(r->entry, r->remove);
        break;
    case 1:
        r->remove = VM_VERSION_NOT_REMOVED;
        vm_ventry_restore(r->entry);
        break;
    case 2:
        r->value = rng(&rng_state);
        vm_ventry_set_value(r->entry, r->value);
        break;
    case 3:
        vm_vtuples_delete(map, r->entry);
        r->entry = NULL;
        break;
    }
}

static bool
count_entry(struct vm_ventry *e, void *n_)
{
    size_t *n = n_;
    const struct record *r = vm_ventry_aux(e);

    assert_ptr_equal(r->entry, e);
    ++*n;
    return true;
}

static void
check_whole(struct vm_map *map)
{
    uint64_t key[WORDS], mask[WORDS];
    size_t n = 0, n_in_tuples = 0, n_iterated = 0;
    int32_t last = INT32_MAX;

    for (int i = 0; i < MAX_RECORDS; i++) {
        const struct record *r = &records[i];

        n += r->entry != NULL;
        if (r->entry) {
            vm_ventry_key(map, r->entry, key, mask);
            assert_memory_equal(mask, r->mask, sizeof mask);
            for (int j = 0; j < WORDS; j++) {
                assert_int_equal(key[j], r->key[j] & r->mask[j]);
            }
            assert_int_equal(vm_ventry_add_version(r->entry), r->add);
            assert_int_equal(vm_ventry_remove_version(r->entry), r->remove);
        }
    }
    assert_int_equal(vm_map_count(map), n);
    for (size_t i = 0; i < vm_vtuples_n_tuples(map); i++) {
        struct vm_vtuple_info info;

        vm_vtuples_tuple(map, i, mask, &info);
        assert_true(info.max_priority <= last);
        assert_true(info.n_entries > 0);
        last = info.max_priority;
        n_in_tuples += info.n_entries;
    }
    assert_int_equal(n_in_tuples, n);
    vm_vmap_for_each(map, count_entry, &n_iterated);
    assert_int_equal(n_iterated, n);
}

static void
test_model(void **state)
{
    struct vm_map *map = new_map(VM_MAP_vtuples, WORDS, 0);
    uint64_t version = 1;

    memset(records, 0, sizeof records);
    for (int step = 0; step < 60000; step++) {
        /* Fill up, then empty, then fill up again. */
        bool fill = step / 12000 % 2 == 0;
        struct record *r = &records[below(MAX_RECORDS)];

        if (!r->entry && (fill || !below(10))) {
            insert_record(map, r, version);
        } else if (r->entry && (!fill || !below(4))) {
            change_record(map, r, version);
        }
        version += !below(50);
        if (step % 4 == 0) {
            check_lookup(map, version + below(5) - 2);
        }
        if (step % 6000 == 5999) {
            check_whole(map);
            vm_defer_run();
        }
    }
    vm_map_unref(map);
    vm_defer_run();
}

static void
test_vhash(void **state)
{
    struct vm_map *map = new_map(VM_MAP_vhash, 2, 100);
    struct vm_ventry *entries[101], *e;

    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(vm_vhash_insert(map, (uint64_t[2]) { i, 7 }, 5, i,
                                         &entries[i]), 0);
    }
    assert_int_equal(vm_vhash_insert(map, (uint64_t[2]) { 1, 8 }, 5, 0, &e),
                     -E2BIG);
    assert_int_equal(vm_map_count(map), 100);
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t key[2] = { i, 7 };

        assert_null(vm_vmap_lookup(map, key, 4));
        assert_int_equal(*vm_vmap_lookup(map, key, 5), i);

        uint64_t cookie = map->ops->vstart(map, key);
        assert_int_equal(map->ops->n_vsteps, 1);
        cookie = map->ops->vnext(map, key, cookie);
        assert_null(map->ops->vend(map, key, 4, cookie));
        assert_int_equal(*(uint64_t *) map->ops->vend(map, key, 5, cookie),
                         i);
        map->ops->vnext(map, key, ~cookie);
        assert_null(map->ops->vend(map, key, 5, ~cookie));
        vm_ventry_remove_at(entries[i], 9);
        assert_int_equal(*vm_vmap_lookup(map, key, 8), i);
        assert_null(vm_vmap_lookup(map, key, 9));
        vm_vhash_delete(map, entries[i]);
        assert_null(vm_vmap_lookup(map, key, 8));
    }
    assert_int_equal(vm_map_count(map), 0);
    vm_map_unref(map);
    vm_defer_run();
}

static void
test_bad_attributes(void **state)
{
    static const struct vm_map_attr bad[] = {
        { .kind = VM_MAP_vtuples, .key_size = 0, .value_size = 8 },
        { .kind = VM_MAP_vtuples, .key_size = 12, .value_size = 8 },
        { .kind = VM_MAP_vtuples, .key_size = 520, .value_size = 8 },
        { .kind = VM_MAP_vtuples, .key_size = 8, .value_size = 4 },
        { .kind = VM_MAP_vhash, .key_size = 8, .value_size = 8, .flags = 1 },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct vm_map *map;
        struct vm_err err = { "" };

        assert_int_equal(vm_map_create(&bad[i], &map, &err), -EINVAL);
        assert_non_null(strstr(err.text, "keys have 8 to 512 bytes"));
    }
}

/* A million entries: time is printed; it fails only when far off. */
static void
test_million(void **state)
{
    struct vm_map *map = new_map(VM_MAP_vtuples, 8, 0);
    const uint64_t mask[8] = { 0, UINT64_MAX, 0, UINT64_MAX };
#ifdef __SANITIZE_THREAD__
    const uint32_t n = 100000;
#else
    const uint32_t n = 1000000;
#endif
    struct vm_ventry **entries = malloc(n * sizeof *entries);
    uint64_t key[8] = { 0 }, found = 0;
    clock_t t0 = clock();

    for (uint32_t i = 0; i < n; i++) {
        key[1] = i;
        key[3] = i * UINT64_C(0x9e3779b97f4a7c15);
        assert_int_equal(vm_vtuples_insert(map, mask, key, 5, 1, i,
                                           &entries[i]), 0);
    }

    clock_t t1 = clock();
    for (uint32_t i = 0; i < n; i++) {
        key[1] = i;
        key[3] = i * UINT64_C(0x9e3779b97f4a7c15);
        found += *vm_vmap_lookup(map, key, 1) == i;
    }

    clock_t t2 = clock();
    assert_int_equal(found, n);
    print_message("vtuples: %.0f ns an insert, %.0f ns a lookup, %zu bytes "
                  "an entry\n", (t1 - t0) * 1e9 / CLOCKS_PER_SEC / n,
                  (t2 - t1) * 1e9 / CLOCKS_PER_SEC / n,
                  vm_map_memory(map) / n);
    for (uint32_t i = 0; i < n; i++) {
        vm_vtuples_delete(map, entries[i]);
    }
    assert_int_equal(vm_map_count(map), 0);
    assert_int_equal(vm_vtuples_n_tuples(map), 0);
    assert_true(t1 - t0 < 10 * CLOCKS_PER_SEC);
    free(entries);
    vm_map_unref(map);
    vm_defer_run();
}

/* Readers during changes.
 *
 * For each key there is one entry in every version: the writer replaces it,
 * under the version that it publishes afterwards.  A reader that finds none,
 * or one of another key or version, has found a bug. */

#define KEYS 512
#define READERS 3
#define STEPS 60000

struct concurrent {
    struct vm_map *map;
    _Atomic uint64_t version;
    atomic_bool stop;
    atomic_uint n_wrong;
    _Atomic uint64_t n_lookups;
};

static void
concurrent_key(uint32_t k, uint64_t key[2], uint64_t mask[2])
{
    /* Four masks; the key of each is told by both words. */
    static const uint64_t masks[4][2] = {
        { UINT64_MAX, 0 }, { UINT64_MAX, UINT64_MAX },
        { UINT32_MAX, 0xff }, { 0xffffff, 0xff },
    };

    key[0] = k | UINT64_C(0x5500000000000000);
    key[1] = k % 4;
    memcpy(mask, masks[k % 4], 2 * sizeof mask[0]);
}

struct reader {
    struct concurrent *c;
    unsigned id;
};

static void *
reader_main(void *reader_)
{
    const struct reader *reader = reader_;
    struct concurrent *c = reader->c;
    uint64_t state = 1234567 + reader->id, n = 0;

    vm_qsbr_register(reader->id);
    while (!atomic_load_explicit(&c->stop, memory_order_relaxed)) {
        uint64_t version = atomic_load_explicit(&c->version,
                                                memory_order_acquire);

        for (int i = 0; i < 32; i++, n++) {
            uint32_t k = (rng(&state) >> 33) % KEYS;
            uint64_t key[2], mask[2];

            concurrent_key(k, key, mask);
            struct vm_ventry *e = vm_vmap_lookup_entry(c->map, key, version);
            if (!e || vm_ventry_value(e) % KEYS != k
                || vm_ventry_value(e) / KEYS > version
                || vm_ventry_remove_version(e) <= version) {
                atomic_fetch_add(&c->n_wrong, 1);
            }
        }
        vm_qsbr_quiescent(reader->id);
    }
    vm_qsbr_unregister(reader->id);
    atomic_fetch_add(&c->n_lookups, n);
    return NULL;
}

static struct vm_ventry *
concurrent_insert(struct concurrent *c, uint32_t k, uint64_t version)
{
    uint64_t key[2], mask[2];
    struct vm_ventry *e;

    concurrent_key(k, key, mask);
    assert_int_equal(vm_vtuples_insert(c->map, mask, key, k % 7, version,
                                       version * KEYS + k, &e), 0);
    return e;
}

struct doomed {
    struct vm_map *map;
    struct vm_ventry *e;
};

/* After all readers have moved on to the version that does not see it. */
static void
delete_later(void *doomed_)
{
    struct doomed *doomed = doomed_;

    vm_vtuples_delete(doomed->map, doomed->e);
    free(doomed);
}

/* Other entries come and go meanwhile, thousands at a time: tables grow,
 * shrink, and collect tombstones; some outrank the ones that are looked up,
 * in versions that no reader has. */
static void
churn(struct concurrent *c, struct vm_ventry **others, uint32_t n, bool in)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t key[2], mask[2];

        concurrent_key(i % 3 ? KEYS + i : i % KEYS, key, mask);
        if (in) {
            assert_int_equal(vm_vtuples_insert(c->map, mask, key, i % 11,
                                               UINT64_MAX - 1, 0,
                                               &others[i]), 0);
        } else {
            vm_vtuples_delete(c->map, others[i]);
        }
    }
}

static void
test_concurrent(void **state)
{
    enum { OTHERS = 4000 };
    static struct vm_ventry *current[KEYS], *others[OTHERS];
    struct concurrent c = { .map = new_map(VM_MAP_vtuples, 2, 0) };
    struct reader readers[READERS];
    pthread_t threads[READERS];

    vm_set_defer(vm_qsbr_defer);
    for (uint32_t k = 0; k < KEYS; k++) {
        current[k] = concurrent_insert(&c, k, 1);
    }
    atomic_store(&c.version, 1);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader) { &c, i };
        pthread_create(&threads[i], NULL, reader_main, &readers[i]);
    }

    for (int step = 0; step < STEPS; step++) {
        uint64_t next = atomic_load(&c.version) + 1;
        struct doomed *doomed[5];
        int n_doomed = 0;

        for (uint32_t n = 1 + below(5); n; n--) {
            uint32_t k = below(KEYS);
            struct vm_ventry *old = current[k];

            if (vm_ventry_add_version(old) == next) {
                continue;
            }
            current[k] = concurrent_insert(&c, k, next);
            vm_ventry_remove_at(old, next);

            doomed[n_doomed] = malloc(sizeof *doomed[0]);
            *doomed[n_doomed++] = (struct doomed) { c.map, old };
        }
        atomic_store_explicit(&c.version, next, memory_order_release);
        while (n_doomed) {
            vm_qsbr_defer(delete_later, doomed[--n_doomed]);
        }
        if (step % 2000 == 999) {
            churn(&c, others, OTHERS, true);
        } else if (step % 2000 == 1999) {
            churn(&c, others, OTHERS, false);
        }
        vm_qsbr_poll();
    }
    atomic_store(&c.stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    print_message("%llu lookups during %d publishes\n",
                  (unsigned long long) atomic_load(&c.n_lookups), STEPS);
    assert_int_equal(atomic_load(&c.n_wrong), 0);
    assert_true(atomic_load(&c.n_lookups) > 0);
    vm_qsbr_drain();
    assert_int_equal(vm_map_count(c.map), KEYS);
    vm_map_unref(c.map);
    vm_qsbr_drain();
    vm_set_defer(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_vhash),
        cmocka_unit_test(test_bad_attributes),
        cmocka_unit_test(test_million),
        cmocka_unit_test(test_concurrent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
