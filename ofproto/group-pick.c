/* SPDX-License-Identifier: Apache-2.0 */

/* Which buckets of a group a packet takes. */

#include <config.h>
#include "ofproto/group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "bitmap.h"
#include "flow.h"
#include "hash.h"
#include "odp-netlink.h"
#include "openvswitch/meta-flow.h"
#include "ovs-thread.h"
#include "util.h"

/* As in Open vSwitch. */
enum { MAX_LIVENESS_DEPTH = 128 };

void
of_picker_init(struct of_picker *picker, const struct ofgroup *group)
{
    const struct ofputil_bucket *bucket;

    picker->group = group;
    picker->n = 0;
    picker->choices = xmalloc(MAX(ovs_list_size(&group->buckets), 1)
                              * sizeof *picker->choices);
    LIST_FOR_EACH (bucket, list_node, &group->buckets) {
        picker->choices[picker->n++] = (struct of_choice) {
            .bucket_id = bucket->bucket_id,
            .watch_group = bucket->watch_group,
            .watch_port = bucket->watch_port,
            .weight = bucket->weight,
        };
    }
}

void
of_picker_destroy(struct of_picker *picker)
{
    free(picker->choices);
    picker->choices = NULL;
    picker->n = 0;
}

/* Liveness. */

static bool group_is_live(const struct of_bridge *, ovs_version_t,
                          uint32_t group_id, int depth);

static bool
is_live(const struct of_bridge *bridge, ovs_version_t version,
        const struct of_choice *c, int depth)
{
    bool watches_port = c->watch_port != OFPP_ANY;
    bool watches_group = c->watch_group != OFPG_ANY;

    return (depth < MAX_LIVENESS_DEPTH
            && ((!watches_port && !watches_group)
                || (watches_port && of_live_port(bridge, c->watch_port))
                || (watches_group
                    && group_is_live(bridge, version, c->watch_group,
                                     depth + 1))));
}

static size_t
first_live(const struct of_picker *picker, ovs_version_t version, int depth)
{
    const struct of_bridge *bridge = of_bridge_cast(picker->group->ofproto);

    for (size_t i = 0; i < picker->n; i++) {
        if (is_live(bridge, version, &picker->choices[i], depth)) {
            return i;
        }
    }
    return picker->n;
}

static bool
group_is_live(const struct of_bridge *bridge, ovs_version_t version,
              uint32_t group_id, int depth)
{
    const struct of_group *group = of_group_lookup(bridge, group_id, version);

    return (group && first_live(&group->picker, version, depth)
            < group->picker.n);
}

/* The hash of a packet. */

static uint32_t
hash_fields(const struct ofputil_group_props *props, const struct flow *flow)
{
    const uint8_t *masks = props->fields.values;
    uint32_t hash = hash_uint64(props->selection_method_param);
    size_t id;

    BITMAP_FOR_EACH_1 (id, MFF_N_IDS, props->fields.used.bm) {
        const struct mf_field *mf = mf_from_id(id);
        union mf_value value;

        if (mf_are_prereqs_ok(mf, flow, NULL)) {
            mf_get_value(mf, flow, &value);
            for (int i = 0; i < mf->n_bytes; i++) {
                value.b[i] &= masks[i];
            }
            hash = hash_bytes(&value, mf->n_bytes, hash);
        }
        masks += mf->n_bytes;
    }
    return hash;
}

/* The same in both directions.  Open vSwitch leaves the ports of UDP out, all
 * of them, because fragments have none; here only fragments do without. */
static uint32_t
hash_symmetric(const struct flow *flow, uint32_t basis)
{
    return flow_hash_symmetric_l3l4(flow, basis, !flow->nw_frag);
}

static uint32_t
hash_flow(const struct ofputil_group_props *props, const struct flow *flow)
{
    uint64_t param = props->selection_method_param;

    if (!strcmp(props->selection_method, "hash")
        && props->fields.values_size) {
        return hash_fields(props, flow);
    }
    if (!strcmp(props->selection_method, "dp_hash")) {
        return (param >> 32 == OVS_HASH_ALG_SYM_L4
                ? hash_symmetric(flow, param)
                : flow_hash_5tuple(flow, param));
    }
    return hash_symmetric(flow, 0);
}

/* Weighted rendezvous hashing. */

enum { LOG_BITS = 10 };

/* log2(1 + i / 2^LOG_BITS) in units of 2^-32. */
static const uint64_t *
log_table(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;
    static uint64_t table[(1 << LOG_BITS) + 1];

    if (ovsthread_once_start(&once)) {
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
            table[i] = llround(log2(1 + ldexp(i, -LOG_BITS)) * ldexp(1, 32));
        }
        ovsthread_once_done(&once);
    }
    return table;
}

/* -log2(x / 2^64) in units of 2^-32, interpolated. */
static uint64_t
neg_log2(const uint64_t *table, uint64_t x)
{
    int exponent = 63 - clz64(x | 1);
    uint64_t mantissa = (x | 1) << (63 - exponent) << 1;
    uint64_t i = mantissa >> (64 - LOG_BITS);
    uint64_t rest = mantissa << LOG_BITS >> 40;     /* 24 bits. */
    uint64_t log = table[i] + ((table[i + 1] - table[i]) * rest >> 24);

    return ((uint64_t) (64 - exponent) << 32) - log;
}

/* The finalizer of splitmix64 (Steele, Lea, Flood: "Fast splittable
 * pseudorandom number generators", 2014). */
static uint64_t
mix64(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

size_t
of_picker_best(const struct of_picker *picker, ovs_version_t version,
               uint32_t hash)
{
    const struct of_bridge *bridge = of_bridge_cast(picker->group->ofproto);
    const uint64_t *table = log_table();
    uint64_t best_log = 0;
    size_t best = picker->n;

    for (size_t i = 0; i < picker->n; i++) {
        const struct of_choice *c = &picker->choices[i];
        uint64_t log;

        if (!c->weight || !is_live(bridge, version, c, 0)) {
            continue;
        }
        log = neg_log2(table, mix64((uint64_t) c->bucket_id << 32 | hash));
        /* At most 2^38 times 2^16. */
        if (best == picker->n
            || log * picker->choices[best].weight < best_log * c->weight) {
            best = i;
            best_log = log;
        }
    }
    return best;
}

size_t
of_picker_pick(const struct of_picker *picker, ovs_version_t version,
               const struct flow *flow, size_t *firstp)
{
    switch (picker->group->type) {
    case OFPGT11_SELECT:
        *firstp = of_picker_best(picker, version,
                                 hash_flow(&picker->group->props, flow));
        return *firstp < picker->n;

    case OFPGT11_FF:
        *firstp = first_live(picker, version, 0);
        return *firstp < picker->n;

    case OFPGT11_ALL:
    case OFPGT11_INDIRECT:
    default:
        *firstp = 0;
        return picker->n;
    }
}
