/* SPDX-License-Identifier: Apache-2.0 */

/* The datapath's parts: key words against `struct flow`, flows and counters,
 * the table of drops, VLAN and TTL helpers, fragments, the rows of the
 * tables. */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "datapath/bridge-type.h"
#include "datapath/counters.h"
#include "datapath/ctx.h"
#include "datapath/drops.h"
#include "datapath/run.h"
#include "dp-packet.h"
#include "flow.h"
#include "netdev.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/ofp-switch.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "tests/unit/dp-fixture.h"
#include "util.h"
#include "vm/maps/vtable.h"
#include "vm/type.h"

#define UDP(TTL, FRAG) "in_port(1),eth(src=50:54:00:00:00:01,"           \
    "dst=50:54:00:00:00:02),eth_type(0x0800),ipv4(src=10.0.0.1,"        \
    "dst=10.0.0.2,proto=17,tos=0,ttl=" TTL ",frag=" FRAG "),"           \
    "udp(src=1000,dst=2000)"

static void
fill(void *p_, size_t n, uint64_t *seed)
{
    uint8_t *p = p_;

    while (n--) {
        *p++ = fx_random(seed);
    }
}

/* Key words. */

static void
test_key(void **state)
{
    bool seen[FLOW_U64S] = { false };
    uint64_t key[DP_KEY_WORDS];
    struct flow flow, back;
    uint64_t seed = 1;

    fill(&flow, sizeof flow, &seed);
    dp_key_from_flow(key, &flow);
    dp_flow_from_key(&back, key);
    memset(&flow.tunnel, 0, sizeof flow.tunnel);
    assert_memory_equal(&flow, &back, sizeof flow);

    for (int i = 0; i < DP_KEY_WORDS; i++) {
        size_t word = dp_key_flow_word[i];
        uint64_t want;

        assert_true(word < FLOW_U64S);
        assert_false(seen[word]);
        seen[word] = true;
        memcpy(&want, (const uint64_t *) &flow + word, sizeof want);
        assert_int_equal(key[i], want);
    }
    for (size_t g = 0, next = 0; g < dp_n_key_groups; g++) {
        assert_int_equal(dp_key_groups[g].key_word, next);
        assert_int_equal(dp_key_groups[g].flow_word, dp_key_flow_word[next]);
        next += dp_key_groups[g].n_words;
    }
}

/* Every helper can be called, once under each number, with the context or a
 * map first; every member lies inside the context, in order. */
static void
test_program_type(void **state)
{
    const struct vm_prog_type *type = dp_bridge_prog_type();

    for (size_t i = 0; i < dp_helpers.n; i++) {
        const struct vm_helper *helper = &dp_helpers.helpers[i];

        assert_ptr_equal(vm_type_helper(type, helper->id), helper);
        assert_ptr_equal(vm_type_helper_by_name(type, helper->name), helper);
        assert_true(helper->args[0] == VM_ARG_CTX
                    || (helper->args[0] == VM_ARG_MAP
                        && helper->args[1] == VM_ARG_CTX));
    }
    for (size_t i = 1; i < type->n_members; i++) {
        assert_true(type->members[i - 1].off + type->members[i - 1].size
                    <= type->members[i].off);
        assert_true(type->members[i].off + type->members[i].size
                    <= type->ctx_size);
    }
}

static void
test_drop_rows(void **state)
{
    for (int i = 0; i < DP_N_DROPS; i++) {
        assert_true(strlen(dp_drop_name(i)) > 0);
        assert_true(strlen(dp_drop_text(i)) > 0);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(dp_drop_name(i), dp_drop_name(j));
            assert_string_not_equal(dp_drop_text(i), dp_drop_text(j));
        }
    }
}

/* Flows and counters. */

static void
test_counters(void **state)
{
    enum { N = 3 * DP_CHUNK };
    static uint32_t ids[N];
    struct dp_counts counts;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    for (int i = 0; i < N; i++) {
        ids[i] = dp_counters_alloc(fx.dp);
        assert_int_not_equal(ids[i], DP_COUNTERS_NONE);
        dp_counters_add(fx.dp, ids[i], i, 2 * i);
    }
    for (int i = 0; i < N; i++) {
        dp_counters_read(fx.dp, ids[i], &counts);
        assert_int_equal(counts.packets, i);
        assert_int_equal(counts.bytes, 2 * i);
    }

    /* The numbers come again, with counts of 0. */
    for (int i = 0; i < N; i++) {
        dp_counters_unref(fx.dp, ids[i]);
    }
    for (int i = 0; i < N; i++) {
        ids[i] = dp_counters_alloc(fx.dp);
        assert_true(ids[i] < N);
        dp_counters_read(fx.dp, ids[i], &counts);
        assert_int_equal(counts.packets, 0);
        assert_int_equal(counts.used, 0);
    }
    for (int i = 0; i < N; i++) {
        dp_counters_unref(fx.dp, ids[i]);
    }
    fx_uninit(&fx);
}

/* A flow keeps its block and its counters until workers are past it. */
static void
test_flow_life(void **state)
{
    struct dp_flow_attr attr = { .params = "12345678", .params_size = 8 };
    struct dp_counts counts;
    uint32_t flow, counters;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    counters = dp_counters_alloc(fx.dp);
    attr.counters = counters;
    flow = dp_flow_alloc(fx.dp, &attr);
    dp_counters_unref(fx.dp, counters);
    dp_counters_add(fx.dp, counters, 1, 1);
    dp_flow_free(fx.dp, flow);

    /* This thread has not been quiescent since. */
    dp_counters_read(fx.dp, counters, &counts);
    assert_int_equal(counts.packets, 1);
    assert_int_not_equal(dp_flow_alloc(fx.dp, &attr), flow);
    dp_flow_free(fx.dp, flow + 1);
    fx_uninit(&fx);
}

/* Drops. */

static void
count_row(const struct dp_drop_cause *cause, uint64_t packets,
          const struct dp_drop_head *head, void *total_)
{
    uint64_t *total = total_;

    *total += packets;
}

/* More rows than there is room for: none is lost. */
static void
test_drops_full(void **state)
{
    struct dp_drops *drops = xzalloc(sizeof *drops);
    uint64_t total = 0;

    for (uint64_t i = 0; i < 10000; i++) {
        struct dp_drop_cause once = { DP_DROP_ACTION, i % 3, i };
        struct dp_drop_cause often = { DP_DROP_ACTION, i % 3, i % 10 };

        dp_drops_add(drops, &once, 1, NULL);
        dp_drops_add(drops, &often, 1, NULL);
    }
    dp_drops_each(drops, count_row, &total);
    assert_int_equal(total, 20000);
    free(drops);
}

static void
test_drops_show(void **state)
{
    static const struct dp_drop_cause ttl = { DP_DROP_TTL, 7, 0xabc };
    static const struct dp_drop_cause miss = { DP_DROP_TABLE_MISS, 0, 0 };
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct json *json;
    struct fx fx;
    char *text;

    fx_init(&fx, DP_INLINE);
    for (int i = 0; i < 3; i++) {
        dp_drop_count(fx.bridge, &ttl, NULL, 0);
    }
    dp_drop_count(fx.bridge, &miss, NULL, 0);
    dp_drops_format(fx.dp, fx.bridge, &ds);
    assert_string_equal(ds_cstr(&ds),
        "br0:\n"
        "       packets  table              cookie  reason\n"
        "             3      7               0xabc  ttl: TTL used up\n"
        "             1      0                   0  "
        "table_miss: no rule matched\n");
    json = dp_drops_json(fx.dp, NULL);
    text = json_to_string(json, JSSF_SORT);
    assert_string_equal(text,
        "{\"drops\":["
        "{\"bridge\":\"br0\",\"cookie\":\"0xabc\",\"packets\":3,"
        "\"reason\":\"ttl\",\"table\":7,\"text\":\"TTL used up\"},"
        "{\"bridge\":\"br0\",\"cookie\":\"0\",\"packets\":1,"
        "\"reason\":\"table_miss\",\"table\":0,"
        "\"text\":\"no rule matched\"}]}");
    free(text);
    json_destroy(json);
    ds_destroy(&ds);
    fx_uninit(&fx);
}

/* A port that takes nothing: counted there and under its reason, the packets
 * stay forwarded. */
static void
test_tx_full(void **state)
{
    struct dp_port_stats stats;
    struct netdev *dev1, *dev2;
    struct dp_totals totals;
    struct dp_port *port;
    struct fx fx;

    fx_init(&fx, DP_INLINE);
    fx_port(&fx, "p1", 1, &dev1);
    port = fx_port(&fx, "p2", 2, &dev2);
    fx_prog(&fx, DP_SLOT_PARSE, "r2 = 2\nr3 = 0\n"
            "call dp_helper_output\nr0 = 0\nexit\n");
    fx_fail_sends(dev2, true);
    for (int i = 0; i < 5; i++) {
        fx_push(dev1, fx_packet(UDP("64", "no")));
    }
    fx_run(&fx);
    dp_port_get_stats(port, &stats);
    assert_int_equal(stats.tx_dropped, 5);
    assert_int_equal(stats.tx_packets, 0);
    assert_int_equal(stats.tx_bytes, 0);
    assert_int_equal(fx_drops(&fx, DP_DROP_TX_FULL, 0, 0), 5);
    dp_get_totals(fx.dp, &totals);
    assert_int_equal(totals.forwarded, 5);
    fx_uninit(&fx);
}

/* Helpers, called as programs call them, from a NORMAL of ours. */

static void (*inside)(struct dp_ctx *);

static uint64_t
normal(struct dp_ctx *ctx)
{
    inside(ctx);
    return 0;
}

/* Runs 'fn' on the context of 'packet', parsed; gives what went out of port
 * 2 (the caller's). */
static struct dp_packet *
run_inside(struct dp_packet *packet, void (*fn)(struct dp_ctx *))
{
    struct netdev *dev1, *dev2;
    struct dp_packet *sent;
    struct fx fx;

    inside = fn;
    dp_set_normal(normal);
    fx_init(&fx, DP_INLINE);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    fx_prog(&fx, DP_SLOT_PARSE, "r6 = r1\ncall dp_helper_parse\nr1 = r6\n"
            "call dp_helper_normal\nr0 = 0\nexit\n");
    fx_push(dev1, packet);
    fx_run(&fx);
    sent = fx_pop(dev2);
    fx_uninit(&fx);
    dp_set_normal(NULL);
    return sent;
}

static uint64_t
call1(vm_helper_fn *fn, struct dp_ctx *ctx, uint64_t r2)
{
    return fn((uintptr_t) ctx, r2, 0, 0, 0);
}

static void
push_and_pop(struct dp_ctx *ctx)
{
    struct flow flow;

    /* Three pushed, one popped: the innermost is lost, as in OVS. */
    call1(dp_helper_push_vlan, ctx, htons(ETH_TYPE_VLAN_8021Q));
    ctx->key[DP_KEY_VLAN] |= (uint64_t) htons(1) << 16;
    call1(dp_helper_push_vlan, ctx, htons(ETH_TYPE_VLAN_8021AD));
    ctx->key[DP_KEY_VLAN] |= (uint64_t) htons(2) << 16;
    dp_flow_from_key(&flow, ctx->key);
    assert_int_equal(vlan_tci_to_vid(flow.vlans[0].tci), 2);
    assert_int_equal(vlan_tci_to_vid(flow.vlans[1].tci), 1);
    call1(dp_helper_push_vlan, ctx, htons(ETH_TYPE_VLAN_8021Q));
    ctx->key[DP_KEY_VLAN] |= (uint64_t) htons(3) << 16;
    call1(dp_helper_pop_vlan, ctx, 0);
    dp_flow_from_key(&flow, ctx->key);
    assert_int_equal(vlan_tci_to_vid(flow.vlans[0].tci), 2);
    assert_int_equal(flow.vlans[0].tpid, htons(ETH_TYPE_VLAN_8021AD));
    assert_int_equal(flow.vlans[1].qtag, 0);
    dp_ctx_output(ctx, 2);
}

static void
test_vlan_helpers(void **state)
{
    struct dp_packet *sent = run_inside(fx_packet(UDP("64", "no")),
                                        push_and_pop);
    const struct vlan_eth_header *veh = dp_packet_data(sent);

    assert_int_equal(dp_packet_size(sent), 46);
    assert_int_equal(veh->veth_type, htons(ETH_TYPE_VLAN_8021AD));
    assert_int_equal(veh->veth_tci, htons(2));
    dp_packet_delete(sent);
}

static void
pop_nothing(struct dp_ctx *ctx)
{
    call1(dp_helper_pop_vlan, ctx, 0);
    assert_int_equal(ctx->dirty, 0);
    dp_ctx_output(ctx, 2);
}

static void
output_tagged(struct dp_ctx *ctx)
{
    dp_ctx_output_vlan(ctx, 2, 5);
    dp_ctx_output_vlan(ctx, 2, 0);
}

static void
test_output_vlan(void **state)
{
    struct dp_packet *untagged = fx_packet(UDP("64", "no")), *sent;
    struct dp_packet *tagged = fx_packet(UDP("64", "no"));

    sent = run_inside(dp_packet_clone(untagged), pop_nothing);
    assert_true(dp_packet_equal(sent, untagged));
    dp_packet_delete(sent);

    eth_push_vlan(tagged, htons(ETH_TYPE_VLAN), htons(5));
    sent = run_inside(dp_packet_clone_with_headroom(untagged, 64),
                      output_tagged);
    assert_true(dp_packet_equal(sent, tagged));
    dp_packet_delete(sent);
    dp_packet_delete(untagged);
    dp_packet_delete(tagged);
}

static uint64_t ttl_result;

static void
dec_ttl(struct dp_ctx *ctx)
{
    ttl_result = call1(dp_helper_dec_ttl, ctx, 0);
    dp_ctx_output(ctx, 2);
}

static void
test_dec_ttl(void **state)
{
    struct dp_packet *want = fx_packet(UDP("63", "no"));
    struct dp_packet *sent = run_inside(fx_packet(UDP("64", "no")), dec_ttl);
    struct dp_packet *arp;

    assert_int_equal(ttl_result, 0);
    assert_true(dp_packet_equal(sent, want));
    dp_packet_delete(sent);
    dp_packet_delete(want);
    dp_packet_delete(run_inside(fx_packet(UDP("1", "no")), dec_ttl));
    assert_int_equal(ttl_result, 1);
    dp_packet_delete(run_inside(fx_packet(UDP("0", "no")), dec_ttl));
    assert_int_equal(ttl_result, 1);

    /* Not IP: nothing happens. */
    arp = fx_packet("in_port(1),eth(src=50:54:00:00:00:01,"
                    "dst=50:54:00:00:00:02),eth_type(0x0806),"
                    "arp(sip=1.2.3.4,tip=1.2.3.5,op=1,"
                    "sha=50:54:00:00:00:01,tha=00:00:00:00:00:00)");
    dp_packet_delete(run_inside(arp, dec_ttl));
    assert_int_equal(ttl_result, 0);
}

/* Fragments: with a rule for UDP port 2000 and one for any UDP. */

static struct vm_map *frag_map;
static uint64_t frag_result;
static uint32_t frag_handling;

static void
frag_lookup(struct dp_ctx *ctx)
{
    struct dp_bridge_conf *conf = dp_bridge_conf(dp_ctx_bridge(ctx));
    uint64_t tp = ctx->key[DP_KEY_TP];
    uint64_t *value;

    conf->frag_handling = frag_handling;
    value = (uint64_t *) (uintptr_t) dp_helper_frag_lookup(
        (uintptr_t) frag_map, (uintptr_t) ctx, 0, 0, 0);
    frag_result = value ? *value : 0;
    assert_int_equal(ctx->key[DP_KEY_TP], tp);
    if (value) {
        dp_ctx_output(ctx, 2);
    } else {
        call1(dp_helper_miss, ctx, 4);
    }
}

static void
test_frag_lookup(void **state)
{
    static const struct {
        uint32_t handling;
        const char *packet;
        uint64_t result;
    } cases[] = {
        { OFPUTIL_FRAG_NORMAL, UDP("64", "no"), 1 },
        { OFPUTIL_FRAG_NORMAL, UDP("64", "first"), 2 },
        { OFPUTIL_FRAG_NX_MATCH, UDP("64", "first"), 1 },
        { OFPUTIL_FRAG_DROP, UDP("64", "first"), 0 },
        { OFPUTIL_FRAG_DROP, UDP("64", "no"), 1 },
    };
    struct vm_map_attr attr = {
        .kind = VM_MAP_vtuples,
        .key_size = 8 * DP_KEY_WORDS,
        .value_size = 8,
    };
    uint64_t mask[DP_KEY_WORDS] = { 0 }, key[DP_KEY_WORDS] = { 0 };
    union dp_key_tp tp = { .tp_dst = htons(2000) };
    union dp_key_tp tp_mask = { .tp_dst = OVS_BE16_MAX };

    assert_int_equal(vm_map_create(&attr, &frag_map, NULL), 0);
    assert_int_equal(vm_vtuples_insert(frag_map, mask, key, 1, 0, 2, NULL),
                     0);
    mask[DP_KEY_TP] = tp_mask.word;
    key[DP_KEY_TP] = tp.word;
    assert_int_equal(vm_vtuples_insert(frag_map, mask, key, 2, 0, 1, NULL),
                     0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct dp_packet *sent;

        frag_handling = cases[i].handling;
        sent = run_inside(fx_packet(cases[i].packet), frag_lookup);
        assert_int_equal(frag_result, cases[i].result);
        assert_int_equal(sent != NULL, cases[i].result != 0);
        dp_packet_delete(sent);
    }
    vm_map_unref(frag_map);
}

/* Packets of every length, of zeros and of garbage, do not hurt. */
static void
parse_and_output(struct dp_ctx *ctx)
{
    ctx->dirty = UINT32_MAX;            /* COMMIT looks at all it has. */
    dp_ctx_output(ctx, 2);
}

static void
test_any_packet(void **state)
{
    struct netdev *dev1, *dev2;
    uint64_t seed = 7;
    struct fx fx;

    inside = parse_and_output;
    dp_set_normal(normal);
    fx_init(&fx, DP_INLINE);
    fx_port(&fx, "p1", 1, &dev1);
    fx_port(&fx, "p2", 2, &dev2);
    fx_prog(&fx, DP_SLOT_PARSE, "r6 = r1\ncall dp_helper_parse\nr1 = r6\n"
            "call dp_helper_normal\nr0 = 0\nexit\n");
    for (int size = 14; size < 400; size++) {
        for (int kind = 0; kind < 4; kind++) {
            struct dp_packet *packet = dp_packet_new_with_headroom(size, 64);
            static const uint16_t types[] = { 0x800, 0x86dd, 0x806 };
            uint8_t *data = dp_packet_put_zeros(packet, size);

            if (kind) {
                ovs_be16 type = htons(types[kind - 1]);

                fill(data, size, &seed);
                memcpy(data + 12, &type, 2);
                if (size > 14) {
                    data[14] = kind == 1 ? 0x45 : kind == 2 ? 0x60 : 0;
                }
            }
            fx_push(dev1, packet);
        }
    }
    fx_run(&fx);
    assert_int_equal(fx_n_sent(dev2), 4 * (400 - 14));
    fx_uninit(&fx);
    dp_set_normal(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_program_type),
        cmocka_unit_test(test_drop_rows),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_flow_life),
        cmocka_unit_test(test_drops_full),
        cmocka_unit_test(test_drops_show),
        cmocka_unit_test(test_tx_full),
        cmocka_unit_test(test_vlan_helpers),
        cmocka_unit_test(test_output_vlan),
        cmocka_unit_test(test_dec_ttl),
        cmocka_unit_test(test_frag_lookup),
        cmocka_unit_test(test_any_packet),
    };

    return cmocka_run_group_tests_name("dp-parts", tests, NULL, NULL);
}
