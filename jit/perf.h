/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_PERF_H
#define JIT_PERF_H 1

/* /tmp/perf-PID.map: names of code for perf(1).  Nothing is written before
 * jit_perf_map_enable() (jit/jit.h).  Threads: any. */

#include <stddef.h>

void jit_perf_map_add(const void *code, size_t size, const char *name);

#endif /* jit/perf.h */
