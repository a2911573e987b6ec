/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_SWITCH_H
#define UTILITIES_REPLAY_SWITCH_H 1

/* The switch of bvs-replay: the daemon's parts (OVSDB server, vswitchd's
 * bridge code, the provider, the datapath polled from the main thread) in
 * this process, with one bridge "br0" whose ports are replay-netdev.h's.
 *
 * Nothing is shared with other processes; its sockets lie in a directory of
 * its own, which replay_switch_exit() removes.  Only one switch a process.
 *
 * Threads: main thread only.  Functions that can fail return NULL, or a
 * sentence that the caller frees. */

#include <stdbool.h>
#include <stddef.h>

struct replay_switch_config {
    const unsigned int *ports;      /* OpenFlow numbers, the devices p<N>. */
    size_t n_ports;
    const char *config_file;        /* bvs-vsctl commands, or NULL. */
};

/* Before anything else of Open vSwitch is used. */
char *replay_switch_prepare(void);

char *replay_switch_start(const struct replay_switch_config *);
void replay_switch_exit(void);

/* The address of br0's OpenFlow management socket. */
const char *replay_switch_openflow(void);

/* One round of the main loop at the present virtual time; never waits. */
void replay_switch_run(void);

/* Runs until every packet that a port has queued is through. */
void replay_switch_flush(void);

#endif /* utilities/replay-switch.h */
