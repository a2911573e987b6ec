/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "utilities/db-server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dirs.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb/jsonrpc-server.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/storage.h"
#include "ovsdb/table.h"
#include "ovsdb/monitor.h"     /* Needs table.h before it. */
#include "ovsdb/transaction.h"
#include "ovsdb/trigger.h"
#include "ovsdb-error.h"
#include "simap.h"
#include "socket-util.h"
#include "timeval.h"
#include "utilities/db-server-private.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(db_server);

/* How often Manager:status is refreshed. */
#define STATUS_INTERVAL_MS 2500

static char *check_socket(const char *listen);
static bool is_listening(struct db_server *, const char *listen);
static void serve(struct db_server *, int slot, struct ovsdb *);
static void snapshot_if_due(struct db_server *, struct ovsdb *);

char *
db_server_create(const struct db_server_config *config,
                 struct db_server **serverp)
{
    struct ovsdb *db;
    char *error;

    *serverp = NULL;
    error = check_socket(config->listen);
    if (error) {
        return error;
    }
    if (config->file) {
        error = db_file_open(config->file, &db);
        if (error) {
            return error;
        }
    } else {
        db = db_memory_open();
    }
    if (config->identify) {
        error = db_meta_identify(db);
        if (error) {
            char *sentence = xasprintf("%s: cannot write the database (%s)",
                                       config->file, error);

            free(error);
            ovsdb_destroy(db);
            return sentence;
        }
    }

    struct db_server *server = xzalloc(sizeof *server);
    server->file = nullable_xstrdup(config->file);
    server->jsonrpc = ovsdb_jsonrpc_server_create(false);
    server->next_status = LLONG_MIN;
    server->follow_ssl = config->managers;
    server->trim_memory = true;
    serve(server, DB_MAIN, db);
    serve(server, DB_META, db_meta_open());

    sset_init(&server->remotes);
    sset_add(&server->remotes, config->listen);
    if (config->managers) {
        sset_add(&server->remotes,
                 "db:Open_vSwitch,Open_vSwitch,manager_options");
    }
    db_meta_update(server);
    db_remote_configure(server);
    if (!is_listening(server, config->listen)) {
        db_server_destroy(server);
        return xasprintf("%s: cannot listen there; expected the path of a "
                         "socket in a folder that can be written",
                         config->listen);
    }
    if (config->commands) {
        db_commands_register(server);
    }
    *serverp = server;
    return NULL;
}

void
db_server_run(struct db_server *server)
{
    db_remote_configure(server);
    ovsdb_jsonrpc_server_run(server->jsonrpc);

    for (int i = 0; i < N_DBS; i++) {
        struct ovsdb *db = server->dbs[i].db;

        ovsdb_txn_history_run(db);
        ovsdb_storage_run(db->storage);
        if (ovsdb_trigger_run(db, time_msec())) {
            /* A client converted the schema: all must read it anew. */
            server->dbs[i].row_schema = NULL;
            ovsdb_jsonrpc_server_reconnect(
                server->jsonrpc, false,
                xasprintf("the schema of database %s changed", db->name));
        }
        snapshot_if_due(server, db);
    }

    if (time_msec() >= server->next_status) {
        server->next_status = time_msec() + STATUS_INTERVAL_MS;
        db_remote_update_status(server);
    }
    db_meta_update(server);
}

void
db_server_wait(struct db_server *server)
{
    ovsdb_jsonrpc_server_wait(server->jsonrpc);
    for (int i = 0; i < N_DBS; i++) {
        struct ovsdb *db = server->dbs[i].db;

        ovsdb_trigger_wait(db, time_msec());
        ovsdb_storage_wait(db->storage);
        ovsdb_snapshot_wait(db);
    }
    if (db_remote_has_status(server)) {
        poll_timer_wait_until(server->next_status);
    }
}

void
db_server_destroy(struct db_server *server)
{
    if (!server) {
        return;
    }
    /* See who has hung up, instead of telling them. */
    ovsdb_jsonrpc_server_run(server->jsonrpc);
    for (int i = 0; i < N_DBS; i++) {
        ovsdb_jsonrpc_server_remove_db(server->jsonrpc, server->dbs[i].db,
                                       xstrdup("the database server ends"));
        ovsdb_destroy(server->dbs[i].db);
    }
    ovsdb_jsonrpc_server_destroy(server->jsonrpc);
    sset_destroy(&server->remotes);
    free(server->remote_errors);
    free(server->file);
    free(server);
}

void
db_server_get_memory_usage(const struct db_server *server,
                           struct simap *usage)
{
    ovsdb_jsonrpc_server_get_memory_usage(server->jsonrpc, usage);
    ovsdb_monitor_get_memory_usage(usage);
    for (int i = 0; i < N_DBS; i++) {
        ovsdb_get_memory_usage(server->dbs[i].db, usage);
    }
}

/* Returns the served database called 'name', or NULL. */
struct ovsdb *
db_server_lookup(const struct db_server *server, const char *name)
{
    for (int i = 0; i < N_DBS; i++) {
        if (!strcmp(server->dbs[i].db->name, name)) {
            return server->dbs[i].db;
        }
    }
    return NULL;
}

/* Frees 'error' and returns its text, which the caller frees; NULL stays
 * NULL. */
char *
db_error_take(struct ovsdb_error *error)
{
    return error ? ovsdb_error_to_string_free(error) : NULL;
}

/* Commits 'txn' and frees it.  Our storage is a local file or memory, so the
 * result is known on return. */
struct ovsdb_error *
db_commit(struct ovsdb_txn *txn)
{
    return ovsdb_txn_propose_commit_block(txn, false);
}

/* A listener takes a socket's name away from whoever has it, so find out
 * first whether someone answers there. */
static char *
check_socket(const char *listen)
{
    char *path, *error;
    int fd;

    if (strncmp(listen, "punix:", strlen("punix:"))) {
        return xasprintf("%s: the database is served on a Unix socket; "
                         "expected unix:PATH", listen);
    }
    path = abs_file_name(ovs_rundir(), listen + strlen("punix:"));
    fd = make_unix_socket(SOCK_STREAM, true, NULL, path);
    if (fd >= 0 || fd == -EPROTO) {
        error = xasprintf("%s: a database server already answers there; "
                          "expected a socket that nobody serves", path);
    } else if (fd == -ENOENT || fd == -ECONNREFUSED) {
        error = NULL;
    } else {
        error = xasprintf("%s: cannot serve the database there (%s)",
                          path, ovs_strerror(-fd));
    }
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    return error;
}

/* Returns true if the socket 'listen' is open. */
static bool
is_listening(struct db_server *server, const char *listen)
{
    struct ovsdb_jsonrpc_remote_status status;
    bool open = ovsdb_jsonrpc_server_get_remote_status(server->jsonrpc,
                                                       listen, &status);

    ovsdb_jsonrpc_server_free_remote_status(&status);
    return open;
}

static void
serve(struct db_server *server, int slot, struct ovsdb *db)
{
    struct db_served *served = &server->dbs[slot];

    served->db = db;
    ovsdb_txn_history_init(db, false);
    ovsdb_jsonrpc_server_add_db(server->jsonrpc, db);
}

static void
snapshot_if_due(struct db_server *server, struct ovsdb *db)
{
    if (ovsdb_snapshot_in_progress(db)
        || !(ovsdb_storage_should_snapshot(db->storage)
             || ovsdb_snapshot_ready(db))) {
        return;
    }

    char *error = db_error_take(ovsdb_snapshot(db, server->trim_memory));
    if (error) {
        VLOG_WARN("%s: compaction failed (%s); the file stays as it is",
                  server->file, error);
        free(error);
    }
}
