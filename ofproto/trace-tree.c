/* SPDX-License-Identifier: Apache-2.0 */

#include "ofproto/trace-tree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "openvswitch/dynamic-string.h"
#include "util.h"

struct node {
    struct ovs_list node;
    enum of_trace_kind kind;
    char *text;
    struct ovs_list below;      /* Contains "struct node"s. */
};

struct ovs_list *
of_trace_addv(struct ovs_list *list, enum of_trace_kind kind,
              const char *format, va_list args)
{
    struct node *n = xmalloc(sizeof *n);

    n->kind = kind;
    n->text = xvasprintf(format, args);
    ovs_list_init(&n->below);
    ovs_list_push_back(list, &n->node);
    return &n->below;
}

struct ovs_list *
of_trace_add(struct ovs_list *list, enum of_trace_kind kind,
             const char *format, ...)
{
    struct ovs_list *below;
    va_list args;

    va_start(args, format);
    below = of_trace_addv(list, kind, format, args);
    va_end(args);
    return below;
}

static bool
has_no_tables_below(enum of_trace_kind kind)
{
    return kind != OF_TRACE_BRIDGE && kind != OF_TRACE_TABLE;
}

/* What ends in another table goes on there without a further indentation. */
static void
format_at(const struct ovs_list *list, int level, struct ds *s)
{
    const struct node *n;

    LIST_FOR_EACH (n, node, list) {
        bool deeper = n->node.next != list || has_no_tables_below(n->kind);
        int indent = (level + deeper) * 4;

        if (n->kind == OF_TRACE_BRIDGE) {
            ds_put_char(s, '\n');
        }
        ds_put_char_multiple(s, ' ', indent);
        switch (n->kind) {
        case OF_TRACE_DETAIL:
            ds_put_format(s, " -> %s\n", n->text);
            break;
        case OF_TRACE_WARNING:
            ds_put_format(s, " >> %s\n", n->text);
            break;
        case OF_TRACE_ERROR:
            ds_put_format(s, " >>>> %s <<<<\n", n->text);
            break;
        case OF_TRACE_BRIDGE:
            ds_put_format(s, "%s\n", n->text);
            ds_put_char_multiple(s, ' ', indent);
            ds_put_char_multiple(s, '-', strlen(n->text));
            ds_put_char(s, '\n');
            break;
        case OF_TRACE_TABLE:
        case OF_TRACE_BUCKET:
        case OF_TRACE_ACTION:
            ds_put_format(s, "%s\n", n->text);
            break;
        }
        format_at(&n->below, level + 2 * deeper, s);
    }
}

void
of_trace_format(const struct ovs_list *list, struct ds *s)
{
    format_at(list, 0, s);
}

void
of_trace_free(struct ovs_list *list)
{
    struct node *n;

    LIST_FOR_EACH_POP (n, node, list) {
        of_trace_free(&n->below);
        free(n->text);
        free(n);
    }
}
