/* SPDX-License-Identifier: Apache-2.0 */

/* x86-64: comparisons and conditional jumps. */

#include "jit/x86_64-parts.h"

enum x86_cc
x86_condition(const struct vm_insn *insn)
{
    switch (insn->code & VM_OP_MASK) {
    case VM_JEQ:
        return CC_E;
    case VM_JGT:
        return CC_A;
    case VM_JGE:
        return CC_AE;
    case VM_JLT:
        return CC_B;
    case VM_JLE:
        return CC_BE;
    case VM_JSGT:
        return CC_G;
    case VM_JSGE:
        return CC_GE;
    case VM_JSLT:
        return CC_L;
    case VM_JSLE:
        return CC_LE;
    default:
        return CC_NE;           /* JNE and JSET. */
    }
}

void
x86_compare(struct jit *j, const struct vm_insn *insn, bool w)
{
    int dst = x86_map[insn->dst], src = x86_map[insn->src];
    bool set = (insn->code & VM_OP_MASK) == VM_JSET;

    if (insn->code & VM_X) {
        if (set) {
            x_test(j, w, dst, src);
        } else {
            x_alu(j, w, X_CMP, dst, src);
        }
    } else if (set) {
        x_test_imm(j, w, dst, insn->imm);
    } else if (!insn->imm) {
        x_test(j, w, dst, dst);
    } else {
        x_alu_imm(j, w, X_CMP, dst, insn->imm);
    }
}

/* A jump over one move is the move on the opposite condition: nothing to
 * predict. */
static bool
conditional_move(struct jit *j, uint32_t pc, bool w)
{
    const struct vm_insn *insn = &j->prog->insns[pc], *move;
    uint32_t next = jit_next(j, pc);
    int from;

    if (next != pc + 1 || insn->off != 1) {
        return false;
    }
    move = insn + 1;
    switch (j->plan[next].id) {
    case VM_I_MOV64_RR:
        from = x86_map[move->src];
        break;
    case VM_I_MOV64_RI:
        from = R11;
        x_mov_imm(j, R11, (int64_t) move->imm);
        break;
    case VM_I_MOV32_RI:
        from = R11;
        x_mov_imm(j, R11, (uint32_t) move->imm);
        break;
    default:
        return false;
    }
    x86_compare(j, insn, w);
    x_cmov(j, true, x86_condition(insn) ^ 1, x86_map[move->dst], from);
    j->plan[next].flags |= JIT_FUSED;
    return true;
}

void
x86_branch(struct jit *j, uint32_t pc, const struct vm_isa *isa)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    uint16_t flags = j->prog->aux[pc].flags;
    bool w = isa->bits == 64;

    if (flags & VM_AUX_ALWAYS) {
        x86_jmp_to(j, jit_target_offset(j, pc));
    } else if (!(flags & VM_AUX_NEVER) && !conditional_move(j, pc, w)) {
        x86_compare(j, insn, w);
        x86_jcc_to(j, x86_condition(insn), jit_target_offset(j, pc));
    }
}
