/* SPDX-License-Identifier: Apache-2.0 */
#include "ofproto/compile/plan-levels.h"

#include <stdlib.h>
#include <string.h>
#include "hash.h"
#include "util.h"
#include "datapath/abi.h"
#include "vm/map.h"
#include "vm/maps/vtable.h"

enum {
    MAX_COMPARED = 128          /* Rules of a priority that are compared. */
};

/* Rules of one priority.  If there are ever more than MAX_COMPARED of them
 * they have one mask. */
struct level {
    struct hmap_node node;      /* In of_levels. */
    int priority;
    unsigned int n_rules;
    bool many;                  /* 'rules' is not kept any more. */
    bool mixed;                 /* There were different masks. */
    uint64_t mask[DP_KEY_WORDS]; /* Of the first. */
    const struct vm_ventry **rules; /* 'n_rules' of them. */
    size_t allocated;
};

void
of_levels_init(struct of_levels *levels)
{
    hmap_init(&levels->levels);
}

static void
free_level(struct level *level)
{
    free(level->rules);
    free(level);
}

void
of_levels_destroy(struct of_levels *levels)
{
    struct level *level;

    HMAP_FOR_EACH_POP (level, node, &levels->levels) {
        free_level(level);
    }
    hmap_destroy(&levels->levels);
}

static struct level *
find_level(const struct of_levels *levels, int priority)
{
    struct level *level;

    HMAP_FOR_EACH_WITH_HASH (level, node, hash_int(priority, 0),
                             &levels->levels) {
        if (level->priority == priority) {
            return level;
        }
    }
    return NULL;
}

static bool
overlap(const struct vm_map *map, const struct vm_ventry *a,
        const struct vm_ventry *b)
{
    uint64_t a_key[DP_KEY_WORDS], a_mask[DP_KEY_WORDS];
    uint64_t b_key[DP_KEY_WORDS], b_mask[DP_KEY_WORDS];

    vm_ventry_key(map, a, a_key, a_mask);
    vm_ventry_key(map, b, b_key, b_mask);
    if (!memcmp(a_mask, b_mask, sizeof a_mask)) {
        return false;           /* Or equal, and then the order is known. */
    }
    for (int i = 0; i < DP_KEY_WORDS; i++) {
        if ((a_key[i] ^ b_key[i]) & a_mask[i] & b_mask[i]) {
            return false;
        }
    }
    return true;
}

/* Whether 'e' may have the priority of 'level', which has other rules. */
static bool
fits_level(struct level *level, const struct vm_map *map,
           const struct vm_ventry *e, const uint64_t *mask)
{
    level->mixed |= memcmp(level->mask, mask, sizeof level->mask) != 0;
    if (!level->mixed) {
        return true;
    } else if (level->many || level->n_rules >= MAX_COMPARED) {
        return false;
    }
    for (unsigned int i = 0; i < level->n_rules; i++) {
        if (overlap(map, level->rules[i], e)) {
            return false;
        }
    }
    return true;
}

bool
of_levels_join(struct of_levels *levels, const struct vm_map *map,
               const struct vm_ventry *e)
{
    uint64_t key[DP_KEY_WORDS], mask[DP_KEY_WORDS];
    int priority = vm_ventry_priority(e);
    struct level *level = find_level(levels, priority);

    vm_ventry_key(map, e, key, mask);
    if (!level) {
        level = xzalloc(sizeof *level);
        level->priority = priority;
        memcpy(level->mask, mask, sizeof level->mask);
        hmap_insert(&levels->levels, &level->node, hash_int(priority, 0));
    } else if (!fits_level(level, map, e, mask)) {
        return false;
    }
    level->many |= level->n_rules >= MAX_COMPARED;
    if (!level->many) {
        if (level->n_rules >= level->allocated) {
            level->rules = x2nrealloc(level->rules, &level->allocated,
                                      sizeof *level->rules);
        }
        level->rules[level->n_rules] = e;
    }
    level->n_rules++;
    return true;
}

void
of_levels_leave(struct of_levels *levels, const struct vm_ventry *e)
{
    struct level *level = find_level(levels, vm_ventry_priority(e));

    for (unsigned int i = 0; !level->many && i < level->n_rules; i++) {
        if (level->rules[i] == e) {
            level->rules[i] = level->rules[level->n_rules - 1];
            break;
        }
    }
    if (!--level->n_rules) {
        hmap_remove(&levels->levels, &level->node);
        free_level(level);
    }
}
