/* SPDX-License-Identifier: Apache-2.0 */

/* Continuations: what returns, while a tail call does not.
 *
 * An action list that resubmits and goes on afterwards pushes its remainder
 * as a frame; END pops it.  CLONE pushes a frame that also restores context,
 * packet and action set, GROUP one that restores context and packet before
 * each bucket and at the end. */

#include "datapath/run.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/bridge.h"
#include "datapath/ctx.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "util.h"

static struct dp_frame *
push(struct dp_ctx *ctx, uint32_t slot, enum dp_frame_kind kind)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_frame *frame;

    if (cold->fatal) {
        return NULL;
    }
    if (cold->n_frames >= DP_MAX_FRAMES) {
        dp_ctx_fatal(ctx, DP_DROP_FRAMES);
        return NULL;
    }
    frame = &cold->bulk->frames[cold->n_frames++];
    frame->hit = ctx->hit;
    frame->bucket_cookie = cold->bucket_cookie;
    frame->slot = slot & UINT16_MAX;
    frame->number = slot >> 16;
    frame->depth = ctx->depth;
    frame->table_id = ctx->table_id;
    frame->kind = kind;
    return frame;
}

bool
dp_frame_push(struct dp_ctx *ctx, uint32_t slot)
{
    return push(ctx, slot, DP_FRAME_REST) != NULL;
}

/* A save for each frame: no limit of its own. */
static struct dp_save *
save_packet(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_save *save;

    /* packet-path exception: made once, for as many as ever were needed. */
    if (!cold->saves) {
        cold->saves = xcalloc(DP_MAX_FRAMES, sizeof *cold->saves);
    }
    if (!cold->saves[cold->n_saves]) {
        cold->saves[cold->n_saves] = xzalloc(sizeof *save);
    }
    save = cold->saves[cold->n_saves++];

    cold->rare = true;
    save->buf = cold->buf;
    save->ctx = *ctx;
    save->nd_base = cold->nd_base;
    save->base.active = cold->base.active;
    if (cold->base.active) {
        save->base = cold->base;
    }
    save->stack_size = cold->stack.size;
    /* packet-path exception: a copy has its own stack, if there is one. */
    save->stack = (save->stack_size
                   ? xmemdup(cold->stack.data, save->stack_size) : NULL);
    cold->bufs[cold->buf].n_saves++;
    return save;
}

/* The save stays. */
static const struct dp_save *
restore_packet(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_save *save = cold->saves[cold->n_saves - 1];
    uint16_t resubmits = ctx->resubmits;
    struct vm_turn turn = ctx->turn;    /* The engine's, of now. */

    *ctx = save->ctx;
    ctx->turn = turn;
    ctx->resubmits = resubmits;         /* Counted over the whole packet. */
    cold->nd_base = save->nd_base;
    dp_base_clear(&cold->base);
    if (save->base.active) {
        cold->base = save->base;
    }
    ofpbuf_clear(&cold->stack);
    if (save->stack_size) {
        ofpbuf_put(&cold->stack, save->stack, save->stack_size);
    }
    cold->gone = false;
    cold->buf = save->buf;
    return save;
}

static void
pop_save(struct dp_cold *cold)
{
    struct dp_save *save = cold->saves[--cold->n_saves];

    cold->bufs[save->buf].n_saves--;
    /* packet-path exception: see save_packet(). */
    free(save->stack);
}

bool
dp_frame_push_clone(struct dp_ctx *ctx, uint32_t slot)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_save *save;

    /* As OVS does: what is pending, both sides have done. */
    if (dp_commit(ctx)) {
        return false;
    }
    if (!push(ctx, slot, DP_FRAME_CLONE)) {
        return false;
    }
    save = save_packet(ctx);
    dp_aset_copy(&save->aset, &cold->bulk->aset);
    dp_aset_copy(&save->running, &cold->bulk->running);
    dp_aset_clear(&cold->bulk->running);
    return true;
}

/* Buckets. */

void
dp_ctx_count(struct dp_ctx *ctx, uint32_t counters)
{
    struct dp_worker *worker = ctx->cold->worker;

    if (counters != DP_COUNTERS_NONE) {
        dp_cell_add(dp_cell_get(worker->dp->tables, worker->id, counters), 1,
                    ctx->packet_size, worker->now_ms);
    }
}

static uint32_t
enter_bucket(struct dp_ctx *ctx, const struct dp_bucket *bucket,
             uint64_t cookie)
{
    ctx->cold->bucket_cookie = cookie;
    ctx->depth++;
    ctx->hit = bucket->hit;
    dp_ctx_count(ctx, bucket->counters);
    return DP_HIT_SLOT(bucket->hit);
}

/* Whether nothing follows 'rest' that could see what a bucket does. */
static bool
is_last(const struct dp_cold *cold, uint32_t rest)
{
    return (rest == DP_SLOT_END && !cold->n_frames
            && (!cold->rare || (!cold->bulk->aset.present
                                && !cold->bulk->running.walking)));
}

uint32_t
dp_ctx_run_buckets(struct dp_ctx *ctx, const struct dp_bucket *buckets,
                   size_t n, uint32_t rest)
{
    struct dp_cold *cold = ctx->cold;
    uint64_t cookie = dp_ctx_cookie(ctx);
    struct dp_frame *frame;

    if (!n) {
        return rest;
    }
    if (n > 1 || !is_last(cold, rest)) {
        if (cold->base.active && dp_commit(ctx)) {
            return DP_SLOT_END;
        }
        frame = push(ctx, rest, DP_FRAME_BUCKETS);
        if (!frame) {
            return DP_SLOT_END;
        }
        frame->buckets = buckets + 1;
        frame->n_buckets = n - 1;
        save_packet(ctx);
    }
    return enter_bucket(ctx, buckets, cookie);
}

/* END has come to 'frame', which is still on top. */
static uint32_t
next_bucket(struct dp_ctx *ctx, struct dp_frame *frame)
{
    restore_packet(ctx);
    ctx->cold->bucket_cookie = frame->bucket_cookie;
    frame->n_buckets--;
    return enter_bucket(ctx, frame->buckets++, dp_ctx_cookie(ctx));
}

static uint32_t
resume(struct dp_ctx *ctx, const struct dp_frame *frame)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_save *save;

    cold->n_frames--;
    if (frame->kind != DP_FRAME_REST) {
        save = restore_packet(ctx);
        if (frame->kind == DP_FRAME_CLONE) {
            dp_aset_copy(&cold->bulk->aset, &save->aset);
            dp_aset_copy(&cold->bulk->running, &save->running);
        }
        pop_save(cold);
    }
    cold->bucket_cookie = frame->bucket_cookie;
    ctx->hit = frame->hit;
    ctx->table_id = frame->table_id;
    ctx->depth = frame->depth;
    return frame->slot;
}

uint32_t
dp_frames_end(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_aset_entry *entry;
    struct dp_frame *top;

    if (OVS_LIKELY(!cold->n_frames && !cold->rare) || cold->fatal) {
        return 0;
    }

    /* The action set is executed when the action lists are through, and by a
     * clone at its end. */
    top = cold->n_frames ? &cold->bulk->frames[cold->n_frames - 1] : NULL;
    if (!top || top->kind == DP_FRAME_CLONE) {
        bool was_running = cold->bulk->running.walking;

        entry = dp_aset_next(&cold->bulk->aset, &cold->bulk->running);
        if (entry) {
            cold->in_action_set = true;
            ctx->hit = entry->hit;
            ctx->table_id = entry->table_id;
            return DP_HIT_SLOT(entry->hit);
        } else if (was_running) {
            cold->in_action_set = false;
        }
    }
    return (!top ? 0
            : top->kind == DP_FRAME_BUCKETS && top->n_buckets
            ? next_bucket(ctx, top) : resume(ctx, top));
}

void
dp_frames_exit(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;

    /* The context stays as it is: nothing follows that could see it. */
    while (cold->n_saves) {
        pop_save(cold);
    }
    cold->n_frames = 0;
    dp_aset_clear(&cold->bulk->aset);
    dp_aset_clear(&cold->bulk->running);
}

void
dp_frames_end_copy(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;

    while (cold->n_frames
           && cold->bulk->frames[cold->n_frames - 1].kind == DP_FRAME_REST) {
        cold->n_frames--;
    }
    if (!cold->n_frames
        || cold->bulk->frames[cold->n_frames - 1].kind == DP_FRAME_CLONE) {
        dp_aset_clear(&cold->bulk->aset);
        dp_aset_clear(&cold->bulk->running);
    }
}

bool
dp_ctx_may_go_deeper(struct dp_ctx *ctx)
{
    if (ctx->cold->fatal) {
        return false;
    }
    if (ctx->depth >= DP_MAX_DEPTH) {
        dp_ctx_fatal(ctx, DP_DROP_RESUBMIT_DEPTH);
        return false;
    }
    if (ctx->resubmits > DP_MAX_RESUBMITS) {
        dp_ctx_fatal(ctx, DP_DROP_RESUBMITS);
        return false;
    }
    if (ctx->cold->stack.size >= DP_MAX_STACK) {
        dp_ctx_fatal(ctx, DP_DROP_FRAMES);
        return false;
    }
    return true;
}

bool
dp_resubmit(struct dp_ctx *ctx, uint32_t in_port, uint8_t table_id)
{
    struct dp_cold *cold = ctx->cold;

    if (!dp_ctx_may_go_deeper(ctx)) {
        return false;
    }
    if (table_id <= ctx->table_id) {
        ctx->depth++;
    }
    cold->resubmitting = true;
    cold->saved_in_port = dp_ctx_key_in_port(ctx);
    dp_ctx_set_key_in_port(ctx, in_port);
    return true;
}
