/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/pcap-file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "util.h"

static const char *const form_names[] = {
#define DP_PCAP_FORM(NAME, TEXT) TEXT,
    DP_PCAP_FORMS
#undef DP_PCAP_FORM
};

const char *
dp_pcap_form_name(enum dp_pcap_form form)
{
    return form_names[form];
}

enum dp_pcap_form
dp_pcap_form_from_name(const char *name)
{
    int form = 0;

    while (form < DP_N_PCAP_FORMS && strcmp(name, form_names[form])) {
        form++;
    }
    return form;
}

/* Reading. */

/* A compressed file as a stream. */

static ssize_t
gz_read(void *gz, char *buffer, size_t size)
{
    int n = gzread(gz, buffer, MIN(size, INT_MAX));

    if (n < 0) {
        errno = EIO; /* Not what gzip has made. */
    }
    return n;
}

static int
gz_close(void *gz)
{
    return gzclose(gz) == Z_OK ? 0 : EOF;
}

/* The stream 'file', at its start; or, if that is compressed, one that
 * decompresses it.  Null with errno set. */
static FILE *
decompressed(FILE *file, const char *name)
{
    static const cookie_io_functions_t functions = {
        .read = gz_read,
        .close = gz_close,
    };
    uint8_t magic[2];
    FILE *stream;
    gzFile gz;

    if (fread(magic, sizeof magic, 1, file) != 1 || magic[0] != 0x1f
        || magic[1] != 0x8b) {
        rewind(file);
        return file;
    }
    fclose(file);
    gz = gzopen(name, "rb");
    if (!gz) {
        return NULL;
    }
    gzbuffer(gz, 128 * 1024);
    stream = fopencookie(gz, "rb", functions);
    if (!stream) {
        gzclose(gz);
    }
    return stream;
}

pcap_t *
dp_pcap_open(const char *name, char **errorp)
{
    char why[PCAP_ERRBUF_SIZE];
    FILE *file = fopen(name, "rb");
    pcap_t *pcap;

    if (file) {
        file = decompressed(file, name);
    }
    if (!file) {
        *errorp = xasprintf("%s: cannot be opened (%s)", name,
                            ovs_strerror(errno));
        return NULL;
    }
    pcap = pcap_fopen_offline_with_tstamp_precision(
        file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (!pcap) {
        fclose(file);
        *errorp = xasprintf("%s: not a pcap file (%s)", name, why);
        return NULL;
    }
    if (pcap_datalink(pcap) != DLT_EN10MB) {
        const char *type = pcap_datalink_val_to_name(pcap_datalink(pcap));

        *errorp = xasprintf("%s: packets of link type %s, not Ethernet", name,
                            type ? type : "unknown");
        pcap_close(pcap);
        return NULL;
    }
    return pcap;
}

/* libpcap takes the 32 bits of pcap's seconds for a signed number; pcapng has
 * 64 bits of a unit that the file says. */
int64_t
dp_pcap_ns(const struct pcap_pkthdr *header)
{
    int64_t sec = header->ts.tv_sec;

    if (sec < 0 && sec >= INT32_MIN) {
        sec = (uint32_t) sec;
    }
    if (sec < 0 || sec > UINT32_MAX) {
        return sec < 0 ? 0 : DP_PCAP_MAX_NS;
    }
    return MAX(0, MIN(sec * INT64_C(1000000000) + header->ts.tv_usec,
                      DP_PCAP_MAX_NS));
}

/* Writing. */

struct dp_pcap_writer {
    enum dp_pcap_form form;
    uint32_t snaplen;
    FILE *file;
    int error; /* The first one, negative; or 0. */
};

static void
put(struct dp_pcap_writer *writer, const void *data, size_t size)
{
    if (!writer->error && size && fwrite(data, size, 1, writer->file) != 1) {
        writer->error = errno ? -errno : -EIO;
    }
}

static void
put_heading(struct dp_pcap_writer *writer)
{
    const struct pcap_file_header pcap = {
        .magic = writer->form == DP_PCAP_NANO ? 0xa1b23c4d : 0xa1b2c3d4,
        .version_major = 2,
        .version_minor = 4,
        .snaplen = writer->snaplen,
        .linktype = DLT_EN10MB,
    };
    /* A section header and the description of one interface, with the option
     * if_tsresol: 10^-9.  (draft-ietf-opsawg-pcapng) */
    const uint32_t ng[] = {
        0x0a0d0d0a,      28,          0x1a2b3c4d, 1,  UINT32_MAX,
        UINT32_MAX,      28,          1,          32, DLT_EN10MB,
        writer->snaplen, 1 << 16 | 9, 9,          0,  32,
    };
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The 16-bit halves above are those of little-endian machines."
#endif

    if (writer->form == DP_PCAP_NG) {
        put(writer, ng, sizeof ng);
    } else {
        put(writer, &pcap, sizeof pcap);
    }
}

struct dp_pcap_writer *
dp_pcap_create(const char *name, enum dp_pcap_form form, uint32_t snaplen,
               char **errorp)
{
    struct dp_pcap_writer *writer = xzalloc(sizeof *writer);

    writer->form = form;
    writer->snaplen = MIN(snaplen, DP_PCAP_MAX_SNAPLEN);
    writer->file = fopen(name, "wb");
    if (!writer->file) {
        *errorp = xasprintf("%s: cannot be written (%s)", name,
                            ovs_strerror(errno));
        free(writer);
        return NULL;
    }
    put_heading(writer);
    return writer;
}

/* An enhanced packet block. */
static void
put_block(struct dp_pcap_writer *writer, int64_t ns, const void *data,
          size_t size)
{
    uint32_t len = MIN(size, writer->snaplen);
    uint32_t total = 32 + ROUND_UP(len, 4);
    const uint32_t head[] = {
        6, total, 0, (uint64_t) ns >> 32, ns, len, size
    };

    put(writer, head, sizeof head);
    put(writer, data, len);
    put(writer, "\0\0", ROUND_UP(len, 4) - len);
    put(writer, &total, sizeof total);
}

void
dp_pcap_write(struct dp_pcap_writer *writer, int64_t ns, const void *data,
              size_t size)
{
    if (writer->form == DP_PCAP_NG) {
        put_block(writer, ns, data, size);
    } else {
        uint32_t fraction = ns % 1000000000;
        uint32_t len = MIN(size, writer->snaplen);
        const uint32_t head[] = { ns / 1000000000,
                                  writer->form == DP_PCAP_NANO
                                      ? fraction
                                      : fraction / 1000,
                                  len, size };

        put(writer, head, sizeof head);
        put(writer, data, len);
    }
}

int
dp_pcap_flush(struct dp_pcap_writer *writer)
{
    if (fflush(writer->file) && !writer->error) {
        writer->error = -errno;
    }
    return writer->error;
}

void
dp_pcap_close(struct dp_pcap_writer *writer)
{
    if (writer) {
        fclose(writer->file);
        free(writer);
    }
}
