/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/gen.h"

#include <string.h>

#include "tests/fuzz/gen-internal.h"

bool
gen_careless(struct gen *g)
{
    return rng_below(&g->rng, 1000) < g->careless;
}

bool
gen_full(const struct gen *g)
{
    return g->p->n >= g->limit;
}

/* -- Instructions -- */

void
gen_emit(struct gen *g, const struct vm_insn *insn)
{
    if (g->p->n < FUZZ_MAX_INSNS) {
        g->p->insns[g->p->n++] = *insn;
    }
}

static struct vm_insn
blank(enum vm_insn_id id)
{
    const struct vm_isa *isa = &vm_isa[id];
    struct vm_insn insn = { .code = isa->code };

    if (isa->sel == VM_SEL_SRC) {
        insn.src = isa->selval;
    } else if (isa->sel == VM_SEL_OFF) {
        insn.off = isa->selval;
    } else if (isa->sel == VM_SEL_IMM) {
        insn.imm = isa->selval;
    }
    return insn;
}

void
gen_insn(struct gen *g, enum vm_insn_id id, int dst, int src, int32_t x)
{
    struct vm_insn insn = blank(id);

    insn.dst = dst;
    switch ((enum vm_form) vm_isa[id].form) {
    case VM_F_ALU_RR:
    case VM_F_MOVSX:
    case VM_F_JCC_RR:
        insn.src = src;
        break;
    case VM_F_ALU_RI:
    case VM_F_JCC_RI:
    case VM_F_CALL:
    case VM_F_CALL_LOCAL:
    case VM_F_LDMAP:
    case VM_F_LDMAPVAL:
    case VM_F_LDDW:
        insn.imm = x;
        break;
    default:
        break;
    }
    gen_emit(g, &insn);
}

void
gen_access(struct gen *g, enum vm_insn_id id, int dst, int src, int16_t off)
{
    struct vm_insn insn = blank(id);

    insn.dst = dst;
    insn.off = off;
    if (vm_isa[id].form == VM_F_ST) {
        insn.imm = rng_number(&g->rng);
    } else {
        insn.src = src;
    }
    gen_emit(g, &insn);
}

void
gen_mov(struct gen *g, int dst, int src)
{
    gen_insn(g, VM_I_MOV64_RR, dst, src, 0);
    g->s.regs[dst] = g->s.regs[src];
}

void
gen_imm(struct gen *g, int dst, uint64_t x)
{
    struct vm_insn second = { .imm = x >> 32 };

    if (x == (uint64_t) (int64_t) (int32_t) x && rng_below(&g->rng, 8)) {
        gen_insn(g, VM_I_MOV64_RI, dst, 0, x);
    } else if (x <= UINT32_MAX && rng_below(&g->rng, 2)) {
        gen_insn(g, VM_I_MOV32_RI, dst, 0, x);
    } else {
        gen_insn(g, VM_I_LDDW, dst, 0, x);
        gen_emit(g, &second);
    }
    gen_set_num(g, dst, x);
}

void
gen_add(struct gen *g, int dst, int32_t by)
{
    gen_insn(g, VM_I_ADD64_RI, dst, 0, by);
    if (g->s.regs[dst].type == G_STACK) {
        g->s.regs[dst].off += by;
    } else {
        g->s.regs[dst].room -= by;
        g->s.regs[dst].back += by;
    }
}

/* -- Registers -- */

void
gen_set_num(struct gen *g, int reg, uint64_t max)
{
    g->s.regs[reg] = (struct greg) { .type = G_NUM, .max = max };
}

int
gen_dst(struct gen *g)
{
    for (int i = 0; i < 40; i++) {
        int r = rng_below(&g->rng, 10);
        const struct greg *reg = &g->s.regs[r];

        /* Pointers are worth more than numbers. */
        if (!(g->pinned & 1u << r)
            && (reg->type <= G_NUM || !rng_below(&g->rng, 3))) {
            return r;
        }
    }
    for (int r = 0; r < 10; r++) {
        if (!(g->pinned & 1u << r)) {
            return r;
        }
    }
    return 0;
}

int
gen_find(struct gen *g, enum gtype type)
{
    int start = rng_below(&g->rng, 10);

    for (int i = 0; i < 10; i++) {
        int r = (start + i) % 10;

        if (g->s.regs[r].type == type && !g->s.regs[r].null) {
            return r;
        }
    }
    return -1;
}

int
gen_num(struct gen *g)
{
    int r = gen_careless(g) ? (int) rng_below(&g->rng, 11)
            : gen_find(g, G_NUM);

    if (r < 0) {
        r = gen_dst(g);
        gen_imm(g, r, rng_number(&g->rng));
    }
    return r;
}

/* -- Arithmetic -- */

/* A random row of a form. */
static enum vm_insn_id
row_of(struct gen *g, enum vm_form form)
{
    enum vm_insn_id id;

    do {
        id = rng_below(&g->rng, VM_N_INSNS);
    } while (vm_isa[id].form != form);
    return id;
}

/* Linux wants shifts by less than the width and no division by a constant
 * 0. */
static int32_t
operand(struct gen *g, enum vm_insn_id id)
{
    int op = vm_isa[id].code & VM_OP_MASK;
    int32_t x = rng_number(&g->rng);

    if (op == VM_LSH || op == VM_RSH || op == VM_ARSH) {
        return x & (vm_isa[id].bits - 1);
    } else if (!x && (op == VM_DIV || op == VM_MOD)) {
        return 1;
    }
    return x;
}

static void
gen_alu(struct gen *g)
{
    static const uint8_t forms[] = { VM_F_ALU_RR, VM_F_ALU_RR, VM_F_ALU_RI,
                                     VM_F_ALU_RI, VM_F_NEG, VM_F_MOVSX,
                                     VM_F_END };
    enum vm_form form = forms[rng_below(&g->rng, sizeof forms)];
    enum vm_insn_id id = row_of(g, form);
    int src = gen_num(g), dst = gen_num(g);

    if (form == VM_F_MOVSX
        || (form != VM_F_NEG && form != VM_F_END
            && (vm_isa[id].code & VM_OP_MASK) == VM_MOV)) {
        dst = gen_dst(g);
    }
    if (g->pinned & 1u << dst) {
        int to = gen_dst(g);

        gen_mov(g, to, dst);
        dst = to;
    }
    gen_insn(g, id, dst, src, operand(g, id));
    gen_set_num(g, dst, UINT64_MAX);
    if (id == VM_I_AND64_RI || id == VM_I_AND32_RI) {
        int32_t mask = g->p->insns[g->p->n - 1].imm;

        gen_set_num(g, dst, mask >= 0 ? (uint64_t) mask : UINT64_MAX);
    }
}

/* What has no answer in as many bits: the least number divided by -1; by 0,
 * too. */
static void
gen_divide(struct gen *g)
{
    static const int32_t by[] = { -1, -1, -1, 0, 1, 2 };
    bool wide = rng_below(&g->rng, 2);
    uint64_t least = wide ? (uint64_t) 1 << 63 : (uint32_t) 1 << 31;
    enum vm_insn_id id;
    int src = gen_dst(g), dst;

    do {
        id = row_of(g, rng_below(&g->rng, 4) ? VM_F_ALU_RR : VM_F_ALU_RI);
    } while ((vm_isa[id].bits == 64) != wide
             || ((vm_isa[id].code & VM_OP_MASK) != VM_DIV
                 && (vm_isa[id].code & VM_OP_MASK) != VM_MOD));
    gen_imm(g, src, (int64_t) by[rng_below(&g->rng, 6)]);
    do {
        dst = gen_dst(g);
    } while (dst == src);
    gen_imm(g, dst, least + (rng_below(&g->rng, 4) ? 0
                             : rng_number(&g->rng) << 32));
    gen_insn(g, id, dst, src, -1);
    gen_set_num(g, dst, UINT64_MAX);
}

static void
gen_copy(struct gen *g)
{
    int src = rng_below(&g->rng, 10), dst = gen_dst(g);

    if (g->s.regs[src].type != G_NONE || gen_careless(g)) {
        gen_mov(g, dst, src);
        g->s.regs[dst].held = false;
    }
}

/* -- Statements -- */

void
gen_statement(struct gen *g)
{
    static void (*const kinds[])(struct gen *) = {
        gen_alu, gen_alu, gen_alu, gen_alu, gen_alu, gen_alu, gen_alu,
        gen_alu, gen_alu, gen_alu, gen_copy, gen_copy, gen_load, gen_load,
        gen_load, gen_load, gen_store, gen_store, gen_store, gen_atomic,
        gen_atomic, gen_spill, gen_spill, gen_fill, gen_fill, gen_packet,
        gen_packet, gen_bounded, gen_bounded, gen_bounded, gen_ctx_store,
        gen_pointer_math, gen_if, gen_if, gen_if, gen_if, gen_if, gen_loop,
        gen_loop, gen_goto, gen_out, gen_helper, gen_helper, gen_helper,
        gen_lookup, gen_lookup, gen_call_local, gen_call_local,
        gen_map_value, gen_twins, gen_twins, gen_divide, gen_choice,
    };

    kinds[rng_below(&g->rng, sizeof kinds / sizeof kinds[0])](g);
}

void
gen_block(struct gen *g, int statements)
{
    g->depth++;
    while (statements-- > 0 && !gen_full(g) && !g->dead) {
        gen_statement(g);
    }
    g->depth--;
}

/* -- Functions -- */

/* All that is known as a number ends up in r0, sometimes. */
static void
gen_result(struct gen *g)
{
    bool all = rng_percent(&g->rng, 50);
    int r0 = g->s.regs[VM_R0].type == G_NUM ? -1 : gen_find(g, G_NUM);

    if (r0 > 0) {
        gen_mov(g, VM_R0, r0);
    } else if (r0 < 0 && g->s.regs[VM_R0].type != G_NUM
               && !gen_careless(g)) {
        gen_imm(g, VM_R0, rng_number(&g->rng));
    }
    for (int r = 1; all && r < 10; r++) {
        if (g->s.regs[r].type == G_NUM) {
            gen_insn(g, VM_I_XOR64_RR, VM_R0, r, 0);
            gen_insn(g, VM_I_MUL64_RI, VM_R0, 0, 31);
        }
    }
    for (int i = 0; all && i < GEN_SLOTS; i++) {
        if (g->s.slots[i].written && g->s.slots[i].reg.type == G_NUM) {
            gen_access(g, VM_I_LDXDW, VM_R1, VM_FP, -8 * (i + 1));
            gen_insn(g, VM_I_ADD64_RR, VM_R0, VM_R1, 0);
        }
    }
    if (g->function == g->n_functions && g->w->type.ret_max) {
        gen_insn(g, VM_I_MOV32_RR, VM_R0, VM_R0, 0);
    }
}

static void
gen_function(struct gen *g, uint32_t size)
{
    uint32_t limit = g->p->n + size;

    g->limit = limit < FUZZ_MAX_INSNS - 160 ? limit : FUZZ_MAX_INSNS - 160;
    g->dead = false;
    g->n_outs = 0;
    g->holds = g->loops = g->depth = 0;
    while (!gen_full(g) && !g->dead) {
        gen_statement(g);
    }
    if (g->function < g->n_functions
        && g->functions[g->function].returns_arg
        && g->s.regs[VM_R9].type == G_MEM) {
        gen_mov(g, VM_R0, VM_R9);
    } else {
        gen_result(g);
    }
    gen_insn(g, VM_I_EXIT, 0, 0, 0);
    if (g->n_outs) {
        for (uint32_t i = 0; i < g->n_outs; i++) {
            gen_land(g, g->outs[i]);
        }
        gen_insn(g, VM_I_MOV64_RI, VM_R0, 0, rng_below(&g->rng, 5));
        gen_insn(g, VM_I_EXIT, 0, 0, 0);
    }
}

static void
gen_main(struct gen *g)
{
    struct greg ctx = { .type = G_CTX };

    memset(&g->s, 0, sizeof g->s);
    g->s.regs[VM_R1] = ctx;
    g->s.regs[VM_FP] = (struct greg) { .type = G_STACK };
    gen_mov(g, VM_R6, VM_R1);
    g->pinned = 1u << VM_R6;
    g->pinned_slots = 0;
    g->function = g->n_functions;
    gen_function(g, (30 + rng_below(&g->rng, 170)) / g->divisor);
}

/* A function's arguments, as it finds them. */
static void
gen_local(struct gen *g, uint32_t i)
{
    struct gfunc *f = &g->functions[i];

    memset(&g->s, 0, sizeof g->s);
    g->s.regs[VM_FP] = (struct greg) { .type = G_STACK };
    g->pinned = 0;
    g->pinned_slots = 0;
    for (int r = 0; r < 5; r++) {
        struct greg *reg = &g->s.regs[VM_R1 + r];

        reg->type = f->args[r];
        reg->max = UINT64_MAX;
        reg->room = f->args[r] == G_MEM ? 16 : 0;
    }
    f->start = g->p->n;
    for (int r = 0; r < 5; r++) {
        if (f->args[r] == G_CTX) {
            gen_mov(g, VM_R6, VM_R1 + r);
            g->pinned |= 1u << VM_R6;
        } else if (f->args[r] == G_MEM) {
            gen_mov(g, VM_R9, VM_R1 + r);
            g->pinned |= 1u << VM_R9;
        }
    }
    g->function = i;
    gen_function(g, 4 + rng_below(&g->rng, 30) / g->divisor);
}

static void
choose_functions(struct gen *g)
{
    static const uint8_t types[] = { G_NONE, G_NUM, G_NUM, G_CTX, G_MEM };

    g->n_functions = rng_below(&g->rng, 3) ? rng_below(&g->rng,
                                                       GEN_FUNCTIONS) : 0;
    for (uint32_t i = 0; i < g->n_functions; i++) {
        struct gfunc *f = &g->functions[i];
        bool memory = false, ctx = false;

        for (int r = 0; r < 5; r++) {
            f->args[r] = types[rng_below(&g->rng, sizeof types)];
            if ((f->args[r] == G_MEM && memory)
                || (f->args[r] == G_CTX && ctx)) {
                f->args[r] = G_NUM;
            }
            memory |= f->args[r] == G_MEM;
            ctx |= f->args[r] == G_CTX;
        }
        f->returns_arg = memory && !rng_below(&g->rng, 8)
                         && !(g->options & FUZZ_GEN_KERNEL);
    }
}

void
fuzz_gen(struct fuzz_program *p, const struct fuzz_world *w, uint64_t seed,
         uint32_t options)
{
    struct gen g = { .p = p, .w = w, .rng = { seed }, .options = options };

    p->n = 0;
    g.careless = options & FUZZ_GEN_CAREFUL || rng_percent(&g.rng, 60)
                 ? 0 : 1 + rng_below(&g.rng, 40);
    g.divisor = options & FUZZ_GEN_SMALL && rng_below(&g.rng, 16) ? 4 : 1;
    choose_functions(&g);
    gen_main(&g);
    /* They call later ones only. */
    for (uint32_t i = 0; i < g.n_functions; i++) {
        if (g.functions[i].called) {
            gen_local(&g, i);
        }
    }
    for (uint32_t i = 0; i < g.n_calls; i++) {
        p->insns[g.calls[i].pc].imm
            = (int32_t) g.functions[g.calls[i].function].start
              - (int32_t) g.calls[i].pc - 1;
    }
}
