/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_VTREE_INTERNAL_H
#define VM_MAPS_VTREE_INTERNAL_H 1

/* Nodes and leaves of vtree.h, between vtree.c (lookups, changes) and
 * vtree-build.c (splitting leaves).
 *
 * A slot is null, a leaf (tagged) or a node.  Leaves never change: one that
 * does is replaced in its slot.  Of a node its slots change, and the upper
 * bound of its rest's priorities, which never falls. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/map.h"

struct vm_ventry;

enum {
    VTREE_LEAF = 8,             /* Entries that are not worth a node. */
    VTREE_DEPTH = 24            /* Nodes on the way to a leaf, at most. */
};

typedef _Atomic uintptr_t vtree_slot;

/* An entry, with the word of its key that has the most bits in front: most of
 * those that do not match do not match there. */
struct vtree_item {
    uint64_t mask, value;
    struct vm_ventry *entry;
    int32_t priority;
    uint32_t word;
};

struct vtree_leaf {
    uint32_t n;
    uint32_t depth;             /* Nodes above it. */
    struct vtree_item items[];  /* By descending priority. */
};

/* Which bits: byte 'byte' of the key >> 'shift', 'n_bits' of it. */
struct vtree_window {
    uint16_t byte;
    uint8_t shift, n_bits;
};

struct vtree_node {
    struct vtree_window window;
    uint32_t depth;
    _Atomic int32_t rest_max;
    vtree_slot rest;
    vtree_slot children[];
};

struct vtree {
    struct vm_map map;          /* map.inner: the vtuples map. */
    vtree_slot root;
    size_t n_entries, n_copies, memory;

    /* Before and during building. */
    bool built;
    struct vtree_item *items;   /* Those that came before. */
    size_t allocated;
    vtree_slot **todo;          /* Slots of leaves to be split. */
    size_t n_todo, allocated_todo;
};

static inline bool
vtree_is_leaf(uintptr_t slot)
{
    return slot & 1;
}

static inline struct vtree_leaf *
vtree_leaf(uintptr_t slot)
{
    return (struct vtree_leaf *) (slot - 1);
}

static inline struct vtree_node *
vtree_node(uintptr_t slot)
{
    return (struct vtree_node *) slot;
}

static inline uintptr_t
vtree_load(vtree_slot *slot)
{
    return atomic_load_explicit(slot, memory_order_acquire);
}

static inline unsigned
vtree_bits(const struct vtree_window *w, uint8_t byte)
{
    return byte >> w->shift & ((1u << w->n_bits) - 1);
}

/* The byte of the entry's masked key and its mask. */
void vtree_entry_byte(const struct vm_ventry *, unsigned byte,
                      uint8_t *value, uint8_t *mask);

/* Whether an entry goes to the rest of a node with such a mask in the window:
 * there would be more than a few copies. */
static inline bool
vtree_goes_to_rest(const struct vtree_window *w, unsigned mask)
{
    return (w->n_bits - __builtin_popcount(mask)
            > (w->n_bits > 4 ? 2 : w->n_bits > 2 ? 1 : 0));
}

/* vtree.c.  A leaf with room for 'n' items, of which it has none; null
 * without memory. */
struct vtree_leaf *vtree_leaf_new(struct vtree *, size_t n, uint32_t depth);
/* Frees what has been in a slot, when no reader can be there. */
void vtree_drop_leaf(struct vtree *, struct vtree_leaf *, size_t allocated);
size_t vtree_node_bytes(const struct vtree_node *);

/* vtree-build.c.  Splits the leaf in 'slot' if that helps, and notes in
 * 'todo' what is to be split then.  -ENOMEM: it stays as it is. */
int vtree_split(struct vtree *, vtree_slot *slot);
/* Notes that 'slot' has a leaf that may want to be split. */
void vtree_to_split(struct vtree *, vtree_slot *slot);

#endif /* vm/maps/vtree-internal.h */
