/* SPDX-License-Identifier: Apache-2.0 */

/* When DPDK starts, and what ports of its types get while it does not run.
 *
 * DPDK starts when other_config:dpdk-init says so ("true", "try"), or when
 * the first port of one of its types is configured, unless dpdk-init is
 * "false".  Open vSwitch's dpdk_init() does it, but ends the process when it
 * fails; here the switch goes on, and each port of these types has a sentence
 * in its error column that says what to do.
 *
 * Threads: the main thread. */

#ifndef DATAPATH_DPDK_START_H
#define DATAPATH_DPDK_START_H 1

struct smap;

/* Takes the place of dpdk_init() in bridge.o (utilities/ovs-link.mk):
 * 'other_config' is that member of a `struct ovsrec_open_vswitch'. */
void dp_dpdk_init(const struct smap *other_config);

#endif /* datapath/dpdk-start.h */
