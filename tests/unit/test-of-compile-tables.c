/* SPDX-License-Identifier: Apache-2.0 */

/* Tables: versions, sharing of code, depth of PARSE, what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "dp-packet.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "util.h"
#include "ofproto/compile/shape.h"
#include "tests/unit/of-rules.h"

#define UDP "in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02)," \
    "eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64," \
    "frag=no),udp(src=1000,dst=2000)"

static struct or_rules r;
static struct netdev *dev[5];

static int
setup(void **state)
{
    or_init(&r);
    for (int i = 1; i < 5; i++) {
        char name[16];

        snprintf(name, sizeof name, "t%d", i);
        fx_port(&r.fx, name, i, &dev[i]);
    }
    return 0;
}

static int
teardown(void **state)
{
    or_uninit(&r);
    return 0;
}

/* Sends a packet into port 1; the port it came out of, 0 for none, -1 for
 * several. */
static int
out_port(const char *flow)
{
    struct dp_packet *packet;
    int port = 0;

    dp_bridge_inject(r.fx.bridge, fx_packet(flow), 1);
    fx_run(&r.fx);
    for (int i = 1; i < 5; i++) {
        while ((packet = fx_pop(dev[i]))) {
            port = port ? -1 : i;
            dp_packet_delete(packet);
        }
    }
    return port;
}

static uint64_t
n_packets(const struct or_rule *rule)
{
    struct dp_counts counts;

    dp_counters_read(r.fx.dp, rule->entry.counters, &counts);
    return counts.packets;
}

static void
test_priority(void **state)
{
    struct or_rule *low, *high;

    assert_int_equal(out_port(UDP), 0);
    low = or_add(&r, "table=0,priority=1", "output:2");
    assert_int_equal(out_port(UDP), 2);
    high = or_add(&r, "table=0,priority=7,udp,nw_dst=10.0.0.0/8",
                  "output:3");
    assert_int_equal(out_port(UDP), 3);
    or_add(&r, "table=0,priority=9,tcp", "output:4");
    assert_int_equal(out_port(UDP), 3);
    assert_int_equal(n_packets(low), 1);
    assert_int_equal(n_packets(high), 2);
}

/* Changes of several tables become visible together, with the version. */
static void
test_versions(void **state)
{
    struct or_rule *old0, *old1, *new0, *new1;
    uint64_t v;

    old0 = or_add(&r, "table=0,priority=1", "load:1->NXM_NX_REG0[],"
                  "resubmit(,1)");
    old1 = or_add(&r, "table=1,priority=1,reg0=1", "output:2");
    assert_int_equal(out_port(UDP), 2);

    v = r.version + 1;
    or_make(&r, "table=0,priority=1", "load:2->NXM_NX_REG0[],resubmit(,1)",
            &new0);
    or_make(&r, "table=1,priority=1,reg0=2", "output:3", &new1);
    or_insert(new0, v);
    of_table_hide(&old0->entry, v);
    assert_int_equal(out_port(UDP), 2);
    or_insert(new1, v);
    of_table_hide(&old1->entry, v);
    assert_int_equal(out_port(UDP), 2);
    or_publish(&r, v);
    assert_int_equal(out_port(UDP), 3);

    /* A change that is taken back leaves no trace. */
    of_table_hide(&new0->entry, v + 1);
    of_table_restore(&new0->entry);
    or_publish(&r, v + 1);
    assert_int_equal(out_port(UDP), 3);

    of_table_delete(&old0->entry);
    of_table_delete(&old1->entry);
    assert_int_equal(out_port(UDP), 3);
}

/* Ten thousand rules that differ in parameters make one program. */
static void
test_sharing(void **state)
{
    struct of_shape_stats before, after;
    struct or_rule *rule;

    or_add(&r, "table=1,priority=1", "output:2");
    or_add(&r, "table=0,priority=1,udp,tp_dst=9", "set_field:02:00:00:00:00:"
           "09->eth_dst,dec_ttl,load:5->NXM_NX_REG3[4..7],goto_table:1");
    of_shapes_stats(&before);
    for (int i = 0; i < 10000; i++) {
        char *match = xasprintf("table=0,priority=2,udp,tp_dst=%d", i + 10);
        char *actions = xasprintf("set_field:02:00:00:00:%02x:%02x->eth_dst,"
                                  "dec_ttl,load:%d->NXM_NX_REG3[%d..%d],"
                                  "goto_table:1",
                                  i / 256, i % 256, i % 4, i % 20,
                                  i % 20 + 3);

        assert_int_equal(or_make(&r, match, actions, &rule), 0);
        or_insert(rule, r.version + 1);
        free(match);
        free(actions);
    }
    or_publish(&r, r.version + 1);
    of_shapes_stats(&after);
    assert_int_equal(after.n_shapes, before.n_shapes);
    assert_int_equal(after.n_programs, before.n_programs);
    assert_int_equal(after.n_generated, before.n_generated);
    assert_int_equal(out_port(UDP), 2);

    /* A shape that is used again after its last rule has gone. */
    or_flush(&r);
    or_add(&r, "table=0,priority=1", "output:4");
    assert_int_equal(out_port(UDP), 4);
}

static void
test_parse_depth(void **state)
{
    struct or_rule *rule;

    assert_int_equal(r.pipeline->parse_level, OF_PARSE_NONE);
    or_add(&r, "table=0,in_port=1", "output:2");
    assert_int_equal(r.pipeline->parse_level, OF_PARSE_NONE);
    or_add(&r, "table=3,dl_type=0x800", "output:3");
    assert_int_equal(r.pipeline->parse_level, OF_PARSE_L2);
    rule = or_add(&r, "table=0,ip,nw_dst=10.0.0.2", "output:3");
    assert_int_equal(r.pipeline->parse_level, OF_PARSE_L3);
    of_table_hide(&rule->entry, r.version + 1);
    or_publish(&r, r.version + 1);
    of_table_delete(&rule->entry);
    or_free(&r, rule);
    assert_int_equal(r.pipeline->parse_level, OF_PARSE_L2);
    or_add(&r, "table=0,ip", "dec_ttl,output:3");
    assert_int_equal(r.pipeline->parse_level, OF_PARSE_L4);
}

static void
test_refused(void **state)
{
    static const struct {
        const char *match, *actions;
        enum ofperr error;
    } cases[] = {
        { "tun_id=5", "drop", OFPERR_OFPBMC_BAD_FIELD },
        { "ct_state=+trk", "drop", OFPERR_NXBMC_CT_DATAPATH_SUPPORT },
        { "ct_mark=5", "drop", OFPERR_NXBMC_CT_DATAPATH_SUPPORT },
        { "ip", "ct(commit)", OFPERR_NXBAC_CT_DATAPATH_SUPPORT },
        { "ip", "ct_clear", OFPERR_NXBAC_CT_DATAPATH_SUPPORT },
        { "ip", "learn(table=1,NXM_NX_TUN_ID[])",
          OFPERR_OFPBAC_BAD_SET_TYPE },
        { "ip", "push:NXM_NX_TUN_ID[]", OFPERR_OFPBAC_BAD_SET_TYPE },
        { "ip", "pop:NXM_NX_CT_MARK[]", OFPERR_NXBAC_CT_DATAPATH_SUPPORT },
        { "ip", "set_tunnel:5", OFPERR_OFPBAC_BAD_TYPE },
        { "ip", "load:5->NXM_NX_TUN_ID[]", OFPERR_OFPBAC_BAD_SET_TYPE },
        { "ip", "move:NXM_NX_TUN_ID[0..31]->NXM_NX_REG0[]",
          OFPERR_OFPBAC_BAD_SET_TYPE },
        { "ip", "clone(output:2,set_tunnel:5)", OFPERR_OFPBAC_BAD_TYPE },
        { "ip", "write_actions(set_tunnel:5)", OFPERR_OFPBAC_BAD_TYPE },
        { "ip", "resubmit(,3,ct)", OFPERR_NXBAC_CT_DATAPATH_SUPPORT },
    };
    struct of_shape_stats stats;
    struct or_rule *rule;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        enum ofperr error = or_make(&r, cases[i].match, cases[i].actions,
                                    &rule);

        if (error != cases[i].error) {
            fail_msg("%s actions=%s: %s, expected %s", cases[i].match,
                     cases[i].actions, ofperr_to_string(error),
                     ofperr_to_string(cases[i].error));
        }
    }
    of_shapes_stats(&stats);
    assert_int_equal(stats.n_shapes, 0);
    assert_int_equal(r.pipeline->parse_level, OF_PARSE_NONE);
}

/* More shapes than there are slots: the rule is refused, what is there runs
 * on, and slots come back. */
static void
test_slots(void **state)
{
    struct of_shape_stats stats;
    struct or_rule *rule;
    enum ofperr error = 0;

    or_add(&r, "table=0,priority=1", "output:2");
    for (int i = 0; i < DP_N_SLOTS && !error; i++) {
        char *actions = xasprintf("move:reg%d[%d]->reg%d[%d],output:3",
                                  i / 1024, i % 32, i / 1024,
                                  i / 32 % 32);

        error = or_make(&r, "table=1", actions, &rule);
        free(actions);
    }
    assert_int_equal(error, OFPERR_OFPBAC_TOO_MANY);
    of_shapes_stats(&stats);
    assert_int_equal(stats.n_programs, DP_N_SLOTS - DP_SLOT_ACTIONS);
    assert_int_equal(or_make(&r, "table=1", "output:9", &rule), 0);
    assert_int_equal(or_make(&r, "table=1", "output:3,resubmit(,2),output:4",
                             &rule), OFPERR_OFPBAC_TOO_MANY);
    assert_int_equal(out_port(UDP), 2);

    or_flush(&r);
    for (int i = 0; i < 1000 && stats.n_shapes; i++) {
        or_reap();
        of_shapes_stats(&stats);
    }
    assert_int_equal(stats.n_shapes, 0);
    or_add(&r, "table=0,priority=1", "resubmit(,1),output:4");
    assert_int_equal(out_port(UDP), 4);
}

/* A rule whose table, match and cookie libofproto replaces after construct
 * (flow_mod MODIFY). */
static void
test_template(void **state)
{
    struct or_rule *old, *template;

    old = or_add(&r, "table=0,priority=3,udp,tp_dst=2000,cookie=0x77",
                 "output:2");
    assert_int_equal(or_make(&r, "table=0,cookie=0x1", "output:3",
                             &template), 0);
    cls_rule_destroy(CONST_CAST(struct cls_rule *, &template->rule.cr));
    cls_rule_clone(CONST_CAST(struct cls_rule *, &template->rule.cr),
                   &old->rule.cr);
    *CONST_CAST(ovs_be64 *, &template->rule.flow_cookie)
        = old->rule.flow_cookie;
    or_insert(template, r.version + 1);
    of_table_hide(&old->entry, r.version + 1);
    or_publish(&r, r.version + 1);
    of_table_delete(&old->entry);
    or_free(&r, old);
    assert_int_equal(r.pipeline->parse_level, OF_PARSE_L4);
    assert_int_equal(out_port(UDP), 3);
    assert_int_equal(n_packets(template), 1);
}

static void
test_show(void **state)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    const struct json *tables;
    struct json *json;

    or_add(&r, "table=0,priority=5,ip,nw_dst=10.0.0.0/8", "output:2");
    or_add(&r, "table=0,priority=6,ip,nw_dst=11.0.0.0/8", "output:3");
    or_add(&r, "table=7,priority=1,reg1=5/0xff", "drop");

    of_pipeline_show(r.pipeline, -1, OF_SHOW_INSNS, &s);
    assert_non_null(strstr(ds_cstr(&s), "mask eth_type,nw_dst/255.0.0.0: "
                           "2 entries, priority up to 6"));
    assert_non_null(strstr(ds_cstr(&s), "mask reg1/0xff: 1 entries"));
    assert_non_null(strstr(ds_cstr(&s),
                           "priority=6,ip,nw_dst=11.0.0.0/8 "
                           "actions=output:3"));
    assert_non_null(strstr(ds_cstr(&s), "call dp_helper_hit_output"));
    assert_non_null(strstr(ds_cstr(&s), "actions of 2 flows shown"));
    ds_destroy(&s);

    json = of_pipeline_json(r.pipeline, 7, OF_SHOW_RULES);
    tables = shash_find_data(json->object, "tables");
    assert_int_equal(json_array(tables)->n, 1);
    assert_int_equal(json_integer(shash_find_data(
        json_array(tables)->elems[0]->object, "entries")), 1);
    json_destroy(json);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_priority),
        TEST(test_versions),
        TEST(test_sharing),
        TEST(test_parse_depth),
        TEST(test_refused),
        TEST(test_slots),
        TEST(test_template),
        TEST(test_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
