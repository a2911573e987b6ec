/* SPDX-License-Identifier: Apache-2.0 */

/* Longest prefix match, against a list. */

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

void
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
