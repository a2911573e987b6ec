/* SPDX-License-Identifier: Apache-2.0 */

/* bvs-bpf: looks at eBPF programs, verifies and runs them, without a kernel
 * and without a daemon. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/xdp.h"
#include "utilities/bpf-tool.h"

static const struct command {
    const char *name;
    const char *args;
    const char *help;
    int (*run)(const struct bpf_options *);
    int n_args;
} commands[] = {
    { "load", "FILE", "load all programs of an object", bpf_cmd_load, 1 },
    { "verify", "FILE", "say whether each program is safe, and why not",
      bpf_cmd_verify, 1 },
    { "run", "FILE", "run a program: --pcap=IN [--output=OUT], or --mem=HEX",
      bpf_cmd_run, 1 },
    { "disasm", "FILE", "print a program as text", bpf_cmd_disasm, 1 },
    { "asm", "FILE", "assemble text; the bytes as hex, or to --output",
      bpf_cmd_asm, 1 },
    { "maps", "FILE", "list an object's maps", bpf_cmd_maps, 1 },
    { "bench", "FILE", "time a program on each engine", bpf_cmd_bench, 1 },
    { "filter", "EXPRESSION", "a pcap filter as classic BPF and as eBPF",
      bpf_cmd_filter, 1 },
    { "plugin", "[MEM]", "run a program from standard input (hex), for the "
      "conformance suite", bpf_cmd_plugin, 0 },
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

enum {
    OPT_PROG = 256, OPT_ENGINE, OPT_SET, OPT_PCAP, OPT_MEM, OPT_REPEAT,
    OPT_JSON, OPT_INTERPRET, OPT_JIT, OPT_CHECKED, OPT_VERIFY, OPT_PROGRAM,
    OPT_DEBUG
};

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
    case 'o':
        opts->output = optarg;
        return true;
    case OPT_MEM:
        opts->mem = optarg;
        return true;
    case OPT_REPEAT:
        opts->repeat = strtoull(optarg, NULL, 0);
        return true;
    case OPT_JSON:
        opts->json = true;
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
    { "output", required_argument, NULL, 'o' },
    { "mem", required_argument, NULL, OPT_MEM },
    { "repeat", required_argument, NULL, OPT_REPEAT },
    { "json", no_argument, NULL, OPT_JSON },
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

static int
run_command(const struct command *command, struct bpf_options *opts, int argc,
            char *argv[])
{
    if (argc < command->n_args || argc > command->n_args + 1) {
        return bpf_fail("%s: expected %s (see bvs-bpf --help)",
                        command->name, command->args);
    }
    opts->file = argc > 0 ? argv[0] : NULL;
    opts->second = argc > 1 ? argv[1] : NULL;
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
    int c;

    dp_xdp_trace = print_trace;
    while ((c = getopt_long(argc, argv, "o:hV", options, NULL)) != -1) {
        if (c == 'h') {
            usage();
            return 0;
        } else if (c == 'V') {
            puts("bvs-bpf (bvs)");
            return 0;
        } else if (c == '?' || !parse_option(&opts, c)) {
            return 1;
        }
    }
    if (optind == argc) {
        return bpf_fail("expected a command (see bvs-bpf --help)");
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (!strcmp(argv[optind], commands[i].name)) {
            return run_command(&commands[i], &opts, argc - optind - 1,
                               argv + optind + 1);
        }
    }
    return bpf_fail("there is no command '%s' (see bvs-bpf --help)",
                    argv[optind]);
}
