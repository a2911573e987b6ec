/* SPDX-License-Identifier: Apache-2.0 */

/* The datapath's metrics, and the text of metrics: OpenMetrics 1.0. */

#include "datapath/dp.h"

#include <inttypes.h>
#include <stdarg.h>
#include "datapath/bridge.h"
#include "datapath/drops.h"
#include "datapath/private.h"
#include "datapath/worker.h"
#include "openvswitch/dynamic-string.h"
#include "util.h"

void
dp_metric_family(struct ds *out, const char *name, const char *type,
                 const char *help)
{
    ds_put_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                  type);
}

/* Names of bridges are anything. */
static void
put_label(struct ds *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n') {
            ds_put_cstr(out, "\\n");
        } else {
            if (*value == '"' || *value == '\\') {
                ds_put_char(out, '\\');
            }
            ds_put_char(out, *value);
        }
    }
}

void
dp_metric(struct ds *out, const char *name, uint64_t value, ...)
{
    const char *label;
    int n = 0;
    va_list args;

    ds_put_cstr(out, name);
    va_start(args, value);
    while ((label = va_arg(args, const char *)) != NULL) {
        ds_put_format(out, "%s%s=\"", n++ ? "," : "{", label);
        put_label(out, va_arg(args, const char *));
        ds_put_char(out, '"');
    }
    va_end(args);
    ds_put_format(out, "%s %"PRIu64"\n", n ? "}" : "", value);
}

/* What became of all packets. */
static void
put_totals(const struct dp *dp, struct ds *out)
{
    struct dp_totals t;

    dp_get_totals(dp, &t);
    const struct {
        const char *name, *help;
        uint64_t value;
    } counters[] = {
        { "bvs_received_packets", "Packets received by all ports.",
          t.received },
        { "bvs_forwarded_packets", "Packets with at least one output.",
          t.forwarded },
        { "bvs_to_main_packets", "Packets that only the main thread got.",
          t.to_main },
        { "bvs_dropped_packets", "Packets that ended without an output.",
          t.dropped },
    };

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        char *sample = xasprintf("%s_total", counters[i].name);

        dp_metric_family(out, counters[i].name, "counter", counters[i].help);
        dp_metric(out, sample, counters[i].value, NULL);
        free(sample);
    }
    dp_metric_family(out, "bvs_packet_buffers", "gauge",
                     "Packet buffers in use.");
    dp_metric(out, "bvs_packet_buffers", t.buffers, NULL);
}

/* Workers. */

static void
name_worker(const struct dp_worker *worker, char *name, size_t size)
{
    if (worker->id == DP_WORKER_MAIN) {
        ovs_strlcpy(name, "main", size);
    } else {
        snprintf(name, size, "%u", worker->id);
    }
}

static void
put_workers(const struct dp *dp, struct ds *out)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } counters[] = {
#define COUNTER(NAME, MEMBER, HELP) \
        { "bvs_worker_" NAME, HELP, offsetof(struct dp_worker_base, MEMBER) }
        COUNTER("received_packets", received, "Packets received."),
        COUNTER("sent_packets", sent, "Packets given to ports."),
        COUNTER("upcalled_packets", to_rings,
                "Packets for the main thread alone."),
        COUNTER("sleeps", sleeps, "Times that it went to sleep."),
#undef COUNTER
    };
    char id[16];

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        char *sample = xasprintf("%s_total", counters[i].name);

        dp_metric_family(out, counters[i].name, "counter", counters[i].help);
        for (unsigned w = 0; w < dp->n_workers; w++) {
            struct dp_worker_base base;

            dp_worker_read(dp->workers[w], &base);
            name_worker(dp->workers[w], id, sizeof id);
            dp_metric(out, sample,
                      *(const uint64_t *) (const void *)
                      ((const uint8_t *) &base + counters[i].offset),
                      "worker", id, NULL);
        }
        free(sample);
    }
}

static void
put_cycles(const struct dp *dp, struct ds *out)
{
    static const char *const stages[] = {
#define DP_STAGE(NAME, TEXT) TEXT,
        DP_STAGES
#undef DP_STAGE
    };
    char id[16];

    dp_metric_family(out, "bvs_worker_cycles", "counter",
                     "Cycles of the time stamp counter by what they went "
                     "into.");
    for (unsigned w = 0; w < dp->n_workers; w++) {
        struct dp_worker_base base;

        dp_worker_read(dp->workers[w], &base);
        name_worker(dp->workers[w], id, sizeof id);
        for (int stage = 0; stage < DP_N_STAGES; stage++) {
            dp_metric(out, "bvs_worker_cycles_total", base.cycles[stage],
                      "worker", id, "stage", stages[stage], NULL);
        }
    }
}

static void
put_upcalls(const struct dp *dp, struct ds *out)
{
    static const char *const texts[] = {
#define DP_UPCALL(NAME, SHARE, TEXT) TEXT,
#include "datapath/upcalls.def"
#undef DP_UPCALL
    };

    dp_metric_family(out, "bvs_upcalls", "counter",
                     "What workers handed to the main thread.");
    for (int kind = 0; kind < DP_N_UPCALLS; kind++) {
        dp_metric(out, "bvs_upcalls_total", dp->upcalls[kind].handled,
                  "kind", texts[kind], NULL);
    }
    dp_metric_family(out, "bvs_upcalls_lost", "counter",
                     "What found its ring to the main thread full.");
    for (int kind = 0; kind < DP_N_UPCALLS; kind++) {
        uint64_t lost = 0;

        for (unsigned w = 0; w < dp->n_workers; w++) {
            lost += atomic_load_explicit(&dp->workers[w]->rings[kind].lost,
                                         memory_order_relaxed);
        }
        dp_metric(out, "bvs_upcalls_lost_total", lost, "kind", texts[kind],
                  NULL);
    }
}

/* Drops. */

static void
add_drop(const struct dp_drop_cause *cause, uint64_t n,
         const struct dp_drop_head *head OVS_UNUSED, void *sums_)
{
    uint64_t *sums = sums_;

    sums[cause->reason] += n;
}

static void
put_drops(const struct dp *dp, struct ds *out)
{
    const struct dp_bridge *bridge;

    dp_metric_family(out, "bvs_drops", "counter",
                     "Packets dropped, by reason (as drop/show has them).");
    LIST_FOR_EACH (bridge, node, &dp->bridges) {
        uint64_t sums[DP_N_DROPS] = { 0 };

        for (unsigned w = 0; w < dp->n_workers; w++) {
            dp_drops_each(&bridge->stats[w]->drops, add_drop, sums);
        }
        for (int reason = 0; reason < DP_N_DROPS; reason++) {
            dp_metric(out, "bvs_drops_total", sums[reason],
                      "bridge", bridge->name,
                      "reason", dp_drop_name(reason), NULL);
        }
    }
}

void
dp_metrics_format(const struct dp *dp, struct ds *out)
{
    put_totals(dp, out);
    put_workers(dp, out);
    put_cycles(dp, out);
    put_upcalls(dp, out);
    put_drops(dp, out);
}
