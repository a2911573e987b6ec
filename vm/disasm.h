/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_DISASM_H
#define VM_DISASM_H 1

/* The text form of programs, written.  The form is in vm/asm.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/insn.h"
#include "vm/prog.h"

/* Instruction 'pc' of 'insns' as text, in 'buf' of 'size' bytes; jumps show
 * distances ("goto +3").  'type' (may be NULL) names helpers, 'maps' maps.
 * What is no instruction becomes ".raw 0x...".  Returns the number of slots
 * that the text stands for, 1 or 2. */
int vm_disasm_insn(const struct vm_insn *insns, uint32_t n, uint32_t pc,
                   const struct vm_prog_type *type, char *buf, size_t size);

/* Flags of vm_disasm(). */
#define VM_DISASM_NUMBERS 0x1u  /* "  12: " before each instruction. */
#define VM_DISASM_LABELS  0x2u  /* Labels (L12:) for targets, not distances.
                                 * What vm_asm() reads back either way. */
#define VM_DISASM_BYTES   0x4u  /* The 8 bytes of each slot in a comment. */

struct vm_disasm_opts {
    const struct vm_prog_type *type;
    struct vm_map *const *maps;
    uint32_t n_maps;
    const struct vm_note *notes;        /* Printed as "; ..." lines. */
    uint32_t n_notes;
    uint32_t flags;
};

/* A whole program as malloc'ed text, or NULL without memory.  With
 * VM_DISASM_NUMBERS the text is for people, not for vm_asm(). */
char *vm_disasm(const struct vm_insn *, uint32_t n,
                const struct vm_disasm_opts *);

/* The same of a loaded program, with its names, maps and notes. */
char *vm_prog_disasm(const struct vm_prog *, uint32_t flags);

#endif /* vm/disasm.h */
