/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VM_DATA_H
#define TESTS_VM_DATA_H 1

/* The cases of tests/data/vm/ (its README says what they look like), for the
 * tests of every engine. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/prog.h"

struct vm_case {
    char *name;                 /* "alu.data: += 64 register 0". */
    char *text;                 /* Assembly. */
    uint8_t *mem;
    size_t mem_size;
    bool has_result;
    uint64_t result;
    uint8_t *after;             /* NULL: not said. */
    size_t after_size;
    char *error;                /* NULL: it loads. */
    char *fault;                /* NULL: it is not stopped. */
};

/* All cases of all files, sorted by file.  Prints what is wrong with a file
 * and exits. */
struct vm_case *vm_data_load(size_t *n);
void vm_data_free(struct vm_case *, size_t n);

/* Runs 'prog' on a copy of the case's memory and compares; returns NULL or
 * what is wrong, malloc'ed.  'run' is the engine. */
char *vm_data_run(const struct vm_case *, const struct vm_prog *,
                  uint64_t (*run)(const struct vm_prog *, void *ctx));

/* The folder with the cases: TOP/tests/data/vm, or below the working
 * directory. */
const char *vm_data_dir(void);

/* A verifier that finds nothing wrong, for programs known to be good. */
int vm_data_trust(struct vm_prog *, const struct vm_verify_opts *,
                  struct vm_err *);

#endif /* tests/unit/vm-data.h */
