/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_JIT_BOTH_H
#define TESTS_JIT_BOTH_H 1

/* The same instructions as native code and in the fast interpreter, for tests
 * that go through all operands there are.  The verifier is not asked: these
 * programs do things that it refuses. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/insn.h"

struct vm_map;
struct vm_prog;

/* Memory that r1 points into, at BOTH_MIDDLE, so that every 16-bit offset
 * from there lies inside. */
#define BOTH_MIDDLE 33024
#define BOTH_SIZE (BOTH_MIDDLE + 33024)

struct both {
    struct vm_insn *insns;
    uint32_t n, allocated;
    struct vm_map *maps[1];     /* Borrowed; may be NULL. */
    struct vm_prog *prog;       /* Of both_load(). */
};

void both_clear(struct both *);         /* Forgets instructions, frees prog. */
void both_free(struct both *);
void both_put(struct both *, struct vm_insn);
#define BOTH_PUT(B, CODE, DST, SRC, OFF, IMM) \
    both_put(B, (struct vm_insn) { CODE, DST, SRC, OFF, IMM })
void both_put_const(struct both *, int dst, uint64_t);

/* Fails the test if there is no native code. */
void both_load(struct both *);

/* Runs on two copies of 'memory' (BOTH_SIZE bytes) and compares r0 and them;
 * fails the test with the program's text. */
void both_run(struct both *, const uint8_t *memory);

#endif /* tests/unit/jit-both.h */
