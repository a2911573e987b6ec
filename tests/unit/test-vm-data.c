/* SPDX-License-Identifier: Apache-2.0 */

/* The cases of tests/data/vm/ on the interpreters, and what must be true of
 * all of them: every instruction of isa.def has a case, text and
 * instructions turn into each other without a loss. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vm-data.h"
#include "vm/asm.h"
#include "vm/disasm.h"
#include "vm/map.h"

static struct vm_case *cases;
static size_t n_cases;

struct loaded {
    struct vm_prog_type type;
    struct vm_ctx_member member;
    struct vm_insn *insns;
    uint32_t n_insns;
    struct vm_prog *prog;
    struct vm_err err;
    int error;
};

static void
load(struct loaded *l, const struct vm_case *c, vm_verify_fn *verify)
{
    memset(l, 0, sizeof *l);
    vm_type_init_mem(&l->type, &l->member, c->mem_size);
    l->type.fuel = 100000;
    l->error = vm_asm(c->text, NULL, &l->insns, &l->n_insns, &l->err);
    if (!l->error) {
        const struct vm_prog_attr attr = {
            .type = &l->type,
            .name = c->name,
            .insns = l->insns,
            .n_insns = l->n_insns,
            .verify = verify,
        };

        l->error = vm_prog_load(&attr, &l->prog, &l->err);
    }
}

static void
unload(struct loaded *l)
{
    vm_prog_unref(l->prog);
    vm_defer_run();
    free(l->insns);
}

static void
run_all(vm_verify_fn *verify, bool faults,
        uint64_t (*run)(const struct vm_prog *, void *))
{
    int n_wrong = 0;

    for (size_t i = 0; i < n_cases; i++) {
        const struct vm_case *c = &cases[i];
        struct loaded l;
        char *wrong = NULL;

        if (c->fault && !faults) {
            continue;
        }
        load(&l, c, verify);
        if (c->error) {
            if (!l.error || !strstr(l.err.text, c->error)) {
                wrong = strdup(l.error ? l.err.text : "it was accepted");
            }
        } else if (l.error) {
            wrong = strdup(l.err.text);
        } else {
            wrong = vm_data_run(c, l.prog, run);
        }
        if (wrong) {
            print_error("%s: %s\n", c->name, wrong);
            n_wrong++;
        }
        free(wrong);
        unload(&l);
    }
    assert_int_equal(n_wrong, 0);
}

static void
test_checked(void **state)
{
    run_all(NULL, true, vm_prog_run);
}

static void
test_fast(void **state)
{
    run_all(vm_data_trust, false, vm_prog_run);
}

static void
test_checked_of_verified(void **state)
{
    run_all(vm_data_trust, true, vm_prog_run_checked);
}

/* Each row of isa.def stands in a program that has a result. */
static void
test_every_instruction(void **state)
{
    bool seen[VM_N_INSNS] = { false };
    int n_missing = 0;

    for (size_t i = 0; i < n_cases; i++) {
        struct loaded l;

        if (!cases[i].has_result) {
            continue;
        }
        load(&l, &cases[i], NULL);
        for (uint32_t pc = 0; pc < l.n_insns;
             pc += vm_insn_slots(&l.insns[pc])) {
            seen[vm_insn_id(&l.insns[pc])] = true;
        }
        unload(&l);
    }

    /* What needs maps is tested in test-vm-prog.c and test-vm-maps.c. */
    seen[VM_I_LDMAP] = seen[VM_I_LDMAPVAL] = seen[VM_I_CALL] = true;
    for (int id = 0; id < VM_N_INSNS; id++) {
        if (!seen[id]) {
            print_error("no case for %s\n", vm_isa[id].name);
            n_missing++;
        }
    }
    assert_int_equal(n_missing, 0);
}

static void
check_round_trip(const struct vm_case *c, const struct vm_insn *insns,
                 uint32_t n, uint32_t flags)
{
    const struct vm_disasm_opts opts = { .flags = flags };
    char *text = vm_disasm(insns, n, &opts);
    struct vm_insn *again;
    uint32_t n_again;
    struct vm_err err;

    assert_non_null(text);
    if (vm_asm(text, NULL, &again, &n_again, &err)) {
        fail_msg("%s: %s in\n%s", c->name, err.text, text);
    }
    assert_int_equal(n_again, n);
    if (memcmp(again, insns, n * sizeof *insns)) {
        fail_msg("%s: comes back different from\n%s", c->name, text);
    }
    free(again);
    free(text);
}

static void
test_round_trip(void **state)
{
    for (size_t i = 0; i < n_cases; i++) {
        struct vm_insn *insns;
        uint32_t n;
        struct vm_err err;

        if (vm_asm(cases[i].text, NULL, &insns, &n, &err)) {
            fail_msg("%s: %s", cases[i].name, err.text);
        }
        check_round_trip(&cases[i], insns, n, 0);
        check_round_trip(&cases[i], insns, n, VM_DISASM_LABELS);
        check_round_trip(&cases[i], insns, n, VM_DISASM_BYTES);
        free(insns);
    }
}

/* Random bytes too: what is no instruction becomes '.raw'. */
static void
test_round_trip_random(void **state)
{
    const struct vm_case c = { .name = "random" };
    uint64_t x = 88172645463325252u;

    for (int i = 0; i < 20000; i++) {
        struct vm_insn insns[4];

        for (size_t j = 0; j < 4; j++) {
            const struct vm_isa *isa;

            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            memcpy(&insns[j], &x, sizeof x);
            isa = &vm_isa[x % VM_N_INSNS];
            if (i % 2) {
                insns[j].code = isa->code;
            }
            if (i % 4 == 3) {
                insns[j].dst %= 10;
                insns[j].src %= 10;
                insns[j].off = x & 0x800 ? isa->selval : insns[j].off;
                insns[j].imm = x & 0x400 ? isa->selval : 0;
            }
        }
        check_round_trip(&c, insns, 4, 0);
        check_round_trip(&c, insns, 4, VM_DISASM_LABELS);
    }
}

static const struct {
    const char *text;
    const char *error;
} bad_text[] = {
    { "r0 = 0\nr11 = 1\nexit", "line 2: expected a statement at 'r11 = 1'" },
    { "r0 = 0x1ffffffff", "line 1: expected a constant of 32 bits" },
    { "r0 = 4294967295", "line 1: expected a constant of 32 bits" },
    { "r0 += w1", "line 1: expected a register or a constant" },
    { "r0 = 5 ll ll", "line 1: expected the end of the line" },
    { "exit exit", "line 1: expected the end of the line" },
    { "goto nowhere\nexit", "line 1: there is no label nowhere" },
    { "call nothing\nexit", "line 1: there is no label nothing, nor such a "
      "helper" },
    { "a: exit\na: exit", "line 2: label a is defined twice" },
    { "r0 = *(u24 *)(r1 + 0)", "line 1: expected u8 to u64 or s8 to s32" },
    { "*(s8 *)(r1 + 0) = 5", "line 1: expected u8 to u64" },
    { "r0 = *(u8 *)(r1 + 40000)", "line 1: expected an offset of 16 bits" },
    { "r0 = *(u8 *)(r1 + 4", "line 1: expected ')'" },
    { "if r0 <> 4 goto +1", "line 1: expected a register or a constant" },
    { "if r0 > 4 jump +1", "line 1: expected 'goto'" },
    { "r1 = be16 r2", "line 1: expected the same register on both sides" },
    { "r1 = -r2", "line 1: expected the same register on both sides" },
    { "w1 = (s32)w2", "line 1: expected an operation that exists in this "
      "width" },
    { "r2 = atomic_fetch_nand((u64 *)(r1 + 0), r2)", "line 1: expected an "
      "operation that exists in this width" },
    { "r2 = xchg((u64 *)(r1 + 0), r3)", "line 1: expected the same register "
      "on both sides" },
    { "lock *(u16 *)(r1 + 0) += r2", "line 1: expected an operation that "
      "exists in this width" },
    { "r10 = 5", "line 1: r10, the frame pointer, cannot be written" },
    { "r1 = map flows", "line 1: expected a map at 'flows'" },
    { ".raw abc", "line 1: expected a number of 64 bits" },
    { "goto +70000", "line 1: expected a distance of 16 bits" },
    { "r1 =", "line 1: expected a register or a constant" },
    { "r1", "line 1: expected an operator" },
    { "\n\n  hello", "line 3: expected a statement at 'hello'" },
};

static void
test_bad_text(void **state)
{
    for (size_t i = 0; i < sizeof bad_text / sizeof bad_text[0]; i++) {
        struct vm_insn *insns;
        uint32_t n;
        struct vm_err err = { "" };

        if (!vm_asm(bad_text[i].text, NULL, &insns, &n, &err)) {
            fail_msg("'%s' was accepted", bad_text[i].text);
        }
        if (!strstr(err.text, bad_text[i].error)) {
            fail_msg("'%s': '%s', expected '%s'", bad_text[i].text, err.text,
                     bad_text[i].error);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checked),
        cmocka_unit_test(test_fast),
        cmocka_unit_test(test_checked_of_verified),
        cmocka_unit_test(test_every_instruction),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_round_trip_random),
        cmocka_unit_test(test_bad_text),
    };

    cases = vm_data_load(&n_cases);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vm_data_free(cases, n_cases);
    return failed;
}
