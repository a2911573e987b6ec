/* SPDX-License-Identifier: Apache-2.0 */

#include "jit/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jit/compile.h"

#define BIT(REG) ((uint16_t) (1u << (REG)))
#define FP BIT(VM_FP)
#define ALL 0x3ffu              /* r0 to r9. */
#define SCRATCH 0x3fu           /* r0 to r5: lost by a call. */
#define ARGS 0x3eu              /* r1 to r5. */
#define MAX_SWEEPS 32

static const struct vm_isa *
isa_at(const struct jit *j, uint32_t pc)
{
    return &vm_isa[j->plan[pc].id];
}

static uint32_t
jump_target(const struct jit *j, uint32_t pc)
{
    return pc + 1 + vm_jump_off(&j->prog->insns[pc], isa_at(j, pc)->form);
}

static bool
is_goto(const struct jit *j, uint32_t pc)
{
    return isa_at(j, pc)->form == VM_F_CALL
           && j->prog->insns[pc].imm == VM_HELPER_GOTO && j->target->stub;
}

/* -- What is reached, and where jumps lead -- */

static bool
falls_through(const struct jit *j, uint32_t pc)
{
    enum vm_form form = isa_at(j, pc)->form;

    return form != VM_F_JA && form != VM_F_JA32 && form != VM_F_EXIT
           && !is_goto(j, pc)
           && !(vm_form_is_jump(form)
                && j->prog->aux[pc].flags & VM_AUX_ALWAYS);
}

static bool
jumps(const struct jit *j, uint32_t pc)
{
    enum vm_form form = isa_at(j, pc)->form;

    return (vm_form_is_jump(form) || form == VM_F_CALL_LOCAL)
           && !(j->prog->aux[pc].flags & VM_AUX_NEVER);
}

/* Takes JIT_DEAD from slot 'pc'; returns whether it had it. */
static bool
revive(struct jit *j, uint32_t pc)
{
    bool was_dead = j->plan[pc].flags & JIT_DEAD;

    j->plan[pc].flags &= ~JIT_DEAD;
    return was_dead;
}

/* From instruction 'pc' on: JIT_DEAD goes from what is reached, JIT_LEADER
 * comes to targets.  'later' has room for as many as there are slots: each is
 * put there at most once. */
static void
reach_from(struct jit *j, uint32_t pc, uint32_t *later)
{
    const struct vm_prog *prog = j->prog;
    uint32_t n = 0;

    revive(j, pc);
    for (;;) {
        uint32_t next = pc + vm_insn_slots(&prog->insns[pc]);

        if (jumps(j, pc)) {
            uint32_t to = jump_target(j, pc);

            j->plan[to].flags |= JIT_LEADER;
            if (revive(j, to)) {
                later[n++] = to;
            }
        }
        if (falls_through(j, pc) && next < prog->n_insns
            && revive(j, next)) {
            pc = next;
        } else if (n) {
            pc = later[--n];
        } else {
            return;
        }
    }
}

static void
reach(struct jit *j)
{
    const struct vm_prog *prog = j->prog;
    uint32_t *later = malloc(prog->n_insns * sizeof *later);

    if (!later) {
        jit_fail(j, -ENOMEM, "out of memory");
        return;
    }
    for (uint32_t pc = 0; pc < prog->n_insns; pc++) {
        j->plan[pc].flags = JIT_DEAD;
        j->plan[pc].id = vm_insn_id(&prog->insns[pc]);
        if (vm_insn_slots(&prog->insns[pc]) == 2) {
            j->plan[++pc].flags = JIT_DEAD;
        }
    }
    reach_from(j, 0, later);
    free(later);
    for (uint32_t pc = 0; pc < prog->n_insns; pc++) {
        if (!(prog->aux[pc].flags & VM_AUX_SEEN)) {
            j->plan[pc].flags |= JIT_DEAD;
        }
    }
}

/* -- What an instruction reads and writes -- */

static uint16_t
helper_args(const struct jit *j, uint32_t pc)
{
    const struct vm_helper *h = vm_type_helper(j->prog->type,
                                               j->prog->insns[pc].imm);
    uint16_t use = 0;

    for (int i = 0; i < 5 && h->args[i] != VM_ARG_NONE; i++) {
        use |= BIT(VM_R1 + i);
    }
    return use;
}

static void
call_effects(struct jit *j, uint32_t pc)
{
    struct jit_plan *p = &j->plan[pc];
    int32_t helper = j->prog->insns[pc].imm;

    p->use = helper_args(j, pc);
    if (j->target->call_uses) {
        p->use &= j->target->call_uses(j, pc);
    }
    p->use_high = p->use;
    p->def = helper == VM_HELPER_YIELD ? ALL : SCRATCH;
}

static void
alu_effects(struct jit_plan *p, const struct vm_insn *insn,
            const struct vm_isa *isa)
{
    uint8_t op = insn->code & VM_OP_MASK;
    uint16_t dst = BIT(insn->dst);
    uint16_t src = isa->form == VM_F_ALU_RR ? BIT(insn->src) : 0;
    bool wide = isa->bits == 64;

    p->def = dst;
    p->use = (op == VM_MOV ? 0 : dst) | src;
    p->use_high = wide ? p->use : 0;
    switch (op) {
    case VM_DIV:
    case VM_MOD:
    case VM_RSH:
    case VM_ARSH:
        p->use_high &= ~(op == VM_RSH || op == VM_ARSH ? src & ~dst : 0);
        break;
    case VM_LSH:
        p->flags |= wide && !src && (insn->imm & 63) < 32 ? JIT_CLOSED : 0;
        break;
    case VM_AND:
        if (wide && !src && insn->imm >= 0) {
            p->use_high = 0;
        }
        /* Fall through. */
    default:
        p->flags |= wide ? JIT_CLOSED : 0;
        break;
    }
}

static void
effects(struct jit *j, uint32_t pc)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    const struct vm_isa *isa = isa_at(j, pc);
    struct jit_plan *p = &j->plan[pc];
    uint16_t dst = BIT(insn->dst), src = BIT(insn->src);
    bool wide = isa->bits == 64;

    switch ((enum vm_form) isa->form) {
    case VM_F_ALU_RR:
    case VM_F_ALU_RI:
        alu_effects(p, insn, isa);
        break;
    case VM_F_NEG:
        p->def = p->use = dst;
        p->use_high = wide ? dst : 0;
        p->flags |= wide ? JIT_CLOSED : 0;
        break;
    case VM_F_MOVSX:
        p->def = dst;
        p->use = src;
        break;
    case VM_F_END:
        p->def = p->use = dst;
        p->use_high = wide ? dst : 0;
        break;
    case VM_F_LDX:
    case VM_F_LDXS:
        p->def = dst;
        p->use = p->use_high = src;
        break;
    case VM_F_ST:
        p->use = p->use_high = dst;
        break;
    case VM_F_STX:
    case VM_F_ATOMIC:
        p->use = dst | src;
        p->use_high = wide ? dst | src : dst;
        break;
    case VM_F_FETCH:
    case VM_F_XCHG:
        p->use = dst | src;
        p->use_high = wide ? dst | src : dst;
        p->def = src;
        break;
    case VM_F_CMPXCHG:
        p->use = p->use_high = dst | src | BIT(VM_R0);
        p->def = BIT(VM_R0);
        break;
    case VM_F_JCC_RR:
    case VM_F_JCC_RI:
        p->use = dst | (isa->form == VM_F_JCC_RR ? src : 0);
        p->use_high = wide ? p->use : 0;
        if (j->prog->aux[pc].flags & (VM_AUX_ALWAYS | VM_AUX_NEVER)) {
            p->use = p->use_high = 0;
        }
        break;
    case VM_F_CALL:
        call_effects(j, pc);
        break;
    case VM_F_CALL_LOCAL:
        p->use = p->use_high = ARGS;
        p->def = SCRATCH;
        break;
    case VM_F_EXIT:
        p->use = p->use_high = BIT(VM_R0);
        break;
    case VM_F_LDDW:
    case VM_F_LDMAP:
    case VM_F_LDMAPVAL:
        p->def = dst;
        break;
    default:
        break;
    }
    p->use &= ~FP;
    p->use_high &= ~FP;
}

/* -- Addresses in the frame -- */

/* Inside of a block: registers that are r10 plus a constant. */
struct frame_regs {
    uint16_t known;
    int32_t off[VM_N_REGS];
};

static void
forget(struct frame_regs *f, uint16_t regs)
{
    f->known = (f->known & ~regs) | FP;
    f->off[VM_FP] = 0;
}

/* The address in 'reg' plus 'off'. */
static void
fold(struct jit_plan *p, const struct frame_regs *f, int reg, int32_t off)
{
    int32_t at = f->off[reg] + off;

    if (f->known & BIT(reg) && at >= -VM_STACK_SIZE && at < 0) {
        p->flags |= JIT_FRAME;
        p->frame = at;
    }
}

static void
follow_frame(struct jit *j, uint32_t pc, struct frame_regs *f)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    struct jit_plan *p = &j->plan[pc];

    if (p->id == VM_I_MOV64_RR && f->known & BIT(insn->src)) {
        forget(f, p->def);
        f->known |= p->def;
        f->off[insn->dst] = f->off[insn->src];
        return;
    } else if (p->id == VM_I_ADD64_RI && f->known & BIT(insn->dst)
               && insn->imm > -4096 && insn->imm < 4096
               && f->off[insn->dst] > -65536
               && f->off[insn->dst] < 65536) {
        f->off[insn->dst] += insn->imm;
        return;
    }
    switch ((enum vm_form) isa_at(j, pc)->form) {
    case VM_F_LDX:
    case VM_F_LDXS:
        fold(p, f, insn->src, insn->off);
        if (p->flags & JIT_FRAME) {
            p->use = p->use_high = 0;
        }
        break;
    case VM_F_ST:
    case VM_F_STX:
    case VM_F_ATOMIC:
        fold(p, f, insn->dst, insn->off);
        if (p->flags & JIT_FRAME && insn->dst != insn->src) {
            p->use &= ~BIT(insn->dst);
            p->use_high &= ~BIT(insn->dst);
        } else {
            p->flags &= ~JIT_FRAME;
        }
        break;
    case VM_F_CALL:
        if (j->target->call_uses && !(p->use & BIT(VM_R1))
            && p->use & BIT(VM_R2)) {
            /* An inlined lookup. */
            fold(p, f, VM_R2, 0);
            if (p->flags & JIT_FRAME) {
                p->use &= ~BIT(VM_R2);
                p->use_high &= ~BIT(VM_R2);
            }
        }
        break;
    default:
        break;
    }
    forget(f, p->def);
}

static void
look_forward(struct jit *j)
{
    struct frame_regs f = { .known = 0 };

    forget(&f, ALL);
    for (uint32_t pc = 0; pc < j->prog->n_insns;
         pc += vm_insn_slots(&j->prog->insns[pc])) {
        if (j->plan[pc].flags & JIT_LEADER) {
            forget(&f, ALL);
        }
        if (!(j->plan[pc].flags & JIT_DEAD)) {
            effects(j, pc);
            if (j->target->folds_frame) {
                follow_frame(j, pc, &f);
            }
        }
    }
}

/* -- Liveness -- */

static bool
is_pure(enum vm_form form)
{
    return form <= VM_F_LDXS || form >= VM_F_LDDW;
}

/* What is read after 'pc', from what is read before its successors, which
 * 'in' has: low half of each, upper half. */
static uint32_t
live_after(const struct jit *j, const uint32_t *in, uint32_t pc)
{
    uint32_t live = 0;

    if (jumps(j, pc) && isa_at(j, pc)->form != VM_F_CALL_LOCAL) {
        live = in[jump_target(j, pc)];
    }
    if (falls_through(j, pc)) {
        live |= in[pc + vm_insn_slots(&j->prog->insns[pc])];
    }
    return live;
}

static uint32_t
live_before(const struct jit_plan *p, enum vm_form form, uint32_t after,
            bool *dead, bool *narrow)
{
    uint16_t low = after, high = after >> 16, use_high = p->use_high;

    *dead = is_pure(form) && !(low & p->def);
    *narrow = p->flags & JIT_CLOSED && !(high & p->def);
    if (*dead) {
        return after;
    }
    if (*narrow) {
        use_high = 0;
    }
    low = (low & ~p->def) | p->use;
    high = (high & ~p->def) | use_high;
    return low | (uint32_t) high << 16;
}

static bool
sweep(struct jit *j, uint32_t *in)
{
    bool changed = false, dead, narrow;

    in[j->prog->n_insns] = 0;
    for (uint32_t pc = j->prog->n_insns; pc-- > 0;) {
        struct jit_plan *p = &j->plan[pc];
        uint32_t after, before;

        if (p->flags & JIT_DEAD && !(j->prog->aux[pc].flags & VM_AUX_SEEN)) {
            in[pc] = in[pc + 1];
            continue;
        }
        after = live_after(j, in, pc);
        before = live_before(p, isa_at(j, pc)->form, after, &dead, &narrow);
        p->live = after;
        p->live_high = after >> 16;
        changed |= in[pc] != before;
        in[pc] = before;
    }
    return changed;
}

/* The machine makes the frame with the first instruction. */
static bool
starts_function(const struct jit *j, uint32_t pc)
{
    return j->plan[pc].flags & JIT_LEADER
           && j->prog->subprogs[jit_subprog_at(j->prog, pc)].start == pc;
}

static void
look_backward(struct jit *j)
{
    uint32_t *in = calloc(j->prog->n_insns + 1, sizeof *in);
    bool changed = in != NULL, dead, narrow;

    for (int i = 0; changed && i < MAX_SWEEPS; i++) {
        changed = sweep(j, in);
    }
    for (uint32_t pc = 0; pc < j->prog->n_insns; pc++) {
        struct jit_plan *p = &j->plan[pc];

        if (!in || changed) {
            p->live = p->live_high = ALL;
        } else if (!(p->flags & JIT_DEAD)) {
            live_before(p, isa_at(j, pc)->form,
                        p->live | (uint32_t) p->live_high << 16, &dead,
                        &narrow);
            p->flags |= narrow ? JIT_NARROW : 0;
            p->flags |= dead && !starts_function(j, pc) ? JIT_DEAD : 0;
        }
    }
    free(in);
}

/* -- Functions -- */

/* Whether the code of 'pc', in function 'subprog', has a call. */
static bool
makes_call(const struct jit *j, uint32_t pc, uint32_t subprog)
{
    enum vm_form form = isa_at(j, pc)->form;
    int32_t helper = j->prog->insns[pc].imm;

    if (form == VM_F_CALL_LOCAL) {
        return true;
    } else if (form != VM_F_CALL || helper == VM_HELPER_PREFETCH
               || (helper == VM_HELPER_TAIL_CALL && !subprog)) {
        return false;
    }
    return !(j->target->call_uses && helper == VM_HELPER_MAP_LOOKUP
             && !(j->plan[pc].use & BIT(VM_R1)));
}

static void
look_at_functions(struct jit *j)
{
    const struct vm_prog *prog = j->prog;
    uint32_t i = 0;

    for (uint32_t pc = 0; pc < prog->n_insns;
         pc += vm_insn_slots(&prog->insns[pc])) {
        const struct vm_insn *insn = &prog->insns[pc];
        const struct jit_plan *p = &j->plan[pc];
        enum vm_form form = isa_at(j, pc)->form;
        uint16_t regs = p->use | p->def;

        while (i + 1 < prog->n_subprogs
               && prog->subprogs[i + 1].start <= pc) {
            i++;
        }
        if (p->flags & JIT_DEAD) {
            continue;
        }
        j->funcs[i].saved |= regs >> VM_R6 & 15;
        j->funcs[i].frame |= p->flags & JIT_FRAME || insn->dst == VM_FP
                             || (vm_form_uses_src(form)
                                 && insn->src == VM_FP);
        j->funcs[i].calls |= makes_call(j, pc, i);
    }
}

void
jit_plan_make(struct jit *j)
{
    j->plan = calloc(j->prog->n_insns + 1, sizeof *j->plan);
    j->funcs = calloc(j->prog->n_subprogs, sizeof *j->funcs);
    if (!j->plan || !j->funcs) {
        jit_fail(j, -ENOMEM, "out of memory");
        return;
    }
    reach(j);
    look_forward(j);
    look_backward(j);
    look_at_functions(j);
}

void
jit_plan_free(struct jit *j)
{
    free(j->plan);
    free(j->funcs);
}

uint32_t
jit_next(const struct jit *j, uint32_t pc)
{
    const struct vm_prog *prog = j->prog;

    if (!falls_through(j, pc)) {
        return UINT32_MAX;
    }
    do {
        pc += vm_insn_slots(&prog->insns[pc]);
        if (pc >= prog->n_insns || j->plan[pc].flags & JIT_LEADER) {
            return UINT32_MAX;
        }
    } while (j->plan[pc].flags & JIT_DEAD);
    return pc;
}

bool
jit_live_after(const struct jit *j, uint32_t pc, int reg)
{
    return j->plan[pc].live & BIT(reg);
}
