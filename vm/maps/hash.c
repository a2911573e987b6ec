/* SPDX-License-Identifier: Apache-2.0 */

/* Hash table with lock-free lookups and a lock a bucket for writers. */

#include "vm/maps/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS (VM_MF_NO_PREALLOC | VM_MF_NUMA_NODE | VM_MF_RDONLY             \
               | VM_MF_WRONLY | VM_MF_ZERO_SEED | VM_MF_RDONLY_PROG           \
               | VM_MF_WRONLY_PROG)
#define FLAGS_LRU (FLAGS | VM_MF_NO_COMMON_LRU)
#define MAX_KEY 512
#define EVICT_TRIES 16          /* Others may take what was evicted. */
#define PER_BUCKET 4            /* Entries of a full table, on average. */
#define HEAP_BYTES (16u << 20)  /* For nodes that wait for readers, beside
                                 * as many again as the table has. */

static struct vm_hash *
hash_cast(const struct vm_map *map)
{
    return (struct vm_hash *) map;
}

static struct vm_hash_node *
node_of(uint64_t slot)
{
    return (void *) (uintptr_t) (slot & VM_HASH_PTR);
}

static uint64_t
tagged(const struct vm_hash_node *node, uint64_t hash)
{
    return (uintptr_t) node | (hash & ~VM_HASH_PTR);
}

static uint64_t
get(_Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

static struct vm_hash_bucket *
bucket_of(const struct vm_hash *t, uint64_t hash)
{
    return &t->buckets[hash & t->bucket_mask];
}

/* The line after this one, or NULL. */
static struct vm_hash_bucket *
more_of(struct vm_hash_bucket *line)
{
    return (void *) (uintptr_t) (get(&line->more) & ~VM_HASH_LOCK);
}

static void
bucket_lock(struct vm_hash_bucket *bucket)
{
    while (atomic_fetch_or_explicit(&bucket->more, VM_HASH_LOCK,
                                    memory_order_acquire) & VM_HASH_LOCK) {
        while (atomic_load_explicit(&bucket->more, memory_order_relaxed)
               & VM_HASH_LOCK) {
            vm_pause();
        }
    }
}

static void
bucket_unlock(struct vm_hash_bucket *bucket)
{
    atomic_fetch_and_explicit(&bucket->more, ~VM_HASH_LOCK,
                              memory_order_release);
}

/* The hash of a key: a cookie, too. */
static uint64_t
hash_of(const struct vm_hash *t, const void *key)
{
    return (vm_hash_fixed(key, t->map.key_size, t->hash_start, t->hash_mask)
            | VM_HASH_TAG_BIT);
}

static int
storage_new(struct vm_hash *t, const struct vm_map_attr *attr,
            size_t value_bytes)
{
    size_t size = vm_pool_round(sizeof(struct vm_hash_node) + t->value_off
                                + value_bytes);
    struct vm_pool_attr pool = {
        .node_size = size,
        .n_slab = attr->flags & VM_MF_NO_PREALLOC ? 0 : attr->max_entries,
        .n_heap = 2ull * attr->max_entries + HEAP_BYTES / size + 1,
    };
    uint64_t n_buckets = 1;

    while (n_buckets * PER_BUCKET < attr->max_entries) {
        n_buckets *= 2;
    }
    t->bucket_mask = n_buckets - 1;
    t->buckets = vm_big_alloc(n_buckets * sizeof *t->buckets);
    if (!t->buckets) {
        return -ENOMEM;
    }
    t->pool = vm_pool_new(&pool);
    if (!t->pool) {
        vm_big_free(t->buckets, n_buckets * sizeof *t->buckets);
        return -ENOMEM;
    }
    return 0;
}

static bool
is_per_cpu(const struct vm_map_attr *attr)
{
    return (attr->kind == VM_MAP_percpu_hash
            || attr->kind == VM_MAP_lru_percpu_hash);
}

static bool
is_lru(const struct vm_map_attr *attr)
{
    return (attr->kind == VM_MAP_lru_hash
            || attr->kind == VM_MAP_lru_percpu_hash);
}

static int
hash_create(const struct vm_map_attr *attr, struct vm_map **mapp,
            struct vm_err *err)
{
    uint32_t padded = (attr->value_size + 7) & ~7u;
    uint32_t flags = is_lru(attr) ? FLAGS_LRU : FLAGS;
    bool per_cpu = is_per_cpu(attr);

    if (is_lru(attr) && attr->flags & VM_MF_NO_PREALLOC
        && !(attr->flags & ~flags)) {
        return vm_err(err, -EOPNOTSUPP, "hash %s: the entries of an LRU are "
                      "always made with it", attr->name ? attr->name : "");
    }
    if (!attr->key_size || attr->key_size > MAX_KEY || !attr->value_size
        || attr->value_size > UINT32_MAX / VM_MAX_CPUS / 2
        || !attr->max_entries || attr->flags & ~flags) {
        return vm_err(err, -EINVAL, "hash %s: keys have 1 to %d bytes, "
                      "values at least 1, there is at least 1 entry, and "
                      "flags 0x%x are a subset of 0x%x",
                      attr->name ? attr->name : "", MAX_KEY, attr->flags,
                      flags);
    }

    struct vm_hash *t = aligned_alloc(64, (sizeof *t + 63) & ~63ul);
    if (t) {
        memset(t, 0, sizeof *t);
        uint64_t seed = attr->flags & VM_MF_ZERO_SEED ? 0 : vm_hash_seed();

        t->hash_start = vm_hash_start(attr->key_size, seed);
        t->hash_mask = vm_hash_mask(seed);
        t->value_off = (attr->key_size + 7) & ~7u;
        t->value_stride = per_cpu ? padded : 0;
        t->lru = is_lru(attr);
    }
    if (!t || storage_new(t, attr, (size_t) padded
                                      * (per_cpu ? vm_n_cpus : 1))) {
        free(t);
        return vm_err(err, -ENOMEM, "hash %s: no memory for %u entries",
                      attr->name ? attr->name : "", attr->max_entries);
    }
    *mapp = &t->map;
    return 0;
}

static void
hash_destroy(struct vm_map *map)
{
    struct vm_hash *t = hash_cast(map);

    for (uint64_t i = 0; i <= t->bucket_mask; i++) {
        struct vm_hash_bucket *line = &t->buckets[i];

        while (line) {
            struct vm_hash_bucket *next = more_of(line);

            for (int j = 0; j < VM_HASH_SLOTS; j++) {
                struct vm_hash_node *node = node_of(get(&line->slots[j]));

                if (node && node->node.on_heap) {
                    free(node);
                }
            }
            if (line != &t->buckets[i]) {
                free(line);
            }
            line = next;
        }
    }
    vm_pool_unref(t->pool);
    vm_big_free(t->buckets, (t->bucket_mask + 1) * sizeof *t->buckets);
    free(t);
}

/* Lookup. */

static inline bool
key_equal(const uint8_t *a, const uint8_t *b, uint32_t n)
{
    uint64_t x, y;

    for (; n >= 8; n -= 8, a += 8, b += 8) {
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        if (x != y) {
            return false;
        }
    }
    return vm_hash_word(a, n) == vm_hash_word(b, n);
}

static inline bool
slot_is(const struct vm_hash *t, uint64_t slot, const void *key,
        uint64_t hash)
{
    return (!((slot ^ hash) >> 48)
            && key_equal(node_of(slot)->key, key, t->map.key_size));
}

/* The slot of 'key', or NULL. */
static _Atomic uint64_t *
find_slot(const struct vm_hash *t, const void *key, uint64_t hash)
{
    for (struct vm_hash_bucket *line = bucket_of(t, hash); line;
         line = more_of(line)) {
        for (int i = 0; i < VM_HASH_SLOTS; i++) {
            if (slot_is(t, get(&line->slots[i]), key, hash)) {
                return &line->slots[i];
            }
        }
    }
    return NULL;
}

static __attribute__((noinline)) struct vm_hash_node *
find_elsewhere(const struct vm_hash *t, const void *key, uint64_t hash)
{
    for (struct vm_hash_bucket *line = bucket_of(t, hash); line;
         line = more_of(line)) {
        for (int i = 0; i < VM_HASH_SLOTS; i++) {
            uint64_t slot = get(&line->slots[i]);

            if (slot_is(t, slot, key, hash)) {
                return node_of(slot);
            }
        }
    }
    return NULL;
}

static inline struct vm_hash_node *
find(const struct vm_hash *t, const void *key, uint64_t hash)
{
    uint64_t slot = get(&bucket_of(t, hash)->slots[vm_hash_home(hash)]);

    return (slot_is(t, slot, key, hash) ? node_of(slot)
            : find_elsewhere(t, key, hash));
}

static inline void *
lookup_hash(const struct vm_hash *t, const void *key, uint64_t hash)
{
    struct vm_hash_node *node = find(t, key, hash | VM_HASH_TAG_BIT);

    if (!node) {
        return NULL;
    }
    if (t->lru && !atomic_load_explicit(&node->node.used,
                                        memory_order_relaxed)) {
        atomic_store_explicit(&node->node.used, 1, memory_order_relaxed);
    }
    return node->key + t->value_off;
}

static void *
hash_lookup_hash(struct vm_map *map, const void *key, uint64_t hash)
{
    return lookup_hash(hash_cast(map), key, hash);
}

static void *
hash_lookup(struct vm_map *map, const void *key)
{
    const struct vm_hash *t = hash_cast(map);

    return lookup_hash(t, key, hash_of(t, key));
}

static uint64_t
hash_hash(struct vm_map *map, const void *key)
{
    const struct vm_hash *t = hash_cast(map);
    uint64_t hash = hash_of(t, key);

    __builtin_prefetch(bucket_of(t, hash));
    return hash;
}

static inline void
prefetch(const struct vm_hash *t, uint64_t hash)
{
    struct vm_hash_bucket *bucket = bucket_of(t, hash);
    uint64_t slot = get(&bucket->slots[vm_hash_home(hash)]);

    for (int i = 0; (slot ^ hash) >> 48 && i < VM_HASH_SLOTS; i++) {
        slot = get(&bucket->slots[i]);
    }

    /* A node may lie across two lines; the key's end is enough. */
    const uint8_t *node = (const uint8_t *) node_of(slot);
    if (node) {
        __builtin_prefetch(node);
        __builtin_prefetch(node + offsetof(struct vm_hash_node, key)
                           + t->map.key_size - 1);
    }
}

static void
hash_prefetch(struct vm_map *map, uint64_t hash)
{
    prefetch(hash_cast(map), hash);
}

static inline void
lookup_burst(const struct vm_hash *t, const void *const *keys, unsigned n,
             void **values)
{
    uint64_t hashes[VM_MAP_BURST];

    for (unsigned i = 0; i < n; i++) {
        hashes[i] = hash_of(t, keys[i]);
        __builtin_prefetch(bucket_of(t, hashes[i]));
    }
    for (unsigned i = 0; i < n; i++) {
        prefetch(t, hashes[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        values[i] = lookup_hash(t, keys[i], hashes[i]);
    }
}

static void
hash_lookup_burst(struct vm_map *map, const void *const *keys, unsigned n,
                  void **values)
{
    for (unsigned i = 0; i < n; i += VM_MAP_BURST) {
        lookup_burst(hash_cast(map), keys + i, n - i < VM_MAP_BURST ? n - i
                     : VM_MAP_BURST, values + i);
    }
}

static void *
percpu_lookup_hash(struct vm_map *map, const void *key, uint64_t hash)
{
    uint8_t *value = lookup_hash(hash_cast(map), key, hash);

    return (value ? value + (size_t) vm_cpu() * hash_cast(map)->value_stride
            : NULL);
}

static void *
percpu_lookup(struct vm_map *map, const void *key)
{
    return percpu_lookup_hash(map, key, hash_of(hash_cast(map), key));
}

/* Update. */

/* What goes into a node's values. */
struct fill {
    const void *value;          /* One value, or one for each CPU. */
    bool all_cpus;
};

static void
node_fill(const struct vm_hash *t, struct vm_hash_node *node,
          const struct fill *fill)
{
    uint8_t *values = node->key + t->value_off;
    uint32_t stride = t->value_stride;

    if (!stride) {
        memcpy(values, fill->value, t->map.value_size);
    } else if (fill->all_cpus) {
        memcpy(values, fill->value, (size_t) stride * vm_n_cpus);
    } else {
        /* A program's update is of its own CPU's value only. */
        memset(values, 0, (size_t) stride * vm_n_cpus);
        memcpy(values + (size_t) vm_cpu() * stride, fill->value,
               t->map.value_size);
    }
}

/* A free slot for 'hash' in its locked bucket: where it wants to be, or near.
 * NULL without memory. */
static _Atomic uint64_t *
free_slot(struct vm_hash *t, uint64_t hash)
{
    struct vm_hash_bucket *line = bucket_of(t, hash), *last;
    unsigned i = vm_hash_home(hash);

    do {
        for (int j = 0; j < VM_HASH_SLOTS; j++) {
            if (!get(&line->slots[i])) {
                return &line->slots[i];
            }
            i = i + 1 < VM_HASH_SLOTS ? i + 1 : 0;
        }
        last = line;
        line = more_of(line);
    } while (line);

    line = aligned_alloc(sizeof *line, sizeof *line);
    if (!line) {
        return NULL;
    }
    memset(line, 0, sizeof *line);
    atomic_fetch_add_explicit(&t->n_more, 1, memory_order_relaxed);
    /* Keeps the lock, if this is the first line. */
    atomic_fetch_or_explicit(&last->more, (uintptr_t) line,
                             memory_order_release);
    return &line->slots[i];
}

/* Takes one node of a bucket that was not looked up lately out. */
static bool
evict_from(struct vm_hash *t, struct vm_hash_bucket *bucket)
{
    struct vm_hash_node *node = NULL;

    bucket_lock(bucket);
    for (struct vm_hash_bucket *line = bucket; line && !node;
         line = more_of(line)) {
        for (int i = 0; i < VM_HASH_SLOTS && !node; i++) {
            node = node_of(get(&line->slots[i]));
            if (node && atomic_exchange_explicit(&node->node.used, 0,
                                                 memory_order_relaxed)) {
                node = NULL;
            } else if (node) {
                atomic_store_explicit(&line->slots[i], 0,
                                      memory_order_release);
            }
        }
    }
    bucket_unlock(bucket);
    if (node) {
        atomic_fetch_sub(&t->count, 1);
        vm_pool_retire(t->pool, node);
    }
    return node != NULL;
}

static void
evict(struct vm_hash *t)
{
    for (uint64_t n = 0; n <= 2 * t->bucket_mask + 1; n++) {
        uint64_t i = atomic_fetch_add_explicit(&t->hand, 1,
                                               memory_order_relaxed);

        if (evict_from(t, &t->buckets[i & t->bucket_mask])) {
            return;
        }
    }
}

static int update_once(struct vm_hash *, const void *key,
                       const struct fill *, uint64_t flags);

static int
update(struct vm_hash *t, const void *key, const struct fill *fill,
       uint64_t flags)
{
    int error = flags > VM_EXIST ? -EINVAL : update_once(t, key, fill, flags);

    for (int i = 0; error == -E2BIG && t->lru && i < EVICT_TRIES; i++) {
        evict(t);
        error = update_once(t, key, fill, flags);
    }
    return error;
}

/* Puts 'node' into its locked bucket, unless that fails or (UNUSED) its value
 * went into the node that is there. */
#define UNUSED 1
static int
link_node(struct vm_hash *t, struct vm_hash_node *node, uint64_t hash,
          const struct fill *fill, uint64_t flags)
{
    _Atomic uint64_t *slot = find_slot(t, node->key, hash);
    struct vm_hash_node *old = slot ? node_of(get(slot)) : NULL;

    if (old ? flags == VM_NOEXIST : flags == VM_EXIST) {
        return old ? -EEXIST : -ENOENT;
    }
    if (old && t->value_stride && !fill->all_cpus) {
        /* The other CPUs' values live on: programs count in them. */
        memcpy(old->key + t->value_off
               + (size_t) vm_cpu() * t->value_stride, fill->value,
               t->map.value_size);
        return UNUSED;
    }
    if (!old) {
        if (atomic_fetch_add(&t->count, 1) >= t->map.max_entries) {
            atomic_fetch_sub(&t->count, 1);
            return -E2BIG;
        }
        slot = free_slot(t, hash);
        if (!slot) {
            atomic_fetch_sub(&t->count, 1);
            return -ENOMEM;
        }
    }
    node_fill(t, node, fill);
    atomic_store_explicit(&node->node.used, old != NULL,
                          memory_order_relaxed);
    atomic_store_explicit(slot, tagged(node, hash), memory_order_release);
    if (old) {
        vm_pool_retire(t->pool, old);
    }
    return 0;
}

static int
update_once(struct vm_hash *t, const void *key, const struct fill *fill,
            uint64_t flags)
{
    uint64_t hash = hash_of(t, key);
    struct vm_hash_bucket *bucket = bucket_of(t, hash);
    struct vm_hash_node *node = vm_pool_alloc(t->pool);
    if (!node) {
        return -ENOMEM;
    }

    memcpy(node->key, key, t->map.key_size);
    bucket_lock(bucket);
    int error = link_node(t, node, hash, fill, flags);
    bucket_unlock(bucket);
    if (error) {
        vm_pool_free(t->pool, node);
    }
    return error == UNUSED ? 0 : error;
}

static int
hash_update(struct vm_map *map, const void *key, const void *value,
            uint64_t flags)
{
    return update(hash_cast(map), key, &(struct fill) { .value = value },
                  flags);
}

static int
hash_delete(struct vm_map *map, const void *key)
{
    struct vm_hash *t = hash_cast(map);
    uint64_t hash = hash_of(t, key);
    struct vm_hash_bucket *bucket = bucket_of(t, hash);
    struct vm_hash_node *node = NULL;

    bucket_lock(bucket);
    _Atomic uint64_t *slot = find_slot(t, key, hash);
    if (slot) {
        node = node_of(get(slot));
        atomic_store_explicit(slot, 0, memory_order_release);
    }
    bucket_unlock(bucket);
    if (!node) {
        return -ENOENT;
    }
    atomic_fetch_sub(&t->count, 1);
    vm_pool_retire(t->pool, node);
    return 0;
}

static int
percpu_read(struct vm_map *map, const void *key, void *value)
{
    const uint8_t *p = hash_lookup(map, key);

    if (!p) {
        return -ENOENT;
    }
    memcpy(value, p, (size_t) hash_cast(map)->value_stride * vm_n_cpus);
    return 0;
}

static int
percpu_write(struct vm_map *map, const void *key, const void *value,
             uint64_t flags)
{
    return update(hash_cast(map), key,
                  &(struct fill) { .value = value, .all_cpus = true }, flags);
}

/* Iteration, by bucket; within one, by line and slot. */

/* The first entry of a bucket, behind that of 'key' if it is not NULL. */
static struct vm_hash_node *
next_in_bucket(const struct vm_hash *t, struct vm_hash_bucket *line,
               const void *key)
{
    for (; line; line = more_of(line)) {
        for (int i = 0; i < VM_HASH_SLOTS; i++) {
            struct vm_hash_node *node = node_of(get(&line->slots[i]));

            if (node && !key) {
                return node;
            } else if (node
                       && key_equal(node->key, key, t->map.key_size)) {
                key = NULL;
            }
        }
    }
    return NULL;
}

static int
hash_next_key(struct vm_map *map, const void *key, void *next)
{
    struct vm_hash *t = hash_cast(map);
    struct vm_hash_node *node = NULL;
    uint64_t i = 0;

    if (key) {
        uint64_t hash = hash_of(t, key);

        if (find(t, key, hash)) {
            i = hash & t->bucket_mask;
            node = next_in_bucket(t, &t->buckets[i++], key);
        }
    }
    for (; !node && i <= t->bucket_mask; i++) {
        node = next_in_bucket(t, &t->buckets[i], NULL);
    }
    if (!node) {
        return -ENOENT;
    }
    memcpy(next, node->key, map->key_size);
    return 0;
}

static size_t
hash_memory(const struct vm_map *map)
{
    const struct vm_hash *t = hash_cast(map);

    return (sizeof *t + vm_pool_memory(t->pool)
            + (t->bucket_mask + 1 + atomic_load(&t->n_more))
              * sizeof *t->buckets);
}

static size_t
hash_count(const struct vm_map *map)
{
    return atomic_load(&hash_cast(map)->count);
}

#define HASH_OPS(ID, CAPS)                                                    \
    .name = #ID,                                                              \
    .number = VM_MAP_##ID,                                                    \
    .caps = VM_MAP_CAP_LOOKUP | VM_MAP_CAP_UPDATE | VM_MAP_CAP_DELETE         \
            | VM_MAP_CAP_HASH | CAPS,                                         \
    .create = hash_create,                                                    \
    .destroy = hash_destroy,                                                  \
    .update = hash_update,                                                    \
    .delete = hash_delete,                                                    \
    .hash = hash_hash,                                                        \
    .prefetch = hash_prefetch,                                                \
    .next_key = hash_next_key,                                                \
    .memory = hash_memory,                                                    \
    .count = hash_count

#define SHARED_OPS                                                            \
    .lookup = hash_lookup,                                                    \
    .lookup_hash = hash_lookup_hash,                                          \
    .lookup_burst = hash_lookup_burst

#define PERCPU_OPS                                                            \
    .lookup = percpu_lookup,                                                  \
    .lookup_hash = percpu_lookup_hash,                                        \
    .read = percpu_read,                                                      \
    .write = percpu_write

const struct vm_map_ops vm_map_ops_hash = {
    HASH_OPS(hash, 0), SHARED_OPS,
};

const struct vm_map_ops vm_map_ops_lru_hash = {
    HASH_OPS(lru_hash, 0), SHARED_OPS,
};

const struct vm_map_ops vm_map_ops_percpu_hash = {
    HASH_OPS(percpu_hash, VM_MAP_CAP_PER_CPU), PERCPU_OPS,
};

const struct vm_map_ops vm_map_ops_lru_percpu_hash = {
    HASH_OPS(lru_percpu_hash, VM_MAP_CAP_PER_CPU), PERCPU_OPS,
};
