/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/profile.h"

#include <stdlib.h>
#include "datapath/tap.h"
#include "hash.h"
#include "util.h"

enum { MAX_NODES = 65536 };

void
of_profile_init(struct of_profile *p)
{
    *p = (struct of_profile) { .root = { .kind = OF_PROFILE_BRIDGE } };
    hmap_init(&p->nodes);
    hmap_init(&p->rules);
}

void
of_profile_uninit(struct of_profile *p)
{
    struct of_profile_node *node;

    HMAP_FOR_EACH_SAFE (node, hmap_node, &p->nodes) {
        hmap_remove(&p->nodes, &node->hmap_node);
        free(node);
    }
    hmap_destroy(&p->nodes);
    of_profile_forget_names(p);
}

static struct of_profile_node *
get_node(struct of_profile *p, struct of_profile_node *parent,
         enum of_profile_kind kind, uint32_t id)
{
    uint32_t hash = hash_pointer(parent, hash_2words(kind, id));
    struct of_profile_node *node;

    HMAP_FOR_EACH_WITH_HASH (node, hmap_node, hash, &p->nodes) {
        if (node->parent == parent && node->kind == kind && node->id == id) {
            return node;
        }
    }
    if (hmap_count(&p->nodes) >= MAX_NODES && kind != OF_PROFILE_OTHER) {
        return (parent->kind == OF_PROFILE_OTHER ? parent
                : get_node(p, parent, OF_PROFILE_OTHER, 0));
    }
    node = xzalloc(sizeof *node);
    node->parent = parent;
    node->kind = kind;
    node->id = id;
    node->next = parent->child;
    parent->child = node;
    hmap_insert(&p->nodes, &node->hmap_node, hash);
    return node;
}

static struct of_profile_node *
step_node(struct of_profile *p, struct of_profile_node *parent,
          const struct dp_tap_step *step)
{
    int table = dp_tap_step_table(step);
    struct of_profile_node *node;

    if (step->slot == DP_SLOT_PARSE) {
        return get_node(p, parent, OF_PROFILE_PARSE, 0);
    } else if (table >= 0) {
        return get_node(p, parent, OF_PROFILE_TABLE, table);
    } else if (step->slot == DP_SLOT_END) {
        return get_node(p, parent, OF_PROFILE_END, 0);
    }
    node = get_node(p, parent, (step->is_bucket ? OF_PROFILE_BUCKET
                                : OF_PROFILE_ACTIONS),
                    DP_HIT_FLOW(step->hit));
    node->cookie = step->cookie;
    node->table_id = step->table_id;
    return node;
}

void
of_profile_add(struct of_profile *p, const struct dp_tap_record *r)
{
    struct of_profile_node *node = &p->root;
    size_t n = dp_tap_n_steps(r);

    p->packets++;
    for (size_t i = 0; i < n; i++) {
        uint64_t end = i + 1 < n ? r->steps[i + 1].tsc : r->end_tsc;

        node = step_node(p, node, &r->steps[i]);
        node->packets++;
        node->cycles += MAX(end, r->steps[i].tsc) - r->steps[i].tsc;
    }
}
