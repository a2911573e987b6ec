/* SPDX-License-Identifier: Apache-2.0 */

/* Tristate numbers: what is known of each bit of a 64-bit value.
 *
 * A bit is 0, 1 or unknown: 'mask' has a one where the bit is unknown,
 * 'value' has the bit where it is known (value & mask is always 0).  A tnum
 * stands for the set {x : (x & ~mask) == value}.
 *
 * Each operation returns a tnum that contains every result the operation can
 * have on members of its operands (soundness); tests/unit/test-vm-tnum.c
 * checks that exhaustively at small widths.  Addition, subtraction and
 * multiplication follow Vishwanathan et al., "Sound, Precise, and Fast
 * Abstract Interpretation with Tristate Numbers" (CGO 2022).
 *
 * Values only: no allocation, no state, any thread. */

#ifndef VM_VERIFIER_TNUM_H
#define VM_VERIFIER_TNUM_H 1

#include <stdbool.h>
#include <stdint.h>

struct tnum {
    uint64_t value;
    uint64_t mask;
};

#define TNUM_UNKNOWN ((struct tnum) { 0, UINT64_MAX })

static inline struct tnum
tnum_const(uint64_t x)
{
    return (struct tnum) { x, 0 };
}

static inline bool
tnum_is_const(struct tnum t)
{
    return !t.mask;
}

static inline bool
tnum_contains(struct tnum t, uint64_t x)
{
    return (x & ~t.mask) == t.value;
}

/* True if every member of 'b' is a member of 'a'. */
static inline bool
tnum_covers(struct tnum a, struct tnum b)
{
    return !(b.mask & ~a.mask) && (b.value & ~a.mask) == a.value;
}

/* The least tnum that contains all of [min, max]. */
struct tnum tnum_range(uint64_t min, uint64_t max);

/* Members of both, if there is one: returns false if 'a' and 'b' disagree on
 * a known bit (the intersection is empty) and leaves '*out' alone. */
bool tnum_intersect(struct tnum a, struct tnum b, struct tnum *out);

struct tnum tnum_add(struct tnum, struct tnum);
struct tnum tnum_sub(struct tnum, struct tnum);
struct tnum tnum_mul(struct tnum, struct tnum);
struct tnum tnum_and(struct tnum, struct tnum);
struct tnum tnum_or(struct tnum, struct tnum);
struct tnum tnum_xor(struct tnum, struct tnum);

/* Shifts by a constant below 'width' (32 or 64).  With width 32 the operand
 * must have its upper half known to be zero, and the result has. */
struct tnum tnum_shl(struct tnum, unsigned int n, int width);
struct tnum tnum_shr(struct tnum, unsigned int n);
struct tnum tnum_sar(struct tnum, unsigned int n, int width);

/* Low 'bits' bits, zero-extended or sign-extended to 64 bits. */
struct tnum tnum_zext(struct tnum, int bits);
struct tnum tnum_sext(struct tnum, int bits);

/* Bytes of the low 'bits' bits reversed, zero-extended. */
struct tnum tnum_bswap(struct tnum, int bits);

#endif /* vm/verifier/tnum.h */
