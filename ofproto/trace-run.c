/* SPDX-License-Identifier: Apache-2.0 */

/* What programs did with a packet, and whether that is what the slow path
 * says. */

#include <config.h>
#include "ofproto/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include "datapath/tap.h"
#include "dp-packet.h"
#include "openvswitch/dynamic-string.h"
#include "ofproto/of.h"
#include "ofproto/slowpath.h"
#include "util.h"

struct out {
    uint32_t port, size;
    uint8_t *data;              /* Owned. */
};

struct of_trace_run {
    struct dp_tap_record record;        /* Without its pointers. */
    struct dp_packet *packet;   /* Owned. */
    struct out *outs;           /* Owned. */
};

struct of_trace_run *
of_trace_run_copy(const struct dp_tap_record *r)
{
    struct of_trace_run *run = xmalloc(sizeof *run);

    run->record = *r;
    run->record.data = NULL;
    run->record.ctx = NULL;
    run->packet = dp_packet_clone_data(r->data, r->size);
    run->outs = xcalloc(MAX(r->n_outs, 1), sizeof *run->outs);
    for (uint32_t i = 0; i < r->n_outs; i++) {
        struct out *out = &run->outs[i];
        const struct dp_packet *packet = dp_tap_out(r, i, &out->port,
                                                    &out->size);

        out->data = xmemdup(dp_packet_data(packet), MAX(out->size, 1));
    }
    return run;
}

void
of_trace_run_free(struct of_trace_run *run)
{
    if (run) {
        for (uint32_t i = 0; i < run->record.n_outs; i++) {
            free(run->outs[i].data);
        }
        free(run->outs);
        dp_packet_delete(run->packet);
        free(run);
    }
}

const struct dp_packet *
of_trace_run_packet(const struct of_trace_run *run)
{
    return run->packet;
}

uint32_t
of_trace_run_in_port(const struct of_trace_run *run)
{
    return run->record.in_port;
}

static void
copy_run(const struct dp_tap_record *r, void *runp_)
{
    struct of_trace_run **runp = runp_;

    *runp = of_trace_run_copy(r);
}

struct of_trace_run *
of_trace_dry_run(struct of_bridge *bridge, const struct dp_packet *packet,
                 uint32_t in_port)
{
    struct of_trace_run *run = NULL;

    dp_bridge_dry_run(bridge->dpb,
                      dp_packet_clone_data_with_headroom(
                          dp_packet_data(packet), dp_packet_size(packet),
                          128),
                      in_port, copy_run, &run);
    return run;
}

/* Steps. */

static void
format_step(const struct dp_tap_step *step, struct ds *s)
{
    if (step->slot == DP_SLOT_PARSE) {
        ds_put_cstr(s, "parse");
    } else if (dp_tap_step_table(step) >= 0) {
        ds_put_format(s, "table %d", dp_tap_step_table(step));
    } else if (step->slot == DP_SLOT_END) {
        ds_put_cstr(s, "end");
    } else if (step->is_bucket) {
        ds_put_cstr(s, "bucket");
    } else {
        ds_put_format(s, "actions of table %"PRIu8", cookie %#"PRIx64,
                      step->table_id, step->cookie);
    }
}

void
of_trace_run_format_cycles(const struct of_trace_run *run, struct ds *s)
{
    const struct dp_tap_record *r = &run->record;
    size_t n = dp_tap_n_steps(r);

    ds_put_cstr(s, "Cycles:\n");
    for (size_t i = 0; i < n; i++) {
        const struct dp_tap_step *step = &r->steps[i];
        uint64_t end = i + 1 < n ? step[1].tsc : r->end_tsc;

        ds_put_format(s, "%8"PRIu64"  ", end - step->tsc);
        format_step(step, s);
        ds_put_char(s, '\n');
    }
    if (n < r->n_steps) {
        ds_put_format(s, "          %"PRIuSIZE" more steps\n",
                      r->n_steps - n);
    }
    if (n) {
        ds_put_format(s, "%8"PRIu64"  in all, of worker %u\n",
                      r->end_tsc - r->steps[0].tsc, r->worker);
    }
}

/* Comparison. */

static bool
compare_rules(const struct of_slow_out *out, const struct dp_tap_record *r,
              struct ds *s)
{
    const struct of_slow_effect *e;
    size_t n = dp_tap_n_steps(r), i = 0, rules = 0;

    LIST_FOR_EACH (e, node, &out->effects) {
        if (e->kind != OF_SLOW_RULE) {
            continue;
        }
        while (i < n && !dp_tap_step_is_rule(r->steps, i)) {
            i++;
        }
        rules++;
        if (i >= n) {
            if (n < r->n_steps) {
                return true;    /* The rest was not recorded. */
            }
            ds_put_format(s, "programs met %"PRIuSIZE" rules only\n",
                          rules - 1);
            return false;
        }
        if (e->rule.rule->entry.flow != DP_HIT_FLOW(r->steps[i].hit)) {
            ds_put_format(s, "rule number %"PRIuSIZE": ", rules);
            format_step(&r->steps[i], s);
            ds_put_cstr(s, " in programs\n");
            return false;
        }
        i++;
    }
    for (; i < n; i++) {
        if (dp_tap_step_is_rule(r->steps, i)) {
            ds_put_cstr(s, "programs met one more: ");
            format_step(&r->steps[i], s);
            ds_put_char(s, '\n');
            return false;
        }
    }
    return true;
}

static bool
is_same_output(const struct out *o, const struct of_slow_effect *e)
{
    return (o->port == ofp_to_u16(e->output.port)
            && o->size == dp_packet_size(e->output.packet)
            && !memcmp(o->data, dp_packet_data(e->output.packet), o->size));
}

/* In any order: a flood has none. */
static bool
compare_outputs(const struct of_slow_out *out, const struct of_trace_run *run,
                struct ds *s)
{
    uint32_t n = run->record.n_outs, n_same = 0;
    bool *used = xcalloc(MAX(n, 1), sizeof *used);
    const struct of_slow_effect *e;
    bool same = true;

    LIST_FOR_EACH (e, node, &out->effects) {
        uint32_t i = 0;

        if (e->kind != OF_SLOW_OUTPUT) {
            continue;
        }
        while (i < n && (used[i] || !is_same_output(&run->outs[i], e))) {
            i++;
        }
        if (i < n) {
            used[i] = true;
            n_same++;
        } else if (same) {
            same = false;
            ds_put_format(s, "programs do not output to port %"PRIu32":\n",
                          e->output.port);
            ds_put_hex(s, dp_packet_data(e->output.packet),
                       dp_packet_size(e->output.packet));
            ds_put_char(s, '\n');
        }
    }
    for (uint32_t i = 0; same && n_same < n && i < n; i++) {
        if (!used[i]) {
            same = false;
            ds_put_format(s, "programs output to port %"PRIu32", too:\n",
                          run->outs[i].port);
            ds_put_hex(s, run->outs[i].data, run->outs[i].size);
            ds_put_char(s, '\n');
        }
    }
    free(used);
    return same;
}

bool
of_trace_agree(const struct of_slow_out *out, const struct of_trace_run *run,
               struct ds *s)
{
    const struct dp_tap_record *r = &run->record;
    enum dp_tap_fate fate = (out->n_outputs ? DP_TAP_OUTPUT
                             : out->n_packet_ins ? DP_TAP_TO_MAIN
                             : DP_TAP_DROPPED);

    if (fate == DP_TAP_DROPPED && out->drop == DP_DROP_NO_RECV) {
        return true;            /* Decided before the programs. */
    }
    if (fate != r->fate) {
        static const char *const fates[] = {
            "output", "sent to a controller", "dropped"
        };

        ds_put_format(s, "the packet is %s in programs, not %s\n",
                      fates[r->fate], fates[fate]);
        return false;
    }
    if (fate == DP_TAP_DROPPED
        && (out->drop == DP_DROP_RESUBMIT_DEPTH
            || out->drop == DP_DROP_RESUBMITS
            || out->drop == DP_DROP_FRAMES)) {
        return true;            /* Which lookup is the last one is not said
                                 * anywhere. */
    }
    return compare_rules(out, r, s) && compare_outputs(out, run, s);
}
