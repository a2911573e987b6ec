/* SPDX-License-Identifier: Apache-2.0 */

/* Hash table with lock-free lookups and a lock a bucket for writers. */

#include "vm/maps/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS (VM_MF_NO_PREALLOC | VM_MF_NUMA_NODE | VM_MF_RDONLY             \
               | VM_MF_WRONLY | VM_MF_ZERO_SEED | VM_MF_RDONLY_PROG           \
               | VM_MF_WRONLY_PROG)
#define FLAGS_LRU (FLAGS & ~VM_MF_NO_PREALLOC)
#define MAX_KEY 512
#define EVICT_TRIES 16          /* Others may take what was evicted. */

static struct vm_hash *
hash_cast(const struct vm_map *map)
{
    return (struct vm_hash *) map;
}

static struct vm_hash_node *
node_of(uint64_t tagged)
{
    return (void *) (uintptr_t) (tagged & VM_HASH_PTR);
}

static uint64_t
tag(const struct vm_hash_node *node, uint64_t hash)
{
    return (uintptr_t) node | (hash & ~(VM_HASH_PTR | VM_HASH_LOCK));
}

static uint64_t
get(_Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

static void
spin_lock(atomic_flag *lock)
{
    while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire)) {
        vm_pause();
    }
}

static void
spin_unlock(atomic_flag *lock)
{
    atomic_flag_clear_explicit(lock, memory_order_release);
}

/* Locks a bucket and returns its chain. */
static uint64_t
bucket_lock(_Atomic uint64_t *bucket)
{
    for (;;) {
        uint64_t head = atomic_fetch_or_explicit(bucket, VM_HASH_LOCK,
                                                 memory_order_acquire);

        if (!(head & VM_HASH_LOCK)) {
            return head;
        }
        while (atomic_load_explicit(bucket, memory_order_relaxed)
               & VM_HASH_LOCK) {
            vm_pause();
        }
    }
}

/* Makes 'head' the chain of the bucket, unlocked. */
static void
bucket_unlock(_Atomic uint64_t *bucket, uint64_t head)
{
    atomic_store_explicit(bucket, head, memory_order_release);
}

/* Storage. */

static void
storage_unref(struct vm_hash *t)
{
    if (atomic_fetch_sub_explicit(&t->storage_refs, 1,
                                  memory_order_acq_rel) == 1) {
        vm_big_free(t->slab, t->slab_size);
        vm_big_free((void *) t->buckets,
                    (t->bucket_mask + 1) * sizeof *t->buckets);
        free(t);
    }
}

static struct vm_hash_node *
node_alloc(struct vm_hash *t)
{
    spin_lock(&t->free_lock);
    struct vm_hash_node *node = t->free_nodes;
    if (node) {
        t->free_nodes = node_of(atomic_load_explicit(&node->next,
                                                     memory_order_relaxed));
    }
    spin_unlock(&t->free_lock);

    if (!node) {
        node = aligned_alloc(16, t->node_size);
        if (node && (uintptr_t) node >> 48) {
            free(node);
            node = NULL;
        }
        if (node) {
            memset(node, 0, t->node_size);
            node->on_heap = true;
        }
    }
    return node;
}

static void
node_release(struct vm_hash *t, struct vm_hash_node *node)
{
    if (node->on_heap) {
        free(node);
        return;
    }
    spin_lock(&t->free_lock);
    atomic_store_explicit(&node->next, (uintptr_t) t->free_nodes,
                          memory_order_relaxed);
    t->free_nodes = node;
    spin_unlock(&t->free_lock);
}

static void
node_quiescent(void *node_)
{
    struct vm_hash_node *node = node_;
    struct vm_hash *t = node->table;

    node_release(t, node);
    storage_unref(t);
}

/* Frees an unlinked node after quiescence. */
static void
node_retire(struct vm_hash_node *node)
{
    atomic_fetch_add_explicit(&node->table->storage_refs, 1,
                              memory_order_relaxed);
    vm_defer(node_quiescent, node);
}

static int
storage_new(struct vm_hash *t, const struct vm_map_attr *attr)
{
    uint64_t n_buckets = 2;

    while (n_buckets < attr->max_entries) {
        n_buckets *= 2;
    }
    t->bucket_mask = n_buckets - 1;
    t->buckets = vm_big_alloc(n_buckets * sizeof *t->buckets);
    if (!t->buckets) {
        return -ENOMEM;
    }
    if (!(attr->flags & VM_MF_NO_PREALLOC)) {
        t->slab_size = (size_t) t->node_size * attr->max_entries;
        t->slab = vm_big_alloc(t->slab_size);
        if (!t->slab) {
            vm_big_free((void *) t->buckets, n_buckets * sizeof *t->buckets);
            return -ENOMEM;
        }
        for (uint32_t i = attr->max_entries; i-- > 0;) {
            struct vm_hash_node *node
                = (void *) (t->slab + (size_t) i * t->node_size);

            atomic_init(&node->next, (uintptr_t) t->free_nodes);
            t->free_nodes = node;
        }
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
        t->seed = (attr->flags & VM_MF_ZERO_SEED ? 0 : vm_hash_seed());
        t->value_off = (attr->key_size + 7) & ~7u;
        t->value_stride = per_cpu ? padded : 0;
        t->node_size = (offsetof(struct vm_hash_node, key) + t->value_off
                        + padded * (per_cpu ? vm_n_cpus : 1) + 15) & ~15u;
        t->lru = is_lru(attr);
        atomic_flag_clear(&t->free_lock);
        atomic_init(&t->storage_refs, 1);
    }
    if (!t || storage_new(t, attr)) {
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
        struct vm_hash_node *node = node_of(get(&t->buckets[i]));

        while (node) {
            struct vm_hash_node *next = node_of(get(&node->next));

            if (node->on_heap) {
                free(node);
            }
            node = next;
        }
    }
    storage_unref(t);
}

/* Lookup. */

uint64_t
vm_hash_key(const struct vm_hash *t, const void *key)
{
    return vm_hash_bytes(key, t->map.key_size, t->seed);
}

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
    return !n || !memcmp(a, b, n);
}

struct vm_hash_node *
vm_hash_find(const struct vm_hash *t, const void *key, uint64_t hash)
{
    uint64_t p = get(&t->buckets[hash & t->bucket_mask]);
    struct vm_hash_node *node;

    while ((node = node_of(p))) {
        if (!((p ^ hash) >> 48)
            && key_equal(node->key, key, t->map.key_size)) {
            return node;
        }
        p = get(&node->next);
    }
    return NULL;
}

static void *
hash_lookup_hash(struct vm_map *map, const void *key, uint64_t hash)
{
    const struct vm_hash *t = hash_cast(map);
    struct vm_hash_node *node = vm_hash_find(t, key, hash);

    if (!node) {
        return NULL;
    }
    if (t->lru && !atomic_load_explicit(&node->used, memory_order_relaxed)) {
        atomic_store_explicit(&node->used, 1, memory_order_relaxed);
    }
    return node->key + t->value_off;
}

static void *
hash_lookup(struct vm_map *map, const void *key)
{
    return hash_lookup_hash(map, key, vm_hash_key(hash_cast(map), key));
}

static uint64_t
hash_hash(struct vm_map *map, const void *key)
{
    const struct vm_hash *t = hash_cast(map);
    uint64_t hash = vm_hash_key(t, key);

    __builtin_prefetch((const void *) &t->buckets[hash & t->bucket_mask]);
    return hash;
}

static void
hash_prefetch(struct vm_map *map, uint64_t hash)
{
    const struct vm_hash *t = hash_cast(map);
    const struct vm_hash_node *node
        = node_of(get(&t->buckets[hash & t->bucket_mask]));

    /* A node may lie across two lines; the key's end is enough. */
    __builtin_prefetch(node);
    __builtin_prefetch((const uint8_t *) node + sizeof *node
                       + t->map.key_size - 1);
}

static void *
percpu_lookup_hash(struct vm_map *map, const void *key, uint64_t hash)
{
    uint8_t *value = hash_lookup_hash(map, key, hash);

    return (value ? value + (size_t) vm_cpu() * hash_cast(map)->value_stride
            : NULL);
}

static void *
percpu_lookup(struct vm_map *map, const void *key)
{
    return percpu_lookup_hash(map, key, vm_hash_key(hash_cast(map), key));
}

/* Update. */

/* In a locked chain: the link to the node of 'key', or to the chain's end. */
static _Atomic uint64_t *
find_link(const struct vm_hash *t, _Atomic uint64_t *link, const void *key,
          uint64_t hash)
{
    struct vm_hash_node *node;
    uint64_t p;

    while ((node = node_of(p = get(link)))) {
        if (!((p ^ hash) >> 48)
            && key_equal(node->key, key, t->map.key_size)) {
            break;
        }
        link = &node->next;
    }
    return link;
}

/* What goes into a node's values. */
struct fill {
    const void *value;          /* One value, or one for each CPU. */
    bool all_cpus;
};

static void
node_fill(const struct vm_hash *t, struct vm_hash_node *node,
          const struct vm_hash_node *old, const struct fill *fill)
{
    uint8_t *values = node->key + t->value_off;
    uint32_t stride = t->value_stride;

    if (!stride) {
        memcpy(values, fill->value, t->map.value_size);
    } else if (fill->all_cpus) {
        memcpy(values, fill->value, (size_t) stride * vm_n_cpus);
    } else {
        /* A program's update is of its own CPU's value only. */
        if (old) {
            memcpy(values, old->key + t->value_off,
                   (size_t) stride * vm_n_cpus);
        } else {
            memset(values, 0, (size_t) stride * vm_n_cpus);
        }
        memcpy(values + (size_t) vm_cpu() * stride, fill->value,
               t->map.value_size);
    }
}

/* Stores through 'link' of the locked 'bucket', whose chain is 'head', and
 * unlocks. */
static void
relink(_Atomic uint64_t *bucket, uint64_t head, _Atomic uint64_t *link,
       uint64_t to)
{
    if (link == bucket) {
        bucket_unlock(bucket, to);
    } else {
        atomic_store_explicit(link, to, memory_order_release);
        bucket_unlock(bucket, head);
    }
}

/* Takes one node that was not looked up lately out of an LRU table. */
static void
evict(struct vm_hash *t)
{
    for (uint64_t n = 0; n <= 2 * t->bucket_mask + 1; n++) {
        uint64_t i = atomic_fetch_add_explicit(&t->hand, 1,
                                               memory_order_relaxed);
        _Atomic uint64_t *bucket = &t->buckets[i & t->bucket_mask];
        _Atomic uint64_t *link = bucket;
        struct vm_hash_node *node;

        if (!atomic_load_explicit(bucket, memory_order_relaxed)) {
            continue;
        }

        uint64_t head = bucket_lock(bucket);
        while ((node = node_of(get(link)))
               && atomic_exchange_explicit(&node->used, 0,
                                           memory_order_relaxed)) {
            link = &node->next;
        }
        if (node) {
            relink(bucket, head, link, get(&node->next));
            atomic_fetch_sub(&t->count, 1);
            node_retire(node);
            return;
        }
        bucket_unlock(bucket, head);
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

static int
update_once(struct vm_hash *t, const void *key, const struct fill *fill,
            uint64_t flags)
{
    uint64_t hash = vm_hash_key(t, key);
    _Atomic uint64_t *bucket = &t->buckets[hash & t->bucket_mask];
    struct vm_hash_node *node = node_alloc(t);
    if (!node) {
        return -ENOMEM;
    }

    uint64_t head = bucket_lock(bucket);
    _Atomic uint64_t *link = find_link(t, bucket, key, hash);
    struct vm_hash_node *old = node_of(get(link));
    int error = (old && flags == VM_NOEXIST ? -EEXIST
                 : !old && flags == VM_EXIST ? -ENOENT : 0);

    if (!error && !old && atomic_fetch_add(&t->count, 1)
                          >= t->map.max_entries) {
        atomic_fetch_sub(&t->count, 1);
        error = -E2BIG;
    }
    if (!error && old && t->value_stride && !fill->all_cpus) {
        /* The other CPUs' values live on: programs count in them. */
        memcpy(old->key + t->value_off
               + (size_t) vm_cpu() * t->value_stride, fill->value,
               t->map.value_size);
        bucket_unlock(bucket, head);
        node_release(t, node);
        return 0;
    }
    if (error) {
        bucket_unlock(bucket, head);
        node_release(t, node);
        return error;
    }

    node->hash = hash;
    node->table = t;
    atomic_store_explicit(&node->used, 0, memory_order_relaxed);
    memcpy(node->key, key, t->map.key_size);
    node_fill(t, node, old, fill);
    atomic_store_explicit(&node->next, old ? get(&old->next)
                                           : head, memory_order_relaxed);
    relink(bucket, head, old ? link : bucket, tag(node, hash));
    if (old) {
        node_retire(old);
    }
    return 0;
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
    uint64_t hash = vm_hash_key(t, key);
    _Atomic uint64_t *bucket = &t->buckets[hash & t->bucket_mask];
    uint64_t head = bucket_lock(bucket);
    _Atomic uint64_t *link = find_link(t, bucket, key, hash);
    struct vm_hash_node *node = node_of(get(link));

    if (!node) {
        bucket_unlock(bucket, head);
        return -ENOENT;
    }
    relink(bucket, head, link, get(&node->next));
    atomic_fetch_sub(&t->count, 1);
    node_retire(node);
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

/* Iteration, by bucket; within one, along the chain. */
static int
hash_next_key(struct vm_map *map, const void *key, void *next)
{
    struct vm_hash *t = hash_cast(map);
    uint64_t i = 0;

    if (key) {
        uint64_t hash = vm_hash_key(t, key);
        struct vm_hash_node *node = vm_hash_find(t, key, hash);

        if (node) {
            node = node_of(get(&node->next));
            if (node) {
                memcpy(next, node->key, map->key_size);
                return 0;
            }
            i = (hash & t->bucket_mask) + 1;
        }
    }
    for (; i <= t->bucket_mask; i++) {
        struct vm_hash_node *node = node_of(get(&t->buckets[i]));

        if (node) {
            memcpy(next, node->key, map->key_size);
            return 0;
        }
    }
    return -ENOENT;
}

static size_t
hash_memory(const struct vm_map *map)
{
    const struct vm_hash *t = hash_cast(map);
    size_t n = sizeof *t + (t->bucket_mask + 1) * sizeof *t->buckets;

    return n + (t->slab ? t->slab_size
                : atomic_load(&t->count) * t->node_size);
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
    .lookup_hash = hash_lookup_hash

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
