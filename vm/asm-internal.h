/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_ASM_INTERNAL_H
#define VM_ASM_INTERNAL_H 1

/* The assembler's scanner: words, registers and numbers of a line.  The
 * first error sticks in 'error'; scanning goes on harmlessly after it. */

#include <stdbool.h>
#include <stdint.h>

#include "vm/asm.h"

#define VM_AS_NAME 64

struct vm_as_label {
    char name[VM_AS_NAME];
    uint32_t slot;
};

struct vm_as_ref {
    char name[VM_AS_NAME];
    uint32_t slot;
    int line;
};

struct vm_as {
    const char *p;              /* In the line. */
    int line;
    const struct vm_asm_opts *opts;
    struct vm_insn *insns;
    uint32_t n, allocated;
    struct vm_as_label *labels;
    uint32_t n_labels, allocated_labels;
    struct vm_as_ref *refs;
    uint32_t n_refs, allocated_refs;
    int error;
    struct vm_err *err;
};

/* Notes that something else was expected at this place. */
void vm_as_fail(struct vm_as *, const char *expected);

void vm_as_skip(struct vm_as *);                        /* White space. */
/* Takes 'token' if it is next; a word only as a whole. */
bool vm_as_accept(struct vm_as *, const char *token);
void vm_as_expect(struct vm_as *, const char *token);
bool vm_as_scan_name(struct vm_as *, char name[VM_AS_NAME]);
/* A register of 'bits', or, if that is 0, of any width: then sets it. */
bool vm_as_scan_reg(struct vm_as *, uint8_t *reg, int *bits);
uint8_t vm_as_expect_reg(struct vm_as *, int bits);
bool vm_as_scan_int(struct vm_as *, uint64_t *value);
/* A 32-bit constant; if 'zext', also one that is written unsigned. */
int32_t vm_as_expect_imm(struct vm_as *, bool zext);
/* "+ 16)", "- 16)" or ")". */
int16_t vm_as_expect_off(struct vm_as *);
/* Bits of a size such as u32; '*sign' is NULL when only unsigned ones will
 * do. */
int vm_as_expect_size(struct vm_as *, bool *sign);

#endif /* vm/asm-internal.h */
