/* SPDX-License-Identifier: Apache-2.0 */

/* Continuations: what is left to do of a packet when controller(pause) hands
 * it to a controller, as a list of actions that NXT_RESUME gives back.
 *
 * Threads: no state. */

#ifndef OFPROTO_FREEZE_H
#define OFPROTO_FREEZE_H 1

#include <stddef.h>
#include "openvswitch/ofpbuf.h"
#include "openvswitch/types.h"

struct ofpact;

/* The list that is being made; zeroed at first. */
struct of_freeze {
    struct ofpbuf actions;
    size_t unroll;              /* Offset of the last unroll_xlate plus 1. */
};

void of_freeze_init(struct of_freeze *);
void of_freeze_uninit(struct of_freeze *);

/* Appends the actions from 'a' to 'end', which belong to a rule of
 * 'table_id' with 'cookie'. */
void of_freeze_append(struct of_freeze *, const struct ofpact *a,
                      const struct ofpact *end, uint8_t table_id,
                      ovs_be64 cookie);

#endif /* ofproto/freeze.h */
