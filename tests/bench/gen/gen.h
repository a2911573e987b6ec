/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_GEN_H
#define TESTS_BENCH_GEN_H 1

/* Workloads: the rules of a switch and the packets that it is measured with.
 *
 * Usage: gen_open(), then the workload's function, which writes rules and
 * gives one packet for each of its flows, then gen_close(), which orders the
 * packets and writes them.  Files in the folder:
 *
 *     flows       for `ovs-ofctl add-flows'
 *     groups      for `ovs-ofctl add-groups'; absent if there are none
 *     in.pcap     60 bytes a packet (64 on a wire), checksums valid
 *
 * The same seed gives the same bytes on every machine.  Packets come in at
 * port 1; what is forwarded leaves through port 2.
 * Errors: a message, and the process ends. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    GEN_PACKET_SIZE = 60,
    GEN_MAX_PACKETS = 200000,   /* Open vSwitch's pool holds no more. */
    GEN_TCP = 6,
    GEN_UDP = 17
};

/* A packet; a flow of the workload.  Host byte order. */
struct gen_packet {
    uint64_t dl_dst, dl_src;    /* 48 bits. */
    uint32_t nw_src, nw_dst;
    uint16_t tp_src, tp_dst;
    uint8_t nw_proto;
};

struct gen {
    const char *folder;
    FILE *flows, *groups;
    uint64_t rng;
    struct gen_packet *packets;
    size_t n_packets, allocated;
};

/* What of a name follows its first '-': "l3-10k-100k" has 10000 and 100000. */
struct gen_args {
    uint64_t n[2];
    int n_n;
};

typedef void gen_fn(struct gen *, const struct gen_args *);

/* A workload: a row of workloads.def. */
struct gen_workload {
    const char *name;
    int n_args;
    gen_fn *fn;
};
extern const struct gen_workload gen_workloads[];
extern const size_t gen_n_workloads;

#define GEN(NAME, N_ARGS, FN) gen_fn FN;
#include "tests/bench/gen/workloads.def"
#undef GEN

void gen_open(struct gen *, const char *folder, uint64_t seed);
/* Writes the packets: one a flow, shuffled; or with 'zipf' as many as there
 * may be, flows drawn with a popularity of rank^-1.1. */
void gen_close(struct gen *, bool zipf);

void gen_fail(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));
uint64_t gen_random(struct gen *);
uint32_t gen_below(struct gen *, uint32_t limit);

/* A line of the files. */
void gen_flow(struct gen *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void gen_group(struct gen *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds a packet: random where a workload does not care, every second one UDP,
 * the others TCP. */
struct gen_packet *gen_add(struct gen *);

/* A locally administered unicast address for number 'i', not in order. */
uint64_t gen_mac(uint64_t i);
/* "02:00:00:00:00:01"; one of several buffers. */
const char *gen_mac_text(uint64_t mac);
const char *gen_ip_text(uint32_t ip);

/* Prefixes with lengths as on the Internet (58% /24, 11% /22, 8% each /23 and
 * /16, 5% each /21 and /20, 3% /19, 2% /18), all different. */
struct gen_prefix {
    uint32_t ip;
    int len;
};
struct gen_prefix *gen_prefixes(struct gen *, size_t n);
/* A random address in it. */
uint32_t gen_inside(struct gen *, struct gen_prefix);

/* packet.c: the bytes of 'p'. */
void gen_packet_bytes(const struct gen_packet *p,
                      uint8_t bytes[GEN_PACKET_SIZE]);

#endif /* tests/bench/gen/gen.h */
