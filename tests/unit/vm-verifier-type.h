/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VM_VERIFIER_TYPE_H
#define TESTS_VM_VERIFIER_TYPE_H 1

/* A program type for tests of the verifier: a context with a member of each
 * kind, helpers with each kind of argument, and a map of each kind of
 * access, by the names in vm-verifier-type.c. */

#include "vm/err.h"
#include "vm/prog.h"

extern const struct vm_prog_type verifier_type;

/* The group's fixtures: make and drop the maps. */
int verifier_setup(void **state);
int verifier_teardown(void **state);

/* What vm_prog_load() says to a program in text form, with the sentence in
 * 'err'. */
int verifier_load(const char *text, const struct vm_verify_opts *,
                  struct vm_err *err);
int verifier_load_with(const char *text, vm_verify_fn *,
                       const struct vm_verify_opts *, struct vm_err *err);

/* The index of a rule by its name; a name that does not exist fails the
 * test. */
int verifier_rule_index(const char *name);

#endif /* tests/unit/vm-verifier-type.h */
