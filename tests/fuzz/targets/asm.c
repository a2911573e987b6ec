/* SPDX-License-Identifier: Apache-2.0 */

/* Assembler text: what it reads, the disassembler writes, and back. */

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/targets/target.h"
#include "vm/asm.h"
#include "vm/disasm.h"

static void
round_trip(const struct vm_insn *insns, uint32_t n)
{
    const struct vm_disasm_opts how = { .flags = VM_DISASM_LABELS };
    const struct vm_asm_opts opts = { 0 };
    char *text = vm_disasm(insns, n, &how);
    struct vm_err err = { 0 };
    struct vm_insn *again;
    uint32_t m;

    if (text && !vm_validate(insns, n, NULL, 64, &err)) {
        if (vm_asm(text, &opts, &again, &m, &err) || m != n
            || memcmp(again, insns, n * sizeof *insns)) {
            abort();
        }
        free(again);
    }
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct vm_asm_opts opts = { 0 };
    struct vm_err err = { 0 };
    struct vm_insn *insns;
    char *text = malloc(size + 1);
    uint32_t n;

    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (!vm_asm(text, &opts, &insns, &n, &err)) {
        round_trip(insns, n);
        free(insns);
    }
    free(text);
    return 0;
}
