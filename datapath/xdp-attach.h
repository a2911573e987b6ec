/* SPDX-License-Identifier: Apache-2.0 */

/* The XDP program that leads packets of a device to our AF_XDP sockets.
 *
 * It is the one that libxdp brings along; libxdp attaches it with the first
 * socket of a device, through its dispatcher, beside others' programs, and
 * takes it away with the last.  What a process that was killed left behind is
 * found by a journal, the file bvs-xdp in the run directory: a line "IFINDEX
 * ID" for each program attached.
 *
 * Threads: the main thread. */

#ifndef DATAPATH_XDP_ATTACH_H
#define DATAPATH_XDP_ATTACH_H 1

/* Detaches what the journal names; the first call does it, others nothing. */
void dp_xdp_recover(void);

/* Notes the program that leads device 'ifindex' to our sockets... */
void dp_xdp_note(int ifindex);
/* ...and that it is gone. */
void dp_xdp_forget(int ifindex);

#endif /* datapath/xdp-attach.h */
