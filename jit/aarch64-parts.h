/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_AARCH64_PARTS_H
#define JIT_AARCH64_PARTS_H 1

/* What the files aarch64*.c share. */

#include "jit/aarch64.h"

/* The machine's register of each BPF register but r10, which has none: the
 * BPF stack lies at a fixed distance from the stack pointer. */
extern const uint8_t a64_map[VM_R10];

/* aarch64.c */

/* The register that holds BPF register 'reg'; of r10 the address, which goes
 * to 'scratch'. */
int a64_reg(struct jit *, int reg, int scratch);
/* Undoes the frame of the function that is being compiled. */
void a64_leave(struct jit *);
void a64_b_to(struct jit *, uint32_t offset);
/* Jumps to the target of 'pc' if 'insn', a branch with an empty distance,
 * says so; 'invert' is the bit that inverts it. */
void a64_branch_if(struct jit *, uint32_t pc, uint32_t insn,
                   uint32_t invert);
#define A64_INVERT_CC 1u
#define A64_INVERT_ZERO (1u << 24)

/* Forward jumps within the code of one instruction: a64_skip() emits 'insn'
 * with an empty distance, to be filled in when its target is here. */
size_t a64_skip(struct jit *, uint32_t insn);
void a64_skip_to_here(struct jit *, size_t from);
#define A64_B_COND(CC) (0x54000000u | (CC))
#define A64_CBZ(W, REG)  (0x34000000u | a64_w(W) | (REG))
#define A64_CBNZ(W, REG) (0x35000000u | a64_w(W) | (REG))

/* aarch64-imm.c */

/* d = imm, in as few instructions as there may be. */
void a64_mov_imm(struct jit *, int d, uint64_t imm);
/* d = n + imm; changes 'scratch' if imm is large. */
void a64_add_const(struct jit *, bool w, int dn[2], int64_t imm,
                   int scratch);
/* Compares n with imm. */
void a64_cmp_const(struct jit *, bool w, int n, int64_t imm, int scratch);
/* d = n op imm. */
void a64_logic_const(struct jit *, bool w, enum a64_logic, int dn[2],
                     int64_t imm);
/* The field N:immr:imms of a logical instruction with that constant; false
 * if there is none.  Of a 32-bit one only the lower half of 'imm' counts. */
bool a64_logical(uint64_t imm, bool w, uint32_t *bits);

/* aarch64-alu.c */
void a64_arith(struct jit *, uint32_t pc, const struct vm_isa *);

/* aarch64-mem.c */
/* Register t from or to [base + off]; base is a machine register. */
void a64_access(struct jit *, enum a64_opc, int size, int tn[2],
                int32_t off);
/* The base of access 'pc', a machine register, its offset and size. */
int a64_operand(const struct jit *, uint32_t pc, int32_t *off, int *size);
void a64_load(struct jit *, uint32_t pc, bool sign);
void a64_store(struct jit *, uint32_t pc);
void a64_atomic(struct jit *, uint32_t pc, const struct vm_isa *);

/* aarch64-stub.c */
/* In programs that share a frame: where they return to, the slot page. */
#define A64_SHARED_BACK 23
#define A64_SHARED_PAGE 26
void a64_stub(struct jit *, enum jit_stub, const struct vm_prog_type *);
void a64_yield(struct jit *);
/* Ends the run: with the result in x0, or with -ENOENT. */
void a64_shared_return(struct jit *);
void a64_shared_end(struct jit *);

/* aarch64-call.c */
void a64_call(struct jit *, uint32_t pc);
/* What a program with tail calls does before its entry for tail calls. */
void a64_tail_reset(struct jit *);

/* aarch64-lookup.c: a lookup that is inlined; false if 'pc' is none. */
bool a64_lookup(struct jit *, uint32_t pc);

#endif /* jit/aarch64-parts.h */
