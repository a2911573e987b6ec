/* SPDX-License-Identifier: Apache-2.0 */

/* Packets' run through their bridge: what the helpers keep beside the context
 * (`dp_ctx.cold`).
 *
 * Bursts: each packet of a burst has a context and a `struct dp_cold` of its
 * own, because a program that yields lets the others run before it goes on.
 * What packets leave behind is handed over in the order in which they came.
 *
 * Buffers: the packet starts as buffer 0.  Outputs and saved contexts refer
 * to buffers by index; a commit that would change the bytes of a buffer that
 * somebody refers to works on a copy, which becomes the context's packet.
 * When the packet has ended, each output takes its buffer: the last one of a
 * buffer moves it, the others clone.
 *
 * Ownership: belongs to a worker, empty between packets.
 * Threads: its worker. */

#ifndef DATAPATH_RUN_H
#define DATAPATH_RUN_H 1

#include <stdbool.h>
#include <stdint.h>
#include "datapath/abi.h"
#include "datapath/ctx.h"
#include "datapath/dp.h"
#include "flow.h"
#include "openvswitch/ofpbuf.h"

struct dp_upcall_node;
struct dp_worker;

enum {
    DP_MAX_FRAMES = 4096,       /* Pending remainders. */
    DP_MAX_DEPTH = 64,          /* Levels of backward resubmits. */
    DP_MAX_RESUBMITS = 4096,    /* Lookups by resubmit and goto_table. */
    DP_ASET_MAX_SETS = 256,     /* Contributions of kind DP_ASET_SET. */
    DP_MAX_STACK = 65536        /* Bytes of the stack. */
};

/* What END does with a frame before it resumes the remainder. */
enum dp_frame_kind {
    DP_FRAME_REST,              /* Nothing. */
    DP_FRAME_CLONE,             /* Executes the clone's action set, restores
                                 * saves[n_saves - 1]. */
    DP_FRAME_BUCKETS            /* Restores saves[n_saves - 1] and runs the
                                 * next bucket, until there is none. */
};

/* A pending remainder of an action list. */
struct dp_frame {
    uint64_t hit;
    uint64_t bucket_cookie;     /* As in struct dp_cold. */
    const struct dp_bucket *buckets; /* BUCKETS: those still to run. */
    uint32_t n_buckets;
    uint32_t slot;
    uint16_t number;            /* Of the action before it, for pause. */
    uint16_t depth;
    uint8_t table_id;
    uint8_t kind;               /* enum dp_frame_kind. */
};

/* A program that contributes to the action set, and for which flow. */
struct dp_aset_entry {
    uint64_t hit;               /* Its slot is the contribution's. */
    uint8_t table_id;
};

/* An action set; of one that is being executed, how far that is. */
struct dp_aset {
    uint32_t present;           /* Bit set of enum dp_aset_kind. */
    uint16_t n_sets;
    bool walking;
    uint8_t next_kind;
    uint16_t next_set;
    struct dp_aset_entry single[DP_N_ASET_KINDS];
    struct dp_aset_entry sets[DP_ASET_MAX_SETS];
};

/* ND fields as the last commit left them.  They cannot always be read back:
 * an option whose type was changed is no option any more. */
struct dp_nd_base {
    bool valid;
    uint64_t target[2], options[2], reserved;   /* Key words. */
};

/* The packet's headers as its bytes are, once actions have added or removed
 * some: what OVS calls the base flow.  Commits then go by it. */
struct dp_base {
    bool active;
    bool encap, decap;          /* Pending for the next commit. */
    struct ofpbuf *encap_data;  /* Owned; null: none. */
    struct flow flow;
};

/* What CLONE keeps for END to restore. */
struct dp_save {
    uint32_t buf;
    struct dp_nd_base nd_base;
    struct dp_base base;        /* Without pending ones. */
    void *stack;                /* Owned copy. */
    size_t stack_size;
    struct dp_ctx ctx;
    struct dp_aset aset, running;
};

struct dp_buf {
    struct dp_packet *packet;
    uint32_t n_outputs;
    uint32_t n_saves;
};

struct dp_out {
    struct dp_port *port;
    uint32_t buf;
    uint32_t cut;               /* Bytes that are left out at its end. */
};

/* What takes much room and is seldom used. */
struct dp_bulk {
    /* What write_actions gathers, and what is being executed of it: tables
     * that the execution resubmits to write to a new set. */
    struct dp_aset aset, running;
    struct dp_frame frames[DP_MAX_FRAMES];
};

/* Between packets all of it is as a packet that has just come needs it, but
 * for 'bufs[0].packet'; whoever ends a packet sees to that.  The
 * first cache line is what every packet uses.  Who fills some of what follows
 * 'rare' sets 'rare'. */
struct dp_cold {
    struct dp_worker *worker;   /* The same for all packets of a latch. */
    struct dp_bridge *bridge;

    /* If any of these is set, the packet is none of the many that are output
     * once, as they came, and nothing else. */
    union {
        struct {
            /* Why the packet is dropped, if it is.  'fatal': whatever was
             * output. */
            bool fatal;
            bool drop_specific;
            bool resubmitting;  /* The lookup that a resubmit has started. */
            bool frag_drop;     /* FRAG_LOOKUP refused a fragment. */
            bool gone;          /* A commit found the packet malformed. */
            bool in_action_set; /* As OVS's xlate knows it, for reasons of
                                 * packet-ins. */
            bool rare;
        };
        uint64_t odd;
    };
    union {
        struct {
            uint32_t n_outs;
            uint16_t n_frames;
            uint16_t n_saves;
        };
        uint64_t pending;
    };
    const struct dp_flow *flow; /* Of the last rule that the packet met, not
                                 * counted yet; or null. */
    struct dp_port *out;        /* The packet has ended: it goes there. */
    bool dressed;               /* What of bufs[0] struct dp_packet has behind
                                 * the mbuf is set. */
    struct dp_buf *bufs;
    struct dp_buf first_buf;    /* Where 'bufs' lies until it grows. */

    enum dp_drop_reason drop;
    uint8_t drop_table;
    uint16_t drop_lookups;      /* ctx->resubmits when it was noted. */
    uint32_t n_bufs;
    uint64_t drop_cookie;
    uint32_t saved_in_port;     /* The key's, while 'resubmitting'. */
    uint32_t buf;               /* The context's packet. */

    /* Of the rule whose group runs a bucket: a bucket's block has none. */
    uint64_t bucket_cookie;

    struct dp_out *outs;
    struct dp_out first_out;    /* Where 'outs' lies until it grows. */
    uint32_t n_upcalls;
    size_t allocated_bufs, allocated_outs, allocated_upcalls;
    struct dp_upcall_node **upcalls;
    struct dp_bulk *bulk;       /* Owned. */

    /* RARE. */

    uint32_t kept_outs;         /* Those that no error takes back. */
    uint32_t kept_upcalls;
    struct dp_nd_base nd_base;
    struct dp_base base;
    bool blocked;               /* Nothing it does may leave the switch: its
                                 * port is blocked. */
    bool parsed;                /* By dp_ctx_parse(), for dp_ingress(). */
    uint32_t tag;               /* dp_ctx_tag(). */
    struct ofpbuf stack;
    struct dp_save **saves;     /* DP_MAX_FRAMES, each made when needed; null
                                 * before the first. */
};

/* What is the same in all contexts: of the first 'n' at least. */
void dp_run_stamp(struct dp_worker *, struct dp_bridge *, unsigned n);

/* Runs 'n' (at most NETDEV_MAX_BURST) 'packets' (owned) of port number
 * 'in_port' to their end, with the slots and version that the worker has
 * latched; returns their bytes. */
uint64_t dp_run_burst(struct dp_worker *, struct dp_bridge *,
                  struct dp_packet **packets, unsigned n, uint32_t in_port);

/* Runs 'packet' (owned) alone, with the worker's slots and version, and takes
 * back what comes of it. */
void dp_run_dry(struct dp_worker *, struct dp_bridge *,
                struct dp_packet *packet, uint32_t in_port);

/* ingress.c: shows the packet to dp_set_ingress()'s function; true if it ends
 * there. */
bool dp_ingress(struct dp_ctx *);
/* The same of dp_set_egress(), for bridges that want it. */
void dp_egress(struct dp_ctx *, uint32_t ofp_port);

/* Why, and by which rule, a packet without an output is dropped.  'flow': of
 * the last rule that it met, or null. */
void dp_run_drop_reason(const struct dp_ctx *, const struct dp_flow *flow,
                        struct dp_drop_cause *);

/* drop.  A specific reason stays; ACTION and TABLE_MISS give way to what
 * comes later, because they are no reason while other tables follow.  A rule
 * that is met later need not note ACTION. */
static inline void
dp_ctx_drop_at(struct dp_ctx *ctx, enum dp_drop_reason reason,
               uint8_t table_id, uint64_t cookie)
{
    struct dp_cold *cold = ctx->cold;

    if (OVS_LIKELY(!cold->drop_specific)) {
        cold->drop = reason;
        cold->drop_lookups = ctx->resubmits;
        cold->drop_table = table_id;
        cold->drop_cookie = cookie;
        cold->drop_specific = (reason != DP_DROP_ACTION
                               && reason != DP_DROP_TABLE_MISS);
    }
}

/* Sets what a port that receives bare packets has left out: before anything
 * but the bytes and their number is looked at. */
void dp_dress(struct dp_packet *);
/* The same for the received packet, unless it is done. */
void dp_ctx_dress__(struct dp_ctx *);
static inline void
dp_ctx_dress(struct dp_ctx *ctx)
{
    if (!ctx->cold->dressed) {
        dp_ctx_dress__(ctx);
    }
}

/* Makes the context's packet one that nobody else refers to. */
int dp_ctx_unshare(struct dp_ctx *);
/* Takes data, data_end and offsets from the context's packet. */
void dp_ctx_refresh(struct dp_ctx *);
/* The other way round: programs may have parsed the packet themselves, and
 * what changes or copies it needs the offsets. */
void dp_ctx_put_offsets(struct dp_ctx *);
/* Adds a buffer; returns its index. */
uint32_t dp_run_add_buf(struct dp_cold *, struct dp_packet *);

/* frames.c */
bool dp_frame_push(struct dp_ctx *, uint32_t slot);
bool dp_frame_push_clone(struct dp_ctx *, uint32_t slot);
uint32_t dp_frames_end(struct dp_ctx *);
void dp_frames_exit(struct dp_ctx *);
/* Drops what is pending for this copy of the packet: up to the clone or the
 * bucket that it is in. */
void dp_frames_end_copy(struct dp_ctx *);
bool dp_resubmit(struct dp_ctx *, uint32_t in_port, uint8_t table_id);
/* The lookup that a resubmit has started is over. */
static inline void
dp_resubmit_done(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;

    if (OVS_UNLIKELY(cold->resubmitting)) {
        cold->resubmitting = false;
        dp_ctx_set_key_in_port(ctx, cold->saved_in_port);
    }
}

/* One more lookup; false if there are too many. */
bool dp_count_odd_lookup(struct dp_ctx *);
static inline bool
dp_count_lookup(struct dp_ctx *ctx)
{
    if (OVS_UNLIKELY(ctx->depth >= DP_MAX_DEPTH
                     || ctx->resubmits > DP_MAX_RESUBMITS)) {
        return dp_count_odd_lookup(ctx);
    }
    ctx->resubmits++;
    return true;
}

/* aset.c */
void dp_aset_clear(struct dp_aset *);
bool dp_aset_write(struct dp_aset *, enum dp_aset_kind, uint32_t slot,
                   uint64_t hit, uint8_t table_id);
/* The next contribution in order of execution, or null at the end, when the
 * set is empty again. */
const struct dp_aset_entry *dp_aset_next(struct dp_aset *set,
                                         struct dp_aset *running);
void dp_aset_copy(struct dp_aset *dst, const struct dp_aset *src);

/* output.c */
void dp_output(struct dp_ctx *, uint32_t ofp_port, uint32_t max_len);
/* The same without limit, as the last thing that an action list does: also
 * what END does. */
uint32_t dp_output_last(struct dp_ctx *, uint32_t ofp_port);
void dp_output_all(struct dp_ctx *, bool flood);
/* The key of a packet that is not parsed yet. */
void dp_run_init_key(struct dp_ctx *);
/* Hands the run's outputs to the ports' queues; every buffer is gone. */
void dp_outputs_send(struct dp_cold *);
void dp_outputs_cancel(struct dp_cold *);

/* commit.c: writes dirty groups of the key into the packet. */
int dp_commit(struct dp_ctx *);
/* Gives 'packet', which has 'n_vlans' of them, the VLAN headers of key word
 * 'vlans'; returns their number. */
uint8_t dp_commit_vlans(struct dp_packet *, uint8_t n_vlans, uint64_t vlans);

/* commit-base.c: the same, by the base. */
int dp_commit_base(struct dp_ctx *);
void dp_base_clear(struct dp_base *);

/* native.c */
uint64_t dp_native_run(struct dp_ctx *, uint64_t fn, const void *block,
                       size_t size);

/* parse.c */
void dp_parse(struct dp_ctx *);

/* miss.c: decides by the table-miss configuration; the next slot. */
uint32_t dp_miss(struct dp_ctx *, uint8_t table_id);

/* Counts what is pending in cold->flow; before 'packet_size' changes, too. */
void dp_run_count(struct dp_worker *, struct dp_ctx *);

/* Adds a pending upcall. */
bool dp_ctx_queue_upcall(struct dp_ctx *, struct dp_upcall_node *);

#endif /* datapath/run.h */
