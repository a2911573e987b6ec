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
#include "datapath/upcall.h"
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
    ctx->wide = DP_WIDE_ANY;
    ctx->dirty |= dirty;
}

struct ofpbuf *
dp_ctx_stack(struct dp_ctx *ctx)
{
    ctx->cold->rare = true;
    return &ctx->cold->stack;
}

static void *
owner_of(const struct dp_ctx *ctx, uint64_t hit)
{
    const struct dp_flow *flow;

    flow = dp_flow_get(ctx->cold->bridge->dp->tables, DP_HIT_FLOW(hit));
    return flow ? flow->owner : NULL;
}

void *
dp_ctx_owner(const struct dp_ctx *ctx)
{
    return owner_of(ctx, ctx->hit);
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
        dp_ctx_dress(ctx);
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

/* Pausing. */

bool
dp_ctx_pending(const struct dp_ctx *ctx, size_t i, struct dp_pending *p)
{
    const struct dp_cold *cold = ctx->cold;
    const struct dp_frame *frame;
    const struct dp_flow *flow;

    if (i >= cold->n_frames) {
        return false;
    }
    frame = &cold->bulk->frames[cold->n_frames - 1 - i];
    if (frame->kind != DP_FRAME_REST) {
        return false;
    }
    flow = dp_flow_get(cold->bridge->dp->tables, DP_HIT_FLOW(frame->hit));
    p->owner = flow ? flow->owner : NULL;
    p->cookie = flow ? flow->cookie : 0;
    p->number = frame->number;
    p->table_id = frame->table_id;
    return true;
}

bool
dp_ctx_written(const struct dp_ctx *ctx, size_t i, enum dp_aset_kind *kind,
               void **owner)
{
    const struct dp_aset *aset = &ctx->cold->bulk->aset;

    if (i < aset->n_sets) {
        *kind = DP_ASET_SET;
        *owner = owner_of(ctx, aset->sets[i].hit);
        return true;
    }
    i -= aset->n_sets;
    if (i >= DP_N_ASET_KINDS) {
        return false;
    }
    *kind = i;
    *owner = (i != DP_ASET_SET && aset->present & 1u << i
              ? owner_of(ctx, aset->single[i].hit) : NULL);
    return true;
}

void
dp_ctx_abandon(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;

    while (cold->n_frames
           && cold->bulk->frames[cold->n_frames - 1].kind == DP_FRAME_REST) {
        cold->n_frames--;
    }
    dp_aset_clear(&cold->bulk->aset);
    dp_aset_clear(&cold->bulk->running);
    cold->in_action_set = false;
}

void
dp_ctx_controller(struct dp_ctx *ctx, const void *data, size_t size)
{
    struct dp_upcall_node *node;

    node = dp_upcall_build(ctx, DP_UPCALL_CONTROLLER, true, data, size);
    if (node) {
        node->up.arg[1] = ctx->cold->in_action_set;
    }
    if (!dp_ctx_queue_upcall(ctx, node)) {
        dp_ctx_drop(ctx, DP_DROP_UPCALL_FULL);
    }
}
