/* SPDX-License-Identifier: Apache-2.0 */

/* Which kind of port serves which netdev: the rows of port-kinds.def. */

#ifndef DATAPATH_PORT_KINDS_H
#define DATAPATH_PORT_KINDS_H 1

struct dp_port_ops;
struct netdev;

#define DP_PORT_KIND(NAME) \
    extern const struct dp_port_ops dp_port_##NAME##_ops;
#include "datapath/port-kinds.def"
#undef DP_PORT_KIND

/* Never null: every netdev of Open vSwitch has an adapter. */
const struct dp_port_ops *dp_port_kind(const struct netdev *);

#endif /* datapath/port-kinds.h */
