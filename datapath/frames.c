/* SPDX-License-Identifier: Apache-2.0 */

/* Continuations: what returns, while a tail call does not.
 *
 * An action list that resubmits and goes on afterwards pushes its remainder
 * as a frame; END pops it.  CLONE pushes a frame that also restores context,
 * packet and action set. */

#include "datapath/run.h"

#include <stddef.h>
#include <string.h>
#include "datapath/ctx.h"

bool
dp_frame_push(struct dp_ctx *ctx, uint32_t slot)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_frame *frame;

    if (cold->fatal) {
        return false;
    }
    if (cold->n_frames >= DP_MAX_FRAMES) {
        dp_ctx_fatal(ctx, DP_DROP_FRAMES);
        return false;
    }
    frame = &cold->frames[cold->n_frames++];
    frame->hit = ctx->hit;
    frame->slot = slot;
    frame->depth = ctx->depth;
    frame->table_id = ctx->table_id;
    frame->clone = false;
    return true;
}

bool
dp_frame_push_clone(struct dp_ctx *ctx, uint32_t slot)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_save *save;

    /* A save for each frame: no limit of its own. */
    if (!dp_frame_push(ctx, slot)) {
        return false;
    }
    cold->frames[cold->n_frames - 1].clone = true;

    save = &cold->saves[cold->n_saves++];
    save->buf = cold->buf;
    save->ctx = *ctx;
    save->nd_base = cold->nd_base;
    dp_aset_copy(&save->aset, &cold->aset);
    dp_aset_copy(&save->running, &cold->running);
    dp_aset_clear(&cold->running);
    cold->bufs[cold->buf].n_saves++;
    return true;
}

static void
restore_save(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_save *save = &cold->saves[--cold->n_saves];
    uint16_t resubmits = ctx->resubmits;

    *ctx = save->ctx;
    ctx->resubmits = resubmits;         /* Counted over the whole packet. */
    cold->nd_base = save->nd_base;
    cold->buf = save->buf;
    cold->bufs[cold->buf].n_saves--;
    dp_aset_copy(&cold->aset, &save->aset);
    dp_aset_copy(&cold->running, &save->running);
}

uint32_t
dp_frames_end(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_aset_entry *entry;
    const struct dp_frame *top;

    if (cold->fatal) {
        return 0;
    }

    /* The action set is executed when the action lists are through, and by a
     * clone at its end. */
    top = cold->n_frames ? &cold->frames[cold->n_frames - 1] : NULL;
    if (!top || top->clone) {
        bool was_running = cold->running.walking;

        entry = dp_aset_next(&cold->aset, &cold->running);
        if (entry) {
            cold->in_action_set = true;
            ctx->hit = entry->hit;
            ctx->table_id = entry->table_id;
            return DP_HIT_SLOT(entry->hit);
        } else if (was_running) {
            cold->in_action_set = false;
        }
    }
    if (!top) {
        return 0;
    }

    cold->n_frames--;
    if (top->clone) {
        restore_save(ctx);
    }
    ctx->hit = top->hit;
    ctx->table_id = top->table_id;
    ctx->depth = top->depth;
    return top->slot;
}

void
dp_frames_exit(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;

    /* The context stays as it is: nothing follows that could see it. */
    while (cold->n_saves) {
        cold->bufs[cold->saves[--cold->n_saves].buf].n_saves--;
    }
    cold->n_frames = 0;
    dp_aset_clear(&cold->aset);
    dp_aset_clear(&cold->running);
}

bool
dp_count_lookup(struct dp_ctx *ctx)
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

bool
dp_resubmit(struct dp_ctx *ctx, uint32_t in_port, uint8_t table_id)
{
    struct dp_cold *cold = ctx->cold;

    if (cold->fatal) {
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
    if (table_id <= ctx->table_id) {
        ctx->depth++;
    }
    cold->resubmitting = true;
    cold->saved_in_port = dp_ctx_key_in_port(ctx);
    dp_ctx_set_key_in_port(ctx, in_port);
    return true;
}

void
dp_resubmit_done(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;

    if (cold->resubmitting) {
        cold->resubmitting = false;
        dp_ctx_set_key_in_port(ctx, cold->saved_in_port);
    }
}
