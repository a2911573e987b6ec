/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_JIT_H
#define JIT_JIT_H 1

/* The JIT: native code from verified programs.
 *
 * What: jit_backend() is the `struct vm_backend` that the daemon puts into
 * the attributes of the programs it loads.  An engine never changes what a
 * program means: the interpreter is the reference, and every test of the VM
 * runs on both.
 *
 * Passes, in order (jit.c):
 *     plan       what is reached, calls that are inlined, addresses in the
 *                frame; which results nobody reads: no code (plan.c)
 *     emit       for each instruction, or several together, the machine's
 *                form (x86_64*.c, aarch64*.c)
 *     relax      long branches become short until nothing changes
 *     commit     the bytes go to executable memory (code.c)
 *     announce   a line in /tmp/perf-PID.map, if asked for (perf.c)
 *
 * Memory is never writable and executable: it is mapped once for execution,
 * and filled through a file descriptor.
 *
 * Threads: compile and free may be called from any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_backend;
struct vm_err;
struct vm_prog;

/* The back end of this machine, or NULL if there is none. */
const struct vm_backend *jit_backend(void);

/* Writes /tmp/perf-PID.map for perf(1) from now on.  0 or negative errno. */
int jit_perf_map_enable(void);

/* Programs that are compiled from now on do without features of the processor
 * that 'names' lists, divided by commas: "bmi2,movbe".  Empty: all that it
 * has, again.  -EINVAL: one is unknown.  For tests; the environment
 * variable BVS_JIT_DISABLE does the same at start. */
int jit_disable(const char *names);

/* At most so many bytes of executable memory from now on, in steps of 2 MB;
 * 0: no limit.  A program for which there is none runs in the interpreter,
 * and vm_prog_compile_error() says so. */
void jit_set_code_limit(size_t bytes);

struct jit_stats {
    uint64_t programs;          /* Compiled and alive. */
    size_t code_bytes;          /* Of these. */
    size_t mapped_bytes;        /* Executable memory taken. */
    uint64_t failures;          /* Programs that were not compiled. */
};
void jit_get_stats(struct jit_stats *);

/* Machine code to look at, side by side with the program's instructions. */
struct jit_listing {
    const uint8_t *at;          /* Where it runs; NULL if it does not. */
    uint8_t *code;              /* Malloc'ed, as 'offsets' is. */
    size_t size;
    uint32_t *offsets;          /* Of each slot its first byte, n_insns + 1:
                                 * then of what follows the last one. */
};

/* The code of the verified program 'prog': what jit_backend() has made of it,
 * or, if 'machine' is another one's name, what it would make there, with
 * calls that lead nowhere.  Names are "x86-64" and "aarch64"; NULL: this one.
 * 0 or negative errno: -EINVAL no such machine, -ENOENT not compiled. */
int jit_list(const struct vm_prog *, const char *machine,
             struct jit_listing *, struct vm_err *);
void jit_listing_free(struct jit_listing *);

#endif /* jit/jit.h */
