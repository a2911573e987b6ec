/* SPDX-License-Identifier: Apache-2.0 */

/* `bvs-bpf` load, verify, disasm, asm and maps. */

#include "utilities/bpf-tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/xdp.h"
#include "vm/asm.h"
#include "vm/disasm.h"
#include "vm/elf.h"
#include "vm/map.h"

/* Number of programs, and the name of one. */
static uint32_t
n_progs(const struct bpf_file *file)
{
    return file->elf ? vm_elf_n_progs(file->elf) : 1;
}

static const char *
prog_name(const struct bpf_file *file, uint32_t i)
{
    return file->elf ? vm_elf_prog(file->elf, i).name : "main";
}

/* The verifier's log, a line after the other. */
struct log {
    char *text;
    size_t size;
    FILE *f;
};

static void
add_line(void *log, const char *line)
{
    fprintf(((struct log *) log)->f, "%s\n", line);
}

static void
print_log(const struct bpf_options *opts, const char *text)
{
    const char *comma = "";

    while (*text) {
        size_t n = strcspn(text, "\n");
        char line[512];

        snprintf(line, sizeof line, "%.*s", (int) n, text);
        if (opts->json) {
            fputs(comma, stdout);
            bpf_print_json_string(line);
            comma = ", ";
        } else {
            printf("  %s\n", line);
        }
        text += n + (text[n] == '\n');
    }
}

static void
print_result(const struct bpf_options *opts, const char *name,
             const struct vm_prog *prog, const struct vm_err *err,
             const char *log)
{
    if (opts->json) {
        printf("{\"program\": ");
        bpf_print_json_string(name);
        printf(", \"accepted\": %s", prog ? "true" : "false");
        if (prog) {
            printf(", \"insns\": %" PRIu32 ", \"longest_path\": %" PRIu32
                   ", \"verify_ns\": %" PRIu64 ", \"native_bytes\": %zu}",
                   prog->n_insns, prog->longest_path, prog->verify_ns,
                   prog->native_size);
        } else {
            printf(", \"reason\": ");
            bpf_print_json_string(err->text);
            printf(", \"state\": [");
            print_log(opts, log);
            printf("]}");
        }
    } else if (!prog) {
        printf("%s: rejected: %s\n", name, err->text);
        print_log(opts, log);
    } else {
        printf("%s: %" PRIu32 " instructions", name, prog->n_insns);
        if (prog->verified) {
            printf(", verified in %" PRIu64 " us, longest path %" PRIu32,
                   prog->verify_ns / 1000, prog->longest_path);
        }
        if (prog->native) {
            printf(", %zu bytes of machine code", prog->native_size);
        } else if (vm_prog_compile_error(prog)) {
            printf(", not compiled: %s", vm_prog_compile_error(prog));
        }
        putchar('\n');
    }
}

/* Loads one program and says what came of it; true if it was accepted. */
static bool
load_one(const struct bpf_options *opts, struct bpf_file *file)
{
    struct log log = { .text = NULL };
    struct vm_verify_opts verify = {
        .log = add_line, .log_aux = &log, .log_level = 1,
    };
    struct bpf_options one = *opts;
    struct vm_err err = { "" };

    log.f = open_memstream(&log.text, &log.size);
    one.verify_opts = log.f ? &verify : NULL;
    struct vm_prog *prog = bpf_load(&one, file, &err);
    if (log.f) {
        fclose(log.f);
    }
    print_result(opts, opts->prog, prog, &err, log.text ? log.text : "");
    free(log.text);
    vm_prog_unref(prog);
    return prog;
}

static int
load_all(const struct bpf_options *opts)
{
    struct bpf_options one = *opts;
    struct bpf_file file;
    int n_loaded = 0, n_rejected = 0;

    if (!bpf_open(opts, &file)) {
        return 1;
    }
    if (opts->json) {
        putchar('[');
    }
    for (uint32_t i = 0; i < n_progs(&file); i++) {
        one.prog = prog_name(&file, i);
        if (opts->prog && strcmp(opts->prog, one.prog)) {
            continue;
        }
        if (opts->json && n_loaded) {
            printf(",\n ");
        }
        n_rejected += !load_one(&one, &file);
        n_loaded++;
    }
    if (opts->json) {
        puts("]");
    }
    bpf_close(&file);
    if (opts->prog && !n_loaded) {
        return bpf_fail("%s: there is no program %s", opts->file, opts->prog);
    }
    return n_rejected ? 1 : 0;
}

int
bpf_cmd_load(const struct bpf_options *opts)
{
    return load_all(opts);
}

int
bpf_cmd_verify(const struct bpf_options *opts)
{
    struct bpf_options verify = *opts;

    if (!opts->engine_given) {
        verify.engine = BPF_FAST;
    }
    if (verify.engine == BPF_CHECKED) {
        return bpf_fail("verify: the checked engine runs programs that are "
                        "not verified");
    }
    return load_all(&verify);
}

static void
print_text(const struct bpf_options *opts, struct bpf_file *file, uint32_t i)
{
    struct vm_elf_prog p = { .insns = file->insns,
                             .n_insns = file->n_insns };
    struct vm_map *maps[64];
    struct vm_disasm_opts disasm = {
        .type = &dp_xdp_type, .maps = maps, .flags = VM_DISASM_LABELS,
    };
    const char *name = prog_name(file, i);

    if (file->elf) {
        p = vm_elf_prog(file->elf, i);
        while (disasm.n_maps < vm_elf_n_maps(file->elf)
               && disasm.n_maps < 64) {
            maps[disasm.n_maps] = vm_elf_map(file->elf, disasm.n_maps);
            disasm.n_maps++;
        }
    }

    char *text = vm_disasm(p.insns, p.n_insns, &disasm);
    if (opts->json) {
        printf("{\"program\": ");
        bpf_print_json_string(name);
        printf(", \"section\": ");
        bpf_print_json_string(p.section ? p.section : "");
        printf(", \"insns\": %" PRIu32 ", \"text\": ", p.n_insns);
        bpf_print_json_string(text ? text : "");
        putchar('}');
    } else {
        printf("; program %s, section %s\n%s", name,
               p.section ? p.section : "none", text ? text : "");
    }
    free(text);
}

int
bpf_cmd_disasm(const struct bpf_options *opts)
{
    struct bpf_options one = *opts;
    struct bpf_file file;
    int n_printed = 0, status = 0;

    if (opts->arch && strcmp(opts->arch, "x86-64")
        && strcmp(opts->arch, "aarch64")) {
        return bpf_fail("--arch=%s: expected x86-64 or aarch64", opts->arch);
    } else if (opts->arch && !opts->native) {
        return bpf_fail("disasm: --arch goes with --native");
    } else if (!bpf_open(opts, &file)) {
        return 1;
    }
    printf(opts->json ? "[" : "");
    for (uint32_t i = 0; i < n_progs(&file); i++) {
        if (!opts->prog || !strcmp(opts->prog, prog_name(&file, i))) {
            one.prog = prog_name(&file, i);
            printf(opts->json && n_printed ? ",\n " : "");
            if (!opts->native) {
                print_text(opts, &file, i);
            } else if (!bpf_print_native(&one, &file)) {
                status = 1;
            }
            n_printed++;
        }
    }
    printf(opts->json ? "]\n" : "");
    if (opts->prog && !n_printed) {
        status = bpf_fail("%s: there is no program %s", opts->file,
                          opts->prog);
    }
    bpf_close(&file);
    return status;
}

static void
print_bytes(const struct bpf_options *opts, const struct bpf_file *file)
{
    if (opts->json) {
        printf("{\"insns\": %" PRIu32 ", \"bytes\": \"", file->n_insns);
    }
    for (uint32_t i = 0; i < file->n_insns; i++) {
        const uint8_t *p = (const uint8_t *) &file->insns[i];

        for (int j = 0; j < 8; j++) {
            printf("%02x", p[j]);
            printf(opts->json ? "" : j < 7 ? " " : "\n");
        }
    }
    printf(opts->json ? "\"}\n" : "");
}

int
bpf_cmd_asm(const struct bpf_options *opts)
{
    struct bpf_file file;
    FILE *f = NULL;
    int status = 0;

    if (!bpf_open(opts, &file)) {
        return 1;
    }
    if (file.elf) {
        status = bpf_fail("%s is an object, not text", opts->file);
    } else if (opts->output && !(f = fopen(opts->output, "wb"))) {
        status = bpf_fail("%s: %s", opts->output, strerror(errno));
    } else if (f) {
        bool bad = (fwrite(file.insns, sizeof *file.insns, file.n_insns, f)
                    != file.n_insns);

        if (fclose(f) || bad) {
            status = bpf_fail("%s: %s", opts->output, strerror(errno));
        }
    } else {
        print_bytes(opts, &file);
    }
    bpf_close(&file);
    return status;
}

int
bpf_cmd_maps(const struct bpf_options *opts)
{
    struct bpf_file file;

    if (!bpf_open(opts, &file)) {
        return 1;
    }
    uint32_t n = file.elf ? vm_elf_n_maps(file.elf) : 0;
    if (opts->json) {
        putchar('[');
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct vm_map *map = vm_elf_map(file.elf, i);

        if (opts->json) {
            printf("%s{\"name\": ", i ? ",\n " : "");
            bpf_print_json_string(map->name);
            printf(", \"kind\": \"%s\", \"key_size\": %" PRIu32
                   ", \"value_size\": %" PRIu32 ", \"max_entries\": %" PRIu32
                   ", \"flags\": %" PRIu32 ", \"memory\": %zu}",
                   map->ops->name, map->key_size, map->value_size,
                   map->max_entries, map->flags, vm_map_memory(map));
        } else {
            printf("%s: %s, key %" PRIu32 ", value %" PRIu32 ", %" PRIu32
                   " entries, flags 0x%" PRIx32 ", %zu bytes\n", map->name,
                   map->ops->name, map->key_size, map->value_size,
                   map->max_entries, map->flags, vm_map_memory(map));
        }
    }
    if (opts->json) {
        puts("]");
    }
    bpf_close(&file);
    return 0;
}
