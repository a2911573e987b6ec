/* SPDX-License-Identifier: Apache-2.0 */

/* What happens to a packet that a table has no rule for: the table-miss
 * configuration, read live, because libofproto answers a barrier without
 * telling its provider of a change. */

#include "datapath/run.h"

#include "datapath/bridge.h"
#include "datapath/ctx.h"
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/upcall.h"
#include "datapath/worker.h"
#include "openvswitch/ofp-table.h"
#include "vm/type.h"

enum { LAST_TABLE = 253 };              /* 254 is ofproto's own. */

/* The packet goes to the controllers. */
static void
miss_to_controller(struct dp_ctx *ctx, uint8_t table_id)
{
    dp_ctx_drop_at(ctx, DP_DROP_TABLE_MISS, table_id, 0);
    ctx->hit = DP_HIT(0, DP_FLOW_NONE);
    ctx->table_id = table_id;
    if (!dp_ctx_upcall(ctx, DP_UPCALL_MISS, NULL, true)) {
        dp_ctx_drop_at(ctx, DP_DROP_UPCALL_FULL, table_id, 0);
    }
}

/* OVS asks the port in this case only. */
static bool
port_wants_packet_ins(const struct dp_ctx *ctx)
{
    const struct dp_port *port;

    port = dp_bridge_port(ctx->cold->bridge, dp_ctx_key_in_port(ctx));
    return port && !(dp_port_flags(port) & DP_PORT_NO_PACKET_IN);
}

static bool
has_program(const struct dp_ctx *ctx, uint32_t slot)
{
    return atomic_load_explicit(&ctx->slots->prog[slot],
                                memory_order_relaxed) != NULL;
}

uint32_t
dp_miss(struct dp_ctx *ctx, uint8_t table_id)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_bridge_stats *stats = cold->worker->stats_of_bridge;
    const struct dp_bridge_conf *conf = ctx->conf;
    bool resubmitting = cold->resubmitting;

    /* The rule that led here comes before: what is noted here counts. */
    dp_run_count(cold->worker, ctx);
    if (!dp_count_lookup(ctx)) {
        return DP_SLOT_END;
    }
    dp_resubmit_done(ctx);
    if (cold->frag_drop) {
        /* OVS has a rule for this, so it counts as a match. */
        cold->frag_drop = false;
        dp_bridge_count(stats, table_id, true);
        dp_ctx_drop_at(ctx, DP_DROP_FRAGMENT, table_id, 0);
        return DP_SLOT_END;
    }

    for (;;) {
        enum ofputil_table_miss miss = dp_table_miss(
            DP_CONF_GET(conf->table_miss[table_id]), ctx->version);

        dp_bridge_count(stats, table_id, false);
        if (resubmitting) {
            /* A resubmit that misses does nothing at all. */
            dp_ctx_drop_at(ctx, DP_DROP_TABLE_MISS, table_id, 0);
        } else if (miss == OFPUTIL_TABLE_MISS_CONTINUE
                   && table_id < LAST_TABLE) {
            table_id++;
            if (has_program(ctx, DP_SLOT_TABLE + table_id)) {
                return DP_SLOT_TABLE + table_id;
            }
            continue;           /* A table without a program is empty. */
        } else if (miss == OFPUTIL_TABLE_MISS_DEFAULT
                   ? DP_CONF_GET(conf->packet_in_on_miss)
                   : miss != OFPUTIL_TABLE_MISS_DROP
                   && port_wants_packet_ins(ctx)) {
            miss_to_controller(ctx, table_id);
        } else {
            dp_ctx_drop_at(ctx, DP_DROP_TABLE_MISS, table_id, 0);
        }
        return DP_SLOT_END;
    }
}
