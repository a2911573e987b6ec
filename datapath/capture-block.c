/* SPDX-License-Identifier: Apache-2.0 */

/* Captures, on workers: records become blocks of pcapng
 * (draft-ietf-opsawg-pcapng). */

#include "datapath/capture-private.h"

#include <inttypes.h>
#include <pcap/dlt.h>
#include <string.h>
#include <time.h>
#include "datapath/bridge.h"
#include "datapath/port.h"
#include "dp-packet.h"
#include "netdev.h"
#include "openvswitch/ofp-port.h"
#include "util.h"

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,

    OPT_END = 0,
    OPT_COMMENT = 1,
    OPT_IF_NAME = 2,
    OPT_EPB_FLAGS = 2,
    OPT_SHB_USERAPPL = 4,
    OPT_EPB_DROPCOUNT = 4,
    OPT_IF_TSRESOL = 9,

    INBOUND = 1,                /* epb_flags. */
    OUTBOUND = 2,

    MAX_COMMENT = 4096          /* Bytes. */
};

/* A block that is being appended: its length is known when it ends. */
struct block {
    struct dp_capture *c;
    size_t start;
    bool full;                  /* It does not fit. */
};

static void
put(struct block *b, const void *data, size_t size)
    OVS_REQUIRES(b->c->mutex)
{
    struct dp_capture *c = b->c;
    size_t padded = ROUND_UP(size, 4);

    if (b->full || padded > DP_CAPTURE_BUFFER - c->n_fill) {
        b->full = true;
        return;
    }
    memcpy(c->fill + c->n_fill, data, size);
    memset(c->fill + c->n_fill + size, 0, padded - size);
    c->n_fill += padded;
}

static void
put_option(struct block *b, uint16_t code, const void *data, size_t size)
    OVS_REQUIRES(b->c->mutex)
{
    uint16_t head[] = { code, size };

    put(b, head, sizeof head);
    put(b, data, size);
}

static void
begin(struct block *b, struct dp_capture *c, uint32_t type)
    OVS_REQUIRES(c->mutex)
{
    const uint32_t head[] = { type, 0 };

    *b = (struct block) { .c = c, .start = c->n_fill };
    put(b, head, sizeof head);
}

/* True if it fitted; else nothing is left of it. */
static bool
end(struct block *b)
    OVS_REQUIRES(b->c->mutex)
{
    struct dp_capture *c = b->c;
    uint32_t length = c->n_fill - b->start + sizeof length;

    put(b, &length, sizeof length);
    if (b->full) {
        c->n_fill = b->start;
        return false;
    }
    memcpy(c->fill + b->start + 4, &length, sizeof length);
    return true;
}

void
dp_capture_put_head(struct dp_capture *c)
{
    const uint16_t version[] = { 1, 0 };
    const uint32_t order = 0x1a2b3c4d;
    const int64_t length = -1;
    struct block b;

    begin(&b, c, BLOCK_SECTION);
    put(&b, &order, sizeof order);
    put(&b, version, sizeof version);
    put(&b, &length, sizeof length);
    put_option(&b, OPT_SHB_USERAPPL, "bvs", 3);
    put_option(&b, OPT_END, NULL, 0);
    end(&b);
}

/* Interfaces. */

static void
format_port(const struct dp_capture *c, uint32_t number, struct ds *s)
{
    const struct dp_port *port = dp_bridge_port(c->attr.bridge, number);

    if (port) {
        ds_put_format(s, "%"PRIu32" (%s)", number,
                      netdev_get_name(dp_port_netdev(port)));
    } else {
        ofputil_format_port(u16_to_ofp(number), NULL, s);
    }
}

/* Says what interface port 'number' is, unless it was said.  Returns its
 * number in the file, or -1 if there was no room. */
static int
get_iface(struct dp_capture *c, uint16_t number)
    OVS_REQUIRES(c->mutex)
{
    const struct dp_port *port = dp_bridge_port(c->attr.bridge, number);
    const uint16_t link[] = { DLT_EN10MB, 0 };
    const uint32_t snaplen = c->attr.snaplen;
    const uint8_t nanoseconds = 9;
    struct ds name = DS_EMPTY_INITIALIZER;
    struct block b;

    if (c->ifaces[number]) {
        return c->ifaces[number] - 1;
    }
    if (port) {
        ds_put_cstr(&name, netdev_get_name(dp_port_netdev(port)));
    } else {
        ofputil_format_port(u16_to_ofp(number), NULL, &name);
    }
    begin(&b, c, BLOCK_INTERFACE);
    put(&b, link, sizeof link);
    put(&b, &snaplen, sizeof snaplen);
    put_option(&b, OPT_IF_NAME, ds_cstr(&name), name.length);
    put_option(&b, OPT_IF_TSRESOL, &nanoseconds, sizeof nanoseconds);
    put_option(&b, OPT_END, NULL, 0);
    ds_destroy(&name);
    if (!end(&b)) {
        return -1;
    }
    c->ifaces[number] = ++c->n_ifaces;
    return c->n_ifaces - 1;
}

/* Packets. */

static void
format_verdict(const struct dp_capture *c, const struct dp_tap_record *r,
               struct ds *s)
{
    if (r->fate == DP_TAP_DROPPED) {
        ds_put_format(s, "dropped in table %"PRIu8, r->drop_table);
        if (r->drop_cookie) {
            ds_put_format(s, ", cookie %#"PRIx64, r->drop_cookie);
        }
        ds_put_format(s, ", %s: %s", dp_drop_name(r->drop),
                      dp_drop_text(r->drop));
        return;
    }
    for (uint32_t i = 0; i < r->n_outs && s->length < MAX_COMMENT; i++) {
        uint32_t port, len;

        dp_tap_out(r, i, &port, &len);
        ds_put_cstr(s, i ? ", " : "output to ");
        format_port(c, port, s);
    }
    if (r->n_upcalls) {
        ds_put_format(s, "%sto the main thread", r->n_outs ? ", " : "");
    }
}

/* "port 1 (p1); table 0 cookie 0x5, table 3; output to 2 (p2)". */
static void
format_comment(const struct dp_capture *c, const struct dp_tap_record *r,
               struct ds *s)
{
    size_t n = dp_tap_n_steps(r);
    bool first = true;

    ds_clear(s);
    ds_put_cstr(s, "port ");
    format_port(c, r->in_port, s);
    for (size_t i = 0; i < n && s->length < MAX_COMMENT; i++) {
        int table = dp_tap_step_table(&r->steps[i]);

        if (table >= 0) {
            ds_put_format(s, "%s table %d", first ? ";" : ",", table);
            first = false;
        } else if (dp_tap_step_is_rule(r->steps, i)) {
            ds_put_format(s, " cookie %#"PRIx64, r->steps[i].cookie);
        }
    }
    ds_put_cstr(s, "; ");
    format_verdict(c, r, s);
    ds_truncate(s, MAX_COMMENT);
}

static bool
matches(const struct dp_capture *c, const struct dp_tap_record *r)
{
    const struct dp_capture_attr *a = &c->attr;
    size_t n = dp_tap_n_steps(r);
    bool table = a->table < 0, cookie = !a->cookie_mask;

    if (a->dropped && r->fate != DP_TAP_DROPPED) {
        return false;
    }
    for (size_t i = 0; i < n && !(table && cookie); i++) {
        table |= dp_tap_step_table(&r->steps[i]) == a->table;
        cookie |= (dp_tap_step_is_rule(r->steps, i)
                   && ((r->steps[i].cookie ^ a->cookie) & a->cookie_mask)
                   == 0);
    }
    return table && cookie;
}

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static void
put_packet(struct dp_capture *c, uint16_t port, uint32_t direction,
           const void *data, uint32_t size)
    OVS_REQUIRES(c->mutex)
{
    uint64_t now = now_ns(), lost = c->untold;
    uint32_t len = MIN(size, c->attr.snaplen);
    int iface;
    struct block b;

    if (c->attr.count && c->packets >= c->attr.count) {
        return;
    }
    iface = get_iface(c, port);
    if (iface >= 0) {
        const uint32_t head[] = { iface, now >> 32, now, len, size };

        begin(&b, c, BLOCK_PACKET);
        put(&b, head, sizeof head);
        put(&b, data, len);
        put_option(&b, OPT_EPB_FLAGS, &direction, sizeof direction);
        if (lost) {
            put_option(&b, OPT_EPB_DROPCOUNT, &lost, sizeof lost);
        }
        put_option(&b, OPT_COMMENT, ds_cstr(&c->comment), c->comment.length);
        put_option(&b, OPT_END, NULL, 0);
        if (end(&b)) {
            c->packets++;
            c->untold = 0;
            return;
        }
    }
    c->lost++;
    c->untold++;
}

static void
put_outs(struct dp_capture *c, const struct dp_tap_record *r)
    OVS_REQUIRES(c->mutex)
{
    for (uint32_t i = 0; i < r->n_outs; i++) {
        uint32_t port, len;
        const struct dp_packet *packet = dp_tap_out(r, i, &port, &len);

        if (!c->attr.by_port || port == c->attr.port) {
            put_packet(c, port, OUTBOUND, dp_packet_data(packet), len);
        }
    }
}

bool
dp_capture_put(struct dp_capture *c, const struct dp_tap_record *r)
{
    size_t before, after;

    if (!matches(c, r)) {
        return false;
    }
    ovs_mutex_lock(&c->mutex);
    before = c->n_fill;
    format_comment(c, r, &c->comment);
    if (!c->attr.by_port || r->in_port == c->attr.port) {
        put_packet(c, r->in_port, INBOUND, r->data, r->size);
    }
    if (c->attr.sent) {
        put_outs(c, r);
    }
    after = c->n_fill;
    ovs_mutex_unlock(&c->mutex);
    return !before && after;
}
