/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_NETDEV_H
#define UTILITIES_REPLAY_NETDEV_H 1

/* Ports of bvs-replay: the netdev class "replay".
 *
 * A device called "p7" is end number 7: what is queued for it is received by
 * the switch in order, and what the switch sends goes to one callback.
 *
 * Threads: main thread only; the switch polls its ports there. */

struct dp_packet;

/* Gets every packet that a device sends; borrows 'packet'. */
typedef void replay_send_cb(unsigned int port, const struct dp_packet *packet,
                            void *aux);

void replay_netdev_register(replay_send_cb *, void *aux);

/* Queues 'packet' (owned by the callee) for device "p<port>".  Returns 0, or
 * ENODEV if there is no such device. */
int replay_netdev_receive(unsigned int port, struct dp_packet *packet);

/* Packets queued and not yet received by the switch. */
unsigned int replay_netdev_pending(void);

#endif /* utilities/replay-netdev.h */
