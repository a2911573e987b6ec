/* SPDX-License-Identifier: Apache-2.0 */

/* PARSE: the program that turns a packet into a key.
 *
 * It fills the words of the key, and the offsets of headers, that
 * flow_extract() of libopenvswitch would, as deep as a level says; the
 * context comes with a key of zeros but for what is not in the packet.  It
 * reads Ethernet, VLAN tags, IPv4 without options, IPv6 without extension
 * headers, ARP, TCP, UDP, SCTP, ICMP and ICMPv6 by itself.  All others
 * (options, fragments, extension headers, neighbor discovery, MPLS, NSH,
 * IGMP, 802.2) go to the helper PARSE, libopenvswitch's own parser.
 *
 * Threads: any. */

#ifndef OFPROTO_COMPILE_PARSE_H
#define OFPROTO_COMPILE_PARSE_H 1

#include "vm/err.h"
#include "ofproto/compile/compile.h"

struct vm_prog;

/* Makes the program for 'level' that sees up to 'vlan_limit' VLAN tags (0 to
 * FLOW_MAX_VLAN_HEADERS, libopenvswitch's flow_vlan_limit).  0 or a negative
 * errno with a sentence. */
int of_parse_make(enum of_parse_level level, int vlan_limit,
                  struct vm_prog **progp, struct vm_err *);

#endif /* ofproto/compile/parse.h */
