/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/maps/ringbuf.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define PERF_RING_SIZE (64 * 1024)
#define MAX_RING_SIZE (UINT32_C(1) << 30)

/* Before each record; the data follows, padded to 8 bytes. */
struct header {
    _Atomic uint32_t len;       /* Bytes, and the flags below. */
    uint32_t off8;              /* Of the header in the ring, divided by 8:
                                 * leads from a record to its ring. */
};

#define BUSY (UINT32_C(1) << 31)
#define DISCARD (UINT32_C(1) << 30)
#define LEN_MASK (DISCARD - 1)

struct vm_ring {
    uint32_t size;              /* Power of 2. */
    uint8_t *data;              /* Mapped twice; before it a page that starts
                                 * with a pointer to this. */
    _Alignas(64) atomic_flag lock;
    _Atomic uint64_t producer;  /* Bytes ever reserved ... */
    _Atomic uint64_t lost;
    _Alignas(64) _Atomic uint64_t consumer;     /* ... and consumed. */
};

struct ringbuf {
    struct vm_map map;
    struct vm_ring *ring;
};

struct perf {
    struct vm_map map;
    struct vm_ring *rings[];    /* max_entries. */
};

static void
ring_free(struct vm_ring *ring)
{
    if (ring) {
        munmap(ring->data - PAGE, PAGE + 2 * (size_t) ring->size);
        free(ring);
    }
}

/* The page before the data, and the data twice. */
static uint8_t *
map_twice(uint32_t size)
{
    size_t total = PAGE + 2 * (size_t) size;
    int fd = memfd_create("bvs-ringbuf", MFD_CLOEXEC);
    uint8_t *p;

    if (fd < 0) {
        return NULL;
    }
    p = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || ftruncate(fd, PAGE + (off_t) size)
        || mmap(p, PAGE + size, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED
        || mmap(p + PAGE + size, size, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_FIXED, fd, PAGE) == MAP_FAILED) {
        if (p != MAP_FAILED) {
            munmap(p, total);
        }
        p = NULL;
    }
    close(fd);
    return p ? p + PAGE : NULL;
}

static struct vm_ring *
ring_new(uint32_t size)
{
    struct vm_ring *ring = aligned_alloc(64, sizeof *ring);

    if (!ring) {
        return NULL;
    }
    memset(ring, 0, sizeof *ring);
    ring->size = size;
    ring->data = map_twice(size);
    if (!ring->data) {
        free(ring);
        return NULL;
    }
    memcpy(ring->data - PAGE, &ring, sizeof ring);
    return ring;
}

static struct header *
ring_reserve(struct vm_ring *ring, uint64_t size)
{
    uint64_t total = (sizeof(struct header) + size + 7) & ~UINT64_C(7);

    if (size > LEN_MASK || total > ring->size) {
        return NULL;
    }
    while (atomic_flag_test_and_set_explicit(&ring->lock,
                                             memory_order_acquire)) {
        vm_pause();
    }

    uint64_t pos = atomic_load_explicit(&ring->producer,
                                        memory_order_relaxed);
    uint64_t used = pos - atomic_load_explicit(&ring->consumer,
                                               memory_order_acquire);
    struct header *header = NULL;
    if (total <= ring->size - used) {
        header = (void *) (ring->data + (pos & (ring->size - 1)));
        header->off8 = (pos & (ring->size - 1)) / 8;
        atomic_store_explicit(&header->len, size | BUSY,
                              memory_order_relaxed);
        atomic_store_explicit(&ring->producer, pos + total,
                              memory_order_release);
    }
    atomic_flag_clear_explicit(&ring->lock, memory_order_release);
    if (!header) {
        atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
    }
    return header;
}

static void
header_commit(struct header *header, bool discard)
{
    uint32_t len = atomic_load_explicit(&header->len, memory_order_relaxed);

    atomic_store_explicit(&header->len,
                          (len & LEN_MASK) | (discard ? DISCARD : 0),
                          memory_order_release);
}

static size_t
ring_consume(struct vm_ring *ring, size_t max,
             void (*cb)(void *aux, const void *data, uint32_t size),
             void *aux)
{
    uint64_t pos = atomic_load_explicit(&ring->consumer,
                                        memory_order_relaxed);
    size_t n = 0;

    while (n < max && pos != atomic_load_explicit(&ring->producer,
                                                  memory_order_acquire)) {
        struct header *header
            = (void *) (ring->data + (pos & (ring->size - 1)));
        uint32_t len = atomic_load_explicit(&header->len,
                                            memory_order_acquire);

        if (len & BUSY) {
            break;
        }
        if (!(len & DISCARD)) {
            if (cb) {
                cb(aux, header + 1, len & LEN_MASK);
            }
            n++;
        }
        pos += (sizeof *header + (len & LEN_MASK) + 7) & ~7u;
        atomic_store_explicit(&ring->consumer, pos, memory_order_release);
    }
    return n;
}

/* ringbuf. */

static struct ringbuf *
ringbuf_cast(const struct vm_map *map)
{
    return (struct ringbuf *) map;
}

static int
ringbuf_create(const struct vm_map_attr *attr, struct vm_map **mapp,
               struct vm_err *err)
{
    uint32_t size = attr->max_entries;

    if (attr->key_size || attr->value_size || size < PAGE
        || size > MAX_RING_SIZE || size & (size - 1)
        || attr->flags & ~VM_MF_NUMA_NODE) {
        return vm_err(err, -EINVAL, "ringbuf %s: there are no keys, values "
                      "and flags, and max_entries is a power of 2 of bytes, "
                      "at least %d", attr->name ? attr->name : "", PAGE);
    }

    struct ringbuf *rb = calloc(1, sizeof *rb);
    if (!rb || !(rb->ring = ring_new(size))) {
        free(rb);
        return vm_err(err, -ENOMEM, "ringbuf %s: no memory for %u bytes",
                      attr->name ? attr->name : "", size);
    }
    *mapp = &rb->map;
    return 0;
}

static void
ringbuf_destroy(struct vm_map *map)
{
    ring_free(ringbuf_cast(map)->ring);
    free(ringbuf_cast(map));
}

static size_t
ringbuf_memory(const struct vm_map *map)
{
    return sizeof(struct vm_ring) + PAGE + ringbuf_cast(map)->ring->size;
}

static uint64_t
ring_used(const struct vm_ring *ring)
{
    return atomic_load(&ring->producer) - atomic_load(&ring->consumer);
}

/* Bytes that wait. */
static size_t
ringbuf_count(const struct vm_map *map)
{
    return ring_used(ringbuf_cast(map)->ring);
}

size_t
vm_ringbuf_consume(struct vm_map *map, size_t max,
                   void (*cb)(void *aux, const void *data, uint32_t size),
                   void *aux)
{
    return ring_consume(ringbuf_cast(map)->ring, max, cb, aux);
}

uint64_t
vm_ringbuf_lost(const struct vm_map *map)
{
    return atomic_load(&ringbuf_cast(map)->ring->lost);
}

/* BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP: there is nobody to wake. */
#define WAKEUP_FLAGS 3u

void *
vm_ringbuf_reserve(struct vm_map *map, uint64_t size, uint64_t flags)
{
    struct header *header = (flags ? NULL
                             : ring_reserve(ringbuf_cast(map)->ring, size));

    return header ? header + 1 : NULL;
}

void
vm_ringbuf_commit(void *record, bool discard)
{
    header_commit((struct header *) record - 1, discard);
}

int
vm_ringbuf_output(struct vm_map *map, const void *data, uint64_t size,
                  uint64_t flags)
{
    struct header *header;

    if (flags & ~(uint64_t) WAKEUP_FLAGS) {
        return -EINVAL;
    }
    header = ring_reserve(ringbuf_cast(map)->ring, size);
    if (!header) {
        return -EAGAIN;
    }
    memcpy(header + 1, data, size);
    header_commit(header, false);
    return 0;
}

uint64_t
vm_ringbuf_query(struct vm_map *map, uint64_t what)
{
    const struct vm_ring *ring = ringbuf_cast(map)->ring;

    switch (what) {
    case 0:
        return ring_used(ring);
    case 1:
        return ring->size;
    case 2:
        return atomic_load(&ring->consumer);
    case 3:
        return atomic_load(&ring->producer);
    default:
        return 0;
    }
}

/* perf_event_array. */

static struct perf *
perf_cast(const struct vm_map *map)
{
    return (struct perf *) map;
}

static void
perf_destroy(struct vm_map *map)
{
    struct perf *perf = perf_cast(map);

    for (uint32_t i = 0; i < map->max_entries; i++) {
        ring_free(perf->rings[i]);
    }
    free(perf);
}

/* A ring stays when its consumer goes: VM_MF_PRESERVE_ELEMS is always so. */
#define PERF_FLAGS (VM_MF_NUMA_NODE | VM_MF_RDONLY | VM_MF_WRONLY             \
                    | VM_MF_PRESERVE_ELEMS)

static int
perf_create(const struct vm_map_attr *attr, struct vm_map **mapp,
            struct vm_err *err)
{
    uint32_t n = attr->max_entries;

    if (attr->key_size != 4 || attr->value_size != 4 || !n
        || attr->flags & ~PERF_FLAGS) {
        return vm_err(err, -EINVAL, "perf_event_array %s: keys and values "
                      "have 4 bytes, and there is at least 1 entry",
                      attr->name ? attr->name : "");
    }

    struct perf *perf = calloc(1, sizeof *perf
                               + (size_t) n * sizeof perf->rings[0]);
    if (!perf) {
        return vm_err(err, -ENOMEM, "no memory for a perf_event_array");
    }
    perf->map.max_entries = n;
    for (uint32_t i = 0; i < n && i < vm_n_cpus; i++) {
        perf->rings[i] = ring_new(PERF_RING_SIZE);
        if (!perf->rings[i]) {
            perf_destroy(&perf->map);
            return vm_err(err, -ENOMEM, "no memory for a perf_event_array");
        }
    }
    *mapp = &perf->map;
    return 0;
}

static struct vm_ring *
perf_ring(const struct vm_map *map, uint32_t cpu)
{
    return cpu < map->max_entries ? perf_cast(map)->rings[cpu] : NULL;
}

size_t
vm_perf_consume(struct vm_map *map, uint32_t cpu, size_t max,
                void (*cb)(void *aux, const void *data, uint32_t size),
                void *aux)
{
    struct vm_ring *ring = perf_ring(map, cpu);

    return ring ? ring_consume(ring, max, cb, aux) : 0;
}

uint64_t
vm_perf_lost(const struct vm_map *map, uint32_t cpu)
{
    const struct vm_ring *ring = perf_ring(map, cpu);

    return ring ? atomic_load(&ring->lost) : 0;
}

int
vm_perf_output(struct vm_map *map, uint64_t flags,
               const struct vm_perf_record *record)
{
    uint32_t index = flags;

    if (flags > UINT32_MAX) {
        return -EINVAL;
    }
    if (index == VM_PERF_CURRENT_CPU) {
        index = vm_cpu();
    }
    if (index >= map->max_entries) {
        return -E2BIG;
    }

    struct vm_ring *ring = perf_ring(map, index);
    struct header *header;
    if (!ring) {
        return -ENOENT;
    } else if (index != vm_cpu()) {
        return -EOPNOTSUPP;     /* As in Linux: another CPU's events. */
    }
    header = ring_reserve(ring, record->size + record->extra_size);
    if (!header) {
        return -ENOSPC;
    }
    memcpy(header + 1, record->data, record->size);
    if (record->extra_size) {
        memcpy((uint8_t *) (header + 1) + record->size, record->extra,
               record->extra_size);
    }
    header_commit(header, false);
    return 0;
}

static size_t
perf_memory(const struct vm_map *map)
{
    size_t n = sizeof(struct perf)
               + (size_t) map->max_entries * sizeof(struct vm_ring *);

    for (uint32_t i = 0; i < map->max_entries; i++) {
        n += perf_ring(map, i) ? PAGE + PERF_RING_SIZE : 0;
    }
    return n;
}

static size_t
perf_count(const struct vm_map *map)
{
    size_t n = 0;

    for (uint32_t i = 0; i < map->max_entries; i++) {
        n += perf_ring(map, i) ? ring_used(perf_ring(map, i)) : 0;
    }
    return n;
}

const struct vm_map_ops vm_map_ops_ringbuf = {
    .name = "ringbuf",
    .number = VM_MAP_ringbuf,
    .caps = VM_MAP_CAP_RINGBUF,
    .create = ringbuf_create,
    .destroy = ringbuf_destroy,
    .memory = ringbuf_memory,
    .count = ringbuf_count,
};

/* The rings are the map's own: there is nothing that could be taken out. */
static int
perf_delete(struct vm_map *map, const void *key)
{
    uint32_t index;

    memcpy(&index, key, sizeof index);
    return index < map->max_entries ? -ENOENT : -E2BIG;
}

static int
perf_next_key(struct vm_map *map, const void *key, void *next)
{
    return vm_map_ops_array.next_key(map, key, next);
}

const struct vm_map_ops vm_map_ops_perf_event_array = {
    .name = "perf_event_array",
    .number = VM_MAP_perf_event_array,
    .caps = VM_MAP_CAP_PERF,
    .create = perf_create,
    .destroy = perf_destroy,
    .delete = perf_delete,
    .next_key = perf_next_key,
    .memory = perf_memory,
    .count = perf_count,
};
