/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_ARRAY_H
#define VM_MAPS_ARRAY_H 1

/* Array, per-CPU array and program array: layouts that the JITs inline.
 *
 * A lookup in an array is: index = *(uint32_t *) key; NULL unless index <
 * map.max_entries; else data + index * elem_size, in a per-CPU array plus
 * vm_cpu() * cpu_stride. */


#include "vm/map.h"

struct vm_prog;

struct vm_array {
    struct vm_map map;
    uint32_t elem_size;         /* value_size rounded up to 8. */
    size_t data_size;
    uint8_t *data;
    size_t cpu_stride;          /* Bytes from one CPU's values to the next's;
                                 * 0 in an array. */
};

struct vm_prog_array {
    struct vm_map map;
    struct vm_prog *_Atomic progs[];    /* max_entries; references. */
};

/* Puts 'prog' (NULL: nothing) into slot 'index' of program array 'map'.  One
 * store for readers; takes a reference, drops the old one's.  -E2BIG: no
 * such slot; -EINVAL: the program's type differs from that of the programs
 * already in the array. */
int vm_prog_array_set(struct vm_map *map, uint32_t index, struct vm_prog *);

/* Empties the array.  Programs in it that use the array themselves are a
 * cycle of references, which its owner ends with this. */
void vm_prog_array_clear(struct vm_map *map);

#endif /* vm/maps/array.h */
