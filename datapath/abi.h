/* SPDX-License-Identifier: Apache-2.0 */

/* What a generated program sees: its context, and the helpers it may call.
 *
 * R1 of every program of the bridge type points to a `struct dp_ctx`.  PARSE
 * fills the key from the packet's headers, table programs match on the key
 * and action programs change it; none of them touches packet bytes.  COMMIT
 * (a helper) writes changed header fields back, once, when bytes must leave.
 *
 * Ownership: a context belongs to one worker; it is valid for one packet.
 * Threads: only its worker touches it.
 * The offsets below are an ABI between the compiler (ofproto/compile), the
 * verifier's member table (datapath/bridge-type.c) and the JIT; they are
 * pinned by static assertions in datapath/ctx.c. */

#ifndef DATAPATH_ABI_H
#define DATAPATH_ABI_H 1

#include <stdint.h>
#include "vm/prog.h"

struct dp_packet;
struct dp_bridge_conf;
struct dp_cold;
struct vm_slots;

/* Key words
 * =========
 *
 * The key is an array of 64-bit words.  Each word has the content and the
 * byte order of one aligned 64-bit word of libopenvswitch's `struct flow`
 * (so a rule's minimask maps to key words one to one), in an order that puts
 * what most pipelines match into the first cache line.
 *
 * DP_KEY(NAME, FLOW_MEMBER, N_WORDS): 'N_WORDS' words from 'FLOW_MEMBER' on.
 * in_port is the OpenFlow port number (`flow->in_port.ofp_port`). */
#define DP_KEYS                                 \
    DP_KEY(ETH,      dl_dst,        2)          \
    DP_KEY(PORT,     dp_hash,       1)          \
    DP_KEY(VLAN,     vlans,         1)          \
    DP_KEY(IPV4,     nw_src,        1)          \
    DP_KEY(NW,       ipv6_label,    1)          \
    DP_KEY(TP,       tp_src,        1)          \
    DP_KEY(METADATA, metadata,      1)          \
    DP_KEY(REG,      regs,          8)          \
    DP_KEY(IPV6,     ipv6_src,      4)          \
    DP_KEY(ARP,      arp_sha,       2)          \
    DP_KEY(ND,       nd_target,     2)          \
    DP_KEY(MPLS,     mpls_lse,      2)          \
    DP_KEY(IGMP,     igmp_group_ip4, 1)         \
    DP_KEY(MARK,     skb_priority,  1)          \
    DP_KEY(RECIRC,   recirc_id,     1)          \
    DP_KEY(TYPE,     ct_mark,       1)          \
    DP_KEY(ACTSET,   conj_id,       1)          \
    DP_KEY(CT_LABEL, ct_label,      2)          \
    DP_KEY(CT_IPV4,  ct_nw_src,     1)          \
    DP_KEY(CT_IPV6,  ct_ipv6_src,   4)          \
    DP_KEY(NSH,      nsh,           3)

/* DP_KEY_<NAME>: index of the group's first word; DP_KEY_WORDS: how many
 * words there are in all. */
enum dp_key_word {
#define DP_KEY(NAME, MEMBER, N_WORDS)                                   \
    DP_KEY_##NAME, DP_KEY_##NAME##_LAST = DP_KEY_##NAME + (N_WORDS) - 1,
    DP_KEYS
#undef DP_KEY
    DP_KEY_WORDS
};

/* Which words of the key from DP_KEY_REG on were written and must be reset
 * before the next packet. */
enum dp_wide {
    DP_WIDE_ANY = 1 << 0,
    DP_WIDE_TCP_FLAGS = 1 << 1  /* That with tcp_flags, if not ANY. */
};

/* Header groups that an action program has changed in the key and COMMIT has
 * yet to write into the packet. */
enum dp_dirty {
    DP_DIRTY_ETH = 1 << 0,      /* dl_dst, dl_src. */
    DP_DIRTY_VLAN = 1 << 1,     /* vlans[]: values or their number. */
    DP_DIRTY_IPV4 = 1 << 2,     /* nw_src, nw_dst, tos, ttl of IPv4. */
    DP_DIRTY_IPV6 = 1 << 3,     /* Addresses, label, tc, hop limit of IPv6. */
    DP_DIRTY_ARP = 1 << 4,      /* spa, tpa, sha, tha, op. */
    DP_DIRTY_TP = 1 << 5,       /* Ports of TCP, UDP, SCTP. */
    DP_DIRTY_ICMP = 1 << 6,     /* Type and code of ICMP and ICMPv6. */
    DP_DIRTY_ND = 1 << 7,       /* Target, sll, tll, reserved of ND. */
    DP_DIRTY_MPLS = 1 << 8,
    DP_DIRTY_NSH = 1 << 9,
};

/* The word that a flow table's map gives for a packet: which action program
 * runs (a slot of the bridge's slot page) and for which flow. */
#define DP_HIT(SLOT, FLOW) ((uint64_t) (SLOT) << 32 | (uint32_t) (FLOW))
#define DP_HIT_SLOT(HIT) ((uint32_t) ((HIT) >> 32))
#define DP_HIT_FLOW(HIT) ((uint32_t) (HIT))

/* The bridge's slot page. */
enum dp_slot {
    DP_SLOT_PARSE = 0,          /* Where each received packet starts. */
    DP_SLOT_TABLE = 1,          /* Table N is slot DP_SLOT_TABLE + N. */
    DP_SLOT_END = 256,          /* Resumes a pending frame, or exits. */
    DP_SLOT_PLAIN = 257,        /* Table 0 while there are taps (tap.h). */
    DP_SLOT_ACTIONS = 258,      /* Action programs, shared by shape. */
    DP_N_SLOTS = 16384
};

struct dp_ctx {
    /* The same for all packets of a latch. */
    struct vm_slots *slots;     /* Hidden: latched slot page. */
    uint64_t version;           /* Read-only: latched tables version. */
    const struct dp_bridge_conf *conf; /* Read-only words of the bridge. */
    struct dp_cold *cold;       /* Hidden: worker's frames, action set... */
    struct vm_turn turn;        /* Hidden: its place in a burst. */

    /* Of the packet. */
    struct dp_packet *packet;   /* Hidden. */
    uint8_t *data;              /* Packet pointer, for PARSE. */
    uint8_t *data_end;          /* Packet end. */
    uint64_t hit;               /* Current rule: DP_HIT(slot, flow). */
    uint32_t in_port;           /* Real OpenFlow input port (the key's may be
                                 * overridden during a resubmit's lookup). */
    uint32_t dirty;             /* Set of enum dp_dirty. */
    uint32_t packet_size;       /* Bytes as received, for counters. */
    union {
        struct {
            uint16_t resubmits; /* Table lookups so far. */
            uint8_t depth;      /* Levels of backward resubmits. */
            uint8_t table_id;   /* Table of 'hit'. */
        };
        uint32_t lookups;
    };
    uint16_t l2_5_ofs;          /* Offsets from 'data', UINT16_MAX if none. */
    uint16_t l3_ofs;
    uint16_t l4_ofs;
    uint8_t n_vlans;            /* VLAN headers in the packet's bytes. */
    uint8_t wide;               /* Set of enum dp_wide: whoever writes words of
                                 * the key from DP_KEY_REG on says so. */
    uint64_t scratch;           /* Free for one program's use. */

    uint64_t key[DP_KEY_WORDS];
};

/* Words of a bridge that programs read live; written by the main thread one
 * aligned word at a time (none of them is versioned by libofproto). */
struct dp_bridge_conf {
    uint32_t frag_handling;     /* enum ofputil_frag_handling. */
    uint32_t packet_in_on_miss; /* connmgr_wants_packet_in_on_miss(). */
    uint32_t forwarding;        /* 0 while flow-restore-wait holds it. */
    uint32_t watch_outputs;     /* dp_set_egress() sees them. */
    uint64_t table_miss[256];   /* See dp_table_miss(). */
};
/* The main thread writes what workers read. */
#define DP_CONF_GET(MEMBER) __atomic_load_n(&(MEMBER), __ATOMIC_RELAXED)
#define DP_CONF_SET(MEMBER, VALUE) \
    __atomic_store_n(&(MEMBER), VALUE, __ATOMIC_RELAXED)

/* Table-miss configurations: two of 'enum ofputil_table_miss' and the tables
 * version from which the second counts.  A packet that was received before
 * meets the configuration that went with the flows of then. */
static inline uint64_t
dp_table_miss_word(uint64_t version, unsigned before, unsigned since)
{
    return version << 8 | before << 4 | since;
}

static inline unsigned
dp_table_miss(uint64_t word, uint64_t version)
{
    return (version < word >> 8 ? word >> 4 : word) & 0xf;
}

/* Helpers: rows of datapath/helpers.def.  Numbers are part of the ABI and
 * never reused.  VM_HELPER_GOTO and VM_HELPER_VLOOKUP are the VM's own. */
enum dp_helper_id {
#define DP_HELPER(NAME, ID, FN, ...) DP_HELPER_##NAME = ID,
#include "datapath/helpers.def"
#undef DP_HELPER
};

/* Slots of the action set, in the order of execution (OpenFlow 1.5.1, 5.6,
 * with the extensions of ofpacts_execute_action_set()).  All set_field and
 * move contributions are kept, in order of writing; of the others the last
 * one written. */
enum dp_aset_kind {
    DP_ASET_STRIP_VLAN,
    DP_ASET_POP_MPLS,
    DP_ASET_DECAP,
    DP_ASET_ENCAP,
    DP_ASET_PUSH_MPLS,
    DP_ASET_PUSH_VLAN,
    DP_ASET_DEC_TTL,
    DP_ASET_DEC_MPLS_TTL,
    DP_ASET_DEC_NSH_TTL,
    DP_ASET_SET,
    DP_ASET_METER,
    DP_ASET_SET_QUEUE,
    DP_ASET_GROUP,
    DP_ASET_OUTPUT,
    DP_ASET_RESUBMIT,
    DP_ASET_CT,
    DP_N_ASET_KINDS
};

#endif /* datapath/abi.h */
