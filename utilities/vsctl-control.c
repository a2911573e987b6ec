/* SPDX-License-Identifier: Apache-2.0 */

/* Who controls the switch: controllers, fail mode, managers, TLS keys. */

#include <config.h>

#include "utilities/vsctl-commands.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/vconn.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "stream.h"
#include "svec.h"
#include "utilities/vsctl-model.h"

VLOG_DEFINE_THIS_MODULE(vsctl_control);

static void
cmd_init(struct ctl_context *ctx)
{
    /* Every command line makes the only row of table Open_vSwitch if it is
     * missing. */
}

/* Returns true and stores the value of --inactivity-probe if it is given. */
static bool
parse_probe(const struct ctl_context *ctx, int64_t *msecs)
{
    const char *value = shash_find_data(&ctx->options, "--inactivity-probe");

    *msecs = value ? atoll(value) : 0;
    return value != NULL;
}

/* Controllers. */

static void
pre_controller(struct ctl_context *ctx)
{
    vsctl_model_prerequisites(ctx);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_controller_col_target);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_controller_col_inactivity_probe);
}

static void
verify_controllers(const struct ovsrec_bridge *br)
{
    ovsrec_bridge_verify_controller(br);
    for (size_t i = 0; i < br->n_controller; i++) {
        ovsrec_controller_verify_target(br->controller[i]);
    }
}

static void
delete_controllers(const struct ovsrec_bridge *br)
{
    verify_controllers(br);
    for (size_t i = 0; i < br->n_controller; i++) {
        ovsrec_controller_delete(br->controller[i]);
    }
}

static void
cmd_get_controller(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);
    struct svec targets = SVEC_EMPTY_INITIALIZER;

    if (!br) {
        return;
    }
    verify_controllers(br->row);
    for (size_t i = 0; i < br->row->n_controller; i++) {
        svec_add(&targets, br->row->controller[i]->target);
    }
    vsctl_output_names(ctx, &targets);
}

static void
cmd_del_controller(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_real_bridge(ctx,
                                                           ctx->argv[1]);

    if (br && br->row->n_controller) {
        delete_controllers(br->row);
        ovsrec_bridge_set_controller(br->row, NULL, 0);
    }
}

static void
cmd_set_controller(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_real_bridge(ctx,
                                                           ctx->argv[1]);
    size_t n = ctx->argc - 2;
    struct ovsrec_controller **rows;
    int64_t probe;

    if (!br) {
        return;
    }
    delete_controllers(br->row);
    rows = xmalloc(n * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        const char *target = ctx->argv[i + 2];

        if (vconn_verify_name(target) && pvconn_verify_name(target)) {
            VLOG_WARN("target type \"%s\" is possibly erroneous", target);
        }
        rows[i] = ovsrec_controller_insert(ctx->txn);
        ovsrec_controller_set_target(rows[i], target);
        if (parse_probe(ctx, &probe)) {
            ovsrec_controller_set_inactivity_probe(rows[i], &probe, 1);
        }
    }
    ovsrec_bridge_set_controller(br->row, rows, n);
    free(rows);
}

/* Fail mode. */

static void
cmd_get_fail_mode(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);

    if (br) {
        ovsrec_bridge_verify_fail_mode(br->row);
        if (br->row->fail_mode && br->row->fail_mode[0]) {
            ds_put_format(&ctx->output, "%s\n", br->row->fail_mode);
        }
    }
}

static void
cmd_del_fail_mode(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_real_bridge(ctx,
                                                           ctx->argv[1]);

    if (br) {
        ovsrec_bridge_set_fail_mode(br->row, NULL);
    }
}

static void
cmd_set_fail_mode(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_real_bridge(ctx,
                                                           ctx->argv[1]);
    const char *mode = ctx->argv[2];

    if (!br) {
        return;
    } else if (strcmp(mode, "standalone") && strcmp(mode, "secure")) {
        ctl_error(ctx, "fail-mode must be \"standalone\" or \"secure\"");
    } else {
        ovsrec_bridge_set_fail_mode(br->row, mode);
    }
}

/* Managers. */

static void
pre_manager(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &ovsrec_open_vswitch_col_manager_options);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_manager_col_target);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_manager_col_inactivity_probe);
}

static void
verify_managers(const struct ovsrec_open_vswitch *root)
{
    ovsrec_open_vswitch_verify_manager_options(root);
    for (size_t i = 0; i < root->n_manager_options; i++) {
        ovsrec_manager_verify_target(root->manager_options[i]);
    }
}

static void
cmd_get_manager(struct ctl_context *ctx)
{
    const struct ovsrec_open_vswitch *root = vsctl_context_cast(ctx)->root;
    struct svec targets = SVEC_EMPTY_INITIALIZER;

    verify_managers(root);
    for (size_t i = 0; i < root->n_manager_options; i++) {
        svec_add(&targets, root->manager_options[i]->target);
    }
    svec_sort_unique(&targets);
    vsctl_output_names(ctx, &targets);
}

static void
cmd_del_manager(struct ctl_context *ctx)
{
    const struct ovsrec_open_vswitch *root = vsctl_context_cast(ctx)->root;

    verify_managers(root);
    for (size_t i = 0; i < root->n_manager_options; i++) {
        ovsrec_manager_delete(root->manager_options[i]);
    }
    ovsrec_open_vswitch_set_manager_options(root, NULL, 0);
}

static void
cmd_set_manager(struct ctl_context *ctx)
{
    size_t n = ctx->argc - 1;
    struct ovsrec_manager **rows = xmalloc(n * sizeof *rows);
    int64_t probe;

    cmd_del_manager(ctx);
    for (size_t i = 0; i < n; i++) {
        const char *target = ctx->argv[i + 1];

        if (stream_verify_name(target) && pstream_verify_name(target)) {
            VLOG_WARN("target type \"%s\" is possibly erroneous", target);
        }
        rows[i] = ovsrec_manager_insert(ctx->txn);
        ovsrec_manager_set_target(rows[i], target);
        if (parse_probe(ctx, &probe)) {
            ovsrec_manager_set_inactivity_probe(rows[i], &probe, 1);
        }
    }
    ovsrec_open_vswitch_set_manager_options(vsctl_context_cast(ctx)->root,
                                            rows, n);
    free(rows);
}

/* Keys for TLS. */

static void
pre_ssl(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &ovsrec_open_vswitch_col_ssl);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_ssl_col_private_key);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_ssl_col_certificate);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_ssl_col_ca_cert);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_ssl_col_bootstrap_ca_cert);
}

static void
cmd_get_ssl(struct ctl_context *ctx)
{
    const struct ovsrec_open_vswitch *root = vsctl_context_cast(ctx)->root;
    const struct ovsrec_ssl *ssl = root->ssl;

    ovsrec_open_vswitch_verify_ssl(root);
    if (ssl) {
        ovsrec_ssl_verify_private_key(ssl);
        ovsrec_ssl_verify_certificate(ssl);
        ovsrec_ssl_verify_ca_cert(ssl);
        ovsrec_ssl_verify_bootstrap_ca_cert(ssl);
        ds_put_format(&ctx->output,
                      "Private key: %s\n"
                      "Certificate: %s\n"
                      "CA Certificate: %s\n"
                      "Bootstrap: %s\n",
                      ssl->private_key, ssl->certificate, ssl->ca_cert,
                      ssl->bootstrap_ca_cert ? "true" : "false");
    }
}

static void
cmd_del_ssl(struct ctl_context *ctx)
{
    const struct ovsrec_open_vswitch *root = vsctl_context_cast(ctx)->root;

    if (root->ssl) {
        ovsrec_open_vswitch_verify_ssl(root);
        ovsrec_ssl_delete(root->ssl);
        ovsrec_open_vswitch_set_ssl(root, NULL);
    }
}

static void
cmd_set_ssl(struct ctl_context *ctx)
{
    struct ovsrec_ssl *ssl;

    cmd_del_ssl(ctx);
    ssl = ovsrec_ssl_insert(ctx->txn);
    ovsrec_ssl_set_private_key(ssl, ctx->argv[1]);
    ovsrec_ssl_set_certificate(ssl, ctx->argv[2]);
    ovsrec_ssl_set_ca_cert(ssl, ctx->argv[3]);
    ovsrec_ssl_set_bootstrap_ca_cert(ssl,
                                     vsctl_has_option(ctx, "--bootstrap"));
    ovsrec_open_vswitch_set_ssl(vsctl_context_cast(ctx)->root, ssl);
}

const struct ctl_command_syntax vsctl_control_commands[] = {
    { "init", 0, 0, "", NULL, cmd_init, NULL, "", RW },
    { "get-controller", 1, 1, "BRIDGE",
      pre_controller, cmd_get_controller, NULL, "", RO },
    { "del-controller", 1, 1, "BRIDGE",
      pre_controller, cmd_del_controller, NULL, "", RW },
    { "set-controller", 1, INT_MAX, "BRIDGE TARGET...",
      pre_controller, cmd_set_controller, NULL, "--inactivity-probe=", RW },
    { "get-fail-mode", 1, 1, "BRIDGE",
      vsctl_model_prerequisites, cmd_get_fail_mode, NULL, "", RO },
    { "del-fail-mode", 1, 1, "BRIDGE",
      vsctl_model_prerequisites, cmd_del_fail_mode, NULL, "", RW },
    { "set-fail-mode", 2, 2, "BRIDGE MODE",
      vsctl_model_prerequisites, cmd_set_fail_mode, NULL, "", RW },
    { "get-manager", 0, 0, "", pre_manager, cmd_get_manager, NULL, "", RO },
    { "del-manager", 0, 0, "", pre_manager, cmd_del_manager, NULL, "", RW },
    { "set-manager", 1, INT_MAX, "TARGET...",
      pre_manager, cmd_set_manager, NULL, "--inactivity-probe=", RW },
    { "get-ssl", 0, 0, "", pre_ssl, cmd_get_ssl, NULL, "", RO },
    { "del-ssl", 0, 0, "", pre_ssl, cmd_del_ssl, NULL, "", RW },
    { "set-ssl", 3, 3, "PRIVATE-KEY CERTIFICATE CA-CERT",
      pre_ssl, cmd_set_ssl, NULL, "--bootstrap", RW },
    { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
};
