/* SPDX-License-Identifier: Apache-2.0 */

/* The flow that a learn action makes.
 *
 * Threads: any; ofproto_mutex must not be held (of_learn_now()). */

#ifndef OFPROTO_LEARN_FLOW_H
#define OFPROTO_LEARN_FLOW_H 1

#include <stdbool.h>
#include "openvswitch/ofp-errors.h"

struct flow;
struct of_bridge;
struct ofpact_learn;
struct ofproto_flow_mod;

/* Prepares the flow_mod for a packet with 'flow'.  On success '*ofm' must be
 * executed or end in ofproto_flow_mod_uninit(). */
enum ofperr of_learn_prepare(struct of_bridge *, const struct ofpact_learn *,
                             const struct flow *, struct ofproto_flow_mod *);

/* Prepares and executes it; '*successp': not over the action's limit. */
enum ofperr of_learn_now(struct of_bridge *, const struct ofpact_learn *,
                         const struct flow *, bool *successp);

#endif /* ofproto/learn-flow.h */
