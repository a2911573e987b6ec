/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OFPROTO_COMPILE_PLAN_LEVELS_H
#define OFPROTO_COMPILE_PLAN_LEVELS_H 1

/* For plans that look for the highest priority only: which rules have which
 * priority.  Of rules of one priority with different masks no two may
 * overlap, because of two that do the general plan gives a certain one. */

#include <stdbool.h>
#include "openvswitch/hmap.h"

struct vm_map;
struct vm_ventry;

struct of_levels {
    struct hmap levels;
};

void of_levels_init(struct of_levels *);
void of_levels_destroy(struct of_levels *);

/* 'e' is an entry of 'map' that comes.  False: it overlaps with another one,
 * or there are too many to tell; it is not noted. */
bool of_levels_join(struct of_levels *, const struct vm_map *map,
                    const struct vm_ventry *e);
/* 'e', which is noted, goes. */
void of_levels_leave(struct of_levels *, const struct vm_ventry *e);

#endif /* ofproto/compile/plan-levels.h */
