/* SPDX-License-Identifier: Apache-2.0 */

/* Maps beside those of DPDK and of the kernel. */

#include "tests/bench/maps.h"

#include <stdio.h>

#include "tests/bench/bench.h"

int
main(void)
{
    bench_pin();
    bench_dpdk_init();
    bench_maps_hash();
    bench_fact("huge pages of the process", "%lu MB",
               (unsigned long) bench_huge_kb() / 1024);
    return 0;
}
