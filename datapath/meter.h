/* SPDX-License-Identifier: Apache-2.0 */

/* Meters (OpenFlow 1.3.5, 5.7): token buckets that all workers share.
 *
 * What: each band has a rate and a burst.  Its state is one word, the time at
 * which the bucket would be full again (the generic cell rate algorithm, ITU-T
 * I.371, as a virtual schedule).  A worker takes credit from it in pieces, so
 * that it touches the shared word once for many packets and all workers
 * together keep to the rate; what a worker holds is at most 100 us of it.
 * Each band sees every packet; of the bands that a packet exceeds the one with
 * the highest rate acts.
 *
 * Ownership: the datapath owns meters; a replaced or deleted one is freed
 * after quiescence.
 * Threads: set, get and del: the main thread.  dp_meter_run(): a worker, for
 * itself. */

#ifndef DATAPATH_METER_H
#define DATAPATH_METER_H 1

#include <stdbool.h>
#include <stdint.h>
#include "datapath/dp.h"

struct dp_meters;
struct dp_worker;

struct dp_meters *dp_meters_create(void);
/* Frees those that are left. */
void dp_meters_destroy(struct dp_meters *);

/* What becomes of a packet: DP_METER_PASS, DP_METER_DROP, or by how many
 * levels its drop precedence rises. */
enum { DP_METER_DROP = -1, DP_METER_PASS = 0 };

/* A packet of 'size' bytes comes to 'meter' (one that does not exist lets it
 * pass) at 'now_us'. */
int dp_meter_run(struct dp_worker *, uint32_t meter, uint32_t size,
                 uint64_t now_us);

#endif /* datapath/meter.h */
