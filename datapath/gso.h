/* SPDX-License-Identifier: Apache-2.0 */

/* What a kernel leaves undone in packets that stay on the machine: checksums
 * and segmentation, as `struct virtio_net_hdr` describes them.
 *
 * A sender behind a veth hands over TCP super-frames of up to 64 KB and
 * packets whose checksum field holds the pseudo-header's sum only.  The
 * kernel says so in the header of a packet socket with PACKET_VNET_HDR.  It
 * says it for these packets only, so a packet that arrived with a wrong
 * checksum is forwarded with it.
 *
 * Threads: pure functions on what they are given. */

#ifndef DATAPATH_GSO_H
#define DATAPATH_GSO_H 1

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_packet;

/* Completes the checksum of 'packet' if 'vnet' says that it is partial.  0,
 * or -EINVAL if 'vnet' and 'packet' do not fit. */
int dp_complete_checksum(struct dp_packet *packet,
                         const struct virtio_net_hdr *vnet);

/* A super-frame being cut.  It is no packet: those hold 65,535 bytes. */
struct dp_gso {
    const uint8_t *frame;       /* Borrowed; null: none. */
    size_t frame_size;
    uint16_t l3_ofs, l4_ofs;
    uint16_t headers;           /* Bytes that each segment repeats. */
    uint16_t size;              /* Payload of a segment. */
    bool ipv6, tcp;
    uint32_t next;              /* Offset of the next segment's payload. */
    uint32_t index;             /* Of the next segment. */
};

/* Starts to cut the 'size' bytes at 'frame', which must stay until the last
 * segment was taken.  0, or -EINVAL if 'vnet' and 'frame' do not fit,
 * -EOPNOTSUPP for what cannot be cut. */
int dp_gso_start(struct dp_gso *, const void *frame, size_t size,
                 const struct virtio_net_hdr *vnet);
/* The next segment (the caller's), or null after the last. */
struct dp_packet *dp_gso_next(struct dp_gso *);

#endif /* datapath/gso.h */
