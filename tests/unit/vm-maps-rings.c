/* SPDX-License-Identifier: Apache-2.0 */

/* Rings: ringbuf, perf_event_array. */

#include "tests/unit/vm-maps.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vm/maps/ringbuf.h"

struct seen {
    uint64_t sum, n, bytes;
};

static void
see(void *seen_, const void *data, uint32_t size)
{
    struct seen *seen = seen_;
    uint32_t first;

    memcpy(&first, data, sizeof first);
    seen->sum += first;
    seen->n++;
    seen->bytes += size;
}

void
test_ringbuf(void **state)
{
    struct vm_map *map = NEW(ringbuf, 0, 0, 4096);
    uint8_t data[300] = { 0 };
    struct seen seen = { 0 };
    uint32_t n_in = 0;

    /* Around the ring many times, with records of all sizes. */
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t size = 4 + i % 297;

        memcpy(data, &i, sizeof i);
        assert_int_equal(vm_ringbuf_output(map, data, size, 0), 0);
        n_in += size;
        if (i % 7 == 6) {
            vm_ringbuf_consume(map, SIZE_MAX, see, &seen);
        }
    }
    vm_ringbuf_consume(map, SIZE_MAX, see, &seen);
    assert_int_equal(seen.n, 1000);
    assert_int_equal(seen.sum, 499500);
    assert_int_equal(seen.bytes, n_in);

    /* Records come in order, when all before them are done. */
    uint32_t *a = vm_ringbuf_reserve(map, 8, 0);
    uint32_t *b = vm_ringbuf_reserve(map, 8, 0);
    uint32_t *c = vm_ringbuf_reserve(map, 8, 0);
    memset(&seen, 0, sizeof seen);
    *c = 3;
    vm_ringbuf_commit(c, false);
    assert_int_equal(vm_ringbuf_consume(map, 10, see, &seen), 0);
    *a = 1;
    vm_ringbuf_commit(a, false);
    assert_int_equal(vm_ringbuf_consume(map, 10, see, &seen), 1);
    vm_ringbuf_commit(b, true);
    assert_int_equal(vm_ringbuf_consume(map, 10, see, &seen), 1);
    assert_int_equal(seen.sum, 4);

    /* Full. */
    assert_non_null(a = vm_ringbuf_reserve(map, 4088, 0));
    assert_null(vm_ringbuf_reserve(map, 0, 0));
    assert_int_equal(vm_ringbuf_output(map, data, 1, 0), -EAGAIN);
    assert_int_equal(vm_ringbuf_lost(map), 2);
    vm_ringbuf_commit(a, true);
    assert_int_equal(vm_ringbuf_query(map, 0), 4096);
    vm_ringbuf_consume(map, 1, NULL, NULL);
    assert_int_equal(vm_ringbuf_query(map, 0), 0);
    assert_null(vm_ringbuf_reserve(map, 4089, 0));
    assert_int_equal(vm_ringbuf_output(map, data, 4, 8), -EINVAL);
    drop(map);
    REFUSED(ringbuf, 0, 0, 4095);
    REFUSED(ringbuf, 0, 0, 12288);
    REFUSED(ringbuf, 4, 0, 4096);
}

void
test_perf_event_array(void **state)
{
    struct vm_map *map;
    const uint32_t data = 5, extra = 9;
    const struct vm_perf_record record = { &data, 4, &extra, 4 };
    struct seen seen = { 0 };

    vm_set_n_cpus(2);
    map = NEW(perf_event_array, 4, 4, 4);
    vm_set_cpu(1);
    assert_int_equal(vm_perf_output(map, VM_PERF_CURRENT_CPU, &record), 0);
    assert_int_equal(vm_perf_output(map, 0, &record), -EOPNOTSUPP);
    vm_set_cpu(0);
    assert_int_equal(vm_perf_output(map, 0, &record), 0);
    assert_int_equal(vm_perf_output(map, 2, &record), -ENOENT);
    assert_int_equal(vm_perf_output(map, 4, &record), -E2BIG);
    assert_int_equal(vm_perf_output(map, UINT64_C(1) << 33, &record),
                     -EINVAL);
    assert_int_equal(vm_perf_consume(map, 1, 10, see, &seen), 1);
    assert_int_equal(vm_perf_consume(map, 0, 10, see, &seen), 1);
    assert_int_equal(vm_perf_consume(map, 2, 10, see, &seen), 0);
    assert_int_equal(seen.bytes, 16);
    assert_int_equal(seen.sum, 10);
    while (!vm_perf_output(map, 0, &record)) {
        seen.n++;
    }
    assert_int_equal(vm_perf_lost(map, 0), 1);
    assert_int_equal(vm_perf_lost(map, 1), 0);
    assert_int_equal(seen.n - 2, 64 * 1024 / 16);
    vm_set_n_cpus(1);
    drop(map);
    REFUSED(perf_event_array, 4, 8, 4);
}
