/* SPDX-License-Identifier: Apache-2.0 */

/* Each helper of the program type "xdp" against the kernel: one program,
 * run there by BPF_PROG_TEST_RUN and here by every engine, must give the same
 * result and the same packet.  Where bpf() is not allowed, or the kernel
 * older than 6.13, only what is written here is compared with. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "datapath/xdp.h"
#include "jit/jit.h"
#include "vm/asm.h"
#include "vm/map.h"
#include "vm/verify.h"

/* Packets have PACKET bytes: 0, 1, 2... */
#define PACKET 64

/* What all programs' results become: the low 32 bits of r0. */
#define ERR(ERROR) ((uint32_t) -(ERROR))

#define TO_R6 "r6 = r1\n"
#define KEY "*(u32 *)(r10 - 4) = 1\n"
#define HEADER "r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\n"             \
    "r4 = r2\nr4 += 20\nif r4 > r3 goto bad\n"
#define BAD "exit\nbad:\nr0 = 99\nexit\n"
#define FORMAT(TEXT8) "r2 = " TEXT8 " ll\n*(u64 *)(r10 - 8) = r2\n"          \
    "r1 = r10\nr1 += -8\nr2 = 8\n"
#define D_NL "0x0a6425203d2061"         /* "a = %d\n" */
#define S_END "0x7325"                  /* "%s" */
#define NO_END "0x2020202020202020"
#define BAD_TYPE "0x7125"               /* "%q" */
#define THREE "0x782575256425"          /* "%d%u%x" */

static const struct row {
    const char *name, *text;
    uint32_t result;
    uint32_t size;              /* Of metadata and packet afterwards; 0:
                                 * PACKET. */
    bool only_here;             /* The kernel has another environment. */
} rows[] = {
    /* The context. */
    { "ingress_ifindex", "r0 = *(u32 *)(r1 + 12)\nexit\n", 1, 0, false },
    { "rx_queue_index", "r0 = *(u32 *)(r1 + 16)\nexit\n", 0, 0, false },
    { "data_end - data", "r2 = *(u32 *)(r1 + 0)\nr0 = *(u32 *)(r1 + 4)\n"
      "r0 -= r2\nexit\n", PACKET, 0, false },
    { "no metadata", "r2 = *(u32 *)(r1 + 8)\nr0 = *(u32 *)(r1 + 0)\n"
      "r0 -= r2\nexit\n", 0, 0, false },
    { "bytes", HEADER "r0 = *(u32 *)(r2 + 16)\n" BAD, 0x13121110, 0, false },

    /* adjust_head. */
    { "adjust_head, less", "r2 = 4\ncall xdp_adjust_head\nexit\n", 0, 60,
      false },
    { "adjust_head, more", TO_R6 "r2 = -8\ncall xdp_adjust_head\n"
      "if r0 != 0 goto bad\nr1 = r6\n" HEADER "*(u64 *)(r2 + 0) = 7\n"
      "r0 = *(u8 *)(r2 + 8)\n" BAD, 0, 72, false },
    { "adjust_head, all there is", "r2 = -216\ncall xdp_adjust_head\n"
      "r0 = 5\nexit\n", 5, 280, true },
    { "adjust_head, more than there is", "r2 = -217\ncall xdp_adjust_head\n"
      "exit\n", ERR(EINVAL), 0, true },
    { "adjust_head, far too much", "r2 = -257\ncall xdp_adjust_head\n"
      "exit\n", ERR(EINVAL), 0, false },
    { "adjust_head, down to a header", "r2 = 50\ncall xdp_adjust_head\n"
      "exit\n", 0, 14, false },
    { "adjust_head, less than a header", "r2 = 51\ncall xdp_adjust_head\n"
      "exit\n", ERR(EINVAL), 0, false },

    /* adjust_meta. */
    { "adjust_meta", TO_R6 "r2 = -8\ncall xdp_adjust_meta\n"
      "if r0 != 0 goto bad\nr2 = *(u32 *)(r6 + 8)\nr3 = *(u32 *)(r6 + 0)\n"
      "r4 = r2\nr4 += 8\nif r4 > r3 goto bad\n*(u32 *)(r2 + 0) = 5\n"
      "r0 = *(u32 *)(r2 + 0)\n" BAD, 5, 72, false },
    { "adjust_meta, back", TO_R6 "r2 = -8\ncall xdp_adjust_meta\n"
      "r1 = r6\nr2 = 4\ncall xdp_adjust_meta\nr2 = *(u32 *)(r6 + 8)\n"
      "r0 = *(u32 *)(r6 + 0)\nr0 -= r2\nexit\n", 4, 68, false },
    { "adjust_meta, not a multiple of 4", "r2 = -6\n"
      "call xdp_adjust_meta\nexit\n", ERR(EACCES), 0, false },
    { "adjust_meta, past the data", "r2 = 4\ncall xdp_adjust_meta\nexit\n",
      ERR(EINVAL), 0, false },
    { "adjust_meta, far too much", "r2 = -1000\ncall xdp_adjust_meta\n"
      "exit\n", ERR(EINVAL), 0, false },
    { "metadata moves along", TO_R6 "r2 = -4\ncall xdp_adjust_meta\n"
      "r2 = *(u32 *)(r6 + 8)\nr3 = *(u32 *)(r6 + 0)\nr4 = r2\nr4 += 4\n"
      "if r4 > r3 goto bad\n*(u32 *)(r2 + 0) = 77\nr1 = r6\nr2 = 16\n"
      "call xdp_adjust_head\nr2 = *(u32 *)(r6 + 8)\nr3 = *(u32 *)(r6 + 0)\n"
      "r4 = r2\nr4 += 4\nif r4 > r3 goto bad\nr0 = *(u32 *)(r2 + 0)\n" BAD,
      77, 52, false },

    /* adjust_tail. */
    { "adjust_tail, less", "r2 = -10\ncall xdp_adjust_tail\nexit\n", 0, 54,
      false },
    { "adjust_tail, more is zero", "r2 = 10\ncall xdp_adjust_tail\nexit\n",
      0, 74, false },
    { "adjust_tail, less than a header", "r2 = -51\n"
      "call xdp_adjust_tail\nexit\n", ERR(EINVAL), 0, false },
    { "adjust_tail, far too much", "r2 = 1000000\ncall xdp_adjust_tail\n"
      "exit\n", ERR(EINVAL), 0, false },

    /* Bytes. */
    { "xdp_get_buff_len", "call xdp_get_buff_len\nexit\n", PACKET, 0,
      false },
    { "xdp_load_bytes", "r2 = 5\nr3 = r10\nr3 += -8\nr4 = 4\n"
      "call xdp_load_bytes\nr0 = *(u32 *)(r10 - 8)\nexit\n", 0x08070605, 0,
      false },
    { "xdp_load_bytes, past the end", "r2 = 61\nr3 = r10\nr3 += -8\n"
      "r4 = 4\ncall xdp_load_bytes\nexit\n", ERR(EINVAL), 0, false },
    { "xdp_load_bytes, far away", "r2 = 65536\nr3 = r10\nr3 += -8\n"
      "r4 = 4\ncall xdp_load_bytes\nexit\n", ERR(EFAULT), 0, false },
    { "xdp_store_bytes", "*(u64 *)(r10 - 8) = 0x1234\nr2 = 60\nr3 = r10\n"
      "r3 += -8\nr4 = 4\ncall xdp_store_bytes\nexit\n", 0, 0, false },
    { "xdp_store_bytes, past the end", "*(u64 *)(r10 - 8) = 1\nr2 = 61\n"
      "r3 = r10\nr3 += -8\nr4 = 4\ncall xdp_store_bytes\nexit\n",
      ERR(EINVAL), 0, false },
    { "xdp_store_bytes, far away", "*(u64 *)(r10 - 8) = 1\nr2 = -1\n"
      "r3 = r10\nr3 += -8\nr4 = 4\ncall xdp_store_bytes\nexit\n",
      ERR(EFAULT), 0, false },

    /* Checksums. */
    { "csum_diff of the packet", HEADER "r1 = 0\nr5 = 0\nr3 = r2\nr2 = 0\n"
      "r4 = 20\ncall csum_diff\n" BAD, 0x645a, 0, false },
    { "csum_diff, both", "*(u64 *)(r10 - 8) = 0x12345678\n"
      "*(u64 *)(r10 - 16) = -2\nr1 = r10\nr1 += -8\nr2 = 8\nr3 = r10\n"
      "r3 += -16\nr4 = 8\nr5 = 0xabcd\ncall csum_diff\nexit\n", 0x4320, 0,
      false },
    { "csum_diff, from only", "*(u64 *)(r10 - 8) = 0x12345678\nr1 = r10\n"
      "r1 += -8\nr2 = 8\nr3 = 0\nr4 = 0\nr5 = 7\ncall csum_diff\nexit\n",
      0x975a, 0, false },
    { "csum_diff, nothing", "r1 = 0\nr2 = 0\nr3 = 0\nr4 = 0\n"
      "r5 = 0x12345\ncall csum_diff\nexit\n", 0x2346, 0, false },
    { "csum_diff, not whole words", "*(u64 *)(r10 - 8) = 1\nr1 = r10\n"
      "r1 += -8\nr2 = 6\nr3 = 0\nr4 = 0\nr5 = 0\ncall csum_diff\nexit\n",
      0xfffe, 0, false },
    { "csum_diff, an odd size", "r2 = 0x1122334455667788 ll\n"
      "*(u64 *)(r10 - 8) = r2\nr1 = 0\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 7\n"
      "r5 = 0\ncall csum_diff\nexit\n", 0x55, 0, false },

    /* Redirects. */
    { "redirect", "r1 = 1\nr2 = 0\ncall redirect\nexit\n", XDP_REDIRECT, 0,
      false },
    { "redirect, flags", "r1 = 1\nr2 = 1\ncall redirect\nexit\n",
      XDP_ABORTED, 0, false },
    { "redirect_map", "r1 = map devmap\nr2 = 1\nr3 = 0\n"
      "call redirect_map\nexit\n", XDP_REDIRECT, 0, false },
    { "redirect_map, empty", "r1 = map devmap\nr2 = 0\nr3 = 2\n"
      "call redirect_map\nexit\n", XDP_PASS, 0, false },
    { "redirect_map, out of range", "r1 = map devmap\nr2 = 99\nr3 = 1\n"
      "call redirect_map\nexit\n", XDP_DROP, 0, false },
    { "redirect_map, wrong flags", "r1 = map devmap\nr2 = 1\nr3 = 32\n"
      "call redirect_map\nexit\n", XDP_ABORTED, 0, false },
    { "redirect_map, to all", "r1 = map devmap\nr2 = 0\nr3 = 8\n"
      "call redirect_map\nexit\n", XDP_REDIRECT, 0, false },
    { "redirect_map, to all of an xskmap", "r1 = map xskmap\nr2 = 0\n"
      "r3 = 8\ncall redirect_map\nexit\n", XDP_ABORTED, 0, false },
    { "redirect_map, xskmap, empty", "r1 = map xskmap\nr2 = 0\n"
      "r3 = 3\ncall redirect_map\nexit\n", XDP_TX, 0, false },

    /* Routes: of the kernel, whether it forwards is configuration. */
#define PARAMS(FAMILY) "*(u64 *)(r10 - 64) = " FAMILY "\n"                   \
    "*(u64 *)(r10 - 56) = 1\n*(u64 *)(r10 - 48) = 0\n"                       \
    "*(u64 *)(r10 - 40) = 0\n*(u64 *)(r10 - 32) = 0\n"                       \
    "*(u64 *)(r10 - 24) = 0\n*(u64 *)(r10 - 16) = 0\n"                       \
    "*(u64 *)(r10 - 8) = 0\nr2 = r10\nr2 += -64\n"
    { "fib_lookup", PARAMS("2") "r3 = 64\nr4 = 0\ncall fib_lookup\nexit\n",
      BPF_FIB_LKUP_RET_NOT_FWDED, 0, true },
    { "fib_lookup, family", PARAMS("99") "r3 = 64\nr4 = 0\n"
      "call fib_lookup\nexit\n", ERR(EAFNOSUPPORT), 0, false },
    { "fib_lookup, size", PARAMS("2") "r3 = 60\nr4 = 0\ncall fib_lookup\n"
      "exit\n", ERR(EINVAL), 0, false },
    { "fib_lookup, flags", PARAMS("2") "r3 = 64\nr4 = 4096\n"
      "call fib_lookup\nexit\n", ERR(EINVAL), 0, false },

    /* Events. */
#define EVENT(FLAGS) "*(u64 *)(r10 - 8) = 7\nr2 = map events\nr3 = "         \
    FLAGS " ll\nr4 = r10\nr4 += -8\nr5 = 8\ncall perf_event_output\nexit\n"
    { "perf_event_output", EVENT("0xffffffff"), 0, 0, true },
    { "perf_event_output, flags", EVENT("0x10000000000000"), ERR(EINVAL), 0,
      false },
    { "perf_event_output, more than the packet", EVENT("0x41ffffffff"),
      ERR(EFAULT), 0, false },
    { "perf_event_output, index", EVENT("5000"), ERR(E2BIG), 0, false },

    /* Traces. */
    { "trace_printk", FORMAT(D_NL) "r3 = -5\ncall trace_printk\nexit\n", 7,
      0, false },
    { "trace_printk, unset", FORMAT("0x6968") "call trace_printk\nexit\n", 2,
      0, false },
    { "trace_printk, three", FORMAT(THREE) "r3 = -5\nr4 = -1\nr5 = 255\n"
      "call trace_printk\nexit\n", 14, 0, false },
    { "trace_printk, not ended", FORMAT(NO_END) "r3 = 0\n"
      "call trace_printk\nexit\n", ERR(EINVAL), 0, false },
    { "trace_printk, type", FORMAT(BAD_TYPE) "r3 = 0\ncall trace_printk\n"
      "exit\n", ERR(EINVAL), 0, false },
    { "trace_vprintk", "*(u64 *)(r10 - 24) = 1\n*(u64 *)(r10 - 16) = 2\n"
      FORMAT("0x206425206425") "r3 = r10\nr3 += -24\nr4 = 16\n"
      "call trace_vprintk\nexit\n", 4, 0, false },
    { "trace_vprintk, too few", FORMAT("0x206425206425") "*(u64 *)(r10 - 16)"
      " = 1\nr3 = r10\nr3 += -16\nr4 = 8\ncall trace_vprintk\nexit\n",
      ERR(EINVAL), 0, false },
    { "trace_vprintk, odd size", FORMAT(D_NL) "*(u64 *)(r10 - 16) = 1\n"
      "r3 = r10\nr3 += -16\nr4 = 7\ncall trace_vprintk\nexit\n",
      ERR(EINVAL), 0, false },
    { "trace_vprintk, no arguments", FORMAT("0x6968") "r3 = 0\nr4 = 0\n"
      "call trace_vprintk\nexit\n", 2, 0, false },

    /* The VM's own. */
    { "map_lookup_elem", KEY "r2 = r10\nr2 += -4\nr1 = map array\n"
      "call map_lookup_elem\nif r0 == 0 goto bad\nr0 = *(u32 *)(r0 + 0)\n"
      BAD, 0, 0, false },
    { "map_update_elem, flags", KEY "r2 = r10\nr2 += -4\nr3 = r2\nr4 = 9\n"
      "r1 = map array\ncall map_update_elem\nexit\n", ERR(EINVAL), 0, false },
    { "map_update_elem, exists", KEY "r2 = r10\nr2 += -4\nr3 = r2\nr4 = 1\n"
      "r1 = map array\ncall map_update_elem\nexit\n", ERR(EEXIST), 0, false },
    { "map_delete_elem, array", KEY "r2 = r10\nr2 += -4\nr1 = map array\n"
      "call map_delete_elem\nexit\n", ERR(EINVAL), 0, false },
    { "map_delete_elem, none", KEY "r2 = r10\nr2 += -4\nr1 = map hash\n"
      "call map_delete_elem\nexit\n", ERR(ENOENT), 0, false },
    { "tail_call, none", "r2 = map progs\nr3 = 1\ncall tail_call\n"
      "r0 = 8\nexit\n", 8, 0, false },
    { "ktime_get_ns", TO_R6 "call ktime_get_ns\nr7 = r0\n"
      "call ktime_get_ns\nif r0 < r7 goto bad\nr0 = 1\n" BAD, 1, 0, false },
    { "ktime_get_boot_ns", "call ktime_get_boot_ns\nif r0 == 0 goto bad\n"
      "r0 = 1\n" BAD, 1, 0, false },
    { "ktime_get_coarse_ns", "call ktime_get_coarse_ns\n"
      "if r0 == 0 goto bad\nr0 = 1\n" BAD, 1, 0, false },
    { "jiffies64", "call jiffies64\nif r0 == 0 goto bad\nr0 = 1\n" BAD, 1,
      0, false },
    { "get_prandom_u32", "call get_prandom_u32\nr0 >>= 32\nexit\n", 0, 0,
      false },
    { "get_smp_processor_id", "call get_smp_processor_id\n"
      "if r0 > 4095 goto bad\nr0 = 1\n" BAD, 1, 0, false },
    { "ringbuf_output", "*(u64 *)(r10 - 8) = 1\nr1 = map ring\nr2 = r10\n"
      "r2 += -8\nr3 = 8\nr4 = 0\ncall ringbuf_output\nexit\n", 0, 0, false },
    { "ringbuf_output, flags", "*(u64 *)(r10 - 8) = 1\nr1 = map ring\n"
      "r2 = r10\nr2 += -8\nr3 = 8\nr4 = 8\ncall ringbuf_output\nexit\n",
      ERR(EINVAL), 0, false },
    { "ringbuf_reserve", "r1 = map ring\nr2 = 16\nr3 = 0\n"
      "call ringbuf_reserve\nif r0 == 0 goto bad\n*(u64 *)(r0 + 0) = 1\n"
      "r1 = r0\nr2 = 0\ncall ringbuf_submit\nr0 = 3\n" BAD, 3, 0, false },
    { "ringbuf_reserve, too much", "r1 = map ring\nr2 = 8192\nr3 = 0\n"
      "call ringbuf_reserve\nif r0 == 0 goto bad\nr1 = r0\nr2 = 0\n"
      "call ringbuf_discard\nr0 = 3\n" BAD, 99, 0, false },
    { "ringbuf_query", "r1 = map ring\nr2 = 1\ncall ringbuf_query\nexit\n",
      4096, 0, false },
};

/* -- Maps, here and there -- */

static const struct {
    enum vm_map_kind kind;
    uint32_t key_size, value_size, max_entries;
    const char *name;
} map_rows[] = {
    { VM_MAP_array, 4, 4, 4, "array" },
    { VM_MAP_hash, 4, 8, 4, "hash" },
    { VM_MAP_prog_array, 4, 4, 4, "progs" },
    { VM_MAP_devmap, 4, 4, 4, "devmap" },
    { VM_MAP_xskmap, 4, 4, 4, "xskmap" },
    { VM_MAP_perf_event_array, 4, 4, 64, "events" },
    { VM_MAP_ringbuf, 0, 0, 4096, "ring" },
};
#define N_MAPS (sizeof map_rows / sizeof map_rows[0])

static struct vm_map *maps[N_MAPS];
static int map_fds[N_MAPS];
static bool have_kernel;

/* Before 6.13, csum_diff() differed between machines. */
static bool
kernel_is_new(void)
{
    struct utsname u;
    int major = 0, minor = 0;

    return !uname(&u) && sscanf(u.release, "%d.%d", &major, &minor) == 2
           && (major > 6 || (major == 6 && minor >= 13));
}

static int
setup(void **state)
{
    const uint32_t key = 1, loopback = 1;

    have_kernel = kernel_is_new();
    for (size_t i = 0; i < N_MAPS; i++) {
        struct vm_map_attr attr = {
            .kind = map_rows[i].kind,
            .key_size = map_rows[i].key_size,
            .value_size = map_rows[i].value_size,
            .max_entries = map_rows[i].max_entries,
            .name = map_rows[i].name,
        };
        struct vm_err err;

        if (vm_map_create(&attr, &maps[i], &err)) {
            print_error("%s\n", err.text);
            return -1;
        }
        map_fds[i] = bpf_map_create((enum bpf_map_type) attr.kind, attr.name,
                                    attr.key_size, attr.value_size,
                                    attr.max_entries, NULL);
        have_kernel = have_kernel && map_fds[i] >= 0;
        if (attr.kind == VM_MAP_devmap) {
            assert_int_equal(vm_map_write(maps[i], &key, &loopback, VM_ANY),
                             0);
            have_kernel = have_kernel
                && !bpf_map_update_elem(map_fds[i], &key, &loopback, 0);
        }
    }
    if (!have_kernel) {
        print_message("# bpf() is not allowed, or Linux is older than 6.13: "
                      "the kernel is not asked\n");
    }
    return 0;
}

static int
teardown(void **state)
{
    for (size_t i = 0; i < N_MAPS; i++) {
        vm_map_unref(maps[i]);
        if (map_fds[i] >= 0) {
            close(map_fds[i]);
        }
    }
    vm_defer_run();
    return 0;
}

/* -- One row -- */

struct outcome {
    uint32_t result, size;
    uint8_t packet[1024];
};

static void
fill_packet(uint8_t packet[PACKET])
{
    for (int i = 0; i < PACKET; i++) {
        packet[i] = i;
    }
}

static void
run_here(const struct row *row, const struct vm_insn *insns, uint32_t n,
         int engine, struct outcome *o)
{
    static struct dp_xdp x;
    struct vm_prog_attr attr = {
        .type = &dp_xdp_type, .name = "test", .insns = insns, .n_insns = n,
        .maps = maps, .n_maps = N_MAPS,
        .verify = engine ? vm_verify : NULL,
        .backend = engine == 2 ? jit_backend() : NULL,
    };
    uint8_t packet[PACKET];
    struct vm_prog *prog;
    struct vm_err err;

    if (vm_prog_load(&attr, &prog, &err)) {
        fail_msg("%s: %s", row->name, err.text);
    }
    fill_packet(packet);
    dp_xdp_set_packet(&x, packet, PACKET);
    x.ingress_ifindex = 1;
    o->result = vm_prog_run(prog, &x);
    if (vm_fault.error) {
        fail_msg("%s: %s", row->name, vm_fault.text);
    }
    o->size = x.data_end - x.data_meta;
    memcpy(o->packet, x.data_meta, o->size);
    vm_prog_unref(prog);
    vm_defer_run();
}

/* False if the kernel does not take the program. */
static bool
run_there(const struct row *row, const struct vm_insn *insns, uint32_t n,
          struct outcome *o)
{
    struct bpf_insn copy[256];
    static char log[65536];
    LIBBPF_OPTS(bpf_prog_load_opts, load, .log_buf = log,
                .log_size = sizeof log, .log_level = 1);
    uint8_t packet[PACKET];

    assert_true(n <= 256);
    memcpy(copy, insns, n * sizeof *copy);
    for (uint32_t i = 0; i < n; i++) {
        if (copy[i].code == VM_LDDW && copy[i].src_reg == VM_PSEUDO_MAP_IDX) {
            copy[i].src_reg = BPF_PSEUDO_MAP_FD;
            copy[i].imm = map_fds[copy[i].imm];
        }
    }

    int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "test", "GPL", copy, n, &load);
    if (fd < 0) {
        fail_msg("%s: the kernel refuses it: %s\n%s", row->name,
                 strerror(errno), log);
    }
    fill_packet(packet);
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet,
                .data_size_in = PACKET, .data_out = o->packet,
                .data_size_out = sizeof o->packet, .repeat = 1);
    int error = bpf_prog_test_run_opts(fd, &run);
    close(fd);
    if (error) {
        fail_msg("%s: BPF_PROG_TEST_RUN: %s", row->name, strerror(errno));
    }
    o->result = run.retval;
    o->size = run.data_size_out;
    return true;
}

static int
check_row(const struct row *row)
{
    const struct vm_asm_opts opts = { &dp_xdp_type, maps, N_MAPS };
    uint32_t size = row->size ? row->size : PACKET;
    struct outcome here, there;
    struct vm_insn *insns;
    struct vm_err err;
    uint32_t n;
    int n_wrong = 0;

    if (vm_asm(row->text, &opts, &insns, &n, &err)) {
        fail_msg("%s: %s", row->name, err.text);
    }
    for (int engine = 0; engine < 3; engine++) {
        run_here(row, insns, n, engine, &here);
        if (here.result != row->result || here.size != size) {
            print_error("%s, engine %d: %#x, %u bytes; expected %#x, %u\n",
                        row->name, engine, here.result, here.size,
                        row->result, size);
            n_wrong++;
        }
    }
    if (have_kernel && !row->only_here) {
        run_there(row, insns, n, &there);
        if (here.result != there.result || here.size != there.size
            || memcmp(here.packet, there.packet, here.size)) {
            print_error("%s: %#x, %u bytes; the kernel's: %#x, %u\n",
                        row->name, here.result, here.size, there.result,
                        there.size);
            n_wrong++;
        }
    }
    free(insns);
    return n_wrong;
}

static void
test_rows(void **state)
{
    int n_wrong = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        n_wrong += check_row(&rows[i]);
    }
    assert_int_equal(n_wrong, 0);
}

/* Helpers that are no part of this type's promise to users' programs. */
static bool
is_ours(const struct vm_helper *h)
{
    return h->id >= VM_HELPER_OURS;
}

static void
test_every_helper(void **state)
{
    for (size_t s = 0; s < dp_xdp_type.n_helper_sets; s++) {
        const struct vm_helper_set *set = dp_xdp_type.helper_sets[s];

        for (size_t i = 0; i < set->n; i++) {
            char call[64];
            bool tested = is_ours(&set->helpers[i]);

            snprintf(call, sizeof call, "call %s\n", set->helpers[i].name);
            for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++) {
                tested = tested || strstr(rows[j].text, call);
            }
            if (!tested) {
                fail_msg("no row calls %s", set->helpers[i].name);
            }
        }
    }
}

static char traced[64];

static void
note_trace(const char *line)
{
    snprintf(traced, sizeof traced, "%s", line);
}

static void
test_traces(void **state)
{
    static const struct {
        const char *format;
        uint64_t args[3];
        const char *line;
    } traces[] = {
        { "a %d b", { -5 }, "a -5 b" },
        { "%u%%", { UINT64_MAX }, "4294967295%" },
        { "%lld %llx", { -5, 0xabcdef0123 }, "-5 abcdef0123" },
        { "%08x|%-4d|", { 0xbeef, 7 }, "0000beef|7   |" },
        { "%s, %c", { 1, 'x' }, "(string), x" },
        { "%p %pI4", { 16, 1 }, "0000000000000010 (address)" },
    };
    const struct vm_helper *h = vm_type_helper(&dp_xdp_type,
                                               BPF_FUNC_trace_printk);

    dp_xdp_trace = note_trace;
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
        const uint64_t *a = traces[i].args;
        int64_t n = h->fn((uintptr_t) traces[i].format,
                          strlen(traces[i].format) + 1, a[0], a[1], a[2]);

        assert_string_equal(traced, traces[i].line);
        assert_int_equal(n, strlen(traces[i].line));
    }
    dp_xdp_trace = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every_helper),
        cmocka_unit_test(test_traces),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
