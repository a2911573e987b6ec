/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/stats.h"

#include <stdlib.h>
#include "ovs-thread.h"
#include "timeval.h"
#include "util.h"
#include "datapath/dp.h"

struct of_stats {
    struct ovs_refcount refcount;
    struct dp *dp;
    uint32_t counters;          /* DP_COUNTERS_NONE once frozen. */
    struct dp_counts base;      /* Frozen or taken over. */
    struct of_stats *prev;      /* Predecessor that is not frozen yet. */
    bool forward_counts;        /* Whether 'prev' gives more than 'used'. */
};

/* Guards all but 'refcount' of all of them: a predecessor belongs to two
 * rules, and none of this is on a packet's path. */
static struct ovs_mutex stats_mutex = OVS_MUTEX_INITIALIZER;

struct of_stats *
of_stats_create(struct dp *dp, uint32_t counters, long long int used)
{
    struct of_stats *stats = xzalloc(sizeof *stats);

    ovs_refcount_init(&stats->refcount);
    stats->dp = dp;
    stats->counters = counters;
    stats->base.used = used;
    return stats;
}

/* A chain may be as long as a bundle that modifies one rule again and again,
 * so this does not recurse. */
void
of_stats_unref(struct of_stats *stats)
{
    while (stats && ovs_refcount_unref(&stats->refcount) == 1) {
        struct of_stats *prev = stats->prev;

        ovs_assert(stats->counters == DP_COUNTERS_NONE);
        free(stats);
        stats = prev;
    }
}

uint32_t
of_stats_counters(const struct of_stats *stats)
{
    return stats->counters;
}

static void
add_counts(struct dp_counts *sum, const struct dp_counts *counts,
           bool forward_counts)
{
    if (forward_counts) {
        sum->packets += counts->packets;
        sum->bytes += counts->bytes;
    }
    sum->used = MAX(sum->used, counts->used);
}

/* Takes over from a predecessor that is final.  Predecessors freeze in the
 * order in which they were replaced, so one step suffices; 'unrefp' gets what
 * is to be released outside the mutex. */
static void
fold(struct of_stats *stats, struct of_stats **unrefp)
    OVS_REQUIRES(stats_mutex)
{
    struct of_stats *prev = stats->prev;

    *unrefp = NULL;
    if (prev && prev->counters == DP_COUNTERS_NONE && !prev->prev) {
        add_counts(&stats->base, &prev->base, stats->forward_counts);
        stats->prev = NULL;
        *unrefp = prev;
    }
}

void
of_stats_succeed(struct of_stats *stats, struct of_stats *old,
                 bool forward_counts)
{
    ovs_mutex_lock(&stats_mutex);
    ovs_assert(!stats->prev);
    ovs_refcount_ref(&old->refcount);
    stats->prev = old;
    stats->forward_counts = forward_counts;
    stats->base.used = 0;
    ovs_mutex_unlock(&stats_mutex);
}

void
of_stats_freeze(struct of_stats *stats)
{
    struct of_stats *unref;
    struct dp_counts counts;

    ovs_mutex_lock(&stats_mutex);
    fold(stats, &unref);
    if (stats->counters != DP_COUNTERS_NONE) {
        dp_counters_read(stats->dp, stats->counters, &counts);
        add_counts(&stats->base, &counts, true);
        dp_counters_unref(stats->dp, stats->counters);
        stats->counters = DP_COUNTERS_NONE;
    }
    ovs_mutex_unlock(&stats_mutex);
    of_stats_unref(unref);
}

void
of_stats_credit(struct of_stats *stats, uint64_t packets, uint64_t bytes)
{
    struct dp_counts counts = {
        .packets = packets,
        .bytes = bytes,
        .used = time_msec(),
    };

    ovs_mutex_lock(&stats_mutex);
    if (stats->counters != DP_COUNTERS_NONE) {
        dp_counters_add(stats->dp, stats->counters, packets, bytes);
    } else {
        add_counts(&stats->base, &counts, true);
    }
    ovs_mutex_unlock(&stats_mutex);
}

void
of_stats_read(struct of_stats *stats, struct dp_counts *sum)
{
    struct of_stats *unref;
    bool forward_counts = true;

    ovs_mutex_lock(&stats_mutex);
    fold(stats, &unref);
    *sum = (struct dp_counts) { .packets = 0 };
    for (struct of_stats *s = stats; s; s = s->prev) {
        struct dp_counts counts;

        add_counts(sum, &s->base, forward_counts);
        if (s->counters != DP_COUNTERS_NONE) {
            dp_counters_read(s->dp, s->counters, &counts);
            add_counts(sum, &counts, forward_counts);
        }
        forward_counts = forward_counts && s->forward_counts;
    }
    ovs_mutex_unlock(&stats_mutex);
    of_stats_unref(unref);
}
