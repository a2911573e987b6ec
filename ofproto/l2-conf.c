/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/l2-conf.h"

#include <string.h>
#include "bitmap.h"
#include "bfd.h"
#include "cfm.h"
#include "hash.h"
#include "ofproto/bond.h"
#include "ovs-lldp.h"
#include "packets.h"
#include "util.h"
#include "ofproto/bonding.h"

#define NO_PORT UINT32_MAX

/* Configurations. */

struct of_l2_conf *
of_l2_conf_create(size_t n_bundles, size_t n_ports)
{
    struct of_l2_conf *conf = xzalloc(sizeof *conf);
    size_t n_slots = 8;

    while (n_slots < 2 * n_ports) {
        n_slots *= 2;
    }
    conf->n_bundles = n_bundles;
    conf->bundles = xcalloc(MAX(n_bundles, 1), sizeof *conf->bundles);
    conf->slot_mask = n_slots - 1;
    conf->slots = xcalloc(n_slots, sizeof *conf->slots);
    for (size_t i = 0; i < n_slots; i++) {
        conf->slots[i].port = NO_PORT;
    }
    return conf;
}

static void
mirror_uninit(struct of_l2_mirror *mirror)
{
    bitmap_free(mirror->vlans);
    if (mirror->stats
        && ovs_refcount_unref(&mirror->stats->ref_cnt) == 1) {
        free(mirror->stats);
    }
}

void
of_l2_conf_destroy(struct of_l2_conf *conf)
{
    if (!conf) {
        return;
    }
    for (size_t i = 0; i < conf->n_bundles; i++) {
        bitmap_free(conf->bundles[i].trunks);
        bitmap_free(conf->bundles[i].cvlans);
        of_bond_unref(conf->bundles[i].bond);
    }
    for (size_t i = 0; i <= conf->slot_mask; i++) {
        bfd_unref(conf->slots[i].bfd);
        cfm_unref(conf->slots[i].cfm);
        lldp_unref(conf->slots[i].lldp);
    }
    for (size_t i = 0; i < OF_MAX_MIRRORS; i++) {
        mirror_uninit(&conf->mirrors[i]);
    }
    bitmap_free(conf->flood_vlans);
    free(conf->bundles);
    free(conf->slots);
    free(conf);
}

static uint32_t
port_hash(ofp_port_t port)
{
    return hash_int(ofp_to_u16(port), 0);
}

struct of_l2_port *
of_l2_conf_add_port(struct of_l2_conf *conf, ofp_port_t port, size_t bundle)
{
    uint32_t i = port_hash(port) & conf->slot_mask;

    while (conf->slots[i].port != NO_PORT) {
        i = (i + 1) & conf->slot_mask;
    }
    conf->slots[i].port = ofp_to_u16(port);
    conf->slots[i].bundle = bundle;
    return &conf->slots[i];
}

const struct of_l2_port *
of_l2_conf_port(const struct of_l2_conf *conf, ofp_port_t port)
{
    uint32_t i = port_hash(port) & conf->slot_mask;

    while (conf->slots[i].port != NO_PORT) {
        if (conf->slots[i].port == ofp_to_u16(port)) {
            return &conf->slots[i];
        }
        i = (i + 1) & conf->slot_mask;
    }
    return NULL;
}

const struct of_l2_bundle *
of_l2_conf_find(const struct of_l2_conf *conf, ofp_port_t port)
{
    const struct of_l2_port *p = of_l2_conf_port(conf, port);

    return (p && p->bundle != OF_L2_NO_BUNDLE ? &conf->bundles[p->bundle]
            : NULL);
}

/* VLANs. */

static bool
trunks_vlan(const struct of_l2_bundle *b, uint16_t vid)
{
    return (b->vlan_mode != PORT_VLAN_ACCESS
            && (!b->trunks || bitmap_is_set(b->trunks, vid)));
}

static bool
allows_cvlan(const struct of_l2_bundle *b, uint16_t vid)
{
    return !b->cvlans || bitmap_is_set(b->cvlans, vid);
}

/* Whether a packet with outer VID 'vid' (0: untagged or priority-tagged) may
 * come in by 'b'. */
static bool
vid_is_valid(const struct of_l2_bundle *b, uint16_t vid)
{
    switch (b->vlan_mode) {
    case PORT_VLAN_ACCESS:
        return !vid;

    case PORT_VLAN_NATIVE_UNTAGGED:
    case PORT_VLAN_NATIVE_TAGGED:
        /* The native VLAN is always carried. */
        return !vid || trunks_vlan(b, vid);

    case PORT_VLAN_TRUNK:
        return trunks_vlan(b, vid);

    case PORT_VLAN_DOT1Q_TUNNEL:
        return allows_cvlan(b, vid);
    }
    return false;
}

bool
of_l2_carries(const struct of_l2_bundle *b, const struct of_l2_vlans *vlans)
{
    switch (b->vlan_mode) {
    case PORT_VLAN_ACCESS:
        return vlans->v[0].vid == b->vlan && !vlans->v[1].vid;

    case PORT_VLAN_TRUNK:
    case PORT_VLAN_NATIVE_UNTAGGED:
    case PORT_VLAN_NATIVE_TAGGED:
        return trunks_vlan(b, vlans->v[0].vid);

    case PORT_VLAN_DOT1Q_TUNNEL:
        return (vlans->v[0].vid == b->vlan
                && allows_cvlan(b, vlans->v[1].vid));
    }
    return false;
}

static void
vlans_extract(const union flow_vlan_hdr hdrs[], struct of_l2_vlans *vlans)
{
    memset(vlans, 0, sizeof *vlans);
    for (int i = 0; i < FLOW_MAX_VLAN_HEADERS; i++) {
        if (!eth_type_vlan(hdrs[i].tpid)
            || !(hdrs[i].tci & htons(VLAN_CFI))) {
            break;
        }
        vlans->v[i].tpid = ntohs(hdrs[i].tpid);
        vlans->v[i].vid = vlan_tci_to_vid(hdrs[i].tci);
        vlans->v[i].pcp = ntohs(hdrs[i].tci) & VLAN_PCP_MASK;
    }
}

static void
vlans_pop(struct of_l2_vlans *vlans)
{
    memmove(&vlans->v[0], &vlans->v[1],
            sizeof vlans->v - sizeof vlans->v[0]);
    memset(&vlans->v[FLOW_MAX_VLAN_HEADERS - 1], 0, sizeof vlans->v[0]);
}

/* Puts the packet, untagged or priority-tagged so far, into VLAN 'vid'. */
static void
vlans_classify(struct of_l2_vlans *vlans, uint16_t vid)
{
    if (!vlans->v[0].tpid) {
        vlans->v[0].tpid = ETH_TYPE_VLAN_8021Q;
    }
    vlans->v[0].vid = vid;
}

/* From the tags of a packet that came in by 'b' to those inside the
 * bridge. */
static void
vlans_input(const struct of_l2_bundle *b, struct of_l2_vlans *vlans)
{
    switch (b->vlan_mode) {
    case PORT_VLAN_ACCESS:
        vlans_classify(vlans, b->vlan);
        memset(&vlans->v[1], 0, sizeof vlans->v[1]);
        break;

    case PORT_VLAN_TRUNK:
        break;

    case PORT_VLAN_NATIVE_UNTAGGED:
    case PORT_VLAN_NATIVE_TAGGED:
        if (!vlans->v[0].vid) {
            vlans_classify(vlans, b->vlan);
        }
        break;

    case PORT_VLAN_DOT1Q_TUNNEL:
        memmove(&vlans->v[1], &vlans->v[0],
                sizeof vlans->v - sizeof vlans->v[0]);
        vlans->v[0].tpid = b->qinq_ethtype;
        vlans->v[0].vid = b->vlan;
        vlans->v[0].pcp = 0;
        break;
    }
}

bool
of_l2_input_vlans(const struct of_l2_bundle *b,
                  const union flow_vlan_hdr hdrs[], struct of_l2_vlans *vlans)
{
    vlans_extract(hdrs, vlans);
    if (!vid_is_valid(b, vlans->v[0].vid)) {
        return false;
    }
    vlans_input(b, vlans);
    return true;
}

/* NORMAL. */

/* A port that has no bundle, from which controllers send. */
static bool
is_controller_port(ofp_port_t port)
{
    return port == OFPP_CONTROLLER || port == OFPP_NONE;
}

enum dp_drop_reason
of_l2_admit(const struct of_l2_conf *conf, ofp_port_t in_port,
            const struct of_l2_packet *packet, struct of_l2_input *input)
{
    const struct of_l2_bundle *b = of_l2_conf_find(conf, in_port);
    int verdict = BV_ACCEPT;

    if (!b && !is_controller_port(in_port)) {
        return DP_DROP_NO_PORT;
    }
    if (eth_type_vlan(packet->dl_type)
        && !(packet->vlans[0].tci & htons(VLAN_CFI))) {
        /* Cut off inside its tag. */
        return DP_DROP_NORMAL_VLAN;
    }

    vlans_extract(packet->vlans, &input->vlans);
    if (b) {
        if (b->mirror_out) {
            return DP_DROP_NORMAL_MIRROR;
        }
        if (!vid_is_valid(b, input->vlans.v[0].vid)) {
            return DP_DROP_NORMAL_VLAN;
        }
        vlans_input(b, &input->vlans);
        if (!conf->forward_bpdu && eth_addr_is_reserved(packet->dl_dst)) {
            return DP_DROP_NORMAL_RESERVED;
        }
        if (b->bond) {
            const struct of_l2_port *port = of_l2_conf_port(conf, in_port);

            verdict = (eth_addr_is_multicast(packet->dl_dst)
                       ? port->multicast : port->unicast);
            if (verdict == BV_DROP) {
                return DP_DROP_NORMAL_BOND;
            }
        }
    }

    input->bundle = b;
    input->check_moved = verdict == BV_DROP_IF_MOVED;
    input->vlan = input->vlans.v[0].vid;
    input->learn = (b && packet->is_ethernet
                    && !eth_addr_is_multicast(packet->dl_src)
                    && !(conf->flood_vlans
                         && bitmap_is_set(conf->flood_vlans, input->vlan)));
    return DP_DROP_NONE;
}

/* Gratuitous ARP packets tell that the host is on another switch now, unless
 * the address is locked because such a packet may be a reflection from the
 * bond's other member. */
bool
of_l2_has_moved(const struct of_l2_input *input,
                const struct of_l2_packet *packet, ofp_port_t known,
                bool locked)
{
    return (input->check_moved && known != input->bundle->port
            && (!packet->gratuitous_arp || locked));
}

bool
of_l2_may_output(const struct of_l2_input *input,
                 const struct of_l2_bundle *out)
{
    return (out != input->bundle
            && !(out->protected && input->bundle
                 && input->bundle->protected));
}

bool
of_l2_multicasts_to(const struct of_l2_input *input,
                    const struct of_l2_bundle *out)
{
    return (!out->mirror_out && of_l2_carries(out, &input->vlans)
            && of_l2_may_output(input, out));
}

bool
of_l2_floods_to(const struct of_l2_input *input,
                const struct of_l2_bundle *out)
{
    return out->floodable && of_l2_multicasts_to(input, out);
}

void
of_l2_output_vlans(const struct of_l2_input *input,
                   const struct of_l2_bundle *out,
                   union flow_vlan_hdr hdrs[FLOW_MAX_VLAN_HEADERS])
{
    struct of_l2_vlans vlans = input->vlans;

    switch (out->vlan_mode) {
    case PORT_VLAN_ACCESS:
        memset(&vlans, 0, sizeof vlans);
        break;

    case PORT_VLAN_TRUNK:
    case PORT_VLAN_NATIVE_TAGGED:
        break;

    case PORT_VLAN_NATIVE_UNTAGGED:
        if (vlans.v[0].vid == out->vlan) {
            vlans_pop(&vlans);
        }
        break;

    case PORT_VLAN_DOT1Q_TUNNEL:
        vlans_pop(&vlans);
        break;
    }
    if (out->priority_tags) {
        vlans.v[0].pcp = ntohs(hdrs[0].tci) & VLAN_PCP_MASK;
    }

    for (int i = 0; i < FLOW_MAX_VLAN_HEADERS; i++) {
        uint16_t tci = vlans.v[i].vid | vlans.v[i].pcp;

        if (tci || (out->priority_tags == PORT_PRIORITY_TAGS_ALWAYS
                    && vlans.v[i].tpid)) {
            tci |= VLAN_CFI;
            hdrs[i].tpid = htons(vlans.v[i].tpid ? vlans.v[i].tpid
                                 : ETH_TYPE_VLAN_8021Q);
        } else {
            hdrs[i].tpid = 0;
        }
        hdrs[i].tci = htons(tci);
    }
}
