/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_DAEMON_CHECK_H
#define UTILITIES_DAEMON_CHECK_H 1

/* Two switch daemons in the same folders take each other's sockets away.
 *
 * Returns NULL if neither ours nor a stock ovs-vswitchd runs in OVS_RUNDIR or
 * answers on the control socket 'unixctl' (NULL: the default one), otherwise
 * a sentence that the caller frees.  Call it before daemonize_start(). */
char *daemon_check_alone(const char *unixctl);

#endif /* utilities/daemon-check.h */
