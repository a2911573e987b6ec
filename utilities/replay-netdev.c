/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-netdev.h"

#include <errno.h>
#include <stdlib.h>
#include "dp-packet.h"
#include "netdev-provider.h"
#include "netdev.h"
#include "openvswitch/poll-loop.h"
#include "util.h"

/* A packet on its way into the switch. */
struct item {
    struct ovs_list node;
    struct dp_packet *packet;
};

struct replay_netdev {
    struct netdev up;
    struct ovs_list node;           /* In 'devices'. */
    unsigned int port;
    struct eth_addr mac;
    enum netdev_flags flags;
    struct netdev_stats stats;
    struct ovs_list queue;          /* Contains "struct item"s. */
};

struct replay_rxq {
    struct netdev_rxq up;
};

static struct ovs_list devices = OVS_LIST_INITIALIZER(&devices);
static unsigned int n_pending;
static replay_send_cb *send_cb;
static void *send_aux;

static struct replay_netdev *
replay_netdev_cast(const struct netdev *netdev)
{
    return CONTAINER_OF(netdev, struct replay_netdev, up);
}

static struct netdev *
replay_netdev_alloc(void)
{
    struct replay_netdev *dev = xzalloc(sizeof *dev);

    return &dev->up;
}

static int
replay_netdev_construct(struct netdev *netdev)
{
    struct replay_netdev *dev = replay_netdev_cast(netdev);
    const char *name = netdev_get_name(netdev);
    int number;

    if (name[0] != 'p' || !str_to_int(name + 1, 10, &number) || number < 1
        || number > UINT16_MAX) {
        return EINVAL;
    }
    dev->port = number;
    dev->mac = (struct eth_addr) ETH_ADDR_C(02,00,00,ff,00,00);
    dev->mac.ea[4] = number >> 8;
    dev->mac.ea[5] = number;
    dev->flags = NETDEV_UP;
    ovs_list_init(&dev->queue);
    ovs_list_push_back(&devices, &dev->node);
    return 0;
}

static void
drain(struct replay_netdev *dev)
{
    struct item *item;

    LIST_FOR_EACH_POP (item, node, &dev->queue) {
        dp_packet_delete(item->packet);
        free(item);
        n_pending--;
    }
}

static void
replay_netdev_destruct(struct netdev *netdev)
{
    struct replay_netdev *dev = replay_netdev_cast(netdev);

    drain(dev);
    ovs_list_remove(&dev->node);
}

static void
replay_netdev_dealloc(struct netdev *netdev)
{
    free(replay_netdev_cast(netdev));
}

static int
replay_netdev_send(struct netdev *netdev, int qid OVS_UNUSED,
                   struct dp_packet_batch *batch,
                   bool concurrent_txq OVS_UNUSED)
{
    struct replay_netdev *dev = replay_netdev_cast(netdev);
    struct dp_packet *packet;

    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        dev->stats.tx_packets++;
        dev->stats.tx_bytes += dp_packet_size(packet);
        send_cb(dev->port, packet, send_aux);
    }
    dp_packet_delete_batch(batch, true);
    return 0;
}

static int
replay_netdev_set_etheraddr(struct netdev *netdev, const struct eth_addr mac)
{
    replay_netdev_cast(netdev)->mac = mac;
    netdev_change_seq_changed(netdev);
    return 0;
}

static int
replay_netdev_get_etheraddr(const struct netdev *netdev, struct eth_addr *mac)
{
    *mac = replay_netdev_cast(netdev)->mac;
    return 0;
}

static int
replay_netdev_get_mtu(const struct netdev *netdev OVS_UNUSED, int *mtup)
{
    *mtup = 65535;
    return 0;
}

static int
replay_netdev_get_stats(const struct netdev *netdev,
                        struct netdev_stats *stats)
{
    *stats = replay_netdev_cast(netdev)->stats;
    return 0;
}

static int
replay_netdev_update_flags(struct netdev *netdev, enum netdev_flags off,
                           enum netdev_flags on, enum netdev_flags *old)
{
    struct replay_netdev *dev = replay_netdev_cast(netdev);

    *old = dev->flags;
    dev->flags = (dev->flags & ~off) | on;
    if (dev->flags != *old) {
        netdev_change_seq_changed(netdev);
    }
    return 0;
}

/* Receiving. */

static struct netdev_rxq *
replay_rxq_alloc(void)
{
    struct replay_rxq *rxq = xzalloc(sizeof *rxq);

    return &rxq->up;
}

static int
replay_rxq_construct(struct netdev_rxq *rxq OVS_UNUSED)
{
    return 0;
}

static void
replay_rxq_destruct(struct netdev_rxq *rxq OVS_UNUSED)
{
}

static void
replay_rxq_dealloc(struct netdev_rxq *rxq)
{
    free(CONTAINER_OF(rxq, struct replay_rxq, up));
}

static int
replay_rxq_recv(struct netdev_rxq *rxq, struct dp_packet_batch *batch,
                int *qfill)
{
    struct replay_netdev *dev = replay_netdev_cast(rxq->netdev);
    struct item *item;

    if (ovs_list_is_empty(&dev->queue)) {
        return EAGAIN;
    }
    while (!dp_packet_batch_is_full(batch)
           && !ovs_list_is_empty(&dev->queue)) {
        item = CONTAINER_OF(ovs_list_pop_front(&dev->queue), struct item,
                            node);
        n_pending--;
        dp_packet_batch_add(batch, item->packet);
        dev->stats.rx_packets++;
        dev->stats.rx_bytes += dp_packet_size(item->packet);
        free(item);
    }
    if (qfill) {
        *qfill = ovs_list_size(&dev->queue);
    }
    return 0;
}

static void
replay_rxq_wait(struct netdev_rxq *rxq)
{
    if (!ovs_list_is_empty(&replay_netdev_cast(rxq->netdev)->queue)) {
        poll_immediate_wake();
    }
}

static int
replay_rxq_drain(struct netdev_rxq *rxq)
{
    drain(replay_netdev_cast(rxq->netdev));
    return 0;
}

static const struct netdev_class replay_class = {
    .type = "replay",
    .alloc = replay_netdev_alloc,
    .construct = replay_netdev_construct,
    .destruct = replay_netdev_destruct,
    .dealloc = replay_netdev_dealloc,
    .send = replay_netdev_send,
    .set_etheraddr = replay_netdev_set_etheraddr,
    .get_etheraddr = replay_netdev_get_etheraddr,
    .get_mtu = replay_netdev_get_mtu,
    .get_stats = replay_netdev_get_stats,
    .update_flags = replay_netdev_update_flags,
    .rxq_alloc = replay_rxq_alloc,
    .rxq_construct = replay_rxq_construct,
    .rxq_destruct = replay_rxq_destruct,
    .rxq_dealloc = replay_rxq_dealloc,
    .rxq_recv = replay_rxq_recv,
    .rxq_wait = replay_rxq_wait,
    .rxq_drain = replay_rxq_drain,
};

void
replay_netdev_register(replay_send_cb *cb, void *aux)
{
    send_cb = cb;
    send_aux = aux;
    netdev_register_provider(&replay_class);
}

int
replay_netdev_receive(unsigned int port, struct dp_packet *packet)
{
    struct replay_netdev *dev;

    LIST_FOR_EACH (dev, node, &devices) {
        if (dev->port == port) {
            struct item *item = xmalloc(sizeof *item);

            item->packet = packet;
            ovs_list_push_back(&dev->queue, &item->node);
            n_pending++;
            return 0;
        }
    }
    dp_packet_delete(packet);
    return ENODEV;
}

unsigned int
replay_netdev_pending(void)
{
    return n_pending;
}
