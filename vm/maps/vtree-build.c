/* SPDX-License-Identifier: Apache-2.0 */

/* Splitting a leaf of a decision tree: by which bits, and how. */

#include "vm/maps/vtree-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/maps/vtable-internal.h"

enum {
    SAMPLE = 512,               /* Entries by which bits are judged. */
    MIN_WIDE = 128              /* Entries that are worth 256 children. */
};

void
vtree_to_split(struct vtree *t, vtree_slot *slot)
{
    if (t->n_todo >= t->allocated_todo) {
        size_t n = t->allocated_todo ? 2 * t->allocated_todo : 64;
        vtree_slot **todo = realloc(t->todo, n * sizeof *todo);

        if (!todo) {
            return;             /* A long leaf is as right as a short one. */
        }
        t->todo = todo;
        t->allocated_todo = n;
    }
    t->todo[t->n_todo++] = slot;
}

/* The entries by which bits are judged. */
struct sample {
    size_t n, n_all;
    const struct vm_ventry *entries[SAMPLE];
};

static void
take_sample(const struct vtree_leaf *leaf, struct sample *s)
{
    s->n_all = leaf->n;
    s->n = leaf->n < SAMPLE ? leaf->n : SAMPLE;
    for (size_t i = 0; i < s->n; i++) {
        s->entries[i] = leaf->items[i * leaf->n / s->n].entry;
    }
}

/* What a packet that is for one of the entries would have to look at, about:
 * those in its child and those in the rest. */
static double
judge(const struct sample *s, const struct vtree_window *w)
{
    uint32_t count[256] = { 0 };
    size_t rest = 0, copies = 0;
    double squares = 0;

    for (size_t i = 0; i < s->n; i++) {
        uint8_t value, mask;

        vtree_entry_byte(s->entries[i], w->byte, &value, &mask);
        unsigned m = vtree_bits(w, mask), v = vtree_bits(w, value);
        unsigned open = ~m & ((1u << w->n_bits) - 1);

        if (vtree_goes_to_rest(w, m)) {
            rest++;
            continue;
        }
        for (unsigned sub = open;; sub = (sub - 1) & open) {
            count[v | sub]++;
            copies++;
            if (!sub) {
                break;
            }
        }
    }
    for (unsigned i = 0; i < 1u << w->n_bits; i++) {
        squares += (double) count[i] * count[i];
    }
    return (copies ? squares / copies : 0) + rest
           + 0.25 * (double) (copies + rest - s->n);
}

/* The best window; false if none is worth a node. */
static bool
choose(const struct vtree *t, const struct sample *s, struct vtree_window *w)
{
    static const uint8_t kinds[][2] = { { 0, 8 }, { 4, 4 }, { 0, 4 },
                                        { 6, 2 }, { 4, 2 }, { 2, 2 },
                                        { 0, 2 } };
    double best = 0.8 * s->n;
    bool found = false;
    uint64_t used[VM_VKEY_MAX_WORDS] = { 0 };

    for (size_t i = 0; i < s->n; i++) {
        const struct vm_vtab *tab = s->entries[i]->tab;

        for (uint32_t j = 0; j < tab->n_words; j++) {
            used[tab->words[j].index] |= tab->words[j].mask;
        }
    }
    for (unsigned byte = 0; byte < t->map.key_size; byte++) {
        unsigned bits = used[byte / 8] >> byte % 8 * 8 & 0xff;

        for (size_t k = s->n_all < MIN_WIDE; bits && k < 7; k++) {
            const struct vtree_window try = {
                .byte = byte, .shift = kinds[k][0], .n_bits = kinds[k][1],
            };
            double cost;

            if (k >= 3 && s->n_all >= MIN_WIDE) {
                break;
            }
            cost = vtree_bits(&try, bits) ? judge(s, &try) : best;
            if (cost < best) {
                best = cost;
                *w = try;
                found = true;
            }
        }
    }
    return found;
}

/* What a split makes of a leaf, counted first, then filled. */
struct parts {
    uint32_t count[257];        /* The last: the rest. */
    struct vtree_leaf *leaves[257];
};

static void
put(struct parts *parts, unsigned i, const struct vtree_item *item, bool fill)
{
    if (fill) {
        struct vtree_leaf *leaf = parts->leaves[i];

        leaf->items[leaf->n++] = *item;
    } else {
        parts->count[i]++;
    }
}

static void
distribute(const struct vtree_leaf *leaf, const struct vtree_window *w,
           struct parts *parts, bool fill)
{
    for (uint32_t i = 0; i < leaf->n; i++) {
        const struct vtree_item *item = &leaf->items[i];
        uint8_t value, mask;

        vtree_entry_byte(item->entry, w->byte, &value, &mask);
        unsigned m = vtree_bits(w, mask), v = vtree_bits(w, value);
        unsigned open = ~m & ((1u << w->n_bits) - 1);

        if (vtree_goes_to_rest(w, m)) {
            put(parts, 256, item, fill);
            continue;
        }
        for (unsigned sub = open;; sub = (sub - 1) & open) {
            put(parts, v | sub, item, fill);
            if (!sub) {
                break;
            }
        }
    }
}

static void
set_slot(struct vtree *t, vtree_slot *slot, struct vtree_leaf *leaf)
{
    atomic_init(slot, leaf ? (uintptr_t) leaf | 1 : 0);
    if (leaf && leaf->n > VTREE_LEAF) {
        vtree_to_split(t, slot);
    }
}

int
vtree_split(struct vtree *t, vtree_slot *slot)
{
    uintptr_t old = vtree_load(slot);
    struct vtree_leaf *leaf = vtree_is_leaf(old) ? vtree_leaf(old) : NULL;
    struct parts parts = { .count = { 0 } };
    struct vtree_window w;
    struct sample sample;

    if (!leaf || leaf->n <= VTREE_LEAF || leaf->depth >= VTREE_DEPTH) {
        return 0;
    }
    take_sample(leaf, &sample);
    if (!choose(t, &sample, &w)) {
        return 0;
    }

    size_t n = (size_t) 1 << w.n_bits;
    struct vtree_node *node = vm_big_alloc(sizeof *node
                                           + n * sizeof node->children[0]);
    bool failed = !node;

    distribute(leaf, &w, &parts, false);
    for (int i = 0; i < 257; i++) {
        if (parts.count[i]) {
            parts.leaves[i] = vtree_leaf_new(t, parts.count[i],
                                             leaf->depth + 1);
            failed |= !parts.leaves[i];
        }
    }
    if (failed) {
        for (int i = 0; i < 257; i++) {
            if (parts.leaves[i]) {
                t->memory -= sizeof *leaf;
                free(parts.leaves[i]);
            }
        }
        if (node) {
            vm_big_free(node, sizeof *node + n * sizeof node->children[0]);
        }
        return -ENOMEM;
    }
    node->window = w;
    node->depth = leaf->depth;
    t->memory += vtree_node_bytes(node);
    distribute(leaf, &w, &parts, true);
    for (size_t i = 0; i < n; i++) {
        set_slot(t, &node->children[i], parts.leaves[i]);
        t->n_copies += parts.count[i];
    }
    set_slot(t, &node->rest, parts.leaves[256]);
    t->n_copies += parts.count[256];
    t->n_copies -= leaf->n;
    atomic_init(&node->rest_max, parts.leaves[256]
                ? parts.leaves[256]->items[0].priority : INT32_MIN);
    atomic_store_explicit(slot, (uintptr_t) node, memory_order_release);
    vtree_drop_leaf(t, leaf, leaf->n);
    return 0;
}
