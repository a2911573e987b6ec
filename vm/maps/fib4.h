/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_FIB4_H
#define VM_MAPS_FIB4_H 1

/* Longest prefix match over 32-bit keys: a multibit trie.
 *
 * What: the first 18 bits of an address index an array of cache lines, and
 * the next 6 a bitmap in it (after the poptrie, Asai and Ohara, SIGCOMM 2015,
 * but with the nodes of the first level in the root array, and each prefix
 * only in the level that its length falls into).  fib4-internal.h tells how.
 *
 * Entries are found by prefix and length, too, through a chained hash, and
 * live until readers are quiescent; their values do not move.
 *
 * A lookup takes one cache line if values have at most 8 bytes, its prefix is
 * one of /19 to /24, and there are at most 5 such ones in that stretch of
 * /18; else a second one for the value, or a node, and two or three more for
 * /25 to /32.  So it is, too, as long as readers were not quiescent after a
 * change in that stretch.
 *
 * Memory: 72 bytes for each /18 (18.9 MB; 1.2 MB, and /14, if the map is for
 * fewer than 65536 entries), 24 for each entry with a value of 8.
 *
 * Threads: vm_fib4_find*(), vm_fib4_prefetch*() and vm_fib4_at_most() any, at
 * any time; the rest takes a lock. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/maps/arena.h"

struct vm_fib4;

struct vm_fib4 *vm_fib4_new(uint32_t max_entries, uint32_t value_size);
void vm_fib4_unref(struct vm_fib4 *);

/* The value of the longest prefix of 'addr', or NULL. */
void *vm_fib4_find(const struct vm_fib4 *, uint32_t addr);
/* The same among prefixes of at most 'len' bits. */
void *vm_fib4_at_most(const struct vm_fib4 *, uint32_t addr, unsigned len);
/* Lookups of 'n' keys of an lpm_trie, { length, address }.  Values are
 * prefetched. */
void vm_fib4_find_burst(const struct vm_fib4 *, const void *const *keys,
                        unsigned n, void **values);
/* Prefetch what vm_fib4_find() reads first, and last. */
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
size_t vm_fib4_count(const struct vm_fib4 *);

#endif /* vm/maps/fib4.h */
