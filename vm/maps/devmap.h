/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_MAPS_DEVMAP_H
#define VM_MAPS_DEVMAP_H 1

/* devmap, cpumap, xskmap: the layout that the JITs inline.
 *
 * A lookup is: index = *(uint32_t *) key; NULL unless index <
 * map.max_entries and, acquired, slots[index].present; else
 * &slots[index].value. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vm/map.h"

struct vm_devmap_slot {
    uint64_t value;             /* Up to 8 bytes; atomic builtins. */
    _Atomic bool present;
};

struct vm_devmap {
    struct vm_map map;
    struct vm_devmap_slot slots[];
};

#endif /* vm/maps/devmap.h */
