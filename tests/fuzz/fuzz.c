/* SPDX-License-Identifier: Apache-2.0 */

/* The fuzzer of verifier, interpreters and JIT: random programs
 * (tests/fuzz/gen.h), whose runs must stay inside what the verifier recorded
 * (tests/fuzz/states.h) and do the same on every engine (tests/fuzz/try.h).
 *
 *   fuzz [--seed=N] [--count=N | --secs=N] [--kind=xdp|bvs] [--inputs=N]
 *        [--census] [--tally=FILE] [--keep-going] [--one] [--no-shrink]
 *        [--kernel] [--tell | --hear]
 *
 * Program number i of seed s is the same everywhere; --seed=S --count=1
 * repeats the one that a failure names.  --census fails if an instruction, a
 * helper or a map was met less than once in 1000 programs.  --tally adds the
 * run to those in FILE and says what all of them were.  --one prints a
 * program.  --kernel compares with Linux instead (tests/fuzz/kernel.h).
 * --tell writes programs and what they did to standard output, --hear reads
 * that, on another machine (tests/fuzz/wire.h).
 * SIGINT and SIGTERM end the run as if --count was reached. */

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "jit/jit.h"
#include "tests/fuzz/census.h"
#include "tests/fuzz/kernel.h"
#include "tests/fuzz/wire.h"
#include "vm/map.h"

struct options {
    uint64_t seed, count;
    uint32_t secs, inputs;
    int kind;                   /* -1: both. */
    bool keep_going, one, no_shrink, kernel, census, hear;
    FILE *tell;                 /* Where to; null: nowhere. */
    const char *tally;
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

/* Standard output is for programs, then, and standard error for people. */
static FILE *
open_wire(void)
{
    FILE *wire = fdopen(dup(1), "wb");

    if (!wire || isatty(1) || dup2(2, 1) < 0) {
        fprintf(stderr, "standard output is not for programs\n");
        exit(2);
    }
    return wire;
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
        { "tally", required_argument, NULL, 'y' },
        { "keep-going", no_argument, NULL, 'g' },
        { "one", no_argument, NULL, '1' },
        { "no-shrink", no_argument, NULL, 'S' },
        { "kernel", no_argument, NULL, 'K' },
        { "tell", no_argument, NULL, 'T' },
        { "hear", no_argument, NULL, 'H' },
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
        case 'y':
            o->tally = optarg;
            break;
        case 'g':
            o->keep_going = true;
            break;
        case 'K':
            o->kernel = true;
            o->kind = FUZZ_XDP;
            break;
        case 'T':
            o->tell = open_wire();
            break;
        case 'H':
            o->hear = true;
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
static void
generate(const struct options *opts, struct fuzz_world *const worlds[],
         struct wire_program *next)
{
    struct rng rng = { next->seed };
    int kind = rng_next(&rng) & 1 ? FUZZ_XDP : FUZZ_BVS;

    next->w = worlds[opts->kind < 0 ? kind : opts->kind];
    fuzz_gen(&next->p, next->w, rng_next(&rng), opts->kernel ? FUZZ_GEN_KERNEL
             : opts->tell ? FUZZ_GEN_CAREFUL | FUZZ_GEN_SMALL : 0);
}

/* One program in 4 does without what not every processor has. */
static void
choose_features(uint64_t seed)
{
    if (seed % 4 <= 1) {
        jit_disable(seed % 4 ? "" : "bmi2,movbe");
    }
}

/* Whether there is more to do after this program. */
static bool
one(const struct options *opts, struct fuzz_world *const worlds[],
    uint64_t seed, struct summary *sum)
{
    static struct wire_program next;
    struct outcome o;

    next.seed = seed;
    if (opts->hear) {
        if (!wire_hear(stdin, worlds, &next, &o)) {
            return false;
        }
    } else {
        choose_features(seed);
        generate(opts, worlds, &next);
        if (opts->kernel) {
            kernel_try(next.w, &next.p, seed, opts->inputs, &o);
        } else if (opts->tell) {
            wire_tell(opts->tell, &next, opts->inputs, &o);
        } else {
            fuzz_try(next.w, &next.p, seed, opts->inputs, &o);
        }
    }
    summary_add(sum, &o);
    if (opts->one) {
        fuzz_print(next.w, &next.p);
        printf("%s: %s\n", verdict_name(o.verdict), o.why);
        return true;
    }
    if (opts->kernel ? kernel_note(&o, seed)
                     : verdict_is_failure(o.verdict)) {
        report(next.w, &next.p, next.seed, &o, opts);
        return opts->keep_going;
    }
    return true;
}

/* Prints what there was; whether it was enough. */
static bool
print_all(const struct options *opts, const struct summary *sum,
          struct fuzz_world *const worlds[])
{
    if (opts->kernel) {
        return kernel_print();
    } else if (opts->hear) {
        summary_verdicts(sum);
        printf("%"PRIu64" runs do something else here, on all engines\n",
               wire_n_different);
        return sum->programs != 0;
    } else if (opts->tell) {
        return summary_verdicts(sum) != 0;
    }
    return summary_print(sum, worlds, opts->census);
}

/* --tally: '*sum' and the census become those of all runs in the file. */
static bool
add_up(const struct options *opts, struct summary *sum)
{
    int error = summary_tally(sum, opts->tally);

    if (error) {
        fprintf(stderr, "%s: %s\n", opts->tally, strerror(-error));
    }
    return !error;
}

int
main(int argc, char **argv)
{
    struct options opts = { .seed = 1, .count = 1000, .inputs = 3,
                            .kind = -1 };
    struct fuzz_world *worlds[FUZZ_N_KINDS];
    static struct summary sum;
    double start = now();
    bool more = true, good = true;

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
    for (uint64_t i = 0; more && !stopped
                         && (opts.hear ? true
                             : opts.secs ? now() - start < opts.secs
                             : i < opts.count); i++) {
        more = one(&opts, worlds, opts.seed + i, &sum);
    }
    if (!opts.one) {
        uint64_t n = sum.programs;

        good = (!opts.tally || add_up(&opts, &sum)) && (opts.hear || more);
        good = print_all(&opts, &sum, worlds) && good;
        printf("seeds %"PRIu64" to %"PRIu64", %.1f s\n", opts.seed,
               opts.seed + n - 1, now() - start);
    }
    for (int v = V_FAULT; !opts.kernel && v < V_N_VERDICTS; v++) {
        good = good && !sum.verdicts[v];
    }
    for (int i = 0; i < FUZZ_N_KINDS; i++) {
        fuzz_world_destroy(worlds[i]);
    }
    good = good && (!opts.tell || wire_tell_end(opts.tell));
    return good ? 0 : 1;
}
