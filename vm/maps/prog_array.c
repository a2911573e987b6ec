/* SPDX-License-Identifier: Apache-2.0 */

/* Program array: what a tail call chooses from. */

#include "vm/maps/array.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "vm/prog.h"

#define FLAGS (VM_MF_NUMA_NODE | VM_MF_RDONLY | VM_MF_WRONLY)

static struct vm_prog_array *
prog_array_cast(const struct vm_map *map)
{
    return (struct vm_prog_array *) map;
}

static int
prog_array_create(const struct vm_map_attr *attr, struct vm_map **mapp,
                  struct vm_err *err)
{
    if (attr->key_size != 4 || attr->value_size != 4 || !attr->max_entries
        || attr->flags & ~FLAGS) {
        return vm_err(err, -EINVAL, "prog_array %s: keys and values have 4 "
                      "bytes, there is at least 1 entry, and flags 0x%x are "
                      "a subset of 0x%x", attr->name ? attr->name : "",
                      attr->flags, FLAGS);
    }

    struct vm_prog_array *array
        = calloc(1, sizeof *array
                 + (size_t) attr->max_entries * sizeof array->progs[0]);
    if (!array) {
        return vm_err(err, -ENOMEM, "prog_array %s: no memory for %u "
                      "programs", attr->name ? attr->name : "",
                      attr->max_entries);
    }
    *mapp = &array->map;
    return 0;
}

static void
prog_array_destroy(struct vm_map *map)
{
    struct vm_prog_array *array = prog_array_cast(map);

    for (uint32_t i = 0; i < map->max_entries; i++) {
        vm_prog_unref(atomic_load(&array->progs[i]));
    }
    free(array);
}

/* The type of the programs in the array, or NULL while it is empty. */
static const struct vm_prog_type *
prog_array_type(const struct vm_prog_array *array)
{
    for (uint32_t i = 0; i < array->map.max_entries; i++) {
        const struct vm_prog *prog = atomic_load(&array->progs[i]);

        if (prog) {
            return prog->type;
        }
    }
    return NULL;
}

int
vm_prog_array_set(struct vm_map *map, uint32_t index, struct vm_prog *prog)
{
    struct vm_prog_array *array = prog_array_cast(map);

    if (index >= map->max_entries) {
        return -E2BIG;
    }
    if (prog) {
        const struct vm_prog_type *type = prog_array_type(array);

        if (type && type != prog->type) {
            return -EINVAL;
        }
        vm_prog_ref(prog);
    }
    vm_prog_unref(atomic_exchange_explicit(&array->progs[index], prog,
                                           memory_order_acq_rel));
    return 0;
}

void
vm_prog_array_clear(struct vm_map *map)
{
    for (uint32_t i = 0; i < map->max_entries; i++) {
        vm_prog_array_set(map, i, NULL);
    }
}

/* The owner reads a program's id, as in Linux. */
static int
prog_array_read(struct vm_map *map, const void *key, void *value)
{
    uint32_t index;

    memcpy(&index, key, sizeof index);
    if (index >= map->max_entries) {
        return -ENOENT;
    }

    const struct vm_prog *prog
        = atomic_load(&prog_array_cast(map)->progs[index]);
    if (!prog) {
        return -ENOENT;
    }
    memcpy(value, &prog->id, sizeof prog->id);
    return 0;
}

static int
prog_array_delete(struct vm_map *map, const void *key)
{
    struct vm_prog_array *array = prog_array_cast(map);
    uint32_t index;

    memcpy(&index, key, sizeof index);
    if (index >= map->max_entries) {
        return -E2BIG;
    }

    struct vm_prog *old = atomic_exchange_explicit(&array->progs[index], NULL,
                                                   memory_order_acq_rel);
    vm_prog_unref(old);
    return old ? 0 : -ENOENT;
}

static int
prog_array_next_key(struct vm_map *map, const void *key, void *next)
{
    return vm_map_ops_array.next_key(map, key, next);
}

static size_t
prog_array_memory(const struct vm_map *map)
{
    return (sizeof(struct vm_prog_array)
            + (size_t) map->max_entries * sizeof(struct vm_prog *));
}

static size_t
prog_array_count(const struct vm_map *map)
{
    const struct vm_prog_array *array = prog_array_cast(map);
    size_t n = 0;

    for (uint32_t i = 0; i < map->max_entries; i++) {
        n += atomic_load_explicit(&array->progs[i],
                                  memory_order_relaxed) != NULL;
    }
    return n;
}

const struct vm_map_ops vm_map_ops_prog_array = {
    .name = "prog_array",
    .number = VM_MAP_prog_array,
    .caps = VM_MAP_CAP_TAIL_CALL,
    .create = prog_array_create,
    .destroy = prog_array_destroy,
    .read = prog_array_read,
    .delete = prog_array_delete,
    .next_key = prog_array_next_key,
    .memory = prog_array_memory,
    .count = prog_array_count,
};
