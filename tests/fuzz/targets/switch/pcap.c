/* SPDX-License-Identifier: Apache-2.0 */

/* Capture files of every form, compressed ones, too: read to their end; what
 * was read is written and read again. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datapath/pcap-file.h"
#include "tests/fuzz/targets/target.h"

#define MAX_PACKETS 64          /* What is compressed may be long. */

/* Reads 'name', into 'to' or to compare with what 'sums' has. */
static int
read_all(const char *name, struct dp_pcap_writer *to, uint64_t *sums,
         int n_known)
{
    char *error = NULL;
    pcap_t *pcap = dp_pcap_open(name, &error);
    struct pcap_pkthdr *header;
    const u_char *data;
    int n = 0;

    if (!pcap) {
        if (!error || strncmp(error, name, strlen(name))) {
            abort();
        }
        free(error);
        return 0;
    }
    while (n < MAX_PACKETS && pcap_next_ex(pcap, &header, &data) == 1) {
        uint64_t sum = header->caplen;

        for (bpf_u_int32 i = 0; i < header->caplen; i++) {
            sum = sum * 31 + data[i];
        }
        if (to) {
            dp_pcap_write(to, dp_pcap_ns(header), data, header->caplen);
            sums[n] = sum;
        } else if (n >= n_known || sums[n] != sum) {
            abort();
        }
        n++;
    }
    pcap_close(pcap);
    return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char in[64], out[64];
    static int fds[2];
    uint64_t sums[MAX_PACKETS];
    struct dp_pcap_writer *writer;
    char *error = NULL;
    int n;

    if (!in[0]) {
        fds[0] = memfd_create("in", 0);
        fds[1] = memfd_create("out", 0);
        snprintf(in, sizeof in, "/proc/self/fd/%d", fds[0]);
        snprintf(out, sizeof out, "/proc/self/fd/%d", fds[1]);
    }
    if (ftruncate(fds[0], 0) || ftruncate(fds[1], 0)
        || pwrite(fds[0], data, size, 0) != (ssize_t) size) {
        return 0;
    }
    writer = dp_pcap_create(out, size % DP_N_PCAP_FORMS, DP_PCAP_MAX_SNAPLEN,
                            &error);
    if (!writer) {
        abort();
    }
    n = read_all(in, writer, sums, 0);
    if (dp_pcap_flush(writer)) {
        abort();
    }
    dp_pcap_close(writer);
    if (read_all(out, NULL, sums, n) != n) {
        abort();
    }
    return 0;
}
