/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/asm.h"
#include "vm/map.h"
#include "vm/maps/array.h"
#include "vm/maps/of_maps.h"
#include "vm/maps/ringbuf.h"
#include "vm/maps/vtable.h"
#include "vm/verify.h"

#define TAIL 64                 /* After the packet of FUZZ_BVS. */

static const struct vm_map_attr attrs[FUZZ_N_MAPS] = {
#define FUZZ_MAP(NAME, KIND, KEY, VALUE, MAX, FLAGS, INNER)                   \
    { .kind = VM_MAP_##KIND, .key_size = KEY, .value_size = VALUE,            \
      .max_entries = MAX, .flags = FLAGS, .name = #NAME },
#include "tests/fuzz/maps.def"
};

static const uint32_t inners[FUZZ_N_MAPS] = {
#define FUZZ_MAP(NAME, KIND, KEY, VALUE, MAX, FLAGS, INNER) INNER,
#include "tests/fuzz/maps.def"
};

struct vm_map_attr
fuzz_map_attr(uint32_t i)
{
    return attrs[i];
}

uint32_t
fuzz_map_inner(uint32_t i)
{
    return inners[i];
}

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    putc('\n', stderr);
    exit(2);
}

/* -- Programs that tail calls and gotos lead to -- */

static const char *const target_texts[2][5] = {
    [FUZZ_XDP] = {
        "r0 = 305419896\nexit\n",
        "r2 = 4\ncall xdp_adjust_head\nr0 = -2\nexit\n",
        "r1 = map 18\nr1 = map_value 18 + 8\nr2 = 77\n"
        "lock *(u64 *)(r1 + 0) += r2\nr0 = *(u64 *)(r1 + 0)\nexit\n",
        "r6 = r1\nr1 = map_value 18 + 16\nr2 = 1\n"
        "lock *(u64 *)(r1 + 0) += r2\nr1 = r6\nr2 = map 15\nr3 = 3\n"
        "call tail_call\nr1 = map_value 18 + 16\n"
        "r0 = *(u64 *)(r1 + 0)\nexit\n",
        "r0 = 3 ll\nr0 <<= 40\nexit\n",
    },
    [FUZZ_BVS] = {
        "r0 = 305419896\nexit\n",
        "r2 = 4\ncall move_head\nw0 = -2\nexit\n",
        "r1 = map_value 18 + 8\nr2 = 77\n"
        "lock *(u64 *)(r1 + 0) += r2\nr0 = *(u32 *)(r1 + 0)\nw0 = 1\n"
        "exit\n",
        "r6 = r1\nr1 = map_value 18 + 16\nr2 = 1\n"
        "lock *(u64 *)(r1 + 0) += r2\n"
        "r0 = *(u32 *)(r1 + 0)\nexit\n",
        "w0 = -1\nexit\n",
    },
};

static struct vm_prog *
load_target(struct fuzz_world *w, const char *text,
            const struct vm_backend *backend)
{
    struct vm_asm_opts opts = { .type = &w->type, .maps = w->maps,
                                .n_maps = FUZZ_N_MAPS };
    struct vm_insn *insns;
    struct vm_prog *prog;
    struct vm_err err = { 0 };
    uint32_t n;

    if (vm_asm(text, &opts, &insns, &n, &err)) {
        die("tail call's target: %s\n%s", err.text, text);
    }
    const struct vm_prog_attr attr = {
        .type = &w->type, .name = "target", .insns = insns, .n_insns = n,
        .maps = w->maps, .n_maps = FUZZ_N_MAPS, .verify = vm_verify,
        .backend = backend,
    };
    if (vm_prog_load(&attr, &prog, &err)) {
        die("tail call's target: %s\n%s", err.text, text);
    }
    free(insns);
    return prog;
}

/* -- Life -- */

static void fill_map(struct vm_map *, uint32_t like, uint64_t seed);

static struct vm_map *
make_map(struct fuzz_world *w, uint32_t i)
{
    struct vm_map_attr attr = attrs[i];
    struct vm_map *map;
    struct vm_err err = { 0 };

    attr.inner = inners[i] ? w->inner[i][0] : NULL;
    if (vm_map_create(&attr, &map, &err)) {
        die("map %u: %s", i, err.text);
    }
    return map;
}

static void
make_maps(struct fuzz_world *w)
{
    for (uint32_t i = 0; i < FUZZ_N_MAPS; i++) {
        for (int j = 0; inners[i] && j < 2; j++) {
            w->inner[i][j] = make_map(w, inners[i]);
        }
        w->maps[i] = make_map(w, i);
        for (uint32_t j = 0; inners[i] && j < 2; j++) {
            uint32_t key = j;

            if (vm_map_set_inner(w->maps[i], &key, w->inner[i][j])) {
                die("inner map of map %u", i);
            }
        }
    }
}

static void
make_versioned(struct fuzz_world *w)
{
    uint64_t mask[3] = { UINT64_MAX, 0, UINT64_MAX };

    for (uint64_t i = 0; i < 4; i++) {
        uint64_t key[3] = { i & 1, i >> 1, i & 2 };

        vm_vhash_insert(w->maps[FUZZ_M_vhash], key, i, i + 100, NULL);
        mask[1] = i & 1 ? 0xff : 0;
        vm_vtuples_insert(w->maps[FUZZ_M_vtuples], mask, key, i, i, i + 100,
                          NULL);
    }
}

struct fuzz_world *
fuzz_world_create(enum fuzz_kind kind, const struct vm_backend *backend)
{
    struct fuzz_world *w = calloc(1, sizeof *w);
    size_t buffer = FUZZ_HEADROOM + FUZZ_MAX_PACKET + TAIL;

    if (!w) {
        die("no memory");
    }
    w->kind = kind;
    w->xdp = calloc(1, sizeof *w->xdp);
    w->bvs = calloc(1, sizeof *w->bvs);
    w->buffer = calloc(1, buffer);
    w->blocks = calloc(1, FUZZ_RO_BLOCK + FUZZ_RW_BLOCK);
    w->slots[0] = vm_slots_create(8);
    w->slots[1] = vm_slots_create(8);
    if (!w->xdp || !w->bvs || !w->buffer || !w->blocks || !w->slots[0]
        || !w->slots[1]) {
        die("no memory");
    }
    w->ctx = kind == FUZZ_XDP ? (void *) w->xdp : w->bvs;
    fuzz_type_init(w);
    make_maps(w);
    fill_map(w->maps[FUZZ_M_rodata], FUZZ_M_rodata, 0);
    make_versioned(w);
    for (uint32_t i = 0; i < 5; i++) {
        w->targets[i] = load_target(w, target_texts[kind][i], NULL);
        w->native[i] = load_target(w, target_texts[kind][i], backend);
        vm_slots_set(w->slots[0], i, w->targets[i]);
        vm_slots_set(w->slots[1], i, w->native[i]);
    }
    fuzz_world_use_native(w, false);
    return w;
}

void
fuzz_world_use_native(struct fuzz_world *w, bool native)
{
    if (w->page == w->slots[native]) {
        return;
    }
    for (uint32_t i = 0; i < 5; i++) {
        struct vm_prog *prog = native ? w->native[i] : w->targets[i];

        vm_prog_array_set(w->maps[FUZZ_M_progs], i, prog);
    }
    w->page = w->bvs->slots = w->slots[native];
}

void
fuzz_world_destroy(struct fuzz_world *w)
{
    for (uint32_t i = 0; i < 5; i++) {
        vm_prog_unref(w->targets[i]);
        vm_prog_unref(w->native[i]);
    }
    vm_slots_unref(w->slots[0]);
    vm_slots_unref(w->slots[1]);
    vm_prog_array_clear(w->maps[FUZZ_M_progs]);
    vm_defer_run();
    for (uint32_t i = 0; i < FUZZ_N_MAPS; i++) {
        vm_map_unref(w->maps[i]);
        vm_map_unref(w->inner[i][0]);
        vm_map_unref(w->inner[i][1]);
    }
    vm_defer_run();
    free(w->xdp);
    free(w->bvs);
    free(w->buffer);
    free(w->blocks);
    free(w);
}

/* -- Contents -- */

size_t
fuzz_packet(uint64_t seed, uint8_t packet[FUZZ_MAX_PACKET])
{
    static const uint16_t sizes[] = { 14, 20, 34, 60, 64, 64, 64, 65, 100,
                                      128, 128, 200, 256, 300 };
    struct rng rng = { seed ^ 1 };
    size_t size = sizes[rng_below(&rng, sizeof sizes / sizeof sizes[0])];

    rng_bytes(&rng, packet, size);
    return size;
}

bool
fuzz_map_entry(uint32_t map, uint64_t seed, uint32_t i, uint8_t *key,
               uint8_t *value)
{
    struct rng rng = { seed ^ (map + 1) * 0x10001 ^ i * 0x100000001 };
    uint32_t n = attrs[map].kind == VM_MAP_array
                 || attrs[map].kind == VM_MAP_percpu_array
                 ? attrs[map].max_entries : 3;

    if (i >= n || !attrs[map].key_size || attrs[map].key_size > 16) {
        return false;
    }
    memset(key, 0, attrs[map].key_size);
    key[0] = i;
    if (attrs[map].kind == VM_MAP_lpm_trie) {
        key[0] = 12 + 8 * i;
        key[4] = i > 1 ? 1 : 0;
    }
    rng_bytes(&rng, value, attrs[map].value_size);
    if (attrs[map].kind >= VM_MAP_devmap) {
        value[3] = 0;
    }
    return true;
}

/* In some kinds a deleted key is still the first one: keys before deeds. */
static void
empty_map(struct vm_map *map)
{
    uint8_t keys[128][16];
    int n = 0;

    while (n < 128 && !vm_map_next_key(map, n ? keys[n - 1] : NULL,
                                       keys[n])) {
        n++;
    }
    while (n > 0) {
        vm_map_delete(map, keys[--n]);
    }
}

static void
fill_map(struct vm_map *map, uint32_t like, uint64_t seed)
{
    uint8_t key[16], value[64], all[2 * 64];
    size_t size = map->value_size;
    bool per_cpu = map->ops->caps & VM_MAP_CAP_PER_CPU;

    if (attrs[like].flags & VM_MF_RDONLY) {
        seed = 0;               /* Constants are the same in each run. */
    }
    for (uint32_t i = 0; fuzz_map_entry(like, seed, i, key, value); i++) {
        if (attrs[like].kind == VM_MAP_array && map->max_entries == 1) {
            memcpy(map->ops->direct(map), value, size);
        } else if (!per_cpu) {
            vm_map_write(map, key, value, VM_ANY);
        } else {
            for (unsigned cpu = 0; cpu < vm_n_cpus; cpu++) {
                memcpy(&all[cpu * ((size + 7) & ~7u)], value, size);
            }
            vm_map_write(map, key, all, VM_ANY);
        }
    }
}

/* Programs may write the values that vlookup() finds. */
static bool
restore_value(struct vm_ventry *e, void *aux)
{
    vm_ventry_set_value(e, vm_ventry_add_version(e) + 100);
    return true;
}

static void
reset_map(struct fuzz_world *w, uint32_t i, uint64_t seed)
{
    struct vm_map *map = w->maps[i];

    switch (attrs[i].kind) {
    case VM_MAP_prog_array:
        return;
    case VM_MAP_vhash:
    case VM_MAP_vtuples:
        vm_vmap_for_each(map, restore_value, NULL);
        return;
    case VM_MAP_ringbuf:
        vm_ringbuf_consume(map, SIZE_MAX, NULL, NULL);
        return;
    case VM_MAP_perf_event_array:
        for (uint32_t cpu = 0; cpu < vm_n_cpus; cpu++) {
            vm_perf_consume(map, cpu, SIZE_MAX, NULL, NULL);
        }
        return;
    case VM_MAP_array_of_maps:
    case VM_MAP_hash_of_maps:
        for (int j = 0; j < 2; j++) {
            empty_map(w->inner[i][j]);
            fill_map(w->inner[i][j], inners[i], seed + j);
        }
        return;
    case VM_MAP_array:
    case VM_MAP_percpu_array:
        break;
    default:
        empty_map(map);
        if (w->no_devices && attrs[i].kind >= VM_MAP_devmap
            && attrs[i].kind != VM_MAP_ringbuf) {
            return;
        }
        break;
    }
    fill_map(map, i, seed);
}

static void
reset_packet(struct fuzz_world *w, uint64_t seed)
{
    uint8_t packet[FUZZ_MAX_PACKET];
    size_t size = fuzz_packet(seed, packet);
    struct fuzz_ctx *c = w->bvs;

    if (w->kind == FUZZ_XDP) {
        memset(w->xdp->buffer, 0, DP_XDP_HEADROOM);
        dp_xdp_set_packet(w->xdp, packet, size);
        memset(w->xdp->data_end, 0, 2 * FUZZ_MAX_PACKET);
    } else {
        memset(w->buffer, 0x3c, FUZZ_HEADROOM + FUZZ_MAX_PACKET + TAIL);
        c->data = w->buffer + FUZZ_HEADROOM;
        c->data_end = c->data + size;
        c->data_meta = c->data - rng_below(&(struct rng) { seed }, 3) * 4;
        memcpy(c->data, packet, size);
    }
}

static void
reset_bvs(struct fuzz_world *w, struct rng *rng)
{
    struct fuzz_ctx *c = w->bvs;

    c->ranged = 1 + rng_below(rng, 255);
    c->mark = rng_number(rng);
    c->limited = 5 + rng_below(rng, 996);
    c->narrow = rng_number(rng);
    c->wide = rng_number(rng);
    c->slots = w->page;
    memset(&c->turn, 0, sizeof c->turn);
    c->ro_block = w->blocks;
    c->rw_block = w->blocks + FUZZ_RO_BLOCK;
    rng_bytes(rng, w->blocks, FUZZ_RO_BLOCK + FUZZ_RW_BLOCK);
    rng_bytes(rng, c->key, sizeof c->key);
    rng_bytes(rng, c->fixed, sizeof c->fixed);
}

void
fuzz_world_reset(struct fuzz_world *w, uint64_t seed, uint32_t maps)
{
    struct rng rng = { seed };

    if (w->kind == FUZZ_XDP) {
        w->xdp->ingress_ifindex = 1;
        w->xdp->rx_queue_index = 0;
        w->xdp->egress_ifindex = 0;
    } else {
        reset_bvs(w, &rng);
    }
    reset_packet(w, seed);
    for (uint32_t i = 0; i < FUZZ_N_MAPS; i++) {
        if (maps & 1u << i) {
            reset_map(w, i, seed);
        }
    }
    vm_defer_run();
    fuzz_helpers_reset(w, seed);
}

uint32_t
fuzz_maps_used(const struct vm_insn *insns, uint32_t n)
{
    uint32_t used = 0;

    for (uint32_t pc = 0; pc < n; pc += vm_insn_slots(&insns[pc])) {
        if (insns[pc].code == VM_LDDW && insns[pc].src
            && (uint32_t) insns[pc].imm < FUZZ_N_MAPS) {
            used |= 1u << insns[pc].imm;
        }
    }
    /* The targets of tail calls and gotos write it. */
    return used | 1u << FUZZ_M_data;
}

/* -- Results -- */

/* A sum, because the order of a hash is not the program's doing. */
static uint64_t
digest_map(struct vm_map *map)
{
    uint8_t key[64] = { 0 }, next[64] = { 0 }, value[2 * 64];
    const void *last = NULL;
    uint64_t sum = 0;

    for (int i = 0; i < 256 && !vm_map_next_key(map, last, next); i++) {
        uint64_t h = vm_hash_bytes(next, map->key_size, 1);

        if (!vm_map_read(map, next, value)) {
            sum += vm_hash_bytes(value, vm_map_owner_value_size(map), h);
        }
        memcpy(key, next, map->key_size);
        last = key;
    }
    return sum;
}

static void
digest_record(void *aux, const void *data, uint32_t size)
{
    uint64_t *sum = aux;

    *sum = vm_hash_bytes(data, size, *sum);
}

static bool
digest_value(struct vm_ventry *e, void *aux)
{
    uint64_t *sum = aux;

    *sum = *sum * 31 + vm_ventry_value(e);
    return true;
}

static uint64_t
digest_one(struct fuzz_world *w, uint32_t i, struct fuzz_result *result)
{
    struct vm_map *map = w->maps[i];
    uint64_t sum = 0;

    switch (attrs[i].kind) {
    case VM_MAP_prog_array:
        return 0;
    case VM_MAP_vhash:
    case VM_MAP_vtuples:
        vm_vmap_for_each(map, digest_value, &sum);
        return sum;
    case VM_MAP_ringbuf:
        vm_ringbuf_consume(map, SIZE_MAX, digest_record, &result->output);
        return 0;
    case VM_MAP_perf_event_array:
        for (uint32_t cpu = 0; cpu < vm_n_cpus; cpu++) {
            vm_perf_consume(map, cpu, SIZE_MAX, digest_record,
                            &result->output);
        }
        return 0;
    case VM_MAP_array_of_maps:
    case VM_MAP_hash_of_maps:
        return digest_map(w->inner[i][0]) + 3 * digest_map(w->inner[i][1]);
    case VM_MAP_lru_hash:
    case VM_MAP_lru_percpu_hash:
        result->unstable |= vm_map_count(map) > attrs[i].max_entries / 2;
        break;
    default:
        break;
    }
    return digest_map(map);
}

void
fuzz_world_result(struct fuzz_world *w, uint64_t r0, uint32_t maps,
                  struct fuzz_result *result)
{
    const uint8_t *data, *end;

    memset(result, 0, sizeof *result);
    result->r0 = r0;
    if (w->kind == FUZZ_XDP) {
        data = w->xdp->data_meta;
        end = w->xdp->data_end;
    } else {
        const struct fuzz_ctx *c = w->bvs;
        struct fuzz_ctx seen = *c;

        seen.data = (void *) (c->data - w->buffer);
        seen.data_end = (void *) (c->data_end - w->buffer);
        seen.data_meta = (void *) (c->data_meta - w->buffer);
        seen.ro_block = seen.rw_block = NULL;
        seen.slots = NULL;
        memset(&seen.turn, 0, sizeof seen.turn);
        data = w->buffer;
        end = w->bvs->data_end;
        result->context = vm_hash_bytes(&seen, sizeof seen, 1)
                          + vm_hash_bytes(w->blocks, FUZZ_RO_BLOCK
                                          + FUZZ_RW_BLOCK, 2);
    }
    result->packet_size = end - data;
    result->packet = vm_hash_bytes(data, end - data < 2048 ? end - data
                                                           : 2048, 3);
    for (uint32_t i = 0; i < FUZZ_N_MAPS; i++) {
        if (maps & 1u << i) {
            result->maps = result->maps * 31 + digest_one(w, i, result);
        }
    }
}

bool
fuzz_result_equal(const struct fuzz_result *a, const struct fuzz_result *b)
{
    return a->r0 == b->r0 && a->packet == b->packet
           && a->packet_size == b->packet_size && a->context == b->context
           && a->maps == b->maps && a->output == b->output;
}
