/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/monitor.h"

#include <stdlib.h>
#include "bfd.h"
#include "cfm.h"
#include "dp-packet.h"
#include "hash.h"
#include "latch.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-lldp.h"
#include "ovs-thread.h"
#include "seq.h"
#include "timeval.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/of.h"

VLOG_DEFINE_THIS_MODULE(of_monitor);

/* The thread looks at least this often, as OVS's does. */
enum { INTERVAL_MS = 100 };

struct mport {
    struct hmap_node node;          /* In 'mports', by 'port'. */
    struct of_port *port;           /* Only to know it by, and to be sent to
                                     * by the main thread. */
    struct dp_port *dpp;
    struct bfd *bfd;                /* References, or null. */
    struct cfm *cfm;
    struct lldp *lldp;
    struct eth_addr hw_addr;
    long long int next;             /* When to run it, in ms. */
};

/* A frame for the main thread to send. */
struct outgoing {
    struct ovs_list node;           /* In 'outbox'. */
    struct of_port *port;
    struct dp_packet *packet;       /* Owned. */
};

static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct hmap mports OVS_GUARDED_BY(mutex) = HMAP_INITIALIZER(&mports);
static struct ovs_list outbox OVS_GUARDED_BY(mutex)
    = OVS_LIST_INITIALIZER(&outbox);

/* The main thread's. */
static pthread_t thread;
static bool running;
static struct latch stop;
static struct seq *thread_seq;      /* To wake the thread up... */
static struct seq *main_seq;        /* ...and the main thread. */

static struct mport *
find(const struct of_port *port)
    OVS_REQUIRES(mutex)
{
    struct mport *m;

    HMAP_FOR_EACH_WITH_HASH (m, node, hash_pointer(port, 0), &mports) {
        if (m->port == port) {
            return m;
        }
    }
    return NULL;
}

/* The thread. */

static void
transmit(struct mport *m, struct dp_packet *packet)
    OVS_REQUIRES(mutex)
{
    if (!dp_port_send_directly(m->dpp, packet)) {
        struct outgoing *out = xmalloc(sizeof *out);

        out->port = m->port;
        out->packet = packet;
        ovs_list_push_back(&outbox, &out->node);
        seq_change(main_seq);
    }
}

static void
mport_run(struct mport *m)
    OVS_REQUIRES(mutex)
{
    struct dp_packet *packet;

    m->next = LLONG_MAX;
    if (m->cfm) {
        if (cfm_should_send_ccm(m->cfm)) {
            packet = dp_packet_new(0);
            cfm_compose_ccm(m->cfm, packet, m->hw_addr);
            transmit(m, packet);
        }
        cfm_run(m->cfm);
        m->next = MIN(m->next, cfm_wait(m->cfm));
    }
    if (m->bfd) {
        if (bfd_should_send_packet(m->bfd)) {
            bool oam;

            packet = dp_packet_new(0);
            bfd_put_packet(m->bfd, packet, m->hw_addr, &oam);
            transmit(m, packet);
        }
        bfd_run(m->bfd);
        m->next = MIN(m->next, bfd_wait(m->bfd));
    }
    if (m->lldp) {
        if (lldp_should_send_packet(m->lldp)) {
            packet = dp_packet_new(0);
            lldp_put_packet(m->lldp, packet, m->hw_addr);
            transmit(m, packet);
        }
        m->next = MIN(m->next, lldp_wait(m->lldp));
    }
}

static void *
monitor_main(void *arg OVS_UNUSED)
{
    while (!latch_is_set(&stop)) {
        uint64_t seqno = seq_read(thread_seq);
        long long int next;
        struct mport *m;

        ovs_mutex_lock(&mutex);
        next = time_msec() + INTERVAL_MS;
        HMAP_FOR_EACH (m, node, &mports) {
            if (m->next <= time_msec()) {
                mport_run(m);
            }
            next = MIN(next, m->next);
        }
        ovs_mutex_unlock(&mutex);

        poll_timer_wait_until(next);
        seq_wait(thread_seq, seqno);
        latch_wait(&stop);
        poll_block();
    }
    return NULL;
}

static void
start_or_stop(bool needed)
{
    if (needed && !running) {
        if (!thread_seq) {
            thread_seq = seq_create();
            main_seq = seq_create();
        }
        latch_init(&stop);
        thread = ovs_thread_create("monitor", monitor_main, NULL);
        running = true;
    } else if (!needed && running) {
        latch_set(&stop);
        xpthread_join(thread, NULL);
        latch_destroy(&stop);
        running = false;
    } else if (running) {
        seq_change(thread_seq);
    }
}

/* The main thread's side. */

static void
mport_set(struct mport *m, const struct of_port *port)
    OVS_REQUIRES(mutex)
{
    const struct of_link *link = &port->link;

    bfd_unref(m->bfd);
    cfm_unref(m->cfm);
    lldp_unref(m->lldp);
    m->bfd = bfd_ref(link->bfd);
    m->cfm = cfm_ref(link->cfm);
    m->lldp = lldp_ref(link->lldp);
    m->dpp = port->dpp;
    m->hw_addr = port->up.pp.hw_addr;
    m->next = 0;
}

void
of_monitor_port(struct of_port *port)
{
    const struct of_link *link = &port->link;
    struct mport *m;
    bool needed;

    if (!port->dpp || !(link->bfd || link->cfm || link->lldp)) {
        of_monitor_remove(port);
        return;
    }
    ovs_mutex_lock(&mutex);
    m = find(port);
    if (!m) {
        m = xzalloc(sizeof *m);
        m->port = port;
        hmap_insert(&mports, &m->node, hash_pointer(port, 0));
    }
    mport_set(m, port);
    needed = !hmap_is_empty(&mports);
    ovs_mutex_unlock(&mutex);
    start_or_stop(needed);
}

void
of_monitor_remove(struct of_port *port)
{
    struct outgoing *out;
    struct mport *m;
    bool needed;

    ovs_mutex_lock(&mutex);
    m = find(port);
    if (m) {
        hmap_remove(&mports, &m->node);
        bfd_unref(m->bfd);
        cfm_unref(m->cfm);
        lldp_unref(m->lldp);
        free(m);
    }
    LIST_FOR_EACH_SAFE (out, node, &outbox) {
        if (out->port == port) {
            ovs_list_remove(&out->node);
            dp_packet_delete(out->packet);
            free(out);
        }
    }
    needed = !hmap_is_empty(&mports);
    ovs_mutex_unlock(&mutex);
    start_or_stop(needed);
}

void
of_monitor_send_soon(struct of_port *port)
{
    struct mport *m;

    ovs_mutex_lock(&mutex);
    m = find(port);
    if (m) {
        m->next = 0;
    }
    ovs_mutex_unlock(&mutex);
    if (running) {
        seq_change(thread_seq);
    }
}

void
of_monitor_run(void)
{
    struct ovs_list list = OVS_LIST_INITIALIZER(&list);
    struct outgoing *out;

    ovs_mutex_lock(&mutex);
    ovs_list_push_back_all(&list, &outbox);
    ovs_mutex_unlock(&mutex);
    LIST_FOR_EACH_POP (out, node, &list) {
        of_port_send(out->port, out->packet);
        free(out);
    }
}

void
of_monitor_wait(void)
{
    if (running) {
        uint64_t seqno = seq_read(main_seq);
        bool waiting;

        ovs_mutex_lock(&mutex);
        waiting = !ovs_list_is_empty(&outbox);
        ovs_mutex_unlock(&mutex);
        if (waiting) {
            poll_immediate_wake();
        }
        seq_wait(main_seq, seqno);
    }
}
