/* SPDX-License-Identifier: Apache-2.0 */

/* Programs that stand in tables' slots, and END.
 *
 * Threads: any. */

#ifndef OFPROTO_COMPILE_LOOKUP_H
#define OFPROTO_COMPILE_LOOKUP_H 1

#include <stdint.h>
#include "vm/emit.h"

struct of_table;
struct of_tplan;
struct vm_prog;

/* Each makes a program; 0 or a negative errno, the reason in the log. */

/* A table without rules; one that asks libofproto's classifier, for
 * conjunctions; END. */
int of_empty_table_make(uint8_t table_id, struct vm_prog **);
int of_conj_make(const struct of_table *, struct vm_prog **);
int of_end_make(struct vm_prog **);

/* A table with rules.  By 'plan', or, if that is null, by a lookup in the map
 * of all of them. */
int of_lookup_make(const struct of_table *, const struct of_tplan *plan,
                   struct vm_prog **);

/* For plans: goes to the actions of a rule that is known. */
void of_lookup_emit_hit(struct vm_emit *, uint64_t hit);

#endif /* ofproto/compile/lookup.h */
