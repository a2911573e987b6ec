/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_GEN_INTERNAL_H
#define TESTS_FUZZ_GEN_INTERNAL_H 1

/* Between the generator's files: gen.c (registers, statements, functions),
 * gen-flow.c (branches, loops), gen-mem.c (memory), gen-call.c (helpers). */

#include "tests/fuzz/gen.h"

enum gtype {
    G_NONE,                     /* Unreadable. */
    G_NUM,
    G_CTX,
    G_STACK,                    /* r10 + off. */
    G_PKT,                      /* 'room' bytes from here on are proved. */
    G_END,
    G_META,
    G_MAP,
    G_MEM,                      /* 'room' bytes of a map's value, a block, a
                                 * helper's memory, a caller's stack. */
};

struct greg {
    uint8_t type;               /* enum gtype. */
    bool null;                  /* May be 0. */
    bool read_only;
    bool held;                  /* Must be released. */
    int32_t off;                /* G_STACK: offset from r10. */
    int32_t room;               /* G_PKT, G_MEM: bytes accessible from it. */
    int32_t back;               /* G_MEM: bytes before it. */
    int32_t map;                /* G_MAP: index of one like it. */
    uint64_t max;               /* G_NUM: at most, UINT64_MAX if unknown. */
};

/* What the generator uses of a frame's stack: 8-byte slots. */
#define GEN_SLOTS 16

struct gslot {
    bool written;
    struct greg reg;            /* As if all of it was stored. */
};

struct gstate {
    struct greg regs[VM_N_REGS];
    struct gslot slots[GEN_SLOTS];
};

#define GEN_FUNCTIONS 4

/* A local function: what its arguments are. */
struct gfunc {
    uint8_t args[5];            /* enum gtype; G_MEM is 16 bytes of stack. */
    uint32_t start;
    bool returns_arg;           /* Gives back its G_MEM argument. */
    bool called;
};

struct gen {
    struct fuzz_program *p;
    const struct fuzz_world *w;
    struct rng rng;
    uint32_t options;
    uint32_t careless;          /* Of 1000. */
    uint32_t divisor;           /* Of sizes. */
    struct gstate s;
    uint16_t pinned;            /* Registers not to be overwritten. */
    uint16_t pinned_slots;
    uint32_t limit;             /* Slots at which statements stop. */
    int depth;                  /* Of nested blocks. */
    int loops;                  /* Nested loops. */
    int holds;                  /* Memory to be released. */
    bool dead;                  /* Nothing leads here. */
    struct gfunc functions[GEN_FUNCTIONS];
    uint32_t n_functions;
    uint32_t function;          /* Being generated; n_functions: main. */
    struct {
        uint32_t pc, function;
    } calls[64];                /* To be given their distance. */
    uint32_t n_calls;
    uint32_t outs[64];          /* Jumps to the end of the function. */
    uint32_t n_outs;
};

/* True now and then, in careless programs. */
bool gen_careless(struct gen *);

/* -- gen.c -- */
void gen_emit(struct gen *, const struct vm_insn *);
/* An instruction by its row; fields that it does not use are zeroed. */
void gen_insn(struct gen *, enum vm_insn_id, int dst, int src, int32_t x);
/* A load, a store or an atomic: 'off', and 'imm' for a store of one. */
void gen_access(struct gen *, enum vm_insn_id, int dst, int src, int16_t off);
void gen_mov(struct gen *, int dst, int src);
void gen_imm(struct gen *, int dst, uint64_t);
void gen_add(struct gen *, int dst, int32_t);
int gen_dst(struct gen *);      /* A register that may be overwritten. */
int gen_num(struct gen *);      /* A register with a number, made if need
                                 * be. */
int gen_find(struct gen *, enum gtype);        /* One of a type, or -1. */
void gen_set_num(struct gen *, int reg, uint64_t max);
void gen_statement(struct gen *);
void gen_block(struct gen *, int statements);
bool gen_full(const struct gen *);

/* -- gen-flow.c -- */
/* A jump whose distance is set by gen_land(). */
uint32_t gen_jump(struct gen *, enum vm_insn_id, int dst, int src,
                  int32_t imm);
void gen_land(struct gen *, uint32_t jump);
/* Random row of a conditional jump. */
enum vm_insn_id gen_cond(struct gen *, bool wide_only);
void gen_merge(struct gstate *, const struct gstate *);
void gen_if(struct gen *);
void gen_twins(struct gen *);
void gen_choice(struct gen *);
void gen_loop(struct gen *);
void gen_goto(struct gen *);
void gen_out(struct gen *);
/* `if (reg != 0) { ... }' around what comes between the two. */
uint32_t gen_null_begin(struct gen *, int reg, struct gstate *skip);
void gen_null_end(struct gen *, uint32_t jump, const struct gstate *skip);

/* -- gen-mem.c -- */
void gen_load(struct gen *);
void gen_store(struct gen *);
void gen_atomic(struct gen *);
void gen_spill(struct gen *);
void gen_fill(struct gen *);
void gen_packet(struct gen *);
void gen_bounded(struct gen *);
void gen_ctx_store(struct gen *);
void gen_pointer_math(struct gen *);
/* Makes 'dst' a pointer to 'size' bytes, readable and, if 'write', writable
 * as a helper's argument. */
void gen_memory(struct gen *, int dst, int size, bool write);

/* -- gen-call.c -- */
void gen_helper(struct gen *);
void gen_lookup(struct gen *);
void gen_call_local(struct gen *);
void gen_map_value(struct gen *);

#endif /* tests/fuzz/gen-internal.h */
