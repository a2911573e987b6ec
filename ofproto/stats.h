/* SPDX-License-Identifier: Apache-2.0 */

/* A rule's counts, exact across modification.
 *
 * What: workers count a rule's packets under an identity of the datapath
 * (dp_counters_alloc()).  A rule that replaces another one has an identity of
 * its own, because libofproto says only after the replacement is published
 * whether it inherits the counts; until workers are quiescent, packets in
 * flight still count on the old one.  So the new rule's counts are its own
 * plus those of its predecessor, read live, until the predecessor is frozen;
 * then its numbers are taken over and it is let go.
 *
 * Ownership: reference counted; a successor holds a reference.
 * Threads: any, except where it says otherwise (one mutex inside). */

#ifndef OFPROTO_STATS_H
#define OFPROTO_STATS_H 1

#include <stdbool.h>
#include <stdint.h>

struct dp;
struct dp_counts;
struct of_stats;

/* Takes the reference to 'counters' (dp_counters_alloc()).  'used' is the
 * time_msec() that counts as last use as long as there was none. */
struct of_stats *of_stats_create(struct dp *, uint32_t counters,
                                 long long int used);
void of_stats_unref(struct of_stats *);

/* Those that it was created with, until it is frozen. */
uint32_t of_stats_counters(const struct of_stats *);

/* 'stats' takes over the time of last use from 'old' and, if
 * 'forward_counts', its counts: those now, and those of packets in flight. */
void of_stats_succeed(struct of_stats *stats, struct of_stats *old,
                      bool forward_counts);

/* Main thread.  No worker counts on 'stats' any more: keeps the final numbers
 * and gives the datapath's counters back.  Idempotent. */
void of_stats_freeze(struct of_stats *);

/* Main thread: counts packets that no worker counted. */
void of_stats_credit(struct of_stats *, uint64_t packets, uint64_t bytes);

/* 'used' is never 0. */
void of_stats_read(struct of_stats *, struct dp_counts *);

#endif /* ofproto/stats.h */
