/* SPDX-License-Identifier: Apache-2.0 */

/* The ELF loader, on tests/data/vm/elf/switch.c, on every engine; and on
 * objects that are cut or damaged. */

#include <errno.h>
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
#include "utilities/bpf-xdp.h"
#include "vm/elf.h"
#include "vm/map.h"
#include "vm/verify.h"

static struct bpf_xdp xdp;

static const char *
path(void)
{
    static char buf[5000];

    snprintf(buf, sizeof buf, "%s/elf/switch.o", vm_data_dir());
    return buf;
}

static struct vm_elf *
open_elf(void)
{
    struct vm_elf *elf;
    struct vm_err err;

    if (vm_elf_open_file(path(), &elf, &err)) {
        fail_msg("%s", err.text);
    }
    return elf;
}

static uint64_t
run(const struct vm_prog *prog, uint8_t first, uint8_t second)
{
    const uint8_t packet[60] = { first, second };

    bpf_xdp_set_packet(&xdp, packet, sizeof packet);
    uint64_t r0 = vm_prog_run(prog, &xdp);
    assert_int_equal(vm_fault.error, 0);
    return r0;
}

static uint64_t
global(const struct vm_elf *elf, const char *map)
{
    uint64_t value = 0;

    assert_int_equal(vm_map_read(vm_elf_map_by_name(elf, map),
                                 &(uint32_t) { 0 }, &value), 0);
    return value;
}

static void
run_on(const struct vm_prog_attr *engine)
{
    struct vm_elf *elf = open_elf();
    struct vm_err err = { "" };
    struct vm_prog *prog = NULL;
    uint32_t limit = 3, key = 0, value = 1;
    uint64_t counter[2];

    assert_int_equal(vm_elf_n_progs(elf), 2);
    assert_int_equal(vm_elf_set_var(elf, "limit", &limit, 4, &err), 0);
    assert_int_equal(vm_elf_set_var_text(elf, "sum", "0x100", &err), 0);
    if (vm_elf_make_maps(elf, &err)
        || vm_elf_load_prog(elf, "head", engine, &prog, &err)
        || vm_elf_link(elf, engine, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(prog->verified, engine->verify != NULL);
    if (engine->backend) {
        if (!prog->native) {
            fail_msg("%s", vm_prog_compile_error(prog));
        }
    }

    /* Counted by first byte, up to the limit. */
    assert_int_equal(run(prog, 1, 5), BPF_XDP_PASS);
    assert_int_equal(run(prog, 1, 6), BPF_XDP_PASS);
    assert_int_equal(run(prog, 1, 7), BPF_XDP_PASS);
    assert_int_equal(run(prog, 1, 8), BPF_XDP_DROP);
    assert_int_equal(global(elf, "bvs.data"), 0x100 + 5 + 6 + 7 + 8);
    assert_int_equal(global(elf, "bvs.bss"), 4);
    assert_int_equal(vm_map_read(vm_elf_map_by_name(elf, "counters"),
                                 &(uint32_t) { 1 }, counter), 0);
    assert_int_equal(counter[0], 4);
    assert_int_equal(counter[1], 240);

    /* Inner maps 0 and 2 are there; the tail call needs a value in one. */
    assert_int_equal(run(prog, 2, 0), BPF_XDP_PASS);
    assert_int_equal(vm_map_write(vm_elf_map_by_name(elf, "inner_b"), &key,
                                  &value, 0), 0);
    assert_int_equal(run(prog, 2, 0), BPF_XDP_TX);
    assert_int_equal(global(elf, "bvs.bss"), 106);
    assert_int_equal(run(prog, 0, 0), BPF_XDP_PASS);

    /* The program outlives the object. */
    vm_elf_close(elf);
    vm_defer_run();
    assert_int_equal(run(prog, 2, 0), BPF_XDP_TX);
    vm_prog_unref(prog);
    vm_defer_run();
}

static void
test_checked(void **state)
{
    run_on(&(struct vm_prog_attr) { .type = &bpf_xdp_type });
}

static void
test_fast(void **state)
{
    run_on(&(struct vm_prog_attr) { .type = &bpf_xdp_type,
                                    .verify = vm_verify });
}

static void
test_native(void **state)
{
    if (!jit_backend()) {
        skip();
    }
    run_on(&(struct vm_prog_attr) { .type = &bpf_xdp_type,
                                    .verify = vm_verify,
                                    .backend = jit_backend() });
}

static void
test_errors(void **state)
{
    const struct vm_prog_attr attr = { .type = &bpf_xdp_type };
    struct vm_elf *elf;
    struct vm_prog *prog;
    struct vm_err err = { "" };
    uint64_t value = 0;

    assert_int_equal(vm_elf_open_file("/nonexistent.o", &elf, &err), -ENOENT);
    assert_string_equal(err.text,
                        "/nonexistent.o: No such file or directory");
    assert_true(vm_elf_open("hello", 5, "hello.txt", &elf, &err) < 0);
    assert_non_null(strstr(err.text, "hello.txt: not an object"));
    assert_null(elf);

    elf = open_elf();
    assert_int_equal(vm_elf_set_var(elf, "limit", &value, 8, &err), -EINVAL);
    assert_non_null(strstr(err.text, "variable limit has 4 bytes, not 8"));
    assert_int_equal(vm_elf_set_var(elf, "none", &value, 8, &err), -ENOENT);
    assert_int_equal(vm_elf_set_var_text(elf, "limit", "5x", &err), -EINVAL);
    assert_int_equal(vm_elf_make_maps(elf, &err), 0);
    assert_int_equal(vm_elf_load_prog(elf, "none", &attr, &prog, &err),
                     -ENOENT);
    assert_non_null(strstr(err.text, "there is no program none"));
    vm_elf_close(elf);
    vm_defer_run();
}

/* Damaged objects are refused with a sentence, or load; nothing breaks. */
static void
test_damaged(void **state)
{
    FILE *f = fopen(path(), "rb");
    static uint8_t image[65536], copy[65536];
    size_t size = fread(image, 1, sizeof image, f);
    uint32_t seed = 1, n_refused = 0;

    fclose(f);
    for (size_t i = 0; i < 400; i++) {
        struct vm_elf *elf;
        struct vm_err err = { "" };
        size_t n = size;

        memcpy(copy, image, size);
        if (i < 100) {
            n = size * i / 100;
        } else {
            for (int j = 0; j < 4; j++) {
                copy[rand_r(&seed) % size] = rand_r(&seed);
            }
        }
        if (vm_elf_open(copy, n, "damaged", &elf, &err)
            || vm_elf_make_maps(elf, &err)) {
            assert_non_null(strstr(err.text, " "));
            n_refused++;
        }
        vm_elf_close(elf);
        vm_defer_run();
    }
    assert_true(n_refused >= 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checked),
        cmocka_unit_test(test_fast),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
