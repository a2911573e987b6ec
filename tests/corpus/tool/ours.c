/* SPDX-License-Identifier: Apache-2.0 */

/* Our side: verifier, interpreters, native code. */

#include "tests/corpus/tool/corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jit/jit.h"
#include "datapath/xdp.h"
#include "vm/elf.h"
#include "vm/map.h"
#include "vm/maps/of_maps.h"
#include "vm/verify.h"

typedef uint64_t run_fn(const struct vm_prog *, void *ctx);

struct ours {
    struct vm_elf *elf;
    struct vm_prog *prog;       /* That gets the packets. */
    struct dp_xdp *ctx;
    run_fn *run;
};

static bool
set_before(struct vm_elf *elf, const struct setting *s, struct vm_err *err)
{
    switch (s->kind) {
    case SET_VARIABLE:
        return !vm_elf_set_var_text(elf, s->name, s->text, err);
    case SET_ENTRIES:
        return !vm_elf_set_max_entries(elf, s->name,
                                       strtoul(s->text, NULL, 0), err);
    default:
        return true;
    }
}

static bool
set_after(struct vm_elf *elf, const struct setting *s, struct vm_err *err)
{
    struct vm_map *map, *inner;

    if (s->kind != SET_ELEMENT && s->kind != SET_INNER) {
        return true;
    }
    map = vm_elf_map_by_name(elf, s->name);
    if (!map || map->key_size != s->key.n) {
        vm_err(err, -1, "no map %s with such keys", s->name);
        return false;
    } else if (s->kind == SET_INNER) {
        inner = vm_elf_map_by_name(elf, s->text);
        return inner && !vm_map_set_inner(map, s->key.data, inner);
    }
    if (map->value_size != s->value.n
        || vm_map_write(map, s->key.data, s->value.data, VM_ANY)) {
        vm_err(err, -1, "map %s cannot be written", s->name);
        return false;
    }
    return true;
}

/* Loads all XDP programs; the first, or the one that the cases name, stays
 * to be run. */
static bool
load(struct ours *o, const struct vm_prog_attr *attr,
     const struct cases *cases, struct report *report, struct vm_err *err)
{
    for (uint32_t i = 0; i < vm_elf_n_progs(o->elf); i++) {
        struct vm_elf_prog p = vm_elf_prog(o->elf, i);
        bool wanted = cases && cases->program
                      ? !strcmp(p.name, cases->program) : !o->prog;
        struct vm_prog *prog;

        if (!is_xdp_section(p.section)) {
            continue;
        } else if (vm_elf_load_prog(o->elf, p.name, attr, &prog, err)) {
            return false;
        }
        if (report->n_programs < MAX_PROGRAMS) {
            struct verified *v = &report->programs[report->n_programs++];

            snprintf(v->name, sizeof v->name, "%s", p.name);
            v->n_insns = prog->n_insns;
            v->ns = prog->verify_ns;
            v->n_processed = 0;
        }
        if (attr->backend && !prog->native) {
            vm_err(err, -1, "%s: not compiled: %s", p.name,
                   vm_prog_compile_error(prog));
            vm_prog_unref(prog);
            return false;
        }
        if (wanted) {
            o->prog = prog;
        } else {
            vm_prog_unref(prog);
        }
    }
    return true;
}

static void
ours_close(void *o_)
{
    struct ours *o = o_;

    if (o->elf) {
        vm_elf_unlink(o->elf);
    }
    vm_prog_unref(o->prog);
    vm_elf_close(o->elf);
    vm_defer_run();
    free(o->ctx);
    free(o);
}

static void *
open_with(const char *path, const struct cases *cases, struct report *report,
          run_fn *run, const struct vm_backend *backend)
{
    const struct vm_prog_attr attr = {
        .type = &dp_xdp_type, .verify = vm_verify, .backend = backend,
    };
    struct ours *o = calloc(1, sizeof *o);
    struct vm_err err = { "" };
    bool good;

    o->run = run;
    o->ctx = calloc(1, sizeof *o->ctx);
    report->n_programs = 0;
    good = !vm_elf_open_file(path, &o->elf, &err);
    for (size_t i = 0; good && cases && i < cases->n_settings; i++) {
        good = set_before(o->elf, &cases->settings[i], &err);
    }
    good = good && !vm_elf_make_maps(o->elf, &err);
    for (size_t i = 0; good && cases && i < cases->n_settings; i++) {
        good = set_after(o->elf, &cases->settings[i], &err);
    }
    good = good && load(o, &attr, cases, report, &err)
           && !vm_elf_link(o->elf, &attr, &err);
    if (!good) {
        snprintf(report->sentence, sizeof report->sentence, "%s", err.text);
        ours_close(o);
        return NULL;
    }
    return o;
}

static void *
checked_open(const char *path, const struct cases *cases,
             struct report *report)
{
    return open_with(path, cases, report, vm_prog_run_checked, NULL);
}

static void *
fast_open(const char *path, const struct cases *cases, struct report *report)
{
    return open_with(path, cases, report, vm_prog_run_fast, NULL);
}

static void *
native_open(const char *path, const struct cases *cases,
            struct report *report)
{
    return open_with(path, cases, report, vm_prog_run, jit_backend());
}

static bool
ours_run(void *o_, const struct packet *p, struct result *r)
{
    struct ours *o = o_;

    if (!o->prog) {
        return false;
    }
    dp_xdp_set_packet(o->ctx, p->in.data, p->in.n);
    o->ctx->ingress_ifindex = 1;
    r->verdict = o->run(o->prog, o->ctx);
    r->n_out = o->ctx->data_end - o->ctx->data;
    if (vm_fault.error && o->run == vm_prog_run_checked) {
        fprintf(stderr, "stopped: %s\n", vm_fault.text);
        return false;
    }
    if (r->n_out > sizeof r->out) {
        return false;
    }
    memcpy(r->out, o->ctx->data, r->n_out);
    return true;
}

static uint64_t
sum_map(struct vm_map *map)
{
    uint8_t *key = calloc(2, map->key_size);
    uint8_t *value = calloc(1, vm_map_owner_value_size(map));
    bool more = !vm_map_next_key(map, NULL, key);
    uint64_t sum = 0;

    while (more) {
        if (!vm_map_read(map, key, value)) {
            sum += sum_element(key, map->key_size, value, map->value_size);
        }
        more = !vm_map_next_key(map, key, key + map->key_size);
        memmove(key, key + map->key_size, map->key_size);
    }
    free(key);
    free(value);
    return sum;
}

static bool
ours_map(void *o_, unsigned int index, char name[32], uint64_t *sum)
{
    struct ours *o = o_;
    struct vm_map *map = vm_elf_map(o->elf, index);

    if (!map) {
        return false;
    }
    snprintf(name, 32, "%s", map->name);
    *sum = is_comparable_map(map->ops->number) ? sum_map(map) : 0;
    return true;
}

#define ENGINE(NAME)                                                          \
    const struct engine engine_##NAME = {                                     \
        #NAME, NAME##_open, ours_close, ours_run, ours_map                    \
    }
ENGINE(checked);
ENGINE(fast);
ENGINE(native);
