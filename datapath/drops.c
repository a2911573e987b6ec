/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/drops.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/bridge.h"
#include "datapath/private.h"
#include "dp-packet.h"
#include "flow.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "ovs-thread.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"

/* A row's tag: never 0. */
#define TAG(REASON, TABLE) (0x10000u | (REASON) << 8 | (TABLE))
#define TAG_REASON(TAG) ((TAG) >> 8 & 0xff)
#define TAG_TABLE(TAG) ((TAG) & 0xff)
_Static_assert(DP_N_DROPS <= 256, "a reason fits into a tag");

static const char *const names[DP_N_DROPS] = {
#define DP_DROP(NAME, TEXT) #NAME,
#include "datapath/drop-reasons.def"
#undef DP_DROP
};

static const char *const texts[DP_N_DROPS] = {
#define DP_DROP(NAME, TEXT) TEXT,
#include "datapath/drop-reasons.def"
#undef DP_DROP
};

const char *
dp_drop_name(enum dp_drop_reason reason)
{
    static char lower[DP_N_DROPS][32];
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;

    if (ovsthread_once_start(&once)) {
        for (int i = 0; i < DP_N_DROPS; i++) {
            for (int j = 0; names[i][j] && j < 31; j++) {
                lower[i][j] = tolower((unsigned char) names[i][j]);
            }
        }
        ovsthread_once_done(&once);
    }
    return lower[reason];
}

const char *
dp_drop_text(enum dp_drop_reason reason)
{
    return texts[reason];
}

static void
add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter,
                          atomic_load_explicit(counter, memory_order_relaxed)
                          + n, memory_order_relaxed);
}

/* The last packet of a row. */

void
dp_drop_take(struct dp_drop_head *head, const struct dp_packet *packet,
             uint32_t in_port, uint64_t now_ms)
{
    size_t size = dp_packet_size(packet);

    *head = (struct dp_drop_head) {
        .in_port = in_port, .size = size, .ms = now_ms
    };
    memcpy(head->bytes, dp_packet_data(packet), MIN(size, DP_DROP_BYTES));
}

static void
write_last(struct dp_drop_last *last, const struct dp_drop_head *head)
{
    const uint64_t *words = (const uint64_t *) head;
    uint32_t seq = atomic_load_explicit(&last->seq, memory_order_relaxed);

    atomic_store_explicit(&last->seq, seq + 1, memory_order_relaxed);
    for (size_t i = 0; i < ARRAY_SIZE(last->words); i++) {
        /* Each after the odd number above. */
        atomic_store_explicit(&last->words[i], words[i],
                              memory_order_release);
    }
    atomic_store_explicit(&last->seq, seq + 2, memory_order_release);
}

/* False: there is none. */
static bool
read_last(const struct dp_drop_last *last, struct dp_drop_head *head)
{
    uint64_t *words = (uint64_t *) head;
    uint32_t before, after;

    do {
        before = atomic_load_explicit(&last->seq, memory_order_acquire);
        for (size_t i = 0; i < ARRAY_SIZE(last->words); i++) {
            words[i] = atomic_load_explicit(&last->words[i],
                                            memory_order_acquire);
        }
        after = atomic_load_explicit(&last->seq, memory_order_relaxed);
    } while (before != after || before & 1);
    return before != 0;
}

/* Rows. */

void
dp_drops_add(struct dp_drops *drops, const struct dp_drop_cause *cause,
             uint64_t n_packets, const struct dp_drop_head *head)
{
    uint32_t tag = TAG(cause->reason, cause->table_id);
    uint64_t cookie = cause->cookie;
    uint32_t i = hash_2words(hash_uint64(cookie), tag);

    dp_drop_coverage_add(drops->worker, cause->reason, n_packets);
    for (;; i++) {
        uint32_t slot = i & (DP_N_DROP_ROWS - 1);
        struct dp_drop_row *row = &drops->rows[slot];
        uint32_t row_tag = atomic_load_explicit(&row->tag,
                                                memory_order_relaxed);

        if (!row_tag) {
            /* Keep a quarter free so that probes stay short. */
            if (drops->n_rows >= DP_N_DROP_ROWS / 4 * 3) {
                add(&drops->other[cause->reason][cause->table_id],
                    n_packets);
                return;
            }
            drops->n_rows++;
            row->cookie = cookie;
            atomic_store_explicit(&row->packets, n_packets,
                                  memory_order_relaxed);
            atomic_store_explicit(&row->tag, tag, memory_order_release);
        } else if (row_tag == tag && row->cookie == cookie) {
            add(&row->packets, n_packets);
        } else {
            continue;
        }
        if (head) {
            write_last(&drops->lasts[slot], head);
        }
        return;
    }
}

void
dp_drops_each(const struct dp_drops *drops, dp_drops_cb *cb, void *aux)
{
    for (size_t i = 0; i < DP_N_DROP_ROWS; i++) {
        const struct dp_drop_row *row = &drops->rows[i];
        uint32_t tag = atomic_load_explicit(&row->tag, memory_order_acquire);

        if (tag) {
            const struct dp_drop_cause cause = {
                TAG_REASON(tag), TAG_TABLE(tag), row->cookie
            };
            struct dp_drop_head head;
            bool any = read_last(&drops->lasts[i], &head);

            cb(&cause, atomic_load_explicit(&row->packets,
                                            memory_order_relaxed),
               any ? &head : NULL, aux);
        }
    }
    for (int reason = 0; reason < DP_N_DROPS; reason++) {
        for (int table = 0; table < 256; table++) {
            uint64_t n = atomic_load_explicit(&drops->other[reason][table],
                                              memory_order_relaxed);

            if (n) {
                const struct dp_drop_cause cause = {
                    reason, table, DP_DROPS_OTHER
                };

                cb(&cause, n, NULL, aux);
            }
        }
    }
}

void
dp_drop_count(struct dp_bridge *bridge, const struct dp_drop_cause *cause,
              const struct dp_packet *packet, uint32_t in_port)
{
    struct dp_drop_head head;

    if (packet) {
        dp_drop_take(&head, packet, in_port, time_msec());
    }
    dp_drops_add(&bridge->stats[DP_WORKER_MAIN]->drops, cause, 1,
                 packet ? &head : NULL);
}

/* The sum over workers, sorted by bridge, then packets, most first. */

struct sum_row {
    const struct dp_bridge *bridge;
    enum dp_drop_reason reason;
    uint8_t table_id;
    uint64_t cookie;
    uint64_t packets;
    bool has_head;
    struct dp_drop_head head;   /* The last packet's. */
};

struct sum {
    const struct dp_bridge *bridge;
    struct sum_row *rows;
    size_t n, allocated;
    size_t first;               /* First row of 'bridge'. */
};

static struct sum_row *
get_row(struct sum *sum, const struct dp_drop_cause *cause)
{
    struct sum_row *row;

    for (size_t i = sum->first; i < sum->n; i++) {
        row = &sum->rows[i];
        if (row->reason == cause->reason && row->table_id == cause->table_id
            && row->cookie == cause->cookie) {
            return row;
        }
    }
    if (sum->n >= sum->allocated) {
        sum->rows = x2nrealloc(sum->rows, &sum->allocated, sizeof *sum->rows);
    }
    row = &sum->rows[sum->n++];
    *row = (struct sum_row) {
        .bridge = sum->bridge,
        .reason = cause->reason,
        .table_id = cause->table_id,
        .cookie = cause->cookie
    };
    return row;
}

static void
sum_cb(const struct dp_drop_cause *cause, uint64_t packets,
       const struct dp_drop_head *head, void *sum)
{
    struct sum_row *row = get_row(sum, cause);

    row->packets += packets;
    if (head && (!row->has_head || head->ms >= row->head.ms)) {
        row->has_head = true;
        row->head = *head;
    }
}

/* The headers as far as they were kept: what is behind reads as zeros. */
static void
format_head(const struct dp_drop_head *head, struct ds *out)
{
    struct dp_packet *packet = dp_packet_new(head->size);
    struct flow flow;

    dp_packet_put_zeros(packet, head->size);
    memcpy(dp_packet_data(packet), head->bytes,
           MIN(head->size, DP_DROP_BYTES));
    flow_extract(packet, &flow);
    flow.in_port.ofp_port = u16_to_ofp(head->in_port);
    flow_format(out, &flow, NULL);
    dp_packet_delete(packet);
}

static long long int
age_ms(const struct dp_drop_head *head)
{
    return MAX(0, time_msec() - (long long int) head->ms);
}

static int
compare_rows(const void *a_, const void *b_)
{
    const struct sum_row *a = a_, *b = b_;

    if (a->packets != b->packets) {
        return a->packets > b->packets ? -1 : 1;
    } else if (a->reason != b->reason) {
        return a->reason < b->reason ? -1 : 1;
    } else if (a->table_id != b->table_id) {
        return a->table_id < b->table_id ? -1 : 1;
    }
    return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

static void
sum_drops(const struct dp *dp, const struct dp_bridge *only, struct sum *sum)
{
    const struct dp_bridge *bridge;

    memset(sum, 0, sizeof *sum);
    LIST_FOR_EACH (bridge, node, &dp->bridges) {
        if (only && bridge != only) {
            continue;
        }
        sum->bridge = bridge;
        sum->first = sum->n;
        for (unsigned w = 0; w < dp->n_workers; w++) {
            dp_drops_each(&bridge->stats[w]->drops, sum_cb, sum);
        }
        if (sum->n > sum->first) {
            qsort(sum->rows + sum->first, sum->n - sum->first,
                  sizeof *sum->rows, compare_rows);
        }
    }
}

void
dp_drops_format(const struct dp *dp, const struct dp_bridge *bridge,
                struct ds *out)
{
    const struct dp_bridge *last = NULL;
    struct sum sum;

    sum_drops(dp, bridge, &sum);
    for (size_t i = 0; i < sum.n; i++) {
        const struct sum_row *row = &sum.rows[i];

        if (row->bridge != last) {
            last = row->bridge;
            ds_put_format(out, "%s:\n", last->name);
            ds_put_format(out, "  %12s  %5s  %18s  %s\n",
                          "packets", "table", "cookie", "reason");
        }
        ds_put_format(out, "  %12"PRIu64"  %5u  ", row->packets,
                      row->table_id);
        if (row->cookie == DP_DROPS_OTHER) {
            ds_put_format(out, "%18s", "other");
        } else {
            ds_put_format(out, "%#18"PRIx64, row->cookie);
        }
        ds_put_format(out, "  %s: %s\n", dp_drop_name(row->reason),
                      dp_drop_text(row->reason));
        if (row->has_head) {
            ds_put_format(out, "  %12s  last: %"PRIu32" bytes, %.1f s ago: ",
                          "", row->head.size, age_ms(&row->head) / 1e3);
            format_head(&row->head, out);
            ds_put_char(out, '\n');
        }
    }
    free(sum.rows);
}

static struct json *
head_to_json(const struct dp_drop_head *head)
{
    const uint8_t *bytes = (const uint8_t *) head->bytes;
    struct json *json = json_object_create();
    struct ds s = DS_EMPTY_INITIALIZER;

    json_object_put(json, "size", json_integer_create(head->size));
    json_object_put(json, "in_port", json_integer_create(head->in_port));
    json_object_put(json, "age_ms", json_integer_create(age_ms(head)));
    for (size_t i = 0; i < MIN(head->size, DP_DROP_BYTES); i++) {
        ds_put_format(&s, "%02"PRIx8, bytes[i]);
    }
    json_object_put_string(json, "headers", ds_cstr(&s));
    ds_clear(&s);
    format_head(head, &s);
    json_object_put_string(json, "flow", ds_cstr(&s));
    ds_destroy(&s);
    return json;
}

struct json *
dp_drops_json(const struct dp *dp, const struct dp_bridge *bridge)
{
    struct json *rows = json_array_create_empty();
    struct json *top = json_object_create();
    struct sum sum;

    sum_drops(dp, bridge, &sum);
    for (size_t i = 0; i < sum.n; i++) {
        const struct sum_row *row = &sum.rows[i];
        struct json *object = json_object_create();
        char cookie[32];

        /* A string: numbers of JSON do not hold 64 bits everywhere. */
        snprintf(cookie, sizeof cookie, "%#"PRIx64, row->cookie);
        json_object_put_string(object, "bridge", row->bridge->name);
        json_object_put_string(object, "reason", dp_drop_name(row->reason));
        json_object_put_string(object, "text", dp_drop_text(row->reason));
        json_object_put(object, "table",
                        json_integer_create(row->table_id));
        json_object_put_string(object, "cookie",
                               row->cookie == DP_DROPS_OTHER
                               ? "other" : cookie);
        json_object_put(object, "packets",
                        json_integer_create(row->packets));
        if (row->has_head) {
            json_object_put(object, "last", head_to_json(&row->head));
        }
        json_array_add(rows, object);
    }
    free(sum.rows);
    json_object_put(top, "drops", rows);
    return top;
}

static const struct dp_bridge *
find_bridge(const char *name, struct dp **dpp)
{
    struct dp *dp;

    LIST_FOR_EACH (dp, node, &dp_all) {
        const struct dp_bridge *bridge;

        LIST_FOR_EACH (bridge, node, &dp->bridges) {
            if (!strcmp(bridge->name, name)) {
                *dpp = dp;
                return bridge;
            }
        }
    }
    return NULL;
}

/* drop/show [BRIDGE] [--json], in any order. */
static void
drop_show(struct unixctl_conn *conn, int argc, const char *argv[],
          void *aux OVS_UNUSED)
{
    const struct dp_bridge *bridge = NULL;
    struct ds out = DS_EMPTY_INITIALIZER;
    struct dp *dp = NULL;
    bool as_json = false;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json")) {
            as_json = true;
        } else if (bridge) {
            unixctl_command_reply_error(conn, "more than one bridge given");
            return;
        } else {
            bridge = find_bridge(argv[i], &dp);
            if (!bridge) {
                ds_put_format(&out, "%s: no such bridge", argv[i]);
                unixctl_command_reply_error(conn, ds_cstr(&out));
                ds_destroy(&out);
                return;
            }
        }
    }
    if (!dp && !ovs_list_is_empty(&dp_all)) {
        dp = CONTAINER_OF(ovs_list_front(&dp_all), struct dp, node);
    }
    if (dp && as_json) {
        struct json *json = dp_drops_json(dp, bridge);

        json_to_ds(json, JSSF_PRETTY | JSSF_SORT, &out);
        json_destroy(json);
    } else if (dp) {
        dp_drops_format(dp, bridge, &out);
    }
    unixctl_command_reply(conn, ds_cstr(&out));
    ds_destroy(&out);
}

void
dp_drops_init(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;

    if (ovsthread_once_start(&once)) {
        dp_drop_coverage_init();
        unixctl_command_register("drop/show", "[bridge] [--json]", 0, 2,
                                 drop_show, NULL);
        ovsthread_once_done(&once);
    }
}
