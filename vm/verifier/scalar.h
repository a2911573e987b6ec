/* SPDX-License-Identifier: Apache-2.0 */

/* What the verifier knows of a 64-bit number: known bits and ranges.
 *
 * Five domains describe the same number and sharpen one another: the tnum
 * (known bits), the unsigned and signed ranges of all 64 bits, and those of
 * the low 32 bits.  scalar_sync() is the one place where they meet.
 *
 * Soundness: if x is in 'a' and y in 'b', the result of the operation on x
 * and y is in the abstract result.  tests/unit/test-vm-scalar.c checks every
 * operator exhaustively over small numbers placed at each boundary.
 *
 * Semantics are RFC 9669's: division by zero gives 0, modulo by zero leaves
 * the dividend, shift amounts are taken modulo the width, 32-bit operations
 * zero the upper half.
 *
 * Values only: no allocation, any thread. */

#ifndef VM_VERIFIER_SCALAR_H
#define VM_VERIFIER_SCALAR_H 1

#include <stdbool.h>
#include <stdint.h>
#include "vm/verifier/tnum.h"

/* Bounds of a number of 'width' bits (32 or 64), as unsigned and as signed.
 * With width 32, umax <= UINT32_MAX and the signed bounds are int32_t's. */
struct range {
    uint64_t umin, umax;
    int64_t smin, smax;
};

struct scalar {
    struct tnum bits;
    struct range r64;           /* Of the whole number. */
    struct range r32;           /* Of its low half. */
};

/* Operators: those of the ALU and ALU64 classes. */
enum scalar_op {
    SCALAR_ADD,
    SCALAR_SUB,
    SCALAR_MUL,
    SCALAR_DIV,
    SCALAR_MOD,
    SCALAR_SDIV,
    SCALAR_SMOD,
    SCALAR_AND,
    SCALAR_OR,
    SCALAR_XOR,
    SCALAR_LSH,
    SCALAR_RSH,
    SCALAR_ARSH
};

/* Conditions of jumps; SCALAR_SET is '(a & b) != 0'. */
enum scalar_cond {
    SCALAR_EQ,
    SCALAR_NE,
    SCALAR_GT,
    SCALAR_GE,
    SCALAR_LT,
    SCALAR_LE,
    SCALAR_SGT,
    SCALAR_SGE,
    SCALAR_SLT,
    SCALAR_SLE,
    SCALAR_SET,
    SCALAR_NSET
};

struct scalar scalar_unknown(void);
struct scalar scalar_const(uint64_t);
/* Unsigned numbers of 'bits' bits. */
struct scalar scalar_bits(int bits);
/* min <= x <= max, unsigned. */
struct scalar scalar_between(uint64_t min, uint64_t max);

static inline bool
scalar_is_const(const struct scalar *s)
{
    return tnum_is_const(s->bits);
}

bool scalar_contains(const struct scalar *, uint64_t);

/* True if every member of 'b' is a member of 'a'. */
bool scalar_covers(const struct scalar *a, const struct scalar *b);

/* Lets each domain sharpen the others.  Returns false if no number satisfies
 * them all: the path that led here cannot be taken. */
bool scalar_sync(struct scalar *);

/* '*dst = *dst op *src', on 64 bits, or on 32 bits zero-extended.  Of what
 * turns out to be no number, any number. */
void scalar_alu(struct scalar *dst, enum scalar_op, const struct scalar *src,
                int width);
void scalar_neg(struct scalar *, int width);
/* The low 'bits' bits, zero-extended or sign-extended to 'width' bits (and
 * zero-extended from there).  The same. */
void scalar_zext(struct scalar *, int bits);
void scalar_sext(struct scalar *, int bits, int width);
void scalar_bswap(struct scalar *, int bits);

/* What the comparison says in advance: 1 always true, 0 never, -1 unknown.
 * 'width' 32 compares the low halves. */
int scalar_decide(const struct scalar *a, enum scalar_cond,
                  const struct scalar *b, int width);

/* Narrows 'a' and 'b' to the numbers for which the condition holds.  Returns
 * false if there are none. */
bool scalar_refine(struct scalar *a, enum scalar_cond, struct scalar *b,
                   int width);

/* The condition that holds when 'cond' does not. */
enum scalar_cond scalar_cond_not(enum scalar_cond cond);

#endif /* vm/verifier/scalar.h */
