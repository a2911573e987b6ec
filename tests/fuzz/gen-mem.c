/* SPDX-License-Identifier: Apache-2.0 */

/* The generator: loads, stores, atomics, packets. */

#include "tests/fuzz/gen-internal.h"

#include "vm/map.h"

/* Somewhere to access: register, offset, and how many bytes from there. */
struct place {
    int reg, off, room;
    bool stack;
};

static bool
stack_place(struct gen *g, bool write, struct place *place)
{
    int start = rng_below(&g->rng, GEN_SLOTS);

    for (int i = 0; i < GEN_SLOTS; i++) {
        int slot = (start + i) % GEN_SLOTS;
        const struct gslot *s = &g->s.slots[slot];

        if (!(g->pinned_slots & 1u << slot)
            && (write ? s->reg.type <= G_NUM
                      : s->written && s->reg.type == G_NUM)) {
            *place = (struct place) { VM_FP, -8 * (slot + 1), 8, true };
            return true;
        }
    }
    return false;
}

static bool
find_place(struct gen *g, bool write, struct place *place)
{
    int start = rng_below(&g->rng, 12);

    for (int i = 0; i < 12; i++) {
        int r = (start + i) % 12;
        const struct greg *reg = &g->s.regs[r % 10];

        if (r >= 10) {
            if (stack_place(g, write, place)) {
                return true;
            }
        } else if ((reg->type == G_PKT || reg->type == G_MEM)
                   && (!reg->null || gen_careless(g)) && reg->room > 0
                   && !(write && reg->read_only && !gen_careless(g))) {
            int off = rng_below(&g->rng, reg->room);

            *place = (struct place) { r, off, reg->room - off, false };
            if (g->options & FUZZ_GEN_KERNEL) {
                place->off = off &= -8;
                place->room = reg->room - off;
            } else if (reg->back > 0 && !rng_below(&g->rng, 4)) {
                place->off = -(int) rng_below(&g->rng, reg->back);
                place->room = reg->room - place->off;
            }
            return true;
        }
    }
    return false;
}

/* A row of a form whose access is of at most 'room' bytes. */
static enum vm_insn_id
access_row(struct gen *g, enum vm_form form, int room)
{
    enum vm_insn_id id;

    do {
        id = VM_I_LDXB + rng_below(&g->rng, VM_I_STXDW - VM_I_LDXB + 1);
    } while (vm_isa[id].form != form
             || (vm_isa[id].bits / 8 > room && !gen_careless(g)));
    return id;
}

static void
load_ctx(struct gen *g)
{
    const struct vm_prog_type *type = &g->w->type;
    const struct vm_ctx_member *m;
    int ctx = gen_find(g, G_CTX), dst = gen_dst(g), size, off;
    struct greg value = { .type = G_NUM, .max = UINT64_MAX };

    if (ctx < 0) {
        return;
    }
    m = &type->members[rng_below(&g->rng, type->n_members)];
    if ((m->kind == VM_CTX_HIDDEN && !gen_careless(g))
        || (g->options & FUZZ_GEN_KERNEL && m->off == 20)) {
        return;                 /* Linux: egress_ifindex only after devmaps. */
    }
    size = m->size;
    off = m->off;
    if (m->kind == VM_CTX_MEM) {
        size = 1 << rng_below(&g->rng, 4);
        off += rng_below(&g->rng, m->size / size) * size;
    } else if (m->kind == VM_CTX_SCALAR && !m->real_size
               && !rng_below(&g->rng, 4)) {
        size = 1 << rng_below(&g->rng, 2);
        off += rng_below(&g->rng, m->size / size) * size;
    }
    switch ((enum vm_ctx_kind) m->kind) {
    case VM_CTX_PKT_DATA:
    case VM_CTX_PKT_END:
    case VM_CTX_PKT_META:
        value.type = m->kind == VM_CTX_PKT_DATA ? G_PKT
                     : m->kind == VM_CTX_PKT_END ? G_END : G_META;
        break;
    case VM_CTX_BLOCK:
        value.type = G_MEM;
        value.room = m->block_size;
        value.read_only = !(m->flags & VM_CTX_RW);
        break;
    default:
        break;
    }
    gen_access(g, size == 1 ? VM_I_LDXB : size == 2 ? VM_I_LDXH
                  : size == 4 ? VM_I_LDXW : VM_I_LDXDW, dst, ctx, off);
    g->s.regs[dst] = value;
}

void
gen_load(struct gen *g)
{
    enum vm_form form = rng_below(&g->rng, 4) ? VM_F_LDX : VM_F_LDXS;
    struct place place;
    enum vm_insn_id id;
    int dst;

    if (!rng_below(&g->rng, 4) || !find_place(g, false, &place)) {
        load_ctx(g);
        return;
    }
    id = access_row(g, form, place.room);
    dst = gen_dst(g);
    if (place.stack) {
        /* Any part of the slot. */
        place.off += rng_below(&g->rng, 8 / (vm_isa[id].bits / 8))
                     * (vm_isa[id].bits / 8);
    }
    gen_access(g, id, dst, place.reg, place.off);
    gen_set_num(g, dst, form == VM_F_LDX && vm_isa[id].bits < 64
                ? (UINT64_C(1) << vm_isa[id].bits) - 1 : UINT64_MAX);
}

static void
note_store(struct gen *g, const struct place *place, int size)
{
    struct gslot *slot;

    if (!place->stack) {
        return;
    }
    slot = &g->s.slots[-place->off / 8 - 1];
    slot->written |= size == 8;
    slot->reg = (struct greg) { .type = slot->written ? G_NUM : G_NONE,
                                .max = UINT64_MAX };
}

void
gen_store(struct gen *g)
{
    enum vm_form form = rng_below(&g->rng, 2) ? VM_F_ST : VM_F_STX;
    int src = gen_num(g);
    struct place place;
    enum vm_insn_id id;
    int size;

    if (!find_place(g, true, &place)) {
        return;
    }
    id = access_row(g, form, place.room);
    if (place.stack && rng_below(&g->rng, 2)) {
        id = form == VM_F_ST ? VM_I_STDW : VM_I_STXDW;
    }
    size = vm_isa[id].bits / 8;
    note_store(g, &place, size);
    if (place.stack && size < 8) {
        place.off += rng_below(&g->rng, 8 / size) * size;
    }
    gen_access(g, id, place.reg, src, place.off);
    if (form == VM_F_ST && !rng_below(&g->rng, 3)) {
        g->p->insns[g->p->n - 1].imm = 0;
    }
}

/* What a compare and exchange compares with: sometimes what is there, and
 * then sometimes with something in the upper half. */
static void
gen_comparand(struct gen *g, const struct place *place, int size)
{
    int r;

    if (rng_below(&g->rng, 3)) {
        if (g->s.regs[VM_R0].type != G_NUM) {
            gen_imm(g, VM_R0, rng_number(&g->rng));
        }
        return;
    }
    gen_access(g, size == 4 ? VM_I_LDXW : VM_I_LDXDW, VM_R0, place->reg,
               place->off);
    gen_set_num(g, VM_R0, UINT64_MAX);
    r = gen_dst(g);
    if (r != VM_R0 && r != place->reg && rng_below(&g->rng, 2)) {
        gen_imm(g, r, rng_number(&g->rng) << 32);
        gen_insn(g, VM_I_OR64_RR, VM_R0, r, 0);
    }
}

void
gen_atomic(struct gen *g)
{
    enum vm_insn_id id = VM_I_AADD64 + rng_below(&g->rng, VM_I_CMPXCHG32
                                                 - VM_I_AADD64 + 1);
    int size = vm_isa[id].bits / 8, src;
    struct place place;

    if (!find_place(g, true, &place) || place.room < size) {
        return;
    }
    if (!place.stack && (g->s.regs[place.reg].type == G_PKT
                         || g->s.regs[place.reg].read_only)
        && !gen_careless(g)) {
        return;
    }
    if (place.stack && !g->s.slots[-place.off / 8 - 1].written
        && !gen_careless(g)) {
        return;
    }
    place.off &= place.stack || rng_below(&g->rng, 16) ? -size : -1;
    if (vm_isa[id].form == VM_F_CMPXCHG) {
        if (g->pinned & 1 || place.reg == VM_R0) {
            return;
        }
        gen_comparand(g, &place, size);
    }
    src = gen_num(g);
    if (vm_isa[id].form != VM_F_ATOMIC && g->pinned & 1u << src) {
        return;
    }
    gen_access(g, id, place.reg, src, place.off);
    if (vm_isa[id].form == VM_F_CMPXCHG) {
        gen_set_num(g, VM_R0, UINT64_MAX);
    } else if (vm_isa[id].form != VM_F_ATOMIC) {
        gen_set_num(g, src, UINT64_MAX);
    }
}

/* -- Registers on the stack -- */

void
gen_spill(struct gen *g)
{
    int slot = rng_below(&g->rng, GEN_SLOTS);
    int r = rng_below(&g->rng, 10);

    if ((g->s.regs[r].type == G_NONE && !gen_careless(g))
        || g->pinned_slots & 1u << slot) {
        return;
    }
    if (g->s.regs[r].type == G_NUM && !rng_below(&g->rng, 4)) {
        gen_access(g, VM_I_STXW, VM_FP, r, -8 * (slot + 1));
        g->s.slots[slot].reg.type = g->s.slots[slot].written ? G_NUM : G_NONE;
        return;
    }
    gen_access(g, VM_I_STXDW, VM_FP, r, -8 * (slot + 1));
    g->s.slots[slot].written = true;
    g->s.slots[slot].reg = g->s.regs[r];
    g->s.slots[slot].reg.held = false;
}

void
gen_fill(struct gen *g)
{
    int start = rng_below(&g->rng, GEN_SLOTS), dst = gen_dst(g);

    for (int i = 0; i < GEN_SLOTS; i++) {
        int slot = (start + i) % GEN_SLOTS;

        if (g->s.slots[slot].written || gen_careless(g)) {
            gen_access(g, VM_I_LDXDW, dst, VM_FP, -8 * (slot + 1));
            g->s.regs[dst] = g->s.slots[slot].reg;
            return;
        }
    }
}

/* -- Packets -- */

/* Makes a register with the packet's data (or metadata) and one with its
 * end. */
static bool
packet_pair(struct gen *g, bool meta, int *data, int *end)
{
    const struct vm_ctx_member *m = g->w->type.members;
    int ctx = gen_find(g, G_CTX);
    enum vm_insn_id id = m->size == 4 ? VM_I_LDXW : VM_I_LDXDW;

    if (ctx < 0) {
        return false;
    }
    *data = gen_dst(g);
    if (meta) {
        gen_access(g, id, *data, ctx, m[2].off);
    } else {
        gen_access(g, id, *data, ctx, m[0].off);
    }
    g->s.regs[*data] = (struct greg) { .type = G_PKT };
    ctx = gen_find(g, G_CTX);
    do {
        *end = gen_dst(g);
    } while (*end == *data || *end == ctx);
    if (ctx < 0) {
        return false;
    }
    gen_access(g, id, *end, ctx, meta ? m[0].off : m[1].off);
    g->s.regs[*end] = (struct greg) { .type = G_END };
    return true;
}

/* Adds a number to the packet pointer: what the verifier must believe. */
static void
vary_pointer(struct gen *g, int data)
{
    static const int32_t masks[] = { 1, 3, 7, 15, 31, 63, 60, 0xf0, 0xfff };
    int r = gen_find(g, G_NUM);

    if (r < 0 || g->pinned & 1u << r) {
        return;
    }
    if (!gen_careless(g)) {
        int32_t mask = masks[rng_below(&g->rng, 9)];

        gen_insn(g, rng_below(&g->rng, 2) ? VM_I_AND64_RI : VM_I_AND32_RI, r,
                 0, mask);
        gen_set_num(g, r, 0xfff);
    }
    gen_insn(g, VM_I_ADD64_RR, data, r, 0);
}

/* `if (data + k <= end) { ... }', in any of the ways to say so. */
void
gen_packet(struct gen *g)
{
    static const struct {
        enum vm_insn_id id;
        bool swapped, strict;
    } ways[] = {
        { VM_I_JGT64_RR, false, false }, { VM_I_JLT64_RR, true, false },
        { VM_I_JGE64_RR, false, true }, { VM_I_JLE64_RR, true, true },
    };
    int k = 1 + rng_below(&g->rng, rng_below(&g->rng, 3) ? 40 : 80);
    int data, end, moved, way = rng_below(&g->rng, 4);
    struct gstate skip;
    uint32_t jump;

    if (g->depth > 3
        || !packet_pair(g, !rng_below(&g->rng, 12), &data, &end)) {
        return;
    }
    if (!rng_below(&g->rng, 3)) {
        vary_pointer(g, data);
    }
    do {
        moved = gen_dst(g);
    } while (moved == data || moved == end);
    gen_mov(g, moved, data);
    gen_insn(g, VM_I_ADD64_RI, moved, 0, k);
    jump = ways[way].swapped
           ? gen_jump(g, ways[way].id, end, moved, 0)
           : gen_jump(g, ways[way].id, moved, end, 0);
    skip = g->s;
    skip.regs[moved].type = skip.regs[data].type = G_NONE;
    g->s.regs[data].room = k + gen_careless(g);
    if (ways[way].strict) {
        g->s.regs[data].room += rng_below(&g->rng, 2);
    }
    g->s.regs[moved].back = k;
    g->s.regs[moved].room = 0;
    gen_block(g, 2 + rng_below(&g->rng, 6));
    gen_null_end(g, jump, &skip);
}

/* -- Numbers that comparisons have bounded, as offsets -- */

/* Something to index: a register with a pointer and its room. */
static int
indexable(struct gen *g)
{
    int start = rng_below(&g->rng, 10);

    for (int i = 0; i < 10; i++) {
        int r = (start + i) % 10;
        const struct greg *reg = &g->s.regs[r];

        if ((reg->type == G_MEM || reg->type == G_PKT) && !reg->null
            && reg->room > 8) {
            return r;
        }
    }
    return -1;
}

/* Jumps over what follows unless 'reg' is at most 'max', as the verifier
 * should understand it. */
static uint32_t
bound(struct gen *g, int reg, int32_t max)
{
    switch (rng_below(&g->rng, 6)) {
    case 0:
        return gen_jump(g, VM_I_JGE64_RI, reg, 0, max + 1);
    case 1:
        gen_insn(g, VM_I_MOV32_RR, reg, reg, 0);
        return gen_jump(g, VM_I_JGT32_RI, reg, 0, max);
    case 2:
        gen_insn(g, VM_I_AND64_RI, reg, 0, 0x7fffffff);
        return gen_jump(g, VM_I_JSGT64_RI, reg, 0, max);
    case 3:
        gen_insn(g, VM_I_MOV32_RR, reg, reg, 0);
        return gen_jump(g, VM_I_JGE32_RI, reg, 0, max + 1);
    default:
        return gen_jump(g, VM_I_JGT64_RI, reg, 0, max);
    }
}

void
gen_bounded(struct gen *g)
{
    int r = gen_num(g), base = indexable(g), dst, room, size;
    bool kernel = g->options & FUZZ_GEN_KERNEL;
    bool stack = !kernel && (base < 0 || !rng_below(&g->rng, 4));
    struct gstate skip;
    uint32_t jump;

    if (g->pinned & 1u << r || g->depth > 4 || r == VM_FP
        || (!stack && base < 0)) {
        return;
    }
    room = stack ? 16 : g->s.regs[base].room;
    size = kernel ? 1 : 1 << rng_below(&g->rng, 4);
    if (room <= size) {
        return;
    }
    jump = bound(g, r, room - size + gen_careless(g));
    skip = g->s;
    do {
        dst = gen_dst(g);
    } while (dst == r || dst == base);
    if (stack) {
        gen_mov(g, dst, VM_FP);
        gen_insn(g, VM_I_ADD64_RI, dst, 0, -8 * GEN_SLOTS);
        for (int i = GEN_SLOTS - 2; i < GEN_SLOTS; i++) {
            if (g->pinned_slots & 1u << i) {
                stack = false;
            }
        }
    } else {
        gen_mov(g, dst, base);
    }
    if (stack || base >= 0) {
        gen_insn(g, VM_I_ADD64_RR, dst, r, 0);
        g->s.regs[dst] = (struct greg) { .type = G_NONE };
        if (stack || g->s.regs[base].read_only || rng_below(&g->rng, 2)) {
            gen_access(g, VM_I_LDXB + rng_below(&g->rng, 1)
                          + (size == 1 ? 0 : size == 2 ? 1
                             : size == 4 ? 2 : 3), dst, dst, 0);
            gen_set_num(g, dst, UINT64_MAX);
        } else {
            gen_access(g, size == 1 ? VM_I_STXB : size == 2 ? VM_I_STXH
                          : size == 4 ? VM_I_STXW : VM_I_STXDW, dst,
                       gen_num(g), 0);
        }
    }
    gen_null_end(g, jump, &skip);
}

/* -- The context, and pointers as such -- */

void
gen_ctx_store(struct gen *g)
{
    const struct vm_prog_type *type = &g->w->type;
    const struct vm_ctx_member *m;
    int ctx = gen_find(g, G_CTX), src = gen_num(g), off, size;

    m = &type->members[rng_below(&g->rng, type->n_members)];
    if (ctx < 0 || (!(m->flags & VM_CTX_RW) && !gen_careless(g))
        || (m->kind != VM_CTX_SCALAR && m->kind != VM_CTX_MEM)) {
        return;
    }
    if (m->max && !(g->pinned & 1u << src)) {
        gen_insn(g, VM_I_AND64_RI, src, 0, 0xff);
        gen_insn(g, VM_I_OR64_RI, src, 0, 8);
        gen_set_num(g, src, 0xff);
    }
    size = m->size;
    off = m->off;
    if (m->kind == VM_CTX_MEM || (m->flags & VM_CTX_NARROW
                                  && rng_below(&g->rng, 2))) {
        size = 1 << rng_below(&g->rng, m->kind == VM_CTX_MEM ? 4 : 2);
        off += rng_below(&g->rng, m->size / size) * size;
    }
    gen_access(g, size == 1 ? VM_I_STXB : size == 2 ? VM_I_STXH
                  : size == 4 ? VM_I_STXW : VM_I_STXDW, ctx, src, off);
}

/* Constants added and taken away, differences, comparisons of pointers. */
void
gen_pointer_math(struct gen *g)
{
    int r = indexable(g), dst = gen_dst(g), by;

    if (r < 0 || r == dst) {
        return;
    }
    by = rng_below(&g->rng, g->s.regs[r].room);
    by &= g->options & FUZZ_GEN_KERNEL ? -8 : -1;
    gen_mov(g, dst, r);
    g->s.regs[dst].held = false;
    if (rng_below(&g->rng, 4)) {
        gen_add(g, dst, by);
    } else if (g->s.regs[r].type == G_PKT) {
        gen_insn(g, VM_I_SUB64_RR, dst, r, 0);
        gen_set_num(g, dst, UINT64_MAX);
    } else if (!(g->options & FUZZ_GEN_KERNEL)) {
        gen_insn(g, VM_I_SUB64_RI, dst, 0, -by);
        g->s.regs[dst].room -= by;
        g->s.regs[dst].back += by;
    }
}

/* -- Memory as a helper's argument -- */

void
gen_memory(struct gen *g, int dst, int size, bool write)
{
    int n = (size + 7) / 8;
    int slot = rng_below(&g->rng, GEN_SLOTS - (n < GEN_SLOTS ? n : 0));
    int base = indexable(g);

    if (base >= 0 && g->s.regs[base].room >= size && !write
        && !rng_below(&g->rng, 3)) {
        gen_mov(g, dst, base);
        g->s.regs[dst].held = false;
        return;
    }
    /* Slots 'slot' to 'slot' + n - 1: from the last upwards in memory. */
    for (int i = slot; i < slot + n && i < GEN_SLOTS; i++) {
        if (g->pinned_slots & 1u << i || gen_careless(g)) {
            continue;
        }
        if (!g->s.slots[i].written || g->s.slots[i].reg.type != G_NUM
            || rng_below(&g->rng, 3)) {
            gen_access(g, VM_I_STDW, VM_FP, 0, -8 * (i + 1));
            g->p->insns[g->p->n - 1].imm
                = rng_below(&g->rng, 4) ? (int32_t) rng_below(&g->rng, 3)
                  : (int32_t) rng_number(&g->rng);
            g->s.slots[i].written = true;
            g->s.slots[i].reg = (struct greg) { .type = G_NUM,
                                                .max = UINT64_MAX };
        }
    }
    gen_mov(g, dst, VM_FP);
    gen_insn(g, VM_I_ADD64_RI, dst, 0, -8 * (slot + n));
    g->s.regs[dst] = (struct greg) { .type = G_MEM, .room = 8 * n };
}
