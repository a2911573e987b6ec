/* SPDX-License-Identifier: Apache-2.0 */

/* The thread that sends BFD, CFM and LLDP frames when their time has come,
 * whatever the main thread is busy with, and runs their timers.  It lives as
 * long as a port speaks one of them.
 *
 * Ports that only the main thread can send on (patch, DPDK) get their frames
 * through a list that of_monitor_run() empties.
 *
 * Threads: the main thread calls all of this. */

#ifndef OFPROTO_MONITOR_H
#define OFPROTO_MONITOR_H 1

struct of_port;

/* 'port' has other protocols, another device or address than before. */
void of_monitor_port(struct of_port *);
/* 'port' leaves the datapath: when this returns, the thread does not know
 * it. */
void of_monitor_remove(struct of_port *);
/* A frame is due at once. */
void of_monitor_send_soon(struct of_port *);

/* Sends what is waiting for the main thread. */
void of_monitor_run(void);
void of_monitor_wait(void);

#endif /* ofproto/monitor.h */
