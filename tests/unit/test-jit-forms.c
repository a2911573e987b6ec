/* SPDX-License-Identifier: Apache-2.0 */

/* The JIT against the checked interpreter, systematically: every pair of
 * registers, every boundary of immediates, every distance of jumps; tail
 * calls, lookups; where its memory ends. */

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
#include "vm/asm.h"
#include "vm/disasm.h"
#include "vm/map.h"
#include "vm/maps/array.h"
#include "vm/prog.h"
#include "vm/verify.h"

#define MEM_SIZE 256
#define MAX_INSNS 40000
#define N_ELEMS(ARRAY) (sizeof (ARRAY) / sizeof (ARRAY)[0])

static struct vm_prog_type type;
static struct vm_ctx_member member;
static struct vm_insn insns[MAX_INSNS];
static uint32_t n;
static struct vm_map *maps[2];
static uint32_t n_maps;

static void
put(uint8_t code, int dst, int src, int16_t off, int32_t imm)
{
    insns[n++] = (struct vm_insn) { code, dst, src, off, imm };
}

static void
put_const(int dst, uint64_t x)
{
    put(VM_LDDW, dst, 0, 0, x);
    put(0, 0, 0, 0, x >> 32);
}

static struct vm_prog *
load(void)
{
    struct vm_prog_attr attr = { .type = &type, .name = "form",
                                 .insns = insns, .n_insns = n,
                                 .maps = maps, .n_maps = n_maps,
                                 .verify = vm_verify,
                                 .backend = jit_backend() };
    struct vm_prog *prog;
    struct vm_err err;

    if (vm_prog_load(&attr, &prog, &err)) {
        fail_msg("%s", err.text);
    }
    return prog;
}

static struct vm_prog *
assemble(const char *text)
{
    const struct vm_asm_opts opts = { &type, maps, n_maps };
    struct vm_insn *assembled;
    struct vm_err err;

    if (vm_asm(text, &opts, &assembled, &n, &err)) {
        fail_msg("%s", err.text);
    }
    memcpy(insns, assembled, n * sizeof *insns);
    free(assembled);
    return load();
}

static void
compare(const struct vm_prog *prog, uint64_t first)
{
    uint64_t mem[2][MEM_SIZE / 8], result[2];

    for (int i = 0; i < MEM_SIZE / 8; i++) {
        mem[0][i] = mem[1][i] = first + i * UINT64_C(0x9e3779b97f4a7c15);
    }
    if (!prog->native) {
        fail_msg("%s", vm_prog_compile_error(prog));
    }
    result[0] = vm_prog_run_checked(prog, mem[0]);
    assert_int_equal(vm_fault.error, 0);
    result[1] = prog->native(mem[1], prog);
    if (result[0] != result[1] || memcmp(mem[0], mem[1], MEM_SIZE)) {
        char *text = prog->n_insns < 200
                     ? vm_prog_disasm(prog, VM_DISASM_NUMBERS) : NULL;

        print_error("%#"PRIx64" native, %#"PRIx64" interpreted\n%s\n",
                    result[1], result[0], text ? text : "");
        fail();
    }
}

static void
check(void)
{
    struct vm_prog *prog = load();

    compare(prog, 0x0123456789abcdef);
    vm_prog_unref(prog);
    vm_defer_run();
}

/* Sets r0 to r9; those of 'not' stay what they are. */
static void
put_all(unsigned int not)
{
    for (int r = VM_R0; r <= VM_R9; r++) {
        if (!(not & 1u << r)) {
            put_const(r, (r + 1) * UINT64_C(0x8f3a5c7912b4d6e1));
        }
    }
}

/* All of r0 to r9 but those of 'not' make the result. */
static void
put_result(unsigned int not)
{
    if (not & 1) {
        put(VM_ALU64 | VM_MOV, VM_R0, 0, 0, 0);
    }
    for (int r = VM_R1; r <= VM_R9; r++) {
        if (!(not & 1u << r)) {
            put(VM_ALU64 | VM_MUL, VM_R0, 0, 0, 31);
            put(VM_ALU64 | VM_XOR | VM_X, VM_R0, r, 0, 0);
        }
    }
    put(VM_JMP | VM_EXIT, 0, 0, 0, 0);
}

static const uint8_t alu_ops[] = {
    VM_ADD, VM_SUB, VM_MUL, VM_DIV, VM_OR, VM_AND, VM_LSH, VM_RSH, VM_MOD,
    VM_XOR, VM_MOV, VM_ARSH
};
static const uint8_t jumps[] = {
    VM_JEQ, VM_JGT, VM_JGE, VM_JSET, VM_JNE, VM_JSGT, VM_JSGE, VM_JLT,
    VM_JLE, VM_JSLT, VM_JSLE
};

/* All operations on one pair, one after the other. */
static void
alu_pair(int dst, int src)
{
    n = 0;
    put_all(0);
    for (size_t i = 0; i < 2 * N_ELEMS(alu_ops); i++) {
        uint8_t op = alu_ops[i / 2], class = i & 1 ? VM_ALU : VM_ALU64;
        bool divides = op == VM_DIV || op == VM_MOD;

        for (int sign = 0; sign <= divides; sign++) {
            put(class | op | VM_X, dst, src, sign, 0);
            put(VM_ALU64 | VM_XOR | VM_X, dst == VM_R0, dst, 0, 0);
            put_const(dst, 0xfedcba9876543210 + i);
            if (op == VM_MOD && dst != src) {
                put(VM_ALU64 | VM_RSH, src, 0, 0, 7);
            }
        }
    }
    for (int bits = 8; bits <= 32; bits *= 2) {
        put(VM_ALU64 | VM_MOV | VM_X, dst, src, bits, 0);
        put(VM_ALU64 | VM_ADD | VM_X, src, dst, 0, 0);
        if (bits < 32) {
            put(VM_ALU | VM_MOV | VM_X, dst, src, bits, 0);
            put(VM_ALU64 | VM_ADD | VM_X, src, dst, 0, 0);
        }
    }
    put_result(0);
    check();
}

/* All comparisons of one pair; each way leaves another mark. */
static void
jump_pair(int dst, int src)
{
    int mark = dst != VM_R0 && src != VM_R0 ? VM_R0
               : dst != VM_R1 && src != VM_R1 ? VM_R1 : VM_R2;

    for (int relation = 0; relation < 3; relation++) {
        n = 0;
        put_all(0);
        put_const(src, 0x8000000012345678);
        put_const(dst, 0x8000000012345678
                       + (relation - 1) * INT64_C(0x100000001));
        for (size_t i = 0; i < 2 * N_ELEMS(jumps); i++) {
            put((i & 1 ? VM_JMP : VM_JMP32) | jumps[i / 2] | VM_X, dst, src,
                2, 0);
            put(VM_ALU64 | VM_ADD, mark, 0, 0, 3 * i + 1);
            put(VM_ALU64 | VM_MUL, mark, 0, 0, 5);
        }
        put_result(0);
        check();
    }
}

/* Loads, stores and atomics with base 'base' and value 'value'. */
static void
memory_pair(int base, int value)
{
    static const uint8_t sizes[] = { VM_B, VM_H, VM_W, VM_DW };
    static const int32_t ops[] = {
        VM_ADD, VM_OR, VM_AND, VM_XOR, VM_ADD | VM_FETCH, VM_OR | VM_FETCH,
        VM_AND | VM_FETCH, VM_XOR | VM_FETCH, VM_XCHG, VM_CMPXCHG
    };

    n = 0;
    if (base != VM_R1) {
        put(VM_ALU64 | VM_MOV | VM_X, base, VM_R1, 0, 0);
    }
    put_all(1u << base);
    for (int i = 0; i < 4; i++) {
        put(VM_STX | VM_MEM | sizes[i], base, value, 8 * i, 0);
        put(VM_LDX | VM_MEM | sizes[i], value, base, 8 * i + 32, 0);
        put(VM_STX | VM_MEM | VM_DW, base, value, 8 * i + 64, 0);
        if (i < 3) {
            put(VM_LDX | VM_MEMSX | sizes[i], value, base, 128 + 8 * i, 0);
            put(VM_STX | VM_MEM | VM_DW, base, value, 8 * i + 96, 0);
        }
        put(VM_ST | VM_MEM | sizes[i], base, 0, 200 + 8 * i, -7 - i);
    }
    /* The last one, cmpxchg, has a number in r0. */
    for (size_t i = 0; i < 2 * (N_ELEMS(ops) - (base == VM_R0)); i++) {
        put(VM_STX | VM_ATOMIC | (i & 1 ? VM_DW : VM_W), base, value,
            i & 1 ? 128 : 136, ops[i / 2]);
    }
    put_result(1u << base);
    check();
}

static void
test_register_pairs(void **state)
{
    for (int a = VM_R0; a <= VM_R9; a++) {
        for (int b = VM_R0; b <= VM_R9; b++) {
            alu_pair(a, b);
            if (a != b) {
                jump_pair(a, b);
                memory_pair(a, b);
            }
        }
    }
}

static const int32_t imms[] = {
    0, 1, -1, 2, 31, 32, 63, 127, 128, -127, -128, -129, 255, 256, -255,
    32767, 32768, -32768, -32769, 65535, 65536, INT32_MAX, INT32_MIN,
    INT32_MIN + 1
};

static void
alu_imm(int dst, int32_t imm)
{
    n = 0;
    put_all(0);
    for (size_t i = 0; i < 2 * N_ELEMS(alu_ops); i++) {
        uint8_t op = alu_ops[i / 2], class = i & 1 ? VM_ALU : VM_ALU64;
        bool shifts = op == VM_LSH || op == VM_RSH || op == VM_ARSH;
        bool divides = op == VM_DIV || op == VM_MOD;

        if (divides && !imm) {
            continue;
        }
        for (int sign = 0; sign <= divides; sign++) {
            put(class | op, dst, 0, sign,
                shifts ? imm & (i & 1 ? 31 : 63) : imm);
            put(VM_ALU64 | VM_XOR | VM_X, dst == VM_R0, dst, 0, 0);
            put(VM_ALU64 | VM_ADD, dst, 0, 0, 12345);
        }
    }
    put_result(0);
    check();
}

static void
jump_imm(int dst, int32_t imm)
{
    int mark = dst == VM_R0 ? VM_R1 : VM_R0;

    for (int delta = -1; delta <= 1; delta++) {
        n = 0;
        put_all(0);
        put_const(dst, (int64_t) imm + delta);
        for (size_t i = 0; i < 2 * N_ELEMS(jumps); i++) {
            put((i & 1 ? VM_JMP : VM_JMP32) | jumps[i / 2], dst, 0, 2, imm);
            put(VM_ALU64 | VM_ADD, mark, 0, 0, 3 * i + 1);
            put(VM_ALU64 | VM_MUL, mark, 0, 0, 5);
        }
        put_result(0);
        check();
    }
}

/* What follows a load decides whether it is fused with it. */
static void
load_imm(int dst, int32_t imm)
{
    static const uint8_t sizes[] = { VM_B, VM_H, VM_W, VM_DW };
    int base = dst == VM_R9 ? VM_R8 : VM_R9;

    n = 0;
    put(VM_ALU64 | VM_MOV | VM_X, base, VM_R1, 0, 0);
    put_all(1u << base);
    for (int s = 0; s < 4; s++) {
        put(VM_ST | VM_MEM | sizes[s], base, 0, 0, imm);
        for (size_t i = 0; i < 2 * N_ELEMS(jumps); i++) {
            put(VM_LDX | VM_MEM | sizes[s], dst, base, 0, 0);
            put((i & 1 ? VM_JMP : VM_JMP32) | jumps[i / 2], dst, 0, 2, imm);
            put(VM_LDX | VM_MEM | sizes[s], dst, base, 8, 0);
            put(VM_ALU64 | VM_ADD, dst, 0, 0, imm);
            put(VM_STX | VM_MEM | sizes[s], base, dst, 8, 0);
            put(VM_ALU64 | VM_MOV, dst, 0, 0, imm);
            put(VM_STX | VM_MEM | sizes[s], base, dst, 16 + 8 * s, 0);
        }
    }
    put_result(1u << base | 1u << dst);
    check();
}

static void
test_immediates(void **state)
{
    static const int regs[] = { VM_R0, VM_R1, VM_R5, VM_R6, VM_R9 };

    for (size_t r = 0; r < N_ELEMS(regs); r++) {
        for (size_t i = 0; i < N_ELEMS(imms); i++) {
            alu_imm(regs[r], imms[i]);
            jump_imm(regs[r], imms[i]);
            load_imm(regs[r], imms[i]);
        }
    }
}

/* 256 jumps over one another; what lies between is 'pad' long. */
static void
staggered(int pad)
{
    struct vm_prog *prog;

    n = 0;
    put(VM_LDX | VM_MEM | VM_B, VM_R2, VM_R1, 0, 0);
    put(VM_ALU64 | VM_MOV, VM_R0, 0, 0, 0);
    for (int i = 0; i < 256; i++) {
        /* Lands on the mark of 'i', pad + 2 slots each, from the back. */
        put(VM_JMP32 | VM_JEQ, VM_R2, 0, 1, i);
        put(VM_JMP | VM_JA, 0, 0, 1, 0);
        put(VM_JMP32 | VM_JA, 0, 0, 0,
            (255 - i) * 3 + i * (pad + 2));
    }
    for (int i = 0; i < 256; i++) {
        for (int k = 0; k < pad; k++) {
            put(VM_ALU64 | VM_ADD, VM_R0, 0, 0, k + 1);
        }
        put(VM_ALU64 | VM_XOR, VM_R0, 0, 0, i + 1);
        put(VM_JMP32 | VM_JA, 0, 0, 0, (255 - i) * (pad + 2));
    }
    put(VM_JMP | VM_EXIT, 0, 0, 0, 0);
    prog = load();
    for (int i = 0; i < 256; i++) {
        compare(prog, i);
    }
    vm_prog_unref(prog);
    vm_defer_run();
}

static void
test_staggered_jumps(void **state)
{
    static const int pads[] = { 0, 1, 7, 30, 31, 32, 33, 120 };

    for (size_t i = 0; i < N_ELEMS(pads); i++) {
        staggered(pads[i]);
    }
}

/* A jump over 'k' instructions of different lengths. */
static void
test_jump_lengths(void **state)
{
    for (int k = 0; k < 200; k++) {
        struct vm_prog *prog;

        n = 0;
        put(VM_LDX | VM_MEM | VM_B, VM_R2, VM_R1, 0, 0);
        put(VM_LDX | VM_MEM | VM_DW, VM_R0, VM_R1, 8, 0);
        put(VM_JMP | VM_JSET, VM_R2, 0, k, 1);
        for (int i = 0; i < k; i++) {
            put(i % 3 ? VM_ALU64 | VM_ADD : VM_ALU | VM_XOR,
                i % 5 ? VM_R0 : VM_R2, 0, 0, i % 2 ? 3 : 1000);
        }
        put(VM_JMP | VM_JSET, VM_R2, 0, 1, 2);
        put(VM_ALU64 | VM_MOV, VM_R0, 0, 0, -3);
        put(VM_JMP | VM_EXIT, 0, 0, 0, 0);
        prog = load();
        for (int i = 0; i < 4; i++) {
            compare(prog, i);
        }
        vm_prog_unref(prog);
        vm_defer_run();
    }
}

/* -- Calls -- */

static void
drop_maps(void)
{
    while (n_maps) {
        vm_map_unref(maps[--n_maps]);
    }
    vm_defer_run();
}

static struct vm_map *
add_map_like(struct vm_map_attr attr)
{
    struct vm_err err;

    attr.name = "map";
    if (vm_map_create(&attr, &maps[n_maps], &err)) {
        fail_msg("%s", err.text);
    }
    return maps[n_maps++];
}

static struct vm_map *
add_map(enum vm_map_kind kind, uint32_t value_size, uint32_t max)
{
    return add_map_like((struct vm_map_attr) {
        .kind = kind, .key_size = 4, .value_size = value_size,
        .max_entries = max,
    });
}

/* Keys inside and outside, at every place a null check may stand. */
static void
test_lookups(void **state)
{
    static const enum vm_map_kind kinds[] = { VM_MAP_array,
                                              VM_MAP_percpu_array };
    static const uint32_t sizes[] = { 1, 8, 12, 64 };
    static const char *const texts[] = {
        "r2 = *(u32 *)(r1 + 0)\n r2 &= 7\n *(u32 *)(r10 - 4) = r2\n"
        "r2 = r10\n r2 += -4\n r1 = map 0\n call map_lookup_elem\n"
        "if r0 == 0 goto out\n r0 = *(u8 *)(r0 + 0)\n r0 += 5\n out: exit",
        "r6 = r1\n r2 = *(u32 *)(r1 + 0)\n r2 &= 7\n"
        "*(u32 *)(r10 - 12) = r2\n"
        "r2 = r10\n r2 += -12\n r1 = map 0\n call map_lookup_elem\n"
        "r7 = r0\n if r7 != 0 goto found\n r0 = 77\n exit\n"
        "found: r1 = *(u8 *)(r7 + 0)\n r1 += 1\n *(u8 *)(r7 + 0) = r1\n"
        "r0 = *(u8 *)(r6 + 1)\n r0 += r1\n exit",
        "r2 = r1\n r3 = *(u32 *)(r1 + 0)\n r3 &= 7\n *(u32 *)(r1 + 0) = r3\n"
        "r1 = map 0\n call map_lookup_elem\n r6 = 1\n"
        "if r0 == 0 goto out\n r6 = 2\n out: r0 = r6\n exit",
    };

    for (size_t i = 0; i < 2 * N_ELEMS(sizes) * N_ELEMS(texts); i++) {
        uint32_t size = sizes[i / 2 % N_ELEMS(sizes)];
        const char *text = texts[i / 2 / N_ELEMS(sizes)];

        for (uint32_t max = 1; max <= 5; max += 4) {
            struct vm_map *map = add_map(kinds[i & 1], size, max);
            struct vm_prog *prog = assemble(text);
            uint8_t value[64];

            for (uint64_t key = 0; key < 8; key++) {
                uint64_t mem = key, native, fast;

                memset(value, 10 + key, sizeof value);
                vm_map_update(map, &(uint32_t) { key }, value, VM_ANY);
                fast = vm_prog_run_fast(prog, &(uint64_t[32]) { mem });
                vm_map_update(map, &(uint32_t) { key }, value, VM_ANY);
                native = prog->native(&(uint64_t[32]) { mem }, prog);
                assert_int_equal(fast, native);
            }
            vm_prog_unref(prog);
            drop_maps();
        }
    }
}

/* The maps of ports and workers: elements that are there or not. */
static void
test_device_lookups(void **state)
{
    static const enum vm_map_kind kinds[] = { VM_MAP_devmap, VM_MAP_cpumap,
                                              VM_MAP_xskmap };
    static const char *const texts[] = {
        "r2 = *(u32 *)(r1 + 0)\n *(u32 *)(r10 - 4) = r2\n"
        "r2 = r10\n r2 += -4\n r1 = map 0\n call map_lookup_elem\n"
        "if r0 == 0 goto out\n r0 = *(u32 *)(r0 + 0)\n out: exit",
        "r2 = r1\n r1 = map 0\n call map_lookup_elem\n r7 = r0\n"
        "r6 = 5\n if r7 == 0 goto out\n r6 = *(u32 *)(r7 + 0)\n"
        "out: r0 = r6\n exit",
    };

    for (size_t i = 0; i < N_ELEMS(kinds) * N_ELEMS(texts); i++) {
        for (uint32_t max = 1; max <= 5; max += 4) {
            struct vm_map *map = add_map(kinds[i / 2], 4, max);
            struct vm_prog *prog = assemble(texts[i & 1]);

            for (uint32_t key = 0; key < 8; key++) {
                uint64_t absent = i & 1 ? 5 : 0, mem[32] = { key };
                bool there = !(key & 1) && key < max;

                vm_map_write(map, &key, &(uint32_t) { 100 + key }, VM_ANY);
                if (key & 1) {
                    vm_map_delete(map, &key);
                }
                assert_int_equal(prog->native(mem, prog),
                                 there ? 100 + key : absent);
                assert_int_equal(vm_prog_run_fast(prog, mem),
                                 there ? 100 + key : absent);
            }
            vm_prog_unref(prog);
            drop_maps();
        }
    }
}

/* Keys of each size, half of them in the table, some not where they would
 * like to lie: native code calls the function for that size. */
static void
test_hash_lookups(void **state)
{
    static const enum vm_map_kind kinds[] = {
        VM_MAP_hash, VM_MAP_percpu_hash, VM_MAP_lru_hash,
        VM_MAP_lru_percpu_hash,
    };

    for (uint32_t i = 0; i < 45 * N_ELEMS(kinds); i++) {
        uint32_t key_size = 1 + i / N_ELEMS(kinds);
        struct vm_map *map = add_map_like((struct vm_map_attr) {
            .kind = kinds[i % N_ELEMS(kinds)], .key_size = key_size,
            .value_size = 8, .max_entries = 256,
        });
        struct vm_prog *prog = assemble(
            "r2 = r1\n r1 = map 0\n call map_lookup_elem\n"
            "if r0 == 0 goto out\n r0 = *(u64 *)(r0 + 0)\n r0 += 5\n"
            "out: exit");
        uint8_t key[256] = { 0 };

        for (uint64_t n = 0; n < 200; n++) {
            key[n % key_size] += 1 + n;
            if (n & 1) {
                assert_int_equal(vm_map_update(map, key, &n, VM_ANY), 0);
            }
            assert_int_equal(prog->native(key, prog),
                             vm_prog_run_fast(prog, key));
        }
        vm_prog_unref(prog);
        drop_maps();
    }
}

/* A program that counts its runs and is slot 1 of the array: 34 at most, its
 * result in the second word. */
static void
tail_calls(const char *text, uint64_t expected)
{
    struct vm_map *array = add_map(VM_MAP_prog_array, 4, 4);
    struct vm_prog *prog = assemble(text);
    uint64_t native[32] = { 0 }, result;

    assert_non_null(prog->native);
    assert_int_equal(vm_prog_array_set(array, 1, prog), 0);
    result = prog->native(native, prog);
    assert_int_equal(native[0], expected);
    assert_int_equal(result, native[1]);
    /* A second run starts from 0 again. */
    native[0] = 0;
    prog->native(native, prog);
    assert_int_equal(native[0], expected);
    vm_prog_array_clear(array);
    vm_prog_unref(prog);
    drop_maps();
}

#define COUNT "r2 = *(u64 *)(r6 + 0)\n r2 += 1\n *(u64 *)(r6 + 0) = r2\n"

static void
test_tail_calls(void **state)
{
    tail_calls("r6 = r1\n" COUNT "r1 = r6\n r2 = map 0\n r3 = 1\n"
               "call tail_call\n r0 = 7\n *(u64 *)(r6 + 8) = r0\n exit", 34);
    /* An index that is not known. */
    tail_calls("r6 = r1\n" COUNT "r3 = *(u64 *)(r6 + 16)\n r3 += 1\n"
               "r1 = r6\n r2 = map 0\n"
               "call tail_call\n r0 = 7\n *(u64 *)(r6 + 8) = r0\n exit", 34);
    /* From a local function: its caller goes on, and calls again. */
    tail_calls("r6 = r1\n" COUNT "r1 = r6\n call f\n r1 = r6\n call f\n"
               "r0 = 9\n *(u64 *)(r6 + 8) = r0\n exit\n"
               "f: r6 = r1\n r2 = map 0\n r3 = 1\n call tail_call\n"
               "r0 = 8\n exit", 34);
    /* Nothing there, and beyond the end. */
    tail_calls("r6 = r1\n" COUNT "r1 = r6\n r2 = map 0\n r3 = 2\n"
               "call tail_call\n r1 = r6\n r2 = map 0\n r3 = 4\n"
               "call tail_call\n r1 = r6\n r2 = map 0\n r3 = -1\n"
               "call tail_call\n r0 = 6\n *(u64 *)(r6 + 8) = r0\n exit", 1);
}

/* -- Memory -- */

static void
test_out_of_memory(void **state)
{
    enum { MOST = 200 };
    struct vm_prog *progs[MOST];
    struct jit_stats stats;
    uint64_t mem[MEM_SIZE / 8] = { 5 };
    int n_progs = 0;

    jit_get_stats(&stats);
    jit_set_code_limit(stats.mapped_bytes ? stats.mapped_bytes : 1);
    do {
        n = 0;
        put(VM_LDX | VM_MEM | VM_DW, VM_R0, VM_R1, 0, 0);
        for (int i = 0; i < 10000; i++) {
            put(VM_ALU64 | VM_XOR, VM_R0, 0, 0, i * 65537);
        }
        put(VM_JMP | VM_EXIT, 0, 0, 0, 0);
        progs[n_progs] = load();
    } while (progs[n_progs++]->native && n_progs < MOST);

    assert_true(n_progs > 1);
    assert_null(progs[n_progs - 1]->native);
    assert_non_null(strstr(vm_prog_compile_error(progs[n_progs - 1]),
                           "executable memory"));
    /* All of them run, with or without. */
    for (int i = 0; i < n_progs; i++) {
        assert_int_equal(vm_prog_run(progs[i], mem),
                         vm_prog_run(progs[0], mem));
    }
    for (int i = 0; i < n_progs; i++) {
        vm_prog_unref(progs[i]);
    }
    vm_defer_run();
    n = 0;
    put(VM_ALU64 | VM_MOV, VM_R0, 0, 0, 3);
    put(VM_JMP | VM_EXIT, 0, 0, 0, 0);
    check();
    jit_set_code_limit(0);
}

/* Small programs share pages; their code stays until nobody can run it. */
static void
test_small_programs(void **state)
{
    enum { MANY = 32 };
    struct vm_prog *progs[MANY];
    struct jit_stats before, with, after;
    uintptr_t least = UINTPTR_MAX, most = 0;
    uint64_t mem[MEM_SIZE / 8] = { 5 };

    n = 0;
    put(VM_ALU64 | VM_MOV, VM_R0, 0, 0, 3);
    put(VM_JMP | VM_EXIT, 0, 0, 0, 0);
    jit_get_stats(&before);
    for (int i = 0; i < MANY; i++) {
        uintptr_t at;

        progs[i] = load();
        at = (uintptr_t) progs[i]->native;
        least = at < least ? at : least;
        most = at > most ? at : most;
    }
    assert_true(most - least < 2 * 4096);
    jit_get_stats(&with);
    assert_int_equal(with.programs, before.programs + MANY);
    assert_true(with.code_bytes > before.code_bytes);
    for (int i = 0; i < MANY; i++) {
        vm_prog_unref(progs[i]);
    }
    jit_get_stats(&after);
    assert_int_equal(after.code_bytes, with.code_bytes);
    assert_int_equal(progs[MANY - 1]->native(mem, progs[MANY - 1]), 3);
    vm_defer_run();
    jit_get_stats(&after);
    assert_int_equal(after.code_bytes, before.code_bytes);
    assert_int_equal(after.programs, before.programs);
}

/* Nothing is writable and executable at the same time. */
static void
test_no_memory_is_both(void **state)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    int n_executable = 0;

    assert_non_null(f);
    n = 0;
    put(VM_ALU64 | VM_MOV, VM_R0, 0, 0, 3);
    put(VM_JMP | VM_EXIT, 0, 0, 0, 0);
    check();
    while (fgets(line, sizeof line, f)) {
        char perms[5];

        if (strstr(line, "bvs-jit") && sscanf(line, "%*s %4s", perms) == 1) {
            assert_int_not_equal(perms[1], 'w');
            n_executable += perms[2] == 'x';
        }
    }
    fclose(f);
    assert_true(n_executable > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_register_pairs),
        cmocka_unit_test(test_immediates),
        cmocka_unit_test(test_staggered_jumps),
        cmocka_unit_test(test_jump_lengths),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_device_lookups),
        cmocka_unit_test(test_hash_lookups),
        cmocka_unit_test(test_tail_calls),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_small_programs),
        cmocka_unit_test(test_no_memory_is_both),
    };

    if (!jit_backend()) {
        return 0;
    }
    vm_type_init_mem(&type, &member, MEM_SIZE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
