/* SPDX-License-Identifier: Apache-2.0 */

/* Lines of source of a program's instructions, from the section .BTF.ext.
 *
 * Its records count in the sections of the object; a finished program is the
 * main function followed by the local ones that it calls, in the order in
 * which libbpf met them.  Where each came from follows from the calls: what
 * a call leads to in the program is what it (or its relocation) names in the
 * object.  vm_elf_check() has looked at the object's structure; of .BTF.ext
 * nothing is trusted here.
 *
 * Source: Linux's Documentation/bpf/btf.rst, "BTF.ext section". */

#include "vm/elf-internal.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FUNCTIONS 256
#define MAX_TEXT 160

/* The parts of an object that this file needs. */
struct view {
    const uint8_t *image;
    const Elf64_Shdr *shdrs;
    uint32_t n_shdrs;
    const char *names;          /* Of sections. */
    const Elf64_Sym *syms;
    uint32_t n_syms;
    const char *sym_names;
    const char *strings;        /* Of .BTF. */
    uint32_t strings_size;
    const uint8_t *lines;       /* .BTF.ext's line information. */
    uint32_t lines_size, record_size;
};

struct record {
    uint32_t insn_off, file, line, line_col;
};

/* A function of the finished program and where it comes from. */
struct function {
    uint32_t start;             /* In the program. */
    uint32_t section, off;      /* In the object; in instructions. */
    uint32_t n;                 /* Instructions. */
};

struct lines {
    struct view v;
    const struct vm_insn *insns;
    uint32_t n_insns;
    struct function functions[MAX_FUNCTIONS];
    uint32_t n_functions;
    struct vm_note *notes;
    uint32_t n_notes, allocated;
};

/* -- The object -- */

static void
find_btf(struct view *v, const Elf64_Shdr *s)
{
    const uint8_t *p = v->image + s->sh_offset;
    uint32_t h[6];              /* magic to str_len. */

    if (s->sh_size >= sizeof h) {
        memcpy(h, p, sizeof h); /* vm_elf_btf_ok() has checked them. */
        v->strings = (const char *) p + h[1] + h[4];
        v->strings_size = h[5];
    }
}

static void
find_lines(struct view *v, const Elf64_Shdr *s)
{
    const uint8_t *p = v->image + s->sh_offset;
    uint32_t h[6];              /* magic, hdr_len, two tables. */

    if (s->sh_size < sizeof h) {
        return;
    }
    memcpy(h, p, sizeof h);
    if ((h[0] & 0xffff) != 0xeb9f || h[1] > s->sh_size
        || h[4] > s->sh_size - h[1] || h[5] > s->sh_size - h[1] - h[4]
        || h[5] < 4) {
        return;
    }
    p += h[1] + h[4];
    memcpy(&v->record_size, p, 4);
    if (v->record_size >= sizeof(struct record)) {
        v->lines = p + 4;
        v->lines_size = h[5] - 4;
    }
}

static bool
view_object(struct view *v, const struct vm_elf *elf)
{
    const Elf64_Ehdr *ehdr = elf->image;

    memset(v, 0, sizeof *v);
    v->image = elf->image;
    v->shdrs = (const void *) (v->image + ehdr->e_shoff);
    v->n_shdrs = ehdr->e_shnum;
    v->names = (const char *) v->image
               + v->shdrs[ehdr->e_shstrndx].sh_offset;
    for (uint32_t i = 0; i < v->n_shdrs; i++) {
        const Elf64_Shdr *s = &v->shdrs[i];
        const char *name = v->names + s->sh_name;

        if (s->sh_type == SHT_SYMTAB) {
            v->syms = (const void *) (v->image + s->sh_offset);
            v->n_syms = s->sh_size / sizeof *v->syms;
            v->sym_names = (const char *) v->image
                           + v->shdrs[s->sh_link].sh_offset;
        } else if (s->sh_type == SHT_PROGBITS && !strcmp(name, ".BTF")) {
            find_btf(v, s);
        } else if (s->sh_type == SHT_PROGBITS && !strcmp(name, ".BTF.ext")) {
            find_lines(v, s);
        }
    }
    return v->syms && v->strings && v->lines;
}

static const char *
string(const struct view *v, uint32_t off)
{
    return off < v->strings_size ? v->strings + off : "";
}

/* The function at 'off' of 'section', or, with 'name', of that name; null if
 * there is none. */
static const Elf64_Sym *
find_function(const struct view *v, const char *name, uint32_t section,
              uint64_t off)
{
    for (uint32_t i = 0; i < v->n_syms; i++) {
        const Elf64_Sym *s = &v->syms[i];

        if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx < v->n_shdrs
            && (name ? !strcmp(v->sym_names + s->st_name, name)
                : s->st_shndx == section
                  && s->st_value == off * sizeof(struct vm_insn))) {
            return s;
        }
    }
    return NULL;
}

/* The symbol that the instruction at byte 'off' of 'section' refers to, or
 * null. */
static const Elf64_Sym *
find_relocation(const struct view *v, uint32_t section, uint64_t off)
{
    for (uint32_t i = 0; i < v->n_shdrs; i++) {
        const Elf64_Shdr *s = &v->shdrs[i];
        const Elf64_Rel *rel = (const void *) (v->image + s->sh_offset);

        if (s->sh_type != SHT_REL || s->sh_info != section) {
            continue;
        }
        for (uint64_t j = 0; j < s->sh_size / sizeof *rel; j++) {
            if (rel[j].r_offset == off
                && ELF64_R_SYM(rel[j].r_info) < v->n_syms) {
                return &v->syms[ELF64_R_SYM(rel[j].r_info)];
            }
        }
    }
    return NULL;
}

/* -- Functions of the program -- */

static bool
add_function(struct lines *l, uint32_t start, const Elf64_Sym *sym)
{
    uint32_t n = sym ? sym->st_size / sizeof(struct vm_insn) : 0;

    for (uint32_t i = 0; i < l->n_functions; i++) {
        if (l->functions[i].start == start) {
            return true;
        }
    }
    if (!n || start >= l->n_insns || n > l->n_insns - start
        || l->n_functions == MAX_FUNCTIONS
        || l->v.shdrs[sym->st_shndx].sh_type != SHT_PROGBITS) {
        return false;
    }
    l->functions[l->n_functions++] = (struct function) {
        start, sym->st_shndx, sym->st_value / sizeof(struct vm_insn), n
    };
    return true;
}

/* What the calls of function 'f' lead to. */
static bool
follow_calls(struct lines *l, const struct function *f)
{
    const struct view *v = &l->v;
    const struct vm_insn *code
        = (const void *) (v->image + v->shdrs[f->section].sh_offset);

    for (uint32_t i = 0; i < f->n; i++) {
        const struct vm_insn *insn = &l->insns[f->start + i];
        uint32_t off = f->off + i;

        if (insn->code != (VM_JMP | VM_CALL) || insn->src != VM_PSEUDO_CALL) {
            continue;
        }

        const Elf64_Sym *sym = find_relocation(v, f->section,
                                               off * sizeof *insn);
        struct vm_insn original;
        memcpy(&original, &code[off], sizeof original);
        int64_t target = (sym ? sym->st_value / sizeof *insn : off)
                         + (int64_t) original.imm + 1;
        sym = find_function(v, NULL, sym ? sym->st_shndx : f->section,
                            target);
        if (!add_function(l, f->start + i + 1 + insn->imm, sym)) {
            return false;
        }
    }
    return true;
}

/* -- Records -- */

/* The records of 'section'; '*n' of them. */
static const uint8_t *
find_records(const struct view *v, uint32_t section, uint32_t *n)
{
    const char *name = v->names + v->shdrs[section].sh_name;

    for (uint32_t off = 0; v->lines_size - off >= 8;) {
        uint32_t head[2];       /* Name, number of records. */

        memcpy(head, v->lines + off, sizeof head);
        off += sizeof head;
        if (head[1] > (v->lines_size - off) / v->record_size) {
            break;
        }
        if (!strcmp(string(v, head[0]), name)) {
            *n = head[1];
            return v->lines + off;
        }
        off += head[1] * v->record_size;
    }
    *n = 0;
    return NULL;
}

/* "xdp.c:12: return *p;" */
static char *
describe(const struct view *v, const struct record *r)
{
    const char *file = string(v, r->file), *slash = strrchr(file, '/');
    const char *line = string(v, r->line);
    char text[MAX_TEXT];

    line += strspn(line, " \t");
    snprintf(text, sizeof text, "%s:%u%s%s", slash ? slash + 1 : file,
             r->line_col >> 10, *line ? ": " : "", line);
    return strdup(text);
}

static bool
add_note(struct lines *l, uint32_t start, uint32_t end,
         const struct record *r)
{
    if (l->n_notes == l->allocated) {
        uint32_t n = l->allocated ? 2 * l->allocated : 64;
        struct vm_note *p = realloc(l->notes, n * sizeof *p);

        if (!p) {
            return false;
        }
        l->notes = p;
        l->allocated = n;
    }
    char *text = describe(&l->v, r);
    if (text) {
        l->notes[l->n_notes++] = (struct vm_note) { start, end, text };
    }
    return text != NULL;
}

static bool
note_function(struct lines *l, const struct function *f)
{
    uint32_t n, first = f->off, last = f->off + f->n;
    const uint8_t *p = find_records(&l->v, f->section, &n);

    for (uint32_t i = 0; i < n; i++, p += l->v.record_size) {
        struct record r, next = { .insn_off = UINT32_MAX };

        memcpy(&r, p, sizeof r);
        if (i + 1 < n) {
            memcpy(&next, p + l->v.record_size, sizeof next);
        }
        uint32_t start = r.insn_off / sizeof(struct vm_insn);
        uint32_t end = next.insn_off / sizeof(struct vm_insn);

        end = end > last ? last : end;
        if (start >= first && start < end
            && !add_note(l, f->start + start - first, f->start + end - first,
                         &r)) {
            return false;
        }
    }
    return true;
}

/* -- All of it -- */

void
vm_elf_free_lines(struct vm_note *notes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free((char *) notes[i].text);
    }
    free(notes);
}

struct vm_note *
vm_elf_lines(const struct vm_elf *elf, const struct vm_elf_prog *p,
             uint32_t *n)
{
    struct lines *l = calloc(1, sizeof *l);
    struct vm_note *notes = NULL;

    *n = 0;
    if (!l || !view_object(&l->v, elf)) {
        free(l);
        return NULL;
    }
    l->insns = p->insns;
    l->n_insns = p->n_insns;

    bool ok = add_function(l, 0, find_function(&l->v, p->name, 0, 0));
    for (uint32_t i = 0; ok && i < l->n_functions; i++) {
        ok = follow_calls(l, &l->functions[i])
             && note_function(l, &l->functions[i]);
    }
    if (ok) {
        notes = l->notes;
        *n = l->n_notes;
    } else {
        /* Lines that might be wrong are worse than none. */
        vm_elf_free_lines(l->notes, l->n_notes);
    }
    free(l);
    return notes;
}
