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

    /* Successive matches of one table are counted together. */
    uint8_t table_id;
    unsigned n_matches;
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

/* What of a context is the same for all packets that come from one port, but
 * for their sizes. */
#define FRESH_OFS offsetof(struct dp_ctx, hit)
#define FRESH_SIZE (offsetof(struct dp_ctx, scratch) - FRESH_OFS)

struct fresh {
    uint64_t words[FRESH_SIZE / sizeof(uint64_t)];
};

static struct fresh
make_fresh(uint32_t in_port)
{
    const struct dp_ctx ctx = {
        .hit = DP_HIT(0, DP_FLOW_NONE),
        .in_port = in_port,
        .l2_5_ofs = UINT16_MAX,
        .l3_ofs = UINT16_MAX,
        .l4_ofs = UINT16_MAX,
    };
    struct fresh fresh;

    memcpy(&fresh, (const char *) &ctx + FRESH_OFS, sizeof fresh);
    return fresh;
}

/* True if one of them is too short for an Ethernet header. */
static bool
init_packets(struct burst *burst, struct dp_packet **packets,
             uint32_t in_port)
{
    const struct fresh fresh = make_fresh(in_port);
    struct dp_ctx *ctx = dp_worker_ctx(burst->worker, 0);
    struct dp_cold *cold = dp_worker_cold(burst->worker, 0);
    uint32_t below = 0;         /* Its highest bit, if one was below. */
    uint64_t bytes = 0;

    for (struct dp_packet *const *p = packets; p < packets + burst->n; p++) {
        struct dp_packet *packet = *p;
        uint8_t *data = dp_packet_data(packet);
        uint32_t size = dp_packet_size(packet);

        OVS_PREFETCH(data);
        init_key(ctx, in_port);
        ctx->packet = packet;
        ctx->data = data;
        ctx->data_end = data + size;
        memcpy((char *) ctx + FRESH_OFS, &fresh, sizeof fresh);
        ctx->packet_size = size;
        cold->bufs[0].packet = packet;
        bytes += size;
        below |= size - ETH_HEADER_LEN;
        ctx = dp_ctx_next(ctx);
        cold = dp_cold_next(cold);
    }
    burst->bytes = bytes;
    return below >> 31;
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

static void
count_matches(struct burst *burst)
{
    dp_worker_matched(burst->worker, burst->table_id, burst->n_matches);
    burst->n_matches = 0;
}

static inline void
count_flow(struct burst *burst, const struct dp_flow *flow, uint32_t bytes)
{
    if (OVS_UNLIKELY(flow->table_id != burst->table_id)) {
        count_matches(burst);
        burst->table_id = flow->table_id;
    }
    burst->n_matches++;
    dp_worker_met(burst->worker, flow, 1, bytes);
}

/* The queue for packets that are output to 'port'. */
static struct dp_txq *
queue_of(const struct burst *burst, struct dp_port *port)
{
    struct dp_txq *txq = &port->txqs[burst->worker->id];

    dp_worker_list_txq(burst->worker, txq);
    return txq;
}

/* Packets from 'i' on that are output once, to the same port.  Returns the
 * number of the next one. */
static unsigned
finish_alike(struct burst *burst, unsigned i)
{
    struct dp_worker *worker = burst->worker;
    struct dp_cold *cold = dp_worker_cold(worker, i);
    struct dp_ctx *ctx = dp_worker_ctx(worker, i);
    struct dp_port *port = cold->out;
    struct dp_txq *txq = queue_of(burst, port);
    bool dress = !port->ops->tx_bare;
    unsigned from = i;

    do {
        if (OVS_UNLIKELY(dress) && !cold->dressed) {
            dp_dress(ctx->packet);
        }
        /* Null: its rules are counted, because there were several. */
        if (OVS_LIKELY(cold->flow)) {
            count_flow(burst, cold->flow, ctx->packet_size);
        }
        dp_worker_enqueue(worker, txq, ctx->packet, !worker->rx_bare);
        cold->flow = NULL;
        cold->out = NULL;
        cold->dressed = false;
        ctx = dp_ctx_next(ctx);
        cold = dp_cold_next(cold);
        i++;
    } while (i < burst->n && cold->out == port);
    burst->forwarded += i - from;
    return i;
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

    if (OVS_UNLIKELY(worker->far)) {
        fetch_cells(burst);
    }
    for (unsigned i = 0; i < burst->n;) {
        if (OVS_LIKELY(dp_worker_cold(worker, i)->out)) {
            i = finish_alike(burst, i);
        } else {
            struct dp_ctx *ctx = dp_worker_ctx(worker, i++);

            look_at_result(ctx, burst->parse);
            run_finish(ctx, burst);
        }
    }
    count_matches(burst);
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
    struct dp_txq *txq;
    struct dp_port *port;

    vm_prog_run_burst(burst->parse, worker->all, 1);
    if (!cold->out || !cold->flow || ctx->resubmits != 1 || cold->dressed) {
        return false;
    }
    port = cold->out;
    txq = queue_of(burst, port);
    for (unsigned i = 0; i < burst->n; i++) {
        if (OVS_UNLIKELY(!port->ops->tx_bare)) {
            dp_dress(ctx->packet);
        }
        dp_worker_enqueue(worker, txq, ctx->packet, !worker->rx_bare);
        ctx = dp_ctx_next(ctx);
    }
    dp_worker_matched(worker, cold->flow->table_id, burst->n);
    dp_worker_met(worker, cold->flow, burst->n, burst->bytes);
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
run_packets(struct burst *burst, bool runts)
{
    void *some[NETDEV_MAX_BURST], **ctxs = burst->worker->all;
    enum dp_drop_reason reason = obstacle(burst);
    unsigned n = burst->n, from = 0;

    if (OVS_UNLIKELY(reason != DP_DROP_NONE || burst->flags || runts)) {
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
    bool runts;

    if (OVS_UNLIKELY(worker->n_stamped < n)) {
        dp_run_stamp(worker, bridge, n);
    }
    burst.parse = parse_of(worker);
    burst.flags = special_flags(bridge, in_port);
    runts = init_packets(&burst, packets, in_port);
    run_packets(&burst, runts);
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
