/* SPDX-License-Identifier: Apache-2.0 */

/* bvs-bpf: looks at eBPF programs, verifies and runs them, without a kernel
 * and without a daemon. */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/xdp.h"
#include "utilities/bpf-tool.h"

enum {
    OPT_PROG = 256, OPT_ENGINE, OPT_SET, OPT_PCAP, OPT_MEM, OPT_REPEAT,
    OPT_JSON, OPT_INTERPRET, OPT_JIT, OPT_CHECKED, OPT_VERIFY, OPT_PROGRAM,
    OPT_DEBUG, OPT_OUTPUT, OPT_NATIVE, OPT_ARCH
};

/* Sets of options. */
#define O(NAME) (1u << (OPT_##NAME - OPT_PROG))
#define O_OBJECT (O(PROG) | O(SET) | O(JSON))
#define O_RUN (O_OBJECT | O(PCAP) | O(MEM))

static const struct command {
    const char *name;
    const char *args;
    const char *help;
    int (*run)(const struct bpf_options *);
    int min_args, max_args;
    uint32_t options;
} commands[] = {
    { "load", "FILE", "load all programs of an object", bpf_cmd_load, 1, 1,
      O_OBJECT | O(ENGINE) },
    { "verify", "FILE", "say whether each program is safe, and why not",
      bpf_cmd_verify, 1, 1, O_OBJECT | O(ENGINE) },
    { "run", "FILE", "run a program: --pcap=IN [--output=OUT], or --mem=HEX",
      bpf_cmd_run, 1, 1, O_RUN | O(ENGINE) | O(OUTPUT) },
    { "disasm", "FILE", "print a program as text, or beside its machine code "
      "(--native)", bpf_cmd_disasm, 1, 1, O_OBJECT | O(NATIVE) | O(ARCH) },
    { "asm", "FILE", "assemble text; the bytes as hex, or to --output",
      bpf_cmd_asm, 1, 1, O(OUTPUT) | O(JSON) },
    { "maps", "FILE", "list an object's maps", bpf_cmd_maps, 1, 1,
      O_OBJECT },
    { "bench", "FILE", "time a program on each engine", bpf_cmd_bench, 1, 1,
      O_OBJECT | O(MEM) | O(ENGINE) | O(REPEAT) },
    { "filter", "EXPRESSION", "a pcap filter as classic BPF and as eBPF",
      bpf_cmd_filter, 1, 1, O(PCAP) | O(ENGINE) | O(JSON) },
    /* The suite passes options that it finds in its own configuration. */
    { "plugin", "[MEM]", "run a program from standard input (hex), for the "
      "conformance suite", bpf_cmd_plugin, 0, 2, UINT32_MAX },
};

#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void
usage(void)
{
    puts("bvs-bpf: eBPF programs without a kernel\n"
         "usage: bvs-bpf COMMAND [OPTION]... [ARG]...\n\n"
         "Commands (FILE is an ELF object of clang's, or assembly):");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        printf("  %-7s %-11s %s\n", commands[i].name, commands[i].args,
               commands[i].help);
    }
    puts("\nOptions:\n"
         "  --prog=NAME        which program of an object (first one)\n"
         "  --engine=ENGINE    checked, interpret or jit (checked)\n"
         "  --set=NAME=NUMBER  a global variable's initial value\n"
         "  --pcap=FILE        packets to run over\n"
         "  -o, --output=FILE  packets that passed, or bytes\n"
         "  --mem=HEX          a packet\n"
         "  --native           each instruction beside its machine code\n"
         "  --arch=MACHINE     x86-64 or aarch64 (this machine)\n"
         "  --repeat=N         runs to time (1,000,000)\n"
         "  --interpret, --jit, --verify, --checked, --program=HEX\n"
         "                     for plugin\n"
         "  --json             output for programs\n"
         "  -h, --help         this text\n"
         "  -V, --version      the version");
}

static bool
set_engine(struct bpf_options *opts, const char *name)
{
    static const char *const names[] = {
        [BPF_CHECKED] = "checked", [BPF_FAST] = "interpret",
        [BPF_JIT] = "jit",
    };

    for (int i = 0; i < 3; i++) {
        if (!strcmp(name, names[i])) {
            opts->engine = i;
            opts->engine_given = true;
            return true;
        }
    }
    bpf_fail("--engine=%s: expected checked, interpret or jit", name);
    return false;
}

static bool
set_repeat(struct bpf_options *opts, const char *text)
{
    char *end;

    errno = 0;
    opts->repeat = strtoull(text, &end, 0);
    if (errno || *end || end == text || !opts->repeat || *text == '-') {
        bpf_fail("--repeat=%s: expected a number above 0", text);
        return false;
    }
    return true;
}

static bool
parse_option(struct bpf_options *opts, int c)
{
    switch (c) {
    case OPT_PROG:
        opts->prog = optarg;
        return true;
    case OPT_ENGINE:
        return set_engine(opts, optarg);
    case OPT_INTERPRET:
        return set_engine(opts, "interpret");
    case OPT_JIT:
        return set_engine(opts, "jit");
    case OPT_CHECKED:
        return set_engine(opts, "checked");
    case OPT_SET:
        if (opts->n_vars == BPF_MAX_VARS) {
            bpf_fail("more than %d times --set", BPF_MAX_VARS);
            return false;
        }
        opts->vars[opts->n_vars++] = optarg;
        return true;
    case OPT_PCAP:
        opts->pcap = optarg;
        return true;
    case OPT_OUTPUT:
        opts->output = optarg;
        return true;
    case OPT_MEM:
        opts->mem = optarg;
        return true;
    case OPT_REPEAT:
        return set_repeat(opts, optarg);
    case OPT_JSON:
        opts->json = true;
        return true;
    case OPT_NATIVE:
        opts->native = true;
        return true;
    case OPT_ARCH:
        opts->arch = optarg;
        return true;
    case OPT_VERIFY:
        opts->verify = true;
        return true;
    case OPT_PROGRAM:
        opts->prog = optarg;
        return true;
    case OPT_DEBUG:
        return true;
    }
    return false;
}

static const struct option options[] = {
    { "prog", required_argument, NULL, OPT_PROG },
    { "engine", required_argument, NULL, OPT_ENGINE },
    { "set", required_argument, NULL, OPT_SET },
    { "pcap", required_argument, NULL, OPT_PCAP },
    { "output", required_argument, NULL, OPT_OUTPUT },
    { "mem", required_argument, NULL, OPT_MEM },
    { "repeat", required_argument, NULL, OPT_REPEAT },
    { "json", no_argument, NULL, OPT_JSON },
    { "native", no_argument, NULL, OPT_NATIVE },
    { "arch", required_argument, NULL, OPT_ARCH },
    { "interpret", no_argument, NULL, OPT_INTERPRET },
    { "jit", no_argument, NULL, OPT_JIT },
    { "checked", no_argument, NULL, OPT_CHECKED },
    { "verify", no_argument, NULL, OPT_VERIFY },
    { "program", required_argument, NULL, OPT_PROGRAM },
    { "debug", no_argument, NULL, OPT_DEBUG },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

/* The name of an option that 'command' does not have, of those given; NULL
 * if there is none. */
static const char *
wrong_option(const struct command *command, uint32_t given)
{
    for (const struct option *o = options; o->name; o++) {
        if (o->val >= OPT_PROG
            && given & ~command->options & 1u << (o->val - OPT_PROG)) {
            return o->name;
        }
    }
    return NULL;
}

static int
run_command(const struct command *command, struct bpf_options *opts,
            uint32_t given, int argc, char *argv[])
{
    const char *wrong = wrong_option(command, given);

    if (wrong) {
        return bpf_fail("%s has no option --%s (see bvs-bpf --help)",
                        command->name, wrong);
    }
    if (argc < command->min_args || argc > command->max_args) {
        return bpf_fail("%s: expected %s%s (see bvs-bpf --help)",
                        command->name, argc > command->max_args ? "only "
                                                                : "",
                        command->args);
    }
    opts->file = argc > 0 ? argv[0] : NULL;
    return command->run(opts);
}

/* What programs trace. */
static void
print_trace(const char *line)
{
    fprintf(stderr, "trace: %s\n", line);
}

int
main(int argc, char *argv[])
{
    struct bpf_options opts = { .repeat = 1000000 };
    uint32_t given = 0;
    int c;

    dp_xdp_trace = print_trace;
    while ((c = getopt_long(argc, argv, "o:hV", options, NULL)) != -1) {
        if (c == 'h') {
            usage();
            return 0;
        } else if (c == 'V') {
            puts("bvs-bpf (bvs)");
            return 0;
        }
        c = c == 'o' ? OPT_OUTPUT : c;
        if (c == '?' || !parse_option(&opts, c)) {
            return 1;
        }
        given |= 1u << (c - OPT_PROG);
    }
    if (optind == argc) {
        return bpf_fail("expected a command (see bvs-bpf --help)");
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (!strcmp(argv[optind], commands[i].name)) {
            return run_command(&commands[i], &opts, given,
                               argc - optind - 1, argv + optind + 1);
        }
    }
    return bpf_fail("there is no command '%s' (see bvs-bpf --help)",
                    argv[optind]);
}
