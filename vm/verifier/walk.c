/* SPDX-License-Identifier: Apache-2.0 */

/* The walk: depth first over all paths, one state at a time.
 *
 * At join points the state is compared with those remembered there ('marks').
 * A mark whose every continuation is done and which covers the current state
 * ends the path: nothing new can happen.  A mark that is still being explored
 * lies on the current path; meeting it unchanged is an endless loop.
 *
 * A mark also learns the longest path from itself to an exit, so that the
 * program's longest path is known although most paths are not walked to
 * their end. */

#include "vm/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vm/verifier/verifier.h"

#define MAX_STEPS 1000000
#define MAX_MS 10000
#define MAX_MEMORY (64u << 20)
#define MARK_AFTER_INSNS 3      /* A new mark at most so often... */
#define MARK_AFTER_JUMPS 1
#define MAX_MISSES 48           /* ... and gone when it never helps. */

struct vf_mark {
    struct vf_mark *next;       /* At the same instruction. */
    struct vf_mark *parent;     /* Before it on its path. */
    struct vstate state;
    uint32_t path_from_parent;  /* Instructions. */
    uint32_t open;              /* Paths from here not done. */
    uint32_t rest;              /* Longest path from here to an exit, so
                                 * far. */
    uint32_t children;          /* Marks whose parent this is. */
    uint32_t misses, hits;
    bool done, unlinked;
};

/* -- Registers -- */

struct vreg *
vf_read(struct verifier *v, int regno, int *error)
{
    struct vreg *r = vf_reg(v, regno);

    if (r->type == V_NONE) {
        *error = vf_reject(v, r->size ? VF_STACK_UNINIT : VF_UNINIT, regno);
        return NULL;
    }
    return r;
}

/* -- Limits -- */

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static int
count_step(struct verifier *v)
{
    uint64_t max = v->opts && v->opts->max_steps ? v->opts->max_steps
                                                 : MAX_STEPS;

    if (++v->steps > max) {
        return vf_reject(v, VF_STEPS, -1);
    } else if (!(v->steps & 1023) && now_ns() > v->deadline_ns) {
        return vf_reject(v, VF_TIME, -1);
    }
    return 0;
}

static size_t
state_memory(const struct vstate *s)
{
    size_t size = 0;

    for (uint32_t i = 0; i < s->n_frames; i++) {
        size += sizeof *s->frames[i]
                + s->frames[i]->n_slots * sizeof *s->frames[i]->slots;
    }
    return size;
}

/* -- Marks: remembered states -- */

static void
free_mark(struct verifier *v, struct vf_mark *m)
{
    v->memory -= state_memory(&m->state) + sizeof *m;
    vstate_uninit(&m->state);
    free(m);
}

/* A mark that was taken from its list goes when nothing refers to it. */
static void
maybe_free_mark(struct verifier *v, struct vf_mark *m)
{
    if (m->unlinked && m->done && !m->children) {
        free_mark(v, m);
    }
}

static uint32_t
add_path(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* One path that began at v->mark is done after v->path instructions and then
 * at most 'rest' more. */
static int
end_path(struct verifier *v, uint32_t rest)
{
    struct vf_mark *m = v->mark;
    uint32_t length = add_path(v->path, rest);

    while (m) {
        struct vf_mark *parent = m->parent;

        if (m->rest < length) {
            m->rest = length;
        }
        if (--m->open) {
            return 0;
        }
        m->done = true;
        length = add_path(m->path_from_parent, m->rest);
        if (parent) {
            parent->children--;
        }
        maybe_free_mark(v, m);
        m = parent;
    }
    if (v->longest < length) {
        v->longest = length;
    }
    if (v->prog->type->max_path && v->longest > v->prog->type->max_path) {
        return vf_reject(v, VF_PATH, -1);
    }
    return 0;
}

static void
live_frames(const struct verifier *v, struct vlive live[VM_MAX_FRAMES])
{
    const struct vstate *s = &v->cur;

    for (uint32_t i = 0; i + 1 < s->n_frames; i++) {
        live[i] = vcfg_live_in_call(&v->cfg, s->frames[i + 1]->call_pc);
    }
    live[s->n_frames - 1] = v->cfg.live[v->pc];
}

static int
add_mark(struct verifier *v)
{
    size_t max = v->opts && v->opts->max_memory ? v->opts->max_memory
                                                : MAX_MEMORY;
    struct vf_mark *m = calloc(1, sizeof *m);
    struct vlive live[VM_MAX_FRAMES];

    if (!m || !vstate_copy(&m->state, &v->cur)) {
        free(m);
        return vf_reject(v, VF_MEMORY, -1);
    }
    live_frames(v, live);
    vstate_forget_dead(&m->state, live);
    vstate_forget_single_ids(&m->state);
    v->memory += state_memory(&m->state) + sizeof *m;
    m->parent = v->mark;
    m->path_from_parent = v->path;
    m->open = 1;
    if (m->parent) {
        m->parent->children++;
    }
    m->next = v->marks[v->pc];
    v->marks[v->pc] = m;
    v->mark = m;
    v->path = 0;
    v->since_mark = v->jumps_since_mark = 0;
    return v->memory > max ? vf_reject(v, VF_MEMORY, -1) : 0;
}

static bool
is_on_path(const struct verifier *v, const struct vf_mark *m)
{
    return !m->done && m->state.n_frames == v->cur.n_frames;
}

/* Looks for a remembered state that says something about the current one.
 * '*covered' is the mark that covers it, or null. */
static int
look_back(struct verifier *v, struct vf_mark **covered)
{
    struct vlive live[VM_MAX_FRAMES];
    struct vf_mark **link = &v->marks[v->pc], *m;

    *covered = NULL;
    live_frames(v, live);
    while ((m = *link)) {
        if (m == v->mark && !v->path) {
            /* Made just now. */
        } else if (is_on_path(v, m)) {
            if (vstate_covers(&m->state, &v->cur, live, true)) {
                return vf_reject(v, VF_ENDLESS, -1);
            }
        } else if (m->done
                   && vstate_covers(&m->state, &v->cur, live, false)) {
            m->hits++;
            *covered = m;
            return 0;
        } else if (m->done && ++m->misses > MAX_MISSES + 3 * m->hits) {
            *link = m->next;
            m->unlinked = true;
            maybe_free_mark(v, m);
            continue;
        }
        link = &m->next;
    }
    return 0;
}

/* -- Pending branches -- */

int
vf_push(struct verifier *v, uint32_t pc)
{
    struct vf_pending *p;

    if (v->n_pending == v->max_pending) {
        size_t max = v->max_pending ? 2 * v->max_pending : 64;

        p = realloc(v->pending, max * sizeof *p);
        if (!p) {
            return vf_reject(v, VF_MEMORY, -1);
        }
        v->pending = p;
        v->max_pending = max;
    }
    p = &v->pending[v->n_pending];
    if (!vstate_copy(&p->state, &v->cur)) {
        return vf_reject(v, VF_MEMORY, -1);
    }
    p->pc = pc;
    p->path = v->path;
    p->mark = v->mark;
    v->mark->open++;
    v->n_pending++;
    return 0;
}

static bool
pop_pending(struct verifier *v)
{
    struct vf_pending *p;

    if (!v->n_pending) {
        return false;
    }
    p = &v->pending[--v->n_pending];
    vstate_uninit(&v->cur);
    v->cur = p->state;
    v->pc = p->pc;
    v->path = p->path;
    v->mark = p->mark;
    return true;
}

/* -- Calls of local functions -- */

static int
enter(struct verifier *v, const struct vm_insn *insn)
{
    uint32_t target = v->pc + 1 + insn->imm, subprog = 0;
    struct vframe *caller = vstate_frame(&v->cur), *callee;

    while (v->prog->subprogs[subprog].start != target) {
        subprog++;
    }
    if (v->cur.n_frames == VM_MAX_FRAMES || !subprog) {
        return vf_reject(v, VF_FRAMES, -1);
    } else if (!vstate_push_frame(&v->cur, subprog, v->pc)) {
        return vf_reject(v, VF_MEMORY, -1);
    }
    callee = vstate_frame(&v->cur);
    memcpy(&callee->regs[VM_R1], &caller->regs[VM_R1],
           5 * sizeof callee->regs[0]);
    for (int r = VM_R0; r <= VM_R5; r++) {
        caller->regs[r] = vreg_none();
    }
    v->pc = target;
    return 0;
}

int
vf_leave(struct verifier *v)
{
    struct vreg result = *vf_reg(v, VM_R0);
    uint32_t call_pc = vstate_frame(&v->cur)->call_pc;

    /* A caller must not get a pointer into a frame that is gone: this is the
     * only way, because a callee stores none in its callers' frames. */
    if (result.type == V_STACK && result.frame == v->cur.n_frames - 1) {
        return vf_reject(v, VF_RETURN_STACK, VM_R0);
    }
    vstate_pop_frame(&v->cur);
    *vf_reg(v, VM_R0) = result;
    v->pc = call_pc + 1;
    return 0;
}

/* -- The end of a program -- */

static int
finish(struct verifier *v)
{
    const struct vm_prog_type *type = v->prog->type;
    const struct vreg *r0;
    int error;

    r0 = vf_read(v, VM_R0, &error);
    if (!r0) {
        return error;
    } else if (vreg_is_pointer(r0)) {
        return vf_reject(v, VF_RETURN_POINTER, VM_R0);
    } else if (v->cur.n_refs) {
        return vf_reject(v, VF_REF_LEAK, -1);
    } else if ((type->ret_min || type->ret_max)
               && (r0->num.r64.umin < type->ret_min
                   || r0->num.r64.umax > type->ret_max)) {
        return vf_reject(v, VF_RETURN_RANGE, VM_R0);
    }
    return 0;
}

/* -- Steps -- */

/* '*ended' if the path is done. */
static int
do_exit(struct verifier *v, bool *ended)
{
    int error;

    if (v->cur.n_frames > 1) {
        return vf_leave(v);
    }
    error = finish(v);
    if (!error) {
        *ended = true;
        error = end_path(v, 0);
    }
    return error;
}

static int
do_branch(struct verifier *v, const struct vm_insn *insn,
          const struct vm_isa *isa)
{
    int taken = 0, error;

    v->jumps_since_mark++;
    error = vf_branch(v, insn, isa, &taken);
    if (!error) {
        v->pc += 1 + (taken == 1 ? vm_jump_off(insn, isa->form) : 0);
    }
    return error;
}

static int
do_plain(struct verifier *v, const struct vm_insn *insn,
         const struct vm_isa *isa)
{
    switch ((enum vm_form) isa->form) {
    case VM_F_LDX:
    case VM_F_LDXS:
        return vf_load(v, insn, isa);
    case VM_F_ST:
    case VM_F_STX:
        return vf_store(v, insn, isa);
    case VM_F_ATOMIC:
    case VM_F_FETCH:
    case VM_F_XCHG:
    case VM_F_CMPXCHG:
        return vf_atomic(v, insn, isa);
    case VM_F_CALL:
        return vf_call(v, insn);
    case VM_F_LDDW:
    case VM_F_LDMAP:
    case VM_F_LDMAPVAL:
        return vf_load_imm(v, insn, isa);
    default:
        return vf_alu(v, insn, isa);
    }
}

static int
step(struct verifier *v, bool *ended)
{
    uint32_t pc = v->pc;
    const struct vm_insn *insn = &v->prog->insns[pc];
    const struct vm_isa *isa = &vm_isa[vm_insn_id(insn)];
    int error;

    v->path = add_path(v->path, 1);
    v->since_mark++;
    if (v->opts && v->opts->log_level >= 2) {
        vf_log_insn(v);
    }
    switch ((enum vm_form) isa->form) {
    case VM_F_JA:
    case VM_F_JA32:
        v->jumps_since_mark++;
        v->pc += 1 + vm_jump_off(insn, isa->form);
        error = 0;
        break;
    case VM_F_JCC_RR:
    case VM_F_JCC_RI:
        error = do_branch(v, insn, isa);
        break;
    case VM_F_CALL_LOCAL:
        error = enter(v, insn);
        break;
    case VM_F_EXIT:
        error = do_exit(v, ended);
        break;
    default:
        error = do_plain(v, insn, isa);
        v->pc += error ? 0 : vm_insn_slots(insn);
        break;
    }
    v->prog->aux[pc].flags |= VM_AUX_SEEN;
    return error;
}

/* Before an instruction: is all of this known already? */
static int
at_join(struct verifier *v, bool *ended)
{
    struct vf_mark *covered;
    int error;

    if (!(v->cfg.flags[v->pc] & VCFG_JOIN)) {
        return 0;
    }
    error = look_back(v, &covered);
    if (error) {
        return error;
    } else if (covered) {
        *ended = true;
        return end_path(v, covered->rest);
    }
    if (v->since_mark >= MARK_AFTER_INSNS
        && v->jumps_since_mark >= MARK_AFTER_JUMPS) {
        return add_mark(v);
    }
    return 0;
}

static void
record(const struct verifier *v)
{
    struct vlive live[VM_MAX_FRAMES];

    live_frames(v, live);
    v->opts->record(v->opts->record_aux, v->pc, &v->cur, live);
}

static int
walk_path(struct verifier *v)
{
    bool ended = false;
    int error = 0;

    while (!error && !ended) {
        error = count_step(v);
        if (!error) {
            error = at_join(v, &ended);
        }
        if (!error && !ended) {
            if (v->opts && v->opts->record) {
                record(v);
            }
            error = step(v, &ended);
        }
    }
    return error;
}

static int
walk(struct verifier *v)
{
    int error;

    if (!vstate_init(&v->cur)) {
        return vf_reject(v, VF_MEMORY, -1);
    }
    v->cur.frames[0]->regs[VM_R1] = vreg_pointer(V_CTX);
    error = add_mark(v);
    do {
        error = error ? error : walk_path(v);
    } while (!error && pop_pending(v));
    return error;
}

/* -- Around the walk -- */

static void
conclude(struct verifier *v)
{
    struct vm_prog *prog = v->prog;

    for (uint32_t i = 0; i < prog->n_subprogs; i++) {
        prog->subprogs[i].stack = (v->stack_used[i] + 7) & ~7u;
    }
    for (uint32_t pc = 0; pc < prog->n_insns; pc++) {
        if (v->cfg.flags[pc] & VCFG_LOOP_HEAD) {
            prog->aux[pc].flags |= VM_AUX_LOOP_HEAD;
        }
    }
    prog->longest_path = v->longest;
}

static void
uninit(struct verifier *v)
{
    for (size_t i = 0; i < v->n_pending; i++) {
        vstate_uninit(&v->pending[i].state);
    }
    free(v->pending);
    for (uint32_t pc = 0; v->marks && pc < v->prog->n_insns; pc++) {
        struct vf_mark *next;

        for (struct vf_mark *m = v->marks[pc]; m; m = next) {
            next = m->next;
            free_mark(v, m);
        }
    }
    free(v->marks);
    free(v->stack_used);
    vstate_uninit(&v->cur);
    vcfg_destroy(&v->cfg);
}

int
vm_verify(struct vm_prog *prog, const struct vm_verify_opts *opts,
          struct vm_err *err)
{
    struct verifier v = { .prog = prog, .opts = opts, .err = err };
    uint32_t max_ms = opts && opts->max_ms ? opts->max_ms : MAX_MS;
    int error;

    v.deadline_ns = now_ns() + max_ms * UINT64_C(1000000);
    v.marks = calloc(prog->n_insns, sizeof *v.marks);
    v.stack_used = calloc(prog->n_subprogs, sizeof *v.stack_used);
    if (!v.marks || !v.stack_used || vcfg_build(prog, &v.cfg)) {
        error = vm_err(err, -ENOMEM, "out of memory");
    } else {
        error = walk(&v);
        if (!error) {
            conclude(&v);
        }
    }
    uninit(&v);
    return error;
}
