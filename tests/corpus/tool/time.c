/* SPDX-License-Identifier: Apache-2.0 */

/* How long the verifiers take, side by side: rounds alternate between Linux
 * and us; the least counts. */

#include "tests/corpus/tool/corpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    char name[360];
    uint32_t n_insns;
    uint64_t ns[2];             /* Linux, we. */
    uint64_t n_processed;       /* Linux. */
};

static void
keep_least(struct row *row, int side, const struct verified *v, bool first)
{
    if (first || v->ns < row->ns[side]) {
        row->ns[side] = v->ns;
    }
    if (!side) {
        row->n_processed = v->n_processed;
        row->n_insns = v->n_insns;
    }
}

/* Adds a row a program; returns how many. */
static uint32_t
time_object(const char *name, const char *path, const struct cases *cases,
            unsigned int rounds, struct row rows[MAX_PROGRAMS])
{
    static const struct engine *const sides[] = {
        &engine_kernel, &engine_fast
    };
    static struct report report;
    uint32_t n = 0;

    for (unsigned int r = 0; r < rounds; r++) {
        for (int side = 0; side < 2; side++) {
            void *opened = sides[side]->open(path, cases, &report);

            if (!opened) {
                fprintf(stderr, "%s: refused by %s: %s\n", name,
                        sides[side]->name, report.sentence);
                return 0;
            }
            sides[side]->close(opened);
            n = report.n_programs;
            for (uint32_t i = 0; i < n; i++) {
                snprintf(rows[i].name, sizeof rows[i].name, "%s%s%s", name,
                         n > 1 ? ":" : "",
                         n > 1 ? report.programs[i].name : "");
                keep_least(&rows[i], side, &report.programs[i], !r);
            }
        }
    }
    return n;
}

/* Linux counts whole microseconds. */
static double
ratio(const struct row *r)
{
    return r->ns[1] / (r->ns[0] ? r->ns[0] : 1000.0);
}

static int
by_ratio(const void *a, const void *b)
{
    double x = ratio(a), y = ratio(b);

    return x < y ? -1 : x > y;
}

static void
print_rows(struct row *rows, size_t n)
{
    double sum[2] = { 0 };
    size_t n_slower = 0;

    qsort(rows, n, sizeof *rows, by_ratio);
    printf("%-44s %6s %9s %9s %9s %6s\n", "program", "insns", "processed",
           "linux us", "ours us", "ratio");
    for (size_t i = 0; i < n; i++) {
        printf("%-44s %6u %9llu %9.0f %9.1f %6.3f\n", rows[i].name,
               rows[i].n_insns, (unsigned long long) rows[i].n_processed,
               rows[i].ns[0] / 1e3, rows[i].ns[1] / 1e3, ratio(&rows[i]));
        sum[0] += rows[i].ns[0];
        sum[1] += rows[i].ns[1];
        n_slower += ratio(&rows[i]) > 1;
    }
    if (n) {
        printf("%zu programs: linux %.1f ms, ours %.1f ms; ratio: median "
               "%.3f, worst %.3f (%s); %zu slower than linux\n",
               n, sum[0] / 1e6, sum[1] / 1e6, ratio(&rows[n / 2]),
               ratio(&rows[n - 1]), rows[n - 1].name, n_slower);
    }
}

int
time_objects(const char *list, unsigned int rounds)
{
    char name[256], path[1024], cases_path[1024];
    struct row *rows = NULL;
    size_t n = 0;
    FILE *f = fopen(list, "r");

    if (!f || !kernel_usable()) {
        fprintf(stderr, "%s\n", f ? "Linux does not let this user load "
                "programs" : strerror(errno));
        return 2;
    }
    while (fscanf(f, "%255s %1023s %1023s", name, path, cases_path) == 3) {
        struct cases *cases = strcmp(cases_path, "-")
                              ? cases_read(cases_path) : NULL;

        rows = realloc(rows, (n + MAX_PROGRAMS) * sizeof *rows);
        memset(&rows[n], 0, MAX_PROGRAMS * sizeof *rows);
        n += time_object(name, path, cases, rounds, &rows[n]);
        cases_free(cases);
    }
    print_rows(rows, n);
    free(rows);
    fclose(f);
    return 0;
}
