/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/rng.h"

#include <string.h>

uint64_t
rng_number(struct rng *r)
{
    uint64_t x = UINT64_C(1) << rng_below(r, 64);
    uint32_t n;

    /* One draw a statement: C has no order within one. */
    switch (rng_below(r, 8)) {
    case 0:
        return rng_below(r, 8);
    case 1:
        return rng_below(r, 256);
    case 2:
        return -(uint64_t) rng_below(r, 8);
    case 3:
        return x + rng_below(r, 5) - 2;
    case 4:
        return -x + rng_below(r, 5) - 2;
    case 5:
        n = rng_below(r, 2) ? 31 : 32;
        return (UINT64_C(1) << n) + rng_below(r, 3) - 1;
    case 6:
        return rng_next(r) & rng_next(r) & rng_next(r);
    default:
        n = rng_below(r, 64);
        return rng_next(r) >> n;
    }
}

void
rng_bytes(struct rng *r, void *p_, size_t n)
{
    uint8_t *p = p_;

    while (n) {
        size_t chunk = n < 8 ? n : 8;
        uint64_t word = rng_below(r, 3) ? rng_number(r) : rng_next(r);

        memcpy(p, &word, chunk);
        p += chunk;
        n -= chunk;
    }
}
