/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/hooks.h"

#include <stdlib.h>
#include "classifier.h"
#include "ofproto/connmgr.h"
#include "ofproto/group.h"
#include "ofproto/of.h"
#include "ofproto/of-private.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "seq.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(of_hooks);

enum of_change_kind {
    OF_CHANGE_INSERT,
    OF_CHANGE_HIDE,
    OF_CHANGE_RESTORE,
    OF_CHANGE_DELETE
};

/* A queued change.  'rule' is referenced. */
struct of_change {
    struct ovs_list node;       /* In struct of_bridge's 'changes'. */
    enum of_change_kind kind;
    struct of_rule *rule;
    ovs_version_t version;      /* Of INSERT and HIDE; the others apply when
                                 * what was queued before them has. */
};

struct seq *
of_changes_seq(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;
    static struct seq *seq;

    if (ovsthread_once_start(&once)) {
        seq = seq_create();
        ovsthread_once_done(&once);
    }
    return seq;
}

static struct of_change *
queue(struct of_rule *rule, enum of_change_kind kind, ovs_version_t version)
{
    struct of_change *change = xmalloc(sizeof *change);

    change->kind = kind;
    change->rule = rule;
    change->version = version;
    ofproto_rule_ref(&rule->up);
    ovs_list_push_back(&of_rule_bridge(rule)->changes, &change->node);
    return change;
}

static void
change_destroy(struct of_change *change)
{
    ovs_list_remove(&change->node);
    ofproto_rule_unref(&change->rule->up);
    free(change);
}

static void
log_change(const struct of_change *change)
{
    static const char *const names[] = {
        [OF_CHANGE_INSERT] = "insert",
        [OF_CHANGE_HIDE] = "hide",
        [OF_CHANGE_RESTORE] = "restore",
        [OF_CHANGE_DELETE] = "delete",
    };
    const struct rule *rule = &change->rule->up;

    if (VLOG_IS_DBG_ENABLED()) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        cls_rule_format(&rule->cr, NULL, NULL, &ds);
        VLOG_DBG("%s: %s version=%"PRIu64" cookie=%#"PRIx64" table=%d %s",
                 rule->ofproto->name, names[change->kind], change->version,
                 ntohll(rule->flow_cookie), rule->table_id, ds_cstr(&ds));
        ds_destroy(&ds);
    }
}

static void
change_apply(struct of_change *change)
{
    struct of_rule *rule = change->rule;

    log_change(change);
    switch (change->kind) {
    case OF_CHANGE_INSERT:
        rule->insert = NULL;
        of_table_insert(&rule->entry, change->version);
        break;
    case OF_CHANGE_HIDE:
        rule->hide = NULL;
        of_table_hide(&rule->entry, change->version);
        break;
    case OF_CHANGE_RESTORE:
        of_table_restore(&rule->entry);
        break;
    case OF_CHANGE_DELETE:
        of_table_delete(&rule->entry);
        /* The rule was invisible for a grace period, or never visible, so
         * its counts are final; the FLOW_REMOVED message will read them. */
        of_rule_freeze(rule);
        break;
    }
}

void
of_changes_apply(struct of_bridge *bridge, ovs_version_t version)
{
    struct of_change *change;

    LIST_FOR_EACH_SAFE (change, node, &bridge->changes) {
        if (change->version > version) {
            break;
        }
        change_apply(change);
        change_destroy(change);
    }
}

/* A group lists a rule as often as the rule names it, and libofproto, when it
 * deletes the group, deletes each rule on the list: the second time is an
 * assertion that fails.  When it takes that back, it lists the rule once more
 * while it goes through the list: the same.  Leaves 'rule' there once; what
 * lies behind it may be reordered, what lies before it (libofproto is on its
 * way through) stays. */
static void
list_in_group_once(const struct rule *rule, uint32_t group_id)
{
    struct of_group *group = of_group_lookup(of_bridge_cast(rule->ofproto),
                                             group_id, OVS_VERSION_MAX);
    struct object_collection *rules;
    bool seen = false;
    size_t i = 0;

    if (!group) {
        return;
    }
    rules = &group->up.rules.collection;
    while (i < rules->n) {
        if (rules->objs[i] == rule && seen) {
            rules->objs[i] = rules->objs[--rules->n];
        } else {
            seen |= rules->objs[i] == rule;
            i++;
        }
    }
}

static void
list_in_groups_once(const struct rule *rule)
{
    const struct rule_actions *actions = rule_get_actions(rule);
    const struct ofpact_group *a;

    if (actions->has_groups) {
        OFPACT_FOR_EACH_TYPE_FLATTENED (a, GROUP, actions->ofpacts,
                                        actions->ofpacts_len) {
            list_in_group_once(rule, a->group_id);
        }
    }
}

/* Hooks. */

void
of_hook_classifier_insert(struct classifier *cls, const struct cls_rule *cr,
                          ovs_version_t version,
                          const struct cls_conjunction *conjunctions,
                          size_t n_conjunctions)
{
    struct of_rule *rule = of_rule_from_cls(cr);

    classifier_insert(cls, cr, version, conjunctions, n_conjunctions);
    rule->insert = queue(rule, OF_CHANGE_INSERT, version);
}

void
of_hook_cls_rule_make_invisible(const struct cls_rule *cr,
                                ovs_version_t version)
{
    struct of_rule *rule = of_rule_from_cls(cr);

    list_in_groups_once(&rule->up);
    cls_rule_make_invisible_in_version(cr, version);
    rule->hide = queue(rule, OF_CHANGE_HIDE, version);
}

void
of_hook_cls_rule_restore_visibility(const struct cls_rule *cr)
{
    struct of_rule *rule = of_rule_from_cls(cr);

    list_in_groups_once(&rule->up);
    cls_rule_restore_visibility(cr);
    if (rule->hide) {
        change_destroy(rule->hide);
        rule->hide = NULL;
    } else {
        queue(rule, OF_CHANGE_RESTORE, 0);
    }
}

/* 'cr' has left the classifier. */
static void
removed(const struct cls_rule *cr)
{
    struct of_rule *rule = of_rule_from_cls(cr);

    if (rule->hide) {
        change_destroy(rule->hide);
        rule->hide = NULL;
    }
    if (rule->insert) {
        change_destroy(rule->insert);
        rule->insert = NULL;
    } else {
        queue(rule, OF_CHANGE_DELETE, 0);
        seq_change(of_changes_seq());
    }
}

void
of_hook_classifier_remove_assert(struct classifier *cls,
                                 const struct cls_rule *cr)
{
    classifier_remove_assert(cls, cr);
    removed(cr);
}

bool
of_hook_classifier_remove(struct classifier *cls, const struct cls_rule *cr)
{
    bool was_in = classifier_remove(cls, cr);

    if (was_in) {
        removed(cr);
    }
    return was_in;
}

void
of_hook_ofconn_send_reply(const struct ofconn *ofconn, struct ofpbuf *msg)
{
    struct of_bridge *bridge;

    if (of_messages_were_unusual()) {
        OF_BRIDGE_FOR_EACH (bridge) {
            of_bridge_sync(bridge);
        }
    }
    ofconn_send_reply(ofconn, msg);
}

/* The message may be one of a bundle, which libofproto now reverts.  The flows
 * of a group that the bundle deleted come back before the group, and an
 * assertion wants that to be there. */
void
of_hook_ofconn_send_error(const struct ofconn *ofconn,
                          const struct ofp_header *request, enum ofperr error)
{
    const struct ofproto *ofproto = ofconn_get_ofproto(ofconn);
    struct ofgroup *group;

    CMAP_FOR_EACH (group, cmap_node, &ofproto->groups) {
        /* Deleted, which is not published: a bundle is on its way. */
        if (group->being_deleted
            && !versions_visible_in_version(&group->versions,
                                            OVS_VERSION_MAX)
            && versions_visible_in_version(&group->versions,
                                           ofproto->tables_version)) {
            versions_set_remove_version(&group->versions,
                                        OVS_VERSION_NOT_REMOVED);
        }
    }
    ofconn_send_error(ofconn, request, error);
}
