/* SPDX-License-Identifier: Apache-2.0 */

/* What a trace says, as a tree: a bridge has tables, a table the actions of
 * the rule that was found, an action what it led to.  Its text is Open
 * vSwitch's.
 *
 * Ownership: a list owns its nodes. */

#ifndef OFPROTO_TRACE_TREE_H
#define OFPROTO_TRACE_TREE_H 1

#include <stdarg.h>
#include "openvswitch/list.h"

struct ds;

enum of_trace_kind {
    OF_TRACE_BRIDGE,
    OF_TRACE_TABLE,
    OF_TRACE_BUCKET,
    OF_TRACE_ACTION,
    OF_TRACE_DETAIL,            /* What an action did. */
    OF_TRACE_WARNING,
    OF_TRACE_ERROR
};

/* Appends a node; returns the list of what is below it. */
struct ovs_list *of_trace_addv(struct ovs_list *, enum of_trace_kind,
                               const char *format, va_list);
struct ovs_list *of_trace_add(struct ovs_list *, enum of_trace_kind,
                              const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void of_trace_format(const struct ovs_list *, struct ds *);
void of_trace_free(struct ovs_list *);

#endif /* ofproto/trace-tree.h */
