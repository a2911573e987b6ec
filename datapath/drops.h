/* SPDX-License-Identifier: Apache-2.0 */

/* Drop accounting: rows of {reason, table, cookie} -> packets, and the first
 * bytes of the last one.
 *
 * One `struct dp_drops` a worker and bridge: a hash table of fixed size that
 * its worker alone writes.  When it is full, further rows are counted by
 * reason and table only, under the cookie DP_DROPS_OTHER.
 *
 * Threads: dp_drops_add() is its worker's, dp_drops_each() anybody's. */

#ifndef DATAPATH_DROPS_H
#define DATAPATH_DROPS_H 1

#include <stdatomic.h>
#include <stdint.h>
#include "datapath/dp.h"

enum {
    DP_N_DROP_ROWS = 2048,      /* Power of 2. */
    DP_DROP_BYTES = 64          /* That are kept. */
};

#define DP_DROPS_OTHER UINT64_MAX

struct dp_drop_row {
    _Atomic uint64_t packets;
    _Atomic uint32_t tag;       /* 0: free; else in use, reason and table. */
    uint64_t cookie;            /* Constant once 'tag' is set. */
};

/* What is kept of a packet that is dropped. */
struct dp_drop_head {
    uint32_t in_port;           /* OpenFlow number. */
    uint32_t size;              /* Of the packet. */
    uint64_t ms;                /* time_msec() when it was dropped. */
    uint64_t bytes[DP_DROP_BYTES / 8];
};

/* The last packet of a row: changes while 'seq' is odd; 0: there is none. */
struct dp_drop_last {
    _Atomic uint32_t seq;
    _Atomic uint64_t words[sizeof(struct dp_drop_head) / 8];
};

struct dp_drops {
    uint32_t n_rows;
    unsigned worker;            /* Whose it is. */
    struct dp_drop_row rows[DP_N_DROP_ROWS];
    _Atomic uint64_t other[DP_N_DROPS][256];
    struct dp_drop_last lasts[DP_N_DROP_ROWS];  /* Of 'rows'. */
};

/* What of 'packet', received by port 'in_port', will be kept. */
struct dp_packet;
void dp_drop_take(struct dp_drop_head *, const struct dp_packet *packet,
                  uint32_t in_port, uint64_t now_ms);

/* 'head' is the last packet's, or null. */
void dp_drops_add(struct dp_drops *, const struct dp_drop_cause *,
                  uint64_t n_packets, const struct dp_drop_head *head);

/* 'head': null if nothing was kept. */
typedef void dp_drops_cb(const struct dp_drop_cause *, uint64_t n_packets,
                         const struct dp_drop_head *head, void *aux);
void dp_drops_each(const struct dp_drops *, dp_drops_cb *, void *aux);

/* drop-coverage.c: counts for coverage/show, by Open vSwitch's names. */
void dp_drop_coverage_init(void);
void dp_drop_coverage_add(unsigned worker, enum dp_drop_reason, uint64_t n);
/* The name of the counter that a reason counts for. */
const char *dp_drop_coverage_name(enum dp_drop_reason);

/* Registers drop/show; once a process. */
void dp_drops_init(void);

#endif /* datapath/drops.h */
