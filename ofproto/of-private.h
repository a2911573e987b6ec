/* SPDX-License-Identifier: Apache-2.0 */

/* What the provider's own files share: the callbacks of `struct
 * ofproto_class`, whose contracts are in libofproto's ofproto-provider.h, and
 * a few functions between them.
 *
 * Threads: see of.h. */

#ifndef OFPROTO_OF_PRIVATE_H
#define OFPROTO_OF_PRIVATE_H 1

#include <stdbool.h>
#include "dummy.h"
#include "openvswitch/compiler.h"
#include "ofproto/ofproto-provider.h"

struct of_bridge;
struct of_port;
struct simap;
struct smap;

/* types.c: datapath types. */
void of_types_enumerate(struct sset *types);
const char *of_port_open_type(const char *datapath_type,
                              const char *port_type);
void of_types_enable_dummies(enum dummy_level);
/* True if dummies take the place of 'datapath_type'. */
bool of_type_is_dummy(const char *datapath_type);
/* True if dummies are enabled (--enable-dummy). */
bool of_dummies_enabled(void);
/* True for exactly one of the types that there are now. */
bool of_type_is_first(const char *datapath_type);

/* bridge.c. */
struct ofproto *of_bridge_alloc(void);
int of_bridge_construct(struct ofproto *);
void of_bridge_destruct(struct ofproto *, bool del);
void of_bridge_dealloc(struct ofproto *);
int of_bridge_run(struct ofproto *);
void of_bridge_wait(struct ofproto *);
void of_bridge_flush(struct ofproto *);
void of_bridge_get_memory_usage(const struct ofproto *, struct simap *);
void of_query_tables(struct ofproto *, struct ofputil_table_features *,
                     struct ofputil_table_stats *);
void of_set_tables_version(struct ofproto *, ovs_version_t);
bool of_set_frag_handling(struct ofproto *, enum ofputil_frag_handling);
int of_enumerate_names(const char *type, struct sset *names);
int of_del(const char *type, const char *name);

/* Logs under the name of OVS's provider, where people look for it. */
void of_log_dbg(const char *, ...) OVS_PRINTF_FORMAT(1, 2);

/* Copies what libofproto changes without a callback (table-miss
 * configuration, who wants packet-ins, flow-restore-wait) to the words that
 * programs read.  Takes no lock. */
void of_bridge_sync(struct of_bridge *);

/* port.c. */
struct ofport *of_port_alloc(void);
int of_port_construct(struct ofport *);
void of_port_destruct(struct ofport *, bool del);
void of_port_dealloc(struct ofport *);
void of_port_modified(struct ofport *);
int of_port_set_queues(struct ofport *, const struct ofproto_port_queue *,
                       size_t n_queues);
void of_port_reconfigured(struct ofport *, enum ofputil_port_config old);
int of_port_query_by_name(const struct ofproto *, const char *devname,
                          struct ofproto_port *);
int of_port_add(struct ofproto *, struct netdev *);
int of_port_del(struct ofproto *, ofp_port_t);
int of_port_set_config(const struct ofport *, const struct smap *);
int of_port_get_stats(const struct ofport *, struct netdev_stats *);
int of_port_dump_start(const struct ofproto *, void **statep);
int of_port_dump_next(const struct ofproto *, void *state,
                      struct ofproto_port *);
int of_port_dump_done(const struct ofproto *, void *state);

/* Tells the datapath what 'port' may do. */
void of_port_update_flags(struct of_port *);
/* Follows the carrier of 'port''s device. */
void of_port_run(struct of_port *);
void of_vports_init(struct of_bridge *);
void of_vports_destroy(struct of_bridge *);
/* The number by which dpif/show calls the port 'name', or UINT32_MAX. */
uint32_t of_vport_number(const struct of_bridge *, const char *name);
/* Null if no port of the bridge has that number. */
const char *of_vport_name(const struct of_bridge *, uint32_t number);

/* rule.c. */
struct rule *of_rule_alloc(void);
enum ofperr of_rule_construct(struct rule *);
enum ofperr of_rule_insert(struct rule *, struct rule *old,
                           bool forward_counts);
void of_rule_destruct(struct rule *);
void of_rule_dealloc(struct rule *);
void of_rule_get_stats(struct rule *, struct pkt_stats *,
                       long long int *used);

/* Frees what rules that are gone held of the datapath. */
void of_rule_reap(void);
/* Expires rules whose time has come; of_bridge_wait() wakes up for it. */
void of_rules_expire(struct of_bridge *);

/* group.c. */
struct ofgroup *of_group_alloc(void);
enum ofperr of_group_construct(struct ofgroup *);
void of_group_destruct(struct ofgroup *);
void of_group_dealloc(struct ofgroup *);
enum ofperr of_group_get_stats(const struct ofgroup *,
                               struct ofputil_group_stats *);

/* meter.c. */
void of_meter_get_features(const struct ofproto *,
                           struct ofputil_meter_features *);
enum ofperr of_meter_set(struct ofproto *, ofproto_meter_id *,
                         struct ofputil_meter_config *);
enum ofperr of_meter_get(const struct ofproto *, ofproto_meter_id,
                         struct ofputil_meter_stats *, uint16_t n_bands);
void of_meter_del(struct ofproto *, ofproto_meter_id);

/* provider.c. */
void of_get_datapath_cap(const char *type, struct smap *caps);

/* trace-cmd.c. */
void of_trace_init(void);

/* commands.c. */
void of_commands_init(void);

#endif /* ofproto/of-private.h */
