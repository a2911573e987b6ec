/* SPDX-License-Identifier: Apache-2.0 */

/* Captures: what packets a bridge meets, as pcapng with what became of them.
 *
 * What: a tap (tap.h) whose records are written as blocks of pcapng: the
 * packet on the interface that it came from, with a comment that names its
 * port, the tables and cookies that it met, and the verdict; if wanted, what
 * was sent, too.  Nothing is added to the bridge.
 *
 * Workers append to a buffer, a thread of the capture's own writes it to a
 * descriptor.  A packet that finds the buffer full is counted as lost; the
 * next one of its interface says how many (epb_dropcount).
 *
 * Threads: the main thread; 'ended' is called by any. */

#ifndef DATAPATH_CAPTURE_H
#define DATAPATH_CAPTURE_H 1

#include <stdbool.h>
#include <stdint.h>

struct dp_bridge;
struct dp_capture;

struct dp_capture_attr {
    struct dp_bridge *bridge;
    int fd;                     /* Taken, also by a failure. */

    /* Of packets that meet all of these conditions. */
    bool by_port;               /* Received on 'port'; sent there, too, if
                                 * 'sent'. */
    uint32_t port;
    int table;                  /* Looked up in that table; -1: any. */
    uint64_t cookie, cookie_mask; /* Met a rule with that; mask 0: any. */
    bool dropped;               /* Went nowhere. */
    const char *filter;         /* Null, or as in pcap-filter(7): of the
                                 * packet as it came. */

    bool sent;                  /* Also as they leave. */
    uint32_t snaplen;           /* Bytes of a packet; 0: all. */
    uint64_t count;             /* As many at most; 0: any number. */

    /* Called once, when dp_capture_has_ended() has become true. */
    void (*ended)(void *aux);
    void *aux;
};

struct dp_capture_stats {
    uint64_t packets, lost;
    int error;                  /* Of writing: 0 or a negative errno. */
};

/* 0 or a negative errno, with a sentence in '*errorp' to be freed. */
int dp_capture_start(const struct dp_capture_attr *, struct dp_capture **,
                     char **errorp);
/* Nothing new is captured; it ends once the rest is written, or its reader
 * takes nothing for some seconds.  To be called before the bridge goes. */
void dp_capture_finish(struct dp_capture *);
/* All there is was written, or cannot be: the reader went. */
bool dp_capture_has_ended(const struct dp_capture *);
void dp_capture_get_stats(struct dp_capture *, struct dp_capture_stats *);
/* Does not wait for readers. */
void dp_capture_destroy(struct dp_capture *);

#endif /* datapath/capture.h */
