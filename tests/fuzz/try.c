/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/try.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "jit/jit.h"
#include "vm/disasm.h"
#include "vm/map.h"
#include "vm/verify.h"

const char *
verdict_name(enum verdict v)
{
    static const char *const names[V_N_VERDICTS] = {
        "rejected", "invalid", "too complex", "good", "address-dependent",
        "FAULT", "ESCAPED", "FAST DIFFERS", "JIT DIFFERS", "NOT COMPILED",
        "CRASH", "ACCEPTED HERE ONLY", "ACCEPTED BY LINUX ONLY",
        "OTHER RESULT",
    };

    return names[v];
}

/* -- Runs that end in a signal -- */

#define MAX_SECONDS 2           /* Of this process, for one program. */

#define MAX_STEPS 4000          /* Of the verifier: few need more, and those
                                 * take most of the time. */

static sigjmp_buf escape;
static const char *volatile engine;     /* Running now, or null. */
static volatile sig_atomic_t ticks;     /* Since the program began. */

static void
on_signal(int signal)
{
    if (signal == SIGVTALRM && (++ticks <= MAX_SECONDS || !engine)) {
        return;
    } else if (!engine) {
        static const char text[] = "crash outside of the programs\n";

        if (write(2, text, sizeof text - 1) < 0) {
            _exit(3);
        }
        _exit(2);
    }
    siglongjmp(escape, signal);
}

void
fuzz_catch_signals(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP,
                                   SIGVTALRM };
    static uint8_t room[65536];
    static const struct itimerval second = { .it_value.tv_sec = 1,
                                             .it_interval.tv_sec = 1 };
    const stack_t stack = { .ss_sp = room, .ss_size = sizeof room };
    struct sigaction action = { .sa_handler = on_signal,
                                .sa_flags = SA_ONSTACK | SA_NODEFER
                                            | SA_RESTART };

    sigaltstack(&stack, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaction(signals[i], &action, NULL);
    }
    setitimer(ITIMER_VIRTUAL, &second, NULL);
}

struct vm_prog *
fuzz_load(struct fuzz_world *w, const struct fuzz_program *p,
          vm_verify_fn *verify, bool record, struct outcome *o)
{
    const struct vm_verify_opts opts = {
        .record = record ? fuzz_states_record : NULL,
        .max_steps = MAX_STEPS, .max_ms = 60000,
    };
    const struct vm_prog_attr attr = {
        .type = &w->type, .name = "fuzz", .insns = p->insns, .n_insns = p->n,
        .maps = w->maps, .n_maps = FUZZ_N_MAPS, .verify = verify,
        .verify_opts = &opts, .backend = jit_backend(),
    };
    struct vm_prog *prog;
    struct vm_err err;
    int error;

    memset(o, 0, offsetof(struct outcome, why) + 1);
    err.text[0] = '\0';
    error = vm_prog_load(&attr, &prog, &err);
    if (error) {
        o->verdict = error == -E2BIG ? V_COMPLEX
                     : vm_validate(p->insns, p->n, &w->type, FUZZ_N_MAPS,
                                   NULL) ? V_INVALID : V_REJECTED;
        snprintf(o->why, sizeof o->why, "%s", err.text);
        return NULL;
    }
    o->verdict = V_GOOD;
    if (jit_backend() && vm_prog_compile_error(prog)) {
        o->verdict = V_COMPILE;
        snprintf(o->why, sizeof o->why, "%s", vm_prog_compile_error(prog));
    }
    return prog;
}

bool
fuzz_run(struct fuzz_world *w, const struct vm_prog *prog, uint64_t input,
         bool native, struct fuzz_result *result)
{
    uint32_t maps = fuzz_maps_used(prog->insns, prog->n_insns);
    bool good = false;
    uint64_t r0;

    fuzz_world_use_native(w, native);
    fuzz_world_reset(w, input, maps);
    ticks = 0;
    if (!sigsetjmp(escape, 0)) {
        engine = "one engine";
        r0 = native ? vm_prog_run(prog, w->ctx)
                    : vm_prog_run_fast(prog, w->ctx);
        fuzz_world_result(w, r0, maps, result);
        good = true;
    }
    engine = NULL;
    return good;
}

/* Whether the result changes with the stack's address. */
static bool
is_address_dependent(struct fuzz_world *w, const struct vm_prog *prog,
                     uint64_t input, uint32_t maps)
{
    struct fuzz_result a, b;

    fuzz_world_reset(w, input, maps);
    fuzz_world_result(w, fuzz_shifted_run(prog, w->ctx, 64), maps, &a);
    for (size_t shift = 64 + 16; shift < 40000; shift = shift * 3 + 16) {
        fuzz_world_reset(w, input, maps);
        fuzz_world_result(w, fuzz_shifted_run(prog, w->ctx, shift), maps,
                          &b);
        if (!fuzz_result_equal(&a, &b)) {
            return true;
        }
    }
    return false;
}

static void
describe(struct outcome *o, const struct fuzz_result *a,
         const struct fuzz_result *b)
{
    snprintf(o->why, sizeof o->why, "r0 0x%llx and 0x%llx%s%s%s%s",
             (unsigned long long) a->r0, (unsigned long long) b->r0,
             a->packet != b->packet || a->packet_size != b->packet_size
             ? ", packet" : "", a->context != b->context ? ", context" : "",
             a->maps != b->maps ? ", maps" : "",
             a->output != b->output ? ", output" : "");
}

static void
run_once(struct fuzz_world *w, const struct vm_prog *prog, uint64_t input,
         uint32_t maps, struct outcome *o)
{
    struct fuzz_result checked, fast, native;
    struct fuzz_trace trace;
    uint64_t r0;

    o->input = input;
    fuzz_world_reset(w, input, maps);
    engine = "the checked interpreter";
    fuzz_trace_run(prog, w->ctx, &trace);
    engine = NULL;
    fuzz_world_result(w, trace.r0, maps, &checked);
    o->steps = trace.steps;
    if (trace.fault || trace.violated) {
        o->verdict = trace.fault ? V_FAULT : V_ESCAPED;
        snprintf(o->why, sizeof o->why, "%s", trace.why);
        return;
    }
    fuzz_world_reset(w, input, maps);
    engine = "the fast interpreter";
    r0 = vm_prog_run_fast(prog, w->ctx);
    engine = NULL;
    fuzz_world_result(w, r0, maps, &fast);
    if (checked.unstable || fast.unstable) {
        return;
    }
    if (!fuzz_result_equal(&checked, &fast)) {
        o->verdict = V_FAST;
        describe(o, &checked, &fast);
    } else if (prog->native) {
        fuzz_world_reset(w, input, maps);
        fuzz_world_use_native(w, true);
        engine = "native code";
        r0 = vm_prog_run(prog, w->ctx);
        engine = NULL;
        fuzz_world_result(w, r0, maps, &native);
        fuzz_world_use_native(w, false);
        if (!fuzz_result_equal(&checked, &native)) {
            o->verdict = V_JIT;
            describe(o, &checked, &native);
        }
    }
    if (o->verdict != V_GOOD
        && (trace.address || is_address_dependent(w, prog, input, maps))) {
        o->verdict = V_ADDRESS;
    }
}

/* run_once(), whatever happens. */
static void
run_safely(struct fuzz_world *w, const struct vm_prog *prog, uint64_t input,
           struct outcome *o)
{
    int signal = sigsetjmp(escape, 0);

    if (!signal) {
        run_once(w, prog, input, fuzz_maps_used(prog->insns, prog->n_insns),
                 o);
        return;
    }
    o->verdict = V_CRASH;
    snprintf(o->why, sizeof o->why, "%s in %s",
             signal == SIGVTALRM ? "no end" : strsignal(signal), engine);
    engine = NULL;
    fuzz_world_use_native(w, false);
}

void
fuzz_try(struct fuzz_world *w, const struct fuzz_program *p, uint64_t seed,
         uint32_t inputs, struct outcome *o)
{
    struct vm_prog *prog;
    uint64_t steps = 0;

    fuzz_states_clear(p->n);
    prog = fuzz_load(w, p, vm_verify, true, o);
    if (!prog) {
        return;
    }
    fuzz_world_use_native(w, false);
    ticks = 0;
    for (uint32_t i = 0; i < inputs && o->verdict == V_GOOD; i++) {
        run_safely(w, prog, seed + i, o);
        steps = i ? steps : o->steps;
    }
    o->steps = steps;
    vm_prog_unref(prog);
    vm_defer_run();
}

void
fuzz_print(const struct fuzz_world *w, const struct fuzz_program *p)
{
    const struct vm_disasm_opts opts = {
        .type = &w->type, .maps = w->maps, .n_maps = FUZZ_N_MAPS,
        .flags = VM_DISASM_NUMBERS,
    };
    char *text = vm_disasm(p->insns, p->n, &opts);

    printf("%s", text ? text : "(no text)\n");
    free(text);
}
