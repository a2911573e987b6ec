/* SPDX-License-Identifier: Apache-2.0 */

/* Rules as ClassBench's acl1 seed makes them: protocol, prefix lengths and
 * kinds of port ranges have its distributions, to a few percent; addresses
 * share prefixes, so that rules overlap. */

#include "tests/bench/gen/gen.h"

#include <stdlib.h>

enum { N_PACKETS = 100000, HITS_PERCENT = 90 };

struct rule {
    struct gen_prefix src, dst;
    uint16_t first, last;       /* Destination ports. */
    uint8_t nw_proto;           /* 0: any. */
};

struct share {
    int value, percent;
};

static int
draw(struct gen *g, const struct share *shares)
{
    int x = gen_below(g, 100);

    while (x >= shares->percent) {
        x -= shares++->percent;
    }
    return shares->value;
}

/* An address of few networks: half of the bits above /16 are shared. */
static struct gen_prefix
draw_prefix(struct gen *g, int len, uint32_t side)
{
    uint32_t net = (gen_below(g, 64) * 0x9e37 + side * 0x79b9) & 0xffff;
    uint32_t ip = ((net % 0xdf00) + 0x100) << 16 | (gen_random(g) & 0xffff);

    return (struct gen_prefix) {
        len ? ip & UINT32_MAX << (32 - len) : 0, len
    };
}

static void
draw_ports(struct gen *g, struct rule *r)
{
    static const struct share kinds[] = {
        { 0, 60 },              /* Exact. */
        { 1, 28 },              /* Any. */
        { 2, 4 },               /* 1024 and up. */
        { 3, 8 },               /* Some range. */
    };
    static const uint16_t services[] = { 80, 443, 25, 53, 22, 21, 1521, 1433,
                                         110, 143, 3306, 8080 };

    switch (r->nw_proto ? draw(g, kinds) : 1) {
    case 0:
        r->first = r->last = (gen_below(g, 3)
                              ? services[gen_below(g, 12)]
                              : gen_below(g, 65536));
        break;
    case 1:
        r->first = 0;
        r->last = 65535;
        break;
    case 2:
        r->first = 1024;
        r->last = 65535;
        break;
    default:
        r->first = gen_below(g, 60000);
        r->last = r->first + 1 + gen_below(g, 2000);
        break;
    }
}

static struct rule
draw_rule(struct gen *g)
{
    static const struct share protocols[] = {
        { GEN_TCP, 80 }, { GEN_UDP, 14 }, { 0, 6 }
    };
    static const struct share src_lens[] = {
        { 0, 6 }, { 16, 6 }, { 20, 8 }, { 23, 10 }, { 24, 20 }, { 27, 8 },
        { 28, 8 }, { 30, 6 }, { 32, 28 }
    };
    static const struct share dst_lens[] = {
        { 0, 2 }, { 16, 4 }, { 22, 6 }, { 24, 18 }, { 26, 6 }, { 28, 8 },
        { 30, 6 }, { 32, 50 }
    };
    struct rule r = { .nw_proto = draw(g, protocols) };

    r.src = draw_prefix(g, draw(g, src_lens), 1);
    r.dst = draw_prefix(g, draw(g, dst_lens), 2);
    draw_ports(g, &r);
    return r;
}

/* One flow for each mask that the range of ports takes. */
static void
write_rule(struct gen *g, const struct rule *r, int priority)
{
    const char *proto = (r->nw_proto == GEN_TCP ? "tcp"
                         : r->nw_proto == GEN_UDP ? "udp" : "ip");
    uint32_t port = r->first;

    do {
        uint32_t size = 1;
        char ports[32] = "";

        while (!(port & size) && size < 65536 && port + 2 * size - 1
               <= r->last) {
            size *= 2;
        }
        if (size < 65536) {
            snprintf(ports, sizeof ports, ",tp_dst=0x%x/0x%x", port,
                     65536 - size);
        }
        gen_flow(g, "priority=%d,%s,nw_src=%s/%d,nw_dst=%s/%d%s,"
                 "actions=output:2", priority, proto, gen_ip_text(r->src.ip),
                 r->src.len, gen_ip_text(r->dst.ip), r->dst.len, ports);
        port += size;
    } while (port <= r->last);
}

void
gen_acl(struct gen *g, const struct gen_args *args)
{
    size_t n = args->n[0];
    struct rule *rules = calloc(n, sizeof *rules);

    if (!rules || n > 60000) {
        gen_fail("too many rules");
    }
    for (size_t i = 0; i < n; i++) {
        rules[i] = draw_rule(g);
        write_rule(g, &rules[i], n - i + 1);
    }
    gen_flow(g, "priority=1,actions=output:2");
    for (int i = 0; i < N_PACKETS; i++) {
        const struct rule *r = &rules[gen_below(g, n)];
        struct gen_packet *p = gen_add(g);

        if (i % 100 < HITS_PERCENT) {
            p->nw_src = gen_inside(g, r->src);
            p->nw_dst = gen_inside(g, r->dst);
            p->tp_dst = r->first + gen_below(g, r->last - r->first + 1);
            p->nw_proto = r->nw_proto ? r->nw_proto : GEN_UDP;
        }
    }
    free(rules);
}
