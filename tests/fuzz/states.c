/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/states.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/contain.h"
#include "tests/fuzz/traced.h"

/* -- Records: an arena that is reused from program to program -- */

#define MAX_PROGRAM 4096
#define MAX_RECORDS (1u << 16)
#define ARENA_SIZE ((size_t) 256 << 20)

/* Rings: each instruction's last record, and the one that fitted last. */
static struct record *lasts[MAX_PROGRAM], *fitted[MAX_PROGRAM];
static uint8_t *arena;
static size_t used;
static bool full;               /* Not all states are known. */

static void *
take(size_t size)
{
    void *p = arena + used;

    size = (size + 15) & ~(size_t) 15;
    if (used + size > ARENA_SIZE) {
        full = true;
        return NULL;
    }
    used += size;
    return p;
}

void
fuzz_states_clear(uint32_t n_insns)
{
    if (!arena) {
        arena = malloc(ARENA_SIZE);     /* Touched as far as it is used. */
        if (!arena) {
            fprintf(stderr, "no memory for states\n");
            exit(2);
        }
    }
    used = 0;
    full = n_insns > MAX_PROGRAM;
    n_insns = n_insns < MAX_PROGRAM ? n_insns : MAX_PROGRAM;
    memset(lasts, 0, n_insns * sizeof lasts[0]);
    memset(fitted, 0, n_insns * sizeof fitted[0]);
}

/* Only what is alive: contains() looks at nothing else. */
static void
copy_live(struct vframe *to, struct vslot *slots, const struct vframe *from,
          const struct vlive *live)
{
    to->call_pc = from->call_pc;
    to->n_slots = from->n_slots;
    to->slots = slots;
    for (int r = 0; r < VM_FP; r++) {
        if (live->regs & 1u << r) {
            to->regs[r] = from->regs[r];
        }
    }
    for (uint32_t i = 0; i < from->n_slots; i++) {
        if (live->slots & UINT64_C(1) << i) {
            slots[i] = from->slots[i];
        }
    }
}

void
fuzz_states_record(void *aux, uint32_t pc, const struct vstate *s,
                   const struct vlive *live)
{
    struct record *r;

    if (full || !(r = take(sizeof *r + s->n_frames * sizeof r->frames[0]))) {
        return;
    }
    r->n_frames = s->n_frames;
    r->n_refs = s->n_refs;
    for (uint32_t i = 0; i < s->n_frames; i++) {
        const struct vframe *f = s->frames[i];
        struct vslot *slots = take(f->n_slots * sizeof *slots + 1);

        if (!slots) {
            return;
        }
        copy_live(&r->frames[i].frame, slots, f, &live[i]);
        r->frames[i].live = live[i];
    }
    r->next = lasts[pc] ? lasts[pc]->next : r;
    if (lasts[pc]) {
        lasts[pc]->next = r;
    }
    lasts[pc] = r;
}

/* -- Looking on -- */

struct fuzz_census fuzz_census;

static struct {
    struct fuzz_trace *trace;   /* Null: do not look. */
    const struct vm_prog *prog;
    uint32_t last_pc;           /* Of the program. */
    bool tail_called;
} now;

static void __attribute__((format(printf, 2, 3)))
violate(const struct moment *m, const char *format, ...)
{
    struct fuzz_trace *t = now.trace;
    va_list args;
    int n;

    if (t->violated) {
        return;
    }
    t->violated = true;
    n = snprintf(t->why, sizeof t->why, "insn %u: ", m->pc);
    va_start(args, format);
    vsnprintf(t->why + n, sizeof t->why - n, format, args);
    va_end(args);
}

static void
look_up_states(const struct moment *m)
{
    struct record *first = fitted[m->pc] ? fitted[m->pc] : lasts[m->pc], *r;
    char why[200] = "no state was recorded here";

    /* A loop's next round fits the next state. */
    r = first ? first->next : NULL;
    for (bool more = r; more; r = r->next) {
        if (contains(r, m, NULL, 0)) {
            fitted[m->pc] = r;
            return;
        }
        more = r != first;
    }
    if (first) {
        contains(first, m, why, sizeof why);
    }
    violate(m, "in no state that the verifier recorded; one: %s", why);
}

static bool
on_stack(const struct moment *m, uint64_t x)
{
    return x - (uintptr_t) m->stack < VM_MAX_FRAMES * VM_FRAME_STRIDE + 1;
}

/* Where user space has its code and data, on the CPUs that we know. */
static bool
is_like_pointer(uint64_t x)
{
    return x >> 40 >= 0x55 && x >> 40 <= 0x7f;
}

/* A result that depends on where the stack lies is no engine's fault. */
static void
note_addresses(const struct moment *m, const struct vm_insn *insn,
               const struct vm_isa *isa)
{
    bool jump = isa->form == VM_F_JCC_RR || isa->form == VM_F_JCC_RI;
    int op = insn->code & VM_OP_MASK;

    if (!jump && !(isa->form == VM_F_ALU_RR && op == VM_SUB)) {
        return;
    }
    if (jump && isa->form == VM_F_JCC_RI && !insn->imm && isa->bits == 64
        && (op == VM_JEQ || op == VM_JNE)) {
        return;
    }
    if (isa->form == VM_F_JCC_RI || is_like_pointer(m->regs[insn->dst])
                                    != is_like_pointer(m->regs[insn->src])) {
        now.trace->pointers |= is_like_pointer(m->regs[insn->dst])
                               || isa->form != VM_F_JCC_RI;
    }
    if (on_stack(m, m->regs[insn->dst])
        || (isa->form != VM_F_JCC_RI && on_stack(m, m->regs[insn->src]))) {
        now.trace->address = true;
    }
}

/* What the verifier said of the instruction that ran last. */
static void
check_last(const struct moment *m)
{
    const struct vm_insn *insn = &m->prog->insns[now.last_pc];
    enum vm_form form = vm_isa[vm_insn_id(insn)].form;
    uint16_t flags = m->prog->aux[now.last_pc].flags;

    if (form != VM_F_JCC_RR && form != VM_F_JCC_RI) {
        return;
    }
    if ((flags & VM_AUX_ALWAYS
         && m->pc != now.last_pc + 1 + vm_jump_off(insn, form))
        || (flags & VM_AUX_NEVER && m->pc != now.last_pc + 1)) {
        violate(m, "insn %u went where it never goes", now.last_pc);
    }
}

static void
check_aux(const struct moment *m, const struct vm_insn *insn,
          const struct vm_isa *isa)
{
    const struct vm_aux *aux = &m->prog->aux[m->pc];

    if (!(aux->flags & VM_AUX_SEEN)) {
        violate(m, "runs, but is marked as dead");
    }
    if (aux->flags & VM_AUX_DIV_SAFE) {
        uint64_t by = isa->form == VM_F_ALU_RR ? m->regs[insn->src]
                      : (uint64_t) (int64_t) insn->imm;

        if (isa->bits == 32 ? !(uint32_t) by : !by) {
            violate(m, "divides by 0, but is marked as safe");
        } else if (insn->off == 1
                   && (isa->bits == 32 ? (int32_t) by == -1
                                       : (int64_t) by == -1)) {
            violate(m, "divides by -1, but is marked as safe");
        }
    }
    if (aux->flags & VM_AUX_CONST_KEY) {
        uint32_t index = m->regs[insn->imm == VM_HELPER_GOTO ? 2 : 3];

        if (index != aux->cval) {
            violate(m, "index %u, but marked as %u", index,
                    (uint32_t) aux->cval);
        }
    }
}

/* The memory that a load, store or atomic touches lies in the part of the
 * frame that the function is said to use. */
static void
check_stack_depth(const struct moment *m, const struct vm_insn *insn,
                  const struct vm_isa *isa)
{
    bool load = isa->form == VM_F_LDX || isa->form == VM_F_LDXS;
    uint64_t at;
    uint32_t frame, below, function;

    if (!load && isa->form != VM_F_ST && isa->form != VM_F_STX
        && (isa->form < VM_F_ATOMIC || isa->form > VM_F_CMPXCHG)) {
        return;
    }
    at = m->regs[load ? insn->src : insn->dst] + (int64_t) insn->off;
    if (!on_stack(m, at)) {
        return;
    }
    frame = (at - (uintptr_t) m->stack) / VM_FRAME_STRIDE;
    below = VM_STACK_SIZE - (at - (uintptr_t) m->stack) % VM_FRAME_STRIDE;
    if (frame > m->depth || (frame < m->depth
                             && m->progs[frame] != m->prog)) {
        return;
    }
    at = frame == m->depth ? m->pc : m->call_pcs[frame];
    for (function = 0; m->prog->subprogs[function].end <= at; function++) {
    }
    if (below > m->prog->subprogs[function].stack) {
        violate(m, "uses %u bytes of its frame, said to be %u", below,
                m->prog->subprogs[function].stack);
    }
}

static void
count(const struct moment *m, const struct vm_insn *insn, int id)
{
    fuzz_census.insns[id]++;
    if (id == VM_I_LDMAP || id == VM_I_LDMAPVAL) {
        fuzz_census.maps[insn->imm & 63]++;
    } else if (id == VM_I_CALL) {
        fuzz_count_helper(m->prog, insn->imm);
    }
}

void
fuzz_moment(const struct moment *m)
{
    const struct vm_insn *insn = &m->prog->insns[m->pc];
    int id = vm_insn_id(insn);

    if (!now.trace) {
        return;
    }
    now.trace->steps++;
    if (m->prog != now.prog) {
        now.tail_called = true;
        now.last_pc = UINT32_MAX;
        return;
    }
    count(m, insn, id);
    note_addresses(m, insn, &vm_isa[id]);
    if (now.last_pc != UINT32_MAX) {
        check_last(m);
    }
    check_aux(m, insn, &vm_isa[id]);
    check_stack_depth(m, insn, &vm_isa[id]);
    if (!full && !now.trace->violated) {
        look_up_states(m);
    }
    now.last_pc = m->pc;
}

void
fuzz_trace_run(const struct vm_prog *prog, void *ctx, struct fuzz_trace *t)
{
    memset(t, 0, sizeof *t);
    now.trace = t;
    now.prog = prog;
    now.last_pc = UINT32_MAX;
    now.tail_called = false;
    t->r0 = fuzz_interp_traced(ctx, prog);
    now.trace = NULL;
    if (t->violated) {
        return;
    }
    if (vm_fault.error) {
        t->fault = true;
        snprintf(t->why, sizeof t->why, "%s", vm_fault.text);
    } else if (!now.tail_called && t->steps > prog->longest_path) {
        t->violated = true;
        snprintf(t->why, sizeof t->why, "%llu instructions ran, the longest "
                 "path is said to be %u", (unsigned long long) t->steps,
                 prog->longest_path);
    }
}

uint64_t
fuzz_shifted_run(const struct vm_prog *prog, void *ctx, size_t shift)
{
    volatile uint8_t room[shift];

    room[0] = 1;
    now.trace = NULL;
    return fuzz_interp_traced(ctx, prog) + (room[0] - 1);
}
