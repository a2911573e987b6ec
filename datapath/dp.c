/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/dp.h"

#include <errno.h>
#include <stdlib.h>
#include "datapath/bridge.h"
#include "datapath/counters.h"
#include "datapath/drops.h"
#include "datapath/netdev-afxdp.h"
#include "datapath/netdev-pcap.h"
#include "datapath/port.h"
#include "datapath/meter.h"
#include "datapath/private.h"
#include "datapath/tap-private.h"
#include "datapath/upcall.h"
#include "datapath/worker.h"
#include "datapath/workers.h"
#include "openvswitch/poll-loop.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "vm/map.h"

struct ovs_list dp_all = OVS_LIST_INITIALIZER(&dp_all);
dp_helper_fn *dp_normal_fn;
dp_group_fn *dp_group_fn_;

static void
defer(void (*fn)(void *), void *aux)
{
    ovsrcu_postpone__(fn, aux);
}

int
dp_create(enum dp_mode mode, struct dp **dpp)
{
    struct dp *dp = xzalloc(sizeof *dp);

    latch_init(&dp->latch);
    vm_set_defer(defer);
    dp_drops_init();
    dp_workers_commands_init();
    time_msec();                /* Its first call registers commands, which
                                 * is the main thread's to do. */
    dp_netdev_afxdp_register();
    dp_netdev_pcap_register();

    dp->mode = mode;
    ovs_list_init(&dp->bridges);
    dp->tables = dp_tables_create();
    dp->meters = dp_meters_create();
    pthread_mutex_init(&dp->epoch_mutex, NULL);
    pthread_cond_init(&dp->epoch_cond, NULL);
    dp_workers_init(dp);
    ovs_list_push_back(&dp_all, &dp->node);
    *dpp = dp;
    return 0;
}

void
dp_destroy(struct dp *dp)
{
    if (!dp) {
        return;
    }
    ovs_assert(ovs_list_is_empty(&dp->bridges));
    ovs_list_remove(&dp->node);
    dp_dry_destroy(dp);
    dp_workers_destroy(dp);
    dp_keep_finish();

    /* Flows that are being freed still know the tables. */
    ovsrcu_barrier();
    dp_tables_destroy(dp->tables);
    dp_meters_destroy(dp->meters);
    latch_destroy(&dp->latch);
    pthread_cond_destroy(&dp->epoch_cond);
    pthread_mutex_destroy(&dp->epoch_mutex);
    free(dp);
}

void
dp_set_poll_non_pmd_in_main(struct dp *dp, bool enable)
{
    dp->poll_non_pmd_in_main = enable;
}

void
dp_set_upcall_cb(struct dp *dp, enum dp_upcall_kind kind, dp_upcall_cb *cb,
                 void *aux)
{
    dp->upcalls[kind].cb = cb;
    dp->upcalls[kind].aux = aux;
}

void
dp_set_normal(dp_helper_fn *fn)
{
    dp_normal_fn = fn;
}

void
dp_set_group(dp_group_fn *fn)
{
    dp_group_fn_ = fn;
}

/* The loop. */

/* So that the next packet sees what this one taught: MAC addresses, flows
 * that a controller action's handler installed. */
static void
drain(struct dp *dp)
{
    dp_upcalls_run(dp);
}

bool
dp_run(struct dp *dp)
{
    struct dp_worker *main = dp->workers[DP_WORKER_MAIN];
    bool more;

    dp_ports_run(dp);
    dp_workers_run(dp);
    more = dp_worker_poll(main, drain) > 0;
    more |= dp_upcalls_run(dp);
    dp_worker_flush(main);
    return more;
}

void
dp_wait(struct dp *dp)
{
    dp_upcalls_wait(dp);
    if (!dp_worker_wait(dp->workers[DP_WORKER_MAIN])) {
        poll_immediate_wake();
    }
    dp_workers_wait(dp);
}

void
dp_synchronize(struct dp *dp)
{
    uint64_t epoch;

    if (dp->n_workers <= DP_WORKER_MAIN + 1) {
        return;
    }
    epoch = atomic_fetch_add(&dp->epoch, 1) + 1;
    for (unsigned w = DP_WORKER_MAIN + 1; w < dp->n_workers; w++) {
        seq_change(dp->workers[w]->wake);
    }
    pthread_mutex_lock(&dp->epoch_mutex);
    for (unsigned w = DP_WORKER_MAIN + 1; w < dp->n_workers; w++) {
        while (dp->workers[w]->running
               && atomic_load(&dp->workers[w]->epoch_seen) < epoch) {
            pthread_cond_wait(&dp->epoch_cond, &dp->epoch_mutex);
        }
    }
    pthread_mutex_unlock(&dp->epoch_mutex);
}

void
dp_bridge_inject(struct dp_bridge *bridge, struct dp_packet *packet,
                 uint32_t ofp_port)
{
    struct dp_worker *main = bridge->dp->workers[DP_WORKER_MAIN];

    dp_worker_inject(main, bridge, packet, ofp_port);
}

void
dp_get_totals(const struct dp *dp, struct dp_totals *totals)
{
    uint64_t to_rings = 0, from_rings = 0, bufs_in = 0, bufs_out = 0;

    *totals = (struct dp_totals) { .received = 0 };
    for (unsigned w = 0; w < dp->n_workers; w++) {
        const struct dp_worker *worker = dp->workers[w];

#define GET(MEMBER) atomic_load_explicit(&worker->MEMBER, memory_order_relaxed)
        totals->received += GET(received);
        totals->forwarded += GET(forwarded);
        totals->dropped += GET(dropped);
        to_rings += GET(to_rings);
        from_rings += GET(from_rings);
        bufs_in += GET(bufs_in);
        bufs_out += GET(bufs_out);
        for (int kind = 0; kind < DP_N_UPCALLS; kind++) {
            totals->upcalls_lost += GET(rings[kind].lost);
        }
#undef GET
    }
    totals->to_main = from_rings;
    totals->in_flight = to_rings - from_rings;
    totals->buffers = bufs_in - bufs_out;
}
