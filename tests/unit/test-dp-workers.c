/* SPDX-License-Identifier: Apache-2.0 */

/* Several workers: queues follow configuration, affinity and load; threads,
 * queues and ports come and go under traffic, and nothing is lost, doubled or
 * reordered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "datapath/workers.h"
#include "dp-packet.h"
#include "netdev.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "smap.h"
#include "tests/unit/dp-fixture.h"
#include "util.h"

#define UDP "in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02)," \
    "eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64," \
    "frag=no),udp(src=1000,dst=2000)"

enum {
    N_PORTS = 4,
    SEQUENCE_OFS = 26,          /* The IPv4 source address. */
    ROUNDS = 32
};

/* What comes in on port N leaves on port N + 10. */
static void
load_program(struct fx *fx)
{
    fx_prog(fx, DP_SLOT_PARSE,
            "r2 = *(u32 *)(r1 + %d)\n"
            "r2 += 10\n"
            "r3 = 0\n"
            "call dp_helper_output\n"
            "r0 = 0\n"
            "exit\n", (int) offsetof(struct dp_ctx, in_port));
}

struct lane {
    struct netdev *in, *out;
    uint32_t n_pushed, n_popped;
};

/* Takes what has come out; each must be the next. */
static void
take(struct lane *lane)
{
    struct dp_packet *packet;

    while ((packet = fx_pop(lane->out))) {
        uint32_t sequence;

        memcpy(&sequence, (char *) dp_packet_data(packet) + SEQUENCE_OFS,
               sizeof sequence);
        assert_int_equal(sequence, lane->n_popped);
        lane->n_popped++;
        dp_packet_delete(packet);
    }
}

struct feeder {
    struct lane *lanes;
    struct dp_packet *model;
    _Atomic bool stop;
};

/* A little more than one burst at a time, so that workers sleep, too. */
static void *
feed(void *feeder_)
{
    struct feeder *feeder = feeder_;

    while (!atomic_load(&feeder->stop)) {
        for (int i = 0; i < N_PORTS; i++) {
            for (int j = 0; j < 40; j++) {
                struct dp_packet *packet = dp_packet_clone(feeder->model);

                memcpy((char *) dp_packet_data(packet) + SEQUENCE_OFS,
                       &feeder->lanes[i].n_pushed, sizeof(uint32_t));
                feeder->lanes[i].n_pushed++;
                fx_push(feeder->lanes[i].in, packet);
            }
        }
        ovsrcu_quiesce();
        nanosleep(&(struct timespec) { .tv_nsec = 300000 }, NULL);
    }
    return NULL;
}

static bool
all_out(void *lanes_)
{
    struct lane *lanes = lanes_;
    bool done = true;

    for (int i = 0; i < N_PORTS; i++) {
        take(&lanes[i]);
        done &= lanes[i].n_popped == lanes[i].n_pushed;
    }
    return done;
}

static size_t
n_running(const struct fx *fx)
{
    size_t n = 0;

    for (unsigned w = 0; w < fx->dp->n_workers; w++) {
        n += fx->dp->workers[w]->running;
    }
    return n;
}

/* One of the things that may happen to the others. */
static void
disturb(struct fx *fx, unsigned round, struct dp_packet *model)
{
    static const int anywhere[4] = { -1, -1, -1, -1 };
    struct netdev *netdev;
    struct dp_port *port;

    switch (round % 4) {
    case 0:
        assert_int_equal(dp_set_workers(fx->dp, anywhere, 1 + round / 4 % 4),
                         0);
        assert_int_equal(n_running(fx), 1 + round / 4 % 4);
        break;
    case 1:
        dp_workers_rebalance(fx->dp);
        break;
    case 2:
        port = fx_port(fx, "guest", 9, &netdev);
        for (int i = 0; i < 5; i++) {
            fx_push(netdev, dp_packet_clone(model));
        }
        dp_port_del(port);
        break;
    case 3:
        dp_port_set_flags(dp_port_lookup(fx->bridge, 11), 0);
        dp_synchronize(fx->dp);
        break;
    }
}

static void
test_changes_under_traffic(void **state)
{
    struct lane lanes[N_PORTS] = { { .in = NULL } };
    struct feeder feeder = { .lanes = lanes };
    pthread_t thread;
    struct fx fx;

    fx_init(&fx, DP_THREADED);
    load_program(&fx);
    for (int i = 0; i < N_PORTS; i++) {
        char in[8], out[8];

        snprintf(in, sizeof in, "in%d", i);
        snprintf(out, sizeof out, "out%d", i);
        fx_port(&fx, in, i + 1, &lanes[i].in);
        fx_port(&fx, out, i + 11, &lanes[i].out);
    }
    feeder.model = fx_packet(UDP);
    thread = ovs_thread_create("feed", feed, &feeder);
    for (unsigned round = 0; round < ROUNDS; round++) {
        disturb(&fx, round, feeder.model);
        for (int i = 0; i < N_PORTS; i++) {
            take(&lanes[i]);
        }
        dp_run(fx.dp);
        ovsrcu_quiesce();
    }
    atomic_store(&feeder.stop, true);
    xpthread_join(thread, NULL);
    fx_wait_until(&fx, all_out, lanes);
    assert_true(lanes[0].n_pushed > 0);
    dp_packet_delete(feeder.model);
    fx_uninit(&fx);
}

static struct dp_worker *
worker_of(struct fx *fx, uint32_t ofp_port)
{
    return dp_port_lookup(fx->bridge, ofp_port)->rxqs[0]->worker;
}

/* Queues spread over workers, a pinned one has its worker for itself unless
 * the configuration says otherwise. */
static void
test_placement(void **state)
{
    static const int cores[] = { 0, 1, 2 };
    struct smap config = SMAP_INITIALIZER(&config);
    struct dp_port *ports[5];
    struct fx fx;

    fx_init(&fx, DP_THREADED);
    for (int i = 0; i < 5; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%d", i);
        ports[i] = fx_port(&fx, name, i + 1, NULL);
    }
    assert_int_equal(dp_set_workers(fx.dp, cores, 3), 0);
    assert_int_equal(n_running(&fx), 3);

    /* Back and forth: 0 1 2 2 1. */
    assert_int_equal(worker_of(&fx, 1)->core, 0);
    assert_int_equal(worker_of(&fx, 2)->core, 1);
    assert_int_equal(worker_of(&fx, 3)->core, 2);
    assert_int_equal(worker_of(&fx, 4)->core, 2);
    assert_int_equal(worker_of(&fx, 5)->core, 1);

    smap_add(&config, "pmd-rxq-affinity", "3:7,0:1");
    assert_int_equal(dp_port_set_config(ports[4], &config), 0);
    assert_int_equal(worker_of(&fx, 5)->core, 1);
    for (int i = 1; i < 5; i++) {
        assert_int_not_equal(worker_of(&fx, i)->core, 1);
    }
    assert_true(dp_worker_isolated(worker_of(&fx, 5)));

    /* The least loaded gets a queue that comes. */
    fx.dp->isolate = false;
    dp_port_del(ports[0]);
    dp_port_del(ports[1]);
    ports[0] = fx_port(&fx, "p9", 1, NULL);
    assert_int_not_equal(worker_of(&fx, 1), worker_of(&fx, 3));

    /* A core without a worker, and nonsense. */
    smap_replace(&config, "pmd-rxq-affinity", "0:9");
    assert_int_equal(dp_port_set_config(ports[4], &config), 0);
    assert_non_null(worker_of(&fx, 5));
    smap_replace(&config, "pmd-rxq-affinity", "0-9");
    assert_true(dp_port_set_config(ports[4], &config) < 0);

    assert_int_equal(dp_set_workers(fx.dp, cores, 0), -E2BIG);
    assert_int_equal(dp_set_workers(fx.dp, cores + 2, 1), 0);
    for (int i = 0; i < 5; i++) {
        if (dp_port_lookup(fx.bridge, i + 1)) {
            assert_int_equal(worker_of(&fx, i + 1)->core, 2);
        }
    }
    smap_destroy(&config);
    fx_uninit(&fx);
}

static void
test_affinity_text(void **state)
{
    assert_int_equal(dp_affinity_core("0:3,1:7", 0), 3);
    assert_int_equal(dp_affinity_core("0:3,1:7", 1), 7);
    assert_int_equal(dp_affinity_core("0:3,1:7", 2), -1);
    assert_int_equal(dp_affinity_core(NULL, 0), -1);
    assert_int_equal(dp_affinity_core("", 0), -1);
    assert_true(dp_affinity_core("x", 0) < -1);
    assert_true(dp_affinity_core("0:", 0) < -1);
    assert_true(dp_affinity_core("0:1;1:2", 5) < -1);
}

/* What a worker counted. */
static void
test_stats(void **state)
{
    struct dp_worker_base base;
    struct lane lane = { .in = NULL };
    struct dp_packet *packet;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    load_program(&fx);
    fx_port(&fx, "p1", 1, &lane.in);
    fx_port(&fx, "p11", 11, &lane.out);
    for (int i = 0; i < 40; i++) {
        fx_push(lane.in, fx_packet(UDP));
    }
    fx_run(&fx);
    dp_worker_read(fx.dp->workers[DP_WORKER_MAIN], &base);
    assert_int_equal(base.received, 40);
    assert_int_equal(base.sent, 40);
    assert_int_equal(base.batches, 2);
    assert_int_equal(base.bursts[32], 1);
    assert_int_equal(base.bursts[8], 1);
    assert_true(base.bursts[0] > 0);
    assert_true(base.cycles[DP_STAGE_RX] > 0);
    assert_true(base.cycles[DP_STAGE_RUN] > 0);
    assert_true(base.cycles[DP_STAGE_TX] > 0);
    assert_int_equal(base.sleeps, 0);
    while ((packet = fx_pop(lane.out))) {
        dp_packet_delete(packet);
    }
    fx_uninit(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_under_traffic),
        cmocka_unit_test(test_placement),
        cmocka_unit_test(test_affinity_text),
        cmocka_unit_test(test_stats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
