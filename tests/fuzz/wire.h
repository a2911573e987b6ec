/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_WIRE_H
#define TESTS_FUZZ_WIRE_H 1

/* Programs for another machine.
 *
 * What: generating, verifying and interpreting a program takes far longer than
 * running its native code, the more so under QEMU.  So one process, on the
 * machine at hand, does all that and tells another, by a pipe, the program,
 * what the verifier found out about it, and what each run left behind; the
 * other one, built for another machine, compiles, runs and compares:
 *
 *     fuzz --tell | qemu-aarch64 fuzz-of-aarch64 --hear
 *
 * Results may depend on addresses: of a run that differs from what was told,
 * the hearer's own interpreter decides, and it counts as a failure only if
 * the hearer's engines differ when it verifies and runs the program from the
 * start (fuzz_try()).
 *
 * The teller compares its own native code, too.  It generates only programs
 * that are never careless: wrong ones are not its business.
 *
 * Both are built from the same sources, for machines with the same byte order
 * and sizes; what cannot be is refused by its first word. */

#include <stdio.h>

#include "tests/fuzz/try.h"

struct wire_program {
    uint64_t seed;
    struct fuzz_world *w;
    struct fuzz_program p;
};

/* Verifies the program, runs it and, if all engines agree, writes it to 'to'.
 * What it says in the outcome is what fuzz_try() would. */
void wire_tell(FILE *to, const struct wire_program *, uint32_t inputs,
               struct outcome *);

/* Says that all went well, and closes 'to'; false if that is not so. */
bool wire_tell_end(FILE *to);

/* The next program, compared with what it is to do: false at the end. */
bool wire_hear(FILE *from, struct fuzz_world *const[], struct wire_program *,
               struct outcome *);

/* Runs that do something else here, in the interpreter, too. */
extern uint64_t wire_n_different;

#endif /* tests/fuzz/wire.h */
