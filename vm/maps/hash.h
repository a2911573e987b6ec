/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_HASH_H
#define VM_MAPS_HASH_H 1

/* Hash tables (hash, percpu_hash, lru_hash, lru_percpu_hash): layout, for the
 * kinds that share it and for JITs that inline lookups.
 *
 * A bucket is a tagged pointer to a chain of nodes: bit 0 is the writers'
 * lock, bits 48 to 63 are the highest bits of the hash of the node that it
 * points to.  Readers need no lock; a node that was unlinked stays as it is
 * until they are quiescent.  Updating an entry replaces its node, so that a
 * reader never sees half of a value.
 *
 * Nodes come from a slab made with the map (unless VM_MF_NO_PREALLOC), or
 * from malloc() when the slab's are all used or waiting for readers.
 *
 * A full LRU table evicts by a clock: its hand goes from bucket to bucket
 * and takes the first node that was not looked up since it last came by. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/map.h"

struct vm_hash_node {
    _Atomic uint64_t next;      /* Tagged. */
    uint32_t hash;              /* Low half. */
    uint16_t on_heap;           /* From malloc(). */
    _Atomic uint8_t used;       /* LRU: looked up since the hand passed. */
    struct vm_hash *table;
    uint8_t key[] __attribute__((aligned(8)));  /* Then the value, aligned
                                                 * to 8. */
};

struct vm_hash {
    struct vm_map map;
    uint64_t bucket_mask;       /* Number of buckets minus 1. */
    _Atomic uint64_t *buckets;
    uint64_t seed;
    uint32_t value_off;         /* In vm_hash_node.key. */
    uint32_t value_stride;      /* Per-CPU kinds: bytes between CPUs' values;
                                 * others: 0. */
    uint32_t node_size;
    bool lru;

    _Alignas(64) atomic_size_t count;
    _Atomic uint64_t hand;      /* LRU: the bucket to look at next. */
    atomic_flag free_lock;
    struct vm_hash_node *free_nodes;    /* Linked by 'next', untagged. */
    atomic_uint storage_refs;   /* The map, and nodes that wait for readers. */
    uint8_t *slab;
    size_t slab_size;
};

#define VM_HASH_LOCK UINT64_C(1)
#define VM_HASH_PTR (((UINT64_C(1) << 48) - 1) & ~VM_HASH_LOCK)

uint64_t vm_hash_key(const struct vm_hash *, const void *key);
struct vm_hash_node *vm_hash_find(const struct vm_hash *, const void *key,
                                  uint64_t hash);

#endif /* vm/maps/hash.h */
