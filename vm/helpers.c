/* SPDX-License-Identifier: Apache-2.0 */

/* The VM's own helpers: maps, time, random numbers, tail calls. */

#include "vm/helper.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "vm/map.h"
#include "vm/maps/ringbuf.h"
#include "vm/maps/vtable.h"

static void *
ptr(uint64_t value)
{
    return (void *) (uintptr_t) value;
}

static uint64_t
map_lookup_elem(uint64_t map_, uint64_t key, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return (uintptr_t) map->ops->lookup(map, ptr(key));
}

static uint64_t
map_update_elem(uint64_t map_, uint64_t key, uint64_t value, uint64_t flags,
                uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return (int64_t) map->ops->update(map, ptr(key), ptr(value), flags);
}

static uint64_t
map_delete_elem(uint64_t map_, uint64_t key, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return (int64_t) map->ops->delete(map, ptr(key));
}

static uint64_t
clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static uint64_t
ktime_get_ns(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t
ktime_get_boot_ns(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                  uint64_t r5)
{
    return clock_ns(CLOCK_BOOTTIME);
}

static uint64_t
ktime_get_coarse_ns(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                    uint64_t r5)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE);
}

/* Ticks of a kernel with HZ=250, the usual one. */
static uint64_t
jiffies64(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE) / 4000000;
}

/* xorshift64*, seeded per thread. */
static uint64_t
get_prandom_u32(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    static _Thread_local uint64_t state;

    if (!state) {
        state = vm_hash_seed() ^ (uintptr_t) &state;
        state += !state;
    }
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * UINT64_C(2685821657736338717)) >> 32;
}

static uint64_t
get_smp_processor_id(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                     uint64_t r5)
{
    return vm_cpu();
}

static uint64_t
vlookup(uint64_t map_, uint64_t key, uint64_t version, uint64_t r4,
        uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return (uintptr_t) map->ops->vlookup(map, ptr(key), version);
}

static uint64_t
vlookup_start(uint64_t map_, uint64_t key, uint64_t r3, uint64_t r4,
              uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return map->ops->vstart(map, ptr(key));
}

static uint64_t
vlookup_next(uint64_t map_, uint64_t key, uint64_t cookie, uint64_t r4,
             uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return map->ops->vnext(map, ptr(key), cookie);
}

static uint64_t
vlookup_end(uint64_t map_, uint64_t key, uint64_t version, uint64_t cookie,
            uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return (uintptr_t) map->ops->vend(map, ptr(key), version, cookie);
}

static uint64_t
map_hash(uint64_t map_, uint64_t key, uint64_t r3, uint64_t r4, uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return map->ops->hash(map, ptr(key));
}

static uint64_t
map_lookup_hash(uint64_t map_, uint64_t key, uint64_t cookie, uint64_t r4,
                uint64_t r5)
{
    struct vm_map *map = ptr(map_);

    return (uintptr_t) map->ops->lookup_hash(map, ptr(key), cookie);
}

static uint64_t
perf_event_output(uint64_t ctx, uint64_t map, uint64_t flags, uint64_t data,
                  uint64_t size)
{
    const struct vm_perf_record record = { .data = ptr(data), .size = size };

    return (int64_t) vm_perf_output(ptr(map), flags, &record);
}

static uint64_t
ringbuf_output(uint64_t map, uint64_t data, uint64_t size, uint64_t flags,
               uint64_t r5)
{
    return (int64_t) vm_ringbuf_output(ptr(map), ptr(data), size, flags);
}

static uint64_t
ringbuf_reserve(uint64_t map, uint64_t size, uint64_t flags, uint64_t r4,
                uint64_t r5)
{
    return (uintptr_t) vm_ringbuf_reserve(ptr(map), size, flags);
}

static uint64_t
ringbuf_submit(uint64_t record, uint64_t flags, uint64_t r3, uint64_t r4,
               uint64_t r5)
{
    vm_ringbuf_commit(ptr(record), false);
    return 0;
}

static uint64_t
ringbuf_discard(uint64_t record, uint64_t flags, uint64_t r3, uint64_t r4,
                uint64_t r5)
{
    vm_ringbuf_commit(ptr(record), true);
    return 0;
}

static uint64_t
ringbuf_query(uint64_t map, uint64_t what, uint64_t r3, uint64_t r4,
              uint64_t r5)
{
    return vm_ringbuf_query(ptr(map), what);
}

static uint64_t
prefetch(uint64_t address, uint64_t r2, uint64_t r3, uint64_t r4,
         uint64_t r5)
{
    __builtin_prefetch(ptr(address));
    return 0;
}

static const struct vm_helper base[] = {
    {
        .id = VM_HELPER_MAP_LOOKUP,
        .name = "map_lookup_elem",
        .fn = map_lookup_elem,
        .ret = VM_RET_MAP_VALUE_OR_NULL,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY },
        .map_caps = VM_MAP_CAP_LOOKUP,
    }, {
        .id = VM_HELPER_MAP_UPDATE,
        .name = "map_update_elem",
        .fn = map_update_elem,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY, VM_ARG_MAP_VALUE, VM_ARG_ANY },
        .map_caps = VM_MAP_CAP_UPDATE,
    }, {
        .id = VM_HELPER_MAP_DELETE,
        .name = "map_delete_elem",
        .fn = map_delete_elem,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY },
        .map_caps = VM_MAP_CAP_DELETE,
    }, {
        .id = VM_HELPER_KTIME_GET_NS,
        .name = "ktime_get_ns",
        .fn = ktime_get_ns,
    }, {
        .id = VM_HELPER_PRANDOM_U32,
        .name = "get_prandom_u32",
        .fn = get_prandom_u32,
        .ret_max = UINT32_MAX,
    }, {
        .id = VM_HELPER_CPU_ID,
        .name = "get_smp_processor_id",
        .fn = get_smp_processor_id,
        .ret_max = VM_MAX_CPUS - 1,
    }, {
        .id = VM_HELPER_TAIL_CALL,
        .name = "tail_call",
        .args = { VM_ARG_CTX, VM_ARG_MAP, VM_ARG_ANY },
        .flags = VM_HF_TAIL_CALL,
        .map_caps = VM_MAP_CAP_TAIL_CALL,
        .ret_min = -ENOENT,
        .ret_max = -ENOENT,
    }, {
        .id = VM_HELPER_KTIME_GET_BOOT_NS,
        .name = "ktime_get_boot_ns",
        .fn = ktime_get_boot_ns,
    }, {
        .id = VM_HELPER_JIFFIES64,
        .name = "jiffies64",
        .fn = jiffies64,
    }, {
        .id = VM_HELPER_KTIME_COARSE_NS,
        .name = "ktime_get_coarse_ns",
        .fn = ktime_get_coarse_ns,
    }, {
        .id = VM_HELPER_PERF_OUTPUT,
        .name = "perf_event_output",
        .fn = perf_event_output,
        .args = { VM_ARG_CTX, VM_ARG_MAP, VM_ARG_ANY, VM_ARG_MEM,
                  VM_ARG_SIZE_OR_ZERO },
        .map_caps = VM_MAP_CAP_PERF,
    }, {
        .id = VM_HELPER_RINGBUF_OUTPUT,
        .name = "ringbuf_output",
        .fn = ringbuf_output,
        .args = { VM_ARG_MAP, VM_ARG_MEM, VM_ARG_SIZE_OR_ZERO, VM_ARG_ANY },
        .map_caps = VM_MAP_CAP_RINGBUF,
    }, {
        .id = VM_HELPER_RINGBUF_RESERVE,
        .name = "ringbuf_reserve",
        .fn = ringbuf_reserve,
        .ret = VM_RET_MEM_OR_NULL,
        .args = { VM_ARG_MAP, VM_ARG_CONST_SIZE, VM_ARG_ANY },
        .flags = VM_HF_ACQUIRE,
        .map_caps = VM_MAP_CAP_RINGBUF,
    }, {
        .id = VM_HELPER_RINGBUF_SUBMIT,
        .name = "ringbuf_submit",
        .fn = ringbuf_submit,
        .ret = VM_RET_VOID,
        .args = { VM_ARG_RELEASE, VM_ARG_ANY },
    }, {
        .id = VM_HELPER_RINGBUF_DISCARD,
        .name = "ringbuf_discard",
        .fn = ringbuf_discard,
        .ret = VM_RET_VOID,
        .args = { VM_ARG_RELEASE, VM_ARG_ANY },
    }, {
        .id = VM_HELPER_RINGBUF_QUERY,
        .name = "ringbuf_query",
        .fn = ringbuf_query,
        .args = { VM_ARG_MAP, VM_ARG_ANY },
        .map_caps = VM_MAP_CAP_RINGBUF,
    }, {
        .id = VM_HELPER_MAP_HASH,
        .name = "map_hash",
        .fn = map_hash,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY },
        .map_caps = VM_MAP_CAP_HASH,
    }, {
        .id = VM_HELPER_MAP_LOOKUP_HASH,
        .name = "map_lookup_hash",
        .fn = map_lookup_hash,
        .ret = VM_RET_MAP_VALUE_OR_NULL,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY, VM_ARG_ANY },
        .map_caps = VM_MAP_CAP_HASH,
    }, {
        .id = VM_HELPER_PREFETCH,
        .name = "prefetch",
        .fn = prefetch,
        .ret = VM_RET_VOID,
        .args = { VM_ARG_ADDRESS },
    },
};

static const struct vm_helper versioned[] = {
    {
        .id = VM_HELPER_GOTO,
        .name = "goto_slot",
        .args = { VM_ARG_CTX, VM_ARG_ANY },
        .flags = VM_HF_TAIL_CALL,
        .ret_min = -ENOENT,
        .ret_max = -ENOENT,
    }, {
        .id = VM_HELPER_YIELD,
        .name = "yield",
        .ret = VM_RET_VOID,
        .args = { VM_ARG_CTX },
        .flags = VM_HF_YIELD,
    }, {
        .id = VM_HELPER_VLOOKUP,
        .name = "vlookup",
        .fn = vlookup,
        .ret = VM_RET_MAP_VALUE_OR_NULL,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY, VM_ARG_ANY },
        .map_caps = VM_MAP_CAP_VLOOKUP,
    }, {
        .id = VM_HELPER_VLOOKUP_START,
        .name = "vlookup_start",
        .fn = vlookup_start,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY },
        .map_caps = VM_MAP_CAP_VSTEPS,
    }, {
        .id = VM_HELPER_VLOOKUP_NEXT,
        .name = "vlookup_next",
        .fn = vlookup_next,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY, VM_ARG_ANY },
        .map_caps = VM_MAP_CAP_VSTEPS,
    }, {
        .id = VM_HELPER_VLOOKUP_END,
        .name = "vlookup_end",
        .fn = vlookup_end,
        .ret = VM_RET_MAP_VALUE_OR_NULL,
        .args = { VM_ARG_MAP, VM_ARG_MAP_KEY, VM_ARG_ANY, VM_ARG_ANY },
        .map_caps = VM_MAP_CAP_VSTEPS,
    },
};

const struct vm_helper_set vm_helpers_base = {
    base, sizeof base / sizeof base[0],
};

const struct vm_helper_set vm_helpers_versioned = {
    versioned, sizeof versioned / sizeof versioned[0],
};
