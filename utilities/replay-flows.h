/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_FLOWS_H
#define UTILITIES_REPLAY_FLOWS_H 1

/* A file of flows, in ovs-ofctl's syntax: one a line, '#' begins a comment,
 * a line may start with add, modify, modify_strict, delete or
 * delete_strict. */

#include <stddef.h>
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-protocol.h"

struct replay_flow {
    struct ofputil_flow_mod mod;
    int line;                       /* In the file, from 1. */
};

struct replay_flows {
    char *file;
    struct replay_flow *flows;
    size_t n, allocated;
    enum ofputil_protocol usable;   /* Protocols that can say all of it. */
};

/* Returns NULL, or a sentence with file and line that the caller frees. */
char *replay_flows_read(const char *file, struct replay_flows *);
void replay_flows_destroy(struct replay_flows *);

#endif /* utilities/replay-flows.h */
