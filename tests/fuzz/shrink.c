/* SPDX-License-Identifier: Apache-2.0 */

/* Smaller programs that fail in the same way. */

#include <string.h>

#include "tests/fuzz/try.h"

/* Slots [from, to) are gone: jumps that lead over them get shorter, those
 * into them lead to what follows. */
static void
drop(struct fuzz_program *p, uint32_t from, uint32_t to)
{
    for (uint32_t pc = 0; pc < p->n; pc += vm_insn_slots(&p->insns[pc])) {
        struct vm_insn *insn = &p->insns[pc];
        int id = vm_insn_id(insn);
        enum vm_form form = id < 0 ? VM_F_EXIT : vm_isa[id].form;
        int64_t target, distance;
        uint32_t at;

        if (!vm_form_is_jump(form) && form != VM_F_CALL_LOCAL) {
            continue;
        }
        target = (int64_t) pc + 1 + vm_jump_off(insn, form);
        target = target >= to ? target - (to - from)
                 : target > from ? from : target;
        at = pc >= to ? pc - (to - from) : pc;
        distance = target - at - 1;
        if (form == VM_F_JA32 || form == VM_F_CALL_LOCAL) {
            insn->imm = distance;
        } else {
            insn->off = distance;
        }
    }
    memmove(&p->insns[from], &p->insns[to],
            (p->n - to) * sizeof p->insns[0]);
    p->n -= to - from;
}

struct shrink {
    struct fuzz_world *w;
    struct fuzz_program *p;
    fuzz_try_fn *try;
    struct outcome *o;
};

/* Keeps 'smaller' if it fails as before. */
static bool
keep(struct shrink *s, const struct fuzz_program *smaller)
{
    struct outcome now;

    s->try(s->w, smaller, s->o->input, 1, &now);
    if (now.verdict != s->o->verdict
        || (now.verdict >= V_ONLY_OURS && strcmp(now.why, s->o->why))) {
        return false;
    }
    *s->p = *smaller;
    now.input = s->o->input;
    *s->o = now;
    return true;
}

static bool
shrink_by(struct shrink *s, uint32_t chunk)
{
    struct fuzz_program *p = s->p;
    bool shrunk = false;

    for (uint32_t pc = 0; pc < p->n; ) {
        struct fuzz_program try = *p;
        uint32_t end = pc, seen = 0;

        while (end < p->n && seen++ < chunk) {
            end += vm_insn_slots(&p->insns[end]);
        }
        drop(&try, pc, end < p->n ? end : p->n);
        if (try.n && keep(s, &try)) {
            shrunk = true;
        } else {
            pc += vm_insn_slots(&p->insns[pc]);
        }
    }
    return shrunk;
}

/* Constants become rounder. */
static bool
simplify(struct shrink *s)
{
    struct fuzz_program *p = s->p;
    static const int32_t better[] = { 0, 1, -1 };
    bool any = false;

    for (uint32_t pc = 0; pc < p->n; pc += vm_insn_slots(&p->insns[pc])) {
        enum vm_form form = vm_isa[vm_insn_id(&p->insns[pc])].form;

        if (form != VM_F_ALU_RI && form != VM_F_ST && form != VM_F_LDDW
            && form != VM_F_JCC_RI) {
            continue;
        }
        for (size_t i = 0; i < sizeof better / sizeof better[0]; i++) {
            struct fuzz_program try = *p;

            if (p->insns[pc].imm == better[i]) {
                break;
            }
            try.insns[pc].imm = better[i];
            if (keep(s, &try)) {
                any = true;
                break;
            }
        }
    }
    return any;
}

void
fuzz_shrink(struct fuzz_world *w, struct fuzz_program *p, fuzz_try_fn *try,
            struct outcome *o)
{
    struct shrink s = { w, p, try, o };
    bool again = true;

    for (int round = 0; again && round < 20; round++) {
        again = false;
        for (uint32_t chunk = 64; chunk; chunk /= 2) {
            again |= shrink_by(&s, chunk);
        }
        again |= simplify(&s);
    }
}
