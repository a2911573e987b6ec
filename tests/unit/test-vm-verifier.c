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

static uint32_t main_stack, n_unseen;

static int
verify_and_note(struct vm_prog *prog, const struct vm_verify_opts *opts,
                struct vm_err *err)
{
    int error = vm_verify(prog, opts, err);

    main_stack = prog->subprogs[0].stack;
    n_unseen = 0;
    for (uint32_t pc = 0; pc < prog->n_insns; pc++) {
        n_unseen += !(prog->aux[pc].flags & VM_AUX_SEEN);
    }
    return error;
}

/* A comparison's result may contradict what is known of a number without
 * being seen at once.  When it is, later on, the number is any: it says
 * nothing of how much stack the program needs. */
static void
test_contradiction(void **state)
{
    static const char text[] =
        "r4 = *(u32 *)(r1 + 4)\n"
        "r4 &= 65535\n"
        "r4 = -r4\n"
        "if w4 & 2147483647 goto more\n"
        "w4 += w4\n"
        "more:\n"
        "if r4 s>= 134 goto next\n"
        "next:\n"
        "r4 = -r4\n"
        "r4 = -r4\n"
        "if r4 > 8 goto end\n"
        "r2 = r10\n"
        "r2 += -128\n"
        "r2 += r4\n"
        "*(u8 *)(r2 + 0) = 1\n"
        "end:\n"
        "*(u32 *)(r10 - 96) = 1\n"
        "r0 = 0\n"
        "exit\n";
    struct vm_err err = { "" };

    assert_int_equal(verifier_load_with(text, verify_and_note, NULL, &err),
                     0);
    assert_true(main_stack >= 96 && main_stack <= 136);
}

/* Nor does it end the path.  r7 does not matter in the function: the state
 * with the contradiction, of the second jump's wrong way, covers those in
 * which there is none, and what follows the call must be walked for them. */
static void
test_contradiction_covers(void **state)
{
    static const char text[] =
        "r7 = *(u32 *)(r1 + 4)\n"
        "r7 = (s8) r7\n"
        "if w7 & 1024 goto next\n"
        "next:\n"
        "r2 = r7\n"
        "r4 = r2\n"
        "call compare\n"
        "r7 += 201\n"
        "r0 = 0\n"
        "exit\n"
        "compare:\n"
        "r5 = r4\n"
        "if w5 < 136577057 goto done\n"
        "done:\n"
        "r0 = 0\n"
        "exit\n";
    struct vm_err err = { "" };

    assert_int_equal(verifier_load_with(text, verify_and_note, NULL, &err),
                     0);
    assert_int_equal(n_unseen, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_longest_path),
        cmocka_unit_test(test_contradiction),
        cmocka_unit_test(test_contradiction_covers),
    };

    return cmocka_run_group_tests(tests, verifier_setup, verifier_teardown);
}
