/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/maps/vlpm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/maps/fib4.h"
#include "vm/maps/vtable-internal.h"

struct vlpm {
    struct vm_map map;          /* map.inner: the vtuples map. */
    struct vm_fib4 *fib;        /* Values: pointers to entries. */
    uint32_t addr_off;
    uint32_t n_words;
    struct vlpm_word {
        uint64_t mask, value;
        uint32_t index;
    } words[VM_VKEY_MAX_WORDS];
};

static struct vlpm *
vlpm_cast(const struct vm_map *map)
{
    return (struct vlpm *) map;
}

static int
vlpm_create(const struct vm_map_attr *attr, struct vm_map **mapp,
            struct vm_err *err)
{
    const struct vm_map *inner = attr->inner;
    struct vlpm *v;

    if (!inner || inner->ops != &vm_map_ops_vtuples || attr->flags
        || inner->key_size != attr->key_size || attr->value_size != 8
        || !attr->max_entries) {
        return vm_err(err, -EINVAL, "map %s: a vlpm map needs a vtuples map "
                      "with the same keys and values, a size, and no flags",
                      attr->name ? attr->name : "");
    }
    v = calloc(1, sizeof *v);
    if (v) {
        v->fib = vm_fib4_new(attr->max_entries, sizeof(uint64_t));
    }
    if (!v || !v->fib) {
        free(v);
        return vm_err(err, -ENOMEM, "no memory for a trie");
    }
    *mapp = &v->map;
    return 0;
}

static void
vlpm_destroy(struct vm_map *map)
{
    vm_fib4_unref(vlpm_cast(map)->fib);
    free(map);
}

void
vm_vlpm_bind(struct vm_map *map, const uint64_t *mask, const uint64_t *key,
             uint32_t addr_off)
{
    struct vlpm *v = vlpm_cast(map);

    v->addr_off = addr_off;
    v->n_words = 0;
    for (uint32_t i = 0; i < map->key_size / 8; i++) {
        if (mask[i]) {
            v->words[v->n_words++] = (struct vlpm_word) {
                .mask = mask[i], .value = key[i] & mask[i], .index = i,
            };
        }
    }
}

/* Writer. */

static uint32_t
addr_of(const struct vlpm *v, const void *key)
{
    uint32_t addr;

    memcpy(&addr, (const uint8_t *) key + v->addr_off, sizeof addr);
    return __builtin_bswap32(addr);
}

static uint32_t
entry_addr(const struct vlpm *v, const struct vm_ventry *e)
{
    uint64_t key[VM_VKEY_MAX_WORDS], mask[VM_VKEY_MAX_WORDS];

    vm_ventry_key(&v->map, e, key, mask);
    return addr_of(v, key);
}

static struct vm_ventry *
get_entry(const uint64_t *value)
{
    return (void *) (uintptr_t) *value;
}

/* The head of the chain of exactly that prefix, or NULL. */
static struct vm_ventry *
get_head(const struct vlpm *v, const struct vm_ventry *e, uint32_t addr,
         unsigned len)
{
    const uint64_t *value = vm_fib4_at_most(v->fib, addr, len);
    struct vm_ventry *head = value ? get_entry(value) : NULL;

    /* One of another prefix lies in another table, or has another key. */
    return (head && head->tab == e->tab
            && !memcmp(head->key, e->key,
                       e->tab->n_words * sizeof e->key[0]) ? head : NULL);
}

static int
set_head(struct vlpm *v, const struct vm_ventry *e, uint32_t addr,
         unsigned len)
{
    uint64_t value = (uintptr_t) e;
    const struct vm_fib4_change change = {
        .addr = addr, .len = len, .value = &value, .flags = VM_ANY,
    };

    return (e ? vm_fib4_update(v->fib, &change)
            : vm_fib4_delete(v->fib, &change));
}

int
vm_vlpm_insert(struct vm_map *map, struct vm_ventry *e, unsigned len)
{
    struct vlpm *v = vlpm_cast(map);
    uint32_t addr = entry_addr(v, e);
    const struct vm_ventry *head = get_head(v, e, addr, len);

    /* Is it above the head so far? */
    const struct vm_ventry *i = e;

    while (i && i != head) {
        i = atomic_load_explicit(&i->lower, memory_order_relaxed);
    }
    return i == head ? set_head(v, e, addr, len) : 0;
}

int
vm_vlpm_delete(struct vm_map *map, struct vm_ventry *e, unsigned len)
{
    struct vlpm *v = vlpm_cast(map);
    uint32_t addr = entry_addr(v, e);

    return (get_head(v, e, addr, len) != e ? 0
            : set_head(v, atomic_load_explicit(&e->lower,
                                               memory_order_relaxed),
                       addr, len));
}

/* Readers. */

static bool
has_prefix(const struct vlpm *v, const uint64_t *key)
{
    for (uint32_t i = 0; i < v->n_words; i++) {
        uint64_t word;

        /* A key lies anywhere in a program's stack. */
        memcpy(&word, (const char *) key + v->words[i].index * sizeof word,
               sizeof word);
        if ((word & v->words[i].mask) != v->words[i].value) {
            return false;
        }
    }
    return true;
}

static void *
vlpm_vlookup(struct vm_map *map, const void *key, uint64_t version)
{
    const struct vlpm *v = vlpm_cast(map);

    if (has_prefix(v, key)) {
        const uint64_t *value = vm_fib4_find(v->fib, addr_of(v, key));

        if (value) {
            struct vm_ventry *e = get_entry(value);

            while (e && !vm_ventry_visible(e, version)) {
                e = atomic_load_explicit(&e->lower, memory_order_acquire);
            }
            return (e ? (void *) &e->value
                    : map->inner->ops->vlookup(map->inner, key, version));
        }
    }
    return vm_vtuples_lookup_all(map->inner, version);
}

/* In steps: the trie's line, then the entry.  Each finds its way anew, so the
 * cookie says nothing. */

static uint64_t
vlpm_vstart(struct vm_map *map, const void *key)
{
    const struct vlpm *v = vlpm_cast(map);

    vm_fib4_prefetch(v->fib, addr_of(v, key));
    return 0;
}

static uint64_t
vlpm_vnext(struct vm_map *map, const void *key, uint64_t cookie)
{
    const struct vlpm *v = vlpm_cast(map);
    const uint64_t *value = vm_fib4_find(v->fib, addr_of(v, key));

    if (value) {
        const struct vm_ventry *e = get_entry(value);

        __builtin_prefetch(&e->value);
        __builtin_prefetch(&e->key);
    }
    return cookie;
}

static void *
vlpm_vend(struct vm_map *map, const void *key, uint64_t version,
          uint64_t cookie)
{
    return vlpm_vlookup(map, key, version);
}

static size_t
vlpm_memory(const struct vm_map *map)
{
    return sizeof(struct vlpm) + vm_fib4_memory(vlpm_cast(map)->fib);
}

static size_t
vlpm_count(const struct vm_map *map)
{
    return vm_fib4_count(vlpm_cast(map)->fib);
}

const struct vm_map_ops vm_map_ops_vlpm = {
    .name = "vlpm",
    .number = VM_MAP_vlpm,
    .caps = VM_MAP_CAP_VLOOKUP | VM_MAP_CAP_VSTEPS,
    .create = vlpm_create,
    .destroy = vlpm_destroy,
    .vlookup = vlpm_vlookup,
    .n_vsteps = 1,
    .vstart = vlpm_vstart,
    .vnext = vlpm_vnext,
    .vend = vlpm_vend,
    .memory = vlpm_memory,
    .count = vlpm_count,
};
