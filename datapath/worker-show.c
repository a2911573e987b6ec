/* SPDX-License-Identifier: Apache-2.0 */

/* Commands that show what workers do: worker/show, worker/reset and
 * worker/totals, and Open vSwitch's dpif-netdev/pmd-* in the form that its
 * tools and people parse. */

#include "datapath/workers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/upcall.h"
#include "datapath/worker.h"
#include "netdev.h"
#include "openvswitch/dynamic-string.h"
#include "ovs-numa.h"
#include "ovs-thread.h"
#include "unixctl.h"
#include "util.h"

static const char *const stage_texts[] = {
#define DP_STAGE(NAME, TEXT) TEXT,
    DP_STAGES
#undef DP_STAGE
};

/* What a worker did since its last reset. */
static void
since_reset(const struct dp_worker *worker, struct dp_worker_base *d)
{
    const struct dp_worker_base *base = &worker->base;

    dp_worker_read(worker, d);
    d->tsc -= base->tsc;
    for (int i = 0; i < DP_N_STAGES; i++) {
        d->cycles[i] -= base->cycles[i];
    }
    for (int i = 0; i <= NETDEV_MAX_BURST; i++) {
        d->bursts[i] -= base->bursts[i];
    }
    d->sleeps -= base->sleeps;
    d->sent -= base->sent;
    d->batches -= base->batches;
    d->received -= base->received;
    d->to_rings -= base->to_rings;
}

static uint64_t
busy_cycles(const struct dp_worker_base *d)
{
    return (d->cycles[DP_STAGE_RX] + d->cycles[DP_STAGE_RUN]
            + d->cycles[DP_STAGE_TX]);
}

static double
ratio(uint64_t a, uint64_t b)
{
    return b ? (double) a / b : 0;
}

static const struct dp_rxq_list *
rxqs_of(const struct dp_worker *worker)
{
    /* The main thread itself replaces the list. */
    return atomic_load_explicit(&worker->rxqs, memory_order_relaxed);
}

static int
compare_rxqs(const void *a_, const void *b_)
{
    const struct dp_rxq *a = *(const struct dp_rxq *const *) a_;
    const struct dp_rxq *b = *(const struct dp_rxq *const *) b_;
    int order = strcmp(netdev_get_name(a->port->netdev),
                       netdev_get_name(b->port->netdev));

    return order ? order : (int) a->queue - (int) b->queue;
}

/* The queues of 'worker' by name; the caller's. */
static struct dp_rxq **
sorted_rxqs(const struct dp_worker *worker, size_t *n)
{
    const struct dp_rxq_list *list = rxqs_of(worker);
    struct dp_rxq **sorted;

    *n = list->n;
    sorted = xmalloc(MAX(list->n, 1) * sizeof *sorted);
    memcpy(sorted, list->rxqs, list->n * sizeof *sorted);
    qsort(sorted, list->n, sizeof *sorted, compare_rxqs);
    return sorted;
}

/* A queue's part of its worker's time, in percent; -1 if not known. */
static int
usage(const struct dp *dp, uint64_t cycles)
{
    uint64_t all = dp_load_cycles(dp);

    return all ? MIN(cycles * 100 / all, 100) : -1;
}

/* worker/show. */

static void
put_bursts(struct ds *ds, const struct dp_worker_base *d)
{
    uint64_t n = 0;

    for (int i = 1; i <= NETDEV_MAX_BURST; i++) {
        n += d->bursts[i];
    }
    if (!n) {
        return;
    }
    ds_put_format(ds, "  packets a burst:");
    for (int i = 1, next; i <= NETDEV_MAX_BURST; i = next) {
        uint64_t sum = 0;

        next = i < 4 ? i + 1 : MIN(i * 2, NETDEV_MAX_BURST + 1);
        if (i == NETDEV_MAX_BURST) {
            next = i + 1;
        }
        for (int j = i; j < next; j++) {
            sum += d->bursts[j];
        }
        if (next > i + 1) {
            ds_put_format(ds, " %d-%d", i, next - 1);
        } else {
            ds_put_format(ds, " %d", i);
        }
        ds_put_format(ds, ": %.1f%%", 100 * ratio(sum, n));
        if (next <= NETDEV_MAX_BURST) {
            ds_put_char(ds, ',');
        }
    }
    ds_put_char(ds, '\n');
}

static void
put_worker(struct ds *ds, const struct dp_worker *worker)
{
    struct dp_worker_base d;
    struct dp_rxq **rxqs;
    size_t n;

    since_reset(worker, &d);
    if (worker->id == DP_WORKER_MAIN) {
        ds_put_cstr(ds, "main thread:\n");
    } else {
        ds_put_format(ds, "worker %u, ", worker->id);
        if (!worker->running) {
            ds_put_cstr(ds, "stopped:\n");
        } else if (worker->core < 0) {
            ds_put_cstr(ds, "any core:\n");
        } else {
            ds_put_format(ds, "core %d%s:\n", worker->core,
                          dp_worker_isolated(worker) ? ", isolated" : "");
        }
    }
    ds_put_format(ds, "  packets: %"PRIu64" received, %"PRIu64" sent, "
                  "%"PRIu64" to the main thread\n", d.received, d.sent,
                  d.to_rings);
    ds_put_format(ds, "  busy: %.1f%%, polling in vain: %.1f%%, asleep: "
                  "%.1f%% (%"PRIu64" times)\n",
                  100 * ratio(busy_cycles(&d), d.tsc),
                  100 * ratio(d.cycles[DP_STAGE_POLL], d.tsc),
                  100 * MAX(0, 1 - ratio(busy_cycles(&d)
                                         + d.cycles[DP_STAGE_POLL], d.tsc)),
                  d.sleeps);
    if (d.received) {
        ds_put_cstr(ds, "  cycles a packet:");
        for (int i = DP_STAGE_RX; i < DP_N_STAGES; i++) {
            ds_put_format(ds, " %s %.0f,", stage_texts[i],
                          ratio(d.cycles[i], d.received));
        }
        ds_put_format(ds, " in all %.0f\n", ratio(busy_cycles(&d),
                                                  d.received));
    }
    put_bursts(ds, &d);

    rxqs = sorted_rxqs(worker, &n);
    for (size_t i = 0; i < n; i++) {
        int percent = usage(worker->dp, dp_rxq_load(rxqs[i]));

        ds_put_format(ds, "  queue %u of %s (%s)", rxqs[i]->queue,
                      netdev_get_name(rxqs[i]->port->netdev),
                      rxqs[i]->port->ops->name);
        if (rxqs[i]->core >= 0) {
            ds_put_format(ds, ", pinned to core %d", rxqs[i]->core);
        }
        if (percent >= 0) {
            ds_put_format(ds, ": %d%% of the worker", percent);
        }
        ds_put_char(ds, '\n');
    }
    free(rxqs);
}

/* Does 'put' for each worker of each datapath that has something to show. */
static void
each_worker(struct unixctl_conn *conn,
            void (*put)(struct ds *, const struct dp_worker *), bool main)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    const struct dp *dp;

    LIST_FOR_EACH (dp, node, &dp_all) {
        for (unsigned w = 0; w < dp->n_workers; w++) {
            const struct dp_worker *worker = dp->workers[w];

            if (w == DP_WORKER_MAIN ? main || rxqs_of(worker)->n
                : worker->running) {
                put(&ds, worker);
            }
        }
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

static void
show(struct unixctl_conn *conn, int argc OVS_UNUSED,
     const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    each_worker(conn, put_worker, false);
}

static void
reset(struct unixctl_conn *conn, int argc OVS_UNUSED,
      const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct dp *dp;

    LIST_FOR_EACH (dp, node, &dp_all) {
        for (unsigned w = 0; w < dp->n_workers; w++) {
            dp_worker_read(dp->workers[w], &dp->workers[w]->base);
        }
    }
    unixctl_command_reply(conn, NULL);
}

/* worker/totals: what became of all packets.  Numbers of packets that are on
 * their way while they are read may be one too many or too few. */
static void
totals(struct unixctl_conn *conn, int argc OVS_UNUSED,
       const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    const struct dp *dp;

    LIST_FOR_EACH (dp, node, &dp_all) {
        struct dp_totals t;

        dp_get_totals(dp, &t);
        ds_put_format(&ds, "received: %"PRIu64"\nforwarded: %"PRIu64"\n"
                      "dropped: %"PRIu64"\nto the main thread: %"PRIu64"\n"
                      "in rings: %"PRIu64"\nrings full: %"PRIu64"\n"
                      "buffers: %"PRIu64"\nunaccounted: %"PRId64"\n",
                      t.received, t.forwarded, t.dropped, t.to_main,
                      t.in_flight, t.upcalls_lost, t.buffers,
                      (int64_t) (t.received - t.forwarded - t.dropped
                                 - t.to_main - t.in_flight));
    }
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

/* dpif-netdev/pmd-*. */

/* Workers that run anywhere are shown on core 0 of node 0. */
static void
put_pmd_head(struct ds *ds, const struct dp_worker *worker)
{
    if (worker->id == DP_WORKER_MAIN) {
        ds_put_cstr(ds, "main thread:\n");
    } else {
        int core = MAX(worker->core, 0);
        int numa = ovs_numa_get_numa_id(core);

        ds_put_format(ds, "pmd thread numa_id %d core_id %d:\n",
                      numa == OVS_NUMA_UNSPEC ? 0 : numa, core);
    }
}

static void
put_pmd_stats(struct ds *ds, const struct dp_worker *worker)
{
    struct dp_worker_base d;
    uint64_t busy, all;

    since_reset(worker, &d);
    busy = busy_cycles(&d);
    all = busy + d.cycles[DP_STAGE_POLL];
    put_pmd_head(ds, worker);
    ds_put_format(ds,
                  "  packets received: %"PRIu64"\n"
                  "  packet recirculations: 0\n"
                  "  avg. datapath passes per packet: %.02f\n"
                  "  phwol hits: 0\n"
                  "  mfex opt hits: 0\n"
                  "  simple match hits: 0\n"
                  "  emc hits: 0\n"
                  "  smc hits: 0\n"
                  "  megaflow hits: %"PRIu64"\n"
                  "  avg. subtable lookups per megaflow hit: 0.00\n"
                  "  miss with success upcall: %"PRIu64"\n"
                  "  miss with failed upcall: 0\n"
                  "  avg. packets per output batch: %.02f\n",
                  d.received, d.received ? 1.0 : 0.0,
                  d.received - d.to_rings, d.to_rings,
                  ratio(d.sent, d.batches));
    if (!all) {
        return;
    }
    ds_put_format(ds,
                  "  idle cycles: %"PRIu64" (%.02f%%)\n"
                  "  processing cycles: %"PRIu64" (%.02f%%)\n",
                  d.cycles[DP_STAGE_POLL],
                  100 * ratio(d.cycles[DP_STAGE_POLL], all), busy,
                  100 * ratio(busy, all));
    if (d.received) {
        ds_put_format(ds,
                      "  avg cycles per packet: %.02f (%"PRIu64"/%"PRIu64
                      ")\n"
                      "  avg processing cycles per packet: %.02f (%"PRIu64
                      "/%"PRIu64")\n",
                      ratio(all, d.received), all, d.received,
                      ratio(busy, d.received), busy, d.received);
    }
}

static void
pmd_stats_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
               const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    each_worker(conn, put_pmd_stats, true);
}

static void
put_pmd_rxqs(struct ds *ds, const struct dp_worker *worker)
{
    struct dp_rxq **rxqs;
    size_t n;

    if (worker->id == DP_WORKER_MAIN) {
        return;
    }
    put_pmd_head(ds, worker);
    ds_put_format(ds, "  isolated : %s\n",
                  dp_worker_isolated(worker) ? "true" : "false");
    rxqs = sorted_rxqs(worker, &n);
    for (size_t i = 0; i < n; i++) {
        int percent = usage(worker->dp, dp_rxq_load(rxqs[i]));

        ds_put_format(ds, "  port: %-16s  queue-id: %2u (enabled)   "
                      "pmd usage: ", netdev_get_name(rxqs[i]->port->netdev),
                      rxqs[i]->queue);
        if (percent >= 0) {
            ds_put_format(ds, "%2d %%\n", percent);
        } else {
            ds_put_cstr(ds, "NOT AVAIL\n");
        }
    }
    if (n) {
        ds_put_cstr(ds, "  overhead: NOT AVAIL\n");
    }
    free(rxqs);
}

static void
pmd_rxq_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    each_worker(conn, put_pmd_rxqs, false);
}

static void
pmd_rxq_rebalance(struct unixctl_conn *conn, int argc OVS_UNUSED,
                  const char *argv[] OVS_UNUSED, void *aux OVS_UNUSED)
{
    struct dp *dp;

    LIST_FOR_EACH (dp, node, &dp_all) {
        dp_workers_rebalance(dp);
    }
    unixctl_command_reply(conn, "pmd rxq rebalance requested.\n");
}

void
dp_workers_commands_init(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;
    static const struct {
        const char *name, *usage;
        int max_args;
        unixctl_cb_func *cb;
    } commands[] = {
        { "worker/show", "", 0, show },
        { "worker/reset", "", 0, reset },
        { "worker/totals", "", 0, totals },
        { "dpif-netdev/pmd-stats-show", "[-pmd core] [dp]", 3,
          pmd_stats_show },
        { "dpif-netdev/pmd-stats-clear", "[-pmd core] [dp]", 3, reset },
        { "dpif-netdev/pmd-rxq-show", "[-pmd core] [-secs secs] [dp]", 5,
          pmd_rxq_show },
        { "dpif-netdev/pmd-perf-show",
          "[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] "
          "[dp]", 8, show },
        { "dpif-netdev/pmd-rxq-rebalance", "[dp]", 1, pmd_rxq_rebalance },
    };

    if (ovsthread_once_start(&once)) {
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
            unixctl_command_register(commands[i].name, commands[i].usage, 0,
                                     commands[i].max_args, commands[i].cb,
                                     NULL);
        }
        dp_upcalls_commands_init();
        ovsthread_once_done(&once);
    }
}
