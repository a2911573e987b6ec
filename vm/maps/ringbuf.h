/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_RINGBUF_H
#define VM_MAPS_RINGBUF_H 1

/* Ring buffers from programs to their owner: ringbuf (shared by all CPUs) and
 * perf_event_array (one for each CPU).
 *
 * Producers reserve space in order, under a lock held for a few
 * instructions, fill it and submit or discard it; a record is readable when
 * all before it are done.  The memory is mapped twice in a row, so that a
 * record is always contiguous.  Full is -ENOSPC (or NULL) and counted.
 *
 * Threads: any number of producers, one consumer. */

#include "vm/map.h"

struct vm_ring;

/* Gives up to 'max' records to 'cb' (of 'size' bytes) and frees them; returns
 * how many.  'cb' NULL: drops them. */
size_t vm_ringbuf_consume(struct vm_map *, size_t max,
                          void (*cb)(void *aux, const void *data,
                                     uint32_t size), void *aux);
/* The same of CPU 'cpu' of a perf_event_array. */
size_t vm_perf_consume(struct vm_map *, uint32_t cpu, size_t max,
                       void (*cb)(void *aux, const void *data,
                                  uint32_t size), void *aux);

/* Records that found no room so far. */
uint64_t vm_ringbuf_lost(const struct vm_map *);
uint64_t vm_perf_lost(const struct vm_map *, uint32_t cpu);

/* The helpers' work; errors as in Linux. */
void *vm_ringbuf_reserve(struct vm_map *, uint64_t size, uint64_t flags);
void vm_ringbuf_commit(void *record, bool discard);
int vm_ringbuf_output(struct vm_map *, const void *data, uint64_t size,
                      uint64_t flags);
uint64_t vm_ringbuf_query(struct vm_map *, uint64_t what);

/* Writes a record of 'size' bytes of 'data' and then 'extra_size' of 'extra'
 * (a packet, say) to the ring that 'flags' names: an index, or
 * VM_PERF_CURRENT_CPU. */
#define VM_PERF_CURRENT_CPU UINT32_MAX
struct vm_perf_record {
    const void *data;
    uint64_t size;
    const void *extra;
    uint64_t extra_size;
};
int vm_perf_output(struct vm_map *, uint64_t flags,
                   const struct vm_perf_record *);

#endif /* vm/maps/ringbuf.h */
