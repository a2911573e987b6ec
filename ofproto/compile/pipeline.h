/* SPDX-License-Identifier: Apache-2.0 */

/* The insides of pipelines and tables, for this folder's files. */

#ifndef OFPROTO_COMPILE_PIPELINE_H
#define OFPROTO_COMPILE_PIPELINE_H 1

#include <stdint.h>
#include "openvswitch/list.h"
#include "datapath/abi.h"
#include "ofproto/compile/compile.h"

struct of_tplan;
struct vm_map;
struct vm_prog;

enum { OF_MAX_TABLES = 255 };

/* A table that has, or had, rules.  The general plan: one map of masked
 * tuples, one program that looks it up; and others (plan.h). */
struct of_table {
    struct of_pipeline *pipeline;
    uint8_t id;
    struct vm_map *map;         /* Reference. */
    struct vm_prog *prog;       /* Reference. */
    struct vm_prog *conj_prog;  /* The same; null as long as there was no
                                 * conjunction. */
    size_t n_conj;              /* Entries with conjunctions. */
    size_t n_entries;
    struct ovs_list entries;    /* Of "struct of_entry"s, in any order. */

    const struct vm_prog *in_slot; /* Borrowed. */
    struct of_tplan *plan;      /* Null: the general one. */
    unsigned int n_broken;      /* Plans that a change has broken. */

    /* Towards a better plan. */
    struct ovs_list node;       /* In plan.c's list of the unsettled. */
    bool unsettled;             /* Is in that list. */
    uint32_t tried;             /* Plans, a bit each, since the change. */
    unsigned int choice;        /* The last of them. */
    long long int changed_ms;
    struct of_tplan *building;  /* Null: none. */
    struct ovs_list *cursor;    /* Entry that it takes next. */
};

struct of_pipeline {
    struct ovs_list node;       /* In of_pipelines. */
    struct dp_bridge *dpb;      /* Borrowed: outlives the pipeline. */
    struct of_table *tables[OF_MAX_TABLES]; /* Null: never had a rule. */
    uint64_t version;           /* Published. */

    /* How deep PARSE goes: rules that want each level, and what is in slot
     * DP_SLOT_PARSE. */
    unsigned int n_need[OF_N_PARSE_LEVELS];
    enum of_parse_level min_parse;
    struct vm_prog *parse;      /* Borrowed from pipeline.c's cache. */
    enum of_parse_level parse_level;
};

/* All pipelines, by of_compile_mutex. */
extern struct ovs_list of_pipelines;
extern struct dp *of_compile_dp;

/* The program of a table without rules. */
struct vm_prog *of_empty_table_prog(uint8_t table_id);

/* Counts (or uncounts) a rule that needs 'level'. */
void of_pipeline_need(struct of_pipeline *, enum of_parse_level);
void of_pipeline_unneed(struct of_pipeline *, enum of_parse_level);

/* table.c. */
int of_table_get(struct of_pipeline *, uint8_t table_id, struct of_table **);
void of_table_destroy(struct of_table *);

/* plan.c: puts the program that the table should have into its slot, of
 * 't->pipeline'; the command pipeline/plan. */
void of_table_publish_prog(struct of_table *);
void of_plans_init(void);

/* show.c. */
void of_show_init(void);

#endif /* ofproto/compile/pipeline.h */
