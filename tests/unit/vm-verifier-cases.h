/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VM_VERIFIER_CASES_H
#define TESTS_VM_VERIFIER_CASES_H 1

/* Programs for test-vm-verifier.c, which says what context, helpers and maps
 * they have.  The arrays end with a null text. */

struct verifier_case {
    const char *rule;           /* That it breaks, or what it shows. */
    const char *text;
};

extern const struct verifier_case verifier_rejects[];
extern const struct verifier_case verifier_accepts[];

#endif /* tests/unit/vm-verifier-cases.h */
