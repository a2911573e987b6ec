/* SPDX-License-Identifier: Apache-2.0 */

/* NORMAL on a worker: L2 switching with the configuration and the mirror of
 * the FDB that the main thread keeps.  No lock, no allocation. */

#include <config.h>
#include "ofproto/l2.h"

#include <string.h>
#include "flow.h"
#include "packets.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/bonding.h"
#include "ofproto/l2-private.h"
#include "ofproto/mcast.h"
#include "ofproto/of.h"

/* Key words are words of struct flow. */
BUILD_ASSERT_DECL(offsetof(struct flow, dl_src)
                  == offsetof(struct flow, dl_dst) + 6);
BUILD_ASSERT_DECL(offsetof(struct flow, dl_type)
                  == offsetof(struct flow, dl_dst) + 12);
BUILD_ASSERT_DECL(sizeof(((struct flow *) NULL)->vlans) == 8);
BUILD_ASSERT_DECL(offsetof(struct flow, in_port)
                  == offsetof(struct flow, dp_hash) + 4);

/* The input port as actions may have changed it. */
static ofp_port_t
in_port_from_ctx(const struct dp_ctx *ctx)
{
    union flow_in_port in_port;

    memcpy(&in_port, (const uint8_t *) &ctx->key[DP_KEY_PORT] + 4,
           sizeof in_port);
    return in_port.ofp_port;
}

/* Whether the packet, an ARP packet to the broadcast address, is gratuitous:
 * a reply, or a request for the sender's own address.  Read from the packet,
 * because PARSE goes that deep only for rules that match on it. */
static bool
is_gratuitous_arp(const struct dp_ctx *ctx)
{
    size_t ofs = ETH_HEADER_LEN + VLAN_HEADER_LEN * (size_t) ctx->n_vlans;
    struct arp_eth_header arp;

    if ((size_t) (ctx->data_end - ctx->data) < ofs + sizeof arp) {
        return false;
    }
    memcpy(&arp, ctx->data + ofs, sizeof arp);
    return (arp.ar_op == htons(ARP_OP_REPLY)
            || (arp.ar_op == htons(ARP_OP_REQUEST)
                && !memcmp(&arp.ar_spa, &arp.ar_tpa, sizeof arp.ar_spa)));
}

static void
packet_from_ctx(const struct dp_ctx *ctx, struct of_l2_packet *packet)
{
    const uint8_t *eth = (const uint8_t *) &ctx->key[DP_KEY_ETH];

    memcpy(&packet->dl_dst, eth, ETH_ADDR_LEN);
    memcpy(&packet->dl_src, eth + 6, ETH_ADDR_LEN);
    memcpy(&packet->dl_type, eth + 12, sizeof packet->dl_type);
    memcpy(packet->vlans, &ctx->key[DP_KEY_VLAN], sizeof packet->vlans);
    packet->is_ethernet = true;
    packet->gratuitous_arp = (packet->dl_type == htons(ETH_TYPE_ARP)
                              && eth_addr_is_broadcast(packet->dl_dst)
                              && is_gratuitous_arp(ctx));
}

/* Notes that the source is behind the input port.  If that is news, the main
 * thread must learn it; when it is the main thread that runs us (inline
 * ports), at once. */
static void
learn(struct dp_ctx *ctx, struct of_l2 *l2, const struct of_l2_packet *packet,
      const struct of_l2_input *input)
{
    struct of_fdb_entry *e = of_fdb_peek(l2->fdb, packet->dl_src,
                                         input->vlan);
    uint64_t mac = eth_addr_to_uint64(packet->dl_src);
    uint32_t arg[4] = {
        mac >> 16, (mac & 0xffff) << 16 | input->vlan,
        ofp_to_u16(in_port_from_ctx(ctx)), packet->gratuitous_arp
    };

    if (e && e->is_static) {
        return;
    }
    if (e && e->port == ofp_to_u16(input->bundle->port)
        && !packet->gratuitous_arp) {
        of_fdb_touch(e, dp_ctx_now_ms(ctx) / 1000);
    } else if (dp_ctx_is_dry(ctx)) {
        return;
    } else if (of_l2_in_main_thread()) {
        of_l2_learn(l2, packet->dl_src, input->vlan,
                    in_port_from_ctx(ctx), packet->gratuitous_arp);
    } else {
        dp_ctx_upcall(ctx, DP_UPCALL_MAC_LEARN, arg, false);
    }
}

/* What bond.c hashes of a packet. */
static void
hash_fields(const struct dp_ctx *ctx, struct flow *flow)
{
    const uint64_t *key = ctx->key;

    memcpy(&flow->dl_dst, &key[DP_KEY_ETH], 2 * sizeof *key);
    memcpy(&flow->ipv6_src, &key[DP_KEY_IPV6], 4 * sizeof *key);
    memcpy(&flow->nw_src, &key[DP_KEY_IPV4], sizeof *key);
    memcpy(&flow->ipv6_label, &key[DP_KEY_NW], sizeof *key);
    memcpy(&flow->tp_src, &key[DP_KEY_TP], sizeof *key);
}

static ofp_port_t
choose_port(const struct dp_ctx *ctx, const struct of_l2_bundle *out,
            uint16_t vlan)
{
    struct flow flow;

    if (OVS_LIKELY(!out->bond)) {
        return out->port;
    }
    hash_fields(ctx, &flow);
    return of_bond_choose(out->bond, &flow, vlan, ctx->data_end - ctx->data,
                          dp_ctx_worker(ctx));
}

bool
of_normal_output(struct dp_ctx *ctx, const struct of_l2_input *input,
                 const struct of_l2_bundle *out, uint32_t max_len)
{
    uint64_t old = ctx->key[DP_KEY_VLAN];
    union flow_vlan_hdr vlans[FLOW_MAX_VLAN_HEADERS];
    ofp_port_t port;
    uint64_t new;

    memcpy(vlans, &old, sizeof vlans);
    of_l2_output_vlans(input, out, vlans);
    port = choose_port(ctx, out, vlan_tci_to_vid(vlans[0].tci));
    if (port == OFPP_NONE) {
        return false;
    }
    memcpy(&new, vlans, sizeof new);
    if (new == old) {
        dp_ctx_output_cut(ctx, ofp_to_u16(port), max_len);
    } else {
        ctx->key[DP_KEY_VLAN] = new;
        ctx->dirty |= DP_DIRTY_VLAN;
        dp_ctx_output_cut(ctx, ofp_to_u16(port), max_len);
        ctx->key[DP_KEY_VLAN] = old;
        ctx->dirty |= DP_DIRTY_VLAN;
    }
    return true;
}

static enum dp_drop_reason
flood(struct dp_ctx *ctx, const struct of_l2_conf *conf,
      const struct of_l2_input *input)
{
    enum dp_drop_reason reason = DP_DROP_NORMAL_NO_PORT;

    for (size_t i = 0; i < conf->n_bundles; i++) {
        if (of_l2_floods_to(input, &conf->bundles[i])) {
            if (of_normal_output(ctx, input, &conf->bundles[i], 0)) {
                reason = DP_DROP_NONE;
            } else if (reason != DP_DROP_NONE) {
                reason = DP_DROP_NORMAL_NO_MEMBER;
            }
        }
    }
    return reason;
}

/* To those who joined the group. */
static enum dp_drop_reason
multicast(struct dp_ctx *ctx, const struct of_l2_conf *conf,
          const struct of_l2_input *input, const struct of_mdb *mdb)
{
    enum dp_drop_reason reason = DP_DROP_NORMAL_NO_PORT;
    const struct of_mcast_set *set;
    struct flow flow;
    bool is_news;

    dp_ctx_flow(ctx, &flow);
    set = of_mcast_find(mdb, &flow, input->vlan, &is_news);
    if (is_news && input->bundle) {
        uint32_t arg[4] = { input->vlan, ofp_to_u16(in_port_from_ctx(ctx)) };

        /* If the ring is full, hosts will report again. */
        dp_ctx_upcall(ctx, DP_UPCALL_MCAST, arg, true);
    }
    if (!set) {
        return flood(ctx, conf, input);
    }
    for (size_t i = 0; i < set->n; i++) {
        const struct of_l2_bundle *out = of_l2_conf_find(conf, set->ports[i]);

        if (out && of_l2_multicasts_to(input, out)
            && of_normal_output(ctx, input, out, 0)) {
            reason = DP_DROP_NONE;
        }
    }
    return reason;
}

/* The copy of the table of multicast groups, if the packet is for it. */
static const struct of_mdb *
get_mdb(struct of_l2 *l2, const struct of_l2_packet *packet)
{
    if (!of_mcast_applies(packet->dl_dst, packet->dl_type)) {
        return NULL;
    }
    if (of_l2_in_main_thread()) {
        of_mcast_refresh(l2);
    }
    return ovsrcu_get(struct of_mdb *, &l2->mdb);
}

static enum dp_drop_reason
forward(struct dp_ctx *ctx, struct of_l2 *l2, const struct of_l2_conf *conf)
{
    const struct of_l2_bundle *out;
    const struct of_fdb_entry *e;
    const struct of_mdb *mdb;
    struct of_l2_packet packet;
    struct of_l2_input input;
    enum dp_drop_reason reason;

    packet_from_ctx(ctx, &packet);
    reason = of_l2_admit(conf, in_port_from_ctx(ctx), &packet, &input);
    if (reason != DP_DROP_NONE) {
        return reason;
    }
    if (OVS_UNLIKELY(input.check_moved)) {
        time_t now = dp_ctx_now_ms(ctx) / 1000;

        e = of_fdb_peek(l2->fdb, packet.dl_src, input.vlan);
        if (e && of_l2_has_moved(&input, &packet, u16_to_ofp(e->port),
                                 e->locked_until > now)) {
            return DP_DROP_NORMAL_BOND;
        }
    }
    if (input.learn) {
        learn(ctx, l2, &packet, &input);
        if (eth_addr_equals(packet.dl_src, packet.dl_dst)) {
            /* What is being learned already counts. */
            return DP_DROP_NORMAL_SAME_PORT;
        }
    }

    mdb = get_mdb(l2, &packet);
    if (mdb) {
        return multicast(ctx, conf, &input, mdb);
    }
    e = of_fdb_peek(l2->fdb, packet.dl_dst, input.vlan);
    if (!e) {
        return flood(ctx, conf, &input);
    }
    out = of_l2_conf_find(conf, u16_to_ofp(e->port));
    if (!out) {
        return DP_DROP_NORMAL_NO_PORT;
    }
    if (!of_l2_may_output(&input, out)) {
        return DP_DROP_NORMAL_SAME_PORT;
    }
    return (of_normal_output(ctx, &input, out, 0) ? DP_DROP_NONE
            : DP_DROP_NORMAL_NO_MEMBER);
}

uint64_t
of_normal(struct dp_ctx *ctx)
{
    struct of_bridge *bridge = of_bridge_of_dp(dp_ctx_bridge(ctx));
    enum dp_drop_reason reason;

    reason = forward(ctx, bridge->l2,
                     ovsrcu_get(struct of_l2_conf *, &bridge->l2->conf));
    if (reason != DP_DROP_NONE) {
        dp_ctx_drop(ctx, reason);
    }
    return 0;
}
