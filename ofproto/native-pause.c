/* SPDX-License-Identifier: Apache-2.0 */

/* controller(pause) on a worker: what is pending (the rest of the list, the
 * frames below it, the action set) is turned back into OpenFlow actions and
 * goes to the main thread with the packet.  A clone or a bucket that pauses
 * leaves what is outside of it pending. */

#include <config.h>
#include "ofproto/native.h"

#include <stdlib.h>
#include <string.h>
#include "openvswitch/ofpbuf.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/compile/actions.h"
#include "ofproto/freeze.h"
#include "ofproto/of.h"
#include "ofproto/packet-in.h"

/* A place in a list of actions. */
struct place {
    const struct ofpact *next, *end;
    unsigned int left;          /* Actions to pass. */
};

/* Finds what follows action number 'left', counting as of_plan_list() does;
 * returns true when found. */
static bool
find(struct place *p, const struct ofpact *ofpacts, size_t len)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        if (of_action_is_noop(a)) {
            continue;
        }
        if (!--p->left) {
            p->next = ofpact_next(a);
            p->end = ofpact_end(ofpacts, len);
            return true;
        }
        if (a->type == OFPACT_CLONE
            && find(p, ofpact_get_CLONE(a)->actions,
                    ofpact_nest_get_action_len(ofpact_get_CLONE(a)))) {
            return true;
        }
    }
    return false;
}

/* Appends what follows action 'number' of the rule 'owner'. */
static void
append_rest(struct of_freeze *f, const struct rule *owner,
            unsigned int number, uint8_t table_id, uint64_t cookie)
{
    if (owner) {
        const struct rule_actions *actions = rule_get_actions(owner);
        struct place p = { .left = number };

        if (find(&p, actions->ofpacts, actions->ofpacts_len)) {
            of_freeze_append(f, p.next, p.end, table_id, htonll(cookie));
        }
    }
}

/* The actions of the rule 'owner' that are in the action set as 'kind'. */
static void
append_written(struct ofpbuf *set, const struct rule *owner,
               enum dp_aset_kind kind)
{
    const struct rule_actions *actions = rule_get_actions(owner);
    const struct ofpact *a, *b, *last = NULL;

    OFPACT_FOR_EACH (a, actions->ofpacts, actions->ofpacts_len) {
        if (a->type != OFPACT_WRITE_ACTIONS) {
            continue;
        }
        OFPACT_FOR_EACH (b, ofpact_get_WRITE_ACTIONS(a)->actions,
                         ofpact_nest_get_action_len(
                             ofpact_get_WRITE_ACTIONS(a))) {
            if (of_action_aset_kind(b) != (int) kind) {
                continue;
            }
            if (kind == DP_ASET_SET) {
                ofpbuf_put(set, b, OFPACT_ALIGN(b->len));
            }
            last = b;
        }
    }
    if (last && kind != DP_ASET_SET) {
        ofpbuf_put(set, last, OFPACT_ALIGN(last->len));
    }
}

static void
put_action_set(struct dp_ctx *ctx, struct ofpbuf *set)
{
    enum dp_aset_kind kind;
    void *owner;

    for (size_t i = 0; dp_ctx_written(ctx, i, &kind, &owner); i++) {
        if (owner) {
            append_written(set, owner, kind);
        }
    }
}

static void
put_padded(struct ofpbuf *b, const void *data, size_t size)
{
    ofpbuf_put(b, data, size);
    ofpbuf_put_zeros(b, ROUND_UP(b->size, 8) - b->size);
}

uint64_t
of_native_CONTROLLER(struct dp_ctx *ctx, const void *block_,
                     size_t size OVS_UNUSED)
{
    const struct of_native_block *block = block_;
    const struct ofpact_controller *c
        = ofpact_get_CONTROLLER(&block->ofpact);
    const struct of_controller_block out = {
        .max_len = c->max_len,
        .controller_id = c->controller_id,
        .reason = c->reason,
        .output = OF_CONTROLLER_PAUSE,
        .userdata_len = c->userdata_len,
        .meter = c->provider_meter_id,
    };
    struct ofpbuf *stack = dp_ctx_stack(ctx);
    struct ofpbuf set, data;
    struct dp_pending pending;
    struct of_pause pause;
    struct of_freeze f;

    of_freeze_init(&f);
    ofpbuf_init(&set, 0);
    ofpbuf_init(&data, 0);
    append_rest(&f, dp_ctx_owner(ctx), block->number, ctx->table_id,
                dp_ctx_cookie(ctx));
    for (size_t i = 0; dp_ctx_pending(ctx, i, &pending); i++) {
        append_rest(&f, pending.owner, pending.number, pending.table_id,
                    pending.cookie);
    }
    put_action_set(ctx, &set);

    pause.actions_len = f.actions.size;
    pause.action_set_len = set.size;
    pause.stack_size = stack->size;
    pause.pad = 0;
    ofpbuf_put(&data, &out, sizeof out);
    put_padded(&data, c->userdata, c->userdata_len);
    ofpbuf_put(&data, &pause, sizeof pause);
    ofpbuf_put(&data, f.actions.data, f.actions.size);
    ofpbuf_put(&data, set.data, set.size);
    put_padded(&data, stack->data, stack->size);
    dp_ctx_controller(ctx, data.data, data.size);
    dp_ctx_abandon(ctx);

    ofpbuf_uninit(&data);
    ofpbuf_uninit(&set);
    of_freeze_uninit(&f);
    return 1;
}
