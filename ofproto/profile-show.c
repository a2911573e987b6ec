/* SPDX-License-Identifier: Apache-2.0 */

/* A profile as text: where the cycles go by table and by rule, as folded
 * stacks (a line a path, as flame graph tools read them), and as a flame graph
 * in SVG, which needs nothing to be looked at. */

#include <config.h>
#include "ofproto/profile.h"

#include <inttypes.h>
#include <stdlib.h>
#include "classifier.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "ofproto/of.h"
#include "util.h"

enum {
    MAX_ROWS = 40,              /* Of rules. */
    MAX_DEPTH = 64,             /* Of the graph. */
    WIDTH = 1200,               /* In pixels. */
    MARGIN = 10,
    ROW = 17,
    LETTER = 7                  /* Width of one. */
};

/* What a rule is called. */
struct name {
    struct hmap_node hmap_node; /* In of_profile.rules, by 'flow'. */
    uint32_t flow;
    char *text;                 /* Null: the rule is no more. */
};

static struct name *
find_name(const struct of_profile *p, uint32_t flow)
{
    struct name *name;

    HMAP_FOR_EACH_WITH_HASH (name, hmap_node, hash_int(flow, 0), &p->rules) {
        if (name->flow == flow) {
            return name;
        }
    }
    return NULL;
}

void
of_profile_name_rules(struct of_profile *p, const struct of_bridge *bridge)
{
    const struct of_profile_node *node;
    const struct oftable *table;
    struct rule *rule;

    HMAP_FOR_EACH (node, hmap_node, &p->nodes) {
        if (node->kind == OF_PROFILE_ACTIONS && !find_name(p, node->id)) {
            struct name *name = xzalloc(sizeof *name);

            name->flow = node->id;
            hmap_insert(&p->rules, &name->hmap_node, hash_int(node->id, 0));
        }
    }
    OFPROTO_FOR_EACH_TABLE (table, &bridge->dpif.up) {
        CLS_FOR_EACH (rule, cr, &table->cls) {
            struct name *name = find_name(p, of_rule_cast(rule)->entry.flow);

            if (name && !name->text) {
                struct ds s = DS_EMPTY_INITIALIZER;

                cls_rule_format(&rule->cr, NULL, NULL, &s);
                name->text = ds_steal_cstr(&s);
            }
        }
    }
}

void
of_profile_forget_names(struct of_profile *p)
{
    struct name *name;

    HMAP_FOR_EACH_SAFE (name, hmap_node, &p->rules) {
        hmap_remove(&p->rules, &name->hmap_node);
        free(name->text);
        free(name);
    }
    hmap_destroy(&p->rules);
}

static void
format_node(const struct of_profile *p, const struct of_profile_node *node,
            struct ds *s)
{
    const struct name *name;

    switch (node->kind) {
    case OF_PROFILE_BRIDGE:
        ds_put_cstr(s, p->bridge);
        break;
    case OF_PROFILE_PARSE:
        ds_put_cstr(s, "parse");
        break;
    case OF_PROFILE_TABLE:
        ds_put_format(s, "table %"PRIu32, node->id);
        break;
    case OF_PROFILE_ACTIONS:
        name = find_name(p, node->id);
        ds_put_format(s, "table=%"PRIu8",cookie=%#"PRIx64, node->table_id,
                      node->cookie);
        if (name && name->text) {
            ds_put_format(s, ",%s", name->text);
        }
        break;
    case OF_PROFILE_BUCKET:
        ds_put_cstr(s, "bucket");
        break;
    case OF_PROFILE_END:
        ds_put_cstr(s, "end");
        break;
    case OF_PROFILE_OTHER:
        ds_put_cstr(s, "other");
        break;
    }
}

/* Tables and rules. */

struct row {
    const struct of_profile_node *node; /* One of them. */
    uint64_t packets, cycles;
};

static int
compare_rows(const void *a_, const void *b_)
{
    const struct row *a = a_, *b = b_;

    return a->cycles > b->cycles ? -1 : a->cycles < b->cycles;
}

static int
compare_nodes(const void *a_, const void *b_)
{
    const struct of_profile_node *const *a = a_, *const *b = b_;

    return ((*a)->kind != (*b)->kind ? ((*a)->kind > (*b)->kind ? 1 : -1)
            : (*a)->id > (*b)->id ? 1 : (*a)->id < (*b)->id ? -1 : 0);
}

/* One row for all nodes of the same kind and number; most cycles first. */
static struct row *
make_rows(const struct of_profile *p, size_t *np)
{
    size_t n = hmap_count(&p->nodes), n_rows = 0, i = 0;
    const struct of_profile_node **nodes = xcalloc(MAX(n, 1), sizeof *nodes);
    struct row *rows = xcalloc(MAX(n, 1), sizeof *rows);
    const struct of_profile_node *node;

    HMAP_FOR_EACH (node, hmap_node, &p->nodes) {
        nodes[i++] = node;
    }
    qsort(nodes, n, sizeof *nodes, compare_nodes);
    for (i = 0; i < n; i++) {
        struct row *row;

        if (!n_rows || compare_nodes(&nodes[i], &rows[n_rows - 1].node)) {
            rows[n_rows++].node = nodes[i];
        }
        row = &rows[n_rows - 1];
        row->packets += nodes[i]->packets;
        row->cycles += nodes[i]->cycles;
    }
    qsort(rows, n_rows, sizeof *rows, compare_rows);
    free(nodes);
    *np = n_rows;
    return rows;
}

static uint64_t
all_cycles(const struct of_profile *p)
{
    const struct of_profile_node *node;
    uint64_t sum = 0;

    HMAP_FOR_EACH (node, hmap_node, &p->nodes) {
        sum += node->cycles;
    }
    return sum;
}

void
of_profile_format(const struct of_profile *p, struct ds *s)
{
    uint64_t all = all_cycles(p);
    size_t n, shown = 0;
    struct row *rows = make_rows(p, &n);

    ds_put_format(s, "%s: %"PRIu64" packets looked at in %.1f s, "
                  "1 of %u, %.0f cycles each\n", p->bridge, p->packets,
                  p->seconds, p->sample,
                  p->packets ? (double) all / p->packets : 0.0);
    if (n) {
        ds_put_format(s, "%7s  %10s  %12s  %s\n", "share", "packets",
                      "cycles each", "where");
    }
    for (size_t i = 0; i < n && shown < MAX_ROWS; i++, shown++) {
        const struct row *row = &rows[i];

        ds_put_format(s, "%6.1f%%  %10"PRIu64"  %12.1f  ",
                      100.0 * row->cycles / MAX(all, 1), row->packets,
                      (double) row->cycles / MAX(row->packets, 1));
        format_node(p, row->node, s);
        ds_put_char(s, '\n');
    }
    if (shown < n) {
        ds_put_format(s, "%"PRIuSIZE" more with less\n", n - shown);
    }
    free(rows);
}

/* Folded stacks. */

static void
format_path(const struct of_profile *p, const struct of_profile_node *node,
            struct ds *s)
{
    if (node->parent) {
        format_path(p, node->parent, s);
        ds_put_char(s, ';');
    }
    format_node(p, node, s);
}

void
of_profile_format_folded(const struct of_profile *p, struct ds *s)
{
    const struct of_profile_node *node;

    HMAP_FOR_EACH (node, hmap_node, &p->nodes) {
        format_path(p, node, s);
        ds_put_format(s, " %"PRIu64"\n", node->cycles);
    }
}

/* The flame graph. */

struct graph {
    const struct of_profile *p;
    struct ds *s;
    uint64_t all;               /* Cycles. */
    int height;
};

static uint64_t
subtree(const struct of_profile_node *node)
{
    uint64_t sum = node->cycles;

    for (const struct of_profile_node *c = node->child; c; c = c->next) {
        sum += subtree(c);
    }
    return sum;
}

static int
depth(const struct of_profile_node *node)
{
    int most = 0;

    for (const struct of_profile_node *c = node->child; c; c = c->next) {
        most = MAX(most, depth(c));
    }
    return MIN(most + 1, MAX_DEPTH);
}

/* At most 'max' characters of 'text'. */
static void
put_text(struct ds *s, const char *text, size_t max)
{
    for (size_t i = 0; i < max && text[i]; i++) {
        switch (text[i]) {
        case '&': ds_put_cstr(s, "&amp;"); break;
        case '<': ds_put_cstr(s, "&lt;"); break;
        case '>': ds_put_cstr(s, "&gt;"); break;
        default: ds_put_char(s, text[i]);
        }
    }
}

static const char *
color(enum of_profile_kind kind)
{
    static const char *const colors[] = {
        [OF_PROFILE_BRIDGE] = "#d8d8d8", [OF_PROFILE_PARSE] = "#a8d5a2",
        [OF_PROFILE_TABLE] = "#f6b26b", [OF_PROFILE_ACTIONS] = "#9fc5e8",
        [OF_PROFILE_BUCKET] = "#c9b3e0", [OF_PROFILE_END] = "#e8e3a0",
        [OF_PROFILE_OTHER] = "#cccccc"
    };

    return colors[kind];
}

/* A bar as wide as 'cycles' are many, from 'x' on, and what is above it. */
static void
put_bar(const struct graph *g, const struct of_profile_node *node, double x,
        int level)
{
    uint64_t cycles = subtree(node);
    double width = (WIDTH - 2.0 * MARGIN) * cycles / MAX(g->all, 1);
    int y = g->height - MARGIN - (level + 1) * ROW;
    struct ds name = DS_EMPTY_INITIALIZER;

    if (width < 0.3 || level >= MAX_DEPTH) {
        return;
    }
    format_node(g->p, node, &name);
    ds_put_format(g->s, "<g><title>");
    put_text(g->s, ds_cstr(&name), SIZE_MAX);
    ds_put_format(g->s, ": %.1f%%, itself %.1f%%, %"PRIu64" packets</title>"
                  "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\""
                  " fill=\"%s\"/>",
                  100.0 * cycles / MAX(g->all, 1),
                  100.0 * node->cycles / MAX(g->all, 1), node->packets,
                  x, y, MAX(width - 0.5, 0.2), ROW - 1, color(node->kind));
    if (width > 4 * LETTER) {
        ds_put_format(g->s, "<text x=\"%.1f\" y=\"%d\">", x + 3,
                      y + ROW - 5);
        put_text(g->s, ds_cstr(&name), (size_t) (width - 6) / LETTER);
        ds_put_cstr(g->s, "</text>");
    }
    ds_put_cstr(g->s, "</g>\n");
    ds_destroy(&name);
    for (const struct of_profile_node *c = node->child; c; c = c->next) {
        put_bar(g, c, x, level + 1);
        x += (WIDTH - 2.0 * MARGIN) * subtree(c) / MAX(g->all, 1);
    }
}

void
of_profile_format_svg(const struct of_profile *p, struct ds *s)
{
    struct graph g = { .p = p, .s = s, .all = subtree(&p->root) };

    g.height = depth(&p->root) * ROW + 3 * MARGIN + ROW;
    ds_put_format(s, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
                  "height=\"%d\" font-family=\"monospace\" "
                  "font-size=\"11\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
                  "<text x=\"%d\" y=\"%d\">", WIDTH, g.height, MARGIN,
                  MARGIN + 11);
    put_text(s, p->bridge, SIZE_MAX);
    ds_put_format(s, ": cycles of %"PRIu64" packets (1 of %u) in %.1f s"
                  "</text>\n", p->packets, p->sample, p->seconds);
    put_bar(&g, &p->root, MARGIN, 0);
    ds_put_cstr(s, "</svg>\n");
}
