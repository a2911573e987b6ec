/* SPDX-License-Identifier: Apache-2.0 */

/* What the slow path says of a packet's way. */

#include <config.h>
#include "ofproto/slowpath-private.h"

#include <inttypes.h>
#include <stdarg.h>
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-print.h"
#include "ofproto/of.h"
#include "ofproto/trace-tree.h"

#define TRACE(NAME, KIND)                                               \
    void                                                                \
    NAME(const struct slow_ctx *ctx, const char *format, ...)           \
    {                                                                   \
        if (ctx->trace) {                                               \
            va_list args;                                               \
                                                                        \
            va_start(args, format);                                     \
            of_trace_addv(ctx->trace, KIND, format, args);              \
            va_end(args);                                               \
        }                                                               \
    }
TRACE(slow_trace, OF_TRACE_DETAIL)
TRACE(slow_trace_warning, OF_TRACE_WARNING)
TRACE(slow_trace_error, OF_TRACE_ERROR)

void
slow_trace_action(const struct slow_ctx *ctx, const struct ofpact *a)
{
    if (ctx->trace) {
        struct ds s = DS_EMPTY_INITIALIZER;
        const struct ofpact_format_params fp = { .s = &s };

        ofpacts_format(a, OFPACT_ALIGN(a->len), &fp);
        of_trace_add(ctx->trace, OF_TRACE_ACTION, "%s", ds_cstr(&s));
        ds_destroy(&s);
    }
}

struct ovs_list *
slow_trace_bucket(struct slow_ctx *ctx, uint32_t bucket_id)
{
    struct ovs_list *old = ctx->trace;

    if (old) {
        ctx->trace = of_trace_add(old, OF_TRACE_BUCKET, "bucket %"PRIu32,
                                  bucket_id);
    }
    return old;
}

struct ovs_list *
slow_trace_table(struct slow_ctx *ctx, const struct of_rule *rule,
                 const char *text)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    struct ovs_list *old = ctx->trace;

    if (!old) {
        return NULL;
    }
    if (rule) {
        minimatch_format(&rule->up.cr.match,
                         ofproto_get_tun_tab(&ctx->bridge->dpif.up), NULL,
                         &s, OFP_DEFAULT_PRIORITY);
        if (ds_last(&s) != ' ') {
            ds_put_cstr(&s, ", ");
        }
        ds_put_format(&s, "priority %d", rule->up.cr.priority);
        if (rule->up.flow_cookie) {
            ds_put_format(&s, ", cookie %#"PRIx64,
                          ntohll(rule->up.flow_cookie));
        }
    } else {
        ds_put_cstr(&s, text);
    }
    ctx->trace = of_trace_add(old, OF_TRACE_TABLE, "%2d. %s", ctx->table_id,
                              ds_cstr(&s));
    ds_destroy(&s);
    return old;
}
