/* SPDX-License-Identifier: Apache-2.0 */

/* The generator: branches, loops, early exits. */

#include "tests/fuzz/gen-internal.h"

uint32_t
gen_jump(struct gen *g, enum vm_insn_id id, int dst, int src, int32_t imm)
{
    gen_insn(g, id, dst, src, imm);
    return g->p->n - 1;
}

void
gen_land(struct gen *g, uint32_t jump)
{
    struct vm_insn *insn = &g->p->insns[jump];
    int32_t distance = (int32_t) g->p->n - (int32_t) jump - 1;

    if (vm_isa[vm_insn_id(insn)].form == VM_F_JA32) {
        insn->imm = distance;
    } else {
        insn->off = distance;
    }
}

enum vm_insn_id
gen_cond(struct gen *g, bool wide_only)
{
    enum vm_insn_id id;

    do {
        id = VM_I_JEQ64_RR + rng_below(&g->rng, VM_I_CALL - VM_I_JEQ64_RR);
    } while (wide_only && vm_isa[id].bits == 32);
    return id;
}

/* -- Where ways meet -- */

static bool
same_pointer(const struct greg *a, const struct greg *b)
{
    return a->type == b->type && a->off == b->off && a->map == b->map
           && a->held == b->held && a->null == b->null;
}

static void
merge_reg(struct greg *to, const struct greg *from)
{
    if (to->type == G_NUM && from->type == G_NUM) {
        to->max = to->max > from->max ? to->max : from->max;
    } else if (!same_pointer(to, from)) {
        *to = (struct greg) { .type = G_NONE };
    } else {
        to->room = to->room < from->room ? to->room : from->room;
        to->back = to->back < from->back ? to->back : from->back;
        to->read_only |= from->read_only;
    }
}

void
gen_merge(struct gstate *to, const struct gstate *from)
{
    for (int r = 0; r < VM_N_REGS; r++) {
        merge_reg(&to->regs[r], &from->regs[r]);
    }
    for (int i = 0; i < GEN_SLOTS; i++) {
        to->slots[i].written &= from->slots[i].written;
        merge_reg(&to->slots[i].reg, &from->slots[i].reg);
        to->slots[i].written &= to->slots[i].reg.type != G_NONE;
    }
}

/* -- Branches -- */

/* Most numbers are small, and their sign is known. */
static void
make_wide(struct gen *g, int r)
{
    if (!(g->pinned & 1u << r) && g->s.regs[r].type == G_NUM) {
        gen_insn(g, VM_I_MUL64_RI, r, 0,
                 (int32_t) (rng_next(&g->rng) >> 33) | 1);
        gen_insn(g, VM_I_LSH64_RI, r, 0, 20 + rng_below(&g->rng, 13));
        gen_set_num(g, r, UINT64_MAX);
    }
}

static uint32_t
number_jump(struct gen *g)
{
    static const enum vm_insn_id signs[] = { VM_I_JSLT64_RI, VM_I_JSGE64_RI,
                                             VM_I_JSGT64_RI,
                                             VM_I_JSLE64_RI };
    enum vm_insn_id id = gen_cond(g, false);
    int a = gen_num(g), b = gen_num(g);
    int32_t imm = rng_number(&g->rng);

    /* Signs and single bits have instructions of their own. */
    switch (rng_below(&g->rng, 8)) {
    case 0:
        imm = 0;
        if (rng_below(&g->rng, 2)) {
            make_wide(g, a);
            id = signs[rng_below(&g->rng, 4)];
        }
        break;
    case 1:
        imm = (int32_t) (UINT32_C(1) << rng_below(&g->rng, 32));
        break;
    }
    /* Linux does not know that a number equals itself. */
    for (int i = 0; g->options & FUZZ_GEN_KERNEL && a == b && i < 10; i++) {
        b = gen_num(g);
    }
    return gen_jump(g, id, a, b, imm);
}

/* `if (...) dst = x': a jump over one move. */
void
gen_choice(struct gen *g)
{
    static const enum vm_insn_id moves[] = { VM_I_MOV64_RR, VM_I_MOV64_RI,
                                             VM_I_MOV32_RI, VM_I_MOV32_RR };
    int dst = gen_num(g), src = gen_num(g);
    uint32_t jump;
    int32_t imm;

    if (g->pinned & 1u << dst || dst == VM_FP
        || g->s.regs[dst].type != G_NUM || g->s.regs[src].type != G_NUM) {
        return;
    }
    jump = number_jump(g);
    imm = rng_number(&g->rng);
    gen_insn(g, moves[rng_below(&g->rng, 4)], dst, src, imm);
    gen_land(g, jump);
    if (g->s.regs[dst].type == G_NUM) {
        gen_set_num(g, dst, UINT64_MAX);
    }
}

/* A jump that decides nothing but what is known of 'r'. */
static void
jump_nowhere(struct gen *g, int r)
{
    enum vm_insn_id id = gen_cond(g, false);

    gen_land(g, gen_jump(g, id, r, r, rng_number(&g->rng)));
}

/* A number, and either a copy of it or another one: what is learnt of the
 * one holds for the other on one way only. */
void
gen_twins(struct gen *g)
{
    int a = gen_num(g), b = gen_dst(g);
    uint32_t jump, over;

    if (a == b || b == VM_FP) {
        return;
    }
    gen_load(g);
    gen_load(g);
    if (g->s.regs[a].type != G_NUM || g->pinned & 1u << b) {
        return;
    }
    gen_set_num(g, b, 0);
    gen_insn(g, VM_I_MOV64_RR, b, a, 0);
    jump = number_jump(g);
    gen_insn(g, VM_I_MOV64_RR, b, a, 0);
    over = gen_jump(g, VM_I_JA, 0, 0, 0);
    gen_land(g, jump);
    gen_insn(g, VM_I_ADD64_RI, b, 0, rng_number(&g->rng));
    gen_land(g, over);
    gen_set_num(g, b, UINT64_MAX);
    jump_nowhere(g, a);
    jump_nowhere(g, b);
}

void
gen_if(struct gen *g)
{
    struct gstate before, first;
    uint32_t jump, over;
    bool dead;

    if (g->depth > 4) {
        return;
    }
    jump = number_jump(g);
    before = g->s;
    gen_block(g, 1 + rng_below(&g->rng, 5));
    if (rng_below(&g->rng, 2)) {
        gen_land(g, jump);
        if (g->dead) {
            g->s = before;
        } else {
            gen_merge(&g->s, &before);
        }
        g->dead = false;
        return;
    }
    first = g->s;
    dead = g->dead;
    over = dead ? 0 : gen_jump(g, rng_below(&g->rng, 3) ? VM_I_JA
                                                        : VM_I_JA32, 0, 0, 0);
    gen_land(g, jump);
    g->s = before;
    g->dead = false;
    gen_block(g, 1 + rng_below(&g->rng, 5));
    if (!dead) {
        gen_land(g, over);
        if (g->dead) {
            g->s = first;
        } else {
            gen_merge(&g->s, &first);
        }
        g->dead = false;
    }
}

uint32_t
gen_null_begin(struct gen *g, int reg, struct gstate *skip)
{
    uint32_t jump;

    if (rng_below(&g->rng, 3)) {
        jump = gen_jump(g, VM_I_JEQ64_RI, reg, 0, 0);
    } else {
        uint32_t over = gen_jump(g, VM_I_JNE64_RI, reg, 0, 0);

        jump = gen_jump(g, VM_I_JA, 0, 0, 0);
        gen_land(g, over);
    }
    *skip = g->s;
    skip->regs[reg] = (struct greg) { .type = G_NUM };
    g->s.regs[reg].null = false;
    return jump;
}

void
gen_null_end(struct gen *g, uint32_t jump, const struct gstate *skip)
{
    gen_land(g, jump);
    if (g->dead) {
        g->s = *skip;
    } else {
        gen_merge(&g->s, skip);
    }
    g->dead = false;
}

/* -- Loops -- */

/* What the next round must find again, or must not rely on. */
static void
loop_enter(struct gen *g)
{
    for (int r = 0; r < 10; r++) {
        struct greg *reg = &g->s.regs[r];

        if (reg->type == G_NUM) {
            reg->max = UINT64_MAX;
        } else if (!(g->pinned & 1u << r)) {
            reg->type = G_NONE;
        }
    }
    for (int i = 0; i < GEN_SLOTS; i++) {
        struct gslot *slot = &g->s.slots[i];

        if (g->pinned_slots & 1u << i) {
            continue;
        }
        if (slot->reg.type != G_NUM) {
            slot->written = false;
        }
        slot->reg.max = UINT64_MAX;
    }
}

static void
loop_leave(struct gen *g, const struct gstate *head)
{
    for (int r = 0; r < 10; r++) {
        if (head->regs[r].type == G_NUM && g->s.regs[r].type != G_NUM
            && !gen_careless(g)) {
            gen_imm(g, r, rng_number(&g->rng));
        }
    }
    for (int i = 0; i < GEN_SLOTS; i++) {
        if (head->slots[i].written && !(g->pinned_slots & 1u << i)
            && (!g->s.slots[i].written
                || g->s.slots[i].reg.type != G_NUM)) {
            gen_access(g, VM_I_STDW, VM_FP, 0, -8 * (i + 1));
            g->s.slots[i].written = true;
            g->s.slots[i].reg = (struct greg) { .type = G_NUM,
                                                .max = UINT64_MAX };
        }
    }
}

/* A register that no call and no statement changes, or -1. */
static int
counter_reg(struct gen *g)
{
    for (int r = VM_R7; r <= VM_R9; r++) {
        if (!(g->pinned & 1u << r)) {
            return r;
        }
    }
    return -1;
}

/* The head of 'for (r = 0; r != n; r += step)', counted up or down. */
void
gen_loop(struct gen *g)
{
    static const enum vm_insn_id up[] = { VM_I_JLT64_RI, VM_I_JSLT64_RI,
                                          VM_I_JNE64_RI, VM_I_JLT32_RI,
                                          VM_I_JSLT32_RI };
    int r = counter_reg(g), n = 1 + rng_below(&g->rng, 8), step;
    uint16_t pinned = g->pinned;
    struct gstate head;
    uint32_t start;

    if (r < 0 || g->loops > 1 || g->depth > 3 || g->holds) {
        return;
    }
    gen_imm(g, r, 0);
    g->pinned |= 1u << r;
    loop_enter(g);
    head = g->s;
    start = g->p->n;
    g->loops++;
    gen_block(g, 1 + rng_below(&g->rng, 4));
    g->loops--;
    if (!g->dead) {
        loop_leave(g, &head);
        step = gen_careless(g) ? 0 : 1;
        gen_insn(g, rng_below(&g->rng, 2) ? VM_I_ADD64_RI : VM_I_ADD32_RI, r,
                 0, step);
        gen_insn(g, up[rng_below(&g->rng, 5)], r, 0, n);
        g->p->insns[g->p->n - 1].off = (int32_t) start
                                       - (int32_t) g->p->n;
        gen_set_num(g, r, n);
    }
    g->pinned = pinned;
}

/* Over nothing, or over something that is never reached. */
void
gen_goto(struct gen *g)
{
    uint32_t jump = gen_jump(g, rng_below(&g->rng, 2) ? VM_I_JA : VM_I_JA32,
                             0, 0, 0);

    gen_land(g, jump);
}

/* Leaves the function, if a comparison says so, with a constant. */
void
gen_out(struct gen *g)
{
    if (g->function < g->n_functions
        && g->functions[g->function].returns_arg) {
        return;
    }
    if (g->holds || g->n_outs == 64 || (g->loops && rng_below(&g->rng, 4))) {
        return;
    }
    if (g->depth > 1 && !rng_below(&g->rng, 6) && !g->loops) {
        g->outs[g->n_outs++] = gen_jump(g, VM_I_JA, 0, 0, 0);
        g->dead = true;
    } else if (!rng_below(&g->rng, 3)) {
        g->outs[g->n_outs++] = number_jump(g);
    }
}
