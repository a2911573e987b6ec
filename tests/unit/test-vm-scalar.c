/* SPDX-License-Identifier: Apache-2.0 */

/* Every abstract operator of the verifier against every concrete result, over
 * small numbers placed where 64- and 32-bit arithmetic has its borders. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "vm/verifier/scalar.h"

#define WIDTH 4                 /* Bits of the exhaustive tnum tests. */
#define N_VALUES (1u << WIDTH)

/* Next tnum of WIDTH bits after (*value, *mask); false after the last. */
static bool
next_tnum(struct tnum *t)
{
    do {
        if (++t->mask == N_VALUES) {
            t->mask = 0;
            if (++t->value == N_VALUES) {
                return false;
            }
        }
    } while (t->value & t->mask);
    return true;
}

struct tnum_case {
    const char *name;
    struct tnum (*abstract)(struct tnum, struct tnum);
    uint64_t (*concrete)(uint64_t, uint64_t);
};

static uint64_t c_add(uint64_t a, uint64_t b) { return a + b; }
static uint64_t c_sub(uint64_t a, uint64_t b) { return a - b; }
static uint64_t c_mul(uint64_t a, uint64_t b) { return a * b; }
static uint64_t c_and(uint64_t a, uint64_t b) { return a & b; }
static uint64_t c_or(uint64_t a, uint64_t b) { return a | b; }
static uint64_t c_xor(uint64_t a, uint64_t b) { return a ^ b; }

static void
check_tnum_pair(const struct tnum_case *c, struct tnum a, struct tnum b)
{
    struct tnum r = c->abstract(a, b);

    assert_int_equal(r.value & r.mask, 0);
    for (uint64_t x = 0; x < N_VALUES; x++) {
        for (uint64_t y = 0; tnum_contains(a, x) && y < N_VALUES; y++) {
            if (tnum_contains(b, y)
                && !tnum_contains(r, c->concrete(x, y))) {
                fail_msg("tnum_%s: %"PRIu64" and %"PRIu64, c->name, x, y);
            }
        }
    }
}

static void
test_tnum_operators(void **state)
{
    static const struct tnum_case cases[] = {
        { "add", tnum_add, c_add }, { "sub", tnum_sub, c_sub },
        { "mul", tnum_mul, c_mul }, { "and", tnum_and, c_and },
        { "or", tnum_or, c_or },    { "xor", tnum_xor, c_xor },
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tnum a = { 0, 0 };

        do {
            struct tnum b = { 0, 0 };

            do {
                check_tnum_pair(&cases[i], a, b);
            } while (next_tnum(&b));
        } while (next_tnum(&a));
    }
}

static void
test_tnum_range_and_covers(void **state)
{
    (void) state;
    for (uint64_t min = 0; min < 64; min++) {
        for (uint64_t max = min; max < 64; max++) {
            struct tnum t = tnum_range(min, max);

            for (uint64_t x = min; x <= max; x++) {
                assert_true(tnum_contains(t, x));
            }
        }
    }
    assert_true(tnum_covers(TNUM_UNKNOWN, tnum_const(5)));
    assert_false(tnum_covers(tnum_const(5), tnum_const(4)));
    assert_false(tnum_covers(tnum_const(5), tnum_range(4, 5)));
}

/* -- Scalars: ranges around each border -- */

#define SPAN 6                  /* Numbers on each side of a border. */

static const uint64_t borders[] = {
    0, 8, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_C(0x7fffffff00000000),
    UINT64_C(0xffffffff80000000), UINT64_C(0xffffffff00000000),
};
#define N_BORDERS (sizeof borders / sizeof borders[0])

/* An abstract number and its members. */
struct sample {
    struct scalar s;
    uint64_t members[2 * SPAN + 1];
    int n;
};

/* The numbers border + lo to border + hi, as an interval that does not wrap
 * in the signed order ('is_signed') or in the unsigned one. */
static bool
make_sample(uint64_t border, int lo, int hi, bool is_signed,
            struct sample *sample)
{
    uint64_t min = border + lo, max = border + hi;

    if (is_signed ? (int64_t) min > (int64_t) max : min > max) {
        return false;
    }
    sample->s = scalar_unknown();
    if (is_signed) {
        sample->s.r64.smin = min;
        sample->s.r64.smax = max;
    } else {
        sample->s.r64.umin = min;
        sample->s.r64.umax = max;
    }
    assert_true(scalar_sync(&sample->s));
    sample->n = 0;
    for (int i = lo; i <= hi; i++) {
        uint64_t x = border + i;

        assert_true(scalar_contains(&sample->s, x));
        sample->members[sample->n++] = x;
    }
    return true;
}

static uint64_t
concrete_alu(enum scalar_op op, uint64_t a, uint64_t b, int width)
{
    uint64_t r = 0;
    int64_t x = width == 64 ? (int64_t) a : (int32_t) a;
    int64_t y = width == 64 ? (int64_t) b : (int32_t) b;

    if (width == 32) {
        a = (uint32_t) a;
        b = (uint32_t) b;
    }
    switch (op) {
    case SCALAR_ADD: r = a + b; break;
    case SCALAR_SUB: r = a - b; break;
    case SCALAR_MUL: r = a * b; break;
    case SCALAR_DIV: r = b ? a / b : 0; break;
    case SCALAR_MOD: r = b ? a % b : a; break;
    case SCALAR_SDIV:
        r = !y ? 0 : y == -1 ? -(uint64_t) x : (uint64_t) (x / y);
        break;
    case SCALAR_SMOD:
        r = !y ? a : y == -1 ? 0 : (uint64_t) (x % y);
        break;
    case SCALAR_AND: r = a & b; break;
    case SCALAR_OR: r = a | b; break;
    case SCALAR_XOR: r = a ^ b; break;
    case SCALAR_LSH: r = a << (b & (width - 1)); break;
    case SCALAR_RSH: r = a >> (b & (width - 1)); break;
    case SCALAR_ARSH: r = x >> (b & (width - 1)); break;
    }
    return width == 64 ? r : (uint32_t) r;
}

static bool
concrete_cond(enum scalar_cond cond, uint64_t a, uint64_t b, int width)
{
    int64_t x = width == 64 ? (int64_t) a : (int32_t) a;
    int64_t y = width == 64 ? (int64_t) b : (int32_t) b;

    if (width == 32) {
        a = (uint32_t) a;
        b = (uint32_t) b;
    }
    switch (cond) {
    case SCALAR_EQ: return a == b;
    case SCALAR_NE: return a != b;
    case SCALAR_GT: return a > b;
    case SCALAR_GE: return a >= b;
    case SCALAR_LT: return a < b;
    case SCALAR_LE: return a <= b;
    case SCALAR_SGT: return x > y;
    case SCALAR_SGE: return x >= y;
    case SCALAR_SLT: return x < y;
    case SCALAR_SLE: return x <= y;
    case SCALAR_SET: return a & b;
    case SCALAR_NSET: return !(a & b);
    }
    return false;
}

static void
check_alu(const struct sample *a, const struct sample *b, int width)
{
    for (int op = SCALAR_ADD; op <= SCALAR_ARSH; op++) {
        struct scalar r = a->s;

        scalar_alu(&r, op, &b->s, width);
        for (int i = 0; i < a->n; i++) {
            for (int j = 0; j < b->n; j++) {
                uint64_t x = concrete_alu(op, a->members[i], b->members[j],
                                          width);

                if (!scalar_contains(&r, x)) {
                    fail_msg("op %d, %d bits: %#"PRIx64" and %#"PRIx64
                             " give %#"PRIx64, op, width, a->members[i],
                             b->members[j], x);
                }
            }
        }
    }
}

static void
check_cond(const struct sample *a, const struct sample *b, int width)
{
    for (int cond = SCALAR_EQ; cond <= SCALAR_NSET; cond++) {
        struct scalar ra = a->s, rb = b->s;
        int decision = scalar_decide(&a->s, cond, &b->s, width);
        bool possible = scalar_refine(&ra, cond, &rb, width);

        for (int i = 0; i < a->n; i++) {
            for (int j = 0; j < b->n; j++) {
                uint64_t x = a->members[i], y = b->members[j];
                bool holds = concrete_cond(cond, x, y, width);

                if ((decision >= 0 && holds != decision)
                    || (holds && !possible)
                    || (holds && (!scalar_contains(&ra, x)
                                  || !scalar_contains(&rb, y)))) {
                    fail_msg("cond %d, %d bits: %#"PRIx64" and %#"PRIx64,
                             cond, width, x, y);
                }
            }
        }
    }
}

/* Calls 'check' for all pairs of samples around two borders. */
static void
for_all_pairs(void (*check)(const struct sample *, const struct sample *,
                            int width))
{
    static struct sample samples[N_BORDERS * 64 * 2];
    int n = 0;

    for (size_t i = 0; i < N_BORDERS; i++) {
        for (int lo = -SPAN; lo <= SPAN; lo += 3) {
            for (int hi = lo; hi <= SPAN; hi += 2) {
                n += make_sample(borders[i], lo, hi, false, &samples[n]);
                n += make_sample(borders[i], lo, hi, true, &samples[n]);
            }
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            check(&samples[i], &samples[j], 64);
            check(&samples[i], &samples[j], 32);
        }
    }
}

static void
test_scalar_alu(void **state)
{
    (void) state;
    for_all_pairs(check_alu);
}

static void
test_scalar_cond(void **state)
{
    (void) state;
    for_all_pairs(check_cond);
}

static uint64_t
sign_extend(uint64_t x, int bits)
{
    return (int64_t) (x << (64 - bits)) >> (64 - bits);
}

static void
check_unary(const struct sample *a, const struct sample *b, int width)
{
    (void) b;
    for (int bits = 8; bits <= 64; bits *= 2) {
        struct scalar z = a->s, s = a->s, w = a->s, neg = a->s;
        uint64_t keep = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;

        scalar_zext(&z, bits);
        scalar_neg(&neg, width);
        if (bits > 8) {
            scalar_bswap(&w, bits);
        }
        if (bits < 64 && bits < width + 1) {
            scalar_sext(&s, bits, width);
        }
        for (int i = 0; i < a->n; i++) {
            uint64_t x = a->members[i], minus = -x, sx = sign_extend(x, bits);

            assert_true(scalar_contains(&z, x & keep));
            assert_true(scalar_contains(&neg, width == 64 ? minus
                                              : (uint32_t) minus));
            assert_true(bits == 8 || scalar_contains(
                            &w, __builtin_bswap64(x) >> (64 - bits)));
            assert_true(bits >= 64 || bits > width || scalar_contains(
                            &s, width == 64 ? sx : (uint32_t) sx));
        }
    }
}

static void
test_scalar_unary(void **state)
{
    (void) state;
    for_all_pairs(check_unary);
}

/* What programs rely on must not get lost: bounds survive a mask, a shift, a
 * comparison. */
static void
test_scalar_precision(void **state)
{
    struct scalar x = scalar_unknown(), c = scalar_const(0x3f), limit;

    (void) state;
    scalar_alu(&x, SCALAR_AND, &c, 64);
    assert_int_equal(x.r64.umax, 0x3f);
    c = scalar_const(2);
    scalar_alu(&x, SCALAR_LSH, &c, 64);
    assert_int_equal(x.r64.umax, 0xfc);
    assert_int_equal(x.bits.mask, 0xfc);

    x = scalar_unknown();
    limit = scalar_const(100);
    assert_true(scalar_refine(&x, SCALAR_LT, &limit, 32));
    scalar_zext(&x, 32);
    assert_int_equal(x.r64.umax, 99);

    x = scalar_bits(8);
    limit = scalar_const(0);
    assert_true(scalar_refine(&x, SCALAR_NE, &limit, 64));
    assert_int_equal(x.r64.umin, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tnum_operators),
        cmocka_unit_test(test_tnum_range_and_covers),
        cmocka_unit_test(test_scalar_alu),
        cmocka_unit_test(test_scalar_cond),
        cmocka_unit_test(test_scalar_unary),
        cmocka_unit_test(test_scalar_precision),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
