/* SPDX-License-Identifier: Apache-2.0 */

/* Groups.
 *
 * What: libofproto keeps groups with versions, like flows; a worker finds a
 * group by the version it has latched, without a lock.  Ours holds the
 * compiled actions of its buckets, their counters, and a *picker*, which
 * chooses buckets for a packet.
 *
 * Life (provider.md): construct compiles the buckets that the message has;
 * INSERT_BUCKET and REMOVE_BUCKET copy those of the group that is replaced
 * afterwards, so construct also takes references to that group's; before the
 * version in which the group is visible is published, of_groups_publish()
 * puts together what workers run.  None of that can fail.
 *
 * Choice: all buckets of `all' and `indirect' groups, the first live one of
 * fast failover.  `select' is weighted rendezvous hashing: of the live
 * buckets the one with the least -log(u) / weight, where u is a hash of the
 * packet's and the bucket's identity (Wang, Schinderle, Ravindran et al.: a
 * share of weight / sum of weights exactly, and a bucket that comes or goes
 * moves no flow between the others).  The packet's identity is, as in Open
 * vSwitch, its 5-tuple (selection_method=dp_hash; symmetric unless the method
 * is given) or the fields of selection_method=hash.
 *
 * Threads: choosing: any thread that is registered with RCU.  The callbacks
 * as libofproto calls them: construct with ofproto_mutex, destruct in the RCU
 * thread. */

#ifndef OFPROTO_GROUP_H
#define OFPROTO_GROUP_H 1

#include <stddef.h>
#include <stdint.h>
#include "ofproto/of.h"

struct dp_bucket;
struct dp_ctx;
struct flow;
struct simap;

/* What a choice looks at, of one bucket. */
struct of_choice {
    uint32_t bucket_id;
    uint32_t watch_group;       /* OFPG_ANY: none. */
    ofp_port_t watch_port;      /* OFPP_ANY: none. */
    uint16_t weight;
};

/* group-pick.c: chooses buckets. */
struct of_picker {
    const struct ofgroup *group;    /* Borrowed: type and properties. */
    struct of_choice *choices;      /* Owned, in the order of buckets. */
    size_t n;
};

void of_picker_init(struct of_picker *, const struct ofgroup *);
void of_picker_destroy(struct of_picker *);
/* Stores in '*firstp' the first bucket for 'flow' and returns how many buckets
 * from it on are chosen. */
size_t of_picker_pick(const struct of_picker *, ovs_version_t,
                      const struct flow *, size_t *firstp);
/* The same where the hash of the packet is known: for tests. */
size_t of_picker_best(const struct of_picker *, ovs_version_t, uint32_t hash);

/* The buckets in the order of their list, with compiled actions. */
struct of_bucket;

struct of_group {
    struct ofgroup up;

    /* Compiled buckets: of the message, then of the replaced group. */
    struct of_bucket **compiled;    /* References. */
    size_t n_compiled;

    uint32_t counters;              /* Packets that came to the group. */

    /* Made by of_groups_publish(). */
    struct ovs_list pending_node;   /* In the list of groups to publish. */
    bool pending;
    struct of_picker picker;
    struct dp_bucket *buckets;      /* Owned; 'picker.n' of them. */
};

static inline struct of_group *
of_group_cast(const struct ofgroup *group)
{
    return group ? CONTAINER_OF(group, struct of_group, up) : NULL;
}

/* The group that is visible in 'version', or null. */
static inline struct of_group *
of_group_lookup(const struct of_bridge *bridge, uint32_t group_id,
                ovs_version_t version)
{
    return of_group_cast(ofproto_group_lookup(&bridge->dpif.up, group_id,
                                              version, false));
}

/* Registers the helper of workers. */
void of_groups_init(void);

/* Readies the groups of 'bridge' that are visible in 'version'; it will be
 * published next. */
void of_groups_publish(struct of_bridge *, ovs_version_t);

/* Who counts packets of the bucket 'bucket_id', or DP_COUNTERS_NONE. */
uint32_t of_group_bucket_counters(const struct of_group *,
                                  uint32_t bucket_id);

/* Liveness of ports, for watch_port; the main thread sets it. */
void of_live_port_set(struct of_bridge *, ofp_port_t, bool live);
bool of_live_port(const struct of_bridge *, ofp_port_t);

#endif /* ofproto/group.h */
