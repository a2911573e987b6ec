/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-pcap.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "datapath/pcap-file.h"
#include "util.h"

struct replay_reader {
    char *file;
    pcap_t *pcap;
    unsigned int n_packets;         /* Read so far. */
    bool at_end;
    struct replay_packet packet;    /* The next one unless 'at_end'. */
};

struct replay_writer {
    char *file;
    struct dp_pcap_writer *to;
};

char *
replay_reader_open(const char *file, struct replay_reader **readerp)
{
    struct replay_reader *reader;
    char *error;
    pcap_t *pcap;

    *readerp = NULL;
    pcap = dp_pcap_open(file, &error);
    if (!pcap) {
        return error;
    }

    reader = xzalloc(sizeof *reader);
    reader->file = xstrdup(file);
    reader->pcap = pcap;
    error = replay_reader_next(reader);
    if (error) {
        replay_reader_close(reader);
        return error;
    }
    *readerp = reader;
    return NULL;
}

void
replay_reader_close(struct replay_reader *reader)
{
    if (reader) {
        pcap_close(reader->pcap);
        free(reader->file);
        free(reader);
    }
}

const struct replay_packet *
replay_reader_peek(const struct replay_reader *reader)
{
    return reader->at_end ? NULL : &reader->packet;
}

char *
replay_reader_next(struct replay_reader *reader)
{
    struct pcap_pkthdr *header;
    const unsigned char *data;
    int result;

    result = pcap_next_ex(reader->pcap, &header, &data);
    if (result == 1) {
        reader->n_packets++;
        reader->packet.data = data;
        reader->packet.size = header->caplen;
        reader->packet.usec = dp_pcap_ns(header) / 1000;
        return NULL;
    }
    reader->at_end = true;
    if (result == PCAP_ERROR_BREAK) {
        return NULL;
    }
    return xasprintf("%s: broken after packet %u (%s)", reader->file,
                     reader->n_packets, pcap_geterr(reader->pcap));
}

static bool
ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

char *
replay_writer_open(const char *file, struct replay_writer **writerp)
{
    struct replay_writer *writer = xzalloc(sizeof *writer);
    char *error;

    writer->to = dp_pcap_create(
        file, (ends_with(file, ".pcapng") ? DP_PCAP_NG : DP_PCAP_MICRO),
        DP_PCAP_MAX_SNAPLEN, &error);
    if (!writer->to) {
        free(writer);
        *writerp = NULL;
        return error;
    }
    writer->file = xstrdup(file);
    *writerp = writer;
    return NULL;
}

void
replay_writer_write(struct replay_writer *writer,
                    const struct replay_packet *packet)
{
    dp_pcap_write(writer->to, packet->usec * 1000, packet->data, packet->size);
}

char *
replay_writer_close(struct replay_writer *writer)
{
    char *error = NULL;

    if (writer) {
        int retval = dp_pcap_flush(writer->to);

        if (retval) {
            error = xasprintf("%s: could not be written (%s)", writer->file,
                              ovs_strerror(-retval));
        }
        dp_pcap_close(writer->to);
        free(writer->file);
        free(writer);
    }
    return error;
}
