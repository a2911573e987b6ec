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

struct dp;
struct lacp;

struct of_bundle {
    struct hmap_node node;      /* In struct of_l2's 'bundles'. */
    struct of_l2 *l2;
    void *aux;                  /* The client's key. */
    char *name;
    struct ovs_list ports;      /* "struct of_port"s: one, until bonds. */
    struct lacp *lacp;          /* Owned; null if not configured. */
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
    bool forward_bpdu;          /* As in 'conf'. */
};

/* Makes 'conf' anew if something has changed; the main thread. */
void of_l2_refresh(struct of_l2 *);

/* The first port of 'bundle'. */
ofp_port_t of_bundle_port(const struct of_bundle *);

/* Whether this is the thread that called of_l2_init(). */
bool of_l2_in_main_thread(void);

/* lacp.c. */
void of_lacp_init(struct dp *);
/* Follows the settings; 'bundle' has its ports. */
void of_lacp_set(struct of_bundle *, const struct ofproto_bundle_settings *);
void of_lacp_del_port(struct of_bundle *, struct of_port *);
void of_lacp_run(const struct of_l2 *);
void of_lacp_wait(const struct of_l2 *);

/* fdb-cmd.c. */
void of_fdb_cmd_init(void);

#endif /* ofproto/l2-private.h */
