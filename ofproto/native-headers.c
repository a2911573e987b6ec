/* SPDX-License-Identifier: Apache-2.0 */

/* Natives that add and remove headers: MPLS, NSH, Ethernet.  What they do to
 * the flow is what Open vSwitch's translation does; where that recirculates,
 * the packet is parsed anew. */

#include <config.h>
#include "ofproto/native.h"

#include "flow.h"
#include "nx-match.h"
#include "ofproto/headers.h"
#include "openvswitch/ofpbuf.h"
#include "packets.h"
#include "util.h"
#include "datapath/dp.h"

static const struct ofpact *
action_of(const void *block)
{
    return &((const struct of_native_block *) block)->ofpact;
}

/* Carries out what 'result' says happened to 'flow'. */
static uint64_t
finish(struct dp_ctx *ctx, const struct flow *flow,
       const struct of_headers *h)
{
    if (h->error != DP_DROP_NONE) {
        ofpbuf_delete(h->encap_data);
        dp_ctx_fatal(ctx, h->error);
        return 1;
    }
    if (h->clear_base_mpls) {
        dp_ctx_clear_base_mpls(ctx);
    }
    dp_ctx_set_flow(ctx, flow, DP_DIRTY_MPLS);
    if (h->encap) {
        dp_ctx_will_encap(ctx, h->encap_data);
    }
    if (h->decap) {
        dp_ctx_will_decap(ctx);
    }
    if (h->reparse) {
        dp_ctx_reparse(ctx);
    }
    return 0;
}

/* Runs 'fn' on the packet's flow. */
static uint64_t
change(struct dp_ctx *ctx, const void *block,
       void (*fn)(struct flow *, const struct ofpact *, struct of_headers *))
{
    struct of_headers h = { .error = DP_DROP_NONE };
    struct flow flow;

    if (dp_ctx_rebase(ctx)) {
        return 1;
    }
    dp_ctx_flow(ctx, &flow);
    if (of_headers_want_commit(&flow, action_of(block))
        && dp_ctx_commit(ctx)) {
        return 1;
    }
    fn(&flow, action_of(block), &h);
    return finish(ctx, &flow, &h);
}

uint64_t
of_native_PUSH_MPLS(struct dp_ctx *ctx, const void *block,
                    size_t size OVS_UNUSED)
{
    return change(ctx, block, of_headers_push_mpls);
}

uint64_t
of_native_POP_MPLS(struct dp_ctx *ctx, const void *block,
                   size_t size OVS_UNUSED)
{
    return change(ctx, block, of_headers_pop_mpls);
}

uint64_t
of_native_ENCAP(struct dp_ctx *ctx, const void *block,
                size_t size OVS_UNUSED)
{
    return change(ctx, block, of_headers_encap);
}

uint64_t
of_native_DECAP(struct dp_ctx *ctx, const void *block,
                size_t size OVS_UNUSED)
{
    return change(ctx, block, of_headers_decap);
}

/* The outer label. */

static uint64_t
set_lse(struct dp_ctx *ctx, const struct ofpact *a)
{
    struct flow flow;

    dp_ctx_flow(ctx, &flow);
    if (eth_type_mpls(flow.dl_type)) {
        of_headers_set_mpls(&flow, a);
        dp_ctx_set_flow(ctx, &flow, DP_DIRTY_MPLS);
    }
    return 0;
}

uint64_t
of_native_SET_MPLS_LABEL(struct dp_ctx *ctx, const void *block,
                         size_t size OVS_UNUSED)
{
    return set_lse(ctx, action_of(block));
}

uint64_t
of_native_SET_MPLS_TC(struct dp_ctx *ctx, const void *block,
                      size_t size OVS_UNUSED)
{
    return set_lse(ctx, action_of(block));
}

uint64_t
of_native_SET_MPLS_TTL(struct dp_ctx *ctx, const void *block,
                       size_t size OVS_UNUSED)
{
    return set_lse(ctx, action_of(block));
}

/* TTLs.  A packet without the header ends the list, too. */

static void
ttl_used_up(struct dp_ctx *ctx)
{
    dp_ctx_drop(ctx, DP_DROP_TTL);
    dp_ctx_upcall(ctx, DP_UPCALL_INVALID_TTL, NULL, true);
}

uint64_t
of_native_DEC_MPLS_TTL(struct dp_ctx *ctx, const void *block OVS_UNUSED,
                       size_t size OVS_UNUSED)
{
    struct flow flow;
    uint8_t ttl;

    dp_ctx_flow(ctx, &flow);
    if (!eth_type_mpls(flow.dl_type)) {
        return 1;
    }
    ttl = mpls_lse_to_ttl(flow.mpls_lse[0]);
    if (ttl <= 1) {
        ttl_used_up(ctx);
        return 1;
    }
    set_mpls_lse_ttl(&flow.mpls_lse[0], ttl - 1);
    dp_ctx_set_flow(ctx, &flow, DP_DIRTY_MPLS);
    return 0;
}

uint64_t
of_native_DEC_NSH_TTL(struct dp_ctx *ctx, const void *block OVS_UNUSED,
                      size_t size OVS_UNUSED)
{
    struct flow flow;

    dp_ctx_flow(ctx, &flow);
    if (flow.packet_type != htonl(PT_NSH)
        && flow.dl_type != htons(ETH_TYPE_NSH)) {
        return 1;
    }
    if (flow.nsh.ttl <= 1) {
        ttl_used_up(ctx);
        return 1;
    }
    flow.nsh.ttl--;
    dp_ctx_set_flow(ctx, &flow, DP_DIRTY_NSH);
    return 0;
}
