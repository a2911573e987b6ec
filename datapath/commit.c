/* SPDX-License-Identifier: Apache-2.0 */

/* COMMIT: changed fields of the key go into the packet.
 *
 * Only groups that are dirty are looked at, and only fields that differ from
 * the bytes are written, with incremental checksums (RFC 1624).  What is
 * written, and what is not because a header is absent, cut or a later
 * fragment, agrees with commit_odp_actions() and odp_execute_actions() of
 * Open vSwitch: the same writers of libopenvswitch's packets.c do it. */

#include "datapath/run.h"

#include <netinet/icmp6.h>
#include <string.h>
#include "csum.h"
#include "datapath/ctx.h"
#include "dp-packet.h"
#include "flow.h"
#include "packets.h"
#include "util.h"

#define IP_DIRTY (DP_DIRTY_IPV4 | DP_DIRTY_IPV6)
#define L4_DIRTY (DP_DIRTY_TP | DP_DIRTY_ICMP)

static size_t
l3_size(const struct dp_packet *packet)
{
    return packet->l3_ofs == UINT16_MAX
           ? 0
           : (char *) dp_packet_tail(packet)
             - (char *) dp_packet_l3(packet);
}

static void
commit_eth(struct dp_ctx *ctx)
{
    /* Not dp_packet_eth(): PARSE may not have looked for a network header. */
    struct eth_header *eth = dp_packet_data(ctx->packet);
    union dp_key_eth key;

    memcpy(key.words, &ctx->key[DP_KEY_ETH], sizeof key.words);
    if (dp_packet_size(ctx->packet) >= ETH_HEADER_LEN) {
        memcpy(&eth->eth_dst, key.dl_dst, sizeof key.dl_dst);
        memcpy(&eth->eth_src, key.dl_src, sizeof key.dl_src);
    }
}

/* Notes how many bytes follow the IP packet (Ethernet's padding): no checksum
 * covers them, and no L4 header begins there.  Programs that parse packets do
 * not. */
static void
find_padding(struct dp_packet *packet, bool is_ipv6)
{
    const uint8_t *l3 = dp_packet_l3(packet);
    size_t size = (const uint8_t *) dp_packet_tail(packet) - l3;
    size_t length = 0;

    if (is_ipv6 && size >= IPV6_HEADER_LEN) {
        const struct ovs_16aligned_ip6_hdr *ip6 = (const void *) l3;

        length = IPV6_HEADER_LEN + ntohs(ip6->ip6_plen);
    } else if (!is_ipv6 && size >= IP_HEADER_LEN) {
        const struct ip_header *ip = (const void *) l3;

        length = ntohs(ip->ip_tot_len);
    }
    if (length && length <= size && size - length <= UINT16_MAX) {
        dp_packet_set_l2_pad_size(packet, size - length);
    }
}

static void
commit_ipv4(struct dp_ctx *ctx, union dp_key_nw nw)
{
    const union dp_key_ipv4 ip = { .word = ctx->key[DP_KEY_IPV4] };

    if (l3_size(ctx->packet) >= IP_HEADER_LEN) {
        find_padding(ctx->packet, false);
        packet_set_ipv4(ctx->packet, ip.nw_src, ip.nw_dst, nw.nw_tos,
                        nw.nw_ttl);
    }
}

static void
commit_ipv6(struct dp_ctx *ctx, union dp_key_nw nw)
{
    struct in6_addr src, dst;

    if (l3_size(ctx->packet) >= IPV6_HEADER_LEN) {
        memcpy(&src, &ctx->key[DP_KEY_IPV6], sizeof src);
        memcpy(&dst, &ctx->key[DP_KEY_IPV6 + 2], sizeof dst);
        find_padding(ctx->packet, true);
        packet_set_ipv6(ctx->packet, &src, &dst, nw.nw_tos, nw.ipv6_label,
                        nw.nw_ttl);
    }
}

/* What the packet's bytes say, for the rarely written headers that have no
 * one-to-one layout. */
static void
extract_base(struct dp_ctx *ctx, struct flow *base)
{
    flow_extract(ctx->packet, base);
    dp_ctx_refresh(ctx);
}

/* Writes what differs from what flow_extract() saw; nothing if the packet
 * ends inside its header, of which flow_extract() saw nothing. */
static void
commit_arp(struct dp_ctx *ctx, union dp_key_nw nw)
{
    const union dp_key_ipv4 ip = { .word = ctx->key[DP_KEY_IPV4] };
    struct arp_eth_header *arp = dp_packet_l3(ctx->packet);
    struct eth_addr mac[2];
    struct flow base;

    if (l3_size(ctx->packet) < sizeof *arp) {
        return;
    }
    extract_base(ctx, &base);
    memcpy(mac, &ctx->key[DP_KEY_ARP], sizeof mac);
    if (nw.nw_proto != base.nw_proto) {
        /* 255 as Open vSwitch writes it. */
        arp->ar_op = htons(nw.nw_proto == UINT8_MAX ? UINT16_MAX
                                                    : nw.nw_proto);
    }
    if (ip.nw_src != base.nw_src) {
        put_16aligned_be32(&arp->ar_spa, ip.nw_src);
    }
    if (ip.nw_dst != base.nw_dst) {
        put_16aligned_be32(&arp->ar_tpa, ip.nw_dst);
    }
    if (!eth_addr_equals(mac[0], base.arp_sha)) {
        arp->ar_sha = mac[0];
    }
    if (!eth_addr_equals(mac[1], base.arp_tha)) {
        arp->ar_tha = mac[1];
    }
}

/* The link-layer address option that OVS writes to: the first one of either
 * type, or null.  OVS counts down by the length of the option that it comes
 * to; so does this, but it does not read past the end. */
static struct ovs_nd_lla_opt *
nd_option(struct dp_packet *packet)
{
    struct ovs_nd_msg *msg = dp_packet_l4(packet);
    int left = dp_packet_l4_size(packet) - (int) sizeof *msg;
    struct ovs_nd_lla_opt *opt = &msg->options[0];
    const char *end = (const char *) opt + left;

    while (left >= ND_LLA_OPT_LEN
           && (const char *) opt + ND_LLA_OPT_LEN <= end && opt->len) {
        if ((opt->type == ND_OPT_SOURCE_LINKADDR
             || opt->type == ND_OPT_TARGET_LINKADDR) && opt->len == 1) {
            return opt;
        }
        opt += opt->len;
        if ((const char *) opt + ND_LLA_OPT_LEN > end) {
            break;
        }
        left -= opt->len * ND_LLA_OPT_LEN;
    }
    return NULL;
}

/* ND's key words as two structures of Open vSwitch have them. */
struct nd_fields {
    struct in6_addr target;
    struct eth_addr sll, tll;
    ovs_be32 reserved;
    uint8_t option_type;
};

static struct nd_fields
nd_fields(const uint64_t target[2], const uint64_t options[2],
          uint64_t reserved)
{
    struct nd_fields f;
    struct {
        struct eth_addr sha, tha;
        ovs_be16 tcp_flags, pad;
    } arp;

    _Static_assert(sizeof arp == 2 * sizeof *options, "two words");
    memcpy(&f.target, target, sizeof f.target);
    memcpy(&arp, options, sizeof arp);
    memcpy(&f.reserved, &reserved, sizeof f.reserved);
    f.sll = arp.sha;
    f.tll = arp.tha;
    f.option_type = ntohs(arp.tcp_flags);
    return f;
}

/* Before the first commit that may touch them: what the bytes say. */
static void
keep_nd_base(struct dp_ctx *ctx)
{
    struct dp_nd_base *base = &ctx->cold->nd_base;
    uint64_t key[DP_KEY_WORDS];
    struct flow flow;

    if (!base->valid) {
        extract_base(ctx, &flow);
        dp_key_from_flow(key, &flow);
        memcpy(base->target, &key[DP_KEY_ND], sizeof base->target);
        memcpy(base->options, &key[DP_KEY_ARP], sizeof base->options);
        base->reserved = key[DP_KEY_IGMP];
        base->valid = true;
        ctx->cold->rare = true;
    }
}

static void
commit_nd(struct dp_ctx *ctx)
{
    struct dp_nd_base *stored = &ctx->cold->nd_base;
    const struct nd_fields key = nd_fields(
        &ctx->key[DP_KEY_ND], &ctx->key[DP_KEY_ARP], ctx->key[DP_KEY_IGMP]);
    struct dp_packet *packet = ctx->packet;
    struct ovs_nd_lla_opt *opt;
    struct nd_fields base;
    struct ovs_nd_msg *msg;

    if (!dp_packet_get_nd_payload(packet)) {
        return;
    }
    keep_nd_base(ctx);
    base = nd_fields(stored->target, stored->options, stored->reserved);
    memcpy(stored->target, &ctx->key[DP_KEY_ND], sizeof stored->target);
    memcpy(stored->options, &ctx->key[DP_KEY_ARP], sizeof stored->options);
    stored->reserved = ctx->key[DP_KEY_IGMP];

    if (dp_packet_l4_size(packet) > sizeof(struct ovs_nd_msg)
        && (key.reserved != base.reserved
            || key.option_type != base.option_type)) {
        ovs_16aligned_be32 rso;
        uint8_t type;

        msg = dp_packet_l4(packet);
        rso = msg->rso_flags;
        type = msg->options[0].type;
        if (key.reserved != base.reserved) {
            put_16aligned_be32(&rso, key.reserved);
        }
        if (key.option_type != base.option_type) {
            type = key.option_type;
        }
        packet_set_nd_ext(packet, rso, type);
    }
    if (!memcmp(&key.target, &base.target, sizeof key.target)
        && eth_addr_equals(key.sll, base.sll)
        && eth_addr_equals(key.tll, base.tll)) {
        return;
    }

    msg = dp_packet_l4(packet);
    if (memcmp(&msg->target, &key.target, sizeof key.target)) {
        packet_set_ipv6_addr(packet, IPPROTO_ICMPV6, msg->target.be32,
                             &key.target, true);
    }
    opt = nd_option(packet);
    if (opt) {
        bool source = opt->type == ND_OPT_SOURCE_LINKADDR;
        const struct eth_addr *new = source ? &key.sll : &key.tll;
        const struct eth_addr *old = source ? &base.sll : &base.tll;

        if (!eth_addr_equals(*new, *old)) {
            msg->icmph.icmp6_cksum = recalc_csum48(msg->icmph.icmp6_cksum,
                                                   opt->mac, *new);
            opt->mac = *new;
        }
    }
}

static void
commit_nw(struct dp_ctx *ctx, uint32_t dirty)
{
    const union dp_key_nw nw = { .word = ctx->key[DP_KEY_NW] };
    union dp_key_eth eth;

    /* Without a protocol there is no header that could be parsed. */
    if (!nw.nw_proto) {
        return;
    }
    memcpy(eth.words, &ctx->key[DP_KEY_ETH], sizeof eth.words);
    switch (ntohs(eth.dl_type)) {
    case ETH_TYPE_IP:
        if (dirty & IP_DIRTY) {
            commit_ipv4(ctx, nw);
        }
        break;

    case ETH_TYPE_IPV6:
        if (dirty & IP_DIRTY) {
            commit_ipv6(ctx, nw);
        }
        if (dirty & DP_DIRTY_ND && nw.nw_proto == IPPROTO_ICMPV6) {
            commit_nd(ctx);
        }
        break;

    case ETH_TYPE_ARP:
        if (dirty & DP_DIRTY_ARP) {
            commit_arp(ctx, nw);
        }
        break;
    }
}

/* Ports, or type and code, of IPv4 and IPv6. */
static void
commit_l4(struct dp_ctx *ctx)
{
    const union dp_key_nw nw = { .word = ctx->key[DP_KEY_NW] };
    const union dp_key_tp tp = { .word = ctx->key[DP_KEY_TP] };
    struct dp_packet *packet = ctx->packet;
    const struct tcp_header *l4 = dp_packet_l4(packet);
    union dp_key_eth eth;
    bool is_ipv6;

    memcpy(eth.words, &ctx->key[DP_KEY_ETH], sizeof eth.words);
    is_ipv6 = eth.dl_type == htons(ETH_TYPE_IPV6);
    if (!l4 || (!is_ipv6 && eth.dl_type != htons(ETH_TYPE_IP))) {
        return;
    }
    if (nw.nw_frag & FLOW_NW_FRAG_LATER
        && (nw.nw_proto == IPPROTO_TCP || nw.nw_proto == IPPROTO_UDP
            || nw.nw_proto == IPPROTO_SCTP || !(tp.tp_src | tp.tp_dst))) {
        /* There are no ports.  OVS does write a type and code that an action
         * has set, wherever they land. */
        return;
    }

    switch (nw.nw_proto) {
    case IPPROTO_TCP:
        if (dp_packet_get_tcp_payload(packet)) {
            packet_set_tcp_port(packet, tp.tp_src, tp.tp_dst);
        }
        break;

    case IPPROTO_UDP:
        /* The ports of all three protocols lie at the same place; equal ones
         * are not set, for a checksum of 0 and for SCTP's CRC. */
        if (dp_packet_get_udp_payload(packet)
            && (l4->tcp_src != tp.tp_src || l4->tcp_dst != tp.tp_dst)) {
            packet_set_udp_port(packet, tp.tp_src, tp.tp_dst);
        }
        break;

    case IPPROTO_SCTP:
        find_padding(packet, is_ipv6);
        if (dp_packet_get_sctp_payload(packet)
            && (l4->tcp_src != tp.tp_src || l4->tcp_dst != tp.tp_dst)) {
            packet_set_sctp_port(packet, tp.tp_src, tp.tp_dst);
        }
        break;

    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if ((nw.nw_proto == IPPROTO_ICMPV6) == is_ipv6
            && dp_packet_get_icmp_payload(packet)) {
            if (is_ipv6) {
                keep_nd_base(ctx);      /* The type may be one of ND. */
            }
            packet_set_icmp(packet, ntohs(tp.tp_src), ntohs(tp.tp_dst));
        }
        break;
    }
}

static int
count_vlans(const union dp_key_vlan *key)
{
    return !(key->vlans[0].tci & htons(VLAN_CFI)) ? 0
           : !(key->vlans[1].tci & htons(VLAN_CFI)) ? 1 : 2;
}

/* The first 'n' VLAN headers of 'packet', which has them. */
static union dp_key_vlan
read_vlans(const struct dp_packet *packet, int n)
{
    const char *p = (const char *) dp_packet_data(packet) + 2 * ETH_ADDR_LEN;
    union dp_key_vlan key = { .word = 0 };

    for (int i = 0; i < n; i++, p += VLAN_HEADER_LEN) {
        memcpy(&key.vlans[i].tpid, p, 2);
        memcpy(&key.vlans[i].tci, p + 2, 2);
        key.vlans[i].tci |= htons(VLAN_CFI);
    }
    return key;
}

uint8_t
dp_commit_vlans(struct dp_packet *packet, uint8_t n_vlans, uint64_t vlans)
{
    const union dp_key_vlan new = { .word = vlans };
    const union dp_key_vlan old = read_vlans(packet, n_vlans);
    int n_new = count_vlans(&new);
    int n_old = n_vlans;
    int result = n_new;

    /* Inner headers that stay as they are stay where they are. */
    while (n_old && n_new
           && old.vlans[n_old - 1].tpid == new.vlans[n_new - 1].tpid
           && old.vlans[n_old - 1].tci == new.vlans[n_new - 1].tci) {
        n_old--;
        n_new--;
    }
    while (n_old--) {
        eth_pop_vlan(packet);
    }
    while (n_new--) {
        eth_push_vlan(packet, new.vlans[n_new].tpid, new.vlans[n_new].tci);
    }
    return result;
}

/* The IPv4 header that TTL and TOS can be written to at once: there, and with
 * the addresses that the key has.  Null: none. */
static struct ip_header *
plain_ipv4(const struct dp_ctx *ctx)
{
    const union dp_key_nw nw = { .word = ctx->key[DP_KEY_NW] };
    const union dp_key_ipv4 key = { .word = ctx->key[DP_KEY_IPV4] };
    union dp_key_eth eth;
    struct ip_header *ip;

    memcpy(eth.words, &ctx->key[DP_KEY_ETH], sizeof eth.words);
    ip = (void *) (ctx->data + ctx->l3_ofs);
    if (eth.dl_type != htons(ETH_TYPE_IP) || !nw.nw_proto
        || ctx->l3_ofs == UINT16_MAX
        || (uint8_t *) (ip + 1) > ctx->data_end
        || get_16aligned_be32(&ip->ip_src) != key.nw_src
        || get_16aligned_be32(&ip->ip_dst) != key.nw_dst) {
        return NULL;
    }
    return ip;
}

static void
set_ttl_and_tos(struct ip_header *ip, union dp_key_nw nw)
{
    if (ip->ip_ttl != nw.nw_ttl) {
        ip->ip_csum = recalc_csum16(ip->ip_csum, htons(ip->ip_ttl << 8),
                                    htons(nw.nw_ttl << 8));
        ip->ip_ttl = nw.nw_ttl;
    }
    if (ip->ip_tos != nw.nw_tos) {
        ip->ip_csum = recalc_csum16(ip->ip_csum, htons((uint16_t) ip->ip_tos),
                                    htons((uint16_t) nw.nw_tos));
        ip->ip_tos = nw.nw_tos;
    }
}

/* What routers do, Ethernet addresses and TTL, in a packet that nobody else
 * refers to: needs nothing of it but its bytes.  False: not done. */
static bool
commit_plain(struct dp_ctx *ctx, uint32_t dirty)
{
    const union dp_key_nw nw = { .word = ctx->key[DP_KEY_NW] };
    struct ip_header *ip;

    if (dirty & ~(DP_DIRTY_ETH | IP_DIRTY) || ctx->cold->pending) {
        return false;
    }
    if (dirty & IP_DIRTY) {
        ip = plain_ipv4(ctx);
        if (!ip) {
            return false;
        }
        set_ttl_and_tos(ip, nw);
    }
    if (dirty & DP_DIRTY_ETH) {
        commit_eth(ctx);
    }
    ctx->dirty = 0;
    return true;
}

int
dp_commit(struct dp_ctx *ctx)
{
    uint32_t dirty = ctx->dirty;
    int error;

    if (OVS_LIKELY(!dirty)) {
        return 0;
    }
    if (OVS_UNLIKELY(dirty & (DP_DIRTY_MPLS | DP_DIRTY_NSH))
        || (OVS_UNLIKELY(ctx->cold->rare) && ctx->cold->base.active)) {
        return dp_commit_base(ctx);
    }
    if (OVS_LIKELY(commit_plain(ctx, dirty))) {
        return 0;
    }
    /* A copy takes the offsets from the packet. */
    dp_ctx_put_offsets(ctx);
    error = dp_ctx_unshare(ctx);
    if (error) {
        dp_ctx_fatal(ctx, DP_DROP_NO_MEMORY);
        return error;
    }
    ctx->dirty = 0;

    if (dirty & DP_DIRTY_ETH) {
        commit_eth(ctx);
    }
    if (dirty & (IP_DIRTY | DP_DIRTY_ARP | DP_DIRTY_ND)) {
        commit_nw(ctx, dirty);
    }
    if (dirty & L4_DIRTY) {
        commit_l4(ctx);
    }
    if (dirty & DP_DIRTY_VLAN) {
        ctx->n_vlans = dp_commit_vlans(ctx->packet, ctx->n_vlans,
                                       ctx->key[DP_KEY_VLAN]);
    }
    dp_ctx_refresh(ctx);
    return 0;
}
