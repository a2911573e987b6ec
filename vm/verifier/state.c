/* SPDX-License-Identifier: Apache-2.0 */

#include "vm/verifier/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"

struct vreg
vreg_none(void)
{
    struct vreg r;

    memset(&r, 0, sizeof r);
    return r;
}

struct vreg
vreg_scalar(struct scalar num)
{
    struct vreg r = vreg_none();

    r.type = V_SCALAR;
    r.num = num;
    return r;
}

struct vreg
vreg_pointer(enum vtype type)
{
    struct vreg r = vreg_none();

    r.type = type;
    r.num = scalar_const(0);
    return r;
}

/* -- Describing -- */

static const char *
vtype_name(enum vtype type)
{
    static const char *const names[] = {
        [V_NONE] = "not initialised",
        [V_SCALAR] = "a number",
        [V_CTX] = "the context",
        [V_STACK] = "a stack pointer",
        [V_PKT] = "a packet pointer",
        [V_PKT_META] = "a metadata pointer",
        [V_PKT_END] = "the packet's end",
        [V_MAP] = "a map",
        [V_MAP_VALUE] = "a pointer to a map value",
        [V_BLOCK] = "a pointer to the context's block",
        [V_MEM] = "a pointer to memory",
    };

    return names[type];
}

static void
describe_number(const struct scalar *s, char *buf, size_t size)
{
    if (scalar_is_const(s)) {
        snprintf(buf, size, "%"PRId64, (int64_t) s->bits.value);
    } else if (s->r64.smin >= 0) {
        snprintf(buf, size, "%"PRIu64"..%"PRIu64, s->r64.umin, s->r64.umax);
    } else {
        snprintf(buf, size, "%"PRId64"..%"PRId64, s->r64.smin, s->r64.smax);
    }
}

void
vreg_describe(const struct vreg *r, char *buf, size_t size)
{
    char number[64], extra[64] = "";

    describe_number(&r->num, number, sizeof number);
    if (r->type == V_NONE || r->type == V_PKT_END || r->type == V_MAP) {
        snprintf(buf, size, "%s", vtype_name(r->type));
        return;
    } else if (r->type == V_SCALAR) {
        snprintf(buf, size, "%s (%s)", vtype_name(r->type), number);
        return;
    }
    if (vreg_is_packet(r)) {
        snprintf(extra, sizeof extra, ", %"PRIu32" bytes proved", r->size);
    } else if (r->size) {
        snprintf(extra, sizeof extra, " of %"PRIu32" bytes", r->size);
    }
    if (vreg_is_fixed(r)) {
        snprintf(buf, size, "%s%s%s at offset %"PRId32, vtype_name(r->type),
                 r->maybe_null ? " or 0" : "", extra, r->off);
    } else {
        snprintf(buf, size, "%s%s%s at offset %"PRId32" + %s",
                 vtype_name(r->type), r->maybe_null ? " or 0" : "", extra,
                 r->off, number);
    }
}

/* -- Life -- */

static struct vframe *
frame_new(uint32_t subprog, uint32_t call_pc, uint8_t number)
{
    struct vframe *f = calloc(1, sizeof *f);

    if (f) {
        f->subprog = subprog;
        f->call_pc = call_pc;
        f->regs[VM_FP] = vreg_pointer(V_STACK);
        f->regs[VM_FP].frame = number;
    }
    return f;
}

static void
frame_free(struct vframe *f)
{
    if (f) {
        free(f->slots);
        free(f);
    }
}

static struct vframe *
frame_clone(const struct vframe *src)
{
    struct vframe *f = malloc(sizeof *f);

    if (!f) {
        return NULL;
    }
    *f = *src;
    if (src->n_slots) {
        f->slots = malloc(src->n_slots * sizeof *f->slots);
        if (!f->slots) {
            free(f);
            return NULL;
        }
        memcpy(f->slots, src->slots, src->n_slots * sizeof *f->slots);
    }
    return f;
}

bool
vstate_push_frame(struct vstate *s, uint32_t subprog, uint32_t call_pc)
{
    struct vframe *f = frame_new(subprog, call_pc, s->n_frames);

    if (f) {
        s->frames[s->n_frames++] = f;
    }
    return f != NULL;
}

void
vstate_pop_frame(struct vstate *s)
{
    frame_free(s->frames[--s->n_frames]);
}

bool
vstate_init(struct vstate *s)
{
    memset(s, 0, sizeof *s);
    return vstate_push_frame(s, 0, 0);
}

void
vstate_uninit(struct vstate *s)
{
    while (s->n_frames) {
        vstate_pop_frame(s);
    }
}

bool
vstate_copy(struct vstate *dst, const struct vstate *src)
{
    *dst = *src;
    for (dst->n_frames = 0; dst->n_frames < src->n_frames; dst->n_frames++) {
        struct vframe *f = frame_clone(src->frames[dst->n_frames]);

        if (!f) {
            vstate_uninit(dst);
            return false;
        }
        dst->frames[dst->n_frames] = f;
    }
    return true;
}

struct vslot *
vframe_slot(struct vframe *f, uint32_t index)
{
    if (index >= f->n_slots) {
        struct vslot *slots = realloc(f->slots,
                                      (index + 1) * sizeof *slots);

        if (!slots) {
            return NULL;
        }
        memset(&slots[f->n_slots], 0,
               (index + 1 - f->n_slots) * sizeof *slots);
        f->slots = slots;
        f->n_slots = index + 1;
    }
    return &f->slots[index];
}

const struct vslot *
vframe_slot_peek(const struct vframe *f, uint32_t index)
{
    return index < f->n_slots ? &f->slots[index] : NULL;
}

void
vstate_for_each_reg(struct vstate *s, void (*fn)(struct vreg *, void *),
                    void *aux)
{
    for (uint32_t i = 0; i < s->n_frames; i++) {
        struct vframe *f = s->frames[i];

        for (int r = 0; r < VM_N_REGS; r++) {
            fn(&f->regs[r], aux);
        }
        for (uint32_t j = 0; j < f->n_slots; j++) {
            if (vslot_is_spill(&f->slots[j])) {
                fn(&f->slots[j].reg, aux);
            }
        }
    }
}

/* Ids of scalars only: those of pointers say more than equality. */
#define V_MAX_COUNTED 64

struct id_counts {
    uint32_t n;
    struct {
        uint32_t id, uses;
    } of[V_MAX_COUNTED];
};

static void
count_id(struct vreg *r, void *aux)
{
    struct id_counts *c = aux;

    if (r->type != V_SCALAR || !r->id) {
        return;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        if (c->of[i].id == r->id) {
            c->of[i].uses++;
            return;
        }
    }
    if (c->n < V_MAX_COUNTED) {
        c->of[c->n].id = r->id;
        c->of[c->n++].uses = 1;
    }
}

static void
drop_single_id(struct vreg *r, void *aux)
{
    const struct id_counts *c = aux;

    for (uint32_t i = 0; r->type == V_SCALAR && r->id && i < c->n; i++) {
        if (c->of[i].id == r->id && c->of[i].uses == 1) {
            r->id = 0;
        }
    }
}

void
vstate_forget_single_ids(struct vstate *s)
{
    struct id_counts counts = { .n = 0 };

    vstate_for_each_reg(s, count_id, &counts);
    vstate_for_each_reg(s, drop_single_id, &counts);
}

void
vstate_forget_dead(struct vstate *s, const struct vlive live[VM_MAX_FRAMES])
{
    for (uint32_t i = 0; i < s->n_frames; i++) {
        struct vframe *f = s->frames[i];

        for (int r = 0; r < VM_FP; r++) {
            if (!(live[i].regs & 1u << r)) {
                f->regs[r] = vreg_none();
            }
        }
        for (uint32_t j = 0; j < f->n_slots; j++) {
            if (!(live[i].slots & UINT64_C(1) << j)) {
                memset(&f->slots[j], 0, sizeof f->slots[j]);
            }
        }
    }
}

/* -- Covering -- */

/* Ids are names: the same pattern of equal names must hold on both sides. */
#define V_MAX_IDS 128

struct id_pairs {
    uint32_t n;
    struct {
        uint32_t old, now;
    } pair[V_MAX_IDS];
};

static bool
ids_agree(struct id_pairs *ids, uint32_t old, uint32_t now)
{
    if (!old != !now) {
        return false;
    } else if (!old) {
        return true;
    }
    for (uint32_t i = 0; i < ids->n; i++) {
        if (ids->pair[i].old == old || ids->pair[i].now == now) {
            return ids->pair[i].old == old && ids->pair[i].now == now;
        }
    }
    if (ids->n == V_MAX_IDS) {
        return false;
    }
    ids->pair[ids->n].old = old;
    ids->pair[ids->n++].now = now;
    return true;
}

struct cover {
    struct id_pairs ids;
    bool exact;
};

static bool
scalar_equal(const struct scalar *a, const struct scalar *b)
{
    return scalar_covers(a, b) && scalar_covers(b, a);
}

static bool
number_covers(struct cover *c, const struct vreg *old, const struct vreg *now,
              bool precise)
{
    if (c->exact) {
        return scalar_equal(&old->num, &now->num);
    } else if (!precise) {
        return true;
    }
    /* Two registers known to be equal before must be equal now; numbers that
     * were unrelated before may be equal now. */
    return scalar_covers(&old->num, &now->num)
           && (!old->id || ids_agree(&c->ids, old->id, now->id));
}

static bool
pointer_covers(struct cover *c, const struct vreg *old,
               const struct vreg *now)
{
    if (old->maybe_null != now->maybe_null || old->off != now->off
        || old->frame != now->frame || old->map != now->map
        || old->map_index != now->map_index
        || old->writable != now->writable
        || old->beyond > now->beyond
        || !ids_agree(&c->ids, old->id, now->id)
        || !ids_agree(&c->ids, old->ref, now->ref)) {
        return false;
    }
    if (c->exact) {
        return old->size == now->size && old->beyond == now->beyond
               && scalar_equal(&old->num, &now->num);
    }
    return (vreg_is_packet(old) ? old->size <= now->size
                                : old->size == now->size)
           && scalar_covers(&old->num, &now->num);
}

static bool
reg_covers(struct cover *c, const struct vreg *old, const struct vreg *now,
           bool precise)
{
    if (old->type == V_NONE && !c->exact) {
        return true;
    } else if (old->type != now->type) {
        return false;
    }
    switch (old->type) {
    case V_NONE:
        return true;
    case V_SCALAR:
        return number_covers(c, old, now, precise);
    default:
        return pointer_covers(c, old, now);
    }
}

/* Bytes without a spilled register: what was unreadable before may be
 * anything now; what was some number may be any number. */
static bool
byte_covers(uint8_t old, uint8_t now, bool now_is_number, bool exact)
{
    if (exact) {
        return old == now;
    }
    switch (old) {
    case VB_NONE:
        return true;
    case VB_MISC:
        return now == VB_MISC || now == VB_ZERO
               || (now == VB_SPILL && now_is_number);
    default:
        return now == old;
    }
}

static bool
slot_covers(struct cover *c, const struct vslot *old, const struct vslot *now,
            bool precise)
{
    static const struct vslot empty;
    bool number;

    old = old ? old : &empty;
    now = now ? now : &empty;
    if (vslot_is_spill(old)) {
        return !memcmp(old->bytes, now->bytes, sizeof old->bytes)
               && reg_covers(c, &old->reg, &now->reg, precise);
    }
    number = !vslot_is_spill(now) || now->reg.type == V_SCALAR;
    for (int i = 0; i < 8; i++) {
        if (!byte_covers(old->bytes[i], now->bytes[i], number, c->exact)) {
            return false;
        }
    }
    return true;
}

static bool
frame_covers(struct cover *c, const struct vframe *old,
             const struct vframe *now, const struct vlive *live)
{
    uint32_t n_slots = old->n_slots > now->n_slots ? old->n_slots
                                                   : now->n_slots;

    if (old->subprog != now->subprog || old->call_pc != now->call_pc) {
        return false;
    }
    for (int i = 0; i < VM_N_REGS; i++) {
        if (live->regs & 1u << i
            && !reg_covers(c, &old->regs[i], &now->regs[i],
                           live->precise & 1u << i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < n_slots; i++) {
        if (live->slots & UINT64_C(1) << i
            && !slot_covers(c, vframe_slot_peek(old, i),
                            vframe_slot_peek(now, i),
                            live->slots_precise & UINT64_C(1) << i)) {
            return false;
        }
    }
    return true;
}

bool
vstate_covers(const struct vstate *old, const struct vstate *now,
              const struct vlive live[VM_MAX_FRAMES], bool exact)
{
    struct cover c;

    c.ids.n = 0;
    c.exact = exact;
    if (old->n_frames != now->n_frames || old->n_refs != now->n_refs) {
        return false;
    }
    for (uint32_t i = 0; i < old->n_refs; i++) {
        if (!ids_agree(&c.ids, old->refs[i], now->refs[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < old->n_frames; i++) {
        if (!frame_covers(&c, old->frames[i], now->frames[i], &live[i])) {
            return false;
        }
    }
    return true;
}
