/* SPDX-License-Identifier: Apache-2.0 */

/* The commands ovsdb-server/... of ovsdb-server(1), as far as they make sense
 * for a server inside a daemon: it serves one file, and no backup of another
 * server's.  They keep ovsdb-server's names, arguments and replies. */

#include <config.h>

#include <strings.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "ovsdb/jsonrpc-server.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/storage.h"
#include "ovsdb/table.h"
#include "ovsdb-error.h"
#include "unixctl.h"
#include "util.h"
#include "utilities/db-server-private.h"

VLOG_DEFINE_THIS_MODULE(db_server_commands);

static void
cmd_list_dbs(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[] OVS_UNUSED, void *server_)
{
    const struct db_server *server = server_;
    struct ds s = DS_EMPTY_INITIALIZER;

    for (int i = 0; i < N_DBS; i++) {
        ds_put_format(&s, "%s\n", server->dbs[i].db->name);
    }
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
cmd_storage_status(struct unixctl_conn *conn, int argc OVS_UNUSED,
                   const char *argv[], void *server_)
{
    struct ovsdb *db = db_server_lookup(server_, argv[1]);
    char *error, *reply;

    if (!db) {
        unixctl_command_reply_error(conn, "Failed to find the database.");
        return;
    }
    error = ovsdb_storage_get_error(db->storage);
    reply = xasprintf("status: %s", error ? error : "ok");
    unixctl_command_reply(conn, reply);
    free(reply);
    free(error);
}

static void
cmd_compact(struct unixctl_conn *conn, int argc, const char *argv[],
            void *server_)
{
    struct db_server *server = server_;
    struct ovsdb *db = server->dbs[DB_MAIN].db;
    char *error;

    if (argc > 1 && argv[1][0] == '_') {
        unixctl_command_reply_error(conn,
                                    "cannot compact built-in databases");
        return;
    } else if (argc > 1 && strcmp(argv[1], db->name)) {
        unixctl_command_reply_error(conn, "no database by that name");
        return;
    }
    VLOG_INFO("compacting %s database by user request", db->name);
    error = db_error_take(ovsdb_snapshot(db, server->trim_memory));
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        unixctl_command_reply(conn, NULL);
    }
}

static void
cmd_trim_memory(struct unixctl_conn *conn, int argc OVS_UNUSED,
                const char *argv[], void *server_)
{
    struct db_server *server = server_;

    if (strcmp(argv[1], "on") && strcmp(argv[1], "off")) {
        unixctl_command_reply_error(conn, "invalid argument");
        return;
    }
    server->trim_memory = !strcmp(argv[1], "on");
    unixctl_command_reply(conn, NULL);
}

static void
cmd_reconnect(struct unixctl_conn *conn, int argc OVS_UNUSED,
              const char *argv[] OVS_UNUSED, void *server_)
{
    struct db_server *server = server_;

    ovsdb_jsonrpc_server_reconnect(
        server->jsonrpc, true, xstrdup("user ran ovsdb-server/reconnect"));
    unixctl_command_reply(conn, NULL);
}

static void
cmd_no_monitor_cond(struct unixctl_conn *conn, int argc OVS_UNUSED,
                    const char *argv[] OVS_UNUSED, void *server_)
{
    struct db_server *server = server_;

    ovsdb_jsonrpc_disable_monitor_cond();
    ovsdb_jsonrpc_server_reconnect(
        server->jsonrpc, true,
        xstrdup("user ran ovsdb-server/disable-monitor-cond"));
    unixctl_command_reply(conn, NULL);
}

static void
cmd_add_remote(struct unixctl_conn *conn, int argc OVS_UNUSED,
               const char *argv[], void *server_)
{
    struct db_server *server = server_;
    char *error = db_remote_check(server, argv[1]);

    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        sset_add(&server->remotes, argv[1]);
        unixctl_command_reply(conn, NULL);
    }
}

static void
cmd_remove_remote(struct unixctl_conn *conn, int argc OVS_UNUSED,
                  const char *argv[], void *server_)
{
    struct db_server *server = server_;

    if (sset_find_and_delete(&server->remotes, argv[1])) {
        unixctl_command_reply(conn, NULL);
    } else {
        unixctl_command_reply_error(conn, "no such remote");
    }
}

static void
cmd_list_remotes(struct unixctl_conn *conn, int argc OVS_UNUSED,
                 const char *argv[] OVS_UNUSED, void *server_)
{
    struct db_server *server = server_;
    const char **remotes = sset_sort(&server->remotes);
    struct ds s = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; remotes[i]; i++) {
        ds_put_format(&s, "%s\n", remotes[i]);
    }
    free(remotes);
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
cmd_sync_status(struct unixctl_conn *conn, int argc OVS_UNUSED,
                const char *argv[] OVS_UNUSED, void *server_ OVS_UNUSED)
{
    unixctl_command_reply(conn, "state: active\n");
}

static void
cmd_tlog_set(struct unixctl_conn *conn, int argc OVS_UNUSED,
             const char *argv[], void *server_)
{
    bool on = !strcasecmp(argv[2], "on");
    struct ovsdb_table *table = NULL;
    const char *error = NULL;
    struct ovsdb *db = NULL;
    char *name, *colon;

    name = xstrdup(argv[1]);
    colon = strchr(name, ':');
    if (colon) {
        *colon++ = '\0';
        db = db_server_lookup(server_, name);
        table = db ? ovsdb_get_table(db, colon) : NULL;
    }
    if (!on && strcasecmp(argv[2], "off")) {
        error = "invalid command argument";
    } else if (!colon || !name[0] || !colon[0] || strchr(colon, ':')) {
        error = "invalid DB:TABLE argument";
    } else if (!db) {
        error = "no such database";
    } else if (!table) {
        error = "no such table";
    }
    free(name);

    if (error) {
        unixctl_command_reply_error(conn, error);
    } else {
        ovsdb_table_logging_enable(table, on);
        unixctl_command_reply(conn, NULL);
    }
}

static void
cmd_tlog_list(struct unixctl_conn *conn, int argc OVS_UNUSED,
              const char *argv[] OVS_UNUSED, void *server_)
{
    const struct db_server *server = server_;
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "%-15s %-27s %s\n", "database", "table", "logging");
    ds_put_format(&s, "%-15s %-27s %s\n", "--------", "-----", "-------");
    for (int i = 0; i < N_DBS; i++) {
        const struct shash *tables = &server->dbs[i].db->tables;
        const struct shash_node **nodes = shash_sort(tables);

        ds_put_format(&s, "%-16s \n", server->dbs[i].db->name);
        for (size_t j = 0; j < shash_count(tables); j++) {
            bool on = ovsdb_table_is_logging_enabled(nodes[j]->data);

            ds_put_format(&s, "%-15s %-27s %s\n", "", nodes[j]->name,
                          on ? "ON" : "OFF");
        }
        free(nodes);
    }
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

/* One row a command: name after "ovsdb-server/", usage, least and most
 * arguments, function. */
static const struct {
    const char *name;
    const char *usage;
    int min_args, max_args;
    unixctl_cb_func *cb;
} commands[] = {
    { "list-dbs", "", 0, 0, cmd_list_dbs },
    { "get-db-storage-status", "DB", 1, 1, cmd_storage_status },
    { "compact", "[DB]", 0, 1, cmd_compact },
    { "memory-trim-on-compaction", "on|off", 1, 1, cmd_trim_memory },
    { "reconnect", "", 0, 0, cmd_reconnect },
    { "disable-monitor-cond", "", 0, 0, cmd_no_monitor_cond },
    { "add-remote", "REMOTE", 1, 1, cmd_add_remote },
    { "remove-remote", "REMOTE", 1, 1, cmd_remove_remote },
    { "list-remotes", "", 0, 0, cmd_list_remotes },
    { "sync-status", "", 0, 0, cmd_sync_status },
    { "tlog-set", "DB:TABLE on|off", 2, 2, cmd_tlog_set },
    { "tlog-list", "", 0, 0, cmd_tlog_list },
};

void
db_commands_register(struct db_server *server)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        char *name = xasprintf("ovsdb-server/%s", commands[i].name);

        unixctl_command_register(name, commands[i].usage,
                                 commands[i].min_args, commands[i].max_args,
                                 commands[i].cb, server);
        free(name);
    }
}
