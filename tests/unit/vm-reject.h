/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VM_REJECT_H
#define TESTS_VM_REJECT_H 1

/* The wrong programs of tests/data/vm/reject/ (tests/data/vm/README.md says
 * what they look like). */

#include <stddef.h>

struct vm_reject {
    char *name;                 /* "stack.data: store below the frame". */
    char *text;                 /* Assembly. */
    char *rule;                 /* NULL: refused before the verifier. */
    int insn, regno;            /* With 'rule'; regno -1: none. */
    char *says;                 /* The whole sentence; may be NULL if there
                                 * is a rule. */
};

/* All of them.  Prints what is wrong with a file and exits. */
struct vm_reject *vm_reject_load(size_t *n);
void vm_reject_free(struct vm_reject *, size_t n);

#endif /* tests/unit/vm-reject.h */
