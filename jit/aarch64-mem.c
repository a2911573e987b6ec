/* SPDX-License-Identifier: Apache-2.0 */

/* AArch64: loads, stores, atomics. */

#include "jit/aarch64-parts.h"

#include <sys/auxv.h>

/* -- Loads and stores -- */

void
a64_access(struct jit *j, enum a64_opc opc, int size, int tn[2], int32_t off)
{
    if (off >= 0 && off % size == 0 && off / size <= 0xfff) {
        a64_mem_scaled(j, opc, size, tn, off);
    } else if (off >= -256 && off < 256) {
        a64_mem_near(j, opc, size, tn, off);
    } else {
        a64_mov_imm(j, A64_T1, (uint64_t) (int64_t) off);
        a64_mem_reg(j, opc, size, tn, A64_T1);
    }
}

/* Of the BPF stack the base is the stack pointer. */
int
a64_operand(const struct jit *j, uint32_t pc, int32_t *off, int *size)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int reg = VM_CLASS(insn->code) == VM_LDX ? insn->src : insn->dst;

    jit_access(j->prog, pc, off, size);
    if (j->plan[pc].flags & JIT_FRAME) {
        *off = j->plan[pc].frame + (int32_t) j->frame.bytes;
        return A64_SP;
    } else if (reg == VM_R10) {
        *off += j->frame.bytes;
        return A64_SP;
    }
    return a64_map[reg];
}

void
a64_load(struct jit *j, uint32_t pc, bool sign)
{
    int32_t off;
    int size, base = a64_operand(j, pc, &off, &size);

    a64_access(j, sign && size < 8 ? A64_LDRS : A64_LDR, size,
               A64_DN(a64_map[j->prog->insns[pc].dst], base), off);
}

void
a64_store(struct jit *j, uint32_t pc)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int32_t off;
    int value, size, base = a64_operand(j, pc, &off, &size);

    if (VM_CLASS(insn->code) == VM_STX) {
        value = a64_reg(j, insn->src, A64_T0);
    } else if (!insn->imm) {
        value = A64_ZR;
    } else {
        value = A64_T0;
        a64_mov_imm(j, value, size == 8 ? (uint64_t) (int64_t) insn->imm
                              : (uint32_t) insn->imm
                                & (uint32_t) ((UINT64_C(1) << 8 * size) - 1));
    }
    a64_access(j, A64_STR, size, A64_DN(value, base), off);
}

/* -- Atomics -- */

/* Large System Extensions (Armv8.1): HWCAP_ATOMICS of Linux's AArch64. */
static bool
has_lse(void)
{
    return getauxval(AT_HWCAP) & 1ul << 8;
}

/* The address in a register by itself: that of the base if it is free of
 * 'taken', which the operation changes before it is done with the address. */
static int
address(struct jit *j, uint32_t pc, int taken)
{
    int32_t off;
    int size, base = a64_operand(j, pc, &off, &size);

    if (base == A64_SP || off || base == taken) {
        a64_add_const(j, true, A64_DN(A64_T1, base), off, A64_T2);
        return A64_T1;
    }
    return base;
}

/* The operation of an atomic that computes. */
static uint8_t
atomic_op(const struct vm_insn *insn)
{
    return insn->imm & ~VM_FETCH & VM_OP_MASK;
}

/* One instruction; those that fetch are full barriers, as in Linux. */
static void
atomic_lse(struct jit *j, uint32_t pc, int size)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    bool fetch = insn->imm & VM_FETCH;
    int at = address(j, pc, -1), src = a64_reg(j, insn->src, A64_T0);
    uint32_t op = 0x38200000 | a64_size(size) | (fetch ? 3u << 22 : 0);
    int value = src;

    if (insn->imm == VM_CMPXCHG) {
        a64_dnm(j, 0x08e0fc00 | a64_size(size), src, at, a64_map[VM_R0]);
        return;
    } else if (insn->imm == VM_XCHG) {
        a64_dnm(j, op | 1 << 15, src, at, src);
        return;
    }
    switch (atomic_op(insn)) {
    case VM_AND:
        value = A64_T3;
        a64_mvn(j, size == 8, value, src);
        op |= 1 << 12;          /* ldclr: and not */
        break;
    case VM_OR:
        op |= 3 << 12;
        break;
    case VM_XOR:
        op |= 2 << 12;
        break;
    default:
        break;
    }
    a64_dnm(j, op, fetch ? src : A64_ZR, at, value);
}

static void
exclusive_load(struct jit *j, int size, int t, int at)
{
    a64_put(j, 0x085f7c00 | a64_size(size) | at << 5 | t);
}

/* With 'release': what came before is visible before. */
static void
exclusive_store(struct jit *j, int size, int tn[2], bool release)
{
    a64_put(j, 0x08007c00 | a64_size(size) | A64_T0 << 16 | release << 15
               | tn[1] << 5 | tn[0]);
}

/* Goes back to 'again' if the store, whose status is in T0, failed. */
static void
try_again(struct jit *j, size_t again, bool barrier)
{
    int64_t distance = (int64_t) again - (int64_t) j->len;

    a64_put(j, A64_CBNZ(false, A64_T0) | a64_field(distance, 19));
    if (barrier) {
        a64_put(j, 0xd5033bbf); /* dmb ish */
    }
}

/* T2 is what is stored, T3 the value that came in, T4 what is expected. */
static void
compute(struct jit *j, const struct vm_insn *insn, int old, bool w)
{
    if (insn->imm == VM_XCHG) {
        a64_mov(j, w, A64_T2, A64_T3);
        return;
    }
    switch (atomic_op(insn)) {
    case VM_AND:
        a64_logic(j, w, A64_AND, A64_DNM(A64_T2, old, A64_T3));
        break;
    case VM_OR:
        a64_logic(j, w, A64_ORR, A64_DNM(A64_T2, old, A64_T3));
        break;
    case VM_XOR:
        a64_logic(j, w, A64_EOR, A64_DNM(A64_T2, old, A64_T3));
        break;
    default:
        a64_add(j, w, A64_T2, old, A64_T3);
        break;
    }
}

static void
atomic_loop(struct jit *j, uint32_t pc, int size)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    bool fetch = insn->imm & VM_FETCH;
    int src = a64_reg(j, insn->src, A64_T3);
    int old = fetch ? src : A64_T2, at = address(j, pc, old);
    size_t again;

    if (src != A64_T3) {
        a64_mov(j, true, A64_T3, src);
    }
    again = j->len;
    exclusive_load(j, size, old, at);
    compute(j, insn, old, size == 8);
    exclusive_store(j, size, A64_DN(A64_T2, at), fetch);
    try_again(j, again, fetch);
}

static void
compare_exchange_loop(struct jit *j, uint32_t pc, int size)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int r0 = a64_map[VM_R0], at = address(j, pc, r0);
    bool w = size == 8;
    size_t again, differs;

    a64_mov(j, w, A64_T4, r0);
    a64_mov(j, true, A64_T3, a64_reg(j, insn->src, A64_T3));
    again = j->len;
    exclusive_load(j, size, r0, at);
    a64_logic(j, w, A64_EOR, A64_DNM(A64_T2, r0, A64_T4));
    differs = a64_skip(j, A64_CBNZ(w, A64_T2));
    exclusive_store(j, size, A64_DN(A64_T3, at), true);
    try_again(j, again, true);
    a64_skip_to_here(j, differs);
}

void
a64_atomic(struct jit *j, uint32_t pc, const struct vm_isa *isa)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int size = isa->bits / 8;

    if (has_lse()) {
        atomic_lse(j, pc, size);
    } else if (insn->imm == VM_CMPXCHG) {
        compare_exchange_loop(j, pc, size);
    } else {
        atomic_loop(j, pc, size);
    }
}
