/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

/* What the linker's --wrap makes of the C library's function. */
int __real_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_gettime(clockid_t, struct timespec *);

/* The monotonic clock's reading when the virtual time starts: large enough
 * that no difference to it becomes negative. */
#define MONOTONIC_START_S 1000000

static atomic_bool started;
static int64_t start;                   /* Microseconds after the epoch. */
static _Atomic int64_t now;             /* The same. */

void
replay_clock_start(int64_t usec)
{
    start = usec;
    atomic_store(&now, usec);
    atomic_store(&started, true);
}

void
replay_clock_set(int64_t usec)
{
    if (usec > atomic_load(&now)) {
        atomic_store(&now, usec);
    }
}

int64_t
replay_clock_now(void)
{
    return atomic_load(&now);
}

int64_t
replay_clock_real_ms(void)
{
    struct timespec ts;

    __real_clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t usec;

    if (!atomic_load(&started)) {
        return __real_clock_gettime(id, ts);
    }
    usec = atomic_load(&now);
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        break;

    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        usec = usec - start + MONOTONIC_START_S * INT64_C(1000000);
        break;

    default:
        return __real_clock_gettime(id, ts);
    }
    ts->tv_sec = usec / 1000000;
    ts->tv_nsec = usec % 1000000 * 1000;
    return 0;
}
