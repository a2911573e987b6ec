/* SPDX-License-Identifier: Apache-2.0 */

/* An OpenFlow connection to a switch, in this process or another. */

#include "tests/random/random.h"

#include <errno.h>
#include <stdlib.h>
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vconn.h"
#include "socket-util.h"
#include "util.h"

static void
must(int error, const char *what)
{
    if (error) {
        ovs_fatal(error > 0 ? error : 0, "OpenFlow connection: %s", what);
    }
}

/* Lets the other end work until it may have something for us. */
static void
wait_for(struct rnd_conn *conn, enum vconn_wait_type what)
{
    if (conn->pump) {
        conn->pump();
    } else {
        vconn_run_wait(conn->vconn);
        vconn_wait(conn->vconn, what);
        poll_block();
    }
    vconn_run(conn->vconn);
}

void
rnd_conn_open(struct rnd_conn *conn, const char *name, int version,
              void (*pump)(void))
{
    int error;

    conn->version = version;
    conn->pump = pump;
    must(vconn_open(name, 1u << version, DSCP_DEFAULT, &conn->vconn), name);
    while ((error = vconn_connect(conn->vconn)) == EAGAIN) {
        wait_for(conn, WAIT_CONNECT);
    }
    must(error, name);
}

static void
send_one(struct rnd_conn *conn, struct ofpbuf *msg)
{
    int error;

    while ((error = vconn_send(conn->vconn, msg)) == EAGAIN) {
        wait_for(conn, WAIT_SEND);
    }
    must(error, "send");
}

static struct ofpbuf *
receive_one(struct rnd_conn *conn, enum ofptype *type)
{
    struct ofpbuf *msg;

    for (;;) {
        int error = vconn_recv(conn->vconn, &msg);

        if (error == EAGAIN) {
            wait_for(conn, WAIT_RECV);
            continue;
        }
        must(error, "receive");
        if (ofptype_decode(type, msg->data)) {
            ovs_fatal(0, "OpenFlow connection: what is this message?");
        }
        if (*type != OFPTYPE_ECHO_REQUEST) {
            return msg;
        }
        send_one(conn, ofputil_encode_echo_reply(msg->data));
        ofpbuf_delete(msg);
    }
}

char *
rnd_conn_send(struct rnd_conn *conn, struct ovs_list *msgs)
{
    char *error = NULL;
    struct ofpbuf *msg;
    enum ofptype type;

    LIST_FOR_EACH_POP (msg, list_node, msgs) {
        send_one(conn, msg);
    }
    send_one(conn, ofputil_encode_barrier_request(conn->version));
    do {
        msg = receive_one(conn, &type);
        if (type == OFPTYPE_ERROR && !error) {
            error = xstrdup(ofperr_get_name(ofperr_decode_msg(msg->data,
                                                              NULL)));
        }
        ofpbuf_delete(msg);
    } while (type != OFPTYPE_BARRIER_REPLY);
    return error;
}

/* Groups and meters. */

static void
put_group(struct rnd_conn *conn, int command, const char *text,
          struct ovs_list *msgs)
{
    enum ofputil_protocol usable;
    struct ofputil_group_mod gm;
    struct ofpbuf *msg;
    char *error;

    error = parse_ofp_group_mod_str(&gm, command, text, NULL, NULL, &usable);
    if (error) {
        ovs_fatal(0, "%s: %s", text, error);
    }
    msg = ofputil_encode_group_mod(conn->version, &gm, NULL, -1);
    ovs_list_push_back(msgs, &msg->list_node);
    ofputil_uninit_group_mod(&gm);
}

static void
put_meter(struct rnd_conn *conn, int command, const char *text,
          struct ovs_list *msgs)
{
    enum ofputil_protocol usable;
    struct ofputil_meter_mod mm;
    struct ofpbuf *msg;
    char *error;

    error = parse_ofp_meter_mod_str(&mm, text, command, &usable);
    if (error) {
        ovs_fatal(0, "%s: %s", text, error);
    }
    msg = ofputil_encode_meter_mod(conn->version, &mm);
    ovs_list_push_back(msgs, &msg->list_node);
    if (command != OFPMC13_DELETE) {
        free(mm.meter.bands);
    }
}

char *
rnd_conn_set_up(struct rnd_conn *conn, const struct rnd_case *c)
{
    struct ovs_list msgs = OVS_LIST_INITIALIZER(&msgs);

    put_group(conn, OFPGC11_DELETE, "group_id=all", &msgs);
    put_meter(conn, OFPMC13_DELETE, "meter=all", &msgs);
    for (int i = 1; i <= c->n_meters; i++) {
        char *text = rnd_meter_text(i);

        put_meter(conn, OFPMC13_ADD, text, &msgs);
        free(text);
    }
    /* Groups lead to later ones only. */
    for (int i = c->n_groups - 1; i >= 0; i--) {
        char *text = rnd_group_text(&c->groups[i]);

        put_group(conn, OFPGC11_ADD, text, &msgs);
        free(text);
    }
    return rnd_conn_send(conn, &msgs);
}

static void
read_groups(struct ofpbuf *reply, struct rnd_result *r)
{
    struct ofputil_group_stats gs;

    while (!ofputil_decode_group_stats_reply(reply, &gs)) {
        if (gs.group_id <= RND_MAX_GROUPS) {
            r->groups[gs.group_id] = gs.packet_count;
            for (int i = 0; i < MIN(gs.n_buckets, RND_MAX_BUCKETS); i++) {
                r->buckets[gs.group_id][i] = gs.bucket_stats[i].packet_count;
            }
        }
        free(gs.bucket_stats);
    }
}

static void
read_meters(struct ofpbuf *reply, struct rnd_result *r)
{
    struct ofputil_meter_stats ms;
    struct ofpbuf bands;

    ofpbuf_init(&bands, 64);
    while (!ofputil_decode_meter_stats(reply, &ms, &bands)) {
        if (ms.meter_id <= RND_MAX_METERS) {
            r->meters[ms.meter_id] = ms.packet_in_count;
        }
    }
    ofpbuf_uninit(&bands);
}

static void
request(struct rnd_conn *conn, struct ofpbuf *msg,
        void (*read)(struct ofpbuf *, struct rnd_result *),
        struct rnd_result *r)
{
    enum ofptype type;
    bool more;

    send_one(conn, msg);
    do {
        struct ofpbuf *reply = receive_one(conn, &type);

        if (type == OFPTYPE_ERROR) {
            ovs_fatal(0, "OpenFlow connection: no statistics");
        }
        more = ofpmp_more(reply->data);
        read(reply, r);
        ofpbuf_delete(reply);
    } while (more);
}

void
rnd_conn_read_counters(struct rnd_conn *conn, struct rnd_result *r)
{
    request(conn, ofputil_encode_group_stats_request(conn->version, OFPG_ALL),
            read_groups, r);
    request(conn, ofputil_encode_meter_request(conn->version,
                                               OFPUTIL_METER_STATS,
                                               OFPM13_ALL), read_meters, r);
}
