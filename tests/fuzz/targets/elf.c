/* SPDX-License-Identifier: Apache-2.0 */

/* Object files: opened, their maps made, their programs verified. */

#include "datapath/xdp.h"
#include "tests/fuzz/targets/target.h"
#include "vm/elf.h"
#include "vm/map.h"
#include "vm/verify.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vm_verify_opts opts = { .max_steps = 20000 };
    const struct vm_prog_attr attr = { .type = &dp_xdp_type,
                                       .verify = vm_verify,
                                       .verify_opts = &opts };
    struct vm_err err = { 0 };
    struct vm_elf *elf;
    struct vm_prog *prog;

    if (vm_elf_open(data, size, "fuzz.o", &elf, &err)) {
        return 0;
    }
    if (!vm_elf_make_maps(elf, &err)
        && !vm_elf_load_prog(elf, NULL, &attr, &prog, &err)) {
        vm_prog_unref(prog);
    }
    vm_elf_close(elf);
    vm_defer_run();
    return 0;
}
