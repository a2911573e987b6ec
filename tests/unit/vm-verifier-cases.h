/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VM_VERIFIER_CASES_H
#define TESTS_VM_VERIFIER_CASES_H 1

/* Programs for test-vm-verifier.c, of the type in vm-verifier-type.h.  The
 * array ends with a null text. */

struct verifier_case {
    const char *shows;
    const char *text;
};

extern const struct verifier_case verifier_accepts[];

#endif /* tests/unit/vm-verifier-cases.h */
