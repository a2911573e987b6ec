/* SPDX-License-Identifier: Apache-2.0 */

/* The insides of struct of_l2, for the files of L2 switching: l2.c (bundles),
 * normal.c (NORMAL), fdb-cmd.c (fdb/...).  See l2.h. */

#ifndef OFPROTO_L2_PRIVATE_H
#define OFPROTO_L2_PRIVATE_H 1

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "ovs-rcu.h"
#include "ofproto/fdb.h"
#include "ofproto/l2-conf.h"
#include "ofproto/l2.h"

struct dp_ctx;
struct lacp;
struct mcast_snooping;
struct of_bond;
struct of_mdb;
struct of_mirror;
struct of_port;

struct of_bundle {
    struct hmap_node node;      /* In struct of_l2's 'bundles'. */
    struct of_l2 *l2;
    void *aux;                  /* The client's key. */
    char *name;
    struct ovs_list ports;      /* "struct of_port"s. */
    struct of_bond *bond;       /* bonding.h; null unless there are several
                                 * ports. */
    struct lacp *lacp;          /* Owned, or null. */
    /* Settings; 'port', 'floodable' and the index are filled in when a
     * configuration is made of them.  Bitmaps are owned. */
    struct of_l2_bundle conf;
};

struct of_l2 {
    struct of_bridge *bridge;
    struct hmap bundles;        /* By hash_pointer(aux, 0). */
    struct of_fdb *fdb;         /* Owner of an address: its of_bundle. */
    unsigned long *flood_vlans; /* Bitmap, or null. */
    OVSRCU_TYPE(struct of_l2_conf *) conf; /* What workers see. */
    bool conf_stale;            /* 'conf' is to be made anew. */
    struct of_mirror *mirrors[OF_MAX_MIRRORS]; /* mirror.h; or null. */
    bool forward_bpdu;          /* As in 'conf'. */
    struct mcast_snooping *ms;  /* mcast.h; null: no snooping. */
    OVSRCU_TYPE(struct of_mdb *) mdb; /* What workers see of it, or null. */
    bool mdb_stale;             /* It is to be made anew. */
};

/* Makes 'conf' anew if something has changed; the main thread. */
void of_l2_refresh(struct of_l2 *);

/* The first port of 'bundle'. */
ofp_port_t of_bundle_port(const struct of_bundle *);

/* The bundle that the client knows as 'aux', or null. */
struct of_bundle *of_bundle_lookup(const struct of_l2 *, const void *aux);

/* Bonds: 'port' may be used, as LACP says; or its device is another one. */
void of_bundle_member_may_enable(struct of_bundle *, struct of_port *);
void of_bundle_member_set_netdev(struct of_bundle *, struct of_port *);

/* Worker: sends the packet by 'out', at most 'max_len' bytes (0: all), with
 * the tags that this takes.  False if no port of it sends. */
bool of_normal_output(struct dp_ctx *, const struct of_l2_input *,
                      const struct of_l2_bundle *out, uint32_t max_len);

/* Whether this is the thread that called of_l2_init(). */
bool of_l2_in_main_thread(void);

/* fdb-cmd.c. */
void of_fdb_cmd_init(void);

#endif /* ofproto/l2-private.h */
