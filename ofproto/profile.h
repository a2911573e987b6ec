/* SPDX-License-Identifier: Apache-2.0 */

/* The command pipeline/profile: where the cycles of a bridge's packets go.
 *
 * A tap (datapath/tap.h) samples packets; each step adds its cycles to a node
 * of a tree, whose path is that of the packet through tables and rules.  The
 * tree is shown as a table, as folded stacks, or as a flame graph
 * (profile-show.c).
 *
 * Threads: the main thread; of_profile_add() is a worker's. */

#ifndef OFPROTO_PROFILE_H
#define OFPROTO_PROFILE_H 1

#include <stdbool.h>
#include <stdint.h>
#include "openvswitch/hmap.h"

struct dp_tap_record;
struct ds;
struct of_bridge;

enum of_profile_kind {
    OF_PROFILE_BRIDGE,          /* The root. */
    OF_PROFILE_PARSE,
    OF_PROFILE_TABLE,           /* The lookup. */
    OF_PROFILE_ACTIONS,         /* Of a rule. */
    OF_PROFILE_BUCKET,
    OF_PROFILE_END,
    OF_PROFILE_OTHER            /* No room for more nodes. */
};

struct of_profile_node {
    struct hmap_node hmap_node; /* In of_profile.nodes. */
    struct of_profile_node *parent; /* Null: the root. */
    struct of_profile_node *child, *next; /* First one; its next sibling. */
    enum of_profile_kind kind;
    uint32_t id;                /* The table's, the flow's number. */
    uint64_t cookie;            /* Of rules. */
    uint8_t table_id;
    uint64_t packets, cycles;   /* Without what comes behind. */
};

struct of_profile {
    struct of_profile_node root;
    struct hmap nodes;          /* All but the root. */
    struct hmap rules;          /* profile-show.c. */
    uint64_t packets;
    double seconds;
    unsigned sample;            /* One packet of so many. */
    const char *bridge;         /* Its name. */
};

void of_profile_init(struct of_profile *);
void of_profile_uninit(struct of_profile *);
void of_profile_add(struct of_profile *, const struct dp_tap_record *);

/* The names of rules are those that 'bridge' has now. */
void of_profile_name_rules(struct of_profile *, const struct of_bridge *);
void of_profile_forget_names(struct of_profile *);
void of_profile_format(const struct of_profile *, struct ds *);
void of_profile_format_folded(const struct of_profile *, struct ds *);
void of_profile_format_svg(const struct of_profile *, struct ds *);

/* profile-cmd.c. */
void of_profile_cmd_init(void);
void of_profile_cmd_run(void);
void of_profile_cmd_wait(void);
/* The bridge is being destroyed. */
void of_profile_cmd_forget(struct of_bridge *);

#endif /* ofproto/profile.h */
