/* SPDX-License-Identifier: Apache-2.0 */

#include "vm/verifier/tnum.h"

static uint64_t
low_bits(int bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static struct tnum
make(uint64_t value, uint64_t mask)
{
    return (struct tnum) { value & ~mask, mask };
}

struct tnum
tnum_range(uint64_t min, uint64_t max)
{
    uint64_t differ = min ^ max;
    int bits = differ ? 64 - __builtin_clzll(differ) : 0;
    uint64_t unknown = low_bits(bits);

    return make(min, unknown);
}

bool
tnum_intersect(struct tnum a, struct tnum b, struct tnum *out)
{
    if ((a.value ^ b.value) & ~a.mask & ~b.mask) {
        return false;
    }
    *out = make(a.value | b.value, a.mask & b.mask);
    return true;
}

/* The sum is uncertain wherever a carry into the bit can differ between the
 * smallest sum (unknown bits 0) and the largest (unknown bits 1). */
struct tnum
tnum_add(struct tnum a, struct tnum b)
{
    uint64_t least = a.value + b.value;
    uint64_t most = least + (a.mask + b.mask);

    return make(least, (least ^ most) | a.mask | b.mask);
}

struct tnum
tnum_sub(struct tnum a, struct tnum b)
{
    uint64_t diff = a.value - b.value;
    uint64_t most = diff + a.mask;
    uint64_t least = diff - b.mask;

    return make(diff, (least ^ most) | a.mask | b.mask);
}

/* Long multiplication: the known product, plus for each bit of 'a' that may
 * be one the uncertainty that it adds. */
struct tnum
tnum_mul(struct tnum a, struct tnum b)
{
    uint64_t known = a.value * b.value;
    struct tnum doubt = tnum_const(0);

    while (a.value || a.mask) {
        if (a.value & 1) {
            doubt = tnum_add(doubt, make(0, b.mask));
        } else if (a.mask & 1) {
            doubt = tnum_add(doubt, make(0, b.value | b.mask));
        }
        a.value >>= 1;
        a.mask >>= 1;
        b.value <<= 1;
        b.mask <<= 1;
    }
    return tnum_add(tnum_const(known), doubt);
}

struct tnum
tnum_and(struct tnum a, struct tnum b)
{
    uint64_t ones = a.value & b.value;
    uint64_t maybe = (a.value | a.mask) & (b.value | b.mask);

    return make(ones, maybe & ~ones);
}

struct tnum
tnum_or(struct tnum a, struct tnum b)
{
    uint64_t ones = a.value | b.value;

    return make(ones, (a.mask | b.mask) & ~ones);
}

struct tnum
tnum_xor(struct tnum a, struct tnum b)
{
    return make(a.value ^ b.value, a.mask | b.mask);
}

struct tnum
tnum_shl(struct tnum a, unsigned int n, int width)
{
    uint64_t keep = low_bits(width);

    return make(a.value << n & keep, a.mask << n & keep);
}

struct tnum
tnum_shr(struct tnum a, unsigned int n)
{
    return make(a.value >> n, a.mask >> n);
}

struct tnum
tnum_sar(struct tnum a, unsigned int n, int width)
{
    struct tnum wide = tnum_sext(a, width);
    uint64_t keep = low_bits(width);

    return make((uint64_t) ((int64_t) wide.value >> n) & keep,
                (uint64_t) ((int64_t) wide.mask >> n) & keep);
}

struct tnum
tnum_zext(struct tnum a, int bits)
{
    uint64_t keep = low_bits(bits);

    return make(a.value & keep, a.mask & keep);
}

/* Value and mask both extend by their own top bit: an unknown sign makes all
 * upper bits unknown. */
struct tnum
tnum_sext(struct tnum a, int bits)
{
    int shift = 64 - bits;

    return make((uint64_t) ((int64_t) (a.value << shift) >> shift),
                (uint64_t) ((int64_t) (a.mask << shift) >> shift));
}

static uint64_t
swap(uint64_t x, int bits)
{
    return __builtin_bswap64(x) >> (64 - bits);
}

struct tnum
tnum_bswap(struct tnum a, int bits)
{
    return make(swap(a.value, bits), swap(a.mask, bits));
}
