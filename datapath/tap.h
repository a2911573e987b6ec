/* SPDX-License-Identifier: Apache-2.0 */

/* Taps: what real packets do, step by step, for whoever wants to look.
 *
 * What: while a bridge has a tap, packets that match it run through a second
 * slot page, whose slots each note that they were entered and then go on to
 * the very program that untapped packets run.  When the packet has ended, and
 * before anything of it is sent, the tap's 'done' gets a record: the packet
 * as it came, the steps with their times, and the verdict.
 *
 * Cost: none without a tap.  With one, packets that do not match pay for one
 * comparison per word of the match, compiled, in front of table 0.
 *
 * Which packets: those that reach table 0.  What a port's configuration or
 * dp_set_ingress() keeps out does not, nor do runts; drop/show has them.
 *
 * How to use it (capture, live trace, profile):
 *
 *     static void done(const struct dp_tap_record *r, void *aux)
 *     {
 *         -- on the worker, in the packet's path: copy what you need to a
 *         -- ring or a buffer of yours and return --
 *     }
 *     struct dp_tap_attr attr = { .done = done, .aux = aux };
 *     attr.words[0] = (struct dp_tap_word) { DP_KEY_PORT, mask, value };
 *     attr.n_words = 1;                   -- 0: every packet --
 *     error = dp_tap_add(bridge, &attr, &tap);
 *     ...
 *     dp_tap_del(tap);                    -- no 'done' runs when it returns --
 *
 * The match is of the key as PARSE left it, which parses as deep as the flow
 * tables look: a tap that matches on more raises that itself
 * (of_pipeline_need()), and who wants the whole flow parses the record's
 * bytes.
 *
 * Threads: add and del are the main thread's; 'want' and 'done' run on
 * workers, several at a time. */

#ifndef DATAPATH_TAP_H
#define DATAPATH_TAP_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "datapath/abi.h"
#include "datapath/dp.h"

struct dp_packet;
struct dp_tap;

enum {
    DP_MAX_TAPS = 8,            /* Of a bridge. */
    DP_TAP_MAX_STEPS = 256      /* That a record keeps. */
};

/* Part of a match: (key[word] & mask) == value. */
struct dp_tap_word {
    uint16_t word;              /* Index of a key word. */
    uint64_t mask, value;
};

/* A slot was entered. */
struct dp_tap_step {
    uint64_t tsc;               /* Time stamp counter. */
    uint64_t hit;               /* ctx->hit then: of an action program, the
                                 * rule's or the bucket's. */
    uint64_t cookie;            /* Of that flow; 0: none. */
    uint16_t slot;              /* enum dp_slot. */
    uint8_t table_id;           /* Of that flow. */
    bool is_bucket;             /* It is a group's bucket. */
};

/* The table whose lookup a step is, or -1. */
static inline int
dp_tap_step_table(const struct dp_tap_step *step)
{
    return (step->slot >= DP_SLOT_TABLE && step->slot < DP_SLOT_END
            ? step->slot - DP_SLOT_TABLE : -1);
}

/* Whether 'steps[i]' is where a lookup led, to a rule's actions. */
static inline bool
dp_tap_step_is_rule(const struct dp_tap_step steps[], size_t i)
{
    return (i && dp_tap_step_table(&steps[i - 1]) >= 0
            && steps[i].slot >= DP_SLOT_ACTIONS
            && steps[i].slot == DP_HIT_SLOT(steps[i].hit));
}

/* What became of a packet: DP_TAP_OUTPUT unless nothing left. */
enum dp_tap_fate {
    DP_TAP_OUTPUT,              /* At least one output. */
    DP_TAP_TO_MAIN,             /* Only upcalls. */
    DP_TAP_DROPPED
};

/* Valid during 'done' only. */
struct dp_tap_record {
    struct dp_bridge *bridge;
    unsigned worker;
    uint32_t in_port;
    uint64_t version;           /* Of the tables, that it met. */
    uint64_t key[DP_KEY_WORDS]; /* As PARSE left it. */
    const uint8_t *data;        /* The bytes as received. */
    uint32_t size;

    uint64_t end_tsc;
    uint32_t n_steps;           /* May exceed what 'steps' holds. */
    struct dp_tap_step steps[DP_TAP_MAX_STEPS];

    enum dp_tap_fate fate;
    enum dp_drop_reason drop;   /* If dropped, why, and by which rule. */
    uint8_t drop_table;
    uint64_t drop_cookie;
    uint32_t n_outs, n_upcalls;
    const struct dp_ctx *ctx;   /* For dp_tap_out(). */
};

/* How many steps 'steps' holds. */
static inline size_t
dp_tap_n_steps(const struct dp_tap_record *r)
{
    return r->n_steps < DP_TAP_MAX_STEPS ? r->n_steps : DP_TAP_MAX_STEPS;
}

/* Output 'i' of the record: the port's number, the packet as it leaves, and
 * how many of its bytes. */
const struct dp_packet *dp_tap_out(const struct dp_tap_record *, unsigned i,
                                   uint32_t *ofp_port, uint32_t *len);

struct dp_tap_attr {
    struct dp_tap_word words[DP_KEY_WORDS];
    size_t n_words;
    /* May refuse a packet that matches: a look at its bytes.  May be null. */
    bool (*want)(const uint8_t *data, size_t size, void *aux);
    void (*done)(const struct dp_tap_record *, void *aux);
    /* The bridge is being destroyed, and the tap with it: forget it.  May be
     * null. */
    void (*gone)(void *aux);
    void *aux;
};

/* 0; -ENOSPC: the bridge has DP_MAX_TAPS. */
int dp_tap_add(struct dp_bridge *, const struct dp_tap_attr *,
               struct dp_tap **);
void dp_tap_del(struct dp_tap *);

/* Runs 'packet' (owned) of port 'in_port' through the programs of the bridge
 * as if received now, and gives 'done' the record of it; its 'key' is only
 * what a packet starts with.  Nothing else happens: it counts nowhere, nothing
 * is learned, sent, or handed up, and meters let it pass. */
void dp_bridge_dry_run(struct dp_bridge *, struct dp_packet *packet,
                       uint32_t in_port,
                       void (*done)(const struct dp_tap_record *, void *aux),
                       void *aux);

#endif /* datapath/tap.h */
