/* SPDX-License-Identifier: Apache-2.0 */

/* Instructions from anywhere: what the verifier accepts, runs. */

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/targets/target.h"
#include "vm/map.h"
#include "vm/verify.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vm_verify_opts opts = { .max_steps = 20000 };
    static struct vm_ctx_member member;
    static struct vm_prog_type type;
    uint64_t memory[8] = { 1, 2, 3 };
    uint32_t n = size / sizeof(struct vm_insn);
    struct vm_insn *insns = malloc(n * sizeof *insns + 1);
    struct vm_err err = { 0 };
    struct vm_prog *prog;

    if (!type.name) {
        vm_type_init_mem(&type, &member, sizeof memory);
    }
    if (!insns) {
        return 0;
    }
    memcpy(insns, data, n * sizeof *insns);
    const struct vm_prog_attr attr = {
        .type = &type, .insns = insns, .n_insns = n, .verify = vm_verify,
        .verify_opts = &opts,
    };
    if (!vm_prog_load(&attr, &prog, &err)) {
        vm_prog_run_checked(prog, memory);
        if (vm_fault.error) {
            abort();
        }
        vm_prog_unref(prog);
    }
    vm_defer_run();
    free(insns);
    return 0;
}
