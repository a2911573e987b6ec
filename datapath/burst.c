/* SPDX-License-Identifier: Apache-2.0 */

/* Bursts: packets become contexts, run, and are sent or counted as dropped.
 *
 * Most packets meet a rule, are output once, and that is all that is to be
 * known of them: what this costs each of them is what a switch costs.  So
 * contexts are left as the next packet needs them, and what is the same for
 * all packets of a burst, or for all that are sent to one port or belong to
 * one flow, is done once. */

#include "datapath/run.h"

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

/* A burst on its way. */
struct burst {
    struct dp_worker *worker;
    struct dp_bridge *bridge;
    const struct vm_prog *parse;
    unsigned n;
    uint32_t flags;             /* Of the port: what has an influence on all
                                 * that it receives. */
    uint64_t bytes;
    unsigned forwarded, dropped;
};

/* Before. */

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

static inline void
init_key(struct dp_ctx *ctx, uint32_t in_port)
{
    memset(ctx->key, 0, DP_KEY_REG * sizeof *ctx->key);
    dp_ctx_set_key_in_port(ctx, in_port);
    if (OVS_UNLIKELY(ctx->wide)) {
        reset_wide(ctx);
    }
}

void
dp_run_init_key(struct dp_ctx *ctx)
{
    ctx->n_vlans = 0;
    init_key(ctx, ctx->in_port);
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
init_packet(struct dp_ctx *ctx, struct dp_packet *packet, uint32_t in_port)
{
    uint8_t *data = dp_packet_data(packet);
    uint32_t size = dp_packet_size(packet);

    OVS_PREFETCH(data);
    init_key(ctx, in_port);
    ctx->packet = packet;
    ctx->data = data;
    ctx->data_end = data + size;
    ctx->hit = DP_HIT(0, DP_FLOW_NONE);
    ctx->in_port = in_port;
    ctx->dirty = 0;
    ctx->packet_size = size;
    ctx->resubmits = 0;
    ctx->depth = 0;
    ctx->table_id = 0;
    ctx->l2_5_ofs = UINT16_MAX;
    ctx->l3_ofs = UINT16_MAX;
    ctx->l4_ofs = UINT16_MAX;
    ctx->n_vlans = 0;
    ctx->wide = 0;
}

/* Returns the size of the shortest one. */
static uint32_t
init_packets(struct burst *burst, struct dp_packet **packets,
             uint32_t in_port)
{
    struct dp_ctx *ctx = dp_worker_ctx(burst->worker, 0);
    struct dp_cold *cold = dp_worker_cold(burst->worker, 0);
    uint32_t shortest = UINT32_MAX;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < burst->n; i++) {
        init_packet(ctx, packets[i], in_port);
        cold->bufs[0].packet = packets[i];
        bytes += ctx->packet_size;
        shortest = MIN(shortest, ctx->packet_size);
        ctx = dp_ctx_next(ctx);
        cold = dp_cold_next(cold);
    }
    burst->bytes = bytes;
    return shortest;
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

static uint32_t
special_flags(const struct dp_bridge *bridge, uint32_t in_port)
{
    const struct dp_port *port = dp_bridge_port(bridge, in_port);

    return port ? dp_port_flags(port) & (DP_PORT_INGRESS | DP_PORT_NO_LEARN
                                         | DP_PORT_BLOCKED) : 0;
}

/* For bursts that are not all to run: what does is put into 'ctxs'. */
static unsigned
sift(const struct burst *burst, enum dp_drop_reason reason, void **ctxs)
{
    unsigned n = 0;

    for (unsigned i = 0; i < burst->n; i++) {
        struct dp_ctx *ctx = dp_worker_ctx(burst->worker, i);

        if (reason != DP_DROP_NONE) {
            dp_ctx_fatal(ctx, reason);
        } else if (ctx->packet_size < ETH_HEADER_LEN) {
            dp_ctx_fatal(ctx, DP_DROP_RUNT);
        } else if (!burst->flags || enter(ctx, burst->flags)) {
            ctxs[n++] = ctx;
        }
    }
    return n;
}

/* After. */

static void
count_drop(const struct dp_ctx *ctx, const struct dp_flow *flow,
           const struct dp_drop_head *head)
{
    struct dp_drop_cause cause;

    dp_run_drop_reason(ctx, flow, &cause);
    dp_drops_add(&ctx->cold->worker->stats_of_bridge->drops, &cause, 1, head);
}

/* Makes 'cold' what the next packet needs. */
static void
renew(struct dp_cold *cold)
{
    cold->odd = 0;
    cold->pending = 0;
    cold->dressed = false;
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
run_finish(struct dp_ctx *ctx, struct burst *burst)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_flow *flow = settle(ctx);
    bool output = cold->n_outs > 0;
    struct dp_drop_head head;

    if (output) {
        dp_ctx_dress(ctx);
    } else {
        dp_drop_take(&head, ctx->packet, ctx->in_port,
                     cold->worker->now_ms);
    }
    dp_outputs_send(cold);
    if (dp_upcalls_push(cold, output)) {
        /* Counted where it ends. */
    } else if (output) {
        burst->forwarded++;
    } else {
        burst->dropped++;
        count_drop(ctx, flow, &head);
    }
    renew(cold);
}

/* Successive packets of one flow are counted together, and those to one port
 * queued. */
struct run {
    const struct dp_flow *flow; /* Null: none yet. */
    unsigned n;
    uint64_t bytes;

    struct dp_port *port;       /* Null: none yet. */
    struct dp_txq *txq;
    bool dress;
};

static void
count_run(struct dp_worker *worker, const struct run *run)
{
    if (run->flow) {
        dp_flow_count(worker, run->flow, run->n, run->bytes);
    }
}

static inline void
add_count(struct dp_worker *worker, struct run *run,
          const struct dp_flow *flow, uint32_t bytes)
{
    if (flow != run->flow) {
        count_run(worker, run);
        run->flow = flow;
        run->n = 0;
        run->bytes = 0;
    }
    run->n++;
    run->bytes += bytes;
}

static inline void
add_output(struct dp_worker *worker, struct run *run, struct dp_port *port,
           struct dp_packet *packet, bool dressed)
{
    if (port != run->port) {
        run->port = port;
        run->txq = &port->txqs[worker->id];
        run->txq->mixed |= !worker->rx_bare;
        run->dress = !port->ops->tx_bare;
    }
    if (OVS_UNLIKELY(run->dress) && !dressed) {
        dp_dress(packet);
    }
    dp_worker_enqueue(worker, run->txq, packet);
}

/* Brings counters near. */
static void
fetch_cells(const struct burst *burst)
{
    struct dp_worker *worker = burst->worker;

    for (unsigned i = 0; i < burst->n; i++) {
        const struct dp_flow *flow = dp_worker_cold(worker, i)->flow;

        if (flow && flow->counters != DP_COUNTERS_NONE) {
            __builtin_prefetch(dp_cell_get(worker->tables, worker->id,
                                           flow->counters), 1);
        }
    }
    worker->far = false;
}

/* Notes it if the checked interpreter has stopped the program, or a jump
 * through an empty slot fell through. */
static void
look_at_result(struct dp_ctx *ctx, const struct vm_prog *parse)
{
    if (OVS_UNLIKELY(ctx->turn.result)) {
        dp_ctx_fatal(ctx, ctx->turn.result == parse->type->abort_ret
                          ? DP_DROP_PROGRAM_ERROR : DP_DROP_NO_PROGRAM);
        ctx->turn.result = 0;
    }
}

static void
finish_packets(struct burst *burst)
{
    struct dp_worker *worker = burst->worker;
    struct dp_ctx *ctx = dp_worker_ctx(worker, 0);
    struct dp_cold *cold = dp_worker_cold(worker, 0);
    struct run run = { .flow = NULL };

    if (OVS_UNLIKELY(worker->far)) {
        fetch_cells(burst);
    }
    for (unsigned i = 0; i < burst->n; i++) {
        struct dp_port *port = cold->out;

        if (OVS_LIKELY(port)) {
            add_count(worker, &run, cold->flow, ctx->packet_size);
            add_output(worker, &run, port, ctx->packet, cold->dressed);
            cold->dressed = false;
            cold->flow = NULL;
            cold->out = NULL;
            burst->forwarded++;
        } else {
            look_at_result(ctx, burst->parse);
            run_finish(ctx, burst);
        }
        ctx = dp_ctx_next(ctx);
        cold = dp_cold_next(cold);
    }
    count_run(worker, &run);
}

/* Whether no program looks at anything of a packet but where it comes from. */
static bool
is_blind(const struct burst *burst)
{
    const struct dp_bridge *bridge = burst->bridge;

    return (burst->parse == atomic_load_explicit(&bridge->blind,
                                                 memory_order_relaxed)
            && !atomic_load_explicit(&bridge->tapped, memory_order_relaxed));
}

/* Runs a burst whose packets are alike, because nobody looks at them.  What
 * of the first packet becomes of all, if it is output after one lookup.
 * False: it is not. */
static bool
run_alike(struct burst *burst)
{
    struct dp_worker *worker = burst->worker;
    struct dp_cold *cold = dp_worker_cold(worker, 0);
    struct dp_ctx *ctx = dp_worker_ctx(worker, 0);
    struct run run = { .flow = NULL };

    vm_prog_run_burst(burst->parse, worker->all, 1);
    if (!cold->out || ctx->resubmits != 1 || cold->dressed) {
        return false;
    }
    for (unsigned i = 0; i < burst->n; i++) {
        add_output(worker, &run, cold->out, ctx->packet, false);
        ctx = dp_ctx_next(ctx);
    }
    dp_flow_count(worker, cold->flow, burst->n, burst->bytes);
    cold->flow = NULL;
    cold->out = NULL;
    burst->forwarded = burst->n;
    return true;
}

/* Why packets of this burst do not run, or DP_DROP_NONE. */
static enum dp_drop_reason
obstacle(const struct burst *burst)
{
    return (!DP_CONF_GET(burst->bridge->conf.forwarding)
            ? DP_DROP_NOT_FORWARDING
            : !burst->parse ? DP_DROP_NO_PROGRAM : DP_DROP_NONE);
}

static void
run_packets(struct burst *burst, uint32_t shortest)
{
    void *some[NETDEV_MAX_BURST], **ctxs = burst->worker->all;
    enum dp_drop_reason reason = obstacle(burst);
    unsigned n = burst->n, from = 0;

    if (OVS_UNLIKELY(reason != DP_DROP_NONE || burst->flags
                     || shortest < ETH_HEADER_LEN)) {
        ctxs = some;
        n = sift(burst, reason, some);
    } else if (is_blind(burst)) {
        if (run_alike(burst)) {
            return;
        }
        from = 1;
    }
    if (n > from) {
        vm_prog_run_burst(burst->parse, ctxs + from, n - from);
    }
    finish_packets(burst);
}

static const struct vm_prog *
parse_of(const struct dp_worker *worker)
{
    return (OVS_UNLIKELY(!worker->slots) ? NULL
            : atomic_load_explicit(&worker->slots->prog[DP_SLOT_PARSE],
                                   memory_order_acquire));
}

uint64_t
dp_run_burst(struct dp_worker *worker, struct dp_bridge *bridge,
             struct dp_packet **packets, unsigned n, uint32_t in_port)
{
    struct burst burst = { .worker = worker, .bridge = bridge, .n = n };
    uint32_t shortest;

    if (OVS_UNLIKELY(worker->n_stamped < n)) {
        dp_run_stamp(worker, bridge, n);
    }
    burst.parse = parse_of(worker);
    burst.flags = special_flags(bridge, in_port);
    shortest = init_packets(&burst, packets, in_port);
    run_packets(&burst, shortest);
    DP_WORKER_ADD(worker, received, n);
    DP_WORKER_ADD(worker, forwarded, burst.forwarded);
    DP_WORKER_ADD(worker, dropped, burst.dropped);
    return burst.bytes;
}

void
dp_run_dry(struct dp_worker *worker, struct dp_bridge *bridge,
           struct dp_packet *packet, uint32_t in_port)
{
    struct burst burst = { .worker = worker, .bridge = bridge, .n = 1 };
    struct dp_ctx *ctx = dp_worker_ctx(worker, 0);
    struct dp_cold *cold = dp_worker_cold(worker, 0);
    void *ctxs[1];

    worker->n_stamped = 0;
    dp_run_stamp(worker, bridge, 1);
    burst.parse = parse_of(worker);
    burst.flags = special_flags(bridge, in_port) & ~DP_PORT_INGRESS;
    init_packets(&burst, &packet, in_port);
    if (sift(&burst, obstacle(&burst), ctxs)) {
        vm_prog_run_burst(burst.parse, ctxs, 1);
    }
    cold->rare = true;          /* dp_tap_end(), however it ended. */
    look_at_result(ctx, burst.parse);
    settle(ctx);
    dp_outputs_cancel(cold);
    dp_upcalls_cancel(cold);
    dp_outputs_send(cold);
    cold->out = NULL;
    renew(cold);
}
