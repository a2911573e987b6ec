/* SPDX-License-Identifier: Apache-2.0 */

/* What ofproto/ looks at before a bridge's tables do, and after them: frames
 * of link protocols, packets to mirror. */

#include "datapath/run.h"

#include "datapath/ctx.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "dp-packet.h"

static dp_ingress_fn *ingress_fn;
static dp_egress_fn *egress_fn;

void
dp_set_ingress(dp_ingress_fn *fn)
{
    ingress_fn = fn;
}

void
dp_set_egress(dp_egress_fn *fn)
{
    egress_fn = fn;
}

void
dp_ctx_parse(struct dp_ctx *ctx)
{
    if (!ctx->cold->parsed) {
        dp_parse(ctx);
        ctx->cold->parsed = true;
        ctx->cold->rare = true;
    }
}

bool
dp_ingress(struct dp_ctx *ctx)
{
    if (!ingress_fn) {
        return false;
    }
    if (ingress_fn(ctx)) {
        return true;
    }
    if (ctx->cold->parsed) {
        /* The bytes are again those that were received, in a copy if others
         * of the packet have left. */
        if (ctx->dirty && dp_commit(ctx)) {
            return true;
        }
        ctx->cold->parsed = false;
        dp_run_init_key(ctx);
        dp_ctx_refresh(ctx);
        ctx->l2_5_ofs = ctx->l3_ofs = ctx->l4_ofs = UINT16_MAX;
    }
    return false;
}

void
dp_egress(struct dp_ctx *ctx, uint32_t ofp_port)
{
    if (egress_fn) {
        egress_fn(ctx, ofp_port);
    }
}

uint32_t *
dp_ctx_tag(struct dp_ctx *ctx)
{
    ctx->cold->rare = true;
    return &ctx->cold->tag;
}

_Static_assert((int) DP_MAX_WORKER_IDS == (int) DP_MAX_WORKERS,
               "the same in public");

long long int
dp_ctx_now_ms(const struct dp_ctx *ctx)
{
    return ctx->cold->worker->now_ms;
}

bool
dp_ctx_is_dry(const struct dp_ctx *ctx)
{
    return ctx->cold->worker->dry;
}

unsigned
dp_ctx_worker(const struct dp_ctx *ctx)
{
    return ctx->cold->worker->dry ? DP_WORKER_MAIN : ctx->cold->worker->id;
}
