/* SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "utilities/vsctl-model.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(vsctl_model);

static void build(struct vsctl_context *);
static void note_bridge(struct vsctl_context *, struct vsctl_bridge *,
                        const char *name);
static void note_port(struct vsctl_context *, struct vsctl_bridge *,
                      const struct ovsrec_port *);
static bool is_vlan_bridge(const struct ovsrec_port *);

void
vsctl_model_prerequisites(struct ctl_context *ctx)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_open_vswitch_col_bridges,
        &ovsrec_bridge_col_name,
        &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_controller,
        &ovsrec_bridge_col_fail_mode,
        &ovsrec_port_col_name,
        &ovsrec_port_col_interfaces,
        &ovsrec_port_col_tag,
        &ovsrec_port_col_fake_bridge,
        &ovsrec_interface_col_name,
        &ovsrec_interface_col_ofport,
        &ovsrec_interface_col_error,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(ctx->idl, columns[i]);
    }
}

struct vsctl_context *
vsctl_model_get(struct ctl_context *ctx)
{
    struct vsctl_context *vctx = vsctl_context_cast(ctx);

    if (!vctx->built) {
        build(vctx);
    }
    return vctx;
}

void
vsctl_model_drop(struct ctl_context *ctx)
{
    struct vsctl_context *vctx = vsctl_context_cast(ctx);
    struct shash_node *node;

    if (!vctx->built) {
        return;
    }
    vctx->built = false;
    SHASH_FOR_EACH (node, &vctx->bridges) {
        struct vsctl_bridge *br = node->data;

        free(br->name);
    }
    shash_destroy_free_data(&vctx->bridges);
    shash_destroy_free_data(&vctx->ports);
    shash_destroy_free_data(&vctx->ifaces);
}

/* Finding. */

struct vsctl_bridge *
vsctl_find_bridge(struct ctl_context *ctx, const char *name, bool must_exist)
{
    struct vsctl_context *vctx = vsctl_model_get(ctx);
    struct vsctl_bridge *br = shash_find_data(&vctx->bridges, name);

    if (!br && must_exist) {
        ctl_error(ctx, "no bridge named %s", name);
    }
    return br;
}

struct vsctl_bridge *
vsctl_find_real_bridge(struct ctl_context *ctx, const char *name)
{
    struct vsctl_bridge *br = vsctl_find_bridge(ctx, name, true);

    if (br && br->parent) {
        ctl_error(ctx, "%s is a fake bridge", name);
        return NULL;
    }
    return br;
}

struct vsctl_bridge *
vsctl_find_vlan_bridge(struct ctl_context *ctx,
                       const struct vsctl_bridge *parent, int vlan)
{
    struct vsctl_context *vctx = vsctl_model_get(ctx);
    struct shash_node *node;

    SHASH_FOR_EACH (node, &vctx->bridges) {
        struct vsctl_bridge *br = node->data;

        if (br->parent == parent && br->vlan == vlan) {
            return br;
        }
    }
    return NULL;
}

/* A bridge's local port, which has the bridge's name, does not count: it
 * comes and goes with the bridge. */
struct vsctl_port *
vsctl_find_port(struct ctl_context *ctx, const char *name, bool must_exist)
{
    struct vsctl_context *vctx = vsctl_model_get(ctx);
    struct vsctl_port *port = shash_find_data(&vctx->ports, name);

    if (port && !strcmp(port->bridge->name, name)) {
        port = NULL;
    }
    if (!port && must_exist) {
        ctl_error(ctx, "no port named %s", name);
    }
    return port;
}

struct vsctl_iface *
vsctl_find_iface(struct ctl_context *ctx, const char *name, bool must_exist)
{
    struct vsctl_context *vctx = vsctl_model_get(ctx);
    struct vsctl_iface *iface = shash_find_data(&vctx->ifaces, name);

    if (iface && !strcmp(iface->port->bridge->name, name)) {
        iface = NULL;
    }
    if (!iface && must_exist) {
        ctl_error(ctx, "no interface named %s", name);
    }
    return iface;
}

bool
vsctl_check_free(struct ctl_context *ctx, const char *what, const char *name)
{
    struct vsctl_context *vctx = vsctl_model_get(ctx);
    const struct vsctl_port *port = shash_find_data(&vctx->ports, name);
    const struct vsctl_iface *iface = shash_find_data(&vctx->ifaces, name);

    if (shash_find(&vctx->bridges, name)) {
        ctl_error(ctx, "cannot create %s named %s because a bridge named %s "
                  "already exists", what, name, name);
    } else if (port) {
        ctl_error(ctx, "cannot create %s named %s because a port named %s "
                  "already exists on bridge %s",
                  what, name, name, port->bridge->name);
    } else if (iface) {
        ctl_error(ctx, "cannot create %s named %s because an interface named "
                  "%s already exists on bridge %s",
                  what, name, name, iface->port->bridge->name);
    } else {
        return true;
    }
    return false;
}

/* Changing. */

/* Inserts a row, and has the daemon's success with it checked in the end. */
struct ovsrec_interface *
vsctl_insert_iface(struct ctl_context *ctx, const char *name)
{
    struct vsctl_context *vctx = vsctl_context_cast(ctx);
    struct ovsrec_interface *iface = ovsrec_interface_insert(ctx->txn);

    ovsrec_interface_set_name(iface, name);
    if (vctx->n_new_ifaces >= vctx->allocated_new_ifaces) {
        vctx->new_ifaces = x2nrealloc(vctx->new_ifaces,
                                      &vctx->allocated_new_ifaces,
                                      sizeof *vctx->new_ifaces);
    }
    vctx->new_ifaces[vctx->n_new_ifaces++] = iface->header_.uuid;
    return iface;
}

void
vsctl_add_port(struct ctl_context *ctx, struct vsctl_bridge *br,
               const struct ovsrec_port *port)
{
    const struct ovsrec_bridge *row = br->row;
    size_t n = row->n_ports;
    struct ovsrec_port **ports = xmalloc((n + 1) * sizeof *ports);

    if (n) {
        memcpy(ports, row->ports, n * sizeof *ports);
    }
    ports[n] = CONST_CAST(struct ovsrec_port *, port);
    ovsrec_bridge_set_ports(row, ports, n + 1);
    free(ports);

    if (is_vlan_bridge(port)) {
        vsctl_model_drop(ctx);
    } else {
        note_port(vsctl_context_cast(ctx), br, port);
    }
}

static void
delete_port_row(const struct ovsrec_port *row)
{
    for (size_t i = 0; i < row->n_interfaces; i++) {
        ovsrec_interface_delete(row->interfaces[i]);
    }
    ovsrec_port_delete(row);
}

static void
unlink_port_row(const struct vsctl_port *port)
{
    const struct ovsrec_bridge *row = port->bridge->row;
    struct ovsrec_port **ports = xmalloc(row->n_ports * sizeof *ports);
    size_t n = 0;

    for (size_t i = 0; i < row->n_ports; i++) {
        if (row->ports[i] != port->row) {
            ports[n++] = row->ports[i];
        }
    }
    ovsrec_bridge_set_ports(row, ports, n);
    free(ports);
}

void
vsctl_delete_port(struct ctl_context *ctx, struct vsctl_port *port)
{
    unlink_port_row(port);
    delete_port_row(port->row);
    vsctl_model_drop(ctx);
}

void
vsctl_insert_bridge(struct ctl_context *ctx, const struct ovsrec_bridge *br)
{
    const struct ovsrec_open_vswitch *root = vsctl_context_cast(ctx)->root;
    size_t n = root->n_bridges;
    struct ovsrec_bridge **bridges = xmalloc((n + 1) * sizeof *bridges);

    if (n) {
        memcpy(bridges, root->bridges, n * sizeof *bridges);
    }
    bridges[n] = CONST_CAST(struct ovsrec_bridge *, br);
    ovsrec_open_vswitch_set_bridges(root, bridges, n + 1);
    free(bridges);
    vsctl_model_drop(ctx);
}

/* Takes 'br' out of the database's root and deletes what refers to it. */
static void
remove_bridge_row(struct ctl_context *ctx, const struct ovsrec_bridge *br)
{
    const struct ovsrec_open_vswitch *root = vsctl_context_cast(ctx)->root;
    struct ovsrec_bridge **bridges = xmalloc(root->n_bridges
                                             * sizeof *bridges);
    const struct ovsrec_flow_sample_collector_set *set;
    size_t n = 0;

    for (size_t i = 0; i < root->n_bridges; i++) {
        if (root->bridges[i] != br) {
            bridges[n++] = root->bridges[i];
        }
    }
    ovsrec_open_vswitch_set_bridges(root, bridges, n);
    free(bridges);

    OVSREC_FLOW_SAMPLE_COLLECTOR_SET_FOR_EACH_SAFE (set, ctx->idl) {
        if (set->bridge == br) {
            ovsrec_flow_sample_collector_set_delete(set);
        }
    }
    ovsrec_bridge_delete(br);
}

void
vsctl_delete_bridge(struct ctl_context *ctx, struct vsctl_bridge *br)
{
    struct vsctl_context *vctx = vsctl_model_get(ctx);
    struct shash_node *node;

    /* The ports of a fake bridge are those on its VLAN, itself included;
     * those of a real bridge, all that are on the same row. */
    SHASH_FOR_EACH (node, &vctx->ports) {
        struct vsctl_port *port = node->data;

        if (br->parent && port->bridge == br) {
            unlink_port_row(port);
            delete_port_row(port->row);
        } else if (!br->parent && port->bridge->row == br->row) {
            delete_port_row(port->row);
        }
    }
    if (!br->parent) {
        remove_bridge_row(ctx, br->row);
    }
    vsctl_model_drop(ctx);
}

/* Building. */

static bool
is_vlan_bridge(const struct ovsrec_port *port)
{
    return (port->fake_bridge && port->n_tag
            && port->tag[0] >= 0 && port->tag[0] <= 4095);
}

/* Makes the transaction fail, to be tried again, if another client changes
 * what the model is built of. */
static void
verify(struct vsctl_context *vctx)
{
    const struct ovsrec_bridge *br;
    const struct ovsrec_port *port;

    ovsrec_open_vswitch_verify_bridges(vctx->root);
    OVSREC_BRIDGE_FOR_EACH (br, vctx->base.idl) {
        ovsrec_bridge_verify_ports(br);
    }
    OVSREC_PORT_FOR_EACH (port, vctx->base.idl) {
        ovsrec_port_verify_interfaces(port);
    }
}

static void
build_bridge(struct vsctl_context *vctx, const struct ovsrec_bridge *row)
{
    struct vsctl_bridge *br;

    br = xzalloc(sizeof *br);
    br->row = row;
    note_bridge(vctx, br, row->name);
    for (size_t i = 0; i < row->n_ports; i++) {
        const struct ovsrec_port *port = row->ports[i];
        struct vsctl_bridge *fake, *other;

        if (!is_vlan_bridge(port) || shash_find(&vctx->bridges, port->name)) {
            continue;
        }
        other = vsctl_find_vlan_bridge(&vctx->base, br, port->tag[0]);
        if (other) {
            VLOG_WARN("%s: bridge has multiple VLAN bridges (%s and %s) for "
                      "VLAN %d, but only one is allowed", br->name,
                      port->name, other->name, other->vlan);
        }
        fake = xzalloc(sizeof *fake);
        fake->row = row;
        fake->parent = br;
        fake->port = port;
        fake->vlan = port->tag[0];
        note_bridge(vctx, fake, port->name);
    }
}

/* Bridges come first: the names of fake ones decide about the ports. */
static void
build(struct vsctl_context *vctx)
{
    const struct ovsrec_open_vswitch *root = vctx->root;

    vctx->built = true;
    shash_init(&vctx->bridges);
    shash_init(&vctx->ports);
    shash_init(&vctx->ifaces);
    verify(vctx);

    for (size_t i = 0; i < root->n_bridges; i++) {
        if (!shash_find(&vctx->bridges, root->bridges[i]->name)) {
            build_bridge(vctx, root->bridges[i]);
        }
    }
    for (size_t i = 0; i < root->n_bridges; i++) {
        const struct ovsrec_bridge *row = root->bridges[i];
        struct vsctl_bridge *br = shash_find_data(&vctx->bridges, row->name);

        for (size_t j = 0; br->row == row && j < row->n_ports; j++) {
            note_port(vctx, br, row->ports[j]);
        }
    }
}

static void
note_bridge(struct vsctl_context *vctx, struct vsctl_bridge *br,
            const char *name)
{
    br->name = xstrdup(name);
    shash_add(&vctx->bridges, name, br);
}

/* Adds a port of real or fake bridge 'br', and its interfaces. */
static void
note_port(struct vsctl_context *vctx, struct vsctl_bridge *br,
          const struct ovsrec_port *row)
{
    const struct vsctl_port *other = shash_find_data(&vctx->ports, row->name);
    struct vsctl_port *port;

    if (other) {
        VLOG_WARN("%s: port is in multiple bridges (%s and %s)",
                  row->name, br->name, other->bridge->name);
        return;
    }
    if (!br->parent && row->n_tag) {
        struct vsctl_bridge *fake = vsctl_find_vlan_bridge(&vctx->base, br,
                                                           row->tag[0]);

        br = fake ? fake : br;
    }
    port = xmalloc(sizeof *port);
    port->row = row;
    port->bridge = br;
    shash_add(&vctx->ports, row->name, port);

    for (size_t i = 0; i < row->n_interfaces; i++) {
        struct vsctl_iface *iface;

        if (shash_find(&vctx->ifaces, row->interfaces[i]->name)) {
            VLOG_WARN("%s: interface is in multiple ports",
                      row->interfaces[i]->name);
            continue;
        }
        iface = xmalloc(sizeof *iface);
        iface->row = row->interfaces[i];
        iface->port = port;
        shash_add(&vctx->ifaces, iface->row->name, iface);
    }
}
