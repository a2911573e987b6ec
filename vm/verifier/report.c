/* SPDX-License-Identifier: Apache-2.0 */

/* What people get to read: why a program was rejected, and, in the log, what
 * was known at that point. */

#include "vm/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vm/disasm.h"
#include "vm/verifier/verifier.h"

static const struct {
    const char *name;
    int error;
    const char *broken, *remedy;
} rules[] = {
#define VF_RULE(ID, ERROR, BROKEN, REMEDY) { #ID, ERROR, BROKEN, REMEDY },
#include "vm/verifier/rules.def"
#undef VF_RULE
};

const char *
vm_verify_rule_name(unsigned int index)
{
    return index < VF_N_RULES ? rules[index].name : NULL;
}

const char *
vm_verify_rule_text(unsigned int index)
{
    return index < VF_N_RULES ? rules[index].broken : NULL;
}

/* -- The log -- */

static void __attribute__((format(printf, 2, 3)))
say(const struct verifier *v, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    v->opts->log(v->opts->log_aux, text);
}

/* "insn 3 (r0 = 0; xdp.c:12: return 0;)", with what is known of the source
 * or the flow that the instruction stands for. */
static void
describe_insn(const struct verifier *v, char *buf, size_t size)
{
    const struct vm_prog *prog = v->prog;
    const char *note = NULL;
    char insn[128];

    vm_disasm_insn(prog->insns, prog->n_insns, v->pc, prog->type, insn,
                   sizeof insn);
    for (uint32_t i = 0; i < prog->n_notes; i++) {
        if (v->pc >= prog->notes[i].start && v->pc < prog->notes[i].end) {
            note = prog->notes[i].text;
        }
    }
    snprintf(buf, size, "insn %"PRIu32" (%s%s%s)", v->pc, insn,
             note ? "; " : "", note ? note : "");
}

void
vf_log_insn(const struct verifier *v)
{
    char insn[320];

    if (v->opts->log) {
        describe_insn(v, insn, sizeof insn);
        say(v, "%s", insn);
    }
}

static void
log_slot(const struct verifier *v, const struct vslot *s, uint32_t index)
{
    static const char letters[] = {
        [VB_NONE] = '-', [VB_MISC] = 'm', [VB_ZERO] = '0', [VB_SPILL] = 'r',
    };
    uint32_t off = 8 * (index + 1);
    char what[160], bytes[9] = "";
    bool written = false;

    for (int i = 0; i < 8; i++) {
        bytes[i] = letters[s->bytes[i]];
        written |= s->bytes[i] != VB_NONE;
    }
    if (vslot_is_spill(s)) {
        vreg_describe(&s->reg, what, sizeof what);
        say(v, "  r10 - %"PRIu32" holds %s", off, what);
    } else if (written) {
        say(v, "  r10 - %"PRIu32" holds bytes %s", off, bytes);
    }
}

/* All that was known: each frame's registers and stack, the current one
 * first. */
static void
log_state(const struct verifier *v)
{
    const struct vstate *s = &v->cur;

    for (uint32_t i = s->n_frames; i-- > 0;) {
        const struct vframe *f = s->frames[i];

        say(v, i + 1 < s->n_frames ? "called from instruction %"PRIu32
               " with" : "at instruction %"PRIu32,
            i + 1 < s->n_frames ? s->frames[i + 1]->call_pc : v->pc);
        for (int r = 0; r < VM_N_REGS; r++) {
            char what[160];

            if (f->regs[r].type != V_NONE) {
                vreg_describe(&f->regs[r], what, sizeof what);
                say(v, "  r%d is %s", r, what);
            }
        }
        for (uint32_t j = 0; j < f->n_slots; j++) {
            log_slot(v, &f->slots[j], j);
        }
    }
    if (s->n_refs) {
        say(v, "  reserved and not given back: %"PRIu32, s->n_refs);
    }
}

/* -- Rejections -- */

int
vf_reject_at(const struct vm_site *site, struct verifier *v,
             enum vf_rule rule, int regno)
{
    char insn[320], reg[200] = "", what[160];

    describe_insn(v, insn, sizeof insn);
    if (regno >= 0) {
        vreg_describe(vf_reg(v, regno), what, sizeof what);
        snprintf(reg, sizeof reg, "r%d is %s: ", regno, what);
    }
    if (v->opts && v->opts->log && v->opts->log_level
        && v->cur.n_frames) {
        log_state(v);
    }
    return vm_err_at(site, v->err, -rules[rule].error, "%s: %s%s; %s", insn,
                     reg, rules[rule].broken, rules[rule].remedy);
}
