/* SPDX-License-Identifier: Apache-2.0 */

/* Initial values of maps that hold maps or programs.
 *
 * In the source they are `.values = { &inner, ... }` or `{ (void *) &prog }`;
 * clang makes relocations of the section .maps of them.  A map's variable
 * ends with the array 'values', so element i of the map that lies at 'start'
 * is the pointer at start + offset of 'values' + 8 * i.  BTF tells that
 * offset. */

#include "vm/elf-internal.h"

#include <errno.h>
#include <gelf.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "vm/map.h"
#include "vm/maps/array.h"
#include "vm/maps/of_maps.h"

struct object {
    struct vm_elf *elf;
    Elf *file;
    Elf_Data *symbols;
    size_t n_symbols;
    size_t strings;             /* Section of the symbols' names. */
    size_t maps_section;
    const struct vm_prog_attr *template;
    struct vm_err *err;
};

static const char *
symbol(const struct object *o, size_t index, GElf_Sym *sym)
{
    const char *name = (index < o->n_symbols
                        && gelf_getsym(o->symbols, index, sym)
                        ? elf_strptr(o->file, o->strings, sym->st_name)
                        : NULL);

    return name ? name : "";
}

/* Offset of member 'values' in the variable of map 'name', or -1. */
static int64_t
values_offset(const struct object *o, const char *name)
{
    const struct btf *btf = bpf_object__btf(o->elf->obj);
    int id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_VAR) : -1;
    const struct btf_type *t = id >= 0 ? btf__type_by_id(btf, id) : NULL;

    t = t ? btf__type_by_id(btf, btf__resolve_type(btf, t->type)) : NULL;
    if (!t || !btf_is_struct(t)) {
        return -1;
    }
    for (int i = 0; i < btf_vlen(t); i++) {
        if (!strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off),
                    "values")) {
            return btf_member_bit_offset(t, i) / 8;
        }
    }
    return -1;
}

/* The map whose variable in .maps covers 'off', and which element that is;
 * NULL if there is none. */
static struct vm_map *
find_element(const struct object *o, uint64_t off, uint32_t *index)
{
    GElf_Sym sym;

    for (size_t i = 0; i < o->n_symbols; i++) {
        const char *name = symbol(o, i, &sym);
        struct vm_map *map;

        if (sym.st_shndx != o->maps_section
            || GELF_ST_TYPE(sym.st_info) != STT_OBJECT
            || off < sym.st_value || off - sym.st_value >= sym.st_size) {
            continue;
        }
        map = vm_elf_map_by_name(o->elf, name);
        int64_t values = map ? values_offset(o, name) : -1;
        if (values < 0 || off < sym.st_value + values) {
            return NULL;
        }
        *index = (off - sym.st_value - values) / 8;
        return map;
    }
    return NULL;
}

/* One relocation: element 'index' of 'map' is what symbol 'name' names. */
static int
init_element(const struct object *o, struct vm_map *map, uint32_t index,
             const char *name)
{
    struct vm_prog *prog;
    int error;

    if (map->ops->caps & VM_MAP_CAP_OF_MAPS) {
        struct vm_map *inner = vm_elf_map_by_name(o->elf, name);

        if (o->template) {
            return 0;
        }
        error = inner ? vm_map_set_inner(map, &index, inner) : -ENOENT;
        return error ? vm_err(o->err, error, "%s: %s cannot be element %u of "
                              "map %s", o->elf->name, name, index, map->name)
                     : 0;
    }
    if (!(map->ops->caps & VM_MAP_CAP_TAIL_CALL) || !o->template) {
        return 0;
    }
    error = vm_elf_load_prog(o->elf, name, o->template, &prog, o->err);
    if (error) {
        return error;
    }
    error = vm_prog_array_set(map, index, prog);
    vm_prog_unref(prog);
    return error ? vm_err(o->err, error, "%s: program %s cannot be element "
                          "%u of map %s", o->elf->name, name, index,
                          map->name)
                 : 0;
}

static int
apply_relocations(const struct object *o, Elf_Scn *scn, size_t n)
{
    Elf_Data *data = elf_getdata(scn, NULL);

    for (size_t i = 0; data && i < n; i++) {
        GElf_Sym sym;
        GElf_Rel rel;
        uint32_t index;

        if (!gelf_getrel(data, i, &rel)) {
            break;
        }

        struct vm_map *map = find_element(o, rel.r_offset, &index);
        const char *name = symbol(o, GELF_R_SYM(rel.r_info), &sym);
        int error = map && *name ? init_element(o, map, index, name) : 0;
        if (error) {
            return error;
        }
    }
    return 0;
}

/* Finds the symbols and the section .maps. */
static bool
find_sections(struct object *o)
{
    size_t names;
    Elf_Scn *scn = NULL;

    if (elf_getshdrstrndx(o->file, &names)) {
        return false;
    }
    while ((scn = elf_nextscn(o->file, scn))) {
        GElf_Shdr shdr;
        const char *name;

        if (!gelf_getshdr(scn, &shdr)) {
            return false;
        }
        name = elf_strptr(o->file, names, shdr.sh_name);
        if (shdr.sh_type == SHT_SYMTAB && shdr.sh_entsize) {
            o->symbols = elf_getdata(scn, NULL);
            o->n_symbols = shdr.sh_size / shdr.sh_entsize;
            o->strings = shdr.sh_link;
        } else if (name && !strcmp(name, ".maps")) {
            o->maps_section = elf_ndxscn(scn);
        }
    }
    return o->symbols && o->maps_section;
}

int
vm_elf_init_maps(struct vm_elf *elf, const struct vm_prog_attr *template,
                 struct vm_err *err)
{
    struct object o = { .elf = elf, .template = template, .err = err };
    Elf_Scn *scn = NULL;
    int error = 0;

    elf_version(EV_CURRENT);
    o.file = elf_memory(elf->image, elf->size);
    if (!o.file || !find_sections(&o)) {
        elf_end(o.file);
        return 0;               /* No maps, no values. */
    }
    while (!error && (scn = elf_nextscn(o.file, scn))) {
        GElf_Shdr shdr;

        if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_REL
            && shdr.sh_info == o.maps_section && shdr.sh_entsize) {
            error = apply_relocations(&o, scn,
                                      shdr.sh_size / shdr.sh_entsize);
        }
    }
    elf_end(o.file);
    return error;
}
