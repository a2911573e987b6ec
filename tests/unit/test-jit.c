/* SPDX-License-Identifier: Apache-2.0 */

/* The JIT against the checked interpreter: random programs that the verifier
 * accepts must give the same result and leave the same memory. */

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "jit/jit.h"
#include "tests/unit/vm-data.h"
#include "vm/asm.h"
#include "vm/disasm.h"
#include "vm/map.h"
#include "vm/prog.h"
#include "vm/verify.h"

#define MEM_SIZE 64
#define MAX_INSNS 400

struct gen {
    uint64_t seed;
    struct vm_insn insns[MAX_INSNS];
    int n;
};

static uint64_t
rnd(struct gen *g)
{
    uint64_t x = g->seed += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t
rnd_below(struct gen *g, uint64_t n)
{
    return rnd(g) % n;
}

/* Numbers near the borders are where code generation goes wrong. */
static uint64_t
rnd_number(struct gen *g)
{
    static const uint64_t edges[] = {
        0, 1, 2, 127, 128, 255, 0x7fff, 0x8000, INT32_MAX, UINT32_MAX,
        INT64_MAX, UINT64_C(0x8000000000000000), UINT64_MAX
    };

    return rnd_below(g, 3) ? rnd(g)
           : edges[rnd_below(g, sizeof edges / sizeof edges[0])]
             + rnd_below(g, 3) - 1;
}

static void
put(struct gen *g, struct vm_insn insn)
{
    g->insns[g->n++] = insn;
}

#define PUT(G, CODE, DST, SRC, OFF, IMM) \
    put(G, (struct vm_insn) { CODE, DST, SRC, OFF, IMM })

static void
put_const(struct gen *g, int dst, uint64_t x)
{
    PUT(g, VM_LDDW, dst, 0, 0, (int32_t) x);
    PUT(g, 0, 0, 0, 0, (int32_t) (x >> 32));
}

/* r9 keeps the context; r0 to r8 hold numbers. */
static int
rnd_reg(struct gen *g)
{
    return rnd_below(g, 9);
}

static void
put_alu(struct gen *g)
{
    static const uint8_t ops[] = {
        VM_ADD, VM_SUB, VM_MUL, VM_DIV, VM_OR, VM_AND, VM_LSH, VM_RSH,
        VM_MOD, VM_XOR, VM_MOV, VM_ARSH
    };
    uint8_t op = ops[rnd_below(g, sizeof ops)];
    uint8_t class = rnd(g) & 1 ? VM_ALU : VM_ALU64;
    bool divides = op == VM_DIV || op == VM_MOD;
    int off = divides && rnd(g) & 1;

    if (rnd(g) & 1) {
        PUT(g, class | op | VM_X, rnd_reg(g), rnd_reg(g), off, 0);
    } else {
        int32_t imm = rnd_number(g);

        if (op == VM_LSH || op == VM_RSH || op == VM_ARSH) {
            imm &= class == VM_ALU ? 31 : 63;
        } else if (divides && !imm) {
            imm = 1;
        }
        PUT(g, class | op, rnd_reg(g), 0, off, imm);
    }
}

static void
put_unary(struct gen *g)
{
    static const int sizes[] = { 16, 32, 64 }, parts[] = { 8, 16, 32 };
    int reg = rnd_reg(g);

    switch (rnd_below(g, 5)) {
    case 0:
        PUT(g, (rnd(g) & 1 ? VM_ALU : VM_ALU64) | VM_NEG, reg, 0, 0, 0);
        break;
    case 1:
        PUT(g, VM_ALU64 | VM_END, reg, 0, 0, sizes[rnd_below(g, 3)]);
        break;
    case 2:
        PUT(g, VM_ALU | VM_END | (rnd(g) & 8), reg, 0, 0,
            sizes[rnd_below(g, 3)]);
        break;
    case 3:
        PUT(g, VM_ALU64 | VM_MOV | VM_X, reg, rnd_reg(g),
            parts[rnd_below(g, 3)], 0);
        break;
    default:
        PUT(g, VM_ALU | VM_MOV | VM_X, reg, rnd_reg(g),
            parts[rnd_below(g, 2)], 0);
        break;
    }
}

static void
put_mem(struct gen *g)
{
    static const uint8_t codes[] = { VM_W, VM_H, VM_B, VM_DW };
    static const int bytes[] = { 4, 2, 1, 8 };
    int i = rnd_below(g, 4), reg = rnd_reg(g);
    bool stack = rnd(g) & 1;
    int base = stack ? VM_FP : VM_R9;
    int off = bytes[i] * rnd_below(g, MEM_SIZE / bytes[i])
              - (stack ? MEM_SIZE : 0);

    switch (rnd_below(g, 4)) {
    case 0:
        PUT(g, VM_LDX | VM_MEM | codes[i], reg, base, off, 0);
        break;
    case 1:
        PUT(g, VM_LDX | (codes[i] == VM_DW ? VM_MEM : VM_MEMSX) | codes[i],
            reg, base, off, 0);
        break;
    case 2:
        PUT(g, VM_STX | VM_MEM | codes[i], base, reg, off, 0);
        break;
    default:
        PUT(g, VM_ST | VM_MEM | codes[i], base, 0, off, rnd_number(g));
        break;
    }
}

static void
put_atomic(struct gen *g)
{
    static const int32_t ops[] = {
        VM_ADD, VM_OR, VM_AND, VM_XOR, VM_ADD | VM_FETCH, VM_OR | VM_FETCH,
        VM_AND | VM_FETCH, VM_XOR | VM_FETCH, VM_XCHG, VM_CMPXCHG
    };
    bool wide = rnd(g) & 1, stack = rnd(g) & 1;
    int bytes = wide ? 8 : 4;

    PUT(g, VM_STX | VM_ATOMIC | (wide ? VM_DW : VM_W),
        stack ? VM_FP : VM_R9, rnd_reg(g),
        bytes * rnd_below(g, MEM_SIZE / bytes) - (stack ? MEM_SIZE : 0),
        ops[rnd_below(g, sizeof ops / sizeof ops[0])]);
}

/* Over one to four instructions, which put_some() then makes. */
static void put_some(struct gen *, int n);

static void
put_jump(struct gen *g)
{
    static const uint8_t ops[] = {
        VM_JEQ, VM_JGT, VM_JGE, VM_JSET, VM_JNE, VM_JSGT, VM_JSGE, VM_JLT,
        VM_JLE, VM_JSLT, VM_JSLE
    };
    uint8_t code = (rnd(g) & 1 ? VM_JMP : VM_JMP32)
                   | ops[rnd_below(g, sizeof ops)];
    int at = g->n;

    if (rnd(g) & 1) {
        PUT(g, code | VM_X, rnd_reg(g), rnd_reg(g), 0, 0);
    } else {
        PUT(g, code, rnd_reg(g), 0, 0, rnd_number(g));
    }
    put_some(g, 1 + rnd_below(g, 4));
    g->insns[at].off = g->n - at - 1;
}

static void
put_some(struct gen *g, int n)
{
    while (n-- > 0 && g->n < MAX_INSNS - 120) {
        switch (rnd_below(g, 12)) {
        case 0:
        case 1:
            put_unary(g);
            break;
        case 2:
        case 3:
        case 4:
            put_mem(g);
            break;
        case 5:
            put_atomic(g);
            break;
        case 6:
            put_jump(g);
            break;
        default:
            put_alu(g);
            break;
        }
    }
}

static void
generate(struct gen *g, uint64_t seed)
{
    g->seed = seed;
    g->n = 0;
    PUT(g, VM_ALU64 | VM_MOV | VM_X, VM_R9, VM_R1, 0, 0);
    for (int off = -MEM_SIZE; off < 0; off += 8) {
        PUT(g, VM_ST | VM_MEM | VM_DW, VM_FP, 0, off, rnd(g));
    }
    for (int r = VM_R0; r <= VM_R8; r++) {
        put_const(g, r, rnd_number(g));
    }
    put_some(g, 40 + rnd_below(g, 60));
    /* What each register and the stack hold becomes the result. */
    for (int r = VM_R1; r <= VM_R8; r++) {
        PUT(g, VM_ALU64 | VM_MUL, VM_R0, 0, 0, 31);
        PUT(g, VM_ALU64 | VM_XOR | VM_X, VM_R0, r, 0, 0);
    }
    for (int off = -MEM_SIZE; off < 0; off += 8) {
        PUT(g, VM_LDX | VM_MEM | VM_DW, VM_R1, VM_FP, off, 0);
        PUT(g, VM_ALU64 | VM_MUL, VM_R0, 0, 0, 31);
        PUT(g, VM_ALU64 | VM_ADD | VM_X, VM_R0, VM_R1, 0, 0);
    }
    PUT(g, VM_JMP | VM_EXIT, 0, 0, 0, 0);
}

static void
fail_with_program(const struct vm_prog *prog, uint64_t seed, const char *what)
{
    char *text = vm_prog_disasm(prog, VM_DISASM_NUMBERS);

    print_error("seed %"PRIu64": %s\n%s\n", seed, what, text);
    free(text);
    fail();
}

/* Returns whether the verifier accepted it. */
static bool
compare_once(const struct vm_prog_type *type, uint64_t seed)
{
    static struct gen g;
    uint64_t mem[2][MEM_SIZE / 8], result[2];
    struct vm_prog_attr attr = { .type = type, .insns = g.insns,
                                 .verify = vm_verify,
                                 .backend = jit_backend(), .name = "random" };
    struct vm_prog *prog;
    struct vm_err err;

    generate(&g, seed);
    attr.n_insns = g.n;
    if (vm_prog_load(&attr, &prog, &err)) {
        print_error("seed %"PRIu64": %s\n", seed, err.text);
        return false;
    }
    if (!prog->native) {
        fail_with_program(prog, seed, vm_prog_compile_error(prog));
    }
    for (int i = 0; i < MEM_SIZE / 8; i++) {
        mem[0][i] = mem[1][i] = rnd_number(&g);
    }
    result[0] = vm_prog_run_checked(prog, mem[0]);
    assert_int_equal(vm_fault.error, 0);
    result[1] = prog->native(mem[1], prog);
    if (result[0] != result[1] || memcmp(mem[0], mem[1], MEM_SIZE)) {
        fail_with_program(prog, seed, "native code differs");
    }
    vm_prog_unref(prog);
    return true;
}

static uint64_t
random_programs(uint64_t n, uint64_t seed)
{
    struct vm_prog_type type;
    struct vm_ctx_member member;
    uint64_t accepted = 0;

    vm_type_init_mem(&type, &member, MEM_SIZE);
    for (uint64_t i = 0; i < n; i++) {
        accepted += compare_once(&type, seed + i);
    }
    return accepted;
}

static void
test_random_programs(void **state)
{
    const char *text = getenv("BVS_TEST_PROGRAMS");
    const char *first = getenv("BVS_TEST_SEED");
    uint64_t n = text ? strtoull(text, NULL, 0) : 20000;
    uint64_t seed = first ? strtoull(first, NULL, 0) : 1;

    (void) state;
    assert_int_equal(random_programs(n, seed), n);
}

/* Each feature of the processor has a fallback. */
static void
test_without_features(void **state)
{
    static const char *const disabled[] = { "bmi2", "movbe", "bmi2,movbe" };

    (void) state;
    assert_int_equal(jit_disable("nonsense"), -EINVAL);
    for (int i = 0; i < 3; i++) {
        int error = jit_disable(disabled[i]);

        if (error) {
            break;              /* Another machine's names. */
        }
        assert_int_equal(random_programs(2000, 100000 * i), 2000);
    }
    assert_int_equal(jit_disable(""), 0);
}

/* -- The cases of tests/data/vm/ -- */

static uint64_t
run_native(const struct vm_prog *prog, void *ctx)
{
    vm_fault.error = 0;
    return prog->native(ctx, prog);
}

/* What is wrong with the case, malloc'ed, or null; '*refused' if the verifier
 * does not accept it. */
static char *
run_case(const struct vm_case *c, bool *refused)
{
    struct vm_prog_type type;
    struct vm_ctx_member member;
    struct vm_prog_attr attr = { .type = &type, .name = c->name,
                                 .verify = vm_verify,
                                 .backend = jit_backend() };
    struct vm_insn *insns;
    struct vm_prog *prog;
    struct vm_err err;
    char *wrong = NULL;

    vm_type_init_mem(&type, &member, c->mem_size);
    if (vm_asm(c->text, NULL, &insns, &attr.n_insns, &err)) {
        return strdup(err.text);
    }
    attr.insns = insns;
    *refused = vm_prog_load(&attr, &prog, &err) != 0;
    if (*refused) {
        print_message("refused: %s: %s\n", c->name, err.text);
    } else if (!prog->native) {
        wrong = strdup(vm_prog_compile_error(prog));
    } else {
        wrong = vm_data_run(c, prog, run_native);
    }
    if (!*refused) {
        vm_prog_unref(prog);
        vm_defer_run();
    }
    free(insns);
    return wrong;
}

static void
test_cases(void **state)
{
    size_t n, n_wrong = 0, n_refused = 0;
    struct vm_case *cases = vm_data_load(&n);

    (void) state;
    for (size_t i = 0; i < n; i++) {
        bool refused = false;
        char *wrong = cases[i].has_result ? run_case(&cases[i], &refused)
                      : NULL;

        if (wrong) {
            print_error("%s: %s\n", cases[i].name, wrong);
            free(wrong);
            n_wrong++;
        }
        n_refused += refused;
    }
    vm_data_free(cases, n);
    assert_int_equal(n_wrong, 0);
    assert_in_range(n_refused, 0, n / 20);
}

static void
test_unverified_is_refused(void **state)
{
    static const struct vm_insn insns[] = {
        { VM_ALU64 | VM_MOV, VM_R0, 0, 0, 7 },
        { VM_JMP | VM_EXIT, 0, 0, 0, 0 },
    };
    struct vm_prog_type type;
    struct vm_ctx_member member;
    struct vm_prog_attr attr = { .type = &type, .insns = insns, .n_insns = 2,
                                 .backend = jit_backend() };
    struct vm_prog *prog;
    struct vm_err err = { "" };
    uint64_t mem[MEM_SIZE / 8];

    (void) state;
    vm_type_init_mem(&type, &member, MEM_SIZE);
    assert_int_equal(vm_prog_load(&attr, &prog, &err), 0);
    assert_null(prog->native);
    assert_true(jit_backend()->compile(prog, &err) < 0);
    assert_non_null(strstr(err.text, "verified"));
    assert_int_equal(vm_prog_run(prog, mem), 7);
    vm_prog_unref(prog);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_programs),
        cmocka_unit_test(test_without_features),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_unverified_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
