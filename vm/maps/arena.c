/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/maps/arena.h"

#include <stdlib.h>
#include <string.h>

#include "vm/map.h"

static unsigned
chunk_of(uint32_t handle)
{
    return 31 - __builtin_clz(handle | ((1u << VM_ARENA_FIRST) - 1));
}

/* The first unit of a chunk and how many it has. */
static uint32_t
chunk_start(unsigned chunk)
{
    return chunk < VM_ARENA_FIRST ? 0 : 1u << chunk;
}

static size_t
chunk_units(unsigned chunk)
{
    return chunk < VM_ARENA_FIRST ? 1u << VM_ARENA_FIRST : 1u << chunk;
}

void
vm_arena_destroy(struct vm_arena *arena)
{
    for (unsigned i = 0; i < VM_ARENA_CHUNKS; i++) {
        if (arena->chunks[i]) {
            vm_big_free(arena->chunks[i]
                        + (size_t) chunk_start(i) * arena->unit,
                        chunk_units(i) * arena->unit);
        }
    }
    free(arena->wait.runs);
    free(arena->next.runs);
}

/* Makes the chunk of 'handle' if it is not there. */
static bool
need_chunk(struct vm_arena *arena, uint32_t handle)
{
    unsigned chunk = chunk_of(handle);

    if (!arena->chunks[chunk]) {
        uint8_t *p = vm_big_alloc(chunk_units(chunk) * arena->unit);

        if (!p) {
            return false;
        }
        arena->chunks[chunk] = p - (size_t) chunk_start(chunk) * arena->unit;
    }
    return true;
}

static void
push(struct vm_arena *arena, uint32_t handle, unsigned class)
{
    memcpy(vm_arena_ptr(arena, handle), &arena->free[class],
           sizeof arena->free[class]);
    arena->free[class] = handle;
}

uint32_t
vm_arena_alloc(struct vm_arena *arena, unsigned class)
{
    uint32_t n = 1u << class, handle = arena->free[class];

    if (handle) {
        memcpy(&arena->free[class], vm_arena_ptr(arena, handle),
               sizeof arena->free[class]);
        return handle;
    }

    /* Runs are aligned to their size, so that they lie in one chunk; what
     * that skips serves smaller ones.  Handle 0 is skipped for good. */
    handle = (arena->n_units + n - 1) & ~(n - 1);
    handle = handle ? handle : n;
    if (handle > arena->max_units - n || !need_chunk(arena, handle)) {
        return 0;
    }
    while (arena->n_units < handle) {
        unsigned skipped = (arena->n_units ? __builtin_ctz(arena->n_units)
                            : 0);

        if (arena->n_units && need_chunk(arena, arena->n_units)) {
            push(arena, arena->n_units, skipped);
        }
        arena->n_units += 1u << skipped;
    }
    arena->n_units = handle + n;
    return handle;
}

void
vm_arena_free(struct vm_arena *arena, uint32_t handle, unsigned class)
{
    push(arena, handle, class);
}

static void
arena_quiescent(void *arena_)
{
    struct vm_arena *arena = arena_;
    struct vm_arena_list list;

    pthread_mutex_lock(arena->lock);
    for (size_t i = 0; i < arena->wait.n; i++) {
        push(arena, arena->wait.runs[i], arena->wait.runs[i] >> 32);
    }
    list = arena->wait;
    list.n = 0;
    arena->wait = arena->next;
    arena->next = list;
    bool again = arena->wait.n > 0;
    pthread_mutex_unlock(arena->lock);

    if (again) {
        vm_defer(arena_quiescent, arena);
    } else {
        arena->unref(arena->owner);
    }
}

void
vm_arena_retire(struct vm_arena *arena, uint32_t handle, unsigned class)
{
    struct vm_arena_list *list = (arena->wait.n ? &arena->next
                                  : &arena->wait);

    if (list->n == list->allocated) {
        size_t n = list->allocated ? list->allocated * 2 : 64;
        uint64_t *runs = realloc(list->runs, n * sizeof *runs);

        if (!runs) {
            return;
        }
        list->runs = runs;
        list->allocated = n;
    }
    list->runs[list->n++] = (uint64_t) class << 32 | handle;
    if (list == &arena->wait) {
        arena->ref(arena->owner);
        vm_defer(arena_quiescent, arena);
    }
}

bool
vm_arena_reserve(struct vm_arena *arena, uint32_t handle)
{
    if (!need_chunk(arena, handle)) {
        return false;
    }
    if (arena->n_units <= handle) {
        arena->n_units = handle + 1;
    }
    return true;
}

size_t
vm_arena_memory(const struct vm_arena *arena)
{
    return ((size_t) arena->n_units * arena->unit
            + (arena->wait.allocated + arena->next.allocated)
              * sizeof *arena->wait.runs);
}

size_t
vm_arena_n_retired(const struct vm_arena *arena)
{
    return arena->wait.n + arena->next.n;
}
