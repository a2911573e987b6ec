/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_JIT_H
#define TESTS_BENCH_JIT_H 1

/* Parts of bench-jit. */

/* Gotos between generated programs, and turns of a burst. */
void bench_jit_jumps(void);
/* An instruction in the interpreter. */
void bench_jit_interpreter(void);

#endif /* tests/bench/jit.h */
