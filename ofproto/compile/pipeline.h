/* SPDX-License-Identifier: Apache-2.0 */

/* The insides of pipelines and tables, for this folder's files. */

#ifndef OFPROTO_COMPILE_PIPELINE_H
#define OFPROTO_COMPILE_PIPELINE_H 1

#include <stdint.h>
#include "openvswitch/list.h"
#include "datapath/abi.h"
#include "ofproto/compile/compile.h"

struct vm_map;
struct vm_prog;

enum { OF_MAX_TABLES = 255 };

/* A table that has, or had, rules: the general plan.  One map of masked
 * tuples, one program that looks it up. */
struct of_table {
    struct of_pipeline *pipeline;
    uint8_t id;
    struct vm_map *map;         /* Reference. */
    struct vm_prog *prog;       /* Reference. */
    struct vm_prog *conj_prog;  /* The same; null as long as there was no
                                 * conjunction. */
    size_t n_conj;              /* Entries with conjunctions. */
    size_t n_entries;
};

struct of_pipeline {
    struct ovs_list node;       /* In of_pipelines. */
    struct dp_bridge *dpb;      /* Borrowed: outlives the pipeline. */
    struct of_table *tables[OF_MAX_TABLES]; /* Null: never had a rule. */

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
int of_empty_table_make(uint8_t table_id, struct vm_prog **);
int of_end_make(struct vm_prog **);

/* show.c. */
void of_show_init(void);

#endif /* ofproto/compile/pipeline.h */
