/* SPDX-License-Identifier: Apache-2.0 */

/* Packets as bytes. */

#include "tests/bench/gen/gen.h"

#include <string.h>

enum {
    ETH = 14,
    IP = 20,
    L4 = ETH + IP,
    L4_SIZE = GEN_PACKET_SIZE - L4
};

static void
put(uint8_t *p, uint64_t x, int n)
{
    for (int i = n; i-- > 0; x >>= 8) {
        p[i] = x;
    }
}

static uint32_t
sum(const uint8_t *p, int n, uint32_t partial)
{
    for (int i = 0; i < n; i += 2) {
        partial += p[i] << 8 | p[i + 1];
    }
    return partial;
}

static uint16_t
fold(uint32_t partial)
{
    while (partial >> 16) {
        partial = (partial & 0xffff) + (partial >> 16);
    }
    return ~partial;
}

void
gen_packet_bytes(const struct gen_packet *p, uint8_t bytes[GEN_PACKET_SIZE])
{
    uint8_t *ip = bytes + ETH, *l4 = bytes + L4;
    bool tcp = p->nw_proto == GEN_TCP;
    uint32_t pseudo;

    memset(bytes, 0, GEN_PACKET_SIZE);
    put(bytes, p->dl_dst, 6);
    put(bytes + 6, p->dl_src, 6);
    put(bytes + 12, 0x0800, 2);

    ip[0] = 0x45;
    put(ip + 2, GEN_PACKET_SIZE - ETH, 2);
    ip[8] = 64;
    ip[9] = p->nw_proto;
    put(ip + 12, p->nw_src, 4);
    put(ip + 16, p->nw_dst, 4);
    put(ip + 10, fold(sum(ip, IP, 0)), 2);

    put(l4, p->tp_src, 2);
    put(l4 + 2, p->tp_dst, 2);
    if (tcp) {
        l4[12] = 5 << 4;
        l4[13] = 0x10;          /* ACK. */
    } else {
        put(l4 + 4, L4_SIZE, 2);
    }
    pseudo = fold(sum(l4, L4_SIZE, sum(ip + 12, 8, p->nw_proto + L4_SIZE)));
    put(l4 + (tcp ? 16 : 6), tcp || pseudo ? pseudo : 0xffff, 2);
}
