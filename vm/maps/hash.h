/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_HASH_H
#define VM_MAPS_HASH_H 1

/* Hash tables (hash, percpu_hash, lru_hash, lru_percpu_hash): layout, for
 * hash.c and for JITs that inline lookups.
 *
 * A bucket is one cache line of seven tagged pointers to nodes: bits 0 to 47
 * are the address, bits 48 to 63 the tag, which is the highest bits of the
 * node's hash, the lowest of them set.  So an empty slot, 0, has no tag.  An
 * entry lies where its hash wants it (vm_hash_home()) if that slot is free,
 * else in another one of its bucket, or of the lines that follow it ('more')
 * when it is full.  A full map has four entries or fewer in a bucket, on
 * average.
 *
 * Readers need no lock: an entry never moves from slot to slot.  Updating one
 * replaces its node, by one store, so that a reader never sees half of a
 * value; a node that was unlinked stays as it is until readers are quiescent.
 *
 * ## Inlining a lookup
 *
 * All of struct vm_hash before 'count' is constant after creation.
 *
 *     h    = vm_hash_fixed(key, map.key_size, hash_start, hash_mask)
 *            | VM_HASH_TAG_BIT
 *     slot = buckets[h & bucket_mask].slots[vm_hash_home(h)]
 *     if ((slot ^ h) >> 48) goto call;
 *     node = slot & VM_HASH_PTR
 *     if (memcmp(node->key, key, map.key_size)) goto call;
 *     value = node->key + value_off
 *     percpu kinds: value += vm_cpu() * value_stride
 *     LRU kinds: node->node.used = 1 if it is 0
 *
 * and 'call' is the kind's lookup() (lookup_hash() with 'h' as the cookie
 * knows the hash already): the entry lies elsewhere or nowhere.  About 70% of
 * the entries of a full map lie at home.  'slot' is one 64-bit load; x86-64
 * and AArch64 order what depends on it.
 *
 * A full LRU table evicts by a clock: its hand goes from bucket to bucket
 * and takes the first node that was not looked up since it last came by. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/map.h"
#include "vm/maps/pool.h"

#define VM_HASH_SLOTS 7

struct vm_hash_bucket {
    _Atomic uint64_t more;      /* VM_HASH_LOCK: a writer is in the bucket.
                                 * The rest: address of the line that
                                 * follows, or 0. */
    _Atomic uint64_t slots[VM_HASH_SLOTS];
} __attribute__((aligned(64)));

struct vm_hash_node {
    struct vm_node node;        /* node.used: LRU kinds. */
    uint8_t key[];              /* Then the value, aligned to 8. */
};

struct vm_hash {
    struct vm_map map;
    uint64_t bucket_mask;       /* Number of buckets minus 1. */
    struct vm_hash_bucket *buckets;
    uint64_t hash_start;        /* For vm_hash_fixed(). */
    uint64_t hash_mask;
    uint32_t value_off;         /* In vm_hash_node.key. */
    uint32_t value_stride;      /* Per-CPU kinds: bytes between CPUs' values;
                                 * others: 0. */
    bool lru;
    struct vm_pool *pool;

    _Alignas(64) atomic_size_t count;
    _Atomic uint64_t hand;      /* LRU: the bucket to look at next. */
    atomic_size_t n_more;       /* Lines beyond the buckets. */
};

#define VM_HASH_LOCK UINT64_C(1)
#define VM_HASH_PTR ((UINT64_C(1) << 48) - 1)
#define VM_HASH_TAG_BIT (UINT64_C(1) << 48)

/* The lookup in this map alone, for callers that know it: up to 40 bytes the
 * key is hashed and compared in registers, and the entry that lies at home
 * takes no loop.  NULL: longer keys, or no hash table. */
typedef void *vm_hash_lookup_fn(struct vm_map *, const void *key);
vm_hash_lookup_fn *vm_hash_lookup_of(const struct vm_map *);

/* The slot that a hash wants: bits 32 to 47, scaled. */
static inline uint32_t
vm_hash_home(uint64_t h)
{
    return (uint32_t) (h >> 32 & 0xffff) * VM_HASH_SLOTS >> 16;
}

#endif /* vm/maps/hash.h */
