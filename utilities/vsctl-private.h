/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_VSCTL_PRIVATE_H
#define UTILITIES_VSCTL_PRIVATE_H 1

/* What the files vsctl*.c share.  See vsctl.h for the outside. */

#include "openvswitch/shash.h"
#include "utilities/vsctl.h"

/* Makes the commands known to db-ctl-base, the first time. */
void vsctl_register_commands(void);

/* Takes the options at the front of 'argv[1..argc)': those of the first
 * command go to 'local', as db-ctl-base wants them.  Stores the index of the
 * first word that is not an option in '*first'.  Returns NULL or a
 * sentence. */
char *vsctl_options_parse(int argc, char *argv[], struct vsctl_options *,
                          struct shash *local, int *first);

/* Splits 'line' into words as sh would, without expansions, into '*argvp',
 * an array with a null at its end, after "ovs-vsctl".  Returns NULL or what
 * is wrong (a constant).  vsctl_words_free() frees the array. */
const char *vsctl_words_split(const char *line, char ***argvp, int *argcp);
void vsctl_words_free(char **argv);

#endif /* utilities/vsctl-private.h */
