/* SPDX-License-Identifier: Apache-2.0 */

/* Runs captures through a switch: flows in, packets in, packets out, in one
 * process, in virtual time, the same in every run. */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command-line.h"
#include "datapath/dp.h"
#include "dp-packet.h"
#include "fatal-signal.h"
#include "jit/jit.h"
#include "ofproto/compile/compile.h"
#include "ofproto/of.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "random.h"
#include "util.h"
#include "utilities/replay-clock.h"
#include "utilities/replay-coverage.h"
#include "utilities/replay-expect.h"
#include "utilities/replay-flows.h"
#include "utilities/replay-groups.h"
#include "utilities/replay-listener.h"
#include "utilities/replay-netdev.h"
#include "utilities/replay-openflow.h"
#include "utilities/replay-pcap.h"
#include "utilities/replay-switch.h"
#include "utilities/version.h"
#include "vm/map.h"

/* Exit statuses. */
enum {
    EXIT_DIFFERS = 1,           /* A port sent not what was expected. */
    EXIT_TROUBLE = 2            /* Something is wrong with the input. */
};

/* The pseudo-port whose packets are the packet-ins. */
#define PORT_CONTROLLER 0

/* Virtual time goes forward in steps, so that what is due in a gap between
 * packets happens one after the other: at most MAX_STEPS of at least
 * MIN_STEP_US each. */
enum { MIN_STEP_US = 100000, MAX_STEPS = 1000 };

/* Packets that enter first are put this far into their buffer, as other ports
 * do it, so that headers can be pushed. */
enum { HEADROOM = 128 };

/* An end of the switch, by its OpenFlow port number. */
struct end {
    unsigned int port;
    const char *in_file, *out_file, *expect_file;
    struct replay_reader *reader;
    struct replay_writer *writer;
    struct replay_expect *expect;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

struct settings {
    const char *flows_file, *config_file;
    const char *groups_file, *meters_file;
    const char **table_miss;
    size_t n_table_miss;
    struct end *ends;           /* Sorted by 'port'. */
    size_t n_ends;
    double run_on;              /* Seconds after the last packet. */
    unsigned int burst;         /* Packets received together, at most. */
    bool stats, coverage, native;
    const char *coverage_file;
};

static struct settings settings = { .burst = 1 };
static int64_t packet_time;     /* Timestamp of the packet under way. */
static unsigned int n_waiting;  /* Packets not yet received. */

static void parse_options(int argc, char *argv[]);
static int64_t open_files(void);
static void feed(struct replay_listener *);
static void report(const struct replay_listener *,
                   const struct replay_flows *);
static int finish(void);

/* Ends the program with a sentence.  Takes 'sentence'. */
OVS_NO_RETURN static void
give_up(char *sentence)
{
    replay_switch_exit();
    fflush(stdout);
    fprintf(stderr, "bvs-replay: %s\n", sentence);
    free(sentence);
    exit(EXIT_TROUBLE);
}

static void
check(char *sentence)
{
    if (sentence) {
        give_up(sentence);
    }
}

static struct end *
find_end(unsigned int port)
{
    for (size_t i = 0; i < settings.n_ends; i++) {
        if (settings.ends[i].port == port) {
            return &settings.ends[i];
        }
    }
    return NULL;
}

static void
packet_left(struct end *end, const void *data, size_t size)
{
    const struct replay_packet packet = {
        .data = data, .size = size, .usec = packet_time
    };

    end->tx_packets++;
    end->tx_bytes += size;
    if (end->writer) {
        replay_writer_write(end->writer, &packet);
    }
    if (end->expect) {
        replay_expect_packet(end->expect, data, size);
    }
}

static void
port_sent(unsigned int port, const struct dp_packet *packet,
          void *aux OVS_UNUSED)
{
    struct end *end = find_end(port);

    if (end) {
        packet_left(end, dp_packet_data(packet), dp_packet_size(packet));
    }
}

static void
controller_got(const void *packet, size_t size, void *aux OVS_UNUSED)
{
    struct end *end = find_end(PORT_CONTROLLER);

    if (end) {
        packet_left(end, packet, size);
    }
}

static void
start_switch(const struct replay_flows *flows,
             struct replay_listener **listener)
{
    struct replay_switch_config config = {
        .config_file = settings.config_file,
    };
    unsigned int *ports = xcalloc(settings.n_ends, sizeof *ports);
    bool misses = false;        /* Do they go to the controller? */

    for (size_t i = 0; i < settings.n_ends; i++) {
        if (settings.ends[i].port != PORT_CONTROLLER) {
            ports[config.n_ports++] = settings.ends[i].port;
        }
    }
    config.ports = ports;
    replay_netdev_register(port_sent, NULL);
    check(replay_switch_start(&config));
    free(ports);

    for (size_t i = 0; i < settings.n_table_miss; i++) {
        const char *setting = settings.table_miss[i];

        check(replay_openflow_table_miss(setting));
        misses |= strstr(setting, ":controller") != NULL;
    }
    check(replay_listener_open(misses, controller_got, NULL, listener));
    if (settings.meters_file) {
        check(replay_meters_install(settings.meters_file));
    }
    if (settings.groups_file) {
        check(replay_groups_install(settings.groups_file));
    }
    check(replay_openflow_install(flows));
}

int
main(int argc, char *argv[])
{
    struct replay_listener *listener;
    struct replay_flows flows;
    int status;

    set_program_name("bvs-replay");
    parse_options(argc, argv);
    check(replay_flows_read(settings.flows_file, &flows));

    /* From here on nothing depends on when or where it runs. */
    replay_clock_start(open_files());
    random_set_seed(1);
    vm_hash_set_seed(UINT64_C(0x243f6a8885a308d3));
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    check(replay_switch_prepare());
    if (settings.native) {
        if (!jit_backend()) {
            give_up(xstrdup("--native: there is no native code for this "
                            "machine"));
        }
        of_load_set_backend(jit_backend());
    }

    start_switch(&flows, &listener);
    feed(listener);
    report(listener, &flows);
    status = finish();

    replay_listener_close(listener);
    replay_flows_destroy(&flows);
    replay_switch_exit();
    return status;
}

/* Input. */

/* Opens all files; returns the time of the first packet. */
static int64_t
open_files(void)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < settings.n_ends; i++) {
        struct end *end = &settings.ends[i];

        if (end->in_file) {
            const struct replay_packet *packet;

            check(replay_reader_open(end->in_file, &end->reader));
            packet = replay_reader_peek(end->reader);
            if (packet && packet->usec < first) {
                first = packet->usec;
            }
        }
        if (end->expect_file) {
            check(replay_expect_open(end->port, end->expect_file,
                                     &end->expect));
        }
    }
    for (size_t i = 0; i < settings.n_ends; i++) {
        struct end *end = &settings.ends[i];

        if (end->out_file) {
            check(replay_writer_open(end->out_file, &end->writer));
        }
    }
    return first == INT64_MAX ? 0 : first;
}

/* The end with the earliest packet; on a tie the one with the lowest port
 * number.  NULL if all are empty. */
static struct end *
earliest(void)
{
    struct end *first = NULL;

    for (size_t i = 0; i < settings.n_ends; i++) {
        struct end *end = &settings.ends[i];
        const struct replay_packet *packet;

        packet = end->reader ? replay_reader_peek(end->reader) : NULL;
        if (packet
            && (!first
                || packet->usec < replay_reader_peek(first->reader)->usec)) {
            first = end;
        }
    }
    return first;
}

static void
receive(struct replay_listener *listener)
{
    n_waiting = 0;
    replay_switch_flush();

    /* A packet to the controller has left before the next one enters. */
    if (find_end(PORT_CONTROLLER)) {
        replay_switch_run();
        check(replay_listener_run(listener));
    }
}

/* Lets virtual time pass until 'usec'. */
static void
pass_time(struct replay_listener *listener, int64_t usec)
{
    int64_t step = MAX((usec - replay_clock_now()) / MAX_STEPS, MIN_STEP_US);

    while (replay_clock_now() < usec) {
        replay_clock_set(MIN(replay_clock_now() + step, usec));

        /* Twice: an echo request of the switch must have its reply before
         * time moves on, or the switch gives the connection up. */
        for (int i = 0; i < 2; i++) {
            replay_switch_run();
            check(replay_listener_run(listener));
        }
        replay_switch_run();
    }
}

static void
feed_one(struct replay_listener *listener, struct end *end)
{
    const struct replay_packet *packet = replay_reader_peek(end->reader);
    struct dp_packet *copy;

    if (n_waiting && (n_waiting >= settings.burst
                      || packet->usec > packet_time)) {
        receive(listener);
    }
    packet_time = packet->usec;
    pass_time(listener, packet->usec);

    end->rx_packets++;
    end->rx_bytes += packet->size;
    copy = dp_packet_clone_data_with_headroom(packet->data, packet->size,
                                              HEADROOM);
    if (replay_netdev_receive(end->port, copy)) {
        give_up(xasprintf("%s: the configuration has removed port p%u",
                          end->in_file, end->port));
    }
    n_waiting++;
    check(replay_reader_next(end->reader));
}

static void
feed(struct replay_listener *listener)
{
    struct end *end;

    while ((end = earliest())) {
        feed_one(listener, end);
    }
    receive(listener);
    pass_time(listener,
              replay_clock_now() + (int64_t) (settings.run_on * 1e6));

    /* What is on its way to the controller. */
    for (int i = 0; i < 3; i++) {
        replay_switch_run();
        check(replay_listener_run(listener));
    }
}

/* Output. */

static void
write_file(const char *name, const struct ds *text)
{
    FILE *file = fopen(name, "w");
    bool done = (file && fwrite(ds_cstr_ro(text), text->length, 1, file) == 1
                 && !fflush(file));

    if (!done) {
        give_up(xasprintf("%s: cannot be written (%s)", name,
                          ovs_strerror(errno)));
    }
    fclose(file);
}

static void
report_coverage(struct ds *out)
{
    struct ds page = DS_EMPTY_INITIALIZER;
    size_t n;
    struct coverage *coverage = coverage_read(&n);

    if (settings.coverage) {
        coverage_format(coverage, n, out);
    }
    if (settings.coverage_file) {
        coverage_html(coverage, n, &page);
        write_file(settings.coverage_file, &page);
        ds_destroy(&page);
    }
    coverage_free(coverage, n);
}

static void
report(const struct replay_listener *listener,
       const struct replay_flows *flows)
{
    struct ds out = DS_EMPTY_INITIALIZER;
    struct dp_totals totals;

    for (size_t i = 0; i < settings.n_ends; i++) {
        const struct end *end = &settings.ends[i];

        if (end->port != PORT_CONTROLLER) {
            ds_put_format(&out, "port %u: %"PRIu64" packets (%"PRIu64
                          " bytes) in, %"PRIu64" packets (%"PRIu64
                          " bytes) out\n", end->port,
                          end->rx_packets, end->rx_bytes,
                          end->tx_packets, end->tx_bytes);
        }
    }
    dp_get_totals(of_dp, &totals);
    ds_put_format(&out, "total: %"PRIu64" received, %"PRIu64" forwarded, %"
                  PRIu64" to the controller, %"PRIu64" dropped\n",
                  totals.received, totals.forwarded, totals.to_main,
                  totals.dropped);
    if (settings.stats) {
        const struct ds *events = replay_listener_events(listener);

        ds_put_format(&out, "packet-ins: %"PRIu64"\n",
                      replay_listener_packet_ins(listener));
        ds_put_cstr(&out, "flows:\n");
        check(replay_openflow_dump(flows->usable, &out));
        if (events->length) {
            ds_put_format(&out, "events:\n%s", ds_cstr_ro(events));
        }
        ds_put_cstr(&out, "drops:\n");
        dp_drops_format(of_dp, NULL, &out);
    }
    if (settings.coverage || settings.coverage_file) {
        report_coverage(&out);
    }
    fputs(ds_cstr(&out), stdout);
    ds_destroy(&out);
}

/* Closes the files; returns the exit status. */
static int
finish(void)
{
    struct ds differences = DS_EMPTY_INITIALIZER;
    int status = EXIT_SUCCESS;
    char *error = NULL;

    for (size_t i = 0; i < settings.n_ends; i++) {
        struct end *end = &settings.ends[i];

        replay_reader_close(end->reader);
        error = replay_writer_close(end->writer);
        check(error);
        if (end->expect) {
            if (!replay_expect_finish(end->expect, &differences, &error)) {
                status = EXIT_DIFFERS;
            }
            check(error);
            replay_expect_close(end->expect);
        }
    }
    fputs(ds_cstr(&differences), stdout);
    ds_destroy(&differences);
    if (fflush(stdout)) {
        give_up(xasprintf("cannot write the report (%s)",
                          ovs_strerror(errno)));
    }
    return status;
}

/* Options. */

OVS_NO_RETURN static void
usage(void)
{
    printf("bvs-replay: runs captures through a switch, in virtual time\n"
           "usage: bvs-replay --flows=FILE --in PORT=PCAP... [OPTIONS]\n"
           "\nInput:\n"
           "  --flows=FILE            flows, in the syntax of ovs-ofctl\n"
           "  --groups=FILE           groups, installed before the flows\n"
           "  --meters=FILE           meters, installed before the groups\n"
           "  --in PORT=PCAP          packets that port PORT receives\n"
           "  --config=FILE           settings: commands of bvs-vsctl\n"
           "  --table-miss=TABLE:MODE controller, continue or drop\n"
           "  --run-on=SECONDS        time that passes after the last "
           "packet\n"
           "\nOutput:\n"
           "  --out PORT=PCAP         write the packets that PORT sends\n"
           "  --expect PORT=PCAP      compare them with these\n"
           "                          (PORT `controller': packet-ins)\n"
           "  --stats                 print flows, events and drops, too\n"
           "  --coverage              print the rules hit and never hit\n"
           "  --coverage-html=FILE    draw them on a page\n"
           "\nOther options:\n"
           "  --native                run native code, as the switch does\n"
           "  --burst=N               packets of one time enter N at a time\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n"
           "\nExit status: 0; 1 if packets are not as expected; 2 in case "
           "of trouble.\n");
    exit(EXIT_SUCCESS);
}

enum {
    OPT_FLOWS = UCHAR_MAX + 1,
    OPT_IN,
    OPT_OUT,
    OPT_EXPECT,
    OPT_STATS,
    OPT_CONFIG,
    OPT_TABLE_MISS,
    OPT_RUN_ON,
    OPT_GROUPS,
    OPT_METERS,
    OPT_COVERAGE,
    OPT_COVERAGE_HTML,
    OPT_NATIVE,
    OPT_BURST,
};

static const struct option long_options[] = {
    { "flows", required_argument, NULL, OPT_FLOWS },
    { "in", required_argument, NULL, OPT_IN },
    { "out", required_argument, NULL, OPT_OUT },
    { "expect", required_argument, NULL, OPT_EXPECT },
    { "stats", no_argument, NULL, OPT_STATS },
    { "config", required_argument, NULL, OPT_CONFIG },
    { "table-miss", required_argument, NULL, OPT_TABLE_MISS },
    { "run-on", required_argument, NULL, OPT_RUN_ON },
    { "groups", required_argument, NULL, OPT_GROUPS },
    { "meters", required_argument, NULL, OPT_METERS },
    { "coverage", no_argument, NULL, OPT_COVERAGE },
    { "coverage-html", required_argument, NULL, OPT_COVERAGE_HTML },
    { "native", no_argument, NULL, OPT_NATIVE },
    { "burst", required_argument, NULL, OPT_BURST },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

static int
compare_ends(const void *a_, const void *b_)
{
    const struct end *a = a_;
    const struct end *b = b_;

    return a->port < b->port ? -1 : a->port > b->port;
}

/* Splits "PORT=FILE" of 'option'; '*filep' becomes its file. */
static struct end *
parse_end(const char *option, const char *arg, const char **filep)
{
    size_t length = strcspn(arg, "=");
    char *name = xmemdup0(arg, length);
    int port = PORT_CONTROLLER;
    struct end *end;

    if ((strcmp(name, "controller")
         && (!str_to_int(name, 10, &port) || port < 1 || port >= 0xff00))
        || !arg[length] || !arg[length + 1]) {
        give_up(xasprintf("--%s %s: expected PORT=FILE, with PORT a number "
                          "from 1 to 65279", option, arg));
    }
    free(name);
    *filep = arg + length + 1;
    end = find_end(port);
    if (!end) {
        settings.ends = xrealloc(settings.ends, (settings.n_ends + 1)
                                 * sizeof *settings.ends);
        end = &settings.ends[settings.n_ends++];
        memset(end, 0, sizeof *end);
        end->port = port;
    }
    return end;
}

static void
set_file(const char *option, const char *arg, const char **member,
         const char *file)
{
    if (*member) {
        give_up(xasprintf("--%s %s: this port has already the file %s",
                          option, arg, *member));
    }
    *member = file;
}

static void
handle_end(int c, const char *arg)
{
    const char *option = (c == OPT_IN ? "in" : c == OPT_OUT ? "out"
                          : "expect");
    const char *file;
    struct end *end = parse_end(option, arg, &file);

    if (c == OPT_IN) {
        if (end->port == PORT_CONTROLLER) {
            give_up(xasprintf("--in %s: the controller sends no packets",
                              arg));
        }
        set_file(option, arg, &end->in_file, file);
    } else if (c == OPT_OUT) {
        set_file(option, arg, &end->out_file, file);
    } else {
        set_file(option, arg, &end->expect_file, file);
    }
}

static void
handle_option(int c, const char *arg)
{
    switch (c) {
    case OPT_FLOWS: settings.flows_file = arg; break;
    case OPT_IN: case OPT_OUT: case OPT_EXPECT: handle_end(c, arg); break;
    case OPT_STATS: settings.stats = true; break;
    case OPT_CONFIG: settings.config_file = arg; break;
    case OPT_TABLE_MISS:
        settings.table_miss = xrealloc(settings.table_miss,
                                       (settings.n_table_miss + 1)
                                       * sizeof *settings.table_miss);
        settings.table_miss[settings.n_table_miss++] = arg;
        break;
    case OPT_RUN_ON:
        if (!str_to_double(arg, &settings.run_on) || settings.run_on < 0
            || settings.run_on > 1e9) {
            give_up(xasprintf("--run-on=%s: expected a number of seconds",
                              arg));
        }
        break;
    case OPT_GROUPS: settings.groups_file = arg; break;
    case OPT_METERS: settings.meters_file = arg; break;
    case OPT_COVERAGE: settings.coverage = true; break;
    case OPT_COVERAGE_HTML: settings.coverage_file = arg; break;
    case OPT_NATIVE: settings.native = true; break;
    case OPT_BURST:
        if (!str_to_uint(arg, 10, &settings.burst) || !settings.burst
            || settings.burst > NETDEV_MAX_BURST) {
            give_up(xasprintf("--burst=%s: expected a number of packets, 1 "
                              "to %d", arg, NETDEV_MAX_BURST));
        }
        break;
    case 'h': usage();
    case 'V':
        ovs_print_version(0, 0);
        printf("bvs %s\n", BVS_VERSION);
        exit(EXIT_SUCCESS);
    default:
        /* getopt_long() has said what is wrong. */
        exit(EXIT_TROUBLE);
    }
}

static void
parse_options(int argc, char *argv[])
{
    bool any_input = false;
    int c;

    while ((c = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
        handle_option(c, optarg);
    }
    if (optind < argc) {
        give_up(xasprintf("%s: unexpected argument (see --help)",
                          argv[optind]));
    }
    for (size_t i = 0; i < settings.n_ends; i++) {
        any_input |= settings.ends[i].in_file != NULL;
    }
    if (!settings.flows_file) {
        give_up(xstrdup("no flows: say --flows=FILE (see --help)"));
    }
    if (!any_input) {
        give_up(xstrdup("no packets: say --in PORT=PCAP (see --help)"));
    }
    qsort(settings.ends, settings.n_ends, sizeof *settings.ends,
          compare_ends);
}
