/* SPDX-License-Identifier: Apache-2.0 */

/* Is an object's structure sound?  libbpf trusts more of it than it should
 * (its authors say that it is no security boundary), so what it follows
 * blindly is looked at here first. */

#include "vm/elf-internal.h"

#include <elf.h>
#include <errno.h>
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
    const char *names
        = (const char *) v->image + v->shdrs[v->ehdr->e_shstrndx].sh_offset;
    if (!strcmp(names + s->sh_name, ".BTF")
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
        if (s->sh_type == SHT_NOBITS && s->sh_size > UINT32_MAX) {
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
    return NULL;
}
