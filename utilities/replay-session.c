/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-session.h"

#include <errno.h>
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vconn.h"
#include "socket-util.h"
#include "util.h"
#include "utilities/replay-clock.h"
#include "utilities/replay-switch.h"

/* Real time after which the switch is said to be silent. */
enum { PATIENCE_MS = 60000 };

static char *
is_lost(int error)
{
    return xasprintf("the switch closed its OpenFlow connection (%s)",
                     ovs_retval_to_string(error));
}

/* Asks for the format of flows that 'session->protocol' says, which a new
 * connection has only from OpenFlow 1.2 on. */
static char *
set_protocol(struct replay_session *session)
{
    int version = vconn_get_version(session->vconn);
    enum ofputil_protocol current = ofputil_protocol_from_ofp_version(version);
    char *error = NULL;

    while (current != session->protocol && !error) {
        struct ofpbuf *msg = ofputil_encode_set_protocol(
            current, session->protocol, &current);

        if (!msg) {
            break;
        }
        error = replay_session_send(session, msg);
    }
    return error;
}

char *
replay_session_open(enum ofputil_protocol protocols,
                    struct replay_session *session)
{
    bool nicira = (protocols & OFPUTIL_P_OF10_NXM_TID) != 0;
    int64_t start = replay_clock_real_ms();
    int error;

    protocols = nicira ? OFPUTIL_P_OF10_NXM_TID
                : protocols & OFPUTIL_P_ANY_OXM;
    session->vconn = NULL;
    error = vconn_open(replay_switch_openflow(),
                       ofputil_protocols_to_version_bitmap(protocols),
                       DSCP_DEFAULT, &session->vconn);
    while (!error) {
        vconn_run(session->vconn);
        error = vconn_connect(session->vconn);
        if (error != EAGAIN) {
            break;
        }
        error = replay_clock_real_ms() - start > PATIENCE_MS ? ETIMEDOUT : 0;
        replay_switch_run();
    }
    if (error) {
        vconn_close(session->vconn);
        session->vconn = NULL;
        return xasprintf("no OpenFlow connection to the switch (%s)",
                         ovs_retval_to_string(error));
    }
    session->protocol = nicira ? protocols
                        : ofputil_protocol_from_ofp_version(
                              vconn_get_version(session->vconn));
    return set_protocol(session);
}

void
replay_session_close(struct replay_session *session)
{
    if (session->vconn) {
        vconn_close(session->vconn);
        session->vconn = NULL;
        for (int i = 0; i < 8; i++) {
            replay_switch_run();
        }
    }
}

char *
replay_session_send(struct replay_session *session, struct ofpbuf *msg)
{
    int error;

    while ((error = vconn_send(session->vconn, msg)) == EAGAIN) {
        vconn_run(session->vconn);
        replay_switch_run();
    }
    if (error) {
        ofpbuf_delete(msg);
        return is_lost(error);
    }
    return NULL;
}

char *
replay_session_poll(struct replay_session *session, struct ofpbuf **msgp)
{
    int error;

    vconn_run(session->vconn);
    error = vconn_recv(session->vconn, msgp);
    if (error) {
        *msgp = NULL;
    } else {
        const struct ofp_header *oh = (*msgp)->data;
        enum ofptype type;

        if (!ofptype_decode(&type, oh) && type == OFPTYPE_ECHO_REQUEST) {
            char *sentence = replay_session_send(
                session, ofputil_encode_echo_reply(oh));

            ofpbuf_delete(*msgp);
            *msgp = NULL;
            return sentence;
        }
    }
    return error && error != EAGAIN ? is_lost(error) : NULL;
}

char *
replay_session_receive(struct replay_session *session, struct ofpbuf **msgp)
{
    int64_t start = replay_clock_real_ms();
    char *sentence;

    while (!(sentence = replay_session_poll(session, msgp)) && !*msgp) {
        replay_switch_run();
        if (replay_clock_real_ms() - start > PATIENCE_MS) {
            return xstrdup("the switch does not answer");
        }
    }
    return sentence;
}

char *
replay_session_barrier(struct replay_session *session, enum ofperr *refusalp,
                       uint32_t *xidp)
{
    int version = vconn_get_version(session->vconn);
    bool done = false;
    char *sentence;

    *refusalp = 0;
    *xidp = 0;
    sentence = replay_session_send(session,
                                   ofputil_encode_barrier_request(version));
    while (!sentence && !done) {
        struct ofpbuf *reply;

        sentence = replay_session_receive(session, &reply);
        if (!sentence) {
            const struct ofp_header *oh = reply->data;
            enum ofptype type;

            if (!ofptype_decode(&type, oh)) {
                if (type == OFPTYPE_ERROR && !*refusalp) {
                    *refusalp = ofperr_decode_msg(oh, NULL);
                    *xidp = ntohl(oh->xid);
                }
                done = type == OFPTYPE_BARRIER_REPLY;
            }
            ofpbuf_delete(reply);
        }
    }
    return sentence;
}
