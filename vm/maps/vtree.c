/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/maps/vtree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/maps/vtable-internal.h"
#include "vm/maps/vtree-internal.h"

static struct vtree *
vtree_cast(const struct vm_map *map)
{
    return (struct vtree *) map;
}

/* ## Readers. */

struct best {
    struct vm_ventry *entry;    /* Null: none yet. */
    int32_t priority;
};

static inline void
scan(const struct vtree_leaf *leaf, const uint64_t *key, uint64_t version,
     struct best *best)
{
    for (uint32_t i = 0; i < leaf->n; i++) {
        const struct vtree_item *item = &leaf->items[i];

        if (best->entry && item->priority <= best->priority) {
            return;
        }
        if ((key[item->word] & item->mask) == item->value
            && vm_ventry_visible(item->entry, version)
            && vm_vtab_match(item->entry->tab, item->entry, key)) {
            best->entry = item->entry;
            best->priority = item->priority;
            return;
        }
    }
}

static void *
vtree_vlookup(struct vm_map *map, const void *key, uint64_t version)
{
    struct {
        uintptr_t slot;
        int32_t max;
    } rests[VTREE_DEPTH + 1];
    uintptr_t slot = vtree_load(&vtree_cast(map)->root);
    struct best best = { NULL, 0 };
    const uint8_t *bytes = key;
    unsigned n = 0;

    for (;;) {
        while (slot && !vtree_is_leaf(slot)) {
            struct vtree_node *node = vtree_node(slot);
            uintptr_t rest = vtree_load(&node->rest);

            if (rest) {
                rests[n].slot = rest;
                rests[n++].max = atomic_load_explicit(&node->rest_max,
                                                      memory_order_acquire);
            }
            slot = vtree_load(&node->children[
                vtree_bits(&node->window, bytes[node->window.byte])]);
        }
        if (slot) {
            scan(vtree_leaf(slot), key, version, &best);
        }
        do {
            if (!n) {
                return best.entry ? &best.entry->value : NULL;
            }
            n--;
        } while (best.entry && rests[n].max <= best.priority);
        slot = rests[n].slot;
    }
}

/* ## Nodes and leaves, for the writer. */

size_t
vtree_node_bytes(const struct vtree_node *node)
{
    return (sizeof *node + ((size_t) 1 << node->window.n_bits)
            * sizeof node->children[0]);
}

static size_t
leaf_bytes(size_t n)
{
    return sizeof(struct vtree_leaf) + n * sizeof(struct vtree_item);
}

struct vtree_leaf *
vtree_leaf_new(struct vtree *t, size_t n, uint32_t depth)
{
    struct vtree_leaf *leaf = malloc(leaf_bytes(n));

    if (leaf) {
        leaf->n = 0;
        leaf->depth = depth;
        t->memory += sizeof *leaf;
    }
    return leaf;
}

void
vtree_drop_leaf(struct vtree *t, struct vtree_leaf *leaf, size_t allocated)
{
    t->memory -= sizeof *leaf;
    if (t->built) {
        vm_defer(free, leaf);
    } else {
        free(leaf);
    }
}

static struct vtree_item
item_of(struct vm_ventry *e)
{
    struct vtree_item item = { .entry = e, .priority = e->priority };
    int most = 0;

    for (uint32_t i = 0; i < e->tab->n_words; i++) {
        const struct vm_vword *w = &e->tab->words[i];
        int n = __builtin_popcountll(w->mask);

        if (n > most) {
            most = n;
            item.word = w->index;
            item.mask = w->mask;
            item.value = e->key[i];
        }
    }
    return item;
}

void
vtree_entry_byte(const struct vm_ventry *e, unsigned byte, uint8_t *value,
                 uint8_t *mask)
{
    const struct vm_vtab *tab = e->tab;

    *value = *mask = 0;
    for (uint32_t i = 0; i < tab->n_words; i++) {
        if (tab->words[i].index == byte / 8) {
            *value = ((const uint8_t *) &e->key[i])[byte % 8];
            *mask = ((const uint8_t *) &tab->words[i].mask)[byte % 8];
            return;
        }
    }
}

/* ## Changes. */

/* Puts 'item' into the leaf in 'slot', before its equals. */
static int
add_to_leaf(struct vtree *t, vtree_slot *slot, const struct vtree_item *item,
            uint32_t depth)
{
    uintptr_t s = vtree_load(slot);
    struct vtree_leaf *old = s ? vtree_leaf(s) : NULL;
    uint32_t n = old ? old->n : 0;
    struct vtree_leaf *new = vtree_leaf_new(t, n + 1, depth);
    uint32_t i = 0;

    if (!new) {
        return -ENOMEM;
    }
    while (i < n && old->items[i].priority > item->priority) {
        i++;
    }
    if (old) {
        memcpy(new->items, old->items, i * sizeof *item);
        memcpy(&new->items[i + 1], &old->items[i], (n - i) * sizeof *item);
    }
    new->items[i] = *item;
    new->n = n + 1;
    t->n_copies++;
    atomic_store_explicit(slot, (uintptr_t) new | 1, memory_order_release);
    if (old) {
        vtree_drop_leaf(t, old, n);
    }
    if (new->n > 2 * VTREE_LEAF) {
        vtree_to_split(t, slot);
    }
    return 0;
}

/* Takes 'item' out of the leaf in 'slot'. */
static int
take_from_leaf(struct vtree *t, vtree_slot *slot,
               const struct vtree_item *item)
{
    uintptr_t s = vtree_load(slot);
    struct vtree_leaf *old = s ? vtree_leaf(s) : NULL;
    struct vtree_leaf *new = NULL;
    uint32_t n = old ? old->n : 0, i = 0;

    while (i < n && old->items[i].entry != item->entry) {
        i++;
    }
    if (i == n) {
        return 0;
    }
    if (n > 1) {
        new = vtree_leaf_new(t, n - 1, old->depth);
        if (!new) {
            return -ENOMEM;
        }
        memcpy(new->items, old->items, i * sizeof *item);
        memcpy(&new->items[i], &old->items[i + 1],
               (n - 1 - i) * sizeof *item);
        new->n = n - 1;
    }
    t->n_copies--;
    atomic_store_explicit(slot, new ? (uintptr_t) new | 1 : 0,
                          memory_order_release);
    vtree_drop_leaf(t, old, n);
    return 0;
}

static void
raise_max(struct vtree_node *node, int32_t priority)
{
    if (atomic_load_explicit(&node->rest_max, memory_order_relaxed)
        < priority) {
        atomic_store_explicit(&node->rest_max, priority,
                              memory_order_release);
    }
}

/* Adds 'item' to ('add') or takes it from all leaves below 'slot' that may
 * have it.  Nodes are not deeper than VTREE_DEPTH. */
static int
change(struct vtree *t, vtree_slot *slot, const struct vtree_item *item,
       bool add, uint32_t depth)
{
    uintptr_t s = vtree_load(slot);
    struct vtree_node *node = vtree_node(s);
    uint8_t value, mask;

    if (!s || vtree_is_leaf(s)) {
        return (add ? add_to_leaf(t, slot, item, depth)
                : take_from_leaf(t, slot, item));
    }
    vtree_entry_byte(item->entry, node->window.byte, &value, &mask);
    unsigned m = vtree_bits(&node->window, mask);
    unsigned v = vtree_bits(&node->window, value);
    unsigned open = ~m & ((1u << node->window.n_bits) - 1);

    if (vtree_goes_to_rest(&node->window, m)) {
        if (add) {
            raise_max(node, item->priority);
        }
        return change(t, &node->rest, item, add, depth + 1);
    }
    for (unsigned sub = open;; sub = (sub - 1) & open) {
        int error = change(t, &node->children[v | sub], item, add,
                           depth + 1);

        if (error || !sub) {
            return error;
        }
    }
}

/* Before building: a list. */
static int
collect(struct vtree *t, const struct vtree_item *item)
{
    if (t->n_entries >= t->allocated) {
        size_t n = t->allocated ? 2 * t->allocated : 256;
        struct vtree_item *items = realloc(t->items, n * sizeof *items);

        if (!items) {
            return -ENOMEM;
        }
        t->items = items;
        t->allocated = n;
    }
    t->items[t->n_entries++] = *item;
    return 0;
}

static bool
is_collecting(struct vtree *t)
{
    return !t->built && !vtree_load(&t->root);
}

int
vm_vtree_insert(struct vm_map *map, struct vm_ventry *e)
{
    struct vtree *t = vtree_cast(map);
    const struct vtree_item item = item_of(e);
    int error;

    if (is_collecting(t)) {
        return collect(t, &item);
    }
    error = change(t, &t->root, &item, true, 0);
    t->n_entries += !error;
    while (t->built && t->n_todo) {
        vtree_split(t, t->todo[--t->n_todo]);
    }
    return error;
}

int
vm_vtree_delete(struct vm_map *map, struct vm_ventry *e)
{
    struct vtree *t = vtree_cast(map);
    const struct vtree_item item = item_of(e);

    if (is_collecting(t)) {
        for (size_t i = 0; i < t->n_entries; i++) {
            if (t->items[i].entry == e) {
                t->items[i] = t->items[--t->n_entries];
                break;
            }
        }
        return 0;
    }
    t->n_entries--;
    return change(t, &t->root, &item, false, 0);
}

static int
by_priority(const void *a_, const void *b_)
{
    const struct vtree_item *a = a_, *b = b_;

    return a->priority > b->priority ? -1 : a->priority < b->priority;
}

bool
vm_vtree_build(struct vm_map *map)
{
    struct vtree *t = vtree_cast(map);

    if (is_collecting(t) && t->n_entries) {
        struct vtree_leaf *leaf = vtree_leaf_new(t, t->n_entries, 0);

        if (!leaf) {
            return false;       /* Again. */
        }
        qsort(t->items, t->n_entries, sizeof *t->items, by_priority);
        memcpy(leaf->items, t->items, t->n_entries * sizeof *t->items);
        leaf->n = t->n_copies = t->n_entries;
        atomic_store_explicit(&t->root, (uintptr_t) leaf | 1,
                              memory_order_release);
        free(t->items);
        t->items = NULL;
        vtree_to_split(t, &t->root);
    } else if (t->n_todo) {
        vtree_split(t, t->todo[--t->n_todo]);
    }
    t->built = !t->n_todo;
    return t->built;
}

/* ## The map. */

static int
vtree_create(const struct vm_map_attr *attr, struct vm_map **mapp,
             struct vm_err *err)
{
    const struct vm_map *inner = attr->inner;
    struct vtree *t;

    if (!inner || inner->ops != &vm_map_ops_vtuples || attr->flags
        || inner->key_size != attr->key_size || attr->value_size != 8
        || attr->max_entries) {
        return vm_err(err, -EINVAL, "map %s: a vtree map needs a vtuples map "
                      "with the same keys and values, no size and no flags",
                      attr->name ? attr->name : "");
    }
    t = calloc(1, sizeof *t);
    if (!t) {
        return vm_err(err, -ENOMEM, "no memory for a decision tree");
    }
    *mapp = &t->map;
    return 0;
}

static void
free_below(vtree_slot *slot)
{
    uintptr_t s = vtree_load(slot);

    if (vtree_is_leaf(s)) {
        free(vtree_leaf(s));
    } else if (s) {
        struct vtree_node *node = vtree_node(s);

        for (unsigned i = 0; i < 1u << node->window.n_bits; i++) {
            free_below(&node->children[i]);
        }
        free_below(&node->rest);
        vm_big_free(node, vtree_node_bytes(node));
    }
}

static void
vtree_destroy(struct vm_map *map)
{
    struct vtree *t = vtree_cast(map);

    free_below(&t->root);
    free(t->items);
    free(t->todo);
    free(t);
}

static size_t
vtree_memory(const struct vm_map *map)
{
    const struct vtree *t = vtree_cast(map);

    return (sizeof *t + t->memory
            + t->n_copies * sizeof(struct vtree_item));
}

static size_t
vtree_count(const struct vm_map *map)
{
    return vtree_cast(map)->n_entries;
}

static size_t
worst_below(vtree_slot *slot)
{
    uintptr_t s = vtree_load(slot);
    size_t worst = 0;

    if (!s) {
        return 0;
    } else if (vtree_is_leaf(s)) {
        return vtree_leaf(s)->n;
    }

    struct vtree_node *node = vtree_node(s);
    for (unsigned i = 0; i < 1u << node->window.n_bits; i++) {
        size_t n = worst_below(&node->children[i]);

        worst = n > worst ? n : worst;
    }
    return 1 + worst + worst_below(&node->rest);
}

size_t
vm_vtree_worst(const struct vm_map *map)
{
    return worst_below(&vtree_cast(map)->root);
}

const struct vm_map_ops vm_map_ops_vtree = {
    .name = "vtree",
    .number = VM_MAP_vtree,
    .caps = VM_MAP_CAP_VLOOKUP,
    .create = vtree_create,
    .destroy = vtree_destroy,
    .vlookup = vtree_vlookup,
    .memory = vtree_memory,
    .count = vtree_count,
};
