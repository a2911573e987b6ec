/* SPDX-License-Identifier: Apache-2.0 */

/* Longest prefix match: the readers. */

#include "vm/maps/fib4-internal.h"

#include <endian.h>
#include <string.h>

#include "vm/map.h"

/* How many slots are on their way while others are looked at: as many cache
 * lines as a core waits for at a time, roughly.  In a small burst it is better
 * to start looking early. */
#define AHEAD(N) ((N) < 64 ? 16u : 24u)

/* The leaf of the longest prefix in and below 'handle', a node of level 1. */
static inline uint32_t
find_below(const struct vm_fib4 *fib, uint32_t handle, uint32_t addr)
{
    struct vm_fib4_node *node = vm_fib4_node(fib, handle);
    uint32_t best = 0;

    for (unsigned level = 1;; level++) {
        uint32_t leaf = vm_fib4_get(
            vm_fib4_leaf(fib, node, vm_fib4_position(fib, addr, level)));

        if (!(leaf & VM_FIB4_CHILD)) {
            return leaf ? leaf : best;
        }
        node = vm_fib4_node(fib, leaf & ~VM_FIB4_CHILD);

        uint32_t here = vm_fib4_get(&node->best);
        best = here ? here : best;
    }
}

/* Looks at what lies in the slot: true if that is one state of what there
 * is. */
static inline __attribute__((always_inline)) bool
find_inline(const struct vm_fib4 *fib, struct vm_fib4_slot *slot,
            uint32_t addr, void **value)
{
    unsigned position = vm_fib4_position(fib, addr, 1);

    uint32_t node = vm_fib4_get(&slot->node);
    uint64_t upto = (vm_fib4_get64(&slot->starts)
                     & ((UINT64_C(2) << position) - 1));
    unsigned run = vm_fib4_count_bits(upto, fib->has_insn);
    unsigned i = vm_fib4_get64(&slot->runs) >> 4 * run & 15;
    uint32_t best = vm_fib4_get(&slot->best);

    if (fib->has_cells) {
        uintptr_t cell = (uintptr_t) slot + i * sizeof slot->cells[0]
                         + offsetof(struct vm_fib4_slot, cells)
                         - sizeof slot->cells[0];

        *value = (void *) vm_fib4_select(
            i, cell, (uintptr_t) vm_fib4_value(fib, best));
    } else {
        uint32_t leaf = vm_fib4_get(
            &slot->leaves[vm_fib4_select(i, i - 1, 0)]);

        *value = vm_fib4_value(fib, vm_fib4_select(i, leaf, best));
    }

    /* 'best' is changed where it lies. */
    return !(node | atomic_load_explicit(&slot->node, memory_order_relaxed));
}

/* A prefix of level 0 is the answer only if no change came in between that
 * added something longer. */
static __attribute__((noinline)) void *
find_slow(const struct vm_fib4 *fib, struct vm_fib4_slot *slot, uint32_t addr)
{
    for (;;) {
        uint32_t changes = atomic_load_explicit(&fib->changes,
                                                memory_order_acquire);
        uint32_t node = vm_fib4_get(&slot->node), leaf;
        void *value;

        if (!node) {
            if (find_inline(fib, slot, addr, &value)) {
                return value;
            }
            continue;
        }
        leaf = find_below(fib, node, addr);
        if (leaf) {
            return vm_fib4_leaf_value(fib, slot, leaf);
        }
        leaf = vm_fib4_get(&slot->best);
        if (changes == atomic_load_explicit(&fib->changes,
                                            memory_order_relaxed)) {
            return vm_fib4_value(fib, leaf);
        }
    }
}

void *
vm_fib4_find(const struct vm_fib4 *fib, uint32_t addr)
{
    struct vm_fib4_slot *slot = vm_fib4_slot(fib, addr);
    void *value;

    return (find_inline(fib, slot, addr, &value) ? value
            : find_slow(fib, slot, addr));
}

/* The address of a key of 8 bytes, { length, address }. */
static inline uint32_t
key_addr(const void *key)
{
    uint32_t addr;

    memcpy(&addr, (const uint8_t *) key + 4, sizeof addr);
    return be32toh(addr);
}

static inline uint32_t
key_len(const void *key)
{
    uint32_t len;

    memcpy(&len, key, sizeof len);
    return len;
}

/* What the first pass over a burst did not find. */
static void
find_rest(const struct vm_fib4 *fib, const void *const *keys,
          const uint8_t *rest, unsigned n, void **values)
{
    for (unsigned j = 0; j < n; j++) {
        struct vm_fib4_slot *slot = vm_fib4_slot(fib,
                                                 key_addr(keys[rest[j]]));

        __builtin_prefetch(vm_fib4_node(fib, vm_fib4_get(&slot->node)));
    }
    for (unsigned j = 0; j < n; j++) {
        const void *key = keys[rest[j]];
        uint32_t addr = key_addr(key), len = key_len(key);
        void *value = (len == 32
                       ? find_slow(fib, vm_fib4_slot(fib, addr), addr)
                       : len < 32 ? vm_fib4_at_most(fib, addr, len) : NULL);

        __builtin_prefetch(value);
        values[rest[j]] = value;
    }
}

/* At most 256. */
static void
find_some(const struct vm_fib4 *fib, const void *const *keys, unsigned n,
          void **values)
{
    uint8_t rest[256];
    unsigned n_rest = 0, ahead = n < AHEAD(n) ? n : AHEAD(n);

    for (unsigned i = 0; i < ahead; i++) {
        __builtin_prefetch(vm_fib4_slot(fib, key_addr(keys[i])));
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t addr = key_addr(keys[i]);
        struct vm_fib4_slot *slot = vm_fib4_slot(fib, addr);

        if (i + ahead < n) {
            __builtin_prefetch(vm_fib4_slot(fib, key_addr(keys[i + ahead])));
        }
        unsigned found = find_inline(fib, slot, addr, &values[i]);
        found &= key_len(keys[i]) == 32;
        __builtin_prefetch(values[i]);
        rest[n_rest] = i;
        n_rest += !found;
    }
    if (n_rest) {
        find_rest(fib, keys, rest, n_rest, values);
    }
}

void
vm_fib4_find_burst(const struct vm_fib4 *fib, const void *const *keys,
                   unsigned n, void **values)
{
    while (n) {
        unsigned k = n < 256 ? n : 256;

        find_some(fib, keys, k, values);
        keys += k;
        values += k;
        n -= k;
    }
}

void
vm_fib4_prefetch(const struct vm_fib4 *fib, uint32_t addr)
{
    __builtin_prefetch(vm_fib4_slot(fib, addr));
}

void
vm_fib4_prefetch_value(const struct vm_fib4 *fib, uint32_t addr)
{
    __builtin_prefetch(vm_fib4_find(fib, addr));
}
