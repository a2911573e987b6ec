/* SPDX-License-Identifier: Apache-2.0 */

/* Packets to the controllers.
 *
 * Threads: the main thread. */

#ifndef OFPROTO_PACKET_IN_H
#define OFPROTO_PACKET_IN_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openflow/openflow-common.h"
#include "openvswitch/types.h"

struct dp_packet;
struct flow;
struct of_bridge;

/* The block that an action program gives to DP_HELPER_CONTROLLER and that
 * arrives as the 'data' of a DP_UPCALL_CONTROLLER: host byte order, followed
 * by 'userdata_len' bytes, padded to a multiple of 8. */
struct of_controller_block {
    uint16_t max_len;           /* Bytes of the packet to send. */
    uint16_t controller_id;
    uint8_t reason;             /* OFPR_*. */
    uint8_t output;             /* OF_CONTROLLER_*. */
    uint16_t userdata_len;
    uint32_t meter;             /* The action's own, or DP_METER_NONE: the
                                 * bridge's `controller' meter, if any. */
    uint8_t userdata[];
};

enum {
    OF_CONTROLLER_ACTION = 0,
    OF_CONTROLLER_OUTPUT = 1,   /* By output:controller, which in an action
                                 * set gives the reason OFPR_ACTION_SET. */
    OF_CONTROLLER_PAUSE = 2     /* A struct of_pause follows the block. */
};

/* A continuation: followed by actions, action set and stack. */
struct of_pause {
    uint32_t actions_len, action_set_len, stack_size, pad;
};

/* What a packet-in says. */
struct of_packet_in {
    const struct dp_packet *packet;
    const struct flow *flow;    /* For the metadata. */
    enum ofp_packet_in_reason reason;
    uint8_t table_id;
    ovs_be64 cookie;            /* OVS_BE64_MAX if there is no flow. */
    uint16_t controller_id;
    uint16_t max_len;
    uint32_t meter;             /* As in struct of_controller_block. */
    const uint8_t *userdata;
    size_t userdata_len;

    /* For a packet that may resume; else null and 0. */
    const struct of_pause *pause;
    const void *pause_data;
};

/* Whether the meter lets a packet of 'size' bytes go to the controller. */
bool of_packet_in_admit(const struct of_bridge *, uint32_t meter,
                        size_t size);

/* Unless the meter drops it.  Copies what it needs. */
void of_packet_in_send(struct of_bridge *, const struct of_packet_in *);

/* Takes the datapath's upcalls; after dp_create(). */
void of_packet_in_init(void);

#endif /* ofproto/packet-in.h */
