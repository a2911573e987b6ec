/* SPDX-License-Identifier: Apache-2.0 */
#include "utilities/bpf-tool.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "jit/jit.h"
#include "datapath/xdp.h"
#include "vm/asm.h"
#include "vm/elf.h"
#include "vm/map.h"
#include "vm/verify.h"

int
bpf_fail(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("bvs-bpf: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    putc('\n', stderr);
    return 1;
}

void
bpf_print_json_string(const char *s)
{
    putchar('"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') {
            printf("\\%c", *s);
        } else if ((unsigned char) *s < ' ') {
            printf("\\u%04x", *s);
        } else {
            putchar(*s);
        }
    }
    putchar('"');
}

uint8_t *
bpf_parse_hex(const char *text, size_t *n)
{
    uint8_t *bytes = malloc(strlen(text) / 2 + 1);

    *n = 0;
    while (bytes && *text) {
        char digits[3] = { text[0], text[0] ? text[1] : '\0', '\0' };

        if (isspace((unsigned char) *text)) {
            text++;
        } else if (isxdigit((unsigned char) digits[0])
                   && isxdigit((unsigned char) digits[1])) {
            bytes[(*n)++] = strtoul(digits, NULL, 16);
            text += 2;
        } else {
            bpf_fail("'%.8s' is not two hex digits", text);
            free(bytes);
            return NULL;
        }
    }
    return bytes;
}

char *
bpf_read_file(const char *path, size_t *size)
{
    FILE *f = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    char *data = NULL;
    size_t allocated = 0;

    *size = 0;
    if (!f) {
        bpf_fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    do {
        if (allocated - *size < 2) {
            allocated = allocated * 2 + 65536;
            data = realloc(data, allocated);
            if (!data) {
                break;
            }
        }
        *size += fread(data + *size, 1, allocated - *size - 1, f);
    } while (!feof(f) && !ferror(f));
    if (!data || ferror(f)) {
        bpf_fail("%s: %s", path, data ? strerror(errno) : "no memory");
        free(data);
        data = NULL;
    } else {
        data[*size] = '\0';
    }
    if (f != stdin) {
        fclose(f);
    }
    return data;
}

static bool
set_vars(const struct bpf_options *opts, struct vm_elf *elf,
         struct vm_err *err)
{
    for (int i = 0; i < opts->n_vars; i++) {
        const char *equals = strchr(opts->vars[i], '=');
        char name[128];

        if (!equals || equals - opts->vars[i] >= (int) sizeof name) {
            vm_err(err, -EINVAL, "--set=%s: expected NAME=NUMBER",
                   opts->vars[i]);
            return false;
        }
        memcpy(name, opts->vars[i], equals - opts->vars[i]);
        name[equals - opts->vars[i]] = '\0';
        if (vm_elf_set_var_text(elf, name, equals + 1, err)) {
            return false;
        }
    }
    return true;
}

bool
bpf_open(const struct bpf_options *opts, struct bpf_file *file)
{
    struct vm_err err = { "" };
    size_t size;
    char *data = bpf_read_file(opts->file, &size);
    int error;

    memset(file, 0, sizeof *file);
    if (!data) {
        return false;
    }
    if (size >= 4 && !memcmp(data, "\177ELF", 4)) {
        error = (vm_elf_open(data, size, opts->file, &file->elf, &err)
                 || !set_vars(opts, file->elf, &err)
                 || vm_elf_make_maps(file->elf, &err));
    } else {
        const struct vm_asm_opts asm_opts = { .type = &dp_xdp_type };

        error = vm_asm(data, &asm_opts, &file->insns, &file->n_insns, &err);
        if (error) {
            bpf_fail("%s: %s", opts->file, err.text);
            free(data);
            return false;
        }
    }
    free(data);
    if (error) {
        bpf_fail("%s", err.text);
        bpf_close(file);
    }
    return !error;
}

void
bpf_close(struct bpf_file *file)
{
    if (file->elf) {
        vm_elf_unlink(file->elf);
        vm_elf_close(file->elf);
    }
    free(file->insns);
    memset(file, 0, sizeof *file);
    vm_defer_run();
}

void
bpf_engine_attr(enum bpf_engine engine, struct vm_prog_attr *attr)
{
    attr->verify = engine == BPF_CHECKED ? NULL : vm_verify;
    attr->backend = engine == BPF_JIT ? jit_backend() : NULL;
}

bpf_run_fn *
bpf_engine_run(enum bpf_engine engine)
{
    return (engine == BPF_CHECKED ? vm_prog_run_checked
            : engine == BPF_FAST ? vm_prog_run_fast : vm_prog_run);
}

struct vm_prog *
bpf_load(const struct bpf_options *opts, struct bpf_file *file,
         struct vm_err *err)
{
    struct vm_prog_attr attr = { .type = &dp_xdp_type };
    struct vm_prog *prog = NULL;

    bpf_engine_attr(opts->engine, &attr);
    attr.verify_opts = opts->verify_opts;
    if (!file->elf) {
        attr.name = "main";
        attr.insns = file->insns;
        attr.n_insns = file->n_insns;
        vm_prog_load(&attr, &prog, err);
    } else if (!vm_elf_load_prog(file->elf, opts->prog, &attr, &prog, err)
               && vm_elf_link(file->elf, &attr, err)) {
        vm_prog_unref(prog);
        prog = NULL;
    }
    return prog;
}
