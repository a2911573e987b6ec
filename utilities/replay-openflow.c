/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-openflow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "byte-order.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-table.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"
#include "utilities/replay-session.h"

/* Installing flows. */

static int
line_of_xid(const struct replay_flows *flows, const uint32_t *xids,
            uint32_t xid)
{
    for (size_t i = 0; i < flows->n; i++) {
        if (xids[i] == xid) {
            return flows->flows[i].line;
        }
    }
    return 0;
}

char *
replay_openflow_install(const struct replay_flows *flows)
{
    uint32_t *xids = xcalloc(MAX(flows->n, 1), sizeof *xids);
    struct replay_session session;
    enum ofperr refusal = 0;
    uint32_t xid = 0;
    char *sentence;

    sentence = replay_session_open(flows->usable, &session);
    for (size_t i = 0; i < flows->n && !sentence; i++) {
        struct ofpbuf *msg = ofputil_encode_flow_mod(&flows->flows[i].mod,
                                                     session.protocol);

        xids[i] = ntohl(((const struct ofp_header *) msg->data)->xid);
        sentence = replay_session_send(&session, msg);
    }
    if (!sentence) {
        sentence = replay_session_barrier(&session, &refusal, &xid);
    }
    if (!sentence && refusal) {
        sentence = xasprintf("%s:%d: the switch refuses this flow (%s)",
                             flows->file, line_of_xid(flows, xids, xid),
                             ofperr_to_string(refusal));
    }
    replay_session_close(&session);
    free(xids);
    return sentence;
}

/* Table-miss. */

static char *
parse_table_miss(const char *setting, struct ofputil_table_mod *tm,
                 uint32_t *versions)
{
    char *table = xstrdup(setting);
    char *mode = strchr(table, ':');
    char *sentence = NULL, *why;
    const char *name;

    if (mode) {
        *mode++ = '\0';
    }
    why = parse_ofp_table_mod(tm, &name, table, mode ? mode : "", NULL,
                              versions);
    if (why || tm->miss == OFPUTIL_TABLE_MISS_DEFAULT) {
        sentence = xasprintf("--table-miss=%s: expected TABLE:MODE, with MODE "
                             "one of controller, continue, drop", setting);
    }
    free(why);
    free(table);
    return sentence;
}

char *
replay_openflow_table_miss(const char *setting)
{
    struct ofputil_table_mod tm;
    struct replay_session session;
    enum ofperr refusal = 0;
    uint32_t versions, xid;
    char *sentence;

    sentence = parse_table_miss(setting, &tm, &versions);
    if (sentence) {
        return sentence;
    }
    sentence = replay_session_open(
        ofputil_protocols_from_version_bitmap(versions), &session);
    if (!sentence) {
        struct ofpbuf *msg = ofputil_encode_table_mod(&tm, session.protocol);

        sentence = replay_session_send(&session, msg);
    }
    if (!sentence) {
        sentence = replay_session_barrier(&session, &refusal, &xid);
    }
    if (!sentence && refusal) {
        sentence = xasprintf("--table-miss=%s: the switch refuses it (%s)",
                             setting, ofperr_to_string(refusal));
    }
    replay_session_close(&session);
    return sentence;
}

/* Dumping flows. */

struct line {
    uint8_t table_id;
    uint16_t priority;
    char *text;
};

static int
compare_lines(const void *a_, const void *b_)
{
    const struct line *a = a_;
    const struct line *b = b_;

    if (a->table_id != b->table_id) {
        return a->table_id < b->table_id ? -1 : 1;
    }
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    return strcmp(a->text, b->text);
}

static char *
format_flow(const struct ofputil_flow_stats *fs)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    const struct ofpact_format_params params = { .s = &s };
    size_t length;

    if (fs->cookie) {
        ds_put_format(&s, "cookie=0x%"PRIx64", ", ntohll(fs->cookie));
    }
    ds_put_format(&s, "table=%u, n_packets=%"PRIu64", n_bytes=%"PRIu64", ",
                  fs->table_id, fs->packet_count, fs->byte_count);
    if (fs->idle_timeout) {
        ds_put_format(&s, "idle_timeout=%u, ", fs->idle_timeout);
    }
    if (fs->hard_timeout) {
        ds_put_format(&s, "hard_timeout=%u, ", fs->hard_timeout);
    }
    length = s.length;
    match_format(&fs->match, NULL, &s, fs->priority);
    if (s.length != length) {
        ds_put_char(&s, ' ');
    }
    ds_put_cstr(&s, "actions=");
    ofpacts_format(fs->ofpacts, fs->ofpacts_len, &params);
    return ds_steal_cstr(&s);
}

/* Takes the flows out of one part of the reply. */
static char *
take_flows(struct ofpbuf *reply, struct line **lines, size_t *n,
           size_t *allocated)
{
    struct ofputil_flow_stats fs;
    struct ofpbuf ofpacts;
    int retval;

    ofpbuf_init(&ofpacts, 0);
    while (!(retval = ofputil_decode_flow_stats_reply(&fs, reply, false,
                                                      &ofpacts))) {
        if (*n >= *allocated) {
            *lines = x2nrealloc(*lines, allocated, sizeof **lines);
        }
        (*lines)[(*n)++] = (struct line) {
            .table_id = fs.table_id,
            .priority = fs.priority,
            .text = format_flow(&fs),
        };
    }
    ofpbuf_uninit(&ofpacts);
    return (retval == EOF ? NULL
            : xstrdup("the switch's answer about its flows is malformed"));
}

char *
replay_openflow_dump(enum ofputil_protocol protocols, struct ds *out)
{
    struct ofputil_flow_stats_request request = {
        .table_id = OFPTT_ALL,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };
    size_t n = 0, allocated = 0;
    struct replay_session session;
    struct line *lines = NULL;
    bool more = true;
    char *sentence;

    match_init_catchall(&request.match);
    sentence = replay_session_open(protocols, &session);
    if (!sentence) {
        struct ofpbuf *msg = ofputil_encode_flow_stats_request(
            &request, session.protocol);

        sentence = replay_session_send(&session, msg);
    }
    while (!sentence && more) {
        struct ofpbuf *reply;

        sentence = replay_session_receive(&session, &reply);
        if (!sentence) {
            more = ofpmp_more(reply->data);
            sentence = take_flows(reply, &lines, &n, &allocated);
            ofpbuf_delete(reply);
        }
    }
    replay_session_close(&session);
    if (n) {
        qsort(lines, n, sizeof *lines, compare_lines);
    }
    for (size_t i = 0; i < n; i++) {
        ds_put_format(out, "  %s\n", lines[i].text);
        free(lines[i].text);
    }
    free(lines);
    return sentence;
}
