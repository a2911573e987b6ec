/* SPDX-License-Identifier: Apache-2.0 */

/* What stands in the place of OVS's dpif layer.
 *
 * None of dpif*.o, dpctl.o and ofproto-dpif*.o is linked (utilities/
 * ovs-link.mk).  This file defines what the linked parts of libopenvswitch,
 * libofproto and vswitchd's bridge.o want of them: a symbol that is missing
 * here is an error of the linker, one too many a second dpif.  Each function
 * has its contract in OVS's header. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dpif.h"
#include "dpif-netlink.h"
#include "dummy.h"
#include "ofproto/ofproto-dpif-rid.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "route-table.h"
#include "seq.h"
#include "sset.h"
#include "tnl-neigh-cache.h"
#include "tnl-ports.h"
#include "util.h"

/* Names of logs that scripts set the levels of (`ovs-appctl vlog/set
 * dpif:dbg'); nothing is written there. */
#define QUIET_MODULE(MODULE)                                            \
    static struct vlog_module quiet_##MODULE = {                        \
        OVS_LIST_INITIALIZER(&quiet_##MODULE.list), #MODULE,            \
        { VLL_INFO, VLL_INFO, VLL_INFO }, VLL_INFO, true                \
    };                                                                  \
    OVS_CONSTRUCTOR(init_quiet_##MODULE) {                              \
        vlog_insert_module(&quiet_##MODULE.list);                       \
    }

QUIET_MODULE(dpif)
QUIET_MODULE(dpif_netdev)
QUIET_MODULE(dpif_netlink)
QUIET_MODULE(ofproto_dpif_upcall)
QUIET_MODULE(ofproto_dpif_xlate)

/* dpif.h. */

/* Changes when a tunnel's route or neighbor does. */
struct seq *tnl_conf_seq;

void
dp_enumerate_types(struct sset *names)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;

    if (ovsthread_once_start(&once)) {
        tnl_conf_seq = seq_create();
        tnl_port_map_init();
        tnl_neigh_cache_init();
        route_table_init();
        ovsthread_once_done(&once);
    }
    of_types_enumerate(names);
}

void
dp_parse_name(const char *datapath_name, char **name, char **type)
{
    const char *at = strchr(datapath_name, '@');

    if (at) {
        *type = xmemdup0(datapath_name, at - datapath_name);
        *name = xstrdup(at + 1);
    } else {
        *type = xstrdup("system");
        *name = xstrdup(datapath_name);
    }
}

void
dpif_dummy_register(enum dummy_level level)
{
    of_types_enable_dummies(level);
}

void
dpif_port_clone(struct dpif_port *dst, const struct dpif_port *src)
{
    dst->name = xstrdup(src->name);
    dst->type = xstrdup(src->type);
    dst->port_no = src->port_no;
}

void
dpif_port_destroy(struct dpif_port *port)
{
    free(port->name);
    free(port->type);
}

int
dpif_bond_stats_get(struct dpif *dpif OVS_UNUSED, uint32_t bond_id OVS_UNUSED,
                    uint64_t *n_bytes OVS_UNUSED)
{
    return EOPNOTSUPP;
}

/* dpif-netlink.h: netdev-linux asks the kernel's datapath for the network
 * namespace and the statistics of its vports.  ENOENT is what it gets where
 * the kernel has no such datapath; any other error would make it take the
 * device for one in another namespace. */

int
dpif_netlink_vport_get(const char *name OVS_UNUSED,
                       struct dpif_netlink_vport *reply OVS_UNUSED,
                       struct ofpbuf **bufp OVS_UNUSED)
{
    return ENOENT;
}

/* ofproto-dpif-rid.h: no packet recirculates; bonds show their number, and
 * nothing else is done with it. */

uint32_t
recirc_alloc_id(struct ofproto_dpif *bridge OVS_UNUSED)
{
    static uint32_t last;

    return ++last;
}

void
recirc_free_id(uint32_t recirc_id OVS_UNUSED)
{
}

/* ofproto-dpif.h: bonds balance without flows of their own, as they do in
 * OVS on a datapath without recirculation. */

int
ofproto_dpif_add_internal_flow(struct ofproto_dpif *bridge OVS_UNUSED,
                               struct match *match OVS_UNUSED,
                               int priority OVS_UNUSED,
                               uint16_t idle_timeout OVS_UNUSED,
                               const struct ofpbuf *ofpacts OVS_UNUSED,
                               struct rule **rulep)
{
    *rulep = NULL;
    return EOPNOTSUPP;
}

int
ofproto_dpif_delete_internal_flow(struct ofproto_dpif *bridge OVS_UNUSED,
                                  struct match *match OVS_UNUSED,
                                  int priority OVS_UNUSED)
{
    return EOPNOTSUPP;
}

int
ofproto_dpif_add_lb_output_buckets(struct ofproto_dpif *bridge OVS_UNUSED,
                                   uint32_t bond_id OVS_UNUSED,
                                   const ofp_port_t *members OVS_UNUSED)
{
    return EOPNOTSUPP;
}

int
ofproto_dpif_delete_lb_output_buckets(struct ofproto_dpif *bridge OVS_UNUSED,
                                      uint32_t bond_id OVS_UNUSED)
{
    return EOPNOTSUPP;
}

bool
ovs_lb_output_action_supported(struct ofproto_dpif *bridge OVS_UNUSED)
{
    return false;
}
