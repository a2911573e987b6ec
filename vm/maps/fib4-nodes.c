/* SPDX-License-Identifier: Apache-2.0 */

/* Longest prefix match: how slots and nodes change. */

#include "vm/maps/fib4-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"

#define POSITIONS VM_FIB4_POSITIONS
#define KEPT 4096               /* Room in a list that stays allocated. */

/* A node spread out: what each position has itself, and the node below. */
struct spread {
    uint32_t best[POSITIONS];
    uint32_t child[POSITIONS];
};

static unsigned
n_leaves(const struct vm_fib4_node *node)
{
    return vm_fib4_count_bits(node->starts, false);
}

static unsigned
node_class(unsigned n)
{
    size_t units = (offsetof(struct vm_fib4_node, leaves)
                    + n * sizeof(uint32_t) + VM_FIB4_NODE_UNIT - 1)
                   / VM_FIB4_NODE_UNIT;

    return units > 1 ? 32 - __builtin_clz(units - 1) : 0;
}

static void
node_retire(struct vm_fib4 *fib, uint32_t handle)
{
    vm_arena_retire(&fib->nodes, handle,
                    node_class(n_leaves(vm_fib4_node(fib, handle))));
}

/* The node of 'level' on the way to 'addr', or 0. */
static uint32_t
node_on_way(const struct vm_fib4 *fib, uint32_t addr, unsigned level)
{
    uint32_t node = vm_fib4_get(&vm_fib4_slot(fib, addr)->node);

    for (unsigned i = 1; node && i < level; i++) {
        uint32_t leaf = vm_fib4_get(
            vm_fib4_leaf(fib, vm_fib4_node(fib, node),
                         vm_fib4_position(fib, addr, i)));

        node = leaf & VM_FIB4_CHILD ? leaf & ~VM_FIB4_CHILD : 0;
    }
    return node;
}

/* ## What waits for readers. */

static void fold(struct vm_fib4 *, uint32_t slot);

static void
list_clear(struct vm_fib4_list *list)
{
    list->n = 0;
    if (list->allocated > KEPT) {
        free(list->what);
        *list = (struct vm_fib4_list) { .what = NULL };
    }
}

static void
quiescent(void *fib_)
{
    struct vm_fib4 *fib = fib_;

    pthread_mutex_lock(&fib->mutex);
    for (size_t i = 0; i < fib->wait.n; i++) {
        uint32_t cell = fib->wait.what[i] >> VM_FIB4_CELL_SHIFT;
        uint32_t slot = (fib->wait.what[i]
                         & ((1u << VM_FIB4_CELL_SHIFT) - 1));

        if (cell) {
            fib->sides[slot].used &= ~(1u << (cell - 1));
        } else {
            fib->sides[slot].queued = false;
            fold(fib, slot);
        }
    }
    list_clear(&fib->wait);

    struct vm_fib4_list next = fib->next;
    fib->next = fib->wait;
    fib->wait = next;
    pthread_mutex_unlock(&fib->mutex);

    if (next.n) {
        vm_defer(quiescent, fib);
    } else {
        vm_fib4_unref_(fib);
    }
}

/* False without memory. */
static bool
later(struct vm_fib4 *fib, uint32_t what)
{
    struct vm_fib4_list *list = fib->wait.n ? &fib->next : &fib->wait;

    if (list->n == list->allocated) {
        size_t n = list->allocated ? list->allocated * 2 : 64;
        uint32_t *new = realloc(list->what, n * sizeof *new);

        if (!new) {
            return false;
        }
        list->what = new;
        list->allocated = n;
    }
    list->what[list->n++] = what;
    if (list == &fib->wait) {
        vm_fib4_ref(fib);
        vm_defer(quiescent, fib);
    }
    return true;
}

/* ## Cells. */

unsigned
vm_fib4_cell_alloc(struct vm_fib4 *fib, uint32_t addr, unsigned len)
{
    struct vm_fib4_side *side = &fib->sides[vm_fib4_root_index(fib, addr)];
    unsigned i = __builtin_ctz(~side->used);

    if (!fib->has_cells || vm_fib4_level(fib, len) != 1
        || i >= VM_FIB4_CELLS) {
        return 0;
    }
    side->used |= 1u << i;
    side->lens[i] = len;
    return i + 1;
}

void
vm_fib4_cell_free(struct vm_fib4 *fib, uint32_t addr, unsigned cell)
{
    fib->sides[vm_fib4_root_index(fib, addr)].used &= ~(1u << (cell - 1));
}

void
vm_fib4_cell_retire(struct vm_fib4 *fib, uint32_t addr, unsigned cell)
{
    later(fib, vm_fib4_root_index(fib, addr) | cell << VM_FIB4_CELL_SHIFT);
}

static unsigned
leaf_len(const struct vm_fib4 *fib, uint32_t addr, uint32_t leaf)
{
    return (leaf & VM_FIB4_CELL
            ? fib->sides[vm_fib4_root_index(fib, addr)].lens[(leaf & 7) - 1]
            : vm_fib4_entry(fib, *vm_fib4_owner(fib, leaf))->len);
}

/* ## Folding. */

/* What a slot has. */
struct inlined {
    uint64_t starts, runs;
    uint32_t leaves[VM_FIB4_LEAVES];
};

/* Makes of a node what a slot has; false if it does not fit. */
static bool
make_inline(const struct vm_fib4 *fib, const struct vm_fib4_node *node,
            struct inlined *in)
{
    unsigned n_runs = 0, n = 0;

    memset(in, 0, sizeof *in);
    for (unsigned i = 0, leaf_i = 0; i < POSITIONS; i++) {
        if (!(node->starts >> i & 1)) {
            continue;
        }

        uint32_t leaf = vm_fib4_get(&node->leaves[leaf_i++]);
        unsigned number = leaf & 7;
        if (!leaf && !n_runs) {
            continue;
        }
        if (leaf & VM_FIB4_CHILD || n_runs == VM_FIB4_RUNS
            || (leaf && fib->has_cells && !(leaf & VM_FIB4_CELL))) {
            return false;
        }
        if (!leaf) {
            number = 0;
        } else if (!fib->has_cells) {
            number = 1;
            while (number <= n && in->leaves[number - 1] != leaf) {
                number++;
            }
            if (number > VM_FIB4_LEAVES) {
                return false;
            }
            in->leaves[number - 1] = leaf;
            n = number > n ? number : n;
        }
        in->starts |= UINT64_C(1) << i;
        in->runs |= (uint64_t) number << 4 * ++n_runs;
    }
    return true;
}

/* Folds a slot's node into it.  No reader looks at what was there; but values
 * in cells stay. */
static void
fold(struct vm_fib4 *fib, uint32_t i)
{
    struct vm_fib4_slot *slot = &fib->root[i];
    uint32_t handle = vm_fib4_get(&slot->node);
    struct inlined in;

    if (handle && make_inline(fib, vm_fib4_node(fib, handle), &in)) {
        vm_fib4_set64(&slot->starts, in.starts);
        vm_fib4_set64(&slot->runs, in.runs);
        for (unsigned j = 0; !fib->has_cells && j < VM_FIB4_LEAVES; j++) {
            vm_fib4_set(&slot->leaves[j], in.leaves[j]);
        }
        vm_fib4_set(&slot->node, 0);
        node_retire(fib, handle);
    }
}

/* Has the slot of 'addr', whose node was published, folded after
 * quiescence.  Without memory it stays as it is. */
static void
fold_later(struct vm_fib4 *fib, uint32_t addr)
{
    uint32_t i = vm_fib4_root_index(fib, addr);
    struct inlined unused;

    if (!fib->sides[i].queued
        && make_inline(fib, vm_fib4_node(fib,
                                         vm_fib4_get(&fib->root[i].node)),
                       &unused)) {
        fib->sides[i].queued = later(fib, i);
    }
}

static void
spread_slot(const struct vm_fib4 *fib, const struct vm_fib4_slot *slot,
            struct spread *s)
{
    memset(s, 0, sizeof *s);
    for (unsigned i = 0, run = 0; i < POSITIONS; i++) {
        run += vm_fib4_get64(&slot->starts) >> i & 1;

        unsigned number = vm_fib4_get64(&slot->runs) >> 4 * run & 15;
        s->best[i] = (!number ? 0 : fib->has_cells ? VM_FIB4_CELL | number
                      : vm_fib4_get(&slot->leaves[number - 1]));
    }
}

/* ## Nodes. */

/* The node of 'level' on the way to 'addr', spread. */
static void
spread(const struct vm_fib4 *fib, uint32_t addr, unsigned level,
       struct spread *s)
{
    uint32_t handle = node_on_way(fib, addr, level);

    if (!handle) {
        if (level == 1) {
            spread_slot(fib, vm_fib4_slot(fib, addr), s);
        } else {
            memset(s, 0, sizeof *s);
        }
        return;
    }

    struct vm_fib4_node *node = vm_fib4_node(fib, handle);
    memset(s, 0, sizeof *s);
    for (unsigned i = 0, run = 0; i < POSITIONS; i++) {
        run += node->starts >> i & 1;

        uint32_t leaf = vm_fib4_get(&node->leaves[run - 1]);
        if (leaf & VM_FIB4_CHILD) {
            s->child[i] = leaf & ~VM_FIB4_CHILD;
            s->best[i] = vm_fib4_get(&vm_fib4_node(fib, s->child[i])->best);
        } else {
            s->best[i] = leaf;
        }
    }
}

static int set_child(struct vm_fib4 *, uint32_t addr, unsigned level,
                     uint32_t child);

/* Publishes 's' as the node of 'level' on the way to 'addr', where 'old' is
 * now.  -ENOMEM: nothing changed. */
static int
put_spread(struct vm_fib4 *fib, uint32_t addr, unsigned level,
           const struct spread *s)
{
    uint32_t old = node_on_way(fib, addr, level);
    uint32_t leaves[POSITIONS], new = 0;
    uint64_t starts = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < POSITIONS; i++) {
        uint32_t leaf = (s->child[i] ? s->child[i] | VM_FIB4_CHILD
                         : s->best[i]);

        if (!n || leaf != leaves[n - 1]) {
            starts |= UINT64_C(1) << i;
            leaves[n++] = leaf;
        }
    }
    /* In level 1, 0 does not mean that there is nothing. */
    if (n > 1 || leaves[0] || level == 1) {
        new = vm_arena_alloc(&fib->nodes, node_class(n));
        if (!new) {
            return -ENOMEM;
        }

        struct vm_fib4_node *node = vm_fib4_node(fib, new);
        node->starts = starts;
        atomic_init(&node->best, 0);
        for (unsigned i = 0; i < n; i++) {
            atomic_init(&node->leaves[i], leaves[i]);
        }
    }
    if ((new || old) && set_child(fib, addr, level, new)) {
        if (new) {
            vm_arena_free(&fib->nodes, new, node_class(n));
        }
        return -ENOMEM;
    }
    for (unsigned i = 0; i < POSITIONS; i++) {
        if (s->child[i]) {
            vm_fib4_set(&vm_fib4_node(fib, s->child[i])->best, s->best[i]);
        }
    }
    if (old) {
        node_retire(fib, old);
    }
    return 0;
}

/* Makes 'child' (0: nothing) the node of 'level' on the way to 'addr'. */
static int
set_child(struct vm_fib4 *fib, uint32_t addr, unsigned level, uint32_t child)
{
    if (level == 1) {
        vm_fib4_set(&vm_fib4_slot(fib, addr)->node, child);
        fold_later(fib, addr);
        return 0;
    }

    uint32_t above = node_on_way(fib, addr, level - 1);
    unsigned position = vm_fib4_position(fib, addr, level - 1);
    struct spread s;

    if (child && above) {
        /* One word, if the position has a node now. */
        _Atomic uint32_t *leaf = vm_fib4_leaf(fib, vm_fib4_node(fib, above),
                                              position);
        uint32_t now = vm_fib4_get(leaf);

        if (now & VM_FIB4_CHILD) {
            struct vm_fib4_node *old = vm_fib4_node(fib,
                                                    now & ~VM_FIB4_CHILD);

            atomic_init(&vm_fib4_node(fib, child)->best,
                        vm_fib4_get(&old->best));
            vm_fib4_set(leaf, child | VM_FIB4_CHILD);
            return 0;
        }
    }
    spread(fib, addr, level - 1, &s);
    s.child[position] = child;
    if (child) {
        atomic_init(&vm_fib4_node(fib, child)->best, s.best[position]);
    }
    return put_spread(fib, addr, level - 1, &s);
}

/* Of level 0. */
static void
replace_short(struct vm_fib4 *fib, const struct vm_fib4_change *c,
              uint32_t from, uint32_t to)
{
    uint32_t first = vm_fib4_root_index(fib, c->addr & vm_fib4_mask(c->len));
    uint32_t n = 1u << (fib->root_bits - c->len);
    unsigned to_len = to ? leaf_len(fib, c->addr, to) + 1 : 0;

    for (uint32_t i = first; i < first + n; i++) {
        struct vm_fib4_side *side = &fib->sides[i];

        /* Of two entries that cover a slot, one is longer. */
        if (from ? side->len == c->len + 1 : side->len <= to_len) {
            vm_fib4_set(&fib->root[i].best, to);
            side->len = to_len;
        }
    }
}

int
vm_fib4_replace(struct vm_fib4 *fib, const struct vm_fib4_change *c,
                uint32_t from, uint32_t to)
{
    unsigned level = vm_fib4_level(fib, c->len);
    struct spread s;

    atomic_fetch_add_explicit(&fib->changes, 1, memory_order_relaxed);
    if (!level) {
        replace_short(fib, c, from, to);
        return 0;
    }

    uint32_t first = vm_fib4_position(fib, c->addr & vm_fib4_mask(c->len),
                                      level);
    uint32_t n = 1u << (vm_fib4_above(fib, level) + 6 - c->len);
    spread(fib, c->addr, level, &s);
    for (uint32_t i = first; i < first + n; i++) {
        if (from ? s.best[i] == from
            : !s.best[i] || leaf_len(fib, c->addr, s.best[i]) <= c->len) {
            s.best[i] = to;
        }
    }
    return put_spread(fib, c->addr, level, &s);
}
