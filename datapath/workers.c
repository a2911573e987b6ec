/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/workers.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "datapath/bridge.h"
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "netdev.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-numa.h"
#include "ovs-thread.h"
#include "seq.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "vm/map.h"

VLOG_DEFINE_THIS_MODULE(dp_workers);

enum {
    MIN_THREADS = 4,            /* So many may be asked for on any machine. */
    NAP_US = 50                 /* The longest nap, if not configured. */
};

static uint64_t
clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

uint64_t
dp_tsc_hz(const struct dp *dp)
{
    uint64_t ns = clock_ns() - dp->start_ns;

    return ns ? (rte_rdtsc() - dp->start_tsc) * 1e9 / ns : 0;
}

/* Queues. */

/* All queues that worker threads poll; 'list' is the caller's. */
static size_t
all_rxqs(const struct dp *dp, struct dp_rxq ***list)
{
    struct dp_bridge *bridge;
    size_t n = 0, allocated = 0;

    *list = NULL;
    LIST_FOR_EACH (bridge, node, &dp->bridges) {
        const struct dp_port_table *ports;

        ports = atomic_load_explicit(&bridge->ports, memory_order_relaxed);
        for (uint32_t i = 0; i < ports->n_ports; i++) {
            const struct dp_port *port = ports->list[i];

            for (unsigned q = 0; q < port->n_rxqs && !port->in_main; q++) {
                if (n >= allocated) {
                    *list = x2nrealloc(*list, &allocated, sizeof **list);
                }
                (*list)[n++] = port->rxqs[q];
            }
        }
    }
    return n;
}

uint64_t
dp_rxq_load(const struct dp_rxq *rxq)
{
    uint64_t sum = 0;

    for (int i = 0; i < DP_LOAD_INTERVALS; i++) {
        sum += rxq->load[i];
    }
    return sum;
}

uint64_t
dp_load_cycles(const struct dp *dp)
{
    return dp->n_loads * dp_tsc_hz(dp) / 1000 * DP_LOAD_MS;
}

void
dp_workers_run(struct dp *dp)
{
    struct dp_rxq **list;
    long long int now = time_msec();
    size_t n;

    if (dp->mode == DP_INLINE || now < dp->next_load) {
        return;
    }
    dp->load_index = (dp->load_index + 1) % DP_LOAD_INTERVALS;
    if (dp->next_load && dp->n_loads < DP_LOAD_INTERVALS) {
        dp->n_loads++;
    }
    dp->next_load = now + DP_LOAD_MS;
    n = all_rxqs(dp, &list);
    for (size_t i = 0; i < n; i++) {
        uint64_t cycles = atomic_load_explicit(&list[i]->cycles,
                                               memory_order_relaxed);

        list[i]->load[dp->load_index] = cycles - list[i]->cycles_seen;
        list[i]->cycles_seen = cycles;
    }
    free(list);
}

void
dp_workers_wait(struct dp *dp)
{
    if (dp->mode != DP_INLINE) {
        poll_timer_wait_until(dp->next_load);
    }
}

/* Choosing. */

static struct dp_worker *
worker_on(const struct dp *dp, int core)
{
    for (unsigned w = DP_WORKER_MAIN + 1; w < dp->n_workers; w++) {
        const struct dp_worker *worker = dp->workers[w];

        if (worker->running && !worker->leaving && worker->core == core) {
            return dp->workers[w];
        }
    }
    return NULL;
}

/* The worker that 'rxq' is pinned to, or null. */
static struct dp_worker *
pinned_to(const struct dp_rxq *rxq)
{
    return (rxq->core < 0 ? NULL
            : worker_on(rxq->port->bridge->dp, rxq->core));
}

bool
dp_worker_isolated(const struct dp_worker *worker)
{
    struct dp_rxq **list;
    bool isolated = false;
    size_t n;

    if (!worker->dp->isolate || worker->core < 0) {
        return false;
    }
    n = all_rxqs(worker->dp, &list);
    for (size_t i = 0; i < n && !isolated; i++) {
        isolated = list[i]->core == worker->core;
    }
    free(list);
    return isolated;
}

/* Workers that queues which are not pinned may go to, by core: all but the
 * isolated ones, or all if there are no others.  'list' is the caller's. */
static size_t
open_workers(const struct dp *dp, struct dp_worker ***listp)
{
    struct dp_worker **list = xcalloc(dp->n_workers, sizeof *list);
    size_t n = 0;

    for (int pass = 0; pass < 2 && !n; pass++) {
        for (unsigned w = DP_WORKER_MAIN + 1; w < dp->n_workers; w++) {
            struct dp_worker *worker = dp->workers[w];
            size_t i;

            if (!worker->running || worker->leaving
                || (!pass && dp_worker_isolated(worker))) {
                continue;
            }
            for (i = n++; i && list[i - 1]->core > worker->core; i--) {
                list[i] = list[i - 1];
            }
            list[i] = worker;
        }
    }
    *listp = list;
    return n;
}

/* What a worker has been promised. */
struct share {
    uint64_t load;
    size_t n_rxqs;
};

/* The index of the worker with the least to do. */
static size_t
least_loaded(const struct share *shares, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++) {
        if (shares[i].load < shares[best].load
            || (shares[i].load == shares[best].load
                && shares[i].n_rxqs < shares[best].n_rxqs)) {
            best = i;
        }
    }
    return best;
}

static int
compare_loads(const void *a_, const void *b_)
{
    const struct dp_rxq *a = *(const struct dp_rxq *const *) a_;
    const struct dp_rxq *b = *(const struct dp_rxq *const *) b_;
    uint64_t load_a = dp_rxq_load(a), load_b = dp_rxq_load(b);
    int order = strcmp(netdev_get_name(a->port->netdev),
                       netdev_get_name(b->port->netdev));

    if (load_a != load_b) {
        return load_a > load_b ? -1 : 1;
    }
    return order ? order : (int) a->queue - (int) b->queue;
}

/* The worker for the 'i'th queue. */
static size_t
pick(enum dp_assign assign, const struct share *shares, size_t n, size_t i)
{
    switch (assign) {
    case DP_ASSIGN_GROUP:
        return least_loaded(shares, n);
    case DP_ASSIGN_CYCLES:
        return i / n % 2 ? n - 1 - i % n : i % n;
    case DP_ASSIGN_ROUNDROBIN:
    default:
        return i % n;
    }
}

/* Moving. */

static void
give(struct dp_rxq *rxq, struct dp_worker *worker)
{
    if (rxq->worker != worker) {
        dp_rxq_withdraw(rxq);
        rxq->worker = worker;
        dp_worker_add_rxq(worker, rxq);
    }
}

void
dp_rxq_withdraw(struct dp_rxq *rxq)
{
    if (rxq->worker) {
        dp_worker_del_rxq(rxq->worker, rxq);
        rxq->worker = NULL;
    }
}

void
dp_rxq_place(struct dp_rxq *rxq)
{
    struct dp *dp = rxq->port->bridge->dp;
    struct dp_worker **workers, *pinned;
    struct dp_rxq **rxqs;
    struct share *shares;
    size_t n_workers, n_rxqs;

    pinned = (rxq->port->in_main ? dp->workers[DP_WORKER_MAIN]
              : pinned_to(rxq));
    if (pinned) {
        give(rxq, pinned);
        return;
    }

    /* Others stay where they are. */
    n_workers = open_workers(dp, &workers);
    shares = xcalloc(n_workers, sizeof *shares);
    n_rxqs = all_rxqs(dp, &rxqs);
    for (size_t i = 0; i < n_rxqs; i++) {
        for (size_t w = 0; w < n_workers; w++) {
            if (rxqs[i]->worker == workers[w]) {
                shares[w].load += (dp->assign == DP_ASSIGN_ROUNDROBIN ? 0
                                   : dp_rxq_load(rxqs[i]));
                shares[w].n_rxqs++;
            }
        }
    }
    give(rxq, workers[least_loaded(shares, n_workers)]);
    free(rxqs);
    free(shares);
    free(workers);
}

void
dp_workers_rebalance(struct dp *dp)
{
    struct dp_worker **workers;
    struct share *shares;
    struct dp_rxq **rxqs;
    size_t n_workers, n_rxqs, n_placed = 0;

    n_rxqs = all_rxqs(dp, &rxqs);
    if (!n_rxqs) {
        free(rxqs);
        return;
    }
    qsort(rxqs, n_rxqs, sizeof *rxqs, compare_loads);
    n_workers = open_workers(dp, &workers);
    shares = xcalloc(n_workers, sizeof *shares);
    for (size_t i = 0; i < n_rxqs; i++) {
        struct dp_worker *worker = pinned_to(rxqs[i]);

        if (rxqs[i]->core >= 0 && !worker) {
            VLOG_WARN("there is no worker on core %d: queue %u of %s goes to "
                      "another one", rxqs[i]->core, rxqs[i]->queue,
                      netdev_get_name(rxqs[i]->port->netdev));
        }
        if (!worker) {
            size_t w = pick(dp->assign, shares, n_workers, n_placed++);

            shares[w].load += dp_rxq_load(rxqs[i]);
            shares[w].n_rxqs++;
            worker = workers[w];
        }
        give(rxqs[i], worker);
    }
    free(rxqs);
    free(shares);
    free(workers);
}

/* Threads. */

static struct dp_worker *
add_worker(struct dp *dp)
{
    struct dp_bridge *bridge;
    unsigned id = dp->n_workers;

    dp_tables_add_worker(dp->tables);
    LIST_FOR_EACH (bridge, node, &dp->bridges) {
        dp_bridge_add_worker(bridge, id);
    }
    dp->workers[id] = dp_worker_create(dp, id);
    dp_worker_read(dp->workers[id], &dp->workers[id]->base);
    __atomic_store_n(&dp->n_workers, id + 1, __ATOMIC_RELAXED);

    /* Before it starts, the others know that there may be more workers than
     * a device has queues. */
    dp_synchronize(dp);
    return dp->workers[id];
}

static void
start_worker(struct dp *dp, int core)
{
    for (unsigned w = DP_WORKER_MAIN + 1; w < dp->n_workers; w++) {
        if (!dp->workers[w]->running) {
            dp_worker_start(dp->workers[w], core);
            return;
        }
    }
    dp_worker_start(add_worker(dp), core);
}

/* Takes the queues of 'worker' away and ends it. */
static void
retire(struct dp_worker *worker)
{
    struct dp_rxq **rxqs;
    size_t n = all_rxqs(worker->dp, &rxqs);

    for (size_t i = 0; i < n; i++) {
        if (rxqs[i]->worker == worker) {
            dp_rxq_withdraw(rxqs[i]);
            dp_rxq_place(rxqs[i]);
        }
    }
    free(rxqs);
    dp_worker_stop(worker);
    worker->leaving = false;
}

int
dp_set_workers(struct dp *dp, const int cores[], size_t n)
{
    bool found[DP_MAX_WORKERS] = { false };

    if (!n || n > dp->max_threads || dp->mode == DP_INLINE) {
        return -E2BIG;
    }
    for (unsigned w = DP_WORKER_MAIN + 1; w < dp->n_workers; w++) {
        struct dp_worker *worker = dp->workers[w];

        worker->leaving = worker->running;
        for (size_t i = 0; i < n && worker->leaving; i++) {
            if (!found[i] && cores[i] == worker->core) {
                found[i] = true;
                worker->leaving = false;
            }
        }
    }

    /* New ones first, so that somebody can take the queues. */
    for (size_t i = 0; i < n; i++) {
        if (!found[i]) {
            start_worker(dp, cores[i]);
        }
    }
    for (unsigned w = DP_WORKER_MAIN + 1; w < dp->n_workers; w++) {
        if (dp->workers[w]->leaving) {
            retire(dp->workers[w]);
        }
    }
    dp_workers_rebalance(dp);
    return 0;
}

void
dp_workers_init(struct dp *dp)
{
    static const int anywhere = -1;
    int n_cores = ovs_numa_get_n_cores();

    dp->start_tsc = rte_rdtsc();
    dp->start_ns = clock_ns();
    dp->isolate = true;
    atomic_init(&dp->max_nap_ns, NAP_US * 1000);

    /* Twice as many places as threads: while threads are exchanged, both
     * sets are there. */
    dp->max_threads = (dp->mode == DP_INLINE ? 0
                       : MIN(MAX(n_cores, MIN_THREADS),
                             (DP_MAX_WORKERS - 1) / 2));
    vm_set_n_cpus(1 + 2 * dp->max_threads);
    dp->max_workers = 1 + 2 * dp->max_threads;
    dp->workers = xcalloc(dp->max_workers, sizeof *dp->workers);
    add_worker(dp);
    if (dp->mode == DP_THREADED) {
        dp_set_workers(dp, &anywhere, 1);
    }
}

void
dp_workers_destroy(struct dp *dp)
{
    for (unsigned w = 0; w < dp->n_workers; w++) {
        dp_worker_destroy(dp->workers[w]);
    }
    free(dp->workers);
    free(dp->signature);
}

/* Configuration. */

/* Workers on the cores of 'mask'; null: one, anywhere. */
static void
set_cpu_mask(struct dp *dp, const char *mask)
{
    int cores[DP_MAX_WORKERS] = { -1 };
    size_t n = 0;

    if (mask && mask[0]) {
        struct ovs_numa_dump *dump = ovs_numa_dump_cores_with_cmask(mask);
        const struct ovs_numa_info_core *core;

        FOR_EACH_CORE_ON_DUMP (core, dump) {
            if (n < dp->max_threads) {
                cores[n++] = core->core_id;
            }
        }
        ovs_numa_dump_destroy(dump);
        if (!n) {
            VLOG_WARN("pmd-cpu-mask=%s names no core of this machine; one "
                      "worker runs anywhere", mask);
        }
    }
    dp_set_workers(dp, cores, MAX(n, 1));
}

static enum dp_assign
parse_assign(const char *text)
{
    if (!strcmp(text, "roundrobin")) {
        return DP_ASSIGN_ROUNDROBIN;
    } else if (!strcmp(text, "group")) {
        return DP_ASSIGN_GROUP;
    } else if (strcmp(text, "cycles")) {
        VLOG_WARN("pmd-rxq-assign=%s is neither 'cycles', 'roundrobin' nor "
                  "'group'; 'cycles' is used", text);
    }
    return DP_ASSIGN_CYCLES;
}

static bool
parse_poll_mode(const char *text)
{
    if (!strcmp(text, "poll")) {
        return true;
    } else if (strcmp(text, "adaptive")) {
        VLOG_WARN("worker-mode=%s is neither 'adaptive' nor 'poll'; "
                  "'adaptive' is used", text);
    }
    return false;
}

void
dp_set_config(struct dp *dp, const struct smap *other_config)
{
    const char *mask = smap_get(other_config, "pmd-cpu-mask");
    const char *assign_text = smap_get_def(other_config, "pmd-rxq-assign",
                                           "cycles");
    const char *mode = smap_get_def(other_config, "worker-mode", "adaptive");
    bool isolate = smap_get_bool(other_config, "pmd-rxq-isolate", true);
    unsigned nap_us = smap_get_uint(other_config, "pmd-maxsleep", NAP_US);
    char *signature = xasprintf("%s %s %s %d %u", mask ? mask : "-",
                                assign_text, mode, isolate, nap_us);
    bool change = !dp->signature || strcmp(signature, dp->signature);

    if (dp->mode == DP_INLINE || !change) {
        free(signature);
        return;
    }
    free(dp->signature);
    dp->signature = signature;

    dp->assign = parse_assign(assign_text);
    if (!isolate && dp->assign != DP_ASSIGN_GROUP) {
        VLOG_WARN("pmd-rxq-isolate=false needs pmd-rxq-assign=group");
        isolate = true;
    }
    dp->isolate = isolate;
    atomic_store(&dp->max_nap_ns, MIN(nap_us, 10000) * 1000ull);
    atomic_store(&dp->poll_mode, parse_poll_mode(mode));
    set_cpu_mask(dp, mask);

    /* Who sleeps may have to poll now. */
    for (unsigned w = DP_WORKER_MAIN + 1; w < dp->n_workers; w++) {
        seq_change(dp->workers[w]->wake);
    }
}
