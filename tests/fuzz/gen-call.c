/* SPDX-License-Identifier: Apache-2.0 */

/* The generator: helpers by their prototypes, maps, local functions. */

#include "tests/fuzz/gen-internal.h"

#include <string.h>

#include "vm/map.h"

/* -- Arguments -- */

static const struct vm_map *
map_of(const struct gen *g, uint32_t i)
{
    return g->w->maps[i];
}

/* A map with the abilities that the helper asks for, or -1. */
static int
choose_map(struct gen *g, uint32_t caps)
{
    uint32_t n = g->options & FUZZ_GEN_KERNEL ? FUZZ_N_KERNEL_MAPS
                                              : FUZZ_N_MAPS;

    for (int i = 0; i < 100; i++) {
        uint32_t m = rng_below(&g->rng, n);

        /* Short prefixes in the table of IPv4's cost more than the rest of
         * a program's runs together. */
        if (g->options & FUZZ_GEN_KERNEL && caps & VM_MAP_CAP_LOOKUP
            && map_of(g, m)->ops->caps & VM_MAP_CAP_REDIRECT
            && !gen_careless(g)) {
            continue;           /* Linux gives sockets, or nothing. */
        }
        if (m == FUZZ_M_lpm4 && rng_below(&g->rng, 16)) {
            continue;
        }
        if ((map_of(g, m)->ops->caps & caps) == caps || gen_careless(g)) {
            return m;
        }
    }
    return -1;
}

struct args {
    const struct vm_helper *helper;
    int map;
    int size;                   /* Of the memory just made. */
    int const_size;
    uint32_t done;              /* Registers that are set. */
};

static uint64_t
any_argument(struct gen *g, const struct vm_helper *h)
{
    switch (h->id) {
    case VM_HELPER_MAP_UPDATE:
    case VM_HELPER_TAIL_CALL:
    case VM_HELPER_RINGBUF_QUERY:
    case VM_HELPER_GOTO:
    case VM_HELPER_VLOOKUP:
    case VM_HELPER_VLOOKUP_END:
        return rng_below(&g->rng, 6);
    case VM_HELPER_RINGBUF_RESERVE:
    case VM_HELPER_RINGBUF_OUTPUT:
    case VM_HELPER_RINGBUF_SUBMIT:
    case VM_HELPER_RINGBUF_DISCARD:
        return 0;
    default:
        return rng_below(&g->rng, 2) ? rng_below(&g->rng, 64)
                                     : rng_number(&g->rng);
    }
}

static bool
memory_argument(struct gen *g, struct args *a, int i)
{
    int reg = VM_R1 + i;
    bool out = a->helper->args[i] == VM_ARG_MEM_OUT;

    if (a->helper->args[i] == VM_ARG_MEM_OR_NULL
        && !rng_below(&g->rng, 4)) {
        gen_imm(g, reg, 0);
        a->size = 0;
        return true;
    }
    a->size = 4 * (1 + rng_below(&g->rng, 8));
    if (out && rng_below(&g->rng, 2)) {
        /* Not written before. */
        gen_mov(g, reg, VM_FP);
        gen_insn(g, VM_I_ADD64_RI, reg, 0, -8 * GEN_SLOTS);
        for (int j = 0; j < a->size / 8; j++) {
            struct gslot *slot = &g->s.slots[GEN_SLOTS - 1 - j];

            slot->written = true;
            slot->reg = (struct greg) { .type = G_NUM, .max = UINT64_MAX };
        }
        g->s.regs[reg].type = G_MEM;
        return true;
    }
    gen_memory(g, reg, a->size, out);
    return true;
}

static void
size_argument(struct gen *g, struct args *a, int reg)
{
    int num = gen_find(g, G_NUM);

    if (gen_careless(g)) {
        gen_imm(g, reg, rng_number(&g->rng));
    } else if (a->size >= 8 && rng_below(&g->rng, 2)
               && (num > VM_R5 || g->s.slots[0].reg.type == G_NUM)) {
        if (num > VM_R5) {
            gen_mov(g, reg, num);
        } else {
            gen_access(g, VM_I_LDXDW, reg, VM_FP, -8);
        }
        gen_insn(g, VM_I_AND64_RI, reg, 0, 7);
        gen_insn(g, VM_I_ADD64_RI, reg, 0, 1);
        gen_set_num(g, reg, 8);
    } else {
        gen_imm(g, reg, a->size);
    }
}

/* One argument; false if there is nothing to pass. */
static bool
argument(struct gen *g, struct args *a, int i)
{
    int reg = VM_R1 + i, from;

    switch (a->helper->args[i]) {
    case VM_ARG_ANY:
    case VM_ARG_OPTIONAL:
        from = gen_find(g, G_NUM);
        if (from > VM_R5 && rng_below(&g->rng, 2)
            && a->helper->id < VM_HELPER_RINGBUF_OUTPUT) {
            gen_mov(g, reg, from);
        } else {
            gen_imm(g, reg, any_argument(g, a->helper));
        }
        return true;
    case VM_ARG_CTX:
        from = gen_find(g, G_CTX);
        if (from >= 0) {
            gen_mov(g, reg, from);
        }
        return from >= 0;
    case VM_ARG_MAP:
        a->map = choose_map(g, a->helper->map_caps);
        if (a->map >= 0) {
            gen_insn(g, VM_I_LDMAP, reg, 0, a->map);
            gen_emit(g, &(struct vm_insn) { 0 });
            g->s.regs[reg] = (struct greg) { .type = G_MAP, .map = a->map };
        }
        return a->map >= 0;
    case VM_ARG_MAP_KEY:
        gen_memory(g, reg, map_of(g, a->map)->key_size, false);
        return true;
    case VM_ARG_MAP_VALUE:
        gen_memory(g, reg, map_of(g, a->map)->value_size, false);
        return true;
    case VM_ARG_ADDRESS:
        gen_memory(g, reg, 8, false);
        return true;
    case VM_ARG_MEM:
    case VM_ARG_MEM_OR_NULL:
    case VM_ARG_MEM_OUT:
        return memory_argument(g, a, i);
    case VM_ARG_SIZE:
    case VM_ARG_SIZE_OR_ZERO:
        size_argument(g, a, reg);
        return true;
    case VM_ARG_CONST_SIZE:
        a->const_size = 8 * (1 + rng_below(&g->rng, 6));
        gen_imm(g, reg, a->const_size);
        return true;
    case VM_ARG_RELEASE:
    case VM_ARG_NONE:
        break;
    }
    return false;
}

static void
after_call(struct gen *g, bool moves_packet)
{
    for (int r = VM_R0; r <= VM_R5; r++) {
        g->s.regs[r] = (struct greg) { .type = G_NONE };
    }
    for (int r = 0; moves_packet && r < 10; r++) {
        if (g->s.regs[r].type >= G_PKT && g->s.regs[r].type <= G_META) {
            g->s.regs[r].type = G_NONE;
        }
    }
    for (int i = 0; moves_packet && i < GEN_SLOTS; i++) {
        struct gslot *slot = &g->s.slots[i];

        if (slot->reg.type >= G_PKT && slot->reg.type <= G_META) {
            slot->written = false;
            slot->reg.type = G_NONE;
        }
    }
}

static int call_helper(struct gen *g, const struct vm_helper *h,
                       struct args *a);

/* -- Results -- */

/* Moves r0 to a register that lasts, if there is one. */
static int
keep_result(struct gen *g)
{
    for (int r = VM_R7; r <= VM_R9; r++) {
        if (!(g->pinned & 1u << r) && rng_below(&g->rng, 4)) {
            gen_mov(g, r, VM_R0);
            g->s.regs[VM_R0].type = G_NONE;
            return r;
        }
    }
    return VM_R0;
}

/* What is reserved is given back at the end of the block. */
static void
use_reserved(struct gen *g)
{
    int r = keep_result(g), release = rng_below(&g->rng, 2)
                                      ? VM_HELPER_RINGBUF_SUBMIT
                                      : VM_HELPER_RINGBUF_DISCARD;
    uint16_t pinned = g->pinned;
    struct gstate skip;
    uint32_t jump;
    bool copied;

    if (r == VM_R0) {
        r = VM_R7;
        gen_mov(g, r, VM_R0);
        g->s.regs[VM_R0].type = G_NONE;
    }
    jump = gen_null_begin(g, r, &skip);
    g->pinned |= 1u << r;
    g->holds++;
    gen_block(g, 1 + rng_below(&g->rng, 3));
    g->holds--;
    g->pinned = pinned;
    copied = g->careless && r != VM_R8 && !(pinned & 1u << VM_R8)
             && !rng_below(&g->rng, 4);
    if (copied) {
        gen_mov(g, VM_R8, r);
    }
    gen_mov(g, VM_R1, r);
    gen_imm(g, VM_R2, 0);
    gen_insn(g, VM_I_CALL, 0, 0, release);
    after_call(g, false);
    if (copied) {
        gen_land(g, gen_jump(g, VM_I_JNE64_RI, VM_R8, 0, 0));
        gen_access(g, VM_I_LDXB, VM_R8, VM_R8, 0);
    }
    for (int i = 0; i < 10; i++) {
        if (g->s.regs[i].type == G_MEM && g->s.regs[i].room <= 48) {
            g->s.regs[i].type = G_NONE;
        }
    }
    for (int i = 0; i < GEN_SLOTS; i++) {
        if (g->s.slots[i].reg.type == G_MEM) {
            g->s.slots[i].written = false;
            g->s.slots[i].reg.type = G_NONE;
        }
    }
    gen_null_end(g, jump, &skip);
}

/* A lookup in the map that r has; the result may be 0. */
static void
lookup_inner(struct gen *g, int r)
{
    uint32_t like = g->s.regs[r].map;
    struct args a = { .map = like };

    gen_memory(g, VM_R2, map_of(g, like)->key_size, false);
    gen_mov(g, VM_R1, r);
    gen_insn(g, VM_I_CALL, 0, 0, VM_HELPER_MAP_LOOKUP);
    after_call(g, false);
    g->s.regs[VM_R0] = (struct greg) {
        .type = G_MEM, .null = true,
        .room = map_of(g, a.map)->value_size,
    };
}

static void
use_value(struct gen *g)
{
    int r;
    struct gstate skip;
    uint32_t jump;

    if (g->depth > 4) {
        return;
    }
    r = keep_result(g);
    if (gen_careless(g)) {
        g->s.regs[r].null = false;
        return;
    }
    if (g->careless && r != VM_R0 && g->s.regs[r].type == G_MEM
        && !rng_below(&g->rng, 12)) {
        /* Test another pointer instead, or this one too late. */
        uint16_t pinned = g->pinned;

        if (rng_below(&g->rng, 2)) {
            gen_add(g, r, 1 + rng_below(&g->rng, 7));
        } else {
            g->s.regs[r].null = false;
            g->pinned |= 1u << r;
            gen_lookup(g);
            g->pinned = pinned;
            return;
        }
    }
    jump = gen_null_begin(g, r, &skip);
    if (g->s.regs[r].type == G_MAP && rng_below(&g->rng, 4)) {
        lookup_inner(g, r);
        use_value(g);
    }
    gen_block(g, 1 + rng_below(&g->rng, 5));
    gen_null_end(g, jump, &skip);
}

static void
use_result(struct gen *g, const struct vm_helper *h, const struct args *a)
{
    struct greg *r0 = &g->s.regs[VM_R0];

    switch (h->ret) {
    case VM_RET_INT:
        /* Of a failed tail call, Linux has none. */
        if (h->flags & VM_HF_TAIL_CALL && g->options & FUZZ_GEN_KERNEL) {
            break;
        }
        gen_set_num(g, VM_R0, UINT64_MAX);
        break;
    case VM_RET_VOID:
        break;
    case VM_RET_MEM_OR_NULL:
        *r0 = (struct greg) { .type = G_MEM, .null = true,
                              .room = a->const_size, .held = true };
        use_reserved(g);
        break;
    case VM_RET_MAP_VALUE_OR_NULL:
        *r0 = (struct greg) { .type = G_MEM, .null = true,
                              .room = map_of(g, a->map)->value_size,
                              .read_only
                                  = vm_map_is_constant(map_of(g, a->map)) };
        if (fuzz_map_inner(a->map)) {
            *r0 = (struct greg) { .type = G_MAP, .null = true,
                                  .map = fuzz_map_inner(a->map) };
        }
        use_value(g);
        break;
    }
}

/* Nothing but r1, the context, is left. */
static void
after_yield(struct gen *g)
{
    for (int r = 0; r < 10; r++) {
        g->s.regs[r].type = G_NONE;
    }
    memset(g->s.slots, 0, sizeof g->s.slots);
    g->s.regs[VM_R1].type = G_CTX;
    gen_mov(g, VM_R6, VM_R1);
}

static int
call_helper(struct gen *g, const struct vm_helper *h, struct args *a)
{
    uint16_t pinned = g->pinned;
    bool ok = true;

    for (int i = 0; i < 5 && ok && h->args[i] != VM_ARG_NONE; i++) {
        ok = argument(g, a, i);
        g->pinned |= 1u << (VM_R1 + i);
    }
    g->pinned = pinned;
    if (!ok) {
        return -1;
    }
    gen_insn(g, VM_I_CALL, 0, 0, h->id);
    after_call(g, h->flags & VM_HF_MOVES_PACKET);
    if (h->flags & VM_HF_YIELD) {
        after_yield(g);
    }
    return 0;
}

static void
call_one(struct gen *g, const struct vm_helper *h)
{
    struct args a = { .helper = h, .map = -1 };

    for (int r = VM_R0; r <= VM_R5; r++) {
        if (g->pinned & 1u << r) {
            return;
        }
    }
    if (h->ret == VM_RET_MEM_OR_NULL
        && (g->holds > 1 || g->pinned & 1u << VM_R7 || g->depth > 3)) {
        return;
    }
    if (h->flags & VM_HF_YIELD
        && (g->depth || g->holds || g->function < g->n_functions)) {
        return;
    }
    /* What the verifier refuses. */
    if ((h->id == VM_HELPER_TAIL_CALL && g->w->type.gen_off != VM_NO_GEN)
        || (h->id == VM_HELPER_GOTO && g->function < g->n_functions)) {
        return;
    }
    if (h->flags & VM_HF_TAIL_CALL
        && (g->holds || (g->depth < 2 && rng_below(&g->rng, 3)))) {
        return;
    }
    if (!call_helper(g, h, &a)) {
        use_result(g, h, &a);
    }
}

/* Those that write to the kernel's log, or ask its routing tables, are not
 * called there. */
static bool
is_local(const struct vm_helper *h)
{
    return h->id >= VM_HELPER_OURS || !strcmp(h->name, "trace_printk")
           || !strcmp(h->name, "trace_vprintk")
           || !strcmp(h->name, "fib_lookup");
}

void
gen_helper(struct gen *g)
{
    const struct vm_prog_type *type = &g->w->type;
    const struct vm_helper_set *set;
    const struct vm_helper *h;

    do {
        set = type->helper_sets[rng_below(&g->rng, type->n_helper_sets)];
        h = &set->helpers[rng_below(&g->rng, set->n)];
    } while (h->args[0] == VM_ARG_RELEASE
             || (g->options & FUZZ_GEN_KERNEL && is_local(h)));
    call_one(g, h);
}

void
gen_lookup(struct gen *g)
{
    call_one(g, vm_type_helper(&g->w->type, VM_HELPER_MAP_LOOKUP));
}

/* The constant address of an array's only value. */
void
gen_map_value(struct gen *g)
{
    uint32_t map = rng_below(&g->rng, 3) ? FUZZ_M_data : FUZZ_M_rodata;
    int off = rng_below(&g->rng, 4) * 8, dst = gen_dst(g);
    struct vm_insn second = { .imm = off };

    gen_insn(g, VM_I_LDMAPVAL, dst, 0, map);
    gen_emit(g, &second);
    g->s.regs[dst] = (struct greg) {
        .type = G_MEM, .room = 32 - off, .back = off,
        .read_only = map == FUZZ_M_rodata,
    };
}

/* -- Local functions -- */

static bool
local_argument(struct gen *g, int reg, enum gtype type)
{
    int from;

    switch (type) {
    case G_NUM:
        from = gen_find(g, G_NUM);
        if (from >= 0 && rng_below(&g->rng, 3)) {
            gen_mov(g, reg, from);
        } else {
            gen_imm(g, reg, rng_number(&g->rng));
        }
        return true;
    case G_CTX:
        from = gen_find(g, G_CTX);
        if (from >= 0) {
            gen_mov(g, reg, from);
        }
        return from >= 0;
    case G_MEM:
        gen_memory(g, reg, 16, true);
        return true;
    default:
        return true;
    }
}

void
gen_call_local(struct gen *g)
{
    uint32_t first = g->function == g->n_functions ? 0 : g->function + 1;
    uint16_t pinned = g->pinned;
    struct gfunc *f;
    uint32_t i;

    if (first >= g->n_functions || g->n_calls == 64 || g->loops > 1
        || g->holds || pinned & 0x3f) {
        return;
    }
    i = first + rng_below(&g->rng, g->n_functions - first);
    f = &g->functions[i];
    for (int r = 0; r < 5; r++) {
        if (!local_argument(g, VM_R1 + r, f->args[r])) {
            g->pinned = pinned;
            return;
        }
        g->pinned |= 1u << (VM_R1 + r);
    }
    g->pinned = pinned;
    f->called = true;
    g->calls[g->n_calls].pc = g->p->n;
    g->calls[g->n_calls++].function = i;
    gen_insn(g, VM_I_CALL_LOCAL, 0, 0, 0);
    after_call(g, true);
    if (f->returns_arg) {
        g->s.regs[VM_R0] = (struct greg) { .type = G_MEM, .room = 16 };
    } else {
        gen_set_num(g, VM_R0, UINT64_MAX);
    }
}
