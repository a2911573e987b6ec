/* SPDX-License-Identifier: Apache-2.0 */

/* Bridges: add-br, del-br, list-br, br-... */

#include <config.h>

#include "utilities/vsctl-commands.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-idl.h"
#include "smap.h"
#include "svec.h"
#include "utilities/vsctl-model.h"

/* Stores the VLAN of "add-br BRIDGE PARENT VLAN", or -1 without one. */
static bool
parse_vlan(struct ctl_context *ctx, int *vlan)
{
    *vlan = -1;
    if (ctx->argc == 3) {
        ctl_error(ctx, "'%s' command takes exactly 1 or 3 arguments",
                  ctx->argv[0]);
    } else if (ctx->argc == 4
               && (!str_to_int(ctx->argv[3], 10, vlan)
                   || *vlan < 0 || *vlan > 4095)) {
        ctl_error(ctx, "%s: vlan must be between 0 and 4095", ctx->argv[0]);
    }
    return !ctx->error;
}

/* Is 'br', which exists, what "--may-exist add-br" asks for? */
static void
check_same_bridge(struct ctl_context *ctx, const struct vsctl_bridge *br,
                  const char *parent, int vlan)
{
    if (!parent) {
        if (br->parent) {
            ctl_error(ctx, "\"--may-exist add-br %s\" but %s is a VLAN "
                      "bridge for VLAN %d", br->name, br->name, br->vlan);
        }
    } else if (!br->parent) {
        ctl_error(ctx, "\"--may-exist add-br %s %s %d\" but %s is not a VLAN "
                  "bridge", br->name, parent, vlan, br->name);
    } else if (strcmp(br->parent->name, parent)) {
        ctl_error(ctx, "\"--may-exist add-br %s %s %d\" but %s has the wrong "
                  "parent %s",
                  br->name, parent, vlan, br->name, br->parent->name);
    } else if (br->vlan != vlan) {
        ctl_error(ctx, "\"--may-exist add-br %s %s %d\" but %s is a VLAN "
                  "bridge for the wrong VLAN %d",
                  br->name, parent, vlan, br->name, br->vlan);
    }
}

/* Inserts a port called 'name' with an internal interface. */
static struct ovsrec_port *
insert_local_port(struct ctl_context *ctx, const char *name)
{
    struct ovsrec_interface *iface = vsctl_insert_iface(ctx, name);
    struct ovsrec_port *port = ovsrec_port_insert(ctx->txn);

    ovsrec_interface_set_type(iface, "internal");
    ovsrec_port_set_name(port, name);
    ovsrec_port_set_interfaces(port, &iface, 1);
    return port;
}

static void
add_real_bridge(struct ctl_context *ctx, const char *name)
{
    struct ovsrec_port *port = insert_local_port(ctx, name);
    struct ovsrec_bridge *br = ovsrec_bridge_insert(ctx->txn);

    ovsrec_bridge_set_name(br, name);
    ovsrec_bridge_set_ports(br, &port, 1);
    vsctl_insert_bridge(ctx, br);
}

static void
add_fake_bridge(struct ctl_context *ctx, const char *name,
                const char *parent_name, int vlan)
{
    struct vsctl_bridge *parent, *other;
    struct ovsrec_port *port;
    int64_t tag = vlan;

    parent = vsctl_find_bridge(ctx, parent_name, false);
    if (!parent) {
        ctl_error(ctx, "parent bridge %s does not exist", parent_name);
        return;
    } else if (parent->parent) {
        ctl_error(ctx, "cannot create bridge with fake bridge as parent");
        return;
    }
    other = vsctl_find_vlan_bridge(ctx, parent, vlan);
    if (other) {
        ctl_error(ctx, "bridge %s already has a child VLAN bridge %s on VLAN "
                  "%d", parent_name, other->name, vlan);
        return;
    }
    port = insert_local_port(ctx, name);
    ovsrec_port_set_fake_bridge(port, true);
    ovsrec_port_set_tag(port, &tag, 1);
    vsctl_add_port(ctx, parent, port);
}

static void
cmd_add_br(struct ctl_context *ctx)
{
    const char *name = ctx->argv[1];
    const char *parent = ctx->argc == 4 ? ctx->argv[2] : NULL;
    int vlan;

    if (!name[0]) {
        ctl_error(ctx, "bridge name must not be empty string");
        return;
    }
    if (!parse_vlan(ctx, &vlan)) {
        return;
    }
    if (vsctl_has_option(ctx, "--may-exist")) {
        struct vsctl_bridge *br = vsctl_find_bridge(ctx, name, false);

        if (br) {
            check_same_bridge(ctx, br, parent, vlan);
            return;
        }
    }
    if (!vsctl_check_free(ctx, "a bridge", name)) {
        return;
    }
    if (parent) {
        add_fake_bridge(ctx, name, parent, vlan);
    } else {
        add_real_bridge(ctx, name);
    }
}

static void
cmd_del_br(struct ctl_context *ctx)
{
    bool must_exist = !vsctl_has_option(ctx, "--if-exists");
    struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                must_exist);

    if (br) {
        vsctl_delete_bridge(ctx, br);
    }
}

void
vsctl_output_names(struct ctl_context *ctx, struct svec *names)
{
    const char *name;
    size_t i;

    svec_sort(names);
    SVEC_FOR_EACH (i, name, names) {
        ds_put_format(&ctx->output, "%s\n", name);
    }
    svec_destroy(names);
}

static void
cmd_list_br(struct ctl_context *ctx)
{
    bool real = vsctl_has_option(ctx, "--real");
    bool fake = vsctl_has_option(ctx, "--fake");
    struct svec names = SVEC_EMPTY_INITIALIZER;
    struct shash_node *node;

    SHASH_FOR_EACH (node, &vsctl_model_get(ctx)->bridges) {
        const struct vsctl_bridge *br = node->data;

        if (real == fake || (br->parent ? fake : real)) {
            svec_add(&names, br->name);
        }
    }
    vsctl_output_names(ctx, &names);
}

static void
cmd_br_exists(struct ctl_context *ctx)
{
    if (!vsctl_find_bridge(ctx, ctx->argv[1], false)) {
        vsctl_context_cast(ctx)->exit_status = 2;
    }
}

static void
cmd_br_to_vlan(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);

    if (br) {
        ds_put_format(&ctx->output, "%d\n", br->vlan);
    }
}

static void
cmd_br_to_parent(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);

    if (br) {
        ds_put_format(&ctx->output, "%s\n",
                      br->parent ? br->parent->name : br->name);
    }
}

/* External IDs.  Those of a fake bridge are kept in its port, under keys with
 * a prefix. */

#define FAKE_PREFIX "fake-bridge-"

static void
pre_external_id(struct ctl_context *ctx)
{
    vsctl_model_prerequisites(ctx);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_bridge_col_external_ids);
    ovsdb_idl_add_column(ctx->idl, &ovsrec_port_col_external_ids);
}

/* Guards against changes by others, and returns the map of 'br'. */
static const struct smap *
get_external_ids(const struct vsctl_bridge *br)
{
    if (br->parent) {
        ovsrec_port_verify_external_ids(br->port);
        return &br->port->external_ids;
    }
    ovsrec_bridge_verify_external_ids(br->row);
    return &br->row->external_ids;
}

static void
cmd_br_set_external_id(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);
    struct smap ids;
    char *key;

    if (!br) {
        return;
    }
    key = xasprintf("%s%s", br->parent ? FAKE_PREFIX : "", ctx->argv[2]);
    smap_clone(&ids, get_external_ids(br));
    if (ctx->argc > 3) {
        smap_replace(&ids, key, ctx->argv[3]);
    } else {
        smap_remove(&ids, key);
    }
    if (br->parent) {
        ovsrec_port_set_external_ids(br->port, &ids);
    } else {
        ovsrec_bridge_set_external_ids(br->row, &ids);
    }
    smap_destroy(&ids);
    free(key);
}

static void
cmd_br_get_external_id(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);
    const char *prefix = br && br->parent ? FAKE_PREFIX : "";
    size_t prefix_len = strlen(prefix);
    const struct smap_node **nodes;
    const struct smap *ids;

    if (!br) {
        return;
    }
    ids = get_external_ids(br);
    nodes = smap_sort(ids);
    for (size_t i = 0; i < smap_count(ids); i++) {
        const char *key = nodes[i]->key + prefix_len;

        if (strncmp(nodes[i]->key, prefix, prefix_len)) {
            continue;
        } else if (ctx->argc < 3) {
            ds_put_format(&ctx->output, "%s=%s\n", key, nodes[i]->value);
        } else if (!strcmp(key, ctx->argv[2])) {
            ds_put_format(&ctx->output, "%s\n", nodes[i]->value);
        }
    }
    free(nodes);
}

const struct ctl_command_syntax vsctl_bridge_commands[] = {
    { "add-br", 1, 3, "NEW-BRIDGE [PARENT] [NEW-VLAN]",
      vsctl_model_prerequisites, cmd_add_br, NULL, "--may-exist", RW },
    { "del-br", 1, 1, "BRIDGE",
      vsctl_model_prerequisites, cmd_del_br, NULL, "--if-exists", RW },
    { "list-br", 0, 0, "",
      vsctl_model_prerequisites, cmd_list_br, NULL, "--real,--fake", RO },
    { "br-exists", 1, 1, "BRIDGE",
      vsctl_model_prerequisites, cmd_br_exists, NULL, "", RO },
    { "br-to-vlan", 1, 1, "BRIDGE",
      vsctl_model_prerequisites, cmd_br_to_vlan, NULL, "", RO },
    { "br-to-parent", 1, 1, "BRIDGE",
      vsctl_model_prerequisites, cmd_br_to_parent, NULL, "", RO },
    { "br-set-external-id", 2, 3, "BRIDGE KEY [VALUE]",
      pre_external_id, cmd_br_set_external_id, NULL, "", RW },
    { "br-get-external-id", 1, 2, "BRIDGE [KEY]",
      pre_external_id, cmd_br_get_external_id, NULL, "", RO },
    { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
};
