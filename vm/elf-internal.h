/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_ELF_INTERNAL_H
#define VM_ELF_INTERNAL_H 1

/* Between the files of the ELF loader. */

#include "vm/elf.h"

struct bpf_object;

struct vm_elf {
    struct bpf_object *obj;
    char *name;                 /* Of the file, for messages. */
    void *image;
    size_t size;
    struct vm_map **maps;       /* In libbpf's order. */
    uint32_t n_maps;
};

/* What is wrong with the structure of an object, or NULL.  'image' is aligned
 * to 8 bytes. */
const char *vm_elf_check(const void *image, size_t size);

/* Whether the contents of a section .BTF are sound; aligned to 4 bytes. */
bool vm_elf_btf_ok(const uint8_t *data, size_t size);

/* Puts the initial values of maps of maps in place, or, if 'template' is not
 * NULL, those of program arrays, loading the programs. */
int vm_elf_init_maps(struct vm_elf *, const struct vm_prog_attr *template,
                     struct vm_err *);

/* The lines of source of a finished program, '*n' of them, malloc'ed; NULL if
 * the object does not have them.  vm_elf_free_lines() frees them. */
struct vm_note *vm_elf_lines(const struct vm_elf *,
                             const struct vm_elf_prog *, uint32_t *n);
void vm_elf_free_lines(struct vm_note *, uint32_t n);

#endif /* vm/elf-internal.h */
