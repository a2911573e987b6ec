/* SPDX-License-Identifier: Apache-2.0 */

/* Taps: which packets they see, what of them, that nothing else changes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include "datapath/ctx.h"
#include "datapath/tap.h"
#include "dp-packet.h"
#include "packets.h"
#include "tests/unit/dp-fixture.h"

#define UDP(PORT) "in_port(1),eth(src=50:54:00:00:00:01," \
    "dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1," \
    "dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no)," \
    "udp(src=1000,dst=" #PORT ")"

enum { ACTIONS = 300, NOTHING = 301 };

/* Table 0: resubmits to table 1 and goes on behind; table 1 hits 'flow',
 * whose program outputs to port 2, or drops packets to port 666. */
struct tapped {
    struct fx fx;
    struct netdev *dev1, *dev2;
    uint32_t flow;
};

static void
set_up(struct tapped *t)
{
    fx_init(&t->fx, DP_INLINE);
    fx_standard(&t->fx);
    fx_port(&t->fx, "p1", 1, &t->dev1);
    fx_port(&t->fx, "p2", 2, &t->dev2);
    t->flow = fx_flow(&t->fx, 1, 0x1234, &(uint64_t) { 2 }, NULL);
    fx_prog(&t->fx, DP_SLOT_TABLE, "r2 = %d\ncall goto_slot\nexit\n",
            DP_SLOT_TABLE + 1);
    fx_prog(&t->fx, DP_SLOT_TABLE + 1,
            "r2 = %#llx ll\n"
            "*(u64 *)(r1 + %d) = r2\n"
            "r2 = %d\n"
            "call goto_slot\n"
            "exit\n", (unsigned long long) DP_HIT(ACTIONS, t->flow),
            (int) offsetof(struct dp_ctx, hit), ACTIONS);
    fx_prog(&t->fx, ACTIONS,
            "r6 = r1\n"
            "r2 = 8\n"
            "call dp_helper_hit\n"
            "if r0 == 0 goto end\n"
            "r2 = *(u16 *)(r6 + %d)\n"
            "if r2 == %d goto end\n"
            "r1 = r6\n"
            "r2 = 2\n"
            "call dp_helper_output_last\n"
            "if r0 == 0 goto out\n"
            "r1 = r6\n"
            "r2 = r0\n"
            "call goto_slot\n"
            "end:\n"
            "r1 = r6\n"
            "r2 = %d\n"
            "call goto_slot\n"
            "out:\n"
            "r0 = 0\n"
            "exit\n",
            (int) offsetof(struct dp_ctx, key) + 8 * DP_KEY_TP + 2,
            htons(666), DP_SLOT_END);
}

static void
tear_down(struct tapped *t)
{
    dp_flow_free(t->fx.dp, t->flow);
    fx_uninit(&t->fx);
}

static void
push(struct tapped *t, const char *flow, int n)
{
    for (int i = 0; i < n; i++) {
        fx_push(t->dev1, fx_packet(flow));
    }
    fx_run(&t->fx);
}

/* What a tap has seen: the last record, and how many there were. */
struct seen {
    int n, n_gone;
    struct dp_tap_record last;
    uint32_t out_port, out_len;
    bool bytes_ok;
};

static void
done(const struct dp_tap_record *r, void *seen_)
{
    struct seen *seen = seen_;
    struct dp_packet *want = fx_packet(UDP(53));

    seen->n++;
    seen->last = *r;
    seen->bytes_ok = (r->size == dp_packet_size(want)
                      && !memcmp(r->data, dp_packet_data(want), r->size));
    if (r->n_outs) {
        dp_tap_out(r, 0, &seen->out_port, &seen->out_len);
    }
    dp_packet_delete(want);
}

static void
gone(void *seen_)
{
    ((struct seen *) seen_)->n_gone++;
}

static bool
want_nothing(const uint8_t *data, size_t size, void *aux)
{
    return false;
}

static void
drain(struct netdev *dev)
{
    struct dp_packet *packet;

    while ((packet = fx_pop(dev))) {
        dp_packet_delete(packet);
    }
}

static void
test_steps(void **state)
{
    static const uint16_t slots[] = {
        DP_SLOT_PARSE, DP_SLOT_TABLE, DP_SLOT_TABLE + 1, ACTIONS, DP_SLOT_END
    };
    struct seen seen = { .n = 0 };
    struct dp_tap_attr attr = { .done = done, .aux = &seen };
    struct dp_tap *tap;
    struct tapped t;

    set_up(&t);
    push(&t, UDP(53), 3);
    assert_int_equal(dp_tap_add(t.fx.bridge, &attr, &tap), 0);
    push(&t, UDP(53), 40);
    assert_int_equal(seen.n, 40);
    assert_true(seen.bytes_ok);
    assert_int_equal(seen.last.in_port, 1);
    assert_int_equal(seen.last.fate, DP_TAP_OUTPUT);
    assert_int_equal(seen.last.n_outs, 1);
    assert_int_equal(seen.out_port, 2);
    assert_int_equal(seen.out_len, seen.last.size);
    assert_int_equal(seen.last.n_steps, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(seen.last.steps[i].slot, slots[i]);
        assert_true(!i || seen.last.steps[i].tsc
                          >= seen.last.steps[i - 1].tsc);
    }
    assert_int_equal(seen.last.steps[3].cookie, 0x1234);
    assert_int_equal(seen.last.steps[3].table_id, 1);
    assert_int_equal(seen.last.end_tsc, seen.last.steps[4].tsc);

    push(&t, UDP(666), 1);
    assert_int_equal(seen.n, 41);
    assert_int_equal(seen.last.fate, DP_TAP_DROPPED);
    assert_int_equal(seen.last.drop, DP_DROP_ACTION);
    assert_int_equal(seen.last.drop_table, 1);
    assert_int_equal(seen.last.drop_cookie, 0x1234);
    assert_int_equal(fx_drops(&t.fx, DP_DROP_ACTION, 1, 0x1234), 1);

    dp_tap_del(tap);
    push(&t, UDP(53), 2);
    assert_int_equal(seen.n, 41);
    assert_int_equal(fx_n_sent(t.dev2), 45);
    drain(t.dev2);
    tear_down(&t);
}

/* The words of the match, 'want', and several taps at once. */
static void
test_match(void **state)
{
    struct seen all = { .n = 0 }, dns = { .n = 0 }, none = { .n = 0 };
    const union dp_key_tp mask = { .tp_dst = 0xffff };
    const union dp_key_tp value = { .tp_dst = htons(53) };
    struct dp_tap_attr attr = { .done = done };
    struct dp_tap *taps[3];
    struct tapped t;

    set_up(&t);
    attr.aux = &all;
    assert_int_equal(dp_tap_add(t.fx.bridge, &attr, &taps[0]), 0);
    attr.words[0] = (struct dp_tap_word) {
        DP_KEY_PORT, UINT64_MAX,
        (union dp_key_port) { .in_port = 1 }.word
    };
    attr.words[1] = (struct dp_tap_word) { DP_KEY_TP, mask.word, value.word };
    attr.n_words = 2;
    attr.aux = &dns;
    assert_int_equal(dp_tap_add(t.fx.bridge, &attr, &taps[1]), 0);
    attr.want = want_nothing;
    attr.aux = &none;
    assert_int_equal(dp_tap_add(t.fx.bridge, &attr, &taps[2]), 0);

    push(&t, UDP(53), 2);
    push(&t, UDP(54), 3);
    assert_int_equal(all.n, 5);
    assert_int_equal(dns.n, 2);
    assert_int_equal(none.n, 0);

    dp_tap_del(taps[0]);
    push(&t, UDP(53), 1);
    push(&t, UDP(54), 1);
    assert_int_equal(all.n, 5);
    assert_int_equal(dns.n, 3);
    dp_tap_del(taps[1]);
    push(&t, UDP(53), 1);
    assert_int_equal(dns.n, 3);
    dp_tap_del(taps[2]);
    assert_int_equal(fx_n_sent(t.dev2), 8);
    drain(t.dev2);
    tear_down(&t);
}

/* Programs that are replaced while there is a tap; the limit; a bridge that
 * goes away. */
static void
test_changes(void **state)
{
    struct seen seen = { .n = 0 };
    struct dp_tap_attr attr = { .done = done, .gone = gone, .aux = &seen };
    struct dp_tap *taps[DP_MAX_TAPS], *more;
    struct vm_slots *slots;
    struct tapped t;

    set_up(&t);
    for (int i = 0; i < DP_MAX_TAPS; i++) {
        assert_int_equal(dp_tap_add(t.fx.bridge, &attr, &taps[i]), 0);
    }
    assert_int_equal(dp_tap_add(t.fx.bridge, &attr, &more), -ENOSPC);
    assert_null(more);

    /* Table 0 becomes what table 1 is. */
    slots = dp_bridge_slots(t.fx.bridge);
    dp_bridge_set_slot(t.fx.bridge, DP_SLOT_TABLE,
                       slots->prog[DP_SLOT_TABLE + 1]);
    push(&t, UDP(53), 1);
    assert_int_equal(seen.n, DP_MAX_TAPS);
    assert_int_equal(seen.last.n_steps, 4);
    assert_int_equal(seen.last.steps[2].slot, ACTIONS);
    assert_int_equal(fx_n_sent(t.dev2), 1);
    drain(t.dev2);
    tear_down(&t);
    assert_int_equal(seen.n_gone, DP_MAX_TAPS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
