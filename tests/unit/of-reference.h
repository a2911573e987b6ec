/* SPDX-License-Identifier: Apache-2.0 */

/* What OpenFlow says that a packet's flow and outputs become: a slow, plain
 * interpreter of ofpacts over struct flow, written after OVS's xlate, to
 * compare compiled programs with.  Packets' bytes are no business of it. */

#ifndef TESTS_UNIT_OF_REFERENCE_H
#define TESTS_UNIT_OF_REFERENCE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "flow.h"
#include "openvswitch/ofpbuf.h"
#include "tests/unit/of-rules.h"

enum { REF_MAX_EVENTS = 4096, REF_MAX_PORT = 4 };

/* A packet-in that an action asked for. */
struct ref_event {
    bool invalid_ttl;           /* By dec_ttl, to controller 0. */
    uint16_t controller_id;
    uint8_t reason;
    struct flow flow;
};

struct ref {
    const struct or_rules *rules;
    struct flow flow;
    struct ofpbuf action_set;
    const struct or_rule *rule; /* Current. */
    uint8_t table_id;
    int depth, resubmits;
    bool exit, error, in_set;

    struct ref_event *events;
    size_t n_events;
    unsigned n_out[REF_MAX_PORT + 1];   /* Packets sent to each port. */
};

/* Runs a packet whose flow is 'flow' through the tables; all ports 1 to
 * REF_MAX_PORT exist. */
void ref_run(struct ref *, const struct or_rules *, const struct flow *);
void ref_uninit(struct ref *);

#endif /* tests/unit/of-reference.h */
