/* SPDX-License-Identifier: Apache-2.0 */

/* The program's stack: which bytes are written, which hold a register. */

#include "vm/verifier/verifier.h"

#include <string.h>

struct window {
    struct vframe *frame;
    int min, max;               /* First byte: between these offsets. */
};

/* Where an access of 'size' bytes at register 'regno' + 'off' can be; checks
 * that all of it is stack and notes how deep the frame gets. */
static int
find_window(struct verifier *v, int regno, int off, uint32_t size,
            struct window *w)
{
    const struct vreg *r = vf_reg(v, regno);
    int64_t base = (int64_t) r->off + off;
    uint32_t *used;

    if (r->num.r64.smin < -VM_STACK_SIZE || r->num.r64.smax > VM_STACK_SIZE
        || base + r->num.r64.smin < -VM_STACK_SIZE
        || base + r->num.r64.smax + size > 0) {
        return vf_reject(v, VF_STACK_BOUNDS, regno);
    }
    w->frame = v->cur.frames[r->frame];
    w->min = base + r->num.r64.smin;
    w->max = base + r->num.r64.smax;
    used = &v->stack_used[w->frame->subprog];
    if (*used < (uint32_t) -w->min) {
        *used = -w->min;
    }
    return 0;
}

static uint32_t
slot_of(int byte)
{
    return (-byte - 1) / 8;
}

/* Byte 'byte' (negative) within its slot: 0 is the lowest address. */
static int
byte_in_slot(int byte)
{
    return 7 - (-byte - 1) % 8;
}

/* A slot that held a register and loses part of it holds plain bytes, which
 * nobody may see if it was a pointer. */
static void
break_spill(struct vslot *slot)
{
    enum vbyte rest = vreg_is_pointer(&slot->reg) ? VB_NONE : VB_MISC;

    if (vslot_is_spill(slot)) {
        for (int i = 0; i < 8; i++) {
            if (slot->bytes[i] == VB_SPILL) {
                slot->bytes[i] = rest;
            }
        }
    }
}

/* -- Stores -- */

static bool
is_zero(const struct vreg *value)
{
    return value->type == V_SCALAR && scalar_is_const(&value->num)
           && !value->num.bits.value;
}

/* A whole register at an aligned place. */
static int
store_spill(struct verifier *v, struct vframe *f, int at, int size,
            const struct vreg *value)
{
    struct vslot *slot = vframe_slot(f, slot_of(at));

    if (!slot) {
        return vf_reject(v, VF_MEMORY, -1);
    }
    break_spill(slot);
    memset(slot->bytes, VB_SPILL, size);
    slot->reg = *value;
    if (size == 4) {
        scalar_zext(&slot->reg.num, 32);
        slot->reg.id = 0;
    }
    return 0;
}

static int
store_bytes(struct verifier *v, struct vframe *f, int at, int size,
            enum vbyte what)
{
    for (int byte = at; byte < at + size; byte++) {
        struct vslot *slot = vframe_slot(f, slot_of(byte));

        if (!slot) {
            return vf_reject(v, VF_MEMORY, -1);
        }
        break_spill(slot);
        slot->bytes[byte_in_slot(byte)] = what;
    }
    return 0;
}

/* Somewhere in the window: what was readable stays readable, as unknown
 * bytes; what was not stays so. */
static int
store_somewhere(struct verifier *v, const struct window *w, int size)
{
    for (int byte = w->min; byte < w->max + size; byte++) {
        struct vslot *slot = vframe_slot(w->frame, slot_of(byte));

        if (!slot) {
            return vf_reject(v, VF_MEMORY, -1);
        }
        break_spill(slot);
        if (slot->bytes[byte_in_slot(byte)] == VB_ZERO) {
            slot->bytes[byte_in_slot(byte)] = VB_MISC;
        }
    }
    return 0;
}

int
vf_stack_store(struct verifier *v, int regno, int off, int size,
               const struct vreg *value)
{
    bool pointer = vreg_is_pointer(value);
    struct window w;
    int error;

    error = find_window(v, regno, off, size, &w);
    if (error) {
        return error;
    }
    if (value->type == V_STACK && w.frame != vstate_frame(&v->cur)) {
        return vf_reject(v, VF_RETURN_STACK, regno);
    }
    if (w.min != w.max) {
        return pointer ? vf_reject(v, VF_STACK_VARIABLE, regno)
                       : store_somewhere(v, &w, size);
    }
    if (size == 8 && !(w.min & 7)) {
        return store_spill(v, w.frame, w.min, 8, value);
    } else if (pointer) {
        return vf_reject(v, VF_STACK_SPILL, regno);
    } else if (size == 4 && !(w.min & 7)) {
        return store_spill(v, w.frame, w.min, 4, value);
    }
    return store_bytes(v, w.frame, w.min, size,
                       is_zero(value) ? VB_ZERO : VB_MISC);
}

/* -- Loads -- */

/* Whether all bytes that the access may touch may be read as numbers; '*zero'
 * if all are 0. */
static int
check_readable(struct verifier *v, int regno, const struct window *w,
               uint32_t size, bool *zero)
{
    *zero = true;
    for (int byte = w->min; byte < w->max + (int) size; byte++) {
        const struct vslot *slot = vframe_slot_peek(w->frame, slot_of(byte));
        enum vbyte what = slot ? slot->bytes[byte_in_slot(byte)] : VB_NONE;

        if (what == VB_NONE) {
            return vf_reject(v, VF_STACK_UNINIT, regno);
        } else if (what == VB_SPILL && slot->reg.type != V_SCALAR) {
            return vf_reject(v, VF_STACK_SPILL, regno);
        }
        if (what != VB_ZERO
            && !(what == VB_SPILL && is_zero(&slot->reg))) {
            *zero = false;
        }
    }
    return 0;
}

/* Whether [at, at + size) has bytes that nothing has written and otherwise
 * only numbers. */
static bool
is_unwritten(const struct vframe *f, int at, int size)
{
    bool unwritten = false;

    for (int byte = at; byte < at + size; byte++) {
        const struct vslot *slot = vframe_slot_peek(f, slot_of(byte));
        enum vbyte what = slot ? slot->bytes[byte_in_slot(byte)] : VB_NONE;

        if (what == VB_SPILL && vreg_is_pointer(&slot->reg)) {
            return false;
        }
        unwritten = unwritten || what == VB_NONE;
    }
    return unwritten;
}

/* The register that lies exactly at 'at', or null. */
static const struct vreg *
spilled_at(const struct vframe *f, int at, int size)
{
    const struct vslot *slot = vframe_slot_peek(f, slot_of(at));
    int spilled = 0;

    if (!slot || at & 7 || !vslot_is_spill(slot)) {
        return NULL;
    }
    while (spilled < 8 && slot->bytes[spilled] == VB_SPILL) {
        spilled++;
    }
    if (size == spilled) {
        return &slot->reg;
    }
    return NULL;
}

int
vf_stack_load(struct verifier *v, int regno, int off, int size,
              struct vreg *value)
{
    const struct vreg *spilled;
    struct window w;
    bool zero;
    int error;

    error = find_window(v, regno, off, size, &w);
    if (error) {
        return error;
    }
    spilled = w.min == w.max ? spilled_at(w.frame, w.min, size) : NULL;
    if (spilled) {
        *value = *spilled;
        return 0;
    } else if (w.min == w.max && is_unwritten(w.frame, w.min, size)) {
        /* Compilers load before they know whether they need the value; what
         * is loaded must not be used. */
        *value = vreg_none();
        value->size = 1;
        return 0;
    }
    error = check_readable(v, regno, &w, size, &zero);
    if (error) {
        return error;
    }
    *value = vreg_scalar(zero ? scalar_const(0) : scalar_bits(size * 8));
    return 0;
}

int
vf_stack_region(struct verifier *v, int regno, int off, uint32_t size,
                bool write)
{
    struct window w;
    bool zero;
    int error;

    error = find_window(v, regno, off, size, &w);
    if (error || !size) {
        return error;
    }
    if (!write) {
        return check_readable(v, regno, &w, size, &zero);
    } else if (w.min != w.max) {
        return store_somewhere(v, &w, size);
    }
    return store_bytes(v, w.frame, w.min, size, VB_MISC);
}
