/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_VERIFY_H
#define VM_VERIFY_H 1

/* The verifier: proof that a program is safe to run, before it runs.
 *
 * What: walks every path of the program over abstract states.  An accepted
 * program, run with a context as its type describes it and helpers that keep
 * to their prototypes, accesses only memory that it was given, never reads
 * what was not written, gives back what it reserved, and ends: after at most
 * 'longest_path' instructions between entry and exit.
 *
 * It fills what the program's loader and the JITs use: prog->aux,
 * subprogs[].stack, longest_path.
 *
 * Usage: attr.verify = vm_verify in vm_prog_load().
 *
 * Errors: -EACCES, -EINVAL: a rule is broken; -E2BIG: too complex; -ENOMEM.
 * The sentence names the instruction, its line of source where the program
 * has notes of that (vm_prog_attr.notes), the register as it was, the rule
 * and the remedy (vm/verifier/rules.def).
 *
 * Threads: any; one program's verification uses only its own memory. */

#include "vm/prog.h"

/* vm_verify_fn. */
int vm_verify(struct vm_prog *, const struct vm_verify_opts *,
              struct vm_err *);

/* Names of the rules, for tests: "STACK_BOUNDS"; NULL past the last. */
const char *vm_verify_rule_name(unsigned int index);
/* The rule's sentence "what is broken", which a rejection contains. */
const char *vm_verify_rule_text(unsigned int index);

#endif /* vm/verify.h */
