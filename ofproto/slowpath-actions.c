/* SPDX-License-Identifier: Apache-2.0 */

/* The interpreter of OpenFlow actions: one function an action, in a table by
 * type.  An action without a function is refused by of_slow_check(), and
 * rules with it are refused when they are added. */

#include <config.h>
#include "ofproto/slowpath-private.h"

#include <inttypes.h>
#include "dp-packet.h"
#include "multipath.h"
#include "nx-match.h"
#include "openvswitch/meta-flow.h"
#include "packets.h"
#include "util.h"
#include "ofproto/of.h"

/* Runs one action.  Returns false if the rest of its list is not run. */
typedef bool action_fn(struct slow_ctx *, const struct ofpact *);

/* Functions of libopenvswitch report here what they looked at; nothing of
 * ours asks. */
static struct flow_wildcards *
unused_wc(void)
{
    static struct flow_wildcards wc;

    return &wc;
}

/* Output. */

static bool
run_OUTPUT(struct slow_ctx *ctx, const struct ofpact *a)
{
    slow_output(ctx, ofpact_get_OUTPUT(a)->port, true);
    return true;
}

static bool
run_CONTROLLER(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_controller *oc = ofpact_get_CONTROLLER(a);

    if (oc->pause) {
        slow_trace(ctx, "pause");
        ctx->pause = oc;
        ctx->exit = true;
        return true;
    }
    slow_controller(ctx, oc->reason, oc);
    return true;
}

static bool
run_GROUP(struct slow_ctx *ctx, const struct ofpact *a)
{
    return slow_group(ctx, ofpact_get_GROUP(a)->group_id);
}

static bool
run_METER(struct slow_ctx *ctx, const struct ofpact *a)
{
    uint32_t meter = ofpact_get_METER(a)->provider_meter_id;

    /* A trace explains, and counts nothing. */
    if (ctx->in->trace
        || dp_meter_admit(of_dp, meter, dp_packet_size(ctx->packet))) {
        return true;
    }
    ctx->drop = DP_DROP_METER;
    ctx->exit = true;
    return false;
}

static bool
run_ENQUEUE(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_enqueue *enqueue = ofpact_get_ENQUEUE(a);
    uint32_t old = ctx->flow.skb_priority;

    if (enqueue->port == ctx->flow.in_port.ofp_port) {
        ctx->drop = DP_DROP_IN_PORT;
        return true;
    }
    ctx->flow.skb_priority = enqueue->queue;
    slow_output_port(ctx,
                     enqueue->port == OFPP_IN_PORT
                     ? ctx->flow.in_port.ofp_port : enqueue->port, 0);
    ctx->flow.skb_priority = old;
    return true;
}

static bool
run_OUTPUT_REG(struct slow_ctx *ctx, const struct ofpact *a)
{
    uint64_t port = mf_get_subfield(&ofpact_get_OUTPUT_REG(a)->src,
                                    &ctx->flow);

    if (port <= UINT16_MAX) {
        slow_output(ctx, u16_to_ofp(port), false);
    } else {
        ctx->drop = DP_DROP_NO_PORT;
    }
    return true;
}

static bool
run_OUTPUT_TRUNC(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_output_trunc *trunc = ofpact_get_OUTPUT_TRUNC(a);

    switch (trunc->port) {
    case OFPP_TABLE:
    case OFPP_NORMAL:
    case OFPP_FLOOD:
    case OFPP_ALL:
    case OFPP_CONTROLLER:
    case OFPP_NONE:
        ctx->drop = DP_DROP_NO_PORT;
        break;

    case OFPP_IN_PORT:
        slow_output_port(ctx, ctx->flow.in_port.ofp_port, trunc->max_len);
        break;

    default:
        if (trunc->port == ctx->flow.in_port.ofp_port) {
            ctx->drop = DP_DROP_IN_PORT;
        } else {
            slow_output_port(ctx, trunc->port, trunc->max_len);
        }
        break;
    }
    return true;
}

/* Fields. */

static bool
run_SET_FIELD(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_set_field *set = ofpact_get_SET_FIELD(a);

    if (mf_are_prereqs_ok(set->field, &ctx->flow, unused_wc())) {
        mf_set_flow_value_masked(set->field, set->value,
                                 ofpact_set_field_mask(set), &ctx->flow);
    }
    return true;
}

static bool
run_REG_MOVE(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_reg_move *move = ofpact_get_REG_MOVE(a);

    mf_subfield_copy(&move->src, &move->dst, &ctx->flow, unused_wc());
    return true;
}

static bool
run_STACK_PUSH(struct slow_ctx *ctx, const struct ofpact *a)
{
    nxm_execute_stack_push(ofpact_get_STACK_PUSH(a), &ctx->flow, unused_wc(),
                           &ctx->stack);
    return true;
}

static bool
run_STACK_POP(struct slow_ctx *ctx, const struct ofpact *a)
{
    if (!nxm_execute_stack_pop(ofpact_get_STACK_POP(a), &ctx->flow,
                               unused_wc(), &ctx->stack)) {
        slow_trace_warning(ctx, "stack underflow");
    }
    return true;
}

static bool
run_MULTIPATH(struct slow_ctx *ctx, const struct ofpact *a)
{
    multipath_execute(ofpact_get_MULTIPATH(a), &ctx->flow, unused_wc());
    return true;
}

static bool
run_WRITE_METADATA(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_metadata *om = ofpact_get_WRITE_METADATA(a);

    ctx->flow.metadata &= ~om->mask;
    ctx->flow.metadata |= om->metadata & om->mask;
    return true;
}

static bool
run_SET_ETH_SRC(struct slow_ctx *ctx, const struct ofpact *a)
{
    ctx->flow.dl_src = ofpact_get_SET_ETH_SRC(a)->mac;
    return true;
}

static bool
run_SET_ETH_DST(struct slow_ctx *ctx, const struct ofpact *a)
{
    ctx->flow.dl_dst = ofpact_get_SET_ETH_DST(a)->mac;
    return true;
}

static bool
run_SET_IPV4_SRC(struct slow_ctx *ctx, const struct ofpact *a)
{
    if (ctx->flow.dl_type == htons(ETH_TYPE_IP)) {
        ctx->flow.nw_src = ofpact_get_SET_IPV4_SRC(a)->ipv4;
    }
    return true;
}

static bool
run_SET_IPV4_DST(struct slow_ctx *ctx, const struct ofpact *a)
{
    if (ctx->flow.dl_type == htons(ETH_TYPE_IP)) {
        ctx->flow.nw_dst = ofpact_get_SET_IPV4_DST(a)->ipv4;
    }
    return true;
}

static bool
run_SET_IP_DSCP(struct slow_ctx *ctx, const struct ofpact *a)
{
    if (is_ip_any(&ctx->flow)) {
        ctx->flow.nw_tos &= ~IP_DSCP_MASK;
        ctx->flow.nw_tos |= ofpact_get_SET_IP_DSCP(a)->dscp;
    }
    return true;
}

static bool
run_SET_IP_ECN(struct slow_ctx *ctx, const struct ofpact *a)
{
    if (is_ip_any(&ctx->flow)) {
        ctx->flow.nw_tos &= ~IP_ECN_MASK;
        ctx->flow.nw_tos |= ofpact_get_SET_IP_ECN(a)->ecn;
    }
    return true;
}

static bool
run_SET_IP_TTL(struct slow_ctx *ctx, const struct ofpact *a)
{
    if (is_ip_any(&ctx->flow)) {
        ctx->flow.nw_ttl = ofpact_get_SET_IP_TTL(a)->ttl;
    }
    return true;
}

static bool
has_l4(const struct flow *flow)
{
    return is_ip_any(flow) && !(flow->nw_frag & FLOW_NW_FRAG_LATER);
}

static bool
run_SET_L4_SRC_PORT(struct slow_ctx *ctx, const struct ofpact *a)
{
    if (has_l4(&ctx->flow)) {
        ctx->flow.tp_src = htons(ofpact_get_SET_L4_SRC_PORT(a)->port);
    }
    return true;
}

static bool
run_SET_L4_DST_PORT(struct slow_ctx *ctx, const struct ofpact *a)
{
    if (has_l4(&ctx->flow)) {
        ctx->flow.tp_dst = htons(ofpact_get_SET_L4_DST_PORT(a)->port);
    }
    return true;
}

static bool
run_DEC_TTL(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_cnt_ids *ids = ofpact_get_DEC_TTL(a);

    if (!is_ip_any(&ctx->flow)) {
        return true;
    }
    if (ctx->flow.nw_ttl > 1) {
        ctx->flow.nw_ttl--;
        return true;
    }
    for (size_t i = 0; i < ids->n_controllers; i++) {
        slow_controller_id(ctx, OFPR_INVALID_TTL, ids->cnt_ids[i]);
    }
    ctx->drop = DP_DROP_TTL;
    slow_trace(ctx, "TTL used up");
    return false;
}

static bool
run_SET_TUNNEL(struct slow_ctx *ctx, const struct ofpact *a)
{
    ctx->flow.tunnel.tun_id = htonll(ofpact_get_SET_TUNNEL(a)->tun_id);
    return true;
}

static bool
run_SET_QUEUE(struct slow_ctx *ctx, const struct ofpact *a)
{
    ctx->flow.skb_priority = ofpact_get_SET_QUEUE(a)->queue_id;
    return true;
}

static bool
run_POP_QUEUE(struct slow_ctx *ctx, const struct ofpact *a OVS_UNUSED)
{
    ctx->flow.skb_priority = ctx->orig_skb_priority;
    return true;
}

/* VLANs. */

/* Sets the bits of 'mask' in the TCI of the outer tag to 'tci'; without a
 * tag only if 'push'. */
static void
set_vlan_tci(struct flow *flow, uint16_t mask, uint16_t tci, bool push)
{
    if (flow->vlans[0].tci & htons(VLAN_CFI) || push) {
        if (!flow->vlans[0].tpid) {
            flow->vlans[0].tpid = htons(ETH_TYPE_VLAN);
        }
        flow->vlans[0].tci &= htons(~mask);
        flow->vlans[0].tci |= htons(tci | VLAN_CFI);
    }
}

static bool
run_SET_VLAN_VID(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_vlan_vid *vid = ofpact_get_SET_VLAN_VID(a);

    set_vlan_tci(&ctx->flow, VLAN_VID_MASK, vid->vlan_vid,
                 vid->push_vlan_if_needed);
    return true;
}

static bool
run_SET_VLAN_PCP(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_vlan_pcp *pcp = ofpact_get_SET_VLAN_PCP(a);

    set_vlan_tci(&ctx->flow, VLAN_PCP_MASK,
                 pcp->vlan_pcp << VLAN_PCP_SHIFT, pcp->push_vlan_if_needed);
    return true;
}

static bool
run_STRIP_VLAN(struct slow_ctx *ctx, const struct ofpact *a OVS_UNUSED)
{
    flow_pop_vlan(&ctx->flow, unused_wc());
    return true;
}

static bool
run_PUSH_VLAN(struct slow_ctx *ctx, const struct ofpact *a)
{
    flow_push_vlan_uninit(&ctx->flow, unused_wc());
    ctx->flow.vlans[0].tpid = ofpact_get_PUSH_VLAN(a)->ethertype;
    ctx->flow.vlans[0].tci = htons(VLAN_CFI);
    return true;
}

/* The pipeline. */

static bool
run_RESUBMIT(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_resubmit *resubmit = ofpact_get_RESUBMIT(a);
    /* Fail-open and bonds have rules in the hidden table. */
    bool internal = ctx->rule && ctx->rule->up.table_id == OF_TABLE_INTERNAL;
    const struct slow_lookup lookup = {
        .table_id = (resubmit->table_id == 255 ? ctx->table_id
                     : resubmit->table_id),
        .in_port = (resubmit->in_port == OFPP_IN_PORT
                    ? ctx->flow.in_port.ofp_port : resubmit->in_port),
        .may_packet_in = internal,
        .honor_table_miss = internal,
    };

    if (!resubmit->with_ct_orig) {
        slow_table(ctx, &lookup);
    }
    return true;
}

static bool
run_GOTO_TABLE(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct slow_lookup lookup = {
        .table_id = ofpact_get_GOTO_TABLE(a)->table_id,
        .in_port = ctx->flow.in_port.ofp_port,
        .may_packet_in = true,
        .honor_table_miss = true,
    };

    slow_table(ctx, &lookup);
    return true;
}

static bool
run_WRITE_ACTIONS(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_nest *nest = ofpact_get_WRITE_ACTIONS(a);

    slow_write_actions(ctx, nest->actions, ofpact_nest_get_action_len(nest));
    return true;
}

static bool
run_CLEAR_ACTIONS(struct slow_ctx *ctx, const struct ofpact *a OVS_UNUSED)
{
    ofpbuf_clear(&ctx->action_set);
    ctx->flow.actset_output = OFPP_UNSET;
    ctx->action_set_has_group = false;
    return true;
}

static bool
run_CLONE(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_nest *nest = ofpact_get_CLONE(a);

    slow_clone(ctx, nest->actions, ofpact_nest_get_action_len(nest));
    return true;
}

static bool
run_EXIT(struct slow_ctx *ctx, const struct ofpact *a OVS_UNUSED)
{
    ctx->exit = true;
    return true;
}

static bool
run_UNROLL_XLATE(struct slow_ctx *ctx, const struct ofpact *a)
{
    ctx->table_id = ofpact_get_UNROLL_XLATE(a)->rule_table_id;
    ctx->cookie = ofpact_get_UNROLL_XLATE(a)->rule_cookie;
    return true;
}

static bool
run_DEBUG_RECIRC(struct slow_ctx *ctx, const struct ofpact *a OVS_UNUSED)
{
    slow_reparse(ctx);
    return true;
}

/* note, and conjunction, which only the classifier understands. */
static bool
run_nothing(struct slow_ctx *ctx OVS_UNUSED,
            const struct ofpact *a OVS_UNUSED)
{
    return true;
}

#define OFPACT(NAME) [OFPACT_##NAME] = run_##NAME
static action_fn *const action_fns[N_OFPACTS] = {
    OFPACT(OUTPUT),
    OFPACT(GROUP),
    OFPACT(METER),
    OFPACT(CONTROLLER),
    OFPACT(ENQUEUE),
    OFPACT(OUTPUT_REG),
    OFPACT(OUTPUT_TRUNC),
    OFPACT(SET_FIELD),
    OFPACT(REG_MOVE),
    OFPACT(STACK_PUSH),
    OFPACT(STACK_POP),
    OFPACT(MULTIPATH),
    OFPACT(WRITE_METADATA),
    OFPACT(SET_ETH_SRC),
    OFPACT(SET_ETH_DST),
    OFPACT(SET_IPV4_SRC),
    OFPACT(SET_IPV4_DST),
    OFPACT(SET_IP_DSCP),
    OFPACT(SET_IP_ECN),
    OFPACT(SET_IP_TTL),
    OFPACT(SET_L4_SRC_PORT),
    OFPACT(SET_L4_DST_PORT),
    OFPACT(DEC_TTL),
    OFPACT(SET_TUNNEL),
    OFPACT(SET_QUEUE),
    OFPACT(POP_QUEUE),
    [OFPACT_CHECK_PKT_LARGER] = run_nothing,    /* See slow_actions(). */
    [OFPACT_PUSH_MPLS] = slow_change_headers,
    [OFPACT_POP_MPLS] = slow_change_headers,
    [OFPACT_SET_MPLS_LABEL] = slow_change_headers,
    [OFPACT_SET_MPLS_TC] = slow_change_headers,
    [OFPACT_SET_MPLS_TTL] = slow_change_headers,
    [OFPACT_ENCAP] = slow_change_headers,
    [OFPACT_DECAP] = slow_change_headers,
    [OFPACT_DEC_MPLS_TTL] = slow_dec_mpls_ttl,
    [OFPACT_DEC_NSH_TTL] = slow_dec_nsh_ttl,
    [OFPACT_BUNDLE] = slow_bundle,
    [OFPACT_LEARN] = slow_learn,
    [OFPACT_FIN_TIMEOUT] = slow_fin_timeout,
    OFPACT(SET_VLAN_VID),
    OFPACT(SET_VLAN_PCP),
    OFPACT(STRIP_VLAN),
    OFPACT(PUSH_VLAN),
    OFPACT(RESUBMIT),
    OFPACT(GOTO_TABLE),
    OFPACT(WRITE_ACTIONS),
    OFPACT(CLEAR_ACTIONS),
    OFPACT(CLONE),
    OFPACT(EXIT),
    OFPACT(UNROLL_XLATE),
    OFPACT(DEBUG_RECIRC),
    [OFPACT_DEBUG_SLOW] = run_nothing,
    [OFPACT_NOTE] = run_nothing,
    [OFPACT_CONJUNCTION] = run_nothing,
};
#undef OFPACT

void
slow_actions(struct slow_ctx *ctx, const struct ofpact *ofpacts, size_t len)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        action_fn *fn = action_fns[a->type];

        if (ctx->error == DP_DROP_NONE && ctx->pause) {
            of_freeze_append(&ctx->freeze, a, ofpact_end(ofpacts, len),
                             ctx->table_id, ctx->cookie);
        }
        if (ctx->error != DP_DROP_NONE || ctx->exit) {
            break;
        }
        slow_trace_action(ctx, a);
        if (!fn) {
            /* Cannot be: neither rules nor packet-outs with it get in. */
            ctx->error = DP_DROP_NO_PROGRAM;
            break;
        }
        if (a->type == OFPACT_CHECK_PKT_LARGER) {
            slow_check_pkt_larger(ctx, a, ofpact_end(ofpacts, len));
            break;
        }
        if (!fn(ctx, a)) {
            break;
        }
    }
}

/* The action set. */

void
slow_write_actions(struct slow_ctx *ctx, const struct ofpact *ofpacts,
                   size_t len)
{
    const struct ofpact *a;

    /* actset_output: the set's output port, unless it has a group. */
    if (!ctx->action_set_has_group) {
        OFPACT_FOR_EACH (a, ofpacts, len) {
            if (a->type == OFPACT_OUTPUT) {
                ctx->flow.actset_output = ofpact_get_OUTPUT(a)->port;
            } else if (a->type == OFPACT_GROUP) {
                ctx->flow.actset_output = OFPP_UNSET;
                ctx->action_set_has_group = true;
                break;
            }
        }
    }
    ofpbuf_put(&ctx->action_set, ofpacts, len);
}

void
slow_action_set(struct slow_ctx *ctx)
{
    uint64_t stub[1024 / 8];
    struct ofpbuf list = OFPBUF_STUB_INITIALIZER(stub);

    ofpacts_execute_action_set(&list, &ctx->action_set);
    ofpbuf_clear(&ctx->action_set);
    if (list.size) {
        slow_trace(ctx, "action set is executed");
        ctx->in_action_set = true;
        slow_actions(ctx, list.data, list.size);
        ctx->in_action_set = false;
    }
    ofpbuf_uninit(&list);
}

enum ofperr
of_slow_check(const struct ofpact *ofpacts, size_t ofpacts_len)
{
    const struct ofpact *a;
    enum ofperr error;

    OFPACT_FOR_EACH (a, ofpacts, ofpacts_len) {
        if ((size_t) a->type >= N_OFPACTS || !action_fns[a->type]
            || (a->type == OFPACT_RESUBMIT
                && ofpact_get_RESUBMIT(a)->with_ct_orig)) {
            return OFPERR_OFPBAC_BAD_TYPE;
        }
        if (a->type == OFPACT_WRITE_ACTIONS || a->type == OFPACT_CLONE) {
            const struct ofpact_nest *nest = ALIGNED_CAST(
                const struct ofpact_nest *, a);

            error = of_slow_check(nest->actions,
                                  ofpact_nest_get_action_len(nest));
            if (error) {
                return error;
            }
        }
    }
    return 0;
}
