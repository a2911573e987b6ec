/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/upcall.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/ctx.h"
#include "datapath/private.h"
#include "datapath/run.h"
#include "datapath/worker.h"
#include "dp-packet.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

static const unsigned shares[DP_N_UPCALLS] = {
#define DP_UPCALL(NAME, SHARE, TEXT) SHARE,
#include "datapath/upcalls.def"
#undef DP_UPCALL
};

/* Rings. */

static uint32_t
ring_count(const struct dp_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_acquire)
           - atomic_load_explicit(&ring->tail, memory_order_acquire);
}

static void
ring_push(struct dp_ring *ring, struct dp_upcall_node *node)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    ring->slots[head & (DP_RING_SIZE - 1)] = node;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

static struct dp_upcall_node *
ring_pop(struct dp_ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    struct dp_upcall_node *node;

    if (tail == atomic_load_explicit(&ring->head, memory_order_acquire)) {
        return NULL;
    }
    node = ring->slots[tail & (DP_RING_SIZE - 1)];
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return node;
}

/* The worker's side. */

struct dp_upcall_node *
dp_upcall_build(struct dp_ctx *ctx, enum dp_upcall_kind kind,
                bool with_packet, const void *data, size_t data_size)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_worker *worker = cold->worker;
    struct dp_ring *ring = &worker->rings[kind];
    struct dp_upcall_node *node;

    /* Only this worker adds to the ring, so room that is there now is still
     * there when the packet has ended; other packets of the burst may have
     * upcalls pending, too. */
    if (ring_count(ring) + worker->upcalls_pending[kind] >= DP_RING_SIZE) {
        DP_WORKER_ADD(ring, lost, 1);
        return NULL;
    }
    if (with_packet && dp_commit(ctx)) {
        return NULL;
    }

    /* packet-path exception: an upcall outlives its packet. */
    node = xzalloc(sizeof *node + data_size);
    node->up.kind = kind;
    node->up.bridge = cold->bridge;
    node->when_us = worker->now_us;
    node->up.flow = &node->flow;
    dp_flow_from_key(&node->flow, ctx->key);
    if (with_packet) {
        dp_ctx_dress(ctx);
        /* packet-path exception: an upcall has its own copy. */
        node->up.packet = dp_packet_clone(ctx->packet);
        DP_WORKER_ADD(worker, bufs_in, 1);
    }
    node->up.flow_id = DP_HIT_FLOW(ctx->hit);
    node->up.cookie = dp_ctx_cookie(ctx);
    node->up.table_id = ctx->table_id;
    if (data_size) {
        memcpy(node->data, data, data_size);
        node->up.data = node->data;
        node->up.data_size = data_size;
    }
    return node;
}

/* 'worker' is whose accounts the packet is written off in. */
static void
node_free(struct dp_worker *worker, struct dp_upcall_node *node,
          bool had_packet)
{
    if (had_packet) {
        DP_WORKER_ADD(worker, bufs_out, 1);
    }
    dp_packet_delete(node->up.packet);
    free(node);
}

bool
dp_upcalls_push(struct dp_cold *cold, bool output)
{
    struct dp_worker *worker = cold->worker;
    bool holds = false;

    for (uint32_t i = 0; i < cold->n_upcalls; i++) {
        struct dp_upcall_node *node = cold->upcalls[i];

        if (!output && !holds && node->up.packet) {
            node->fate = holds = true;
            DP_WORKER_ADD(worker, to_rings, 1);
        }
        worker->upcalls_pending[node->up.kind]--;
        ring_push(&worker->rings[node->up.kind], node);
    }
    cold->n_upcalls = 0;
    return holds;
}

void
dp_upcalls_cancel(struct dp_cold *cold)
{
    struct dp_worker *worker = cold->worker;

    while (cold->n_upcalls > cold->kept_upcalls) {
        struct dp_upcall_node *node = cold->upcalls[--cold->n_upcalls];

        worker->upcalls_pending[node->up.kind]--;
        node_free(worker, node, node->up.packet);
    }
}

static bool
rings_are_empty(const struct dp_worker *worker)
{
    for (int kind = 0; kind < DP_N_UPCALLS; kind++) {
        if (ring_count(&worker->rings[kind])) {
            return false;
        }
    }
    return true;
}

void
dp_upcalls_flush(struct dp_worker *worker)
{
    struct dp *dp = worker->dp;

    /* Pairs with the fence in dp_upcalls_wait(): either the main thread sees
     * the ring's new head there, or it is seen to sleep here. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&dp->main_asleep, memory_order_relaxed)
        && !rings_are_empty(worker)
        && atomic_exchange(&dp->main_asleep, false)) {
        latch_set(&dp->latch);
    }
}

/* The main thread's. */

static void
handle(struct dp *dp, struct dp_upcall_node *node)
{
    struct dp_worker *main = dp->workers[DP_WORKER_MAIN];
    bool had_packet = node->up.packet != NULL;
    enum dp_upcall_kind kind = node->up.kind;
    long long int delay = MAX(time_usec() - node->when_us, 1);

    dp->upcalls[kind].handled++;
    dp->upcalls[kind].delays[MIN(log_2_floor(MIN(delay, INT32_MAX)) + 1,
                                 DP_N_DELAYS - 1)]++;
    dp->upcalls[kind].slowest_us = MAX(dp->upcalls[kind].slowest_us, delay);
    if (node->up.bridge && dp->upcalls[kind].cb) {
        dp->upcalls[kind].cb(&node->up, dp->upcalls[kind].aux);
    }
    if (node->fate) {
        DP_WORKER_ADD(main, from_rings, 1);
    }
    node_free(main, node, had_packet);
}

bool
dp_upcalls_run(struct dp *dp)
{
    bool more = false;

    latch_poll(&dp->latch);
    atomic_store_explicit(&dp->main_asleep, false, memory_order_relaxed);
    for (int kind = 0; kind < DP_N_UPCALLS; kind++) {
        for (unsigned w = 0; w < dp->n_workers; w++) {
            struct dp_ring *ring = &dp->workers[w]->rings[kind];
            struct dp_upcall_node *node;

            for (unsigned i = 0; i < shares[kind]; i++) {
                node = ring_pop(ring);
                if (!node) {
                    break;
                }
                handle(dp, node);
            }
            more |= ring_count(ring) != 0;
        }
    }
    return more;
}

void
dp_upcalls_wait(struct dp *dp)
{
    latch_wait(&dp->latch);
    atomic_store_explicit(&dp->main_asleep, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned w = 0; w < dp->n_workers; w++) {
        if (!rings_are_empty(dp->workers[w])) {
            poll_immediate_wake();
            return;
        }
    }
}

void
dp_upcalls_forget(struct dp *dp, const struct dp_bridge *bridge)
{
    /* The nodes between tail and head are the consumer's: mark them, and
     * handle() passes over them. */
    for (int kind = 0; kind < DP_N_UPCALLS; kind++) {
        for (unsigned w = 0; w < dp->n_workers; w++) {
            struct dp_ring *ring = &dp->workers[w]->rings[kind];
            uint32_t tail = atomic_load_explicit(&ring->tail,
                                                 memory_order_relaxed);

            for (uint32_t n = ring_count(ring); n; n--, tail++) {
                struct dp_upcall_node *node;

                node = ring->slots[tail & (DP_RING_SIZE - 1)];
                if (node->up.bridge == bridge) {
                    node->up.bridge = NULL;
                }
            }
        }
    }
}

/* worker/upcalls. */

/* Microseconds within which 'percent' of the upcalls of 'kind' were handled,
 * rounded up to a power of two. */
static uint64_t
delay_us(const struct dp *dp, int kind, int percent)
{
    uint64_t want = (dp->upcalls[kind].handled * percent + 99) / 100, n = 0;
    int bits = 0;

    while (bits < DP_N_DELAYS - 1
           && (n += dp->upcalls[kind].delays[bits]) < want) {
        bits++;
    }
    return UINT64_C(1) << bits;
}

static void
upcalls_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
            const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    static const char *const texts[] = {
#define DP_UPCALL(NAME, SHARE, TEXT) TEXT,
#include "datapath/upcalls.def"
#undef DP_UPCALL
    };
    struct ds ds = DS_EMPTY_INITIALIZER;
    const struct dp *dp;

    LIST_FOR_EACH (dp, node, &dp_all) {
        for (int kind = 0; kind < DP_N_UPCALLS; kind++) {
            uint64_t lost = 0;

            for (unsigned w = 0; w < dp->n_workers; w++) {
                lost += atomic_load_explicit(
                    &dp->workers[w]->rings[kind].lost, memory_order_relaxed);
            }
            ds_put_format(&ds, "%s: %"PRIu64" handled, %"PRIu64" lost",
                          texts[kind], dp->upcalls[kind].handled, lost);
            if (dp->upcalls[kind].handled) {
                ds_put_format(&ds, ", 50%% within %"PRIu64" us, 99%% within "
                              "%"PRIu64" us, slowest %lld us",
                              delay_us(dp, kind, 50), delay_us(dp, kind, 99),
                              dp->upcalls[kind].slowest_us);
            }
            ds_put_char(&ds, '\n');
        }
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

void
dp_upcalls_commands_init(void)
{
    unixctl_command_register("worker/upcalls", "", 0, 0, upcalls_show, NULL);
}
