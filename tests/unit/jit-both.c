/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/jit-both.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "jit/jit.h"
#include "vm/disasm.h"
#include "vm/map.h"
#include "vm/prog.h"

void
both_clear(struct both *b)
{
    b->n = 0;
    if (b->prog) {
        vm_prog_unref(b->prog);
        vm_defer_run();
        b->prog = NULL;
    }
}

void
both_free(struct both *b)
{
    both_clear(b);
    free(b->insns);
    b->insns = NULL;
    b->allocated = 0;
}

void
both_put(struct both *b, struct vm_insn insn)
{
    if (b->n == b->allocated) {
        b->allocated = 2 * b->allocated + 256;
        b->insns = realloc(b->insns, b->allocated * sizeof *b->insns);
        assert_non_null(b->insns);
    }
    b->insns[b->n++] = insn;
}

void
both_put_const(struct both *b, int dst, uint64_t x)
{
    BOTH_PUT(b, VM_LDDW, dst, 0, 0, (int32_t) x);
    BOTH_PUT(b, 0, 0, 0, 0, (int32_t) (x >> 32));
}

static void
fail_with(const struct both *b, const char *what)
{
    char *text = vm_prog_disasm(b->prog, VM_DISASM_NUMBERS);

    /* Long programs are all alike. */
    print_error("%s\n%.20000s\n", what, text);
    free(text);
    fail();
}

/* What the verifier would say of a program without dead code. */
static int
trust(struct vm_prog *prog, const struct vm_verify_opts *opts,
      struct vm_err *err)
{
    for (uint32_t pc = 0; pc < prog->n_insns;
         pc += vm_insn_slots(&prog->insns[pc])) {
        prog->aux[pc].flags |= VM_AUX_SEEN;
    }
    return 0;
}

void
both_load(struct both *b)
{
    static struct vm_prog_type type;
    static struct vm_ctx_member member;
    struct vm_prog_attr attr = { .type = &type, .insns = b->insns,
                                 .n_insns = b->n, .verify = trust,
                                 .maps = b->maps, .n_maps = !!b->maps[0],
                                 .backend = jit_backend(), .name = "both" };
    struct vm_err err;

    if (!type.name) {
        vm_type_init_mem(&type, &member, BOTH_SIZE);
    }
    if (vm_prog_load(&attr, &b->prog, &err)) {
        b->prog = NULL;
        print_error("%s\n", err.text);
        fail();
    }
    if (!b->prog->native) {
        fail_with(b, vm_prog_compile_error(b->prog));
    }
}

void
both_run(struct both *b, const uint8_t *memory)
{
    static uint8_t copies[2][BOTH_SIZE] __attribute__((aligned(16)));
    uint64_t result[2];

    /* At the same address, which the programs see. */
    memcpy(copies[0], memory, BOTH_SIZE);
    result[0] = vm_prog_run_fast(b->prog, copies[0] + BOTH_MIDDLE);
    memcpy(copies[1], copies[0], BOTH_SIZE);
    memcpy(copies[0], memory, BOTH_SIZE);
    result[1] = b->prog->native(copies[0] + BOTH_MIDDLE, b->prog);
    if (result[0] != result[1]) {
        char text[100];

        snprintf(text, sizeof text, "r0 %#jx, native %#jx",
                 (uintmax_t) result[0], (uintmax_t) result[1]);
        fail_with(b, text);
    }
    for (size_t i = 0; memcmp(copies[0], copies[1], BOTH_SIZE)
                       && i < BOTH_SIZE; i++) {
        if (copies[0][i] != copies[1][i]) {
            char text[100];

            snprintf(text, sizeof text, "byte %td is %#x, native %#x",
                     (ptrdiff_t) i - BOTH_MIDDLE, copies[1][i],
                     copies[0][i]);
            fail_with(b, text);
        }
    }
}
