/* SPDX-License-Identifier: Apache-2.0 */

/* Code that no program owns: made when first asked for, never freed. */

#include "jit/compile.h"

#include <pthread.h>
#include <stdlib.h>

#include "jit/code.h"
#include "jit/perf.h"

/* Of all types with the same offsets; code[] is complete before others see
 * it. */
struct stubs {
    struct stubs *next;
    uint32_t gen_off, turn_off;
    const uint8_t *code[JIT_N_STUBS];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct stubs *all;

static const char *const names[JIT_N_STUBS] = {
    [JIT_STUB_EMPTY] = "stub:empty-slot",
    [JIT_STUB_FOREIGN] = "stub:interpreted",
    [JIT_STUB_RUN] = "stub:run",
    [JIT_STUB_BURST] = "stub:burst",
};

static const uint8_t *
make(const struct jit_target *target, enum jit_stub which,
     const struct vm_prog_type *type)
{
    struct jit j = { .far_calls = true };
    uint8_t *at = NULL;

    target->stub(&j, which, type);
    if (!j.error) {
        at = jit_code_alloc(j.len);
    }
    if (at && jit_code_write(at, j.buf, j.len)) {
        jit_code_free(at, j.len);
        at = NULL;
    }
    if (at) {
        jit_perf_map_add(at, j.len, names[which]);
    }
    free(j.buf);
    return at;
}

static struct stubs *
make_all(const struct jit_target *target, const struct vm_prog_type *type)
{
    struct stubs *s = calloc(1, sizeof *s);

    if (!s) {
        return NULL;
    }
    s->gen_off = type->gen_off;
    s->turn_off = type->turn_off;
    for (int i = 0; i < JIT_N_STUBS; i++) {
        s->code[i] = make(target, i, type);
        if (!s->code[i]) {
            free(s);
            return NULL;
        }
    }
    s->next = all;
    all = s;
    return s;
}

const uint8_t *const *
jit_stubs(const struct jit_target *target, const struct vm_prog_type *type)
{
    static const struct vm_prog_type no_type;
    struct stubs *s;

    type = type ? type : &no_type;
    pthread_mutex_lock(&mutex);
    for (s = all; s; s = s->next) {
        if (s->gen_off == type->gen_off && s->turn_off == type->turn_off) {
            break;
        }
    }
    s = s ? s : make_all(target, type);
    pthread_mutex_unlock(&mutex);
    return s ? s->code : NULL;
}
