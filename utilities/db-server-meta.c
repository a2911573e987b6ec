/* SPDX-License-Identifier: Apache-2.0 */

/* What the server itself writes into the databases: who and what this system
 * is, and, in the _Server database (ovsdb-server(7)), what is served. */

#include <config.h>

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "dirs.h"
#include "openvswitch/json.h"
#include "openvswitch/version.h"
#include "openvswitch/vlog.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/row.h"
#include "ovsdb/storage.h"
#include "ovsdb/table.h"
/* Needs row.h before it. */
#include "ovsdb/ovsdb-util.h"
#include "ovsdb/transaction.h"
#include "ovsdb-error.h"
#include "smap.h"
#include "util.h"
#include "utilities/db-server-private.h"

VLOG_DEFINE_THIS_MODULE(db_server_meta);

static struct ovsdb_row *modify_only_row(struct ovsdb_txn *,
                                         struct ovsdb_table *);
static void read_map(const struct ovsdb_row *, const char *column,
                     struct smap *);
static void write_map(struct ovsdb_row *, const char *column,
                      const struct smap *);
static char *read_system_id(void);
static void read_os_release(char **id, char **version);

/* Fills in the only row of table Open_vSwitch, which is made if need be.  An
 * identity that the database already has stays. */
char *
db_meta_identify(struct ovsdb *db)
{
    struct ovsdb_table *table = ovsdb_get_table(db, "Open_vSwitch");
    struct ovsdb_txn *txn = ovsdb_txn_create(db);
    struct ovsdb_row *row = modify_only_row(txn, table);
    struct smap ids = SMAP_INITIALIZER(&ids);
    char host[HOST_NAME_MAX + 1] = "";
    char *type, *version;

    read_os_release(&type, &version);
    ovsdb_util_write_string_column(row, "ovs_version", OVS_PACKAGE_VERSION);
    ovsdb_util_write_string_column(row, "db_version", db->schema->version);
    ovsdb_util_write_string_column(row, "system_type", type);
    ovsdb_util_write_string_column(row, "system_version", version);
    free(type);
    free(version);

    read_map(row, "external_ids", &ids);
    if (!smap_get(&ids, "system-id")) {
        smap_add_nocopy(&ids, xstrdup("system-id"), read_system_id());
    }
    if (!smap_get(&ids, "hostname")
        && !gethostname(host, sizeof host - 1) && host[0]) {
        smap_add(&ids, "hostname", host);
    }
    smap_replace(&ids, "rundir", ovs_rundir());
    write_map(row, "external_ids", &ids);
    smap_destroy(&ids);

    return db_error_take(db_commit(txn));
}

static void
describe(struct ovsdb_row *row, const struct db_served *served)
{
    struct json *json = ovsdb_schema_to_json(served->db->schema);
    char *schema = json_to_string(json, JSSF_SORT);

    json_destroy(json);
    ovsdb_util_write_string_column(row, "name", served->db->name);
    ovsdb_util_write_string_column(row, "model", "standalone");
    ovsdb_util_write_bool_column(row, "connected", true);
    ovsdb_util_write_bool_column(row, "leader", true);
    ovsdb_util_write_string_column(row, "schema", schema);
    free(schema);
}

/* Brings table Database of the _Server database up to date.  It costs next to
 * nothing unless a schema has changed. */
void
db_meta_update(struct db_server *server)
{
    struct ovsdb *meta = server->dbs[DB_META].db;
    struct ovsdb_table *table = ovsdb_get_table(meta, "Database");

    for (int i = 0; i < N_DBS; i++) {
        struct db_served *served = &server->dbs[i];
        const struct ovsdb_row *old;
        struct ovsdb_txn *txn;
        struct ovsdb_row *row;

        if (served->row_schema == served->db->schema) {
            continue;
        }
        txn = ovsdb_txn_create(meta);
        old = ovsdb_table_get_row(table, &served->row_uuid);
        if (old) {
            row = ovsdb_txn_row_modify(txn, old);
            describe(row, served);
        } else {
            row = ovsdb_row_create(table);
            uuid_generate(&served->row_uuid);
            *ovsdb_row_get_uuid_rw(row) = served->row_uuid;
            describe(row, served);
            ovsdb_txn_row_insert(txn, row);
        }
        served->row_schema = served->db->schema;

        char *error = db_error_take(db_commit(txn));
        if (error) {
            VLOG_ERR("cannot describe database %s to clients (%s)",
                     served->db->name, error);
            free(error);
        }
    }
}

static struct ovsdb_row *
modify_only_row(struct ovsdb_txn *txn, struct ovsdb_table *table)
{
    struct hmap_node *node = hmap_first(&table->rows);
    struct ovsdb_row *row;

    if (node) {
        return ovsdb_txn_row_modify(
            txn, CONTAINER_OF(node, struct ovsdb_row, hmap_node));
    }
    row = ovsdb_row_create(table);
    uuid_generate(ovsdb_row_get_uuid_rw(row));
    ovsdb_txn_row_insert(txn, row);
    return row;
}

static void
read_map(const struct ovsdb_row *row, const char *column, struct smap *map)
{
    const struct ovsdb_datum *datum = ovsdb_util_get_datum(
        CONST_CAST(struct ovsdb_row *, row), column, OVSDB_TYPE_STRING,
        OVSDB_TYPE_STRING, UINT_MAX);

    for (size_t i = 0; datum && i < datum->n; i++) {
        smap_add(map, json_string(datum->keys[i].s),
                 json_string(datum->values[i].s));
    }
}

static void
write_map(struct ovsdb_row *row, const char *column, const struct smap *map)
{
    size_t n = smap_count(map);
    char **keys = xmalloc(n * sizeof *keys);
    char **values = xmalloc(n * sizeof *values);
    const struct smap_node *node;

    n = 0;
    SMAP_FOR_EACH (node, map) {
        keys[n] = xstrdup(node->key);
        values[n++] = xstrdup(node->value);
    }
    ovsdb_util_write_string_string_column(row, column, keys, values, n);
    free(keys);
    free(values);
}

/* Reads the first line of 'file' into 'line' without its end. */
static bool
read_line(const char *file, char *line, int size)
{
    FILE *stream = fopen(file, "r");
    bool ok = stream && fgets(line, size, stream);

    if (stream) {
        fclose(stream);
    }
    if (ok) {
        line[strcspn(line, "\r\n")] = '\0';
    }
    return ok && line[0];
}

/* The system's identity is the one that ovs-ctl would use, or else new. */
static char *
read_system_id(void)
{
    char *file = xasprintf("%s/openvswitch/system-id.conf",
                           ovs_sysconfdir());
    char line[128];
    char *id;

    if (read_line(file, line, sizeof line)) {
        id = xstrdup(line);
    } else {
        struct uuid uuid;

        uuid_generate(&uuid);
        id = xasprintf(UUID_FMT, UUID_ARGS(&uuid));
    }
    free(file);
    return id;
}

/* Takes the operating system's name and version from os-release(5). */
static void
read_os_release(char **id, char **version)
{
    FILE *stream = fopen("/etc/os-release", "r");
    char line[256];

    *id = *version = NULL;
    while (stream && fgets(line, sizeof line, stream)) {
        char *value = strchr(line, '=');
        char **out;

        if (!value) {
            continue;
        }
        *value++ = '\0';
        out = (!strcmp(line, "ID") ? id
               : !strcmp(line, "VERSION_ID") ? version : NULL);
        if (out && !*out) {
            value += strspn(value, "\"'");
            value[strcspn(value, "\"'\r\n")] = '\0';
            *out = xstrdup(value);
        }
    }
    if (stream) {
        fclose(stream);
    }
    *id = *id ? *id : xstrdup("unknown");
    *version = *version ? *version : xstrdup("unknown");
}
