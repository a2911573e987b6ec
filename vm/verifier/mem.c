/* SPDX-License-Identifier: Apache-2.0 */

/* Loads, stores and atomics: what each kind of pointer allows. */

#include "vm/verifier/verifier.h"

#include <string.h>

#include "vm/map.h"

/* -- Notes for fix-ups and the JITs -- */

/* Records what this execution of the instruction accessed: memory of 'kind',
 * or context member v->member.  Fix-ups give an access to a member its place
 * in real memory, so where that differs the instruction must access the same
 * member each time. */
static int
settle(struct verifier *v, enum vm_mem_kind kind)
{
    const struct vm_prog_type *type = v->prog->type;
    struct vm_aux *aux = &v->prog->aux[v->pc];
    unsigned int index = v->member ? v->member - type->members + 1 : 0;
    bool moved = v->member && v->member->real_size;

    if (index > UINT8_MAX) {
        index = 0;
    }
    if (aux->flags & VM_AUX_SEEN && aux->member != index) {
        moved = moved || (aux->member
                          && type->members[aux->member - 1].real_size);
        if (moved) {
            return vf_reject(v, VF_CTX_MIXED, -1);
        }
        aux->member = 0;
        aux->flags &= ~VM_AUX_CTX;
    } else if (index) {
        aux->member = index;
        aux->flags |= VM_AUX_CTX;
    }
    aux->mem = !(aux->flags & VM_AUX_SEEN) || aux->mem == kind
               ? kind : VM_MEM_UNKNOWN;
    return 0;
}

static enum vm_mem_kind
mem_kind(const struct vreg *r)
{
    switch (r->type) {
    case V_CTX:
        return VM_MEM_CTX;
    case V_STACK:
        return VM_MEM_STACK;
    case V_PKT:
    case V_PKT_META:
        return VM_MEM_PACKET;
    case V_MAP_VALUE:
        return VM_MEM_MAP_VALUE;
    case V_BLOCK:
        return VM_MEM_BLOCK;
    default:
        return VM_MEM_OTHER;
    }
}

/* -- The context -- */

/* The member of [off, off + size) that the context pointer leads to, or
 * null after a rejection. */
static const struct vm_ctx_member *
find_member(struct verifier *v, int regno, int off, int size, int *error)
{
    const struct vreg *r = vf_reg(v, regno);
    const struct vm_ctx_member *m;
    int64_t at = (int64_t) r->off + off;

    if (!vreg_is_fixed(r)) {
        *error = vf_reject(v, VF_CTX_OFFSET, regno);
        return NULL;
    }
    m = at >= 0 && at < v->prog->type->ctx_size
        ? vm_type_member(v->prog->type, at, size) : NULL;
    if (!m || m->kind == VM_CTX_HIDDEN) {
        *error = vf_reject(v, VF_CTX_MEMBER, regno);
        return NULL;
    }
    return m;
}

static struct vreg
member_value(const struct vm_ctx_member *m, int size)
{
    struct vreg r;

    switch ((enum vm_ctx_kind) m->kind) {
    case VM_CTX_PKT_DATA:
        return vreg_pointer(V_PKT);
    case VM_CTX_PKT_END:
        return vreg_pointer(V_PKT_END);
    case VM_CTX_PKT_META:
        return vreg_pointer(V_PKT_META);
    case VM_CTX_BLOCK:
        r = vreg_pointer(V_BLOCK);
        r.size = m->block_size;
        r.writable = m->flags & VM_CTX_RW;
        return r;
    case VM_CTX_SCALAR:
        if (m->max && (uint32_t) size == m->size) {
            return vreg_scalar(scalar_between(m->min, m->max));
        }
        break;
    case VM_CTX_MEM:
    case VM_CTX_HIDDEN:
        break;
    }
    return vreg_scalar(scalar_bits(size * 8));
}

static bool
is_whole(const struct vm_ctx_member *m, const struct vreg *r, int off,
         int size)
{
    return (uint32_t) (r->off + off) == m->off && (uint32_t) size == m->size;
}

/* Parts of plain numbers and of memory, at multiples of their size. */
static bool
is_part(const struct vm_ctx_member *m, const struct vreg *r, int off,
        int size)
{
    return (m->kind == VM_CTX_SCALAR || m->kind == VM_CTX_MEM)
           && !((r->off + off) % size);
}

static int
load_ctx(struct verifier *v, int regno, int off, int size,
         struct vreg *value)
{
    const struct vm_ctx_member *m;
    int error;

    m = find_member(v, regno, off, size, &error);
    if (!m) {
        return error;
    }
    if (!is_whole(m, vf_reg(v, regno), off, size)
        && !is_part(m, vf_reg(v, regno), off, size)) {
        return vf_reject(v, VF_CTX_MEMBER, regno);
    }
    v->member = m;
    *value = member_value(m, size);
    return 0;
}

static int
store_ctx(struct verifier *v, int regno, int off, int size,
          const struct vreg *value)
{
    const struct vm_ctx_member *m;
    struct scalar allowed;
    int error;

    m = find_member(v, regno, off, size, &error);
    if (!m) {
        return error;
    }
    if (!(m->flags & VM_CTX_RW)
        || (m->kind != VM_CTX_SCALAR && m->kind != VM_CTX_MEM)) {
        return vf_reject(v, VF_CTX_READ_ONLY, regno);
    } else if (!is_whole(m, vf_reg(v, regno), off, size)
               && (!is_part(m, vf_reg(v, regno), off, size) || m->max
                   || (m->kind == VM_CTX_SCALAR
                       && !(m->flags & VM_CTX_NARROW)))) {
        return vf_reject(v, VF_CTX_MEMBER, regno);
    } else if (vreg_is_pointer(value)) {
        return vf_reject(v, VF_STORE_POINTER, regno);
    }
    if (m->max) {
        struct scalar stored = value->num;

        scalar_zext(&stored, size * 8);
        allowed = scalar_between(m->min, m->max);
        if (stored.r64.umin < allowed.r64.umin
            || stored.r64.umax > allowed.r64.umax) {
            return vf_reject(v, VF_CTX_RANGE, regno);
        }
    }
    v->member = m;
    return 0;
}

/* A region of the context that a helper reads or writes. */
static int
check_ctx_region(struct verifier *v, int regno, int off, uint32_t size,
                 bool write)
{
    const struct vm_ctx_member *m;
    int error;

    m = find_member(v, regno, off, size, &error);
    if (!m) {
        return error;
    } else if (m->kind != VM_CTX_MEM) {
        return vf_reject(v, VF_CTX_MEMBER, regno);
    } else if (write && !(m->flags & VM_CTX_RW)) {
        return vf_reject(v, VF_CTX_READ_ONLY, regno);
    }
    return 0;
}

/* -- Packets and blocks of memory -- */

static int
check_packet(struct verifier *v, int regno, int off, uint32_t size)
{
    const struct vreg *r = vf_reg(v, regno);
    int64_t at = (int64_t) r->off + off;

    if (at < 0 || r->num.r64.smin < 0) {
        return vf_reject(v, VF_PACKET_NEGATIVE, regno);
    } else if (at + size > r->size) {
        return vf_reject(v, VF_PACKET_BOUNDS, regno);
    }
    return 0;
}

static int
check_block(struct verifier *v, int regno, int off, uint32_t size)
{
    const struct vreg *r = vf_reg(v, regno);
    int64_t at = (int64_t) r->off + off;

    if (r->num.r64.smin < -VF_MAX_OFF || r->num.r64.smax > VF_MAX_OFF
        || at + r->num.r64.smin < 0
        || at + r->num.r64.smax + size > r->size) {
        return vf_reject(v, r->type == V_MAP_VALUE ? VF_VALUE_BOUNDS
                                                   : VF_MEM_BOUNDS, regno);
    }
    return 0;
}

static bool
is_read_only(const struct vreg *r)
{
    return r->type == V_MAP_VALUE ? vm_map_is_constant(r->map)
           : r->type == V_BLOCK ? !r->writable : false;
}

static bool
is_write_only(const struct vreg *r)
{
    return r->type == V_MAP_VALUE
           && (r->map->flags & VM_MF_WRONLY_PROG) != 0;
}

/* That register 'regno' is a pointer to memory, and not null. */
static int
check_pointer(struct verifier *v, int regno, bool write)
{
    const struct vreg *r;
    int error;

    r = vf_read(v, regno, &error);
    if (!r) {
        return error;
    } else if (r->type == V_SCALAR) {
        return vf_reject(v, VF_NOT_POINTER, regno);
    } else if (r->maybe_null) {
        return vf_reject(v, VF_MAYBE_NULL, regno);
    } else if (r->type == V_MAP || r->type == V_PKT_END) {
        return vf_reject(v, VF_NO_ACCESS, regno);
    } else if (write && is_read_only(r)) {
        return vf_reject(v, VF_READ_ONLY, regno);
    } else if (!write && is_write_only(r)) {
        return vf_reject(v, VF_NO_ACCESS, regno);
    }
    return 0;
}

int
vf_check_mem(struct verifier *v, int regno, int off, uint32_t size,
             bool write)
{
    int error = check_pointer(v, regno, write);

    if (error) {
        return error;
    }
    switch ((enum vtype) vf_reg(v, regno)->type) {
    case V_CTX:
        return check_ctx_region(v, regno, off, size, write);
    case V_STACK:
        return vf_stack_region(v, regno, off, size, write);
    case V_PKT:
    case V_PKT_META:
        return check_packet(v, regno, off, size);
    default:
        return check_block(v, regno, off, size);
    }
}

/* -- Instructions -- */

/* Nobody writes the map any more. */
#define FROZEN (VM_MF_RDONLY_PROG | VM_MF_RDONLY)

/* A constant of a frozen map is known in advance. */
static bool
load_known(const struct vreg *r, int off, int size, struct vreg *value)
{
    const unsigned char *data;
    uint64_t number = 0;

    if (r->type != V_MAP_VALUE || !vreg_is_fixed(r)
        || (r->map->flags & FROZEN) != FROZEN || !r->map->ops->direct
        || r->map->max_entries != 1) {
        return false;
    }
    data = r->map->ops->direct((struct vm_map *) r->map);
    memcpy(&number, data + r->off + off, size);
    *value = vreg_scalar(scalar_const(number));
    return true;
}

static int
load_value(struct verifier *v, const struct vm_insn *insn, int size,
           struct vreg *value)
{
    const struct vreg *r;
    int error;

    error = check_pointer(v, insn->src, false);
    if (error) {
        return error;
    }
    r = vf_reg(v, insn->src);
    if (r->type == V_CTX) {
        return load_ctx(v, insn->src, insn->off, size, value);
    } else if (r->type == V_STACK) {
        return vf_stack_load(v, insn->src, insn->off, size, value);
    }
    error = vf_check_mem(v, insn->src, insn->off, size, false);
    if (!error && !load_known(r, insn->off, size, value)) {
        *value = vreg_scalar(scalar_bits(size * 8));
    }
    return error;
}

int
vf_load(struct verifier *v, const struct vm_insn *insn,
        const struct vm_isa *isa)
{
    struct vreg value;
    enum vm_mem_kind kind = mem_kind(vf_reg(v, insn->src));
    int error;

    v->member = NULL;
    error = load_value(v, insn, isa->bits / 8, &value);
    if (!error) {
        error = settle(v, kind);
    }
    if (error) {
        return error;
    }
    if (isa->form == VM_F_LDXS) {
        if (vreg_is_pointer(&value)) {
            return vf_reject(v, VF_POINTER_OPERAND, insn->src);
        }
        value.id = 0;
        scalar_sext(&value.num, isa->bits, 64);
    }
    *vf_reg(v, insn->dst) = value;
    return 0;
}

static int
store_value(struct verifier *v, const struct vm_insn *insn, int size,
            const struct vreg *value)
{
    const struct vreg *r = vf_reg(v, insn->dst);

    if (r->type == V_CTX) {
        return store_ctx(v, insn->dst, insn->off, size, value);
    } else if (r->type == V_STACK) {
        return vf_stack_store(v, insn->dst, insn->off, size, value);
    } else if (vreg_is_pointer(value)) {
        return vf_reject(v, VF_STORE_POINTER, insn->src);
    }
    return vf_check_mem(v, insn->dst, insn->off, size, true);
}

int
vf_store(struct verifier *v, const struct vm_insn *insn,
         const struct vm_isa *isa)
{
    struct vreg imm, *value = &imm;
    int error;

    error = check_pointer(v, insn->dst, true);
    if (error) {
        return error;
    }
    if (isa->form == VM_F_STX) {
        value = vf_read(v, insn->src, &error);
        if (!value) {
            return error;
        }
    } else {
        imm = vreg_scalar(scalar_const((uint64_t) (int64_t) insn->imm));
    }
    v->member = NULL;
    error = store_value(v, insn, isa->bits / 8, value);
    return error ? error : settle(v, mem_kind(vf_reg(v, insn->dst)));
}

static bool
is_aligned(const struct vreg *r, int off, int size)
{
    struct tnum at = tnum_add(r->num.bits, tnum_const((int64_t) r->off
                                                      + off));

    return !((at.value | at.mask) & (size - 1));
}

static int
check_number(struct verifier *v, int regno)
{
    const struct vreg *r;
    int error;

    r = vf_read(v, regno, &error);
    if (!r) {
        return error;
    }
    return vreg_is_pointer(r) ? vf_reject(v, VF_POINTER_OPERAND, regno) : 0;
}

/* Whether the context has plain memory there, not a member of its own. */
static bool
is_plain_member(const struct verifier *v, int regno, int off, int size)
{
    const struct vreg *r = vstate_reg(&v->cur, regno);
    const struct vm_ctx_member *m;

    m = vreg_is_fixed(r) && r->off + off >= 0
        ? vm_type_member(v->prog->type, r->off + off, size) : NULL;
    return m && m->kind == VM_CTX_MEM;
}

/* The old value is unknown; the new one too. */
int
vf_atomic(struct verifier *v, const struct vm_insn *insn,
          const struct vm_isa *isa)
{
    int size = isa->bits / 8, error;
    const struct vreg *r;
    struct vreg old = vreg_scalar(scalar_bits(isa->bits));

    error = check_pointer(v, insn->dst, true);
    if (!error) {
        error = check_number(v, insn->src);
    }
    if (!error && isa->form == VM_F_CMPXCHG) {
        error = check_number(v, VM_R0);
    }
    if (error) {
        return error;
    }
    r = vf_reg(v, insn->dst);
    if (r->type == V_CTX && !is_plain_member(v, insn->dst, insn->off, size)) {
        return vf_reject(v, VF_CTX_ATOMIC, insn->dst);
    } else if (vreg_is_packet(r)) {
        return vf_reject(v, VF_ATOMIC_TARGET, insn->dst);
    } else if (!is_aligned(r, insn->off, size)) {
        return vf_reject(v, VF_ATOMIC_ALIGN, insn->dst);
    }
    v->member = NULL;
    error = settle(v, mem_kind(r));
    if (!error) {
        error = vf_check_mem(v, insn->dst, insn->off, size, false);
    }
    if (!error) {
        error = vf_check_mem(v, insn->dst, insn->off, size, true);
    }
    if (!error && (isa->form == VM_F_FETCH || isa->form == VM_F_XCHG)) {
        *vf_reg(v, insn->src) = old;
    } else if (!error && isa->form == VM_F_CMPXCHG) {
        *vf_reg(v, VM_R0) = old;
    }
    return error;
}
