/* SPDX-License-Identifier: Apache-2.0 */

/* Traffic over veths for benchmarks.
 *
 *   veth flood OUT SINK
 *     sends packets of 64 bytes (60 without the check sequence; IPv4, UDP) out
 *     of device OUT as fast as it can, as xdp-trafficgen does it (frames that
 *     the kernel makes and an XDP program redirects), and drops and counts in
 *     XDP what device SINK receives.  A line of standard input is answered
 *     with that count.
 *   veth latency OUT SINK PPS SECS
 *     sends packets at an even pace and says, after a tenth of the time to get
 *     warm: "lost N, us P50 P99 P99.9", the time from before a packet's send()
 *     to after its recv().
 *   veth first OUT SINK N MS
 *     sends N packets, each after MS milliseconds of silence; the same.
 *   veth blast OUT SINK SECS
 *     sends with sendmmsg(), as much as goes; "PPS" that SINK received.
 *
 * Ends when its input does, or by a signal. */

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SIZE = 60,
    SEQ_OFS = 42, /* The number of a packet, after UDP. */
    BURST = 32,
    REPEAT = 1 << 20, /* Packets a call. */
    LOST_NS = 1000 * 1000 * 1000,
    RCVBUF = 4 << 20
};

static uint8_t frame[SIZE] = {
    2,    0,
    0,    0,
    0,    2,
    2,    0,
    0,    0,
    0,    1,
    8,    0,
    0x45, 0,
    0,    SIZE - ETH_HLEN,
    0,    0,
    0x40, 0,
    64,   17,
    0x26, 0xbd,
    10,   0,
    0,    1,
    10,   0,
    0,    2,
    0,    9,
    0,    9,
    0,    SIZE - ETH_HLEN - 20,
    0,    0,
};

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "veth: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int
index_of(const char *name)
{
    int ifindex = if_nametoindex(name);

    if (!ifindex) {
        die(name);
    }
    return ifindex;
}

/* Flood. */

static int
load(const struct bpf_insn *insns, size_t n)
{
    int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "veth", "GPL", insns, n, NULL);

    if (fd < 0) {
        die("bpf_prog_load");
    }
    return fd;
}

#define INSN(CODE, DST, SRC, OFF, IMM)                                    \
    {                                                                     \
        .code = (CODE), .dst_reg = (DST), .src_reg = (SRC), .off = (OFF), \
        .imm = (IMM)                                                      \
    }

/* Counts what arrives at 'ifindex', and drops it. */
static volatile uint64_t *
attach_sink(int ifindex)
{
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
    int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "veth", 4, 8, 1, &opts);
    const struct bpf_insn insns[] = {
        INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_VALUE, 0, map),
        INSN(0, 0, 0, 0, 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 1),
        INSN(BPF_STX | BPF_DW | BPF_ATOMIC, 1, 2, 0, BPF_ADD),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_DROP),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    void *counter = mmap(NULL, 4096, PROT_READ, MAP_SHARED, map, 0);

    if (map < 0 || counter == MAP_FAILED) {
        die("map");
    }
    if (bpf_xdp_attach(ifindex, load(insns, sizeof insns / sizeof *insns),
                       XDP_FLAGS_DRV_MODE, NULL)) {
        die("bpf_xdp_attach");
    }
    return counter;
}

static void *
flood(void *ifindex_)
{
    int ifindex = *(int *) ifindex_;
    const struct bpf_insn insns[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, ifindex),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    struct xdp_md context = { .data_end = SIZE, .ingress_ifindex = ifindex };
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
                .data_size_in = SIZE, .ctx_in = &context,
                .ctx_size_in = sizeof context, .repeat = REPEAT,
                .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
    int fd = load(insns, sizeof insns / sizeof *insns);

    for (;;) {
        int error = bpf_prog_test_run_opts(fd, &opts);

        if (error && error != -EINTR && error != -EAGAIN) {
            errno = -error;
            die("BPF_PROG_TEST_RUN");
        }
    }
    return NULL;
}

static int
main_flood(const char *out, const char *sink)
{
    volatile uint64_t *counter = attach_sink(index_of(sink));
    int ifindex = index_of(out);
    pthread_t thread;
    char line[64];

    if (pthread_create(&thread, NULL, flood, &ifindex)) {
        die("pthread_create");
    }
    while (fgets(line, sizeof line, stdin)) {
        printf("%llu\n", (unsigned long long) *counter);
        fflush(stdout);
    }
    return 0;
}

/* Sockets. */

static int
open_device(const char *name)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET,
                               .sll_protocol = htons(ETH_P_ALL),
                               .sll_ifindex = index_of(name) };
    static const int one = 1, rcvbuf = RCVBUF;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

    if (fd < 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf)
        || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one)
        || bind(fd, (struct sockaddr *) &sll, sizeof sll)) {
        die(name);
    }
    return fd;
}

static int
compare(const void *a_, const void *b_)
{
    uint64_t a = *(const uint64_t *) a_, b = *(const uint64_t *) b_;

    return a < b ? -1 : a > b;
}

/* Sends number 'i'. */
static void
send_one(int fd, uint32_t i)
{
    memcpy(frame + SEQ_OFS, &i, sizeof i);
    send(fd, frame, sizeof frame, 0);
}

/* Receives what there is; times go to 'took' by number. */
static unsigned
receive(int fd, const uint64_t *sent, uint64_t *took, uint32_t n)
{
    uint8_t packet[SIZE];
    unsigned n_received = 0;
    uint32_t i;

    while (recv(fd, packet, sizeof packet, 0) == SIZE) {
        uint64_t now = now_ns();

        memcpy(&i, packet + SEQ_OFS, sizeof i);
        if (!memcmp(packet, frame, ETH_HLEN) && i < n && !took[i]) {
            took[i] = now - sent[i];
            n_received++;
        }
    }
    return n_received;
}

static int
main_latency(const char *out, const char *sink, uint32_t n, double gap_ns)
{
    uint64_t *sent = calloc(n, sizeof *sent), *took = calloc(n, sizeof *took);
    int out_fd = open_device(out), sink_fd = open_device(sink);
    uint32_t skip = n / 10, n_lost = 0, n_received = 0;
    uint64_t start = now_ns(), now, last;
    const uint64_t *p;

    for (uint32_t i = 0; i < n;) {
        now = now_ns();
        if (now >= start + i * gap_ns) {
            sent[i] = now;
            send_one(out_fd, i++);
        }
        n_received += receive(sink_fd, sent, took, n);
    }
    last = now_ns();
    while (n_received < n && now_ns() - last < LOST_NS) {
        n_received += receive(sink_fd, sent, took, n);
    }
    for (uint32_t i = skip; i < n; i++) {
        if (!took[i]) {
            n_lost++;
            took[i] = UINT64_MAX;
        }
    }
    qsort(took + skip, n - skip, sizeof *took, compare);
    p = took + skip;
    n -= skip + n_lost;
    if (!n) {
        printf("lost all\n");
        return 1;
    }
    printf("lost %u, us %.1f %.1f %.1f\n", n_lost, p[n / 2] / 1e3,
           p[n - 1 - n / 100] / 1e3, p[n - 1 - n / 1000] / 1e3);
    return 0;
}

static int
main_blast(const char *out, const char *sink, double secs)
{
    int out_fd = open_device(out), sink_fd = open_device(sink);
    struct iovec iov = { frame, sizeof frame };
    struct mmsghdr msgs[BURST];
    uint8_t packets[BURST][SIZE];
    struct iovec iovs[BURST];
    struct mmsghdr received[BURST];
    uint64_t start = now_ns(), n = 0;

    memset(msgs, 0, sizeof msgs);
    memset(received, 0, sizeof received);
    for (int i = 0; i < BURST; i++) {
        msgs[i].msg_hdr.msg_iov = &iov;
        msgs[i].msg_hdr.msg_iovlen = 1;
        iovs[i] = (struct iovec){ packets[i], SIZE };
        received[i].msg_hdr.msg_iov = &iovs[i];
        received[i].msg_hdr.msg_iovlen = 1;
    }
    while (now_ns() - start < secs * 1e9) {
        int got;

        sendmmsg(out_fd, msgs, BURST, 0);
        while ((got = recvmmsg(sink_fd, received, BURST, 0, NULL)) > 0) {
            n += got;
        }
    }
    printf("%.0f\n", n / secs);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "flood")) {
        return main_flood(argv[2], argv[3]);
    } else if (argc == 6 && !strcmp(argv[1], "latency")) {
        double pps = atof(argv[4]);

        return main_latency(argv[2], argv[3], pps * atof(argv[5]), 1e9 / pps);
    } else if (argc == 6 && !strcmp(argv[1], "first")) {
        return main_latency(argv[2], argv[3], atoi(argv[4]),
                            atof(argv[5]) * 1e6);
    } else if (argc == 5 && !strcmp(argv[1], "blast")) {
        return main_blast(argv[2], argv[3], atof(argv[4]));
    }
    fprintf(stderr, "usage: veth flood OUT SINK | latency OUT SINK PPS SECS | "
                    "first OUT SINK N MS | blast OUT SINK SECS\n");
    return 2;
}
