/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "vm/elf-internal.h"
#include "vm/map.h"
#include "vm/maps/array.h"

/* The last warning of libbpf, which says more than its error numbers. */
static char last_warning[256];

static int
keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
    if (level == LIBBPF_WARN && !last_warning[0]) {
        vsnprintf(last_warning, sizeof last_warning, format, args);
        last_warning[strcspn(last_warning, "\n")] = '\0';
        if (!strncmp(last_warning, "libbpf: ", 8)) {
            memmove(last_warning, last_warning + 8,
                    strlen(last_warning + 8) + 1);
        }
    }
    return 0;
}

static int
libbpf_failed(const struct vm_elf *elf, int error, const char *what,
              struct vm_err *err)
{
    return vm_err(err, error < 0 ? error : -EINVAL, "%s: %s: %s", elf->name,
                  what, last_warning[0] ? last_warning : strerror(-error));
}

/* libbpf 1.1 takes 0 for the descriptor of each map that was only recorded
 * (bpf_object__gen_loader), and closes it. */
static int
keep_standard_input(void)
{
    return fcntl(0, F_DUPFD_CLOEXEC, 3);
}

static void
restore_standard_input(int kept)
{
    if (kept >= 0) {
        dup2(kept, 0);
        close(kept);
    }
}

/* libbpf's whole pipeline, without a system call: "gen_loader" only records
 * what it would ask of the kernel. */
static int
link_object(struct vm_elf *elf, struct vm_err *err)
{
    struct gen_loader_opts gen = { .sz = sizeof gen };
    struct bpf_program *prog;
    struct bpf_map *map;
    int error;

    bpf_object__for_each_map(map, elf->obj) {
        bpf_map__set_pin_path(map, NULL);
    }
    bpf_object__for_each_program(prog, elf->obj) {
        if (bpf_program__type(prog) == BPF_PROG_TYPE_UNSPEC) {
            bpf_program__set_type(prog, BPF_PROG_TYPE_XDP);
        }
    }
    error = bpf_object__gen_loader(elf->obj, &gen);
    if (!error) {
        int standard_input = keep_standard_input();

        error = bpf_object__load(elf->obj);
        restore_standard_input(standard_input);
    }
    /* The last step is initial values of program arrays, which "gen_loader"
     * cannot do; all instructions are finished then.  elf-init.c does it. */
    if (error == -ENOTSUP && strstr(last_warning, "failed to load object")) {
        bpf_object__for_each_map(map, elf->obj) {
            if (bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY) {
                return 0;
            }
        }
    }
    return error ? libbpf_failed(elf, error, "cannot be linked", err) : 0;
}

int
vm_elf_open(const void *image, size_t size, const char *name,
            struct vm_elf **elfp, struct vm_err *err)
{
    struct bpf_object_open_opts opts = {
        .sz = sizeof opts,
        .object_name = "bvs",
    };
    struct vm_elf *elf = calloc(1, sizeof *elf);

    *elfp = NULL;
    if (!elf || !(elf->name = strdup(name))
        || !(elf->image = malloc(size + 1))) {
        vm_elf_close(elf);
        return vm_err(err, -ENOMEM, "%s: no memory", name);
    }
    memcpy(elf->image, image, size);
    elf->size = size;

    const char *wrong = vm_elf_check(elf->image, size);
    if (wrong) {
        vm_elf_close(elf);
        return vm_err(err, -EINVAL, "%s: not an object with eBPF programs: "
                      "%s", name, wrong);
    }

    last_warning[0] = '\0';
    libbpf_set_print(keep_warning);
    elf->obj = bpf_object__open_mem(elf->image, size, &opts);
    int error = libbpf_get_error(elf->obj);
    if (error) {
        elf->obj = NULL;
        error = libbpf_failed(elf, error, "not an object with eBPF programs",
                              err);
    }
    if (error) {
        vm_elf_close(elf);
        return error;
    }
    *elfp = elf;
    return 0;
}

int
vm_elf_open_file(const char *path, struct vm_elf **elfp, struct vm_err *err)
{
    FILE *f = fopen(path, "rb");
    char *image = NULL;
    size_t size = 0, allocated = 0;

    *elfp = NULL;
    if (!f) {
        return vm_err(err, -errno, "%s: %s", path, strerror(errno));
    }
    while (!feof(f) && !ferror(f)) {
        if (size == allocated) {
            char *p = realloc(image, allocated = allocated * 2 + 65536);

            if (!p) {
                break;
            }
            image = p;
        }
        size += fread(image + size, 1, allocated - size, f);
    }

    int error = (!feof(f) ? vm_err(err, -EIO, "%s: cannot be read", path)
                 : vm_elf_open(image, size, path, elfp, err));
    fclose(f);
    free(image);
    return error;
}

void
vm_elf_close(struct vm_elf *elf)
{
    if (!elf) {
        return;
    }
    for (uint32_t i = 0; i < elf->n_maps; i++) {
        vm_map_unref(elf->maps[i]);
    }
    free(elf->maps);
    int standard_input = keep_standard_input();
    bpf_object__close(elf->obj);
    restore_standard_input(standard_input);
    free(elf->image);
    free(elf->name);
    free(elf);
}

/* Variables. */

struct var {
    uint8_t *data;              /* In libbpf's copy of the section. */
    uint32_t size;
};

static bool
find_var(const struct vm_elf *elf, const char *name, struct var *var)
{
    const struct btf *btf = bpf_object__btf(elf->obj);
    struct bpf_map *map;

    bpf_object__for_each_map(map, elf->obj) {
        size_t size;
        uint8_t *data = (uint8_t *) bpf_map__initial_value(map, &size);
        const struct btf_type *sec
            = (data && btf
               ? btf__type_by_id(btf, bpf_map__btf_value_type_id(map))
               : NULL);

        if (!sec || !btf_is_datasec(sec)) {
            continue;
        }
        for (int i = 0; i < btf_vlen(sec); i++) {
            const struct btf_var_secinfo *info = btf_var_secinfos(sec) + i;
            const struct btf_type *t = btf__type_by_id(btf, info->type);

            if (t && !strcmp(btf__name_by_offset(btf, t->name_off), name)
                && info->offset <= size && info->size <= size - info->offset) {
                *var = (struct var) { data + info->offset, info->size };
                return true;
            }
        }
    }
    return false;
}

int
vm_elf_set_var(struct vm_elf *elf, const char *name, const void *value,
               size_t size, struct vm_err *err)
{
    struct var var;

    if (!find_var(elf, name, &var)) {
        return vm_err(err, -ENOENT, "%s: there is no variable %s", elf->name,
                      name);
    }
    if (var.size != size) {
        return vm_err(err, -EINVAL, "%s: variable %s has %u bytes, not %zu",
                      elf->name, name, var.size, size);
    }
    memcpy(var.data, value, size);
    return 0;
}

int
vm_elf_set_var_text(struct vm_elf *elf, const char *name, const char *text,
                    struct vm_err *err)
{
    struct var var;
    char *end;

    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (end == text || *end || errno) {
        return vm_err(err, -EINVAL, "'%s', the value of variable %s, is not "
                      "a number", text, name);
    }
    if (!find_var(elf, name, &var)) {
        return vm_err(err, -ENOENT, "%s: there is no variable %s", elf->name,
                      name);
    }
    if (var.size > 8) {
        return vm_err(err, -EINVAL, "%s: variable %s is not a number",
                      elf->name, name);
    }
    memcpy(var.data, &value, var.size);
    return 0;
}

/* Maps. */

int
vm_elf_set_max_entries(struct vm_elf *elf, const char *name, uint32_t n,
                       struct vm_err *err)
{
    struct bpf_map *map = bpf_object__find_map_by_name(elf->obj, name);

    if (!map) {
        return vm_err(err, -ENOENT, "%s: there is no map %s", elf->name,
                      name);
    }
    return bpf_map__set_max_entries(map, n)
           ? vm_err(err, -EINVAL, "%s: map %s cannot have %u entries",
                    elf->name, name, n)
           : 0;
}

static int
make_map(const struct vm_elf *elf, const struct bpf_map *from,
         struct vm_map *inner, struct vm_map **mapp, struct vm_err *err)
{
    struct vm_map_attr attr = {
        .kind = (enum vm_map_kind) bpf_map__type(from),
        .key_size = bpf_map__key_size(from),
        .value_size = bpf_map__value_size(from),
        .max_entries = bpf_map__max_entries(from),
        .flags = bpf_map__map_flags(from),
        .name = bpf_map__name(from),
        .inner = inner,
    };

    *mapp = NULL;
    if (!vm_map_ops_by_number(attr.kind)) {
        return vm_err(err, -ENOTSUP, "%s: map %s is of a kind that does not "
                      "exist here, %s", elf->name, attr.name,
                      libbpf_bpf_map_type_str(bpf_map__type(from)));
    }
    if (attr.kind == VM_MAP_perf_event_array && !attr.max_entries) {
        attr.max_entries = vm_n_cpus;
    }
    return vm_map_create(&attr, mapp, err);
}

static int
fill_map(const struct vm_elf *elf, struct bpf_map *from, struct vm_map *map,
         struct vm_err *err)
{
    size_t size;
    const void *value = bpf_map__initial_value(from, &size);
    uint32_t key = 0;

    if (!value) {
        return 0;
    }
    if (size != map->value_size || vm_map_write(map, &key, value, VM_ANY)) {
        return vm_err(err, -EINVAL, "%s: the contents of section map %s do "
                      "not fit into it", elf->name, map->name);
    }
    if (map->flags & VM_MF_RDONLY_PROG) {
        vm_map_freeze(map);     /* .rodata: nobody writes it any more. */
    }
    return 0;
}

/* Templates of inner maps, by the outer one's index: libbpf forgets them when
 * it links. */
static int
make_templates(const struct vm_elf *elf, struct vm_map **templates,
               struct vm_err *err)
{
    struct bpf_map *map;
    uint32_t i = 0;
    int error = 0;

    bpf_object__for_each_map(map, elf->obj) {
        const struct bpf_map *inner = bpf_map__inner_map(map);

        if (inner && !error) {
            error = make_map(elf, inner, NULL, &templates[i], err);
        }
        i++;
    }
    return error;
}

static int
make_all(struct vm_elf *elf, struct vm_map **templates, struct vm_err *err)
{
    struct bpf_map *from;
    int error = make_templates(elf, templates, err);

    if (!error) {
        error = link_object(elf, err);
    }
    bpf_object__for_each_map(from, elf->obj) {
        uint32_t i = elf->n_maps;

        if (!error) {
            error = make_map(elf, from, templates[i], &elf->maps[i], err);
        }
        if (!error) {
            elf->n_maps++;
            error = fill_map(elf, from, elf->maps[i], err);
        }
    }
    return error ? error : vm_elf_init_maps(elf, NULL, err);
}

int
vm_elf_make_maps(struct vm_elf *elf, struct vm_err *err)
{
    struct vm_map **templates;
    struct bpf_map *map;
    uint32_t n = 0;
    int error;

    last_warning[0] = '\0';
    libbpf_set_print(keep_warning);
    bpf_object__for_each_map(map, elf->obj) {
        n++;
    }
    elf->maps = calloc(n + 1, sizeof *elf->maps);
    templates = calloc(n + 1, sizeof *templates);
    error = (elf->maps && templates ? make_all(elf, templates, err)
             : vm_err(err, -ENOMEM, "%s: no memory", elf->name));
    for (uint32_t i = 0; templates && i < n; i++) {
        vm_map_unref(templates[i]);
    }
    free(templates);
    return error;
}

uint32_t
vm_elf_n_maps(const struct vm_elf *elf)
{
    return elf->n_maps;
}

struct vm_map *
vm_elf_map(const struct vm_elf *elf, uint32_t index)
{
    return index < elf->n_maps ? elf->maps[index] : NULL;
}

struct vm_map *
vm_elf_map_by_name(const struct vm_elf *elf, const char *name)
{
    for (uint32_t i = 0; i < elf->n_maps; i++) {
        if (!strcmp(elf->maps[i]->name, name)) {
            return elf->maps[i];
        }
    }
    return NULL;
}

/* Programs. */

uint32_t
vm_elf_n_progs(const struct vm_elf *elf)
{
    struct bpf_program *prog;
    uint32_t n = 0;

    bpf_object__for_each_program(prog, elf->obj) {
        n++;
    }
    return n;
}

static struct vm_elf_prog
describe(const struct bpf_program *prog)
{
    return (struct vm_elf_prog) {
        .name = bpf_program__name(prog),
        .section = bpf_program__section_name(prog),
        .insns = (const struct vm_insn *) bpf_program__insns(prog),
        .n_insns = bpf_program__insn_cnt(prog),
    };
}

struct vm_elf_prog
vm_elf_prog(const struct vm_elf *elf, uint32_t index)
{
    struct bpf_program *prog;

    bpf_object__for_each_program(prog, elf->obj) {
        if (!index--) {
            return describe(prog);
        }
    }
    return (struct vm_elf_prog) { .name = NULL };
}

/* Copies the instructions of 'p', with the maps that they use numbered anew:
 * a program should not keep maps alive that it has no use for. */
static int
use_maps(const struct vm_elf *elf, const struct vm_elf_prog *p,
         struct vm_insn *insns, struct vm_map **maps, uint32_t *n_maps)
{
    memcpy(insns, p->insns, p->n_insns * sizeof *insns);
    for (uint32_t pc = 0; pc < p->n_insns; pc += vm_insn_slots(&insns[pc])) {
        struct vm_insn *insn = &insns[pc];
        uint32_t i = 0;

        if (insn->code != VM_LDDW
            || (insn->src != VM_PSEUDO_MAP_IDX
                && insn->src != VM_PSEUDO_MAP_IDX_VALUE)) {
            continue;
        }
        if ((uint32_t) insn->imm >= elf->n_maps) {
            return -EINVAL;
        }
        while (i < *n_maps && maps[i] != elf->maps[insn->imm]) {
            i++;
        }
        if (i == *n_maps) {
            maps[(*n_maps)++] = elf->maps[insn->imm];
        }
        insn->imm = i;
    }
    return 0;
}

static int
load_prog(const struct vm_elf *elf, const struct vm_elf_prog *p,
          const struct vm_prog_attr *template, struct vm_prog **progp,
          struct vm_err *err)
{
    struct vm_insn *insns = calloc(p->n_insns + 1, sizeof *insns);
    struct vm_map **maps = calloc(elf->n_maps + 1, sizeof *maps);
    struct vm_prog_attr attr = *template;
    struct vm_note *notes = vm_elf_lines(elf, p, &attr.n_notes);
    int error;

    attr.name = p->name;
    attr.insns = insns;
    attr.n_insns = p->n_insns;
    attr.maps = maps;
    attr.n_maps = 0;
    attr.notes = notes;
    if (!insns || !maps) {
        error = vm_err(err, -ENOMEM, "%s: no memory", elf->name);
    } else if (use_maps(elf, p, insns, maps, &attr.n_maps)) {
        error = vm_err(err, -EINVAL, "%s: program %s uses a map that does "
                       "not exist", elf->name, p->name);
    } else {
        error = vm_prog_load(&attr, progp, err);
    }
    vm_elf_free_lines(notes, attr.n_notes);
    free(insns);
    free(maps);
    return error;
}

int
vm_elf_load_prog(struct vm_elf *elf, const char *name,
                 const struct vm_prog_attr *template, struct vm_prog **progp,
                 struct vm_err *err)
{
    struct bpf_program *prog;

    *progp = NULL;
    bpf_object__for_each_program(prog, elf->obj) {
        struct vm_elf_prog p = describe(prog);

        if (!name || !strcmp(name, p.name)) {
            return load_prog(elf, &p, template, progp, err);
        }
    }
    return vm_err(err, -ENOENT, name ? "%s: there is no program %s"
                  : "%s: there are no programs", elf->name, name);
}

int
vm_elf_link(struct vm_elf *elf, const struct vm_prog_attr *template,
            struct vm_err *err)
{
    return vm_elf_init_maps(elf, template, err);
}

void
vm_elf_unlink(struct vm_elf *elf)
{
    for (uint32_t i = 0; i < elf->n_maps; i++) {
        if (elf->maps[i]->ops == &vm_map_ops_prog_array) {
            vm_prog_array_clear(elf->maps[i]);
        }
    }
}
