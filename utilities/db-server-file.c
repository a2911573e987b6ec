/* SPDX-License-Identifier: Apache-2.0 */

/* Finding, making, checking and converting the database file. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockfile.h"
#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "ovsdb/file.h"
#include "ovsdb/log.h"
#include "ovsdb/ovsdb.h"
#include "ovsdb/storage.h"
#include "ovsdb/transaction.h"
#include "ovsdb-error.h"
#include "socket-util.h"
#include "util.h"
#include "utilities/db-schema.h"
#include "utilities/db-server-private.h"

VLOG_DEFINE_THIS_MODULE(db_server_file);

static struct ovsdb_schema *parse_schema(const char *text);
static char *check_file(const char *name, bool *create);
static char *check_folder(const char *name);
static char *check_lock(const char *name);
static char *create_file(const char *name, const struct ovsdb_schema *);
static char *load_file(const char *name, struct ovsdb **);
static void replay(const char *name, struct ovsdb *);
static bool is_older(const char *a, const char *b);
static char *back_up(const char *name, const char *version);
static char *convert(const char *name, const struct ovsdb_schema *,
                     struct ovsdb **);

/* Opens the database in 'name' for reading and writing and locks it. */
char *
db_file_open(const char *name, struct ovsdb **dbp)
{
    struct ovsdb_schema *schema = parse_schema(db_schema_vswitch);
    struct ovsdb *db = NULL;
    bool create;
    char *error;

    error = check_file(name, &create);
    if (!error) {
        error = check_lock(name);
    }
    if (!error && create) {
        error = create_file(name, schema);
    }
    if (!error) {
        error = load_file(name, &db);
    }
    if (!error && strcmp(db->name, schema->name)) {
        error = xasprintf("%s: holds a database named %s; expected one named "
                          "%s", name, db->name, schema->name);
    }
    if (!error && is_older(db->schema->version, schema->version)) {
        error = convert(name, schema, &db);
    }
    ovsdb_schema_destroy(schema);

    if (error && db) {
        ovsdb_destroy(db);
        db = NULL;
    }
    *dbp = db;
    return error;
}

/* Returns an empty Open_vSwitch database without a file. */
struct ovsdb *
db_memory_open(void)
{
    return ovsdb_create(parse_schema(db_schema_vswitch),
                        ovsdb_storage_create_unbacked(NULL));
}

/* Returns the database in which a server describes what it serves. */
struct ovsdb *
db_meta_open(void)
{
    return ovsdb_create(parse_schema(db_schema_server),
                        ovsdb_storage_create_unbacked(NULL));
}

static struct ovsdb_schema *
parse_schema(const char *text)
{
    struct json *json = json_from_string(text);
    struct ovsdb_schema *schema;

    /* The text is a part of the program. */
    ovsdb_error_assert(ovsdb_schema_from_json(json, &schema));
    json_destroy(json);
    return schema;
}

/* Says what is wrong with 'name' before libovsdb gets to see it.  An empty
 * file is what remains when a daemon dies between making the file and writing
 * the schema; it counts as missing. */
static char *
check_file(const char *name, bool *create)
{
    char head[16] = "";
    struct stat s;
    ssize_t n;
    int fd;

    *create = false;
    fd = open(name, O_RDONLY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        *create = true;
        return check_folder(name);
    } else if (fd < 0) {
        return xasprintf("%s: cannot open the database (%s)",
                         name, ovs_strerror(errno));
    }
    n = fstat(fd, &s) || !S_ISREG(s.st_mode)
        ? -1 : read(fd, head, sizeof head - 1);
    close(fd);

    if (n < 0) {
        return xasprintf("%s: not a file; expected an OVSDB database",
                         name);
    } else if (n == 0) {
        *create = true;
        return NULL;
    } else if (!strncmp(head, "OVSDB CLUSTER ", strlen("OVSDB CLUSTER "))) {
        return xasprintf("%s: one member of a clustered database; expected a "
                         "standalone one (ovsdb-tool cluster-to-standalone "
                         "makes one)", name);
    } else if (strncmp(head, "OVSDB JSON ", strlen("OVSDB JSON "))) {
        return xasprintf("%s: not a database; expected a file that begins "
                         "with \"OVSDB JSON\", or no file, to make a new one",
                         name);
    }
    return NULL;
}

/* A new database needs a folder. */
static char *
check_folder(const char *name)
{
    char *folder = dir_name(name);
    char *error = NULL;

    if (access(folder, W_OK | X_OK)) {
        error = xasprintf("%s: cannot make the database (%s: %s)",
                          name, folder, ovs_strerror(errno));
    }
    free(folder);
    return error;
}

/* Another server shows by the lock that it holds on the lock file. */
static char *
check_lock(const char *name)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *lock_name = lockfile_name(name);
    int fd = open(lock_name, O_RDWR);
    char *error = NULL;

    free(lock_name);
    if (fd >= 0) {
        if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK) {
            error = xasprintf("%s: process %ld serves this database; expected "
                              "one that no other server has open",
                              name, (long int) lock.l_pid);
        }
        close(fd);
    }
    return error;
}

static char *
create_file(const char *name, const struct ovsdb_schema *schema)
{
    struct ovsdb_error *error;
    struct ovsdb_log *log;

    error = ovsdb_log_open(name, OVSDB_MAGIC, OVSDB_LOG_CREATE, -1, &log);
    if (!error) {
        error = ovsdb_log_write_and_free(log, ovsdb_schema_to_json(schema));
        if (!error) {
            error = ovsdb_log_commit_block(log);
        }
        ovsdb_log_close(log);
    }
    if (error) {
        char *text = db_error_take(error);
        char *sentence = xasprintf("%s: cannot make the database (%s)",
                                   name, text);

        free(text);
        return sentence;
    }
    VLOG_INFO("%s: made, with version %s of the schema", name,
              schema->version);
    return NULL;
}

static char *
load_file(const char *name, struct ovsdb **dbp)
{
    struct ovsdb_storage *storage;
    struct ovsdb_schema *schema;
    struct ovsdb_error *error;
    struct json *txn = NULL;

    error = ovsdb_storage_open(name, true, &storage);
    if (!error) {
        error = ovsdb_storage_read(storage, &schema, &txn, NULL);
        if (!error && !schema) {
            error = ovsdb_error(NULL, "it ends before the schema");
        }
        if (error) {
            json_destroy(txn);
            ovsdb_storage_close(storage);
        }
    }
    if (error) {
        char *text = db_error_take(error);
        char *sentence = xasprintf("%s: cannot read the database (%s)",
                                   name, text);

        free(text);
        return sentence;
    }
    *dbp = ovsdb_create(schema, storage);
    replay(name, *dbp);
    return NULL;
}

/* Reads the transactions of the log into 'db'.  The last may be cut short by
 * a loss of power: what comes before it is the database. */
static void
replay(const char *name, struct ovsdb *db)
{
    for (;;) {
        struct ovsdb_schema *schema;
        struct ovsdb_error *error;
        struct ovsdb_txn *txn;
        struct json *json;

        error = ovsdb_storage_read(db->storage, &schema, &json, NULL);
        if (!error && !json) {
            ovsdb_schema_destroy(schema);
            return;
        }
        if (!error) {
            error = ovsdb_file_txn_from_json(db, json, false, &txn);
            json_destroy(json);
            if (!error) {
                error = ovsdb_txn_replay_commit(txn);
            }
            if (error) {
                ovsdb_storage_unread(db->storage);
            }
        }
        if (error) {
            char *text = db_error_take(error);

            VLOG_ERR("%s: a record cannot be read (%s); going on with what "
                     "comes before it", name, text);
            free(text);
            return;
        }
    }
}

/* Is version 'a' older than version 'b'?  A schema without a version is older
 * than all. */
static bool
is_older(const char *a, const char *b)
{
    struct ovsdb_version va, vb;

    if (!ovsdb_parse_version(b, &vb)) {
        return false;
    } else if (!ovsdb_parse_version(a, &va)) {
        return true;
    }
    return (va.x != vb.x ? va.x < vb.x
            : va.y != vb.y ? va.y < vb.y
            : va.z < vb.z);
}

/* Copies 'name' to 'name'.backup-'version', so that one can go back. */
static char *
back_up(const char *name, const char *version)
{
    char *copy = xasprintf("%s.backup-%s", name, version);
    int in = open(name, O_RDONLY);
    int out = open(copy, O_WRONLY | O_CREAT | O_TRUNC, 0660);
    int error = in < 0 || out < 0 ? errno : 0;
    char *sentence = NULL;
    char buffer[65536];

    while (!error) {
        ssize_t n = read(in, buffer, sizeof buffer);
        size_t written;

        if (n <= 0) {
            error = n ? errno : 0;
            break;
        }
        error = write_fully(out, buffer, n, &written);
    }
    if (!error && fsync(out)) {
        error = errno;
    }
    if (error) {
        sentence = xasprintf("%s: cannot write a copy before converting the "
                             "database (%s)", copy, ovs_strerror(error));
        if (out >= 0) {
            unlink(copy);
        }
    } else {
        VLOG_INFO("%s: is a copy of the database before its conversion",
                  copy);
    }
    if (in >= 0) {
        close(in);
    }
    if (out >= 0) {
        close(out);
    }
    free(copy);
    return sentence;
}

/* Moves '*dbp' and its file to 'schema'.  The file is replaced by a new one
 * in one step: a crash leaves either the old or the new. */
static char *
convert(const char *name, const struct ovsdb_schema *schema,
        struct ovsdb **dbp)
{
    struct ovsdb *old = *dbp;
    struct ovsdb_error *error;
    struct ovsdb *new;
    char *sentence;

    sentence = back_up(name, old->schema->version);
    if (sentence) {
        return sentence;
    }
    error = ovsdb_convert(old, schema, &new);
    if (!error) {
        struct json *text = ovsdb_schema_to_json(schema);
        struct json *data = ovsdb_to_txn_json(new, "converted by bvs", true);

        error = ovsdb_storage_store_snapshot(old->storage, text, data, 0);
        json_destroy(text);
        json_destroy(data);
        if (error) {
            ovsdb_destroy(new);
        }
    }
    if (error) {
        char *text = db_error_take(error);

        sentence = xasprintf("%s: cannot convert from version %s of the "
                             "schema to %s (%s)", name, old->schema->version,
                             schema->version, text);
        free(text);
        return sentence;
    }
    VLOG_INFO("%s: converted from version %s of the schema to %s",
              name, old->schema->version, schema->version);
    ovsdb_storage_close(new->storage);
    new->storage = old->storage;
    old->storage = NULL;
    ovsdb_destroy(old);
    *dbp = new;
    return NULL;
}
