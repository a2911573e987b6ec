/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-listener.h"

#include <inttypes.h>
#include <stdlib.h>
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"
#include "utilities/replay-clock.h"
#include "utilities/replay-session.h"

struct replay_listener {
    struct replay_session session;
    replay_packet_in_cb *packet_in;
    void *aux;
    int64_t start;              /* Virtual time of the connection. */
    uint64_t n_packet_ins;
    struct ds events;
};

static void
put_since_start(const struct replay_listener *listener, struct ds *out)
{
    int64_t ms = (replay_clock_now() - listener->start) / 1000;

    ds_put_format(out, "%"PRId64".%03"PRId64" s: ", ms / 1000, ms % 1000);
}

static void
handle_flow_removed(struct replay_listener *listener,
                    const struct ofp_header *oh)
{
    char reason[OFP_FLOW_REMOVED_REASON_BUFSIZE];
    struct ofputil_flow_removed removed;
    struct ds *out = &listener->events;

    if (ofputil_decode_flow_removed(&removed, oh)) {
        return;
    }
    put_since_start(listener, out);
    ds_put_format(out, "flow removed (%s): table=%u, n_packets=%"PRIu64", "
                  "n_bytes=%"PRIu64", ",
                  ofp_flow_removed_reason_to_string(removed.reason, reason,
                                                    sizeof reason),
                  removed.table_id, removed.packet_count,
                  removed.byte_count);
    match_format(&removed.match, NULL, out, removed.priority);
    ds_put_char(out, '\n');
}

static void
handle_packet_in(struct replay_listener *listener, const struct ofp_header *oh)
{
    struct ofputil_packet_in pin;
    uint32_t buffer_id;
    size_t total_size;

    if (!ofputil_decode_packet_in(oh, true, NULL, NULL, &pin, &total_size,
                                  &buffer_id, NULL)) {
        listener->n_packet_ins++;
        listener->packet_in(pin.packet, pin.packet_len, listener->aux);
    }
}

char *
replay_listener_run(struct replay_listener *listener)
{
    struct ofpbuf *msg;
    char *sentence;

    while (!(sentence = replay_session_poll(&listener->session, &msg))
           && msg) {
        enum ofptype type;

        if (!ofptype_decode(&type, msg->data)) {
            if (type == OFPTYPE_PACKET_IN) {
                handle_packet_in(listener, msg->data);
            } else if (type == OFPTYPE_FLOW_REMOVED) {
                handle_flow_removed(listener, msg->data);
            }
        }
        ofpbuf_delete(msg);
    }
    return sentence;
}

char *
replay_listener_open(bool old, replay_packet_in_cb *packet_in, void *aux,
                     struct replay_listener **listenerp)
{
    const struct ofputil_switch_config config = {
        .frag = OFPUTIL_FRAG_NORMAL,
        .invalid_ttl_to_controller = -1,
        .miss_send_len = UINT16_MAX,
    };
    struct replay_listener *listener = xzalloc(sizeof *listener);
    enum ofp_version version;
    enum ofperr refusal;
    uint32_t xid;
    char *error;

    *listenerp = listener;
    listener->packet_in = packet_in;
    listener->aux = aux;
    listener->start = replay_clock_now();
    ds_init(&listener->events);

    error = replay_session_open(old ? OFPUTIL_P_OF10_NXM_TID
                                : OFPUTIL_P_OF13_UP, &listener->session);
    if (error) {
        return error;
    }
    /* A connection like this one gets nothing unasked before it has said how
     * much of a packet it wants; and until its first question the switch
     * takes it for one of OpenFlow 1.0. */
    version = ofputil_protocol_to_ofp_version(listener->session.protocol);
    error = replay_session_send(&listener->session,
                                ofputil_encode_set_config(&config, version));
    if (!error) {
        error = replay_session_send(
            &listener->session,
            ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST, version, 0));
    }
    return error ? error : replay_session_barrier(&listener->session,
                                                  &refusal, &xid);
}

void
replay_listener_close(struct replay_listener *listener)
{
    if (listener) {
        replay_session_close(&listener->session);
        ds_destroy(&listener->events);
        free(listener);
    }
}

const struct ds *
replay_listener_events(const struct replay_listener *listener)
{
    return &listener->events;
}

uint64_t
replay_listener_packet_ins(const struct replay_listener *listener)
{
    return listener->n_packet_ins;
}
