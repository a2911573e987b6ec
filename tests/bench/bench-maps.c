/* SPDX-License-Identifier: Apache-2.0 */

/* Maps beside those of DPDK.  Arguments: the parts to measure (hash, more,
 * lpm), or all. */

#include "tests/bench/maps.h"

#include <string.h>

#include "tests/bench/bench.h"

static bool
is_wanted(const char *part, char *argv[])
{
    for (char **arg = argv; *arg; arg++) {
        if (!strcmp(*arg, part)) {
            return true;
        }
    }
    return !*argv;
}

int
main(int argc, char *argv[])
{
    (void) argc;
    bench_pin();
    bench_fact("times", "CPU time of the thread");
    bench_dpdk_init();
    if (is_wanted("hash", argv + 1)) {
        bench_maps_hash();
    }
    if (is_wanted("more", argv + 1)) {
        bench_maps_more();
    }
    if (is_wanted("lpm", argv + 1)) {
        bench_maps_lpm();
    }
    return 0;
}
