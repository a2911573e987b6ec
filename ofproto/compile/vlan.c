/* SPDX-License-Identifier: Apache-2.0 */

/* VLAN tags.  The key's word VLAN holds two tags, each TPID and TCI in
 * network order, the outer one in the lower half. */

#include "ofproto/compile/actions.h"

#include "flow.h"
#include "openvswitch/ofp-actions.h"
#include "packets.h"
#include "util.h"
#include "ofproto/compile/fields.h"

#define TPID OF_KEY_OFF(vlans[0].tpid)
#define TCI OF_KEY_OFF(vlans[0].tci)

/* After a write that left the tag's TCI, as stored, in r2: a tag that has
 * come into being is 802.1Q's. */
static void
emit_fix_tpid(struct vm_emit *e)
{
    vm_label_t done = vm_label(e);

    vm_emit_jcci(e, VM_JEQ, VM_R2, 0, done);
    vm_emit_ld(e, 2, VM_R0, VM_R6, TPID);
    vm_emit_jcci(e, VM_JNE, VM_R0, 0, done);
    vm_emit_sti(e, 2, VM_R6, TPID, htons(ETH_TYPE_VLAN_8021Q));
    vm_bind(e, done);
}

void
of_emit_vlan_merge(struct of_gen *g)
{
    struct vm_emit *e = &g->e;

    vm_emit_ld(e, 2, VM_R2, VM_R6, TCI);
    vm_emit_ld(e, 2, VM_R0, VM_R7, of_gen_param(g, 2));
    vm_emit_alu(e, VM_AND, VM_R2, VM_R0);
    vm_emit_ld(e, 2, VM_R0, VM_R7, of_gen_param(g, 2));
    vm_emit_alu(e, VM_OR, VM_R2, VM_R0);
    vm_emit_st(e, 2, VM_R6, TCI, VM_R2);
    emit_fix_tpid(e);
    of_emit_dirty(e, DP_DIRTY_VLAN);
}

void
of_emit_vlan_write(struct vm_emit *e, const struct of_field *f, unsigned ofs,
                   unsigned n_bits, uint8_t src)
{
    bool tags = (f->mf->id == MFF_DL_VLAN || f->mf->id == MFF_DL_VLAN_PCP
                 || f->mf->id == MFF_VLAN_PCP);
    unsigned shift = f->shift + ofs;
    uint16_t mask = ((1u << n_bits) - 1) << shift;

    vm_emit_ld(e, 2, VM_R2, VM_R6, TCI);
    vm_emit_be(e, VM_R2, 16);
    vm_emit_alui(e, VM_AND, VM_R2, (uint16_t) ~mask);
    vm_emit_mov(e, VM_R0, src);
    if (shift) {
        vm_emit_alui(e, VM_LSH, VM_R0, shift);
    }
    vm_emit_alu(e, VM_OR, VM_R2, VM_R0);
    if (tags) {
        vm_emit_alui(e, VM_OR, VM_R2, VLAN_CFI);
    }
    vm_emit_be(e, VM_R2, 16);
    vm_emit_st(e, 2, VM_R6, TCI, VM_R2);
    emit_fix_tpid(e);
}

/* set_vlan_vid, set_vlan_pcp: of a packet that has a tag, or of any if the
 * action says so (OpenFlow 1.0). */

static void
plan_set_tci(struct of_plan *p, bool push, uint16_t mask, uint16_t value)
{
    ovs_be16 keep = htons(~mask);
    ovs_be16 add = htons(value | VLAN_CFI);

    of_plan_need(p, OF_PARSE_L2);
    of_plan_u8(p, push);
    of_plan_param(p, &keep, sizeof keep);
    of_plan_param(p, &add, sizeof add);
}

static void
emit_set_tci(struct of_gen *g, bool push)
{
    struct vm_emit *e = &g->e;
    vm_label_t no = vm_label(e);

    if (!push) {
        of_emit_prereqs(e, MFP_VLAN_VID, no);
    }
    of_emit_vlan_merge(g);
    vm_bind(e, no);
}

static void
set_vlan_vid_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_vlan_vid *vid = ofpact_get_SET_VLAN_VID(a);

    plan_set_tci(p, vid->push_vlan_if_needed, VLAN_VID_MASK, vid->vlan_vid);
}

static void
set_vlan_vid_emit(struct of_gen *g, const struct ofpact *a)
{
    emit_set_tci(g, ofpact_get_SET_VLAN_VID(a)->push_vlan_if_needed);
}

const struct of_action_ops of_act_set_vlan_vid = {
    .plan = set_vlan_vid_plan, .emit = set_vlan_vid_emit
};

static void
set_vlan_pcp_plan(struct of_plan *p, const struct ofpact *a)
{
    const struct ofpact_vlan_pcp *pcp = ofpact_get_SET_VLAN_PCP(a);

    plan_set_tci(p, pcp->push_vlan_if_needed, VLAN_PCP_MASK,
                 pcp->vlan_pcp << VLAN_PCP_SHIFT);
}

static void
set_vlan_pcp_emit(struct of_gen *g, const struct ofpact *a)
{
    emit_set_tci(g, ofpact_get_SET_VLAN_PCP(a)->push_vlan_if_needed);
}

const struct of_action_ops of_act_set_vlan_pcp = {
    .plan = set_vlan_pcp_plan, .emit = set_vlan_pcp_emit
};

/* strip_vlan, push_vlan: flow_pop_vlan(), flow_push_vlan_uninit(). */

static void
vlan_plan(struct of_plan *p, const struct ofpact *a)
{
    of_plan_need(p, OF_PARSE_L2);
}

static void
strip_vlan_emit(struct of_gen *g, const struct ofpact *a)
{
    struct vm_emit *e = &g->e;
    vm_label_t no = vm_label(e);
    vm_label_t two = vm_label(e);

    of_emit_prereqs(e, MFP_VLAN_VID, no);
    vm_emit_ld(e, 8, VM_R0, VM_R6, TPID);
    vm_emit_alui(e, VM_RSH, VM_R0, 32);
    vm_emit_jcci(e, VM_JSET, VM_R0, (uint32_t) htons(VLAN_CFI) << 16, two);
    /* Only one tag; the inner half may be one that set_field has made
     * invalid, and stays. */
    vm_emit_alui(e, VM_LSH, VM_R0, 32);
    vm_bind(e, two);
    vm_emit_st(e, 8, VM_R6, TPID, VM_R0);
    of_emit_dirty(e, DP_DIRTY_VLAN);
    vm_bind(e, no);
}

const struct of_action_ops of_act_strip_vlan = {
    .plan = vlan_plan, .emit = strip_vlan_emit
};

static void
push_vlan_plan(struct of_plan *p, const struct ofpact *a)
{
    vlan_plan(p, a);
    of_plan_u16(p, ofpact_get_PUSH_VLAN(a)->ethertype);
}

static void
push_vlan_emit(struct of_gen *g, const struct ofpact *a)
{
    ovs_be16 tpid = ofpact_get_PUSH_VLAN(a)->ethertype;
    struct vm_emit *e = &g->e;

    vm_emit_ld(e, 8, VM_R0, VM_R6, TPID);
    vm_emit_alui(e, VM_LSH, VM_R0, 32);
    vm_emit_alui(e, VM_OR, VM_R0, tpid | (uint32_t) htons(VLAN_CFI) << 16);
    vm_emit_st(e, 8, VM_R6, TPID, VM_R0);
    of_emit_dirty(e, DP_DIRTY_VLAN);
}

const struct of_action_ops of_act_push_vlan = {
    .plan = push_vlan_plan, .emit = push_vlan_emit
};
