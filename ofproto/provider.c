/* SPDX-License-Identifier: Apache-2.0 */

/* The `struct ofproto_class` that libofproto calls.  libofproto registers it
 * under the name of OVS's own provider. */

#include <errno.h>
#include <stdlib.h>
#include "netdev-offload.h"
#include "ofproto/capture.h"
#include "ofproto/compile/compile.h"
#include "ofproto/group.h"
#include "ofproto/hooks.h"
#include "ofproto/l2.h"
#include "ofproto/link.h"
#include "ofproto/mcast.h"
#include "ofproto/metrics.h"
#include "ofproto/mirror.h"
#include "ofproto/monitor.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "ofproto/trace.h"
#include "ofproto/native.h"
#include "ofproto/packet-in.h"
#include "ofproto/profile.h"
#include "ofproto/slowpath.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "seq.h"
#include "smap.h"
#include "ofproto/tunnel.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(of_provider);

enum { WARP_STEP_MS = 10 };

struct dp *of_dp;

static enum dp_mode mode = DP_THREADED;

/* By default what OVS says of a datapath inside the daemon. */
static const char *engine = "<built-in>";

static uint64_t changes_seqno;

void
of_provider_set_mode(enum dp_mode mode_)
{
    mode = mode_;
}

void
of_provider_set_engine(const char *engine_)
{
    engine = engine_;
}

static void
init(const struct shash *iface_hints OVS_UNUSED)
{
    int error;

    error = -dp_create(mode, &of_dp);
    if (error) {
        VLOG_FATAL("the datapath cannot start (%s)", ovs_strerror(error));
    }

    dp_set_poll_non_pmd_in_main(of_dp, of_dummies_enabled());
    of_compile_init(of_dp);
    of_l2_init(of_dp);
    of_groups_init();
    of_packet_in_init();
    of_native_init();
    ofproto_tunnel_init();
    of_trace_init();
    of_capture_init();
    of_profile_cmd_init();
    of_commands_init();
}

void
of_provider_exit(void)
{
    of_metrics_exit();
    of_capture_exit();
    if (of_dp) {
        ovsrcu_barrier();
        of_rule_reap();
        of_compile_destroy();
        dp_destroy(of_dp);
        of_dp = NULL;
    }
}

/* All types share one datapath, which runs with the first of them. */
static int
type_run(const char *type)
{
    if (of_type_is_first(type)) {
        changes_seqno = seq_read(of_changes_seq());
        if (dp_run(of_dp)) {
            poll_immediate_wake();
        }
        of_monitor_run();
        of_metrics_run();
        of_compile_run();
        of_trace_live_run();
        of_capture_run();
        of_profile_cmd_run();
        of_rule_reap();
    }
    return 0;
}

static void
type_wait(const char *type)
{
    if (of_type_is_first(type)) {
        if (of_dummies_enabled()) {
            /* The command time/warp advances one step each time the main
             * loop comes round; in OVS other threads keep it turning. */
            poll_timer_wait(WARP_STEP_MS);
        }
        dp_wait(of_dp);
        of_compile_wait();
        of_trace_live_wait();
        of_capture_wait();
        of_profile_cmd_wait();
        of_monitor_wait();
        of_metrics_wait();
        seq_wait(of_changes_seq(), changes_seqno);
    }
}

/* Every type is told the same. */
static void
type_set_config(const char *type OVS_UNUSED, const struct smap *other_config)
{
    dp_set_config(of_dp, other_config);
    of_metrics_set_config(other_config);
}

static const char *
get_datapath_version(const struct ofproto *ofproto OVS_UNUSED)
{
    return engine;
}

void
of_get_datapath_cap(const char *type OVS_UNUSED, struct smap *caps)
{
    static const char *const absent[] = {
        "recirc", "ct_state", "ct_zone", "ct_mark", "ct_label",
        "ct_state_nat", "ct_orig_tuple", "ct_orig_tuple6", "ct_eventmask",
        "ct_clear", "ct_timeout", "ct_zero_snat", "nd_ext", "tnl_push_pop",
        "lb_output_action", "add_mpls",
    };

    for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
        smap_add(caps, absent[i], "false");
    }
    smap_add_format(caps, "max_vlan_headers", "%d", FLOW_MAX_VLAN_HEADERS);
    smap_add(caps, "max_mpls_depth", "0");
    smap_add(caps, "max_hash_alg", "0");
    smap_add(caps, "explicit_drop_action", "true");
}

/* libofproto asks without looking whether there is such a function. */
static void
get_netflow_ids(const struct ofproto *ofproto OVS_UNUSED,
                uint8_t *engine_type, uint8_t *engine_id)
{
    *engine_type = 0;
    *engine_id = 0;
}

const struct ofproto_class ofproto_dpif_class = {
    .init = init,
    .enumerate_types = of_types_enumerate,
    .enumerate_names = of_enumerate_names,
    .del = of_del,
    .port_open_type = of_port_open_type,
    .type_run = type_run,
    .type_wait = type_wait,
    .type_set_config = type_set_config,

    .alloc = of_bridge_alloc,
    .construct = of_bridge_construct,
    .destruct = of_bridge_destruct,
    .dealloc = of_bridge_dealloc,
    .run = of_bridge_run,
    .wait = of_bridge_wait,
    .get_memory_usage = of_bridge_get_memory_usage,
    .flush = of_bridge_flush,
    .query_tables = of_query_tables,
    .set_tables_version = of_set_tables_version,

    .port_alloc = of_port_alloc,
    .port_construct = of_port_construct,
    .port_destruct = of_port_destruct,
    .port_dealloc = of_port_dealloc,
    .port_modified = of_port_modified,
    .port_reconfigured = of_port_reconfigured,
    .port_query_by_name = of_port_query_by_name,
    .port_add = of_port_add,
    .port_del = of_port_del,
    .port_set_config = of_port_set_config,
    .set_queues = of_port_set_queues,
    .port_get_stats = of_port_get_stats,
    .port_dump_start = of_port_dump_start,
    .port_dump_next = of_port_dump_next,
    .port_dump_done = of_port_dump_done,

    .rule_alloc = of_rule_alloc,
    .rule_construct = of_rule_construct,
    .rule_insert = of_rule_insert,
    .rule_destruct = of_rule_destruct,
    .rule_dealloc = of_rule_dealloc,
    .rule_get_stats = of_rule_get_stats,

    .packet_xlate = of_packet_xlate,
    .packet_xlate_revert = of_packet_xlate_revert,
    .packet_execute_prepare = of_packet_execute_prepare,
    .packet_execute = of_packet_execute,
    .nxt_resume = of_nxt_resume,
    .set_frag_handling = of_set_frag_handling,

    .get_netflow_ids = get_netflow_ids,
    .port_is_lacp_current = of_port_is_lacp_current,
    .port_get_lacp_stats = of_port_get_lacp_stats,
    .set_cfm = of_set_cfm,
    .cfm_status_changed = of_cfm_status_changed,
    .get_cfm_status = of_get_cfm_status,
    .set_bfd = of_set_bfd,
    .bfd_status_changed = of_bfd_status_changed,
    .get_bfd_status = of_get_bfd_status,
    .set_lldp = of_set_lldp,
    .get_lldp_status = of_get_lldp_status,
    .set_stp = of_set_stp,
    .get_stp_status = of_get_stp_status,
    .set_stp_port = of_set_stp_port,
    .get_stp_port_status = of_get_stp_port_status,
    .get_stp_port_stats = of_get_stp_port_stats,
    .set_rstp = of_set_rstp,
    .get_rstp_status = of_get_rstp_status,
    .set_rstp_port = of_set_rstp_port,
    .get_rstp_port_status = of_get_rstp_port_status,
    .mirror_set = of_mirror_set,
    .mirror_get_stats = of_mirror_get_stats,

    .bundle_set = of_bundle_set,
    .bundle_remove = of_bundle_remove,
    .set_flood_vlans = of_set_flood_vlans,
    .is_mirror_output_bundle = of_is_mirror_output_bundle,
    .forward_bpdu_changed = of_forward_bpdu_changed,
    .set_mac_table_config = of_set_mac_table_config,
    .set_mcast_snooping = of_set_mcast_snooping,
    .set_mcast_snooping_port = of_set_mcast_snooping_port,

    .group_alloc = of_group_alloc,
    .group_construct = of_group_construct,
    .group_destruct = of_group_destruct,
    .group_dealloc = of_group_dealloc,
    .group_get_stats = of_group_get_stats,

    .meter_get_features = of_meter_get_features,
    .meter_set = of_meter_set,
    .meter_get = of_meter_get,
    .meter_del = of_meter_del,

    .get_datapath_version = get_datapath_version,
    .get_datapath_cap = of_get_datapath_cap,
};
