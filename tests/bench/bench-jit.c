/* SPDX-License-Identifier: Apache-2.0 */

/* The JIT beside Linux's, on the same bytecode and packet; the time of an
 * empty program is taken off both sides. */

#include "tests/bench/jit.h"

#include <errno.h>
#include <glob.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath/xdp.h"
#include "jit/jit.h"
#include "tests/bench/bench.h"
#include "vm/elf.h"
#include "vm/map.h"
#include "vm/prog.h"
#include "vm/verify.h"

#define ROUNDS 7
#define TOO_SHORT 5.0           /* Nanoseconds: what two empty programs may
                                 * differ by is much of that. */

/* eth, ip 10.0.0.1 10.0.0.2 ttl=64, udp 1000 4789, 8 bytes. */
static const uint8_t packet[64] = {
    2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,
    0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0x66, 0xc7, 10, 0, 0, 1, 10, 0, 0, 2,
    3, 232, 0x12, 0xb5, 0, 16, 0, 0,
};

/* A program here and there, and the empty ones. */
struct side {
    struct vm_prog *ours, *ours_empty;
    struct vm_prog *interpreted;        /* And what it tail-calls. */
    int kernel, kernel_empty;
    uint64_t repeat;
};

static struct dp_xdp xdp;

/* Nanoseconds of this thread: other processes do not count. */
static double
thread_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* The best of some parts of a round: what disturbs only adds. */
#define PARTS 10

static double
run_ours(const struct vm_prog *prog, uint64_t repeat,
         uint64_t (*run)(const struct vm_prog *, void *))
{
    double best = 1e9;

    dp_xdp_set_packet(&xdp, packet, sizeof packet);
    xdp.ingress_ifindex = 1;    /* As in Linux: lo. */
    repeat /= PARTS;
    for (int part = 0; part < PARTS; part++) {
        double start = thread_ns();

        for (uint64_t i = 0; i < repeat; i++) {
            run(prog, &xdp);
        }
        start = (thread_ns() - start) / repeat;
        best = start < best ? start : best;
    }
    return best;
}

static uint64_t
run_native(const struct vm_prog *prog, void *ctx)
{
    return prog->native(ctx, prog);
}

static double
run_kernel(int fd, uint64_t repeat)
{
    uint8_t out[256];
    struct bpf_test_run_opts opts = {
        .sz = sizeof opts,
        .data_in = packet,
        .data_size_in = sizeof packet,
        .data_out = out,
        .data_size_out = sizeof out,
        .repeat = repeat / PARTS,
    };
    double best = 1e9;

    for (int part = 0; part < PARTS; part++) {
        double start = thread_ns();

        bpf_prog_test_run_opts(fd, &opts);
        start = (thread_ns() - start) / opts.repeat;
        best = start < best ? start : best;
    }
    return best;
}

static double
ours(void *side_)
{
    const struct side *s = side_;

    return run_ours(s->ours, s->repeat, run_native)
           - run_ours(s->ours_empty, s->repeat, run_native);
}

static double
kernels(void *side_)
{
    const struct side *s = side_;

    return run_kernel(s->kernel, s->repeat)
           - run_kernel(s->kernel_empty, s->repeat);
}

/* Not less what the empty program takes: that is the interpreter's own. */
static double
interpreted(void *side_)
{
    const struct side *s = side_;

    return run_ours(s->interpreted, s->repeat / 4, vm_prog_run_fast);
}

/* -- Objects -- */

static int
quiet(enum libbpf_print_level level, const char *format, va_list args)
{
    (void) level;
    (void) format;
    (void) args;
    return 0;
}

static struct bpf_object *
open_kernel(const char *path)
{
    struct bpf_object *obj;
    struct bpf_map *map;

    libbpf_set_print(quiet);
    obj = bpf_object__open_file(path, NULL);
    if (libbpf_get_error(obj)) {
        return NULL;
    }
    bpf_object__for_each_map(map, obj) {
        bpf_map__set_pin_path(map, NULL);
    }
    if (bpf_object__load(obj)) {
        bpf_object__close(obj);
        return NULL;
    }
    return obj;
}

static struct vm_elf *
open_ours(const char *path, const struct vm_prog_attr *attr)
{
    struct vm_elf *elf;
    struct vm_err err;

    if (vm_elf_open_file(path, &elf, &err)) {
        return NULL;
    }
    if (vm_elf_make_maps(elf, &err) || vm_elf_link(elf, attr, &err)) {
        fprintf(stderr, "%s\n", err.text);
        vm_elf_close(elf);
        return NULL;
    }
    return elf;
}

static uint32_t
jited_size(int fd)
{
    struct bpf_prog_info info;
    uint32_t size = sizeof info;

    memset(&info, 0, sizeof info);
    return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0
           : info.jited_prog_len;
}

static void
put(struct vm_elf *elf, struct bpf_object *obj, const char *map,
    const void *key, const void *value)
{
    int fd = bpf_object__find_map_fd_by_name(obj, map);

    if (vm_map_write(vm_elf_map_by_name(elf, map), key, value, 0)
        || bpf_map_update_elem(fd, key, value, BPF_ANY)) {
        fprintf(stderr, "jit: map %s cannot be filled\n", map);
        exit(1);
    }
}

static void
fill(struct vm_elf *elf, struct bpf_object *obj)
{
    for (uint32_t i = 0; i < 512; i++) {
        /* Entry 0 is the packet's. */
        const uint8_t tuple[16] = { 10, 0, 0, 1 + i % 250, 10, 0, i / 250, 2,
                                    3, 232, 0x12, 0xb5, 17 };
        const uint8_t prefix[8] = { i < 1 ? 8 : 16 + i % 16, 0, 0, 0, 10,
                                    i % 256, i / 256, 0 };
        const uint64_t value = i + 1;
        uint32_t index = i;

        put(elf, obj, "flows", tuple, &value);
        put(elf, obj, "routes", prefix, &value);
        if (index < 256) {
            const uint8_t backend[12] = { 10, 1, 0, i, 2, 0, 0, 0, 1, i };

            put(elf, obj, "backends", &index, backend);
        }
    }
}

/* -- Rows -- */

/* Both sides do the same with the packet; says what. */
static const char *
verdict(const struct side *s)
{
    struct bpf_test_run_opts opts = {
        .sz = sizeof opts,
        .data_in = packet,
        .data_size_in = sizeof packet,
        .repeat = 1,
    };
    uint64_t here;

    dp_xdp_set_packet(&xdp, packet, sizeof packet);
    xdp.ingress_ifindex = 1;    /* As in Linux: lo. */
    here = run_native(s->ours, &xdp);
    if (bpf_prog_test_run_opts(s->kernel, &opts) || opts.retval != here) {
        fprintf(stderr, "jit: %s: %s here, %u in Linux\n", s->ours->name,
                dp_xdp_verdict_name(here), opts.retval);
        exit(1);
    }
    return dp_xdp_verdict_name(here);
}

static void
compare(const struct side *s, const char *name, double too_short)
{
    struct bench_result r = bench_compare(ROUNDS, ours, kernels, (void *) s);
    char row[128];

    snprintf(row, sizeof row, "%s (%s)", name, verdict(s));
    bench_row(row, &r, "ns",
              r.ours < too_short && r.peer < too_short ? "-" : "<=1.0");
    snprintf(row, sizeof row, "%s, code", name);
    bench_number(row, s->ours->native_size, jited_size(s->kernel), "bytes",
                 "<=1.0");
}

static void
beside_interpreter(struct side *s, const char *name, struct vm_elf *elf)
{
    const struct vm_prog_attr attr = {
        .type = &dp_xdp_type, .verify = vm_verify,
    };
    struct bench_result r;
    struct vm_err err;
    char row[128];

    if (vm_elf_load_prog(elf, name, &attr, &s->interpreted, &err)) {
        fprintf(stderr, "jit: %s\n", err.text);
        exit(1);
    }
    r = bench_compare(ROUNDS, ours, interpreted, s);
    snprintf(row, sizeof row, "%s, beside the interpreter", name);
    bench_row(row, &r, "ns", "<=0.1");
    vm_prog_unref(s->interpreted);
}

static bool
load(struct side *s, struct vm_elf *elf, struct bpf_object *obj,
     const char *name)
{
    const struct vm_prog_attr attr = {
        .type = &dp_xdp_type, .verify = vm_verify, .backend = jit_backend(),
    };
    struct vm_err err;

    s->kernel = bpf_program__fd(bpf_object__find_program_by_name(obj, name));
    return !vm_elf_load_prog(elf, name, &attr, &s->ours, &err)
           && s->ours->native;
}

/* Best time of compiling each of the programs, all together. */
static void
compile_time(struct vm_prog *const *progs, int n)
{
    double ns = 0, n_insns = 0;

    for (int i = 0; i < n; i++) {
        struct vm_prog copy = *progs[i];
        double best = 1e12;

        for (int k = 0; k < 50; k++) {
            struct vm_err err;
            double start = thread_ns();

            jit_backend()->compile(&copy, &err);
            start = thread_ns() - start;
            best = start < best ? start : best;
            jit_backend()->free(&copy);
        }
        ns += best;
        n_insns += copy.n_insns;
    }
    bench_number("compile, an instruction: limit", ns / n_insns / 1000, 0.3,
                 "us", "<=1.0");
}

/* Programs of Debian's xdp-tools, with maps as they are at first. */
static void
tools(const char *path, const struct vm_prog_attr *attr, struct side s)
{
    struct bpf_object *obj = open_kernel(path);
    struct vm_elf *elf = obj ? open_ours(path, attr) : NULL;
    const char *file = strrchr(path, '/') + 1;

    for (uint32_t i = 0; elf && i < vm_elf_n_progs(elf); i++) {
        struct vm_elf_prog p = vm_elf_prog(elf, i);
        char row[100];

        if (!strncmp(p.section, "xdp", 3) && !strchr(p.section, '_')
            && load(&s, elf, obj, p.name) && s.kernel >= 0) {
            snprintf(row, sizeof row, "%s: %s", file, p.name);
            compare(&s, row, TOO_SHORT);
        }
    }
    bpf_object__close(obj);
}

static void
all_tools(const struct vm_prog_attr *attr, struct side s)
{
    glob_t g;

    if (!glob("/usr/lib/*/bpf/x[ds][pk]*.o", 0, NULL, &g)) {
        for (size_t i = 0; i < g.gl_pathc; i++) {
            tools(g.gl_pathv[i], attr, s);
        }
        globfree(&g);
    }
}

static void
our_programs(const char *path, const struct vm_prog_attr *attr)
{
    static const struct {
        const char *name;
        bool beside_interpreter;
    } rows[] = {
        { "parse_drop", true }, { "hash_5tuple", false }, { "lpm", false },
        { "load_balancer", false }, { "checksum_rewrite", true },
        { "tail_chain", true }, { "work_chain", true },
    };
    enum { N = sizeof rows / sizeof rows[0] };
    const struct vm_prog_attr slowly = {
        .type = attr->type, .verify = vm_verify,
    };
    struct side s = { .repeat = bench_size(1000000, 1000) };
    struct vm_prog *all[N];
    struct bpf_object *obj = open_kernel(path);
    struct vm_elf *elf = open_ours(path, attr);
    struct vm_elf *slow = open_ours(path, &slowly);

    if (!obj || !elf || !slow || !load(&s, elf, obj, "empty")) {
        bench_cannot("the programs do not load");
    }
    s.ours_empty = s.ours;
    s.kernel_empty = s.kernel;
    fill(elf, obj);
    for (int i = 0; i < N; i++) {
        if (!load(&s, elf, obj, rows[i].name)) {
            fprintf(stderr, "jit: %s does not load\n", rows[i].name);
            exit(1);
        }
        all[i] = s.ours;
        compare(&s, rows[i].name, 0);
        if (rows[i].beside_interpreter) {
            beside_interpreter(&s, rows[i].name, slow);
        }
    }
    compile_time(all, N);
    s.repeat /= 2;
    all_tools(attr, s);
}

/* Compiles our programs to the object 'path'. */
static bool
compile(const char *path)
{
#ifdef __x86_64__
#define MULTIARCH "x86_64"
#else
#define MULTIARCH "aarch64"
#endif
    char *const argv[] = {
        "clang-19", "-target", "bpf", "-mcpu=v3", "-O2", "-g",
        "-I/usr/include/" MULTIARCH "-linux-gnu", "-c",
        "tests/bench/progs/jit.c", "-o", (char *) path, NULL
    };
    int status;
    pid_t pid;

    return (!posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ)
            && waitpid(pid, &status, 0) == pid && !status);
}

int
main(int argc, char *argv[])
{
    const struct vm_prog_attr attr = {
        .type = &dp_xdp_type, .verify = vm_verify, .backend = jit_backend(),
    };
    char path[] = "/tmp/bench-jit-XXXXXX";
    int fd = mkstemp(path);

    bench_pin();
    if (fd < 0 || !jit_backend()) {
        bench_cannot("there is no JIT for this machine");
    }
    close(fd);
    if (!compile(path)) {
        unlink(path);
        bench_cannot("clang-19 does not compile the programs");
    }
    our_programs(path, &attr);
    unlink(path);
    bench_jit_jumps();
    bench_jit_interpreter();
    (void) argc;
    (void) argv;
    return 0;
}
