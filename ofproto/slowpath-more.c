/* SPDX-License-Identifier: Apache-2.0 */

/* The slow path's actions that take more than a line: headers, hashes over
 * ports, learned flows, copies. */

#include <config.h>
#include "ofproto/slowpath-private.h"

#include <inttypes.h>
#include "bundle.h"
#include "dp-packet.h"
#include "nx-match.h"
#include "openvswitch/meta-flow.h"
#include "packets.h"
#include "util.h"
#include "ofproto/headers.h"
#include "ofproto/learn-flow.h"
#include "ofproto/of.h"

/* Headers. */

void
slow_reparse(struct slow_ctx *ctx)
{
    struct flow flow;

    slow_commit(ctx);
    pkt_metadata_from_flow(&ctx->packet->md, &ctx->flow);
    flow_extract(ctx->packet, &flow);
    memcpy(&ctx->flow.dl_dst, &flow.dl_dst,
           sizeof flow - offsetof(struct flow, dl_dst));
    ctx->flow.packet_type = flow.packet_type;
    ctx->base = ctx->flow;
    ctx->size = dp_packet_size(ctx->packet);

    /* Where OVS begins anew an error does not reach back. */
    if (!ovs_list_is_empty(&ctx->out->effects)) {
        ctx->out->kept = CONTAINER_OF(ovs_list_back(&ctx->out->effects),
                                      struct of_slow_effect, node);
    }
    ctx->out->kept_outputs = ctx->out->n_outputs;
    ctx->out->kept_packet_ins = ctx->out->n_packet_ins;
}

static bool
is_lse_change(const struct ofpact *a)
{
    return (a->type == OFPACT_SET_MPLS_LABEL || a->type == OFPACT_SET_MPLS_TC
            || a->type == OFPACT_SET_MPLS_TTL);
}

bool
slow_change_headers(struct slow_ctx *ctx, const struct ofpact *a)
{
    struct of_headers h = { .error = DP_DROP_NONE };

    if (is_lse_change(a)) {
        if (eth_type_mpls(ctx->flow.dl_type)) {
            of_headers_set_mpls(&ctx->flow, a);
        }
        return true;
    }

    if (of_headers_want_commit(&ctx->flow, a)) {
        slow_commit(ctx);
    }
    if (a->type == OFPACT_PUSH_MPLS) {
        of_headers_push_mpls(&ctx->flow, a, &h);
    } else if (a->type == OFPACT_POP_MPLS) {
        of_headers_pop_mpls(&ctx->flow, a, &h);
    } else if (a->type == OFPACT_ENCAP) {
        of_headers_encap(&ctx->flow, a, &h);
    } else {
        of_headers_decap(&ctx->flow, a, &h);
    }
    if (h.error != DP_DROP_NONE) {
        slow_trace(ctx, "%s is not possible", ofpact_name(a->type));
        ofpbuf_delete(h.encap_data);
        ctx->error = h.error;
        return false;
    }
    if (h.clear_base_mpls) {
        memset(&ctx->base.mpls_lse, 0, sizeof ctx->base.mpls_lse);
    }
    ctx->encap |= h.encap;
    ctx->decap |= h.decap;
    if (h.encap_data) {
        ctx->encap_data = h.encap_data;
    }
    if (h.reparse) {
        slow_reparse(ctx);
    }
    return true;
}

static bool
ttl_used_up(struct slow_ctx *ctx)
{
    slow_controller_id(ctx, OFPR_INVALID_TTL, 0);
    ctx->drop = DP_DROP_TTL;
    slow_trace(ctx, "TTL used up");
    return false;
}

bool
slow_dec_mpls_ttl(struct slow_ctx *ctx, const struct ofpact *a OVS_UNUSED)
{
    uint8_t ttl = mpls_lse_to_ttl(ctx->flow.mpls_lse[0]);

    if (!eth_type_mpls(ctx->flow.dl_type)) {
        return false;
    }
    if (ttl <= 1) {
        return ttl_used_up(ctx);
    }
    set_mpls_lse_ttl(&ctx->flow.mpls_lse[0], ttl - 1);
    return true;
}

bool
slow_dec_nsh_ttl(struct slow_ctx *ctx, const struct ofpact *a OVS_UNUSED)
{
    if (ctx->flow.packet_type != htonl(PT_NSH)
        && ctx->flow.dl_type != htons(ETH_TYPE_NSH)) {
        return false;
    }
    if (ctx->flow.nsh.ttl <= 1) {
        return ttl_used_up(ctx);
    }
    ctx->flow.nsh.ttl--;
    return true;
}

/* bundle. */

static bool
member_is_live(ofp_port_t ofp_port, void *bridge)
{
    const struct of_port *port;

    switch (ofp_port) {
    case OFPP_IN_PORT:
    case OFPP_TABLE:
    case OFPP_NORMAL:
    case OFPP_FLOOD:
    case OFPP_ALL:
    case OFPP_NONE:
        return true;

    case OFPP_CONTROLLER:
        return false;

    default:
        port = of_port_get(bridge, ofp_port);
        return port && port->up.may_enable;
    }
}

bool
slow_bundle(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_bundle *bundle = ofpact_get_BUNDLE(a);
    struct flow_wildcards wc;
    ofp_port_t port;

    memset(&wc, 0, sizeof wc);
    port = bundle_execute(bundle, &ctx->flow, &wc, member_is_live,
                          ctx->bridge);
    if (bundle->dst.field) {
        nxm_reg_load(&bundle->dst, ofp_to_u16(port), &ctx->flow, &wc);
    } else {
        slow_output(ctx, port, false);
    }
    return true;
}

/* learn, fin_timeout. */

/* Whether the flow is there already, or there is room for it. */
static bool
below_limit(const struct ofpact_learn *learn,
            const struct ofproto_flow_mod *ofm)
{
    const struct rule *new = ofm->temp_rule;
    struct rule *rule;
    unsigned int n = 0;

    if (!learn->limit || !new || new->state != RULE_INITIALIZED) {
        return true;
    }
    CLS_FOR_EACH (rule, cr, &new->ofproto->tables[new->table_id].cls) {
        n += (rule->flow_cookie == new->flow_cookie
              && cls_rule_visible_in_version(&rule->cr, OVS_VERSION_MAX));
    }
    return n < learn->limit;
}

bool
slow_learn(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_learn *learn = ofpact_get_LEARN(a);
    struct ofproto_flow_mod *ofm = xmalloc(sizeof *ofm);
    bool success;

    if (of_learn_prepare(ctx->bridge, learn, &ctx->flow, ofm)) {
        free(ofm);
        return true;
    }
    success = below_limit(learn, ofm);
    if (learn->flags & NX_LEARN_F_WRITE_RESULT) {
        struct flow_wildcards wc;

        memset(&wc, 0, sizeof wc);
        nxm_reg_load(&learn->result_dst, success, &ctx->flow, &wc);
    }
    if (success) {
        struct of_slow_effect *e = slow_effect_add(ctx->out,
                                                   OF_SLOW_LEARN_FLOW);

        e->flow.ofm = ofm;
    } else {
        ofproto_flow_mod_uninit(ofm);
        free(ofm);
    }
    return true;
}

bool
slow_fin_timeout(struct slow_ctx *ctx, const struct ofpact *a)
{
    const struct ofpact_fin_timeout *fin = ofpact_get_FIN_TIMEOUT(a);

    if (ctx->rule && is_ip_any(&ctx->flow)
        && ctx->flow.nw_proto == IPPROTO_TCP
        && ntohs(ctx->flow.tcp_flags) & (TCP_FIN | TCP_RST)) {
        struct of_slow_effect *e = slow_effect_add(ctx->out,
                                                   OF_SLOW_FIN_TIMEOUT);

        e->fin.rule = CONST_CAST(struct of_rule *, ctx->rule);
        ofproto_rule_ref(&e->fin.rule->up);
        e->fin.idle = fin->fin_idle_timeout;
        e->fin.hard = fin->fin_hard_timeout;
    }
    return true;
}

/* Copies. */

static void
ofpbuf_copy(struct ofpbuf *dst, const struct ofpbuf *src)
{
    ofpbuf_init(dst, src->size);
    ofpbuf_put(dst, src->data, src->size);
}

void
slow_clone(struct slow_ctx *ctx, const struct ofpact *ofpacts, size_t len)
{
    slow_commit(ctx);

    struct dp_packet *old_packet = ctx->packet;
    struct ofpbuf old_stack = ctx->stack;
    struct ofpbuf old_action_set = ctx->action_set;
    struct flow old_flow = ctx->flow;
    struct flow old_base = ctx->base;
    bool old_gone = ctx->gone;

    ctx->packet = dp_packet_clone(old_packet);
    ofpbuf_copy(&ctx->stack, &old_stack);
    ofpbuf_copy(&ctx->action_set, &old_action_set);
    slow_actions(ctx, ofpacts, len);
    if (!ctx->pause) {
        slow_action_set(ctx);
    }
    slow_finish_pause(ctx);
    ofpbuf_uninit(&ctx->stack);
    ofpbuf_uninit(&ctx->action_set);
    dp_packet_delete(ctx->packet);

    ctx->packet = old_packet;
    ctx->stack = old_stack;
    ctx->action_set = old_action_set;
    ctx->flow = old_flow;
    ctx->base = old_base;
    ctx->gone = old_gone;
    ctx->encap = ctx->decap = false;
    ofpbuf_delete(ctx->encap_data);
    ctx->encap_data = NULL;
}

void
slow_check_pkt_larger(struct slow_ctx *ctx, const struct ofpact *a,
                      const struct ofpact *end)
{
    const struct ofpact_check_pkt_larger *check
        = ofpact_get_CHECK_PKT_LARGER(a);
    const struct ofpact *rest = ofpact_next(a);
    struct flow old_flow = ctx->flow;
    union mf_subvalue value;

    slow_commit(ctx);
    memset(&value, 0, sizeof value);
    value.u8_val = (dp_packet_size(ctx->packet)
                    - dp_packet_l2_pad_size(ctx->packet)) > check->pkt_len;
    mf_write_subfield_flow(&check->dst, &value, &ctx->flow);
    slow_clone(ctx, rest, (const char *) end - (const char *) rest);
    ctx->flow = old_flow;
}
