/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/prog.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vm/map.h"
#include "vm/prog-internal.h"

_Thread_local struct vm_fault vm_fault;

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static void
prog_free(void *prog_)
{
    struct vm_prog *prog = prog_;

    if (prog->backend) {
        prog->backend->free(prog);
    }
    for (uint32_t i = 0; i < prog->n_maps; i++) {
        vm_map_unref(prog->maps[i]);
    }
    for (uint32_t i = 0; i < prog->n_notes; i++) {
        free((char *) prog->notes[i].text);
    }
    free((void *) prog->notes);
    free((void *) prog->maps);
    free((void *) prog->insns);
    if (prog->ops_checked != prog->ops) {
        free((void *) prog->ops_checked);
    }
    free((void *) prog->ops);
    free(prog->subprogs);
    free(prog->aux);
    free(prog);
}

/* Copies what 'attr' borrows. */
static int
copy_attr(struct vm_prog *prog, const struct vm_prog_attr *attr)
{
    struct vm_insn *insns = calloc(attr->n_insns, sizeof *insns);
    struct vm_map **maps = calloc(attr->n_maps + 1, sizeof *maps);
    struct vm_note *notes = calloc(attr->n_notes + 1, sizeof *notes);

    prog->insns = insns;
    prog->maps = maps;
    prog->notes = notes;
    if (!insns || !maps || !notes) {
        return -ENOMEM;
    }

    memcpy(insns, attr->insns, attr->n_insns * sizeof *insns);
    prog->n_insns = attr->n_insns;
    for (uint32_t i = 0; i < attr->n_maps; i++) {
        maps[i] = vm_map_ref(attr->maps[i]);
        prog->n_maps++;
    }
    for (uint32_t i = 0; i < attr->n_notes; i++) {
        notes[i] = attr->notes[i];
        notes[i].text = strdup(attr->notes[i].text);
        if (!notes[i].text) {
            return -ENOMEM;
        }
        prog->n_notes++;
    }
    prog->aux = calloc(attr->n_insns, sizeof *prog->aux);
    prog->memory = (sizeof *prog + attr->n_maps * sizeof *maps
                    + attr->n_notes * sizeof *notes + attr->n_insns
                    * (sizeof *insns + sizeof *prog->aux
                       + sizeof *prog->ops));
    return prog->aux ? 0 : -ENOMEM;
}

/* Addresses of map values exist only for some maps, inside of the value. */
static int
check_map_values(const struct vm_prog *prog, struct vm_err *err)
{
    for (uint32_t pc = 0; pc < prog->n_insns;
         pc += vm_insn_slots(&prog->insns[pc])) {
        const struct vm_insn *insn = &prog->insns[pc];

        if (insn->code != VM_LDDW || insn->src != VM_PSEUDO_MAP_IDX_VALUE) {
            continue;
        }

        const struct vm_map *map = prog->maps[insn->imm];
        if (!(map->ops->caps & VM_MAP_CAP_DIRECT)
            || map->max_entries != 1) {
            return vm_err(err, -EINVAL, "insn %u: the value of map %s (%s) "
                          "has no constant address: only an array of one "
                          "entry has", pc, map->name, map->ops->name);
        }
        if ((uint32_t) insn[1].imm >= map->value_size) {
            return vm_err(err, -EINVAL, "insn %u: offset %u is outside of "
                          "the %u bytes of a value of map %s", pc,
                          (uint32_t) insn[1].imm, map->value_size, map->name);
        }
    }
    return 0;
}

/* Facts about the context that the engines ask for. */
static bool
scan_members(struct vm_prog *prog)
{
    const struct vm_prog_type *type = prog->type;
    bool moved = false;

    prog->pkt_data_off = prog->pkt_end_off = prog->pkt_meta_off = UINT32_MAX;
    for (size_t i = 0; i < type->n_members; i++) {
        const struct vm_ctx_member *m = &type->members[i];
        uint32_t off = m->real_size ? m->real_off : m->off;

        moved |= m->real_size != 0;
        if (m->kind == VM_CTX_PKT_DATA) {
            prog->pkt_data_off = off;
        } else if (m->kind == VM_CTX_PKT_END) {
            prog->pkt_end_off = off;
        } else if (m->kind == VM_CTX_PKT_META) {
            prog->pkt_meta_off = off;
        } else if (m->kind == VM_CTX_BLOCK) {
            prog->has_blocks = true;
        }
    }
    return moved;
}

static int
verify(struct vm_prog *prog, const struct vm_prog_attr *attr,
       struct vm_err *err)
{
    static const struct vm_verify_opts no_opts;
    uint64_t start = now_ns();
    int error = attr->verify(prog, attr->verify_opts ? attr->verify_opts
                                                     : &no_opts, err);

    prog->verify_ns = now_ns() - start;
    if (error) {
        return error;
    }
    if (prog->type->max_path && prog->longest_path > prog->type->max_path) {
        return vm_err(err, -E2BIG, "the longest path has %u instructions, "
                      "programs of type %s may have %u", prog->longest_path,
                      prog->type->name, prog->type->max_path);
    }
    prog->verified = true;
    return 0;
}

static void
compile(struct vm_prog *prog, const struct vm_backend *backend)
{
    uint64_t start = now_ns();

    if (!backend->compile(prog, &prog->compile_err)) {
        prog->compile_err.text[0] = '\0';
        prog->backend = backend;
        prog->run = prog->native;
    } else if (!prog->compile_err.text[0]) {
        vm_err(&prog->compile_err, 0, "%s gave no reason", backend->name);
    }
    prog->compile_ns = now_ns() - start;
}

static int
build(struct vm_prog *prog, const struct vm_prog_attr *attr,
      struct vm_err *err)
{
    int error = copy_attr(prog, attr);

    if (!error) {
        error = vm_find_subprogs(prog->insns, prog->n_insns, &prog->subprogs,
                                 &prog->n_subprogs);
    }
    if (error) {
        return vm_err(err, error, "no memory for %u instructions",
                      attr->n_insns);
    }
    error = check_map_values(prog, err);
    if (!error && attr->verify) {
        error = verify(prog, attr, err);
    }
    if (error) {
        return error;
    }

    bool moved = scan_members(prog);
    prog->ops = vm_decode(prog, true);
    prog->ops_checked = (moved && prog->verified ? vm_decode(prog, false)
                         : prog->ops);
    if (!prog->ops || !prog->ops_checked) {
        return vm_err(err, -ENOMEM, "no memory for %u instructions",
                      attr->n_insns);
    }
    prog->run = prog->verified ? vm_interp_fast : vm_interp_checked;
    if (attr->backend && prog->verified) {
        compile(prog, attr->backend);
    }
    return 0;
}

int
vm_prog_load(const struct vm_prog_attr *attr, struct vm_prog **progp,
             struct vm_err *err)
{
    static atomic_uint next_id;
    uint64_t start = now_ns();
    int error = vm_validate(attr->insns, attr->n_insns, attr->type,
                            attr->n_maps, err);

    *progp = NULL;
    if (error) {
        return error;
    }

    struct vm_prog *prog = calloc(1, sizeof *prog);
    if (!prog) {
        return vm_err(err, -ENOMEM, "no memory for a program");
    }
    atomic_init(&prog->refs, 1);
    prog->id = atomic_fetch_add(&next_id, 1) + 1;
    prog->type = attr->type;
    snprintf(prog->name, sizeof prog->name, "%s",
             attr->name ? attr->name : "");

    error = build(prog, attr, err);
    if (error) {
        prog_free(prog);
        return error;
    }
    prog->load_ns = now_ns() - start;
    *progp = prog;
    return 0;
}

struct vm_prog *
vm_prog_ref(struct vm_prog *prog)
{
    atomic_fetch_add_explicit(&prog->refs, 1, memory_order_relaxed);
    return prog;
}

void
vm_prog_unref(struct vm_prog *prog)
{
    if (prog && atomic_fetch_sub_explicit(&prog->refs, 1,
                                          memory_order_acq_rel) == 1) {
        vm_defer(prog_free, prog);
    }
}

const char *
vm_prog_compile_error(const struct vm_prog *prog)
{
    return prog->compile_err.text[0] ? prog->compile_err.text : NULL;
}

uint64_t
vm_prog_run_checked(const struct vm_prog *prog, void *ctx)
{
    return vm_interp_checked(ctx, prog);
}

uint64_t
vm_prog_run_fast(const struct vm_prog *prog, void *ctx)
{
    return prog->verified ? vm_interp_fast(ctx, prog)
                          : vm_interp_checked(ctx, prog);
}
