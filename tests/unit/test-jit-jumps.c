/* SPDX-License-Identifier: Apache-2.0 */

/* Jumps of every distance as native code: programs whose control goes back
 * and forth between their two ends, up to the longest program, and branches
 * over more code than one reaches; memory for code. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "jit/code.h"
#include "jit/jit.h"
#include "tests/unit/jit-both.h"
#include "vm/helper.h"
#include "vm/map.h"
#include "vm/prog.h"

#define MAX_INSNS 1000000       /* Of a program. */

static uint8_t memory[BOTH_SIZE];
static struct both both;

/* Conditions that hold while r2 is 5, r3 0 and r4 -1. */
static const struct vm_insn conditions[] = {
    { VM_JMP | VM_JEQ, VM_R2, 0, 0, 5 },
    { VM_JMP | VM_JNE, VM_R2, 0, 0, 6 },
    { VM_JMP | VM_JEQ, VM_R3, 0, 0, 0 },
    { VM_JMP | VM_JNE, VM_R2, 0, 0, 0 },
    { VM_JMP | VM_JSET, VM_R2, 0, 0, 4 },
    { VM_JMP | VM_JSET, VM_R2, 0, 0, 7 },
    { VM_JMP | VM_JGT, VM_R4, 0, 0, 70000 },
    { VM_JMP | VM_JLT | VM_X, VM_R2, VM_R4, 0, 0 },
    { VM_JMP | VM_JSLT, VM_R4, 0, 0, 0 },
    { VM_JMP | VM_JSGE, VM_R2, 0, 0, 0 },
    { VM_JMP | VM_JSGT, VM_R2, 0, 0, -1 },
    { VM_JMP | VM_JSLE | VM_X, VM_R4, VM_R2, 0, 0 },
    { VM_JMP | VM_JGE | VM_X, VM_R4, VM_R4, 0, 0 },
    { VM_JMP | VM_JLE, VM_R3, 0, 0, 0 },
    { VM_JMP32 | VM_JEQ, VM_R4, 0, 0, -1 },
    { VM_JMP32 | VM_JSET, VM_R4, 0, 0, INT32_MIN },
    { VM_JMP32 | VM_JSLT, VM_R4, 0, 0, 0 },
    { VM_JMP32 | VM_JGT, VM_R4, 0, 0, 5 },
    { VM_JMP | VM_JA, 0, 0, 0, 0 },
};
#define N_CONDITIONS (sizeof conditions / sizeof conditions[0])

/* -- Back and forth -- */

/* Cells of four: r0 changes, a jump that is always taken, an exit.  They are
 * entered in the order 0, n - 1, 1, n - 2, ... */
#define CELL 4
#define START 5

static uint32_t
cell_after(uint32_t cell, uint32_t n)
{
    return cell < n / 2 ? n - 1 - cell : n - cell;
}

static void
put_cell(uint32_t cell, uint32_t n, bool far)
{
    uint32_t next = cell_after(cell, n);
    int64_t distance = ((int64_t) next - cell) * CELL - 3;
    struct vm_insn jump = conditions[cell % N_CONDITIONS];

    BOTH_PUT(&both, VM_ALU | VM_MUL, VM_R0, 0, 0, 31);
    BOTH_PUT(&both, VM_ALU | VM_ADD, VM_R0, 0, 0, cell);
    if (cell == n / 2) {        /* The last one. */
        BOTH_PUT(&both, VM_JMP | VM_EXIT, 0, 0, 0, 0);
    } else if (far) {
        BOTH_PUT(&both, VM_JMP32 | VM_JA, 0, 0, 0, distance);
    } else {
        jump.off = distance;
        both_put(&both, jump);
    }
    BOTH_PUT(&both, VM_JMP | VM_EXIT, 0, 0, 0, 0);
}

static void
go_through(uint32_t n, bool far)
{
    both_clear(&both);
    BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R0, 0, 0, 1);
    BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R2, 0, 0, 5);
    BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R3, 0, 0, 0);
    BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R4, 0, 0, -1);
    BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R5, 0, 0, 0);
    for (uint32_t cell = 0; cell < n; cell++) {
        put_cell(cell, n, far);
    }
    both_load(&both);
    both_run(&both, memory);
}

static void
test_back_and_forth(void **state)
{
    (void) state;
    for (uint32_t n = 1; n <= 64; n++) {
        go_through(n, false);
    }
    for (uint32_t n = 100; n * CELL < INT16_MAX; n = n * 5 / 4 + 1) {
        go_through(n, false);
    }
    go_through(INT16_MAX / CELL, false);
}

static void
test_longest(void **state)
{
    (void) state;
    go_through(33000, true);
    go_through((MAX_INSNS - START) / CELL, true);
}

/* -- Over much code -- */

/* Each condition over calls that become much code; the first pass must not
 * take it for near, nor the last one for far. */
static void
test_over_much(void **state)
{
    const struct vm_map_attr attr = { .kind = VM_MAP_prog_array,
                                      .key_size = 4, .value_size = 4,
                                      .max_entries = 4 };
    struct vm_err err;

    (void) state;
    assert_int_equal(vm_map_create(&attr, &both.maps[0], &err), 0);
    for (uint32_t i = 0; i < N_CONDITIONS; i += 3) {
        uint32_t n = i ? 3000 : 32000;

        both_clear(&both);
        BOTH_PUT(&both, VM_ALU64 | VM_MOV | VM_X, VM_R6, VM_R1, 0, 0);
        BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R2, 0, 0, 5);
        BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R3, 0, 0, 0);
        BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R4, 0, 0, -1);
        BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R0, 0, 0, 7);
        both_put(&both, conditions[i]);
        both.insns[both.n - 1].off = n + 4;
        BOTH_PUT(&both, VM_LDDW, VM_R2, VM_PSEUDO_MAP_IDX, 0, 0);
        BOTH_PUT(&both, 0, 0, 0, 0, 0);
        BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R3, 0, 0, 9);
        for (uint32_t k = 0; k < n; k++) {
            BOTH_PUT(&both, VM_JMP | VM_CALL, 0, 0, 0, VM_HELPER_TAIL_CALL);
        }
        BOTH_PUT(&both, VM_ALU64 | VM_ADD, VM_R0, 0, 0, 1);
        BOTH_PUT(&both, VM_JMP | VM_EXIT, 0, 0, 0, 0);
        both_load(&both);
        both_run(&both, memory);
        both.insns[5] = (struct vm_insn) { VM_JMP | VM_JNE, VM_R2, 0, n + 4,
                                           5 };
        vm_prog_unref(both.prog);
        both.prog = NULL;
        both_load(&both);
        both_run(&both, memory);
    }
    both_clear(&both);
    vm_map_unref(both.maps[0]);
    both.maps[0] = NULL;
}

/* -- Memory for code -- */

static void
test_code_memory(void **state)
{
    static const size_t sizes[] = { 1, JIT_ALIGN, JIT_ALIGN + 1, 5000,
                                    JIT_ARENA, JIT_ARENA + 1,
                                    5 * JIT_ARENA };
    enum { N = sizeof sizes / sizeof sizes[0] };
    static const uint8_t pattern[64] = { 1, 2, 3, 4, 5 };
    uint8_t *pieces[N];
    size_t before = jit_code_mapped();

    (void) state;
    assert_null(jit_code_alloc(JIT_MAX_PIECE + 1));
    for (int i = 0; i < N; i++) {
        size_t n = sizes[i] < sizeof pattern ? sizes[i] : sizeof pattern;

        pieces[i] = jit_code_alloc(sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t) pieces[i] % JIT_ALIGN, 0);
        assert_int_equal(jit_code_write(pieces[i], pattern, n), 0);
    }
    assert_true(jit_code_mapped() >= before + 8 * JIT_ARENA);
    for (int i = 0; i < N; i++) {
        assert_int_equal(pieces[i][0], 1);
        jit_code_free(pieces[i], sizes[i]);
    }
    assert_true(jit_code_mapped() <= before + 2 * JIT_ARENA);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back_and_forth),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_over_much),
        cmocka_unit_test(test_code_memory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    both_free(&both);
    return failed;
}
