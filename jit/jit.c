/* SPDX-License-Identifier: Apache-2.0 */

#include "jit/jit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "jit/code.h"
#include "jit/compile.h"
#include "jit/perf.h"
#include "vm/prog.h"

#define MAX_PASSES 32

/* What a compiled program owns; vm_prog.backend_priv. */
struct jit_code {
    uint8_t *at;
    size_t size;
    uint32_t offsets[];         /* n_insns + 1. */
};

static _Atomic uint64_t n_programs, n_failures;
static _Atomic size_t n_bytes;

/* -- For the machines' files -- */

void
jit_fail(struct jit *j, int error, const char *why)
{
    if (!j->error) {
        j->error = error;
        j->why = why;
    }
}

bool
jit_reserve(struct jit *j, size_t n)
{
    size_t size = 2 * (j->size + n) + 1024;
    uint8_t *buf = j->error ? NULL : realloc(j->buf, size);

    if (!buf) {
        jit_fail(j, -ENOMEM, "out of memory");
        return false;
    }
    j->buf = buf;
    j->size = size;
    return true;
}

void
jit_put(struct jit *j, const void *bytes, size_t n)
{
    if (j->len + n <= j->size || jit_reserve(j, n)) {
        memcpy(j->buf + j->len, bytes, n);
        j->len += n;
    }
}

/* -- Passes -- */

/* Notes where slot 'pc' lies now; returns whether that is new. */
static bool
note_offset(struct jit *j, uint32_t pc)
{
    uint32_t old = j->offsets[pc];

    j->offsets[pc] = j->len;
    j->shift = old > j->len ? old - j->len : 0;
    return old != j->len;
}

/* Emits everything once; returns whether an offset changed. */
static bool
emit_all(struct jit *j, size_t *tail)
{
    const struct vm_prog *prog = j->prog;
    bool changed = false;

    j->len = 0;
    j->subprog = 0;
    j->target->prologue(j, tail);
    for (uint32_t pc = 0; pc < prog->n_insns; pc++) {
        changed |= note_offset(j, pc);
        if (j->subprog + 1 < prog->n_subprogs
            && prog->subprogs[j->subprog + 1].start == pc) {
            j->subprog++;
        }
        if (!(j->plan[pc].flags & (JIT_DEAD | JIT_FUSED))) {
            j->target->insn(j, pc);
        }
    }
    changed |= note_offset(j, prog->n_insns);
    j->target->epilogue(j);
    return changed;
}

/* Branches start long and only ever become shorter, so this ends. */
static void
relax(struct jit *j, size_t *tail)
{
    bool changed = true;

    j->first_pass = true;
    for (int i = 0; changed && !j->error && i < MAX_PASSES; i++) {
        changed = emit_all(j, tail);
        j->first_pass = false;
    }
    if (changed) {
        jit_fail(j, -ELOOP, "branches do not settle");
    }
}

/* The last pass, with addresses; what it emits must lie where it was
 * planned to lie. */
static void
place(struct jit *j, size_t *tail)
{
    size_t planned;

    relax(j, tail);
    if (j->error) {
        return;
    }
    planned = j->len;
    j->base = jit_code_alloc(planned);
    if (!j->base) {
        jit_fail(j, -ENOMEM, "no executable memory is left");
    } else if (emit_all(j, tail) || j->len != planned) {
        jit_fail(j, -EFAULT, "code moved in the last pass");
    }
    if (j->error && j->base) {
        jit_code_free((uint8_t *) j->base, planned);
        j->base = NULL;
    }
}

static struct jit_code *
commit(struct jit *j)
{
    uint32_t n = j->prog->n_insns + 1;
    struct jit_code *code = malloc(sizeof *code + n * sizeof *code->offsets);

    if (!code || jit_code_write((uint8_t *) j->base, j->buf, j->len)) {
        jit_code_free((uint8_t *) j->base, j->len);
        free(code);
        jit_fail(j, -ENOMEM, "executable memory cannot be written");
        return NULL;
    }
    code->at = (uint8_t *) j->base;
    code->size = j->len;
    memcpy(code->offsets, j->offsets, n * sizeof *code->offsets);
    return code;
}

/* -- The back end -- */

static void
compile_for(struct jit *j, struct vm_prog *prog)
{
    const struct jit_target *target = j->target;
    const uint8_t *const *stubs = NULL;
    struct jit_code *code;
    size_t tail = 0;

    if (target->stub && prog->type->gen_off != VM_NO_GEN) {
        stubs = jit_stubs(target, prog->type);
        if (!stubs) {
            jit_fail(j, -ENOMEM, "no executable memory is left");
            return;
        }
    }
    jit_plan_make(j);
    if (!j->error) {
        place(j, &tail);
    }
    if (j->error == -ERANGE) {
        /* Helpers out of reach of direct calls. */
        j->error = 0;
        j->far_calls = true;
        place(j, &tail);
    }
    code = j->error ? NULL : commit(j);
    if (code) {
        if (stubs) {
            prog->native = (vm_run_fn *) (uintptr_t) stubs[JIT_STUB_RUN];
            prog->native_burst
                = (vm_burst_fn *) (uintptr_t) stubs[JIT_STUB_BURST];
        } else {
            prog->native = (vm_run_fn *) (uintptr_t) code->at;
        }
        prog->native_tail = code->at + tail;
        prog->native_size = code->size;
        prog->backend_priv = code;
        n_programs++;
        n_bytes += code->size;
        jit_perf_map_add(code->at, code->size, prog->name);
    }
}

static const struct jit_target *
this_machine(void)
{
#if defined(__x86_64__)
    return &jit_x86_64;
#elif defined(__aarch64__)
    return &jit_aarch64;
#else
    return NULL;
#endif
}

static int
jit_compile(struct vm_prog *prog, struct vm_err *err)
{
    struct jit j = { .prog = prog, .target = this_machine() };

    if (!prog->verified) {
        n_failures++;
        return vm_err(err, -EPERM, "program %s was not verified: only "
                      "verified programs are compiled", prog->name);
    }
    j.offsets = calloc(prog->n_insns + 1, sizeof *j.offsets);
    j.far = calloc(prog->n_insns, sizeof *j.far);
    if (!j.offsets || !j.far) {
        jit_fail(&j, -ENOMEM, "out of memory");
    } else {
        compile_for(&j, prog);
    }
    jit_plan_free(&j);
    free(j.offsets);
    free(j.far);
    free(j.buf);
    if (j.error) {
        n_failures++;
        return vm_err(err, j.error, "program %s: %s", prog->name, j.why);
    }
    return 0;
}

static void
jit_free(struct vm_prog *prog)
{
    struct jit_code *code = prog->backend_priv;

    n_programs--;
    n_bytes -= code->size;
    jit_code_free(code->at, code->size);
    free(code);
}

int
jit_disable(const char *names)
{
    const struct jit_target *target = this_machine();
    char *copy = strdup(names), *save = NULL;
    int error = copy ? 0 : -ENOMEM;

    if (target && target->detect) {
        target->detect();
    }
    for (char *name = copy ? strtok_r(copy, ", ", &save) : NULL; name;
         name = strtok_r(NULL, ", ", &save)) {
        if (!target || !target->disable || !target->disable(name)) {
            error = -EINVAL;
        }
    }
    free(copy);
    return error;
}

static struct vm_backend backend = {
    .compile = jit_compile,
    .free = jit_free,
};
static bool ready;

static void
init_backend(void)
{
    const struct jit_target *target = this_machine();
    const uint8_t *const *stubs = NULL;
    const char *disabled = getenv("BVS_JIT_DISABLE");

    jit_disable(disabled ? disabled : "");
    if (target && target->stub) {
        stubs = jit_stubs(target, NULL);
        ready = stubs != NULL;
    } else {
        ready = target != NULL;
    }
    if (ready) {
        backend.name = target->name;
        backend.slot_empty = stubs ? stubs[JIT_STUB_EMPTY] : NULL;
        backend.slot_foreign = stubs ? stubs[JIT_STUB_FOREIGN] : NULL;
        vm_slots_set_backend(&backend);
    }
}

const struct vm_backend *
jit_backend(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_backend);
    return ready ? &backend : NULL;
}

void
jit_get_stats(struct jit_stats *stats)
{
    stats->programs = n_programs;
    stats->code_bytes = n_bytes;
    stats->mapped_bytes = jit_code_mapped();
    stats->failures = n_failures;
}

/* -- Listings -- */

static int
list_native(const struct vm_prog *prog, struct jit_listing *list)
{
    const struct jit_code *code = prog->backend_priv;
    size_t n = (prog->n_insns + 1) * sizeof *list->offsets;

    list->at = code->at;
    list->size = code->size;
    list->code = malloc(code->size);
    list->offsets = malloc(n);
    if (!list->code || !list->offsets) {
        jit_listing_free(list);
        return -ENOMEM;
    }
    memcpy(list->code, code->at, code->size);
    memcpy(list->offsets, code->offsets, n);
    return 0;
}

/* The code with calls through a register, as addresses are nobody's. */
static int
list_foreign(const struct vm_prog *prog, const struct jit_target *target,
             struct jit_listing *list, struct vm_err *err)
{
    struct jit j = { .prog = prog, .target = target, .far_calls = true };
    size_t tail;

    j.offsets = calloc(prog->n_insns + 1, sizeof *j.offsets);
    j.far = calloc(prog->n_insns, sizeof *j.far);
    if (j.offsets && j.far) {
        jit_plan_make(&j);
    } else {
        jit_fail(&j, -ENOMEM, "out of memory");
    }
    if (!j.error) {
        relax(&j, &tail);
    }
    jit_plan_free(&j);
    free(j.far);
    list->code = j.buf;
    list->size = j.len;
    list->offsets = j.offsets;
    if (j.error) {
        jit_listing_free(list);
        return vm_err(err, j.error, "program %s: %s", prog->name, j.why);
    }
    return 0;
}

int
jit_list(const struct vm_prog *prog, const char *machine,
         struct jit_listing *list, struct vm_err *err)
{
    static const struct jit_target *const targets[] = {
#if defined(__x86_64__)
        &jit_x86_64,
#endif
        &jit_aarch64,
    };

    memset(list, 0, sizeof *list);
    if (!prog->verified) {
        return vm_err(err, -EPERM, "program %s was not verified", prog->name);
    } else if (!machine || (jit_backend()
                            && !strcmp(machine, jit_backend()->name))) {
        return prog->backend_priv ? list_native(prog, list)
               : vm_err(err, -ENOENT, "program %s was not compiled",
                        prog->name);
    }
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (!strcmp(targets[i]->name, machine)) {
            return list_foreign(prog, targets[i], list, err);
        }
    }
    return vm_err(err, -EINVAL, "there is no machine code for %s", machine);
}

void
jit_listing_free(struct jit_listing *list)
{
    free(list->code);
    free(list->offsets);
    list->code = NULL;
    list->offsets = NULL;
}
