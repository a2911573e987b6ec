/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_GEN_H
#define TESTS_FUZZ_GEN_H 1

/* Random programs that are nearly right.
 *
 * What: fuzz_gen() writes a program for a world (tests/fuzz/world.h).  It
 * keeps track of what each register and stack slot holds, so that most
 * instructions make sense: packet accesses follow comparisons with the
 * packet's end, values of maps are tested for 0, loops end.  Depending on the
 * seed it is careless now and then, so that the verifier has something to
 * refuse.
 *
 * The same seed and options give the same program on every machine.
 *
 * Usage:
 *
 *     struct fuzz_program p;
 *     fuzz_gen(&p, world, seed, 0);
 *     attr.type = &world->type; attr.maps = world->maps;
 *     attr.insns = p.insns; attr.n_insns = p.n; ...
 *     uint32_t maps = fuzz_maps_used(p.insns, p.n);
 *     fuzz_world_reset(world, input, maps);
 *     fuzz_world_result(world, vm_prog_run(prog, world->ctx), maps, &result);
 *
 * Threads: any; no state but the arguments. */

#include <stdint.h>

#include "tests/fuzz/world.h"
#include "vm/insn.h"

#define FUZZ_MAX_INSNS 1024

/* Options. */
#define FUZZ_GEN_KERNEL  0x1u   /* Only what Linux has, too. */
#define FUZZ_GEN_CAREFUL 0x2u   /* Never careless. */
#define FUZZ_GEN_SMALL   0x4u   /* Most have a quarter of the size. */

struct fuzz_program {
    struct vm_insn insns[FUZZ_MAX_INSNS];
    uint32_t n;
};

void fuzz_gen(struct fuzz_program *, const struct fuzz_world *, uint64_t seed,
              uint32_t options);

#endif /* tests/fuzz/gen.h */
