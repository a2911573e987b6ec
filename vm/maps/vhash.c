/* SPDX-License-Identifier: Apache-2.0 */

/* The versioned hash: one table of vtable.c. */

#include "vm/maps/vtable-internal.h"

#include <errno.h>
#include <stdlib.h>

struct vhash {
    struct vm_map map;
    struct vm_vtab *tab;
};

static struct vhash *
vhash_cast(const struct vm_map *map)
{
    return (struct vhash *) map;
}

struct vm_vtab *
vm_vhash_tab(const struct vm_map *map)
{
    return vhash_cast(map)->tab;
}

static int
vhash_create(const struct vm_map_attr *attr, struct vm_map **mapp,
             struct vm_err *err)
{
    int error = vm_vmap_check_attr(attr, err);
    struct vhash *vh;

    if (error) {
        return error;
    }
    vh = calloc(1, sizeof *vh);
    if (!vh || !(vh->tab = vm_vtab_new(NULL, attr->key_size / 8))) {
        free(vh);
        return vm_err(err, -ENOMEM, "no memory for a versioned map");
    }
    *mapp = &vh->map;
    return 0;
}

static void
vhash_destroy(struct vm_map *map)
{
    vm_vtab_free(vhash_cast(map)->tab);
    free(vhash_cast(map));
}

int
vm_vhash_insert(struct vm_map *map, const uint64_t *key,
                uint64_t add_version, uint64_t value,
                struct vm_ventry **entryp)
{
    struct vhash *vh = vhash_cast(map);
    const struct vm_vnew new = {
        .add_version = add_version,
        .value = value,
    };

    return (vm_vmap_is_full(map, vh->tab->n_entries) ? -E2BIG
            : vm_vtab_insert(vh->tab, key, &new, entryp));
}

void
vm_vhash_delete(struct vm_map *map, struct vm_ventry *e)
{
    vm_vtab_delete(vhash_cast(map)->tab, e);
}

static void *
vhash_vlookup(struct vm_map *map, const void *key, uint64_t version)
{
    struct vm_ventry *e = vm_vtab_lookup(vhash_cast(map)->tab, key, version);

    return e ? &e->value : NULL;
}

/* In steps.  The cookie is the hash, or whatever a program gives back. */

static uint64_t
vhash_vstart(struct vm_map *map, const void *key)
{
    const struct vm_vtab *tab = vhash_cast(map)->tab;
    uint64_t h = vm_vtab_hash(tab, key);

    vm_vtab_prefetch(tab, h);
    return h;
}

static uint64_t
vhash_vnext(struct vm_map *map, const void *key, uint64_t cookie)
{
    vm_vtab_prefetch_entry(vhash_cast(map)->tab, cookie | VM_VHASH_ALWAYS);
    return cookie;
}

static void *
vhash_vend(struct vm_map *map, const void *key, uint64_t version,
           uint64_t cookie)
{
    struct vm_ventry *e = vm_vtab_lookup_hash(vhash_cast(map)->tab, key,
                                              cookie | VM_VHASH_ALWAYS,
                                              version);

    return e ? &e->value : NULL;
}

static size_t
vhash_memory(const struct vm_map *map)
{
    return sizeof(struct vhash) + vm_vtab_memory(vhash_cast(map)->tab);
}

static size_t
vhash_count(const struct vm_map *map)
{
    return vhash_cast(map)->tab->n_entries;
}

const struct vm_map_ops vm_map_ops_vhash = {
    .name = "vhash",
    .number = VM_MAP_vhash,
    .caps = VM_MAP_CAP_VLOOKUP | VM_MAP_CAP_VSTEPS,
    .create = vhash_create,
    .destroy = vhash_destroy,
    .vlookup = vhash_vlookup,
    .n_vsteps = 1,
    .vstart = vhash_vstart,
    .vnext = vhash_vnext,
    .vend = vhash_vend,
    .memory = vhash_memory,
    .count = vhash_count,
};
