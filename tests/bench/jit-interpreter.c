/* SPDX-License-Identifier: Apache-2.0 */

/* What an instruction costs in the fast interpreter: of a program that goes
 * straight on, so that it is known how many run. */

#include "tests/bench/jit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "datapath/xdp.h"
#include "tests/bench/bench.h"
#include "vm/asm.h"
#include "vm/prog.h"
#include "vm/verify.h"

#define ROUNDS 7
#define PARTS 10
#define REPEAT 20               /* Of the text below. */

/* What parsing and rewriting is made of: loads, stores, arithmetic on one
 * result and on several, jumps that are not taken. */
static const char part[] =
    "r0 = *(u8 *)(r2 + 14)\n"
    "r3 = *(u16 *)(r2 + 16)\n"
    "r4 = *(u32 *)(r2 + 26)\n"
    "r3 = be16 r3\n"
    "r0 &= 15\n"
    "r0 <<= 2\n"
    "if r0 == 99 goto out\n"
    "r4 ^= r3\n"
    "w4 += w0\n"
    "*(u64 *)(r10 - 8) = r4\n"
    "r5 = r4\n"
    "r5 >>= 16\n"
    "if w5 > 70000 goto out\n"
    "r4 += r5\n"
    "r3 = *(u64 *)(r10 - 8)\n"
    "*(u16 *)(r2 + 18) = r4\n";
#define N_PART 16
/* Before it: pointers to the packet, of which there must be 40 bytes. */
static const char before[] =
    "r2 = *(u32 *)(r1 + 0)\n"
    "r3 = *(u32 *)(r1 + 4)\n"
    "r4 = r2\n"
    "r4 += 40\n"
    "if r4 > r3 goto out\n";
#define N_REST 7

static struct dp_xdp xdp;

static struct vm_prog *
load(void)
{
    const struct vm_asm_opts opts = { .type = &dp_xdp_type };
    struct vm_prog_attr attr = { .type = &dp_xdp_type, .verify = vm_verify };
    struct vm_insn *insns;
    struct vm_prog *prog;
    struct vm_err err;
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    fputs(before, f);
    for (int i = 0; i < REPEAT; i++) {
        fputs(part, f);
    }
    fputs("out: r0 = 1\n exit\n", f);
    fclose(f);
    if (vm_asm(text, &opts, &insns, &attr.n_insns, &err)) {
        fprintf(stderr, "jit: %s\n", err.text);
        exit(1);
    }
    attr.insns = insns;
    if (vm_prog_load(&attr, &prog, &err)) {
        fprintf(stderr, "jit: %s\n", err.text);
        exit(1);
    }
    free(insns);
    free(text);
    return prog;
}

static double
an_instruction(void *prog)
{
    uint64_t n = bench_size(5000, 10);
    double best = 1e9;

    for (int i = 0; i < PARTS; i++) {
        uint64_t start = bench_cpu_ns();

        for (uint64_t k = 0; k < n; k++) {
            vm_prog_run_fast(prog, &xdp);
        }
        double ns = (double) (bench_cpu_ns() - start) / n
                    / (REPEAT * N_PART + N_REST);
        best = ns < best ? ns : best;
    }
    return best;
}

void
bench_jit_interpreter(void)
{
    const uint8_t packet[64] = { [14] = 0x45, [16] = 0, [17] = 36 };
    struct vm_prog *prog = load();
    struct bench_result r;

    dp_xdp_set_packet(&xdp, packet, sizeof packet);
    if (vm_prog_run_fast(prog, &xdp) != 1
        || prog->n_insns != REPEAT * N_PART + N_REST) {
        fprintf(stderr, "jit: the interpreter's program is another one\n");
        exit(1);
    }
    r = bench_compare(ROUNDS, an_instruction, NULL, prog);
    r.peer = 5;
    bench_row("interpreter, an instruction: limit", &r, "ns", "<=1.0");
    vm_prog_unref(prog);
}
