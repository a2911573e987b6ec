/* SPDX-License-Identifier: Apache-2.0 */

/* Ports: where packets come from and go to.
 *
 * A kind of port is a const `struct dp_port_ops` in a file of its own;
 * dp_port_kind() picks one for a netdev.  A receive queue (struct dp_rxq)
 * belongs to one worker; transmission is per worker (struct dp_txq), so that
 * ports need no lock of ours.
 *
 * Ownership: the port refs its netdev.  rx() gives packets to the caller,
 * tx() takes them.
 *
 * Threads: open and close in the main thread, while no worker uses the
 * queues; rx and wait on the queue's worker; tx on any worker. */

#ifndef DATAPATH_PORT_H
#define DATAPATH_PORT_H 1

#include <stdatomic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "datapath/counters.h"
#include "datapath/dp.h"
#include "dp-packet.h"
#include "openvswitch/list.h"

struct dp_worker;
struct netdev_rxq;
struct netdev_saved_flags;

/* Loads are kept for the last DP_LOAD_INTERVALS * DP_LOAD_MS. */
enum { DP_LOAD_INTERVALS = 12, DP_LOAD_MS = 5000 };

/* A receive queue.  Kinds of port extend it; their rxq_open() zeroes it and
 * sets the first two members. */
struct dp_rxq {
    struct dp_port *port;
    struct netdev_rxq *netdev_rxq;      /* Null if the kind has its own. */
    unsigned queue;                     /* Its number in the port. */

    /* Cycles (of the time stamp counter) spent on its packets. */
    _Atomic uint64_t cycles;            /* Its worker writes. */

    /* Of a queue that costs a system call to look at, while others have
     * packets: how many rounds of the worker it is left out, and of those how
     * many are to come.  The worker's. */
    unsigned pause, pausing;

    /* The main thread's. */
    struct dp_worker *worker;           /* Who polls it; null: nobody. */
    int core;                           /* Where it is pinned to, or -1. */
    uint64_t cycles_seen;
    uint64_t load[DP_LOAD_INTERVALS];   /* Cycles, a ring. */
};

/* What a worker has to send on a port. */
struct dp_txq {
    struct dp_packet_batch batch;
    uint64_t bytes;             /* Of the packets in 'batch'. */
    uint32_t biggest;           /* Of those, in bytes. */
    bool mixed;                 /* Not all of them are mbufs of DPDK. */
    struct dp_port *port;
    struct dp_txq *next;        /* In the worker's list; only if 'listed'. */
    bool listed;
};

/* One worker's share of a port's statistics; that worker writes. */
struct dp_port_cell {
    _Atomic uint64_t rx_packets, rx_bytes, rx_dropped;
    _Atomic uint64_t tx_packets, tx_bytes, tx_dropped;
};

struct dp_port_ops {
    const char *name;

    /* rx() gives mbufs of DPDK, and has set nothing of what struct dp_packet
     * has behind the mbuf. */
    bool rx_bare;
    /* tx() may be called by any thread, as worker 0. */
    bool tx_is_thread_safe;

    /* Whether this kind serves 'netdev'. */
    bool (*match)(const struct netdev *);

    /* Before the first queue is opened, and after the last one is closed and
     * nobody sends any more; they see to 'port->kind'.  May be null. */
    int (*open)(struct dp_port *);
    void (*close)(struct dp_port *);

    /* Makes receive queue 'queue'.  0 or negative errno. */
    int (*rxq_open)(struct dp_port *, unsigned queue, struct dp_rxq **);
    void (*rxq_close)(struct dp_rxq *);

    /* Receives up to NETDEV_MAX_BURST packets into 'batch', which is empty.
     * Returns the number of packets that were lost on the way in. */
    unsigned (*rx)(struct dp_rxq *, struct dp_packet_batch *batch);
    /* poll_block() wakes up when rx() may give packets.  Null for a kind that
     * cannot tell: its workers nap instead, for microseconds. */
    void (*rx_wait)(struct dp_rxq *);

    /* Sends 'batch' and empties it.  What a full queue does not take is tried
     * once more.  Returns how many packets the port did not take; they are
     * freed, too. */
    unsigned (*tx)(struct dp_port *, unsigned worker,
                   struct dp_packet_batch *batch);
    /* The same for mbufs of DPDK of at most 'port->max_bare' bytes: looks at
     * nothing else of them.  May be null. */
    unsigned (*tx_bare)(struct dp_port *, unsigned worker,
                        struct dp_packet_batch *batch);

    /* The device's quality of service may have changed.  May be null. */
    void (*qos)(struct dp_port *);
};

struct dp_port {
    struct dp_bridge *bridge;
    const struct dp_port_ops *ops;
    struct netdev *netdev;      /* Reference. */
    struct netdev_saved_flags *saved_flags;
    uint32_t ofp_port;          /* Written by the main thread only. */
    _Atomic uint32_t flags;     /* enum dp_port_flags. */

    void *kind;                 /* The kind's own. */
    uint32_t max_bare;          /* See tx_bare(); 0 while there is none. */

    _Atomic bool started;       /* Open, with its queues.  Changes only while
                                 * nobody sends. */
    long long int next_try;     /* If not started: when to try again, ms. */
    bool in_main;               /* The main thread polls 'rxqs'. */
    struct dp_rxq **rxqs;
    unsigned n_rxqs;
    char *affinity;             /* pmd-rxq-affinity, or null. */

    pthread_mutex_t direct_mutex;       /* Taken by dp_port_send_directly(),
                                         * and while 'started' changes. */
    struct dp_port_cell direct_cell;    /* Guarded by it. */
    struct dp_port *_Atomic peer;       /* Of a patch port, or null. */
    struct dp_port_stats patch_stats;   /* Its device's; the main thread's. */

    unsigned n_workers;         /* As many as there may be. */
    struct dp_txq *txqs;        /* One a worker. */
    struct dp_port_cell *cells; /* One a worker. */
};

/* The core that 'affinity' ("0:3,1:7") names for 'queue', or -1. */
int dp_affinity_core(const char *affinity, unsigned queue);

/* Flags of a port that does not send. */
#define DP_PORT_NO_OUTPUT (DP_PORT_NO_FWD | DP_PORT_DOWN | DP_PORT_BLOCKED)

static inline uint32_t
dp_port_flags(const struct dp_port *port)
{
    return atomic_load_explicit(&port->flags, memory_order_relaxed);
}

/* Adds 'N' to 'MEMBER' of worker 'WORKER's cell. */
#define DP_PORT_ADD(PORT, WORKER, MEMBER, N)                            \
    atomic_store_explicit(&(PORT)->cells[WORKER].MEMBER,                \
        atomic_load_explicit(&(PORT)->cells[WORKER].MEMBER,             \
                             memory_order_relaxed) + (N),               \
        memory_order_relaxed)

extern const struct dp_port_ops dp_port_patch_ops;
/* port-patch.c: brings the statistics of a patch port's device up to date. */
void dp_patch_count(struct dp_port *);

/* The main thread, now and then: follows netdevs that want to be
 * reconfigured (number of queues, MTU). */
void dp_ports_run(struct dp *);

#endif /* datapath/port.h */
