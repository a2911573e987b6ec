/* SPDX-License-Identifier: Apache-2.0 */

/* The command trace/live BRIDGE MATCH [COUNT [SECONDS]]: traces of the next
 * COUNT packets (1) that match and arrive within SECONDS (10), with what each
 * step of theirs took.
 *
 * Workers put copies of their records (datapath/tap.h) into a bounded list,
 * which the main thread explains when it is full or the time is over. */

#include <config.h>
#include "ofproto/trace.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include "datapath/tap.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/poll-loop.h"
#include "ofproto/compile/match.h"
#include "ofproto/compile/pipeline.h"
#include "ofproto/of.h"
#include "ovs-thread.h"
#include "seq.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

enum { MAX_COUNT = 1000, DEFAULT_SECONDS = 10, MAX_SECONDS = 3600 };

/* A command that waits for packets. */
struct live {
    struct ovs_list node;       /* In 'all'. */
    struct unixctl_conn *conn;
    struct of_bridge *bridge;
    struct dp_tap *tap;
    enum of_parse_level parse;
    long long int deadline;     /* In ms. */

    struct ovs_mutex mutex;
    atomic_uint wanted;         /* How many are still to come. */
    unsigned n OVS_GUARDED;
    struct of_trace_run *runs[MAX_COUNT] OVS_GUARDED;
};

static struct ovs_list all = OVS_LIST_INITIALIZER(&all);
static struct seq *arrived;     /* Changes when the last one has come. */

/* On workers. */

static bool
want(const uint8_t *data OVS_UNUSED, size_t size OVS_UNUSED, void *live_)
{
    struct live *live = live_;
    unsigned wanted;

    atomic_read_relaxed(&live->wanted, &wanted);
    return wanted > 0;
}

static void
done(const struct dp_tap_record *r, void *live_)
{
    struct live *live = live_;
    unsigned wanted;

    ovs_mutex_lock(&live->mutex);
    atomic_read_relaxed(&live->wanted, &wanted);
    if (wanted) {
        live->runs[live->n++] = of_trace_run_copy(r);
        atomic_store_relaxed(&live->wanted, wanted - 1);
    }
    ovs_mutex_unlock(&live->mutex);
    if (wanted == 1) {
        seq_change(arrived);
    }
}

/* The main thread. */

static void
reply(struct live *live)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ovs_mutex_lock(&live->mutex);
    for (unsigned i = 0; i < live->n; i++) {
        char *error;

        ds_put_format(&s, "%sPacket %u\n", i ? "\n" : "", i + 1);
        error = of_trace_explain(live->bridge, live->runs[i], &s);
        if (error) {
            ds_put_format(&s, "%s\n", error);
            free(error);
        }
    }
    if (!live->n) {
        ds_put_cstr(&s, "no packet that matches has come\n");
    }
    ovs_mutex_unlock(&live->mutex);
    unixctl_command_reply(live->conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
finish(struct live *live)
{
    dp_tap_del(live->tap);
    of_pipeline_unneed(live->bridge->pipeline, live->parse);
    reply(live);
    ovs_list_remove(&live->node);
    ovs_mutex_lock(&live->mutex);
    for (unsigned i = 0; i < live->n; i++) {
        of_trace_run_free(live->runs[i]);
    }
    ovs_mutex_unlock(&live->mutex);
    ovs_mutex_destroy(&live->mutex);
    free(live);
}

void
of_trace_live_run(void)
{
    struct live *live;

    LIST_FOR_EACH_SAFE (live, node, &all) {
        if (!want(NULL, 0, live) || time_msec() >= live->deadline) {
            finish(live);
        }
    }
}

void
of_trace_live_wait(void)
{
    struct live *live;

    if (!ovs_list_is_empty(&all)) {
        seq_wait(arrived, seq_read(arrived));
    }
    LIST_FOR_EACH (live, node, &all) {
        if (!want(NULL, 0, live)) {
            poll_immediate_wake();
        }
        poll_timer_wait_until(live->deadline);
    }
}

void
of_trace_live_forget(struct of_bridge *bridge)
{
    struct live *live;

    LIST_FOR_EACH_SAFE (live, node, &all) {
        if (live->bridge == bridge) {
            finish(live);
        }
    }
}

/* Makes the tap's match of 'text', as in ovs-fields(7). */
static char *
parse_match(struct of_bridge *bridge, const char *text,
            struct dp_tap_attr *attr, enum of_parse_level *parse)
{
    struct ofputil_port_map map = OFPUTIL_PORT_MAP_INITIALIZER(&map);
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    struct ofport *port;
    struct of_match m;
    char *error;

    HMAP_FOR_EACH (port, hmap_node, &bridge->dpif.up.ports) {
        ofputil_port_map_put(&map, port->ofp_port,
                             netdev_get_name(port->netdev));
    }
    error = parse_ofp_str(&fm, OFPFC_DELETE, text, &map, NULL, &usable);
    ofputil_port_map_destroy(&map);
    if (error) {
        return error;
    }
    if (of_match_check(&fm.match, parse)) {
        error = xasprintf("%s: cannot be matched on", text);
    } else {
        of_match_make(&fm.match, &m);
        *parse = m.parse;
        for (int i = 0; i < DP_KEY_WORDS; i++) {
            if (m.mask[i]) {
                attr->words[attr->n_words++] = (struct dp_tap_word) {
                    i, m.mask[i], m.key[i]
                };
            }
        }
    }
    minimatch_destroy(&fm.match);
    return error;
}

static char *
parse_number(const char *text, int max, int *np)
{
    return (str_to_int(text, 10, np) && *np >= 1 && *np <= max ? NULL
            : xasprintf("%s: a number from 1 to %d is expected", text, max));
}

static char *
start(struct unixctl_conn *conn, int argc, const char *argv[])
{
    struct of_bridge *bridge = of_bridge_lookup(argv[1]);
    struct dp_tap_attr attr = { .n_words = 0 };
    int count = 1, seconds = DEFAULT_SECONDS;
    enum of_parse_level parse;
    struct live *live;
    char *error;
    int err;

    if (!bridge) {
        return xasprintf("%s: unknown bridge", argv[1]);
    }
    error = parse_match(bridge, argv[2], &attr, &parse);
    if (!error && argc > 3) {
        error = parse_number(argv[3], MAX_COUNT, &count);
    }
    if (!error && argc > 4) {
        error = parse_number(argv[4], MAX_SECONDS, &seconds);
    }
    if (error) {
        return error;
    }
    live = xzalloc(sizeof *live);
    live->conn = conn;
    live->bridge = bridge;
    live->parse = parse;
    live->deadline = time_msec() + seconds * 1000LL;
    ovs_mutex_init(&live->mutex);
    atomic_init(&live->wanted, count);
    attr.want = want;
    attr.done = done;
    attr.aux = live;
    of_pipeline_need(bridge->pipeline, parse);
    err = dp_tap_add(bridge->dpb, &attr, &live->tap);
    if (err) {
        of_pipeline_unneed(bridge->pipeline, parse);
        ovs_mutex_destroy(&live->mutex);
        free(live);
        return xasprintf("cannot look at packets (%s)", ovs_strerror(-err));
    }
    ovs_list_push_back(&all, &live->node);
    return NULL;
}

static void
trace_live(struct unixctl_conn *conn, int argc, const char *argv[],
           void *aux OVS_UNUSED)
{
    char *error = start(conn, argc, argv);

    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    }
}

void
of_trace_live_init(void)
{
    arrived = seq_create();
    unixctl_command_register("trace/live", "bridge match [count [seconds]]",
                             2, 4, trace_live, NULL);
}
