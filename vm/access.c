/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"
#include "vm/maps/ringbuf.h"

/* Programs race with each other, and with their owner, where their authors
 * let them: a race on a map's value is not this file's. */
#define NO_TSAN __attribute__((no_sanitize("thread")))

void
vm_access_init(struct vm_access *a, const struct vm_prog *prog, void *ctx,
               uint8_t *stack)
{
    a->prog = prog;
    a->ctx = ctx;
    a->stack = stack;
    a->frame = 0;
    a->regions = a->inline_regions;
    a->n_regions = 0;
    a->allocated_regions = VM_ACCESS_REGIONS;
    a->n_acquired = 0;
    a->why[0] = '\0';
}

void
vm_access_uninit(struct vm_access *a)
{
    /* What a stopped program did not give back would block its ring. */
    for (uint32_t i = 0; a->n_acquired && i < a->n_regions; i++) {
        if (a->regions[i].acquired) {
            vm_ringbuf_commit((void *) (uintptr_t) a->regions[i].start, true);
            a->n_acquired--;
        }
    }
    if (a->regions != a->inline_regions) {
        free(a->regions);
    }
}

static bool
refuse(struct vm_access *a, const char *why)
{
    snprintf(a->why, sizeof a->why, "%s", why);
    return false;
}

static uint64_t
load_ptr(const struct vm_access *a, uint32_t off)
{
    uint64_t ptr;

    memcpy(&ptr, a->ctx + off, sizeof ptr);
    return ptr;
}

/* Whether [addr, addr + size) lies in [start, start + n). */
static bool
within(uint64_t addr, uint64_t size, uint64_t start, uint64_t n)
{
    return addr >= start && addr - start <= n && size <= n - (addr - start);
}

static bool
in_stack(const struct vm_access *a, uint64_t addr, uint64_t size)
{
    uint64_t off = addr - (uintptr_t) a->stack;

    return (size <= VM_STACK_SIZE && off / VM_FRAME_STRIDE <= a->frame
            && (off % VM_FRAME_STRIDE) + size <= VM_STACK_SIZE);
}

static bool
in_packet(const struct vm_access *a, uint64_t addr, uint64_t size)
{
    const struct vm_prog *prog = a->prog;

    if (prog->pkt_data_off == UINT32_MAX || prog->pkt_end_off == UINT32_MAX) {
        return false;
    }

    uint64_t data = load_ptr(a, prog->pkt_data_off);
    uint64_t end = load_ptr(a, prog->pkt_end_off);
    if (data && data <= end && within(addr, size, data, end - data)) {
        return true;
    }
    if (prog->pkt_meta_off != UINT32_MAX) {
        uint64_t meta = load_ptr(a, prog->pkt_meta_off);

        return meta <= data && within(addr, size, meta, data - meta);
    }
    return false;
}

static bool
in_block(const struct vm_access *a, uint64_t addr, uint64_t size, bool write)
{
    const struct vm_prog_type *type = a->prog->type;

    for (size_t i = 0; i < type->n_members; i++) {
        const struct vm_ctx_member *m = &type->members[i];

        if (m->kind == VM_CTX_BLOCK) {
            uint64_t block = load_ptr(a, m->real_size ? m->real_off : m->off);

            if (block && within(addr, size, block, m->block_size)) {
                return !write || m->flags & VM_CTX_RW;
            }
        }
    }
    return false;
}

static bool
in_direct_map(const struct vm_access *a, uint64_t addr, uint64_t size,
              bool write)
{
    for (uint32_t i = 0; i < a->prog->n_maps; i++) {
        struct vm_map *map = a->prog->maps[i];

        if (map->ops->caps & VM_MAP_CAP_DIRECT && map->max_entries == 1
            && within(addr, size, (uintptr_t) map->ops->direct(map),
                      map->value_size)) {
            return !(map->flags & (write ? VM_MF_RDONLY_PROG
                                         : VM_MF_WRONLY_PROG));
        }
    }
    return false;
}

static bool
in_region(const struct vm_access *a, uint64_t addr, uint64_t size, bool write)
{
    for (uint32_t i = a->n_regions; i-- > 0;) {
        const struct vm_region *region = &a->regions[i];

        if (!region->is_map && within(addr, size, region->start,
                                      region->size)) {
            return !(write && region->read_only);
        }
    }
    return false;
}

static bool
add_region(struct vm_access *a, struct vm_region region)
{
    for (uint32_t i = 0; i < a->n_regions; i++) {
        const struct vm_region *old = &a->regions[i];

        if (old->start == region.start && old->size == region.size
            && old->is_map == region.is_map && !region.acquired) {
            return true;
        }
    }
    if (a->n_regions >= a->allocated_regions) {
        uint32_t n = a->allocated_regions * 2;
        struct vm_region *regions;

        if (n > VM_ACCESS_MAX_REGIONS
            || !(regions = malloc(n * sizeof *regions))) {
            return refuse(a, "too many values looked up in one run");
        }
        memcpy(regions, a->regions, a->n_regions * sizeof *regions);
        if (a->regions != a->inline_regions) {
            free(a->regions);
        }
        a->regions = regions;
        a->allocated_regions = n;
    }
    a->regions[a->n_regions++] = region;
    a->n_acquired += region.acquired;
    return true;
}

/* Memory that is not the context: 'size' bytes of it, or a refusal. */
static bool
check_memory(struct vm_access *a, uint64_t addr, uint64_t size, bool write)
{
    if (in_stack(a, addr, size) || in_packet(a, addr, size)
        || in_region(a, addr, size, write)
        || in_direct_map(a, addr, size, write)
        || (a->prog->has_blocks && in_block(a, addr, size, write))) {
        return true;
    }
    return refuse(a, "not inside any memory that the program may touch");
}

static bool
in_ctx(const struct vm_access *a, uint64_t addr)
{
    return addr - (uintptr_t) a->ctx < a->prog->type->ctx_size;
}

/* The context member at 'addr', or NULL and a reason. */
static const struct vm_ctx_member *
ctx_member(struct vm_access *a, uint64_t addr, uint32_t size, bool write)
{
    uint32_t off = addr - (uintptr_t) a->ctx;
    const struct vm_ctx_member *m = vm_type_member(a->prog->type, off, size);

    if (!m || m->kind == VM_CTX_HIDDEN) {
        snprintf(a->why, sizeof a->why, "the context of type %s has no "
                 "member of %u bytes at offset %u", a->prog->type->name,
                 size, off);
        return NULL;
    }
    if (write && !(m->flags & VM_CTX_RW && (m->kind == VM_CTX_SCALAR
                                            || m->kind == VM_CTX_MEM))) {
        snprintf(a->why, sizeof a->why, "context member %s is read-only",
                 m->name);
        return NULL;
    }

    bool part = m->kind == VM_CTX_MEM || (m->kind == VM_CTX_SCALAR
                                          && (!write
                                              || m->flags & VM_CTX_NARROW));
    if (!part && (off != m->off || size != m->size)) {
        snprintf(a->why, sizeof a->why, "context member %s can only be "
                 "accessed as a whole, %u bytes at offset %u", m->name,
                 m->size, m->off);
        return NULL;
    }
    if (part && off % size) {
        snprintf(a->why, sizeof a->why, "access of %u bytes in context "
                 "member %s at offset %u is not aligned", size, m->name, off);
        return NULL;
    }
    return m;
}

/* Where the bytes of member 'm' that the program sees at 'addr' are. */
static uint8_t *
real_addr(const struct vm_access *a, const struct vm_ctx_member *m,
          uint64_t addr)
{
    uint32_t off = addr - (uintptr_t) a->ctx;

    return a->ctx + (m->real_size ? off - m->off + m->real_off : off);
}

static NO_TSAN uint64_t
load_plain(const void *p, uint32_t size)
{
    uint64_t value = 0;

    __builtin_memcpy(&value, p, size);
    return value;
}

bool
vm_access_load(struct vm_access *a, uint64_t addr, uint32_t size,
               uint64_t *value)
{
    if (in_ctx(a, addr)) {
        const struct vm_ctx_member *m = ctx_member(a, addr, size, false);

        if (!m) {
            return false;
        }
        *value = load_plain(real_addr(a, m, addr),
                            m->real_size && m->real_size != m->size
                            ? m->real_size : size);
        return true;
    }
    if (!check_memory(a, addr, size, false)) {
        return false;
    }
    *value = load_plain((const void *) (uintptr_t) addr, size);
    return true;
}

bool
vm_access_store(struct vm_access *a, uint64_t addr, uint32_t size,
                uint64_t value)
{
    void *p = (void *) (uintptr_t) addr;

    if (in_ctx(a, addr)) {
        const struct vm_ctx_member *m = ctx_member(a, addr, size, true);

        if (!m) {
            return false;
        }
        if (m->kind == VM_CTX_SCALAR && m->max && size == m->size) {
            uint64_t v = size < 8 ? value & ((UINT64_C(1) << size * 8) - 1)
                                  : value;

            if (v < m->min || v > m->max) {
                snprintf(a->why, sizeof a->why, "%llu is not in the range of "
                         "context member %s, %llu to %llu",
                         (unsigned long long) v, m->name,
                         (unsigned long long) m->min,
                         (unsigned long long) m->max);
                return false;
            }
        }
        p = real_addr(a, m, addr);
    } else if (!check_memory(a, addr, size, true)) {
        return false;
    }
    __builtin_memcpy(p, &value, size);
    return true;
}

void *
vm_access_atomic(struct vm_access *a, uint64_t addr, uint32_t size)
{
    if (addr % size) {
        refuse(a, "operand of an atomic is not aligned");
        return NULL;
    }
    if (in_ctx(a, addr)) {
        const struct vm_ctx_member *m = ctx_member(a, addr, size, true);

        if (m && m->kind != VM_CTX_MEM) {
            refuse(a, "no atomics on scalars of the context");
            return NULL;
        }
        return m ? real_addr(a, m, addr) : NULL;
    }
    return (check_memory(a, addr, size, true) ? (void *) (uintptr_t) addr
            : NULL);
}

bool
vm_access_is_map(struct vm_access *a, uint64_t addr, uint32_t caps)
{
    const struct vm_map *map = NULL;

    for (uint32_t i = 0; i < a->prog->n_maps && !map; i++) {
        if ((uintptr_t) a->prog->maps[i] == addr) {
            map = a->prog->maps[i];
        }
    }
    for (uint32_t i = 0; i < a->n_regions && !map; i++) {
        if (a->regions[i].is_map && a->regions[i].start == addr) {
            map = (const struct vm_map *) (uintptr_t) addr;
        }
    }
    if (!map) {
        return refuse(a, "not a map of the program");
    }
    if ((map->ops->caps & caps) != caps) {
        snprintf(a->why, sizeof a->why, "the helper does not work on maps "
                 "of kind %s", map->ops->name);
        return false;
    }
    return true;
}

/* Memory passed to a helper: in one region, or in a VM_CTX_MEM member. */
static bool
check_arg_memory(struct vm_access *a, uint64_t addr, uint64_t size,
                 bool write, bool no_packet)
{
    if (in_ctx(a, addr)) {
        uint32_t off = addr - (uintptr_t) a->ctx;
        const struct vm_ctx_member *m
            = size <= UINT32_MAX ? vm_type_member(a->prog->type, off, size)
                                 : NULL;

        if (!m || m->kind != VM_CTX_MEM || m->real_size
            || (write && !(m->flags & VM_CTX_RW))) {
            return refuse(a, "memory argument is not a block of the context");
        }
        return true;
    }
    if (no_packet && in_packet(a, addr, size)) {
        return refuse(a, "memory argument must not lie in the packet");
    }
    return check_memory(a, addr, size, write);
}

static bool
check_release(struct vm_access *a, uint64_t addr)
{
    for (uint32_t i = 0; i < a->n_regions; i++) {
        if (a->regions[i].acquired && a->regions[i].start == addr) {
            a->regions[i] = a->regions[--a->n_regions];
            a->n_acquired--;
            return true;
        }
    }
    return refuse(a, "not memory that the program has acquired");
}

/* Argument 'i' (0 to 4) of 'helper'; '*map' is the map seen so far. */
static bool
check_arg(struct vm_access *a, const struct vm_helper *helper, int i,
          const uint64_t *args, const struct vm_map **map)
{
    uint64_t arg = args[i];
    uint64_t size = i < 4 ? args[i + 1] : 0;
    bool no_packet = helper->flags & VM_HF_NO_PACKET_MEM;

    switch (helper->args[i]) {
    case VM_ARG_NONE:
    case VM_ARG_ANY:
    case VM_ARG_ADDRESS:
    case VM_ARG_OPTIONAL:
    case VM_ARG_SIZE_OR_ZERO:
    case VM_ARG_CONST_SIZE:
        return true;
    case VM_ARG_CTX:
        return arg == (uintptr_t) a->ctx || refuse(a, "not the context");
    case VM_ARG_MAP:
        *map = (const struct vm_map *) (uintptr_t) arg;
        return vm_access_is_map(a, arg, helper->map_caps);
    case VM_ARG_MAP_KEY:
        return check_arg_memory(a, arg, (*map)->key_size, false, no_packet);
    case VM_ARG_MAP_VALUE:
        return check_arg_memory(a, arg, (*map)->value_size, false, no_packet);
    case VM_ARG_MEM_OR_NULL:
        if (!arg && !size) {
            return true;
        }
        /* Fall through. */
    case VM_ARG_MEM:
        return check_arg_memory(a, arg, size, false, no_packet);
    case VM_ARG_MEM_OUT:
        return check_arg_memory(a, arg, size, true, no_packet);
    case VM_ARG_SIZE:
        return arg > 0 || refuse(a, "size is 0");
    case VM_ARG_RELEASE:
        return check_release(a, arg);
    }
    return refuse(a, "unknown kind of argument");
}

/* Remembers what the helper returned in r[0]. */
static bool
note_result(struct vm_access *a, const struct vm_helper *helper,
            const uint64_t *r, const struct vm_map *map)
{
    struct vm_region region = { .start = r[0] };

    if (!r[0] || (helper->ret != VM_RET_MAP_VALUE_OR_NULL
                  && helper->ret != VM_RET_MEM_OR_NULL)) {
        return true;
    }
    if (helper->ret == VM_RET_MAP_VALUE_OR_NULL) {
        if (map && map->ops->caps & VM_MAP_CAP_OF_MAPS) {
            region.is_map = true;
        } else {
            region.size = map ? map->value_size : 0;
            region.read_only = map && vm_map_is_constant(map);
        }
    } else {
        for (int i = 0; i < 5; i++) {
            if (helper->args[i] == VM_ARG_CONST_SIZE) {
                region.size = r[i + 1];
            }
        }
        region.acquired = (helper->flags & VM_HF_ACQUIRE) != 0;
    }
    return add_region(a, region);
}

bool
vm_access_call(struct vm_access *a, const struct vm_helper *helper,
               uint64_t *r)
{
    const struct vm_map *map = NULL;

    for (int i = 0; i < 5 && helper->args[i] != VM_ARG_NONE; i++) {
        if (!check_arg(a, helper, i, &r[1], &map)) {
            char why[sizeof a->why];

            memcpy(why, a->why, sizeof why);
            snprintf(a->why, sizeof a->why, "%s, r%d: %.*s", helper->name,
                     i + 1, (int) sizeof why - 50, why);
            return false;
        }
    }
    r[0] = helper->fn(r[1], r[2], r[3], r[4], r[5]);
    return note_result(a, helper, r, map);
}
