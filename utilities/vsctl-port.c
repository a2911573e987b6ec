/* SPDX-License-Identifier: Apache-2.0 */

/* Ports, bonds and interfaces: add-port, add-bond, del-port, list-ifaces... */

#include <config.h>

#include "utilities/vsctl-commands.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "svec.h"
#include "utilities/vsctl-model.h"

/* A port to be: its interfaces and the settings of its columns are slices of
 * the command's arguments. */
struct new_port {
    const char *bridge;
    const char *name;
    char **ifaces;
    size_t n_ifaces;
    char **settings;
    size_t n_settings;
};

/* The command as it was typed, for messages. */
static char *
command_to_string(const struct ctl_context *ctx)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    const struct shash_node *node;
    char *string;

    SHASH_FOR_EACH (node, &ctx->options) {
        svec_add(&words, node->name);
    }
    for (int i = 0; i < ctx->argc; i++) {
        svec_add(&words, ctx->argv[i]);
    }
    svec_terminate(&words);
    string = process_escape_args(words.names);
    svec_destroy(&words);
    return string;
}

/* Is 'port', which exists, what "--may-exist add-port" asks for? */
static void
check_same_port(struct ctl_context *ctx, const struct vsctl_port *port,
                const struct new_port *new)
{
    struct svec want = SVEC_EMPTY_INITIALIZER;
    struct svec have = SVEC_EMPTY_INITIALIZER;
    char *command = command_to_string(ctx);

    for (size_t i = 0; i < new->n_ifaces; i++) {
        svec_add(&want, new->ifaces[i]);
    }
    for (size_t i = 0; i < port->row->n_interfaces; i++) {
        svec_add(&have, port->row->interfaces[i]->name);
    }
    svec_sort(&want);
    svec_sort(&have);
    if (strcmp(port->bridge->name, new->bridge)) {
        ctl_error(ctx, "\"%s\" but %s is actually attached to bridge %s",
                  command, new->name, port->bridge->name);
    } else if (!svec_equal(&want, &have)) {
        char *names = svec_join(&have, ", ", "");

        ctl_error(ctx, "\"%s\" but %s actually has interface(s) %s",
                  command, new->name, names);
        free(names);
    }
    svec_destroy(&want);
    svec_destroy(&have);
    free(command);
}

/* Returns false, with an error, if a name is not one or is taken. */
static bool
check_names(struct ctl_context *ctx, const struct new_port *new)
{
    if (!vsctl_check_free(ctx, "a port", new->name)) {
        return false;
    }
    for (size_t i = 0; i < new->n_ifaces; i++) {
        if (!vsctl_check_free(ctx, "an interface", new->ifaces[i])) {
            return false;
        }
    }
    return true;
}

static void
insert_port(struct ctl_context *ctx, struct vsctl_bridge *br,
            const struct new_port *new)
{
    struct ovsrec_interface **ifaces = xmalloc(new->n_ifaces
                                               * sizeof *ifaces);
    struct ovsrec_port *port = ovsrec_port_insert(ctx->txn);
    int64_t tag = br->vlan;

    for (size_t i = 0; i < new->n_ifaces; i++) {
        ifaces[i] = vsctl_insert_iface(ctx, new->ifaces[i]);
    }
    ovsrec_port_set_name(port, new->name);
    ovsrec_port_set_interfaces(port, ifaces, new->n_ifaces);
    ovsrec_port_set_bond_fake_iface(port,
                                    vsctl_has_option(ctx, "--fake-iface"));
    free(ifaces);
    if (br->parent) {
        ovsrec_port_set_tag(port, &tag, 1);
    }
    for (size_t i = 0; i < new->n_settings; i++) {
        char *error = ctl_set_column("Port", &port->header_,
                                     new->settings[i], ctx->symtab);

        if (error) {
            ctl_error(ctx, "%s", error);
            free(error);
            return;
        }
    }
    vsctl_add_port(ctx, br, port);
}

static void
add_port(struct ctl_context *ctx, const struct new_port *new)
{
    struct vsctl_bridge *br;

    if (!new->name[0]) {
        ctl_error(ctx, "port name must not be empty string");
        return;
    }
    for (size_t i = 0; i < new->n_ifaces; i++) {
        if (!new->ifaces[i][0]) {
            ctl_error(ctx, "interface name must not be empty string");
            return;
        }
    }
    if (vsctl_has_option(ctx, "--may-exist")) {
        struct vsctl_port *port = vsctl_find_port(ctx, new->name, false);

        if (port) {
            check_same_port(ctx, port, new);
            return;
        }
    }
    if (check_names(ctx, new)) {
        br = vsctl_find_bridge(ctx, new->bridge, true);
        if (br) {
            insert_port(ctx, br, new);
        }
    }
}

static void
cmd_add_port(struct ctl_context *ctx)
{
    struct new_port new = {
        .bridge = ctx->argv[1],
        .name = ctx->argv[2],
        .ifaces = &ctx->argv[2],
        .n_ifaces = 1,
        .settings = &ctx->argv[3],
        .n_settings = ctx->argc - 3,
    };

    add_port(ctx, &new);
}

static void
cmd_add_bond(struct ctl_context *ctx)
{
    int first = 3;
    int end = first;

    while (end < ctx->argc && !strchr(ctx->argv[end], '=')) {
        end++;
    }

    struct new_port new = {
        .bridge = ctx->argv[1],
        .name = ctx->argv[2],
        .ifaces = &ctx->argv[first],
        .n_ifaces = end - first,
        .settings = &ctx->argv[end],
        .n_settings = ctx->argc - end,
    };
    if (new.n_ifaces < 2) {
        ctl_error(ctx, "add-bond requires at least 2 interfaces, but only %d "
                  "were specified", (int) new.n_ifaces);
        return;
    }
    add_port(ctx, &new);
}

static void
cmd_add_bond_iface(struct ctl_context *ctx)
{
    struct vsctl_port *port = vsctl_find_port(ctx, ctx->argv[1], true);
    const char *name = ctx->argv[2];
    struct ovsrec_interface **ifaces;
    size_t n;

    if (!port) {
        return;
    }
    if (vsctl_has_option(ctx, "--may-exist")) {
        struct vsctl_iface *iface = vsctl_find_iface(ctx, name, false);

        if (iface && iface->port != port) {
            char *command = command_to_string(ctx);

            ctl_error(ctx, "\"%s\" but %s is actually attached to port %s",
                      command, name, iface->port->row->name);
            free(command);
        }
        if (iface) {
            return;
        }
    }
    if (!vsctl_check_free(ctx, "an interface", name)) {
        return;
    }
    n = port->row->n_interfaces;
    ifaces = xmalloc((n + 1) * sizeof *ifaces);
    memcpy(ifaces, port->row->interfaces, n * sizeof *ifaces);
    ifaces[n] = vsctl_insert_iface(ctx, name);
    ovsrec_port_set_interfaces(port->row, ifaces, n + 1);
    free(ifaces);
    vsctl_model_drop(ctx);
}

static void
remove_iface(struct ctl_context *ctx, const struct vsctl_iface *iface)
{
    const struct ovsrec_port *row = iface->port->row;
    struct ovsrec_interface **ifaces = xmalloc(row->n_interfaces
                                               * sizeof *ifaces);
    size_t n = 0;

    for (size_t i = 0; i < row->n_interfaces; i++) {
        if (row->interfaces[i] != iface->row) {
            ifaces[n++] = row->interfaces[i];
        }
    }
    ovsrec_port_set_interfaces(row, ifaces, n);
    free(ifaces);
    ovsrec_interface_delete(iface->row);
    vsctl_model_drop(ctx);
}

static void
cmd_del_bond_iface(struct ctl_context *ctx)
{
    bool must_exist = !vsctl_has_option(ctx, "--if-exists");
    const char *name = ctx->argv[ctx->argc - 1];
    struct vsctl_iface *iface = vsctl_find_iface(ctx, name, must_exist);

    if (!iface) {
        return;
    }
    if (ctx->argc > 2) {
        struct vsctl_port *port = vsctl_find_port(ctx, ctx->argv[1], true);

        if (!port) {
            return;
        } else if (iface->port != port) {
            ctl_error(ctx, "port %s does not have an interface %s",
                      ctx->argv[1], name);
            return;
        }
    }
    if (iface->port->row->n_interfaces < 2) {
        ctl_error(ctx, "cannot delete last interface from port %s",
                  iface->port->row->name);
        return;
    }
    remove_iface(ctx, iface);
}

/* Finds what "del-port" names; NULL, perhaps with an error, if nothing. */
static struct vsctl_port *
find_target(struct ctl_context *ctx, const char *target, bool must_exist)
{
    bool with_iface = vsctl_has_option(ctx, "--with-iface");
    struct vsctl_iface *iface;
    struct vsctl_port *port;

    if (vsctl_find_bridge(ctx, target, false)) {
        if (must_exist) {
            ctl_error(ctx, "cannot delete port %s because it is the local "
                      "port for bridge %s (deleting this port requires "
                      "deleting the entire bridge)", target, target);
        }
        return NULL;
    }
    port = vsctl_find_port(ctx, target, must_exist && !with_iface);
    if (!port && with_iface) {
        iface = vsctl_find_iface(ctx, target, false);
        if (!iface && must_exist) {
            ctl_error(ctx, "no port or interface named %s", target);
        }
        return iface ? iface->port : NULL;
    }
    return port;
}

static void
cmd_del_port(struct ctl_context *ctx)
{
    bool must_exist = !vsctl_has_option(ctx, "--if-exists");
    const char *target = ctx->argv[ctx->argc - 1];
    struct vsctl_port *port = find_target(ctx, target, must_exist);
    struct vsctl_bridge *br;

    if (!port) {
        return;
    }
    if (ctx->argc == 3) {
        br = vsctl_find_bridge(ctx, ctx->argv[1], true);
        if (br && port->bridge != br) {
            if (port->bridge->parent == br) {
                ctl_error(ctx, "bridge %s does not have a port %s (although "
                          "its child bridge %s does)",
                          br->name, target, port->bridge->name);
            } else {
                ctl_error(ctx, "bridge %s does not have a port %s",
                          br->name, target);
            }
        }
        if (ctx->error) {
            return;
        }
    }
    vsctl_delete_port(ctx, port);
}

static void
cmd_port_to_br(struct ctl_context *ctx)
{
    const struct vsctl_port *port = vsctl_find_port(ctx, ctx->argv[1], true);

    if (port) {
        ds_put_format(&ctx->output, "%s\n", port->bridge->name);
    }
}

static void
cmd_iface_to_br(struct ctl_context *ctx)
{
    const struct vsctl_iface *iface = vsctl_find_iface(ctx, ctx->argv[1],
                                                       true);

    if (iface) {
        ds_put_format(&ctx->output, "%s\n", iface->port->bridge->name);
    }
}

static void
cmd_list_ports(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);
    struct svec names = SVEC_EMPTY_INITIALIZER;
    struct shash_node *node;

    if (!br) {
        return;
    }
    SHASH_FOR_EACH (node, &vsctl_model_get(ctx)->ports) {
        const struct vsctl_port *port = node->data;

        if (port->bridge == br && strcmp(port->row->name, br->name)) {
            svec_add(&names, port->row->name);
        }
    }
    vsctl_output_names(ctx, &names);
}

static void
cmd_list_ifaces(struct ctl_context *ctx)
{
    const struct vsctl_bridge *br = vsctl_find_bridge(ctx, ctx->argv[1],
                                                      true);
    struct svec names = SVEC_EMPTY_INITIALIZER;
    struct shash_node *node;

    if (!br) {
        return;
    }
    SHASH_FOR_EACH (node, &vsctl_model_get(ctx)->ifaces) {
        const struct vsctl_iface *iface = node->data;

        if (iface->port->bridge == br && strcmp(iface->row->name, br->name)) {
            svec_add(&names, iface->row->name);
        }
    }
    vsctl_output_names(ctx, &names);
}

#define PRE vsctl_model_prerequisites
const struct ctl_command_syntax vsctl_port_commands[] = {
    { "list-ports", 1, 1, "BRIDGE", PRE, cmd_list_ports, NULL, "", RO },
    { "add-port", 2, INT_MAX, "BRIDGE NEW-PORT [COLUMN[:KEY]=VALUE]...",
      PRE, cmd_add_port, NULL, "--may-exist", RW },
    { "del-port", 1, 2, "[BRIDGE] PORT|IFACE",
      PRE, cmd_del_port, NULL, "--if-exists,--with-iface", RW },
    { "port-to-br", 1, 1, "PORT", PRE, cmd_port_to_br, NULL, "", RO },
    { "add-bond", 4, INT_MAX, "BRIDGE BOND IFACE... [COLUMN[:KEY]=VALUE]...",
      PRE, cmd_add_bond, NULL, "--may-exist,--fake-iface", RW },
    { "add-bond-iface", 2, 2, "BOND IFACE",
      PRE, cmd_add_bond_iface, NULL, "--may-exist", RW },
    { "del-bond-iface", 1, 2, "[BOND] IFACE",
      PRE, cmd_del_bond_iface, NULL, "--if-exists", RW },
    { "list-ifaces", 1, 1, "BRIDGE", PRE, cmd_list_ifaces, NULL, "", RO },
    { "iface-to-br", 1, 1, "IFACE", PRE, cmd_iface_to_br, NULL, "", RO },
    { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
};
#undef PRE
