/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_OPENFLOW_H
#define UTILITIES_REPLAY_OPENFLOW_H 1

/* What ovs-ofctl would do to the switch in this process, with a connection of
 * its own each time.
 *
 * Functions that can fail return NULL, or a sentence that the caller frees.
 * They run the switch until it has answered. */

#include "openvswitch/ofp-protocol.h"
#include "utilities/replay-flows.h"

struct ds;

/* Installs the flows in the file's order.  The sentence about a flow that the
 * switch refuses names its line. */
char *replay_openflow_install(const struct replay_flows *);

/* Applies "TABLE:MODE", as "ovs-ofctl mod-table" with "TABLE MODE". */
char *replay_openflow_table_miss(const char *setting);

/* Appends the flows, sorted, one a line with its counters, in the words of
 * one of 'protocols'. */
char *replay_openflow_dump(enum ofputil_protocol protocols, struct ds *out);

#endif /* utilities/replay-openflow.h */
