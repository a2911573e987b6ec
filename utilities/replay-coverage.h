/* SPDX-License-Identifier: Apache-2.0 */

/* Coverage of a policy: which rules the packets of a replay hit, which never;
 * where packets went from table to table.
 *
 * A rule that is gone when the captures end (it expired, a controller or
 * another rule deleted it) is not seen.  Where packets went is what the
 * actions of the rules that they hit name, as often as they hit them. */

#ifndef UTILITIES_REPLAY_COVERAGE_H
#define UTILITIES_REPLAY_COVERAGE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ds;
struct of_bridge;

struct coverage_rule {
    uint8_t table_id;
    int priority;
    uint64_t cookie;
    uint64_t packets, bytes;
    uint64_t drops;             /* If 'own_cookie': packets that it ended. */
    bool own_cookie;            /* No other rule of the table has it. */
    char *match, *actions;
};

struct coverage_table {
    uint8_t id;
    size_t n_rules, n_hit;
    size_t first;               /* Index of its first rule. */
    uint64_t lookups, matches;
};

struct coverage_drop {
    uint8_t table_id;
    uint64_t packets;
    char *cookie, *reason;
};

/* From a port or a table to another table, or out of the switch. */
enum coverage_kind { COVERAGE_PORT, COVERAGE_TABLE, COVERAGE_EXIT };
struct coverage_node {
    enum coverage_kind kind;
    char *name;
    uint8_t table_id;           /* Of a table. */
};
struct coverage_edge {
    size_t from, to;            /* Indexes of nodes. */
    uint64_t packets;
};

struct coverage {
    char *bridge;
    struct coverage_rule *rules;        /* By table; most packets first. */
    size_t n_rules, n_hit, allocated_rules;
    struct coverage_table *tables;
    size_t n_tables, allocated_tables;
    struct coverage_drop *drops;
    size_t n_drops, allocated_drops;
    struct coverage_node *nodes;
    size_t n_nodes, allocated_nodes;
    struct coverage_edge *edges;
    size_t n_edges, allocated_edges;
};

/* All bridges, by name; to be freed with coverage_free(). */
struct coverage *coverage_read(size_t *n);
void coverage_free(struct coverage *, size_t n);

void coverage_format(const struct coverage *, size_t n, struct ds *out);

/* replay-html.c: one page, which needs nothing else. */
void coverage_html(const struct coverage *, size_t n, struct ds *out);

#endif /* utilities/replay-coverage.h */
