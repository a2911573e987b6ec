/* SPDX-License-Identifier: Apache-2.0 */

/* A worker thread: forwarding, sleeping and waking, ports, flows, slots and
 * versions that come and go under traffic, upcalls to the main thread. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "datapath/upcall.h"
#include "dp-packet.h"
#include "netdev.h"
#include "ovs-rcu.h"
#include "tests/unit/dp-fixture.h"
#include "timeval.h"
#include "util.h"

#define UDP "in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02)," \
    "eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64," \
    "frag=no),udp(src=1000,dst=2000)"

#define OUTPUT_TO(PORT)                                                 \
    "r2 = " #PORT "\nr3 = 0\ncall dp_helper_output\nr0 = 0\nexit\n"

struct want {
    struct netdev *netdev;
    size_t n;
};

static bool
has_sent(void *want_)
{
    const struct want *want = want_;

    return fx_n_sent(want->netdev) >= want->n;
}

static void
drop_sent(struct netdev *netdev)
{
    struct dp_packet *packet;

    while ((packet = fx_pop(netdev))) {
        dp_packet_delete(packet);
    }
}

/* Bursts with rests between them, so that the worker falls asleep. */
static void
test_wakes_up(void **state)
{
    struct netdev *dev1, *dev2;
    struct want want;
    struct fx fx;

    fx_init(&fx, DP_THREADED);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    fx_prog(&fx, DP_SLOT_PARSE, OUTPUT_TO(2));
    want = (struct want) { dev2, 0 };
    for (int i = 0; i < 200; i++) {
        for (int j = 0; j <= i % 7; j++) {
            fx_push(dev1, fx_packet(UDP));
            want.n++;
        }
        fx_wait_until(&fx, has_sent, &want);
    }
    drop_sent(dev2);
    fx_uninit(&fx);
}

/* A port is taken away and added again while packets are on their way to
 * it, and from it. */
static void
test_port_removal(void **state)
{
    struct netdev *dev1, *dev2;
    struct dp_totals totals;
    struct fx fx;

    fx_init(&fx, DP_THREADED);
    fx_port(&fx, "p1", 1, &dev1);
    fx_prog(&fx, DP_SLOT_PARSE, OUTPUT_TO(2));
    for (int i = 0; i < 200; i++) {
        struct dp_port *port = fx_port(&fx, "p2", 2, &dev2);

        for (int j = 0; j < 50; j++) {
            fx_push(dev1, fx_packet(UDP));
            fx_push(dev2, fx_packet(UDP));
        }
        dp_port_del(port);
        dp_run(fx.dp);
    }
    dp_port_del(dp_port_lookup(fx.bridge, 1));
    fx_check_totals(&fx);
    dp_get_totals(fx.dp, &totals);
    assert_true(totals.received > 0);
    assert_int_equal(totals.buffers, 0);
    fx_uninit(&fx);
}

/* Packets received after the version was set meet the slots that were set
 * before it. */
static void
test_publish(void **state)
{
    struct netdev *dev1, *devs[2];
    struct fx fx;

    fx_init(&fx, DP_THREADED);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &devs[0]);
    fx_port(&fx, "p3", 3, &devs[1]);
    for (int i = 0; i < 500; i++) {
        struct want want = { devs[i % 2], 10 };

        fx.slots = dp_slots_create();
        fx_prog(&fx, DP_SLOT_PARSE, "r2 = %d\nr3 = 0\n"
                "call dp_helper_output\nr0 = 0\nexit\n", 2 + i % 2);
        dp_bridge_set_slots(fx.bridge, fx.slots);
        dp_bridge_set_version(fx.bridge, i);
        for (int j = 0; j < 10; j++) {
            fx_push(dev1, fx_packet(UDP));
        }
        fx_wait_until(&fx, has_sent, &want);
        assert_int_equal(fx_n_sent(devs[i % 2]), 10);
        assert_int_equal(fx_n_sent(devs[!(i % 2)]), 0);
        drop_sent(devs[i % 2]);
    }
    fx_uninit(&fx);
}

/* Flows are replaced under traffic; their counters see every packet. */
static void
test_flows(void **state)
{
    enum { ROUNDS = 300, PACKETS = 20 };
    struct netdev *dev1, *dev2;
    struct dp_counts counts;
    uint32_t counters, flow;
    struct want want;
    struct fx fx;

    fx_init(&fx, DP_THREADED);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    counters = dp_counters_alloc(fx.dp);
    flow = DP_FLOW_NONE;
    for (int i = 0; i < ROUNDS; i++) {
        struct dp_flow_attr attr = {
            .params = &(uint64_t) { 2 },
            .params_size = 8,
            .counters = counters,
            .cookie = i,
        };
        uint32_t old = flow;

        flow = dp_flow_alloc(fx.dp, &attr);
        fx_prog(&fx, DP_SLOT_PARSE,
                "r6 = r1\n"
                "r2 = %#llx ll\n"
                "*(u64 *)(r1 + %d) = r2\n"
                "r2 = 8\n"
                "call dp_helper_hit\n"
                "if r0 == 0 goto out\n"
                "r2 = *(u64 *)(r0 + 0)\n"
                "r1 = r6\n"
                "r3 = 0\n"
                "call dp_helper_output\n"
                "out:\n"
                "r0 = 0\n"
                "exit\n", (unsigned long long) DP_HIT(300, flow),
                (int) offsetof(struct dp_ctx, hit));
        dp_flow_free(fx.dp, old);
        for (int j = 0; j < PACKETS; j++) {
            fx_push(dev1, fx_packet(UDP));
        }
        dp_run(fx.dp);
        ovsrcu_quiesce();
    }
    want = (struct want) { dev2, ROUNDS * PACKETS };
    fx_wait_until(&fx, has_sent, &want);
    dp_synchronize(fx.dp);
    dp_counters_read(fx.dp, counters, &counts);
    assert_int_equal(counts.packets, ROUNDS * PACKETS);
    drop_sent(dev2);
    dp_flow_free(fx.dp, flow);
    dp_counters_unref(fx.dp, counters);
    fx_uninit(&fx);
}

/* Upcalls: all of them arrive, in order, while the main thread sleeps in
 * between; what does not fit the ring is a drop. */

struct seen {
    uint64_t n;
    uint32_t last;
};

static void
see_upcall(struct dp_upcall *up, void *seen_)
{
    struct seen *seen = seen_;
    uint32_t number;

    assert_int_equal(up->data_size, 4);
    memcpy(&number, up->data, 4);
    assert_true(!seen->n || number > seen->last);
    assert_non_null(up->packet);
    assert_int_equal(ntohs(up->flow->tp_dst), 2000);
    seen->last = number;
    seen->n++;
}

static bool
all_accounted(void *fx_)
{
    struct dp_totals totals;
    struct fx *fx = fx_;

    dp_get_totals(fx->dp, &totals);
    return totals.received == 5000 && !totals.in_flight;
}

static void
test_upcalls(void **state)
{
    struct dp_totals totals;
    struct seen seen = { 0, 0 };
    struct netdev *dev1;
    struct fx fx;

    fx_init(&fx, DP_THREADED);
    fx_port(&fx, "p1", 1, &dev1);
    dp_set_upcall_cb(fx.dp, DP_UPCALL_CONTROLLER, see_upcall, &seen);
    /* The first 4 bytes of the packet number it. */
    fx_prog(&fx, DP_SLOT_PARSE,
            "r6 = r1\n"
            "call dp_helper_parse\n"
            "r2 = *(u32 *)(r6 + %d)\n"
            "*(u32 *)(r10 - 4) = r2\n"
            "r1 = r6\n"
            "r2 = r10\n"
            "r2 += -4\n"
            "r3 = 4\n"
            "call dp_helper_controller\n"
            "r0 = 0\n"
            "exit\n", (int) offsetof(struct dp_ctx, key));
    for (uint32_t i = 1; i <= 5000; i++) {
        struct dp_packet *packet = fx_packet(UDP);

        memcpy(dp_packet_data(packet), &i, 4);
        fx_push(dev1, packet);
    }
    fx_wait_until(&fx, all_accounted, &fx);
    dp_get_totals(fx.dp, &totals);
    assert_int_equal(totals.to_main, seen.n);
    assert_int_equal(totals.dropped, 5000 - seen.n);
    assert_int_equal(fx_drops(&fx, DP_DROP_UPCALL_FULL, 0, 0),
                     totals.dropped);
    assert_int_equal(totals.upcalls_lost, totals.dropped);
    assert_true(seen.n >= DP_RING_SIZE);
    fx_uninit(&fx);
}

/* With dummies enabled the main thread polls, and handles what a packet
 * handed up before the next one. */

static void
swap_program(struct dp_upcall *up, void *fx_)
{
    fx_prog(fx_, DP_SLOT_PARSE, OUTPUT_TO(2));
}

static void
test_poll_in_main(void **state)
{
    struct netdev *dev1, *dev2;
    struct fx fx;

    fx_init(&fx, DP_THREADED);
    dp_set_poll_non_pmd_in_main(fx.dp, true);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    dp_set_upcall_cb(fx.dp, DP_UPCALL_CONTROLLER, swap_program, &fx);
    fx_prog(&fx, DP_SLOT_PARSE, "r2 = 0xfffd\nr3 = 0\n"
            "call dp_helper_output\nr0 = 0\nexit\n");
    fx_push(dev1, fx_packet(UDP));
    dp_run(fx.dp);
    fx_push(dev1, fx_packet(UDP));
    dp_run(fx.dp);
    assert_int_equal(fx_n_sent(dev2), 1);
    drop_sent(dev2);
    fx_uninit(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wakes_up),
        cmocka_unit_test(test_port_removal),
        cmocka_unit_test(test_publish),
        cmocka_unit_test(test_flows),
        cmocka_unit_test(test_upcalls),
        cmocka_unit_test(test_poll_in_main),
    };

    return cmocka_run_group_tests_name("dp-threads", tests, NULL, NULL);
}
