/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>
#include "ofproto/freeze.h"

#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"

void
of_freeze_init(struct of_freeze *f)
{
    ofpbuf_init(&f->actions, 0);
    f->unroll = 0;
}

void
of_freeze_uninit(struct of_freeze *f)
{
    ofpbuf_uninit(&f->actions);
}

/* The actions that follow need to know where they come from. */
static void
put_unroll(struct of_freeze *f, uint8_t table_id, ovs_be64 cookie)
{
    struct ofpact_unroll_xlate *unroll;

    if (f->unroll) {
        unroll = ofpbuf_at_assert(&f->actions, f->unroll - 1, sizeof *unroll);
        if (unroll->rule_table_id == table_id
            && unroll->rule_cookie == cookie) {
            return;
        }
    }
    f->unroll = f->actions.size + 1;
    unroll = ofpact_put_UNROLL_XLATE(&f->actions);
    unroll->rule_table_id = table_id;
    unroll->rule_cookie = cookie;
}

/* Whether 'a' makes messages that name its table and cookie, or is relative
 * to its table. */
static bool
depends_on_rule(const struct ofpact *a)
{
    switch ((int) a->type) {
    case OFPACT_OUTPUT_REG:
    case OFPACT_OUTPUT_TRUNC:
    case OFPACT_GROUP:
    case OFPACT_OUTPUT:
    case OFPACT_CONTROLLER:
    case OFPACT_DEC_MPLS_TTL:
    case OFPACT_DEC_NSH_TTL:
    case OFPACT_DEC_TTL:
        return true;

    case OFPACT_RESUBMIT:
        return ofpact_get_RESUBMIT(a)->table_id == 0xff;

    default:
        return false;
    }
}

static void
put_one(struct of_freeze *f, const struct ofpact *a)
{
    if (a->type == OFPACT_NOTE || a->type == OFPACT_CONJUNCTION) {
        return;
    } else if (a->type == OFPACT_GOTO_TABLE) {
        /* Instructions become actions. */
        struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(&f->actions);

        resubmit->in_port = OFPP_IN_PORT;
        resubmit->table_id = ofpact_get_GOTO_TABLE(a)->table_id;
        resubmit->with_ct_orig = false;
    } else if (a->type == OFPACT_WRITE_METADATA) {
        const struct ofpact_metadata *md = ofpact_get_WRITE_METADATA(a);

        ofpact_put_set_field(&f->actions, mf_from_id(MFF_METADATA),
                             &md->metadata, &md->mask);
    } else {
        ofpbuf_put(&f->actions, a, OFPACT_ALIGN(a->len));
    }
}

void
of_freeze_append(struct of_freeze *f, const struct ofpact *a,
                 const struct ofpact *end, uint8_t table_id, ovs_be64 cookie)
{
    for (; a < end; a = ofpact_next(a)) {
        if (depends_on_rule(a)) {
            put_unroll(f, table_id, cookie);
        }
        put_one(f, a);
    }
}
