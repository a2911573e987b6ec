/* SPDX-License-Identifier: Apache-2.0 */

/* Our switch, in this process: one bridge with ports p1 to p4 (the netdev
 * class of bvs-replay).  Each packet is first run by the slow path, whose
 * effects are noted and not carried out, then received by the bridge. */

#include "tests/random/random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dp-packet.h"
#include "netdev.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/shash.h"
#include "ofproto/connmgr.h"
#include "ofproto/ofproto.h"
#include "ovs-rcu.h"
#include "sset.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/compile/compile.h"
#include "ofproto/l2.h"
#include "ofproto/of.h"
#include "ofproto/slowpath.h"
#include "ofproto/trace.h"
#include "utilities/replay-netdev.h"

static struct ofproto *ofproto;
static struct of_bridge *bridge;
static struct rnd_result *compiled;     /* Where outputs are noted. */
static struct rnd_conn groups_conn, flows_conn;
static bool had_groups;                 /* The last case. */
static bool has_meters;                 /* This case. */
static uint64_t lookups[RND_MAX_TABLES], matches[RND_MAX_TABLES];

static void
must(int error, const char *what)
{
    if (error) {
        ovs_fatal(error, "our switch: %s", what);
    }
}

static void
sent(unsigned int port, const struct dp_packet *packet, void *aux OVS_UNUSED)
{
    if (compiled) {
        rnd_result_output(compiled, port, dp_packet_data(packet),
                          dp_packet_size(packet));
    }
}

static void
packet_in(struct dp_upcall *upcall, void *aux OVS_UNUSED)
{
    if (compiled) {
        rnd_result_output(compiled, RND_TO_CONTROLLER,
                          dp_packet_data(upcall->packet),
                          dp_packet_size(upcall->packet));
    }
}

static void
add_port(int number)
{
    struct ofproto_bundle_settings s = { .vlan_mode = PORT_VLAN_TRUNK };
    ofp_port_t ofp_port = u16_to_ofp(number);
    char *name = xasprintf("p%d", number);
    struct netdev *netdev;

    must(netdev_open(name, "replay", &netdev), name);
    must(ofproto_port_add(ofproto, netdev, &ofp_port), name);
    ovs_assert(ofp_to_u16(ofp_port) == number);
    netdev_close(netdev);

    s.name = name;
    s.members = &ofp_port;
    s.n_members = 1;
    s.qinq_ethtype = ETH_TYPE_VLAN_8021AD;
    must(ofproto_bundle_register(ofproto, &bridge->l2 + number, &s), name);
    free(name);
}

static void
run_switch(void)
{
    const char *type;
    struct sset types;

    sset_init(&types);
    ofproto_enumerate_types(&types);
    SSET_FOR_EACH (type, &types) {
        ofproto_type_run(type);
    }
    sset_destroy(&types);
    ofproto_run(ofproto);
    ovsrcu_quiesce();
}

/* A socket for groups and meters, which libofproto takes from messages
 * only. */
static void
listen_on(const char *path)
{
    struct ofproto_controller oc = {
        .type = OFCONN_SERVICE,
        .band = OFPROTO_OUT_OF_BAND,
        .allowed_versions = 1u << OFP13_VERSION | 1u << OFP15_VERSION,
        .max_pktq_size = 100,
    };
    struct shash controllers = SHASH_INITIALIZER(&controllers);
    char *name = xasprintf("punix:%s", path);

    shash_add(&controllers, name, &oc);
    ofproto_set_controllers(ofproto, &controllers);
    shash_destroy(&controllers);
    free(name);
}

static void
connect_to_ourselves(void)
{
    const char *tmp = getenv("TMPDIR");
    char *path = xasprintf("%s/bvs-random-%ld.mgmt", tmp ? tmp : "/tmp",
                           (long int) getpid());
    char *name = xasprintf("unix:%s", path);
    static const struct rnd_case nothing;

    listen_on(path);
    run_switch();
    rnd_conn_open(&groups_conn, name, OFP15_VERSION, run_switch);
    rnd_conn_open(&flows_conn, name, OFP13_VERSION, run_switch);
    free(name);
    free(path);

    /* Until its first change a connection has no version for libofproto, and
     * counts as one that wants packet-ins on a miss. */
    free(rnd_conn_set_up(&groups_conn, &nothing));
    free(rnd_conn_set_up(&flows_conn, &nothing));
}

void
rnd_ours_init(void)
{
    struct shash hints = SHASH_INITIALIZER(&hints);

    of_provider_set_mode(DP_INLINE);
    of_plan_set_quiet_ms(0);
    replay_netdev_register(sent, NULL);
    ofproto_init(&hints);
    must(ofproto_create("br0", "netdev", &ofproto), "br0");
    bridge = of_bridge_cast(ofproto);
    ofproto_set_fail_mode(ofproto, OFPROTO_FAIL_SECURE);
    ofproto_set_vlan_limit(2);
    ofproto_set_flow_restore_wait(false);
    for (int i = 1; i <= RND_N_PORTS; i++) {
        add_port(i);
    }
    dp_set_upcall_cb(of_dp, DP_UPCALL_CONTROLLER, packet_in, NULL);
    dp_set_upcall_cb(of_dp, DP_UPCALL_MISS, packet_in, NULL);
    dp_set_upcall_cb(of_dp, DP_UPCALL_INVALID_TTL, packet_in, NULL);
    run_switch();
    connect_to_ourselves();
    shash_destroy(&hints);
}

void
rnd_ours_show(void)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    of_pipeline_show(bridge->pipeline, -1, OF_SHOW_INSNS, &s);
    fputs(ds_cstr(&s), stdout);
    ds_destroy(&s);
}

void
rnd_ours_exit(void)
{
    ofproto_destroy(ofproto, true);
    of_provider_exit();
}

/* Rules. */

static void
delete_all(void)
{
    struct ofputil_flow_mod fm = {
        .command = OFPFC_DELETE,
        .table_id = OFPTT_ALL,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };
    struct match match;

    match_init_catchall(&match);
    minimatch_init(&fm.match, &match);
    must(ofproto_flow_mod(ofproto, &fm), "delete");
    minimatch_destroy(&fm.match);
}

/* With groups and meters as libofproto finds them in messages only. */
static void
add_all(const struct rnd_case *c, struct rnd_result *r)
{
    struct ovs_list msgs = OVS_LIST_INITIALIZER(&msgs);

    r->error = rnd_conn_set_up(&groups_conn, c);
    if (!r->error) {
        for (int i = 0; i < c->n_rules; i++) {
            ovs_list_push_back(&msgs, &rnd_encode(&c->rules[i])->list_node);
        }
        r->error = rnd_conn_send(&flows_conn, &msgs);
    }
}

static void
add_rule(const struct rnd_rule *rule, struct rnd_result *r)
{
    struct ofpbuf *msg = rnd_encode(rule);
    struct ofputil_flow_mod fm;
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    enum ofperr error;

    error = ofputil_decode_flow_mod(&fm, msg->data, OFPUTIL_P_OF13_OXM, NULL,
                                    NULL, &ofpacts, OFPP_MAX, 255);
    if (!error) {
        error = ofproto_flow_mod(ofproto, &fm);
        minimatch_destroy(&fm.match);
    }
    if (error && !r->error) {
        char *text = rnd_rule_text(rule);

        r->error = xasprintf("%s for %s", ofperr_get_name(error), text);
        free(text);
    }
    ofpbuf_uninit(&ofpacts);
    ofpbuf_delete(msg);
}

/* Counters. */

static void
read_counters(struct rnd_result *r)
{
    for (int i = 0; i < RND_MAX_TABLES; i++) {
        uint64_t n_lookups, n_matches;
        struct rule *rule;

        dp_table_counts(bridge->dpb, i, &n_lookups, &n_matches);
        r->lookups[i] = n_lookups - lookups[i];
        r->matches[i] = n_matches - matches[i];
        lookups[i] = n_lookups;
        matches[i] = n_matches;

        CLS_FOR_EACH (rule, cr, &ofproto->tables[i].cls) {
            uint64_t cookie = ntohll(rule->flow_cookie);
            struct pkt_stats stats;
            long long int used;

            if (!cls_rule_visible_in_version(&rule->cr,
                                             of_bridge_version(bridge))) {
                continue;
            }
            ofproto->ofproto_class->rule_get_stats(rule, &stats, &used);
            /* Learned flows all have cookie 0. */
            r->present[cookie] = true;
            r->rules[cookie].packets += stats.n_packets;
            r->rules[cookie].bytes += stats.n_bytes;
        }
    }
}

/* Packets. */

static void
note_effect(const struct of_slow_effect *e, struct rnd_result *r)
{
    uint64_t cookie;

    switch (e->kind) {
    case OF_SLOW_OUTPUT:
        rnd_result_output(r, ofp_to_u16(e->output.port),
                          dp_packet_data(e->output.packet),
                          dp_packet_size(e->output.packet));
        break;

    case OF_SLOW_PACKET_IN:
        rnd_result_output(r, RND_TO_CONTROLLER,
                          e->packet_in->pin.up.base.packet,
                          e->packet_in->pin.up.base.packet_len);
        break;

    case OF_SLOW_RULE:
        cookie = ntohll(e->rule.rule->up.flow_cookie);
        r->rules[cookie].packets++;
        r->rules[cookie].bytes += e->rule.size;
        break;

    case OF_SLOW_TABLE:
        if (e->table.id < RND_MAX_TABLES) {
            r->lookups[e->table.id]++;
            r->matches[e->table.id] += e->table.match;
        }
        break;

    case OF_SLOW_COUNTERS:
    case OF_SLOW_LEARN:
    case OF_SLOW_SNOOP:
    case OF_SLOW_LEARN_FLOW:
    case OF_SLOW_FIN_TIMEOUT:
    case OF_N_SLOW_EFFECTS:
        break;
    }
}

/* What a trace compares: the programs' dry run with the slow path. */
static void
check_trace(const struct dp_packet *packet, uint16_t in_port,
            const struct of_slow_out *out, struct rnd_result *r)
{
    struct of_trace_run *run = of_trace_dry_run(bridge, packet, in_port);
    struct ds s = DS_EMPTY_INITIALIZER;

    /* 'out' went through them, what is traced does not. */
    if (has_meters) {
        of_trace_run_free(run);
        return;
    }
    if (!of_trace_agree(out, run, &s) && !r->error) {
        r->error = xasprintf("packet %d, trace: %s", r->current, ds_cstr(&s));
    }
    ds_destroy(&s);
    of_trace_run_free(run);
}

static void
run_slow(const struct dp_packet *packet, uint16_t in_port,
         struct rnd_result *r)
{
    struct dp_packet *clone = dp_packet_clone(packet);
    const struct of_slow_effect *e;
    struct of_slow_out *out;
    struct flow flow;

    pkt_metadata_init(&clone->md, 0);
    flow_extract(clone, &flow);
    flow.in_port.ofp_port = u16_to_ofp(in_port);

    const struct of_slow_in in = {
        .bridge = bridge,
        .version = of_bridge_version(bridge),
        .packet = clone,
        .flow = &flow,
        .received = true,
    };

    must(of_slow_translate(&in, &out), "slow path");
    LIST_FOR_EACH (e, node, &out->effects) {
        note_effect(e, r);
    }
    check_trace(clone, in_port, out, r);
    r->too_deep |= (out->drop == DP_DROP_RESUBMIT_DEPTH
                    || out->drop == DP_DROP_RESUBMITS);
    of_slow_revert(out);
    dp_packet_delete(clone);
}

void
rnd_ours_run(const struct rnd_case *c, struct rnd_result *fast,
             struct rnd_result *slow)
{
    static const char *const plans[] = {
        "auto",
#define OF_TABLE_PLAN(ID, WHAT) #ID,
#include "ofproto/compile/plans.def"
#undef OF_TABLE_PLAN
    };
    static const char *const splits[] = { "auto", "always", "never" };

    has_meters = c->n_meters > 0;
    delete_all();
    of_l2_flush(bridge->l2);
    ovs_assert(of_plan_set(plans[c->seed % ARRAY_SIZE(plans)],
                           splits[c->seed / ARRAY_SIZE(plans)
                                  % ARRAY_SIZE(splits)]));
    run_switch();
    if (c->n_groups || c->n_meters || had_groups) {
        add_all(c, fast);
        had_groups = c->n_groups || c->n_meters;
    } else {
        for (int i = 0; i < c->n_rules; i++) {
            add_rule(&c->rules[i], fast);
        }
    }
    if (fast->error) {
        slow->error = xstrdup(fast->error);
        return;
    }
    run_switch();

    compiled = fast;
    for (int i = 0; i < c->n_packets; i++) {
        const struct rnd_packet *p = &c->packets[i];
        struct dp_packet *packet = dp_packet_clone_data_with_headroom(
            p->data, p->size, 128);

        fast->current = slow->current = i;
        run_slow(packet, p->in_port, slow);
        replay_netdev_receive(p->in_port, packet);
        while (replay_netdev_pending() || dp_run(of_dp)) {
            dp_run(of_dp);
        }
    }
    compiled = NULL;
    read_counters(fast);
    memcpy(slow->present, fast->present, sizeof slow->present);
    if (had_groups) {
        rnd_conn_read_counters(&groups_conn, fast);
        /* Both have gone through the meters. */
        for (int i = 1; i <= RND_MAX_METERS; i++) {
            fast->meters[i] = fast->meters[i] % 2 ? UINT64_MAX
                              : fast->meters[i] / 2;
        }
        memcpy(slow->groups, fast->groups, sizeof slow->groups);
        memcpy(slow->buckets, fast->buckets, sizeof slow->buckets);
        memcpy(slow->meters, fast->meters, sizeof slow->meters);
    }
}
