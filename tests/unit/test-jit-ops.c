/* SPDX-License-Identifier: Apache-2.0 */

/* Each instruction as native code and in the interpreter: all pairs of
 * registers, all borders of constants and offsets.
 *
 * A program loads r0 to r9 from memory, does one thing, and stores all of
 * them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/jit-both.h"

/* What lies where, from r1. */
#define IN 1024                 /* r0 to r9 before. */
#define OUT 2048                /* r0 to r9 after. */
#define NOTES 3072              /* Which branches were taken. */
#define CTX_SLOT (-8)           /* From r10: r1. */
#define N_REGS 10

static uint8_t memory[BOTH_SIZE];
static struct both both;

/* -- Inputs -- */

static const uint64_t edges[] = {
    0, 1, 2, 5, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
    INT32_MAX, UINT64_C(0x80000000), UINT32_MAX, UINT64_C(0x100000000),
    INT64_MAX, UINT64_C(0x8000000000000000), UINT64_MAX, UINT64_MAX - 1,
    UINT64_C(0xffffffff80000000), UINT64_C(0xffffffff7fffffff),
    UINT64_C(0x8000000080000000), UINT64_C(0x123456789abcdef0),
};
#define N_EDGES (sizeof edges / sizeof edges[0])

static void
set_input(int reg, uint64_t x)
{
    memcpy(&memory[BOTH_MIDDLE + IN + 8 * reg], &x, 8);
}

/* Round 'n': first one value in all registers, then others in each. */
static void
set_inputs(uint32_t n)
{
    for (int r = 0; r < N_REGS; r++) {
        set_input(r, edges[(n + (n % 3) * r * (1 + n / 3)) % N_EDGES]);
    }
}

static void
fill_memory(void)
{
    uint64_t x = 1;

    for (size_t i = 0; i < BOTH_SIZE; i++) {
        x = x * UINT64_C(6364136223846793005) + 1;
        memory[i] = x >> 56;
    }
}

/* -- Around the instruction -- */

static void
begin(void)
{
    both_clear(&both);
    BOTH_PUT(&both, VM_STX | VM_MEM | VM_DW, VM_FP, VM_R1, CTX_SLOT, 0);
    for (int r = N_REGS - 1; r >= 0; r--) {
        if (r != VM_R1) {
            BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, r, VM_R1, IN + 8 * r, 0);
        }
    }
    BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, VM_R1, VM_R1, IN + 8 * VM_R1, 0);
}

static void
end(void)
{
    for (int r = 0; r < N_REGS; r++) {
        BOTH_PUT(&both, VM_STX | VM_MEM | VM_DW, VM_FP, r, -16 - 8 * r, 0);
    }
    BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, VM_R1, VM_FP, CTX_SLOT, 0);
    for (int r = 0; r < N_REGS; r++) {
        BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, VM_R0, VM_FP, -16 - 8 * r,
                 0);
        BOTH_PUT(&both, VM_STX | VM_MEM | VM_DW, VM_R1, VM_R0, OUT + 8 * r,
                 0);
    }
    BOTH_PUT(&both, VM_JMP | VM_EXIT, 0, 0, 0, 0);
    both_load(&both);
}

static void
put_isa(const struct vm_isa *isa, int dst, int src, int16_t off, int32_t imm)
{
    struct vm_insn insn = { isa->code, dst, src, off, imm };

    switch (isa->sel) {
    case VM_SEL_OFF:
        insn.off = isa->selval;
        break;
    case VM_SEL_IMM:
        insn.imm = isa->selval;
        break;
    default:
        break;
    }
    both_put(&both, insn);
}

/* -- Arithmetic and branches -- */

static bool
is_branch(const struct vm_isa *isa)
{
    return isa->form == VM_F_JCC_RR || isa->form == VM_F_JCC_RI;
}

/* The instruction; of a branch, whether it was taken, as note 'n'. */
static void
put_noted(const struct vm_isa *isa, int dst, int src, int32_t imm, int n)
{
    int scratch = dst == VM_R6 || src == VM_R6 ? VM_R7 : VM_R6;

    if (scratch == src) {
        scratch = VM_R8;
    }
    if (!is_branch(isa)) {
        put_isa(isa, dst, src, 0, imm);
        return;
    }
    put_isa(isa, dst, src, 3, imm);
    BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, scratch, VM_FP, CTX_SLOT, 0);
    BOTH_PUT(&both, VM_ST | VM_MEM | VM_W, scratch, 0, NOTES + 4 * n, n);
    BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, scratch, scratch,
             IN + 8 * scratch, 0);
}

static void
run_inputs(uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        set_inputs(i);
        both_run(&both, memory);
    }
}

static bool
uses_pair(const struct vm_isa *isa)
{
    return isa->form == VM_F_ALU_RR || isa->form == VM_F_MOVSX
           || isa->form == VM_F_JCC_RR;
}

static void
test_register_pairs(void **state)
{
    (void) state;
    for (int id = 0; id < VM_N_INSNS; id++) {
        const struct vm_isa *isa = &vm_isa[id];

        if (!uses_pair(isa)) {
            continue;
        }
        for (int dst = 0; dst < N_REGS; dst++) {
            for (int src = 0; src < N_REGS; src++) {
                begin();
                put_noted(isa, dst, src, 0, 0);
                end();
                run_inputs(16);
            }
        }
    }
}

static void
test_single_registers(void **state)
{
    (void) state;
    for (int id = 0; id < VM_N_INSNS; id++) {
        if (vm_isa[id].form == VM_F_NEG || vm_isa[id].form == VM_F_END) {
            begin();
            for (int dst = 0; dst < N_REGS; dst++) {
                put_isa(&vm_isa[id], dst, 0, 0, 0);
            }
            end();
            run_inputs(16);
        }
    }
}

static bool
is_shift(const struct vm_isa *isa)
{
    uint8_t op = isa->code & VM_OP_MASK;

    return isa->form == VM_F_ALU_RI
           && (op == VM_LSH || op == VM_RSH || op == VM_ARSH);
}

/* The constant, in every register; inputs are near to it. */
static void
one_constant(const struct vm_isa *isa, int32_t imm)
{
    const uint64_t near[] = {
        (uint64_t) (int64_t) imm, (uint64_t) (int64_t) imm + 1,
        (uint64_t) (int64_t) imm - 1, (uint32_t) imm,
        (uint32_t) imm | UINT64_C(0x500000000), 0, UINT64_MAX,
        UINT64_C(0x8000000000000000), INT32_MAX, UINT64_C(0x123456789abcdef0)
    };

    begin();
    for (int dst = 0; dst < N_REGS; dst++) {
        put_noted(isa, dst, 0, imm, dst);
    }
    end();
    for (int round = 0; round < N_REGS; round += 3) {
        for (int r = 0; r < N_REGS; r++) {
            set_input(r, near[(r + round) % N_REGS]);
        }
        both_run(&both, memory);
    }
}

static void
test_constants(void **state)
{
    (void) state;
    for (int id = 0; id < VM_N_INSNS; id++) {
        const struct vm_isa *isa = &vm_isa[id];

        if (is_shift(isa)) {
            for (int n = 0; n < isa->bits; n++) {
                one_constant(isa, n);
            }
        } else if (isa->form == VM_F_ALU_RI || isa->form == VM_F_JCC_RI) {
            for (int bit = 0; bit < 32; bit++) {
                for (int delta = -1; delta <= 1; delta++) {
                    uint32_t x = (1u << bit) + delta;

                    one_constant(isa, x);
                    one_constant(isa, -x);
                }
            }
        }
    }
}

/* Runs of ones and repeated patterns: AArch64 has some of them in its
 * instructions. */
static void
test_patterns(void **state)
{
    static const uint8_t ops[] = { VM_AND, VM_OR, VM_XOR, VM_MOV };
    static const uint64_t repeated[] = {
        1, UINT64_C(0x100000001), UINT64_C(0x1000100010001),
        UINT64_C(0x101010101010101), UINT64_C(0x1111111111111111),
        UINT64_C(0x5555555555555555)
    };

    (void) state;
    for (size_t i = 0; i < sizeof repeated / sizeof repeated[0]; i++) {
        for (int ones = 1; ones < 64; ones += 3) {
            begin();
            for (int dst = 0; dst < N_REGS; dst++) {
                uint64_t x = repeated[i] * ((UINT64_C(1) << ones) - 1);

                x = x << dst | (dst ? x >> (64 - dst) : 0);
                BOTH_PUT(&both, VM_ALU64 | ops[dst & 3], dst, 0, 0, x);
                BOTH_PUT(&both, VM_ALU | ops[(dst + 1) & 3], dst, 0, 0,
                         ~x >> 16);
                both_put_const(&both, (dst + 5) % N_REGS, x);
            }
            end();
            run_inputs(2);
        }
    }
}

/* -- Memory -- */

static const int32_t offsets[] = {
    0, 1, 2, 4, 7, 8, 15, 120, 127, 128, 248, 255, 256, 504, 4092, 4095,
    4096, 8190, 8192, 16380, 16384, 32752, 32760, -1, -2, -8, -127, -128,
    -129, -255, -256, -257, -264, -4096, -32760, -32768
};
#define N_OFFSETS (sizeof offsets / sizeof offsets[0])

static bool
is_atomic(const struct vm_isa *isa)
{
    return isa->form >= VM_F_ATOMIC && isa->form <= VM_F_CMPXCHG;
}

static bool
is_access(const struct vm_isa *isa)
{
    return isa->form >= VM_F_LDX && isa->form <= VM_F_CMPXCHG;
}

/* Base register of an access with these operands. */
static int
base_of(const struct vm_isa *isa, int dst, int src)
{
    return isa->form == VM_F_LDX || isa->form == VM_F_LDXS ? src : dst;
}

static void
one_access(const struct vm_isa *isa, int dst, int src, int16_t off)
{
    int base = base_of(isa, dst, src);

    begin();
    BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, base, VM_FP, CTX_SLOT, 0);
    put_isa(isa, dst, isa->form == VM_F_ST ? 0 : src, off,
            isa->form == VM_F_ST ? 0x81a2b3c4 : 0);
    end();
}

/* r0 is what is there, or is not. */
static void
run_access(int16_t off)
{
    set_inputs(8);
    both_run(&both, memory);
    memcpy(&memory[BOTH_MIDDLE + IN], &memory[BOTH_MIDDLE + off], 8);
    both_run(&both, memory);
}

static void
test_access_pairs(void **state)
{
    (void) state;
    fill_memory();
    for (int id = 0; id < VM_N_INSNS; id++) {
        for (int dst = 0; is_access(&vm_isa[id]) && dst < N_REGS; dst++) {
            for (int src = 0; src < N_REGS; src++) {
                one_access(&vm_isa[id], dst, src, 64);
                run_access(64);
            }
        }
    }
}

static void
test_offsets(void **state)
{
    (void) state;
    fill_memory();
    for (int id = 0; id < VM_N_INSNS; id++) {
        const struct vm_isa *isa = &vm_isa[id];

        for (size_t i = 0; is_access(isa) && i < N_OFFSETS; i++) {
            int base = i % N_REGS, other = (base + 1) % N_REGS;
            bool load = base_of(isa, 0, 1);

            if (is_atomic(isa) && offsets[i] % (isa->bits / 8)) {
                continue;
            }
            one_access(isa, load ? other : base, load ? base : other,
                       offsets[i]);
            run_access(offsets[i]);
        }
    }
}

/* Constants that are stored, and every place of the stack. */
static void
test_stack(void **state)
{
    static const uint8_t sizes[] = { VM_B, VM_H, VM_W, VM_DW };

    (void) state;
    for (int off = -120; off >= -504; off -= 8) {
        begin();
        for (int i = 0; i < 4; i++) {
            uint64_t x = edges[(-off / 8 + i) % N_EDGES];
            int at = off - 8 + (off / 8 & 7 & ~((1 << i) - 1));

            BOTH_PUT(&both, VM_ST | VM_MEM | VM_DW, VM_FP, 0, off - 8, off);
            BOTH_PUT(&both, VM_ST | VM_MEM | sizes[i], VM_FP, 0, at, x);
            BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, i, VM_FP, off - 8, 0);
            BOTH_PUT(&both, VM_STX | VM_MEM | sizes[i], VM_FP, 5 + i, at, 0);
            BOTH_PUT(&both, VM_LDX | VM_MEM | sizes[i], 5 + i, VM_FP, at, 0);
            if (i >= 2) {
                BOTH_PUT(&both, VM_STX | VM_ATOMIC | sizes[i], VM_FP, 5 + i,
                         at, VM_XCHG);
            }
        }
        end();
        run_inputs(3);
    }
}

/* r10 where a register is read.  Addresses differ from engine to engine:
 * differences of addresses do not. */
static void
test_frame_pointer(void **state)
{
    (void) state;
    begin();
    BOTH_PUT(&both, VM_ALU64 | VM_MOV | VM_X, VM_R2, VM_FP, 0, 0);
    BOTH_PUT(&both, VM_ALU64 | VM_ADD, VM_R2, 0, 0, -24);
    BOTH_PUT(&both, VM_STX | VM_MEM | VM_DW, VM_FP, VM_FP, -128, 0);
    BOTH_PUT(&both, VM_LDX | VM_MEM | VM_DW, VM_R3, VM_FP, -128, 0);
    BOTH_PUT(&both, VM_ALU64 | VM_SUB | VM_X, VM_R2, VM_FP, 0, 0);
    BOTH_PUT(&both, VM_ALU64 | VM_SUB | VM_X, VM_R3, VM_FP, 0, 0);
    BOTH_PUT(&both, VM_ALU64 | VM_MOV | VM_X, VM_R4, VM_FP, 0, 0);
    BOTH_PUT(&both, VM_ALU | VM_MOV | VM_X, VM_R5, VM_FP, 0, 0);
    BOTH_PUT(&both, VM_ALU | VM_XOR | VM_X, VM_R5, VM_R4, 0, 0);
    BOTH_PUT(&both, VM_JMP | VM_JEQ | VM_X, VM_R4, VM_FP, 1, 0);
    BOTH_PUT(&both, VM_ALU64 | VM_MOV, VM_R5, 0, 0, 77);
    BOTH_PUT(&both, VM_ALU64 | VM_XOR | VM_X, VM_R4, VM_FP, 0, 0);
    end();
    run_inputs(1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register_pairs),
        cmocka_unit_test(test_single_registers),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_access_pairs),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_stack),
        cmocka_unit_test(test_frame_pointer),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    both_free(&both);
    return failed;
}
