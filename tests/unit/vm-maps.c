/* SPDX-License-Identifier: Apache-2.0 */
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

struct vm_map *
vm_maps_new(const struct vm_map_attr *attr)
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

void
vm_maps_refused(const struct vm_map_attr *attr)
{
    struct vm_map *map;
    struct vm_err err = { "" };

    assert_int_equal(vm_map_create(attr, &map, &err), -EINVAL);
    assert_null(map);
    if (!strstr(err.text, "bad")) {
        fail_msg("'%s' does not name the map", err.text);
    }
}

void
drop(struct vm_map *map)
{
    vm_map_unref(map);
    vm_defer_run();
}

int
update(struct vm_map *map, uint32_t key, uint64_t value, uint64_t flags)
{
    return vm_map_update(map, &key, &value, flags);
}

uint64_t
lookup(struct vm_map *map, uint32_t key)
{
    uint64_t *value = vm_map_lookup(map, &key);

    return value ? *value : UINT64_MAX;
}

int
del(struct vm_map *map, uint32_t key)
{
    return vm_map_delete(map, &key);
}

uint64_t
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
