/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "utilities/replay-coverage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "classifier.h"
#include "datapath/dp.h"
#include "netdev.h"
#include "ofproto/of.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-port.h"
#include "util.h"

/* The graph. */

static size_t
get_node(struct coverage *c, enum coverage_kind kind, uint8_t table_id,
         const char *name)
{
    size_t i;

    for (i = 0; i < c->n_nodes; i++) {
        if (c->nodes[i].kind == kind && !strcmp(c->nodes[i].name, name)) {
            return i;
        }
    }
    if (i >= c->allocated_nodes) {
        c->nodes = x2nrealloc(c->nodes, &c->allocated_nodes,
                              sizeof *c->nodes);
    }
    c->nodes[i] = (struct coverage_node) {
        .kind = kind, .name = xstrdup(name), .table_id = table_id,
    };
    return c->n_nodes++;
}

static size_t
get_table_node(struct coverage *c, uint8_t table_id)
{
    char name[16];

    snprintf(name, sizeof name, "table %u", table_id);
    return get_node(c, COVERAGE_TABLE, table_id, name);
}

static void
add_edge(struct coverage *c, size_t from, size_t to, uint64_t packets)
{
    for (size_t i = 0; i < c->n_edges; i++) {
        if (c->edges[i].from == from && c->edges[i].to == to) {
            c->edges[i].packets += packets;
            return;
        }
    }
    if (c->n_edges >= c->allocated_edges) {
        c->edges = x2nrealloc(c->edges, &c->allocated_edges,
                              sizeof *c->edges);
    }
    c->edges[c->n_edges++] = (struct coverage_edge) { from, to, packets };
}

static void
add_exit(struct coverage *c, size_t from, const char *name, uint64_t packets)
{
    add_edge(c, from, get_node(c, COVERAGE_EXIT, 0, name), packets);
}

static void
add_output(struct coverage *c, const struct ofproto *ofproto, size_t from,
           ofp_port_t number, uint64_t packets)
{
    const struct ofport *port = ofproto_get_port(ofproto, number);
    struct ds name = DS_EMPTY_INITIALIZER;

    if (port) {
        ds_put_cstr(&name, netdev_get_name(port->netdev));
    } else {
        ofputil_format_port(number, NULL, &name);
    }
    add_exit(c, from, ds_cstr(&name), packets);
    ds_destroy(&name);
}

/* Where 'packets' packets go that meet these actions, which are of 'rule'. */
static void
add_actions(struct coverage *c, const struct rule *rule,
            const struct ofpact *ofpacts, size_t len, uint64_t packets)
{
    size_t from = get_table_node(c, rule->table_id);
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        if (a->type == OFPACT_OUTPUT) {
            add_output(c, rule->ofproto, from, ofpact_get_OUTPUT(a)->port,
                       packets);
        } else if (a->type == OFPACT_GOTO_TABLE) {
            uint8_t to = ofpact_get_GOTO_TABLE(a)->table_id;

            add_edge(c, from, get_table_node(c, to), packets);
        } else if (a->type == OFPACT_RESUBMIT) {
            uint8_t to = ofpact_get_RESUBMIT(a)->table_id;

            to = to == 0xff ? rule->table_id : to;
            add_edge(c, from, get_table_node(c, to), packets);
        } else if (a->type == OFPACT_GROUP) {
            char *name = xasprintf("group %"PRIu32,
                                   ofpact_get_GROUP(a)->group_id);

            add_exit(c, from, name, packets);
            free(name);
        } else if (a->type == OFPACT_CONTROLLER) {
            add_exit(c, from, "controller", packets);
        } else if (a->type == OFPACT_WRITE_ACTIONS
                   || a->type == OFPACT_CLONE) {
            const struct ofpact_nest *nest = ofpact_get_WRITE_ACTIONS(a);

            if (a->type == OFPACT_CLONE) {
                nest = ofpact_get_CLONE(a);
            }
            add_actions(c, rule, nest->actions,
                        ofpact_nest_get_action_len(nest), packets);
        }
    }
}

/* Rules. */

static void
add_rule(struct coverage *c, struct rule *rule)
{
    const struct rule_actions *actions = rule_get_actions(rule);
    struct ofpact_format_params params = { .s = NULL };
    struct ds text = DS_EMPTY_INITIALIZER;
    struct coverage_rule *r;
    struct pkt_stats stats;
    struct match match;
    long long int used;

    if (c->n_rules >= c->allocated_rules) {
        c->rules = x2nrealloc(c->rules, &c->allocated_rules,
                              sizeof *c->rules);
    }
    r = &c->rules[c->n_rules++];
    rule->ofproto->ofproto_class->rule_get_stats(rule, &stats, &used);
    minimatch_expand(&rule->cr.match, &match);
    *r = (struct coverage_rule) {
        .table_id = rule->table_id,
        .priority = rule->cr.priority,
        .cookie = ntohll(rule->flow_cookie),
        .packets = stats.n_packets,
        .bytes = stats.n_bytes,
        .own_cookie = true,
        .match = match_to_string(&match, NULL, rule->cr.priority),
    };
    params.s = &text;
    ofpacts_format(actions->ofpacts, actions->ofpacts_len, &params);
    r->actions = ds_steal_cstr(&text);
    c->n_hit += r->packets > 0;
    add_actions(c, rule, actions->ofpacts, actions->ofpacts_len,
                r->packets);
}

static int
compare_rules(const void *a_, const void *b_)
{
    const struct coverage_rule *a = a_, *b = b_;

    if (a->packets != b->packets) {
        return a->packets > b->packets ? -1 : 1;
    } else if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    return strcmp(a->match, b->match);
}

static int
compare_cookies(const void *a_, const void *b_)
{
    const struct coverage_rule *a = a_, *b = b_;

    return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

/* The rules of a table, sorted at last as compare_rules() has them. */
static void
finish_rules(struct coverage_rule *rules, size_t n)
{
    qsort(rules, n, sizeof *rules, compare_cookies);
    for (size_t i = 1; i < n; i++) {
        if (rules[i].cookie == rules[i - 1].cookie) {
            rules[i].own_cookie = rules[i - 1].own_cookie = false;
        }
    }
    qsort(rules, n, sizeof *rules, compare_rules);
}

static void
read_table(struct coverage *c, const struct of_bridge *bridge,
           const struct oftable *oftable, uint8_t id)
{
    struct coverage_table t = { .id = id, .first = c->n_rules };
    size_t n_hit = c->n_hit;
    struct rule *rule;

    CLS_FOR_EACH (rule, cr, &oftable->cls) {
        if (!rule_is_hidden(rule)) {
            add_rule(c, rule);
        }
    }
    dp_table_counts(bridge->dpb, id, &t.lookups, &t.matches);
    t.n_rules = c->n_rules - t.first;
    t.n_hit = c->n_hit - n_hit;
    if (!t.n_rules && !t.lookups) {
        return;
    }
    if (t.n_rules) {
        finish_rules(c->rules + t.first, t.n_rules);
    }
    if (t.lookups > t.matches) {
        add_exit(c, get_table_node(c, id), "no rule", t.lookups - t.matches);
    }
    if (c->n_tables >= c->allocated_tables) {
        c->tables = x2nrealloc(c->tables, &c->allocated_tables,
                               sizeof *c->tables);
    }
    c->tables[c->n_tables++] = t;
}

/* Drops. */

static const char *
string_of(const struct json *row, const char *name)
{
    return json_string(shash_find_data(json_object(row), name));
}

static void
read_drops(struct coverage *c, const struct of_bridge *bridge)
{
    struct json *top = dp_drops_json(of_dp, bridge->dpb);
    const struct json_array *rows
        = json_array(shash_find_data(json_object(top), "drops"));

    for (size_t i = 0; i < rows->n; i++) {
        const struct json *row = rows->elems[i];
        struct coverage_drop d = {
            .table_id = json_integer(shash_find_data(json_object(row),
                                                     "table")),
            .packets = json_integer(shash_find_data(json_object(row),
                                                    "packets")),
            .cookie = xstrdup(string_of(row, "cookie")),
            .reason = xstrdup(string_of(row, "text")),
        };
        uint64_t cookie = strtoull(d.cookie, NULL, 0);
        bool known = strcmp(d.cookie, "other")
                     && strcmp(string_of(row, "reason"), "table_miss");

        for (size_t j = 0; known && j < c->n_rules; j++) {
            struct coverage_rule *r = &c->rules[j];

            if (r->table_id == d.table_id && r->cookie == cookie
                && r->own_cookie && r->packets) {
                r->drops += d.packets;
            }
        }
        if (strcmp(string_of(row, "reason"), "table_miss")) {
            add_exit(c, get_table_node(c, d.table_id), "dropped", d.packets);
        }
        if (c->n_drops >= c->allocated_drops) {
            c->drops = x2nrealloc(c->drops, &c->allocated_drops,
                                  sizeof *c->drops);
        }
        c->drops[c->n_drops++] = d;
    }
    json_destroy(top);
}

static void
read_bridge(struct coverage *c, const struct of_bridge *bridge)
{
    const struct ofproto *ofproto = &bridge->dpif.up;
    const struct of_port *port;

    memset(c, 0, sizeof *c);
    c->bridge = xstrdup(ofproto->name);
    HMAP_FOR_EACH (port, up.hmap_node, &ofproto->ports) {
        struct dp_port_stats stats;

        if (port->dpp) {
            dp_port_get_stats(port->dpp, &stats);
            if (stats.rx_packets) {
                add_edge(c, get_node(c, COVERAGE_PORT, 0,
                                     netdev_get_name(port->up.netdev)),
                         get_table_node(c, 0), stats.rx_packets);
            }
        }
    }
    for (int id = 0; id < OF_TABLE_INTERNAL; id++) {
        read_table(c, bridge, &ofproto->tables[id], id);
    }
    read_drops(c, bridge);
}

static int
compare_bridges(const void *a_, const void *b_)
{
    const struct coverage *a = a_, *b = b_;

    return strcmp(a->bridge, b->bridge);
}

struct coverage *
coverage_read(size_t *n)
{
    struct coverage *all = xcalloc(MAX(hmap_count(&of_bridges), 1),
                                   sizeof *all);
    struct of_bridge *bridge;

    *n = 0;
    OF_BRIDGE_FOR_EACH (bridge) {
        read_bridge(&all[(*n)++], bridge);
    }
    qsort(all, *n, sizeof *all, compare_bridges);
    return all;
}

void
coverage_free(struct coverage *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct coverage *c = &all[i];

        for (size_t j = 0; j < c->n_rules; j++) {
            free(c->rules[j].match);
            free(c->rules[j].actions);
        }
        for (size_t j = 0; j < c->n_drops; j++) {
            free(c->drops[j].cookie);
            free(c->drops[j].reason);
        }
        for (size_t j = 0; j < c->n_nodes; j++) {
            free(c->nodes[j].name);
        }
        free(c->bridge);
        free(c->rules);
        free(c->tables);
        free(c->drops);
        free(c->nodes);
        free(c->edges);
    }
    free(all);
}

/* Text. */

static void
format_table(const struct coverage *c, const struct coverage_table *t,
             struct ds *out)
{
    ds_put_format(out, "table %u: %"PRIuSIZE" of %"PRIuSIZE" rules hit; "
                  "%"PRIu64" lookups, %"PRIu64" without a rule\n", t->id,
                  t->n_hit, t->n_rules, t->lookups, t->lookups - t->matches);
    for (size_t i = t->first; i < t->first + t->n_rules; i++) {
        const struct coverage_rule *r = &c->rules[i];

        if (r->packets) {
            ds_put_format(out, "  %10"PRIu64"  ", r->packets);
        } else {
            ds_put_format(out, "  %10s  ", "never");
        }
        if (r->cookie) {
            ds_put_format(out, "cookie=%#"PRIx64",", r->cookie);
        }
        ds_put_format(out, "%s actions=%s\n", r->match, r->actions);
    }
}

void
coverage_format(const struct coverage *all, size_t n, struct ds *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct coverage *c = &all[i];

        ds_put_format(out, "coverage of %s: %"PRIuSIZE" of %"PRIuSIZE
                      " rules hit, %"PRIuSIZE" never\n", c->bridge, c->n_hit,
                      c->n_rules, c->n_rules - c->n_hit);
        for (size_t j = 0; j < c->n_tables; j++) {
            format_table(c, &c->tables[j], out);
        }
    }
}
