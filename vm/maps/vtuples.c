/* SPDX-License-Identifier: Apache-2.0 */

/* Versioned masked tuples (vtuples) around the tables of vtable.c, and what
 * they have in common with vhash.c. */

#include "vm/maps/vtable-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The tuples in search order: what readers see.  Replaced as a whole when
 * the order changes. */
struct tuple_list {
    size_t n;
    uint16_t number;            /* Counts lists: cookies are of one list. */
    struct tuple {
        struct vm_vtab *tab;
        _Atomic int32_t max_priority;   /* Never below the true maximum. */
    } tuples[];                 /* Room for one at least. */
};

struct vtuples {
    struct vm_map map;
    struct tuple_list *_Atomic list;

    /* Writer's. */
    size_t n_entries;
    uint64_t seed;
    struct vm_vtab **index;     /* Tables by mask, chained. */
    size_t index_mask;
};

static struct vtuples *
vtuples_cast(const struct vm_map *map)
{
    return (struct vtuples *) map;
}

static struct tuple_list *
list_of(const struct vtuples *vt)
{
    return atomic_load_explicit(&vt->list, memory_order_relaxed);
}

/* vtuples: the writer's index of masks. */

static uint64_t
mask_hash(const struct vtuples *vt, const uint64_t *mask)
{
    return vm_hash_bytes(mask, vt->map.key_size, vt->seed);
}

static bool
mask_equal(const struct vtuples *vt, const struct vm_vtab *tab,
           const uint64_t *mask)
{
    size_t n = vt->map.key_size / 8;
    uint32_t w = 0;

    for (size_t i = 0; i < n; i++) {
        if (mask[i]) {
            if (w >= tab->n_words || tab->words[w].index != i
                || tab->words[w].mask != mask[i]) {
                return false;
            }
            w++;
        }
    }
    return w == tab->n_words;
}

static struct vm_vtab *
index_find(const struct vtuples *vt, const uint64_t *mask, uint64_t h)
{
    struct vm_vtab *tab = vt->index[h & vt->index_mask];

    while (tab && (tab->mask_hash != h || !mask_equal(vt, tab, mask))) {
        tab = tab->next;
    }
    return tab;
}

static void
index_grow(struct vtuples *vt)
{
    size_t mask = vt->index_mask * 2 + 1;
    struct vm_vtab **index = calloc(mask + 1, sizeof *index);

    if (!index) {
        return;                 /* Longer chains, nothing worse. */
    }
    for (size_t i = 0; i <= vt->index_mask; i++) {
        for (struct vm_vtab *tab = vt->index[i]; tab;) {
            struct vm_vtab *next = tab->next;

            tab->next = index[tab->mask_hash & mask];
            index[tab->mask_hash & mask] = tab;
            tab = next;
        }
    }
    free(vt->index);
    vt->index = index;
    vt->index_mask = mask;
}

static void
index_add(struct vtuples *vt, struct vm_vtab *tab)
{
    if (list_of(vt)->n > vt->index_mask) {
        index_grow(vt);
    }
    tab->next = vt->index[tab->mask_hash & vt->index_mask];
    vt->index[tab->mask_hash & vt->index_mask] = tab;
}

static void
index_remove(struct vtuples *vt, struct vm_vtab *tab)
{
    struct vm_vtab **p = &vt->index[tab->mask_hash & vt->index_mask];

    while (*p != tab) {
        p = &(*p)->next;
    }
    *p = tab->next;
}

/* vtuples: the search order. */

static struct tuple_list *
list_new(size_t n)
{
    struct tuple_list *list = calloc(1, sizeof *list
                                     + (n ? n : 1) * sizeof list->tuples[0]);

    if (list) {
        list->n = n;
        list->number = 0;
    }
    return list;
}

static int32_t
list_priority(const struct tuple_list *list, size_t i)
{
    return atomic_load_explicit(&list->tuples[i].max_priority,
                                memory_order_relaxed);
}

static void
list_set(struct tuple_list *list, size_t i, struct vm_vtab *tab,
         int32_t priority)
{
    list->tuples[i].tab = tab;
    atomic_init(&list->tuples[i].max_priority, priority);
}

static void
list_publish(struct vtuples *vt, struct tuple_list *new)
{
    struct tuple_list *old = list_of(vt);

    new->number = old->number + 1;
    atomic_store_explicit(&vt->list, new, memory_order_release);
    vm_defer(free, old);
}

/* Puts 'tab' where its new maximum 'priority' belongs, into 'new', which has
 * room for it, whether it is in the list already or not. */
static void
list_fill(struct tuple_list *new, const struct tuple_list *old,
          struct vm_vtab *tab, int32_t priority)
{
    size_t j = 0;
    bool placed = false;

    for (size_t i = 0; i < old->n; i++) {
        if (!placed && list_priority(old, i) < priority) {
            list_set(new, j++, tab, priority);
            placed = true;
        }
        if (old->tuples[i].tab != tab) {
            list_set(new, j++, old->tuples[i].tab, list_priority(old, i));
        }
    }
    if (!placed) {
        list_set(new, j++, tab, priority);
    }
}

/* Makes 'priority' the maximum of 'tab', a tuple already in the list. */
static int
list_raise(struct vtuples *vt, struct vm_vtab *tab, int32_t priority)
{
    struct tuple_list *list = list_of(vt);
    size_t i = 0;

    while (list->tuples[i].tab != tab) {
        i++;
    }
    if (!i || list_priority(list, i - 1) >= priority) {
        atomic_store_explicit(&list->tuples[i].max_priority, priority,
                              memory_order_release);
        return 0;
    }

    struct tuple_list *new = list_new(list->n);
    if (!new) {
        return -ENOMEM;
    }
    list_fill(new, list, tab, priority);
    list_publish(vt, new);
    return 0;
}

static int
list_add(struct vtuples *vt, struct vm_vtab *tab, int32_t priority)
{
    struct tuple_list *list = list_of(vt);
    struct tuple_list *new = list_new(list->n + 1);

    if (!new) {
        return -ENOMEM;
    }
    list_fill(new, list, tab, priority);
    list_publish(vt, new);
    return 0;
}

/* Takes 'tab' out; false without memory. */
static bool
list_remove(struct vtuples *vt, const struct vm_vtab *tab)
{
    struct tuple_list *list = list_of(vt);
    struct tuple_list *new = list_new(list->n - 1);
    size_t j = 0;

    if (!new) {
        return false;
    }
    for (size_t i = 0; i < list->n; i++) {
        if (list->tuples[i].tab != tab) {
            list_set(new, j++, list->tuples[i].tab, list_priority(list, i));
        }
    }
    list_publish(vt, new);
    return true;
}

/* vtuples: the map. */

static int
vtuples_create(const struct vm_map_attr *attr, struct vm_map **mapp,
               struct vm_err *err)
{
    int error = vm_vmap_check_attr(attr, err);
    struct vtuples *vt;

    if (error) {
        return error;
    }
    vt = calloc(1, sizeof *vt);
    if (vt) {
        vt->index = calloc(8, sizeof *vt->index);
        atomic_init(&vt->list, list_new(0));
    }
    if (!vt || !vt->index || !list_of(vt)) {
        if (vt) {
            free(list_of(vt));
            free(vt->index);
        }
        free(vt);
        return vm_err(err, -ENOMEM, "no memory for a versioned map");
    }
    vt->index_mask = 7;
    vt->seed = vm_hash_seed();
    *mapp = &vt->map;
    return 0;
}

static void
vtuples_destroy(struct vm_map *map)
{
    struct vtuples *vt = vtuples_cast(map);
    struct tuple_list *list = list_of(vt);

    for (size_t i = 0; i < list->n; i++) {
        vm_vtab_free(list->tuples[i].tab);
    }
    free(list);
    free(vt->index);
    free(vt);
}

/* A new tuple for 'mask' with its first entry. */
static int
insert_new_tuple(struct vtuples *vt, const uint64_t *mask,
                 const uint64_t *key, const struct vm_vnew *new,
                 struct vm_ventry **entryp)
{
    struct vm_vtab *tab = vm_vtab_new(mask, vt->map.key_size / 8);

    if (!tab) {
        return -ENOMEM;
    }
    tab->mask_hash = mask_hash(vt, mask);
    tab->max_priority = new->priority;
    if (vm_vtab_insert(tab, key, new, entryp)
        || list_add(vt, tab, new->priority)) {
        vm_vtab_free(tab);
        return -ENOMEM;
    }
    index_add(vt, tab);
    return 0;
}

int
vm_vtuples_insert(struct vm_map *map, const uint64_t *mask,
                  const uint64_t *key, int32_t priority,
                  uint64_t add_version, uint64_t value,
                  struct vm_ventry **entryp)
{
    struct vtuples *vt = vtuples_cast(map);
    struct vm_vtab *tab = index_find(vt, mask, mask_hash(vt, mask));
    const struct vm_vnew new = {
        .add_version = add_version,
        .value = value,
        .priority = priority,
    };
    struct vm_ventry *e;
    int error;

    if (vm_vmap_is_full(map, vt->n_entries)) {
        return -E2BIG;
    }
    if (!tab) {
        error = insert_new_tuple(vt, mask, key, &new, &e);
    } else {
        error = vm_vtab_insert(tab, key, &new, &e);
        if (!error && priority > tab->max_priority) {
            error = list_raise(vt, tab, priority);
            if (error) {
                vm_vtab_delete(tab, e);
            } else {
                tab->max_priority = priority;
            }
        }
    }
    if (!error) {
        vt->n_entries++;
        if (entryp) {
            *entryp = e;
        }
    }
    return error;
}

void
vm_vtuples_delete(struct vm_map *map, struct vm_ventry *e)
{
    struct vtuples *vt = vtuples_cast(map);
    struct vm_vtab *tab = e->tab;

    vm_vtab_delete(tab, e);
    vt->n_entries--;
    if (!tab->n_entries && list_remove(vt, tab)) {
        index_remove(vt, tab);
        vm_vtab_defer_free(tab);
    }
}

static const struct tuple_list *
read_list(const struct vm_map *map)
{
    return atomic_load_explicit(&vtuples_cast(map)->list,
                                memory_order_acquire);
}

/* The best of 'best', which is from a tuple before 'i', and what tuples from
 * 'i' on have. */
static inline struct vm_ventry *
search_from(const struct tuple_list *list, size_t i, struct vm_ventry *best,
            const uint64_t *key, uint64_t version)
{
    for (; i < list->n; i++) {
        const struct tuple *t = &list->tuples[i];

        if (best && best->priority
            >= atomic_load_explicit(&t->max_priority,
                                    memory_order_acquire)) {
            break;
        }

        struct vm_ventry *e = vm_vtab_lookup(t->tab, key, version);
        if (e && (!best || e->priority > best->priority)) {
            best = e;
        }
    }
    return best;
}

static void *
value_of(struct vm_ventry *e)
{
    return e ? &e->value : NULL;
}

static __attribute__((noinline)) void *
search_all(const struct tuple_list *list, const uint64_t *key,
           uint64_t version)
{
    return value_of(search_from(list, 0, NULL, key, version));
}

/* A table with one mask is a hash, and should cost what a hash costs. */
static void *
vtuples_vlookup(struct vm_map *map, const void *key, uint64_t version)
{
    const struct tuple_list *list = read_list(map);
    const struct vm_vtab *tab = list->tuples[0].tab;

    if (list->n == 1) {
        if (tab->n_words == 1) {
            return value_of(vm_vtab_lookup_n(tab, 1, key, version));
        } else if (tab->n_words == 2) {
            return value_of(vm_vtab_lookup_n(tab, 2, key, version));
        }
    }
    return search_all(list, key, version);
}

/* That tuple is the last one, or at least its mask is without words. */
uint64_t *
vm_vtuples_lookup_all(const struct vm_map *map, uint64_t version)
{
    static const uint64_t key[1];
    const struct tuple_list *list = read_list(map);

    for (size_t i = list->n; i > 0; i--) {
        const struct vm_vtab *tab = list->tuples[i - 1].tab;

        if (!tab->n_words) {
            struct vm_ventry *e = vm_vtab_lookup(tab, key, version);

            return e ? &e->value : NULL;
        }
    }
    return NULL;
}

/* In steps.  The cookie is the hash for the first tuple, with the number of
 * the list in bits that the table does not use (struct vm_ventry).  Programs
 * hold it and may give back anything: it leads nowhere but into the table. */

#define COOKIE_LIST_SHIFT 32
#define COOKIE_LIST_BITS (UINT64_C(0xffff) << COOKIE_LIST_SHIFT)

static bool
is_cookie_of(const struct tuple_list *list, uint64_t cookie)
{
    return (uint16_t) (cookie >> COOKIE_LIST_SHIFT) == list->number;
}

static uint64_t
vtuples_vstart(struct vm_map *map, const void *key)
{
    const struct tuple_list *list = read_list(map);
    uint64_t h;

    if (!list->n) {
        return 0;
    }
    h = vm_vtab_hash(list->tuples[0].tab, key);
    vm_vtab_prefetch(list->tuples[0].tab, h);
    return ((h & ~COOKIE_LIST_BITS)
            | (uint64_t) list->number << COOKIE_LIST_SHIFT);
}

static uint64_t
vtuples_vnext(struct vm_map *map, const void *key, uint64_t cookie)
{
    const struct tuple_list *list = read_list(map);

    if (list->n && is_cookie_of(list, cookie)) {
        vm_vtab_prefetch_entry(list->tuples[0].tab,
                               cookie | VM_VHASH_ALWAYS);
    }
    return cookie;
}

/* Of a table with several tuples, or of many words. */
static __attribute__((noinline)) void *
end_search(const struct tuple_list *list, const uint64_t *key,
           uint64_t version, uint64_t h)
{
    return value_of(search_from(list, 1,
                                vm_vtab_lookup_hash(list->tuples[0].tab, key,
                                                    h, version),
                                key, version));
}

static void *
vtuples_vend(struct vm_map *map, const void *key, uint64_t version,
             uint64_t cookie)
{
    const struct tuple_list *list = read_list(map);
    const struct vm_vtab *tab = list->tuples[0].tab;
    uint64_t h = cookie | VM_VHASH_ALWAYS;

    if (!is_cookie_of(list, cookie) || !list->n) {
        return vtuples_vlookup(map, key, version);
    }
    if (list->n == 1) {
        if (tab->n_words == 1) {
            return value_of(vm_ventry_best(vm_vtab_find_n(tab, 1, key, h),
                                           version));
        } else if (tab->n_words == 2) {
            return value_of(vm_ventry_best(vm_vtab_find_n(tab, 2, key, h),
                                           version));
        }
    }
    return end_search(list, key, version, h);
}

static size_t
vtuples_memory(const struct vm_map *map)
{
    const struct vtuples *vt = vtuples_cast(map);
    const struct tuple_list *list = list_of(vt);
    size_t n = (sizeof *vt + sizeof *list
                + list->n * sizeof list->tuples[0]
                + (vt->index_mask + 1) * sizeof *vt->index);

    for (size_t i = 0; i < list->n; i++) {
        n += vm_vtab_memory(list->tuples[i].tab);
    }
    return n;
}

static size_t
vtuples_count(const struct vm_map *map)
{
    return vtuples_cast(map)->n_entries;
}

size_t
vm_vtuples_n_tuples(const struct vm_map *map)
{
    return list_of(vtuples_cast(map))->n;
}

size_t
vm_vtuples_tuple_of(const struct vm_map *map, const struct vm_ventry *e)
{
    const struct tuple_list *list = list_of(vtuples_cast(map));
    size_t i = 0;

    while (list->tuples[i].tab != e->tab) {
        i++;
    }
    return i;
}

void
vm_vtuples_tuple(const struct vm_map *map, size_t i, uint64_t *mask,
                 struct vm_vtuple_info *info)
{
    const struct tuple_list *list = list_of(vtuples_cast(map));
    const struct vm_vtab *tab = list->tuples[i].tab;

    if (mask) {
        memset(mask, 0, map->key_size);
        for (uint32_t w = 0; w < tab->n_words; w++) {
            mask[tab->words[w].index] = tab->words[w].mask;
        }
    }
    if (info) {
        *info = (struct vm_vtuple_info) {
            .n_entries = tab->n_entries,
            .max_priority = list_priority(list, i),
            .n_words = tab->n_words,
            .memory = vm_vtab_memory(tab),
        };
    }
}

/* Both. */

int
vm_vmap_check_attr(const struct vm_map_attr *attr, struct vm_err *err)
{
    if (!attr->key_size || attr->key_size % 8
        || attr->key_size > 8 * VM_VKEY_MAX_WORDS || attr->value_size != 8
        || attr->flags) {
        return vm_err(err, -EINVAL, "versioned map %s: keys have 8 to 512 "
                      "bytes in steps of 8, values 8 bytes, and there are no "
                      "flags", attr->name ? attr->name : "");
    }
    return 0;
}

bool
vm_vmap_is_full(const struct vm_map *map, size_t n)
{
    return map->max_entries && n >= map->max_entries;
}

uint64_t *
vm_vmap_lookup(struct vm_map *map, const uint64_t *key, uint64_t version)
{
    return map->ops->vlookup(map, key, version);
}

struct vm_ventry *
vm_vmap_lookup_entry(struct vm_map *map, const uint64_t *key,
                     uint64_t version)
{
    uint64_t *value = vm_vmap_lookup(map, key, version);

    return value ? vm_ventry_from_value(value) : NULL;
}

void
vm_vmap_for_each(struct vm_map *map,
                 bool (*cb)(struct vm_ventry *, void *aux), void *aux)
{
    if (map->ops == &vm_map_ops_vhash) {
        vm_vtab_for_each(vm_vhash_tab(map), cb, aux);
        return;
    }

    const struct tuple_list *list = list_of(vtuples_cast(map));
    for (size_t i = 0; i < list->n; i++) {
        if (!vm_vtab_for_each(list->tuples[i].tab, cb, aux)) {
            return;
        }
    }
}

const struct vm_map_ops vm_map_ops_vtuples = {
    .name = "vtuples",
    .number = VM_MAP_vtuples,
    .caps = VM_MAP_CAP_VLOOKUP | VM_MAP_CAP_VSTEPS,
    .create = vtuples_create,
    .destroy = vtuples_destroy,
    .vlookup = vtuples_vlookup,
    .n_vsteps = 1,
    .vstart = vtuples_vstart,
    .vnext = vtuples_vnext,
    .vend = vtuples_vend,
    .memory = vtuples_memory,
    .count = vtuples_count,
};
