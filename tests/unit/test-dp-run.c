/* SPDX-License-Identifier: Apache-2.0 */

/* Packets through bridges whose programs are written by hand. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "datapath/ctx.h"
#include "datapath/run.h"
#include "dp-packet.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-table.h"
#include "packets.h"
#include "tests/unit/dp-fixture.h"

#define UDP "in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02)," \
    "eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64," \
    "frag=no),udp(src=1000,dst=2000)"

#define KEY(WORD) ((int) (offsetof(struct dp_ctx, key) + 8 * (WORD)))
#define HIT ((int) offsetof(struct dp_ctx, hit))
#define DIRTY ((int) offsetof(struct dp_ctx, dirty))

/* A table program that hits 'flow' with the action program in 'slot'. */
static void
always_hit(struct fx *fx, uint8_t table, uint32_t slot, uint32_t flow)
{
    fx_prog(fx, DP_SLOT_TABLE + table,
            "r6 = r1\n"
            "r2 = %#llx ll\n"
            "*(u64 *)(r6 + %d) = r2\n"
            "r2 = %u\n"
            "call goto_slot\n"
            "exit\n",
            (unsigned long long) DP_HIT(slot, flow), HIT, slot);
}

static void
always_miss(struct fx *fx, uint8_t table)
{
    fx_prog(fx, DP_SLOT_TABLE + table,
            "r6 = r1\n"
            "r2 = %u\n"
            "call dp_helper_miss\n"
            "r1 = r6\n"
            "r2 = r0\n"
            "call goto_slot\n"
            "exit\n", table);
}

#define ACTIONS_START                           \
    "r6 = r1\n"                                 \
    "r2 = 8\n"                                  \
    "call dp_helper_hit\n"                      \
    "if r0 == 0 goto end\n"                     \
    "r7 = r0\n"
#define ACTIONS_RESUME                          \
    "r6 = r1\n"                                 \
    "r2 = 8\n"                                  \
    "call dp_helper_params\n"                   \
    "if r0 == 0 goto end\n"                     \
    "r7 = r0\n"
#define ACTIONS_END                             \
    "end:\n"                                    \
    "r1 = r6\n"                                 \
    "r2 = 256\n"                                \
    "call goto_slot\n"                               \
    "exit\n"
/* Output to the port in the parameters. */
#define OUTPUT_PARAM                            \
    "r1 = r6\n"                                 \
    "r2 = *(u64 *)(r7 + 0)\n"                   \
    "r3 = 0\n"                                  \
    "call dp_helper_output\n"
#define OUTPUT(PORT)                            \
    "r1 = r6\n"                                 \
    "r2 = " #PORT "\n"                          \
    "r3 = 0\n"                                  \
    "call dp_helper_output\n"
#define RESUBMIT(TABLE)                         \
    "r1 = r6\n"                                 \
    "r2 = 1\n"                                  \
    "r3 = " #TABLE "\n"                         \
    "call dp_helper_resubmit\n"                 \
    "if r0 != 0 goto end\n"                     \
    "r1 = r6\n"                                 \
    "r2 = " #TABLE "\n" "r2 += 1\n"            \
    "call goto_slot\n"

static void
test_output(void **state)
{
    struct netdev *dev1, *dev2;
    uint32_t counters, flow;
    struct dp_packet *sent, *want = fx_packet(UDP);
    struct dp_counts counts;
    uint64_t lookups, matches;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    flow = fx_flow(&fx, 0, 0x1234, &(uint64_t) { 2 }, &counters);
    always_hit(&fx, 0, 300, flow);
    fx_prog(&fx, 300, ACTIONS_START OUTPUT_PARAM ACTIONS_END);

    for (int i = 0; i < 40; i++) {
        fx_push(dev1, fx_packet(UDP));
    }
    fx_run(&fx);
    assert_int_equal(fx_n_sent(dev1), 0);
    assert_int_equal(fx_n_sent(dev2), 40);
    while ((sent = fx_pop(dev2))) {
        assert_true(dp_packet_equal(sent, want));
        dp_packet_delete(sent);
    }

    dp_counters_read(fx.dp, counters, &counts);
    assert_int_equal(counts.packets, 40);
    assert_int_equal(counts.bytes, 40 * dp_packet_size(want));
    assert_true(counts.used > 0);
    dp_table_counts(fx.bridge, 0, &lookups, &matches);
    assert_int_equal(lookups, 40);
    assert_int_equal(matches, 40);

    dp_packet_delete(want);
    dp_flow_free(fx.dp, flow);
    dp_counters_unref(fx.dp, counters);
    fx_uninit(&fx);
}

/* Ports, drop reasons and who is to blame. */

static void
test_drops(void **state)
{
    static const struct {
        uint64_t port;
        enum dp_drop_reason reason;
    } cases[] = {
        { 99, DP_DROP_NO_PORT },
        { 1, DP_DROP_IN_PORT },
        { 2, DP_DROP_NO_FWD },
        { 3, DP_DROP_PORT_DOWN },
        { OFPP_NONE, DP_DROP_ACTION },
    };
    struct netdev *dev1;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    dp_port_set_flags(fx_port(&fx, "p2", 2, NULL), DP_PORT_NO_FWD);
    dp_port_set_flags(fx_port(&fx, "p3", 3, NULL), DP_PORT_DOWN);
    fx_prog(&fx, 300, ACTIONS_START OUTPUT_PARAM ACTIONS_END);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t flow = fx_flow(&fx, 7, 100 + i, &cases[i].port, NULL);

        always_hit(&fx, 0, 300, flow);
        fx_push(dev1, fx_packet(UDP));
        fx_push(dev1, fx_packet(UDP));
        fx_run(&fx);
        assert_int_equal(fx_drops(&fx, cases[i].reason, 7, 100 + i), 2);
        dp_flow_free(fx.dp, flow);
    }
    fx_uninit(&fx);
}

static void
test_reserved_ports(void **state)
{
    static const struct {
        uint64_t port;
        int sent[3];            /* On ports 1, 2, LOCAL. */
    } cases[] = {
        { OFPP_IN_PORT, { 1, 0, 0 } },
        { OFPP_ALL, { 0, 1, 1 } },
        { OFPP_FLOOD, { 0, 0, 1 } },
        { OFPP_LOCAL, { 0, 0, 1 } },
        { 2, { 0, 1, 0 } },
    };
    struct netdev *devs[3];
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &devs[0]);
    dp_port_set_flags(fx_port(&fx, "p2", 2, &devs[1]), DP_PORT_NO_FLOOD);
    fx_port(&fx, "lo", OFPP_LOCAL, &devs[2]);
    fx_prog(&fx, 300, ACTIONS_START OUTPUT_PARAM ACTIONS_END);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t flow = fx_flow(&fx, 0, 0, &cases[i].port, NULL);

        always_hit(&fx, 0, 300, flow);
        fx_push(devs[0], fx_packet(UDP));
        fx_run(&fx);
        for (int j = 0; j < 3; j++) {
            assert_int_equal(fx_n_sent(devs[j]), cases[i].sent[j]);
            dp_packet_delete(fx_pop(devs[j]));
        }
        dp_flow_free(fx.dp, flow);
    }
    fx_uninit(&fx);
}

/* Output, rewrite, output: the first packet keeps its bytes. */
static void
test_snapshot(void **state)
{
    struct netdev *dev1, *dev2, *dev3;
    struct dp_packet *p, *want = fx_packet(UDP);
    uint32_t flow;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    fx_port(&fx, "p3", 3, &dev3);
    flow = fx_flow(&fx, 0, 0, &(uint64_t) { 0 }, NULL);
    always_hit(&fx, 0, 300, flow);
    fx_prog(&fx, 300, ACTIONS_START OUTPUT(2)
            "*(u8 *)(r6 + %d) = 0xaa\n"
            "*(u32 *)(r6 + %d) = %d\n" OUTPUT(3) OUTPUT(2)
            ACTIONS_END, KEY(DP_KEY_ETH), DIRTY, DP_DIRTY_ETH);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);

    assert_int_equal(fx_n_sent(dev2), 2);
    p = fx_pop(dev2);
    assert_true(dp_packet_equal(p, want));
    dp_packet_delete(p);
    *(uint8_t *) dp_packet_data(want) = 0xaa;
    p = fx_pop(dev2);
    assert_true(dp_packet_equal(p, want));
    dp_packet_delete(p);
    p = fx_pop(dev3);
    assert_true(dp_packet_equal(p, want));
    dp_packet_delete(p);

    dp_packet_delete(want);
    dp_flow_free(fx.dp, flow);
    fx_uninit(&fx);
}

static void
test_truncate(void **state)
{
    struct netdev *dev1, *dev2;
    struct dp_packet *p;
    uint32_t flow;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    flow = fx_flow(&fx, 0, 0, &(uint64_t) { 0 }, NULL);
    always_hit(&fx, 0, 300, flow);
    fx_prog(&fx, 300, ACTIONS_START
            "r1 = r6\n" "r2 = 2\n" "r3 = 20\n" "call dp_helper_output\n"
            "r1 = r6\n" "r2 = 2\n" "r3 = 3\n" "call dp_helper_output\n"
            "r1 = r6\n" "r2 = 2\n" "r3 = 9999\n" "call dp_helper_output\n"
            ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    p = fx_pop(dev2);
    assert_int_equal(dp_packet_size(p), 20);
    dp_packet_delete(p);
    p = fx_pop(dev2);
    assert_int_equal(dp_packet_size(p), ETH_HEADER_LEN);
    dp_packet_delete(p);
    p = fx_pop(dev2);
    assert_int_equal(dp_packet_size(p), 42);
    dp_packet_delete(p);
    dp_flow_free(fx.dp, flow);
    fx_uninit(&fx);
}

/* Continuations. */

/* resubmit(,1), output:3 with table 1: output:2. */
static void
test_resubmit(void **state)
{
    struct netdev *dev1, *dev2, *dev3;
    uint32_t flow0, flow1, c0, c1;
    struct dp_counts counts;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    fx_port(&fx, "p3", 3, &dev3);
    flow0 = fx_flow(&fx, 0, 0, &(uint64_t) { 3 }, &c0);
    flow1 = fx_flow(&fx, 1, 0, &(uint64_t) { 2 }, &c1);
    always_hit(&fx, 0, 300, flow0);
    always_hit(&fx, 1, 302, flow1);
    fx_prog(&fx, 300, ACTIONS_START
            "r1 = r6\n" "r2 = 301\n" "call dp_helper_frame\n"
            "if r0 != 0 goto end\n" RESUBMIT(1) ACTIONS_END);
    fx_prog(&fx, 301, ACTIONS_RESUME OUTPUT_PARAM ACTIONS_END);
    fx_prog(&fx, 302, ACTIONS_START OUTPUT_PARAM ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_n_sent(dev2), 1);
    assert_int_equal(fx_n_sent(dev3), 1);
    dp_counters_read(fx.dp, c0, &counts);
    assert_int_equal(counts.packets, 1);
    dp_counters_read(fx.dp, c1, &counts);
    assert_int_equal(counts.packets, 1);
    dp_flow_free(fx.dp, flow0);
    dp_flow_free(fx.dp, flow1);
    dp_counters_unref(fx.dp, c0);
    dp_counters_unref(fx.dp, c1);
    fx_uninit(&fx);
}

/* A resubmit's input port is for the lookup only. */
static void
test_resubmit_in_port(void **state)
{
    struct netdev *dev1, *dev9;
    uint32_t flow0, flow1;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p9", 9, &dev9);
    flow0 = fx_flow(&fx, 0, 0, &(uint64_t) { 0 }, NULL);
    flow1 = fx_flow(&fx, 1, 77, &(uint64_t) { 1 }, NULL);
    always_hit(&fx, 0, 300, flow0);
    fx_prog(&fx, 300, ACTIONS_START
            "r1 = r6\n" "r2 = 9\n" "r3 = 1\n" "call dp_helper_resubmit\n"
            "if r0 != 0 goto end\n" "r1 = r6\n" "r2 = 2\n" "call goto_slot\n"
            ACTIONS_END);
    /* Table 1 hits only if the key says port 9. */
    fx_prog(&fx, DP_SLOT_TABLE + 1,
            "r6 = r1\n"
            "r2 = *(u32 *)(r6 + %d)\n"
            "if r2 != 9 goto out\n"
            "r2 = %#llx ll\n"
            "*(u64 *)(r6 + %d) = r2\n"
            "r2 = 301\n"
            "call goto_slot\n"
            "out:\n"
            "r0 = 0\n"
            "exit\n",
            KEY(DP_KEY_PORT) + 4, (unsigned long long) DP_HIT(301, flow1),
            HIT);
    fx_prog(&fx, 301, ACTIONS_START OUTPUT_PARAM OUTPUT(9) ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    /* Port 1 is the input port again, port 9 is not. */
    assert_int_equal(fx_n_sent(dev1), 0);
    assert_int_equal(fx_n_sent(dev9), 1);
    dp_flow_free(fx.dp, flow0);
    dp_flow_free(fx.dp, flow1);
    fx_uninit(&fx);
}

/* Limits: a table that resubmits to itself (64 levels), one that goes on
 * afterwards twice (4,096 resubmits), frames without end (4,096). */
static void
test_limits(void **state)
{
    struct netdev *dev1, *dev2;
    uint32_t flow, flow1, flow2, counters;
    struct dp_counts counts;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    flow = fx_flow(&fx, 0, 5, &(uint64_t) { 0 }, &counters);
    always_hit(&fx, 0, 300, flow);
    fx_prog(&fx, 300, ACTIONS_START OUTPUT(2) RESUBMIT(0) ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_n_sent(dev2), 0);
    assert_int_equal(fx_drops(&fx, DP_DROP_RESUBMIT_DEPTH, 0, 5), 1);
    dp_counters_read(fx.dp, counters, &counts);
    assert_int_equal(counts.packets, 65);

    /* Table 0: resubmit(,1) 16 times; table 1 does so to 2, 2 to 3: 4,368 in
     * all, never backward. */
    flow1 = fx_flow(&fx, 1, 6, &(uint64_t) { 0 }, NULL);
    flow2 = fx_flow(&fx, 2, 7, &(uint64_t) { 0 }, NULL);
    always_hit(&fx, 1, 300, flow1);
    always_hit(&fx, 2, 300, flow2);
    always_miss(&fx, 3);
    for (int i = 0; i < 16; i++) {
        fx_prog(&fx, 300 + i, "r6 = r1\n"
                "r2 = 8\n"
                "call dp_helper_%s\n"
                "if r0 == 0 goto end\n"
                "r1 = r6\n" "r2 = %d\n" "call dp_helper_frame\n"
                "if r0 != 0 goto end\n"
                "r3 = *(u8 *)(r6 + %d)\n" "r3 += 1\n"
                "r8 = r3\n" "r8 += %d\n"
                "r1 = r6\n" "r2 = 1\n" "call dp_helper_resubmit\n"
                "if r0 != 0 goto end\n"
                "r1 = r6\n" "r2 = r8\n" "call goto_slot\n"
                ACTIONS_END, i ? "params" : "hit",
                i < 15 ? 301 + i : DP_SLOT_END,
                (int) offsetof(struct dp_ctx, table_id), DP_SLOT_TABLE);
    }
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    /* 15 resubmits of table 0 take 273 each, the 16th is the 4,096th: the
     * next one is table 1's. */
    assert_int_equal(fx_drops(&fx, DP_DROP_RESUBMITS, 1, 6), 1);

    fx_prog(&fx, 300, "r6 = r1\n"
            "again:\n"
            "r1 = r6\n" "r2 = 301\n" "call dp_helper_frame\n"
            "if r0 == 0 goto again\n" ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_FRAMES, 0, 5), 1);

    dp_flow_free(fx.dp, flow);
    dp_flow_free(fx.dp, flow1);
    dp_flow_free(fx.dp, flow2);
    dp_counters_unref(fx.dp, counters);
    fx_uninit(&fx);
}

/* clone(set_field, output:2), output:3: port 3 sees the original. */
static void
test_clone(void **state)
{
    struct netdev *dev1, *dev2, *dev3;
    struct dp_packet *p, *want = fx_packet(UDP);
    uint32_t flow;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    fx_port(&fx, "p3", 3, &dev3);
    flow = fx_flow(&fx, 0, 0, &(uint64_t) { 3 }, NULL);
    always_hit(&fx, 0, 300, flow);
    fx_prog(&fx, 300, ACTIONS_START
            "r1 = r6\n" "r2 = 301\n" "call dp_helper_clone\n"
            "if r0 != 0 goto end\n"
            "*(u8 *)(r6 + %d) = 0xaa\n"
            "*(u32 *)(r6 + %d) = %d\n" OUTPUT(2)
            ACTIONS_END, KEY(DP_KEY_ETH), DIRTY, DP_DIRTY_ETH);
    fx_prog(&fx, 301, ACTIONS_RESUME OUTPUT_PARAM ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    p = fx_pop(dev3);
    assert_true(dp_packet_equal(p, want));
    dp_packet_delete(p);
    *(uint8_t *) dp_packet_data(want) = 0xaa;
    p = fx_pop(dev2);
    assert_true(dp_packet_equal(p, want));
    dp_packet_delete(p);

    /* exit in a clone ends everything, as it does in OVS. */
    fx_prog(&fx, 300, ACTIONS_START
            "r1 = r6\n" "r2 = 301\n" "call dp_helper_clone\n"
            "if r0 != 0 goto end\n" OUTPUT(2)
            "r1 = r6\n" "call dp_helper_exit\n" ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_n_sent(dev2), 1);
    assert_int_equal(fx_n_sent(dev3), 0);

    dp_packet_delete(want);
    dp_flow_free(fx.dp, flow);
    fx_uninit(&fx);
}

#define ASET(KIND, SLOT)                                                \
    "r1 = r6\n" "r2 = " #KIND "\n" "r3 = " #SLOT "\n"                   \
    "call dp_helper_aset_write\n" "if r0 != 0 goto end\n"

/* write_actions: sets in order of writing, the output last, whatever the
 * order they were written in; without an output nothing happens. */
static void
test_action_set(void **state)
{
    struct netdev *dev1, *dev2;
    uint32_t flow;
    struct dp_packet *p;
    struct fx fx;

    _Static_assert(DP_ASET_OUTPUT == 13 && DP_ASET_SET == 9, "as below");
    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    flow = fx_flow(&fx, 0, 3, &(uint64_t) { 2 }, NULL);
    always_hit(&fx, 0, 300, flow);
    fx_prog(&fx, 300, ACTIONS_START ASET(13, 310) ASET(9, 311) ASET(9, 312)
            ACTIONS_END);
    fx_prog(&fx, 310, ACTIONS_RESUME OUTPUT_PARAM ACTIONS_END);
    fx_prog(&fx, 311, ACTIONS_RESUME
            "*(u8 *)(r6 + %d) = 0xaa\n" "*(u8 *)(r6 + %d) = 0xaa\n"
            "*(u32 *)(r6 + %d) = %d\n" ACTIONS_END,
            KEY(DP_KEY_ETH), KEY(DP_KEY_ETH) + 1, DIRTY, DP_DIRTY_ETH);
    fx_prog(&fx, 312, ACTIONS_RESUME "*(u8 *)(r6 + %d) = 0xbb\n" ACTIONS_END,
            KEY(DP_KEY_ETH));
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_n_sent(dev2), 1);
    p = fx_pop(dev2);
    assert_memory_equal(dp_packet_data(p), "\xbb\xaa", 2);
    dp_packet_delete(p);

    fx_prog(&fx, 300, ACTIONS_START ASET(9, 311) ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_n_sent(dev2), 0);
    assert_int_equal(fx_drops(&fx, DP_DROP_ACTION, 0, 3), 1);

    fx_prog(&fx, 300, ACTIONS_START ASET(13, 310)
            "r1 = r6\n" "call dp_helper_aset_clear\n" ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_n_sent(dev2), 0);
    assert_int_equal(fx_drops(&fx, DP_DROP_ACTION, 0, 3), 2);

    fx_prog(&fx, 300, ACTIONS_START "again:\n" ASET(9, 311) "goto again\n"
            ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_ACTION_SET_SIZE, 0, 3), 1);
    dp_flow_free(fx.dp, flow);
    fx_uninit(&fx);
}

/* Misses. */

static void
count_upcall(struct dp_upcall *up, void *n_)
{
    unsigned *n = n_;

    ++*n;
}

static void
test_miss(void **state)
{
    struct dp_bridge_conf *conf;
    unsigned n_misses = 0;
    struct netdev *dev1;
    struct dp_port *p1;
    uint64_t lookups, matches;
    struct dp_totals totals;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    p1 = fx_port(&fx, "p1", 1, &dev1);
    dp_set_upcall_cb(fx.dp, DP_UPCALL_MISS, count_upcall, &n_misses);
    conf = dp_bridge_conf(fx.bridge);
    always_miss(&fx, 0);
    always_miss(&fx, 2);

    conf->table_miss[0] = OFPUTIL_TABLE_MISS_DROP;
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_TABLE_MISS, 0, 0), 1);
    assert_int_equal(n_misses, 0);

    conf->table_miss[0] = OFPUTIL_TABLE_MISS_DEFAULT;
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(n_misses, 0);
    conf->packet_in_on_miss = 1;
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(n_misses, 1);
    dp_get_totals(fx.dp, &totals);
    assert_int_equal(totals.to_main, 1);

    /* Table 1 has no program: it is empty, and goes by its own row. */
    conf->table_miss[0] = OFPUTIL_TABLE_MISS_CONTINUE;
    conf->table_miss[1] = OFPUTIL_TABLE_MISS_CONTINUE;
    conf->table_miss[2] = OFPUTIL_TABLE_MISS_CONTROLLER;
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(n_misses, 2);
    dp_table_counts(fx.bridge, 1, &lookups, &matches);
    assert_int_equal(lookups, 1);
    assert_int_equal(matches, 0);
    dp_table_counts(fx.bridge, 2, &lookups, &matches);
    assert_int_equal(lookups, 1);

    dp_port_set_flags(p1, DP_PORT_NO_PACKET_IN);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(n_misses, 2);
    assert_int_equal(fx_drops(&fx, DP_DROP_TABLE_MISS, 2, 0), 1);
    fx_uninit(&fx);
}

static void
test_no_recv(void **state)
{
    struct netdev *dev1;
    struct dp_port *p1;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_standard(&fx);
    p1 = fx_port(&fx, "p1", 1, &dev1);
    always_miss(&fx, 0);
    dp_bridge_conf(fx.bridge)->table_miss[0] = OFPUTIL_TABLE_MISS_DROP;
    dp_port_set_flags(p1, DP_PORT_NO_RECV);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_NO_RECV, 0, 0), 1);
    dp_port_set_flags(p1, DP_PORT_NO_RECV_STP);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_TABLE_MISS, 0, 0), 1);

    dp_bridge_conf(fx.bridge)->forwarding = 0;
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_NOT_FORWARDING, 0, 0), 1);
    fx_uninit(&fx);
}

/* Programs that are not there, or break the rules. */
static void
test_bad_programs(void **state)
{
    struct netdev *dev1;
    uint32_t flow;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_port(&fx, "p1", 1, &dev1);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_NO_PROGRAM, 0, 0), 1);

    fx_standard(&fx);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_NO_PROGRAM, 0, 0), 2);

    fx_prog(&fx, DP_SLOT_TABLE, "r2 = *(u64 *)(r1 + 0)\nr0 = 0\nexit\n");
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_PROGRAM_ERROR, 0, 0), 1);

    /* A flow with fewer parameters than its program asks for. */
    flow = fx_flow(&fx, 0, 9, NULL, NULL);
    always_hit(&fx, 0, 300, flow);
    fx_prog(&fx, 300, ACTIONS_START OUTPUT_PARAM ACTIONS_END);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_PROGRAM_ERROR, 0, 9), 1);
    always_hit(&fx, 0, 300, 123456);
    fx_push(dev1, fx_packet(UDP));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_PROGRAM_ERROR, 0, 0), 2);
    dp_flow_free(fx.dp, flow);
    fx_uninit(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_reserved_ports),
        cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_resubmit),
        cmocka_unit_test(test_resubmit_in_port),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_action_set),
        cmocka_unit_test(test_miss),
        cmocka_unit_test(test_no_recv),
        cmocka_unit_test(test_bad_programs),
    };

    return cmocka_run_group_tests_name("dp-run", tests, NULL, NULL);
}
