/* SPDX-License-Identifier: Apache-2.0 */

/* One thread replaces a value by another one and back, others look: they see
 * one of the two, never a mix and never nothing.  For every kind whose values
 * are looked up; run it under TSan, too. */

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vm-qsbr.h"
#include "vm/map.h"
#include "vm/maps/of_maps.h"
#include "vm/maps/vtable.h"

#define READERS 2
#define ROUNDS 4000
#define MAX_WORDS 16
#define CPUS 2

static const struct kind {
    const char *name;
    enum vm_map_kind kind;
    uint32_t key_size, value_size;
    uint32_t n_entries;
    uint32_t flags;
} kinds[] = {
    { "array", VM_MAP_array, 4, 8, 4, 0 },
    { "array of 4 bytes", VM_MAP_array, 4, 4, 4, 0 },
    { "percpu_array", VM_MAP_percpu_array, 4, 8, 4, 0 },
    { "hash", VM_MAP_hash, 16, 64, 4, 0 },
    { "hash, not preallocated", VM_MAP_hash, 5, 128, 4,
      VM_MF_NO_PREALLOC },
    { "percpu_hash", VM_MAP_percpu_hash, 16, 64, 4, 0 },
    { "lru_hash", VM_MAP_lru_hash, 16, 64, 4, 0 },
    { "lru_percpu_hash", VM_MAP_lru_percpu_hash, 16, 64, 4, 0 },
    { "lpm_trie, IPv4, small values", VM_MAP_lpm_trie, 8, 8, 4,
      VM_MF_NO_PREALLOC },
    { "lpm_trie, IPv4", VM_MAP_lpm_trie, 8, 64, 4, VM_MF_NO_PREALLOC },
    { "lpm_trie, IPv4, large", VM_MAP_lpm_trie, 8, 8, 100000,
      VM_MF_NO_PREALLOC },
    { "lpm_trie, IPv6", VM_MAP_lpm_trie, 20, 64, 4, VM_MF_NO_PREALLOC },
    { "devmap", VM_MAP_devmap, 4, 4, 4, 0 },
    { "devmap_hash", VM_MAP_devmap_hash, 4, 4, 4, 0 },
    { "cpumap", VM_MAP_cpumap, 4, 4, 4, 0 },
    { "xskmap", VM_MAP_xskmap, 4, 4, 4, 0 },
    { "array_of_maps", VM_MAP_array_of_maps, 4, 4, 4, 0 },
    { "hash_of_maps", VM_MAP_hash_of_maps, 4, 4, 4, 0 },
    { "vhash", VM_MAP_vhash, 16, 8, 4, 0 },
    { "vtuples", VM_MAP_vtuples, 16, 8, 4, 0 },
};

struct shared {
    const struct kind *kind;
    struct vm_map *map;
    struct vm_map *inner[2];    /* Maps of maps. */
    struct vm_ventry *entry;    /* Versioned maps. */
    uint8_t key[32];
    atomic_bool stop;
    atomic_uint n_ready, n_wrong, n_seen[2];
};

struct reader {
    struct shared *shared;
    unsigned id;
    pthread_t thread;
};

static bool
is_of_maps(const struct shared *s)
{
    return s->map->ops->caps & VM_MAP_CAP_OF_MAPS;
}

static bool
is_versioned(const struct shared *s)
{
    return s->map->ops->caps & VM_MAP_CAP_VLOOKUP;
}

/* Which of the two 'value' is; -1: neither. */
static int
which(const struct shared *s, const void *value)
{
    const uint32_t *words = value;

    if (!value) {
        return -1;
    } else if (is_of_maps(s)) {
        return value == s->inner[0] ? 0 : value == s->inner[1] ? 1 : -1;
    }

    /* Programs read atomically what is replaced where it lies. */
    if (s->kind->value_size == 8) {
        uint64_t word = __atomic_load_n((const uint64_t *) value,
                                        __ATOMIC_RELAXED);

        return word == 0 ? 0 : word == UINT64_C(0x100000001) ? 1 : -1;
    } else if (s->kind->value_size == 4) {
        uint32_t word = __atomic_load_n(words, __ATOMIC_RELAXED);

        return word <= 1 ? (int) word : -1;
    }
    for (uint32_t i = 0; i < s->kind->value_size / 4; i++) {
        if (words[i] != words[0] || words[i] > 1) {
            return -1;
        }
    }
    return words[0];
}

static void *
reader_main(void *reader_)
{
    struct reader *r = reader_;
    struct shared *s = r->shared;

    vm_set_cpu(r->id % CPUS);
    vm_qsbr_register(r->id);
    atomic_fetch_add(&s->n_ready, 1);
    while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
        for (int i = 0; i < 16; i++) {
            const void *value
                = (is_versioned(s)
                   ? vm_vmap_lookup(s->map, (const void *) s->key, 1)
                   : vm_map_lookup(s->map, s->key));
            int n = which(s, value);

            if (n < 0) {
                atomic_fetch_add(&s->n_wrong, 1);
            } else {
                atomic_fetch_add_explicit(&s->n_seen[n], 1,
                                          memory_order_relaxed);
            }
        }
        vm_qsbr_quiescent(r->id);
    }
    vm_qsbr_unregister(r->id);
    return NULL;
}

static void
put(struct shared *s, uint32_t n)
{
    uint32_t values[CPUS * 2 * MAX_WORDS];

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        values[i] = n;
    }
    if (is_of_maps(s)) {
        assert_int_equal(vm_map_set_inner(s->map, s->key, s->inner[n]), 0);
    } else if (!is_versioned(s)) {
        assert_int_equal(vm_map_write(s->map, s->key, values, VM_ANY), 0);
    } else if (s->entry) {
        vm_ventry_set_value(s->entry, n ? UINT64_C(0x100000001) : 0);
    } else if (s->kind->kind == VM_MAP_vhash) {
        assert_int_equal(vm_vhash_insert(s->map, (void *) s->key, 1, 0,
                                         &s->entry), 0);
    } else {
        const uint64_t mask[2] = { UINT64_MAX, 0xff };

        assert_int_equal(vm_vtuples_insert(s->map, mask, (void *) s->key, 0,
                                           1, 0, &s->entry), 0);
    }
}

static struct vm_map *
new_map(const struct kind *kind, struct vm_map *inner)
{
    const struct vm_map_attr attr = {
        .kind = kind->kind, .key_size = kind->key_size,
        .value_size = kind->value_size, .max_entries = kind->n_entries,
        .flags = kind->flags, .inner = inner, .name = kind->name,
    };
    struct vm_map *map;
    struct vm_err err;

    if (vm_map_create(&attr, &map, &err)) {
        fail_msg("%s", err.text);
    }
    return map;
}

static void
alternate(const struct kind *kind)
{
    static const struct kind inner = { "inner", VM_MAP_array, 4, 8, 4, 0 };
    bool of_maps = (kind->kind == VM_MAP_array_of_maps
                    || kind->kind == VM_MAP_hash_of_maps);
    struct shared s = { .kind = kind };
    struct reader readers[READERS];

    if (of_maps) {
        s.inner[0] = new_map(&inner, NULL);
        s.inner[1] = new_map(&inner, NULL);
    }
    s.map = new_map(kind, s.inner[0]);
    /* As a length, all of the address. */
    s.key[0] = kind->kind == VM_MAP_lpm_trie ? 8 * (kind->key_size - 4) : 1;
    put(&s, 0);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader) { .shared = &s, .id = i };
        pthread_create(&readers[i].thread, NULL, reader_main, &readers[i]);
    }

    /* As often as it takes for both to be seen. */
    for (uint32_t i = 0; i < ROUNDS || !atomic_load(&s.n_seen[0])
                         || !atomic_load(&s.n_seen[1]); i++) {
        put(&s, i % 2);
        vm_qsbr_poll();
        if (i > ROUNDS || atomic_load(&s.n_ready) < READERS) {
            sched_yield();
        }
    }
    atomic_store(&s.stop, true);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
    }
    if (atomic_load(&s.n_wrong)) {
        fail_msg("%s: %u of the values that were seen are mixed or missing",
                 kind->name, atomic_load(&s.n_wrong));
    }
    vm_map_unref(s.map);
    vm_map_unref(s.inner[0]);
    vm_map_unref(s.inner[1]);
    vm_qsbr_drain();
}

static void
test_alternate(void **state)
{
    vm_set_n_cpus(CPUS);
    vm_set_defer(vm_qsbr_defer);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        alternate(&kinds[i]);
    }
    vm_set_defer(NULL);
    vm_set_n_cpus(1);
}

/* Every kind that has values to look up is above. */
static void
test_all_kinds(void **state)
{
    static const uint32_t numbers[] = {
#define VM_MAP(ID, NUMBER) NUMBER,
#include "vm/maps/maps.def"
    };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const struct vm_map_ops *ops = vm_map_ops_by_number(numbers[i]);
        /* Others that are versioned have the values of a vtuples map. */
        bool found = ((!ops->lookup && !ops->vlookup)
                      || numbers[i] > VM_MAP_vtuples);

        for (size_t j = 0; j < sizeof kinds / sizeof kinds[0]; j++) {
            found = found || kinds[j].kind == numbers[i];
        }
        if (!found) {
            fail_msg("no row for %s", ops->name);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alternate),
        cmocka_unit_test(test_all_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
