/* SPDX-License-Identifier: Apache-2.0 */

/* Checksums that a kernel has left to the device, where nothing says so.
 *
 * A kernel that leaves the sum of TCP or UDP to the device has put the sum of
 * the pseudo-header in its place (not inverted).  If that is what a packet
 * has there, its sum is computed.  A packet whose right sum happens to be
 * that number gets the number it had; one that arrived with a wrong sum keeps
 * it but for one chance in 65,536.
 *
 * Threads: pure functions on what they are given. */

#ifndef DATAPATH_CSUM_PARTIAL_H
#define DATAPATH_CSUM_PARTIAL_H 1

struct dp_packet;

void dp_finish_checksum(struct dp_packet *);

#endif /* datapath/csum-partial.h */
