/* SPDX-License-Identifier: Apache-2.0 */

/* The insides of captures, for capture.c (their life, and the thread that
 * writes) and capture-block.c (what workers do: records become blocks). */

#ifndef DATAPATH_CAPTURE_PRIVATE_H
#define DATAPATH_CAPTURE_PRIVATE_H 1

#include <pthread.h>
#include <stdatomic.h>
#include "datapath/capture.h"
#include "datapath/tap.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/thread.h"

struct vm_prog;

enum { DP_CAPTURE_BUFFER = 8 << 20, DP_CAPTURE_SNAPLEN = 262144 };

struct dp_capture {
    struct dp_capture_attr attr;        /* But for 'filter'. */
    struct vm_prog *filter;     /* Null: none. */
    struct dp_tap *tap;         /* Null once it is finished. */
    int fd;                     /* attr.fd. */
    bool is_file;               /* Writing never blocks for long. */
    int event_fd;               /* Wakes the thread. */
    pthread_t thread;

    /* What the thread is told. */
    atomic_bool finishing, quitting;
    /* What it tells. */
    atomic_bool ended;
    atomic_int error;

    struct ovs_mutex mutex;
    uint8_t *fill OVS_GUARDED;  /* DP_CAPTURE_BUFFER bytes. */
    size_t n_fill OVS_GUARDED;
    uint64_t packets OVS_GUARDED, lost OVS_GUARDED;
    uint64_t untold OVS_GUARDED; /* Of those lost: no block says so yet. */
    struct ds comment OVS_GUARDED;
    /* Interfaces' numbers in the file plus 1, by OpenFlow number. */
    uint16_t ifaces[UINT16_MAX + 1] OVS_GUARDED;
    uint16_t n_ifaces OVS_GUARDED;
};

/* capture-block.c */

/* What pcapng begins with. */
void dp_capture_put_head(struct dp_capture *c) OVS_REQUIRES(c->mutex);
/* Appends the record if it meets the conditions.  True if the buffer was
 * empty and is not any more. */
bool dp_capture_put(struct dp_capture *, const struct dp_tap_record *);

#endif /* datapath/capture-private.h */
