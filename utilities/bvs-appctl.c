/* SPDX-License-Identifier: Apache-2.0 */

/* ovs-appctl's syntax: sends a command to a daemon's control socket and
 * prints the reply.  Commands of the table of local ones run here. */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "daemon.h"
#include "dirs.h"
#include "fatal-signal.h"
#include "jsonrpc.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "utilities/appctl-capture.h"
#include "utilities/version.h"

/* The exit status of ovs-appctl when the daemon refuses a command. */
#define EXIT_REFUSED 2

/* A command that runs on this side.  It may talk to 'target'. */
struct local_command {
    const char *name;
    const char *usage;
    int min_args, max_args;     /* Without the name. */
    int (*run)(const char *target, int argc, char *argv[]);
};

static int cmd_target(const char *target, int argc, char *argv[]);
static int cmd_capture(const char *target, int argc, char *argv[]);

static const struct local_command local_commands[] = {
    { "bvs/target", "", 0, 0, cmd_target },
    { "capture", "BRIDGE [OPTION]... -w FILE|-", 1, INT_MAX, cmd_capture },
};

enum {
    OPT_START = UCHAR_MAX + 1,
    VLOG_OPTION_ENUMS
};

static const struct option long_options[] = {
    { "target", required_argument, NULL, 't' },
    { "execute", no_argument, NULL, 'e' },
    { "help", no_argument, NULL, 'h' },
    { "option", no_argument, NULL, 'o' },
    { "version", no_argument, NULL, 'V' },
    { "timeout", required_argument, NULL, 'T' },
    VLOG_LONG_OPTIONS,
    { NULL, 0, NULL, 0 },
};

OVS_NO_RETURN static void
usage(void)
{
    printf("%s: queries and controls a running switch daemon\n"
           "usage: %s [TARGET] COMMAND [ARG...]\n"
           "Targets:\n"
           "  -t, --target=TARGET  name of a daemon (ovs-vswitchd), or its\n"
           "                       control socket\n"
           "Common commands:\n"
           "  list-commands        list what the daemon understands\n"
           "  version              print the daemon's version\n"
           "  vlog/list            list the levels of its log\n"
           "  vlog/set [SPEC]      set levels, SPEC as for --verbose\n"
           "  vlog/reopen          have it open its log file anew\n",
           program_name, program_name);
    printf("Commands that run on this side:\n");
    for (size_t i = 0; i < ARRAY_SIZE(local_commands); i++) {
        printf("  %s %s\n", local_commands[i].name, local_commands[i].usage);
    }
    printf("Other options:\n"
           "  -T, --timeout=SECS   wait at most SECS seconds\n"
           "  -h, --help           print this help message\n"
           "  -V, --version        display version information\n");
    vlog_usage();
    exit(EXIT_SUCCESS);
}

static void
handle_option(int c, const char **target, unsigned int *timeout)
{
    switch (c) {
    case 't':
        if (*target) {
            ovs_fatal(0, "-t or --target may be specified only once");
        }
        *target = optarg;
        break;

    case 'e':
        /* Very old scripts say "-e COMMAND". */
        break;

    case 'h':
        usage();

    case 'o':
        ovs_cmdl_print_options(long_options);
        exit(EXIT_SUCCESS);

    case 'T':
        if (!str_to_uint(optarg, 10, timeout) || !*timeout) {
            ovs_fatal(0, "value %s on -T or --timeout is invalid", optarg);
        }
        break;

    case 'V':
        ovs_print_version(0, 0);
        printf("bvs %s\n", BVS_VERSION);
        exit(EXIT_SUCCESS);

    VLOG_OPTION_HANDLERS

    default:
        exit(EXIT_FAILURE);
    }
}

/* Returns the target, and in 'optind' the index of the command. */
static const char *
parse_options(int argc, char *argv[])
{
    char *tmp = ovs_cmdl_long_options_to_short_options(long_options);
    char *letters = xasprintf("+%s", tmp);
    unsigned int timeout = 0;
    const char *target = NULL;
    int c;

    while ((c = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        handle_option(c, &target, &timeout);
    }
    free(tmp);
    free(letters);
    ctl_timeout_setup(timeout);
    if (optind >= argc) {
        ovs_fatal(0, "at least one non-option argument is required "
                  "(use --help for help)");
    }
    return target ? target : "ovs-vswitchd";
}

/* Returns the path of the control socket of 'target'. */
static char *
find_socket(const char *target)
{
    char *pidfile, *socket;
    pid_t pid;

    if (target[0] == '/') {
        return xstrdup(target);
    }
    pidfile = xasprintf("%s/%s.pid", ovs_rundir(), target);
    pid = read_pidfile(pidfile);
    if (pid < 0) {
        ovs_fatal(-pid, "cannot read pidfile \"%s\"", pidfile);
    }
    free(pidfile);
    socket = xasprintf("%s/%s.%ld.ctl", ovs_rundir(), target,
                       (long int) pid);
    return socket;
}

static int
cmd_target(const char *target, int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    char *socket = find_socket(target);

    puts(socket);
    free(socket);
    return EXIT_SUCCESS;
}

static int
cmd_capture(const char *target, int argc, char *argv[])
{
    char *socket = find_socket(target);
    int status = appctl_capture(socket, argc, argv);

    free(socket);
    return status;
}

static int
run_local(const struct local_command *c, const char *target, int argc,
          char *argv[])
{
    int n = argc - 1;

    if (n < c->min_args || n > c->max_args) {
        ovs_error(0, "\"%s\" takes %d to %d arguments: %s %s", c->name,
                  c->min_args, c->max_args, c->name, c->usage);
        return EXIT_FAILURE;
    }
    return c->run(target, argc, argv);
}

/* Has the daemon 'target' run 'argv' and prints its reply. */
static int
run_remote(const char *target, int argc, char *argv[])
{
    char *socket = find_socket(target);
    char *result, *refusal;
    struct jsonrpc *client;
    int status = EXIT_SUCCESS;
    int error;

    error = unixctl_client_create(socket, &client);
    if (error) {
        ovs_fatal(error, "cannot connect to \"%s\"", socket);
    }
    free(socket);
    error = unixctl_client_transact(client, argv[0], argc - 1, argv + 1,
                                    &result, &refusal);
    if (error) {
        ovs_fatal(error, "%s: transaction error", target);
    }
    if (refusal) {
        fputs(refusal, stderr);
        ovs_error(0, "%s: server returned an error", target);
        status = EXIT_REFUSED;
    } else {
        fputs(result, stdout);
    }
    free(result);
    free(refusal);
    jsonrpc_close(client);
    return status;
}

int
main(int argc, char *argv[])
{
    const char *target;

    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    target = parse_options(argc, argv);
    argc -= optind;
    argv += optind;

    for (size_t i = 0; i < ARRAY_SIZE(local_commands); i++) {
        if (!strcmp(argv[0], local_commands[i].name)) {
            return run_local(&local_commands[i], target, argc, argv);
        }
    }
    return run_remote(target, argc, argv);
}
