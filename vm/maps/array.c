/* SPDX-License-Identifier: Apache-2.0 */

/* Array and per-CPU array: max_entries values, all there from the start, zero
 * at first. */

#include "vm/maps/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS_PERCPU (VM_MF_NUMA_NODE | VM_MF_RDONLY | VM_MF_WRONLY           \
                      | VM_MF_RDONLY_PROG | VM_MF_WRONLY_PROG)
#define FLAGS (FLAGS_PERCPU | VM_MF_MMAPABLE | VM_MF_INNER_MAP)

static struct vm_array *
array_cast(const struct vm_map *map)
{
    return (struct vm_array *) map;
}

static int
create(const struct vm_map_attr *attr, bool per_cpu, struct vm_map **mapp,
       struct vm_err *err)
{
    uint32_t flags = per_cpu ? FLAGS_PERCPU : FLAGS;

    if (attr->key_size != 4 || !attr->value_size || !attr->max_entries
        || attr->value_size > UINT32_MAX - 7 || attr->flags & ~flags) {
        return vm_err(err, -EINVAL, "array %s: keys have 4 bytes, values at "
                      "least 1, there is at least 1 entry, and flags 0x%x "
                      "are a subset of 0x%x", attr->name ? attr->name : "",
                      attr->flags, flags);
    }

    struct vm_array *array = calloc(1, sizeof *array);
    if (!array) {
        return vm_err(err, -ENOMEM, "no memory for an array");
    }
    array->elem_size = (attr->value_size + 7) & ~7u;
    array->data_size = (size_t) array->elem_size * attr->max_entries;
    if (per_cpu) {
        /* CPUs share no cache lines. */
        array->cpu_stride = (array->data_size + 127) & ~(size_t) 127;
        array->data_size = array->cpu_stride * vm_n_cpus;
    }
    array->data = vm_big_alloc(array->data_size);
    if (!array->data) {
        free(array);
        return vm_err(err, -ENOMEM, "array %s: no memory for %u values of %u "
                      "bytes", attr->name ? attr->name : "",
                      attr->max_entries, attr->value_size);
    }
    *mapp = &array->map;
    return 0;
}

static int
array_create(const struct vm_map_attr *attr, struct vm_map **mapp,
             struct vm_err *err)
{
    return create(attr, false, mapp, err);
}

static int
percpu_array_create(const struct vm_map_attr *attr, struct vm_map **mapp,
                    struct vm_err *err)
{
    return create(attr, true, mapp, err);
}

static void
array_destroy(struct vm_map *map)
{
    struct vm_array *array = array_cast(map);

    vm_big_free(array->data, array->data_size);
    free(array);
}

static void *
array_lookup(struct vm_map *map, const void *key)
{
    struct vm_array *array = array_cast(map);
    uint32_t index;

    memcpy(&index, key, sizeof index);
    return (index < map->max_entries
            ? array->data + (size_t) index * array->elem_size : NULL);
}

static void *
percpu_array_lookup(struct vm_map *map, const void *key)
{
    uint8_t *p = array_lookup(map, key);

    return p ? p + vm_cpu() * array_cast(map)->cpu_stride : NULL;
}

/* A word at a time, so that a value of 4 or 8 bytes never shows a mix. */
static void
store_value(void *p, const void *value, uint32_t size)
{
    if (size == 8) {
        uint64_t word;

        memcpy(&word, value, sizeof word);
        __atomic_store_n((uint64_t *) p, word, __ATOMIC_RELAXED);
    } else if (size == 4) {
        uint32_t word;

        memcpy(&word, value, sizeof word);
        __atomic_store_n((uint32_t *) p, word, __ATOMIC_RELAXED);
    } else {
        memcpy(p, value, size);
    }
}

static int
check_update(const void *p, uint64_t flags)
{
    return (flags > VM_EXIST ? -EINVAL
            : !p ? -E2BIG
            : flags == VM_NOEXIST ? -EEXIST : 0);
}

static int
array_update(struct vm_map *map, const void *key, const void *value,
             uint64_t flags)
{
    void *p = map->ops->lookup(map, key);
    /* Linux looks at the index, and whether the entry may be there, before it
     * misses the lock. */
    int error = check_update(p, flags & ~(uint64_t) VM_LOCK);

    error = error ? error : flags & VM_LOCK ? -EINVAL : 0;
    if (!error) {
        store_value(p, value, map->value_size);
    }
    return error;
}

/* From outside, Linux asks for the lock first. */
static int
array_write(struct vm_map *map, const void *key, const void *value,
            uint64_t flags)
{
    return flags > VM_EXIST ? -EINVAL : array_update(map, key, value, flags);
}

static int
percpu_array_read(struct vm_map *map, const void *key, void *value)
{
    const struct vm_array *array = array_cast(map);
    const uint8_t *p = array_lookup(map, key);

    if (!p) {
        return -ENOENT;
    }
    for (unsigned cpu = 0; cpu < vm_n_cpus; cpu++) {
        memcpy((uint8_t *) value + (size_t) cpu * array->elem_size,
               p + cpu * array->cpu_stride, array->elem_size);
    }
    return 0;
}

static int
percpu_array_write(struct vm_map *map, const void *key, const void *value,
                   uint64_t flags)
{
    const struct vm_array *array = array_cast(map);
    uint8_t *p = array_lookup(map, key);
    int error = check_update(p, flags);

    for (unsigned cpu = 0; !error && cpu < vm_n_cpus; cpu++) {
        store_value(p + cpu * array->cpu_stride,
                    (const uint8_t *) value
                    + (size_t) cpu * array->elem_size, map->value_size);
    }
    return error;
}

static int
array_delete(struct vm_map *map, const void *key)
{
    return -EINVAL;
}

static int
array_next_key(struct vm_map *map, const void *key, void *next)
{
    uint32_t index = UINT32_MAX;

    if (key) {
        memcpy(&index, key, sizeof index);
    }
    if (index >= map->max_entries) {
        index = 0;
    } else if (++index == map->max_entries) {
        return -ENOENT;
    }
    memcpy(next, &index, sizeof index);
    return 0;
}

static size_t
array_memory(const struct vm_map *map)
{
    return sizeof(struct vm_array) + array_cast(map)->data_size;
}

static size_t
array_count(const struct vm_map *map)
{
    return map->max_entries;
}

static void *
array_direct(struct vm_map *map)
{
    return array_cast(map)->data;
}

const struct vm_map_ops vm_map_ops_array = {
    .name = "array",
    .number = VM_MAP_array,
    .caps = VM_MAP_CAP_LOOKUP | VM_MAP_CAP_UPDATE | VM_MAP_CAP_DELETE
            | VM_MAP_CAP_DIRECT,
    .create = array_create,
    .destroy = array_destroy,
    .lookup = array_lookup,
    .update = array_update,
    .write = array_write,
    .delete = array_delete,
    .next_key = array_next_key,
    .memory = array_memory,
    .count = array_count,
    .direct = array_direct,
};

const struct vm_map_ops vm_map_ops_percpu_array = {
    .name = "percpu_array",
    .number = VM_MAP_percpu_array,
    .caps = VM_MAP_CAP_LOOKUP | VM_MAP_CAP_UPDATE | VM_MAP_CAP_DELETE
            | VM_MAP_CAP_PER_CPU,
    .create = percpu_array_create,
    .destroy = array_destroy,
    .lookup = percpu_array_lookup,
    .update = array_update,
    .delete = array_delete,
    .read = percpu_array_read,
    .write = percpu_array_write,
    .next_key = array_next_key,
    .memory = array_memory,
    .count = array_count,
};
