/* SPDX-License-Identifier: Apache-2.0 */

/* Which kind of port serves which netdev. */

#ifndef DATAPATH_PORT_KINDS_H
#define DATAPATH_PORT_KINDS_H 1

struct dp_port_ops;
struct netdev;

/* Never null: every netdev of Open vSwitch has an adapter. */
const struct dp_port_ops *dp_port_kind(const struct netdev *);

#endif /* datapath/port-kinds.h */
