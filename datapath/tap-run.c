/* SPDX-License-Identifier: Apache-2.0 */

/* Taps, on workers. */

#include "datapath/tap-private.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/bridge.h"
#include "datapath/counters.h"
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/run.h"
#include "datapath/worker.h"
#include "dp-packet.h"
#include "util.h"

static struct dp_tap_run *
find_run(const struct dp_ctx *ctx)
{
    struct dp_worker *worker = ctx->cold->worker;
    size_t i = ((const uint8_t *) ctx - worker->ctxs) / DP_CTX_STRIDE;

    return worker->tap_runs ? &worker->tap_runs[i] : NULL;
}

/* Starts the record of 'ctx', whose key is as PARSE left it. */
static void
start(struct dp_tap_run *run, const struct dp_ctx *ctx)
{
    struct dp_tap_record *r = &run->record;
    size_t size = ctx->packet_size;

    if (size > run->allocated) {
        run->allocated = MAX(size, 2048);
        run->data = xrealloc(run->data, run->allocated);
    }
    memcpy(run->data, ctx->data, size);
    r->bridge = ctx->cold->bridge;
    r->worker = ctx->cold->worker->id;
    r->in_port = ctx->in_port;
    r->version = ctx->version;
    memcpy(r->key, ctx->key, sizeof r->key);
    r->data = run->data;
    r->size = size;
    r->n_steps = 0;
}

uint32_t
dp_tap_enter(struct dp_ctx *ctx, uint32_t candidates)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_worker *worker = cold->worker;
    struct dp_taps *taps = atomic_load_explicit(&cold->bridge->taps,
                                                memory_order_acquire);
    struct dp_tap_run *run;

    if (!taps) {
        return DP_SLOT_PLAIN;
    }
    if (!worker->tap_runs) {
        /* packet-path exception: once, when there is a tap. */
        worker->tap_runs = xcalloc(NETDEV_MAX_BURST, sizeof *run);
    }
    run = find_run(ctx);
    run->n_taps = 0;
    for (unsigned i = 0; i < DP_MAX_TAPS; i++) {
        struct dp_tap *tap = atomic_load_explicit(&taps->taps[i],
                                                  memory_order_acquire);

        if (candidates & 1u << i && tap
            && (!tap->attr.want || tap->attr.want(ctx->data, ctx->packet_size,
                                                  tap->attr.aux))) {
            run->taps[run->n_taps++] = tap;
        }
    }
    if (!run->n_taps) {
        return DP_SLOT_PLAIN;
    }
    start(run, ctx);
    ctx->slots = taps->page;
    cold->rare = true;          /* Ends by dp_tap_end(). */
    return DP_SLOT_PARSE;
}

uint32_t
dp_tap_step(struct dp_ctx *ctx, uint32_t slot)
{
    struct dp_tap_run *run = find_run(ctx);
    struct dp_tap_record *r = &run->record;

    if (OVS_UNLIKELY(ctx->cold->worker->dry) && !r->n_steps) {
        ctx->cold->rare = true;
        start(run, ctx);
    }
    if (r->n_steps < DP_TAP_MAX_STEPS) {
        const struct dp_flow *flow = dp_flow_get(
            ctx->cold->worker->dp->tables, DP_HIT_FLOW(ctx->hit));

        r->steps[r->n_steps] = (struct dp_tap_step) {
            .slot = slot,
            .hit = ctx->hit,
            .cookie = flow ? flow->cookie : 0,
            .table_id = flow ? flow->table_id : ctx->table_id,
            .is_bucket = flow && flow->is_bucket,
            .tsc = rte_rdtsc(),
        };
    }
    r->n_steps++;
    return DP_N_SLOTS + slot;
}

/* END comes last, unless an error stopped the packet. */
static uint64_t
end_tsc(const struct dp_tap_record *r)
{
    const struct dp_tap_step *last = &r->steps[r->n_steps - 1];

    return (r->n_steps && r->n_steps <= DP_TAP_MAX_STEPS
            && last->slot == DP_SLOT_END ? last->tsc : rte_rdtsc());
}

void
dp_tap_end(struct dp_ctx *ctx, const struct dp_flow *flow)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_tap_run *run = find_run(ctx);
    struct dp_drop_cause cause;
    struct dp_tap_record *r;

    if (!run || !run->n_taps) {
        return;
    }
    r = &run->record;
    r->end_tsc = end_tsc(r);
    r->ctx = ctx;
    r->n_outs = cold->n_outs;
    r->n_upcalls = cold->n_upcalls;
    r->fate = (r->n_outs ? DP_TAP_OUTPUT
               : r->n_upcalls ? DP_TAP_TO_MAIN : DP_TAP_DROPPED);
    dp_run_drop_reason(ctx, flow, &cause);
    r->drop = cause.reason;
    r->drop_table = cause.table_id;
    r->drop_cookie = cause.cookie;
    for (unsigned i = 0; i < run->n_taps; i++) {
        run->taps[i]->attr.done(r, run->taps[i]->attr.aux);
    }
    run->n_taps = 0;
    ctx->slots = cold->worker->slots;
}

const struct dp_packet *
dp_tap_out(const struct dp_tap_record *r, unsigned i, uint32_t *ofp_port,
           uint32_t *len)
{
    const struct dp_cold *cold = r->ctx->cold;
    const struct dp_out *out = &cold->outs[i];
    const struct dp_packet *packet = cold->bufs[out->buf].packet;

    *ofp_port = out->port->ofp_port;
    *len = dp_packet_size(packet) - out->cut;
    return packet;
}

void
dp_tap_free_runs(struct dp_worker *worker)
{
    for (int i = 0; worker->tap_runs && i < NETDEV_MAX_BURST; i++) {
        free(worker->tap_runs[i].data);
    }
    free(worker->tap_runs);
}
