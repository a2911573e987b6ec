/* SPDX-License-Identifier: Apache-2.0 */

/* PARSE against flow_extract(): the same key words and header offsets for
 * any packet, whole, cut anywhere or garbled. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "dp-packet.h"
#include "flow.h"
#include "openflow/openflow.h"
#include "packets.h"
#include "random.h"
#include "timeval.h"
#include "util.h"
#include "datapath/abi.h"
#include "datapath/run.h"
#include "datapath/dp.h"
#include "jit/jit.h"
#include "ofproto/compile/compile.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/parse.h"
#include "vm/emit.h"
#include "vm/prog.h"

static struct vm_slots *slots;
static struct vm_prog *parsers[OF_N_PARSE_LEVELS][FLOW_MAX_VLAN_HEADERS + 1];

static int
setup(void **state)
{
    struct vm_prog_attr attr = { .type = dp_bridge_prog_type() };
    struct vm_prog *stop = NULL;
    struct vm_emit e;
    struct vm_err err;

    of_fields_init();
    flow_limit_vlans(FLOW_MAX_VLAN_HEADERS);
    for (int i = 0; i < OF_N_PARSE_LEVELS; i++) {
        for (int j = 0; j <= FLOW_MAX_VLAN_HEADERS; j++) {
            if (of_parse_make(i, j, &parsers[i][j], &err)) {
                fail_msg("%s", err.text);
            }
        }
    }

    /* Table 0 of these tests. */
    vm_emit_init(&e);
    vm_emit_movi(&e, VM_R0, 77);
    vm_emit_exit(&e);
    if (vm_emit_finish(&e, &attr, &err)
        || vm_prog_load(&attr, &stop, &err)) {
        fail_msg("%s", err.text);
    }
    vm_emit_uninit(&e);
    slots = dp_slots_create();
    dp_slots_set(slots, DP_SLOT_TABLE, stop);
    vm_prog_unref(stop);
    return 0;
}

static int
teardown(void **state)
{
    for (int i = 0; i < OF_N_PARSE_LEVELS; i++) {
        for (int j = 0; j <= FLOW_MAX_VLAN_HEADERS; j++) {
            vm_prog_unref(parsers[i][j]);
        }
    }
    dp_slots_unref(slots);
    return 0;
}

static void
fail_packet(struct dp_packet *packet, int level, int limit, const char *what,
            int k)
{
    fprintf(stderr, "level %d, %d VLANs, %s %d differs:\n", level, limit,
            what, k);
    ovs_hex_dump(stderr, dp_packet_data(packet), dp_packet_size(packet), 0,
                 false);
    fail_msg("PARSE and flow_extract() disagree");
}

/* Compares what 'level' promises.  The buffer is exactly as large as the
 * packet, so that a read behind its end does not go unnoticed where memory is
 * checked. */
static void
check(const void *bytes, size_t n, int level, int limit)
{
    struct dp_packet *packet = dp_packet_new(n);
    static struct dp_cold cold;
    struct flow flow;
    struct dp_ctx ctx;

    if (n) {
        dp_packet_put(packet, bytes, n);
    }
    flow_limit_vlans(limit ? limit : 1);
    flow_vlan_limit = limit;

    memset(&ctx, 0, sizeof ctx);
    ctx.slots = slots;
    ctx.cold = &cold;
    cold.dressed = true;
    ctx.key[DP_KEY_ACTSET] = (uint64_t) OFPP_UNSET << 32;
    ctx.packet = packet;
    ctx.data = dp_packet_data(packet);
    ctx.data_end = ctx.data + n;
    ctx.l2_5_ofs = ctx.l3_ofs = ctx.l4_ofs = UINT16_MAX;
    if (vm_prog_run(parsers[level][limit], &ctx) != 77) {
        fail_msg("%s", vm_fault.text);
    }

    pkt_metadata_init(&packet->md, 0);
    flow_extract(packet, &flow);
    flow.actset_output = OFPP_UNSET;
    for (int k = 0; k < DP_KEY_WORDS; k++) {
        if ((int) of_key_parse_level(k) <= level
            && ctx.key[k] != flow_u64_value(&flow, of_flow_word_from_key(k))
            && k != DP_KEY_PORT) {
            fail_packet(packet, level, limit, "key word", k);
        }
    }
    if (level >= OF_PARSE_L2) {
        if (ctx.n_vlans != flow_count_vlan_headers(&flow)) {
            fail_packet(packet, level, limit, "VLANs", ctx.n_vlans);
        } else if (ctx.l3_ofs != packet->l3_ofs) {
            fail_packet(packet, level, limit, "l3_ofs", ctx.l3_ofs);
        }
    }
    if (level >= OF_PARSE_L3 && ctx.l4_ofs != packet->l4_ofs) {
        fail_packet(packet, level, limit, "l4_ofs", ctx.l4_ofs);
    }
    dp_packet_delete(packet);
}

/* Packets. */

struct buf {
    uint8_t b[600];
    size_t n;
};

static void
put(struct buf *p, const void *data, size_t n)
{
    memcpy(p->b + p->n, data, n);
    p->n += n;
}

static void
put_be16(struct buf *p, uint16_t x)
{
    ovs_be16 be = htons(x);

    put(p, &be, sizeof be);
}

static void
put_random(struct buf *p, size_t n)
{
    random_bytes(p->b + p->n, n);
    p->n += n;
}

/* One of 'n' values, or rarely something else. */
static unsigned
pick(const unsigned *values, size_t n)
{
    return random_range(20) ? values[random_range(n)] : random_uint32();
}

static void
put_l4(struct buf *p, uint8_t proto)
{
    size_t start = p->n;

    put_random(p, random_range(4) ? 40 : random_range(60));
    if (proto == IPPROTO_TCP && p->n - start > 12 && random_range(4)) {
        p->b[start + 12] = (5 + random_range(3)) << 4;
    } else if (proto == IPPROTO_ICMPV6 && p->n - start >= 32
               && random_range(2)) {
        /* Neighbor discovery with an option. */
        p->b[start] = ND_NEIGHBOR_SOLICIT + random_range(2);
        p->b[start + 1] = random_range(8) == 0;
        p->b[start + 24] = 1 + random_range(2);
        p->b[start + 25] = 1;
    }
}

static void
put_ipv4(struct buf *p)
{
    static const unsigned protos[] = {
        IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_IGMP,
        IPPROTO_ICMPV6, IPPROTO_GRE
    };
    uint8_t *ip = p->b + p->n;
    size_t start = p->n;
    unsigned ihl = random_range(6) ? 5 : random_range(16);
    uint8_t proto = pick(protos, ARRAY_SIZE(protos));

    put_random(p, MAX(ihl, 5) * 4);
    ip[0] = 0x40 | ihl;
    ip[6] = random_range(6) ? 0x40 : random_uint8();
    ip[7] = ip[6] == 0x40 ? 0 : random_range(2) ? 0 : random_uint8();
    ip[9] = proto;
    put_l4(p, proto);
    unsigned len = p->n - start;
    if (!random_range(8)) {
        len = random_range(2) ? random_range(100) : random_uint16();
    }
    ip[2] = len >> 8;
    ip[3] = len;
    if (!random_range(4)) {
        put_random(p, random_range(20));        /* Padding. */
    }
}

static void
put_ipv6(struct buf *p)
{
    static const unsigned protos[] = {
        IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_ICMPV6,
        IPPROTO_NONE
    };
    static const unsigned extensions[] = {
        IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH,
        IPPROTO_FRAGMENT
    };
    uint8_t *ip = p->b + p->n;
    size_t start = p->n;
    uint8_t proto = pick(protos, ARRAY_SIZE(protos));

    put_random(p, 40);
    ip[0] = 0x60 | (ip[0] & 0xf);
    ip[6] = proto;
    if (!random_range(4)) {
        ip[6] = pick(extensions, ARRAY_SIZE(extensions));
        put_random(p, 8);
        ip[40] = proto;
        ip[41] = random_range(2);
        if (random_range(2)) {
            ip[42] = ip[43] = 0;
        }
    }
    put_l4(p, proto);
    unsigned len = p->n - start - 40;
    if (!random_range(8)) {
        len = random_range(2) ? random_range(100) : random_uint16();
    }
    ip[4] = len >> 8;
    ip[5] = len;
}

static void
put_arp(struct buf *p)
{
    uint8_t *arp = p->b + p->n;

    put_random(p, 28 + random_range(20));
    memcpy(arp, "\0\1\x08\0\6\4\0\1", 8);
    arp[7] = random_uint8();
    if (!random_range(5)) {
        arp[random_range(8)] = random_uint8();
    }
}

static void
random_packet(struct buf *p)
{
    static const unsigned types[] = {
        ETH_TYPE_IP, ETH_TYPE_IP, ETH_TYPE_IPV6, ETH_TYPE_IPV6, ETH_TYPE_ARP,
        ETH_TYPE_RARP, ETH_TYPE_MPLS, ETH_TYPE_MPLS_MCAST, ETH_TYPE_NSH,
        0x88cc, 60
    };
    unsigned type = pick(types, ARRAY_SIZE(types));

    p->n = 0;
    put_random(p, 12);
    for (int tags = random_range(3) ? 0 : random_range(4); tags > 0; tags--) {
        put_be16(p, random_range(2) ? ETH_TYPE_VLAN_8021Q
                 : ETH_TYPE_VLAN_8021AD);
        put_random(p, 2);
    }
    put_be16(p, type);
    if (type == 60 && random_range(3)) {
        put(p, "\xaa\xaa\3\0\0\0", 6);
        put_be16(p, type = random_range(2) ? ETH_TYPE_IP : ETH_TYPE_ARP);
    }
    switch (type) {
    case ETH_TYPE_IP: put_ipv4(p); break;
    case ETH_TYPE_IPV6: put_ipv6(p); break;
    case ETH_TYPE_ARP: case ETH_TYPE_RARP: put_arp(p); break;
    default: put_random(p, random_range(100)); break;
    }
}

static void
mutate(struct buf *p)
{
    for (int n = random_range(4); n > 0; n--) {
        p->b[random_range(MIN(p->n, 80))] = random_uint8();
    }
}

static void
check_levels(const struct buf *p, size_t n)
{
    for (int level = 0; level < OF_N_PARSE_LEVELS; level++) {
        check(p->b, n, level, random_range(FLOW_MAX_VLAN_HEADERS + 1));
    }
}

static void
test_random(void **state)
{
    long long int start = time_msec();
    struct buf p;
    long n = 0;

    while (time_msec() < start + 2500) {
        random_packet(&p);
        check_levels(&p, p.n);
        mutate(&p);
        check_levels(&p, p.n);
        n += 2;
    }
    printf("%ld packets, %lld a second\n", n,
           n * 1000 / (time_msec() - start));
    assert_true(n >= 2000);
}

/* Each length, down to nothing. */
static void
test_cut(void **state)
{
    struct buf p;

    for (int i = 0; i < 150; i++) {
        random_packet(&p);
        for (size_t n = 0; n <= p.n; n++) {
            check_levels(&p, n);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_cut),
    };
    uint32_t seed = getenv("BVS_SEED") ? atoi(getenv("BVS_SEED"))
                                       : random_uint32();

    printf("seed %"PRIu32" (BVS_SEED)\n", seed);
    random_set_seed(seed ? seed : 1);
    int failed = cmocka_run_group_tests_name("interpreted", tests, setup,
                                             teardown);

    of_load_set_backend(jit_backend());
    return failed + cmocka_run_group_tests_name("native", tests, setup,
                                                teardown);
}
