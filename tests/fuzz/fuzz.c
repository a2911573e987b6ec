/* SPDX-License-Identifier: Apache-2.0 */

/* The fuzzer of verifier, interpreters and JIT: random programs
 * (tests/fuzz/gen.h), whose runs must stay inside what the verifier recorded
 * (tests/fuzz/states.h) and do the same on every engine (tests/fuzz/try.h).
 *
 *   fuzz [--seed=N] [--count=N | --secs=N] [--kind=xdp|bvs] [--inputs=N]
 *        [--census] [--keep-going] [--one] [--no-shrink] [--kernel]
 *
 * Program number i of seed s is the same everywhere; --seed=S --count=1
 * repeats the one that a failure names.  --census fails if an instruction, a
 * helper or a map was met less than once in 1000 programs.  --one prints a
 * program.  --kernel compares with Linux instead (tests/fuzz/kernel.h).
 * SIGINT and SIGTERM end the run as if --count was reached. */

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jit/jit.h"
#include "tests/fuzz/census.h"
#include "tests/fuzz/kernel.h"
#include "vm/map.h"

struct options {
    uint64_t seed, count;
    uint32_t secs, inputs;
    int kind;                   /* -1: both. */
    bool keep_going, one, no_shrink, kernel, census;
};

static volatile sig_atomic_t stopped;

static void
stop(int signal)
{
    stopped = 1;
}

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void
parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        { "seed", required_argument, NULL, 's' },
        { "count", required_argument, NULL, 'c' },
        { "secs", required_argument, NULL, 't' },
        { "kind", required_argument, NULL, 'k' },
        { "inputs", required_argument, NULL, 'i' },
        { "census", no_argument, NULL, 'n' },
        { "keep-going", no_argument, NULL, 'g' },
        { "one", no_argument, NULL, '1' },
        { "no-shrink", no_argument, NULL, 'S' },
        { "kernel", no_argument, NULL, 'K' },
        { NULL, 0, NULL, 0 },
    };
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 's':
            o->seed = strtoull(optarg, NULL, 0);
            break;
        case 'c':
            o->count = strtoull(optarg, NULL, 0);
            break;
        case 't':
            o->secs = strtoul(optarg, NULL, 0);
            break;
        case 'k':
            o->kind = !strcmp(optarg, "xdp") ? FUZZ_XDP : FUZZ_BVS;
            break;
        case 'i':
            o->inputs = strtoul(optarg, NULL, 0);
            break;
        case 'n':
            o->census = true;
            break;
        case 'g':
            o->keep_going = true;
            break;
        case 'K':
            o->kernel = true;
            o->kind = FUZZ_XDP;
            break;
        case 'S':
            o->no_shrink = true;
            break;
        case '1':
            o->one = true;
            break;
        default:
            exit(2);
        }
    }
}

static void
report(struct fuzz_world *w, struct fuzz_program *p, uint64_t seed,
       struct outcome *o, const struct options *opts)
{
    printf("%s: program of --seed=%"PRIu64" --count=1 (type %s), input "
           "%"PRIu64": %s\n", verdict_name(o->verdict), seed, w->type.name,
           o->input, o->why);
    fflush(stdout);
    if (opts->no_shrink) {
        return;
    }
    fuzz_shrink(w, p, opts->kernel ? kernel_try : fuzz_try, o);
    printf("the smallest that fails so: %s\n", o->why);
    fuzz_print(w, p);
    fflush(stdout);
}

/* Program 'seed': which world is part of it. */
static bool
one(const struct options *opts, struct fuzz_world *worlds[], uint64_t seed,
    struct summary *sum)
{
    struct rng rng = { seed };
    int kind = rng_next(&rng) & 1 ? FUZZ_XDP : FUZZ_BVS;
    struct fuzz_world *w = worlds[opts->kind < 0 ? kind : opts->kind];
    static struct fuzz_program p;
    struct outcome o;

    fuzz_gen(&p, w, rng_next(&rng), opts->kernel ? FUZZ_GEN_KERNEL : 0);
    (opts->kernel ? kernel_try : fuzz_try)(w, &p, seed, opts->inputs, &o);
    summary_add(sum, &o);
    if (opts->one) {
        fuzz_print(w, &p);
        printf("%s: %s\n", verdict_name(o.verdict), o.why);
        return true;
    }
    if (opts->kernel ? kernel_note(&o, seed)
                     : verdict_is_failure(o.verdict)) {
        report(w, &p, seed, &o, opts);
        return opts->keep_going;
    }
    return true;
}

int
main(int argc, char **argv)
{
    struct options opts = { .seed = 1, .count = 1000, .inputs = 3,
                            .kind = -1 };
    struct fuzz_world *worlds[FUZZ_N_KINDS];
    struct summary sum = { 0 };
    double start = now();
    bool good = true;

    parse(argc, argv, &opts);
    setvbuf(stdout, NULL, _IOLBF, 0);
    vm_set_n_cpus(2);
    fuzz_catch_signals();
    for (int i = 0; i < FUZZ_N_KINDS; i++) {
        worlds[i] = fuzz_world_create(i, jit_backend());
    }
    if (opts.kernel && !kernel_open(worlds[FUZZ_XDP])) {
        perror("bpf()");
        return 77;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    for (uint64_t i = 0; good && !stopped
                         && (opts.secs ? now() - start < opts.secs
                             : i < opts.count); i++) {
        good = one(&opts, worlds, opts.seed + i, &sum);
    }
    if (!opts.one) {
        good = (opts.kernel ? kernel_print()
                : summary_print(&sum, worlds, opts.census)) && good;
        printf("seeds %"PRIu64" to %"PRIu64", %.1f s\n", opts.seed,
               opts.seed + sum.programs - 1, now() - start);
    }
    for (int v = V_FAULT; !opts.kernel && v < V_N_VERDICTS; v++) {
        good = good && !sum.verdicts[v];
    }
    for (int i = 0; i < FUZZ_N_KINDS; i++) {
        fuzz_world_destroy(worlds[i]);
    }
    return good ? 0 : 1;
}
