/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_KERNEL_H
#define TESTS_FUZZ_KERNEL_H 1

/* The running kernel as a second opinion on random programs.
 *
 * What: kernel_try() gives a program of FUZZ_XDP to our verifier and to
 * Linux's (BPF_PROG_LOAD); one that both accept runs here and there
 * (BPF_PROG_TEST_RUN) on the same packet and maps, and must return the same
 * and leave the same packet and the same maps.  A difference has a class: the
 * message of the side that refused, without its numbers, or what was not the
 * same.  kernel_note() counts them; tests/fuzz/kernel.def has those that
 * are known, with why.
 *
 * Needs: root.  The kernel's maps are made once and refilled for each run.
 *
 * Threads: one; kernel_open() ties it to the CPU where it is, because values
 * may be a CPU's own. */

#include "tests/fuzz/try.h"

union bpf_attr;

/* False, with errno, if the kernel does not let us. */
bool kernel_open(struct fuzz_world *);

void kernel_try(struct fuzz_world *, const struct fuzz_program *,
                uint64_t seed, uint32_t inputs, struct outcome *);

/* Counts; true if it was the first of a class that is not known. */
bool kernel_note(const struct outcome *, uint64_t seed);

/* Prints the classes; true if all are known. */
bool kernel_print(void);

/* kernel-maps.c: the maps of the world in the kernel. */
bool kernel_maps_open(struct fuzz_world *);
int kernel_map_fd(uint32_t map);
int kernel_bpf(int cmd, union bpf_attr *);
/* The state of a seed, as fuzz_world_reset() makes it. */
void kernel_maps_reset(uint64_t seed, uint32_t maps);
/* False, with the name of one that is not, unless all have the same
 * entries. */
bool kernel_maps_equal(struct fuzz_world *, uint32_t maps, const char **name);

#endif /* tests/fuzz/kernel.h */
