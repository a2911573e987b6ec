/* SPDX-License-Identifier: Apache-2.0 */

/* Maps whose values name something: maps of maps, devices, sockets. */

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

#include "vm/maps/of_maps.h"

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

void
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

void
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

void
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

void
test_cpumap(void **state)
{
    check_devmap(NEW(cpumap, 4, 4, 4), true);
}

void
test_xskmap(void **state)
{
    check_devmap(NEW(xskmap, 4, 4, 4), true);
    REFUSED(xskmap, 4, 8, 4);
}

void
test_devmap_hash(void **state)
{
    check_devmap(NEW(devmap_hash, 4, 4, 4), false);
}
