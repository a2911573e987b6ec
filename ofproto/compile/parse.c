/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/compile/parse.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "flow.h"
#include "openflow/openflow.h"
#include "packets.h"
#include "util.h"
#include "datapath/abi.h"
#include "datapath/dp.h"
#include "ofproto/compile/actions.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/load.h"
#include "vm/emit.h"

/* A word of the key is stored as a whole wherever one load can make it: a
 * lookup that loads what two stores have made waits for both.
 *
 * Registers:
 *
 *   r5  bytes that the IP header leaves for the transport header and payload
 *   r6  the context
 *   r7  the packet, moved along so that offsets are constants: first by 4
 *       for each VLAN tag, then to the transport header
 *   r8  the packet's end
 *   r9  offset of the network header */
struct parse {
    struct vm_emit e;
    enum of_parse_level level;
    int vlan_limit;
    vm_label_t done;            /* The key is as flow_extract() has it. */
    vm_label_t helper;          /* Let libopenvswitch do it from the start. */
    vm_label_t l4;              /* Transport: r0 is the protocol. */
};

#define CTX(MEMBER) offsetof(struct dp_ctx, MEMBER)

/* Where in its key word, which begins with 'FIRST', a member of the flow is:
 * programs are for this machine, so in its byte order. */
#ifdef WORDS_BIGENDIAN
#error "the key's words are put together in little-endian order"
#endif
#define BITS_FROM(MEMBER, FIRST) \
    (8 * (OF_KEY_OFF(MEMBER) - OF_KEY_OFF(FIRST)))

/* Offsets from r7 as long as it has not reached the transport header. */
enum {
    ETHERTYPE = 12,             /* ... behind the VLAN tags passed. */
    NETWORK = 14
};

/* Goes to 'no' if the packet has fewer than 'n' bytes from r7 on. */
static void
emit_bounds(struct vm_emit *e, int n, vm_label_t no)
{
    vm_emit_mov(e, VM_R1, VM_R7);
    vm_emit_alui(e, VM_ADD, VM_R1, n);
    vm_emit_jcc(e, VM_JGT, VM_R1, VM_R8, no);
}

/* The key word at 'ctx_off' = r1 = 'size' bytes of the packet at r7 + 'off',
 * and zeros. */
static void
emit_word(struct vm_emit *e, int size, int off, int ctx_off)
{
    vm_emit_ld(e, size, VM_R1, VM_R7, off);
    vm_emit_st(e, 8, VM_R6, ctx_off, VM_R1);
}

/* Copies 'size' bytes of the packet at r7 + 'off' to the key. */
static void
emit_copy(struct vm_emit *e, int size, int off, int ctx_off)
{
    vm_emit_ld(e, size, VM_R1, VM_R7, off);
    vm_emit_st(e, size, VM_R6, ctx_off, VM_R1);
}

/* A VLAN tag lies at r7 + 12.  As in flow_extract(), a tag is one only if the
 * next Ethernet type is there too. */
static void
emit_vlan(struct parse *p, int i, vm_label_t type)
{
    struct vm_emit *e = &p->e;

    vm_emit_note(e, "VLAN tag %d", i + 1);
    emit_bounds(e, ETHERTYPE + 6, type);
    vm_emit_ld(e, 4, VM_R1, VM_R7, ETHERTYPE);
    vm_emit_alui(e, VM_OR, VM_R1, (uint32_t) htons(VLAN_CFI) << 16);
    vm_emit_st(e, 4, VM_R6, OF_KEY_OFF(vlans) + 4 * i, VM_R1);
    vm_emit_sti(e, 1, VM_R6, CTX(n_vlans), i + 1);
    vm_emit_alui(e, VM_ADD, VM_R7, 4);
    vm_emit_alui(e, VM_ADD, VM_R9, 4);
    vm_emit_ld(e, 2, VM_R0, VM_R7, ETHERTYPE);
    if (i + 1 < p->vlan_limit) {
        vm_label_t next = vm_label(e);

        vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_VLAN_8021Q), next);
        vm_emit_jcci(e, VM_JNE, VM_R0, htons(ETH_TYPE_VLAN_8021AD), type);
        vm_bind(e, next);
        emit_vlan(p, i + 1, type);
    } else {
        vm_emit_goto(e, type);
    }
}

/* r5 = length of what the IP packet holds, checked to be there: length field
 * minus 'header', where the field counts 'header' of its own bytes. */
static void
emit_ip_length(struct parse *p, int field, int counted, int header)
{
    struct vm_emit *e = &p->e;

    vm_emit_ld(e, 2, VM_R5, VM_R7, field);
    vm_emit_be(e, VM_R5, 16);
    if (counted) {
        vm_emit_jcci(e, VM_JLT, VM_R5, counted, p->done);
        vm_emit_alui(e, VM_SUB, VM_R5, counted);
    }
    vm_emit_mov(e, VM_R1, VM_R8);
    vm_emit_alu(e, VM_SUB, VM_R1, VM_R7);
    vm_emit_alui(e, VM_SUB, VM_R1, NETWORK + header);
    vm_emit_jcc(e, VM_JGT, VM_R5, VM_R1, p->done);
}

/* The network header has 'size' bytes, r0 is the protocol, r1 the flow label,
 * r2 the type of service, r3 the TTL. */
static void
emit_end_of_ip(struct parse *p, int size)
{
    struct vm_emit *e = &p->e;

    vm_emit_alui(e, VM_LSH, VM_R2, BITS_FROM(nw_tos, ipv6_label));
    vm_emit_alui(e, VM_LSH, VM_R3, BITS_FROM(nw_ttl, ipv6_label));
    vm_emit_alu(e, VM_OR, VM_R1, VM_R2);
    vm_emit_alu(e, VM_OR, VM_R1, VM_R3);
    vm_emit_mov(e, VM_R2, VM_R0);
    vm_emit_alui(e, VM_LSH, VM_R2, BITS_FROM(nw_proto, ipv6_label));
    vm_emit_alu(e, VM_OR, VM_R1, VM_R2);
    vm_emit_st(e, 8, VM_R6, OF_KEY_OFF(ipv6_label), VM_R1);
    vm_emit_alui(e, VM_ADD, VM_R9, size);
    vm_emit_st(e, 2, VM_R6, CTX(l4_ofs), VM_R9);
    if (p->level >= OF_PARSE_L4) {
        vm_emit_alui(e, VM_ADD, VM_R7, NETWORK + size);
        vm_emit_goto(e, p->l4);
    } else {
        vm_emit_goto(e, p->done);
    }
}

static void
emit_ipv4(struct parse *p)
{
    struct vm_emit *e = &p->e;

    vm_emit_note(e, "IPv4");
    emit_bounds(e, NETWORK + IP_HEADER_LEN, p->done);
    vm_emit_ld(e, 1, VM_R0, VM_R7, NETWORK);
    vm_emit_alui(e, VM_AND, VM_R0, 0x0f);
    vm_emit_jcci(e, VM_JNE, VM_R0, IP_HEADER_LEN / 4, p->helper);
    emit_ip_length(p, NETWORK + 2, IP_HEADER_LEN, IP_HEADER_LEN);
    vm_emit_ld(e, 2, VM_R1, VM_R7, NETWORK + 6);
    vm_emit_alui(e, VM_AND, VM_R1, htons(IP_MORE_FRAGMENTS
                                         | IP_FRAG_OFF_MASK));
    vm_emit_jcci(e, VM_JNE, VM_R1, 0, p->helper);
    emit_word(e, 8, NETWORK + 12, OF_KEY_OFF(nw_src));
    vm_emit_movi(e, VM_R1, 0);
    vm_emit_ld(e, 1, VM_R2, VM_R7, NETWORK + 1);
    vm_emit_ld(e, 1, VM_R3, VM_R7, NETWORK + 8);
    vm_emit_ld(e, 1, VM_R0, VM_R7, NETWORK + 9);
    emit_end_of_ip(p, IP_HEADER_LEN);
}

static void
emit_ipv6(struct parse *p)
{
    static const uint8_t extensions[] = {
        IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH,
        IPPROTO_DSTOPTS
    };
    struct vm_emit *e = &p->e;

    vm_emit_note(e, "IPv6");
    emit_bounds(e, NETWORK + IPV6_HEADER_LEN, p->done);
    emit_ip_length(p, NETWORK + 4, 0, IPV6_HEADER_LEN);
    vm_emit_ld(e, 1, VM_R0, VM_R7, NETWORK + 6);
    for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
        vm_emit_jcci(e, VM_JEQ, VM_R0, extensions[i], p->helper);
    }
    for (int i = 0; i < 32; i += 8) {
        emit_word(e, 8, NETWORK + 8 + i, OF_KEY_OFF(ipv6_src) + i);
    }
    of_emit_wide(e, OF_KEY_OFF(ipv6_src));
    vm_emit_ld(e, 4, VM_R1, VM_R7, NETWORK);
    vm_emit_be(e, VM_R1, 32);
    vm_emit_mov(e, VM_R2, VM_R1);
    vm_emit_alui(e, VM_RSH, VM_R2, 20);
    vm_emit_alui(e, VM_AND, VM_R2, 0xff);
    vm_emit_alui(e, VM_AND, VM_R1, IPV6_LABEL_MASK);
    vm_emit_be(e, VM_R1, 32);
    vm_emit_ld(e, 1, VM_R3, VM_R7, NETWORK + 7);
    emit_end_of_ip(p, IPV6_HEADER_LEN);
}

static void
emit_arp(struct parse *p)
{
    struct vm_emit *e = &p->e;
    vm_label_t no_op = vm_label(e);

    vm_emit_note(e, "ARP and RARP of IPv4 over Ethernet");
    emit_bounds(e, NETWORK + ARP_ETH_HEADER_LEN, p->done);
    /* Hardware type 1, protocol 0x800, lengths 6 and 4; then the operation
     * in the upper 16 bits. */
    vm_emit_ld(e, 8, VM_R0, VM_R7, NETWORK);
    vm_emit_mov(e, VM_R1, VM_R0);
    vm_emit_alui(e, VM_LSH, VM_R1, 16);
    vm_emit_const(e, VM_R2, UINT64_C(0x0406000801000000));
    vm_emit_jcc(e, VM_JNE, VM_R1, VM_R2, p->done);
    emit_copy(e, 4, NETWORK + 14, OF_KEY_OFF(nw_src));
    emit_copy(e, 4, NETWORK + 24, OF_KEY_OFF(nw_dst));
    of_emit_wide(e, OF_KEY_OFF(arp_sha));
    emit_copy(e, 4, NETWORK + 8, OF_KEY_OFF(arp_sha));
    emit_copy(e, 2, NETWORK + 12, OF_KEY_OFF(arp_sha) + 4);
    emit_copy(e, 2, NETWORK + 18, OF_KEY_OFF(arp_tha));
    emit_copy(e, 4, NETWORK + 20, OF_KEY_OFF(arp_tha) + 2);
    vm_emit_alui(e, VM_RSH, VM_R0, 48);
    vm_emit_be(e, VM_R0, 16);
    vm_emit_jcci(e, VM_JGT, VM_R0, 0xff, no_op);
    vm_emit_st(e, 1, VM_R6, OF_KEY_OFF(nw_proto), VM_R0);
    vm_bind(e, no_op);
    vm_emit_goto(e, p->done);
}

static void
emit_ports(struct parse *p, int min_size)
{
    struct vm_emit *e = &p->e;

    vm_emit_jcci(e, VM_JLT, VM_R5, min_size, p->done);
    emit_bounds(e, min_size, p->done);
    emit_word(e, 4, 0, OF_KEY_OFF(tp_src));
    vm_emit_goto(e, p->done);
}

static void
emit_tcp(struct parse *p)
{
    struct vm_emit *e = &p->e;

    vm_emit_note(e, "TCP");
    vm_emit_jcci(e, VM_JLT, VM_R5, TCP_HEADER_LEN, p->done);
    emit_bounds(e, TCP_HEADER_LEN, p->done);
    vm_emit_ld(e, 1, VM_R1, VM_R7, 12);
    vm_emit_alui(e, VM_RSH, VM_R1, 4);
    vm_emit_alui(e, VM_LSH, VM_R1, 2);
    vm_emit_jcci(e, VM_JLT, VM_R1, TCP_HEADER_LEN, p->done);
    vm_emit_jcc(e, VM_JGT, VM_R1, VM_R5, p->done);
    vm_emit_ld(e, 2, VM_R1, VM_R7, 12);
    vm_emit_alui(e, VM_AND, VM_R1, htons(0x0fff));
    vm_emit_st(e, 2, VM_R6, OF_KEY_OFF(tcp_flags), VM_R1);
    /* Besides what IPv6 has noted. */
    vm_emit_ld(e, 1, VM_R1, VM_R6, CTX(wide));
    vm_emit_alui(e, VM_OR, VM_R1, DP_WIDE_TCP_FLAGS);
    vm_emit_st(e, 1, VM_R6, CTX(wide), VM_R1);
    emit_word(e, 4, 0, OF_KEY_OFF(tp_src));
    vm_emit_goto(e, p->done);
}

/* Type and code as 16-bit numbers. */
static void
emit_icmp(struct parse *p, bool nd)
{
    struct vm_emit *e = &p->e;
    vm_label_t plain = vm_label(e);

    vm_emit_jcci(e, VM_JLT, VM_R5, 8, p->done);
    emit_bounds(e, 8, p->done);
    vm_emit_ld(e, 1, VM_R1, VM_R7, 0);
    vm_emit_ld(e, 1, VM_R2, VM_R7, 1);
    if (nd) {
        vm_emit_jcci(e, VM_JNE, VM_R2, 0, plain);
        vm_emit_jcci(e, VM_JEQ, VM_R1, ND_NEIGHBOR_SOLICIT, p->helper);
        vm_emit_jcci(e, VM_JEQ, VM_R1, ND_NEIGHBOR_ADVERT, p->helper);
    }
    vm_bind(e, plain);
    vm_emit_st(e, 1, VM_R6, OF_KEY_OFF(tp_src) + 1, VM_R1);
    vm_emit_st(e, 1, VM_R6, OF_KEY_OFF(tp_dst) + 1, VM_R2);
    vm_emit_goto(e, p->done);
}

static void
emit_l4(struct parse *p)
{
    struct vm_emit *e = &p->e;
    vm_label_t tcp = vm_label(e);
    vm_label_t udp = vm_label(e);
    vm_label_t sctp = vm_label(e);
    vm_label_t icmp = vm_label(e);
    vm_label_t icmpv6 = vm_label(e);

    vm_bind(e, p->l4);
    vm_emit_note(e, "transport");
    vm_emit_jcci(e, VM_JEQ, VM_R0, IPPROTO_TCP, tcp);
    vm_emit_jcci(e, VM_JEQ, VM_R0, IPPROTO_UDP, udp);
    vm_emit_jcci(e, VM_JEQ, VM_R0, IPPROTO_ICMP, icmp);
    vm_emit_jcci(e, VM_JEQ, VM_R0, IPPROTO_ICMPV6, icmpv6);
    vm_emit_jcci(e, VM_JEQ, VM_R0, IPPROTO_SCTP, sctp);
    vm_emit_jcci(e, VM_JEQ, VM_R0, IPPROTO_IGMP, p->helper);
    vm_emit_goto(e, p->done);

    vm_bind(e, tcp);
    emit_tcp(p);
    vm_bind(e, udp);
    vm_emit_note(e, "UDP");
    emit_ports(p, UDP_HEADER_LEN);
    vm_bind(e, sctp);
    vm_emit_note(e, "SCTP");
    emit_ports(p, SCTP_HEADER_LEN);
    vm_bind(e, icmp);
    vm_emit_note(e, "ICMP");
    emit_icmp(p, false);
    vm_bind(e, icmpv6);
    vm_emit_note(e, "ICMPv6");
    emit_icmp(p, true);
}

static void
emit_l3(struct parse *p)
{
    struct vm_emit *e = &p->e;
    vm_label_t arp = vm_label(e);
    vm_label_t ipv4 = vm_label(e);
    vm_label_t ipv6 = vm_label(e);

    vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_IP), ipv4);
    vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_IPV6), ipv6);
    vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_ARP), arp);
    vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_RARP), arp);
    vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_NSH), p->helper);
    vm_emit_goto(e, p->done);

    vm_bind(e, ipv4);
    emit_ipv4(p);
    vm_bind(e, ipv6);
    emit_ipv6(p);
    vm_bind(e, arp);
    emit_arp(p);
    if (p->level >= OF_PARSE_L4) {
        emit_l4(p);
    }
}

static void
emit_ethernet(struct parse *p)
{
    struct vm_emit *e = &p->e;
    vm_label_t type = vm_label(e);
    vm_label_t vlan = vm_label(e);
    vm_label_t known = vm_label(e);

    vm_emit_note(e, "Ethernet");
    vm_emit_ld(e, 8, VM_R7, VM_R6, CTX(data));
    vm_emit_ld(e, 8, VM_R8, VM_R6, CTX(data_end));
    emit_bounds(e, 16, p->helper);
    vm_emit_movi(e, VM_R9, NETWORK);
    emit_word(e, 8, 0, OF_KEY_OFF(dl_dst));
    vm_emit_ld(e, 8, VM_R1, VM_R7, 8);
    vm_emit_alui(e, VM_LSH, VM_R1, 16);
    vm_emit_alui(e, VM_RSH, VM_R1, 16);
    vm_emit_st(e, 8, VM_R6, OF_KEY_OFF(dl_dst) + 8, VM_R1);
    vm_emit_mov(e, VM_R0, VM_R1);
    vm_emit_alui(e, VM_RSH, VM_R0, 32);
    vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_IP), known);
    if (p->vlan_limit > 0) {
        vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_VLAN_8021Q), vlan);
        vm_emit_jcci(e, VM_JEQ, VM_R0, htons(ETH_TYPE_VLAN_8021AD), vlan);
    }

    vm_bind(e, type);
    vm_emit_note(e, "Ethernet type");
    vm_emit_mov(e, VM_R1, VM_R0);
    vm_emit_be(e, VM_R1, 16);
    vm_emit_jcci(e, VM_JLT, VM_R1, ETH_TYPE_MIN, p->helper);
    /* The network header of MPLS is behind the labels. */
    vm_emit_jcci(e, VM_JEQ, VM_R1, ETH_TYPE_MPLS, p->helper);
    vm_emit_jcci(e, VM_JEQ, VM_R1, ETH_TYPE_MPLS_MCAST, p->helper);
    vm_emit_st(e, 2, VM_R6, OF_KEY_OFF(dl_type), VM_R0);
    vm_bind(e, known);
    vm_emit_st(e, 2, VM_R6, CTX(l3_ofs), VM_R9);
    if (p->level >= OF_PARSE_L3) {
        emit_l3(p);
    } else {
        vm_emit_goto(e, p->done);
    }

    vm_bind(e, vlan);
    if (p->vlan_limit > 0) {
        emit_vlan(p, 0, type);
    }
}

int
of_parse_make(enum of_parse_level level, int vlan_limit,
              struct vm_prog **progp, struct vm_err *err)
{
    static const char *const names[] = { "none", "L2", "L3", "L4" };
    struct parse p = { .level = level, .vlan_limit = vlan_limit };
    struct vm_emit *e = &p.e;
    char name[32];

    vm_emit_init(e);
    p.done = vm_label(e);
    p.helper = vm_label(e);
    p.l4 = vm_label(e);
    if (level < OF_PARSE_L4) {
        /* Not jumped to. */
        vm_bind(e, p.l4);
    }

    vm_emit_mov(e, VM_R6, VM_R1);
    if (level > OF_PARSE_NONE) {
        emit_ethernet(&p);
    }
    vm_bind(e, p.helper);
    if (level > OF_PARSE_NONE) {
        vm_emit_note(e, "other packets: libopenvswitch");
        vm_emit_mov(e, VM_R1, VM_R6);
        vm_emit_call(e, DP_HELPER_PARSE);
    }
    vm_bind(e, p.done);
    vm_emit_note(e, "table 0");
    of_emit_goto(e, DP_SLOT_TABLE);

    snprintf(name, sizeof name, "parse:%s-%d", names[level], vlan_limit);
    int error = of_load(e, name, progp, err);
    vm_emit_uninit(e);
    return error;
}
