/* SPDX-License-Identifier: Apache-2.0 */

/* Stock Open vSwitch: bridge br0 with dummy ports p1 to p4 of a running
 * ovs-vswitchd.  Its cache is off (other_config:flow-limit=0), so that each
 * packet is translated and every counter is exact at once.
 *
 * Packets go in by `netdev-dummy/receive' and come out in pcap files.  The
 * reply to that command says that the packet is queued; ovs-vswitchd's main
 * loop runs the datapath before it answers the next OpenFlow message, so
 * after a barrier the outputs are in the files. */

#include "tests/random/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "jsonrpc.h"
#include "byte-order.h"
#include "flow.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-table.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/vconn.h"
#include "socket-util.h"
#include "unixctl.h"
#include "util.h"

static struct vconn *vconn;         /* Requests. */
static struct vconn *events;        /* Packet-ins only. */
static struct rnd_conn conn;        /* Groups and meters. */
static bool had_groups;             /* The last case. */
static struct jsonrpc *ctl;
static int pcaps[RND_N_PORTS + 1];
static uint64_t lookups[RND_MAX_TABLES], matches[RND_MAX_TABLES];

static void
must(int error, const char *what)
{
    if (error) {
        ovs_fatal(error > 0 ? error : 0, "stock Open vSwitch: %s", what);
    }
}

/* OpenFlow. */

static struct vconn *
connect_to(const char *dir)
{
    char *name = xasprintf("unix:%s/br0.mgmt", dir);
    struct vconn *v;

    must(vconn_open_block(name, 1u << OFP13_VERSION, DSCP_DEFAULT, -1, &v),
         name);
    free(name);
    return v;
}

static void
send_one(struct vconn *v, struct ofpbuf *msg, const char *what)
{
    struct ofpbuf *reply;

    must(vconn_transact_noreply(v, msg, &reply), what);
    if (reply) {
        ovs_fatal(0, "stock Open vSwitch refuses: %s", what);
    }
}

static void
barrier(void)
{
    struct ofpbuf *reply;

    must(vconn_transact(vconn, ofputil_encode_barrier_request(OFP13_VERSION),
                        &reply), "barrier");
    ofpbuf_delete(reply);
}

static struct ofpbuf *
delete_all(void)
{
    struct ofputil_flow_mod fm = {
        .command = OFPFC_DELETE,
        .table_id = OFPTT_ALL,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };
    struct match match;
    struct ofpbuf *msg;

    match_init_catchall(&match);
    minimatch_init(&fm.match, &match);
    msg = ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF13_OXM);
    minimatch_destroy(&fm.match);
    return msg;
}

static void
subscribe(void)
{
    struct ofputil_switch_config config = {
        .frag = OFPUTIL_FRAG_NORMAL,
        .invalid_ttl_to_controller = -1,
        .miss_send_len = UINT16_MAX,
    };
    struct ofputil_async_cfg async;

    memset(&async, 0, sizeof async);
    async.primary[OAM_PACKET_IN] = UINT32_MAX;

    send_one(events, ofputil_encode_set_packet_in_format(
                 OFP13_VERSION, OFPUTIL_PACKET_IN_NXT2), "packet-in format");
    send_one(events, ofputil_encode_set_config(&config, OFP13_VERSION),
             "set-config");
    send_one(events, ofputil_encode_set_async_config(
                 &async, 1u << OAM_PACKET_IN, OFP13_VERSION), "async config");
}

/* Commands. */

static void
command(const char *name, int argc, char *argv[])
{
    char *result, *err;

    must(unixctl_client_transact(ctl, name, argc, argv, &result, &err), name);
    if (err) {
        ovs_fatal(0, "stock Open vSwitch: %s: %s", name, err);
    }
    free(result);
}

/* Outputs. */

struct pcap_record {
    uint32_t sec, usec, captured, size;
};

static void
read_pcap(int port, struct rnd_result *r)
{
    struct pcap_record record;
    uint8_t data[4096];

    while (read(pcaps[port], &record, sizeof record) == sizeof record) {
        if (record.captured > sizeof data
            || read(pcaps[port], data, record.captured)
            != (ssize_t) record.captured) {
            ovs_fatal(0, "p%d.pcap is cut", port);
        }
        if (r) {
            rnd_result_output(r, port, data, record.captured);
        }
    }
}

static void
read_packet_ins(struct rnd_result *r)
{
    struct ofpbuf *msg;

    vconn_run(events);
    while (!vconn_recv(events, &msg)) {
        struct ofputil_packet_in pin;
        enum ofptype type;

        if (!ofptype_decode(&type, msg->data) && type == OFPTYPE_PACKET_IN) {
            /* That a packet of no bytes is sent, but not decoded, is a fault
             * of libopenvswitch's. */
            enum ofperr error = ofputil_decode_packet_in(
                msg->data, true, NULL, NULL, &pin, NULL, NULL, NULL);

            if (r && (!error || !pin.packet_len)) {
                rnd_result_output(r, RND_TO_CONTROLLER, pin.packet,
                                  pin.packet_len);
            }
        } else if (type == OFPTYPE_ECHO_REQUEST) {
            vconn_send_block(events, ofputil_encode_echo_reply(msg->data));
        }
        ofpbuf_delete(msg);
    }
}

static void
read_outputs(struct rnd_result *r)
{
    for (int i = 1; i <= RND_N_PORTS; i++) {
        read_pcap(i, r);
    }
    read_packet_ins(r);
}

/* Counters. */

static void
read_flows(struct rnd_result *r)
{
    struct ofputil_flow_stats_request fsr = {
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = OFPTT_ALL,
    };
    struct ofputil_flow_stats *stats;
    size_t n;

    match_init_catchall(&fsr.match);
    must(vconn_dump_flows(vconn, &fsr, OFPUTIL_P_OF13_OXM, &stats, &n),
         "dump-flows");
    for (size_t i = 0; i < n; i++) {
        uint64_t cookie = ntohll(stats[i].cookie);

        if (cookie <= RND_MAX_RULES) {
            r->present[cookie] = true;
            r->rules[cookie].packets += stats[i].packet_count;
            r->rules[cookie].bytes += stats[i].byte_count;
        }
        free(CONST_CAST(struct ofpact *, stats[i].ofpacts));
    }
    free(stats);
}

static void
read_tables(struct rnd_result *r)
{
    struct ofpbuf *reply;

    must(vconn_transact(vconn,
                        ofpraw_alloc(OFPRAW_OFPST_TABLE_REQUEST,
                                     OFP13_VERSION, 0),
                        &reply), "dump-tables");
    for (;;) {
        struct ofputil_table_features features;
        struct ofputil_table_stats stats;

        if (ofputil_decode_table_stats_reply(reply, &stats, &features)) {
            break;
        }
        if (stats.table_id < RND_MAX_TABLES) {
            int i = stats.table_id;

            r->lookups[i] = stats.lookup_count - lookups[i];
            r->matches[i] = stats.matched_count - matches[i];
            lookups[i] = stats.lookup_count;
            matches[i] = stats.matched_count;
        }
    }
    ofpbuf_delete(reply);
}

/* A case. */

static void
install(const struct rnd_case *c, struct rnd_result *r)
{
    struct ovs_list msgs = OVS_LIST_INITIALIZER(&msgs);
    struct ofpbuf *reply;

    if (c->n_groups || c->n_meters || had_groups) {
        /* Flows first: ovs-vswitchd 3.1 fails an assertion when it deletes a
         * group that a flow names twice. */
        send_one(vconn, delete_all(), "delete");
        r->error = rnd_conn_set_up(&conn, c);
        had_groups = c->n_groups || c->n_meters;
        if (r->error) {
            return;
        }
    }
    ovs_list_push_back(&msgs, &delete_all()->list_node);
    for (int i = 0; i < c->n_rules; i++) {
        ovs_list_push_back(&msgs, &rnd_encode(&c->rules[i])->list_node);
    }
    must(vconn_transact_multiple_noreply(vconn, &msgs, &reply), "flow_mods");
    if (reply) {
        enum ofperr error = ofperr_decode_msg(reply->data, NULL);

        r->error = xstrdup(ofperr_get_name(error));
        ofpbuf_delete(reply);
    }
}

static void
receive(const struct rnd_case *c, struct rnd_result *r)
{
    for (int i = 0; i < c->n_packets; i++) {
        const struct rnd_packet *p = &c->packets[i];
        char *hex = rnd_hex(p->data, p->size);
        char port[16];

        snprintf(port, sizeof port, "p%d", p->in_port);
        command("netdev-dummy/receive", 2, (char *[]) { port, hex });
        free(hex);
        barrier();
        r->current = i;
        read_outputs(r);
    }
}

static void
packet_out(const struct rnd_case *c, struct rnd_result *r)
{
    struct ovs_list msgs = OVS_LIST_INITIALIZER(&msgs);
    struct ofpbuf *reply;
    struct ofpact_output output;

    ofpact_init_OUTPUT(&output);
    output.port = OFPP_TABLE;
    for (int i = 0; i < c->n_packets; i++) {
        const struct rnd_packet *p = &c->packets[i];
        struct ofputil_packet_out po = {
            .packet = p->data,
            .packet_len = p->size,
            .buffer_id = UINT32_MAX,
            .ofpacts = &output.ofpact,
            .ofpacts_len = sizeof output,
        };
        struct ofpbuf *msg;

        match_init_catchall(&po.flow_metadata);
        match_set_in_port(&po.flow_metadata, u16_to_ofp(p->in_port));
        msg = ofputil_encode_packet_out(&po, OFPUTIL_P_OF13_OXM);
        ovs_list_push_back(&msgs, &msg->list_node);
    }
    must(vconn_transact_multiple_noreply(vconn, &msgs, &reply),
         "packet-outs");
    /* An error is the answer to a loop; the outputs show the rest. */
    ofpbuf_delete(reply);
    /* Packet-ins go out in the next round of the main loop: the reply to a
     * command ends this one. */
    command("version", 0, NULL);
    barrier();
    r->by_port = true;
    read_outputs(r);
}

void
rnd_stock_run(const struct rnd_case *c, struct rnd_result *r,
              bool use_packet_out)
{
    install(c, r);
    if (r->error) {
        return;
    }
    if (rnd_any_action(c, "normal")) {
        command("fdb/flush", 0, NULL);
    }
    if (use_packet_out) {
        packet_out(c, r);
    } else {
        receive(c, r);
    }
    read_flows(r);
    read_tables(r);
    if (had_groups) {
        rnd_conn_read_counters(&conn, r);
    }
}

void
rnd_stock_init(const char *dir)
{
    struct rnd_result r;
    char *path;

    vconn = connect_to(dir);
    events = connect_to(dir);
    path = xasprintf("unix:%s/br0.mgmt", dir);
    rnd_conn_open(&conn, path, OFP15_VERSION, NULL);
    free(path);
    path = xasprintf("%s/ovs-vswitchd.ctl", dir);
    must(unixctl_client_create(path, &ctl), path);
    free(path);
    for (int i = 1; i <= RND_N_PORTS; i++) {
        path = xasprintf("%s/p%d.pcap", dir, i);
        pcaps[i] = open(path, O_RDONLY);
        if (pcaps[i] < 0 || lseek(pcaps[i], 24, SEEK_SET) < 0) {
            ovs_fatal(errno, "%s", path);
        }
        free(path);
    }
    subscribe();
    read_outputs(NULL);
    memset(&r, 0, sizeof r);
    read_tables(&r);
}
