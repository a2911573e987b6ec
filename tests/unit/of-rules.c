/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/unit/of-rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofpbuf.h"
#include "ovs-rcu.h"
#include "util.h"
#include "ofproto/compile/shape.h"
#include "vm/map.h"

void
or_init(struct or_rules *r)
{
    static bool once;

    memset(r, 0, sizeof *r);
    fx_init(&r->fx, DP_INLINE);
    if (!once) {
        of_compile_init(r->fx.dp);
        once = true;
    }
    of_compile_dp = r->fx.dp;
    assert_int_equal(of_pipeline_create(r->fx.bridge, &r->pipeline), 0);
    r->version = 1;
    dp_bridge_set_version(r->fx.bridge, r->version);
}

void
or_reap(void)
{
    ovsrcu_quiesce();
    vm_defer_run();
    ovsrcu_synchronize();
    vm_defer_run();
}

void
or_uninit(struct or_rules *r)
{
    struct of_shape_stats stats;

    or_flush(r);
    /* Callbacks run in another thread. */
    for (int i = 0; i < 1000; i++) {
        of_shapes_stats(&stats);
        if (!stats.n_shapes) {
            break;
        }
        or_reap();
    }
    assert_int_equal(stats.n_shapes, 0);
    of_pipeline_destroy(r->pipeline);
    free(r->rules);
    fx_uninit(&r->fx);
}

/* Takes "actions" as in a flow; returns what ofpacts_parse_instructions()
 * makes of it. */
static const struct rule_actions *
parse_actions(const char *s)
{
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    enum ofputil_protocol usable = OFPUTIL_P_ANY;
    const struct ofpact_parse_params pp = {
        .ofpacts = &ofpacts,
        .usable_protocols = &usable,
    };
    const struct rule_actions *actions;
    char *error = ofpacts_parse_instructions(s, &pp);

    if (error) {
        fail_msg("%s: %s", s, error);
    }
    actions = rule_actions_create(ofpacts.data, ofpacts.size);
    ofpbuf_uninit(&ofpacts);
    return actions;
}

enum ofperr
or_make(struct or_rules *r, const char *match, const char *actions,
        struct or_rule **rulep)
{
    struct or_rule *rule = xzalloc(sizeof *rule);
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    enum ofperr error;
    char *s = xasprintf("%s,actions=drop", match);
    char *parse_error = parse_ofp_str(&fm, OFPFC_ADD, s, NULL, NULL, &usable);

    if (parse_error) {
        fail_msg("%s: %s", match, parse_error);
    }
    free(s);
    cls_rule_init_from_minimatch(CONST_CAST(struct cls_rule *,
                                            &rule->rule.cr),
                                 &fm.match, fm.priority);
    *CONST_CAST(uint8_t *, &rule->rule.table_id)
        = fm.table_id == 0xff ? 0 : fm.table_id;
    *CONST_CAST(ovs_be64 *, &rule->rule.flow_cookie) = fm.new_cookie;
    *CONST_CAST(const struct rule_actions **, &rule->rule.actions)
        = parse_actions(actions);
    free(CONST_CAST(struct ofpact *, fm.ofpacts));
    minimatch_destroy(&fm.match);

    rule->entry.counters = dp_counters_alloc(r->fx.dp);
    error = of_entry_construct(&rule->entry, r->pipeline, &rule->rule);
    if (error) {
        dp_counters_unref(r->fx.dp, rule->entry.counters);
        cls_rule_destroy(CONST_CAST(struct cls_rule *, &rule->rule.cr));
        rule_actions_destroy(rule_get_actions(&rule->rule));
        free(rule);
        *rulep = NULL;
        return error;
    }
    if (r->n >= r->allocated) {
        r->rules = x2nrealloc(r->rules, &r->allocated, sizeof *r->rules);
    }
    r->rules[r->n++] = *rulep = rule;
    return 0;
}

void
or_insert(struct or_rule *rule, uint64_t version)
{
    of_table_insert(&rule->entry, version);
}

void
or_publish(struct or_rules *r, uint64_t version)
{
    r->version = version;
    dp_bridge_set_version(r->fx.bridge, version);
    of_pipeline_published(r->pipeline, version);
}

struct or_rule *
or_add(struct or_rules *r, const char *match, const char *actions)
{
    struct or_rule *rule;
    enum ofperr error = or_make(r, match, actions, &rule);

    if (error) {
        fail_msg("%s actions=%s: %s", match, actions,
                 ofperr_to_string(error));
    }
    or_insert(rule, r->version + 1);
    or_publish(r, r->version + 1);
    return rule;
}

void
or_free(struct or_rules *r, struct or_rule *rule)
{
    size_t i;

    for (i = 0; r->rules[i] != rule; i++) {
        continue;
    }
    r->rules[i] = r->rules[--r->n];
    of_entry_destruct(&rule->entry);
    dp_counters_unref(r->fx.dp, rule->entry.counters);
    cls_rule_destroy(CONST_CAST(struct cls_rule *, &rule->rule.cr));
    rule_actions_destroy(rule_get_actions(&rule->rule));
    free(rule);
}

void
or_flush(struct or_rules *r)
{
    for (size_t i = 0; i < r->n; i++) {
        of_table_hide(&r->rules[i]->entry, r->version + 1);
    }
    or_publish(r, r->version + 1);
    while (r->n) {
        of_table_delete(&r->rules[0]->entry);
        or_free(r, r->rules[0]);
    }
    or_reap();
}
