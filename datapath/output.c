/* SPDX-License-Identifier: Apache-2.0 */

/* Outputs: checked, queued in the run, handed to ports when it has ended. */

#include "datapath/run.h"

#include <stdlib.h>
#include "datapath/bridge.h"
#include "datapath/ctx.h"
#include "datapath/port.h"
#include "datapath/private.h"
#include "datapath/upcall.h"
#include "datapath/worker.h"
#include "dp-packet.h"
#include "openflow/openflow.h"
#include "util.h"

static void
grow_outs(struct dp_cold *cold)
{
    struct dp_out *old = cold->outs == &cold->first_out ? NULL : cold->outs;

    /* packet-path exception: grows to the most that a packet ever needed,
     * once. */
    cold->outs = x2nrealloc(old, &cold->allocated_outs, sizeof *cold->outs);
    if (!old) {
        cold->outs[0] = cold->first_out;
    }
}

/* Queues the context's packet as it is. */
static void
queue_output(struct dp_ctx *ctx, struct dp_port *port, uint32_t buf,
             uint32_t cut)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_out *out;

    if (OVS_UNLIKELY(cold->n_outs >= cold->allocated_outs)) {
        grow_outs(cold);
    }
    out = &cold->outs[cold->n_outs++];
    out->port = port;
    out->buf = buf;
    out->cut = cut;
    cold->bufs[buf].n_outputs++;
}

/* Whether 'port' may send; the drop reason is noted if not. */
static bool
may_send(struct dp_ctx *ctx, const struct dp_port *port)
{
    uint32_t flags;

    if (!port) {
        dp_ctx_drop(ctx, DP_DROP_NO_PORT);
        return false;
    }
    if (OVS_UNLIKELY(ctx->cold->rare) && ctx->cold->base.active
        && (ctx->cold->gone || dp_ctx_packet_type(ctx))) {
        /* Ports carry Ethernet. */
        dp_ctx_drop(ctx, DP_DROP_PACKET_TYPE);
        return false;
    }
    flags = dp_port_flags(port);
    if (OVS_LIKELY(!(flags & DP_PORT_NO_OUTPUT))) {
        return true;
    }
    if (flags & DP_PORT_NO_FWD) {
        dp_ctx_drop(ctx, DP_DROP_NO_FWD);
        return false;
    } else if (flags & DP_PORT_DOWN) {
        dp_ctx_drop(ctx, DP_DROP_PORT_DOWN);
        return false;
    }
    dp_ctx_drop(ctx, DP_DROP_OUT_BLOCKED);
    return false;
}

/* As in OVS what is left out is decided before changes are committed: headers
 * that are yet to be added come on top of 'max_len'. */
static uint32_t
bytes_to_cut(const struct dp_ctx *ctx, uint32_t max_len)
{
    uint32_t size = ctx->data_end - ctx->data;

    if (OVS_LIKELY(!max_len)) {
        return 0;
    }
    max_len = MAX(max_len, ETH_HEADER_LEN);
    return size > max_len ? size - max_len : 0;
}

static void
output_port(struct dp_ctx *ctx, struct dp_port *port, uint32_t max_len)
{
    uint32_t cut = bytes_to_cut(ctx, max_len);

    if (may_send(ctx, port) && (OVS_LIKELY(!ctx->dirty) || !dp_commit(ctx))
        && !ctx->cold->gone) {
        queue_output(ctx, port, ctx->cold->buf, cut);
        if (OVS_UNLIKELY(DP_CONF_GET(ctx->conf->watch_outputs))) {
            dp_egress(ctx, port->ofp_port);
        }
    }
}

void
dp_output_all(struct dp_ctx *ctx, bool flood)
{
    const struct dp_port_table *ports;
    uint32_t in_port = dp_ctx_key_in_port(ctx);

    ports = atomic_load_explicit(&ctx->cold->bridge->ports,
                                 memory_order_acquire);
    for (uint32_t i = 0; i < ports->n_ports; i++) {
        struct dp_port *port = ports->list[i];

        if (port->ofp_port != in_port
            && !(flood && dp_port_flags(port) & DP_PORT_NO_FLOOD)) {
            output_port(ctx, port, 0);
        }
    }
}

void
dp_output(struct dp_ctx *ctx, uint32_t ofp_port, uint32_t max_len)
{
    uint32_t in_port = dp_ctx_key_in_port(ctx);
    struct dp_upcall_node *node;

    if (OVS_LIKELY(ofp_port < OFPP_MAX && ofp_port != in_port)) {
        output_port(ctx, dp_bridge_port(ctx->cold->bridge, ofp_port),
                    max_len);
        return;
    }
    switch (ofp_port) {
    case OFPP_IN_PORT:
        output_port(ctx, dp_bridge_port(ctx->cold->bridge, in_port), max_len);
        break;

    case OFPP_NORMAL:
        if (dp_normal_fn) {
            dp_normal_fn(ctx);
        } else {
            dp_ctx_drop(ctx, DP_DROP_NO_PORT);
        }
        break;

    case OFPP_FLOOD:
    case OFPP_ALL:
        dp_output_all(ctx, ofp_port == OFPP_FLOOD);
        break;

    case OFPP_CONTROLLER:
        node = dp_upcall_build(ctx, DP_UPCALL_CONTROLLER, true, NULL, 0);
        if (node) {
            node->up.arg[0] = max_len;
            node->up.arg[1] = ctx->cold->in_action_set;
        }
        if (!dp_ctx_queue_upcall(ctx, node)) {
            dp_ctx_drop(ctx, DP_DROP_UPCALL_FULL);
        }
        break;

    case OFPP_NONE:
        break;

    default:
        if (ofp_port == in_port) {
            dp_ctx_drop(ctx, DP_DROP_IN_PORT);
        } else {
            output_port(ctx, dp_bridge_port(ctx->cold->bridge, ofp_port),
                        max_len);
        }
        break;
    }
}

uint32_t
dp_output_last(struct dp_ctx *ctx, uint32_t ofp_port)
{
    struct dp_cold *cold = ctx->cold;
    struct dp_port *port;

    if (OVS_LIKELY(!(cold->odd | cold->pending))) {
        port = dp_worker_direct_port(ctx, ofp_port);
        /* What was changed is written now, which may make the packet odd. */
        if (OVS_LIKELY(port && !(ctx->dirty && dp_commit(ctx))
                       && !cold->odd)) {
            cold->out = port;
            return 0;
        }
    }
    dp_output(ctx, ofp_port, 0);
    /* A tapped packet is to be seen at END. */
    return OVS_UNLIKELY(cold->rare) ? DP_SLOT_END : dp_frames_end(ctx);
}

void
dp_ctx_output(struct dp_ctx *ctx, uint32_t ofp_port)
{
    output_port(ctx, dp_bridge_port(ctx->cold->bridge, ofp_port), 0);
}

void
dp_ctx_output_cut(struct dp_ctx *ctx, uint32_t ofp_port, uint32_t max_len)
{
    output_port(ctx, dp_bridge_port(ctx->cold->bridge, ofp_port), max_len);
}

void
dp_ctx_output_vlan(struct dp_ctx *ctx, uint32_t ofp_port, uint16_t tci)
{
    struct dp_port *port = dp_bridge_port(ctx->cold->bridge, ofp_port);
    union dp_key_vlan old = { .word = ctx->key[DP_KEY_VLAN] };
    union dp_key_vlan new = old;
    bool tagged = old.vlans[0].tci & htons(VLAN_CFI);
    struct dp_cold *cold = ctx->cold;
    struct dp_packet *copy;
    uint32_t buf;

    if (!may_send(ctx, port) || dp_commit(ctx)) {
        return;
    }
    if (!tci && tagged) {
        new.vlans[0] = old.vlans[1];
        new.vlans[1].tpid = new.vlans[1].tci = 0;
    } else if (tci) {
        new.vlans[0].tci = htons(tci | VLAN_CFI);
        if (!tagged) {
            new.vlans[0].tpid = htons(ETH_TYPE_VLAN);
        }
    }
    if (new.word == old.word) {
        queue_output(ctx, port, cold->buf, 0);
        return;
    }

    /* packet-path exception: this output alone has another tag. */
    dp_ctx_put_offsets(ctx);
    copy = dp_packet_clone_with_headroom(ctx->packet,
                                         dp_packet_headroom(ctx->packet));
    DP_WORKER_ADD(cold->worker, bufs_in, 1);
    dp_commit_vlans(copy, ctx->n_vlans, new.word);
    buf = dp_run_add_buf(cold, copy);
    queue_output(ctx, port, buf, 0);
}

void
dp_outputs_send(struct dp_cold *cold)
{
    struct dp_worker *worker = cold->worker;

    for (uint32_t i = 0; i < cold->n_outs; i++) {
        const struct dp_out *out = &cold->outs[i];
        struct dp_buf *buf = &cold->bufs[out->buf];
        struct dp_packet *packet = buf->packet;

        if (--buf->n_outputs) {
            /* packet-path exception: several outputs need several
             * buffers. */
            packet = dp_packet_clone_with_headroom(
                packet, dp_packet_headroom(packet));
            DP_WORKER_ADD(worker, bufs_in, 1);
        } else {
            buf->packet = NULL;
        }
        if (out->cut) {
            uint32_t size = dp_packet_size(packet);

            dp_packet_set_size(packet, size - MIN(out->cut, size));
        }
        dp_worker_send(worker, out->port, packet);
    }
    cold->n_outs = 0;

    for (uint32_t i = 0; i < cold->n_bufs; i++) {
        if (cold->bufs[i].packet) {
            dp_packet_delete(cold->bufs[i].packet);
            DP_WORKER_ADD(worker, bufs_out, 1);
        }
    }
    cold->n_bufs = 0;
}

void
dp_outputs_cancel(struct dp_cold *cold)
{
    while (cold->n_outs > cold->kept_outs) {
        cold->bufs[cold->outs[--cold->n_outs].buf].n_outputs--;
    }
}
