/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_SESSION_H
#define UTILITIES_REPLAY_SESSION_H 1

/* An OpenFlow connection to the switch in this process.
 *
 * Functions that can fail return NULL, or a sentence that the caller frees.
 * They run the switch until it has answered. */

#include <stdint.h>
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-protocol.h"

struct ofpbuf;
struct vconn;

struct replay_session {
    struct vconn *vconn;
    enum ofputil_protocol protocol;
};

/* Connects with one of 'protocols': OpenFlow 1.0 with the Nicira extensions
 * if it is among them, as ovs-ofctl does by itself, else the highest version.
 * Some actions (mod_vlan_vid) mean something else from OpenFlow 1.1 on. */
char *replay_session_open(enum ofputil_protocol protocols,
                          struct replay_session *);

/* Returns when the switch has noticed. */
void replay_session_close(struct replay_session *);

/* Takes 'msg'. */
char *replay_session_send(struct replay_session *, struct ofpbuf *msg);

/* Takes the next message, or sets '*msgp' to NULL if there is none yet. */
char *replay_session_poll(struct replay_session *, struct ofpbuf **msgp);

/* Waits for the next message. */
char *replay_session_receive(struct replay_session *, struct ofpbuf **msgp);

/* Waits until the switch has done all it was asked.  '*refusalp' becomes the
 * first error that it sent, or 0, and '*xidp' the message that it is about. */
char *replay_session_barrier(struct replay_session *, enum ofperr *refusalp,
                             uint32_t *xidp);

#endif /* utilities/replay-session.h */
