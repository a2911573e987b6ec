/* SPDX-License-Identifier: Apache-2.0 */

/* Segments and checksums against what the original says: every byte of the
 * super-frame's payload comes out once, in order, in packets whose lengths,
 * sequence numbers and checksums are right. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "csum.h"
#include "datapath/csum-partial.h"
#include "datapath/gso.h"
#include "dp-packet.h"
#include "flow.h"
#include "packets.h"
#include "tests/unit/dp-fixture.h"
#include "util.h"

#define GSO_UDP_L4 5

/* Headers of a packet whose L4 checksum is the pseudo-header's, as a kernel
 * hands it over. */
struct frame {
    uint8_t data[66000];
    size_t size, l3_ofs, l4_ofs, headers;
    struct virtio_net_hdr vnet;
};

static void
make_frame(struct frame *f, bool ipv6, bool udp, int n_vlans, size_t payload)
{
    struct dp_packet *packet = dp_packet_new_with_headroom(256, 64);
    struct flow flow;
    uint64_t seed = payload;

    memset(&flow, 0, sizeof flow);
    memset(&flow.dl_dst, 0x11, 12);
    for (int i = 0; i < n_vlans; i++) {
        flow.vlans[i].tpid = htons(ETH_TYPE_VLAN);
        flow.vlans[i].tci = htons(VLAN_CFI | (5 + i));
    }
    flow.dl_type = htons(ipv6 ? ETH_TYPE_IPV6 : ETH_TYPE_IP);
    flow.nw_proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
    flow.nw_ttl = 64;
    flow.tp_src = htons(1111);
    flow.tp_dst = htons(2222);
    flow.tcp_flags = htons(TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR);
    if (ipv6) {
        memset(&flow.ipv6_src, 0x20, 16);
        memset(&flow.ipv6_dst, 0x21, 16);
    } else {
        flow.nw_src = htonl(0x0a000001);
        flow.nw_dst = htonl(0x0a000002);
    }
    flow_compose(packet, &flow, NULL, 0);
    f->l3_ofs = packet->l3_ofs;
    f->l4_ofs = packet->l4_ofs;
    f->headers = f->l4_ofs + (udp ? UDP_HEADER_LEN : TCP_HEADER_LEN);
    memcpy(f->data, dp_packet_data(packet), f->headers);
    if (!udp) {
        struct tcp_header *tcp = (void *) &f->data[f->l4_ofs];

        put_16aligned_be32(&tcp->tcp_seq, htonl(0xfffffff0));
    }
    if (!ipv6) {
        struct ip_header *ip = (void *) &f->data[f->l3_ofs];

        ip->ip_id = htons(0xfffe);
    }
    for (size_t i = 0; i < payload; i++) {
        f->data[f->headers + i] = fx_random(&seed);
    }
    f->size = f->headers + payload;
    memset(&f->vnet, 0, sizeof f->vnet);
    f->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    f->vnet.csum_start = f->l4_ofs;
    f->vnet.csum_offset = udp ? 6 : 16;
    dp_packet_delete(packet);
}

/* Whether all checksums of 'packet' are right. */
static void
check_checksums(struct dp_packet *packet)
{
    struct flow flow;
    uint32_t sum;

    flow_extract(packet, &flow);
    assert_true(flow.nw_proto == IPPROTO_TCP || flow.nw_proto == IPPROTO_UDP);
    if (flow.dl_type == htons(ETH_TYPE_IP)) {
        struct ip_header *ip = dp_packet_l3(packet);

        assert_int_equal(csum(ip, IP_HEADER_LEN), 0);
        assert_int_equal(ntohs(ip->ip_tot_len),
                         dp_packet_size(packet) - packet->l3_ofs);
        sum = packet_csum_pseudoheader(ip);
    } else {
        struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);

        assert_int_equal(ntohs(ip6->ip6_plen),
                         dp_packet_size(packet) - packet->l4_ofs);
        sum = packet_csum_pseudoheader6(ip6);
    }
    sum = csum_continue(sum, dp_packet_l4(packet),
                        dp_packet_l4_size(packet));
    assert_int_equal(csum_finish(sum), 0);
}

static void
check_cut(const struct frame *f, bool ipv6, bool udp, unsigned gso_size)
{
    size_t done = 0, n = 0;
    struct dp_packet *segment;
    struct dp_gso gso;

    assert_int_equal(dp_gso_start(&gso, f->data, f->size, &f->vnet), 0);
    for (; (segment = dp_gso_next(&gso)); n++) {
        size_t payload = dp_packet_size(segment) - f->headers;
        bool last = done + payload == f->size - f->headers;

        assert_true(payload == gso_size || (last && payload < gso_size));
        assert_memory_equal((uint8_t *) dp_packet_data(segment) + f->headers,
                            f->data + f->headers + done, payload);
        assert_memory_equal(dp_packet_data(segment), f->data, f->l3_ofs);
        check_checksums(segment);
        if (!udp) {
            struct tcp_header *tcp = dp_packet_l4(segment);
            uint16_t flags = TCP_FLAGS(tcp->tcp_ctl);

            assert_int_equal(ntohl(get_16aligned_be32(&tcp->tcp_seq)),
                             (uint32_t) (0xfffffff0 + done));
            assert_int_equal(flags, TCP_ACK | (n ? 0 : TCP_CWR)
                                    | (last ? TCP_PSH | TCP_FIN : 0));
        } else {
            struct udp_header *header = dp_packet_l4(segment);

            assert_int_equal(ntohs(header->udp_len),
                             UDP_HEADER_LEN + payload);
        }
        if (!ipv6) {
            struct ip_header *ip = dp_packet_l3(segment);

            assert_int_equal(ntohs(ip->ip_id), (uint16_t) (0xfffe + n));
        }
        done += payload;
        dp_packet_delete(segment);
    }
    assert_int_equal(done, f->size - f->headers);
}

static void
test_cut(void **state)
{
    static const struct {
        size_t payload;
        uint16_t gso_size;
    } sizes[] = {
        { 1, 1448 }, { 1448, 1448 }, { 1449, 1448 }, { 65160, 1448 },
        { 65495, 1460 }, { 5000, 536 }, { 300, 1 },
    };
    struct frame *f = xmalloc(sizeof *f);

    for (int form = 0; form < 12; form++) {
        bool ipv6 = form & 1, udp = form & 2;

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            make_frame(f, ipv6, udp, form / 4, sizes[i].payload);
            f->vnet.gso_size = sizes[i].gso_size;
            f->vnet.gso_type = (udp ? GSO_UDP_L4
                                : ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                : VIRTIO_NET_HDR_GSO_TCPV4);
            check_cut(f, ipv6, udp, sizes[i].gso_size);
        }
    }
    free(f);
}

/* The sum of the pseudo-header, as the kernel leaves it in the field. */
static void
set_partial(struct frame *f, bool ipv6)
{
    size_t l4_size = f->size - f->l4_ofs;
    ovs_be16 partial;

    if (ipv6) {
        struct ovs_16aligned_ip6_hdr *ip6 = (void *) &f->data[f->l3_ofs];

        ip6->ip6_plen = htons(l4_size);
        partial = ~csum_finish(packet_csum_pseudoheader6(ip6));
    } else {
        struct ip_header *ip = (void *) &f->data[f->l3_ofs];

        ip->ip_tot_len = htons(f->size - f->l3_ofs);
        ip->ip_csum = 0;
        ip->ip_csum = csum(ip, IP_HEADER_LEN);
        partial = ~csum_finish(packet_csum_pseudoheader(ip));
    }
    memcpy(&f->data[f->l4_ofs + f->vnet.csum_offset], &partial, 2);
}

/* The same without being told, as AF_XDP needs it: a sum that is the
 * pseudo-header's is completed, any other one left alone. */
static void
check_finish(const struct frame *f, struct dp_packet *right)
{
    struct dp_packet *packet, *wrong, *copy;

    packet = dp_packet_clone_data_with_headroom(f->data, f->size, 64);
    dp_packet_put_zeros(packet, 5);     /* Padding of a short frame. */
    dp_finish_checksum(packet);
    dp_packet_set_size(packet, f->size);
    assert_true(dp_packet_equal(packet, right));

    wrong = dp_packet_clone(right);
    ((uint8_t *) dp_packet_data(wrong))[f->l4_ofs] ^= 0x40;
    copy = dp_packet_clone(wrong);
    dp_finish_checksum(packet);
    dp_finish_checksum(wrong);
    assert_true(dp_packet_equal(packet, right));
    assert_true(dp_packet_equal(wrong, copy));
    dp_packet_delete(packet);
    dp_packet_delete(wrong);
    dp_packet_delete(copy);
}

static void
test_checksum(void **state)
{
    struct frame *f = xmalloc(sizeof *f);

    for (int form = 0; form < 12; form++) {
        bool ipv6 = form & 1, udp = form & 2;

        for (size_t payload = 0; payload < 100; payload++) {
            struct dp_packet *packet, *copy;

            make_frame(f, ipv6, udp, form / 4, payload);
            if (udp) {
                put_unaligned_be16((ovs_be16 *) &f->data[f->l4_ofs + 4],
                                   htons(UDP_HEADER_LEN + payload));
            }
            set_partial(f, ipv6);
            packet = dp_packet_clone_data_with_headroom(f->data, f->size,
                                                        64);
            assert_int_equal(dp_complete_checksum(packet, &f->vnet), 0);
            check_checksums(packet);
            check_finish(f, packet);

            /* Without the flag nothing is touched, right or wrong. */
            f->vnet.flags = 0;
            ((uint8_t *) dp_packet_data(packet))[f->l4_ofs] ^= 0x40;
            copy = dp_packet_clone(packet);
            assert_int_equal(dp_complete_checksum(packet, &f->vnet), 0);
            assert_true(dp_packet_equal(packet, copy));
            dp_packet_delete(packet);
            dp_packet_delete(copy);
        }
    }
    free(f);
}

/* A UDP sum of 0 is sent as 0xffff. */
static void
test_udp_zero(void **state)
{
    struct virtio_net_hdr vnet = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = 34,
        .csum_offset = 6,
    };
    uint8_t data[42] = { 0 };
    struct dp_packet *packet;

    data[34] = data[35] = 0xff;         /* Sums up to 0xffff: 0. */
    packet = dp_packet_clone_data_with_headroom(data, sizeof data, 64);
    assert_int_equal(dp_complete_checksum(packet, &vnet), 0);
    assert_memory_equal((uint8_t *) dp_packet_data(packet) + 40, "\xff\xff",
                        2);
    dp_packet_delete(packet);
}

/* Headers that do not fit the frame are refused, whatever they say. */
static void
test_nonsense(void **state)
{
    struct frame *f = xmalloc(sizeof *f);
    uint64_t seed = 1;

    for (int i = 0; i < 200000; i++) {
        struct dp_packet *packet, *segment, whole;
        struct dp_gso gso;

        make_frame(f, i & 1, i & 2, i % 3, i % 50);
        f->size = fx_random(&seed) % (f->size + 1);
        f->vnet.gso_type = fx_random(&seed) % 8;
        f->vnet.gso_size = fx_random(&seed) % 4 ? 1 + fx_random(&seed) % 9
                           : fx_random(&seed);
        if (fx_random(&seed) % 2) {
            f->vnet.csum_start = fx_random(&seed) % 100;
            f->vnet.csum_offset = fx_random(&seed) % 100;
        }
        if (fx_random(&seed) % 2 && f->size) {
            f->data[fx_random(&seed) % f->size] = fx_random(&seed);
        }
        /* In memory of exactly its size, for the sanitizer. */
        uint8_t *exact = xmemdup(f->data, MAX(f->size, 1));

        if (!dp_gso_start(&gso, exact, f->size, &f->vnet)) {
            while ((segment = dp_gso_next(&gso))) {
                dp_packet_delete(segment);
            }
        }
        packet = dp_packet_clone_data_with_headroom(exact, f->size, 64);
        dp_complete_checksum(packet, &f->vnet);
        dp_packet_delete(packet);
        dp_packet_use_const(&whole, exact, f->size);
        dp_finish_checksum(&whole);
        free(exact);
    }
    free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_udp_zero),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests_name("dp-gso", tests, NULL, NULL);
}
