/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_VTREE_H
#define VM_MAPS_VTREE_H 1

/* A decision tree over a versioned map of masked tuples (kind VM_MAP_vtree):
 * for many entries with many masks, as access lists have.
 *
 * What: an index over a vtuples map (vtable.h).  A node of the tree looks at
 * up to 8 bits in one byte of the key and has a child for each value of them;
 * entries whose masks leave too many of these bits open are not copied to
 * many children but go to the node's "rest", which is looked up as well, if
 * it may have something better.  A leaf is a short list by descending
 * priority.  (After HyperCuts, Singh et al., SIGCOMM 2003, and CutSplit, Li
 * et al., INFOCOM 2018; the bytes of the key need no meaning here.)
 *
 * Each node's bits are those that leave the fewest entries to compare, judged
 * by a sample.
 *
 * A lookup gives what the vtuples map's would, but for entries of the same
 * priority with different masks, of which it may be any.
 *
 * Usage: vm_map_create() with the key and value sizes of the vtuples map,
 * which is attr.inner, and max_entries 0; vm_vtree_insert() for all entries;
 * vm_vtree_build() until it returns true.  Then lookups are right, and stay
 * so with vm_vtree_insert() after each vm_vtuples_insert(), vm_vtree_delete()
 * before each vm_vtuples_delete(): in place.
 *
 * Threads: as of a vtuples map: one writer, any readers. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/map.h"

struct vm_ventry;

/* 'e' is in the vtuples map.  -ENOMEM: the index is not right any more. */
int vm_vtree_insert(struct vm_map *, struct vm_ventry *e);
/* 'e' is about to leave it. */
int vm_vtree_delete(struct vm_map *, struct vm_ventry *e);

/* Does one step, of less than a millisecond or so.  True: it was the last. */
bool vm_vtree_build(struct vm_map *);

/* The most places (nodes and compared entries) that a lookup looks at; walks
 * through the tree. */
size_t vm_vtree_worst(const struct vm_map *);

#endif /* vm/maps/vtree.h */
