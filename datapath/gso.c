/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/gso.h"

#include <errno.h>
#include <string.h>
#include "csum.h"
#include "dp-packet.h"
#include "packets.h"
#include "util.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
    HEADROOM = 128,
    MAX_PACKET = 65535 - HEADROOM       /* A dp_packet's size is 16 bits. */
};

int
dp_complete_checksum(struct dp_packet *packet,
                     const struct virtio_net_hdr *vnet)
{
    size_t start = vnet->csum_start;
    size_t field = start + vnet->csum_offset;
    uint8_t *data = dp_packet_data(packet);
    size_t size = dp_packet_size(packet);
    ovs_be16 sum;

    if (!(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
        return 0;
    }
    if (field + sizeof sum > size) {
        return -EINVAL;
    }
    sum = csum(data + start, size - start);
    if (!sum) {
        sum = htons(0xffff);    /* 0 means 'none' to UDP. */
    }
    memcpy(data + field, &sum, sizeof sum);
    return 0;
}

/* Finds the headers of 'gso->frame' and checks that they are what 'type'
 * says. */
static int
find_headers(struct dp_gso *gso, uint8_t type, uint16_t l4_ofs)
{
    const uint8_t *data = gso->frame;
    size_t size = gso->frame_size;
    size_t ofs = 2 * ETH_ADDR_LEN;
    uint8_t proto, want;
    ovs_be16 dl_type;

    for (;;) {
        if (ofs + sizeof dl_type > size) {
            return -EINVAL;
        }
        memcpy(&dl_type, data + ofs, sizeof dl_type);
        if (!eth_type_vlan(dl_type)) {
            break;
        }
        ofs += VLAN_HEADER_LEN;
    }
    ofs += sizeof dl_type;
    if (l4_ofs < ofs + IP_HEADER_LEN || l4_ofs >= size || l4_ofs % 2) {
        return -EINVAL;
    }
    gso->l3_ofs = ofs;
    gso->l4_ofs = l4_ofs;
    gso->ipv6 = dl_type == htons(ETH_TYPE_IPV6);
    if (gso->ipv6) {
        /* Behind extension headers the protocol is the sender's word. */
        if (l4_ofs < ofs + IPV6_HEADER_LEN) {
            return -EINVAL;
        }
        proto = data[ofs + 6];
        if (l4_ofs > ofs + IPV6_HEADER_LEN) {
            proto = type == VIRTIO_NET_HDR_GSO_UDP_L4
                    ? IPPROTO_UDP : IPPROTO_TCP;
        }
    } else if (dl_type == htons(ETH_TYPE_IP)) {
        if (l4_ofs != ofs + (data[ofs] & 0xf) * 4) {
            return -EINVAL;
        }
        proto = data[ofs + 9];
    } else {
        return -EOPNOTSUPP;
    }
    want = type == VIRTIO_NET_HDR_GSO_UDP_L4 ? IPPROTO_UDP : IPPROTO_TCP;
    if (proto != want) {
        return -EOPNOTSUPP;     /* Encapsulated, for instance. */
    }
    gso->tcp = want == IPPROTO_TCP;
    if (gso->tcp) {
        if (l4_ofs + TCP_HEADER_LEN > size) {
            return -EINVAL;
        }
        gso->headers = l4_ofs + (data[l4_ofs + 12] >> 4) * 4;
        return gso->headers < l4_ofs + TCP_HEADER_LEN ? -EINVAL : 0;
    }
    gso->headers = l4_ofs + UDP_HEADER_LEN;
    return 0;
}

int
dp_gso_start(struct dp_gso *gso, const void *frame, size_t size,
             const struct virtio_net_hdr *vnet)
{
    uint8_t type = vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN;
    int error;

    memset(gso, 0, sizeof *gso);
    gso->frame = frame;
    gso->frame_size = size;
    if (type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6
        && type != VIRTIO_NET_HDR_GSO_UDP_L4) {
        error = -EOPNOTSUPP;
    } else if (!vnet->gso_size
               || !(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)) {
        error = -EINVAL;
    } else {
        error = find_headers(gso, type, vnet->csum_start);
        if (!error && (gso->headers > size
                       || gso->headers + vnet->gso_size > MAX_PACKET)) {
            error = -EINVAL;
        }
    }
    if (error) {
        gso->frame = NULL;
        return error;
    }
    gso->size = vnet->gso_size;
    gso->next = gso->headers;
    return 0;
}

/* Sets lengths and identification of the network header; returns the sum of
 * the pseudo-header. */
static uint32_t
set_l3(const struct dp_gso *gso, uint8_t *data, size_t size)
{
    if (gso->ipv6) {
        struct ovs_16aligned_ip6_hdr *ip6 = ALIGNED_CAST(
            struct ovs_16aligned_ip6_hdr *, data + gso->l3_ofs);
        uint32_t sum;

        ip6->ip6_plen = htons(size - gso->l3_ofs - IPV6_HEADER_LEN);

        /* Not packet_csum_pseudoheader6(): it takes protocol and length from
         * the header, which extension headers make wrong. */
        sum = csum_continue(0, &ip6->ip6_src, 2 * sizeof ip6->ip6_src);
        sum = csum_add16(sum, htons(gso->tcp ? IPPROTO_TCP : IPPROTO_UDP));
        return csum_add16(sum, htons(size - gso->l4_ofs));
    } else {
        struct ip_header *ip = ALIGNED_CAST(struct ip_header *,
                                            data + gso->l3_ofs);
        uint32_t sum;

        ip->ip_tot_len = htons(size - gso->l3_ofs);
        ip->ip_id = htons(ntohs(ip->ip_id) + gso->index);
        ip->ip_csum = 0;
        ip->ip_csum = csum(ip, gso->l4_ofs - gso->l3_ofs);
        sum = csum_add32(0, get_16aligned_be32(&ip->ip_src));
        sum = csum_add32(sum, get_16aligned_be32(&ip->ip_dst));
        sum = csum_add16(sum, htons(ip->ip_proto));
        return csum_add16(sum, htons(size - gso->l4_ofs));
    }
}

static void
set_l4(const struct dp_gso *gso, uint8_t *data, size_t size, bool last,
       uint32_t pseudo)
{
    ovs_be16 sum;

    if (gso->tcp) {
        struct tcp_header *tcp = ALIGNED_CAST(struct tcp_header *,
                                              data + gso->l4_ofs);
        uint16_t ctl = ntohs(tcp->tcp_ctl);

        put_16aligned_be32(&tcp->tcp_seq,
                           htonl(ntohl(get_16aligned_be32(&tcp->tcp_seq))
                                 + gso->next - gso->headers));
        if (!last) {
            ctl &= ~(TCP_FIN | TCP_PSH);
        }
        if (gso->index) {
            ctl &= ~TCP_CWR;
        }
        tcp->tcp_ctl = htons(ctl);
        tcp->tcp_csum = 0;
        tcp->tcp_csum = csum_finish(csum_continue(pseudo, tcp,
                                                  size - gso->l4_ofs));
    } else {
        struct udp_header *udp = ALIGNED_CAST(struct udp_header *,
                                              data + gso->l4_ofs);

        udp->udp_len = htons(size - gso->l4_ofs);
        udp->udp_csum = 0;
        sum = csum_finish(csum_continue(pseudo, udp, size - gso->l4_ofs));
        udp->udp_csum = sum ? sum : htons(0xffff);
    }
}

struct dp_packet *
dp_gso_next(struct dp_gso *gso)
{
    struct dp_packet *segment;
    size_t n, size;
    uint8_t *data;
    bool last;

    if (!gso->frame) {
        return NULL;
    }
    n = MIN(gso->size, gso->frame_size - gso->next);
    last = gso->next + n >= gso->frame_size;
    size = gso->headers + n;

    /* packet-path exception: each segment is a packet of its own. */
    segment = dp_packet_new_with_headroom(size, HEADROOM);
    data = dp_packet_put_uninit(segment, size);
    memcpy(data, gso->frame, gso->headers);
    memcpy(data + gso->headers, gso->frame + gso->next, n);
    set_l4(gso, data, size, last, set_l3(gso, data, size));

    gso->next += n;
    gso->index++;
    if (last) {
        gso->frame = NULL;
    }
    return segment;
}
