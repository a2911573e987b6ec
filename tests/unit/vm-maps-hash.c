/* SPDX-License-Identifier: Apache-2.0 */

/* Hashes: hash, percpu_hash, lru_hash, lru_percpu_hash. */

#include "tests/unit/vm-maps.h"

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

void
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
void
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

void
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

void
test_lru_hash(void **state)
{
    test_lru(NEW(lru_hash, 4, 8, 100));
    REFUSED(lru_hash, 4, 8, 1, .flags = VM_MF_MMAPABLE);
}

void
test_lru_percpu_hash(void **state)
{
    vm_set_n_cpus(2);
    test_lru(NEW(lru_percpu_hash, 4, 8, 100));
    vm_set_n_cpus(1);
}

/* However many entries go while readers are busy, the pool has one call in
 * vm_defer(), and what waits is limited: then there is -ENOMEM. */
static struct {
    void (*fn)(void *);
    void *aux;
} deferred;
static uint32_t n_deferred;

static void
keep_deferred(void (*fn)(void *), void *aux)
{
    n_deferred++;
    deferred.fn = fn;
    deferred.aux = aux;
}

void
test_hash_deferred(void **state)
{
    struct vm_map *map = NEW(hash, 4, 8, 1000, .flags = VM_MF_NO_PREALLOC);
    uint32_t n = 0, key = 0;
    int error = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(update(map, i, i, VM_ANY), 0);
    }

    size_t before = vm_map_memory(map);
    vm_set_defer(keep_deferred);
    n_deferred = 0;
    while (!error && n < 10000000) {
        assert_int_equal(del(map, key), 0);
        error = update(map, key, key, VM_NOEXIST);
        key = key < 999 ? key + 1 : 0;
        n++;
    }
    assert_int_equal(error, -ENOMEM);
    assert_int_equal(n_deferred, 1);
    assert_true(n > 2000);
    assert_true(vm_map_memory(map) < before + (20u << 20));

    /* Readers are quiescent: first what was retired before the call. */
    while (n_deferred) {
        n_deferred = 0;
        deferred.fn(deferred.aux);
    }
    vm_set_defer(NULL);
    assert_true(vm_map_memory(map) <= before);
    assert_int_equal(update(map, 5000, 1, VM_NOEXIST), 0);
    drop(map);
}
