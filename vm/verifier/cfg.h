/* SPDX-License-Identifier: Apache-2.0 */

/* What can be known of a program before it is walked: which instructions are
 * join points or loop heads, and which registers and stack slots still
 * matter at each one.
 *
 * Liveness decides what two states must agree on for one to stand for the
 * other (vstate_covers()).  It is computed once, backwards, by data flow; so
 * is precision, the part of liveness that says whether a number's value (not
 * only that it is a number) can matter: it does if it can reach an address,
 * a size, a comparison, a helper or the result.  Linux finds the same by
 * tracing back from each use while it walks.
 *
 * Ownership: vcfg_build() allocates, vcfg_destroy() frees; the program is
 * borrowed.  Threads: private to one verification. */

#ifndef VM_VERIFIER_CFG_H
#define VM_VERIFIER_CFG_H 1

#include <stdbool.h>
#include <stdint.h>
#include "vm/verifier/state.h"

struct vm_prog;

#define VCFG_JOIN      0x01u    /* Several ways lead here: worth a look for
                                 * an earlier state. */
#define VCFG_LOOP_HEAD 0x02u    /* Target of a backward edge of the control
                                 * flow (not of the layout). */
#define VCFG_REACHED   0x04u    /* Some path in the graph leads here. */
#define VCFG_FP_ARGS   0x08u    /* Local call that hands out its stack. */

/* What a register has to do with its own frame's stack. */
enum vfp_kind {
    VFP_UNSEEN,                 /* No path has come here. */
    VFP_NO,                     /* Not a pointer into this frame. */
    VFP_CONST,                  /* r10 + 'off'. */
    VFP_SOME                    /* May point anywhere into this frame. */
};

struct vfp {
    uint8_t kind;               /* enum vfp_kind. */
    int16_t off;
};

struct vcfg {
    const struct vm_prog *prog;
    uint8_t *flags;             /* VCFG_*, one an instruction slot. */
    struct vlive *live;         /* Before each instruction. */
    struct vfp (*fp)[VM_N_REGS]; /* Before each instruction. */
};

/* 0 or -ENOMEM. */
int vcfg_build(const struct vm_prog *, struct vcfg *);
void vcfg_destroy(struct vcfg *);

/* What matters of a frame while the local call at 'call_pc' is running. */
struct vlive vcfg_live_in_call(const struct vcfg *, uint32_t call_pc);

/* Successors of instruction 'pc' inside its function: at most two, into
 * 'next'; returns how many. */
int vcfg_successors(const struct vm_prog *, uint32_t pc, uint32_t next[2]);

/* Parts of vcfg_build(): live.c. */
int vlive_compute(struct vcfg *);

#endif /* vm/verifier/cfg.h */
