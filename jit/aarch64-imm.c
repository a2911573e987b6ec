/* SPDX-License-Identifier: Apache-2.0 */

/* AArch64: constants, in instructions and in registers. */

#include "jit/aarch64-parts.h"

/* -- Logical immediates -- */

static uint64_t
ones(int n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* Size of the element that 'x' repeats: 2, 4, ... 64. */
static int
period(uint64_t x)
{
    int size = 64;

    while (size > 2) {
        int half = size / 2;

        if ((x & ones(half)) != (x >> half & ones(half))) {
            break;
        }
        size = half;
    }
    return size;
}

/* The constant repeats an element, which is a run of ones, rotated right
 * (Arm ARM, DecodeBitMasks()). */
bool
a64_logical(uint64_t imm, bool w, uint32_t *bits)
{
    uint64_t x = w ? imm : (uint32_t) imm | imm << 32;
    int size, n, rotate;

    if (!x || x == UINT64_MAX) {
        return false;
    }
    size = period(x);
    x &= ones(size);
    n = __builtin_popcountll(x);
    if (!(x & 1)) {
        int zeros = __builtin_ctzll(x);

        if (x >> zeros != ones(n)) {
            return false;
        }
        rotate = size - zeros;
    } else {
        int low = __builtin_ctzll(~x), high = n - low;

        if (x != (ones(low) | ones(high) << (size - high))) {
            return false;
        }
        rotate = high;
    }
    *bits = (size == 64) << 12 | rotate << 6
            | ((~(2 * size - 1) & 0x3f) | (n - 1));
    return true;
}

/* -- Registers -- */

/* Halves of 16 bits of 'imm' that are 'value'. */
static int
count_halves(uint64_t imm, int n_halves, uint16_t value)
{
    int n = 0;

    for (int i = 0; i < n_halves; i++) {
        n += (uint16_t) (imm >> 16 * i) == value;
    }
    return n;
}

/* movz or movn sets the first half that is not the background, movk the
 * others. */
static void
mov_halves(struct jit *j, bool w, int d, uint64_t imm)
{
    int n = w ? 4 : 2;
    bool inverted = count_halves(imm, n, 0xffff) > count_halves(imm, n, 0);
    uint16_t background = inverted ? 0xffff : 0;
    bool first = true;

    for (int i = 0; i < n; i++) {
        uint16_t half = imm >> 16 * i;

        if (half == background) {
            continue;
        } else if (!first) {
            a64_movk(j, w, d, i, half);
        } else if (inverted) {
            a64_movn(j, w, d, i, ~half);
        } else {
            a64_movz(j, w, d, i, half);
        }
        first = false;
    }
    if (first && inverted) {
        a64_movn(j, w, d, 0, 0);
    } else if (first) {
        a64_movz(j, w, d, 0, 0);
    }
}

void
a64_mov_imm(struct jit *j, int d, uint64_t imm)
{
    bool w = imm > UINT32_MAX;
    int n = w ? 4 : 2, same = count_halves(imm, n, 0);
    uint32_t bits;

    if (count_halves(imm, n, 0xffff) > same) {
        same = count_halves(imm, n, 0xffff);
    }
    if (same < n - 1 && a64_logical(imm, w, &bits)) {
        a64_logic_imm(j, w, A64_ORR, A64_DN(d, A64_ZR), bits);
    } else {
        mov_halves(j, w, d, imm);
    }
}

/* -- Operations with a constant -- */

void
a64_add_const(struct jit *j, bool w, int dn[2], int64_t imm, int scratch)
{
    uint64_t size = imm < 0 ? -(uint64_t) imm : (uint64_t) imm;
    uint32_t op = (imm < 0 ? 0x51 : 0x11) | w << 7;
    int d = dn[0], n = dn[1];

    if (a64_fits12(size)) {
        a64_addsub_imm(j, op, d, n, size);
    } else if (size <= 0xffffff) {
        a64_addsub_imm(j, op, d, n, size & 0xfff000);
        a64_addsub_imm(j, op, d, d, size & 0xfff);
    } else {
        a64_mov_imm(j, scratch, w ? (uint64_t) imm : (uint32_t) imm);
        a64_add(j, w, d, n, scratch);
    }
}

/* cmp x, -c and cmn x, c set the same flags for all c but 0 and the smallest
 * number, and neither of these is negated here. */
void
a64_cmp_const(struct jit *j, bool w, int n, int64_t imm, int scratch)
{
    uint64_t size = imm < 0 ? -(uint64_t) imm : (uint64_t) imm;

    if (a64_fits12(size)) {
        a64_addsub_imm(j, (imm < 0 ? 0x31 : 0x71) | w << 7, A64_ZR, n, size);
    } else {
        a64_mov_imm(j, scratch, w ? (uint64_t) imm : (uint32_t) imm);
        a64_cmp(j, w, n, scratch);
    }
}

void
a64_logic_const(struct jit *j, bool w, enum a64_logic op, int dn[2],
                int64_t imm)
{
    uint32_t bits;

    if (a64_logical(imm, w, &bits)) {
        a64_logic_imm(j, w, op, dn, bits);
    } else if (!imm) {
        a64_logic(j, w, op, A64_DNM(dn[0], dn[1], A64_ZR));
    } else {
        a64_mov_imm(j, A64_T0, w ? (uint64_t) imm : (uint32_t) imm);
        a64_logic(j, w, op, A64_DNM(dn[0], dn[1], A64_T0));
    }
}
