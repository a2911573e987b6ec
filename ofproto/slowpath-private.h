/* SPDX-License-Identifier: Apache-2.0 */

/* The insides of the slow path, for its files: slowpath.c (entry and exit),
 * slowpath-tables.c (lookups), slowpath-actions.c (one action after the
 * other), slowpath-group.c, slowpath-output.c (packets leave),
 * slowpath-effect.c (effects). */

#ifndef OFPROTO_SLOWPATH_PRIVATE_H
#define OFPROTO_SLOWPATH_PRIVATE_H 1

#include "openvswitch/compiler.h"
#include "flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "ofproto/freeze.h"
#include "ofproto/slowpath.h"

/* A packet on its way. */
struct slow_ctx {
    const struct of_slow_in *in;
    struct of_bridge *bridge;
    struct of_slow_out *out;

    /* 'flow' is what actions have made of the packet; 'packet' has the bytes
     * that 'base' describes and is brought up to date when they are needed
     * (slow_commit()). */
    struct flow flow;
    struct flow base;
    struct dp_packet *packet;       /* Owned. */
    bool encap, decap;              /* Pending for the next commit. */
    struct ofpbuf *encap_data;      /* Owned; may be null. */
    bool gone;                      /* A commit found it malformed. */
    size_t size;                    /* Bytes, for counters: when it was last
                                     * parsed. */

    struct ofpbuf stack;
    struct ofpbuf action_set;       /* ofpacts as they were written. */
    bool action_set_has_group;
    bool in_action_set;             /* Running it. */

    /* Where we are. */
    const struct of_rule *rule;     /* Null: none (packet-out, a miss). */
    ovs_be64 cookie;                /* Its cookie. */
    uint8_t table_id;
    uint8_t last_table;             /* Of the last lookup, and the rule's. */
    ovs_be64 last_cookie;
    int depth;                      /* Levels of backward resubmits. */
    int resubmits;                  /* Resubmits in all. */

    bool exit;                      /* No action runs any more. */
    const struct ofpact_controller *pause; /* It pauses: 'freeze' is made. */
    struct of_freeze freeze;
    enum dp_drop_reason error;      /* Not DP_DROP_NONE: packet is dropped,
                                     * whatever it did before. */
    enum dp_drop_reason drop;       /* If nothing is output, why. */
    uint32_t orig_skb_priority;
    struct ovs_list *trace;         /* Where in the tree; null: no trace. */
};

/* A line of the trace: something that an action did. */
void slow_trace(const struct slow_ctx *, const char *, ...)
    OVS_PRINTF_FORMAT(2, 3);
void slow_trace_warning(const struct slow_ctx *, const char *, ...)
    OVS_PRINTF_FORMAT(2, 3);
void slow_trace_error(const struct slow_ctx *, const char *, ...)
    OVS_PRINTF_FORMAT(2, 3);
/* An action that is about to run. */
void slow_trace_action(const struct slow_ctx *, const struct ofpact *);
/* What follows is below a bucket or a table; returns where to go back to, by
 * storing it to ctx->trace.  'rule' may be null: then 'text' says what was
 * found. */
struct ovs_list *slow_trace_bucket(struct slow_ctx *, uint32_t bucket_id);
struct ovs_list *slow_trace_table(struct slow_ctx *, const struct of_rule *,
                                  const char *text);

/* slowpath-tables.c. */

/* How a lookup is made. */
struct slow_lookup {
    uint8_t table_id;               /* Where to begin. */
    ofp_port_t in_port;             /* In place of the packet's. */
    bool may_packet_in;             /* A miss may send a packet-in. */
    bool honor_table_miss;          /* Table-miss configuration counts. */
};
/* Looks up and runs the actions of what is found, one level deeper if that is
 * not forward.  The first lookup of a packet does not count as a resubmit. */
void slow_table(struct slow_ctx *, const struct slow_lookup *);
void slow_first_table(struct slow_ctx *);

/* False, with 'error' set, if the packet went through too many tables or
 * groups. */
bool slow_may_go_deeper(struct slow_ctx *);

/* slowpath-group.c: false if there is no such group, which ends the list. */
bool slow_group(struct slow_ctx *, uint32_t group_id);

/* slowpath-actions.c. */
void slow_actions(struct slow_ctx *, const struct ofpact *, size_t len);
/* Runs the action set and empties it. */
void slow_action_set(struct slow_ctx *);
/* Merges 'ofpacts' into the action set. */
void slow_write_actions(struct slow_ctx *, const struct ofpact *ofpacts,
                        size_t len);

/* slowpath-more.c: actions that take more than a line. */
struct of_headers;
bool slow_change_headers(struct slow_ctx *, const struct ofpact *);
bool slow_dec_mpls_ttl(struct slow_ctx *, const struct ofpact *);
bool slow_dec_nsh_ttl(struct slow_ctx *, const struct ofpact *);
bool slow_bundle(struct slow_ctx *, const struct ofpact *);
bool slow_learn(struct slow_ctx *, const struct ofpact *);
bool slow_fin_timeout(struct slow_ctx *, const struct ofpact *);
/* The list from 'a', a check_pkt_larger, to 'end'. */
void slow_check_pkt_larger(struct slow_ctx *, const struct ofpact *a,
                           const struct ofpact *end);
/* Runs 'ofpacts' and the action set on a copy of all. */
void slow_clone(struct slow_ctx *, const struct ofpact *ofpacts, size_t len);
/* Parses the packet anew. */
void slow_reparse(struct slow_ctx *);

/* slowpath-output.c. */

/* Makes the bytes of 'packet' those of 'flow'. */
void slow_commit(struct slow_ctx *);
/* The output action: any port number, real or reserved. */
void slow_output(struct slow_ctx *, ofp_port_t, bool may_packet_in);
/* To one existing port, at most 'max_len' bytes (0: all). */
void slow_output_port(struct slow_ctx *, ofp_port_t, uint32_t max_len);
/* A packet-in, from a row of parameters. */
void slow_controller(struct slow_ctx *, enum ofp_packet_in_reason,
                     const struct ofpact_controller *);
/* The same with the default parameters and 'controller_id'. */
void slow_controller_id(struct slow_ctx *, enum ofp_packet_in_reason,
                        uint16_t controller_id);

/* The packet-in of a packet that pauses; goes on with what is outside. */
void slow_finish_pause(struct slow_ctx *);

/* slowpath-effect.c. */
struct of_slow_effect *slow_effect_add(struct of_slow_out *,
                                       enum of_slow_effect_kind);
/* Removes outputs and packet-ins: the packet is dropped after all. */
void slow_effects_cancel(struct of_slow_out *);
/* Carries out what changes the switch: counters and addresses. */
void slow_effects_account(struct of_slow_out *);
/* Carries out what leaves it: outputs and packet-ins. */
void slow_effects_send(struct of_slow_out *);
void slow_effects_free(struct of_slow_out *);

#endif /* ofproto/slowpath-private.h */
