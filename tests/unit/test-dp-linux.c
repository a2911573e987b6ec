/* SPDX-License-Identifier: Apache-2.0 */

/* TCP and UDP between two namespaces over veths with default offloads,
 * through a threaded datapath that only copies packets from one port to the
 * other; IPv4 and IPv6.  A packet with a wrong checksum stays wrong.
 *
 * Needs root; skips without. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "csum.h"
#include "dp-packet.h"
#include "netdev.h"
#include "packets.h"
#include "tests/unit/dp-fixture.h"
#include "util.h"

enum { N_BYTES = 8 * 1024 * 1024 };

struct net {
    struct fx fx;
    struct netdev *devs[2];
    char ns[2][32], veth[2][16];
};

static int
run(const char *program, ...)
{
    const char *argv[32];
    int status, n = 0;
    va_list args;
    pid_t pid;

    va_start(args, program);
    argv[n++] = program;
    while ((argv[n] = va_arg(args, const char *))) {
        n++;
    }
    va_end(args);
    pid = fork();
    if (!pid) {
        execvp(program, (char **) argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define IP(...) assert_int_equal(run("ip", __VA_ARGS__, NULL), 0)

static void
clean(struct net *net)
{
    for (int i = 0; i < 2; i++) {
        run("ip", "netns", "delete", net->ns[i], NULL);
    }
}

static struct net *net_to_clean;

/* Also when an assertion fails during set-up, or the test is ended. */
static void
clean_at_exit(void)
{
    if (net_to_clean) {
        clean(net_to_clean);
    }
}

static int
set_up(void **state)
{
    struct net *net;

    if (geteuid()) {
        return 0;
    }
    net = net_to_clean = xzalloc(sizeof *net);
    atexit(clean_at_exit);
    for (int i = 0; i < 2; i++) {
        char *addr4 = xasprintf("10.99.0.%d/24", i + 1);
        char *addr6 = xasprintf("fd99::%d/64", i + 1);

        snprintf(net->ns[i], sizeof net->ns[i], "bvsdp%d-%d", getpid(), i);
        snprintf(net->veth[i], sizeof net->veth[i], "bdp%d-%d", getpid(), i);
        IP("netns", "add", net->ns[i]);
        IP("link", "add", net->veth[i], "type", "veth", "peer", "name",
           "eth0", "netns", net->ns[i]);
        IP("link", "set", net->veth[i], "up");
        IP("-n", net->ns[i], "link", "set", "eth0", "up");
        IP("-n", net->ns[i], "addr", "add", addr4, "dev", "eth0");
        IP("-n", net->ns[i], "addr", "add", addr6, "dev", "eth0", "nodad");
        free(addr4);
        free(addr6);
    }
    fx_init(&net->fx, DP_THREADED);
    /* In one port, out of the other: 3 - in_port. */
    fx_prog(&net->fx, DP_SLOT_PARSE,
            "r2 = 3\n"
            "r3 = *(u32 *)(r1 + %d)\n"
            "r2 -= r3\n"
            "r3 = 0\n"
            "call dp_helper_output\n"
            "r0 = 0\n"
            "exit\n", (int) offsetof(struct dp_ctx, in_port));
    for (int i = 0; i < 2; i++) {
        struct dp_port *port;

        assert_int_equal(netdev_open(net->veth[i], "system", &net->devs[i]),
                         0);
        assert_int_equal(dp_port_add(net->fx.bridge, net->devs[i], i + 1,
                                     &port), 0);
    }
    *state = net;
    return 0;
}

static int
tear_down(void **state)
{
    struct net *net = *state;

    if (net) {
        for (int i = 0; i < 2; i++) {
            netdev_close(net->devs[i]);
        }
        fx_uninit(&net->fx);
        clean(net);
        net_to_clean = NULL;
        free(net);
    }
    return 0;
}

/* Open vSwitch's handler would only note the signal. */
static void
limit_time(void)
{
    signal(SIGALRM, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    alarm(20);
}

/* In namespace 'ns' of this process's children. */
static void
enter(const char *ns)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/run/netns/%s", ns);
    fd = open(path, O_RDONLY);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) {
        _exit(10);
    }
    close(fd);
}

static socklen_t
address(struct sockaddr_storage *ss, int family, int host, int port)
{
    memset(ss, 0, sizeof *ss);
    if (family == AF_INET) {
        struct sockaddr_in *sin = (void *) ss;

        sin->sin_family = AF_INET;
        sin->sin_addr.s_addr = htonl(0x0a630000 | host);
        sin->sin_port = htons(port);
        return sizeof *sin;
    } else {
        struct sockaddr_in6 *sin6 = (void *) ss;
        char text[32];

        snprintf(text, sizeof text, "fd99::%d", host);
        sin6->sin6_family = AF_INET6;
        inet_pton(AF_INET6, text, &sin6->sin6_addr);
        sin6->sin6_port = htons(port);
        return sizeof *sin6;
    }
}

static uint8_t
byte_at(size_t i)
{
    return i * 7 + (i >> 10) * 13;
}

/* Reads N_BYTES of a TCP connection to 'host' and checks them; 0 if right. */
static int
serve(int listener)
{
    static uint8_t buffer[65536];
    size_t done = 0;
    int fd = accept(listener, NULL, NULL);
    ssize_t n;

    while (fd >= 0 && (n = read(fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (buffer[i] != byte_at(done + i)) {
                return 2;
            }
        }
        done += n;
    }
    return done == N_BYTES ? 0 : 3;
}

static int
send_all(int fd)
{
    static uint8_t buffer[65536];

    for (size_t done = 0; done < N_BYTES; done += sizeof buffer) {
        size_t sent = 0;

        for (size_t i = 0; i < sizeof buffer; i++) {
            buffer[i] = byte_at(done + i);
        }
        while (sent < sizeof buffer) {
            ssize_t n = write(fd, buffer + sent, sizeof buffer - sent);

            if (n <= 0) {
                return 4;
            }
            sent += n;
        }
    }
    return close(fd) ? 5 : 0;
}

/* A child in namespace 'i' that runs 'serve' (listening before this returns)
 * or sends. */
static pid_t
child(struct net *net, int i, int family, bool server)
{
    struct sockaddr_storage ss;
    int ready[2], fd;
    socklen_t size;
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid) {
        close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        return pid;
    }
    limit_time();
    enter(net->ns[i]);
    fd = socket(family, SOCK_STREAM, 0);
    size = address(&ss, family, 1, 5000);
    if (server && (bind(fd, (struct sockaddr *) &ss, size) || listen(fd, 1))) {
        _exit(11);
    }
    if (write(ready[1], "r", 1) != 1) {
        _exit(12);
    }
    if (server) {
        _exit(serve(fd));
    }
    if (connect(fd, (struct sockaddr *) &ss, size)) {
        _exit(13);
    }
    _exit(send_all(fd));
}

static void
test_tcp(void **state)
{
    static const int families[] = { AF_INET, AF_INET6 };
    struct net *net = *state;

    if (!net) {
        skip();
    }
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        pid_t server = child(net, 0, families[i], true);
        pid_t client = child(net, 1, families[i], false);
        int status;

        assert_int_equal(waitpid(client, &status, 0), client);
        assert_int_equal(status, 0);
        assert_int_equal(waitpid(server, &status, 0), server);
        assert_int_equal(status, 0);
    }
    fx_check_totals(&net->fx);
}

static void
test_udp(void **state)
{
    static const int families[] = { AF_INET, AF_INET6 };
    struct net *net = *state;

    if (!net) {
        skip();
    }
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        pid_t pid = fork();
        int status;

        if (!pid) {
            struct sockaddr_storage ss;
            socklen_t size = address(&ss, families[i], 1, 6000);
            char buffer[1200];
            int server, client;

            limit_time();
            enter(net->ns[0]);
            server = socket(families[i], SOCK_DGRAM, 0);
            if (bind(server, (struct sockaddr *) &ss, size)) {
                _exit(1);
            }
            enter(net->ns[1]);
            client = socket(families[i], SOCK_DGRAM, 0);
            memset(buffer, 0x5a, sizeof buffer);
            if (sendto(client, buffer, sizeof buffer, 0,
                       (struct sockaddr *) &ss, size) < 0) {
                _exit(2);
            }
            memset(buffer, 0, sizeof buffer);
            _exit(recv(server, buffer, sizeof buffer, 0) == sizeof buffer
                  && buffer[1199] == 0x5a ? 0 : 3);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

/* Sends 'frame' as it is from namespace 1 and gives what arrives in 0. */
static int
through(struct net *net, const uint8_t *frame, size_t size, uint8_t *out)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET };
    int fds[2];

    for (int i = 0; i < 2; i++) {
        enter(net->ns[i]);
        sll.sll_ifindex = if_nametoindex("eth0");
        sll.sll_protocol = htons(ETH_P_IP);
        fds[i] = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
        if (fds[i] < 0 || bind(fds[i], (struct sockaddr *) &sll,
                               sizeof sll)) {
            return -1;
        }
    }
    if (send(fds[1], frame, size, 0) != size) {
        return -2;
    }
    return recv(fds[0], out, 2048, 0);
}

/* A TCP segment with a wrong checksum arrives as it was sent.  The field holds
 * the folded sum of the pseudo-header, as a partial checksum would. */
static void
test_wrong_checksum(void **state)
{
    struct net *net = *state;
    pid_t pid;
    int status;

    if (!net) {
        skip();
    }
    pid = fork();
    if (!pid) {
        uint8_t frame[54], out[2048];
        struct ip_header *ip = (void *) &frame[14];
        struct tcp_header *tcp = (void *) &frame[34];

        limit_time();
        memset(frame, 0, sizeof frame);
        memset(frame, 0xff, 6);
        frame[12] = 0x08;
        ip->ip_ihl_ver = 0x45;
        ip->ip_tot_len = htons(40);
        ip->ip_ttl = 64;
        ip->ip_proto = IPPROTO_TCP;
        tcp->tcp_ctl = htons(5 << 12);
        tcp->tcp_csum = ~csum_finish(packet_csum_pseudoheader(ip));
        if (through(net, frame, sizeof frame, out) != sizeof frame) {
            _exit(1);
        }
        _exit(memcmp(frame, out, sizeof frame) ? 2 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_udp),
        cmocka_unit_test(test_wrong_checksum),
    };

    return cmocka_run_group_tests_name("dp-linux", tests, set_up, tear_down);
}
