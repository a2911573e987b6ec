/* SPDX-License-Identifier: Apache-2.0 */

/* Random pipelines, compiled and run, against the interpreter of
 * of-reference.c: the same packet-ins, with the same flow each, and the same
 * number of packets out of each port. */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "dp-packet.h"
#include "flow.h"
#include "openflow/openflow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "random.h"
#include "util.h"
#include "datapath/counters.h"
#include "datapath/private.h"
#include "ofproto/compile/actions.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/pipeline.h"
#include "ofproto/compile/shape.h"
#include "ofproto/packet-in.h"
#include "tests/unit/of-reference.h"

#define ETH "eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),"
#define IP4(PROTO, TTL) ETH "eth_type(0x0800),ipv4(src=10.0.0.1," \
    "dst=10.0.0.2,proto=" #PROTO ",tos=0x51,ttl=" #TTL ",frag=no),"
#define IP6(PROTO) ETH "eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::2," \
    "label=0x12345,proto=" #PROTO ",tclass=0x12,hlimit=9,frag=no),"

static const char *const packets[] = {
    IP4(6, 64) "tcp(src=1000,dst=80),tcp_flags(0x12)",
    IP4(17, 1) "udp(src=1000,dst=53)",
    IP4(17, 0) "udp(src=1000,dst=53)",
    IP4(132, 2) "sctp(src=7,dst=8)",
    IP4(1, 5) "icmp(type=8,code=0)",
    IP6(6) "tcp(src=1000,dst=80),tcp_flags(0x2)",
    IP6(17) "udp(src=1,dst=2)",
    IP6(58) "icmpv6(type=128,code=0)",
    IP6(58) "icmpv6(type=135,code=0),nd(target=fe80::7,"
        "sll=50:54:00:00:00:09,tll=00:00:00:00:00:00)",
    ETH "eth_type(0x8100),vlan(vid=5,pcp=3),encap(eth_type(0x0800),"
        "ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),"
        "udp(src=1000,dst=2000))",
    ETH "eth_type(0x88a8),vlan(vid=7,pcp=0),encap(eth_type(0x8100),"
        "vlan(vid=9,pcp=1),encap(eth_type(0x0806),arp(sip=10.0.0.1,"
        "tip=10.0.0.2,op=1,sha=50:54:00:00:00:01,tha=00:00:00:00:00:00)))",
    ETH "eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=2,"
        "sha=50:54:00:00:00:01,tha=50:54:00:00:00:02)",
    ETH "eth_type(0x1234)",
};

static struct or_rules r;
static struct netdev *dev[REF_MAX_PORT + 1];
static unsigned uses[256];      /* Of each action, by ofpact type. */

/* What the datapath handed up for one packet. */
static struct ref_event got[REF_MAX_EVENTS];
static size_t n_got;

static void
upcall_cb(struct dp_upcall *upcall, void *aux)
{
    struct ref_event *e = &got[n_got++];

    assert_true(n_got <= REF_MAX_EVENTS);
    e->invalid_ttl = upcall->kind == DP_UPCALL_INVALID_TTL;
    e->flow = *upcall->flow;
    e->controller_id = 0;
    e->reason = e->invalid_ttl ? OFPR_INVALID_TTL
                : upcall->arg[1] ? OFPR_ACTION_SET : OFPR_ACTION;
    if (upcall->data) {
        const struct of_controller_block *block = upcall->data;

        e->controller_id = block->controller_id;
        e->reason = (block->output && upcall->arg[1]
                     ? OFPR_ACTION_SET : block->reason);
    }
}

static int
setup(void **state)
{
    or_init(&r);
    dp_set_upcall_cb(r.fx.dp, DP_UPCALL_CONTROLLER, upcall_cb, NULL);
    dp_set_upcall_cb(r.fx.dp, DP_UPCALL_INVALID_TTL, upcall_cb, NULL);
    for (int i = 1; i <= REF_MAX_PORT; i++) {
        char name[16];

        snprintf(name, sizeof name, "a%d", i);
        fx_port(&r.fx, name, i, &dev[i]);
    }
    return 0;
}

static int
teardown(void **state)
{
    or_uninit(&r);
    return 0;
}

/* Random actions, in ovs-ofctl's notation. */

static unsigned
rnd(unsigned n)
{
    return random_range(n);
}

static const struct of_field *
random_field(bool writable)
{
    for (;;) {
        const struct of_field *f = of_field_get(mf_from_id(rnd(MFF_N_IDS)));

        if (f && !(writable && f->flags & OF_FF_READ)) {
            return f;
        }
    }
}

static void
put_load(struct ds *s)
{
    const struct mf_field *mf = random_field(true)->mf;
    unsigned n = rnd(3) ? 1 + rnd(MIN(mf->n_bits, 64)) : MIN(mf->n_bits, 64);
    unsigned ofs = rnd(mf->n_bits - n + 1);
    uint64_t x = random_uint64();

    x = n < 64 ? x & ((UINT64_C(1) << n) - 1) : x;
    if (mf->id == MFF_IN_PORT) {
        x = rnd(5);
        ofs = 0;
        n = 16;
    }
    if (mf->id == MFF_ND_OPTIONS_TYPE) {
        /* mf_get_value() of OVS 3.1.0 cannot read it. */
        x &= 0xff;
        ofs = 0;
        n = 8;
    }
    ds_put_format(s, "load:0x%"PRIx64"->%s[%u..%u]", x, mf->name, ofs,
                  ofs + n - 1);
}

static void
put_set_field(struct ds *s)
{
    const struct mf_field *mf;
    union mf_value value, mask;

    do {
        mf = random_field(true)->mf;
        memset(&value, 0, sizeof value);
        memset(&mask, 0, sizeof mask);
        random_bytes(&value, mf->n_bytes);
        if (mf->n_bytes * 8 > mf->n_bits) {
            memset(&value, 0, mf->n_bytes - 1);
            value.b[mf->n_bytes - 1] &= (1u << MIN(mf->n_bits, 7)) - 1;
        }
        if (mf->id == MFF_IN_PORT || mf->id == MFF_IN_PORT_OXM) {
            memset(&value, 0, mf->n_bytes);
            value.b[mf->n_bytes - 1] = rnd(5);
        }
    } while (!mf_is_value_valid(mf, &value));

    ds_put_cstr(s, "set_field:");
    if (mf->maskable == MFM_FULLY && mf->n_bits == mf->n_bytes * 8
        && mf->id != MFF_VLAN_TCI && rnd(2)) {
        random_bytes(&mask, mf->n_bytes);
        for (int i = 0; i < mf->n_bytes; i++) {
            mask.b[i] = rnd(3) ? mask.b[i] : rnd(2) ? 0xff : 0;
            value.b[i] &= mask.b[i];
        }
        mask.b[0] |= 0xf0;      /* Not to be taken for a prefix. */
        mf_format(mf, &value, &mask, NULL, s);
    } else {
        mf_format(mf, &value, NULL, NULL, s);
    }
    ds_put_format(s, "->%s", mf->name);
}

static void
put_move(struct ds *s)
{
    const struct mf_field *src = random_field(false)->mf;
    const struct mf_field *dst = random_field(true)->mf;
    unsigned max = MIN(src->n_bits, dst->n_bits);
    unsigned n = rnd(3) ? 1 + rnd(max) : max;
    unsigned sofs = rnd(src->n_bits - n + 1);
    unsigned dofs = rnd(dst->n_bits - n + 1);

    if (dst->id == MFF_IN_PORT || dst->id == MFF_IN_PORT_OXM
        || src->id == MFF_ND_OPTIONS_TYPE
        || dst->id == MFF_ND_OPTIONS_TYPE) {
        put_load(s);
        return;
    }
    ds_put_format(s, "move:%s[%u..%u]->%s[%u..%u]", src->name, sofs,
                  sofs + n - 1, dst->name, dofs, dofs + n - 1);
}

static void
put_port(struct ds *s)
{
    static const char *const reserved[] = {
        "in_port", "all", "flood", "controller", "local", "none"
    };

    if (rnd(3)) {
        ds_put_format(s, "output:%u", rnd(6));
    } else {
        ds_put_format(s, "output:%s", reserved[rnd(ARRAY_SIZE(reserved))]);
    }
}

/* Actions of OpenFlow 1.0 style and others with small arguments. */
static void
put_simple(struct ds *s)
{
    switch (rnd(19)) {
    case 0: ds_put_format(s, "mod_dl_src:02:00:00:00:00:%02x", rnd(256));
        break;
    case 1: ds_put_format(s, "mod_dl_dst:02:00:00:00:00:%02x", rnd(256));
        break;
    case 2: ds_put_format(s, "mod_nw_src:1.2.3.%u", rnd(256)); break;
    case 3: ds_put_format(s, "mod_nw_dst:1.2.3.%u", rnd(256)); break;
    case 4: ds_put_format(s, "mod_nw_tos:%u", rnd(64) * 4); break;
    case 5: ds_put_format(s, "mod_nw_ecn:%u", rnd(4)); break;
    case 6: ds_put_format(s, "mod_nw_ttl:%u", rnd(4)); break;
    case 7: ds_put_format(s, "mod_tp_src:%u", rnd(65536)); break;
    case 8: ds_put_format(s, "mod_tp_dst:%u", rnd(65536)); break;
    case 9: ds_put_format(s, "mod_vlan_vid:%u", rnd(4096)); break;
    case 10: ds_put_format(s, "mod_vlan_pcp:%u", rnd(8)); break;
    case 11: ds_put_cstr(s, "strip_vlan"); break;
    case 12: ds_put_cstr(s, rnd(2) ? "push_vlan:0x8100"
                         : "push_vlan:0x88a8"); break;
    case 13: ds_put_cstr(s, "dec_ttl"); break;
    case 14: ds_put_format(s, "dec_ttl(%u,%u)", rnd(3), rnd(100)); break;
    case 15: ds_put_format(s, "output(port=%u,max_len=%u)", rnd(6),
                           60 + rnd(100)); break;
    case 16: ds_put_format(s, "output:reg%u[%u..%u]", rnd(2), 0,
                           rnd(2) ? 2 : 31); break;
    case 17: ds_put_cstr(s, "note:01.02.03"); break;
    case 18: ds_put_format(s, "controller(id=%u,userdata=%02x.%02x)",
                           rnd(9), rnd(256), rnd(256)); break;
    }
}

static void put_list(struct ds *, int table, int depth);

/* Tables above 'table' only, or the first ones now and then, so that most
 * pipelines end. */
static int
next_table(int table)
{
    return rnd(25) ? table + 1 + rnd(2) : rnd(4);
}

static void
put_action(struct ds *s, int table, int depth)
{
    switch (rnd(12)) {
    case 0: case 1: put_load(s); break;
    case 2: case 3: put_set_field(s); break;
    case 4: case 5: put_move(s); break;
    case 6: put_port(s); break;
    case 7: ds_put_format(s, "resubmit(%s,%d)", rnd(3) ? "" : "3",
                          next_table(table)); break;
    case 8:
        if (depth < 2) {
            ds_put_cstr(s, "clone(");
            put_list(s, table, depth + 1);
            ds_put_char(s, ')');
            break;
        }
        /* fall through */
    case 9:
        if (!rnd(12)) {
            ds_put_cstr(s, "exit");
            break;
        }
        /* fall through */
    default:
        put_simple(s);
        break;
    }
}

static void
put_list(struct ds *s, int table, int depth)
{
    for (int n = 1 + rnd(4); n > 0; n--) {
        put_action(s, table, depth);
        ds_put_char(s, ',');
    }
    ds_put_format(s, "controller(id=%u)", rnd(1000));
}

static void
put_write_actions(struct ds *s, int table)
{
    static const char *const others[] = {
        "dec_ttl", "strip_vlan", "push_vlan:0x8100", "mod_nw_ttl:0",
    };

    ds_put_cstr(s, ",write_actions(");
    for (int n = rnd(4); n > 0; n--) {
        if (rnd(2)) {
            put_set_field(s);
        } else {
            ds_put_cstr(s, others[rnd(ARRAY_SIZE(others))]);
        }
        ds_put_char(s, ',');
    }
    switch (rnd(4)) {
    case 0: ds_put_format(s, "output:%u", rnd(6)); break;
    case 1: ds_put_format(s, "resubmit(,%d)", table + 1); break;
    case 2: ds_put_cstr(s, "output:controller"); break;
    case 3: put_set_field(s); break;
    }
    ds_put_char(s, ')');
}

static void
put_actions(struct ds *s, int table)
{
    put_list(s, table, 0);
    if (!rnd(8)) {
        ds_put_cstr(s, ",clear_actions");
    }
    if (!rnd(3)) {
        put_write_actions(s, table);
    }
    if (!rnd(4)) {
        ds_put_format(s, ",write_metadata:0x%x/0x%x", random_uint32(),
                      random_uint32());
    }
    if (!rnd(2)) {
        ds_put_format(s, ",goto_table:%d", table + 1 + rnd(2));
    }
}

static void
put_match(struct ds *s, int table, int priority)
{
    static const char *const matches[] = {
        "in_port=1", "in_port=3", "ip", "ipv6", "arp", "tcp", "udp",
        "vlan_tci=0x1000/0x1000", "reg0=0/1", "reg1=0/3", "metadata=0/4",
        "ip,nw_ttl=64", "dl_dst=50:54:00:00:00:00/ff:ff:00:00:00:00",
        "ip,nw_src=10.0.0.0/8", "ipv6,ipv6_src=fe80::/16",
        "actset_output=unset", "udp,tp_dst=53", "icmp6,icmp_type=128",
        "pkt_mark=0/2", "xreg1=0/0x8000000000000000", "dl_vlan=5",
        "arp,arp_op=1", "tcp,tcp_flags=+syn",
    };

    ds_put_format(s, "table=%d,priority=%d", table, priority);
    if (rnd(3)) {
        ds_put_format(s, ",%s", matches[rnd(ARRAY_SIZE(matches))]);
    }
}

static void
count_actions(const struct ofpact *ofpacts, size_t len)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH_FLATTENED (a, ofpacts, len) {
        uses[a->type]++;
    }
}

static void
make_pipeline(struct ds *text)
{
    for (int table = 0; table < 4; table++) {
        for (int i = 1 + rnd(4); i > 0; i--) {
            const struct rule_actions *actions;
            struct ds match = DS_EMPTY_INITIALIZER;
            struct ds s = DS_EMPTY_INITIALIZER;
            struct or_rule *rule;

            put_match(&match, table, i);
            do {
                ds_clear(&s);
                put_actions(&s, table);
            } while (or_make(&r, ds_cstr(&match), ds_cstr(&s), &rule));
            actions = rule_get_actions(&rule->rule);
            count_actions(actions->ofpacts, actions->ofpacts_len);
            or_insert(rule, r.version + 1);
            ds_put_format(text, "%s,actions=%s\n", ds_cstr(&match),
                          ds_cstr(&s));
            ds_destroy(&match);
            ds_destroy(&s);
        }
    }
    or_publish(&r, r.version + 1);
}

/* Whether the flows are equal, as far as PARSE filled the key. */
static bool
flows_equal(const struct flow *a, const struct flow *b, int *key_word)
{
    for (int k = 0; k < DP_KEY_WORDS; k++) {
        size_t w = of_flow_word_from_key(k);

        if (of_key_parse_level(k) <= r.pipeline->parse_level
            && flow_u64_value(a, w) != flow_u64_value(b, w)) {
            *key_word = k;
            return false;
        }
    }
    return true;
}

/* 'skip' counts over events of the wanted kind only: each kind has a ring of
 * its own. */
static const struct ref_event *
next_event(const struct ref_event *events, size_t n, bool invalid_ttl,
           size_t *pos)
{
    while (*pos < n) {
        const struct ref_event *e = &events[(*pos)++];

        if (e->invalid_ttl == invalid_ttl) {
            return e;
        }
    }
    return NULL;
}

static char *
compare(const struct ref *ref)
{
    for (int ttl = 0; ttl < 2; ttl++) {
        const struct ref_event *a, *b;
        size_t i = 0, j = 0;
        int k = 0;

        do {
            a = next_event(ref->events, ref->n_events, ttl, &i);
            b = next_event(got, n_got, ttl, &j);
            if (!a != !b) {
                return xasprintf("%s packet-in, after %"PRIuSIZE" of %s",
                                 a ? "missing" : "unexpected",
                                 MIN(i, j), ttl ? "dec_ttl" : "controller");
            } else if (a && (a->controller_id != b->controller_id
                             || a->reason != b->reason)) {
                return xasprintf("packet-in to %u (reason %u), expected %u "
                                 "(reason %u)", b->controller_id, b->reason,
                                 a->controller_id, a->reason);
            } else if (a && !flows_equal(&a->flow, &b->flow, &k)) {
                char *x = flow_to_string(&a->flow, NULL);
                char *y = flow_to_string(&b->flow, NULL);
                char *s = xasprintf("packet-in to %u: key word %d: expected\n"
                                    "  %s, got\n  %s", a->controller_id, k,
                                    x, y);

                free(x);
                free(y);
                return s;
            }
        } while (a);
    }
    for (int i = 1; i <= REF_MAX_PORT; i++) {
        if (fx_n_sent(dev[i]) != ref->n_out[i]) {
            return xasprintf("%"PRIuSIZE" packets out of port %d, expected "
                             "%u", fx_n_sent(dev[i]), i, ref->n_out[i]);
        }
    }
    return NULL;
}

static void
run_packet(const char *text, const struct ds *rules)
{
    struct dp_packet *packet = fx_packet(text), *sent;
    unsigned in_port = 1 + rnd(REF_MAX_PORT);
    struct flow flow;
    struct ref ref;
    char *error;

    flow_extract(packet, &flow);
    flow.in_port.odp_port = u32_to_odp(0);
    flow.in_port.ofp_port = u16_to_ofp(in_port);
    ref_run(&ref, &r, &flow);
    n_got = 0;
    dp_bridge_inject(r.fx.bridge, packet, in_port);
    fx_run(&r.fx);
    /* The ring has room for 1024. */
    error = ref.n_events < 1000 ? compare(&ref) : NULL;
    if (error) {
        fprintf(stderr, "%s\npacket %s into port %u\n%s", error, text,
                in_port, ds_cstr_ro(rules));
        fail();
    }
    for (int i = 1; i <= REF_MAX_PORT; i++) {
        while ((sent = fx_pop(dev[i]))) {
            dp_packet_delete(sent);
        }
    }
    ref_uninit(&ref);
}

static void
test_random(void **state)
{
    int n = getenv("BVS_ROUNDS") ? atoi(getenv("BVS_ROUNDS")) : 400;

    for (int i = 0; i < n; i++) {
        struct ds rules = DS_EMPTY_INITIALIZER;

        of_pipeline_set_min_parse(r.pipeline, rnd(2) ? OF_PARSE_L4
                                  : OF_PARSE_NONE);
        flow_limit_vlans(FLOW_MAX_VLAN_HEADERS);
        of_compile_run();
        make_pipeline(&rules);
        for (size_t j = 0; j < ARRAY_SIZE(packets); j++) {
            run_packet(packets[j], &rules);
        }
        or_flush(&r);
        ds_destroy(&rules);
    }
}

static bool
same_params(const struct of_entry *a, const struct of_entry *b)
{
    const struct dp_tables *tables = of_compile_dp->tables;
    const struct dp_flow *a_flow = dp_flow_get(tables, a->flow);
    const struct dp_flow *b_flow = dp_flow_get(tables, b->flow);

    return !memcmp(a_flow->params, b_flow->params, a_flow->params_size);
}

/* The code that was made for one list must do for every list that shares its
 * shape: what is not in the shape comes from the parameters. */
static void
test_shared_code(void **state)
{
    unsigned n_shared = 0;

    for (int i = 0; i < 300; i++) {
        struct ds rules = DS_EMPTY_INITIALIZER;
        struct ds s = DS_EMPTY_INITIALIZER;
        struct or_rule *a, *b;

        of_pipeline_set_min_parse(r.pipeline, OF_PARSE_L4);
        do {
            ds_clear(&s);
            put_action(&s, 5, 2);
            ds_put_format(&s, ",controller(id=%u)", rnd(1000));
        } while (or_make(&r, "table=0,in_port=1", ds_cstr(&s), &a));
        ds_put_format(&rules, "in_port=1,actions=%s\n", ds_cstr(&s));

        for (int tries = 0; tries < 300; tries++) {
            ds_clear(&s);
            put_action(&s, 5, 2);
            ds_put_format(&s, ",controller(id=%u)", rnd(1000));
            if (or_make(&r, "table=0,priority=9", ds_cstr(&s), &b)) {
                continue;
            }
            if (b->entry.shape == a->entry.shape
                && !same_params(&a->entry, &b->entry)) {
                n_shared++;
                ds_put_format(&rules, "priority=9,actions=%s\n",
                              ds_cstr(&s));
                or_insert(a, r.version + 1);
                or_insert(b, r.version + 1);
                or_publish(&r, r.version + 1);
                for (size_t j = 0; j < ARRAY_SIZE(packets); j++) {
                    run_packet(packets[j], &rules);
                }
                break;
            }
            or_free(&r, b);
        }
        or_flush(&r);
        ds_destroy(&rules);
        ds_destroy(&s);
    }
    assert_true(n_shared > 100);
}

/* Those that the reference does not know: functions of libopenvswitch do most
 * of them.  tests/random compares them with Open vSwitch itself. */
static bool
is_left_to_random(int type, const struct of_action_ops *ops)
{
    return (ops == &of_act_native || ops == &of_act_check_pkt_larger
            || ops == &of_act_set_queue || ops == &of_act_pop_queue
            || ops == &of_act_enqueue || type == OFPACT_CONJUNCTION
            || type == OFPACT_DEBUG_SLOW);
}

/* Each other action that is not refused has been used; runs after
 * test_random(). */
static void
test_coverage(void **state)
{
    /* libofproto knows groups and meters: tests/system/of-groups.sh,
     * of-meters.sh. */
    uses[OFPACT_GROUP] = uses[OFPACT_METER] = UINT_MAX;
#define OF_ACTION(ID, OPS, KIND)                                        \
    if (!is_left_to_random(OFPACT_##ID, &of_act_##OPS)                  \
        && uses[OFPACT_##ID] < 10) {                                       \
        fail_msg("%s: %u uses", #ID, uses[OFPACT_##ID]);                \
    }
#define OF_REFUSED(ID, ERROR)
#include "ofproto/compile/actions.def"
#undef OF_ACTION
#undef OF_REFUSED
}

/* A resubmit that comes back without end is given up, and all of the packet
 * with it. */
static void
test_limits(void **state)
{
    struct ds rules = DS_EMPTY_INITIALIZER;

    or_add(&r, "table=0", "output:2,resubmit(,1),output:3");
    or_add(&r, "table=1", "output:2,resubmit(,0)");
    run_packet(packets[0], &rules);
    or_flush(&r);

    /* 4 to the power of 8 resubmits, all forward. */
    for (int i = 0; i < 8; i++) {
        char *match = xasprintf("table=%d", i);
        char *actions = xasprintf("resubmit(,%d),resubmit(,%d),"
                                  "resubmit(,%d),resubmit(,%d)",
                                  i + 1, i + 1, i + 1, i + 1);

        or_add(&r, match, actions);
        free(match);
        free(actions);
    }
    or_add(&r, "table=8", "output:2");
    run_packet(packets[0], &rules);
    or_flush(&r);

    /* 60 levels are none too many. */
    or_add(&r, "table=0,priority=1", "load:0->reg0[],resubmit(,1),output:2");
    for (int i = 0; i < 60; i++) {
        char *match = xasprintf("table=1,reg0=%d", i);
        char *actions = xasprintf("load:%d->reg0[],resubmit(,1),output:3",
                                  i + 1);

        or_add(&r, match, actions);
        free(match);
        free(actions);
    }
    or_add(&r, "table=1,reg0=60", "controller(id=60)");
    run_packet(packets[0], &rules);
    assert_int_equal(n_got, 1);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_random),
        TEST(test_shared_code),
        TEST(test_coverage),
        TEST(test_limits),
    };
    uint32_t seed = getenv("BVS_SEED") ? atoi(getenv("BVS_SEED"))
                                       : random_uint32();

    printf("seed %"PRIu32" (BVS_SEED, BVS_ROUNDS)\n", seed);
    random_set_seed(seed ? seed : 1);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_EMER);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
