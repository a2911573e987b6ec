/* SPDX-License-Identifier: Apache-2.0 */

/* How a provider learns, in order and with versions, what libofproto changes
 * in its flow tables.
 *
 * The problem: libofproto tells a provider of a new rule (rule_insert) only
 * after the tables version that shows it was published, and of a deletion,
 * an expiry or an eviction only by the number of the new version.  We want
 * the change to be in the maps when the version is published.
 *
 * The way: libofproto makes every change of a table through five functions
 * of libopenvswitch's classifier.  The build redirects the calls that
 * ofproto.o makes to them (`objcopy --redefine-sym', utilities/ovs-link.mk;
 * no other object is touched) to the functions below.  Each calls the real
 * function and queues what happened; set_tables_version(v) applies the queue
 * up to 'v' and then publishes 'v'.
 *
 *     classifier_insert                   visible from a version on
 *     cls_rule_make_invisible_in_version  not visible from a version on
 *     cls_rule_restore_visibility         the latter is taken back (revert)
 *     classifier_remove_assert, classifier_remove
 *                                         out of the classifier: after the
 *                                         grace period, or as a revert
 *
 * A revert undoes a change that is still queued: then nothing happens at all.
 *
 * ofconn_send_reply is redirected, too: before any reply, and so before a
 * barrier's, what libofproto keeps without telling a provider (table-miss
 * configuration and so on) is copied to where programs read it, if there were
 * messages that may have changed it.
 *
 * ofconn_send_error is, because an error may end a bundle: what libofproto
 * 3.1 does to revert one that deleted a group fails an assertion, unless some
 * of it is done before.
 *
 * Threads: ofproto_mutex is held, except for the reply.  Removals come from
 * the RCU thread; they wait in the queue for the main thread. */

#ifndef OFPROTO_HOOKS_H
#define OFPROTO_HOOKS_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "openvswitch/ofp-errors.h"
#include "openvswitch/types.h"
#include "versions.h"

struct classifier;
struct cls_conjunction;
struct cls_rule;
struct connmgr;
struct of_bridge;
struct ofconn;
struct ofp_header;
struct ofpbuf;
struct ovs_list;
struct rconn;

/* The main thread applies what is queued for versions up to 'version'. */
void of_changes_apply(struct of_bridge *, ovs_version_t version);

/* Changes when something is queued that no set_tables_version() follows. */
struct seq *of_changes_seq(void);

/* Called by libofproto in place of those functions. */
void of_hook_classifier_insert(struct classifier *, const struct cls_rule *,
                               ovs_version_t,
                               const struct cls_conjunction *,
                               size_t n_conjunctions);
void of_hook_cls_rule_make_invisible(const struct cls_rule *, ovs_version_t);
void of_hook_cls_rule_restore_visibility(const struct cls_rule *);
void of_hook_classifier_remove_assert(struct classifier *,
                                      const struct cls_rule *);
bool of_hook_classifier_remove(struct classifier *, const struct cls_rule *);
void of_hook_ofconn_send_reply(const struct ofconn *, struct ofpbuf *);
void of_hook_ofconn_send_error(const struct ofconn *,
                               const struct ofp_header *, enum ofperr);

/* messages.c: how controllers' messages are taken.  The calls of ofproto.o
 * and of connmgr.o. */
void of_hook_connmgr_run(struct connmgr *,
                         void (*handle)(struct ofconn *,
                                        const struct ovs_list *msgs));
struct ofpbuf *of_hook_rconn_recv(struct rconn *);
/* Whether others than flow_mods and barriers came since it was last asked. */
bool of_messages_were_unusual(void);

#endif /* ofproto/hooks.h */
