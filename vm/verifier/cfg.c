/* SPDX-License-Identifier: Apache-2.0 */

#include "vm/verifier/cfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/prog.h"

int
vcfg_successors(const struct vm_prog *prog, uint32_t pc, uint32_t next[2])
{
    const struct vm_insn *insn = &prog->insns[pc];
    int id = vm_insn_id(insn);
    enum vm_form form = vm_isa[id].form;
    uint32_t follow = pc + vm_insn_slots(insn);
    int n = 0;

    if (form == VM_F_EXIT) {
        return 0;
    }
    if (form != VM_F_JA && form != VM_F_JA32) {
        next[n++] = follow;
    }
    if (vm_form_is_jump(form)) {
        next[n++] = follow + vm_jump_off(insn, form);
    }
    return n;
}

/* -- Depth-first walk: reached, joins, loop heads -- */

enum { WHITE, GREY, BLACK };

struct dfs {
    struct vcfg *cfg;
    uint8_t *colour;
    uint32_t *stack;            /* Instructions on the path. */
    uint32_t n;
};

static void
dfs_visit(struct dfs *d, uint32_t pc)
{
    struct vcfg *cfg = d->cfg;

    if (cfg->flags[pc] & VCFG_REACHED) {
        cfg->flags[pc] |= VCFG_JOIN;
    }
    if (d->colour[pc] == GREY) {
        cfg->flags[pc] |= VCFG_LOOP_HEAD;
    } else if (d->colour[pc] == WHITE) {
        d->colour[pc] = GREY;
        cfg->flags[pc] |= VCFG_REACHED;
        d->stack[d->n++] = pc;
    }
}

/* Each instruction is entered once per successor still white; 'turn' counts
 * the successors already tried. */
static void
dfs_run(struct dfs *d, uint32_t start, uint8_t *turn)
{
    dfs_visit(d, start);
    while (d->n) {
        uint32_t pc = d->stack[d->n - 1], next[2];
        int n = vcfg_successors(d->cfg->prog, pc, next);

        if (turn[pc] < n) {
            dfs_visit(d, next[turn[pc]++]);
        } else {
            d->colour[pc] = BLACK;
            d->n--;
        }
    }
}

static int
find_joins(struct vcfg *cfg)
{
    const struct vm_prog *prog = cfg->prog;
    struct dfs d = { .cfg = cfg };
    uint8_t *turn = calloc(prog->n_insns, 1);

    d.colour = calloc(prog->n_insns, 1);
    d.stack = calloc(prog->n_insns, sizeof *d.stack);
    if (!turn || !d.colour || !d.stack) {
        free(turn);
        free(d.colour);
        free(d.stack);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < prog->n_subprogs; i++) {
        dfs_run(&d, prog->subprogs[i].start, turn);
        cfg->flags[prog->subprogs[i].start] |= VCFG_JOIN;
    }
    for (uint32_t pc = 0; pc < prog->n_insns;
         pc += vm_insn_slots(&prog->insns[pc])) {
        int id = vm_insn_id(&prog->insns[pc]);

        if (vm_isa[id].form == VM_F_CALL_LOCAL
            && pc + 1 < prog->n_insns) {
            cfg->flags[pc + 1] |= VCFG_JOIN;
        }
    }
    free(turn);
    free(d.colour);
    free(d.stack);
    return 0;
}

int
vcfg_build(const struct vm_prog *prog, struct vcfg *cfg)
{
    int error;

    memset(cfg, 0, sizeof *cfg);
    cfg->prog = prog;
    cfg->flags = calloc(prog->n_insns, sizeof *cfg->flags);
    cfg->live = calloc(prog->n_insns, sizeof *cfg->live);
    cfg->fp = calloc(prog->n_insns, sizeof *cfg->fp);
    if (!cfg->flags || !cfg->live || !cfg->fp) {
        vcfg_destroy(cfg);
        return -ENOMEM;
    }
    error = find_joins(cfg);
    if (!error) {
        error = vlive_compute(cfg);
    }
    if (error) {
        vcfg_destroy(cfg);
    }
    return error;
}

void
vcfg_destroy(struct vcfg *cfg)
{
    free(cfg->flags);
    free(cfg->live);
    free(cfg->fp);
    memset(cfg, 0, sizeof *cfg);
}

/* The caller keeps r6 to r9 (and r10); the others are gone when the call
 * returns.  If it handed out pointers into its stack, the callee may read
 * all of it. */
struct vlive
vcfg_live_in_call(const struct vcfg *cfg, uint32_t call_pc)
{
    struct vlive live = cfg->live[call_pc + 1];
    const uint16_t kept = 1 << VM_R6 | 1 << VM_R7 | 1 << VM_R8 | 1 << VM_R9;

    live.regs &= kept;
    live.precise &= kept;
    if (cfg->flags[call_pc] & VCFG_FP_ARGS) {
        live.slots = live.slots_precise = UINT64_MAX;
    }
    return live;
}
