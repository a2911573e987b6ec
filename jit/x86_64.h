/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JIT_X86_64_H
#define JIT_X86_64_H 1

/* Encodings of the x86-64 instructions that the JIT uses (Intel SDM vol. 2).
 *
 * Each function appends one instruction in its shortest form.  'w' selects
 * the 64-bit form (REX.W).  Registers are machine registers (enum x86_reg).
 * Included by x86_64*.c only; no state. */

#include <stdbool.h>
#include <stdint.h>
#include "jit/compile.h"

enum x86_reg {
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI,
    R8, R9, R10, R11, R12, R13, R14, R15
};

/* Condition codes, as in Jcc and CMOVcc. */
enum x86_cc {
    CC_B = 2, CC_AE = 3, CC_E = 4, CC_NE = 5, CC_BE = 6, CC_A = 7,
    CC_L = 12, CC_GE = 13, CC_LE = 14, CC_G = 15
};

/* The two-operand arithmetic group, by its number in opcode 0x81 /n. */
enum x86_alu {
    X_ADD = 0, X_OR = 1, X_AND = 4, X_SUB = 5, X_XOR = 6, X_CMP = 7
};

enum x86_shift {
    X_ROR = 1, X_SHL = 4, X_SHR = 5, X_SAR = 7
};

static inline bool
fits8(int64_t x)
{
    return x == (int8_t) x;
}

static inline bool
fits32(int64_t x)
{
    return x == (int32_t) x;
}

/* REX prefix, if the operands or the width need one.  'byte': a byte register
 * is used, which needs REX for rsp to rdi. */
static inline void
x_rex(struct jit *j, bool w, int reg, int rm, bool byte)
{
    uint8_t rex = w << 3 | (reg >= 8) << 2 | (rm >= 8);

    if (rex || byte) {
        jit_put1(j, 0x40 | rex);
    }
}

static inline void
x_modrm(struct jit *j, int mod, int reg, int rm)
{
    jit_put1(j, mod << 6 | (reg & 7) << 3 | (rm & 7));
}

/* Operand [base + off]. */
struct x86_at {
    int base;
    int32_t off;
};

static inline struct x86_at
at(int base, int32_t off)
{
    return (struct x86_at) { base, off };
}

static inline void
x_mem(struct jit *j, int reg, struct x86_at m)
{
    int base = m.base, off = m.off;
    int mod = !off && (base & 7) != RBP ? 0 : fits8(off) ? 1 : 2;

    x_modrm(j, mod, reg, base);
    if ((base & 7) == RSP) {
        jit_put1(j, 0x24);
    }
    if (mod == 1) {
        jit_put1(j, off);
    } else if (mod == 2) {
        jit_put4(j, off);
    }
}

/* op rm, reg (or the other way: the opcode says). */
static inline void
x_rr(struct jit *j, bool w, uint8_t op, int reg, int rm)
{
    x_rex(j, w, reg, rm, false);
    jit_put1(j, op);
    x_modrm(j, 3, reg, rm);
}

/* The same with a two-byte opcode 0f 'op'. */
static inline void
x_rr0f(struct jit *j, bool w, uint8_t op, int reg, int rm)
{
    bool byte = op == 0xb6 || op == 0xbe;

    x_rex(j, w, reg, rm, byte && rm >= RSP);
    jit_put1(j, 0x0f);
    jit_put1(j, op);
    x_modrm(j, 3, reg, rm);
}

static inline void
x_mov(struct jit *j, bool w, int dst, int src)
{
    x_rr(j, w, 0x89, src, dst);
}

static inline void
x_alu(struct jit *j, bool w, enum x86_alu op, int dst, int src)
{
    x_rr(j, w, op << 3 | 1, src, dst);
}

static inline void
x_alu_imm(struct jit *j, bool w, enum x86_alu op, int dst, int32_t imm)
{
    if (imm == 128 && (op == X_ADD || op == X_SUB)) {
        op = op == X_ADD ? X_SUB : X_ADD;
        imm = -128;
    }
    x_rex(j, w, 0, dst, false);
    if (fits8(imm)) {
        jit_put1(j, 0x83);
        x_modrm(j, 3, op, dst);
        jit_put1(j, imm);
    } else {
        if (dst == RAX) {
            jit_put1(j, op << 3 | 5);
        } else {
            jit_put1(j, 0x81);
            x_modrm(j, 3, op, dst);
        }
        jit_put4(j, imm);
    }
}

static inline void
x_test(struct jit *j, bool w, int a, int b)
{
    x_rr(j, w, 0x85, b, a);
}

static inline void
x_test_imm(struct jit *j, bool w, int reg, int32_t imm)
{
    bool byte = imm >= 0 && imm <= 0x7f;

    x_rex(j, w && imm < 0, 0, reg, byte && reg >= RSP);
    jit_put1(j, byte ? 0xf6 : 0xf7);
    x_modrm(j, 3, 0, reg);
    if (byte) {
        jit_put1(j, imm);
    } else {
        jit_put4(j, imm);
    }
}

/* A 64-bit constant.  Flags change if it is 0. */
static inline void
x_mov_imm(struct jit *j, int dst, uint64_t imm)
{
    if (!imm) {
        x_alu(j, false, X_XOR, dst, dst);
    } else if (imm <= UINT32_MAX) {
        x_rex(j, false, 0, dst, false);
        jit_put1(j, 0xb8 | (dst & 7));
        jit_put4(j, imm);
    } else if (fits32(imm)) {
        x_rex(j, true, 0, dst, false);
        jit_put1(j, 0xc7);
        x_modrm(j, 3, 0, dst);
        jit_put4(j, imm);
    } else {
        x_rex(j, true, 0, dst, false);
        jit_put1(j, 0xb8 | (dst & 7));
        jit_put8(j, imm);
    }
}

static inline void
x_shift_imm(struct jit *j, bool w, enum x86_shift op, int dst, int n)
{
    x_rex(j, w, 0, dst, false);
    jit_put1(j, n == 1 ? 0xd1 : 0xc1);
    x_modrm(j, 3, op, dst);
    if (n != 1) {
        jit_put1(j, n);
    }
}

/* dst = dst shift by, with BMI2: no flags, any register. */
static inline void
x_shift_bmi2(struct jit *j, bool w, enum x86_shift op, int dst, int by)
{
    uint8_t pp = op == X_SHL ? 1 : op == X_SHR ? 3 : 2;

    jit_put1(j, 0xc4);
    jit_put1(j, (dst < 8) << 7 | 1 << 6 | (dst < 8) << 5 | 2);
    jit_put1(j, w << 7 | (~by & 15) << 3 | pp);
    jit_put1(j, 0xf7);
    x_modrm(j, 3, dst, dst);
}

/* shift dst by cl. */
static inline void
x_shift_cl(struct jit *j, bool w, enum x86_shift op, int dst)
{
    x_rex(j, w, 0, dst, false);
    jit_put1(j, 0xd3);
    x_modrm(j, 3, op, dst);
}

/* dst = src * imm */
static inline void
x_imul_imm(struct jit *j, bool w, int dst, int src, int32_t imm)
{
    x_rex(j, w, dst, src, false);
    jit_put1(j, fits8(imm) ? 0x6b : 0x69);
    x_modrm(j, 3, dst, src);
    if (fits8(imm)) {
        jit_put1(j, imm);
    } else {
        jit_put4(j, imm);
    }
}

static inline void
x_bswap(struct jit *j, bool w, int reg)
{
    x_rex(j, w, 0, reg, false);
    jit_put1(j, 0x0f);
    jit_put1(j, 0xc8 | (reg & 7));
}

/* neg (3), div (6), idiv (7): opcode 0xf7 /n. */
static inline void
x_group3(struct jit *j, bool w, int n, int reg)
{
    x_rex(j, w, 0, reg, false);
    jit_put1(j, 0xf7);
    x_modrm(j, 3, n, reg);
}

static inline void
x_push(struct jit *j, int reg)
{
    x_rex(j, false, 0, reg, false);
    jit_put1(j, 0x50 | (reg & 7));
}

static inline void
x_pop(struct jit *j, int reg)
{
    x_rex(j, false, 0, reg, false);
    jit_put1(j, 0x58 | (reg & 7));
}

/* dst = [base + off] of 'size' bytes, zero-extended. */
static inline void
x_load(struct jit *j, int size, int dst, struct x86_at m)
{
    x_rex(j, size == 8, dst, m.base, false);
    if (size < 4) {
        jit_put1(j, 0x0f);
        jit_put1(j, size == 1 ? 0xb6 : 0xb7);
    } else {
        jit_put1(j, 0x8b);
    }
    x_mem(j, dst, m);
}

/* The same, sign-extended to 64 bits; size 1, 2, 4. */
static inline void
x_load_signed(struct jit *j, int size, int dst, struct x86_at m)
{
    x_rex(j, true, dst, m.base, false);
    if (size < 4) {
        jit_put1(j, 0x0f);
        jit_put1(j, size == 1 ? 0xbe : 0xbf);
    } else {
        jit_put1(j, 0x63);
    }
    x_mem(j, dst, m);
}

/* op [base + off], reg, with the opcode's byte form for size 1. */
static inline void
x_mem_op(struct jit *j, int size, uint8_t op, int reg, struct x86_at m)
{
    if (size == 2) {
        jit_put1(j, 0x66);
    }
    x_rex(j, size == 8, reg, m.base, size == 1 && reg >= RSP);
    jit_put1(j, size == 1 ? op & ~1 : op);
    x_mem(j, reg, m);
}

static inline void
x_store(struct jit *j, int size, struct x86_at m, int src)
{
    x_mem_op(j, size, 0x89, src, m);
}

static inline void
x_store_imm(struct jit *j, int size, struct x86_at m, int32_t imm)
{
    if (size == 2) {
        jit_put1(j, 0x66);
    }
    x_rex(j, size == 8, 0, m.base, false);
    jit_put1(j, size == 1 ? 0xc6 : 0xc7);
    x_mem(j, 0, m);
    jit_put(j, &imm, size == 8 ? 4 : size);
}

/* reg op= [m], op among enum x86_alu; with X_CMP: compares reg with it.
 * Size 1, 4 or 8. */
static inline void
x_alu_load(struct jit *j, int size, enum x86_alu op, int reg,
           struct x86_at m)
{
    x_mem_op(j, size, op << 3 | 3, reg, m);
}

/* [m] op= reg, or compares it with reg; any size. */
static inline void
x_alu_store(struct jit *j, int size, enum x86_alu op, struct x86_at m,
            int reg)
{
    x_mem_op(j, size, op << 3 | 1, reg, m);
}

/* [m] op= imm, or compares it; any size. */
static inline void
x_alu_store_imm(struct jit *j, int size, enum x86_alu op, struct x86_at m,
                int32_t imm)
{
    bool small = fits8(imm) || (size == 2 && imm == (uint16_t) (int8_t) imm);

    if (size == 2) {
        jit_put1(j, 0x66);
    }
    x_rex(j, size == 8, 0, m.base, false);
    jit_put1(j, size == 1 ? 0x80 : small ? 0x83 : 0x81);
    x_mem(j, op, m);
    jit_put(j, &imm, size == 1 || small ? 1 : size == 2 ? 2 : 4);
}

/* test [m], imm; any size. */
static inline void
x_test_mem_imm(struct jit *j, int size, struct x86_at m, int32_t imm)
{
    if (size == 2) {
        jit_put1(j, 0x66);
    }
    x_rex(j, size == 8, 0, m.base, false);
    jit_put1(j, size == 1 ? 0xf6 : 0xf7);
    x_mem(j, 0, m);
    jit_put(j, &imm, size == 8 ? 4 : size);
}

static inline void
x_lea(struct jit *j, bool w, int dst, struct x86_at m)
{
    x_rex(j, w, dst, m.base, false);
    jit_put1(j, 0x8d);
    x_mem(j, dst, m);
}

/* dst = a + b; neither is rsp. */
static inline void
x_lea_sum(struct jit *j, bool w, int dst, int a, int b)
{
    uint8_t rex = w << 3 | (dst >= 8) << 2 | (b >= 8) << 1 | (a >= 8);

    if (rex) {
        jit_put1(j, 0x40 | rex);
    }
    jit_put1(j, 0x8d);
    jit_put1(j, ((a & 7) == RBP) << 6 | (dst & 7) << 3 | 4);
    jit_put1(j, (b & 7) << 3 | (a & 7));
    if ((a & 7) == RBP) {
        jit_put1(j, 0);
    }
}

static inline void
x_cmov(struct jit *j, bool w, enum x86_cc cc, int dst, int src)
{
    x_rr0f(j, w, 0x40 | cc, dst, src);
}

/* movbe dst, [m] (0xf0) or [m], reg (0xf1); size 4 or 8. */
static inline void
x_movbe(struct jit *j, int size, uint8_t op, int reg, struct x86_at m)
{
    x_rex(j, size == 8, reg, m.base, false);
    jit_put1(j, 0x0f);
    jit_put1(j, 0x38);
    jit_put1(j, op);
    x_mem(j, reg, m);
}

/* A prefix of segment fs, and its address 'off'. */
static inline void
x_fs(struct jit *j)
{
    jit_put1(j, 0x64);
}

static inline void
x_mem_fs(struct jit *j, int reg, int32_t off)
{
    x_modrm(j, 0, reg, 4);
    jit_put1(j, 0x25);
    jit_put4(j, off);
}

#endif /* jit/x86_64.h */
