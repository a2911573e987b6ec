/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_CLOCK_H
#define UTILITIES_REPLAY_CLOCK_H 1

/* Virtual time for the whole process.
 *
 * bvs-replay is linked with --wrap=clock_gettime, so that every clock in it
 * (Open vSwitch's time_msec(), ours) is read here: once started, it stands
 * still until it is set.  Flows, MAC addresses and log lines then age by the
 * packets' timestamps.
 *
 * Threads: any may read the time; the main thread sets it. */

#include <stdint.h>

/* The wall clock stands at 'usec' microseconds after the epoch from now on. */
void replay_clock_start(int64_t usec);

/* Moves the clock forward to 'usec'.  An earlier time changes nothing. */
void replay_clock_set(int64_t usec);

int64_t replay_clock_now(void);

/* Milliseconds of real time, for giving up. */
int64_t replay_clock_real_ms(void);

#endif /* utilities/replay-clock.h */
