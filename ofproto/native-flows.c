/* SPDX-License-Identifier: Apache-2.0 */

/* Natives that change flow tables: learn, fin_timeout.
 *
 * A learned flow must exist before the next packet, so the worker adds it
 * itself, under ofproto_mutex, as Open vSwitch's threads do; the hooks
 * (hooks.c) publish it.  Both are rare: learn adds a flow only if there is
 * none like it. */

#include <config.h>
#include "ofproto/native.h"

#include "flow.h"
#include "learn.h"
#include "nx-match.h"
#include "ofproto/learn-flow.h"
#include "packets.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/of.h"

static const struct ofpact *
action_of(const void *block)
{
    return &((const struct of_native_block *) block)->ofpact;
}

uint64_t
of_native_LEARN(struct dp_ctx *ctx, const void *block,
                size_t size OVS_UNUSED)
{
    struct of_bridge *bridge = of_bridge_of_dp(dp_ctx_bridge(ctx));
    const struct ofpact_learn *learn = ofpact_get_LEARN(action_of(block));
    bool success;
    struct flow flow;

    if (dp_ctx_is_dry(ctx)) {
        return 0;
    }
    dp_ctx_flow(ctx, &flow);
    if (of_learn_now(bridge, learn, &flow, &success)) {
        return 0;
    }
    dp_ctx_relatch(ctx);
    if (learn->flags & NX_LEARN_F_WRITE_RESULT) {
        struct flow_wildcards wc;

        memset(&wc, 0, sizeof wc);
        nxm_reg_load(&learn->result_dst, success, &flow, &wc);
        dp_ctx_set_flow(ctx, &flow,
                        ((const struct of_native_block *) block)->dirty);
    }
    return 0;
}

uint64_t
of_native_FIN_TIMEOUT(struct dp_ctx *ctx, const void *block,
                      size_t size OVS_UNUSED)
{
    const struct ofpact_fin_timeout *fin
        = ofpact_get_FIN_TIMEOUT(action_of(block));
    struct of_rule *rule = dp_ctx_owner(ctx);
    struct flow flow;

    dp_ctx_flow(ctx, &flow);
    if (rule && !dp_ctx_is_dry(ctx)
        && is_ip_any(&flow) && flow.nw_proto == IPPROTO_TCP
        && ntohs(flow.tcp_flags) & (TCP_FIN | TCP_RST)) {
        ofproto_rule_reduce_timeouts(&rule->up, fin->fin_idle_timeout,
                                     fin->fin_hard_timeout);
        of_expire_soon(of_rule_bridge(rule), 0);
    }
    return 0;
}
