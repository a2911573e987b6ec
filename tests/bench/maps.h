/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_MAPS_H
#define TESTS_BENCH_MAPS_H 1

/* The parts of the group "maps": each prints its rows. */

#include <stdbool.h>

/* DPDK's memory, on huge pages if there are any or can be had; maps get
 * pages of the same size.  Ends the process when DPDK does not start. */
void bench_dpdk_init(void);

void bench_maps_hash(void);
void bench_maps_lpm(void);
void bench_maps_more(void);

#endif /* tests/bench/maps.h */
