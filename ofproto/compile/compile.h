/* SPDX-License-Identifier: Apache-2.0 */

/* The compiler from OpenFlow tables to eBPF programs.
 *
 * What: a `struct of_pipeline` is the compiled form of one bridge: a slot
 * page with PARSE, one program and one map of versioned masked tuples per
 * table in use, END, and the action programs.  A `struct of_code` is the
 * compiled form of one list of actions: the program of its *shape*, shared by
 * all lists (of all bridges) that differ only in parameters, and a block with
 * those parameters.  A `struct of_entry` is one rule in its table's map.
 *
 * Life of a rule (provider.md, "Order of calls"):
 *
 *     rule_construct   of_entry_construct(): judges actions and match, makes
 *                      what code is missing, reserves everything that the
 *                      calls below need
 *     classifier hooks queue the change
 *     set_tables_version(v), for each queued change, in order:
 *                      of_table_insert(), of_table_hide(),
 *                      of_table_restore(), of_table_delete();
 *                      then dp_bridge_set_version(v)
 *     rule_destruct    of_entry_destruct()
 *
 * None of the four table functions can fail, and each takes constant time.
 *
 * Matches: ofproto.c may replace the match, the table and the cookie of a
 * rule between rule_construct and the insertion, but only by those of a rule
 * that is in the table (the template of a flow_mod MODIFY, ofproto.c
 * 5797-5812), whose own match passed of_entry_construct().  So construct may
 * refuse a match, though it must derive nothing from it that is kept: key and
 * mask are made in of_table_insert().
 *
 * Threads: of_entry_construct() and of_code_*() may be called by the main
 * thread and (rule_construct of `learn`) wherever OVS constructs rules; they
 * take a mutex of this module and never ofproto_mutex.  of_entry_destruct()
 * may run in the RCU thread.  The table functions: as set_tables_version(),
 * with ofproto_mutex held.  Everything else: the main thread.
 *
 * Errors: OpenFlow error codes, the reason in the log. */

#ifndef OFPROTO_COMPILE_COMPILE_H
#define OFPROTO_COMPILE_COMPILE_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/list.h"
#include "openvswitch/ofp-errors.h"

struct dp;
struct dp_bridge;
struct ds;
struct json;
struct of_code;
struct of_pipeline;
struct of_shape;
struct of_table;
struct ofpact;
struct rule;
struct vm_backend;
struct vm_ventry;

/* Process: call once, before the first pipeline; registers the command
 * pipeline/show. */
void of_compile_init(struct dp *);
void of_compile_destroy(void);

/* What makes native code of generated programs from now on; null (the
 * default): they run in the interpreter.  Before the first bridge. */
void of_load_set_backend(const struct vm_backend *);

/* To be called from the provider's run(): follows what OVS changes without
 * telling a provider (vlan-limit), and makes plans for tables that have been
 * quiet.  Takes ofproto_mutex. */
void of_compile_run(void);
void of_compile_wait(void);

/* How long a table must be quiet before it gets a plan, in ms (default 100).
 * 0: plans are made as soon as a version is published. */
void of_plan_set_quiet_ms(int ms);
/* Tables up to 'size' bytes are taken to be near the processor, and lookups in
 * them are not split (by default half of the second-level cache). */
void of_plan_set_near_cache(size_t size);
/* For tests and measurements: tables have the plan 'name' where it can take
 * their rules, or else the general one ("auto": the best); lookups are split
 * ("always", "never") or where memory is far away ("auto").  False: no such
 * name.  Takes ofproto_mutex. */
bool of_plan_set(const char *name, const char *split);

/* Bridges.  The new pipeline is published at once: PARSE, END, and tables
 * that miss. */
int of_pipeline_create(struct dp_bridge *, struct of_pipeline **);
/* No entry may be left. */
void of_pipeline_destroy(struct of_pipeline *);
/* dp_bridge_set_version(version) has been called. */
void of_pipeline_published(struct of_pipeline *, uint64_t version);

/* How deep PARSE goes at least; rules and their actions raise it by
 * themselves.  For what else looks at the key: NORMAL's users are counted by
 * the action, set-frags=drop needs OF_PARSE_L3. */
enum of_parse_level {
    OF_PARSE_NONE,              /* in_port, metadata, registers. */
    OF_PARSE_L2,                /* Ethernet, VLANs, Ethernet type. */
    OF_PARSE_L3,                /* IPv4, IPv6, ARP. */
    OF_PARSE_L4,                /* TCP, UDP, SCTP, ICMP, ICMPv6. */
    OF_N_PARSE_LEVELS
};
void of_pipeline_set_min_parse(struct of_pipeline *, enum of_parse_level);

/* Actions.  of_code_get() judges 'ofpacts' and finds or makes their code; on
 * success stores a reference in '*codep'.  Needed directly only by who runs
 * actions without a rule. */
enum of_code_kind {
    OF_CODE_RULE,               /* Begins with HIT: ends a lookup. */
    OF_CODE_BUCKET              /* Begins with PARAMS. */
};
enum ofperr of_code_get(const struct ofpact *ofpacts, size_t ofpacts_len,
                        enum of_code_kind, struct of_code **codep);
void of_code_unref(struct of_code *);

/* A list of actions that groups can run. */
struct of_bucket_code {
    struct of_code *code;       /* Reference. */
    uint32_t flow;              /* dp_flow_alloc(). */
};
enum ofperr of_bucket_code_get(const struct ofpact *, size_t len,
                               struct of_bucket_code *);
void of_bucket_code_put(struct of_bucket_code *);
/* DP_HIT() of its program and flow. */
uint64_t of_bucket_code_hit(const struct of_bucket_code *);

/* A rule's part in the tables: embedded in struct of_rule.  'flow' and
 * 'counters' may be read by the owner; the rest is the compiler's. */
struct of_entry {
    struct of_pipeline *pipeline;
    struct rule *rule;          /* Whose entry this is (borrowed). */
    struct of_shape *shape;     /* Reference. */
    uint32_t flow;              /* dp_flow_alloc(): what DP_HIT_FLOW names. */
    uint32_t counters;          /* dp_counters_*(): the owner's; set before
                                 * construct, may change until insertion. */
    uint8_t parse;              /* enum of_parse_level counted for it. */
    bool late;                  /* Parameters change until insertion. */
    bool conj;                  /* Has a conjunction action. */
    bool inserted;
    uint32_t plan_id;           /* Of the last plan that was built with it. */
    struct of_table *table;     /* Null until insertion. */
    struct vm_ventry *vt;       /* Owned by the table's map. */
    struct ovs_list node;       /* In of_table.entries. */
};

/* Judges 'rule' (its match, table and actions are those of the rule now) and
 * reserves.  'e->counters' must be set.  On error 'e' needs no destruct. */
enum ofperr of_entry_construct(struct of_entry *e, struct of_pipeline *,
                               struct rule *rule);
/* DP_HIT() of a packet that matches it; any thread, of an entry that is or
 * was visible. */
uint64_t of_entry_hit(const struct of_entry *);
/* The entry must not be inserted any more. */
void of_entry_destruct(struct of_entry *e);

/* 'e' becomes visible in 'version' and later ones. */
void of_table_insert(struct of_entry *e, uint64_t version);
/* 'e' is not visible in 'version' and later ones. */
void of_table_hide(struct of_entry *e, uint64_t version);
/* Takes of_table_hide() back. */
void of_table_restore(struct of_entry *e);
/* 'e' leaves the map; what workers may still see is freed later. */
void of_table_delete(struct of_entry *e);

/* A table in figures; false if it never had a rule.  ofproto_mutex is held. */
struct of_table_info {
    const char *plan;           /* By which it is looked up. */
    size_t n_entries;           /* Rules, of all versions. */
    size_t map_entries;         /* In the maps of it and its plan. */
    size_t map_bytes;
};
bool of_pipeline_table_info(const struct of_pipeline *, uint8_t table_id,
                            struct of_table_info *);

/* pipeline/show. */
enum of_show_what {
    OF_SHOW_PLAN,               /* Plan, masks, maps, sizes, probes. */
    OF_SHOW_RULES,              /* The same and each rule. */
    OF_SHOW_INSNS               /* The same and the programs' text. */
};

/* Appends 'pipeline' (all tables if 'table_id' is negative) to 'out'. */
void of_pipeline_show(const struct of_pipeline *, int table_id,
                      enum of_show_what, struct ds *out);
struct json *of_pipeline_json(const struct of_pipeline *, int table_id,
                              enum of_show_what);

#endif /* ofproto/compile/compile.h */
