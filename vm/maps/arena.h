/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_ARENA_H
#define VM_MAPS_ARENA_H 1

/* Memory that is named by handles of 32 bits, which take half the room of
 * pointers.
 *
 * What: units of one size, handed out in runs of 1, 2, 4 ... 32 of them.  A
 * handle is the number of a run's first unit; 0 is none.  Memory is taken in
 * chunks, each as large as all before it, and never moves.  Chunks are given
 * back only with the arena.
 *
 * Ownership: the arena owns its memory.  vm_arena_retire() frees a run after
 * quiescence, through one call in vm_defer() for all of them.
 *
 * Threads: vm_arena_ptr() any, of a handle that was published to it; the rest
 * under the owner's lock, which the arena takes itself for what runs after
 * quiescence. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_ARENA_FIRST 9        /* The first chunk: 512 units. */
#define VM_ARENA_CHUNKS 32
#define VM_ARENA_CLASSES 6

struct vm_arena_list {
    uint64_t *runs;             /* Handle, class above it. */
    size_t n, allocated;
};

struct vm_arena {
    uint8_t *chunks[VM_ARENA_CHUNKS];   /* By the handle's highest bit; of
                                         * each, where handle 0 would be. */
    uint32_t unit;              /* Bytes, a multiple of 4. */
    uint32_t n_units;           /* Handed out so far, freed ones included. */
    uint32_t max_units;
    uint32_t free[VM_ARENA_CLASSES];    /* Linked by their first 4 bytes. */

    pthread_mutex_t *lock;      /* The owner's. */
    struct vm_arena_list wait;  /* For the call in vm_defer(). */
    struct vm_arena_list next;  /* Retired since that call. */
    /* A call in vm_defer() holds a reference to the owner. */
    void (*ref)(void *owner);
    void (*unref)(void *owner); /* Called without the lock. */
    void *owner;
};

/* A new arena is zero but for unit, max_units, lock, ref, unref, owner. */
void vm_arena_destroy(struct vm_arena *);       /* No readers are left. */

/* A run of 2**class units with any contents, 0 without memory. */
uint32_t vm_arena_alloc(struct vm_arena *, unsigned class);
/* Frees a run that no reader has seen. */
void vm_arena_free(struct vm_arena *, uint32_t handle, unsigned class);
/* Frees it after quiescence.  (Without memory to remember it, never.) */
void vm_arena_retire(struct vm_arena *, uint32_t handle, unsigned class);

/* For an arena beside another one, with the same handles: sees to it that
 * there is memory at 'handle'; false if there is none. */
bool vm_arena_reserve(struct vm_arena *, uint32_t handle);

size_t vm_arena_memory(const struct vm_arena *);
/* Units that wait for readers. */
size_t vm_arena_n_retired(const struct vm_arena *);

static inline void *
vm_arena_ptr(const struct vm_arena *arena, uint32_t handle)
{
    uint32_t chunk = 31 - __builtin_clz(handle
                                        | ((1u << VM_ARENA_FIRST) - 1));

    return arena->chunks[chunk] + (size_t) handle * arena->unit;
}

#endif /* vm/maps/arena.h */
