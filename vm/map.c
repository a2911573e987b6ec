/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/map.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const struct vm_map_ops *const kinds[] = {
#define VM_MAP(ID, NUMBER) &vm_map_ops_##ID,
#include "vm/maps/maps.def"
};

#define N_KINDS (sizeof kinds / sizeof kinds[0])

const struct vm_map_ops *
vm_map_ops_by_number(uint32_t number)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (kinds[i]->number == number) {
            return kinds[i];
        }
    }
    return NULL;
}

const struct vm_map_ops *
vm_map_ops_by_name(const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (!strcmp(kinds[i]->name, name)) {
            return kinds[i];
        }
    }
    return NULL;
}

int
vm_map_create(const struct vm_map_attr *attr, struct vm_map **mapp,
              struct vm_err *err)
{
    const struct vm_map_ops *ops = vm_map_ops_by_number(attr->kind);
    const char *name = attr->name ? attr->name : "";

    *mapp = NULL;
    if (!ops) {
        return vm_err(err, -EINVAL, "map %s: there is no map kind %u", name,
                      attr->kind);
    }

    const uint32_t owner = VM_MF_RDONLY | VM_MF_WRONLY;
    const uint32_t prog = VM_MF_RDONLY_PROG | VM_MF_WRONLY_PROG;
    if ((attr->flags & owner) == owner || (attr->flags & prog) == prog) {
        return vm_err(err, -EINVAL, "map %s: it cannot be both read-only and "
                      "write-only", name);
    }

    struct vm_map *map;
    int error = ops->create(attr, &map, err);
    if (error) {
        return error;
    }
    map->ops = ops;
    map->key_size = attr->key_size;
    map->value_size = attr->value_size;
    map->max_entries = attr->max_entries;
    map->flags = attr->flags;
    map->inner = attr->inner ? vm_map_ref(attr->inner) : NULL;
    atomic_init(&map->refs, 1);
    snprintf(map->name, sizeof map->name, "%s", name);
    *mapp = map;
    return 0;
}

struct vm_map *
vm_map_ref(struct vm_map *map)
{
    atomic_fetch_add_explicit(&map->refs, 1, memory_order_relaxed);
    return map;
}

static void
map_destroy(void *map_)
{
    struct vm_map *map = map_;
    struct vm_map *inner = map->inner;

    map->ops->destroy(map);
    vm_map_unref(inner);
}

void
vm_map_unref(struct vm_map *map)
{
    if (map && atomic_fetch_sub_explicit(&map->refs, 1,
                                         memory_order_acq_rel) == 1) {
        vm_defer(map_destroy, map);
    }
}

void *
vm_map_lookup(struct vm_map *map, const void *key)
{
    return map->ops->lookup ? map->ops->lookup(map, key) : NULL;
}

/* Up to VM_MAP_BURST keys, by halves. */
static void
lookup_split(struct vm_map *map, const void *const *keys, unsigned n,
             void **values)
{
    const struct vm_map_ops *ops = map->ops;
    uint64_t cookies[VM_MAP_BURST];

    for (unsigned i = 0; i < n; i++) {
        cookies[i] = ops->hash(map, keys[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        ops->prefetch(map, cookies[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        values[i] = ops->lookup_hash(map, keys[i], cookies[i]);
    }
}

void
vm_map_lookup_burst(struct vm_map *map, const void *const *keys, unsigned n,
                    void **values)
{
    const struct vm_map_ops *ops = map->ops;

    if (ops->lookup_burst) {
        ops->lookup_burst(map, keys, n, values);
    } else if (ops->hash) {
        for (unsigned i = 0; i < n; i += VM_MAP_BURST) {
            lookup_split(map, keys + i, n - i < VM_MAP_BURST ? n - i
                         : VM_MAP_BURST, values + i);
        }
    } else {
        for (unsigned i = 0; i < n; i++) {
            values[i] = vm_map_lookup(map, keys[i]);
        }
    }
}

int
vm_map_update(struct vm_map *map, const void *key, const void *value,
              uint64_t flags)
{
    return (map->ops->update ? map->ops->update(map, key, value, flags)
            : -ENOTSUP);
}

int
vm_map_delete(struct vm_map *map, const void *key)
{
    return map->ops->delete ? map->ops->delete(map, key) : -ENOTSUP;
}

int
vm_map_read(struct vm_map *map, const void *key, void *value)
{
    if (map->flags & VM_MF_WRONLY) {
        return -EPERM;
    }
    if (map->ops->read) {
        return map->ops->read(map, key, value);
    }
    if (!map->ops->lookup) {
        return -ENOTSUP;
    }

    const void *p = map->ops->lookup(map, key);
    if (!p) {
        return -ENOENT;
    }
    memcpy(value, p, map->value_size);
    return 0;
}

int
vm_map_write(struct vm_map *map, const void *key, const void *value,
             uint64_t flags)
{
    if (map->flags & VM_MF_RDONLY) {
        return -EPERM;
    }
    return (map->ops->write ? map->ops->write(map, key, value, flags)
            : vm_map_update(map, key, value, flags));
}

void
vm_map_freeze(struct vm_map *map)
{
    map->flags |= VM_MF_RDONLY;
}

int
vm_map_next_key(struct vm_map *map, const void *key, void *next)
{
    return (map->flags & VM_MF_WRONLY ? -EPERM
            : map->ops->next_key ? map->ops->next_key(map, key, next)
            : -ENOTSUP);
}

size_t
vm_map_memory(const struct vm_map *map)
{
    return map->ops->memory(map);
}

size_t
vm_map_count(const struct vm_map *map)
{
    return map->ops->count(map);
}

size_t
vm_map_owner_value_size(const struct vm_map *map)
{
    return (map->ops->caps & VM_MAP_CAP_PER_CPU
            ? (size_t) ((map->value_size + 7) & ~7u) * vm_n_cpus
            : map->value_size);
}
