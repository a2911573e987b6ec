/* SPDX-License-Identifier: Apache-2.0 */

/* The random comparison: the same pipeline and packets through our compiled
 * tables, our slow path and stock Open vSwitch; outputs and counters must be
 * the same.
 *
 *   gen*.c     make a case (rules and packets) from a seed; rows of fields,
 *              kinds of masks and actions; what is known to differ is avoided
 *   ours.c     the first two engines, in this process
 *   stock.c    the third: an ovs-vswitchd with dummy ports, started by `run'
 *   conn.c     an OpenFlow connection to either, for groups and meters
 *   result.c   what an engine did with a case; comparison
 *   shrink.c   makes a failing case small and writes it as a replay folder
 *   random.c   main()
 *
 * One thread, no cleanup beyond what repeats: the process ends after it. */

#ifndef TESTS_RANDOM_RANDOM_H
#define TESTS_RANDOM_RANDOM_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/list.h"
#include "openvswitch/match.h"
#include "openvswitch/ofpbuf.h"

enum {
    RND_MAX_RULES = 200,
    RND_MAX_ACTIONS = 10,
    RND_MAX_PACKETS = 10,
    RND_MAX_PACKET = 512,
    RND_N_TABLES = 4,               /* That rules lead to at random. */
    RND_MAX_TABLES = 64,            /* Of a chain. */
    RND_N_PORTS = 4,                /* Ports 1 to 4. */
    RND_MAX_GROUPS = 4,             /* Groups 1 to 4. */
    RND_MAX_BUCKETS = 4,
    RND_MAX_METERS = 2,             /* Meters 1 and 2; nothing exceeds them. */
    RND_TO_CONTROLLER = 0xfffd      /* As an output: a packet-in. */
};

/* Kinds of masks. */
enum rnd_mask { RND_EXACT, RND_PREFIX, RND_BITS, RND_ONE_BIT, RND_N_MASKS };

struct rnd_action {
    int row;                        /* In rnd_action_name(). */
    char text[160];
};

struct rnd_rule {
    uint8_t table;
    uint16_t priority;
    uint64_t cookie;                /* Number in the case, from 1. */
    struct match match;
    uint64_t fields;                /* Rows of fields in 'match'. */
    uint32_t masks;                 /* Set of enum rnd_mask in it. */
    int proto;                      /* Which packets it may match. */
    int n_actions;
    struct rnd_action actions[RND_MAX_ACTIONS];
};

struct rnd_group {
    uint32_t id;
    char head[80];                  /* What stands before the buckets. */
    int n_buckets;
    char buckets[RND_MAX_BUCKETS][200];
};

struct rnd_packet {
    uint16_t in_port;
    size_t size;
    uint8_t data[RND_MAX_PACKET];
};

struct rnd_case {
    uint64_t seed;
    int n_rules, n_packets;
    struct rnd_rule rules[RND_MAX_RULES];
    struct rnd_packet packets[RND_MAX_PACKETS];
    int n_groups, n_meters;
    bool recirculates;              /* A group selects by dp_hash. */
    struct rnd_group groups[RND_MAX_GROUPS];
};

/* gen.c */
void rnd_generate(struct rnd_case *, uint64_t seed);
/* A flow_mod message that adds 'rule', or null if its actions do not go with
 * its match. */
struct ofpbuf *rnd_encode(const struct rnd_rule *);
/* The rule as a line of flows.txt, to be freed. */
char *rnd_rule_text(const struct rnd_rule *);
/* The group as a line of groups.txt, the meter as one of meters.txt. */
char *rnd_group_text(const struct rnd_group *);
char *rnd_meter_text(int id);
/* Whether an action of some rule or bucket has 'text' in it. */
bool rnd_any_action(const struct rnd_case *, const char *text);
const char *rnd_field_name(int row);    /* Null after the last one. */
const char *rnd_action_name(int row);
const char *rnd_mask_name(enum rnd_mask);

/* result.c */
struct rnd_output {
    int packet;                     /* Which one it came from. */
    uint16_t port;                  /* Or RND_TO_CONTROLLER. */
    uint16_t size;
    uint8_t *data;                  /* Owned. */
};

struct rnd_counts {
    uint64_t packets, bytes;
};

struct rnd_result {
    int current;                    /* Packet being run. */
    bool by_port;                   /* 'packet' of outputs is not known. */
    bool too_deep;                  /* A packet met too many resubmits. */
    size_t n_outputs, allocated;
    struct rnd_output *outputs;
    bool present[RND_MAX_RULES + 1]; /* By cookie: rule is in its table. */
    struct rnd_counts rules[RND_MAX_RULES + 1];
    uint64_t lookups[RND_MAX_TABLES], matches[RND_MAX_TABLES];
    /* Packets. */
    uint64_t groups[RND_MAX_GROUPS + 1];
    uint64_t buckets[RND_MAX_GROUPS + 1][RND_MAX_BUCKETS];
    uint64_t meters[RND_MAX_METERS + 1];
    char *error;                    /* The engine refused the case: why. */
};

void rnd_result_clear(struct rnd_result *);
void rnd_result_output(struct rnd_result *, uint16_t port, const void *data,
                       size_t size);
/* To be freed. */
char *rnd_hex(const void *data, size_t size);
/* Null if 'a' and 'b' are the same, else what differs, to be freed. */
char *rnd_compare(struct rnd_result *a, const char *a_name,
                  struct rnd_result *b, const char *b_name);

/* conn.c */
struct rnd_conn {
    struct vconn *vconn;
    int version;
    void (*pump)(void);         /* Runs a switch of this process, or null. */
};

void rnd_conn_open(struct rnd_conn *, const char *name, int version,
                   void (*pump)(void));
/* Sends what is in 'msgs', which becomes empty, and waits for a barrier.
 * Returns the first error's name, to be freed, or null. */
char *rnd_conn_send(struct rnd_conn *, struct ovs_list *msgs);
/* Replaces all groups and meters by those of the case. */
char *rnd_conn_set_up(struct rnd_conn *, const struct rnd_case *);
void rnd_conn_read_counters(struct rnd_conn *, struct rnd_result *);

/* ours.c */
void rnd_ours_init(void);
void rnd_ours_run(const struct rnd_case *, struct rnd_result *compiled,
                  struct rnd_result *slow);
/* Prints the compiled pipeline of the last case. */
void rnd_ours_show(void);
void rnd_ours_exit(void);

/* stock.c: 'dir' holds br0.mgmt, ovs-vswitchd.ctl and p<N>.pcap.
 *
 * Packets are received by ports, one after the other; or, many times faster,
 * all are sent at once by packet-outs to the tables.  The latter is one
 * resubmit deeper, and learns a MAC address after the packet only. */
void rnd_stock_init(const char *dir);
void rnd_stock_run(const struct rnd_case *, struct rnd_result *,
                   bool packet_out);

/* shrink.c: a function that says whether a case (still) fails; the text is to
 * be freed. */
typedef char *rnd_fails_fn(const struct rnd_case *);
void rnd_shrink(struct rnd_case *, rnd_fails_fn *);
/* Writes flows.txt, groups.txt, meters.txt, in.N.pcap, expect.N.pcap into
 * 'dir' (made). */
void rnd_write_replay(const struct rnd_case *, const struct rnd_result *,
                      const char *dir);

#endif /* tests/random/random.h */
