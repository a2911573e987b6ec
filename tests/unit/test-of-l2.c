/* SPDX-License-Identifier: Apache-2.0 */

/* What NORMAL decides with a bridge's VLAN configuration: which packets are
 * admitted, which ports a flood reaches, with which tags. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "bitmap.h"
#include "packets.h"
#include "util.h"
#include "ofproto/l2-conf.h"

/* One bundle a port; ports are numbered from 1. */
struct port {
    enum port_vlan_mode mode;
    uint16_t vlan;
    const char *trunks;         /* Null: all. */
    enum port_priority_tags_mode priority_tags;
    bool no_flood;
    bool protected;
};

static const struct port ports[] = {
    /* 1 */ { .mode = PORT_VLAN_TRUNK },
    /* 2 */ { .mode = PORT_VLAN_ACCESS, .vlan = 10 },
    /* 3 */ { .mode = PORT_VLAN_ACCESS, .vlan = 20 },
    /* 4 */ { .mode = PORT_VLAN_TRUNK, .trunks = "10,30" },
    /* 5 */ { .mode = PORT_VLAN_NATIVE_TAGGED, .vlan = 10,
              .trunks = "10,20" },
    /* 6 */ { .mode = PORT_VLAN_NATIVE_UNTAGGED, .vlan = 10,
              .trunks = "10,20" },
    /* 7 */ { .mode = PORT_VLAN_DOT1Q_TUNNEL, .vlan = 30 },
    /* 8 */ { .mode = PORT_VLAN_ACCESS, .vlan = 10,
              .priority_tags = PORT_PRIORITY_TAGS_IF_NONZERO },
    /* 9 */ { .mode = PORT_VLAN_ACCESS, .vlan = 10, .no_flood = true },
    /* 10 */ { .mode = PORT_VLAN_ACCESS, .vlan = 40, .protected = true },
    /* 11 */ { .mode = PORT_VLAN_ACCESS, .vlan = 40, .protected = true },
    /* 12 */ { .mode = PORT_VLAN_ACCESS, .vlan = 40 },
};

static unsigned long *
parse_trunks(const char *s)
{
    unsigned long *bitmap;

    if (!s) {
        return NULL;
    }
    bitmap = bitmap_allocate(4096);
    while (*s) {
        char *end;

        bitmap_set1(bitmap, strtol(s, &end, 10));
        s = end + (*end == ',');
    }
    return bitmap;
}

static struct of_l2_conf *
make_conf(void)
{
    struct of_l2_conf *conf = of_l2_conf_create(ARRAY_SIZE(ports),
                                                ARRAY_SIZE(ports));

    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        conf->bundles[i] = (struct of_l2_bundle) {
            .port = u16_to_ofp(i + 1),
            .vlan_mode = ports[i].mode,
            .priority_tags = ports[i].priority_tags,
            .vlan = ports[i].vlan,
            .qinq_ethtype = ETH_TYPE_VLAN_8021AD,
            .floodable = !ports[i].no_flood,
            .protected = ports[i].protected,
            .trunks = parse_trunks(ports[i].trunks),
        };
        of_l2_conf_add_port(conf, u16_to_ofp(i + 1), i);
    }
    return conf;
}

/* Tags as text: "10", "10/3" with priority, "88a8:30.10" for two. */
static void
parse_tags(const char *s, union flow_vlan_hdr vlans[])
{
    memset(vlans, 0, FLOW_MAX_VLAN_HEADERS * sizeof *vlans);
    for (int i = 0; *s; i++) {
        unsigned int tpid = ETH_TYPE_VLAN, vid, pcp = 0;
        int n;

        if (sscanf(s, "88a8:%n", &n) == 0 && !strncmp(s, "88a8:", 5)) {
            tpid = ETH_TYPE_VLAN_8021AD;
            s += 5;
        }
        assert_int_equal(sscanf(s, "%u%n", &vid, &n), 1);
        s += n;
        if (*s == '/') {
            assert_int_equal(sscanf(s, "/%u%n", &pcp, &n), 1);
            s += n;
        }
        s += *s == '.';
        vlans[i].tpid = htons(tpid);
        vlans[i].tci = htons(VLAN_CFI | vid | pcp << VLAN_PCP_SHIFT);
    }
}

struct flood_case {
    const char *name;
    uint16_t in_port;
    const char *tags;
    const char *out;            /* "PORT:TAGS ...", or the drop's reason. */
};

static const struct flood_case flood_cases[] = {
    { "untagged trunk stays in VLAN 0", 1, "", "" },
    { "access to its VLAN", 2, "",
      "1:10 4:10 5:10 6: 8:" },
    { "other access VLAN", 3, "", "1:20 5:20 6:20" },
    { "tagged into access", 2, "10", "VLAN" },
    { "priority tag into access", 2, "0/5",
      "1:10/5 4:10/5 5:10/5 6: 8:0/5" },
    { "trunk in a VLAN", 1, "10", "2: 4:10 5:10 6: 8:" },
    { "trunk in a VLAN keeps priority", 1, "10/3",
      "2: 4:10/3 5:10/3 6: 8:0/3" },
    { "VLAN not trunked", 4, "20", "VLAN" },
    { "untagged not trunked", 4, "", "VLAN" },
    { "native tagged, untagged packet", 5, "",
      "1:10 2: 4:10 6: 8:" },
    { "native untagged, untagged packet", 6, "",
      "1:10 2: 4:10 5:10 8:" },
    { "native untagged, other trunk", 6, "20", "1:20 3: 5:20" },
    { "native, VLAN not trunked", 6, "30", "VLAN" },
    { "tunnel pushes its tag", 7, "10", "1:88a8:30.10 4:88a8:30.10" },
    { "tunnel pops its tag", 1, "88a8:30.10", "4:88a8:30.10 7:10" },
    { "NO_FLOOD port may send", 9, "", "1:10 2: 4:10 5:10 6: 8:" },
    { "protected ports do not see each other", 10, "", "1:40 12:" },
    { "protected and not", 12, "", "1:40 10: 11:" },
    { "two tags do not enter access", 1, "10.5", "4:10.5 5:10.5 6:5" },
    { "no such port", 99, "", "NO_PORT" },
};

static void
check_flood(const struct of_l2_conf *conf, const struct flood_case *c)
{
    struct of_l2_packet packet = { .is_ethernet = true };
    char expected[512] = "", got[512] = "";
    enum dp_drop_reason reason;
    struct of_l2_input input;
    const char *s = c->out;

    packet.dl_type = htons(ETH_TYPE_IP);
    eth_addr_from_uint64(0x020000000001, &packet.dl_src);
    eth_addr_from_uint64(0x020000000002, &packet.dl_dst);
    parse_tags(c->tags, packet.vlans);
    reason = of_l2_admit(conf, u16_to_ofp(c->in_port), &packet, &input);
    if (!strcmp(c->out, "VLAN") || !strcmp(c->out, "NO_PORT")) {
        assert_int_equal(reason, c->out[0] == 'V' ? DP_DROP_NORMAL_VLAN
                         : DP_DROP_NO_PORT);
        return;
    }
    assert_int_equal(reason, DP_DROP_NONE);
    for (size_t i = 0; i < conf->n_bundles; i++) {
        if (of_l2_floods_to(&input, &conf->bundles[i])) {
            union flow_vlan_hdr out[FLOW_MAX_VLAN_HEADERS];

            memcpy(out, packet.vlans, sizeof out);
            of_l2_output_vlans(&input, &conf->bundles[i], out);
            snprintf(got + strlen(got), sizeof got - strlen(got),
                     "%zu:%08x.%08x ", i + 1,
                     ntohl(out[0].qtag), ntohl(out[1].qtag));
        }
    }
    while (*s) {
        union flow_vlan_hdr out[FLOW_MAX_VLAN_HEADERS];
        char tags[64] = "";
        int port, n;

        assert_int_equal(sscanf(s, "%d:%n", &port, &n), 1);
        s += n;
        n = strcspn(s, " ");
        memcpy(tags, s, n);
        s += n + (s[n] == ' ');
        parse_tags(tags, out);
        snprintf(expected + strlen(expected),
                 sizeof expected - strlen(expected), "%d:%08x.%08x ", port,
                 ntohl(out[0].qtag), ntohl(out[1].qtag));
    }
    if (strcmp(expected, got)) {
        fail_msg("%s: expected %s, got %s", c->name, expected, got);
    }
}

static void
test_flood(void **state OVS_UNUSED)
{
    struct of_l2_conf *conf = make_conf();

    for (size_t i = 0; i < ARRAY_SIZE(flood_cases); i++) {
        check_flood(conf, &flood_cases[i]);
    }
    of_l2_conf_destroy(conf);
}

static void
test_admit(void **state OVS_UNUSED)
{
    struct of_l2_packet packet = { .dl_type = htons(ETH_TYPE_IP),
                                   .is_ethernet = true };
    struct of_l2_conf *conf = make_conf();
    struct of_l2_input input;

    /* Learning: not from groups, not in flood VLANs, not from controllers. */
    eth_addr_from_uint64(0x020000000001, &packet.dl_src);
    assert_int_equal(of_l2_admit(conf, u16_to_ofp(2), &packet, &input), 0);
    assert_true(input.learn);
    assert_int_equal(input.vlan, 10);
    assert_int_equal(of_l2_admit(conf, OFPP_NONE, &packet, &input), 0);
    assert_false(input.learn);
    assert_null(input.bundle);
    conf->flood_vlans = parse_trunks("10");
    assert_int_equal(of_l2_admit(conf, u16_to_ofp(2), &packet, &input), 0);
    assert_false(input.learn);
    assert_int_equal(of_l2_admit(conf, u16_to_ofp(3), &packet, &input), 0);
    assert_true(input.learn);
    packet.dl_src = eth_addr_broadcast;
    assert_int_equal(of_l2_admit(conf, u16_to_ofp(3), &packet, &input), 0);
    assert_false(input.learn);

    /* Link protocols are not forwarded, unless asked to. */
    eth_addr_from_uint64(0x0180c2000000, &packet.dl_dst);
    assert_int_equal(of_l2_admit(conf, u16_to_ofp(2), &packet, &input),
                     DP_DROP_NORMAL_RESERVED);
    conf->forward_bpdu = true;
    assert_int_equal(of_l2_admit(conf, u16_to_ofp(2), &packet, &input), 0);

    /* A packet that ends inside its tag. */
    packet.dl_type = htons(ETH_TYPE_VLAN);
    assert_int_equal(of_l2_admit(conf, u16_to_ofp(1), &packet, &input),
                     DP_DROP_NORMAL_VLAN);
    of_l2_conf_destroy(conf);
}

static void
test_ports(void **state OVS_UNUSED)
{
    struct of_l2_conf *conf = of_l2_conf_create(3, 1000);

    for (int i = 0; i < 1000; i++) {
        of_l2_conf_add_port(conf, u16_to_ofp(i * 61), i % 3);
    }
    for (int i = 0; i < 1000; i++) {
        assert_ptr_equal(of_l2_conf_find(conf, u16_to_ofp(i * 61)),
                         &conf->bundles[i % 3]);
        assert_null(of_l2_conf_find(conf, u16_to_ofp(i * 61 + 1)));
    }
    of_l2_conf_destroy(conf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_admit),
        cmocka_unit_test(test_ports),
    };

    return cmocka_run_group_tests_name("of-l2", tests, NULL, NULL);
}
