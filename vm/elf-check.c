/* SPDX-License-Identifier: Apache-2.0 */

/* Is an object's structure sound?  libbpf trusts more of it than it should
 * (its authors say that it is no security boundary), so what it follows
 * blindly is looked at here first. */

#include "vm/elf-internal.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/insn.h"

#define EM_BPF_ 247

struct view {
    const uint8_t *image;
    size_t size;
    const Elf64_Ehdr *ehdr;
    const Elf64_Shdr *shdrs;
    uint32_t n;
};

static bool
inside(const struct view *v, uint64_t off, uint64_t size)
{
    return off <= v->size && size <= v->size - off;
}

static bool
is_string_table(const struct view *v, uint32_t index)
{
    const Elf64_Shdr *s = index < v->n ? &v->shdrs[index] : NULL;

    return (s && s->sh_type == SHT_STRTAB && s->sh_size
            && !v->image[s->sh_offset + s->sh_size - 1]);
}

/* Symbols: names, sections, and, for what has a place, that place. */
static const char *
check_symbols(const struct view *v, const Elf64_Shdr *s)
{
    const Elf64_Sym *syms = (const void *) (v->image + s->sh_offset);

    if (s->sh_entsize != sizeof *syms || s->sh_size % sizeof *syms
        || s->sh_offset % 8 || !is_string_table(v, s->sh_link)) {
        return "a symbol table is damaged";
    }
    for (uint64_t i = 0; i < s->sh_size / sizeof *syms; i++) {
        const Elf64_Sym *sym = &syms[i];

        if (sym->st_name >= v->shdrs[s->sh_link].sh_size) {
            return "a symbol's name is outside of its table";
        }
        if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= SHN_LORESERVE) {
            continue;
        }
        if (sym->st_shndx >= v->n) {
            return "a symbol is in a section that does not exist";
        }

        uint64_t size = v->shdrs[sym->st_shndx].sh_size;
        int type = ELF64_ST_TYPE(sym->st_info);
        if ((type == STT_FUNC || type == STT_OBJECT)
            && (sym->st_value > size || sym->st_size > size - sym->st_value
                || (type == STT_FUNC
                    && (sym->st_value | sym->st_size)
                       % sizeof(struct vm_insn)))) {
            return "a symbol is outside of its section";
        }
    }
    return NULL;
}

static const char *
check_relocations(const struct view *v, const Elf64_Shdr *s)
{
    const Elf64_Rel *rels = (const void *) (v->image + s->sh_offset);
    const Elf64_Shdr *symtab = s->sh_link < v->n ? &v->shdrs[s->sh_link]
                                                 : NULL;

    if (s->sh_entsize != sizeof *rels || s->sh_size % sizeof *rels
        || s->sh_offset % 8 || s->sh_info >= v->n || !symtab
        || symtab->sh_type != SHT_SYMTAB) {
        return "a table of relocations is damaged";
    }
    for (uint64_t i = 0; i < s->sh_size / sizeof *rels; i++) {
        uint64_t n_syms = symtab->sh_size / sizeof(Elf64_Sym);

        if (ELF64_R_SYM(rels[i].r_info) >= n_syms
            || rels[i].r_offset >= v->shdrs[s->sh_info].sh_size) {
            return "a relocation is outside of its section";
        }
    }
    return NULL;
}

/* -- Calls of local functions -- */

static const char *
section_name(const struct view *v, uint32_t i)
{
    return (const char *) v->image
           + v->shdrs[v->ehdr->e_shstrndx].sh_offset + v->shdrs[i].sh_name;
}

/* Functions lie in .text.  libbpf appends what a call leads to; a program
 * that calls itself, or another program, it would append to itself. */
static bool
is_function_place(const struct view *v, uint32_t section, uint64_t insn)
{
    const Elf64_Shdr *s = section < v->n ? &v->shdrs[section] : NULL;

    return s && s->sh_type == SHT_PROGBITS && s->sh_flags & SHF_EXECINSTR
           && insn < s->sh_size / sizeof(struct vm_insn)
           && !strcmp(section_name(v, section), ".text");
}

/* Puts into 'syms', for each instruction of section 'i', the symbol that it
 * is relocated with. */
static void
note_relocations(const struct view *v, uint32_t i, const Elf64_Sym **syms)
{
    for (uint32_t j = 0; j < v->n; j++) {
        const Elf64_Shdr *s = &v->shdrs[j];
        const Elf64_Rel *rels = (const void *) (v->image + s->sh_offset);

        if (s->sh_type != SHT_REL || s->sh_info != i) {
            continue;
        }

        const Elf64_Sym *table
            = (const void *) (v->image + v->shdrs[s->sh_link].sh_offset);
        for (uint64_t k = 0; k < s->sh_size / sizeof *rels; k++) {
            syms[rels[k].r_offset / sizeof(struct vm_insn)]
                = &table[ELF64_R_SYM(rels[k].r_info)];
        }
    }
}

/* 'functions': whether .text has functions, not the only program. */
static const char *
check_calls(const struct view *v, uint32_t i, bool functions)
{
    const Elf64_Shdr *s = &v->shdrs[i];
    uint64_t n = s->sh_size / sizeof(struct vm_insn);
    const Elf64_Sym **syms = calloc(n + 1, sizeof *syms);
    const char *wrong = NULL;

    if (!syms) {
        return "it is too large for the memory";
    }
    note_relocations(v, i, syms);
    for (uint64_t k = 0; k < n && !wrong; k++) {
        struct vm_insn insn;

        memcpy(&insn, v->image + s->sh_offset + k * sizeof insn,
               sizeof insn);
        if (insn.code != (VM_JMP | VM_CALL) || insn.src != VM_PSEUDO_CALL) {
            continue;
        }

        uint64_t from = syms[k] ? syms[k]->st_value / sizeof insn : k;
        if (!functions
            || !is_function_place(v, syms[k] ? syms[k]->st_shndx : i,
                                  from + 1 + (int64_t) insn.imm)) {
            wrong = "a call leads to something that is no local function";
        }
    }
    free(syms);
    return wrong;
}

/* Programs are functions outside of .text, if there are any there. */
static const char *
check_programs(const struct view *v)
{
    bool any = false;

    for (uint32_t i = 0; i < v->n; i++) {
        const Elf64_Shdr *s = &v->shdrs[i];

        any |= s->sh_type == SHT_PROGBITS && s->sh_flags & SHF_EXECINSTR
               && s->sh_size && strcmp(section_name(v, i), ".text");
    }
    for (uint32_t i = 0; i < v->n; i++) {
        const Elf64_Shdr *s = &v->shdrs[i];

        if (s->sh_type == SHT_PROGBITS && s->sh_flags & SHF_EXECINSTR) {
            const char *wrong = check_calls(v, i, any);

            if (wrong) {
                return wrong;
            }
        }
    }
    return NULL;
}

static const char *
check_section(const struct view *v, uint32_t i)
{
    const Elf64_Shdr *s = &v->shdrs[i];

    if (s->sh_name >= v->shdrs[v->ehdr->e_shstrndx].sh_size) {
        return "a section's name is outside of its table";
    }
    if (s->sh_type == SHT_PROGBITS && s->sh_flags & SHF_EXECINSTR
        && s->sh_size % sizeof(struct vm_insn)) {
        return "a section of programs is not whole instructions";
    }
    if (!strcmp(section_name(v, i), ".BTF")
        && (s->sh_type != SHT_PROGBITS || s->sh_offset % 4
            || !vm_elf_btf_ok(v->image + s->sh_offset, s->sh_size))) {
        return "its types (BTF) are damaged";
    }
    return (s->sh_type == SHT_SYMTAB ? check_symbols(v, s)
            : s->sh_type == SHT_REL ? check_relocations(v, s) : NULL);
}

const char *
vm_elf_check(const void *image, size_t size)
{
    struct view v = { .image = image, .size = size, .ehdr = image };

    if (size < sizeof *v.ehdr
        || memcmp(v.ehdr->e_ident, ELFMAG, SELFMAG)) {
        return "it is no ELF file";
    }
    if (v.ehdr->e_ident[EI_CLASS] != ELFCLASS64
        || v.ehdr->e_ident[EI_DATA] != ELFDATA2LSB
        || v.ehdr->e_machine != EM_BPF_ || v.ehdr->e_type != ET_REL) {
        return "it is not for little-endian eBPF";
    }
    v.n = v.ehdr->e_shnum;
    if (v.ehdr->e_shentsize != sizeof *v.shdrs || v.ehdr->e_shoff % 8
        || !inside(&v, v.ehdr->e_shoff, (uint64_t) v.n * sizeof *v.shdrs)) {
        return "its table of sections is damaged or cut off";
    }
    v.shdrs = (const void *) (v.image + v.ehdr->e_shoff);
    for (uint32_t i = 0; i < v.n; i++) {
        const Elf64_Shdr *s = &v.shdrs[i];

        if (s->sh_type != SHT_NOBITS && s->sh_type != SHT_NULL
            && !inside(&v, s->sh_offset, s->sh_size)) {
            return "a section is damaged or cut off";
        }
        if (s->sh_type == SHT_NOBITS && s->sh_size > 64u << 20) {
            return "a section is too large";
        }
    }
    if (!is_string_table(&v, v.ehdr->e_shstrndx)) {
        return "its table of section names is damaged";
    }
    for (uint32_t i = 0; i < v.n; i++) {
        const char *wrong = check_section(&v, i);

        if (wrong) {
            return wrong;
        }
    }
    return check_programs(&v);
}
