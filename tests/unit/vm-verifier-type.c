/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vm-verifier-type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vm/asm.h"
#include "vm/map.h"
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
    MEMBER(fixed, 88, 8, MEM, .flags = 0),
    MEMBER(narrow, 100, 4, BLOCK, .block_size = 8, .real_off = 104,
           .real_size = 8),
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
    { .id = VM_HELPER_YIELD, .name = "yield", .ret = VM_RET_VOID,
      .args = { VM_ARG_CTX }, .flags = VM_HF_YIELD },
    { .id = VM_HELPER_GOTO, .name = "goto_slot", .ret = VM_RET_VOID,
      .args = { VM_ARG_CTX, VM_ARG_ANY }, .flags = VM_HF_TAIL_CALL },
};

static const struct vm_helper_set own_helpers = {
    helpers, sizeof helpers / sizeof helpers[0]
};
static const struct vm_helper_set *const sets[] = {
    &vm_helpers_base, &own_helpers
};

const struct vm_prog_type verifier_type = {
    .name = "test",
    .ctx_size = 104,
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
    /* Of maps like the first. */
    { .kind = VM_MAP_array_of_maps, .key_size = 4, .value_size = 4,
      .max_entries = 2, .name = "maps" },
    { .kind = VM_MAP_devmap, .key_size = 4, .value_size = 4,
      .max_entries = 2, .name = "devices" },
};
#define N_MAPS (sizeof map_attrs / sizeof map_attrs[0])

static struct vm_map *maps[N_MAPS];

int
verifier_setup(void **state)
{
    for (size_t i = 0; i < N_MAPS; i++) {
        struct vm_map_attr attr = map_attrs[i];
        struct vm_err err;

        attr.inner = attr.kind == VM_MAP_array_of_maps ? maps[0] : NULL;
        if (vm_map_create(&attr, &maps[i], &err)) {
            print_error("%s\n", err.text);
            return -1;
        }
    }
    return 0;
}

int
verifier_teardown(void **state)
{
    for (size_t i = 0; i < N_MAPS; i++) {
        vm_map_unref(maps[i]);
    }
    vm_defer_run();
    return 0;
}

int
verifier_load_with(const char *text, vm_verify_fn *verify,
                   const struct vm_verify_opts *opts, struct vm_err *err)
{
    const struct vm_asm_opts asm_opts = { &verifier_type, maps, N_MAPS };
    struct vm_prog_attr attr = { .type = &verifier_type, .name = "test",
                                 .maps = maps, .n_maps = N_MAPS,
                                 .verify = verify, .verify_opts = opts };
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

int
verifier_load(const char *text, const struct vm_verify_opts *opts,
              struct vm_err *err)
{
    /* A loaded machine is not what these tests are about. */
    static const struct vm_verify_opts patient = { .max_ms = 600 * 1000 };

    return verifier_load_with(text, vm_verify, opts ? opts : &patient, err);
}

int
verifier_rule_index(const char *name)
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
