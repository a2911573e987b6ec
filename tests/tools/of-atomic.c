/* SPDX-License-Identifier: Apache-2.0 */

/* Proves, or refutes, that changes of flow tables are atomic for packets:
 *
 *   of-atomic --mgmt=BR0.MGMT [--bundles=N] [--barriers=N] [--expiries=N]
 *             [--seconds=N] OUT IN...
 *
 * OUT and IN are network devices of this namespace; their other ends are
 * ports 1 (OUT) and up (IN, each with a sender of its own) of the bridge.
 * While packets flow without pause, one connection changes the tables, round
 * after round.  Each round has a number, which its rules write into packets:
 *
 *   - Bundles: the rules of three tables and the bucket of a group each write
 *     the number into another field.  A packet with two numbers has seen half
 *     a bundle.  Odd rounds overwrite rules, even ones delete them all and
 *     add others with other masks and priorities.
 *   - Barriers: a round is one change and the reply to a barrier.  A packet
 *     that was sent after the reply and carries an older number has met the
 *     old rules.
 *   - Expiries: flows for each of a few source ports expire.  A packet that
 *     was sent after the message which says so has not met that flow.
 *
 * Packets carry a sequence number taken from one counter before sending; the
 * value of the counter after a reply divides earlier from later ones.
 *
 * With --seconds, ends after about that time, with however many rounds. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "csum.h"
#include "fatal-signal.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-bundle.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofp-table.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vconn.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

enum {
    DST_PORT = 7777,
    MAX_SENDERS = 4,
    MAX_IN_FLIGHT = 128,
    MAX_ROUNDS = 1000000,
    N_OTHERS = 100,
    N_SRC_PORTS = 64, SRC_PORT = 1024,
    MIX = 0xffffffff                /* Of a packet that matched no policy. */
};

/* A packet as it is on the wire. */
struct probe {
    struct eth_header eth;
    struct ip_header ip;
    struct udp_header udp;
    ovs_be64 seq;
} __attribute__((packed));

/* What senders, the receiver and the controller share. */
static _Atomic uint64_t sent;           /* Sequence number of the last one. */
static _Atomic uint64_t received;       /* The highest. */
static _Atomic bool stop;

/* 'lock' makes reading 'sent' and noting it one step for the receiver. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t since[MAX_ROUNDS + 1];  /* 'sent' after a round's reply. */
static bool is_drop[MAX_ROUNDS + 1];    /* No packet carries its number. */
static uint32_t n_rounds;

/* The same for packets of one source port. */
static struct {
    uint64_t since;
    uint32_t round;
} expired[N_SRC_PORTS];
static uint64_t n_mixed, n_old, n_checked;
static char first_fault[200];

static struct vconn *vconn;             /* OpenFlow 1.4. */
static struct vconn *events;            /* Messages that nobody asked for. */
static char *mgmt_name;
static long long int deadline = LLONG_MAX;

static void
must(int error, const char *what)
{
    if (error) {
        ovs_fatal(error, "%s", what);
    }
}

/* Traffic. */

static int
open_device(const char *name, int protocol)
{
    struct sockaddr_ll ll = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(protocol),
        .sll_ifindex = if_nametoindex(name),
    };
    int fd = socket(AF_PACKET, SOCK_RAW, htons(protocol));

    if (fd < 0 || !ll.sll_ifindex
        || bind(fd, (struct sockaddr *) &ll, sizeof ll)) {
        ovs_fatal(errno, "%s", name);
    }
    return fd;
}

static void
nap(void)
{
    nanosleep(&(struct timespec) { .tv_nsec = 50000 }, NULL);
}

static void *
send_packets(void *device)
{
    struct probe p = {
        .eth = { .eth_type = htons(ETH_TYPE_IP),
                 .eth_dst = ETH_ADDR_C(02, 00, 00, 00, 00, 02),
                 .eth_src = ETH_ADDR_C(02, 00, 00, 00, 00, 01) },
        .ip = { .ip_ihl_ver = IP_IHL_VER(5, 4), .ip_ttl = 64,
                .ip_tot_len = htons(sizeof p - ETH_HEADER_LEN),
                .ip_proto = IPPROTO_UDP },
        .udp = { .udp_dst = htons(DST_PORT),
                 .udp_len = htons(sizeof p - ETH_HEADER_LEN
                                  - IP_HEADER_LEN) },
    };
    int fd = open_device(device, ETH_P_IP);

    p.ip.ip_csum = csum(&p.ip, sizeof p.ip);
    while (!stop) {
        uint64_t seq = atomic_fetch_add(&sent, 1) + 1;

        p.udp.udp_src = htons(SRC_PORT + seq % N_SRC_PORTS);
        p.seq = htonll(seq);
        if (send(fd, &p, sizeof p, 0) < 0 && errno != ENOBUFS) {
            ovs_fatal(errno, "send");
        }
        /* Packets that wait in a queue prove little. */
        for (int i = 0; i < 20 && !stop
             && seq > atomic_load(&received) + MAX_IN_FLIGHT; i++) {
            nap();
        }
    }
    close(fd);
    return NULL;
}

/* The last round whose reply came before 'seq' was sent. */
static uint32_t
round_of(uint64_t seq)
{
    uint32_t k = n_rounds;

    while (k && since[k] >= seq) {
        k--;
    }
    return k;
}

static void
fault(uint64_t *counter, const char *what, uint64_t seq,
      const uint32_t tags[4])
{
    if (!(*counter)++ && !first_fault[0]) {
        snprintf(first_fault, sizeof first_fault,
                 "%s: packet %"PRIu64" has %"PRIu32" %"PRIu32" %"PRIu32
                 " %"PRIu32", sent after round %"PRIu32, what, seq, tags[0],
                 tags[1], tags[2], tags[3], round_of(seq));
    }
}

static uint32_t
number_at(const struct probe *p, size_t offset)
{
    ovs_be32 number;

    memcpy(&number, (const uint8_t *) p + offset, sizeof number);
    return ntohl(number);
}

static void
check_packet(const struct probe *p)
{
    uint64_t seq = ntohll(p->seq);
    /* IP source and destination, the ends of the Ethernet addresses. */
    const uint32_t tags[4] = {
        number_at(p, 26), number_at(p, 30), number_at(p, 2), number_at(p, 8),
    };

    pthread_mutex_lock(&lock);
    n_checked++;
    if (tags[0] != tags[1] || tags[0] != tags[2] || tags[0] != tags[3]
        || tags[0] == MIX) {
        fault(&n_mixed, "mixed", seq, tags);
    } else {
        unsigned int port = (ntohs(p->udp.udp_src) - SRC_PORT)
                            % N_SRC_PORTS;
        uint32_t k = round_of(seq);

        if (tags[0] < k || is_drop[tags[0]]
            || (seq > expired[port].since
                && tags[0] < expired[port].round)) {
            fault(&n_old, "old rules", seq, tags);
        }
    }
    pthread_mutex_unlock(&lock);
    if (seq > atomic_load(&received)) {
        atomic_store(&received, seq);
    }
}

static void *
receive_packets(void *device)
{
    int fd = open_device(device, ETH_P_ALL);
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    struct probe p;

    while (!stop) {
        if (poll(&pfd, 1, 10) <= 0) {
            continue;
        }
        while (recv(fd, &p, sizeof p, MSG_DONTWAIT) == sizeof p) {
            if (p.eth.eth_type == htons(ETH_TYPE_IP)
                && p.udp.udp_dst == htons(DST_PORT)) {
                check_packet(&p);
            }
        }
    }
    close(fd);
    return NULL;
}

/* Rounds. */

/* After the reply of a round: notes what was sent, and waits until something
 * sent later has come. */
static void
note_round(bool drop)
{
    long long int until = time_msec() + 2000;
    uint64_t mark;

    pthread_mutex_lock(&lock);
    mark = since[++n_rounds] = atomic_load(&sent);
    is_drop[n_rounds] = drop;
    pthread_mutex_unlock(&lock);
    while (atomic_load(drop ? &sent : &received) <= mark + 1
           && time_msec() < until) {
        nap();
    }
}

static struct ofpbuf *
flow_message(int command, const char *text)
{
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    struct ofpbuf *msg;
    char *error;

    error = parse_ofp_flow_mod_str(&fm, text, NULL, NULL, command, &usable);
    if (error) {
        ovs_fatal(0, "%s: %s", text, error);
    }
    msg = ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF14_OXM);
    free(CONST_CAST(struct ofpact *, fm.ofpacts));
    minimatch_destroy(&fm.match);
    return msg;
}

static struct ofpbuf *
group_message(int command, const char *text)
{
    enum ofputil_protocol usable;
    struct ofputil_group_mod gm;
    struct ofpbuf *msg;
    char *error;

    error = parse_ofp_group_mod_str(&gm, command, text, NULL, NULL, &usable);
    if (error) {
        ovs_fatal(0, "%s: %s", text, error);
    }
    msg = ofputil_encode_group_mod(OFP14_VERSION, &gm, NULL, -1);
    ofputil_uninit_group_mod(&gm);
    return msg;
}

/* Sends 'msg' and a barrier, waits for its reply. */
static void
transact(struct vconn *via, struct ofpbuf *msg)
{
    struct ofpbuf *reply;

    must(vconn_transact_noreply(via, msg, &reply), "transact");
    if (reply) {
        ovs_fatal(0, "a message was refused");
    }
}

static void OVS_PRINTF_FORMAT(2, 3)
flow(int command, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = xvasprintf(format, args);
    va_end(args);
    transact(vconn, flow_message(command, text));
    free(text);
}

/* Fields that carry a number, all of them. */
#define TAG_FORMAT                                                      \
    "set_field:%s->ip_src,set_field:%s->ip_dst,set_field:%s->eth_dst,"  \
    "set_field:%s->eth_src"

static const char *
ip_of(uint32_t tag)
{
    static char text[16];

    snprintf(text, sizeof text, IP_FMT, IP_ARGS(htonl(tag)));
    return text;
}

static const char *
mac_of(uint32_t tag)
{
    static char text[18];

    snprintf(text, sizeof text, "02:00:%02x:%02x:%02x:%02x", tag >> 24,
             tag >> 16 & 0xff, tag >> 8 & 0xff, tag & 0xff);
    return text;
}

#define TAGS(K) ip_of(K), ip_of(K), mac_of(K), mac_of(K)

/* Bundles. */

static void
add_message(struct ovs_list *requests, struct ofpbuf *msg)
{
    ovs_list_push_back(requests, &msg->list_node);
}

static void
add_flow(struct ovs_list *requests, int command, char *text)
{
    add_message(requests, flow_message(command, text));
    free(text);
}

static void
bundle_round(uint32_t k)
{
    /* Other masks and priorities for every other pair of rounds. */
    static const char *const any = "priority=9,udp,tp_dst=7777";
    const char *match = k & 2 ? any
                        : k & 4 ? "priority=8,udp,nw_src=0.0.0.0/1"
                        : "priority=7,udp,tp_src=1024/0xfc00,tp_dst=7777";
    struct ovs_list requests = OVS_LIST_INITIALIZER(&requests);
    struct ovs_list errors = OVS_LIST_INITIALIZER(&errors);
    char *text;

    if (k & 1) {
        match = any;
    } else {
        add_flow(&requests, OFPFC_DELETE, xstrdup("cookie=1/-1"));
    }
    add_flow(&requests, OFPFC_ADD,
             xasprintf("cookie=1,table=0,%s,actions=set_field:%s->ip_src,"
                       "goto_table:1", match, ip_of(k)));
    add_flow(&requests, OFPFC_ADD,
             xasprintf("cookie=1,table=1,%s,actions=set_field:%s->ip_dst,"
                       "resubmit(,2)", any, ip_of(k)));
    /* Flows of others in between: what takes longer is easier to see half. */
    for (int i = 0; i < N_OTHERS; i++) {
        add_flow(&requests, OFPFC_ADD,
                 xasprintf("cookie=1,table=1,priority=9,udp,tp_dst=%d,"
                           "actions=drop", i + 1));
    }
    add_flow(&requests, OFPFC_ADD,
             xasprintf("cookie=1,table=2,%s,actions=set_field:%s->eth_dst,"
                       "group:1", k & 1 ? any : match, mac_of(k)));
    text = xasprintf("group_id=1,type=all,bucket=actions="
                     "set_field:%s->eth_src,output:1", mac_of(k));
    add_message(&requests, group_message(OFPGC11_MODIFY, text));
    free(text);

    must(vconn_bundle_transact(vconn, &requests,
                               OFPBF_ATOMIC | OFPBF_ORDERED, &errors),
         "bundle");
    if (!ovs_list_is_empty(&errors)) {
        ovs_fatal(0, "a message in a bundle was refused");
    }
    ofpbuf_list_delete(&requests);
}

/* A connection is open only while it is used: nobody answers the switch's
 * echo requests. */
static struct vconn *
open_vconn(enum ofp_version version)
{
    struct vconn *v;

    must(vconn_open(mgmt_name, 1u << version, 0, &v), mgmt_name);
    must(vconn_connect_block(v, -1), mgmt_name);
    return v;
}

static void
start_anew(void)
{
    flow(OFPFC_DELETE, "table=255");
    for (int table = 0; table < 3; table++) {
        flow(OFPFC_ADD, "cookie=2,table=%d,priority=1,udp,actions="
             TAG_FORMAT",output:1", table, TAGS(MIX));
    }
}

static bool
is_over(uint32_t n, uint32_t wanted)
{
    return n >= wanted || n_rounds + 8 >= MAX_ROUNDS || time_msec() > deadline;
}

static uint32_t
run_bundles(uint32_t wanted)
{
    uint32_t n;

    for (n = 0; !is_over(n, wanted); n++) {
        bundle_round(n_rounds + 1);
        note_round(false);
    }
    return n;
}

/* Barriers.  Each of these makes its change, the number of which is one more
 * than that of the last round, and returns after the reply. */

static void
round_add(uint32_t k)
{
    flow(OFPFC_ADD, "priority=10,udp,actions="TAG_FORMAT",output:1",
         TAGS(k));
}

static void
round_modify(uint32_t k)
{
    flow(OFPFC_MODIFY, "udp,actions="TAG_FORMAT",output:1",
         TAGS(k));
}

static void
group(int command, uint32_t k)
{
    char *text = xasprintf("group_id=2,type=indirect,bucket=actions="
                           TAG_FORMAT",output:1", TAGS(k));

    transact(vconn, group_message(command, text));
    free(text);
}

static void
round_group(uint32_t k)
{
    group(OFPGC11_ADD_OR_MOD, k - 1);
    flow(OFPFC_ADD, "priority=10,udp,actions=group:2");
    group(OFPGC11_MODIFY, k);
}

static void
round_delete(uint32_t k)
{
    flow(OFPFC_ADD, "priority=5,udp,actions="TAG_FORMAT",output:1", TAGS(k));
    flow(OFPFC_DELETE_STRICT, "priority=10,udp");
}

static struct vconn *vconn11;           /* For table-miss configuration. */

static void
set_miss(const char *what)
{
    const char *name = NULL;
    uint32_t versions;
    struct ofputil_table_mod tm;
    char *error = parse_ofp_table_mod(&tm, &name, "0", what, NULL,
                                      &versions);

    if (error) {
        ovs_fatal(0, "%s", error);
    }
    transact(vconn11, ofputil_encode_table_mod(&tm, OFPUTIL_P_OF11_STD));
}

static void
round_miss_drop(uint32_t k)
{
    flow(OFPFC_ADD, "table=1,udp,actions="TAG_FORMAT",output:1",
         TAGS(k - 1));
    set_miss("continue");
    flow(OFPFC_DELETE, "table=0");
    set_miss("drop");
}

static void
round_miss_continue(uint32_t k)
{
    flow(OFPFC_ADD, "table=1,udp,actions="TAG_FORMAT",output:1", TAGS(k));
    set_miss("continue");
}

static uint32_t
run_barriers(uint32_t wanted)
{
    static void (*const kinds[])(uint32_t) = {
        round_add, round_modify, round_group, round_add, round_delete,
        round_miss_drop, round_miss_continue,
    };
    uint32_t n;

    vconn11 = open_vconn(OFP11_VERSION);
    for (n = 0; !is_over(n, wanted) || n % ARRAY_SIZE(kinds); n++) {
        void (*kind)(uint32_t) = kinds[n % ARRAY_SIZE(kinds)];

        kind(n_rounds + 1);
        note_round(kind == round_miss_drop);
    }
    vconn_close(vconn11);
    return n;
}

/* Waits for the message that a flow expired; returns its source port. */
static int
wait_for_expiry(void)
{
    struct ofputil_flow_removed fr;
    struct ofpbuf *msg = NULL;
    enum ofptype type;

    do {
        ofpbuf_delete(msg);
        must(vconn_recv_block(events, &msg), "flow-removed");
        must(ofptype_decode(&type, msg->data), "flow-removed");
        if (type == OFPTYPE_ECHO_REQUEST) {
            must(vconn_send_block(events,
                                  ofputil_encode_echo_reply(msg->data)),
                 "echo");
        }
    } while (type != OFPTYPE_FLOW_REMOVED);
    if (ofputil_decode_flow_removed(&fr, msg->data)) {
        ovs_fatal(0, "flow-removed");
    }
    ofpbuf_delete(msg);
    return ntohs(fr.match.flow.tp_src) - SRC_PORT;
}

static uint32_t
run_expiries(uint32_t wanted)
{
    struct ofputil_switch_config config = { .miss_send_len = UINT16_MAX };
    uint32_t n;

    /* Without it, such a connection hears of no removed flow. */
    events = open_vconn(OFP14_VERSION);
    transact(events, ofputil_encode_set_config(&config, OFP14_VERSION));

    for (n = 0; !is_over(n, wanted); n += N_SRC_PORTS) {
        for (int i = 0; i < N_SRC_PORTS; i++) {
            flow(OFPFC_ADD, "priority=20,udp,tp_src=%d,hard_timeout=1,"
                 "send_flow_rem,actions="TAG_FORMAT",output:1", SRC_PORT + i,
                 TAGS(n_rounds));
        }
        flow(OFPFC_ADD, "priority=10,udp,actions="TAG_FORMAT",output:1",
             TAGS(n_rounds + 1));
        for (int i = 0; i < N_SRC_PORTS; i++) {
            int port = wait_for_expiry();

            pthread_mutex_lock(&lock);
            expired[port].since = atomic_load(&sent);
            expired[port].round = n_rounds + 1;
            pthread_mutex_unlock(&lock);
        }
        note_round(false);
    }
    vconn_close(events);
    return n;
}

static int
run(const char *what, uint32_t (*rounds)(uint32_t), uint32_t wanted,
    long long int ms)
{
    uint64_t n_faults;
    uint32_t n;

    pthread_mutex_lock(&lock);
    n_mixed = n_old = n_checked = 0;
    pthread_mutex_unlock(&lock);
    deadline = ms ? time_msec() + ms : LLONG_MAX;
    n = rounds(wanted);

    pthread_mutex_lock(&lock);
    n_faults = n_mixed + n_old;
    printf("# %s: %"PRIu32" rounds, %"PRIu64" packets looked at\n", what, n,
           n_checked);
    if (n_faults) {
        printf("not ok %s - %"PRIu64" faults; %s\n", what, n_faults,
               first_fault);
    } else {
        printf("ok %s\n", what);
    }
    pthread_mutex_unlock(&lock);
    fflush(stdout);
    return n_faults ? EXIT_FAILURE : EXIT_SUCCESS;
}

struct options {
    const char *mgmt;
    uint32_t bundles, barriers, expiries;
    int seconds;
};

static void
parse_options(int argc, char *argv[], struct options *o)
{
    static const struct option options[] = {
        { "mgmt", required_argument, NULL, 'm' },
        { "expiries", required_argument, NULL, 'e' },
        { "bundles", required_argument, NULL, 'b' },
        { "barriers", required_argument, NULL, 'r' },
        { "seconds", required_argument, NULL, 's' },
        { NULL, 0, NULL, 0 },
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (opt) {
        case 'm':
            o->mgmt = optarg;
            break;
        case 'e':
            o->expiries = strtoul(optarg, NULL, 0);
            break;
        case 'b':
            o->bundles = strtoul(optarg, NULL, 0);
            break;
        case 'r':
            o->barriers = strtoul(optarg, NULL, 0);
            break;
        case 's':
            o->seconds = atoi(optarg);
            break;
        default:
            ovs_fatal(0, "see the head of tests/tools/of-atomic.c");
        }
    }
    if (!o->mgmt || argc - optind < 2
        || argc - optind > MAX_SENDERS + 1) {
        ovs_fatal(0, "see the head of tests/tools/of-atomic.c");
    }
}

int
main(int argc, char *argv[])
{
    struct options o = { .bundles = 200, .barriers = 800, .expiries = 64 };
    pthread_t threads[MAX_SENDERS + 1];
    struct ofpbuf *msg;
    long long int share;
    int n_threads = 0, status;

    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    fatal_ignore_sigpipe();
    parse_options(argc, argv, &o);
    mgmt_name = xasprintf("unix:%s", o.mgmt);
    vconn = open_vconn(OFP14_VERSION);

    start_anew();
    msg = group_message(OFPGC11_ADD, "group_id=1,type=all");
    transact(vconn, msg);
    bundle_round(1);
    n_rounds = 1;
    for (int i = optind; i < argc; i++) {
        must(pthread_create(&threads[n_threads++], NULL,
                            i == optind ? receive_packets : send_packets,
                            argv[i]), "thread");
    }
    for (long long int until = time_msec() + 30000; !received; nap()) {
        if (time_msec() > until) {
            ovs_fatal(0, "no packet comes");
        }
    }
    share = o.seconds * 1000LL / 3;
    status = run("bundles", run_bundles, o.bundles, share);
    /* In this order no packet goes without a number. */
    round_add(n_rounds + 1);
    flow(OFPFC_DELETE, "cookie=1/-1");
    flow(OFPFC_DELETE, "cookie=2/-1");
    note_round(false);
    status |= run("barriers", run_barriers, o.barriers, share);
    status |= run("expiries", run_expiries, o.expiries, share);

    stop = true;
    for (int i = 0; i < n_threads; i++) {
        pthread_join(threads[i], NULL);
    }
    vconn_close(vconn);
    free(mgmt_name);
    return status;
}
