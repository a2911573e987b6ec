/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UTILITIES_BPF_TOOL_H
#define UTILITIES_BPF_TOOL_H 1

/* `bvs-bpf`: what its commands share.
 *
 * A command is a row of the table in bvs-bpf.c; it gets the options and
 * returns the exit status, after it printed what there is to say. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vm/prog.h"

struct vm_elf;

enum bpf_engine {
    BPF_CHECKED,                /* Interpreter, every access checked. */
    BPF_FAST,                   /* Interpreter, verified programs. */
    BPF_JIT
};

#define BPF_MAX_VARS 64

struct bpf_options {
    const char *file;           /* First argument, or NULL. */
    const char *prog;           /* --prog. */
    const char *pcap, *output;
    const char *mem;            /* Hex. */
    const char *vars[BPF_MAX_VARS];     /* "NAME=NUMBER". */
    int n_vars;
    enum bpf_engine engine;
    bool engine_given;
    bool verify;                /* plugin: as a verified program. */
    bool json;
    bool native;                /* disasm: machine code, too. */
    const char *arch;           /* Of that machine; NULL: this one. */
    uint64_t repeat;
    const struct vm_verify_opts *verify_opts;   /* May be NULL. */
};

/* Programs and maps of a file: an ELF object, or text in the form of
 * vm/asm.h, which is one program without maps. */
struct bpf_file {
    struct vm_elf *elf;         /* NULL: text. */
    struct vm_insn *insns;      /* Text. */
    uint32_t n_insns;
};

/* Reads opts->file and sets --set variables, and makes the maps.  False:
 * the sentence has been printed. */
bool bpf_open(const struct bpf_options *, struct bpf_file *);
void bpf_close(struct bpf_file *);

/* Loads a program, opts->prog or the first one, for opts->engine. */
struct vm_prog *bpf_load(const struct bpf_options *, struct bpf_file *,
                         struct vm_err *);

/* The engine's run function. */
typedef uint64_t bpf_run_fn(const struct vm_prog *, void *ctx);
bpf_run_fn *bpf_engine_run(enum bpf_engine);
/* Fills in verify and backend for the engine. */
void bpf_engine_attr(enum bpf_engine, struct vm_prog_attr *);

/* Prints opts->prog, or the first one, beside the machine code of
 * opts->arch.  False: the sentence has been printed. */
bool bpf_print_native(const struct bpf_options *, struct bpf_file *);

/* Prints "bvs-bpf: SENTENCE" to stderr; returns 1. */
int bpf_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* 's' as a JSON string. */
void bpf_print_json_string(const char *s);

/* Bytes of hex text, blanks anywhere; NULL with a sentence printed. */
uint8_t *bpf_parse_hex(const char *text, size_t *n);

/* The whole of a file, "-" for standard input, with a 0 after it. */
char *bpf_read_file(const char *path, size_t *size);

/* Commands. */
int bpf_cmd_asm(const struct bpf_options *);
int bpf_cmd_bench(const struct bpf_options *);
int bpf_cmd_disasm(const struct bpf_options *);
int bpf_cmd_filter(const struct bpf_options *);
int bpf_cmd_load(const struct bpf_options *);
int bpf_cmd_maps(const struct bpf_options *);
int bpf_cmd_plugin(const struct bpf_options *);
int bpf_cmd_run(const struct bpf_options *);
int bpf_cmd_verify(const struct bpf_options *);

#endif /* utilities/bpf-tool.h */
