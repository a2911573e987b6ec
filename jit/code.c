/* SPDX-License-Identifier: Apache-2.0 */

#include "jit/code.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "jit/jit.h"

/* Well within the displacement of a direct call. */
#if defined(__aarch64__)
#define REACH (INT64_C(96) << 20)
#else
#define REACH (INT64_C(1) << 30)
#endif

/* Free space is a bitmap of units, searched from where the last piece ended:
 * programs are made and dropped rarely, and are larger than a unit. */
struct arena {
    struct arena *next;
    uint8_t *base;
    size_t size;                /* A multiple of JIT_ARENA. */
    int fd;
    uint32_t n_units, n_used;
    uint32_t hint;
    bool used[];                /* n_units. */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct arena *arenas;
static size_t mapped, limit;

static uint32_t
units_of(size_t size)
{
    return (size + JIT_ALIGN - 1) / JIT_ALIGN;
}

/* -- Arenas -- */

/* An x86 breakpoint is one byte, an AArch64 one four; bytes of this value
 * trap on both (udf on AArch64 is all zero, so zero works there). */
static uint8_t
trap_byte(void)
{
#if defined(__x86_64__)
    return 0xcc;
#else
    return 0;
#endif
}

static int
fill_with_traps(int fd, off_t at, size_t size)
{
    uint8_t traps[4096];

    memset(traps, trap_byte(), sizeof traps);
    while (size) {
        size_t n = size < sizeof traps ? size : sizeof traps;
        ssize_t done = pwrite(fd, traps, n, at);

        if (done <= 0) {
            return done ? -errno : -EIO;
        }
        at += done;
        size -= done;
    }
    return 0;
}

/* Maps 'fd' as near to this program's text as there is room. */
static void *
map_near(int fd, size_t size)
{
    const uintptr_t step = 16 * JIT_ARENA;
    uintptr_t text = (uintptr_t) &jit_code_alloc & ~((uintptr_t) JIT_ARENA
                                                     - 1);

    for (uintptr_t away = step; away < (uintptr_t) REACH; away += step) {
        uintptr_t tries[] = { text - away, text + away };

        for (int i = 0; i < 2; i++) {
            void *p = mmap((void *) tries[i], size,
                           PROT_READ | PROT_EXEC,
                           MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);

            if (p == (void *) tries[i]) {
                return p;
            } else if (p != MAP_FAILED) {
                munmap(p, size);
            }
        }
    }
    return mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
}

/* An arena with room for a piece of 'n' units. */
static struct arena *
arena_new(uint32_t n)
{
    size_t size = ((size_t) n * JIT_ALIGN + JIT_ARENA - 1) & -JIT_ARENA;
    struct arena *a = limit && mapped + size > limit
                      ? NULL : calloc(1, sizeof *a + size / JIT_ALIGN);

    if (!a) {
        return NULL;
    }
    a->size = size;
    a->n_units = size / JIT_ALIGN;
    a->fd = memfd_create("bvs-jit", MFD_CLOEXEC);
    if (a->fd < 0) {
        free(a);
        return NULL;
    }
    if (ftruncate(a->fd, size) || fill_with_traps(a->fd, 0, size)) {
        goto no_memory;
    }
    a->base = map_near(a->fd, size);
    if (a->base == MAP_FAILED) {
        goto no_memory;
    }
    a->next = arenas;
    arenas = a;
    mapped += size;
    return a;

no_memory:
    close(a->fd);
    free(a);
    return NULL;
}

static void
arena_free(struct arena *a)
{
    struct arena **link = &arenas;

    while (*link != a) {
        link = &(*link)->next;
    }
    *link = a->next;
    mapped -= a->size;
    munmap(a->base, a->size);
    close(a->fd);
    free(a);
}

static struct arena *
arena_of(const uint8_t *at)
{
    struct arena *a = arenas;

    while (a && (at < a->base || at >= a->base + a->size)) {
        a = a->next;
    }
    return a;
}

/* -- Pieces -- */

/* First unit of 'n' free ones from 'from' on, or n_units. */
static uint32_t
find_free(const struct arena *a, uint32_t from, uint32_t n)
{
    uint32_t run = 0;

    for (uint32_t i = from; i < a->n_units; i++) {
        run = a->used[i] ? 0 : run + 1;
        if (run == n) {
            return i + 1 - n;
        }
    }
    return a->n_units;
}

static uint8_t *
arena_take(struct arena *a, uint32_t n)
{
    uint32_t at;

    if (a->n_units - a->n_used < n) {
        return NULL;
    }
    at = find_free(a, a->hint, n);
    if (at == a->n_units) {
        at = find_free(a, 0, n);
    }
    if (at == a->n_units) {
        return NULL;
    }
    memset(&a->used[at], true, n);
    a->n_used += n;
    a->hint = at + n;
    return a->base + (size_t) at * JIT_ALIGN;
}

uint8_t *
jit_code_alloc(size_t size)
{
    uint32_t n = units_of(size);
    uint8_t *at = NULL;

    if (size <= JIT_MAX_PIECE) {
        pthread_mutex_lock(&mutex);
        for (struct arena *a = arenas; a && !at; a = a->next) {
            at = arena_take(a, n);
        }
        if (!at) {
            struct arena *a = arena_new(n);

            at = a ? arena_take(a, n) : NULL;
        }
        pthread_mutex_unlock(&mutex);
    }
    if (!at) {
        errno = ENOMEM;
    }
    return at;
}

int
jit_code_write(uint8_t *at, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    struct arena *a;
    off_t off;
    int error = 0;

    pthread_mutex_lock(&mutex);
    a = arena_of(at);
    off = at - a->base;
    for (size_t n = 0; n < size && !error; ) {
        ssize_t done = pwrite(a->fd, from + n, size - n, off + n);

        if (done <= 0) {
            error = done ? -errno : -EIO;
        } else {
            n += done;
        }
    }
    pthread_mutex_unlock(&mutex);
    __builtin___clear_cache((char *) at, (char *) at + size);
    return error;
}

void
jit_code_free(uint8_t *at, size_t size)
{
    uint32_t n = units_of(size);
    struct arena *a;

    pthread_mutex_lock(&mutex);
    a = arena_of(at);
    fill_with_traps(a->fd, at - a->base, (size_t) n * JIT_ALIGN);
    memset(&a->used[(at - a->base) / JIT_ALIGN], false, n);
    a->n_used -= n;
    if (!a->n_used && a->next) {
        arena_free(a);
    }
    pthread_mutex_unlock(&mutex);
}

void
jit_set_code_limit(size_t bytes)
{
    pthread_mutex_lock(&mutex);
    limit = bytes;
    pthread_mutex_unlock(&mutex);
}

size_t
jit_code_mapped(void)
{
    size_t bytes;

    pthread_mutex_lock(&mutex);
    bytes = mapped;
    pthread_mutex_unlock(&mutex);
    return bytes;
}
