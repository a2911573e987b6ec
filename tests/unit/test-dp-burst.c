/* SPDX-License-Identifier: Apache-2.0 */

/* Bursts: packets whose programs yield take turns, and still leave in the
 * order in which they came, with what each of them did to itself only. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "datapath/upcall.h"
#include "dp-packet.h"
#include "netdev.h"
#include "tests/unit/dp-fixture.h"
#include "util.h"

#define UDP "in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02)," \
    "eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64," \
    "frag=no),udp(src=1000,dst=2000)"

#define CTX(MEMBER) ((int) offsetof(struct dp_ctx, MEMBER))
#define KEY(WORD) ((int) (offsetof(struct dp_ctx, key) + 8 * (WORD)))

enum {
    N = 5 * 32 + 7,
    SEQUENCE_OFS = 28,          /* Lower half of the IPv4 source address. */
    CLONED = 4, UPCALLED = 8, DROPPED = 16      /* Bits of the sequence. */
};

/* Yields as often as the two lowest bits of the sequence number say. */
static void
load_programs(struct fx *fx)
{
    fx_prog(fx, DP_SLOT_PARSE,
            "r6 = r1\n"
            "call dp_helper_parse\n"
            "r1 = r6\n"
            "r2 = *(u8 *)(r1 + %d)\n"
            "r2 &= 3\n"
            "*(u64 *)(r1 + %d) = r2\n"
            "again:\n"
            "r2 = *(u64 *)(r1 + %d)\n"
            "if r2 == 0 goto done\n"
            "r2 -= 1\n"
            "*(u64 *)(r1 + %d) = r2\n"
            "call yield\n"
            "goto again\n"
            "done:\n"
            "r2 = 300\n"
            "call goto_slot\n"
            "exit\n",
            KEY(DP_KEY_IPV4) + 3, CTX(scratch), CTX(scratch), CTX(scratch));
    fx_prog(fx, DP_SLOT_END,
            "r6 = r1\n"
            "call dp_helper_end\n"
            "if r0 == 0 goto out\n"
            "r1 = r6\n"
            "r2 = r0\n"
            "call goto_slot\n"
            "out:\n"
            "exit\n");
    fx_prog(fx, 300,
            "r6 = r1\n"
            "r7 = *(u8 *)(r6 + %d)\n"
            "r2 = r7\n"
            "r2 &= %d\n"
            "if r2 != 0 goto end\n"
            "r2 = r7\n"
            "r2 &= %d\n"
            "if r2 == 0 goto no_upcall\n"
            "r1 = r6\n" "r2 = %d\n" "r3 = 0\n" "call dp_helper_output\n"
            "no_upcall:\n"
            "r7 &= %d\n"
            "if r7 == 0 goto plain\n"
            "r1 = r6\n" "r2 = 301\n" "call dp_helper_clone\n"
            "if r0 != 0 goto end\n"
            "*(u8 *)(r6 + %d) = 0xaa\n"
            "*(u32 *)(r6 + %d) = %d\n"
            "r1 = r6\n" "call yield\n" "r6 = r1\n"
            "r1 = r6\n" "r2 = 3\n" "r3 = 0\n" "call dp_helper_output\n"
            "goto end\n"
            "plain:\n"
            "r1 = r6\n" "r2 = 2\n" "r3 = 0\n" "call dp_helper_output\n"
            "end:\n"
            "r1 = r6\n" "r2 = %d\n" "call goto_slot\n"
            "exit\n",
            KEY(DP_KEY_IPV4) + 3, DROPPED, UPCALLED, OFPP_CONTROLLER, CLONED,
            KEY(DP_KEY_ETH), CTX(dirty), DP_DIRTY_ETH, DP_SLOT_END);
    fx_prog(fx, 301,
            "call yield\n"
            "r6 = r1\n"
            "r2 = 2\n" "r3 = 0\n" "call dp_helper_output\n"
            "r1 = r6\n" "r2 = %d\n" "call goto_slot\n"
            "exit\n", DP_SLOT_END);
}

static uint16_t
sequence_of(const struct dp_packet *packet)
{
    const uint8_t *p = dp_packet_data(packet);

    return p[SEQUENCE_OFS] << 8 | p[SEQUENCE_OFS + 1];
}

/* Packet 'i', as it was sent. */
static struct dp_packet *
numbered(const struct dp_packet *model, unsigned i)
{
    struct dp_packet *packet = dp_packet_clone(model);
    uint8_t *p = dp_packet_data(packet);

    p[SEQUENCE_OFS] = i >> 8;
    p[SEQUENCE_OFS + 1] = i;
    return packet;
}

static unsigned next_upcall;

static void
count_upcall(struct dp_upcall *upcall, void *aux OVS_UNUSED)
{
    while (next_upcall & DROPPED || !(next_upcall & UPCALLED)) {
        next_upcall++;
    }
    assert_int_equal(sequence_of(upcall->packet), next_upcall);
    next_upcall++;
}

/* What 'dev' sent is, in order, what has all of 'bits' and is not dropped;
 * with 'first' as the first byte if that is not 0. */
static void
check_lane(struct netdev *dev, const struct dp_packet *model, unsigned bits,
           uint8_t first)
{
    struct dp_packet *got, *want;

    for (unsigned i = 0; i < N; i++) {
        if (i & DROPPED || (i & bits) != bits) {
            continue;
        }
        got = fx_pop(dev);
        want = numbered(model, i);
        if (first) {
            *(uint8_t *) dp_packet_data(want) = first;
        }
        assert_non_null(got);
        assert_true(dp_packet_equal(got, want));
        dp_packet_delete(got);
        dp_packet_delete(want);
    }
    assert_int_equal(fx_n_sent(dev), 0);
}

static void
test_order(void **state)
{
    struct dp_packet *model = fx_packet(UDP);
    struct netdev *dev1, *dev2, *dev3;
    struct fx fx;

    for (int in_turn = 0; in_turn < 2; in_turn++) {
        fx_init(&fx, DP_INLINE);
        load_programs(&fx);
        dp_set_upcall_cb(fx.dp, DP_UPCALL_CONTROLLER, count_upcall, NULL);
        fx_port(&fx, "p1", 1, &dev1);
        fx_port(&fx, "p2", 2, &dev2);
        fx_port(&fx, "p3", 3, &dev3);
        if (in_turn) {
            dp_bridge_set_in_turn(fx.bridge);
        }
        next_upcall = 0;
        for (unsigned i = 0; i < N; i++) {
            fx_push(dev1, numbered(model, i));
        }
        fx_run(&fx);
        check_lane(dev2, model, 0, 0);
        check_lane(dev3, model, CLONED, 0xaa);
        assert_true(next_upcall > N - 2 * DROPPED);
        fx_uninit(&fx);
    }
    dp_packet_delete(model);
}

/* Runts and packets without a program between others are dropped alone. */
static void
test_runts(void **state)
{
    struct dp_packet *model = fx_packet(UDP), *runt;
    struct netdev *dev1, *dev2;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    load_programs(&fx);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    for (unsigned i = 0; i < 4; i++) {
        runt = numbered(model, 0);
        dp_packet_set_size(runt, 10);
        fx_push(dev1, runt);
        fx_push(dev1, numbered(model, i));
    }
    fx_run(&fx);
    for (unsigned i = 0; i < 4; i++) {
        struct dp_packet *got = fx_pop(dev2);

        assert_int_equal(sequence_of(got), i);
        dp_packet_delete(got);
    }
    assert_int_equal(fx_drops(&fx, DP_DROP_RUNT, 0, 0), 4);

    /* A jump through an empty slot. */
    fx_prog(&fx, 300, "r2 = 999\ncall goto_slot\nexit\n");
    fx_push(dev1, numbered(model, 0));
    fx_push(dev1, numbered(model, 1));
    fx_run(&fx);
    assert_int_equal(fx_drops(&fx, DP_DROP_NO_PROGRAM, 0, 0), 2);
    dp_packet_delete(model);
    fx_uninit(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_runts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
