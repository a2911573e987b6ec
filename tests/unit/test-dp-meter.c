/* SPDX-License-Identifier: Apache-2.0 */

/* Meters: rates that are met, by one worker and by several at once. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "timeval.h"
#include "util.h"
#include "datapath/dp.h"
#include "datapath/meter.h"
#include "datapath/private.h"
#include "datapath/worker.h"

enum { START_US = 5000000, SECOND_US = 1000000 };

static struct dp *dp;
static struct dp_worker *workers[2];

static int
set_up(void **state OVS_UNUSED)
{
    int error = dp_create(DP_INLINE, &dp);

    for (unsigned i = 0; i < 2; i++) {
        workers[i] = dp_worker_create(dp, i);
    }
    return error;
}

static int
tear_down(void **state OVS_UNUSED)
{
    for (unsigned i = 0; i < 2; i++) {
        workers[i]->id = DP_WORKER_MAIN;        /* It has no thread. */
        dp_worker_destroy(workers[i]);
    }
    dp_destroy(dp);
    return 0;
}

static uint32_t
make(bool per_packet, uint32_t rate, uint32_t burst)
{
    const struct dp_meter_attr attr = {
        .per_packet = per_packet,
        .n_bands = 1,
        .bands = { { .rate = rate, .burst = burst } },
    };
    uint32_t meter = DP_METER_NONE;

    assert_int_equal(dp_meter_set(dp, &meter, &attr), 0);
    return meter;
}

/* Packets that 'n_workers' workers in turns pass in one second when 'n' are
 * offered. */
static uint64_t
passed(uint32_t meter, unsigned n_workers, uint32_t n, uint32_t size)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t now = START_US + (uint64_t) i * SECOND_US / n;

        sum += dp_meter_run(workers[i % n_workers], meter, size,
                            now) == DP_METER_PASS;
    }
    return sum;
}

static void
test_rates(void **state OVS_UNUSED)
{
    static const struct {
        bool per_packet;
        uint32_t rate, burst, n, size;
        uint64_t expected;      /* With the burst, which comes on top. */
    } cases[] = {
        { true, 1000, 10, 100000, 60, 1010 },
        { true, 100000, 100, 500000, 60, 100100 },
        { true, 1000000, 1000, 3000000, 60, 1001000 },
        { false, 10000, 100, 100000, 1250, 1010 },
        { false, 1000000, 1000, 2000000, 125, 1001000 },
        { false, 40000000, 10000, 200000, 60000, 83354 },
        /* Less than the rate passes as a whole. */
        { true, 1000, 10, 900, 60, 900 },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (unsigned n_workers = 1; n_workers <= 2; n_workers++) {
            uint32_t meter = make(cases[i].per_packet, cases[i].rate,
                                  cases[i].burst);
            uint64_t n = passed(meter, n_workers, cases[i].n, cases[i].size);

            if (n < cases[i].expected * 97 / 100
                || n > cases[i].expected * 103 / 100) {
                fail_msg("case %zu, %u workers: %llu passed, expected %llu",
                         i, n_workers, (unsigned long long) n,
                         (unsigned long long) cases[i].expected);
            }
            dp_meter_del(dp, meter);
        }
    }
}

/* Two threads at once, in real time. */

struct load {
    struct dp_worker *worker;
    uint32_t meter;
    uint64_t end_us;
    uint64_t offered, passed;
};

static void *
run_load(void *load_)
{
    struct load *load = load_;
    uint64_t now;

    do {
        now = time_usec();
        load->passed += dp_meter_run(load->worker, load->meter, 60,
                                     now) == DP_METER_PASS;
        load->offered++;
    } while (now < load->end_us);
    return NULL;
}

static void
test_threads(void **state OVS_UNUSED)
{
    enum { RATE = 10000, MS = 300, EXPECTED = RATE + RATE * MS / 1000 };
    uint32_t meter = make(true, RATE, RATE);
    uint64_t end_us = time_usec() + MS * 1000;
    struct load a = { workers[0], meter, end_us, 0, 0 };
    struct load b = { workers[1], meter, end_us, 0, 0 };
    struct dp_meter_counts counts;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run_load, &b), 0);
    run_load(&a);
    pthread_join(thread, NULL);

    /* However late the threads were, not more than the rate; and all of the
     * bucket that was full at the start. */
    assert_true(a.passed + b.passed >= MIN(a.offered + b.offered, RATE));
    assert_true(a.passed + b.passed
                <= EXPECTED * 103 / 100 + (time_usec() - end_us) / 100);
    assert_int_equal(dp_meter_get(dp, meter, &counts), 0);
    assert_int_equal(counts.packets, a.offered + b.offered);
    assert_int_equal(counts.bands[0].packets,
                     a.offered + b.offered - a.passed - b.passed);
    dp_meter_del(dp, meter);
}

static void
test_counts(void **state OVS_UNUSED)
{
    const struct dp_meter_attr attr = {
        .per_packet = true,
        .n_bands = 2,
        .bands = {
            { .rate = 1, .burst = 5, .prec_level = 1 },
            { .rate = 2, .burst = 8 },
        },
    };
    uint32_t meter = DP_METER_NONE;
    struct dp_meter_counts counts;
    int results[12];

    assert_int_equal(dp_meter_set(dp, &meter, &attr), 0);
    for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
        results[i] = dp_meter_run(workers[0], meter, 100, START_US);
    }
    /* The first band remarks, then the faster one drops. */
    assert_int_equal(results[4], DP_METER_PASS);
    assert_int_equal(results[5], 1);
    assert_int_equal(results[7], 1);
    assert_int_equal(results[8], DP_METER_DROP);
    assert_int_equal(results[11], DP_METER_DROP);

    assert_int_equal(dp_meter_get(dp, meter, &counts), 0);
    assert_int_equal(counts.packets, 12);
    assert_int_equal(counts.bytes, 1200);
    assert_int_equal(counts.n_bands, 2);
    assert_int_equal(counts.bands[0].packets, 3);
    assert_int_equal(counts.bands[1].packets, 4);
    assert_int_equal(counts.bands[1].bytes, 400);

    /* A change starts with full buckets. */
    assert_int_equal(dp_meter_set(dp, &meter, &attr), 0);
    assert_int_equal(dp_meter_run(workers[0], meter, 100, START_US),
                     DP_METER_PASS);
    dp_meter_del(dp, meter);
    assert_int_equal(dp_meter_get(dp, meter, &counts), -ENOENT);
    assert_int_equal(dp_meter_run(workers[0], meter, 100, START_US),
                     DP_METER_PASS);
}

static void
test_bad(void **state OVS_UNUSED)
{
    const struct dp_meter_attr attr = { .per_packet = true, .n_bands = 1 };
    struct dp_meter_counts counts;
    uint32_t meter = DP_METER_NONE;

    assert_int_equal(dp_meter_set(dp, &meter, &attr), -EDOM);
    assert_int_equal(meter, DP_METER_NONE);
    assert_int_equal(dp_meter_get(dp, UINT32_MAX, &counts), -ENOENT);
    assert_int_equal(dp_meter_run(workers[0], UINT32_MAX, 1, START_US),
                     DP_METER_PASS);

    /* The longest there is. */
    meter = make(true, 1, UINT32_MAX);
    assert_int_equal(dp_meter_run(workers[0], meter, 100, START_US),
                     DP_METER_PASS);
    dp_meter_del(dp, meter);
    meter = make(false, UINT32_MAX, UINT32_MAX);
    assert_int_equal(dp_meter_run(workers[0], meter, UINT16_MAX, START_US),
                     DP_METER_PASS);
    dp_meter_del(dp, meter);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("dp-meter", tests, NULL, NULL);
}
