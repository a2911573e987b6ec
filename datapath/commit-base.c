/* SPDX-License-Identifier: Apache-2.0 */

/* COMMIT for packets that get or lose headers (MPLS, NSH, Ethernet), or whose
 * MPLS or NSH fields change: as Open vSwitch does it, by comparing the flow
 * with the *base*, what the bytes are, and carrying out the difference with
 * libopenvswitch's own functions.  A packet that was once written this way is
 * always written this way. */

#include "datapath/run.h"

#include <stdlib.h>
#include <string.h>
#include "datapath/ctx.h"
#include "datapath/worker.h"
#include "dp-packet.h"
#include "odp-execute.h"
#include "odp-util.h"
#include "openflow/openflow.h"
#include "packets.h"
#include "util.h"

void
dp_base_clear(struct dp_base *base)
{
    if (OVS_UNLIKELY(base->active)) {
        ofpbuf_delete(base->encap_data);
        base->active = false;
    }
}

static void
activate(struct dp_cold *cold)
{
    struct dp_base *base = &cold->base;

    cold->rare = true;
    base->active = true;
    base->encap = base->decap = false;
    base->encap_data = NULL;
}

/* The words that are not in the packet. */
static void
copy_metadata(struct flow *dst, const struct flow *src)
{
    memcpy(dst, src, offsetof(struct flow, dl_dst));
}

int
dp_ctx_rebase(struct dp_ctx *ctx)
{
    struct dp_base *base = &ctx->cold->base;

    if (!base->active) {
        int error = dp_commit(ctx);

        if (error) {
            return error;
        }
        /* Unless the commit has done so. */
        if (!base->active) {
            activate(ctx->cold);
            /* Notes what pads the packet, too. */
            dp_ctx_dress(ctx);
            flow_extract(ctx->packet, &base->flow);
            dp_flow_from_key(&base->flow, ctx->key);
        }
    }
    return 0;
}

void
dp_ctx_will_encap(struct dp_ctx *ctx, struct ofpbuf *encap_data)
{
    struct dp_base *base = &ctx->cold->base;

    ofpbuf_delete(base->encap_data);
    base->encap_data = encap_data;
    base->encap = true;
}

void
dp_ctx_will_decap(struct dp_ctx *ctx)
{
    ctx->cold->base.decap = true;
}

/* Carries out 'actions'.  The packet may not survive it: one that says that
 * it has more headers than bytes. */
static int
execute(struct dp_ctx *ctx, const struct ofpbuf *actions)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_packet_batch batch;
    int error;

    dp_ctx_put_offsets(ctx);
    error = dp_ctx_unshare(ctx);
    if (error) {
        return error;
    }
    dp_packet_batch_init_packet(&batch, ctx->packet);
    odp_execute_actions(NULL, &batch, false, actions->data, actions->size,
                        NULL);
    if (dp_packet_batch_is_empty(&batch)) {
        /* packet-path exception: a placeholder for a malformed packet. */
        ctx->packet = dp_packet_new(ETH_HEADER_LEN);
        cold->bufs[cold->buf].packet = ctx->packet;
        cold->gone = true;
        dp_ctx_drop(ctx, DP_DROP_PACKET_TYPE);
    }
    return 0;
}

void
dp_flow_leave_cut(struct flow *flow, const struct flow *base,
                  const struct dp_packet *packet)
{
    const uint8_t *l3 = dp_packet_l3(packet);
    const uint8_t *end = dp_packet_tail(packet);

    if (base->dl_type == htons(ETH_TYPE_ARP)
        && (!l3 || end - l3 < ARP_ETH_HEADER_LEN)) {
        flow->nw_proto = base->nw_proto;
        flow->nw_src = base->nw_src;
        flow->nw_dst = base->nw_dst;
        flow->arp_sha = base->arp_sha;
        flow->arp_tha = base->arp_tha;
    } else if (base->dl_type == htons(ETH_TYPE_NSH)
               && is_all_zeros(&base->nsh, sizeof base->nsh)) {
        flow->nsh = base->nsh;
    }
}

int
dp_commit_base(struct dp_ctx *ctx)
{
    struct dp_base *base = &ctx->cold->base;
    struct flow_wildcards wc;
    uint64_t stub[1024 / 8];
    struct ofpbuf actions = OFPBUF_STUB_INITIALIZER(stub);
    struct flow flow;
    int error = 0;

    dp_ctx_dress(ctx);
    dp_flow_from_key(&flow, ctx->key);
    if (!base->active) {
        dp_ctx_put_offsets(ctx);
        activate(ctx->cold);
        flow_extract(ctx->packet, &base->flow);
        copy_metadata(&base->flow, &flow);
    }
    ctx->dirty = 0;

    dp_flow_leave_cut(&flow, &base->flow, ctx->packet);
    memset(&wc, 0xff, sizeof wc);
    commit_odp_actions(&flow, &base->flow, &actions, &wc, true,
                       base->encap, base->decap, base->encap_data);
    base->encap = base->decap = false;
    ofpbuf_delete(base->encap_data);
    base->encap_data = NULL;
    if (actions.size) {
        error = execute(ctx, &actions);
    }
    ofpbuf_uninit(&actions);
    if (error) {
        dp_ctx_fatal(ctx, DP_DROP_NO_MEMORY);
        return error;
    }
    ctx->n_vlans = flow_count_vlan_headers(&flow);
    dp_ctx_refresh(ctx);
    return 0;
}

void
dp_ctx_reparse(struct dp_ctx *ctx)
{
    struct dp_cold *cold = ctx->cold;
    struct flow flow, old;

    if (dp_commit(ctx) || dp_ctx_unshare(ctx)) {
        return;
    }
    dp_ctx_dress(ctx);
    dp_flow_from_key(&old, ctx->key);
    pkt_metadata_init(&ctx->packet->md, ODPP_NONE);
    flow_extract(ctx->packet, &flow);
    old.packet_type = flow.packet_type;
    old.ct_mark = flow.ct_mark;
    copy_metadata(&flow, &old);
    flow.in_port = old.in_port;
    flow.actset_output = old.actset_output;
    dp_key_from_flow(ctx->key, &flow);
    ctx->wide = DP_WIDE_ANY;
    if (cold->base.active) {
        cold->base.flow = flow;
    }
    cold->nd_base.valid = false;
    /* Where OVS begins anew an error does not reach back. */
    cold->kept_outs = cold->n_outs;
    cold->kept_upcalls = cold->n_upcalls;
    dp_run_count(cold->worker, ctx);
    ctx->packet_size = dp_packet_size(ctx->packet);
    ctx->n_vlans = flow_count_vlan_headers(&flow);
    dp_ctx_refresh(ctx);
}
