/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-expect.h"

#include <stdlib.h>
#include <string.h>
#include "dp-packet.h"
#include "flow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/meta-flow.h"
#include "util.h"
#include "utilities/replay-pcap.h"

/* Bytes a line. */
enum { LINE = 16 };

struct replay_expect {
    unsigned int port;
    char *file;
    struct replay_reader *reader;
    char *error;                    /* The file is broken. */
    unsigned int n_sent;            /* Packets that the port sent. */
    unsigned int n_surplus;         /* Those after the last of the file. */
    struct ds difference;           /* The first one; empty if none. */
};

char *
replay_expect_open(unsigned int port, const char *file,
                   struct replay_expect **expectp)
{
    struct replay_reader *reader;
    char *error;

    *expectp = NULL;
    error = replay_reader_open(file, &reader);
    if (!error) {
        struct replay_expect *expect = xzalloc(sizeof *expect);

        expect->port = port;
        expect->file = xstrdup(file);
        expect->reader = reader;
        ds_init(&expect->difference);
        *expectp = expect;
    }
    return error;
}

void
replay_expect_close(struct replay_expect *expect)
{
    if (expect) {
        replay_reader_close(expect->reader);
        ds_destroy(&expect->difference);
        free(expect->error);
        free(expect->file);
        free(expect);
    }
}

static void
extract(const void *data, size_t size, struct flow *flow)
{
    struct dp_packet *packet = dp_packet_clone_data(data, size);

    flow_extract(packet, flow);
    dp_packet_delete(packet);
}

/* Fields that say again what another one says. */
static bool
is_synonym(enum mf_field_id id)
{
    return (id == MFF_VLAN_TCI || id == MFF_DL_VLAN || id == MFF_DL_VLAN_PCP
            || id == MFF_IP_DSCP_SHIFTED || id == MFF_PACKET_TYPE);
}

static void
put_value(const struct mf_field *mf, const union mf_value *value,
          struct ds *out)
{
    if (value) {
        mf_format(mf, value, NULL, NULL, out);
    } else {
        ds_put_cstr(out, "none");
    }
}

/* Compares field 'mf'; returns true if the packets differ in it. */
static bool
compare_field(const struct mf_field *mf, const struct flow *expected,
              const struct flow *got, struct ds *out)
{
    bool in_expected = mf_are_prereqs_ok(mf, expected, NULL);
    bool in_got = mf_are_prereqs_ok(mf, got, NULL);
    union mf_value a, b;

    if (!in_expected && !in_got) {
        return false;
    }
    mf_get_value(mf, expected, &a);
    mf_get_value(mf, got, &b);
    if (in_expected == in_got && !memcmp(&a, &b, mf->n_bytes)) {
        return false;
    }
    ds_put_format(out, "  %s: expected ", mf->name);
    put_value(mf, in_expected ? &a : NULL, out);
    ds_put_cstr(out, ", got ");
    put_value(mf, in_got ? &b : NULL, out);
    ds_put_char(out, '\n');
    return true;
}

static void
compare_fields(const struct replay_packet *expected, const void *data,
               size_t size, struct ds *out)
{
    struct flow a, b;
    bool any = false;

    extract(expected->data, expected->size, &a);
    extract(data, size, &b);
    for (int i = 0; i < MFF_N_IDS; i++) {
        if (!is_synonym(i)) {
            any |= compare_field(mf_from_id(i), &a, &b, out);
        }
    }
    if (!any) {
        ds_put_cstr(out, "  the same in all header fields that flows see\n");
    }
}

static void
put_line(const char *title, size_t offset, const struct replay_packet *packet,
         struct ds *out)
{
    const uint8_t *data = packet->data;

    ds_put_format(out, "  %-8s %04"PRIxSIZE":", title, offset);
    for (size_t i = offset; i < offset + LINE && i < packet->size; i++) {
        ds_put_format(out, " %02x", data[i]);
    }
    ds_put_char(out, '\n');
}

static bool
byte_differs(const struct replay_packet *a, const struct replay_packet *b,
             size_t i)
{
    if (i >= a->size || i >= b->size) {
        return i < a->size || i < b->size;
    }
    return ((const uint8_t *) a->data)[i] != ((const uint8_t *) b->data)[i];
}

/* The lines in which the packets differ, with marks below the bytes. */
static void
compare_bytes(const struct replay_packet *expected,
              const struct replay_packet *got, struct ds *out)
{
    size_t size = MAX(expected->size, got->size);

    for (size_t offset = 0; offset < size; offset += LINE) {
        struct ds marks = DS_EMPTY_INITIALIZER;
        bool any = false;

        for (size_t i = offset; i < offset + LINE; i++) {
            bool differs = byte_differs(expected, got, i);

            ds_put_cstr(&marks, differs ? " ^^" : "   ");
            any |= differs;
        }
        if (any) {
            put_line("expected", offset, expected, out);
            put_line("got", offset, got, out);
            ds_chomp(&marks, ' ');
            ds_put_format(out, "  %14s%s\n", "", ds_cstr(&marks));
        }
        ds_destroy(&marks);
    }
}

static void
put_packet(const struct replay_packet *packet, struct ds *out)
{
    struct flow flow;

    extract(packet->data, packet->size, &flow);
    ds_put_cstr(out, "  ");
    flow_format(out, &flow, NULL);
    ds_put_format(out, "\n");
    for (size_t offset = 0; offset < packet->size; offset += LINE) {
        put_line("", offset, packet, out);
    }
}

static void
compare(struct replay_expect *expect, const struct replay_packet *expected,
        const struct replay_packet *got)
{
    struct ds *out = &expect->difference;

    if (expected->size == got->size
        && !memcmp(expected->data, got->data, got->size)) {
        return;
    }
    ds_put_format(out, "port %u: packet %u is not packet %u of %s "
                  "(%"PRIuSIZE" bytes expected, %"PRIuSIZE" got)\n",
                  expect->port, expect->n_sent, expect->n_sent, expect->file,
                  expected->size, got->size);
    compare_fields(expected, got->data, got->size, out);
    compare_bytes(expected, got, out);
}

void
replay_expect_packet(struct replay_expect *expect, const void *data,
                     size_t size)
{
    struct replay_packet got = { .data = data, .size = size };
    const struct replay_packet *expected;

    expect->n_sent++;
    if (expect->error) {
        return;
    }
    expected = replay_reader_peek(expect->reader);
    if (!expected) {
        if (!expect->n_surplus++ && !expect->difference.length) {
            ds_put_format(&expect->difference,
                          "port %u: packet %u comes after the last of %s\n",
                          expect->port, expect->n_sent, expect->file);
            put_packet(&got, &expect->difference);
        }
        return;
    }
    if (!expect->difference.length) {
        compare(expect, expected, &got);
    }
    expect->error = replay_reader_next(expect->reader);
}

bool
replay_expect_finish(struct replay_expect *expect, struct ds *report,
                     char **errorp)
{
    const struct replay_packet *expected = replay_reader_peek(expect->reader);
    unsigned int n_missing = 0;

    if (expected && !expect->error && !expect->difference.length) {
        ds_put_format(&expect->difference,
                      "port %u: packet %u of %s is missing\n", expect->port,
                      expect->n_sent + 1, expect->file);
        put_packet(expected, &expect->difference);
    }
    while (!expect->error && replay_reader_peek(expect->reader)) {
        n_missing++;
        expect->error = replay_reader_next(expect->reader);
    }
    ds_put_cstr(report, ds_cstr(&expect->difference));
    if (n_missing || expect->n_surplus) {
        ds_put_format(report, "port %u: sent %u packets, %u expected\n",
                      expect->port, expect->n_sent,
                      expect->n_sent + n_missing - expect->n_surplus);
    }
    *errorp = expect->error ? xstrdup(expect->error) : NULL;
    return !expect->difference.length && !expect->error;
}
