/* SPDX-License-Identifier: Apache-2.0 */

/* Flow table lookups of the slow path, over libofproto's classifiers as they
 * are in one version. */

#include <config.h>
#include "ofproto/slowpath-private.h"

#include <inttypes.h>
#include "classifier.h"
#include "ofproto/connmgr.h"
#include "util.h"
#include "ofproto/of.h"

static void
count_table(struct slow_ctx *ctx, uint8_t table_id, bool match)
{
    struct of_slow_effect *e = slow_effect_add(ctx->out, OF_SLOW_TABLE);

    e->table.id = table_id;
    e->table.match = match;
}

/* Whether a miss, where 'miss' is what the last table does then, sends the
 * packet to the controllers. */
static bool
miss_to_controller(const struct slow_ctx *ctx, enum ofputil_table_miss miss)
{
    struct ofproto *ofproto = &ctx->bridge->dpif.up;
    const struct of_port *port;

    switch (miss) {
    case OFPUTIL_TABLE_MISS_CONTINUE:
    case OFPUTIL_TABLE_MISS_CONTROLLER:
        port = of_port_get(ctx->bridge, ctx->flow.in_port.ofp_port);
        return port && !(port->up.pp.config & OFPUTIL_PC_NO_PACKET_IN);

    case OFPUTIL_TABLE_MISS_DEFAULT:
        return connmgr_wants_packet_in_on_miss(ofproto->connmgr);

    case OFPUTIL_TABLE_MISS_DROP:
        break;
    }
    return false;
}

/* What a lookup ended with. */
enum found {
    FOUND_RULE,
    FOUND_MISS,                 /* Nothing; the packet ends. */
    FOUND_MISS_TO_CONTROLLER,
    FOUND_FRAGMENT              /* A fragment that set-frags drops. */
};

/* Looks the flow, as it is, up in one table after the other.  On a miss
 * returns null and stores in '*missp' what the last table does then. */
static const struct of_rule *
search(struct slow_ctx *ctx, const struct slow_lookup *lookup,
       enum ofputil_table_miss *missp)
{
    struct ofproto *ofproto = &ctx->bridge->dpif.up;
    int table_id;

    *missp = OFPUTIL_TABLE_MISS_CONTINUE;
    for (table_id = lookup->table_id; table_id < ofproto->n_tables;
         table_id++) {
        const struct cls_rule *cr;

        if (table_id == OF_TABLE_INTERNAL && table_id != lookup->table_id) {
            continue;
        }
        ctx->table_id = table_id;
        cr = classifier_lookup(&ofproto->tables[table_id].cls,
                               ctx->in->version, &ctx->flow, NULL);
        count_table(ctx, table_id, cr != NULL);
        if (cr) {
            return of_rule_from_cls(cr);
        }
        if (!lookup->honor_table_miss) {
            break;
        }
        *missp = ofproto_table_get_miss_config(ofproto, table_id);
        if (*missp != OFPUTIL_TABLE_MISS_CONTINUE) {
            break;
        }
    }
    return NULL;
}

/* The lookup as set-frags has it: transport ports of a fragment are either
 * not seen, or the packet goes no further. */
static enum found
find(struct slow_ctx *ctx, const struct slow_lookup *lookup,
     const struct of_rule **rulep)
{
    enum ofputil_frag_handling frag = ctx->bridge->dpif.up.frag_handling;
    const ofp_port_t in_port = ctx->flow.in_port.ofp_port;
    const ovs_be16 tp_src = ctx->flow.tp_src;
    const ovs_be16 tp_dst = ctx->flow.tp_dst;
    enum ofputil_table_miss miss;

    *rulep = NULL;
    ctx->table_id = lookup->table_id;
    if (ctx->flow.nw_frag & FLOW_NW_FRAG_ANY
        && frag != OFPUTIL_FRAG_NX_MATCH) {
        if (frag != OFPUTIL_FRAG_NORMAL) {
            count_table(ctx, lookup->table_id, true);
            return FOUND_FRAGMENT;
        }
        ctx->flow.tp_src = ctx->flow.tp_dst = htons(0);
    }
    ctx->flow.in_port.ofp_port = lookup->in_port;
    *rulep = search(ctx, lookup, &miss);
    ctx->flow.in_port.ofp_port = in_port;
    ctx->flow.tp_src = tp_src;
    ctx->flow.tp_dst = tp_dst;
    return (*rulep ? FOUND_RULE
            : lookup->may_packet_in && miss_to_controller(ctx, miss)
            ? FOUND_MISS_TO_CONTROLLER
            : FOUND_MISS);
}

static void
run_rule(struct slow_ctx *ctx, const struct of_rule *rule)
{
    const struct rule_actions *actions = rule_get_actions(&rule->up);
    struct of_slow_effect *e = slow_effect_add(ctx->out, OF_SLOW_RULE);

    e->rule.rule = CONST_CAST(struct of_rule *, rule);
    e->rule.size = ctx->size;
    ofproto_rule_ref(&e->rule.rule->up);
    ctx->rule = rule;
    ctx->cookie = rule->up.flow_cookie;
    ctx->last_table = ctx->table_id;
    ctx->last_cookie = ctx->cookie;
    slow_actions(ctx, actions->ofpacts, actions->ofpacts_len);
}

/* What a trace calls it. */
static const char *
found_text(enum found found)
{
    return (found == FOUND_MISS_TO_CONTROLLER
            ? "No match, and a \"packet-in\" is called for."
            : found == FOUND_FRAGMENT
            ? "Packets are IP fragments and the fragment handling mode is "
              "\"drop\"."
            : "No match.");
}

static void
run_found(struct slow_ctx *ctx, enum found found, const struct of_rule *rule)
{
    struct ovs_list *old_trace = slow_trace_table(ctx, rule,
                                                  found_text(found));

    if (found == FOUND_RULE) {
        run_rule(ctx, rule);
    } else {
        ctx->rule = NULL;
        ctx->cookie = htonll(0);
        ctx->last_table = ctx->table_id;
        ctx->last_cookie = htonll(0);
        if (found == FOUND_MISS_TO_CONTROLLER) {
            slow_controller_id(ctx, OFPR_IMPLICIT_MISS, 0);
        } else {
            ctx->drop = (found == FOUND_MISS ? DP_DROP_TABLE_MISS
                         : DP_DROP_FRAGMENT);
        }
    }
    ctx->trace = old_trace;
}

void
slow_first_table(struct slow_ctx *ctx)
{
    const struct slow_lookup lookup = {
        .in_port = ctx->flow.in_port.ofp_port,
        .may_packet_in = true,
        .honor_table_miss = true,
    };
    const struct of_rule *rule;
    enum found found = find(ctx, &lookup, &rule);

    run_found(ctx, found, rule);
}

bool
slow_may_go_deeper(struct slow_ctx *ctx)
{
    if (ctx->depth >= OF_SLOW_MAX_DEPTH) {
        slow_trace_error(ctx, "over max translation depth %d",
                         OF_SLOW_MAX_DEPTH);
        ctx->error = DP_DROP_RESUBMIT_DEPTH;
        return false;
    }
    if (ctx->resubmits >= OF_SLOW_MAX_RESUBMITS) {
        slow_trace_error(ctx, "over %d resubmit actions",
                         OF_SLOW_MAX_RESUBMITS);
        ctx->error = DP_DROP_RESUBMITS;
        return false;
    }
    if (ctx->stack.size >= OF_SLOW_MAX_STACK) {
        slow_trace_error(ctx, "resubmits yielded over 64 kB of stack");
        ctx->error = DP_DROP_FRAMES;
        return false;
    }
    return true;
}

void
slow_table(struct slow_ctx *ctx, const struct slow_lookup *lookup)
{
    const struct of_rule *old_rule = ctx->rule;
    const ovs_be64 old_cookie = ctx->cookie;
    const uint8_t old_table_id = ctx->table_id;
    const struct of_rule *rule;
    enum found found;
    bool deeper;

    if (!slow_may_go_deeper(ctx)) {
        return;
    }

    /* The table that was asked for decides, not where misses led. */
    deeper = lookup->table_id <= old_table_id;
    found = find(ctx, lookup, &rule);
    ctx->resubmits++;
    ctx->depth += deeper;
    run_found(ctx, found, rule);
    ctx->depth -= deeper;

    if (ctx->error == DP_DROP_NONE) {
        /* Otherwise stays at what caused it. */
        ctx->rule = old_rule;
        ctx->cookie = old_cookie;
        ctx->table_id = old_table_id;
    }
}
