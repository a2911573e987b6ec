/* SPDX-License-Identifier: Apache-2.0 */

/* gen [--seed=N] [--zipf] WORKLOAD FOLDER: rules and packets of a workload,
 * for example l2-100k; see gen.h. */

#include "tests/bench/gen/gen.h"

#include <stdlib.h>
#include <string.h>

/* "10k" is 10000. */
static const char *
parse_number(const char *s, uint64_t *n)
{
    char *end;

    *n = strtoull(s, &end, 10);
    if (end == s || !*n) {
        gen_fail("%s: not a number", s);
    }
    if (*end == 'k') {
        *n *= 1000;
        end++;
    } else if (*end == 'M') {
        *n *= 1000000;
        end++;
    }
    return end;
}

static void
generate(struct gen *g, const char *name)
{
    size_t size = strcspn(name, "-");
    struct gen_args args = { .n_n = 0 };
    const char *s = name + size;

    while (*s == '-' && args.n_n < 2) {
        s = parse_number(s + 1, &args.n[args.n_n++]);
    }
    for (size_t i = 0; i < gen_n_workloads; i++) {
        const struct gen_workload *w = &gen_workloads[i];

        if (strlen(w->name) == size && !memcmp(w->name, name, size)) {
            if (*s || args.n_n != w->n_args) {
                gen_fail("%s: %s takes %d numbers", name, w->name,
                         w->n_args);
            }
            w->fn(g, &args);
            return;
        }
    }
    gen_fail("%s: no such workload", name);
}

int
main(int argc, char **argv)
{
    uint64_t seed = 1;
    bool zipf = false;
    struct gen g;
    int i;

    for (i = 1; i < argc && !strncmp(argv[i], "--", 2); i++) {
        if (!strncmp(argv[i], "--seed=", 7)) {
            seed = strtoull(argv[i] + 7, NULL, 0);
        } else if (!strcmp(argv[i], "--zipf")) {
            zipf = true;
        } else {
            gen_fail("%s: unknown option", argv[i]);
        }
    }
    if (argc - i != 2) {
        gen_fail("usage: gen [--seed=N] [--zipf] WORKLOAD FOLDER");
    }
    gen_open(&g, argv[i + 1], seed);
    generate(&g, argv[i]);
    gen_close(&g, zipf);
    return 0;
}
