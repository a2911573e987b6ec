/* SPDX-License-Identifier: Apache-2.0 */

/* Natives that compute: the stack, hashes, sizes; and the lookup for tables
 * that masked tuples cannot serve. */

#include <config.h>
#include "ofproto/native.h"

#include "bundle.h"
#include "classifier.h"
#include "flow.h"
#include "multipath.h"
#include "nx-match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-switch.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/of.h"

static dp_native_fn *const natives[OF_N_NATIVES] = {
#define OF_NATIVE(TYPE) [OFPACT_##TYPE] = of_native_##TYPE,
#include "ofproto/natives.def"
#undef OF_NATIVE
    [OF_NATIVE_CLASSIFY] = of_native_classify,
};

void
of_native_init(void)
{
    dp_set_natives(natives, OF_N_NATIVES);
}

/* libopenvswitch reports here which bits it has looked at. */
static struct flow_wildcards *
unused_wc(void)
{
    static __thread struct flow_wildcards wc;

    return &wc;
}

static const struct ofpact *
action_of(const void *block)
{
    return &((const struct of_native_block *) block)->ofpact;
}

static uint32_t
dirty_of(const void *block)
{
    return ((const struct of_native_block *) block)->dirty;
}

uint64_t
of_native_STACK_PUSH(struct dp_ctx *ctx, const void *block,
                     size_t size OVS_UNUSED)
{
    struct flow flow;

    dp_ctx_flow(ctx, &flow);
    nxm_execute_stack_push(ofpact_get_STACK_PUSH(action_of(block)), &flow,
                           unused_wc(), dp_ctx_stack(ctx));
    return 0;
}

uint64_t
of_native_STACK_POP(struct dp_ctx *ctx, const void *block,
                    size_t size OVS_UNUSED)
{
    struct flow flow;

    dp_ctx_flow(ctx, &flow);
    if (nxm_execute_stack_pop(ofpact_get_STACK_POP(action_of(block)), &flow,
                              unused_wc(), dp_ctx_stack(ctx))) {
        dp_ctx_set_flow(ctx, &flow, dirty_of(block));
    }
    return 0;
}

uint64_t
of_native_MULTIPATH(struct dp_ctx *ctx, const void *block,
                    size_t size OVS_UNUSED)
{
    struct flow flow;

    dp_ctx_flow(ctx, &flow);
    multipath_execute(ofpact_get_MULTIPATH(action_of(block)), &flow,
                      unused_wc());
    dp_ctx_set_flow(ctx, &flow, dirty_of(block));
    return 0;
}

static bool
member_is_live(ofp_port_t ofp_port, void *ctx)
{
    uint32_t flags;

    switch (ofp_port) {
    case OFPP_IN_PORT:
    case OFPP_TABLE:
    case OFPP_NORMAL:
    case OFPP_FLOOD:
    case OFPP_ALL:
    case OFPP_NONE:
        return true;

    case OFPP_CONTROLLER:       /* As in OVS. */
        return false;

    default:
        return (dp_ctx_port_flags(ctx, ofp_to_u16(ofp_port), &flags)
                && !(flags & DP_PORT_DEAD));
    }
}

uint64_t
of_native_BUNDLE(struct dp_ctx *ctx, const void *block,
                 size_t size OVS_UNUSED)
{
    const struct ofpact_bundle *bundle = ofpact_get_BUNDLE(action_of(block));
    struct flow flow;
    ofp_port_t port;

    dp_ctx_flow(ctx, &flow);
    port = bundle_execute(bundle, &flow, unused_wc(), member_is_live, ctx);
    if (bundle->dst.field) {
        nxm_reg_load(&bundle->dst, ofp_to_u16(port), &flow, unused_wc());
        dp_ctx_set_flow(ctx, &flow, dirty_of(block));
    } else {
        dp_ctx_output_any(ctx, ofp_to_u16(port), 0);
    }
    return 0;
}

uint64_t
of_native_CHECK_PKT_LARGER(struct dp_ctx *ctx, const void *block,
                           size_t size OVS_UNUSED)
{
    const struct ofpact_check_pkt_larger *check
        = ofpact_get_CHECK_PKT_LARGER(action_of(block));
    union mf_subvalue value;
    struct flow flow;

    if (dp_ctx_commit(ctx)) {
        return 1;
    }
    memset(&value, 0, sizeof value);
    value.u8_val = dp_ctx_packet_len(ctx) > check->pkt_len;
    dp_ctx_flow(ctx, &flow);
    mf_write_subfield_flow(&check->dst, &value, &flow);
    dp_ctx_set_flow(ctx, &flow, dirty_of(block));
    return 0;
}

/* Where OVS recirculates. */
uint64_t
of_native_DEBUG_RECIRC(struct dp_ctx *ctx, const void *block OVS_UNUSED,
                       size_t size OVS_UNUSED)
{
    dp_ctx_reparse(ctx);
    return 0;
}

/* The lookup. */

/* Whether fragment handling drops the packet; 'flow' becomes what is looked
 * up. */
static bool
drops_fragment(const struct dp_ctx *ctx, struct flow *flow)
{
    if (flow->nw_frag & FLOW_NW_FRAG_ANY
        && DP_CONF_GET(ctx->conf->frag_handling) != OFPUTIL_FRAG_NX_MATCH) {
        if (DP_CONF_GET(ctx->conf->frag_handling) != OFPUTIL_FRAG_NORMAL) {
            return true;
        }
        flow->tp_src = flow->tp_dst = htons(0);
    }
    return false;
}

uint64_t
of_native_classify(struct dp_ctx *ctx, const void *block OVS_UNUSED,
                   size_t table_id)
{
    struct of_bridge *bridge = of_bridge_of_dp(dp_ctx_bridge(ctx));
    const struct cls_rule *cr;
    struct flow flow;

    dp_ctx_flow(ctx, &flow);
    if (drops_fragment(ctx, &flow)) {
        dp_ctx_drop_fragment(ctx);
        return 0;
    }
    cr = classifier_lookup(&bridge->dpif.up.tables[table_id].cls,
                           ctx->version, &flow, NULL);
    return cr ? of_entry_hit(&of_rule_from_cls(cr)->entry) : 0;
}
