/* SPDX-License-Identifier: Apache-2.0 */

/* Pipelines without what stock Open vSwitch does otherwise, and is known to;
 * docs/conformance.md has a row for each. */

#include "tests/random/gen.h"

#include <stdlib.h>
#include <string.h>
#include "util.h"

bool
rnd_any_action(const struct rnd_case *c, const char *text)
{
    for (int i = 0; i < c->n_groups; i++) {
        for (int j = 0; j < c->groups[i].n_buckets; j++) {
            if (strstr(c->groups[i].buckets[j], text)) {
                return true;
            }
        }
    }
    for (int i = 0; i < c->n_rules; i++) {
        for (int j = 0; j < c->rules[i].n_actions; j++) {
            if (strstr(c->rules[i].actions[j].text, text)) {
                return true;
            }
        }
    }
    return false;
}

static void
remove_action(struct rnd_rule *rule, int i)
{
    rule->n_actions--;
    memmove(&rule->actions[i], &rule->actions[i + 1],
            (rule->n_actions - i) * sizeof rule->actions[i]);
}

/* Removes the actions that have 'text' and, unless it is null, 'text2' in
 * them. */
static void
remove_actions(struct rnd_case *c, const char *text, const char *text2)
{
    for (int i = 0; i < c->n_rules; i++) {
        struct rnd_rule *rule = &c->rules[i];

        for (int j = rule->n_actions - 1; j >= 0; j--) {
            if (strstr(rule->actions[j].text, text)
                && (!text2 || strstr(rule->actions[j].text, text2))) {
                remove_action(rule, j);
            }
        }
    }
}

static bool
any_reparsing(const struct rnd_case *c)
{
    return rnd_any_action(c, "pop_mpls") || rnd_any_action(c, "decap(");
}

/* In stock Open vSwitch a clone or bucket does not take back headers that
 * tables which it resubmits to have added or removed (docs/conformance.md). */
static void
avoid_clone_of_headers(struct rnd_case *c)
{
    if (!rnd_any_action(c, "encap(") && !rnd_any_action(c, "decap(")
        && !rnd_any_action(c, "_mpls")) {
        return;
    }
    for (int i = 0; i < c->n_groups; i++) {
        for (int j = 0; j < c->groups[i].n_buckets; j++) {
            char *text = c->groups[i].buckets[j];

            if (strstr(text, "resubmit(") || strstr(text, "_mpls")) {
                snprintf(strstr(text, "actions="), 17, "actions=output:1");
            }
        }
    }
    for (int i = 0; i < c->n_rules; i++) {
        struct rnd_rule *rule = &c->rules[i];

        for (int j = 0; j < rule->n_actions; j++) {
            char *text = rule->actions[j].text;

            if (strstr(text, "clone(") && strstr(text, "resubmit(")) {
                snprintf(text, sizeof rule->actions[j].text,
                         "clone(output:1)");
            }
        }
    }
}

/* Stock Open vSwitch 3.1 fails an assertion when it goes on with a packet
 * while there is an action set longer than the actions left. */
static void
avoid_sets_with_recirculation(struct rnd_case *c)
{
    bool groups = rnd_any_action(c, "group:");

    for (int i = 0; groups && i < c->n_rules; i++) {
        for (int j = 0; j < c->rules[i].n_actions; j++) {
            const char *text = c->rules[i].actions[j].text;

            if (strstr(text, "group:")
                && strncmp(text, "write_actions(", 14)) {
                groups = false;
            }
        }
    }
    /* Groups that only action sets lead to come when those are over. */
    if ((c->recirculates && !groups) || any_reparsing(c)) {
        remove_actions(c, "write_actions(", NULL);
    }
}

static bool
may_loop(const struct rnd_case *c)
{
    for (int i = 0; i < c->n_groups; i++) {
        for (int j = 0; j < c->groups[i].n_buckets; j++) {
            if (strstr(c->groups[i].buckets[j], "resubmit(")) {
                return true;
            }
        }
    }
    for (int i = 0; i < c->n_rules; i++) {
        for (int j = 0; j < c->rules[i].n_actions; j++) {
            const char *text = c->rules[i].actions[j].text;
            const char *table = strstr(text, "resubmit(");

            table = table ? strchr(table, ',') : NULL;

            if (table && atoi(table + 1) <= c->rules[i].table) {
                return true;
            }
        }
    }
    return false;
}

/* A packet that stock Open vSwitch gives up, as for a decap that is not
 * possible, counts in no meter (docs/conformance.md). */
static void
avoid_meters_with_errors(struct rnd_case *c)
{
    if (!c->n_meters
        || (!rnd_any_action(c, "decap(") && !rnd_any_action(c, "push_mpls")
            && !may_loop(c))) {
        return;
    }
    for (int i = 0; i < c->n_rules; i++) {
        struct rnd_rule *rule = &c->rules[i];

        if (rule->n_actions
            && !strncmp(rule->actions[0].text, "meter:", 6)) {
            remove_action(rule, 0);
        }
    }
}

/* Stock Open vSwitch finds a flow that it has learned when it goes on with
 * the same packet. */
static void
avoid_learning_with_reparsing(struct rnd_case *c)
{
    if (any_reparsing(c)) {
        remove_actions(c, "learn(", NULL);
    }
}

/* When stock Open vSwitch goes on with a packet that it parsed anew, the
 * actions left in the tables that it came through are one list, which a TTL
 * that is used up ends. */
static void
avoid_ttls_with_reparsing(struct rnd_case *c)
{
    if (!any_reparsing(c) || !rnd_any_action(c, "resubmit(")) {
        return;
    }
    if (c->seed % 2) {
        remove_actions(c, "dec_", NULL);
    } else {
        remove_actions(c, "pop_mpls", NULL);
        remove_actions(c, "decap(", NULL);
    }
}

/* A clone carries out the action set, too.  In stock Open vSwitch the packet
 * itself is through with a group that selects by dp_hash in there. */
static void
avoid_recirculation_in_clones(struct rnd_case *c)
{
    if (c->recirculates && rnd_any_action(c, "clone(")) {
        remove_actions(c, "write_actions(", "group:");
    }
}

/* A clone that outputs nothing leaves headers pending in stock Open vSwitch,
 * and max_len does not count those. */
static void
avoid_clones_with_max_len(struct rnd_case *c)
{
    if (rnd_any_action(c, "max_len=") && rnd_any_action(c, "clone(")
        && (rnd_any_action(c, "push_vlan") || rnd_any_action(c, "pop_vlan")
            || rnd_any_action(c, "encap(") || rnd_any_action(c, "_mpls"))) {
        remove_actions(c, c->seed & 2 ? "max_len=" : "clone(", NULL);
    }
}

/* An ARP header that is cut, because pop_mpls calls what is left so. */
static void
avoid_cut_arp(struct rnd_case *c)
{
    if (rnd_any_action(c, "arp_")) {
        remove_actions(c, "pop_mpls:0x806", NULL);
    }
}

void
rnd_avoid_differences(struct rnd_case *c)
{
    avoid_clone_of_headers(c);
    avoid_sets_with_recirculation(c);
    avoid_learning_with_reparsing(c);
    avoid_ttls_with_reparsing(c);
    avoid_recirculation_in_clones(c);
    avoid_clones_with_max_len(c);
    avoid_cut_arp(c);
    avoid_meters_with_errors(c);
}
