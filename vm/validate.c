/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/prog.h"

#include <errno.h>
#include <stdlib.h>

#include "vm/prog-internal.h"

/* What a slot is. */
enum {
    SLOT_SECOND = 1 << 0,       /* Second half of a two-slot instruction. */
    SLOT_START = 1 << 1,        /* Start of a function. */
};

/* Encodings, one by one; marks second slots in 'slots'. */
static int
check_encodings(const struct vm_insn *insns, uint32_t n, uint8_t *slots,
                struct vm_err *err)
{
    for (uint32_t pc = 0; pc < n; pc++) {
        const struct vm_insn *insn = &insns[pc];
        int id = vm_insn_id(insn);

        if (id < 0) {
            return vm_err(err, -EINVAL, "insn %u: unknown instruction (opcode "
                          "0x%02x, src %u, off %d, imm %d)", pc, insn->code,
                          insn->src, insn->off, insn->imm);
        }
        if (vm_insn_slots(insn) == 2 && pc + 1 >= n) {
            return vm_err(err, -EINVAL, "insn %u: the second slot of %s is "
                          "missing", pc, vm_isa[id].name);
        }

        const char *wrong = vm_insn_check(insn, id);
        if (wrong) {
            return vm_err(err, -EINVAL, "insn %u (%s): %s", pc,
                          vm_isa[id].name, wrong);
        }
        if (vm_insn_slots(insn) == 2) {
            slots[++pc] |= SLOT_SECOND;
        }
    }
    return 0;
}

/* Targets of jumps and local calls; marks the starts of functions. */
static int
check_targets(const struct vm_insn *insns, uint32_t n, uint8_t *slots,
              struct vm_err *err)
{
    slots[0] |= SLOT_START;
    for (uint32_t pc = 0; pc < n; pc += vm_insn_slots(&insns[pc])) {
        enum vm_form form = vm_isa[vm_insn_id(&insns[pc])].form;

        if (!vm_form_is_jump(form) && form != VM_F_CALL_LOCAL) {
            continue;
        }

        int64_t target = (int64_t) pc + 1 + vm_jump_off(&insns[pc], form);
        if (target < 0 || target >= n) {
            return vm_err(err, -EINVAL, "insn %u: %s to %lld, outside of the "
                          "program (0 to %u)", pc,
                          form == VM_F_CALL_LOCAL ? "call" : "jump",
                          (long long) target, n - 1);
        }
        if (slots[target] & SLOT_SECOND) {
            return vm_err(err, -EINVAL, "insn %u: %s into the middle of the "
                          "two-slot instruction at %lld", pc,
                          form == VM_F_CALL_LOCAL ? "call" : "jump",
                          (long long) target - 1);
        }
        if (form == VM_F_CALL_LOCAL) {
            slots[target] |= SLOT_START;
        }
    }
    return 0;
}

/* Functions are contiguous: jumps stay inside, the last instruction does not
 * fall into the next function. */
static int
check_functions(const struct vm_insn *insns, uint32_t n, const uint8_t *slots,
                struct vm_err *err)
{
    uint32_t start = 0;

    while (start < n) {
        uint32_t end = start + 1;

        while (end < n && !(slots[end] & SLOT_START)) {
            end++;
        }

        enum vm_form form = VM_N_FORMS;
        for (uint32_t pc = start; pc < end; pc += vm_insn_slots(&insns[pc])) {
            form = vm_isa[vm_insn_id(&insns[pc])].form;
            if (vm_form_is_jump(form)) {
                int64_t target = (int64_t) pc + 1
                                 + vm_jump_off(&insns[pc], form);

                if (target < start || target >= end) {
                    return vm_err(err, -EINVAL, "insn %u: jump to %lld, out "
                                  "of its function (%u to %u)", pc,
                                  (long long) target, start, end - 1);
                }
            }
        }
        if (form != VM_F_EXIT && form != VM_F_JA && form != VM_F_JA32) {
            return vm_err(err, -EINVAL, "insn %u: the last instruction of a "
                          "function must be 'exit' or 'goto'", end - 1);
        }
        start = end;
    }
    return 0;
}

static int
check_references(const struct vm_insn *insns, uint32_t n,
                 const struct vm_prog_type *type, uint32_t n_maps,
                 struct vm_err *err)
{
    for (uint32_t pc = 0; pc < n; pc += vm_insn_slots(&insns[pc])) {
        const struct vm_insn *insn = &insns[pc];
        enum vm_form form = vm_isa[vm_insn_id(insn)].form;

        if ((form == VM_F_LDMAP || form == VM_F_LDMAPVAL)
            && (uint32_t) insn->imm >= n_maps) {
            return vm_err(err, -EINVAL, "insn %u: map %u, but the program has "
                          "%u maps", pc, (uint32_t) insn->imm, n_maps);
        }
        if (form == VM_F_CALL && type && !vm_type_helper(type, insn->imm)) {
            return vm_err(err, -EINVAL, "insn %u: programs of type %s have no "
                          "helper %u", pc, type->name, (uint32_t) insn->imm);
        }
    }
    return 0;
}

#define DEFAULT_MAX_INSNS 1000000u

int
vm_validate(const struct vm_insn *insns, uint32_t n,
            const struct vm_prog_type *type, uint32_t n_maps,
            struct vm_err *err)
{
    uint32_t max = type && type->max_insns ? type->max_insns
                                           : DEFAULT_MAX_INSNS;

    if (!n) {
        return vm_err(err, -EINVAL, "the program is empty");
    }
    if (n > max) {
        return vm_err(err, -E2BIG, "the program has %u instructions, at most "
                      "%u are possible", n, max);
    }

    uint8_t *slots = calloc(n, 1);
    if (!slots) {
        return vm_err(err, -ENOMEM, "no memory for %u instructions", n);
    }

    int error = check_encodings(insns, n, slots, err);
    if (!error) {
        error = check_targets(insns, n, slots, err);
    }
    if (!error) {
        error = check_functions(insns, n, slots, err);
    }
    if (!error) {
        error = check_references(insns, n, type, n_maps, err);
    }
    free(slots);
    return error;
}

int
vm_find_subprogs(const struct vm_insn *insns, uint32_t n,
                 struct vm_subprog **subprogsp, uint32_t *np)
{
    uint8_t *starts = calloc(n, 1);
    uint32_t n_subprogs = 1;

    if (!starts) {
        return -ENOMEM;
    }
    for (uint32_t pc = 0; pc < n; pc += vm_insn_slots(&insns[pc])) {
        if (insns[pc].code == (VM_JMP | VM_CALL)
            && insns[pc].src == VM_PSEUDO_CALL) {
            uint32_t target = pc + 1 + insns[pc].imm;

            n_subprogs += target && !starts[target];
            starts[target] = 1;
        }
    }

    struct vm_subprog *subprogs = calloc(n_subprogs, sizeof *subprogs);
    if (!subprogs) {
        free(starts);
        return -ENOMEM;
    }

    uint32_t k = 0;
    for (uint32_t pc = 0; pc < n; pc++) {
        if (!pc || starts[pc]) {
            if (k) {
                subprogs[k - 1].end = pc;
            }
            subprogs[k].start = pc;
            subprogs[k].stack = VM_STACK_SIZE;
            k++;
        }
    }
    subprogs[k - 1].end = n;
    free(starts);
    *subprogsp = subprogs;
    *np = n_subprogs;
    return 0;
}
