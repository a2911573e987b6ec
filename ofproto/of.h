/* SPDX-License-Identifier: Apache-2.0 */

/* The provider's view of bridges, ports and rules.
 *
 * bvs is a provider (`struct ofproto_class`) of Open vSwitch's libofproto:
 * libofproto owns OpenFlow (connections, flow tables, versions), we own what
 * packets meet.  Each of libofproto's objects is embedded in one of ours and
 * lives as long as it; see the comments on life cycles in libofproto's
 * ofproto-provider.h.
 *
 * Threads: the main thread, except where it says otherwise.  libofproto calls
 * rule_delete and rule_destruct in the RCU thread; rule.c hands what they
 * release to the main thread (of_rule_reap()), so that compile/ and datapath/
 * are never called from another.
 *
 * Errors: libofproto's conventions: 0, a positive errno or an OFPERR_*. */

#ifndef OFPROTO_OF_H
#define OFPROTO_OF_H 1

#include <stdbool.h>
#include <stdint.h>
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/shash.h"
#include "smap.h"
#include "ofproto/ofproto-provider.h"
#include "ofproto/ofproto-dpif.h"
#include "datapath/dp.h"
#include "ofproto/compile/compile.h"
#include "ofproto/link.h"

struct of_l2;                   /* l2.h: bundles, VLANs, FDB. */
struct of_bundle;               /* l2.h: an OVSDB Port. */
struct of_change;               /* hooks.h: a queued change of a table. */
struct of_stats;                /* stats.h: a rule's counts. */

/* OpenFlow tables: as in OVS 255, of which the last one is hidden and
 * read-only (fail-open, in-band and bonds put flows there or in table 0). */
enum {
    OF_N_TABLES = N_TABLES,
    OF_TABLE_INTERNAL = TBL_INTERNAL
};

/* The one datapath of the process; null before of_provider_init(). */
extern struct dp *of_dp;

/* A bridge. */
struct of_bridge {
    /* First: bond.c takes a `struct ofproto_dpif *` and reads
     * ->backer->rt_support.  Of its members we use 'up', 'backer' and
     * 'tables_version', the version that is published. */
    struct ofproto_dpif dpif;
    struct dpif_backer backer;      /* Zeroed: no recirculation. */

    struct hmap_node name_node;     /* In of.c's map of bridges by name. */
    struct dp_bridge *dpb;          /* Owned.  dp_bridge_aux() is us. */
    struct of_pipeline *pipeline;   /* Owned; of_pipeline_create(). */
    struct of_l2 *l2;               /* Owned; of_l2_create(). */

    /* Changes that libofproto made to its classifiers and that are not yet
     * published, in order (hooks.c).  Guarded by ofproto_mutex. */
    struct ovs_list changes;        /* Contains "struct of_change"s. */

    /* Ports as the datapath has them: name to device.  An ofport exists for
     * each one that libofproto has constructed. */
    struct shash vports;            /* port.c: "struct of_vport". */

    atomic_count n_rules;           /* Rules constructed and not yet freed. */
    atomic_count n_groups;          /* The same of groups. */
    atomic_uint64_t live_ports[65536 / 64]; /* Bit set (group.h). */
    long long int next_expire;      /* time_msec() of the next look for
                                     * expired rules; the main thread's. */
    atomic_llong expire_soon;       /* The same for rules that got a timeout
                                     * since; any thread's. */
    uint64_t change_seq;            /* connectivity_seq last seen. */
    struct of_stp stp;              /* link.h. */
};

/* A port: an OpenFlow port whose device is in the datapath. */
struct of_port {
    struct ofport up;
    struct dp_port *dpp;            /* Owned; null once it has left. */
    struct netdev *netdev;          /* The device that dpp uses. */
    int ifindex;                    /* Its index, or negative. */
    struct smap config;             /* Interface's other_config. */
    struct of_bundle *bundle;       /* l2.h; null if in none. */
    struct ovs_list bundle_node;    /* In the bundle's list of ports. */
    bool is_layer3;                 /* Carries packets without Ethernet. */
    bool watched;                   /* DP_PORT_INGRESS. */
    struct of_link link;            /* link.h. */
    struct of_port *peer;           /* Of a patch port that has one. */
};

/* A flow. */
struct of_rule {
    struct rule up;
    struct of_entry entry;          /* Its part in the compiled tables. */
    struct of_stats *_Atomic stats; /* Owned reference; null as long as the
                                     * rule did not replace another one nor
                                     * was replaced; outlives the rule while a
                                     * successor sums it up. */
    union {
        struct {
            struct of_change *insert;   /* hooks.c: queued, not applied yet. */
            struct of_change *hide;     /* The same. */
        };
        struct ovs_list reap_node;  /* rule.c: in the list to be freed. */
    };
};

/* Casts. */

static inline struct of_bridge *
of_bridge_cast(const struct ofproto *ofproto)
{
    return CONTAINER_OF(ofproto, struct of_bridge, dpif.up);
}

static inline struct of_port *
of_port_cast(const struct ofport *ofport)
{
    return ofport ? CONTAINER_OF(ofport, struct of_port, up) : NULL;
}

static inline struct of_rule *
of_rule_cast(const struct rule *rule)
{
    return rule ? CONTAINER_OF(rule, struct of_rule, up) : NULL;
}

static inline struct of_rule *
of_rule_from_cls(const struct cls_rule *cr)
{
    return of_rule_cast(rule_from_cls_rule(cr));
}

static inline struct of_bridge *
of_rule_bridge(const struct of_rule *rule)
{
    return of_bridge_cast(rule->up.ofproto);
}

static inline struct of_bridge *
of_bridge_of_dp(const struct dp_bridge *dpb)
{
    return dp_bridge_aux(dpb);
}

/* Null if 'bridge' has no such port. */
static inline struct of_port *
of_port_get(const struct of_bridge *bridge, ofp_port_t ofp_port)
{
    return of_port_cast(ofproto_get_port(&bridge->dpif.up, ofp_port));
}

/* No worker counts on the rule any more, and what it counted stays; main
 * thread. */
void of_rule_freeze(struct of_rule *);
/* Counts packets that the slow path handled; main thread. */
void of_rule_credit(struct of_rule *, uint64_t packets, uint64_t bytes);

/* A rule of 'bridge' may expire at time_msec() 'when'; any thread. */
void of_expire_soon(struct of_bridge *, long long int when);

/* The version that packets meet; any thread. */
ovs_version_t of_bridge_version(const struct of_bridge *);

/* Null if there is none called 'name'. */
struct of_bridge *of_bridge_lookup(const char *name);

/* All bridges. */
extern struct hmap of_bridges;  /* By 'name_node'. */
#define OF_BRIDGE_FOR_EACH(BRIDGE) \
    HMAP_FOR_EACH (BRIDGE, name_node, &of_bridges)

/* The provider itself, for the daemon's main(). */

/* --disable-system: the datapath type 'type' is not offered. */
void of_provider_disallow_type(const char *type);

/* How ports are driven; before the first bridge is made.  By default by a
 * worker thread (DP_THREADED). */
void of_provider_set_mode(enum dp_mode);

/* What runs packets, in words (kept): Bridge:datapath_version. */
void of_provider_set_engine(const char *);

/* Destroys the datapath, after the last bridge. */
void of_provider_exit(void);

#endif /* ofproto/of.h */
