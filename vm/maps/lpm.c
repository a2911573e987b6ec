/* SPDX-License-Identifier: Apache-2.0 */

/* Longest prefix match.
 *
 * A key is { uint32_t prefix_len; uint8_t data[]; }, most significant bit
 * first.  Data of 4 bytes lie in a compressed multibit trie (fib4.h); longer
 * and shorter ones in a binary trie with compressed paths.
 *
 * Of the binary one: every change is one pointer store, so readers need no
 * lock and see the trie before or after it; nodes that went out are freed
 * after quiescence.  Writers take turns. */

#include "vm/map.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "vm/maps/fib4.h"

#define MIN_DATA 1
#define MAX_DATA 256
#define MAX_FIB4_VALUE 65536
#define FLAGS (VM_MF_NO_PREALLOC | VM_MF_NUMA_NODE | VM_MF_RDONLY             \
               | VM_MF_WRONLY | VM_MF_RDONLY_PROG | VM_MF_WRONLY_PROG)

struct node {
    struct node *_Atomic child[2];
    uint32_t prefix_len;
    bool has_value;             /* Else it only joins two subtrees. */
    uint8_t bytes[] __attribute__((aligned(8)));        /* Value, data. */
};

struct lpm {
    struct vm_map map;
    struct vm_fib4 *fib4;       /* Then nothing else is used. */
    struct node *_Atomic root;
    pthread_mutex_t mutex;
    uint32_t data_size;
    uint32_t data_off;          /* In node.bytes. */
    uint32_t max_prefix_len;
    _Atomic size_t n_entries, n_nodes;
};

static struct lpm *
lpm_cast(const struct vm_map *map)
{
    return (struct lpm *) map;
}

static struct node *
follow(struct node *_Atomic *slot)
{
    return atomic_load_explicit(slot, memory_order_acquire);
}

static void
set(struct node *_Atomic *slot, struct node *node)
{
    atomic_store_explicit(slot, node, memory_order_release);
}

static uint32_t
key_len(const void *key)
{
    uint32_t len;

    memcpy(&len, key, sizeof len);
    return len;
}

static const uint8_t *
key_data(const void *key)
{
    return (const uint8_t *) key + 4;
}

/* For fib4. */
static uint32_t
key_addr(const void *key)
{
    uint32_t addr;

    memcpy(&addr, key_data(key), sizeof addr);
    return be32toh(addr);
}

static const uint8_t *
node_data(const struct lpm *lpm, const struct node *node)
{
    return node->bytes + lpm->data_off;
}

static int
bit(const uint8_t *data, uint32_t i)
{
    return data[i / 8] >> (7 - i % 8) & 1;
}

/* How many of the first 'max' bits of 'a' and 'b' are the same. */
static uint32_t
common_bits(const uint8_t *a, const uint8_t *b, uint32_t max)
{
    for (uint32_t i = 0; i * 8 < max; i++) {
        uint8_t diff = a[i] ^ b[i];

        if (diff) {
            uint32_t n = i * 8 + __builtin_clz(diff) - 24;

            return n < max ? n : max;
        }
    }
    return max;
}

static uint32_t
match_len(const struct lpm *lpm, const struct node *node, const void *key)
{
    uint32_t len = key_len(key);

    return common_bits(node_data(lpm, node), key_data(key),
                       node->prefix_len < len ? node->prefix_len : len);
}

static struct node *
node_new(struct lpm *lpm, uint32_t prefix_len, const uint8_t *data,
         const void *value)
{
    struct node *node = calloc(1, sizeof *node + lpm->data_off
                               + lpm->data_size);

    if (node) {
        node->prefix_len = prefix_len;
        memcpy(node->bytes + lpm->data_off, data, lpm->data_size);
        if (value) {
            node->has_value = true;
            memcpy(node->bytes, value, lpm->map.value_size);
        }
        atomic_fetch_add(&lpm->n_nodes, 1);
    }
    return node;
}

static void
node_retire(struct lpm *lpm, struct node *node)
{
    atomic_fetch_sub(&lpm->n_nodes, 1);
    vm_defer(free, node);
}

static int
lpm_create(const struct vm_map_attr *attr, struct vm_map **mapp,
           struct vm_err *err)
{
    if (attr->key_size < 4 + MIN_DATA || attr->key_size > 4 + MAX_DATA
        || !attr->value_size || attr->value_size > UINT32_MAX - 1024
        || !attr->max_entries || attr->flags & ~FLAGS
        || !(attr->flags & VM_MF_NO_PREALLOC)) {
        return vm_err(err, -EINVAL, "lpm_trie %s: keys have 5 to 260 bytes, "
                      "values at least 1, there is at least 1 entry, and "
                      "flags 0x%x have BPF_F_NO_PREALLOC and are a subset of "
                      "0x%x", attr->name ? attr->name : "", attr->flags,
                      FLAGS);
    }

    struct lpm *lpm = calloc(1, sizeof *lpm);
    if (!lpm) {
        return vm_err(err, -ENOMEM, "no memory for an lpm_trie");
    }
    lpm->data_size = attr->key_size - 4;
    if (lpm->data_size == 4 && attr->value_size <= MAX_FIB4_VALUE) {
        lpm->fib4 = vm_fib4_new(attr->max_entries, attr->value_size);
        if (!lpm->fib4) {
            free(lpm);
            return vm_err(err, -ENOMEM, "no memory for an lpm_trie");
        }
    }
    pthread_mutex_init(&lpm->mutex, NULL);
    lpm->data_off = (attr->value_size + 7) & ~7u;
    lpm->max_prefix_len = 8 * lpm->data_size;
    *mapp = &lpm->map;
    return 0;
}

static void
lpm_destroy(struct vm_map *map)
{
    struct lpm *lpm = lpm_cast(map);

    if (lpm->fib4) {
        vm_fib4_unref(lpm->fib4);
    }

    /* Leaves first, always from the root: no recursion, no stack. */
    for (;;) {
        struct node *_Atomic *slot = &lpm->root;
        struct node *node = follow(slot);

        if (!node) {
            break;
        }
        for (;;) {
            struct node *_Atomic *down
                = follow(&node->child[0]) ? &node->child[0]
                                          : &node->child[1];

            if (!follow(down)) {
                break;
            }
            slot = down;
            node = follow(slot);
        }
        set(slot, NULL);
        free(node);
    }
    pthread_mutex_destroy(&lpm->mutex);
    free(lpm);
}

static void *
lpm_lookup(struct vm_map *map, const void *key)
{
    struct lpm *lpm = lpm_cast(map);
    struct node *found = NULL;

    if (key_len(key) > lpm->max_prefix_len) {
        return NULL;
    }
    if (lpm->fib4) {
        return (key_len(key) == 32
                ? vm_fib4_find(lpm->fib4, key_addr(key))
                : vm_fib4_at_most(lpm->fib4, key_addr(key), key_len(key)));
    }
    for (struct node *node = follow(&lpm->root); node;) {
        uint32_t n = match_len(lpm, node, key);

        if (n < node->prefix_len) {
            break;
        }
        if (node->has_value) {
            found = node;
        }
        if (n >= key_len(key)) {
            break;
        }
        node = follow(&node->child[bit(key_data(key), n)]);
    }
    return found ? found->bytes : NULL;
}

/* Split lookup: the cookie is the address; only prefetching needs it. */

static uint64_t
lpm_hash(struct vm_map *map, const void *key)
{
    const struct lpm *lpm = lpm_cast(map);

    if (!lpm->fib4) {
        return 0;
    }

    uint32_t addr = key_addr(key);
    vm_fib4_prefetch(lpm->fib4, addr);
    return addr;
}

static void
lpm_prefetch(struct vm_map *map, uint64_t cookie)
{
    if (lpm_cast(map)->fib4) {
        vm_fib4_prefetch_value(lpm_cast(map)->fib4, cookie);
    }
}

static void *
lpm_lookup_hash(struct vm_map *map, const void *key, uint64_t cookie)
{
    return lpm_lookup(map, key);
}

static void
lpm_lookup_burst(struct vm_map *map, const void *const *keys, unsigned n,
                 void **values)
{
    const struct lpm *lpm = lpm_cast(map);

    if (lpm->fib4) {
        vm_fib4_find_burst(lpm->fib4, keys, n, values);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        values[i] = lpm_lookup(map, keys[i]);
    }
}

/* The slot of the node with exactly 'key', or where it would go. */
static struct node *_Atomic *
find_slot(struct lpm *lpm, const void *key, uint32_t *matched)
{
    struct node *_Atomic *slot = &lpm->root;
    struct node *node;

    *matched = 0;
    while ((node = follow(slot))) {
        *matched = match_len(lpm, node, key);
        if (*matched < node->prefix_len || *matched == key_len(key)) {
            break;
        }
        slot = &node->child[bit(key_data(key), *matched)];
    }
    return slot;
}

/* Puts 'new' into 'slot', where 'node' is now. */
static int
link_node(struct lpm *lpm, struct node *_Atomic *slot, struct node *new,
          uint32_t matched)
{
    struct node *node = follow(slot);

    if (!node) {
        set(slot, new);
    } else if (matched == node->prefix_len) {
        /* The same prefix. */
        set(&new->child[0], follow(&node->child[0]));
        set(&new->child[1], follow(&node->child[1]));
        set(slot, new);
        node_retire(lpm, node);
    } else if (matched == new->prefix_len) {
        set(&new->child[bit(node_data(lpm, node), matched)], node);
        set(slot, new);
    } else {
        struct node *join = node_new(lpm, matched, node_data(lpm, new),
                                     NULL);

        if (!join) {
            return -ENOMEM;
        }

        int side = bit(node_data(lpm, new), matched);
        set(&join->child[side], new);
        set(&join->child[!side], node);
        set(slot, join);
    }
    return 0;
}

static int
insert(struct lpm *lpm, const void *key, const void *value, uint64_t flags)
{
    uint32_t matched;
    struct node *_Atomic *slot = find_slot(lpm, key, &matched);
    struct node *node = follow(slot);
    bool exists = (node && node->has_value && matched == node->prefix_len
                   && matched == key_len(key));

    if (exists ? flags == VM_NOEXIST : flags == VM_EXIST) {
        return exists ? -EEXIST : -ENOENT;
    }
    if (!exists && lpm->n_entries >= lpm->map.max_entries) {
        return -ENOSPC;
    }

    struct node *new = node_new(lpm, key_len(key), key_data(key), value);
    if (!new || link_node(lpm, slot, new, matched)) {
        if (new) {
            node_retire(lpm, new);
        }
        return -ENOMEM;
    }
    lpm->n_entries += !exists;
    return 0;
}

static int
lpm_update(struct vm_map *map, const void *key, const void *value,
           uint64_t flags)
{
    struct lpm *lpm = lpm_cast(map);

    if (flags > VM_EXIST || key_len(key) > lpm->max_prefix_len) {
        return -EINVAL;
    }
    if (lpm->fib4) {
        const struct vm_fib4_change change = {
            .addr = key_addr(key), .len = key_len(key), .value = value,
            .flags = flags,
        };

        return vm_fib4_update(lpm->fib4, &change);
    }
    pthread_mutex_lock(&lpm->mutex);
    int error = insert(lpm, key, value, flags);
    pthread_mutex_unlock(&lpm->mutex);
    return error;
}

/* Takes the node in 'slot' out; 'up' is its parent's slot, or NULL. */
static int
unlink_node(struct lpm *lpm, struct node *_Atomic *up,
            struct node *_Atomic *slot)
{
    struct node *node = follow(slot);
    struct node *left = follow(&node->child[0]);
    struct node *right = follow(&node->child[1]);
    struct node *parent = up ? follow(up) : NULL;

    if (left && right) {
        struct node *join = node_new(lpm, node->prefix_len,
                                     node_data(lpm, node), NULL);

        if (!join) {
            return -ENOMEM;
        }
        set(&join->child[0], left);
        set(&join->child[1], right);
        set(slot, join);
    } else if (!left && !right && parent && !parent->has_value) {
        /* The parent joined two subtrees; one is left. */
        set(up, follow(slot == &parent->child[0] ? &parent->child[1]
                       : &parent->child[0]));
        node_retire(lpm, parent);
    } else {
        set(slot, left ? left : right);
    }
    node_retire(lpm, node);
    return 0;
}

static int
remove_key(struct lpm *lpm, const void *key)
{
    struct node *_Atomic *up = NULL, *_Atomic *slot = &lpm->root;
    struct node *node;

    while ((node = follow(slot))) {
        uint32_t n = match_len(lpm, node, key);

        if (n < node->prefix_len) {
            return -ENOENT;
        }
        if (n == key_len(key)) {
            break;
        }
        up = slot;
        slot = &node->child[bit(key_data(key), n)];
    }
    if (!node || !node->has_value) {
        return -ENOENT;
    }

    int error = unlink_node(lpm, up, slot);
    lpm->n_entries -= !error;
    return error;
}

static int
lpm_delete(struct vm_map *map, const void *key)
{
    struct lpm *lpm = lpm_cast(map);

    if (key_len(key) > lpm->max_prefix_len) {
        return -EINVAL;
    }
    if (lpm->fib4) {
        const struct vm_fib4_change change = {
            .addr = key_addr(key), .len = key_len(key),
        };

        return vm_fib4_delete(lpm->fib4, &change);
    }
    pthread_mutex_lock(&lpm->mutex);
    int error = remove_key(lpm, key);
    pthread_mutex_unlock(&lpm->mutex);
    return error;
}

static int
fib4_next_key(struct vm_fib4 *fib, const void *key, void *next)
{
    struct vm_fib4_change after = { .addr = 0 }, found;

    if (key) {
        after.addr = key_addr(key);
        after.len = key_len(key);
    }
    if (!vm_fib4_next(fib, key && after.len <= 32 ? &after : NULL, &found)) {
        return -ENOENT;
    }

    uint32_t addr = htobe32(found.addr);
    memcpy(next, &found.len, 4);
    memcpy((uint8_t *) next + 4, &addr, 4);
    return 0;
}

/* Preorder: a prefix, then the longer ones in it. */
static int
lpm_next_key(struct vm_map *map, const void *key, void *next)
{
    struct lpm *lpm = lpm_cast(map);

    if (lpm->fib4) {
        return fib4_next_key(lpm->fib4, key, next);
    }

    struct node *path[8 * MAX_DATA + 2];
    struct node *node = follow(&lpm->root);
    int depth = 0;

    /* Down to the key's node; 'path' holds right subtrees not yet seen. */
    while (key && node) {
        uint32_t n = match_len(lpm, node, key);
        bool here = n == node->prefix_len && n == key_len(key);

        if (n < node->prefix_len || (here && !node->has_value)) {
            node = NULL;
        } else if (here) {
            struct node *right = follow(&node->child[1]);
            struct node *left = follow(&node->child[0]);

            if (left && right) {
                path[depth++] = right;
            }
            node = left ? left : right ? right
                   : depth ? path[--depth] : NULL;
            if (!node) {
                return -ENOENT;
            }
            goto first_value;
        } else {
            int side = bit(key_data(key), n);
            struct node *right = follow(&node->child[1]);

            if (!side && right) {
                path[depth++] = right;
            }
            node = follow(&node->child[side]);
        }
    }
    if (!node) {
        node = follow(&lpm->root);
        depth = 0;
    }

first_value:
    while (node && !node->has_value) {
        node = follow(&node->child[0]);
    }
    if (!node) {
        return -ENOENT;
    }
    memcpy(next, &node->prefix_len, 4);
    memcpy((uint8_t *) next + 4, node_data(lpm, node), lpm->data_size);
    return 0;
}

static size_t
lpm_memory(const struct vm_map *map)
{
    const struct lpm *lpm = lpm_cast(map);

    if (lpm->fib4) {
        return sizeof *lpm + vm_fib4_memory(lpm->fib4);
    }
    return sizeof *lpm + lpm->n_nodes * (sizeof(struct node) + lpm->data_off
                                         + lpm->data_size);
}

static size_t
lpm_count(const struct vm_map *map)
{
    const struct lpm *lpm = lpm_cast(map);

    return lpm->fib4 ? vm_fib4_count(lpm->fib4) : lpm->n_entries;
}

const struct vm_map_ops vm_map_ops_lpm_trie = {
    .name = "lpm_trie",
    .number = VM_MAP_lpm_trie,
    .caps = VM_MAP_CAP_LOOKUP | VM_MAP_CAP_UPDATE | VM_MAP_CAP_DELETE
            | VM_MAP_CAP_HASH,
    .create = lpm_create,
    .destroy = lpm_destroy,
    .lookup = lpm_lookup,
    .update = lpm_update,
    .delete = lpm_delete,
    .hash = lpm_hash,
    .prefetch = lpm_prefetch,
    .lookup_hash = lpm_lookup_hash,
    .lookup_burst = lpm_lookup_burst,
    .next_key = lpm_next_key,
    .memory = lpm_memory,
    .count = lpm_count,
};
