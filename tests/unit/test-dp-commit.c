/* SPDX-License-Identifier: Apache-2.0 */

/* COMMIT against commit_odp_actions() and odp_execute_actions(): random
 * packets, whole, cut and damaged; random changes of random fields, in one to
 * three rounds.  Each case prints its seed when it fails. */

#include <inttypes.h>
#include <netinet/icmp6.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "datapath/ctx.h"
#include "datapath/run.h"
#include "datapath/worker.h"
#include "dp-packet.h"
#include "flow.h"
#include "odp-execute.h"
#include "odp-util.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/meta-flow.h"
#include "packets.h"
#include "random.h"
#include "tests/unit/dp-fixture.h"
#include "util.h"

enum { N_CASES = 100000};

static struct dp_worker *worker;
static unsigned n_changed[32];          /* Rounds that changed bytes, by
                                         * dirty bit. */

static uint32_t
rnd(uint64_t *seed, uint32_t n)
{
    return fx_random(seed) % n;
}

static void
fill(uint64_t *seed, void *p_, size_t n)
{
    uint8_t *p = p_;

    while (n--) {
        *p++ = fx_random(seed);
    }
}

/* Packets. */

static void
random_l4(uint64_t *seed, struct flow *flow)
{
    static const uint8_t protos[] = {
        IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, 89, 0,
    };
    bool ipv6 = flow->dl_type == htons(ETH_TYPE_IPV6);

    flow->nw_proto = protos[rnd(seed, 6)];
    if (flow->nw_proto == IPPROTO_ICMP && ipv6) {
        flow->nw_proto = IPPROTO_ICMPV6;
    }
    fill(seed, &flow->tp_src, 4);
    if (flow->nw_proto == IPPROTO_ICMP || flow->nw_proto == IPPROTO_ICMPV6) {
        flow->tp_src = htons(rnd(seed, 256));
        flow->tp_dst = htons(rnd(seed, 256));
    }
    if (flow->nw_proto == IPPROTO_ICMPV6 && rnd(seed, 3)) {
        flow->tp_src = htons(rnd(seed, 2)
                             ? ND_NEIGHBOR_SOLICIT : ND_NEIGHBOR_ADVERT);
        flow->tp_dst = 0;
        fill(seed, &flow->nd_target, sizeof flow->nd_target);
        if (rnd(seed, 3)) {
            fill(seed, flow->tp_src == htons(ND_NEIGHBOR_SOLICIT)
                 ? &flow->arp_sha : &flow->arp_tha, ETH_ADDR_LEN);
        }
    }
}

static void
random_flow(uint64_t *seed, struct flow *flow)
{
    int n_vlans = rnd(seed, 3);

    memset(flow, 0, sizeof *flow);
    fill(seed, &flow->dl_dst, 12);
    for (int i = 0; i < n_vlans; i++) {
        flow->vlans[i].tpid = htons(rnd(seed, 2) ? ETH_TYPE_VLAN_8021Q
                                    : ETH_TYPE_VLAN_8021AD);
        flow->vlans[i].tci = htons(rnd(seed, 65536) | VLAN_CFI);
    }
    switch (rnd(seed, 5)) {
    case 0:
    case 1:
        flow->dl_type = htons(ETH_TYPE_IP);
        break;
    case 2:
    case 3:
        flow->dl_type = htons(ETH_TYPE_IPV6);
        break;
    case 4:
        flow->dl_type = htons(rnd(seed, 3) ? ETH_TYPE_ARP : 0x1234);
        break;
    }
    if (flow->dl_type == htons(ETH_TYPE_ARP)) {
        flow->nw_proto = 1 + rnd(seed, 2);
        fill(seed, &flow->nw_src, 8);
        fill(seed, &flow->arp_sha, 12);
    } else if (flow->dl_type != htons(0x1234)) {
        fill(seed, &flow->nw_src, 8);
        fill(seed, &flow->ipv6_src, 32);
        if (flow->dl_type == htons(ETH_TYPE_IP)) {
            memset(&flow->ipv6_src, 0, 32);
        } else {
            memset(&flow->nw_src, 0, 8);
            flow->ipv6_label = htonl(rnd(seed, 1 << 20));
        }
        flow->nw_tos = rnd(seed, 256);
        flow->nw_ttl = rnd(seed, 256);
        if (!rnd(seed, 4)) {
            flow->nw_frag = rnd(seed, 2) ? FLOW_NW_FRAG_MASK
                            : FLOW_NW_FRAG_ANY;
        }
        random_l4(seed, flow);
    }
}

/* Puts a hop-by-hop or routing header behind an IPv6 header. */
static void
add_extension(uint64_t *seed, struct dp_packet *packet)
{
    struct flow flow;
    uint8_t *ip6, ext[8] = { 0 };
    size_t ofs;

    flow_extract(packet, &flow);
    if (flow.dl_type != htons(ETH_TYPE_IPV6) || !dp_packet_l3(packet)) {
        return;
    }
    ip6 = dp_packet_l3(packet);
    ofs = ip6 + 40 - (uint8_t *) dp_packet_data(packet);
    ext[0] = ip6[6];
    if (rnd(seed, 2)) {
        ip6[6] = IPPROTO_ROUTING;
        ext[3] = rnd(seed, 2);          /* Segments left. */
    } else {
        ip6[6] = IPPROTO_HOPOPTS;
    }
    dp_packet_put_zeros(packet, sizeof ext);
    ip6 = (uint8_t *) dp_packet_data(packet) + ofs;
    memmove(ip6 + sizeof ext, ip6,
            dp_packet_size(packet) - sizeof ext - ofs);
    memcpy(ip6, ext, sizeof ext);
}

static struct dp_packet *
random_packet(uint64_t *seed)
{
    struct dp_packet *packet = dp_packet_new_with_headroom(512, 128);
    struct flow flow;
    uint8_t l7[64];

    random_flow(seed, &flow);
    fill(seed, l7, sizeof l7);
    flow_compose(packet, &flow, l7, rnd(seed, sizeof l7));
    if (!rnd(seed, 3)) {
        add_extension(seed, packet);
    }
    if (!rnd(seed, 8)) {
        /* A UDP checksum of 0, where it is, or any other two bytes. */
        size_t size = dp_packet_size(packet);

        memset((uint8_t *) dp_packet_data(packet) + rnd(seed, size - 1), 0,
               2);
    }
    if (!rnd(seed, 6)) {
        dp_packet_set_size(packet, 14 + rnd(seed,
                                            dp_packet_size(packet) - 13));
    }
    if (!rnd(seed, 6)) {
        uint8_t *data = dp_packet_data(packet);

        data[rnd(seed, dp_packet_size(packet))] = fx_random(seed);
    }
    return packet;
}

/* Changes. */

static const struct {
    enum mf_field_id id;
    uint32_t dirty;
} fields[] = {
    { MFF_ETH_SRC, DP_DIRTY_ETH }, { MFF_ETH_DST, DP_DIRTY_ETH },
    { MFF_VLAN_VID, DP_DIRTY_VLAN }, { MFF_VLAN_PCP, DP_DIRTY_VLAN },
    { MFF_VLAN_TCI, DP_DIRTY_VLAN },
    { MFF_IPV4_SRC, DP_DIRTY_IPV4 }, { MFF_IPV4_DST, DP_DIRTY_IPV4 },
    { MFF_IPV6_SRC, DP_DIRTY_IPV6 }, { MFF_IPV6_DST, DP_DIRTY_IPV6 },
    { MFF_IPV6_LABEL, DP_DIRTY_IPV6 },
    { MFF_IP_DSCP, DP_DIRTY_IPV4 | DP_DIRTY_IPV6 },
    { MFF_IP_ECN, DP_DIRTY_IPV4 | DP_DIRTY_IPV6 },
    { MFF_IP_TTL, DP_DIRTY_IPV4 | DP_DIRTY_IPV6 },
    { MFF_ARP_OP, DP_DIRTY_ARP }, { MFF_ARP_SPA, DP_DIRTY_ARP },
    { MFF_ARP_TPA, DP_DIRTY_ARP }, { MFF_ARP_SHA, DP_DIRTY_ARP },
    { MFF_ARP_THA, DP_DIRTY_ARP },
    { MFF_TCP_SRC, DP_DIRTY_TP }, { MFF_TCP_DST, DP_DIRTY_TP },
    { MFF_UDP_SRC, DP_DIRTY_TP }, { MFF_UDP_DST, DP_DIRTY_TP },
    { MFF_SCTP_SRC, DP_DIRTY_TP }, { MFF_SCTP_DST, DP_DIRTY_TP },
    { MFF_ICMPV4_TYPE, DP_DIRTY_ICMP }, { MFF_ICMPV4_CODE, DP_DIRTY_ICMP },
    { MFF_ICMPV6_TYPE, DP_DIRTY_ICMP }, { MFF_ICMPV6_CODE, DP_DIRTY_ICMP },
    { MFF_ND_TARGET, DP_DIRTY_ND }, { MFF_ND_SLL, DP_DIRTY_ND },
    { MFF_ND_TLL, DP_DIRTY_ND }, { MFF_ND_RESERVED, DP_DIRTY_ND },
    { MFF_ND_OPTIONS_TYPE, DP_DIRTY_ND },
};

/* Whether OVS's walk over ND's options leaves the packet. */
static bool
options_are_bad(const struct dp_packet *packet)
{
    const struct ovs_nd_msg *msg = dp_packet_l4(packet);
    int left = dp_packet_l4_size(packet) - (int) sizeof *msg;
    const struct ovs_nd_lla_opt *opt = &msg->options[0];
    const char *end = (const char *) opt + left;

    while (left >= ND_LLA_OPT_LEN && opt->len
           && !(opt->len == 1 && (opt->type == ND_OPT_SOURCE_LINKADDR
                                  || opt->type == ND_OPT_TARGET_LINKADDR))) {
        opt += opt->len;
        if ((const char *) opt + 2 > end) {
            return true;
        }
        left -= opt->len * ND_LLA_OPT_LEN;
    }
    return false;
}

/* What OVS's writer of a header looks at without checking that it is there:
 * we leave such packets alone. */
static bool
ovs_reads_past_end(const struct dp_packet *packet, const struct flow *flow,
                   uint32_t dirty)
{
    return (dirty & DP_DIRTY_ARP && !flow->nw_proto)
           || (dirty & DP_DIRTY_ND
               && (!dp_packet_get_nd_payload(packet)
                   || options_are_bad(packet)
                   || dp_packet_l4_size(packet)
                      < sizeof(struct ovs_nd_msg) + 1));
}

/* Changes one field of 'flow' as an action would; its dirty bits. */
static uint32_t
change(uint64_t *seed, const struct dp_packet *packet, struct flow *flow,
       struct flow_wildcards *wc, struct ds *trace)
{
    int i = rnd(seed, ARRAY_SIZE(fields) + 2);
    const struct mf_field *mf;
    union mf_value value;

    if (i == ARRAY_SIZE(fields)) {
        ds_put_cstr(trace, " push_vlan");
        flow_push_vlan_uninit(flow, wc);
        flow->vlans[0].tpid = htons(rnd(seed, 2) ? ETH_TYPE_VLAN_8021Q
                                    : ETH_TYPE_VLAN_8021AD);
        flow->vlans[0].tci = htons(VLAN_CFI);
        return DP_DIRTY_VLAN;
    } else if (i > ARRAY_SIZE(fields)) {
        ds_put_cstr(trace, " pop_vlan");
        flow_pop_vlan(flow, wc);
        return DP_DIRTY_VLAN;
    }

    mf = mf_from_id(fields[i].id);
    if (!mf_are_prereqs_ok(mf, flow, wc)
        || ovs_reads_past_end(packet, flow, fields[i].dirty)) {
        return 0;
    }
    mf_get_value(mf, flow, &value);
    if (rnd(seed, 5)) {
        fill(seed, &value, mf->n_bytes);
        if (mf->n_bits % 8) {
            /* Values have no bits beyond the field's. */
            uint8_t *first = (uint8_t *) &value;

            memset(first, 0, mf->n_bytes - DIV_ROUND_UP(mf->n_bits, 8));
            first[mf->n_bytes - DIV_ROUND_UP(mf->n_bits, 8)]
                &= (1 << mf->n_bits % 8) - 1;
        }
    }
    if (fields[i].id == MFF_VLAN_VID) {
        value.be16 |= htons(VLAN_CFI);
    } else if (fields[i].id == MFF_VLAN_TCI) {
        value.be16 |= htons(VLAN_CFI);
    } else if (fields[i].dirty == DP_DIRTY_ICMP) {
        /* Not 0: what a later fragment's key says before it is set. */
        value.u8 |= 1;
    } else if (fields[i].id == MFF_ARP_OP) {
        value.be16 = htons(1 + rnd(seed, 250));
    }
    ds_put_format(trace, " %s=", mf->name);
    mf_format(mf, &value, NULL, NULL, trace);
    mf_mask_field(mf, wc);
    mf_set_flow_value(mf, &value, flow);
    return fields[i].dirty;
}

/* The two sides. */

static void
ovs_commit(struct dp_packet *packet, const struct flow *flow,
           struct flow *base, struct flow_wildcards *wc)
{
    struct dp_packet_batch batch;
    struct ofpbuf actions;

    ofpbuf_init(&actions, 512);
    commit_odp_actions(flow, base, &actions, wc, true, false, false, NULL);
    dp_packet_batch_init_packet(&batch, packet);
    odp_execute_actions(NULL, &batch, false, actions.data, actions.size,
                        NULL);
    ofpbuf_uninit(&actions);
}

static void
start_ctx(struct dp_packet *packet)
{
    struct dp_cold *cold = dp_worker_cold(worker, 0);
    struct dp_ctx *ctx = dp_worker_ctx(worker, 0);

    cold->n_bufs = cold->n_outs = cold->n_saves = 0;
    cold->nd_base.valid = false;
    cold->worker = worker;
    cold->buf = dp_run_add_buf(cold, packet);
    ctx->cold = cold;
    ctx->packet = packet;
    ctx->dirty = 0;
    memset(ctx->key, 0, sizeof ctx->key);
    dp_parse(ctx);
}

static void
check_equal(uint64_t case_seed, const struct dp_packet *before,
            struct dp_packet *ours, struct dp_packet *theirs,
            const char *trace)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (dp_packet_equal(ours, theirs)) {
        return;
    }
    ds_put_format(&ds, "seed %#"PRIx64":%s\nbefore:\n", case_seed, trace);
    ds_put_hex_dump(&ds, dp_packet_data(before), dp_packet_size(before), 0,
                    false);
    ds_put_cstr(&ds, "Open vSwitch:\n");
    ds_put_hex_dump(&ds, dp_packet_data(theirs), dp_packet_size(theirs), 0,
                    false);
    ds_put_cstr(&ds, "ours:\n");
    ds_put_hex_dump(&ds, dp_packet_data(ours), dp_packet_size(ours), 0,
                    false);
    print_message("%s", ds_cstr(&ds));
    ds_destroy(&ds);
    fail_msg("packets differ");
}

static void
run_case(uint64_t case_seed)
{
    uint64_t state = case_seed, *seed = &state;
    struct dp_packet *before = random_packet(seed);
    struct dp_packet *theirs = dp_packet_clone_with_headroom(before, 128);
    struct dp_packet *ours = dp_packet_clone_with_headroom(before, 128);
    struct ds trace = DS_EMPTY_INITIALIZER;
    struct dp_ctx *ctx = dp_worker_ctx(worker, 0);
    struct flow flow, base;
    struct flow_wildcards wc;

    dp_packet_prealloc_tailroom(theirs, 512);
    flow_extract(theirs, &base);
    flow = base;
    flow.actset_output = base.actset_output = OFPP_UNSET;
    flow_wildcards_init_catchall(&wc);
    start_ctx(ours);

    for (int round = rnd(seed, 3); round >= 0; round--) {
        uint32_t dirty = 0;

        ds_put_cstr(&trace, " |");
        for (int i = rnd(seed, 5); i >= 0; i--) {
            dirty |= change(seed, theirs, &flow, &wc, &trace);
        }
        ovs_commit(theirs, &flow, &base, &wc);
        dp_key_from_flow(ctx->key, &flow);
        ctx->dirty = dirty;
        assert_int_equal(dp_commit(ctx), 0);
        check_equal(case_seed, before, ours, theirs, ds_cstr(&trace));
        for (int i = 0; i < 32; i++) {
            n_changed[i] += dirty >> i & !dp_packet_equal(before, ours);
        }
    }
    ds_destroy(&trace);
    dp_packet_delete(before);
    dp_packet_delete(theirs);
    dp_packet_delete(ours);
}

static void
test_random(void **state)
{
    const char *text = getenv("BVS_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : random_uint64();
    static const uint32_t bits[] = {
        DP_DIRTY_ETH, DP_DIRTY_VLAN, DP_DIRTY_IPV4, DP_DIRTY_IPV6,
        DP_DIRTY_ARP, DP_DIRTY_TP, DP_DIRTY_ICMP, DP_DIRTY_ND,
    };

    if (text) {
        run_case(seed);
        return;
    }
    print_message("first seed %#"PRIx64" (BVS_SEED runs one case)\n", seed);
    for (int i = 0; i < N_CASES; i++) {
        run_case(fx_random(&seed));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
        if (n_changed[ctz32(bits[i])] < 100) {
            fail_msg("dirty bit %#x changed only %u packets", bits[i],
                     n_changed[ctz32(bits[i])]);
        }
    }
}

static int
set_up(void **state)
{
    struct fx *fx = xmalloc(sizeof *fx);

    odp_execute_init();
    fx_init(fx, DP_INLINE);
    worker = dp_worker_create(fx->dp, 0);
    *state = fx;
    return 0;
}

static int
tear_down(void **state)
{
    dp_worker_destroy(worker);
    fx_uninit(*state);
    free(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name("dp-commit", tests, set_up, tear_down);
}
