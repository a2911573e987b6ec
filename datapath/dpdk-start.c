/* SPDX-License-Identifier: Apache-2.0 */

#include "datapath/dpdk-start.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dpdk.h"
#include "netdev-provider.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl-provider.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(dp_dpdk);

enum { LOOK_MS = 1000 };        /* How often to look for hugepages. */

/* Why DPDK does not run; null while it does. */
static const char *reason = "DPDK does not run";
static bool failed;             /* For good: it cannot be tried twice. */

/* Types of DPDK's ports while it does not run. */

static struct netdev *
absent_alloc(void)
{
    return xzalloc(sizeof(struct netdev));
}

static int
absent_construct(struct netdev *netdev OVS_UNUSED)
{
    return 0;
}

static void
absent_destruct(struct netdev *netdev OVS_UNUSED)
{
}

static void
absent_dealloc(struct netdev *netdev)
{
    free(netdev);
}

static int
absent_set_config(struct netdev *netdev, const struct smap *args OVS_UNUSED,
                  char **errorp)
{
    *errorp = xasprintf("%s: %s", netdev_get_name(netdev), reason);
    return EAGAIN;
}

static int
absent_get_etheraddr(const struct netdev *netdev OVS_UNUSED,
                     struct eth_addr *mac)
{
    *mac = eth_addr_zero;
    return 0;
}

static int
absent_update_flags(struct netdev *netdev OVS_UNUSED,
                    enum netdev_flags off OVS_UNUSED,
                    enum netdev_flags on OVS_UNUSED, enum netdev_flags *old)
{
    *old = 0;
    return 0;
}

#define ABSENT(TYPE)                                                    \
    {                                                                   \
        .type = TYPE,                                                   \
        .alloc = absent_alloc,                                          \
        .construct = absent_construct,                                  \
        .destruct = absent_destruct,                                    \
        .dealloc = absent_dealloc,                                      \
        .set_config = absent_set_config,                                \
        .get_etheraddr = absent_get_etheraddr,                          \
        .update_flags = absent_update_flags,                            \
    }
static const struct netdev_class absent_classes[] = {
    ABSENT("dpdk"),
    ABSENT("dpdkvhostuser"),
    ABSENT("dpdkvhostuserclient"),
};
static bool registered;

static void
register_absent(void)
{
    if (!registered) {
        for (size_t i = 0; i < ARRAY_SIZE(absent_classes); i++) {
            netdev_register_provider(&absent_classes[i]);
        }
        registered = true;
    }
}

/* False if one of them is in use at the moment. */
static bool
unregister_absent(void)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(absent_classes); i++) {
        if (netdev_unregister_provider(absent_classes[i].type)) {
            break;
        }
    }
    if (i < ARRAY_SIZE(absent_classes)) {
        while (i > 0) {
            netdev_register_provider(&absent_classes[--i]);
        }
        return false;
    }
    registered = false;
    return true;
}

/* Conditions. */

static bool
is_dpdk_type(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(absent_classes); i++) {
        if (!strcmp(type, absent_classes[i].type)) {
            return true;
        }
    }
    return false;
}

/* Whether a port of the configuration needs DPDK. */
static bool
port_wants_it(const struct ovsrec_open_vswitch *cfg)
{
    for (size_t i = 0; i < cfg->n_bridges; i++) {
        const struct ovsrec_bridge *bridge = cfg->bridges[i];

        for (size_t j = 0; j < bridge->n_ports; j++) {
            const struct ovsrec_port *port = bridge->ports[j];

            for (size_t k = 0; k < port->n_interfaces; k++) {
                if (is_dpdk_type(port->interfaces[k]->type)) {
                    return true;
                }
            }
        }
    }
    return false;
}

static bool
hugepages_free(void)
{
    static const char path[] = "/sys/kernel/mm/hugepages";
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool found = false;

    while (dir && !found && (entry = readdir(dir))) {
        char *name = xasprintf("%s/%s/free_hugepages", path, entry->d_name);
        FILE *file = fopen(name, "r");
        unsigned long n;

        if (file) {
            found = fscanf(file, "%lu", &n) == 1 && n > 0;
            fclose(file);
        }
        free(name);
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

/* Null if DPDK may be started, or why not. */
static const char *
obstacle(const struct smap *other_config)
{
    const char *init = smap_get_def(other_config, "dpdk-init", "");
    const char *extra = smap_get_def(other_config, "dpdk-extra", "");
    const struct ovsrec_open_vswitch *cfg
        = CONTAINER_OF(other_config, struct ovsrec_open_vswitch,
                       other_config);

    if (!strcasecmp(init, "false")) {
        return "DPDK is off; set Open_vSwitch's other_config:dpdk-init=true";
    } else if (strcasecmp(init, "true") && strcasecmp(init, "try")
               && !port_wants_it(cfg)) {
        return "DPDK does not run; set Open_vSwitch's "
               "other_config:dpdk-init=true";
    } else if (!strstr(extra, "--no-huge") && !hugepages_free()) {
        return "DPDK needs hugepages and none are free: reserve some "
               "('sysctl -w vm.nr_hugepages=1024'), or set "
               "other_config:dpdk-extra='--no-huge -m 512'; then configure "
               "the port again";
    }
    return NULL;
}

static void
try_start(const struct smap *other_config)
{
    struct smap config;
    const char *extra;

    if (!unregister_absent()) {
        return;
    }
    smap_clone(&config, other_config);
    smap_replace(&config, "dpdk-init", "try");
    extra = smap_get_def(other_config, "dpdk-extra", "");
    if (strstr(extra, "--no-huge")) {
        /* What goes with it: Open vSwitch would add --in-memory to any other
         * line, which DPDK does not take together with --no-huge, and would
         * want 800 MB for the pool of buffers that ports share. */
        if (!strstr(extra, "--legacy-mem")) {
            smap_replace_nocopy(&config, "dpdk-extra",
                                xasprintf("%s --legacy-mem --no-shconf",
                                          extra));
        }
        if (!smap_get(&config, "per-port-memory")) {
            smap_replace(&config, "per-port-memory", "true");
        }
    }
    dpdk_init(&config);
    smap_destroy(&config);
    if (dpdk_available()) {
        reason = NULL;
    } else {
        failed = true;
        reason = "DPDK could not start (the log says why); it is tried again "
                 "when the switch is restarted";
        register_absent();
    }
}

void
dp_dpdk_init(const struct smap *other_config)
{
    static long long int next_look;
    static unsigned int seqno;
    const struct ovsrec_open_vswitch *cfg;
    unsigned int new_seqno;
    const char *why;

    if (!reason || failed) {
        return;
    }
    register_absent();

    /* At each change of the configuration, and now and then. */
    cfg = CONTAINER_OF(other_config, struct ovsrec_open_vswitch,
                       other_config);
    new_seqno = ovsdb_idl_get_seqno(cfg->header_.table->idl);
    if (time_msec() < next_look && seqno == new_seqno) {
        return;
    }
    next_look = time_msec() + LOOK_MS;
    seqno = new_seqno;

    why = obstacle(other_config);
    if (!why) {
        try_start(other_config);
    } else if (why != reason) {
        reason = why;
        if (strstr(why, "hugepages")) {
            VLOG_WARN("%s", why);
        }
    }
}
