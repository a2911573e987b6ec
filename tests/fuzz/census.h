/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_CENSUS_H
#define TESTS_FUZZ_CENSUS_H 1

/* What a run has met: so that it cannot pass by testing nothing. */

#include "tests/fuzz/try.h"

struct summary {
    uint64_t programs;
    uint64_t verdicts[V_N_VERDICTS];
    uint64_t steps[256];        /* Programs by length of a run, capped. */
};

void summary_add(struct summary *, const struct outcome *);

/* Prints how many had which verdict; returns how many were accepted. */
uint64_t summary_verdicts(const struct summary *);

/* Prints that and what was met.  Of enough programs, returns false if fewer
 * than 30% were accepted, if the median run has fewer than 40 instructions
 * or, with 'census', if a row of instructions, helpers or maps was met less
 * than once in 1000 programs. */
bool summary_print(const struct summary *, struct fuzz_world *const[],
                   bool census);

/* Adds what other runs met, which file 'name' keeps, to 's' and the census,
 * and puts the sum there: so many runs, on several CPUs or on several days,
 * are one.  0 or a negative errno; -EINVAL: the file is not of this
 * program's. */
int summary_tally(struct summary *s, const char *name);

#endif /* tests/fuzz/census.h */
