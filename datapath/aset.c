/* SPDX-License-Identifier: Apache-2.0 */

/* The action set at run time: which programs contribute, in which order.
 *
 * Kinds are executed in the order of enum dp_aset_kind; of a kind other than
 * DP_ASET_SET the last one written counts.  Of the kinds that end the set
 * (group, output, resubmit, ct) only the first present one is executed, and
 * without any of them nothing is (ofpacts_execute_action_set() of Open
 * vSwitch does the same). */

#include "datapath/run.h"

#include <stddef.h>
#include <string.h>

#define FINAL_KINDS ((1u << DP_ASET_GROUP) | (1u << DP_ASET_OUTPUT)     \
                     | (1u << DP_ASET_RESUBMIT) | (1u << DP_ASET_CT))

void
dp_aset_clear(struct dp_aset *aset)
{
    aset->present = 0;
    aset->n_sets = 0;
    aset->walking = false;
}

bool
dp_aset_write(struct dp_aset *aset, enum dp_aset_kind kind, uint32_t slot,
              uint64_t hit, uint8_t table_id)
{
    struct dp_aset_entry *entry;

    if (kind >= DP_N_ASET_KINDS) {
        return false;
    } else if (kind == DP_ASET_SET) {
        if (aset->n_sets >= DP_ASET_MAX_SETS) {
            return false;
        }
        entry = &aset->sets[aset->n_sets++];
    } else {
        entry = &aset->single[kind];
    }
    aset->present |= 1u << kind;
    entry->hit = DP_HIT(slot, DP_HIT_FLOW(hit));
    entry->table_id = table_id;
    return true;
}

/* Moves 'set' to 'running', if it has anything to execute. */
static bool
start_walk(struct dp_aset *set, struct dp_aset *running)
{
    uint32_t final = set->present & FINAL_KINDS;

    if (!final) {
        dp_aset_clear(set);
        return false;
    }
    dp_aset_copy(running, set);
    dp_aset_clear(set);

    /* Keep the first of the final kinds. */
    running->present &= ~FINAL_KINDS;
    running->present |= final & -final;
    running->walking = true;
    running->next_kind = 0;
    running->next_set = 0;
    return true;
}

const struct dp_aset_entry *
dp_aset_next(struct dp_aset *set, struct dp_aset *running)
{
    if (!running->walking && !start_walk(set, running)) {
        return NULL;
    }
    for (; running->next_kind < DP_N_ASET_KINDS; running->next_kind++) {
        if (!(running->present & (1u << running->next_kind))) {
            continue;
        } else if (running->next_kind != DP_ASET_SET) {
            return &running->single[running->next_kind++];
        } else if (running->next_set < running->n_sets) {
            return &running->sets[running->next_set++];
        }
    }
    dp_aset_clear(running);
    return NULL;
}

void
dp_aset_copy(struct dp_aset *dst, const struct dp_aset *src)
{
    dst->present = src->present;
    dst->n_sets = src->n_sets;
    dst->walking = src->walking;
    dst->next_kind = src->next_kind;
    dst->next_set = src->next_set;
    if (src->present) {
        memcpy(dst->single, src->single, sizeof dst->single);
        memcpy(dst->sets, src->sets, src->n_sets * sizeof *dst->sets);
    }
}
