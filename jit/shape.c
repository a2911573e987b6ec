/* SPDX-License-Identifier: Apache-2.0 */

/* What the machines' files ask of a program, whatever the machine. */

#include "jit/compile.h"

#include "vm/map.h"
#include "vm/maps/array.h"
#include "vm/maps/devmap.h"
#include "vm/maps/hash.h"

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
    const struct vm_map *map = jit_known_map(prog, pc);
    const struct vm_map_ops *ops = map ? map->ops : NULL;

    if (ops && h->id == VM_HELPER_MAP_LOOKUP) {
        vm_hash_lookup_fn *lookup = vm_hash_lookup_of(map);

        return (const void *) (uintptr_t) (lookup ? lookup : ops->lookup);
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

int32_t
jit_thread_off(const void *variable)
{
    uintptr_t thread;

#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r" (thread));
#elif defined(__aarch64__)
    __asm__("mrs %0, tpidr_el0" : "=r" (thread));
#else
#error "where do the variables of a thread begin?"
#endif
    return (uintptr_t) variable - thread;
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

/* -- Lookups -- */

bool
jit_known_array(const struct vm_prog *prog, uint32_t pc, struct jit_array *a)
{
    const struct vm_map *map = jit_known_map(prog, pc);

    if (prog->insns[pc].imm != VM_HELPER_MAP_LOOKUP || !map
        || map->max_entries > INT32_MAX) {
        return false;
    }
    *a = (struct jit_array) { .n = map->max_entries };
    if (map->ops == &vm_map_ops_array
        || map->ops == &vm_map_ops_percpu_array) {
        const struct vm_array *array = (const struct vm_array *) map;

        a->data = array->data;
        a->elem_size = array->elem_size;
        a->cpu_stride = array->cpu_stride;
        return array->elem_size <= INT32_MAX
               && array->cpu_stride <= INT32_MAX;
    } else if (map->ops == &vm_map_ops_devmap
               || map->ops == &vm_map_ops_cpumap
               || map->ops == &vm_map_ops_xskmap) {
        const struct vm_devmap *devmap = (const struct vm_devmap *) map;

        a->data = (const uint8_t *) devmap->slots;
        a->elem_size = sizeof devmap->slots[0];
        a->present = offsetof(struct vm_devmap_slot, present);
        return true;
    }
    return false;
}

uint16_t
jit_call_uses(const struct jit *j, uint32_t pc)
{
    if (j->prog->insns[pc].imm == VM_HELPER_TAIL_CALL
        && jit_known_slot(j->prog, pc)) {
        return 1u << VM_R1;
    }
    return (jit_known_array(j->prog, pc, &(struct jit_array) { 0 })
            ? 1u << VM_R2 : UINT16_MAX);
}

uint32_t
jit_null_check(const struct jit *j, uint32_t pc)
{
    uint32_t next = jit_next(j, pc);
    const struct vm_insn *insn;

    if (next == UINT32_MAX || j->plan[next].id != VM_I_JEQ64_RI
        || j->prog->aux[next].flags & (VM_AUX_ALWAYS | VM_AUX_NEVER)) {
        return UINT32_MAX;
    }
    insn = &j->prog->insns[next];
    return insn->dst == VM_R0 && !insn->imm ? next : UINT32_MAX;
}
