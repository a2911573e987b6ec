/* SPDX-License-Identifier: Apache-2.0 */

/* ovs-vsctl's syntax, which says at once when no daemon is there. */

#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db-ctl-base.h"
#include "fatal-signal.h"
#include "lib/vswitch-idl.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "process.h"
#include "stream-ssl.h"
#include "stream.h"
#include "table.h"
#include "timeval.h"
#include "util.h"
#include "utilities/version.h"
#include "utilities/vsctl.h"

/* db-ctl-base.h forbids it to commands. */
#undef ovs_fatal

VLOG_DEFINE_THIS_MODULE(vsctl_main);

static struct vsctl_options options;

enum {
    OPT_NO_SYSLOG = UCHAR_MAX + 1,
    OPT_COMMANDS,
    OPT_OPTIONS,
    OPT_PEER_CA_CERT,
    OPT_BOOTSTRAP_CA_CERT,
    VLOG_OPTION_ENUMS,
    TABLE_OPTION_ENUMS,
    SSL_OPTION_ENUMS,
};

static const struct option main_options[] = {
    { "no-syslog", no_argument, NULL, OPT_NO_SYSLOG },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { "commands", no_argument, NULL, OPT_COMMANDS },
    { "options", no_argument, NULL, OPT_OPTIONS },
    { "peer-ca-cert", required_argument, NULL, OPT_PEER_CA_CERT },
    { "bootstrap-ca-cert", required_argument, NULL, OPT_BOOTSTRAP_CA_CERT },
    VLOG_LONG_OPTIONS,
    TABLE_LONG_OPTIONS,
    STREAM_SSL_LONG_OPTIONS,
    { NULL, 0, NULL, 0 },
};

static const char help[] = "\
Open vSwitch commands:\n\
  init                        make the database's root, if missing\n\
  show                        print the configuration at a glance\n\
  emer-reset                  undo what controllers and managers set\n\
\n\
Bridges:\n\
  add-br BRIDGE               make bridge BRIDGE\n\
  add-br BRIDGE PARENT VLAN   make fake BRIDGE for VLAN of PARENT\n\
  del-br BRIDGE               delete BRIDGE and its ports\n\
  list-br                     print the names of all bridges\n\
  br-exists BRIDGE            exit with status 2 if there is no BRIDGE\n\
  br-to-vlan BRIDGE           print the VLAN that BRIDGE stands for\n\
  br-to-parent BRIDGE         print the real bridge behind BRIDGE\n\
  br-set-external-id BRIDGE KEY [VALUE]  set KEY, or unset it\n\
  br-get-external-id BRIDGE [KEY]        print KEY's value, or all\n\
\n\
Ports (a bond is one port) and their interfaces:\n\
  list-ports BRIDGE           print the names of BRIDGE's ports\n\
  add-port BRIDGE PORT [COLUMN[:KEY]=VALUE]...\n\
                              make PORT on BRIDGE\n\
  add-bond BRIDGE PORT IFACE IFACE... [COLUMN[:KEY]=VALUE]...\n\
                              make bond PORT on BRIDGE\n\
  add-bond-iface BOND IFACE   add IFACE to BOND\n\
  del-bond-iface [BOND] IFACE take IFACE out of BOND\n\
  del-port [BRIDGE] PORT      delete PORT\n\
  port-to-br PORT             print the name of PORT's bridge\n\
  list-ifaces BRIDGE          print the names of BRIDGE's interfaces\n\
  iface-to-br IFACE           print the name of IFACE's bridge\n\
\n\
Control:\n\
  get-controller BRIDGE       print BRIDGE's controllers\n\
  del-controller BRIDGE       remove BRIDGE's controllers\n\
  [--inactivity-probe=MSECS] set-controller BRIDGE TARGET...\n\
                              set BRIDGE's controllers\n\
  get-fail-mode BRIDGE        print BRIDGE's fail mode\n\
  del-fail-mode BRIDGE        remove BRIDGE's fail mode\n\
  set-fail-mode BRIDGE MODE   set it to standalone or secure\n\
  get-manager, del-manager, [--inactivity-probe=MSECS] set-manager TARGET...\n\
                              the same for managers of the database\n\
  get-ssl, del-ssl, [--bootstrap] set-ssl PRIVATE-KEY CERT CA-CERT\n\
                              the keys for ssl: and pssl: targets\n\
\n\
Others:\n\
  add-aa-mapping BRIDGE I-SID VLAN, del-aa-mapping BRIDGE I-SID VLAN,\n\
  get-aa-mapping BRIDGE       Auto Attach mappings of BRIDGE\n\
  add-zone-tp DP zone=ID NAME=SECONDS..., del-zone-tp DP zone=ID,\n\
  list-zone-tp DP             timeouts of connection tracking zones\n\
  list-dp-cap DP              print what datapath DP is capable of\n";

static const char option_help[] = "\
Options:\n\
  --db=DATABASE               connect to DATABASE\n\
                              (default: %s)\n\
  --no-wait                   do not wait for the daemon to apply changes\n\
  --retry                     wait for a database and a daemon to appear\n\
  -t, --timeout=SECS          wait at most SECS seconds\n\
  --dry-run                   commit nothing\n\
  --oneline                   print one line of output a command\n\
  --no-syslog                 keep the command out of syslog\n";

OVS_NO_RETURN static void
usage(void)
{
    printf("%s: configures a switch daemon through its database\n"
           "usage: %s [OPTIONS] COMMAND [ARG...] [-- COMMAND...]...\n\n",
           program_name, program_name);
    fputs(help, stdout);
    printf("\n%s\n%s\n", ctl_get_db_cmd_usage(), ctl_list_db_tables_usage());
    printf(option_help, ctl_default_db());
    table_usage();
    vlog_usage();
    stream_usage("database", true, true, true);
    printf("\nOther options:\n"
           "  -h, --help                  display this help message\n"
           "  -V, --version               display version information\n");
    exit(EXIT_SUCCESS);
}

OVS_NO_RETURN static void
print_version(void)
{
    ovs_print_version(0, 0);
    printf("DB Schema %s\n", ovsrec_get_db_version());
    printf("bvs %s\n", BVS_VERSION);
    exit(EXIT_SUCCESS);
}

static void
handle_option(int c)
{
    switch (c) {
    case OPT_NO_SYSLOG:
        vlog_set_levels_from_string_assert("vsctl_main:syslog:warn");
        break;

    case 'h':
        usage();

    case 'V':
        print_version();

    case OPT_COMMANDS:
        ctl_print_commands();
        exit(EXIT_SUCCESS);

    case OPT_OPTIONS:
        ctl_print_options(main_options);
        exit(EXIT_SUCCESS);

    case OPT_PEER_CA_CERT:
        stream_ssl_set_peer_ca_cert_file(optarg);
        break;

    case OPT_BOOTSTRAP_CA_CERT:
        stream_ssl_set_ca_cert_file(optarg, true);
        break;

    VLOG_OPTION_HANDLERS
    TABLE_OPTION_HANDLERS(&options.style)
    STREAM_SSL_OPTION_HANDLERS

    default:
        exit(EXIT_FAILURE);
    }
}

static void
print_output(struct vsctl *v)
{
    char *output = vsctl_take_output(v);

    if (output) {
        fputs(output, stdout);
        fflush(stdout);
        free(output);
    }
}

/* Errors go to syslog and stderr, each line after the program's name. */
static void
print_messages(const char *messages, bool is_error)
{
    char *copy = xstrdup(messages);
    char *save = NULL;

    for (char *line = strtok_r(copy, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (is_error) {
            vlog_set_levels(&this_module, VLF_CONSOLE, VLL_OFF);
            VLOG_ERR("%s", line);
        }
        ovs_error(0, "%s", line);
    }
    free(copy);
}

int
main(int argc, char *argv[])
{
    struct vsctl *v;
    char *args, *error;
    int status;

    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_CONSOLE, VLL_WARN);
    vlog_set_levels_from_string_assert("reconnect:warn");

    vsctl_options_init(&options);
    options.extra = main_options;
    options.handle_extra = handle_option;
    args = process_escape_args(argv);
    error = vsctl_create(argc, argv, &options, &v);
    if (error) {
        print_messages(error, true);
        exit(EXIT_FAILURE);
    }
    VLOG(vsctl_is_write(v) ? VLL_INFO : VLL_DBG, "Called as %s", args);
    free(args);
    ctl_timeout_setup(options.timeout);

    while (!vsctl_run(v)) {
        print_output(v);
        vsctl_wait(v);
        poll_block();
    }
    print_output(v);
    status = vsctl_status(v);
    print_messages(vsctl_messages(v), status != 0);
    vsctl_destroy(v);
    return status;
}
