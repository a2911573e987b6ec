/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/targets/parts/classic.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "datapath/xdp.h"
#include "jit/jit.h"
#include "vm/cbpf.h"
#include "vm/emit.h"
#include "vm/map.h"
#include "vm/verify.h"

_Static_assert(sizeof(struct vm_cbpf_insn) == sizeof(struct bpf_insn),
               "libpcap's instructions are ours");

/* The program, or null if the converter refuses it. */
static struct vm_prog *
convert(const struct bpf_insn *insns, uint32_t n)
{
    static const struct vm_cbpf_ctx ctx = { 0, 4, 4 };
    struct vm_prog_attr attr = { .type = &dp_xdp_type, .verify = vm_verify,
                                 .backend = jit_backend() };
    struct vm_prog *prog = NULL;
    struct vm_err err = { 0 };
    struct vm_emit e;

    vm_emit_init(&e);
    vm_cbpf_convert(&e, (const struct vm_cbpf_insn *) insns, n, &ctx);
    if (!vm_emit_finish(&e, &attr, &err)) {
        int error = vm_prog_load(&attr, &prog, &err);

        if (error && error != -E2BIG) {
            fprintf(stderr, "%s\n", err.text);
            abort();
        }
    }
    vm_emit_uninit(&e);
    return prog;
}

/* Whether libpcap says what each instruction does: not what memory contains
 * that was not written, nor what a shift by 32 or more gives. */
static bool
is_defined(const struct bpf_insn *insns, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int class = BPF_CLASS(insns[i].code), op = BPF_OP(insns[i].code);
        bool by_x = insns[i].code & BPF_X;

        if ((class <= BPF_LDX && BPF_MODE(insns[i].code) == BPF_MEM)
            || (class == BPF_ALU && !by_x && insns[i].k > 31
                && (op == BPF_LSH || op == BPF_RSH))) {
            return false;
        }
    }
    return bpf_validate(insns, n);
}

static void
same(uint32_t a, uint32_t b)
{
    if (a != b || vm_fault.error) {
        fprintf(stderr, "0x%x and 0x%x %s\n", a, b, vm_fault.text);
        abort();
    }
}

void
classic_try(const struct bpf_insn *insns, uint32_t n, const uint8_t *packet,
            size_t size)
{
    static struct dp_xdp xdp;
    struct vm_prog *prog = convert(insns, n);
    uint32_t result;

    if (!prog) {
        return;
    }
    dp_xdp_set_packet(&xdp, packet, size);
    result = vm_prog_run_checked(prog, &xdp);
    same(result, vm_prog_run_fast(prog, &xdp));
    same(result, vm_prog_run(prog, &xdp));
    if (is_defined(insns, n)) {
        same(result, bpf_filter(insns, packet, size, size));
    }
    vm_prog_unref(prog);
    vm_defer_run();
}
