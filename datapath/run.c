/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/bridge.h"
#include "datapath/ctx.h"
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/upcall.h"
#include "datapath/worker.h"
#include "dp-packet.h"
#include "openflow/openflow.h"
#include "util.h"
#include "vm/prog.h"
#include "vm/type.h"

/* Drops. */

uint64_t
dp_ctx_cookie(const struct dp_ctx *ctx)
{
    const struct dp_flow *flow;

    flow = dp_flow_get(ctx->cold->bridge->dp->tables, DP_HIT_FLOW(ctx->hit));
    return !flow ? 0 : flow->is_bucket ? ctx->cold->bucket_cookie
           : flow->cookie;
}

void
dp_ctx_drop(struct dp_ctx *ctx, enum dp_drop_reason reason)
{
    dp_ctx_drop_at(ctx, reason, ctx->table_id, dp_ctx_cookie(ctx));
}

void
dp_ctx_fatal(struct dp_ctx *ctx, enum dp_drop_reason reason)
{
    struct dp_cold *cold = ctx->cold;

    if (!cold->fatal) {
        cold->fatal = true;
        cold->drop_specific = false;
        dp_ctx_drop(ctx, reason);
        cold->drop_specific = true;
    }
}

void
dp_ctx_flow(const struct dp_ctx *ctx, struct flow *flow)
{
    dp_flow_from_key(flow, ctx->key);
}

struct dp_bridge *
dp_ctx_bridge(const struct dp_ctx *ctx)
{
    return ctx->cold->bridge;
}

void
dp_run_drop_reason(const struct dp_ctx *ctx, const struct dp_flow *flow,
                   struct dp_drop_cause *cause)
{
    const struct dp_cold *cold = ctx->cold;

    if (flow && !cold->drop_specific
        && cold->drop_lookups != ctx->resubmits) {
        *cause = (struct dp_drop_cause) {
            DP_DROP_ACTION, flow->table_id, flow->cookie
        };
    } else {
        *cause = (struct dp_drop_cause) {
            cold->drop, cold->drop_table, cold->drop_cookie
        };
    }
}

/* Buffers. */

void
dp_dress(struct dp_packet *packet)
{
    dp_packet_reset_offsets(packet);
    if (packet->source == DPBUF_DPDK) {
        dp_packet_reset_cutlen(packet);
        packet->packet_type = htonl(PT_ETH);
    }
}

void
dp_ctx_dress__(struct dp_ctx *ctx)
{
    ctx->cold->dressed = true;
    dp_dress(ctx->cold->bufs[0].packet);
}

static void
cold_grow_bufs(struct dp_cold *cold)
{
    struct dp_buf *old = cold->bufs == &cold->first_buf ? NULL : cold->bufs;

    /* packet-path exception: grows to the most that a packet ever needed,
     * once. */
    cold->bufs = x2nrealloc(old, &cold->allocated_bufs, sizeof *cold->bufs);
    if (!old) {
        cold->bufs[0] = cold->first_buf;
    }
}

uint32_t
dp_run_add_buf(struct dp_cold *cold, struct dp_packet *packet)
{
    struct dp_buf *buf;

    if (cold->n_bufs >= cold->allocated_bufs) {
        cold_grow_bufs(cold);
    }
    buf = &cold->bufs[cold->n_bufs];
    buf->packet = packet;
    buf->n_outputs = 0;
    buf->n_saves = 0;
    return cold->n_bufs++;
}

void
dp_ctx_refresh(struct dp_ctx *ctx)
{
    struct dp_packet *packet = ctx->packet;

    ctx->data = dp_packet_data(packet);
    ctx->data_end = ctx->data + dp_packet_size(packet);
    ctx->l2_5_ofs = packet->l2_5_ofs;
    ctx->l3_ofs = packet->l3_ofs;
    ctx->l4_ofs = packet->l4_ofs;
}

void
dp_ctx_put_offsets(struct dp_ctx *ctx)
{
    dp_ctx_dress(ctx);
    ctx->packet->l2_5_ofs = ctx->l2_5_ofs;
    ctx->packet->l3_ofs = ctx->l3_ofs;
    ctx->packet->l4_ofs = ctx->l4_ofs;
}

int
dp_ctx_unshare(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_buf *buf = &cold->bufs[cold->buf];

    if (buf->n_outputs || buf->n_saves) {
        /* packet-path exception: a packet that was output before it is
         * rewritten needs a second buffer. */
        struct dp_packet *copy = dp_packet_clone_with_headroom(
            ctx->packet, dp_packet_headroom(ctx->packet));

        DP_WORKER_ADD(cold->worker, bufs_in, 1);
        cold->buf = dp_run_add_buf(cold, copy);
        ctx->packet = copy;
        dp_ctx_refresh(ctx);
    }
    return 0;
}

bool
dp_ctx_queue_upcall(struct dp_ctx *ctx, struct dp_upcall_node *node)
{
    struct dp_cold *cold = ctx->cold;

    if (!node) {
        return false;
    }
    if (cold->n_upcalls >= cold->allocated_upcalls) {
        /* packet-path exception: grows to the most that a packet ever
         * needed, once. */
        cold->upcalls = x2nrealloc(cold->upcalls, &cold->allocated_upcalls,
                                   sizeof *cold->upcalls);
    }
    cold->upcalls[cold->n_upcalls++] = node;
    cold->rare = true;
    cold->worker->upcalls_pending[node->up.kind]++;
    return true;
}

bool
dp_ctx_upcall(struct dp_ctx *ctx, enum dp_upcall_kind kind,
              const uint32_t arg[4], bool with_packet)
{
    struct dp_upcall_node *node;

    node = dp_upcall_build(ctx, kind, with_packet, NULL, 0);
    if (node && arg) {
        memcpy(node->up.arg, arg, sizeof node->up.arg);
    }
    return dp_ctx_queue_upcall(ctx, node);
}

bool
dp_count_odd_lookup(struct dp_ctx *ctx)
{
    /* goto_table, too, stops at the depth where a resubmit would. */
    if (ctx->depth >= DP_MAX_DEPTH && !ctx->cold->resubmitting) {
        dp_ctx_fatal(ctx, DP_DROP_RESUBMIT_DEPTH);
        return false;
    }
    /* The first lookup is no resubmit. */
    if (ctx->resubmits > DP_MAX_RESUBMITS) {
        dp_ctx_fatal(ctx, DP_DROP_RESUBMITS);
        return false;
    }
    ctx->resubmits++;
    return true;
}

/* Counters. */

void
dp_run_count(struct dp_worker *worker, struct dp_ctx *ctx)
{
    const struct dp_flow *flow = ctx->cold->flow;

    if (flow) {
        ctx->cold->flow = NULL;
        dp_worker_matched(worker, flow->table_id, 1);
        dp_worker_met(worker, flow, 1, ctx->packet_size);
        dp_ctx_drop_at(ctx, DP_DROP_ACTION, flow->table_id, flow->cookie);
    }
}
