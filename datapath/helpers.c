/* SPDX-License-Identifier: Apache-2.0 */

/* The helpers of generated programs: thin, over what the other files do. */

#include "datapath/bridge-type.h"

#include <string.h>
#include "datapath/bridge.h"
#include "datapath/ctx.h"
#include "datapath/meter.h"
#include "datapath/private.h"
#include "datapath/run.h"
#include "datapath/tap-private.h"
#include "datapath/upcall.h"
#include "datapath/worker.h"
#include "openflow/openflow.h"
#include "openvswitch/flow.h"
#include "openvswitch/ofp-switch.h"
#include "packets.h"
#include "vm/maps/vtable.h"

#define HELPER(NAME)                                                    \
    uint64_t                                                            \
    dp_helper_##NAME(uint64_t r1, uint64_t r2, uint64_t r3,             \
                     uint64_t r4, uint64_t r5)

static struct dp_ctx *
to_ctx(uint64_t r)
{
    return (struct dp_ctx *) (uintptr_t) r;
}

HELPER(parse)
{
    dp_parse(to_ctx(r1));
    return 0;
}

/* Parameters of the current flow, 'size' bytes. */
static inline uint64_t
params(const struct dp_flow *flow, uint64_t size)
{
    const uint64_t *p = dp_flow_params(flow);

    return OVS_LIKELY(p && size <= flow->params_size) ? (uintptr_t) p : 0;
}

static uint64_t
no_params(struct dp_ctx *ctx)
{
    dp_resubmit_done(ctx);
    dp_ctx_fatal(ctx, DP_DROP_PROGRAM_ERROR);
    return 0;
}

/* A hit that is not the first, or in some way unusual.  The flow of the last
 * lookup is counted now, because there is one more: that of this lookup is at
 * the end of the burst (dp_run_burst()). */
static __attribute__((noinline)) uint64_t
odd_hit(struct dp_ctx *ctx, uint64_t size)
{
    struct dp_cold *cold = ctx->cold;
    const struct dp_flow *flow;
    uint64_t block;

    flow = dp_flow_at(cold->worker->tables, DP_HIT_FLOW(ctx->hit));
    block = params(flow, size);
    if (!block) {
        return no_params(ctx);
    }
    dp_run_count(cold->worker, ctx);
    if (!dp_count_lookup(ctx)) {
        return 0;
    }
    dp_resubmit_done(ctx);
    ctx->table_id = flow->table_id;
    cold->flow = flow;
    return block;
}

/* Both limits are powers of 2: a lookup near one of them is odd. */
#define NEAR_LIMIT ((DP_MAX_RESUBMITS | 2 * DP_MAX_RESUBMITS \
                     | 4 * DP_MAX_RESUBMITS | 8 * DP_MAX_RESUBMITS) \
                    | (DP_MAX_DEPTH | 2 * DP_MAX_DEPTH) << 16)

/* Whether this hit is unusual (odd_hit()); 0 if it is not. */
static inline uint64_t
oddness(const struct dp_ctx *ctx)
{
    const struct dp_cold *cold = ctx->cold;

    return (uintptr_t) cold->flow | cold->odd | (ctx->lookups & NEAR_LIMIT);
}

static inline void
note_hit(struct dp_ctx *ctx, const struct dp_flow *flow)
{
    ctx->resubmits++;
    ctx->table_id = flow->table_id;
    ctx->cold->flow = flow;
}

HELPER(hit)
{
    struct dp_ctx *ctx = to_ctx(r1);
    const struct dp_flow *flow;
    uint64_t block;

    flow = dp_flow_at(ctx->cold->worker->tables, DP_HIT_FLOW(ctx->hit));
    block = params(flow, r2);
    if (OVS_UNLIKELY(!block || oddness(ctx))) {
        return odd_hit(ctx, r2);
    }
    note_hit(ctx, flow);
    return block;
}

HELPER(warm)
{
    struct dp_ctx *ctx = to_ctx(r1);
    struct dp_worker *worker = ctx->cold->worker;
    const struct dp_flow *flow;

    flow = dp_flow_at(worker->tables, DP_HIT_FLOW(ctx->hit));
    __builtin_prefetch(flow);
    worker->far = true;
    return 0;
}

HELPER(params)
{
    struct dp_ctx *ctx = to_ctx(r1);
    uint64_t block;

    block = params(dp_flow_at(ctx->cold->worker->tables,
                              DP_HIT_FLOW(ctx->hit)), r2);
    return OVS_LIKELY(block) ? block : no_params(ctx);
}

HELPER(miss)
{
    return dp_miss(to_ctx(r1), r2);
}

HELPER(frag_lookup)
{
    struct vm_map *map = (struct vm_map *) (uintptr_t) r1;
    struct dp_ctx *ctx = to_ctx(r2);
    const union dp_key_nw nw = { .word = ctx->key[DP_KEY_NW] };
    uint64_t tp = ctx->key[DP_KEY_TP];
    uint32_t handling = DP_CONF_GET(ctx->conf->frag_handling);
    uint64_t *value;

    if (nw.nw_frag & FLOW_NW_FRAG_ANY
        && handling != OFPUTIL_FRAG_NX_MATCH) {
        union dp_key_tp no_ports = { .word = tp };

        if (handling != OFPUTIL_FRAG_NORMAL) {
            ctx->cold->frag_drop = true;
            return 0;
        }
        no_ports.tp_src = no_ports.tp_dst = 0;
        ctx->key[DP_KEY_TP] = no_ports.word;
    }
    value = vm_vmap_lookup(map, ctx->key, ctx->version);
    ctx->key[DP_KEY_TP] = tp;
    return (uintptr_t) value;
}

HELPER(frame)
{
    return !dp_frame_push(to_ctx(r1), r2);
}

HELPER(resubmit)
{
    return !dp_resubmit(to_ctx(r1), r2, r3);
}

HELPER(end)
{
    return dp_frames_end(to_ctx(r1));
}

HELPER(output)
{
    dp_output(to_ctx(r1), r2, r3);
    return 0;
}

/* Where a packet ends that was output once: see dp_run_burst(). */
HELPER(output_last)
{
    struct dp_ctx *ctx = to_ctx(r1);
    struct dp_cold *cold = ctx->cold;
    struct dp_port *port;

    if (OVS_LIKELY(!(cold->odd | cold->pending | ctx->dirty))) {
        port = dp_worker_direct_port(ctx, r2);
        if (OVS_LIKELY(port)) {
            cold->out = port;
            return 0;
        }
    }
    return dp_output_last(ctx, r2);
}

static __attribute__((noinline)) uint64_t
odd_hit_output(struct dp_ctx *ctx)
{
    uint64_t block = dp_helper_hit((uintptr_t) ctx, sizeof(uint64_t), 0, 0,
                                   0);

    return (block ? dp_output_last(ctx, *(uint16_t *) (uintptr_t) block)
            : DP_SLOT_END);
}

/* hit and output_last.  A block of one word is in the flow. */
HELPER(hit_output)
{
    struct dp_ctx *ctx = to_ctx(r1);
    struct dp_cold *cold = ctx->cold;
    const struct dp_flow *flow;
    struct dp_port *port;

    flow = dp_flow_at(cold->worker->tables, DP_HIT_FLOW(ctx->hit));
    if (OVS_UNLIKELY(oddness(ctx) | cold->pending | ctx->dirty
                     || flow->params_size < sizeof flow->own[0])) {
        return odd_hit_output(ctx);
    }
    port = dp_worker_direct_port(ctx, *(const uint16_t *) flow->own);
    if (OVS_UNLIKELY(!port)) {
        return odd_hit_output(ctx);
    }
    note_hit(ctx, flow);
    cold->out = port;
    return 0;
}

HELPER(output_all)
{
    dp_output_all(to_ctx(r1), r2);
    return 0;
}

HELPER(normal)
{
    struct dp_ctx *ctx = to_ctx(r1);

    if (dp_normal_fn) {
        return dp_normal_fn(ctx);
    }
    dp_ctx_drop(ctx, DP_DROP_NORMAL_NO_PORT);
    return 0;
}

HELPER(controller)
{
    dp_ctx_controller(to_ctx(r1), (const void *) (uintptr_t) r2, r3);
    return 0;
}

HELPER(group)
{
    struct dp_ctx *ctx = to_ctx(r1);

    if (!dp_group_fn_) {
        dp_ctx_drop(ctx, DP_DROP_NO_GROUP);
        return DP_SLOT_END;
    }
    return dp_group_fn_(ctx, r2, r3);
}

/* Raises the drop precedence, which the assured forwarding classes of DSCP
 * have (RFC 2597), to at most 3. */
static void
remark(struct dp_ctx *ctx, int levels)
{
    union dp_key_nw nw = { .word = ctx->key[DP_KEY_NW] };
    int class = nw.nw_tos >> 5, precedence = nw.nw_tos >> 3 & 3;
    union dp_key_eth eth;

    memcpy(eth.words, &ctx->key[DP_KEY_ETH], sizeof eth.words);
    if (dl_type_is_ip_any(eth.dl_type) && class >= 1 && class <= 4
        && precedence && !(nw.nw_tos & 4)) {
        nw.nw_tos &= ~(3 << 3);
        nw.nw_tos |= MIN(precedence + levels, 3) << 3;
        ctx->key[DP_KEY_NW] = nw.word;
        ctx->dirty |= (eth.dl_type == htons(ETH_TYPE_IP)
                       ? DP_DIRTY_IPV4 : DP_DIRTY_IPV6);
    }
}

HELPER(meter)
{
    struct dp_ctx *ctx = to_ctx(r1);
    struct dp_worker *worker = ctx->cold->worker;
    int result = (OVS_UNLIKELY(worker->dry) ? DP_METER_PASS
                  : dp_meter_run(worker, r2, ctx->packet_size,
                                 worker->now_us));

    if (result == DP_METER_DROP) {
        dp_ctx_drop(ctx, DP_DROP_METER);
        dp_frames_end_copy(ctx);
        return 1;
    } else if (result) {
        remark(ctx, result);
    }
    return 0;
}

HELPER(drop)
{
    dp_ctx_drop(to_ctx(r1), r2 < DP_N_DROPS ? r2 : DP_DROP_ACTION);
    return 0;
}

/* VLAN tags are kept in the key until COMMIT.  Pushing a third one loses the
 * innermost, as in flow_push_vlan_uninit(). */

HELPER(push_vlan)
{
    struct dp_ctx *ctx = to_ctx(r1);
    union dp_key_vlan key = { .word = ctx->key[DP_KEY_VLAN] };

    key.vlans[1] = key.vlans[0];
    key.vlans[0].tpid = r2;
    key.vlans[0].tci = htons(VLAN_CFI);
    ctx->key[DP_KEY_VLAN] = key.word;
    ctx->dirty |= DP_DIRTY_VLAN;
    return 0;
}

HELPER(pop_vlan)
{
    struct dp_ctx *ctx = to_ctx(r1);
    union dp_key_vlan key = { .word = ctx->key[DP_KEY_VLAN] };

    if (key.vlans[0].tci & htons(VLAN_CFI)) {
        if (key.vlans[1].tci & htons(VLAN_CFI)) {
            key.vlans[0] = key.vlans[1];
            key.vlans[1].tpid = key.vlans[1].tci = 0;
        } else {
            key.vlans[0].tpid = key.vlans[0].tci = 0;
        }
        ctx->key[DP_KEY_VLAN] = key.word;
        ctx->dirty |= DP_DIRTY_VLAN;
    }
    return 0;
}

HELPER(dec_ttl)
{
    struct dp_ctx *ctx = to_ctx(r1);
    union dp_key_nw nw = { .word = ctx->key[DP_KEY_NW] };
    union dp_key_eth eth;

    memcpy(eth.words, &ctx->key[DP_KEY_ETH], sizeof eth.words);
    if (!dl_type_is_ip_any(eth.dl_type)) {
        return 0;
    }
    if (nw.nw_ttl > 1) {
        nw.nw_ttl--;
        ctx->key[DP_KEY_NW] = nw.word;
        ctx->dirty |= (eth.dl_type == htons(ETH_TYPE_IP)
                       ? DP_DIRTY_IPV4 : DP_DIRTY_IPV6);
        return 0;
    }
    dp_ctx_drop(ctx, DP_DROP_TTL);
    dp_ctx_upcall(ctx, DP_UPCALL_INVALID_TTL, NULL, true);
    return 1;
}

HELPER(aset_write)
{
    struct dp_ctx *ctx = to_ctx(r1);

    ctx->cold->rare = true;
    if (!dp_aset_write(&ctx->cold->bulk->aset, r2, r3, ctx->hit,
                       ctx->table_id)) {
        dp_ctx_fatal(ctx, DP_DROP_ACTION_SET_SIZE);
        return 1;
    }
    if (ctx->cold->bulk->aset.present & 1u << DP_ASET_GROUP) {
        /* A group in the set takes the place of its output. */
        union dp_key_actset actset = { .word = ctx->key[DP_KEY_ACTSET] };

        actset.output = OFPP_UNSET;
        ctx->key[DP_KEY_ACTSET] = actset.word;
        ctx->wide = DP_WIDE_ANY;
    }
    return 0;
}

HELPER(aset_clear)
{
    dp_aset_clear(&to_ctx(r1)->cold->bulk->aset);
    return 0;
}

HELPER(aset_stop)
{
    struct dp_cold *cold = to_ctx(r1)->cold;

    dp_aset_clear(&cold->bulk->running);
    cold->in_action_set = false;
    return 0;
}

HELPER(clone)
{
    return !dp_frame_push_clone(to_ctx(r1), r2);
}

HELPER(native)
{
    return dp_native_run(to_ctx(r1), r2, (const void *) (uintptr_t) r3, r4);
}

HELPER(lookup)
{
    return dp_native_run(to_ctx(r1), r2, NULL, r3);
}

HELPER(tap)
{
    return dp_tap_step(to_ctx(r1), r2);
}

HELPER(tap_enter)
{
    return dp_tap_enter(to_ctx(r1), r2);
}

HELPER(exit)
{
    dp_frames_exit(to_ctx(r1));
    return 0;
}
