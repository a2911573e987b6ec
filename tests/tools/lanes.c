/* SPDX-License-Identifier: Apache-2.0 */

/* Numbered packets through a switch: none may get lost, doubled, reordered or
 * changed.
 *
 *   lanes WINDOW IN:OUT...
 *
 * Each lane sends from device IN what must come out of device OUT.  At most
 * WINDOW packets of a lane are under way, so no queue overflows however slow
 * the switch is, and a lost packet shows by the lane standing still.
 *
 * Lines of standard input: "pause" stops sending and answers, when all lanes
 * have everything back, "paused PACKETS SLOWEST_US" (packets so far, and the
 * longest that one was under way since the last pause); "go" goes on.  At the
 * end of the input it pauses and ends.  Exit status 1 after a line "lane N:
 * what is wrong". */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_LANES = 32,
    BURST = 32,
    MIN_SIZE = 60,
    MAX_SIZE = 1514,
    STALL_MS = 60000, /* A slow machine is no lost packet. */
    RCVBUF = 1 << 20
};

/* As it is on the wire: IPv4 and UDP, so that the switch parses it. */
struct frame {
    uint8_t eth_dst[6], eth_src[6];
    uint16_t eth_type;
    uint8_t ip_version, ip_tos;
    uint16_t ip_len, ip_id, ip_frag;
    uint8_t ip_ttl, ip_proto;
    uint16_t ip_sum;
    uint8_t ip_src[4], ip_dst[4];
    uint16_t udp_src, udp_dst, udp_len, udp_sum;
    uint32_t lane, number;
    uint8_t filler[MAX_SIZE - 50];
} __attribute__((packed));
_Static_assert(sizeof(struct frame) == MAX_SIZE, "the largest frame");

struct lane {
    int in, out;
    uint32_t sent, received;
    uint64_t last_ns;  /* When something came, or sending began. */
    uint64_t *sent_ns; /* WINDOW of them, by number. */
};

static struct lane lanes[MAX_LANES];
static unsigned n_lanes, window;
static uint64_t slowest_ns;

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void __attribute__((noreturn)) die(const char *what, const char *of)
{
    fprintf(stderr, "lanes: %s %s: %s\n", what, of, strerror(errno));
    exit(2);
}

static void __attribute__((noreturn))
wrong(unsigned i, const char *what, uint32_t number)
{
    printf("lane %u: packet %u: %s (%u sent, %u received)\n", i, number, what,
           lanes[i].sent, lanes[i].received);
    fflush(stdout);
    exit(1);
}

static int
open_device(const char *name, uint16_t protocol)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET,
                               .sll_protocol = htons(protocol),
                               .sll_ifindex = if_nametoindex(name) };
    static const int one = 1, rcvbuf = RCVBUF;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

    if (fd < 0 || !sll.sll_ifindex
        || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf)
        || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one)
        || bind(fd, (struct sockaddr *) &sll, sizeof sll)) {
        die("device", name);
    }
    return fd;
}

static uint16_t
ip_sum(const struct frame *frame)
{
    const uint8_t *bytes = (const uint8_t *) frame + ETH_HLEN;
    uint32_t sum = 0;

    for (int i = 0; i < 20; i += 2) {
        sum += bytes[i] << 8 | bytes[i + 1];
    }
    sum = (sum >> 16) + (sum & 0xffff);
    return htons(~(sum + (sum >> 16)));
}

/* Makes packet 'number' of lane 'i'; returns its size. */
static size_t
make(struct frame *frame, unsigned i, uint32_t number)
{
    uint32_t x = (number + 1) * 2654435761u ^ i * 40503u;
    size_t size = number % 7 ? MIN_SIZE : MIN_SIZE + x % (MAX_SIZE - MIN_SIZE);

    memset(frame, 0, sizeof *frame);
    memcpy(frame->eth_dst, "\2\0\0\0\1", 5);
    memcpy(frame->eth_src, "\2\0\0\0\2", 5);
    frame->eth_dst[5] = frame->eth_src[5] = i;
    frame->eth_type = htons(ETHERTYPE_IP);
    frame->ip_version = 0x45;
    frame->ip_len = htons(size - ETH_HLEN);
    frame->ip_id = htons(number);
    frame->ip_ttl = 64;
    frame->ip_proto = 17;
    memcpy(frame->ip_src, "\12\0\0\1", 4);
    memcpy(frame->ip_dst, "\12\0\0\2", 4);
    frame->ip_dst[2] = i;
    frame->udp_src = htons(1024 + number % 4096);
    frame->udp_dst = htons(2000 + i);
    frame->udp_len = htons(size - ETH_HLEN - 20);
    frame->lane = htonl(i);
    frame->number = htonl(number);
    frame->ip_sum = ip_sum(frame);
    for (size_t j = 0; j < size - 50; j++) {
        frame->filler[j] = x >> j % 24;
    }
    return size;
}

/* Returns whether something was sent. */
static bool
send_some(unsigned i)
{
    struct lane *lane = &lanes[i];
    unsigned n = 0;

    while (n < BURST && lane->sent - lane->received < window) {
        struct frame frame;
        size_t size = make(&frame, i, lane->sent);

        if (send(lane->in, &frame, size, 0) < 0) {
            if (errno != EAGAIN && errno != ENOBUFS) {
                die("sending", "a packet");
            }
            break;
        }
        if (lane->sent == lane->received) {
            lane->last_ns = now_ns();
        }
        lane->sent_ns[lane->sent++ % window] = now_ns();
        n++;
    }
    return n > 0;
}

/* Returns whether something came. */
static bool
receive_some(unsigned i)
{
    struct lane *lane = &lanes[i];
    unsigned n = 0;

    while (n < BURST) {
        struct frame frame, want;
        ssize_t size = recv(lane->out, &frame, sizeof frame, 0);
        uint32_t number;
        uint64_t now;

        if (size < 0) {
            break;
        } else if (size < 50 || frame.eth_src[5] != i
                   || memcmp(frame.eth_src, "\2\0\0\0\2", 5)) {
            continue; /* Another lane that ends there. */
        }
        n++;
        number = ntohl(frame.number);
        if (number != lane->received) {
            wrong(i,
                  number - lane->received < window
                      ? "came, but one before it did not"
                      : "came twice or late",
                  number);
        } else if ((size_t) size != make(&want, i, number)
                   || memcmp(&frame, &want, size)) {
            wrong(i, "came with other bytes", number);
        }
        now = now_ns();
        if (now - lane->sent_ns[number % window] > slowest_ns) {
            slowest_ns = now - lane->sent_ns[number % window];
        }
        lane->last_ns = now;
        lane->received++;
    }
    return n > 0;
}

static bool
all_back(void)
{
    for (unsigned i = 0; i < n_lanes; i++) {
        if (lanes[i].received != lanes[i].sent) {
            return false;
        }
    }
    return true;
}

static void
look_for_stalls(void)
{
    uint64_t now = now_ns();

    for (unsigned i = 0; i < n_lanes; i++) {
        if (lanes[i].received != lanes[i].sent
            && now - lanes[i].last_ns > STALL_MS * 1000000ull) {
            wrong(i, "did not come", lanes[i].received);
        }
    }
}

/* Waits for a packet or a command. */
static void
wait(bool sending)
{
    struct pollfd fds[MAX_LANES + 1] = { { .fd = 0, .events = POLLIN } };

    for (unsigned i = 0; i < n_lanes; i++) {
        fds[i + 1] = (struct pollfd){ lanes[i].out, POLLIN, 0 };
    }
    poll(fds, n_lanes + 1, sending || !all_back() ? 100 : 1000);
}

/* Reads a command if there is one: 'p', 'g', 'e' (end) or 0. */
static char
command(void)
{
    struct pollfd fd = { .fd = 0, .events = POLLIN };
    static char line[16];
    ssize_t n;

    if (poll(&fd, 1, 0) <= 0) {
        return 0;
    }
    n = read(0, line, sizeof line);
    return n <= 0 ? 'e' : line[0];
}

static void
loop(void)
{
    bool sending = true, answer = false, end = false;

    while (!end || !all_back()) {
        bool busy = false;
        char c = end ? 0 : command();

        if (c == 'p' || c == 'e') {
            sending = false;
            answer = c == 'p';
            end = c == 'e';
        } else if (c == 'g') {
            sending = true;
        }
        for (unsigned i = 0; i < n_lanes; i++) {
            busy |= sending && send_some(i);
            busy |= receive_some(i);
        }
        if (answer && all_back()) {
            uint64_t n = 0;

            for (unsigned i = 0; i < n_lanes; i++) {
                n += lanes[i].received;
            }
            printf("paused %llu %llu\n", (unsigned long long) n,
                   (unsigned long long) slowest_ns / 1000);
            fflush(stdout);
            answer = false;
            slowest_ns = 0;
        }
        if (!busy) {
            look_for_stalls();
            wait(sending);
        }
    }
}

int
main(int argc, char *argv[])
{
    if (argc < 3 || argc - 2 > MAX_LANES || atoi(argv[1]) < 1) {
        fprintf(stderr, "usage: lanes WINDOW IN:OUT...\n");
        return 2;
    }
    window = atoi(argv[1]);
    for (int i = 2; i < argc; i++) {
        struct lane *lane = &lanes[n_lanes++];
        char *out = strchr(argv[i], ':');

        if (!out) {
            die("not IN:OUT:", argv[i]);
        }
        *out++ = '\0';
        lane->in = open_device(argv[i], 0);
        lane->out = open_device(out, ETH_P_IP);
        lane->sent_ns = calloc(window, sizeof *lane->sent_ns);
    }
    loop();
    return 0;
}
