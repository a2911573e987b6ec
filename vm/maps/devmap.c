/* SPDX-License-Identifier: Apache-2.0 */

/* Where packets can be redirected to: devmap, devmap_hash, cpumap, xskmap.
 *
 * To the VM they are maps from an index or a key to a port or worker number
 * that the owner writes and programs only read; what a number means is the
 * business of the helper that redirects. */

#include "vm/maps/devmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS (VM_MF_NUMA_NODE | VM_MF_RDONLY | VM_MF_WRONLY)

static struct vm_devmap *
devmap_cast(const struct vm_map *map)
{
    return (struct vm_devmap *) map;
}

/* Linux's optional second word, a program to run on the way out. */
static int
check_value(const struct vm_map *map, const void *value)
{
    int32_t words[2] = { 0 };

    memcpy(words, value, map->value_size);
    return words[1] > 0 ? -EINVAL : 0;
}

static int
check_attr(const struct vm_map_attr *attr, struct vm_err *err)
{
    if (attr->key_size != 4 || !attr->max_entries || attr->flags & ~FLAGS
        || (attr->value_size != 4
            && !(attr->value_size == 8 && attr->kind != VM_MAP_xskmap))) {
        return vm_err(err, -EINVAL, "%s %s: keys have 4 bytes, values 4 (or "
                      "8, with a program), there is at least 1 entry, and "
                      "flags 0x%x are a subset of 0x%x",
                      vm_map_ops_by_number(attr->kind)->name,
                      attr->name ? attr->name : "", attr->flags, FLAGS);
    }
    return 0;
}

static int
devmap_create(const struct vm_map_attr *attr, struct vm_map **mapp,
              struct vm_err *err)
{
    int error = check_attr(attr, err);

    if (error) {
        return error;
    }

    struct vm_devmap *m = calloc(1, sizeof *m + (size_t) attr->max_entries
                              * sizeof m->slots[0]);
    if (!m) {
        return vm_err(err, -ENOMEM, "no memory for %u entries",
                      attr->max_entries);
    }
    *mapp = &m->map;
    return 0;
}

static void
devmap_destroy(struct vm_map *map)
{
    free(devmap_cast(map));
}

static struct vm_devmap_slot *
devmap_slot(struct vm_map *map, const void *key)
{
    uint32_t index;

    memcpy(&index, key, sizeof index);
    return (index < map->max_entries ? &devmap_cast(map)->slots[index]
            : NULL);
}

static void *
devmap_lookup(struct vm_map *map, const void *key)
{
    struct vm_devmap_slot *slot = devmap_slot(map, key);

    return (slot && atomic_load_explicit(&slot->present,
                                         memory_order_acquire)
            ? &slot->value : NULL);
}

static int
devmap_write(struct vm_map *map, const void *key, const void *value,
             uint64_t flags)
{
    struct vm_devmap_slot *slot = devmap_slot(map, key);
    uint64_t word = 0;

    if (flags > VM_EXIST || check_value(map, value)) {
        return -EINVAL;
    }
    if (!slot) {
        return -E2BIG;
    }
    if (flags == VM_NOEXIST) {
        return -EEXIST;
    }
    memcpy(&word, value, map->value_size);
    __atomic_store_n(&slot->value, word, __ATOMIC_RELAXED);
    atomic_store_explicit(&slot->present, true, memory_order_release);
    return 0;
}

static int
devmap_delete(struct vm_map *map, const void *key)
{
    struct vm_devmap_slot *slot = devmap_slot(map, key);

    if (!slot) {
        return -EINVAL;
    }
    atomic_store_explicit(&slot->present, false, memory_order_release);
    return 0;
}

static int
devmap_next_key(struct vm_map *map, const void *key, void *next)
{
    return vm_map_ops_array.next_key(map, key, next);
}

static size_t
devmap_memory(const struct vm_map *map)
{
    return (sizeof(struct vm_devmap)
            + (size_t) map->max_entries * sizeof(struct vm_devmap_slot));
}

static size_t
devmap_count(const struct vm_map *map)
{
    size_t n = 0;

    for (uint32_t i = 0; i < map->max_entries; i++) {
        n += atomic_load(&devmap_cast(map)->slots[i].present);
    }
    return n;
}

/* devmap_hash: a hash inside. */

struct devmap_hash {
    struct vm_map map;
    struct vm_map *table;
};

static struct devmap_hash *
devmap_hash_cast(const struct vm_map *map)
{
    return (struct devmap_hash *) map;
}

static int
devmap_hash_create(const struct vm_map_attr *attr, struct vm_map **mapp,
                   struct vm_err *err)
{
    struct vm_map_attr table = *attr;
    int error = check_attr(attr, err);

    if (error) {
        return error;
    }

    struct devmap_hash *m = calloc(1, sizeof *m);
    if (!m) {
        return vm_err(err, -ENOMEM, "no memory for a devmap_hash");
    }
    table.kind = VM_MAP_hash;
    table.flags &= ~(VM_MF_RDONLY | VM_MF_WRONLY);
    error = vm_map_create(&table, &m->table, err);
    if (error) {
        free(m);
        return error;
    }
    *mapp = &m->map;
    return 0;
}

static void
devmap_hash_destroy(struct vm_map *map)
{
    vm_map_unref(devmap_hash_cast(map)->table);
    free(devmap_hash_cast(map));
}

static void *
devmap_hash_lookup(struct vm_map *map, const void *key)
{
    return vm_map_lookup(devmap_hash_cast(map)->table, key);
}

static int
devmap_hash_write(struct vm_map *map, const void *key, const void *value,
                  uint64_t flags)
{
    if (flags > VM_EXIST || check_value(map, value)) {
        return -EINVAL;
    }
    /* Linux does not ask whether there is one for VM_EXIST. */
    return vm_map_update(devmap_hash_cast(map)->table, key, value,
                         flags == VM_NOEXIST ? VM_NOEXIST : VM_ANY);
}

static int
devmap_hash_delete(struct vm_map *map, const void *key)
{
    return vm_map_delete(devmap_hash_cast(map)->table, key);
}

static int
devmap_hash_next_key(struct vm_map *map, const void *key, void *next)
{
    return vm_map_next_key(devmap_hash_cast(map)->table, key, next);
}

static size_t
devmap_hash_memory(const struct vm_map *map)
{
    return (sizeof(struct devmap_hash)
            + vm_map_memory(devmap_hash_cast(map)->table));
}

static size_t
devmap_hash_count(const struct vm_map *map)
{
    return vm_map_count(devmap_hash_cast(map)->table);
}

#define CAPS (VM_MAP_CAP_LOOKUP | VM_MAP_CAP_REDIRECT)
#define DEVMAP_OPS(ID, PREFIX)                                                \
    .name = #ID,                                                              \
    .number = VM_MAP_##ID,                                                    \
    .caps = CAPS,                                                             \
    .create = PREFIX##_create,                                                \
    .destroy = PREFIX##_destroy,                                              \
    .lookup = PREFIX##_lookup,                                                \
    .delete = PREFIX##_delete,                                                \
    .write = PREFIX##_write,                                                  \
    .next_key = PREFIX##_next_key,                                            \
    .memory = PREFIX##_memory,                                                \
    .count = PREFIX##_count

const struct vm_map_ops vm_map_ops_devmap = { DEVMAP_OPS(devmap, devmap) };
const struct vm_map_ops vm_map_ops_cpumap = { DEVMAP_OPS(cpumap, devmap) };
const struct vm_map_ops vm_map_ops_xskmap = { DEVMAP_OPS(xskmap, devmap) };
const struct vm_map_ops vm_map_ops_devmap_hash = {
    DEVMAP_OPS(devmap_hash, devmap_hash),
};
