/* SPDX-License-Identifier: Apache-2.0 */

/* Drop accounting: rows of {reason, table, cookie} -> packets.
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

enum { DP_N_DROP_ROWS = 2048 };         /* Power of 2. */

#define DP_DROPS_OTHER UINT64_MAX

struct dp_drop_row {
    _Atomic uint64_t packets;
    _Atomic uint32_t tag;       /* 0: free; else in use, reason and table. */
    uint64_t cookie;            /* Constant once 'tag' is set. */
};

struct dp_drops {
    uint32_t n_rows;
    struct dp_drop_row rows[DP_N_DROP_ROWS];
    _Atomic uint64_t other[DP_N_DROPS][256];
};

void dp_drops_add(struct dp_drops *, enum dp_drop_reason, uint8_t table_id,
                  uint64_t cookie, uint64_t n_packets);

typedef void dp_drops_cb(enum dp_drop_reason, uint8_t table_id,
                         uint64_t cookie, uint64_t n_packets, void *aux);
void dp_drops_each(const struct dp_drops *, dp_drops_cb *, void *aux);

/* Registers drop/show; once a process. */
void dp_drops_init(void);

#endif /* datapath/drops.h */
