/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/bench/gen/gen.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void
gen_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "gen: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

static FILE *
create(const struct gen *g, const char *name)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", g->folder, name);
    f = fopen(path, "w");
    if (!f) {
        gen_fail("%s: %s", path, strerror(errno));
    }
    return f;
}

static void
finish(FILE *f)
{
    if (f && (ferror(f) | fclose(f))) {
        gen_fail("cannot write: %s", strerror(errno));
    }
}

void
gen_open(struct gen *g, const char *folder, uint64_t seed)
{
    memset(g, 0, sizeof *g);
    g->folder = folder;
    g->rng = seed;
    g->flows = create(g, "flows");
}

/* splitmix64. */
static uint64_t
mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t
gen_random(struct gen *g)
{
    return mix(g->rng += UINT64_C(0x9e3779b97f4a7c15));
}

uint32_t
gen_below(struct gen *g, uint32_t limit)
{
    return (gen_random(g) >> 32) * limit >> 32;
}

void
gen_flow(struct gen *g, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(g->flows, format, args);
    va_end(args);
    fputc('\n', g->flows);
}

void
gen_group(struct gen *g, const char *format, ...)
{
    va_list args;

    if (!g->groups) {
        g->groups = create(g, "groups");
    }
    va_start(args, format);
    vfprintf(g->groups, format, args);
    va_end(args);
    fputc('\n', g->groups);
}

struct gen_packet *
gen_add(struct gen *g)
{
    struct gen_packet *p;

    if (g->n_packets >= GEN_MAX_PACKETS) {
        gen_fail("more than %d packets", GEN_MAX_PACKETS);
    }
    if (g->n_packets >= g->allocated) {
        g->allocated = g->allocated * 2 + 1000;
        g->packets = realloc(g->packets, g->allocated * sizeof *p);
        if (!g->packets) {
            gen_fail("out of memory");
        }
    }
    p = &g->packets[g->n_packets];
    *p = (struct gen_packet) {
        .dl_dst = UINT64_C(0x020000000002),
        .dl_src = UINT64_C(0x020000000001),
        .nw_src = 10u << 24 | gen_below(g, 1 << 24),
        .nw_dst = 10u << 24 | gen_below(g, 1 << 24),
        .tp_src = 1024 + gen_below(g, 60000),
        .tp_dst = 1024 + gen_below(g, 60000),
        .nw_proto = g->n_packets % 2 ? GEN_TCP : GEN_UDP,
    };
    g->n_packets++;
    return p;
}

uint64_t
gen_mac(uint64_t i)
{
    /* Odd factors permute 40 bits. */
    return UINT64_C(0x02) << 40
           | ((i + 1) * UINT64_C(0x9e3779b97b) & ((UINT64_C(1) << 40) - 1));
}

static char *
buffer(void)
{
    static char buffers[8][32];
    static unsigned i;

    return buffers[i++ % 8];
}

const char *
gen_mac_text(uint64_t mac)
{
    char *s = buffer();

    snprintf(s, 32, "%02x:%02x:%02x:%02x:%02x:%02x", (int) (mac >> 40) & 255,
             (int) (mac >> 32) & 255, (int) (mac >> 24) & 255,
             (int) (mac >> 16) & 255, (int) (mac >> 8) & 255,
             (int) mac & 255);
    return s;
}

const char *
gen_ip_text(uint32_t ip)
{
    char *s = buffer();

    snprintf(s, 32, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
             ip & 255);
    return s;
}

/* Prefixes. */

static int
prefix_len(struct gen *g)
{
    static const struct {
        int len, percent;
    } lens[] = { { 24, 58 }, { 22, 11 }, { 23, 8 }, { 16, 8 }, { 21, 5 },
                 { 20, 5 }, { 19, 3 }, { 18, 2 } };
    int x = gen_below(g, 100), i = 0;

    while (x >= lens[i].percent) {
        x -= lens[i++].percent;
    }
    return lens[i].len;
}

struct gen_prefix *
gen_prefixes(struct gen *g, size_t n)
{
    struct gen_prefix *prefixes = calloc(n, sizeof *prefixes);
    /* A bit for each prefix of up to 24 bits there is. */
    uint8_t *seen = calloc(25, (1 << 24) / 8);

    if (!prefixes || !seen) {
        gen_fail("out of memory");
    }
    for (size_t i = 0; i < n; ) {
        int len = prefix_len(g);
        uint32_t ip = gen_random(g), bit;
        uint8_t *byte;

        /* 1.0.0.0 to 223.255.255.255. */
        ip &= UINT32_MAX << (32 - len);
        if (ip >> 24 < 1 || ip >> 24 > 223) {
            continue;
        }
        bit = ip >> (32 - len);
        byte = &seen[len * ((1 << 24) / 8) + bit / 8];
        if (!(*byte & 1 << bit % 8)) {
            *byte |= 1 << bit % 8;
            prefixes[i++] = (struct gen_prefix) { ip, len };
        } else if (len == 16 || len == 18) {
            /* All of them taken?  Then others do. */
            continue;
        }
    }
    free(seen);
    return prefixes;
}

uint32_t
gen_inside(struct gen *g, struct gen_prefix p)
{
    return p.ip | (gen_random(g) & (p.len ? UINT32_MAX >> p.len : UINT32_MAX));
}

/* The capture. */

static void
write_packet(FILE *f, const struct gen_packet *p)
{
    uint32_t header[4] = { 0, 0, GEN_PACKET_SIZE, GEN_PACKET_SIZE };
    uint8_t bytes[GEN_PACKET_SIZE];

    gen_packet_bytes(p, bytes);
    fwrite(header, sizeof header, 1, f);
    fwrite(bytes, sizeof bytes, 1, f);
}

static void
shuffle(struct gen *g)
{
    for (size_t i = g->n_packets; i > 1; i--) {
        size_t j = gen_below(g, i);
        struct gen_packet tmp = g->packets[j];

        g->packets[j] = g->packets[i - 1];
        g->packets[i - 1] = tmp;
    }
}

static void
write_zipf(struct gen *g, FILE *f)
{
    double *sums = malloc(g->n_packets * sizeof *sums), sum = 0;

    if (!sums) {
        gen_fail("out of memory");
    }
    for (size_t i = 0; i < g->n_packets; i++) {
        sums[i] = sum += pow(i + 1, -1.1);
    }
    for (int i = 0; i < GEN_MAX_PACKETS; i++) {
        double x = (gen_random(g) >> 11) * 0x1p-53 * sum;
        size_t low = 0, high = g->n_packets - 1;

        while (low < high) {
            size_t middle = (low + high) / 2;

            if (sums[middle] <= x) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        write_packet(f, &g->packets[low]);
    }
    free(sums);
}

void
gen_close(struct gen *g, bool zipf)
{
    /* Classic pcap, microseconds, Ethernet. */
    static const uint32_t header[6] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535,
                                        1 };
    FILE *f = create(g, "in.pcap");

    fwrite(header, sizeof header, 1, f);
    shuffle(g);
    if (zipf) {
        write_zipf(g, f);
    } else {
        for (size_t i = 0; i < g->n_packets; i++) {
            write_packet(f, &g->packets[i]);
        }
    }
    finish(f);
    finish(g->flows);
    finish(g->groups);
    free(g->packets);
}
