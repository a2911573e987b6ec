/* SPDX-License-Identifier: Apache-2.0 */

/* What a goto and a yield of generated programs cost. */

#include "tests/bench/jit.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jit/jit.h"
#include "tests/bench/bench.h"
#include "vm/asm.h"
#include "vm/prog.h"
#include "vm/verify.h"

#define HOPS 32
#define BURST 32
#define ROUNDS 15

struct ctx {
    uint64_t word;
    struct vm_slots *slots;
    struct vm_turn turn;
    uint8_t pad[72];            /* 112 bytes: no two collide. */
};

static const struct vm_ctx_member members[] = {
    { .name = "word", .off = 0, .size = 8, .flags = VM_CTX_RW },
    { .name = "slots", .off = 8, .size = 8, .kind = VM_CTX_HIDDEN },
};
static const struct vm_helper_set *const sets[] = {
    &vm_helpers_base, &vm_helpers_versioned,
};
static const struct vm_prog_type type = {
    .name = "bench",
    .ctx_size = sizeof(struct ctx),
    .members = members,
    .n_members = 2,
    .helper_sets = sets,
    .n_helper_sets = 2,
    .gen_off = offsetof(struct ctx, slots),
    .n_slots = HOPS + 1,
    .turn_off = offsetof(struct ctx, turn),
};

static struct ctx ctxs[BURST];
static void *ptrs[BURST];

static struct vm_prog *
load(const char *text)
{
    const struct vm_asm_opts opts = { .type = &type };
    struct vm_prog_attr attr = { .type = &type, .verify = vm_verify,
                                 .backend = jit_backend() };
    struct vm_insn *insns;
    struct vm_prog *prog;
    struct vm_err err;

    if (vm_asm(text, &opts, &insns, &attr.n_insns, &err)) {
        fprintf(stderr, "jit: %s\n", err.text);
        exit(1);
    }
    attr.insns = insns;
    if (vm_prog_load(&attr, &prog, &err) || !prog->native) {
        fprintf(stderr, "jit: %s\n", err.text);
        exit(1);
    }
    free(insns);
    return prog;
}

/* Of a burst, each context. */
static double
burst(const struct vm_prog *prog)
{
    uint64_t n = bench_size(5000, 10);
    double best = 1e9;

    /* What disturbs only adds. */
    for (int part = 0; part < 10; part++) {
        struct timespec from, to;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        for (uint64_t i = 0; i < n; i++) {
            vm_prog_run_burst(prog, ptrs, BURST);
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        double ns = ((to.tv_sec - from.tv_sec) * 1e9
                     + (to.tv_nsec - from.tv_nsec)) / n / BURST;
        best = ns < best ? ns : best;
    }
    return best;
}

struct pair {
    struct vm_prog *prog, *empty;
    int n;
};

static double
each(void *pair_)
{
    const struct pair *p = pair_;

    return (burst(p->prog) - burst(p->empty)) / p->n;
}

static void
row(const char *name, struct pair *p, double limit)
{
    struct bench_result r = bench_compare(ROUNDS, each, NULL, p);

    r.peer = limit;
    bench_row(name, &r, "ns", "<=1.0");
}

void
bench_jit_jumps(void)
{
    struct vm_slots *slots = vm_slots_create(HOPS + 1);
    struct vm_prog *empty = load("r0 = 0\n exit");
    char text[64];

    for (int i = 0; i < BURST; i++) {
        ctxs[i].slots = slots;
        ptrs[i] = &ctxs[i];
    }
    for (int i = 0; i <= HOPS; i++) {
        snprintf(text, sizeof text, i < HOPS
                 ? "r2 = %d\n call goto_slot\n r0 = 1\n exit"
                 : "r0 = 0\n exit", i + 1);
        vm_slots_set(slots, i, load(text));
    }
    row("goto, of a chain of 32: limit",
        &(struct pair) { slots->prog[0], empty, HOPS }, 1.5);

#define YIELD "call yield\n"
    row("yield, of 8 in a burst of 32: limit",
        &(struct pair) {
            load(YIELD YIELD YIELD YIELD YIELD YIELD YIELD YIELD
                 "r0 = 0\n exit"), empty, 8
        }, 4);
}
