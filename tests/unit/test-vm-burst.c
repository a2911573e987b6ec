/* SPDX-License-Identifier: Apache-2.0 */

/* Bursts: yields, gotos between programs, on each engine. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "jit/jit.h"
#include "vm/asm.h"
#include "vm/map.h"
#include "vm/prog.h"
#include "vm/verify.h"

#define N 5

struct ctx {
    uint64_t id;                /* Read-only. */
    uint64_t work;
    struct vm_slots *slots;
    struct vm_turn turn;
};

static const struct vm_ctx_member members[] = {
    { .name = "id", .off = 0, .size = 8 },
    { .name = "work", .off = 8, .size = 8, .flags = VM_CTX_RW },
    { .name = "slots", .off = 16, .size = 8, .kind = VM_CTX_HIDDEN },
};

/* note(id): one more character of what happened. */
static char noted[256];

static uint64_t
note(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    size_t n = strlen(noted);

    if (n + 1 < sizeof noted) {
        noted[n] = r1;
        noted[n + 1] = '\0';
    }
    return n;
}

static const struct vm_helper notes[] = {
    { .id = VM_HELPER_DP, .name = "note", .fn = note,
      .args = { VM_ARG_ANY } },
};
static const struct vm_helper_set note_set = { notes, 1 };
static const struct vm_helper_set *const sets[] = {
    &vm_helpers_base, &vm_helpers_versioned, &note_set,
};

static const struct vm_prog_type type = {
    .name = "burst",
    .ctx_size = sizeof(struct ctx),
    .members = members,
    .n_members = sizeof members / sizeof members[0],
    .helper_sets = sets,
    .n_helper_sets = 3,
    .fuel = 1000,
    .gen_off = offsetof(struct ctx, slots),
    .n_slots = 8,
    .turn_off = offsetof(struct ctx, turn),
    .abort_ret = 77,
};

static const struct vm_asm_opts opts = { .type = &type };

static enum { CHECKED, FAST, JIT, MIXED, N_ENGINES } engine;
static int n_loaded;            /* MIXED: every second program is native. */

static struct vm_prog *
load(const char *text)
{
    struct vm_prog_attr attr = { .type = &type };
    struct vm_insn *insns;
    struct vm_prog *prog;
    struct vm_err err;

    if (vm_asm(text, &opts, &insns, &attr.n_insns, &err)) {
        fail_msg("%s", err.text);
    }
    attr.insns = insns;
    attr.verify = engine == CHECKED ? NULL : vm_verify;
    attr.backend = engine == JIT || (engine == MIXED && n_loaded++ % 2)
                   ? jit_backend() : NULL;
    if (vm_prog_load(&attr, &prog, &err)) {
        fail_msg("%s", err.text);
    }
    if (attr.backend) {
        assert_non_null(prog->native);
    }
    free(insns);
    return prog;
}

static struct vm_slots *slots;
static struct ctx ctxs[N];

static void
set(uint32_t slot, const char *text)
{
    struct vm_prog *prog = load(text);

    vm_slots_set(slots, slot, prog);
    vm_prog_unref(prog);
}

/* Runs slot 0 for 'n' contexts 'a', 'b', ...; returns what they noted. */
static const char *
burst(uint32_t n)
{
    void *ptrs[N];

    noted[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        ptrs[i] = &ctxs[i];
        ctxs[i].id = i;
        ctxs[i].slots = slots;
        ctxs[i].turn.result = 12345;
    }
    vm_prog_run_burst(slots->prog[0], ptrs, n);
    return noted;
}

#define NOTE(CHAR) "r1 = *(u64 *)(r6 + 0)\n r1 += " #CHAR "\n call note\n"

static void
test_order(void **state)
{
    set(0, "r6 = r1\n" NOTE(97) "r1 = r6\n call yield\n"
           "r6 = r1\n" NOTE(65) "r0 = *(u64 *)(r6 + 0)\n r0 += 100\n exit");
    assert_string_equal(burst(3), engine == MIXED ? "abcABC" : "abcABC");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ctxs[i].turn.result, 100 + i);
    }
    assert_string_equal(burst(1), "aA");
    assert_int_equal(ctxs[0].turn.result, 100);
    assert_string_equal(burst(0), "");

    /* Outside of a burst it goes on at once. */
    noted[0] = '\0';
    assert_int_equal(vm_prog_run(slots->prog[0], &ctxs[2]), 102);
    assert_string_equal(noted, "cC");
}

/* Each context yields as often as its number says. */
static void
test_different_lengths(void **state)
{
    set(0, "r6 = r1\n r2 = 0\n *(u64 *)(r6 + 8) = r2\n"
           "again: r1 = *(u64 *)(r6 + 0)\n r1 += 97\n call note\n"
           "r2 = *(u64 *)(r6 + 8)\n r3 = *(u64 *)(r6 + 0)\n"
           "if r2 >= r3 goto out\n"
           "if r2 > 10 goto out\n"
           "r2 += 1\n *(u64 *)(r6 + 8) = r2\n r1 = r6\n call yield\n"
           "r6 = r1\n r1 = *(u64 *)(r6 + 0)\n r1 += 97\n call note\n"
           "r2 = *(u64 *)(r6 + 8)\n r3 = *(u64 *)(r6 + 0)\n"
           "if r2 >= r3 goto out\n"
           "r2 += 1\n *(u64 *)(r6 + 8) = r2\n r1 = r6\n call yield\n"
           "r6 = r1\n" NOTE(97)
           "out: r0 = 0\n exit");
    assert_string_equal(burst(5), "abcdebcdecde");
    assert_string_equal(burst(5), "abcdebcdecde");
}

static void
test_goto(void **state)
{
    set(0, "r6 = r1\n" NOTE(97) "r1 = r6\n r2 = 1\n call goto_slot\n"
           "r0 = 9\n exit");
    set(1, "r6 = r1\n" NOTE(65) "r1 = r6\n call yield\n r6 = r1\n" NOTE(49)
           "r1 = r6\n r2 = *(u64 *)(r6 + 0)\n r2 += 2\n call goto_slot\n"
           "r0 = 9\n exit");
    set(2, "r0 = 200\n exit");
    set(3, "r0 = 300\n exit");
    if (engine == MIXED) {
        /* The first program is interpreted, the second one is not: a yield
         * of a program that another engine called goes on at once. */
        assert_string_equal(burst(3), "aA1bB2cC3");
    } else {
        assert_string_equal(burst(3), "aAbBcC123");
    }
    assert_int_equal(ctxs[0].turn.result, 200);
    assert_int_equal(ctxs[1].turn.result, 300);
    assert_int_equal(ctxs[2].turn.result, (uint64_t) -ENOENT);
    /* Now beyond the page. */
    ctxs[4].id = 4;
    assert_string_equal(burst(5) + (engine == MIXED ? 13 : 10),
                        engine == MIXED ? "E5" : "12345");
    set(0, "r6 = r1\n r2 = *(u64 *)(r6 + 0)\n r2 += 7\n call goto_slot\n"
           "r0 = 9\n exit");
    burst(2);
    assert_int_equal(ctxs[0].turn.result, (uint64_t) -ENOENT);
    assert_int_equal(ctxs[1].turn.result, (uint64_t) -ENOENT);
}

/* From native code to a program without and back. */
static void
test_foreign(void **state)
{
    if (engine != MIXED) {
        return;
    }
    n_loaded = 1;
    set(0, "r6 = r1\n" NOTE(97) "r1 = r6\n call yield\n r6 = r1\n" NOTE(49)
           "r1 = r6\n r2 = 1\n call goto_slot\n r0 = 9\n exit");
    set(1, "r6 = r1\n" NOTE(65) "r1 = r6\n call yield\n r6 = r1\n" NOTE(97)
           "r1 = r6\n r2 = 2\n call goto_slot\n r0 = 9\n exit");
    set(2, "r6 = r1\n" NOTE(65) "r1 = r6\n call yield\n r6 = r1\n" NOTE(97)
           "r0 = *(u64 *)(r6 + 0)\n r0 += 20\n exit");
    assert_string_equal(burst(2), "ab1AaAa2BbBb");
    assert_int_equal(ctxs[0].turn.result, 20);
    assert_int_equal(ctxs[1].turn.result, 21);
}

/* What a context had in registers and on the stack is gone; the checked
 * interpreter, asked about a program that does not care, shows zeros. */
static void
test_nothing_is_left(void **state)
{
    const char *text = "r6 = 7\n call yield\n r0 = r6\n exit";
    struct vm_prog_attr attr = { .type = &type, .verify = vm_verify };
    struct vm_insn *insns;
    struct vm_prog *prog;
    struct vm_err err;

    if (engine == CHECKED) {
        set(0, text);
        burst(1);
        assert_int_equal(ctxs[0].turn.result, 0);
        set(0, "r6 = 7\n *(u64 *)(r10 - 8) = r6\n call yield\n"
               "r0 = *(u64 *)(r10 - 8)\n exit");
        burst(1);
        assert_int_equal(ctxs[0].turn.result, 0);
        return;
    }
    assert_int_equal(vm_asm(text, &opts, &insns, &attr.n_insns, &err), 0);
    attr.insns = insns;
    assert_int_not_equal(vm_prog_load(&attr, &prog, &err), 0);
    assert_non_null(strstr(err.text, "r6"));
    free(insns);
}

static void
test_fault(void **state)
{
    if (engine != CHECKED) {
        return;
    }
    set(0, "r6 = r1\n again: call yield\n goto again");
    burst(3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ctxs[i].turn.result, 77);
    }
    set(0, "call f\n exit\n f: call yield\n r0 = 0\n exit");
    burst(1);
    assert_int_equal(ctxs[0].turn.result, 77);
    assert_int_equal(vm_fault.error, -EINVAL);
}

static int
set_up(void **state)
{
    slots = vm_slots_create(8);
    memset(ctxs, 0, sizeof ctxs);
    n_loaded = 0;
    return slots ? 0 : -1;
}

static int
tear_down(void **state)
{
    vm_slots_unref(slots);
    vm_defer_run();
    return 0;
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_different_lengths),
        TEST(test_goto),
        TEST(test_foreign),
        TEST(test_nothing_is_left),
        TEST(test_fault),
    };
    int failed = 0, n_engines = jit_backend() && jit_backend()->slot_empty
                                ? N_ENGINES : JIT;

    for (engine = CHECKED; (int) engine < n_engines; engine++) {
        print_message("# engine %d\n", engine);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
