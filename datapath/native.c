/* SPDX-License-Identifier: Apache-2.0 */

/* Natives: C functions that generated programs call by number, and what they
 * may do with the packet. */

#include "datapath/dp.h"

#include <string.h>
#include "datapath/bridge.h"
#include "datapath/counters.h"
#include "datapath/ctx.h"
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/run.h"
#include "datapath/worker.h"
#include "dp-packet.h"

static dp_native_fn *const *natives;
static size_t n_natives;

void
dp_set_natives(dp_native_fn *const fns[], size_t n)
{
    natives = fns;
    n_natives = n;
}

uint64_t
dp_native_run(struct dp_ctx *ctx, uint64_t fn, const void *block,
              size_t size)
{
    if (fn >= n_natives || !natives[fn]) {
        dp_ctx_fatal(ctx, DP_DROP_PROGRAM_ERROR);
        return 1;
    }
    return natives[fn](ctx, block, size);
}

void
dp_ctx_set_flow(struct dp_ctx *ctx, const struct flow *flow, uint32_t dirty)
{
    dp_key_from_flow(ctx->key, flow);
    ctx->dirty |= dirty;
}

struct ofpbuf *
dp_ctx_stack(struct dp_ctx *ctx)
{
    return &ctx->cold->stack;
}

void *
dp_ctx_owner(const struct dp_ctx *ctx)
{
    const struct dp_flow *flow;

    flow = dp_flow_get(ctx->cold->bridge->dp->tables, DP_HIT_FLOW(ctx->hit));
    return flow ? flow->owner : NULL;
}

int
dp_ctx_commit(struct dp_ctx *ctx)
{
    return dp_commit(ctx);
}

uint32_t
dp_ctx_packet_len(struct dp_ctx *ctx)
{
    struct flow flow;

    if (!ctx->cold->base.active) {
        flow_extract(ctx->packet, &flow);
    }
    return dp_packet_size(ctx->packet) - dp_packet_l2_pad_size(ctx->packet);
}

void
dp_ctx_relatch(struct dp_ctx *ctx)
{
    ctx->cold->worker->relatch = true;
}

void
dp_ctx_output_any(struct dp_ctx *ctx, uint32_t ofp_port, uint32_t max_len)
{
    dp_output(ctx, ofp_port, max_len);
}

bool
dp_ctx_port_flags(const struct dp_ctx *ctx, uint32_t ofp_port,
                  uint32_t *flags)
{
    const struct dp_port *port = dp_bridge_port(ctx->cold->bridge, ofp_port);

    if (!port) {
        return false;
    }
    *flags = dp_port_flags(port);
    return true;
}

void
dp_ctx_drop_fragment(struct dp_ctx *ctx)
{
    ctx->cold->frag_drop = true;
}

void
dp_ctx_clear_base_mpls(struct dp_ctx *ctx)
{
    struct flow *base = &ctx->cold->base.flow;

    memset(&base->mpls_lse, 0, sizeof base->mpls_lse);
}
