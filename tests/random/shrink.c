/* SPDX-License-Identifier: Apache-2.0 */

/* Failing cases: made small, and written as a folder of tests/replay/. */

#include "tests/random/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "util.h"

static bool
fails(const struct rnd_case *c, rnd_fails_fn *fn)
{
    char *why = fn(c);

    free(why);
    return why != NULL;
}

/* Tries 'c' without the rules (packets) 'first' to 'first + n'. */
static bool
drop_rules(struct rnd_case *c, int first, int n, rnd_fails_fn *fn)
{
    struct rnd_case *try = xmemdup(c, sizeof *c);
    bool ok;

    memmove(&try->rules[first], &try->rules[first + n],
            (c->n_rules - first - n) * sizeof *try->rules);
    try->n_rules -= n;
    ok = fails(try, fn);
    if (ok) {
        *c = *try;
    }
    free(try);
    return ok;
}

static bool
drop_packets(struct rnd_case *c, int first, int n, rnd_fails_fn *fn)
{
    struct rnd_case *try = xmemdup(c, sizeof *c);
    bool ok;

    memmove(&try->packets[first], &try->packets[first + n],
            (c->n_packets - first - n) * sizeof *try->packets);
    try->n_packets -= n;
    ok = fails(try, fn);
    if (ok) {
        *c = *try;
    }
    free(try);
    return ok;
}

/* The last group: others may lead to it. */
static bool
drop_group(struct rnd_case *c, rnd_fails_fn *fn)
{
    struct rnd_case *try = xmemdup(c, sizeof *c);
    bool ok;

    try->n_groups--;
    ok = fails(try, fn);
    if (ok) {
        *c = *try;
    }
    free(try);
    return ok;
}

static void
drop_bucket(struct rnd_case *c, int group, int bucket, rnd_fails_fn *fn)
{
    struct rnd_case *try = xmemdup(c, sizeof *c);
    struct rnd_group *g = &try->groups[group];

    memmove(&g->buckets[bucket], &g->buckets[bucket + 1],
            (g->n_buckets - bucket - 1) * sizeof *g->buckets);
    g->n_buckets--;
    if (fails(try, fn)) {
        *c = *try;
    }
    free(try);
}

static bool
drop_action(struct rnd_case *c, int rule, int action, rnd_fails_fn *fn)
{
    struct rnd_case *try = xmemdup(c, sizeof *c);
    struct rnd_rule *r = &try->rules[rule];
    struct ofpbuf *msg;
    bool ok;

    memmove(&r->actions[action], &r->actions[action + 1],
            (r->n_actions - action - 1) * sizeof *r->actions);
    r->n_actions--;
    msg = rnd_encode(r);
    ok = msg && fails(try, fn);
    ofpbuf_delete(msg);
    if (ok) {
        *c = *try;
    }
    free(try);
    return ok;
}

void
rnd_shrink(struct rnd_case *c, rnd_fails_fn *fn)
{
    for (int n = c->n_packets / 2; n >= 1; n /= 2) {
        for (int i = 0; i + n <= c->n_packets && c->n_packets > n;) {
            i += drop_packets(c, i, n, fn) ? 0 : n;
        }
    }
    for (int n = c->n_rules / 2; n >= 1; n /= 2) {
        for (int i = 0; i + n <= c->n_rules;) {
            i += drop_rules(c, i, n, fn) ? 0 : n;
        }
    }
    for (int i = 0; i < c->n_rules; i++) {
        for (int j = c->rules[i].n_actions - 1; j >= 0; j--) {
            drop_action(c, i, j, fn);
        }
    }
    while (c->n_groups && drop_group(c, fn)) {
        continue;
    }
    for (int i = 0; i < c->n_groups; i++) {
        for (int j = c->groups[i].n_buckets - 1; j >= 0; j--) {
            drop_bucket(c, i, j, fn);
        }
    }
}

/* Replay folders. */

static FILE *
create(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *file = fopen(path, "w");

    if (!file) {
        ovs_fatal(errno, "%s", path);
    }
    free(path);
    return file;
}

/* A capture named by 'format' and 'port'; its port's packets are to follow.
 * (libopenvswitch's writer has the time of writing, ours that of the case.) */
static FILE *
create_pcap(const char *dir, const char *format, const char *port)
{
    static const uint32_t header[] = {
        0xa1b2c3d4, 4 << 16 | 2, 0, 0, UINT16_MAX, 1 /* Ethernet. */
    };
    char *name = xasprintf("%s.%s.pcap", format, port);
    FILE *file = create(dir, name);

    fwrite(header, sizeof header, 1, file);
    free(name);
    return file;
}

/* Packet 'number' comes in, and what it causes goes out, after so many
 * milliseconds. */
static void
put_packet(FILE *pcap, int number, const void *data, uint32_t size)
{
    const uint32_t record[] = { 1000000000, 1000 * number, size, size };

    fwrite(record, sizeof record, 1, pcap);
    fwrite(data, size, 1, pcap);
}

static void
write_flows(const struct rnd_case *c, const char *dir)
{
    FILE *file = create(dir, "flows.txt");

    fprintf(file, "# Found by the random comparison, seed %llu.\n",
            (unsigned long long int) c->seed);
    for (int i = 0; i < c->n_rules; i++) {
        char *text = rnd_rule_text(&c->rules[i]);

        fprintf(file, "%s\n", text);
        free(text);
    }
    fclose(file);
}

/* Groups in the order in which they can be added. */
static void
write_groups(const struct rnd_case *c, const char *dir)
{
    FILE *file = c->n_groups ? create(dir, "groups.txt") : NULL;

    for (int i = c->n_groups - 1; i >= 0; i--) {
        char *text = rnd_group_text(&c->groups[i]);

        fprintf(file, "%s\n", text);
        free(text);
    }
    if (file) {
        fclose(file);
    }
    file = c->n_meters ? create(dir, "meters.txt") : NULL;
    for (int i = 1; i <= c->n_meters; i++) {
        char *text = rnd_meter_text(i);

        fprintf(file, "%s\n", text);
        free(text);
    }
    if (file) {
        fclose(file);
    }
}

static void
write_outputs(const struct rnd_result *r, uint16_t port, const char *dir,
              const char *name)
{
    FILE *file = create_pcap(dir, "expect", name);

    for (size_t i = 0; i < r->n_outputs; i++) {
        const struct rnd_output *o = &r->outputs[i];

        if (o->port == port) {
            put_packet(file, o->packet, o->data, o->size);
        }
    }
    fclose(file);
}

void
rnd_write_replay(const struct rnd_case *c, const struct rnd_result *expected,
                 const char *dir)
{
    mkdir(dir, 0777);
    write_flows(c, dir);
    write_groups(c, dir);
    for (int port = 1; port <= RND_N_PORTS; port++) {
        char *name = xasprintf("%d", port);
        FILE *file = create_pcap(dir, "in", name);

        for (int i = 0; i < c->n_packets; i++) {
            if (c->packets[i].in_port == port) {
                put_packet(file, i, c->packets[i].data, c->packets[i].size);
            }
        }
        fclose(file);
        write_outputs(expected, port, dir, name);
        free(name);
    }
    write_outputs(expected, RND_TO_CONTROLLER, dir, "controller");
}
