/* SPDX-License-Identifier: Apache-2.0 */

/* What an engine did with a case. */

#include "tests/random/random.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "openvswitch/dynamic-string.h"
#include "util.h"

void
rnd_result_clear(struct rnd_result *r)
{
    for (size_t i = 0; i < r->n_outputs; i++) {
        free(r->outputs[i].data);
    }
    free(r->outputs);
    free(r->error);
    memset(r, 0, sizeof *r);
}

void
rnd_result_output(struct rnd_result *r, uint16_t port, const void *data,
                  size_t size)
{
    struct rnd_output *o;

    if (r->n_outputs >= r->allocated) {
        r->outputs = x2nrealloc(r->outputs, &r->allocated,
                                sizeof *r->outputs);
    }
    o = &r->outputs[r->n_outputs++];
    o->packet = r->current;
    o->port = port;
    o->size = size;
    o->data = xmemdup(data, size);
}

/* Whether 'a' may stand before 'b': by packet, then port.  Packet-ins of one
 * packet for several reasons wait in several rings: by their bytes. */
static bool
in_order(const struct rnd_output *a, const struct rnd_output *b)
{
    if (a->packet != b->packet) {
        return a->packet < b->packet;
    } else if (a->port != b->port || a->port != RND_TO_CONTROLLER) {
        return a->port <= b->port;
    } else if (a->size != b->size) {
        return a->size < b->size;
    }
    return memcmp(a->data, b->data, a->size) <= 0;
}

/* The order per port stays.  Insertion sort: it is stable, and the lists are
 * short and nearly sorted. */
static void
sort_outputs(struct rnd_result *r, bool by_port)
{
    for (size_t i = 0; by_port && i < r->n_outputs; i++) {
        r->outputs[i].packet = 0;
    }
    for (size_t i = 1; i < r->n_outputs; i++) {
        struct rnd_output o = r->outputs[i];
        size_t j;

        for (j = i; j > 0; j--) {
            if (in_order(&r->outputs[j - 1], &o)) {
                break;
            }
            r->outputs[j] = r->outputs[j - 1];
        }
        r->outputs[j] = o;
    }
}

char *
rnd_hex(const void *data_, size_t size)
{
    struct ds s = DS_EMPTY_INITIALIZER;
    const uint8_t *data = data_;

    ds_reserve(&s, 2 * size);
    for (size_t i = 0; i < size; i++) {
        ds_put_format(&s, "%02x", data[i]);
    }
    return ds_steal_cstr(&s);
}

static void
put_output(struct ds *s, const struct rnd_output *o)
{
    char *hex;

    if (!o) {
        ds_put_cstr(s, "nothing more");
        return;
    }
    hex = rnd_hex(o->data, o->size);
    ds_put_format(s, "packet %d to port %u %s", o->packet, o->port, hex);
    free(hex);
}

static bool
same_output(const struct rnd_output *a, const struct rnd_output *b)
{
    return (a && b && a->packet == b->packet && a->port == b->port
            && a->size == b->size && !memcmp(a->data, b->data, a->size));
}

static bool
compare_outputs(struct rnd_result *a, const char *a_name,
                struct rnd_result *b, const char *b_name, struct ds *s)
{
    bool by_port = a->by_port || b->by_port;

    sort_outputs(a, by_port);
    sort_outputs(b, by_port);
    for (size_t i = 0; i < MAX(a->n_outputs, b->n_outputs); i++) {
        const struct rnd_output *x = i < a->n_outputs ? &a->outputs[i] : NULL;
        const struct rnd_output *y = i < b->n_outputs ? &b->outputs[i] : NULL;

        if (!same_output(x, y)) {
            ds_put_format(s, "output %"PRIuSIZE": %s: ", i, a_name);
            put_output(s, x);
            ds_put_format(s, "; %s: ", b_name);
            put_output(s, y);
            return false;
        }
    }
    return true;
}

static bool
compare_counts(const struct rnd_result *a, const char *a_name,
               const struct rnd_result *b, const char *b_name, struct ds *s)
{
    for (int i = 0; i <= RND_MAX_RULES; i++) {
        if (a->present[i] != b->present[i]) {
            ds_put_format(s, "rule %d is only in %s", i,
                          a->present[i] ? a_name : b_name);
            return false;
        }
        if (a->rules[i].packets != b->rules[i].packets
            || a->rules[i].bytes != b->rules[i].bytes) {
            ds_put_format(s, "rule %d: %s: %"PRIu64" packets, %"PRIu64
                          " bytes; %s: %"PRIu64", %"PRIu64,
                          i, a_name, a->rules[i].packets, a->rules[i].bytes,
                          b_name, b->rules[i].packets, b->rules[i].bytes);
            return false;
        }
    }
    for (int i = 0; i < RND_MAX_TABLES; i++) {
        if (a->lookups[i] != b->lookups[i] || a->matches[i] != b->matches[i]) {
            ds_put_format(s, "table %d: %s: %"PRIu64" lookups, %"PRIu64
                          " matches; %s: %"PRIu64", %"PRIu64,
                          i, a_name, a->lookups[i], a->matches[i],
                          b_name, b->lookups[i], b->matches[i]);
            return false;
        }
    }
    return true;
}

static bool
compare_groups(const struct rnd_result *a, const char *a_name,
               const struct rnd_result *b, const char *b_name, struct ds *s)
{
    for (int i = 1; i <= RND_MAX_GROUPS; i++) {
        if (a->groups[i] != b->groups[i]) {
            ds_put_format(s, "group %d: %s: %"PRIu64" packets; %s: %"PRIu64,
                          i, a_name, a->groups[i], b_name, b->groups[i]);
            return false;
        }
        for (int j = 0; j < RND_MAX_BUCKETS; j++) {
            if (a->buckets[i][j] != b->buckets[i][j]) {
                ds_put_format(s, "group %d, bucket %d: %s: %"PRIu64
                              " packets; %s: %"PRIu64, i, j, a_name,
                              a->buckets[i][j], b_name, b->buckets[i][j]);
                return false;
            }
        }
    }
    for (int i = 1; i <= RND_MAX_METERS; i++) {
        if (a->meters[i] != b->meters[i]) {
            ds_put_format(s, "meter %d: %s: %"PRIu64" packets; %s: %"PRIu64,
                          i, a_name, a->meters[i], b_name, b->meters[i]);
            return false;
        }
    }
    return true;
}

char *
rnd_compare(struct rnd_result *a, const char *a_name,
            struct rnd_result *b, const char *b_name)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    if (a->error || b->error) {
        if (!a->error != !b->error) {
            ds_put_format(&s, "%s refuses: %s", a->error ? a_name : b_name,
                          a->error ? a->error : b->error);
        }
    } else if (compare_outputs(a, a_name, b, b_name, &s)
               && compare_counts(a, a_name, b, b_name, &s)) {
        compare_groups(a, a_name, b, b_name, &s);
    }
    if (!s.length) {
        ds_destroy(&s);
        return NULL;
    }
    return ds_steal_cstr(&s);
}
