/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_VSCTL_H
#define UTILITIES_VSCTL_H 1

/* ovs-vsctl's commands as a library.
 *
 * A 'struct vsctl' is one command line under way: one or more commands
 * between "--", which change the database in one transaction.  It never
 * blocks: the caller's poll loop drives it with vsctl_run() and vsctl_wait(),
 * so that the database server and the switch may live in the same process.
 *
 *     error = vsctl_create(argc, argv, &options, &v);
 *     while (!vsctl_run(v)) {
 *         ...print what vsctl_take_output() returns, run others...
 *         vsctl_wait(v);
 *         poll_block();
 *     }
 *     status = vsctl_status(v);
 *
 * Sentences: where a function can fail, it returns NULL or a sentence that
 * the caller frees.  Nothing here exits or prints.
 *
 * Threads: main thread only, like the OVSDB client library. */

#include <stdbool.h>

#include "table.h"

struct option;
struct vsctl;

struct vsctl_options {
    const char *db;             /* --db; NULL: the default socket. */
    bool retry;                 /* Keep trying to connect? */
    bool wait;                  /* Wait until the daemon has applied it? */
    bool dry_run;               /* Commit nothing? */
    bool oneline;               /* One line of output a command? */
    bool leader_only;           /* Clustered databases: only the leader? */
    bool shuffle_remotes;       /* Connect to '--db' in random order? */
    unsigned int timeout;       /* Seconds; 0: none.  Main programs' matter. */
    struct table_style style;   /* How to print tables. */

    /* Called for each option that is a program's own, whose 'val' is in
     * 'extra' (ended by a zero entry).  Both may be NULL. */
    const struct option *extra;
    void (*handle_extra)(int val);
};

void vsctl_options_init(struct vsctl_options *);

/* Starts 'argv[1..argc)': options, then commands.  Options there override
 * '*options', which gets the result back.  'argv' is borrowed until
 * vsctl_destroy(); getopt_long() may permute it. */
char *vsctl_create(int argc, char *argv[], struct vsctl_options *options,
                   struct vsctl **);
void vsctl_destroy(struct vsctl *);

/* Makes progress.  Returns true once the command line is finished. */
bool vsctl_run(struct vsctl *);
void vsctl_wait(struct vsctl *);

/* After the end: the exit status and the lines to print on stderr ("" if
 * none; without the program's name and a final new-line). */
int vsctl_status(const struct vsctl *);
const char *vsctl_messages(const struct vsctl *);

/* Output not yet taken, which the caller prints and frees; NULL if none. */
char *vsctl_take_output(struct vsctl *);

/* Might the command line change the database? */
bool vsctl_is_write(const struct vsctl *);

/* A file of command lines, run one after the other against 'db'.  Each line
 * holds what one would type after "ovs-vsctl", which may be there too; quotes
 * and backslashes as in sh; '#' begins a comment; a backslash at the end
 * continues a line.  The first error ends it, with the file and line.
 * Output of commands is dropped. */
struct vsctl_script;

char *vsctl_script_open(const char *file, const char *db,
                        struct vsctl_script **);
/* Returns true when all is done or something failed. */
bool vsctl_script_run(struct vsctl_script *);
void vsctl_script_wait(struct vsctl_script *);
/* Sentence of the failure, or NULL. */
const char *vsctl_script_error(const struct vsctl_script *);
void vsctl_script_close(struct vsctl_script *);

#endif /* utilities/vsctl.h */
