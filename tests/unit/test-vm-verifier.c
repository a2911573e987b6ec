/* SPDX-License-Identifier: Apache-2.0 */

/* What the verifier refuses, and what it must not refuse.  Each wrong program
 * has one defect and names the rule that it breaks; a rule that no program
 * here breaks fails the test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vm-verifier-cases.h"
#include "vm/asm.h"
#include "vm/map.h"
#include "vm/prog.h"
#include "vm/verify.h"

/* A context with a member of each kind. */
#define MEMBER(NAME, OFF, SIZE, KIND, ...)                              \
    { .name = #NAME, .off = OFF, .size = SIZE, .kind = VM_CTX_##KIND,   \
      __VA_ARGS__ }

static const struct vm_ctx_member members[] = {
    MEMBER(len, 0, 4, SCALAR, .min = 14, .max = 1500),
    MEMBER(mark, 4, 4, SCALAR, .flags = VM_CTX_RW, .max = 255),
    MEMBER(data, 8, 8, PKT_DATA, .flags = 0),
    MEMBER(data_end, 16, 8, PKT_END, .flags = 0),
    MEMBER(data_meta, 24, 8, PKT_META, .flags = 0),
    MEMBER(conf, 32, 8, BLOCK, .block_size = 16),
    MEMBER(cold, 40, 8, BLOCK, .block_size = 16, .flags = VM_CTX_RW),
    MEMBER(secret, 48, 8, HIDDEN, .flags = 0),
    MEMBER(mem, 56, 16, MEM, .flags = VM_CTX_RW),
    MEMBER(cookie, 72, 8, SCALAR, .flags = VM_CTX_RW),
    MEMBER(moved, 80, 4, SCALAR, .real_off = 96, .real_size = 4),
};

static uint64_t
helper_zero(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
    return 0;
}

static const struct vm_helper helpers[] = {
    { .id = VM_HELPER_DP, .name = "take_ctx", .fn = helper_zero,
      .ret = VM_RET_INT, .args = { VM_ARG_CTX }, .ret_max = 10 },
    { .id = VM_HELPER_DP + 1, .name = "move_packet", .fn = helper_zero,
      .ret = VM_RET_INT, .args = { VM_ARG_CTX },
      .flags = VM_HF_MOVES_PACKET },
    { .id = VM_HELPER_DP + 2, .name = "get_mem", .fn = helper_zero,
      .ret = VM_RET_MEM_OR_NULL, .args = { VM_ARG_CTX, VM_ARG_CONST_SIZE } },
    { .id = VM_HELPER_DP + 3, .name = "fill", .fn = helper_zero,
      .ret = VM_RET_VOID, .args = { VM_ARG_MEM_OUT, VM_ARG_SIZE } },
    { .id = VM_HELPER_DP + 4, .name = "sum", .fn = helper_zero,
      .ret = VM_RET_INT,
      .args = { VM_ARG_MEM_OR_NULL, VM_ARG_SIZE_OR_ZERO } },
    { .id = VM_HELPER_DP + 5, .name = "hash", .fn = helper_zero,
      .ret = VM_RET_INT, .args = { VM_ARG_MEM, VM_ARG_SIZE },
      .flags = VM_HF_NO_PACKET_MEM },
    { .id = VM_HELPER_DP + 6, .name = "number", .fn = helper_zero,
      .ret = VM_RET_INT, .args = { VM_ARG_ANY } },
};

static const struct vm_helper_set own_helpers = {
    helpers, sizeof helpers / sizeof helpers[0]
};
static const struct vm_helper_set *const sets[] = {
    &vm_helpers_base, &own_helpers
};

static const struct vm_prog_type type = {
    .name = "test",
    .ctx_size = 88,
    .members = members,
    .n_members = sizeof members / sizeof members[0],
    .helper_sets = sets,
    .n_helper_sets = 2,
    .gen_off = VM_NO_GEN,
    .max_path = 5000,
    .ret_max = 4,
};

/* In the order that programs count them in. */
static const struct vm_map_attr map_attrs[] = {
    { .kind = VM_MAP_array, .key_size = 4, .value_size = 16,
      .max_entries = 4, .name = "array" },
    { .kind = VM_MAP_hash, .key_size = 4, .value_size = 8,
      .max_entries = 16, .name = "hash" },
    { .kind = VM_MAP_prog_array, .key_size = 4, .value_size = 4,
      .max_entries = 4, .name = "progs" },
    { .kind = VM_MAP_ringbuf, .max_entries = 4096, .name = "ring" },
    { .kind = VM_MAP_array, .key_size = 4, .value_size = 8, .max_entries = 1,
      .flags = VM_MF_RDONLY_PROG, .name = "rodata" },
    { .kind = VM_MAP_array, .key_size = 4, .value_size = 8, .max_entries = 1,
      .flags = VM_MF_WRONLY_PROG, .name = "wronly" },
};
#define N_MAPS (sizeof map_attrs / sizeof map_attrs[0])

static struct vm_map *maps[N_MAPS];

static int
setup(void **state)
{
    for (size_t i = 0; i < N_MAPS; i++) {
        struct vm_err err;

        if (vm_map_create(&map_attrs[i], &maps[i], &err)) {
            print_error("%s\n", err.text);
            return -1;
        }
    }
    return 0;
}

static int
teardown(void **state)
{
    for (size_t i = 0; i < N_MAPS; i++) {
        vm_map_unref(maps[i]);
    }
    vm_defer_run();
    return 0;
}

/* What vm_prog_load() says, with the sentence in 'err'. */
static int
load(const char *text, const struct vm_verify_opts *opts, struct vm_err *err)
{
    const struct vm_asm_opts asm_opts = { &type, maps, N_MAPS };
    struct vm_prog_attr attr = { .type = &type, .name = "test",
                                 .maps = maps, .n_maps = N_MAPS,
                                 .verify = vm_verify, .verify_opts = opts };
    struct vm_insn *insns;
    struct vm_prog *prog;
    int error;

    err->text[0] = '\0';
    if (vm_asm(text, &asm_opts, &insns, &attr.n_insns, err)) {
        fail_msg("%s in\n%s", err->text, text);
    }
    attr.insns = insns;
    error = vm_prog_load(&attr, &prog, err);
    free(insns);
    if (!error) {
        vm_prog_unref(prog);
        vm_defer_run();
    }
    return error;
}

static int
rule_index(const char *name)
{
    int i = 0;

    while (vm_verify_rule_name(i) && strcmp(vm_verify_rule_name(i), name)) {
        i++;
    }
    if (!vm_verify_rule_name(i)) {
        fail_msg("there is no rule %s", name);
    }
    return i;
}

/* Rules that a text here cannot break: limits (test_limits() meets STEPS),
 * and what the loader already refuses before the verifier sees it. */
static const char *const other_tests[] = { "STEPS", "TIME", "MEMORY", "LAST",
                                           "HELPER_UNKNOWN", "STACK_DEPTH" };

static bool
is_tested_elsewhere(const char *name)
{
    for (size_t i = 0; i < sizeof other_tests / sizeof other_tests[0]; i++) {
        if (!strcmp(other_tests[i], name)) {
            return true;
        }
    }
    return false;
}

static void
test_rejects(void **state)
{
    int n_wrong = 0;
    int seen[256] = { 0 };

    for (const struct verifier_case *c = verifier_rejects; c->text; c++) {
        struct vm_err err;
        int rule = rule_index(c->rule);

        seen[rule] = 1;
        if (!load(c->text, NULL, &err)) {
            print_error("accepted (%s):\n%s\n", c->rule, c->text);
            n_wrong++;
        } else if (!strstr(err.text, vm_verify_rule_text(rule))) {
            print_error("%s:\n%s\nsays: %s\n", c->rule, c->text, err.text);
            n_wrong++;
        }
    }
    for (int i = 0; vm_verify_rule_name(i); i++) {
        if (!seen[i] && !is_tested_elsewhere(vm_verify_rule_name(i))) {
            print_error("no program breaks %s\n", vm_verify_rule_name(i));
            n_wrong++;
        }
    }
    assert_int_equal(n_wrong, 0);
}

static void
test_accepts(void **state)
{
    int n_wrong = 0;

    for (const struct verifier_case *c = verifier_accepts; c->text; c++) {
        struct vm_err err;

        if (load(c->text, NULL, &err)) {
            print_error("%s:\n%s\n%s\n", c->rule, c->text, err.text);
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

    assert_int_equal(load(loop(20), &opts, &err), 0);
    assert_true(load(loop(200), &opts, &err) < 0);
    assert_non_null(strstr(err.text, "too many steps"));
    /* 2,400 rounds are 4,800 instructions; the type allows 5,000. */
    assert_int_equal(load(loop(2400), NULL, &err), 0);
    assert_true(load(loop(2600), NULL, &err) < 0);
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
    struct vm_prog_attr attr = { .type = &type, .insns = insns,
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
        cmocka_unit_test(test_rejects),
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_longest_path),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
