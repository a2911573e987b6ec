/* SPDX-License-Identifier: Apache-2.0 */

/* The program type of generated programs: what of `struct dp_ctx` they may
 * touch and which helpers they may call. */

#include "datapath/bridge-type.h"

#include <stddef.h>
#include "datapath/abi.h"
#include "datapath/dp.h"
#include "util.h"
#include "vm/type.h"

#define MEMBER(NAME, KIND, FLAGS)                                       \
    { .name = #NAME, .off = offsetof(struct dp_ctx, NAME),              \
      .size = sizeof ((struct dp_ctx *) 0)->NAME, .kind = VM_CTX_##KIND, \
      .flags = (FLAGS) }

static const struct vm_ctx_member members[] = {
    MEMBER(slots, HIDDEN, 0),
    MEMBER(version, SCALAR, 0),
    { .name = "conf", .off = offsetof(struct dp_ctx, conf), .size = 8,
      .kind = VM_CTX_BLOCK, .block_size = sizeof(struct dp_bridge_conf) },
    MEMBER(cold, HIDDEN, 0),
    MEMBER(turn, HIDDEN, 0),
    MEMBER(packet, HIDDEN, 0),
    MEMBER(data, PKT_DATA, 0),
    MEMBER(data_end, PKT_END, 0),
    MEMBER(hit, SCALAR, VM_CTX_RW),
    MEMBER(in_port, SCALAR, 0),
    MEMBER(dirty, SCALAR, VM_CTX_RW),
    MEMBER(packet_size, SCALAR, 0),
    MEMBER(resubmits, SCALAR, 0),
    MEMBER(depth, SCALAR, 0),
    MEMBER(table_id, SCALAR, VM_CTX_RW),
    MEMBER(l2_5_ofs, SCALAR, VM_CTX_RW),
    MEMBER(l3_ofs, SCALAR, VM_CTX_RW),
    MEMBER(l4_ofs, SCALAR, VM_CTX_RW),
    MEMBER(n_vlans, SCALAR, VM_CTX_RW),
    MEMBER(wide, SCALAR, VM_CTX_RW),
    MEMBER(scratch, SCALAR, VM_CTX_RW | VM_CTX_NARROW),
    MEMBER(key, MEM, VM_CTX_RW | VM_CTX_NARROW),
};

static const struct vm_helper helpers[] = {
#define DP_HELPER(NAME, ID, FN, RET, ARG1, ARG2, ARG3, ARG4, ARG5)      \
    { .id = ID, .name = #FN, .fn = FN, .ret = VM_RET_##RET,             \
      .args = { VM_ARG_##ARG1, VM_ARG_##ARG2, VM_ARG_##ARG3,            \
                VM_ARG_##ARG4, VM_ARG_##ARG5 } },
#include "datapath/helpers.def"
#undef DP_HELPER
};

const struct vm_helper_set dp_helpers = {
    .helpers = helpers,
    .n = ARRAY_SIZE(helpers),
};

static const struct vm_helper_set *const helper_sets[] = {
    &vm_helpers_base,
    &vm_helpers_versioned,
    &dp_helpers,
};

static const struct vm_prog_type bridge_type = {
    .name = "bvs",
    .ctx_size = sizeof(struct dp_ctx),
    .members = members,
    .n_members = ARRAY_SIZE(members),
    .helper_sets = helper_sets,
    .n_helper_sets = ARRAY_SIZE(helper_sets),
    .gen_off = offsetof(struct dp_ctx, slots),
    .n_slots = DP_N_SLOTS,
    .turn_off = offsetof(struct dp_ctx, turn),
    .abort_ret = UINT64_MAX,
};

const struct vm_prog_type *
dp_bridge_prog_type(void)
{
    return &bridge_type;
}
