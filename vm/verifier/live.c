/* SPDX-License-Identifier: Apache-2.0 */

/* Liveness and precision of registers and stack slots, by data flow.
 *
 * First, forwards: which registers point into their own frame, and where
 * ('fp').  Then, backwards: what may still be read.  Both only err towards
 * "may matter", which costs pruning, never soundness. */

#include "vm/verifier/cfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/prog.h"

#define BIT(REG) ((uint16_t) (1u << (REG)))
#define ARG_REGS ((uint16_t) (BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5)))

static const struct vfp vfp_no = { VFP_NO, 0 };
static const struct vfp vfp_some = { VFP_SOME, 0 };

/* -- Forwards: pointers into the frame -- */

static bool
vfp_join(struct vfp *to, struct vfp from)
{
    struct vfp old = *to;

    if (old.kind == VFP_UNSEEN) {
        *to = from;
    } else if (old.kind != from.kind || old.off != from.off) {
        *to = old.kind == VFP_NO && from.kind == VFP_NO ? vfp_no : vfp_some;
    }
    return to->kind != old.kind || to->off != old.off;
}

static bool
is_fp(struct vfp v)
{
    return v.kind == VFP_CONST || v.kind == VFP_SOME;
}

static struct vfp
fp_after_add(struct vfp v, int64_t by)
{
    int64_t off = v.off + by;

    if (v.kind == VFP_CONST && off >= -VM_STACK_SIZE && off <= 0) {
        v.off = off;
        return v;
    }
    return is_fp(v) ? vfp_some : v;
}

static bool
has_fp_args(const struct vfp fp[VM_N_REGS])
{
    for (int r = VM_R1; r <= VM_R5; r++) {
        if (is_fp(fp[r])) {
            return true;
        }
    }
    return false;
}

/* What 'insn' makes of the registers; 'spilled' says that some pointer into
 * a frame may have been stored, so that a load may bring one back. */
static void
fp_transfer(const struct vm_insn *insn, enum vm_form form, bool spilled,
            struct vfp fp[VM_N_REGS])
{
    struct vfp *dst = &fp[insn->dst];
    bool add = VM_OP_MASK & insn->code ? false : VM_CLASS(insn->code)
                                                 == VM_ALU64;

    switch (form) {
    case VM_F_ALU_RR:
        if ((insn->code & VM_OP_MASK) == VM_MOV) {
            *dst = fp[insn->src];
        } else if (is_fp(*dst) || is_fp(fp[insn->src])) {
            *dst = vfp_some;
        }
        break;
    case VM_F_ALU_RI:
        if ((insn->code & VM_OP_MASK) == VM_MOV) {
            *dst = vfp_no;
        } else if (is_fp(*dst)) {
            *dst = add ? fp_after_add(*dst, insn->imm) : vfp_some;
        }
        break;
    case VM_F_LDX:
    case VM_F_LDXS:
    case VM_F_LDDW:
    case VM_F_LDMAP:
    case VM_F_LDMAPVAL:
        *dst = form == VM_F_LDX && spilled ? vfp_some : vfp_no;
        break;
    case VM_F_FETCH:
    case VM_F_XCHG:
        fp[insn->src] = spilled ? vfp_some : vfp_no;
        break;
    case VM_F_CMPXCHG:
        fp[VM_R0] = spilled ? vfp_some : vfp_no;
        break;
    case VM_F_CALL:
    case VM_F_CALL_LOCAL:
        /* A local function may give back a pointer that it was given. */
        fp[VM_R0] = form == VM_F_CALL_LOCAL && has_fp_args(fp) ? vfp_some
                                                               : vfp_no;
        for (int r = VM_R1; r <= VM_R5; r++) {
            fp[r] = vfp_no;
        }
        break;
    default:
        break;
    }
}

/* True if the program stores a pointer into a frame anywhere, as far as 'fp'
 * is known. */
static bool
stores_fp(const struct vcfg *cfg)
{
    const struct vm_prog *prog = cfg->prog;

    for (uint32_t pc = 0; pc < prog->n_insns;
         pc += vm_insn_slots(&prog->insns[pc])) {
        const struct vm_insn *insn = &prog->insns[pc];
        enum vm_form form = vm_isa[vm_insn_id(insn)].form;

        if ((form == VM_F_STX || form == VM_F_XCHG || form == VM_F_CMPXCHG)
            && is_fp(cfg->fp[pc][insn->src])) {
            return true;
        }
    }
    return false;
}

struct worklist {
    uint32_t *pcs;
    uint8_t *queued;
    uint32_t n;
};

static void
push(struct worklist *w, uint32_t pc)
{
    if (!w->queued[pc]) {
        w->queued[pc] = 1;
        w->pcs[w->n++] = pc;
    }
}

static uint32_t
pop(struct worklist *w)
{
    uint32_t pc = w->pcs[--w->n];

    w->queued[pc] = 0;
    return pc;
}

static void
fp_run(struct vcfg *cfg, struct worklist *w, bool spilled)
{
    const struct vm_prog *prog = cfg->prog;

    memset(cfg->fp, 0, prog->n_insns * sizeof *cfg->fp);
    for (uint32_t i = 0; i < prog->n_subprogs; i++) {
        uint32_t start = prog->subprogs[i].start;

        for (int r = 0; r < VM_N_REGS; r++) {
            cfg->fp[start][r] = vfp_no;
        }
        cfg->fp[start][VM_FP] = (struct vfp) { VFP_CONST, 0 };
        push(w, start);
    }
    while (w->n) {
        uint32_t pc = pop(w), next[2];
        const struct vm_insn *insn = &prog->insns[pc];
        int n = vcfg_successors(prog, pc, next);
        struct vfp fp[VM_N_REGS];

        memcpy(fp, cfg->fp[pc], sizeof fp);
        fp_transfer(insn, vm_isa[vm_insn_id(insn)].form, spilled, fp);
        for (int i = 0; i < n; i++) {
            bool changed = false;

            for (int r = 0; r < VM_N_REGS; r++) {
                changed |= vfp_join(&cfg->fp[next[i]][r], fp[r]);
            }
            if (changed) {
                push(w, next[i]);
            }
        }
    }
}

/* -- Backwards: what may be read -- */

static uint64_t
slots_of(int off, int size)
{
    uint64_t slots = 0;

    for (int i = 0; i < size; i++) {
        int byte = off + i;

        if (byte < 0 && byte >= -VM_STACK_SIZE) {
            slots |= UINT64_C(1) << ((-byte - 1) / 8);
        }
    }
    return slots;
}

/* Slots that an access of 'size' bytes at 'fp' + 'off' may touch. */
static uint64_t
slots_touched(struct vfp fp, int off, int size)
{
    return !is_fp(fp) ? 0
           : fp.kind == VFP_SOME ? UINT64_MAX
           : slots_of(fp.off + off, size);
}

/* Slots that a helper which gets 'fp' may read: from there to the top. */
static uint64_t
slots_from(struct vfp fp)
{
    return fp.kind == VFP_CONST ? slots_of(fp.off, -fp.off)
           : slots_touched(fp, 0, 0);
}

static void
use(struct vlive *live, int reg, bool precise)
{
    live->regs |= BIT(reg);
    if (precise) {
        live->precise |= BIT(reg);
    }
}

/* Writes 'reg': returns whether its number mattered. */
static bool
define(struct vlive *live, int reg)
{
    bool precise = live->precise & BIT(reg);

    live->regs &= ~BIT(reg);
    live->precise &= ~BIT(reg);
    return precise;
}

/* A divisor always matters: whether it can be 0 is noted for the JITs. */
static void
live_alu(struct vlive *live, const struct vm_insn *insn, enum vm_form form)
{
    int op = insn->code & VM_OP_MASK;
    bool is_move = op == VM_MOV;
    bool precise = define(live, insn->dst);

    if (form == VM_F_ALU_RR || form == VM_F_MOVSX) {
        use(live, insn->src, precise || op == VM_DIV || op == VM_MOD);
    }
    if (!is_move) {
        use(live, insn->dst, precise);
    }
}

static void
live_load(struct vlive *live, const struct vm_insn *insn, struct vfp fp,
          int size)
{
    bool precise = define(live, insn->dst);
    uint64_t slots = slots_touched(fp, insn->off, size);

    live->slots |= slots;
    if (precise) {
        live->slots_precise |= slots;
    }
    use(live, insn->src, true);
}

/* A number stored outside of the function's stack matters ('elsewhere') where
 * a context member has a range, and where it may be a caller's stack.  What
 * may point into the function's stack may point elsewhere, too. */
static void
live_store(struct vlive *live, const struct vm_insn *insn, struct vfp fp,
           int size, bool elsewhere)
{
    uint64_t slots = slots_touched(fp, insn->off, size);
    bool precise = live->slots_precise & slots
                   || (elsewhere && fp.kind != VFP_CONST);

    if (fp.kind == VFP_CONST && size == 8
        && !((fp.off + insn->off) & 7)) {
        live->slots &= ~slots;
        live->slots_precise &= ~slots;
    }
    if (VM_CLASS(insn->code) == VM_STX) {
        use(live, insn->src, precise);
    }
    use(live, insn->dst, true);
}

static void
live_atomic(struct vlive *live, const struct vm_insn *insn,
            enum vm_form form, struct vfp fp, int size)
{
    uint64_t slots = slots_touched(fp, insn->off, size);

    if (form == VM_F_FETCH || form == VM_F_XCHG) {
        define(live, insn->src);
    } else if (form == VM_F_CMPXCHG) {
        define(live, VM_R0);
        use(live, VM_R0, true);
    }
    live->slots |= slots;
    live->slots_precise |= slots;
    use(live, insn->src, true);
    use(live, insn->dst, true);
}

/* Whether what argument 'i' is as a number can matter: not if any number
 * will do.  The index of a tail call is noted for the JITs. */
static bool
is_precise_arg(const struct vm_helper *h, int i)
{
    return !h || h->args[i] != VM_ARG_ANY || h->flags & VM_HF_TAIL_CALL;
}

static void
live_call(struct vlive *live, const struct vcfg *cfg, uint32_t pc,
          enum vm_form form)
{
    const struct vm_insn *insn = &cfg->prog->insns[pc];
    const struct vm_helper *h = NULL;

    for (int r = VM_R0; r <= VM_R5; r++) {
        define(live, r);
    }
    if (form == VM_F_CALL) {
        h = vm_type_helper(cfg->prog->type, insn->imm);
    }
    for (int i = 0; i < 5; i++) {
        if (h && h->args[i] == VM_ARG_NONE) {
            break;
        }
        use(live, VM_R1 + i, is_precise_arg(h, i));
        if (!is_fp(cfg->fp[pc][VM_R1 + i])) {
            continue;
        } else if (h) {
            /* Helpers take what memory contains as it is. */
            live->slots |= slots_from(cfg->fp[pc][VM_R1 + i]);
        } else {
            live->slots = live->slots_precise = UINT64_MAX;
            cfg->flags[pc] |= VCFG_FP_ARGS;
        }
    }
}

/* Any result will do for a program whose type sets no range.  A function's
 * caller may do anything with it. */
static bool
is_precise_result(const struct vcfg *cfg, uint32_t pc)
{
    const struct vm_prog_type *type = cfg->prog->type;

    return pc >= cfg->prog->subprogs[0].end || type->ret_min
           || type->ret_max;
}

static void
live_transfer(struct vlive *live, const struct vcfg *cfg, uint32_t pc,
              bool ranged_ctx)
{
    const struct vm_insn *insn = &cfg->prog->insns[pc];
    const struct vm_isa *isa = &vm_isa[vm_insn_id(insn)];
    int size = isa->bits / 8;

    switch ((enum vm_form) isa->form) {
    case VM_F_ALU_RR:
    case VM_F_ALU_RI:
    case VM_F_NEG:
    case VM_F_MOVSX:
    case VM_F_END:
        live_alu(live, insn, isa->form);
        break;
    case VM_F_LDX:
    case VM_F_LDXS:
        live_load(live, insn, cfg->fp[pc][insn->src], size);
        break;
    case VM_F_ST:
    case VM_F_STX:
        live_store(live, insn, cfg->fp[pc][insn->dst], size,
                   ranged_ctx || pc >= cfg->prog->subprogs[0].end);
        break;
    case VM_F_ATOMIC:
    case VM_F_FETCH:
    case VM_F_XCHG:
    case VM_F_CMPXCHG:
        live_atomic(live, insn, isa->form, cfg->fp[pc][insn->dst], size);
        break;
    case VM_F_JCC_RR:
        use(live, insn->src, true);
        /* Fall through. */
    case VM_F_JCC_RI:
        use(live, insn->dst, true);
        break;
    case VM_F_CALL:
    case VM_F_CALL_LOCAL:
        live_call(live, cfg, pc, isa->form);
        break;
    case VM_F_EXIT:
        use(live, VM_R0, is_precise_result(cfg, pc));
        break;
    case VM_F_LDDW:
    case VM_F_LDMAP:
    case VM_F_LDMAPVAL:
        define(live, insn->dst);
        break;
    case VM_F_JA:
    case VM_F_JA32:
    case VM_N_FORMS:
        break;
    }
}

static bool
live_equal(const struct vlive *a, const struct vlive *b)
{
    return a->regs == b->regs && a->precise == b->precise
           && a->slots == b->slots && a->slots_precise == b->slots_precise;
}

static bool
has_ranged_members(const struct vm_prog_type *type)
{
    for (size_t i = 0; i < type->n_members; i++) {
        const struct vm_ctx_member *m = &type->members[i];

        if (m->flags & VM_CTX_RW && m->max) {
            return true;
        }
    }
    return false;
}

/* Sweeps from the end to the start until nothing changes; a sweep settles
 * everything but what goes round a loop. */
static void
live_run(struct vcfg *cfg)
{
    const struct vm_prog *prog = cfg->prog;
    bool ranged_ctx = has_ranged_members(prog->type);
    bool changed = true;

    while (changed) {
        changed = false;
        for (uint32_t pc = prog->n_insns; pc-- > 0; ) {
            struct vlive live = { 0 };
            uint32_t next[2];
            int n;

            if (!(cfg->flags[pc] & VCFG_REACHED)) {
                continue;
            }
            n = vcfg_successors(prog, pc, next);
            for (int i = 0; i < n; i++) {
                live.regs |= cfg->live[next[i]].regs;
                live.precise |= cfg->live[next[i]].precise;
                live.slots |= cfg->live[next[i]].slots;
                live.slots_precise |= cfg->live[next[i]].slots_precise;
            }
            live_transfer(&live, cfg, pc, ranged_ctx);
            if (!live_equal(&live, &cfg->live[pc])) {
                cfg->live[pc] = live;
                changed = true;
            }
        }
    }
}

int
vlive_compute(struct vcfg *cfg)
{
    struct worklist w = { 0 };

    w.pcs = calloc(cfg->prog->n_insns, sizeof *w.pcs);
    w.queued = calloc(cfg->prog->n_insns, 1);
    if (!w.pcs || !w.queued) {
        free(w.pcs);
        free(w.queued);
        return -ENOMEM;
    }
    fp_run(cfg, &w, false);
    if (stores_fp(cfg)) {
        fp_run(cfg, &w, true);
    }
    free(w.pcs);
    free(w.queued);
    live_run(cfg);
    return 0;
}
