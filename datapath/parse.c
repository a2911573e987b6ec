/* SPDX-License-Identifier: Apache-2.0 */

/* PARSE by libopenvswitch: everything that generated PARSE programs leave
 * out.  flow_extract() takes any bytes: it parses as far as they go. */

#include "datapath/run.h"

#include "datapath/ctx.h"
#include "dp-packet.h"
#include "flow.h"
#include "openflow/openflow.h"
#include "packets.h"

void
dp_parse(struct dp_ctx *ctx)
{
    uint32_t in_port = dp_ctx_key_in_port(ctx);
    struct flow flow;

    dp_ctx_dress(ctx);
    pkt_metadata_init(&ctx->packet->md, u32_to_odp(in_port));
    flow_extract(ctx->packet, &flow);
    flow.in_port.odp_port = u32_to_odp(in_port);
    flow.actset_output = OFPP_UNSET;
    dp_key_from_flow(ctx->key, &flow);
    ctx->wide = DP_WIDE_ANY;
    ctx->n_vlans = flow_count_vlan_headers(&flow);
    dp_ctx_refresh(ctx);
}
