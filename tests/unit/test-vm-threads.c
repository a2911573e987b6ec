/* SPDX-License-Identifier: Apache-2.0 */

/* Maps with readers, writers and deleters on several threads.
 *
 * Odd keys are always there; each writer replaces the values of its own, and
 * puts in and deletes even ones all the time, and finds in the map what it
 * remembers of them (its model).  A value is a key and a number, eight times
 * over, so that half of an update shows.  Run it under TSan, too. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vm-qsbr.h"
#include "vm/map.h"
#include "vm/maps/ringbuf.h"

#define KEYS 256
#define READERS 2
#define WRITERS 2
#define STEPS 20000
#define CPUS 2                  /* Of per-CPU kinds. */

struct key {
    uint32_t len;               /* lpm_trie: prefix length. */
    uint32_t number;
};

struct value {
    uint64_t words[8];
};

struct shared {
    struct vm_map *map;
    bool keep_odd;              /* An LRU may evict them. */
    atomic_uint n_writers;
    atomic_uint n_missing, n_mixed;
    _Atomic uint64_t n_found;
};

struct thread {
    struct shared *shared;
    unsigned id;
    pthread_t thread;
};

static uint64_t
rng(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 20;
}

static struct key
make_key(uint32_t number)
{
    return (struct key) { 32, number };
}

static void
put(struct shared *s, uint32_t number, uint64_t n)
{
    struct key key = make_key(number);
    struct value values[CPUS];  /* All CPUs', in per-CPU kinds. */

    for (int i = 0; i < 8; i++) {
        for (int cpu = 0; cpu < CPUS; cpu++) {
            values[cpu].words[i] = n << 32 | number;
        }
    }
    int error = vm_map_write(s->map, &key, values, VM_ANY);
    assert_true(!error || (error == -E2BIG && !s->keep_odd));
}

/* A writer's key is as it left it: 'n' as last put, or -1 if it is not there.
 * An LRU may have evicted it. */
static void
check_own(struct shared *s, uint32_t number, int64_t n)
{
    struct key key = make_key(number);
    const struct value *value = vm_map_lookup(s->map, &key);

    if (!value) {
        assert_true(n < 0 || !s->keep_odd);
    } else if (value->words[0] != ((uint64_t) n << 32 | number)) {
        fail_msg("key %u: %#lx instead of step %ld", number,
                 (unsigned long) value->words[0], (long) n);
    }
}

static void *
writer_main(void *thread_)
{
    struct thread *t = thread_;
    uint64_t state = 77 + t->id;
    int64_t model[KEYS] = { 0 };        /* run() has put them all. */

    vm_set_cpu(t->id % CPUS);
    vm_qsbr_register(t->id);

    for (uint64_t step = 1; step < STEPS; step++) {
        /* Its own keys: those that leave its number by WRITERS. */
        uint32_t number = rng(&state) % (KEYS / WRITERS) * WRITERS
                          + (t->id - READERS);
        struct key key = make_key(number);

        if (number / WRITERS % 2 || rng(&state) % 2) {
            put(t->shared, number, step);
            model[number] = step;
        } else {
            int error = vm_map_delete(t->shared->map, &key);

            assert_true(!error || error == -ENOENT);
            model[number] = -1;
        }
        number = rng(&state) % (KEYS / WRITERS) * WRITERS + (t->id - READERS);
        check_own(t->shared, number, model[number]);
        vm_qsbr_quiescent(t->id);
        if (step % 16 == 0) {
            vm_qsbr_poll();
        }
    }
    vm_qsbr_unregister(t->id);
    atomic_fetch_sub(&t->shared->n_writers, 1);
    return NULL;
}

static void *
reader_main(void *thread_)
{
    struct thread *t = thread_;
    struct shared *s = t->shared;
    uint64_t state = 99 + t->id, n_found = 0;

    vm_set_cpu(t->id % CPUS);
    vm_qsbr_register(t->id);
    while (atomic_load_explicit(&s->n_writers, memory_order_relaxed)) {
        for (int i = 0; i < 32; i++) {
            uint32_t number = rng(&state) % KEYS;
            struct key key = make_key(number);
            const struct value *value = vm_map_lookup(s->map, &key);

            if (!value) {
                if (number / WRITERS % 2 && s->keep_odd) {
                    atomic_fetch_add(&s->n_missing, 1);
                }
                continue;
            }
            n_found++;
            for (int j = 0; j < 8; j++) {
                if ((uint32_t) value->words[j] != number
                    || value->words[j] != value->words[0]) {
                    atomic_fetch_add(&s->n_mixed, 1);
                    break;
                }
            }
        }
        vm_qsbr_quiescent(t->id);
    }
    vm_qsbr_unregister(t->id);
    atomic_fetch_add(&s->n_found, n_found);
    return NULL;
}

static void
run(enum vm_map_kind kind, uint32_t max_entries, uint32_t flags,
    bool keep_odd)
{
    const struct vm_map_attr attr = {
        .kind = kind, .key_size = sizeof(struct key),
        .value_size = sizeof(struct value), .max_entries = max_entries,
        .flags = flags,
    };
    struct shared s = { .keep_odd = keep_odd };
    struct thread threads[READERS + WRITERS];
    struct vm_err err;

    vm_set_n_cpus(CPUS);
    vm_set_defer(vm_qsbr_defer);
    if (vm_map_create(&attr, &s.map, &err)) {
        fail_msg("%s", err.text);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        put(&s, i, 0);
    }
    atomic_store(&s.n_writers, WRITERS);
    for (unsigned i = 0; i < READERS + WRITERS; i++) {
        threads[i] = (struct thread) { .shared = &s, .id = i };
        pthread_create(&threads[i].thread, NULL,
                       i < READERS ? reader_main : writer_main, &threads[i]);
    }
    for (unsigned i = 0; i < READERS + WRITERS; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    assert_int_equal(atomic_load(&s.n_missing), 0);
    assert_int_equal(atomic_load(&s.n_mixed), 0);
    assert_true(atomic_load(&s.n_found) > 0);
    assert_true(vm_map_count(s.map) <= max_entries);

    /* The count is that of a walk. */
    struct key key, next;
    size_t n = 0;
    int error = vm_map_next_key(s.map, NULL, &next);
    while (!error) {
        n++;
        key = next;
        error = vm_map_next_key(s.map, &key, &next);
    }
    assert_int_equal(vm_map_count(s.map), n);
    vm_map_unref(s.map);
    vm_qsbr_drain();
    vm_set_defer(NULL);
    vm_set_n_cpus(1);
}

static void
test_hash(void **state)
{
    run(VM_MAP_hash, KEYS, 0, true);
}

static void
test_hash_no_prealloc(void **state)
{
    run(VM_MAP_hash, KEYS, VM_MF_NO_PREALLOC, true);
}

/* Four times as many keys as there is room for. */
static void
test_lru_hash(void **state)
{
    run(VM_MAP_lru_hash, KEYS / 4, 0, false);
}

static void
test_lru_percpu_hash(void **state)
{
    run(VM_MAP_lru_percpu_hash, KEYS / 4, 0, false);
}

static void
test_percpu_hash(void **state)
{
    run(VM_MAP_percpu_hash, KEYS, 0, true);
}

static void
test_lpm_trie(void **state)
{
    run(VM_MAP_lpm_trie, KEYS, VM_MF_NO_PREALLOC, true);
}

/* Ring buffer: several producers, one consumer; nothing is lost, doubled or
 * out of a producer's order. */

#define RECORDS 40000

struct record {
    uint32_t producer, number;
    uint64_t sum;
};

static void *
producer_main(void *thread_)
{
    struct thread *t = thread_;

    for (uint32_t i = 0; i < RECORDS;) {
        struct record *r = vm_ringbuf_reserve(t->shared->map, sizeof *r, 0);

        if (r) {
            *r = (struct record) { t->id, i, (uint64_t) t->id * 31 + i };
            vm_ringbuf_commit(r, i % 10 == 9);
            i++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

struct consumer {
    uint32_t next[WRITERS];
    uint32_t n, n_wrong;
};

static void
consume(void *consumer_, const void *data, uint32_t size)
{
    struct consumer *c = consumer_;
    const struct record *r = data;

    if (size != sizeof *r || r->producer >= WRITERS
        || r->sum != (uint64_t) r->producer * 31 + r->number
        || r->number != c->next[r->producer]) {
        c->n_wrong++;
        return;
    }
    c->next[r->producer] += c->next[r->producer] % 10 == 8 ? 2 : 1;
    c->n++;
}

static void
test_ringbuf(void **state)
{
    const struct vm_map_attr attr = { .kind = VM_MAP_ringbuf,
                                      .max_entries = 4096 };
    struct shared s = { .map = NULL };
    struct thread threads[WRITERS];
    struct consumer c = { .n = 0 };

    assert_int_equal(vm_map_create(&attr, &s.map, NULL), 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        threads[i] = (struct thread) { .shared = &s, .id = i };
        pthread_create(&threads[i].thread, NULL, producer_main, &threads[i]);
    }
    while (c.n < WRITERS * RECORDS / 10 * 9 && !c.n_wrong) {
        if (!vm_ringbuf_consume(s.map, 100, consume, &c)) {
            sched_yield();
        }
    }
    assert_int_equal(c.n_wrong, 0);
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    vm_map_unref(s.map);
    vm_defer_run();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hash_no_prealloc),
        cmocka_unit_test(test_lru_hash),
        cmocka_unit_test(test_lru_percpu_hash),
        cmocka_unit_test(test_percpu_hash),
        cmocka_unit_test(test_lpm_trie),
        cmocka_unit_test(test_ringbuf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
