/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/prog-internal.h"

#include <stdlib.h>

#include "vm/map.h"

static uint8_t
size_code(uint32_t size)
{
    return size == 1 ? VM_B : size == 2 ? VM_H : size == 4 ? VM_W : VM_DW;
}

struct vm_insn
vm_prog_fixed_insn(const struct vm_prog *prog, uint32_t pc)
{
    struct vm_insn insn = prog->insns[pc];
    const struct vm_aux *aux = &prog->aux[pc];

    if (prog->verified && aux->flags & VM_AUX_CTX && aux->member) {
        const struct vm_ctx_member *m = &prog->type->members[aux->member - 1];

        if (m->real_size) {
            insn.off += (int32_t) m->real_off - (int32_t) m->off;
            if (m->real_size != m->size) {
                insn.code = (insn.code & ~VM_SIZE_MASK)
                            | size_code(m->real_size);
            }
        }
    }
    return insn;
}

static void
decode_one(const struct vm_prog *prog, uint32_t pc, bool fixed,
           struct vm_op *op)
{
    struct vm_insn insn = fixed ? vm_prog_fixed_insn(prog, pc)
                                : prog->insns[pc];
    int id = vm_insn_id(&insn);
    enum vm_form form = vm_isa[id].form;

    op->id = id;
    op->dst = insn.dst;
    op->src = insn.src;
    op->off = insn.off;
    op->imm = (int64_t) insn.imm;

    if (form == VM_F_JA32 || form == VM_F_CALL_LOCAL) {
        op->off = insn.imm;
    } else if (form == VM_F_LDDW) {
        op->imm = vm_lddw_imm(&prog->insns[pc]);
    } else if (form == VM_F_LDMAP) {
        op->ptr = prog->maps[insn.imm];
    } else if (form == VM_F_LDMAPVAL) {
        struct vm_map *map = prog->maps[insn.imm];

        op->ptr = ((uint8_t *) map->ops->direct(map)
                   + (uint32_t) prog->insns[pc + 1].imm);
    } else if (form == VM_F_CALL) {
        op->helper = vm_type_helper(prog->type, insn.imm);
        if (op->helper->id == VM_HELPER_TAIL_CALL) {
            op->id = VM_OP_TAIL_CALL;
        } else if (op->helper->id == VM_HELPER_GOTO) {
            op->id = VM_OP_GOTO;
        } else if (op->helper->id == VM_HELPER_YIELD) {
            op->id = VM_OP_YIELD;
        }
    }
}

struct vm_op *
vm_decode(const struct vm_prog *prog, bool fixed)
{
    struct vm_op *ops = calloc(prog->n_insns, sizeof *ops);

    if (!ops) {
        return NULL;
    }
    for (uint32_t pc = 0; pc < prog->n_insns; pc++) {
        decode_one(prog, pc, fixed, &ops[pc]);
        if (vm_insn_slots(&prog->insns[pc]) == 2) {
            ops[++pc].id = VM_OP_NONE;
        }
    }
    return ops;
}
