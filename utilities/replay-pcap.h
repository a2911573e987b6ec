/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_PCAP_H
#define UTILITIES_REPLAY_PCAP_H 1

/* Capture files of bvs-replay.
 *
 * Readers take what datapath/pcap-file.h does; writers make pcap files with
 * microseconds, or pcapng if the file's name ends so.  Functions that can
 * fail return NULL, or a sentence that names the file and that the caller
 * frees.
 */

#include <stddef.h>
#include <stdint.h>

struct replay_reader;
struct replay_writer;

/* A packet of a file.  'data' is valid until the next read. */
struct replay_packet {
    const void *data;
    size_t size;
    int64_t usec;               /* After the epoch. */
};

char *replay_reader_open(const char *file, struct replay_reader **);
void replay_reader_close(struct replay_reader *);

/* The next packet, which stays until replay_reader_next() takes the reader
 * beyond it; NULL at the end. */
const struct replay_packet *replay_reader_peek(const struct replay_reader *);
char *replay_reader_next(struct replay_reader *);

char *replay_writer_open(const char *file, struct replay_writer **);
void replay_writer_write(struct replay_writer *, const struct replay_packet *);
/* Reports a failure to write, of this or an earlier packet. */
char *replay_writer_close(struct replay_writer *);

#endif /* utilities/replay-pcap.h */
