/* SPDX-License-Identifier: Apache-2.0 */

/* Array of maps and hash of maps: an array or a hash whose values are
 * pointers to maps. */

#include "vm/maps/of_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct of_maps {
    struct vm_map map;
    struct vm_map *table;       /* Array or hash of pointers. */
};

static struct of_maps *
of_maps_cast(const struct vm_map *map)
{
    return (struct of_maps *) map;
}

#define ARRAY_FLAGS (VM_MF_NUMA_NODE | VM_MF_RDONLY | VM_MF_WRONLY)

static int
of_maps_create(const struct vm_map_attr *attr, struct vm_map **mapp,
               struct vm_err *err)
{
    const char *name = attr->name ? attr->name : "";
    struct vm_map_attr table = *attr;

    if (attr->kind == VM_MAP_array_of_maps && attr->flags & ~ARRAY_FLAGS) {
        return vm_err(err, -EINVAL, "array of maps %s: flags 0x%x are no "
                      "subset of 0x%x", name, attr->flags, ARRAY_FLAGS);
    }
    if (attr->value_size != 4 || !attr->inner) {
        return vm_err(err, -EINVAL, "map of maps %s: values have 4 bytes, and "
                      "there is a template of the inner maps", name);
    }
    if (attr->inner->ops->caps & (VM_MAP_CAP_OF_MAPS
                                  | VM_MAP_CAP_TAIL_CALL)) {
        return vm_err(err, -EINVAL, "map of maps %s: inner maps of kind %s "
                      "are not possible", name, attr->inner->ops->name);
    }

    struct of_maps *m = calloc(1, sizeof *m);
    if (!m) {
        return vm_err(err, -ENOMEM, "no memory for a map of maps");
    }
    table.kind = (attr->kind == VM_MAP_array_of_maps ? VM_MAP_array
                  : VM_MAP_hash);
    table.value_size = sizeof(struct vm_map *);
    table.inner = NULL;
    table.flags &= ~(VM_MF_RDONLY | VM_MF_WRONLY);

    int error = vm_map_create(&table, &m->table, err);
    if (error) {
        free(m);
        return error;
    }
    *mapp = &m->map;
    return 0;
}

struct vm_map *
vm_map_get_inner(struct vm_map *map, const void *key)
{
    struct vm_map **p = vm_map_lookup(of_maps_cast(map)->table, key);

    return p ? __atomic_load_n(p, __ATOMIC_ACQUIRE) : NULL;
}

static void *
of_maps_lookup(struct vm_map *map, const void *key)
{
    return vm_map_get_inner(map, key);
}

static bool
is_like(const struct vm_map *a, const struct vm_map *b)
{
    return (a->ops == b->ops && a->key_size == b->key_size
            && a->value_size == b->value_size && a->flags == b->flags
            && (a->max_entries == b->max_entries
                || !(a->ops->caps & VM_MAP_CAP_DIRECT)
                || a->flags & VM_MF_INNER_MAP));
}

int
vm_map_set_inner(struct vm_map *map, const void *key, struct vm_map *inner)
{
    struct vm_map *table = of_maps_cast(map)->table;
    struct vm_map *old = vm_map_get_inner(map, key);
    bool array = table->ops == &vm_map_ops_array;
    int error;

    if (inner && !is_like(map->inner, inner)) {
        return -EINVAL;
    }
    error = (inner || array ? vm_map_update(table, key, &inner, VM_ANY)
             : vm_map_delete(table, key));
    if (!error) {
        if (inner) {
            vm_map_ref(inner);
        }
        vm_map_unref(old);
    }
    return error;
}

static int
of_maps_delete(struct vm_map *map, const void *key)
{
    if (!vm_map_get_inner(map, key)) {
        struct vm_map *table = of_maps_cast(map)->table;

        return (table->ops == &vm_map_ops_array && !vm_map_lookup(table, key)
                ? -E2BIG : -ENOENT);
    }
    return vm_map_set_inner(map, key, NULL);
}

static int
of_maps_next_key(struct vm_map *map, const void *key, void *next)
{
    return vm_map_next_key(of_maps_cast(map)->table, key, next);
}

static void
of_maps_destroy(struct vm_map *map)
{
    struct of_maps *m = of_maps_cast(map);
    uint8_t *key = malloc(map->key_size), *next = malloc(map->key_size);
    bool first = true;

    while (key && next
           && !vm_map_next_key(m->table, first ? NULL : key, next)) {
        struct vm_map **p = vm_map_lookup(m->table, next);

        vm_map_unref(p ? *p : NULL);
        memcpy(key, next, map->key_size);
        first = false;
    }
    free(key);
    free(next);
    vm_map_unref(m->table);
    free(m);
}

static size_t
of_maps_memory(const struct vm_map *map)
{
    return (sizeof(struct of_maps)
            + vm_map_memory(of_maps_cast(map)->table));
}

static size_t
of_maps_count(const struct vm_map *map)
{
    struct vm_map *table = of_maps_cast(map)->table;
    size_t n = 0;

    if (table->ops != &vm_map_ops_array) {
        return vm_map_count(table);
    }
    for (uint32_t i = 0; i < map->max_entries; i++) {
        n += vm_map_get_inner((struct vm_map *) map, &i) != NULL;
    }
    return n;
}

#define OF_MAPS_OPS(ID)                                                       \
    .name = #ID,                                                              \
    .number = VM_MAP_##ID,                                                    \
    .caps = VM_MAP_CAP_LOOKUP | VM_MAP_CAP_OF_MAPS,                           \
    .create = of_maps_create,                                                 \
    .destroy = of_maps_destroy,                                               \
    .lookup = of_maps_lookup,                                                 \
    .delete = of_maps_delete,                                                 \
    .next_key = of_maps_next_key,                                             \
    .memory = of_maps_memory,                                                 \
    .count = of_maps_count

const struct vm_map_ops vm_map_ops_array_of_maps = {
    OF_MAPS_OPS(array_of_maps),
};

const struct vm_map_ops vm_map_ops_hash_of_maps = {
    OF_MAPS_OPS(hash_of_maps),
};
