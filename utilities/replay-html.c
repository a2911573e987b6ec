/* SPDX-License-Identifier: Apache-2.0 */

/* Coverage as a page: a drawing of the pipeline, arrows as wide as packets
 * are many, and the rules of each table with bars.  No script, nothing to
 * fetch. */

#include <config.h>
#include "utilities/replay-coverage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "openvswitch/dynamic-string.h"
#include "util.h"

static const char style[] =
"<style>\n"
":root{--bg:#fbfbfd;--fg:#1c2230;--dim:#6b7384;--line:#dfe3ea;--card:#fff;"
"--hit:#2f7de1;--never:#c2410c;--drop:#d0342c;--flow:#2f7de1;"
"--wash:#fff4ec}\n"
"@media(prefers-color-scheme:dark){:root{--bg:#14171d;--fg:#e4e8f0;"
"--dim:#8d96a8;--line:#2c323d;--card:#1b1f27;--hit:#5b9df2;"
"--never:#f0915a;--drop:#ff7a70;--flow:#5b9df2;--wash:#2a2019}}\n"
"*{box-sizing:border-box}\n"
"body{margin:0 auto;padding:32px 24px 64px;max-width:1180px;"
"background:var(--bg);color:var(--fg);"
"font:15px/1.5 system-ui,'Segoe UI','DejaVu Sans',sans-serif}\n"
"h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:32px 0 8px}\n"
"p{margin:0 0 16px;color:var(--dim)}b{color:var(--fg)}\n"
".card{background:var(--card);border:1px solid var(--line);"
"border-radius:10px;overflow-x:auto;padding:8px;margin:0 0 20px}\n"
"svg text{fill:var(--fg);font-size:13px}svg .dim{fill:var(--dim);"
"font-size:11px}\n"
"svg rect{fill:var(--card);stroke:var(--line)}svg .t{stroke:var(--hit);"
"stroke-width:1.5}\n"
"svg .bar{fill:var(--line);stroke:none}svg .on{fill:var(--hit);"
"stroke:none}\n"
"svg .d{stroke:var(--drop)}\n"
"path{fill:none;stroke:var(--flow);stroke-opacity:.38}"
"path:hover{stroke-opacity:.8}\n"
"path.d{stroke:var(--drop)}path.z{stroke:var(--dim);"
"stroke-dasharray:3 4}\n"
"table{border-collapse:collapse;width:100%}\n"
"th{font-weight:600;color:var(--dim);font-size:12px;text-align:left}\n"
"td,th{padding:5px 10px;border-bottom:1px solid var(--line);"
"vertical-align:top}\n"
"tr:last-child td{border-bottom:0}\n"
"td.n{text-align:right;font-variant-numeric:tabular-nums;"
"white-space:nowrap}\n"
"td.b{width:130px}td.b i{display:block;height:9px;margin-top:7px;"
"border-radius:4px;background:var(--hit);min-width:2px}\n"
"code{font:12.5px/1.45 ui-monospace,'DejaVu Sans Mono',monospace;"
"overflow-wrap:anywhere}\n"
"tr.never{background:var(--wash)}tr.never td.n,.no{color:var(--never)}\n"
".dr{color:var(--drop)}\n"
"</style>\n";

/* Text that is not ours as HTML. */
static void
put_text(struct ds *out, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '<': ds_put_cstr(out, "&lt;"); break;
        case '>': ds_put_cstr(out, "&gt;"); break;
        case '&': ds_put_cstr(out, "&amp;"); break;
        case '"': ds_put_cstr(out, "&quot;"); break;
        default: ds_put_char(out, *s);
        }
    }
}

/* The drawing: nodes in columns, ports left, exits right, a table to the
 * right of those that lead to it; an edge takes its width of a node's side. */

enum {
    NODE_WIDTH = 132, NODE_HEIGHT = 48, GAP_X = 104, GAP_Y = 16, MARGIN = 16,
    MAX_FLOW = 44               /* Pixels of the widest node's packets. */
};

struct place {
    unsigned column;
    double in, out;             /* Widths of what comes and goes. */
    double x, y, height;
    double in_y, out_y;         /* Where the next edge begins and ends. */
};

struct drawing {
    const struct coverage *c;
    struct place *places;       /* Of the nodes. */
    unsigned n_columns;
    double scale, width, height;
};

static double
edge_width(const struct drawing *d, uint64_t packets)
{
    return packets ? MAX(1.5, packets * d->scale) : 1;
}

static void
choose_columns(struct drawing *d)
{
    const struct coverage *c = d->c;
    unsigned last = 1;

    for (size_t i = 0; i < c->n_nodes; i++) {
        d->places[i].column = c->nodes[i].kind != COVERAGE_PORT;
    }
    /* Resubmits may go in circles, so the number of rounds is bounded, and
     * only edges to tables of higher numbers count. */
    for (size_t round = 0; round < c->n_nodes; round++) {
        for (size_t i = 0; i < c->n_edges; i++) {
            const struct coverage_edge *e = &c->edges[i];
            const struct coverage_node *from = &c->nodes[e->from];
            const struct coverage_node *to = &c->nodes[e->to];

            if (from->kind == COVERAGE_TABLE && to->kind == COVERAGE_TABLE
                && from->table_id < to->table_id
                && d->places[e->to].column <= d->places[e->from].column) {
                d->places[e->to].column = d->places[e->from].column + 1;
            }
        }
    }
    for (size_t i = 0; i < c->n_nodes; i++) {
        last = MAX(last, d->places[i].column);
    }
    for (size_t i = 0; i < c->n_nodes; i++) {
        if (c->nodes[i].kind == COVERAGE_EXIT) {
            d->places[i].column = last + 1;
        }
    }
    d->n_columns = last + 2;
}

static void
choose_heights(struct drawing *d)
{
    const struct coverage *c = d->c;
    uint64_t most = 1;

    for (size_t i = 0; i < c->n_tables; i++) {
        most = MAX(most, c->tables[i].lookups);
    }
    d->scale = (double) MAX_FLOW / most;
    for (size_t i = 0; i < c->n_edges; i++) {
        const struct coverage_edge *e = &c->edges[i];

        d->places[e->from].out += edge_width(d, e->packets);
        d->places[e->to].in += edge_width(d, e->packets);
    }
    for (size_t i = 0; i < c->n_nodes; i++) {
        struct place *p = &d->places[i];

        p->height = MAX(NODE_HEIGHT, MAX(p->in, p->out) + 8);
    }
}

static void
place_nodes(struct drawing *d)
{
    const struct coverage *c = d->c;
    double *used = xcalloc(d->n_columns, sizeof *used);

    for (size_t i = 0; i < c->n_nodes; i++) {
        struct place *p = &d->places[i];

        p->x = MARGIN + p->column * (NODE_WIDTH + GAP_X);
        p->y = used[p->column];
        used[p->column] += p->height + GAP_Y;
        d->height = MAX(d->height, used[p->column] - GAP_Y);
    }
    for (size_t i = 0; i < c->n_nodes; i++) {
        struct place *p = &d->places[i];

        p->y += MARGIN + (d->height - used[p->column] + GAP_Y) / 2;
        p->in_y = p->y + (p->height - p->in) / 2;
        p->out_y = p->y + (p->height - p->out) / 2;
    }
    d->height += 2 * MARGIN;
    d->width = d->n_columns * (NODE_WIDTH + GAP_X) - GAP_X + 2 * MARGIN;
    free(used);
}

static bool
is_drop(const struct coverage_node *node)
{
    return (node->kind == COVERAGE_EXIT
            && (!strcmp(node->name, "dropped")
                || !strcmp(node->name, "no rule")));
}

static void
draw_edge(struct drawing *d, const struct coverage_edge *e, struct ds *out)
{
    const struct coverage *c = d->c;
    struct place *from = &d->places[e->from], *to = &d->places[e->to];
    double width = edge_width(d, e->packets);
    double x1 = from->x + NODE_WIDTH, y1 = from->out_y + width / 2;
    double x2 = to->x, y2 = to->in_y + width / 2;
    /* What leads back makes a wide bend. */
    double bend = x2 > x1 ? (x2 - x1) / 2 : GAP_X;

    from->out_y += width;
    to->in_y += width;
    ds_put_format(out, "<path%s d=\"M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f "
                  "%.1f\" stroke-width=\"%.1f\"><title>",
                  !e->packets ? " class=\"z\""
                  : is_drop(&c->nodes[e->to]) ? " class=\"d\"" : "",
                  x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2, width);
    put_text(out, c->nodes[e->from].name);
    ds_put_cstr(out, " to ");
    put_text(out, c->nodes[e->to].name);
    ds_put_format(out, ": %"PRIu64" packets</title></path>\n", e->packets);
}

static const struct coverage_table *
find_table(const struct coverage *c, uint8_t id)
{
    for (size_t i = 0; i < c->n_tables; i++) {
        if (c->tables[i].id == id) {
            return &c->tables[i];
        }
    }
    return NULL;
}

/* How many packets came, or, of a port, left for the tables. */
static uint64_t
node_packets(const struct coverage *c, size_t node)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < c->n_edges; i++) {
        if (c->nodes[node].kind == COVERAGE_PORT ? c->edges[i].from == node
            : c->edges[i].to == node) {
            sum += c->edges[i].packets;
        }
    }
    return sum;
}

static void
draw_node(const struct drawing *d, size_t i, unsigned bridge, struct ds *out)
{
    const struct coverage_node *node = &d->c->nodes[i];
    const struct place *p = &d->places[i];
    const struct coverage_table *t = NULL;
    double middle = p->y + p->height / 2;
    char name[15];

    if (node->kind == COVERAGE_TABLE) {
        t = find_table(d->c, node->table_id);
        ds_put_format(out, "<a href=\"#b%ut%u\">", bridge, node->table_id);
    }
    ds_put_format(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" "
                  "width=\"%d\" height=\"%.1f\" rx=\"8\"/>",
                  t ? "t" : is_drop(node) ? "d" : "", p->x, p->y, NODE_WIDTH,
                  p->height);
    ds_put_format(out, "<text x=\"%.1f\" y=\"%.1f\">", p->x + 12, middle - 4);
    ovs_strlcpy(name, node->name, sizeof name);
    put_text(out, name);
    ds_put_format(out, "</text><text class=\"dim\" x=\"%.1f\" y=\"%.1f\">",
                  p->x + 12, middle + 12);
    if (t) {
        double share = t->n_rules ? (double) t->n_hit / t->n_rules : 0;

        ds_put_format(out, "%"PRIu64" packets, %"PRIuSIZE"/%"PRIuSIZE
                      " rules</text>", t->lookups, t->n_hit, t->n_rules);
        ds_put_format(out, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" "
                      "width=\"%d\" height=\"3\"/><rect class=\"on\" "
                      "x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"3\"/>",
                      p->x + 12, middle + 17, NODE_WIDTH - 24, p->x + 12,
                      middle + 17, share * (NODE_WIDTH - 24));
    } else {
        ds_put_format(out, "%"PRIu64" packets</text>",
                      node_packets(d->c, i));
    }
    ds_put_cstr(out, node->kind == COVERAGE_TABLE ? "</a>\n" : "\n");
}

static void
draw(const struct coverage *c, unsigned bridge, struct ds *out)
{
    struct drawing d = {
        .c = c, .places = xcalloc(MAX(c->n_nodes, 1), sizeof *d.places),
    };

    choose_columns(&d);
    choose_heights(&d);
    place_nodes(&d);
    ds_put_format(out, "<div class=\"card\"><svg role=\"img\" "
                  "aria-label=\"pipeline of the bridge\" width=\"%.0f\" "
                  "height=\"%.0f\">\n", d.width, d.height);
    for (size_t i = 0; i < c->n_edges; i++) {
        draw_edge(&d, &c->edges[i], out);
    }
    for (size_t i = 0; i < c->n_nodes; i++) {
        draw_node(&d, i, bridge, out);
    }
    ds_put_cstr(out, "</svg></div>\n");
    free(d.places);
}

/* Tables of rules. */

static void
put_rule(const struct coverage_rule *r, uint64_t most, struct ds *out)
{
    if (r->packets) {
        ds_put_format(out, "<tr><td class=\"n\">%"PRIu64"</td><td class=\"b\">"
                      "<i style=\"width:%.1f%%\"></i></td><td class=\"n dr\">",
                      r->packets, 100.0 * r->packets / MAX(most, 1));
    } else {
        ds_put_cstr(out, "<tr class=\"never\"><td class=\"n\">never</td><td>"
                    "</td><td class=\"n\">");
    }
    if (r->drops) {
        ds_put_format(out, "%"PRIu64, r->drops);
    }
    ds_put_format(out, "</td><td class=\"n\"><code>%#"PRIx64"</code></td>"
                  "<td><code>", r->cookie);
    put_text(out, r->match);
    ds_put_cstr(out, "</code></td><td><code>");
    put_text(out, r->actions);
    ds_put_cstr(out, "</code></td></tr>\n");
}

static void
put_table(const struct coverage *c, const struct coverage_table *t,
          unsigned bridge, struct ds *out)
{
    uint64_t most = t->n_rules ? c->rules[t->first].packets : 0;

    ds_put_format(out, "<h2 id=\"b%ut%u\">Table %u</h2>\n<p>%"PRIu64
                  " lookups, %"PRIu64" without a rule; <b>%"PRIuSIZE"</b> of "
                  "<b>%"PRIuSIZE"</b> rules hit", bridge, t->id, t->id,
                  t->lookups, t->lookups - t->matches, t->n_hit, t->n_rules);
    for (size_t i = 0; i < c->n_drops; i++) {
        const struct coverage_drop *d = &c->drops[i];

        if (d->table_id == t->id) {
            ds_put_format(out, "; <span class=\"dr\">%"PRIu64" dropped</span>"
                          " by cookie %s: ", d->packets, d->cookie);
            put_text(out, d->reason);
        }
    }
    ds_put_cstr(out, "</p>\n<div class=\"card\"><table>\n<tr><th>packets</th>"
                "<th></th><th>dropped</th><th>cookie</th><th>match</th>"
                "<th>actions</th></tr>\n");
    for (size_t i = t->first; i < t->first + t->n_rules; i++) {
        put_rule(&c->rules[i], most, out);
    }
    ds_put_cstr(out, "</table></div>\n");
}

void
coverage_html(const struct coverage *all, size_t n, struct ds *out)
{
    ds_put_format(out, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
                  "<meta charset=\"utf-8\"><meta name=\"viewport\" "
                  "content=\"width=device-width\">"
                  "<title>Coverage</title>\n%s</head><body>\n", style);
    for (size_t i = 0; i < n; i++) {
        const struct coverage *c = &all[i];

        ds_put_cstr(out, "<h1>Coverage of ");
        put_text(out, c->bridge);
        ds_put_format(out, "</h1>\n<p><b>%"PRIuSIZE"</b> of <b>%"PRIuSIZE
                      "</b> rules hit, <span class=\"no\">%"PRIuSIZE" never"
                      "</span>. Arrows are as wide as the packets are many; "
                      "dashed: none.</p>\n", c->n_hit, c->n_rules,
                      c->n_rules - c->n_hit);
        draw(c, i, out);
        for (size_t j = 0; j < c->n_tables; j++) {
            put_table(c, &c->tables[j], i, out);
        }
    }
    ds_put_cstr(out, "</body></html>\n");
}
