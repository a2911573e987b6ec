/* SPDX-License-Identifier: Apache-2.0 */

/* The slow path: OpenFlow actions, interpreted.
 *
 * What: of_slow_translate() runs one packet through a list of actions, or
 * through the flow tables, over libofproto's versioned classifiers, and
 * collects what happens as a list of *effects*: packets to output, packet-ins
 * to send, rules and tables to credit, MAC addresses to learn, and, when
 * nothing is output, the drop reason and the rule that caused it.  Nothing
 * takes place until of_slow_execute().
 *
 * Who uses it: packet-outs (also inside bundles, where a version that is not
 * published yet must be seen), NXT_RESUME and traces; and it is the oracle of
 * the random tests, so it shares nothing with compile/.
 *
 * Threads: the main thread; may be called with ofproto_mutex held.
 * Ownership: an outcome owns copies of packets and references to rules; it
 * must end in of_slow_execute() or of_slow_revert(), which free it.
 * Errors: OFPERR_*. */

#ifndef OFPROTO_SLOWPATH_H
#define OFPROTO_SLOWPATH_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "flow.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/types.h"
#include "datapath/dp.h"

struct dp_packet;
struct ds;
struct of_bridge;
struct of_rule;
struct ofpact;
struct ofproto;
struct ofproto_flow_mod;
struct ofproto_async_msg;
struct ofproto_packet_out;
struct ofputil_packet_in_private;

enum {
    OF_SLOW_MAX_DEPTH = 64,         /* Levels of backward resubmits. */
    OF_SLOW_MAX_RESUBMITS = 4096,   /* Resubmits in all. */
    OF_SLOW_MAX_STACK = 65536       /* Bytes on the stack. */
};

/* What to translate. */
struct of_slow_in {
    struct of_bridge *bridge;
    uint64_t version;               /* Tables version to look at. */
    const struct dp_packet *packet; /* Borrowed, not changed. */
    const struct flow *flow;        /* The packet's, with metadata. */

    /* Null: starts with a lookup in table 0, as a received packet does. */
    const struct ofpact *ofpacts;
    size_t ofpacts_len;

    /* For a packet that resumes: where it was. */
    const struct ofpact *action_set;
    size_t action_set_len;
    const uint8_t *stack;
    size_t stack_size;

    bool in_packet_out;             /* Reason OFPR_PACKET_OUT, no learning
                                     * before execution. */
    bool received;                  /* Entered by the port 'flow->in_port':
                                     * its NO_RECV applies. */
    struct ovs_list *trace;         /* Null, or gets what happens (of
                                     * trace-tree.h). */
};

/* Kinds of effects: rows of ofproto/slowpath-effects.def, each with
 * functions that carry it out, free and print it. */
enum of_slow_effect_kind {
#define OF_SLOW_EFFECT(NAME, LEAVES) OF_SLOW_##NAME,
#include "ofproto/slowpath-effects.def"
#undef OF_SLOW_EFFECT
    OF_N_SLOW_EFFECTS
};

struct of_slow_effect {
    struct ovs_list node;           /* In struct of_slow_out's 'effects'. */
    enum of_slow_effect_kind kind;
    uint32_t meter;                 /* PACKET_IN: of_packet_in_admit(). */
    union {
        struct {                    /* OUTPUT. */
            ofp_port_t port;
            struct dp_packet *packet; /* Owned. */
        } output;
        struct ofproto_async_msg *packet_in; /* PACKET_IN: owned. */
        struct {                    /* RULE: one packet. */
            struct of_rule *rule;   /* Referenced. */
            size_t size;            /* Its bytes. */
        } rule;
        struct {                    /* COUNTERS: one packet. */
            uint32_t counters;      /* Referenced. */
            size_t size;            /* Its bytes. */
        } counters;
        struct {                    /* TABLE: one lookup. */
            uint8_t id;
            bool match;
        } table;
        struct {                    /* LEARN. */
            struct eth_addr mac;
            uint16_t vlan;
            ofp_port_t port;
            bool gratuitous_arp;
        } learn;
        struct {                    /* SNOOP. */
            struct dp_packet *packet; /* Owned. */
            uint16_t vlan;
            ofp_port_t port;
        } snoop;
        struct {                    /* LEARN_FLOW. */
            struct ofproto_flow_mod *ofm; /* Owned. */
            bool started;           /* By of_slow_start_learning(). */
        } flow;
        struct {                    /* FIN_TIMEOUT. */
            struct of_rule *rule;   /* Referenced. */
            uint16_t idle, hard;
        } fin;
    };
};

/* What came of it. */
struct of_slow_out {
    struct of_bridge *bridge;
    struct ovs_list effects;        /* "struct of_slow_effect"s in order. */
    size_t n_outputs;
    size_t n_packet_ins;
    struct of_slow_effect *kept;    /* Up to this one no error takes anything
                                     * back; null: it may all be. */
    size_t kept_outputs, kept_packet_ins;

    /* If it was output nowhere and sent to no controller. */
    enum dp_drop_reason drop;
    uint8_t drop_table;
    ovs_be64 drop_cookie;

    struct flow flow;               /* Headers and metadata at the end. */
};

/* On success stores an outcome in '*outp'.  Fails for actions that cannot be
 * translated. */
enum ofperr of_slow_translate(const struct of_slow_in *,
                              struct of_slow_out **outp);
/* Carries the effects out and frees 'out'. */
void of_slow_execute(struct of_slow_out *out);
/* Frees 'out'; nothing has happened. */
void of_slow_revert(struct of_slow_out *out);

/* Takes one of its effects out, as if it were not. */
void of_slow_effect_destroy(struct of_slow_effect *);

/* Learned flows of 'out' enter their tables in 'version' (finished by the
 * execution), and leave them again.  ofproto_mutex is held. */
enum ofperr of_slow_start_learning(struct of_slow_out *,
                                   uint64_t version);
void of_slow_revert_learning(struct of_slow_out *out);

/* Whether the slow path can run 'ofpacts': 0 or the error to answer with. */
enum ofperr of_slow_check(const struct ofpact *ofpacts, size_t ofpacts_len);

/* The text of an outcome, a line an effect, for tests and traces. */
void of_slow_format(const struct of_slow_out *, struct ds *);

/* struct ofproto_class. */
enum ofperr of_packet_xlate(struct ofproto *, struct ofproto_packet_out *);
void of_packet_xlate_revert(struct ofproto *, struct ofproto_packet_out *);
void of_packet_execute_prepare(struct ofproto *, struct ofproto_packet_out *);
void of_packet_execute(struct ofproto *, struct ofproto_packet_out *);
enum ofperr of_nxt_resume(struct ofproto *,
                          const struct ofputil_packet_in_private *);

#endif /* ofproto/slowpath.h */
