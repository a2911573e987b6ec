/* SPDX-License-Identifier: Apache-2.0 */

/* Lookups in hash tables, one function for each size of key: what a compiler
 * makes of a size that it knows has neither loops nor calls. */

#include "vm/maps/hash.h"

#include <string.h>

#define inline_ inline __attribute__((always_inline))

/* 'n' bytes, at most 8, as a word; by parts, as programs store them: a load
 * that spans stores waits for them. */
static inline_ uint64_t
word_of(const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    unsigned int shift = 0;

    if (n == 8) {
        memcpy(&word, p, 8);
        return word;
    }
    if (n & 4) {
        uint32_t part;

        memcpy(&part, p, 4);
        word = part;
        p += 4;
        shift = 32;
    }
    if (n & 2) {
        uint16_t part;

        memcpy(&part, p, 2);
        word |= (uint64_t) part << shift;
        p += 2;
        shift += 16;
    }
    return n & 1 ? word | (uint64_t) *p << shift : word;
}

/* vm_hash_fixed(). */
static inline_ uint64_t
hash_of(const struct vm_hash *t, const uint8_t *p, size_t n)
{
    uint64_t h = t->hash_start;

    for (; n >= 16; n -= 16, p += 16) {
        h = vm_hash_mix(word_of(p, 8) ^ t->hash_mask, word_of(p + 8, 8) ^ h);
    }
    return vm_hash_mix(word_of(p, n > 8 ? 8 : n) ^ ~t->hash_mask,
                       (n > 8 ? word_of(p + 8, n - 8) : 0) ^ h);
}

static inline_ bool
key_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint64_t bits = 0;

#pragma GCC unroll 5
    for (size_t i = 0; i < n; i += 8) {
        size_t size = n - i < 8 ? n - i : 8;

        bits |= word_of(a + i, size) ^ word_of(b + i, size);
    }
    return !bits;
}

typedef uint16_t words __attribute__((vector_size(16)));
typedef uint64_t slots __attribute__((vector_size(16)));

/* Whether no slot of the key's only line has the tag of 'h'; all are looked
 * at together, as where an entry lies cannot be predicted.  'more', the first
 * word, is an address: no tag.  A writer's store of a slot shows as a whole
 * here, too. */
static inline_ __attribute__((no_sanitize_thread)) bool
is_absent(const struct vm_hash_bucket *bucket, uint64_t h)
{
    const words *line = (const words *) bucket;
    const words tag = (words) { 0 } + (uint16_t) (h >> 48);
    slots found = (slots) ((line[0] == tag) | (line[1] == tag)
                           | (line[2] == tag) | (line[3] == tag));

    return !((found[0] | found[1]) >> 48)
           && (*(const volatile uint64_t *) bucket & ~VM_HASH_LOCK) == 0;
}

/* An entry that does not lie at home is lookup_hash()'s to find. */
static __attribute__((noinline, no_sanitize_thread)) void *
look_elsewhere(struct vm_map *map, const void *key, uint64_t h,
               const struct vm_hash_bucket *bucket)
{
    return (is_absent(bucket, h) ? NULL
            : map->ops->lookup_hash(map, key, h));
}

static inline_ void *
look_up(struct vm_map *map, const void *key, size_t n, bool per_cpu)
{
    const struct vm_hash *t = (const struct vm_hash *) map;
    uint64_t h = hash_of(t, key, n) | VM_HASH_TAG_BIT;
    struct vm_hash_bucket *bucket = &t->buckets[h & t->bucket_mask];
    uint64_t slot = atomic_load_explicit(&bucket->slots[vm_hash_home(h)],
                                         memory_order_acquire);
    struct vm_hash_node *node = (void *) (uintptr_t) (slot & VM_HASH_PTR);

    if ((slot ^ h) >> 48 || !key_equal(node->key, key, n)) {
        return look_elsewhere(map, key, h, bucket);
    }
    if (t->lru && !atomic_load_explicit(&node->node.used,
                                        memory_order_relaxed)) {
        atomic_store_explicit(&node->node.used, 1, memory_order_relaxed);
    }
    return (node->key + ((n + 7) & ~(size_t) 7)
            + (per_cpu ? (size_t) vm_cpu() * t->value_stride : 0));
}

#define SIZES(X)                                                              \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)      \
    X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25)   \
    X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33) X(34) X(35) X(36) X(37)   \
    X(38) X(39) X(40)

#define FUNCTIONS(N)                                                          \
    static void *                                                             \
    look_up_##N(struct vm_map *map, const void *key)                          \
    {                                                                         \
        return look_up(map, key, N, false);                                   \
    }                                                                         \
    static void *                                                             \
    look_up_mine_##N(struct vm_map *map, const void *key)                     \
    {                                                                         \
        return look_up(map, key, N, true);                                    \
    }
SIZES(FUNCTIONS)

#define ROW(N) [N] = { look_up_##N, look_up_mine_##N },

vm_hash_lookup_fn *
vm_hash_lookup_of(const struct vm_map *map)
{
    static vm_hash_lookup_fn *const all[][2] = { SIZES(ROW) };
    const struct vm_map_ops *ops = map->ops;

    if ((ops != &vm_map_ops_hash && ops != &vm_map_ops_lru_hash
         && ops != &vm_map_ops_percpu_hash
         && ops != &vm_map_ops_lru_percpu_hash)
        || map->key_size >= sizeof all / sizeof all[0]) {
        return NULL;
    }
    return all[map->key_size][!!(ops->caps & VM_MAP_CAP_PER_CPU)];
}
