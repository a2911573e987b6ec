/* SPDX-License-Identifier: Apache-2.0 */

/* Longest prefix match: entries, changes, and the whole. */

#include "vm/maps/fib4-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"

#define MAX_CHAINS (1u << 24)
#define MAX_RETIRED (1u << 20)  /* Nodes that wait for readers. */
#define SMALL 65536u            /* Entries for which /14 will do. */

/* ## Entries. */

static _Atomic uint32_t *
chain_of(const struct vm_fib4 *fib, uint32_t addr, unsigned len)
{
    uint64_t prefix = (uint64_t) len << 32 | (addr & vm_fib4_mask(len));
    uint64_t h = vm_hash_mix(prefix ^ fib->seed, prefix ^ ~fib->seed);

    return &fib->chains[h & fib->chain_mask];
}

/* The entry of exactly that prefix, or 0. */
static uint32_t
exact(const struct vm_fib4 *fib, uint32_t addr, unsigned len)
{
    uint32_t h = vm_fib4_get(chain_of(fib, addr, len));

    while (h) {
        struct vm_fib4_entry *e = vm_fib4_entry(fib, h);

        if (e->len == len && !((e->addr ^ addr) & vm_fib4_mask(len))) {
            break;
        }
        h = vm_fib4_get(&e->next);
    }
    return h;
}

/* The longest prefix of 'addr' with 'min' to 'max' bits, or 0. */
static uint32_t
exact_range(const struct vm_fib4 *fib, uint32_t addr, int min, int max)
{
    uint32_t h = 0;

    for (int len = max; !h && len >= min; len--) {
        h = exact(fib, addr, len);
    }
    return h;
}

static void *
value_of(const struct vm_fib4 *fib, const struct vm_fib4_entry *e)
{
    return vm_fib4_leaf_value(fib, vm_fib4_slot(fib, e->addr), e->leaf);
}

void *
vm_fib4_at_most(const struct vm_fib4 *fib, uint32_t addr, unsigned len)
{
    uint32_t h = exact_range(fib, addr, 0, len);

    return h ? value_of(fib, vm_fib4_entry(fib, h)) : NULL;
}

/* What stands for entry 'h', which may be 0, in the trie. */
static uint32_t
leaf_of(const struct vm_fib4 *fib, uint32_t h)
{
    return h ? vm_fib4_entry(fib, h)->leaf : 0;
}

static void
chain_add(struct vm_fib4 *fib, uint32_t h)
{
    struct vm_fib4_entry *e = vm_fib4_entry(fib, h);
    _Atomic uint32_t *chain = chain_of(fib, e->addr, e->len);

    vm_fib4_set(&e->next, vm_fib4_get(chain));
    vm_fib4_set(chain, h);
}

/* Takes entry 'h' out of its chain, and puts 'new' in its place unless that
 * is 0. */
static void
chain_replace(struct vm_fib4 *fib, uint32_t h, uint32_t new)
{
    struct vm_fib4_entry *e = vm_fib4_entry(fib, h);
    _Atomic uint32_t *link = chain_of(fib, e->addr, e->len);

    while (vm_fib4_get(link) != h) {
        link = &vm_fib4_entry(fib, vm_fib4_get(link))->next;
    }
    if (new) {
        vm_fib4_set(&vm_fib4_entry(fib, new)->next, vm_fib4_get(&e->next));
        vm_fib4_set(link, new);
    } else {
        vm_fib4_set(link, vm_fib4_get(&e->next));
    }
}

/* Room for the value of entry 'h'; a leaf, or 0. */
static uint32_t
leaf_new(struct vm_fib4 *fib, const struct vm_fib4_change *c, uint32_t h)
{
    unsigned cell = vm_fib4_cell_alloc(fib, c->addr, c->len);

    if (cell) {
        return VM_FIB4_CELL | cell;
    }

    uint32_t leaf = vm_arena_alloc(&fib->values, 0);
    if (leaf && !vm_arena_reserve(&fib->owners, leaf)) {
        vm_arena_free(&fib->values, leaf, 0);
        leaf = 0;
    }
    if (leaf) {
        *vm_fib4_owner(fib, leaf) = h;
    }
    return leaf;
}

static uint32_t
entry_new(struct vm_fib4 *fib, const struct vm_fib4_change *c)
{
    uint32_t h = vm_arena_alloc(&fib->entries, 0);
    uint32_t leaf = h ? leaf_new(fib, c, h) : 0;

    if (leaf) {
        struct vm_fib4_entry *e = vm_fib4_entry(fib, h);

        e->addr = c->addr;
        e->leaf = leaf;
        e->len = c->len;
        memcpy(value_of(fib, e), c->value, fib->value_size);
    } else if (h) {
        vm_arena_free(&fib->entries, h, 0);
        h = 0;
    }
    return h;
}

/* No reader has seen it. */
static void
entry_free(struct vm_fib4 *fib, uint32_t h)
{
    const struct vm_fib4_entry *e = vm_fib4_entry(fib, h);

    if (e->leaf & VM_FIB4_CELL) {
        vm_fib4_cell_free(fib, e->addr, e->leaf & 7);
    } else {
        vm_arena_free(&fib->values, e->leaf, 0);
    }
    vm_arena_free(&fib->entries, h, 0);
}

static void
entry_retire(struct vm_fib4 *fib, uint32_t h)
{
    const struct vm_fib4_entry *e = vm_fib4_entry(fib, h);

    if (e->leaf & VM_FIB4_CELL) {
        vm_fib4_cell_retire(fib, e->addr, e->leaf & 7);
    } else {
        vm_arena_retire(&fib->values, e->leaf, 0);
    }
    vm_arena_retire(&fib->entries, h, 0);
}

static int
update(struct vm_fib4 *fib, const struct vm_fib4_change *c)
{
    uint32_t old = exact(fib, c->addr, c->len);

    if (old ? c->flags == VM_NOEXIST : c->flags == VM_EXIST) {
        return old ? -EEXIST : -ENOENT;
    }
    if (!old && fib->n_entries >= fib->max_entries) {
        return -ENOSPC;
    }
    if (vm_arena_n_retired(&fib->nodes) >= MAX_RETIRED) {
        return -ENOMEM;
    }

    uint32_t new = entry_new(fib, c);
    if (!new
        || vm_fib4_replace(fib, c, leaf_of(fib, old), leaf_of(fib, new))) {
        if (new) {
            entry_free(fib, new);
        }
        return -ENOMEM;
    }
    if (old) {
        chain_replace(fib, old, new);
        entry_retire(fib, old);
    } else {
        chain_add(fib, new);
        atomic_fetch_add(&fib->n_entries, 1);
    }
    return 0;
}

int
vm_fib4_update(struct vm_fib4 *fib, const struct vm_fib4_change *c)
{
    if (c->flags > VM_EXIST) {
        return -EINVAL;
    }
    pthread_mutex_lock(&fib->mutex);
    int error = update(fib, c);
    pthread_mutex_unlock(&fib->mutex);
    return error;
}

static int
delete(struct vm_fib4 *fib, const struct vm_fib4_change *c)
{
    unsigned level = vm_fib4_level(fib, c->len);
    uint32_t old = exact(fib, c->addr, c->len);

    if (!old) {
        return -ENOENT;
    }

    /* What is shorter and covers it in this level. */
    uint32_t cover = exact_range(fib, c->addr,
                                 level ? vm_fib4_above(fib, level) + 1 : 0,
                                 (int) c->len - 1);
    int error = vm_fib4_replace(fib, c, leaf_of(fib, old),
                                leaf_of(fib, cover));
    if (!error) {
        chain_replace(fib, old, 0);
        atomic_fetch_sub(&fib->n_entries, 1);
        entry_retire(fib, old);
    }
    return error;
}

int
vm_fib4_delete(struct vm_fib4 *fib, const struct vm_fib4_change *c)
{
    pthread_mutex_lock(&fib->mutex);
    int error = delete(fib, c);
    pthread_mutex_unlock(&fib->mutex);
    return error;
}

/* By handle. */
bool
vm_fib4_next(struct vm_fib4 *fib, const struct vm_fib4_change *after,
             struct vm_fib4_change *next)
{
    pthread_mutex_lock(&fib->mutex);
    uint32_t h = after ? exact(fib, after->addr, after->len) : 0;

    while (++h < fib->entries.n_units) {
        const struct vm_fib4_entry *e = vm_fib4_entry(fib, h);

        /* Only an entry that is in use is found by its prefix. */
        if (exact(fib, e->addr, e->len) == h) {
            next->addr = e->addr;
            next->len = e->len;
            break;
        }
    }
    bool found = h < fib->entries.n_units;
    pthread_mutex_unlock(&fib->mutex);
    return found;
}

/* ## The whole. */

static bool
has_insn(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("popcnt");
#else
    return true;
#endif
}

static size_t
n_slots(const struct vm_fib4 *fib)
{
    return (size_t) 1 << fib->root_bits;
}

void
vm_fib4_ref(void *fib_)
{
    struct vm_fib4 *fib = fib_;

    atomic_fetch_add_explicit(&fib->refs, 1, memory_order_relaxed);
}

void
vm_fib4_unref_(void *fib_)
{
    struct vm_fib4 *fib = fib_;

    if (atomic_fetch_sub_explicit(&fib->refs, 1, memory_order_acq_rel)
        == 1) {
        vm_arena_destroy(&fib->nodes);
        vm_arena_destroy(&fib->values);
        vm_arena_destroy(&fib->entries);
        vm_arena_destroy(&fib->owners);
        free(fib->wait.what);
        free(fib->next.what);
        vm_big_free(fib->root, n_slots(fib) * sizeof *fib->root);
        vm_big_free((void *) fib->chains,
                    (fib->chain_mask + 1) * sizeof *fib->chains);
        vm_big_free(fib->sides, n_slots(fib) * sizeof *fib->sides);
        pthread_mutex_destroy(&fib->mutex);
        free(fib);
    }
}

void
vm_fib4_unref(struct vm_fib4 *fib)
{
    vm_fib4_unref_(fib);
}

struct vm_fib4 *
vm_fib4_new(uint32_t max_entries, uint32_t value_size)
{
    struct vm_fib4 *fib = calloc(1, sizeof *fib);
    uint32_t n_chains = 16;

    if (!fib) {
        return NULL;
    }
    while (n_chains < max_entries / 2 && n_chains < MAX_CHAINS) {
        n_chains *= 2;
    }
    atomic_init(&fib->refs, 1);
    pthread_mutex_init(&fib->mutex, NULL);
    fib->root_bits = max_entries < SMALL ? 14 : 18;
    fib->has_insn = has_insn();
    fib->has_cells = value_size <= sizeof fib->root->cells[0];
    fib->chain_mask = n_chains - 1;
    fib->seed = vm_hash_seed();
    fib->value_size = value_size;
    fib->max_entries = max_entries;
    fib->nodes.unit = VM_FIB4_NODE_UNIT;
    fib->values.unit = (value_size + 7) & ~7u;
    fib->entries.unit = sizeof(struct vm_fib4_entry);
    fib->owners.unit = sizeof(uint32_t);
    struct vm_arena *arenas[] = { &fib->nodes, &fib->values, &fib->entries };
    for (int i = 0; i < 3; i++) {
        arenas[i]->max_units = VM_FIB4_CELL;
        arenas[i]->lock = &fib->mutex;
        arenas[i]->ref = vm_fib4_ref;
        arenas[i]->unref = vm_fib4_unref_;
        arenas[i]->owner = fib;
    }
    fib->root = vm_big_alloc(n_slots(fib) * sizeof *fib->root);
    fib->sides = vm_big_alloc(n_slots(fib) * sizeof *fib->sides);
    fib->chains = vm_big_alloc(n_chains * sizeof *fib->chains);
    if (!fib->root || !fib->sides || !fib->chains) {
        vm_fib4_unref_(fib);
        return NULL;
    }
    return fib;
}

size_t
vm_fib4_memory(struct vm_fib4 *fib)
{
    pthread_mutex_lock(&fib->mutex);
    size_t n = (sizeof *fib + n_slots(fib) * (sizeof *fib->root
                                               + sizeof *fib->sides)
                + (fib->chain_mask + 1) * sizeof *fib->chains
                + (fib->wait.allocated + fib->next.allocated)
                  * sizeof(uint32_t)
                + vm_arena_memory(&fib->nodes)
                + vm_arena_memory(&fib->values)
                + vm_arena_memory(&fib->entries)
                + vm_arena_memory(&fib->owners));
    pthread_mutex_unlock(&fib->mutex);
    return n;
}

size_t
vm_fib4_count(const struct vm_fib4 *fib)
{
    return atomic_load_explicit(&fib->n_entries, memory_order_relaxed);
}
