/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_DB_SERVER_H
#define UTILITIES_DB_SERVER_H 1

/* An OVSDB server (RFC 7047) inside the process, on libovsdb.
 *
 * It serves one Open_vSwitch database, from a file or from memory, on a Unix
 * socket and, when asked, on the remotes of the database's Manager table.
 * The file has ovsdb-server's format: either program can serve it, one at a
 * time.
 *
 * Usage: create once, then db_server_run() and db_server_wait() in each round
 * of the caller's poll loop.  Nothing blocks except writes to the file.  A
 * client in the same process (an IDL) connects through the socket like any
 * other; destroy the clients before the server.  File locks do not survive a
 * fork, so create the server after daemonize_start().
 *
 * Threads: main thread only, like libovsdb itself. */

#include <stdbool.h>

struct db_server;
struct simap;

struct db_server_config {
    /* Database file, created when missing or empty, converted when its schema
     * is older than ours.  NULL: the database lives in memory. */
    const char *file;

    /* Where to listen: "punix:PATH".  A stale socket is replaced. */
    const char *listen;

    /* Serve the Manager table's remotes, write their status back, and apply
     * the SSL table to the process. */
    bool managers;

    /* Write ovs_version, db_version, external_ids:system-id, hostname and
     * rundir to the Open_vSwitch row, as ovs-ctl does at start. */
    bool identify;

    /* Register the ovsdb-server/... commands on the control socket. */
    bool commands;
};

/* Returns NULL and stores the server in '*serverp', or returns a sentence
 * that says what is wrong with which file or socket (the caller frees it). */
char *db_server_create(const struct db_server_config *,
                       struct db_server **serverp);

void db_server_run(struct db_server *);
void db_server_wait(struct db_server *);
void db_server_destroy(struct db_server *);

void db_server_get_memory_usage(const struct db_server *, struct simap *);

#endif /* utilities/db-server.h */
