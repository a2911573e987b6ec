/* SPDX-License-Identifier: Apache-2.0 */

/* The life of a bridge. */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include "connectivity.h"
#include "ofproto/bundles.h"
#include "ofproto/capture.h"
#include "ofproto/connmgr.h"
#include "ofproto/group.h"
#include "ofproto/hooks.h"
#include "ofproto/l2.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "ofproto/profile.h"
#include "ofproto/trace.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "seq.h"
#include "simap.h"
#include "timeval.h"
#include "util.h"
#include "uuid.h"

/* The name by which test suites and users know the provider's log. */
VLOG_DEFINE_THIS_MODULE(ofproto_dpif);

struct hmap of_bridges = HMAP_INITIALIZER(&of_bridges);

void
of_log_dbg(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vlog_valist(&this_module, VLL_DBG, format, args);
    va_end(args);
}

struct of_bridge *
of_bridge_lookup(const char *name)
{
    struct of_bridge *bridge;

    HMAP_FOR_EACH_WITH_HASH (bridge, name_node, hash_string(name, 0),
                             &of_bridges) {
        if (!strcmp(bridge->dpif.up.name, name)) {
            return bridge;
        }
    }
    return NULL;
}

ovs_version_t
of_bridge_version(const struct of_bridge *bridge)
{
    struct ofproto_dpif *dpif = CONST_CAST(struct ofproto_dpif *,
                                           &bridge->dpif);
    ovs_version_t version;

    atomic_read_explicit(&dpif->tables_version, &version,
                         memory_order_acquire);
    return version;
}

int
of_enumerate_names(const char *type, struct sset *names)
{
    struct of_bridge *bridge;

    sset_clear(names);
    OF_BRIDGE_FOR_EACH (bridge) {
        if (!strcmp(bridge->dpif.up.type, type)) {
            sset_add(names, bridge->dpif.up.name);
        }
    }
    return 0;
}

/* A bridge lives in this process only, so nothing stays behind that could be
 * deleted. */
int
of_del(const char *type OVS_UNUSED, const char *name)
{
    return of_bridge_lookup(name) ? EBUSY : ENODEV;
}

struct ofproto *
of_bridge_alloc(void)
{
    struct of_bridge *bridge = xzalloc(sizeof *bridge);

    return &bridge->dpif.up;
}

void
of_bridge_dealloc(struct ofproto *ofproto)
{
    free(of_bridge_cast(ofproto));
}

int
of_bridge_construct(struct ofproto *ofproto)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);
    int error;

    bridge->dpif.backer = &bridge->backer;
    uuid_generate(&bridge->dpif.uuid);
    atomic_init(&bridge->dpif.tables_version, OVS_VERSION_MIN);
    ovs_list_init(&bridge->changes);
    atomic_count_init(&bridge->n_rules, 0);
    atomic_count_init(&bridge->n_groups, 0);
    bridge->next_expire = LLONG_MAX;
    atomic_init(&bridge->expire_soon, LLONG_MAX);

    error = -dp_bridge_create(of_dp, ofproto->name, bridge, &bridge->dpb);
    if (error) {
        return error;
    }
    error = -of_pipeline_create(bridge->dpb, &bridge->pipeline);
    if (error) {
        dp_bridge_destroy(bridge->dpb);
        return error;
    }
    error = of_l2_create(bridge, &bridge->l2);
    if (error) {
        of_pipeline_destroy(bridge->pipeline);
        dp_bridge_destroy(bridge->dpb);
        return error;
    }

    of_vports_init(bridge);
    hmap_insert(&of_bridges, &bridge->name_node,
                hash_string(ofproto->name, 0));

    ofproto_init_tables(ofproto, OF_N_TABLES);
    ofproto->tables[OF_TABLE_INTERNAL].flags = (OFTABLE_HIDDEN
                                                | OFTABLE_READONLY);
    of_bridge_sync(bridge);
    return 0;
}

static unsigned int
n_left(struct of_bridge *bridge)
{
    return (atomic_count_get(&bridge->n_rules)
            + atomic_count_get(&bridge->n_groups));
}

/* Waits until the last rule and group of 'bridge' is freed: removals that
 * libofproto has postponed, then what those postpone. */
static void
reap_all(struct of_bridge *bridge)
{
    for (int i = 0; i < 8 && n_left(bridge); i++) {
        ovsrcu_barrier();
        ovs_mutex_lock(&ofproto_mutex);
        of_changes_apply(bridge, OVS_VERSION_MAX);
        ovs_mutex_unlock(&ofproto_mutex);
        of_rule_reap();
    }
    ovs_assert(!n_left(bridge));
}

void
of_bridge_destruct(struct ofproto *ofproto, bool del OVS_UNUSED)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);
    struct oftable *table;
    struct rule *rule;

    of_trace_live_forget(bridge);
    of_capture_forget(bridge);
    of_profile_cmd_forget(bridge);
    hmap_remove(&of_bridges, &bridge->name_node);

    OFPROTO_FOR_EACH_TABLE (table, ofproto) {
        CLS_FOR_EACH (rule, cr, &table->cls) {
            ofproto_rule_delete(ofproto, rule);
        }
    }
    ofproto_group_delete_all(ofproto);
    reap_all(bridge);

    of_stp_destroy(bridge);
    of_l2_destroy(bridge->l2);
    of_pipeline_destroy(bridge->pipeline);
    dp_bridge_destroy(bridge->dpb);
    of_vports_destroy(bridge);
}

void
of_bridge_sync(struct of_bridge *bridge)
{
    struct ofproto *ofproto = &bridge->dpif.up;
    struct dp_bridge_conf *conf = dp_bridge_conf(bridge->dpb);

    DP_CONF_SET(conf->packet_in_on_miss,
                connmgr_wants_packet_in_on_miss(ofproto->connmgr));
    DP_CONF_SET(conf->forwarding, !ofproto_get_flow_restore_wait());
    for (int i = 0; i < ofproto->n_tables; i++) {
        unsigned int old = dp_table_miss(conf->table_miss[i], UINT64_MAX);
        unsigned int new = ofproto_table_get_miss_config(ofproto, i);

        if (old != new) {
            DP_CONF_SET(conf->table_miss[i],
                        dp_table_miss_word(of_bridge_version(bridge), old,
                                           new));
        }
    }
}

bool
of_set_frag_handling(struct ofproto *ofproto,
                     enum ofputil_frag_handling frag_handling)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);

    if (frag_handling == OFPUTIL_FRAG_REASM) {
        return false;
    }
    if (frag_handling == OFPUTIL_FRAG_DROP) {
        of_pipeline_set_min_parse(bridge->pipeline, OF_PARSE_L3);
    }
    DP_CONF_SET(dp_bridge_conf(bridge->dpb)->frag_handling, frag_handling);
    return true;
}

void
of_set_tables_version(struct ofproto *ofproto, ovs_version_t version)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);

    of_changes_apply(bridge, version);
    of_groups_publish(bridge, version);
    VLOG_DBG("%s: publish version %"PRIu64, ofproto->name, version);
    dp_bridge_set_version(bridge->dpb, version);
    of_pipeline_published(bridge->pipeline, version);
    atomic_store_explicit(&bridge->dpif.tables_version, version,
                          memory_order_release);
}

int
of_bridge_run(struct ofproto *ofproto)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);
    uint64_t change_seq = seq_read(connectivity_seq_get());

    of_bridge_sync(bridge);

    ovs_mutex_lock(&ofproto_mutex);
    of_changes_apply(bridge, of_bridge_version(bridge));
    ovs_mutex_unlock(&ofproto_mutex);

    if (bridge->change_seq != change_seq) {
        struct of_port *port;

        HMAP_FOR_EACH (port, up.hmap_node, &ofproto->ports) {
            of_port_run(port);
        }
        bridge->change_seq = change_seq;
    }

    of_stp_run(bridge);
    of_l2_run(bridge->l2);
    of_rules_expire(bridge);
    return 0;
}

void
of_bridge_wait(struct ofproto *ofproto)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);

    long long int soon;

    of_stp_wait(bridge);
    of_l2_wait(bridge->l2);
    atomic_read_relaxed(&bridge->expire_soon, &soon);
    if (soon != LLONG_MAX) {
        poll_timer_wait_until(soon);
    }
    if (bridge->next_expire != LLONG_MAX) {
        poll_timer_wait_until(bridge->next_expire);
    }
}

void
of_bridge_flush(struct ofproto *ofproto OVS_UNUSED)
{
    /* There is no cache beside the tables. */
}

void
of_bridge_get_memory_usage(const struct ofproto *ofproto,
                           struct simap *usage)
{
    struct of_bridge *bridge = of_bridge_cast(ofproto);

    simap_increase(usage, "compiled rules",
                   atomic_count_get(&bridge->n_rules));
}

void
of_query_tables(struct ofproto *ofproto,
                struct ofputil_table_features *features OVS_UNUSED,
                struct ofputil_table_stats *stats)
{
    const struct of_bridge *bridge = of_bridge_cast(ofproto);

    if (!stats) {
        return;
    }
    for (int i = 0; i < ofproto->n_tables; i++) {
        uint64_t lookups, matches;

        dp_table_counts(bridge->dpb, i, &lookups, &matches);
        stats[i].lookup_count = lookups;
        stats[i].matched_count = matches;
    }
}
