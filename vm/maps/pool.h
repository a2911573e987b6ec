/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_POOL_H
#define VM_MAPS_POOL_H 1

/* Nodes of one size for a map, freed only when no reader can see them.
 *
 * What: a slab made at once, and memory from the heap when the slab's nodes
 * are all used or waiting for readers.  Retired nodes wait in a list of the
 * pool's own: however many they are, the pool has at most one call in
 * vm_defer(), and takes no memory to retire one.  Heap nodes are limited, so
 * a map that is changed faster than its readers become quiescent meets
 * -ENOMEM and not the end of the memory.
 *
 * Ownership: vm_pool_new() returns one reference, the map's.  The last one,
 * after that the call in vm_defer(), frees the slab; heap nodes that are not
 * retired are the map's to free.
 *
 * Threads: any, without order. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_pool;

/* Head of every node.  All but 'used' is the pool's. */
struct vm_node {
    uint32_t link_low;
    uint16_t link_high;
    uint8_t on_heap;
    _Atomic uint8_t used;       /* For the map: looked up lately. */
};

struct vm_pool_attr {
    size_t node_size;           /* Bytes, head included. */
    size_t n_slab;              /* Nodes made at once. */
    size_t n_heap;              /* Nodes on the heap at most. */
};

/* Bytes to give a node of at least 'size': what lies across as few cache
 * lines as it can. */
size_t vm_pool_round(size_t size);

struct vm_pool *vm_pool_new(const struct vm_pool_attr *);   /* NULL: none. */
void vm_pool_unref(struct vm_pool *);

/* A node whose contents are any, or NULL. */
void *vm_pool_alloc(struct vm_pool *);
/* Frees a node that no reader has seen, or sees. */
void vm_pool_free(struct vm_pool *, void *node);
/* Frees an unlinked node after quiescence. */
void vm_pool_retire(struct vm_pool *, void *node);

size_t vm_pool_memory(struct vm_pool *);

#endif /* vm/maps/pool.h */
