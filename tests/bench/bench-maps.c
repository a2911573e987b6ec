/* SPDX-License-Identifier: Apache-2.0 */

/* Maps beside those of DPDK and of the kernel. */

#include "tests/bench/maps.h"

#include "tests/bench/bench.h"

int
main(void)
{
    bench_pin();
    bench_fact("times", "CPU time of the thread");
    bench_dpdk_init();
    bench_maps_hash();
    bench_maps_more();
    bench_maps_lpm();
    return 0;
}
