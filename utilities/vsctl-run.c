/* SPDX-License-Identifier: Apache-2.0 */

/* One command line, from connecting to the daemon's having applied it. */

#include <config.h>

#include "utilities/vsctl.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db-ctl-base.h"
#include "dirs.h"
#include "lib/vswitch-idl.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-data.h"
#include "ovsdb-idl.h"
#include "process.h"
#include "timeval.h"
#include "util.h"
#include "utilities/vsctl-model.h"
#include "utilities/vsctl-private.h"

VLOG_DEFINE_THIS_MODULE(vsctl);

/* How long a database may take to send its content before it counts as dead,
 * without --retry and --timeout. */
#define ANSWER_MS 10000

/* The lock that a switch daemon holds in the database that it serves. */
#define DAEMON_LOCK "ovs_vswitchd"

enum phase {
    CONNECT,                    /* Until the database's content is there. */
    PROBE,                      /* Is there a daemon that will apply it? */
    EXECUTE,                    /* Run the commands. */
    COMMIT,                     /* Until the transaction is committed. */
    RETRY,                      /* Until the database changes; then again. */
    APPLY,                      /* Until the daemon has applied it. */
    DONE,
};

struct vsctl {
    struct vsctl_options options;
    char *args;                 /* The command line, for the comment. */
    struct ctl_command *commands;
    size_t n_commands;

    enum phase phase;
    struct ovsdb_idl *idl;
    unsigned int seqno;         /* The database's, when last looked at. */
    long long int deadline;     /* For CONNECT. */
    bool probed;

    /* The attempt under way, if 'txn'. */
    struct ovsdb_idl_txn *txn;
    struct vsctl_context context;
    struct ovsdb_symbol_table *symbols;
    int64_t next_cfg;

    /* Results. */
    struct ds output;
    struct ds messages;
    int status;
};

static void run_prerequisites(struct vsctl *);
static void step_connect(struct vsctl *);
static void step_probe(struct vsctl *);
static void step_execute(struct vsctl *);
static void step_commit(struct vsctl *);
static void step_apply(struct vsctl *);
static void end_attempt(struct vsctl *);
static void fail(struct vsctl *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);
static void add_message(struct vsctl *, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

char *
vsctl_create(int argc, char *argv[], struct vsctl_options *options,
             struct vsctl **vp)
{
    char *args = process_escape_args(argv);
    struct shash local = SHASH_INITIALIZER(&local);
    struct ctl_command *commands;
    size_t n_commands;
    char *error;
    int first;

    *vp = NULL;
    vsctl_register_commands();
    error = vsctl_options_parse(argc, argv, options, &local, &first);
    if (!error) {
        error = ctl_parse_commands(argc - first, argv + first, &local,
                                   &commands, &n_commands);
    }
    shash_destroy_free_data(&local);
    if (error) {
        free(args);
        return error;
    }

    struct vsctl *v = xzalloc(sizeof *v);
    v->options = *options;
    if (!v->options.db) {
        v->options.db = ctl_default_db();
    }
    v->args = args;
    v->commands = commands;
    v->n_commands = n_commands;
    /* Nothing to apply.  (In an empty database even these insert a row.) */
    v->options.wait = (options->wait && !options->dry_run
                       && vsctl_is_write(v));
    v->phase = CONNECT;
    v->deadline = (options->retry || options->timeout
                   ? LLONG_MAX : time_msec() + ANSWER_MS);
    ds_init(&v->output);
    ds_init(&v->messages);

    v->idl = ovsdb_idl_create_unconnected(&ovsrec_idl_class, false);
    ovsdb_idl_set_shuffle_remotes(v->idl, options->shuffle_remotes);
    ovsdb_idl_set_leader_only(v->idl, options->leader_only);
    ovsdb_idl_set_remote(v->idl, v->options.db, options->retry);
    ovsdb_idl_set_db_change_aware(v->idl, false);
    run_prerequisites(v);
    v->seqno = ovsdb_idl_get_seqno(v->idl);
    *vp = v;
    return NULL;
}

void
vsctl_destroy(struct vsctl *v)
{
    if (!v) {
        return;
    }
    end_attempt(v);
    ovsdb_idl_destroy(v->idl);
    for (size_t i = 0; i < v->n_commands; i++) {
        shash_destroy_free_data(&v->commands[i].options);
    }
    free(v->commands);
    free(v->context.new_ifaces);
    ds_destroy(&v->output);
    ds_destroy(&v->messages);
    free(v->args);
    free(v);
}

bool
vsctl_run(struct vsctl *v)
{
    enum phase before;

    ovsdb_idl_run(v->idl);
    if (v->phase != APPLY && v->phase != DONE && !ovsdb_idl_is_alive(v->idl)) {
        int error = ovsdb_idl_get_last_error(v->idl);

        fail(v, "%s: database connection failed (%s)", v->options.db,
             ovs_retval_to_string(error));
    }
    do {
        before = v->phase;
        switch (v->phase) {
        case CONNECT:
        case RETRY:
            step_connect(v);
            break;

        case PROBE:
            step_probe(v);
            break;

        case EXECUTE:
            step_execute(v);
            break;

        case COMMIT:
            step_commit(v);
            break;

        case APPLY:
            step_apply(v);
            break;

        case DONE:
            break;
        }
    } while (v->phase != before);
    return v->phase == DONE;
}

void
vsctl_wait(struct vsctl *v)
{
    if (v->phase == DONE) {
        poll_immediate_wake();
        return;
    }
    ovsdb_idl_wait(v->idl);
    if (v->phase == COMMIT) {
        ovsdb_idl_txn_wait(v->txn);
    } else if (v->phase == CONNECT && v->deadline != LLONG_MAX) {
        poll_timer_wait_until(v->deadline);
    }
}

int
vsctl_status(const struct vsctl *v)
{
    return v->status;
}

const char *
vsctl_messages(const struct vsctl *v)
{
    return ds_cstr_ro(&v->messages);
}

char *
vsctl_take_output(struct vsctl *v)
{
    return v->output.length ? ds_steal_cstr(&v->output) : NULL;
}

bool
vsctl_is_write(const struct vsctl *v)
{
    return ctl_might_write_to_db(v->commands, v->n_commands);
}

/* Ends the command line without success. */
static void
fail(struct vsctl *v, const char *format, ...)
{
    va_list args;

    ds_clear(&v->messages);
    va_start(args, format);
    ds_put_format_valist(&v->messages, format, args);
    va_end(args);
    end_attempt(v);
    v->status = EXIT_FAILURE;
    v->phase = DONE;
}

static void
add_message(struct vsctl *v, const char *format, ...)
{
    va_list args;

    if (v->messages.length) {
        ds_put_char(&v->messages, '\n');
    }
    va_start(args, format);
    ds_put_format_valist(&v->messages, format, args);
    va_end(args);
}

static void
init_context(struct vsctl *v, struct ctl_command *command)
{
    struct vsctl_context *ctx = &v->context;

    free(ctx->new_ifaces);
    memset(ctx, 0, sizeof *ctx);
    ctl_context_init(&ctx->base, command, v->idl, v->txn, v->symbols,
                     vsctl_model_drop);
}

static bool
is_show(const struct ctl_command *c)
{
    return !strcmp(c->syntax->name, "show");
}

/* Adds to the output of "show", which db-ctl-base makes of at most four
 * columns a table, which engine runs, once a daemon has said so. */
static void
put_engine(const struct vsctl *v, struct ds *output)
{
    const struct ovsrec_bridge *bridge = ovsrec_bridge_first(v->idl);

    if (bridge && bridge->datapath_version && bridge->datapath_version[0]) {
        ds_put_format(output, "    datapath: \"%s\"\n",
                      bridge->datapath_version);
    }
}

/* Subscribes to what the commands need. */
static void
run_prerequisites(struct vsctl *v)
{
    ovsdb_idl_add_table(v->idl, &ovsrec_table_open_vswitch);
    if (v->options.wait) {
        ovsdb_idl_add_column(v->idl, &ovsrec_open_vswitch_col_cur_cfg);
    }
    for (size_t i = 0; i < v->n_commands; i++) {
        struct ctl_command *c = &v->commands[i];

        ds_init(&c->output);
        c->table = NULL;
        if (is_show(c)) {
            ovsdb_idl_add_column(v->idl, &ovsrec_bridge_col_datapath_version);
        }
        if (c->syntax->prerequisites) {
            init_context(v, c);
            c->syntax->prerequisites(&v->context.base);
            if (v->context.base.error) {
                fail(v, "%s", v->context.base.error);
            }
            ctl_context_done(&v->context.base, c);
        }
        if (v->phase == DONE) {
            return;
        }
    }
}

static void
step_connect(struct vsctl *v)
{
    if (ovsdb_idl_get_seqno(v->idl) != v->seqno) {
        bool probe = (v->options.wait && !v->options.retry
                      && !v->probed);

        v->seqno = ovsdb_idl_get_seqno(v->idl);
        v->phase = probe ? PROBE : EXECUTE;
    } else if (v->phase == CONNECT && time_msec() >= v->deadline) {
        fail(v, "%s: the database does not answer", v->options.db);
    }
}

/* Changing the configuration and then waiting for a daemon that does not run
 * would be no help, so see first who has the daemon's lock. */
static void
step_probe(struct vsctl *v)
{
    ovsdb_idl_set_lock(v->idl, DAEMON_LOCK);
    if (ovsdb_idl_has_lock(v->idl)) {
        fail(v, "%s: no switch daemon serves this database, so nothing was "
             "changed (start one, or use --no-wait to change the database "
             "only, or --retry to wait for one)", v->options.db);
    } else if (ovsdb_idl_is_lock_contended(v->idl)) {
        ovsdb_idl_set_lock(v->idl, NULL);
        v->probed = true;
        v->phase = EXECUTE;
    }
}

/* Who called us, for the database's log. */
static char *
describe_parent(void)
{
    char *file = xasprintf("/proc/%ld/comm", (long int) getppid());
    FILE *stream = fopen(file, "r");
    char name[64] = "";

    free(file);
    if (stream) {
        if (fgets(name, sizeof name, stream)) {
            name[strcspn(name, "\n")] = '\0';
        }
        fclose(stream);
    }
    return xasprintf("%s (pid %ld)", name, (long int) getppid());
}

static void
begin_attempt(struct vsctl *v)
{
    const struct ovsrec_open_vswitch *root;
    char *parent = describe_parent();

    v->txn = ovsdb_idl_txn_create(v->idl);
    v->symbols = ovsdb_symbol_table_create();
    if (v->options.dry_run) {
        ovsdb_idl_txn_set_dry_run(v->txn);
    }
    ovsdb_idl_txn_add_comment(v->txn, "%s (invoked by %s): %s",
                              program_name, parent, v->args);
    free(parent);

    root = ovsrec_open_vswitch_first(v->idl);
    if (!root) {
        root = ovsrec_open_vswitch_insert(v->txn);
    }
    if (v->options.wait) {
        ovsdb_idl_txn_increment(v->txn, &root->header_,
                                &ovsrec_open_vswitch_col_next_cfg, false);
    }
    init_context(v, NULL);
    v->context.root = root;
}

/* Frees what belongs to one attempt at the transaction. */
static void
end_attempt(struct vsctl *v)
{
    if (v->txn) {
        ovsdb_idl_txn_abort(v->txn);
        ovsdb_idl_txn_destroy(v->txn);
        v->txn = NULL;
        ovsdb_symbol_table_destroy(v->symbols);
        v->symbols = NULL;
        vsctl_model_drop(&v->context.base);
    }
    for (size_t i = 0; i < v->n_commands; i++) {
        struct ctl_command *c = &v->commands[i];

        ds_destroy(&c->output);
        ds_init(&c->output);
        table_destroy(c->table);
        free(c->table);
        c->table = NULL;
    }
}

/* Runs command 'c'.  Returns false if the attempt is over. */
static bool
run_command(struct vsctl *v, struct ctl_command *c)
{
    struct ctl_context *ctx = &v->context.base;
    bool last = c == &v->commands[v->n_commands - 1];
    char *error;

    ctl_context_init_command(ctx, c, last);
    if (c->syntax->run) {
        c->syntax->run(ctx);
    }
    if (is_show(c)) {
        put_engine(v, &ctx->output);
    }
    error = ctx->error;
    ctx->error = NULL;
    ctl_context_done_command(ctx, c);

    if (error) {
        fail(v, "%s", error);
        free(error);
        return false;
    } else if (v->context.exit_status) {
        v->status = v->context.exit_status;
        end_attempt(v);
        v->phase = DONE;
        return false;
    } else if (ctx->try_again) {
        end_attempt(v);
        v->phase = RETRY;
        return false;
    }
    return true;
}

/* Looks for rows that were given a name and then not used. */
static void
check_symbols(struct vsctl *v)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &v->symbols->sh) {
        const struct ovsdb_symbol *symbol = node->data;

        if (!symbol->created) {
            fail(v, "row id \"%s\" is referenced but never created (e.g. "
                 "with \"-- --id=%s create ...\")", node->name, node->name);
            return;
        } else if (!symbol->strong_ref) {
            VLOG_WARN("row id \"%s\" was created but %s was inserted, so it "
                      "will not actually appear in the database", node->name,
                      symbol->weak_ref ? "only a weak reference to it"
                      : "no reference to it");
        }
    }
}

static void
step_execute(struct vsctl *v)
{
    begin_attempt(v);
    for (size_t i = 0; i < v->n_commands; i++) {
        if (!run_command(v, &v->commands[i])) {
            return;
        }
    }
    vsctl_model_drop(&v->context.base);
    check_symbols(v);
    if (v->phase != DONE) {
        v->phase = COMMIT;
    }
}

/* Appends the output of 'c' to the whole. */
static void
collect_output(struct vsctl *v, struct ctl_command *c)
{
    if (c->table) {
        table_format(c->table, &v->options.style, &v->output);
    } else if (v->options.oneline) {
        ds_chomp(&c->output, '\n');
        for (size_t i = 0; i < c->output.length; i++) {
            char ch = c->output.string[i];

            if (ch == '\n') {
                ds_put_cstr(&v->output, "\\n");
            } else if (ch == '\\') {
                ds_put_cstr(&v->output, "\\\\");
            } else {
                ds_put_char(&v->output, ch);
            }
        }
        ds_put_char(&v->output, '\n');
    } else {
        ds_put_cstr(&v->output, ds_cstr(&c->output));
    }
}

/* The commands have their way: gives them the last word ("create" prints the
 * UUIDs that the database chose) and collects what they print. */
static void
finish_commands(struct vsctl *v)
{
    struct vsctl_context *ctx = &v->context;

    for (size_t i = 0; i < v->n_commands && v->phase != DONE; i++) {
        struct ctl_command *c = &v->commands[i];

        if (c->syntax->postprocess) {
            char *error;

            ctl_context_init_command(&ctx->base, c, false);
            c->syntax->postprocess(&ctx->base);
            error = ctx->base.error;
            ctx->base.error = NULL;
            ctl_context_done_command(&ctx->base, c);
            if (error) {
                fail(v, "%s", error);
                free(error);
                return;
            }
        }
        collect_output(v, c);
    }
    table_format_reset();

    /* The transaction knows the final UUIDs of the new interfaces; it does
     * not live on to where they are checked. */
    for (size_t i = 0; i < ctx->n_new_ifaces; i++) {
        const struct uuid *uuid = ovsdb_idl_txn_get_insert_uuid(
            v->txn, &ctx->new_ifaces[i]);

        ctx->new_ifaces[i] = uuid ? *uuid : UUID_ZERO;
    }
}

static void
step_commit(struct vsctl *v)
{
    enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(v->txn);

    switch (status) {
    case TXN_UNCOMMITTED:
    case TXN_INCOMPLETE:
        return;

    case TXN_UNCHANGED:
    case TXN_SUCCESS:
        if (v->options.wait && status == TXN_SUCCESS) {
            v->next_cfg = ovsdb_idl_txn_get_increment_new_value(v->txn);
        }
        finish_commands(v);
        end_attempt(v);
        if (v->phase != DONE) {
            v->phase = (v->options.wait && status == TXN_SUCCESS
                        ? APPLY : DONE);
            /* The change is made: losing the connection is no reason to give
             * up now. */
            ovsdb_idl_enable_reconnect(v->idl);
        }
        break;

    case TXN_TRY_AGAIN:
        end_attempt(v);
        v->phase = RETRY;
        break;

    case TXN_ERROR:
        fail(v, "transaction error: %s", ovsdb_idl_txn_get_error(v->txn));
        break;

    case TXN_ABORTED:
    case TXN_NOT_LOCKED:
        fail(v, "transaction aborted");
        break;
    }
}

/* Says which of the new interfaces the daemon could not set up. */
static void
check_new_ifaces(struct vsctl *v)
{
    const struct vsctl_context *ctx = &v->context;
    bool any = false;

    for (size_t i = 0; i < ctx->n_new_ifaces; i++) {
        const struct ovsrec_interface *iface
            = ovsrec_interface_get_for_uuid(v->idl, &ctx->new_ifaces[i]);

        if (!iface || (iface->n_ofport && *iface->ofport != -1)) {
            continue;
        }
        any = true;
        if (iface->error && iface->error[0]) {
            add_message(v, "Error detected while setting up '%s': %s.  See "
                        "ovs-vswitchd log for details.",
                        iface->name, iface->error);
        } else {
            add_message(v, "Error detected while setting up '%s'.  See "
                        "ovs-vswitchd log for details.", iface->name);
        }
    }
    if (any) {
        add_message(v, "The default log directory is \"%s\".", ovs_logdir());
    }
}

static void
step_apply(struct vsctl *v)
{
    const struct ovsrec_open_vswitch *root
        = ovsrec_open_vswitch_first(v->idl);

    if (root && root->cur_cfg >= v->next_cfg) {
        check_new_ifaces(v);
        v->phase = DONE;
    }
}
