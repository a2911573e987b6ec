/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VM_MAPS_H
#define TESTS_VM_MAPS_H 1

/* What the parts of test-vm-maps.c share: vm-maps-*.c have the tests of their
 * kinds. */

#include <stdint.h>

#include "vm/map.h"

#define NEW(KIND, KEY, VALUE, N, ...)                                         \
    vm_maps_new(&(struct vm_map_attr) {                                       \
        .kind = VM_MAP_##KIND, .key_size = KEY, .value_size = VALUE,          \
        .max_entries = N, .name = #KIND, __VA_ARGS__ })
#define REFUSED(KIND, KEY, VALUE, N, ...)                                     \
    vm_maps_refused(&(struct vm_map_attr) {                                   \
        .kind = VM_MAP_##KIND, .key_size = KEY, .value_size = VALUE,          \
        .max_entries = N, .name = "bad", __VA_ARGS__ })

/* A test for each kind: a row of maps.def without one does not link. */
#define VM_MAP(ID, NUMBER) void test_##ID(void **state);
#include "vm/maps/maps.def"
void test_hash_key_sizes(void **state);
void test_hash_deferred(void **state);

/* Fail the test if the map cannot be made; if it can, and if the error does
 * not name it. */
struct vm_map *vm_maps_new(const struct vm_map_attr *);
void vm_maps_refused(const struct vm_map_attr *);

/* Destroys a map, and all that waits for readers. */
void drop(struct vm_map *);

/* With keys of 4 bytes and values of 8; no value is UINT64_MAX. */
int update(struct vm_map *, uint32_t key, uint64_t value, uint64_t flags);
uint64_t lookup(struct vm_map *, uint32_t key);
int del(struct vm_map *, uint32_t key);
/* Walks all keys; their sum. */
uint64_t walk(struct vm_map *, uint32_t *n);

#endif /* tests/unit/vm-maps.h */
