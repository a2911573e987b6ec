/* SPDX-License-Identifier: Apache-2.0 */

/* Ports on network devices of Linux ("system": veth, physical ones).
 *
 * Sending is Open vSwitch's.  Receiving is ours: netdev-linux reads packets
 * as if they had come from a wire, but what a veth's peer sends has partial
 * checksums and TCP super-frames of 64 KB, and its owner may sit in another
 * namespace where we cannot turn that off.  Therefore a packet socket with
 * PACKET_VNET_HDR, on which the kernel tells what is left to do, and gso.h,
 * which does it.  (Taps and internal ports need none of this: a tap that was
 * opened without offloads gets packets that the kernel has finished.)
 *
 * A frame that cannot be finished (encapsulated super-frames; UDP ones on
 * kernels before 6.2, which the kernel itself discards) counts as rx_dropped.
 */

#include "datapath/port.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "datapath/gso.h"
#include "datapath/port-kinds.h"
#include "netdev-provider.h"
#include "netdev.h"
#include "openvswitch/poll-loop.h"
#include "packets.h"
#include "socket-util.h"
#include "util.h"

enum {
    N_MSGS = 32,
    HEADROOM = 128,             /* For tags pushed later. */
    SMALL = 2048,               /* Bytes that go right into a packet. */
    LARGE = 65536 + 512,        /* A super-frame. */
    MAX_PACKET = 65535 - HEADROOM,      /* What is no super-frame. */
    RCVBUF = 4 * 1024 * 1024
};

struct slot {
    struct virtio_net_hdr vnet;
    struct dp_packet *packet;   /* SMALL bytes of tailroom; null: refill. */
    uint8_t *large;             /* LARGE bytes: a frame that does not fit
                                 * into 'packet', but for its first SMALL
                                 * bytes, which lie there. */
    struct iovec iov[3];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
};

struct linux_rxq {
    struct dp_rxq up;
    int fd;
    unsigned n, next;           /* Messages received, and given out. */
    struct dp_gso gso;          /* The super-frame that is being cut. */
    bool gso_vlan;              /* Its segments get 'gso_tpid', 'gso_tci'. */
    ovs_be16 gso_tpid, gso_tci;
    struct mmsghdr msgs[N_MSGS];
    struct slot slots[N_MSGS];
};

static struct linux_rxq *
linux_rxq_cast(struct dp_rxq *rxq)
{
    return CONTAINER_OF(rxq, struct linux_rxq, up);
}

/* Opening. */

static int
open_socket(int ifindex, int *fdp)
{
    struct sockaddr_ll sll = {
        .sll_family = AF_PACKET,
        .sll_ifindex = ifindex,
        .sll_protocol = htons(ETH_P_ALL),
    };
    static const int one = 1, rcvbuf = RCVBUF;
    int fd, error;

    /* Protocol 0: nothing arrives before bind(). */
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf)) {
        /* Without CAP_NET_ADMIN: as much as the system allows. */
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    }
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one)
        || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one)
        || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
                      sizeof one)
        || bind(fd, (struct sockaddr *) &sll, sizeof sll)) {
        error = -errno;
        close(fd);
        return error;
    }
    *fdp = fd;
    return 0;
}

static int
linux_rxq_open(struct dp_port *port, unsigned queue, struct dp_rxq **rxqp)
{
    int ifindex = netdev_get_ifindex(port->netdev);
    struct linux_rxq *rxq;
    int error, fd = -1;

    if (queue) {
        return -EOPNOTSUPP;
    } else if (ifindex < 0) {
        return ifindex;
    }
    error = open_socket(ifindex, &fd);
    if (error) {
        return error;
    }
    rxq = xzalloc(sizeof *rxq);
    rxq->up.port = port;
    rxq->fd = fd;
    for (int i = 0; i < N_MSGS; i++) {
        rxq->slots[i].large = xmalloc(LARGE);
    }
    *rxqp = &rxq->up;
    return 0;
}

static void
linux_rxq_close(struct dp_rxq *rxq_)
{
    struct linux_rxq *rxq = linux_rxq_cast(rxq_);

    close(rxq->fd);
    for (int i = 0; i < N_MSGS; i++) {
        dp_packet_delete(rxq->slots[i].packet);
        free(rxq->slots[i].large);
    }
    free(rxq);
}

/* Receiving. */

static void
prepare(struct mmsghdr *msg, struct slot *slot)
{
    if (!slot->packet) {
        /* packet-path exception: buffers of Open vSwitch's own kind come
         * from the heap. */
        slot->packet = dp_packet_new_with_headroom(SMALL, HEADROOM);
    }
    slot->iov[0].iov_base = &slot->vnet;
    slot->iov[0].iov_len = sizeof slot->vnet;
    slot->iov[1].iov_base = dp_packet_data(slot->packet);
    slot->iov[1].iov_len = SMALL;
    slot->iov[2].iov_base = slot->large + SMALL;
    slot->iov[2].iov_len = LARGE - SMALL;
    memset(&msg->msg_hdr, 0, sizeof msg->msg_hdr);
    msg->msg_hdr.msg_iov = slot->iov;
    msg->msg_hdr.msg_iovlen = 3;
    msg->msg_hdr.msg_control = &slot->control;
    msg->msg_hdr.msg_controllen = sizeof slot->control;
}

/* Receives messages; returns the number of frames that the kernel could not
 * describe and discarded. */
static unsigned
receive(struct linux_rxq *rxq)
{
    int n;

    rxq->n = rxq->next = 0;
    for (int i = 0; i < N_MSGS; i++) {
        prepare(&rxq->msgs[i], &rxq->slots[i]);
    }
    n = recvmmsg(rxq->fd, rxq->msgs, N_MSGS, MSG_DONTWAIT | MSG_TRUNC, NULL);
    if (n > 0) {
        rxq->n = n;
        return 0;
    }
    return n < 0 && errno == EINVAL;
}

/* The 'size' bytes of a frame in one piece. */
static const void *
whole_frame(struct slot *slot, size_t size)
{
    if (size <= SMALL) {
        return dp_packet_data(slot->packet);
    }
    memcpy(slot->large, dp_packet_data(slot->packet), SMALL);
    return slot->large;
}

/* The frame as a packet, the caller's. */
static struct dp_packet *
take_packet(struct slot *slot, size_t size)
{
    struct dp_packet *packet = slot->packet;

    if (size > SMALL) {
        /* packet-path exception: a frame that does not fit. */
        return dp_packet_clone_data_with_headroom(whole_frame(slot, size),
                                                  size, HEADROOM);
    }
    dp_packet_set_size(packet, size);
    slot->packet = NULL;
    return packet;
}

/* The tag that the kernel took out of the frame, if any. */
static bool
read_vlan(struct msghdr *msg, ovs_be16 *tpid, ovs_be16 *tci)
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg;
         cmsg = CMSG_NXTHDR(msg, cmsg)) {
        const struct tpacket_auxdata *aux = (void *) CMSG_DATA(cmsg);

        if (cmsg->cmsg_level == SOL_PACKET
            && cmsg->cmsg_type == PACKET_AUXDATA
            && cmsg->cmsg_len >= CMSG_LEN(sizeof *aux)
            && (aux->tp_status & TP_STATUS_VLAN_VALID || aux->tp_vlan_tci)) {
            *tpid = htons(aux->tp_status & TP_STATUS_VLAN_TPID_VALID
                          ? aux->tp_vlan_tpid : ETH_TYPE_VLAN);
            *tci = htons(aux->tp_vlan_tci);
            return true;
        }
    }
    return false;
}

/* Turns message 'i' into a packet in 'batch' or a super-frame in 'rxq->gso'.
 * Returns the number of frames lost: 0 or 1. */
static unsigned
take_message(struct linux_rxq *rxq, unsigned i,
             struct dp_packet_batch *batch)
{
    struct mmsghdr *msg = &rxq->msgs[i];
    struct slot *slot = &rxq->slots[i];
    struct dp_packet *packet;
    size_t size;
    bool vlan;

    if (msg->msg_len < sizeof slot->vnet + ETH_HEADER_LEN
        || msg->msg_hdr.msg_flags & MSG_TRUNC) {
        return 1;
    }
    size = msg->msg_len - sizeof slot->vnet;
    vlan = read_vlan(&msg->msg_hdr, &rxq->gso_tpid, &rxq->gso_tci);
    rxq->gso_vlan = vlan;
    if (slot->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
        return dp_gso_start(&rxq->gso, whole_frame(slot, size), size,
                            &slot->vnet) != 0;
    }
    if (size > MAX_PACKET) {
        return 1;
    }
    packet = take_packet(slot, size);
    if (dp_complete_checksum(packet, &slot->vnet)) {
        dp_packet_delete(packet);
        return 1;
    }
    if (vlan) {
        eth_push_vlan(packet, rxq->gso_tpid, rxq->gso_tci);
    }
    dp_packet_batch_add(batch, packet);
    return 0;
}

static unsigned
linux_rx(struct dp_rxq *rxq_, struct dp_packet_batch *batch)
{
    struct linux_rxq *rxq = linux_rxq_cast(rxq_);
    unsigned lost = 0;

    if (!rxq->gso.frame && rxq->next >= rxq->n) {
        lost += receive(rxq);
    }
    while (!dp_packet_batch_is_full(batch)) {
        struct dp_packet *segment = dp_gso_next(&rxq->gso);

        if (segment) {
            if (rxq->gso_vlan) {
                eth_push_vlan(segment, rxq->gso_tpid, rxq->gso_tci);
            }
            dp_packet_batch_add(batch, segment);
        } else if (rxq->next < rxq->n) {
            lost += take_message(rxq, rxq->next++, batch);
        } else {
            break;
        }
    }
    return lost;
}

static void
linux_rx_wait(struct dp_rxq *rxq_)
{
    struct linux_rxq *rxq = linux_rxq_cast(rxq_);

    if (rxq->gso.frame || rxq->next < rxq->n) {
        poll_immediate_wake();
    } else {
        poll_fd_wait(rxq->fd, POLLIN);
    }
}

static bool
linux_match(const struct netdev *netdev)
{
    /* Not by the type's name, which dummies take for tests. */
    return netdev_get_class(netdev) == &netdev_linux_class;
}

static unsigned
linux_tx(struct dp_port *port, unsigned worker,
         struct dp_packet_batch *batch)
{
    return dp_port_netdev_ops.tx(port, worker, batch);
}

const struct dp_port_ops dp_port_linux_ops = {
    .name = "linux",
    .tx_is_thread_safe = true,
    .match = linux_match,
    .rxq_open = linux_rxq_open,
    .rxq_close = linux_rxq_close,
    .rx = linux_rx,
    .rx_wait = linux_rx_wait,
    .tx = linux_tx,
};
