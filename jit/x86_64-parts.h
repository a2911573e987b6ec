/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_X86_64_PARTS_H
#define JIT_X86_64_PARTS_H 1

/* What the files x86_64*.c share. */

#include "jit/x86_64.h"

extern const uint8_t x86_map[VM_N_REGS];

/* Features that may be missing, or turned off (jit_disable()). */
#define X86_BMI2  0x1u
#define X86_MOVBE 0x2u
extern unsigned int x86_features;

/* x86_64.c */
/* Undoes the frame of the current function, up to the return address. */
void x86_leave(struct jit *);
void x86_jcc_to(struct jit *, enum x86_cc, uint32_t offset);
void x86_jmp_to(struct jit *, uint32_t offset);
/* The epilogue's offset, to jump to. */
uint32_t x86_exit(struct jit *);
/* jmp (4) or call (2) through [m] */
void x86_indirect(struct jit *, int n, struct x86_at m);

/* Forward jumps of one byte's distance over code that is emitted next:
 * skip() emits the jump of that opcode, skip_to_here() its distance. */
size_t x86_skip(struct jit *, uint8_t opcode);
void x86_skip_to_here(struct jit *, size_t from);
/* The same for a condition and any distance. */
size_t x86_skip_far(struct jit *, enum x86_cc);
void x86_skip_far_to_here(struct jit *, size_t from);

/* x86_64-branch.c: jump 'pc', maybe with what follows; and condition of a
 * jump. */
void x86_branch(struct jit *, uint32_t pc, const struct vm_isa *);
enum x86_cc x86_condition(const struct vm_insn *);
void x86_compare(struct jit *, const struct vm_insn *, bool w);

/* x86_64-mem.c */
void x86_load(struct jit *, uint32_t pc, bool sign);
void x86_store(struct jit *, uint32_t pc);
void x86_atomic(struct jit *, uint32_t pc, const struct vm_isa *);
/* The operand of access 'pc', and its size. */
struct x86_at x86_operand(const struct jit *, uint32_t pc, int *size);

/* x86_64-fuse.c: emits 'pc' together with instructions that follow it, which
 * it marks JIT_FUSED; false if there is no such form. */
bool x86_fuse(struct jit *, uint32_t pc);

/* x86_64-stub.c */
void x86_stub(struct jit *, enum jit_stub, const struct vm_prog_type *);
void x86_yield(struct jit *);

/* x86_64-alu.c */
void x86_arith(struct jit *, uint32_t pc, const struct vm_isa *);
enum x86_alu x86_alu_of(uint8_t op);

/* x86_64-call.c */
void x86_call(struct jit *, uint32_t pc);
void x86_call_local(struct jit *, uint32_t offset);
void x86_call_c(struct jit *, const void *fn);

/* x86_64-tail.c */
void x86_tail_call(struct jit *, uint32_t pc);
void x86_goto(struct jit *, uint32_t pc);
/* What a program with tail calls does before its entry for tail calls. */
void x86_tail_reset(struct jit *);

/* x86_64-lookup.c: a lookup that is inlined; false if 'pc' is none. */
bool x86_lookup(struct jit *, uint32_t pc);

#endif /* jit/x86_64-parts.h */
