/* SPDX-License-Identifier: Apache-2.0 */

/* Plans of tables: random rules of several styles, changed at random, each
 * plan forced, split or not; every packet must meet the rule that a search
 * through all of them finds, also while a change is not yet published. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "dp-packet.h"
#include "flow.h"
#include "openvswitch/json.h"
#include "openvswitch/match.h"
#include "packets.h"
#include "util.h"
#include "tests/unit/of-rules.h"

static struct or_rules r;
static struct netdev *dev[3];
static uint64_t seed;

static uint32_t
below(uint32_t n)
{
    return (fx_random(&seed) >> 20) % n;
}

static int
setup(void **state)
{
    or_init(&r);
    fx_port(&r.fx, "a", 1, &dev[1]);
    fx_port(&r.fx, "b", 2, &dev[2]);
    of_plan_set_quiet_ms(0);
    return 0;
}

static int
teardown(void **state)
{
    assert_true(of_plan_set("auto", "auto"));
    of_plan_set_quiet_ms(100);
    or_uninit(&r);
    return 0;
}

/* What pipeline/show says of table 0. */
static char *
shown_plan(void)
{
    struct json *top = of_pipeline_json(r.pipeline, 0, OF_SHOW_PLAN);
    const struct json *tables = shash_find_data(top->object, "tables");
    const struct json *table = json_array(tables)->elems[0];
    char *plan = xstrdup(json_string(shash_find_data(table->object,
                                                     "plan")));

    json_destroy(top);
    return plan;
}

static void
check_plan(const char *want)
{
    char *plan = shown_plan();

    assert_string_equal(plan, want);
    free(plan);
}

static void
check_not_plan(const char *unwanted)
{
    char *plan = shown_plan();

    assert_string_not_equal(plan, unwanted);
    free(plan);
}

/* The model: rules with the versions that see them. */

enum { MAX_RULES = 60 };

static struct model_rule {
    struct or_rule *rule;       /* Null: free. */
    uint64_t add, remove;
} model[MAX_RULES];

static const struct model_rule *
expect(const struct flow *flow)
{
    const struct model_rule *best = NULL;

    for (int i = 0; i < MAX_RULES; i++) {
        const struct model_rule *m = &model[i];
        struct match match;

        if (!m->rule || r.version < m->add || r.version >= m->remove) {
            continue;
        }
        minimatch_expand(&m->rule->rule.cr.match, &match);
        if (flow_equal_except(flow, &match.flow, &match.wc)
            && (!best || m->rule->rule.cr.priority
                         > best->rule->rule.cr.priority)) {
            best = m;
        }
    }
    return best;
}

static uint64_t
n_packets(const struct model_rule *m)
{
    struct dp_counts counts;

    dp_counters_read(r.fx.dp, m->rule->entry.counters, &counts);
    return counts.packets;
}

/* Sends a random packet (or several that are in one burst). */
static void
check_packet(void)
{
    uint64_t want[MAX_RULES];
    uint64_t n_out = 0, n_sent = 0;

    memset(want, 0, sizeof want);
    for (int i = 0; i < MAX_RULES; i++) {
        want[i] = model[i].rule ? n_packets(&model[i]) : 0;
    }
    for (int i = below(4) ? 1 : 5; i > 0; i--) {
        char *text = xasprintf(
            "in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:0%d),"
            "eth_type(0x0800),ipv4(src=10.0.0.%d,dst=10.%d.%d.%d,proto=17,"
            "tos=0,ttl=64,frag=%s),udp(src=%d,dst=%d)", below(4), below(4),
            below(4), below(4), below(4), below(20) ? "no" : "first",
            below(4), below(16));
        struct dp_packet *packet = fx_packet(text);
        const struct model_rule *m;
        struct flow flow;

        pkt_metadata_init(&packet->md, u32_to_odp(1));
        flow_extract(packet, &flow);
        flow.in_port.ofp_port = u16_to_ofp(1);
        flow.actset_output = OFPP_UNSET;
        if (flow.nw_frag) {
            flow.tp_src = flow.tp_dst = 0;
        }
        m = expect(&flow);
        if (m) {
            want[m - model]++;
            n_out++;
        }
        fx_push(dev[1], packet);
        free(text);
    }
    fx_run(&r.fx);
    for (struct dp_packet *p; (p = fx_pop(dev[2])); n_sent++) {
        dp_packet_delete(p);
    }
    assert_int_equal(n_sent, n_out);
    for (int i = 0; i < MAX_RULES; i++) {
        if (model[i].rule && n_packets(&model[i]) != want[i]) {
            char *plan = shown_plan();

            fail_msg("plan %s: rule %d was hit %d times too often", plan, i,
                     (int) (n_packets(&model[i]) - want[i]));
        }
    }
}

/* Styles of matches.  Priorities differ, except in what they ask. */

static int n_made;

static char *
hash_match(void)
{
    n_made++;
    return (below(8) ? xasprintf("priority=%d,udp,tp_dst=%d",
                                 10000 + n_made, below(16))
            : xasprintf("priority=%d", 1 + n_made));
}

static char *
hash_wide_match(void)
{
    return xasprintf("priority=%d,udp,dl_dst=50:54:00:00:00:0%d,"
                     "nw_dst=10.%d.%d.%d,tp_dst=%d", 1 + n_made++, below(4),
                     below(2), below(2), below(2), below(4));
}

static char *
prefix_match(void)
{
    static const int lens[] = { 8, 12, 15, 16, 18, 20, 22, 24, 30, 31, 32 };
    int len = lens[below(ARRAY_SIZE(lens))];

    n_made++;
    return (below(12) ? xasprintf("priority=%d,ip,nw_dst=10.%d.%d.%d/%d",
                                  len * 1000 + n_made, below(4), below(4),
                                  below(4), len)
            : xasprintf("priority=%d", 1 + n_made));
}

static char *
mixed_match(void)
{
    n_made++;
    switch (below(6)) {
    case 0:
        return xasprintf("priority=%d,in_port=%d", n_made, 1 + below(2));
    case 1:
        return xasprintf("priority=%d,dl_dst=50:54:00:00:00:00/"
                         "ff:ff:ff:ff:ff:0%d", n_made, below(4));
    case 2:
        return xasprintf("priority=%d,udp,tp_src=%d", n_made, below(4));
    case 3:
        return xasprintf("priority=%d,ip,nw_src=10.0.0.%d/%d", n_made,
                         below(4), 29 + below(4));
    case 4:
        return xasprintf("priority=%d,udp,tp_dst=%d/0x%x,nw_dst=10.%d.0.0/16",
                         n_made, below(16), below(16), below(4));
    default:
        return xasprintf("priority=%d%s", n_made, below(2) ? ",ip" : "");
    }
}

/* As access lists are. */
static char *
acl_match(void)
{
    return xasprintf("priority=%d,udp,nw_src=10.0.0.%d/%d,nw_dst=10.%d.%d.%d"
                     "/%d,tp_src=%d/0x%x,tp_dst=%d/0x%x", 1 + n_made++,
                     below(4), 16 + below(17), below(4), below(4), below(4),
                     8 + below(25), below(4), below(2) ? 0xffff : below(4),
                     below(16), below(2) ? 0xffff : below(16));
}

static const struct style {
    const char *name;
    char *(*match)(void);
    int max_rules;
} styles[] = {
    { "hash", hash_match, MAX_RULES },
    { "wide", hash_wide_match, MAX_RULES },
    { "prefixes", prefix_match, MAX_RULES },
    { "mixed", mixed_match, MAX_RULES },
    { "acl", acl_match, MAX_RULES },
    { "few", mixed_match, 5 },
    { "few prefixes", prefix_match, 3 },
};

/* Makes a change that becomes visible with 'version'. */
static void
change(const struct style *style, uint64_t version)
{
    struct model_rule *m = &model[below(style->max_rules)];

    if (!m->rule) {
        char *match = style->match();

        if (or_make(&r, match, "output:2", &m->rule)) {
            fail_msg("%s", match);
        }
        or_insert(m->rule, version);
        m->add = version;
        m->remove = UINT64_MAX;
        free(match);
    } else if (m->remove == UINT64_MAX) {
        m->remove = version;
        of_table_hide(&m->rule->entry, version);
    } else if (m->remove > r.version && below(2)) {
        m->remove = UINT64_MAX;
        of_table_restore(&m->rule->entry);
    } else if (m->remove <= r.version) {
        of_table_delete(&m->rule->entry);
        or_free(&r, m->rule);
        m->rule = NULL;
    }
}

static void
run_style(const struct style *style, const char *plan, const char *split)
{
    assert_true(of_plan_set(plan, split));
    n_made = 0;
    for (int step = 0; step < 150; step++) {
        for (int i = below(4); i >= 0; i--) {
            change(style, r.version + 1);
            check_packet();
        }
        or_publish(&r, r.version + 1);
        check_packet();
    }
    or_flush(&r);
    memset(model, 0, sizeof model);
}

static const char *const splits[] = { "never", "always", "auto" };

static void
run_plan(const char *plan)
{
    for (size_t i = 0; i < ARRAY_SIZE(styles); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(splits); j++) {
            seed = i * 10 + j;
            run_style(&styles[i], plan, splits[j]);
        }
    }
}

/* A test for each plan: a row of plans.def without one does not build. */
#define OF_TABLE_PLAN(ID, WHAT)                                         \
    static void                                                         \
    test_##ID(void **state)                                             \
    {                                                                   \
        run_plan(#ID);                                                  \
    }
#include "ofproto/compile/plans.def"
#undef OF_TABLE_PLAN

static void
test_auto(void **state)
{
    run_plan("auto");
}

static void
test_choice(void **state)
{
    struct or_rule *rules[20];

    check_plan(or_add(&r, "in_port=1", "output:2") ? "code" : "");
    for (int i = 0; i < 20; i++) {
        char *match = xasprintf("in_port=%d", i + 2);

        rules[i] = or_add(&r, match, "output:2");
        free(match);
    }
    check_plan("hash");
    or_add(&r, "priority=0", "output:2");
    check_plan("hash");
    or_add(&r, "priority=70,tcp", "output:2");
    check_plan("tuples");
    for (int i = 0; i < 20; i++) {
        of_table_hide(&rules[i]->entry, r.version + 1);
    }
    or_publish(&r, r.version + 1);
    for (int i = 0; i < 20; i++) {
        of_table_delete(&rules[i]->entry);
        or_free(&r, rules[i]);
    }
    or_publish(&r, r.version + 1);
    check_plan("code");

    assert_false(of_plan_set("nothing", "auto"));
    assert_false(of_plan_set("auto", "nothing"));
}

/* Prefixes stay in their trie; what is none, or out of order, does not fit. */
static void
test_lpm_choice(void **state)
{
    static const char *const breaking[] = {
        "priority=500,udp", "priority=31,ip,nw_dst=10.0.0.0/9",
        "priority=24,ip,nw_dst=10.0.0.0/255.0.255.0",
        "priority=24,arp,nw_dst=10.9.0.0/24",
        "priority=24,ip,nw_src=10.9.0.0/24", "priority=8",
    };

    for (size_t i = 0; i < ARRAY_SIZE(breaking); i++) {
        struct or_rule *rule;

        for (int len = 8; len <= 30; len += 2) {
            char *match = xasprintf("priority=%d,ip,nw_dst=10.0.0.0/%d",
                                    len, len);

            or_add(&r, match, "output:2");
            free(match);
        }
        check_plan("lpm");
        or_add(&r, "priority=5", "output:2");
        or_add(&r, "priority=32,ip,nw_dst=10.0.0.1", "output:2");
        or_add(&r, "priority=32,ip,nw_dst=10.0.0.2", "output:2");
        check_plan("lpm");
        rule = or_add(&r, breaking[i], "output:2");
        check_not_plan("lpm");

        of_table_hide(&rule->entry, r.version + 1);
        or_publish(&r, r.version + 1);
        of_table_delete(&rule->entry);
        or_free(&r, rule);
        or_publish(&r, r.version + 1);
        check_plan("lpm");
        or_flush(&r);
    }
}

/* Many masks get a tree, unless two rules of one priority overlap. */
static void
test_tree_choice(void **state)
{
    for (int len = 8; len <= 30; len += 2) {
        char *match = xasprintf("priority=%d,ip,nw_dst=10.0.0.0/%d",
                                100 - len, len);

        or_add(&r, match, "output:2");
        free(match);
    }
    check_plan("tree");
    or_add(&r, "priority=92,ip,nw_dst=11.0.0.0/8", "output:2");
    check_plan("tree");
    or_add(&r, "priority=92,udp,nw_dst=12.0.0.0/9,tp_dst=1", "output:2");
    or_add(&r, "priority=92,udp,nw_dst=12.128.0.0/10", "output:2");
    check_plan("tree");
    or_add(&r, "priority=92,udp", "output:2");
    check_plan("tuples");
}

/* A plan waits until the table is quiet. */
static void
test_quiet(void **state)
{
    of_plan_set_quiet_ms(1000000);
    or_add(&r, "in_port=1", "output:2");
    of_compile_run();
    check_plan("general");
    of_plan_set_quiet_ms(1);
    for (int i = 0; i < 10000; i++) {
        char *plan = shown_plan();
        bool done = !strcmp(plan, "code");

        free(plan);
        if (done) {
            break;
        }
        xnanosleep(1000000);
        of_compile_run();
    }
    check_plan("code");
}

int
main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
#define OF_TABLE_PLAN(ID, WHAT) \
        cmocka_unit_test_setup_teardown(test_##ID, setup, teardown),
#include "ofproto/compile/plans.def"
#undef OF_TABLE_PLAN
        cmocka_unit_test_setup_teardown(test_auto, setup, teardown),
        cmocka_unit_test_setup_teardown(test_choice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lpm_choice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tree_choice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quiet, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
