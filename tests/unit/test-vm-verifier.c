/* SPDX-License-Identifier: Apache-2.0 */

/* What the verifier must not refuse, its limits, and what it finds out.  What
 * it refuses is in test-vm-reject.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vm-verifier-cases.h"
#include "tests/unit/vm-verifier-type.h"
#include "vm/map.h"
#include "vm/prog.h"
#include "vm/verify.h"

static void
test_accepts(void **state)
{
    int n_wrong = 0;

    for (const struct verifier_case *c = verifier_accepts; c->text; c++) {
        struct vm_err err;

        if (verifier_load(c->text, NULL, &err)) {
            print_error("%s:\n%s\n%s\n", c->shows, c->text, err.text);
            n_wrong++;
        }
    }
    assert_int_equal(n_wrong, 0);
}

/* A loop of 'n' rounds of two instructions. */
static const char *
loop(int n)
{
    static char text[200];

    snprintf(text, sizeof text, "r0 = 0\nagain:\nr0 += 1\n"
             "if r0 < %d goto again\nr0 = 0\nexit\n", n);
    return text;
}

static void
test_limits(void **state)
{
    struct vm_verify_opts opts = { .max_steps = 100 };
    struct vm_err err;

    assert_int_equal(verifier_load(loop(20), &opts, &err), 0);
    assert_true(verifier_load(loop(200), &opts, &err) < 0);
    assert_non_null(strstr(err.text, "too many steps"));
    /* 2,400 rounds are 4,800 instructions; the type allows 5,000. */
    assert_int_equal(verifier_load(loop(2400), NULL, &err), 0);
    assert_true(verifier_load(loop(2600), NULL, &err) < 0);
    assert_non_null(strstr(err.text, "longest path"));
}

/* The longest path is found although its end was pruned. */
static void
test_longest_path(void **state)
{
    static const struct vm_insn insns[] = {
        { VM_LDX | VM_MEM | VM_W, VM_R2, VM_R1, 0, 0 },
        { VM_ALU64 | VM_MOV, VM_R0, 0, 0, 0 },
        { VM_JMP | VM_JEQ, VM_R2, 0, 2, 100 },
        { VM_ALU64 | VM_MOV, VM_R3, 0, 0, 1 },
        { VM_ALU64 | VM_MOV, VM_R3, 0, 0, 2 },
        { VM_ALU64 | VM_MOV, VM_R4, 0, 0, 3 },
        { VM_JMP | VM_EXIT, 0, 0, 0, 0 },
    };
    struct vm_prog_attr attr = { .type = &verifier_type, .insns = insns,
                                 .n_insns = 7, .verify = vm_verify };
    struct vm_prog *prog;
    struct vm_err err;

    assert_int_equal(vm_prog_load(&attr, &prog, &err), 0);
    assert_int_equal(prog->longest_path, 7);
    assert_int_equal(prog->subprogs[0].stack, 0);
    vm_prog_unref(prog);
    vm_defer_run();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_longest_path),
    };

    return cmocka_run_group_tests(tests, verifier_setup, verifier_teardown);
}
