/* SPDX-License-Identifier: Apache-2.0 */

/* Rows of actions, and random lists of them. */

#include "tests/random/gen.h"

#include <inttypes.h>
#include <string.h>
#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "random.h"
#include "util.h"

typedef bool action_gen_fn(const struct rnd_rule *, struct flow *state,
                           struct ds *);

/* A random row whose field actions may write (or, for reading, any) in a
 * packet like 'state', or -1. */
static int
pick_field(const struct flow *state, bool writable)
{
    if (rnd_chance(20)) {
        return rnd_pick_metadata();
    }
    for (int i = 0; i < 30; i++) {
        int row = random_range(rnd_n_fields);

        if (mf_are_prereqs_ok(rnd_fields[row], state, NULL)
            && (!writable || rnd_fields[row]->writable)
            && !rnd_is_row(row, "in_port")) {
            return row;
        }
    }
    return -1;
}

/* A subfield of these is written wrongly by stock Open vSwitch, also when it
 * is only read (docs/conformance.md). */
static bool
has_subfields(int row)
{
    return !rnd_is_row(row, "nd_reserved")
           && !rnd_is_row(row, "nd_options_type");
}

static bool
gen_output(const struct rnd_rule *rule OVS_UNUSED,
           struct flow *state OVS_UNUSED, struct ds *s)
{
    ds_put_format(s, "output:%d",
                  rnd_chance(3) ? 9 : 1 + (int) random_range(RND_N_PORTS));
    return true;
}

static bool
gen_set_field(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
              struct ds *s)
{
    int row = pick_field(state, true);
    union mf_value value, mask;

    if (row < 0 || rnd_is_row(row, "vlan_tci")) {
        return false;
    }
    value = *rnd_pick_value(row);
    rnd_make_mask(row, RND_EXACT, &mask);
    if (rnd_fields[row]->maskable != MFM_NONE && !rnd_is_row(row, "vlan_vid")
        && has_subfields(row) && rnd_chance(30)) {
        rnd_make_mask(row, RND_BITS, &mask);
        for (unsigned int i = 0; i < rnd_fields[row]->n_bytes; i++) {
            value.b[i] &= mask.b[i];
        }
        if (is_all_zeros(&mask, rnd_fields[row]->n_bytes)) {
            return false;
        }
    }
    ds_put_cstr(s, "set_field:");
    mf_format(rnd_fields[row], &value, &mask, NULL, s);
    ds_put_format(s, "->%s", rnd_fields[row]->name);
    return true;
}

static void
put_subfield(struct ds *s, int row, unsigned int n)
{
    unsigned int ofs = random_range(rnd_fields[row]->n_bits - n + 1);

    ds_put_format(s, "%s[%u..%u]", rnd_fields[row]->name, ofs, ofs + n - 1);
}

static bool
gen_load(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
         struct ds *s)
{
    int row = pick_field(state, true);
    unsigned int n;

    if (row < 0 || !has_subfields(row)) {
        return false;
    }
    n = 1 + random_range(MIN(rnd_fields[row]->n_bits, 32));
    ds_put_format(s, "load:%#x->",
                  random_uint32() & (n < 32 ? (1u << n) - 1 : UINT32_MAX));
    put_subfield(s, row, n);
    return true;
}

static bool
gen_move(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
         struct ds *s)
{
    int src = pick_field(state, false);
    int dst = pick_field(state, true);
    unsigned int n;

    if (src < 0 || dst < 0 || !has_subfields(src) || !has_subfields(dst)) {
        return false;
    }
    n = MIN(rnd_fields[src]->n_bits, rnd_fields[dst]->n_bits);
    if (rnd_chance(50)) {
        n = 1 + random_range(n);
    }
    ds_put_cstr(s, "move:");
    put_subfield(s, src, n);
    ds_put_cstr(s, "->");
    put_subfield(s, dst, n);
    return true;
}

static bool
gen_push_vlan(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
              struct ds *s)
{
    ds_put_format(s, "push_vlan:%s", rnd_chance(70) ? "0x8100" : "0x88a8");
    flow_push_vlan_uninit(state, NULL);
    state->vlans[0].tpid = htons(ETH_TYPE_VLAN);
    state->vlans[0].tci = htons(VLAN_CFI);
    return true;
}

static bool
gen_pop_vlan(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
             struct ds *s)
{
    struct flow_wildcards wc;

    memset(&wc, 0, sizeof wc);
    ds_put_cstr(s, "pop_vlan");
    flow_pop_vlan(state, &wc);
    return true;
}

static bool
gen_resubmit(const struct rnd_rule *rule, struct flow *state OVS_UNUSED,
             struct ds *s)
{
    int table = random_range(RND_N_TABLES);

    /* Mostly forward, or most pipelines would be loops. */
    if (table <= rule->table && !rnd_chance(8)) {
        table = rule->table + 1;
    }
    if (table >= RND_N_TABLES) {
        return false;
    }
    if (rnd_chance(30)) {
        ds_put_format(s, "resubmit(%u,%d)", 1 + random_range(RND_N_PORTS),
                      table);
    } else {
        ds_put_format(s, "resubmit(,%d)", table);
    }
    return true;
}

static bool
gen_dec_ttl(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
            struct ds *s)
{
    ds_put_cstr(s, "dec_ttl");
    return is_ip_any(state);
}

static bool
gen_controller(const struct rnd_rule *rule OVS_UNUSED,
               struct flow *state OVS_UNUSED, struct ds *s)
{
    ds_put_cstr(s, rnd_chance(50) ? "controller"
                : "controller(reason=no_match)");
    return true;
}

static bool
gen_write_metadata(const struct rnd_rule *rule OVS_UNUSED,
                   struct flow *state OVS_UNUSED, struct ds *s)
{
    const union mf_value *value = rnd_pick_value(rnd_field_row("metadata"));

    ds_put_format(s, "write_metadata:%#"PRIx64, ntohll(value->be64));
    if (rnd_chance(40)) {
        ds_put_format(s, "/%#"PRIx64, random_uint64() | 1);
    }
    return true;
}

static bool
gen_goto(const struct rnd_rule *rule, struct flow *state OVS_UNUSED,
         struct ds *s)
{
    if (rule->table >= RND_N_TABLES - 1) {
        return false;
    }
    ds_put_format(s, "goto_table:%u", rule->table + 1
                  + random_range(RND_N_TABLES - 1 - rule->table));
    return true;
}

static void
put_any_subfield(struct ds *s, int row)
{
    put_subfield(s, row, 1 + random_range(rnd_fields[row]->n_bits));
}

static bool
gen_push(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
         struct ds *s)
{
    int row = pick_field(state, false);

    if (row < 0 || !has_subfields(row)) {
        return false;
    }
    ds_put_cstr(s, "push:");
    put_any_subfield(s, row);
    return true;
}

static bool
gen_pop(const struct rnd_rule *rule, struct flow *state, struct ds *s)
{
    int row = pick_field(state, true);

    if (row < 0 || !has_subfields(row)) {
        return false;
    }
    if (rnd_chance(70)) {
        if (!gen_push(rule, state, s)) {
            return false;
        }
        ds_put_char(s, ',');
    }
    ds_put_cstr(s, "pop:");
    put_any_subfield(s, row);
    return true;
}

static const char *
any_hash_fields(void)
{
    static const char *const names[] = {
        "eth_src", "symmetric_l4", "symmetric_l3l4", "symmetric_l3l4+udp",
        "nw_src", "nw_dst", "symmetric_l3"
    };

    return names[random_range(ARRAY_SIZE(names))];
}

static bool
gen_multipath(const struct rnd_rule *rule OVS_UNUSED,
              struct flow *state OVS_UNUSED, struct ds *s)
{
    static const char *const algorithms[] = {
        "modulo_n", "hash_threshold", "hrw", "iter_hash"
    };

    unsigned int arg = random_range(8);
    unsigned int n_links = 1 + random_range(8);
    const char *algorithm = algorithms[random_range(ARRAY_SIZE(algorithms))];
    unsigned int basis = random_range(100);

    ds_put_format(s, "multipath(%s,%u,%s,%u,%u,reg0[0..3])",
                  any_hash_fields(), basis, algorithm, n_links, arg);
    if (rnd_chance(50)) {
        ds_put_cstr(s, ",output:reg0[0..3]");
    }
    return true;
}

static bool
gen_bundle(const struct rnd_rule *rule OVS_UNUSED,
           struct flow *state OVS_UNUSED, struct ds *s)
{
    bool load = rnd_chance(50);
    const char *members = rnd_chance(50) ? "1,2,3" : "9,4,2";
    const char *algorithm = rnd_chance(50) ? "hrw" : "active_backup";
    unsigned int basis = random_range(100);

    ds_put_format(s, "bundle%s(%s,%u,%s,ofport,%smembers:%s)",
                  load ? "_load" : "", any_hash_fields(), basis, algorithm,
                  load ? "reg5[0..15]," : "", members);
    return true;
}

static bool
gen_output_reg(const struct rnd_rule *rule OVS_UNUSED,
               struct flow *state OVS_UNUSED, struct ds *s)
{
    ds_put_format(s, "load:%u->reg15[],output:reg15[]",
                  random_range(RND_N_PORTS + 1));
    return true;
}

static bool
gen_truncate(const struct rnd_rule *rule, struct flow *state, struct ds *s)
{
    unsigned int max_len;

    if (eth_type_mpls(state->dl_type)
        || eth_type_mpls(rule->match.flow.dl_type)
        || state->dl_type == htons(ETH_TYPE_NSH)) {
        /* Headers about to go, or about to be added before a group, count or
         * not (docs/conformance.md). */
        return false;
    }
    max_len = 50 + random_range(60);
    ds_put_format(s, "output(port=%u,max_len=%u)",
                  1 + random_range(RND_N_PORTS), max_len);
    return true;
}

static bool
gen_enqueue(const struct rnd_rule *rule OVS_UNUSED,
            struct flow *state OVS_UNUSED, struct ds *s)
{
    unsigned int port, queue;

    if (rnd_chance(50)) {
        port = 1 + random_range(RND_N_PORTS);
        queue = random_range(9);
        ds_put_format(s, "set_queue:%u,output:%u,pop_queue", queue, port);
    } else {
        queue = random_range(9);
        port = 1 + random_range(RND_N_PORTS);
        ds_put_format(s, "enqueue:%u:%u", port, queue);
    }
    return true;
}

static bool
gen_check_pkt_larger(const struct rnd_rule *rule OVS_UNUSED,
                     struct flow *state OVS_UNUSED, struct ds *s)
{
    /* The last action: stock Open vSwitch counts the lookups of what follows
     * twice (docs/conformance.md). */
    ds_put_format(s, "load:0->reg15[],check_pkt_larger(%u)->reg15[1],"
                  "output:reg15[],exit", 20 + random_range(100));
    return true;
}

static bool
gen_learn(const struct rnd_rule *rule, struct flow *state, struct ds *s)
{
    int table = rule->table + random_range(2);

    /* Stock Open vSwitch would find the flow when it goes on with the same
     * packet (docs/conformance.md). */
    if (table >= RND_N_TABLES || state->packet_type || rnd_recirculates) {
        return false;
    }
    ds_put_format(s, "learn(table=%d,priority=%u", table,
                  1 + random_range(100));
    if (rnd_chance(30)) {
        unsigned int bit = random_range(32);

        ds_put_format(s, ",limit=%u,result_dst=reg0[%u]",
                      1 + random_range(3), bit);
    }
    ds_put_cstr(s, rnd_chance(50) ? ",eth_dst=eth_src"
                : rnd_chance(50) ? ",NXM_OF_ETH_SRC[]" : ",in_port");
    if (rnd_chance(50)) {
        ds_put_cstr(s, ",load:NXM_OF_IN_PORT[]->reg5[0..15]");
    }
    if (rnd_chance(30)) {
        ds_put_cstr(s, ",load:3->reg0[4..9]");
    }
    ds_put_cstr(s, ",output:in_port)");
    return true;
}

static bool
gen_fin_timeout(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
                struct ds *s)
{
    ds_put_cstr(s, "fin_timeout(idle_timeout=1000,hard_timeout=2000)");
    return is_ip_any(state) && state->nw_proto == IPPROTO_TCP;
}

static bool
gen_push_mpls(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
              struct ds *s)
{
    bool mcast = rnd_chance(20);

    if (state->packet_type) {
        return false;
    }
    ds_put_format(s, "push_mpls:%s", mcast ? "0x8848" : "0x8847");
    state->dl_type = htons(mcast ? ETH_TYPE_MPLS_MCAST : ETH_TYPE_MPLS);
    state->nw_proto = 0;
    return true;
}

static bool
gen_pop_mpls(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
             struct ds *s)
{
    static const uint16_t types[] = { 0x0800, 0x86dd, 0x8847, 0x0806 };
    uint16_t type = types[random_range(ARRAY_SIZE(types))];

    ds_put_format(s, "pop_mpls:%#"PRIx16, type);
    if (!eth_type_mpls(state->dl_type)) {
        return false;
    }
    state->dl_type = htons(type);
    return true;
}

static bool
gen_mpls_ttl(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
             struct ds *s)
{
    if (rnd_chance(50)) {
        ds_put_cstr(s, "dec_mpls_ttl");
    } else {
        ds_put_format(s, "set_mpls_ttl(%u)", 1 + random_range(255));
    }
    return eth_type_mpls(state->dl_type);
}

/* Pairs, because hardly a port takes what is not Ethernet. */
static bool
gen_encap(const struct rnd_rule *rule OVS_UNUSED, struct flow *state,
          struct ds *s)
{
    if (state->packet_type) {
        return false;
    }
    if (state->dl_type == htons(ETH_TYPE_NSH) && rnd_chance(70)) {
        ds_put_cstr(s, rnd_chance(30) ? "dec_nsh_ttl,decap()"
                    : "decap(),decap()");
        /* Stock Open vSwitch looks the packet up in table 0 again if decap is
         * the last action, and an error after decap does not take back what
         * was output before (docs/conformance.md). */
        ds_put_cstr(s, ",load:0->reg0[0]");
        memset(state, 0, sizeof *state);
    } else if (rnd_chance(60)) {
        bool has_tlv = rnd_chance(30);

        ds_put_format(s, "encap(nsh(md_type=%d%s)),", 1 + rnd_chance(40),
                      has_tlv ? ",tlv(0x1000,10,0x12345678)" : "");
        if (rnd_chance(50)) {
            ds_put_format(s, "set_field:%#x->nsh_spi,", random_range(100));
        }
        ds_put_cstr(s, "encap(ethernet)");
        memset(&state->dl_dst, 0,
               sizeof *state - offsetof(struct flow, dl_dst));
        state->dl_type = htons(ETH_TYPE_NSH);
    } else {
        ds_put_cstr(s, "decap()");
        if (rnd_chance(80)) {
            ds_put_cstr(s, ",encap(ethernet)");
        } else {
            state->packet_type = htonl(PACKET_TYPE(OFPHTN_ETHERTYPE,
                                                   ntohs(state->dl_type)));
        }
    }
    return true;
}

static bool
gen_note(const struct rnd_rule *rule, struct flow *state OVS_UNUSED,
         struct ds *s)
{
    /* Stock Open vSwitch looks the packet up in table 0 again if that is all
     * that follows (docs/conformance.md). */
    for (int i = 0; i < rule->n_actions; i++) {
        if (rule->actions[i].row == rnd_action_row("pop_mpls")) {
            return false;
        }
    }
    ds_put_cstr(s, "note:12.34.56");
    return true;
}

static bool
gen_clone(const struct rnd_rule *rule, struct flow *state, struct ds *s)
{
    struct flow copy = *state;
    size_t start;

    ds_put_cstr(s, "clone(");
    start = s->length;
    gen_set_field(rule, &copy, s);
    ds_put_cstr(s, s->length > start ? "," : "");
    if (rnd_chance(40)) {
        start = s->length;
        gen_resubmit(rule, &copy, s);
        ds_put_cstr(s, s->length > start ? "," : "");
    }
    gen_output(rule, &copy, s);
    ds_put_char(s, ')');
    return true;
}

static bool
gen_group(const struct rnd_rule *rule OVS_UNUSED,
          struct flow *state OVS_UNUSED, struct ds *s)
{
    if (!rnd_n_groups) {
        return false;
    }
    ds_put_format(s, "group:%u", 1 + random_range(rnd_n_groups));
    return true;
}

/* An instruction, the first. */
static bool
gen_meter(const struct rnd_rule *rule, struct flow *state OVS_UNUSED,
          struct ds *s)
{
    if (!rnd_n_meters || rule->n_actions) {
        return false;
    }
    ds_put_format(s, "meter:%u", 1 + random_range(rnd_n_meters));
    return true;
}

static action_gen_fn gen_write_actions;

/* Rows of actions.  'gen' null: 'name' is the text. */
static const struct action_row {
    const char *name;
    action_gen_fn *gen;
    int weight;
    bool in_set;                    /* May stand in write_actions. */
} action_rows[] = {
    { "output", gen_output, 14, true },
    { "in_port", NULL, 2, true },
    { "flood", NULL, 2, true },
    { "all", NULL, 2, true },
    { "normal", NULL, 3, true },
    { "controller", gen_controller, 3, false },
    { "set_field", gen_set_field, 12, true },
    { "load", gen_load, 6, false },
    { "move", gen_move, 6, false },
    { "push_vlan", gen_push_vlan, 3, true },
    { "pop_vlan", gen_pop_vlan, 3, true },
    { "dec_ttl", gen_dec_ttl, 4, true },
    { "resubmit", gen_resubmit, 8, false },
    { "push", gen_push, 3, false },
    { "pop", gen_pop, 4, false },
    { "multipath", gen_multipath, 2, false },
    { "bundle", gen_bundle, 2, false },
    { "output_reg", gen_output_reg, 2, false },
    { "output_trunc", gen_truncate, 2, false },
    { "queue", gen_enqueue, 2, false },
    { "check_pkt_larger", gen_check_pkt_larger, 2, false },
    { "learn", gen_learn, 3, false },
    { "fin_timeout", gen_fin_timeout, 3, false },
    { "push_mpls", gen_push_mpls, 3, true },
    { "pop_mpls", gen_pop_mpls, 4, true },
    { "mpls_ttl", gen_mpls_ttl, 4, false },
    { "encap", gen_encap, 3, false },
    { "clone", gen_clone, 3, false },
    { "group", gen_group, 8, true },
    { "meter", gen_meter, 0, false },
    { "note", gen_note, 1, false },
    { "exit", NULL, 1, false },
    { "conjunction", NULL, 0, false },
    { "clear_actions", NULL, 0, false },
    { "write_actions", gen_write_actions, 0, false },
    { "write_metadata", gen_write_metadata, 0, false },
    { "goto_table", gen_goto, 0, false },
    { "drop", NULL, 0, false },
};
enum { N_ACTIONS = ARRAY_SIZE(action_rows) };

const char *
rnd_action_name(int row)
{
    return row < N_ACTIONS ? action_rows[row].name : NULL;
}

int
rnd_action_row(const char *name)
{
    for (int i = 0; i < N_ACTIONS; i++) {
        if (!strcmp(action_rows[i].name, name)) {
            return i;
        }
    }
    OVS_NOT_REACHED();
}

static int
pick_action(bool in_set)
{
    int total = 0;

    for (int i = 0; i < N_ACTIONS; i++) {
        total += in_set && !action_rows[i].in_set ? 0 : action_rows[i].weight;
    }
    total = random_range(total);
    for (int i = 0;; i++) {
        total -= in_set && !action_rows[i].in_set ? 0 : action_rows[i].weight;
        if (total < 0) {
            return i;
        }
    }
}

static bool
gen_write_actions(const struct rnd_rule *rule, struct flow *state,
                  struct ds *s)
{
    int n = 1 + random_range(3);
    size_t start = s->length;

    ds_put_cstr(s, "write_actions(");
    for (int i = 0; i < n; i++) {
        int row = pick_action(true);
        struct ds one = DS_EMPTY_INITIALIZER;
        bool ok;

        if (action_rows[row].gen) {
            ok = action_rows[row].gen(rule, state, &one);
        } else {
            ds_put_cstr(&one, action_rows[row].name);
            ok = true;
        }
        if (ok && s->length - start + one.length < 120) {
            ds_put_format(s, "%s,", ds_cstr(&one));
        }
        ds_destroy(&one);
    }
    ds_chomp(s, ',');
    ds_put_char(s, ')');
    return true;
}

void
rnd_gen_bucket(uint32_t id, size_t size, struct ds *s)
{
    struct rnd_rule rule = { .table = random_range(RND_N_TABLES) };
    struct flow state = { .dl_type = htons(rnd_chance(70) ? ETH_TYPE_IP
                                           : ETH_TYPE_IPV6) };
    size_t start = s->length;
    int n = random_range(3);

    for (int i = 0; i <= n; i++) {
        int row = i == n ? rnd_action_row("output") : pick_action(true);
        struct ds one = DS_EMPTY_INITIALIZER;
        bool ok = true;

        if (i == n && id < (uint32_t) rnd_n_groups && rnd_chance(20)) {
            ds_put_format(&one, "group:%u",
                          id + 1 + random_range(rnd_n_groups - id));
        } else if (i == n && rnd_chance(20)) {
            ok = gen_resubmit(&rule, &state, &one);
        } else if (row == rnd_action_row("group")) {
            ok = false;
        } else if (action_rows[row].gen) {
            ok = action_rows[row].gen(&rule, &state, &one);
        } else {
            ds_put_cstr(&one, action_rows[row].name);
        }
        if (ok && s->length - start + one.length < size) {
            ds_put_format(s, "%s%s", s->length > start ? "," : "",
                          ds_cstr(&one));
        }
        ds_destroy(&one);
    }
}

static void
add_action(struct rnd_rule *rule, int row, struct flow *state)
{
    struct rnd_action *a = &rule->actions[rule->n_actions];
    struct ds s = DS_EMPTY_INITIALIZER;
    bool ok = true;

    if (rule->n_actions >= RND_MAX_ACTIONS) {
        return;
    }
    if (action_rows[row].gen) {
        ok = action_rows[row].gen(rule, state, &s);
    } else {
        ds_put_cstr(&s, action_rows[row].name);
    }
    if (ok && s.length < sizeof a->text) {
        a->row = row;
        memcpy(a->text, ds_cstr(&s), s.length + 1);
        rule->n_actions++;
    }
    ds_destroy(&s);
}

void
rnd_gen_actions(struct rnd_rule *rule)
{
    struct flow state = rule->match.flow;
    int n = random_range(5);

    if (rnd_chance(5)) {
        add_action(rule, rnd_action_row("drop"), &state);
        return;
    }
    if (rnd_n_meters && rnd_chance(30)) {
        add_action(rule, rnd_action_row("meter"), &state);
    }
    for (int i = 0; i < n; i++) {
        add_action(rule, pick_action(false), &state);
    }
    if (rnd_chance(5)) {
        add_action(rule, rnd_action_row("clear_actions"), &state);
    }
    if (rnd_chance(20)) {
        add_action(rule, rnd_action_row("write_actions"), &state);
    }
    if (rnd_chance(15)) {
        add_action(rule, rnd_action_row("write_metadata"), &state);
    }
    if (rnd_chance(30)) {
        add_action(rule, rnd_action_row("goto_table"), &state);
    }
    if (!rule->n_actions) {
        add_action(rule, rnd_action_row("output"), &state);
    }
}
