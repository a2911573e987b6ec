/* SPDX-License-Identifier: Apache-2.0 */

/* Maps beside the kernel's of the same kind: random attributes, then random
 * operations on both; results, values and errors must be the same.  Skipped
 * where bpf(2) is not allowed.  Prints its seed; VM_MAPS_SEED sets it. */

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "vm/map.h"
#include "vm/maps/of_maps.h"

#define STEPS 2000
#define STEPS_OF_MAPS 60        /* Linux waits for readers in each. */
#define ATTRIBUTES 60           /* Of each kind. */
#define MAX_KEY 64
#define LINUX_ENOTSUPP 524

enum key_form { INDEX, BYTES, PREFIX };

/* A kind with attributes that are fine, and what it can do from outside. */
struct row {
    enum vm_map_kind kind;
    uint32_t key_size, value_size, max_entries, flags;
    enum key_form form;
    bool no_update;             /* Its values are other things' numbers. */
    bool device;                /* Values: numbers of devices. */
    bool of_maps;
    bool no_lookup;             /* Likewise. */
};

static const struct row rows[] = {
    { VM_MAP_array, 4, 12, 20, 0, .form = INDEX },
    { VM_MAP_percpu_array, 4, 12, 20, 0, .form = INDEX },
    { VM_MAP_hash, 4, 8, 40, 0, .form = BYTES },
    { VM_MAP_hash, 13, 20, 40, VM_MF_NO_PREALLOC, .form = BYTES },
    { VM_MAP_percpu_hash, 16, 12, 40, 0, .form = BYTES },
    { VM_MAP_percpu_hash, 3, 8, 40, VM_MF_NO_PREALLOC, .form = BYTES },
    { VM_MAP_lru_hash, 4, 8, 2000, 0, .form = BYTES },
    { VM_MAP_lru_percpu_hash, 4, 8, 2000, 0, .form = BYTES },
    { VM_MAP_lpm_trie, 8, 8, 60, VM_MF_NO_PREALLOC, .form = PREFIX },
    { VM_MAP_lpm_trie, 5, 4, 20, VM_MF_NO_PREALLOC, .form = PREFIX },
    { VM_MAP_lpm_trie, 20, 16, 60, VM_MF_NO_PREALLOC, .form = PREFIX },
    { VM_MAP_lpm_trie, 36, 8, 60, VM_MF_NO_PREALLOC, .form = PREFIX },
    { VM_MAP_prog_array, 4, 4, 10, 0, .form = INDEX, .no_update = true },
    { VM_MAP_devmap, 4, 4, 10, 0, .form = INDEX, .device = true },
    { VM_MAP_devmap, 4, 8, 10, 0, .form = INDEX, .device = true },
    { VM_MAP_devmap_hash, 4, 4, 10, 0, .form = BYTES, .device = true },
    /* Linux does not show its sockets. */
    { VM_MAP_xskmap, 4, 4, 10, 0, .form = INDEX, .no_update = true,
      .no_lookup = true },
    { VM_MAP_array_of_maps, 4, 4, 10, 0, .form = INDEX, .of_maps = true },
    { VM_MAP_hash_of_maps, 4, 4, 10, 0, .form = BYTES, .of_maps = true },
    { VM_MAP_ringbuf, 0, 0, 4096, 0, .form = INDEX, .no_update = true },
    { VM_MAP_perf_event_array, 4, 4, 4, 0, .form = INDEX, .no_update = true,
      .no_lookup = true },
};

#define N_ROWS (sizeof rows / sizeof rows[0])

static uint64_t seed;
static int inner_fd = -1;
static struct vm_map *inner;

/* The same map twice. */
struct pair {
    const struct row *row;
    int fd;
    struct vm_map *map;
    uint8_t *value[2];          /* The kernel's and ours. */
    size_t value_size;
};

static uint32_t
random_below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 20) % n;
}

static int
kernel_errno(int ret)
{
    return (ret == -LINUX_ENOTSUPP ? -EOPNOTSUPP : ret < 0 ? ret : 0);
}

static int
kernel_create(const struct vm_map_attr *attr)
{
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = attr->flags);

    if (attr->inner) {
        opts.inner_map_fd = inner_fd;
    }
    return bpf_map_create((enum bpf_map_type) attr->kind, NULL,
                          attr->key_size, attr->value_size,
                          attr->max_entries, &opts);
}

static struct vm_map_attr
attr_of(const struct row *row)
{
    return (struct vm_map_attr) {
        .kind = row->kind, .key_size = row->key_size,
        .value_size = row->value_size, .max_entries = row->max_entries,
        .flags = row->flags, .inner = row->of_maps ? inner : NULL,
    };
}

/* ## Attributes. */

static void
check_attr(const struct vm_map_attr *attr)
{
    struct vm_map *map = NULL;
    struct vm_err err = { .text = "" };
    int ours = vm_map_create(attr, &map, &err);
    int fd = kernel_create(attr);

    if (fd >= 0) {
        close(fd);
    }
    vm_map_unref(map);
    vm_defer_run();
    if (ours != kernel_errno(fd)) {
        fail_msg("%s key %u value %u entries %u flags 0x%x: kernel %s, ours "
                 "%s (%s)", vm_map_ops_by_number(attr->kind)->name,
                 attr->key_size, attr->value_size, attr->max_entries,
                 attr->flags, strerror(-kernel_errno(fd)), strerror(-ours),
                 err.text);
    }
}

static void
test_attributes(void **state)
{
    static const uint32_t keys[] = { 0, 1, 3, 4, 4, 5, 8, 16, 260, 261, 512 };
    static const uint32_t values[] = { 0, 1, 4, 4, 8, 12, 64 };
    static const uint32_t entries[] = { 0, 1, 3, 4, 1000, 4096, 5000, 8192 };
    static const uint32_t flags[] = {
        VM_MF_NO_PREALLOC, VM_MF_NO_COMMON_LRU, VM_MF_RDONLY, VM_MF_WRONLY,
        VM_MF_ZERO_SEED, VM_MF_RDONLY_PROG, VM_MF_WRONLY_PROG,
        VM_MF_MMAPABLE, VM_MF_INNER_MAP, 0x20, 0x200, 0x800, 0x40000000,
    };

    for (size_t i = 0; i < N_ROWS; i++) {
        struct vm_map_attr good = attr_of(&rows[i]);

        check_attr(&good);
        for (int n = 0; n < ATTRIBUTES; n++) {
            struct vm_map_attr attr = good;

            /* One or two things are not as they should be. */
            for (int j = random_below(2); j >= 0; j--) {
                switch (random_below(4)) {
                case 0:
                    attr.key_size = keys[random_below(11)];
                    break;
                case 1:
                    attr.value_size = values[random_below(7)];
                    break;
                case 2:
                    attr.max_entries = entries[random_below(8)];
                    break;
                case 3:
                    attr.flags ^= flags[random_below(13)];
                    break;
                }
            }
            check_attr(&attr);
        }
    }
}

/* ## Operations. */

static void
make_key(const struct row *row, uint8_t *key)
{
    uint32_t n = random_below(row->max_entries < 100 ? row->max_entries * 2
                              : 100);

    memset(key, 0, MAX_KEY);
    if (row->form == PREFIX) {
        uint32_t bits = 8 * (row->key_size - 4);
        uint32_t len = (random_below(20) ? random_below(bits + 1)
                        : bits + random_below(3));

        memcpy(key, &len, 4);
        for (uint32_t i = 4; i < row->key_size; i++) {
            key[i] = random_below(3) ? 0x80 : random_below(256);
        }
    } else {
        n = row->form == INDEX && !random_below(30) ? UINT32_MAX : n;
        memcpy(key, &n, row->key_size < 4 ? row->key_size : 4);
    }
}

static void
compare(const struct pair *p, const char *what, int kernel, int ours)
{
    if (kernel_errno(kernel) != ours) {
        fail_msg("%s (key %u, value %u, flags 0x%x): %s: kernel %d (%s), "
                 "ours %d (%s)", p->map->ops->name, p->row->key_size,
                 p->row->value_size, p->row->flags, what, kernel,
                 strerror(-kernel_errno(kernel)), ours, strerror(-ours));
    }
}

static void
step_update(struct pair *p, const uint8_t *key)
{
    uint64_t flags = random_below(12) ? random_below(3) : random_below(8);
    int ours;

    /* Whether what pads a CPU's value is kept is nobody's business. */
    for (size_t i = 0; i < p->value_size; i++) {
        bool padding = (p->map->ops->caps & VM_MAP_CAP_PER_CPU
                        && i % ((p->row->value_size + 7) & ~7u)
                           >= p->row->value_size);

        p->value[0][i] = padding ? 0 : random_below(256);
    }
    if (p->row->of_maps) {
        memcpy(p->value[0], &inner_fd, 4);
        flags = VM_ANY;
        ours = vm_map_set_inner(p->map, key, inner);
    } else {
        if (p->row->device) {
            memcpy(p->value[0], (uint32_t[2]) { 1 }, p->value_size);
        }
        ours = vm_map_write(p->map, key, p->value[0], flags);
    }
    compare(p, "update",
            bpf_map_update_elem(p->fd, key, p->value[0], flags), ours);
}

static void
step_lookup(struct pair *p, const uint8_t *key)
{
    memset(p->value[0], 0, p->value_size);
    memset(p->value[1], 0, p->value_size);

    int kernel = bpf_map_lookup_elem(p->fd, key, p->value[0]);
    int ours = (p->row->of_maps
                ? vm_map_get_inner(p->map, key) ? 0 : -ENOENT
                : vm_map_read(p->map, key, p->value[1]));

    compare(p, "lookup", kernel, ours);
    if (!kernel && !p->row->of_maps
        && memcmp(p->value[0], p->value[1], p->value_size)) {
        fail_msg("%s: values differ", p->map->ops->name);
    }
}

/* Bits beyond a prefix do not count. */
static void
clean_key(const struct row *row, uint8_t *key)
{
    uint32_t len;

    if (row->form == PREFIX) {
        memcpy(&len, key, 4);
        for (uint32_t i = len; i < 8 * (row->key_size - 4); i++) {
            key[4 + i / 8] &= ~(0x80 >> i % 8);
        }
    }
}

/* All keys of either side are found on the other, and there are as many. */
static void
check_walk(struct pair *p)
{
    uint8_t key[MAX_KEY], next[MAX_KEY];
    uint32_t n[2] = { 0, 0 };

    for (int side = 0; side < 2; side++) {
        bool first = true;

        for (;;) {
            int error = (side
                         ? vm_map_next_key(p->map, first ? NULL : key, next)
                         : bpf_map_get_next_key(p->fd, first ? NULL : key,
                                                next));
            if (first && error) {
                compare(p, "first key",
                        bpf_map_get_next_key(p->fd, NULL, key),
                        vm_map_next_key(p->map, NULL, key));
            }
            if (error) {
                break;
            }
            memcpy(key, next, p->row->key_size);
            clean_key(p->row, next);
            step_lookup(p, next);
            first = false;
            n[side]++;
        }
    }
    assert_int_equal(n[0], n[1]);
}

static void
run_row(const struct row *row)
{
    struct pair p = { .row = row };
    struct vm_map_attr attr = attr_of(row);
    struct vm_err err;

    p.fd = kernel_create(&attr);
    assert_true(p.fd >= 0);
    assert_int_equal(vm_map_create(&attr, &p.map, &err), 0);
    p.value_size = vm_map_owner_value_size(p.map);
    p.value[0] = calloc(1, p.value_size + 8);
    p.value[1] = calloc(1, p.value_size + 8);
    int n_steps = row->of_maps ? STEPS_OF_MAPS : STEPS;
    for (int step = 0; step < n_steps; step++) {
        uint8_t key[MAX_KEY];
        unsigned what = random_below(10);

        make_key(row, key);
        if (what < 5 && !row->no_update) {
            step_update(&p, key);
        } else if (what < 7) {
            compare(&p, "delete", bpf_map_delete_elem(p.fd, key),
                    vm_map_delete(p.map, key));
        } else if (!row->no_lookup) {
            step_lookup(&p, key);
        }
        if (row->form == INDEX) {
            uint32_t next[2];

            compare(&p, "next key",
                    bpf_map_get_next_key(p.fd, key, &next[0]),
                    vm_map_next_key(p.map, key, &next[1]));
        }
        if ((step % 500 == 499 || step == n_steps - 1)
            && !row->no_lookup) {
            check_walk(&p);
            vm_defer_run();
        }
    }
    close(p.fd);
    vm_map_unref(p.map);
    vm_defer_run();
    free(p.value[0]);
    free(p.value[1]);
}

static void
test_operations(void **state)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].key_size) {
            run_row(&rows[i]);
        }
    }
}

/* Each kind that Linux has is in the table. */
static void
test_all_kinds(void **state)
{
#define VM_MAP(ID, NUMBER)                                                    \
    if (NUMBER < 0x10000 && NUMBER != VM_MAP_cpumap) {                        \
        bool found = false;                                                   \
        for (size_t i = 0; i < N_ROWS; i++) {                                 \
            found |= rows[i].kind == NUMBER;                                  \
        }                                                                     \
        assert_true(found);                                                   \
    }
#include "vm/maps/maps.def"
}

static int
set_up(void **state)
{
    const struct vm_map_attr attr = {
        .kind = VM_MAP_array, .key_size = 4, .value_size = 8,
        .max_entries = 2,
    };
    struct vm_err err;
    cpu_set_t cpu;

    /* The kernel's LRU lists and per-CPU counts are of one CPU then. */
    CPU_ZERO(&cpu);
    CPU_SET(sched_getcpu(), &cpu);
    sched_setaffinity(0, sizeof cpu, &cpu);
    vm_set_n_cpus(libbpf_num_possible_cpus());
    seed = (getenv("VM_MAPS_SEED") ? strtoull(getenv("VM_MAPS_SEED"), NULL, 0)
            : 20261122);
    printf("# VM_MAPS_SEED=%llu\n", (unsigned long long) seed);
    inner_fd = kernel_create(&attr);
    return vm_map_create(&attr, &inner, &err);
}

static int
tear_down(void **state)
{
    close(inner_fd);
    vm_map_unref(inner);
    vm_defer_run();
    return 0;
}

static void
test_skipped(void **state)
{
    skip();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_operations),
    };
    const struct CMUnitTest none[] = {
        cmocka_unit_test(test_skipped),
    };
    int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

    if (fd < 0) {
        printf("bpf(2): %s\n", strerror(-fd));
        return cmocka_run_group_tests(none, NULL, NULL);
    }
    close(fd);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
