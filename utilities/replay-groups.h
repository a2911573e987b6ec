/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_REPLAY_GROUPS_H
#define UTILITIES_REPLAY_GROUPS_H 1

/* Files of groups and of meters in ovs-ofctl's syntax, one a line, '#' begins
 * a comment; a line of a file of groups may start with add, modify,
 * add_or_mod, delete, insert_bucket or remove_bucket.
 *
 * Each is read and installed into the switch of this process, with OpenFlow
 * 1.5, in the file's order.  Returns NULL, or a sentence with file and line
 * that the caller frees. */

char *replay_groups_install(const char *file);
char *replay_meters_install(const char *file);

#endif /* utilities/replay-groups.h */
