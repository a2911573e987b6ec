/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_FIB4_INTERNAL_H
#define VM_MAPS_FIB4_INTERNAL_H 1

/* What the trie of fib4.h consists of, for the fib4*.c files.
 *
 * Levels: level 0 is the root, an array of slots that the first 18 bits of an
 * address (14 in small maps) index.  Levels 1, 2 and 3 index 64 positions
 * with 6 bits each; bits beyond the 32nd are 0.  A prefix belongs to the
 * level that its last bit falls into, and only to that one; where a level has
 * nothing, the next shorter prefix of the levels above counts.  So a change
 * touches one node, or for the prefixes of level 0 a stretch of slots.
 *
 * A slot of the root is one cache line, and has its level 1 in it in most
 * cases: 'starts' marks where runs of equal positions begin, and 'runs' tells
 * for each what it has: 0, or the number of an entry of this slot.  What that
 * number stands for depends on the values.  If they have at most 8 bytes, up
 * to 5 of them lie in the slot itself, so that a lookup needs one cache line
 * ("cells"); a longer prefix or a shorter one has its value elsewhere.  Larger
 * values all lie elsewhere, and the slot has up to 10
 * handles.
 *
 * How that is changed under readers: never while there may be any.  A change
 * makes a node beside the slot and publishes it in 'node', which overrides
 * what lies in the slot.  When readers have been quiescent after that, none
 * is left that looks at the slot's own runs: then the node is folded into the
 * slot and 'node' becomes 0.  What does not fit, or has nodes below it, stays
 * a node.  A reader that finds 0 in 'node' before and after it read the rest
 * has seen one state of it, as 'node' does not become 0 again while it
 * reads.  (What it read is dropped otherwise, so it may read it first.) */

#include "vm/maps/fib4.h"

/* A leaf: 0, nothing; a handle of a value; or one of these with a number. */
#define VM_FIB4_CHILD 0x80000000u       /* A node below. */
#define VM_FIB4_CELL  0x40000000u       /* A cell of the slot, from 1. */

#define VM_FIB4_NODE_UNIT 16u           /* Bytes. */
#define VM_FIB4_POSITIONS 64
#define VM_FIB4_CELLS 5
#define VM_FIB4_LEAVES 10
#define VM_FIB4_RUNS 15

struct vm_fib4_slot {
    _Atomic uint64_t starts;    /* Where runs begin, but for a first one that
                                 * has nothing. */
    _Atomic uint64_t runs;              /* 4 bits for each; the lowest ones are
                                 * positions' before the first start. */
    _Atomic uint32_t node;      /* Level 1, or 0: it lies in here. */
    _Atomic uint32_t best;      /* The longest of level 0, or 0. */
    union {
        uint64_t cells[VM_FIB4_CELLS];
        _Atomic uint32_t leaves[VM_FIB4_LEAVES];
    };
} __attribute__((aligned(64)));

/* What only writers know of a slot. */
struct vm_fib4_side {
    uint8_t len;                /* Of 'best', plus 1; or 0. */
    bool queued;                /* To be folded. */
    uint8_t used;               /* Cells, a bit for each. */
    uint8_t lens[VM_FIB4_CELLS];        /* Of their prefixes. */
};

struct vm_fib4_node {
    uint64_t starts;            /* Where runs begin; bit 0 is set. */
    _Atomic uint32_t best;      /* What the position above has itself, or
                                 * 0. */
    _Atomic uint32_t leaves[];
};

struct vm_fib4_entry {
    uint32_t addr;              /* Its first bit is the highest one; bits
                                 * beyond 'len' are as they were given. */
    _Atomic uint32_t next;      /* In the hash's chain. */
    uint32_t leaf;              /* Where its value is. */
    uint8_t len;
};

/* What waits for readers: slots to be folded, with a number from 1 above the
 * slot's: cells to be freed. */
struct vm_fib4_list {
    uint32_t *what;
    size_t n, allocated;
};

#define VM_FIB4_CELL_SHIFT 24

struct vm_fib4 {
    struct vm_fib4_slot *root;
    unsigned root_bits;
    bool has_insn;              /* The machine counts bits. */
    bool has_cells;             /* Values have at most 8 bytes. */
    _Atomic uint32_t changes;   /* Begun so far. */
    struct vm_arena values;     /* Those that are not in cells: few, and so
                                 * they are near. */
    struct vm_arena nodes;
    struct vm_arena entries;
    struct vm_arena owners;     /* The entries of values, by their handle. */

    atomic_uint refs;
    pthread_mutex_t mutex;
    struct vm_fib4_side *sides; /* One for each slot. */
    struct vm_fib4_list wait;   /* For the call in vm_defer(). */
    struct vm_fib4_list next;   /* Since that call. */
    _Atomic uint32_t *chains;
    uint32_t chain_mask;
    uint64_t seed;
    uint32_t value_size;
    uint32_t max_entries;
    atomic_size_t n_entries;
};

/* 'insn': the machine has an instruction for it. */
static inline unsigned
vm_fib4_count_bits(uint64_t x, bool insn)
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

static inline uint64_t
vm_fib4_get64(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

static inline void
vm_fib4_set64(_Atomic uint64_t *p, uint64_t x)
{
    atomic_store_explicit(p, x, memory_order_relaxed);
}

static inline uint32_t
vm_fib4_get(const _Atomic uint32_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

static inline void
vm_fib4_set(_Atomic uint32_t *p, uint32_t x)
{
    atomic_store_explicit(p, x, memory_order_release);
}

/* Bits before those that index 'level'. */
static inline unsigned
vm_fib4_above(const struct vm_fib4 *fib, unsigned level)
{
    return level ? fib->root_bits + 6 * (level - 1) : 0;
}

/* Where 'addr' is in a node of 'level' (1 or more). */
static inline unsigned
vm_fib4_position(const struct vm_fib4 *fib, uint32_t addr, unsigned level)
{
    return addr << vm_fib4_above(fib, level) >> 26;
}

static inline uint32_t
vm_fib4_root_index(const struct vm_fib4 *fib, uint32_t addr)
{
    return addr >> (32 - fib->root_bits);
}

static inline struct vm_fib4_slot *
vm_fib4_slot(const struct vm_fib4 *fib, uint32_t addr)
{
    return &fib->root[vm_fib4_root_index(fib, addr)];
}

static inline struct vm_fib4_node *
vm_fib4_node(const struct vm_fib4 *fib, uint32_t handle)
{
    return vm_arena_ptr(&fib->nodes, handle);
}

static inline struct vm_fib4_entry *
vm_fib4_entry(const struct vm_fib4 *fib, uint32_t handle)
{
    return vm_arena_ptr(&fib->entries, handle);
}

/* 'yes' if 'x' is not 0, else 'no', without a branch: none of those that the
 * memory of a table decides can be predicted, and each costs as much as a
 * cache miss, because no other lookup goes on meanwhile. */
static inline uintptr_t
vm_fib4_select(uint32_t x, uintptr_t yes, uintptr_t no)
{
    uintptr_t mask = -(uintptr_t) (x != 0);

    __asm__("" : "+r"(mask));   /* Or compilers see a branch in it. */
    return (yes & mask) | (no & ~mask);
}

/* A value that is in no cell, or NULL for handle 0. */
static inline void *
vm_fib4_value(const struct vm_fib4 *fib, uint32_t handle)
{
    return (void *) vm_fib4_select(
        handle, (uintptr_t) vm_arena_ptr(&fib->values, handle), 0);
}

/* The value that a leaf stands for. */
static inline void *
vm_fib4_leaf_value(const struct vm_fib4 *fib, struct vm_fib4_slot *slot,
                   uint32_t leaf)
{
    return (leaf & VM_FIB4_CELL ? &slot->cells[(leaf & 7) - 1]
            : vm_fib4_value(fib, leaf));
}

static inline uint32_t *
vm_fib4_owner(const struct vm_fib4 *fib, uint32_t handle)
{
    return vm_arena_ptr(&fib->owners, handle);
}

static inline _Atomic uint32_t *
vm_fib4_leaf(const struct vm_fib4 *fib, struct vm_fib4_node *node,
             unsigned position)
{
    uint64_t upto = node->starts & ((UINT64_C(2) << position) - 1);

    return &node->leaves[vm_fib4_count_bits(upto, fib->has_insn) - 1];
}

static inline uint32_t
vm_fib4_mask(unsigned len)
{
    return len ? ~UINT32_C(0) << (32 - len) : 0;
}

/* The level that a prefix of 'len' bits belongs to. */
static inline unsigned
vm_fib4_level(const struct vm_fib4 *fib, unsigned len)
{
    return len <= fib->root_bits ? 0 : (len - fib->root_bits + 5) / 6;
}

/* ## Writers, with the mutex (fib4-nodes.c). */

/* Lets leaf 'to' stand where 'from' does (from == 0: wherever nothing longer
 * does) in the range of 'addr'/'len'.  -ENOMEM: nothing changed. */
int vm_fib4_replace(struct vm_fib4 *, const struct vm_fib4_change *,
                    uint32_t from, uint32_t to);

/* The number of a free cell for a prefix, or 0. */
unsigned vm_fib4_cell_alloc(struct vm_fib4 *, uint32_t addr, unsigned len);
void vm_fib4_cell_free(struct vm_fib4 *, uint32_t addr, unsigned cell);
/* Frees it after quiescence.  (Without memory to remember it, never.) */
void vm_fib4_cell_retire(struct vm_fib4 *, uint32_t addr, unsigned cell);

/* References of what waits for readers. */
void vm_fib4_ref(void *fib);
void vm_fib4_unref_(void *fib);

#endif /* vm/maps/fib4-internal.h */
