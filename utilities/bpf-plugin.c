/* SPDX-License-Identifier: Apache-2.0 */

/* `bvs-bpf plugin`: the protocol of the public conformance suite
 * (bpf_conformance): the program is hex on standard input, the memory that
 * r1 points to is the argument, r0 goes to standard output as hex. */

#include "utilities/bpf-tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vm/map.h"
#include "vm/type.h"
#include "vm/verify.h"

static int
run(const struct bpf_options *opts, const struct vm_prog *prog, uint8_t *mem)
{
    uint64_t r0 = bpf_engine_run(opts->engine)(prog, mem);

    if (vm_fault.error) {
        return bpf_fail("%s", vm_fault.text);
    }
    printf("%" PRIx64 "\n", r0);
    return 0;
}

int
bpf_cmd_plugin(const struct bpf_options *opts)
{
    static uint8_t none[16];
    size_t mem_size = 0, size = 0, text_size;
    uint8_t *mem = opts->file ? bpf_parse_hex(opts->file, &mem_size) : none;
    char *text = (opts->prog ? strdup(opts->prog)
                  : bpf_read_file("-", &text_size));
    uint8_t *bytes = mem && text ? bpf_parse_hex(text, &size) : NULL;
    struct vm_prog_type type;
    struct vm_ctx_member member;
    struct vm_prog *prog;
    struct vm_err err;

    if (!bytes) {
        return 1;
    }
    if (size % sizeof(struct vm_insn)) {
        return bpf_fail("the program has %zu bytes, not a multiple of 8",
                        size);
    }
    vm_type_init_mem(&type, &member, mem_size);

    struct vm_prog_attr attr = {
        .type = &type,
        .name = "plugin",
        .insns = (const struct vm_insn *) bytes,
        .n_insns = size / sizeof(struct vm_insn),
    };
    bpf_engine_attr(opts->engine, &attr);
    if (opts->verify) {
        attr.verify = vm_verify;
    }

    int status;
    if (vm_prog_load(&attr, &prog, &err)) {
        status = bpf_fail("%s", err.text);
    } else {
        status = run(opts, prog, mem);
        vm_prog_unref(prog);
        vm_defer_run();
    }
    free(bytes);
    free(text);
    if (mem != none) {
        free(mem);
    }
    return status;
}
