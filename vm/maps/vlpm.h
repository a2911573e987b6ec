/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_VLPM_H
#define VM_MAPS_VLPM_H 1

/* Longest prefix match over a versioned map of masked tuples (kind
 * VM_MAP_vlpm).
 *
 * What: an index over a vtuples map (vtable.h) whose entries have a prefix of
 * the same IPv4 address field, the same mask and value in all other words,
 * and a priority that grows with the prefix's length; entries that match
 * everything, of lower priority, may be there, too.  A lookup gives what the
 * vtuples map's would, by a trie (fib4.h) in place of a probe a length.
 *
 * How versions are kept: the trie holds, for every prefix that has entries,
 * visible or not, the head of their chain.  The longest one that has an
 * entry that the reader's version sees is the best match.  If the longest of
 * all has none (a rule that is not visible yet, or no more), the lookup goes
 * to the vtuples map, which knows.
 *
 * Usage: vm_map_create() with the key and value sizes of the vtuples map,
 * which is attr.inner, and max_entries prefixes; vm_vlpm_bind(); then
 * vm_vlpm_insert() after each vm_vtuples_insert(), vm_vlpm_delete() before
 * each vm_vtuples_delete().  Lookups are right once all entries are in.
 *
 * Threads: as of a vtuples map: one writer, any readers. */

#include <stdint.h>

#include "vm/map.h"

struct vm_ventry;

/* What all entries with a prefix have beside it: 'mask' and 'key' of the
 * map's key words, and at byte 'addr_off' of the key, a multiple of 4, the
 * address in network byte order (whose bits are 0 in 'mask').  Before the
 * first lookup. */
void vm_vlpm_bind(struct vm_map *, const uint64_t *mask, const uint64_t *key,
                  uint32_t addr_off);

/* 'e' is in the vtuples map, with a prefix of 'len' bits.  -ENOSPC, -ENOMEM:
 * the index is not right any more. */
int vm_vlpm_insert(struct vm_map *, struct vm_ventry *e, unsigned len);
/* 'e' is about to leave it. */
int vm_vlpm_delete(struct vm_map *, struct vm_ventry *e, unsigned len);

#endif /* vm/maps/vlpm.h */
