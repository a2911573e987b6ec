/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/contain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vm/map.h"

#define MAX_NAMED 64

struct check {
    const struct record *r;
    const struct moment *m;
    char *why;
    size_t size;
    uint32_t n_named;           /* Ids met, with what they stand for. */
    struct {
        uint32_t id;
        uint8_t type;
        bool null;
        uint64_t value;
    } named[MAX_NAMED];
};

static bool __attribute__((format(printf, 2, 3)))
outside(struct check *c, const char *format, ...)
{
    if (c->why) {
        va_list args;

        va_start(args, format);
        vsnprintf(c->why, c->size, format, args);
        va_end(args);
    }
    return false;
}

/* Equal ids: equal numbers, equal answers to "is it 0". */
static bool
ids_agree(struct check *c, const struct vreg *r, uint64_t value)
{
    bool null = r->maybe_null;

    if (!r->id || (r->type != V_SCALAR && !null && !vreg_is_packet(r))) {
        return true;
    }
    value = null ? !value : value - (int64_t) r->off;
    for (uint32_t i = 0; i < c->n_named; i++) {
        if (c->named[i].id == r->id && c->named[i].type == r->type
            && c->named[i].null == null && c->named[i].value != value) {
            return outside(c, "id %u is 0x%llx and 0x%llx", r->id,
                           (unsigned long long) c->named[i].value,
                           (unsigned long long) value);
        }
    }
    if (c->n_named < MAX_NAMED) {
        c->named[c->n_named].id = r->id;
        c->named[c->n_named].type = r->type;
        c->named[c->n_named].null = null;
        c->named[c->n_named++].value = value;
    }
    return true;
}

static uint64_t
ctx_pointer(const struct moment *m, uint32_t off)
{
    uint64_t p = 0;

    if (off != UINT32_MAX) {
        memcpy(&p, m->access->ctx + off, sizeof p);
    }
    return p;
}

/* Of a pointer's base: whether 'value' is off + num away from it. */
static bool
from_base(const struct vreg *r, uint64_t value, uint64_t base)
{
    return scalar_contains(&r->num, value - base - (int64_t) r->off);
}

static bool
in_packet(const struct moment *m, const struct vreg *r, uint64_t value)
{
    uint64_t data = ctx_pointer(m, m->prog->pkt_data_off);
    uint64_t end = ctx_pointer(m, m->prog->pkt_end_off);
    uint64_t meta = ctx_pointer(m, m->prog->pkt_meta_off);

    if (r->type == V_PKT_END) {
        return value == end;
    } else if (r->type == V_PKT_META) {
        end = data;
        data = meta;
    }
    /* 'size' bytes from base + num on are proved. */
    return from_base(r, value, data)
           && (!r->size || value - (int64_t) r->off + r->size <= end);
}

static bool
in_value(const struct moment *m, const struct vreg *r, uint64_t value)
{
    const struct vm_map *map = r->map;

    if (map->ops->direct && map->max_entries == 1
        && from_base(r, value, (uintptr_t) map->ops->direct((void *) map))) {
        return true;
    }
    for (uint32_t i = 0; i < m->access->n_regions; i++) {
        const struct vm_region *region = &m->access->regions[i];

        if (!region->is_map && !region->acquired
            && region->size == map->value_size
            && from_base(r, value, region->start)) {
            return true;
        }
    }
    return false;
}

static bool
in_acquired(const struct moment *m, const struct vreg *r, uint64_t value)
{
    for (uint32_t i = 0; i < m->access->n_regions; i++) {
        const struct vm_region *region = &m->access->regions[i];

        if (region->acquired && region->size == r->size
            && from_base(r, value, region->start)) {
            return true;
        }
    }
    return false;
}

static bool
in_block(const struct moment *m, const struct vreg *r, uint64_t value)
{
    const struct vm_prog_type *type = m->prog->type;

    for (size_t i = 0; i < type->n_members; i++) {
        const struct vm_ctx_member *member = &type->members[i];

        if (member->kind == VM_CTX_BLOCK && member->block_size == r->size
            && from_base(r, value, ctx_pointer(m, member->off))) {
            return true;
        }
    }
    return false;
}

static bool
is_map(const struct moment *m, const struct vreg *r, uint64_t value)
{
    const struct vm_map *map = (const void *) (uintptr_t) value;

    if (r->map_index) {
        return map == r->map;
    }
    for (uint32_t i = 0; i < m->access->n_regions; i++) {
        if (m->access->regions[i].is_map
            && m->access->regions[i].start == value) {
            return map->ops == r->map->ops
                   && map->key_size == r->map->key_size
                   && map->value_size == r->map->value_size;
        }
    }
    return false;
}

static bool
pointer_fits(const struct moment *m, const struct vreg *r, uint64_t value)
{
    if (r->maybe_null && !value) {
        return true;
    }
    switch ((enum vtype) r->type) {
    case V_CTX:
        return from_base(r, value, (uintptr_t) m->access->ctx);
    case V_STACK:
        return from_base(r, value, (uintptr_t) m->stack
                         + r->frame * VM_FRAME_STRIDE + VM_STACK_SIZE);
    case V_PKT:
    case V_PKT_META:
    case V_PKT_END:
        return in_packet(m, r, value);
    case V_MAP:
        return is_map(m, r, value);
    case V_MAP_VALUE:
        return in_value(m, r, value);
    case V_BLOCK:
        return in_block(m, r, value);
    case V_MEM:
        return in_acquired(m, r, value);
    default:
        return true;
    }
}

static bool
reg_fits(struct check *c, const struct vreg *r, uint64_t value, bool precise)
{
    char text[160];

    if (r->type == V_NONE || (r->type == V_SCALAR && !precise)) {
        return true;
    }
    if (r->type == V_SCALAR ? scalar_contains(&r->num, value)
                            : pointer_fits(c->m, r, value)) {
        return ids_agree(c, r, value);
    }
    if (!c->why) {
        return false;
    }
    vreg_describe(r, text, sizeof text);
    return outside(c, "0x%llx is not in %s", (unsigned long long) value,
                   text);
}

static bool
slot_fits(struct check *c, const struct vslot *s, const uint8_t *p,
          bool precise)
{
    if (vslot_is_spill(s)) {
        bool whole = s->bytes[4] == VB_SPILL;
        uint64_t value = 0;

        memcpy(&value, p, whole ? 8 : 4);
        return reg_fits(c, &s->reg, value, precise);
    }
    /* Only where it matters: a path that stored something else may have ended
     * at a state before the store. */
    for (int i = 0; precise && i < 8; i++) {
        if (s->bytes[i] == VB_ZERO && p[i]) {
            return outside(c, "a byte of stack is 0x%x, said to be 0", p[i]);
        }
    }
    return true;
}

static bool
where(struct check *c, const char *what, int number, uint32_t frame)
{
    size_t n = c->why ? strlen(c->why) : 0;

    if (c->why) {
        snprintf(c->why + n, c->size - n, " (%s%d of frame %u)", what,
                 number, frame);
    }
    return false;
}

static bool
frame_fits(struct check *c, uint32_t i)
{
    const struct vframe *f = &c->r->frames[i].frame;
    const struct vlive *live = &c->r->frames[i].live;
    const struct moment *m = c->m;
    const uint8_t *top = m->stack + i * VM_FRAME_STRIDE + VM_STACK_SIZE;
    bool current = i == m->depth;

    if (!current && (m->progs[i] != m->prog
                     || m->call_pcs[i]
                        != c->r->frames[i + 1].frame.call_pc)) {
        return outside(c, "called from elsewhere");
    }
    for (int r = current ? 0 : VM_R6; r < VM_FP; r++) {
        uint64_t value = current ? m->regs[r] : m->saved[i][r - VM_R6];

        if (live->regs & 1u << r
            && !reg_fits(c, &f->regs[r], value, live->precise & 1u << r)) {
            return where(c, "r", r, i);
        }
    }
    for (uint32_t s = 0; s < f->n_slots; s++) {
        if (live->slots & UINT64_C(1) << s
            && !slot_fits(c, &f->slots[s], top - 8 * (s + 1),
                          live->slots_precise & UINT64_C(1) << s)) {
            return where(c, "r10 - ", 8 * (s + 1), i);
        }
    }
    return true;
}

bool
contains(const struct record *r, const struct moment *m, char *why,
         size_t size)
{
    struct check c;

    c.r = r;
    c.m = m;
    c.why = why;
    c.size = size;
    c.n_named = 0;
    if (r->n_frames != m->depth + 1) {
        return outside(&c, "%u frames, not %u", m->depth + 1, r->n_frames);
    } else if (r->n_refs != m->access->n_acquired) {
        return outside(&c, "%u resources are held, not %u",
                       m->access->n_acquired, r->n_refs);
    }
    for (uint32_t i = 0; i < r->n_frames; i++) {
        if (!frame_fits(&c, i)) {
            return false;
        }
    }
    return true;
}
