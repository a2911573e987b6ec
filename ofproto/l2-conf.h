/* SPDX-License-Identifier: Apache-2.0 */

/* The L2 configuration as workers see it, and what NORMAL decides with it.
 *
 * What: a `struct of_l2_conf` is an immutable copy of a bridge's bundles:
 * which port belongs to which, VLAN modes, who takes part in floods.  The
 * functions below are NORMAL without the FDB: whether a packet is admitted,
 * in which VLAN, which bundles a flood reaches, and which tags a packet
 * carries when it leaves.  Worker and slow path both use them.
 *
 * Ownership: l2.c makes configurations and frees a replaced one after RCU
 * quiescence.  Threads: read only, any.
 *
 * VLANs: as in OVS's ofproto-dpif, up to two tags; modes are OVSDB's
 * Port:vlan_mode (IEEE 802.1Q, 802.1ad for dot1q-tunnel). */

#ifndef OFPROTO_L2_CONF_H
#define OFPROTO_L2_CONF_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "flow.h"
#include "ovs-atomic.h"
#include "openvswitch/types.h"
#include "ofproto/ofproto.h"
#include "datapath/dp.h"

struct bfd;
struct cfm;
struct lldp;
struct of_bond;

/* A bundle: an OVSDB Port. */
struct of_l2_bundle {
    ofp_port_t port;            /* Where its packets leave; of a bond, what
                                 * stands for it in the FDB. */
    struct of_bond *bond;       /* Referenced; null: none. */
    uint32_t src_mirrors;       /* Mirrors that select what it receives... */
    uint32_t dst_mirrors;       /* ...and what it sends: bits. */
    bool mirror_out;            /* Reserved for the output of mirrors. */
    enum port_vlan_mode vlan_mode;
    enum port_priority_tags_mode priority_tags;
    uint16_t vlan;              /* Access or native VLAN; not for trunks. */
    uint16_t qinq_ethtype;    /* dot1q-tunnel: TPID of the outer tag. */
    bool floodable;
    bool protected;
    unsigned long *trunks;      /* Bitmap of 4096, or null for all: owned. */
    unsigned long *cvlans;      /* The same for dot1q-tunnel: owned. */
};

/* A port: which bundle it is in, and what its link protocols are.  The slots
 * are an open hash table. */
struct of_l2_port {
    uint32_t port;              /* OpenFlow number, or UINT32_MAX: free. */
    uint32_t bundle;            /* Index in 'bundles', or OF_L2_NO_BUNDLE. */
    bool lacp;
    bool stp;                   /* The bridge runs STP or RSTP. */
    uint8_t unicast, multicast; /* enum bond_verdict on what it receives. */
    struct bfd *bfd;            /* Referenced, as the following; or null. */
    struct cfm *cfm;
    struct lldp *lldp;
};
#define OF_L2_NO_BUNDLE UINT32_MAX

/* Counts of a mirror, any worker's. */
struct of_l2_mirror_stats {
    struct ovs_refcount ref_cnt;
    atomic_uint64_t packets, bytes;
};

/* A mirror; its number is its bit. */
struct of_l2_mirror {
    unsigned long *vlans;       /* Bitmap of those it selects, or null: all;
                                 * owned. */
    uint32_t out;               /* Index of its output bundle, or
                                 * OF_L2_NO_BUNDLE: then 'out_vlan'. */
    uint16_t out_vlan;
    uint16_t snaplen;           /* Bytes, 0: all. */
    uint32_t dups;              /* Mirrors with the same output, its own bit
                                 * included. */
    struct of_l2_mirror_stats *stats;   /* Referenced. */
};
enum { OF_MAX_MIRRORS = 32 };

struct of_l2_conf {
    bool forward_bpdu;
    unsigned long *flood_vlans; /* Bitmap: no learning there; null: none. */
    size_t n_bundles;
    struct of_l2_bundle *bundles;
    uint32_t slot_mask;         /* Number of slots minus one. */
    struct of_l2_port *slots;
    uint32_t mirrors_used;      /* Bits. */
    struct of_l2_mirror mirrors[OF_MAX_MIRRORS];
};

/* What NORMAL looks at in a packet. */
struct of_l2_packet {
    struct eth_addr dl_dst;
    struct eth_addr dl_src;
    ovs_be16 dl_type;
    bool is_ethernet;
    bool gratuitous_arp;
    union flow_vlan_hdr vlans[FLOW_MAX_VLAN_HEADERS];
};

/* Tags in host order; 'tpid' 0: absent. */
struct of_l2_vlans {
    struct {
        uint16_t tpid, vid, pcp;
    } v[FLOW_MAX_VLAN_HEADERS];
};

/* What was decided about a packet at its input. */
struct of_l2_input {
    const struct of_l2_bundle *bundle; /* Null: from a controller. */
    struct of_l2_vlans vlans;   /* Inside the bridge. */
    uint16_t vlan;              /* ...the outermost VID: the FDB's VLAN. */
    bool learn;                 /* The source address may be learned. */
    bool check_moved;           /* Drop it if its source is known to be
                                 * elsewhere: of_l2_has_moved(). */
};

/* An empty configuration of 'n_bundles' bundles that will hold at most
 * 'n_ports' ports. */
struct of_l2_conf *of_l2_conf_create(size_t n_bundles, size_t n_ports);
void of_l2_conf_destroy(struct of_l2_conf *);
/* Adds a port; the caller fills in what is not 0. */
struct of_l2_port *of_l2_conf_add_port(struct of_l2_conf *, ofp_port_t,
                                       size_t bundle);
/* Null if there is no such port. */
const struct of_l2_port *of_l2_conf_port(const struct of_l2_conf *,
                                         ofp_port_t);

/* The bundle that 'port' is in, or null. */
const struct of_l2_bundle *of_l2_conf_find(const struct of_l2_conf *,
                                           ofp_port_t port);

/* Decides whether 'packet', which came in by 'in_port', is forwarded.
 * Returns DP_DROP_NONE and fills in '*input', or the reason to drop. */
enum dp_drop_reason of_l2_admit(const struct of_l2_conf *, ofp_port_t in_port,
                                const struct of_l2_packet *packet,
                                struct of_l2_input *input);

/* The VLANs that a packet with 'vlans' is in once it came in by 'bundle';
 * false if the bundle does not take it. */
bool of_l2_input_vlans(const struct of_l2_bundle *,
                       const union flow_vlan_hdr vlans[],
                       struct of_l2_vlans *);
/* Whether 'bundle' carries the VLAN of 'vlans'. */
bool of_l2_carries(const struct of_l2_bundle *, const struct of_l2_vlans *);

/* A packet that 'input' says to check, with its source known at port 'known',
 * by an address that is locked or not: to be dropped? */
bool of_l2_has_moved(const struct of_l2_input *,
                     const struct of_l2_packet *, ofp_port_t known,
                     bool locked);

/* Whether the packet may leave by 'out', and for a flood, whether it does. */
bool of_l2_may_output(const struct of_l2_input *,
                      const struct of_l2_bundle *out);
bool of_l2_floods_to(const struct of_l2_input *,
                     const struct of_l2_bundle *out);
/* The same for a multicast that 'out' wants. */
bool of_l2_multicasts_to(const struct of_l2_input *,
                         const struct of_l2_bundle *out);

/* Writes into 'vlans', which on entry holds the packet's, the tags it has
 * when it leaves by 'out'. */
void of_l2_output_vlans(const struct of_l2_input *,
                        const struct of_l2_bundle *out,
                        union flow_vlan_hdr vlans[FLOW_MAX_VLAN_HEADERS]);

#endif /* ofproto/l2-conf.h */
