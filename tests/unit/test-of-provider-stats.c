/* SPDX-License-Identifier: Apache-2.0 */

/* A rule's counts across modification, also of packets in flight. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "datapath/dp.h"
#include "ofproto/stats.h"
#include "timeval.h"
#include "util.h"

static struct dp *dp;

static int
set_up(void **state OVS_UNUSED)
{
    return dp_create(DP_INLINE, &dp);
}

static int
tear_down(void **state OVS_UNUSED)
{
    dp_destroy(dp);
    return 0;
}

static void
assert_counts(struct of_stats *stats, uint64_t packets, uint64_t bytes)
{
    struct dp_counts counts;

    of_stats_read(stats, &counts);
    assert_int_equal(counts.packets, packets);
    assert_int_equal(counts.bytes, bytes);
}

static void
destroy(struct of_stats *stats)
{
    of_stats_freeze(stats);
    of_stats_unref(stats);
}

static void
test_own_counts(void **state OVS_UNUSED)
{
    struct of_stats *stats = of_stats_create(dp, dp_counters_alloc(dp), 1234);
    struct dp_counts counts;

    of_stats_read(stats, &counts);
    assert_int_equal(counts.packets, 0);
    assert_int_equal(counts.used, 1234);

    dp_counters_add(dp, of_stats_counters(stats), 3, 300);
    assert_counts(stats, 3, 300);
    of_stats_read(stats, &counts);
    assert_true(counts.used > 1234);

    of_stats_freeze(stats);
    of_stats_freeze(stats);
    assert_int_equal(of_stats_counters(stats), DP_COUNTERS_NONE);
    assert_counts(stats, 3, 300);
    of_stats_credit(stats, 1, 50);
    assert_counts(stats, 4, 350);
    destroy(stats);
}

/* The predecessor still counts after it was replaced. */
static void
test_in_flight(void **state OVS_UNUSED)
{
    struct of_stats *old = of_stats_create(dp, dp_counters_alloc(dp), 1);
    struct of_stats *new = of_stats_create(dp, dp_counters_alloc(dp), 1);

    dp_counters_add(dp, of_stats_counters(old), 10, 1000);
    dp_counters_add(dp, of_stats_counters(new), 1, 100);
    of_stats_succeed(new, old, true);
    assert_counts(new, 11, 1100);

    dp_counters_add(dp, of_stats_counters(old), 2, 200);
    assert_counts(new, 13, 1300);

    of_stats_freeze(old);
    of_stats_unref(old);
    assert_counts(new, 13, 1300);
    dp_counters_add(dp, of_stats_counters(new), 4, 400);
    assert_counts(new, 17, 1700);
    destroy(new);
}

/* Without forwarding only the time of last use is inherited. */
static void
test_reset_counts(void **state OVS_UNUSED)
{
    long long int later = time_msec() + 1000000;
    struct of_stats *old = of_stats_create(dp, dp_counters_alloc(dp), later);
    struct of_stats *new = of_stats_create(dp, dp_counters_alloc(dp),
                                           later + 5);
    struct dp_counts counts;

    dp_counters_add(dp, of_stats_counters(old), 10, 1000);
    of_stats_succeed(new, old, false);
    of_stats_credit(old, 5, 500);
    of_stats_read(new, &counts);
    assert_int_equal(counts.packets, 0);
    assert_int_equal(counts.bytes, 0);
    assert_int_equal(counts.used, later);

    destroy(old);
    of_stats_read(new, &counts);
    assert_int_equal(counts.packets, 0);
    assert_int_equal(counts.used, later);
    destroy(new);
}

/* A bundle may modify one rule very often before the first is final. */
static void
test_long_chain(void **state OVS_UNUSED)
{
    enum { N = 100000, RESET = 100 };
    struct of_stats **chain = xcalloc(N, sizeof *chain);

    for (int i = 0; i < N; i++) {
        chain[i] = of_stats_create(dp, dp_counters_alloc(dp), 1);
        assert_non_null(chain[i]);
        dp_counters_add(dp, of_stats_counters(chain[i]), 1, 60);
        if (i) {
            of_stats_succeed(chain[i], chain[i - 1], i != RESET);
        }
    }
    assert_counts(chain[N - 1], N - RESET, (N - RESET) * 60);
    for (int i = 0; i < N - 1; i++) {
        destroy(chain[i]);
    }
    assert_counts(chain[N - 1], N - RESET, (N - RESET) * 60);
    destroy(chain[N - 1]);
    free(chain);
}

/* All of it released in the order of creation, while the last still lives
 * and nobody has read. */
static void
test_release_unread(void **state OVS_UNUSED)
{
    struct of_stats *a = of_stats_create(dp, dp_counters_alloc(dp), 1);
    struct of_stats *b = of_stats_create(dp, dp_counters_alloc(dp), 1);
    struct of_stats *c = of_stats_create(dp, dp_counters_alloc(dp), 1);

    of_stats_succeed(b, a, true);
    of_stats_succeed(c, b, true);
    of_stats_credit(a, 1, 1);
    of_stats_credit(b, 1, 1);
    destroy(a);
    destroy(b);
    of_stats_freeze(c);
    assert_counts(c, 2, 2);
    destroy(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_counts),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_reset_counts),
        cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_release_unread),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("of-provider-stats", tests, set_up,
                                       tear_down);
}
