/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_OF_MAPS_H
#define VM_MAPS_OF_MAPS_H 1

/* Maps of maps (array_of_maps, hash_of_maps): for a program, a lookup gives
 * an inner map or NULL.  The owner puts inner maps in and takes them out
 * here; Linux's file descriptors do not exist. */

#include "vm/map.h"

/* Puts 'inner' (NULL: nothing) at 'key'; takes a reference.  -EINVAL: it is
 * not like the map's template (kind, sizes, flags; of arrays without
 * VM_MF_INNER_MAP, max_entries too). */
int vm_map_set_inner(struct vm_map *, const void *key, struct vm_map *inner);

/* The inner map at 'key', borrowed, or NULL. */
struct vm_map *vm_map_get_inner(struct vm_map *, const void *key);

#endif /* vm/maps/of_maps.h */
