/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/group.h"

#include <stdlib.h>
#include "flow.h"
#include "openvswitch/ofp-actions.h"
#include "ovs-atomic.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/of-private.h"

/* A bucket's compiled actions and its counters; shared by the group and the
 * one that replaces it, if that keeps the bucket. */
struct of_bucket {
    struct ovs_refcount refs;
    uint32_t bucket_id;
    uint32_t counters;
    struct of_bucket_code code;
};

/* Groups that no published version has shown yet: the RCU thread removes
 * those that came to nothing. */
static struct ovs_mutex pending_mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list pending_groups
    OVS_GUARDED_BY(pending_mutex) = OVS_LIST_INITIALIZER(&pending_groups);

/* Buckets. */

static enum ofperr
bucket_create(const struct ofputil_bucket *b, struct of_bucket **bucketp)
{
    struct ofpbuf set = ofpbuf_const_initializer(b->ofpacts, b->ofpacts_len);
    uint64_t stub[1024 / 8];
    struct ofpbuf list = OFPBUF_STUB_INITIALIZER(stub);
    struct of_bucket *bucket = xmalloc(sizeof *bucket);
    enum ofperr error;

    /* Buckets are action sets. */
    ofpacts_execute_action_set(&list, &set);
    error = of_bucket_code_get(list.data, list.size, &bucket->code);
    ofpbuf_uninit(&list);
    if (!error) {
        bucket->counters = dp_counters_alloc(of_dp);
        if (bucket->counters == DP_COUNTERS_NONE) {
            of_bucket_code_put(&bucket->code);
            error = OFPERR_OFPGMFC_OUT_OF_BUCKETS;
        }
    }
    if (error) {
        free(bucket);
        return error;
    }
    ovs_refcount_init(&bucket->refs);
    bucket->bucket_id = b->bucket_id;
    *bucketp = bucket;
    return 0;
}

static void
bucket_unref(struct of_bucket *bucket)
{
    if (ovs_refcount_unref(&bucket->refs) == 1) {
        of_bucket_code_put(&bucket->code);
        dp_counters_unref(of_dp, bucket->counters);
        free(bucket);
    }
}

static struct of_bucket *
bucket_find(const struct of_group *group, uint32_t bucket_id)
{
    for (size_t i = 0; i < group->n_compiled; i++) {
        if (group->compiled[i]->bucket_id == bucket_id) {
            return group->compiled[i];
        }
    }
    return NULL;
}

uint32_t
of_group_bucket_counters(const struct of_group *group, uint32_t bucket_id)
{
    const struct of_bucket *bucket = bucket_find(group, bucket_id);

    return bucket ? bucket->counters : DP_COUNTERS_NONE;
}

/* struct ofproto_class. */

struct ofgroup *
of_group_alloc(void)
{
    struct of_group *group = xzalloc(sizeof *group);

    return &group->up;
}

void
of_group_dealloc(struct ofgroup *group)
{
    free(of_group_cast(group));
}

static void
group_uninit(struct of_group *group)
{
    for (size_t i = 0; i < group->n_compiled; i++) {
        bucket_unref(group->compiled[i]);
    }
    free(group->compiled);
    if (group->counters != DP_COUNTERS_NONE) {
        dp_counters_unref(of_dp, group->counters);
    }
}

/* References to the buckets of the group that this one replaces, should their
 * copies become ours. */
static void
inherit_buckets(struct of_group *group, const struct of_group *old)
{
    for (size_t i = 0; old && i < old->n_compiled; i++) {
        struct of_bucket *bucket = old->compiled[i];

        ovs_refcount_ref(&bucket->refs);
        group->compiled[group->n_compiled++] = bucket;
    }
}

enum ofperr
of_group_construct(struct ofgroup *group_)
{
    struct of_group *group = of_group_cast(group_);
    struct of_bridge *bridge = of_bridge_cast(group_->ofproto);
    const struct of_group *old = of_group_lookup(bridge, group_->group_id,
                                                 OVS_VERSION_MAX);
    const struct ofputil_bucket *bucket;

    group->compiled = xcalloc(ovs_list_size(&group_->buckets)
                              + (old ? old->n_compiled : 0) + 1,
                              sizeof *group->compiled);
    group->counters = dp_counters_alloc(of_dp);
    if (group->counters == DP_COUNTERS_NONE) {
        group_uninit(group);
        return OFPERR_OFPGMFC_OUT_OF_GROUPS;
    }
    LIST_FOR_EACH (bucket, list_node, &group_->buckets) {
        enum ofperr error;

        error = bucket_create(bucket, &group->compiled[group->n_compiled]);
        if (error) {
            group_uninit(group);
            return error;
        }
        group->n_compiled++;
    }
    inherit_buckets(group, old);

    atomic_count_inc(&bridge->n_groups);
    ovs_mutex_lock(&pending_mutex);
    group->pending = true;
    ovs_list_push_back(&pending_groups, &group->pending_node);
    ovs_mutex_unlock(&pending_mutex);
    return 0;
}

void
of_group_destruct(struct ofgroup *group_)
{
    struct of_group *group = of_group_cast(group_);
    struct of_bridge *bridge = of_bridge_cast(group_->ofproto);

    ovs_mutex_lock(&pending_mutex);
    if (group->pending) {
        ovs_list_remove(&group->pending_node);
    }
    ovs_mutex_unlock(&pending_mutex);
    of_picker_destroy(&group->picker);
    free(group->buckets);
    group_uninit(group);
    atomic_count_dec(&bridge->n_groups);
}

enum ofperr
of_group_get_stats(const struct ofgroup *group_,
                   struct ofputil_group_stats *stats)
{
    const struct of_group *group = of_group_cast(group_);
    struct bucket_counter *bucket_stats = stats->bucket_stats;
    const struct ofputil_bucket *bucket;
    struct dp_counts counts;

    dp_counters_read(of_dp, group->counters, &counts);
    stats->packet_count = counts.packets;
    stats->byte_count = counts.bytes;
    LIST_FOR_EACH (bucket, list_node, &group_->buckets) {
        dp_counters_read(of_dp, of_group_bucket_counters(group,
                                                         bucket->bucket_id),
                         &counts);
        bucket_stats->packet_count = counts.packets;
        bucket_stats->byte_count = counts.bytes;
        bucket_stats++;
    }
    return 0;
}

/* Publication. */

/* Keeps the compiled buckets that the group has, in its order. */
static void
arrange(struct of_group *group)
{
    size_t n = ovs_list_size(&group->up.buckets);
    struct of_bucket **compiled = xcalloc(MAX(n, 1), sizeof *compiled);
    const struct ofputil_bucket *b;
    size_t i = 0;

    group->buckets = xcalloc(MAX(n, 1), sizeof *group->buckets);
    LIST_FOR_EACH (b, list_node, &group->up.buckets) {
        /* One that is not of the message is a copy of the old group's. */
        struct of_bucket *bucket = bucket_find(group, b->bucket_id);

        ovs_refcount_ref(&bucket->refs);
        compiled[i] = bucket;
        group->buckets[i].hit = of_bucket_code_hit(&bucket->code);
        group->buckets[i].counters = bucket->counters;
        i++;
    }
    for (size_t j = 0; j < group->n_compiled; j++) {
        bucket_unref(group->compiled[j]);
    }
    free(group->compiled);
    group->compiled = compiled;
    group->n_compiled = n;
    of_picker_init(&group->picker, &group->up);
}

void
of_groups_publish(struct of_bridge *bridge, ovs_version_t version)
{
    struct of_group *group;

    ovs_mutex_lock(&pending_mutex);
    LIST_FOR_EACH_SAFE (group, pending_node, &pending_groups) {
        if (group->up.ofproto == &bridge->dpif.up
            && of_group_lookup(bridge, group->up.group_id,
                               version) == group) {
            arrange(group);
            ovs_list_remove(&group->pending_node);
            group->pending = false;
        }
    }
    ovs_mutex_unlock(&pending_mutex);
}

/* Workers. */

static uint32_t
run_group(struct dp_ctx *ctx, uint32_t group_id, uint32_t rest)
{
    const struct of_bridge *bridge = of_bridge_of_dp(dp_ctx_bridge(ctx));
    const struct of_group *group;
    struct flow flow;
    size_t first, n;

    if (!dp_ctx_may_go_deeper(ctx)) {
        return DP_SLOT_END;
    }
    group = of_group_lookup(bridge, group_id, ctx->version);
    if (!group) {
        /* The list ends here, the pipeline does not. */
        dp_ctx_drop(ctx, DP_DROP_NO_GROUP);
        return DP_SLOT_END;
    }

    if (group->up.type == OFPGT11_SELECT) {
        dp_ctx_flow(ctx, &flow);
    }
    n = of_picker_pick(&group->picker, ctx->version, &flow, &first);
    if (!n && group->up.type != OFPGT11_ALL) {
        dp_ctx_drop(ctx, DP_DROP_NO_BUCKET);
        return rest;
    }
    dp_ctx_count(ctx, group->counters);
    return dp_ctx_run_buckets(ctx, &group->buckets[first], n, rest);
}

void
of_groups_init(void)
{
    dp_set_group(run_group);
}

/* Live ports. */

void
of_live_port_set(struct of_bridge *bridge, ofp_port_t ofp_port, bool live)
{
    uint16_t port = ofp_to_u16(ofp_port);
    uint64_t bit = UINT64_C(1) << port % 64;
    uint64_t old;

    if (live) {
        atomic_or_explicit(&bridge->live_ports[port / 64], bit, &old,
                           memory_order_release);
    } else {
        atomic_and_explicit(&bridge->live_ports[port / 64], ~bit, &old,
                            memory_order_release);
    }
}

bool
of_live_port(const struct of_bridge *bridge_, ofp_port_t ofp_port)
{
    struct of_bridge *bridge = CONST_CAST(struct of_bridge *, bridge_);
    uint16_t port = ofp_to_u16(ofp_port);
    uint64_t bits;

    atomic_read_explicit(&bridge->live_ports[port / 64], &bits,
                         memory_order_acquire);
    return bits >> port % 64 & 1;
}
