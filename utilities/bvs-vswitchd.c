/* SPDX-License-Identifier: Apache-2.0 */

/* The switch daemon: ovs-vswitchd's options, names and behaviour around the
 * provider of ofproto/, and an OVSDB server inside on request. */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "command-line.h"
#include "daemon.h"
#include "dirs.h"
#include "dns-resolve.h"
#include "dpdk.h"
#include "dummy.h"
#include "fatal-signal.h"
#include "memory.h"
#include "netdev.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-numa.h"
#include "ovs-rcu.h"
#include "ovs-router.h"
#include "ovs-thread.h"
#include "simap.h"
#include "stream-ssl.h"
#include "stream.h"
#include "unixctl.h"
#include "util.h"
#include "vswitchd/bridge.h"
#include "jit/jit.h"
#include "ofproto/compile/compile.h"
#include "ofproto/of.h"
#include "utilities/daemon-check.h"
#include "utilities/db-server.h"
#include "utilities/version.h"

VLOG_DEFINE_THIS_MODULE(vswitchd);

/* The command line. */
struct settings {
    char *remote;               /* "unix:PATH" of the database, owned. */
    const char *db_file;        /* Serve this file; NULL: another server. */
    const char *unixctl;        /* Control socket; NULL: the default one. */
    bool lock_memory;
    bool interpret;             /* No native code. */
    bool perf_map;              /* Name native code for perf(1). */
};

/* What the command "exit" asked for. */
struct exit_request {
    bool asked;
    bool cleanup;
};

static void parse_options(int argc, char *argv[], struct settings *);
static void lock_memory(void);
static struct db_server *start_database(const struct settings *);
static void choose_engine(const struct settings *);
static void run_once(struct unixctl_server *, struct db_server *);
static void wait_once(struct unixctl_server *, struct db_server *);
static unixctl_cb_func cmd_exit;

int
main(int argc, char *argv[])
{
    struct exit_request request = { .asked = false };
    struct unixctl_server *unixctl;
    struct settings settings;
    struct db_server *db;
    char *error;

    /* The pid file, control socket and log are named after this. */
    set_program_name("ovs-vswitchd");
    ovsthread_id_init();
    dns_resolve_init(true);
    ovs_cmdl_proctitle_init(argc, argv);
    parse_options(argc, argv, &settings);
    fatal_ignore_sigpipe();

    error = daemon_check_alone(settings.unixctl);
    if (error) {
        ovs_fatal(0, "%s", error);
    }

    daemonize_start(true);
    if (settings.lock_memory) {
        lock_memory();
    }
    if (unixctl_server_create(settings.unixctl, &unixctl)) {
        exit(EXIT_FAILURE);
    }
    unixctl_command_register("exit", "[--cleanup]", 0, 1, cmd_exit, &request);
    db = start_database(&settings);
    choose_engine(&settings);
    bridge_init(settings.remote);
    free(settings.remote);

    while (!request.asked) {
        run_once(unixctl, db);
        wait_once(unixctl, db);
        if (request.asked) {
            poll_immediate_wake();
        }
        poll_block();
    }

    /* The bridges' end closes the connection to the database, so the server
     * comes after them. */
    bridge_exit(request.cleanup);
    of_provider_exit();
    db_server_destroy(db);
    unixctl_server_destroy(unixctl);
    vlog_disable_async();
    ovsrcu_exit();
    dns_resolve_destroy();
    return 0;
}

static void
report_memory(struct db_server *db)
{
    struct simap usage = SIMAP_INITIALIZER(&usage);

    bridge_get_memory_usage(&usage);
    if (db) {
        db_server_get_memory_usage(db, &usage);
    }
    memory_report(&usage);
    simap_destroy(&usage);
}

static void
run_once(struct unixctl_server *unixctl, struct db_server *db)
{
    memory_run();
    if (memory_should_report()) {
        report_memory(db);
    }
    if (db) {
        db_server_run(db);
    }
    bridge_run();
    unixctl_server_run(unixctl);
    netdev_run();
}

static void
wait_once(struct unixctl_server *unixctl, struct db_server *db)
{
    memory_wait();
    if (db) {
        db_server_wait(db);
    }
    bridge_wait();
    unixctl_server_wait(unixctl);
    netdev_wait();
}

static void
lock_memory(void)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
        VLOG_ERR("mlockall failed: %s", ovs_strerror(errno));
    } else {
        set_memory_locked();
    }
}

/* Native code where this machine has a back end. */
static void
choose_engine(const struct settings *settings)
{
    const struct vm_backend *backend = settings->interpret ? NULL
                                       : jit_backend();

    of_load_set_backend(backend);
    of_provider_set_engine(backend ? "bvs " BVS_VERSION ", native code"
                           : "bvs " BVS_VERSION ", interpreter");
    /* Not louder: Open vSwitch's test suite fails on lines that it does not
     * know while a daemon starts. */
    VLOG_DBG("programs run %s", backend ? "as native code"
                                        : "in the interpreter");
    if (settings->perf_map) {
        int error = backend ? jit_perf_map_enable() : -ENOTSUP;

        if (error) {
            ovs_fatal(-error, "--perf-map: /tmp/perf-%ld.map",
                      (long) getpid());
        }
    }
}

/* Returns NULL if another process serves the database. */
static struct db_server *
start_database(const struct settings *settings)
{
    struct db_server_config config = {
        .file = settings->db_file,
        .managers = true,
        .identify = true,
        .commands = true,
    };
    struct db_server *db;
    char *listen, *error;

    if (!settings->db_file) {
        return NULL;
    }
    listen = xasprintf("p%s", settings->remote);
    config.listen = listen;
    error = db_server_create(&config, &db);
    free(listen);
    if (error) {
        ovs_fatal(0, "%s", error);
    }
    return db;
}

static void
cmd_exit(struct unixctl_conn *conn, int argc, const char *argv[],
         void *request_)
{
    struct exit_request *request = request_;

    request->asked = true;
    request->cleanup = argc == 2 && !strcmp(argv[1], "--cleanup");
    unixctl_command_reply(conn, NULL);
}

OVS_NO_RETURN static void
usage(void)
{
    printf("bvs-vswitchd: switch daemon that runs OpenFlow tables as eBPF "
           "programs\n"
           "usage: bvs-vswitchd [OPTIONS] [DATABASE]\n"
           "where DATABASE is the socket of an OVSDB server\n"
           "      (default: \"unix:%s/db.sock\").\n"
           "\nEngine options:\n"
           "  --engine=ENGINE         \"native\" (the default) or "
           "\"interpreter\"\n"
           "  --perf-map              name native code for perf(1) in "
           "/tmp/perf-PID.map\n"
           "\nDatabase options:\n"
           "  --db-file=FILE          serve DATABASE from FILE, which is made "
           "if missing\n", ovs_rundir());
    stream_usage("DATABASE", true, false, true);
    daemon_usage();
    vlog_usage();
    printf("\nOther options:\n"
           "  --unixctl=SOCKET        name the control socket\n"
           "  --mlockall              keep all memory in RAM\n"
           "  --disable-system        offer no datapath of type \"system\"\n"
           "  --disable-system-route  ignore the kernel's routes\n"
           "  --enable-dummy[=override|system]\n"
           "                          dummy network devices, for tests\n"
           "  --dummy-numa=NODE,...   pretend these NUMA nodes, for tests\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n");
    exit(EXIT_SUCCESS);
}

OVS_NO_RETURN static void
print_version(void)
{
    ovs_print_version(0, 0);
    print_dpdk_version();
    printf("bvs %s\n", BVS_VERSION);
    exit(EXIT_SUCCESS);
}

enum {
    OPT_DB_FILE = UCHAR_MAX + 1,
    OPT_ENGINE,
    OPT_PERF_MAP,
    OPT_MLOCKALL,
    OPT_UNIXCTL,
    OPT_ENABLE_DUMMY,
    OPT_DISABLE_SYSTEM,
    OPT_DISABLE_SYSTEM_ROUTE,
    OPT_DPDK,
    OPT_DUMMY_NUMA,
    OPT_PEER_CA_CERT,
    OPT_BOOTSTRAP_CA_CERT,
    VLOG_OPTION_ENUMS,
    DAEMON_OPTION_ENUMS,
    SSL_OPTION_ENUMS,
};

static const struct option long_options[] = {
    { "db-file", required_argument, NULL, OPT_DB_FILE },
    { "engine", required_argument, NULL, OPT_ENGINE },
    { "perf-map", no_argument, NULL, OPT_PERF_MAP },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { "mlockall", no_argument, NULL, OPT_MLOCKALL },
    { "unixctl", required_argument, NULL, OPT_UNIXCTL },
    { "enable-dummy", optional_argument, NULL, OPT_ENABLE_DUMMY },
    { "disable-system", no_argument, NULL, OPT_DISABLE_SYSTEM },
    { "disable-system-route", no_argument, NULL, OPT_DISABLE_SYSTEM_ROUTE },
    { "dpdk", optional_argument, NULL, OPT_DPDK },
    { "dummy-numa", required_argument, NULL, OPT_DUMMY_NUMA },
    { "peer-ca-cert", required_argument, NULL, OPT_PEER_CA_CERT },
    { "bootstrap-ca-cert", required_argument, NULL, OPT_BOOTSTRAP_CA_CERT },
    DAEMON_LONG_OPTIONS,
    VLOG_LONG_OPTIONS,
    STREAM_SSL_LONG_OPTIONS,
    { NULL, 0, NULL, 0 },
};

static void
set_engine(struct settings *settings, const char *engine)
{
    settings->interpret = !strcmp(engine, "interpreter");
    if (!settings->interpret && strcmp(engine, "native")) {
        ovs_fatal(0, "--engine=%s: expected native or interpreter", engine);
    }
}

static void
handle_option(int c, struct settings *settings)
{
    switch (c) {
    case 'h': usage();
    case 'V': print_version();
    case OPT_DB_FILE: settings->db_file = optarg; break;
    case OPT_ENGINE: set_engine(settings, optarg); break;
    case OPT_PERF_MAP: settings->perf_map = true; break;
    case OPT_MLOCKALL: settings->lock_memory = true; break;
    case OPT_UNIXCTL: settings->unixctl = optarg; break;
    case OPT_ENABLE_DUMMY: dummy_enable(optarg); break;
    case OPT_DISABLE_SYSTEM: of_provider_disallow_type("system"); break;
    case OPT_DISABLE_SYSTEM_ROUTE:
        ovs_router_disable_system_routing_table();
        break;
    case OPT_DUMMY_NUMA: ovs_numa_set_dummy(optarg); break;
    case OPT_PEER_CA_CERT: stream_ssl_set_peer_ca_cert_file(optarg); break;
    case OPT_BOOTSTRAP_CA_CERT:
        stream_ssl_set_ca_cert_file(optarg, true);
        break;
    case OPT_DPDK:
        ovs_fatal(0, "--dpdk: DPDK is configured in the database (ovs-vsctl "
                  "set Open_vSwitch . other_config:dpdk-init=true)");
    VLOG_OPTION_HANDLERS
    DAEMON_OPTION_HANDLERS
    STREAM_SSL_OPTION_HANDLERS
    default:
        /* getopt_long() has said what is wrong. */
        exit(EXIT_FAILURE);
    }
}

static void
parse_options(int argc, char *argv[], struct settings *settings)
{
    char *letters = ovs_cmdl_long_options_to_short_options(long_options);
    int c;

    memset(settings, 0, sizeof *settings);
    while ((c = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
        handle_option(c, settings);
    }
    free(letters);

    if (argc - optind > 1) {
        ovs_fatal(0, "at most one DATABASE can be named (see --help)");
    }
    settings->remote = (optind < argc ? xstrdup(argv[optind])
                        : xasprintf("unix:%s/db.sock", ovs_rundir()));
    if (settings->db_file
        && strncmp(settings->remote, "unix:", strlen("unix:"))) {
        ovs_fatal(0, "%s: --db-file serves a database on a Unix socket; "
                  "expected unix:PATH", settings->remote);
    }
}
