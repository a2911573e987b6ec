/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_LISTENER_H
#define UTILITIES_REPLAY_LISTENER_H 1

/* A controller that only listens: it takes packet-ins and notes which flows
 * are removed, and when.
 *
 * Functions that can fail return NULL, or a sentence that the caller frees. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ds;
struct replay_listener;

/* Gets every packet that the switch sends to the controller. */
typedef void replay_packet_in_cb(const void *packet, size_t size, void *aux);

/* 'old': speak OpenFlow 1.0, so that packets that match no flow come here
 * where the table says so or nothing else.  Newer controllers get those only
 * by a flow's action. */
char *replay_listener_open(bool old, replay_packet_in_cb *, void *aux,
                           struct replay_listener **);
void replay_listener_close(struct replay_listener *);

/* Takes what the switch has sent. */
char *replay_listener_run(struct replay_listener *);

/* Lines about flows that were removed. */
const struct ds *replay_listener_events(const struct replay_listener *);
uint64_t replay_listener_packet_ins(const struct replay_listener *);

#endif /* utilities/replay-listener.h */
