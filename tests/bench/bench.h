/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H 1

/* What groups of benchmarks in C share (tests/bench/run starts them).
 *
 * Usage: a side is a function that does one round of work and returns
 * nanoseconds (or any other cost) per operation.  bench_compare() calls two
 * sides by turns, ours first in one round and second in the next, and
 * bench_row() prints the medians, their ratio and the spread. */

#include <stdbool.h>
#include <stdint.h>

/* A side: 'aux' is the caller's. */
typedef double bench_fn(void *aux);

struct bench_result {
    double ours, peer;          /* Medians. */
    double spread;              /* Half of the distance between the quartiles
                                 * of ours, divided by the median. */
};

/* Pins the thread to the last CPU it may use; says so as a fact. */
void bench_pin(void);

bool bench_quick(void);         /* Only to see that it works. */
uint64_t bench_seed(void);
/* 'full', or 'quick' when only seeing that it works. */
uint64_t bench_size(uint64_t full, uint64_t quick);

uint64_t bench_now_ns(void);
/* CPU time of the thread: does not count while others run. */
uint64_t bench_cpu_ns(void);

/* A good and fast generator; state is what the caller keeps. */
uint64_t bench_random(uint64_t *state);

/* 'rounds' rounds of each side by turns after one that does not count.
 * 'peer' may be NULL. */
struct bench_result bench_compare(unsigned rounds, bench_fn *ours,
                                  bench_fn *peer, void *aux);

/* Prints a row.  'unit' follows both numbers; 'gate' is "<=1.5", or NULL. */
void bench_row(const char *name, const struct bench_result *,
               const char *unit, const char *gate);
/* A row of one measured number and, unless it is 0, what it is compared
 * with. */
void bench_number(const char *name, double ours, double peer,
                  const char *unit, const char *gate);
void bench_fact(const char *key, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Ends the process: the group cannot run here. */
void bench_cannot(const char *why) __attribute__((noreturn));

/* Kilobytes of huge pages, of either sort, that the process uses. */
uint64_t bench_huge_kb(void);

#endif /* tests/bench/bench.h */
