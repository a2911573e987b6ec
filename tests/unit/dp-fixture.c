/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/unit/dp-fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "datapath/drops.h"
#include "datapath/bridge.h"
#include "datapath/private.h"
#include "dp-packet.h"
#include "flow.h"
#include "netdev-provider.h"
#include "odp-util.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "vm/asm.h"
#include "vm/prog.h"

/* The device. */

struct fx_queue {
    struct dp_packet **packets;
    size_t n, head, allocated;
};

struct fx_netdev {
    struct netdev up;
    struct ovs_mutex mutex;
    struct seq *seq;
    struct fx_queue rx, tx;
    bool fail;
};

static struct fx_netdev *
fx_netdev_cast(const struct netdev *netdev)
{
    return CONTAINER_OF(netdev, struct fx_netdev, up);
}

static void
queue_push(struct fx_queue *queue, struct dp_packet *packet)
{
    if (queue->n >= queue->allocated) {
        queue->packets = x2nrealloc(queue->packets, &queue->allocated,
                                    sizeof *queue->packets);
    }
    queue->packets[queue->n++] = packet;
}

static struct dp_packet *
queue_pop(struct fx_queue *queue)
{
    struct dp_packet *packet = NULL;

    if (queue->head < queue->n) {
        packet = queue->packets[queue->head++];
        if (queue->head == queue->n) {
            queue->head = queue->n = 0;
        }
    }
    return packet;
}

static void
queue_clear(struct fx_queue *queue)
{
    struct dp_packet *packet;

    while ((packet = queue_pop(queue))) {
        dp_packet_delete(packet);
    }
    free(queue->packets);
}

static struct netdev *
fx_netdev_alloc(void)
{
    struct fx_netdev *dev = xzalloc(sizeof *dev);

    return &dev->up;
}

static int
fx_netdev_construct(struct netdev *netdev)
{
    struct fx_netdev *dev = fx_netdev_cast(netdev);

    ovs_mutex_init(&dev->mutex);
    dev->seq = seq_create();
    netdev->n_rxq = 1;
    netdev->n_txq = 1;
    return 0;
}

static void
fx_netdev_destruct(struct netdev *netdev)
{
    struct fx_netdev *dev = fx_netdev_cast(netdev);

    queue_clear(&dev->rx);
    queue_clear(&dev->tx);
    seq_destroy(dev->seq);
    ovs_mutex_destroy(&dev->mutex);
}

static void
fx_netdev_dealloc(struct netdev *netdev)
{
    free(fx_netdev_cast(netdev));
}

static int
fx_netdev_update_flags(struct netdev *netdev, enum netdev_flags off,
                       enum netdev_flags on, enum netdev_flags *old)
{
    *old = NETDEV_UP;
    return 0;
}

static int
fx_netdev_get_etheraddr(const struct netdev *netdev, struct eth_addr *mac)
{
    *mac = eth_addr_zero;
    return 0;
}

static int
fx_netdev_send(struct netdev *netdev, int qid, struct dp_packet_batch *batch,
               bool concurrent)
{
    struct fx_netdev *dev = fx_netdev_cast(netdev);
    struct dp_packet *packet;
    bool fail;

    ovs_mutex_lock(&dev->mutex);
    fail = dev->fail;
    DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
        if (fail) {
            dp_packet_delete(packet);
        } else {
            queue_push(&dev->tx, packet);
        }
    }
    ovs_mutex_unlock(&dev->mutex);
    return fail ? EAGAIN : 0;
}

static struct netdev_rxq *
fx_rxq_alloc(void)
{
    return xzalloc(sizeof(struct netdev_rxq));
}

static int
fx_rxq_construct(struct netdev_rxq *rxq)
{
    return 0;
}

static void
fx_rxq_destruct(struct netdev_rxq *rxq)
{
}

static void
fx_rxq_dealloc(struct netdev_rxq *rxq)
{
    free(rxq);
}

static int
fx_rxq_recv(struct netdev_rxq *rxq, struct dp_packet_batch *batch, int *qfill)
{
    struct fx_netdev *dev = fx_netdev_cast(rxq->netdev);
    struct dp_packet *packet;

    ovs_mutex_lock(&dev->mutex);
    while (!dp_packet_batch_is_full(batch)
           && (packet = queue_pop(&dev->rx))) {
        dp_packet_batch_add(batch, packet);
    }
    ovs_mutex_unlock(&dev->mutex);
    return dp_packet_batch_is_empty(batch) ? EAGAIN : 0;
}

static void
fx_rxq_wait(struct netdev_rxq *rxq)
{
    struct fx_netdev *dev = fx_netdev_cast(rxq->netdev);
    uint64_t seq = seq_read(dev->seq);

    ovs_mutex_lock(&dev->mutex);
    if (dev->rx.n) {
        poll_immediate_wake();
    } else {
        seq_wait(dev->seq, seq);
    }
    ovs_mutex_unlock(&dev->mutex);
}

static const struct netdev_class fx_class = {
    .type = "fx",
    .alloc = fx_netdev_alloc,
    .construct = fx_netdev_construct,
    .destruct = fx_netdev_destruct,
    .dealloc = fx_netdev_dealloc,
    .get_etheraddr = fx_netdev_get_etheraddr,
    .update_flags = fx_netdev_update_flags,
    .send = fx_netdev_send,
    .rxq_alloc = fx_rxq_alloc,
    .rxq_construct = fx_rxq_construct,
    .rxq_destruct = fx_rxq_destruct,
    .rxq_dealloc = fx_rxq_dealloc,
    .rxq_recv = fx_rxq_recv,
    .rxq_wait = fx_rxq_wait,
};

void
fx_push(struct netdev *netdev, struct dp_packet *packet)
{
    struct fx_netdev *dev = fx_netdev_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    queue_push(&dev->rx, packet);
    ovs_mutex_unlock(&dev->mutex);
    seq_change(dev->seq);
}

struct dp_packet *
fx_pop(struct netdev *netdev)
{
    struct fx_netdev *dev = fx_netdev_cast(netdev);
    struct dp_packet *packet;

    ovs_mutex_lock(&dev->mutex);
    packet = queue_pop(&dev->tx);
    ovs_mutex_unlock(&dev->mutex);
    return packet;
}

size_t
fx_n_sent(struct netdev *netdev)
{
    struct fx_netdev *dev = fx_netdev_cast(netdev);
    size_t n;

    ovs_mutex_lock(&dev->mutex);
    n = dev->tx.n - dev->tx.head;
    ovs_mutex_unlock(&dev->mutex);
    return n;
}

void
fx_fail_sends(struct netdev *netdev, bool fail)
{
    struct fx_netdev *dev = fx_netdev_cast(netdev);

    ovs_mutex_lock(&dev->mutex);
    dev->fail = fail;
    ovs_mutex_unlock(&dev->mutex);
}

/* The datapath. */

void
fx_init(struct fx *fx, enum dp_mode mode)
{
    static bool registered;

    if (!registered) {
        registered = true;
        assert_int_equal(netdev_register_provider(&fx_class), 0);
    }
    assert_int_equal(dp_create(mode, &fx->dp), 0);
    assert_int_equal(dp_bridge_create(fx->dp, "br0", fx, &fx->bridge), 0);
    fx->slots = dp_slots_create();
    dp_bridge_set_slots(fx->bridge, fx->slots);
    dp_bridge_set_version(fx->bridge, 1);
}

void
fx_check_totals(struct fx *fx)
{
    long long int deadline = time_msec() + 2000;
    struct dp_totals t;

    /* A worker may receive while its counters are read: the kernel speaks up
     * by itself on a veth. */
    do {
        dp_synchronize(fx->dp);
        dp_get_totals(fx->dp, &t);
    } while (t.received != t.forwarded + t.to_main + t.dropped + t.in_flight
             && time_msec() < deadline);
    assert_int_equal(t.received, t.forwarded + t.to_main + t.dropped
                                 + t.in_flight);
}

void
fx_uninit(struct fx *fx)
{
    struct dp_totals t;

    fx_run(fx);
    fx_check_totals(fx);
    dp_get_totals(fx->dp, &t);
    assert_int_equal(t.in_flight, 0);
    assert_int_equal(t.buffers, 0);
    dp_bridge_destroy(fx->bridge);
    dp_destroy(fx->dp);
}

struct dp_port *
fx_port(struct fx *fx, const char *name, uint32_t ofp_port,
        struct netdev **netdevp)
{
    struct netdev *netdev;
    struct dp_port *port;

    assert_int_equal(netdev_open(name, "fx", &netdev), 0);
    assert_int_equal(dp_port_add(fx->bridge, netdev, ofp_port, &port), 0);
    if (netdevp) {
        *netdevp = netdev;
    }
    netdev_close(netdev);       /* The port has its own reference. */
    return port;
}

void
fx_prog(struct fx *fx, uint32_t slot, const char *format, ...)
{
    struct vm_asm_opts opts = { .type = dp_bridge_prog_type() };
    struct vm_prog_attr attr = { .type = dp_bridge_prog_type() };
    struct vm_insn *insns;
    struct vm_prog *prog;
    struct vm_err err;
    char *text, *name;
    va_list args;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    name = xasprintf("slot %u", slot);
    if (vm_asm(text, &opts, &insns, &attr.n_insns, &err)) {
        fail_msg("%s: %s", name, err.text);
    }
    attr.name = name;
    attr.insns = insns;
    if (vm_prog_load(&attr, &prog, &err)) {
        fail_msg("%s: %s", name, err.text);
    }
    dp_slots_set(fx->slots, slot, prog);
    vm_prog_unref(prog);
    free(insns);
    free(text);
    free(name);
}

void
fx_standard(struct fx *fx)
{
    fx_prog(fx, DP_SLOT_PARSE,
            "r6 = r1\n"
            "call dp_helper_parse\n"
            "r1 = r6\n"
            "r2 = %d\n"
            "call goto_slot\n"
            "exit\n", DP_SLOT_TABLE);
    fx_prog(fx, DP_SLOT_END,
            "r6 = r1\n"
            "call dp_helper_end\n"
            "if r0 == 0 goto out\n"
            "r1 = r6\n"
            "r2 = r0\n"
            "call goto_slot\n"
            "out:\n"
            "exit\n");
}

void
fx_run(struct fx *fx)
{
    for (int i = 0; i < 100000; i++) {
        if (!dp_run(fx->dp)) {
            return;
        }
    }
    fail_msg("the datapath does not come to rest");
}

struct drop_query {
    enum dp_drop_reason reason;
    uint8_t table_id;
    uint64_t cookie;
    uint64_t packets;
};

static void
drop_query_cb(const struct dp_drop_cause *cause, uint64_t packets,
              const struct dp_drop_head *head, void *q_)
{
    struct drop_query *q = q_;

    if (cause->reason == q->reason && cause->table_id == q->table_id
        && cause->cookie == q->cookie) {
        q->packets += packets;
    }
}

uint64_t
fx_drops(struct fx *fx, enum dp_drop_reason reason, uint8_t table_id,
         uint64_t cookie)
{
    struct drop_query q = { reason, table_id, cookie, 0 };

    for (unsigned w = 0; w < fx->dp->n_workers; w++) {
        dp_drops_each(&fx->bridge->stats[w]->drops, drop_query_cb, &q);
    }
    return q.packets;
}

uint32_t
fx_flow(struct fx *fx, uint8_t table_id, uint64_t cookie,
        const uint64_t *param, uint32_t *countersp)
{
    struct dp_flow_attr attr = {
        .params = param,
        .params_size = param ? sizeof *param : 0,
        .counters = DP_COUNTERS_NONE,
        .cookie = cookie,
        .table_id = table_id,
    };
    uint32_t flow;

    if (countersp) {
        attr.counters = dp_counters_alloc(fx->dp);
        *countersp = attr.counters;
    }
    flow = dp_flow_alloc(fx->dp, &attr);
    assert_int_not_equal(flow, DP_FLOW_NONE);
    return flow;
}

struct dp_packet *
fx_packet(const char *text)
{
    struct dp_packet *packet;
    struct ofpbuf key, mask;
    struct flow flow;
    char *error = NULL;
    size_t l7 = 0;

    ofpbuf_init(&key, 0);
    ofpbuf_init(&mask, 0);
    if (odp_flow_from_string(text, NULL, &key, &mask, &error)
        || odp_flow_key_to_flow(key.data, key.size, &flow, &error)) {
        fail_msg("%s: %s", text, error);
    }
    packet = dp_packet_new_with_headroom(256, 128);
    flow_compose(packet, &flow, NULL, l7);
    ofpbuf_uninit(&key);
    ofpbuf_uninit(&mask);
    return packet;
}

void
fx_wait_until(struct fx *fx, bool (*done)(void *aux), void *aux)
{
    long long int deadline = time_msec() + 10000;

    for (;;) {
        bool busy = dp_run(fx->dp);

        if (done(aux)) {
            return;
        } else if (time_msec() > deadline) {
            fail_msg("condition not met within 10 seconds");
        } else if (!busy) {
            dp_wait(fx->dp);
            poll_timer_wait(1);
            poll_block();
        }
    }
}

uint64_t
fx_random(uint64_t *state)
{
    /* splitmix64. */
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
