/* SPDX-License-Identifier: Apache-2.0 */

/* Taps: their pages, and who has one. */

#include "datapath/tap-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "datapath/bridge.h"
#include "datapath/private.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "util.h"
#include "vm/emit.h"
#include "vm/prog.h"
#include "vm/verify.h"

VLOG_DEFINE_THIS_MODULE(dp_tap);

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

/* Who changes slots; rules of `learn' do so on workers. */
static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;

/* First halves of pages: the same for all bridges, made when needed. */
static struct vm_prog *stubs[DP_N_SLOTS] OVS_GUARDED_BY(mutex);

#define CTX(MEMBER) offsetof(struct dp_ctx, MEMBER)

/* Programs. */

/* Loads what 'e' has, for the engine that the bridge's page is for. */
static struct vm_prog *
load(struct vm_emit *e, const struct vm_slots *page, const char *name)
{
    struct vm_prog_attr attr = {
        .name = name,
        .type = dp_bridge_prog_type(),
        .verify = vm_verify,
        .backend = page->backend,
    };
    struct vm_prog *prog = NULL;
    struct vm_err err;

    if (vm_emit_finish(e, &attr, &err) || vm_prog_load(&attr, &prog, &err)) {
        VLOG_ERR_RL(&rl, "cannot load %s: %s", name, err.text);
    }
    vm_emit_uninit(e);
    return prog;
}

/* To the slot in r2. */
static void
emit_goto_r2(struct vm_emit *e)
{
    vm_emit_mov(e, VM_R1, VM_R6);
    vm_emit_call(e, VM_HELPER_GOTO);
    vm_emit_movi(e, VM_R0, 0);
    vm_emit_exit(e);
}

/* To the slot that 'helper' returns for the context and r2. */
static void
emit_call_goto(struct vm_emit *e, uint32_t helper)
{
    vm_emit_mov(e, VM_R1, VM_R6);
    vm_emit_call(e, helper);
    vm_emit_mov(e, VM_R2, VM_R0);
    emit_goto_r2(e);
}

static struct vm_prog *
stub_locked(const struct vm_slots *page, uint32_t slot)
    OVS_REQUIRES(mutex)
{
    if (!stubs[slot]) {
        struct vm_emit e;
        char name[32];

        vm_emit_init(&e);
        vm_emit_mov(&e, VM_R6, VM_R1);
        vm_emit_movi(&e, VM_R2, slot);
        emit_call_goto(&e, DP_HELPER_TAP);
        snprintf(name, sizeof name, "tap:%u", slot);
        stubs[slot] = load(&e, page, name);
    }
    return stubs[slot];
}

/* r8 gets bit 'i' if the packet matches. */
static void
emit_match(struct vm_emit *e, const struct dp_tap_attr *attr, unsigned i)
{
    vm_label_t no = vm_label(e);

    vm_emit_note(e, "tap %u", i);
    for (size_t w = 0; w < attr->n_words; w++) {
        const struct dp_tap_word *word = &attr->words[w];

        vm_emit_ld(e, 8, VM_R0, VM_R6, CTX(key) + 8 * word->word);
        if (word->mask != UINT64_MAX) {
            vm_emit_const(e, VM_R2, word->mask);
            vm_emit_alu(e, VM_AND, VM_R0, VM_R2);
        }
        vm_emit_const(e, VM_R2, word->value);
        vm_emit_jcc(e, VM_JNE, VM_R0, VM_R2, no);
    }
    vm_emit_alui(e, VM_OR, VM_R8, 1u << i);
    vm_bind(e, no);
}

/* What stands for table 0.  A packet that comes to it by a resubmit has been
 * judged before: it has met a rule. */
static struct vm_prog *
make_entry(const struct dp_taps *taps, const struct dp_bridge *bridge)
{
    vm_label_t plain;
    struct vm_emit e;
    char name[64];

    vm_emit_init(&e);
    plain = vm_label(&e);
    vm_emit_mov(&e, VM_R6, VM_R1);
    vm_emit_ld(&e, 4, VM_R0, VM_R6, CTX(hit));
    vm_emit_jcci32(&e, VM_JNE, VM_R0, DP_FLOW_NONE, plain);
    vm_emit_movi(&e, VM_R8, 0);
    for (unsigned i = 0; i < DP_MAX_TAPS; i++) {
        const struct dp_tap *tap = atomic_load_explicit(
            &taps->taps[i], memory_order_relaxed);

        if (tap) {
            emit_match(&e, &tap->attr, i);
        }
    }
    vm_emit_jcci(&e, VM_JEQ, VM_R8, 0, plain);
    vm_emit_mov(&e, VM_R2, VM_R8);
    emit_call_goto(&e, DP_HELPER_TAP_ENTER);
    vm_bind(&e, plain);
    vm_emit_movi(&e, VM_R2, DP_SLOT_PLAIN);
    emit_goto_r2(&e);
    snprintf(name, sizeof name, "%.32s:taps", bridge->name);
    return load(&e, dp_bridge_slots(bridge), name);
}

/* Pages. */

static void
set_tapped_locked(struct dp_taps *taps, uint32_t slot, struct vm_prog *prog)
    OVS_REQUIRES(mutex)
{
    struct vm_prog *stub = prog ? stub_locked(taps->page, slot) : NULL;

    dp_slots_set(taps->page, DP_N_SLOTS + slot, prog);
    /* Without its stub the step is not seen, but taken. */
    dp_slots_set(taps->page, slot, stub ? stub : prog);
    if (slot == DP_SLOT_TABLE) {
        vm_prog_unref(taps->table0);
        taps->table0 = prog ? vm_prog_ref(prog) : NULL;
    }
}

void
dp_bridge_set_slot(struct dp_bridge *bridge, uint32_t slot,
                   struct vm_prog *prog)
{
    struct dp_taps *taps;

    ovs_mutex_lock(&mutex);
    taps = atomic_load_explicit(&bridge->taps, memory_order_relaxed);
    if (taps) {
        set_tapped_locked(taps, slot, prog);
        if (slot == DP_SLOT_TABLE) {
            dp_slots_set(dp_bridge_slots(bridge), DP_SLOT_PLAIN, prog);
        }
    }
    if (slot != DP_SLOT_TABLE || !taps || !taps->n) {
        dp_slots_set(dp_bridge_slots(bridge), slot, prog);
    }
    ovs_mutex_unlock(&mutex);
}

static struct dp_taps *
taps_create_locked(struct dp_bridge *bridge)
    OVS_REQUIRES(mutex)
{
    struct vm_slots *slots = dp_bridge_slots(bridge);
    struct dp_taps *taps = xzalloc(sizeof *taps);

    taps->page = vm_slots_create(2 * DP_N_SLOTS);
    if (!taps->page) {
        out_of_memory();
    }
    for (uint32_t i = 0; i < DP_N_SLOTS; i++) {
        struct vm_prog *prog = atomic_load_explicit(&slots->prog[i],
                                                    memory_order_relaxed);

        if (prog) {
            set_tapped_locked(taps, i, prog);
        }
    }
    dp_slots_set(slots, DP_SLOT_PLAIN, taps->table0);
    return taps;
}

/* Once made, it stays as long as the bridge. */
static struct dp_taps *
get_taps_locked(struct dp_bridge *bridge)
    OVS_REQUIRES(mutex)
{
    struct dp_taps *taps = atomic_load_explicit(&bridge->taps,
                                                memory_order_relaxed);

    if (!taps) {
        taps = taps_create_locked(bridge);
        atomic_store_explicit(&bridge->taps, taps, memory_order_release);
    }
    return taps;
}

struct vm_slots *
dp_taps_page(struct dp_bridge *bridge)
{
    struct vm_slots *page;

    ovs_mutex_lock(&mutex);
    page = get_taps_locked(bridge)->page;
    ovs_mutex_unlock(&mutex);
    return page;
}

/* Puts the right program into the slot of table 0. */
static int
publish_entry_locked(struct dp_bridge *bridge, struct dp_taps *taps)
    OVS_REQUIRES(mutex)
{
    struct vm_prog *entry;

    atomic_store_explicit(&bridge->tapped, taps->n > 0, memory_order_relaxed);
    if (!taps->n) {
        dp_slots_set(dp_bridge_slots(bridge), DP_SLOT_TABLE, taps->table0);
        return 0;
    }
    entry = make_entry(taps, bridge);
    if (!entry) {
        return -ENOMEM;
    }
    dp_slots_set(dp_bridge_slots(bridge), DP_SLOT_TABLE, entry);
    vm_prog_unref(taps->entry);
    taps->entry = entry;
    return 0;
}

/* Taps. */

int
dp_tap_add(struct dp_bridge *bridge, const struct dp_tap_attr *attr,
           struct dp_tap **tapp)
{
    struct dp_taps *taps;
    struct dp_tap *tap;
    unsigned i = 0;
    int error;

    *tapp = NULL;
    ovs_mutex_lock(&mutex);
    taps = get_taps_locked(bridge);
    while (i < DP_MAX_TAPS && atomic_load_explicit(&taps->taps[i],
                                                   memory_order_relaxed)) {
        i++;
    }
    if (i >= DP_MAX_TAPS) {
        ovs_mutex_unlock(&mutex);
        return -ENOSPC;
    }
    tap = xzalloc(sizeof *tap);
    tap->bridge = bridge;
    tap->index = i;
    tap->attr = *attr;
    atomic_store_explicit(&taps->taps[i], tap, memory_order_release);
    taps->n++;
    error = publish_entry_locked(bridge, taps);
    ovs_mutex_unlock(&mutex);
    if (error) {
        dp_tap_del(tap);
        return error;
    }
    *tapp = tap;
    return 0;
}

void
dp_tap_del(struct dp_tap *tap)
{
    struct dp_bridge *bridge;
    struct dp_taps *taps;

    if (!tap) {
        return;
    }
    bridge = tap->bridge;
    ovs_mutex_lock(&mutex);
    taps = atomic_load_explicit(&bridge->taps, memory_order_relaxed);
    atomic_store_explicit(&taps->taps[tap->index], NULL,
                          memory_order_release);
    taps->n--;
    /* Should that fail, the old one asks for a tap in vain. */
    publish_entry_locked(bridge, taps);
    ovs_mutex_unlock(&mutex);
    dp_synchronize(bridge->dp);
    free(tap);
}

void
dp_taps_destroy(struct dp_bridge *bridge)
{
    struct dp_taps *taps = atomic_load_explicit(&bridge->taps,
                                                memory_order_relaxed);

    for (unsigned i = 0; taps && i < DP_MAX_TAPS; i++) {
        struct dp_tap *tap = atomic_load_explicit(&taps->taps[i],
                                                  memory_order_relaxed);

        if (tap) {
            struct dp_tap_attr attr = tap->attr;

            dp_tap_del(tap);
            if (attr.gone) {
                attr.gone(attr.aux);
            }
        }
    }
    if (taps) {
        atomic_store_explicit(&bridge->taps, NULL, memory_order_relaxed);
        dp_synchronize(bridge->dp);
        vm_slots_unref(taps->page);
        vm_prog_unref(taps->entry);
        vm_prog_unref(taps->table0);
        free(taps);
    }
}
