/* SPDX-License-Identifier: Apache-2.0 */

/* What maps stand on: big memory, deferred frees, CPU numbers, hashing. */

#include "vm/map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include <linux/mman.h>

#define HUGE_PAGE (UINT64_C(2) << 20)

unsigned vm_n_cpus = 1;
_Thread_local unsigned vm_cpu_;

void
vm_set_cpu(unsigned cpu)
{
    vm_cpu_ = cpu;
}

void
vm_set_n_cpus(unsigned n)
{
    vm_n_cpus = n < 1 ? 1 : n > VM_MAX_CPUS ? VM_MAX_CPUS : n;
}

/* Deferred calls. */

struct deferred {
    struct deferred *next;
    void (*fn)(void *);
    void *aux;
};

static vm_defer_hook *_Atomic defer_hook;
static pthread_mutex_t deferred_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct deferred *deferred;

void
vm_set_defer(vm_defer_hook *hook)
{
    atomic_store(&defer_hook, hook);
}

void
vm_defer(void (*fn)(void *), void *aux)
{
    vm_defer_hook *hook = atomic_load_explicit(&defer_hook,
                                               memory_order_acquire);

    if (hook) {
        hook(fn, aux);
        return;
    }

    /* Without memory the object leaks, which is better than freeing it under
     * a reader. */
    struct deferred *d = malloc(sizeof *d);
    if (d) {
        d->fn = fn;
        d->aux = aux;
        pthread_mutex_lock(&deferred_mutex);
        d->next = deferred;
        deferred = d;
        pthread_mutex_unlock(&deferred_mutex);
    }
}

void
vm_defer_run(void)
{
    for (;;) {
        pthread_mutex_lock(&deferred_mutex);
        struct deferred *list = deferred;
        deferred = NULL;
        pthread_mutex_unlock(&deferred_mutex);

        /* A call may defer another one: around again until nothing is
         * left. */
        if (!list) {
            return;
        }
        while (list) {
            struct deferred *next = list->next;

            list->fn(list->aux);
            free(list);
            list = next;
        }
    }
}

/* Big memory. */

/* Reserved huge pages, if enough of them are free. */
static void *
huge_alloc(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void *
default_alloc(size_t size)
{
    if (size < HUGE_PAGE) {
        /* Cache-line aligned: small arrays of buckets share no lines. */
        void *p = aligned_alloc(64, (size + 63) & ~(size_t) 63);

        return p ? memset(p, 0, size) : NULL;
    }

    size_t whole = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    uint8_t *p = huge_alloc(whole);
    if (p) {
        return p;
    }

    /* Transparent ones need alignment: map more, cut off both ends. */
    p = mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }

    size_t before = -(uintptr_t) p & (HUGE_PAGE - 1);
    if (before) {
        munmap(p, before);
    }
    if (before < HUGE_PAGE) {
        munmap(p + before + whole, HUGE_PAGE - before);
    }
    madvise(p + before, whole, MADV_HUGEPAGE);
    return p + before;
}

static void
default_free(void *p, size_t size)
{
    if (size < HUGE_PAGE) {
        free(p);
    } else if (p) {
        munmap(p, (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
    }
}

static void *(*alloc_hook)(size_t) = default_alloc;
static void (*free_hook)(void *, size_t) = default_free;

void
vm_set_big_alloc(void *(*alloc)(size_t), void (*free_)(void *, size_t))
{
    alloc_hook = alloc ? alloc : default_alloc;
    free_hook = alloc ? free_ : default_free;
}

void *
vm_big_alloc(size_t size)
{
    return alloc_hook(size ? size : 1);
}

void
vm_big_free(void *p, size_t size)
{
    free_hook(p, size ? size : 1);
}

/* Hash. */

static uint64_t seed;
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void
make_seed(void)
{
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        seed = vm_hash_mix(ts.tv_nsec ^ (uintptr_t) &ts,
                           UINT64_C(0x9e3779b97f4a7c15));
    }
}

static void
no_seed(void)
{
}

void
vm_hash_set_seed(uint64_t new_seed)
{
    pthread_once(&seed_once, no_seed);
    seed = new_seed;
}

uint64_t
vm_hash_seed(void)
{
    pthread_once(&seed_once, make_seed);
    return seed;
}

uint64_t
vm_hash_bytes(const void *p, size_t n, uint64_t h)
{
    return vm_hash_fixed(p, n, vm_hash_start(n, h), vm_hash_mask(h));
}
