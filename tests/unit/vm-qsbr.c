/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vm-qsbr.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

struct deferred {
    struct deferred *next;
    uint64_t epoch;
    void (*fn)(void *);
    void *aux;
};

static _Atomic uint64_t epoch = 1;
static _Atomic uint64_t seen[VM_QSBR_MAX_THREADS];      /* 0: nobody. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct deferred *first, **last = &first;

void
vm_qsbr_quiescent(unsigned thread)
{
    atomic_store(&seen[thread], atomic_load(&epoch));
}

void
vm_qsbr_register(unsigned thread)
{
    vm_qsbr_quiescent(thread);
}

void
vm_qsbr_unregister(unsigned thread)
{
    atomic_store(&seen[thread], 0);
}

void
vm_qsbr_defer(void (*fn)(void *), void *aux)
{
    struct deferred *d = malloc(sizeof *d);

    d->next = NULL;
    d->fn = fn;
    d->aux = aux;
    pthread_mutex_lock(&mutex);
    d->epoch = atomic_fetch_add(&epoch, 1);
    *last = d;
    last = &d->next;
    pthread_mutex_unlock(&mutex);
}

void
vm_qsbr_poll(void)
{
    uint64_t oldest = atomic_load(&epoch);

    for (unsigned i = 0; i < VM_QSBR_MAX_THREADS; i++) {
        uint64_t s = atomic_load(&seen[i]);

        if (s && s < oldest) {
            oldest = s;
        }
    }
    for (;;) {
        pthread_mutex_lock(&mutex);
        struct deferred *d = first;
        if (d && d->epoch < oldest) {
            first = d->next;
            if (!first) {
                last = &first;
            }
        } else {
            d = NULL;
        }
        pthread_mutex_unlock(&mutex);
        if (!d) {
            return;
        }
        d->fn(d->aux);
        free(d);
    }
}

void
vm_qsbr_drain(void)
{
    while (first) {
        vm_qsbr_poll();
    }
}
