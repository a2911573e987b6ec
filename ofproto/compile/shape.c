/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/compile/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "bitmap.h"
#include "hash.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "util.h"
#include "datapath/dp.h"
#include "ofproto/compile/actions.h"
#include "ofproto/compile/load.h"
#include "ofproto/compile/pipeline.h"
#include "vm/map.h"
#include "vm/prog.h"

VLOG_DEFINE_THIS_MODULE(of_shape);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

struct ovs_mutex of_compile_mutex = OVS_MUTEX_INITIALIZER;

static struct hmap shapes = HMAP_INITIALIZER(&shapes);
static unsigned long used_slots[BITMAP_N_LONGS(DP_N_SLOTS)];
static uint32_t next_slot = DP_SLOT_ACTIONS;
static unsigned int next_id = 1;
static uint64_t n_generated;

/* Segments. */

uint32_t
of_segments_new_slot(struct of_segments *segments)
{
    size_t slot = bitmap_scan(used_slots, false, next_slot, DP_N_SLOTS);

    if (slot >= DP_N_SLOTS) {
        slot = bitmap_scan(used_slots, false, DP_SLOT_ACTIONS, next_slot);
        if (slot >= next_slot) {
            return 0;
        }
    }
    bitmap_set1(used_slots, slot);
    next_slot = slot + 1 < DP_N_SLOTS ? slot + 1 : DP_SLOT_ACTIONS;

    if (segments->n >= segments->allocated) {
        segments->s = x2nrealloc(segments->s, &segments->allocated,
                                 sizeof *segments->s);
    }
    segments->s[segments->n++] = (struct of_segment) { .slot = slot };
    return slot;
}

int
of_segments_add(struct of_segments *segments, uint32_t slot,
                struct vm_emit *e)
{
    struct vm_err err;
    char name[32];
    int error;

    snprintf(name, sizeof name, "actions:%"PRIu32, slot);
    for (size_t i = 0; i < segments->n; i++) {
        struct of_segment *s = &segments->s[i];

        if (s->slot == slot) {
            error = of_load(e, name, &s->prog, &err);
            if (error) {
                VLOG_ERR_RL(&rl, "cannot load action program: %s", err.text);
            }
            n_generated += !error;
            return error;
        }
    }
    return -ENOENT;
}

static void
segments_destroy_locked(struct of_segments *segments)
{
    for (size_t i = 0; i < segments->n; i++) {
        of_pipelines_set_slot_locked(segments->s[i].slot, NULL);
        vm_prog_unref(segments->s[i].prog);
        bitmap_set0(used_slots, segments->s[i].slot);
    }
    free(segments->s);
}

/* Shapes. */

static struct of_shape *
shape_lookup_locked(const struct ofpbuf *bytes, uint32_t hash)
{
    struct of_shape *shape;

    HMAP_FOR_EACH_WITH_HASH (shape, node, hash, &shapes) {
        if (shape->n_bytes == bytes->size
            && !memcmp(shape->bytes, bytes->data, bytes->size)) {
            return shape;
        }
    }
    return NULL;
}

static void
shape_destroy_locked(struct of_shape *shape)
{
    segments_destroy_locked(&shape->segments);
    free(shape->bytes);
    free(shape);
}

/* Makes the programs of a new shape and puts them into all bridges. */
static int
shape_create_locked(const struct of_plan *plan, const struct ofpact *ofpacts,
                    size_t len, enum of_code_kind kind,
                    struct of_shape **shapep)
{
    struct of_shape *shape = xzalloc(sizeof *shape);
    int error;

    shape->bytes = xmemdup(plan->shape.data, MAX(plan->shape.size, 1));
    shape->n_bytes = plan->shape.size;
    error = of_gen_list(&shape->segments, ofpacts, len, plan->params.size,
                        kind);
    if (error) {
        shape_destroy_locked(shape);
        return error;
    }
    shape->id = next_id++;
    for (size_t i = 0; i < shape->segments.n; i++) {
        of_pipelines_set_slot_locked(shape->segments.s[i].slot,
                                     shape->segments.s[i].prog);
    }
    hmap_insert(&shapes, &shape->node,
                hash_bytes(shape->bytes, shape->n_bytes, 0));
    *shapep = shape;
    return 0;
}

/* Runs after quiescence, in any thread.  Meanwhile the shape may have been
 * taken again. */
static void
shape_reap(void *shape_)
{
    struct of_shape *shape = shape_;

    ovs_mutex_lock(&of_compile_mutex);
    shape->dying = false;
    if (!shape->refs) {
        hmap_remove(&shapes, &shape->node);
        shape_destroy_locked(shape);
    }
    ovs_mutex_unlock(&of_compile_mutex);
}

/* Code. */

static enum ofperr
ofperr_from_errno(int error)
{
    return (error == -ENOSPC || error == -E2BIG
            ? OFPERR_OFPBAC_TOO_MANY : OFPERR_OFPFMFC_UNKNOWN);
}

enum ofperr
of_code_get(const struct ofpact *ofpacts, size_t ofpacts_len,
            enum of_code_kind kind, struct of_code **codep)
{
    struct of_shape *shape;
    struct of_code *code;
    struct of_plan plan;
    enum ofperr error;

    of_plan_init(&plan);
    error = of_plan_list(&plan, ofpacts, ofpacts_len, kind);
    if (error) {
        of_plan_uninit(&plan);
        return error;
    }

    ovs_mutex_lock(&of_compile_mutex);
    shape = shape_lookup_locked(&plan.shape, hash_bytes(plan.shape.data,
                                                        plan.shape.size, 0));
    if (!shape) {
        int retval = shape_create_locked(&plan, ofpacts, ofpacts_len, kind,
                                         &shape);

        if (retval) {
            ovs_mutex_unlock(&of_compile_mutex);
            VLOG_WARN_RL(&rl, "cannot compile list of actions: %s",
                         ovs_strerror(-retval));
            of_plan_uninit(&plan);
            return ofperr_from_errno(retval);
        }
    }
    shape->refs++;
    ovs_mutex_unlock(&of_compile_mutex);

    code = xzalloc(sizeof *code);
    code->shape = shape;
    code->params_size = plan.params.size;
    code->params = xmemdup(plan.params.data, plan.params.size);
    code->parse = plan.parse;
    code->late = plan.late;
    of_plan_uninit(&plan);
    *codep = code;
    return 0;
}

void
of_code_renew(uint32_t flow, const struct ofpact *ofpacts, size_t len,
              enum of_code_kind kind)
{
    struct of_plan plan;

    of_plan_init(&plan);
    ovs_assert(!of_plan_list(&plan, ofpacts, len, kind));
    dp_flow_write(of_compile_dp, flow, plan.params.data, plan.params.size);
    of_plan_uninit(&plan);
}

void
of_shape_unref(struct of_shape *shape)
{
    bool reap = false;

    ovs_mutex_lock(&of_compile_mutex);
    if (!--shape->refs && !shape->dying) {
        shape->dying = reap = true;
    }
    ovs_mutex_unlock(&of_compile_mutex);
    if (reap) {
        vm_defer(shape_reap, shape);
    }
}

struct of_shape *
of_code_to_shape(struct of_code *code)
{
    struct of_shape *shape = code->shape;

    free(code->params);
    free(code);
    return shape;
}

void
of_code_unref(struct of_code *code)
{
    if (code) {
        of_shape_unref(of_code_to_shape(code));
    }
}

/* Buckets. */

enum ofperr
of_bucket_code_get(const struct ofpact *ofpacts, size_t len,
                   struct of_bucket_code *bc)
{
    struct dp_flow_attr attr = {
        .counters = DP_COUNTERS_NONE,
        .is_bucket = true,
    };
    enum ofperr error;

    error = of_code_get(ofpacts, len, OF_CODE_BUCKET, &bc->code);
    if (error) {
        return error;
    }
    attr.params = bc->code->params;
    attr.params_size = bc->code->params_size;
    bc->flow = dp_flow_alloc(of_compile_dp, &attr);
    if (bc->flow == DP_FLOW_NONE) {
        VLOG_WARN_RL(&rl, "no room for more flows");
        of_code_unref(bc->code);
        return OFPERR_OFPGMFC_OUT_OF_BUCKETS;
    }
    return 0;
}

void
of_bucket_code_put(struct of_bucket_code *bc)
{
    dp_flow_free(of_compile_dp, bc->flow);
    of_code_unref(bc->code);
}

uint64_t
of_bucket_code_hit(const struct of_bucket_code *bc)
{
    return DP_HIT(of_shape_slot(bc->code->shape), bc->flow);
}

void
of_shapes_for_each_locked(void (*cb)(uint32_t slot, struct vm_prog *,
                                     void *aux), void *aux)
{
    struct of_shape *shape;

    HMAP_FOR_EACH (shape, node, &shapes) {
        for (size_t i = 0; i < shape->segments.n; i++) {
            cb(shape->segments.s[i].slot, shape->segments.s[i].prog, aux);
        }
    }
}

void
of_shapes_stats(struct of_shape_stats *stats)
{
    struct of_shape *shape;

    memset(stats, 0, sizeof *stats);
    ovs_mutex_lock(&of_compile_mutex);
    HMAP_FOR_EACH (shape, node, &shapes) {
        stats->n_shapes++;
        for (size_t i = 0; i < shape->segments.n; i++) {
            stats->n_programs++;
            stats->n_insns += shape->segments.s[i].prog->n_insns;
        }
    }
    stats->n_generated = n_generated;
    ovs_mutex_unlock(&of_compile_mutex);
}
