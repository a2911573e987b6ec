/* SPDX-License-Identifier: Apache-2.0 */

/* The maps of a world, once more in the kernel. */

#include <linux/bpf.h>

#include "tests/fuzz/kernel.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vm/map.h"

#define MAX_CPUS 256
#define MAX_VALUE 64

static int fds[FUZZ_N_MAPS];
static int inner_fds[FUZZ_N_MAPS][2];
static uint64_t *ring_read;     /* Positions in the ring's map. */
static const uint64_t *ring_written;
static uint32_t n_cpus;         /* Values of a map's entry in the kernel. */

int
kernel_bpf(int cmd, union bpf_attr *attr)
{
    return syscall(SYS_bpf, cmd, attr, sizeof *attr);
}

int
kernel_map_fd(uint32_t map)
{
    return fds[map];
}

/* -- Operations -- */

static uint64_t
address(const void *p)
{
    return (uintptr_t) p;
}

static int
element(int cmd, int fd, const void *key, void *value)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_fd = fd;
    attr.key = address(key);
    attr.value = address(value);
    return kernel_bpf(cmd, &attr);
}

static int
create(uint32_t i, int inner_fd)
{
    struct vm_map_attr from = fuzz_map_attr(i);
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_type = from.kind;
    attr.key_size = from.key_size;
    attr.value_size = from.value_size;
    attr.max_entries = from.max_entries;
    attr.map_flags = from.flags & ~VM_MF_RDONLY;
    attr.inner_map_fd = inner_fd;
    return kernel_bpf(BPF_MAP_CREATE, &attr);
}

/* -- Contents -- */

static bool
is_index(enum vm_map_kind kind)
{
    return kind == VM_MAP_array || kind == VM_MAP_percpu_array;
}

static bool
is_per_cpu(enum vm_map_kind kind)
{
    return kind == VM_MAP_percpu_array || kind == VM_MAP_percpu_hash
           || kind == VM_MAP_lru_percpu_hash;
}

static void
empty(int fd)
{
    uint8_t keys[256][16];
    int n = 0;

    while (n < 256 && !element(BPF_MAP_GET_NEXT_KEY, fd,
                               n ? keys[n - 1] : NULL, keys[n])) {
        n++;
    }
    while (n > 0) {
        element(BPF_MAP_DELETE_ELEM, fd, keys[--n], NULL);
    }
}

static void
fill(int fd, uint32_t like, uint64_t seed)
{
    struct vm_map_attr attr = fuzz_map_attr(like);
    uint8_t key[16], value[MAX_VALUE], all[MAX_CPUS * MAX_VALUE];
    size_t padded = (attr.value_size + 7) & ~7u;

    if (!is_index(attr.kind)) {
        empty(fd);
    }
    for (uint32_t i = 0; fuzz_map_entry(like, seed, i, key, value); i++) {
        for (uint32_t c = 0; is_per_cpu(attr.kind) && c < n_cpus; c++) {
            memcpy(all + c * padded, value, attr.value_size);
        }
        element(BPF_MAP_UPDATE_ELEM, fd, key,
                is_per_cpu(attr.kind) ? all : value);
    }
}

void
kernel_maps_reset(uint64_t seed, uint32_t maps)
{
    for (uint32_t i = 0; i < FUZZ_N_KERNEL_MAPS; i++) {
        if (!(maps & 1u << i) || fuzz_map_attr(i).flags & VM_MF_RDONLY) {
            continue;
        }
        switch (fuzz_map_attr(i).kind) {
        case VM_MAP_prog_array:
        case VM_MAP_devmap:
        case VM_MAP_devmap_hash:
        case VM_MAP_cpumap:
        case VM_MAP_xskmap:
        case VM_MAP_perf_event_array:
            break;
        case VM_MAP_ringbuf:
            *ring_read = __atomic_load_n(ring_written, __ATOMIC_ACQUIRE);
            break;
        case VM_MAP_array_of_maps:
        case VM_MAP_hash_of_maps:
            for (int j = 0; j < 2; j++) {
                fill(inner_fds[i][j], fuzz_map_inner(i), seed + j);
            }
            break;
        default:
            fill(fds[i], i, seed);
            break;
        }
    }
}

/* -- Comparison -- */

static uint32_t
count_ours(struct vm_map *map)
{
    uint8_t keys[2][64];
    uint32_t n = 0;

    while (n < 256 && !vm_map_next_key(map, n ? keys[n & 1] : NULL,
                                       keys[~n & 1])) {
        n++;
    }
    return n;
}

static bool
equal(int fd, struct vm_map *map)
{
    uint8_t key[2][16], theirs[MAX_CPUS * MAX_VALUE];
    uint8_t ours[MAX_CPUS * MAX_VALUE];
    bool per_cpu = map->ops->caps & VM_MAP_CAP_PER_CPU;
    size_t padded = (map->value_size + 7) & ~7u;
    uint32_t n = 0;

    while (!element(BPF_MAP_GET_NEXT_KEY, fd, n ? key[n & 1] : NULL,
                    key[~n & 1])) {
        const uint8_t *now = key[~n & 1];

        if (element(BPF_MAP_LOOKUP_ELEM, fd, now, theirs)
            || vm_map_read(map, now, ours)
            || memcmp(theirs, ours, map->value_size)
            || (per_cpu && memcmp(theirs + padded, ours + padded,
                                  map->value_size))) {
            return false;
        }
        n++;
    }
    return n == count_ours(map);
}

bool
kernel_maps_equal(struct fuzz_world *w, uint32_t maps, const char **name)
{
    for (uint32_t i = 0; i < FUZZ_N_KERNEL_MAPS; i++) {
        *name = fuzz_map_attr(i).name;
        if (!(maps & 1u << i)) {
            continue;
        }
        switch (fuzz_map_attr(i).kind) {
        case VM_MAP_prog_array:
        case VM_MAP_devmap:
        case VM_MAP_devmap_hash:
        case VM_MAP_cpumap:
        case VM_MAP_xskmap:
        case VM_MAP_ringbuf:
        case VM_MAP_perf_event_array:
            break;
        case VM_MAP_array_of_maps:
        case VM_MAP_hash_of_maps:
            for (int j = 0; j < 2; j++) {
                if (!equal(inner_fds[i][j], w->inner[i][j])) {
                    return false;
                }
            }
            break;
        default:
            if (!equal(fds[i], w->maps[i])) {
                return false;
            }
            break;
        }
    }
    return true;
}

/* -- Creation -- */

/* Somewhere for the programs' records, which nobody reads: a buffer that may
 * be overwritten. */
static bool
open_perf(int fd)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof attr,
        .config = PERF_COUNT_SW_BPF_OUTPUT, .sample_type = PERF_SAMPLE_RAW,
        .write_backward = 1,
    };

    for (uint32_t cpu = 0; cpu < n_cpus
                           && cpu < fuzz_map_attr(FUZZ_M_perf).max_entries;
         cpu++) {
        int event = syscall(SYS_perf_event_open, &attr, -1, cpu, -1,
                            PERF_FLAG_FD_CLOEXEC);

        if (event < 0
            || mmap(NULL, 2 * sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED,
                    event, 0) == MAP_FAILED
            || element(BPF_MAP_UPDATE_ELEM, fd, &cpu, &event)) {
            return false;
        }
    }
    return true;
}

static bool
open_ring(int fd)
{
    size_t page = sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *q = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);

    ring_read = p;
    ring_written = q;
    return p != MAP_FAILED && q != MAP_FAILED;
}

static bool
freeze(int fd)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_fd = fd;
    return !kernel_bpf(BPF_MAP_FREEZE, &attr);
}

/* The highest possible CPU and those below it. */
static uint32_t
possible_cpus(void)
{
    FILE *file = fopen("/sys/devices/system/cpu/possible", "r");
    unsigned low = 0, high = 0;
    int n = file ? fscanf(file, "%u-%u", &low, &high) : 0;

    if (file) {
        fclose(file);
    }
    return n == 2 ? high + 1 : low + 1;
}

bool
kernel_maps_open(struct fuzz_world *w)
{
    n_cpus = possible_cpus();
    if (n_cpus < vm_n_cpus || n_cpus > MAX_CPUS) {
        errno = EOPNOTSUPP;
        return false;
    }
    for (uint32_t i = 0; i < FUZZ_N_KERNEL_MAPS; i++) {
        uint32_t inner = fuzz_map_inner(i);

        for (int j = 0; inner && j < 2; j++) {
            inner_fds[i][j] = create(inner, 0);
            if (inner_fds[i][j] < 0) {
                return false;
            }
        }
        fds[i] = create(i, inner ? inner_fds[i][0] : 0);
        if (fds[i] < 0) {
            return false;
        }
        for (uint32_t j = 0; inner && j < 2; j++) {
            if (element(BPF_MAP_UPDATE_ELEM, fds[i], &j, &inner_fds[i][j])) {
                return false;
            }
        }
    }
    fill(fds[FUZZ_M_rodata], FUZZ_M_rodata, 0);
    return freeze(fds[FUZZ_M_rodata]) && open_perf(fds[FUZZ_M_perf])
           && open_ring(fds[FUZZ_M_ringbuf]);
}
