/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ROUNDS 101

void
bench_pin(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set)) {
        return;
    }
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
        if (CPU_ISSET(cpu, &set)) {
            CPU_ZERO(&set);
            CPU_SET(cpu, &set);
            if (!sched_setaffinity(0, sizeof set, &set)) {
                bench_fact("pinned to CPU", "%d", cpu);
            }
            return;
        }
    }
}

bool
bench_quick(void)
{
    return getenv("BENCH_QUICK") != NULL;
}

uint64_t
bench_seed(void)
{
    const char *s = getenv("BENCH_SEED");

    return s ? strtoull(s, NULL, 0) : 1;
}

uint64_t
bench_size(uint64_t full, uint64_t quick)
{
    return bench_quick() ? quick : full;
}

static uint64_t
clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

uint64_t
bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t
bench_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* splitmix64. */
uint64_t
bench_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static int
compare_doubles(const void *a_, const void *b_)
{
    const double *a = a_, *b = b_;

    return (*a > *b) - (*a < *b);
}

struct bench_result
bench_compare(unsigned rounds, bench_fn *ours, bench_fn *peer, void *aux)
{
    double a[MAX_ROUNDS] = { 0 }, b[MAX_ROUNDS] = { 0 };
    unsigned n = bench_quick() ? 1 : rounds > MAX_ROUNDS ? MAX_ROUNDS
                                                         : rounds;

    ours(aux);
    if (peer) {
        peer(aux);
    }
    for (unsigned i = 0; i < n; i++) {
        if (i % 2 && peer) {
            b[i] = peer(aux);
        }
        a[i] = ours(aux);
        if (!(i % 2) && peer) {
            b[i] = peer(aux);
        }
    }
    qsort(a, n, sizeof a[0], compare_doubles);
    qsort(b, n, sizeof b[0], compare_doubles);
    return (struct bench_result) {
        .ours = a[n / 2],
        .peer = b[n / 2],
        .spread = (a[n * 3 / 4] - a[n / 4]) / 2 / a[n / 2],
    };
}

static void
print_cell(double x, const char *unit)
{
    printf("%.*f %s\t", x < 10 ? 2 : x < 1000 ? 1 : 0, x, unit);
}

void
bench_row(const char *name, const struct bench_result *r, const char *unit,
          const char *gate)
{
    printf("%s\t", name);
    print_cell(r->ours, unit);
    if (r->peer) {
        print_cell(r->peer, unit);
        printf("%.2f\t", r->ours / r->peer);
    } else {
        printf("-\t-\t");
    }
    /* A gate says nothing of a run that only shows that it works. */
    printf("%s\t", gate && !bench_quick() ? gate : "-");
    if (r->spread >= 0) {
        printf("%.0f%%\n", 100 * r->spread);
    } else {
        printf("-\n");
    }
    fflush(stdout);
}

void
bench_number(const char *name, double ours, double peer, const char *unit,
             const char *gate)
{
    bench_row(name, &(struct bench_result) { ours, peer, -1 }, unit, gate);
}

void
bench_fact(const char *key, const char *format, ...)
{
    va_list args;

    printf("# %s: ", key);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

void
bench_cannot(const char *why)
{
    printf("%s\n", why);
    fflush(stdout);
    exit(77);
}

uint64_t
bench_huge_kb(void)
{
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    uint64_t sum = 0;

    while (f && fgets(line, sizeof line, f)) {
        uint64_t kb;

        if (sscanf(line, "AnonHugePages: %lu", &kb) == 1
            || sscanf(line, "Shared_Hugetlb: %lu", &kb) == 1
            || sscanf(line, "Private_Hugetlb: %lu", &kb) == 1) {
            sum += kb;
        }
    }
    if (f) {
        fclose(f);
    }
    return sum;
}
