/* SPDX-License-Identifier: Apache-2.0 */

/* Whom the server talks to: its own socket and the remotes that the database
 * names, with their status and the keys for TLS. */

#include <config.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "ovsdb/column.h"
#include "ovsdb/jsonrpc-server.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/row.h"
#include "ovsdb/table.h"
/* Needs row.h before it. */
#include "ovsdb/ovsdb-util.h"
#include "ovsdb/transaction.h"
#include "ovsdb-error.h"
#include "smap.h"
#include "socket-util.h"
#include "stream-ssl.h"
#include "util.h"
#include "utilities/db-server-private.h"

VLOG_DEFINE_THIS_MODULE(db_server_remote);

/* What "db:DATABASE,TABLE,COLUMN" stands for. */
struct db_column {
    struct ovsdb *db;
    const struct ovsdb_table *table;
    const struct ovsdb_column *column;
};

static char *find_column(const struct db_server *, const char *remote,
                         struct db_column *);
static void add_column(const struct db_column *, struct shash *remotes);
static void add_row(const struct ovsdb_row *, struct shash *remotes);
static void configure_ssl(const struct ovsdb *);
static void write_status(const struct db_server *, const struct db_column *,
                         struct ovsdb_txn *);

/* Makes the JSON-RPC server listen and connect as the configuration and the
 * database say now. */
void
db_remote_configure(struct db_server *server)
{
    struct ds errors = DS_EMPTY_INITIALIZER;
    struct shash remotes = SHASH_INITIALIZER(&remotes);
    struct shash_node *node;
    const char *remote;

    SSET_FOR_EACH (remote, &server->remotes) {
        struct db_column column;
        char *error;

        if (strncmp(remote, "db:", 3)) {
            if (!shash_find(&remotes, remote)) {
                shash_add(&remotes, remote,
                          ovsdb_jsonrpc_default_options(remote));
            }
            continue;
        }
        error = find_column(server, remote, &column);
        if (error) {
            ds_put_format(&errors, "%s%s", errors.length ? "; " : "", error);
            free(error);
        } else {
            add_column(&column, &remotes);
        }
    }
    ovsdb_jsonrpc_server_set_remotes(server->jsonrpc, &remotes);
    SHASH_FOR_EACH (node, &remotes) {
        struct ovsdb_jsonrpc_options *options = node->data;

        free(options->role);
    }
    shash_destroy_free_data(&remotes);

    if (strcmp(ds_cstr(&errors),
               server->remote_errors ? server->remote_errors : "")) {
        if (errors.length) {
            VLOG_WARN("%s", ds_cstr(&errors));
        }
        free(server->remote_errors);
        server->remote_errors = ds_steal_cstr(&errors);
    }
    ds_destroy(&errors);

    if (server->follow_ssl) {
        configure_ssl(server->dbs[DB_MAIN].db);
    }
}

/* Returns NULL if 'remote' names something that can be served, otherwise a
 * sentence. */
char *
db_remote_check(const struct db_server *server, const char *remote)
{
    struct db_column column;

    return (strncmp(remote, "db:", 3) ? NULL
            : find_column(server, remote, &column));
}

/* Calls 'cb' for each column of remotes that has a status to be kept. */
static void
for_each_status_column(const struct db_server *server,
                       void (*cb)(const struct db_column *, void *aux),
                       void *aux)
{
    const char *remote;

    SSET_FOR_EACH (remote, &server->remotes) {
        struct db_column column;
        char *error;

        if (strncmp(remote, "db:", 3)) {
            continue;
        }
        error = find_column(server, remote, &column);
        if (error) {
            free(error);
        } else if (column.column->type.key.type == OVSDB_TYPE_UUID) {
            cb(&column, aux);
        }
    }
}

static void
note_rows(const struct db_column *column, void *any_)
{
    const struct ovsdb_row *row;
    bool *any = any_;

    HMAP_FOR_EACH (row, hmap_node, &column->table->rows) {
        *any = *any || row->fields[column->column->index].n > 0;
    }
}

/* Is there a remote whose status changes with time? */
bool
db_remote_has_status(const struct db_server *server)
{
    bool any = false;

    for_each_status_column(server, note_rows, &any);
    return any;
}

static void
commit_status(const struct db_column *column, void *server_)
{
    struct db_server *server = server_;
    struct ovsdb_txn *txn = ovsdb_txn_create(column->db);
    char *error;

    write_status(server, column, txn);
    error = db_error_take(db_commit(txn));
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);

        VLOG_ERR_RL(&rl, "cannot write the status of remotes (%s)", error);
        free(error);
    }
}

void
db_remote_update_status(struct db_server *server)
{
    for_each_status_column(server, commit_status, server);
}

static char *
find_column(const struct db_server *server, const char *remote,
            struct db_column *c)
{
    char *copy = xstrdup(remote + strlen("db:"));
    char *save = NULL;
    const char *db_name = strtok_r(copy, ",", &save);
    const char *table_name = strtok_r(NULL, ",", &save);
    const char *column_name = strtok_r(NULL, ",", &save);
    char *error = NULL;

    if (!column_name) {
        error = xasprintf("\"%s\": expected db:DATABASE,TABLE,COLUMN",
                          remote);
        goto exit;
    }
    c->db = db_server_lookup(server, db_name);
    if (!c->db) {
        error = xasprintf("\"%s\": no database named %s", remote, db_name);
        goto exit;
    }
    c->table = ovsdb_get_table(c->db, table_name);
    if (!c->table) {
        error = xasprintf("\"%s\": no table named %s", remote, table_name);
        goto exit;
    }
    c->column = ovsdb_table_schema_get_column(c->table->schema, column_name);
    if (!c->column) {
        error = xasprintf("\"%s\": table \"%s\" has no column \"%s\"",
                          remote, table_name, column_name);
    } else if (c->column->type.value.type != OVSDB_TYPE_VOID
               || !(c->column->type.key.type == OVSDB_TYPE_STRING
                    || c->column->type.key.uuid.refTable)) {
        error = xasprintf("\"%s\": expected a column of strings or of "
                          "references to rows with a target", remote);
    }

exit:
    free(copy);
    return error;
}

/* The row that datum element 'i' of column 'c' in 'row' refers to, or NULL. */
static const struct ovsdb_row *
referenced_row(const struct db_column *c, const struct ovsdb_row *row,
               size_t i)
{
    return ovsdb_table_get_row(c->column->type.key.uuid.refTable,
                               &row->fields[c->column->index].keys[i].uuid);
}

static void
add_column(const struct db_column *c, struct shash *remotes)
{
    const struct ovsdb_row *row;

    HMAP_FOR_EACH (row, hmap_node, &c->table->rows) {
        const struct ovsdb_datum *datum = &row->fields[c->column->index];

        for (size_t i = 0; i < datum->n; i++) {
            if (c->column->type.key.type == OVSDB_TYPE_STRING) {
                const char *target = json_string(datum->keys[i].s);

                if (!shash_find(remotes, target)) {
                    shash_add(remotes, target,
                              ovsdb_jsonrpc_default_options(target));
                }
            } else {
                const struct ovsdb_row *ref = referenced_row(c, row, i);

                if (ref) {
                    add_row(ref, remotes);
                }
            }
        }
    }
}

/* Adds what a row of table Manager says. */
static void
add_row(const struct ovsdb_row *row, struct shash *remotes)
{
    struct ovsdb_jsonrpc_options *options;
    const char *target, *role, *dscp;
    long long int number;
    bool read_only;
    int value;

    if (!ovsdb_util_read_string_column(row, "target", &target)) {
        return;
    }
    options = shash_find_data(remotes, target);
    if (!options) {
        options = ovsdb_jsonrpc_default_options(target);
        shash_add(remotes, target, options);
    }
    if (ovsdb_util_read_integer_column(row, "max_backoff", &number)) {
        options->max_backoff = number;
    }
    if (ovsdb_util_read_integer_column(row, "inactivity_probe", &number)) {
        options->probe_interval = number;
    }
    if (ovsdb_util_read_bool_column(row, "read_only", &read_only)) {
        options->read_only = read_only;
    }
    if (ovsdb_util_read_string_column(row, "role", &role)) {
        free(options->role);
        options->role = xstrdup(role);
    }
    dscp = ovsdb_util_read_map_string_column(row, "other_config", "dscp");
    options->dscp = (dscp && str_to_int(dscp, 10, &value)
                     && value >= 0 && value <= 63 ? value : DSCP_DEFAULT);
}

/* Applies the row of table SSL, if there is one, to the whole process. */
static void
configure_ssl(const struct ovsdb *db)
{
    const struct ovsdb_table *table = ovsdb_get_table(db, "SSL");
    const struct hmap_node *node = table ? hmap_first(&table->rows) : NULL;
    const char *key, *cert, *ca_cert;
    const struct ovsdb_row *row;
    bool bootstrap;

    if (!node) {
        return;
    }
    row = CONTAINER_OF(node, struct ovsdb_row, hmap_node);
    ovsdb_util_read_string_column(row, "private_key", &key);
    ovsdb_util_read_string_column(row, "certificate", &cert);
    ovsdb_util_read_string_column(row, "ca_cert", &ca_cert);
    ovsdb_util_read_bool_column(row, "bootstrap_ca_cert", &bootstrap);
    if (key && cert && key[0] && cert[0]) {
        stream_ssl_set_key_and_cert(key, cert);
    }
    if (ca_cert && ca_cert[0]) {
        stream_ssl_set_ca_cert_file(ca_cert, bootstrap);
    }
}

static void
put_seconds(struct smap *map, const char *key, unsigned int seconds)
{
    if (seconds != UINT_MAX) {
        smap_add_format(map, key, "%u", seconds);
    }
}

static void
put_text(struct smap *map, const char *key, const char *text)
{
    if (text && text[0]) {
        smap_add(map, key, text);
    }
}

static void
write_row_status(const struct db_server *server, struct ovsdb_row *row)
{
    struct smap map = SMAP_INITIALIZER(&map);
    struct ovsdb_jsonrpc_remote_status s;
    char *keys[16], *values[16];
    struct smap_node *node;
    const char *target;
    size_t n = 0;

    if (!ovsdb_util_read_string_column(row, "target", &target)) {
        return;
    }
    ovsdb_jsonrpc_server_get_remote_status(server->jsonrpc, target, &s);
    put_text(&map, "state", s.state);
    put_seconds(&map, "sec_since_connect", s.sec_since_connect);
    put_seconds(&map, "sec_since_disconnect", s.sec_since_disconnect);
    if (s.last_error) {
        smap_add(&map, "last_error", ovs_retval_to_string(s.last_error));
    }
    put_text(&map, "locks_held", s.locks_held);
    put_text(&map, "locks_waiting", s.locks_waiting);
    put_text(&map, "locks_lost", s.locks_lost);
    if (s.n_connections > 1) {
        smap_add_format(&map, "n_connections", "%d", s.n_connections);
    }
    if (s.bound_port) {
        smap_add_format(&map, "bound_port", "%u", ntohs(s.bound_port));
    }

    SMAP_FOR_EACH (node, &map) {
        keys[n] = xstrdup(node->key);
        values[n++] = xstrdup(node->value);
    }
    ovsdb_util_write_bool_column(row, "is_connected", s.is_connected);
    ovsdb_util_write_string_string_column(row, "status", keys, values, n);
    ovsdb_jsonrpc_server_free_remote_status(&s);
    smap_destroy(&map);
}

static void
write_status(const struct db_server *server, const struct db_column *c,
             struct ovsdb_txn *txn)
{
    const struct ovsdb_row *row;

    HMAP_FOR_EACH (row, hmap_node, &c->table->rows) {
        size_t n = row->fields[c->column->index].n;

        for (size_t i = 0; i < n; i++) {
            const struct ovsdb_row *ref = referenced_row(c, row, i);

            if (ref) {
                write_row_status(server, ovsdb_txn_row_modify(txn, ref));
            }
        }
    }
}
