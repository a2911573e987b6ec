/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H 1

/* What a random program runs in: a program type with its context, and one
 * set of maps, the same for every program.
 *
 * What: fuzz_world_reset() puts context, packet, maps and the helpers that
 * would not answer the same twice (time, random numbers) into the state that
 * a seed describes; fuzz_world_result() sums up what a run left behind.  So
 * the same program can run on several engines, or be tried again.
 *
 * Two worlds: FUZZ_XDP has the program type of `bvs-bpf` and what Linux has,
 * too; FUZZ_BVS has a context with a member of every kind, versioned maps
 * and a page of programs, as generated programs have.
 *
 * Threads: one world belongs to one thread; the helpers' state is the
 * process's. */

#include "tests/fuzz/rng.h"
#include "datapath/xdp.h"
#include "vm/prog.h"

enum fuzz_kind { FUZZ_XDP, FUZZ_BVS, FUZZ_N_KINDS };

enum {
#define FUZZ_MAP(NAME, ...) FUZZ_M_##NAME,
#include "tests/fuzz/maps.def"
    FUZZ_N_MAPS
};
#define FUZZ_N_KERNEL_MAPS FUZZ_M_vhash

/* Context of FUZZ_BVS: a member of every kind. */
struct fuzz_ctx {
    uint8_t *data;
    uint8_t *data_end;
    uint8_t *data_meta;
    uint32_t ranged;            /* 1 to 255, read-only. */
    uint32_t mark;              /* Any number. */
    uint16_t limited;           /* 5 to 1000, writable. */
    uint16_t narrow;            /* Writable in parts. */
    uint32_t unseen;            /* No member. */
    uint64_t wide;              /* Read-only. */
    struct vm_slots *slots;     /* Hidden. */
    struct vm_turn turn;        /* Hidden. */
    uint8_t *ro_block;
    uint8_t *rw_block;
    uint64_t key[8];            /* Memory. */
    uint64_t fixed[4];          /* Read-only memory. */
};
#define FUZZ_RO_BLOCK 64
#define FUZZ_RW_BLOCK 128
#define FUZZ_HEADROOM 64
#define FUZZ_MAX_PACKET 512

struct fuzz_world {
    enum fuzz_kind kind;
    struct vm_prog_type type;
    struct vm_map *maps[FUZZ_N_MAPS];
    struct vm_map *inner[FUZZ_N_MAPS][2];       /* Of maps of maps. */
    struct vm_prog *targets[5];                 /* Of tail calls. */
    struct vm_prog *native[5];                  /* The same, compiled. */
    struct vm_slots *slots[2];                  /* Of targets and native. */
    struct vm_slots *page;                      /* The one in use. */
    void *ctx;                                  /* What r1 is. */
    struct dp_xdp *xdp;
    struct fuzz_ctx *bvs;
    uint8_t *buffer;                            /* FUZZ_BVS: packet. */
    uint8_t *blocks;
    bool no_devices;                            /* Maps of devices, CPUs and
                                                 * sockets stay empty. */
};

struct fuzz_result {
    uint64_t r0;
    uint64_t packet, context, maps, output;     /* Digests. */
    uint32_t packet_size;
    bool unstable;              /* An LRU map may have evicted. */
};

/* Programs are loaded with 'verify_opts' and 'backend' as the caller likes;
 * the targets of tail calls with 'backend'. */
struct fuzz_world *fuzz_world_create(enum fuzz_kind,
                                     const struct vm_backend *);
void fuzz_world_destroy(struct fuzz_world *);

/* The state that 'seed' describes; 'maps' has a bit for each map that the
 * program uses. */
void fuzz_world_reset(struct fuzz_world *, uint64_t seed, uint32_t maps);

/* The packet of 'seed', as fuzz_world_reset() makes it: its size. */
size_t fuzz_packet(uint64_t seed, uint8_t packet[FUZZ_MAX_PACKET]);

/* Entry 'i' of the initial contents of a map: false if there is none.  For
 * each CPU the same value. */
bool fuzz_map_entry(uint32_t map, uint64_t seed, uint32_t i, uint8_t *key,
                    uint8_t *value);

/* Tail calls lead to compiled programs, or to interpreted ones: engines count
 * tail calls for themselves. */
void fuzz_world_use_native(struct fuzz_world *, bool native);

void fuzz_world_result(struct fuzz_world *, uint64_t r0, uint32_t maps,
                       struct fuzz_result *);
bool fuzz_result_equal(const struct fuzz_result *,
                       const struct fuzz_result *);

/* Bits of the maps that a program names, and of those reached from them. */
uint32_t fuzz_maps_used(const struct vm_insn *, uint32_t n);

/* Attributes of map 'i', but for 'inner'. */
struct vm_map_attr fuzz_map_attr(uint32_t i);
uint32_t fuzz_map_inner(uint32_t i);

/* types.c: fills w->type. */
void fuzz_type_init(struct fuzz_world *);
/* Where the answers of time and random numbers begin. */
void fuzz_helpers_reset(struct fuzz_world *, uint64_t seed);

#endif /* tests/fuzz/world.h */
