/* SPDX-License-Identifier: Apache-2.0 */

/* What the machines' files ask of a program, whatever the machine. */

#include "jit/compile.h"

#include "vm/map.h"
#include "vm/maps/array.h"

#define CALLEE_SAVED (1u << VM_R6 | 1u << VM_R7 | 1u << VM_R8 | 1u << VM_R9)

/* -- Functions and frames -- */

uint32_t
jit_subprog_at(const struct vm_prog *prog, uint32_t pc)
{
    uint32_t i = 0;

    while (i + 1 < prog->n_subprogs && prog->subprogs[i + 1].start <= pc) {
        i++;
    }
    return i;
}

bool
jit_shares_frame(const struct vm_prog *prog)
{
    return prog->type->gen_off != VM_NO_GEN;
}

unsigned int
jit_saved_regs(const struct vm_prog *prog, uint32_t subprog)
{
    const struct vm_subprog *s = &prog->subprogs[subprog];
    unsigned int saved = 0;

    if (jit_shares_frame(prog) && !subprog) {
        return CALLEE_SAVED;
    }
    for (uint32_t pc = s->start; pc < s->end;
         pc += vm_insn_slots(&prog->insns[pc])) {
        saved |= 1u << prog->insns[pc].dst | 1u << prog->insns[pc].src;
    }
    return saved & CALLEE_SAVED;
}

uint32_t
jit_stack_bytes(const struct vm_prog *prog, uint32_t subprog)
{
    uint32_t stack = jit_shares_frame(prog) && !subprog
                     ? VM_STACK_SIZE : prog->subprogs[subprog].stack;

    return (stack + 7) & ~7u;
}

bool
jit_has_tail_call(const struct vm_prog *prog)
{
    for (uint32_t pc = 0; pc < prog->n_insns;
         pc += vm_insn_slots(&prog->insns[pc])) {
        const struct vm_insn *insn = &prog->insns[pc];

        if (insn->code == (VM_JMP | VM_CALL) && !insn->src
            && insn->imm == VM_HELPER_TAIL_CALL) {
            return true;
        }
    }
    return false;
}

/* -- Operands -- */

void
jit_access(const struct vm_prog *prog, uint32_t pc, int32_t *off, int *size)
{
    const struct vm_insn *insn = &prog->insns[pc];
    const struct vm_aux *aux = &prog->aux[pc];

    *off = insn->off;
    *size = vm_isa[vm_insn_id(insn)].bits / 8;
    if (aux->flags & VM_AUX_CTX && aux->member) {
        const struct vm_ctx_member *m = &prog->type->members[aux->member - 1];

        if (m->real_size) {
            *off += (int32_t) m->real_off - (int32_t) m->off;
            *size = m->real_size != m->size ? m->real_size : *size;
        }
    }
}

uint32_t
jit_target_offset(const struct jit *j, uint32_t pc)
{
    const struct vm_insn *insn = &j->prog->insns[pc];
    enum vm_form form = vm_isa[vm_insn_id(insn)].form;

    uint32_t target = pc + 1 + vm_jump_off(insn, form);

    return j->offsets[target] - (target > pc ? j->shift : 0);
}

uint64_t
jit_load_imm(const struct vm_prog *prog, uint32_t pc)
{
    const struct vm_insn *insn = &prog->insns[pc];
    enum vm_form form = vm_isa[vm_insn_id(insn)].form;
    struct vm_map *map;

    if (form == VM_F_LDDW) {
        return vm_lddw_imm(insn);
    }
    map = prog->maps[insn->imm];
    return form == VM_F_LDMAP ? (uintptr_t) map
           : (uintptr_t) map->ops->direct(map) + (uint32_t) insn[1].imm;
}

/* -- Calls -- */

const void *
jit_call_target(const struct vm_prog *prog, uint32_t pc)
{
    const struct vm_helper *h = vm_type_helper(prog->type,
                                               prog->insns[pc].imm);
    int32_t index = prog->aux[pc].map;
    const struct vm_map_ops *ops = index ? prog->maps[index - 1]->ops : NULL;

    if (ops && h->id == VM_HELPER_MAP_LOOKUP) {
        return (const void *) (uintptr_t) ops->lookup;
    } else if (ops && h->id == VM_HELPER_VLOOKUP) {
        return (const void *) (uintptr_t) ops->vlookup;
    } else if (ops && h->id == VM_HELPER_VLOOKUP_START) {
        return (const void *) (uintptr_t) ops->vstart;
    } else if (ops && h->id == VM_HELPER_VLOOKUP_NEXT) {
        return (const void *) (uintptr_t) ops->vnext;
    } else if (ops && h->id == VM_HELPER_VLOOKUP_END) {
        return (const void *) (uintptr_t) ops->vend;
    }
    return (const void *) (uintptr_t) h->fn;
}

const struct vm_map *
jit_known_map(const struct vm_prog *prog, uint32_t pc)
{
    int32_t index = prog->aux[pc].map;

    return index ? prog->maps[index - 1] : NULL;
}

bool
jit_known_slot(const struct vm_prog *prog, uint32_t pc)
{
    const struct vm_map *map = jit_known_map(prog, pc);

    return map && map->ops == &vm_map_ops_prog_array
           && prog->aux[pc].flags & VM_AUX_CONST_KEY
           && prog->aux[pc].cval < map->max_entries;
}

const struct vm_array *
jit_known_array(const struct vm_prog *prog, uint32_t pc)
{
    int32_t index = prog->aux[pc].map;
    const struct vm_map *map = index ? prog->maps[index - 1] : NULL;
    const struct vm_array *array = (const struct vm_array *) map;

    if (prog->insns[pc].imm != VM_HELPER_MAP_LOOKUP || !map
        || map->ops != &vm_map_ops_array || map->max_entries > INT32_MAX
        || array->elem_size > INT32_MAX) {
        return NULL;
    }
    return array;
}
