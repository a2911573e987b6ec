/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/csum-partial.h"

#include <netinet/in.h>
#include <string.h>
#include "csum.h"
#include "dp-packet.h"
#include "packets.h"
#include "util.h"

enum { MAX_TAGS = 2 };

/* Where the transport header starts, how long it and its payload are, which
 * protocol it is, and the pseudo-header's sum without that length. */
struct l4 {
    uint16_t ofs, size;
    uint8_t proto;
    uint32_t sum;
};

static uint16_t
get16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static bool
find_ipv4(const uint8_t *data, size_t size, size_t ofs, struct l4 *l4)
{
    const uint8_t *ip = data + ofs;
    size_t header, total;

    if (size - ofs < IP_HEADER_LEN) {
        return false;
    }
    header = (ip[0] & 0xf) * 4;
    total = get16(ip + 2);
    if (ip[0] >> 4 != 4 || header < IP_HEADER_LEN || total < header
        || total > size - ofs || get16(ip + 6) & 0x3fff) {
        return false;           /* Not whole, or a fragment. */
    }
    l4->ofs = ofs + header;
    l4->size = total - header;
    l4->proto = ip[9];
    l4->sum = csum_continue(0, ip + 12, 8);
    return true;
}

static bool
find_ipv6(const uint8_t *data, size_t size, size_t ofs, struct l4 *l4)
{
    const uint8_t *ip = data + ofs;
    size_t payload;

    if (size - ofs < IPV6_HEADER_LEN || ip[0] >> 4 != 6) {
        return false;
    }
    payload = get16(ip + 4);
    if (payload > size - ofs - IPV6_HEADER_LEN) {
        return false;
    }
    l4->ofs = ofs + IPV6_HEADER_LEN;
    l4->size = payload;
    l4->proto = ip[6];
    l4->sum = csum_continue(0, ip + 8, 32);
    return true;
}

static bool
find_l4(const uint8_t *data, size_t size, struct l4 *l4)
{
    size_t ofs = 2 * ETH_ADDR_LEN;

    for (int tags = 0; size >= ofs + 2; tags++) {
        uint16_t type = get16(data + ofs);

        if (type == ETH_TYPE_IP) {
            return find_ipv4(data, size, ofs + 2, l4);
        } else if (type == ETH_TYPE_IPV6) {
            return find_ipv6(data, size, ofs + 2, l4);
        } else if (!eth_type_vlan(htons(type)) || tags == MAX_TAGS) {
            return false;
        }
        ofs += VLAN_HEADER_LEN;
    }
    return false;
}

void
dp_finish_checksum(struct dp_packet *packet)
{
    uint8_t *data = dp_packet_data(packet);
    struct l4 l4;
    ovs_be16 field, partial, sum;
    size_t field_ofs;

    if (!find_l4(data, dp_packet_size(packet), &l4)) {
        return;
    }
    if (l4.proto == IPPROTO_TCP && l4.size >= TCP_HEADER_LEN) {
        field_ofs = l4.ofs + offsetof(struct tcp_header, tcp_csum);
    } else if (l4.proto == IPPROTO_UDP && l4.size >= UDP_HEADER_LEN) {
        field_ofs = l4.ofs + offsetof(struct udp_header, udp_csum);
    } else {
        return;
    }
    memcpy(&field, data + field_ofs, sizeof field);
    sum = csum_finish(csum_add16(csum_add16(l4.sum, htons(l4.proto)),
                                 htons(l4.size)));
    partial = ~sum;
    if (field != partial || !field) {
        return;                 /* 0: UDP without a sum. */
    }
    sum = csum(data + l4.ofs, l4.size);
    if (!sum) {
        sum = htons(0xffff);
    }
    memcpy(data + field_ofs, &sum, sizeof sum);
}
