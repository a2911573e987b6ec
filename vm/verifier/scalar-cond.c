/* SPDX-License-Identifier: Apache-2.0 */

/* Comparisons of scalars: what is known in advance, what a branch teaches. */

#include "vm/verifier/scalar.h"

#define MIN(A, B) ((A) < (B) ? (A) : (B))
#define MAX(A, B) ((A) > (B) ? (A) : (B))

static struct range *
range_of(struct scalar *s, int width)
{
    return width == 64 ? &s->r64 : &s->r32;
}

static struct tnum
bits_of(const struct scalar *s, int width)
{
    return tnum_zext(s->bits, width);
}

enum scalar_cond
scalar_cond_not(enum scalar_cond cond)
{
    static const enum scalar_cond nots[] = {
        [SCALAR_EQ] = SCALAR_NE,   [SCALAR_NE] = SCALAR_EQ,
        [SCALAR_GT] = SCALAR_LE,   [SCALAR_LE] = SCALAR_GT,
        [SCALAR_GE] = SCALAR_LT,   [SCALAR_LT] = SCALAR_GE,
        [SCALAR_SGT] = SCALAR_SLE, [SCALAR_SLE] = SCALAR_SGT,
        [SCALAR_SGE] = SCALAR_SLT, [SCALAR_SLT] = SCALAR_SGE,
        [SCALAR_SET] = SCALAR_NSET, [SCALAR_NSET] = SCALAR_SET,
    };

    return nots[cond];
}

/* -- Deciding -- */

static int
decide_equal(const struct scalar *sa, const struct scalar *sb, int width)
{
    const struct range *a = range_of((struct scalar *) sa, width);
    const struct range *b = range_of((struct scalar *) sb, width);
    struct tnum ta = bits_of(sa, width), tb = bits_of(sb, width), both;

    if (tnum_is_const(ta) && tnum_is_const(tb)) {
        return ta.value == tb.value;
    }
    if (a->umax < b->umin || b->umax < a->umin || a->smax < b->smin
        || b->smax < a->smin || !tnum_intersect(ta, tb, &both)) {
        return 0;
    }
    return -1;
}

static int
decide_set(const struct scalar *sa, const struct scalar *sb, int width)
{
    struct tnum t = tnum_and(bits_of(sa, width), bits_of(sb, width));

    return t.value ? 1 : !t.mask ? 0 : -1;
}

static int
decide_order(const struct range *a, enum scalar_cond cond,
             const struct range *b)
{
    switch (cond) {
    case SCALAR_GT:
        return a->umin > b->umax ? 1 : a->umax <= b->umin ? 0 : -1;
    case SCALAR_GE:
        return a->umin >= b->umax ? 1 : a->umax < b->umin ? 0 : -1;
    case SCALAR_SGT:
        return a->smin > b->smax ? 1 : a->smax <= b->smin ? 0 : -1;
    default:
        return a->smin >= b->smax ? 1 : a->smax < b->smin ? 0 : -1;
    }
}

static int
not(int decision)
{
    return decision < 0 ? decision : !decision;
}

int
scalar_decide(const struct scalar *a, enum scalar_cond cond,
              const struct scalar *b, int width)
{
    switch (cond) {
    case SCALAR_EQ:
        return decide_equal(a, b, width);
    case SCALAR_SET:
        return decide_set(a, b, width);
    case SCALAR_GT:
    case SCALAR_GE:
    case SCALAR_SGT:
    case SCALAR_SGE:
        return decide_order(range_of((struct scalar *) a, width), cond,
                            range_of((struct scalar *) b, width));
    default:
        return not(scalar_decide(a, scalar_cond_not(cond), b, width));
    }
}

/* -- Refining -- */

/* Both become the intersection. */
static bool
refine_equal(struct scalar *a, struct scalar *b, int width)
{
    struct range *ra = range_of(a, width), *rb = range_of(b, width);
    struct tnum common;

    ra->umin = rb->umin = MAX(ra->umin, rb->umin);
    ra->umax = rb->umax = MIN(ra->umax, rb->umax);
    ra->smin = rb->smin = MAX(ra->smin, rb->smin);
    ra->smax = rb->smax = MIN(ra->smax, rb->smax);
    if (!tnum_intersect(bits_of(a, width), bits_of(b, width), &common)) {
        return false;
    }
    if (width == 64) {
        a->bits = b->bits = common;
    } else {
        struct tnum high = { ~(uint64_t) UINT32_MAX, 0 };

        a->bits = tnum_or(tnum_and(a->bits, high), common);
        b->bits = tnum_or(tnum_and(b->bits, high), common);
    }
    return true;
}

/* A known number at the edge of the other's range moves that edge. */
static void
exclude(struct range *r, const struct range *known)
{
    if (known->umin != known->umax) {
        return;
    }
    if (r->umin == known->umin && r->umin < r->umax) {
        r->umin++;
    } else if (r->umax == known->umin && r->umin < r->umax) {
        r->umax--;
    }
    if (r->smin == known->smin && r->smin < r->smax) {
        r->smin++;
    } else if (r->smax == known->smin && r->smin < r->smax) {
        r->smax--;
    }
}

static bool
refine_differ(struct scalar *a, struct scalar *b, int width)
{
    struct range *ra = range_of(a, width), *rb = range_of(b, width);

    if (!decide_equal(a, b, width)) {
        return true;
    } else if (decide_equal(a, b, width) == 1) {
        return false;
    }
    exclude(ra, rb);
    exclude(rb, ra);
    return true;
}

/* 'a' greater than 'b' ('strict'), or at least 'b'. */
static bool
refine_above(struct range *a, struct range *b, bool strict)
{
    if (strict && (b->umin == UINT64_MAX || !a->umax)) {
        return false;
    }
    a->umin = MAX(a->umin, b->umin + strict);
    b->umax = MIN(b->umax, a->umax - strict);
    return true;
}

static bool
refine_above_signed(struct range *a, struct range *b, bool strict)
{
    if (strict && (b->smin == INT64_MAX || a->smax == INT64_MIN)) {
        return false;
    }
    a->smin = MAX(a->smin, b->smin + strict);
    b->smax = MIN(b->smax, a->smax - strict);
    return true;
}

/* A single known bit of 'mask' that must be set is set; none of the bits of
 * 'mask' is when they must not be. */
static bool
refine_set(struct scalar *a, const struct scalar *mask, bool set, int width)
{
    struct tnum m = bits_of(mask, width), known;

    if (!tnum_is_const(m)) {
        return true;
    }
    if (!set) {
        known = (struct tnum) { 0, ~m.value };
    } else if (m.value && !(m.value & (m.value - 1))) {
        known = (struct tnum) { m.value, ~m.value };
    } else {
        return m.value != 0;
    }
    return tnum_intersect(a->bits, known, &a->bits);
}

static bool
refine_one(struct scalar *a, enum scalar_cond cond, struct scalar *b,
           int width)
{
    struct range *ra = range_of(a, width), *rb = range_of(b, width);

    switch (cond) {
    case SCALAR_EQ:
        return refine_equal(a, b, width);
    case SCALAR_NE:
        return refine_differ(a, b, width);
    case SCALAR_GT:
    case SCALAR_GE:
        return refine_above(ra, rb, cond == SCALAR_GT);
    case SCALAR_LT:
    case SCALAR_LE:
        return refine_above(rb, ra, cond == SCALAR_LT);
    case SCALAR_SGT:
    case SCALAR_SGE:
        return refine_above_signed(ra, rb, cond == SCALAR_SGT);
    case SCALAR_SLT:
    case SCALAR_SLE:
        return refine_above_signed(rb, ra, cond == SCALAR_SLT);
    case SCALAR_SET:
    case SCALAR_NSET:
        return refine_set(a, b, cond == SCALAR_SET, width)
               && refine_set(b, a, cond == SCALAR_SET, width);
    }
    return true;
}

bool
scalar_refine(struct scalar *a, enum scalar_cond cond, struct scalar *b,
              int width)
{
    return refine_one(a, cond, b, width) && scalar_sync(a) && scalar_sync(b);
}
