/* SPDX-License-Identifier: Apache-2.0 */

#include "utilities/replay-pcap.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "util.h"

enum { SNAPLEN = 262144 };

struct replay_reader {
    char *file;
    pcap_t *pcap;
    unsigned int n_packets;         /* Read so far. */
    bool at_end;
    struct replay_packet packet;    /* The next one unless 'at_end'. */
};

struct replay_writer {
    char *file;
    pcap_t *pcap;
    pcap_dumper_t *dumper;
};

char *
replay_reader_open(const char *file, struct replay_reader **readerp)
{
    char why[PCAP_ERRBUF_SIZE];
    struct replay_reader *reader;
    FILE *stream;
    pcap_t *pcap;
    char *error;

    *readerp = NULL;
    stream = fopen(file, "rb");
    if (!stream) {
        return xasprintf("%s: cannot be opened (%s)", file,
                         ovs_strerror(errno));
    }
    pcap = pcap_fopen_offline(stream, why);
    if (!pcap) {
        fclose(stream);
        return xasprintf("%s: not a pcap file (%s)", file, why);
    }
    if (pcap_datalink(pcap) != DLT_EN10MB) {
        const char *name = pcap_datalink_val_to_name(pcap_datalink(pcap));

        error = xasprintf("%s: packets of link type %s, expected Ethernet",
                          file, name ? name : "unknown");
        pcap_close(pcap);
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
        reader->packet.usec = (header->ts.tv_sec * INT64_C(1000000)
                               + header->ts.tv_usec);
        return NULL;
    }
    reader->at_end = true;
    if (result == PCAP_ERROR_BREAK) {
        return NULL;
    }
    return xasprintf("%s: broken after packet %u (%s)", reader->file,
                     reader->n_packets, pcap_geterr(reader->pcap));
}

char *
replay_writer_open(const char *file, struct replay_writer **writerp)
{
    struct replay_writer *writer = xzalloc(sizeof *writer);

    writer->pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
    writer->dumper = pcap_dump_open(writer->pcap, file);
    if (!writer->dumper) {
        char *error = xasprintf("%s: cannot be written (%s)", file,
                                ovs_strerror(errno));

        pcap_close(writer->pcap);
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
    struct pcap_pkthdr header = {
        .ts = { .tv_sec = packet->usec / 1000000,
                .tv_usec = packet->usec % 1000000 },
        .caplen = packet->size,
        .len = packet->size,
    };

    pcap_dump((unsigned char *) writer->dumper, &header, packet->data);
}

char *
replay_writer_close(struct replay_writer *writer)
{
    char *error = NULL;

    if (writer) {
        if (pcap_dump_flush(writer->dumper)
            || ferror(pcap_dump_file(writer->dumper))) {
            error = xasprintf("%s: could not be written (%s)", writer->file,
                              ovs_strerror(errno));
        }
        pcap_dump_close(writer->dumper);
        pcap_close(writer->pcap);
        free(writer->file);
        free(writer);
    }
    return error;
}
