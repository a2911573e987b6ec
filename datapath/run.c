/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/bridge.h"
#include "datapath/ctx.h"
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/tap-private.h"
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

/* Buffers. */

/* What of 'packet' a port that receives bare packets has left out. */
static void
dress(struct dp_packet *packet)
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
    dress(ctx->cold->bufs[0].packet);
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

/* Life of a packet. */

/* Empties what few packets use. */
static void
clear_rare(struct dp_cold *cold)
{
    ofpbuf_clear(&cold->stack);
    dp_base_clear(&cold->base);
    cold->kept_outs = cold->kept_upcalls = 0;
    cold->nd_base.valid = false;
    dp_aset_clear(&cold->bulk->aset);
    dp_aset_clear(&cold->bulk->running);
    cold->blocked = cold->parsed = false;
    cold->tag = 0;
}

static void
reset_wide(struct dp_ctx *ctx)
{
    if (ctx->wide == DP_WIDE_TCP_FLAGS) {
        ctx->key[DP_KEY_ARP_LAST] = 0;
    } else {
        memset(&ctx->key[DP_KEY_REG], 0,
               (DP_KEY_WORDS - DP_KEY_REG) * sizeof *ctx->key);
        ctx->key[DP_KEY_ACTSET] = (uint64_t) OFPP_UNSET << 32;
    }
    ctx->wide = 0;
}

void
dp_run_init_key(struct dp_ctx *ctx)
{
    ctx->n_vlans = 0;
    memset(ctx->key, 0, DP_KEY_REG * sizeof *ctx->key);
    if (OVS_UNLIKELY(ctx->wide)) {
        reset_wide(ctx);
    }
    dp_ctx_set_key_in_port(ctx, ctx->in_port);
}

void
dp_run_stamp(struct dp_worker *worker, struct dp_bridge *bridge, unsigned n)
{
    for (unsigned i = worker->n_stamped; i < n; i++) {
        struct dp_ctx *ctx = dp_worker_ctx(worker, i);
        struct dp_cold *cold = dp_worker_cold(worker, i);

        cold->worker = worker;
        cold->bridge = bridge;
        ctx->slots = worker->slots;
        ctx->version = worker->version;
        ctx->conf = &bridge->conf;
        ctx->cold = cold;
    }
    worker->n_stamped = MAX(worker->n_stamped, n);
}

static inline void
run_init(struct dp_ctx *ctx, struct dp_cold *cold, struct dp_packet *packet,
         uint32_t in_port)
{
    cold->bufs[0].packet = packet;
    ctx->packet = packet;
    ctx->data = dp_packet_data(packet);
    ctx->packet_size = dp_packet_size(packet);
    ctx->data_end = ctx->data + ctx->packet_size;
    ctx->hit = DP_HIT(0, DP_FLOW_NONE);
    ctx->in_port = in_port;
    ctx->dirty = 0;
    ctx->l2_5_ofs = ctx->l3_ofs = ctx->l4_ofs = UINT16_MAX;
    ctx->table_id = 0;
    ctx->depth = 0;
    ctx->resubmits = 0;
    dp_run_init_key(ctx);
}

/* A burst on its way. */
struct burst {
    enum dp_drop_reason obstacle;       /* Why its packets do not run. */
    uint32_t flags;             /* special_flags(). */
    uint64_t bytes;
    void *ctxs[NETDEV_MAX_BURST];
};

/* What became of the packets of a burst, to be added up at its end. */
struct burst_sums {
    unsigned forwarded, dropped;
};

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

static void
count_drop(const struct dp_ctx *ctx, const struct dp_flow *flow)
{
    struct dp_drop_cause cause;

    dp_run_drop_reason(ctx, flow, &cause);
    dp_drops_add(&ctx->cold->worker->stats_of_bridge->drops, cause.reason,
                 cause.table_id, cause.cookie, 1);
}

/* Counters.  Successive packets of one flow are counted together. */
struct tally {
    const struct dp_flow *flow; /* Null: none yet. */
    unsigned n;
    uint64_t bytes;
};

static void
count(struct dp_worker *worker, const struct dp_flow *flow, unsigned n,
      uint64_t bytes)
{
    _Atomic uint64_t *matches
        = &worker->stats_of_bridge->matches[flow->table_id];

    atomic_store_explicit(matches, atomic_load_explicit(
                              matches, memory_order_relaxed) + n,
                          memory_order_relaxed);
    if (OVS_LIKELY(flow->counters != DP_COUNTERS_NONE)) {
        dp_cell_add(dp_cell_get(worker->dp->tables, worker->id,
                                flow->counters), n, bytes, worker->now_ms);
    }
}

void
dp_run_count(struct dp_worker *worker, struct dp_ctx *ctx)
{
    const struct dp_flow *flow = ctx->cold->flow;

    if (flow) {
        ctx->cold->flow = NULL;
        count(worker, flow, 1, ctx->packet_size);
        dp_ctx_drop_at(ctx, DP_DROP_ACTION, flow->table_id, flow->cookie);
    }
}

static inline void
tally_add(struct tally *tally, struct dp_worker *worker,
          const struct dp_flow *flow, uint32_t bytes)
{
    if (flow != tally->flow) {
        if (tally->flow) {
            count(worker, tally->flow, tally->n, tally->bytes);
        }
        tally->flow = flow;
        tally->n = 0;
        tally->bytes = 0;
    }
    tally->n++;
    tally->bytes += bytes;
}

/* Brings counters near. */
static void
fetch_cells(struct dp_worker *worker, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct dp_flow *flow = dp_worker_cold(worker, i)->flow;

        if (flow && flow->counters != DP_COUNTERS_NONE) {
            __builtin_prefetch(dp_cell_get(worker->dp->tables, worker->id,
                                           flow->counters), 1);
        }
    }
    worker->far = false;
}

/* Makes 'cold' what the next packet needs. */
static void
renew(struct dp_cold *cold)
{
    cold->odd = 0;
    cold->pending = 0;
    cold->n_bufs = 1;
    cold->bufs[0] = (struct dp_buf) { .packet = NULL };
    cold->buf = 0;
    cold->drop = DP_DROP_ACTION;
    cold->drop_table = 0;
    cold->drop_cookie = 0;
    cold->drop_lookups = 0;
    cold->bucket_cookie = 0;
}

static void
give_up(struct dp_cold *cold)
{
    dp_outputs_cancel(cold);
    dp_upcalls_cancel(cold);
    while (cold->n_saves) {
        /* packet-path exception: see dp_frame_push_clone(). */
        free(cold->saves[--cold->n_saves]->stack);
    }
}

/* The packet has ended: what it outputs is what 'cold' has from here on.
 * Returns the last rule that it met. */
static const struct dp_flow *
settle(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_flow *flow = cold->flow;

    dp_run_count(cold->worker, ctx);
    if (cold->fatal) {
        give_up(cold);
    }
    if (cold->rare) {
        if (OVS_UNLIKELY(cold->blocked)) {
            /* As in OVS, NORMAL and learn() have seen it, and packet-ins are
             * sent. */
            cold->kept_outs = 0;
            dp_outputs_cancel(cold);
            cold->drop_specific = false;
            dp_ctx_drop(ctx, DP_DROP_BLOCKED);
        }
        dp_tap_end(ctx, flow);
        clear_rare(cold);
    }
    return flow;
}

/* What became of the packet. */
static void
run_finish(struct dp_ctx *ctx, struct burst_sums *sums)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_flow *flow = settle(ctx);
    bool output = cold->n_outs > 0;

    if (output) {
        dp_ctx_dress(ctx);
    }
    dp_outputs_send(cold);
    if (dp_upcalls_push(cold, output)) {
        /* Counted where it ends. */
    } else if (output) {
        sums->forwarded++;
    } else {
        sums->dropped++;
        count_drop(ctx, flow);
    }
    renew(cold);
}

/* Where the packets of a burst go that are output once. */
struct way_out {
    struct dp_port *port;
    struct dp_txq *txq;
    bool dress;
};

/* The same for what most packets are: output once, as they came. */
static inline void
run_finish_plain(struct dp_worker *worker, struct dp_ctx *ctx,
                 struct way_out *way)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_port *port = cold->out;

    cold->out = NULL;
    if (OVS_UNLIKELY(port != way->port)) {
        way->port = port;
        way->txq = &port->txqs[worker->id];
        way->dress = !port->ops->tx_bare;
        way->txq->mixed |= !worker->rx_bare;
    }
    if (OVS_UNLIKELY(way->dress)) {
        dress(ctx->packet);
    }
    dp_worker_enqueue(worker, way->txq, ctx->packet);
}

/* The port wants its packets looked at first, or may not forward them.  True
 * if the packet goes on. */
static bool
enter(struct dp_ctx *ctx, uint32_t flags)
{
    if (flags & DP_PORT_INGRESS && dp_ingress(ctx)) {
        return false;
    }
    if (flags & DP_PORT_NO_LEARN) {
        dp_ctx_fatal(ctx, DP_DROP_BLOCKED);
        return false;
    }
    if (flags & DP_PORT_BLOCKED) {
        ctx->cold->rare = ctx->cold->blocked = true;
    }
    return true;
}

/* Flags of the port that has an influence on all it receives. */
static uint32_t
special_flags(const struct dp_bridge *bridge, uint32_t in_port)
{
    const struct dp_port *port = dp_bridge_port(bridge, in_port);

    return port ? dp_port_flags(port) & (DP_PORT_INGRESS | DP_PORT_NO_LEARN
                                         | DP_PORT_BLOCKED) : 0;
}

/* Why packets of this burst do not run, or DP_DROP_NONE. */
static enum dp_drop_reason
obstacle(const struct dp_bridge *bridge, const struct vm_prog *parse)
{
    return (!DP_CONF_GET(bridge->conf.forwarding) ? DP_DROP_NOT_FORWARDING
            : !parse ? DP_DROP_NO_PROGRAM : DP_DROP_NONE);
}

/* Prepares the packets of a burst; those that are to run go to 'ctxs'. */
static unsigned
start_burst(struct dp_worker *worker, struct dp_packet **packets, unsigned n,
            uint32_t in_port, struct burst *burst)
{
    unsigned n_ctxs = 0;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < n; i++) {
        struct dp_ctx *ctx = dp_worker_ctx(worker, i);

        run_init(ctx, dp_worker_cold(worker, i), packets[i], in_port);
        OVS_PREFETCH(ctx->data);
        bytes += ctx->packet_size;
        if (OVS_UNLIKELY(burst->obstacle != DP_DROP_NONE)) {
            dp_ctx_fatal(ctx, burst->obstacle);
        } else if (OVS_UNLIKELY(ctx->packet_size < ETH_HEADER_LEN)) {
            dp_ctx_fatal(ctx, DP_DROP_RUNT);
        } else if (OVS_LIKELY(!burst->flags) || enter(ctx, burst->flags)) {
            burst->ctxs[n_ctxs++] = ctx;
        }
    }
    burst->bytes = bytes;
    return n_ctxs;
}

/* The checked interpreter has stopped the program, or a jump through an empty
 * slot fell through. */
static void
stopped(struct dp_ctx *ctx, const struct vm_prog *parse)
{
    dp_ctx_fatal(ctx, ctx->turn.result == parse->type->abort_ret
                      ? DP_DROP_PROGRAM_ERROR : DP_DROP_NO_PROGRAM);
    ctx->turn.result = 0;
}

static void
finish_burst(struct dp_worker *worker, unsigned n,
             const struct vm_prog *parse)
{
    struct burst_sums sums = { .forwarded = 0 };
    struct way_out way = { .port = NULL };
    struct tally tally = { .flow = NULL };

    if (worker->far) {
        fetch_cells(worker, n);
    }
    for (unsigned i = 0; i < n; i++) {
        struct dp_ctx *ctx = dp_worker_ctx(worker, i);
        struct dp_cold *cold = dp_worker_cold(worker, i);

        if (OVS_LIKELY(cold->out)) {
            tally_add(&tally, worker, cold->flow, ctx->packet_size);
            cold->flow = NULL;
            run_finish_plain(worker, ctx, &way);
            sums.forwarded++;
            continue;
        }
        if (OVS_UNLIKELY(ctx->turn.result)) {
            stopped(ctx, parse);
        }
        run_finish(ctx, &sums);
    }
    if (tally.flow) {
        count(worker, tally.flow, tally.n, tally.bytes);
    }
    DP_WORKER_ADD(worker, forwarded, sums.forwarded);
    DP_WORKER_ADD(worker, dropped, sums.dropped);
}

uint64_t
dp_run_burst(struct dp_worker *worker, struct dp_bridge *bridge,
             struct dp_packet **packets, unsigned n, uint32_t in_port)
{
    const struct vm_prog *parse;
    struct burst burst;
    unsigned n_ctxs;

    if (OVS_UNLIKELY(worker->n_stamped < n)) {
        dp_run_stamp(worker, bridge, n);
    }
    parse = (!worker->slots ? NULL
             : atomic_load_explicit(&worker->slots->prog[DP_SLOT_PARSE],
                                    memory_order_acquire));
    burst.obstacle = obstacle(bridge, parse);
    burst.flags = special_flags(bridge, in_port);
    DP_WORKER_ADD(worker, received, n);
    n_ctxs = start_burst(worker, packets, n, in_port, &burst);
    if (n_ctxs) {
        vm_prog_run_burst(parse, burst.ctxs, n_ctxs);
    }
    finish_burst(worker, n, parse);
    return burst.bytes;
}

void
dp_run_dry(struct dp_worker *worker, struct dp_bridge *bridge,
           struct dp_packet *packet, uint32_t in_port)
{
    struct dp_ctx *ctx = dp_worker_ctx(worker, 0);
    struct dp_cold *cold = dp_worker_cold(worker, 0);
    const struct vm_prog *parse;
    struct burst burst;

    worker->n_stamped = 0;
    dp_run_stamp(worker, bridge, 1);
    parse = atomic_load_explicit(&worker->slots->prog[DP_SLOT_PARSE],
                                 memory_order_acquire);
    burst.obstacle = obstacle(bridge, parse);
    burst.flags = special_flags(bridge, in_port) & ~DP_PORT_INGRESS;
    if (start_burst(worker, &packet, 1, in_port, &burst)) {
        vm_prog_run_burst(parse, burst.ctxs, 1);
    }
    cold->rare = true;          /* dp_tap_end(), however it ended. */
    if (ctx->turn.result) {
        stopped(ctx, parse);
    }
    settle(ctx);
    dp_outputs_cancel(cold);
    dp_upcalls_cancel(cold);
    dp_outputs_send(cold);
    cold->out = NULL;
    renew(cold);
}
