/* SPDX-License-Identifier: Apache-2.0 */

/* Packets from anywhere: the generated parsers of every level against
 * flow_extract().  The first byte says how many VLAN tags are looked at. */

#include <config.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/abi.h"
#include "datapath/dp.h"
#include "datapath/run.h"
#include "dp-packet.h"
#include "flow.h"
#include "ofproto/compile/compile.h"
#include "ofproto/compile/fields.h"
#include "ofproto/compile/parse.h"
#include "openflow/openflow.h"
#include "packets.h"
#include "tests/fuzz/targets/target.h"
#include "util.h"
#include "vm/emit.h"
#include "vm/prog.h"

#define N_LIMITS (FLOW_MAX_VLAN_HEADERS + 1)

enum { PARSED = 77 };           /* What table 0 returns. */

static struct vm_slots *slots;
static struct vm_prog *parsers[OF_N_PARSE_LEVELS][N_LIMITS];

static void
start(void)
{
    struct vm_prog_attr attr = { .type = dp_bridge_prog_type() };
    struct vm_prog *stop = NULL;
    struct vm_emit e;
    struct vm_err err;

    of_fields_init();
    flow_limit_vlans(FLOW_MAX_VLAN_HEADERS);
    for (int i = 0; i < OF_N_PARSE_LEVELS * N_LIMITS; i++) {
        if (of_parse_make(i / N_LIMITS, i % N_LIMITS,
                          &parsers[i / N_LIMITS][i % N_LIMITS], &err)) {
            abort();
        }
    }
    vm_emit_init(&e);
    vm_emit_movi(&e, VM_R0, PARSED);
    vm_emit_exit(&e);
    if (vm_emit_finish(&e, &attr, &err)
        || vm_prog_load(&attr, &stop, &err)) {
        abort();
    }
    vm_emit_uninit(&e);
    slots = dp_slots_create();
    dp_slots_set(slots, DP_SLOT_TABLE, stop);
    vm_prog_unref(stop);
}

/* The buffer is exactly as large as the packet. */
static void
parse(struct dp_packet *packet, int level, int limit)
{
    static struct dp_cold cold;
    struct dp_ctx ctx;
    struct flow flow;

    memset(&ctx, 0, sizeof ctx);
    ctx.slots = slots;
    ctx.cold = &cold;
    cold.dressed = true;
    ctx.key[DP_KEY_ACTSET] = (uint64_t) OFPP_UNSET << 32;
    ctx.packet = packet;
    ctx.data = dp_packet_data(packet);
    ctx.data_end = ctx.data + dp_packet_size(packet);
    ctx.l2_5_ofs = ctx.l3_ofs = ctx.l4_ofs = UINT16_MAX;
    if (vm_prog_run(parsers[level][limit], &ctx) != PARSED) {
        abort();
    }
    pkt_metadata_init(&packet->md, 0);
    flow_extract(packet, &flow);
    flow.actset_output = OFPP_UNSET;
    for (int k = 0; k < DP_KEY_WORDS; k++) {
        if ((int) of_key_parse_level(k) <= level && k != DP_KEY_PORT
            && ctx.key[k] != flow_u64_value(&flow,
                                            of_flow_word_from_key(k))) {
            abort();
        }
    }
    if ((level >= OF_PARSE_L2
         && (ctx.l3_ofs != packet->l3_ofs
             || ctx.n_vlans != flow_count_vlan_headers(&flow)))
        || (level >= OF_PARSE_L3 && ctx.l4_ofs != packet->l4_ofs)) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dp_packet *packet;
    int limit;

    if (!slots) {
        start();
    }
    if (size < 2 || size > UINT16_MAX) {
        return 0;
    }
    limit = *data % N_LIMITS;
    flow_limit_vlans(limit ? limit : 1);
    flow_vlan_limit = limit;
    packet = dp_packet_new(size - 1);
    dp_packet_put(packet, data + 1, size - 1);
    for (int level = 0; level < OF_N_PARSE_LEVELS; level++) {
        parse(packet, level, limit);
    }
    dp_packet_delete(packet);
    return 0;
}
