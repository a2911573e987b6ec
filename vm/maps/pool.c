/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/maps/pool.h"

#include <stdlib.h>
#include <string.h>

#include "vm/map.h"

#define LINE 64

/* Nodes linked by their heads. */
struct list {
    struct vm_node *first;
    struct vm_node *last;       /* If there is a first. */
};

struct vm_pool {
    struct vm_pool_attr attr;
    atomic_uint refs;
    uint8_t *slab;

    _Alignas(LINE) atomic_flag lock;
    bool waits;                 /* A call is in vm_defer(). */
    struct vm_node *free_nodes; /* Of the slab. */
    /* Nodes for which the call waits, and nodes retired since; each the
     * slab's and the heap's apart. */
    struct list wait_slab, wait_heap;
    struct list next_slab, next_heap;
    size_t n_heap;
};

static void
lock(struct vm_pool *pool)
{
    while (atomic_flag_test_and_set_explicit(&pool->lock,
                                             memory_order_acquire)) {
        vm_pause();
    }
}

static void
unlock(struct vm_pool *pool)
{
    atomic_flag_clear_explicit(&pool->lock, memory_order_release);
}

static struct vm_node *
link_get(const struct vm_node *node)
{
    return (void *) (uintptr_t) ((uint64_t) node->link_high << 32
                                 | node->link_low);
}

static void
link_set(struct vm_node *node, const struct vm_node *to)
{
    node->link_low = (uintptr_t) to;
    node->link_high = (uint64_t) (uintptr_t) to >> 32;
}

static void
push(struct list *list, struct vm_node *node)
{
    link_set(node, list->first);
    list->last = list->first ? list->last : node;
    list->first = node;
}

size_t
vm_pool_round(size_t size)
{
    size_t n = 16;

    while (n < size && n < LINE) {
        n *= 2;
    }
    return n < size ? (size + 15) & ~(size_t) 15 : n;
}

struct vm_pool *
vm_pool_new(const struct vm_pool_attr *attr)
{
    struct vm_pool *pool = aligned_alloc(LINE, sizeof *pool);

    if (!pool) {
        return NULL;
    }
    memset(pool, 0, sizeof *pool);
    pool->attr = *attr;
    atomic_init(&pool->refs, 1);
    atomic_flag_clear(&pool->lock);
    if (attr->n_slab) {
        pool->slab = vm_big_alloc(attr->n_slab * attr->node_size);
        if (!pool->slab) {
            free(pool);
            return NULL;
        }
    }
    for (size_t i = attr->n_slab; i-- > 0;) {
        struct vm_node *node = (void *) (pool->slab + i * attr->node_size);

        link_set(node, pool->free_nodes);
        pool->free_nodes = node;
    }
    return pool;
}

void
vm_pool_unref(struct vm_pool *pool)
{
    if (atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel)
        == 1) {
        if (pool->slab) {
            vm_big_free(pool->slab,
                        pool->attr.n_slab * pool->attr.node_size);
        }
        free(pool);
    }
}

static struct vm_node *
heap_alloc(struct vm_pool *pool)
{
    size_t size = pool->attr.node_size;
    struct vm_node *node
        = aligned_alloc(size & (size - 1) || size > LINE ? 16 : size, size);

    if (node && (uintptr_t) node >> 48) {
        free(node);
        node = NULL;
    }
    if (node) {
        node->on_heap = true;
    }
    return node;
}

void *
vm_pool_alloc(struct vm_pool *pool)
{
    lock(pool);
    struct vm_node *node = pool->free_nodes;
    bool from_heap = !node && pool->n_heap < pool->attr.n_heap;
    if (node) {
        pool->free_nodes = link_get(node);
    }
    pool->n_heap += from_heap;
    unlock(pool);

    if (from_heap) {
        node = heap_alloc(pool);
        if (!node) {
            lock(pool);
            pool->n_heap--;
            unlock(pool);
        }
    }
    return node;
}

void
vm_pool_free(struct vm_pool *pool, void *node_)
{
    struct vm_node *node = node_;
    bool on_heap = node->on_heap;

    lock(pool);
    if (on_heap) {
        pool->n_heap--;
    } else {
        link_set(node, pool->free_nodes);
        pool->free_nodes = node;
    }
    unlock(pool);
    if (on_heap) {
        free(node);
    }
}

/* Lets what was retired since the last call wait for the next one; false if
 * that is nothing. */
static bool
wait_for_next(struct vm_pool *pool)
{
    pool->wait_slab = pool->next_slab;
    pool->wait_heap = pool->next_heap;
    pool->next_slab.first = pool->next_heap.first = NULL;
    pool->waits = pool->wait_slab.first || pool->wait_heap.first;
    return pool->waits;
}

/* What waited is seen by nobody any more. */
static void
pool_quiescent(void *pool_)
{
    struct vm_pool *pool = pool_;
    size_t n = 0;

    lock(pool);
    struct vm_node *heap = pool->wait_heap.first;
    if (pool->wait_slab.first) {
        link_set(pool->wait_slab.last, pool->free_nodes);
        pool->free_nodes = pool->wait_slab.first;
    }
    bool again = wait_for_next(pool);
    unlock(pool);

    while (heap) {
        struct vm_node *next = link_get(heap);

        free(heap);
        heap = next;
        n++;
    }
    if (n) {
        lock(pool);
        pool->n_heap -= n;
        unlock(pool);
    }
    if (again) {
        vm_defer(pool_quiescent, pool);
    } else {
        vm_pool_unref(pool);
    }
}

void
vm_pool_retire(struct vm_pool *pool, void *node_)
{
    struct vm_node *node = node_;

    lock(pool);
    push(node->on_heap ? &pool->next_heap : &pool->next_slab, node);
    bool defer = !pool->waits && wait_for_next(pool);
    unlock(pool);

    if (defer) {
        atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
        vm_defer(pool_quiescent, pool);
    }
}

size_t
vm_pool_memory(struct vm_pool *pool)
{
    lock(pool);
    size_t n = sizeof *pool + (pool->attr.n_slab + pool->n_heap)
                              * pool->attr.node_size;
    unlock(pool);
    return n;
}
