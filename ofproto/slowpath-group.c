/* SPDX-License-Identifier: Apache-2.0 */

/* Groups on the slow path. */

#include <config.h>
#include "ofproto/slowpath-private.h"

#include <inttypes.h>
#include "dp-packet.h"
#include "util.h"
#include "ofproto/group.h"
#include "ofproto/of.h"

static void
credit(struct slow_ctx *ctx, uint32_t counters)
{
    if (counters != DP_COUNTERS_NONE) {
        struct of_slow_effect *e = slow_effect_add(ctx->out,
                                                   OF_SLOW_COUNTERS);

        e->counters.counters = counters;
        e->counters.size = ctx->size;
        dp_counters_ref(of_dp, counters);
    }
}

/* The bucket gets the packet as it is, and whatever it does to it is undone;
 * its actions are an action set. */
static void
run_bucket(struct slow_ctx *ctx, const struct of_group *group,
           const struct ofputil_bucket *bucket)
{
    struct ofpbuf set = ofpbuf_const_initializer(bucket->ofpacts,
                                                 bucket->ofpacts_len);
    uint64_t stub[1024 / 8];
    struct ofpbuf list = OFPBUF_STUB_INITIALIZER(stub);
    struct flow old_flow = ctx->flow;
    struct ovs_list *old_trace;

    old_trace = slow_trace_bucket(ctx, bucket->bucket_id);
    credit(ctx, of_group_bucket_counters(group, bucket->bucket_id));
    ofpacts_execute_action_set(&list, &set);
    ctx->depth++;
    slow_actions(ctx, list.data, list.size);
    slow_finish_pause(ctx);
    ctx->depth--;
    ofpbuf_uninit(&list);

    ctx->trace = old_trace;
    ctx->flow = old_flow;
    ctx->exit = false;
}

bool
slow_group(struct slow_ctx *ctx, uint32_t group_id)
{
    const struct ofputil_bucket *bucket;
    const struct of_group *group;
    struct of_picker picker;
    size_t first, n, i = 0;

    if (!slow_may_go_deeper(ctx)) {
        return false;
    }
    group = of_group_lookup(ctx->bridge, group_id, ctx->in->version);
    if (!group) {
        slow_trace_warning(ctx, "output to nonexistent group %"PRIu32,
                           group_id);
        ctx->drop = DP_DROP_NO_GROUP;
        return false;
    }

    /* Of a bundle's group, which is not published yet, too. */
    of_picker_init(&picker, &group->up);
    n = of_picker_pick(&picker, ctx->in->version, &ctx->flow, &first);
    if (!n && group->up.type != OFPGT11_ALL) {
        slow_trace(ctx, "no live bucket");
        ctx->drop = DP_DROP_NO_BUCKET;
    } else {
        credit(ctx, group->counters);
        LIST_FOR_EACH (bucket, list_node, &group->up.buckets) {
            if (i >= first && i < first + n && ctx->error == DP_DROP_NONE) {
                if (group->up.type != OFPGT11_ALL) {
                    slow_trace(ctx, "using bucket %"PRIu32,
                               bucket->bucket_id);
                }
                run_bucket(ctx, group, bucket);
            }
            i++;
        }
    }
    of_picker_destroy(&picker);
    return true;
}
