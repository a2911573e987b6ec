/* SPDX-License-Identifier: Apache-2.0 */

/* Capture files of Ethernet, of every form: pcap of either byte order with
 * micro- or nanoseconds, and pcapng; gzip-compressed ones, too, when read.
 *
 * Errors are sentences that name the file, for the caller to free.
 *
 * Threads: as many as there are files. */

#ifndef DATAPATH_PCAP_FILE_H
#define DATAPATH_PCAP_FILE_H 1

#include <pcap/pcap.h>
#include <stddef.h>
#include <stdint.h>

/* Opens 'name' for reading, with time stamps in nanoseconds (in the tv_usec
 * of libpcap's headers).  Null with a sentence in '*errorp'. */
pcap_t *dp_pcap_open(const char *name, char **errorp);

/* Nanoseconds since 1970 of a header read from such a file: what pcap's 32
 * bits of seconds can say, to which a time that is earlier or later is cut.
 * Such numbers can be added and subtracted without a thought. */
#define DP_PCAP_MAX_NS (UINT32_MAX * INT64_C(1000000000) + 999999999)
int64_t dp_pcap_ns(const struct pcap_pkthdr *);

/* Forms that can be written: DP_PCAP_FORM(NAME, TEXT). */
#define DP_PCAP_FORMS                \
    DP_PCAP_FORM(MICRO, "pcap-usec") \
    DP_PCAP_FORM(NANO, "pcap")       \
    DP_PCAP_FORM(NG, "pcapng")
enum dp_pcap_form {
#define DP_PCAP_FORM(NAME, TEXT) DP_PCAP_##NAME,
    DP_PCAP_FORMS
#undef DP_PCAP_FORM
        DP_N_PCAP_FORMS
};
const char *dp_pcap_form_name(enum dp_pcap_form);
/* DP_N_PCAP_FORMS if there is no form of that name. */
enum dp_pcap_form dp_pcap_form_from_name(const char *);

enum { DP_PCAP_MAX_SNAPLEN = 262144 };

struct dp_pcap_writer;

/* Makes 'name', into which go at most 'snaplen' bytes of each packet.  Null
 * with a sentence in '*errorp'. */
struct dp_pcap_writer *dp_pcap_create(const char *name, enum dp_pcap_form,
                                      uint32_t snaplen, char **errorp);
/* A failure shows in dp_pcap_flush(). */
void dp_pcap_write(struct dp_pcap_writer *, int64_t ns, const void *data,
                   size_t size);
/* Everything so far into the file.  0 or a negative errno, also for what was
 * written before. */
int dp_pcap_flush(struct dp_pcap_writer *);
void dp_pcap_close(struct dp_pcap_writer *);

#endif /* datapath/pcap-file.h */
