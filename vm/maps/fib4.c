/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/maps/fib4.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"

#define N_ROOT (1u << VM_FIB4_ROOT_BITS)
#define NODE_UNIT 16u
#define MAX_CHAINS (1u << 24)
#define MAX_RETIRED (1u << 20)  /* Nodes that wait for readers. */
#define SLOTS 64

/* Levels of nodes.  Level 0 is the root. */
static const struct {
    unsigned above;             /* Bits before the node's. */
    unsigned bits;              /* That index it. */
} levels[] = { { 0, 18 }, { 18, 6 }, { 24, 6 }, { 30, 2 } };

static unsigned
level_of(unsigned len)
{
    return len <= 18 ? 0 : len <= 24 ? 1 : len <= 30 ? 2 : 3;
}

static uint32_t
prefix_mask(unsigned len)
{
    return len ? ~UINT32_C(0) << (32 - len) : 0;
}

static struct vm_fib4_node *
node_at(const struct vm_fib4 *fib, uint32_t handle)
{
    return vm_arena_ptr(&fib->nodes, handle);
}

static struct vm_fib4_entry *
entry_at(const struct vm_fib4 *fib, uint32_t handle)
{
    return vm_arena_ptr(&fib->entries, handle);
}

static void *
value_at(const struct vm_fib4 *fib, uint32_t handle)
{
    return handle ? vm_arena_ptr(&fib->values, handle) : NULL;
}

static unsigned
slot_of(uint32_t addr, unsigned level)
{
    return addr << levels[level].above >> (32 - levels[level].bits);
}

/* 'insn': the machine has an instruction for it. */
static inline unsigned
count_bits(uint64_t x, bool insn)
{
#if defined(__x86_64__)
    if (insn) {
        __asm__("popcnt %0, %0" : "+r"(x) : : "cc");
        return x;
    }
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333))
        + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return x * UINT64_C(0x0101010101010101) >> 56;
#else
    return __builtin_popcountll(x);
#endif
}

static bool
has_insn(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("popcnt");
#else
    return true;
#endif
}

static unsigned
n_leaves(const struct vm_fib4_node *node)
{
    return count_bits(node->starts, false);
}

static inline _Atomic uint32_t *
leaf_of(const struct vm_fib4 *fib, struct vm_fib4_node *node, unsigned slot)
{
    uint64_t upto = node->starts & ((UINT64_C(2) << slot) - 1);

    return &node->leaves[count_bits(upto, fib->has_insn) - 1];
}

static inline uint32_t
get32(_Atomic uint32_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

static void
set32(_Atomic uint32_t *p, uint32_t x)
{
    atomic_store_explicit(p, x, memory_order_release);
}

static inline uint32_t
root_of(uint32_t addr)
{
    return addr >> (32 - VM_FIB4_ROOT_BITS);
}

/* ## Readers. */

/* The longest prefix longer than /18 in and below the node 'child'. */
static inline uint32_t
find_below(const struct vm_fib4 *fib, uint32_t child, uint32_t addr)
{
    if (!child) {
        return 0;
    }

    uint32_t best = get32(leaf_of(fib, node_at(fib, child), addr >> 8 & 63));
    if (!(best & VM_FIB4_CHILD)) {
        return best;
    }
    child = best & ~VM_FIB4_CHILD;
    best = 0;
    for (unsigned level = 2; child; level++) {
        struct vm_fib4_node *node = node_at(fib, child);
        uint32_t here = get32(&node->best);
        uint32_t leaf = get32(leaf_of(fib, node, slot_of(addr, level)));

        child = leaf & VM_FIB4_CHILD ? leaf & ~VM_FIB4_CHILD : 0;
        best = leaf && !child ? leaf : here ? here : best;
    }
    return best;
}

/* A prefix up to /18 counts if nothing longer was there; and is the answer
 * only if none of them went in between, or something longer that came
 * before it went was missed. */
static __attribute__((noinline)) uint32_t
find_short(const struct vm_fib4 *fib, uint32_t addr)
{
    for (;;) {
        uint32_t removals = atomic_load_explicit(&fib->removals,
                                                 memory_order_acquire);
        uint32_t best = find_below(fib, get32(&fib->root[root_of(addr)]),
                                   addr);

        if (best) {
            return best;
        }
        best = get32(&fib->root_best[root_of(addr)]);
        if (removals == atomic_load_explicit(&fib->removals,
                                             memory_order_relaxed)) {
            return best;
        }
    }
}

static inline uint32_t
find(const struct vm_fib4 *fib, uint32_t addr)
{
    uint32_t best = find_below(fib, get32(&fib->root[root_of(addr)]), addr);

    return best ? best : find_short(fib, addr);
}

void *
vm_fib4_find(const struct vm_fib4 *fib, uint32_t addr)
{
    return value_at(fib, find(fib, addr));
}

void
vm_fib4_find_burst(const struct vm_fib4 *fib, const uint32_t *addrs,
                   unsigned n, void **values)
{
    uint32_t nodes[VM_MAP_BURST];

    for (unsigned i = 0; i < n; i++) {
        __builtin_prefetch((void *) &fib->root[root_of(addrs[i])]);
    }
    for (unsigned i = 0; i < n; i++) {
        nodes[i] = get32(&fib->root[root_of(addrs[i])]);
        __builtin_prefetch(nodes[i] ? (void *) node_at(fib, nodes[i])
                           : (void *) &fib->root_best[root_of(addrs[i])]);
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t best = find_below(fib, nodes[i], addrs[i]);

        best = best ? best : find_short(fib, addrs[i]);
        values[i] = value_at(fib, best);
        __builtin_prefetch(values[i]);
    }
}

void
vm_fib4_prefetch(const struct vm_fib4 *fib, uint32_t addr)
{
    uint32_t node = get32(&fib->root[root_of(addr)]);

    if (node) {
        __builtin_prefetch(node_at(fib, node));
    }
}

void
vm_fib4_prefetch_value(const struct vm_fib4 *fib, uint32_t addr)
{
    __builtin_prefetch(value_at(fib, find(fib, addr)));
}

/* ## Entries. */

static _Atomic uint32_t *
chain_of(const struct vm_fib4 *fib, uint32_t addr, unsigned len)
{
    uint64_t prefix = (uint64_t) len << 32 | (addr & prefix_mask(len));
    uint64_t h = vm_hash_mix(prefix ^ fib->seed, prefix ^ ~fib->seed);

    return &fib->chains[h & fib->chain_mask];
}

/* The entry of exactly that prefix, or 0. */
static uint32_t
exact(const struct vm_fib4 *fib, uint32_t addr, unsigned len)
{
    uint32_t h = get32(chain_of(fib, addr, len));

    while (h) {
        struct vm_fib4_entry *e = entry_at(fib, h);

        if (e->len == len && !((e->addr ^ addr) & prefix_mask(len))) {
            break;
        }
        h = get32(&e->next);
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

void *
vm_fib4_at_most(const struct vm_fib4 *fib, uint32_t addr, unsigned len)
{
    return value_at(fib, exact_range(fib, addr, 0, len));
}

static void
chain_add(struct vm_fib4 *fib, uint32_t h)
{
    struct vm_fib4_entry *e = entry_at(fib, h);
    _Atomic uint32_t *chain = chain_of(fib, e->addr, e->len);

    set32(&e->next, get32(chain));
    set32(chain, h);
}

/* Takes entry 'h' out of its chain, and puts 'new' in its place unless that
 * is 0. */
static void
chain_replace(struct vm_fib4 *fib, uint32_t h, uint32_t new)
{
    struct vm_fib4_entry *e = entry_at(fib, h);
    _Atomic uint32_t *link = chain_of(fib, e->addr, e->len);

    while (get32(link) != h) {
        link = &entry_at(fib, get32(link))->next;
    }
    if (new) {
        set32(&entry_at(fib, new)->next, get32(&e->next));
        set32(link, new);
    } else {
        set32(link, get32(&e->next));
    }
}

/* ## Nodes, for the writer. */

/* A node spread out: what each slot has itself, and the node below. */
struct slots {
    uint32_t best[SLOTS];
    uint32_t child[SLOTS];
};

static unsigned
node_class(unsigned n)
{
    size_t units = (offsetof(struct vm_fib4_node, leaves)
                    + n * sizeof(uint32_t) + NODE_UNIT - 1) / NODE_UNIT;

    return units > 1 ? 32 - __builtin_clz(units - 1) : 0;
}

/* The node of 'level' on the way to 'addr', or 0. */
static uint32_t
node_on_way(const struct vm_fib4 *fib, uint32_t addr, unsigned level)
{
    uint32_t node = get32(&fib->root[root_of(addr)]);

    for (unsigned i = 1; node && i < level; i++) {
        uint32_t leaf = get32(leaf_of(fib, node_at(fib, node),
                                        slot_of(addr, i)));

        node = leaf & VM_FIB4_CHILD ? leaf & ~VM_FIB4_CHILD : 0;
    }
    return node;
}

static void
spread(const struct vm_fib4 *fib, uint32_t handle, struct slots *s)
{
    memset(s, 0, sizeof *s);
    if (!handle) {
        return;
    }

    struct vm_fib4_node *node = node_at(fib, handle);
    for (unsigned i = 0, run = 0; i < SLOTS; i++) {
        run += node->starts >> i & 1;

        uint32_t leaf = get32(&node->leaves[run - 1]);
        if (leaf & VM_FIB4_CHILD) {
            s->child[i] = leaf & ~VM_FIB4_CHILD;
            s->best[i] = get32(&node_at(fib, s->child[i])->best);
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
put_slots(struct vm_fib4 *fib, uint32_t addr, unsigned level,
          const struct slots *s)
{
    uint32_t old = node_on_way(fib, addr, level);
    uint32_t leaves[SLOTS], new = 0;
    uint64_t starts = 0;
    unsigned n = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        uint32_t leaf = (s->child[i] ? s->child[i] | VM_FIB4_CHILD
                         : s->best[i]);

        if (!n || leaf != leaves[n - 1]) {
            starts |= UINT64_C(1) << i;
            leaves[n++] = leaf;
        }
    }
    if (n > 1 || leaves[0]) {
        new = vm_arena_alloc(&fib->nodes, node_class(n));
        if (!new) {
            return -ENOMEM;
        }

        struct vm_fib4_node *node = node_at(fib, new);
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
    for (unsigned i = 0; i < SLOTS; i++) {
        if (s->child[i]) {
            set32(&node_at(fib, s->child[i])->best, s->best[i]);
        }
    }
    if (old) {
        vm_arena_retire(&fib->nodes, old,
                        node_class(n_leaves(node_at(fib, old))));
    }
    return 0;
}

/* Makes 'child' (0: nothing) the node of 'level' on the way to 'addr'. */
static int
set_child(struct vm_fib4 *fib, uint32_t addr, unsigned level, uint32_t child)
{
    if (level == 1) {
        set32(&fib->root[root_of(addr)], child);
        return 0;
    }

    uint32_t above = node_on_way(fib, addr, level - 1);
    unsigned slot = slot_of(addr, level - 1);
    struct slots s;

    if (child && above) {
        /* One word, if the slot has a node now. */
        _Atomic uint32_t *leaf = leaf_of(fib, node_at(fib, above), slot);
        uint32_t now = get32(leaf);

        if (now & VM_FIB4_CHILD) {
            atomic_init(&node_at(fib, child)->best,
                        get32(&node_at(fib, now & ~VM_FIB4_CHILD)->best));
            set32(leaf, child | VM_FIB4_CHILD);
            return 0;
        }
    }
    spread(fib, above, &s);
    s.child[slot] = child;
    if (child) {
        atomic_init(&node_at(fib, child)->best, s.best[slot]);
    }
    return put_slots(fib, addr, level - 1, &s);
}

/* ## The writer. */

/* Lets entry 'to' stand where 'from' does (from == 0: wherever nothing longer
 * does) in the range of 'addr'/'len'. */
static int
replace(struct vm_fib4 *fib, const struct vm_fib4_change *c, uint32_t from,
        uint32_t to)
{
    unsigned level = level_of(c->len);
    uint32_t first = slot_of(c->addr & prefix_mask(c->len), level);
    uint32_t n = 1u << (levels[level].above + levels[level].bits - c->len);
    struct slots s;

    if (!level) {
        unsigned to_len = to ? entry_at(fib, to)->len + 1 : 0;

        for (uint32_t i = first; i < first + n; i++) {
            if (from ? get32(&fib->root_best[i]) == from
                : fib->root_len[i] <= to_len) {
                set32(&fib->root_best[i], to);
                fib->root_len[i] = to_len;
            }
        }
        return 0;
    }

    spread(fib, node_on_way(fib, c->addr, level), &s);
    for (uint32_t i = first; i < first + n; i++) {
        if (from ? s.best[i] == from
            : !s.best[i] || entry_at(fib, s.best[i])->len <= c->len) {
            s.best[i] = to;
        }
    }
    return put_slots(fib, c->addr, level, &s);
}

static uint32_t
entry_new(struct vm_fib4 *fib, const struct vm_fib4_change *c)
{
    uint32_t h = vm_arena_alloc(&fib->values, 0);

    if (h && !vm_arena_reserve(&fib->entries, h)) {
        vm_arena_free(&fib->values, h, 0);
        h = 0;
    }
    if (h) {
        struct vm_fib4_entry *e = entry_at(fib, h);

        e->addr = c->addr;
        e->len = c->len;
        memcpy(value_at(fib, h), c->value, fib->value_size);
    }
    return h;
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
    if (!new || replace(fib, c, old, new)) {
        if (new) {
            vm_arena_free(&fib->values, new, 0);
        }
        return -ENOMEM;
    }
    if (old) {
        chain_replace(fib, old, new);
        vm_arena_retire(&fib->values, old, 0);
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
    unsigned level = level_of(c->len);
    uint32_t old = exact(fib, c->addr, c->len);

    if (!old) {
        return -ENOENT;
    }

    /* What is shorter and covers it in this level. */
    uint32_t cover = exact_range(fib, c->addr,
                                 level ? levels[level].above + 1 : 0,
                                 (int) c->len - 1);
    atomic_fetch_add_explicit(&fib->removals, 1, memory_order_relaxed);
    int error = replace(fib, c, old, cover);
    if (!error) {
        chain_replace(fib, old, 0);
        atomic_fetch_sub(&fib->n_entries, 1);
        vm_arena_retire(&fib->values, old, 0);
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

    while (++h < fib->values.n_units) {
        const struct vm_fib4_entry *e = entry_at(fib, h);

        /* Only an entry that is in use is found by its prefix. */
        if (exact(fib, e->addr, e->len) == h) {
            next->addr = e->addr;
            next->len = e->len;
            break;
        }
    }
    bool found = h < fib->values.n_units;
    pthread_mutex_unlock(&fib->mutex);
    return found;
}

/* ## The whole. */

static void
fib_ref(void *fib_)
{
    struct vm_fib4 *fib = fib_;

    atomic_fetch_add_explicit(&fib->refs, 1, memory_order_relaxed);
}

static void
fib_unref(void *fib_)
{
    struct vm_fib4 *fib = fib_;

    if (atomic_fetch_sub_explicit(&fib->refs, 1, memory_order_acq_rel)
        == 1) {
        vm_arena_destroy(&fib->nodes);
        vm_arena_destroy(&fib->values);
        vm_arena_destroy(&fib->entries);
        vm_big_free((void *) fib->root, N_ROOT * sizeof *fib->root);
        vm_big_free((void *) fib->root_best,
                    N_ROOT * sizeof *fib->root_best);
        vm_big_free((void *) fib->chains,
                    (fib->chain_mask + 1) * sizeof *fib->chains);
        vm_big_free(fib->root_len, N_ROOT);
        pthread_mutex_destroy(&fib->mutex);
        free(fib);
    }
}

void
vm_fib4_unref(struct vm_fib4 *fib)
{
    fib_unref(fib);
}

struct vm_fib4 *
vm_fib4_new(uint32_t max_entries, uint32_t value_size)
{
    struct vm_fib4 *fib = calloc(1, sizeof *fib);
    uint32_t n_chains = 16;

    if (!fib) {
        return NULL;
    }
    while (n_chains < max_entries && n_chains < MAX_CHAINS) {
        n_chains *= 2;
    }
    atomic_init(&fib->refs, 1);
    pthread_mutex_init(&fib->mutex, NULL);
    fib->has_insn = has_insn();
    fib->chain_mask = n_chains - 1;
    fib->seed = vm_hash_seed();
    fib->value_size = value_size;
    fib->max_entries = max_entries;
    fib->nodes.unit = NODE_UNIT;
    fib->values.unit = (value_size + 7) & ~7u;
    fib->entries.unit = sizeof(struct vm_fib4_entry);
    struct vm_arena *arenas[] = { &fib->nodes, &fib->values };
    for (int i = 0; i < 2; i++) {
        arenas[i]->max_units = VM_FIB4_CHILD;
        arenas[i]->lock = &fib->mutex;
        arenas[i]->ref = fib_ref;
        arenas[i]->unref = fib_unref;
        arenas[i]->owner = fib;
    }
    fib->root = vm_big_alloc(N_ROOT * sizeof *fib->root);
    fib->root_best = vm_big_alloc(N_ROOT * sizeof *fib->root_best);
    fib->root_len = vm_big_alloc(N_ROOT);
    fib->chains = vm_big_alloc(n_chains * sizeof *fib->chains);
    if (!fib->root || !fib->root_best || !fib->root_len || !fib->chains) {
        fib_unref(fib);
        return NULL;
    }
    return fib;
}

size_t
vm_fib4_memory(struct vm_fib4 *fib)
{
    pthread_mutex_lock(&fib->mutex);
    size_t n = (sizeof *fib + N_ROOT * (2 * sizeof *fib->root + 1)
                + (fib->chain_mask + 1) * sizeof *fib->chains
                + vm_arena_memory(&fib->nodes)
                + vm_arena_memory(&fib->values)
                + vm_arena_memory(&fib->entries));
    pthread_mutex_unlock(&fib->mutex);
    return n;
}
