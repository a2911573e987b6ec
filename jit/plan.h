/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_PLAN_H
#define JIT_PLAN_H 1

/* What is known of each instruction before any is emitted.
 *
 * What: jit_plan_make() goes over the program and finds what no path
 * reaches, where jumps lead to, which addresses lie in the frame at a known
 * place, and, backwards, which registers are still read.  Instructions whose
 * result nobody reads are dead.
 *
 * Machines may, but need not, use what it says; JIT_DEAD is the driver's.
 * Ownership: of the compilation.  Threads: private to it. */

#include <stdbool.h>
#include <stdint.h>

struct jit;

#define JIT_LEADER 0x01u        /* A jump or a local call leads here. */
#define JIT_DEAD   0x02u        /* Emits nothing. */
#define JIT_FUSED  0x04u        /* The machine emitted it with one before. */
#define JIT_FRAME  0x08u        /* The address is r10 + 'frame': of loads,
                                 * stores, atomics; the key of a lookup. */
#define JIT_NARROW 0x10u        /* A 64-bit operation of which the low half
                                 * is enough. */
#define JIT_CLOSED 0x20u        /* Its result's low half depends on the low
                                 * halves of its operands only. */

struct jit_plan {
    uint8_t flags;              /* JIT_*. */
    uint8_t id;                 /* enum vm_insn_id. */
    int16_t frame;
    uint16_t use, use_high;     /* Registers read, their upper halves. */
    uint16_t def;               /* Registers written. */
    uint16_t live, live_high;   /* Read later: after the instruction. */
};

/* Of each function. */
struct jit_func {
    uint8_t saved;              /* BPF's r6 to r9 that it uses: bit 0 is r6. */
    bool calls;                 /* Calls something. */
    bool frame;                 /* Uses r10. */
};

/* Makes j->plan and j->funcs, which jit_plan_free() frees. */
void jit_plan_make(struct jit *);
void jit_plan_free(struct jit *);

/* The instruction that follows 'pc' in the code, if only 'pc' leads there;
 * else UINT32_MAX. */
uint32_t jit_next(const struct jit *, uint32_t pc);

/* Whether BPF register 'reg' is read after 'pc'. */
bool jit_live_after(const struct jit *, uint32_t pc, int reg);

#endif /* jit/plan.h */
