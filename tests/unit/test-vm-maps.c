/* SPDX-License-Identifier: Apache-2.0 */

/* Maps, kind by kind, with the flags and errors of Linux.  A row of maps.def
 * without a test here does not pass. */

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

#include "vm/maps/vtable.h"

void
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

void
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

/* More of these in test-vm-prog.c and test-vm-vtuples.c. */
void
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

void
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

void
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

void
test_vlpm(void **state)
{
    check_over_tuples(VM_MAP_vlpm, 10);
}

void
test_vmerge(void **state)
{
    check_over_tuples(VM_MAP_vmerge, 0);
}

void
test_vtree(void **state)
{
    check_over_tuples(VM_MAP_vtree, 0);
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
    /* One for each kind: a row of maps.def without a test does not link. */
#define VM_MAP(ID, NUMBER) cmocka_unit_test(test_##ID),
#include "vm/maps/maps.def"
        cmocka_unit_test(test_hash_key_sizes),
        cmocka_unit_test(test_hash_deferred),
        cmocka_unit_test(test_unknown_kind),
        cmocka_unit_test(test_big_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
