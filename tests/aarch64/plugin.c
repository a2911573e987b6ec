/* SPDX-License-Identifier: Apache-2.0 */

/* `bvs-bpf plugin' alone: the tool without the ELF loader and libpcap, which
 * Debian does not have for a foreign machine.
 *
 *   plugin [MEM] [--jit|--interpret|--checked] [--verify]
 */

#include <string.h>

#include "utilities/bpf-tool.h"

int
main(int argc, char *argv[])
{
    struct bpf_options opts = { .engine = BPF_CHECKED };

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--jit")) {
            opts.engine = BPF_JIT;
        } else if (!strcmp(argv[i], "--interpret")) {
            opts.engine = BPF_FAST;
        } else if (!strcmp(argv[i], "--verify")) {
            opts.verify = true;
        } else if (strcmp(argv[i], "--checked")) {
            opts.file = argv[i];
        }
    }
    return bpf_cmd_plugin(&opts);
}
