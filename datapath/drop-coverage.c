/* SPDX-License-Identifier: Apache-2.0 */

/* Drops in coverage/show and coverage/read-counter, under the names that Open
 * vSwitch has for them, where scripts look.  Every reason counts for one of
 * the names, so that their sum is that of drop/show.
 *
 * Some of the counters are defined in libopenvswitch, by code that never
 * counts here: they are given our function.  Each worker counts for itself;
 * who asks for a counter gets what has been added since it was last asked
 * for, under coverage.c's lock. */

#include "datapath/drops.h"

#include <string.h>
#include "coverage.h"
#include "datapath/counters.h"
#include "util.h"

/* NAME(COUNTER): that libopenvswitch has, or that are ours. */
#define THEIR_NAMES                             \
    NAME(drop_action_of_pipeline)               \
    NAME(drop_action_recursion_too_deep)        \
    NAME(drop_action_too_many_resubmit)         \
    NAME(drop_action_stack_too_deep)            \
    NAME(drop_action_too_many_mpls_labels)      \
    NAME(drop_action_unsupported_packet_type)   \
    NAME(drop_action_congestion)                \
    NAME(drop_action_forwarding_disabled)
#define OUR_NAMES                               \
    NAME(datapath_drop_meter)                   \
    NAME(datapath_drop_invalid_port)            \
    NAME(datapath_drop_rx_invalid_packet)       \
    NAME(datapath_drop_upcall_error)            \
    NAME(datapath_drop_program_error)           \
    NAME(datapath_drop_port_state)

enum {
#define NAME(COUNTER) COUNTER,
    THEIR_NAMES
    OUR_NAMES
#undef NAME
    N_NAMES
};

static const char *const names[N_NAMES] = {
#define NAME(COUNTER) #COUNTER,
    THEIR_NAMES
    OUR_NAMES
#undef NAME
};

/* What is not here counts for drop_action_of_pipeline, as what the rules
 * decide does in Open vSwitch. */
static const uint8_t name_of[DP_N_DROPS] = {
    [DP_DROP_NO_RECV] = datapath_drop_port_state,
    [DP_DROP_BLOCKED] = datapath_drop_port_state,
    [DP_DROP_OUT_BLOCKED] = drop_action_forwarding_disabled,
    [DP_DROP_NOT_FORWARDING] = drop_action_forwarding_disabled,
    [DP_DROP_NO_FWD] = drop_action_forwarding_disabled,
    [DP_DROP_PORT_DOWN] = drop_action_forwarding_disabled,
    [DP_DROP_PATCH_LOOP] = drop_action_recursion_too_deep,
    [DP_DROP_RESUBMIT_DEPTH] = drop_action_recursion_too_deep,
    [DP_DROP_RESUBMITS] = drop_action_too_many_resubmit,
    [DP_DROP_FRAMES] = drop_action_stack_too_deep,
    [DP_DROP_ACTION_SET_SIZE] = drop_action_stack_too_deep,
    [DP_DROP_MPLS_LABELS] = drop_action_too_many_mpls_labels,
    [DP_DROP_PACKET_TYPE] = drop_action_unsupported_packet_type,
    [DP_DROP_TX_FULL] = drop_action_congestion,
    [DP_DROP_METER] = datapath_drop_meter,
    [DP_DROP_NO_PORT] = datapath_drop_invalid_port,
    [DP_DROP_RUNT] = datapath_drop_rx_invalid_packet,
    [DP_DROP_UPCALL_FULL] = datapath_drop_upcall_error,
    [DP_DROP_NO_CONTROLLER] = datapath_drop_upcall_error,
    [DP_DROP_NO_PROGRAM] = datapath_drop_program_error,
    [DP_DROP_PROGRAM_ERROR] = datapath_drop_program_error,
    [DP_DROP_NO_MEMORY] = datapath_drop_program_error,
};

/* One line of the cache a worker, and more. */
static struct {
    _Atomic uint64_t n[N_NAMES];
} counts[DP_MAX_WORKERS] __attribute__((aligned(64)));

/* What coverage.c knows of. */
static uint64_t told[N_NAMES];

void
dp_drop_coverage_add(unsigned worker, enum dp_drop_reason reason, uint64_t n)
{
    _Atomic uint64_t *count = &counts[worker].n[name_of[reason]];

    atomic_store_explicit(count, atomic_load_explicit(
                              count, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

const char *
dp_drop_coverage_name(enum dp_drop_reason reason)
{
    return names[name_of[reason]];
}

static unsigned int
take(unsigned name)
{
    uint64_t sum = 0;
    unsigned int news;

    for (unsigned w = 0; w < DP_MAX_WORKERS; w++) {
        sum += atomic_load_explicit(&counts[w].n[name],
                                    memory_order_relaxed);
    }
    news = MIN(sum - told[name], UINT_MAX);
    told[name] += news;
    return news;
}

#define NAME(COUNTER)                                           \
    static unsigned int COUNTER##_take(void)                    \
    {                                                           \
        return take(COUNTER);                                   \
    }
THEIR_NAMES
OUR_NAMES
#undef NAME

void
dp_drop_coverage_init(void)
{
#define NAME(COUNTER)                                           \
    {                                                           \
        static struct coverage_counter ours = {                 \
            .name = #COUNTER, .count = COUNTER##_take           \
        };                                                      \
        coverage_counter_register(&ours);                       \
    }
    OUR_NAMES
#undef NAME
#define NAME(COUNTER)                                           \
    {                                                           \
        extern struct coverage_counter counter_##COUNTER;       \
        const struct coverage_counter ours = {                  \
            .name = #COUNTER, .count = COUNTER##_take           \
        };                                                      \
        memcpy(&counter_##COUNTER, &ours, sizeof ours);         \
    }
    THEIR_NAMES
#undef NAME
}
