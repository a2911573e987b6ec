/* SPDX-License-Identifier: Apache-2.0 */

/* The workloads, but for classifiers' rules (acl.c). */

#include "tests/bench/gen/gen.h"

#include <stdlib.h>

const struct gen_workload gen_workloads[] = {
#define GEN(NAME, N_ARGS, FN) { NAME, N_ARGS, FN },
#include "tests/bench/gen/workloads.def"
#undef GEN
};
const size_t gen_n_workloads = sizeof gen_workloads / sizeof *gen_workloads;

static uint64_t
at_most(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* From one port to another. */
void
gen_port(struct gen *g, const struct gen_args *args)
{
    gen_flow(g, "in_port=1,actions=output:2");
    gen_add(g);
}

/* N addresses. */
void
gen_l2(struct gen *g, const struct gen_args *args)
{
    for (uint64_t i = 0; i < args->n[0]; i++) {
        gen_flow(g, "dl_dst=%s,actions=output:2", gen_mac_text(gen_mac(i)));
    }
    for (uint64_t i = 0; i < at_most(args->n[0], GEN_MAX_PACKETS); i++) {
        gen_add(g)->dl_dst = gen_mac(i);
    }
}

static void
prefix_flow(struct gen *g, const char *start, struct gen_prefix p,
            const char *actions)
{
    gen_flow(g, "%spriority=%d,ip,nw_dst=%s/%d,actions=%s", start, p.len,
             gen_ip_text(p.ip), p.len, actions);
}

/* A router of P prefixes; F flows. */
void
gen_l3(struct gen *g, const struct gen_args *args)
{
    size_t n = args->n[0];
    struct gen_prefix *prefixes = gen_prefixes(g, n);
    char actions[128];

    for (size_t i = 0; i < n; i++) {
        snprintf(actions, sizeof actions,
                 "mod_dl_src:%s,mod_dl_dst:%s,dec_ttl,output:2",
                 gen_mac_text(gen_mac(i % 16)),
                 gen_mac_text(gen_mac(100 + i % 200)));
        prefix_flow(g, "", prefixes[i], actions);
    }
    for (uint64_t i = 0; i < args->n[1]; i++) {
        gen_add(g)->nw_dst = gen_inside(g, prefixes[gen_below(g, n)]);
    }
    free(prefixes);
}

/* 100 services, each on two servers by the client's address; F flows. */
void
gen_lb(struct gen *g, const struct gen_args *args)
{
    enum { N = 100 };
    const uint32_t base = 192u << 24 | 168 << 16;

    for (uint32_t i = 0; i < N; i++) {
        for (uint32_t half = 0; half < 2; half++) {
            gen_flow(g, "tcp,nw_dst=%s,tp_dst=80,nw_src=%s/1,"
                     "actions=output:2", gen_ip_text(base + i),
                     gen_ip_text(half << 31));
        }
    }
    for (uint64_t i = 0; i < args->n[0]; i++) {
        struct gen_packet *p = gen_add(g);

        p->nw_src = gen_random(g);
        p->nw_dst = base + gen_below(g, N);
        p->nw_proto = GEN_TCP;
        p->tp_dst = 80;
    }
}

/* ESWITCH's access gateway, user to Internet; F flows. */
void
gen_agw(struct gen *g, const struct gen_args *args)
{
    enum { CES = 10, USERS = 20, PREFIXES = 10000, HOPS = 10 };
    const uint32_t private = 192u << 24 | 168 << 16 | 1 << 8;
    const uint32_t public = 12u << 24 | 35 << 16;
    struct gen_prefix *prefixes = gen_prefixes(g, PREFIXES);
    char actions[32];

    for (int i = 1; i <= HOPS; i++) {
        gen_group(g, "group_id=%d,type=indirect,bucket=actions=dec_ttl,"
                  "mod_dl_src:%s,mod_dl_dst:%s,output:2", i,
                  gen_mac_text(gen_mac(200 + i)),
                  gen_mac_text(gen_mac(300 + i)));
    }
    for (int ce = 0; ce < CES; ce++) {
        int table = 11 + ce;

        gen_flow(g, "table=0,dl_src=%s,actions=goto_table:%d",
                 gen_mac_text(gen_mac(ce)), table);
        gen_flow(g, "table=%d,priority=0,actions=goto_table:110", table);
        for (uint32_t u = 1; u <= USERS; u++) {
            uint32_t out = public | (ce << 8) | u;

            gen_flow(g, "table=%d,ip,nw_src=%s,actions="
                     "mod_nw_src:%s,goto_table:200", table,
                     gen_ip_text(private | u), gen_ip_text(out));
            gen_flow(g, "table=110,ip,nw_dst=%s,actions=mod_dl_dst:%s,"
                     "mod_nw_dst:%s,output:2", gen_ip_text(out),
                     gen_mac_text(gen_mac(ce)), gen_ip_text(private | u));
        }
    }
    for (int i = 0; i < PREFIXES; i++) {
        snprintf(actions, sizeof actions, "group:%d", 1 + i % HOPS);
        prefix_flow(g, "table=200,", prefixes[i], actions);
    }
    for (uint64_t i = 0; i < args->n[0]; i++) {
        struct gen_packet *p = gen_add(g);

        p->dl_src = gen_mac(gen_below(g, CES));
        p->nw_src = private | (1 + gen_below(g, USERS));
        p->nw_dst = gen_inside(g, prefixes[gen_below(g, PREFIXES)]);
    }
    free(prefixes);
}

/* Few rules that make a cache of masked flows explode. */

enum { TSE_DST_PORT = 80, TSE_SRC_PORT = 12345 };
#define TSE_SRC (10u << 24 | 1)
#define TSE_DST (10u << 24 | 2)

static void
tse_rules(struct gen *g)
{
    gen_flow(g, "priority=40,tcp,tp_dst=%d,actions=output:2", TSE_DST_PORT);
    gen_flow(g, "priority=30,ip,nw_src=%s,actions=output:2",
             gen_ip_text(TSE_SRC));
    gen_flow(g, "priority=20,tcp,tp_src=%d,actions=output:2", TSE_SRC_PORT);
    gen_flow(g, "priority=10,ip,nw_dst=%s,actions=output:2",
             gen_ip_text(TSE_DST));
    gen_flow(g, "priority=1,actions=output:2");
}

/* 100k packets of random headers. */
void
gen_tse(struct gen *g, const struct gen_args *args)
{
    tse_rules(g);
    for (int i = 0; i < 100000; i++) {
        struct gen_packet *p = gen_add(g);

        p->nw_src = gen_random(g);
        p->nw_dst = gen_random(g);
        p->tp_src = gen_random(g);
        p->tp_dst = gen_random(g);
        p->nw_proto = GEN_TCP;
    }
}

/* 'x' with bit 'i' from the top of 'n' turned over; i == n: as it is. */
static uint32_t
invert(uint32_t x, int i, int n)
{
    return i < n ? x ^ UINT32_C(1) << (n - 1 - i) : x;
}

/* The extended attack: 17 x 17 x 33 packets that differ from what rules match
 * in one bit of each field. */
void
gen_tse_extended(struct gen *g, const struct gen_args *args)
{
    tse_rules(g);
    for (int i = 0; i <= 16; i++) {
        for (int j = 0; j <= 16; j++) {
            for (int k = 0; k <= 32; k++) {
                struct gen_packet *p = gen_add(g);

                p->tp_dst = invert(TSE_DST_PORT, i, 16);
                p->tp_src = invert(TSE_SRC_PORT, j, 16);
                p->nw_src = invert(TSE_SRC, k, 32);
                p->nw_proto = GEN_TCP;
            }
        }
    }
}

/* N sources dropped, all else forwarded; packets are of dropped sources. */
void
gen_ddos(struct gen *g, const struct gen_args *args)
{
    enum { N_PACKETS = 198000 };
    uint64_t n = args->n[0];

    for (uint64_t i = 0; i < n; i++) {
        /* An odd factor permutes 24 bits. */
        gen_flow(g, "priority=10,ip,nw_src=%s,actions=drop",
                 gen_ip_text(10u << 24 | (i * 0x9e3779u & 0xffffff)));
    }
    gen_flow(g, "priority=1,actions=output:2");
    for (uint64_t i = 0; i < at_most(n, N_PACKETS); i++) {
        gen_add(g)->nw_src = 10u << 24
                             | (gen_below(g, n) * 0x9e3779u & 0xffffff);
    }
}

/* 64 tables, each exact on another field or part of one; 10k flows. */
void
gen_deep(struct gen *g, const struct gen_args *args)
{
    enum { N_TABLES = 64, N_FLOWS = 10000 };
    static const char *const fields[] = {
        "in_port=1", "dl_type=0x0800", "dl_dst=02:00:00:00:00:02",
        "ip,nw_proto=17", "udp,tp_dst=4789", "udp,tp_src=5000",
        "ip,nw_ttl=64", "ip,nw_tos=0", "vlan_tci=0", "metadata=0",
        "ip,nw_dst=10.0.0.2", "dl_src=02:00:00:00:00:01", "ip,ip_frag=no",
        "ip,nw_ecn=0", "pkt_mark=0", "reg0=0",
    };
    enum { N_FIELDS = sizeof fields / sizeof *fields };

    for (int t = 0; t < N_TABLES; t++) {
        char match[64];

        if (t == N_TABLES - 1) {
            for (uint32_t i = 0; i < N_FLOWS; i++) {
                gen_flow(g, "table=%d,ip,nw_src=%s,actions=output:2", t,
                         gen_ip_text(10u << 24 | i));
            }
            break;
        } else if (t < N_FIELDS) {
            snprintf(match, sizeof match, "%s", fields[t]);
        } else if (t < N_FIELDS + 16) {
            snprintf(match, sizeof match, "reg%d=0", t - N_FIELDS);
        } else {
            /* Bytes of addresses and halves of registers. */
            int i = t - N_FIELDS - 16;

            snprintf(match, sizeof match, "reg%d=0/0x%x", i % 16,
                     i < 16 ? 0xffff : 0xff000000u);
        }
        gen_flow(g, "table=%d,%s,actions=goto_table:%d", t, match, t + 1);
    }
    for (uint32_t i = 0; i < N_FLOWS; i++) {
        struct gen_packet *p = gen_add(g);

        p->nw_src = 10u << 24 | i;
        p->nw_dst = 10u << 24 | 2;
        p->nw_proto = GEN_UDP;
        p->tp_dst = 4789;
        p->tp_src = 5000;
    }
}
