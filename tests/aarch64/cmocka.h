/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_AARCH64_CMOCKA_H
#define TESTS_AARCH64_CMOCKA_H 1

/* What the tests of vm/ and jit/ use of cmocka, for `make check-aarch64':
 * Debian has that library for a foreign machine only by way of multiarch,
 * which is not ours to switch on.  Prints TAP. */

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
    int (*setup)(void **state), (*teardown)(void **state);
};

#define cmocka_unit_test(FN) { #FN, FN, NULL, NULL }
#define cmocka_unit_test_setup_teardown(FN, SETUP, TEARDOWN) \
    { #FN, FN, SETUP, TEARDOWN }
#define cmocka_run_group_tests(TESTS, SETUP, TEARDOWN) \
    cmocka_run(TESTS, sizeof (TESTS) / sizeof (TESTS)[0], SETUP, TEARDOWN)
#define cmocka_run_group_tests_name(NAME, TESTS, SETUP, TEARDOWN) \
    cmocka_run_group_tests(TESTS, SETUP, TEARDOWN)

#define print_error(...) fprintf(stderr, __VA_ARGS__)
#define print_message(...) printf(__VA_ARGS__)

/* Of the test that runs; the same in all files. */
__attribute__((weak)) jmp_buf cmocka_end;

enum { CMOCKA_FAILED = 1, CMOCKA_SKIPPED };

#define fail_msg(...)                                                   \
    do {                                                                \
        printf("# " __VA_ARGS__);                                       \
        putchar('\n');                                                  \
        longjmp(cmocka_end, CMOCKA_FAILED);                             \
    } while (0)
#define fail() fail_msg("%s:%d", __FILE__, __LINE__)
#define skip() longjmp(cmocka_end, CMOCKA_SKIPPED)

#define CMOCKA_ASSERT(OK, WHAT)                                         \
    do {                                                                \
        if (!(OK)) {                                                    \
            fail_msg("%s:%d: %s", __FILE__, __LINE__, WHAT);            \
        }                                                               \
    } while (0)

#define assert_true(X) CMOCKA_ASSERT(X, #X)
#define assert_false(X) CMOCKA_ASSERT(!(X), "!(" #X ")")
#define assert_null(X) CMOCKA_ASSERT(!(X), #X " is not null")
#define assert_non_null(X) CMOCKA_ASSERT(X, #X " is null")
#define assert_ptr_equal(A, B) CMOCKA_ASSERT((A) == (B), #A " != " #B)
#define assert_ptr_not_equal(A, B) CMOCKA_ASSERT((A) != (B), #A " == " #B)
#define assert_int_not_equal(A, B) \
    CMOCKA_ASSERT((uintmax_t) (A) != (uintmax_t) (B), #A " == " #B)
#define assert_string_not_equal(A, B) \
    CMOCKA_ASSERT(strcmp(A, B), #A " equals " #B)
#define assert_memory_not_equal(A, B, N) \
    CMOCKA_ASSERT(memcmp(A, B, N), #A " equals " #B)
#define assert_string_equal(A, B) \
    CMOCKA_ASSERT(!strcmp(A, B), #A " differs from " #B)
#define assert_memory_equal(A, B, N) \
    CMOCKA_ASSERT(!memcmp(A, B, N), #A " differs from " #B)
#define assert_int_equal(A, B) \
    cmocka_equal((uintmax_t) (A), (uintmax_t) (B), __FILE__, __LINE__)
#define assert_in_range(X, MIN, MAX)                                    \
    CMOCKA_ASSERT((uintmax_t) (X) >= (uintmax_t) (MIN)                  \
                  && (uintmax_t) (X) <= (uintmax_t) (MAX),              \
                  #X " is not in [" #MIN ", " #MAX "]")

static inline void
cmocka_equal(uintmax_t a, uintmax_t b, const char *file, int line)
{
    if (a != b) {
        fail_msg("%s:%d: %#jx != %#jx", file, line, a, b);
    }
}

static inline int
cmocka_run(const struct CMUnitTest *tests, size_t n,
           int (*setup)(void **state), int (*teardown)(void **state))
{
    static size_t i;            /* These survive longjmp(). */
    static int n_failed;
    static void *state;

    state = NULL;
    n_failed = setup ? setup(&state) : 0;
    printf("1..%zu\n", n);
    for (i = 0; i < n; i++) {
        int how = setjmp(cmocka_end);

        if (!how) {
            if (tests[i].setup && tests[i].setup(&state)) {
                fail();
            }
            tests[i].run(&state);
            printf("ok %zu - %s\n", i + 1, tests[i].name);
        } else if (how == CMOCKA_SKIPPED) {
            printf("ok %zu - %s # skip\n", i + 1, tests[i].name);
        } else {
            printf("not ok %zu - %s\n", i + 1, tests[i].name);
            n_failed++;
        }
        if (tests[i].teardown) {
            tests[i].teardown(&state);
        }
        fflush(stdout);
    }
    return n_failed + (teardown ? teardown(&state) : 0);
}

#endif /* tests/aarch64/cmocka.h */
