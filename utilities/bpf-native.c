/* SPDX-License-Identifier: Apache-2.0 */

/* `bvs-bpf disasm --native`: each instruction beside its machine code. */

#include "utilities/bpf-tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <capstone/capstone.h>

#include "datapath/xdp.h"
#include "jit/jit.h"
#include "vm/disasm.h"

#define LEFT_WIDTH 44

/* What is being printed. */
struct native {
    const struct vm_prog *prog;
    struct jit_listing list;
    csh capstone;
    bool json;
    const char *comma;          /* JSON: before the next machine
                                 * instruction. */
};

static bool
open_capstone(struct native *n, const char *machine)
{
    bool arm = !strcmp(machine, "aarch64");

    return cs_open(arm ? CS_ARCH_ARM64 : CS_ARCH_X86,
                   arm ? CS_MODE_LITTLE_ENDIAN : CS_MODE_64, &n->capstone)
           == CS_ERR_OK;
}

/* One machine instruction, with 'left' beside it. */
static void
print_one(struct native *n, const char *left, uint32_t offset,
          const char *text)
{
    if (n->json) {
        printf("%s{\"offset\": %" PRIu32 ", \"text\": ", n->comma, offset);
        bpf_print_json_string(text);
        putchar('}');
        n->comma = ", ";
    } else {
        printf("%-*s | %5" PRIx32 "  %s\n", LEFT_WIDTH, left, offset, text);
    }
}

/* The machine code from 'from' to 'to'; 'left' goes beside its first line,
 * which is there even if there is no code. */
static void
print_range(struct native *n, const char *left, uint32_t from, uint32_t to)
{
    const uint8_t *code = n->list.code + from;
    size_t size = to - from;
    uint64_t address = (uintptr_t) n->list.at + from;
    cs_insn *insn = cs_malloc(n->capstone);

    if (!n->json && !size && *left) {
        printf("%-*s |\n", LEFT_WIDTH, left);
    }
    while (insn && size) {
        uint32_t offset = to - size;
        char text[256];

        if (cs_disasm_iter(n->capstone, &code, &size, &address, insn)) {
            snprintf(text, sizeof text, "%s%s%s", insn->mnemonic,
                     *insn->op_str ? " " : "", insn->op_str);
        } else {
            snprintf(text, sizeof text, ".byte %#x", *code);
            code++;
            size--;
            address++;
        }
        print_one(n, left, offset, text);
        left = "";
    }
    cs_free(insn, 1);
}

/* From slot 'pc' on, as many as 'count' stand for one instruction. */
static void
print_insn(struct native *n, uint32_t pc, const char *text, int count)
{
    char left[160];

    snprintf(left, sizeof left, "%4" PRIu32 ": %s", pc, text);
    if (n->json) {
        printf(",\n {\"pc\": %" PRIu32 ", \"text\": ", pc);
        bpf_print_json_string(text);
        printf(", \"native\": [");
        n->comma = "";
    }
    print_range(n, left, n->list.offsets[pc], n->list.offsets[pc + count]);
    printf(n->json ? "]}" : "");
}

/* What belongs to no instruction. */
static void
print_frame(struct native *n, const char *name, uint32_t from, uint32_t to)
{
    char left[64];

    snprintf(left, sizeof left, "      ; %s", name);
    if (n->json) {
        printf("%s{\"part\": \"%s\", \"native\": [", from ? ",\n " : "",
               name);
        n->comma = "";
        print_range(n, "", from, to);
        printf("]}");
    } else if (from != to) {
        print_range(n, left, from, to);
    }
}

static void
print_listing(struct native *n, const char *machine)
{
    const struct vm_prog *prog = n->prog;
    char text[128];

    if (n->json) {
        printf("{\"program\": ");
        bpf_print_json_string(prog->name);
        printf(", \"machine\": \"%s\", \"bytes\": %zu, \"insns\": [", machine,
               n->list.size);
    } else {
        printf("; program %s, %" PRIu32 " instructions, %zu bytes of %s\n",
               prog->name, prog->n_insns, n->list.size, machine);
    }
    print_frame(n, "entry", 0, n->list.offsets[0]);
    for (uint32_t pc = 0; pc < prog->n_insns;) {
        int count = vm_disasm_insn(prog->insns, prog->n_insns, pc, prog->type,
                                   text, sizeof text);

        print_insn(n, pc, text, count);
        pc += count;
    }
    print_frame(n, "exit", n->list.offsets[prog->n_insns], n->list.size);
    printf(n->json ? "]}" : "");
}

bool
bpf_print_native(const struct bpf_options *opts, struct bpf_file *file)
{
    struct bpf_options one = *opts;
    struct native n = { .json = opts->json };
    struct vm_err err = { "" };
    const char *machine = opts->arch;
    struct vm_prog *prog;

    if (!machine) {
        machine = jit_backend() ? jit_backend()->name : "none";
    }
    one.engine = BPF_JIT;
    prog = bpf_load(&one, file, &err);
    n.prog = prog;
    if (!prog || jit_list(prog, machine, &n.list, &err)) {
        bpf_fail("%s: %s", opts->file, err.text);
    } else if (!open_capstone(&n, machine)) {
        bpf_fail("%s: the disassembler does not start", opts->file);
    } else {
        print_listing(&n, machine);
        cs_close(&n.capstone);
    }
    bool done = n.list.code != NULL;
    jit_listing_free(&n.list);
    vm_prog_unref(prog);
    return done;
}
