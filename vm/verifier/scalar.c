/* SPDX-License-Identifier: Apache-2.0 */

#include "vm/verifier/scalar.h"

#define MIN(A, B) ((A) < (B) ? (A) : (B))
#define MAX(A, B) ((A) > (B) ? (A) : (B))

static uint64_t
umax_of(int width)
{
    return width == 64 ? UINT64_MAX : UINT32_MAX;
}

static int64_t
smin_of(int width)
{
    return width == 64 ? INT64_MIN : INT32_MIN;
}

static int64_t
smax_of(int width)
{
    return width == 64 ? INT64_MAX : INT32_MAX;
}

static struct range
range_full(int width)
{
    return (struct range) { 0, umax_of(width), smin_of(width),
                            smax_of(width) };
}

/* As a signed number of 'width' bits. */
static int64_t
to_signed(uint64_t x, int width)
{
    return width == 64 ? (int64_t) x : (int32_t) x;
}

static uint64_t
to_unsigned(int64_t x, int width)
{
    return width == 64 ? (uint64_t) x : (uint32_t) x;
}

struct scalar
scalar_unknown(void)
{
    return (struct scalar) { TNUM_UNKNOWN, range_full(64), range_full(32) };
}

struct scalar
scalar_const(uint64_t x)
{
    return (struct scalar) {
        tnum_const(x),
        { x, x, (int64_t) x, (int64_t) x },
        { (uint32_t) x, (uint32_t) x, (int32_t) x, (int32_t) x }
    };
}

struct scalar
scalar_between(uint64_t min, uint64_t max)
{
    struct scalar s = scalar_unknown();

    s.r64.umin = min;
    s.r64.umax = max;
    scalar_sync(&s);
    return s;
}

struct scalar
scalar_bits(int bits)
{
    return bits >= 64 ? scalar_unknown()
                      : scalar_between(0, (UINT64_C(1) << bits) - 1);
}

static bool
range_contains(const struct range *r, uint64_t x, int width)
{
    int64_t s = to_signed(x, width);

    return r->umin <= x && x <= r->umax && r->smin <= s && s <= r->smax;
}

bool
scalar_contains(const struct scalar *a, uint64_t x)
{
    return tnum_contains(a->bits, x) && range_contains(&a->r64, x, 64)
           && range_contains(&a->r32, (uint32_t) x, 32);
}

static bool
range_covers(const struct range *a, const struct range *b)
{
    return a->umin <= b->umin && b->umax <= a->umax && a->smin <= b->smin
           && b->smax <= a->smax;
}

bool
scalar_covers(const struct scalar *a, const struct scalar *b)
{
    return tnum_covers(a->bits, b->bits) && range_covers(&a->r64, &b->r64)
           && range_covers(&a->r32, &b->r32);
}

/* -- Meeting of the domains -- */

static bool
range_empty(const struct range *r)
{
    return r->umin > r->umax || r->smin > r->smax;
}

static void
clip_unsigned(struct range *r, uint64_t min, uint64_t max)
{
    r->umin = MAX(r->umin, min);
    r->umax = MIN(r->umax, max);
}

static void
clip_signed(struct range *r, int64_t min, int64_t max)
{
    r->smin = MAX(r->smin, min);
    r->smax = MIN(r->smax, max);
}

/* Where a range does not cross the border between signs, its unsigned and
 * its signed form are the same interval. */
static void
range_sync(struct range *r, struct tnum bits, int width)
{
    uint64_t sign = UINT64_C(1) << (width - 1);

    clip_unsigned(r, bits.value, bits.value | bits.mask);
    clip_signed(r, to_signed(bits.value | (bits.mask & sign), width),
                to_signed(bits.value | (bits.mask & ~sign), width));
    if (to_signed(r->umin, width) <= to_signed(r->umax, width)) {
        clip_signed(r, to_signed(r->umin, width), to_signed(r->umax, width));
    }
    if (to_unsigned(r->smin, width) <= to_unsigned(r->smax, width)) {
        clip_unsigned(r, to_unsigned(r->smin, width),
                      to_unsigned(r->smax, width));
    }
}

/* The low half follows the whole where the upper half does not change in the
 * range, and then the whole follows the low half. */
static void
halves_sync(struct scalar *s)
{
    uint64_t high = s->r64.umin & ~(uint64_t) UINT32_MAX;

    if (high == (s->r64.umax & ~(uint64_t) UINT32_MAX)) {
        clip_unsigned(&s->r32, (uint32_t) s->r64.umin,
                      (uint32_t) s->r64.umax);
        clip_unsigned(&s->r64, high | s->r32.umin, high | s->r32.umax);
    }
    if (s->r64.smin >= INT32_MIN && s->r64.smax <= INT32_MAX) {
        clip_signed(&s->r32, s->r64.smin, s->r64.smax);
        clip_signed(&s->r64, s->r32.smin, s->r32.smax);
    }
}

/* Known bits that the ranges imply.  Returns false on contradiction. */
static bool
bits_sync(struct scalar *s)
{
    struct tnum low, low_known, high;

    if (!tnum_intersect(s->bits, tnum_range(s->r64.umin, s->r64.umax),
                        &s->bits)) {
        return false;
    }
    low = tnum_zext(s->bits, 32);
    if (!tnum_intersect(low, tnum_range(s->r32.umin, s->r32.umax),
                        &low_known)) {
        return false;
    }
    high = (struct tnum) { s->bits.value & ~(uint64_t) UINT32_MAX,
                           s->bits.mask & ~(uint64_t) UINT32_MAX };
    s->bits = tnum_or(high, low_known);
    return true;
}

bool
scalar_sync(struct scalar *s)
{
    /* Each round can feed the next; three reach the fixed point for what
     * programs do, and stopping early only loses precision. */
    for (int i = 0; i < 3; i++) {
        range_sync(&s->r64, s->bits, 64);
        range_sync(&s->r32, tnum_zext(s->bits, 32), 32);
        halves_sync(s);
        if (range_empty(&s->r64) || range_empty(&s->r32) || !bits_sync(s)) {
            return false;
        }
    }
    return true;
}

/* For results: a contradiction that comes out only now, on a path that cannot
 * be taken, must not leave bounds that are the wrong way round.  Nor may it
 * end the path: a state covers others whose number, if it does not matter
 * there, is another. */
static void
sync_or_forget(struct scalar *s)
{
    if (!scalar_sync(s)) {
        *s = scalar_unknown();
    }
}

/* -- Arithmetic on ranges of one width -- */

static struct range
range_from_unsigned(uint64_t min, uint64_t max, int width)
{
    struct range r = range_full(width);

    r.umin = min;
    r.umax = max;
    return r;
}

static struct range
range_add(const struct range *a, const struct range *b, int width)
{
    struct range r = range_full(width);
    uint64_t umin, umax;
    int64_t smin, smax;

    if (!__builtin_add_overflow(a->umax, b->umax, &umax)
        && umax <= umax_of(width)) {
        umin = a->umin + b->umin;
        r.umin = umin;
        r.umax = umax;
    }
    if (!__builtin_add_overflow(a->smin, b->smin, &smin)
        && !__builtin_add_overflow(a->smax, b->smax, &smax)
        && smin >= smin_of(width) && smax <= smax_of(width)) {
        r.smin = smin;
        r.smax = smax;
    }
    return r;
}

static struct range
range_sub(const struct range *a, const struct range *b, int width)
{
    struct range r = range_full(width);
    int64_t smin, smax;

    if (a->umin >= b->umax) {
        r.umin = a->umin - b->umax;
        r.umax = a->umax - b->umin;
    }
    if (!__builtin_sub_overflow(a->smin, b->smax, &smin)
        && !__builtin_sub_overflow(a->smax, b->smin, &smax)
        && smin >= smin_of(width) && smax <= smax_of(width)) {
        r.smin = smin;
        r.smax = smax;
    }
    return r;
}

static struct range
range_mul(const struct range *a, const struct range *b, int width)
{
    uint64_t max;

    if (__builtin_mul_overflow(a->umax, b->umax, &max)
        || max > umax_of(width)) {
        return range_full(width);
    }
    return range_from_unsigned(a->umin * b->umin, max, width);
}

static struct range
range_div(const struct range *a, const struct range *b, int width)
{
    uint64_t min = b->umin ? a->umin / b->umax : 0;
    uint64_t max = a->umax / MAX(b->umin, 1);

    return range_from_unsigned(min, max, width);
}

static struct range
range_mod(const struct range *a, const struct range *b, int width)
{
    if (!b->umin) {
        return range_from_unsigned(0, a->umax, width);
    } else if (a->umax < b->umin) {
        return *a;
    }
    return range_from_unsigned(0, MIN(a->umax, b->umax - 1), width);
}

/* Bitwise operators: the tnum says most; these bounds are what it cannot. */
static struct range
range_bitwise(enum scalar_op op, const struct range *a, const struct range *b,
              int width)
{
    switch (op) {
    case SCALAR_AND:
        return range_from_unsigned(0, MIN(a->umax, b->umax), width);
    case SCALAR_OR:
        return range_from_unsigned(MAX(a->umin, b->umin), umax_of(width),
                                   width);
    default:
        return range_full(width);
    }
}

/* Shift amounts as they act: all of them when one may reach the width. */
static void
shift_bounds(const struct range *by, int width, unsigned int *min,
             unsigned int *max)
{
    if (by->umin == by->umax) {
        *min = *max = by->umin & (width - 1);
    } else if (by->umax < (uint64_t) width) {
        *min = by->umin;
        *max = by->umax;
    } else {
        *min = 0;
        *max = width - 1;
    }
}

static struct range
range_shift(enum scalar_op op, const struct range *a, const struct range *by,
            int width)
{
    struct range r = range_full(width);
    unsigned int min, max;

    shift_bounds(by, width, &min, &max);
    switch (op) {
    case SCALAR_LSH:
        if (a->umax <= umax_of(width) >> max) {
            r.umin = a->umin << min;
            r.umax = a->umax << max;
        }
        break;
    case SCALAR_RSH:
        r.umin = a->umin >> max;
        r.umax = a->umax >> min;
        break;
    default:
        r.smin = a->smin >> (a->smin < 0 ? min : max);
        r.smax = a->smax >> (a->smax < 0 ? max : min);
        break;
    }
    return r;
}

static struct range
range_alu(enum scalar_op op, const struct range *a, const struct range *b,
          int width)
{
    switch (op) {
    case SCALAR_ADD:
        return range_add(a, b, width);
    case SCALAR_SUB:
        return range_sub(a, b, width);
    case SCALAR_MUL:
        return range_mul(a, b, width);
    case SCALAR_DIV:
        return range_div(a, b, width);
    case SCALAR_MOD:
        return range_mod(a, b, width);
    case SCALAR_AND:
    case SCALAR_OR:
    case SCALAR_XOR:
        return range_bitwise(op, a, b, width);
    case SCALAR_LSH:
    case SCALAR_RSH:
    case SCALAR_ARSH:
        return range_shift(op, a, b, width);
    case SCALAR_SDIV:
    case SCALAR_SMOD:
        break;
    }
    return range_full(width);
}

/* -- Arithmetic on scalars -- */

/* Signed division of two known numbers, by RFC 9669's rules. */
static uint64_t
signed_div(enum scalar_op op, uint64_t a, uint64_t b, int width)
{
    int64_t x = to_signed(a, width), y = to_signed(b, width);

    if (!y) {
        return op == SCALAR_SDIV ? 0 : a;
    } else if (y == -1) {
        return op == SCALAR_SDIV ? -(uint64_t) x : 0;
    }
    return op == SCALAR_SDIV ? x / y : x % y;
}

static struct tnum
bits_shift(enum scalar_op op, struct tnum a, struct tnum by, int width)
{
    unsigned int n = by.value & (width - 1);

    if (by.mask & (width - 1)) {
        return tnum_zext(TNUM_UNKNOWN, width);
    }
    switch (op) {
    case SCALAR_LSH:
        return tnum_shl(a, n, width);
    case SCALAR_RSH:
        return tnum_shr(a, n);
    default:
        return tnum_sar(a, n, width);
    }
}

static struct tnum
bits_div(enum scalar_op op, struct tnum a, struct tnum b, int width)
{
    uint64_t x = a.value, y = b.value;

    if (!tnum_is_const(a) || !tnum_is_const(b)) {
        return TNUM_UNKNOWN;
    }
    switch (op) {
    case SCALAR_DIV:
        return tnum_const(y ? x / y : 0);
    case SCALAR_MOD:
        return tnum_const(y ? x % y : x);
    default:
        return tnum_const(signed_div(op, x, y, width));
    }
}

static struct tnum
bits_alu(enum scalar_op op, struct tnum a, struct tnum b, int width)
{
    switch (op) {
    case SCALAR_ADD:
        return tnum_add(a, b);
    case SCALAR_SUB:
        return tnum_sub(a, b);
    case SCALAR_MUL:
        return tnum_mul(a, b);
    case SCALAR_AND:
        return tnum_and(a, b);
    case SCALAR_OR:
        return tnum_or(a, b);
    case SCALAR_XOR:
        return tnum_xor(a, b);
    case SCALAR_LSH:
    case SCALAR_RSH:
    case SCALAR_ARSH:
        return bits_shift(op, a, b, width);
    default:
        return bits_div(op, a, b, width);
    }
}

/* True if the low half of the result depends on the low halves alone. */
static bool
is_low_closed(enum scalar_op op)
{
    return op == SCALAR_ADD || op == SCALAR_SUB || op == SCALAR_MUL
           || op == SCALAR_AND || op == SCALAR_OR || op == SCALAR_XOR;
}

/* The number is its low half, zero-extended. */
static void
zero_extend_low(struct scalar *s)
{
    s->bits = tnum_zext(s->bits, 32);
    s->r64 = range_from_unsigned(s->r32.umin, s->r32.umax, 64);
}

void
scalar_alu(struct scalar *dst, enum scalar_op op, const struct scalar *src,
           int width)
{
    struct scalar a = *dst, b = *src;

    if (width == 32) {
        zero_extend_low(&a);
        zero_extend_low(&b);
        dst->r32 = range_alu(op, &a.r32, &b.r32, 32);
        dst->bits = bits_alu(op, a.bits, b.bits, 32);
        zero_extend_low(dst);
    } else {
        dst->r64 = range_alu(op, &a.r64, &b.r64, 64);
        dst->r32 = is_low_closed(op) ? range_alu(op, &a.r32, &b.r32, 32)
                                     : range_full(32);
        dst->bits = bits_alu(op, a.bits, b.bits, 64);
    }
    sync_or_forget(dst);
}

void
scalar_neg(struct scalar *s, int width)
{
    struct scalar zero = scalar_const(0);

    scalar_alu(&zero, SCALAR_SUB, s, width);
    *s = zero;
}

void
scalar_zext(struct scalar *s, int bits)
{
    if (bits == 32) {
        zero_extend_low(s);
    } else if (bits < 32 && s->r64.umax >> bits) {
        struct tnum low = tnum_zext(s->bits, bits);

        *s = scalar_bits(bits);
        s->bits = low;
    }
    sync_or_forget(s);
}

void
scalar_sext(struct scalar *s, int bits, int width)
{
    struct scalar old = *s;
    int64_t min = -(INT64_C(1) << (bits - 1)), max = -(min + 1);
    const struct range *from = bits == 32 ? &old.r32 : &old.r64;

    *s = scalar_unknown();
    s->bits = tnum_sext(old.bits, bits);
    clip_signed(&s->r64, min, max);
    if (from->smin >= min && from->smax <= max) {
        clip_signed(&s->r64, from->smin, from->smax);
    }
    sync_or_forget(s);
    if (width == 32) {
        scalar_zext(s, 32);
    }
}

void
scalar_bswap(struct scalar *s, int bits)
{
    struct tnum swapped = tnum_bswap(s->bits, bits);

    *s = scalar_unknown();
    s->bits = swapped;
    sync_or_forget(s);
}
