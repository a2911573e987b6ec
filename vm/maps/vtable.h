/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_VTABLE_H
#define VM_MAPS_VTABLE_H 1

/* Versioned maps: what OpenFlow publishes, packets meet (design.md, D2).
 *
 * What: every entry carries the version that adds it and the version that
 * removes it; a lookup names the version it wants to see and finds an entry
 * only if add <= version < remove.  So any number of changes in any number
 * of maps become visible at once, when the reader's version moves on.
 *
 * Two kinds of map (vm/map.h, kinds VM_MAP_vhash and VM_MAP_vtuples):
 *
 *   vhash    one table, exact keys.
 *   vtuples  one table for each distinct mask over the key words ("tuple
 *            space search").  Tuples are searched by descending maximum
 *            priority; the search ends when no remaining tuple can hold a
 *            better entry.  Entries whose masked key is the same are chained
 *            by descending priority, the newest first among equals.
 *
 * In both, key_size is a multiple of 8, up to 512: an array of 64-bit words.
 * value_size is 8; the value is one word that is replaced by one store.
 * max_entries may be 0 (no limit).
 *
 * Usage (vm_map_create() with .key_size = 8 * n_words, .value_size = 8):
 *
 *     vm_vtuples_insert(map, mask, key, priority, version + 1, value, &e);
 *     publish version + 1
 *     ...
 *     vm_ventry_remove_at(e, version + 1);
 *     publish version + 1; wait until no reader uses an older one
 *     vm_vtuples_delete(map, e);
 *
 * Ownership: the map owns its entries; 'e' stays valid until
 * vm_vtuples_delete() and then, for readers, until they are quiescent.
 * Destroying the map frees them all.
 *
 * Threads: a single writer calls everything that changes the map.  Readers
 * are lock-free, on any thread, during any change: an entry is never missed
 * by a reader whose version sees it and whose lookup began after the insert
 * returned. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/map.h"

#define VM_VERSION_NOT_REMOVED UINT64_MAX
#define VM_VKEY_MAX_WORDS 64

struct vm_ventry;

/* ## Writer. */

/* Adds an entry and stores it in '*entryp' (which may be NULL).  Only the
 * bits of 'key' under 'mask' count.  There may be other entries of the same
 * masked key, with the same priority too: a modification is an insert and a
 * remove in one version.  -ENOMEM or -E2BIG: nothing changed. */
int vm_vtuples_insert(struct vm_map *, const uint64_t *mask,
                      const uint64_t *key, int32_t priority,
                      uint64_t add_version, uint64_t value,
                      struct vm_ventry **entryp);

/* The same for a vhash: every bit counts, there is no priority. */
int vm_vhash_insert(struct vm_map *, const uint64_t *key,
                    uint64_t add_version, uint64_t value,
                    struct vm_ventry **entryp);

/* Readers at 'version' and later do not see the entry.  One store. */
void vm_ventry_remove_at(struct vm_ventry *, uint64_t version);

/* Takes vm_ventry_remove_at() back.  One store. */
void vm_ventry_restore(struct vm_ventry *);

/* Unlinks the entry now, frees it after quiescence.  No version that a
 * reader may still use sees it, or that reader may miss it. */
void vm_vtuples_delete(struct vm_map *, struct vm_ventry *);
void vm_vhash_delete(struct vm_map *, struct vm_ventry *);

#define vm_vtuples_remove_at vm_ventry_remove_at
#define vm_vtuples_restore vm_ventry_restore

/* ## Readers. */

/* The value of the best entry that 'version' sees, or NULL.  What
 * VM_HELPER_VLOOKUP does. */
uint64_t *vm_vmap_lookup(struct vm_map *, const uint64_t *key,
                         uint64_t version);

/* The same, as an entry. */
struct vm_ventry *vm_vmap_lookup_entry(struct vm_map *, const uint64_t *key,
                                       uint64_t version);

/* ## Entries. */

int32_t vm_ventry_priority(const struct vm_ventry *);
uint64_t vm_ventry_add_version(const struct vm_ventry *);
uint64_t vm_ventry_remove_version(const struct vm_ventry *);
uint64_t vm_ventry_value(const struct vm_ventry *);
void vm_ventry_set_value(struct vm_ventry *, uint64_t value); /* One store. */
/* A pointer that the map keeps for the owner and does not look at. */
void *vm_ventry_aux(const struct vm_ventry *);
void vm_ventry_set_aux(struct vm_ventry *, void *);
/* The masked key and the mask as arrays of the map's words. */
void vm_ventry_key(const struct vm_map *, const struct vm_ventry *,
                   uint64_t *key, uint64_t *mask);
/* The entry whose value a lookup returned. */
struct vm_ventry *vm_ventry_from_value(uint64_t *value);

/* ## What is in a map, for people (writer's thread). */

struct vm_vtuple_info {
    size_t n_entries;           /* Removed ones that are not deleted count. */
    int32_t max_priority;       /* Upper bound. */
    size_t n_words;             /* Words of the mask that are not 0. */
    size_t memory;              /* Bytes, entries included. */
};

/* Number of tuples; tuple 'i' in search order: its mask (as many words as
 * the key) and facts.  'mask' and 'info' may be NULL. */
size_t vm_vtuples_n_tuples(const struct vm_map *);
void vm_vtuples_tuple(const struct vm_map *, size_t i, uint64_t *mask,
                      struct vm_vtuple_info *info);
/* The place of the entry's tuple in search order. */
size_t vm_vtuples_tuple_of(const struct vm_map *, const struct vm_ventry *);

/* Calls 'cb' for every entry (of either kind) until it returns false. */
void vm_vmap_for_each(struct vm_map *,
                      bool (*cb)(struct vm_ventry *, void *aux), void *aux);

#endif /* vm/maps/vtable.h */
