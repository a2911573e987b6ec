/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_TRACED_H
#define TESTS_FUZZ_TRACED_H 1

/* Between traced.c, the interpreter with a hook, and states.c, which looks
 * on. */

#include "vm/access.h"
#include "vm/prog-internal.h"

/* A moment of a run: before an instruction. */
struct moment {
    const struct vm_prog *prog;
    uint32_t pc;
    const uint64_t *regs;
    uint32_t depth;             /* Frames below the current one. */
    uint8_t *stack;             /* Lowest byte of frame 0; frames are
                                 * VM_FRAME_STRIDE apart. */
    const uint64_t *saved[VM_MAX_FRAMES];       /* r6 to r9 of callers. */
    const struct vm_prog *progs[VM_MAX_FRAMES]; /* Of callers. */
    uint32_t call_pcs[VM_MAX_FRAMES];           /* Calls in callers. */
    const struct vm_access *access;
};

void fuzz_moment(const struct moment *);

vm_run_fn fuzz_interp_traced, fuzz_interp_unused;

#endif /* tests/fuzz/traced.h */
