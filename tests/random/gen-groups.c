/* SPDX-License-Identifier: Apache-2.0 */

/* Random groups and meters. */

#include "tests/random/gen.h"

#include <stdlib.h>
#include <string.h>
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-group.h"
#include "random.h"
#include "util.h"

int rnd_n_groups, rnd_n_meters;
bool rnd_recirculates;

char *
rnd_meter_text(int id)
{
    /* No case is as fast, so that time does not matter. */
    return xasprintf("meter=%d,%s,bands=type=drop,rate=%d,"
                     "burst_size=1000000", id,
                     id == 1 ? "pktps,burst,stats" : "kbps,burst",
                     id * 1000000);
}

char *
rnd_group_text(const struct rnd_group *group)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "group_id=%u,%s", group->id, group->head);
    for (int i = 0; i < group->n_buckets; i++) {
        ds_put_format(&s, ",bucket=%s", group->buckets[i]);
    }
    return ds_steal_cstr(&s);
}

enum { WATCHED = 1, DEAD = 2 };

static void
gen_bucket(struct rnd_group *group, int flags)
{
    char *text = group->buckets[group->n_buckets++];
    int port = flags & DEAD ? 9 : 1 + (int) random_range(RND_N_PORTS);
    struct ds s = DS_EMPTY_INITIALIZER;
    bool watches_group = flags & WATCHED && !(flags & DEAD)
                         && (int) group->id < rnd_n_groups && rnd_chance(20);

    if (watches_group) {
        ds_put_format(&s, "watch_group:%u,", group->id + 1);
    } else if (flags & (WATCHED | DEAD)) {
        ds_put_format(&s, "watch_port:%d,", port);
    }
    ds_put_cstr(&s, "actions=");
    rnd_gen_bucket(group->id, sizeof group->buckets[0] - s.length - 1, &s);
    ovs_strlcpy(text, ds_cstr(&s), sizeof group->buckets[0]);
    ds_destroy(&s);
}

/* One bucket is live: which of several a packet takes is each switch's own
 * affair. */
static void
gen_select(struct rnd_group *group)
{
    static const char *const methods[] = {
        "selection_method=hash,fields(eth_src,nw_dst)",
        "selection_method=hash,selection_method_param=7,fields=eth_dst",
        "selection_method=dp_hash",
    };
    int n = 1 + random_range(3);
    int live = random_range(n);
    uint32_t method = random_range(ARRAY_SIZE(methods));

    ovs_strlcpy(group->head, "type=select,", sizeof group->head);
    strncat(group->head, methods[method],
            sizeof group->head - strlen(group->head) - 1);
    for (int i = 0; i < n; i++) {
        gen_bucket(group, i == live ? 0 : DEAD);
    }
}

static void
gen_group(struct rnd_group *group, uint32_t id)
{
    int n = random_range(RND_MAX_BUCKETS + 1);
    uint32_t kind = random_range(100);

    group->id = id;
    group->n_buckets = 0;
    if (kind < 40) {
        ovs_strlcpy(group->head, "type=all", sizeof group->head);
        for (int i = 0; i < n; i++) {
            gen_bucket(group, 0);
        }
    } else if (kind < 60) {
        ovs_strlcpy(group->head, "type=indirect", sizeof group->head);
        gen_bucket(group, 0);
    } else if (kind < 80) {
        ovs_strlcpy(group->head, "type=ff", sizeof group->head);
        for (int i = 0; i < n; i++) {
            gen_bucket(group, WATCHED | (rnd_chance(40) ? DEAD : 0));
        }
    } else {
        gen_select(group);
    }
}

static bool
is_valid(const struct rnd_group *group)
{
    char *text = rnd_group_text(group);
    enum ofputil_protocol usable;
    struct ofputil_group_mod gm;
    char *error;

    error = parse_ofp_group_mod_str(&gm, OFPGC11_ADD, text, NULL, NULL,
                                    &usable);
    if (!error) {
        ofputil_uninit_group_mod(&gm);
    }
    free(error);
    free(text);
    return !error;
}

void
rnd_gen_groups(struct rnd_case *c)
{
    rnd_n_groups = rnd_chance(30) ? 1 + (int) random_range(RND_MAX_GROUPS)
                   : 0;
    rnd_n_meters = rnd_chance(15) ? 1 + (int) random_range(RND_MAX_METERS)
                   : 0;
    c->n_groups = rnd_n_groups;
    c->n_meters = rnd_n_meters;
    rnd_recirculates = false;
    for (int i = 0; i < c->n_groups; i++) {
        do {
            gen_group(&c->groups[i], i + 1);
        } while (!is_valid(&c->groups[i]));
        rnd_recirculates |= strstr(c->groups[i].head, "dp_hash") != NULL;
    }
    c->recirculates = rnd_recirculates;
}
