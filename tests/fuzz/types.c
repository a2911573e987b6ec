/* SPDX-License-Identifier: Apache-2.0 */

/* The program types of the fuzzer's worlds, with helpers that give the same
 * answers in each run from the same seed. */

#include "tests/fuzz/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"
#include "vm/maps/ringbuf.h"

#define SCALAR(NAME, FLAGS, MIN, MAX)                                         \
    { .name = #NAME, .off = offsetof(struct fuzz_ctx, NAME),                  \
      .size = sizeof ((struct fuzz_ctx *) 0)->NAME, .kind = VM_CTX_SCALAR,    \
      .flags = FLAGS, .min = MIN, .max = MAX }
#define MEMBER(NAME, KIND, FLAGS, BLOCK)                                      \
    { .name = #NAME, .off = offsetof(struct fuzz_ctx, NAME),                  \
      .size = sizeof ((struct fuzz_ctx *) 0)->NAME, .kind = KIND,             \
      .flags = FLAGS, .block_size = BLOCK }

static const struct vm_ctx_member members[] = {
    MEMBER(data, VM_CTX_PKT_DATA, 0, 0),
    MEMBER(data_end, VM_CTX_PKT_END, 0, 0),
    MEMBER(data_meta, VM_CTX_PKT_META, 0, 0),
    SCALAR(ranged, 0, 1, 255),
    SCALAR(mark, VM_CTX_RW, 0, 0),
    SCALAR(limited, VM_CTX_RW, 5, 1000),
    SCALAR(narrow, VM_CTX_RW | VM_CTX_NARROW, 0, 0),
    SCALAR(wide, 0, 0, 0),
    MEMBER(slots, VM_CTX_HIDDEN, 0, 0),
    MEMBER(turn, VM_CTX_HIDDEN, 0, 0),
    MEMBER(ro_block, VM_CTX_BLOCK, 0, FUZZ_RO_BLOCK),
    MEMBER(rw_block, VM_CTX_BLOCK, VM_CTX_RW, FUZZ_RW_BLOCK),
    MEMBER(key, VM_CTX_MEM, VM_CTX_RW, 0),
    MEMBER(fixed, VM_CTX_MEM, 0, 0),
};

/* -- The helpers of FUZZ_BVS that touch its packet -- */

static uint8_t *buffer;         /* Of the run's packet. */

static struct fuzz_ctx *
ctx_of(uint64_t r)
{
    return (struct fuzz_ctx *) (uintptr_t) r;
}

static void *
ptr(uint64_t r)
{
    return (void *) (uintptr_t) r;
}

static uint64_t
move_head(uint64_t ctx, uint64_t by, uint64_t r3, uint64_t r4, uint64_t r5)
{
    struct fuzz_ctx *c = ctx_of(ctx);
    int32_t delta = by;

    if (delta < buffer - c->data || delta > c->data_end - c->data) {
        return (int64_t) -EINVAL;
    }
    c->data += delta;
    c->data_meta = c->data;
    return 0;
}

static uint64_t
load_bytes(uint64_t ctx, uint64_t off, uint64_t to, uint64_t len, uint64_t r5)
{
    struct fuzz_ctx *c = ctx_of(ctx);
    uint64_t size = c->data_end - c->data;

    if (off > size || len > size - off) {
        memset(ptr(to), 0, len);
        return (int64_t) -EINVAL;
    }
    memcpy(ptr(to), c->data + off, len);
    return 0;
}

static uint64_t
store_bytes(uint64_t ctx, uint64_t off, uint64_t from, uint64_t len,
            uint64_t r5)
{
    struct fuzz_ctx *c = ctx_of(ctx);
    uint64_t size = c->data_end - c->data;

    if (off > size || len > size - off) {
        return (int64_t) -EINVAL;
    }
    memmove(c->data + off, ptr(from), len);
    return 0;
}

static uint64_t
sum_bytes(uint64_t p, uint64_t size, uint64_t seed, uint64_t r4, uint64_t r5)
{
    uint64_t sum = seed;

    for (uint64_t i = 0; i < size; i++) {
        sum = sum * 31 + ((uint8_t *) ptr(p))[i];
    }
    return sum & 0xffff;
}

static const struct vm_helper bvs_helpers[] = {
    {
        .id = VM_HELPER_DP + 0x1000, .name = "move_head", .fn = move_head,
        .args = { VM_ARG_CTX, VM_ARG_ANY }, .flags = VM_HF_MOVES_PACKET,
        .ret_min = -EINVAL, .ret_max = 0,
    }, {
        .id = VM_HELPER_DP + 0x1001, .name = "load_bytes", .fn = load_bytes,
        .args = { VM_ARG_CTX, VM_ARG_ANY, VM_ARG_MEM_OUT, VM_ARG_SIZE },
        .flags = VM_HF_NO_PACKET_MEM,
    }, {
        .id = VM_HELPER_DP + 0x1002, .name = "store_bytes",
        .fn = store_bytes,
        .args = { VM_ARG_CTX, VM_ARG_ANY, VM_ARG_MEM, VM_ARG_SIZE_OR_ZERO },
        .flags = VM_HF_WRITES_PACKET,
    }, {
        .id = VM_HELPER_DP + 0x1003, .name = "sum_bytes", .fn = sum_bytes,
        .args = { VM_ARG_MEM_OR_NULL, VM_ARG_SIZE_OR_ZERO, VM_ARG_ANY },
        .ret_max = 0xffff,
    },
};

static const struct vm_helper_set bvs_set = {
    bvs_helpers, sizeof bvs_helpers / sizeof bvs_helpers[0],
};

static const struct vm_helper_set *const bvs_sets[] = {
    &bvs_set, &vm_helpers_base, &vm_helpers_versioned,
};

static const struct vm_prog_type bvs_type = {
    .name = "bvs",
    .ctx_size = sizeof(struct fuzz_ctx),
    .members = members,
    .n_members = sizeof members / sizeof members[0],
    .helper_sets = bvs_sets,
    .n_helper_sets = sizeof bvs_sets / sizeof bvs_sets[0],
    .gen_off = offsetof(struct fuzz_ctx, slots),
    .n_slots = 8,
    .turn_off = offsetof(struct fuzz_ctx, turn),
    .ret_max = UINT32_MAX,
};

/* -- Answers that a seed determines -- */

static struct rng answers;
static uint64_t ring_start;

static uint64_t
answer64(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    return rng_number(&answers);
}

static uint64_t
answer32(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    return (uint32_t) rng_number(&answers);
}

/* What lies in a ring is whatever was there before. */
static uint64_t
reserve(uint64_t map, uint64_t size, uint64_t flags, uint64_t r4, uint64_t r5)
{
    void *p = vm_ringbuf_reserve(ptr(map), size, flags);

    if (p) {
        memset(p, 0x5a, size);
    }
    return (uintptr_t) p;
}

/* Positions in a ring, from where they were when the run began. */
static uint64_t
query(uint64_t map, uint64_t what, uint64_t r3, uint64_t r4, uint64_t r5)
{
    uint64_t x = vm_ringbuf_query(ptr(map), what);

    return what == 2 || what == 3 ? x - ring_start : x;
}

void
fuzz_helpers_reset(struct fuzz_world *w, uint64_t seed)
{
    answers.state = seed;
    buffer = w->buffer;
    ring_start = vm_ringbuf_query(w->maps[FUZZ_M_ringbuf], 3);
}

static void
replace(struct vm_helper *h)
{
    switch (h->id) {
    case VM_HELPER_KTIME_GET_NS:
    case VM_HELPER_KTIME_GET_BOOT_NS:
    case VM_HELPER_KTIME_COARSE_NS:
    case VM_HELPER_JIFFIES64:
        h->fn = answer64;
        break;
    case VM_HELPER_PRANDOM_U32:
        h->fn = answer32;
        break;
    case VM_HELPER_RINGBUF_RESERVE:
        h->fn = reserve;
        break;
    case VM_HELPER_RINGBUF_QUERY:
        h->fn = query;
        break;
    default:
        break;
    }
}

/* Storage of a world's type: small, once a process, never freed. */
void
fuzz_type_init(struct fuzz_world *w)
{
    const struct vm_prog_type *from = w->kind == FUZZ_XDP ? &dp_xdp_type
                                                          : &bvs_type;
    static struct vm_helper_set copies[FUZZ_N_KINDS][8];
    static const struct vm_helper_set *sets[FUZZ_N_KINDS][8];
    static struct vm_helper helpers[FUZZ_N_KINDS][128];
    size_t n = 0;

    for (size_t i = 0; i < from->n_helper_sets; i++) {
        struct vm_helper_set *copy = &copies[w->kind][i];

        *copy = *from->helper_sets[i];
        copy->helpers = &helpers[w->kind][n];
        for (size_t j = 0; j < copy->n; j++, n++) {
            helpers[w->kind][n] = from->helper_sets[i]->helpers[j];
            replace(&helpers[w->kind][n]);
        }
        sets[w->kind][i] = copy;
    }
    w->type = *from;
    w->type.helper_sets = sets[w->kind];
}
