/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_VTABLE_INTERNAL_H
#define VM_MAPS_VTABLE_INTERNAL_H 1

/* One masked table of versioned entries: what vhash has one of and vtuples
 * one for each mask.
 *
 * An open-addressed array of tagged pointers: 16 bits of the hash above a
 * 48-bit pointer, so that an entry is looked at only when it very probably is
 * the one.  A slot holds the head of a chain of entries with the same masked
 * key, by descending priority.
 *
 * Why readers never miss an entry: entries do not move.  A reader works on
 * one array, which is a complete copy of all heads at the time it was
 * published; a growing table publishes a new array and leaves the old one
 * and all entries alone until readers are quiescent.  Deleting stores one
 * word (a tombstone, or the next entry of the chain). */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vm/maps/vtable.h"

struct vm_ventry {
    /* Rarely read. */
    struct vm_ventry *_Atomic lower;    /* Same key, next in priority. */
    void *aux;
    struct vm_vtab *tab;

    /* Read by a lookup. */
    uint64_t value;                     /* Atomic builtins: programs hold its
                                         * address. */
    _Atomic uint64_t remove_version;
    uint64_t add_version;
    int32_t priority;
    uint32_t hash;                      /* Low half: where it belongs.  Of
                                         * the other half only the upper 16
                                         * bits, the tag, are ever used. */
    uint64_t key[];                     /* The mask's words, masked. */
};

struct vm_varray {
    size_t mask;                        /* Number of slots minus 1. */
    uint64_t pad[7];
    _Atomic uint64_t slots[];
};

struct vm_vtab {
    struct vm_varray *_Atomic array;
    uint64_t seed[2];
    uint32_t n_words;
    int32_t max_priority;               /* Writer's; upper bound. */

    /* Writer's. */
    size_t n_entries;
    size_t n_heads;                     /* Slots with an entry ... */
    size_t n_tombs;                     /* ... and deleted ones. */
    uint64_t mask_hash;
    struct vm_vtab *next;               /* In vtuples's index of masks. */

    struct vm_vword {
        uint64_t mask;
        uint32_t index;                 /* Of the word in the key. */
    } words[];
};

/* A table for 'mask' (of 'n' words; NULL: exact).  NULL without memory. */
struct vm_vtab *vm_vtab_new(const uint64_t *mask, size_t n);
/* Frees it and its entries at once. */
void vm_vtab_free(struct vm_vtab *);
/* Frees an empty table after quiescence. */
void vm_vtab_defer_free(struct vm_vtab *);

/* What a new entry is, but for its key. */
struct vm_vnew {
    uint64_t add_version;
    uint64_t value;
    int32_t priority;
};
int vm_vtab_insert(struct vm_vtab *, const uint64_t *key,
                   const struct vm_vnew *, struct vm_ventry **);
void vm_vtab_delete(struct vm_vtab *, struct vm_ventry *);
size_t vm_vtab_memory(const struct vm_vtab *);
bool vm_vtab_for_each(struct vm_vtab *,
                      bool (*cb)(struct vm_ventry *, void *aux), void *aux);

/* ## The maps. */

int vm_vmap_check_attr(const struct vm_map_attr *, struct vm_err *);
bool vm_vmap_is_full(const struct vm_map *, size_t n_entries);
struct vm_vtab *vm_vhash_tab(const struct vm_map *);    /* A vhash's. */

/* ## Readers. */

/* What a mask keeps of a key, which may lie anywhere in a program's stack. */
static inline uint64_t
vm_vkey_masked(const uint64_t *key, const struct vm_vword *w)
{
    uint64_t word;

    memcpy(&word, (const char *) key + w->index * sizeof word, sizeof word);
    return word & w->mask;
}

/* Set in each hash: so the tag of an entry's slot differs from that of a slot
 * without one. */
#define VM_VHASH_ALWAYS (UINT64_C(1) << 63)

/* Most tables have one or two words: functions with '_n' are inlined for
 * those, too. */
#define VM_VTAB_UNROLLED(TAB, FUNCTION, ...)                            \
    ((TAB)->n_words == 1 ? FUNCTION(TAB, 1, __VA_ARGS__)                \
     : (TAB)->n_words == 2 ? FUNCTION(TAB, 2, __VA_ARGS__)              \
     : FUNCTION(TAB, (TAB)->n_words, __VA_ARGS__))

static inline __attribute__((always_inline)) uint64_t
vm_vtab_hash_n(const struct vm_vtab *tab, uint32_t n, const uint64_t *key)
{
    const struct vm_vword *w = tab->words;
    uint64_t h = tab->seed[0];

    /* Both factors depend on a seed: see vm_hash_bytes(). */
    for (; n >= 2; n -= 2, w += 2) {
        h = vm_hash_mix(vm_vkey_masked(key, &w[0]) ^ tab->seed[1],
                        vm_vkey_masked(key, &w[1]) ^ h);
    }
    if (n) {
        h = vm_hash_mix(vm_vkey_masked(key, w) ^ tab->seed[1], h);
    }
    return h | VM_VHASH_ALWAYS;
}

static inline uint64_t
vm_vtab_hash(const struct vm_vtab *tab, const uint64_t *key)
{
    return VM_VTAB_UNROLLED(tab, vm_vtab_hash_n, key);
}

/* The best entry of a vtuples map that matches everything and that 'version'
 * sees, if no other entry would be better: its value, or NULL. */
uint64_t *vm_vtuples_lookup_all(const struct vm_map *, uint64_t version);

#define VM_VSLOT_EMPTY 0
#define VM_VSLOT_TOMB 1
#define VM_VSLOT_PTR ((UINT64_C(1) << 48) - 1)

static inline __attribute__((always_inline)) bool
vm_vtab_match_n(const struct vm_vtab *tab, uint32_t n,
                const struct vm_ventry *e, const uint64_t *key)
{
    for (uint32_t i = 0; i < n; i++) {
        if (vm_vkey_masked(key, &tab->words[i]) != e->key[i]) {
            return false;
        }
    }
    return true;
}

static inline bool
vm_vtab_match(const struct vm_vtab *tab, const struct vm_ventry *e,
              const uint64_t *key)
{
    return VM_VTAB_UNROLLED(tab, vm_vtab_match_n, e, key);
}

static inline bool
vm_vslot_has_tag(uint64_t slot, uint64_t h)
{
    return !((slot ^ h) >> 48);
}

static inline struct vm_ventry *
vm_vslot_entry(uint64_t slot)
{
    return (void *) (uintptr_t) (slot & VM_VSLOT_PTR);
}

/* Head of the chain of 'key', whose hash is 'h', or NULL.  'n': how many words
 * are compared; after none, it is the first that has the hash's tag, and so
 * very probably is the one. */
static inline __attribute__((always_inline)) struct vm_ventry *
vm_vtab_find_n(const struct vm_vtab *tab, uint32_t n, const uint64_t *key,
               uint64_t h)
{
    const struct vm_varray *array
        = atomic_load_explicit(&tab->array, memory_order_acquire);

    for (size_t i = h & array->mask;; i = (i + 1) & array->mask) {
        uint64_t slot = atomic_load_explicit(&array->slots[i],
                                             memory_order_acquire);

        if (vm_vslot_has_tag(slot, h)) {
            struct vm_ventry *e = vm_vslot_entry(slot);

            if (vm_vtab_match_n(tab, n, e, key)) {
                return e;
            }
        } else if (slot == VM_VSLOT_EMPTY) {
            return NULL;
        }
    }
}

static inline bool
vm_ventry_visible(const struct vm_ventry *e, uint64_t version)
{
    return (e->add_version <= version
            && version < atomic_load_explicit(&e->remove_version,
                                              memory_order_relaxed));
}

/* The best entry of the chain 'e' that 'version' sees, or NULL. */
static inline struct vm_ventry *
vm_ventry_best(struct vm_ventry *e, uint64_t version)
{
    while (e && !vm_ventry_visible(e, version)) {
        e = atomic_load_explicit(&e->lower, memory_order_acquire);
    }
    return e;
}

/* The best entry of the chain of 'key', whose hash is 'h', that 'version'
 * sees. */
static inline struct vm_ventry *
vm_vtab_lookup_hash(const struct vm_vtab *tab, const uint64_t *key,
                    uint64_t h, uint64_t version)
{
    return vm_ventry_best(vm_vtab_find_n(tab, tab->n_words, key, h), version);
}

static inline __attribute__((always_inline)) struct vm_ventry *
vm_vtab_lookup_n(const struct vm_vtab *tab, uint32_t n, const uint64_t *key,
                 uint64_t version)
{
    uint64_t h = vm_vtab_hash_n(tab, n, key);

    return vm_ventry_best(vm_vtab_find_n(tab, n, key, h), version);
}

static inline struct vm_ventry *
vm_vtab_lookup(const struct vm_vtab *tab, const uint64_t *key,
               uint64_t version)
{
    return VM_VTAB_UNROLLED(tab, vm_vtab_lookup_n, key, version);
}

/* For a lookup in steps: where the chain's slot is, and then what the first
 * slot that may be it points to. */
static inline void
vm_vtab_prefetch(const struct vm_vtab *tab, uint64_t h)
{
    const struct vm_varray *array
        = atomic_load_explicit(&tab->array, memory_order_acquire);

    __builtin_prefetch((const void *) &array->slots[h & array->mask]);
}

static inline void
vm_vtab_prefetch_entry(const struct vm_vtab *tab, uint64_t h)
{
    const struct vm_ventry *e = vm_vtab_find_n(tab, 0, NULL, h);

    if (e) {
        __builtin_prefetch(&e->value);
        __builtin_prefetch((const uint8_t *) &e->value + 47);
    }
}

#endif /* vm/maps/vtable-internal.h */
