/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/slowpath-private.h"

#include <inttypes.h>
#include "ofproto/connmgr.h"
#include "dp-packet.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-packet.h"
#include "packets.h"
#include "util.h"
#include "ofproto/hooks.h"
#include "ofproto/l2.h"
#include "ofproto/mcast.h"
#include "ofproto/of.h"
#include "ofproto/packet-in.h"

struct effect_ops {
    bool leaves;            /* Sends something; else changes the switch. */
    void (*run)(struct of_bridge *, struct of_slow_effect *);
    void (*free)(struct of_slow_effect *);
    void (*format)(const struct of_slow_effect *, struct ds *);
};

static void
put_bytes(struct ds *s, const void *data_, size_t size)
{
    const uint8_t *data = data_;

    for (size_t i = 0; i < size; i++) {
        ds_put_format(s, "%02"PRIx8, data[i]);
    }
}

/* OUTPUT. */

static void
run_OUTPUT(struct of_bridge *bridge, struct of_slow_effect *e)
{
    const struct of_port *port = of_port_get(bridge, e->output.port);

    /* A port may go between translation and execution of a bundle. */
    if (port && port->dpp) {
        dp_port_send(port->dpp, e->output.packet);
        e->output.packet = NULL;
    }
}

static void
free_OUTPUT(struct of_slow_effect *e)
{
    dp_packet_delete(e->output.packet);
}

static void
format_OUTPUT(const struct of_slow_effect *e, struct ds *s)
{
    ds_put_format(s, "output %"PRIu32" ", e->output.port);
    put_bytes(s, dp_packet_data(e->output.packet),
               dp_packet_size(e->output.packet));
}

/* PACKET_IN. */

static void
run_PACKET_IN(struct of_bridge *bridge, struct of_slow_effect *e)
{
    if (of_packet_in_admit(bridge, e->meter,
                           e->packet_in->pin.up.base.packet_len)) {
        connmgr_send_async_msg(bridge->dpif.up.connmgr, e->packet_in);
    }
}

static void
free_PACKET_IN(struct of_slow_effect *e)
{
    struct ofputil_packet_in_private *pin = &e->packet_in->pin.up;

    free(pin->base.packet);
    free(pin->base.userdata);
    free(pin->stack);
    free(pin->actions);
    free(pin->action_set);
    free(e->packet_in);
}

static void
format_PACKET_IN(const struct of_slow_effect *e, struct ds *s)
{
    const struct ofputil_packet_in *pin = &e->packet_in->pin.up.base;

    ds_put_format(s, "packet-in reason=%d table=%"PRIu8" cookie=%#"PRIx64" "
                  "controller=%"PRIu16" ", (int) pin->reason, pin->table_id,
                  ntohll(pin->cookie), e->packet_in->controller_id);
    put_bytes(s, pin->packet, pin->packet_len);
}

/* RULE. */

static void
run_RULE(struct of_bridge *bridge OVS_UNUSED, struct of_slow_effect *e)
{
    of_rule_credit(e->rule.rule, 1, e->rule.size);
}

static void
free_RULE(struct of_slow_effect *e)
{
    ofproto_rule_unref(&e->rule.rule->up);
}

static void
format_RULE(const struct of_slow_effect *e, struct ds *s)
{
    ds_put_format(s, "rule table=%"PRIu8" cookie=%#"PRIx64,
                  e->rule.rule->up.table_id,
                  ntohll(e->rule.rule->up.flow_cookie));
}

/* TABLE. */

static void
run_TABLE(struct of_bridge *bridge, struct of_slow_effect *e)
{
    dp_table_count(bridge->dpb, e->table.id, e->table.match);
}

static void
free_TABLE(struct of_slow_effect *e OVS_UNUSED)
{
    /* Nothing is owned. */
}

static void
format_TABLE(const struct of_slow_effect *e, struct ds *s)
{
    ds_put_format(s, "table %"PRIu8" %s", e->table.id,
                  e->table.match ? "match" : "miss");
}

/* COUNTERS. */

static void
run_COUNTERS(struct of_bridge *bridge OVS_UNUSED, struct of_slow_effect *e)
{
    dp_counters_add(of_dp, e->counters.counters, 1, e->counters.size);
}

static void
free_COUNTERS(struct of_slow_effect *e)
{
    dp_counters_unref(of_dp, e->counters.counters);
}

static void
format_COUNTERS(const struct of_slow_effect *e OVS_UNUSED, struct ds *s)
{
    ds_put_cstr(s, "group or bucket");
}

/* LEARN. */

static void
run_LEARN(struct of_bridge *bridge, struct of_slow_effect *e)
{
    of_l2_learn(bridge->l2, e->learn.mac, e->learn.vlan, e->learn.port,
                e->learn.gratuitous_arp);
}

static void
free_LEARN(struct of_slow_effect *e OVS_UNUSED)
{
    /* Nothing is owned. */
}

static void
format_LEARN(const struct of_slow_effect *e, struct ds *s)
{
    ds_put_format(s, "learn "ETH_ADDR_FMT" vlan=%"PRIu16" port=%"PRIu32,
                  ETH_ADDR_ARGS(e->learn.mac), e->learn.vlan, e->learn.port);
}

/* SNOOP. */

static void
run_SNOOP(struct of_bridge *bridge, struct of_slow_effect *e)
{
    of_mcast_learn(bridge->l2, e->snoop.packet, e->snoop.vlan,
                   e->snoop.port);
}

static void
free_SNOOP(struct of_slow_effect *e)
{
    dp_packet_delete(e->snoop.packet);
}

static void
format_SNOOP(const struct of_slow_effect *e, struct ds *s)
{
    ds_put_format(s, "snoop vlan=%"PRIu16" port=%"PRIu32, e->snoop.vlan,
                  e->snoop.port);
}

/* LEARN_FLOW. */

static void
run_LEARN_FLOW(struct of_bridge *bridge, struct of_slow_effect *e)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    struct ofproto_flow_mod *ofm = e->flow.ofm;

    if (ofm->learn_adds_rule) {
        ofproto_flow_mod_learn_finish(ofm, &bridge->dpif.up);
        of_changes_apply(bridge, of_bridge_version(bridge));
    }
}

static void
free_LEARN_FLOW(struct of_slow_effect *e)
{
    ofproto_flow_mod_uninit(e->flow.ofm);
    free(e->flow.ofm);
}

static void
format_LEARN_FLOW(const struct of_slow_effect *e OVS_UNUSED, struct ds *s)
{
    ds_put_cstr(s, "learn flow");
}

/* FIN_TIMEOUT. */

static void
run_FIN_TIMEOUT(struct of_bridge *bridge, struct of_slow_effect *e)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    ofproto_rule_reduce_timeouts__(&e->fin.rule->up, e->fin.idle,
                                   e->fin.hard);
    of_expire_soon(bridge, 0);
}

static void
free_FIN_TIMEOUT(struct of_slow_effect *e)
{
    ofproto_rule_unref(&e->fin.rule->up);
}

static void
format_FIN_TIMEOUT(const struct of_slow_effect *e, struct ds *s)
{
    ds_put_format(s, "fin_timeout idle=%"PRIu16" hard=%"PRIu16, e->fin.idle,
                  e->fin.hard);
}

static const struct effect_ops effect_ops[OF_N_SLOW_EFFECTS] = {
#define OF_SLOW_EFFECT(NAME, LEAVES)                                    \
    [OF_SLOW_##NAME] = { LEAVES, run_##NAME, free_##NAME, format_##NAME },
#include "ofproto/slowpath-effects.def"
#undef OF_SLOW_EFFECT
};

struct of_slow_effect *
slow_effect_add(struct of_slow_out *out, enum of_slow_effect_kind kind)
{
    struct of_slow_effect *e = xzalloc(sizeof *e);

    e->kind = kind;
    ovs_list_push_back(&out->effects, &e->node);
    return e;
}

void
of_slow_effect_destroy(struct of_slow_effect *e)
{
    ovs_list_remove(&e->node);
    effect_ops[e->kind].free(e);
    free(e);
}

void
slow_effects_cancel(struct of_slow_out *out)
{
    struct of_slow_effect *e;

    LIST_FOR_EACH_REVERSE_SAFE (e, node, &out->effects) {
        if (e == out->kept) {
            break;
        }
        if (effect_ops[e->kind].leaves) {
            of_slow_effect_destroy(e);
        }
    }
    out->n_outputs = out->kept_outputs;
    out->n_packet_ins = out->kept_packet_ins;
}

static void
effects_run(struct of_slow_out *out, bool leaves)
{
    struct of_slow_effect *e;

    LIST_FOR_EACH_SAFE (e, node, &out->effects) {
        if (effect_ops[e->kind].leaves == leaves) {
            effect_ops[e->kind].run(out->bridge, e);
            of_slow_effect_destroy(e);
        }
    }
}

enum ofperr
of_slow_start_learning(struct of_slow_out *out, ovs_version_t version)
{
    struct of_slow_effect *e;

    LIST_FOR_EACH (e, node, &out->effects) {
        struct ofproto_flow_mod *ofm = e->flow.ofm;
        enum ofperr error;

        if (e->kind != OF_SLOW_LEARN_FLOW) {
            continue;
        }
        error = ofproto_flow_mod_learn_refresh(ofm);
        if (error) {
            return error;
        }
        ofm->learn_adds_rule = ofm->temp_rule->state == RULE_INITIALIZED;
        if (ofm->learn_adds_rule) {
            ofm->version = version;
            error = ofproto_flow_mod_learn_start(ofm);
            if (error) {
                return error;
            }
        }
        e->flow.started = true;
    }
    return 0;
}

void
of_slow_revert_learning(struct of_slow_out *out)
{
    struct of_slow_effect *e;

    LIST_FOR_EACH_REVERSE (e, node, &out->effects) {
        if (e->kind == OF_SLOW_LEARN_FLOW && e->flow.started
            && e->flow.ofm->learn_adds_rule) {
            ofproto_flow_mod_learn_revert(e->flow.ofm);
            e->flow.started = false;
        }
    }
}

void
slow_effects_account(struct of_slow_out *out)
{
    effects_run(out, false);
}

void
slow_effects_send(struct of_slow_out *out)
{
    effects_run(out, true);
    if (out->drop != DP_DROP_NONE) {
        const struct dp_drop_cause cause = {
            out->drop, out->drop_table, ntohll(out->drop_cookie)
        };

        dp_drop_count(out->bridge->dpb, &cause, NULL, 0);
    }
}

void
slow_effects_free(struct of_slow_out *out)
{
    struct of_slow_effect *e;

    LIST_FOR_EACH_SAFE (e, node, &out->effects) {
        of_slow_effect_destroy(e);
    }
}

void
of_slow_format(const struct of_slow_out *out, struct ds *s)
{
    const struct of_slow_effect *e;

    LIST_FOR_EACH (e, node, &out->effects) {
        effect_ops[e->kind].format(e, s);
        ds_put_char(s, '\n');
    }
}
