/* SPDX-License-Identifier: Apache-2.0 */

/* Random pipelines and packets. */

#include "tests/random/gen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "dp-packet.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/nsh.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "packets.h"
#include "random.h"
#include "util.h"

/* Kinds of packets, and of matches that are specific to one of them. */
static const struct proto {
    const char *name;
    uint16_t dl_type;
    int nw_proto;                   /* Or -1. */
    int icmp6_type;                 /* Or -1. */
    int weight;
} protos[] = {
    { "any", 0, -1, -1, 6 },
    { "ip", ETH_TYPE_IP, -1, -1, 3 },
    { "ipv6", ETH_TYPE_IPV6, -1, -1, 2 },
    { "arp", ETH_TYPE_ARP, -1, -1, 4 },
    { "tcp", ETH_TYPE_IP, IPPROTO_TCP, -1, 4 },
    { "udp", ETH_TYPE_IP, IPPROTO_UDP, -1, 3 },
    { "sctp", ETH_TYPE_IP, IPPROTO_SCTP, -1, 3 },
    { "icmp", ETH_TYPE_IP, IPPROTO_ICMP, -1, 3 },
    { "tcp6", ETH_TYPE_IPV6, IPPROTO_TCP, -1, 2 },
    { "udp6", ETH_TYPE_IPV6, IPPROTO_UDP, -1, 2 },
    { "icmp6", ETH_TYPE_IPV6, IPPROTO_ICMPV6, -1, 2 },
    { "nd_sol", ETH_TYPE_IPV6, IPPROTO_ICMPV6, ND_NEIGHBOR_SOLICIT, 3 },
    { "nd_adv", ETH_TYPE_IPV6, IPPROTO_ICMPV6, ND_NEIGHBOR_ADVERT, 3 },
    { "rarp", ETH_TYPE_RARP, -1, -1, 1 },
    { "mpls", ETH_TYPE_MPLS, -1, -1, 3 },
    { "mplsm", ETH_TYPE_MPLS_MCAST, -1, -1, 1 },
    { "nsh", ETH_TYPE_NSH, -1, -1, 2 },
};


/* Matches. */

static int
pick_proto(void)
{
    int total = 0;

    for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
        total += protos[i].weight;
    }
    total = random_range(total);
    for (size_t i = 0;; i++) {
        total -= protos[i].weight;
        if (total < 0) {
            return i;
        }
    }
}

static void
match_proto(struct rnd_rule *rule)
{
    const struct proto *p = &protos[rule->proto];

    if (p->dl_type) {
        match_set_dl_type(&rule->match, htons(p->dl_type));
        rule->fields |= UINT64_C(1) << rnd_field_row("eth_type");
        rule->masks |= 1u << RND_EXACT;
    }
    if (p->nw_proto >= 0) {
        match_set_nw_proto(&rule->match, p->nw_proto);
        rule->fields |= UINT64_C(1) << rnd_field_row("nw_proto");
    }
    if (p->icmp6_type >= 0) {
        match_set_tp_src(&rule->match, htons(p->icmp6_type));
        match_set_tp_dst(&rule->match, htons(0));
        rule->fields |= UINT64_C(1) << rnd_field_row("icmpv6_type");
        rule->fields |= UINT64_C(1) << rnd_field_row("icmpv6_code");
    }
}

static void
match_field(struct rnd_rule *rule, int row)
{
    const struct mf_field *mf = rnd_fields[row];
    enum rnd_mask kind = RND_EXACT;
    union mf_value value, mask;
    char *error = NULL;

    if (rule->fields & UINT64_C(1) << row
        || !mf_are_match_prereqs_ok(mf, &rule->match)) {
        return;
    }
    if (mf->maskable != MFM_NONE && rnd_chance(50)) {
        kind = random_range(RND_N_MASKS);
    }
    value = *rnd_pick_value(row);
    rnd_make_mask(row, kind, &mask);
    if (rnd_is_row(row, "vlan_vid")) {
        mask.be16 |= htons(VLAN_CFI);
    }
    for (unsigned int i = 0; i < mf->n_bytes; i++) {
        value.b[i] &= mask.b[i];
    }
    if (mf_set(mf, &value, kind == RND_EXACT ? NULL : &mask, &rule->match,
               &error)
        && !error) {
        rule->fields |= UINT64_C(1) << row;
        rule->masks |= 1u << kind;
    }
    free(error);
}

/* A row that only packets of some protocol have, or any. */
static int
pick_match_row(const struct rnd_rule *rule)
{
    if (rule->table && rnd_chance(35)) {
        /* An action may have set it. */
        return rnd_pick_metadata();
    }
    if (rnd_chance(60)) {
        for (int i = 0; i < 60; i++) {
            int row = random_range(rnd_n_fields);

            if (rnd_fields[row]->prereqs != MFP_NONE
                && rnd_fields[row]->prereqs != MFP_VLAN_VID
                && rnd_fields[row]->prereqs != MFP_IP_ANY
                && mf_are_match_prereqs_ok(rnd_fields[row], &rule->match)) {
                return row;
            }
        }
    }
    return random_range(rnd_n_fields);
}

/* Rules. */

static void
put_actions(const struct rnd_rule *rule, struct ds *s)
{
    for (int i = 0; i < rule->n_actions; i++) {
        ds_put_format(s, "%s%s", i ? "," : "", rule->actions[i].text);
    }
    if (!rule->n_actions) {
        ds_put_cstr(s, "drop");
    }
}

char *
rnd_rule_text(const struct rnd_rule *rule)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    char *match = match_to_string(&rule->match, NULL, rule->priority);

    ds_put_format(&s, "cookie=%#"PRIx64",table=%u,%s%sactions=", rule->cookie,
                  rule->table, match, *match ? " " : "");
    put_actions(rule, &s);
    free(match);
    return ds_steal_cstr(&s);
}

struct ofpbuf *
rnd_encode(const struct rnd_rule *rule)
{
    uint64_t stub[1024 / 8], stub2[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofpbuf decoded = OFPBUF_STUB_INITIALIZER(stub2);
    enum ofputil_protocol usable = OFPUTIL_P_ANY;
    struct ofpact_parse_params pp = {
        .ofpacts = &ofpacts,
        .usable_protocols = &usable,
    };
    struct ds s = DS_EMPTY_INITIALIZER;
    struct ofpbuf *msg = NULL;
    char *error;

    put_actions(rule, &s);
    error = ofpacts_parse_instructions(ds_cstr(&s), &pp);
    if (!error) {
        struct ofputil_flow_mod fm = {
            .priority = rule->priority,
            .new_cookie = htonll(rule->cookie),
            .table_id = rule->table,
            .command = OFPFC_ADD,
            .buffer_id = UINT32_MAX,
            .out_port = OFPP_ANY,
            .out_group = OFPG_ANY,
            .ofpacts = ofpacts.data,
            .ofpacts_len = ofpacts.size,
        };

        minimatch_init(&fm.match, &rule->match);
        msg = ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF13_OXM);
        minimatch_destroy(&fm.match);
        if (ofputil_decode_flow_mod(&fm, msg->data, OFPUTIL_P_OF13_OXM, NULL,
                                    NULL, &decoded, OFPP_MAX, 255)) {
            ofpbuf_delete(msg);
            msg = NULL;
        } else {
            minimatch_destroy(&fm.match);
        }
    }
    free(error);
    ds_destroy(&s);
    ofpbuf_uninit(&ofpacts);
    ofpbuf_uninit(&decoded);
    return msg;
}

/* Makes the match what is left of it in 'msg': OXM cannot say that a bit of a
 * priority code point is 0. */
static void
take_match(struct rnd_rule *rule, const struct ofpbuf *msg)
{
    uint64_t stub[1024 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofputil_flow_mod fm;

    if (!ofputil_decode_flow_mod(&fm, msg->data, OFPUTIL_P_OF13_OXM, NULL,
                                 NULL, &ofpacts, OFPP_MAX, 255)) {
        minimatch_expand(&fm.match, &rule->match);
        minimatch_destroy(&fm.match);
    }
    ofpbuf_uninit(&ofpacts);
}

/* Takes actions away until the rule is one that OpenFlow allows.  False: its
 * match is not. */
static bool
make_valid(struct rnd_rule *rule)
{
    for (; rule->n_actions >= 0; rule->n_actions--) {
        struct ofpbuf *msg = rnd_encode(rule);

        if (msg) {
            take_match(rule, msg);
            ofpbuf_delete(msg);
            return true;
        }
    }
    return false;
}

static void
gen_rule(struct rnd_rule *rule, int n_tables)
{
    static const uint16_t priorities[] = { 0, 1, 10, 100, 1000, 32768 };

    do {
        int n_fields = rnd_chance(60) ? 1 : random_range(4);

        memset(rule, 0, sizeof *rule);
        rule->table = random_range(n_tables);
        rule->priority = priorities[random_range(ARRAY_SIZE(priorities))];
        rule->proto = pick_proto();
        match_init_catchall(&rule->match);
        match_proto(rule);
        if (rnd_chance(25)) {
            match_field(rule, rnd_field_row("vlan_vid"));
            if (rnd_chance(50)) {
                match_field(rule, rnd_field_row("vlan_pcp"));
            }
        }
        for (int i = 0; i < 40 && n_fields; i++) {
            uint64_t before = rule->fields;

            match_field(rule, pick_match_row(rule));
            n_fields -= rule->fields != before;
        }
        rnd_gen_actions(rule);
    } while (!make_valid(rule));
}

/* Clauses of a conjunction, and rules for those that meet it. */
static void
gen_conjunction(struct rnd_case *c, int n_tables)
{
    int n_clauses = 2 + random_range(2);
    int id = 1 + random_range(RND_N_VALUES);
    uint8_t table = random_range(n_tables);
    uint16_t priority = 10 * (1 + random_range(3));

    for (int i = 0; i <= n_clauses * 2 && c->n_rules < RND_MAX_RULES; i++) {
        struct rnd_rule *rule = &c->rules[c->n_rules];
        struct rnd_action *a = &rule->actions[0];

        gen_rule(rule, n_tables);
        rule->table = table;
        if (i == 0) {
            /* What the conjunction leads to. */
            match_init_catchall(&rule->match);
            match_set_conj_id(&rule->match, id);
            rule->fields = UINT64_C(1) << rnd_field_row("conj_id");
            rule->masks = 1u << RND_EXACT;
            rule->proto = 0;
            if (!make_valid(rule)) {
                continue;
            }
        } else {
            rule->priority = priority;
            rule->n_actions = 1;
            a->row = rnd_action_row("conjunction");
            snprintf(a->text, sizeof a->text, "conjunction(%d,%d/%d)", id,
                     1 + (i - 1) % n_clauses, n_clauses);
            if (i <= n_clauses && rnd_chance(50)) {
                /* A clause that is often met. */
                match_init_catchall(&rule->match);
                match_set_in_port(&rule->match,
                                  u16_to_ofp(1 + random_range(RND_N_PORTS)));
                match_set_metadata_masked(&rule->match, htonll(0),
                                          htonll(1u << i));
                rule->proto = 0;
                rule->fields = 0;
            }
        }
        c->n_rules++;
    }
}

static void
set_action(struct rnd_rule *rule, const char *row, const char *text)
{
    struct rnd_action *a = &rule->actions[rule->n_actions++];

    a->row = rnd_action_row(row);
    ovs_strlcpy(a->text, text, sizeof a->text);
}

/* A deep pipeline: each table has a rule that leads to the next one, by
 * goto_table or by a resubmit that returns. */
static void
gen_chain(struct rnd_case *c)
{
    int n = 8 + random_range(RND_MAX_TABLES - 8);

    for (int i = 0; i < n - 1 && c->n_rules < RND_MAX_RULES; i++) {
        struct rnd_rule *rule = &c->rules[c->n_rules++];
        char text[64];

        memset(rule, 0, sizeof *rule);
        rule->table = i;
        rule->priority = 50;
        match_init_catchall(&rule->match);
        if (rnd_chance(50)) {
            snprintf(text, sizeof text, "set_field:%#x->reg%d",
                     random_uint32(), (int) random_range(16));
            set_action(rule, "set_field", text);
        }
        if (rnd_chance(10)) {
            snprintf(text, sizeof text, "output:%d",
                     1 + (int) random_range(RND_N_PORTS));
            set_action(rule, "output", text);
        }
        if (rnd_chance(30)) {
            snprintf(text, sizeof text, "resubmit(,%d)", i + 1);
            set_action(rule, "resubmit", text);
        } else {
            snprintf(text, sizeof text, "goto_table:%d", i + 1);
            set_action(rule, "goto_table", text);
        }
    }
}

/* Packets. */

static void
random_flow(struct flow *flow, int proto)
{
    const struct proto *p;

    memset(flow, 0, sizeof *flow);
    while (!protos[proto].dl_type) {
        proto = rnd_chance(10) ? 0 : pick_proto();
        if (!proto) {
            flow->dl_type = htons(0x88cc);
            break;
        }
    }
    p = &protos[proto];
    if (p->dl_type) {
        flow->dl_type = htons(p->dl_type);
    }
    if (p->nw_proto >= 0) {
        flow->nw_proto = p->nw_proto;
    } else if (is_ip_any(flow)) {
        flow->nw_proto = 200 + random_range(3);
    }
    if (p->icmp6_type >= 0) {
        flow->tp_src = htons(p->icmp6_type);
    }
    flow->nw_ttl = 64;

    for (int i = rnd_chance(30) ? 1 + rnd_chance(25) : 0; i > 0; i--) {
        flow_push_vlan_uninit(flow, NULL);
        flow->vlans[0].tpid = htons(i == 2 || rnd_chance(80)
                                    ? ETH_TYPE_VLAN_8021Q
                                    : ETH_TYPE_VLAN_8021AD);
        flow->vlans[0].tci = htons(VLAN_CFI);
    }
    for (int row = 0; row < rnd_n_fields; row++) {
        bool is_vlan = !strncmp(rnd_field_name(row), "vlan", 4);

        if (rnd_is_row(row, "eth_type") || rnd_is_row(row, "nw_proto")
            || rnd_is_row(row, "vlan_tci")
            || (is_vlan && !(flow->vlans[0].tci & htons(VLAN_CFI)))
            || (rnd_is_row(row, "icmpv6_type") && p->icmp6_type >= 0)
            || (rnd_is_row(row, "icmpv6_code") && p->icmp6_type >= 0)
            || (rnd_is_row(row, "ip_frag") && !rnd_chance(8))
            || (rnd_is_row(row, "nw_ttl") && !rnd_chance(40))) {
            continue;
        }
        if (rnd_is_row(row, "actset_output") || rnd_is_row(row, "conj_id")) {
            continue;
        }
        if (mf_are_prereqs_ok(rnd_fields[row], flow, NULL)) {
            mf_set_flow_value(rnd_fields[row], rnd_pick_value(row), flow);
        }
    }
}

/* Composes an IP packet, and then pushes the labels of 'flow'. */
static void
compose_mpls(struct dp_packet *p, struct flow *flow)
{
    struct flow inner;
    int n = 1 + random_range(3);

    random_flow(&inner, rnd_chance(50) ? 1 : 2);
    inner.dl_src = flow->dl_src;
    inner.dl_dst = flow->dl_dst;
    memset(inner.vlans, 0, sizeof inner.vlans);
    flow_compose(p, &inner, NULL, 20);
    for (int i = n - 1; i >= 0; i--) {
        ovs_be32 lse = i == 0 ? flow->mpls_lse[0]
                       : set_mpls_lse_values(64, 0, 0, htonl(16 + i));

        if (i == n - 1) {
            lse |= htonl(MPLS_BOS_MASK);
        } else {
            lse &= ~htonl(MPLS_BOS_MASK);
        }
        push_mpls(p, flow->dl_type, lse);
    }
    for (int i = FLOW_MAX_VLAN_HEADERS - 1; i >= 0; i--) {
        if (flow->vlans[i].tci & htons(VLAN_CFI)) {
            eth_push_vlan(p, flow->vlans[i].tpid, flow->vlans[i].tci);
        }
    }
}

/* An NSH header of 24 bytes behind Ethernet, and a packet in it. */
static void
compose_nsh(struct dp_packet *p, struct flow *flow)
{
    struct eth_header *eth;
    struct nsh_hdr *nsh;
    struct flow inner;

    random_flow(&inner, 1 + rnd_chance(50));
    flow_compose(p, &inner, NULL, 10);
    if (rnd_chance(50)) {
        flow->nsh.np = NSH_P_ETHERNET;
    } else {
        eth = dp_packet_data(p);
        dp_packet_pull(p, (char *) dp_packet_l3(p) - (char *) eth);
        flow->nsh.np = inner.dl_type == htons(ETH_TYPE_IP) ? NSH_P_IPV4
                       : NSH_P_IPV6;
    }
    if (rnd_chance(5)) {
        flow->nsh.np = 77;
    }
    flow->nsh.mdtype = NSH_M_TYPE1;
    nsh = dp_packet_push_zeros(p, NSH_BASE_HDR_LEN + NSH_M_TYPE1_MDLEN);
    nsh->md_type = NSH_M_TYPE1;
    nsh->next_proto = flow->nsh.np;
    nsh_set_flags_ttl_len(nsh, flow->nsh.flags, flow->nsh.ttl,
                          NSH_BASE_HDR_LEN + NSH_M_TYPE1_MDLEN);
    put_16aligned_be32(&nsh->path_hdr, flow->nsh.path_hdr);
    for (int i = 0; i < 4; i++) {
        put_16aligned_be32(&nsh->md1.context[i], flow->nsh.context[i]);
    }
    eth = dp_packet_push_zeros(p, sizeof *eth);
    eth->eth_src = flow->dl_src;
    eth->eth_dst = flow->dl_dst;
    eth->eth_type = htons(ETH_TYPE_NSH);
}

static void
compose(struct dp_packet *p, struct flow *flow)
{
    if (eth_type_mpls(flow->dl_type) && rnd_chance(85)) {
        compose_mpls(p, flow);
    } else if (flow->dl_type == htons(ETH_TYPE_NSH)) {
        compose_nsh(p, flow);
    } else {
        flow_compose(p, flow, NULL, random_range(3) ? random_range(100) : 0);
    }
}

static void
gen_packet(struct rnd_packet *packet, const struct rnd_rule *rule,
           bool may_cut_arp)
{
    struct dp_packet p;
    struct flow flow;

    random_flow(&flow, rule ? rule->proto : 0);
    if (rule) {
        uint64_t *f = (uint64_t *) &flow;
        const uint64_t *value = (const uint64_t *) &rule->match.flow;
        const uint64_t *mask = (const uint64_t *) &rule->match.wc.masks;

        for (size_t i = 0; i < FLOW_U64S; i++) {
            f[i] = (f[i] & ~mask[i]) | (value[i] & mask[i]);
        }
        for (int i = 0; i < FLOW_MAX_VLAN_HEADERS; i++) {
            if (flow.vlans[i].tci & htons(VLAN_CFI)
                && !eth_type_vlan(flow.vlans[i].tpid)) {
                flow.vlans[i].tpid = htons(ETH_TYPE_VLAN);
            }
        }
    }
    packet->in_port = ofp_to_u16(flow.in_port.ofp_port);
    if (!packet->in_port || packet->in_port > RND_N_PORTS) {
        packet->in_port = 1 + random_range(RND_N_PORTS);
    }

    dp_packet_init(&p, RND_MAX_PACKET);
    dp_packet_reserve(&p, 128);
    compose(&p, &flow);
    if (rnd_chance(3)) {
        uint8_t padding[32];

        random_bytes(padding, sizeof padding);
        dp_packet_put(&p, padding, 1 + random_range(sizeof padding));
    }
    packet->size = MIN(dp_packet_size(&p), RND_MAX_PACKET);
    if (rnd_chance(4) && packet->size > ETH_HEADER_LEN
        && (may_cut_arp || flow.dl_type != htons(ETH_TYPE_ARP))
        && flow.dl_type != htons(ETH_TYPE_NSH)) {
        packet->size = ETH_HEADER_LEN
                       + random_range(packet->size - ETH_HEADER_LEN);
    }
    memcpy(packet->data, dp_packet_data(&p), packet->size);
    dp_packet_uninit(&p);
}

/* A rule that a packet made for it is likely to meet. */
static const struct rnd_rule *
pick_rule(const struct rnd_case *c)
{
    const struct rnd_rule *best = &c->rules[random_range(c->n_rules)];

    for (int i = 0; i < 3; i++) {
        const struct rnd_rule *r = &c->rules[random_range(c->n_rules)];

        if (r->table < best->table
            || (r->table == best->table && r->priority > best->priority)) {
            best = r;
        }
    }
    return best;
}

void
rnd_generate(struct rnd_case *c, uint64_t seed)
{
    int n_tables, log_rules;

    random_set_seed((seed ^ seed >> 32) * 2654435761u | 1);
    c->seed = seed;
    rnd_make_values();
    rnd_gen_groups(c);
    n_tables = 1 + random_range(RND_N_TABLES);
    /* Half of the pipelines have few rules: as many as have more. */
    log_rules = random_range(8);
    c->n_rules = 1 + random_range(1 << log_rules);
    if (rnd_chance(5)) {
        c->n_rules = 1 + random_range(RND_MAX_RULES);
    }
    for (int i = 0; i < c->n_rules; i++) {
        gen_rule(&c->rules[i], n_tables);
    }
    if (rnd_chance(8)) {
        gen_conjunction(c, n_tables);
    }
    if (rnd_chance(4)) {
        gen_chain(c);
    }
    rnd_avoid_differences(c);
    for (int i = 0; i < c->n_rules; i++) {
        /* What is left of its actions may need what is gone. */
        ovs_assert(make_valid(&c->rules[i]));
        c->rules[i].cookie = i + 1;
    }
    c->n_packets = 1 + random_range(RND_MAX_PACKETS);
    /* Where headers of ARP are written to, none is cut: stock Open vSwitch
     * writes beyond its end (docs/conformance.md). */
    for (int i = 0; i < c->n_packets; i++) {
        gen_packet(&c->packets[i], i % 2
                   ? pick_rule(c) : NULL, !rnd_any_action(c, "arp_"));
    }
}
