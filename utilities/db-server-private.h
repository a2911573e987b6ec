/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_DB_SERVER_PRIVATE_H
#define UTILITIES_DB_SERVER_PRIVATE_H 1

/* What the files db-server*.c share.  See db-server.h for the outside. */

#include <stdbool.h>

#include "openvswitch/uuid.h"
#include "sset.h"

struct ds;
struct ovsdb;
struct ovsdb_error;
struct ovsdb_jsonrpc_server;
struct ovsdb_schema;
struct ovsdb_txn;

/* One database that clients see. */
struct db_served {
    struct ovsdb *db;           /* Owned; its storage too. */

    /* The row of the _Server database that describes 'db', and the schema
     * whose text that row carries (borrowed from 'db'). */
    struct uuid row_uuid;
    const struct ovsdb_schema *row_schema;
};

enum { DB_MAIN, DB_META, N_DBS };

struct db_server {
    char *file;                 /* Display name; NULL if in memory. */
    struct db_served dbs[N_DBS]; /* Open_vSwitch, and _Server about both. */
    struct ovsdb_jsonrpc_server *jsonrpc;

    struct sset remotes;        /* "punix:..." or "db:DB,TABLE,COLUMN". */
    bool follow_ssl;            /* Apply the SSL table? */
    char *remote_errors;        /* What was last said about 'remotes'. */
    long long int next_status;  /* When to refresh Manager:status. */

    bool trim_memory;           /* Give memory back after a compaction? */
};

/* db-server-file.c: opening.  Each returns NULL or a sentence. */
char *db_file_open(const char *name, struct ovsdb **dbp);
struct ovsdb *db_memory_open(void);
struct ovsdb *db_meta_open(void);

/* db-server-meta.c: what the server itself writes. */
char *db_meta_identify(struct ovsdb *);
void db_meta_update(struct db_server *);

/* db-server-remote.c: whom to talk to. */
void db_remote_configure(struct db_server *);
void db_remote_update_status(struct db_server *);
bool db_remote_has_status(const struct db_server *);
char *db_remote_check(const struct db_server *, const char *remote);

/* db-server-commands.c */
void db_commands_register(struct db_server *);

/* db-server.c */
struct ovsdb *db_server_lookup(const struct db_server *, const char *name);
char *db_error_take(struct ovsdb_error *);
struct ovsdb_error *db_commit(struct ovsdb_txn *);

#endif /* utilities/db-server-private.h */
