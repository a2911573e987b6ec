/* SPDX-License-Identifier: Apache-2.0 */

/* Programs with maps, contexts and each other: loading, tail calls, slots,
 * context members, packets, helpers.  What is only instructions stands in
 * tests/data/vm/. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/vm-data.h"
#include "vm/asm.h"
#include "vm/disasm.h"
#include "vm/emit.h"
#include "vm/map.h"
#include "vm/maps/array.h"
#include "vm/maps/vtable.h"

/* A context with a member of each kind. */
struct ctx {
    uint32_t mark;
    uint16_t port;              /* 1 to 100. */
    uint8_t readable, hidden;
    uint64_t words[4];
    void *data, *data_end;
    uint8_t *cold;
    struct vm_slots *slots;
    struct vm_turn turn;
};

#define MEMBER(NAME, KIND, ...)                                               \
    { .name = #NAME, .off = offsetof(struct ctx, NAME),                       \
      .size = sizeof(((struct ctx *) 0)->NAME), .kind = KIND, __VA_ARGS__ }

static const struct vm_ctx_member members[] = {
    MEMBER(mark, VM_CTX_SCALAR, .flags = VM_CTX_RW),
    MEMBER(port, VM_CTX_SCALAR, .flags = VM_CTX_RW, .min = 1, .max = 100),
    MEMBER(readable, VM_CTX_SCALAR),
    MEMBER(hidden, VM_CTX_HIDDEN),
    MEMBER(words, VM_CTX_MEM, .flags = VM_CTX_RW),
    MEMBER(data, VM_CTX_PKT_DATA),
    MEMBER(data_end, VM_CTX_PKT_END),
    MEMBER(cold, VM_CTX_BLOCK, .block_size = 16, .flags = VM_CTX_RW),
    MEMBER(slots, VM_CTX_HIDDEN),
};

static const struct vm_helper_set *const sets[] = {
    &vm_helpers_base, &vm_helpers_versioned,
};

static const struct vm_prog_type type = {
    .name = "test",
    .ctx_size = sizeof(struct ctx),
    .members = members,
    .n_members = sizeof members / sizeof members[0],
    .helper_sets = sets,
    .n_helper_sets = 2,
    .fuel = 100000,
    .gen_off = offsetof(struct ctx, slots),
    .n_slots = 16,
    .turn_off = offsetof(struct ctx, turn),
    .abort_ret = 77,
};

static struct vm_map *
new_map(const struct vm_map_attr *attr)
{
    struct vm_map *map;
    struct vm_err err;

    if (vm_map_create(attr, &map, &err)) {
        fail_msg("%s", err.text);
    }
    return map;
}

#define NEW_MAP(KIND, KEY, VALUE, N)                                          \
    new_map(&(struct vm_map_attr) { .kind = VM_MAP_##KIND, .key_size = KEY,   \
                                    .value_size = VALUE, .max_entries = N,    \
                                    .name = #KIND })

static struct vm_map *the_maps[8];
static uint32_t n_maps;
static vm_verify_fn *verify;

static int
try_load(const char *text, struct vm_prog **prog, struct vm_err *err)
{
    const struct vm_asm_opts opts = { &type, the_maps, n_maps };
    struct vm_insn *insns;
    uint32_t n;

    if (vm_asm(text, &opts, &insns, &n, err)) {
        fail_msg("%s", err->text);
    }

    const struct vm_prog_attr attr = {
        .type = &type, .name = "test", .insns = insns, .n_insns = n,
        .maps = the_maps, .n_maps = n_maps, .verify = verify,
    };
    int error = vm_prog_load(&attr, prog, err);
    free(insns);
    return error;
}

static struct vm_prog *
load(const char *text)
{
    struct vm_prog *prog;
    struct vm_err err;

    if (try_load(text, &prog, &err)) {
        fail_msg("%s", err.text);
    }
    return prog;
}

static uint64_t
run(const char *text, struct ctx *ctx)
{
    struct vm_prog *prog = load(text);
    uint64_t result = vm_prog_run(prog, ctx);

    vm_prog_unref(prog);
    return result;
}

static void
expect_fault(const char *text, struct ctx *ctx, const char *fault)
{
    struct vm_prog *prog = load(text);

    assert_int_equal(vm_prog_run_checked(prog, ctx), 77);
    assert_true(vm_fault.error < 0);
    if (!strstr(vm_fault.text, fault)) {
        fail_msg("'%s', expected '%s'", vm_fault.text, fault);
    }
    vm_prog_unref(prog);
}

static void
drop_maps(void)
{
    while (n_maps) {
        vm_map_unref(the_maps[--n_maps]);
    }
    vm_defer_run();
}

static void
test_members(void **state)
{
    uint8_t cold[16] = { [3] = 9 };
    struct ctx ctx = { .mark = 5, .port = 7, .readable = 3, .cold = cold,
                       .words = { 1, 2, 3, 4 } };

    assert_int_equal(run("r0 = *(u32 *)(r1 + 0)\n"
                         "r2 = *(u16 *)(r1 + 4)\n r0 += r2\n"
                         "r2 = *(u8 *)(r1 + 6)\n r0 += r2\n"
                         "r2 = *(u8 *)(r1 + 4)\n r0 += r2\n"
                         "*(u32 *)(r1 + 0) = 12\n"
                         "*(u16 *)(r1 + 4) = 100\n"
                         "*(u32 *)(r1 + 28) = -1\n"
                         "exit", &ctx), 5 + 7 + 3 + 7);
    assert_int_equal(ctx.mark, 12);
    assert_int_equal(ctx.port, 100);
    assert_int_equal(ctx.words[2], 3 | UINT64_C(0xffffffff00000000));
    assert_int_equal(run("r2 = *(u64 *)(r1 + 56)\n"
                         "r0 = *(u8 *)(r2 + 3)\n"
                         "*(u64 *)(r2 + 8) = 6\n exit", &ctx), 9);
    assert_int_equal(cold[8], 6);

    expect_fault("*(u8 *)(r1 + 6) = 1\n r0 = 0\n exit", &ctx,
                 "context member readable is read-only");
    expect_fault("*(u8 *)(r1 + 0) = 1\n r0 = 0\n exit", &ctx,
                 "context member mark can only be accessed as a whole");
    expect_fault("*(u16 *)(r1 + 4) = 101\n r0 = 0\n exit", &ctx,
                 "101 is not in the range of context member port, 1 to 100");
    expect_fault("*(u16 *)(r1 + 4) = 0\n r0 = 0\n exit", &ctx,
                 "0 is not in the range of context member port");
    expect_fault("r0 = *(u8 *)(r1 + 7)\n exit", &ctx, "has no member");
    expect_fault("r0 = *(u64 *)(r1 + 64)\n exit", &ctx, "has no member");
    expect_fault("r0 = *(u64 *)(r1 + 0)\n exit", &ctx, "has no member");
    expect_fault("*(u64 *)(r1 + 40) = 0\n r0 = 0\n exit", &ctx,
                 "context member data is read-only");
    expect_fault("r0 = *(u32 *)(r1 + 40)\n exit", &ctx,
                 "context member data can only be accessed as a whole");
    expect_fault("r2 = *(u64 *)(r1 + 56)\n r0 = *(u64 *)(r2 + 9)\n exit",
                 &ctx, "not inside any memory");
    expect_fault("r2 = 1\n lock *(u32 *)(r1 + 0) += w2\n r0 = 0\n exit",
                 &ctx, "no atomics on scalars");
    vm_defer_run();
}

static void
test_packet(void **state)
{
    uint8_t packet[] = { 1, 2, 3, 4, 5, 6 };
    struct ctx ctx = { .data = packet, .data_end = packet + 6 };

    assert_int_equal(run("r2 = *(u64 *)(r1 + 40)\n"
                         "r3 = *(u64 *)(r1 + 48)\n"
                         "r0 = *(u8 *)(r2 + 5)\n"
                         "*(u16 *)(r2 + 1) = 0x908\n"
                         "r3 -= r2\n r0 += r3\n exit", &ctx), 12);
    assert_int_equal(packet[1], 8);
    assert_int_equal(packet[2], 9);
    expect_fault("r2 = *(u64 *)(r1 + 40)\n r0 = *(u16 *)(r2 + 5)\n exit",
                 &ctx, "insn 1 (LDXH): not inside any memory");
    expect_fault("r2 = *(u64 *)(r1 + 40)\n r0 = *(u8 *)(r2 - 1)\n exit",
                 &ctx, "not inside any memory");
    ctx.data = ctx.data_end = NULL;
    expect_fault("r2 = *(u64 *)(r1 + 40)\n r0 = *(u8 *)(r2 + 0)\n exit",
                 &ctx, "not inside any memory");
    vm_defer_run();
}

static void
test_map_helpers(void **state)
{
    struct ctx ctx = { .words = { 3, 0, 55 } };
    uint32_t key = 3;
    uint64_t value = 1000;

    the_maps[n_maps++] = NEW_MAP(array, 4, 8, 10);
    the_maps[n_maps++] = NEW_MAP(hash, 8, 8, 10);
    assert_int_equal(vm_map_write(the_maps[0], &key, &value, 0), 0);
    assert_int_equal(run("*(u32 *)(r10 - 4) = 3\n"
                         "r1 = map array\n r2 = r10\n r2 += -4\n"
                         "call map_lookup_elem\n"
                         "if r0 == 0 goto out\n"
                         "r1 = *(u64 *)(r0 + 0)\n"
                         "*(u64 *)(r0 + 0) = 1001\n r0 = r1\n"
                         "out: exit", &ctx), 1000);
    assert_int_equal(vm_map_read(the_maps[0], &key, &value), 0);
    assert_int_equal(value, 1001);

    /* Key and value in the context. */
    assert_int_equal(run("r6 = r1\n r7 = r1\n r7 += 8\n"
                         "r1 = map hash\n r2 = r7\n r3 = r7\n r3 += 16\n"
                         "r4 = 0\n call map_update_elem\n"
                         "if r0 != 0 goto out\n"
                         "r1 = map hash\n r2 = r7\n call map_hash\n"
                         "r1 = map hash\n r2 = r7\n r3 = r0\n"
                         "call map_lookup_hash\n"
                         "if r0 == 0 goto out\n"
                         "r8 = *(u64 *)(r0 + 0)\n"
                         "r1 = map hash\n r2 = r7\n call map_delete_elem\n"
                         "r0 += r8\n"
                         "out: exit", &ctx), 55);
    assert_int_equal(vm_map_count(the_maps[1]), 0);

    expect_fault("r1 = map hash\n r2 = r10\n r2 += -4\n"
                 "call map_lookup_elem\n exit", &ctx,
                 "map_lookup_elem, r2: not inside any memory");
    expect_fault("r2 = r1\n r1 = map hash\n call map_lookup_elem\n exit",
                 &ctx, "memory argument is not a block of the context");
    expect_fault("*(u32 *)(r10 - 4) = 1\n r1 = map array\n r2 = r10\n"
                 "r2 += -4\n call map_lookup_elem\n"
                 "r0 = *(u64 *)(r0 + 1)\n exit", &ctx,
                 "not inside any memory");
    expect_fault("r1 = map array\n r2 = r10\n r2 += -8\n"
                 "call map_hash\n exit", &ctx,
                 "the helper does not work on maps of kind array");
    drop_maps();
}

static void
test_map_values(void **state)
{
    struct ctx ctx = { 0 };
    struct vm_prog *prog;
    struct vm_err err;

    the_maps[n_maps++] = NEW_MAP(array, 4, 16, 1);
    the_maps[n_maps++] = NEW_MAP(array, 4, 16, 2);
    the_maps[n_maps++] = NEW_MAP(hash, 4, 16, 2);
    assert_int_equal(run("r1 = map_value 0 + 8\n *(u32 *)(r1 + 4) = 6\n"
                         "r0 = *(u64 *)(r1 + 0)\n r0 >>= 32\n exit", &ctx),
                     6);
    expect_fault("r1 = map_value 0 + 8\n r0 = *(u64 *)(r1 + 4)\n exit", &ctx,
                 "not inside any memory");
    assert_int_equal(try_load("r1 = map_value 0 + 16\n r0 = 0\n exit", &prog,
                              &err), -EINVAL);
    assert_non_null(strstr(err.text, "insn 0: offset 16 is outside of the "
                           "16 bytes"));
    assert_int_equal(try_load("r1 = map_value 1\n r0 = 0\n exit", &prog,
                              &err), -EINVAL);
    assert_non_null(strstr(err.text, "only an array of one entry has"));
    assert_int_equal(try_load("r1 = map_value 2\n r0 = 0\n exit", &prog,
                              &err), -EINVAL);
    drop_maps();
}

static void
test_tail_calls(void **state)
{
    struct ctx ctx = { 0 };
    struct vm_prog *target, *counter;

    the_maps[n_maps++] = NEW_MAP(prog_array, 4, 4, 4);
    target = load("r0 = *(u32 *)(r1 + 0)\n r0 += 100\n exit");
    counter = load("r6 = r1\n r0 = *(u32 *)(r1 + 0)\n r0 += 1\n"
                   "*(u32 *)(r1 + 0) = r0\n"
                   "r2 = map prog_array\n r3 = 2\n call tail_call\n"
                   "r0 = *(u32 *)(r6 + 0)\n exit");
    assert_int_equal(vm_prog_array_set(the_maps[0], 1, target), 0);
    assert_int_equal(vm_prog_array_set(the_maps[0], 2, counter), 0);
    assert_int_equal(vm_prog_array_set(the_maps[0], 4, target), -E2BIG);

    ctx.mark = 5;
    assert_int_equal(run("r2 = map prog_array\n r3 = 1\n call tail_call\n"
                         "r0 = 1\n exit", &ctx), 105);
    assert_int_equal(run("r2 = map prog_array\n r3 = 0x100000001 ll\n"
                         "call tail_call\n r0 = 1\n exit", &ctx), 105);
    /* Nobody there, beyond the end. */
    assert_int_equal(run("r2 = map prog_array\n r3 = 0\n call tail_call\n"
                         "exit", &ctx), (uint64_t) -ENOENT);
    assert_int_equal(run("r2 = map prog_array\n r3 = 4\n call tail_call\n"
                         "exit", &ctx), (uint64_t) -ENOENT);
    /* From a local function: back to its caller, as in Linux. */
    assert_int_equal(run("r7 = 9\n call f\n r0 += r7\n exit\n"
                         "f: r7 = 1\n r2 = map prog_array\n r3 = 1\n"
                         "call tail_call\n r0 = 0\n exit", &ctx), 114);
    /* 33 of them, then it falls through. */
    ctx.mark = 0;
    assert_int_equal(vm_prog_run(counter, &ctx), 34);

    /* What is in the array is alive. */
    vm_prog_unref(target);
    vm_prog_unref(counter);
    vm_defer_run();
    ctx.mark = 7;
    assert_int_equal(run("r2 = map prog_array\n r3 = 1\n call tail_call\n"
                         "r0 = 1\n exit", &ctx), 107);
    /* A program that refers to the array it is in. */
    vm_prog_array_clear(the_maps[0]);
    assert_int_equal(vm_map_count(the_maps[0]), 0);
    drop_maps();
}

static void
test_slots(void **state)
{
    struct vm_slots *slots = vm_slots_create(16);
    struct ctx ctx = { .slots = slots };
    struct vm_prog *two = load("r0 = *(u32 *)(r1 + 0)\n r0 += 200\n exit");
    struct vm_prog *loop = load("r2 = 2\n call goto_slot\n r0 = 3\n exit");
    const char *to_one = "r2 = 1\n call goto_slot\n exit";

    ctx.mark = 4;
    assert_int_equal(run(to_one, &ctx), (uint64_t) -ENOENT);
    vm_slots_set(slots, 1, two);
    assert_int_equal(run(to_one, &ctx), 204);
    assert_int_equal(run("r2 = 3\n call goto_slot\n exit", &ctx),
                     (uint64_t) -ENOENT);
    assert_int_equal(run("r2 = 16\n call goto_slot\n r0 = 5\n exit", &ctx),
                     (uint64_t) -ENOENT);
    assert_int_equal(run("r2 = -1\n call goto_slot\n exit", &ctx),
                     (uint64_t) -ENOENT);
    ctx.slots = NULL;
    assert_int_equal(run(to_one, &ctx), (uint64_t) -ENOENT);
    ctx.slots = slots;
    if (!verify) {
        /* Endless: only fuel ends it. */
        vm_slots_set(slots, 2, loop);
        expect_fault("r2 = 2\n call goto_slot\n exit", &ctx, "out of fuel");
    }
    vm_prog_unref(two);
    vm_prog_unref(loop);
    vm_slots_unref(slots);
    vm_defer_run();
}

static void
test_vlookup(void **state)
{
    struct ctx ctx = { .words = { 0, 42, 0xabcdef } };
    const uint64_t mask[2] = { UINT64_MAX, 0xff };
    const uint64_t key[2] = { 42, 0xef };

    the_maps[n_maps++] = NEW_MAP(vtuples, 16, 8, 0);
    assert_int_equal(vm_vtuples_insert(the_maps[0], mask, key, 1, 10, 1234,
                                       NULL), 0);

    const char *text = "r6 = r1\n r1 = map vtuples\n r2 = r6\n r2 += 16\n"
                       "r3 = *(u64 *)(r6 + 8)\n call vlookup\n"
                       "if r0 == 0 goto out\n"
                       "r0 = *(u64 *)(r0 + 0)\n out: exit";
    ctx.words[0] = 10;
    assert_int_equal(run(text, &ctx), 1234);
    ctx.words[0] = 9;
    assert_int_equal(run(text, &ctx), 0);
    drop_maps();
}

static void
test_emit(void **state)
{
    struct ctx ctx = { .mark = 21 };
    struct vm_prog_attr attr = { .type = &type, .name = "built",
                                 .verify = verify };
    struct vm_emit e;
    struct vm_err err;
    struct vm_prog *prog;

    the_maps[n_maps++] = NEW_MAP(array, 4, 8, 1);
    vm_emit_init(&e);
    vm_label_t zero = vm_label(&e), end = vm_label(&e), f = vm_label(&e);
    vm_emit_note(&e, "flow %d", 7);
    vm_emit_ld_map(&e, VM_R6, the_maps[0]);
    vm_emit_ld_map_value(&e, VM_R7, the_maps[0], 0);
    vm_emit_ld(&e, 4, VM_R0, VM_R1, 0);
    vm_emit_jcci(&e, VM_JEQ, VM_R0, 0, zero);
    vm_emit_note(&e, "flow 8");
    vm_emit_mov(&e, VM_R1, VM_R0);
    vm_emit_call_local(&e, f);
    vm_emit_goto(&e, end);
    vm_bind(&e, zero);
    vm_emit_movi(&e, VM_R0, -1);
    vm_bind(&e, end);
    vm_emit_const(&e, VM_R2, UINT64_C(0x100000000));
    vm_emit_alu(&e, VM_OR, VM_R0, VM_R2);
    vm_emit_exit(&e);
    vm_bind(&e, f);
    vm_emit_mov(&e, VM_R0, VM_R1);
    vm_emit_alui32(&e, VM_LSH, VM_R0, 1);
    vm_emit_exit(&e);
    assert_int_equal(vm_emit_finish(&e, &attr, &err), 0);
    assert_int_equal(attr.n_maps, 1);
    assert_int_equal(vm_prog_load(&attr, &prog, &err), 0);
    vm_emit_uninit(&e);

    assert_int_equal(vm_prog_run(prog, &ctx), UINT64_C(0x10000002a));
    char *text = vm_prog_disasm(prog, VM_DISASM_LABELS);
    assert_non_null(strstr(text, "; flow 7\n    r6 = map array\n"
                           "    r7 = map_value array + 0\n"));
    assert_non_null(strstr(text, "; flow 8\n    r1 = r0\n"));
    free(text);
    vm_prog_unref(prog);
    drop_maps();
}

static void
test_emit_errors(void **state)
{
    struct vm_prog_attr attr = { .type = &type };
    struct vm_emit e;
    struct vm_err err;

    vm_emit_init(&e);
    vm_emit_goto(&e, vm_label(&e));
    assert_int_equal(vm_emit_finish(&e, &attr, &err), -EINVAL);
    assert_string_equal(err.text, "insn 0: the label it jumps to was never "
                        "bound");
    vm_emit_uninit(&e);

    vm_emit_init(&e);
    vm_emit_ld(&e, 3, VM_R0, VM_R1, 0);
    vm_emit_ld(&e, 4, VM_R0, VM_R1, 40000);
    assert_int_equal(vm_emit_finish(&e, &attr, &err), -EINVAL);
    assert_string_equal(err.text, "insn 0: access of 3 bytes");
    vm_emit_uninit(&e);

    vm_emit_init(&e);
    vm_label_t far = vm_label(&e);
    vm_emit_jcci(&e, VM_JEQ, VM_R1, 0, far);
    vm_emit_goto(&e, far);
    for (int i = 0; i < 40000; i++) {
        vm_emit_movi(&e, VM_R0, i);
    }
    vm_bind(&e, far);
    vm_emit_exit(&e);
    assert_int_equal(vm_emit_finish(&e, &attr, &err), -ERANGE);
    vm_emit_uninit(&e);
}

static int
refuse(struct vm_prog *prog, const struct vm_verify_opts *opts,
       struct vm_err *err)
{
    return vm_err(err, -EACCES, "no");
}

static void
test_refused(void **state)
{
    struct vm_prog *prog;
    struct vm_err err;
    vm_verify_fn *old = verify;

    the_maps[n_maps++] = NEW_MAP(array, 4, 8, 1);
    verify = refuse;
    assert_int_equal(try_load("r0 = 0\n exit", &prog, &err), -EACCES);
    assert_null(prog);
    assert_string_equal(err.text, "no");
    verify = old;
    /* It gave the maps back. */
    assert_int_equal(atomic_load(&the_maps[0]->refs), 1);
    drop_maps();
}

static int
set_fast(void **state)
{
    verify = vm_data_trust;
    return 0;
}

int
main(void)
{
#define TESTS                                                                 \
        cmocka_unit_test(test_members), cmocka_unit_test(test_packet),        \
        cmocka_unit_test(test_map_helpers),                                   \
        cmocka_unit_test(test_map_values),                                    \
        cmocka_unit_test(test_tail_calls), cmocka_unit_test(test_slots),      \
        cmocka_unit_test(test_vlookup), cmocka_unit_test(test_emit),          \
        cmocka_unit_test(test_emit_errors), cmocka_unit_test(test_refused)
    const struct CMUnitTest checked[] = { TESTS };
    const struct CMUnitTest fast[] = { TESTS };

    int failed = cmocka_run_group_tests_name("checked", checked, NULL, NULL);
    return failed + cmocka_run_group_tests_name("fast", fast, set_fast, NULL);
}
