/* SPDX-License-Identifier: Apache-2.0 */

/* The rarer commands: emer-reset, Auto Attach, connection tracking zones,
 * capabilities of datapaths. */

#include <config.h>

#include "utilities/vsctl-commands.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ovsdb-idl.h"
#include "smap.h"
#include "utilities/vsctl-model.h"

/* emer-reset: takes away what a controller or manager may have set, and
 * leaves bridges and ports. */

static void
pre_emer_reset(struct ctl_context *ctx)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_open_vswitch_col_manager_options,
        &ovsrec_open_vswitch_col_ssl,
        &ovsrec_bridge_col_controller,
        &ovsrec_bridge_col_fail_mode,
        &ovsrec_bridge_col_mirrors,
        &ovsrec_bridge_col_netflow,
        &ovsrec_bridge_col_sflow,
        &ovsrec_bridge_col_ipfix,
        &ovsrec_bridge_col_flood_vlans,
        &ovsrec_bridge_col_other_config,
        &ovsrec_port_col_other_config,
        &ovsrec_interface_col_ingress_policing_rate,
        &ovsrec_interface_col_ingress_policing_burst,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(ctx->idl, columns[i]);
    }
}

static void
reset_bridge(const struct ovsrec_bridge *br)
{
    const char *hwaddr = smap_get(&br->other_config, "hwaddr");
    struct smap config = SMAP_INITIALIZER(&config);

    ovsrec_bridge_set_controller(br, NULL, 0);
    ovsrec_bridge_set_fail_mode(br, NULL);
    ovsrec_bridge_set_mirrors(br, NULL, 0);
    ovsrec_bridge_set_netflow(br, NULL);
    ovsrec_bridge_set_sflow(br, NULL);
    ovsrec_bridge_set_ipfix(br, NULL);
    ovsrec_bridge_set_flood_vlans(br, NULL, 0);

    /* The system's own address stays. */
    if (hwaddr) {
        smap_add(&config, "hwaddr", hwaddr);
    }
    ovsrec_bridge_set_other_config(br, &config);
    smap_destroy(&config);
}

static void
delete_rows(struct ovsdb_idl *idl, const struct ovsdb_idl_table_class *table)
{
    const struct ovsdb_idl_row *row, *next;

    for (row = ovsdb_idl_first_row(idl, table); row; row = next) {
        next = ovsdb_idl_next_row(row);
        ovsdb_idl_txn_delete(row);
    }
}

static void
cmd_emer_reset(struct ctl_context *ctx)
{
    static const struct ovsdb_idl_table_class *const tables[] = {
        &ovsrec_table_mirror,
        &ovsrec_table_controller,
        &ovsrec_table_manager,
        &ovsrec_table_netflow,
        &ovsrec_table_ssl,
        &ovsrec_table_sflow,
        &ovsrec_table_ipfix,
        &ovsrec_table_flow_sample_collector_set,
    };
    const struct ovsrec_open_vswitch *root = vsctl_context_cast(ctx)->root;
    const struct ovsrec_interface *iface;
    const struct ovsrec_bridge *br;
    const struct ovsrec_port *port;

    ovsrec_open_vswitch_set_manager_options(root, NULL, 0);
    ovsrec_open_vswitch_set_ssl(root, NULL);
    OVSREC_BRIDGE_FOR_EACH (br, ctx->idl) {
        reset_bridge(br);
    }
    OVSREC_PORT_FOR_EACH (port, ctx->idl) {
        ovsrec_port_set_other_config(port, NULL);
    }
    OVSREC_INTERFACE_FOR_EACH (iface, ctx->idl) {
        ovsrec_interface_set_ingress_policing_rate(iface, 0);
        ovsrec_interface_set_ingress_policing_burst(iface, 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        delete_rows(ctx->idl, tables[i]);
    }
    vsctl_model_drop(ctx);
}

/* Auto Attach: I-SIDs and their VLANs. */

static void
pre_aa(struct ctl_context *ctx)
{
    vsctl_model_prerequisites(ctx);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_bridge_col_auto_attach);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_autoattach_col_mappings);
}

static bool
parse_mapping(struct ctl_context *ctx, int64_t *isid, int64_t *vlan)
{
    long long int values[2];

    for (int i = 0; i < 2; i++) {
        if (!str_to_llong(ctx->argv[i + 2], 10, &values[i])) {
            ctl_error(ctx, "Invalid argument %s", ctx->argv[i + 2]);
            return false;
        }
    }
    *isid = values[0];
    *vlan = values[1];
    return true;
}

/* Gives 'aa' its mappings without those of 'isid' and, if 'vlan' is not
 * negative, with that one. */
static void
set_mapping(const struct ovsrec_autoattach *aa, int64_t isid, int64_t vlan)
{
    int64_t *isids = xmalloc((aa->n_mappings + 1) * sizeof *isids);
    int64_t *vlans = xmalloc((aa->n_mappings + 1) * sizeof *vlans);
    size_t n = 0;

    for (size_t i = 0; i < aa->n_mappings; i++) {
        if (aa->key_mappings[i] != isid) {
            isids[n] = aa->key_mappings[i];
            vlans[n++] = aa->value_mappings[i];
        }
    }
    if (vlan >= 0) {
        isids[n] = isid;
        vlans[n++] = vlan;
    }
    ovsrec_autoattach_set_mappings(aa, isids, vlans, n);
    free(isids);
    free(vlans);
}

static void
cmd_add_aa_mapping(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br;
    int64_t isid, vlan;

    if (!parse_mapping(ctx, &isid, &vlan)) {
        return;
    }
    br = vsctl_find_bridge(ctx, ctx->argv[1], true);
    if (br) {
        if (!br->row->auto_attach) {
            ovsrec_bridge_set_auto_attach(br->row,
                                          ovsrec_autoattach_insert(ctx->txn));
        }
        set_mapping(br->row->auto_attach, isid, vlan);
    }
}

static void
cmd_del_aa_mapping(struct ctl_context *ctx)
{
    const struct ovsrec_autoattach *aa;
    const struct vsctl_bridge *br;
    int64_t isid, vlan;

    if (!parse_mapping(ctx, &isid, &vlan)) {
        return;
    }
    br = vsctl_find_bridge(ctx, ctx->argv[1], true);
    aa = br ? br->row->auto_attach : NULL;
    for (size_t i = 0; aa && i < aa->n_mappings; i++) {
        if (aa->key_mappings[i] == isid && aa->value_mappings[i] == vlan) {
            set_mapping(aa, isid, -1);
            return;
        }
    }
}

static void
cmd_get_aa_mapping(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);
    const struct ovsrec_autoattach *aa;

    if (!br) {
        return;
    }
    ovsrec_bridge_verify_auto_attach(br->row);
    aa = br->row->auto_attach;
    if (aa) {
        ovsrec_autoattach_verify_mappings(aa);
    }
    for (size_t i = 0; aa && i < aa->n_mappings; i++) {
        ds_put_format(&ctx->output, "%"PRId64" %"PRId64"\n",
                      aa->key_mappings[i], aa->value_mappings[i]);
    }
}

/* Zones of connection tracking and their timeouts. */

static void
pre_zone(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &ovsrec_open_vswitch_col_datapaths);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_datapath_col_ct_zones);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_ct_zone_col_timeout_policy);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_ct_timeout_policy_col_timeouts);
}

static void
pre_capabilities(struct ctl_context *ctx)
{
    ovsdb_idl_add_column(ctx->idl, &ovsrec_open_vswitch_col_datapaths);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_datapath_col_capabilities);
}

static const struct ovsrec_datapath *
find_datapath(struct ctl_context *ctx, const char *format)
{
    const struct ovsrec_open_vswitch *root = vsctl_context_cast(ctx)->root;

    for (size_t i = 0; i < root->n_datapaths; i++) {
        if (!strcmp(root->key_datapaths[i], ctx->argv[1])) {
            return root->value_datapaths[i];
        }
    }

    char *error = xasprintf(format, ctx->argv[1]);
    ctl_error(ctx, "%s", error);
    free(error);
    return NULL;
}

/* Parses "zone=ID", the second argument. */
static bool
parse_zone(struct ctl_context *ctx, int64_t *id)
{
    const char *text = ctx->argv[2];
    int value;

    if (strncmp(text, "zone=", 5) || !str_to_int(text + 5, 10, &value)
        || value < 0 || value > UINT16_MAX) {
        ctl_error(ctx, "%s: expected zone=ID with an ID from 0 to 65535",
                  text);
        return false;
    }
    *id = value;
    return true;
}

static const struct ovsrec_ct_zone *
find_zone(const struct ovsrec_datapath *dp, int64_t id)
{
    for (size_t i = 0; i < dp->n_ct_zones; i++) {
        if (dp->key_ct_zones[i] == id) {
            return dp->value_ct_zones[i];
        }
    }
    return NULL;
}

/* A policy as "NAME=SECONDS" arguments have it, in a map by name. */
static bool
parse_policy(struct ctl_context *ctx, struct smap *policy)
{
    for (int i = 3; i < ctx->argc; i++) {
        char *word = xstrdup(ctx->argv[i]);
        char *value = strchr(word, '=');
        unsigned int seconds;

        if (value) {
            *value++ = '\0';
        }
        if (!value || !str_to_uint(value, 10, &seconds)) {
            ctl_error(ctx, "%s: expected NAME=SECONDS", ctx->argv[i]);
            free(word);
            return false;
        }
        smap_replace(policy, word, value);
        free(word);
    }
    return true;
}

static bool
is_policy(const struct ovsrec_ct_timeout_policy *row,
          const struct smap *policy)
{
    for (size_t i = 0; i < row->n_timeouts; i++) {
        if (smap_get_int(policy, row->key_timeouts[i], -1)
            != row->value_timeouts[i]) {
            return false;
        }
    }
    return row->n_timeouts == smap_count(policy);
}

/* Returns a row with 'policy', one that exists if possible. */
static const struct ovsrec_ct_timeout_policy *
get_policy(struct ctl_context *ctx, const struct smap *policy)
{
    const struct ovsrec_ct_timeout_policy *old;
    struct ovsrec_ct_timeout_policy *new;
    size_t n = smap_count(policy);
    const struct smap_node *node;
    const char **names;
    int64_t *values;

    OVSREC_CT_TIMEOUT_POLICY_FOR_EACH (old, ctx->idl) {
        if (is_policy(old, policy)) {
            return old;
        }
    }
    names = xmalloc(n * sizeof *names);
    values = xmalloc(n * sizeof *values);
    n = 0;
    SMAP_FOR_EACH (node, policy) {
        names[n] = node->key;
        values[n++] = atoll(node->value);
    }
    new = ovsrec_ct_timeout_policy_insert(ctx->txn);
    ovsrec_ct_timeout_policy_set_timeouts(new, names, values, n);
    free(names);
    free(values);
    return new;
}

static void
cmd_add_zone_tp(struct ctl_context *ctx)
{
    struct smap policy = SMAP_INITIALIZER(&policy);
    const struct ovsrec_datapath *dp;
    const struct ovsrec_ct_zone *zone;
    int64_t id;

    dp = find_datapath(ctx, "datapath %s does not exist");
    if (!dp || !parse_zone(ctx, &id) || !parse_policy(ctx, &policy)) {
        smap_destroy(&policy);
        return;
    }
    zone = find_zone(dp, id);
    if (zone && !vsctl_has_option(ctx, "--may-exist")) {
        ctl_error(ctx, "zone id %"PRId64" already exists", id);
    } else {
        if (!zone) {
            zone = ovsrec_ct_zone_insert(ctx->txn);
            ovsrec_datapath_update_ct_zones_setkey(
                dp, id, CONST_CAST(struct ovsrec_ct_zone *, zone));
        }
        ovsrec_ct_zone_set_timeout_policy(zone, get_policy(ctx, &policy));
    }
    smap_destroy(&policy);
}

static void
cmd_del_zone_tp(struct ctl_context *ctx)
{
    const struct ovsrec_datapath *dp;
    int64_t id;

    dp = find_datapath(ctx, "datapath %s does not exist");
    if (!dp || !parse_zone(ctx, &id)) {
        return;
    }
    if (find_zone(dp, id)) {
        ovsrec_datapath_update_ct_zones_delkey(dp, id);
    } else if (!vsctl_has_option(ctx, "--if-exists")) {
        ctl_error(ctx, "zone id %"PRId64" does not exist", id);
    }
}

static void
cmd_list_zone_tp(struct ctl_context *ctx)
{
    const struct ovsrec_datapath *dp;

    dp = find_datapath(ctx, "datapath: %s record not found");
    for (size_t i = 0; dp && i < dp->n_ct_zones; i++) {
        const struct ovsrec_ct_timeout_policy *row
            = dp->value_ct_zones[i]->timeout_policy;

        ds_put_format(&ctx->output, "Zone:%"PRId64", Timeout Policies:",
                      dp->key_ct_zones[i]);
        for (size_t j = 0; row && j < row->n_timeouts; j++) {
            ds_put_format(&ctx->output, " %s=%"PRId64,
                          row->key_timeouts[j], row->value_timeouts[j]);
        }
        ds_put_cstr(&ctx->output, row ? "\n" : " system default\n");
    }
}

static void
cmd_list_dp_cap(struct ctl_context *ctx)
{
    const struct ovsrec_datapath *dp;
    const struct smap_node *node;
    const char *separator = "";

    dp = find_datapath(ctx, "datapath \"%s\" record not found");
    if (dp) {
        SMAP_FOR_EACH (node, &dp->capabilities) {
            ds_put_format(&ctx->output, "%s%s=%s", separator, node->key,
                          node->value);
            separator = " ";
        }
        ds_put_char(&ctx->output, '\n');
    }
}

const struct ctl_command_syntax vsctl_extra_commands[] = {
    { "emer-reset", 0, 0, "", pre_emer_reset, cmd_emer_reset, NULL, "", RW },
    { "add-aa-mapping", 3, 3, "BRIDGE ARG ARG",
      pre_aa, cmd_add_aa_mapping, NULL, "", RW },
    { "del-aa-mapping", 3, 3, "BRIDGE ARG ARG",
      pre_aa, cmd_del_aa_mapping, NULL, "", RW },
    { "get-aa-mapping", 1, 1, "BRIDGE",
      pre_aa, cmd_get_aa_mapping, NULL, "", RO },
    { "add-zone-tp", 3, INT_MAX, "",
      pre_zone, cmd_add_zone_tp, NULL, "--may-exist", RW },
    { "del-zone-tp", 2, 2, "",
      pre_zone, cmd_del_zone_tp, NULL, "--if-exists", RW },
    { "list-zone-tp", 1, 1, "", pre_zone, cmd_list_zone_tp, NULL, "", RO },
    { "list-dp-cap", 1, 1, "",
      pre_capabilities, cmd_list_dp_cap, NULL, "", RO },
    { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
};
