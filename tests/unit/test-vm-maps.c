/* SPDX-License-Identifier: Apache-2.0 */

/* Maps, kind by kind, with the flags and errors of Linux.  A row of maps.def
 * without a test here does not pass. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vm/map.h"
#include "vm/maps/of_maps.h"
#include "vm/maps/ringbuf.h"
#include "vm/maps/vtable.h"

#define NEW(KIND, KEY, VALUE, N, ...)                                         \
    new_map(&(struct vm_map_attr) { .kind = VM_MAP_##KIND, .key_size = KEY,   \
                                    .value_size = VALUE, .max_entries = N,    \
                                    .name = #KIND, __VA_ARGS__ })
#define REFUSED(KIND, KEY, VALUE, N, ...)                                     \
    refused(&(struct vm_map_attr) { .kind = VM_MAP_##KIND, .key_size = KEY,   \
                                    .value_size = VALUE, .max_entries = N,    \
                                    .name = "bad", __VA_ARGS__ })

static struct vm_map *
new_map(const struct vm_map_attr *attr)
{
    struct vm_map *map;
    struct vm_err err;

    if (vm_map_create(attr, &map, &err)) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(map->name, attr->name);
    assert_true(vm_map_memory(map) > 0);
    return map;
}

static void
refused(const struct vm_map_attr *attr)
{
    struct vm_map *map;
    struct vm_err err = { "" };

    assert_int_equal(vm_map_create(attr, &map, &err), -EINVAL);
    assert_null(map);
    if (!strstr(err.text, "bad")) {
        fail_msg("'%s' does not name the map", err.text);
    }
}

static void
drop(struct vm_map *map)
{
    vm_map_unref(map);
    vm_defer_run();
}

static int
update(struct vm_map *map, uint32_t key, uint64_t value, uint64_t flags)
{
    return vm_map_update(map, &key, &value, flags);
}

static uint64_t
lookup(struct vm_map *map, uint32_t key)
{
    uint64_t *value = vm_map_lookup(map, &key);

    return value ? *value : UINT64_MAX;
}

static int
del(struct vm_map *map, uint32_t key)
{
    return vm_map_delete(map, &key);
}

/* Walks all keys; their sum. */
static uint64_t
walk(struct vm_map *map, uint32_t *n)
{
    uint32_t key, next;
    uint64_t sum = 0;

    *n = 0;
    if (vm_map_next_key(map, NULL, &next)) {
        return 0;
    }
    do {
        key = next;
        sum += key;
        ++*n;
    } while (!vm_map_next_key(map, &key, &next));
    return sum;
}

static void
test_array(void **state)
{
    struct vm_map *map = NEW(array, 4, 8, 5);
    uint64_t value;
    uint32_t n, key = 3;

    assert_int_equal(lookup(map, 4), 0);
    assert_int_equal(lookup(map, 5), UINT64_MAX);
    assert_int_equal(lookup(map, UINT32_MAX), UINT64_MAX);
    assert_int_equal(update(map, 3, 33, VM_ANY), 0);
    assert_int_equal(update(map, 3, 34, VM_EXIST), 0);
    assert_int_equal(update(map, 3, 33, VM_NOEXIST), -EEXIST);
    assert_int_equal(update(map, 5, 33, VM_ANY), -E2BIG);
    assert_int_equal(update(map, 3, 33, 3), -EINVAL);
    assert_int_equal(del(map, 3), -EINVAL);
    assert_int_equal(vm_map_read(map, &key, &value), 0);
    assert_int_equal(value, 34);
    assert_int_equal(walk(map, &n), 10);
    assert_int_equal(n, 5);
    assert_int_equal(vm_map_count(map), 5);
    drop(map);

    map = NEW(array, 4, 13, 1);
    key = 0;
    assert_ptr_equal(map->ops->direct(map), vm_map_lookup(map, &key));
    drop(map);
    REFUSED(array, 8, 8, 1);
    REFUSED(array, 4, 0, 1);
    REFUSED(array, 4, 8, 0);
    REFUSED(array, 4, 8, 1, .flags = VM_MF_NO_PREALLOC);
}

static void
test_percpu_array(void **state)
{
    struct vm_map *map;
    uint32_t key = 2;
    uint64_t values[4];

    vm_set_n_cpus(4);
    map = NEW(percpu_array, 4, 4, 3);
    assert_int_equal(vm_map_owner_value_size(map), 32);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        vm_set_cpu(cpu);
        assert_int_equal(update(map, 2, 100 + cpu, VM_ANY), 0);
    }
    assert_int_equal(vm_map_read(map, &key, values), 0);
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        vm_set_cpu(cpu);
        assert_int_equal(*(uint32_t *) vm_map_lookup(map, &key), 100 + cpu);
        assert_int_equal((uint32_t) values[cpu], 100 + cpu);
        values[cpu] = 200 + cpu;
    }
    assert_int_equal(vm_map_write(map, &key, values, VM_ANY), 0);
    assert_int_equal(*(uint32_t *) vm_map_lookup(map, &key), 203);
    assert_int_equal(update(map, 3, 1, VM_ANY), -E2BIG);
    assert_int_equal(update(map, 2, 1, VM_NOEXIST), -EEXIST);
    key = 3;
    assert_int_equal(vm_map_read(map, &key, values), -ENOENT);
    assert_int_equal(vm_map_write(map, &key, values, VM_ANY), -E2BIG);
    vm_set_cpu(0);
    vm_set_n_cpus(1);
    drop(map);
    REFUSED(percpu_array, 2, 8, 1);
}

static void
check_hash(struct vm_map *map)
{
    uint32_t n;

    assert_int_equal(update(map, 1, 11, VM_EXIST), -ENOENT);
    assert_int_equal(update(map, 1, 11, VM_NOEXIST), 0);
    assert_int_equal(update(map, 1, 12, VM_NOEXIST), -EEXIST);
    assert_int_equal(update(map, 1, 13, VM_EXIST), 0);
    assert_int_equal(update(map, 1, 13, 4), -EINVAL);
    assert_int_equal(lookup(map, 1), 13);
    assert_int_equal(lookup(map, 2), UINT64_MAX);
    assert_int_equal(vm_map_count(map), 1);
    assert_int_equal(del(map, 1), 0);
    assert_int_equal(del(map, 1), -ENOENT);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(update(map, i, i * 2, VM_ANY), 0);
        assert_int_equal(update(map, i, i * 3, VM_ANY), 0);
    }
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t cookie = map->ops->hash(map, &i);

        map->ops->prefetch(map, cookie);
        map->ops->prefetch(map, ~cookie);
        assert_int_equal(lookup(map, i), i * 3);
        assert_int_equal(*(uint64_t *) map->ops->lookup_hash(map, &i, cookie),
                         i * 3);
        assert_null(map->ops->lookup_hash(map, &i, ~cookie));
    }

    uint32_t numbers[100];
    const void *keys[100];
    void *values[100];
    for (uint32_t i = 0; i < 100; i++) {
        numbers[i] = 50 + i;
        keys[i] = &numbers[i];
    }
    vm_map_lookup_burst(map, keys, 100, values);
    for (uint32_t i = 0; i < 100; i++) {
        assert_ptr_equal(values[i], vm_map_lookup(map, keys[i]));
    }
    assert_int_equal(walk(map, &n), 4950);
    assert_int_equal(n, 100);
    assert_int_equal(vm_map_count(map), 100);
}

static void
test_hash(void **state)
{
    for (int flags = 0; flags <= 1; flags++) {
        struct vm_map *map = NEW(hash, 4, 8, 100, .flags = flags);

        check_hash(map);
        assert_int_equal(update(map, 100, 1, VM_ANY), -E2BIG);
        assert_int_equal(lookup(map, 100), UINT64_MAX);
        assert_int_equal(update(map, 99, 1, VM_ANY), 0);
        assert_int_equal(del(map, 5), 0);
        assert_int_equal(update(map, 100, 1, VM_ANY), 0);
        /* What was looked up is as it was until quiescence. */
        uint32_t key = 7;
        uint64_t *old = vm_map_lookup(map, &key);
        assert_int_equal(update(map, 7, 70, VM_ANY), 0);
        assert_int_equal(*old, 21);
        assert_int_equal(lookup(map, 7), 70);
        drop(map);
    }
    REFUSED(hash, 0, 8, 1);
    REFUSED(hash, 513, 8, 1);
    REFUSED(hash, 4, 0, 1);
    REFUSED(hash, 4, 8, 0);
    REFUSED(hash, 4, 8, 1, .flags = VM_MF_NO_COMMON_LRU);
}

/* Keys of every length: those that differ in the last byte only are told
 * apart. */
static void
test_hash_key_sizes(void **state)
{
    for (uint32_t size = 1; size <= 64; size++) {
        struct vm_map *map = NEW(hash, size, 4, 256);
        uint8_t key[64] = { 0 };

        for (uint32_t i = 0; i < 200; i++) {
            key[size - 1] = i;
            assert_int_equal(vm_map_update(map, key, &i, VM_NOEXIST), 0);
        }
        for (uint32_t i = 0; i < 200; i++) {
            key[size - 1] = i;
            assert_int_equal(*(uint32_t *) vm_map_lookup(map, key), i);
        }
        drop(map);
    }
}

static void
test_percpu_hash(void **state)
{
    struct vm_map *map;
    uint64_t values[3];
    uint32_t key = 5;

    vm_set_n_cpus(3);
    map = NEW(percpu_hash, 4, 8, 100);
    vm_set_cpu(1);
    assert_int_equal(update(map, 5, 55, VM_ANY), 0);
    vm_set_cpu(0);
    assert_int_equal(lookup(map, 5), 0);
    vm_set_cpu(2);
    assert_int_equal(update(map, 5, 57, VM_ANY), 0);
    assert_int_equal(vm_map_read(map, &key, values), 0);
    assert_int_equal(values[0], 0);
    assert_int_equal(values[1], 55);
    assert_int_equal(values[2], 57);
    values[0] = 1;
    assert_int_equal(vm_map_write(map, &key, values, VM_EXIST), 0);
    assert_int_equal(vm_map_write(map, &key, values, VM_NOEXIST), -EEXIST);
    vm_set_cpu(0);
    assert_int_equal(lookup(map, 5), 1);
    assert_int_equal(vm_map_delete(map, &key), 0);
    assert_int_equal(vm_map_read(map, &key, values), -ENOENT);
    check_hash(map);
    vm_set_n_cpus(1);
    drop(map);
}

static void
test_lru(struct vm_map *map)
{
    uint32_t n_hot = 0;

    check_hash(map);
    for (uint32_t i = 0; i < 100; i++) {
        del(map, i);
    }
    /* 20 keys that are used all the time, and a stream of others. */
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(update(map, i, i, VM_ANY), 0);
    }
    for (uint32_t i = 1000; i < 5000; i++) {
        assert_int_equal(update(map, i, i, VM_ANY), 0);
        assert_true(vm_map_count(map) <= 100);
        for (uint32_t j = 0; j < 20; j++) {
            lookup(map, j);
        }
        if (i % 100 == 0) {
            vm_defer_run();
        }
    }
    for (uint32_t i = 0; i < 20; i++) {
        n_hot += lookup(map, i) == i;
    }
    assert_int_equal(n_hot, 20);
    assert_int_equal(vm_map_count(map), 100);
    drop(map);
}

static void
test_lru_hash(void **state)
{
    test_lru(NEW(lru_hash, 4, 8, 100));
    REFUSED(lru_hash, 4, 8, 1, .flags = VM_MF_MMAPABLE);
}

static void
test_lru_percpu_hash(void **state)
{
    vm_set_n_cpus(2);
    test_lru(NEW(lru_percpu_hash, 4, 8, 100));
    vm_set_n_cpus(1);
}

struct prefix {
    uint32_t len;
    uint8_t addr[16];
};

static bool
starts_with(const struct prefix *addr, const struct prefix *prefix)
{
    for (uint32_t b = 0; b < prefix->len; b++) {
        if ((addr->addr[b / 8] ^ prefix->addr[b / 8]) & (0x80 >> b % 8)) {
            return false;
        }
    }
    return true;
}

/* Every way to look it up gives the value 'best', or nothing if it is -1. */
static void
check_lpm_found(struct vm_map *map, const struct prefix *key, int best)
{
    const void *keys[] = { key, key };
    uint64_t cookie = map->ops->hash(map, key);
    uint64_t *found = vm_map_lookup(map, key);
    void *values[2];

    assert_int_equal(found ? (int) *found : -1, best);
    vm_map_lookup_burst(map, keys, 2, values);
    assert_ptr_equal(values[1], found);
    map->ops->prefetch(map, cookie);
    map->ops->prefetch(map, ~cookie);
    assert_ptr_equal(map->ops->lookup_hash(map, key, ~cookie), found);
}

/* The walk meets each of 'n' once; then they are deleted. */
static void
check_lpm_walk(struct vm_map *map, uint32_t n)
{
    struct prefix key, next;
    uint32_t n_walked = 0;
    int error = vm_map_next_key(map, NULL, &next);

    while (!error) {
        n_walked++;
        key = next;
        error = vm_map_next_key(map, &key, &next);
    }
    assert_int_equal(n_walked, n);
    while (!vm_map_next_key(map, NULL, &next)) {
        assert_int_equal(vm_map_delete(map, &next), 0);
        n--;
    }
    assert_int_equal(n, 0);
    assert_int_equal(vm_map_count(map), 0);
}

/* Random prefixes in few distinct bits, against a list.  Readers are quiescent
 * after every 'defer' changes. */
static void
check_lpm(uint32_t bytes, uint32_t value_size, uint32_t max_entries,
          int defer)
{
    enum { N = 400 };
    static struct prefix prefixes[N];
    static bool present[N];
    struct vm_map *map = NEW(lpm_trie, 4 + bytes, value_size, max_entries,
                             .flags = VM_MF_NO_PREALLOC);
    uint32_t n = 0, seed = 7 + bytes;

    memset(prefixes, 0, sizeof prefixes);
    memset(present, 0, sizeof present);
    for (uint32_t i = 0; i < N; i++) {
        prefixes[i].len = rand_r(&seed) % (8 * bytes + 1);
        for (uint32_t j = 0; j < bytes; j++) {
            prefixes[i].addr[j] = rand_r(&seed) % 4 ? 0x80 : rand_r(&seed);
        }
    }
    for (int step = 0; step < 8000; step++) {
        uint32_t i = rand_r(&seed) % N;
        const uint64_t value[8] = { i };
        int error = step % 3 ? vm_map_update(map, &prefixes[i], value, 0)
                             : vm_map_delete(map, &prefixes[i]);

        /* Records that are the same prefix stand for each other. */
        bool was = false;
        for (uint32_t j = 0; j < N; j++) {
            if (present[j] && prefixes[j].len == prefixes[i].len
                && starts_with(&prefixes[i], &prefixes[j])) {
                was = true;
                present[j] = false;
                n--;
            }
        }
        if (step % 3) {
            assert_int_equal(error, 0);
            present[i] = true;
            n++;
        } else {
            assert_int_equal(error, was ? 0 : -ENOENT);
        }
        assert_int_equal(vm_map_count(map), n);

        struct prefix key = prefixes[rand_r(&seed) % N];
        int best = -1;

        key.len = 8 * bytes;
        key.addr[bytes - 1] ^= rand_r(&seed) % 3;
        for (uint32_t j = 0; j < N; j++) {
            if (present[j] && starts_with(&key, &prefixes[j])
                && (best < 0 || prefixes[j].len > prefixes[best].len)) {
                best = j;
            }
        }

        check_lpm_found(map, &key, best);

        /* The longest that is not longer than a key. */
        key.len = rand_r(&seed) % (8 * bytes + 1);
        best = -1;
        for (uint32_t j = 0; j < N; j++) {
            if (present[j] && prefixes[j].len <= key.len
                && starts_with(&key, &prefixes[j])
                && (best < 0 || prefixes[j].len > prefixes[best].len)) {
                best = j;
            }
        }
        check_lpm_found(map, &key, best);
        if (step % defer == 0) {
            vm_defer_run();
        }
    }

    check_lpm_walk(map, n);
    drop(map);
}

static void
test_lpm_trie(void **state)
{
    struct vm_map *map = NEW(lpm_trie, 8, 8, 2, .flags = VM_MF_NO_PREALLOC);
    struct prefix p = { 33, { 10 } };
    uint64_t value = 1;

    assert_int_equal(vm_map_update(map, &p, &value, 0), -EINVAL);
    assert_null(vm_map_lookup(map, &p));
    p.len = 8;
    assert_int_equal(vm_map_update(map, &p, &value, VM_EXIST), -ENOENT);
    assert_int_equal(vm_map_update(map, &p, &value, VM_NOEXIST), 0);
    assert_int_equal(vm_map_update(map, &p, &value, VM_NOEXIST), -EEXIST);
    p.addr[0] = 11;
    assert_int_equal(vm_map_update(map, &p, &value, 0), 0);
    p.addr[0] = 12;
    assert_int_equal(vm_map_update(map, &p, &value, 0), -ENOSPC);
    drop(map);

    check_lpm(1, 8, 400, 1000);
    check_lpm(4, 8, 400, 1);
    check_lpm(4, 8, 400, 1000);
    check_lpm(4, 8, 100000, 7);
    check_lpm(4, 64, 400, 7);
    check_lpm(4, 64, 100000, 100);
    check_lpm(16, 8, 400, 1000);
    REFUSED(lpm_trie, 8, 8, 2);
    REFUSED(lpm_trie, 4, 8, 2, .flags = VM_MF_NO_PREALLOC);
    REFUSED(lpm_trie, 261, 8, 2, .flags = VM_MF_NO_PREALLOC);
}

static void
check_of_maps(struct vm_map *map, struct vm_map *inner)
{
    struct vm_map *other = NEW(hash, 4, 4, 10);
    uint32_t key = 1;

    assert_null(vm_map_lookup(map, &key));
    assert_int_equal(vm_map_count(map), 0);
    assert_int_equal(vm_map_set_inner(map, &key, other), -EINVAL);
    assert_int_equal(vm_map_set_inner(map, &key, inner), 0);
    assert_int_equal(vm_map_set_inner(map, &key, inner), 0);
    assert_ptr_equal(vm_map_lookup(map, &key), inner);
    assert_int_equal(vm_map_count(map), 1);
    assert_int_equal(del(map, 1), 0);
    assert_int_equal(del(map, 1), -ENOENT);
    assert_null(vm_map_lookup(map, &key));
    key = 3;
    assert_int_equal(vm_map_set_inner(map, &key, inner), 0);
    vm_map_unref(other);
    vm_map_unref(map);
    vm_defer_run();
    /* Only the test's own reference is left. */
    assert_int_equal(atomic_load(&inner->refs), 1);
}

static void
test_array_of_maps(void **state)
{
    struct vm_map *inner = NEW(array, 4, 8, 7);
    struct vm_map *longer = NEW(array, 4, 8, 8);
    struct vm_map *map = NEW(array_of_maps, 4, 4, 4, .inner = inner);
    uint32_t key = 4;

    assert_int_equal(vm_map_set_inner(map, &key, inner), -E2BIG);
    key = 0;
    assert_int_equal(vm_map_set_inner(map, &key, longer), -EINVAL);
    check_of_maps(map, inner);
    REFUSED(array_of_maps, 4, 8, 4, .inner = inner);
    REFUSED(array_of_maps, 4, 4, 4);
    drop(longer);
    drop(inner);
}

static void
test_hash_of_maps(void **state)
{
    struct vm_map *inner = NEW(array, 4, 8, 7);
    struct vm_map *map = NEW(hash_of_maps, 4, 4, 4, .inner = inner);

    check_of_maps(map, inner);
    drop(inner);
}

static void
check_devmap(struct vm_map *map, bool array)
{
    uint32_t key = 2, value = 17, n;

    assert_null(vm_map_lookup(map, &key));
    assert_int_equal(vm_map_update(map, &key, &value, 0), -ENOTSUP);
    assert_int_equal(vm_map_write(map, &key, &value, 0), 0);
    assert_int_equal(*(uint32_t *) vm_map_lookup(map, &key), 17);
    assert_int_equal(vm_map_count(map), 1);
    assert_int_equal(vm_map_write(map, &key, &value, VM_NOEXIST), -EEXIST);
    walk(map, &n);
    assert_int_equal(n, array ? 4 : 1);
    assert_int_equal(vm_map_delete(map, &key), 0);
    assert_null(vm_map_lookup(map, &key));
    key = 4;
    assert_int_equal(vm_map_write(map, &key, &value, 0), array ? -E2BIG : 0);
    drop(map);
}

static void
test_devmap(void **state)
{
    struct vm_map *map = NEW(devmap, 4, 8, 4);
    const int32_t with_prog[2] = { 3, 7 };

    assert_int_equal(vm_map_write(map, (uint32_t[1]) { 0 }, with_prog, 0),
                     -EINVAL);
    drop(map);
    check_devmap(NEW(devmap, 4, 4, 4), true);
    REFUSED(devmap, 8, 4, 4);
    REFUSED(devmap, 4, 6, 4);
}

static void
test_cpumap(void **state)
{
    check_devmap(NEW(cpumap, 4, 4, 4), true);
}

static void
test_xskmap(void **state)
{
    check_devmap(NEW(xskmap, 4, 4, 4), true);
    REFUSED(xskmap, 4, 8, 4);
}

static void
test_devmap_hash(void **state)
{
    check_devmap(NEW(devmap_hash, 4, 4, 4), false);
}

struct seen {
    uint64_t sum, n, bytes;
};

static void
see(void *seen_, const void *data, uint32_t size)
{
    struct seen *seen = seen_;
    uint32_t first;

    memcpy(&first, data, sizeof first);
    seen->sum += first;
    seen->n++;
    seen->bytes += size;
}

static void
test_ringbuf(void **state)
{
    struct vm_map *map = NEW(ringbuf, 0, 0, 4096);
    uint8_t data[300] = { 0 };
    struct seen seen = { 0 };
    uint32_t n_in = 0;

    /* Around the ring many times, with records of all sizes. */
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t size = 4 + i % 297;

        memcpy(data, &i, sizeof i);
        assert_int_equal(vm_ringbuf_output(map, data, size, 0), 0);
        n_in += size;
        if (i % 7 == 6) {
            vm_ringbuf_consume(map, SIZE_MAX, see, &seen);
        }
    }
    vm_ringbuf_consume(map, SIZE_MAX, see, &seen);
    assert_int_equal(seen.n, 1000);
    assert_int_equal(seen.sum, 499500);
    assert_int_equal(seen.bytes, n_in);

    /* Records come in order, when all before them are done. */
    uint32_t *a = vm_ringbuf_reserve(map, 8, 0);
    uint32_t *b = vm_ringbuf_reserve(map, 8, 0);
    uint32_t *c = vm_ringbuf_reserve(map, 8, 0);
    memset(&seen, 0, sizeof seen);
    *c = 3;
    vm_ringbuf_commit(c, false);
    assert_int_equal(vm_ringbuf_consume(map, 10, see, &seen), 0);
    *a = 1;
    vm_ringbuf_commit(a, false);
    assert_int_equal(vm_ringbuf_consume(map, 10, see, &seen), 1);
    vm_ringbuf_commit(b, true);
    assert_int_equal(vm_ringbuf_consume(map, 10, see, &seen), 1);
    assert_int_equal(seen.sum, 4);

    /* Full. */
    assert_non_null(a = vm_ringbuf_reserve(map, 4088, 0));
    assert_null(vm_ringbuf_reserve(map, 0, 0));
    assert_int_equal(vm_ringbuf_output(map, data, 1, 0), -EAGAIN);
    assert_int_equal(vm_ringbuf_lost(map), 2);
    vm_ringbuf_commit(a, true);
    assert_int_equal(vm_ringbuf_query(map, 0), 4096);
    vm_ringbuf_consume(map, 1, NULL, NULL);
    assert_int_equal(vm_ringbuf_query(map, 0), 0);
    assert_null(vm_ringbuf_reserve(map, 4089, 0));
    assert_int_equal(vm_ringbuf_output(map, data, 4, 8), -EINVAL);
    drop(map);
    REFUSED(ringbuf, 0, 0, 4095);
    REFUSED(ringbuf, 0, 0, 12288);
    REFUSED(ringbuf, 4, 0, 4096);
}

static void
test_perf_event_array(void **state)
{
    struct vm_map *map;
    const uint32_t data = 5, extra = 9;
    const struct vm_perf_record record = { &data, 4, &extra, 4 };
    struct seen seen = { 0 };

    vm_set_n_cpus(2);
    map = NEW(perf_event_array, 4, 4, 4);
    vm_set_cpu(1);
    assert_int_equal(vm_perf_output(map, VM_PERF_CURRENT_CPU, &record), 0);
    assert_int_equal(vm_perf_output(map, 0, &record), -EOPNOTSUPP);
    vm_set_cpu(0);
    assert_int_equal(vm_perf_output(map, 0, &record), 0);
    assert_int_equal(vm_perf_output(map, 2, &record), -ENOENT);
    assert_int_equal(vm_perf_output(map, 4, &record), -E2BIG);
    assert_int_equal(vm_perf_output(map, UINT64_C(1) << 33, &record),
                     -EINVAL);
    assert_int_equal(vm_perf_consume(map, 1, 10, see, &seen), 1);
    assert_int_equal(vm_perf_consume(map, 0, 10, see, &seen), 1);
    assert_int_equal(vm_perf_consume(map, 2, 10, see, &seen), 0);
    assert_int_equal(seen.bytes, 16);
    assert_int_equal(seen.sum, 10);
    while (!vm_perf_output(map, 0, &record)) {
        seen.n++;
    }
    assert_int_equal(vm_perf_lost(map, 0), 1);
    assert_int_equal(vm_perf_lost(map, 1), 0);
    assert_int_equal(seen.n - 2, 64 * 1024 / 16);
    vm_set_n_cpus(1);
    drop(map);
    REFUSED(perf_event_array, 4, 8, 4);
}

/* More of these in test-vm-prog.c and test-vm-vtuples.c. */
static void
test_prog_array(void **state)
{
    struct vm_map *map = NEW(prog_array, 4, 4, 3);
    uint32_t id;

    assert_int_equal(update(map, 0, 0, 0), -ENOTSUP);
    assert_int_equal(vm_map_read(map, (uint32_t[1]) { 0 }, &id), -ENOENT);
    assert_int_equal(del(map, 0), -ENOENT);
    assert_int_equal(del(map, 3), -E2BIG);
    drop(map);
    REFUSED(prog_array, 4, 8, 3);
}

static void
test_vhash(void **state)
{
    struct vm_map *map = NEW(vhash, 8, 8, 0);
    const uint64_t key = 5;

    assert_int_equal(vm_vhash_insert(map, &key, 1, 6, NULL), 0);
    assert_int_equal(*vm_vmap_lookup(map, &key, 1), 6);
    assert_null(vm_map_lookup(map, &key));
    assert_int_equal(vm_map_delete(map, &key), -ENOTSUP);
    drop(map);
}

static void
test_vtuples(void **state)
{
    struct vm_map *map = NEW(vtuples, 8, 8, 1);
    const uint64_t key = 5, mask = 7;

    assert_int_equal(vm_vtuples_insert(map, &mask, &key, 0, 1, 6, NULL), 0);
    assert_int_equal(vm_vtuples_insert(map, &mask, &key, 0, 1, 6, NULL),
                     -E2BIG);
    assert_int_equal(vm_map_next_key(map, NULL, NULL), -ENOTSUP);
    drop(map);
}

/* Kinds over a vtuples map.  What lookups find: test-of-plans.c. */
static void
check_over_tuples(enum vm_map_kind kind, uint32_t max_entries)
{
    struct vm_map *tuples = NEW(vtuples, 8, 8, 0), *map;
    struct vm_map_attr attr = {
        .kind = kind, .key_size = 8, .value_size = 8,
        .max_entries = max_entries, .name = "x",
    };
    struct vm_err err;

    assert_int_equal(vm_map_create(&attr, &map, &err), -EINVAL);
    attr.inner = tuples;
    assert_int_equal(vm_map_create(&attr, &map, &err), 0);
    assert_int_equal(vm_map_count(map), 0);
    assert_true(vm_map_memory(map) > 0);
    drop(map);
    attr.key_size = 16;
    assert_int_equal(vm_map_create(&attr, &map, &err), -EINVAL);
    drop(tuples);
}

static void
test_vlpm(void **state)
{
    check_over_tuples(VM_MAP_vlpm, 10);
}

static void
test_vmerge(void **state)
{
    check_over_tuples(VM_MAP_vmerge, 0);
}

static void
test_unknown_kind(void **state)
{
    struct vm_map *map;
    struct vm_err err;
    const struct vm_map_attr attr = { .kind = 99, .name = "x" };

    assert_int_equal(vm_map_create(&attr, &map, &err), -EINVAL);
    assert_string_equal(err.text, "map x: there is no map kind 99");
    assert_null(vm_map_ops_by_name("nothing"));
}

/* Big maps come from the hook, and go back to it with their size. */
static size_t big_bytes;

static void *
counting_alloc(size_t size)
{
    big_bytes += size;
    return calloc(1, size);
}

static void
counting_free(void *p, size_t size)
{
    big_bytes -= size;
    free(p);
}

static void
test_big_memory(void **state)
{
    struct vm_map *map;
    uint32_t key = 999999;

    vm_set_big_alloc(counting_alloc, counting_free);
    map = NEW(array, 4, 8, 1000000);
    assert_int_equal(big_bytes, 8000000);
    drop(map);
    map = NEW(hash, 4, 8, 10000);
    assert_true(big_bytes > 10000 * 16);
    drop(map);
    assert_int_equal(big_bytes, 0);
    vm_set_big_alloc(NULL, NULL);

    map = NEW(array, 4, 8, 1000000);
    assert_int_equal(update(map, key, 4, 0), 0);
    assert_int_equal((uintptr_t) map->ops->direct(map) % (2 << 20), 0);
    drop(map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
    /* One for each kind: a row of maps.def without a test does not build. */
#define VM_MAP(ID, NUMBER) cmocka_unit_test(test_##ID),
#include "vm/maps/maps.def"
        cmocka_unit_test(test_hash_key_sizes),
        cmocka_unit_test(test_unknown_kind),
        cmocka_unit_test(test_big_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
