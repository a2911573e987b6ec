/* SPDX-License-Identifier: Apache-2.0 */

/* Rules for tests of the compiler: a pipeline on the datapath fixture, rules
 * from ovs-ofctl's notation, without libofproto's tables. */

#ifndef TESTS_UNIT_OF_RULES_H
#define TESTS_UNIT_OF_RULES_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ofproto/ofproto-provider.h"
#include "ofproto/compile/compile.h"
#include "ofproto/compile/pipeline.h"
#include "tests/unit/dp-fixture.h"

struct or_rule {
    struct rule rule;
    struct of_entry entry;
};

struct or_rules {
    struct fx fx;
    struct of_pipeline *pipeline;
    struct or_rule **rules;     /* All that were added. */
    size_t n, allocated;
    uint64_t version;           /* Published. */
};

void or_init(struct or_rules *);
/* Deletes all rules; checks that shapes and buffers are gone. */
void or_uninit(struct or_rules *);

/* Makes a rule from "table=1,priority=5,tcp,tp_dst=80" and "output:1".  On
 * error returns it and stores null; the rule is in no table. */
enum ofperr or_make(struct or_rules *, const char *match,
                    const char *actions, struct or_rule **);
/* Makes one that must be accepted, and inserts it at the next version, which
 * is published. */
struct or_rule *or_add(struct or_rules *, const char *match,
                       const char *actions);
void or_insert(struct or_rule *, uint64_t version);
/* Frees a rule that is in no table. */
void or_free(struct or_rules *, struct or_rule *);
/* Removes all rules and waits until nothing of them is left. */
void or_flush(struct or_rules *);
/* Publishes 'version'. */
void or_publish(struct or_rules *, uint64_t version);
/* Frees what waits for quiescence. */
void or_reap(void);

#endif /* tests/unit/of-rules.h */
