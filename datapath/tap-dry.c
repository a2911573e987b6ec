/* SPDX-License-Identifier: Apache-2.0 */

/* Dry runs: a worker without a thread, whose counts are nobody's, runs single
 * packets on the page of taps. */

#include "datapath/tap-private.h"

#include <stdlib.h>
#include "datapath/bridge.h"
#include "datapath/counters.h"
#include "datapath/private.h"
#include "datapath/run.h"
#include "datapath/worker.h"
#include "timeval.h"
#include "util.h"

static struct dp_worker *
get_worker(struct dp *dp)
{
    if (!dp->dry) {
        dp->dry = dp_worker_create(dp, DP_WORKER_DRY);
        dp->dry->dry = true;
        dp->dry->tap_runs = xcalloc(NETDEV_MAX_BURST,
                                    sizeof *dp->dry->tap_runs);
        dp->dry->stats_of_bridge
            = xzalloc(sizeof *dp->dry->stats_of_bridge);
    }
    dp_tables_add_dry(dp->tables);
    return dp->dry;
}

void
dp_dry_destroy(struct dp *dp)
{
    if (dp->dry) {
        free(dp->dry->stats_of_bridge);
        dp_worker_destroy(dp->dry);
        dp->dry = NULL;
    }
}

void
dp_bridge_dry_run(struct dp_bridge *bridge, struct dp_packet *packet,
                  uint32_t in_port,
                  void (*done)(const struct dp_tap_record *, void *aux),
                  void *aux)
{
    struct dp_worker *worker = get_worker(bridge->dp);
    struct dp_tap tap = { .bridge = bridge,
                          .attr = { .done = done, .aux = aux } };
    struct dp_tap_run *run = &worker->tap_runs[0];

    worker->slots = dp_taps_page(bridge);
    worker->version = atomic_load_explicit(&bridge->version,
                                           memory_order_acquire);
    worker->now_us = time_usec();
    worker->now_ms = worker->now_us / 1000;
    run->taps[0] = &tap;
    run->n_taps = 1;
    run->record.n_steps = 0;
    run->record.bridge = bridge;
    run->record.in_port = in_port;
    run->record.size = 0;
    dp_run_dry(worker, bridge, packet, in_port);
}
