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
#include "datapath/xdp.h"
#include "vm/elf.h"
#include "vm/map.h"
#include "vm/verify.h"

static struct dp_xdp xdp;

static const char *
path(const char *object)
{
    static char buf[5000];

    snprintf(buf, sizeof buf, "%s/elf/%s", vm_data_dir(), object);
    return buf;
}

static struct vm_elf *
open_elf(const char *object)
{
    struct vm_elf *elf;
    struct vm_err err;

    if (vm_elf_open_file(path(object), &elf, &err)) {
        fail_msg("%s", err.text);
    }
    return elf;
}

static uint64_t
run(const struct vm_prog *prog, uint8_t first, uint8_t second)
{
    const uint8_t packet[60] = { first, second };

    dp_xdp_set_packet(&xdp, packet, sizeof packet);
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
    struct vm_elf *elf = open_elf("switch.o");
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
    assert_int_equal(run(prog, 1, 5), DP_XDP_PASS);
    assert_int_equal(run(prog, 1, 6), DP_XDP_PASS);
    assert_int_equal(run(prog, 1, 7), DP_XDP_PASS);
    assert_int_equal(run(prog, 1, 8), DP_XDP_DROP);
    assert_int_equal(global(elf, "bvs.data"), 0x100 + 5 + 6 + 7 + 8);
    assert_int_equal(global(elf, "bvs.bss"), 4);
    assert_int_equal(vm_map_read(vm_elf_map_by_name(elf, "counters"),
                                 &(uint32_t) { 1 }, counter), 0);
    assert_int_equal(counter[0], 4);
    assert_int_equal(counter[1], 240);

    /* Inner maps 0 and 2 are there; the tail call needs a value in one. */
    assert_int_equal(run(prog, 2, 0), DP_XDP_PASS);
    assert_int_equal(vm_map_write(vm_elf_map_by_name(elf, "inner_b"), &key,
                                  &value, 0), 0);
    assert_int_equal(run(prog, 2, 0), DP_XDP_TX);
    assert_int_equal(global(elf, "bvs.bss"), 106);
    assert_int_equal(run(prog, 0, 0), DP_XDP_PASS);

    /* The program outlives the object. */
    vm_elf_close(elf);
    vm_defer_run();
    assert_int_equal(run(prog, 2, 0), DP_XDP_TX);
    vm_prog_unref(prog);
    vm_defer_run();
}

static void
test_checked(void **state)
{
    run_on(&(struct vm_prog_attr) { .type = &dp_xdp_type });
}

static void
test_fast(void **state)
{
    run_on(&(struct vm_prog_attr) { .type = &dp_xdp_type,
                                    .verify = vm_verify });
}

static void
test_native(void **state)
{
    if (!jit_backend()) {
        skip();
    }
    run_on(&(struct vm_prog_attr) { .type = &dp_xdp_type,
                                    .verify = vm_verify,
                                    .backend = jit_backend() });
}

static void
test_errors(void **state)
{
    const struct vm_prog_attr attr = { .type = &dp_xdp_type };
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

    elf = open_elf("switch.o");
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

struct log {
    char text[8192];
};

static void
add_line(void *log_, const char *line)
{
    struct log *log = log_;
    size_t n = strlen(log->text);

    snprintf(log->text + n, sizeof log->text - n, "%s\n", line);
}

/* A rejection tells the line of source, also of a local function that another
 * one calls, and the log what the registers held. */
static void
test_lines(void **state)
{
    static const struct {
        const char *prog, *says, *state;
    } wrong[] = {
        { "in_the_program",
          "; wrong.c:35: return data[2] ? XDP_PASS : XDP_DROP;       "
          "/* One too far. */): r2 is a packet pointer, 2 bytes proved at "
          "offset 2: the access is beyond what is known of the packet's "
          "length; compare the address after the last byte with the packet's "
          "end first",
          "\n  r2 is a packet pointer, 2 bytes proved at offset 2\n" },
        { "in_a_function",
          "; wrong.c:11: return data[index & 3];     /* Nothing was "
          "compared. */): r",
          "\ncalled from instruction " },
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct log log = { "" };
        const struct vm_verify_opts opts = {
            .log = add_line, .log_aux = &log, .log_level = 1,
        };
        const struct vm_prog_attr attr = { .type = &dp_xdp_type,
                                           .verify = vm_verify,
                                           .verify_opts = &opts };
        struct vm_elf *elf = open_elf("wrong.o");
        struct vm_prog *prog;
        struct vm_err err;

        assert_int_equal(vm_elf_make_maps(elf, &err), 0);
        assert_int_equal(vm_elf_load_prog(elf, wrong[i].prog, &attr, &prog,
                                          &err), -EACCES);
        if (!strstr(err.text, wrong[i].says)) {
            fail_msg("'%s', expected '%s'", err.text, wrong[i].says);
        }
        if (!strstr(log.text, wrong[i].state)) {
            fail_msg("'%s', expected '%s'", log.text, wrong[i].state);
        }
        vm_elf_close(elf);
        vm_defer_run();
    }
}

/* Opens an object that may be damaged and loads its programs; false if
 * something was refused, which then has a sentence. */
static bool
survives(const void *image, size_t size)
{
    static const struct vm_verify_opts opts = { .max_steps = 10000 };
    const struct vm_prog_attr attr = { .type = &dp_xdp_type,
                                       .verify = vm_verify,
                                       .verify_opts = &opts };
    struct vm_err err = { "" };
    struct vm_elf *elf;
    bool ok = !vm_elf_open(image, size, "damaged", &elf, &err)
              && !vm_elf_make_maps(elf, &err);

    for (uint32_t i = 0; ok && i < vm_elf_n_progs(elf); i++) {
        struct vm_prog *prog;

        ok = !vm_elf_load_prog(elf, vm_elf_prog(elf, i).name, &attr, &prog,
                               &err);
        if (ok) {
            vm_prog_unref(prog);
        }
    }
    ok = ok && !vm_elf_link(elf, &attr, &err);
    if (elf) {
        vm_elf_unlink(elf);
        vm_elf_close(elf);
    }
    vm_defer_run();
    assert_true(ok || strchr(err.text, ' '));
    return ok;
}

/* Damaged objects are refused with a sentence, or load; nothing breaks. */
static void
damage(const char *object, size_t step)
{
    static uint8_t image[65536], copy[65536];
    FILE *f = fopen(path(object), "rb");
    size_t size = fread(image, 1, sizeof image, f);
    uint32_t seed = 1;

    fclose(f);
    /* Cut off anywhere. */
    for (size_t n = 0; n < size; n += 1 + size / 100) {
        memcpy(copy, image, n);
        assert_false(survives(copy, n));
    }
    /* One bit. */
    for (size_t i = rand_r(&seed) % step; i < size; i += step) {
        memcpy(copy, image, size);
        copy[i] ^= 1u << rand_r(&seed) % 8;
        survives(copy, size);
    }
    /* Some bytes. */
    for (size_t i = 0; i < 300; i++) {
        memcpy(copy, image, size);
        for (int j = 0; j < 4; j++) {
            copy[rand_r(&seed) % size] = rand_r(&seed);
        }
        survives(copy, size);
    }
}

static void
test_damaged(void **state)
{
    damage("switch.o", 3);
    damage("wrong.o", 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checked),
        cmocka_unit_test(test_fast),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
