/* SPDX-License-Identifier: Apache-2.0 */

/* Actions that programs carry out by calling a function: those that are rare,
 * or whose definition is a function of libopenvswitch (hashes, MPLS stacks,
 * learned flows).
 *
 * What: a native is a row of ofproto/natives.def: a function for one type of
 * action (of_native_<TYPE>), called through the datapath's helper NATIVE.
 * What it gets is a `struct of_native_block' from the flow's parameters: the
 * ofpact as libofproto has it.
 *
 * Returns 0, or nonzero if the rest of the list of actions is not run.
 *
 * Threads: workers (ofproto_mutex is not held). */

#ifndef OFPROTO_NATIVE_H
#define OFPROTO_NATIVE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/ofp-actions.h"

struct dp_ctx;

/* How an action lies in the parameters. */
struct of_native_block {
    uint32_t dirty;             /* DP_DIRTY_* of the field that it writes. */
    uint32_t number;            /* Of the action in its rule, from 1. */
    struct ofpact ofpact;       /* All of it, padded to 8 bytes. */
};

#define OF_NATIVE_BLOCK_SIZE(OFPACT) \
    (offsetof(struct of_native_block, ofpact) + OFPACT_ALIGN((OFPACT)->len))

/* Numbers of the functions: OFPACT_<TYPE>, and those that are no action. */
enum of_native {
    OF_NATIVE_CLASSIFY = N_OFPACTS,     /* LOOKUP: DP_HIT() of the rule that
                                         * the flow table's classifier has for
                                         * the packet, or 0. */
    OF_N_NATIVES
};

#define OF_NATIVE(TYPE) \
    uint64_t of_native_##TYPE(struct dp_ctx *, const void *, size_t);
#include "ofproto/natives.def"
#undef OF_NATIVE
uint64_t of_native_classify(struct dp_ctx *, const void *, size_t);

/* Hands the functions to the datapath; after dp_create(). */
void of_native_init(void);

#endif /* ofproto/native.h */
