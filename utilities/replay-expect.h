/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_EXPECT_H
#define UTILITIES_REPLAY_EXPECT_H 1

/* Compares what a port sends with the packets of a file, in order.
 *
 * Only bytes are compared, not times.  The first difference is described with
 * the header fields and the bytes that differ. */

#include <stdbool.h>
#include <stddef.h>

struct ds;
struct replay_expect;

/* NULL, or a sentence that the caller frees. */
char *replay_expect_open(unsigned int port, const char *file,
                         struct replay_expect **);

/* The port has sent this packet. */
void replay_expect_packet(struct replay_expect *, const void *data,
                          size_t size);

/* The port sends no more.  Returns true if all was as expected, otherwise
 * false after appending what was not to 'report'.  '*errorp' gets a sentence,
 * which the caller frees, if the file turned out to be broken, or NULL. */
bool replay_expect_finish(struct replay_expect *, struct ds *report,
                          char **errorp);
void replay_expect_close(struct replay_expect *);

#endif /* utilities/replay-expect.h */
