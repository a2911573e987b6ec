/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_VMERGE_H
#define VM_MAPS_VMERGE_H 1

/* Merged masked tuples (kind VM_MAP_vmerge): an index over a vtuples map
 * (vtable.h) that has many masks.
 *
 * What: a few tables, each with a mask that is part of the masks of the
 * entries in it, so that entries of many masks share one probe (after
 * TupleMerge, Daly et al., IEEE/ACM ToN 2019).  What a bucket holds is sorted
 * by descending priority, and each entry is compared with its own mask and
 * version.  Tables are searched by descending priority of their best entry,
 * as far as one may hold a better entry than what was found.
 *
 * A table that would get more than a few entries into one bucket is left
 * alone and one with a larger mask made beside it.
 *
 * A lookup gives what the vtuples map's would, but for entries of the same
 * priority with different masks, of which it may be any.
 *
 * Usage: vm_map_create() with the key and value sizes of the vtuples map,
 * which is attr.inner, and max_entries 0; vm_vmerge_insert() after each
 * vm_vtuples_insert(), vm_vmerge_delete() before each vm_vtuples_delete().
 * Lookups are right once all entries are in.
 *
 * Threads: as of a vtuples map: one writer, any readers. */

#include <stddef.h>
#include <stdint.h>

#include "vm/map.h"

struct vm_ventry;

/* 'e' is in the vtuples map.  'coarse', words of a key, is a mask that many
 * masks like the entry's share; only the bits that the entry's mask has, too,
 * count.  -ENOMEM: the index is not right any more. */
int vm_vmerge_insert(struct vm_map *, struct vm_ventry *e,
                     const uint64_t *coarse);
/* 'e' is about to leave it. */
void vm_vmerge_delete(struct vm_map *, struct vm_ventry *e);

/* Tables that a lookup may probe, and the most entries in a bucket that an
 * insertion has met. */
size_t vm_vmerge_n_tables(const struct vm_map *);
size_t vm_vmerge_longest(const struct vm_map *);

#endif /* vm/maps/vmerge.h */
