/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_ACCESS_H
#define VM_ACCESS_H 1

/* What a running program may touch: the checked interpreter's rules.
 *
 * What: a `struct vm_access` lives for one run.  It knows the stack frames,
 * the context by its member table, the packet as the context says at the
 * moment, the values of direct maps, and the memory and maps that helpers
 * returned during the run.  An access that lies in none of these, or in more
 * than one of them, is refused with a reason; nothing is touched.
 *
 * Threads: on the runner's stack, private to it. */

#include <stdbool.h>
#include <stdint.h>

#include "vm/helper.h"
#include "vm/insn.h"
#include "vm/prog.h"

/* Frames lie apart, so that running over the end of one is found out. */
#define VM_FRAME_STRIDE 1024

struct vm_region {
    uint64_t start;
    uint32_t size;
    uint8_t is_map;             /* 'start' is a struct vm_map *. */
    uint8_t acquired;           /* Must be released. */
    uint8_t read_only;
};

#define VM_ACCESS_REGIONS 16
#define VM_ACCESS_MAX_REGIONS 65536

struct vm_access {
    const struct vm_prog *prog;
    uint8_t *ctx;
    uint8_t *stack;             /* VM_MAX_FRAMES * VM_FRAME_STRIDE. */
    unsigned int frame;         /* Current one. */

    struct vm_region *regions;  /* 'inline_regions', or malloc'ed. */
    uint32_t n_regions, allocated_regions;
    uint32_t n_acquired;
    struct vm_region inline_regions[VM_ACCESS_REGIONS];

    char why[120];              /* Reason of the last refusal. */
};

void vm_access_init(struct vm_access *, const struct vm_prog *, void *ctx,
                    uint8_t *stack);
void vm_access_uninit(struct vm_access *);

/* An instruction's load or store of 1, 2, 4 or 8 bytes.  False: refused. */
bool vm_access_load(struct vm_access *, uint64_t addr, uint32_t size,
                    uint64_t *value);
bool vm_access_store(struct vm_access *, uint64_t addr, uint32_t size,
                     uint64_t value);
/* The address of an atomic's operand, or NULL. */
void *vm_access_atomic(struct vm_access *, uint64_t addr, uint32_t size);

/* Calls 'helper' with r[1] to r[5] if its prototype allows them; the result
 * goes to r[0].  False: refused. */
bool vm_access_call(struct vm_access *, const struct vm_helper *,
                    uint64_t *r);

/* Whether 'addr' is a map of the program with all of 'caps'. */
bool vm_access_is_map(struct vm_access *, uint64_t addr, uint32_t caps);

#endif /* vm/access.h */
