/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/wire.h"

#include <stdlib.h>
#include <string.h>

#include "jit/jit.h"
#include "vm/map.h"
#include "vm/verify.h"

#define MAX_INPUTS 16
#define MAX_SUBPROGS 64

struct head {
    uint32_t magic;             /* Changes with what structs look like. */
    uint32_t kind, n_insns, n_subprogs, n_inputs, longest_path;
    uint64_t seed;
};

/* A program on its way. */
struct letter {
    struct head head;
    struct vm_aux aux[FUZZ_MAX_INSNS];
    struct vm_subprog subprogs[MAX_SUBPROGS];
    struct fuzz_result results[MAX_INPUTS];
};

uint64_t wire_n_different;

static bool
same(const struct fuzz_result *a, const struct fuzz_result *b)
{
    return a->unstable || b->unstable || fuzz_result_equal(a, b);
}

static uint32_t
magic(void)
{
    return 0xb7500000u + FUZZ_N_MAPS * 4096
           + sizeof(struct letter) / 8 % 4096;
}

/* -- Telling -- */

static bool
pack(struct letter *l, const struct wire_program *next,
     const struct vm_prog *prog, uint32_t inputs)
{
    if (prog->n_subprogs > MAX_SUBPROGS || inputs > MAX_INPUTS) {
        return false;
    }
    l->head = (struct head) {
        .magic = magic(), .kind = next->w->kind, .n_insns = prog->n_insns,
        .n_subprogs = prog->n_subprogs, .n_inputs = inputs,
        .longest_path = prog->longest_path, .seed = next->seed,
    };
    memcpy(l->aux, prog->aux, prog->n_insns * sizeof l->aux[0]);
    memcpy(l->subprogs, prog->subprogs,
           prog->n_subprogs * sizeof l->subprogs[0]);
    return true;
}

static void
post(FILE *to, const struct letter *l, const struct fuzz_program *p)
{
    const struct head *h = &l->head;

    fwrite(h, sizeof *h, 1, to);
    fwrite(p->insns, sizeof p->insns[0], h->n_insns, to);
    fwrite(l->aux, sizeof l->aux[0], h->n_insns, to);
    fwrite(l->subprogs, sizeof l->subprogs[0], h->n_subprogs, to);
    fwrite(l->results, sizeof l->results[0], h->n_inputs, to);
}

/* Runs it on each input; whether results are the same. */
static bool
compare(struct fuzz_world *w, const struct vm_prog *prog, struct letter *l)
{
    struct fuzz_result native;

    for (uint32_t i = 0; i < l->head.n_inputs; i++) {
        if (!fuzz_run(w, prog, l->head.seed + i, false, &l->results[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; prog->native && i < l->head.n_inputs; i++) {
        if (!fuzz_run(w, prog, l->head.seed + i, true, &native)
            || !same(&l->results[i], &native)) {
            return false;
        }
    }
    return true;
}

void
wire_tell(FILE *to, const struct wire_program *next, uint32_t inputs,
          struct outcome *o)
{
    static struct letter l;
    struct vm_prog *prog = fuzz_load(next->w, &next->p, vm_verify, false, o);
    bool good;

    if (!prog) {
        return;
    } else if (!pack(&l, next, prog, inputs)) {
        o->verdict = V_COMPLEX;
    }
    good = o->verdict == V_GOOD && compare(next->w, prog, &l);
    vm_prog_unref(prog);
    vm_defer_run();
    if (good) {
        post(to, &l, &next->p);
    } else if (o->verdict != V_COMPLEX) {
        fuzz_try(next->w, &next->p, next->seed, inputs, o);
    }
}

bool
wire_tell_end(FILE *to)
{
    const struct head end = { .magic = magic() };

    return fwrite(&end, sizeof end, 1, to) == 1 && !fclose(to);
}

/* -- Hearing -- */

static struct letter heard;

/* A vm_verify_fn: what the teller's verifier has found out. */
static int
believe(struct vm_prog *prog, const struct vm_verify_opts *opts,
        struct vm_err *err)
{
    if (prog->n_subprogs != heard.head.n_subprogs) {
        return vm_err(err, -1, "other functions than told");
    }
    memcpy(prog->aux, heard.aux, prog->n_insns * sizeof prog->aux[0]);
    memcpy(prog->subprogs, heard.subprogs,
           prog->n_subprogs * sizeof prog->subprogs[0]);
    prog->longest_path = heard.head.longest_path;
    return 0;
}

static bool
get(FILE *from, struct fuzz_program *p)
{
    struct head *h = &heard.head;

    if (fread(h, sizeof *h, 1, from) != 1) {
        fprintf(stderr, "the teller failed: no end was told\n");
        exit(1);
    } else if (h->magic != magic() || h->n_insns > FUZZ_MAX_INSNS
               || h->n_subprogs > MAX_SUBPROGS || h->n_inputs > MAX_INPUTS
               || h->kind >= FUZZ_N_KINDS) {
        fprintf(stderr, "not what `fuzz --tell' of these sources writes\n");
        exit(2);
    }
    p->n = h->n_insns;
    return p->n && fread(p->insns, sizeof p->insns[0], p->n, from) == p->n
           && fread(heard.aux, sizeof heard.aux[0], p->n, from) == p->n
           && fread(heard.subprogs, sizeof heard.subprogs[0], h->n_subprogs,
                    from) == h->n_subprogs
           && fread(heard.results, sizeof heard.results[0], h->n_inputs,
                    from) == h->n_inputs;
}

/* Run 'i': as told or, if that depends on addresses, as the interpreter does
 * here. */
static bool
does_as_told(struct fuzz_world *w, const struct vm_prog *prog, uint32_t i)
{
    uint64_t input = heard.head.seed + i;
    struct fuzz_result here, interpreted;

    if (!fuzz_run(w, prog, input, prog->native, &here)) {
        return false;
    } else if (same(&heard.results[i], &here)) {
        return true;
    }
    wire_n_different++;
    return prog->native && fuzz_run(w, prog, input, false, &interpreted)
           && same(&interpreted, &here);
}

bool
wire_hear(FILE *from, struct fuzz_world *const worlds[],
          struct wire_program *next, struct outcome *o)
{
    struct vm_prog *prog;
    bool good;

    if (!get(from, &next->p)) {
        return false;
    }
    next->seed = heard.head.seed;
    next->w = worlds[heard.head.kind];
    prog = fuzz_load(next->w, &next->p, believe, false, o);
    good = prog && o->verdict == V_GOOD;
    for (uint32_t i = 0; good && i < heard.head.n_inputs; i++) {
        good = does_as_told(next->w, prog, i);
    }
    vm_prog_unref(prog);
    vm_defer_run();
    if (!good) {
        fuzz_try(next->w, &next->p, next->seed, heard.head.n_inputs, o);
    }
    return true;
}
