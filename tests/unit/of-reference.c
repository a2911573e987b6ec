/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/unit/of-reference.h"

#include <stdlib.h>
#include <string.h>
#include "nx-match.h"
#include "openflow/openflow.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "packets.h"
#include "util.h"

static void execute(struct ref *, const struct ofpact *, size_t len);

static void
event(struct ref *r, bool invalid_ttl, uint16_t controller_id, uint8_t reason)
{
    if (r->n_events < REF_MAX_EVENTS) {
        struct ref_event *e = &r->events[r->n_events++];

        e->invalid_ttl = invalid_ttl;
        e->controller_id = controller_id;
        e->reason = reason;
        e->flow = r->flow;
    }
}

static void
to_table(struct ref *r, ofp_port_t in_port, uint8_t table_id)
{
    ofp_port_t old_in_port = r->flow.in_port.ofp_port;
    const struct or_rule *old_rule = r->rule, *best = NULL;
    uint8_t old_table_id = r->table_id;
    const struct rule_actions *actions;

    if (r->depth >= 64 || r->resubmits >= 4096) {
        r->error = true;
        return;
    }
    r->flow.in_port.ofp_port = in_port;
    for (size_t i = 0; i < r->rules->n; i++) {
        const struct or_rule *rule = r->rules->rules[i];

        if (rule->rule.table_id == table_id
            && (!best || rule->rule.cr.priority > best->rule.cr.priority)
            && minimatch_matches_flow(&rule->rule.cr.match, &r->flow)) {
            best = rule;
        }
    }
    r->flow.in_port.ofp_port = old_in_port;
    if (!best) {
        return;
    }
    r->resubmits++;
    r->depth += table_id <= old_table_id;
    r->table_id = table_id;
    r->rule = best;
    actions = rule_get_actions(&best->rule);
    execute(r, actions->ofpacts, actions->ofpacts_len);
    r->rule = old_rule;
    r->table_id = old_table_id;
    r->depth -= table_id <= old_table_id;
}

static void
output(struct ref *r, ofp_port_t port)
{
    ofp_port_t in_port = r->flow.in_port.ofp_port;
    uint16_t p = ofp_to_u16(port);

    switch (p) {
    case OFPP_IN_PORT:
        p = ofp_to_u16(in_port);
        if (p <= REF_MAX_PORT) {
            r->n_out[p]++;
        }
        break;
    case OFPP_TABLE:
        to_table(r, in_port, 0);
        break;
    case OFPP_ALL:
    case OFPP_FLOOD:
        for (p = 1; p <= REF_MAX_PORT; p++) {
            r->n_out[p] += u16_to_ofp(p) != in_port;
        }
        break;
    case OFPP_CONTROLLER:
        event(r, false, 0, r->in_set ? OFPR_ACTION_SET : OFPR_ACTION);
        break;
    case OFPP_NONE:
        break;
    default:
        if (p <= REF_MAX_PORT && port != in_port) {
            r->n_out[p]++;
        }
        break;
    }
}

static void
action_set(struct ref *r)
{
    struct ofpbuf list, set = r->action_set;

    ofpbuf_init(&r->action_set, 0);
    ofpbuf_init(&list, 0);
    ofpacts_execute_action_set(&list, &set);
    if (list.size) {
        r->in_set = true;
        execute(r, list.data, list.size);
        r->in_set = false;
    }
    ofpbuf_uninit(&list);
    ofpbuf_uninit(&set);
}

static void
run_clone(struct ref *r, const struct ofpact_nest *nest)
{
    struct ofpbuf *set = ofpbuf_clone(&r->action_set);
    struct flow flow = r->flow;

    execute(r, nest->actions, ofpact_nest_get_action_len(nest));
    action_set(r);
    ofpbuf_uninit(&r->action_set);
    r->action_set = *set;
    free(set);
    r->flow = flow;
}

/* Returns true if the list ends here. */
static bool
dec_ttl(struct ref *r, const struct ofpact_cnt_ids *ids)
{
    if (!is_ip_any(&r->flow)) {
        return false;
    }
    if (r->flow.nw_ttl > 1) {
        r->flow.nw_ttl--;
        return false;
    }
    for (unsigned int i = 0; i < ids->n_controllers; i++) {
        event(r, ids->n_controllers == 1 && !ids->cnt_ids[0],
              ids->cnt_ids[i], OFPR_INVALID_TTL);
    }
    return true;
}

static void
set_tci(struct flow *flow, bool push, uint16_t mask, uint16_t bits)
{
    if (flow->vlans[0].tci & htons(VLAN_CFI) || push) {
        if (!flow->vlans[0].tpid) {
            flow->vlans[0].tpid = htons(ETH_TYPE_VLAN);
        }
        flow->vlans[0].tci &= ~htons(mask);
        flow->vlans[0].tci |= htons(bits | VLAN_CFI);
    }
}

static void
set_field(struct flow *flow, const struct ofpact_set_field *sf)
{
    if (mf_are_prereqs_ok(sf->field, flow, NULL)) {
        mf_set_flow_value_masked(sf->field, sf->value,
                                 ofpact_set_field_mask(sf), flow);
    }
}

/* The actions that only write fields. */
static void
write_fields(struct flow *flow, const struct ofpact *a)
{
    bool transport = is_ip_any(flow) && !(flow->nw_frag & FLOW_NW_FRAG_LATER);

    switch ((int) a->type) {
    case OFPACT_SET_FIELD:
        set_field(flow, ofpact_get_SET_FIELD(a));
        break;
    case OFPACT_REG_MOVE:
        mf_subfield_copy(&ofpact_get_REG_MOVE(a)->src,
                         &ofpact_get_REG_MOVE(a)->dst, flow, NULL);
        break;
    case OFPACT_SET_VLAN_VID:
        set_tci(flow, ofpact_get_SET_VLAN_VID(a)->push_vlan_if_needed,
                VLAN_VID_MASK, ofpact_get_SET_VLAN_VID(a)->vlan_vid);
        break;
    case OFPACT_SET_VLAN_PCP:
        set_tci(flow, ofpact_get_SET_VLAN_PCP(a)->push_vlan_if_needed,
                VLAN_PCP_MASK,
                ofpact_get_SET_VLAN_PCP(a)->vlan_pcp << VLAN_PCP_SHIFT);
        break;
    case OFPACT_STRIP_VLAN:
        flow_pop_vlan(flow, NULL);
        break;
    case OFPACT_PUSH_VLAN:
        flow_push_vlan_uninit(flow, NULL);
        flow->vlans[0].tpid = ofpact_get_PUSH_VLAN(a)->ethertype;
        flow->vlans[0].tci = htons(VLAN_CFI);
        break;
    case OFPACT_SET_ETH_SRC:
        flow->dl_src = ofpact_get_SET_ETH_SRC(a)->mac;
        break;
    case OFPACT_SET_ETH_DST:
        flow->dl_dst = ofpact_get_SET_ETH_DST(a)->mac;
        break;
    case OFPACT_SET_IPV4_SRC:
        if (flow->dl_type == htons(ETH_TYPE_IP)) {
            flow->nw_src = ofpact_get_SET_IPV4_SRC(a)->ipv4;
        }
        break;
    case OFPACT_SET_IPV4_DST:
        if (flow->dl_type == htons(ETH_TYPE_IP)) {
            flow->nw_dst = ofpact_get_SET_IPV4_DST(a)->ipv4;
        }
        break;
    case OFPACT_SET_IP_DSCP:
        if (is_ip_any(flow)) {
            flow->nw_tos &= ~IP_DSCP_MASK;
            flow->nw_tos |= ofpact_get_SET_IP_DSCP(a)->dscp;
        }
        break;
    case OFPACT_SET_IP_ECN:
        if (is_ip_any(flow)) {
            flow->nw_tos &= ~IP_ECN_MASK;
            flow->nw_tos |= ofpact_get_SET_IP_ECN(a)->ecn;
        }
        break;
    case OFPACT_SET_IP_TTL:
        if (is_ip_any(flow)) {
            flow->nw_ttl = ofpact_get_SET_IP_TTL(a)->ttl;
        }
        break;
    case OFPACT_SET_L4_SRC_PORT:
        if (transport) {
            flow->tp_src = htons(ofpact_get_SET_L4_SRC_PORT(a)->port);
        }
        break;
    case OFPACT_SET_L4_DST_PORT:
        if (transport) {
            flow->tp_dst = htons(ofpact_get_SET_L4_DST_PORT(a)->port);
        }
        break;
    case OFPACT_WRITE_METADATA:
        flow->metadata &= ~ofpact_get_WRITE_METADATA(a)->mask;
        flow->metadata |= ofpact_get_WRITE_METADATA(a)->metadata
                          & ofpact_get_WRITE_METADATA(a)->mask;
        break;
    }
}

static void
write_actions(struct ref *r, const struct ofpact_nest *nest)
{
    size_t len = ofpact_nest_get_action_len(nest);
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, nest->actions, len) {
        if (a->type == OFPACT_OUTPUT) {
            r->flow.actset_output = ofpact_get_OUTPUT(a)->port;
        }
    }
    ofpbuf_put(&r->action_set, nest->actions, len);
}

static void
output_trunc(struct ref *r, ofp_port_t port)
{
    if (ofp_to_u16(port) < OFPP_TABLE || port == OFPP_LOCAL) {
        output(r, port);
    }
}

static void
resubmit(struct ref *r, const struct ofpact_resubmit *a)
{
    to_table(r, a->in_port == OFPP_IN_PORT ? r->flow.in_port.ofp_port
             : a->in_port, a->table_id == 255 ? r->table_id : a->table_id);
}

static void
output_reg(struct ref *r, const struct ofpact_output_reg *a)
{
    uint64_t port = mf_get_subfield(&a->src, &r->flow);

    if (port <= UINT16_MAX) {
        output(r, u16_to_ofp(port));
    }
}

static void
execute(struct ref *r, const struct ofpact *ofpacts, size_t len)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        if (r->exit || r->error) {
            return;
        }
        switch ((int) a->type) {
        case OFPACT_OUTPUT:
            output(r, ofpact_get_OUTPUT(a)->port);
            break;
        case OFPACT_OUTPUT_TRUNC:
            output_trunc(r, ofpact_get_OUTPUT_TRUNC(a)->port);
            break;
        case OFPACT_OUTPUT_REG:
            output_reg(r, ofpact_get_OUTPUT_REG(a));
            break;
        case OFPACT_CONTROLLER:
            event(r, false, ofpact_get_CONTROLLER(a)->controller_id,
                  ofpact_get_CONTROLLER(a)->reason);
            break;
        case OFPACT_DEC_TTL:
            if (dec_ttl(r, ofpact_get_DEC_TTL(a))) {
                return;
            }
            break;
        case OFPACT_RESUBMIT:
            resubmit(r, ofpact_get_RESUBMIT(a));
            break;
        case OFPACT_GOTO_TABLE:
            to_table(r, r->flow.in_port.ofp_port,
                     ofpact_get_GOTO_TABLE(a)->table_id);
            break;
        case OFPACT_CLONE:
            run_clone(r, ofpact_get_CLONE(a));
            break;
        case OFPACT_EXIT:
            r->exit = true;
            break;
        case OFPACT_CLEAR_ACTIONS:
            ofpbuf_clear(&r->action_set);
            r->flow.actset_output = OFPP_UNSET;
            break;
        case OFPACT_WRITE_ACTIONS:
            write_actions(r, ofpact_get_WRITE_ACTIONS(a));
            break;
        default:
            write_fields(&r->flow, a);
            break;
        }
    }
}

void
ref_run(struct ref *r, const struct or_rules *rules, const struct flow *flow)
{
    memset(r, 0, sizeof *r);
    r->rules = rules;
    r->flow = *flow;
    r->flow.actset_output = OFPP_UNSET;
    r->events = xmalloc(REF_MAX_EVENTS * sizeof *r->events);
    ofpbuf_init(&r->action_set, 0);
    r->table_id = 0;
    r->depth = -1;              /* The first lookup is no resubmit. */
    r->resubmits = -1;
    to_table(r, flow->in_port.ofp_port, 0);
    if (!r->error) {
        r->depth = 0;
        action_set(r);
    }
    if (r->error) {
        memset(r->n_out, 0, sizeof r->n_out);
        r->n_events = 0;
    }
}

void
ref_uninit(struct ref *r)
{
    free(r->events);
    ofpbuf_uninit(&r->action_set);
}
