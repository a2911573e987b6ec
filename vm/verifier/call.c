/* SPDX-License-Identifier: Apache-2.0 */

/* Calls of helpers: arguments by prototype, what r0 is afterwards. */

#include "vm/verifier/verifier.h"

#include <string.h>

#include "vm/map.h"

/* What the arguments of one call have shown so far. */
struct call {
    const struct vm_helper *helper;
    const struct vm_map *map;   /* Of VM_ARG_MAP. */
    uint32_t map_index;         /* Plus 1, or 0. */
    uint64_t mem_size;          /* Of VM_ARG_CONST_SIZE. */
    uint32_t released;          /* vreg.ref given back, or 0. */
};

bool
vf_has_ref(const struct vstate *s, uint32_t ref)
{
    for (uint32_t i = 0; i < s->n_refs; i++) {
        if (s->refs[i] == ref) {
            return true;
        }
    }
    return false;
}

/* -- Arguments -- */

static int
check_map_arg(struct verifier *v, int regno, struct call *c)
{
    const struct vreg *r = vf_reg(v, regno);
    uint32_t need = c->helper->map_caps;

    if (r->type != V_MAP) {
        return vf_reject(v, VF_ARG_TYPE, regno);
    } else if (r->maybe_null) {
        return vf_reject(v, VF_ARG_NULL, regno);
    } else if ((r->map->ops->caps & need) != need) {
        return vf_reject(v, VF_ARG_MAP_KIND, regno);
    } else if (need & (VM_MAP_CAP_UPDATE | VM_MAP_CAP_DELETE)
               && vm_map_is_constant(r->map)) {
        return vf_reject(v, VF_READ_ONLY, regno);
    }
    c->map = r->map;
    c->map_index = r->map_index;
    return 0;
}

/* Memory that must be accessible whole: map keys and values, buffers. */
static int
check_mem_arg(struct verifier *v, int regno, uint32_t size, bool write,
              const struct call *c)
{
    const struct vreg *r = vf_reg(v, regno);

    if (!vreg_is_pointer(r) || r->type == V_MAP || r->type == V_PKT_END) {
        return vf_reject(v, VF_ARG_TYPE, regno);
    } else if (r->maybe_null) {
        return vf_reject(v, VF_ARG_NULL, regno);
    } else if (vreg_is_packet(r)
               && c->helper->flags & VM_HF_NO_PACKET_MEM) {
        return vf_reject(v, VF_ARG_PACKET, regno);
    }
    return vf_check_mem(v, regno, 0, size, write);
}

static bool
is_null_const(const struct vreg *r)
{
    return r->type == V_SCALAR && scalar_is_const(&r->num)
           && !r->num.bits.value;
}

/* The pair (memory, size): 'regno' is the memory's register, the size is in
 * the next one. */
static int
check_mem_pair(struct verifier *v, int regno, enum vm_arg_kind kind,
               const struct call *c)
{
    enum vm_arg_kind size_kind = c->helper->args[regno - VM_R1 + 1];
    const struct vreg *size;
    int error;

    size = vf_read(v, regno + 1, &error);
    if (!size) {
        return error;
    } else if (size->type != V_SCALAR) {
        return vf_reject(v, VF_ARG_TYPE, regno + 1);
    } else if (size->num.r64.umax > INT32_MAX) {
        return vf_reject(v, VF_ARG_SIZE, regno + 1);
    } else if (!size->num.r64.umin && size_kind == VM_ARG_SIZE) {
        return vf_reject(v, VF_ARG_SIZE_ZERO, regno + 1);
    }
    if (kind == VM_ARG_MEM_OR_NULL && is_null_const(vf_reg(v, regno))) {
        return size->num.r64.umax ? vf_reject(v, VF_ARG_NULL, regno) : 0;
    }
    /* Of an unknown number of bytes, the last may stay as they were. */
    if (kind == VM_ARG_MEM_OUT && !scalar_is_const(&size->num)) {
        error = check_mem_arg(v, regno, size->num.r64.umax, false, c);
        if (error) {
            return error;
        }
    }
    return check_mem_arg(v, regno, size->num.r64.umax,
                         kind == VM_ARG_MEM_OUT, c);
}

static int
check_const_arg(struct verifier *v, int regno, struct call *c)
{
    const struct vreg *r = vf_reg(v, regno);

    if (r->type != V_SCALAR || !scalar_is_const(&r->num)
        || r->num.bits.value > INT32_MAX) {
        return vf_reject(v, VF_ARG_CONST, regno);
    }
    c->mem_size = r->num.bits.value;
    return 0;
}

static int
check_release_arg(struct verifier *v, int regno, struct call *c)
{
    const struct vreg *r = vf_reg(v, regno);

    if (r->type != V_MEM || r->maybe_null || r->off || !vreg_is_fixed(r)
        || !r->ref || !vf_has_ref(&v->cur, r->ref)) {
        return vf_reject(v, VF_ARG_RELEASE, regno);
    }
    c->released = r->ref;
    return 0;
}

static int
check_arg(struct verifier *v, int regno, struct call *c)
{
    enum vm_arg_kind kind = c->helper->args[regno - VM_R1];
    const struct vreg *r;
    int error;

    if (kind == VM_ARG_OPTIONAL) {
        return 0;
    }
    r = vf_read(v, regno, &error);
    if (!r) {
        return error;
    }
    switch (kind) {
    case VM_ARG_ADDRESS:
    case VM_ARG_OPTIONAL:
        return 0;
    case VM_ARG_ANY:
    case VM_ARG_SIZE:
    case VM_ARG_SIZE_OR_ZERO:
        return r->type == V_SCALAR ? 0 : vf_reject(v, VF_ARG_TYPE, regno);
    case VM_ARG_CTX:
        return r->type == V_CTX && !r->off && vreg_is_fixed(r)
               ? 0 : vf_reject(v, VF_ARG_TYPE, regno);
    case VM_ARG_MAP:
        return check_map_arg(v, regno, c);
    case VM_ARG_MAP_KEY:
        return check_mem_arg(v, regno, c->map->key_size, false, c);
    case VM_ARG_MAP_VALUE:
        return check_mem_arg(v, regno, c->map->value_size, false, c);
    case VM_ARG_MEM:
    case VM_ARG_MEM_OR_NULL:
    case VM_ARG_MEM_OUT:
        return check_mem_pair(v, regno, kind, c);
    case VM_ARG_CONST_SIZE:
        return check_const_arg(v, regno, c);
    case VM_ARG_RELEASE:
        return check_release_arg(v, regno, c);
    case VM_ARG_NONE:
        break;
    }
    return 0;
}

/* -- Effects -- */

static void
forget_packet(struct vreg *r, void *aux)
{
    if (vreg_is_packet(r) || r->type == V_PKT_END) {
        *r = vreg_none();
    }
}

static void
forget_ref(struct vreg *r, void *aux)
{
    const uint32_t *ref = aux;

    if (r->ref == *ref) {
        *r = vreg_none();
    }
}

static void
release(struct verifier *v, uint32_t ref)
{
    struct vstate *s = &v->cur;

    for (uint32_t i = 0; i < s->n_refs; i++) {
        if (s->refs[i] == ref) {
            s->refs[i] = s->refs[--s->n_refs];
            break;
        }
    }
    vstate_for_each_reg(s, forget_ref, &ref);
}

/* A value of a map of maps is a map like the template. */
static struct vreg
looked_up(struct verifier *v, const struct vm_map *map)
{
    struct vreg r;

    if (map->ops->caps & VM_MAP_CAP_OF_MAPS) {
        r = vreg_pointer(V_MAP);
        r.map = map->inner;
    } else {
        r = vreg_pointer(V_MAP_VALUE);
        r.map = map;
        r.size = map->value_size;
    }
    r.maybe_null = true;
    r.id = ++v->last_id;
    return r;
}

static int
set_result(struct verifier *v, const struct call *c)
{
    const struct vm_helper *h = c->helper;
    struct vreg *r0 = vf_reg(v, VM_R0);

    switch (h->ret) {
    case VM_RET_VOID:
        *r0 = vreg_none();
        break;
    case VM_RET_INT:
        *r0 = vreg_scalar(scalar_unknown());
        if (h->ret_min || h->ret_max) {
            r0->num.r64.smin = h->ret_min;
            r0->num.r64.smax = h->ret_max;
            scalar_sync(&r0->num);
        }
        break;
    case VM_RET_MAP_VALUE_OR_NULL:
        *r0 = looked_up(v, c->map);
        break;
    case VM_RET_MEM_OR_NULL:
        *r0 = vreg_pointer(V_MEM);
        r0->size = c->mem_size;
        r0->maybe_null = true;
        r0->id = ++v->last_id;
        break;
    }
    if (h->flags & VM_HF_ACQUIRE) {
        if (v->cur.n_refs == V_MAX_REFS) {
            return vf_reject(v, VF_TOO_MANY_REFS, -1);
        }
        r0->ref = ++v->last_id;
        v->cur.refs[v->cur.n_refs++] = r0->ref;
    }
    return 0;
}

/* After a yield: another context has used the registers and the stack. */
static int
yield(struct verifier *v)
{
    struct vframe *f = vstate_frame(&v->cur);

    if (v->cur.n_frames > 1) {
        return vf_reject(v, VF_YIELD_LOCAL, -1);
    }
    for (int r = VM_R0; r <= VM_R9; r++) {
        f->regs[r] = vreg_none();
    }
    f->regs[VM_R1] = vreg_pointer(V_CTX);
    for (uint32_t i = 0; i < f->n_slots; i++) {
        memset(&f->slots[i], 0, sizeof f->slots[i]);
    }
    return 0;
}

/* A tail call that succeeds in a local function: the other program has done
 * what it likes with the packet, and its result is what the function
 * returns. */
static int
tail_call_returns(struct verifier *v)
{
    const struct vm_prog_type *type = v->prog->type;
    uint32_t pc = v->pc;
    struct vstate mine;
    int error;

    if (!vstate_copy(&mine, &v->cur)) {
        return vf_reject(v, VF_MEMORY, -1);
    }
    vstate_for_each_reg(&v->cur, forget_packet, NULL);
    *vf_reg(v, VM_R0) = vreg_scalar(type->ret_min || type->ret_max
                                    ? scalar_between(type->ret_min,
                                                     type->ret_max)
                                    : scalar_unknown());
    error = vf_leave(v);
    error = error ? error : vf_push(v, v->pc);
    vstate_uninit(&v->cur);
    v->cur = mine;
    v->pc = pc;
    return error;
}

/* What the JITs may rely on: the map, and a constant index into an array. */
static void
note_call(struct verifier *v, const struct call *c)
{
    struct vm_aux *aux = &v->prog->aux[v->pc];
    bool is_goto = c->helper->id == VM_HELPER_GOTO;
    const struct vreg *index = vf_reg(v, is_goto ? VM_R2 : VM_R3);
    bool known = (is_goto || c->helper->id == VM_HELPER_TAIL_CALL)
                 && index->type == V_SCALAR && scalar_is_const(&index->num);
    uint64_t value = known ? (uint32_t) index->num.bits.value : 0;

    if (!(aux->flags & VM_AUX_SEEN)) {
        aux->map = c->map_index;
        aux->flags |= known ? VM_AUX_CONST_KEY : 0;
        aux->cval = value;
        return;
    }
    if (aux->map != (int32_t) c->map_index) {
        aux->map = 0;
    }
    if (!known || aux->cval != value) {
        aux->flags &= ~VM_AUX_CONST_KEY;
    }
}

/* Programs that goto each other share a frame, which has no place for the
 * count of tail calls through maps. */
static bool
type_has(const struct vm_prog_type *type, const struct vm_helper *helper)
{
    return helper->id != VM_HELPER_TAIL_CALL || type->gen_off == VM_NO_GEN;
}

int
vf_call(struct verifier *v, const struct vm_insn *insn)
{
    struct call c = { .helper = vm_type_helper(v->prog->type, insn->imm) };
    int error;

    if (!c.helper || !type_has(v->prog->type, c.helper)) {
        return vf_reject(v, VF_HELPER_UNKNOWN, -1);
    }
    if (c.helper->id == VM_HELPER_GOTO && v->cur.n_frames > 1) {
        return vf_reject(v, VF_GOTO_LOCAL, -1);
    }
    for (int i = 0; i < 5 && c.helper->args[i] != VM_ARG_NONE; i++) {
        error = check_arg(v, VM_R1 + i, &c);
        if (error) {
            return error;
        }
    }
    if (c.helper->flags & (VM_HF_TAIL_CALL | VM_HF_YIELD)
        && v->cur.n_refs) {
        return vf_reject(v, VF_REF_LEAK, -1);
    }
    note_call(v, &c);
    if (c.released) {
        release(v, c.released);
    }
    if (c.helper->flags & VM_HF_YIELD) {
        return yield(v);
    }
    for (int r = VM_R0; r <= VM_R5; r++) {
        *vf_reg(v, r) = vreg_none();
    }
    if (c.helper->flags & VM_HF_TAIL_CALL && v->cur.n_frames > 1) {
        error = tail_call_returns(v);
        if (error) {
            return error;
        }
    }
    if (c.helper->flags & VM_HF_MOVES_PACKET) {
        vstate_for_each_reg(&v->cur, forget_packet, NULL);
    }
    return set_result(v, &c);
}
