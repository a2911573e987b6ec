/* SPDX-License-Identifier: Apache-2.0 */

/* Link protocols: LACP, STP, RSTP, BFD, CFM, LLDP.
 *
 * What: libopenvswitch's state machines, one a port (or one a bridge), and
 * what carries frames to and from them.  A worker that receives a frame of a
 * protocol that its port speaks hands it up, in a ring a protocol, before any
 * table sees it (of_link_ingress()); so no rule can get at it, and no flood of
 * other upcalls delays it.  BFD, CFM and LLDP send from a thread of their own
 * (monitor.h), LACP and spanning tree from the main thread.
 *
 * Ownership: `struct of_link' is part of struct of_port and owns its state
 * machines.
 *
 * Threads: the main thread, except of_link_ingress(): any worker. */

#ifndef OFPROTO_LINK_H
#define OFPROTO_LINK_H 1

#include <stdbool.h>
#include <stdint.h>
#include "rstp.h"
#include "stp.h"

struct bfd;
struct cfm;
struct cfm_settings;
struct cfm_status;
struct dp;
struct dp_ctx;
struct dp_packet;
struct lacp_member_stats;
struct lldp;
struct lldp_status;
struct of_bridge;
struct of_l2_port;
struct of_port;
struct ofport;
struct ofproto;
struct smap;

struct of_link {
    struct bfd *bfd;                /* Owned, as the next two; or null. */
    struct cfm *cfm;
    struct lldp *lldp;
    struct stp_port *stp_port;      /* Of the bridge's stp, or null. */
    enum stp_state stp_state;       /* STP_DISABLED if no STP. */
    long long int stp_entered;      /* When, in ms. */
    struct rstp_port *rstp_port;    /* Owned, or null. */
    enum rstp_state rstp_state;     /* RSTP_DISABLED if no RSTP. */
    long long int carrier_seq;
};

/* Once, after dp_create(). */
void of_link_init(struct dp *);

/* Sends 'packet' (owned) by 'port', whatever spanning tree says. */
void of_port_send(struct of_port *, struct dp_packet *packet);

/* A port's life. */
void of_link_port_init(struct of_port *);
void of_link_port_destroy(struct of_port *);
void of_link_port_modified(struct of_port *);
/* Whether the protocols let 'port' take part, given its carrier. */
bool of_link_may_enable(struct of_port *, bool carrier);
/* After its liveness has changed. */
void of_link_enabled(struct of_port *, bool enable);

/* What workers must know of it. */
void of_link_fill(const struct of_port *, struct of_l2_port *);

/* Worker: takes a frame of a protocol that 'port' speaks; false if it is
 * none. */
bool of_link_ingress(struct dp_ctx *, const struct of_l2_port *port);

/* struct ofproto_class. */
int of_set_cfm(struct ofport *, const struct cfm_settings *);
bool of_cfm_status_changed(struct ofport *);
int of_get_cfm_status(const struct ofport *, struct cfm_status *);
int of_set_bfd(struct ofport *, const struct smap *);
bool of_bfd_status_changed(struct ofport *);
int of_get_bfd_status(struct ofport *, struct smap *);
int of_set_lldp(struct ofport *, const struct smap *);
bool of_get_lldp_status(const struct ofport *, struct lldp_status *);
int of_port_is_lacp_current(const struct ofport *);
int of_port_get_lacp_stats(const struct ofport *, struct lacp_member_stats *);

/* Spanning tree: stp.c. */

/* Of a bridge. */
struct of_stp {
    struct stp *stp;                /* Owned, or null. */
    long long int stp_tick;
    struct rstp *rstp;              /* Owned, or null. */
    long long int rstp_tick;
};

void of_stp_run(struct of_bridge *);
void of_stp_wait(struct of_bridge *);
void of_stp_destroy(struct of_bridge *);
void of_stp_port_destroy(struct of_port *);
/* DP_PORT_BLOCKED and DP_PORT_NO_LEARN. */
uint32_t of_stp_port_flags(const struct of_port *);
/* A BPDU that 'port' has received. */
void of_stp_receive(struct of_port *, const struct dp_packet *);

struct ofproto_stp_settings;
struct ofproto_stp_status;
struct ofproto_port_stp_settings;
struct ofproto_port_stp_status;
struct ofproto_port_stp_stats;
struct ofproto_rstp_settings;
struct ofproto_rstp_status;
struct ofproto_port_rstp_settings;
struct ofproto_port_rstp_status;

/* struct ofproto_class. */
int of_set_stp(struct ofproto *, const struct ofproto_stp_settings *);
int of_get_stp_status(struct ofproto *, struct ofproto_stp_status *);
int of_set_stp_port(struct ofport *, const struct ofproto_port_stp_settings *);
int of_get_stp_port_status(struct ofport *, struct ofproto_port_stp_status *);
int of_get_stp_port_stats(struct ofport *, struct ofproto_port_stp_stats *);
void of_set_rstp(struct ofproto *, const struct ofproto_rstp_settings *);
void of_get_rstp_status(struct ofproto *, struct ofproto_rstp_status *);
void of_set_rstp_port(struct ofport *,
                      const struct ofproto_port_rstp_settings *);
void of_get_rstp_port_status(struct ofport *,
                             struct ofproto_port_rstp_status *);

#endif /* ofproto/link.h */
