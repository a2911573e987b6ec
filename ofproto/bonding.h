/* SPDX-License-Identifier: Apache-2.0 */

/* Bonds: several ports that are one bundle, and LACP.
 *
 * What: libofproto's bond.c and libopenvswitch's lacp.c are the truth: which
 * members are enabled, which of 256 buckets of a hash goes where, when to move
 * one.  Workers see a table of 256 ports that the main thread publishes, hash
 * as bond.c does, and count the bytes of each bucket, by which bond.c
 * rebalances.  bond.c keeps its own table to itself; so for each bucket a
 * packet that falls into it is found once, by trying, and asked about.
 *
 * Ownership: a `struct of_bond' is counted; its bundle and the configurations
 * that workers see (l2-conf.h) have references.
 *
 * Threads: the main thread, except of_bond_choose(): any. */

#ifndef OFPROTO_BONDING_H
#define OFPROTO_BONDING_H 1

#include <stdbool.h>
#include <stdint.h>
#include "openvswitch/types.h"

struct bond;
struct bond_settings;
struct flow;
struct of_bond;
struct of_bridge;
struct of_bundle;
struct of_l2;
struct of_l2_port;
struct of_port;
struct ofproto_bundle_settings;

struct of_bond *of_bond_ref(const struct of_bond *);
void of_bond_unref(struct of_bond *);

/* True if it is the fields of layer 4 that decide. */
bool of_bond_hashes_l4(const struct of_bond *);

/* The member that sends a packet of 'flow', in VLAN 'vlan' of the bridge, and
 * counts its 'size' bytes on behalf of 'worker'; OFPP_NONE: no member is
 * enabled.  Of 'flow' only the fields that flow_hash_5tuple() reads and the
 * source address count. */
ofp_port_t of_bond_choose(struct of_bond *, const struct flow *,
                          uint16_t vlan, uint32_t size, unsigned worker);

/* What the members of 'bundle' are now: makes, changes or removes its bond
 * and its LACP. */
void of_bundle_set_bond(struct of_bundle *,
                        const struct ofproto_bundle_settings *);
void of_bundle_set_lacp(struct of_bundle *,
                        const struct ofproto_bundle_settings *);
/* 'port' leaves; before it is taken from the bundle's list. */
void of_bundle_bond_del_port(struct of_bundle *, struct of_port *);
/* No member is left, or just one. */
void of_bundle_bond_gone(struct of_bundle *);

/* Whether packets that 'port', a member, receives are admitted. */
void of_bundle_member_verdicts(const struct of_bundle *,
                               const struct of_port *, struct of_l2_port *);

/* From the bridge's run() and wait(). */
void of_bundle_run(struct of_bundle *);
void of_bundle_wait(struct of_bundle *);


#endif /* ofproto/bonding.h */
