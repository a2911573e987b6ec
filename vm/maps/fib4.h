/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_FIB4_H
#define VM_MAPS_FIB4_H 1

/* Longest prefix match over 32-bit keys: a compressed multibit trie.
 *
 * What: the first 18 bits index an array, then 6, 6 and 2 bits index nodes
 * (struct vm_fib4_node).  A node has 64 slots, kept as runs of equal ones: a
 * bit says where a run begins, and the number of bits up to a slot is the
 * place of its run's leaf.  (After the poptrie, Asai and Ohara, SIGCOMM 2015;
 * other than there, a prefix stays in the level that its length falls into
 * and a leaf says "nothing in this level" where there is none.  So a change
 * touches one node, or for prefixes up to /18 a stretch of the array.)
 *
 * Entries are found by prefix and length, too, through a chained hash, and
 * live until readers are quiescent; their values do not move.
 *
 * A lookup takes three cache lines that depend on each other: of the array
 * (1 MB), of a node (of 16 to 64 bytes, mostly), and of the value.
 *
 * Threads: vm_fib4_find(), vm_fib4_prefetch*() and vm_fib4_at_most() any, at
 * any time; the rest takes a lock. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/maps/arena.h"

#define VM_FIB4_ROOT_BITS 18
#define VM_FIB4_CHILD 0x80000000u       /* In a leaf: a node; else an
                                         * entry, or 0. */

struct vm_fib4_entry {
    uint32_t addr;              /* Its first bit is the highest one; bits
                                 * beyond 'len' are as they were given. */
    _Atomic uint32_t next;      /* In the hash's chain. */
    uint8_t len;
};

struct vm_fib4_node {
    uint64_t starts;            /* Where runs begin; bit 0 is set. */
    _Atomic uint32_t best;      /* What the slot above has itself, or 0. */
    _Atomic uint32_t leaves[];
};

struct vm_fib4 {
    _Atomic uint32_t *root;     /* Nodes. */
    bool has_insn;              /* The machine counts bits. */
    _Atomic uint32_t removals;  /* Entries that went, so far. */
    _Atomic uint32_t *root_best;        /* Entries up to /18. */
    struct vm_arena nodes;
    struct vm_arena values;     /* An entry's handle is that of its value; */
    struct vm_arena entries;    /* the rest of it is read by writers. */

    atomic_uint refs;
    pthread_mutex_t mutex;
    uint8_t *root_len;          /* Length of root's entry plus 1, or 0. */
    _Atomic uint32_t *chains;
    uint32_t chain_mask;
    uint64_t seed;
    uint32_t value_size;
    uint32_t max_entries;
    atomic_size_t n_entries;
};

struct vm_fib4 *vm_fib4_new(uint32_t max_entries, uint32_t value_size);
void vm_fib4_unref(struct vm_fib4 *);

/* The value of the longest prefix of 'addr', or NULL. */
void *vm_fib4_find(const struct vm_fib4 *, uint32_t addr);
/* The same among prefixes of at most 'len' bits. */
void *vm_fib4_at_most(const struct vm_fib4 *, uint32_t addr, unsigned len);
/* vm_fib4_find() for at most VM_MAP_BURST addresses; values are
 * prefetched. */
void vm_fib4_find_burst(const struct vm_fib4 *, const uint32_t *addrs,
                        unsigned n, void **values);
/* Prefetch what vm_fib4_find() reads second, and third. */
void vm_fib4_prefetch(const struct vm_fib4 *, uint32_t addr);
void vm_fib4_prefetch_value(const struct vm_fib4 *, uint32_t addr);

/* A change, or the name of an entry. */
struct vm_fib4_change {
    uint32_t addr;              /* Bits beyond 'len' do not count. */
    unsigned len;               /* 32 at most. */
    const void *value;
    uint64_t flags;             /* VM_ANY ... */
};

/* Errors are those of Linux's lpm_trie. */
int vm_fib4_update(struct vm_fib4 *, const struct vm_fib4_change *);
int vm_fib4_delete(struct vm_fib4 *, const struct vm_fib4_change *);

/* Fills 'addr' and 'len' with those of the entry after 'after'; of the first
 * one if there is no such entry, or 'after' is NULL.  False after the
 * last. */
bool vm_fib4_next(struct vm_fib4 *, const struct vm_fib4_change *after,
                  struct vm_fib4_change *next);

size_t vm_fib4_memory(struct vm_fib4 *);

#endif /* vm/maps/fib4.h */
