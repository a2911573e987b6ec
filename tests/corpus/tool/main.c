/* SPDX-License-Identifier: Apache-2.0 */

/* corpus check LIST [--no-kernel] [--verify-only]
 * corpus time LIST ROUNDS
 *
 * Each line of LIST: NAME OBJECT CASES (or `-'). */

#include "tests/corpus/tool/corpus.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Per-CPU maps are compared by what CPU 0 has. */
static void
stay_on_first_cpu(void)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus)) {
        perror("sched_setaffinity");
    }
}

int
main(int argc, char *argv[])
{
    bool kernel = true, all = true;

    if (argc == 4 && !strcmp(argv[1], "time")) {
        return time_objects(argv[2], strtoul(argv[3], NULL, 0));
    }
    for (int i = 3; i < argc; i++) {
        kernel = kernel && strcmp(argv[i], "--no-kernel");
        all = all && strcmp(argv[i], "--verify-only");
    }
    if (argc < 3 || strcmp(argv[1], "check")) {
        fprintf(stderr, "usage: corpus check LIST [--no-kernel] "
                "[--verify-only]\n       corpus time LIST ROUNDS\n");
        return 2;
    }
    stay_on_first_cpu();
    return check_objects(argv[2], kernel, all);
}
