/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/cbpf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Fields of a classic opcode. */
#define CLASS(CODE) ((CODE) & 0x07)
enum { LD, LDX, ST, STX, ALU, JMP, RET, MISC };
#define SIZE(CODE) ((CODE) & 0x18)
#define MODE(CODE) ((CODE) & 0xe0)
enum { IMM = 0x00, ABS = 0x20, IND = 0x40, MEM = 0x60, LEN = 0x80,
       MSH = 0xa0 };
#define OP(CODE) ((CODE) & 0xf0)
#define SRC_X 0x08
#define RET_A 0x10
#define TXA 0x80

#define N_SCRATCH 16
#define MAX_INSNS 4096
#define MAX_PACKET 0xffff

/* Registers. */
enum {
    A = VM_R0,
    X = VM_R9,
    DATA = VM_R7,
    DATA_END = VM_R8,
    T1 = VM_R2,
    T2 = VM_R3,
};

struct conv {
    struct vm_emit *e;
    const struct vm_cbpf_insn *insns;
    uint32_t n;
    vm_label_t *labels;         /* One an instruction. */
    vm_label_t reject;
    uint32_t pc;
};

/* Whole opcodes: no bit of them is free. */
static bool
is_known(uint16_t code)
{
    static const uint8_t codes[] = {
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15,
        0x16, 0x1c, 0x1d, 0x20, 0x24, 0x25, 0x28, 0x2c, 0x2d, 0x30, 0x34,
        0x35, 0x3c, 0x3d, 0x40, 0x44, 0x45, 0x48, 0x4c, 0x4d, 0x50, 0x54,
        0x5c, 0x60, 0x61, 0x64, 0x6c, 0x74, 0x7c, 0x80, 0x81, 0x84, 0x87,
        0x94, 0x9c, 0xa4, 0xac, 0xb1,
    };

    return code <= UINT8_MAX && memchr(codes, code, sizeof codes);
}

static int
access_size(uint16_t code)
{
    return SIZE(code) == VM_W ? 4 : SIZE(code) == VM_H ? 2 : 1;
}

/* Loads 'size' bytes in network order at DATA + k, plus X if 'indexed'. */
static void
load_packet(const struct conv *c, uint8_t dst, int size, bool indexed)
{
    uint32_t k = c->insns[c->pc].k;
    struct vm_emit *e = c->e;

    /* No packet is that long; and a verifier wants to see a limit. */
    uint32_t max = MAX_PACKET - size;
    if (k > max) {
        vm_emit_goto(e, c->reject);
        return;
    }
    vm_emit_mov(e, T1, DATA);
    if (indexed) {
        vm_emit_mov32(e, T2, X);
        vm_emit_alui(e, VM_ADD, T2, k);
        vm_emit_jcci(e, VM_JGT, T2, max, c->reject);
        vm_emit_alu(e, VM_ADD, T1, T2);
        vm_emit_alui(e, VM_ADD, T1, size);
    } else {
        vm_emit_alui(e, VM_ADD, T1, k + size);
    }
    vm_emit_jcc(e, VM_JGT, T1, DATA_END, c->reject);
    vm_emit_ld(e, size, dst, T1, -size);
    if (size > 1) {
        vm_emit_be(e, dst, 8 * size);
    }
}

static int
scratch(const struct conv *c)
{
    uint32_t k = c->insns[c->pc].k;

    if (k >= N_SCRATCH) {
        vm_emit_fail(c->e, -EINVAL, "classic BPF, insn %u: scratch memory "
                     "%u, there are %d", c->pc, k, N_SCRATCH);
        k = 0;
    }
    return -4 * N_SCRATCH + 4 * (int) k;
}

static void
convert_load(const struct conv *c, uint8_t dst)
{
    const struct vm_cbpf_insn *insn = &c->insns[c->pc];
    struct vm_emit *e = c->e;

    switch (MODE(insn->code)) {
    case IMM:
        vm_emit_alui32(e, VM_MOV, dst, insn->k);
        break;
    case ABS:
        load_packet(c, dst, access_size(insn->code), false);
        break;
    case IND:
        load_packet(c, dst, access_size(insn->code), true);
        break;
    case MEM:
        vm_emit_ld(e, 4, dst, VM_FP, scratch(c));
        break;
    case LEN:
        vm_emit_mov(e, dst, DATA_END);
        vm_emit_alu(e, VM_SUB, dst, DATA);
        vm_emit_mov32(e, dst, dst);
        break;
    case MSH:
        load_packet(c, X, 1, false);
        vm_emit_alui32(e, VM_AND, X, 0xf);
        vm_emit_alui32(e, VM_LSH, X, 2);
        break;
    }
}

static void
convert_shift(const struct conv *c, uint8_t op, bool by_x)
{
    uint32_t k = c->insns[c->pc].k;
    struct vm_emit *e = c->e;

    if (!by_x) {
        if (k < 32) {
            vm_emit_alui32(e, op, A, k);
        } else {
            vm_emit_movi(e, A, 0);
        }
        return;
    }

    vm_label_t small = vm_label(e), done = vm_label(e);
    vm_emit_jcci32(e, VM_JLT, X, 32, small);
    vm_emit_movi(e, A, 0);
    vm_emit_goto(e, done);
    vm_bind(e, small);
    vm_emit_alu32(e, op, A, X);
    vm_bind(e, done);
}

static void
convert_alu(const struct conv *c)
{
    const struct vm_cbpf_insn *insn = &c->insns[c->pc];
    uint8_t op = OP(insn->code);
    bool by_x = insn->code & SRC_X;
    struct vm_emit *e = c->e;

    if (op == VM_NEG) {
        vm_emit_neg32(e, A);
    } else if (op == VM_LSH || op == VM_RSH) {
        convert_shift(c, op, by_x);
    } else if (by_x) {
        if (op == VM_DIV || op == VM_MOD) {
            vm_emit_jcci32(e, VM_JEQ, X, 0, c->reject);
        }
        vm_emit_alu32(e, op, A, X);
    } else if ((op == VM_DIV || op == VM_MOD) && !insn->k) {
        vm_emit_fail(e, -EINVAL, "classic BPF, insn %u: division by 0",
                     c->pc);
    } else {
        vm_emit_alui32(e, op, A, insn->k);
    }
}

static bool
check_target(const struct conv *c, uint64_t distance)
{
    if (c->pc + 1 + distance >= c->n) {
        vm_emit_fail(c->e, -EINVAL, "classic BPF, insn %u: jump out of the "
                     "program", c->pc);
        return false;
    }
    return true;
}

static void
convert_jump(const struct conv *c)
{
    const struct vm_cbpf_insn *insn = &c->insns[c->pc];
    uint8_t op = OP(insn->code);
    struct vm_emit *e = c->e;

    if (op == VM_JA) {
        if (check_target(c, insn->k)) {
            vm_emit_goto(e, c->labels[c->pc + 1 + insn->k]);
        }
        return;
    }
    if (!check_target(c, insn->jt) || !check_target(c, insn->jf)) {
        return;
    }
    if (insn->code & SRC_X) {
        vm_emit_jcc32(e, op, A, X, c->labels[c->pc + 1 + insn->jt]);
    } else {
        vm_emit_jcci32(e, op, A, insn->k, c->labels[c->pc + 1 + insn->jt]);
    }
    if (insn->jf) {
        vm_emit_goto(e, c->labels[c->pc + 1 + insn->jf]);
    }
}

static void
convert_one(const struct conv *c)
{
    const struct vm_cbpf_insn *insn = &c->insns[c->pc];
    struct vm_emit *e = c->e;

    if (!is_known(insn->code)) {
        vm_emit_fail(e, -EINVAL, "classic BPF, insn %u: unknown instruction "
                     "0x%x", c->pc, insn->code);
        return;
    }
    switch (CLASS(insn->code)) {
    case LD:
        convert_load(c, A);
        break;
    case LDX:
        convert_load(c, X);
        break;
    case ST:
        vm_emit_st(e, 4, VM_FP, scratch(c), A);
        break;
    case STX:
        vm_emit_st(e, 4, VM_FP, scratch(c), X);
        break;
    case ALU:
        convert_alu(c);
        break;
    case JMP:
        convert_jump(c);
        break;
    case RET:
        if (!(insn->code & RET_A)) {
            vm_emit_alui32(e, VM_MOV, A, insn->k);
        }
        vm_emit_exit(e);
        break;
    case MISC:
        if (insn->code & TXA) {
            vm_emit_mov32(e, A, X);
        } else {
            vm_emit_mov32(e, X, A);
        }
        break;
    }
}

/* Whether 'insn' touches scratch memory. */
static bool
uses_scratch(const struct vm_cbpf_insn *insn)
{
    int class = CLASS(insn->code);

    return (class == ST || class == STX
            || ((class == LD || class == LDX) && MODE(insn->code) == MEM));
}

void
vm_cbpf_convert(struct vm_emit *e, const struct vm_cbpf_insn *insns,
                uint32_t n, const struct vm_cbpf_ctx *ctx)
{
    struct conv c = { .e = e, .insns = insns, .n = n };

    if (!n || n > MAX_INSNS || CLASS(insns[n - 1].code) != RET) {
        vm_emit_fail(e, -EINVAL, "classic BPF: a program has 1 to %d "
                     "instructions and ends with 'ret'", MAX_INSNS);
        return;
    }

    bool scratch_used = false;
    for (uint32_t i = 0; i < n; i++) {
        scratch_used |= uses_scratch(&insns[i]);
    }
    c.labels = calloc(n, sizeof *c.labels);
    if (!c.labels) {
        vm_emit_fail(e, -ENOMEM, "no memory for %u instructions", n);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        c.labels[i] = vm_label(e);
    }
    c.reject = vm_label(e);

    vm_emit_ld(e, ctx->ptr_size, DATA, VM_R1, ctx->data_off);
    vm_emit_ld(e, ctx->ptr_size, DATA_END, VM_R1, ctx->data_end_off);
    vm_emit_movi(e, A, 0);
    vm_emit_movi(e, X, 0);
    for (int i = 0; scratch_used && i < N_SCRATCH; i += 2) {
        vm_emit_sti(e, 8, VM_FP, -4 * N_SCRATCH + 4 * i, 0);
    }
    for (c.pc = 0; c.pc < n && !e->error; c.pc++) {
        vm_bind(e, c.labels[c.pc]);
        convert_one(&c);
    }
    vm_bind(e, c.reject);
    vm_emit_movi(e, A, 0);
    vm_emit_exit(e);
    free(c.labels);
}
