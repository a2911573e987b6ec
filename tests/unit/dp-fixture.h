/* SPDX-License-Identifier: Apache-2.0 */

/* A datapath for tests: a bridge, ports whose netdev is two queues in memory,
 * programs from text.
 *
 * Programs: fx_prog() assembles text for a slot.  fx_standard() fills PARSE
 * (all by libopenvswitch, then table 0) and END.
 *
 * Threads: the queues may be used from any thread. */

#ifndef TESTS_UNIT_DP_FIXTURE_H
#define TESTS_UNIT_DP_FIXTURE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "datapath/dp.h"

struct dp_packet;
struct netdev;
struct vm_slots;

struct fx {
    struct dp *dp;
    struct dp_bridge *bridge;
    struct vm_slots *slots;     /* Borrowed from the bridge. */
};

void fx_init(struct fx *, enum dp_mode);
/* Checks that no buffer is left and every packet is accounted for. */
void fx_uninit(struct fx *);

/* A port on a new device "NAME"; 'netdevp' borrows (may be null). */
struct dp_port *fx_port(struct fx *, const char *name, uint32_t ofp_port,
                        struct netdev **netdevp);
/* The device will receive 'packet' (owned). */
void fx_push(struct netdev *, struct dp_packet *);
/* What the device was given to send, oldest first (caller's), or null. */
struct dp_packet *fx_pop(struct netdev *);
size_t fx_n_sent(struct netdev *);
/* All further sends fail. */
void fx_fail_sends(struct netdev *, bool);

void fx_prog(struct fx *, uint32_t slot, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
void fx_standard(struct fx *);

/* dp_run() until nothing is left to do. */
void fx_run(struct fx *);
/* Received = forwarded + to main + dropped + in flight, now. */
void fx_check_totals(struct fx *);
/* Packets of the rows of drop/show with 'reason', 'table', 'cookie'. */
uint64_t fx_drops(struct fx *, enum dp_drop_reason, uint8_t table_id,
                  uint64_t cookie);

/* A flow with one word of parameters (null: none), its counters in
 * '*countersp' (null: it has none). */
uint32_t fx_flow(struct fx *, uint8_t table_id, uint64_t cookie,
                 const uint64_t *param, uint32_t *countersp);

/* A packet from "odp_flow" text, as ovs-appctl netdev-dummy/receive takes. */
struct dp_packet *fx_packet(const char *flow);

/* Waits, running the datapath, until 'done' says so; fails after 10 s. */
void fx_wait_until(struct fx *, bool (*done)(void *aux), void *aux);

/* Numbers that are the same for the same seed. */
uint64_t fx_random(uint64_t *state);

#endif /* tests/unit/dp-fixture.h */
