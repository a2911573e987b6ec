/* SPDX-License-Identifier: Apache-2.0 */

/* The datapath as the control plane (ofproto/) sees it.
 *
 * One `struct dp` a process: workers, ports, bridges, counters, drop
 * accounting and the rings to the main thread.  A bridge is a slot page of
 * programs plus the ports that enter it; the datapath knows nothing of
 * OpenFlow rules.
 *
 * Threads: every function here is for the main thread (the one that runs
 * ofproto), except where it says 'worker'.  Workers read what the main
 * thread publishes: with release stores, freed after quiescence (ovs-rcu).
 *
 * Modes: DP_THREADED starts worker threads; with DP_INLINE (bvs-replay, and
 * ports whose netdev is not a PMD when dummies are enabled) dp_run() polls
 * ports from the main thread.
 *
 * Errors: 0 or a negative errno. */

#ifndef DATAPATH_DP_H
#define DATAPATH_DP_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "datapath/abi.h"

struct ds;
struct dp;
struct dp_bridge;
struct dp_port;
struct dp_packet;
struct flow;
struct netdev;
struct netdev_stats;
struct ofpbuf;
struct json;
struct smap;
struct vm_prog;
struct vm_prog_type;
struct vm_slots;

/* Life. */

enum dp_mode {
    DP_THREADED,
    DP_INLINE
};

/* What a worker handed to the main thread.  'packet' is owned by the upcall,
 * its bytes as they are at that point of the pipeline; 'flow' holds key and
 * metadata (in_port: the OpenFlow number).  'data' is a copy of the block
 * given to the helper CONTROLLER, or null: then an output to OFPP_CONTROLLER
 * whose port was known at run time only made the upcall, and arg[0] is the
 * number of bytes to send (0: all).
 *
 * arg[] of MAC_LEARN and MCAST is the caller's of dp_ctx_upcall().  Of the
 * others it is 0 but for CONTROLLER above, and arg[1] of CONTROLLER, which is
 * 1 when the action was executed in the action set. */
enum dp_upcall_kind {
#define DP_UPCALL(NAME, SHARE, TEXT) DP_UPCALL_##NAME,
#include "datapath/upcalls.def"
#undef DP_UPCALL
    DP_N_UPCALLS
};

struct dp_upcall {
    enum dp_upcall_kind kind;
    struct dp_bridge *bridge;
    struct dp_packet *packet;       /* Null for kinds without a packet. */
    struct flow *flow;
    uint32_t flow_id;               /* DP_HIT_FLOW of the rule, or
                                     * DP_FLOW_NONE.  May be stale. */
    uint64_t cookie;                /* Owner's cookie of that flow at the
                                     * time (dp_flow_alloc()). */
    uint8_t table_id;
    uint32_t arg[4];                /* Meaning by kind. */
    const void *data;
    size_t data_size;
};

/* Called from dp_run() in the main thread for each upcall; the callee
 * borrows the upcall for the duration of the call and may take 'packet' by
 * setting it to null. */
typedef void dp_upcall_cb(struct dp_upcall *, void *aux);

int dp_create(enum dp_mode, struct dp **);
/* No bridge may be left. */
void dp_destroy(struct dp *);

/* With dummies enabled, as in Open vSwitch: ports whose netdev is not a PMD
 * are polled by dp_run() even with DP_THREADED, and what a burst handed up
 * is handled before the next burst.  Call it before the first port. */
void dp_set_poll_non_pmd_in_main(struct dp *, bool);
void dp_set_upcall_cb(struct dp *, enum dp_upcall_kind, dp_upcall_cb *,
                      void *aux);

/* Polls inline ports, drains the rings fairly, reaps.  Returns true if
 * there is more to do at once. */
bool dp_run(struct dp *);
void dp_wait(struct dp *);

/* Waits until no worker uses what was unpublished before the call. */
void dp_synchronize(struct dp *);

/* Workers, and who gets which queue, by Open_vSwitch's other_config, with Open
 * vSwitch's keys: pmd-cpu-mask (a worker on each of these cores; without it
 * one, anywhere), pmd-rxq-assign, pmd-rxq-isolate, pmd-maxsleep; and
 * worker-mode=adaptive|poll.  Does nothing if none of them changed. */
void dp_set_config(struct dp *, const struct smap *other_config);

/* The same without text, for tests: workers on 'n' different cores, or -1
 * for anywhere.  0 or -E2BIG. */
int dp_set_workers(struct dp *, const int cores[], size_t n);

/* Bridges. */

int dp_bridge_create(struct dp *, const char *name, void *aux,
                     struct dp_bridge **);
void dp_bridge_destroy(struct dp_bridge *);
void *dp_bridge_aux(const struct dp_bridge *);
const char *dp_bridge_name(const struct dp_bridge *);
struct dp_bridge_conf *dp_bridge_conf(struct dp_bridge *);
/* From now on each packet starts when the one before it has ended, because
 * what one does decides what happens to the next (learn).  Any thread. */
void dp_bridge_set_in_turn(struct dp_bridge *);

/* Slot pages: DP_N_SLOTS programs, all null at first.  A page holds a
 * reference to each of its programs; dp_slots_set() takes one, and gives
 * back that of the program it replaces.  It is one store for workers, so a
 * page may be extended while they run it.  A page has references itself;
 * the last unref frees it after quiescence. */
struct vm_slots *dp_slots_create(void);
void dp_slots_unref(struct vm_slots *);
void dp_slots_set(struct vm_slots *, uint32_t slot, struct vm_prog *);

/* Publishes a new slot page and takes the caller's reference to it; gives
 * back that of the old one.  Publish slots before the version that needs
 * them: a worker that meets the version meets the slots. */
void dp_bridge_set_slots(struct dp_bridge *, struct vm_slots *);
/* Tells which program, when it is the one in slot DP_SLOT_PARSE, means that no
 * program of the bridge looks at anything of a packet but its input port. */
void dp_bridge_set_blind(struct dp_bridge *, const struct vm_prog *);
struct vm_slots *dp_bridge_slots(const struct dp_bridge *);
/* Puts 'prog' into a slot of the published page, as dp_slots_set() does, with
 * taps in mind (tap.h).  Any thread. */
void dp_bridge_set_slot(struct dp_bridge *, uint32_t slot, struct vm_prog *);

/* Publishes the tables version: one release store.  Packets received after
 * it returns meet version 'version'. */
void dp_bridge_set_version(struct dp_bridge *, uint64_t version);

/* The program type of generated programs: context members, helpers. */
const struct vm_prog_type *dp_bridge_prog_type(void);

/* Ports.  'ofp_port' is the OpenFlow number in 'bridge'. */

enum dp_port_flags {
    DP_PORT_NO_RECV = 1 << 0,       /* OFPPC_NO_RECV. */
    DP_PORT_NO_RECV_STP = 1 << 1,
    DP_PORT_NO_FWD = 1 << 2,
    DP_PORT_NO_FLOOD = 1 << 3,
    DP_PORT_NO_PACKET_IN = 1 << 4,
    DP_PORT_DOWN = 1 << 5,          /* OFPPC_PORT_DOWN. */
    DP_PORT_DEAD = 1 << 6,          /* Link is down, BFD, CFM...: not live. */
    DP_PORT_BLOCKED = 1 << 7,       /* By spanning tree: neither what it
                                     * receives nor what it would send
                                     * leaves. */
    DP_PORT_NO_LEARN = 1 << 9,      /* ...nor is it learned from. */
    DP_PORT_INGRESS = 1 << 8,       /* dp_set_ingress() wants to see what is
                                     * received. */
};

struct dp_port_stats {
    uint64_t rx_packets, rx_bytes, rx_dropped;
    uint64_t tx_packets, tx_bytes, tx_dropped;
};

/* Takes a reference to 'netdev'.  When it returns, packets flow. */
int dp_port_add(struct dp_bridge *, struct netdev *, uint32_t ofp_port,
                struct dp_port **);
/* When it returns, no thread uses the port or its netdev. */
void dp_port_del(struct dp_port *);
void dp_port_set_flags(struct dp_port *, uint32_t flags);
void dp_port_set_ofp_port(struct dp_port *, uint32_t ofp_port);
/* 'netdev' replaces the port's (ofproto's port_modified). */
int dp_port_set_netdev(struct dp_port *, struct netdev *);
/* The quality of service of the port's netdev may have changed. */
void dp_port_qos_changed(struct dp_port *);
struct netdev *dp_port_netdev(const struct dp_port *);
void dp_port_get_stats(const struct dp_port *, struct dp_port_stats *);
uint32_t dp_port_ofp_port(const struct dp_port *);
/* The device of 'netdev' stays when the process ends (dp_destroy()), although
 * 'netdev' is closed before: for the next one, with its addresses. */
void dp_keep_device(const struct netdev *);
struct dp_port *dp_port_lookup(const struct dp_bridge *, uint32_t ofp_port);

/* By Interface's other_config: pmd-rxq-affinity.  0 or -EINVAL. */
int dp_port_set_config(struct dp_port *, const struct smap *other_config);

/* What the patch port 'port' outputs is received by 'peer', a patch port of
 * any bridge; null: is dropped.  To be called with null before the peer
 * goes. */
void dp_port_set_peer(struct dp_port *port, struct dp_port *peer);

/* Sends 'packet' (owned by the callee) out of 'port' from the main thread:
 * packet-out and slow path.  Counts as that port's transmission. */
void dp_port_send(struct dp_port *, struct dp_packet *);
/* The same from any thread that is sure that the port stays.  False, and the
 * packet is still the caller's, for kinds of port that only workers and the
 * main thread can send on. */
bool dp_port_send_directly(struct dp_port *, struct dp_packet *);

/* Runs 'packet' (owned) through 'bridge' in the main thread as if received
 * on 'ofp_port' (packet-out to OFPP_TABLE outside a bundle, tests, trace). */
void dp_bridge_inject(struct dp_bridge *, struct dp_packet *,
                      uint32_t ofp_port);

/* Flows: an immutable block of parameters for action programs, and counters.
 *
 * Counters have an identity of their own, so that a modified flow (a new
 * block) keeps them: dp_flow_alloc() takes a reference to 'counters'. */

#define DP_FLOW_NONE UINT32_MAX
#define DP_COUNTERS_NONE UINT32_MAX     /* Nothing is counted. */

struct dp_flow_attr {
    const void *params;             /* Copied. */
    size_t params_size;             /* Multiple of 8. */
    uint32_t counters;              /* From dp_counters_alloc(). */
    void *owner;                    /* dp_ctx_owner(); may be null. */
    uint64_t cookie;                /* Owner's tag, shown by drop/show:
                                     * the OpenFlow cookie. */
    uint8_t table_id;
    bool is_bucket;                 /* Has no cookie of its own: that of the
                                     * rule which led to it counts. */
};

/* Returns DP_FLOW_NONE when the table of flows is full. */
uint32_t dp_flow_alloc(struct dp *, const struct dp_flow_attr *);
/* Whether 'flow' was allocated with the attributes 'attr', parameters aside;
 * the same flow, with its parameters and those attributes, once more. */
bool dp_flow_is(const struct dp *, uint32_t flow, const struct dp_flow_attr *);
uint32_t dp_flow_copy(struct dp *, uint32_t flow, const struct dp_flow_attr *);
/* Replaces the parameters of a flow that no program has been able to see. */
void dp_flow_write(struct dp *, uint32_t flow, const void *params,
                   size_t params_size);
/* Deferred until no worker can hold 'flow'. */
void dp_flow_free(struct dp *, uint32_t flow);

struct dp_counts {
    uint64_t packets, bytes;
    long long int used;             /* time_msec() of the last packet, or 0. */
};

uint32_t dp_counters_alloc(struct dp *);
void dp_counters_ref(struct dp *, uint32_t counters);
void dp_counters_unref(struct dp *, uint32_t counters);
/* Sum over workers. */
void dp_counters_read(const struct dp *, uint32_t counters,
                      struct dp_counts *);
/* For packets the slow path handled. */
void dp_counters_add(struct dp *, uint32_t counters, uint64_t packets,
                     uint64_t bytes);

/* Meters: numbers of the whole datapath.  They take effect at once, also for
 * packets of a burst that is under way. */

enum { DP_MAX_METERS = 65536, DP_MAX_METER_BANDS = 8 };
#define DP_METER_NONE UINT32_MAX

struct dp_meter_band {
    uint32_t rate;                  /* Packets or kilobits a second. */
    uint32_t burst;                 /* Packets or kilobits; 0: one second's. */
    uint8_t prec_level;             /* 0: drops; else raises the drop
                                     * precedence of IP by so much. */
};

struct dp_meter_attr {
    bool per_packet;                /* Rates are packets, else kilobits. */
    uint32_t n_bands;               /* At most DP_MAX_METER_BANDS. */
    struct dp_meter_band bands[DP_MAX_METER_BANDS];
};

/* Sets '*meter', or makes one if that is DP_METER_NONE, with full buckets
 * and its counts at 0.  -EDOM: a rate is 0; -ENOSPC: too many meters. */
int dp_meter_set(struct dp *, uint32_t *meter, const struct dp_meter_attr *);
/* Workers that still name it let packets pass. */
void dp_meter_del(struct dp *, uint32_t meter);

struct dp_meter_counts {
    uint64_t packets, bytes;        /* That came to it. */
    uint32_t n_bands;
    struct {
        uint64_t packets, bytes;    /* That the band acted on. */
    } bands[DP_MAX_METER_BANDS];
};
/* Sum over workers.  -ENOENT. */
int dp_meter_get(const struct dp *, uint32_t meter,
                 struct dp_meter_counts *);
/* For the main thread: counts a packet of 'size' bytes; false if it is to be
 * dropped. */
bool dp_meter_admit(struct dp *, uint32_t meter, uint32_t size);

/* Per-table lookups and matches of a bridge (OpenFlow table stats). */
void dp_table_counts(const struct dp_bridge *, uint8_t table_id,
                     uint64_t *lookups, uint64_t *matches);
void dp_table_count(struct dp_bridge *, uint8_t table_id, bool match);

/* Drops: why packets ended without an output. */

enum dp_drop_reason {
#define DP_DROP(NAME, TEXT) DP_DROP_##NAME,
#include "datapath/drop-reasons.def"
#undef DP_DROP
    DP_N_DROPS
};

/* Why, and by which rule, a packet is dropped. */
struct dp_drop_cause {
    enum dp_drop_reason reason;
    uint8_t table_id;
    uint64_t cookie;
};

/* The row's name in drop-reasons.def in lower case, and its text. */
const char *dp_drop_name(enum dp_drop_reason);
const char *dp_drop_text(enum dp_drop_reason);

/* Appends the rows 'reason, table, cookie, packets' of 'bridge' (null: all)
 * to 'out' as text, or as JSON.  drop/show prints them.
 *
 * The rows of TX_FULL count copies that a port did not take, after the
 * packet was accounted as forwarded; all other rows count packets, and their
 * sum is dp_totals.dropped plus what dp_drop_count() added. */
void dp_drops_format(const struct dp *, const struct dp_bridge *,
                     struct ds *out);
struct json *dp_drops_json(const struct dp *, const struct dp_bridge *);
/* 'packet': that of port 'in_port' which is dropped, or null. */
void dp_drop_count(struct dp_bridge *, const struct dp_drop_cause *,
                   const struct dp_packet *packet, uint32_t in_port);

/* Conservation: received = forwarded + to_main + dropped + in_flight, once
 * workers are quiescent. */
struct dp_totals {
    uint64_t received;              /* From ports, and injected. */
    uint64_t forwarded;             /* Ended with at least one output. */
    uint64_t to_main;               /* Ended only in an upcall, handled. */
    uint64_t dropped;               /* Ended with a drop reason. */
    uint64_t in_flight;             /* Ended only in an upcall, in a ring. */
    uint64_t buffers;               /* Packet buffers now alive. */
    uint64_t upcalls_lost;          /* Not queued because a ring was full;
                                     * their packets count above. */
};
void dp_get_totals(const struct dp *, struct dp_totals *);

/* Metrics as OpenMetrics 1.0 has them.  A family, by its name without the
 * "_total" of a counter's samples, then its samples: name, value, and pairs of
 * a label's name and value up to a null.  dp_metrics_format() appends the
 * families of workers, drops and upcalls. */
void dp_metric_family(struct ds *, const char *name, const char *type,
                      const char *help);
void dp_metric(struct ds *, const char *name, uint64_t value, ...)
    __attribute__((sentinel));
void dp_metrics_format(const struct dp *, struct ds *);

/* Coverage of limits: a helper of ofproto/ that runs on workers (NORMAL)
 * registers itself here, before the first bridge is created. */
typedef uint64_t dp_helper_fn(struct dp_ctx *);
void dp_set_normal(dp_helper_fn *);

/* Natives: functions of ofproto/ that programs call through the helpers
 * NATIVE and LOOKUP, by their index in 'fns' (kept; may have nulls), for
 * actions that are not worth code of their own.  'block' is in the flow's
 * parameters.  Before the first bridge is created. */
typedef uint64_t dp_native_fn(struct dp_ctx *, const void *block,
                              size_t size);
void dp_set_natives(dp_native_fn *const fns[], size_t n);

/* For functions that run on workers: natives and ofproto/normal.c. */

/* The opposite of dp_ctx_flow(); 'dirty' is what has changed (DP_DIRTY_*). */
void dp_ctx_set_flow(struct dp_ctx *, const struct flow *, uint32_t dirty);
/* The stack of OpenFlow's push and pop actions. */
struct ofpbuf *dp_ctx_stack(struct dp_ctx *);
/* 'owner' of the flow whose actions run, or null. */
void *dp_ctx_owner(const struct dp_ctx *);
/* Brings the packet's bytes up to date.  0 or a negative errno. */
int dp_ctx_commit(struct dp_ctx *);
/* From now on headers are remembered rather than read from the packet: call
 * it before headers are added or removed in the key. */
int dp_ctx_rebase(struct dp_ctx *);
/* What the next commit does beside changing fields (after rebase):
 * 'encap_data' (owned) is NSH metadata, or null. */
void dp_ctx_will_encap(struct dp_ctx *, struct ofpbuf *encap_data);
void dp_ctx_will_decap(struct dp_ctx *);
/* Parses the packet anew, metadata stay. */
void dp_ctx_reparse(struct dp_ctx *);
/* Bytes of the packet, as committed, without what pads it. */
uint32_t dp_ctx_packet_len(struct dp_ctx *);
/* Ends the packet without any output. */
void dp_ctx_fatal(struct dp_ctx *, enum dp_drop_reason);
/* This worker's next packet meets the version that is published then, if the
 * bridge's packets run in turn. */
void dp_ctx_relatch(struct dp_ctx *);
/* To any port number, also reserved ones; at most 'max_len' bytes (0: all). */
void dp_ctx_output_any(struct dp_ctx *, uint32_t ofp_port, uint32_t max_len);
/* The lookup has found that fragment handling drops the packet; it then
 * misses. */
void dp_ctx_drop_fragment(struct dp_ctx *);
/* Of the remembered headers the labels are payload now. */
void dp_ctx_clear_base_mpls(struct dp_ctx *);
/* For controller(pause): the remainders that are pending, up to a clone or a
 * bucket, innermost first; then what is in the action set.  False at their
 * end. */
struct dp_pending {
    void *owner;                    /* Of the flow, or null. */
    uint64_t cookie;
    unsigned int number;            /* Of the action before it. */
    uint8_t table_id;
};
bool dp_ctx_pending(const struct dp_ctx *, size_t i, struct dp_pending *);
bool dp_ctx_written(const struct dp_ctx *, size_t i, enum dp_aset_kind *,
                    void **owner);
/* Gives them up. */
void dp_ctx_abandon(struct dp_ctx *);
/* Cookie of the rule whose actions run. */
uint64_t dp_ctx_cookie(const struct dp_ctx *);
/* DP_UPCALL_CONTROLLER with 'data'. */
void dp_ctx_controller(struct dp_ctx *, const void *data, size_t size);
/* False if the bridge has no such port. */
bool dp_ctx_port_flags(const struct dp_ctx *, uint32_t ofp_port,
                       uint32_t *flags);

/* Who sees the packets of ports with DP_PORT_INGRESS before their bridge does
 * (on workers).  The context has no key yet: dp_ctx_parse() makes it.  Returns
 * true if that was all: the packet ends here, by an upcall or a drop.  What it
 * outputs, it outputs in the packet's name; other changes are forgotten. */
typedef bool dp_ingress_fn(struct dp_ctx *);
void dp_set_ingress(dp_ingress_fn *);
void dp_ctx_parse(struct dp_ctx *);

/* Who sees each output to a port, after it was queued, in bridges whose
 * configuration says so ('watch_outputs').  May output more. */
typedef void dp_egress_fn(struct dp_ctx *, uint32_t ofp_port);
void dp_set_egress(dp_egress_fn *);

/* time_msec() when the packet's burst was received. */
long long int dp_ctx_now_ms(const struct dp_ctx *);

/* Which worker runs the packet: less than DP_MAX_WORKER_IDS. */
enum { DP_MAX_WORKER_IDS = 64 };
unsigned dp_ctx_worker(const struct dp_ctx *);

/* The packet must have no effect: nothing may be learned from it. */
bool dp_ctx_is_dry(const struct dp_ctx *);

/* A word of theirs that lives as long as the packet, 0 at first. */
uint32_t *dp_ctx_tag(struct dp_ctx *);

/* GROUP: chooses buckets of the group and starts them with
 * dp_ctx_run_buckets(); returns the slot to go to.  To be registered like
 * NORMAL. */
typedef uint32_t dp_group_fn(struct dp_ctx *, uint32_t group_id,
                             uint32_t rest);
void dp_set_group(dp_group_fn *);

/* A bucket: a program that begins with PARAMS rather than HIT, and what
 * counts its packets (DP_COUNTERS_NONE: nothing). */
struct dp_bucket {
    uint64_t hit;                   /* DP_HIT(slot, flow). */
    uint32_t counters;
};

/* Runs the packet through each of the 'n' buckets, as it is now, then goes on
 * with slot 'rest' as if nothing had happened to it.  'buckets' must stay
 * until the worker is quiescent.  Returns the slot to go to. */
uint32_t dp_ctx_run_buckets(struct dp_ctx *, const struct dp_bucket *,
                            size_t n, uint32_t rest);
/* Counts the packet on 'counters'. */
void dp_ctx_count(struct dp_ctx *, uint32_t counters);
/* False if the packet was dropped because it went through too many tables or
 * groups. */
bool dp_ctx_may_go_deeper(struct dp_ctx *);
/* Its headers and metadata as actions have made them. */
void dp_ctx_flow(const struct dp_ctx *, struct flow *);

/* Makes the header that 'packet' ends in (ARP, NSH) what it is in 'base':
 * libopenvswitch would write it past the packet's end. */
void dp_flow_leave_cut(struct flow *, const struct flow *base,
                       const struct dp_packet *packet);

/* Outputs the packet as it is now to 'ofp_port'. */
void dp_ctx_output(struct dp_ctx *, uint32_t ofp_port);
/* The same, at most 'max_len' bytes of it (0: all). */
void dp_ctx_output_cut(struct dp_ctx *, uint32_t ofp_port, uint32_t max_len);
/* The same with the VLAN tag changed for this output only: 'tci' in host
 * order, 0 for no tag, TPID 0x8100 kept or added. */
void dp_ctx_output_vlan(struct dp_ctx *, uint32_t ofp_port, uint16_t tci);
/* The drop reason that counts if the packet ends without an output. */
void dp_ctx_drop(struct dp_ctx *, enum dp_drop_reason);
struct dp_bridge *dp_ctx_bridge(const struct dp_ctx *);
/* Queues an upcall without a packet ('kind' with 'arg'), or with a copy of
 * the packet; returns false (and counts) when the ring is full. */
bool dp_ctx_upcall(struct dp_ctx *, enum dp_upcall_kind,
                   const uint32_t arg[4], bool with_packet);

#endif /* datapath/dp.h */
