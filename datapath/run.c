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
dp_ctx_drop_at(struct dp_ctx *ctx, enum dp_drop_reason reason,
               uint8_t table_id, uint64_t cookie)
{
    struct dp_cold *cold = ctx->cold;
    bool specific = reason != DP_DROP_ACTION && reason != DP_DROP_TABLE_MISS;

    if (!cold->drop_specific) {
        cold->drop = reason;
        cold->drop_table = table_id;
        cold->drop_cookie = cookie;
        cold->drop_specific = specific;
    }
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

/* Buffers. */

uint32_t
dp_run_add_buf(struct dp_cold *cold, struct dp_packet *packet)
{
    struct dp_buf *buf;

    if (cold->n_bufs >= cold->allocated_bufs) {
        /* packet-path exception: grows to the most that a packet ever
         * needed, once. */
        cold->bufs = x2nrealloc(cold->bufs, &cold->allocated_bufs,
                                sizeof *cold->bufs);
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

/* Life of a packet. */

static void
run_init(struct dp_worker *worker, struct dp_bridge *bridge, unsigned i,
         struct dp_packet *packet, uint32_t in_port)
{
    const uint64_t unset = (uint64_t) OFPP_UNSET << 32;
    struct dp_ctx *ctx = dp_worker_ctx(worker, i);
    struct dp_cold *cold = dp_worker_cold(worker, i);

    cold->worker = worker;
    cold->bridge = bridge;
    cold->fatal = false;
    cold->drop_specific = false;
    cold->drop = DP_DROP_ACTION;
    cold->drop_table = 0;
    cold->drop_cookie = 0;
    cold->resubmitting = false;
    cold->frag_drop = false;
    cold->bucket_cookie = 0;
    cold->nd_base.valid = false;
    cold->base.active = false;
    cold->gone = false;
    cold->n_bufs = 0;
    cold->n_outs = 0;
    cold->n_upcalls = 0;
    cold->kept_outs = cold->kept_upcalls = 0;
    cold->n_frames = 0;
    cold->n_saves = 0;
    dp_aset_clear(&cold->aset);
    dp_aset_clear(&cold->running);
    cold->in_action_set = false;
    cold->buf = dp_run_add_buf(cold, packet);

    dp_packet_reset_offsets(packet);
    ctx->slots = worker->slots;
    ctx->version = worker->version;
    ctx->cold = cold;
    ctx->conf = &bridge->conf;
    ctx->packet = packet;
    dp_ctx_refresh(ctx);
    ctx->hit = DP_HIT(0, DP_FLOW_NONE);
    ctx->in_port = in_port;
    ctx->dirty = 0;
    ctx->table_id = 0;
    ctx->n_vlans = 0;
    ctx->packet_size = dp_packet_size(packet);
    ctx->depth = 0;
    ctx->resubmits = 0;
    ctx->scratch = 0;
    memset(ctx->key, 0, sizeof ctx->key);
    ctx->key[DP_KEY_ACTSET] = unset;
    dp_ctx_set_key_in_port(ctx, in_port);
}

/* What became of the packet. */
static void
run_finish(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_worker *worker = cold->worker;
    bool output;

    if (cold->fatal) {
        dp_outputs_cancel(cold);
        dp_upcalls_cancel(cold);
        while (cold->n_saves) {
            /* packet-path exception: see dp_frame_push_clone(). */
            free(cold->saves[--cold->n_saves]->stack);
        }
    }
    ofpbuf_clear(&cold->stack);
    dp_base_clear(&cold->base);
    output = cold->n_outs > 0;
    dp_outputs_send(cold);
    if (dp_upcalls_push(cold, output)) {
        return;
    }
    if (output) {
        DP_WORKER_ADD(worker, forwarded, 1);
    } else {
        DP_WORKER_ADD(worker, dropped, 1);
        dp_drops_add(&cold->bridge->stats[worker->id]->drops, cold->drop,
                     cold->drop_table, cold->drop_cookie, 1);
    }
}

/* Why packets of this burst do not run, or DP_DROP_NONE. */
static enum dp_drop_reason
obstacle(const struct dp_bridge *bridge, const struct vm_prog *parse)
{
    return (!DP_CONF_GET(bridge->conf.forwarding) ? DP_DROP_NOT_FORWARDING
            : !parse ? DP_DROP_NO_PROGRAM : DP_DROP_NONE);
}

void
dp_run_burst(struct dp_worker *worker, struct dp_bridge *bridge,
             struct dp_packet **packets, unsigned n, uint32_t in_port)
{
    void *ctxs[NETDEV_MAX_BURST];
    const struct vm_prog *parse;
    enum dp_drop_reason reason;
    unsigned n_ctxs = 0;

    parse = (!worker->slots ? NULL
             : atomic_load_explicit(&worker->slots->prog[DP_SLOT_PARSE],
                                    memory_order_acquire));
    reason = obstacle(bridge, parse);
    DP_WORKER_ADD(worker, received, n);
    for (unsigned i = 0; i < n; i++) {
        struct dp_ctx *ctx = dp_worker_ctx(worker, i);

        run_init(worker, bridge, i, packets[i], in_port);
        ctx->turn.result = 0;
        if (OVS_UNLIKELY(reason != DP_DROP_NONE)) {
            dp_ctx_fatal(ctx, reason);
        } else if (OVS_UNLIKELY(ctx->packet_size < ETH_HEADER_LEN)) {
            dp_ctx_fatal(ctx, DP_DROP_RUNT);
        } else {
            ctxs[n_ctxs++] = ctx;
        }
    }
    if (n_ctxs) {
        vm_prog_run_burst(parse, ctxs, n_ctxs);
    }
    for (unsigned i = 0; i < n; i++) {
        struct dp_ctx *ctx = dp_worker_ctx(worker, i);

        if (OVS_UNLIKELY(ctx->turn.result)) {
            /* The checked interpreter has stopped the program, or a jump
             * through an empty slot fell through. */
            dp_ctx_fatal(ctx, ctx->turn.result == parse->type->abort_ret
                              ? DP_DROP_PROGRAM_ERROR : DP_DROP_NO_PROGRAM);
        }
        run_finish(ctx);
    }
}
