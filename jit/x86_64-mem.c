/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: loads, stores, atomics. */

#include "jit/x86_64-parts.h"

struct x86_at
x86_operand(const struct jit *j, uint32_t pc, int *size)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    bool is_load = VM_CLASS(insn->code) == VM_LDX;
    int32_t off;

    jit_access(j->prog, pc, &off, size);
    return (j->plan[pc].flags & JIT_FRAME
            ? at(RBP, j->plan[pc].frame)
            : at(x86_map[is_load ? insn->src : insn->dst], off));
}

void
x86_load(struct jit *j, uint32_t pc, bool sign)
{
    int dst = x86_map[j->prog->insns[pc].dst], size;
    struct x86_at m = x86_operand(j, pc, &size);

    if (sign) {
        x_load_signed(j, size, dst, m);
    } else {
        x_load(j, size, dst, m);
    }
}

void
x86_store(struct jit *j, uint32_t pc)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int size;
    struct x86_at m = x86_operand(j, pc, &size);

    if (VM_CLASS(insn->code) == VM_STX) {
        x_store(j, size, m, x86_map[insn->src]);
    } else {
        x_store_imm(j, size, m, insn->imm);
    }
}

/* lock op [base + off], reg */
static void
locked(struct jit *j, int size, uint8_t op, int reg, struct x86_at m)
{
    jit_put1(j, 0xf0);
    x_mem_op(j, size, op, reg, m);
}

/* lock 0f op [base + off], reg: xadd (0xc1), cmpxchg (0xb1). */
static void
locked_0f(struct jit *j, int size, uint8_t op, int reg, struct x86_at m)
{
    jit_put1(j, 0xf0);
    x_rex(j, size == 8, reg, m.base, false);
    jit_put1(j, 0x0f);
    jit_put1(j, op);
    x_mem(j, reg, m);
}

/* A fetching and, or, xor: no instruction has the old value, so a compare
 * and exchange is tried until nobody came between.  r0 waits in r11. */
static void
fetch_loop(struct jit *j, const struct vm_insn *insn, int size,
           enum x86_alu op)
{
    int dst = x86_map[insn->dst], src = x86_map[insn->src];
    int base = dst == RAX ? R11 : dst, value = src == RAX ? R11 : src;
    size_t again;

    x_mov(j, true, R11, RAX);
    x_load(j, size, RAX, at(base, insn->off));
    again = j->len;
    x_mov(j, true, R10, RAX);
    x_alu(j, size == 8, op, R10, value);
    locked_0f(j, size, 0xb1, R10, at(base, insn->off));
    jit_put1(j, 0x70 | CC_NE);
    jit_put1(j, again - (j->len + 1));
    x_mov(j, true, R10, RAX);
    x_mov(j, true, RAX, R11);
    x_mov(j, true, src, R10);
}

void
x86_atomic(struct jit *j, uint32_t pc, const struct vm_isa *isa)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    int src = x86_map[insn->src], size;
    struct x86_at m = x86_operand(j, pc, &size);
    bool fetch = insn->imm & VM_FETCH;
    enum x86_alu op;

    switch (insn->imm) {
    case VM_XCHG:
        x_mem_op(j, size, 0x87, src, m);
        return;
    case VM_CMPXCHG:
        locked_0f(j, size, 0xb1, src, m);
        if (size == 4) {
            x_mov(j, false, RAX, RAX);
        }
        return;
    case VM_ADD | VM_FETCH:
        locked_0f(j, size, 0xc1, src, m);
        return;
    case VM_AND:
    case VM_AND | VM_FETCH:
        op = X_AND;
        break;
    case VM_OR:
    case VM_OR | VM_FETCH:
        op = X_OR;
        break;
    case VM_XOR:
    case VM_XOR | VM_FETCH:
        op = X_XOR;
        break;
    default:
        op = X_ADD;
        break;
    }
    if (fetch) {
        fetch_loop(j, insn, size, op);
    } else {
        locked(j, size, op << 3 | 1, src, m);
    }
}
