/* SPDX-License-Identifier: Apache-2.0 */

/* What is refused, and with which words.  Each program of
 * tests/data/vm/reject/ has one defect; every place in the verifier and the
 * validator that refuses something is reached by one of them or by a test
 * here, or the last test fails. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vm-reject.h"
#include "tests/unit/vm-verifier-type.h"
#include "vm/prog.h"
#include "vm/verify.h"

/* -- Places -- */

extern const struct vm_site *const __start_vm_sites[];
extern const struct vm_site *const __stop_vm_sites[];

#define MAX_SITES 4096
static bool reached[MAX_SITES];

static void
note_site(void)
{
    const struct vm_site *const *s = __start_vm_sites;

    while (s < __stop_vm_sites && *s != vm_err_site) {
        s++;
    }
    assert_true(s < __stop_vm_sites && s - __start_vm_sites < MAX_SITES);
    reached[s - __start_vm_sites] = true;
}

/* -- Memory that runs out (the Makefile wraps these) -- */

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);

/* How many allocations still succeed; negative: all. */
static int allocations_left = -1;

static bool
allocation_fails(void)
{
    return allocations_left >= 0 && allocations_left-- == 0;
}

void *
__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(p, size);
}

/* Verifies with ever more allocations, each time one fails. */
static int
verify_starved(struct vm_prog *prog, const struct vm_verify_opts *opts,
               struct vm_err *err)
{
    int error = -ENOMEM;

    for (int n = 0; error && n < 100000; n++) {
        memset(prog->aux, 0, prog->n_insns * sizeof *prog->aux);
        allocations_left = n;
        vm_err_site = NULL;
        error = vm_verify(prog, opts, err);

        bool failed = allocations_left < 0;
        allocations_left = -1;
        if (error) {
            assert_true(failed);
            assert_non_null(strstr(err->text, "memory"));
            note_site();
        }
    }
    return error;
}

/* Branches, a loop with marks, stack at fixed and variable offsets, a helper
 * that fills memory, a local function with a tail call. */
static const char starved[] =
    "r6 = r1\n*(u64 *)(r10 - 8) = r6\n*(u32 *)(r10 - 16) = 5\n"
    "*(u8 *)(r10 - 24) = 5\nr7 = *(u32 *)(r1 + 0)\nr7 &= 7\n"
    "r8 = r10\nr8 += -40\nr8 += r7\n*(u8 *)(r8 + 0) = 1\n"
    "r7 = 0\nagain:\nr2 = *(u32 *)(r6 + 0)\nif r2 > 100 goto a\nr7 += 1\n"
    "a:\nif r2 > 200 goto b\nr7 += 1\nb:\nr7 += 1\nif r7 < 20 goto again\n"
    "r1 = r10\nr1 += -8\nr2 = r6\ncall f\nr0 = 0\nexit\n"
    "f:\nr6 = r2\n*(u64 *)(r10 - 8) = 1\nr2 = *(u64 *)(r10 - 8)\n"
    "r1 = r10\nr1 += -64\nr2 = 8\ncall fill\n"
    "r1 = r6\nr2 = map progs\nr3 = 0\ncall tail_call\nr0 = 0\nexit\n";

static void
test_out_of_memory(void **state)
{
    struct vm_err err;

    if (verifier_load_with(starved, verify_starved, NULL, &err)) {
        fail_msg("%s", err.text);
    }
}

/* -- What no text can express -- */

/* The loader has checked what this changes: the verifier must look itself. */
static int
verify_broken(struct vm_prog *prog, const struct vm_verify_opts *opts,
              struct vm_err *err)
{
    ((struct vm_insn *) prog->insns)[0].imm = 9999;
    return vm_verify(prog, opts, err);
}

static void
test_not_validated(void **state)
{
    struct vm_err err;

    assert_true(verifier_load_with("call take_ctx\nr0 = 0\nexit\n",
                                   verify_broken, NULL, &err) < 0);
    assert_non_null(strstr(err.text, "the program type has no such helper"));
    note_site();
}

/* -- Limits -- */

#define LONG_LOOP "r0 = 0\nr2 = *(u32 *)(r1 + 0)\nagain:\nr0 += 1\n" \
    "if r2 == 5 goto a\nif r0 < 900000 goto again\na:\nr0 = 0\nexit\n"

static void
test_limits(void **state)
{
    static const struct {
        struct vm_verify_opts opts;
        const char *says;
    } limits[] = {
        { { .max_steps = 100 }, "too many steps" },
        { { .max_ms = 1 }, "verification takes too long" },
        { { .max_memory = 4000 }, "too much memory" },
    };

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct vm_err err;

        assert_int_equal(verifier_load(LONG_LOOP, &limits[i].opts, &err),
                         -E2BIG);
        if (!strstr(err.text, limits[i].says)) {
            fail_msg("'%s', expected '%s'", err.text, limits[i].says);
        }
        note_site();
    }
}

/* Sizes that the loader refuses. */
static void
test_sizes(void **state)
{
    static const struct vm_prog_type small = {
        .name = "small", .max_insns = 1, .gen_off = VM_NO_GEN,
    };
    static const struct vm_insn insns[2] = {
        { .code = VM_ALU64 | VM_MOV }, { .code = VM_JMP | VM_EXIT },
    };
    struct vm_err err;

    assert_int_equal(vm_validate(insns, 0, NULL, 0, &err), -EINVAL);
    assert_string_equal(err.text, "the program is empty");
    note_site();
    assert_int_equal(vm_validate(insns, 2, &small, 0, &err), -E2BIG);
    assert_string_equal(err.text, "the program has 2 instructions, at most 1 "
                        "are possible");
    note_site();
    assert_int_equal(vm_validate(insns, 1, NULL, 1, &err), -EINVAL);
    note_site();

    allocations_left = 0;
    int error = vm_validate(insns, 2, NULL, 0, &err);
    allocations_left = -1;
    assert_int_equal(error, -ENOMEM);
    note_site();
}

/* -- The files -- */

static struct vm_reject *cases;
static size_t n_cases;

/* Whether 'text' is what a case expects; prints what it is if not. */
static bool
says(const struct vm_reject *c, const char *text)
{
    char place[64], reg[32] = "", rule[512] = "";

    snprintf(place, sizeof place, "insn %d (", c->insn);
    if (c->regno >= 0) {
        snprintf(reg, sizeof reg, "): r%d is ", c->regno);
    }
    if (c->rule) {
        snprintf(rule, sizeof rule, ": %s; ", vm_verify_rule_text(
                     verifier_rule_index(c->rule)));
    }
    if ((c->says && strcmp(text, c->says))
        || (c->rule && (strncmp(text, place, strlen(place))
                        || !strstr(text, rule) || !strstr(text, reg)))) {
        print_error("%s: expected %s%s%s%s%s\nsays: %s\n", c->name,
                    c->rule ? place : "", reg, c->rule ? c->rule : "",
                    c->says ? " " : "", c->says ? c->says : "", text);
        return false;
    }
    return true;
}

static void
test_files(void **state)
{
    bool seen[256] = { false };
    int n_wrong = 0;

    for (size_t i = 0; i < n_cases; i++) {
        const struct vm_reject *c = &cases[i];
        struct vm_err err;

        if (c->rule) {
            seen[verifier_rule_index(c->rule)] = true;
        }
        if (!verifier_load(c->text, NULL, &err)) {
            print_error("%s: accepted\n", c->name);
            n_wrong++;
        } else {
            n_wrong += !says(c, err.text);
            note_site();
        }
    }
    assert_int_equal(n_wrong, 0);
    assert_true(n_cases >= 300);

    /* Limits, and what the validator has refused before: tests above. */
    static const char *const others[] = {
        "STEPS", "TIME", "MEMORY", "HELPER_UNKNOWN",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        seen[verifier_rule_index(others[i])] = true;
    }
    for (int i = 0; vm_verify_rule_name(i); i++) {
        if (!seen[i]) {
            fail_msg("no program breaks %s", vm_verify_rule_name(i));
        }
    }
}

/* No two programs are the same. */
static void
test_different(void **state)
{
    for (size_t i = 0; i < n_cases; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!strcmp(cases[i].text, cases[j].text)
                || !strcmp(cases[i].name, cases[j].name)) {
                fail_msg("%s is %s", cases[i].name, cases[j].name);
            }
        }
    }
}

/* Comes last. */
static void
test_every_place(void **state)
{
    int n_missed = 0, n = 0;

    for (const struct vm_site *const *s = __start_vm_sites;
         s < __stop_vm_sites; s++) {
        if (strncmp((*s)->file, "vm/verifier/", 12)
            && strcmp((*s)->file, "vm/validate.c")) {
            continue;
        }
        n++;
        if (!reached[s - __start_vm_sites]) {
            print_error("%s:%d: no test gets here\n", (*s)->file, (*s)->line);
            n_missed++;
        }
    }
    /* If the linker had left the section out, nothing would be proved. */
    assert_true(n > 60);
    assert_int_equal(n_missed, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_not_validated),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_different),
        cmocka_unit_test(test_every_place),
    };

    cases = vm_reject_load(&n_cases);
    int failed = cmocka_run_group_tests(tests, verifier_setup,
                                        verifier_teardown);
    vm_reject_free(cases, n_cases);
    return failed;
}
