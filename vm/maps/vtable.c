/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/maps/vtable-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SLOTS 8

static size_t
array_bytes(size_t n_slots)
{
    return sizeof(struct vm_varray) + n_slots * sizeof(uint64_t);
}

static struct vm_varray *
array_new(size_t n_slots)
{
    struct vm_varray *array = vm_big_alloc(array_bytes(n_slots));

    if (array) {
        array->mask = n_slots - 1;
    }
    return array;
}

static void
array_free(void *array_)
{
    struct vm_varray *array = array_;

    vm_big_free(array, array_bytes(array->mask + 1));
}

static struct vm_varray *
array_of(const struct vm_vtab *tab)
{
    /* The writer's view: it stored the pointer itself. */
    return atomic_load_explicit(&tab->array, memory_order_relaxed);
}

static uint64_t
slot_get(const struct vm_varray *array, size_t i)
{
    return atomic_load_explicit(&array->slots[i], memory_order_relaxed);
}

static void
slot_set(struct vm_varray *array, size_t i, uint64_t slot)
{
    atomic_store_explicit(&array->slots[i], slot, memory_order_release);
}

static bool
slot_is_entry(uint64_t slot)
{
    return (slot & VM_VSLOT_PTR) > VM_VSLOT_TOMB;
}

static struct vm_ventry *
lower(const struct vm_ventry *e)
{
    return atomic_load_explicit(&e->lower, memory_order_relaxed);
}

static void
set_lower(struct vm_ventry *e, struct vm_ventry *to)
{
    atomic_store_explicit(&e->lower, to, memory_order_release);
}

struct vm_vtab *
vm_vtab_new(const uint64_t *mask, size_t n)
{
    uint32_t n_words = 0;

    for (size_t i = 0; i < n; i++) {
        n_words += !mask || mask[i];
    }

    struct vm_vtab *tab = calloc(1, sizeof *tab
                                 + n_words * sizeof tab->words[0]);
    if (!tab) {
        return NULL;
    }
    tab->n_words = n_words;
    tab->seed[0] = vm_hash_mix(vm_hash_seed() ^ n_words,
                               UINT64_C(0x9e3779b97f4a7c15));
    tab->seed[1] = vm_hash_mix(vm_hash_seed(),
                               UINT64_C(0xe7037ed1a0b428db));
    tab->max_priority = INT32_MIN;
    for (size_t i = 0, w = 0; i < n; i++) {
        if (!mask || mask[i]) {
            tab->words[w].mask = mask ? mask[i] : UINT64_MAX;
            tab->words[w++].index = i;
        }
    }

    struct vm_varray *array = array_new(MIN_SLOTS);
    if (!array) {
        free(tab);
        return NULL;
    }
    atomic_init(&tab->array, array);
    return tab;
}

static void
tab_free_storage(void *tab_)
{
    struct vm_vtab *tab = tab_;

    array_free(array_of(tab));
    free(tab);
}

void
vm_vtab_defer_free(struct vm_vtab *tab)
{
    vm_defer(tab_free_storage, tab);
}

void
vm_vtab_free(struct vm_vtab *tab)
{
    struct vm_varray *array = array_of(tab);

    for (size_t i = 0; i <= array->mask; i++) {
        uint64_t slot = slot_get(array, i);

        for (struct vm_ventry *e = slot_is_entry(slot) ? vm_vslot_entry(slot)
                                                       : NULL; e;) {
            struct vm_ventry *next = lower(e);

            free(e);
            e = next;
        }
    }
    tab_free_storage(tab);
}

/* Publishes an array for at least 'n_heads' heads, without tombstones. */
static int
rebuild(struct vm_vtab *tab, size_t n_heads)
{
    struct vm_varray *old = array_of(tab);
    size_t n_slots = MIN_SLOTS;

    while (n_heads * 5 > n_slots * 2) {
        n_slots *= 2;
    }

    struct vm_varray *new = array_new(n_slots);
    if (!new) {
        return -ENOMEM;
    }
    for (size_t i = 0; i <= old->mask; i++) {
        uint64_t slot = slot_get(old, i);

        if (slot_is_entry(slot)) {
            size_t j = vm_vslot_entry(slot)->hash & new->mask;

            while (slot_get(new, j)) {
                j = (j + 1) & new->mask;
            }
            atomic_store_explicit(&new->slots[j], slot,
                                  memory_order_relaxed);
        }
    }
    atomic_store_explicit(&tab->array, new, memory_order_release);
    tab->n_tombs = 0;
    vm_defer(array_free, old);
    return 0;
}

/* The slot of the chain of 'key', or the one where it would go: then
 * '*found' is false. */
static size_t
find_slot(const struct vm_vtab *tab, const uint64_t *key, uint64_t h,
          bool *found)
{
    const struct vm_varray *array = array_of(tab);
    size_t free_slot = SIZE_MAX;

    for (size_t i = h & array->mask;; i = (i + 1) & array->mask) {
        uint64_t slot = slot_get(array, i);

        if (slot == VM_VSLOT_EMPTY) {
            *found = false;
            return free_slot != SIZE_MAX ? free_slot : i;
        } else if (slot == VM_VSLOT_TOMB) {
            free_slot = free_slot != SIZE_MAX ? free_slot : i;
        } else if (vm_vslot_has_tag(slot, h)
                   && vm_vtab_match(tab, vm_vslot_entry(slot), key)) {
            *found = true;
            return i;
        }
    }
}

static struct vm_ventry *
entry_new(struct vm_vtab *tab, const uint64_t *key, uint64_t h)
{
    struct vm_ventry *e = malloc(sizeof *e
                                 + tab->n_words * sizeof e->key[0]);

    if (!e || (uintptr_t) e >> 48) {
        free(e);
        return NULL;
    }
    atomic_init(&e->lower, NULL);
    e->aux = NULL;
    e->tab = tab;
    atomic_init(&e->remove_version, VM_VERSION_NOT_REMOVED);
    e->hash = h;
    for (uint32_t i = 0; i < tab->n_words; i++) {
        e->key[i] = key[tab->words[i].index] & tab->words[i].mask;
    }
    return e;
}

int
vm_vtab_insert(struct vm_vtab *tab, const uint64_t *key,
               const struct vm_vnew *new, struct vm_ventry **entryp)
{
    int32_t priority = new->priority;
    size_t n_slots = array_of(tab)->mask + 1;

    if ((tab->n_heads + tab->n_tombs + 1) * 8 > n_slots * 5
        && rebuild(tab, tab->n_heads + 1)) {
        return -ENOMEM;
    }

    uint64_t h = vm_vtab_hash(tab, key);
    struct vm_ventry *e = entry_new(tab, key, h);
    if (!e) {
        return -ENOMEM;
    }
    e->priority = priority;
    e->add_version = new->add_version;
    e->value = new->value;

    struct vm_varray *array = array_of(tab);
    bool found;
    size_t i = find_slot(tab, key, h, &found);
    uint64_t tagged = (uintptr_t) e | (h & ~VM_VSLOT_PTR);

    if (!found) {
        tab->n_tombs -= slot_get(array, i) == VM_VSLOT_TOMB;
        tab->n_heads++;
        slot_set(array, i, tagged);
    } else {
        struct vm_ventry *prev = vm_vslot_entry(slot_get(array, i));

        if (priority >= prev->priority) {
            set_lower(e, prev);
            slot_set(array, i, tagged);
        } else {
            struct vm_ventry *next;

            while ((next = lower(prev)) && next->priority > priority) {
                prev = next;
            }
            set_lower(e, next);
            set_lower(prev, e);
        }
    }
    tab->n_entries++;
    if (entryp) {
        *entryp = e;
    }
    return 0;
}

/* Empties slot 'i'.  A slot before an empty one can be empty too: no reader
 * looks for anything beyond it. */
static void
clear_slot(struct vm_vtab *tab, struct vm_varray *array, size_t i)
{
    tab->n_heads--;
    if (slot_get(array, (i + 1) & array->mask) != VM_VSLOT_EMPTY) {
        slot_set(array, i, VM_VSLOT_TOMB);
        tab->n_tombs++;
        return;
    }
    slot_set(array, i, VM_VSLOT_EMPTY);
    while (slot_get(array, (i = (i - 1) & array->mask)) == VM_VSLOT_TOMB) {
        slot_set(array, i, VM_VSLOT_EMPTY);
        tab->n_tombs--;
    }
}

/* The slot whose chain 'e' is in. */
static size_t
slot_of_chain(const struct vm_varray *array, const struct vm_ventry *e,
              const struct vm_vtab *tab)
{
    for (size_t i = e->hash & array->mask;; i = (i + 1) & array->mask) {
        uint64_t slot = slot_get(array, i);

        if (slot_is_entry(slot)) {
            const struct vm_ventry *head = vm_vslot_entry(slot);

            if (head == e || (head->hash == e->hash
                              && !memcmp(head->key, e->key, tab->n_words
                                         * sizeof e->key[0]))) {
                return i;
            }
        }
    }
}

void
vm_vtab_delete(struct vm_vtab *tab, struct vm_ventry *e)
{
    struct vm_varray *array = array_of(tab);
    size_t i = slot_of_chain(array, e, tab);
    uint64_t slot = slot_get(array, i);
    struct vm_ventry *prev = vm_vslot_entry(slot);

    if (prev != e) {
        while (lower(prev) != e) {
            prev = lower(prev);
        }
        set_lower(prev, lower(e));
    } else if (lower(e)) {
        slot_set(array, i, (uintptr_t) lower(e) | (slot & ~VM_VSLOT_PTR));
    } else {
        clear_slot(tab, array, i);
    }
    tab->n_entries--;
    vm_defer(free, e);

    /* Give memory back; failing to is harmless. */
    if (array->mask >= 64 && tab->n_heads * 16 < array->mask) {
        rebuild(tab, tab->n_heads);
    }
}

size_t
vm_vtab_memory(const struct vm_vtab *tab)
{
    return (sizeof *tab + tab->n_words * sizeof tab->words[0]
            + array_bytes(array_of(tab)->mask + 1)
            + tab->n_entries * (sizeof(struct vm_ventry)
                                + tab->n_words * sizeof(uint64_t)));
}

bool
vm_vtab_for_each(struct vm_vtab *tab,
                 bool (*cb)(struct vm_ventry *, void *aux), void *aux)
{
    struct vm_varray *array = array_of(tab);

    for (size_t i = 0; i <= array->mask; i++) {
        uint64_t slot = slot_get(array, i);

        for (struct vm_ventry *e = slot_is_entry(slot) ? vm_vslot_entry(slot)
                                                       : NULL; e;) {
            struct vm_ventry *next = lower(e);

            if (!cb(e, aux)) {
                return false;
            }
            e = next;
        }
    }
    return true;
}

/* Entries. */

void
vm_ventry_remove_at(struct vm_ventry *e, uint64_t version)
{
    atomic_store_explicit(&e->remove_version, version, memory_order_release);
}

void
vm_ventry_restore(struct vm_ventry *e)
{
    vm_ventry_remove_at(e, VM_VERSION_NOT_REMOVED);
}

int32_t
vm_ventry_priority(const struct vm_ventry *e)
{
    return e->priority;
}

uint64_t
vm_ventry_add_version(const struct vm_ventry *e)
{
    return e->add_version;
}

uint64_t
vm_ventry_remove_version(const struct vm_ventry *e)
{
    return atomic_load_explicit(&e->remove_version, memory_order_relaxed);
}

uint64_t
vm_ventry_value(const struct vm_ventry *e)
{
    return __atomic_load_n(&e->value, __ATOMIC_ACQUIRE);
}

void
vm_ventry_set_value(struct vm_ventry *e, uint64_t value)
{
    __atomic_store_n(&e->value, value, __ATOMIC_RELEASE);
}

void *
vm_ventry_aux(const struct vm_ventry *e)
{
    return e->aux;
}

void
vm_ventry_set_aux(struct vm_ventry *e, void *aux)
{
    e->aux = aux;
}

void
vm_ventry_key(const struct vm_map *map, const struct vm_ventry *e,
              uint64_t *key, uint64_t *mask)
{
    memset(key, 0, map->key_size);
    memset(mask, 0, map->key_size);
    for (uint32_t i = 0; i < e->tab->n_words; i++) {
        key[e->tab->words[i].index] = e->key[i];
        mask[e->tab->words[i].index] = e->tab->words[i].mask;
    }
}

struct vm_ventry *
vm_ventry_from_value(uint64_t *value)
{
    return (struct vm_ventry *) ((uint8_t *) value
                                 - offsetof(struct vm_ventry, value));
}
