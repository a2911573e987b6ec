/* SPDX-License-Identifier: Apache-2.0 */

/* The life of a rule, its counts and its timeouts.
 *
 * A rule's base state is freed by libofproto in the RCU thread.  What it
 * holds of the compiler and the datapath is freed by the main thread: the
 * memory of a rule goes to a list (of_rule_dealloc()) that of_rule_reap()
 * empties. */

#include <stdlib.h>
#include "guarded-list.h"
#include "ofproto/hooks.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "ofproto/stats.h"
#include "ovs-thread.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"

enum {
    /* A look for expired rules visits all that can expire, so there is a
     * least time between two, and a share of the main thread's time. */
    MIN_EXPIRE_MS = 100,
    EXPIRE_SHARE = 10
};

static struct guarded_list *
graves(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;
    static struct guarded_list list;

    if (ovsthread_once_start(&once)) {
        guarded_list_init(&list);
        ovsthread_once_done(&once);
    }
    return &list;
}

struct rule *
of_rule_alloc(void)
{
    struct of_rule *rule = xzalloc(sizeof *rule);

    return &rule->up;
}

/* What one packet does may decide about the next. */
static bool
learns(const struct rule_actions *actions)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH_FLATTENED (a, actions->ofpacts, actions->ofpacts_len) {
        if (a->type == OFPACT_LEARN) {
            return true;
        }
    }
    return false;
}

/* May be called with and without ofproto_mutex.  A rule is allowed to count
 * from here on, but nothing of it is visible. */
enum ofperr
of_rule_construct(struct rule *rule_)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    struct of_rule *rule = of_rule_cast(rule_);
    struct of_bridge *bridge = of_rule_bridge(rule);
    enum ofperr error;

    rule->entry.counters = dp_counters_alloc(of_dp);
    if (rule->entry.counters == DP_COUNTERS_NONE) {
        return OFPERR_OFPFMFC_TABLE_FULL;
    }

    error = of_entry_construct(&rule->entry, bridge->pipeline, rule_);
    if (error) {
        dp_counters_unref(of_dp, rule->entry.counters);
        rule->entry.pipeline = NULL;
        return error;
    }

    atomic_count_inc(&bridge->n_rules);
    if (learns(rule_get_actions(rule_))) {
        dp_bridge_set_in_turn(bridge->dpb);
    }
    return 0;
}

/* Most rules never have predecessors nor successors, and save the memory. */
static struct of_stats *
stats_of(struct of_rule *rule)
{
    return atomic_load_explicit(&rule->stats, memory_order_acquire);
}

static struct of_stats *
make_stats(struct of_rule *rule)
    OVS_REQUIRES(ofproto_mutex)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    struct of_stats *stats = stats_of(rule);

    if (!stats) {
        stats = of_stats_create(of_dp, rule->entry.counters,
                                rule->up.created);
        atomic_store_explicit(&rule->stats, stats, memory_order_release);
    }
    return stats;
}

/* 'used' is never 0. */
static void
read_counts(struct of_rule *rule, struct dp_counts *counts)
    OVS_NO_THREAD_SAFETY_ANALYSIS
{
    struct of_stats *stats = stats_of(rule);

    if (stats) {
        of_stats_read(stats, counts);
    } else {
        dp_counters_read(of_dp, rule->entry.counters, counts);
        counts->used = MAX(counts->used, rule->up.created);
    }
}

/* The version in which 'rule_' is visible has been published. */
enum ofperr
of_rule_insert(struct rule *rule_, struct rule *old_, bool forward_counts)
    OVS_REQUIRES(ofproto_mutex)
{
    struct of_rule *rule = of_rule_cast(rule_);
    struct of_bridge *bridge = of_rule_bridge(rule);

    if (old_) {
        of_stats_succeed(make_stats(rule), make_stats(of_rule_cast(old_)),
                         forward_counts);
    }

    if (rule_->idle_timeout || rule_->hard_timeout) {
        unsigned int timeout = (!rule_->idle_timeout ? rule_->hard_timeout
                                : !rule_->hard_timeout ? rule_->idle_timeout
                                : MIN(rule_->idle_timeout,
                                      rule_->hard_timeout));

        of_expire_soon(bridge, time_msec() + timeout * 1000LL);
    }
    return 0;
}

void
of_rule_destruct(struct rule *rule OVS_UNUSED)
{
}

void
of_rule_dealloc(struct rule *rule_)
{
    struct of_rule *rule = of_rule_cast(rule_);

    if (!rule->entry.pipeline) {     /* Not constructed. */
        free(rule);
        return;
    }
    guarded_list_push_back(graves(), &rule->reap_node, SIZE_MAX);
    seq_change(of_changes_seq());
}

void
of_rule_reap(void)
{
    struct of_rule *rule;
    struct ovs_list list;

    if (guarded_list_is_empty(graves())) {
        return;
    }
    guarded_list_pop_all(graves(), &list);
    LIST_FOR_EACH_POP (rule, reap_node, &list) {
        /* The ofproto is freed only after its last rule was reaped. */
        struct of_bridge *bridge = of_rule_bridge(rule);

        of_entry_destruct(&rule->entry);
        of_rule_freeze(rule);
        if (stats_of(rule)) {
            of_stats_unref(stats_of(rule));
        } else {
            dp_counters_unref(of_dp, rule->entry.counters);
        }
        atomic_count_dec(&bridge->n_rules);
        free(rule);
    }
}

void
of_rule_get_stats(struct rule *rule_, struct pkt_stats *stats,
                  long long int *used)
{
    struct dp_counts counts;

    read_counts(of_rule_cast(rule_), &counts);
    stats->n_packets = counts.packets;
    stats->n_bytes = counts.bytes;
    stats->n_offload_packets = 0;
    stats->n_offload_bytes = 0;
    *used = counts.used;
}

void
of_rule_credit(struct of_rule *rule, uint64_t packets, uint64_t bytes)
{
    if (stats_of(rule)) {
        of_stats_credit(stats_of(rule), packets, bytes);
    } else {
        dp_counters_add(of_dp, rule->entry.counters, packets, bytes);
    }
}

void
of_rule_freeze(struct of_rule *rule)
{
    if (stats_of(rule)) {
        of_stats_freeze(stats_of(rule));
    }
}

/* Expiry. */

void
of_expire_soon(struct of_bridge *bridge, long long int when)
{
    long long int old;

    atomic_read_relaxed(&bridge->expire_soon, &old);
    while (when < old) {
        if (atomic_compare_exchange_weak(&bridge->expire_soon, &old, when)) {
            /* Wakes the main thread up. */
            seq_change(of_changes_seq());
            break;
        }
    }
}

/* Returns when 'rule' will expire if it is not used any more; in '*reasonp'
 * why. */
static long long int
rule_deadline(struct rule *rule, uint8_t *reasonp)
    OVS_REQUIRES(ofproto_mutex)
{
    long long int deadline = LLONG_MAX;

    if (rule->hard_timeout) {
        ovs_mutex_lock(&rule->mutex);
        deadline = rule->modified + rule->hard_timeout * 1000LL;
        ovs_mutex_unlock(&rule->mutex);
        *reasonp = OFPRR_HARD_TIMEOUT;
    }
    if (rule->idle_timeout) {
        struct dp_counts counts;
        long long int idle;

        read_counts(of_rule_cast(rule), &counts);
        idle = counts.used + rule->idle_timeout * 1000LL;
        if (idle < deadline) {
            deadline = idle;
            *reasonp = OFPRR_IDLE_TIMEOUT;
        }
    }
    return deadline;
}

void
of_rules_expire(struct of_bridge *bridge)
    OVS_EXCLUDED(ofproto_mutex)
{
    long long int now = time_msec();
    long long int next = LLONG_MAX;
    struct rule *rule;
    long long int soon;

    soon = atomic_exchange(&bridge->expire_soon, LLONG_MAX);
    bridge->next_expire = MIN(bridge->next_expire, soon);
    if (now < bridge->next_expire) {
        return;
    }

    ovs_mutex_lock(&ofproto_mutex);
    LIST_FOR_EACH_SAFE (rule, expirable, &bridge->dpif.up.expirable) {
        uint8_t reason = OFPRR_IDLE_TIMEOUT;
        long long int deadline = rule_deadline(rule, &reason);

        /* The second of the timeout must be over. */
        if (now > deadline) {
            ofproto_rule_expire(rule, reason);
        } else {
            next = MIN(next, deadline + 1);
        }
    }
    ovs_mutex_unlock(&ofproto_mutex);

    if (next != LLONG_MAX) {
        long long int spent = time_msec() - now;

        next = MAX(next, now + MAX(MIN_EXPIRE_MS, spent * EXPIRE_SHARE));
    }
    bridge->next_expire = next;
}
