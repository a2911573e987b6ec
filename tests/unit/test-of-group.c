/* SPDX-License-Identifier: Apache-2.0 */

/* The choice of a select group: shares follow weights, a flow keeps its
 * bucket, and a bucket that comes or goes moves only its own flows. */

#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hash.h"
#include "util.h"
#include "ofproto/group.h"

enum { N_FLOWS = 100000, MAX_BUCKETS = 16 };

static struct of_bridge bridge;

struct fixture {
    struct ofgroup group;
    struct of_choice choices[MAX_BUCKETS];
    struct of_picker picker;
};

static void
fixture_init(struct fixture *f, const uint16_t *weights, size_t n)
{
    struct ofgroup group = {
        .ofproto = &bridge.dpif.up,
        .type = OFPGT11_SELECT,
    };

    memcpy(&f->group, &group, sizeof group);
    f->picker = (struct of_picker) {
        .group = &f->group, .choices = f->choices, .n = n
    };
    for (size_t i = 0; i < n; i++) {
        f->choices[i] = (struct of_choice) {
            .bucket_id = 10 * i,
            .watch_group = OFPG_ANY,
            .watch_port = OFPP_ANY,
            .weight = weights[i],
        };
    }
}

static size_t
pick(const struct fixture *f, uint32_t flow)
{
    return of_picker_best(&f->picker, 0, hash_int(flow, 0));
}

/* Upper 0.001 quantiles of chi-square with 1... degrees of freedom. */
static const double chi2_quantiles[] = {
    10.83, 13.82, 16.27, 18.47, 20.52, 22.46, 24.32, 26.12, 27.88, 29.59,
    31.26, 32.91, 34.53, 36.12, 37.70
};

static const struct {
    size_t n;
    uint16_t weights[MAX_BUCKETS];
} sets[] = {
    { 2, { 1, 1 } },
    { 2, { 1, 99 } },
    { 3, { 1, 2, 3 } },
    { 3, { 100, 100, 100 } },
    { 4, { 1, 1, 1, 5 } },
    { 5, { 0, 10, 20, 30, 40 } },
    { 7, { 3, 3, 3, 3, 3, 3, 3 } },
    { 10, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } },
    { 16, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 } },
    { 4, { 65535, 32768, 16384, 8192 } },
};

static void
test_shares(void **state OVS_UNUSED)
{
    for (size_t s = 0; s < ARRAY_SIZE(sets); s++) {
        unsigned int counts[MAX_BUCKETS] = { 0 };
        double total = 0, chi2 = 0;
        size_t n_used = 0;
        struct fixture f;

        fixture_init(&f, sets[s].weights, sets[s].n);
        for (uint32_t i = 0; i < N_FLOWS; i++) {
            counts[pick(&f, i)]++;
        }
        for (size_t i = 0; i < sets[s].n; i++) {
            total += sets[s].weights[i];
        }
        for (size_t i = 0; i < sets[s].n; i++) {
            double expected = (double) N_FLOWS * sets[s].weights[i] / total;
            double d = counts[i] - expected;

            if (expected > 0) {
                chi2 += d * d / expected;
                n_used++;
            } else {
                assert_int_equal(counts[i], 0);
            }
        }
        if (chi2 > chi2_quantiles[n_used - 2]) {
            fail_msg("set %zu: chi-square %.1f with %zu buckets", s, chi2,
                     n_used);
        }
    }
}

/* Removes bucket 'gone' and compares each flow's choice. */
static void
test_disruption(void **state OVS_UNUSED)
{
    const uint16_t weights[] = { 4, 1, 7, 2, 2 };
    enum { GONE = 2, N = ARRAY_SIZE(weights) };
    unsigned int moved = 0;
    struct fixture all, some;

    fixture_init(&all, weights, N);
    fixture_init(&some, weights, N - 1);
    for (size_t i = GONE; i < N - 1; i++) {
        some.choices[i] = all.choices[i + 1];
    }
    for (uint32_t i = 0; i < N_FLOWS; i++) {
        size_t a = pick(&all, i);
        size_t b = pick(&some, i);

        if (a == GONE) {
            moved++;
        } else {
            assert_int_equal(all.choices[a].bucket_id,
                             some.choices[b].bucket_id);
        }
    }
    assert_in_range(moved, N_FLOWS * 7 / 16 * 0.95, N_FLOWS * 7 / 16 * 1.05);
}

static void
test_liveness(void **state OVS_UNUSED)
{
    const uint16_t weights[] = { 1, 1, 1 };
    struct fixture f;
    size_t choice;

    fixture_init(&f, weights, 3);
    for (size_t i = 0; i < 3; i++) {
        f.choices[i].watch_port = u16_to_ofp(100 + i);
    }
    assert_int_equal(pick(&f, 1), 3);
    of_live_port_set(&bridge, u16_to_ofp(101), true);
    assert_int_equal(pick(&f, 1), 1);
    of_live_port_set(&bridge, u16_to_ofp(100), true);
    of_live_port_set(&bridge, u16_to_ofp(102), true);

    /* A dead bucket's flows move, the others stay. */
    for (uint32_t i = 0; i < 1000; i++) {
        choice = pick(&f, i);
        of_live_port_set(&bridge, u16_to_ofp(100), false);
        assert_int_not_equal(pick(&f, i), 0);
        if (choice) {
            assert_int_equal(pick(&f, i), choice);
        }
        of_live_port_set(&bridge, u16_to_ofp(100), true);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_disruption),
        cmocka_unit_test(test_liveness),
    };

    return cmocka_run_group_tests_name("of-group", tests, NULL, NULL);
}
