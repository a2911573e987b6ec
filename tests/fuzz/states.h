/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_STATES_H
#define TESTS_FUZZ_STATES_H 1

/* Containment: what a run does is among what the verifier considered.
 *
 * What: fuzz_states_record() is the verifier's hook (vm_verify_opts.record):
 * it keeps a copy of each abstract state by instruction.  fuzz_trace_run()
 * runs the program in the checked interpreter (compiled once more, with a
 * hook before each instruction: traced.c) and looks, before each instruction
 * of the program, for a recorded state that the registers, the spilled slots
 * and the frames fit.  What the verifier told the engines (vm_aux, stack
 * depths, the longest path) is checked, too.
 *
 * Threads: one trace at a time in a process. */

#include <stdint.h>

#include "vm/verifier/state.h"
#include "vm/verify.h"

/* Empties the records; to be called before each verification. */
void fuzz_states_clear(uint32_t n_insns);
void fuzz_states_record(void *aux, uint32_t pc, const struct vstate *,
                        const struct vlive *);

struct fuzz_trace {
    uint64_t r0;
    uint64_t steps;             /* Instructions that ran. */
    bool fault;                 /* The interpreter stopped it. */
    bool violated;              /* A rule of the head of this file. */
    bool address;               /* Looked at addresses on the stack. */
    bool pointers;              /* Compared a number with what may be an
                                 * address. */
    char why[512];              /* Of a fault or violation. */
};

/* Counts of executed instructions, helpers and named maps: the census. */
struct fuzz_census {
    uint64_t insns[VM_N_INSNS];
    uint64_t maps[64];
    uint64_t helpers[256];
};
extern struct fuzz_census fuzz_census;
void fuzz_count_helper(const struct vm_prog *, uint32_t id);

void fuzz_trace_run(const struct vm_prog *, void *ctx, struct fuzz_trace *);
/* The same without looking, with the stack 'shift' bytes lower: for programs
 * whose result may depend on where the stack is. */
uint64_t fuzz_shifted_run(const struct vm_prog *, void *ctx, size_t shift);

#endif /* tests/fuzz/states.h */
