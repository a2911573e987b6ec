/* SPDX-License-Identifier: Apache-2.0 */

/* Fields, their values in a case, and masks. */

#include "tests/random/gen.h"

#include <string.h>
#include "packets.h"
#include "random.h"
#include "util.h"

/* Fields, by name; what they need comes from libopenvswitch. */
static const char *const field_names[] = {
    "in_port", "metadata", "reg0", "reg5",
    "eth_src", "eth_dst", "eth_type",
    "vlan_tci", "vlan_vid", "vlan_pcp",
    "nw_src", "nw_dst", "nw_proto", "nw_tos", "nw_ecn", "nw_ttl", "ip_frag",
    "ipv6_src", "ipv6_dst", "ipv6_label",
    "arp_op", "arp_spa", "arp_tpa", "arp_sha", "arp_tha",
    "tcp_src", "tcp_dst", "tcp_flags",
    "udp_src", "udp_dst", "sctp_src", "sctp_dst",
    "icmp_type", "icmp_code", "icmpv6_type", "icmpv6_code",
    "nd_target", "nd_sll", "nd_tll", "nd_reserved", "nd_options_type",
    "pkt_mark", "xreg1", "xxreg2", "reg15", "actset_output", "conj_id",
    "mpls_label", "mpls_tc", "mpls_bos", "mpls_ttl",
    "nsh_flags", "nsh_ttl", "nsh_spi", "nsh_si", "nsh_c1", "nsh_c4",
    NULL
};
BUILD_ASSERT_DECL(ARRAY_SIZE(field_names) <= RND_MAX_FIELDS);

int rnd_n_fields = ARRAY_SIZE(field_names) - 1;
const struct mf_field *rnd_fields[RND_MAX_FIELDS];
/* The few values that a field has in a case, so that packets meet rules. */
static union mf_value values[RND_MAX_FIELDS][RND_N_VALUES];

const char *
rnd_field_name(int row)
{
    return field_names[row];
}

const char *
rnd_mask_name(enum rnd_mask mask)
{
    static const char *const names[] = {
        [RND_EXACT] = "exact",
        [RND_PREFIX] = "prefix",
        [RND_BITS] = "arbitrary bits",
        [RND_ONE_BIT] = "one bit",
    };

    return names[mask];
}

bool
rnd_chance(int percent)
{
    return random_range(100) < (uint32_t) percent;
}

int
rnd_field_row(const char *name)
{
    for (int i = 0; i < rnd_n_fields; i++) {
        if (!strcmp(field_names[i], name)) {
            return i;
        }
    }
    OVS_NOT_REACHED();
}

bool
rnd_is_row(int row, const char *name)
{
    return !strcmp(field_names[row], name);
}

/* Values. */

static void
random_eth(union mf_value *value, int i)
{
    static const uint64_t special[] = {
        0xffffffffffff, 0x01005e000001, 0x0180c2000000, 0x333300000001
    };

    eth_addr_from_uint64(i == 3 && rnd_chance(60)
                         ? special[random_range(ARRAY_SIZE(special))]
                         : 0x020000000000 | random_range(6), &value->mac);
}

static void
random_value(int row, int i, union mf_value *value)
{
    static const uint8_t ttls[] = { 0, 1, 2, 3, 64, 255 };
    static const uint16_t types[] = { 0x0800, 0x0806, 0x86dd, 0x88cc };

    memset(value, 0, sizeof *value);
    if (rnd_is_row(row, "in_port")) {
        value->be16 = htons(1 + i % RND_N_PORTS);
    } else if (rnd_is_row(row, "eth_src") || rnd_is_row(row, "eth_dst")) {
        random_eth(value, rnd_is_row(row, "eth_src") ? 0 : i);
    } else if (rnd_is_row(row, "eth_type")) {
        value->be16 = htons(types[i % ARRAY_SIZE(types)]);
    } else if (rnd_is_row(row, "nw_ttl")) {
        value->u8 = ttls[random_range(ARRAY_SIZE(ttls))];
    } else if (rnd_is_row(row, "arp_op")) {
        value->be16 = htons(1 + random_range(3));
    } else if (rnd_is_row(row, "ip_frag")) {
        value->u8 = i == 0 ? FLOW_NW_FRAG_ANY
                    : i == 1 ? FLOW_NW_FRAG_MASK : 0;
    } else if (rnd_is_row(row, "icmpv6_type")) {
        value->u8 = i < 2 ? 128 + i : 133 + i;
    } else if (rnd_is_row(row, "actset_output")) {
        value->be32 = htonl(i == 0 ? 0xfffffff7 : 1 + random_range(4));
    } else if (rnd_is_row(row, "conj_id")) {
        value->be32 = htonl(1 + i);
    } else if (rnd_is_row(row, "mpls_bos")) {
        value->u8 = i > 0;
    } else if (rnd_is_row(row, "mpls_ttl") || rnd_is_row(row, "nsh_ttl")) {
        value->u8 = (i == 0 ? 63 : ttls[random_range(ARRAY_SIZE(ttls))])
                    & (rnd_is_row(row, "nsh_ttl") ? 63 : 255);
    } else if (rnd_is_row(row, "mpls_label")) {
        value->be32 = htonl(random_range(4) + 16);
    } else if (rnd_is_row(row, "mpls_tc")) {
        value->u8 = random_range(8);
    } else if (rnd_is_row(row, "nsh_flags")) {
        value->u8 = random_range(4);
    } else if (rnd_is_row(row, "nsh_spi")) {
        value->be32 = htonl(i ? random_range(1 << 24) : 0);
    } else if (rnd_is_row(row, "nsh_si")) {
        value->u8 = i ? random_uint8() : 255;
    } else if (rnd_is_row(row, "nd_options_type")) {
        value->u8 = random_range(3);
    } else if (rnd_is_row(row, "icmp_type")) {
        value->u8 = i < 2 ? i * 8 : random_uint8();
    } else {
        random_bytes(value, rnd_fields[row]->n_bytes);
        if (rnd_is_row(row, "vlan_vid")) {
            value->be16 = htons(VLAN_CFI | (1 + random_range(3)));
        } else if (rnd_is_row(row, "vlan_tci")) {
            uint16_t vid = 1 + random_range(3);

            value->be16 = htons(VLAN_CFI | vid
                                | random_range(8) << VLAN_PCP_SHIFT);
        } else if (rnd_is_row(row, "vlan_pcp")) {
            value->u8 = random_range(8);
        } else if (rnd_is_row(row, "nw_tos")) {
            value->u8 &= IP_DSCP_MASK;
        } else if (rnd_is_row(row, "nw_ecn")) {
            value->u8 &= IP_ECN_MASK;
        } else if (rnd_is_row(row, "ipv6_label")) {
            value->be32 &= htonl(IPV6_LABEL_MASK);
        } else if (rnd_is_row(row, "tcp_flags")) {
            value->be16 &= htons(0x0fff);
        } else if (rnd_is_row(row, "arp_sha") || rnd_is_row(row, "arp_tha")) {
            random_eth(value, 0);
        }
    }
}

void
rnd_make_values(void)
{
    for (int row = 0; row < rnd_n_fields; row++) {
        if (!rnd_fields[row]) {
            rnd_fields[row] = mf_from_name(field_names[row]);
            ovs_assert(rnd_fields[row]);
        }
        for (int i = 0; i < RND_N_VALUES; i++) {
            random_value(row, i, &values[row][i]);
        }
    }
    /* Hosts of one subnet. */
    for (int i = 1; i < RND_N_VALUES; i++) {
        memcpy(&values[rnd_field_row("nw_dst")][i],
               &values[rnd_field_row("nw_src")][i], 4);
        memcpy(&values[rnd_field_row("arp_spa")][i],
               &values[rnd_field_row("arp_tpa")][i], 4);
    }
}

const union mf_value *
rnd_pick_value(int row)
{
    return &values[row][random_range(RND_N_VALUES)];
}

/* Fills in a mask of 'kind' for 'row'. */
void
rnd_make_mask(int row, enum rnd_mask kind, union mf_value *mask)
{
    const struct mf_field *mf = rnd_fields[row];
    unsigned int n = mf->n_bits, length;

    memset(mask, 0, sizeof *mask);
    switch (kind) {
    case RND_PREFIX:
        length = 1 + random_range(n);
        bitwise_one(mask, mf->n_bytes, n - length, length);
        break;

    case RND_BITS:
        for (unsigned int i = 0; i < n; i++) {
            if (random_range(2)) {
                bitwise_put_bit(mask, mf->n_bytes, i, 1);
            }
        }
        break;

    case RND_ONE_BIT:
        bitwise_put_bit(mask, mf->n_bytes, random_range(n), 1);
        break;

    case RND_EXACT:
    case RND_N_MASKS:
        bitwise_one(mask, mf->n_bytes, 0, n);
        break;
    }
}

int
rnd_pick_metadata(void)
{
    static const char *const names[] = {
        "metadata", "reg0", "reg5", "reg0", "reg15", "xreg1", "xxreg2",
        "pkt_mark",
    };

    return rnd_field_row(names[random_range(ARRAY_SIZE(names))]);
}
