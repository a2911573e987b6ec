/* SPDX-License-Identifier: Apache-2.0 */

/* What the files of the generator share: rows of fields with the values of
 * the case, and rows of actions. */

#ifndef TESTS_RANDOM_GEN_H
#define TESTS_RANDOM_GEN_H 1

#include <stdbool.h>
#include "flow.h"
#include "openvswitch/meta-flow.h"
#include "tests/random/random.h"

struct ds;

/* gen-fields.c */
enum { RND_N_VALUES = 4, RND_MAX_FIELDS = 64 };
extern int rnd_n_fields;
extern const struct mf_field *rnd_fields[RND_MAX_FIELDS];

bool rnd_chance(int percent);
int rnd_field_row(const char *name);
bool rnd_is_row(int row, const char *name);
/* Draws the few values that each field has in a case. */
void rnd_make_values(void);
const union mf_value *rnd_pick_value(int row);
/* Fills in a mask of 'kind' for 'row'. */
void rnd_make_mask(int row, enum rnd_mask kind, union mf_value *mask);
/* A row that only actions set. */
int rnd_pick_metadata(void);

/* gen-actions.c */
void rnd_gen_actions(struct rnd_rule *);
int rnd_action_row(const char *name);

/* A bucket's actions, at most 'size' bytes; groups it leads to have a higher
 * number than 'id'. */
void rnd_gen_bucket(uint32_t id, size_t size, struct ds *);

/* gen-groups.c: what actions may name. */
extern int rnd_n_groups, rnd_n_meters;
extern bool rnd_recirculates;      /* One of them, in stock Open vSwitch. */
void rnd_gen_groups(struct rnd_case *);

/* gen-avoid.c: changes 'c' so that what docs/conformance.md says is different
 * on purpose does not happen. */
void rnd_avoid_differences(struct rnd_case *c);

#endif /* tests/random/gen.h */
