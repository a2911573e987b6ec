/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_ASM_H
#define VM_ASM_H 1

/* The text form of programs, read.
 *
 * The form is that of llvm-objdump and of Linux's verifier log:
 *
 *     ; a comment, also after an instruction; so is # and //
 *     r2 = *(u32 *)(r1 + 16)         loads: u8 u16 u32 u64 s8 s16 s32
 *     *(u8 *)(r10 - 1) = 5           stores: of a register or a constant
 *     r1 += r2                       64 bits; w1 += 7 is 32 bits
 *     r1 = (s16)r2                   sign extension; w1 = (s8)w2
 *     r1 = be16 r1                   le16 .. be64 bswap16 ..
 *     r1 = -r1                       w1 = -w1
 *     r1 s/= r2                      + - * / % s/ s% | & ^ << >> s>>
 *     r1 = 0x1122334455667788 ll     two-slot constant
 *     r1 = map flows                 by name, or by index: map 0
 *     r1 = map_value config + 8
 *     lock *(u64 *)(r1 + 0) += r2    += |= &= ^=; u32 or u64
 *     r2 = atomic_fetch_add((u64 *)(r1 + 0), r2)      add or and xor
 *     r2 = xchg((u64 *)(r1 + 0), r2)
 *     r0 = cmpxchg((u64 *)(r1 + 0), r0, r2)
 *     if r1 == r2 goto out           == != & > >= < <= s> s>= s< s<=
 *     if w1 s< -5 goto +3            32 bits; distances count slots
 *     goto out                       gotol out: 32-bit distance
 *     call map_lookup_elem           a helper by name, or by number
 *     call func                      a local function: a label, or pc+3
 *     exit
 *   out:                             a label
 *     .raw 0x1234567812345678        one slot, as it is
 *
 * Numbers are decimal or 0x; a constant may be written unsigned or signed as
 * long as its low 32 bits mean the same to the instruction.
 *
 * Disassembling what was assembled gives the same instructions again and
 * vice versa (vm/disasm.h). */

#include <stdint.h>

#include "vm/err.h"
#include "vm/insn.h"

struct vm_map;
struct vm_prog_type;

struct vm_asm_opts {
    const struct vm_prog_type *type;    /* For names of helpers; may be
                                         * NULL: the VM's own. */
    struct vm_map *const *maps;         /* For names of maps; may be NULL. */
    uint32_t n_maps;
};

/* Assembles 'text'.  '*insns' is malloc'ed.  -EINVAL with the line in the
 * sentence, -ENOMEM.  'opts' may be NULL. */
int vm_asm(const char *text, const struct vm_asm_opts *opts,
           struct vm_insn **insns, uint32_t *n, struct vm_err *);

#endif /* vm/asm.h */
