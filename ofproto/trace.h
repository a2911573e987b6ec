/* SPDX-License-Identifier: Apache-2.0 */

/* Traces: what the tables of a bridge do with a packet, in Open vSwitch's
 * words.
 *
 * The slow path explains; the programs that packets run tell what they did (a
 * tap's record, of a dry run or of a real packet).  Where the two differ, the
 * trace says so: that is a bug of ours.
 *
 * Threads: the main thread. */

#ifndef OFPROTO_TRACE_H
#define OFPROTO_TRACE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_packet;
struct dp_tap_record;
struct ds;
struct flow;
struct of_bridge;
struct of_slow_out;
struct ofpact;

/* What is to be traced. */
struct of_trace_in {
    struct of_bridge *bridge;
    const struct flow *flow;
    const struct dp_packet *packet; /* That fits 'flow'. */
    const struct ofpact *ofpacts;   /* Of a packet-out; null: received. */
    size_t ofpacts_len;
    bool names;                     /* Ports by name. */
    bool effects;                   /* Learns, and sends packet-ins, as Open
                                     * vSwitch does for a real packet. */
};

/* Appends the trace to 'ds'.  Returns null, or a sentence (malloc()ed). */
char *of_trace(const struct of_trace_in *, struct ds *);

/* What the programs did with a packet: a copy of what a record has. */
struct of_trace_run;
struct of_trace_run *of_trace_run_copy(const struct dp_tap_record *);
void of_trace_run_free(struct of_trace_run *);
/* The packet as it came, and the cycles of each step. */
const struct dp_packet *of_trace_run_packet(const struct of_trace_run *);
uint32_t of_trace_run_in_port(const struct of_trace_run *);
void of_trace_run_format_cycles(const struct of_trace_run *, struct ds *);

/* Explains 'run' by the tables as they are now. */
char *of_trace_explain(struct of_bridge *, const struct of_trace_run *,
                       struct ds *);

/* Appends a line for each thing that the slow path's 'out' does and 'run' does
 * not, or the other way round.  True: none. */
bool of_trace_agree(const struct of_slow_out *out,
                    const struct of_trace_run *run, struct ds *);
/* What the programs would do with 'packet'. */
struct of_trace_run *of_trace_dry_run(struct of_bridge *,
                                      const struct dp_packet *,
                                      uint32_t in_port);

/* trace-live.c: registers its command; answers what waits for packets; the
 * bridge is being destroyed. */
void of_trace_live_init(void);
void of_trace_live_run(void);
void of_trace_live_wait(void);
void of_trace_live_forget(struct of_bridge *);

#endif /* ofproto/trace.h */
