/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_X86_64_PARTS_H
#define JIT_X86_64_PARTS_H 1

/* What the files x86_64*.c share. */

#include "jit/x86_64.h"

extern const uint8_t x86_map[VM_N_REGS];

/* x86_64.c */
/* Undoes the frame of function 'subprog', up to the return address. */
void x86_leave(struct jit *, uint32_t subprog);
/* Where the tail call counter lies, from rbp. */
int32_t x86_counter_off(const struct vm_prog *);
void x86_jcc_to(struct jit *, enum x86_cc, uint32_t offset);
void x86_jmp_to(struct jit *, uint32_t offset);

/* jmp [base + off] */
void x86_jmp_mem(struct jit *, struct x86_at);

/* Forward jumps of one byte's distance over code that is emitted next:
 * skip() emits the jump of that opcode, skip_to_here() its distance. */
size_t x86_skip(struct jit *, uint8_t opcode);
void x86_skip_to_here(struct jit *, size_t from);

/* x86_64-stub.c */
void x86_stub(struct jit *, enum jit_stub, const struct vm_prog_type *);
void x86_yield(struct jit *);

/* x86_64-alu.c */
void x86_arith(struct jit *, uint32_t pc, const struct vm_isa *);

/* x86_64-call.c */
void x86_call(struct jit *, uint32_t pc);
void x86_call_local(struct jit *, uint32_t offset);

#endif /* jit/x86_64-parts.h */
