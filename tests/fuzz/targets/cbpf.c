/* SPDX-License-Identifier: Apache-2.0 */

/* Classic BPF from anywhere.  The first byte says how many instructions
 * follow; the rest is the packet. */

#include <string.h>

#include "tests/fuzz/targets/parts/classic.h"
#include "tests/fuzz/targets/target.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bpf_insn insns[2 + UINT8_MAX];
    uint32_t n = size ? data[0] : 0;

    if (n * sizeof *insns >= size || size > UINT16_MAX) {
        return 0;
    }
    /* libpcap does not say what the registers are at first. */
    insns[0] = (struct bpf_insn) BPF_STMT(BPF_LD | BPF_IMM, 3);
    insns[1] = (struct bpf_insn) BPF_STMT(BPF_LDX | BPF_IMM, 4);
    memcpy(&insns[2], data + 1, n * sizeof *insns);
    data += 1 + n * sizeof *insns;
    classic_try(insns, n + 2, data, size - 1 - n * sizeof *insns);
    return 0;
}
