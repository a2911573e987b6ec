/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_RNG_H
#define TESTS_FUZZ_RNG_H 1

/* Random numbers that a seed determines, on every machine. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

/* splitmix64. */
static inline uint64_t
rng_next(struct rng *r)
{
    uint64_t x = r->state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* 0 to n - 1; n > 0. */
static inline uint32_t
rng_below(struct rng *r, uint32_t n)
{
    return (rng_next(r) >> 32) * n >> 32;
}

static inline bool
rng_percent(struct rng *r, uint32_t percent)
{
    return rng_below(r, 100) < percent;
}

/* A number where arithmetic is interesting: near a power of two, small, all
 * ones, sometimes anything. */
uint64_t rng_number(struct rng *);

/* Bytes of the same kind. */
void rng_bytes(struct rng *, void *, size_t n);

#endif /* tests/fuzz/rng.h */
