/* SPDX-License-Identifier: Apache-2.0 */

/* The insides of taps, for tap.c (which changes them) and tap-run.c (what
 * workers do).
 *
 * A tapped bridge has two pages.  The one that workers latch is as ever but
 * for table 0, whose slot holds ENTRY: it compares, and goes on to table 0 in
 * slot DP_SLOT_PLAIN, or to the second page, by way of TAP_ENTER.  That page
 * has twice the slots: the first half calls TAP and goes to the same slot of
 * the second half, which holds what the first page has.  PARSE runs once more
 * there, so that its time is known. */

#ifndef DATAPATH_TAP_PRIVATE_H
#define DATAPATH_TAP_PRIVATE_H 1

#include "datapath/tap.h"

struct dp_flow;
struct dp_worker;
struct vm_prog;

struct dp_tap {
    struct dp_bridge *bridge;
    unsigned index;             /* In its dp_taps. */
    struct dp_tap_attr attr;
};

/* Of a bridge. */
struct dp_taps {
    struct vm_slots *page;
    struct vm_prog *entry;      /* Reference. */
    struct vm_prog *table0;     /* Reference: what ENTRY stands for. */
    size_t n;
    struct dp_tap *_Atomic taps[DP_MAX_TAPS];
};

/* A tapped packet on its way. */
struct dp_tap_run {
    struct dp_tap_record record;
    struct dp_tap *taps[DP_MAX_TAPS]; /* That want it. */
    unsigned n_taps;            /* 0: it is not tapped. */
    uint8_t *data;              /* Owned: what record.data points to. */
    size_t allocated;
};

/* The helpers; they return the next slot. */
uint32_t dp_tap_enter(struct dp_ctx *, uint32_t candidates);
uint32_t dp_tap_step(struct dp_ctx *, uint32_t slot);

/* The packet has ended; its outputs and upcalls are final.  'flow': as for a
 * drop that has no reason of its own. */
void dp_tap_end(struct dp_ctx *, const struct dp_flow *flow);

/* The second page of the bridge, which is made if need be. */
struct vm_slots *dp_taps_page(struct dp_bridge *);

/* Frees what a worker has for taps. */
void dp_tap_free_runs(struct dp_worker *);

/* tap-dry.c: frees what dry runs need. */
void dp_dry_destroy(struct dp *);

/* The bridge is being destroyed. */
void dp_taps_destroy(struct dp_bridge *);

#endif /* datapath/tap-private.h */
