/* SPDX-License-Identifier: Apache-2.0 */

#ifndef UTILITIES_VSCTL_MODEL_H
#define UTILITIES_VSCTL_MODEL_H 1

/* What the commands see of the database: bridges, ports and interfaces by
 * name, with "fake" bridges, which are ports of a real bridge that stand for
 * one of its VLANs.
 *
 * A context lives as long as one attempt at a transaction.  Finding something
 * builds the model; a change that the model does not follow drops it.
 * Functions that fail call ctl_error() and return NULL. */

#include "db-ctl-base.h"
#include "lib/vswitch-idl.h"
#include "openvswitch/shash.h"
#include "util.h"

struct vsctl_bridge {
    char *name;
    const struct ovsrec_bridge *row; /* A fake bridge has its parent's. */

    /* Of a fake bridge: */
    struct vsctl_bridge *parent;    /* NULL if real. */
    const struct ovsrec_port *port; /* The port that it is. */
    int vlan;
};

struct vsctl_port {
    const struct ovsrec_port *row;
    struct vsctl_bridge *bridge; /* Fake if the port is on its VLAN. */
};

struct vsctl_iface {
    const struct ovsrec_interface *row;
    struct vsctl_port *port;
};

struct vsctl_context {
    struct ctl_context base;
    const struct ovsrec_open_vswitch *root;

    /* Model, if 'built'.  Values are owned. */
    bool built;
    struct shash bridges;       /* struct vsctl_bridge. */
    struct shash ports;         /* struct vsctl_port. */
    struct shash ifaces;        /* struct vsctl_iface. */

    /* Results besides the database and the output. */
    struct uuid *new_ifaces;    /* Rows whose set-up is to be checked. */
    size_t n_new_ifaces, allocated_new_ifaces;
    int exit_status;            /* Nonzero ends the command line at once. */
};

static inline struct vsctl_context *
vsctl_context_cast(struct ctl_context *base)
{
    return CONTAINER_OF(base, struct vsctl_context, base);
}

static inline bool
vsctl_has_option(const struct ctl_context *ctx, const char *option)
{
    return shash_find(&ctx->options, option) != NULL;
}

void vsctl_model_prerequisites(struct ctl_context *);

struct vsctl_context *vsctl_model_get(struct ctl_context *);
void vsctl_model_drop(struct ctl_context *);

/* Finding.  'must_exist' makes absence an error. */
struct vsctl_bridge *vsctl_find_bridge(struct ctl_context *, const char *name,
                                       bool must_exist);
struct vsctl_bridge *vsctl_find_real_bridge(struct ctl_context *,
                                            const char *name);
struct vsctl_bridge *vsctl_find_vlan_bridge(struct ctl_context *,
                                            const struct vsctl_bridge *parent,
                                            int vlan);
struct vsctl_port *vsctl_find_port(struct ctl_context *, const char *name,
                                   bool must_exist);
struct vsctl_iface *vsctl_find_iface(struct ctl_context *, const char *name,
                                     bool must_exist);

/* Returns false, with an error that says that 'what' cannot be made, if
 * something called 'name' exists. */
bool vsctl_check_free(struct ctl_context *, const char *what,
                      const char *name);

/* Changing, in the database and the model. */
struct ovsrec_interface *vsctl_insert_iface(struct ctl_context *,
                                            const char *name);
void vsctl_add_port(struct ctl_context *, struct vsctl_bridge *,
                    const struct ovsrec_port *);
void vsctl_delete_port(struct ctl_context *, struct vsctl_port *);
void vsctl_insert_bridge(struct ctl_context *, const struct ovsrec_bridge *);
void vsctl_delete_bridge(struct ctl_context *, struct vsctl_bridge *);

#endif /* utilities/vsctl-model.h */
