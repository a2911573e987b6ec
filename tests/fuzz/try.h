/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_TRY_H
#define TESTS_FUZZ_TRY_H 1

/* One program on every engine. */

#include "tests/fuzz/gen.h"
#include "tests/fuzz/states.h"
#include "tests/fuzz/world.h"

enum verdict {
    V_REJECTED,                 /* By the verifier. */
    V_INVALID,                  /* Before it. */
    V_COMPLEX,                  /* Verifier's limits. */
    V_GOOD,
    V_ADDRESS,                  /* Good; results depend on addresses. */
    /* Failures. */
    V_FAULT,                    /* The checked interpreter stopped it. */
    V_ESCAPED,                  /* Outside of the verifier's states. */
    V_FAST,                     /* The fast interpreter differs. */
    V_JIT,                      /* Native code differs. */
    V_COMPILE,                  /* The JIT refuses it. */
    V_CRASH,                    /* A signal, or no end. */
    /* Differences from Linux (tests/fuzz/kernel.h). */
    V_ONLY_OURS,                /* Linux rejects what we accept. */
    V_ONLY_LINUX,
    V_OTHER_RESULT,
    V_N_VERDICTS
};

static inline bool
verdict_is_failure(enum verdict v)
{
    return v >= V_FAULT;
}

const char *verdict_name(enum verdict);

struct outcome {
    enum verdict verdict;
    uint64_t input;             /* That showed a failure. */
    uint64_t steps;             /* Of the first run. */
    char why[600];
};

/* Catches the signals of programs that go wrong; once a process. */
void fuzz_catch_signals(void);

/* Loads the program, verified by 'verify', whose states are recorded if
 * 'record' says so.  NULL if it is not accepted; V_COMPILE with a program if
 * the JIT refuses it. */
struct vm_prog *fuzz_load(struct fuzz_world *, const struct fuzz_program *,
                          vm_verify_fn *verify, bool record,
                          struct outcome *);

/* One run, native or in the fast interpreter; false if it ended in a
 * signal. */
bool fuzz_run(struct fuzz_world *, const struct vm_prog *, uint64_t input,
              bool native, struct fuzz_result *);

typedef void fuzz_try_fn(struct fuzz_world *, const struct fuzz_program *,
                         uint64_t seed, uint32_t inputs, struct outcome *);

/* Verifies the program and, if it is accepted, runs it on 'inputs' inputs
 * from 'seed' on. */
fuzz_try_fn fuzz_try;

/* Makes the program smaller as long as it fails in the same way, on the input
 * that the outcome names. */
void fuzz_shrink(struct fuzz_world *, struct fuzz_program *, fuzz_try_fn *,
                 struct outcome *);

/* Prints the program as text. */
void fuzz_print(const struct fuzz_world *, const struct fuzz_program *);

#endif /* tests/fuzz/try.h */
