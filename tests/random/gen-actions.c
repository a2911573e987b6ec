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
        && rnd_chance(30)) {
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

    if (row < 0) {
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

    if (src < 0 || dst < 0) {
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

static int
action_row(const char *name)
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
        add_action(rule, action_row("drop"), &state);
        return;
    }
    for (int i = 0; i < n; i++) {
        add_action(rule, pick_action(false), &state);
    }
    if (rnd_chance(5)) {
        add_action(rule, action_row("clear_actions"), &state);
    }
    if (rnd_chance(20)) {
        add_action(rule, action_row("write_actions"), &state);
    }
    if (rnd_chance(15)) {
        add_action(rule, action_row("write_metadata"), &state);
    }
    if (rnd_chance(30)) {
        add_action(rule, action_row("goto_table"), &state);
    }
    if (!rule->n_actions) {
        add_action(rule, action_row("output"), &state);
    }
}
