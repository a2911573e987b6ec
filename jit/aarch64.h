/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_AARCH64_H
#define JIT_AARCH64_H 1

/* Encodings of the AArch64 instructions that the JIT uses (Arm ARM, DDI
 * 0487, chapter C6).
 *
 * Each function appends one instruction.  'w' selects the 64-bit form; the
 * 32-bit form clears the upper half of its result.  Registers are machine
 * registers: number 31 is the stack pointer or zero, as the instruction has
 * it.  Included by aarch64*.c only; no state. */

#include <stdbool.h>
#include <stdint.h>
#include "jit/compile.h"

/* Scratch registers of the code of one BPF instruction. */
enum a64_reg {
    A64_T0 = 9, A64_T1 = 10, A64_T2 = 11, A64_T3 = 12, A64_T4 = 13,
    A64_FP = 29, A64_LR = 30, A64_SP = 31, A64_ZR = 31
};

/* Condition codes; the lowest bit inverts. */
enum a64_cc {
    A64_EQ, A64_NE, A64_HS, A64_LO, A64_HI = 8, A64_LS, A64_GE, A64_LT,
    A64_GT, A64_LE
};

enum a64_logic { A64_AND, A64_ORR, A64_EOR, A64_ANDS };
enum a64_shift { A64_LSL, A64_LSR, A64_ASR };

/* Operands: the result's register, then the sources'. */
#define A64_DNM(D, N, M) ((int[]) { D, N, M })
#define A64_DN(D, N) ((int[]) { D, N })

static inline void
a64_put(struct jit *j, uint32_t insn)
{
    jit_put4(j, insn);
}

/* An instruction with registers d, n, m in their usual places. */
static inline void
a64_dnm(struct jit *j, uint32_t insn, int d, int n, int m)
{
    a64_put(j, insn | (uint32_t) m << 16 | n << 5 | d);
}

static inline uint32_t
a64_w(bool w)
{
    return (uint32_t) w << 31;
}

/* -- Arithmetic -- */

/* d = n +- m; with 'flags', sets them. */
static inline void
a64_addsub(struct jit *j, bool w, bool sub, bool flags, int dnm[3])
{
    a64_dnm(j, 0x0b000000 | a64_w(w) | sub << 30 | flags << 29, dnm[0],
            dnm[1], dnm[2]);
}

static inline void
a64_add(struct jit *j, bool w, int d, int n, int m)
{
    a64_addsub(j, w, false, false, A64_DNM(d, n, m));
}

static inline void
a64_sub(struct jit *j, bool w, int d, int n, int m)
{
    a64_addsub(j, w, true, false, A64_DNM(d, n, m));
}

static inline void
a64_cmp(struct jit *j, bool w, int n, int m)
{
    a64_addsub(j, w, true, true, A64_DNM(A64_ZR, n, m));
}

/* d = n +- imm, 12 bits, shifted left by 12 if 'high'; 'op' is 0x11 for add,
 * 0x51 for sub, 0x31 and 0x71 for those with flags. */
static inline void
a64_addsub_imm(struct jit *j, uint32_t op, int d, int n, uint32_t imm)
{
    bool high = imm > 0xfff;

    a64_put(j, op << 24 | high << 22 | (high ? imm >> 12 : imm) << 10
               | n << 5 | d);
}

static inline bool
a64_fits12(uint64_t imm)
{
    return imm <= 0xfff || (imm <= 0xfff000 && !(imm & 0xfff));
}

/* d = [64-bit] n + imm, imm <= 4095; either may be the stack pointer. */
static inline void
a64_add_imm(struct jit *j, int d, int n, uint32_t imm)
{
    a64_addsub_imm(j, 0x91, d, n, imm);
}

static inline void
a64_sub_imm(struct jit *j, int d, int n, uint32_t imm)
{
    a64_addsub_imm(j, 0xd1, d, n, imm);
}

static inline void
a64_logic(struct jit *j, bool w, enum a64_logic op, int dnm[3])
{
    a64_dnm(j, 0x0a000000 | a64_w(w) | op << 29, dnm[0], dnm[1], dnm[2]);
}

/* d = n op the constant whose encoding (a64_logical()) is 'bits'. */
static inline void
a64_logic_imm(struct jit *j, bool w, enum a64_logic op, int dn[2],
              uint32_t bits)
{
    a64_put(j, 0x12000000 | a64_w(w) | op << 29 | bits << 10 | dn[1] << 5
               | dn[0]);
}

static inline void
a64_mov(struct jit *j, bool w, int d, int m)
{
    a64_logic(j, w, A64_ORR, A64_DNM(d, A64_ZR, m));
}

/* d = ~m */
static inline void
a64_mvn(struct jit *j, bool w, int d, int m)
{
    a64_dnm(j, 0x2a200000 | a64_w(w), d, A64_ZR, m);
}

/* udiv, sdiv: a division by zero gives 0, INT_MIN / -1 is INT_MIN, as BPF
 * wants it. */
static inline void
a64_div(struct jit *j, bool w, bool is_signed, int dnm[3])
{
    a64_dnm(j, (is_signed ? 0x1ac00c00 : 0x1ac00800) | a64_w(w), dnm[0],
            dnm[1], dnm[2]);
}

static inline void
a64_shift_reg(struct jit *j, bool w, enum a64_shift op, int dnm[3])
{
    a64_dnm(j, 0x1ac02000 | a64_w(w) | op << 10, dnm[0], dnm[1], dnm[2]);
}

/* d = a + n * m, or a - n * m. */
static inline void
a64_madd(struct jit *j, bool w, bool sub, int dnm[3], int a)
{
    a64_dnm(j, 0x1b000000 | a64_w(w) | sub << 15 | a << 10, dnm[0], dnm[1],
            dnm[2]);
}

/* ubfm, sbfm: shifts by a constant and extensions are forms of them.  'rs' is
 * the field immr:imms. */
static inline void
a64_bitfield(struct jit *j, bool w, bool is_signed, int dn[2], int rs)
{
    a64_put(j, (is_signed ? 0x13000000 : 0x53000000) | a64_w(w) | w << 22
               | rs << 10 | dn[1] << 5 | dn[0]);
}

static inline void
a64_shift_imm(struct jit *j, bool w, enum a64_shift op, int d, int count)
{
    int top = w ? 63 : 31;

    if (op == A64_LSL) {
        a64_bitfield(j, w, false, A64_DN(d, d),
                     (-count & top) << 6 | (top - count));
    } else {
        a64_bitfield(j, w, op == A64_ASR, A64_DN(d, d),
                     count << 6 | top);
    }
}

/* -- Constants -- */

static inline void
a64_movz(struct jit *j, bool w, int d, int hw, uint16_t imm)
{
    a64_put(j, 0x52800000 | a64_w(w) | hw << 21 | imm << 5 | d);
}

static inline void
a64_movn(struct jit *j, bool w, int d, int hw, uint16_t imm)
{
    a64_put(j, 0x12800000 | a64_w(w) | hw << 21 | imm << 5 | d);
}

static inline void
a64_movk(struct jit *j, bool w, int d, int hw, uint16_t imm)
{
    a64_put(j, 0x72800000 | a64_w(w) | hw << 21 | imm << 5 | d);
}

/* -- Memory -- */

/* 'opc' of loads and stores; A64_LDRS extends to 64 bits. */
enum a64_opc { A64_STR, A64_LDR, A64_LDRS };

/* Log2 of the size in bytes, as encodings have it. */
static inline uint32_t
a64_size(int size)
{
    return (uint32_t) __builtin_ctz(size) << 30;
}

/* [n + off] with an offset that is a multiple of 'size', below 4096 times
 * it. */
static inline void
a64_mem_scaled(struct jit *j, enum a64_opc opc, int size, int tn[2],
               uint32_t off)
{
    a64_put(j, 0x39000000 | a64_size(size) | opc << 22 | off / size << 10
               | tn[1] << 5 | tn[0]);
}

/* [n + off], -256 <= off < 256. */
static inline void
a64_mem_near(struct jit *j, enum a64_opc opc, int size, int tn[2],
             int32_t off)
{
    a64_put(j, 0x38000000 | a64_size(size) | opc << 22 | (off & 0x1ff) << 12
               | tn[1] << 5 | tn[0]);
}

/* [n + m] */
static inline void
a64_mem_reg(struct jit *j, enum a64_opc opc, int size, int tn[2], int m)
{
    a64_dnm(j, 0x38206800 | a64_size(size) | opc << 22, tn[0], tn[1], m);
}

/* A pair of 64-bit registers at [sp + off], off a multiple of 8: 'op' says
 * store or load, and whether sp changes before or after. */
#define A64_STP      0xa9000000u
#define A64_LDP      0xa9400000u
#define A64_STP_PRE  0xa9800000u
#define A64_LDP_POST 0xa8c00000u

static inline void
a64_pair(struct jit *j, uint32_t op, int t, int t2, int32_t off)
{
    a64_put(j, op | (off / 8 & 0x7f) << 15 | t2 << 10 | A64_SP << 5 | t);
}

/* -- Jumps -- */

#define A64_RET_TO(REG) (0xd65f0000u | (REG) << 5)
#define A64_RET A64_RET_TO(A64_LR)

static inline void
a64_br(struct jit *j, int n)
{
    a64_put(j, 0xd61f0000 | n << 5);
}

static inline void
a64_blr(struct jit *j, int n)
{
    a64_put(j, 0xd63f0000 | n << 5);
}

/* Whether 'distance' in bytes fits a branch's field of 'bits'. */
static inline bool
a64_reaches(int64_t distance, int bits)
{
    return distance >= -(INT64_C(1) << (bits + 1))
           && distance < INT64_C(1) << (bits + 1);
}

/* A branch whose field of 'bits' starts at bit 5. */
static inline uint32_t
a64_field(int64_t distance, int bits)
{
    return ((uint32_t) (distance / 4) & ((1u << bits) - 1)) << 5;
}

#endif /* jit/aarch64.h */
