/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VM_ELF_H
#define VM_ELF_H 1

/* Programs that clang compiled: loading them from ELF objects.
 *
 * What: libbpf links the object (subprograms, data sections, maps described
 * by BTF) in a mode that makes no system call, and hands out the finished
 * instructions; this file turns its maps into ours and its programs into
 * programs.  Initial values of program arrays and of maps of maps, which
 * libbpf keeps to itself, are read from the object's relocations.
 *
 * Usage:
 *
 *     vm_elf_open_file("xdp.o", &elf, &err);
 *     vm_elf_set_var(elf, "limit", &limit, sizeof limit, &err);
 *     vm_elf_make_maps(elf, &err);
 *     vm_elf_load_prog(elf, "xdp_main", &template, &prog, &err);
 *     vm_elf_link(elf, &template, &err);     -- fills prog arrays, if any
 *     vm_elf_close(elf);
 *
 * Ownership: the object owns its references to the maps; programs have their
 * own, so both outlive it.
 *
 * Threads: libbpf's messages are a global; one object at a time.
 *
 * Errors: -EINVAL what the file says makes no sense, -ENOENT no such program
 * or variable, -ENOTSUP a map kind that does not exist here. */

#include <stddef.h>
#include <stdint.h>

#include "vm/err.h"
#include "vm/prog.h"

struct vm_elf;

int vm_elf_open_file(const char *path, struct vm_elf **, struct vm_err *);
/* 'image' is copied; 'name' is for messages. */
int vm_elf_open(const void *image, size_t size, const char *name,
                struct vm_elf **, struct vm_err *);
void vm_elf_close(struct vm_elf *);     /* NULL is fine. */

/* Sets a global variable, before vm_elf_make_maps(); 'size' is that of the
 * variable. */
int vm_elf_set_var(struct vm_elf *, const char *name, const void *value,
                   size_t size, struct vm_err *);
/* The same for a number written as text, of any integer variable. */
int vm_elf_set_var_text(struct vm_elf *, const char *name, const char *text,
                        struct vm_err *);

/* Sets the number of entries of a map, before vm_elf_make_maps(): some
 * programs leave it to who loads them (one a CPU, say). */
int vm_elf_set_max_entries(struct vm_elf *, const char *map, uint32_t n,
                           struct vm_err *);

/* Makes all maps, with the contents of the data sections. */
int vm_elf_make_maps(struct vm_elf *, struct vm_err *);
uint32_t vm_elf_n_maps(const struct vm_elf *);
struct vm_map *vm_elf_map(const struct vm_elf *, uint32_t index);
struct vm_map *vm_elf_map_by_name(const struct vm_elf *, const char *name);

struct vm_elf_prog {
    const char *name;           /* Of the function. */
    const char *section;
    const struct vm_insn *insns;
    uint32_t n_insns;
};

uint32_t vm_elf_n_progs(const struct vm_elf *);
struct vm_elf_prog vm_elf_prog(const struct vm_elf *, uint32_t index);

/* Loads program 'name' (NULL: the first) as 'template' says: type, verify,
 * backend.  The maps must have been made. */
int vm_elf_load_prog(struct vm_elf *, const char *name,
                     const struct vm_prog_attr *template,
                     struct vm_prog **, struct vm_err *);

/* Loads the programs that initial values of program arrays name, as
 * 'template' says, and puts them there.  vm_elf_unlink() takes them out. */
int vm_elf_link(struct vm_elf *, const struct vm_prog_attr *template,
                struct vm_err *);

/* Empties the object's program arrays.  Programs that call each other through
 * one are a cycle of references: call this when they shall not run again. */
void vm_elf_unlink(struct vm_elf *);

#endif /* vm/elf.h */
